#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Header, symbol map and manual of libringd tell of the same functions, and the manual's example is the one that compiles.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$abs_top_srcdir"
man=man/libringd.3
shopt -s nullglob
pages=(man/libringd.3 man/ringd_*.3)	# one for each family of calls

sed -n 's/^\t\(ringd_[a-z0-9_]*\);$/\1/p' client-lib/libringd.map | sort > "$tmp/map"
grep -v '^static inline\|^#\|^ \*\|^/\*' client-lib/ringd.h | grep -o '\bringd_[a-z0-9_]*(' | tr -d '(' | sort -u |
	grep -vx 'ringd_for_each_cqe' > "$tmp/header"
diff "$tmp/map" "$tmp/header" || { echo "libringd.map and ringd.h differ"; exit 1; }
[ -s "$tmp/map" ]

grep -o '\bringd_[a-z0-9_]*(' client-lib/ringd.h | tr -d '(' | sort -u > "$tmp/all"
while read -r name; do
	grep -q "^\.BI \".*\b$name(" "${pages[@]}" || { echo "$name is in none of: ${pages[*]}"; exit 1; }
done < "$tmp/all"

# Each page knows its version, is known to the overview, and sends nobody to a page that there is not.
for page in "${pages[@]}"; do
	name=${page#man/}
	name=${name%.3}
	grep -q '^\.SH VERSIONS$' "$page" || { echo "$page does not say since when"; exit 1; }
	[ "$page" = "$man" ] || grep -q "^\.BR $name (3)" "$man" || { echo "$man does not know $page"; exit 1; }
done
grep -ohE '\b(libringd|ring(d|ctl|cp|bench))[a-z0-9_\-]*"? \([1-9]\)' man/*.[1-9] | tr -d '\\"' | sed 's/ (\(.\))/.\1/' | sort -u > "$tmp/named"
[ -s "$tmp/named" ]
while read -r name; do
	[ -e "man/$name" ] || { echo "there is no page $name, but others name it"; exit 1; }
done < "$tmp/named"

example() {	# PAGE SOURCE
	sed -n '/^\.EX$/,/^\.EE$/p' "$1" | sed -e '1d;$d' -e 's/^\\&//' -e 's/\\e/\\/g' > "$tmp/example.c"
	tail -n +3 "$2" | diff - "$tmp/example.c" || { echo "the example of $1 is not $2"; exit 1; }
}
example "$man" examples/hello.c
example man/ringd_zcrx.3 examples/receive.c
