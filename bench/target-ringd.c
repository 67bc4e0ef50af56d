/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringd through libringd. A file always sits in a slot: the service knows no descriptor numbers. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "ringd.h"

#define T_SQE struct ringd_sqe
#define T_CQE struct ringd_cqe

#define IDLE_RINGS_PER_CONNECTION 50u

struct t_ctx {
	struct ringd *rd;
	struct ringd_ring *ring;
	struct ringd_arena *arena;
	bool fixed;
	unsigned int bs;
	char *buf;
};

static inline T_SQE *t_get_sqe(struct t_ctx *t)
{
	return ringd_get_sqe(t->ring);
}

static inline void t_prep(struct t_ctx *t, T_SQE *sqe, enum bench_op op, uint32_t slot, uint64_t offset)
{
	char *buf;

	if (op == BENCH_NOP) {
		ringd_prep_nop(sqe);
		return;
	}
	buf = t->buf + (size_t)slot * t->bs;	/* a benchmark of NOPs has no buffers */
	if (!t->fixed) {
		if (op == BENCH_READ)
			ringd_prep_read(sqe, 0, buf, t->bs, offset);
		else
			ringd_prep_write(sqe, 0, buf, t->bs, offset);
	} else {
		if (op == BENCH_READ)
			ringd_prep_read_fixed(sqe, 0, buf, t->bs, offset, (int)slot);
		else
			ringd_prep_write_fixed(sqe, 0, buf, t->bs, offset, (int)slot);
	}
	sqe->flags |= RINGD_SQE_FIXED_FILE;
}

static inline int t_submit(struct t_ctx *t)
{
	return ringd_submit(t->ring);
}

static inline int t_submit_and_wait(struct t_ctx *t, unsigned int nr)
{
	return ringd_submit_and_wait(t->ring, nr);
}

static inline unsigned int t_peek(struct t_ctx *t, T_CQE **cqes, unsigned int max)
{
	return ringd_peek_batch_cqe(t->ring, cqes, max);
}

static inline void t_advance(struct t_ctx *t, unsigned int nr)
{
	ringd_cq_advance(t->ring, nr);
}

static inline int t_wait(struct t_ctx *t, unsigned int nr)
{
	T_CQE *cqe;

	return ringd_wait_cqe_nr(t->ring, &cqe, nr);
}

static int t_buffers(struct t_ctx *t, const struct bench_opts *o)
{
	size_t size = (size_t)o->qd * o->bs;
	RD_FREE struct iovec *iov = NULL;
	int r;

	t->bs = o->bs;
	if (o->huge)
		size = (size_t)rd_align(size, 2u << 20);
	r = ringd_arena_new(t->rd, &t->arena, size, o->huge ? RINGD_ARENA_F_HUGE : 0);
	if (r < 0)
		return r;
	t->buf = ringd_arena_base(t->arena);	/* page aligned, as O_DIRECT wants it */
	memset(t->buf, 0x5a, (size_t)o->qd * o->bs);
	if (!o->fixed)
		return 0;
	iov = calloc(o->qd, sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	for (unsigned int i = 0; i < o->qd; i++)
		iov[i] = (struct iovec){ t->buf + (size_t)i * o->bs, o->bs };
	return ringd_register_buffers(t->ring, iov, o->qd);
}

static int t_file(struct t_ctx *t, const struct bench_opts *o)
{
	RD_CLOSE int fd = open(o->file, O_RDWR | O_CLOEXEC | (o->direct ? O_DIRECT : 0));

	if (fd < 0 && o->op == BENCH_READ)
		fd = open(o->file, O_RDONLY | O_CLOEXEC | (o->direct ? O_DIRECT : 0));
	if (fd < 0)
		return -errno;
	return ringd_register_files(t->ring, &fd, 1);
}

static int t_open(struct t_ctx *t, const struct bench_opts *o, struct bench_result *res)
{
	int r;

	t->fixed = o->fixed;
	r = ringd_connect(&t->rd, o->socket);
	if (r < 0) {
		fprintf(stderr, "ringbench: ringd: %s (%s)\n", ringd_strerror(NULL), strerror(-r));
		return r;
	}
	res->service_pid = ringd_engine_pid(t->rd);
	r = ringd_ring_new(t->rd, &t->ring, 2 * o->qd, o->sqpoll ? RINGD_SETUP_SQPOLL : 0);
	if (r == 0 && o->op != BENCH_NOP) {
		r = t_buffers(t, o);
		if (r == 0)
			r = t_file(t, o);
	}
	if (r < 0)
		fprintf(stderr, "ringbench: ringd: %s (%s)\n", ringd_strerror(t->rd), strerror(-r));
	return r;
}

static void t_close(struct t_ctx *t)
{
	ringd_ring_free(t->ring);
	ringd_arena_free(t->arena);
	ringd_close(t->rd);
}

#include "loop.inc.h"

int bench_ringd_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd)
{
	return loop_client(o, sh, res, ready_fd);
}

int bench_ringd_idle(const struct bench_opts *o, unsigned int n, int *service_pid)
{
	struct ringd *rd = NULL;
	int r = 0;

	for (unsigned int i = 0; i < n && r == 0; i++) {
		struct ringd_ring *ring;

		if (i % IDLE_RINGS_PER_CONNECTION == 0)
			r = ringd_connect(&rd, o->socket);
		if (r == 0)
			r = ringd_ring_new(rd, &ring, 64, o->sqpoll ? RINGD_SETUP_SQPOLL : 0);
		if (r < 0)
			fprintf(stderr, "ringbench: ringd: idle ring %u: %s (%s)\n", i, ringd_strerror(rd), strerror(-r));
	}
	*service_pid = r < 0 ? 0 : ringd_engine_pid(rd);
	return r;	/* connections and rings live as long as the process */
}
