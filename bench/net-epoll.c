/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server without rings: epoll, edge-triggered, non-blocking sockets, one thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "net.h"

#define EVENTS	256

struct conn {
	int fd;
	uint32_t received;
	bool want_out;
	char *rest;		/* what could not be sent, of the server's buffer size */
	uint32_t rest_len;
	size_t position;	/* of a stream */
};

struct server {
	const struct bench_opts *o;
	struct bench_net *net;
	int epfd, listener;
	unsigned int live;
	char *buf;
};

static int watch(struct server *s, struct conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events | EPOLLET, .data.ptr = c };

	return epoll_ctl(s->epfd, op, c->fd, &ev) < 0 ? -errno : 0;
}

static int want_out(struct server *s, struct conn *c, bool want)
{
	if (c->want_out == want)
		return 0;
	c->want_out = want;
	return watch(s, c, EPOLL_CTL_MOD, EPOLLIN | (want ? EPOLLOUT : 0));
}

static void hang_up(struct server *s, struct conn *c)
{
	close(c->fd);
	free(c->rest);
	free(c);
	s->live--;
}

/* Return: 1 sent, 0 the rest is kept, -errno. */
static int send_some(struct server *s, struct conn *c, const char *data, uint32_t len)
{
	ssize_t n = send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return -errno;
	n = RD_MAX(n, 0);
	if ((uint32_t)n == len)
		return 1;
	if (!c->rest)
		c->rest = malloc(s->o->bs);
	if (!c->rest)
		return -ENOMEM;
	memmove(c->rest, data + n, len - (size_t)n);
	c->rest_len = len - (uint32_t)n;
	return want_out(s, c, true);
}

static int send_rest(struct server *s, struct conn *c)
{
	uint32_t len = c->rest_len;
	int r;

	if (!len)
		return 1;
	c->rest_len = 0;
	r = send_some(s, c, c->rest, len);
	return r <= 0 ? r : RD_MIN(want_out(s, c, false), 0) + 1;
}

/* Return: 0, or an error that ends the connection. */
static int echo(struct server *s, struct conn *c)
{
	int r = send_rest(s, c);

	while (r > 0) {
		ssize_t n = recv(c->fd, s->buf, s->o->bs, MSG_DONTWAIT);

		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -ECONNRESET;
		c->received += (uint32_t)n;
		r = send_some(s, c, s->buf, (uint32_t)n);
		if (r > 0 && s->o->op == BENCH_CONNECT && c->received == s->o->bs)
			return -ECONNRESET;	/* all is said */
		if ((uint32_t)n < s->o->bs && r > 0 && s->o->op == BENCH_ECHO)
			continue;
	}
	return r;
}

static int stream(struct server *s, struct conn *c)
{
	size_t piece = s->o->bs / NET_STREAM_PIECES;

	for (;;) {
		struct iovec iov[NET_STREAM_PIECES];
		struct msghdr msg = { .msg_iov = iov };
		ssize_t n;

		/* from where it stopped to the end of the message */
		for (size_t at = c->position, to; at < s->o->bs; at = to) {
			to = (at / piece + 1) * piece;
			iov[msg.msg_iovlen++] = (struct iovec){ s->buf + at, to - at };
		}
		n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->position = (c->position + (size_t)n) % s->o->bs;
		if (bench_net_phase(s->net) == BENCH_STOP)
			return -ECONNRESET;
	}
}

static int accept_all(struct server *s)
{
	for (;;) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), r;
		struct conn *c;

		if (fd < 0)
			return errno == EAGAIN || errno == ECONNABORTED ? 0 : -errno;
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->fd = fd;
		s->live++;
		c->want_out = s->o->op == BENCH_STREAM;
		/* adding tells what is there already */
		r = watch(s, c, EPOLL_CTL_ADD, EPOLLIN | (c->want_out ? EPOLLOUT : 0));
		if (r < 0)
			return r;
	}
}

static int serve(struct server *s)
{
	struct epoll_event ev[EVENTS];
	int r = 0;

	while (r == 0 && (s->live || bench_net_phase(s->net) != BENCH_STOP)) {
		int n = epoll_wait(s->epfd, ev, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && r == 0; i++) {
			struct conn *c = ev[i].data.ptr;

			if (!c)
				r = accept_all(s);
			else if ((s->o->op == BENCH_STREAM ? stream(s, c) : echo(s, c)) < 0)
				hang_up(s, c);
		}
	}
	return r;
}

static int prepare(struct server *s)
{
	struct epoll_event ev = { .events = EPOLLIN };

	s->buf = malloc(s->o->bs);
	if (!s->buf)
		return -ENOMEM;
	if (s->o->op == BENCH_STREAM)
		bench_net_pattern((unsigned char *)s->buf, s->o->bs);
	s->listener = bench_net_listen(s->o, s->net);
	if (s->listener < 0)
		return s->listener;
	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	return s->epfd < 0 || epoll_ctl(s->epfd, EPOLL_CTL_ADD, s->listener, &ev) < 0 ? -errno : 0;
}

int bench_net_epoll(const struct bench_opts *o, struct bench_net *net, int ready_fd)
{
	struct server s = { .o = o, .net = net, .epfd = -1, .listener = -1 };
	int r = prepare(&s);

	if (r == 0 && write(ready_fd, "r", 1) != 1)
		r = -EIO;
	if (r == 0)
		r = serve(&s);
	if (r < 0)
		fprintf(stderr, "ringbench: epoll server: %s\n", strerror(-r));
	rd_close(s.epfd);
	rd_close(s.listener);
	free(s.buf);
	return r;
}
