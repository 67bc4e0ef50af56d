#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every test that doc/SECURITY.md names is there.
set -eu
cd "$abs_top_srcdir"
n=0
missing=0
while read -r name; do
	n=$((n + 1))
	if ! grep -rqs "START_TEST($name)" tests && [ ! -e "tests/model/$name.pml" ]; then
		echo "doc/SECURITY.md names $name, which is no test"
		missing=1
	fi
done < <(awk -F'|' '/^\|/ { print $(NF - 1) }' doc/SECURITY.md | grep -o '`[a-z0-9_]*`' | tr -d '`' | sort -u)
[ "$n" -gt 40 ]
exit "$missing"
