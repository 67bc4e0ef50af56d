#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ringd against the kernel's io_uring (servers: and against epoll): runs ringbench on them in turns and prints the ratios with their goals.
# A ratio is the median over pairs of runs next to each other; which of the two goes first changes from pair to pair.
#
#   bench/compare.sh [--quick] [--pairs N] [--seconds S] [--only WORD] [--dir DIR] [--markdown FILE] [--build DIR]
#                    [--patience S] [--realtime]
#
# --markdown: writes the table there, or between the marks of a file that has them (doc/PERFORMANCE.md).
# --patience: on a machine that others use, wait up to S seconds per pair until it is quiet before and after the pair;
# a pair that was disturbed is run again. What could not be had quiet is told and used all the same.
# --realtime: run ringd and up to two clients under SCHED_RR, so that others do not disturb (needs the right to); they
# stand still meanwhile, for parts of a second at a time.
#
# Exit status: 0 every goal reached, 1 some missed, 2 could not measure.
set -u -o pipefail

pairs=7 seconds=1 only="" dir=${TMPDIR:-/var/tmp} markdown="" build="" idle_seconds=10 patience=0 realtime=""
top=$(cd "$(dirname "$0")/.." && pwd)

die()
{
	echo "compare.sh: $*" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--quick) pairs=3 seconds=0.3 idle_seconds=3 ;;
	--pairs) pairs=$2; shift ;;
	--seconds) seconds=$2; shift ;;
	--only) only=$2; shift ;;
	--dir) dir=$2; shift ;;
	--markdown) markdown=$2; shift ;;
	--build) build=$2; shift ;;
	--patience) patience=$2; shift ;;
	--realtime) realtime="chrt -r 1" ;;
	-h|--help) sed -n '3,17s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) die "unknown option $1" ;;
	esac
	shift
done

# Programs: from the environment (make check sets it), the build directory, or next to the source.
build=${build:-${abs_top_builddir:-$top}}
RINGD=${RINGD:-$build/daemon/manager/ringd}
RINGD_ENGINE=${RINGD_ENGINE:-$build/daemon/engine/ringd-engine}
RINGBENCH=${RINGBENCH:-$build/bench/ringbench}
for program in "$RINGD" "$RINGD_ENGINE" "$RINGBENCH"; do
	[ -x "$program" ] || die "$program is not there: build first, or say --build DIR"
done

# --- a ringd of our own ---

tmp=$(mktemp -d "$dir/ringd-compare.XXXXXX") || exit 2
ringd_pid="" holder=""
stop_holder()
{
	[ -n "$holder" ] || return 0
	exec 7>&-
	wait "$holder" 2>/dev/null
	holder=
}
cleanup()
{
	stop_holder
	[ -n "$ringd_pid" ] && kill "$ringd_pid" 2>/dev/null && wait "$ringd_pid" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# ten thousand connections, and some more: of 20,000 descriptors an engine uses 11,250 for files
ulimit -n "$(ulimit -H -n)"
mkfifo "$tmp/ready" && mkdir -m 700 "$tmp/rt" || exit 2
[ -z "$realtime" ] || $realtime true || die "SCHED_RR is not allowed here"
$realtime "$RINGD" --user --runtime-dir "$tmp/rt" --engine "$RINGD_ENGINE" --ready-fd 3 3>"$tmp/ready" &
ringd_pid=$!
read -r -t 30 _ <"$tmp/ready" || [ -S "$tmp/rt/ringd.sock" ] || die "ringd does not start"
export RINGD_SOCKET=$tmp/rt/ringd.sock

# --- measuring ---

how=${realtime:+SCHED_RR}
# shellcheck source=bench/pairs.sh
. "$top/bench/pairs.sh"

rate()		# ringbench options -> ops per second
{
	local prefix=$realtime
	# many real-time clients would take turns of 0.1 s each: those compete with the others as usual
	[[ "$*" != *--clients=* ]] || prefix=
	# a spinner that waits for somebody who never runs must not hold the machine
	timeout -k 1 "$(awk -v s="$seconds" 'BEGIN { print int(s * 3) + 20 }')" \
		$prefix "$RINGBENCH" --seconds="$seconds" --terse "$@" | sed -n 's/^ops_per_s=//p'
}

# trio NAME GOAL-KERNEL GOAL-EPOLL "options of all"
# The same server on ringd, the kernel's io_uring and epoll, in turns; two rows of rates. GOAL "-": told, not judged.
trio()
{
	local name=$1 goals=("$2" "$3") options=$4 against i k n deadline
	local -a target rates
	wanted "$name" || return 0
	rm -f "$tmp"/[0-2] "$tmp"/r[0-2]
	target=("$R" "$K" "$E")
	for ((i = 0; i < pairs; i++)); do
		deadline=$((SECONDS + patience))
		while :; do
			((patience == 0)) || await_quiet "$deadline" || disturbed=$((disturbed + 1))
			for ((k = 0; k < 3; k++)); do
				n=$(((k + i) % 3))
				# shellcheck disable=SC2086
				rates[n]=$(rate ${target[n]} $options)
			done
			((SECONDS >= deadline)) || quiet && break
		done
		for n in 0 1 2; do
			[ "${rates[n]:-0}" != 0 ] || { row "$name" "" missed "${rates[0]:-failed}" "${rates[n]:-failed}" "-"; return 0; }
			echo "${rates[n]}" >>"$tmp/$n"
			awk -v a="${rates[0]}" -v b="${rates[n]}" 'BEGIN { print a / b }' >>"$tmp/r$n"
		done
	done
	for n in 1 2; do
		against="kernel"
		[ $n = 1 ] || against="epoll"
		k=$(median <"$tmp/r$n")
		if [ "${goals[n - 1]}" = - ]; then
			row "$name, $against" - - "$(human "$(median <"$tmp/0")" rate)" "$(human "$(median <"$tmp/$n")" rate)" "$(printf %.2f "$k")"
		else
			row "$name, $against" ">= ${goals[n - 1]}" "$(verdict "$k" ">=" "${goals[n - 1]}")" \
				"$(human "$(median <"$tmp/0")" rate)" "$(human "$(median <"$tmp/$n")" rate)" "$(printf %.2f "$k")"
		fi
	done
}

# what a connection that says nothing takes of an engine that has had none yet
idle_memory()
{
	local target field bytes=()
	wanted "idle connection" || return 0
	for target in "$R service" "$K server"; do
		field=${target#* }
		bytes+=("$(timeout 120 "$RINGBENCH" ${target% *} --op=echo --idle-conns=10000 --seconds=0.2 --terse |
			sed -n "s/^${field}_bytes_per_conn=//p")")
	done
	row "idle connection: bytes in the engine; in the kernel's server" - - "${bytes[0]:-failed}" "${bytes[1]:-failed}" ""
}

# what many of them cost one that is busy: both columns ringd
idle_connections()
{
	local family
	for family in tcp unix; do
		pair "10,000 idle connections beside / alone, $family" rate ">=" 0.95 "$R --op=echo --family=$family --idle-conns=10000" \
			"$R --op=echo --family=$family"
	done
}

# --- what idles ---

hold()		# number of rings; sets holder and engine
{
	local line
	mkfifo "$tmp/in" "$tmp/out" || die "mkfifo"
	"$RINGBENCH" --hold --idle-rings="$1" --sqpoll <"$tmp/in" >"$tmp/out" &
	holder=$!
	exec 7>"$tmp/in"
	read -r -t 60 line <"$tmp/out"
	rm -f "$tmp/in" "$tmp/out"
	case $line in pid=*) ;; *) return 1 ;; esac
	holder_pid=${line#pid=}; holder_pid=${holder_pid%% *}
	engine=${line##*service_pid=}
}

ticks()		# process -> user and system time in clock ticks
{
	sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

smaps()		# process, pattern of fields -> kB
{
	awk -v p="$2" '$1 ~ p { n += $2; seen = 1 } END { if (seen) print n }' "/proc/$1/smaps_rollup" 2>/dev/null
}

settle()	# until the engine slept for a whole tenth of a second: the spin time and what a closed client left are over
{
	local i before
	for ((i = 0; i < 100; i++)); do
		before=$(ticks "$1"); sleep 0.1
		[ "$(ticks "$1")" = "$before" ] && return 0
	done
	return 1
}

idle_rows()	# fresh or used: what the engine did before
{
	local used private kb base full
	wanted "idle engine" || wanted "memory" || return 0
	hold 1 || { row "idle engine" "" missed "failed" "" "-"; return; }
	settle "$engine"
	used=$(ticks "$engine"); sleep "$idle_seconds"; used=$(($(ticks "$engine") - used))
	row "idle engine, $1: CPU in $idle_seconds s" "<= 0 ms" "$(verdict "$used" "<=" 0)" \
		"$((used * 1000 / $(getconf CLK_TCK))) ms" "" ""
	private=$(smaps "$engine" '^Private_(Clean|Dirty|Hugetlb):')
	if [ -z "$private" ]; then
		row "idle engine, $1: private memory" "<= 2 MiB" "-" "needs root" "" ""
		stop_holder
		return
	fi
	row "idle engine, $1: private memory" "<= 2 MiB" "$(verdict "$private" "<=" 2048)" "$private KiB" "" ""
	base=$(($(smaps "$engine" '^Pss_(Anon|Shmem):') + $(smaps "$holder_pid" '^Pss_(Anon|Shmem):')))
	stop_holder
	[ "$1" = fresh ] || return 0
	hold 1001 || { row "memory per idle ring" "<= 16 KiB" missed "failed" "" "-"; return; }
	settle "$engine"
	full=$(($(smaps "$engine" '^Pss_(Anon|Shmem):') + $(smaps "$holder_pid" '^Pss_(Anon|Shmem):')))
	kb=$(awk -v f="$full" -v b="$base" 'BEGIN { printf "%.1f", (f - b) / 1000 }')
	row "memory per idle ring (engine and client)" "<= 16 KiB" "$(verdict "$kb" "<=" 16)" "$kb KiB" "" ""
	stop_holder
}

# --- the table ---

case $(stat -f -c %T "$dir") in
tmpfs|ramfs) direct=false; echo "compare.sh: $dir is in memory: no O_DIRECT rows, choose another with --dir" >&2 ;;
*) direct=true ;;
esac
file=$tmp/file
dd if=/dev/urandom of="$file" bs=1M count=64 conv=fsync 2>/dev/null || die "cannot write $file"

where=$(machine)
echo "$where"
echo
printf '%-46s %14s %14s %9s  %-10s %s\n' what ringd other ratio goal ""
R=--target=ringd K=--target=kernel E=--target=epoll
read4k="--op=read --bs=4K --fixed --qd=32 --file=$file"
idle_rows fresh
idle_memory
pair "NOP QD1, time, SQPOLL" time "<=" 0.5 "$R --sqpoll" "$K --sqpoll"
pair "NOP QD1, time, SQPOLL / bare cache line" time - - "$R --sqpoll" "--target=bare"
pair "NOP QD1, time, plain" time "<=" 0.5 "$R" "$K"
pair "NOP QD32, rate, SQPOLL" rate ">=" 3 "$R --sqpoll --qd=32" "$K --sqpoll --qd=32"
pair "NOP QD32, rate, plain" rate - - "$R --qd=32" "$K --qd=32"
pair "4 KiB cached READ_FIXED QD32, SQPOLL" rate ">=" 1.0 "$R --sqpoll $read4k" "$K --sqpoll $read4k"
pair "4 KiB cached READ_FIXED QD32, kernel plain" rate - - "$R --sqpoll $read4k" "$K $read4k"
pair "4 KiB cached READ_FIXED QD1, SQPOLL, time" time - - "$R --sqpoll ${read4k/qd=32/qd=1}" "$K --sqpoll ${read4k/qd=32/qd=1}"
if $direct; then
	pair "4 KiB O_DIRECT QD32, SQPOLL" rate ">=" 0.95 "$R --sqpoll --direct $read4k" "$K --sqpoll --direct $read4k"
	pair "4 KiB O_DIRECT QD32, plain" rate ">=" 0.95 "$R --direct $read4k" "$K --direct $read4k"
fi
# what an application does besides: one request, or one pair of them, against the kernel's plain ring
for poll in "" --sqpoll; do
	ring=plain
	[ -z "$poll" ] || ring=SQPOLL
	pair "chain of 2 NOPs, QD32, $ring, time" time "<=" 2 "$R $poll --op=link --qd=32" "$K --op=link --qd=32"
	for qd in 1 32; do
		pair "timeout, armed and removed, QD$qd, $ring, time" time "<=" 2 "$R $poll --op=timeout --qd=$qd" "$K --op=timeout --qd=$qd"
		pair "poll of a ready eventfd, QD$qd, $ring, time" time "<=" 2 "$R $poll --op=poll --qd=$qd" "$K --op=poll --qd=$qd"
		pair "poll of an eventfd that is written then, QD$qd, $ring, time" time "<=" 2 "$R $poll --op=poll-wait --qd=$qd" \
			"$K --op=poll-wait --qd=$qd"
		pair "open into a slot and close, QD$qd, $ring, time" time "<=" 2 "$R $poll --op=open --qd=$qd --file=$file" \
			"$K --op=open --qd=$qd --file=$file"
		pair "statx, QD$qd, $ring, time" time "<=" 2 "$R $poll --op=statx --qd=$qd --file=$file" \
			"$K --op=statx --qd=$qd --file=$file"
	done
done
for n in 8 64; do
	pair "$n clients, NOP QD32, SQPOLL" rate - - "$R --sqpoll --qd=32 --clients=$n" "$K --sqpoll --qd=32 --clients=$n"
	pair "$n clients, NOP QD32, kernel plain" rate - - "$R --sqpoll --qd=32 --clients=$n" "$K --qd=32 --clients=$n"
	pair "$n clients, cached READ_FIXED, SQPOLL" rate - - "$R --sqpoll $read4k --clients=$n" "$K --sqpoll $read4k --clients=$n"
	pair "$n clients, cached READ_FIXED, kernel plain" rate - - "$R --sqpoll $read4k --clients=$n" "$K $read4k --clients=$n"
done
# both columns ringd: with and without the idle rings
pair "1,000 idle rings beside / alone, NOP QD32" rate ">=" 0.95 "$R --sqpoll --qd=32 --idle-rings=1000" "$R --sqpoll --qd=32"
pair "1,000 idle rings beside / alone, read QD32" rate ">=" 0.95 "$R --sqpoll $read4k --idle-rings=1000" "$R --sqpoll $read4k"
# servers; ringd's is given the ring that is best for it, as the kernel's is
for family in tcp unix; do
	for bs in 64 16K; do
		for n in 1 64 1000; do
			trio "echo, $family, $n connections of $bs" 0.9 1.0 "--op=echo --family=$family --conns=$n --bs=$bs"
		done
	done
	trio "stream, $family, 1 MiB messages" 0.95 - "--op=stream --family=$family"
	trio "connections, $family, 64 at a time" 0.8 - "--op=connect --family=$family --conns=64"
done
idle_connections
idle_rows "after all this"

((disturbed == 0)) || where+="; $disturbed pairs were measured while others used the machine"

[ -z "$markdown" ] || write_markdown "$markdown" compare.sh "$where" || die "cannot write $markdown"
((disturbed == 0)) || echo "($disturbed pairs were measured while others used the machine)"
exit "$missed"
