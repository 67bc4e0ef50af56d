/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server on ringd that has no socket of its own: the engine makes them, and they stay in slots of the file table. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "net.h"
#include "ringd.h"

#define N_SQE		struct ringd_sqe
#define N_CQE		struct ringd_cqe
#define N_BUF_RING	struct ringd_buf_ring
#define N_FIXED_FILE	RINGD_SQE_FIXED_FILE
#define N_BUFFER_SELECT	RINGD_SQE_BUFFER_SELECT
#define N_LINK		RINGD_SQE_IO_LINK
#define N_MORE		RINGD_CQE_F_MORE
#define N_BUFFER	RINGD_CQE_F_BUFFER
#define N_BUFFER_SHIFT	RINGD_CQE_BUFFER_SHIFT

struct n_ctx {
	struct ringd *rd;
	struct ringd_ring *ring;
	struct ringd_arena *arena;
	char *memory;
};

/* Where an address and its length lie while the engine reads or writes them: behind the buffers. */
struct n_name {
	struct sockaddr_storage addr;
	socklen_t len;
};

static inline N_SQE *n_get_sqe(struct n_ctx *t)
{
	return ringd_get_sqe(t->ring);
}

static inline unsigned int n_space(struct n_ctx *t)
{
	return ringd_sq_space_left(t->ring);
}

static inline int n_room(struct n_ctx *t)
{
	int r = ringd_submit(t->ring);

	return r >= 0 && ringd_ring_flags(t->ring) & RINGD_SETUP_SQPOLL ? ringd_sqring_wait(t->ring) : r;
}

static inline int n_submit_and_wait(struct n_ctx *t)
{
	return ringd_submit_and_wait(t->ring, 1);
}

static inline unsigned int n_peek(struct n_ctx *t, N_CQE **cqes, unsigned int max)
{
	return ringd_peek_batch_cqe(t->ring, cqes, max);
}

static inline void n_advance(struct n_ctx *t, unsigned int nr)
{
	ringd_cq_advance(t->ring, nr);
}

static inline void n_provide(N_BUF_RING *br, void *addr, unsigned int len, uint16_t bid, int mask, int offset)
{
	ringd_buf_ring_add(br, addr, len, bid, mask, offset);
}

static inline void n_provided(N_BUF_RING *br, int nr)
{
	ringd_buf_ring_advance(br, nr);
}

static N_BUF_RING *n_group(struct n_ctx *t, int bgid, unsigned int entries)
{
	int err;

	return ringd_setup_buf_ring(t->ring, entries, bgid, 0, &err);
}

static int n_open(struct n_ctx *t, const struct bench_opts *o, struct bench_net *net, unsigned int slots, size_t memory);

static void n_close(struct n_ctx *t)
{
	ringd_ring_free(t->ring);
	ringd_arena_free(t->arena);
	ringd_close(t->rd);
}

#include "net-ring.inc.h"

/* One request, and its result. */
static int n_do(struct n_ctx *t, const char *what)
{
	struct ringd_cqe *cqe;
	int r = ringd_submit_and_wait(t->ring, 1);

	if (r >= 0)
		r = ringd_wait_cqe(t->ring, &cqe);
	if (r >= 0) {
		r = cqe->res;
		ringd_cqe_seen(t->ring, cqe);
	}
	if (r < 0)
		fprintf(stderr, "ringbench: ringd: %s: %s\n", what, strerror(-r));
	return r;
}

static N_SQE *n_listener_sqe(struct n_ctx *t, uint8_t opcode)
{
	N_SQE *sqe = ringd_get_sqe(t->ring);	/* of an empty SQ, cleared */

	sqe->opcode = opcode;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	return sqe;
}

/* The listener's option is inherited by what it accepts. */
static int n_nodelay(struct n_ctx *t, const struct bench_opts *o)
{
	int one = 1;

	if (o->family != BENCH_TCP)
		return 0;
	ringd_prep_cmd_sock(t->ring, n_listener_sqe(t, RINGD_OP_NOP), RINGD_SOCKET_OP_SETSOCKOPT, 0, IPPROTO_TCP, TCP_NODELAY, &one,
			    sizeof(one));
	return n_do(t, "TCP_NODELAY");
}

static int n_listen(struct n_ctx *t, const struct bench_opts *o, struct bench_net *net, struct n_name *name)
{
	N_SQE *sqe;
	int r;

	bench_net_name(o, net);
	name->addr = net->addr;
	name->len = sizeof(name->addr);
	sqe = n_listener_sqe(t, RINGD_OP_SOCKET);
	sqe->flags = 0;
	sqe->fd = net->addr.ss_family;
	sqe->off = SOCK_STREAM;
	sqe->file_index = 1;		/* slot 0 */
	r = n_do(t, "socket");
	if (r < 0)
		return r;
	sqe = n_listener_sqe(t, RINGD_OP_BIND);
	sqe->addr = (uintptr_t)&name->addr;
	sqe->addr2 = net->addr_len;
	r = n_do(t, "bind");
	if (r == 0)
		r = n_nodelay(t, o);
	if (r < 0)
		return r;
	sqe = n_listener_sqe(t, RINGD_OP_LISTEN);
	sqe->len = NET_BACKLOG;
	r = n_do(t, "listen");
	if (r < 0)
		return r;
	sqe = n_listener_sqe(t, RINGD_OP_NOP);
	ringd_prep_cmd_getsockname(sqe, 0, (struct sockaddr *)&name->addr, &name->len, 0);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	r = n_do(t, "getsockname");
	if (r < 0)
		return r;
	net->addr = name->addr;
	net->addr_len = name->len;
	return 0;
}

static int n_set_up(struct n_ctx *t, const struct bench_opts *o, struct bench_net *net, unsigned int slots, size_t memory)
{
	struct ringd_params p = { .flags = RINGD_SETUP_CQSIZE, .cq_entries = N_CQ_ENTRIES };
	size_t name_at = (size_t)rd_align(memory, 64);
	int r;

	p.flags |= o->sqpoll ? RINGD_SETUP_SQPOLL : 0;
	r = ringd_ring_new_params(t->rd, &t->ring, N_ENTRIES, &p);
	if (r < 0)
		return r;
	r = ringd_arena_new(t->rd, &t->arena, name_at + sizeof(struct n_name), 0);
	if (r < 0)
		return r;
	t->memory = ringd_arena_base(t->arena);
	r = ringd_register_files_sparse(t->ring, slots);
	return r < 0 ? r : n_listen(t, o, net, (struct n_name *)(void *)(t->memory + name_at));
}

static int n_open(struct n_ctx *t, const struct bench_opts *o, struct bench_net *net, unsigned int slots, size_t memory)
{
	int r = ringd_connect(&t->rd, o->socket);

	if (r < 0) {
		fprintf(stderr, "ringbench: ringd: %s (%s)\n", ringd_strerror(NULL), strerror(-r));
		return r;
	}
	net->res.service_pid = ringd_engine_pid(t->rd);
	r = n_set_up(t, o, net, slots, memory);
	if (r < 0)
		fprintf(stderr, "ringbench: ringd: %s (%s)\n", ringd_strerror(t->rd), strerror(-r));
	return r;
}

int bench_net_ringd(const struct bench_opts *o, struct bench_net *net, int ready_fd)
{
	return n_main(o, net, ready_fd);
}
