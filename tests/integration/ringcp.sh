#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ringcp on trees with everything that file systems have, compared with diff, find and du; and what must fail.
dir=$(cd "$(dirname "$0")" && pwd)
. "$dir/lib.sh"
: "${RINGCP:?}" "${RINGCTL:?}"

umask 022

make_tree()	# where
{
	local t=$1 i
	mkdir -p "$t/dir/sub/empty" "$t/deep" "$t/many"
	: >"$t/zero"
	printf x >"$t/one"
	head -c 3000000 /dev/urandom >"$t/large"			# several buffers and a rest
	head -c 262144 /dev/urandom >"$t/one-buffer"
	head -c 262145 /dev/urandom >"$t/one-buffer-and-a-byte"
	truncate -s 20M "$t/sparse"
	printf data | dd of="$t/sparse" bs=1 seek=5000000 conv=notrunc status=none
	truncate -s 3M "$t/hole-only"
	head -c 100000 /dev/urandom >"$t/hole-at-end"; truncate -s 9M "$t/hole-at-end"
	for i in $(seq 300); do echo "file $i" >"$t/many/$i"; done
	echo odd >"$t/dir/new
line"
	echo odd >"$t/dir/ space and ' quote \" \\ backslash"
	echo odd >"$t/dir/-dash"
	echo odd >"$t/dir/$(printf '\377\376')"
	ln -s ../one "$t/dir/link"
	ln -s nowhere "$t/dir/dangling"
	ln -s /etc "$t/dir/dirlink"
	ln "$t/large" "$t/dir/large-again"
	ln "$t/large" "$t/dir/sub/large-third"
	ln "$t/zero" "$t/zero-again"
	ln "$t/dir/link" "$t/dir/link-again"
	mkfifo "$t/dir/fifo"
	i=$t/deep
	for _ in $(seq 40); do i=$i/level; mkdir "$i"; echo deep >"$i/file"; done
	chmod 4755 "$t/one"; chmod 2750 "$t/dir/-dash"; chmod 0000 "$t/dir/fifo"; chmod 1777 "$t/dir/sub"
	touch -d '2001-02-03 04:05:06.123456789' "$t/one" "$t/many/7" "$t/dir/sub/empty"
	touch -h -d '1999-09-09 09:09:09.987654321' "$t/dir/link"
	chmod 0555 "$t/many"
	touch -d '2002-02-02 02:02:02.5' "$t/many" "$t"
}

listing()	# everything that stat tells, but not access times and sizes of directories
{
	(cd "$1" && find . \( -type d -printf '%p %y %m %T@ %u %g\n' \) -o -printf '%p %y %m %T@ %s %n %u %g %l\n' | LC_ALL=C sort)
}

same_tree()
{
	diff -r --no-dereference --exclude=fifo --exclude=null "$1" "$2" && diff <(listing "$1") <(listing "$2")
}

same_inode()
{
	[ "$1" -ef "$2" ]
}

blocks()
{
	stat -c %b "$1"
}

# --- as anybody ---

copies()
{
	local t=$tmp/src
	make_tree "$t"
	check "a tree is copied and verified" "$RINGCP" --verify "$t" "$tmp/dst"
	check "diff and find see no difference" same_tree "$t" "$tmp/dst"
	check "hard links are links again" same_inode "$tmp/dst/large" "$tmp/dst/dir/sub/large-third"
	check "links of symlinks too" same_inode "$tmp/dst/dir/link" "$tmp/dst/dir/link-again"
	check "a sparse file stays sparse" test "$(blocks "$tmp/dst/sparse")" -le $(($(blocks "$t/sparse") + 16))
	check "a hole at the end stays one" test "$(blocks "$tmp/dst/hole-at-end")" -le $(($(blocks "$t/hole-at-end") + 16))
	check "all files are opened over the ring" bash -c "! '$RINGCP' -v --verify -T '$t' '$tmp/ring' | grep itself"
	check "into a directory that exists" "$RINGCP" "$t" "$tmp/dst/dir/sub"
	check "is below it" same_tree "$t" "$tmp/dst/dir/sub/src"
	chmod u+w "$tmp/dst/dir/sub/src/many"
	check "over what is there" "$RINGCP" --verify "$t/." "$tmp/dst/dir/sub/src"
	check "gives the same" same_tree "$t" "$tmp/dst/dir/sub/src"
	check "small buffers and few files" "$RINGCP" --qd=2 --files=1 --buffer=8K --verify "$t" "$tmp/small"
	check "give the same" same_tree "$t" "$tmp/small"
	check "a single buffer" "$RINGCP" --qd=1 --files=8 --verify -T "$t" "$tmp/single"
	check "gives the same" same_tree "$t" "$tmp/single"
	check "--fsync --preallocate" "$RINGCP" --fsync --preallocate --verify -T "$t" "$tmp/sync"
	check "give the same" same_tree "$t" "$tmp/sync"
	mkdir "$tmp/more"
	check "several sources" "$RINGCP" "$t/one" "$t/dir" "$t/large" "$tmp/more"
	check "are all there" cmp "$t/large" "$tmp/more/large"
	check "a file whose size is not known" "$RINGCP" --no-preserve=times /proc/self/mountinfo "$tmp/mounts"
	check "is read to its end" test -s "$tmp/mounts"
}

sparseness()
{
	check "--sparse=never fills holes" "$RINGCP" --sparse=never "$tmp/src/sparse" "$tmp/filled"
	check "with zeros" cmp "$tmp/src/sparse" "$tmp/filled"
	check "on the disk" test "$(blocks "$tmp/filled")" -ge 40000
	check "--sparse=always makes holes of zeros" "$RINGCP" --sparse=always --verify "$tmp/filled" "$tmp/holes"
	check "without changing the contents" cmp "$tmp/filled" "$tmp/holes"
	check "and frees the disk" test "$(blocks "$tmp/holes")" -le 1024
}

verification()
{
	rm -rf "$tmp/v"
	"$RINGCP" "$tmp/src" "$tmp/v"
	check "--verify-only finds a good copy good" "$RINGCP" --verify-only "$tmp/src" "$tmp/v"
	cp -p "$tmp/v/one-buffer" "$tmp/keep"
	printf '\0\1' | dd of="$tmp/v/one-buffer" bs=1 seek=200000 conv=notrunc status=none
	touch -r "$tmp/keep" "$tmp/v/one-buffer"
	check_status 1 "two changed bytes are found" "$RINGCP" --verify-only "$tmp/src" "$tmp/v"
	said "one-buffer: differs from its copy in contents"
	cp -p "$tmp/keep" "$tmp/v/one-buffer"
	printf z | dd of="$tmp/v/sparse" bs=1 seek=9000000 conv=notrunc status=none
	touch -r "$tmp/src/sparse" "$tmp/v/sparse"
	check_status 1 "a byte in a hole of the source is found" "$RINGCP" --verify-only "$tmp/src" "$tmp/v"
	said "sparse: differs from its copy in contents"
	"$RINGCP" "$tmp/src/sparse" "$tmp/v/sparse"
	chmod u-s "$tmp/v/one"
	check_status 1 "another mode is found" "$RINGCP" --verify-only "$tmp/src" "$tmp/v"
	said "v/one: differs in mode"
	chmod u+s "$tmp/v/one"
	ln -sf ../two "$tmp/v/dir/dangling"
	rm "$tmp/v/zero"
	printf more >>"$tmp/v/large"
	check_status 1 "other things are found, all of them" "$RINGCP" --verify-only "$tmp/src" "$tmp/v"
	said "dangling: "
	said "v/zero: is missing"
	said "v/large: differs in size"
}

refusals()
{
	local s=$tmp/r
	mkdir -p "$s/d/e"; echo a >"$s/a"; echo b >"$s/b"; mkfifo "$s/fifo"
	check_status 1 "a directory into itself" "$RINGCP" "$s/d" "$s/d"
	said "into itself"
	check_status 1 "a directory below itself" "$RINGCP" "$s/d" "$s/d/e/f"
	check "nothing was made there" test ! -e "$s/d/e/f"
	check_status 1 "a file onto itself" "$RINGCP" "$s/a" "$s/a"
	said "same file"
	check "leaves it alone" test "$(cat "$s/a")" = a
	ln "$s/a" "$s/a2"
	check_status 1 "a file onto its other name" "$RINGCP" "$s/a" "$s/a2"
	check_status 1 "a directory onto a file" "$RINGCP" -T "$s/d" "$s/a"
	check_status 1 "a file onto a directory" "$RINGCP" -T "$s/a" "$s/d"
	check_status 1 "a file onto a FIFO" "$RINGCP" "$s/a" "$s/fifo"
	check "leaves the FIFO" test -p "$s/fifo"
	check_status 1 "a file into /dev/null" "$RINGCP" "$s/a" /dev/null
	check "leaves /dev/null" test -c /dev/null
	check_status 1 "a missing source" "$RINGCP" "$s/missing" "$s/x"
	check_status 1 "two sources to a file" "$RINGCP" "$s/a" "$s/b" "$s/x"
	check_status 1 "a trailing slash without a directory" "$RINGCP" "$s/a" "$s/x/"
	check_status 2 "no arguments" "$RINGCP"
	check_status 2 "one argument" "$RINGCP" "$s/a"
	check_status 2 "a wrong number" "$RINGCP" --qd=0 "$s/a" "$s/x"
	check_status 1 "no ringd" "$RINGCP" --socket=/nonexistent "$s/a" "$s/x"
}

# A symlink that stands in the destination is replaced, never followed.
symlinks_in_the_way()
{
	local s=$tmp/w
	mkdir -p "$s/src/d" "$s/dst" "$s/outside"
	echo new >"$s/src/f"; echo new >"$s/src/d/g"; echo precious >"$s/outside/f"
	ln -s ../outside/f "$s/dst/f"
	ln -s ../outside "$s/dst/d"
	check_status 1 "a symlink where a directory should go" "$RINGCP" -T "$s/src" "$s/dst"
	check "what it points to is as before" test "$(cat "$s/outside/f")" = precious
	check "nothing came into the directory it points to" test ! -e "$s/outside/g"
	check "a symlink where a file goes is replaced" test ! -L "$s/dst/f" -a "$(cat "$s/dst/f")" = new
	check "no temporary names are left" test -z "$(find "$s" -name '.ringcp-*')"
	ln -s "$s/outside/f" "$s/named"
	check "a symlink that is named as DST is followed" "$RINGCP" "$s/src/f" "$s/named"
	check "to its file" test -L "$s/named" -a "$(cat "$s/outside/f")" = new
}

errors_of_single_files()
{
	local s=$tmp/e
	[ "$(id -u)" -ne 0 ] || return 0
	mkdir -p "$s/src/closed" "$s/src/open"
	echo secret >"$s/src/unreadable"; echo a >"$s/src/open/a"; echo b >"$s/src/z"
	chmod 000 "$s/src/unreadable" "$s/src/closed"
	check_status 1 "what cannot be read is told" "$RINGCP" "$s/src" "$s/dst"
	said "unreadable: cannot open for reading: Permission denied"
	said "closed: cannot open directory: Permission denied"
	check "the rest is there" test -e "$s/dst/open/a" -a -e "$s/dst/z"
	check "and nothing half done" test ! -e "$s/dst/unreadable"
	chmod 700 "$s/src/closed"
}

beyond_path_max()
{
	local s=$tmp/long i name=$(printf 'n%.0s' $(seq 200))
	mkdir -p "$s/src"
	(cd "$s/src" && for i in $(seq 30); do mkdir "$name" && cd "$name" && echo "$i" >file || exit 1; done)
	check "a tree deeper than PATH_MAX" "$RINGCP" --verify "$s/src" "$s/dst"
	check "is there to its last level" bash -c "cd '$s/dst' && for i in \$(seq 30); do cd $name || exit 1; done; [ \"\$(cat file)\" = 30 ]"
	find "$s" -depth -delete 2>/dev/null || rm -rf "$s"
}

# A copy that takes a while: 2 GiB of zeros in small pieces, one at a time.
slow_copy()	# where; sets pid
{
	mkdir -p "$1/src"
	truncate -s 2G "$1/src/big"
	"$RINGCP" --sparse=never --qd=1 --files=1 --buffer=8K "$1/src" "$1/dst" >"$tmp/slow.out" 2>&1 &
	pid=$!
	timeout 600 bash -c "until [ -s '$1/dst/big' ]; do :; done"
	check "a copy is under way" test -s "$1/dst/big"
}

interruption()
{
	local s=$tmp/i pid status
	slow_copy "$s"
	kill -TERM "$pid"
	wait "$pid"
	status=$?
	check "an interrupted copy ends by the signal" test "$status" -eq 143
	check "and leaves nothing half done" test ! -e "$s/dst/big" -a -d "$s/dst"
}

engine_dies()
{
	local s=$tmp/k pid status
	slow_copy "$s"
	kill -KILL "$("$RINGCTL" status --json | sed -n 's/^ *"pid": *\([0-9]*\),*$/\1/p')"
	wait "$pid"
	status=$?
	check "a copy whose engine dies fails" test "$status" -eq 1
	check "and says why" grep -q 'ringcp: ' "$tmp/slow.out"
	check "and leaves nothing half done" test ! -e "$s/dst/big"
}

# --- as root ---

privileged()
{
	local s=$tmp/p
	mkdir -p "$s/src"
	echo a >"$s/src/a"; chown 1234:2345 "$s/src/a"; chmod 6755 "$s/src/a"
	ln -s x "$s/src/l"; chown -h 77:88 "$s/src/l"
	mknod "$s/src/null" c 1 3 2>/dev/null
	chown 5:6 "$s/src"; chmod 3775 "$s/src"
	check "root keeps owners, set-id bits and devices" "$RINGCP" --verify "$s/src" "$s/dst"
	check "as find shows" same_tree "$s/src" "$s/dst"
	check "in a directory that others may write to" "$RINGCP" --verify "$s/src/a" /tmp/"ringcp.$$"
	check "the owner is right too" test "$(stat -c '%u:%g:%a' "/tmp/ringcp.$$")" = 1234:2345:6755
	rm -f "/tmp/ringcp.$$"
}

xattrs()
{
	local s=$tmp/x
	mkdir -p "$s/src"
	echo a >"$s/src/a"
	if ! setfattr -n user.colour -v blue "$s/src/a" 2>/dev/null; then
		echo "# no setfattr or no xattrs here"
		return
	fi
	check "-X copies extended attributes" "$RINGCP" -X --verify "$s/src" "$s/dst"
	check "with their values" test "$(getfattr --absolute-names --only-values -n user.colour "$s/dst/a")" = blue
	setfattr -n user.colour -v red "$s/dst/a"
	check_status 1 "and compares them" "$RINGCP" -X --verify-only "$s/src" "$s/dst"
	said "extended attributes"
}

all()
{
	start_ringd
	copies
	sparseness
	verification
	refusals
	symlinks_in_the_way
	errors_of_single_files
	beyond_path_max
	xattrs
	interruption
	engine_dies
}

case ${1:-} in
inner)
	all ;;
*)
	if [ "$(id -u)" -eq 0 ]; then
		unprivileged inner || fail "without privileges"
		start_ringd
		privileged
		copies
	else
		all
	fi ;;
esac
