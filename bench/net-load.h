/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load of a server: what its operations share. */
#ifndef RD_BENCH_NET_LOAD_H
#define RD_BENCH_NET_LOAD_H

#include "net.h"

struct load_conn {
	int fd;
	uint32_t seq;		/* messages sent before this one */
	uint32_t sent, got;	/* bytes of this one */
	bool want_out;		/* epoll tells when there is room */
	uint64_t start;		/* with --latency: when the first byte was sent */
	uint64_t position;	/* of a stream, modulo its message */
};

struct load {
	const struct bench_opts *o;
	struct bench_net *net;
	int epfd;
	unsigned char *pattern, *buf;
	size_t buf_size;
	struct load_conn *conns;	/* o->conns of them */
	int *idle;			/* descriptors, o->idle_conns */
	unsigned int n_idle, made;	/* connections made so far, of all kinds */
	enum bench_phase seen;
	uint64_t ops, bytes;		/* since t0 */
	uint64_t t0;
};

/* A connected socket, or -errno. It blocks, so that setting up is simple; the measured loops say MSG_DONTWAIT. */
int load_connect(struct load *l);
/* One round of epoll_wait(): calls event for each connection that has something. */
int load_turn(struct load *l, int (*event)(struct load *, struct load_conn *, uint32_t));
int load_watch(struct load *l, struct load_conn *c, int op, uint32_t events);
/* The phase may have changed. False: the end. */
bool load_go_on(struct load *l);

/* All connections, the idle ones too, and one message there and back on each: then each is accepted and waited for. */
int load_echo_prepare(struct load *l);
int load_echo_start(struct load *l);
int load_echo_event(struct load *l, struct load_conn *c, uint32_t events);
int load_connect_start(struct load *l);
int load_connect_event(struct load *l, struct load_conn *c, uint32_t events);
int load_stream_start(struct load *l);
int load_stream_event(struct load *l, struct load_conn *c, uint32_t events);

#endif
