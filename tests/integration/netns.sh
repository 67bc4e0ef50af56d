#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two tenants in network namespaces of their own, with a wire between them that delays, loses and is cut: each one's engine has its
# sockets there and nowhere else.
if [ "$(id -u)" -ne 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi
dir=$(cd "$(dirname "$0")" && pwd)
. "$dir/lib.sh"
: "${abs_top_builddir:?}"
A=61001 B=61002
WIRE=rdwire

unshare -n true 2>/dev/null || { echo "SKIP: needs network namespaces"; exit 77; }
command -v ip >/dev/null || { echo "SKIP: needs iproute2"; exit 77; }
[ -c /dev/net/tun ] || { echo "SKIP: needs /dev/net/tun"; exit 77; }

# A namespace lives as long as a process in it: one that reads a pipe whose other end this script has, and nobody else. So
# it goes with the script, however that ends.
jobs=
cleanup()
{
	exec 8>&- 9>&-
	# shellcheck disable=SC2086  # a list
	[ -z "$jobs" ] || kill $jobs 2>/dev/null
	wait
}
trap 'status=$?; stop_ringd; cleanup; (exit $status); lib_cleanup' EXIT

mkfifo "$tmp/hold" "$tmp/commands" "$tmp/replies"
namespace()		# namespace NAME: NAME is the pid of its holder
{
	mkfifo "$tmp/ns-$1"
	unshare -n sh -c 'echo $$ >"$1"; exec cat <"$2"' sh "$tmp/ns-$1" "$tmp/hold" 8>&- &
	read -r "$1" <"$tmp/ns-$1"
}
exec 8<>"$tmp/hold"
namespace one
namespace two
namespace empty
jobs="$one $two $empty"

# programs that other users can read, wherever the build tree is
chmod 755 "$tmp"
mkdir -m 755 "$tmp/bin" "$tmp/rt"
bin=$abs_top_builddir/tests/integration
if [ -x "$bin/.libs/netpeer" ]; then
	cp "$bin/.libs/netpeer" "$tmp/bin/"
	cp -d "$abs_top_builddir"/.libs/libringd.so* "$tmp/bin/"
else
	cp "$bin/netpeer" "$tmp/bin/"
fi

# peer NAMESPACE UID COMMAND...: netpeer there, as that user
peer()
{
	local ns=$1 uid=$2
	shift 2
	nsenter -t "$ns" -n setpriv --reuid="$uid" --regid="$uid" --clear-groups \
		env LD_LIBRARY_PATH="$tmp/bin" timeout -k 5 500 "$tmp/bin/netpeer" "$@" 8>&- 9>&-
}

link()		# link NAMESPACE up|down
{
	nsenter -t "$1" -n ip link set $WIRE "$2"
}

# --- the wire: 4 ms each way, 1 % lost ---
"$bin/netdelay" $WIRE "/proc/$one/ns/net" "/proc/$two/ns/net" 4000 10 1 <"$tmp/commands" >"$tmp/replies" 2>&1 8>&- &
exec 9>"$tmp/commands" 7<"$tmp/replies"
tell()		# tell WORDS: obeyed when it returns
{
	echo "$1" >&9
	read -r -t 20 reply <&7 && [ "$reply" = "$1" ]
}
if ! read -r -t 20 reply <&7 || [ "$reply" != ready ]; then
	echo "SKIP: no wire: ${reply-}"
	exit 77
fi
nsenter -t "$one" -n ip addr add 10.77.0.1/24 dev $WIRE
nsenter -t "$two" -n ip addr add 10.77.0.2/24 dev $WIRE
for ns in "$one" "$two"; do
	nsenter -t "$ns" -n ip link set lo up
	link "$ns" up
done

rm -f "$tmp/ready"
mkfifo "$tmp/ready"
"$RINGD" --runtime-dir "$tmp/rt" --engine "$RINGD_ENGINE" --ready-fd 3 3>"$tmp/ready" 2>>"$tmp/ringd.log" 7<&- 8>&- 9>&- &
ringd_pid=$!
read -r -t 60 _ <"$tmp/ready" || [ -S "$tmp/rt/ringd.sock" ] || { cat "$tmp/ringd.log"; exit 99; }
export RINGD_SOCKET=$tmp/rt/ringd.sock

# start NAME COMMAND...: in the background, its output in a pipe that is open as $NAME_fd
declare -A out pid
start()
{
	local name=$1 fd
	shift
	rm -f "$tmp/$name"
	mkfifo "$tmp/$name"
	"$@" >"$tmp/$name" 2>"$tmp/$name.err" &
	pid[$name]=$!
	exec {fd}<"$tmp/$name"
	out[$name]=$fd
}

# says NAME WORDS: it will say exactly this next
says()
{
	local line
	read -r -t 40 line <&"${out[$1]}" && [ "$line" = "$2" ]
}

ends_well()		# ends_well NAME WORDS...: its last line, status 0
{
	local name=$1 fd=${out[$1]}
	if says "$1" "$2" && wait "${pid[$1]}"; then
		exec {fd}<&-
		return 0
	fi
	cat "$tmp/$name.err"
	return 1
}

# --- a stream both ways at once ---
bytes=2000003
start server peer "$two" $B serve 10.77.0.2 7001 $bytes
check "the server listens" says server ready
start client peer "$one" $A call 10.77.0.2 7001 $bytes
check "half of the stream has come" says client half
tell cut || fail "the wire is cut"
check_status 1 "a connect into the partition times out" peer "$one" $A try 10.77.0.2 7001 400
said "connect Operation canceled, timeout Timer expired"
check_status 1 "and can be cancelled" peer "$one" $A cancel 10.77.0.2 7001 100
said "connect Operation canceled, cancel Success"
tell heal || fail "the wire is whole again"
check "the server's half" says server half
check "every byte got to the client" ends_well client "exchanged $bytes bytes"
check "every byte got to the server" ends_well server "exchanged $bytes bytes"

# --- the same, with a device that goes down ---
start server peer "$two" $B serve 10.77.0.2 7002 $bytes
check "the server listens" says server ready
start client peer "$one" $A call 10.77.0.2 7002 $bytes
check "half of the stream has come" says client half
link "$one" down
check_status 1 "a connect without a device fails at once" peer "$one" $A try 10.77.0.2 7002 20000
said "connect Network is unreachable, timeout Operation canceled"
link "$one" up
check "the server's half" says server half
check "every byte got to the client" ends_well client "exchanged $bytes bytes"
check "every byte got to the server" ends_well server "exchanged $bytes bytes"

# --- datagrams ---
start server peer "$two" $B echo 10.77.0.2 7003
check "the server of datagrams is there" says server ready
check "every datagram is answered" peer "$one" $A ask 10.77.0.2 7003 60
said "^60 answers"
check "the server ends" wait "${pid[server]}"

# --- who has no network ---
start server peer "$two" $B serve 10.77.0.2 7004 1
check "a server listens" says server ready
check_status 1 "a tenant in an empty namespace does not reach it" peer "$empty" $A try 10.77.0.2 7004 20000
said "connect Network is unreachable"
check "the tenant whose engine is connected to it does" peer "$one" $A call 10.77.0.2 7004 1
check "and is served" wait "${pid[server]}"
stop_ringd

exec 9>&-
read -r -t 20 reply <&7
echo "# $reply"
case $reply in
*"lost 0") fail "nothing was lost on the wire" ;;
passed*) ok "the wire lost packets" ;;
*) fail "the wire ends" ;;
esac

# --- ringd --user cannot go where its clients are ---
rm -rf "$tmp/rt"
start_ringd
check_status 1 "a client in another network namespace gets no sockets" \
	nsenter -t "$empty" -n env LD_LIBRARY_PATH="$tmp/bin" "$tmp/bin/netpeer" try 10.77.0.2 7004 1000
said "socket: Permission denied"
[ "$failures" -eq 0 ]
