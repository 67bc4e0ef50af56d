# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For tests that are scripts: a private ringd, a temporary directory, and checks that say what went wrong.
# Source it; then $tmp is there, and all that was started is stopped at the end.

set -u
: "${RINGD:?run me by make check}" "${RINGD_ENGINE:?}"

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-test.XXXXXX") || exit 99
ringd_pid=
failures=0

lib_cleanup()
{
	local status=$?
	stop_ringd
	# of a daemon that a sanitizer has ended, what it said
	[ "$status" -eq 0 ] && [ "$failures" -eq 0 ] ||
		sed -n '/Sanitizer\|runtime error:/,$p' "$tmp"/*.log 2>/dev/null | head -n 100 | sed 's/^/# /'
	chmod -R u+rwx "$tmp" 2>/dev/null
	rm -rf "$tmp"
	[ "$status" -eq 0 ] && [ "$failures" -gt 0 ] && exit 1
	exit "$status"
}
trap lib_cleanup EXIT
trap 'exit 99' INT TERM

# start_ringd [options of ringd]: returns when clients may connect; RINGD_SOCKET leads to it
start_ringd()
{
	rm -f "$tmp/ready"
	mkfifo "$tmp/ready"
	mkdir -p -m 700 "$tmp/rt"
	"$RINGD" --user --runtime-dir "$tmp/rt" --engine "$RINGD_ENGINE" --ready-fd 3 "$@" 3>"$tmp/ready" 2>>"$tmp/ringd.log" &
	ringd_pid=$!
	if ! read -r -t 300 _ <"$tmp/ready" && [ ! -S "$tmp/rt/ringd.sock" ]; then
		cat "$tmp/ringd.log"
		echo "Bail out: ringd does not start"
		exit 99
	fi
	export RINGD_SOCKET=$tmp/rt/ringd.sock
}

stop_ringd()
{
	[ -n "$ringd_pid" ] || return 0
	kill "$ringd_pid" 2>/dev/null
	wait "$ringd_pid" 2>/dev/null
	ringd_pid=
}

ok()
{
	echo "ok - $*"
}

fail()
{
	echo "not ok - $*"
	failures=$((failures + 1))
}

# check DESCRIPTION COMMAND...: the command must succeed
check()
{
	local what=$1
	shift
	if "$@" >"$tmp/check.out" 2>&1; then
		ok "$what"
	else
		fail "$what (status $?)"
		sed 's/^/# /' "$tmp/check.out" | head -n 30
	fi
}

# check_status N DESCRIPTION COMMAND...: the command must end with N; its output is in $tmp/check.out
check_status()
{
	local want=$1 what=$2 got
	shift 2
	"$@" >"$tmp/check.out" 2>&1
	got=$?
	if [ "$got" -eq "$want" ]; then
		ok "$what"
	else
		fail "$what (status $got, wanted $want)"
		sed 's/^/# /' "$tmp/check.out" | head -n 30
	fi
}

# said PATTERN: the last check's output holds it
said()
{
	if grep -q -e "$1" "$tmp/check.out"; then
		ok "... and says '$1'"
	else
		fail "... and says '$1'"
		sed 's/^/# /' "$tmp/check.out" | head -n 30
	fi
}

# Run this script again as somebody without privileges, with the words as arguments, if we are root. The programs must
# be readable for everybody; if they are not, say so and go on as root.
unprivileged()
{
	if [ "$(id -u)" -ne 0 ]; then
		"$BASH" "$0" "$@"
		return
	fi
	if ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$RINGD_ENGINE" -a -r "$0"; then
		echo "# the build directory is closed to other users: nothing is tried without privileges"
		return 0
	fi
	mkdir -p "$tmp/other"
	chmod 755 "$tmp"
	chown 65534:65534 "$tmp/other"
	TMPDIR=$tmp/other setpriv --reuid=65534 --regid=65534 --clear-groups "$BASH" "$0" "$@"
}
