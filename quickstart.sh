#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ./quickstart.sh: see ringd work. Installs the packages (root or sudo), builds in ./build ($RINGD_BUILD), starts a
# private ringd for this user, copies a real tree through it and compares, shows its status, measures it against the
# kernel's io_uring, stops it. Leaves nothing behind but the build. Exit 0: everything worked.
set -eu
cd "$(dirname "$0")"
. .ci/functions.sh

install_packages $build_packages
build_in "$build"

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-quickstart.XXXXXX")
ringd_pid=
cleanup() {
	trap - EXIT
	if [ -n "$ringd_pid" ] && kill "$ringd_pid" 2> /dev/null; then
		wait "$ringd_pid" || :
	fi
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say "starting ringd --user in $tmp/run"
mkfifo "$tmp/ready"
"$build/daemon/manager/ringd" --user --runtime-dir "$tmp/run" --engine "$build/daemon/engine/ringd-engine" \
	--ready-fd 9 9> "$tmp/ready" &
ringd_pid=$!
# A newline when clients may connect; end of file when it died before.
read -r -t 60 < "$tmp/ready" || die "ringd did not start"
export RINGD_SOCKET="$tmp/run/ringd.sock"
echo "ringd is process $ringd_pid"

copy() {
	local from=$1 to=$2
	say "ringcp --verify $from $to"
	"$build/tools/ringcp" --verify "$from" "$to"
	# and by somebody else's eyes
	diff -r --no-dereference "$from" "$to" || die "the copy of $from differs"
	echo "$(find "$to" | wc -l) files and directories, $(du -sh "$to" | cut -f1): identical"
}

mkdir "$tmp/source"
tar -c --exclude=./build --exclude='./build-*' --exclude=./.git . | tar -x -C "$tmp/source"
copy "$tmp/source" "$tmp/source-copy"
copy /usr/include "$tmp/include-copy"

say "ringctl status"
"$build/ringctl/ringctl" status

say "ringbench: nop, 32 requests in flight, SQPOLL"
targets=ringd
if "$build/bench/ringbench" --target=kernel --op=nop --seconds=0.1 > /dev/null 2>&1; then
	targets="ringd kernel"
else
	echo "(this machine refuses the kernel's io_uring, so ringd runs alone)"
fi
for target in $targets; do
	"$build/bench/ringbench" --target="$target" --op=nop --qd=32 --sqpoll --seconds=1
done
say "ringbench: cached 4 KiB reads, 32 in flight, SQPOLL"
for target in $targets; do
	"$build/bench/ringbench" --target="$target" --op=read --qd=32 --bs=4096 --sqpoll --fixed --seconds=1
done

say "stopping ringd"
kill "$ringd_pid"
status=0
wait "$ringd_pid" || status=$?
ringd_pid=
[ "$status" = 0 ] || die "ringd ended with status $status"
[ ! -e "$RINGD_SOCKET" ] || die "ringd left its socket behind"
say "everything worked"
