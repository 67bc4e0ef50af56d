/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proxy PORT ADDRESS PORT: connections to the first port (of 127.0.0.1; 0: any free one) go to the address and the second.
 *
 * Each connection has two directions, and each direction two buffers: while one is being sent, the other is received into.
 * Sending is zero-copy out of one registered buffer, so a buffer is free again when its notification has come. Who does not
 * read stops who writes, since there are no more buffers than these. An end of input is passed on as one, and the other
 * direction lives on; an error ends both with a reset. All sockets are slots of the ring.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ringd.h>

#define MAX	2048u		/* connections at a time; fewer if the system says so */
#define SIZE	16384u		/* bytes of a buffer */
#define ROOM	16u		/* SQEs that one CQE leads to, at most */
#define PATIENCE	10	/* seconds, until the other side has to be there */
#define LISTENER	0	/* slots: then those of accepted connections, then those to the other side */
#define FIRST	1u

enum what { SETUP, LISTENING, ACCEPT, DROP, STEP, CONNECT, RECV, SEND, SHUT };
enum state { FREE, RECEIVING, FULL, SENDING, SENT };

struct half {
	char *buf[2];
	enum state state[2];
	unsigned int len[2];
	unsigned int in, out;		/* the buffer to receive into next, and to send next */
	bool ended;			/* nothing more comes in */
	bool shut;			/* ... and the other side is being told */
};

struct conn {
	struct half half[2];		/* from the accepted side, to the accepted side */
	int slot[2];			/* where half[i] comes from */
	unsigned int requests;		/* whose last CQE is still to come */
	unsigned int shut;		/* halves that are over */
	bool ending;
	struct conn *next;		/* free ones */
};

static struct ringd *rd;
static struct ringd_ring *ring;
static struct sockaddr_in target;
static struct { struct sockaddr_in addr; socklen_t len; } *name;	/* in the arena: the engine writes it */
static struct conn conns[MAX], *free_conns;
static unsigned int max = MAX, open_slots;
static bool accepting;

static void check(const char *what, int res)
{
	if (res >= 0)
		return;
	fprintf(stderr, "proxy: %s: %s, %s\n", what, strerror(-res), ringd_strerror(rd));
	exit(1);
}

/* user_data: connection, what, half, buffer */
static struct ringd_sqe *get(enum what what, struct conn *c, unsigned int half, unsigned int buf, unsigned int flags)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);	/* never NULL: run() leaves room */
	uint64_t index = c ? (uint64_t)(c - conns) : 0;

	ringd_sqe_set_data64(sqe, index << 16 | (uint64_t)what << 8 | half << 1 | buf);
	ringd_sqe_set_flags(sqe, flags);
	if (c)
		c->requests++;
	return sqe;
}

static void option(struct conn *c, int slot, int level, int opt, const void *value, int len, unsigned int flags)
{
	struct ringd_sqe *sqe = get(c ? STEP : SETUP, c, 0, 0, RINGD_SQE_FIXED_FILE | flags);

	ringd_prep_cmd_sock(ring, sqe, RINGD_SOCKET_OP_SETSOCKOPT, slot, level, opt, (void *)(uintptr_t)value, len);
}

/* --- a connection's life --- */

static void accept_more(void)
{
	if (accepting)
		return;
	ringd_prep_multishot_accept_direct(get(ACCEPT, NULL, 0, 0, RINGD_SQE_FIXED_FILE), LISTENER, NULL, NULL, 0);
	accepting = true;
}

/* The steps to the other side; if one fails the rest is cancelled. */
static void begin(int slot)
{
	static const int on = 1;
	const struct timespec patience = { .tv_sec = PATIENCE };
	const unsigned int linked = RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_LINK;
	struct conn *c = free_conns;

	if (!c) {	/* all wait for notifications, or more */
		ringd_prep_close_direct(get(DROP, NULL, 0, 0, 0), (unsigned int)slot);
		return;
	}
	free_conns = c->next;
	c->slot[0] = slot;
	ringd_prep_socket_direct(get(STEP, c, 0, 0, RINGD_SQE_IO_LINK), AF_INET, SOCK_STREAM, 0, (unsigned int)c->slot[1], 0);
	option(c, c->slot[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), RINGD_SQE_IO_LINK);
	option(c, c->slot[1], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on), RINGD_SQE_IO_LINK);
	ringd_prep_connect(ring, get(CONNECT, c, 0, 0, linked), c->slot[1], (struct sockaddr *)&target, sizeof(target));
	ringd_prep_link_timeout(ring, get(STEP, c, 0, 0, 0), &patience, 0);
}

static void end(struct conn *c, bool reset)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (c->ending)
		return;
	c->ending = true;
	for (unsigned int i = 0; i < 2; i++) {
		ringd_prep_cancel_fd(get(STEP, c, 0, 0, 0), c->slot[i], RINGD_ASYNC_CANCEL_FD_FIXED | RINGD_ASYNC_CANCEL_ALL);
		if (reset)	/* what is not sent yet is dropped, too; in any case close */
			option(c, c->slot[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once), RINGD_SQE_IO_HARDLINK);
		ringd_prep_close_direct(get(STEP, c, 0, 0, 0), (unsigned int)c->slot[i]);
	}
}

/* The last of its requests is done. */
static void gone(struct conn *c)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct half *h = &c->half[i];

		*h = (struct half){ .buf = { h->buf[0], h->buf[1] } };
	}
	c->shut = 0;
	c->ending = false;
	c->next = free_conns;
	free_conns = c;
	open_slots--;
	accept_more();
}

/* --- data --- */

/* Whatever can be done now. */
static void pump(struct conn *c, unsigned int i)
{
	struct half *h = &c->half[i];
	struct ringd_sqe *sqe;

	if (c->ending)
		return;
	if (!h->ended && h->state[h->in] == FREE && h->state[!h->in] != RECEIVING) {
		h->state[h->in] = RECEIVING;
		sqe = get(RECV, c, i, h->in, RINGD_SQE_FIXED_FILE);
		ringd_prep_recv(sqe, c->slot[i], h->buf[h->in], SIZE, 0);
	}
	if (h->state[h->out] == FULL && h->state[!h->out] != SENDING) {
		h->state[h->out] = SENDING;
		sqe = get(SEND, c, i, h->out, RINGD_SQE_FIXED_FILE);
		ringd_prep_send_zc_fixed(sqe, c->slot[!i], h->buf[h->out], h->len[h->out], MSG_WAITALL, 0, 0);
	}
	if (h->ended && !h->shut && h->state[0] != FULL && h->state[1] != FULL &&
	    h->state[0] != SENDING && h->state[1] != SENDING) {
		h->shut = true;
		ringd_prep_shutdown(get(SHUT, c, i, 0, RINGD_SQE_FIXED_FILE), c->slot[!i], SHUT_WR);
	}
}

static void received(struct conn *c, unsigned int i, unsigned int buf, int res)
{
	struct half *h = &c->half[i];

	h->state[buf] = res > 0 ? FULL : FREE;
	if (res < 0) {
		end(c, true);
		return;
	}
	h->ended = res == 0;
	h->len[buf] = (unsigned int)res;
	h->in = !buf;
	pump(c, i);
}

/* The result, and then the notification if there is one. */
static void sent(struct conn *c, unsigned int i, unsigned int buf, int res, unsigned int flags)
{
	struct half *h = &c->half[i];

	if (!(flags & RINGD_CQE_F_NOTIF)) {
		if (res != (int)h->len[buf])
			end(c, true);
		h->out = !buf;
	}
	h->state[buf] = flags & RINGD_CQE_F_MORE ? SENT : FREE;
	pump(c, i);
}

/* --- completions --- */

static void accepted(int res, unsigned int flags)
{
	accepting = flags & RINGD_CQE_F_MORE;
	if (res < 0 && !open_slots)	/* else there are too many, and it goes on when one is gone */
		check("accept", res);
	if (res < 0)
		return;
	open_slots++;
	accept_more();
	begin(res);
}

static void completed(uint64_t data, int res, unsigned int flags)
{
	const unsigned int half = data >> 1 & 1, buf = data & 1;
	struct conn *c = &conns[data >> 16];

	switch ((enum what)(data >> 8 & 0xff)) {
	case SETUP:
		check("listen", res);
		return;
	case LISTENING:
		check("listen", res);
		printf("proxy on port %d\n", ntohs(name->addr.sin_port));
		fflush(stdout);
		accept_more();
		return;
	case ACCEPT:
		accepted(res, flags);
		return;
	case DROP:
		open_slots--;
		accept_more();
		return;
	case CONNECT:
		if (res < 0) {
			fprintf(stderr, "proxy: connect: %s\n", strerror(res == -ECANCELED ? ETIMEDOUT : -res));
			end(c, true);
		}
		pump(c, 0);
		pump(c, 1);
		break;
	case RECV:
		received(c, half, buf, res);
		break;
	case SEND:
		sent(c, half, buf, res, flags);
		break;
	case SHUT:
		if (++c->shut == 2)
			end(c, false);
		break;
	case STEP:
		break;
	}
	if (!(flags & RINGD_CQE_F_MORE) && !--c->requests && c->ending)
		gone(c);
}

static void run(void)
{
	struct ringd_cqe *cqe;

	for (;;) {
		check("submit", ringd_submit_and_wait(ring, 1));
		while (ringd_sq_space_left(ring) >= ROOM && ringd_peek_cqe(ring, &cqe) == 0) {
			completed(cqe->user_data, cqe->res, cqe->flags);
			ringd_cqe_seen(ring, cqe);
		}
	}
}

/* --- start --- */

static void prepare(void)
{
	const size_t bytes = (size_t)MAX * 4 * SIZE;
	struct ringd_arena *arena;
	struct iovec all;
	char *mem;
	int r;

	if ((r = ringd_connect(&rd, NULL)) < 0 || (r = ringd_ring_new(rd, &ring, 512, 0)) < 0 ||
	    (r = ringd_arena_new(rd, &arena, bytes + sizeof(*name), 0)) < 0)
		check("ringd", r);
	while ((r = ringd_register_files_sparse(ring, FIRST + 2 * max)) == -EMFILE)	/* RLIMIT_NOFILE */
		max /= 2;
	check("slots", r);
	check("slots", ringd_register_file_alloc_range(ring, FIRST, max));
	mem = ringd_arena_base(arena);
	all = (struct iovec){ .iov_base = mem, .iov_len = bytes };
	check("buffers", ringd_register_buffers(ring, &all, 1));
	name = (void *)(mem + bytes);
	for (unsigned int i = max; i-- > 0;) {
		struct conn *c = &conns[i];

		for (unsigned int j = 0; j < 4; j++)
			c->half[j / 2].buf[j % 2] = mem + ((size_t)i * 4 + j) * SIZE;
		c->slot[1] = (int)(FIRST + max + i);
		c->next = free_conns;
		free_conns = c;
	}
}

int main(int argc, char **argv)
{
	static const int on = 1;
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const unsigned int link = RINGD_SQE_IO_LINK, linked = RINGD_SQE_FIXED_FILE | link;

	if (argc != 4 || inet_pton(AF_INET, argv[2], &target.sin_addr) != 1) {
		fprintf(stderr, "usage: proxy PORT ADDRESS PORT\n");
		return 2;
	}
	addr.sin_port = htons((uint16_t)atoi(argv[1]));
	target.sin_family = AF_INET;
	target.sin_port = htons((uint16_t)atoi(argv[3]));
	prepare();
	name->len = sizeof(name->addr);
	ringd_prep_socket_direct(get(SETUP, NULL, 0, 0, link), AF_INET, SOCK_STREAM, 0, LISTENER, 0);
	option(NULL, LISTENER, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), link);
	/* accepted connections inherit these */
	option(NULL, LISTENER, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on), link);
	option(NULL, LISTENER, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), link);
	ringd_prep_bind(ring, get(SETUP, NULL, 0, 0, linked), LISTENER, (struct sockaddr *)&addr, sizeof(addr));
	ringd_prep_listen(get(SETUP, NULL, 0, 0, linked), LISTENER, 4096);
	ringd_prep_cmd_getsockname(get(LISTENING, NULL, 0, 0, RINGD_SQE_FIXED_FILE), LISTENER, (struct sockaddr *)&name->addr,
				   &name->len, 0);
	run();
}
