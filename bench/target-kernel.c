/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own io_uring through liburing, set up as fast as liburing can: registered ring, files and buffers. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/common/clock.h"
#include "daemon/common/util.h"

#define T_SQE struct io_uring_sqe
#define T_CQE struct io_uring_cqe

#define SQ_THREAD_IDLE_MS 2000

struct t_ctx {
	struct io_uring ring;
	bool have_ring;
	bool fixed;
	int fd;			/* the descriptor or, with fixed, its slot */
	int real_fd;
	unsigned int bs;
	char *buf;
	size_t buf_size;
	const char *file;
	int *events;		/* eventfds, one per slot; one for all of them with BENCH_POLL */
	unsigned int n_events;
	struct __kernel_timespec hour;
	struct statx *statx;	/* one per slot */
};

static inline T_SQE *t_get_sqe(struct t_ctx *t)
{
	return io_uring_get_sqe(&t->ring);
}

static inline unsigned int t_space(struct t_ctx *t)
{
	return io_uring_sq_space_left(&t->ring);
}

static __attribute__((__noinline__)) void t_prep_other(struct t_ctx *t, T_SQE *sqe, enum bench_op op, uint32_t slot,
						       unsigned int step)
{
	switch (op) {
	case BENCH_LINK:
		io_uring_prep_nop(sqe);
		sqe->flags |= step ? 0 : IOSQE_IO_LINK;
		break;
	case BENCH_TIMEOUT:
		if (step == 0)
			io_uring_prep_timeout(sqe, &t->hour, 0, 0);
		else
			io_uring_prep_timeout_remove(sqe, slot, 0);
		break;
	case BENCH_POLL:
	case BENCH_POLL_WAIT:
		io_uring_prep_poll_add(sqe, op == BENCH_POLL ? 0 : (int)slot, POLLIN);
		sqe->flags |= IOSQE_FIXED_FILE;
		break;
	case BENCH_OPEN:
		if (step == 0)
			io_uring_prep_openat_direct(sqe, AT_FDCWD, t->file, O_RDONLY, 0, slot);
		else
			io_uring_prep_close_direct(sqe, slot);
		sqe->flags |= step ? 0 : IOSQE_IO_LINK;
		break;
	default:
		io_uring_prep_statx(sqe, AT_FDCWD, t->file, 0, STATX_BASIC_STATS, &t->statx[slot]);
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
		io_uring_prep_nop(sqe);
		return;
	}
	buf = t->buf + (size_t)slot * t->bs;	/* a benchmark of NOPs has no buffers */
	if (!t->fixed) {
		if (op == BENCH_READ)
			io_uring_prep_read(sqe, t->fd, buf, t->bs, offset);
		else
			io_uring_prep_write(sqe, t->fd, buf, t->bs, offset);
		return;
	}
	if (op == BENCH_READ)
		io_uring_prep_read_fixed(sqe, t->fd, buf, t->bs, offset, (int)slot);
	else
		io_uring_prep_write_fixed(sqe, t->fd, buf, t->bs, offset, (int)slot);
	sqe->flags |= IOSQE_FIXED_FILE;
}

static inline int t_submit(struct t_ctx *t)
{
	return io_uring_submit(&t->ring);
}

static inline int t_submit_and_wait(struct t_ctx *t, unsigned int nr)
{
	return io_uring_submit_and_wait(&t->ring, nr);
}

static inline unsigned int t_peek(struct t_ctx *t, T_CQE **cqes, unsigned int max)
{
	return io_uring_peek_batch_cqe(&t->ring, cqes, max);
}

static inline void t_advance(struct t_ctx *t, unsigned int nr)
{
	io_uring_cq_advance(&t->ring, nr);
}

static inline int t_wait(struct t_ctx *t, unsigned int nr)
{
	T_CQE *cqe;

	return io_uring_wait_cqe_nr(&t->ring, &cqe, nr);
}

static int t_buffers(struct t_ctx *t, const struct bench_opts *o)
{
	RD_FREE struct iovec *iov = NULL;

	t->bs = o->bs;
	t->buf_size = (size_t)o->qd * o->bs;
	t->buf = mmap(NULL, t->buf_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | (o->huge ? MAP_HUGETLB : 0), -1, 0);
	if (t->buf == MAP_FAILED) {
		t->buf = NULL;
		return -errno;
	}
	memset(t->buf, 0x5a, t->buf_size);
	if (!o->fixed)
		return 0;
	iov = calloc(o->qd, sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	for (unsigned int i = 0; i < o->qd; i++)
		iov[i] = (struct iovec){ t->buf + (size_t)i * o->bs, o->bs };
	return io_uring_register_buffers(&t->ring, iov, o->qd);
}

static int t_file(struct t_ctx *t, const struct bench_opts *o)
{
	t->real_fd = open(o->file, O_RDWR | O_CLOEXEC | (o->direct ? O_DIRECT : 0));
	if (t->real_fd < 0 && o->op == BENCH_READ)
		t->real_fd = open(o->file, O_RDONLY | O_CLOEXEC | (o->direct ? O_DIRECT : 0));
	if (t->real_fd < 0)
		return -errno;
	t->fd = o->fixed ? 0 : t->real_fd;
	return o->fixed ? io_uring_register_files(&t->ring, &t->real_fd, 1) : 0;
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
	return io_uring_register_files(&t->ring, t->events, t->n_events);
}

/* What the operations without data need. */
static int t_other(struct t_ctx *t, const struct bench_opts *o)
{
	t->file = o->file;
	t->hour = (struct __kernel_timespec){ .tv_sec = 3600 };
	if (o->op == BENCH_STATX)
		t->statx = calloc(o->qd, sizeof(*t->statx));
	if (o->op == BENCH_STATX && !t->statx)
		return -ENOMEM;
	if (o->op == BENCH_OPEN)
		return io_uring_register_files_sparse(&t->ring, o->qd);
	return o->op == BENCH_POLL || o->op == BENCH_POLL_WAIT ? t_events(t, o) : 0;
}

static int t_ring(struct io_uring *ring, const struct bench_opts *o, unsigned int entries)
{
	struct io_uring_params p = { .flags = o->setup_flags };

	if (o->sqpoll) {
		p.flags |= IORING_SETUP_SQPOLL;
		p.sq_thread_idle = SQ_THREAD_IDLE_MS;
	}
	return io_uring_queue_init_params(entries, ring, &p);
}

static int t_open(struct t_ctx *t, const struct bench_opts *o, struct bench_result *res)
{
	const char *what = "io_uring_setup";
	int r;

	t->real_fd = -1;
	t->fixed = o->fixed;
	res->service_pid = 0;
	r = t_ring(&t->ring, o, 2 * o->qd * bench_units[o->op].nr);
	if (r == 0) {
		t->have_ring = true;
		/* enter by registered ring saves an fget; kernels before 5.18 do not know it and need it not */
		(void)io_uring_register_ring_fd(&t->ring);
		if (!bench_op_transfers(o->op)) {
			what = bench_op_name(o->op);
			r = t_other(t, o);
		} else {
			what = "buffers";
			r = t_buffers(t, o);
			if (r == 0) {
				what = o->file;
				r = t_file(t, o);
			}
		}
	}
	if (r < 0)
		fprintf(stderr, "ringbench: kernel: %s: %s\n", what, strerror(-r));
	return r;
}

static void t_close(struct t_ctx *t)
{
	if (t->have_ring)
		io_uring_queue_exit(&t->ring);
	if (t->buf)
		munmap(t->buf, t->buf_size);
	rd_close(t->real_fd);
	while (t->n_events)
		rd_close(t->events[--t->n_events]);
	free(t->events);
	free(t->statx);
}

#include "loop.inc.h"

int bench_kernel_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd)
{
	return loop_client(o, sh, res, ready_fd);
}

int bench_kernel_idle(const struct bench_opts *o, unsigned int n, int *service_pid)
{
	struct io_uring *rings = calloc(n, sizeof(*rings));
	struct bench_opts plain = *o;
	int r = 0;

	if (!rings)
		return -ENOMEM;
	*service_pid = 0;
	plain.sqpoll = false;	/* an idle SQPOLL ring of the kernel is a thread */
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = t_ring(&rings[i], &plain, 64);
	if (r < 0)
		fprintf(stderr, "ringbench: kernel: idle ring: %s\n", strerror(-r));
	return r;	/* the rings live as long as the process */
}
