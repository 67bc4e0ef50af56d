/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netpeer: one end of a conversation over sockets that only ringd has.
 *
 *	serve ADDR PORT BYTES	listen, say "ready", take one connection and exchange that many bytes each way
 *	call ADDR PORT BYTES	the other side of it
 *	echo ADDR PORT		say "ready" and send back datagrams, until an empty one comes
 *	ask ADDR PORT COUNT	have that many datagrams sent back, each again until it is
 *	try ADDR PORT MS	connect, with a linked timeout
 *	cancel ADDR PORT MS	connect, and cancel that after so long
 *
 * Every byte that comes is compared with what must come there. "half" is said when half of an exchange has come. Failures
 * are told on standard error, as "WHAT: strerror"; status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ringd.h>

#define CHUNK	65536u
#define ASK_NS	150000000	/* then a datagram or its answer counts as lost */
#define ASK_MAX	100		/* in all */

enum { LISTENER, CONN, SLOTS };
enum { SENT = 1, RECEIVED, TIMEOUT, CONNECTED, CANCELLED };

static struct ringd *rd;
static struct ringd_ring *ring;
static char *out, *in;		/* CHUNK each, in the arena */
static struct sockaddr_in addr;

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	return 1;
}

static int set_up(const char *ip, const char *port)
{
	struct ringd_arena *arena;
	int r = ringd_connect(&rd, NULL);

	addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	if (r == 0 && inet_pton(AF_INET, ip, &addr.sin_addr) != 1)
		r = -EINVAL;
	if (r == 0)
		r = ringd_ring_new(rd, &ring, 16, 0);
	if (r == 0)
		r = ringd_arena_new(rd, &arena, 2u * CHUNK, 0);
	if (r == 0)
		r = ringd_register_files_sparse(ring, SLOTS);
	if (r < 0)
		return r;
	out = ringd_arena_base(arena);
	in = out + CHUNK;
	return 0;
}

/* --- requests --- */

static struct ringd_sqe *mark(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags)
{
	ringd_sqe_set_data64(sqe, user_data);
	ringd_sqe_set_flags(sqe, flags);
	return sqe;
}

/* Wait for the next CQE: its result, and its user_data in *user_data unless NULL */
static int next(uint64_t *user_data)
{
	struct ringd_cqe *cqe;
	int r = ringd_submit_and_wait(ring, 1);

	if (r < 0 || (r = ringd_peek_cqe(ring, &cqe)) < 0) {
		fail("ring", r);
		exit(1);
	}
	r = cqe->res;
	if (user_data)
		*user_data = cqe->user_data;
	ringd_cqe_seen(ring, cqe);
	return r;
}

static int new_socket(unsigned int slot, int type)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ringd_prep_socket_direct(sqe, AF_INET, type, 0, slot, 0);
	mark(sqe, 0, 0);
	return next(NULL);
}

static int bind_socket(unsigned int slot)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ringd_prep_bind(ring, sqe, (int)slot, (const struct sockaddr *)&addr, sizeof(addr));
	mark(sqe, 0, RINGD_SQE_FIXED_FILE);
	return next(NULL);
}

static void queue_connect(unsigned int flags)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ringd_prep_connect(ring, sqe, CONN, (const struct sockaddr *)&addr, sizeof(addr));
	mark(sqe, CONNECTED, RINGD_SQE_FIXED_FILE | flags);
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* --- streams --- */

/* Byte number at of what side 0 or 1 sends */
static char pattern(size_t at, unsigned int side)
{
	return (char)((at * 2654435761u >> 13) + at / 4093 + side * 85);
}

struct exchange {
	unsigned int side;
	size_t bytes, sent, received;
	bool sending, ended, told;
};

static void queue_send(struct exchange *x)
{
	size_t n = x->bytes - x->sent < CHUNK ? x->bytes - x->sent : CHUNK;
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	if (n == 0) {
		ringd_prep_shutdown(sqe, CONN, SHUT_WR);
	} else {
		for (size_t i = 0; i < n; i++)
			out[i] = pattern(x->sent + i, x->side);
		ringd_prep_send(sqe, CONN, out, n, x->sent / CHUNK % 2 ? MSG_WAITALL : 0);
	}
	mark(sqe, SENT, RINGD_SQE_FIXED_FILE);
}

static void queue_recv(unsigned int flags)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ringd_prep_recv(sqe, CONN, in, CHUNK, 0);
	mark(sqe, RECEIVED, RINGD_SQE_FIXED_FILE | flags);
}

static int take(struct exchange *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (in[i] != pattern(x->received + i, !x->side)) {
			fprintf(stderr, "byte %zu is wrong\n", x->received + i);
			return 1;
		}
	}
	x->received += n;
	if (!x->told && x->received >= x->bytes / 2) {
		puts("half");
		fflush(stdout);
		x->told = true;
	}
	return 0;
}

static int exchange(unsigned int side, size_t bytes)
{
	struct exchange x = { .side = side, .bytes = bytes, .sending = true };
	uint64_t what;

	queue_send(&x);
	queue_recv(0);
	while (x.sending || !x.ended) {
		int r = next(&what);

		if (r < 0)
			return fail(what == SENT ? "send" : "recv", r);
		if (what == SENT) {
			x.sending = x.sent < bytes;
			x.sent += (size_t)r;
			if (x.sending)
				queue_send(&x);
		} else if (r == 0) {
			x.ended = true;
		} else {
			if (take(&x, (size_t)r))
				return 1;
			queue_recv(0);
		}
	}
	if (x.received != bytes) {
		fprintf(stderr, "%zu bytes instead of %zu\n", x.received, bytes);
		return 1;
	}
	printf("exchanged %zu bytes\n", bytes);
	return 0;
}

static int serve(size_t bytes)
{
	struct ringd_sqe *sqe;
	int r = new_socket(LISTENER, SOCK_STREAM);

	if (r == 0)
		r = bind_socket(LISTENER);
	if (r == 0) {
		sqe = ringd_get_sqe(ring);
		ringd_prep_listen(sqe, LISTENER, 4);
		mark(sqe, 0, RINGD_SQE_FIXED_FILE);
		r = next(NULL);
	}
	if (r < 0)
		return fail("listen", r);
	ready();
	sqe = ringd_get_sqe(ring);
	ringd_prep_accept_direct(sqe, LISTENER, NULL, NULL, 0, CONN);
	mark(sqe, 0, RINGD_SQE_FIXED_FILE);
	r = next(NULL);
	return r < 0 ? fail("accept", r) : exchange(0, bytes);
}

static int call(size_t bytes)
{
	int r = new_socket(CONN, SOCK_STREAM);

	if (r < 0)
		return fail("socket", r);
	queue_connect(0);
	r = next(NULL);
	return r < 0 ? fail("connect", r) : exchange(1, bytes);
}

/* One that may hang: after ms it is not wanted any more. */
static int try_connect(int ms, bool cancel)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };
	struct ringd_sqe *sqe;
	int r = new_socket(CONN, SOCK_STREAM), res = 0, other = 0;
	uint64_t what;

	if (r < 0)
		return fail("socket", r);
	queue_connect(cancel ? 0 : RINGD_SQE_IO_LINK);
	sqe = ringd_get_sqe(ring);
	if (cancel) {
		ringd_prep_timeout(ring, sqe, &ts, 0, 0);
		mark(sqe, TIMEOUT, RINGD_SQE_IO_HARDLINK);
		sqe = ringd_get_sqe(ring);
		ringd_prep_cancel64(sqe, CONNECTED, 0);
		mark(sqe, CANCELLED, 0);
	} else {
		ringd_prep_link_timeout(ring, sqe, &ts, 0);
		mark(sqe, TIMEOUT, 0);
	}
	for (int n = cancel ? 3 : 2; n; n--) {
		r = next(&what);
		if (what == CONNECTED)
			res = r;
		else if (what == CANCELLED || !cancel)
			other = r;
	}
	printf("connect %s, %s %s\n", strerror(-res), cancel ? "cancel" : "timeout", strerror(-other));
	return res < 0;
}

/* --- datagrams --- */

static int echo(void)
{
	struct msghdr *msg = (void *)(out + 4096);
	struct iovec *iov = (void *)(out + 8192);
	struct sockaddr_in *from = (void *)(out + 12288);
	struct ringd_sqe *sqe;
	int r = new_socket(CONN, SOCK_DGRAM);

	if (r == 0)
		r = bind_socket(CONN);
	if (r < 0)
		return fail("bind", r);
	ready();
	for (;;) {
		*iov = (struct iovec){ in, CHUNK };
		*msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1, .msg_name = from, .msg_namelen = sizeof(*from) };
		sqe = ringd_get_sqe(ring);
		ringd_prep_recvmsg(ring, sqe, CONN, msg, 0);
		mark(sqe, RECEIVED, RINGD_SQE_FIXED_FILE);
		r = next(NULL);
		if (r < 0)
			return fail("recvmsg", r);
		if (r == 0)
			return 0;
		iov->iov_len = (size_t)r;
		msg->msg_control = NULL;
		sqe = ringd_get_sqe(ring);
		ringd_prep_sendmsg(ring, sqe, CONN, msg, 0);
		mark(sqe, SENT, RINGD_SQE_FIXED_FILE);
		r = next(NULL);
		if (r < 0)
			return fail("sendmsg", r);
	}
}

static int send_to(size_t n)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ringd_prep_sendto(ring, sqe, CONN, out, n, 0, (const struct sockaddr *)&addr, sizeof(addr));
	mark(sqe, SENT, RINGD_SQE_FIXED_FILE);
	return next(NULL);
}

/* The answer to number i: 1, 0 when none came in time, or an error. Others, which were late, are passed over. */
static int answer(unsigned int i, size_t n)
{
	const struct timespec ts = { .tv_nsec = ASK_NS };
	struct ringd_sqe *sqe;
	unsigned int number;
	uint64_t what;
	int res, r;

	for (;;) {
		queue_recv(RINGD_SQE_IO_LINK);
		sqe = ringd_get_sqe(ring);
		ringd_prep_link_timeout(ring, sqe, &ts, 0);
		mark(sqe, TIMEOUT, 0);
		res = 0;
		for (int k = 0; k < 2; k++) {
			r = next(&what);
			if (what == RECEIVED)
				res = r;
		}
		if (res == -ECANCELED)
			return 0;
		if (res < 0)
			return res;
		memcpy(&number, in, sizeof(number));
		if (number == i)
			return (size_t)res == n && !memcmp(in, out, n) ? 1 : -EBADMSG;
	}
}

static int ask(unsigned int count)
{
	unsigned int again = 0;
	int r = new_socket(CONN, SOCK_DGRAM);

	if (r < 0)
		return fail("socket", r);
	for (unsigned int i = 0; i < count; i++) {
		size_t n = sizeof(i) + i * 37 % 1200;

		for (size_t k = 0; k < n; k++)
			out[k] = pattern(k, i);
		memcpy(out, &i, sizeof(i));
		for (;; again++) {
			r = send_to(n);
			if (r < 0)
				return fail("send", r);
			r = answer(i, n);
			if (r < 0)
				return fail("recv", r);
			if (r == 1)
				break;
			if (again == ASK_MAX)
				return fail("ask", -ETIMEDOUT);
		}
	}
	printf("%u answers, %u sent again\n", count, again);
	for (int i = 0; i < 10; i++)
		send_to(0);		/* one of them gets there */
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	int r;

	if (argc < 4)
		return 2;
	r = set_up(argv[2], argv[3]);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", strerror(-r), ringd_strerror(rd));
		return 1;
	}
	if (!strcmp(argv[1], "serve"))
		r = serve(n);
	else if (!strcmp(argv[1], "call"))
		r = call(n);
	else if (!strcmp(argv[1], "echo"))
		r = echo();
	else if (!strcmp(argv[1], "ask"))
		r = ask((unsigned int)n);
	else
		r = try_connect((int)n, argv[1][0] == 'c');
	ringd_close(rd);
	return r;
}
