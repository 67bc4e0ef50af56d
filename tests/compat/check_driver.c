/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who sees to the rings of a process, while whoever should is interrupted, has gone, is busy or cannot be had. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "local_ring.h"

static struct lring ring, other;
static int pipes[2], other_pipes[2];
static char buf[64], other_buf[64];

static void setup(void)
{
	lr_open(&ring, 8);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(pipe(other_pipes), 0);
}

static void teardown(void)
{
	for (int i = 0; i < 2; i++) {
		close(pipes[i]);
		close(other_pipes[i]);
	}
	lr_close(&ring);
}

static void sqe_read(struct lring *r, int fd, void *to, uint64_t user_data)
{
	lr_sqe(r, RINGD_OP_READ, fd, to, sizeof(buf), user_data)->off = (uint64_t)-1;
}

static void handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	ck_assert_int_eq(sigaction(sig, &sa, NULL), 0);
}

/* Until it sleeps; the only thing its threads have to sleep on is a wait. */
static void await_sleep(pid_t tid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	while (state != 'S') {
		FILE *f = fopen(path, "r");

		ck_assert_int_eq(fscanf(f, "%*d %*s %c", &state), 1);
		fclose(f);
		sched_yield();
	}
}

/* --- signal handlers that wait --- */

static volatile int handler_result;
static pid_t main_tid;

static void on_signal_read(int sig)
{
	struct ringd_cqe cqe;

	(void)sig;
	sqe_read(&other, other_pipes[0], other_buf, 7);
	handler_result = lr_enter(&other, 1, 1) == 1 && lr_pop(&other, &cqe) ? cqe.res : -1;
}

static void *interrupt_and_feed(void *arg)
{
	await_sleep(main_tid);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	while (*(volatile uint32_t *)lr_word(&other, other.p.sq_off.head) == 0)
		sched_yield();
	await_sleep(main_tid);
	ck_assert_int_eq(write(other_pipes[1], "abc", 3), 3);
	return NULL;
}

/* It was going to see to everything itself, and its handler waits for something. */
START_TEST(handler_waits_while_its_thread_drives)
{
	pthread_t me = pthread_self(), t;

	main_tid = (pid_t)syscall(SYS_gettid);
	lr_open(&other, 8);
	handle(SIGUSR1, on_signal_read, SA_RESTART);
	sqe_read(&ring, pipes[0], buf, 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	ck_assert_int_eq(pthread_create(&t, NULL, interrupt_and_feed, &me), 0);
	ck_assert_int_eq(lr_enter(&ring, 0, 1), -EINTR);
	ck_assert_int_eq(handler_result, 3);
	pthread_join(t, NULL);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
	lr_close(&other);
}
END_TEST

static void sqe_timeout(struct lring *r, struct ringd_timespec *ts, uint64_t user_data)
{
	lr_sqe(r, RINGD_OP_TIMEOUT, -1, ts, 1, user_data);
}

static volatile uint32_t handler_done, handler_later;
static volatile bool handler_wrong;	/* no ck_assert() in a handler */

/* Everything there is to call, and a wait that nobody but a driver ends. */
static void on_signal_all(int sig)
{
	static struct ringd_timespec ts = { .tv_nsec = 1000 };
	struct pollfd p = { .fd = other.fd, .events = POLLIN };
	struct ringd_cqe cqe;
	void *map = NULL;
	int r;

	(void)sig;
	r = rd_local_mmap(&map, NULL, other.sqes_len, PROT_READ, MAP_SHARED, other.fd, RINGD_OFF_SQES);
	handler_wrong |= r != 0 && r != -EAGAIN;
	if (r == 0)
		munmap(map, other.sqes_len);
	r = rd_local_register((unsigned int)other.fd, RINGD_REGISTER_EVENTFD, &(int){ -1 }, 1);
	handler_wrong |= r != -EBADF && r != -EAGAIN;
	rd_local_poll_sync(other.fd);
	poll(&p, 1, 0);
	if (*lr_word(&other, other.p.sq_off.tail) == *lr_word(&other, other.p.sq_off.head))
		sqe_timeout(&other, &ts, handler_done);
	r = lr_enter(&other, 1, 1);
	if (r == -EAGAIN) {
		handler_later++;
		return;
	}
	handler_wrong |= r != 1 || !lr_pop(&other, &cqe) || cqe.user_data != handler_done || cqe.res != -ETIME;
	handler_done++;
}

/* At whatever point of a wait the signal comes, the moment before it sleeps included. */
START_TEST(handler_waits_at_any_point_of_a_wait)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct ringd_timespec ts = { .tv_nsec = 20000 };
	struct itimerspec its = { 0 };
	struct ringd_cqe cqe;
	timer_t timer;

	lr_open(&other, 8);
	handle(SIGUSR1, on_signal_all, 0);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	for (uint64_t i = 0; i < 5000 || handler_done < 100; i++) {
		its.it_value.tv_nsec = 1 + (long)(i * 997 % 60000);
		ck_assert_int_eq(timer_settime(timer, 0, &its, NULL), 0);
		sqe_timeout(&ring, &ts, i);
		ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
		while (!lr_pop(&ring, &cqe))
			ck_assert_int_ge(lr_enter(&ring, 0, 1), -EINTR);
		if (cqe.user_data != i || handler_wrong)
			ck_abort_msg("lost");
	}
	timer_delete(timer);
	signal(SIGUSR1, SIG_IGN);
	lr_close(&other);
}
END_TEST

static pid_t forked;

static void on_signal_fork(int sig)
{
	(void)sig;
	forked = fork();
}

static void *interrupt(void *arg)
{
	await_sleep(main_tid);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

/* Both of the two come back from the wait, and the ring is good in both. */
START_TEST(handler_forks_during_a_wait)
{
	pthread_t me = pthread_self(), t;
	int r, status;

	main_tid = (pid_t)syscall(SYS_gettid);
	handle(SIGUSR1, on_signal_fork, 0);
	ck_assert_int_eq(pthread_create(&t, NULL, interrupt, &me), 0);
	r = lr_enter(&ring, 0, 1);
	if (forked == 0) {
		lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, 1);
		r = r != -EINTR ? 1 : lr_enter(&ring, 1, 1) != 1 ? 2 : lr_ready(&ring) != 1 ? 3 : rd_local_rings != 1 ? 4 : 0;
		_exit(r);
	}
	ck_assert_int_eq(r, -EINTR);
	pthread_join(t, NULL);
	ck_assert_int_eq(waitpid(forked, &status, 0), forked);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* --- waiters that do not come back --- */

static pid_t other_tid;

static void on_signal_exit(int sig)
{
	(void)sig;
	pthread_exit(NULL);
}

static void *wait_for_nothing(void *arg)
{
	(void)arg;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	__atomic_store_n(&other_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	lr_enter(&ring, 0, 1);
	return NULL;
}

static void *feed(void *arg)
{
	(void)arg;
	await_sleep(main_tid);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	return NULL;
}

static void end_of_a_waiter(void (*end)(pthread_t t))
{
	pthread_t t;

	main_tid = (pid_t)syscall(SYS_gettid);
	ck_assert_int_eq(pthread_create(&t, NULL, wait_for_nothing, NULL), 0);
	while (!__atomic_load_n(&other_tid, __ATOMIC_ACQUIRE))
		sched_yield();
	await_sleep(other_tid);
	end(t);
	pthread_join(t, NULL);
	ck_assert_int_eq(pthread_create(&t, NULL, feed, NULL), 0);
	sqe_read(&ring, pipes[0], buf, 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
	pthread_join(t, NULL);
}

static void end_by_signal(pthread_t t)
{
	pthread_kill(t, SIGUSR1);
}

static void end_by_cancel(pthread_t t)
{
	pthread_cancel(t);
}

/* A thread that has never submitted anything, and drove. */
START_TEST(thread_ends_in_a_wait)
{
	handle(SIGUSR1, on_signal_exit, 0);
	end_of_a_waiter(end_by_signal);
}
END_TEST

START_TEST(thread_is_cancelled_in_a_wait)
{
	end_of_a_waiter(end_by_cancel);
}
END_TEST

static sigjmp_buf back_to;

static void on_signal_jump(int sig)
{
	(void)sig;
	siglongjmp(back_to, 1);
}

/* The ring is told that nobody waits any more: nothing comes while the program does not ask. */
START_TEST(jump_out_of_a_lazy_wait_ends_it)
{
	pthread_t me = pthread_self(), t;

	main_tid = (pid_t)syscall(SYS_gettid);
	lr_open_flags(&other, 8, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_TASKRUN_FLAG);
	handle(SIGUSR1, on_signal_jump, SA_NODEFER);
	if (!sigsetjmp(back_to, 1)) {
		ck_assert_int_eq(pthread_create(&t, NULL, interrupt, &me), 0);
		lr_enter(&other, 0, 1);
		ck_abort_msg("nothing was to come");
	}
	sqe_read(&other, pipes[0], buf, 1);
	ck_assert_int_eq(lr_enter(&other, 1, 0), 1);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	while (!(__atomic_load_n(lr_word(&other, other.p.sq_off.flags), __ATOMIC_ACQUIRE) & RINGD_SQ_TASKRUN) && !lr_ready(&other))
		sched_yield();
	ck_assert_uint_eq(lr_ready(&other), 0);
	ck_assert_int_eq(lr_expect(&other, 1), 1);
	pthread_join(t, NULL);
	lr_close(&other);
}
END_TEST

/* --- two waiters of one lazy ring --- */

static char *data;
static int data_fd;
static volatile int came_back;

static void read_polled(uint64_t user_data)
{
	struct ringd_sqe *sqe = lr_sqe(&other, RINGD_OP_READ, data_fd, data, 4096, user_data);

	sqe->flags = RINGD_SQE_ASYNC;
}

static void *wait_for_three(void *arg)
{
	(void)arg;
	__atomic_store_n(&other_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	read_polled(1);
	lr_enter(&other, 1, 3);
	__atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Its read may have been done before it could wait; then there was nothing to wait for. */
static bool is_waiting(void)
{
	char path[64], state = 0;
	FILE *f;

	while (!__atomic_load_n(&other_tid, __ATOMIC_ACQUIRE))
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)other_tid);
	while (state != 'S' && !__atomic_load_n(&came_back, __ATOMIC_ACQUIRE)) {
		f = fopen(path, "r");
		if (f && fscanf(f, "%*d %*s %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		sched_yield();
	}
	return state == 'S';
}

static void two_waits(void)
{
	unsigned int left = 1;
	struct ringd_cqe cqe;
	pthread_t t;

	came_back = other_tid = 0;
	ck_assert_int_eq(pthread_create(&t, NULL, wait_for_three, NULL), 0);
	if (is_waiting()) {
		read_polled(2);
		ck_assert_int_eq(lr_enter(&other, 1, 2), 1);
		read_polled(3);
		read_polled(4);
		ck_assert_int_eq(lr_enter(&other, 2, 0), 2);
		left = 4;
	}
	pthread_join(t, NULL);
	while (left) {
		left -= lr_pop(&other, &cqe);
		rd_local_enter((unsigned int)other.fd, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 8);
	}
}

/* The end of the one wait is not that of the other: IOPOLL is the only kind of which threads may share a ring. */
START_TEST(two_wait_on_a_lazy_ring)
{
	char path[] = "check_driver.XXXXXX";

	data_fd = mkostemp(path, O_DIRECT);
	if (data_fd < 0)	/* a file system without */
		return;
	unlink(path);
	data = aligned_alloc(4096, 4096);
	memset(data, 'd', 4096);
	ck_assert_int_eq(write(data_fd, data, 4096), 4096);
	lr_open_flags(&other, 8, RINGD_SETUP_IOPOLL);
	for (int i = 0; i < 20; i++)
		two_waits();
	lr_close(&other);
	close(data_fd);
	free(data);
}
END_TEST

/* --- a driver that leaves while the handler of another waiter waits --- */

/* Aside, with a handler that waits as well; its thread can do nothing before that is over. */
static void *wait_aside(void *arg)
{
	int r;

	(void)arg;
	__atomic_store_n(&other_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	do
		r = lr_enter(&ring, 0, 2);
	while (r == -EINTR);
	return (void *)(intptr_t)r;
}

static void *interrupt_aside(void *arg)
{
	pthread_t t;
	void *ret;

	(void)arg;
	await_sleep(main_tid);
	ck_assert_int_eq(pthread_create(&t, NULL, wait_aside, NULL), 0);
	while (!__atomic_load_n(&other_tid, __ATOMIC_ACQUIRE))
		sched_yield();
	await_sleep(other_tid);
	pthread_kill(t, SIGUSR1);
	while (*(volatile uint32_t *)lr_word(&other, other.p.sq_off.head) == 0)
		sched_yield();
	await_sleep(other_tid);
	/* the driver goes */
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	while (!__atomic_load_n(&came_back, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert_int_eq(write(other_pipes[1], "abc", 3), 3);
	pthread_join(t, &ret);
	return ret;
}

START_TEST(driver_leaves_to_a_handler_that_waits)
{
	pthread_t t;
	void *ret;

	main_tid = (pid_t)syscall(SYS_gettid);
	lr_open(&other, 8);
	handle(SIGUSR1, on_signal_read, 0);
	sqe_read(&ring, pipes[0], buf, 1);
	ck_assert_int_eq(pthread_create(&t, NULL, interrupt_aside, NULL), 0);
	ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
	__atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&handler_result, __ATOMIC_ACQUIRE) != 3)
		sched_yield();
	lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, 2);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	pthread_join(t, &ret);
	ck_assert_int_eq((int)(intptr_t)ret, 0);
	lr_close(&other);
}
END_TEST

/* --- a driver that is never idle --- */

static volatile int enough;

/* Its SQ is polled, and never empty for long. */
static void *nops(void *arg)
{
	struct ringd_cqe cqe;

	(void)arg;
	for (uint64_t i = 0; !__atomic_load_n(&enough, __ATOMIC_ACQUIRE); i++) {
		lr_sqe(&other, RINGD_OP_NOP, -1, NULL, 0, i);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(lr_word(&other, other.p.sq_off.flags), __ATOMIC_RELAXED) & RINGD_SQ_NEED_WAKEUP)
			rd_local_enter((unsigned int)other.fd, 1, 0, RINGD_ENTER_SQ_WAKEUP, NULL, 8);
		while (!lr_pop(&other, &cqe))
			sched_yield();
	}
	return NULL;
}

START_TEST(busy_sq_keeps_nobody_waiting)
{
	struct ringd_timespec ts = { .tv_nsec = 1000000 };
	pthread_t t;

	lr_open_flags(&other, 8, RINGD_SETUP_SQPOLL);
	ck_assert_int_eq(pthread_create(&t, NULL, nops, NULL), 0);
	for (int i = 0; i < 20; i++) {
		sqe_read(&ring, pipes[0], buf, 1);
		ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
		ck_assert_int_eq(write(pipes[1], "x", 1), 1);
		ck_assert_int_eq(lr_expect(&ring, 1), 1);
		sqe_timeout(&ring, &ts, 2);
		ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
		ck_assert_int_eq(lr_expect(&ring, 2), -ETIME);
	}
	__atomic_store_n(&enough, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	lr_close(&other);
}
END_TEST

/* --- no thread of our own --- */

static int no_threads(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* In a process that can make none; what it ends with. */
static int without_threads(int (*fn)(struct lring *r))
{
	struct lring r;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (no_threads() < 0)
			_exit(0);	/* this kernel has no filters */
		_exit(fn(&r));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int epoll_alone(struct lring *r)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct ringd_timespec ts = { .tv_nsec = 1000000 };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct ringd_cqe cqe;
	unsigned int seen = 0;

	lr_open(r, 8);
	rd_local_poll_sync(r->fd);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, r->fd, &ev) < 0)
		return 1;
	sqe_read(r, pipes[0], buf, 1);
	sqe_timeout(r, &ts, 2);
	if (lr_enter(r, 2, 0) != 2)
		return 2;
	if (write(pipes[1], "x", 1) != 1)
		return 3;
	/* as interposed calls do it: made exact, then slept on */
	while (seen != 3) {
		rd_local_poll_sync(r->fd);
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			return 4;
		while (lr_pop(r, &cqe))
			seen |= (unsigned int)cqe.user_data;
	}
	return 0;
}

START_TEST(ring_fd_is_readable_without_a_thread)
{
	ck_assert_int_eq(without_threads(epoll_alone), 0);
}
END_TEST

static int polled_alone(struct lring *r)
{
	struct ringd_cqe cqe;

	lr_open_flags(r, 8, RINGD_SETUP_SQPOLL);
	for (uint64_t i = 0; i < 100; i++) {
		lr_sqe(r, RINGD_OP_NOP, -1, NULL, 0, i);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(lr_word(r, r->p.sq_off.flags), __ATOMIC_RELAXED) & RINGD_SQ_NEED_WAKEUP)
			rd_local_enter((unsigned int)r->fd, 1, 0, RINGD_ENTER_SQ_WAKEUP, NULL, 8);
		while (!lr_pop(r, &cqe))
			;
		if (cqe.user_data != i)
			return 1;
	}
	return 0;
}

START_TEST(sq_asks_for_a_call_without_a_thread)
{
	ck_assert_int_eq(without_threads(polled_alone), 0);
}
END_TEST

static int wait_alone(struct lring *r)
{
	struct lring polled;
	struct ringd_timespec ts = { .tv_nsec = 1000000 };

	lr_open(r, 8);
	lr_open_flags(&polled, 8, RINGD_SETUP_SQPOLL);
	sqe_timeout(r, &ts, 1);
	if (lr_enter(r, 1, 1) != 1 || lr_expect(r, 1) != -ETIME)
		return 1;
	sqe_read(r, pipes[0], buf, 2);
	if (lr_enter(r, 1, 0) != 1 || write(pipes[1], "x", 1) != 1)
		return 2;
	/* asked for again and again instead of waited for */
	while (!lr_ready(r))
		rd_local_enter((unsigned int)r->fd, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 8);
	return lr_expect(r, 2) == 1 ? 0 : 3;
}

START_TEST(waits_and_looks_do_without_a_thread)
{
	ck_assert_int_eq(without_threads(wait_alone), 0);
}
END_TEST

/* --- numbers --- */

/* One that was closed unheard, and is another ring's now: the ring it was is gone. */
START_TEST(duplicate_ends_the_ring_whose_number_it_gets)
{
	lr_open(&other, 8);
	ck_assert_uint_eq(rd_local_rings, 2);
	syscall(SYS_close, other.fd);
	ck_assert_int_eq(dup2(ring.fd, other.fd), other.fd);
	rd_local_dup(ring.fd, other.fd);
	ck_assert_uint_eq(rd_local_rings, 1);
	ck_assert_int_eq(rd_local_enter((unsigned int)other.fd, 0, 0, 0, NULL, 8), 0);
	lr_close(&other);
	ck_assert_uint_eq(rd_local_rings, 1);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		handler_waits_while_its_thread_drives, handler_waits_at_any_point_of_a_wait, handler_forks_during_a_wait,
		thread_ends_in_a_wait, thread_is_cancelled_in_a_wait, jump_out_of_a_lazy_wait_ends_it, two_wait_on_a_lazy_ring,
		driver_leaves_to_a_handler_that_waits,
		busy_sq_keeps_nobody_waiting, ring_fd_is_readable_without_a_thread, sq_asks_for_a_call_without_a_thread,
		waits_and_looks_do_without_a_thread, duplicate_ends_the_ring_whose_number_it_gets,
	};
	Suite *s = suite_create("driver");
	TCase *tc = tcase_create("driver");

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

	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
