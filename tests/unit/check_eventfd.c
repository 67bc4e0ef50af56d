/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The eventfd of a ring: when it is told, and that whoever shares it cannot make us sleep. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/ring/event.h"
#include "suite.h"
#include "testhost.h"

#define S(x) RINGD_SETUP_##x
#define FULL (UINT64_MAX - 1)

static struct rd_testhost th;
static struct rd_testclient c;
static int efd, fds[2];

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(efd, 0);
	ck_assert_int_eq(pipe(fds), 0);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	close(efd);
	close(fds[0]);
	close(fds[1]);
}

static void open_ring(uint32_t entries, uint32_t flags, bool no_aio)
{
	th.engine.no_aio = no_aio;
	rd_tc_open(&c, &th, entries, flags);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, fds[0], 0);
}

static int dup_of(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void turns(int n)
{
	while (n--)
		rd_th_turn(&th);
}

/* What was added since the last time, where that should be nothing; workers are given a moment for it. */
static uint64_t taken(void)
{
	uint64_t n = 0;

	for (int i = 0; i < 2000 && read(efd, &n, sizeof(n)) < 0; i++) {
		rd_th_turn(&th);
		if (!th.engine.no_aio)
			break;
		usleep(100);
	}
	return n;
}

/* What was added since the last time, waiting for it. */
static uint64_t told(void)
{
	uint64_t n;

	while (read(efd, &n, sizeof(n)) < 0)
		rd_th_turn(&th);
	return n;
}

static void submit_nops(int n)
{
	for (int i = 0; i < n; i++)
		rd_tc_sqe(&c, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&c), n);
}

START_TEST(only_one_eventfd_and_nothing_else)
{
	int other = dup_of(fds[0]), first = dup_of(efd), second = dup_of(efd);

	open_ring(8, 0, _i);
	ck_assert_int_eq(rd_event_clear(c.ring), -ENXIO);
	ck_assert_int_eq(rd_event_set(c.ring, other, false), -EINVAL);
	ck_assert_int_eq(rd_event_set(c.ring, first, false), 0);
	ck_assert_int_eq(rd_event_set(c.ring, second, true), -EBUSY);
	ck_assert_uint_eq(taken(), 0);		/* looking at it has not changed it */
	ck_assert_int_eq(rd_event_clear(c.ring), 0);
	ck_assert_int_eq(rd_event_clear(c.ring), -ENXIO);
	ck_assert_int_eq(rd_event_set(c.ring, second, true), 0);
	close(other);
}
END_TEST

START_TEST(batch_is_told_once_or_more)
{
	uint64_t n;

	open_ring(8, 0, _i);
	ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), false), 0);
	submit_nops(3);
	n = told();
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, 3);
	turns(20);
	ck_assert_uint_eq(_i ? 0 : taken(), 0);
	close(efd);			/* the registration is of the file, not of the number */
	efd = dup_of(fds[0]);
	submit_nops(1);
	ck_assert_int_eq(rd_event_clear(c.ring), 0);
}
END_TEST

START_TEST(suppressed_by_the_client)
{
	open_ring(8, 0, false);
	ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), false), 0);
	c.hot->cq_flags = RINGD_CQ_EVENTFD_DISABLED;
	submit_nops(3);
	turns(5);
	ck_assert_uint_eq(taken(), 0);
	c.hot->cq_flags = 0;
	turns(5);
	ck_assert_uint_eq(taken(), 0);	/* that was then */
	submit_nops(1);
	ck_assert_uint_ge(told(), 1);
	c.hot->cq_flags = ~RINGD_CQ_EVENTFD_DISABLED;	/* other bits mean nothing */
	submit_nops(1);
	ck_assert_uint_ge(told(), 1);
}
END_TEST

START_TEST(async_is_only_what_workers_complete)
{
	struct ringd_sqe *sqe;

	open_ring(8, 0, false);
	ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), true), 0);
	submit_nops(3);
	turns(5);
	ck_assert_uint_eq(taken(), 0);
	rd_tc_sqe(&c, RINGD_OP_NOP)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	turns(5);
	ck_assert_uint_eq(told(), 1);
	sqe = rd_tc_sqe(&c, RINGD_OP_READ);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->len = 1;
	sqe->addr = (uintptr_t)rd_th_alloc(&th, 1);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	while (c.hot->cq_tail < 5)
		rd_th_turn(&th);
	turns(5);
	ck_assert_uint_eq(taken(), 0);	/* readiness is not a worker */
	sqe = rd_tc_sqe(&c, RINGD_OP_FSYNC);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	while (c.hot->cq_tail < 6)
		rd_th_turn(&th);
	turns(5);
	ck_assert_uint_eq(told(), 1);
}
END_TEST

START_TEST(held_back_cqes_are_told_when_they_come)
{
	open_ring(8, 0, false);
	ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), false), 0);
	submit_nops(8);
	submit_nops(8);
	ck_assert_uint_ge(told(), 1);
	for (int i = 0; i < 8; i++)
		rd_tc_sqe(&c, RINGD_OP_NOP);
	c.sq_tail += 8;
	c.hot->sq_tail = c.sq_tail;
	c.unsubmitted = 0;
	ck_assert_int_eq(rd_tc_enter(&c, 8, 0), 8);
	turns(5);
	ck_assert_uint_eq(taken(), 0);
	c.hot->cq_head += 16;
	turns(5);
	ck_assert_uint_eq(taken(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_ge(told(), 1);
	c.hot->cq_head += 8;
}
END_TEST

START_TEST(tasks_are_told_when_they_get_ready)
{
	open_ring(8, S(DEFER_TASKRUN) | S(SINGLE_ISSUER), false);
	ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), false), 0);
	rd_tc_sqe(&c, RINGD_OP_NOP)->nop_flags = RINGD_NOP_TW;
	c.hot->sq_tail = c.sq_tail = 1;
	c.unsubmitted = 0;
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	turns(5);
	ck_assert_uint_eq(c.hot->cq_tail, 0);
	ck_assert_uint_eq(told(), 1);
	turns(5);
	ck_assert_uint_eq(taken(), 0);		/* once */
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(c.hot->cq_tail, 1);
}
END_TEST

START_TEST(a_dead_ring_says_nothing)
{
	struct rd_testclient d;

	open_ring(8, 0, _i);
	rd_tc_open(&d, &th, 8, 0);
	ck_assert_int_eq(rd_event_set(d.ring, dup_of(efd), false), 0);
	rd_tc_sqe(&d, RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_submit(&d), 1);
	ck_assert_uint_ge(told(), 1);
	rd_tc_close(&d);
	turns(5);
	ck_assert_uint_eq(th.engine.no_aio ? 0 : taken(), 0);
}
END_TEST

START_TEST(files_budget_pays)
{
	int fd = dup_of(efd);

	open_ring(8, 0, false);
	th.engine.user.limit[RINGD_LIMIT_FILES] = th.engine.user.used[RINGD_LIMIT_FILES];
	ck_assert_int_eq(rd_event_set(c.ring, fd, false), -EDQUOT);
	th.engine.user.limit[RINGD_LIMIT_FILES]++;
	ck_assert_int_eq(rd_event_set(c.ring, fd, false), 0);
}
END_TEST

/* THREATS T29. Check's timeout ends a test that sleeps. */
START_TEST(a_full_and_blocking_eventfd_stops_nobody)
{
	const uint64_t full = FULL;
	uint64_t n;

	open_ring(64, 0, _i);
	ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), false), 0);
	ck_assert_int_eq(write(efd, &full, sizeof(full)), sizeof(full));
	ck_assert_int_eq(fcntl(efd, F_SETFL, 0), 0);
	for (int i = 0; i < 1000; i++) {
		submit_nops(1);
		rd_tc_wait(&c);
	}
	ck_assert_int_eq(read(efd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_ge(n, FULL);
	ck_assert_int_eq(fcntl(efd, F_SETFL, O_NONBLOCK), 0);
	turns(20);
	submit_nops(1);
	ck_assert_uint_ge(told(), 1);
}
END_TEST

/* A worker may get into write() just before the counter is full; what ends the registration gets it out again. */
START_TEST(worker_that_sleeps_in_it_comes_back)
{
	const uint64_t full = FULL;
	uint64_t n;

	ck_assert_int_eq(fcntl(efd, F_SETFL, 0), 0);
	open_ring(8, 0, true);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(fcntl(efd, F_SETFL, O_NONBLOCK), 0);
		(void)!read(efd, &n, sizeof(n));
		ck_assert_int_eq(rd_event_set(c.ring, dup_of(efd), false), 0);
		submit_nops(1);
		(void)!write(efd, &full, sizeof(full));
		ck_assert_int_eq(fcntl(efd, F_SETFL, 0), 0);
		rd_tc_wait(&c);
		if (i & 1)
			rd_th_turn(&th);
		ck_assert_int_eq(rd_event_clear(c.ring), 0);
	}
	while (c.ring->events)
		rd_th_turn(&th);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("eventfd");
	TCase *tc = tcase_create("signals");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, only_one_eventfd_and_nothing_else, 0, 2);
	tcase_add_loop_test(tc, batch_is_told_once_or_more, 0, 2);
	tcase_add_test(tc, suppressed_by_the_client);
	tcase_add_test(tc, async_is_only_what_workers_complete);
	tcase_add_test(tc, held_back_cqes_are_told_when_they_come);
	tcase_add_test(tc, tasks_are_told_when_they_get_ready);
	tcase_add_loop_test(tc, a_dead_ring_says_nothing, 0, 2);
	tcase_add_test(tc, files_budget_pays);
	tcase_add_loop_test(tc, a_full_and_blocking_eventfd_stops_nobody, 0, 2);
	tcase_add_test(tc, worker_that_sleeps_in_it_comes_back);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
