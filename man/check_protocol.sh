#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ringd-protocol(7) against proto/wire.h: every offset, width and size that its tables tell is compiled into an assertion.
# And the page has no formatting warnings, where there is groff.
set -eu

src=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
page=$src/man/ringd-protocol.7
dir=$(mktemp -d "${TMPDIR:-/tmp}/ringd-page.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# the structures in the order of the page's "Offset;Type;Member" tables
structs="msg hello welcome ring_create ring_created arena_create arena_created register fd_list channel ring_token status ring_info hot"

awk -v structs="$structs" '
BEGIN { n = split(structs, s, " "); print "#include \"proto/wire.h\"" }
/^\.TE/ { table = 0 }
/^Offset;Type;Member/ {
	table = ++t
	if (match($0, /[0-9]+ bytes/) && s[t] != "register")
		printf "_Static_assert(sizeof(struct ringd_%s) == %d, \"%s\");\n", s[t], substr($0, RSTART), $0
	next
}
table && /^[0-9]+;/ {
	split($0, f, ";")
	if (f[2] == "")
		next
	printf "_Static_assert(offsetof(struct ringd_%s, %s) == %s, \"%s\");\n", s[t], f[3], f[1], $0
	width = f[2] ~ /^params/ ? 120 : f[2] ~ /^char/ ? 1 : substr(f[2], 2) / 8
	if (f[2] !~ /^params/)
		while (match(f[2], /\[[0-9]+\]/)) {
			width *= substr(f[2], RSTART + 1, RLENGTH - 2)
			sub(/\[[0-9]+\]/, "", f[2])
		}
	printf "_Static_assert(sizeof(((struct ringd_%s *)0)->%s) == %d, \"%s\");\n", s[t], f[3], width, $0
	rows++
}
END {
	if (t != n || rows < 60) {
		printf "#error %d tables with %d rows found\n", t, rows
	}
}' "$page" >"$dir/page.c"
# shellcheck disable=SC2086
${CC:-cc} -I"$src" -fsyntax-only "$dir/page.c"

if command -v groff >/dev/null; then
	groff -t -man -Tutf8 -dpaper=a0 -ww "$page" 2>"$dir/warnings" >/dev/null
	if [ -s "$dir/warnings" ]; then
		cat "$dir/warnings"
		exit 1
	fi
fi
