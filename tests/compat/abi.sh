#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Our liburing.so.2 and liburing-ffi.so.2 export what liburing 2.15 exports, in its version nodes, and nothing of liburing
# besides; and whatever the distribution's libraries export is there in the same node.
set -u
facts=$abs_top_srcdir/tests/compat/liburing.symbols
built=$abs_top_builddir/client-lib/compat/.libs
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

say() { echo "abi: $*"; failed=1; }

# exported LIBRARY: "NODE symbol" of each versioned function, "NODE" of each node
exported() {
	readelf --dyn-syms --wide "$1" | awk '$7 != "UND" && $8 ~ /@@?LIBURING_/ {
		n = split($8, part, "@"); print part[n], part[1] }'
	readelf --version-info --wide "$1" | awk '/Name: LIBURING_/ { print $NF }'
}

# interposers and the word they announce themselves by belong to no node; another name of ours would be a mistake
unversioned() {
	readelf --dyn-syms --wide "$1" | awk '$7 ~ /^[0-9]+$/ && $8 !~ /@/ && $8 != "rd_local_interposed" &&
		$8 ~ /io_uring|ringd|^rd_/ { print $8 }'
}

soname() { readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p'; }

for name in liburing liburing-ffi; do
	lib=$built/$name.so.2
	[ -e "$lib" ] || { say "$lib is missing"; continue; }
	[ "$(soname "$lib")" = "$name.so.2" ] || say "$name: soname is $(soname "$lib")"
	awk -v lib="$name" '$1 == lib { print $2 ($3 ? " " $3 : "") }' "$facts" | sort -u >"$dir/want"
	exported "$lib" | sort -u >"$dir/have"
	[ "$(wc -l <"$dir/want")" -gt 80 ] || say "$name: the list of facts is short"
	diff "$dir/want" "$dir/have" >"$dir/diff" || { say "$name: wanted (<) and exported (>)"; cat "$dir/diff"; }
	stray=$(unversioned "$lib")
	[ -z "$stray" ] || say "$name: exported without a version: $stray"
	for theirs in /usr/lib/*/"$name.so.2" /lib/*/"$name.so.2" /usr/lib64/"$name.so.2"; do
		[ -e "$theirs" ] || continue
		exported "$theirs" | sort -u >"$dir/theirs"
		missing=$(comm -23 "$dir/theirs" "$dir/have")
		[ -s "$dir/theirs" ] || say "nothing found in $theirs"
		[ -z "$missing" ] || say "$name: in $theirs but not in ours: $missing"
	done
done
exit $failed
