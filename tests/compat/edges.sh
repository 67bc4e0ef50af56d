#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same program on the kernel's io_uring (where there is one), with our liburing.so.2, and behind the preload.
set -u
program=$abs_top_builddir/tests/compat/edges
libs=$abs_top_builddir/client-lib/compat/.libs:$abs_top_builddir/.libs
trap=$abs_top_builddir/.libs/libringd-trap.so
failed=0

# run WHAT ENVIRONMENT...
run()
{
	local what=$1 status
	shift
	env "$@" timeout -k 10 900 "$program" >"$program.out" 2>&1
	status=$?
	grep -v '^ok' "$program.out" | sed "s/^/$what: /"
	[ $status = 0 ] && ! grep -q '^not ok' "$program.out" || failed=1
}

case ${RINGD_SANITIZERS:-} in
?*) echo "edges: a program of the distribution's liburing, which has no sanitizers"; exit 77 ;;
esac
unset LD_PRELOAD LD_LIBRARY_PATH EDGES_KERNEL
run kernel EDGES_KERNEL=1
run library LD_LIBRARY_PATH="$libs"
[ ! -e "$trap" ] || run preload LD_PRELOAD="$trap"
exit $failed
