/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the clients of each kind of server do. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "net-load.h"
#include "proc.h"

#define SAMPLE		64u	/* bytes of a stream that are compared ... */
#define SAMPLE_EVERY	4096u	/* ... of so many: comparing all would take as long as receiving */

/* --- echo: one message at a time on each connection --- */

static const unsigned char *message(const struct load *l, const struct load_conn *c)
{
	return l->pattern + ((size_t)(c - l->conns) * 131 + (size_t)c->seq * 17) % NET_PATTERN_EXTRA;
}

static int send_rest(struct load *l, struct load_conn *c)
{
	while (c->sent < l->o->bs) {
		ssize_t n = send(c->fd, message(l, c) + c->sent, l->o->bs - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			if (!c->want_out)
				c->want_out = load_watch(l, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT | EPOLLET) == 0;
			return c->want_out ? 0 : -EIO;
		}
		if (n < 0)
			return -errno;
		c->sent += (uint32_t)n;
	}
	if (RD_LIKELY(!c->want_out))
		return 0;
	c->want_out = false;
	return load_watch(l, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLET);
}

static int send_message(struct load *l, struct load_conn *c)
{
	c->sent = c->got = 0;
	if (l->o->latency)
		c->start = rd_now_ns();
	return send_rest(l, c);
}

/* Return: bytes, 0 when there are none now; -ECONNRESET: the server hung up. What came is as it was sent. */
static ssize_t receive_some(struct load *l, struct load_conn *c, int flags)
{
	ssize_t n = recv(c->fd, l->buf, l->o->bs - c->got, flags);

	if (n < 0)
		return errno == EAGAIN && flags & MSG_DONTWAIT ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (memcmp(l->buf, message(l, c) + c->got, (size_t)n) != 0)
		return -EBADMSG;
	c->got += (uint32_t)n;
	return n;
}

static void message_done(struct load *l, struct load_conn *c)
{
	if (l->o->latency && l->seen == BENCH_RUN)
		bench_hist_add(l->net->res.hist, rd_now_ns() - c->start);
	l->ops++;
	c->seq++;
}

/* There and back, waiting. A message may be larger than what is on its way in sockets, so both directions go on in turns. */
static int say_hello(struct load *l, struct load_conn *c)
{
	c->sent = c->got = 0;
	while (c->got < l->o->bs) {
		ssize_t n = 0;

		if (c->sent < l->o->bs) {
			n = send(c->fd, message(l, c) + c->sent, RD_MIN(l->o->bs - c->sent, 4096u), MSG_NOSIGNAL);
			if (n < 0)
				return -errno;
			c->sent += (uint32_t)n;
		}
		n = receive_some(l, c, 0);
		if (n < 0)
			return (int)n;
	}
	c->seq++;
	return 0;
}

/* Idle ones have no place of their own in the pattern: the first connection lends them its. */
static int connect_idle(struct load *l)
{
	uint64_t server, service;
	struct load_conn c;
	int r = 0;

	server = bench_memory(l->net->server_pid);
	service = bench_memory(l->net->res.service_pid);
	while (r == 0 && l->n_idle < l->o->idle_conns) {
		int fd = load_connect(l);

		if (fd < 0)
			return fd;
		l->idle[l->n_idle++] = fd;
		c = l->conns[0];
		l->conns[0].fd = fd;
		r = say_hello(l, &l->conns[0]);
		l->conns[0] = c;
	}
	if (!l->o->idle_conns)
		return r;
	l->net->server_memory = bench_memory(l->net->server_pid) - server;
	l->net->service_memory = bench_memory(l->net->res.service_pid) - service;
	l->net->grown_by = l->o->idle_conns;
	return r;
}

int load_echo_prepare(struct load *l)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < l->o->conns; i++) {
		struct load_conn *c = &l->conns[i];

		c->fd = load_connect(l);
		r = c->fd < 0 ? c->fd : say_hello(l, c);
		if (r == 0)
			r = load_watch(l, c, EPOLL_CTL_ADD, EPOLLIN | EPOLLET);
	}
	return r == 0 ? connect_idle(l) : r;
}

int load_echo_start(struct load *l)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < l->o->conns; i++)
		r = send_message(l, &l->conns[i]);
	return r;
}

int load_echo_event(struct load *l, struct load_conn *c, uint32_t events)
{
	int r = events & EPOLLOUT ? send_rest(l, c) : 0;
	ssize_t n;

	if (r < 0)
		return r;
	/* edge-triggered: until nothing is there, or the message is complete, behind which nothing can be */
	while ((n = receive_some(l, c, MSG_DONTWAIT)) > 0) {
		if (c->got < l->o->bs)
			continue;
		message_done(l, c);
		return send_message(l, c);
	}
	return (int)n;
}

/* --- connect: connect, one message there and back, end of file, close --- */

static int restart(struct load *l, struct load_conn *c)
{
	/* no TIME_WAIT, which would use up the ports: the server closed first, and is told that nobody is here any more */
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	int r;

	if (c->fd >= 0) {
		if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none)) < 0)
			return -errno;
		rd_close(c->fd);
	}
	c->fd = load_connect(l);
	if (c->fd < 0)
		return c->fd;
	c->want_out = false;
	r = send_message(l, c);
	return r < 0 ? r : load_watch(l, c, EPOLL_CTL_ADD, EPOLLIN | EPOLLET);
}

int load_connect_start(struct load *l)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < l->o->conns; i++)
		r = restart(l, &l->conns[i]);
	return r;
}

int load_connect_event(struct load *l, struct load_conn *c, uint32_t events)
{
	int r = events & EPOLLOUT ? send_rest(l, c) : 0;
	ssize_t n = 1;

	if (r < 0)
		return r;
	while (c->got < l->o->bs && n > 0)
		n = receive_some(l, c, MSG_DONTWAIT);
	if (n <= 0)
		return (int)n;
	n = recv(c->fd, l->buf, 1, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n > 0)
		return -EBADMSG;
	message_done(l, c);
	return restart(l, c);
}

/* --- stream: the server sends, the same message again and again --- */

static bool stream_right(const struct load *l, const struct load_conn *c, size_t n)
{
	for (size_t at = 0; at < n; at += SAMPLE_EVERY) {
		size_t place = (c->position + at) % l->o->bs, len = RD_MIN((size_t)SAMPLE, n - at);

		if (memcmp(l->buf + at, l->pattern + place, RD_MIN(len, l->o->bs - place)) != 0)
			return false;
	}
	return true;
}

int load_stream_start(struct load *l)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < l->o->conns; i++) {
		struct load_conn *c = &l->conns[i];

		c->fd = load_connect(l);
		r = c->fd < 0 ? c->fd : load_watch(l, c, EPOLL_CTL_ADD, EPOLLIN);
	}
	return r;
}

int load_stream_event(struct load *l, struct load_conn *c, uint32_t events)
{
	ssize_t n = recv(c->fd, l->buf, l->buf_size, MSG_DONTWAIT);

	(void)events;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if (!stream_right(l, c, (size_t)n))
		return -EBADMSG;
	c->position = (c->position + (size_t)n) % l->o->bs;
	l->bytes += (uint64_t)n;
	return 0;
}
