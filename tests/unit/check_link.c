/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains, drain and CQE_SKIP_SUCCESS: who runs after whom, and who is heard of. */
#include <fcntl.h>
#include <string.h>

#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static int p[2] = { -1, -1 };
static char *buf;

#define LINK	RINGD_SQE_IO_LINK
#define HARD	RINGD_SQE_IO_HARDLINK
#define DRAIN	RINGD_SQE_IO_DRAIN
#define SKIP	RINGD_SQE_CQE_SKIP_SUCCESS
#define BAD	200	/* no such opcode */

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 64, 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	rd_tc_files(&c, 4);
	rd_tc_file(&c, 0, p[0], 0);
	buf = rd_th_alloc(&th, 4096);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(p[0]);
	close(p[1]);
}

/* NOP that answers res. */
static void nop(uint64_t user_data, uint8_t flags, int32_t res)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_NOP);

	sqe->user_data = user_data;
	sqe->flags = flags;
	if (!res)
		return;
	sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
	sqe->len = (uint32_t)res;
}

static void bad(uint64_t user_data, uint8_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, BAD);

	sqe->user_data = user_data;
	sqe->flags = flags;
}

/* A read that waits until somebody writes into the pipe. */
static void wait_read(uint64_t user_data, uint8_t flags, uint32_t len)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_READ);

	sqe->user_data = user_data;
	sqe->flags = flags | RINGD_SQE_FIXED_FILE;
	sqe->addr = (uintptr_t)buf;
	sqe->len = len;
	sqe->off = UINT64_MAX;
}

static void cancel(uint64_t user_data, uint8_t flags, uint64_t key)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->user_data = user_data;
	sqe->flags = flags;
	sqe->addr = key;
}

static void feed(size_t n)
{
	ck_assert_int_eq(write(p[1], "0123456789", n), (ssize_t)n);
}

START_TEST(members_run_in_order)
{
	nop(1, LINK, 0);
	nop(2, LINK, 0);
	nop(3, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 3);
	rd_tc_expect(&c, 1, 0, 0);
	rd_tc_expect(&c, 2, 0, 0);
	rd_tc_expect(&c, 3, 0, 0);
}
END_TEST

START_TEST(failure_breaks_a_soft_link)
{
	nop(1, LINK, -5);
	nop(2, HARD, 0);
	nop(3, 0, 0);
	nop(4, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 4);
	rd_tc_expect(&c, 1, -5, 0);
	rd_tc_expect(&c, 2, -ECANCELED, 0);
	rd_tc_expect(&c, 3, -ECANCELED, 0);
	rd_tc_expect(&c, 4, 0, 0);
}
END_TEST

START_TEST(failure_does_not_break_a_hard_link)
{
	nop(1, HARD, -5);
	nop(2, LINK | HARD, -6);
	nop(3, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 1, -5, 0);
	rd_tc_expect(&c, 2, -6, 0);
	rd_tc_expect(&c, 3, 0, 0);
}
END_TEST

START_TEST(next_waits_for_a_member_that_waits)
{
	wait_read(1, LINK, 4);
	nop(2, 0, 0);
	nop(3, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 3, 0, 0);
	rd_tc_expect_none(&c);
	feed(4);
	rd_tc_expect(&c, 1, 4, 0);
	rd_tc_expect(&c, 2, 0, 0);
}
END_TEST

START_TEST(short_read_breaks_a_soft_link)
{
	wait_read(1, LINK, 8);
	nop(2, 0, 0);
	rd_tc_submit(&c);
	feed(4);
	rd_tc_expect(&c, 1, 4, 0);
	rd_tc_expect(&c, 2, -ECANCELED, 0);
}
END_TEST

START_TEST(soft_errors_do_not_break_a_link)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FSYNC);

	sqe->flags = LINK | RINGD_SQE_FIXED_FILE;	/* a pipe: -EINVAL */
	sqe->user_data = 1;
	nop(2, 0, 0);
	sqe = rd_tc_sqe(&c, RINGD_OP_FSYNC);
	sqe->flags = LINK | RINGD_SQE_FIXED_FILE;
	sqe->fd = 3;	/* an empty slot: that does */
	sqe->user_data = 3;
	nop(4, 0, 0);
	rd_tc_submit(&c);
	for (int i = 0, mask = 0; i < 4; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);
		const int32_t want[] = { 0, -EINVAL, 0, -EBADF, -ECANCELED };

		mask |= 1 << cqe.user_data;
		ck_assert_int_eq(cqe.res, want[cqe.user_data]);
		ck_assert(i < 3 || mask == 0x1e);
	}
}
END_TEST

START_TEST(nothing_of_a_chain_with_a_bad_sqe_runs)
{
	const uint8_t kinds[] = { LINK, HARD };

	for (size_t i = 0; i < 2; i++) {
		nop(1, kinds[i] | SKIP, 0);
		bad(2, kinds[i]);
		nop(3, 0, 0);
		nop(4, 0, 0);
		ck_assert_int_eq(rd_tc_submit(&c), 4);
		rd_tc_expect(&c, 1, -ECANCELED, 0);
		rd_tc_expect(&c, 2, -EINVAL, 0);
		rd_tc_expect(&c, 3, -ECANCELED, 0);
		rd_tc_expect(&c, 4, 0, 0);
	}
}
END_TEST

START_TEST(bad_last_member_ends_the_submission)
{
	nop(1, LINK, 0);
	bad(2, 0);
	nop(3, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
	rd_tc_expect(&c, 2, -EINVAL, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(dangling_link_ends_with_the_submission)
{
	wait_read(1, LINK, 4);
	rd_tc_submit(&c);
	nop(2, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 2, 0, 0);
	feed(4);
	rd_tc_expect(&c, 1, 4, 0);
}
END_TEST

START_TEST(chain_longer_than_a_visit_stays_whole)
{
	struct rd_testclient big;
	const uint32_t flags[] = { 0, RINGD_SETUP_SQPOLL };

	for (size_t k = 0; k < 2; k++) {
		rd_tc_open(&big, &th, 1024, flags[k]);
		for (uint64_t i = 0; i < 1000; i++) {
			struct ringd_sqe *sqe = rd_tc_sqe(&big, RINGD_OP_NOP);

			sqe->user_data = i;
			sqe->flags = i < 999 ? LINK : 0;
			if (i == 500) {
				sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
				sqe->len = (uint32_t)-5;
			}
		}
		ck_assert_int_eq(rd_tc_submit(&big), 1000);
		for (uint64_t i = 0; i < 1000; i++) {
			struct ringd_cqe cqe = rd_tc_wait(&big);

			ck_assert_uint_eq(cqe.user_data, i);
			ck_assert_int_eq(cqe.res, i < 500 ? 0 : i == 500 ? -5 : -ECANCELED);
		}
		rd_tc_close(&big);
	}
}
END_TEST

START_TEST(cancelled_rest_is_silent_when_the_failed_member_was)
{
	nop(1, LINK | SKIP, -5);
	nop(2, LINK, 0);
	nop(3, 0, 0);
	nop(4, LINK, -6);
	nop(5, SKIP, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 1, -5, 0);
	rd_tc_expect(&c, 4, -6, 0);
	rd_tc_expect(&c, 5, -ECANCELED, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(skipped_success_has_no_cqe)
{
	nop(1, SKIP, 0);
	nop(2, LINK | SKIP, 0);
	nop(3, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 3, 0, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(ring_ends_with_a_chain_half_run)
{
	wait_read(1, LINK, 4);
	nop(2, LINK, 0);
	nop(3, 0, 0);
	rd_tc_submit(&c);
	rd_tc_close(&c);	/* the teardown fails when anything is left */
}
END_TEST

START_TEST(drained_waits_for_all_before_and_holds_all_behind)
{
	wait_read(1, 0, 4);
	nop(2, DRAIN, 0);
	nop(3, 0, 0);
	nop(4, LINK, 0);
	nop(5, 0, 0);
	nop(6, DRAIN, 0);
	bad(7, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 7);
	rd_tc_expect(&c, 7, -EINVAL, 0);	/* is not held back */
	nop(8, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect_none(&c);
	feed(4);
	rd_tc_expect(&c, 1, 4, 0);
	for (uint64_t i = 2; i <= 6; i++)
		rd_tc_expect(&c, i, 0, 0);
	rd_tc_expect(&c, 8, 0, 0);
	nop(9, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 9, 0, 0);
	ck_assert(!c.ring->ctx.ordered);
}
END_TEST

START_TEST(drain_in_a_chain_holds_the_whole_chain)
{
	wait_read(1, 0, 4);
	nop(2, LINK, 0);
	nop(3, LINK | DRAIN, 0);
	nop(4, 0, 0);
	nop(5, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect_none(&c);
	feed(4);
	for (uint64_t i = 1; i <= 5; i++)
		rd_tc_expect(&c, i, i == 1 ? 4 : 0, 0);
}
END_TEST

START_TEST(what_comes_behind_waits_until_the_drained_is_finished)
{
	nop(1, 0, 0);
	wait_read(2, DRAIN, 4);
	nop(3, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 1, 0, 0);
	rd_tc_expect_none(&c);
	feed(4);
	rd_tc_expect(&c, 2, 4, 0);
	rd_tc_expect(&c, 3, 0, 0);
}
END_TEST

START_TEST(drain_on_an_idle_ring_starts_at_once)
{
	nop(1, DRAIN, 0);
	nop(2, DRAIN, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	rd_tc_expect(&c, 1, 0, 0);
	rd_tc_expect(&c, 2, 0, 0);
	ck_assert(!c.ring->ctx.ordered);
}
END_TEST

START_TEST(drain_is_refused_once_skip_was_used)
{
	nop(1, SKIP, 0);
	nop(2, DRAIN, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 2, -EOPNOTSUPP, 0);
	nop(3, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 3, 0, 0);
}
END_TEST

START_TEST(held_back_is_not_found_by_a_cancel)
{
	wait_read(1, 0, 4);
	nop(2, DRAIN, 0);
	cancel(3, 0, 1);
	rd_tc_submit(&c);
	rd_tc_expect_none(&c);		/* the cancel itself is held back */
	feed(4);
	rd_tc_expect(&c, 1, 4, 0);
	rd_tc_expect(&c, 2, 0, 0);
	rd_tc_expect(&c, 3, -ENOENT, 0);
}
END_TEST

START_TEST(chain_open_across_visits_does_not_stop_a_drain)
{
	struct rd_testclient big;

	rd_tc_open(&big, &th, 512, 0);
	rd_tc_sqe(&big, RINGD_OP_NOP)->flags = DRAIN;
	for (unsigned int i = 0; i < 400; i++)
		rd_tc_sqe(&big, RINGD_OP_NOP)->flags = i < 399 ? LINK : 0;
	ck_assert_int_eq(rd_tc_submit(&big), 401);
	for (unsigned int i = 0; i < 401; i++)
		ck_assert_int_eq(rd_tc_wait(&big).res, 0);
	rd_tc_close(&big);
}
END_TEST

START_TEST(ring_ends_with_requests_held_back)
{
	wait_read(1, 0, 4);
	nop(2, DRAIN, 0);
	nop(3, LINK, 0);
	nop(4, 0, 0);
	rd_tc_submit(&c);
	rd_tc_close(&c);
}
END_TEST

START_TEST(async_completes_behind_what_was_submitted_with_it)
{
	nop(1, RINGD_SQE_ASYNC, 0);
	nop(2, 0, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 2, 0, 0);
	rd_tc_expect(&c, 1, 0, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("link");
	TCase *tc = tcase_create("link");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, members_run_in_order);
	tcase_add_test(tc, failure_breaks_a_soft_link);
	tcase_add_test(tc, failure_does_not_break_a_hard_link);
	tcase_add_test(tc, next_waits_for_a_member_that_waits);
	tcase_add_test(tc, short_read_breaks_a_soft_link);
	tcase_add_test(tc, soft_errors_do_not_break_a_link);
	tcase_add_test(tc, nothing_of_a_chain_with_a_bad_sqe_runs);
	tcase_add_test(tc, bad_last_member_ends_the_submission);
	tcase_add_test(tc, dangling_link_ends_with_the_submission);
	tcase_add_test(tc, chain_longer_than_a_visit_stays_whole);
	tcase_add_test(tc, cancelled_rest_is_silent_when_the_failed_member_was);
	tcase_add_test(tc, skipped_success_has_no_cqe);
	tcase_add_test(tc, ring_ends_with_a_chain_half_run);
	tcase_add_test(tc, async_completes_behind_what_was_submitted_with_it);
	suite_add_tcase(s, tc);
	tc = tcase_create("drain");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, drained_waits_for_all_before_and_holds_all_behind);
	tcase_add_test(tc, drain_in_a_chain_holds_the_whole_chain);
	tcase_add_test(tc, what_comes_behind_waits_until_the_drained_is_finished);
	tcase_add_test(tc, drain_on_an_idle_ring_starts_at_once);
	tcase_add_test(tc, drain_is_refused_once_skip_was_used);
	tcase_add_test(tc, held_back_is_not_found_by_a_cancel);
	tcase_add_test(tc, chain_open_across_visits_does_not_stop_a_drain);
	tcase_add_test(tc, ring_ends_with_requests_held_back);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
