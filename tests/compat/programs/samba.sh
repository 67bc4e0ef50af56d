#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# smbd with vfs_io_uring: files are put, read back and compared through it, by several clients at once.
. "$(dirname "$0")/lib.sh"
program smbd samba-vfs-modules
needs smbd smbclient python3
SERVED_LEAST=500
[ "$(id -u)" -eq 0 ] || skip_all "smbd needs root"
[ -e "$(dirname "$(smbd -b | sed -n 's/^ *MODULESDIR: //p')")/samba/vfs/io_uring.so" ] || skip_all "no vfs_io_uring here"

configuration()
{
	cat <<END
[global]
	server role = standalone server
	map to guest = bad user
	guest account = nobody
	interfaces = lo
	bind interfaces only = yes
	smb ports = $port
	smb2 max read = 65536
	smb2 max write = 65536
	disable netbios = yes
	load printers = no
	printcap name = /dev/null
	disable spoolss = yes
	rpc start on demand helpers = no
	log file = $PWD/log.%m
	log level = 1
	private dir = $PWD/private
	lock directory = $PWD/lock
	state directory = $PWD/state
	cache directory = $PWD/cache
	pid directory = $PWD/run
	ncalrpc dir = $PWD/run/ncalrpc
[plain]
	path = $PWD/files
	guest ok = yes
[files]
	path = $PWD/files
	guest ok = yes
	read only = no
	vfs objects = io_uring
	aio read size = 1
	aio write size = 1
	strict sync = yes
END
}

# Not one that the kernel may give to somebody else's connection, so that it still is free a moment later.
free_port()
{
	/usr/bin/python3 - <<'PY'
import random, socket
low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
while True:
    port = random.randrange(2000, low if low > 2100 else 65000)
    try:
        socket.socket().bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break
PY
}

client()	# client COMMANDS: of smbclient
{
	timeout 300 smbclient --configfile=smb.conf --timeout=250 -N -p "$port" //127.0.0.1/files -c "$1" 2>&1 |
		sed 's/ ([0-9.]* [kK].*//'
}

serve()
{
	port=$(free_port)
	mkdir -p files private lock state cache run run/ncalrpc
	chmod 1777 files
	configuration >smb.conf
	run smbd --foreground --no-process-group --configfile="$PWD/smb.conf" >smbd.log 2>&1 </dev/null &
	server=$!
	# a share that needs no io_uring
	await "$server" timeout 300 smbclient --configfile=smb.conf --timeout=250 -N -p "$port" //127.0.0.1/plain \
		-c quit || { cat smbd.log log.*; return 1; }
}

data()		# data SEED MIB
{
	/usr/bin/python3 - "$@" <<'PY'
import random, sys
sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2]) << 20))
PY
}

# Half of them at the same time as the other half.
one()
{
	client "put in-$1 file-$1; get file-$1 out-$1; allinfo file-$1" | grep -vE 'time|inode|attr'
	cmp "in-$1" "out-$1" && cmp "in-$1" "files/file-$1" && echo "file $1 is equal"
}

transfers()
{
	local n clients=()
	for n in 1 2 3 4; do
		data "$n" 6 >"in-$n"
	done
	serve || return 1
	for n in 1 2 3 4; do
		one "$n" >"client-$n" 2>&1 &
		clients+=($!)
	done
	wait "${clients[@]}"
	keep cat client-1 client-2 client-3 client-4
	keep client 'mkdir d; cd d; put in-1 a; rename a b; get b c; del b; cd ..; rmdir d; get nothing; get file-1 none/none'
	keep cmp c in-1
	# appends and reads in the middle
	keep client 'reput in-2 file-1; reget file-3 out-3'
	keep md5sum files/*
	kill "$(cat run/smbd.pid)"
	wait "$server"
	echo "server: $?" >>"$COMPAT_RESULT"
	tail -n 30 log.* smbd.log
}

begin "$@"
trial transfers "vfs_io_uring: four clients put and get, whole and in part" "library trap ringd-run" "process container enosys"
refused transfers "vfs_io_uring: four clients put and get, whole and in part"
finish
