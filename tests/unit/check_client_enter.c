/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: ringd_enter() with its flags and arguments, and threads that wait at once. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

#define MS	1000000ull

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

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

static void get_nops(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		ck_assert_ptr_nonnull(sqe);
		ringd_prep_nop(sqe);
	}
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int wait_ts(unsigned int to_submit, unsigned int nr, const struct ringd_timespec *ts, unsigned int flags, uint32_t min_usec)
{
	struct ringd_getevents_arg arg = { .ts = (uintptr_t)ts, .min_wait_usec = min_usec };

	return ringd_enter(ring, to_submit, nr, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG | flags, &arg, sizeof(arg));
}

static const struct ringd_timespec short_time = { .tv_nsec = 2000000 }, long_time = { .tv_sec = 1000 };

/* --- flags and arguments --- */

START_TEST(unknown_flags_are_refused_first)
{
	get_nops(1);
	ck_assert_int_eq(ringd_enter(ring, 1, 0, 0x100, NULL, 0), -EINVAL);
	ck_assert_uint_eq(ringd_sq_ready(ring), 1);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, 0, NULL, 0), 0);
	ck_assert_int_eq(ringd_enter(ring, 1, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_NO_IOWAIT, NULL, 0), 1);
}
END_TEST

START_TEST(an_argument_counts_only_with_getevents)
{
	ck_assert_int_eq(ringd_enter(ring, 0, 0, RINGD_ENTER_EXT_ARG, (void *)1, 3), 0);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, 0, (void *)1, 3), 0);
}
END_TEST

START_TEST(wrong_arguments)
{
	const unsigned int ext = RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, reg = ext | RINGD_ENTER_EXT_ARG_REG;
	struct ringd_getevents_arg arg = { 0 };
	uint64_t mask = 0;

	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, &arg, 23), -EINVAL);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, &arg, 8), -EINVAL);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, ext, &arg, 25), -EINVAL);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, NULL, sizeof(arg)), -EFAULT);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, (void *)8, sizeof(arg)), -EFAULT);
	arg.ts = 8;
	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, &arg, sizeof(arg)), -EFAULT);
	arg = (struct ringd_getevents_arg){ .sigmask = (uintptr_t)&mask, .sigmask_sz = 128 };
	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, &arg, sizeof(arg)), -EINVAL);
	arg = (struct ringd_getevents_arg){ .sigmask = 8, .sigmask_sz = 8 };
	ck_assert_int_eq(ringd_enter(ring, 0, 1, ext, &arg, sizeof(arg)), -EFAULT);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, &mask, 16), -EINVAL);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, (void *)8, 8), -EFAULT);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, reg, NULL, 63), -EINVAL);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, reg, NULL, 64), -EFAULT);	/* no region */
	/* without EXT_ARG the second flag means nothing */
	ck_assert_int_eq(ringd_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG_REG, &mask, 16), -EINVAL);
}
END_TEST

/* What was consumed is told, the error of the wait is lost. */
START_TEST(wrong_argument_after_a_submission)
{
	get_nops(1);
	ck_assert_int_eq(ringd_enter(ring, 1, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, NULL, 3), 1);
}
END_TEST

/* --- submission --- */

START_TEST(no_more_than_there_are_and_then_no_wait)
{
	get_nops(8);
	ck_assert_int_eq(ringd_enter(ring, 100, 50, RINGD_ENTER_GETEVENTS, NULL, 0), 8);
	ck_assert_int_eq(ringd_enter(ring, 5, 100, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	ck_assert_uint_eq(ringd_cq_ready(ring), 8);
}
END_TEST

START_TEST(no_more_than_asked_for)
{
	get_nops(5);
	ck_assert_int_eq(ringd_enter(ring, 2, 2, RINGD_ENTER_GETEVENTS, NULL, 0), 2);
	ck_assert_uint_eq(ringd_sq_ready(ring), 3);
	ck_assert_uint_eq(ringd_cq_ready(ring), 2);
	ck_assert_int_eq(ringd_submit(ring), 3);
}
END_TEST

START_TEST(sqpoll_returns_what_it_was_given)
{
	ck_assert_int_eq(ringd_enter(ring, 7, 0, 0, NULL, 0), 7);
	get_nops(2);
	ck_assert_int_eq(ringd_enter(ring, 2, 2, RINGD_ENTER_GETEVENTS | RINGD_ENTER_SQ_WAKEUP, NULL, 0), 2);
	ck_assert_uint_eq(ringd_cq_ready(ring), 2);
}
END_TEST

START_TEST(sqpoll_sleeps_until_the_wakeup)
{
	fake_await_asleep(fake, peer);	/* with NEED_WAKEUP alone it may still look once more */
	get_nops(1);
	ck_assert_int_eq(ringd_enter(ring, 1, 0, 0, NULL, 0), 1);
	ck_assert_int_eq(wait_ts(0, 1, &short_time, 0, 0), -ETIME);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, RINGD_ENTER_SQ_WAKEUP | RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	ck_assert_uint_eq(ringd_cq_ready(ring), 1);
}
END_TEST

START_TEST(sqpoll_sq_wait_waits_for_a_slot)
{
	fake->when_asleep = true;
	get_nops(8);
	ck_assert_int_eq(ringd_enter(ring, 8, 0, RINGD_ENTER_SQ_WAIT | RINGD_ENTER_SQ_WAKEUP, NULL, 0), 8);
	ck_assert_ptr_nonnull(ringd_get_sqe(ring));
}
END_TEST

/* --- time --- */

START_TEST(how_a_wait_ends)
{
	const struct ringd_timespec none = { 0 }, past = { .tv_sec = 1 }, negative = { .tv_sec = -1 }, odd = { .tv_nsec = 2000000000 };

	ck_assert_int_eq(wait_ts(0, 1, &short_time, 0, 0), -ETIME);
	ck_assert_int_eq(wait_ts(0, 1, &none, 0, 0), -ETIME);
	ck_assert_int_eq(wait_ts(0, 1, &past, RINGD_ENTER_ABS_TIMER, 0), -ETIME);
	ck_assert_int_eq(wait_ts(0, 1, &negative, 0, 0), -ETIME);
	ck_assert_int_eq(wait_ts(0, 1, &odd, RINGD_ENTER_ABS_TIMER, 0), -ETIME);
	get_nops(1);
	ck_assert_int_eq(wait_ts(1, 3, &short_time, RINGD_ENTER_SQ_WAKEUP, 0), 1);	/* submitted: that counts */
	ck_assert_int_eq(wait_ts(0, 1, NULL, 0, 0), 0);
	ck_assert_int_eq(wait_ts(0, 3, &short_time, 0, 0), 0);	/* there is one */
}
END_TEST

START_TEST(absolute_time)
{
	uint64_t until = now(CLOCK_MONOTONIC) + 30 * MS;
	const struct ringd_timespec ts = { .tv_sec = (int64_t)(until / 1000000000), .tv_nsec = (int64_t)(until % 1000000000) };

	ck_assert_int_eq(wait_ts(0, 1, &ts, RINGD_ENTER_ABS_TIMER, 0), -ETIME);
	ck_assert_uint_ge(now(CLOCK_MONOTONIC), until);
}
END_TEST

static void *post_later(void *arg)
{
	unsigned int ms = (unsigned int)(uintptr_t)arg;

	usleep(ms * 1000);
	fake_post(fake, peer, 1, 0);
	return NULL;
}

/* Wait with min_wait 100 ms for 4 CQEs and at most ts, one being posted after so many ms: what it took, in ms. */
static unsigned int min_wait(unsigned int post_ms, const struct ringd_timespec *ts, int want)
{
	uint64_t start = now(CLOCK_MONOTONIC);
	struct ringd_cqe *cqe;
	pthread_t th;

	if (post_ms)
		pthread_create(&th, NULL, post_later, (void *)(uintptr_t)post_ms);
	ck_assert_int_eq(wait_ts(0, 4, ts, 0, 100000), want);
	start = (now(CLOCK_MONOTONIC) - start) / MS;
	if (post_ms)
		pthread_join(th, NULL);
	while (ringd_peek_cqe(ring, &cqe) == 0)
		ringd_cqe_seen(ring, cqe);
	return (unsigned int)start;
}

START_TEST(min_wait_has_two_phases)
{
	const struct ringd_timespec longer = { .tv_nsec = 300 * MS }, shorter = { .tv_nsec = 20 * MS };
	unsigned int ms;

	fake_stop(fake);
	ms = min_wait(20, &long_time, 0);	/* one in the first phase: it lasts to its end */
	ck_assert_msg(ms >= 100 && ms < 100000, "%u", ms);
	ms = min_wait(200, &long_time, 0);	/* none: the first one after it */
	ck_assert_msg(ms >= 200 && ms < 100000, "%u", ms);
	ms = min_wait(0, NULL, -ETIME);		/* no time: the first phase is all */
	ck_assert_msg(ms >= 100 && ms < 100000, "%u", ms);
	ms = min_wait(0, &longer, -ETIME);
	ck_assert_msg(ms >= 300 && ms < 100000, "%u", ms);
	ms = min_wait(0, &shorter, -ETIME);	/* shorter than min_wait: it counts for nothing */
	ck_assert_msg(ms >= 100 && ms < 100000, "%u", ms);
}
END_TEST

START_TEST(min_wait_ends_when_all_are_there)
{
	struct ringd_cqe *cqe;

	get_nops(4);
	ck_assert_int_eq(ringd_submit_and_wait_min_timeout(ring, &cqe, 4, NULL, 1000000000, NULL), 4);
	ck_assert_ptr_nonnull(cqe);
	ck_assert_int_eq(ringd_wait_cqes_min_timeout(ring, &cqe, 4, NULL, 1000000000, NULL), 0);
	ck_assert_ptr_nonnull(cqe);
}
END_TEST

START_TEST(lost_cqes_are_told_of_once)
{
	const struct ringd_timespec none = { 0 };

	fake_lose(fake, peer);
	ck_assert_int_eq(wait_ts(0, 1, &none, 0, 0), -EBADR);
	ck_assert_int_eq(wait_ts(0, 1, &none, 0, 0), -ETIME);
	fake_lose(fake, peer);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0), 0);	/* there is nothing to wait for */
	get_nops(1);
	ck_assert_int_eq(wait_ts(1, 1, NULL, RINGD_ENTER_SQ_WAKEUP, 0), 1);	/* not what counts */
	ck_assert_int_eq(wait_ts(0, 1, NULL, 0, 0), 0);
	ck_assert_int_eq(wait_ts(0, 2, &none, 0, 0), 0);			/* nor with a CQE */
}
END_TEST

/* --- signals --- */

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	(void)sig;
	caught++;
}

static void catch_usr1(bool block)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t set;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
	caught = 0;
}

START_TEST(pending_signal_that_the_mask_lets_through)
{
	uint64_t mask = 0;
	sigset_t set;

	catch_usr1(true);
	raise(SIGUSR1);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, &mask, 8), -EINTR);
	ck_assert_int_eq(caught, 1);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	ck_assert(sigismember(&set, SIGUSR1));
	/* with a CQE it is no error, and with a submission the count */
	fake_post(fake, peer, 1, 0);
	raise(SIGUSR1);
	ck_assert_int_eq(ringd_enter(ring, 0, 2, RINGD_ENTER_GETEVENTS, &mask, 8), 0);
	raise(SIGUSR1);
	get_nops(1);
	ck_assert_int_eq(ringd_enter(ring, 1, 3, RINGD_ENTER_GETEVENTS, &mask, 8), 1);
	ck_assert_int_eq(caught, 3);
}
END_TEST

START_TEST(mask_keeps_a_signal_out)
{
	uint64_t mask = 1ull << (SIGUSR1 - 1);
	struct ringd_getevents_arg arg = { .sigmask = (uintptr_t)&mask, .sigmask_sz = 8, .ts = (uintptr_t)&short_time };
	struct ringd_cqe *cqe;
	sigset_t set;

	catch_usr1(true);
	raise(SIGUSR1);
	ck_assert_int_eq(ringd_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &arg, sizeof(arg)), -ETIME);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ck_assert_int_eq(ringd_wait_cqes(ring, &cqe, 1, &(struct timespec){ .tv_nsec = 1000000 }, &set), -ETIME);
	ck_assert_int_eq(caught, 0);
	catch_usr1(false);
	ck_assert_int_eq(caught, 0);	/* reset after it came */
}
END_TEST

/* --- threads --- */

#define WAITERS	6

struct waiter {
	pthread_t thread;
	unsigned int nr;
	int res;
	atomic_bool done;
};

static void *wait_for(void *arg)
{
	struct waiter *w = arg;

	w->res = ringd_enter(ring, 0, w->nr, RINGD_ENTER_GETEVENTS, NULL, 0);
	w->done = true;
	return NULL;
}

static void start_waiter(struct waiter *w, unsigned int nr)
{
	*w = (struct waiter){ .nr = nr };
	ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_for, w), 0);
}

/* So many threads sleep: their number is not to be seen, so time has to do. */
static void let_them_sleep(void)
{
	fake_await_sleeper(peer);
	usleep(20000);
}

START_TEST(all_waiters_return)
{
	struct waiter w[WAITERS];

	for (int i = 0; i < WAITERS; i++)
		start_waiter(&w[i], i < 3 ? 1 : 2);
	let_them_sleep();
	fake_post(fake, peer, 1, 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(w[i].thread, NULL);
		ck_assert_int_eq(w[i].res, 0);
	}
	usleep(10000);
	for (int i = 3; i < WAITERS; i++)
		ck_assert(!w[i].done);
	fake_post(fake, peer, 2, 0);
	for (int i = 3; i < WAITERS; i++) {
		pthread_join(w[i].thread, NULL);
		ck_assert_int_eq(w[i].res, 0);
	}
	ck_assert_uint_eq(peer->hot->wait, 0);
}
END_TEST

START_TEST(death_wakes_all_waiters)
{
	struct waiter w[WAITERS];

	for (int i = 0; i < WAITERS; i++)
		start_waiter(&w[i], 1);
	let_them_sleep();
	fake_kill_ring(fake, peer, _i ? RINGD_REASON_SHUTDOWN : 0);
	for (int i = 0; i < WAITERS; i++) {
		pthread_join(w[i].thread, NULL);
		ck_assert_int_eq(w[i].res, -ECONNRESET);
	}
}
END_TEST

static atomic_bool followed;

/* Again and again, until somebody else waits too: who looks sees it sleep, however late that is. */
static void *wait_a_little(void *arg)
{
	const struct timespec ts = { .tv_nsec = 50000000 };
	struct ringd_cqe *cqe;
	bool last;

	do {
		last = followed;
		if (ringd_wait_cqe_timeout(ring, &cqe, &ts) != -ETIME)
			return NULL;
	} while (!last);
	return arg;
}

/* The one at the socket goes first: another takes its place. */
START_TEST(leader_that_times_out_is_followed)
{
	pthread_t leader;
	struct waiter w;
	void *ret;

	followed = false;
	pthread_create(&leader, NULL, wait_a_little, fake);
	fake_await_sleeper(peer);
	start_waiter(&w, 1);
	followed = true;
	pthread_join(leader, &ret);
	ck_assert_ptr_eq(ret, fake);
	usleep(5000);
	fake_post(fake, peer, 1, 0);
	pthread_join(w.thread, NULL);
	ck_assert_int_eq(w.res, 0);
}
END_TEST

/* One thread submits, one reaps, and some only wait, while the engine answers nobody who is awake. */
#define ROUNDS	2000u

static atomic_bool over;

static void *only_wait(void *arg)
{
	const struct ringd_timespec ts = { .tv_nsec = 1000000 };
	struct ringd_getevents_arg ext = { .ts = (uintptr_t)&ts };
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!over) {
		unsigned int nr = 1 + (unsigned int)rand_r(&seed) % 3;
		int r = ringd_enter(ring, 0, nr, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &ext, sizeof(ext));

		if (r != 0 && r != -ETIME)
			return (void *)(intptr_t)r;
		sched_yield();
	}
	return NULL;
}

static void *reap(void *arg)
{
	for (uint64_t next = 0; next < ROUNDS; next++) {
		struct ringd_cqe *cqe;

		if (ringd_wait_cqe(ring, &cqe) < 0 || cqe->user_data != next)
			return arg;
		ringd_cqe_seen(ring, cqe);
	}
	return NULL;
}

START_TEST(submitter_reaper_and_waiters)
{
	pthread_t reaper, waiters[3];
	void *ret;

	fake->when_asleep = _i;
	over = false;
	pthread_create(&reaper, NULL, reap, fake);
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&waiters[i], NULL, only_wait, (void *)i);
	for (uint64_t i = 0; i < ROUNDS;) {
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		if (!sqe) {
			ck_assert_int_eq(ringd_sqring_wait(ring), 0);
			continue;
		}
		ringd_prep_nop(sqe);
		ringd_sqe_set_data64(sqe, i++);
		ck_assert_int_eq(ringd_submit(ring), 1);
	}
	pthread_join(reaper, &ret);
	ck_assert_ptr_null(ret);
	over = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(waiters[i], &ret);
		ck_assert_int_eq((int)(intptr_t)ret, 0);
	}
}
END_TEST

/* --- who may --- */

static int other_res[3];

static void *other_thread(void *arg)
{
	const struct ringd_timespec ts = { 0 };
	struct ringd_getevents_arg ext = { .ts = (uintptr_t)&ts };

	other_res[0] = ringd_enter(ring, 1, 0, 0, NULL, 0);
	other_res[1] = ringd_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &ext, sizeof(ext));
	other_res[2] = ringd_submit(ring);
	return arg;
}

static void run_other(void)
{
	pthread_t th;

	pthread_create(&th, NULL, other_thread, NULL);
	pthread_join(th, NULL);
}

START_TEST(single_issuer_is_the_thread_that_made_it)
{
	setup_kind(RINGD_SETUP_SINGLE_ISSUER);
	get_nops(1);
	run_other();
	ck_assert_int_eq(other_res[0], -EEXIST);
	ck_assert_int_eq(other_res[1], -ETIME);
	ck_assert_int_eq(other_res[2], -EEXIST);
	ck_assert_int_eq(ringd_enter(ring, 1, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 1);
}
END_TEST

START_TEST(disabled_ring_enters_nothing)
{
	struct ringd_cqe *cqe;

	setup_kind(RINGD_SETUP_R_DISABLED);
	get_nops(1);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, 0, NULL, 0), -EBADFD);
	ck_assert_int_eq(ringd_enter(ring, 1, 0, 0, NULL, 0), -EBADFD);
	ck_assert_int_eq(ringd_submit(ring), -EBADFD);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), -EBADFD);
	ck_assert_int_eq(ringd_get_events(ring), -EBADFD);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
}
END_TEST

static void add_both(TCase *t)
{
	tcase_add_test(t, an_argument_counts_only_with_getevents);
	tcase_add_test(t, wrong_arguments);
	tcase_add_test(t, how_a_wait_ends);
	tcase_add_test(t, absolute_time);
	tcase_add_test(t, lost_cqes_are_told_of_once);
	tcase_add_test(t, min_wait_has_two_phases);
	tcase_add_test(t, min_wait_ends_when_all_are_there);
	tcase_add_test(t, pending_signal_that_the_mask_lets_through);
	tcase_add_test(t, mask_keeps_a_signal_out);
	tcase_add_test(t, all_waiters_return);
	tcase_add_loop_test(t, death_wakes_all_waiters, 0, 2);
	tcase_add_test(t, leader_that_times_out_is_followed);
	tcase_add_loop_test(t, submitter_reaper_and_waiters, 0, 2);
}

int main(void)
{
	Suite *s = suite_create("client enter");
	TCase *plain = tcase_create("plain"), *sqpoll = tcase_create("sqpoll"), *who = tcase_create("who");

	tcase_add_checked_fixture(plain, setup_plain, teardown);
	tcase_add_test(plain, unknown_flags_are_refused_first);
	tcase_add_test(plain, wrong_argument_after_a_submission);
	tcase_add_test(plain, no_more_than_there_are_and_then_no_wait);
	tcase_add_test(plain, no_more_than_asked_for);
	add_both(plain);
	suite_add_tcase(s, plain);
	tcase_add_checked_fixture(sqpoll, setup_sqpoll, teardown);
	tcase_add_test(sqpoll, sqpoll_returns_what_it_was_given);
	tcase_add_test(sqpoll, sqpoll_sleeps_until_the_wakeup);
	tcase_add_test(sqpoll, sqpoll_sq_wait_waits_for_a_slot);
	add_both(sqpoll);
	suite_add_tcase(s, sqpoll);
	tcase_add_checked_fixture(who, NULL, teardown);
	tcase_add_test(who, single_issuer_is_the_thread_that_made_it);
	tcase_add_test(who, disabled_ring_enters_nothing);
	suite_add_tcase(s, who);
	return rd_suite_main(s);
}
