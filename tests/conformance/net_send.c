/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND and what its flags do; msghdrs are in net_msg.c, bundles in net_bundle.c */
#include "cf-net.h"

#include "daemon/common/util.h"

#define MANY	(256u << 10)	/* more than the buffers of a shrunk socket */

static int s[2];
static char *buf;

static struct cf_ring *ring_and_sockets(int type)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	buf = cf_alloc(MANY, 0);
	for (size_t i = 0; i < MANY; i++)
		buf[i] = (char)cf_pattern(i);
	cf_unix_pair(type, s);
	return ring;
}

/* TCP, with little room */
static struct cf_ring *ring_and_tcp(void)
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	close(s[0]);
	close(s[1]);
	cf_tcp_pair(s);
	cf_set_int(s[0], SOL_SOCKET, SO_SNDBUF, 4096);
	cf_set_int(s[1], SOL_SOCKET, SO_RCVBUF, 4096);
	return ring;
}

static struct ringd_sqe *sender(struct cf_ring *ring, uint64_t user_data, unsigned int flags, size_t len, int msg_flags)
{
	struct ringd_sqe *sqe = cf_xfer(ring, RINGD_OP_SEND, user_data, flags, s[0], buf, len);

	sqe->msg_flags = (uint32_t)msg_flags;
	return sqe;
}

static void cancelled(struct cf_ring *ring, uint64_t key)
{
	cf_cancel(ring, 99, key);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 99, 0, 0);
	cf_expect(ring, key, -ECANCELED, 0);
}

CF_TEST(send_to_nobody_is_epipe, 336, "Send on a socket whose peer is gone -> -EPIPE and no signal")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	close(s[1]);
	sender(ring, 0, 0, 8, 0);
	cf_give(ring, -EPIPE, 0);
	sender(ring, 0, 0, 8, MSG_NOSIGNAL);
	cf_give(ring, -EPIPE, 0);
}

CF_TEST(a_big_send_is_short, 337, "Send of more than the socket buffer without WAITALL -> short count")
{
	struct cf_ring *ring = ring_and_tcp();
	int32_t n;

	sender(ring, 0, 0, MANY, 0);
	n = cf_run(ring);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, (int)MANY);
	cf_drain_all(s[1], 0, (size_t)n);
}

CF_TEST(a_big_send_with_waitall_goes_on, 337, "Send of more than the socket buffer with WAITALL -> full count later")
{
	struct cf_ring *ring = ring_and_tcp();

	sender(ring, 1, 0, MANY, MSG_WAITALL);
	cf_waits(ring, 1);
	cf_drain_all(s[1], 0, MANY);
	cf_expect(ring, 1, MANY, 0);
	ck_assert_int_eq(cf_readable(s[1]), 0);
}

CF_TEST(a_broken_send_tells_its_progress, 0, "Send with WAITALL whose peer goes in the middle -> the partial count, and a soft link breaks")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_cqe cqe;

	cf_set_int(s[0], SOL_SOCKET, SO_SNDBUF, 4096);
	sender(ring, 1, LINK, MANY, MSG_WAITALL);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	cf_waits(ring, 2);
	close(s[1]);
	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.user_data, 1);
	ck_assert_int_gt(cqe.res, 0);
	ck_assert_int_lt(cqe.res, (int)MANY);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(send_waits_for_room, 0, "Send to a full socket -> waits, also on an O_NONBLOCK socket; with MSG_DONTWAIT -> -EAGAIN; cancelled -> -ECANCELED")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	size_t full;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(fcntl(s[0], F_SETFL, i ? O_NONBLOCK : 0), 0);
		full = cf_fill(s[0], 0);
		sender(ring, 0, 0, 8, MSG_DONTWAIT);
		cf_give(ring, -EAGAIN, 0);
		sender(ring, 1, 0, 8, 0);
		cf_waits(ring, 1);
		cancelled(ring, 1);
		sender(ring, 2, 0, 8, 0);
		cf_waits(ring, 1);
		cf_drain_all(s[1], 0, full);
		cf_expect(ring, 2, 8, 0);
		cf_drain_all(s[1], 0, 8);
	}
}

CF_TEST(sends_on_a_full_socket_keep_their_order, 0, "Linked sends to a full socket -> the bytes arrive in order")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	size_t full = cf_fill(s[0], 0);

	for (unsigned int i = 0; i < 4; i++)
		sender(ring, 1, i < 3 ? LINK : 0, 1000, MSG_WAITALL)->addr += i * 1000;
	cf_waits(ring, 4);
	cf_drain_all(s[1], 0, full);
	for (int i = 0; i < 4; i++)
		cf_expect(ring, 1, 1000, 0);
	cf_drain_all(s[1], 0, 4000);
}

CF_TEST(send_flags_are_checked, 339, "SEND with FIXED_BUF -> -EINVAL; with MULTISHOT, REPORT_USAGE or an unknown bit -> -EINVAL; __pad3 -> -EINVAL")
{
	static const uint16_t bad[] = { RINGD_RECVSEND_FIXED_BUF, RINGD_RECV_MULTISHOT, RINGD_SEND_ZC_REPORT_USAGE, 0x40, 0x8000 };
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	for (unsigned int i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		sender(ring, 0, 0, 8, 0)->ioprio = bad[i];
		cf_give(ring, -EINVAL, 0);
	}
	sender(ring, 0, 0, 8, 0)->__pad3[0] = 1;
	cf_give(ring, -EINVAL, 0);
	ck_assert_int_eq(cf_readable(s[1]), 0);
}

CF_TEST(send_needs_a_socket, 0, "Send on a pipe -> -ENOTSOCK; bad fd -> -EBADF; bad address -> -EFAULT; unconnected -> -ENOTCONN or -EPIPE")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	int p[2], t = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cf_pipe(p);
	cf_xfer(ring, RINGD_OP_SEND, 0, 0, p[1], buf, 8);
	cf_give(ring, -ENOTSOCK, 0);
	cf_xfer(ring, RINGD_OP_SEND, 0, 0, 999, buf, 8);
	cf_give(ring, -EBADF, 0);
	sender(ring, 0, 0, 8, 0)->addr = 4096;
	cf_give(ring, -EFAULT, 0);
	cf_xfer(ring, RINGD_OP_SEND, 0, 0, t, buf, 8);
	cf_give(ring, -ENOTCONN, 0);
	t = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cf_xfer(ring, RINGD_OP_SEND, 0, 0, t, buf, 8);
	cf_give(ring, -EPIPE, 0);
}

CF_TEST(send_polls_first_if_asked, 0, "Send with POLL_FIRST on a socket with room -> sent")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	sender(ring, 0, 0, 8, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	cf_give(ring, 8, 0);
	cf_drain_all(s[1], 0, 8);
}

CF_TEST(send_with_the_async_flag, 0, "Send with ASYNC -> sent; with WAITALL to a full socket -> full count later")
{
	struct cf_ring *ring = ring_and_tcp();

	sender(ring, 1, RINGD_SQE_ASYNC, MANY, MSG_WAITALL);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_drain_all(s[1], 0, MANY);
	cf_expect(ring, 1, MANY, 0);
}

CF_TEST(msg_more_holds_data_back, 0, "Send with MSG_MORE on TCP, then without -> one piece; MSG_OOB -> urgent data")
{
	struct cf_ring *ring = ring_and_tcp();
	char c = 0;

	sender(ring, 0, 0, 8, MSG_MORE);
	cf_give(ring, 8, 0);
	sender(ring, 0, 0, 8, 0)->addr += 8;
	cf_give(ring, 8, 0);
	cf_drain_all(s[1], 0, 16);
	sender(ring, 0, 0, 1, MSG_OOB);
	cf_give(ring, 1, 0);
	cf_wait_fd(s[1], POLLPRI);
	ck_assert_int_eq(recv(s[1], &c, 1, MSG_OOB), 1);
	ck_assert_int_eq(c, buf[0]);
}

/* --- vectors --- */

CF_TEST(send_vectorized_sends_all_segments, 340, "SEND VECTORIZED with two segments -> sum of both")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct iovec v[2] = { { buf, 10 }, { buf + 10, 20 } };
	struct ringd_sqe *sqe = cf_xfer(ring, RINGD_OP_SEND, 0, 0, s[0], cf_in(v, sizeof(v)), 2);

	sqe->ioprio = RINGD_SEND_VECTORIZED;
	cf_give(ring, 30, 0);
	cf_drain_all(s[1], 0, 30);
}

CF_TEST(send_vectorized_has_limits, 0, "SEND VECTORIZED count 0 -> 0; > 1024 -> -EINVAL; bad array -> -EFAULT; bad segment -> -EFAULT")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct iovec v[2] = { { buf, 10 }, { (void *)4096, 20 } };
	char *in = cf_in(v, sizeof(v)), *many = cf_alloc(1025 * sizeof(*v), 0);

	for (size_t i = 0; i < 1025; i++)
		((struct iovec *)(void *)many)[i] = v[0];
	for (unsigned int i = 0; i < 4; i++) {
		struct ringd_sqe *sqe = cf_xfer(ring, RINGD_OP_SEND, 0, 0, s[0], i == 1 ? many : in, i == 0 ? 0 : i == 1 ? 1025 : 2);

		sqe->ioprio = RINGD_SEND_VECTORIZED;
		if (i == 2)
			sqe->addr = 4096;
		cf_give(ring, i == 0 ? 0 : i == 1 ? -EINVAL : -EFAULT, 0);
	}
	ck_assert_int_le(cf_readable(s[1]), 10);
}

CF_TEST(a_vector_goes_on_where_it_stopped, 0, "SEND VECTORIZED of more than the socket buffer with WAITALL -> full count, bytes in order")
{
	struct cf_ring *ring = ring_and_tcp();
	struct iovec v[100];
	struct ringd_sqe *sqe;

	for (size_t i = 0; i < 100; i++)
		v[i] = (struct iovec){ buf + i * 2600, 2600 };
	sqe = cf_xfer(ring, RINGD_OP_SEND, 1, 0, s[0], cf_in(v, sizeof(v)), 100);
	sqe->ioprio = RINGD_SEND_VECTORIZED;
	sqe->msg_flags = MSG_WAITALL;
	cf_waits(ring, 1);
	memset((void *)(uintptr_t)sqe->addr, 0xff, sizeof(v));	/* the array has been taken */
	cf_drain_all(s[1], 0, 260000);
	cf_expect(ring, 1, 260000, 0);
}

/* --- destinations --- */

CF_TEST(send_has_a_destination, 0, "SEND with addr2 and addr_len -> a datagram to that address, copied at submission")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct sockaddr_in to;
	int from = cf_udp(NULL), dest = cf_udp(&to);
	struct ringd_sqe *sqe = cf_xfer(ring, RINGD_OP_SEND, 0, 0, from, buf, 8);

	sqe->addr2 = cf_addr(cf_in(&to, sizeof(to)));
	sqe->addr_len = sizeof(to);
	cf_give(ring, 8, 0);
	cf_drain_all(dest, 0, 8);
	sqe = cf_xfer(ring, RINGD_OP_SEND, 0, 0, from, buf, 8);
	sqe->addr2 = 4096;
	sqe->addr_len = sizeof(to);
	cf_give(ring, -EFAULT, 0);
	sqe = cf_xfer(ring, RINGD_OP_SEND, 0, 0, from, buf, 8);
	sqe->addr2 = cf_addr(cf_in(&to, sizeof(to)));
	sqe->addr_len = 200;
	cf_give(ring, -EINVAL, 0);
	cf_xfer(ring, RINGD_OP_SEND, 0, 0, from, buf, 8);
	cf_give(ring, -EDESTADDRREQ, 0);
}

CF_TEST(send_has_a_destination_with_a_name, 0, "SEND to the path of an AF_UNIX datagram socket -> there; missing -> -ENOENT; too long -> -EMSGSIZE")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_DGRAM);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int dest = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *path = cf_path("d");
	struct ringd_sqe *sqe;

	memcpy(sun.sun_path, path, strlen(path));
	for (int i = 0; i < 2; i++) {
		sqe = cf_xfer(ring, RINGD_OP_SEND, 0, 0, from, buf, 8);
		sqe->addr2 = cf_addr(cf_in(&sun, sizeof(sun)));
		sqe->addr_len = sizeof(sun);
		cf_give(ring, i ? 8 : -ENOENT, 0);
		if (i == 0)
			ck_assert_int_eq(bind(dest, (struct sockaddr *)&sun, sizeof(sun)), 0);
	}
	cf_drain_all(dest, 0, 8);
	cf_set_int(s[0], SOL_SOCKET, SO_SNDBUF, 8192);
	sender(ring, 0, 0, MANY, 0);
	cf_give(ring, -EMSGSIZE, 0);
}

CF_TEST(messages_keep_their_bounds, 0, "Sends of 3, 0 and 5 bytes on datagram and seqpacket sockets -> messages of 3, 0 and 5 bytes")
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
	struct cf_ring *ring = cf_ring_new(8, 0);
	char got[16];

	buf = cf_alloc(8, 0);
	for (unsigned int i = 0; i < 2; i++) {
		cf_unix_pair(types[i], s);
		for (unsigned int len = 3; len < 6; len++) {
			sender(ring, 0, 0, len == 4 ? 0 : len, 0);
			cf_give(ring, len == 4 ? 0 : (int)len, 0);
		}
		for (unsigned int len = 3; len < 6; len++)
			ck_assert_int_eq(recv(s[1], got, sizeof(got), MSG_DONTWAIT), len == 4 ? 0 : (int)len);
	}
}

/* --- provided buffers --- */

CF_TEST(send_selects_a_buffer, 0, "SEND + BUFFER_SELECT -> min(len or all, buffer) bytes of it, F_BUFFER, addr ignored")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	for (unsigned int i = 0; i < CF_BUFS; i++)
		memset(cf_buf(&b, i), 'a' + (int)i, 16);
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, 0)->addr = 4096;
	cf_give(ring, 16, cf_used(0));
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 4, 0);
	cf_give(ring, 4, cf_used(1));
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 100, 0);
	cf_give(ring, 16, cf_used(2));
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 3, RINGD_SEND_VECTORIZED);
	cf_give(ring, 3, cf_used(3));
	cf_get(s[1], "aaaaaaaaaaaaaaaabbbbccccccccccccccccddd");
	cf_head_is(ring, 4);
}

CF_TEST(send_without_a_group_is_enoent, 401, "Send from an unknown group -> -ENOENT; from an empty group -> -ENOBUFS")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, 0);
	cf_give(ring, -ENOENT, 0);
	cf_bufs_new(ring, &b, 0, 16, 0);
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, 0);
	cf_give(ring, -ENOBUFS, 0);
}

CF_TEST(a_send_that_waits_has_no_buffer, 0, "SEND + BUFFER_SELECT to a full socket -> head unchanged until there is room; cancelled -> unchanged")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	const int taken = cf_on(CF_KERNEL) ? 1 : 0;
	struct cf_bufs b;
	size_t full;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	for (unsigned int i = 0; i < 2; i++)
		memset(cf_buf(&b, i), cf_pattern(0), 1);
	full = cf_fill(s[0], 0);
	cf_select(ring, RINGD_OP_SEND, 1, s[0], 1, 0);
	cf_waits(ring, 1);
	cf_head_is(ring, taken);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, taken ? cf_used(0) : 0);
	cf_select(ring, RINGD_OP_SEND, 1, s[0], 1, 0);
	cf_waits(ring, 1);
	cf_drain_all(s[1], 0, full);
	cf_expect(ring, 1, 1, cf_used((unsigned int)taken));
	cf_head_is(ring, taken + 1);
	cf_drain_all(s[1], 0, 1);
}
CF_DIFFERS(a_send_that_waits_has_no_buffer, CF_KERNEL, "a send takes its buffer when it is submitted and keeps it, also when it is cancelled")

CF_TEST(an_incremental_buffer_is_sent_in_pieces, 0, "SEND of 4 bytes from an INC entry of 10 -> F_BUF_MORE, 4 with it, then 2 without and head + 1")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, RINGD_PBUF_RING_INC, 10, CF_BUFS);
	memcpy(cf_buf(&b, 0), "0123456789", 10);
	for (int i = 0; i < 3; i++) {
		cf_select(ring, RINGD_OP_SEND, 0, s[0], 4, 0);
		cf_give(ring, i == 2 ? 2 : 4, cf_used(0) | (i == 2 ? 0 : BUF_MORE));
	}
	cf_head_is(ring, 1);
	cf_get(s[1], "0123456789");
}

CF_TEST(send_takes_classic_buffers, 0, "SEND from a classic group -> min(len or all, buffer) of the first that was provided, which is gone then")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	char *data = cf_classic_new(ring, 4, 2);

	memcpy(data, "abcdefgh", 8);
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 0, 0);
	cf_give(ring, 4, cf_used(0));
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 3, 0);
	cf_give(ring, cf_on(CF_KERNEL) ? 4 : 3, cf_used(1));
	cf_select(ring, RINGD_OP_SEND, 0, s[0], 3, 0);
	cf_give(ring, -ENOBUFS, 0);
	cf_get(s[1], cf_on(CF_KERNEL) ? "abcdefgh" : "abcdefg");
}
CF_DIFFERS(send_takes_classic_buffers, CF_KERNEL, "the length of a send does not shorten a classic buffer")
