/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RECVMSG into provided buffers, once and again and again, and the head that it puts in front of the payload. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define BG	3
#define NR	8
#define SIZE	1024u
#define HEAD	sizeof(struct ringd_recvmsg_out)
#define MORE	(RINGD_CQE_F_BUFFER | RINGD_CQE_F_MORE)

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };
static char *data;
static struct ringd_buf *ring;
static struct msghdr *mh;	/* of the client, as are these: */
static struct iovec *iov;
static struct sockaddr_in peer;	/* of sv[1] */

static void make_pair(int family, int type)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(peer);

	if (family == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
		return;
	}
	for (int i = 0; i < 2; i++) {
		sv[i] = socket(AF_INET, type | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(sv[i], 0);
		ck_assert_int_eq(bind(sv[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
	}
	ck_assert_int_eq(getsockname(sv[1], (struct sockaddr *)&peer, &len), 0);
	ck_assert_int_eq(connect(sv[0], (struct sockaddr *)&peer, sizeof(peer)), 0);
}

/* A ring group of NR entries of len bytes, bids 50, 51, ... */
static void make_ring(uint32_t len, uint16_t flags)
{
	struct ringd_buf_reg reg = { .ring_entries = NR, .bgid = BG, .flags = flags };

	for (unsigned int i = 0; i < NR; i++) {
		ring[i].addr = (uintptr_t)data + i * SIZE;
		ring[i].len = len;
		ring[i].bid = (uint16_t)(50 + i);
	}
	__atomic_store_n(&ring[0].resv, NR, __ATOMIC_RELEASE);
	ck_assert_int_eq(rd_bufgroups_add_ring(&c.ring->ctx.groups, &th.engine.user, &reg, ring, &th.mem), 0);
}

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	data = rd_th_alloc(&th, 65536);
	ring = rd_th_alloc(&th, 4096);
	mh = rd_th_alloc(&th, 4096);
	iov = rd_th_alloc(&th, 4096);
	memset(data, 0x5a, 65536);
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
	rd_th_deinit(&th);
	rd_close(sv[0]);
	rd_close(sv[1]);
	sv[0] = sv[1] = -1;
}

static struct ringd_sqe *recvmsg_select(uint16_t ioprio)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_RECVMSG);

	sqe->fd = sv[1];
	sqe->addr = (uintptr_t)mh;
	sqe->len = 1;
	sqe->flags = RINGD_SQE_BUFFER_SELECT;
	sqe->buf_group = BG;
	sqe->ioprio = ioprio;
	return sqe;
}

static int head(void)
{
	return rd_bufgroups_head(c.ring->ctx.groups, BG);
}

static void say(const void *what, size_t n)
{
	ck_assert_int_eq(send(sv[0], what, n, 0), (ssize_t)n);
}

/* --- once --- */

START_TEST(one_segment_says_how_much)
{
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(SIZE, 0);
	*mh = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	iov[0] = (struct iovec){ (void *)8, _i ? SIZE_MAX : 4 };
	say("abcdefgh", 8);
	recvmsg_select(0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, c.user_data, _i ? 8 : 4, RINGD_CQE_F_BUFFER | 50u << RINGD_CQE_BUFFER_SHIFT);
	ck_assert_mem_eq(data, "abcdefgh", _i ? 8 : 4);
	ck_assert_int_eq(mh->msg_flags, _i ? 0 : MSG_TRUNC);
}
END_TEST

START_TEST(no_segment_is_all_of_the_buffer)
{
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(6, 0);
	*mh = (struct msghdr){ .msg_namelen = 3 };
	say("abcdefgh", 8);
	recvmsg_select(0)->msg_flags = MSG_TRUNC;
	rd_tc_submit(&c);
	rd_tc_expect(&c, c.user_data, 8, RINGD_CQE_F_BUFFER | 50u << RINGD_CQE_BUFFER_SHIFT);
	ck_assert_mem_eq(data, "abcdef\x5a", 7);
	ck_assert_int_eq(mh->msg_flags, MSG_TRUNC);
}
END_TEST

START_TEST(wrong_segments)
{
	make_pair(AF_INET, SOCK_DGRAM);
	*mh = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 2 };
	recvmsg_select(0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	mh->msg_iovlen = 1;
	mh->msg_iov = (void *)8;
	recvmsg_select(0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	mh->msg_iovlen = 0;
	say("x", 1);
	recvmsg_select(0);
	ck_assert_int_eq(rd_tc_run(&c), -ENOBUFS);
}
END_TEST

/* --- again and again --- */

static void start(uint32_t namelen, size_t controllen)
{
	*mh = (struct msghdr){ .msg_namelen = namelen, .msg_controllen = controllen };
	recvmsg_select(RINGD_RECV_MULTISHOT);
}

static const struct ringd_recvmsg_out *out_of(unsigned int i)
{
	return (const struct ringd_recvmsg_out *)(void *)(data + i * SIZE);
}

static void expect(unsigned int i, size_t res)
{
	rd_tc_expect(&c, c.user_data, (int32_t)res, MORE | (50u + i) << RINGD_CQE_BUFFER_SHIFT);
}

START_TEST(a_head_with_name_and_payload)
{
	const struct ringd_recvmsg_out *out;
	const uint32_t areas[] = { 16, 4, 0, 200 };
	uint32_t area = areas[_i];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);

	make_pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(getsockname(sv[0], (struct sockaddr *)&from, &len), 0);
	make_ring(SIZE, 0);
	start(area, 0);
	rd_tc_submit_waiting(&c);
	for (unsigned int i = 0; i < 3; i++) {
		say("hello", 5);
		expect(i, HEAD + area + 5);
		out = out_of(i);
		ck_assert_uint_eq(out->namelen, area ? sizeof(from) : 0);
		ck_assert_uint_eq(out->controllen, 0);
		ck_assert_uint_eq(out->payloadlen, 5);
		ck_assert_uint_eq(out->flags, 0);
		ck_assert_mem_eq(out + 1, &from, RD_MIN(area, (uint32_t)sizeof(from)));
		ck_assert_mem_eq((const char *)(out + 1) + area, "hello\x5a", 6);
	}
	/* the struct msghdr is not written */
	ck_assert_uint_eq(mh->msg_namelen, area);
}
END_TEST

START_TEST(control_data_in_its_area)
{
	const struct ringd_recvmsg_out *out = out_of(0);
	const struct cmsghdr *cm = (const struct cmsghdr *)(const void *)((const char *)(out + 1) + 16);
	int on = 1;

	make_pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(setsockopt(sv[1], IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	ck_assert_int_eq(setsockopt(sv[1], IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)), 0);
	make_ring(SIZE, 0);
	start(16, _i ? 64 : 32);
	say("hello", 5);
	rd_tc_submit(&c);
	expect(0, HEAD + 16 + (_i ? 64 : 32) + 5);
	ck_assert_uint_eq(out->flags, _i ? 0 : MSG_CTRUNC);
	ck_assert_uint_eq(out->controllen, _i ? 56 : 32);
	ck_assert_int_eq(cm->cmsg_type, IP_PKTINFO);
	ck_assert_mem_eq((const char *)cm + (_i ? 64 : 32), "hello", 5);
}
END_TEST

START_TEST(a_message_too_long)
{
	const struct ringd_recvmsg_out *out = out_of(0);
	char big[300];

	memset(big, 'b', sizeof(big));
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(256, 0);
	start(4, 16);
	if (_i)
		rd_tc_slot(&c, c.sq_tail & 63)->msg_flags = MSG_TRUNC;
	say(big, sizeof(big));
	rd_tc_submit(&c);
	expect(0, 256);
	ck_assert_uint_eq(out->payloadlen, _i ? 300 : 220);
	ck_assert_uint_eq(out->flags, MSG_TRUNC);
	ck_assert_int_eq(data[255], 'b');
	ck_assert_int_eq(data[256], 0x5a);
}
END_TEST

START_TEST(a_buffer_smaller_than_its_areas)
{
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(256, 0);
	say("hello", 5);
	start(0, 241);
	rd_tc_submit(&c);
	rd_tc_expect(&c, c.user_data, -EFAULT, 0);
	ck_assert_int_eq(head(), 0);
	start(0, 240);
	rd_tc_submit(&c);
	expect(0, 256);
	ck_assert_uint_eq(out_of(0)->payloadlen, 0);
	ck_assert_uint_eq(out_of(0)->flags, MSG_TRUNC);
	ck_assert_int_eq(head(), 1);
}
END_TEST

/* One segment limits the buffer, as without multishot. */
START_TEST(a_segment_limits_the_buffer)
{
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(256, 0);
	say("hello", 5);
	start(0, 0);
	mh->msg_iov = iov;
	mh->msg_iovlen = 1;
	iov[0] = (struct iovec){ (void *)8, _i ? HEAD + 3 : HEAD - 1 };
	rd_tc_submit(&c);
	if (_i)
		expect(0, HEAD + 3);
	else
		rd_tc_expect(&c, c.user_data, -EFAULT, 0);
}
END_TEST

static const struct {
	uint64_t namelen, controllen, iovlen, name;
	uint32_t msg_flags, optlen;
	uint8_t flags;
	int res;
} wrong[] = {
	{ .namelen = UINT32_MAX, .res = -EOVERFLOW, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .namelen = UINT32_MAX, .name = 8, .res = -EINVAL, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .controllen = INT32_MAX, .res = -EOVERFLOW, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .controllen = SIZE_MAX, .res = -EOVERFLOW, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .controllen = 1ull << 32, .res = -EOVERFLOW, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .namelen = INT32_MAX, .controllen = INT32_MAX, .res = -EOVERFLOW, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .namelen = INT32_MAX - 15, .res = -EOVERFLOW, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .namelen = INT32_MAX - 16, .res = -EFAULT, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .iovlen = 2, .res = -EINVAL, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .msg_flags = MSG_WAITALL, .res = -EINVAL, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .optlen = 1, .res = -EINVAL, .flags = RINGD_SQE_BUFFER_SELECT },
	{ .res = -EINVAL },
};

START_TEST(wrong_multishots)
{
	struct ringd_sqe *sqe;

	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(256, 0);
	say("x", 1);
	*mh = (struct msghdr){
		.msg_name = (void *)(uintptr_t)wrong[_i].name, .msg_namelen = (socklen_t)wrong[_i].namelen, .msg_iov = iov,
		.msg_iovlen = wrong[_i].iovlen, .msg_controllen = wrong[_i].controllen,
	};
	sqe = recvmsg_select(RINGD_RECV_MULTISHOT);
	sqe->flags = wrong[_i].flags;
	sqe->msg_flags = wrong[_i].msg_flags;
	sqe->optlen = wrong[_i].optlen;
	ck_assert_int_eq(rd_tc_run(&c), wrong[_i].res);
}
END_TEST

START_TEST(an_empty_message_is_one)
{
	make_pair(_i ? AF_INET : AF_UNIX, SOCK_DGRAM);
	make_ring(256, 0);
	start(16, 0);
	rd_tc_submit_waiting(&c);
	say("", 0);
	expect(0, HEAD + 16);
	ck_assert_uint_eq(out_of(0)->payloadlen, 0);
	say("x", 1);
	expect(1, HEAD + 16 + 1);
}
END_TEST

START_TEST(the_end_of_a_stream)
{
	make_pair(AF_UNIX, _i ? SOCK_SEQPACKET : SOCK_STREAM);
	make_ring(256, 0);
	start(16, 0);
	rd_tc_submit_waiting(&c);
	say("ab", 2);
	expect(0, HEAD + 16 + 2);
	ck_assert_uint_eq(out_of(0)->namelen, 0);
	rd_close(rd_steal_fd(&sv[0]));
	rd_tc_expect(&c, c.user_data, 0, 0);
	ck_assert_int_eq(head(), 1);
}
END_TEST

START_TEST(buffers_run_out)
{
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(256, 0);
	start(0, 0);
	for (unsigned int i = 0; i < NR + 1; i++)
		say("x", 1);
	rd_tc_submit(&c);
	for (unsigned int i = 0; i < NR; i++)
		expect(i, HEAD + 1);
	rd_tc_expect(&c, c.user_data, -ENOBUFS, 0);
}
END_TEST

/* Buffers that are used up bit by bit. */
START_TEST(an_incremental_group)
{
	make_pair(AF_INET, SOCK_DGRAM);
	make_ring(256, RINGD_PBUF_RING_INC);
	start(0, 0);
	rd_tc_submit_waiting(&c);
	for (unsigned int i = 0; i < 3; i++) {
		const struct ringd_recvmsg_out *out = (const struct ringd_recvmsg_out *)(void *)(data + i * (HEAD + 8));

		say("01234567", 8);
		rd_tc_expect(&c, c.user_data, HEAD + 8, MORE | RINGD_CQE_F_BUF_MORE | 50u << RINGD_CQE_BUFFER_SHIFT);
		ck_assert_uint_eq(out->payloadlen, 8);
		ck_assert_mem_eq(out + 1, "01234567", 8);
	}
}
END_TEST

/* --- descriptors --- */

static void say_with_fds(int fd, unsigned int n)
{
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr head;
	} cm = { .head = { .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec one = { &byte, 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &cm, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	for (unsigned int i = 0; i < n; i++)
		memcpy(CMSG_DATA(&cm.head) + i * sizeof(int), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(sv[0], &m, 0), 1);
}

START_TEST(descriptors_in_a_multishot)
{
	int p[2];

	make_pair(AF_UNIX, SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	make_ring(256, 0);
	start(0, 64);
	rd_tc_submit_waiting(&c);
	for (unsigned int i = 0; i < 4; i++) {
		const struct cmsghdr *cm = (const struct cmsghdr *)(const void *)(out_of(i) + 1);
		struct stat a, b;
		int fd;

		th.rights_fail = i == 3;
		say_with_fds(p[0], i);
		expect(i, HEAD + 64 + 1);
		ck_assert_uint_eq(out_of(i)->flags, i == 3 ? MSG_CTRUNC : 0);
		ck_assert_uint_eq(out_of(i)->controllen, i && i < 3 ? CMSG_SPACE(i * sizeof(int)) : 0);
		for (unsigned int j = 0; i < 3 && j < i; j++) {
			memcpy(&fd, (const char *)(cm + 1) + j * sizeof(fd), sizeof(fd));
			ck_assert(fstat(fd, &a) == 0 && fstat(p[0], &b) == 0 && a.st_ino == b.st_ino);
			close(fd);
		}
	}
	close(p[0]);
	close(p[1]);
}
END_TEST

/* Its descriptors are on their way to the client, so it cannot be stopped at once: this one is the last. */
START_TEST(a_multishot_that_is_cancelled_while_it_gives)
{
	struct ringd_sqe *sqe;
	struct ringd_cqe cqe = { 0 };
	struct rd_req *req;
	uint64_t user_data;
	int p[2];

	rd_tc_close(&c);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	make_pair(AF_UNIX, SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	make_ring(256, 0);
	say_with_fds(p[0], 1);
	start(0, 64);
	user_data = c.user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	req = rd_list_first(&c.ring->ctx.pending, struct rd_req, link);
	while (!req->tasked)
		rd_th_turn(&th);
	sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);
	sqe->addr = user_data;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	while (!rd_list_empty(&c.ring->ctx.pending))
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	do
		ck_assert(rd_tc_peek(&c, &cqe));
	while (cqe.user_data != user_data || (cqe.flags & MORE));
	ck_assert_int_eq(cqe.res, -ECANCELED);
	ck_assert_uint_eq(cqe.flags, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* --- suite --- */

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, one_segment_says_how_much, 0, 2);
	tcase_add_test(tc, no_segment_is_all_of_the_buffer);
	tcase_add_test(tc, wrong_segments);
	tcase_add_loop_test(tc, a_head_with_name_and_payload, 0, 4);
	tcase_add_loop_test(tc, control_data_in_its_area, 0, 2);
	tcase_add_loop_test(tc, a_message_too_long, 0, 2);
	tcase_add_test(tc, a_buffer_smaller_than_its_areas);
	tcase_add_loop_test(tc, a_segment_limits_the_buffer, 0, 2);
	tcase_add_loop_test(tc, wrong_multishots, 0, RD_ARRAY_SIZE(wrong));
	tcase_add_loop_test(tc, an_empty_message_is_one, 0, 2);
	tcase_add_loop_test(tc, the_end_of_a_stream, 0, 2);
	tcase_add_test(tc, buffers_run_out);
	tcase_add_test(tc, an_incremental_group);
	tcase_add_test(tc, a_multishot_that_is_cancelled_while_it_gives);
	tcase_add_test(tc, descriptors_in_a_multishot);
}

static Suite *recvmsg_suite(void)
{
	static void (*const setups[])(void) = { setup_sync, setup_uring };
	static const char *const names[] = { "sync", "uring" };
	Suite *s = suite_create("recvmsg");

	for (int i = 0; i < 2; i++) {
		TCase *tc = tcase_create(names[i]);

		if (i && !rd_th_backend_works(RD_BACKEND_URING))
			continue;
		tcase_add_checked_fixture(tc, setups[i], teardown);
		add_tests(tc);
		suite_add_tcase(s, tc);
	}
	return s;
}

int main(void)
{
	return rd_suite_main(recvmsg_suite());
}
