#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program of our own that knows nothing of ringd: liburing's inline functions compiled in, linked with the distribution's
# library. Each piece of work with rings of each kind.
. "$(dirname "$0")/lib.sh"
program uringapp liburing2
uringapp=$abs_top_builddir/tests/compat/uringapp
needs "$uringapp"
LEAST_KERNEL=6.6	# what it does with a ring of each kind came step by step

kinds="--plain --sqpoll --coop --defer --big --clamp"

each()		# each WORD...: with each kind of ring
{
	local kind
	for kind in $kinds; do
		say run "$uringapp" "$kind" "$@" || return 1
	done
}

copy()
{
	local kind
	head -c 3000001 /dev/urandom >source
	for kind in $kinds; do
		say run "$uringapp" "$kind" cp source target
		keep cmp source target
	done
	say run "$uringapp" cp /nothing/here target
	true
}

files() { each files; }
buffers() { each buffers; }

# Nobody is woken who sleeps on a deferring ring's descriptor when there is work for it: not that kind.
waiting()
{
	kinds=${kinds/--defer }
	each poll
}

rings() { each rings; }
echoes() { each echo 3 20; }

begin "$@"
trial copy "copy: linked reads and writes, registered buffers and files" "library trap ringd-run" "process container enosys"
refused copy "copy: linked reads and writes, registered buffers and files"
trial files "chains of file requests, link timeouts, direct descriptors" "library trap"
trial buffers "provided buffers and buffer rings" "library trap"
trial waiting "ring in an epoll set, eventfd, cancel, timeouts" "library trap"
trial rings "messages between rings of five threads" "library trap"
trial echoes "echo server: three threads, multishot accept, buffer rings" "library trap"
finish
