/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copy a file with registered buffers and several requests in flight: copy SRC DST
 * Each buffer goes round: read a block, write it, read the next block that nobody has taken yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ringd.h>

#define DEPTH	16u
#define BLOCK	(128u << 10)

struct job {
	char *buf;
	uint64_t off;
	unsigned int len, done;	/* of the block; bytes of it that the present transfer has moved */
	int writing;
};

static struct ringd *rd;
static struct ringd_ring *ring;
static struct job jobs[DEPTH];
static uint64_t size, next;
static unsigned int busy;

static void fail(const char *what, int err)
{
	fprintf(stderr, "copy: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* Transfer what is left of the job's block, in its present direction. */
static void transfer(struct job *job)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);	/* never NULL, see prepare() */
	char *at = job->buf + job->done;

	if (job->writing)
		ringd_prep_write_fixed(sqe, 1, at, job->len - job->done, job->off + job->done, (int)(job - jobs));
	else
		ringd_prep_read_fixed(sqe, 0, at, job->len - job->done, job->off + job->done, (int)(job - jobs));
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	ringd_sqe_set_data(sqe, job);
}

static void next_block(struct job *job)
{
	if (next >= size) {
		busy--;
		return;
	}
	job->off = next;
	job->len = size - next < BLOCK ? (unsigned int)(size - next) : BLOCK;
	job->done = 0;
	job->writing = 0;
	next += job->len;
	transfer(job);
}

static void completed(struct job *job, int res)
{
	if (res < 0)
		fail(job->writing ? "write" : "read", res);
	if (res == 0)
		fail("the file shrank", -EIO);
	job->done += (unsigned int)res;
	if (job->done == job->len && job->writing) {
		next_block(job);
		return;
	}
	if (job->done == job->len) {
		job->writing = 1;
		job->done = 0;
	}
	transfer(job);
}

/* The engine gets our descriptors into slots 0 and 1, and one buffer per job. */
static void prepare(const char *src, const char *dst)
{
	struct ringd_arena *arena;
	struct iovec iov[DEPTH];
	struct stat st;
	int fds[2], r;

	fds[0] = open(src, O_RDONLY);
	if (fds[0] < 0 || fstat(fds[0], &st) < 0)
		fail(src, -errno);
	fds[1] = open(dst, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fds[1] < 0)
		fail(dst, -errno);
	size = (uint64_t)st.st_size;
	if ((r = ringd_connect(&rd, NULL)) < 0)
		fail(ringd_strerror(NULL), r);
	if ((r = ringd_ring_new(rd, &ring, DEPTH, RINGD_SETUP_SQPOLL)) < 0 ||
	    (r = ringd_arena_new(rd, &arena, (size_t)DEPTH * BLOCK, 0)) < 0 ||
	    (r = ringd_register_files(ring, fds, 2)) < 0)
		fail(ringd_strerror(rd), r);
	for (unsigned int i = 0; i < DEPTH; i++) {
		jobs[i].buf = ringd_arena_alloc(arena, BLOCK, 4096);
		iov[i].iov_base = jobs[i].buf;
		iov[i].iov_len = BLOCK;
	}
	if ((r = ringd_register_buffers(ring, iov, DEPTH)) < 0)
		fail(ringd_strerror(rd), r);
	close(fds[0]);
	close(fds[1]);	/* the slots keep the files */
}

int main(int argc, char **argv)
{
	struct ringd_cqe *cqe;
	unsigned int i, n;
	int r;

	if (argc != 3)
		fail("usage: copy SRC DST", -EINVAL);
	prepare(argv[1], argv[2]);
	for (busy = DEPTH, i = 0; i < DEPTH; i++)
		next_block(&jobs[i]);
	while (busy) {
		r = ringd_submit_and_wait(ring, 1);
		if (r < 0)
			fail(ringd_ring_strerror(ring), r);
		ringd_for_each_cqe(ring, i, n, cqe)
			completed(ringd_cqe_get_data(cqe), cqe->res);
		ringd_cq_advance(ring, n);
	}
	ringd_close(rd);
	return 0;
}
