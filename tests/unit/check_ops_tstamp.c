/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URING_CMD for time stamps of what was sent. */
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suite.h"
#include "testhost.h"

#define ASKED	(SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID)
#define ALONE	SOF_TIMESTAMPING_OPT_TSONLY
#define MORE	RINGD_CQE_F_MORE

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };
static uint32_t next;		/* CQ entry */
static const uint32_t formats[] = { RINGD_SETUP_CQE32, RINGD_SETUP_CQE_MIXED };

static void set(int level, int opt, int value)
{
	ck_assert_int_eq(setsockopt(sv[0], level, opt, &value, sizeof(value)), 0);
}

static void pair(int type, int flags)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int l = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(bind(l, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&addr, &len), 0);
	sv[0] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(connect(sv[0], (struct sockaddr *)&addr, len), 0);
	if (type == SOCK_STREAM) {
		sv[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		close(l);
	} else {
		sv[1] = l;
	}
	set(SOL_SOCKET, SO_TIMESTAMPING, flags);
}

static void tcp(int flags)
{
	pair(SOCK_STREAM, flags);
}

/* A stamp for each send, once; a stream may join them, or send one twice. */
static void udp(int flags)
{
	pair(SOCK_DGRAM, flags);
}

static void open_ring(uint32_t format)
{
	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 8, format);
	next = 0;
}

static void setup(void)
{
	open_ring(RINGD_SETUP_CQE32);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(sv[0]);
	close(sv[1]);
}

static struct ringd_sqe *cmd(int fd)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_URING_CMD);

	sqe->fd = fd;
	sqe->cmd_op = RINGD_SOCKET_OP_TX_TIMESTAMP;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	return sqe;
}

static void expect_none(void)
{
	rd_th_turns(&th, 20);
	ck_assert_uint_eq(c.ring->cq_tail, next);
}

static void expect(int32_t res, uint32_t flags)
{
	bool big = flags & MORE, mixed = big && (c.params.flags & RINGD_SETUP_CQE_MIXED);
	struct ringd_cqe *cqe;
	uint64_t *times;

	while (c.ring->cq_tail == next)
		rd_th_turn(&th);
	cqe = rd_tc_cqe(&c, next);
	ck_assert_int_eq(cqe->res, res);
	ck_assert_uint_eq(cqe->flags, flags | (mixed ? RINGD_CQE_F_32 : 0));
	times = (uint64_t *)(void *)(cqe + 1);
	if (big)
		ck_assert(times[0] > 1000000000 && times[1] < 1000000000);
	next += mixed ? 2 : 1;
	__atomic_store_n(&c.hot->cq_head, next, __ATOMIC_RELEASE);
}

static void cancel(int32_t res)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	expect(res, 0);
	if (res)
		expect(-ECANCELED, 0);
}

START_TEST(every_send_has_a_stamp)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	open_ring(formats[_i]);
	udp(ASKED | ALONE);
	/* what is there already comes at once */
	ck_assert_int_eq(send(sv[0], "0123456789", 10, 0), 10);
	ck_assert_int_eq(send(sv[0], "0123456789", 10, 0), 10);
	cmd(sv[0]);
	expect(0, MORE);
	expect(1, MORE);
	expect_none();
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	expect(2, MORE);
	expect_none();
	cancel(1);
}
END_TEST

START_TEST(stamps_are_of_several_kinds)
{
	uint32_t kinds = 0;

	tcp(ASKED | ALONE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK);
	cmd(sv[0]);
	expect_none();
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	while (kinds != 7) {
		while (c.ring->cq_tail == next)
			rd_th_turn(&th);
		kinds |= 1u << (rd_tc_cqe(&c, next)->flags >> RINGD_TIMESTAMP_TYPE_SHIFT);
		expect(0, rd_tc_cqe(&c, next)->flags);
	}
}
END_TEST

static size_t queued_errors(void)
{
	char control[512], data[100];
	size_t n = 0;

	for (;; n++) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

		if (recvmsg(sv[0], &mh, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return n;
	}
}

START_TEST(what_it_does_not_tell_stays)
{
	udp(ASKED);		/* with the packets */
	cmd(sv[0]);
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	expect_none();
	ck_assert_uint_eq(queued_errors(), 1);
	set(SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID | ALONE);
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	expect_none();
	ck_assert_uint_eq(queued_errors(), 1);
	set(SOL_SOCKET, SO_TIMESTAMPING, ASKED | ALONE);
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	expect(2, MORE);
	/* from now on there may be more than stamps */
	set(IPPROTO_IP, IP_RECVERR, 1);
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	expect(-EOPNOTSUPP, 0);
	ck_assert_uint_eq(queued_errors(), 1);
}
END_TEST

START_TEST(a_connection_that_ends_is_no_news)
{
	tcp(ASKED | ALONE);
	cmd(sv[0]);
	shutdown(sv[1], SHUT_RDWR);
	shutdown(sv[0], SHUT_RDWR);
	expect_none();
	cancel(1);
	close(sv[0]);
	close(sv[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	cmd(sv[0]);
	shutdown(sv[1], SHUT_RDWR);
	expect_none();
	cancel(1);
}
END_TEST

START_TEST(a_full_cq_leaves_them_in_the_socket)
{
	udp(ASKED | ALONE);
	cmd(sv[0]);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	while (c.ring->cq_tail < 16)
		rd_th_turn(&th);
	rd_th_turns(&th, 20);
	ck_assert_uint_eq(c.ring->held, 0);
	for (int i = 0; i < 16; i++)
		expect(i, MORE);
	ck_assert_int_eq(send(sv[0], "0", 1, 0), 1);
	for (int i = 16; i < 21; i++)
		expect(i, MORE);
	cancel(1);
}
END_TEST

START_TEST(not_every_ring_and_file)
{
	int p[2];

	tcp(ASKED | ALONE);
	ck_assert_int_eq(pipe(p), 0);
	cmd(p[0]);
	expect(-EOPNOTSUPP, 0);
	close(p[0]);
	close(p[1]);
	rd_tc_close(&c);
	rd_tc_open(&c, &th, 8, 0);
	next = 0;
	cmd(sv[0]);
	expect(-EINVAL, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ops_tstamp");
	TCase *tc = tcase_create("time stamps");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_send_has_a_stamp, 0, 2);
	tcase_add_test(tc, stamps_are_of_several_kinds);
	tcase_add_test(tc, what_it_does_not_tell_stays);
	tcase_add_test(tc, a_connection_that_ends_is_no_news);
	tcase_add_test(tc, a_full_cq_leaves_them_in_the_socket);
	tcase_add_test(tc, not_every_ring_and_file);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
