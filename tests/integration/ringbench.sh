#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every way of ringbench runs and counts something. Speeds are not judged here: bench/compare.sh does that.
dir=$(cd "$(dirname "$0")" && pwd)
. "$dir/lib.sh"
: "${RINGBENCH:?}"
export TMPDIR=$tmp

counts()	# options: runs, and the number of operations is not zero; a busy machine may need longer for the first
{
	local out seconds
	for seconds in 0.05 0.5 5; do
		out=$("$RINGBENCH" --seconds=$seconds --terse --size=4M "$@") || return 1
		[ "$(sed -n 's/^ops=//p' <<<"$out")" -gt 0 ] && return 0
		echo "$out"
	done
	return 1
}

parses()	# options: JSON with a positive rate
{
	local out
	out=$("$RINGBENCH" --seconds=0.2 --json --size=4M "$@") || return 1
	if command -v python3 >/dev/null; then
		python3 -c 'import json, sys; j = json.load(sys.stdin); assert j["ops_per_s"] > 0 and j["config"]["qd"] > 0' <<<"$out"
	else
		grep -q '"ops_per_s": *[1-9]' <<<"$out"
	fi
}

start_ringd
targets=ringd
if "$RINGBENCH" --target=kernel --seconds=0.01 >/dev/null 2>&1; then
	targets="ringd kernel"
else
	echo "# the kernel's io_uring is not to be had here: only ringd is tried"
fi

for target in $targets; do
	for poll in "" --sqpoll; do
		for op in nop read write; do
			for more in "" --fixed --direct; do
				[ $op = nop ] && [ -n "$more" ] && continue
				# shellcheck disable=SC2086
				check "$target $op $poll $more" counts --target=$target --op=$op --qd=4 $poll $more
			done
		done
		for op in link timeout poll poll-wait open statx; do
			# shellcheck disable=SC2086
			check "$target $op $poll" counts --target=$target --op=$op --qd=4 $poll
		done
		# shellcheck disable=SC2086
		check "$target QD1 $poll --latency" counts --target=$target --latency $poll
		# shellcheck disable=SC2086
		check "$target three clients, blocking $poll" counts --target=$target --qd=8 --clients=3 --wait=block $poll
	done
	check "$target sequential, batch, idle rings" counts --target="$target" --op=read --qd=8 --batch=4 --pattern=seq --idle-rings=20
	check "$target JSON" parses --target="$target" --op=read --fixed --qd=2 --latency
done

# Servers: every answer is compared with what was sent, so a wrong one is a failure. More connections than buffers in one
# turn, messages that come in pieces, sizes that are no power of two.
for target in $targets epoll; do
	for family in tcp unix; do
		for more in "--conns=1" "--conns=100" "--conns=5 --bs=16K" "--conns=2 --bs=1000001" "--conns=3 --latency" "--idle-conns=200"; do
			# shellcheck disable=SC2086
			check "$target echo $family $more" counts --target=$target --op=echo --family=$family $more
		done
		check "$target stream $family" counts --target="$target" --op=stream --family=$family
		check "$target stream $family, small messages" counts --target="$target" --op=stream --family=$family --bs=64K --conns=3
		check "$target connect $family" counts --target="$target" --op=connect --family=$family --conns=20
		check "$target connect $family, 4096 bytes" counts --target="$target" --op=connect --family=$family --conns=2 --bs=4K
	done
	[ "$target" = epoll ] || check "$target echo --sqpoll" counts --target="$target" --op=echo --conns=10 --sqpoll
	check "$target echo, JSON" parses --target="$target" --op=echo --idle-conns=10 --latency
done

check "no rings at all" counts --target=bare
echo precious >"$tmp/file"
check_status 1 "a file is not overwritten unless asked for" "$RINGBENCH" --op=write --bs=4 --file="$tmp/file"
check "it is as before" test "$(cat "$tmp/file")" = precious
check "a file that is not there is made" "$RINGBENCH" --seconds=0.05 --size=4M --op=write --file="$tmp/new"
check "and stays" test "$(stat -c %s "$tmp/new")" = $((4 << 20))
check_status 1 "a file smaller than a block" "$RINGBENCH" --op=read --bs=4K --file="$tmp/file"
check_status 1 "no ringd" "$RINGBENCH" --socket=/nonexistent --seconds=0.01
for wrong in --qd=0 --qd=5000 --bs=x --op=frob --target=other --seconds=0 --batch=2 --direct "--direct --op=read --bs=100" "--op=statx --fixed" "--op=poll --file=x" extra \
	--target=epoll --conns=2 --family=unix --idle-conns=1 "--op=echo --conns=0" "--op=echo --conns=5000" "--op=echo --qd=2" \
	"--op=echo --target=bare" "--op=echo --clients=2" "--op=stream --idle-conns=1" "--op=stream --bs=100" "--op=stream --conns=65" \
	"--op=connect --bs=5000" "--op=echo --target=epoll --sqpoll" "--op=echo --family=x" "--op=echo --file=x"; do
	# shellcheck disable=SC2086
	check_status 2 "wrong: $wrong" "$RINGBENCH" $wrong
done

# Nobody waits for the end of 1000 s when the engine has died.
dies_with_engine()
{
	local pid
	"$RINGBENCH" --qd=4 --seconds=1000 & pid=$!
	until "$RINGCTL" status | grep -q 'clients [1-9]'; do sleep 0.05; done
	while kill -0 $pid 2>/dev/null; do
		kill -KILL $("$RINGCTL" status | sed -n 's/^engine \([0-9]*\).*/\1/p') 2>/dev/null
		sleep 0.1
	done
	wait $pid
	[ $? = 1 ]
}
check "a dead engine ends it" dies_with_engine

# The comparison of existing programs works, whatever comes out.
compares()
{
	"$dir/../../bench/dropin.sh" --build "$abs_top_builddir" --pairs 1 --seconds 0.02 --only "NOP QD1" >"$tmp/table"
	[ $? -le 1 ] && cat "$tmp/table" && grep -q '^library: NOP QD1, time .* ns .* ns ' "$tmp/table"
}
if [ -n "${RINGD_SANITIZERS-}" ] || [ "$targets" = ringd ]; then
	echo "# no existing program: not with sanitizers, and not without the kernel's io_uring"
else
	check "bench/dropin.sh" compares
fi
check "no file is left behind" test -z "$(find "$tmp" -name 'ringbench.*')"
