#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A program that was compiled and linked with the distribution's liburing runs with ours instead, unchanged: the search path
# for libraries is all that differs.
set -u
program=$abs_top_builddir/tests/compat/uring-program
path=$abs_top_builddir/client-lib/compat/.libs:$abs_top_builddir/.libs

case ${RINGD_SANITIZERS:-} in
*thread*) echo "dropin: our functions before libc's are not for ThreadSanitizer"; exit 77 ;;
esac
loaded=$(LD_LIBRARY_PATH=$path LD_TRACE_LOADED_OBJECTS=1 "$program" | grep -F 'liburing.so.2')
case $loaded in
*"$abs_top_builddir/client-lib/compat/"*) ;;
*) echo "dropin: not ours: $loaded"; exit 1 ;;
esac
LD_LIBRARY_PATH=$path timeout -k 10 600 "$program" >"$program.out" 2>&1
status=$?
grep -v '^ok' "$program.out"
[ $status = 0 ] && ! grep -q '^not ok' "$program.out" || exit 1

# valgrind is no kernel: there is no second view of memory by mremap(), and what it does not know it tells
[ -z "${RINGD_SANITIZERS-}" ] && command -v valgrind >/dev/null && [ -e "$abs_top_builddir/tests/compat/uringapp" ] || exit 0
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-dropin.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
head -c 300001 /dev/urandom >"$dir/a"
timeout -k 10 600 env LD_LIBRARY_PATH="$path" valgrind -q --error-exitcode=99 \
	"$abs_top_builddir/tests/compat/uringapp" cp "$dir/a" "$dir/b" >"$dir/out" 2>&1
status=$?
cat "$dir/out"
[ $status = 0 ] && cmp "$dir/a" "$dir/b" && ! grep -q '^[-=][-=][0-9]' "$dir/out"
