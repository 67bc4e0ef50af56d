#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ./test.sh [--quick]: install what the tests need, build out of tree, run all tests.
#
# Runs the plain build's tests, then existing programs (fio, MariaDB, QEMU, ...) on ringd in their own process, then all tests
# with ASan+UBSan, then the unit tests with TSan; --quick: only the first.
# RINGD_CONFIGURE: more options for configure, such as --enable-werror.
# RINGD_TEST_PROGRAMS: "no": without existing programs; "yes": with them, --quick too. They take two to four minutes; their
#     packages are 60 MB to load and 270 MB on disk, and their tests are skipped if they cannot be installed.
# RINGD_TEST_SYSCTL: "yes": programs also run while kernel.io_uring_disabled is 2, if we are root. That is a setting of all
#     of the machine: for about a minute nobody else there gets a new io_uring. Continuous integration (.ci/run) does so.
# Builds are in ./build, ./build-asan, ./build-tsan ($RINGD_BUILD, $RINGD_BUILD-asan, ...).
#
# Suites that failed are run once more, alone, one after the other; a machine that was too slow or too busy for a test
# does not fail the run so, and what is broken does:
#   - what fails again has failed;
#   - what passes now is listed at the end as FLAKY, with what had failed, and counts as passed. It is to be mended;
#   - where a sanitizer reported something the suite is not run again: it has failed, whatever a second run would say.
#     So has all that failed beside it when the report is in the log of a daemon that a failed test has left in /tmp.
# The logs of the first run, shown when it ends, stay: BUILD/test-suite.log, and those of suites run again in
# BUILD/failed-first/. The second run's: BUILD/test-suite-again.log.
#
# Exit 0: nothing failed (but for FLAKY suites). Exit 1: something did, or could not be built.
set -eu
cd "$(dirname "$0")"
. .ci/functions.sh

test_packages="attr curl g++ clang iproute2 libclang-rt-14-dev netcat-openbsd nginx-light procps python3 socat spin
	systemd"
# existing programs, which tests/compat/programs run
programs="fio mariadb-client-core mariadb-server-core nghttp2-client nghttp2-server plocate qemu-system-common qemu-utils
	samba samba-vfs-modules smbclient
	stress-ng"
quick=
case "${1-}" in
'') ;;
--quick) quick=yes ;;
*) die "usage: ./test.sh [--quick]" ;;
esac

with_programs=${RINGD_TEST_PROGRAMS:-${quick:+no}}
[ "$with_programs" != no ] || programs=
install_packages $build_packages $test_packages
# a test whose program is not there says so, and is skipped
[ -z "$programs" ] || (install_packages $programs) || say "not all programs could be installed: the others will do"

failed=
flaky=
totals=
sanitizer_report='(Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|runtime error:'

# add_totals NAME LOG: the counts of a test-suite.log
add_totals() {
	totals="$totals$(printf '%-12s' "$1:") $(sed -n 's/^# \([A-Z]*\): *\([0-9]*\)$/\1 \2,/p' "$2" 2> /dev/null | tr '\n' ' ')
"
}

# failed_suites DIR: the suites of the last run that did not pass, a line each, as DIR has them (tests/unit/check_NAME)
failed_suites() {
	(cd "$1" && find ./* -name '*.trs' -exec grep -lE '^:test-result: *(FAIL|XPASS|ERROR)' {} + | sed 's/\.trs$//; s,^\./,,' | sort)
}

# What of a suite failed: of TAP the lines, of other logs the end.
first_failure() {
	grep -aE '^(not ok|Bail out)' "$1" || tail -n 20 "$1"
}

# run_again NAME DIR LOG: the suites that failed, alone. What they say at the second time decides.
run_again() {
	local name=$1 dir=$2 log=${3%.log}-again.log suite suites logs="" left
	suites=$(failed_suites "$dir")
	[ "$3" != test-suite.log ] || rm -rf "$dir/failed-first"
	left=$(find "${TMPDIR:-/tmp}" /tmp -maxdepth 2 -path '*/ringd-test-*/log' -newer "$dir/.started" \
		-exec grep -laE "$sanitizer_report" {} + 2> /dev/null | sort -u)
	[ -z "$left" ] || grep -aE -A40 "$sanitizer_report" $left || :
	for suite in $suites; do
		mkdir -p "$dir/failed-first/${suite%/*}"
		cp "$dir/$suite.log" "$dir/failed-first/$suite.log"
		if [ -n "$left" ] || grep -qaE "$sanitizer_report" "$dir/$suite.log"; then
			failed="$failed
  $name $suite (a sanitizer's report)"
		else
			logs="$logs $suite.log"
		fi
	done
	[ -n "$logs" ] || return 0
	say "$name: once more, alone:" $logs
	rm -f "$dir/$log"
	make -C "$dir" --no-print-directory -j1 recheck TEST_LOGS="${logs# }" TEST_SUITE_LOG="$log" VERBOSE=1 || :
	add_totals "$name again" "$dir/$log"
	# Without it make did not come to an end, and what is there is of the first time.
	[ -f "$dir/$log" ] || failed="$failed
  $name (could not be run again)"
	for suite in $logs; do
		suite=${suite%.log}
		if grep -qE '^:test-result: *(FAIL|XPASS|ERROR)' "$dir/$suite.trs"; then
			failed="$failed
  $name $suite (twice)"
		else
			flaky="${flaky}FLAKY (passed when run again alone): $name $suite
$(first_failure "$dir/failed-first/$suite.log" | sed 's/^/    /')
"
		fi
	done
}

# run_tests NAME DIR TARGET [LOG]: the log of what failed is shown, the totals are kept for the end
run_tests() {
	local name=$1 dir=$2 target=$3 log=${4:-test-suite.log} good=yes
	say "$name: make $target"
	# nothing of an earlier run may pass for this one's
	find "$dir" -name '*.trs' -delete
	rm -f "$dir/$log"
	touch "$dir/.started"
	make -C "$dir" --no-print-directory -j"$jobs" "$target" VERBOSE=1 || good=
	add_totals "$name" "$dir/$log"
	[ -z "$good" ] || return 0
	if [ -f "$dir/$log" ] && [ -n "$(failed_suites "$dir")" ]; then
		run_again "$name" "$dir" "$log"
	else
		failed="$failed
  $name (not all suites could be run)"
	fi
}

started=$SECONDS
# shellcheck disable=SC2206  # options, to be split
configure=(${RINGD_CONFIGURE-})
build_in "$build" "${configure[@]}"
run_tests plain "$build" check
if [ -n "$programs" ]; then
	run_tests programs "$build" check-programs test-suite-programs.log
	grep -aE '^(SKIP|# not compared)' "$build"/tests/compat/programs/*.log | sort | sed 's,.*/,,; s/^/    /' || :
	[ "${RINGD_TEST_SYSCTL-}" != yes ] || run_tests sysctl "$build" check-disabled test-suite-disabled.log
fi
if [ -z "$quick" ]; then
	build_in "$build-asan" "${configure[@]}" --enable-sanitizers=address,undefined --enable-fuzzers CC=clang 'CFLAGS=-O1 -g'
	run_tests asan "$build-asan" check
	build_in "$build-tsan" "${configure[@]}" --enable-sanitizers=thread 'CFLAGS=-O1 -g'
	run_tests tsan "$build-tsan" check-unit
fi

say "totals after $((SECONDS - started)) s"
printf '%s' "$totals"
printf '%s' "$flaky"
if [ -n "$failed" ]; then
	echo "FAILED:$failed"
	exit 1
fi
if [ -n "$flaky" ]; then
	echo "all tests passed, the FLAKY ones when run again"
else
	echo "all tests passed"
fi
