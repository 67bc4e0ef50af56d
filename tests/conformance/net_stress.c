/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many connections at once: connects, accepts, sends, receives, cancels, shutdowns and closes in random order. What is asserted is
 * what nobody may break: a stream brings the bytes that were sent, in order, to the end; each request ends once; and on
 * ringd, when all is over, that the engine has given everything back. CF_ROUNDS multiplies; CF_SEED chooses another order.
 */
#include "cf-net.h"

#include <signal.h>

#include "daemon/common/util.h"

#define PAIRS	100u		/* at a time, so twice as many sockets */
#define ENDS	(2 * PAIRS)
#define CHUNK	4096u
#define STREAM	20000u		/* bytes of the longest */

enum what { SOCKET = 1, CONNECT, ACCEPT, SEND, RECV, SHUTDOWN, CLOSE, CANCEL };

/* One end of a connection. Ends below PAIRS call, the others are called and learn by whom. */
struct end {
	unsigned int slot, stream;	/* stream: what it sends; what it hears is ^1 */
	bool sending, receiving, named, shut, ended, closed;
	size_t to_send, sent, received;
	char *out, *in;
};

static struct cf_ring *ring;
static struct cf_bufs bufs;
static struct end ends[ENDS];
static unsigned int in_flight, open_ends, called, seed;

static unsigned int rounds(unsigned int n)
{
	const char *s = getenv("CF_ROUNDS"), *t = getenv("CF_SEED");

	seed = t ? (unsigned int)strtoul(t, NULL, 0) : 1;
	return n * (s ? (unsigned int)strtoul(s, NULL, 0) : 1);
}

static unsigned int roll(unsigned int n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static uint64_t name_of(enum what what, unsigned int e)
{
	return (uint64_t)what << 32 | e;
}

static struct ringd_sqe *queue(enum what what, unsigned int e, unsigned int op, unsigned int flags)
{
	struct ringd_sqe *sqe;

	if (cf_sq_pending(ring) >= ring->p.sq_entries - 2 && what != CONNECT)	/* that belongs to the socket before it */
		ck_assert_int_gt(cf_submit(ring), 0);
	sqe = cf_sqe_ud(ring, op, name_of(what, e), flags);
	sqe->fd = (int)ends[e].slot;
	in_flight++;
	return sqe;
}

/* --- streams --- */

static uint8_t byte_of(unsigned int stream, size_t at)
{
	return (uint8_t)(cf_pattern(at) + stream * 37);
}

/* The first four bytes of a caller's stream are its number. */
static uint8_t stream_byte(unsigned int stream, size_t at)
{
	return at < 4 && stream % 2 == 0 ? (uint8_t)(stream >> 8 * at) : byte_of(stream, at);
}

static void start_send(unsigned int e)
{
	struct end *x = &ends[e];
	size_t n = 1 + roll(CHUNK);
	struct ringd_sqe *sqe;

	n = RD_MIN(n, x->to_send - x->sent);
	for (size_t i = 0; i < n; i++)
		x->out[i] = (char)stream_byte(x->stream, x->sent + i);
	sqe = queue(SEND, e, RINGD_OP_SEND, FIXED | (roll(8) ? 0 : RINGD_SQE_ASYNC));
	sqe->addr = cf_addr(x->out);
	sqe->len = (uint32_t)n;
	sqe->msg_flags = roll(2) ? MSG_WAITALL : 0;
	sqe->ioprio = roll(4) ? 0 : RINGD_RECVSEND_POLL_FIRST;
	x->sending = true;
}

static void start_recv(unsigned int e)
{
	struct end *x = &ends[e];
	unsigned int kind = x->named ? roll(4) : 0;
	struct ringd_sqe *sqe;

	sqe = queue(RECV, e, RINGD_OP_RECV, FIXED | (kind == 3 ? SELECT : 0));
	sqe->addr = cf_addr(x->in);
	sqe->len = x->named ? 1 + roll(CHUNK) : 4;
	if (kind == 1 || !x->named)
		sqe->msg_flags = MSG_WAITALL;
	if (kind == 2)
		sqe->ioprio = RINGD_RECVSEND_POLL_FIRST;
	if (kind == 3) {
		sqe->addr = sqe->len = 0;
		sqe->buf_group = CF_BG;
		sqe->ioprio = RINGD_RECV_MULTISHOT;
	}
	x->receiving = true;
}

static void start_cancel(unsigned int e, enum what what)
{
	cf_cancel(ring, name_of(CANCEL, e), name_of(what, e));
	in_flight++;
}

/* What may be done with an end, if anything */
static void act(unsigned int e)
{
	struct end *x = &ends[e];

	if (x->closed)
		return;
	if (!x->sending && x->sent < x->to_send)
		start_send(e);
	else if (!x->sending && !x->shut && x->sent == x->to_send) {
		queue(SHUTDOWN, e, RINGD_OP_SHUTDOWN, FIXED)->len = SHUT_WR;
		x->shut = x->sending = true;
	}
	if (!x->receiving && !x->ended)
		start_recv(e);
	if (x->named && x->receiving && roll(20) == 0)
		start_cancel(e, RECV);
	if (x->sending && !x->shut && roll(20) == 0)
		start_cancel(e, SEND);
	if (x->shut && !x->sending && x->ended && !x->receiving) {
		struct ringd_sqe *sqe = queue(CLOSE, e, RINGD_OP_CLOSE, 0);

		sqe->fd = 0;
		sqe->file_index = x->slot + 1;
		x->closed = true;
		open_ends--;
	}
}

/* --- what comes back --- */

/* Somebody has called: end e, whose stream nobody knows before its name has come. */
static void was_called(int32_t slot)
{
	unsigned int e = PAIRS + called++;

	ck_assert_uint_lt(e, ENDS);
	ends[e].slot = (unsigned int)slot;
	ends[e].to_send = 0;
	start_recv(e);
}

static void take(struct end *x, const char *data, size_t n)
{
	uint32_t caller = 0;

	if (!x->named) {
		ck_assert_uint_eq(n, 4);
		for (unsigned int i = 0; i < 4; i++)
			caller |= (uint32_t)(uint8_t)data[i] << 8 * i;
		ck_assert_uint_lt(caller, ENDS);
		x->stream = caller | 1;
		x->named = true;
		x->to_send = roll(STREAM);
	} else {
		for (size_t i = 0; i < n; i++)
			ck_assert_msg((uint8_t)data[i] == stream_byte(x->stream ^ 1, x->received + i), "stream %u: byte %zu is wrong",
				      x->stream ^ 1, x->received + i);
	}
	x->received += n;
}

static void received(struct end *x, const struct cf_cqe *cqe)
{
	unsigned int bid = (cqe->flags >> RINGD_CQE_BUFFER_SHIFT) - 100, i;

	if (!(cqe->flags & MORE))
		x->receiving = false;
	if (cqe->res == -ECANCELED || cqe->res == -ENOBUFS)
		return;
	ck_assert_msg(cqe->res >= 0, "recv: %s", strerror(-cqe->res));
	if (cqe->res == 0) {
		x->ended = true;
	} else if (cqe->flags & RINGD_CQE_F_BUFFER) {
		ck_assert_uint_lt(bid, CF_BUFS);
		take(x, cf_buf(&bufs, bid), (size_t)cqe->res);
		i = bufs.tail % CF_BUFS;
		bufs.ring[i].addr = cf_addr(cf_buf(&bufs, bid));
		bufs.ring[i].bid = (uint16_t)(100 + bid);
		cf_bufs_add(&bufs, 1);
	} else {
		take(x, x->in, (size_t)cqe->res);
	}
}

static void sent(struct end *x, int32_t res)
{
	x->sending = false;
	if (res == -ECANCELED)
		return;
	ck_assert_msg(res > 0, "send: %d", res);
	x->sent += (size_t)res;
	ck_assert_uint_le(x->sent, x->to_send);
}

static void handle(const struct cf_cqe *cqe)
{
	unsigned int e = (unsigned int)cqe->user_data;
	enum what what = (enum what)(cqe->user_data >> 32);

	ck_assert_uint_lt(e, ENDS);
	if (!(cqe->flags & MORE)) {
		ck_assert_uint_gt(in_flight, 0);
		in_flight--;
	}
	switch (what) {
	case ACCEPT:
		if (cqe->flags & MORE)
			was_called(cqe->res);
		else
			ck_assert_int_eq(cqe->res, -ECANCELED);
		break;
	case SEND:
		sent(&ends[e], cqe->res);
		break;
	case RECV:
		received(&ends[e], cqe);
		break;
	case SHUTDOWN:
		ends[e].sending = false;
		ck_assert(cqe->res == 0 || cqe->res == -ENOTCONN);	/* the peer may have gone */
		break;
	case CANCEL:
		ck_assert(cqe->res == 0 || cqe->res == -ENOENT || cqe->res == -EALREADY);
		break;
	default:
		ck_assert_msg(cqe->res == 0, "%d: %s", what, strerror(-cqe->res));
	}
}

/* --- a round --- */

static void reset_ends(void)
{
	for (unsigned int e = 0; e < ENDS; e++) {
		struct end *x = &ends[e];
		char *out = x->out ? x->out : cf_alloc(CHUNK, 0), *in = x->in ? x->in : cf_alloc(CHUNK, 0);

		*x = (struct end){ .out = out, .in = in, .slot = 1 + e, .stream = 2 * e, .named = e < PAIRS };
		x->to_send = e < PAIRS ? 4 + roll(STREAM) : 0;
	}
	called = 0;
	open_ends = ENDS;
}

/* Each caller's socket is made in its slot and connected; a multishot accept has the others put where there is room. */
static void start_calls(const struct sockaddr_in *to)
{
	struct ringd_sqe *sqe = queue(ACCEPT, 0, RINGD_OP_ACCEPT, FIXED);

	sqe->fd = 0;
	sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
	sqe->file_index = ALLOC;
	for (unsigned int e = 0; e < PAIRS; e++) {
		sqe = queue(SOCKET, e, RINGD_OP_SOCKET, LINK);
		sqe->fd = AF_INET;
		sqe->off = SOCK_STREAM;
		sqe->file_index = ends[e].slot + 1;
		sqe = queue(CONNECT, e, RINGD_OP_CONNECT, FIXED);
		sqe->addr = cf_addr(to);
		sqe->addr2 = sizeof(*to);
	}
}

static void one_round(const struct sockaddr_in *to)
{
	unsigned int connected = 0;
	struct cf_cqe cqe;

	reset_ends();
	start_calls(to);
	while (connected < PAIRS || called < PAIRS) {
		ck_assert_int_ge(cf_submit(ring), 0);
		cf_wait_cqe(ring, &cqe);
		connected += cqe.user_data >> 32 == CONNECT;
		handle(&cqe);
	}
	start_cancel(0, ACCEPT);
	while (open_ends || in_flight) {
		/* an end that is not named has to hear its name first: nothing is sent to it until then */
		for (unsigned int i = 0, e = roll(ENDS); i < ENDS; i++, e = (e + 1) % ENDS) {
			if (ends[e].named && roll(2))
				act(e);
		}
		ck_assert_int_ge(cf_enter(ring, cf_sq_pending(ring), 0, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
		if (in_flight && cf_wait_cqe_for(ring, &cqe, 1))
			handle(&cqe);
		while (cf_peek(ring, &cqe))
			handle(&cqe);
	}
	for (unsigned int e = PAIRS; e < ENDS; e++) {
		const struct end *x = &ends[e], *y = &ends[x->stream / 2];

		ck_assert_uint_eq(x->received, y->to_send);
		ck_assert_uint_eq(y->received, x->to_send);
	}
	cf_expect_none(ring);
}

static void storm(unsigned int flags)
{
	const struct ringd_params p = { .flags = flags | RINGD_SETUP_CQSIZE, .cq_entries = 4096 };
	const struct ringd_file_index_range range = { .off = 1 + PAIRS, .len = PAIRS };
	unsigned int n = rounds(1);
	struct sockaddr_in addr;
	int listener = cf_tcp_listener((int)PAIRS, &addr);

	ring = cf_ring_new_params(64, p);
	cf_bufs_new(ring, &bufs, 0, CF_BUF_ROOM, CF_BUFS);
	cf_files(ring, 1 + ENDS);
	cf_file(ring, 0, listener);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, &range, 0), 0);
	for (unsigned int i = 0; i < n; i++)
		one_round(cf_in(&addr, sizeof(addr)));
}

CF_TEST(streams_are_whole_whatever_happens, 0, "100 connections, both ways, with cancels, half closes and shared buffers -> every byte in order")
{
	storm(0);
}

CF_TEST(streams_are_whole_lazily, 0, "The same on a DEFER_TASKRUN ring")
{
	storm(RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
}

/* --- connects and accepts against cancels --- */

CF_TEST(connects_and_accepts_end_once, 0, "Connects, accepts and linked timeouts, cancelled at random -> each ends once, and as many are accepted as there were")
{
	unsigned int n = rounds(200), ended[6] = { 0 }, expected[6] = { 0 };
	struct sockaddr_in addr;
	int listener = cf_tcp_listener(64, &addr), c;
	struct ringd_sqe *sqe;
	struct cf_cqe cqe;

	ring = cf_ring_new_params(64, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 1024 });
	cf_files(ring, 3);
	cf_file(ring, 0, listener);
	for (unsigned int i = 0; i < n; i++) {
		unsigned int left = 6;

		memset(ended, 0, sizeof(ended));
		sqe = cf_sqe_ud(ring, RINGD_OP_SOCKET, 0, LINK);
		sqe->fd = AF_INET;
		sqe->off = SOCK_STREAM;
		sqe->file_index = 2;
		sqe = cf_op(ring, RINGD_OP_CONNECT, 1, FIXED | LINK, 1);
		sqe->addr = cf_addr(cf_in(&addr, sizeof(addr)));
		sqe->addr2 = sizeof(addr);
		cf_link_timeout(ring, 2, roll(200) * 1000);
		sqe = cf_op(ring, RINGD_OP_ACCEPT, 3, FIXED, 0);
		sqe->file_index = 3;
		if (roll(2))
			ck_assert_int_eq(cf_submit(ring), 4);
		cf_cancel(ring, 4, roll(2) ? 1 : 3);
		cf_cancel(ring, 5, 3);
		ck_assert_int_gt(cf_submit(ring), 0);
		while (left) {
			cf_wait_cqe(ring, &cqe);
			ck_assert_uint_lt(cqe.user_data, 6);
			ck_assert_msg(!ended[cqe.user_data], "%u ends twice", (unsigned int)cqe.user_data);
			ended[cqe.user_data] = 1;
			expected[cqe.user_data] += cqe.res >= 0;
			left--;
			if (cqe.user_data == 5 && !ended[3] && cqe.res == -ENOENT)
				cf_submit(ring);
		}
		while (cf_fd_ready(listener, POLLIN) && (c = accept(listener, NULL, NULL)) >= 0)
			close(c);
	}
	ck_assert_uint_eq(expected[0], n);
	cf_expect_none(ring);
}

/* --- the end of everything --- */

/* Something of every operation that waits, runs, or has a notification to come. s: a connected pair, s[0] is the ring's */
static void fill(struct cf_ring *r, int listener, const struct sockaddr_in *deaf, const int s[2])
{
	struct msghdr *m = cf_msg(cf_alloc(64, 0), 64);
	char *data = cf_alloc(65536, 0);
	struct ringd_sqe *sqe;
	struct cf_bufs b;

	cf_files(r, 8);
	cf_file(r, 0, listener);
	cf_file(r, 1, s[0]);
	cf_bufs_new(r, &b, 0, 64, CF_BUFS);
	cf_op(r, RINGD_OP_ACCEPT, 1, FIXED, 0)->ioprio = RINGD_ACCEPT_MULTISHOT;
	sqe = cf_op(r, RINGD_OP_ACCEPT, 2, FIXED, 0);
	sqe->file_index = ALLOC;
	sqe = cf_sqe_ud(r, RINGD_OP_SOCKET, 3, LINK);
	sqe->fd = AF_INET;
	sqe->off = SOCK_STREAM;
	sqe->file_index = 3;
	sqe = cf_op(r, RINGD_OP_CONNECT, 4, FIXED, 2);
	sqe->addr = cf_addr(cf_in(deaf, sizeof(*deaf)));
	sqe->addr2 = sizeof(*deaf);
	cf_xfer(r, RINGD_OP_SEND_ZC, 5, FIXED, 1, data, 65536);
	cf_xfer(r, RINGD_OP_SEND, 6, FIXED, 1, data, 65536)->msg_flags = MSG_WAITALL;
	for (unsigned int i = 0; i < 40; i++)
		cf_xfer(r, RINGD_OP_SEND, 7, FIXED, 1, data, 65536)->msg_flags = MSG_WAITALL;
	cf_msg_op(r, RINGD_OP_SENDMSG, 8, FIXED, 1, m);
	sqe = cf_op(r, RINGD_OP_RECV, 9, FIXED | SELECT, 1);
	sqe->ioprio = RINGD_RECV_MULTISHOT;
	sqe->buf_group = CF_BG;
	cf_xfer(r, RINGD_OP_RECV, 10, FIXED, 1, data, 64)->msg_flags = MSG_WAITALL;
	cf_msg_op(r, RINGD_OP_RECVMSG, 11, FIXED, 1, m)->flags |= LINK;
	cf_link_timeout(r, 12, 1000000000000);
	cf_xfer(r, RINGD_OP_RECV, 13, FIXED | RINGD_SQE_ASYNC, 1, data, 64);
	cf_sqe_ud(r, RINGD_OP_NOP, 14, RINGD_SQE_IO_DRAIN);
	cf_submit(r);
}

static void teardown(unsigned int flags)
{
	struct sockaddr_in addr, deaf;
	int listener = cf_tcp_listener(1000, &addr), s[2];
	unsigned int n = rounds(20);
	char *data = malloc(65536);

	cf_deaf_listener(&deaf);
	for (unsigned int i = 0; i < n; i++) {
		struct cf_ring *r = cf_ring_new_params(128, (struct ringd_params){ .flags = flags });

		cf_tcp_pair(s);
		fill(r, listener, &deaf, s);
		if (i % 3 == 1)
			cf_put(s[1], "hello");
		if (i % 3 == 2)
			close(cf_tcp_connect(&addr));
		close(s[0]);
		cf_ring_free(r);
		/* what was sent comes, then the end: no ring has the other socket any more */
		for (ssize_t got = 1; got > 0;) {
			cf_wait_fd(s[1], POLLIN);
			got = recv(s[1], data, 65536, 0);
		}
		close(s[1]);
	}
	free(data);
}

CF_TEST(rings_go_with_sockets_in_flight, 0, "Rings closed with accepts, connects, sends, receives and notifications under way -> the peers see the end")
{
	teardown(0);
}

CF_TEST(lazy_rings_go_with_sockets_in_flight, 0, "The same with DEFER_TASKRUN")
{
	teardown(RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
}

CF_TEST(sqpoll_rings_go_with_sockets_in_flight, 0, "The same with SQPOLL")
{
	teardown(RINGD_SETUP_SQPOLL);
}

CF_TEST(clients_go_with_sockets_in_flight, 429, "Client killed with requests of sockets in flight -> its sockets are released, the peers see the end")
{
	struct sockaddr_in addr, deaf;
	int listener = cf_tcp_listener(1000, &addr), s[2];
	unsigned int n = rounds(10);
	char data[4096];
	pid_t pid;

	cf_deaf_listener(&deaf);
	for (unsigned int i = 0; i < n; i++) {
		cf_tcp_pair(s);
		pid = cf_fork();
		if (pid == 0) {
			cf_forked();
			close(s[1]);
			fill(cf_ring_new(128, i % 2 ? RINGD_SETUP_SQPOLL : 0), listener, &deaf, s);
			kill(getpid(), SIGKILL);
		}
		close(s[0]);
		ck_assert_int_eq(cf_child_wait(pid), 128 + SIGKILL);
		for (ssize_t got = 1; got > 0;) {
			cf_wait_fd(s[1], POLLIN);
			got = recv(s[1], data, sizeof(data), 0);
		}
		close(s[1]);
	}
}
