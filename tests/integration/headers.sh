#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What we install must compile for others: alone, as strict C11, and as C++ where a C++ compiler is there.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for header in ringd.h ringd/abi.h ringd/wire.h; do
	printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$header" "$header" > "$dir/t.c"
	${CC:-cc} -std=c11 -Wall -Wextra -Werror -I "$abs_top_srcdir/include" -fsyntax-only "$dir/t.c"
	if command -v c++ > /dev/null; then
		cp "$dir/t.c" "$dir/t.cc"
		c++ -std=c++11 -Wall -Wextra -Werror -I "$abs_top_srcdir/include" -fsyntax-only "$dir/t.cc"
	fi
done
