/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND_ZC and SENDMSG_ZC: their two CQEs in every way to end, with a copy and without. */
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/uring.h"
#include "suite.h"
#include "testhost.h"

#define MORE	RINGD_CQE_F_MORE
#define NOTIF	RINGD_CQE_F_NOTIF
#define REPORT	RINGD_SEND_ZC_REPORT_USAGE
#define FIXED	RINGD_RECVSEND_FIXED_BUF
#define VECTOR	RINGD_SEND_VECTORIZED
#define COPIED	INT32_MIN
#define SIZE	(2u << 20)
#define LONG	65536u		/* worth not to be copied, and fits into the receiver's buffer three times */
#define AHEAD	(1 << 20)	/* does not */

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };	/* sender, receiver; means the same file in each request */
static char *buf;

static void pair(int family, int type)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int l, size = 400000;

	if (family == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
		rd_th_lend(&th, sv[0]);
		return;
	}
	l = socket(AF_INET, type | SOCK_CLOEXEC, 0);
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
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	rd_th_lend(&th, sv[0]);
}

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	buf = rd_th_alloc(&th, SIZE);
	for (uint32_t i = 0; i < SIZE; i++)
		buf[i] = (char)(i / 1000 + i);
}

static void setup_sync(void)
{
	setup(RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	setup(RD_BACKEND_URING);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_close(sv[1]);
	rd_th_deinit(&th);
	rd_close(sv[0]);
	sv[0] = sv[1] = -1;
}

static bool has_zc(void)
{
	return th.engine.uring && rd_uring_zc_room(th.engine.uring);
}

static struct ringd_sqe *zc(int fd, const void *addr, uint32_t len, uint16_t ioprio)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_SEND_ZC);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->ioprio = ioprio;
	return sqe;
}

static void nop(uint64_t user_data, uint8_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_NOP);

	sqe->user_data = user_data;
	sqe->flags = flags;
}

static void cancel(uint64_t user_data, uint64_t key)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->user_data = user_data;
	sqe->addr = key;
}

static void submit(void)
{
	int32_t n = (int32_t)c.unsubmitted;

	ck_assert_int_eq(rd_tc_submit(&c), n);
}

/* The one that was submitted last answers with both. */
static void expect(int32_t res, int32_t usage)
{
	rd_tc_expect(&c, c.user_data, res, MORE);
	rd_tc_expect(&c, c.user_data, usage, NOTIF);
}

static void expect_run(int32_t res, int32_t usage)
{
	submit();
	expect(res, usage);
}

/* It is refused so early that there is one CQE only. */
static void expect_refused(int32_t res)
{
	submit();
	rd_tc_expect(&c, c.user_data, res, 0);
	rd_tc_expect_none(&c);
}

static void assert_received(const char *data, size_t len)
{
	char *in = malloc(len + 1);

	if (len)
		ck_assert_int_eq(recv(sv[1], in, len, MSG_WAITALL), (ssize_t)len);
	ck_assert_mem_eq(in, data, len);
	free(in);
}

/* Nothing more goes into the socket. How much did. */
static size_t fill(void)
{
	int size = 65536;

	ck_assert_int_eq(setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	return rd_th_fill(sv[0]);
}

static int unread(void)
{
	int n;

	ck_assert_int_eq(ioctl(sv[1], FIONREAD, &n), 0);
	return n;
}

/* Read n bytes, turning the reactor. */
static void drain(size_t n)
{
	static char in[1 << 20];

	while (n) {
		ssize_t r = recv(sv[1], in, RD_MIN(n, sizeof(in)), MSG_DONTWAIT);

		if (r > 0)
			n -= (size_t)r;
		rd_th_turn(&th);
	}
}

/* --- results --- */

static const uint32_t sizes[] = { 0, 1, 4096, LONG, 2 * LONG };

START_TEST(data_is_sent_then_released)
{
	pair(AF_INET, SOCK_STREAM);
	for (size_t i = 0; i < RD_ARRAY_SIZE(sizes); i++) {
		zc(sv[0], buf, sizes[i], 0);
		expect_run((int32_t)sizes[i], 0);
		assert_received(buf, sizes[i]);
		zc(sv[0], buf + 5, sizes[i], REPORT);
		expect_run((int32_t)sizes[i], COPIED);
		assert_received(buf + 5, sizes[i]);
	}
}
END_TEST

START_TEST(datagrams_go_where_they_are_sent)
{
	struct sockaddr_in *addr = rd_th_alloc(&th, sizeof(*addr));
	socklen_t len = sizeof(*addr);
	struct ringd_sqe *sqe;
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(getsockname(sv[1], (struct sockaddr *)addr, &len), 0);
	for (int i = 0; i < 2; i++) {
		zc(sv[0], buf, i ? 60000 : 10, 0);
		expect_run(i ? 60000 : 10, 0);
		assert_received(buf, i ? 60000 : 10);
		sqe = zc(s, buf, i ? 60000 : 10, REPORT);
		sqe->addr2 = (uintptr_t)addr;
		sqe->addr_len = (uint16_t)len;
		expect_run(i ? 60000 : 10, COPIED);
		assert_received(buf, i ? 60000 : 10);
	}
	zc(s, buf, 10, REPORT);
	expect_run(-EDESTADDRREQ, COPIED);
	/* the length alone decides whether there is one */
	zc(sv[0], buf, 10, 0)->addr2 = 8;
	expect_run(10, 0);
	assert_received(buf, 10);
	zc(sv[0], buf, 100000, REPORT);
	expect_run(-EMSGSIZE, COPIED);
	close(s);
}
END_TEST

START_TEST(segments_are_one_send)
{
	struct iovec *vec = rd_th_alloc(&th, 2048 * sizeof(*vec));

	pair(AF_INET, SOCK_STREAM);
	for (int i = 0; i < 2; i++) {
		size_t len = i ? LONG : 100;

		vec[0] = (struct iovec){ buf, len };
		vec[1] = (struct iovec){ NULL, 0 };
		vec[2] = (struct iovec){ buf + len, 2 * len };
		zc(sv[0], vec, 3, VECTOR | REPORT);
		expect_run((int32_t)(3 * len), COPIED);
		assert_received(buf, 3 * len);
	}
	zc(sv[0], vec, 0, VECTOR | REPORT);
	expect_run(0, COPIED);
	zc(sv[0], vec, 1025, VECTOR);
	expect_run(-EINVAL, 0);
	vec[2].iov_base = (void *)8;
	zc(sv[0], vec, 3, VECTOR | REPORT);
	expect_run(-EFAULT, 0);
}
END_TEST

/* --- messages --- */

struct message {
	struct msghdr hdr;
	struct iovec vec[3];
	struct sockaddr_storage name;
	_Alignas(8) char control[64];
};

static struct message *message(size_t len)
{
	struct message *m = rd_th_alloc(&th, sizeof(*m));

	*m = (struct message){ .hdr = { .msg_iov = m->vec, .msg_iovlen = 3 } };
	m->vec[0] = (struct iovec){ buf, len };
	m->vec[2] = (struct iovec){ buf + len, len };
	return m;
}

static struct ringd_sqe *msg_zc(int fd, const void *m, uint16_t ioprio)
{
	struct ringd_sqe *sqe = zc(fd, m, 1, ioprio);

	sqe->opcode = RINGD_OP_SENDMSG_ZC;
	return sqe;
}

START_TEST(a_message_is_one_send)
{
	struct message *m;

	pair(AF_INET, SOCK_STREAM);
	for (uint32_t len = 100; len <= LONG; len = len == 100 ? LONG : LONG + 1) {
		m = message(len);
		msg_zc(sv[0], &m->hdr, REPORT | VECTOR);
		expect_run((int32_t)(2 * len), COPIED);
		assert_received(buf, 2 * len);
	}
	for (int i = 0; i < 2; i++) {
		m->hdr.msg_iovlen = i ? 1025 : 0;
		msg_zc(sv[0], &m->hdr, 0);
		expect_run(i ? -EMSGSIZE : 0, 0);
	}
	msg_zc(sv[0], (void *)8, 0);
	expect_run(-EFAULT, 0);
	msg_zc(9999, &m->hdr, 0);
	expect_run(-EMSGSIZE, 0);
	m->hdr.msg_iovlen = 1;
	msg_zc(9999, &m->hdr, 0);
	expect_run(-EBADF, 0);
	msg_zc(sv[0], &m->hdr, 0)->addr2 = 1;
	expect_run(-EINVAL, 0);
	msg_zc(sv[0], &m->hdr, 0)->file_index = 1;
	expect_run(-EINVAL, 0);
	msg_zc(sv[0], &m->hdr, RINGD_RECVSEND_BUNDLE);
	expect_run(-EINVAL, 0);
	msg_zc(sv[0], &m->hdr, 0)->__pad2[0] = 1;
	expect_refused(-EINVAL);
}
END_TEST

START_TEST(a_message_has_a_name_and_control_data)
{
	socklen_t len = sizeof(struct sockaddr_storage);
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), tos;
	struct message *m = message(20000);
	char control[64];
	struct msghdr mh = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;

	pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(getsockname(sv[1], (struct sockaddr *)&m->name, &len), 0);
	ck_assert_int_eq(setsockopt(sv[1], IPPROTO_IP, IP_RECVTOS, &(int){ 1 }, sizeof(int)), 0);
	m->hdr.msg_name = &m->name;
	m->hdr.msg_namelen = len;
	m->hdr.msg_control = m->control;
	m->hdr.msg_controllen = CMSG_SPACE(sizeof(int));
	cmsg = CMSG_FIRSTHDR(&m->hdr);
	*cmsg = (struct cmsghdr){ .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TOS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	tos = 0x10;
	memcpy(CMSG_DATA(cmsg), &tos, sizeof(tos));
	rd_th_lend(&th, s);
	msg_zc(s, &m->hdr, REPORT);
	expect_run(40000, COPIED);
	ck_assert_int_eq(recvmsg(sv[1], &mh, 0), 0);
	cmsg = CMSG_FIRSTHDR(&mh);
	ck_assert_ptr_nonnull(cmsg);
	ck_assert_int_eq(cmsg->cmsg_type, IP_TOS);
	ck_assert_int_eq(*CMSG_DATA(cmsg), 0x10);
	/* what is wrong with them is heard by the one who asks */
	m->hdr.msg_controllen = 5;
	m->hdr.msg_namelen = 200;
	for (int i = 0; i < 3; i++) {
		struct ringd_cqe cqe;

		msg_zc(s, &m->hdr, 0);
		submit();
		cqe = rd_tc_wait(&c);
		ck_assert_uint_eq(cqe.flags, MORE);
		rd_tc_expect(&c, c.user_data, 0, NOTIF);
	}
	close(s);
}
END_TEST

START_TEST(a_message_lies_in_a_registered_buffer)
{
	struct message *m;

	pair(AF_INET, SOCK_STREAM);
	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, buf, 2 * LONG, 0);
	for (uint32_t len = 100; len <= LONG; len = len == 100 ? LONG : LONG + 1) {
		m = message(len);
		m->vec[1].iov_base = buf;
		msg_zc(sv[0], &m->hdr, FIXED | REPORT);
		expect_run(-EFAULT, COPIED);	/* the empty one */
		m->vec[1] = (struct iovec){ buf, len };
		msg_zc(sv[0], &m->hdr, FIXED | REPORT);
		expect_run((int32_t)(3 * len), COPIED);
		assert_received(buf, len);
		assert_received(buf, 2 * len);
		m->vec[2].iov_base = buf + 2 * LONG - len + 1;
		msg_zc(sv[0], &m->hdr, FIXED | REPORT);
		expect_run(-EFAULT, COPIED);
	}
	msg_zc(sv[0], &m->hdr, FIXED | REPORT)->buf_index = 1;
	expect_run(-EFAULT, COPIED);
}
END_TEST

/* Nothing is known of the data yet. */
START_TEST(one_cqe_says_that_there_will_be_no_other)
{
	pair(AF_INET, SOCK_STREAM);
	zc(sv[0], buf, 8, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	expect_refused(-EINVAL);
	zc(sv[0], buf, 8, 0)->__pad2[0] = 1;
	expect_refused(-EINVAL);
	zc(sv[0], buf, 8, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	expect_refused(-EOPNOTSUPP);
	zc(sv[0], buf, 8, 0)->flags = 0x80;
	expect_refused(-EINVAL);
	zc(sv[0], buf, 8, 0)->personality = 7;
	expect_refused(-EINVAL);
	/* the bit that marks them inside is no way to have two of anything else */
	nop(500, 0x80);
	c.user_data = 500;
	expect_refused(-EINVAL);
	rd_tc_sqe(&c, 200)->flags = 0x80;
	expect_refused(-EINVAL);
}
END_TEST

START_TEST(every_other_failure_has_both)
{
	struct ringd_sqe *sqe;

	pair(AF_INET, SOCK_STREAM);
	for (uint16_t usage = 0; usage <= REPORT; usage += REPORT) {
		int32_t none = usage ? COPIED : 0;

		zc(9999, buf, 8, usage);
		expect_run(-EBADF, none);
		zc(0, buf, 8, usage)->flags = RINGD_SQE_FIXED_FILE;
		expect_run(-EBADF, none);
		zc(sv[0], (void *)8, 8, usage);
		expect_run(-EFAULT, 0);
		zc(sv[0], buf, 8, usage | FIXED);
		expect_run(-EFAULT, none);
		zc(sv[0], buf, 8, usage | FIXED | VECTOR);
		expect_run(-EINVAL, none);
		zc(sv[0], buf, 8, usage)->__pad3[0] = 1;
		expect_run(-EINVAL, none);
		sqe = zc(sv[0], buf, 8, usage);
		sqe->addr2 = (uintptr_t)buf;
		sqe->addr_len = 200;
		expect_run(-EINVAL, none);
		sqe = zc(sv[0], buf, 8, usage);
		sqe->addr2 = 8;
		sqe->addr_len = 16;
		expect_run(-EFAULT, none);
	}
	for (uint16_t bit = 1; bit; bit = (uint16_t)(bit << 1)) {
		if (bit & (1 | FIXED | REPORT | VECTOR))
			continue;
		zc(sv[0], buf, 8, bit);
		expect_run(-EINVAL, 0);
	}
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(not_every_socket_can)
{
	int p[2];

	pair(AF_UNIX, SOCK_STREAM);
	zc(sv[0], buf, 8, 0);
	expect_run(-EOPNOTSUPP, 0);
	zc(sv[0], buf, LONG, REPORT);
	expect_run(-EOPNOTSUPP, COPIED);
	ck_assert_int_eq(pipe2(p, 0), 0);
	zc(p[1], buf, 8, 0);
	expect_run(-ENOTSOCK, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(the_notification_may_have_a_user_data_of_its_own)
{
	pair(AF_INET, SOCK_STREAM);
	for (int i = 0; i < 3; i++) {
		zc(i == 2 ? 9999 : sv[0], buf, i ? LONG : 8, 0)->addr3 = 4711;
		submit();
		rd_tc_expect(&c, c.user_data, i == 2 ? -EBADF : i ? (int32_t)LONG : 8, MORE);
		rd_tc_expect(&c, 4711, 0, NOTIF);
	}
}
END_TEST

START_TEST(a_peer_that_is_gone)
{
	pair(AF_INET, SOCK_STREAM);
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)), 0);
	close(sv[1]);
	sv[1] = -1;
	for (int i = 0; i < 3; i++) {
		zc(sv[0], buf, i ? LONG : 8, REPORT);
		expect_run(i ? -EPIPE : -ECONNRESET, COPIED);
	}
}
END_TEST

/* --- registered buffers --- */

START_TEST(a_registered_buffer_is_sent_from)
{
	pair(AF_INET, SOCK_STREAM);
	rd_tc_bufs(&c, 2);
	rd_tc_buf(&c, 1, buf + 4096, 2 * LONG, 0);
	for (int i = 0; i < 2; i++) {
		uint32_t len = i ? LONG : 100;

		zc(sv[0], buf + 4096 + 7, len, FIXED | REPORT)->buf_index = 1;
		expect_run((int32_t)len, COPIED);
		assert_received(buf + 4096 + 7, len);
		zc(sv[0], buf + 4096 + 2 * LONG - len + 1, len, FIXED)->buf_index = 1;
		expect_run(-EFAULT, 0);
		zc(sv[0], buf + 4095, len, FIXED)->buf_index = 1;
		expect_run(-EFAULT, 0);
	}
	zc(sv[0], buf + 4096, 8, FIXED | REPORT)->buf_index = 0;
	expect_run(-EFAULT, COPIED);
	zc(sv[0], buf + 4096, 8, FIXED)->buf_index = 2;
	expect_run(-EFAULT, 0);
	zc(9999, buf + 4096, 8, FIXED)->buf_index = 2;
	expect_run(-EBADF, 0);
	zc(sv[0], buf + 4096, 0, FIXED | REPORT)->buf_index = 1;
	expect_run(0, COPIED);
}
END_TEST

START_TEST(a_tag_comes_behind_the_notification)
{
	pair(AF_INET, SOCK_STREAM);
	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, buf, SIZE, 99);
	fill();
	zc(sv[0], buf, LONG, FIXED);
	rd_tc_submit_waiting(&c);
	rd_buf_put(rd_buftable_swap(&c.ring->ctx.bufs, 0, NULL));
	rd_tc_expect_none(&c);
	cancel(77, c.user_data);
	submit();
	rd_tc_expect(&c, 77, 0, 0);
	rd_tc_expect(&c, c.user_data - 1, -ECANCELED, MORE);
	rd_tc_expect(&c, c.user_data - 1, 0, NOTIF);
	rd_tc_expect(&c, 99, 0, 0);
}
END_TEST

/* --- waiting --- */

START_TEST(a_full_socket_is_waited_for)
{
	size_t queued;

	pair(AF_INET, SOCK_STREAM);
	queued = fill();
	zc(sv[0], buf, LONG, REPORT)->msg_flags = MSG_DONTWAIT;
	expect_run(-EAGAIN, COPIED);
	zc(sv[0], buf, LONG, REPORT)->msg_flags = MSG_WAITALL;
	rd_tc_submit_waiting(&c);
	drain(queued + LONG);
	expect(LONG, COPIED);
}
END_TEST

START_TEST(all_of_it_is_one_result)
{
	pair(AF_INET, SOCK_STREAM);
	zc(sv[0], buf, SIZE, REPORT)->msg_flags = MSG_WAITALL;
	submit();
	drain(SIZE);
	expect((int32_t)SIZE, COPIED);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(poll_first_looks_before_it_sends)
{
	pair(AF_INET, SOCK_STREAM);
	for (int i = 0; i < 2; i++) {
		zc(sv[0], buf, i ? LONG : 8, RINGD_RECVSEND_POLL_FIRST);
		expect_run(i ? (int32_t)LONG : 8, 0);
		assert_received(buf, i ? LONG : 8);
	}
	ck_assert_uint_eq(th.engine.stats.polled, 2);
}
END_TEST

START_TEST(a_cancel_says_what_was_sent_before)
{
	struct ringd_cqe cqe;
	size_t queued;

	pair(AF_INET, SOCK_STREAM);
	queued = fill();
	zc(sv[0], buf, SIZE, REPORT)->msg_flags = MSG_WAITALL;
	rd_tc_submit_waiting(&c);
	drain(queued);
	/* it sends some, mostly until the other side has nothing to say any more; see rd_th_fill() */
	for (uint64_t end = rd_now_ns() + 100000000; rd_now_ns() < end || !unread();)
		rd_th_turn(&th);
	cancel(77, c.user_data);
	submit();
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 77);
	ck_assert_msg(cqe.res == 0 || cqe.res == -EALREADY, "%d", cqe.res);	/* it may just be at it */
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.flags, MORE);
	ck_assert_int_gt(cqe.res, 0);
	ck_assert_int_lt(cqe.res, (int32_t)SIZE);
	drain((size_t)cqe.res);
	rd_tc_expect(&c, cqe.user_data, COPIED, NOTIF);
}
END_TEST

START_TEST(a_cancel_during_an_attempt_ends_it)
{
	pair(AF_INET, SOCK_STREAM);
	fill();
	for (uint32_t len = 8; len <= LONG; len = len == 8 ? LONG : LONG + 1) {
		struct ringd_cqe cqe;

		zc(sv[0], buf, len, 0)->user_data = 1;
		cancel(2, 1);
		submit();
		cqe = rd_tc_wait(&c);
		ck_assert_uint_eq(cqe.user_data, 2);
		ck_assert_int_eq(cqe.res, len == LONG && has_zc() ? -EALREADY : 0);
		rd_tc_expect(&c, 1, -ECANCELED, MORE);
		rd_tc_expect(&c, 1, 0, NOTIF);
	}
}
END_TEST

START_TEST(what_waits_for_room_can_be_cancelled)
{
	struct ringd_sqe *sqe;
	int64_t *ts = rd_th_alloc(&th, 16);

	pair(AF_INET, SOCK_STREAM);
	fill();
	for (int i = 0; i < 2; i++) {
		zc(sv[0], buf, i ? LONG : 8, REPORT)->user_data = 1;
		rd_tc_submit_waiting(&c);
		cancel(2, 1);
		submit();
		rd_tc_expect(&c, 2, 0, 0);
		rd_tc_expect(&c, 1, -ECANCELED, MORE);
		rd_tc_expect(&c, 1, COPIED, NOTIF);
	}
	ts[1] = 1;
	sqe = zc(sv[0], buf, LONG, 0);
	sqe->user_data = 1;
	sqe->flags = RINGD_SQE_IO_LINK;
	sqe = rd_tc_sqe(&c, RINGD_OP_LINK_TIMEOUT);
	sqe->user_data = 2;
	sqe->addr = (uintptr_t)ts;
	sqe->len = 1;
	submit();
	for (int i = 0; i < 3; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		if (cqe.user_data == 2)
			ck_assert(cqe.res == -ETIME || cqe.res == -EALREADY);
		else
			ck_assert(cqe.flags == NOTIF ? cqe.res == 0 : cqe.res == -ECANCELED && cqe.flags == MORE);
	}
	rd_tc_expect_none(&c);
}
END_TEST

/* --- order --- */

START_TEST(a_chain_goes_on_behind_the_result)
{
	pair(AF_INET, SOCK_STREAM);
	zc(sv[0], buf, 8, 0)->flags = RINGD_SQE_IO_LINK;
	nop(100, 0);
	submit();
	rd_tc_expect(&c, 1, 8, MORE);
	rd_tc_expect(&c, 1, 0, NOTIF);
	rd_tc_expect(&c, 100, 0, 0);
	/* what fails breaks it */
	zc(9999, buf, 8, 0)->flags = RINGD_SQE_IO_LINK;
	nop(100, 0);
	submit();
	rd_tc_expect(&c, 3, -EBADF, MORE);
	rd_tc_expect(&c, 3, 0, NOTIF);
	rd_tc_expect(&c, 100, -ECANCELED, 0);
	zc(9999, buf, 8, 0)->flags = RINGD_SQE_IO_HARDLINK;
	nop(100, 0);
	submit();
	rd_tc_expect(&c, 5, -EBADF, MORE);
	rd_tc_expect(&c, 5, 0, NOTIF);
	rd_tc_expect(&c, 100, 0, 0);
}
END_TEST

START_TEST(who_never_ran_has_both_too)
{
	pair(AF_INET, SOCK_STREAM);
	rd_tc_sqe(&c, 200)->flags = RINGD_SQE_IO_LINK;
	zc(sv[0], buf, 8, REPORT)->flags = RINGD_SQE_IO_LINK;
	nop(100, 0);
	submit();
	rd_tc_expect(&c, 1, -EINVAL, 0);
	rd_tc_expect(&c, 2, -ECANCELED, MORE);
	rd_tc_expect(&c, 2, COPIED, NOTIF);
	rd_tc_expect(&c, 100, -ECANCELED, 0);
	/* but for those whose end is the silent one's own */
	rd_tc_sqe(&c, RINGD_OP_READ)->fd = 9999;
	c.sqes[(c.sq_tail + c.unsubmitted - 1) & 63].flags = RINGD_SQE_IO_LINK | RINGD_SQE_CQE_SKIP_SUCCESS;
	zc(sv[0], buf, 8, 0);
	submit();
	rd_tc_expect(&c, c.user_data - 1, -EBADF, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(a_drain_waits_for_the_notification)
{
	pair(AF_INET, SOCK_STREAM);
	for (int i = 0; i < 3; i++) {
		uint64_t user_data;

		zc(sv[0], buf, i ? LONG : 8, 0);
		user_data = c.user_data;
		nop(100, RINGD_SQE_IO_DRAIN);
		submit();
		rd_tc_expect(&c, user_data, i ? (int32_t)LONG : 8, MORE);
		rd_tc_expect(&c, user_data, 0, NOTIF);
		rd_tc_expect(&c, 100, 0, 0);
		assert_received(buf, i ? LONG : 8);
	}
}
END_TEST

START_TEST(an_asynchronous_one_has_both)
{
	pair(AF_INET, SOCK_STREAM);
	for (int i = 0; i < 2; i++) {
		zc(sv[0], buf, i ? LONG : 8, REPORT)->flags = RINGD_SQE_ASYNC;
		expect_run(i ? (int32_t)LONG : 8, COPIED);
		assert_received(buf, i ? LONG : 8);
	}
}
END_TEST

START_TEST(an_iopoll_ring_has_none)
{
	pair(AF_INET, SOCK_STREAM);
	rd_tc_close(&c);
	rd_tc_open(&c, &th, 8, RINGD_SETUP_IOPOLL);
	zc(sv[0], buf, 8, 0);
	expect_refused(-EINVAL);
}
END_TEST

START_TEST(large_cqes_have_both)
{
	static const uint32_t flags[] = { RINGD_SETUP_CQE32, RINGD_SETUP_CQE_MIXED,
					  RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER };
	struct ringd_cqe *cqe;

	pair(AF_INET, SOCK_STREAM);
	for (size_t i = 0; i < RD_ARRAY_SIZE(flags); i++) {
		rd_tc_close(&c);
		rd_tc_open(&c, &th, 8, flags[i]);
		zc(sv[0], buf, LONG, 0);
		submit();
		while (c.ring->cq_tail < 2) {
			rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
			rd_th_turn(&th);
		}
		cqe = rd_tc_cqe(&c, 0);
		ck_assert(cqe->res == (int32_t)LONG && cqe->flags == MORE);
		cqe = rd_tc_cqe(&c, 1);
		ck_assert(cqe->res == 0 && cqe->flags == NOTIF);
		assert_received(buf, LONG);
	}
}
END_TEST

START_TEST(a_small_cq_loses_none)
{
	pair(AF_INET, SOCK_STREAM);
	rd_tc_close(&c);
	rd_tc_open_params(&c, &th, &(struct ringd_params){ .sq_entries = 2, .cq_entries = 2,
							   .flags = RINGD_SETUP_CQSIZE | RINGD_SETUP_NO_SQARRAY });
	for (int i = 0; i < 6; i++) {
		zc(i == 3 ? 9999 : sv[0], buf, i == 4 ? LONG : 8, REPORT)->user_data = 1;
		submit();
	}
	drain(4 * 8 + LONG);
	for (int i = 0, results = 0; i < 12; i++) {
		struct ringd_cqe cqe;

		while (!rd_tc_peek(&c, &cqe)) {
			rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
			rd_th_turn(&th);
		}
		results += cqe.flags == MORE ? 1 : -1;
		ck_assert(cqe.flags == MORE || cqe.flags == NOTIF);
		ck_assert_int_ge(results, 0);
	}
	ck_assert_uint_eq(c.ring->held, 0);
}
END_TEST

/* --- peers that do not read --- */

/* Sends whose data stays in use. How many. */
static unsigned int send_to_nobody(uint16_t ioprio)
{
	unsigned int n = 0;

	/* more than the receiver takes, so that nothing of what follows gets there */
	ck_assert_int_eq(send(sv[0], buf, AHEAD, 0), AHEAD);
	while (n < 3) {
		zc(sv[0], buf, LONG, ioprio)->user_data = ++n;
		submit();
		rd_tc_expect(&c, n, LONG, MORE);
	}
	rd_tc_expect_none(&c);
	ck_assert_uint_eq(c.ring->ctx.inflight, n);
	return n;
}

static void expect_released(unsigned int n, int32_t usage)
{
	for (uint64_t i = 1; i <= n; i++)
		rd_tc_expect(&c, i, usage, NOTIF);
	rd_tc_expect_none(&c);
	ck_assert_uint_eq(c.ring->ctx.inflight, 0);
}

START_TEST(data_is_in_use_until_it_is_read)
{
	unsigned int n;

	pair(AF_INET, SOCK_STREAM);
	if (!has_zc())
		return;
	n = send_to_nobody(REPORT);
	ck_assert_uint_gt(th.mem.refs, 1);
	cancel(50, 1);
	nop(51, RINGD_SQE_IO_DRAIN);
	submit();
	rd_tc_expect(&c, 50, -ENOENT, 0);
	rd_tc_expect_none(&c);
	drain(AHEAD + n * LONG);
	for (uint64_t i = 1; i <= n; i++)
		rd_tc_expect(&c, i, COPIED, NOTIF);
	rd_tc_expect(&c, 51, 0, 0);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(data_is_in_use_until_the_connection_breaks)
{
	unsigned int n;

	pair(AF_INET, SOCK_STREAM);
	if (!has_zc())
		return;
	n = send_to_nobody(0);
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)), 0);
	close(sv[1]);
	sv[1] = -1;
	expect_released(n, 0);
}
END_TEST

/* Its memory too: nothing of the client is needed any more, but what says that the kernel still has the pages is charged. */
START_TEST(a_ring_does_not_wait_for_it)
{
	pair(AF_INET, SOCK_STREAM);
	if (!has_zc())
		return;
	send_to_nobody(0);
	rd_tc_close(&c);
	ck_assert_uint_eq(th.mem.refs, 1);
	ck_assert_uint_eq(th.engine.stats.submitted, th.engine.stats.completed);
	ck_assert_uint_gt(th.engine.user.used[RINGD_LIMIT_OBJECTS], 0);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_INFLIGHT], 0);
	drain(AHEAD + 3 * LONG);
	while (th.engine.user.used[RINGD_LIMIT_OBJECTS])
		rd_th_turn(&th);
}
END_TEST

START_TEST(an_engine_does_not_wait_for_it)
{
	pair(AF_INET, SOCK_STREAM);
	if (!has_zc())
		return;
	send_to_nobody(0);
	rd_tc_close(&c);
	rd_uring_free(th.engine.uring);
	th.engine.uring = th.engine.reactor->uring = NULL;
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_OBJECTS], 0);
}
END_TEST

START_TEST(without_a_budget_it_is_copied)
{
	uint64_t limit = th.engine.user.limit[RINGD_LIMIT_OBJECTS];

	pair(AF_INET, SOCK_STREAM);
	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = th.engine.user.used[RINGD_LIMIT_OBJECTS];
	zc(sv[0], buf, LONG, REPORT);
	submit();
	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = limit;
	expect(LONG, COPIED);
	ck_assert_uint_eq(th.engine.stats.uring, 0);
}
END_TEST

START_TEST(a_network_that_copies_is_not_asked_again)
{
	pair(AF_INET, SOCK_STREAM);
	if (!has_zc())
		return;
	for (int i = 0; i < 5; i++) {
		zc(sv[0], buf, LONG, REPORT);
		expect_run(LONG, COPIED);
		assert_received(buf, LONG);
	}
	ck_assert_uint_eq(th.engine.stats.uring, 2);
}
END_TEST

/* A network of our own, whose one device drops all it gets, and copies nothing. */
static bool black_hole(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNET) == 0 &&
	       system("ip link add hole type ifb && ip link set hole mtu 65535 up && ip addr add 10.9.9.1/24 dev hole") == 0;
}

START_TEST(a_network_that_does_not_copy)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(0x0a090902) } };

	if (!has_zc() || !black_hole())
		return;
	sv[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(sv[0], (const struct sockaddr *)&addr, sizeof(addr)), 0);
	rd_th_lend(&th, sv[0]);
	for (int i = 0; i < 5; i++) {
		zc(sv[0], buf, 60000, REPORT);
		expect_run(60000, 0);
		zc(sv[0], buf, 100, REPORT);
		expect_run(100, COPIED);
	}
	ck_assert_uint_eq(th.engine.stats.uring, 5);
}
END_TEST

static TCase *zc_tests(const char *name, void (*set)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, set, teardown);
	tcase_add_test(tc, data_is_sent_then_released);
	tcase_add_test(tc, datagrams_go_where_they_are_sent);
	tcase_add_test(tc, segments_are_one_send);
	tcase_add_test(tc, a_message_is_one_send);
	tcase_add_test(tc, a_message_has_a_name_and_control_data);
	tcase_add_test(tc, a_message_lies_in_a_registered_buffer);
	tcase_add_test(tc, one_cqe_says_that_there_will_be_no_other);
	tcase_add_test(tc, every_other_failure_has_both);
	tcase_add_test(tc, not_every_socket_can);
	tcase_add_test(tc, the_notification_may_have_a_user_data_of_its_own);
	tcase_add_test(tc, a_peer_that_is_gone);
	tcase_add_test(tc, a_registered_buffer_is_sent_from);
	tcase_add_test(tc, a_tag_comes_behind_the_notification);
	tcase_add_test(tc, a_full_socket_is_waited_for);
	tcase_add_test(tc, all_of_it_is_one_result);
	tcase_add_test(tc, poll_first_looks_before_it_sends);
	tcase_add_test(tc, a_cancel_says_what_was_sent_before);
	tcase_add_test(tc, a_cancel_during_an_attempt_ends_it);
	tcase_add_test(tc, what_waits_for_room_can_be_cancelled);
	tcase_add_test(tc, a_chain_goes_on_behind_the_result);
	tcase_add_test(tc, who_never_ran_has_both_too);
	tcase_add_test(tc, a_drain_waits_for_the_notification);
	tcase_add_test(tc, an_asynchronous_one_has_both);
	tcase_add_test(tc, an_iopoll_ring_has_none);
	tcase_add_test(tc, large_cqes_have_both);
	tcase_add_test(tc, a_small_cq_loses_none);
	tcase_add_test(tc, data_is_in_use_until_it_is_read);
	tcase_add_test(tc, data_is_in_use_until_the_connection_breaks);
	tcase_add_test(tc, a_ring_does_not_wait_for_it);
	tcase_add_test(tc, an_engine_does_not_wait_for_it);
	tcase_add_test(tc, without_a_budget_it_is_copied);
	tcase_add_test(tc, a_network_that_copies_is_not_asked_again);
	tcase_add_test(tc, a_network_that_does_not_copy);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("ops_zc");

	suite_add_tcase(s, zc_tests("sync", setup_sync));
	if (rd_th_backend_works(RD_BACKEND_URING))
		suite_add_tcase(s, zc_tests("uring", setup_uring));
	return rd_suite_main(s);
}
