#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Check the protocol models exhaustively with spin: no assertion fails, nobody is stuck, what must happen does happen
# under fair scheduling. Then check that the models can fail: each "-DNAME" line in the head of a model takes one barrier,
# check or ordering away, and the checker must find what breaks.
#
# run.sh [MODEL...]; KEEP=1 keeps the directory of the runs (trails are read with: spin -t -p -g -DNAME MODEL.pml)
set -u

here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-gcc}
models=${*:-doorbell wait waiters lazy enter teardown order ready buffers driver}

command -v spin >/dev/null || { echo "no spin"; exit 77; }
command -v "${cc%% *}" >/dev/null || { echo "no C compiler"; exit 77; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/ringd-model.XXXXXX") || exit 99
[ -n "${KEEP:-}" ] || trap 'rm -rf "$dir"' EXIT
failures=0

# pan MODEL safety|liveness FLAGS...: the checker's report in $dir/log
pan()
{
	local model=$1 kind=$2 build run
	shift 2
	if [ "$kind" = liveness ]; then
		set -- "$@" -DLIVENESS
		build="-DNFAIR=4" run="-a -f"
	else
		build="-DSAFETY -DNOCLAIM" run=
	fi
	(
		cd "$dir" || exit 1
		rm -f pan* ./*.trail
		spin "$@" -a "$here/$model.pml" || exit 1
		# pan.c is spin's, not ours: none of our warnings; 450 MB at most
		# shellcheck disable=SC2086
		$cc -O1 -w -DMEMLIM=450 $build -o pan pan.c || exit 1
		# shellcheck disable=SC2086
		./pan $run -n -m100000 -w20
	) >"$dir/log" 2>&1
}

verdict()
{
	if grep -q 'max search depth too small\|out of memory\|Search not completed' "$dir/log" &&
	   ! grep -q 'errors: [1-9]' "$dir/log"; then
		echo "incomplete"
	elif grep -q 'errors: 0' "$dir/log"; then
		echo "holds"
	elif grep -q 'assertion violated\|acceptance cycle' "$dir/log"; then
		echo "violated"
	else
		echo "broken"
	fi
}

# expect VERDICT WHAT...
expect()
{
	local want=$1 got
	shift
	got=$(verdict)
	if [ "$got" = "$want" ]; then
		echo "ok: $*: $got, $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$dir/log") states"
	else
		echo "FAILED: $*: $got instead of $want"
		sed 's/^/    /' "$dir/log"
		failures=$((failures + 1))
	fi
}

for model in $models; do
	for kind in safety liveness; do
		pan "$model" $kind -DWEAK
		expect holds "$model, $kind"
	done
	while read -ra flags; do
		pan "$model" safety "${flags[@]}"
		expect violated "$model ${flags[*]}"
	done < <(sed -n 's/^ \*   \(-D[-A-Z_ ]*[A-Z]\).*/\1/p' "$here/$model.pml")
done

[ $failures = 0 ]
