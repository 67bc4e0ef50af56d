#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which files a path means: the engine of a system-wide ringd opens what its client could, in the client's namespaces
# and root, and nothing else.
if [ "$(id -u)" -ne 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi
dir=$(cd "$(dirname "$0")" && pwd)
. "$dir/lib.sh"
: "${abs_top_builddir:?}"
A=61001 B=61002 G=61007

unshare -m --propagation private true 2>/dev/null || { echo "SKIP: needs namespaces"; exit 77; }

# programs that other users can read, wherever the build tree is
chmod 755 "$tmp"
mkdir -m 755 "$tmp/bin" "$tmp/rt" "$tmp/root"
bin=$abs_top_builddir/tests/integration
if [ -x "$bin/.libs/ringfile" ]; then
	cp "$bin/.libs/ringfile" "$tmp/bin/"
	cp -d "$abs_top_builddir"/.libs/libringd.so* "$tmp/bin/"
else
	cp "$bin/ringfile" "$tmp/bin/"
fi
F="env LD_LIBRARY_PATH=$tmp/bin $tmp/bin/ringfile"

start_system()
{
	rm -f "$tmp/ready"
	mkfifo "$tmp/ready"
	"$RINGD" --runtime-dir "$tmp/rt" --engine "$RINGD_ENGINE" --ready-fd 3 "$@" 3>"$tmp/ready" 2>>"$tmp/ringd.log" &
	ringd_pid=$!
	read -r -t 60 _ <"$tmp/ready" || [ -S "$tmp/rt/ringd.sock" ] || { cat "$tmp/ringd.log"; exit 99; }
	export RINGD_SOCKET=$tmp/rt/ringd.sock
}

as()		# as UID COMMAND...
{
	local uid=$1
	shift
	setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
}

start_system

# --- ids ---
install -d -m 755 -o $A -g $A "$tmp/a"
echo private >"$tmp/a/secret"
chown $A:$A "$tmp/a/secret"
chmod 600 "$tmp/a/secret"
check "a user's private file" as $A $F cat "$tmp/a/secret"
said "^private$"
check "STATX tells whose it is" as $A $F owner "$tmp/a/secret"
said "^owner $A:$A$"
check "a new file" bash -c "umask 027; setpriv --reuid=$A --regid=$A --clear-groups $F create '$tmp/a/new'"
check "belongs to that user, and has its umask" test "$(stat -c %u:%g:%a "$tmp/a/new")" = $A:$A:640
check_status 1 "another user does not read it" as $B $F cat "$tmp/a/secret"
said "Permission denied"
check_status 1 "nor creates a file in that directory" as $B $F create "$tmp/a/theirs"
said "Permission denied"
check_status 1 "nor does the engine of root, which has no capability" $F create "$tmp/a/roots"
said "Permission denied"

# --- supplementary groups ---
echo shared >"$tmp/shared"
chown root:$G "$tmp/shared"
chmod 640 "$tmp/shared"
check "a member of the group reads the group's file" \
	setpriv --reuid=$A --regid=$A --groups=$G $F cat "$tmp/shared"
check_status 1 "the same uid without the group does not" as $A $F cat "$tmp/shared"
said "Permission denied"

# --- mount namespace: /mnt has a file that nobody else sees ---
check "a path in the client's mount namespace" unshare -m --propagation private sh -c "
	mount -t tmpfs t /mnt && echo inside >/mnt/f &&
	exec setpriv --reuid=$A --regid=$A --clear-groups $F cat /mnt/f"
said "^inside$"
check_status 1 "is none outside" as $A $F cat /mnt/f
said "No such file"

# --- root directory ---
check "a path under the client's root" unshare -m --propagation private sh -c "
	mount --rbind / '$tmp/root' && mount -t tmpfs t '$tmp/root/mnt' && echo jailed >'$tmp/root/mnt/f' &&
	ln -s /mnt/f '$tmp/root/mnt/link' && mount -t tmpfs t /mnt && echo wrong >/mnt/f &&
	exec chroot '$tmp/root' setpriv --reuid=$A --regid=$A --clear-groups $F cat /mnt/../../../../mnt/link"
said "^jailed$"

# --- user namespace, made without privilege ---
if as $A unshare -U -r -m true 2>/dev/null; then
	check "a path in a user namespace" as $A unshare -U -r -m sh -c "
		mount -t tmpfs t /mnt && echo mapped >/mnt/f && $F cat /mnt/f && $F owner /mnt/f"
	said "^mapped$"
	said "^owner 0:0$"
else
	echo "# no user namespaces here"
fi
# --- sockets: whose they are, and in which network ---
listen()	# FILE ADDRESS: somebody without ringd listens there; what he says goes to FILE
{
	rm -f "$tmp/says"
	mkfifo "$tmp/says"
	$F listen "$2" >"$tmp/says" &
	exec 4<"$tmp/says"
	read -r -t 60 said <&4 || said=nothing
	cat <&4 >"$1" &
	collector=$!
	exec 4<&-
}

cd "$tmp/a"
install -d -m 755 -o $A -g $A "$tmp/a/dir"
listen "$tmp/peer" "$tmp/a/server"
chmod 777 "$tmp/a/server"
check "a tenant connects to a UNIX socket" as $A $F dial "$tmp/a/server"
wait "$collector"
check "where it is the tenant that connects" grep -qx "peer $A:$A" "$tmp/peer"
check "a name is bound" bash -c "cd '$tmp/a/dir' && umask 037 && exec setpriv --reuid=$A --regid=$A --clear-groups $F bind sock"
check "in the client's directory, with its umask, as the tenant" test "$(stat -c %u:%g:%a "$tmp/a/dir/sock")" = $A:$A:740
check_status 1 "another tenant may not bind there" as $B $F bind "$tmp/a/dir/theirs"
said "Permission denied"
check_status 1 "nor connect to what is not his" as $B $F dial "$tmp/a/dir/sock"
said "Permission denied"
cd /

listen "$tmp/peer" 0
port=$said
check_status 1 "a tenant in an empty network reaches nothing" unshare -n setpriv --reuid=$A --regid=$A --clear-groups $F dial "$port"
said "unreachable"
if command -v ip >/dev/null; then
	check_status 1 "also where it has a loopback of its own" unshare -n bash -c "
		ip link set lo up && exec setpriv --reuid=$A --regid=$A --clear-groups $F dial $port"
	said "refused"
fi
check "a tenant in ours does" as $A $F dial "$port"
wait "$collector"
listen "$tmp/peer" "@ringd-test-$$"
check_status 1 "abstract names are of the network, too" unshare -n setpriv --reuid=$A --regid=$A --clear-groups $F dial "@ringd-test-$$"
said "refused"
check "and reached in ours" as $A $F dial "@ringd-test-$$"
wait "$collector"
check_status 1 "ports of the system are root's" as $A $F bind 79
said "Permission denied"
check_status 1 "whose engine has no privilege either" $F bind 79
said "Permission denied"
stop_ringd

# --- the operator's choice of families ---
start_system --socket-families=inet6,unix
check_status 1 "a family that is not allowed" as $A $F bind 0
said "not supported"
check "one that is" as $A $F bind "@ringd-test-$$"
check "the log tells once" test "$(grep -c 'socket-families' "$tmp/ringd.log")" = 1
stop_ringd

# --- ringd --user does not guess what others see ---
rm -rf "$tmp/rt"
start_ringd
check "the user's own files" $F cat /etc/passwd
check_status 1 "a client in another mount namespace opens no paths" \
	unshare -m --propagation private sh -c "mount -t tmpfs t /mnt && $F cat /etc/passwd"
said "not permitted"
check_status 1 "nor does one with other groups" setpriv --groups=$G $F cat /etc/passwd
said "not permitted"
check "the user's own sockets" $F bind "@ringd-test-$$"
check_status 1 "a client in another network gets none" unshare -n $F bind "@ringd-test-$$"
said "Permission denied"
[ "$failures" -eq 0 ]
