/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringd through libringd. A file always sits in a slot, as that is what costs the service least. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
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
	const char *file;
	int *events;		/* eventfds, one per slot; one for all of them with BENCH_POLL */
	unsigned int n_events;
	struct ringd_timespec *hour;	/* in the arena */
	struct statx *statx;		/* likewise, one per slot */
};

static inline T_SQE *t_get_sqe(struct t_ctx *t)
{
	return ringd_get_sqe(t->ring);
}

static inline unsigned int t_space(struct t_ctx *t)
{
	return ringd_sq_space_left(t->ring);
}

/* By hand what a helper would need a connection or a copy for. */
static void prep_raw(T_SQE *sqe, uint8_t opcode, int fd, const void *addr, uint32_t len)
{
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
}

/* An SQE is cleared when it is got. */
static __attribute__((__noinline__)) void t_prep_other(struct t_ctx *t, T_SQE *sqe, enum bench_op op, uint32_t slot,
						       unsigned int step)
{
	switch (op) {
	case BENCH_LINK:
		ringd_prep_nop(sqe);
		sqe->flags = step ? 0 : RINGD_SQE_IO_LINK;
		break;
	case BENCH_TIMEOUT:
		if (step == 0)
			prep_raw(sqe, RINGD_OP_TIMEOUT, -1, t->hour, 1);
		else
			prep_raw(sqe, RINGD_OP_TIMEOUT_REMOVE, -1, (void *)(uintptr_t)slot, 0);
		break;
	case BENCH_POLL:
	case BENCH_POLL_WAIT:
		prep_raw(sqe, RINGD_OP_POLL_ADD, op == BENCH_POLL ? 0 : (int)slot, NULL, 0);
		sqe->poll32_events = POLLIN;
		sqe->flags = RINGD_SQE_FIXED_FILE;
		break;
	case BENCH_OPEN:
		if (step == 0)
			ringd_prep_openat_direct(t->ring, sqe, AT_FDCWD, t->file, O_RDONLY, 0, slot);
		else
			ringd_prep_close_direct(sqe, slot);
		sqe->flags = step ? 0 : RINGD_SQE_IO_LINK;
		break;
	default:
		ringd_prep_statx(t->ring, sqe, AT_FDCWD, t->file, 0, STATX_BASIC_STATS, &t->statx[slot]);
	}
}

static void t_event(struct t_ctx *t, uint32_t slot)
{
	uint64_t one = 1;

	if (write(t->events[slot], &one, sizeof(one)) < 0)
		return;		/* would show as a wait without end */
}

static void t_reset(struct t_ctx *t, uint32_t slot)
{
	uint64_t value;

	if (read(t->events[slot], &value, sizeof(value)) < 0)
		return;		/* would show in the next result */
}

static inline void t_prep(struct t_ctx *t, T_SQE *sqe, enum bench_op op, uint32_t slot, unsigned int step, uint64_t offset)
{
	char *buf;

	if (RD_UNLIKELY(!bench_op_transfers(op) && op != BENCH_NOP)) {
		t_prep_other(t, sqe, op, slot, step);
		return;
	}
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

static int t_events(struct t_ctx *t, const struct bench_opts *o)
{
	t->events = calloc(o->qd, sizeof(*t->events));
	if (!t->events)
		return -ENOMEM;
	for (unsigned int n = o->op == BENCH_POLL ? 1 : o->qd; t->n_events < n; t->n_events++) {
		t->events[t->n_events] = eventfd(o->op == BENCH_POLL, EFD_CLOEXEC | EFD_NONBLOCK);
		if (t->events[t->n_events] < 0)
			return -errno;
	}
	return ringd_register_files(t->ring, t->events, t->n_events);
}

/* What the operations without data need. */
static int t_other(struct t_ctx *t, const struct bench_opts *o)
{
	int r;

	t->file = o->file;
	if (o->op == BENCH_NOP || o->op == BENCH_LINK)
		return 0;
	r = ringd_arena_new(t->rd, &t->arena, sizeof(*t->hour) + o->qd * sizeof(*t->statx), 0);
	if (r < 0)
		return r;
	t->statx = ringd_arena_base(t->arena);
	t->hour = (void *)(t->statx + o->qd);
	*t->hour = (struct ringd_timespec){ .tv_sec = 3600 };
	if (o->op == BENCH_OPEN)
		return ringd_register_files_sparse(t->ring, o->qd);
	return o->op == BENCH_POLL || o->op == BENCH_POLL_WAIT ? t_events(t, o) : 0;
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
	r = ringd_ring_new(t->rd, &t->ring, 2 * o->qd * bench_units[o->op].nr, o->sqpoll ? RINGD_SETUP_SQPOLL : 0);
	if (r == 0 && !bench_op_transfers(o->op))
		r = t_other(t, o);
	if (r == 0 && bench_op_transfers(o->op)) {
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
	while (t->n_events)
		rd_close(t->events[--t->n_events]);
	free(t->events);
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
