/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timeouts seen from inside: lazy rings, races, budgets, ends, enemies. The rules are in tests/conformance/timeout.c. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/reactor.h"
#include "suite.h"
#include "testhost.h"

#define MS	1000000ull
#define LONG	(3600ull * 1000 * MS)
#define MORE	RINGD_CQE_F_MORE
#define ENTRIES	1024

static const unsigned int backends[] = { RD_BACKEND_SYNC, RD_BACKEND_URING };
static struct rd_testhost th;
static struct rd_testclient c;
static struct ringd_timespec *times;	/* ENTRIES of them */
static int p[2];

static void open_ring(unsigned int backend, uint64_t inflight)
{
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = backend;
	if (inflight)
		cfg.limits[RINGD_LIMIT_INFLIGHT] = inflight;
	rd_th_init_config(&th, &cfg);
	rd_tc_open(&c, &th, ENTRIES, 0);
	times = rd_th_alloc(&th, ENTRIES * sizeof(*times));
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, p[0], 0);
}

static void setup(void)
{
	open_ring(RD_BACKEND_SYNC, 0);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(p[0]);
	close(p[1]);
}

static struct ringd_sqe *timeout(uint64_t user_data, uint64_t ns, uint32_t flags, uint64_t off)
{
	struct ringd_timespec *ts = &times[c.unsubmitted];
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_TIMEOUT);

	*ts = (struct ringd_timespec){ (int64_t)(ns / 1000000000), (int64_t)(ns % 1000000000) };
	sqe->user_data = user_data;
	sqe->addr = (uintptr_t)ts;
	sqe->len = 1;
	sqe->off = off;
	sqe->timeout_flags = flags;
	return sqe;
}

static void op(uint8_t opcode, uint64_t user_data, uint64_t addr)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->user_data = user_data;
	sqe->addr = addr;
}

/* 0: comes for what there is */
static void submit(int32_t n)
{
	ck_assert_int_eq(rd_tc_submit(&c), n);
}

/* Until the timer of the only timeout has fired: its task waits. */
static void until_tasked(void)
{
	while (rd_list_empty(&c.ring->ctx.tasks))
		rd_th_turn(&th);
}

START_TEST(on_a_lazy_ring_an_expiry_waits_for_the_client)
{
	c.ring->ctx.lazy = true;
	timeout(1, MS, 0, 0);
	submit(1);
	until_tasked();
	rd_tc_expect_none(&c);
	/* fired, but nobody knows yet */
	op(RINGD_OP_TIMEOUT_REMOVE, 2, 1);
	op(RINGD_OP_ASYNC_CANCEL, 3, 1);
	submit(2);
	rd_tc_expect(&c, 2, -ENOENT, 0);
	rd_tc_expect(&c, 3, -EALREADY, 0);
	rd_tc_expect(&c, 1, -ETIME, 0);	/* with the SQEs it came for what there was */
}
END_TEST

START_TEST(on_a_lazy_ring_a_count_waits_for_the_client)
{
	c.ring->ctx.lazy = true;
	timeout(1, LONG, 0, 2);
	op(RINGD_OP_NOP, 2, 0);
	op(RINGD_OP_NOP, 3, 0);
	c.sq_tail += c.unsubmitted;
	c.unsubmitted = 0;
	__atomic_store_n(&c.hot->sq_tail, c.sq_tail, __ATOMIC_RELEASE);
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
	rd_tc_expect(&c, 2, 0, 0);
	rd_tc_expect(&c, 3, 0, 0);
	rd_tc_expect_none(&c);
	submit(0);
	rd_tc_expect(&c, 1, 0, 0);
}
END_TEST

START_TEST(on_a_lazy_ring_a_multishot_timeout_goes_on_when_it_was_told)
{
	c.ring->ctx.lazy = true;
	timeout(1, MS, RINGD_TIMEOUT_MULTISHOT, 2);
	submit(1);
	until_tasked();
	submit(0);
	rd_tc_expect(&c, 1, -ETIME, MORE);
	until_tasked();
	submit(0);
	rd_tc_expect(&c, 1, -ETIME, 0);
}
END_TEST

START_TEST(a_time_is_read_once)
{
	timeout(1, MS, 0, 0);
	submit(1);
	times[0].tv_sec = 1000000;
	rd_tc_expect(&c, 1, -ETIME, 0);
}
END_TEST

static int later(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What is due when it is submitted comes in that order: it counts only when all were submitted before the first was due. */
START_TEST(expiries_come_in_the_order_of_their_times)
{
	uint64_t when[500], t0;
	bool in_time = false;

	for (uint64_t ahead = 100 * MS; !in_time; ahead *= 2) {
		t0 = rd_now_ns() + ahead;
		for (int i = 0; i < 500; i++) {
			when[i] = t0 + (uint64_t)rand() % (3 * MS);
			timeout(when[i], when[i], RINGD_TIMEOUT_ABS, 0);
		}
		submit(500);
		in_time = rd_now_ns() < t0;
		qsort(when, 500, sizeof(when[0]), later);
		for (int i = 0; i < 500; i++) {
			if (in_time)
				rd_tc_expect(&c, when[i], -ETIME, 0);
			else
				ck_assert_int_eq(rd_tc_wait(&c).res, -ETIME);
		}
	}
}
END_TEST

START_TEST(counts_go_round_with_the_indices)
{
	uint32_t near_the_end = UINT32_MAX - 2;

	c.ring->cq_tail = c.ring->cq_head = c.cq_head = near_the_end;
	c.hot->cq_tail = c.hot->cq_head = near_the_end;
	timeout(1, LONG, 0, 6);
	timeout(2, LONG, 0, 2);
	submit(2);
	for (uint64_t i = 1; i <= 6; i++) {
		op(RINGD_OP_NOP, 10 + i, 0);
		submit(1);
		rd_tc_expect(&c, 10 + i, 0, 0);
		if (i == 2)
			rd_tc_expect(&c, 2, 0, 0);
	}
	rd_tc_expect(&c, 1, 0, 0);
}
END_TEST

START_TEST(a_count_may_be_reached_in_the_submission_that_starts_it)
{
	for (uint64_t i = 0; i < 100; i++) {
		timeout(1, LONG, 0, 3);
		timeout(2, LONG, 0, 1)->flags = RINGD_SQE_IO_LINK;
		op(RINGD_OP_NOP, 3, 0);		/* linked: runs when the count is reached */
		op(RINGD_OP_NOP, 4, 0);
		submit(4);
		rd_tc_expect(&c, 4, 0, 0);
		rd_tc_expect(&c, 2, 0, 0);
		rd_tc_expect(&c, 3, 0, 0);
		op(RINGD_OP_NOP, 5, 0);
		submit(1);
		rd_tc_expect(&c, 5, 0, 0);
		rd_tc_expect(&c, 1, 0, 0);
	}
}
END_TEST

START_TEST(a_count_that_starts_leaves_the_others_alone)
{
	timeout(1, LONG, 0, 3);
	op(RINGD_OP_NOP, 2, 0);
	timeout(3, LONG, 0, 3);
	op(RINGD_OP_NOP, 4, 0);
	timeout(5, LONG, 0, 1);
	op(RINGD_OP_NOP, 6, 0);
	submit(6);
	rd_tc_expect(&c, 2, 0, 0);
	rd_tc_expect(&c, 4, 0, 0);
	rd_tc_expect(&c, 6, 0, 0);
	rd_tc_expect(&c, 1, 0, 0);
	rd_tc_expect(&c, 5, 0, 0);
	op(RINGD_OP_NOP, 7, 0);
	submit(1);
	rd_tc_expect(&c, 7, 0, 0);
	rd_tc_expect(&c, 3, 0, 0);
}
END_TEST

START_TEST(a_storm_keeps_nobody_waiting)
{
	uint64_t end;

	timeout(1, 0, RINGD_TIMEOUT_MULTISHOT, 0);
	timeout(2, 1, RINGD_TIMEOUT_MULTISHOT, 0);
	submit(2);
	/* ends them when nobody looks: the CQ is full */
	while (!(__atomic_load_n(&c.hot->sq_flags, __ATOMIC_ACQUIRE) & RINGD_SQ_CQ_OVERFLOW))
		rd_th_turn(&th);
	end = rd_now_ns() + 5 * MS;
	while (rd_now_ns() < end)
		rd_th_turn(&th);
	ck_assert_uint_le(th.engine.user.used[RINGD_LIMIT_INFLIGHT], 2);
	op(RINGD_OP_NOP, 3, 0);
	submit(1);
}
END_TEST

static const unsigned int how_many[] = { 1, 7, 1000 };

START_TEST(a_ring_ends_with_all_its_timeouts)
{
	unsigned int n = how_many[_i % 3];

	c.ring->ctx.lazy = _i >= 3;
	for (unsigned int i = 0; i < n; i++) {
		/* some that are due, some that count, some that are linked, some that are chained */
		timeout(i, i % 3 ? LONG : 0, 0, i % 2 ? 1u << 20 : 0)->flags = i % 5 ? 0 : RINGD_SQE_IO_LINK;
	}
	submit((int32_t)n);
	if (_i >= 3)
		until_tasked();
	rd_tc_close(&c);
}
END_TEST

START_TEST(timeouts_are_requests_in_flight)
{
	uint64_t ahead = 20 * MS;

	teardown();
	open_ring(RD_BACKEND_SYNC, 100);
	for (int round = 0; round < 3;) {
		uint64_t until = rd_now_ns() + ahead, used;
		int32_t taken, more;

		for (unsigned int i = 0; i < 200; i++)
			timeout(i, until, RINGD_TIMEOUT_ABS, 0);
		taken = rd_tc_submit(&c);
		used = th.engine.user.used[RINGD_LIMIT_INFLIGHT];
		op(RINGD_OP_NOP, 1000, 0);
		more = rd_tc_submit(&c);
		if (rd_now_ns() < until) {
			ck_assert_int_eq(taken, 100);
			ck_assert_uint_eq(used, 100);
			ck_assert_int_eq(more, -EAGAIN);
			round++;
		} else {
			ahead *= 2;	/* some may have ended before: it was for nothing */
		}
		for (int32_t i = taken + (more == 1); i; i--) {
			struct ringd_cqe cqe = rd_tc_wait(&c);

			ck_assert_int_eq(cqe.res, cqe.user_data == 1000 ? 0 : -ETIME);
		}
		ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_INFLIGHT], 0);
	}
}
END_TEST

/* Whatever is in the fields: a CQE, or a timeout that can be cancelled. */
START_TEST(no_value_does_harm)
{
	static const int64_t values[] = { 0, 1, -1, 999999999, 1000000000, INT64_MAX, INT64_MIN, INT64_MAX / 1000000000,
					  INT64_MAX / 1000000000 + 1, UINT32_MAX, 4000000000000ll };
	struct ringd_sqe *sqe;
	struct ringd_cqe cqe;
	unsigned int n;

	for (uint32_t flags = 0; flags < 256; flags++) {
		n = 0;
		for (size_t i = 0; i < RD_ARRAY_SIZE(values) * RD_ARRAY_SIZE(values); i++, n++) {
			sqe = timeout(n, 0, flags, (uint64_t)values[(i + flags) % RD_ARRAY_SIZE(values)]);
			times[c.unsubmitted - 1].tv_sec = values[i % RD_ARRAY_SIZE(values)];
			times[c.unsubmitted - 1].tv_nsec = values[i / RD_ARRAY_SIZE(values)];
			if (flags & RINGD_TIMEOUT_IMMEDIATE_ARG)
				sqe->addr = (uint64_t)values[i % RD_ARRAY_SIZE(values)];
			if (i % 2 == 0)
				sqe->opcode = RINGD_OP_LINK_TIMEOUT;
			if (i % 3 == 0)
				sqe->opcode = RINGD_OP_TIMEOUT_REMOVE;
		}
		while (n) {
			int32_t r = rd_tc_submit(&c);

			ck_assert_int_gt(r, 0);
			n -= (unsigned int)r;
			c.unsubmitted = n;	/* those behind a bad one */
			while (rd_tc_peek(&c, &cqe))
				;
		}
	}
	rd_tc_close(&c);
}
END_TEST

static void feed(void)
{
	ck_assert_int_eq(write(p[1], "x", 1), 1);
}

/* A target and its timeout, both due at about the same time: each is told of once and they agree. */
START_TEST(a_target_and_its_timeout_agree)
{
	unsigned int expired = 0;
	char *buf = rd_th_alloc(&th, 64);

	teardown();
	open_ring(backends[_i], 0);
	buf = rd_th_alloc(&th, 64);
	for (unsigned int i = 0; i < 3000; i++) {
		struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_READ);
		struct ringd_cqe a, b;
		uint64_t until;

		sqe->user_data = 1;
		sqe->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_IO_LINK | (i % 4 ? 0 : RINGD_SQE_ASYNC);
		sqe->addr = (uintptr_t)buf;
		sqe->len = 1;
		sqe->off = UINT64_MAX;
		timeout(2, i % 40 * 1000, 0, 0)->opcode = RINGD_OP_LINK_TIMEOUT;
		submit(2);
		until = rd_now_ns() + (uint64_t)rand() % 40000;
		while (rd_now_ns() < until)
			;
		feed();
		a = rd_tc_wait(&c);
		b = rd_tc_wait(&c);
		if (a.user_data == 1) {
			ck_assert_int_eq(a.res, 1);
			ck_assert_int_eq(b.res, -ECANCELED);
		} else {
			expired++;
			ck_assert_int_eq(a.res, -ETIME);
			ck_assert_int_eq(b.res, -ECANCELED);
			ck_assert_int_eq(read(p[0], buf, 1), 1);
		}
		ck_assert_uint_eq(a.user_data + b.user_data, 3);
	}
	ck_assert_uint_gt(expired, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(a_removal_and_an_expiry_agree)
{
	unsigned int removed = 0;

	for (unsigned int i = 0; i < 3000; i++) {
		struct ringd_cqe a, b;
		uint64_t until = rd_now_ns() + (uint64_t)rand() % 20000;

		/* some are removed even where everything takes long */
		timeout(1, i % 21 == 20 ? LONG : i % 21 * 1000, 0, 0);
		submit(1);
		while (rd_now_ns() < until)
			;
		op(i % 2 ? RINGD_OP_TIMEOUT_REMOVE : RINGD_OP_ASYNC_CANCEL, 2, 1);
		submit(1);
		a = rd_tc_wait(&c);
		b = rd_tc_wait(&c);
		if (a.user_data == 2) {
			removed++;
			ck_assert_int_eq(a.res, 0);
			ck_assert_int_eq(b.res, -ECANCELED);
		} else {
			ck_assert_int_eq(a.res, -ETIME);
			ck_assert_int_eq(b.res, -ENOENT);
		}
	}
	ck_assert_uint_gt(removed, 0);
	rd_tc_expect_none(&c);
}
END_TEST

/* Any number, with any number of one user_data, removed in any order. */
START_TEST(each_is_found_by_its_user_data)
{
	static uint32_t left[4096];
	unsigned int n = 0;

	for (unsigned int i = 0; i < 20000; i += 500) {
		for (unsigned int k = 0; k < 500; k++) {
			uint64_t user_data = (uint64_t)rand() % RD_ARRAY_SIZE(left);

			left[user_data]++;
			timeout(user_data << 20, LONG, 0, 0);
		}
		submit(500);
	}
	ck_assert_uint_eq(c.ring->ctx.waits.n, 20000);
	for (uint64_t i = 0; i < RD_ARRAY_SIZE(left); i++) {
		uint64_t user_data = i * 2741 % RD_ARRAY_SIZE(left);

		for (; left[user_data]; left[user_data]--, n++) {
			op(RINGD_OP_TIMEOUT_REMOVE, 1, user_data << 20);
			submit(1);
			rd_tc_expect(&c, 1, 0, 0);
			rd_tc_expect(&c, user_data << 20, -ECANCELED, 0);
		}
		op(RINGD_OP_TIMEOUT_REMOVE, 1, user_data << 20);
		submit(1);
		rd_tc_expect(&c, 1, -ENOENT, 0);
	}
	ck_assert_uint_eq(n, 20000);
	ck_assert_ptr_null(c.ring->ctx.waits.buckets);
}
END_TEST

START_TEST(arming_and_removing_costs_no_system_call)
{
	const struct rd_timers *ts = &th.engine.reactor->timers;

	for (unsigned int i = 0; i < 100; i++) {
		timeout(1, LONG, 0, 0);
		op(RINGD_OP_TIMEOUT_REMOVE, 2, 1);
		submit(2);
		rd_tc_expect(&c, 2, 0, 0);
		rd_tc_expect(&c, 1, -ECANCELED, 0);
	}
	for (unsigned int clock = 0; clock < RD_TIMER_CLOCKS; clock++) {
		ck_assert_uint_eq(ts->alarm[clock].set, UINT64_MAX);
		ck_assert_ptr_null(ts->heap[clock]);
	}
}
END_TEST

int main(void)
{
	int both = rd_th_backend_works(RD_BACKEND_URING) ? 2 : 1;
	Suite *s = suite_create("ops timeout");
	TCase *tc = tcase_create("timeout");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, on_a_lazy_ring_an_expiry_waits_for_the_client);
	tcase_add_test(tc, on_a_lazy_ring_a_count_waits_for_the_client);
	tcase_add_test(tc, on_a_lazy_ring_a_multishot_timeout_goes_on_when_it_was_told);
	tcase_add_test(tc, a_time_is_read_once);
	tcase_add_test(tc, expiries_come_in_the_order_of_their_times);
	tcase_add_test(tc, counts_go_round_with_the_indices);
	tcase_add_test(tc, a_count_may_be_reached_in_the_submission_that_starts_it);
	tcase_add_test(tc, a_count_that_starts_leaves_the_others_alone);
	tcase_add_test(tc, a_storm_keeps_nobody_waiting);
	tcase_add_loop_test(tc, a_ring_ends_with_all_its_timeouts, 0, 6);
	tcase_add_test(tc, timeouts_are_requests_in_flight);
	tcase_add_test(tc, no_value_does_harm);
	tcase_add_loop_test(tc, a_target_and_its_timeout_agree, 0, both);
	tcase_add_test(tc, a_removal_and_an_expiry_agree);
	tcase_add_test(tc, each_is_found_by_its_user_data);
	tcase_add_test(tc, arming_and_removing_costs_no_system_call);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
