/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACCEPT */
#include "cf-net.h"

#include <sys/resource.h>

#include "daemon/common/util.h"

static struct sockaddr_in addr;
static int listener;

static struct cf_ring *ring_and_listener(void)
{
	listener = cf_tcp_listener(16, &addr);
	return cf_ring_new(16, 0);
}

static struct ringd_sqe *accept_at(struct cf_ring *ring, uint64_t user_data, int fd, unsigned int ioprio, unsigned int file_index)
{
	struct ringd_sqe *sqe = cf_op(ring, RINGD_OP_ACCEPT, user_data, 0, fd);

	sqe->ioprio = (uint16_t)ioprio;
	sqe->file_index = file_index;
	return sqe;
}

/* The new descriptor is the other end of c. */
static void is_peer_of(int fd, int c)
{
	cf_put(c, "ping");
	cf_get(fd, "ping");
}

/* A connection that the listener's queue has */
static int queued(void)
{
	int c = cf_tcp_connect(&addr);

	cf_wait_fd(listener, POLLIN);
	return c;
}

static int lowest(void)
{
	int fd = dup(0);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

static void set_limit(rlim_t n)
{
	struct rlimit rl;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = RD_MIN(n, rl.rlim_max);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

/* --- single shot --- */

CF_TEST(accept_waits_for_a_connection, 325, "Accept on a listener without connection -> waits, also on an O_NONBLOCK listener; DONTWAIT -> -EAGAIN")
{
	struct cf_ring *ring = ring_and_listener();
	int c, fd;

	for (int i = 0; i < 2; i++) {
		accept_at(ring, 1, listener, 0, 0);
		cf_waits(ring, 1);
		accept_at(ring, 2, listener, RINGD_ACCEPT_DONTWAIT, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 2, -EAGAIN, 0);
		c = cf_tcp_connect(&addr);
		fd = cf_good(ring, 1, 0);
		is_peer_of(fd, c);
		close(fd);
		ck_assert_int_eq(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	}
	queued();
	accept_at(ring, 2, listener, RINGD_ACCEPT_DONTWAIT, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_good(ring, 2, 0);
}

CF_TEST(accept_says_that_more_are_there, 326, "Accept with two pending connections -> first CQE has flag 0x4")
{
	struct cf_ring *ring = ring_and_listener();
	struct cf_cqe cqe;

	cf_tcp_connect(&addr);
	cf_tcp_connect(&addr);
	for (uint32_t i = 0; i < 2; i++) {
		accept_at(ring, 1, listener, 0, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_ge(cqe.res, 0);
		ck_assert_uint_eq(cqe.flags, i ? 0 : NONEMPTY);
	}
}

CF_TEST(accept_is_checked, 332, "Accept with unknown accept_flags, len or buf_index non-zero -> -EINVAL")
{
	struct cf_ring *ring = ring_and_listener();

	cf_files(ring, 4);
	cf_file(ring, 0, listener);
	for (int i = 0; i < 6; i++) {
		struct ringd_sqe *sqe = cf_op(ring, RINGD_OP_ACCEPT, 0, FIXED, 0);

		sqe->accept_flags = i == 0 ? 1 : i == 5 ? SOCK_CLOEXEC : 0;
		sqe->len = i == 1;
		sqe->buf_index = i == 2;
		sqe->ioprio = i == 3 ? 8 : 0;
		sqe->file_index = i == 5 ? 1 : 0;	/* with CLOEXEC */
		if (i == 4) {
			sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
			sqe->file_index = 1;
		}
		cf_give(ring, -EINVAL, 0);
	}
}

CF_TEST(accept_needs_a_listener, 0, "Accept on a socket that does not listen -> -EINVAL; on a datagram socket -> -EOPNOTSUPP; on a pipe -> -ENOTSOCK")
{
	struct cf_ring *ring = ring_and_listener();
	int p[2];

	cf_pipe(p);
	accept_at(ring, 0, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0, 0);
	cf_give(ring, -EINVAL, 0);
	accept_at(ring, 0, cf_udp(NULL), 0, 0);
	cf_give(ring, -EOPNOTSUPP, 0);
	accept_at(ring, 0, p[0], 0, 0);
	cf_give(ring, -ENOTSOCK, 0);
	accept_at(ring, 0, 999, 0, 0);
	cf_give(ring, -EBADF, 0);
}

CF_TEST(accept_flags_are_the_new_descriptors, 0, "Accept with SOCK_CLOEXEC, SOCK_NONBLOCK, both, none -> the descriptor has them")
{
	static const int flags[] = { 0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK };
	struct cf_ring *ring = ring_and_listener();
	int fd;

	for (int i = 0; i < 4; i++) {
		queued();
		accept_at(ring, 1, listener, 0, 0)->accept_flags = (uint32_t)flags[i];
		ck_assert_int_eq(cf_submit(ring), 1);
		fd = cf_good(ring, 1, 0);
		ck_assert_int_eq(fcntl(fd, F_GETFD) == FD_CLOEXEC, (flags[i] & SOCK_CLOEXEC) != 0);
		ck_assert_int_eq((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, (flags[i] & SOCK_NONBLOCK) != 0);
	}
}

CF_TEST(accept_tells_the_peers_name, 0, "Accept with address and length -> the peer's name and its real length, cut to the room there was")
{
	struct cf_ring *ring = ring_and_listener();
	struct sockaddr_in *name = cf_alloc(sizeof(*name), 0), real;
	socklen_t *len = cf_alloc(sizeof(*len), 0), n = sizeof(real);
	struct ringd_sqe *sqe;
	int c;

	for (unsigned int i = 0; i < 2; i++) {
		memset(name, 0xee, sizeof(*name));
		*len = i ? 4 : sizeof(*name);
		sqe = accept_at(ring, 1, listener, 0, 0);
		sqe->addr = cf_addr(name);
		sqe->addr2 = cf_addr(len);
		cf_waits(ring, 1);
		c = cf_tcp_connect(&addr);
		cf_good(ring, 1, 0);
		ck_assert_int_eq(getsockname(c, (struct sockaddr *)&real, &n), 0);
		ck_assert_uint_eq(*len, sizeof(*name));
		ck_assert_mem_eq(name, &real, i ? 4 : sizeof(real));
		ck_assert_uint_eq(((unsigned char *)name)[15], i ? 0xee : 0);
	}
}

CF_TEST(accept_without_room_for_the_name_fails, 0, "Accept with a bad address or length pointer -> -EFAULT; negative length -> -EINVAL")
{
	struct cf_ring *ring = ring_and_listener();
	struct sockaddr_in *name = cf_alloc(sizeof(*name), 0);
	socklen_t *len = cf_alloc(sizeof(*len), 0);
	struct ringd_sqe *sqe;

	for (int i = 0; i < 3; i++) {
		cf_tcp_connect(&addr);
		cf_wait_fd(listener, POLLIN);
		*len = i == 2 ? (socklen_t)-1 : sizeof(*name);
		sqe = accept_at(ring, 0, listener, 0, 0);
		sqe->addr = i == 0 ? 4096 : cf_addr(name);
		sqe->addr2 = i == 1 ? 4096 : cf_addr(len);
		cf_give(ring, i == 2 ? -EINVAL : -EFAULT, 0);
	}
}

CF_TEST(accept_into_slots, 0, "Accept into a slot -> 0; with ALLOC -> the slot; full -> -ENFILE; the socket is used and closed there")
{
	struct cf_ring *ring = ring_and_listener();
	struct ringd_sqe *sqe;
	char *buf = cf_in("pong", 4), c;
	int peer[3];

	cf_files(ring, 4);
	cf_file(ring, 0, listener);
	cf_file(ring, 3, listener);
	for (int i = 0; i < 3; i++) {
		peer[i] = queued();
		sqe = cf_op(ring, RINGD_OP_ACCEPT, 0, FIXED, 0);
		sqe->file_index = i == 0 ? 2 : ALLOC;
		cf_give(ring, i == 0 ? 0 : i == 1 ? 2 : -ENFILE, 0);
	}
	cf_xfer(ring, RINGD_OP_SEND, 0, FIXED, 1, buf, 4);
	cf_give(ring, 4, 0);
	cf_get(peer[0], "pong");
	sqe = cf_sqe(ring, RINGD_OP_CLOSE);
	sqe->fd = 0;
	sqe->file_index = 2;
	cf_give(ring, 0, 0);
	cf_wait_fd(peer[0], POLLIN);
	ck_assert_int_eq(recv(peer[0], &c, 1, 0), 0);
}

CF_TEST(accept_polls_first_if_asked, 0, "Accept with POLL_FIRST -> waits, also with a connection there already completes")
{
	struct cf_ring *ring = ring_and_listener();
	int c;

	accept_at(ring, 1, listener, RINGD_ACCEPT_POLL_FIRST, 0);
	cf_waits(ring, 1);
	c = cf_tcp_connect(&addr);
	is_peer_of(cf_good(ring, 1, 0), c);
	c = queued();
	accept_at(ring, 1, listener, RINGD_ACCEPT_POLL_FIRST, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	is_peer_of(cf_good(ring, 1, 0), c);
}

CF_TEST(a_connection_wakes_one_accept, 0, "Three accepts on one listener -> one per connection, in order")
{
	struct cf_ring *ring = ring_and_listener();
	int c;

	for (uint64_t i = 1; i <= 3; i++)
		accept_at(ring, i, listener, 0, 0);
	cf_waits(ring, 3);
	for (uint64_t i = 1; i <= 3; i++) {
		c = cf_tcp_connect(&addr);
		is_peer_of(cf_good(ring, i, 0), c);
		cf_expect_none(ring);
	}
}

CF_TEST(a_cancelled_accept_takes_nothing, 0, "Accept cancelled while it waits -> -ECANCELED, and the next connection is for others")
{
	struct cf_ring *ring = ring_and_listener();
	int c;

	accept_at(ring, 1, listener, 0, 0);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	c = cf_tcp_connect(&addr);
	is_peer_of(accept(listener, NULL, NULL), c);
	cf_expect_none(ring);
}

CF_TEST(accept_has_its_time, 0, "Linked timeout on an accept -> -ETIME, accept -ECANCELED")
{
	struct cf_ring *ring = ring_and_listener();

	accept_at(ring, 1, listener, 0, 0)->flags |= LINK;
	cf_link_timeout(ring, 2, 2000000);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(shutdown_of_the_listener_ends_accepts, 333, "Shutdown of the listener -> pending accept -EINVAL")
{
	struct cf_ring *ring = ring_and_listener();

	accept_at(ring, 1, listener, 0, 0);
	accept_at(ring, 2, listener, RINGD_ACCEPT_MULTISHOT, 0);
	cf_waits(ring, 2);
	ck_assert_int_eq(shutdown(listener, SHUT_RDWR), 0);
	cf_expect_set(ring, { 1, -EINVAL, 0 }, { 2, -EINVAL, 0 });
}

CF_TEST(a_closed_listener_still_accepts, 0, "Listener closed while an accept waits -> it stays armed and gets the next connection")
{
	struct cf_ring *ring = ring_and_listener();
	int c;

	accept_at(ring, 1, listener, 0, 0);
	cf_waits(ring, 1);
	close(listener);
	c = cf_tcp_connect(&addr);
	is_peer_of(cf_good(ring, 1, 0), c);
}

CF_TEST(a_unix_listener_accepts, 0, "Accept of an AF_UNIX listener -> the connection, and a name of two bytes")
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX }, *name = cf_alloc(sizeof(*name), 0);
	int l = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct cf_ring *ring = cf_ring_new(8, 0);
	socklen_t *len = cf_in(&(socklen_t){ sizeof(*name) }, sizeof(socklen_t));
	const char *path = cf_path("l");
	struct ringd_sqe *sqe;

	memcpy(sun.sun_path, path, strlen(path));
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(l, 4), 0);
	sqe = accept_at(ring, 1, l, 0, 0);
	sqe->addr = cf_addr(name);
	sqe->addr2 = cf_addr(len);
	cf_waits(ring, 1);
	ck_assert_int_eq(connect(s, (struct sockaddr *)&sun, sizeof(sun)), 0);
	is_peer_of(cf_good(ring, 1, 0), s);
	ck_assert_uint_eq(*len, 2);
	ck_assert_int_eq(name->sun_family, AF_UNIX);
}

/* --- the limit of descriptors --- */

CF_TEST(without_a_descriptor_the_connection_waits, 330,
	"Accept when the fd limit at submission is used up -> -EMFILE (final if multishot) and the connection can still be accepted later")
{
	struct cf_ring *ring = ring_and_listener();
	char x;
	int c;

	close(cf_tcp_connect(&addr));		/* the service's channel is open from here on */
	accept_at(ring, 1, listener, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	close(cf_good(ring, 1, 0));
	for (unsigned int multi = 0; multi < 2; multi++) {
		c = queued();
		set_limit((rlim_t)lowest());
		accept_at(ring, 1, listener, multi ? RINGD_ACCEPT_MULTISHOT : 0, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 1, -EMFILE, multi && cf_on(CF_RINGD) ? MORE : 0);
		set_limit(RLIM_INFINITY);
		if (cf_on(CF_RINGD)) {
			cf_wait_fd(c, POLLIN);
			ck_assert_int_eq(recv(c, &x, 1, 0), 0);
			if (multi) {		/* it goes on */
				c = cf_tcp_connect(&addr);
				is_peer_of(cf_good(ring, 1, MORE), c);
				return;
			}
			c = queued();
		}
		accept_at(ring, 2, listener, RINGD_ACCEPT_DONTWAIT, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		is_peer_of(cf_good(ring, 2, 0), c);
	}
}
CF_DIFFERS(without_a_descriptor_the_connection_waits, CF_RINGD,
	   "the client finds out when the descriptor has come to it, after the connection was accepted: that one is closed, and a multishot goes on")

/* --- multishot --- */

CF_TEST(multishot_accept_goes_on, 327, "Multishot accept of three connections -> three CQEs with F_MORE")
{
	struct cf_ring *ring = ring_and_listener();
	int c;

	accept_at(ring, 1, listener, RINGD_ACCEPT_MULTISHOT, 0);
	cf_waits(ring, 1);
	for (int i = 0; i < 3; i++) {
		c = cf_tcp_connect(&addr);
		is_peer_of(cf_good(ring, 1, MORE), c);
	}
	cf_expect_none(ring);
}

CF_TEST(multishot_accept_takes_what_is_queued, 327, "Multishot accept with three connections in the queue -> three CQEs with F_MORE at once")
{
	struct cf_ring *ring = ring_and_listener();
	struct cf_cqe cqe;

	for (int i = 0; i < 3; i++)
		cf_tcp_connect(&addr);
	accept_at(ring, 1, listener, RINGD_ACCEPT_MULTISHOT, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	for (int i = 0; i < 3; i++) {
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_ge(cqe.res, 0);
		ck_assert_uint_eq(cqe.flags & ~NONEMPTY, MORE);
	}
	cf_expect_none(ring);
}

CF_TEST(multishot_accept_chooses_slots, 328, "Multishot accept with an explicit slot -> -EINVAL; with ALLOC -> slots")
{
	struct cf_ring *ring = ring_and_listener();
	struct ringd_sqe *sqe;

	cf_files(ring, 4);
	cf_file(ring, 0, listener);
	sqe = cf_op(ring, RINGD_OP_ACCEPT, 0, FIXED, 0);
	sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
	sqe->file_index = 2;
	cf_give(ring, -EINVAL, 0);
	sqe = cf_op(ring, RINGD_OP_ACCEPT, 1, FIXED, 0);
	sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
	sqe->file_index = ALLOC;
	cf_waits(ring, 1);
	for (int i = 1; i < 4; i++) {
		cf_tcp_connect(&addr);
		cf_expect(ring, 1, i, MORE);
	}
}

CF_TEST(multishot_accept_ends_with_a_full_table, 329, "Multishot accept with ALLOC and a full table -> final CQE -ENFILE, and the connection is closed")
{
	struct cf_ring *ring = ring_and_listener();
	struct ringd_sqe *sqe;
	char c;
	int s;

	cf_files(ring, 2);
	cf_file(ring, 0, listener);
	sqe = cf_op(ring, RINGD_OP_ACCEPT, 1, FIXED, 0);
	sqe->ioprio = RINGD_ACCEPT_MULTISHOT;
	sqe->file_index = ALLOC;
	cf_waits(ring, 1);
	cf_tcp_connect(&addr);
	cf_expect(ring, 1, 1, MORE);
	s = cf_tcp_connect(&addr);
	cf_expect(ring, 1, -ENFILE, 0);
	if (cf_on(CF_ENGINE)) {
		is_peer_of(accept(listener, NULL, NULL), s);
		return;
	}
	cf_wait_fd(s, POLLIN);
	ck_assert_int_eq(recv(s, &c, 1, 0), 0);
}
CF_DIFFERS(multishot_accept_ends_with_a_full_table, CF_ENGINE,
	   "a slot is looked for before the connection is accepted: it stays in the queue, where the kernel loses it")

CF_TEST(a_cancelled_multishot_accept_ends, 187, "Cancel of a multishot accept -> final CQE -ECANCELED without F_MORE")
{
	struct cf_ring *ring = ring_and_listener();

	accept_at(ring, 1, listener, RINGD_ACCEPT_MULTISHOT, 0);
	cf_waits(ring, 1);
	cf_tcp_connect(&addr);
	cf_good(ring, 1, MORE);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
}

CF_TEST(multishot_accept_ends_when_the_cq_is_full, 0, "Multishot accept with a full CQ -> ends without F_MORE, every connection accepted has its CQE")
{
	struct cf_ring *ring = cf_ring_new_params(2, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 2 });
	struct cf_cqe cqe;
	int seen = 0;

	listener = cf_tcp_listener(16, &addr);
	for (int i = 0; i < 5; i++)
		queued();
	accept_at(ring, 1, listener, RINGD_ACCEPT_MULTISHOT, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	while (!(cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW))
		poll(NULL, 0, 1);
	do {
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_ge(cqe.res, 0);
		seen++;
	} while (cqe.flags & MORE);
	ck_assert_int_eq(seen, 3);
	for (; seen < 5; seen++) {
		accept_at(ring, 2, listener, RINGD_ACCEPT_DONTWAIT, 0);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_ge(cqe.res, 0);
	}
	accept_at(ring, 0, listener, RINGD_ACCEPT_DONTWAIT, 0);
	cf_give(ring, -EAGAIN, 0);
}
