/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RECV, single shot */
#include "cf-net.h"

#include <linux/errqueue.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "daemon/common/util.h"

static int s[2];
static char *buf;

static struct cf_ring *ring_and_sockets(int type)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	buf = cf_alloc(4096, 0);
	cf_unix_pair(type, s);
	return ring;
}

static struct cf_ring *ring_and_tcp(void)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	buf = cf_alloc(4096, 0);
	cf_tcp_pair(s);
	return ring;
}

static struct ringd_sqe *receiver(struct cf_ring *ring, uint64_t user_data, unsigned int flags, size_t len, int msg_flags)
{
	struct ringd_sqe *sqe = cf_xfer(ring, RINGD_OP_RECV, user_data, flags, s[0], buf, len);

	sqe->msg_flags = (uint32_t)msg_flags;
	return sqe;
}

static struct ringd_sqe *selecting(struct cf_ring *ring, uint64_t user_data, unsigned int len)
{
	return cf_select(ring, RINGD_OP_RECV, user_data, s[0], len, 0);
}

CF_TEST(recv_needs_a_socket, 341, "Recv on a non-socket -> -ENOTSOCK; MSG_DONTWAIT and no data -> -EAGAIN")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	int p[2];

	cf_pipe(p);
	cf_xfer(ring, RINGD_OP_RECV, 0, 0, p[0], buf, 8);
	cf_give(ring, -ENOTSOCK, 0);
	receiver(ring, 0, 0, 8, MSG_DONTWAIT);
	cf_give(ring, -EAGAIN, 0);
	cf_xfer(ring, RINGD_OP_RECV, 0, 0, 999, buf, 8);
	cf_give(ring, -EBADF, 0);
	cf_put(s[1], "x");
	receiver(ring, 0, 0, 8, 0)->addr = 4096;
	cf_give(ring, -EFAULT, 0);
	receiver(ring, 0, 0, 8, 0)->addr2 = 1;
	cf_give(ring, -EINVAL, 0);
}

CF_TEST(recv_flags_are_checked, 0, "RECV with FIXED_BUF, REPORT_USAGE, VECTORIZED or an unknown bit -> -EINVAL")
{
	static const uint16_t bad[] = { RINGD_RECVSEND_FIXED_BUF, RINGD_SEND_ZC_REPORT_USAGE, RINGD_SEND_VECTORIZED, 0x40, 0x8000 };
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	cf_put(s[1], "x");
	for (unsigned int i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		receiver(ring, 0, 0, 8, 0)->ioprio = bad[i];
		cf_give(ring, -EINVAL, 0);
	}
}

CF_TEST(recv_waits_for_data, 0, "Recv without data -> waits, also on an O_NONBLOCK socket; then what is there")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(fcntl(s[0], F_SETFL, i ? O_NONBLOCK : 0), 0);
		receiver(ring, 1, 0, 100, 0);
		cf_waits(ring, 1);
		cf_put(s[1], "hello");
		cf_expect(ring, 1, 5, 0);
		ck_assert_mem_eq(buf, "hello", 5);
	}
}

CF_TEST(recv_polls_first_if_asked, 342, "Recv with POLL_FIRST and data present -> completes with the data")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	cf_put(s[1], "hello");
	receiver(ring, 0, 0, 100, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	cf_give(ring, 5, 0);
	ck_assert_mem_eq(buf, "hello", 5);
}

CF_TEST(recv_says_that_more_is_there, 344, "Recv of part of the queued data -> flag 0x4 set; of all of it -> clear")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	for (int tcp = 0; tcp < 2; tcp++) {
		if (tcp)
			cf_tcp_pair(s);
		cf_put(s[1], "0123456789");
		cf_wait_fd(s[0], POLLIN);
		receiver(ring, 0, 0, 4, 0);
		cf_give(ring, 4, NONEMPTY);
		receiver(ring, 0, 0, 100, 0);
		cf_give(ring, 6, 0);
		cf_put(s[1], "01234567");
		cf_wait_fd(s[0], POLLIN);
		receiver(ring, 0, 0, 8, 0);
		cf_give(ring, 8, 0);
	}
}

CF_TEST(recv_at_the_end_keeps_its_buffer, 343 410, "Recv at EOF -> 0, provided buffer not consumed, no F_BUFFER, head unchanged")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	selecting(ring, 1, 0);
	cf_waits(ring, 1);
	close(s[1]);
	cf_expect(ring, 1, 0, 0);
	selecting(ring, 0, 0);
	cf_give(ring, 0, 0);
	cf_head_is(ring, 0);
	receiver(ring, 0, 0, 100, 0);
	cf_give(ring, 0, 0);
}

CF_TEST(recv_has_no_limit_of_bytes, 349, "Recv single shot with optlen -> -EINVAL")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	cf_put(s[1], "hello");
	receiver(ring, 0, 0, 8, 0)->optlen = 4;
	cf_give(ring, -EINVAL, 0);
}

CF_TEST(recv_of_a_longer_datagram_is_cut, 351, "20-byte datagram into a 16-byte selected buffer -> 16; with MSG_TRUNC -> 20")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_DGRAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	cf_put(s[1], "0123456789abcdefghij");
	cf_put(s[1], "0123456789abcdefghij");
	selecting(ring, 0, 0);
	cf_give(ring, 16, cf_used(0));
	selecting(ring, 0, 0)->msg_flags = MSG_TRUNC;
	cf_give(ring, 20, cf_used(1));
	ck_assert_mem_eq(cf_buf(&b, 1), "0123456789abcdef\0\0\0", 19);
	cf_head_is(ring, 2);
}

CF_TEST(recv_without_a_group_is_enobufs, 401, "Recv from an unknown or empty group -> -ENOBUFS, and the data stays")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_put(s[1], "x");
	selecting(ring, 0, 0);
	cf_give(ring, -ENOBUFS, 0);
	cf_bufs_new(ring, &b, 0, 16, 0);
	selecting(ring, 0, 0);
	cf_give(ring, -ENOBUFS, 0);
	cf_get(s[0], "x");
}

CF_TEST(a_recv_that_polls_first_needs_no_buffer_yet, 0, "Recv from an empty group without data -> -ENOBUFS; with POLL_FIRST it waits, and uses what has been provided meanwhile")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, 0);
	selecting(ring, 0, 0);
	cf_give(ring, -ENOBUFS, 0);
	selecting(ring, 1, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	cf_waits(ring, 1);
	cf_bufs_add(&b, 1);
	cf_put(s[1], "x");
	cf_expect(ring, 1, 1, cf_used(0));
	selecting(ring, 1, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	cf_waits(ring, 1);
	cf_put(s[1], "y");
	cf_expect(ring, 1, -ENOBUFS, 0);
	cf_get(s[0], "y");
}

CF_TEST(a_recv_that_waits_uses_nothing, 407, "Waiting recv with a ring group -> head unchanged until data arrives")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	selecting(ring, 1, 4);
	cf_waits(ring, 1);
	cf_head_is(ring, 0);
	cf_put(s[1], "hello");
	cf_expect(ring, 1, 4, cf_used(0) | NONEMPTY);
	cf_head_is(ring, 1);
}

CF_TEST(a_recv_that_is_cancelled_uses_nothing, 408, "Cancelled waiting recv -> head unchanged")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	selecting(ring, 1, 0);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_head_is(ring, 0);
}

CF_TEST(a_bad_entry_stays_first, 412, "Entry with a bad address and a socket recv -> -EFAULT, head unchanged")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	b.ring[0].addr = 4096;
	cf_put(s[1], "x");
	for (int i = 0; i < 2; i++) {
		selecting(ring, 0, 0);
		cf_give(ring, -EFAULT, 0);
		cf_head_is(ring, 0);
	}
	b.ring[0].addr = cf_addr(b.data);
	selecting(ring, 0, 0);
	cf_give(ring, 1, cf_used(0));
}

CF_TEST(received_data_may_overwrite_the_ring, 435, "Recv whose data overwrites the buffer ring it was selected from -> result and buffer id are still right")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	b.ring[0].addr = cf_addr(b.ring);
	cf_put(s[1], "0123456789abcdef");
	selecting(ring, 0, 0);
	cf_give(ring, 16, cf_used(0));
	cf_head_is(ring, 1);
}

CF_TEST(recv_fills_an_incremental_buffer, 0, "Recv of 4, 4 and 2 bytes into an INC entry of 10 -> F_BUF_MORE, then none and head + 1; EOF uses nothing")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, RINGD_PBUF_RING_INC, 10, CF_BUFS);
	for (int i = 0; i < 3; i++) {
		cf_put(s[1], i == 2 ? "89ABCD" : i ? "4567" : "0123");
		selecting(ring, 0, 0);
		cf_give(ring, i == 2 ? 2 : 4, cf_used(0) | (i == 2 ? NONEMPTY : BUF_MORE));
		cf_head_is(ring, i == 2);
	}
	ck_assert_mem_eq(cf_buf(&b, 0), "0123456789", 10);
	selecting(ring, 0, 0);
	cf_give(ring, 4, cf_used(1) | BUF_MORE);
	ck_assert_uint_eq(b.ring[1].len, 6);
	close(s[1]);
	selecting(ring, 0, 0);
	cf_give(ring, 0, 0);
	cf_head_is(ring, 1);
	ck_assert_uint_eq(b.ring[1].len, 6);
}

CF_TEST(recv_takes_classic_buffers, 0, "Recv from a classic group -> F_BUFFER; at EOF and cancelled none, and the buffer is still there")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	char *data = cf_classic_new(ring, 4, 2);

	selecting(ring, 1, 0);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_put(s[1], "abcdef");
	selecting(ring, 0, 0);
	cf_give(ring, 4, cf_used(0) | NONEMPTY);
	ck_assert_mem_eq(data, "abcd", 4);
	cf_get(s[0], "ef");
	close(s[1]);
	selecting(ring, 0, 0);
	cf_give(ring, 0, 0);
	cf_sqe(ring, RINGD_OP_REMOVE_BUFFERS)->fd = 9;
	cf_give(ring, -ENOENT, 0);
}

/* --- WAITALL --- */

CF_TEST(recv_with_waitall_waits_for_all, 0, "Recv with MSG_WAITALL -> retried until len bytes are there; at EOF the partial count")
{
	struct cf_ring *ring = ring_and_tcp();
	struct cf_cqe cqe;

	receiver(ring, 1, 0, 10, MSG_WAITALL);
	cf_waits(ring, 1);
	cf_put(s[1], "0123");
	cf_wait_fd(s[1], POLLOUT);
	cf_expect_none(ring);
	cf_put(s[1], "456789");
	cf_expect(ring, 1, 10, 0);
	ck_assert_mem_eq(buf, "0123456789", 10);
	receiver(ring, 1, 0, 10, MSG_WAITALL);
	cf_put(s[1], "abc");
	ck_assert_int_eq(shutdown(s[1], SHUT_WR), 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_cqe(ring, &cqe);
	ck_assert_int_eq(cqe.res, 3);
	ck_assert_uint_eq(cqe.flags & ~NONEMPTY, 0);	/* the end counts as more, or not */
}

CF_TEST(a_cancelled_waitall_tells_its_progress, 0, "Recv with MSG_WAITALL cancelled after some bytes -> the partial count, data not lost")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	cf_put(s[1], "0123");
	receiver(ring, 1, 0, 10, MSG_WAITALL);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	cf_expect(ring, 1, 4, 0);
	ck_assert_mem_eq(buf, "0123", 4);
}

CF_TEST(a_short_recv_keeps_its_link, 116, "Short recv without MSG_WAITALL LINK nop -> short count, then 0")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	cf_put(s[1], "0123");
	receiver(ring, 1, LINK, 10, 0);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, 4, 0);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(a_short_recv_with_waitall_breaks_its_link, 117, "Short recv with MSG_WAITALL LINK nop -> short count, then -ECANCELED")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	cf_put(s[1], "0123");
	close(s[1]);
	receiver(ring, 1, LINK, 10, MSG_WAITALL);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, 4, 0);
	cf_expect(ring, 2, -ECANCELED, 0);
}

CF_TEST(a_waitall_with_a_selected_buffer_fills_it, 0, "Recv with MSG_WAITALL and BUFFER_SELECT -> the whole buffer, one CQE")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 8, CF_BUFS);
	cf_put(s[1], "0123");
	selecting(ring, 1, 0)->msg_flags = MSG_WAITALL;
	cf_waits(ring, 1);
	cf_put(s[1], "456789");
	cf_expect(ring, 1, 8, cf_used(0) | NONEMPTY);
	ck_assert_mem_eq(cf_buf(&b, 0), "01234567", 8);
	cf_head_is(ring, 1);
}

/* --- flags of the system call --- */

CF_TEST(msg_peek_leaves_the_data, 0, "Recv with MSG_PEEK -> the data, twice; MSG_TRUNC on TCP -> bytes thrown away")
{
	struct cf_ring *ring = ring_and_tcp();

	cf_put(s[1], "hello");
	cf_wait_fd(s[0], POLLIN);
	for (int i = 0; i < 2; i++) {
		memset(buf, 0, 8);
		receiver(ring, 0, 0, 5, MSG_PEEK);
		cf_give(ring, 5, NONEMPTY);
		ck_assert_mem_eq(buf, "hello", 5);
	}
	memset(buf, 0, 8);
	receiver(ring, 0, 0, 3, MSG_TRUNC);
	cf_give(ring, 3, NONEMPTY);
	ck_assert_mem_eq(buf, "\0\0\0", 3);
	receiver(ring, 0, 0, 8, 0);
	cf_give(ring, 2, 0);
}

CF_TEST(urgent_data_is_received, 0, "Recv with MSG_OOB and urgent data -> one byte; without -> -EINVAL")
{
	struct cf_ring *ring = ring_and_tcp();

	receiver(ring, 0, 0, 1, MSG_OOB);
	cf_give(ring, -EINVAL, 0);
	ck_assert_int_eq(send(s[1], "x", 1, MSG_OOB), 1);
	cf_wait_fd(s[0], POLLPRI);
	receiver(ring, 0, 0, 1, MSG_OOB);
	ck_assert_int_eq(cf_run(ring), 1);
	ck_assert_int_eq(buf[0], 'x');
}

CF_TEST(the_error_queue_is_waited_for, 0, "Recv with MSG_ERRQUEUE -> waits for POLLERR, then the datagram that failed")
{
	struct cf_ring *ring = ring_and_tcp();
	struct sockaddr_in addr;
	int u = cf_udp(NULL), gone = cf_udp(&addr);

	cf_set_int(u, IPPROTO_IP, IP_RECVERR, 1);
	ck_assert_int_eq(connect(u, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cf_xfer(ring, RINGD_OP_RECV, 1, 0, u, buf, 100)->msg_flags = MSG_ERRQUEUE;
	cf_waits(ring, 1);
	close(gone);
	cf_put(u, "lost");
	cf_expect(ring, 1, 4, 0);
	ck_assert_mem_eq(buf, "lost", 4);
}

/* --- errors, order, others --- */

CF_TEST(a_reset_ends_a_recv, 0, "Recv waiting when the peer resets -> -ECONNRESET; afterwards 0; unconnected -> -ENOTCONN")
{
	struct linger now = { .l_onoff = 1 };
	struct cf_ring *ring = ring_and_tcp();

	receiver(ring, 1, 0, 8, 0);
	cf_waits(ring, 1);
	ck_assert_int_eq(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(s[1]);
	cf_expect(ring, 1, -ECONNRESET, 0);
	receiver(ring, 0, 0, 8, 0);
	cf_give(ring, 0, 0);
	cf_xfer(ring, RINGD_OP_RECV, 0, 0, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), buf, 8);
	cf_give(ring, -ENOTCONN, 0);
}

CF_TEST(data_wakes_receivers_in_order, 0, "Three recvs waiting on one socket -> each message completes the oldest")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_DGRAM);
	struct cf_cqe cqe;

	for (uint64_t i = 1; i <= 3; i++)
		receiver(ring, i, 0, 8, 0);
	cf_waits(ring, 3);
	for (uint64_t i = 1; i <= 3; i++) {
		cf_put(s[1], "msg");
		cf_wait_cqe(ring, &cqe);
		ck_assert_int_eq(cqe.res, 3);
		if (cf_on(CF_RINGD))
			ck_assert_uint_eq(cqe.user_data, i);
		cf_expect_none(ring);
	}
}
CF_DIFFERS(data_wakes_receivers_in_order, CF_KERNEL, "all are woken, and any of them may be the first that looks")

CF_TEST(send_and_recv_wait_for_different_things, 0, "Send waiting for room and recv waiting for data on one socket -> each is woken by its own event")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	size_t full = cf_fill(s[0], 0);

	receiver(ring, 1, 0, 8, 0);
	cf_xfer(ring, RINGD_OP_SEND, 2, 0, s[0], buf, 1);
	cf_waits(ring, 2);
	cf_put(s[1], "data");
	cf_expect(ring, 1, 4, 0);
	cf_expect_none(ring);
	cf_drain_all(s[1], 0, full);
	cf_expect(ring, 2, 1, 0);
}

CF_TEST(a_recv_has_its_time, 0, "Linked timeout on a recv -> -ETIME, recv -ECANCELED; the data that comes later is for others")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);

	receiver(ring, 1, LINK, 8, 0);
	cf_link_timeout(ring, 2, 2000000);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, -ETIME, 0);
	cf_expect(ring, 1, -ECANCELED, 0);
	cf_put(s[1], "x");
	cf_expect_none(ring);
	cf_get(s[0], "x");
}

CF_TEST(a_recv_by_readiness_rings_no_async_bell, 106, "EVENTFD_ASYNC and a socket read completed by readiness -> no increment")
{
	struct cf_ring *ring = ring_and_sockets(SOCK_STREAM);
	int ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_EVENTFD_ASYNC, &ev, 1), 0);
	cf_put(s[1], "x");
	receiver(ring, 0, 0, 8, 0);
	cf_give(ring, 1, 0);
	ck_assert(!cf_fd_ready(ev, POLLIN));
}
