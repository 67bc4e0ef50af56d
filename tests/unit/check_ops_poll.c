/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Polls seen from inside: lazy rings, slow files, storms, ends. The rules are in tests/conformance/poll.c. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/ring/event.h"
#include "suite.h"
#include "testhost.h"

#define MORE	RINGD_CQE_F_MORE
#define MULTI	RINGD_POLL_ADD_MULTI
#define ENTRIES	512

static const unsigned int backends[] = { RD_BACKEND_SYNC, RD_BACKEND_URING };
static struct rd_testhost th;
static struct rd_testclient c;
static int sk[2];	/* a non-blocking pair: the first is in slot 0 */
static char *buf;

static void open_ring(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, ENTRIES, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sk), 0);
	rd_tc_files(&c, 4);
	rd_tc_file(&c, 0, sk[0], 0);
	buf = rd_th_alloc(&th, 4096);
}

static void setup(void)
{
	open_ring(RD_BACKEND_SYNC);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(sk[0]);
	close(sk[1]);
}

static struct ringd_sqe *poll_add(uint64_t user_data, uint32_t events, uint32_t len)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_POLL_ADD);

	sqe->user_data = user_data;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->poll32_events = events;
	sqe->len = len;
	return sqe;
}

static struct ringd_sqe *op(uint8_t opcode, uint64_t user_data, uint64_t addr)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->user_data = user_data;
	sqe->addr = addr;
	return sqe;
}

static void wait_read(uint64_t user_data)
{
	struct ringd_sqe *sqe = op(RINGD_OP_READ, user_data, (uintptr_t)buf);

	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->len = 1;
	sqe->off = UINT64_MAX;
}

/* 0: comes for what there is */
static void submit(int32_t n)
{
	ck_assert_int_eq(rd_tc_submit(&c), n);
}

static void put(void)
{
	ck_assert_int_eq(write(sk[1], "x", 1), 1);
}

static void get(void)
{
	char x[64];

	ck_assert_int_gt(read(sk[0], x, sizeof(x)), 0);
}

/* A pipe: reads of a UNIX socket are done by workers, and what they were quicker with no poll is told of. */
START_TEST(several_reads_and_polls_share_a_file)
{
	teardown();
	open_ring(backends[_i]);
	close(sk[0]);
	close(sk[1]);
	ck_assert_int_eq(pipe2(sk, O_CLOEXEC | O_NONBLOCK), 0);
	rd_tc_file(&c, 0, sk[0], 0);
	wait_read(1);
	poll_add(2, POLLIN, MULTI);
	wait_read(3);
	poll_add(4, POLLPRI, 0);
	submit(4);
	for (int round = 0; round < 2; round++) {
		struct ringd_cqe cqe;
		unsigned int seen = 0;

		put();
		for (int i = 0; i < 2; i++) {
			cqe = rd_tc_wait(&c);
			ck_assert_int_eq(cqe.res, 1);
			ck_assert_uint_eq(cqe.flags, cqe.user_data == 2 ? MORE : 0);
			seen |= 1u << cqe.user_data;
		}
		ck_assert_uint_eq(seen & 1u << 2, 1u << 2);
		ck_assert_uint_ne(seen & (1u << 1 | 1u << 3), 0);
		rd_tc_expect_none(&c);
	}
}
END_TEST

START_TEST(on_a_lazy_ring_what_fired_waits_for_the_client)
{
	c.ring->ctx.lazy = true;
	poll_add(1, POLLIN, 0);
	submit(1);
	put();
	rd_tc_expect_none(&c);
	op(RINGD_OP_POLL_REMOVE, 2, 1);
	submit(1);		/* with the SQE it comes for what there is */
	rd_tc_expect(&c, 2, -EALREADY, 0);
	rd_tc_expect(&c, 1, POLLIN, 0);
}
END_TEST

START_TEST(on_a_lazy_ring_what_fired_can_be_cancelled)
{
	c.ring->ctx.lazy = true;
	for (uint32_t len = 0; len <= MULTI; len++) {
		poll_add(1, POLLIN, len);
		submit(1);
		put();
		rd_tc_expect_none(&c);
		op(RINGD_OP_ASYNC_CANCEL, 2, 1);
		submit(1);
		rd_tc_expect(&c, 2, 0, 0);
		rd_tc_expect(&c, 1, -ECANCELED, 0);
		submit(0);
		get();
		put();
		rd_tc_expect_none(&c);
		get();
	}
}
END_TEST

START_TEST(on_a_lazy_ring_a_multishot_poll_tells_what_there_is_then)
{
	c.ring->ctx.lazy = true;
	poll_add(1, POLLIN, MULTI);
	submit(1);
	for (int i = 0; i < 3; i++) {
		put();
		rd_th_turns(&th, 10);
		put();
		rd_th_turns(&th, 10);
		submit(0);
		rd_tc_expect(&c, 1, POLLIN, MORE);
		get();
		put();
		rd_th_turns(&th, 10);
		get();		/* too late to be told */
		submit(0);
		rd_tc_expect_none(&c);
	}
}
END_TEST

START_TEST(on_a_lazy_ring_a_multishot_poll_outlives_what_it_missed)
{
	c.ring->ctx.lazy = true;
	poll_add(1, POLLIN, MULTI);
	submit(1);
	for (int i = 0; i < 10; i++) {	/* nobody seems to wait for it */
		put();
		rd_th_turns(&th, 10);
	}
	get();
	submit(0);
	put();
	rd_th_turns(&th, 10);
	submit(0);
	rd_tc_expect(&c, 1, POLLIN, MORE);
}
END_TEST

/* As a file of FUSE: nothing is asked of it on the reactor. */
static void make_slow(void)
{
	rd_filetable_get(&c.ring->ctx.files, 0)->flags |= RD_FILE_SLOW;
}

START_TEST(a_slow_file_is_polled_by_a_worker)
{
	make_slow();
	for (uint32_t len = 0; len <= MULTI; len++) {
		poll_add(1, POLLIN, len);
		submit(1);
		rd_tc_expect_none(&c);
		op(RINGD_OP_POLL_REMOVE, 2, 1)->len = RINGD_POLL_UPDATE_USER_DATA;
		submit(1);
		rd_tc_expect(&c, 2, -EALREADY, 0);
		for (uint32_t shots = 0; shots < (len ? 3 : 1); shots++) {
			put();
			rd_tc_expect(&c, 1, POLLIN, len ? MORE : 0);
			rd_tc_expect_none(&c);
			get();
		}
		op(RINGD_OP_ASYNC_CANCEL, 3, 1);
		submit(1);
		for (uint32_t i = 0; i < 1 + len; i++) {
			struct ringd_cqe cqe = rd_tc_wait(&c);

			if (cqe.user_data == 1)
				ck_assert_int_eq(cqe.res, -ECANCELED);
			else
				ck_assert(len ? cqe.res == 0 || cqe.res == -EALREADY : cqe.res == -ENOENT);
		}
	}
	ck_assert_int_eq(c.ring->ctx.engine->stats.polled, 0);
}
END_TEST

START_TEST(a_slow_file_that_cannot_be_waited_for_is_ready)
{
	RD_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	rd_tc_file(&c, 1, fd, 0);
	ck_assert_uint_eq(rd_filetable_get(&c.ring->ctx.files, 1)->flags & RD_FILE_SLOW, RD_FILE_SLOW);
	for (uint32_t len = 0; len <= MULTI; len++) {
		poll_add(1, POLLIN | POLLPRI, len)->fd = 1;
		submit(1);
		rd_tc_expect(&c, 1, POLLIN, 0);
	}
}
END_TEST

START_TEST(only_so_many_workers_sleep_in_polls)
{
	make_slow();
	for (unsigned int i = 0; i < RD_EPOLL_WAITS + 10; i++)
		poll_add(i, POLLIN, i & MULTI);
	submit(RD_EPOLL_WAITS + 10);
	for (unsigned int i = RD_EPOLL_WAITS; i < RD_EPOLL_WAITS + 10; i++)
		rd_tc_expect(&c, i, -EDQUOT, 0);
	put();
	for (unsigned int i = 0; i < RD_EPOLL_WAITS; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, POLLIN);
	ck_assert_uint_eq(th.engine.epoll_waits, RD_EPOLL_WAITS / 2);	/* those that go on */
	rd_tc_close(&c);
	ck_assert_uint_eq(th.engine.epoll_waits, 0);
}
END_TEST

/* Whether an epoll set is ready the kernel asks the files in it. */
START_TEST(an_epoll_set_is_polled_by_a_worker)
{
	struct epoll_event ev = { .events = EPOLLIN };
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, sk[0], &ev), 0);
	rd_tc_file(&c, 1, ep, 0);
	for (uint32_t len = 0; len <= MULTI; len++) {
		poll_add(1, POLLIN, len)->fd = 1;
		submit(1);
		rd_tc_expect_none(&c);
		put();
		rd_tc_expect(&c, 1, POLLIN, len ? MORE : 0);
		get();
	}
	ck_assert_int_eq(c.ring->ctx.engine->stats.polled, 0);
}
END_TEST

/* Nor does one that is to be read, in vain, wait for readiness in the reactor first. */
START_TEST(an_epoll_set_is_not_waited_for)
{
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);
	struct ringd_sqe *sqe;

	rd_tc_file(&c, 1, ep, 0);
	for (unsigned int i = 0; i < 2; i++) {
		sqe = rd_tc_sqe(&c, i ? RINGD_OP_WRITE : RINGD_OP_READ);
		sqe->fd = 1;
		sqe->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_ASYNC;
		sqe->addr = (uintptr_t)buf;
		sqe->len = 8;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	ck_assert_uint_eq(th.engine.reactor->polls.entries, 0);
}
END_TEST

START_TEST(a_poll_of_a_slow_file_can_be_interrupted)
{
	make_slow();
	poll_add(1, POLLIN, _i & 2 ? MULTI : 0);
	submit(1);
	rd_th_turns(&th, 10);
	op(_i & 1 ? RINGD_OP_POLL_REMOVE : RINGD_OP_ASYNC_CANCEL, 2, 1);
	submit(1);
	/* whether the worker had begun */
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		if (cqe.user_data == 1)
			ck_assert_int_eq(cqe.res, -ECANCELED);
		else
			ck_assert(cqe.res == 0 || cqe.res == -EALREADY);
	}
}
END_TEST

START_TEST(a_ring_ends_with_all_its_polls)
{
	c.ring->ctx.lazy = _i & 1;
	if (_i & 2)
		make_slow();
	for (unsigned int i = 0; i < 60; i++)
		poll_add(i, i % 3 ? POLLIN : POLLPRI, i & MULTI);
	submit(60);
	if (_i & 4) {
		put();
		rd_th_turns(&th, 10);
	}
	/* the file is still open in this process: nothing may come of it any more */
	rd_tc_close(&c);
	put();
	rd_th_turns(&th, 10);
}
END_TEST

START_TEST(a_slot_may_be_emptied_under_a_poll)
{
	struct rd_file *file;

	rd_tc_file(&c, 1, sk[0], 0);
	for (int i = 0; i < 50; i++) {
		poll_add(1, POLLIN, MULTI)->fd = 1;
		poll_add(2, POLLIN, 0)->fd = 1;
		submit(2);
		op(RINGD_OP_CLOSE, 3, 0)->file_index = 2;
		submit(1);
		rd_tc_expect(&c, 3, 0, 0);
		put();
		for (int n = 0; n < 2; n++)
			ck_assert_int_eq(rd_tc_wait(&c).res, POLLIN);
		op(RINGD_OP_POLL_REMOVE, 4, 1);
		submit(1);
		rd_tc_expect(&c, 4, 0, 0);
		rd_tc_expect(&c, 1, -ECANCELED, 0);
		get();
		rd_tc_file(&c, 1, sk[0], 0);
	}
	file = rd_filetable_get(&c.ring->ctx.files, 1);
	ck_assert_uint_eq(file->node.refs, 1);
}
END_TEST

START_TEST(a_storm_of_polls_on_one_file)
{
	unsigned int n = ENTRIES / 2;

	for (unsigned int i = 0; i < n; i++)
		poll_add(i, i % 2 ? POLLIN : POLLIN | POLLPRI, MULTI);
	submit((int32_t)n);
	for (int round = 0; round < 5; round++) {
		unsigned char told[ENTRIES / 2] = { 0 };

		put();
		for (unsigned int i = 0; i < n; i++) {
			struct ringd_cqe cqe = rd_tc_wait(&c);

			ck_assert_int_eq(cqe.res, POLLIN);
			ck_assert_uint_eq(cqe.flags, MORE);
			ck_assert_uint_eq(told[cqe.user_data]++, 0);
		}
		rd_tc_expect_none(&c);
	}
	op(RINGD_OP_ASYNC_CANCEL, n, 0)->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
	submit(1);
	rd_tc_expect(&c, n, (int32_t)n, 0);
	for (unsigned int i = 0; i < n; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
}
END_TEST

START_TEST(a_poll_and_its_removal_agree)
{
	unsigned int removed = 0;

	for (unsigned int i = 0; i < 2000; i++) {
		struct ringd_cqe a, b;

		poll_add(1, POLLIN, 0);
		submit(1);
		if (i % 3 == 0)
			put();
		if (i % 6 == 0)
			rd_th_turn(&th);
		op(RINGD_OP_POLL_REMOVE, 2, 1);
		submit(1);
		a = rd_tc_wait(&c);
		b = rd_tc_wait(&c);
		if (a.user_data == 2) {
			removed++;
			ck_assert_int_eq(a.res, 0);
			ck_assert_int_eq(b.res, -ECANCELED);
		} else {
			ck_assert_int_eq(a.res, POLLIN);
			ck_assert_int_eq(b.res, -ENOENT);
		}
		if (i % 3 == 0)
			get();
	}
	ck_assert_uint_gt(removed, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(a_poll_of_the_rings_own_eventfd_does_not_feed_itself)
{
	RD_CLOSE int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t n = 1;

	rd_tc_file(&c, 1, efd, 0);
	ck_assert_int_eq(rd_event_set(c.ring, fcntl(efd, F_DUPFD_CLOEXEC, 0), false), 0);
	poll_add(1, POLLIN, MULTI)->fd = 1;
	submit(1);
	rd_tc_expect_none(&c);
	ck_assert_int_eq(write(efd, &n, sizeof(n)), sizeof(n));
	rd_tc_expect(&c, 1, POLLIN, 0);
	rd_tc_expect_none(&c);
	/* of any other file it goes on */
	ck_assert_int_eq(read(efd, &n, sizeof(n)), sizeof(n));
	poll_add(2, POLLIN, MULTI);
	submit(1);
	for (int i = 0; i < 3; i++) {
		put();
		rd_tc_expect(&c, 2, POLLIN, MORE);
	}
}
END_TEST

START_TEST(what_is_no_open_file_cannot_be_polled)
{
	RD_CLOSE int fd = open("/", O_PATH | O_CLOEXEC);

	rd_tc_file(&c, 1, fd, 0);
	for (uint32_t len = 0; len <= MULTI; len++) {
		poll_add(1, POLLIN, len)->fd = 1;
		submit(1);
		rd_tc_expect(&c, 1, -EBADF, 0);
	}
}
END_TEST

START_TEST(no_mask_does_harm)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		for (uint32_t len = 0; len <= MULTI; len++) {
			poll_add(1, 1u << bit, len);
			submit(1);
			rd_th_turns(&th, 10);
			op(RINGD_OP_POLL_REMOVE, 2, 1)->len = RINGD_POLL_UPDATE_EVENTS;
			c.sqes[c.sq_tail & (c.layout.sq_entries - 1)].poll32_events = ~(1u << bit);
			op(RINGD_OP_ASYNC_CANCEL, 3, 0)->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
			submit(2);
			rd_th_turns(&th, 10);
			for (struct ringd_cqe cqe; rd_tc_peek(&c, &cqe);)
				;
			ck_assert_uint_eq(c.ring->ctx.inflight, 0);
		}
	}
}
END_TEST

int main(void)
{
	int both = rd_th_backend_works(RD_BACKEND_URING) ? 2 : 1;
	Suite *s = suite_create("ops poll");
	TCase *tc = tcase_create("poll");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, several_reads_and_polls_share_a_file, 0, both);
	tcase_add_test(tc, on_a_lazy_ring_what_fired_waits_for_the_client);
	tcase_add_test(tc, on_a_lazy_ring_what_fired_can_be_cancelled);
	tcase_add_test(tc, on_a_lazy_ring_a_multishot_poll_tells_what_there_is_then);
	tcase_add_test(tc, on_a_lazy_ring_a_multishot_poll_outlives_what_it_missed);
	tcase_add_test(tc, a_slow_file_is_polled_by_a_worker);
	tcase_add_test(tc, a_slow_file_that_cannot_be_waited_for_is_ready);
	tcase_add_test(tc, only_so_many_workers_sleep_in_polls);
	tcase_add_test(tc, an_epoll_set_is_polled_by_a_worker);
	tcase_add_test(tc, an_epoll_set_is_not_waited_for);
	tcase_add_loop_test(tc, a_poll_of_a_slow_file_can_be_interrupted, 0, 4);
	tcase_add_loop_test(tc, a_ring_ends_with_all_its_polls, 0, 8);
	tcase_add_test(tc, a_slot_may_be_emptied_under_a_poll);
	tcase_add_test(tc, a_storm_of_polls_on_one_file);
	tcase_add_test(tc, a_poll_and_its_removal_agree);
	tcase_add_test(tc, a_poll_of_the_rings_own_eventfd_does_not_feed_itself);
	tcase_add_test(tc, what_is_no_open_file_cannot_be_polled);
	tcase_add_test(tc, no_mask_does_harm);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
