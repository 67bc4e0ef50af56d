#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# doc/COMPATIBILITY.md says what was found when the tests of programs ran just now: each result has its place there, and
# nothing there is not as on the kernel.
set -eu
doc=$abs_top_srcdir/doc/COMPATIBILITY.md
results=${RINGD_COMPAT_RESULTS:-$abs_top_builddir/tests/compat/results}
failed=0
[ -z "${RINGD_SANITIZERS-}" ] || { echo "SKIP: the programs run in the plain build only"; exit 77; }

if grep '\*\*[A-Z]*\*\*' "$doc"; then
	echo "doc/COMPATIBILITY.md has rows that are not as on the kernel"
	failed=1
fi

# What the tests write, as it must stand in the document; a version may be another.
n=0
while IFS=$'\t' read -r program place what door result; do
	n=$((n + 1))
	if ! awk -F' [|] ' -v program="$program" -v what="$what" -v door="$door" -v place="$place" -v result="$result" '
		/^## / { split($0, title, " "); here = title[2] == program }
		here && $1 == "| " what && $2 == door {
			column = place == "process" ? 3 : place == "container" ? 4 : place == "enosys" ? 5 : 7
			if (place == "sysctl")
				column = 6
			sub(/ \|$/, "", $column)
			found = $column == result
			exit
		}
		END { exit !found }' "$doc"; then
		echo "doc/COMPATIBILITY.md does not say: $program, $what, $door, $place: $result; run make compatibility-doc"
		failed=1
	fi
done < <(cat "$results"/* 2>/dev/null | awk -F'\t' -v OFS='\t' '{ print $1, $4, $5, $3 == "kernel" ? "none" : $3, $6 }')
echo "$n results looked up"
exit "$failed"
