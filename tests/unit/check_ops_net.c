/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND and RECV with segments of their own. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define SEND	RINGD_OP_SEND
#define RECV	RINGD_OP_RECV
#define NONEMPTY RINGD_CQE_F_SOCK_NONEMPTY
#define ROOM	(4u << 20)	/* more than any socket takes at once */

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };	/* the second is the ring's, in slot 1 */
static char *buf;

static const struct {
	int family, type;
} kinds[] = { { AF_UNIX, SOCK_STREAM }, { AF_INET, SOCK_STREAM }, { AF_UNIX, SOCK_DGRAM }, { AF_INET, SOCK_DGRAM },
	      { AF_UNIX, SOCK_SEQPACKET } };
#define STREAMS 2
#define KINDS ((int)RD_ARRAY_SIZE(kinds))

static void use(int family, int type)
{
	rd_th_sockets(family, type, sv);
	if (family == AF_INET && type == SOCK_STREAM)
		rd_th_small_buffers(sv);
	rd_tc_file(&c, 1, sv[1], 0);
}

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	rd_tc_files(&c, 4);
	buf = rd_th_alloc(&th, ROOM);
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
	for (int i = 0; i < 2; i++) {
		rd_close(sv[i]);
		sv[i] = -1;
	}
}

/* --- helpers --- */

static struct ringd_sqe *net(uint8_t opcode, const void *addr, uint32_t len, uint32_t msg_flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = 1;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->msg_flags = msg_flags;
	return sqe;
}

static void gives(int32_t res, uint32_t flags)
{
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	rd_tc_expect(&c, c.user_data, res, flags);
}

static void peer_sends(const char *s)
{
	ck_assert_int_eq(send(sv[0], s, strlen(s), 0), (ssize_t)strlen(s));
}

/* Nothing goes into the ring's socket any more. */
static void fill(void)
{
	rd_th_fill(sv[1]);
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

/* --- tests --- */

START_TEST(data_comes_and_goes)
{
	use(kinds[_i].family, kinds[_i].type);
	strcpy(buf, "hello");
	net(SEND, buf, 5, 0);
	gives(5, 0);
	ck_assert_int_eq(recv(sv[0], buf + 50, 50, 0), 5);
	ck_assert_mem_eq(buf + 50, "hello", 5);
	peer_sends("welcome");
	net(RECV, buf, 50, 0);
	gives(7, 0);
	ck_assert_mem_eq(buf, "welcome", 7);
}
END_TEST

/* netlink, say, does all it is asked for inside of sendmsg(), and loads modules for it. */
START_TEST(what_an_odd_family_does_is_a_workers_to_wait_for)
{
	struct nlmsghdr *nl;
	uint64_t punted;

	sv[1] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ck_assert_int_ge(sv[1], 0);
	rd_tc_file(&c, 1, sv[1], 0);
	nl = (struct nlmsghdr *)(void *)buf;
	*nl = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(4), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK };
	for (int i = 0; i < 4; i++) {
		punted = th.engine.stats.punted;
		net(i & 1 ? RINGD_OP_WRITE : SEND, buf, nl->nlmsg_len, 0);
		gives((int32_t)nl->nlmsg_len, 0);
		ck_assert_uint_eq(th.engine.stats.punted, punted + 1);
	}
	net(RECV, buf + 4096, 4096, 0);
	ck_assert_int_gt(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(a_recv_waits_for_data)
{
	struct ringd_sqe *sqe;

	use(kinds[_i].family, kinds[_i].type);
	for (int i = 0; i < 3; i++) {
		net(RECV, buf, 50, 0);
		rd_tc_submit_waiting(&c);
		peer_sends("late");
		rd_tc_expect(&c, c.user_data, 4, 0);
		ck_assert_mem_eq(buf, "late", 4);
	}
	/* also on a socket that does not wait by itself, and without a slot */
	ck_assert_int_eq(fcntl(sv[1], F_SETFL, O_NONBLOCK), 0);
	sqe = net(RECV, buf, 50, 0);
	sqe->flags = 0;
	sqe->fd = sv[1];
	rd_tc_submit_waiting(&c);
	peer_sends("late");
	rd_tc_expect(&c, c.user_data, 4, 0);
}
END_TEST

START_TEST(those_who_wait_are_served_in_order)
{
	use(kinds[_i].family, kinds[_i].type);
	for (int i = 0; i < 3; i++)
		net(RECV, buf + i * 10, 1, 0);
	rd_tc_submit_waiting(&c);
	for (uint64_t i = 0; i < 3; i++) {
		peer_sends("x");
		rd_tc_expect(&c, c.user_data - 2 + i, 1, 0);
		rd_tc_expect_none(&c);
	}
}
END_TEST

START_TEST(dontwait_does_not_wait)
{
	use(kinds[_i].family, kinds[_i].type);
	net(RECV, buf, 50, MSG_DONTWAIT);
	gives(-EAGAIN, 0);
	net(RECV, buf, 50, MSG_DONTWAIT)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	gives(-EAGAIN, 0);
	fill();
	net(SEND, buf, 50, MSG_DONTWAIT);
	gives(-EAGAIN, 0);
}
END_TEST

START_TEST(poll_first_asks_before_it_tries)
{
	use(kinds[_i].family, kinds[_i].type);
	net(RECV, buf, 50, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	rd_tc_submit_waiting(&c);
	peer_sends("late");
	rd_tc_expect(&c, c.user_data, 4, 0);
	peer_sends("early");
	net(RECV, buf, 50, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	gives(5, 0);
	net(SEND, buf, 5, 0)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	gives(5, 0);
}
END_TEST

START_TEST(a_full_socket_is_waited_for)
{
	use(kinds[_i].family, kinds[_i].type);
	if (kinds[_i].family == AF_INET && kinds[_i].type == SOCK_DGRAM)
		return;		/* is never full */
	fill();
	net(SEND, buf, 5, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_uint_gt(drain(), 0);
	rd_tc_expect(&c, c.user_data, 5, 0);
}
END_TEST

START_TEST(a_peer_that_has_finished_writing_is_written_to)
{
	use(kinds[_i].family, kinds[_i].type);
	ck_assert_int_eq(shutdown(sv[0], SHUT_WR), 0);
	fill();
	net(SEND, buf, 5, 0);
	rd_tc_submit_waiting(&c);
	/* nothing is asked again and again meanwhile */
	ck_assert_int_lt(th.engine.stats.polled, 10);
	ck_assert_uint_gt(drain(), 0);
	rd_tc_expect(&c, c.user_data, 5, 0);
}
END_TEST

START_TEST(a_short_send_is_a_result)
{
	int32_t n;

	use(kinds[_i].family, kinds[_i].type);
	net(SEND, buf, ROOM, 0);
	n = rd_tc_run(&c);
	ck_assert(n > 0 && n < (int32_t)ROOM);
	drained((size_t)n);
}
END_TEST

START_TEST(waitall_sends_all)
{
	size_t sum = 0;
	struct ringd_cqe cqe;

	use(kinds[_i].family, kinds[_i].type);
	net(SEND, buf, ROOM, MSG_WAITALL);
	rd_tc_submit_waiting(&c);
	while (sum < ROOM) {
		sum += drain();
		rd_th_turn(&th);
	}
	cqe = rd_tc_wait(&c);
	ck_assert_int_eq(cqe.res, (int32_t)ROOM);
	ck_assert_uint_eq(sum, ROOM);
}
END_TEST

START_TEST(waitall_receives_all)
{
	use(kinds[_i].family, kinds[_i].type);
	net(RECV, buf, 8, MSG_WAITALL);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	peer_sends("de");
	rd_tc_expect_none(&c);
	peer_sends("fgh");
	rd_tc_expect(&c, c.user_data, 8, 0);
	ck_assert_mem_eq(buf, "abcdefgh", 8);
}
END_TEST

/* A partial count is a failure for who is linked behind it. */
static void link_nop(struct ringd_sqe *sqe)
{
	sqe->flags |= RINGD_SQE_IO_LINK;
	rd_tc_sqe(&c, RINGD_OP_NOP);
}

START_TEST(waitall_ends_with_what_there_is)
{
	use(kinds[_i].family, kinds[_i].type);
	link_nop(net(RECV, buf, 8, MSG_WAITALL));
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	ck_assert_int_eq(shutdown(sv[0], SHUT_WR), 0);
	rd_tc_expect(&c, c.user_data - 1, 3, 0);
	rd_tc_expect(&c, c.user_data, -ECANCELED, 0);
	net(RECV, buf, 8, 0);
	gives(0, 0);
}
END_TEST

START_TEST(waitall_that_fails_says_how_far_it_came)
{
	struct ringd_cqe cqe;

	use(kinds[_i].family, kinds[_i].type);
	link_nop(net(SEND, buf, ROOM, MSG_WAITALL));
	rd_tc_submit_waiting(&c);
	rd_close(sv[0]);
	sv[0] = -1;
	cqe = rd_tc_wait(&c);
	ck_assert(cqe.res > 0 && cqe.res < (int32_t)ROOM);
	rd_tc_expect(&c, c.user_data, -ECANCELED, 0);
	net(SEND, buf, 1, 0);
	ck_assert_int_lt(rd_tc_run(&c), 0);
}
END_TEST

static void cancel_is(uint64_t user_data, int32_t res)
{
	rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL)->addr = user_data;
	gives(res, 0);
}

START_TEST(a_recv_that_waits_can_be_cancelled)
{
	use(kinds[_i].family, kinds[_i].type);
	net(RECV, buf, 8, 0);
	rd_tc_submit_waiting(&c);
	cancel_is(c.user_data, 0);
	rd_tc_expect(&c, c.user_data - 1, -ECANCELED, 0);
	if (kinds[_i].type == SOCK_DGRAM)
		return;
	/* what it has is not lost */
	net(RECV, buf, 8, MSG_WAITALL);
	rd_tc_submit_waiting(&c);
	peer_sends("abc");
	rd_tc_expect_none(&c);
	cancel_is(c.user_data, 0);
	rd_tc_expect(&c, c.user_data - 1, 3, 0);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_an_error_and_no_signal)
{
	use(kinds[_i].family, kinds[_i].type);
	net(RECV, buf, 8, 0);
	rd_tc_submit_waiting(&c);
	rd_close(sv[0]);
	sv[0] = -1;
	rd_tc_expect(&c, c.user_data, 0, 0);
	do {
		net(SEND, buf, 8, 0);
	} while (rd_tc_run(&c) == 8);	/* TCP has to hear of it first */
	net(SEND, buf, 8, 0);
	gives(-EPIPE, 0);
}
END_TEST

START_TEST(a_shutdown_of_our_own_wakes_who_waits)
{
	use(kinds[_i].family, kinds[_i].type);
	net(RECV, buf, 8, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(shutdown(sv[1], SHUT_RD), 0);
	rd_tc_expect(&c, c.user_data, 0, 0);
	net(RECV, buf, 8, 0);
	gives(0, 0);
}
END_TEST

START_TEST(a_stream_says_whether_there_is_more)
{
	use(kinds[_i].family, kinds[_i].type);
	peer_sends("12345678");
	net(RECV, buf, 4, 0);
	gives(4, NONEMPTY);
	net(RECV, buf, 2, MSG_PEEK);
	gives(2, NONEMPTY);
	net(RECV, buf, 4, 0);
	gives(4, 0);
}
END_TEST

START_TEST(peeked_data_stays)
{
	use(kinds[_i].family, kinds[_i].type);
	peer_sends("data");
	net(RECV, buf, 50, MSG_PEEK);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	ck_assert_int_eq(rd_tc_wait(&c).res, 4);
	net(RECV, buf, 50, 0);
	gives(4, 0);
}
END_TEST

START_TEST(truncated_datagrams)
{
	use(kinds[_i].family, kinds[_i].type);
	for (int i = 0; i < 2; i++)
		peer_sends("12345678901234567890");
	net(RECV, buf, 16, 0);
	gives(16, 0);
	net(RECV, buf, 16, MSG_TRUNC);
	gives(20, 0);
	ck_assert_int_eq(send(sv[0], "", 0, 0), 0);
	net(RECV, buf, 16, 0);
	gives(0, 0);
}
END_TEST

START_TEST(waitall_of_a_datagram_is_one_datagram)
{
	use(kinds[_i].family, kinds[_i].type);
	peer_sends("abc");
	link_nop(net(RECV, buf, 8, MSG_WAITALL));
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	rd_tc_expect(&c, c.user_data - 1, 3, 0);
	rd_tc_expect(&c, c.user_data, -ECANCELED, 0);
}
END_TEST

START_TEST(waitall_of_packets_joins_them)
{
	use(AF_UNIX, SOCK_SEQPACKET);
	peer_sends("abcd");
	peer_sends("efgh");
	net(RECV, buf, 8, MSG_WAITALL);
	gives(8, 0);
	ck_assert_mem_eq(buf, "abcdefgh", 8);
}
END_TEST

START_TEST(urgent_data)
{
	use(AF_INET, SOCK_STREAM);
	net(RECV, buf, 8, MSG_OOB);
	gives(-EINVAL, 0);
	ck_assert_int_eq(send(sv[0], "abc!", 4, MSG_OOB), 4);
	ck_assert_int_eq(send(sv[0], "def", 3, 0), 3);
	/* it stops at the mark, and goes on behind it */
	net(RECV, buf, 50, 0);
	gives(3, 0);
	net(RECV, buf, 8, MSG_OOB);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	ck_assert_int_eq(rd_tc_wait(&c).res, 1);
	ck_assert_int_eq(buf[0], '!');
	net(RECV, buf, 50, 0);
	gives(3, 0);
	ck_assert_mem_eq(buf, "def", 3);
}
END_TEST

START_TEST(the_error_queue_is_waited_for_by_its_own_event)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(nobody);
	int one = 1, fd;

	use(AF_INET, SOCK_DGRAM);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert(bind(fd, (struct sockaddr *)&nobody, len) == 0 && getsockname(fd, (struct sockaddr *)&nobody, &len) == 0);
	close(fd);
	ck_assert_int_eq(setsockopt(sv[1], IPPROTO_IP, IP_RECVERR, &one, sizeof(one)), 0);
	net(RECV, buf, 50, MSG_ERRQUEUE);
	rd_tc_submit_waiting(&c);
	peer_sends("data");
	rd_tc_expect_none(&c);
	ck_assert_int_eq(connect(sv[1], (struct sockaddr *)&nobody, sizeof(nobody)), 0);
	ck_assert_int_eq(send(sv[1], "refused", 7, 0), 7);
	rd_tc_expect(&c, c.user_data, 7, 0);
	ck_assert_mem_eq(buf, "refused", 7);
}
END_TEST

START_TEST(flags_of_the_kernel_mean_nothing)
{
	use(kinds[_i].family, kinds[_i].type);
	peer_sends("data");
	net(RECV, buf, 8, 0x80000000);
	gives(4, 0);
	net(SEND, buf, 4, 0x80000000 | 0x8000000);
	gives(4, 0);
}
END_TEST

START_TEST(segments)
{
	struct iovec *v = rd_th_alloc(&th, 32768);

	use(AF_UNIX, SOCK_STREAM);
	strcpy(buf, "abcdefg");
	v[0] = (struct iovec){ buf, 3 };
	v[1] = (struct iovec){ NULL, 0 };
	v[2] = (struct iovec){ buf + 3, 4 };
	net(SEND, v, 3, 0)->ioprio = RINGD_SEND_VECTORIZED;
	gives(7, 0);
	ck_assert_int_eq(recv(sv[0], buf + 100, 100, 0), 7);
	ck_assert_mem_eq(buf + 100, "abcdefg", 7);
	net(SEND, v, 1, 0)->ioprio = RINGD_SEND_VECTORIZED;
	gives(3, 0);
	net(SEND, v, 0, 0)->ioprio = RINGD_SEND_VECTORIZED;
	gives(0, 0);
	net(SEND, v, 1025, 0)->ioprio = RINGD_SEND_VECTORIZED;
	gives(-EINVAL, 0);
	net(SEND, (void *)8, 2, 0)->ioprio = RINGD_SEND_VECTORIZED;
	gives(-EFAULT, 0);
	v[2].iov_base = (void *)8;
	net(SEND, v, 3, 0)->ioprio = RINGD_SEND_VECTORIZED;
	gives(-EFAULT, 0);
}
END_TEST

START_TEST(many_segments_are_sent_in_pieces)
{
	struct iovec *v = rd_th_alloc(&th, 4096);
	size_t sum = 0;

	use(kinds[_i].family, kinds[_i].type);
	for (int i = 0; i < 5; i++)
		v[i] = (struct iovec){ buf, i & 1 ? 3000000 : 700000 };
	net(SEND, v, 5, MSG_WAITALL)->ioprio = RINGD_SEND_VECTORIZED;
	rd_tc_submit_waiting(&c);
	while (sum < 8100000) {
		sum += drain();
		rd_th_turn(&th);
	}
	rd_tc_expect(&c, c.user_data, 8100000, 0);
}
END_TEST

static struct ringd_sqe *send_to(const void *addr, uint16_t len)
{
	struct ringd_sqe *sqe = net(SEND, buf, 4, 0);

	sqe->addr2 = (uintptr_t)addr;
	sqe->addr_len = len;
	return sqe;
}

START_TEST(a_destination)
{
	struct sockaddr_in *to = rd_th_alloc(&th, 4096);
	socklen_t len = sizeof(*to);

	use(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(getsockname(sv[0], (struct sockaddr *)to, &len), 0);
	ck_assert_int_eq(connect(sv[1], &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)), 0);
	net(SEND, buf, 4, 0);
	gives(-EDESTADDRREQ, 0);
	send_to(to, sizeof(*to));
	gives(4, 0);
	send_to((void *)8, sizeof(*to));
	gives(-EFAULT, 0);
	send_to(to, 129);
	gives(-EINVAL, 0);
	send_to(to, 128);
	gives(4, 0);
	send_to(to, sizeof(*to))->__pad3[0] = 1;
	gives(-EINVAL, 0);
	send_to(to, 0);		/* the kernel takes it for none */
	gives(-EDESTADDRREQ, 0);
}
END_TEST

/* A receiver with a name of its own, which is sent to without a connection. */
static int receiver(struct sockaddr_un *to, bool path)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*to);

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path) {
		snprintf(to->sun_path, sizeof(to->sun_path), "/tmp/ringd-net.%d", (int)getpid());
		unlink(to->sun_path);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)to, len), 0);
		return fd;
	}
	ck_assert_int_eq(bind(fd, (struct sockaddr *)to, sizeof(sa_family_t)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)to, &len), 0);
	ck_assert_int_eq(len, sizeof(sa_family_t) + 6);
	return fd;
}

START_TEST(a_destination_that_is_a_name)
{
	struct sockaddr_un *to = rd_th_alloc(&th, 4096);
	uint16_t len = _i ? sizeof(*to) : sizeof(sa_family_t) + 6;
	int fd = receiver(to, _i);
	uint64_t sender;
	int32_t res;

	use(AF_UNIX, SOCK_DGRAM);
	rd_close(sv[1]);
	sv[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rd_tc_file(&c, 1, sv[1], 0);
	do {
		send_to(to, len)->msg_flags = MSG_DONTWAIT;
		res = rd_tc_run(&c);
	} while (res == 4);
	ck_assert_int_eq(res, -EAGAIN);
	/* its queue is full, ours is not: no event comes of that */
	send_to(to, len);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(recv(fd, buf, 100, 0), 4);
	rd_tc_expect(&c, c.user_data, 4, 0);
	send_to(to, len);
	rd_tc_submit_waiting(&c);
	sender = c.user_data;
	rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL)->addr = sender;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		if (cqe.user_data == sender)
			ck_assert_int_eq(cqe.res, -ECANCELED);
		else	/* whether a thread has it already is not known */
			ck_assert(cqe.res == 0 || cqe.res == -EALREADY);
	}
	close(fd);
	send_to(to, len);
	ck_assert_int_eq(rd_tc_run(&c), -ECONNREFUSED);
	unlink(to->sun_path);
}
END_TEST

static void refused(uint8_t opcode, uint16_t ioprio)
{
	net(opcode, buf, 4, 0)->ioprio = ioprio;
	gives(-EINVAL, 0);
}

START_TEST(what_is_not_meant_for_them_is_refused)
{
	use(AF_UNIX, SOCK_STREAM);
	refused(SEND, RINGD_RECVSEND_FIXED_BUF);
	refused(SEND, RINGD_RECV_MULTISHOT);
	refused(SEND, RINGD_SEND_ZC_REPORT_USAGE);
	refused(SEND, RINGD_RECVSEND_BUNDLE);
	refused(RECV, RINGD_RECVSEND_FIXED_BUF);
	refused(RECV, RINGD_SEND_VECTORIZED);
	refused(RECV, RINGD_RECV_MULTISHOT);
	refused(RECV, 1u << 15);
	net(RECV, buf, 4, 0)->addr2 = 1;
	gives(-EINVAL, 0);
	net(RECV, buf, 4, 0)->optlen = 1;
	gives(-EINVAL, 0);
	net(RECV, (void *)8, 4, 0);
	gives(-EFAULT, 0);
	net(SEND, (void *)8, 4, 0);
	gives(-EFAULT, 0);
	net(RECV, buf, 4, 0)->fd = 3;
	gives(-EBADF, 0);
}
END_TEST

START_TEST(only_sockets)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	rd_tc_file(&c, 1, p[0], 0);
	net(RECV, buf, 4, 0);
	gives(-ENOTSOCK, 0);
	net(SEND, buf, 4, 0);
	gives(-ENOTSOCK, 0);
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(a_ring_ends_while_they_wait)
{
	use(kinds[_i].family, kinds[_i].type);
	for (int i = 0; i < 5; i++)
		net(RECV, buf, 8, i & 1 ? MSG_WAITALL : 0);
	fill();
	net(SEND, buf, 60000, MSG_WAITALL);
	rd_tc_submit_waiting(&c);
	rd_tc_close(&c);
	c.ring = NULL;
}
END_TEST

static void add_streams(TCase *tc)
{
	tcase_add_loop_test(tc, a_short_send_is_a_result, 0, STREAMS);
	tcase_add_loop_test(tc, waitall_sends_all, 0, STREAMS);
	tcase_add_loop_test(tc, waitall_receives_all, 0, STREAMS);
	tcase_add_loop_test(tc, waitall_ends_with_what_there_is, 0, STREAMS);
	tcase_add_loop_test(tc, waitall_that_fails_says_how_far_it_came, 0, STREAMS);
	tcase_add_loop_test(tc, a_peer_that_has_finished_writing_is_written_to, 0, STREAMS);
	tcase_add_loop_test(tc, a_peer_that_is_gone_is_an_error_and_no_signal, 0, STREAMS);
	tcase_add_loop_test(tc, a_stream_says_whether_there_is_more, 0, STREAMS);
	tcase_add_loop_test(tc, many_segments_are_sent_in_pieces, 0, STREAMS);
	tcase_add_loop_test(tc, truncated_datagrams, STREAMS, KINDS);
	tcase_add_loop_test(tc, waitall_of_a_datagram_is_one_datagram, STREAMS, KINDS - 1);
	tcase_add_test(tc, waitall_of_packets_joins_them);
	tcase_add_test(tc, urgent_data);
	tcase_add_test(tc, the_error_queue_is_waited_for_by_its_own_event);
}

static void add_all(TCase *tc)
{
	tcase_add_loop_test(tc, data_comes_and_goes, 0, KINDS);
	tcase_add_test(tc, what_an_odd_family_does_is_a_workers_to_wait_for);
	tcase_add_loop_test(tc, a_recv_waits_for_data, 0, KINDS);
	tcase_add_loop_test(tc, those_who_wait_are_served_in_order, 0, KINDS);
	tcase_add_loop_test(tc, dontwait_does_not_wait, 0, 3);
	tcase_add_loop_test(tc, poll_first_asks_before_it_tries, 0, KINDS);
	tcase_add_loop_test(tc, a_full_socket_is_waited_for, 0, KINDS);
	tcase_add_loop_test(tc, a_recv_that_waits_can_be_cancelled, 0, KINDS);
	tcase_add_loop_test(tc, a_shutdown_of_our_own_wakes_who_waits, 0, KINDS);
	tcase_add_loop_test(tc, peeked_data_stays, STREAMS, KINDS);
	tcase_add_loop_test(tc, flags_of_the_kernel_mean_nothing, 0, KINDS);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, a_destination);
	tcase_add_loop_test(tc, a_destination_that_is_a_name, 0, 2);
	tcase_add_test(tc, what_is_not_meant_for_them_is_refused);
	tcase_add_test(tc, only_sockets);
	tcase_add_loop_test(tc, a_ring_ends_while_they_wait, 0, STREAMS);
}

static Suite *net_suite(void)
{
	Suite *s = suite_create("ops_net");
	TCase *tc = tcase_create("sync");

	tcase_add_checked_fixture(tc, setup_sync, teardown);
	add_all(tc);
	add_streams(tc);
	suite_add_tcase(s, tc);
	if (!rd_th_backend_works(RD_BACKEND_URING))
		return s;
	tc = tcase_create("uring");
	tcase_add_checked_fixture(tc, setup_uring, teardown);
	add_all(tc);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return rd_suite_main(net_suite());
}
