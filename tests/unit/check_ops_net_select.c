/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND and RECV with provided buffers: once, again and again, in bundles. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define SEND	RINGD_OP_SEND
#define RECV	RINGD_OP_RECV
#define MULTI	RINGD_RECV_MULTISHOT
#define BUNDLE	RINGD_RECVSEND_BUNDLE
#define MORE	RINGD_CQE_F_MORE
#define NONEMPTY RINGD_CQE_F_SOCK_NONEMPTY
#define BUF_MORE RINGD_CQE_F_BUF_MORE
#define INC	RINGD_PBUF_RING_INC
#define BG	3

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };	/* the second is the ring's, in slot 1 */
static char *data;		/* buffers, RD_TC_STRIDE apart */
static struct ringd_buf *ring;

static const int families[] = { AF_UNIX, AF_INET };

static void use(int family, int type)
{
	rd_th_sockets(family, type, sv);
	if (family == AF_INET && type == SOCK_STREAM)
		rd_th_small_buffers(sv);
	rd_tc_file(&c, 1, sv[1], 0);
}

static void setup_ring(unsigned int backend, uint32_t flags)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL | flags);
	rd_tc_files(&c, 4);
	data = rd_th_alloc(&th, 5u << 20);
}

static void setup_sync(void)
{
	setup_ring(RD_BACKEND_SYNC, 0);
}

static void setup_uring(void)
{
	setup_ring(RD_BACKEND_URING, 0);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	for (int i = 0; i < 2; i++) {
		rd_close(sv[i]);
		sv[i] = -1;
	}
}

/* --- helpers --- */

static void group(uint16_t flags, uint32_t nr, uint32_t len)
{
	ring = rd_tc_group(&c, BG, flags, data, nr, len);
}

static int head(void)
{
	return rd_tc_group_head(&c, BG);
}

/* A request with BUFFER_SELECT, handed over. */
static struct ringd_sqe *net(uint8_t opcode, uint32_t len, uint32_t msg_flags, uint16_t ioprio)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = 1;
	sqe->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_BUFFER_SELECT;
	sqe->buf_group = BG;
	sqe->len = len;
	sqe->msg_flags = msg_flags;
	sqe->ioprio = ioprio;
	return sqe;
}

static void is(int32_t res, uint32_t flags)
{
	rd_tc_expect(&c, c.user_data, res, flags);
}

static void gives(int32_t res, uint32_t flags)
{
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	is(res, flags);
}

/* Flags of a CQE with the n-th buffer of the group. */
static uint32_t used(uint32_t n)
{
	return RINGD_CQE_F_BUFFER | (RD_TC_BID + n) << RINGD_CQE_BUFFER_SHIFT;
}

static void peer_sends(const char *s)
{
	ck_assert_int_eq(send(sv[0], s, strlen(s), 0), (ssize_t)strlen(s));
}

static void peer_sends_bytes(size_t n)
{
	static char bytes[1 << 16];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)i;
	ck_assert_int_eq(send(sv[0], bytes, n, 0), (ssize_t)n);
}

/* What has come to the peer. */
static size_t drain(void)
{
	static char sink[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = recv(sv[0], sink, sizeof(sink), MSG_DONTWAIT)) > 0)
		sum += (size_t)n;
	return sum;
}

/* So much comes to the peer, and no more. */
static void drained(size_t sum)
{
	static char sink[65536];

	for (ssize_t n; sum; sum -= (size_t)n) {
		n = recv(sv[0], sink, sizeof(sink), 0);
		ck_assert_int_gt(n, 0);
		ck_assert_uint_le((size_t)n, sum);
	}
	ck_assert_int_eq(recv(sv[0], sink, sizeof(sink), MSG_DONTWAIT), -1);
}

/* Nothing goes into the ring's socket any more. */
static void fill(void)
{
	rd_th_fill(sv[1]);
}

static void cancelled(uint64_t user_data, int32_t res, uint32_t flags)
{
	rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL)->addr = user_data;
	gives(0, 0);
	rd_tc_expect(&c, user_data, res, flags);
}

static void stays_in_socket(size_t n)
{
	static char sink[65536];

	ck_assert_int_eq(recv(sv[1], sink, n, MSG_WAITALL), (ssize_t)n);
	ck_assert_int_eq(recv(sv[1], sink, sizeof(sink), MSG_DONTWAIT), -1);
}

/* --- once --- */

START_TEST(a_buffer_is_taken_when_there_is_data)
{
	use(families[_i], SOCK_STREAM);
	group(0, 2, 16);
	net(RECV, 0, 0, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(head(), 0);
	peer_sends("hello");
	is(5, used(0));
	ck_assert_int_eq(head(), 1);
	ck_assert_mem_eq(data, "hello", 5);
	peer_sends("0123456789");
	net(RECV, 4, 0, 0);
	gives(4, used(1) | NONEMPTY);
	net(RECV, 0, 0, 0);
	gives(-ENOBUFS, 0);
	stays_in_socket(6);
}
END_TEST

START_TEST(without_data_or_with_an_error_no_buffer_is_used)
{
	use(families[_i], SOCK_STREAM);
	group(0, 2, 16);
	net(RECV, 0, MSG_DONTWAIT, 0);
	gives(-EAGAIN, 0);
	ring[0].addr = 8;
	net(RECV, 0, 0, 0);
	gives(-EFAULT, 0);
	net(SEND, 0, 0, 0);
	gives(-EFAULT, 0);
	ring[0].addr = (uintptr_t)data;
	ck_assert_int_eq(shutdown(sv[0], SHUT_WR), 0);
	net(RECV, 0, 0, 0);
	gives(0, 0);
	net(RECV, 0, 0, MULTI);
	gives(0, 0);
	ck_assert_int_eq(shutdown(sv[1], SHUT_WR), 0);
	net(SEND, 0, 0, 0);
	gives(-EPIPE, 0);
	ck_assert_int_eq(head(), 0);
}
END_TEST

START_TEST(groups_that_are_missing_or_empty)
{
	use(families[_i], SOCK_STREAM);
	net(RECV, 0, 0, 0);
	gives(-ENOBUFS, 0);
	net(SEND, 0, 0, 0);
	gives(-ENOENT, 0);
	net(SEND, 0, 0, BUNDLE);
	gives(-ENOENT, 0);
	group(0, 0, 16);
	net(RECV, 0, 0, 0);
	gives(-ENOBUFS, 0);
	net(SEND, 0, 0, 0);
	gives(-ENOBUFS, 0);
	net(SEND, 0, 0, BUNDLE);
	gives(-ENOBUFS, 0);
}
END_TEST

START_TEST(a_group_that_goes_while_a_recv_waits)
{
	use(families[_i], SOCK_STREAM);
	group(0, 2, 16);
	net(RECV, 0, 0, _i ? MULTI : 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(rd_bufgroups_remove_ring(c.ring->ctx.groups, BG), 0);
	rd_tc_expect_none(&c);
	peer_sends("hello");
	is(-ENOBUFS, 0);
	stays_in_socket(5);
}
END_TEST

START_TEST(waitall_keeps_its_buffer_while_it_waits)
{
	use(families[_i], SOCK_STREAM);
	group(0, 3, 8);
	net(RECV, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	ck_assert_int_eq(head(), 1);
	ck_assert_int_eq(rd_bufgroups_remove_ring(c.ring->ctx.groups, BG), 0);
	peer_sends("defgh");
	is(8, used(0));
	ck_assert_mem_eq(data, "abcdefgh", 8);
	group(0, 3, 8);
	net(RECV, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	cancelled(c.user_data, 3, used(0));
}
END_TEST

/* Its length is told though there was no room for it: it may be more than all buffers have. */
START_TEST(waitall_and_a_record_that_is_too_long)
{
	use(AF_UNIX, SOCK_SEQPACKET);
	group(0, 3, 8);
	net(RECV, 0, MSG_WAITALL | MSG_TRUNC, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	peer_sends("0123456789");
	is(13, used(0));
	ck_assert_mem_eq(data, "abc01234", 8);
}
END_TEST

/* What was moved is told, whatever keeps the rest from coming. */
START_TEST(waitall_that_may_not_go_on_says_how_far_it_came)
{
	use(AF_UNIX, SOCK_STREAM);
	group(0, 3, 8);
	net(RECV, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	th.engine.user.limit[RINGD_LIMIT_FILES] = 12;
	th.engine.strays = 1;		/* descriptors could come, and there is no budget for any */
	peer_sends("def");
	is(3, used(0));
	th.engine.strays = 0;
}
END_TEST

START_TEST(waitall_in_an_incremental_group)
{
	use(families[_i], SOCK_STREAM);
	group(INC, 2, 16);
	net(RECV, 8, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	ck_assert_uint_eq(ring[0].len, 13);
	peer_sends("defgh");
	is(8, used(0) | BUF_MORE);
	net(RECV, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("ijklmnop");
	is(8, used(0));
	ck_assert_int_eq(head(), 1);
	ck_assert_mem_eq(data, "abcdefghijklmnop", 16);
	/* another one takes what this one would go on with */
	net(RECV, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	cancelled(c.user_data, 3, used(1) | BUF_MORE);
	ck_assert_uint_eq(ring[1].len, 13);
}
END_TEST

START_TEST(datagrams_and_buffers)
{
	use(families[_i], SOCK_DGRAM);
	group(0, 5, 16);
	peer_sends("12345678901234567890");
	net(RECV, 0, 0, 0);
	gives(16, used(0));
	peer_sends("12345678901234567890");
	net(RECV, 0, MSG_TRUNC, 0);
	gives(20, used(1));
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	peer_sends("data");
	is(4, used(2) | MORE);
	ck_assert_int_eq(send(sv[0], "", 0, 0), 0);
	is(0, 0);
	ck_assert_int_eq(head(), 3);
}
END_TEST

START_TEST(a_send_from_a_buffer)
{
	use(families[_i], SOCK_STREAM);
	group(0, 3, 8);
	net(SEND, 0, 0, 0);
	gives(8, used(0));
	net(SEND, 5, 0, RINGD_SEND_VECTORIZED);
	gives(5, used(1));
	drained(13);
	fill();
	net(SEND, 0, 0, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(head(), 2);
	drain();
	is(8, used(2));
	group(INC, 1, 8);
	net(SEND, 5, 0, 0);
	gives(5, used(0) | BUF_MORE);
	net(SEND, 5, 0, 0);
	gives(3, used(0));
}
END_TEST

START_TEST(a_short_send_from_a_buffer)
{
	const uint32_t len = 4u << 20;	/* more than a socket takes */
	int room = 65536;
	struct ringd_cqe cqe;

	use(families[_i], SOCK_STREAM);
	/* and not more with time */
	ck_assert_int_eq(setsockopt(sv[0], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	group(0, 1, len);
	net(SEND, 0, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	cqe = rd_tc_wait(&c);
	ck_assert(cqe.res > 0 && cqe.res < (int32_t)len);
	ck_assert_uint_eq(cqe.flags, used(0));
	drained((size_t)cqe.res);
	group(INC, 1, len);
	net(SEND, 0, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.flags, used(0) | BUF_MORE);
	ck_assert_uint_eq(ring[0].len, len - (uint32_t)cqe.res);
	drained((size_t)cqe.res);
}
END_TEST

START_TEST(waitall_sends_all_of_a_buffer)
{
	const uint32_t len = 4u << 20;
	size_t sum = 0;

	use(families[_i / 2], SOCK_STREAM);
	group(_i & 1 ? INC : 0, 1, len);
	net(SEND, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	while (sum < len) {
		sum += drain();
		rd_th_turn(&th);
	}
	is((int32_t)len, used(0));
	ck_assert_int_eq(head(), 1);
}
END_TEST

/* --- again and again --- */

START_TEST(multishot_takes_a_buffer_for_each_message)
{
	use(families[_i], SOCK_STREAM);
	group(0, 4, 16);
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	for (uint32_t i = 0; i < 4; i++) {
		peer_sends("hello");
		is(5, used(i) | MORE);
		rd_tc_expect_none(&c);
	}
	/* there is none, and nothing to put into it: more may come until there is */
	peer_sends("hello");
	is(-ENOBUFS, 0);
	stays_in_socket(5);
}
END_TEST

START_TEST(multishot_fills_what_there_is)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 5);
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	peer_sends("123456789012");
	is(5, used(0) | MORE | NONEMPTY);
	is(5, used(1) | MORE | NONEMPTY);
	is(2, used(2) | MORE);
	peer_sends("12345");
	is(5, used(3) | MORE);
	rd_tc_expect_none(&c);
	peer_sends("12345678");
	is(5, used(4) | MORE | NONEMPTY);
	is(-ENOBUFS, 0);
	stays_in_socket(3);
}
END_TEST

START_TEST(multishot_with_a_length)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 16);
	peer_sends("123456789012");
	net(RECV, 5, 0, MULTI);
	gives(5, used(0) | MORE | NONEMPTY);
	is(5, used(1) | MORE | NONEMPTY);
	is(2, used(2) | MORE);
	cancelled(c.user_data, -ECANCELED, 0);
	ck_assert_int_eq(head(), 3);
}
END_TEST

START_TEST(multishot_with_a_limit)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 4);
	peer_sends("1234567890123456");
	net(RECV, 0, 0, MULTI)->optlen = 10;
	gives(4, used(0) | MORE | NONEMPTY);
	is(4, used(1) | MORE | NONEMPTY);
	is(4, used(2) | NONEMPTY);
	rd_tc_expect_none(&c);
	stays_in_socket(4);
}
END_TEST

START_TEST(multishot_sees_the_end_behind_the_data)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 16);
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	peer_sends("last");
	ck_assert_int_eq(shutdown(sv[0], SHUT_WR), 0);
	is(4, used(0) | MORE);
	is(0, 0);
	ck_assert_int_eq(head(), 1);
}
END_TEST

START_TEST(a_lazy_ring_sees_the_end_that_came_while_it_did_not_look)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 16);
	net(RECV, 0, 0, MULTI);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	rd_th_turn(&th);
	peer_sends("last");
	for (int i = 0; i < 5; i++)
		rd_th_turn(&th);
	/* heard by nobody: the request waits for its client */
	ck_assert_int_eq(shutdown(sv[0], SHUT_WR), 0);
	for (int i = 0; i < 5; i++)
		rd_th_turn(&th);
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe cqe;

		while (!rd_tc_peek(&c, &cqe))
			rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
		ck_assert_int_eq(cqe.res, i ? 0 : 4);
	}
}
END_TEST

START_TEST(multishot_is_not_stopped_by_urgent_data)
{
	use(AF_INET, SOCK_STREAM);
	group(0, 5, 16);
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(send(sv[0], "abc!", 4, MSG_OOB), 4);
	ck_assert_int_eq(send(sv[0], "def", 3, 0), 3);
	is(3, used(0) | MORE);
	is(3, used(1) | MORE);
	ck_assert_mem_eq(data + RD_TC_STRIDE, "def", 3);
}
END_TEST

START_TEST(multishot_ends_when_the_cq_is_full)
{
	struct ringd_cqe cqe;
	uint32_t n = 0;

	use(families[_i], SOCK_STREAM);
	group(0, 16, 1);
	rd_tc_close(&c);
	rd_tc_open(&c, &th, 2, RINGD_SETUP_SUBMIT_ALL);
	rd_tc_files(&c, 4);
	rd_tc_file(&c, 1, sv[1], 0);
	group(0, 16, 1);
	peer_sends("0123456789");
	net(RECV, 0, 0, MULTI);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (int i = 0; i < 20; i++)
		rd_th_turn(&th);
	do {
		if (n == c.layout.cq_entries)
			rd_tc_submit(&c);	/* the last one waits for room, and to be asked for */
		cqe = rd_tc_wait(&c);
		ck_assert_int_eq(cqe.res, 1);
		ck_assert_uint_eq(cqe.flags & ~(MORE | NONEMPTY), used(n++));
	} while (cqe.flags & MORE);
	ck_assert_uint_eq(n, c.layout.cq_entries + 1);
	stays_in_socket(10 - n);
	ck_assert_int_eq(head(), (int)n);
}
END_TEST

START_TEST(multishot_ends_with_the_error)
{
	struct linger linger = { .l_onoff = 1 };

	use(AF_INET, SOCK_STREAM);
	group(0, 4, 16);
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(setsockopt(sv[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	rd_close(sv[0]);
	sv[0] = -1;
	is(-ECONNRESET, 0);
	ck_assert_int_eq(head(), 0);
}
END_TEST

START_TEST(multishot_needs_no_second_look)
{
	uint64_t polled;

	use(families[_i], SOCK_STREAM);
	group(0, 16, 16);
	net(RECV, 0, 0, MULTI);
	rd_tc_submit_waiting(&c);
	polled = th.engine.stats.polled;
	for (uint32_t i = 0; i < 8; i++) {
		peer_sends("hello");
		is(5, used(i) | MORE);
	}
	/* armed once for each message, not after an attempt in vain */
	ck_assert_uint_eq(th.engine.stats.polled - polled, 8);
}
END_TEST

START_TEST(one_busy_socket_leaves_time_for_others)
{
	struct ringd_cqe cqe;
	int before = 0;

	use(families[_i], SOCK_STREAM);
	group(0, 0, 1);
	for (uint32_t i = 0; i < 16; i++)
		ring[i] = (struct ringd_buf){ .addr = (uintptr_t)data, .len = 1, .resv = ring[i].resv };
	__atomic_store_n(&ring[0].resv, 1, __ATOMIC_RELEASE);
	net(RECV, 0, MSG_PEEK, MULTI);	/* never comes to an end */
	rd_tc_sqe(&c, RINGD_OP_NOP);
	peer_sends("x");
	/* a group that never runs dry: the tail is always ahead */
	__atomic_store_n(&ring[0].resv, 16, __ATOMIC_RELEASE);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	for (;;) {
		cqe = rd_tc_wait(&c);
		if (cqe.user_data == c.user_data)
			break;
		ck_assert_int_lt(before++, 33);
	}
}
END_TEST

START_TEST(multishot_is_refused_where_it_makes_no_sense)
{
	use(AF_UNIX, SOCK_STREAM);
	group(0, 4, 16);
	net(RECV, 0, MSG_WAITALL, MULTI);
	gives(-EINVAL, 0);
	net(RECV, 0, 0, MULTI)->flags = RINGD_SQE_FIXED_FILE;
	gives(-EINVAL, 0);
	net(RECV, 0, 0, 0)->optlen = 1;
	gives(-EINVAL, 0);
	net(RECV, 0, MSG_DONTWAIT, MULTI);
	gives(-EAGAIN, 0);
}
END_TEST

/* --- bundles --- */

START_TEST(a_bundle_is_received_into_consecutive_buffers)
{
	use(families[_i], SOCK_STREAM);
	group(0, 3, 16);
	peer_sends_bytes(40);
	net(RECV, 0, 0, BUNDLE);
	gives(40, used(0));
	ck_assert_int_eq(head(), 3);
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(data[i / 16 * RD_TC_STRIDE + i % 16], i);
	/* entries are not written to */
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(ring[i].len, 16);
}
END_TEST

START_TEST(a_bundle_with_a_length)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 16);
	peer_sends_bytes(60);
	net(RECV, 20, 0, BUNDLE);
	gives(16, used(0) | NONEMPTY);		/* the second buffer would have to be cut */
	net(RECV, 10, 0, BUNDLE);
	gives(10, used(1) | NONEMPTY);
	net(RECV, 32, 0, BUNDLE);
	gives(32, used(2) | NONEMPTY);
	ck_assert_int_eq(head(), 4);
	ck_assert_uint_eq(ring[0].len, 16);
	stays_in_socket(2);
}
END_TEST

START_TEST(bundles_again_and_again)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 16);
	net(RECV, 0, 0, BUNDLE | MULTI);
	rd_tc_submit_waiting(&c);
	peer_sends_bytes(40);
	is(40, used(0) | MORE);
	rd_tc_expect_none(&c);
	/* it comes to the last buffer: that is the end */
	peer_sends_bytes(40);
	is(32, used(3) | NONEMPTY);
	ck_assert_int_eq(head(), 5);
	rd_tc_expect_none(&c);
	stays_in_socket(8);
}
END_TEST

START_TEST(bundles_with_a_limit)
{
	use(families[_i], SOCK_STREAM);
	group(0, 8, 16);
	peer_sends_bytes(80);
	net(RECV, 0, 0, BUNDLE | MULTI)->optlen = 40;
	gives(32, used(0) | MORE | NONEMPTY);
	is(8, used(2) | NONEMPTY);
	rd_tc_expect_none(&c);
	stays_in_socket(40);
}
END_TEST

START_TEST(a_bundle_waits_for_all)
{
	use(families[_i], SOCK_STREAM);
	group(0, 5, 16);
	net(RECV, 50, MSG_WAITALL, BUNDLE);
	rd_tc_submit_waiting(&c);
	peer_sends_bytes(20);
	rd_tc_expect_none(&c);
	ck_assert_int_eq(head(), 2);
	peer_sends_bytes(20);
	rd_tc_expect_none(&c);
	peer_sends_bytes(20);
	is(48, used(0) | NONEMPTY);
	ck_assert_int_eq(head(), 3);
	for (int i = 0; i < 48; i++)
		ck_assert_int_eq(data[i / 16 * RD_TC_STRIDE + i % 16], i % 20);
}
END_TEST

START_TEST(a_bundle_in_an_incremental_group)
{
	use(families[_i], SOCK_STREAM);
	group(INC, 3, 16);
	peer_sends_bytes(40);
	net(RECV, 0, 0, BUNDLE);
	gives(40, used(0) | BUF_MORE);
	ck_assert_int_eq(head(), 2);
	ck_assert_uint_eq(ring[2].len, 8);
	peer_sends_bytes(20);
	net(RECV, 0, 0, BUNDLE);
	gives(8, used(2) | NONEMPTY);
	ck_assert_int_eq(head(), 3);
}
END_TEST

START_TEST(a_bundle_and_bad_entries)
{
	use(families[_i], SOCK_STREAM);
	group(0, 3, 16);
	ring[0].len = 0;
	peer_sends_bytes(40);
	net(RECV, 0, 0, BUNDLE);
	gives(-ENOBUFS, 0);
	net(SEND, 0, 0, BUNDLE);
	gives(-ENOBUFS, 0);
	ring[0].len = 16;
	ring[1].addr = 8;
	net(RECV, 0, 0, BUNDLE);
	gives(16, used(0));
	net(RECV, 0, 0, BUNDLE);
	gives(-EFAULT, 0);
	ck_assert_int_eq(head(), 1);
}
END_TEST

START_TEST(a_datagram_in_a_bundle)
{
	use(families[_i], SOCK_DGRAM);
	group(0, 8, 8);
	peer_sends_bytes(20);
	net(RECV, 0, 0, BUNDLE);
	gives(8, used(0));
	peer_sends_bytes(20);
	net(RECV, 20, 0, BUNDLE);
	gives(16, used(1));
	net(SEND, 0, 0, BUNDLE);
	gives(40, used(3));
	ck_assert_int_eq(recv(sv[0], data, 100, 0), 40);
	ck_assert_int_eq(head(), 8);
}
END_TEST

START_TEST(a_bundle_is_sent_as_one)
{
	use(families[_i], SOCK_STREAM);
	group(0, 3, 8);
	for (int i = 0; i < 24; i++)
		data[i / 8 * RD_TC_STRIDE + i % 8] = (char)i;
	net(SEND, 0, 0, BUNDLE);
	gives(24, used(0));
	ck_assert_int_eq(head(), 3);
	ck_assert_int_eq(recv(sv[0], data, 24, MSG_WAITALL), 24);
	for (int i = 0; i < 24; i++)
		ck_assert_int_eq(data[i], i);
}
END_TEST

START_TEST(the_length_is_a_limit_of_the_first_batch)
{
	use(families[_i], SOCK_STREAM);
	group(0, 3, 8);
	net(SEND, 10, 0, BUNDLE);
	gives(8, used(0) | MORE);
	is(16, used(1));
	drained(24);
	group(0, 3, 8);
	net(SEND, 5, 0, BUNDLE);
	gives(5, used(0) | MORE);
	is(16, used(1));
	drained(21);
	group(INC, 3, 8);
	net(SEND, 10, 0, BUNDLE);
	gives(10, used(0) | BUF_MORE | MORE);
	is(14, used(1));
	drained(24);
}
END_TEST

/* The peer gets what is sent, byte by byte in order. */
static void take_all(size_t sum)
{
	static unsigned char sink[65536];
	size_t got = 0, bad = 0;

	while (got < sum) {
		ssize_t n = recv(sv[0], sink, sizeof(sink), MSG_DONTWAIT);

		for (ssize_t i = 0; i < n; i++, got++)
			bad += sink[i] != (unsigned char)(got * 7 / 4096);
		rd_th_turn(&th);
	}
	ck_assert_uint_eq(bad, 0);
}

START_TEST(a_bundle_goes_on_where_it_had_to_wait)
{
	const uint32_t len = 333000;	/* a few of them fill a socket */

	use(families[_i / 2], SOCK_STREAM);
	group(0, 0, len);
	rd_bufgroups_remove_ring(c.ring->ctx.groups, BG);
	ring = rd_tc_group(&c, BG, _i & 1 ? INC : 0, data, 15, len);
	for (uint32_t i = 0; i < 15; i++)
		ring[i].addr = (uintptr_t)data + i * len;
	for (uint32_t i = 0; i < 15 * len; i++)
		data[i] = (char)(i * 7 / 4096);
	net(SEND, 0, 0, BUNDLE);
	rd_tc_submit_waiting(&c);
	ck_assert_int_lt(head(), 15);
	take_all(15 * len);
	is(15 * (int32_t)len, used(0));
	ck_assert_int_eq(head(), 15);
}
END_TEST

START_TEST(a_bundle_that_cannot_go_on_says_how_far_it_came)
{
	struct ringd_cqe cqe;

	use(families[_i], SOCK_STREAM);
	group(0, 15, 333000);
	for (uint32_t i = 0; i < 15; i++)
		ring[i].addr = (uintptr_t)data;
	net(SEND, 0, 0, BUNDLE);
	rd_tc_submit_waiting(&c);
	rd_close(sv[0]);
	sv[0] = -1;
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.flags, used(0));
	ck_assert_int_gt(cqe.res, 0);
	ck_assert_int_eq(head(), (cqe.res + 332999) / 333000);
	net(SEND, 0, 0, BUNDLE);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_int_lt(cqe.res, 0);
	ck_assert_uint_eq(cqe.flags, 0);
}
END_TEST

START_TEST(classic_groups_give_one_buffer)
{
	use(families[_i], SOCK_STREAM);
	ck_assert_int_eq(rd_bufgroups_provide(&c.ring->ctx.groups, &th.engine.user, BG, (uintptr_t)data, 16, 4, RD_TC_BID), 0);
	peer_sends_bytes(20);
	net(RECV, 0, 0, BUNDLE);
	gives(20, used(0));
	net(SEND, 0, 0, 0);
	gives(16, used(2));
	net(RECV, 0, MSG_WAITALL, 0);
	rd_tc_submit_waiting(&c);
	peer_sends_bytes(4);
	rd_tc_expect_none(&c);
	peer_sends_bytes(12);
	is(16, used(3));
}
END_TEST

START_TEST(a_ring_ends_while_they_wait)
{
	use(families[_i], SOCK_STREAM);
	group(0, 8, 100000);
	net(RECV, 0, 0, MULTI);
	net(RECV, 0, MSG_WAITALL, 0);
	net(RECV, 0, MSG_WAITALL, BUNDLE);
	fill();
	net(SEND, 0, MSG_WAITALL, 0);
	net(SEND, 0, 0, BUNDLE);
	rd_tc_submit_waiting(&c);
	drain();
	for (int i = 0; i < 20; i++)
		rd_th_turn(&th);
	rd_tc_close(&c);
	c.ring = NULL;
}
END_TEST

static void add_all(TCase *tc)
{
	tcase_add_loop_test(tc, a_buffer_is_taken_when_there_is_data, 0, 2);
	tcase_add_loop_test(tc, without_data_or_with_an_error_no_buffer_is_used, 0, 2);
	tcase_add_loop_test(tc, groups_that_are_missing_or_empty, 0, 2);
	tcase_add_loop_test(tc, a_group_that_goes_while_a_recv_waits, 0, 2);
	tcase_add_loop_test(tc, waitall_keeps_its_buffer_while_it_waits, 0, 2);
	tcase_add_test(tc, waitall_and_a_record_that_is_too_long);
	tcase_add_test(tc, waitall_that_may_not_go_on_says_how_far_it_came);
	tcase_add_loop_test(tc, waitall_in_an_incremental_group, 0, 2);
	tcase_add_loop_test(tc, datagrams_and_buffers, 0, 2);
	tcase_add_loop_test(tc, a_send_from_a_buffer, 0, 2);
	tcase_add_loop_test(tc, a_short_send_from_a_buffer, 0, 2);
	tcase_add_loop_test(tc, waitall_sends_all_of_a_buffer, 0, 4);
	tcase_add_loop_test(tc, classic_groups_give_one_buffer, 0, 2);
	tcase_add_loop_test(tc, a_ring_ends_while_they_wait, 0, 2);
}

static void add_multishot(TCase *tc)
{
	tcase_add_loop_test(tc, multishot_takes_a_buffer_for_each_message, 0, 2);
	tcase_add_loop_test(tc, multishot_fills_what_there_is, 0, 2);
	tcase_add_loop_test(tc, multishot_with_a_length, 0, 2);
	tcase_add_loop_test(tc, multishot_with_a_limit, 0, 2);
	tcase_add_loop_test(tc, multishot_sees_the_end_behind_the_data, 0, 2);
	tcase_add_test(tc, multishot_is_not_stopped_by_urgent_data);
	tcase_add_loop_test(tc, multishot_ends_when_the_cq_is_full, 0, 2);
	tcase_add_test(tc, multishot_ends_with_the_error);
	tcase_add_loop_test(tc, multishot_needs_no_second_look, 0, 2);
	tcase_add_loop_test(tc, one_busy_socket_leaves_time_for_others, 0, 2);
	tcase_add_test(tc, multishot_is_refused_where_it_makes_no_sense);
}

static void add_bundles(TCase *tc)
{
	tcase_add_loop_test(tc, a_bundle_is_received_into_consecutive_buffers, 0, 2);
	tcase_add_loop_test(tc, a_bundle_with_a_length, 0, 2);
	tcase_add_loop_test(tc, bundles_again_and_again, 0, 2);
	tcase_add_loop_test(tc, bundles_with_a_limit, 0, 2);
	tcase_add_loop_test(tc, a_bundle_waits_for_all, 0, 2);
	tcase_add_loop_test(tc, a_bundle_in_an_incremental_group, 0, 2);
	tcase_add_loop_test(tc, a_bundle_and_bad_entries, 0, 2);
	tcase_add_loop_test(tc, a_datagram_in_a_bundle, 0, 2);
	tcase_add_loop_test(tc, a_bundle_is_sent_as_one, 0, 2);
	tcase_add_loop_test(tc, the_length_is_a_limit_of_the_first_batch, 0, 2);
	tcase_add_loop_test(tc, a_bundle_goes_on_where_it_had_to_wait, 0, 4);
	tcase_add_loop_test(tc, a_bundle_that_cannot_go_on_says_how_far_it_came, 0, 2);
}

static void add_case(Suite *s, const char *name, void (*setup)(void), void (*add)(TCase *tc))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	add(tc);
	suite_add_tcase(s, tc);
}

static void setup_lazy(void)
{
	setup_ring(RD_BACKEND_SYNC, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
}

static void add_lazy(TCase *tc)
{
	tcase_add_loop_test(tc, a_lazy_ring_sees_the_end_that_came_while_it_did_not_look, 0, 2);
}

int main(void)
{
	Suite *s = suite_create("ops_net_select");

	add_case(s, "once", setup_sync, add_all);
	add_case(s, "multishot", setup_sync, add_multishot);
	add_case(s, "bundle", setup_sync, add_bundles);
	add_case(s, "lazy", setup_lazy, add_lazy);
	if (rd_th_backend_works(RD_BACKEND_URING)) {
		add_case(s, "once-uring", setup_uring, add_all);
		add_case(s, "multishot-uring", setup_uring, add_multishot);
		add_case(s, "bundle-uring", setup_uring, add_bundles);
	}
	return rd_suite_main(s);
}
