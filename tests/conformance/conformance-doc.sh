#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# conformance-doc.sh OUTPUT: run all conformance programs (in the build tree, see the Makefile's conformance-doc) and write
# the table of statements, kernel, sync back end, uring back end, in-process host.
set -eu
output=$1
here=$top_srcdir/tests/conformance
results=$(mktemp)
trap 'rm -f "$results" "$results.log"' EXIT

for program in "$top_builddir"/tests/conformance/conf-*; do
	case $program in *.o | *.log | *.trs) continue ;; esac
	echo "  ${program##*/}" >&2
	CF_RESULTS=$results "$program" >"$results.log" || grep -a '^not ok' "$results.log" >&2 || :
done

for back_end in kernel sync uring local; do
	if ! cut -f 4,5 "$results" | grep -qx "$back_end	pass"; then
		echo "nothing passed on '$back_end': it cannot be tried here, $output stays as it is" >&2
		exit 1
	fi
done

{
	cat <<END
# Conformance

Written by \`make conformance-doc\` on $(date -u +%Y-%m-%d) from the results of tests/conformance; not to be edited. The same
tests ran on the io_uring of Linux $(uname -r) ("kernel"), on the service with its two back ends ("sync", "uring"), and on
the engine inside the process, as the drop-in liburing.so.2 has it ("in-process"). A row is a test; its number is that of
the statement in tests/conformance/statements that it is about.

| Result | Meaning |
|---|---|
| pass | what the statement says |
| differs | something else by design, which the test asserts; the reason is in the last column |
| skip | could not be tried here; the reason is in the last column |
| fail, in bold | not what the statement says |
END
	awk -F'\t' -v statements="$here/statements" -v untested="$here/untested" -f "$here/conformance-doc.awk" "$results"
} >"$output.new"
mv "$output.new" "$output"
grep -c '| \*\*fail\*\* |' "$output" >&2 && exit 1
exit 0
