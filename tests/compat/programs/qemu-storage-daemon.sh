#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu-storage-daemon with aio=io_uring exports an image over NBD; clients write and read it back at the same time.
. "$(dirname "$0")/lib.sh"
program qemu-storage-daemon qemu-system-common
needs qemu-storage-daemon qemu-img qemu-io python3
VOLATILE=' ops; |^$'

url='nbd+unix:///disk?socket=nbd.sock'

serve()		# serve CACHE: the daemon runs; its pid is in qsd.pid
{
	truncate -s 32M disk.img
	run qemu-storage-daemon --blockdev "driver=file,node-name=file,filename=disk.img,aio=io_uring,$1" \
		--blockdev driver=raw,node-name=disk,file=file \
		--nbd-server addr.type=unix,addr.path=nbd.sock,max-connections=16 \
		--export type=nbd,id=export,node-name=disk,name=disk,writable=on --pidfile qsd.pid >qsd.log 2>&1 &
	server=$!
	await "$server" test -s qsd.pid || { cat qsd.log; return 1; }
}

stop()
{
	kill "$(cat qsd.pid)"
	wait "$server"
	echo "daemon: $?" >>"$COMPAT_RESULT"
	cat qsd.log
	keep cat qsd.log
}

# Each client has a part of the image, and writes and reads it with many requests at once.
client()
{
	local i base=$(($1 * 8)) commands=()
	for i in {0..31}; do
		commands+=(-c "aio_write -q -P $(($1 * 32 + i + 1)) $((base * 1024 + i * 256))k 256k")
	done
	commands+=(-c aio_flush)
	for i in {0..31}; do
		commands+=(-c "aio_read -q -P $(($1 * 32 + i + 1)) $((base * 1024 + i * 256))k 256k")
	done
	timeout 300 qemu-io -f raw "${commands[@]}" -c aio_flush -c flush "$url" >"client-$1" 2>&1
	echo "client $1: $?" >>"client-$1"
}

crowd()
{
	local n clients=()
	serve "$1" || return 1
	for n in 0 1 2 3; do
		client "$n" &
		clients+=($!)
	done
	wait "${clients[@]}"
	keep cat client-0 client-1 client-2 client-3
	say timeout 300 qemu-img compare -f raw -F raw disk.img "$url"
	say timeout 300 qemu-io -f raw -c "write -z 1M 2M" -c "discard 4M 1M" -c "read -P 0 1M 2M" -c "read -P 33 8M 256k" "$url"
	stop
	keep md5sum disk.img
}

cached() { crowd cache.direct=off; }
direct() { crowd cache.direct=on; }

begin "$@"
trial cached "nbd export over a unix socket, four clients" "library trap ringd-run" "process container enosys"
refused cached "nbd export over a unix socket, four clients"
has_direct && trial direct "nbd export without the page cache, four clients" "library trap"
finish
