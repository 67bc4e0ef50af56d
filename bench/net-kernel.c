/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server on the kernel's io_uring, as liburing does it fastest: DEFER_TASKRUN and SINGLE_ISSUER unless told otherwise. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "net.h"
#include "proto/abi.h"

#define N_SQE		struct io_uring_sqe
#define N_CQE		struct io_uring_cqe
#define N_BUF_RING	struct io_uring_buf_ring
#define N_FIXED_FILE	IOSQE_FIXED_FILE
#define N_BUFFER_SELECT	IOSQE_BUFFER_SELECT
#define N_LINK		IOSQE_IO_LINK
#define N_MORE		IORING_CQE_F_MORE
#define N_BUFFER	IORING_CQE_F_BUFFER
#define N_BUFFER_SHIFT	IORING_CQE_BUFFER_SHIFT

#define SQ_THREAD_IDLE_MS 2000

struct n_ctx {
	struct io_uring ring;
	bool have_ring;
	char *memory;
	size_t memory_size;
	int listener;
};

static inline N_SQE *n_get_sqe(struct n_ctx *t)
{
	return io_uring_get_sqe(&t->ring);
}

static inline unsigned int n_space(struct n_ctx *t)
{
	return io_uring_sq_space_left(&t->ring);
}

static inline int n_room(struct n_ctx *t)
{
	int r = io_uring_submit(&t->ring);

	return r < 0 ? r : io_uring_sqring_wait(&t->ring);
}

static inline int n_submit_and_wait(struct n_ctx *t)
{
	return io_uring_submit_and_wait(&t->ring, 1);
}

static inline unsigned int n_peek(struct n_ctx *t, N_CQE **cqes, unsigned int max)
{
	return io_uring_peek_batch_cqe(&t->ring, cqes, max);
}

static inline void n_advance(struct n_ctx *t, unsigned int nr)
{
	io_uring_cq_advance(&t->ring, nr);
}

static inline void n_provide(N_BUF_RING *br, void *addr, unsigned int len, uint16_t bid, int mask, int offset)
{
	io_uring_buf_ring_add(br, addr, len, bid, mask, offset);
}

static inline void n_provided(N_BUF_RING *br, int nr)
{
	io_uring_buf_ring_advance(br, nr);
}

/* It lives as long as the process. */
static N_BUF_RING *n_group(struct n_ctx *t, int bgid, unsigned int entries)
{
	size_t size = entries * sizeof(struct io_uring_buf);
	struct io_uring_buf_reg reg = { .ring_entries = entries, .bgid = (uint16_t)bgid };
	void *br = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (br == MAP_FAILED)
		return NULL;
	reg.ring_addr = (uintptr_t)br;
	if (io_uring_register_buf_ring(&t->ring, &reg, 0) < 0) {
		munmap(br, size);
		return NULL;
	}
	io_uring_buf_ring_init(br);
	return br;
}

static int n_ring(struct n_ctx *t, const struct bench_opts *o, unsigned int entries, unsigned int cq_entries)
{
	struct io_uring_params p = { .flags = IORING_SETUP_CQSIZE | o->setup_flags, .cq_entries = cq_entries };
	int r;

	if (o->sqpoll) {
		p.flags |= IORING_SETUP_SQPOLL;
		p.sq_thread_idle = SQ_THREAD_IDLE_MS;
	}
	r = io_uring_queue_init_params(entries, &t->ring, &p);
	if (r < 0)
		return r;
	t->have_ring = true;
	(void)io_uring_register_ring_fd(&t->ring);	/* saves an fget per call where it is known */
	return 0;
}

static int n_open(struct n_ctx *t, const struct bench_opts *o, struct bench_net *net, unsigned int slots, size_t memory);

static void n_close(struct n_ctx *t)
{
	if (t->have_ring) {
		io_uring_queue_exit(&t->ring);
		rd_close(t->listener);
	}
	if (t->memory)
		munmap(t->memory, t->memory_size);
}

#include "net-ring.inc.h"

static int n_open(struct n_ctx *t, const struct bench_opts *o, struct bench_net *net, unsigned int slots, size_t memory)
{
	int r;

	t->listener = -1;
	r = n_ring(t, o, N_ENTRIES, N_CQ_ENTRIES);
	if (r < 0)
		return r;
	t->memory_size = memory;
	t->memory = mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (t->memory == MAP_FAILED) {
		t->memory = NULL;
		return -errno;
	}
	r = io_uring_register_files_sparse(&t->ring, slots);
	if (r < 0)
		return r;
	t->listener = bench_net_listen(o, net);
	if (t->listener < 0)
		return t->listener;
	r = io_uring_register_files_update(&t->ring, 0, &t->listener, 1);
	return r < 0 ? r : 0;
}

int bench_net_kernel(const struct bench_opts *o, struct bench_net *net, int ready_fd)
{
	return n_main(o, net, ready_fd);
}
