/* SPDX-License-Identifier: GPL-2.0-or-later */
/* READ and WRITE on files that have to be waited for: pipes, sockets, eventfds, terminals, devices. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <termios.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static int p[2] = { -1, -1 };
static char *buf;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	buf = rd_th_alloc(&th, 65536);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(p[0]);
	close(p[1]);
}

static struct ringd_sqe *rw(uint8_t opcode, int fd, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

static void assert_next(int32_t res)
{
	struct ringd_cqe cqe = rd_tc_wait(&c);

	ck_assert_int_eq(cqe.res, res);
}

START_TEST(what_is_there_comes_at_once_and_short)
{
	static const uint64_t offsets[] = { 0, UINT64_MAX, 12345, INT64_MAX };	/* none of them means anything */
	struct ringd_cqe cqe;

	for (size_t i = 0; i < RD_ARRAY_SIZE(offsets); i++) {
		ck_assert_int_eq(write(p[1], "hello", 5), 5);
		rw(RINGD_OP_READ, p[0], 4096, offsets[i]);
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		ck_assert_msg(rd_tc_peek(&c, &cqe), "not complete when submit returned");
		ck_assert_int_eq(cqe.res, 5);
		ck_assert_mem_eq(buf, "hello", 5);
		rw(RINGD_OP_WRITE, p[1], 3, offsets[i]);
		ck_assert_int_eq(rd_tc_run(&c), 3);
		ck_assert_int_eq(read(p[0], buf, 10), 3);
	}
	ck_assert_uint_eq(th.engine.stats.polled + th.engine.stats.punted, 0);
	rw(RINGD_OP_READ, p[0], 1, (uint64_t)-2);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

START_TEST(an_empty_pipe_is_waited_for)
{
	for (int i = 0; i < 4; i++) {
		/* O_NONBLOCK makes no difference, nor does ASYNC */
		ck_assert_int_eq(fcntl(p[0], F_SETFL, i & 1 ? O_NONBLOCK : 0), 0);
		rw(RINGD_OP_READ, p[0], 100, 0)->flags = i & 2 ? RINGD_SQE_ASYNC : 0;
		rd_tc_submit_waiting(&c);
		ck_assert_uint_eq(th.mem.refs, 2);
		ck_assert_int_eq(write(p[1], "abc", 3), 3);
		assert_next(3);
		ck_assert_mem_eq(buf, "abc", 3);
	}
	ck_assert_uint_eq(th.engine.stats.polled, 4);
	ck_assert_uint_eq(th.engine.stats.punted, 0);
}
END_TEST

START_TEST(a_full_pipe_is_waited_for)
{
	char sink[65536];
	int size = fcntl(p[1], F_SETPIPE_SZ, 4096);

	ck_assert_int_eq(size, 4096);
	memset(buf, 'x', 65536);
	rw(RINGD_OP_WRITE, p[1], 4096, 0);
	ck_assert_int_eq(rd_tc_run(&c), 4096);
	rw(RINGD_OP_WRITE, p[1], 4096, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(read(p[0], sink, sizeof(sink)), 4096);
	assert_next(4096);
	ck_assert_int_eq(read(p[0], sink, sizeof(sink)), 4096);
	rw(RINGD_OP_WRITE, p[1], 65536, 0);		/* more than fits: the first success ends it */
	ck_assert_int_eq(rd_tc_run(&c), 4096);
}
END_TEST

START_TEST(the_ends_of_a_pipe)
{
	rw(RINGD_OP_WRITE, p[0], 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	rw(RINGD_OP_READ, p[0], 100, 0);
	rd_tc_submit_waiting(&c);
	close(p[1]);
	assert_next(0);
	rw(RINGD_OP_READ, p[0], 100, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	rw(RINGD_OP_WRITE, p[1], 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EPIPE);
	rw(RINGD_OP_WRITE, p[1], 1, 0)->rw_flags = 0x100;
	ck_assert_int_eq(rd_tc_run(&c), -EPIPE);
}
END_TEST

START_TEST(nowait_answers_at_once)
{
	rw(RINGD_OP_READ, p[0], 1, 0)->rw_flags = 0x8;
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	rw(RINGD_OP_READ, p[0], 1, 0)->rw_flags = 0x8;
	c.sqes[(c.sq_tail + c.unsubmitted - 1) & (c.layout.sq_entries - 1)].flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	ck_assert_uint_eq(th.engine.stats.polled + th.engine.stats.punted, 0);
}
END_TEST

START_TEST(requests_keep_what_they_use)
{
	uint64_t tags[] = { 100, 200 };
	struct ringd_sqe *sqe;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, p[0], tags[0]);
	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, buf, 4096, tags[1]);
	sqe = rw(RINGD_OP_READ_FIXED, 0, 100, 0);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	rd_tc_submit_waiting(&c);
	rd_tc_file(&c, 0, p[1], 0);			/* replaced under its feet */
	rd_tc_buf(&c, 0, buf + 8192, 4096, 0);
	for (int i = 0; i < 10; i++)
		rd_th_turn(&th);
	ck_assert_int_eq(write(p[1], "kept", 4), 4);
	for (int i = 0; i < 3; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		if (i == 0) {				/* its own completion first, the tags behind it */
			ck_assert_uint_eq(cqe.user_data, c.user_data);
			ck_assert_int_eq(cqe.res, 4);
			ck_assert_mem_eq(buf, "kept", 4);
			continue;
		}
		ck_assert(cqe.user_data == 100 || cqe.user_data == 200);
		ck_assert_int_eq(cqe.res, 0);
	}
	sqe = rw(RINGD_OP_READ_FIXED, 0, 100, 0);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);	/* the new buffer is elsewhere */
	sqe = rw(RINGD_OP_READ_FIXED, 0, 100, 0);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr += 8192;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);	/* the new file is the write end */
}
END_TEST

START_TEST(a_vector_keeps_its_memory)
{
	struct iovec *v = rd_th_alloc(&th, 3 * sizeof(*v));
	struct ringd_sqe *sqe;

	for (int i = 0; i < 3; i++)
		v[i] = (struct iovec){ buf + 1000 * i, 2 };
	sqe = rw(RINGD_OP_READV, p[0], 3, 0);
	sqe->addr = (uintptr_t)v;
	rd_tc_submit_waiting(&c);
	ck_assert_uint_eq(th.mem.refs, 4);
	memset(v, 0, 3 * sizeof(*v));			/* it was read at submission */
	ck_assert_int_eq(write(p[1], "12345", 5), 5);
	assert_next(5);
	ck_assert_mem_eq(buf, "12", 2);
	ck_assert_mem_eq(buf + 1000, "34", 2);
	ck_assert_mem_eq(buf + 2000, "5", 1);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

/* A TCP socket with data that nobody reads, whose close() waits two seconds for that to go. The peer's end. */
static int lingering_socket(int *ret)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 2 };
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	RD_CLOSE int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);
	static char block[65536];
	int peer;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	*ret = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(*ret, (struct sockaddr *)&addr, sizeof(addr)), 0);
	peer = accept(listener, NULL, NULL);
	while (send(*ret, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(*ret, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return peer;
}

START_TEST(descriptors_in_a_socket_are_not_closed_on_the_reactor)
{
	struct ringd_cqe cqe;
	int s[2], fd, peer = lingering_socket(&fd);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	ck_assert_int_eq(rd_send_fds(s[1], "x", 1, &fd, 1), 0);
	close(fd);		/* the last one is in the socket */
	rw(RINGD_OP_READ, s[0], 8, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	while (!th.engine.stats.punted && !th.engine.stats.completed)
		rd_th_turn(&th);
	rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	/* the read comes when the close does; the NOP has not waited for that */
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 2);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 1);
	ck_assert_int_eq(cqe.res, 1);
	/* O_NONBLOCK still means nothing, RWF_NOWAIT does */
	ck_assert_int_eq(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	rw(RINGD_OP_READ, s[0], 8, 0)->rw_flags = RWF_NOWAIT;
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	rw(RINGD_OP_READ, s[0], 8, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(write(s[1], "yz", 2), 2);
	assert_next(2);
	close(s[0]);
	close(s[1]);
	close(peer);
}
END_TEST

START_TEST(sockets_eventfds_and_timers_wait_in_the_reactor)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	int s[2], efd, tfd;
	uint64_t n = 7;

	efd = eventfd(0, EFD_CLOEXEC);
	tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	rw(RINGD_OP_READ, efd, 8, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(write(efd, &n, 8), 8);
	assert_next(8);
	ck_assert_mem_eq(buf, &n, 8);
	rw(RINGD_OP_READ, s[0], 8, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(write(s[1], "s", 1), 1);
	assert_next(1);
	rw(RINGD_OP_READ, tfd, 8, 0);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(timerfd_settime(tfd, 0, &soon, NULL), 0);
	assert_next(8);
	rw(RINGD_OP_READ, efd, 4, 0);			/* as read(2): eight bytes or nothing */
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	close(efd);
	close(tfd);
	close(s[0]);
	close(s[1]);
}
END_TEST

static void open_terminal(int *master, int *slave)
{
	struct termios t;

	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(*master, 0);
	ck_assert_int_eq(grantpt(*master), 0);
	ck_assert_int_eq(unlockpt(*master), 0);
	*slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(*slave, 0);
	ck_assert_int_eq(tcgetattr(*slave, &t), 0);
	cfmakeraw(&t);
	ck_assert_int_eq(tcsetattr(*slave, TCSANOW, &t), 0);
}

START_TEST(a_terminal_is_read_by_a_worker_once_it_has_something)
{
	int master, slave;

	open_terminal(&master, &slave);
	for (int i = 0; i < 2; i++) {
		rw(RINGD_OP_READ, slave, 10, 0);
		rd_tc_submit_waiting(&c);
		ck_assert_uint_eq(th.engine.stats.punted, (uint64_t)i);
		ck_assert_int_eq(write(master, "tty", 3), 3);
		assert_next(3);
		ck_assert_mem_eq(buf, "tty", 3);
		ck_assert_uint_eq(th.engine.stats.punted, (uint64_t)i + 1);
	}
	/* it knows no attempt without waiting: here O_NONBLOCK is what makes the difference */
	ck_assert_int_eq(fcntl(slave, F_SETFL, O_NONBLOCK), 0);
	rw(RINGD_OP_READ, slave, 10, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	close(slave);
	close(master);
}
END_TEST

START_TEST(devices_that_never_run_dry)
{
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *big = rd_th_alloc(&th, 4u << 20);
	struct ringd_sqe *sqe;

	memset(big, 1, 4u << 20);
	sqe = rw(RINGD_OP_READ, zero, 4u << 20, 77);
	sqe->addr = (uintptr_t)big;
	ck_assert_int_eq(rd_tc_run(&c), 4 << 20);
	ck_assert_int_eq(big[(4u << 20) - 1], 0);
	ck_assert_uint_eq(th.engine.stats.punted, 1);	/* that long would keep the other rings waiting */
	rw(RINGD_OP_READ, null, 100, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	rw(RINGD_OP_WRITE, null, 100, 0);
	ck_assert_int_eq(rd_tc_run(&c), 100);
	close(zero);
	close(null);
}
END_TEST

START_TEST(many_may_wait_for_one_pipe)
{
	for (int i = 0; i < 50; i++)
		rw(RINGD_OP_READ, p[0], 1, 0);
	rd_tc_submit_waiting(&c);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(write(p[1], "m", 1), 1);
		assert_next(1);
	}
}
END_TEST

START_TEST(a_dying_ring_lets_go_of_what_waits)
{
	struct iovec *v = rd_th_alloc(&th, 2 * sizeof(*v));

	v[0] = v[1] = (struct iovec){ buf, 1 };
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, p[0], 1);
	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, buf, 4096, 2);
	rw(RINGD_OP_READ, p[0], 1, 0);
	rw(RINGD_OP_READ_FIXED, 0, 1, 0)->flags = RINGD_SQE_FIXED_FILE;
	rw(RINGD_OP_READV, p[0], 2, 0)->addr = (uintptr_t)v;
	rd_tc_submit_waiting(&c);
	rd_tc_close(&c);
	rd_th_settle(&th);
	ck_assert_uint_eq(th.mem.refs, 1);
	ck_assert_int_eq(write(p[1], "left", 4), 4);
	ck_assert_int_eq(read(p[0], buf, 10), 4);	/* nobody has taken it */
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_is_there_comes_at_once_and_short, an_empty_pipe_is_waited_for, a_full_pipe_is_waited_for,
		the_ends_of_a_pipe, nowait_answers_at_once, requests_keep_what_they_use, a_vector_keeps_its_memory,
		sockets_eventfds_and_timers_wait_in_the_reactor, descriptors_in_a_socket_are_not_closed_on_the_reactor, a_terminal_is_read_by_a_worker_once_it_has_something,
		devices_that_never_run_dry, many_may_wait_for_one_pipe, a_dying_ring_lets_go_of_what_waits,
	};
	Suite *s = suite_create("ops_stream");
	TCase *tc = tcase_create("pollable files");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
