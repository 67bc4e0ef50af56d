#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stress-ng sets its rings up by itself, with libc's syscall(), and maps and fills them with code of its own.
. "$(dirname "$0")/lib.sh"
program stress-ng stress-ng
needs stress-ng

# How it ends is the program's own: one of its requests asks for a file that it has deleted, and this version of it calls
# that a failure. The order in which the stressors say so is by chance.
stress()
{
	run stress-ng --io-uring 4 --io-uring-ops 3000 --verify --metrics-brief --temp-path "$PWD" >out 2>&1
	echo "status: $?" >>"$COMPAT_RESULT"
	cat out
	sed -nE 's/.*\] *//; /fail|error|skip|unsupp|opcode/p' out | sort >>"$COMPAT_RESULT"
	sed -nE 's/.*\] io-uring +([0-9]+) .*/operations: \1/p' out >>"$COMPAT_RESULT"
}

begin "$@"
trial stress "four stressors, verified" "trap ringd-run" "process container enosys"
refused stress "four stressors, verified"
finish
