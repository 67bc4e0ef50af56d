/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: submission, completion, overflow, death of a ring. Loops run over plain (0) and SQPOLL (1) rings. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

static void make_ring(unsigned int entries, unsigned int flags)
{
	ck_assert_int_eq(ringd_ring_new(rd, &ring, entries, flags), 0);
	peer = &fake->rings[0];
}

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL };

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

static void get_nop(uint64_t data)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	ringd_prep_nop(sqe);
	ringd_sqe_set_data64(sqe, data);
}

static void expect_cqe(uint64_t data)
{
	struct ringd_cqe *cqe;

	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, data);
	ringd_cqe_seen(ring, cqe);
}

START_TEST(setup_is_passed_on)
{
	struct ringd_params p = { .flags = RINGD_SETUP_CQSIZE | RINGD_SETUP_SQPOLL, .cq_entries = 60, .sq_thread_idle = 5 };

	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 5, &p), 0);
	ck_assert_uint_eq(p.sq_entries, 8);
	ck_assert_uint_eq(p.cq_entries, 64);
	ck_assert_uint_eq(fake->rings[0].create.params.sq_thread_idle, 5);
	ck_assert_uint_eq(fake->rings[0].create.params.flags & RINGD_SETUP_NO_SQARRAY, RINGD_SETUP_NO_SQARRAY);
	ck_assert_uint_eq(ringd_ring_flags(ring), p.flags);
	ck_assert_uint_eq(ringd_ring_features(ring), RINGD_FEAT_NODROP);
	ck_assert_uint_eq(ringd_sq_space_left(ring), 8);
}
END_TEST

START_TEST(setup_refusals)
{
	struct ringd_params p = { .resv = { 0, 1, 0 } };

	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 8, NULL), -EFAULT);
	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 8, &p), -EINVAL);
	ck_assert_ptr_null(ring);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 1u << 30), -EINVAL);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, RINGD_SETUP_REGISTERED_FD_ONLY), -EINVAL);
	fake->fail = -EDQUOT;
	fake->fail_text = "rings: 16, the limit of this tenant";
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 0), -EDQUOT);
	ck_assert_str_eq(ringd_strerror(rd), "rings: 16, the limit of this tenant");
}
END_TEST

START_TEST(used_up_budget_is_told_in_words)
{
	make_ring(8, 0);
	get_nop(1);
	fake->starved = true;
	ck_assert_int_eq(ringd_submit(ring), -EAGAIN);
	ck_assert_ptr_nonnull(strstr(ringd_ring_strerror(ring), "in flight (budget of this tenant: 512)"));
	ck_assert_uint_eq(ringd_sq_ready(ring), 1);
	fake->starved = false;
	ck_assert_int_eq(ringd_submit(ring), 1);
	expect_cqe(1);
}
END_TEST

START_TEST(round_trips)
{
	make_ring(8, kinds[_i]);
	for (uint64_t i = 0; i < 2000; i++) {
		get_nop(i);
		ck_assert_int_eq(ringd_submit(ring), 1);
		expect_cqe(i);
	}
	ck_assert_uint_eq(ringd_sq_ready(ring), 0);
}
END_TEST

START_TEST(indices_wrap)
{
	fake->first_index = 0xfffffff0;
	make_ring(4, kinds[_i]);
	for (uint64_t i = 0; i < 40; i += 4) {
		for (uint64_t k = i; k < i + 4; k++)
			get_nop(k);
		ck_assert_int_eq(ringd_submit_and_wait(ring, 4), 4);
		ck_assert_uint_eq(ringd_cq_ready(ring), 4);
		for (uint64_t k = i; k < i + 4; k++)
			expect_cqe(k);
	}
}
END_TEST

START_TEST(sqe_is_cleared_and_full_sq_gives_none)
{
	struct ringd_sqe *sqe, *first = NULL;
	static const struct ringd_sqe zero;

	make_ring(4, kinds[_i]);
	fake_stop(fake);
	memset(peer->sqes, 0xff, 4 * sizeof(*sqe));
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(ringd_sq_space_left(ring), 4 - (unsigned int)i);
		ck_assert_ptr_nonnull(sqe = ringd_get_sqe(ring));
		ck_assert_mem_eq(sqe, &zero, sizeof(zero));
		if (!first)
			first = sqe;
	}
	ck_assert_ptr_null(ringd_get_sqe(ring));
	ck_assert_uint_eq(ringd_sq_ready(ring), 4);
	fake_go(fake);
	ck_assert_int_eq(ringd_submit(ring), 4);
	ck_assert_int_eq(ringd_sqring_wait(ring), 0);
	ck_assert_ptr_eq(ringd_get_sqe(ring), first);
}
END_TEST

START_TEST(sqring_wait_sleeps_until_an_sqe_is_free)
{
	make_ring(4, RINGD_SETUP_SQPOLL);
	fake->when_asleep = true;
	for (uint64_t i = 0; i < 4; i++)
		get_nop(i);
	ck_assert_int_eq(ringd_submit(ring), 4);
	ck_assert_int_eq(ringd_sqring_wait(ring), 0);
	ck_assert_ptr_nonnull(ringd_get_sqe(ring));
}
END_TEST

START_TEST(plain_submit_returns_what_was_consumed)
{
	make_ring(8, 0);
	fake->take = 3;
	for (uint64_t i = 0; i < 5; i++)
		get_nop(i);
	/* fewer than there were: no wait follows, 8 CQEs will never be there */
	ck_assert_int_eq(ringd_submit_and_wait(ring, 8), 3);
	ck_assert_uint_eq(ringd_sq_ready(ring), 2);
	ck_assert_int_eq(ringd_submit(ring), 2);
	ck_assert_int_eq(ringd_submit(ring), 0);
	for (uint64_t i = 0; i < 5; i++)
		expect_cqe(i);
}
END_TEST

START_TEST(sqpoll_submit_hands_over_without_the_engine)
{
	make_ring(8, RINGD_SETUP_SQPOLL);
	fake_stop(fake);
	for (uint64_t i = 0; i < 5; i++)
		get_nop(i);
	ck_assert_int_eq(ringd_submit(ring), 5);
	ck_assert_int_eq(ringd_submit(ring), 0);
	ck_assert_uint_eq(ringd_sq_ready(ring), 5);
	fake_go(fake);
	for (uint64_t i = 0; i < 5; i++)
		expect_cqe(i);
}
END_TEST

START_TEST(for_each_and_batch)
{
	struct ringd_cqe *cqe, *batch[8];
	unsigned int i, n;
	uint64_t want = 0;

	make_ring(8, kinds[_i]);
	for (uint64_t k = 0; k < 8; k++)
		get_nop(k);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 8), 8);
	ck_assert_uint_eq(ringd_peek_batch_cqe(ring, batch, 3), 3);
	ck_assert_uint_eq(batch[2]->user_data, 2);
	ringd_for_each_cqe(ring, i, n, cqe)
		ck_assert_uint_eq(cqe->user_data, want++);
	ck_assert_uint_eq(want, 8);
	ringd_cq_advance(ring, n);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	ck_assert_ptr_null(cqe);
	ck_assert_uint_eq(ringd_peek_batch_cqe(ring, batch, 8), 0);
}
END_TEST

/* More completions than the CQ holds: nothing is lost, order is kept, whichever call meets them. */
START_TEST(overflow_is_flushed_in_order)
{
	struct ringd_cqe *cqe;
	uint64_t next = 0;

	make_ring(4, kinds[_i]);
	for (uint64_t i = 0; i < 24; i += 4) {
		for (uint64_t k = i; k < i + 4; k++)
			get_nop(k);
		ck_assert_int_eq(ringd_submit(ring), 4);
		if (kinds[_i])
			ck_assert_int_eq(ringd_sqring_wait(ring), 0);
		while (ringd_sq_ready(ring))
			sched_yield();
	}
	ck_assert(ringd_cq_has_overflow(ring));
	ck_assert_uint_eq(ringd_cq_ready(ring), 8);
	while (next < 8)
		expect_cqe(next++);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), 0);	/* by peek */
	while (next < 10)
		expect_cqe(next++);
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 8), 0);	/* by wait */
	ck_assert_uint_eq(ringd_cq_ready(ring), 8);
	ck_assert_uint_eq(cqe->user_data, 10);
	while (next < 24)
		expect_cqe(next++);
	ck_assert(!ringd_cq_has_overflow(ring));
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
}
END_TEST

START_TEST(wait_nr_beyond_the_cq_is_satisfied_by_a_full_one)
{
	struct ringd_cqe *cqe;

	make_ring(4, kinds[_i]);
	for (uint64_t i = 0; i < 8; i += 4) {
		for (uint64_t k = i; k < i + 4; k++)
			get_nop(k);
		ck_assert_int_eq(ringd_submit(ring), 4);
		while (ringd_sq_ready(ring))
			sched_yield();
	}
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 100), 0);
	ck_assert_uint_eq(ringd_cq_ready(ring), 8);
}
END_TEST

/* --- death --- */

START_TEST(death_is_seen_after_the_last_cqe)
{
	static const uint32_t reasons[] = { 0, RINGD_REASON_SQ_TAIL, RINGD_REASON_CQ_HEAD, RINGD_REASON_FREED,
					    RINGD_REASON_SHUTDOWN, 77 };
	static const char *const words[] = { "gone", "SQ tail", "CQ head", "freed", "stopped", "reason" };
	const struct timespec ts = { .tv_sec = 100 };
	struct ringd_cqe *cqe;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		make_ring(8, kinds[_i]);
		get_nop(1);
		get_nop(2);
		ck_assert_int_eq(ringd_submit_and_wait(ring, 2), 2);
		fake_kill_ring(fake, peer, reasons[i]);
		expect_cqe(1);
		ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), 0);
		ringd_cqe_seen(ring, cqe);
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), -ECONNRESET);
		ck_assert_ptr_null(cqe);
		ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &ts), -ECONNRESET);
		ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 3), -ECONNRESET);
		ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -ECONNRESET);
		ck_assert_int_eq(ringd_submit(ring), -ECONNRESET);
		ck_assert_int_eq(ringd_sqring_wait(ring), -ECONNRESET);
		get_nop(3);
		ck_assert_int_eq(ringd_submit(ring), -ECONNRESET);
		ck_assert_int_eq(ringd_submit_and_wait(ring, 1), -ECONNRESET);
		ck_assert_int_eq(ringd_submit_and_wait_timeout(ring, &cqe, 1, &ts), -ECONNRESET);
		ck_assert_uint_eq(ringd_cq_ready(ring), 0);
		ck_assert_msg(strstr(ringd_ring_strerror(ring), words[i]), "%s", ringd_ring_strerror(ring));
		ringd_ring_free(ring);
	}
}
END_TEST

START_TEST(peek_alone_finds_out)
{
	struct ringd_cqe *cqe;
	int r;

	make_ring(8, kinds[_i]);
	fake_kill_ring(fake, peer, 0);
	while ((r = ringd_peek_cqe(ring, &cqe)) == -EAGAIN)
		;
	ck_assert_int_eq(r, -ECONNRESET);
}
END_TEST

START_TEST(submit_alone_finds_out)
{
	int r;

	make_ring(8, kinds[_i]);
	fake_kill_ring(fake, peer, 0);
	while ((r = ringd_submit(ring)) == 0)
		;
	ck_assert_int_eq(r, -ECONNRESET);
}
END_TEST

static void *kill_when_asleep(void *arg)
{
	fake_await_sleeper(peer);
	fake_kill_ring(fake, peer, (uint32_t)(uintptr_t)arg);
	return NULL;
}

START_TEST(death_wakes_a_sleeper)
{
	struct ringd_cqe *cqe;
	pthread_t th;

	make_ring(8, kinds[_i % 2]);
	pthread_create(&th, NULL, kill_when_asleep, (void *)(uintptr_t)(_i / 2 ? RINGD_REASON_SHUTDOWN : 0));
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), -ECONNRESET);
	pthread_join(th, NULL);
}
END_TEST

START_TEST(death_wakes_a_submitter)
{
	pthread_t th;

	make_ring(8, 0);
	fake_stop(fake);
	get_nop(1);
	pthread_create(&th, NULL, kill_when_asleep, NULL);
	ck_assert_int_eq(ringd_submit(ring), -ECONNRESET);
	pthread_join(th, NULL);
}
END_TEST

START_TEST(other_rings_live_on)
{
	struct ringd_ring *dead;

	make_ring(8, 0);
	dead = ring;
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 0), 0);
	fake_kill_ring(fake, peer, RINGD_REASON_SQ_TAIL);
	ck_assert_int_eq(ringd_submit_and_wait(dead, 1), -ECONNRESET);
	get_nop(5);
	ck_assert_int_eq(ringd_submit(ring), 1);
	expect_cqe(5);
	ck_assert_str_eq(ringd_ring_strerror(ring), "no error");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client ring");
	TCase *t = tcase_create("ring"), *d = tcase_create("death");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, setup_is_passed_on);
	tcase_add_test(t, setup_refusals);
	tcase_add_test(t, used_up_budget_is_told_in_words);
	tcase_add_loop_test(t, round_trips, 0, 2);
	tcase_add_loop_test(t, indices_wrap, 0, 2);
	tcase_add_loop_test(t, sqe_is_cleared_and_full_sq_gives_none, 0, 2);
	tcase_add_test(t, sqring_wait_sleeps_until_an_sqe_is_free);
	tcase_add_test(t, plain_submit_returns_what_was_consumed);
	tcase_add_test(t, sqpoll_submit_hands_over_without_the_engine);
	tcase_add_loop_test(t, for_each_and_batch, 0, 2);
	tcase_add_loop_test(t, overflow_is_flushed_in_order, 0, 2);
	tcase_add_loop_test(t, wait_nr_beyond_the_cq_is_satisfied_by_a_full_one, 0, 2);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(d, setup, teardown);
	tcase_add_loop_test(d, death_is_seen_after_the_last_cqe, 0, 2);
	tcase_add_loop_test(d, peek_alone_finds_out, 0, 2);
	tcase_add_loop_test(d, submit_alone_finds_out, 0, 2);
	tcase_add_loop_test(d, death_wakes_a_sleeper, 0, 4);
	tcase_add_test(d, death_wakes_a_submitter);
	tcase_add_test(d, other_rings_live_on);
	suite_add_tcase(s, d);
	return rd_suite_main(s);
}
