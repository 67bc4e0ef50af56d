#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ./test.sh [--quick]: install what the tests need, build out of tree, run all tests.
#
# Runs the plain build's tests, then all tests with ASan+UBSan, then the unit tests with TSan; --quick: only the first.
# RINGD_CONFIGURE: more options for configure, such as --enable-werror.
# Builds are in ./build, ./build-asan, ./build-tsan ($RINGD_BUILD, $RINGD_BUILD-asan, ...). Exit 0: nothing failed.
set -eu
cd "$(dirname "$0")"
. .ci/functions.sh

test_packages="attr curl g++ clang iproute2 libclang-rt-14-dev netcat-openbsd nginx-light procps python3 socat spin
	systemd"
quick=
case "${1-}" in
'') ;;
--quick) quick=yes ;;
*) die "usage: ./test.sh [--quick]" ;;
esac

install_packages $build_packages $test_packages

failed=
totals=
# run_tests NAME DIR TARGET: the log of what failed is shown, the totals are kept for the end
run_tests() {
	local name=$1 dir=$2 target=$3
	say "$name: make $target"
	make -C "$dir" --no-print-directory -j"$jobs" "$target" VERBOSE=1 || failed="$failed $name"
	totals="$totals$(printf '%-10s' "$name:") $(sed -n 's/^# \([A-Z]*\): *\([0-9]*\)$/\1 \2,/p' "$dir/test-suite.log" | tr '\n' ' ')
"
}

started=$SECONDS
# shellcheck disable=SC2206  # options, to be split
configure=(${RINGD_CONFIGURE-})
build_in "$build" "${configure[@]}"
run_tests plain "$build" check
if [ -z "$quick" ]; then
	build_in "$build-asan" "${configure[@]}" --enable-sanitizers=address,undefined --enable-fuzzers CC=clang 'CFLAGS=-O1 -g'
	run_tests asan "$build-asan" check
	build_in "$build-tsan" "${configure[@]}" --enable-sanitizers=thread 'CFLAGS=-O1 -g'
	run_tests tsan "$build-tsan" check-unit
fi

say "totals after $((SECONDS - started)) s"
printf '%s' "$totals"
if [ -n "$failed" ]; then
	echo "FAILED:$failed"
	exit 1
fi
echo "all tests passed"
