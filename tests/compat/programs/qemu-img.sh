#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# qemu-img and qemu-io with aio=io_uring. They link liburing; their event loop polls the ring's descriptor.
. "$(dirname "$0")/lib.sh"
program qemu-img qemu-utils
needs qemu-img qemu-io python3

# how long each command took, and which of the requests at once was given its place in a qcow2 file first
VOLATILE=' ops; |^$|^Run completed in|% fragmented'

# An image with data, holes and zeroes, always the same.
make_image()
{
	/usr/bin/python3 - "$1" <<'PY'
import random, sys
r = random.Random(5)
with open(sys.argv[1], "wb") as f:
    for i in range(0, 24):
        f.seek(i << 20)
        if i % 3 == 0:
            f.write(r.randbytes(700000))
        elif i % 3 == 1:
            f.write(bytes(300000))
    f.truncate(24 << 20)
PY
}

io()		# io FORMAT FILE COMMAND...
{
	local format=$1 file=$2 commands=() command
	shift 2
	for command; do
		commands+=(-c "$command")
	done
	say run qemu-io --aio=io_uring "${cache[@]}" -f "$format" "${commands[@]}" "$file"
}
cache=()

raw()
{
	truncate -s 16M raw.img
	io raw raw.img "write -P 0x11 0 64k" "write -P 0x22 1M 3M" "read -P 0x11 0 64k" "read -P 0x22 1M 3M" \
		"read -P 0 64k 960k" "writev -P 0x33 5M 4k 8k 512 1536" "readv -P 0x33 5M 512 1536 4k 8k" \
		"write -z 2M 1M" "read -P 0 2M 1M" "discard 8M 1M" flush
	io raw raw.img "read -P 0x22 1M 1M" "read -P 0x23 1M 4k" "write -P 1 15M 2M"
	io raw raw.img "truncate 17M" "write -P 0x44 16M 1M" "read -P 0x44 16M 1M" length
	keep md5sum raw.img
}

aio()
{
	local i commands=()
	truncate -s 16M aio.img
	for i in {0..63}; do
		commands+=("aio_write -q -P $i $((i * 128))k 128k")
	done
	commands+=("aio_flush")
	for i in {0..63}; do
		commands+=("aio_read -q -P $i $((i * 128))k 128k")
	done
	io raw aio.img "${commands[@]}" "aio_flush" "aio_write -q -z 1M 1M" "aio_flush" "read -P 0 1M 1M"
	keep md5sum aio.img
}

direct()
{
	cache=(-n)
	raw
	aio
	cache=()
}

qcow2()
{
	say run qemu-img create -q -f qcow2 -o cluster_size=64k base.qcow2 64M
	io qcow2 base.qcow2 "write -P 1 0 4M" "write -P 2 10M 1M" "write -z 12M 1M" flush
	say run qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
	io qcow2 top.qcow2 "write -P 3 1M 64k" "read -P 1 0 1M" "read -P 3 1M 64k" "read -P 2 10M 1M" "read -P 0 12M 1M" \
		"aio_write -P 4 20M 2M" "aio_write -P 5 30M 1M" aio_flush "read -P 4 20M 2M"
	say run qemu-img check top.qcow2
	say run qemu-img commit -q -t writeback top.qcow2
	io qcow2 base.qcow2 "read -P 3 1M 64k" "read -P 5 30M 1M"
	say run qemu-img check base.qcow2
}

# qemu-img has no option for aio; an image's description does.
described()
{
	echo "driver=raw,file.driver=file,file.aio=io_uring,file.filename=$1"
}

convert()
{
	make_image source.img
	say run qemu-img convert -q --image-opts -O qcow2 "$(described source.img)" copy.qcow2
	say run qemu-img compare --image-opts "$(described source.img)" \
		"driver=qcow2,file.driver=file,file.aio=io_uring,file.filename=copy.qcow2"
	truncate -s 24M back.img
	say run qemu-img convert -q -n -W -m 16 --image-opts --target-image-opts \
		"driver=qcow2,file.driver=file,file.aio=io_uring,file.filename=copy.qcow2" "$(described back.img)"
	keep cmp source.img back.img
	printf x | dd of=back.img bs=1 seek=5000000 conv=notrunc status=none
	say run qemu-img compare --image-opts "$(described source.img)" "$(described back.img)"
	say run qemu-img bench -q -c 2000 -d 64 -s 4096 -i io_uring -f raw source.img
	say run qemu-img bench -q -w -c 2000 -d 64 -s 4096 -i io_uring -f raw --flush-interval=100 -t none back.img
	say run qemu-img dd -f raw -O raw bs=1M count=4 if=source.img of=part.img
	keep md5sum part.img back.img
}

begin "$@"
trial raw "qemu-io: raw image, cached" "library trap ringd-run" "process container enosys"
refused raw "qemu-io: raw image, cached"
trial aio "qemu-io: 64 requests at once" "library trap"
has_direct && trial direct "qemu-io: without the page cache" "library trap"
trial qcow2 "qemu-io, qemu-img: qcow2 with a backing file, commit, check" "library trap"
has_direct && trial convert "qemu-img: convert, compare, bench" "library trap"
finish
