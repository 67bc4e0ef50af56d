/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAITV: among requests, and with the system calls of other threads and processes. */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define ANY	0xffffffffull
#define U32	2	/* FUTEX2_SIZE_U32 */

static struct rd_testhost th;
static struct rd_testclient c;
static uint32_t *words;

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 4096, RINGD_SETUP_SUBMIT_ALL);
	words = rd_th_alloc(&th, 65536);
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
}

/* --- helpers --- */

static struct ringd_sqe *wait_on(uint32_t *word, uint64_t val, uint64_t mask)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FUTEX_WAIT);

	sqe->fd = U32;
	sqe->addr = (uintptr_t)word;
	sqe->addr2 = val;
	sqe->addr3 = mask;
	return sqe;
}

static struct ringd_sqe *wake(uint32_t *word, uint64_t nr, uint64_t mask)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FUTEX_WAKE);

	sqe->fd = U32;
	sqe->addr = (uintptr_t)word;
	sqe->addr2 = nr;
	sqe->addr3 = mask;
	return sqe;
}

static struct futex_waitv *vector(uint32_t nr)
{
	struct futex_waitv *v = rd_th_alloc(&th, nr * sizeof(*v));

	for (uint32_t i = 0; i < nr; i++)
		v[i] = (struct futex_waitv){ .val = words[i], .uaddr = (uintptr_t)&words[i], .flags = U32 };
	return v;
}

static struct ringd_sqe *waitv(const struct futex_waitv *v, uint32_t nr)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FUTEX_WAITV);

	sqe->fd = 0;
	sqe->addr = (uintptr_t)v;
	sqe->len = nr;
	return sqe;
}

static void next_is(uint64_t user_data, int32_t res)
{
	struct ringd_cqe cqe = rd_tc_wait(&c);

	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
	ck_assert_uint_eq(cqe.flags, 0);
}

static struct ringd_sqe *cancel(uint64_t user_data, uint32_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->addr = user_data;
	sqe->cancel_flags = flags;
	return sqe;
}

static long sys_wake(uint32_t *word, int nr)
{
	return syscall(SYS_futex, word, FUTEX_WAKE, nr, NULL, NULL, 0);
}

static long sys_wait(uint32_t *word, uint32_t val)
{
	return syscall(SYS_futex, word, FUTEX_WAIT, val, NULL, NULL, 0);
}

/* Wake by system calls until nr in all were woken: our thread may not have queued the word yet. */
static void sys_wake_all(uint32_t *word, int nr)
{
	while (nr) {
		nr -= (int)sys_wake(word, nr);
		sched_yield();
	}
}

/* --- rules --- */

START_TEST(wait_rules)
{
	wait_on(words, 1, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	wait_on(words, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_on(words, 0, ANY + 1);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_on(words, 1ull << 32, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	for (int flags = 0; flags < 256; flags++) {
		if ((flags & ~0x80) == U32)
			continue;
		wait_on(words, 0, ANY)->fd = flags;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	wait_on(NULL, 0, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	wait_on((uint32_t *)(void *)((char *)words + 2), 0, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_on(words, 0, ANY)->len = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_on(words, 0, ANY)->futex_flags = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_on(words, 0, ANY)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_on(words, 0, ANY)->file_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

START_TEST(wake_rules)
{
	wake(words, 0, ANY);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	wake(words, 1, ANY);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	wake(words, UINT32_MAX, ANY);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	wake(words, 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wake(words, 1ull << 32, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wake(NULL, 1, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	wake(words, 1, ANY)->fd = 0;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wake((uint32_t *)(void *)((char *)words + 1), 1, ANY);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

START_TEST(waitv_rules)
{
	struct futex_waitv *v = vector(129);

	waitv(v, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	waitv(v, 129);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	waitv(v, 2)->fd = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	waitv(v, 2)->addr2 = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	waitv(v, 2)->addr3 = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	waitv((void *)8, 2);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	v[1].__reserved = 1;
	waitv(v, 2);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	v[1].__reserved = 0;
	v[1].flags = 0;
	waitv(v, 2);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	v[1].flags = U32;
	v[1].val = 7;
	waitv(v, 2);
	ck_assert_int_eq(rd_tc_run(&c), -EAGAIN);
	v[1].val = 0;
	v[1].uaddr = 4;
	waitv(v, 2);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

/* --- among requests --- */

START_TEST(a_wake_comes_before_whom_it_woke)
{
	wait_on(words, 0, ANY);		/* 1 */
	wait_on(words, 0, ANY);		/* 2 */
	rd_tc_submit_waiting(&c);
	wake(words, 1, ANY);		/* 3 */
	rd_tc_submit(&c);
	next_is(3, 1);
	next_is(1, 0);
	rd_tc_expect_none(&c);
	wake(words, INT_MAX, ANY);	/* 4 */
	rd_tc_submit(&c);
	next_is(4, 1);
	next_is(2, 0);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(wait_and_wake_in_one_submission)
{
	for (int i = 0; i < 200; i++) {
		uint64_t first = c.user_data + 1;

		wait_on(words, 0, ANY);
		wait_on(words, 0, ANY);
		wake(words, 2, ANY);
		ck_assert_int_eq(rd_tc_submit(&c), 3);
		next_is(first + 2, 2);
		next_is(first, 0);
		next_is(first + 1, 0);
	}
}
END_TEST

START_TEST(masks_choose)
{
	wait_on(words, 0, 1);		/* 1 */
	wait_on(words, 0, 6);		/* 2 */
	wait_on(words + 1, 0, ANY);	/* 3 */
	rd_tc_submit_waiting(&c);
	wake(words, 10, 8);		/* 4 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(4, 0);
	wake(words, 10, 2);		/* 5 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(5, 1);
	next_is(2, 0);
}
END_TEST

START_TEST(waitv_tells_which)
{
	struct futex_waitv *v = vector(128);

	waitv(v, 128);			/* 1 */
	rd_tc_submit_waiting(&c);
	wake(&words[77], 5, ANY);	/* 2 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(2, 1);
	next_is(1, 77);
	for (unsigned int i = 0; i < 128; i++) {
		wake(&words[i], 1, ANY);
		ck_assert_int_eq(rd_tc_run(&c), 0);
	}
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(waitv_may_name_a_word_twice)
{
	struct futex_waitv *v = vector(3);

	v[2] = v[1];
	waitv(v, 3);			/* 1 */
	waitv(v, 3);			/* 2 */
	rd_tc_submit_waiting(&c);
	wake(&words[1], 10, ANY);	/* 3 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(3, 2);
	next_is(1, 1);
	next_is(2, 1);
}
END_TEST

START_TEST(a_private_futex_is_shared_here)
{
	wait_on(words, 0, ANY)->fd = U32 | 0x80;	/* 1 */
	rd_tc_submit_waiting(&c);
	wake(words, 1, ANY);				/* 2 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(2, 1);
	next_is(1, 0);
}
END_TEST

START_TEST(a_chain_goes_on_when_woken)
{
	wait_on(words, 0, ANY)->flags = RINGD_SQE_IO_LINK;	/* 1 */
	rd_tc_sqe(&c, RINGD_OP_NOP);				/* 2 */
	rd_tc_submit_waiting(&c);
	wake(words, 1, ANY);					/* 3 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(3, 1);
	next_is(1, 0);
	next_is(2, 0);
}
END_TEST

START_TEST(cancel_reports_1)
{
	struct futex_waitv *v = vector(5);

	wait_on(words, 0, ANY);			/* 1 */
	waitv(v, 5);				/* 2 */
	wait_on(words, 0, ANY);			/* 3 */
	wait_on(words, 0, ANY);			/* 4 */
	rd_tc_submit_waiting(&c);
	cancel(1, 0);				/* 5 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(5, 1);
	next_is(1, -ECANCELED);
	cancel(2, 0);				/* 6 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(6, 1);
	next_is(2, -ECANCELED);
	cancel(0, RINGD_ASYNC_CANCEL_ANY);	/* 7 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(7, 2);
	next_is(3, -ECANCELED);
	next_is(4, -ECANCELED);
	wake(words, 10, ANY);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(a_dying_ring_waits_no_more)
{
	struct futex_waitv *v = vector(100);

	waitv(v, 100);
	wait_on(words, 0, ANY);
	rd_tc_submit_waiting(&c);
	rd_tc_close(&c);
	rd_th_settle(&th);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

/* --- with system calls --- */

START_TEST(a_system_call_wakes_a_request)
{
	wait_on(words, 0, ANY);		/* 1 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	sys_wake_all(words, 1);
	next_is(1, 0);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(a_system_call_wakes_the_oldest_first)
{
	for (int i = 0; i < 10; i++)
		wait_on(words, 0, ANY);	/* 1 ... 10 */
	rd_tc_submit_waiting(&c);
	sys_wake_all(words, 3);
	for (uint64_t i = 1; i <= 3; i++)
		next_is(i, 0);
	rd_tc_expect_none(&c);
	sys_wake_all(words, 7);
	for (uint64_t i = 4; i <= 10; i++)
		next_is(i, 0);
}
END_TEST

START_TEST(another_process_wakes_a_request)
{
	struct futex_waitv *v = vector(3);
	pid_t pid;

	waitv(v, 3);
	rd_tc_submit_waiting(&c);
	pid = fork();
	if (pid == 0) {
		__atomic_store_n(&words[2], 1, __ATOMIC_SEQ_CST);
		sys_wake(&words[2], 1);
		_exit(0);
	}
	next_is(1, 2);
	waitpid(pid, NULL, 0);
}
END_TEST

struct sleeper {
	pthread_t thread;
	uint32_t *word;
	uint32_t asleep, woken;
};

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->asleep, 1, __ATOMIC_SEQ_CST);
	while (sys_wait(s->word, 0) < 0)
		;
	__atomic_store_n(&s->woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void sleeper_start(struct sleeper *s, uint32_t *word)
{
	*s = (struct sleeper){ .word = word };
	ck_assert_int_eq(pthread_create(&s->thread, NULL, sleeper_main, s), 0);
	while (!__atomic_load_n(&s->asleep, __ATOMIC_SEQ_CST))
		sched_yield();
}

START_TEST(a_request_wakes_threads_that_sleep_in_the_kernel)
{
	struct sleeper s[3];
	unsigned int woken = 0;

	for (int i = 0; i < 3; i++)
		sleeper_start(&s[i], words);
	wait_on(words, 0, ANY);		/* 1 */
	rd_tc_submit_waiting(&c);
	wake(words, 1, ANY);		/* 2: ours come first */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(2, 1);
	next_is(1, 0);
	while (woken < 3) {
		wake(words, 1, ANY);
		ck_assert_int_ge(rd_tc_run(&c), 0);
		woken = 0;
		for (int i = 0; i < 3; i++)
			woken += __atomic_load_n(&s[i].woken, __ATOMIC_SEQ_CST);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(s[i].thread, NULL);
}
END_TEST

START_TEST(a_cancelled_wait_takes_no_wake_up_from_others)
{
	struct sleeper s;

	for (int i = 0; i < 200; i++) {
		uint64_t id;

		wait_on(words, 0, ANY);
		id = c.user_data;
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		if (i % 2)
			rd_tc_expect_none(&c);
		sleeper_start(&s, words);
		cancel(id, 0);
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		/* one wake-up that hits anybody must arrive at the sleeper */
		sys_wake_all(words, 1);
		pthread_join(s.thread, NULL);
		next_is(c.user_data, 1);
		next_is(id, -ECANCELED);
	}
}
END_TEST

static void *counter_main(void *arg)
{
	uint32_t rounds = *(uint32_t *)arg;

	/* words[0] is ours, words[1] the other side's: each waits for the other's step */
	for (uint32_t i = 0; i < rounds; i++) {
		__atomic_store_n(&words[0], i + 1, __ATOMIC_SEQ_CST);
		sys_wake(&words[0], 1);
		while (__atomic_load_n(&words[1], __ATOMIC_SEQ_CST) == i)
			sys_wait(&words[1], i);
	}
	return NULL;
}

START_TEST(requests_and_system_calls_take_turns)
{
	uint32_t rounds = 3000;
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, counter_main, &rounds), 0);
	for (uint32_t i = 0; i < rounds; i++) {
		while (__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) == i) {
			int32_t res;

			wait_on(&words[0], i, ANY);
			res = rd_tc_run(&c);
			ck_assert(res == 0 || res == -EAGAIN);
		}
		__atomic_store_n(&words[1], i + 1, __ATOMIC_SEQ_CST);
		wake(&words[1], 1, ANY);
		ck_assert_int_ge(rd_tc_run(&c), 0);
	}
	pthread_join(t, NULL);
}
END_TEST

static void *storm_main(void *arg)
{
	unsigned int seed = 1;

	while (!__atomic_load_n((bool *)arg, __ATOMIC_SEQ_CST)) {
		uint32_t *word = &words[rand_r(&seed) % 64];

		if (rand_r(&seed) & 1)
			__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
		sys_wake(word, 1 + rand_r(&seed) % 4);
	}
	return NULL;
}

/* Every request gets exactly one CQE, whatever comes together. */
START_TEST(a_storm_of_waits_wakes_and_cancels)
{
	unsigned int seed = 2, owed = 0, waits = 0;
	struct ringd_cqe cqe;
	bool stop = false;
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, storm_main, &stop), 0);
	for (int i = 0; i < 300; i++) {
		for (int k = 0; k < 30; k++) {
			uint32_t *word = &words[rand_r(&seed) % 64];

			switch (rand_r(&seed) % 4) {
			case 0:
				cancel((uint64_t)rand_r(&seed) % (c.user_data + 1), 0);
				break;
			case 1:
				wake(word, 1 + (uint64_t)rand_r(&seed) % 3, ANY);
				break;
			default:
				wait_on(word, __atomic_load_n(word, __ATOMIC_SEQ_CST), rand_r(&seed) & 1 ? ANY : 5);
				waits++;
			}
			owed++;
		}
		ck_assert_int_eq(rd_tc_submit(&c), 30);
		while (rd_tc_peek(&c, &cqe))
			owed--;
	}
	ck_assert_uint_gt(waits, 100);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	pthread_join(t, NULL);
	cancel(0, RINGD_ASYNC_CANCEL_ANY);
	owed++;
	rd_tc_submit(&c);
	while (owed) {
		rd_tc_wait(&c);
		owed--;
	}
	rd_tc_expect_none(&c);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

/* --- budgets --- */

START_TEST(words_are_limited)
{
	unsigned int refused = 0, n = 2500;
	struct ringd_cqe cqe;

	for (unsigned int i = 0; i < n; i++)
		wait_on(&words[i], 0, ANY);
	ck_assert_int_eq(rd_tc_submit(&c), (int32_t)n);
	while (rd_tc_peek(&c, &cqe)) {
		ck_assert_int_eq(cqe.res, -EDQUOT);
		refused++;
	}
	ck_assert_uint_eq(refused, n - 16 * 127);
	ck_assert_uint_le(th.engine.user.used[RINGD_LIMIT_WORKERS], 16);
	cancel(0, RINGD_ASYNC_CANCEL_ANY);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(c.user_data, (int32_t)(n - refused));
	for (unsigned int i = 0; i < n - refused; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
	while (th.engine.user.used[RINGD_LIMIT_WORKERS])
		rd_th_turn(&th);	/* threads without words end */
}
END_TEST

START_TEST(threads_are_paid_for_but_the_first)
{
	th.engine.user.limit[RINGD_LIMIT_WORKERS] = 0;
	for (unsigned int i = 0; i < 130; i++)
		wait_on(&words[i], 0, ANY);
	ck_assert_int_eq(rd_tc_submit(&c), 130);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, -EDQUOT);
	rd_tc_expect_none(&c);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_WORKERS], 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		wait_rules, wake_rules, waitv_rules, a_wake_comes_before_whom_it_woke, wait_and_wake_in_one_submission, masks_choose,
		waitv_tells_which, waitv_may_name_a_word_twice, a_private_futex_is_shared_here, a_chain_goes_on_when_woken,
		cancel_reports_1, a_dying_ring_waits_no_more, a_system_call_wakes_a_request, a_system_call_wakes_the_oldest_first,
		another_process_wakes_a_request, a_request_wakes_threads_that_sleep_in_the_kernel,
		a_cancelled_wait_takes_no_wake_up_from_others, requests_and_system_calls_take_turns,
		a_storm_of_waits_wakes_and_cancels, words_are_limited, threads_are_paid_for_but_the_first,
	};
	Suite *s = suite_create("ops_futex");
	TCase *sync = tcase_create("back end sync"), *uring = tcase_create("back end uring");

	tcase_add_checked_fixture(sync, setup_sync, teardown);
	tcase_add_checked_fixture(uring, setup_uring, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++) {
		tcase_add_test(sync, tests[i]);
		tcase_add_test(uring, tests[i]);
	}
	suite_add_tcase(s, sync);
	if (rd_th_backend_works(RD_BACKEND_URING))
		suite_add_tcase(s, uring);
	return rd_suite_main(s);
}
