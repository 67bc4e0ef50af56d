/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND_ZC and SENDMSG_ZC: two CQEs per request */
#include "cf-net.h"

#include "daemon/common/util.h"

#define COPIED	INT32_MIN	/* RINGD_NOTIF_USAGE_ZC_COPIED in res */
#define BIG	(256u << 10)

static int s[2];
static char *buf;

static struct cf_ring *begin(void)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	buf = cf_alloc(BIG, 4096);
	for (size_t i = 0; i < BIG; i++)
		buf[i] = (char)cf_pattern(i);
	cf_tcp_pair(s);
	return ring;
}

static struct ringd_sqe *zc(struct cf_ring *ring, uint64_t user_data, unsigned int flags, size_t len)
{
	return cf_xfer(ring, RINGD_OP_SEND_ZC, user_data, flags, s[0], buf, len);
}

/* Result and notification, in this order */
static void both(struct cf_ring *ring, uint64_t user_data, int32_t res)
{
	cf_expect(ring, user_data, res, MORE);
	cf_expect(ring, user_data, 0, NOTIF);
}

static void submit_both(struct cf_ring *ring, int32_t res)
{
	ck_assert_int_eq(cf_submit(ring), 1);
	both(ring, 0, res);
}

static void register_buffer(struct cf_ring *ring, size_t len, uint64_t tag)
{
	struct iovec v = { buf, len };
	struct ringd_rsrc_register reg = { .nr = 1, .data = cf_addr(&v), .tags = cf_addr(&tag) };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_BUFFERS2, &reg, sizeof(reg)), 0);
}

static struct ringd_sqe *zc_fixed(struct cf_ring *ring, uint64_t user_data, size_t off, size_t len)
{
	struct ringd_sqe *sqe = zc(ring, user_data, 0, len);

	sqe->addr += off;
	sqe->ioprio = RINGD_RECVSEND_FIXED_BUF;
	return sqe;
}

CF_TEST(send_zc_says_two_things, 361, "SEND_ZC of 8 bytes -> CQE 8 with F_MORE, later CQE with F_NOTIF; never reversed")
{
	struct cf_ring *ring = begin();

	for (uint64_t i = 1; i < 100; i++) {
		zc(ring, i, 0, 8);
		ck_assert_int_eq(cf_submit(ring), 1);
		both(ring, i, 8);
		cf_drain_all(s[1], 0, 8);
	}
	cf_expect_none(ring);
}

CF_TEST(many_zero_copy_sends, 361, "Eight SEND_ZC at once -> each has its result before its notification, once")
{
	struct cf_ring *ring = begin();
	unsigned int seen[8] = { 0 };
	struct cf_cqe cqe;

	for (uint64_t i = 0; i < 8; i++)
		zc(ring, i, 0, 1000)->addr += i * 1000;
	ck_assert_int_eq(cf_submit(ring), 8);
	cf_drain_all(s[1], 0, 8000);
	for (unsigned int n = 0; n < 16; n++) {
		cf_wait_cqe(ring, &cqe);
		ck_assert_uint_lt(cqe.user_data, 8);
		ck_assert_uint_eq(cqe.flags, seen[cqe.user_data] ? NOTIF : MORE);
		ck_assert_int_eq(cqe.res, seen[cqe.user_data] ? 0 : 1000);
		seen[cqe.user_data]++;
	}
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(seen[i], 2);
	cf_expect_none(ring);
}

CF_TEST(send_zc_reports_copies, 362, "SEND_ZC with REPORT_USAGE over loopback -> notification res 0x80000000 when copied")
{
	struct cf_ring *ring = begin();
	struct cf_cqe cqe;

	zc(ring, 1, 0, 8000)->ioprio = RINGD_SEND_ZC_REPORT_USAGE;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, 8000, MORE);
	cf_drain_all(s[1], 0, 8000);
	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.flags, NOTIF);
	ck_assert_int_eq(cqe.res, COPIED);
}

CF_TEST(a_failed_send_zc_still_notifies, 363, "SEND_ZC on a bad fd -> -EBADF with F_MORE, then F_NOTIF with res 0")
{
	struct cf_ring *ring = begin();
	int p[2];

	cf_pipe(p);
	cf_xfer(ring, RINGD_OP_SEND_ZC, 0, 0, 999, buf, 8);
	submit_both(ring, -EBADF);
	cf_xfer(ring, RINGD_OP_SEND_ZC, 0, 0, p[1], buf, 8);
	submit_both(ring, -ENOTSOCK);
	zc(ring, 0, 0, 8)->ioprio = RINGD_RECVSEND_BUNDLE;
	submit_both(ring, -EINVAL);
	zc(ring, 0, 0, 8)->ioprio = 0x40;
	submit_both(ring, -EINVAL);
	ck_assert_int_eq(cf_readable(s[1]), 0);
}

CF_TEST(unix_sockets_have_no_zero_copy, 364, "SEND_ZC on AF_UNIX -> -EOPNOTSUPP with F_MORE, then F_NOTIF")
{
	struct cf_ring *ring = begin();
	int pair[2];

	cf_unix_pair(SOCK_STREAM, pair);
	cf_xfer(ring, RINGD_OP_SEND_ZC, 0, 0, pair[0], buf, 8);
	submit_both(ring, -EOPNOTSUPP);
	ck_assert_int_eq(cf_readable(pair[1]), 0);
}

CF_TEST(a_fixed_buffer_has_bounds, 365, "SEND_ZC with a fixed buffer out of range -> -EFAULT with F_MORE, then F_NOTIF")
{
	struct cf_ring *ring = begin();

	register_buffer(ring, 4096, 0);
	zc_fixed(ring, 0, 4000, 200);
	submit_both(ring, -EFAULT);
	zc_fixed(ring, 0, 0, 8)->buf_index = 1;
	submit_both(ring, -EFAULT);
	zc_fixed(ring, 0, 100, 8);
	submit_both(ring, 8);
	cf_drain_all(s[1], 100, 8);
}

CF_TEST(a_buffer_lives_until_the_notification, 366, "Buffer unregistered before the notification -> the tag CQE comes after the notification")
{
	struct cf_ring *ring = begin();
	struct cf_cqe cqe;
	bool notified = false, tagged = false;

	cf_set_int(s[1], SOL_SOCKET, SO_RCVBUF, 4096);
	register_buffer(ring, BIG, 77);
	zc_fixed(ring, 1, 0, BIG)->msg_flags = MSG_WAITALL;
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	cf_drain_all(s[1], 0, BIG);
	cf_expect(ring, 1, BIG, MORE);
	while (!tagged) {
		cf_wait_cqe(ring, &cqe);
		if (cqe.user_data == 77) {
			ck_assert_msg(notified, "the buffer went before its notification");
			tagged = true;
		} else {
			ck_assert_uint_eq(cqe.flags, NOTIF);
			notified = true;
		}
	}
}

CF_TEST(a_send_zc_is_never_silent, 160, "SEND_ZC with the skip flag -> one CQE -EINVAL without F_MORE")
{
	struct cf_ring *ring = begin();

	zc(ring, 0, RINGD_SQE_CQE_SKIP_SUCCESS, 8);
	cf_give(ring, -EINVAL, 0);
	zc(ring, 0, 0, 8)->__pad2[0] = 1;
	cf_give(ring, -EINVAL, 0);
	cf_expect_none(ring);
}

CF_TEST(a_link_goes_on_after_the_result, 0, "SEND_ZC LINK nop -> the NOP's CQE after the result, whether or not the notification was there; failure -> -ECANCELED")
{
	struct cf_ring *ring = begin();

	zc(ring, 1, LINK, 8);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, 8, MORE);
	cf_expect_set(ring, { 1, 0, NOTIF }, { 2, 0, 0 });
	zc(ring, 1, LINK, 8)->ioprio = 0x40;
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, 0);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect_set(ring, { 1, -EINVAL, MORE }, { 1, 0, NOTIF }, { 2, -ECANCELED, 0 });
}

CF_TEST(a_drain_waits_for_the_notification, 0, "SEND_ZC, then a NOP with DRAIN -> the NOP's CQE after the notification")
{
	struct cf_ring *ring = begin();

	zc(ring, 1, 0, 8000);
	cf_sqe_ud(ring, RINGD_OP_NOP, 2, RINGD_SQE_IO_DRAIN);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_drain_all(s[1], 0, 8000);
	cf_expect(ring, 1, 8000, MORE);
	cf_expect(ring, 1, 0, NOTIF);
	cf_expect(ring, 2, 0, 0);
}

CF_TEST(send_zc_with_waitall_notifies_once, 0, "SEND_ZC of more than the socket buffer with MSG_WAITALL -> full count, one notification")
{
	struct cf_ring *ring = begin();

	cf_set_int(s[1], SOL_SOCKET, SO_RCVBUF, 4096);
	zc(ring, 1, 0, BIG)->msg_flags = MSG_WAITALL;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_drain_all(s[1], 0, BIG);
	both(ring, 1, BIG);
	cf_expect_none(ring);
}

CF_TEST(a_cancelled_send_zc_notifies, 0, "SEND_ZC cancelled while it waits for room -> -ECANCELED with F_MORE, then F_NOTIF")
{
	struct cf_ring *ring = begin();

	cf_fill(s[0], 0);
	zc(ring, 1, 0, 8);
	cf_waits(ring, 1);
	cf_cancel(ring, 2, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_set(ring, { 2, 0, 0 }, { 1, -ECANCELED, MORE }, { 1, 0, NOTIF });
}

CF_TEST(send_zc_has_a_destination, 0, "SEND_ZC with addr2 and addr_len -> a datagram to that address; length 200 -> -EINVAL")
{
	struct cf_ring *ring = begin();
	struct sockaddr_in to;
	int dest = cf_udp(&to), from = cf_udp(NULL);
	struct ringd_sqe *sqe;

	for (int i = 0; i < 2; i++) {
		sqe = cf_xfer(ring, RINGD_OP_SEND_ZC, 0, 0, from, buf, 8);
		sqe->addr2 = cf_addr(cf_in(&to, sizeof(to)));
		sqe->addr_len = i ? 200 : sizeof(to);
		submit_both(ring, i ? -EINVAL : 8);
	}
	cf_drain_all(dest, 0, 8);
}

CF_TEST(send_zc_polls_first_and_takes_vectors, 0, "SEND_ZC with POLL_FIRST -> sent; with VECTORIZED and two segments -> sum of both")
{
	struct cf_ring *ring = begin();
	struct iovec v[2] = { { buf, 10 }, { buf + 10, 20 } };

	zc(ring, 0, 0, 8)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	submit_both(ring, 8);
	cf_drain_all(s[1], 0, 8);
	cf_xfer(ring, RINGD_OP_SEND_ZC, 0, 0, s[0], cf_in(v, sizeof(v)), 2)->ioprio = RINGD_SEND_VECTORIZED;
	ck_assert_int_eq(cf_submit(ring), 1);
	if (cf_on(CF_KERNEL)) {
		struct cf_cqe cqe;

		cf_wait_cqe(ring, &cqe);
		if (cqe.res == -EINVAL)
			cf_skip("SEND_ZC takes no vectors here");
		ck_assert_int_eq(cqe.res, 30);
		cf_expect(ring, 0, 0, NOTIF);
	} else {
		both(ring, 0, 30);
	}
	cf_drain_all(s[1], 0, 30);
}

CF_TEST(send_zc_to_nobody, 0, "SEND_ZC on a socket whose peer has reset -> -EPIPE with F_MORE, then F_NOTIF, no signal")
{
	struct linger now = { .l_onoff = 1 };
	struct cf_ring *ring = begin();
	char c;

	ck_assert_int_eq(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(s[1]);
	cf_wait_fd(s[0], POLLHUP);
	ck_assert_int_eq(recv(s[0], &c, 1, 0), -1);
	zc(ring, 0, 0, 8);
	submit_both(ring, -EPIPE);
}

CF_TEST(sendmsg_zc_says_two_things, 361, "SENDMSG_ZC with two segments -> sum of both with F_MORE, then F_NOTIF")
{
	struct cf_ring *ring = begin();
	struct msghdr *m = cf_msg(buf, 8);
	struct iovec v[2] = { { buf, 10 }, { buf + 10, 20 } };

	m->msg_iov = cf_in(v, sizeof(v));
	m->msg_iovlen = 2;
	cf_msg_op(ring, RINGD_OP_SENDMSG_ZC, 0, 0, s[0], m);
	submit_both(ring, 30);
	cf_drain_all(s[1], 0, 30);
	cf_msg_op(ring, RINGD_OP_SENDMSG_ZC, 0, 0, s[0], (void *)4096);
	submit_both(ring, -EFAULT);
}

CF_TEST(sendmsg_zc_takes_fixed_buffers, 365, "SENDMSG_ZC with FIXED_BUF and every segment inside -> sum; one outside -> -EFAULT")
{
	struct cf_ring *ring = begin();
	struct msghdr *m = cf_msg(buf, 8);
	struct iovec *v = cf_alloc(2 * sizeof(*v), 0);
	struct cf_cqe cqe;

	register_buffer(ring, 4096, 0);
	v[0] = (struct iovec){ buf, 10 };
	v[1] = (struct iovec){ buf + 10, 20 };
	m->msg_iov = v;
	m->msg_iovlen = 2;
	for (int i = 0; i < 2; i++) {
		if (i)
			v[1].iov_base = buf + 4090;
		cf_msg_op(ring, RINGD_OP_SENDMSG_ZC, 0, 0, s[0], m)->ioprio = RINGD_RECVSEND_FIXED_BUF;
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_wait_cqe(ring, &cqe);
		if (cqe.res == -EINVAL && cf_on(CF_KERNEL))
			cf_skip("SENDMSG_ZC takes no registered buffers here");
		ck_assert_int_eq(cqe.res, i ? -EFAULT : 30);
		ck_assert_uint_eq(cqe.flags, MORE);
		cf_expect(ring, 0, 0, NOTIF);
	}
	cf_drain_all(s[1], 0, 30);
}

CF_TEST(iopoll_rings_have_no_zero_copy, 0, "SEND_ZC on an IOPOLL ring -> -EINVAL")
{
	struct cf_ring *ring = begin(), *polled = cf_ring_new(8, RINGD_SETUP_IOPOLL);
	struct cf_cqe cqe;

	(void)ring;
	cf_xfer(polled, RINGD_OP_SEND_ZC, 0, 0, s[0], buf, 8);
	ck_assert_int_eq(cf_submit(polled), 1);
	cf_wait_cqe(polled, &cqe);
	ck_assert_int_eq(cqe.res, -EINVAL);
}

CF_TEST(notifications_do_not_get_lost, 0, "SEND_ZC of more requests than the CQ has room for -> results and notifications all come")
{
	struct cf_ring *ring = cf_ring_new_params(2, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 2 });
	unsigned int results = 0, notifications = 0;
	struct cf_cqe cqe;

	buf = cf_alloc(64, 0);
	cf_tcp_pair(s);
	for (int i = 0; i < 8; i++) {
		zc(ring, 1, 0, 8);
		ck_assert_int_eq(cf_submit(ring), 1);
	}
	while (results + notifications < 16) {
		cf_wait_cqe(ring, &cqe);
		if (cqe.flags & NOTIF)
			notifications++;
		else
			results += cqe.res == 8;
	}
	ck_assert_uint_eq(results, 8);
	ck_assert_uint_eq(notifications, 8);
}

CF_TEST(a_ring_may_go_before_its_notifications, 0, "Ring closed with SEND_ZC under way -> the data that was sent arrives")
{
	struct cf_ring *ring = begin();

	cf_set_int(s[1], SOL_SOCKET, SO_RCVBUF, 4096);
	zc(ring, 1, 0, 16000);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, 16000, MORE);
	cf_ring_free(ring);
	cf_drain_all(s[1], 0, 16000);
}
