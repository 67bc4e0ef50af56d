/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record FILE: what comes through a pipe on standard input goes into FILE. One multishot read takes a buffer out of a
 * ring of them each time that there is something; it is written, and provided again. A multishot timeout tells once a
 * second how far it is. A chain ends it: sync, and only if that went well the file gets its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ringd.h>

enum { BUFS = 16, LEN = 65536, READ, TICK, CHAIN };	/* user_data; below BUFS: the write of that buffer */

static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_buf_ring *bufs;
static char *mem;
static unsigned long long size;
static unsigned int lengths[BUFS], provided, requests, reading, ended;

static void check(const char *what, int res)
{
	if (res >= 0)
		return;
	fprintf(stderr, "record: %s: %s, %s\n", what, strerror(-res), ringd_strerror(rd));
	exit(1);
}

static struct ringd_sqe *get(uint64_t what, unsigned int flags)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);	/* never NULL: there are 32, and fewer of us */

	ringd_sqe_set_data64(sqe, what);
	ringd_sqe_set_flags(sqe, flags);
	requests++;
	return sqe;
}

static void provide(unsigned int bid)
{
	ringd_buf_ring_add(bufs, mem + bid * LEN, LEN, (unsigned short)bid, ringd_buf_ring_mask(BUFS), 0);
	ringd_buf_ring_advance(bufs, 1);
	provided++;
}

static void have_read(unsigned int bid, int res, unsigned int more)
{
	reading = more;
	ended = res == 0;
	check("read", res == -ENOBUFS ? 0 : res);	/* all are being written: it is started again when one is back */
	if (res <= 0)
		return;
	lengths[bid] = (unsigned int)res;
	ringd_prep_write(get(bid, RINGD_SQE_FIXED_FILE), 0, mem + bid * LEN, lengths[bid], size);
	size += lengths[bid];
	provided--;
}

static void completed(uint64_t what, int res, unsigned int flags)
{
	requests -= !(flags & RINGD_CQE_F_MORE);
	if (what == READ)
		have_read(flags >> RINGD_CQE_BUFFER_SHIFT, res, flags & RINGD_CQE_F_MORE);
	else if (what == TICK)
		fprintf(stderr, "record: %llu bytes\n", size);
	else
		check("write, sync, rename", what < BUFS && res >= 0 && res < (int)lengths[what] ? -ENOSPC : res);
	if (what < BUFS)
		provide((unsigned int)what);
}

static void run(void)
{
	struct ringd_cqe *cqe;

	while (!ended || requests > 1) {	/* the one is the timeout */
		if (!ended && !reading && provided) {
			ringd_prep_read_multishot(get(READ, 0), 0, 0, (uint64_t)-1, 0);
			reading = 1;
		}
		check("submit", ringd_submit_and_wait(ring, 1));
		while (ringd_peek_cqe(ring, &cqe) == 0) {
			completed(cqe->user_data, cqe->res, cqe->flags);
			ringd_cqe_seen(ring, cqe);
		}
	}
}

int main(int argc, char **argv)
{
	struct ringd_arena *arena;
	char part[4096] = "";
	int fds[2] = { 0 }, r;

	snprintf(part, sizeof(part), "%s.part", argc == 2 ? argv[1] : "");
	fds[1] = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	check(part, fds[1] < 0 ? -errno : 0);
	if ((r = ringd_connect(&rd, NULL)) < 0 || (r = ringd_ring_new(rd, &ring, 32, 0)) < 0 ||
	    (r = ringd_arena_new(rd, &arena, BUFS * LEN, 0)) < 0 || (r = ringd_fd_lend(rd, &fds[0], 1)) < 0 ||
	    (r = ringd_register_files(ring, &fds[1], 1)) < 0 || !(bufs = ringd_setup_buf_ring(ring, BUFS, 0, 0, &r)))
		check("ringd", r);
	for (mem = ringd_arena_base(arena); provided < BUFS; )
		provide(provided);
	ringd_prep_timeout(ring, get(TICK, 0), &(struct timespec){ .tv_sec = 1 }, 0, RINGD_TIMEOUT_MULTISHOT);
	run();
	ringd_prep_fsync(get(CHAIN, RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_LINK), 0, 0);
	ringd_prep_renameat(ring, get(CHAIN, 0), AT_FDCWD, part, AT_FDCWD, argv[1], 0);
	run();
	ringd_close(rd);	/* the timeout goes with it */
	return 0;
}
