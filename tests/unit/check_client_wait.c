/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: waiting. Each test makes the wait end in one particular way. Loops run over plain (0) and SQPOLL (1) rings. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

#define PATIENCE_MS	100000

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;
static const struct timespec none, long_time = { .tv_sec = 1000 }, short_time = { .tv_nsec = 2000000 };

static void setup_kind(unsigned int flags)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, flags), 0);
	peer = &fake->rings[0];
}

static void setup_plain(void)
{
	setup_kind(0);
}

static void setup_sqpoll(void)
{
	setup_kind(RINGD_SETUP_SQPOLL);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

static void submit_nop(uint64_t data)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	ringd_prep_nop(sqe);
	ringd_sqe_set_data64(sqe, data);
	ck_assert_int_eq(ringd_submit(ring), 1);
}

static void expect_cqe(uint64_t data)
{
	struct ringd_cqe *cqe;

	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, data);
	ringd_cqe_seen(ring, cqe);
}

/* The engine answers only after the client went to sleep: every wake-up is a byte on the socket. */
START_TEST(sleeper_is_woken)
{
	fake->when_asleep = true;
	for (uint64_t i = 0; i < 300; i++) {
		submit_nop(i);
		expect_cqe(i);
	}
	pthread_mutex_lock(&fake->lock);	/* the last byte arrives before it is counted */
	ck_assert_uint_ge(peer->bytes_sent, 300);
	pthread_mutex_unlock(&fake->lock);
}
END_TEST

/* The engine sleeps before every submission: every one needs the doorbell. */
START_TEST(doorbell_wakes_the_engine)
{
	for (uint64_t i = 0; i < 50; i++) {
		while (!(__atomic_load_n(&peer->hot->sq_flags, __ATOMIC_ACQUIRE) & RINGD_SQ_NEED_WAKEUP))
			sched_yield();
		submit_nop(i);
		expect_cqe(i);
	}
}
END_TEST

START_TEST(full_doorbell_still_rings)
{
	const uint64_t most = UINT64_MAX - 1;

	ck_assert_int_eq((int)write(peer->doorbell, &most, sizeof(most)), (int)sizeof(most));
	for (uint64_t i = 0; i < 20; i++) {
		while (!(__atomic_load_n(&peer->hot->sq_flags, __ATOMIC_ACQUIRE) & RINGD_SQ_NEED_WAKEUP))
			sched_yield();
		submit_nop(i);
		expect_cqe(i);
	}
}
END_TEST

START_TEST(waits_for_as_many_as_asked)
{
	struct ringd_cqe *cqe;

	fake->when_asleep = true;
	for (uint64_t i = 0; i < 5; i++)
		submit_nop(i);
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 5), 0);
	ck_assert_uint_eq(ringd_cq_ready(ring), 5);
	ck_assert_uint_eq(cqe->user_data, 0);
}
END_TEST

START_TEST(stray_bytes_do_no_harm)
{
	char bytes[300] = { 0 };

	fake->when_asleep = true;
	for (uint64_t i = 0; i < 20; i++) {
		ck_assert_int_gt((int)write(peer->wake, bytes, sizeof(bytes)), 0);
		submit_nop(i);
		expect_cqe(i);
	}
}
END_TEST

START_TEST(timeouts)
{
	const struct timespec negative = { .tv_sec = -1 }, malformed = { .tv_nsec = 2000000000 };
	struct ringd_cqe *cqe;

	ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &none), -ETIME);
	ck_assert_ptr_null(cqe);
	ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &negative), -ETIME);
	ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &malformed), -ETIME);
	ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &short_time), -ETIME);
	ck_assert_int_eq(ringd_submit_and_wait_timeout(ring, &cqe, 1, &short_time), -ETIME);
	ck_assert_ptr_null(cqe);
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 0), -EAGAIN);
	submit_nop(1);
	ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &long_time), 0);
	ck_assert_uint_eq(cqe->user_data, 1);
	/* the CQE hides the timeout of a wait for two */
	ck_assert_int_eq(ringd_submit_and_wait_timeout(ring, &cqe, 2, &short_time), 0);
	ck_assert_uint_eq(cqe->user_data, 1);
}
END_TEST

START_TEST(submitted_count_survives_a_timeout)
{
	struct ringd_cqe *cqe;
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ringd_prep_nop(sqe);
	ck_assert_int_eq(ringd_submit_and_wait_timeout(ring, &cqe, 2, &short_time), 1);
	expect_cqe(0);
}
END_TEST

static void on_signal(int sig)
{
	(void)sig;
}

static pthread_t waiter;

static void *interrupt(void *arg)
{
	fake_await_sleeper(peer);
	/* It may not have got into poll() yet: knock until the wait word is put down. */
	while (__atomic_load_n(&peer->hot->wait, __ATOMIC_ACQUIRE)) {
		pthread_kill(waiter, SIGUSR1);
		sched_yield();
	}
	return arg;
}

START_TEST(signal_interrupts_an_empty_wait)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct ringd_cqe *cqe;
	pthread_t th;

	sigaction(SIGUSR1, &sa, NULL);
	waiter = pthread_self();
	pthread_create(&th, NULL, interrupt, NULL);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), -EINTR);
	pthread_join(th, NULL);
	submit_nop(3);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	pthread_create(&th, NULL, interrupt, NULL);
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 2), 0);	/* there is one */
	pthread_join(th, NULL);
	ck_assert_uint_eq(cqe->user_data, 3);
}
END_TEST

static void *interrupt_then_go(void *arg)
{
	fake_await_sleeper(peer);
	for (int i = 0; i < 20; i++) {
		pthread_kill(waiter, SIGUSR1);
		sched_yield();
	}
	fake_go(fake);
	return arg;
}

START_TEST(signal_does_not_end_a_plain_submit)
{
	struct sigaction sa = { .sa_handler = on_signal };
	pthread_t th;

	sigaction(SIGUSR1, &sa, NULL);
	waiter = pthread_self();
	fake_stop(fake);
	pthread_create(&th, NULL, interrupt_then_go, NULL);
	submit_nop(1);
	pthread_join(th, NULL);
	expect_cqe(1);
}
END_TEST

START_TEST(overflow_wakes_a_sleeper)
{
	struct ringd_cqe *cqe;

	fake_stop(fake);
	for (uint64_t i = 0; i < 20; i++)
		fake_post(fake, peer, i, 0);
	fake_go(fake);
	for (uint64_t i = 0; i < 10; i++)
		expect_cqe(i);
	/* 6 in the CQ, 4 held back */
	ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, 10), 0);
	for (uint64_t i = 10; i < 20; i++)
		expect_cqe(i);
}
END_TEST

/* --- the pollable descriptor --- */

static bool readable(int timeout)
{
	struct pollfd p = { .fd = ringd_ring_fd(ring), .events = POLLIN };

	return poll(&p, 1, timeout) == 1 && (p.revents & POLLIN);
}

static void drain_cq(uint64_t *next)
{
	struct ringd_cqe *cqe;

	while (ringd_peek_cqe(ring, &cqe) == 0) {
		ck_assert_uint_eq(cqe->user_data, *next);
		++*next;
		ringd_cqe_seen(ring, cqe);
	}
}

/* The CQE is there before the byte: when both are, and are taken, nothing is left to read. */
static void drain_all(uint64_t *next)
{
	fake_settle(fake);
	drain_cq(next);
	ck_assert(!readable(0));
}

START_TEST(descriptor_tells_of_cqes)
{
	uint64_t next = 0;

	ck_assert(!readable(0));
	submit_nop(0);
	ck_assert(readable(PATIENCE_MS));
	drain_all(&next);
	ck_assert_uint_eq(next, 1);
}
END_TEST

START_TEST(descriptor_tells_of_cqes_that_were_there_before)
{
	uint64_t next = 0;
	struct ringd_cqe *cqe;

	submit_nop(0);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	(void)ringd_ring_fd(ring);
	/* the rule: reap until there is none, then sleep */
	drain_all(&next);
	submit_nop(1);
	ck_assert(readable(PATIENCE_MS));
}
END_TEST

/* Submit after the last look, poll, reap: a CQE is never slept through, whatever the engine was doing. */
START_TEST(descriptor_loses_no_wakeup)
{
	uint64_t next = 0;
	unsigned int seed = 1;

	(void)ringd_ring_fd(ring);
	for (uint64_t sent = 0; sent < 3000;) {
		unsigned int burst = 1 + (unsigned int)rand_r(&seed) % 4;

		drain_cq(&next);
		for (unsigned int i = 0; i < burst; i++)
			submit_nop(sent++);
		if (rand_r(&seed) % 64 == 0) {	/* let the engine doze off */
			while (!(__atomic_load_n(&peer->hot->sq_flags, __ATOMIC_ACQUIRE) & RINGD_SQ_NEED_WAKEUP))
				sched_yield();
		}
		while (next < sent) {
			ck_assert_msg(readable(PATIENCE_MS), "no wake-up: %u of %u", (unsigned int)next, (unsigned int)sent);
			drain_cq(&next);
		}
	}
}
END_TEST

START_TEST(descriptor_works_beside_waits_that_time_out)
{
	struct ringd_cqe *cqe;
	uint64_t next = 0;

	(void)ringd_ring_fd(ring);
	for (uint64_t i = 0; i < 20; i++) {
		ck_assert_int_eq(ringd_wait_cqe_timeout(ring, &cqe, &(struct timespec){ .tv_nsec = 200000 }), -ETIME);
		submit_nop(i);
		ck_assert(readable(PATIENCE_MS));
		drain_cq(&next);
		ck_assert_uint_eq(next, i + 1);
	}
}
END_TEST

START_TEST(descriptor_tells_of_overflow_and_death)
{
	struct pollfd p = { .fd = ringd_ring_fd(ring), .events = POLLIN };
	struct ringd_cqe *cqe;
	uint64_t next = 0;

	fake_stop(fake);
	for (uint64_t i = 0; i < 20; i++)
		fake_post(fake, peer, i, 0);
	fake_go(fake);
	ck_assert(readable(PATIENCE_MS));
	drain_all(&next);
	ck_assert_uint_eq(next, 20);
	fake_kill_ring(fake, peer, 0);
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert_int_ne(p.revents & POLLHUP, 0);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -ECONNRESET);
}
END_TEST

static TCase *tests(const char *name, void (*setup)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, sleeper_is_woken);
	tcase_add_test(t, doorbell_wakes_the_engine);
	tcase_add_test(t, full_doorbell_still_rings);
	tcase_add_test(t, waits_for_as_many_as_asked);
	tcase_add_test(t, stray_bytes_do_no_harm);
	tcase_add_test(t, timeouts);
	tcase_add_test(t, submitted_count_survives_a_timeout);
	tcase_add_test(t, signal_interrupts_an_empty_wait);
	tcase_add_test(t, overflow_wakes_a_sleeper);
	tcase_add_test(t, descriptor_tells_of_cqes);
	tcase_add_test(t, descriptor_tells_of_cqes_that_were_there_before);
	tcase_add_test(t, descriptor_loses_no_wakeup);
	tcase_add_test(t, descriptor_works_beside_waits_that_time_out);
	tcase_add_test(t, descriptor_tells_of_overflow_and_death);
	return t;
}

int main(void)
{
	Suite *s = suite_create("client wait");
	TCase *plain = tests("plain", setup_plain);

	tcase_add_test(plain, signal_does_not_end_a_plain_submit);
	suite_add_tcase(s, plain);
	suite_add_tcase(s, tests("sqpoll", setup_sqpoll));
	return rd_suite_main(s);
}
