#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An existing program on the kernel's io_uring and on ringd inside the process: ringbench's program for liburing, the same binary,
# with nothing but its environment changed, in turns. Ratios with their goals.
#
#   bench/dropin.sh [--quick] [--pairs N] [--seconds S] [--only WORD] [--dir DIR] [--markdown FILE] [--build DIR]
#                   [--patience S] [--cpu]
#
# "library": LD_LIBRARY_PATH leads to our liburing.so.2. "trap": LD_PRELOAD=libringd-trap.so, and the distribution's liburing, which
# makes its system calls by instructions of its own (if it does not, these rows are left out).
# --markdown, --patience: as in bench/compare.sh.
# --cpu: for rows of one thread that never sleeps, its CPU time instead of the clock. On a machine that others use this is the
# only way to a number that means something; on one that nobody uses both are the same.
# Not from a build directory: RINGBENCH, and RINGD_LIBDIR where our libraries are.
#
# Exit status: 0 every goal reached, 1 some missed, 2 could not measure.
set -u -o pipefail

pairs=7 seconds=0.5 only="" dir=${TMPDIR:-/var/tmp} markdown="" build="" patience=0 cpu=false how=""
top=$(cd "$(dirname "$0")/.." && pwd)

die()
{
	echo "dropin.sh: $*" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--quick) pairs=3 seconds=0.2 ;;
	--pairs) pairs=$2; shift ;;
	--seconds) seconds=$2; shift ;;
	--only) only=$2; shift ;;
	--dir) dir=$2; shift ;;
	--markdown) markdown=$2; shift ;;
	--build) build=$2; shift ;;
	--patience) patience=$2; shift ;;
	--cpu) cpu=true how="CPU time where one thread never sleeps" ;;
	-h|--help) sed -n '3,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) die "unknown option $1" ;;
	esac
	shift
done

build=${build:-${abs_top_builddir:-$top}}
RINGBENCH=${RINGBENCH:-$build/bench/ringbench}
[ -x "$RINGBENCH" ] || die "$RINGBENCH is not there: build first, or say --build DIR"
unset LD_PRELOAD LD_LIBRARY_PATH RINGD_TRAP RINGD_REPORT RINGD_BACKEND
tmp=$(mktemp -d "$dir/ringd-dropin.XXXXXX") || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# Our libraries in one folder, as they are installed: what a build directory has beside them is not looked for there.
libdir=$tmp/lib
mkdir "$libdir"
for name in libringd-local.so.0 libringd-trap.so liburing.so.2; do
	for from in "${RINGD_LIBDIR:-$build/.libs}" "$build/client-lib/compat/.libs"; do
		[ -e "$from/$name" ] && ln -s "$(realpath "$from/$name")" "$libdir/$name" && break
	done || [ "$name" = libringd-trap.so ] || die "$name is not there: build first, or set RINGD_LIBDIR"
done

# shellcheck source=bench/pairs.sh
. "$top/bench/pairs.sh"

# kernel | library | trap, and options of ringbench
run()
{
	local door=$1
	shift
	case $door in
	kernel) set -- "$RINGBENCH" "$@" ;;
	library) set -- env LD_LIBRARY_PATH="$libdir" "$RINGBENCH" "$@" ;;
	trap) set -- env LD_PRELOAD="$libdir/libringd-trap.so" "$RINGBENCH" "$@" ;;
	esac
	timeout -k 1 "$(awk -v s="$seconds" 'BEGIN { print int(s * 3) + 60 }')" "$@" --target=kernel --terse
}

rate()		# [clock] door and options -> ops per second
{
	local clock=false
	[ "$1" != clock ] || { clock=true; shift; }
	run "$@" --seconds="$seconds" | if $cpu && ! $clock; then
		awk -F = '$1 == "client_cpu_ns_per_op" && $2 > 0 { printf "%.0f\n", 1e9 / $2 }'
	else
		sed -n 's/^ops_per_s=//p'
	fi
}

served()	# door, environment: is it us who serve? The report is only there when a ring of ours was.
{
	rm -f "$tmp/report"
	(
		export "${@:2}" RINGD_REPORT="$tmp/report"
		run "$1" --seconds=0.02
	) >"$tmp/out" 2>&1 && [ -s "$tmp/report" ]
}

# --- the table ---

run kernel --seconds=0.02 >/dev/null || die "the kernel's io_uring cannot be used here, so there is nothing to compare with"
served library || die "the drop-in does not serve: $(tail -n 1 "$tmp/out")"
file=$tmp/file
dd if=/dev/urandom of="$file" bs=1M count=64 conv=fsync 2>/dev/null || die "cannot write $file"

where=$(machine)
echo "$where"
echo
printf '%-46s %14s %14s %9s  %-10s %s\n' what ringd kernel ratio goal ""

both()		# NAME KIND RELATION GOAL "options of ringbench" [door] [clock]
{
	pair "$1" "$2" "$3" "$4" "${7-} ${6:-library} $5" "${7-} kernel $5"
}

read4k="--op=read --bs=4K --file=$file"
both "library: NOP QD1, time" time "<=" 0.5 "--qd=1"
both "library: NOP QD32, time" time "<=" 1.0 "--qd=32"
both "library: 4 KiB cached read QD1" rate ">=" 1.0 "$read4k --qd=1"
both "library: 4 KiB cached read QD32" rate ">=" 0.9 "$read4k --qd=32"
both "library: 4 KiB cached READ_FIXED QD1" rate ">=" 1.0 "$read4k --qd=1 --fixed"
both "library: 4 KiB cached READ_FIXED QD32" rate ">=" 0.9 "$read4k --qd=32 --fixed"
case $(stat -f -c %T "$dir") in
tmpfs|ramfs) echo "dropin.sh: $dir is in memory: no O_DIRECT rows, choose another with --dir" >&2 ;;
*)
	both "library: 4 KiB O_DIRECT read QD32" rate ">=" 0.9 "$read4k --qd=32 --direct" library clock
	both "library: 4 KiB O_DIRECT READ_FIXED QD32" rate ">=" 0.9 "$read4k --qd=32 --direct --fixed" library clock
	;;
esac
for n in 1 8 64 1000; do
	both "library: TCP echo, $n connections of 64" rate ">=" 0.85 "--op=echo --conns=$n" library clock
done
if served trap RINGD_TRAP=on && ! served trap RINGD_TRAP=off; then
	both "trap: NOP QD1, time" time "<=" 6 "--qd=1" trap
	both "trap: NOP QD32, time" time "<=" 1.5 "--qd=32" trap
	both "trap: 4 KiB cached read QD32" rate - - "$read4k --qd=32" trap
	both "trap: TCP echo, 64 connections of 64" rate - - "--op=echo --conns=64" trap clock
else
	echo "dropin.sh: the trap is not there, or liburing calls libc's syscall() here: no rows for it" >&2
fi
((disturbed == 0)) || where+="; $disturbed pairs were measured while others used the machine"
[ -z "$markdown" ] || write_markdown "$markdown" dropin.sh "$where" || die "cannot write $markdown"
((disturbed == 0)) || echo "($disturbed pairs were measured while others used the machine)"
exit "$missed"
