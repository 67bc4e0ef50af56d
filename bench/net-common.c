/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What servers and load agree on: addresses, and the bytes that are sent. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "net.h"

void bench_net_name(const struct bench_opts *o, struct bench_net *net)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&net->addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&net->addr;

	memset(&net->addr, 0, sizeof(net->addr));
	if (o->family == BENCH_UNIX) {
		int n = snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "ringbench-%d", (int)getpid());

		un->sun_family = AF_UNIX;
		net->addr_len = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
		return;
	}
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	net->addr_len = sizeof(*in);
}

int bench_net_listen(const struct bench_opts *o, struct bench_net *net)
{
	RD_CLOSE int fd = -1;
	socklen_t len;
	int one = 1;

	bench_net_name(o, net);
	fd = socket(net->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&net->addr, net->addr_len) < 0)
		return -errno;
	/* what is accepted inherits it */
	if (o->family == BENCH_TCP && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		return -errno;
	len = sizeof(net->addr);
	if (listen(fd, NET_BACKLOG) < 0 || getsockname(fd, (struct sockaddr *)&net->addr, &len) < 0)
		return -errno;
	net->addr_len = len;
	return rd_steal_fd(&fd);
}

size_t bench_net_pattern_size(const struct bench_opts *o)
{
	return o->op == BENCH_STREAM ? o->bs : (size_t)o->bs + NET_PATTERN_EXTRA;
}

/* xorshift: no two places look alike */
void bench_net_pattern(unsigned char *p, size_t size)
{
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (unsigned char)(x >> 32);
	}
}

enum bench_phase bench_net_phase(const struct bench_net *net)
{
	return (enum bench_phase)__atomic_load_n(&net->phase, __ATOMIC_RELAXED);
}
