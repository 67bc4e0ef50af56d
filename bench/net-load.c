/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All clients of a server in one thread: epoll, edge-triggered. It is the same for all targets, and as cheap as it can be made,
 * because it shares the machine with what it measures.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "net-load.h"
#include "proc.h"

#define LOAD_EVENTS		256
#define LOAD_LOOK_MS		50	/* a load that hears nothing looks at the phase so often */
#define LOAD_PORTS		20000u	/* connections from one address */
#define LOAD_PATIENCE_S		20	/* that an answer may take while connections are set up */
#define LOAD_STREAM_BUFFER	(256u << 10)

/* One address has no more than about 28,000 ports to come from; loopback has many addresses. */
static int bind_source(const struct load *l, int fd)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	int one = 1;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + l->made / LOAD_PORTS % 200);
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		return -errno;
	return bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 ? -errno : 0;
}

int load_connect(struct load *l)
{
	RD_CLOSE int fd = socket(l->net->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = LOAD_PATIENCE_S };
	int r = 0;

	if (fd < 0)
		return -errno;
	if (l->o->family == BENCH_TCP)
		r = bind_source(l, fd);
	if (r < 0)
		return r;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(fd, (struct sockaddr *)&l->net->addr, l->net->addr_len) < 0)
		return -errno;
	l->made++;
	return rd_steal_fd(&fd);
}

int load_watch(struct load *l, struct load_conn *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };

	return epoll_ctl(l->epfd, op, c->fd, &ev) < 0 ? -errno : 0;
}

int load_turn(struct load *l, int (*event)(struct load *, struct load_conn *, uint32_t))
{
	struct epoll_event ev[LOAD_EVENTS];
	int n = epoll_wait(l->epfd, ev, LOAD_EVENTS, LOAD_LOOK_MS), r = 0;

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n && r == 0; i++)
		r = event(l, ev[i].data.ptr, ev[i].events);
	return r;
}

bool load_go_on(struct load *l)
{
	enum bench_phase phase = bench_net_phase(l->net);

	if (RD_LIKELY(phase == l->seen))
		return true;
	l->seen = phase;
	if (phase == BENCH_RUN) {
		l->t0 = rd_now_ns();
		l->ops = l->bytes = 0;
		return true;
	}
	l->net->res.ns = rd_now_ns() - l->t0;
	l->net->res.ops = l->o->op == BENCH_STREAM ? l->bytes / l->o->bs : l->ops;
	return false;
}

static int load_run(struct load *l)
{
	static int (*const starts[])(struct load *) = {
		[BENCH_ECHO] = load_echo_start, [BENCH_STREAM] = load_stream_start, [BENCH_CONNECT] = load_connect_start,
	};
	static int (*const events[])(struct load *, struct load_conn *, uint32_t) = {
		[BENCH_ECHO] = load_echo_event, [BENCH_STREAM] = load_stream_event, [BENCH_CONNECT] = load_connect_event,
	};
	int r = starts[l->o->op](l);

	while (r == 0 && load_go_on(l))
		r = load_turn(l, events[l->o->op]);
	/* a server of short connections may have none at the moment it is told to end, and does */
	return r < 0 && r != -EBADMSG && bench_net_phase(l->net) == BENCH_STOP && !load_go_on(l) ? 0 : r;
}

static int load_open(struct load *l)
{
	size_t size = bench_net_pattern_size(l->o);

	l->buf_size = RD_MAX((size_t)l->o->bs, (size_t)LOAD_STREAM_BUFFER);
	l->pattern = malloc(size);
	l->buf = malloc(l->buf_size);
	l->conns = calloc(l->o->conns, sizeof(*l->conns));
	l->idle = calloc(RD_MAX(l->o->idle_conns, 1u), sizeof(*l->idle));
	if (!l->pattern || !l->buf || !l->conns || !l->idle)
		return -ENOMEM;
	bench_net_pattern(l->pattern, size);
	for (unsigned int i = 0; i < l->o->conns; i++)
		l->conns[i].fd = -1;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	return l->epfd < 0 ? -errno : 0;
}

static void load_close(struct load *l)
{
	for (unsigned int i = 0; l->conns && i < l->o->conns; i++)
		rd_close(l->conns[i].fd);
	while (l->n_idle)
		rd_close(l->idle[--l->n_idle]);
	rd_close(l->epfd);
	free(l->pattern);
	free(l->buf);
	free(l->conns);
	free(l->idle);
}

int bench_net_load(const struct bench_opts *o, struct bench_net *net, int ready_fd)
{
	struct load l = { .o = o, .net = net, .epfd = -1, .seen = BENCH_WARMUP };
	int r = load_open(&l);

	if (r == 0 && o->op == BENCH_ECHO)
		r = load_echo_prepare(&l);
	if (r == 0 && write(ready_fd, "r", 1) != 1)
		r = -EIO;
	if (r == 0)
		r = load_run(&l);
	load_close(&l);
	if (r < 0)
		fprintf(stderr, "ringbench: load: %s\n",
			r == -EBADMSG ? "what came back is not what was sent" : strerror(-r));
	return r;
}
