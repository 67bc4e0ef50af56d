#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What "make install" puts down is complete and usable: headers, pkg-config file, library with exactly the symbols of
# its map, programs.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$*" >&2; exit 1; }

# The flags of the make that runs the tests (its job server among them) are not for this one.
mk() { env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s --no-print-directory -C "$abs_top_builddir" "$@"; }
mk install DESTDIR="$dir" > "$dir/log" 2>&1 || {
	cat "$dir/log"
	fail "make install failed"
}
# shellcheck disable=SC2016  # for make
read -r include lib sbin bin engine man < <(mk --eval='where:; @echo $(includedir) $(libdir) $(sbindir) $(bindir) \
	$(pkglibexecdir) $(mandir)' where)
for file in "$include/ringd.h" "$include/ringd/abi.h" "$include/ringd/wire.h" "$lib/pkgconfig/libringd.pc" \
	"$lib/libringd.so" "$sbin/ringd" "$engine/ringd-engine" "$bin/ringctl" "$bin/ringcp" "$bin/ringbench" \
	"$man"/man8/ringd{,-engine}.8 "$man"/man1/ring{ctl,cp,bench}.1 "$man/man7/ringd-protocol.7"; do
	[ -e "$dir$file" ] || fail "$file is not installed"
done
for page in "$abs_top_srcdir"/man/*.[1-9]; do
	[ -e "$dir$man/man${page##*.}/${page##*/}" ] || fail "$page is not installed"
done

# Everything in the map exists, and nothing else is exported.
sed -n 's/^\t\(ringd_[a-z0-9_]*\);$/\1/p' "$abs_top_srcdir/client-lib/libringd.map" | sort > "$dir/map"
nm -D --defined-only "$dir$lib/libringd.so" | awk '$2 != "A" { sub("@.*", "", $3); print $3 }' |
	grep -v -e '^__asan' -e '^__odr_asan' -e '^__sancov' | sort > "$dir/symbols" || :
diff "$dir/map" "$dir/symbols" || fail "the symbols of libringd are not those of its map"

# A program outside the tree, built the way its author would.
cat > "$dir/user.c" <<'END'
#include <ringd.h>
#include <stdio.h>

int main(void)
{
	struct ringd *rd;
	int r = ringd_connect(&rd, "/nonexistent/ringd.sock");

	printf("%d %s\n", r, ringd_strerror(NULL));
	return rd != NULL;
}
END
export PKG_CONFIG_SYSROOT_DIR=$dir PKG_CONFIG_PATH=$dir$lib/pkgconfig
# shellcheck disable=SC2046  # flags, to be split
${CC:-cc} ${RINGD_SANITIZERS:+-fsanitize=$RINGD_SANITIZERS} -Wall -Werror "$dir/user.c" -o "$dir/user" \
	$(pkg-config --cflags --libs libringd)
said=$(LD_LIBRARY_PATH=$dir$lib "$dir/user")
[ "${said%% *}" = -2 ] || fail "connecting to a socket that is not there: $said"
for program in "$sbin/ringd" "$engine/ringd-engine" "$bin/ringctl" "$bin/ringcp" "$bin/ringbench"; do
	LD_LIBRARY_PATH=$dir$lib "$dir$program" --version > "$dir/version" || fail "$program --version failed"
	grep -q 0.1.0 "$dir/version" || fail "$program --version says $(cat "$dir/version")"
done

# What existing programs are given stays together wherever it is moved to.
mkdir "$dir/moved"
cp -P "$dir$lib"/ringd/lib* "$dir/moved"
for library in "$dir"/moved/{liburing.so.2,liburing-ffi.so.2,libringd-trap.so}; do
	[ -e "$library" ] || continue
	ldd "$library" > "$dir/needs"
	grep -q "=> $dir/moved/libringd-local.so.0" "$dir/needs" || fail "$library: $(cat "$dir/needs")"
	case $(readelf -d "$library" | sed -n 's/.*R.*PATH.*\[\(.*\)\]/\1/p') in
	"\$ORIGIN:$lib/ringd") ;;
	*) fail "$library looks for its sibling elsewhere: $(readelf -d "$library")" ;;
	esac
done
