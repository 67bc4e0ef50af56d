#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ringd-run with real programs: which door it opens, what it refuses and how it says so, and what a report tells. The doors
# are libraries with nothing in them, but for the reports.
set -u
: "${abs_top_builddir:?run me by make check}"
: "${CC:=cc}"
run=$abs_top_builddir/ringd-run/ringd-run
confine=$abs_top_builddir/tests/compat/confine
failures=0

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-run.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' INT TERM
chmod 755 "$tmp"
cd "$tmp" || exit 99
unset LD_PRELOAD LD_LIBRARY_PATH RINGD_REPORT RINGD_BACKEND

ok() { echo "ok - $*"; }
fail() { echo "not ok - $*"; failures=$((failures + 1)); }

# compile ARGUMENT...: without it there is no test
compile()
{
	# shellcheck disable=SC2086  # a compiler with its options
	$CC -O1 -w "$@" || { echo "cannot compile: $*"; exit 99; }
}

# compile_too ARGUMENT...: without it there is less of a test
compile_too()
{
	# shellcheck disable=SC2086
	$CC -O1 -w "$@" 2>/dev/null
}

# expect WHAT STATUS OUTPUT COMMAND...: OUTPUT is a pattern for standard output and error together
expect()
{
	local what=$1 status=$2 want=$3 got r
	shift 3
	got=$(timeout -k 10 300 "$@" 2>&1)
	r=$?
	# shellcheck disable=SC2053  # a pattern
	if [ "$r" -eq "$status" ] && [[ $got == $want ]]; then
		ok "$what"
	else
		fail "$what"
		printf '#   status %s, not %s; said:\n' "$r" "$status"
		printf '%s\n#   not:\n%s\n' "$got" "$want" | sed 's/^/#   /'
	fi
}

# --- programs and empty doors ---

mkdir lib system
cat >show.c <<'PROGRAM'
#include <stdio.h>
#include <stdlib.h>
static const char *of(const char *name) { const char *v = getenv(name); return v ? v : "-"; }
int main(int argc, char **argv)
{
	printf("path %s preload %s ", of("LD_LIBRARY_PATH"), of("LD_PRELOAD"));
	printf("backend %s report %s\n", of("RINGD_BACKEND"), of("RINGD_REPORT"));
	return argc > 1 ? atoi(argv[1]) : 0;
}
PROGRAM
echo 'int none; int io_uring_none(void) { return 0; }' >empty.c
echo 'int io_uring_none(void); int wrapped(void) { return io_uring_none(); }' >wrap.c
sed 's/{$/{ (void)io_uring_none();/; s/^int main/int io_uring_none(void);\n&/' show.c |
	awk '/^int main/ { m = 1 } m && /^{/ { print "{ (void)io_uring_none();"; next } { print }' >linked.c
sed 's/io_uring_none/wrapped/' linked.c >indirect.c
for name in libringd-local.so.0 liburing.so.2 liburing-ffi.so.2 libringd-trap.so; do
	compile -shared -fPIC -Wl,-soname,$name -o lib/$name empty.c
done
compile -shared -fPIC -Wl,-soname,liburing.so.2 -o system/liburing.so.2 empty.c
compile -shared -fPIC -o system/other.so empty.c
compile -shared -fPIC -Wl,-soname,libwrap.so -o system/libwrap.so wrap.c system/liburing.so.2 -Wl,-rpath,"$tmp/system"
compile -o dynamic show.c
compile -static -o static show.c
compile -o linked linked.c system/liburing.so.2 -Wl,--enable-new-dtags,-rpath,"$tmp/system"
compile -o indirect indirect.c system/libwrap.so -Wl,-rpath-link,"$tmp/system",--enable-new-dtags,-rpath,"$tmp/system"
compile -o rpath linked.c system/liburing.so.2 -Wl,--disable-new-dtags,-rpath,"$tmp/system"
compile -o origin linked.c system/liburing.so.2 -Wl,--disable-new-dtags,-rpath,'$ORIGIN/system'
ln -s ../origin lib/link
compile -o other-libc show.c -Wl,--dynamic-linker=/lib/ld-another.so.1
cp dynamic foreign
printf '\001' | dd of=foreign bs=1 seek=4 conv=notrunc 2>/dev/null	# 32 bits, says its header
printf '#!%s/dynamic\n' "$tmp" >script
printf '#!%s/script\n' "$tmp" >script-of-script
printf '#!%s/static\n' "$tmp" >script-static
printf 'exec %s/dynamic\n' "$tmp" >no-interpreter
chmod +x script script-of-script script-static no-interpreter
echo text >text
export RINGD_LIBDIR=$tmp/lib
trap_so=$tmp/lib/libringd-trap.so

# --- doors ---

both="path $tmp/lib preload $trap_so backend - report -"
expect "a program without liburing: the trap" 0 "$both" "$run" ./dynamic
expect "the program's status and arguments" 7 "$both" "$run" -- ./dynamic 7
expect "linked with liburing: the library, no trap" 0 "path $tmp/lib preload - backend - report -" "$run" ./linked
expect "linked through another library" 0 "path $tmp/lib preload - backend - report -" "$run" ./indirect
expect "DT_RPATH: liburing is preloaded" 0 "path $tmp/lib preload $tmp/lib/liburing.so.2 backend - report -" "$run" ./rpath
expect "DT_RPATH beside the program, by a link from elsewhere" 0 "path $tmp/lib preload $tmp/lib/liburing.so.2 *" "$run" lib/link
expect "--door=library" 0 "path $tmp/lib preload - backend - report -" "$run" --door=library ./dynamic
expect "--door=trap" 0 "path - preload $trap_so backend - report -" "$run" --door=trap ./linked
expect "--backend=uring" 0 "path $tmp/lib preload $trap_so backend uring report -" "$run" --backend=uring ./dynamic
expect "--backend=sync" 0 "path $tmp/lib preload $trap_so backend sync report -" "$run" --backend=sync ./dynamic
expect "--backend=kernel: as it is" 0 "path - preload - backend - report -" "$run" --backend=kernel ./static
expect "a script" 0 "$both" "$run" ./script
expect "a script of a script" 0 "$both" "$run" ./script-of-script
expect "a script without #!" 0 "$both" "$run" ./no-interpreter
expect "found in PATH" 0 "$both" env PATH="$tmp/system:$tmp:$PATH" "$run" dynamic
expect "what the variables have stays" 0 "path $tmp/lib:$tmp/system preload $tmp/system/other.so:$trap_so backend - report -" \
	env LD_LIBRARY_PATH="$tmp/system" LD_PRELOAD="$tmp/system/other.so" "$run" ./dynamic
expect "an empty variable is no current directory" 0 "$both" env LD_LIBRARY_PATH= LD_PRELOAD= "$run" ./dynamic
expect "in itself: nothing twice" 0 "$both" "$run" "$run" ./dynamic
expect "--report=FILE is an absolute path" 0 "path $tmp/lib preload $trap_so backend - report $tmp/r" \
	"$run" --report=r ./dynamic
expect "--report names standard error" 0 "* report 2:[0-9]*:[0-9]*" "$run" --report ./dynamic

# --- refusals ---

expect "static" 126 "ringd-run: ./static is statically linked*" "$run" ./static
expect "a script for a static interpreter" 126 "ringd-run: $tmp/static is statically linked*" "$run" ./script-static
expect "another word size" 126 "ringd-run: ./foreign is made for another machine*" "$run" ./foreign
expect "another libc" 126 "ringd-run: ./other-libc has another dynamic loader (/lib/ld-another.so.1)*" "$run" ./other-libc
expect "not found" 127 "ringd-run: ./nothing: No such file or directory" "$run" ./nothing
expect "not found in PATH" 127 "ringd-run: ringd-no-such: No such file or directory" "$run" ringd-no-such
expect "an empty name" 127 "ringd-run: : No such file or directory" "$run" ""
expect "not executable" 126 "ringd-run: ./text: Permission denied" "$run" ./text
expect "a folder" 126 "ringd-run: ./lib: Permission denied" "$run" ./lib
expect "no program" 125 "*PROGRAM is needed*" "$run" --report
expect "unknown option" 125 "*unrecognized option*" "$run" --no-such ./dynamic
expect "unknown door" 125 "*--door: 'window' is not known*" "$run" --door=window ./dynamic
expect "no libraries" 125 "ringd-run: there are no libraries of ringd in $tmp/system" \
	env RINGD_LIBDIR="$tmp/system" "$run" ./dynamic
expect "a report that cannot be written" 125 "ringd-run: /nonexistent/r: No such file or directory" \
	"$run" --report=/nonexistent/r ./dynamic

may_set_id()
{
	[ "$(id -u)" = 0 ] && ! grep -q '^NoNewPrivs:[[:space:]]*1' /proc/self/status &&
		! findmnt -no OPTIONS -T "$tmp" | grep -qw nosuid
}
if may_set_id && cp dynamic set-uid && chown 1 set-uid && chmod 4755 set-uid && cp dynamic set-gid && chgrp 1 set-gid &&
   chmod 2755 set-gid; then
	expect "set-user-ID" 126 "ringd-run: ./set-uid is set-user-ID*" "$run" ./set-uid
	expect "set-group-ID" 126 "ringd-run: ./set-gid is set-group-ID*" "$run" ./set-gid
	expect "set-user-ID without effect (no_new_privs)" 0 "$both" setpriv --no-new-privs "$run" ./set-uid
	cp dynamic own && chmod 4755 own
	expect "set-user-ID of the caller himself" 0 "$both" "$run" ./own
	cp "$run" set-id-run && chown 1 set-id-run && chmod 4755 set-id-run
	[ -n "${RINGD_SANITIZERS-}" ] ||
		expect "ringd-run itself set-user-ID" 125 "*must not be set-id" ./set-id-run ./dynamic
else
	echo "# not as root, or set-id has no effect here: not tested"
fi
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if [ -z "${RINGD_SANITIZERS-}" ] && may_set_id && "${nobody[@]}" true 2>/dev/null && command -v setcap >/dev/null &&
   cp dynamic capable && setcap cap_net_raw+ep capable 2>/dev/null; then
	cp "$run" "$tmp/copy-of-run"
	expect "file capabilities" 126 "ringd-run: ./capable has file capabilities*" \
		"${nobody[@]}" "$tmp/copy-of-run" ./capable
	expect "file capabilities are nothing new to root" 0 "$both" "$run" ./capable
fi

if [ -z "${RINGD_SANITIZERS-}" ] && compile_too -fsanitize=address -o with-asan show.c && ./with-asan >/dev/null 2>&1; then
	expect "AddressSanitizer, its library behind ours" 0 "$both" "$run" ./with-asan
	expect "what ASAN_OPTIONS has stays" 3 "$both" env ASAN_OPTIONS=exitcode=9 "$run" ./with-asan 3
fi

# --- moved as a whole ---

bindir= libdir=
settings=$(echo 'prefix=@prefix@ exec_prefix=@exec_prefix@ bindir=@bindir@ libdir=@libdir@' |
	(cd "$abs_top_builddir" && ./config.status --file=- 2>/dev/null))
eval "$settings"
mkdir -p "moved$bindir" "moved$libdir/ringd" beside
cp "$run" "moved$bindir/" && cp lib/* "moved$libdir/ringd/"
cp "$run" lib/* beside/
expect "where it is installed relative to its libraries" 0 "path $tmp/moved$libdir/ringd preload $tmp/moved$libdir/ringd/*" \
	env -u RINGD_LIBDIR "moved$bindir/ringd-run" ./dynamic
expect "beside its libraries" 0 "path $tmp/beside preload $tmp/beside/*" env -u RINGD_LIBDIR beside/ringd-run ./dynamic

# --- --check ---

expect "--check: a door, and the kernel's answer" 0 \
	"io_uring of the kernel: *program: ./dynamic*liburing: not linked*door: trap: it is not linked*" \
	"$run" --check ./dynamic
expect "--check: the library" 0 "*liburing: linked, would be $tmp/lib/liburing.so.2*door: library: it is linked*" \
	"$run" --check ./linked
expect "--check: a script" 0 "*program: ./script, which is executed by $tmp/dynamic*door: trap*" "$run" --check ./script
expect "--check: no door" 126 "*door: none: ./static is statically linked*" "$run" --check ./static
expect "--check: no program" 127 "*program: ./nothing: No such file*" "$run" --check ./nothing
expect "--check alone" 0 "io_uring of the kernel: *libraries of ringd: $tmp/lib*" "$run" --check
expect "--check executes nothing" 1 0 sh -c "'$run' --check ./dynamic | grep -c '^path '"
if "$confine" -- true 2>confine.err; then
	expect "--check: EPERM by seccomp" 0 "io_uring of the kernel: refused (EPERM) by seccomp*door: trap*" \
		"$confine" -- "$run" --check ./dynamic
	expect "--check: ENOSYS by seccomp" 0 "io_uring of the kernel: refused (ENOSYS) by seccomp*door: library*" \
		"$confine" --errno=ENOSYS -- "$run" --check ./linked
	expect "runs under seccomp" 0 "$both" "$confine" -- "$run" ./dynamic
else
	echo "# cannot confine here: $(cat confine.err)"
fi

[ "$failures" -eq 0 ]
