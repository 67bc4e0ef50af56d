/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SOCKET, BIND, LISTEN, CONNECT, SHUTDOWN */
#include "cf-net.h"

#include <sys/resource.h>

static struct ringd_sqe *new_socket(struct cf_ring *ring, int domain, int type, unsigned int file_index)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_SOCKET);

	sqe->fd = domain;
	sqe->off = (uint64_t)type;
	sqe->file_index = file_index;
	return sqe;
}

static struct ringd_sqe *bind_to(struct cf_ring *ring, int fd, const void *addr, size_t len)
{
	struct ringd_sqe *sqe = cf_op(ring, RINGD_OP_BIND, 0, 0, fd);

	sqe->addr = cf_addr(cf_in(addr, len));
	sqe->addr2 = len;
	return sqe;
}

static struct ringd_sqe *listen_at(struct cf_ring *ring, int fd, unsigned int backlog)
{
	struct ringd_sqe *sqe = cf_op(ring, RINGD_OP_LISTEN, 0, 0, fd);

	sqe->len = backlog;
	return sqe;
}

static struct ringd_sqe *shut(struct cf_ring *ring, uint64_t user_data, unsigned int flags, int fd, unsigned int how)
{
	struct ringd_sqe *sqe = cf_op(ring, RINGD_OP_SHUTDOWN, user_data, flags, fd);

	sqe->len = how;
	return sqe;
}

/* The number that the next new descriptor will have */
static int lowest(void)
{
	int fd = dup(0);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

static struct sockaddr_un unix_name(const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = cf_path(name);

	ck_assert_uint_lt(strlen(path), sizeof(sun.sun_path));
	memcpy(sun.sun_path, path, strlen(path));
	return sun;
}

/* --- socket --- */

CF_TEST(socket_is_checked, 369, "Socket with rw_flags or addr non-zero -> -EINVAL; unknown type bits -> -EINVAL; with a slot and SOCK_CLOEXEC -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_files(ring, 2);
	new_socket(ring, AF_INET, SOCK_STREAM, 0)->rw_flags = 1;
	cf_give(ring, -EINVAL, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, 0)->addr = 8;
	cf_give(ring, -EINVAL, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, 0)->buf_index = 1;
	cf_give(ring, -EINVAL, 0);
	new_socket(ring, AF_INET, SOCK_STREAM | 0x100, 0);
	cf_give(ring, -EINVAL, 0);
	new_socket(ring, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 1);
	cf_give(ring, -EINVAL, 0);
	new_socket(ring, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, ALLOC);
	cf_give(ring, -EINVAL, 0);
}

CF_TEST(socket_gives_a_descriptor_with_its_flags, 0, "Socket with SOCK_CLOEXEC, SOCK_NONBLOCK, both, none -> the descriptor has them")
{
	static const int flags[] = { 0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK };
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd;

	for (unsigned int i = 0; i < 4; i++) {
		new_socket(ring, i % 2 ? AF_INET : AF_UNIX, SOCK_STREAM | flags[i], 0);
		fd = cf_run(ring);
		ck_assert_msg(fd >= 0, "%s", strerror(-fd));
		ck_assert_int_eq(cf_get_int(fd, SOL_SOCKET, SO_DOMAIN), i % 2 ? AF_INET : AF_UNIX);
		ck_assert_int_eq(cf_get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
		ck_assert_int_eq(fcntl(fd, F_GETFD) == FD_CLOEXEC, (flags[i] & SOCK_CLOEXEC) != 0);
		ck_assert_int_eq((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, (flags[i] & SOCK_NONBLOCK) != 0);
		close(fd);
	}
}

CF_TEST(socket_goes_to_a_slot, 0, "Socket into a slot -> 0; with ALLOC -> the slot; full table -> -ENFILE; out of range -> -EINVAL; no table -> -ENXIO")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	new_socket(ring, AF_INET, SOCK_STREAM, 1);
	cf_give(ring, -ENXIO, 0);
	cf_files(ring, 3);
	new_socket(ring, AF_INET, SOCK_STREAM, 1);
	cf_give(ring, 0, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, ALLOC);
	cf_give(ring, 1, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, ALLOC);
	cf_give(ring, 2, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, ALLOC);
	cf_give(ring, -ENFILE, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, 4);
	cf_give(ring, -EINVAL, 0);
	new_socket(ring, AF_INET, SOCK_DGRAM, 2);	/* occupied: replaced */
	cf_give(ring, 0, 0);
	shut(ring, 0, FIXED, 1, SHUT_RD);
	cf_give(ring, -ENOTCONN, 0);
}

CF_TEST(a_nonblocking_slot_shows_when_it_is_installed, 0, "Socket with SOCK_NONBLOCK into a slot, FIXED_FD_INSTALL -> O_NONBLOCK; without -> not")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd;

	cf_files(ring, 2);
	for (unsigned int i = 0; i < 2; i++) {
		new_socket(ring, AF_INET, SOCK_STREAM | (i ? SOCK_NONBLOCK : 0), 1);
		cf_give(ring, 0, 0);
		cf_op(ring, RINGD_OP_FIXED_FD_INSTALL, 0, FIXED, 0);
		fd = cf_run(ring);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, i);
		close(fd);
	}
}

CF_TEST(socket_has_the_errors_of_the_system_call, 0, "Socket of family 99, type 9, protocol 250 -> the errno of socket(2); descriptor limit -> -EMFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct rlimit rl;

	new_socket(ring, 99, SOCK_STREAM, 0);
	cf_give(ring, -EAFNOSUPPORT, 0);
	new_socket(ring, AF_INET, 9, 0);
	ck_assert_int_eq(socket(AF_INET, 9, 0), -1);
	cf_give(ring, -errno, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, 0)->len = 250;
	cf_give(ring, -EPROTONOSUPPORT, 0);
	new_socket(ring, AF_INET, SOCK_STREAM, 0);
	close(cf_run(ring));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = (rlim_t)lowest();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	new_socket(ring, AF_INET, SOCK_STREAM, 0);
	cf_give(ring, -EMFILE, 0);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

/* --- bind, listen --- */

CF_TEST(bind_and_listen_are_checked, 370, "Bind, listen with unused fields non-zero -> -EINVAL")
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	bind_to(ring, s, &addr, sizeof(addr))->len = 1;
	cf_give(ring, -EINVAL, 0);
	bind_to(ring, s, &addr, sizeof(addr))->buf_index = 1;
	cf_give(ring, -EINVAL, 0);
	bind_to(ring, s, &addr, sizeof(addr))->rw_flags = 1;
	cf_give(ring, -EINVAL, 0);
	bind_to(ring, s, &addr, sizeof(addr))->splice_fd_in = 1;
	cf_give(ring, -EINVAL, 0);
	listen_at(ring, s, 1)->addr = 1;
	cf_give(ring, -EINVAL, 0);
	listen_at(ring, s, 1)->addr2 = 1;
	cf_give(ring, -EINVAL, 0);
	listen_at(ring, s, 1)->buf_index = 1;
	cf_give(ring, -EINVAL, 0);
	listen_at(ring, s, 1)->rw_flags = 1;
	cf_give(ring, -EINVAL, 0);
	listen_at(ring, s, 1)->splice_fd_in = 1;
	cf_give(ring, -EINVAL, 0);
}

CF_TEST(bind_reads_its_address_early, 0, "Bind with length 200 -> -EINVAL; bad pointer -> -EFAULT; address in use -> -EADDRINUSE; no socket -> -ENOTSOCK")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct sockaddr_in taken;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), p[2];

	cf_tcp_listener(1, &taken);
	cf_pipe(p);
	bind_to(ring, s, &taken, sizeof(taken))->addr2 = 200;
	cf_give(ring, -EINVAL, 0);
	bind_to(ring, s, &taken, sizeof(taken))->addr = 4096;
	cf_give(ring, -EFAULT, 0);
	bind_to(ring, s, &taken, sizeof(taken));
	cf_give(ring, -EADDRINUSE, 0);
	bind_to(ring, p[0], &taken, sizeof(taken));
	cf_give(ring, -ENOTSOCK, 0);
	listen_at(ring, p[0], 1);
	cf_give(ring, -ENOTSOCK, 0);
}

CF_TEST(a_server_is_made_by_requests_alone, 0, "Socket, bind, listen, accept and connect in slots only -> connected; unbound listen -> 0")
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct cf_ring *ring = cf_ring_new(8, 0);
	socklen_t len = sizeof(addr);
	struct ringd_sqe *sqe;
	int fd;

	cf_files(ring, 4);
	new_socket(ring, AF_INET, SOCK_STREAM, 1);
	cf_give(ring, 0, 0);
	sqe = cf_op(ring, RINGD_OP_BIND, 0, FIXED, 0);
	sqe->addr = cf_addr(cf_in(&addr, len));
	sqe->addr2 = len;
	cf_give(ring, 0, 0);
	cf_op(ring, RINGD_OP_LISTEN, 0, FIXED, 0)->len = 4;
	cf_give(ring, 0, 0);
	cf_op(ring, RINGD_OP_FIXED_FD_INSTALL, 0, FIXED, 0);
	fd = cf_run(ring);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	ck_assert_uint_ne(addr.sin_port, 0);
	cf_op(ring, RINGD_OP_ACCEPT, 1, FIXED, 0)->file_index = 2;
	new_socket(ring, AF_INET, SOCK_STREAM, 3)->user_data = 2;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, 0, 0);
	sqe = cf_op(ring, RINGD_OP_CONNECT, 3, FIXED, 2);
	sqe->addr = cf_addr(cf_in(&addr, len));
	sqe->addr2 = len;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_set(ring, { 1, 0, 0 }, { 3, 0, 0 });
	new_socket(ring, AF_INET, SOCK_STREAM, 4)->user_data = 4;
	ck_assert_int_eq(cf_run(ring), 0);
	cf_op(ring, RINGD_OP_LISTEN, 0, FIXED, 3)->len = 1;
	cf_give(ring, 0, 0);
}

CF_TEST(names_in_the_file_system_are_bound, 0, "Bind of an AF_UNIX socket -> the name is there; again -> -EADDRINUSE; connect to it -> 0; missing -> -ENOENT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct sockaddr_un sun = unix_name("s"), missing = unix_name("missing");
	int s[3];
	struct stat st;

	for (int i = 0; i < 3; i++)
		s[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bind_to(ring, s[0], &sun, sizeof(sun));
	cf_give(ring, 0, 0);
	ck_assert_int_eq(stat(sun.sun_path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_uid, geteuid());
	bind_to(ring, s[1], &sun, sizeof(sun));
	cf_give(ring, -EADDRINUSE, 0);
	listen_at(ring, s[0], 4);
	cf_give(ring, 0, 0);
	cf_connect(ring, 0, s[1], &sun, sizeof(sun));
	cf_give(ring, 0, 0);
	cf_connect(ring, 0, s[2], &missing, sizeof(missing));
	cf_give(ring, -ENOENT, 0);
}

CF_TEST(the_peer_of_a_unix_socket_is_the_client, 0, "Socket and connect of an AF_UNIX socket -> SO_PEERCRED at the other end is the client's uid and gid")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct sockaddr_un sun = unix_name("s");
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), s, c;
	socklen_t len = sizeof(struct ucred);
	struct ucred cred;

	ck_assert_int_eq(bind(l, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	new_socket(ring, AF_UNIX, SOCK_STREAM, 0);
	s = cf_run(ring);
	ck_assert_int_ge(s, 0);
	cf_connect(ring, 0, s, &sun, sizeof(sun));
	cf_give(ring, 0, 0);
	c = accept(l, NULL, NULL);
	ck_assert_int_eq(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	ck_assert_uint_eq(cred.uid, geteuid());
	ck_assert_uint_eq(cred.gid, getegid());
}

/* --- connect --- */

CF_TEST(a_refused_connect_says_so_each_time, 334, "Connect to a closed port -> -ECONNREFUSED; again on the same socket -> -ECONNREFUSED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr;

	cf_closed_port(&addr);
	for (int i = 0; i < 3; i++) {
		cf_connect(ring, 0, s, &addr, sizeof(addr));
		cf_give(ring, -ECONNREFUSED, 0);
	}
}

CF_TEST(the_address_of_a_connect_is_checked, 335, "Connect with length 200 -> -EINVAL; bad pointer -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr;

	cf_tcp_listener(1, &addr);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->addr2 = 200;
	cf_give(ring, -EINVAL, 0);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->addr = 4096;
	cf_give(ring, -EFAULT, 0);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->addr2 = 4;	/* no whole address */
	cf_give(ring, -EINVAL, 0);
}

CF_TEST(connect_fields_are_checked, 0, "Connect with len, buf_index, rw_flags or splice_fd_in non-zero -> -EINVAL; no socket -> -ENOTSOCK; bad fd -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), p[2];
	struct sockaddr_in addr;

	cf_tcp_listener(1, &addr);
	cf_pipe(p);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->len = 1;
	cf_give(ring, -EINVAL, 0);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->buf_index = 1;
	cf_give(ring, -EINVAL, 0);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->rw_flags = 1;
	cf_give(ring, -EINVAL, 0);
	cf_connect(ring, 0, s, &addr, sizeof(addr))->splice_fd_in = 1;
	cf_give(ring, -EINVAL, 0);
	cf_connect(ring, 0, p[0], &addr, sizeof(addr));
	cf_give(ring, -ENOTSOCK, 0);
	cf_connect(ring, 0, 999, &addr, sizeof(addr));
	cf_give(ring, -EBADF, 0);
}

CF_TEST(a_connected_socket_cannot_connect, 0, "Connect -> 0, also on an O_NONBLOCK socket; again -> -EISCONN")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct sockaddr_in addr;
	int l = cf_tcp_listener(4, &addr), s, c;

	for (unsigned int i = 0; i < 2; i++) {
		s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (i ? SOCK_NONBLOCK : 0), 0);
		cf_connect(ring, 0, s, &addr, sizeof(addr));
		cf_give(ring, 0, 0);
		cf_connect(ring, 0, s, &addr, sizeof(addr));
		cf_give(ring, -EISCONN, 0);
		c = accept(l, NULL, NULL);
		cf_put(s, "hello");
		cf_get(c, "hello");
	}
}

CF_TEST(the_address_of_a_connect_is_the_requests, 0, "Address overwritten after submission, behind a link -> the first one is connected to")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), p[2];
	struct sockaddr_in addr;
	struct ringd_sqe *sqe;
	char *buf = cf_alloc(8, 0);

	cf_tcp_listener(4, &addr);
	cf_pipe(p);
	cf_xfer(ring, RINGD_OP_READ, 1, LINK, p[0], buf, 1)->off = UINT64_MAX;
	sqe = cf_connect(ring, 2, s, &addr, sizeof(addr));
	ck_assert_int_eq(cf_submit(ring), 2);
	memset((void *)(uintptr_t)sqe->addr, 0xff, sizeof(addr));
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 0, 0);
}

/* A socket in slot 0 that only the ring has, and a connect of it that hangs */
static struct ringd_sqe *hanging_connect(struct cf_ring *ring)
{
	struct sockaddr_in addr;
	struct ringd_sqe *sqe;

	cf_files(ring, 1);
	new_socket(ring, AF_INET, SOCK_STREAM, 1);
	cf_give(ring, 0, 0);
	cf_deaf_listener(&addr);
	sqe = cf_op(ring, RINGD_OP_CONNECT, 1, FIXED, 0);
	sqe->addr = cf_addr(cf_in(&addr, sizeof(addr)));
	sqe->addr2 = sizeof(addr);
	return sqe;
}

CF_TEST(a_hanging_connect_can_be_cancelled, 0, "Connect cancelled while in progress -> -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	hanging_connect(ring);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_expect_none(ring);
}

CF_TEST(a_connect_has_its_time, 153, "Linked timeout on a connect that hangs -> -ETIME, connect -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	hanging_connect(ring)->flags |= LINK;
	cf_link_timeout(ring, 2, 2000000);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(a_connect_of_a_lent_socket_has_its_time, 153, "The same of a socket that the client has a descriptor of")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr;

	cf_deaf_listener(&addr);
	cf_connect(ring, 1, s, &addr, sizeof(addr))->flags |= LINK;
	cf_link_timeout(ring, 2, 2000000);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, cf_on(CF_ENGINE) ? -EALREADY : -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}
CF_DIFFERS(a_connect_of_a_lent_socket_has_its_time, CF_ENGINE,
	   "connect() waits unless the socket says otherwise, and that is the client's to say: somebody who may sleep calls it, and is interrupted, as in io-wq")

CF_TEST(a_connect_in_time_cancels_its_timeout, 0, "Linked timeout on a connect that succeeds -> 0, timeout -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr;

	cf_tcp_listener(4, &addr);
	cf_connect(ring, 1, s, &addr, sizeof(addr))->flags |= LINK;
	cf_link_timeout(ring, 2, 1000000000000);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect_set(ring, { 1, 0, 0 }, { 2, -ECANCELED, 0 });
}

CF_TEST(a_datagram_socket_connects_and_disconnects, 0, "Connect of a datagram socket -> 0; with AF_UNSPEC -> 0 and no peer")
{
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int a = cf_udp(&addr), s = cf_udp(NULL);

	cf_connect(ring, 0, s, &addr, sizeof(addr));
	cf_give(ring, 0, 0);
	cf_put(s, "abc");
	cf_get(a, "abc");
	cf_connect(ring, 0, s, &unspec, sizeof(unspec));
	cf_give(ring, 0, 0);
	ck_assert_int_eq(getpeername(s, (struct sockaddr *)&addr, &len), -1);
}

/* --- shutdown --- */

CF_TEST(shutdown_is_checked, 371, "Shutdown with how 9 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s[2];

	cf_unix_pair(SOCK_STREAM, s);
	shut(ring, 0, 0, s[0], 9);
	cf_give(ring, -EINVAL, 0);
	shut(ring, 0, 0, s[0], SHUT_RD)->addr = 1;
	cf_give(ring, -EINVAL, 0);
	shut(ring, 0, 0, s[0], SHUT_RD)->off = 1;
	cf_give(ring, -EINVAL, 0);
	shut(ring, 0, 0, s[0], SHUT_RD)->rw_flags = 1;
	cf_give(ring, -EINVAL, 0);
	shut(ring, 0, 0, s[0], SHUT_RD)->buf_index = 1;
	cf_give(ring, -EINVAL, 0);
	shut(ring, 0, 0, s[0], SHUT_RD)->splice_fd_in = 1;
	cf_give(ring, -EINVAL, 0);
	shut(ring, 0, 0, 999, SHUT_RD);
	cf_give(ring, -EBADF, 0);
}

CF_TEST(an_unconnected_shutdown_breaks_no_link, 121,
	"Shutdown on an unconnected TCP socket LINK nop -> -ENOTCONN, then 0; shutdown on a non-socket LINK nop -> -ENOTSOCK, then -ECANCELED")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), p[2];

	cf_pipe(p);
	shut(ring, 1, LINK, s, SHUT_RDWR);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -ENOTCONN, 0);
	cf_expect(ring, 2, 0, 0);
	shut(ring, 1, LINK, p[0], SHUT_RDWR);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, -ENOTSOCK, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(shutdown_ends_both_sides, 0, "Shutdown of writing -> the peer reads 0; of reading -> a waiting recv ends with 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	char *buf = cf_alloc(8, 0), c;
	int s[2];

	cf_tcp_pair(s);
	shut(ring, 0, 0, s[0], SHUT_WR);
	cf_give(ring, 0, 0);
	ck_assert_int_eq(recv(s[1], &c, 1, 0), 0);
	cf_xfer(ring, RINGD_OP_RECV, 1, 0, s[0], buf, 8);
	cf_waits(ring, 1);
	shut(ring, 2, 0, s[0], SHUT_RD);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_set(ring, { 1, 0, 0 }, { 2, 0, 0 });
}
