#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# doc/CONFORMANCE.md has no row that fails, one of each test that there is, and one of each statement.
set -eu
doc=$abs_top_srcdir/doc/CONFORMANCE.md
failed=0

if grep -E '\| \*\*(fail|none)\*\* \|' "$doc"; then
	echo "doc/CONFORMANCE.md has rows that fail, or statements without a test and a reason"
	failed=1
fi

n=0
while IFS=$'\t' read -r numbers text; do
	n=$((n + 1))
	text=${text//|/\\|}
	text=${text//</\\<}
	if ! grep -qF "| $numbers | $text | " "$doc"; then
		echo "doc/CONFORMANCE.md has no row of '$numbers: $text': run make conformance-doc"
		failed=1
	fi
done < <(for program in "$abs_top_builddir"/tests/conformance/conf-ringd-*; do
	case $program in *.o | *.log | *.trs) continue ;; esac
	CF_LIST=1 "$program"
done)
[ "$n" -gt 400 ]
exit "$failed"
