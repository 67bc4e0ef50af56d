/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of an echo server, or of a proxy before one: many connections at once, each with bytes of its own that must
 * come back, all of them and in order. Ordinary sockets and epoll, nothing of ringd.
 *
 *   netcrowd PORT crowd N BYTES   N connections that are all served at the same time
 *   netcrowd PORT slow N BYTES    N that read nothing until others, who do, have been served
 *   netcrowd PORT reset N BYTES   every other one is reset in the middle
 *   netcrowd 0 port 1 0           none at all: print a port that nobody uses
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	int fd;
	uint64_t number;
	uint64_t sent, got, total, until;	/* bytes; until: send no more before told to */
	bool mute;				/* does not read */
	bool shut, done;
};

static int epoll_fd;
static struct sockaddr_in server;

static void fail(const struct peer *p, const char *what, int err)
{
	fprintf(stderr, "netcrowd: connection %llu: %s: %s (sent %llu, got %llu of %llu)\n", p ? (unsigned long long)p->number : 0,
		what, err ? strerror(err) : "not what it should be", p ? (unsigned long long)p->sent : 0,
		p ? (unsigned long long)p->got : 0, p ? (unsigned long long)p->total : 0);
	exit(1);
}

/* What is at an offset of a connection's stream; no two streams and no two offsets near each other look alike. */
static unsigned char byte_at(const struct peer *p, uint64_t offset)
{
	uint64_t word = (p->number << 40 ^ offset >> 3) * 0x9e3779b97f4a7c15ull;

	word ^= word >> 29;
	return (unsigned char)(word * 0xbf58476d1ce4e5b9ull >> (8 * (offset & 7)));
}

static void watch(struct peer *p)
{
	struct epoll_event ev = { .data.ptr = p };

	ev.events = p->mute ? 0 : EPOLLIN;
	if (p->sent < p->until)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, p->fd, &ev) < 0)
		fail(p, "epoll_ctl", errno);
}

static void open_peer(struct peer *p, uint64_t number, uint64_t total, int room)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.ptr = p };

	*p = (struct peer){ .number = number, .total = total, .until = total };
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		fail(p, "socket", errno);
	if (room)
		setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (connect(p->fd, (const struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
		fail(p, "connect", errno);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &ev) < 0)
		fail(p, "epoll_ctl", errno);
}

static void close_peer(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->done = true;
}

static void send_more(struct peer *p)
{
	unsigned char buf[16384];
	uint64_t n = p->until - p->sent;
	ssize_t r;

	if (n > sizeof(buf))
		n = sizeof(buf);
	for (uint64_t i = 0; i < n; i++)
		buf[i] = byte_at(p, p->sent + i);
	r = send(p->fd, buf, n, MSG_NOSIGNAL);
	if (r < 0 && errno != EAGAIN)
		fail(p, "send", errno);
	if (r > 0)
		p->sent += (uint64_t)r;
	if (p->sent == p->total && !p->shut && shutdown(p->fd, SHUT_WR) < 0)
		fail(p, "shutdown", errno);
	p->shut = p->sent == p->total;
}

static void receive_more(struct peer *p)
{
	unsigned char buf[16384];
	ssize_t r = recv(p->fd, buf, sizeof(buf), 0);

	if (r < 0 && errno == EAGAIN)
		return;
	if (r < 0)
		fail(p, "recv", errno);
	if (r == 0 && p->got != p->total)
		fail(p, "the end came too early", 0);
	for (ssize_t i = 0; i < r; i++) {
		if (p->got + (uint64_t)i >= p->sent || buf[i] != byte_at(p, p->got + (uint64_t)i))
			fail(p, "content", 0);
	}
	p->got += (uint64_t)r;
	if (r == 0)
		close_peer(p);
}

/* One round of what is ready. */
static void turn(void)
{
	struct epoll_event ev[256];
	int n = epoll_wait(epoll_fd, ev, 256, -1);

	for (int i = 0; i < n; i++) {
		struct peer *p = ev[i].data.ptr;

		if (p->mute && ev[i].events & (EPOLLERR | EPOLLHUP))
			fail(p, "hung up on", 0);
		if (ev[i].events & EPOLLOUT && p->sent < p->until)
			send_more(p);
		if (!p->mute && ev[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			receive_more(p);
		if (!p->done)
			watch(p);
	}
}

static bool all(const struct peer *peers, unsigned int n, bool (*what)(const struct peer *))
{
	for (unsigned int i = 0; i < n; i++) {
		if (!what(&peers[i]))
			return false;
	}
	return true;
}

static bool is_done(const struct peer *p)
{
	return p->done;
}

static bool got_some(const struct peer *p)
{
	return p->got > 0;
}

/* Nobody sends more than a byte before everybody had one back: so many connections there are at a time. */
static void crowd(struct peer *peers, unsigned int n, uint64_t bytes)
{
	for (unsigned int i = 0; i < n; i++) {
		open_peer(&peers[i], i, bytes, 0);
		peers[i].until = 1;
	}
	while (!all(peers, n, got_some))
		turn();
	printf("netcrowd: %u connections\n", n);
	for (unsigned int i = 0; i < n; i++) {
		peers[i].until = bytes;
		watch(&peers[i]);
	}
	while (!all(peers, n, is_done))
		turn();
}

/* Far more than sockets hold, so that nothing moves until they read. */
static void slow(struct peer *peers, unsigned int n, uint64_t bytes)
{
	struct peer quick;

	for (unsigned int i = 0; i < n; i++) {
		open_peer(&peers[i], i, bytes, 65536);
		peers[i].mute = true;
	}
	for (unsigned int i = 0; i < 20; i++) {
		open_peer(&quick, n + i, 1 << 20, 0);
		while (!quick.done)
			turn();
	}
	for (unsigned int i = 0; i < n; i++) {
		if (peers[i].sent == bytes)
			fail(&peers[i], "all was taken, and nothing was read", 0);
		peers[i].mute = false;
		watch(&peers[i]);
	}
	while (!all(peers, n, is_done))
		turn();
}

static void reset(struct peer *peers, unsigned int n, uint64_t bytes)
{
	const struct linger at_once = { .l_onoff = 1 };

	for (unsigned int i = 0; i < n; i++)
		open_peer(&peers[i], i, bytes, 0);
	while (!all(peers, n, is_done)) {
		turn();
		for (unsigned int i = 1; i < n; i += 2) {
			if (peers[i].done || peers[i].got < bytes / 2)
				continue;
			setsockopt(peers[i].fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
			close_peer(&peers[i]);
		}
	}
}

static void print_port(void)
{
	socklen_t len = sizeof(server);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (const struct sockaddr *)&server, len) < 0 || getsockname(fd, (struct sockaddr *)&server, &len) < 0)
		fail(NULL, "bind", errno);
	printf("%d\n", ntohs(server.sin_port));
	close(fd);
}

/* As many descriptors as the system lets us have. */
static unsigned int at_most(unsigned int n)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		fail(NULL, "getrlimit", errno);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	return n + 16 > lim.rlim_max ? (unsigned int)lim.rlim_max - 16 : n;
}

int main(int argc, char **argv)
{
	struct peer *peers;
	unsigned int n;
	uint64_t bytes;

	if (argc != 5) {
		fprintf(stderr, "usage: netcrowd PORT crowd|slow|reset|port N BYTES\n");
		return 2;
	}
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	server.sin_port = htons((uint16_t)atoi(argv[1]));
	n = at_most((unsigned int)atoi(argv[3]));
	bytes = strtoull(argv[4], NULL, 0);
	peers = calloc(n, sizeof(*peers));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!peers || epoll_fd < 0)
		fail(NULL, "epoll_create1", errno);
	if (strcmp(argv[2], "crowd") == 0)
		crowd(peers, n, bytes);
	else if (strcmp(argv[2], "slow") == 0)
		slow(peers, n, bytes);
	else if (strcmp(argv[2], "reset") == 0)
		reset(peers, n, bytes);
	else
		print_port();
	free(peers);
	return 0;
}
