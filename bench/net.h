/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers and the load for them. A server is one process with one thread, of one target; the load is another process, the same
 * for all targets, which plays all the clients and checks every answer.
 */
#ifndef RD_BENCH_NET_H
#define RD_BENCH_NET_H

#include <sys/socket.h>

#include "bench.h"

#define NET_STREAM_PIECES	16u	/* buffers that a message of --op=stream consists of */
#define NET_PATTERN_EXTRA	4096u	/* a message of --op=echo starts at one of so many places of the pattern */
#define NET_BACKLOG		4096

/* One shared anonymous mapping of parent, server and load. */
struct bench_net {
	uint32_t phase __attribute__((__aligned__(128)));	/* parent writes */
	/* the server writes before it says that it is ready */
	uint32_t addr_len __attribute__((__aligned__(128)));
	struct sockaddr_storage addr;
	int32_t server_pid;
	/* the load writes before its end; service_pid is the server's */
	uint64_t server_memory, service_memory;	/* bytes by which they grew */
	uint32_t grown_by;			/* with so many connections */
	struct bench_result res;
};

/* Serve until the phase is BENCH_STOP and all connections have gone. Return: 0 or -errno, said on stderr. */
int bench_net_ringd(const struct bench_opts *o, struct bench_net *net, int ready_fd);
int bench_net_kernel(const struct bench_opts *o, struct bench_net *net, int ready_fd);
int bench_net_epoll(const struct bench_opts *o, struct bench_net *net, int ready_fd);
/* Connect, say that all is set up, and keep the server busy until the phase is BENCH_STOP. */
int bench_net_load(const struct bench_opts *o, struct bench_net *net, int ready_fd);

int bench_net_measure(const struct bench_opts *o, struct bench_totals *t);

/* --- net-common.c --- */

/* A listening socket at net->addr, which is filled; or -errno. Not for ringd, whose server has none of its own. */
int bench_net_listen(const struct bench_opts *o, struct bench_net *net);
/* Where to bind: loopback and any port, or a name of AF_UNIX that no file has. */
void bench_net_name(const struct bench_opts *o, struct bench_net *net);
/* Bytes that both sides know: the message of --op=stream, or more than one of --op=echo. */
void bench_net_pattern(unsigned char *p, size_t size);
size_t bench_net_pattern_size(const struct bench_opts *o);
enum bench_phase bench_net_phase(const struct bench_net *net);

#endif
