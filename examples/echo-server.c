/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo-server [PORT]: what comes over a TCP connection goes back. This program has no socket: the listener and all
 * connections are slots of its ring. Each connection has one request in flight: a receive that takes as many buffers out of
 * a common ring of them as it needs, or a send of just those, with the next receive linked to it.
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ringd.h>

enum { SLOTS = 8192, BUFS = 4096, LEN = 4096, MOST = 16 };	/* a connection has at most MOST buffers of LEN bytes */
enum { SETUP, LISTENING, ACCEPT, RECV, SEND, CLOSE };		/* upper half of user_data; the lower one is the slot */

static struct connection {
	unsigned short bids[MOST], n;	/* buffers that are being sent */
	int next;			/* in the list of those that wait for buffers */
} conns[SLOTS];

static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_buf_ring *bufs;
static char *mem;
static struct { struct sockaddr_in addr; socklen_t len; } *name;	/* in the arena: the engine writes it */
static unsigned short order[BUFS], place[BUFS], tail;	/* which buffer is at a place of the ring, where each one is */
static int hungry = -1, held, connected, accepting;

static void check(const char *what, int res)
{
	if (res < 0)
		errx(1, "%s: %s, %s", what, strerror(-res), ringd_strerror(rd));
}

static struct ringd_sqe *get(uint64_t what, int slot, unsigned int flags)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);	/* never NULL: main() leaves room for what one CQE leads to */

	ringd_sqe_set_data64(sqe, what << 32 | (unsigned int)slot);
	ringd_sqe_set_flags(sqe, flags);
	return sqe;
}

static void receive(int slot)
{
	struct ringd_sqe *sqe = get(RECV, slot, RINGD_SQE_FIXED_FILE | RINGD_SQE_BUFFER_SELECT);

	ringd_prep_recv(sqe, slot, NULL, MOST * LEN, 0);
	sqe->ioprio |= RINGD_RECVSEND_BUNDLE;
}

/* A buffer is free: one of those that wait for one may try again. */
static void provide(int bid)
{
	int slot = hungry;

	place[bid] = tail++ % BUFS;
	order[place[bid]] = (unsigned short)bid;
	ringd_buf_ring_add(bufs, mem + bid * LEN, LEN, (unsigned short)bid, ringd_buf_ring_mask(BUFS), 0);
	ringd_buf_ring_advance(bufs, 1);
	if (slot >= 0) {
		hungry = conns[slot].next;
		receive(slot);
	}
}

/* res bytes are in the first buffer and those behind it in the ring. Back with them, and then more. */
static void received(int slot, int res, unsigned int first)
{
	struct connection *c = &conns[slot];
	struct iovec iov[MOST];

	if (res == -ENOBUFS && held == BUFS) {
		c->next = hungry;
		hungry = slot;
	} else if (res == -ENOBUFS) {
		receive(slot);
	} else if (res <= 0) {	/* the end, an error, or -ECANCELED: the send before it failed */
		ringd_prep_close_direct(get(CLOSE, slot, 0), (unsigned int)slot);
	} else {
		for (c->n = 0; res > 0; res -= LEN, c->n++, held++) {
			c->bids[c->n] = order[(place[first] + c->n) % BUFS];
			iov[c->n].iov_base = mem + c->bids[c->n] * LEN;
			iov[c->n].iov_len = res < LEN ? (size_t)res : LEN;
		}
		ringd_prep_sendv(ring, get(SEND, slot, RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_LINK), slot, iov, c->n, MSG_WAITALL);
		receive(slot);
	}
}

static void completed(uint64_t what, int slot, int res, unsigned int flags)
{
	if (what == RECV)
		received(slot, res, flags >> RINGD_CQE_BUFFER_SHIFT);
	else if (what == SEND)
		for (held -= conns[slot].n; conns[slot].n; )
			provide(conns[slot].bids[--conns[slot].n]);
	else if (what == ACCEPT && res > 0 && ++connected)
		receive(res);
	else if (what == CLOSE)
		connected--;
	else if (!connected)	/* else there are too many connections: the next CLOSE brings it on */
		check("listen", res);
	if (what == ACCEPT)
		accepting = (flags & RINGD_CQE_F_MORE) != 0;
	if (what == LISTENING)
		dprintf(1, "echo on port %d\n", ntohs(name->addr.sin_port));
	if (!accepting && (what == LISTENING || what == CLOSE || (what == ACCEPT && res > 0))) {
		ringd_prep_multishot_accept_direct(get(ACCEPT, 0, RINGD_SQE_FIXED_FILE), 0, NULL, NULL, 0);
		accepting = 1;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const unsigned int linked = RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_LINK;
	struct ringd_arena *arena;
	struct ringd_cqe *cqe;
	int r, one = 1, slots = SLOTS;

	addr.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 0));
	if ((r = ringd_connect(&rd, NULL)) < 0 || (r = ringd_ring_new(rd, &ring, 256, 0)) < 0 ||
	    (r = ringd_arena_new(rd, &arena, BUFS * LEN + sizeof(*name), 0)) < 0 ||
	    !(bufs = ringd_setup_buf_ring(ring, BUFS, 0, 0, &r)))
		check("ringd", r);
	while ((r = ringd_register_files_sparse(ring, (unsigned int)slots)) == -EMFILE)	/* RLIMIT_NOFILE */
		slots /= 2;
	check("slots", r);
	mem = ringd_arena_base(arena);
	for (int bid = 0; bid < BUFS; bid++)
		provide(bid);
	name = (void *)(mem + BUFS * LEN);
	name->len = sizeof(name->addr);
	ringd_prep_socket_direct(get(SETUP, 0, RINGD_SQE_IO_LINK), AF_INET, SOCK_STREAM, 0, 0, 0);
	ringd_prep_cmd_sock(ring, get(SETUP, 0, linked), RINGD_SOCKET_OP_SETSOCKOPT, 0, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ringd_prep_bind(ring, get(SETUP, 0, linked), 0, (struct sockaddr *)&addr, sizeof(addr));
	ringd_prep_listen(get(SETUP, 0, linked), 0, 4096);
	ringd_prep_cmd_getsockname(get(LISTENING, 0, RINGD_SQE_FIXED_FILE), 0, (struct sockaddr *)&name->addr, &name->len, 0);
	for (;;) {
		check("submit", ringd_submit_and_wait(ring, 1));
		while (ringd_sq_space_left(ring) > MOST && ringd_peek_cqe(ring, &cqe) == 0) {
			completed(cqe->user_data >> 32, (int)(uint32_t)cqe->user_data, cqe->res, cqe->flags);
			ringd_cqe_seen(ring, cqe);
		}
	}
}
