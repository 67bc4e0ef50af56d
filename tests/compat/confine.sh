#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The place in which programs are tested is what it is said to be, whoever makes it: root or somebody ordinary. And there, in a
# user namespace of one user, both doors open.
set -u
: "${abs_top_builddir:?run me by make check}"
[ -z "${RINGD_SANITIZERS-}" ] || { echo "SKIP: a program that is not ours cannot load libraries with sanitizers"; exit 77; }
failures=0
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-confine.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT
trap 'exit 99' INT TERM
# Not everybody may look into the build tree. Not a sticky folder: in those a pipe is refused to others.
umask 022
chmod 755 "$tmp"
mkdir -m 777 "$tmp/work" && cd "$tmp/work" || exit 99
cp "$abs_top_builddir"/tests/compat/{confine,uringapp} "$tmp/" || exit 99
for name in libringd-local.so.0 libringd-trap.so liburing.so.2; do
	for from in "$abs_top_builddir/.libs" "$abs_top_builddir/client-lib/compat/.libs"; do
		[ -e "$from/$name" ] && cp -L "$from/$name" "$tmp/" && break
	done || { echo "$name is not built"; exit 99; }
done
unset LD_PRELOAD LD_LIBRARY_PATH RINGD_REPORT RINGD_BACKEND

ok() { echo "ok - $who: $*"; }
fail()
{
	echo "not ok - $who: $*"
	failures=$((failures + 1))
	sed 's/^/#   /' "$tmp/work/"*.said 2>/dev/null
}
check()		# check WHAT COMMAND...
{
	local what=$1
	shift
	if "$@"; then ok "$what"; else fail "$what"; fi
}

# confine ARGUMENT...: as whoever is meant
confine() { timeout -k 10 300 "${as[@]}" "$tmp/confine" "$@"; }
ends_with()	# ends_with STATUS ARGUMENT...
{
	local status=$1
	shift
	confine "$@" >ends.said 2>&1
	[ $? -eq "$status" ]
}
says()		# says PATTERN ARGUMENT...
{
	local pattern=$1
	shift
	confine "$@" >says.said 2>&1
	grep -qE -- "$pattern" says.said
}

filter()	# filter OPTION...
{
	check "$*${1:+: }what a program ends with is handed on" ends_with 7 "$@" -- sh -c 'exit 7'
	check "$*${1:+: }a signal too" ends_with 143 "$@" -- sh -c 'kill -TERM $$'
	check "$*${1:+: }no such program" ends_with 127 "$@" -- ./nothing
	check "$*${1:+: }not a program" ends_with 126 "$@" -- /proc/version
	check "$*${1:+: }no new privileges" says 'NoNewPrivs:.1' "$@" -- cat /proc/self/status
	check "$*${1:+: }a filter" says 'Seccomp:.2' "$@" -- cat /proc/self/status
	check "$*${1:+: }io_uring is EPERM" says 'ring: Operation not permitted' "$@" -- "$tmp/uringapp" buffers
	check "$*${1:+: }or ENOSYS" says 'ring: Function not implemented' "$@" --errno=ENOSYS -- "$tmp/uringapp" buffers
	check "$*${1:+: }no further namespaces" says 'Operation not permitted' "$@" -- unshare --user true
}

# Everything inside holds a pipe open for writing: its reader sees the end when nothing is left.
killed()
{
	local pid
	rm -f held && mkfifo -m 666 held || return 1
	"${as[@]}" "$tmp/confine" --namespaces -- sh -c 'exec >held; sleep 100000 & sleep 100000 & echo started; wait' \
		>killed.said 2>&1 &
	pid=$!
	exec 8< <(timeout 300 cat held && echo ended)
	read -r -u 8
	kill -9 "$pid"
	wait "$pid" 2>/dev/null
	[ "$REPLY" = started ] && grep -q ended <&8
}

spaces()
{
	local map=$1
	filter --namespaces
	check "root inside" says '^0$' --namespaces -- id -u
	check "who that is outside" says "$map" --namespaces -- cat /proc/self/uid_map
	check "processes of its own" says '^2$' --namespaces -- sh -c 'echo $$'
	check "a network of its own" says '^net:' --namespaces -- readlink /proc/self/ns/net
	check "not the one outside" [ "$(cat says.said)" != "$(readlink /proc/self/ns/net)" ]
	check "no rights that a container has not" says '^CapBnd:.00000000a80425fb' --namespaces -- cat /proc/self/status
	check "killed, it leaves nothing" killed
	check "the library's door" says '^echoed 50 rounds' --namespaces -- env LD_LIBRARY_PATH="$tmp" "$tmp/uringapp" echo 2 5
	check "the trap's door" says '^echoed 50 rounds' --namespaces -- env LD_PRELOAD="$tmp/libringd-trap.so" "$tmp/uringapp" \
		echo 2 5
}

whoever()	# whoever NAME MAP COMMAND...
{
	who=$1
	as=("${@:3}")
	filter
	if confine --namespaces -- true 2>spaces.said; then
		spaces "$2"
	else
		echo "# $who: no namespaces here: $(cat spaces.said)"
	fi
	rm -rf "$tmp/work/"*
}

if [ "$(id -u)" -eq 0 ]; then
	whoever root '^ *0 +0 +65536$' env
	nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
	if "${nobody[@]}" "$tmp/uringapp" 2>nobody.said; [ $? -eq 2 ]; then
		whoever "somebody ordinary" '^ *0 +65534 +1$' "${nobody[@]}"
	else
		echo "# we cannot be somebody ordinary here: $(cat nobody.said)"
	fi
else
	whoever "somebody ordinary" "^ *0 +$(id -u) +1$" env
fi
exit $((failures > 0))
