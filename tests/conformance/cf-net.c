/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cf-net.h"

#include <sys/ioctl.h>

#include "daemon/common/util.h"

#define PAGE	4096u

/* --- sockets --- */

void cf_unix_pair(int type, int fd[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd), 0);
}

/* Bound to loopback and any port; where is in addr. */
static int bound(int type, struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	ck_assert_int_ge(fd, 0);
	*addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)addr, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	return fd;
}

int cf_tcp_listener(int backlog, struct sockaddr_in *addr)
{
	int fd = bound(SOCK_STREAM, addr);

	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

int cf_tcp_connect(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

void cf_tcp_pair(int fd[2])
{
	struct sockaddr_in addr;
	int l = cf_tcp_listener(1, &addr);

	fd[1] = cf_tcp_connect(&addr);
	fd[0] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd[0], 0);
	for (int i = 0; i < 2; i++)
		cf_set_int(fd[i], IPPROTO_TCP, TCP_NODELAY, 1);
	close(l);
}

int cf_udp(struct sockaddr_in *addr)
{
	struct sockaddr_in unused;

	return bound(SOCK_DGRAM, addr ? addr : &unused);
}

void cf_udp_pair(int fd[2])
{
	struct sockaddr_in addr[2];

	for (int i = 0; i < 2; i++)
		fd[i] = cf_udp(&addr[i]);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(connect(fd[i], (struct sockaddr *)&addr[!i], sizeof(addr[0])), 0);
}

int cf_closed_port(struct sockaddr_in *addr)
{
	return bound(SOCK_STREAM, addr);	/* nobody else gets it while it does not listen */
}

int cf_deaf_listener(struct sockaddr_in *addr)
{
	int fd = cf_tcp_listener(0, addr), c;
	struct pollfd p = { .events = POLLOUT };

	/* The first fills the queue; those behind it get no answer. One that hangs is enough to know. */
	for (int i = 0; i < 8; i++) {
		c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(c, 0);
		ck_assert_int_eq(connect(c, (const struct sockaddr *)addr, sizeof(*addr)), -1);
		ck_assert_int_eq(errno, EINPROGRESS);
		p.fd = c;
		if (poll(&p, 1, 20) == 0)
			return fd;
	}
	cf_skip("nothing hangs here: a full queue takes every connection");
}

void cf_put(int fd, const char *s)
{
	ck_assert_int_eq(send(fd, s, strlen(s), MSG_NOSIGNAL), (ssize_t)strlen(s));
}

void cf_get(int fd, const char *s)
{
	size_t n = strlen(s), done = 0;
	char buf[256];
	ssize_t r;

	ck_assert_uint_le(n, sizeof(buf));
	while (done < n) {
		cf_wait_fd(fd, POLLIN);
		r = recv(fd, buf + done, n - done, 0);
		ck_assert_msg(r > 0, "%zu of %zu bytes, then %zd", done, n, r);
		done += (size_t)r;
	}
	ck_assert_mem_eq(buf, s, n);
}

uint8_t cf_pattern(size_t at)
{
	return (uint8_t)(at % 251 ^ at / 251 % 241);
}

void cf_is_pattern(const void *data, size_t at, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++)
		ck_assert_msg(p[i] == cf_pattern(at + i), "byte %zu of %zu is wrong", at + i, at + n);
}

size_t cf_fill(int fd, size_t at)
{
	const bool tcp = cf_get_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET;
	uint8_t buf[4096];
	size_t done = 0;
	ssize_t r;

	/* else it grows while it is filled, for half a minute */
	if (tcp)
		cf_set_int(fd, SOL_SOCKET, SO_SNDBUF, 65536);
	do {
		/* there is room again when TCP's other side has answered, which it may put off for 40 ms */
		poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, tcp ? 100 : 0);
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = cf_pattern(at + done + i);
		r = send(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_NOSIGNAL);
		done += r > 0 ? (size_t)r : 0;
	} while (r > 0);
	ck_assert_int_eq(errno, EAGAIN);
	return done;
}

size_t cf_drain(int fd, size_t at, size_t max)
{
	uint8_t buf[4096];
	size_t done = 0;
	ssize_t r;

	while ((r = recv(fd, buf, RD_MIN(sizeof(buf), max - done), MSG_DONTWAIT)) > 0) {
		cf_is_pattern(buf, at + done, (size_t)r);
		done += (size_t)r;
	}
	return done;
}

void cf_drain_all(int fd, size_t at, size_t n)
{
	size_t done = 0;

	while (done < n) {
		cf_wait_fd(fd, POLLIN);
		done += cf_drain(fd, at + done, n - done);
	}
	ck_assert_uint_eq(done, n);
}

int cf_readable(int fd)
{
	int n = -1;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

void cf_set_int(int fd, int level, int name, int value)
{
	ck_assert_int_eq(setsockopt(fd, level, name, &value, sizeof(value)), 0);
}

int cf_get_int(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* --- SQEs --- */

struct ringd_sqe *cf_op(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, op, user_data, flags);

	if (flags & RINGD_SQE_FIXED_FILE)
		sqe->fd = fd;
	else
		cf_sqe_fd(ring, sqe, fd);
	return sqe;
}

struct ringd_sqe *cf_xfer(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd, const void *buf,
			  size_t len)
{
	struct ringd_sqe *sqe = cf_op(ring, op, user_data, flags, fd);

	sqe->addr = cf_addr(buf);
	sqe->len = (uint32_t)len;
	return sqe;
}

struct ringd_sqe *cf_connect(struct cf_ring *ring, uint64_t user_data, int fd, const void *addr, size_t len)
{
	struct ringd_sqe *sqe = cf_op(ring, RINGD_OP_CONNECT, user_data, 0, fd);

	sqe->addr = cf_addr(cf_in(addr, len));
	sqe->addr2 = len;
	return sqe;
}

void cf_cancel(struct cf_ring *ring, uint64_t user_data, uint64_t key)
{
	cf_sqe_ud(ring, RINGD_OP_ASYNC_CANCEL, user_data, 0)->addr = key;
}

struct ringd_sqe *cf_link_timeout(struct cf_ring *ring, uint64_t user_data, uint64_t ns)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_LINK_TIMEOUT, user_data, 0);

	sqe->addr = cf_addr(cf_ts(ns));
	sqe->len = 1;
	return sqe;
}

void cf_give_at(const char *file, int line, struct cf_ring *ring, int32_t res, uint32_t flags)
{
	int r = cf_submit(ring);

	if (r != 1)
		_ck_assert_failed(file, line, "Conformance", "submit returned %d", r);
	cf_expect_at(file, line, ring, 0, res, flags);
}

void cf_waits(struct cf_ring *ring, unsigned int n)
{
	ck_assert_int_eq(cf_submit(ring), (int)n);
	cf_expect_none(ring);
}

int32_t cf_good(struct cf_ring *ring, uint64_t user_data, uint32_t flags)
{
	struct cf_cqe cqe;

	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_msg(cqe.res >= 0, "%s", strerror(-cqe.res));
	ck_assert_uint_eq(cqe.flags, flags);
	return cqe.res;
}

struct msghdr *cf_msg(void *buf, size_t len)
{
	struct msghdr m = { 0 };

	if (buf) {
		m.msg_iov = cf_in(&(struct iovec){ buf, len }, sizeof(struct iovec));
		m.msg_iovlen = 1;
	}
	return cf_in(&m, sizeof(m));
}

void cf_msg_name(struct msghdr *m, const void *name, size_t n)
{
	m->msg_name = cf_alloc(n, 0);
	if (name)
		memcpy(m->msg_name, name, n);
	m->msg_namelen = (socklen_t)n;
}

void cf_msg_control(struct msghdr *m, size_t n)
{
	m->msg_control = cf_alloc(n, 0);
	m->msg_controllen = n;
}

struct ringd_sqe *cf_msg_op(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags, int fd,
			    const struct msghdr *m)
{
	return cf_xfer(ring, op, user_data, flags, fd, m, 1);
}

/* --- provided buffers --- */

void cf_bufs_new(struct cf_ring *ring, struct cf_bufs *b, uint16_t flags, uint32_t size, uint16_t n)
{
	struct ringd_buf_reg reg = { .ring_entries = CF_BUFS, .bgid = CF_BG, .flags = flags };
	int r;

	ck_assert_uint_le(size, CF_BUF_ROOM);
	b->data = cf_alloc((size_t)CF_BUFS * CF_BUF_ROOM, PAGE);
	b->ring = cf_alloc(PAGE, PAGE);
	for (unsigned int i = 0; i < CF_BUFS; i++)
		b->ring[i] = (struct ringd_buf){ .addr = cf_addr(cf_buf(b, i)), .len = size, .bid = (uint16_t)(100 + i) };
	b->tail = 0;
	cf_bufs_add(b, n);
	reg.ring_addr = cf_addr(b->ring);
	r = cf_register(ring, RINGD_REGISTER_PBUF_RING, &reg, 1);
	if (r == -EINVAL && flags && cf_on(CF_KERNEL))
		cf_skip("no buffer rings with flags %#x here", flags);
	ck_assert_int_eq(r, 0);
}

void cf_bufs_add(struct cf_bufs *b, uint16_t n)
{
	b->tail = (uint16_t)(b->tail + n);
	__atomic_store_n(&b->ring[0].resv, b->tail, __ATOMIC_RELEASE);
}

char *cf_buf(const struct cf_bufs *b, unsigned int i)
{
	return b->data + (size_t)i * CF_BUF_ROOM;
}

int cf_bufs_unregister(struct cf_ring *ring)
{
	struct ringd_buf_reg reg = { .bgid = CF_BG };

	return cf_register(ring, RINGD_UNREGISTER_PBUF_RING, &reg, 1);
}

int cf_bufs_head(struct cf_ring *ring)
{
	struct ringd_buf_status status = { .buf_group = CF_BG };
	int r = cf_register(ring, RINGD_REGISTER_PBUF_STATUS, &status, 1);

	return r < 0 ? r : (int)status.head;
}

struct ringd_sqe *cf_select(struct cf_ring *ring, unsigned int op, uint64_t user_data, int fd, unsigned int len, unsigned int ioprio)
{
	struct ringd_sqe *sqe = cf_op(ring, op, user_data, RINGD_SQE_BUFFER_SELECT, fd);

	sqe->len = len;
	sqe->ioprio = (uint16_t)ioprio;
	sqe->buf_group = CF_BG;
	return sqe;
}

char *cf_classic_new(struct cf_ring *ring, uint32_t size, int n)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_PROVIDE_BUFFERS);
	char *data = cf_alloc((size_t)size * (size_t)n, 0);

	sqe->fd = n;
	sqe->addr = cf_addr(data);
	sqe->len = size;
	sqe->off = 100;
	sqe->buf_group = CF_BG;
	ck_assert_int_eq(cf_run(ring), 0);
	return data;
}
