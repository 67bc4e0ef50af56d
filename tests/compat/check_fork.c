/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings and fork(): what the child has, whose requests are whose, and who notices. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "daemon/common/sanitizer.h"
#include "local_ring.h"

static struct lring ring;
static int pipes[2], sync_pipe[2];
static char buf[64];

static void setup(void)
{
	lr_open(&ring, 8);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(pipe(sync_pipe), 0);
}

static void teardown(void)
{
	lr_close(&ring);
	for (int i = 0; i < 2; i++) {
		close(pipes[i]);
		close(sync_pipe[i]);
	}
}

static void sqe_read(struct lring *r, int fd, uint64_t user_data)
{
	lr_sqe(r, RINGD_OP_READ, fd, buf, sizeof(buf), user_data)->off = (uint64_t)-1;
}

static void nop(struct lring *r, uint64_t user_data)
{
	lr_sqe(r, RINGD_OP_NOP, -1, NULL, 0, user_data);
	if (lr_enter(r, 1, 0) != 1)
		_exit(9);
}

/* In a child a failed assertion would be told to nobody. */
#define CHILD(expr) do { \
	if (!(expr)) { \
		fprintf(stderr, "child: %s:%d: %s\n", __FILE__, __LINE__, #expr); \
		_exit(1); \
	} \
} while (0)

static void ended_well(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static void tell(void)
{
	(void)!write(sync_pipe[1], "!", 1);
}

static void hear(void)
{
	char c;

	ck_assert_int_eq(read(sync_pipe[0], &c, 1), 1);
}

/* 431 */
/* --- a lock of the program's, whose handlers it has made before its first ring --- */

static pthread_mutex_t programs = PTHREAD_MUTEX_INITIALIZER;

static void lock_it(void)
{
	pthread_mutex_lock(&programs);
}

static void unlock_it(void)
{
	pthread_mutex_unlock(&programs);
}

static void *wait_with_the_lock(void *arg)
{
	struct ringd_timespec ts = { .tv_nsec = 200000000 };

	(void)arg;
	lock_it();
	tell();
	lr_sqe(&ring, RINGD_OP_TIMEOUT, -1, &ts, 1, 1);
	if (lr_enter(&ring, 1, 1) != 1)
		_exit(9);
	unlock_it();
	return NULL;
}

/* fork() waits for who waits for a CQE, and does not keep that one from getting it. */
START_TEST(a_lock_of_the_program_is_no_deadlock)
{
	pthread_t t;
	pid_t pid;

	ck_assert_int_eq(pthread_create(&t, NULL, wait_with_the_lock, NULL), 0);
	hear();
	pid = fork();
	if (!pid) {
		nop(&ring, 2);
		_exit(0);
	}
	ended_well(pid);
	pthread_join(t, NULL);
	ck_assert_int_eq(lr_expect(&ring, 1), -ETIME);
	ck_assert_int_eq(lr_expect(&ring, 2), 0);
}
END_TEST

/* An allocator with a lock that fork() takes before ours: who is asked for memory under our lock waits for it. */
static __thread bool asks_late;
static _Atomic bool fork_has_it;
static bool forks_with_allocator;

#if !RD_SANITIZED	/* they bring their own, and it is theirs to answer for */
extern void *__libc_calloc(size_t n, size_t size);

void *calloc(size_t n, size_t size)
{
	if (asks_late) {
		asks_late = false;
		tell();
		while (!fork_has_it)
			sched_yield();
		while (fork_has_it)
			sched_yield();
	}
	return __libc_calloc(n, size);
}
#endif

static void take_allocator(void)
{
	fork_has_it = forks_with_allocator;
}

static void free_allocator(void)
{
	fork_has_it = false;
}

static void *make_ring(void *arg)
{
	/* whatever a thread asks for when it comes for the first time */
	(void)rd_local_setup(0, arg);
	asks_late = true;
	lr_open(arg, 4);
	return NULL;
}

START_TEST(an_allocator_of_the_program_is_no_deadlock)
{
	struct lring other = { 0 };
	pthread_t t;
	pid_t pid;

	if (RD_SANITIZED)
		return;
	ck_assert_int_eq(pthread_create(&t, NULL, make_ring, &other), 0);
	hear();		/* it has our lock */
	forks_with_allocator = true;
	pid = fork();
	if (!pid) {
		CHILD(rd_local_enter((unsigned int)ring.fd, 0, 0, 0, NULL, 8) == -EOPNOTSUPP);
		lr_open(&other, 8);
		nop(&other, 3);
		CHILD(lr_expect(&other, 3) == 0);
		_exit(0);
	}
	ended_well(pid);
	pthread_join(t, NULL);
	nop(&ring, 4);
	ck_assert_int_eq(lr_expect(&ring, 4), 0);
	nop(&other, 5);
	ck_assert_int_eq(lr_expect(&other, 5), 0);
	lr_close(&other);
}
END_TEST

START_TEST(child_submits_and_both_see_it)
{
	struct ringd_cqe cqe;
	pid_t pid = fork();

	if (pid == 0) {
		nop(&ring, 7);
		CHILD(lr_ready(&ring) == 1);
		_exit(0);
	}
	ended_well(pid);
	ck_assert(lr_pop(&ring, &cqe));
	ck_assert_uint_eq(cqe.user_data, 7);
	/* and the parent goes on behind it */
	nop(&ring, 8);
	ck_assert(lr_pop(&ring, &cqe));
	ck_assert_uint_eq(cqe.user_data, 8);
	ck_assert(!lr_pop(&ring, &cqe));
}
END_TEST

START_TEST(child_acts_on_its_own_descriptors_and_memory)
{
	struct ringd_cqe cqe;
	pid_t pid;

	memset(buf, 0, sizeof(buf));
	pid = fork();
	if (pid == 0) {
		int own[2];

		/* the same numbers, other pipes */
		CHILD(pipe(own) == 0 && dup2(own[0], pipes[0]) >= 0 && dup2(own[1], pipes[1]) >= 0);
		CHILD(write(pipes[1], "child", 5) == 5);
		sqe_read(&ring, pipes[0], 1);
		CHILD(lr_enter(&ring, 1, 1) == 1);
		CHILD(!memcmp(buf, "child", 5));
		_exit(0);
	}
	ended_well(pid);
	ck_assert(lr_pop(&ring, &cqe));
	ck_assert_int_eq(cqe.res, 5);
	ck_assert_int_eq(buf[0], 0);
}
END_TEST

START_TEST(requests_of_the_parent_stay_its_own)
{
	struct ringd_cqe cqe;
	pid_t pid;

	sqe_read(&ring, pipes[0], 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pid = fork();
	if (pid == 0) {
		nop(&ring, 2);
		_exit(0);
	}
	ended_well(pid);
	ck_assert_int_eq(lr_expect(&ring, 2), 0);
	ck_assert_int_eq(write(pipes[1], "abc", 3), 3);
	ck_assert_int_eq(lr_expect(&ring, 1), 3);
	ck_assert_mem_eq(buf, "abc", 3);
	ck_assert(!lr_pop(&ring, &cqe));
}
END_TEST

START_TEST(waiting_parent_is_woken_by_the_child)
{
	pid_t pid = fork();

	if (pid == 0) {
		nop(&ring, 3);
		_exit(0);
	}
	ck_assert_int_eq(lr_expect(&ring, 3), 0);
	ended_well(pid);
}
END_TEST

START_TEST(waiting_child_is_woken_by_the_parent)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct ringd_cqe cqe;

		tell();
		while (!lr_pop(&ring, &cqe))
			CHILD(lr_enter(&ring, 0, 1) >= 0);
		CHILD(cqe.user_data == 4);
		_exit(0);
	}
	hear();
	nop(&ring, 4);
	ended_well(pid);
}
END_TEST

/* Requests that wait, in both at once. */
START_TEST(each_has_requests_in_flight)
{
	int own[2];
	pid_t pid;

	ck_assert_int_eq(pipe(own), 0);
	sqe_read(&ring, pipes[0], 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pid = fork();
	if (pid == 0) {
		sqe_read(&ring, own[0], 2);
		CHILD(lr_enter(&ring, 1, 0) == 1);
		tell();
		CHILD(lr_enter_timed(&ring, 0, 1, 100) == 0);
		_exit(0);
	}
	hear();
	ck_assert_int_eq(write(own[1], "xy", 2), 2);
	ck_assert_int_eq(lr_enter(&ring, 0, 1), 0);
	ended_well(pid);
	ck_assert_int_eq(lr_expect(&ring, 2), 2);
	ck_assert_int_eq(write(pipes[1], "z", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
	close(own[0]);
	close(own[1]);
}
END_TEST

/* A poll of the descriptor that both have tells of what the other did. */
START_TEST(descriptor_is_readable_for_both)
{
	struct pollfd p = { .fd = ring.fd, .events = POLLIN };
	struct ringd_cqe cqe;
	pid_t pid;

	rd_local_poll_sync(ring.fd);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	pid = fork();
	if (pid == 0) {
		nop(&ring, 5);
		_exit(0);
	}
	ck_assert_int_eq(poll(&p, 1, 100000), 1);
	ended_well(pid);
	ck_assert(lr_pop(&ring, &cqe));
	rd_local_poll_sync(ring.fd);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
}
END_TEST

/* 432 */
START_TEST(requests_live_on_for_the_child)
{
	pid_t pid;

	sqe_read(&ring, pipes[0], 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pid = fork();
	if (pid == 0) {
		struct ringd_cqe cqe;

		while (!lr_pop(&ring, &cqe))
			CHILD(lr_enter(&ring, 0, 1) >= 0);
		CHILD(cqe.user_data == 1 && cqe.res == 1);
		_exit(0);
	}
	ck_assert(rd_local_close(ring.fd));
	close(ring.fd);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ended_well(pid);
	while (rd_local_rings)
		usleep(1000);
	lr_open(&ring, 8);
}
END_TEST

/* 433 */
START_TEST(request_of_a_child_that_ended_is_cancelled_by_its_event)
{
	struct ringd_cqe cqe;
	pid_t pid = fork();

	if (pid == 0) {
		sqe_read(&ring, pipes[0], 1);
		CHILD(lr_enter(&ring, 1, 0) == 1);
		_exit(0);
	}
	ended_well(pid);
	ck_assert_int_eq(lr_enter(&ring, 0, 0), 0);
	ck_assert(!lr_pop(&ring, &cqe));
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), -ECANCELED);
	ck_assert_int_eq(read(pipes[0], buf, sizeof(buf)), 1);
}
END_TEST

/* Nobody has it any more: what it was waiting for is free. */
START_TEST(requests_end_with_the_last_who_has_the_ring)
{
	pid_t pid;
	char c;

	lr_sqe(&ring, RINGD_OP_POLL_ADD, pipes[1], NULL, 0, 1)->poll32_events = POLLERR;
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pid = fork();
	if (pid == 0) {
		close(pipes[1]);
		CHILD(read(sync_pipe[0], &c, 1) == 1);
		_exit(0);
	}
	ck_assert(rd_local_close(ring.fd));
	close(ring.fd);
	close(pipes[1]);
	ck_assert_int_eq(rd_local_rings, 1);
	(void)!write(sync_pipe[1], "!", 1);
	ck_assert_int_eq(read(pipes[0], &c, 1), 0);
	ended_well(pid);
	while (rd_local_rings)
		usleep(1000);
	pipes[1] = open("/dev/null", O_WRONLY);
	lr_open(&ring, 8);
}
END_TEST


START_TEST(ring_lives_on_in_the_child)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct ringd_cqe cqe;
		char c;

		CHILD(read(pipes[0], &c, 1) == 1);
		for (uint64_t i = 0; i < 100; i++) {
			nop(&ring, i);
			CHILD(lr_pop(&ring, &cqe) && cqe.user_data == i);
		}
		_exit(0);
	}
	ck_assert(rd_local_close(ring.fd));
	close(ring.fd);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ended_well(pid);
	lr_open(&ring, 8);
}
END_TEST

START_TEST(child_closes_and_the_parent_goes_on)
{
	pid_t pid;

	sqe_read(&ring, pipes[0], 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pid = fork();
	if (pid == 0) {
		nop(&ring, 2);
		CHILD(rd_local_close(ring.fd));
		close(ring.fd);
		CHILD(lr_enter(&ring, 0, 0) == -EBADF);
		_exit(0);
	}
	ended_well(pid);
	ck_assert_int_eq(lr_expect(&ring, 2), 0);
	nop(&ring, 3);
	ck_assert_int_eq(lr_expect(&ring, 3), 0);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
}
END_TEST

/* A ring of the child's own, with workers and timers of its own. */
START_TEST(child_makes_rings_of_its_own)
{
	struct ringd_timespec ts = { .tv_nsec = 1000000 };
	pid_t pid;

	sqe_read(&ring, pipes[0], 1);
	lr_sqe(&ring, RINGD_OP_FSYNC, pipes[0], NULL, 0, 2)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(lr_enter(&ring, 2, 1), 2);
	ck_assert_int_eq(lr_expect(&ring, 2), -EINVAL);
	pid = fork();
	if (pid == 0) {
		struct lring own;
		struct ringd_cqe cqe;

		lr_open(&own, 8);
		lr_sqe(&own, RINGD_OP_TIMEOUT, -1, &ts, 1, 1);
		lr_sqe(&own, RINGD_OP_FSYNC, pipes[0], NULL, 0, 2)->flags = RINGD_SQE_ASYNC;
		CHILD(lr_enter(&own, 2, 2) == 2);
		CHILD(lr_pop(&own, &cqe) && lr_pop(&own, &cqe));
		CHILD(!lr_pop(&own, &cqe) && !lr_ready(&ring));
		lr_close(&own);
		_exit(0);
	}
	ended_well(pid);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
}
END_TEST

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* The reader of a pipe waits for the end of all writers: a child that has closed a ring has none of the parent's requests. */
START_TEST(child_has_no_descriptor_of_a_request)
{
	pid_t pid;
	char c;

	lr_sqe(&ring, RINGD_OP_POLL_ADD, pipes[1], NULL, 0, 1)->poll32_events = POLLERR;
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pid = fork();
	if (pid == 0) {
		CHILD(close(pipes[1]) == 0 && rd_local_close(ring.fd) && close(ring.fd) == 0);
		tell();
		CHILD(read(pipes[0], &c, 1) == 0);
		_exit(0);
	}
	hear();
	lr_close(&ring);
	close(pipes[1]);
	ended_well(pid);
	pipes[1] = open("/dev/null", O_WRONLY);
	lr_open(&ring, 8);
}
END_TEST

/* Nothing is left of rings in a process that closed all of them, whoever made them. */
START_TEST(nothing_is_left_in_the_child)
{
	unsigned int before = count_fds();
	pid_t pid = fork();

	if (pid == 0) {
		struct lring own;

		nop(&ring, 1);
		lr_open(&own, 8);
		lr_close(&own);
		lr_close(&ring);
		CHILD(count_fds() < before);
		CHILD(rd_local_rings == 0);
		lr_open(&own, 8);
		nop(&own, 2);
		lr_close(&own);
		_exit(0);
	}
	ended_well(pid);
}
END_TEST

/* The SQ is polled by who made it, with its descriptors. */
START_TEST(polled_ring_stays_with_its_maker)
{
	struct lring polled;
	pid_t pid;

	lr_open_flags(&polled, 8, RINGD_SETUP_SQPOLL);
	pid = fork();
	if (pid == 0) {
		close(pipes[1]);
		lr_sqe(&polled, RINGD_OP_WRITE, pipes[1], "p", 1, 1)->off = (uint64_t)-1;
		CHILD(rd_local_enter((unsigned int)polled.fd, 1, 1, RINGD_ENTER_SQ_WAKEUP | RINGD_ENTER_GETEVENTS, NULL, 8) == 1);
		_exit(0);
	}
	ended_well(pid);
	ck_assert_int_eq(lr_expect(&polled, 1), 1);
	ck_assert_int_eq(read(pipes[0], buf, 1), 1);
	lr_close(&polled);
}
END_TEST

/* Two processes that take turns, killed at any moment: who is left goes on. */
START_TEST(killed_child_does_not_hold_up_the_parent)
{
	for (int round = 0; round < 20; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			/* waits only: two that fill one SQ without a lock are their program's fault */
			tell();
			for (;;)
				(void)lr_enter(&ring, 0, 0);
		}
		hear();
		for (uint64_t i = 0; i < 200; i++) {
			nop(&ring, i);
			ck_assert_int_eq(lr_expect(&ring, i), 0);
		}
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		nop(&ring, 1000);
		ck_assert_int_eq(lr_expect(&ring, 1000), 0);
	}
}
END_TEST

START_TEST(grandchild_has_it_too)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid_t pid2 = fork();
		int status;

		if (pid2 == 0) {
			nop(&ring, 1);
			_exit(0);
		}
		CHILD(waitpid(pid2, &status, 0) == pid2 && status == 0);
		nop(&ring, 2);
		pid2 = fork();
		if (pid2 == 0) {
			nop(&ring, 3);
			_exit(0);
		}
		CHILD(waitpid(pid2, &status, 0) == pid2 && status == 0);
		_exit(0);
	}
	ended_well(pid);
	for (uint64_t i = 1; i <= 3; i++)
		ck_assert_int_eq(lr_expect(&ring, i), 0);
}
END_TEST

START_TEST(forks_and_execs_under_load)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid;

		lr_sqe(&ring, RINGD_OP_FSYNC, pipes[0], NULL, 0, 1)->flags = RINGD_SQE_ASYNC;
		ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
		pid = fork();
		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		ck_assert_int_eq(lr_expect(&ring, 1), -EINVAL);
		ended_well(pid);
	}
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		child_submits_and_both_see_it, child_acts_on_its_own_descriptors_and_memory, requests_of_the_parent_stay_its_own,
		waiting_parent_is_woken_by_the_child, waiting_child_is_woken_by_the_parent, each_has_requests_in_flight,
		descriptor_is_readable_for_both, requests_live_on_for_the_child, requests_end_with_the_last_who_has_the_ring,
		request_of_a_child_that_ended_is_cancelled_by_its_event, ring_lives_on_in_the_child, child_closes_and_the_parent_goes_on,
		child_makes_rings_of_its_own, child_has_no_descriptor_of_a_request, nothing_is_left_in_the_child,
		polled_ring_stays_with_its_maker, killed_child_does_not_hold_up_the_parent, grandchild_has_it_too,
		forks_and_execs_under_load, a_lock_of_the_program_is_no_deadlock,
		an_allocator_of_the_program_is_no_deadlock,
	};
	Suite *s = suite_create("fork");
	TCase *tc = tcase_create("fork");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	pthread_atfork(lock_it, unlock_it, unlock_it);
	pthread_atfork(take_allocator, free_allocator, free_allocator);
	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
