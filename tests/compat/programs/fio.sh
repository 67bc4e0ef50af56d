#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fio, whose engine sets rings up by syscall() and enters them by inline assembly: only the trap serves it.
. "$(dirname "$0")/lib.sh"
program fio fio
needs fio python3
SERVED_LEAST=500

# What a run of fio did, without how long it took.
summary()
{
	/usr/bin/python3 - fio.json <<'PY'
import json, sys
text = open(sys.argv[1]).read()
for job in json.loads(text[text.index("{"):])["jobs"]:
    print(job["jobname"], "error", job["error"])
    for way in "read", "write", "trim":
        print(" ", way, job[way]["io_bytes"], job[way]["total_ios"], job[way]["drop_ios"])
PY
}

# fio_run OPTION...: with the io_uring engine
fio_run()
{
	rm -f fio.json
	say run fio --ioengine=io_uring --directory=. --output=fio.json --output-format=json --group_reporting=0 \
		--fallocate=none "$@"
	local status=$?
	keep summary
	[ "$status" -eq 0 ]
}

# Contents by their place in the file, so that the files are equal whatever wrote them.
pattern=(--verify=pattern --verify_pattern=%o --verify_fatal=1 --randrepeat=1)

fixed()
{
	fio_run --name=fixed --size=16m --bs=4k --rw=randwrite --iodepth=32 --fixedbufs --registerfiles "${pattern[@]}" &&
	fio_run --name=fixed --size=16m --bs=4k --rw=randread --iodepth=32 --fixedbufs --registerfiles "${pattern[@]}" &&
	keep md5sum fixed.0.0
}

verified()
{
	fio_run --name=crc --size=16m --bsrange=4k-64k --rw=randwrite --iodepth=16 --verify=crc32c --verify_fatal=1 &&
	fio_run --name=md5 --size=8m --bs=4k --rw=randrw --iodepth=16 --verify=md5 --verify_fatal=1 --fixedbufs
}

polled()
{
	fio_run --name=sq --size=8m --bs=4k --rw=randrw --iodepth=16 --sqthread_poll=1 --registerfiles --verify=crc32c \
		--verify_fatal=1 &&
	fio_run --name=sqfixed --size=8m --bs=4k --rw=write --iodepth=16 --sqthread_poll=1 --registerfiles --fixedbufs \
		"${pattern[@]}" &&
	keep md5sum sqfixed.0.0
}

batches()
{
	fio_run --name=batch --size=16m --bs=4k --rw=randrw --iodepth=64 --iodepth_batch_submit=16 \
		--iodepth_batch_complete_min=8 --iodepth_batch_complete_max=32 --verify=crc32c --verify_fatal=1 &&
	fio_run --name=low --size=8m --bs=4k --rw=randread --iodepth=64 --iodepth_batch=32 --iodepth_low=8
}

direct()
{
	fio_run --name=direct --size=16m --bs=4k --rw=randrw --iodepth=32 --direct=1 --verify=crc32c --verify_fatal=1 &&
	fio_run --name=dfixed --size=16m --bs=16k --rw=write --iodepth=32 --direct=1 --fixedbufs --registerfiles \
		--fsync=64 "${pattern[@]}" &&
	keep md5sum dfixed.0.0
}

threads()
{
	fio_run --thread --numjobs=4 --name=threads --size=4m --bs=4k --rw=randrw --iodepth=16 --verify=crc32c --verify_fatal=1
}

processes()
{
	fio_run --numjobs=4 --name=forks --size=4m --bs=4k --rw=randrw --iodepth=16 --verify=crc32c --verify_fatal=1 \
		--fixedbufs --registerfiles
}

vectored()
{
	fio_run --name=vec --size=8m --bs=8k --rw=randrw --iodepth=16 --nonvectored=0 --verify=crc32c --verify_fatal=1 &&
	fio_run --name=sync --size=2m --bs=4k --rw=randwrite --iodepth=8 --fdatasync=16 "${pattern[@]}" &&
	keep md5sum sync.0.0
}

# Reads beyond the end, a full device, a file that may not grow (the memory of a ring has no such limit), one that may not
# be written.
errors()
{
	truncate -s 1m short.0.0
	fio_run --name=short --filesize=1m --size=2m --io_size=2m --bs=4k --rw=read --iodepth=4 --allow_file_create=0
	fio_run --name=full --filename=/dev/full --size=64k --bs=4k --rw=write --iodepth=1
	( ulimit -f 1024; trap '' XFSZ; fio_run --name=limit --size=4m --bs=4k --rw=write --iodepth=1 --end_fsync=1 )
	fio_run --name=ro --filename=/proc/version --size=4k --bs=4k --rw=read --readonly --iodepth=1
	true
}

begin "$@"
trial fixed "registered buffers and files, random writes read back" "trap ringd-run" "process container enosys"
refused fixed "registered buffers and files, random writes read back"
trial verified "verify=crc32c and md5, random reads and writes" trap
trial polled "sqthread_poll with registered files and buffers" trap
trial batches "batches of submissions and completions" trap
has_direct && trial direct "direct=1, with and without registered buffers, fsync" trap
trial threads "four jobs as threads" trap
trial processes "four jobs as processes" trap
trial vectored "readv and writev, fdatasync" trap
trial errors "errors: short files, full devices, file size limits, odd files" trap
finish
