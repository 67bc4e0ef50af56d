/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads, signals, credentials and the end of a process that uses rings without a kernel. */
#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "daemon/common/sanitizer.h"
#include "local_ring.h"
#include "sanitized.h"

static struct lring ring, other;
static int pipes[2];
static char buf[64];

static void setup(void)
{
	lr_open(&ring, 8);
	ck_assert_int_eq(pipe(pipes), 0);
}

static void teardown(void)
{
	close(pipes[0]);
	close(pipes[1]);
	lr_close(&ring);
}

static void sqe_read(struct lring *r, uint64_t user_data)
{
	lr_sqe(r, RINGD_OP_READ, pipes[0], buf, sizeof(buf), user_data)->off = (uint64_t)-1;
}

static void *in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;
	void *ret;

	ck_assert_int_eq(pthread_create(&t, NULL, fn, arg), 0);
	ck_assert_int_eq(pthread_join(t, &ret), 0);
	return ret;
}

/* --- the end of a thread --- */

static void *submit_all(void *arg)
{
	uint32_t n = *lr_word(&ring, ring.p.sq_off.tail) - *lr_word(&ring, ring.p.sq_off.head);

	(void)arg;
	ck_assert_int_eq(lr_enter(&ring, n, 0), (int)n);
	return NULL;
}

/* 194 */
START_TEST(poll_of_a_thread_that_ended_is_cancelled_by_its_event)
{
	struct ringd_cqe cqe;

	lr_sqe(&ring, RINGD_OP_POLL_ADD, pipes[0], NULL, 0, 1)->poll32_events = POLLIN;
	in_thread(submit_all, NULL);
	ck_assert_int_eq(lr_enter(&ring, 0, 0), 0);
	ck_assert(!lr_pop(&ring, &cqe));
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), -ECANCELED);
}
END_TEST

START_TEST(read_of_a_thread_that_ended_takes_nothing)
{
	sqe_read(&ring, 1);
	in_thread(submit_all, NULL);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), -ECANCELED);
	ck_assert_int_eq(read(pipes[0], buf, sizeof(buf)), 1);
}
END_TEST

/* Those of other threads are not concerned. */
START_TEST(poll_of_a_thread_that_lives_goes_on)
{
	lr_sqe(&ring, RINGD_OP_POLL_ADD, pipes[0], NULL, 0, 1)->poll32_events = POLLIN;
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, 2);
	in_thread(submit_all, NULL);
	ck_assert_int_eq(lr_expect(&ring, 2), 0);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), POLLIN);
}
END_TEST

/* 195 */
START_TEST(timeout_of_a_thread_that_ended_fires)
{
	struct ringd_timespec ts = { .tv_nsec = 1000000 };

	lr_sqe(&ring, RINGD_OP_TIMEOUT, -1, &ts, 1, 1);
	in_thread(submit_all, NULL);
	ck_assert_int_eq(lr_expect(&ring, 1), -ETIME);
}
END_TEST

#define CHUNK	(256u << 10)

/* 434 */
/* Nobody gives us a thread: what ends by itself is done all the same, and what becomes ready is heard of by who waits. */
static bool no_threads;

#if !RD_SANITIZED	/* they bring their own */
int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	__typeof__(&pthread_create) next = (__typeof__(&pthread_create))dlsym(RTLD_NEXT, "pthread_create");

	return no_threads ? EAGAIN : next(t, attr, run, arg);
}
#endif

START_TEST(without_threads_it_is_done_in_the_call)
{
	char name[] = "/tmp/ringd-life-XXXXXX";
	int file, fd;

	if (RD_SANITIZED)
		return;
	file = mkstemp(name);
	ck_assert_int_ge(file, 0);
	no_threads = true;
	lr_sqe(&ring, RINGD_OP_FSYNC, file, NULL, 0, 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 0);
	lr_sqe(&ring, RINGD_OP_OPENAT, AT_FDCWD, name, 0600, 2)->open_flags = O_RDWR | O_CREAT;
	ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
	fd = lr_expect(&ring, 2);
	ck_assert_int_ge(fd, 0);
	for (uint64_t i = 0; i < 4; i++) {
		struct ringd_sqe *sqe = lr_sqe(&ring, RINGD_OP_WRITE, file, "text", 4, 3);

		sqe->flags = RINGD_SQE_ASYNC;
		sqe->off = i * 4;
	}
	ck_assert_int_eq(lr_enter(&ring, 4, 4), 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(lr_expect(&ring, 3), 4);
	sqe_read(&ring, 4);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 4), 1);
	no_threads = false;
	unlink(name);
	close(fd);
	close(file);
}
END_TEST

/* As much of them as we would ask for as a stack. Each of our threads in these tests has them. */
static __thread volatile char of_each_thread[200u << 10];

START_TEST(threads_have_room_beside_the_variables_of_a_program)
{
	of_each_thread[0] = 1;
	sqe_read(&ring, 1);
	lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, 2);
	lr_sqe(&ring, RINGD_OP_FSYNC, pipes[0], NULL, 0, 3)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(lr_enter(&ring, 3, 0), 3);
	ck_assert_int_eq(lr_expect(&ring, 2), 0);
	ck_assert_int_eq(lr_expect(&ring, 3), -EINVAL);	/* by a worker */
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	while (!lr_ready(&ring))
		sched_yield();				/* by the background thread */
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
}
END_TEST

START_TEST(writes_of_a_thread_that_ended_are_done)
{
	char path[] = "/tmp/check_life.XXXXXX";
	int fd = mkstemp(path);
	char *data = malloc(CHUNK), *back = malloc(CHUNK);
	uint64_t seen = 0;
	struct ringd_cqe cqe;

	ck_assert_int_ge(fd, 0);
	unlink(path);
	memset(data, 'd', CHUNK);
	for (uint64_t i = 0; i < 8; i++) {
		struct ringd_sqe *sqe = lr_sqe(&ring, RINGD_OP_WRITE, fd, data, CHUNK, i);

		sqe->off = i * CHUNK;
		sqe->flags = RINGD_SQE_ASYNC;
	}
	in_thread(submit_all, NULL);
	for (int i = 0; i < 8; i++) {
		while (!lr_pop(&ring, &cqe))
			ck_assert_int_ge(lr_enter(&ring, 0, 1), 0);
		ck_assert_int_eq(cqe.res, (int)CHUNK);
		seen |= 1ull << cqe.user_data;
	}
	ck_assert_uint_eq(seen, 0xff);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(pread(fd, back, CHUNK, (off_t)i * CHUNK), CHUNK);
		ck_assert_mem_eq(back, data, CHUNK);
	}
	free(data);
	free(back);
	close(fd);
}
END_TEST

/* --- signals --- */

static volatile sig_atomic_t handled;
static volatile sig_atomic_t handler_served;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void on_signal_nop(int sig)
{
	(void)sig;
	/* outside of the wait it may be told to come later */
	if (*lr_word(&other, other.p.sq_off.tail) == *lr_word(&other, other.p.sq_off.head))
		lr_sqe(&other, RINGD_OP_NOP, -1, NULL, 0, 7);
	if (lr_enter(&other, 1, 1) == 1)
		handler_served++;
}

static void handle(int sig, void (*fn)(int), int flags)
{
	struct sigaction sa = { .sa_handler = fn, .sa_flags = flags };

	ck_assert_int_eq(sigaction(sig, &sa, NULL), 0);
}

/* Until a thread sleeps in ppoll(), and then some: SIGUSR1 at it until it says that it has come back. */
static volatile int came_back;

static void *pester(void *arg)
{
	const pthread_t *who = arg;
	struct timespec ts = { .tv_nsec = 1000000 };

	while (!__atomic_load_n(&came_back, __ATOMIC_ACQUIRE)) {
		pthread_kill(*who, SIGUSR1);
		nanosleep(&ts, NULL);
	}
	return NULL;
}

static int wait_pestered(struct lring *r)
{
	pthread_t me = pthread_self(), t;
	int res;

	ck_assert_int_eq(pthread_create(&t, NULL, pester, &me), 0);
	res = lr_enter(r, 0, 1);
	__atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	return res;
}

START_TEST(wait_ends_with_eintr_when_a_handler_ran)
{
	handle(SIGUSR1, on_signal, 0);
	ck_assert_int_eq(wait_pestered(&ring), -EINTR);
	ck_assert_int_gt(handled, 0);
}
END_TEST

START_TEST(wait_is_not_restarted)
{
	handle(SIGUSR1, on_signal, SA_RESTART);
	ck_assert_int_eq(wait_pestered(&ring), -EINTR);
}
END_TEST

/* What is ignored is no reason to come back. */
START_TEST(ignored_signal_ends_no_wait)
{
	struct ringd_timespec ts = { .tv_nsec = 50000000 };

	signal(SIGUSR1, SIG_IGN);
	lr_sqe(&ring, RINGD_OP_TIMEOUT, -1, &ts, 1, 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	ck_assert_int_eq(wait_pestered(&ring), 0);
	ck_assert_int_eq(lr_expect(&ring, 1), -ETIME);
}
END_TEST

/* The mask and the sleep are one: what was pending before comes in the wait, and is blocked afterwards. */
START_TEST(mask_is_set_with_the_sleep)
{
	sigset_t block, now;
	uint64_t none = 0;

	handle(SIGUSR1, on_signal, 0);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	raise(SIGUSR1);
	ck_assert_int_eq(handled, 0);
	ck_assert_int_eq(rd_local_enter((unsigned int)ring.fd, 0, 1, RINGD_ENTER_GETEVENTS, &none, 8), -EINTR);
	ck_assert_int_eq(handled, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	ck_assert(sigismember(&now, SIGUSR1));
}
END_TEST

START_TEST(handler_may_use_another_ring_during_a_wait)
{
	lr_open(&other, 8);
	handle(SIGUSR1, on_signal_nop, 0);
	ck_assert_int_eq(wait_pestered(&ring), -EINTR);
	ck_assert_int_gt(handler_served, 0);
	lr_close(&other);
}
END_TEST

/* The sleep of one thread does not keep the SQ of another one's ring from being looked at. */
static void *wait_for_pipe(void *arg)
{
	(void)arg;
	sqe_read(&ring, 1);
	return (void *)(intptr_t)lr_enter(&ring, 1, 1);
}

static void submit_polled(struct lring *r, uint64_t user_data)
{
	struct ringd_cqe cqe;

	lr_sqe(r, RINGD_OP_NOP, -1, NULL, 0, user_data);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(lr_word(r, r->p.sq_off.flags), __ATOMIC_RELAXED) & RINGD_SQ_NEED_WAKEUP)
		rd_local_enter((unsigned int)r->fd, 1, 0, RINGD_ENTER_SQ_WAKEUP, NULL, 8);
	while (!lr_pop(r, &cqe))
		sched_yield();
	ck_assert_uint_eq(cqe.user_data, user_data);
}

START_TEST(polled_sq_is_polled_while_another_thread_waits)
{
	pthread_t t;
	void *ret;

	ck_assert_int_eq(pthread_create(&t, NULL, wait_for_pipe, NULL), 0);
	while (__atomic_load_n(lr_word(&ring, ring.p.sq_off.head), __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	memset(&other, 0, sizeof(other));
	lr_open_flags(&other, 8, RINGD_SETUP_SQPOLL);
	for (uint64_t i = 0; i < 1000; i++)
		submit_polled(&other, i);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	pthread_join(t, &ret);
	ck_assert_int_eq((int)(intptr_t)ret, 1);
	lr_close(&other);
}
END_TEST

/* With IOPOLL who waits is who completes, so there is nothing to wait for when nothing is under way. */
START_TEST(polling_for_nothing_is_over_at_once)
{
	struct ringd_cqe cqe;

	memset(&other, 0, sizeof(other));
	lr_open_flags(&other, 8, RINGD_SETUP_IOPOLL);
	ck_assert_int_eq(lr_enter(&other, 0, 1), 0);
	lr_sqe(&other, RINGD_OP_NOP, -1, NULL, 0, 7);
	ck_assert_int_eq(lr_enter(&other, 1, 2), 1);
	ck_assert(lr_pop(&other, &cqe) && cqe.user_data == 7);
	lr_close(&other);
}
END_TEST

/* Views may be longer than what there is. */
START_TEST(views_of_a_ring_may_be_longer)
{
	const uint64_t offs[] = { RINGD_OFF_SQ_RING, RINGD_OFF_CQ_RING, RINGD_OFF_SQES };
	const size_t len = 1u << 20;
	void *p = NULL;

	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(rd_local_mmap(&p, NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, offs[i]), 0);
		*(volatile char *)p = *(volatile char *)p;
		ck_assert_int_eq(munmap(p, len), 0);
	}
	ck_assert_int_eq(rd_local_mmap(&p, NULL, 0, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0), -EINVAL);
}
END_TEST

/* What is put off to the next turn, so that others get theirs, is seen to although the thread that drives sleeps already. */
START_TEST(busy_socket_goes_on_while_another_thread_waits)
{
	enum { N = 200 };
	static char bufs[N], data[N];
	struct ringd_sqe *sqe;
	int s[2];
	pthread_t t;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	ck_assert_int_eq(write(s[1], data, N), N);
	ck_assert_int_eq(pthread_create(&t, NULL, wait_for_pipe, NULL), 0);
	while (__atomic_load_n(lr_word(&ring, ring.p.sq_off.head), __ATOMIC_ACQUIRE) == 0)
		sched_yield();
	lr_open(&other, 256);
	lr_sqe(&other, RINGD_OP_PROVIDE_BUFFERS, N, bufs, 1, 1)->buf_group = 3;
	sqe = lr_sqe(&other, RINGD_OP_RECV, s[0], NULL, 0, 2);
	sqe->ioprio = RINGD_RECV_MULTISHOT;
	sqe->flags = RINGD_SQE_BUFFER_SELECT;
	sqe->buf_group = 3;
	ck_assert_int_eq(lr_enter(&other, 2, 0), 2);
	while (__atomic_load_n(lr_word(&other, other.p.cq_off.tail), __ATOMIC_ACQUIRE) < N + 1)
		sched_yield();
	lr_close(&other);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	pthread_join(t, NULL);
	close(s[0]);
	close(s[1]);
}
END_TEST

/* What fails with a descriptor that is like all others of its kind fails once, also when it is not tried in its own call. */
START_TEST(late_requests_fail_once)
{
	static const uint8_t orders[] = { RINGD_SQE_IO_LINK, RINGD_SQE_IO_DRAIN };
	int efd = eventfd(1, 0);
	char small[4];

	for (unsigned int i = 0; i < 2; i++) {
		lr_sqe(&ring, RINGD_OP_READ, pipes[0], small, 1, 1)->flags = orders[i] & RINGD_SQE_IO_LINK;
		lr_sqe(&ring, RINGD_OP_READ, efd, small, sizeof(small), 2)->flags = orders[i] & RINGD_SQE_IO_DRAIN;
		ck_assert_int_eq(lr_enter(&ring, 2, 0), 2);
		ck_assert_int_eq(write(pipes[1], "x", 1), 1);
		ck_assert_int_eq(lr_expect(&ring, 1), 1);
		ck_assert_int_eq(lr_expect(&ring, 2), -EINVAL);
	}
	close(efd);
}
END_TEST

/* Any number of requests may wait for one socket, wherever they came from. */
START_TEST(many_requests_wait_for_one_socket)
{
	enum { N = 300 };
	static char bufs[N];
	struct ringd_cqe cqe;
	int s[2], n = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	lr_open(&other, 512);
	for (int i = 0; i < N; i++) {
		lr_sqe(&other, RINGD_OP_RECV, s[0], &bufs[i], 1, 1);
		ck_assert_int_eq(lr_enter(&other, 1, 0), 1);
	}
	ck_assert(!lr_pop(&other, &cqe));
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(write(s[1], "x", 1), 1);
	ck_assert_int_eq(lr_enter(&other, 0, N), 0);
	for (; lr_pop(&other, &cqe); n++)
		ck_assert_int_eq(cqe.res, 1);
	ck_assert_int_eq(n, N);
	lr_close(&other);
	close(s[0]);
	close(s[1]);
}
END_TEST

/* --- close() --- */

/* It changes neither errno nor whether the thread can be cancelled. */
START_TEST(close_changes_nothing_of_the_thread)
{
	int state;

	lr_open(&other, 8);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	rd_local_closing(pipes[0]);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	ck_assert_int_eq(state, PTHREAD_CANCEL_DISABLE);
	lr_close(&other);
	errno = ENOTTY;
	ck_assert(rd_local_close(ring.fd));
	ck_assert_int_eq(errno, ENOTTY);
	close(ring.fd);
	ring.fd = -1;
}
END_TEST

/* An edge for each CQE, as the kernel has it, although those before have not been taken. */
START_TEST(each_cqe_is_an_edge)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);

	rd_local_poll_sync(ring.fd);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, ring.fd, &ev), 0);
	for (uint64_t i = 0; i < 3; i++) {
		lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, i);
		ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 1);
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
	}
	close(ep);
}
END_TEST

/* --- what the program does in between --- */

/* Who asks for events is told of what has happened before, whether there are others or not, and may undo it then. */
START_TEST(asking_for_events_brings_all_there_are)
{
	enum { N = 64 };
	struct ringd_sqe *sqe = lr_sqe(&ring, RINGD_OP_POLL_ADD, pipes[0], NULL, RINGD_POLL_ADD_MULTI, 1);
	struct ringd_cqe cqe;
	unsigned int n = 0;
	char c;

	sqe->poll32_events = POLLIN;
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(write(pipes[1], "x", 1), 1);
		ck_assert_int_eq(rd_local_enter((unsigned int)ring.fd, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
		ck_assert_int_eq(read(pipes[0], &c, 1), 1);
		if (i % 8 == 7) {
			for (; lr_pop(&ring, &cqe); n++)
				ck_assert_uint_ne(cqe.flags & RINGD_CQE_F_MORE, 0);
		}
	}
	ck_assert_uint_ge(n, N);
}
END_TEST

/* A thread that polls an SQ hears of descriptors, too, long before it falls asleep. */
START_TEST(polling_an_sq_forgets_no_descriptor)
{
	struct ringd_params p = { .flags = RINGD_SETUP_SQPOLL, .sq_thread_idle = 200000 };
	struct timespec from, to;
	char c;

	lr_open_params(&other, 8, &p);
	lr_sqe(&other, RINGD_OP_READ, pipes[0], &c, 1, 7);
	ck_assert_int_ge(rd_local_enter((unsigned int)other.fd, 1, 0, RINGD_ENTER_SQ_WAKEUP, NULL, 0), 0);
	while (__atomic_load_n(lr_word(&other, other.p.sq_off.head), __ATOMIC_ACQUIRE) != 1)
		sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &from);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	while (__atomic_load_n(lr_word(&other, other.p.cq_off.tail), __ATOMIC_ACQUIRE) != 1)
		sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_int_lt(to.tv_sec - from.tv_sec, 150);
	lr_close(&other);
}
END_TEST

/* A ring that is closed by a system call ends as well, and gives back what it had: the other end of the pipe hears of it. */
static void closed_without_a_word(bool registered)
{
	int p[2];
	struct pollfd pfd = { .events = POLLERR };
	char c;

	ck_assert_int_eq(pipe(p), 0);
	pfd.fd = p[1];
	lr_open(&other, 8);
	rd_local_unheard(other.fd);
	if (registered) {
		ck_assert_int_eq(rd_local_register((unsigned int)other.fd, RINGD_REGISTER_FILES, p, 1), 0);
	} else {
		lr_sqe(&other, RINGD_OP_READ, p[0], &c, 1, 7);
		ck_assert_int_eq(lr_enter(&other, 1, 0), 1);
	}
	rd_local_closing(p[0]);
	close(p[0]);
	munmap(other.rings, other.rings_len);
	munmap(other.sqes, other.sqes_len);
	ck_assert_int_eq(syscall(SYS_close, other.fd), 0);
	ck_assert_int_eq(poll(&pfd, 1, 100000), 1);
	ck_assert_int_ne(pfd.revents & POLLERR, 0);
	close(p[1]);
}

START_TEST(rings_that_are_closed_without_a_word_end)
{
	closed_without_a_word(false);
	closed_without_a_word(true);
}
END_TEST

/* The memory of a NO_MMAP ring may go before its descriptor does, whether it is shared or not. */
static void memory_goes_first(int flags)
{
	const int prot = PROT_READ | PROT_WRITE;
	struct ringd_params p = { .flags = RINGD_SETUP_NO_MMAP };
	char *mem = mmap(NULL, 8192, prot, flags | MAP_ANONYMOUS, -1, 0);
	struct ringd_sqe *sqe;
	int fd;

	ck_assert_ptr_ne(mem, MAP_FAILED);
	p.cq_off.user_addr = (uintptr_t)mem;
	p.sq_off.user_addr = (uintptr_t)mem + 4096;
	fd = rd_local_setup(4, &p);
	ck_assert_int_ge(fd, 0);
	sqe = (void *)(mem + 4096);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .fd = pipes[0], .addr = (uintptr_t)mem, .len = 1 };
	__atomic_store_n((uint32_t *)(void *)(mem + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	ck_assert_int_eq(rd_local_enter((unsigned int)fd, 1, 0, 0, NULL, 0), 1);
	munmap(mem, 8192);
	ck_assert(rd_local_close(fd));
	close(fd);
	lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, 2);
	ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 2), 0);
}

START_TEST(memory_of_the_program_may_go_first)
{
	memory_goes_first(MAP_PRIVATE);
	memory_goes_first(MAP_SHARED);
}
END_TEST

/*
 * A handler that interrupts whatever is going on is served or told to come later, and nothing is lost by that. Its ring is
 * of its own, since two that use one SQ without a lock lose SQEs anyhow.
 */
static volatile uint32_t handler_done, handler_later;
static volatile bool handler_wrong;	/* no ck_assert() in a handler */

/* The calls that are no enter. */
static void ask_in_handler(void)
{
	uint32_t workers[2] = { 0 };
	void *p = NULL;
	int r;

	r = rd_local_register((unsigned int)other.fd, RINGD_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
	handler_wrong |= r != 0 && r != -EAGAIN;
	r = rd_local_mmap(&p, NULL, other.sqes_len, PROT_READ | PROT_WRITE, MAP_SHARED, other.fd, RINGD_OFF_SQES);
	handler_wrong |= r != 0 && r != -EAGAIN;
	if (r == 0)
		munmap(p, other.sqes_len);
	rd_local_poll_sync(other.fd);
}

static void on_timer(int sig)
{
	struct ringd_cqe cqe;
	int r;

	(void)sig;
	ask_in_handler();
	if (*lr_word(&other, other.p.sq_off.tail) == *lr_word(&other, other.p.sq_off.head))
		lr_sqe(&other, RINGD_OP_NOP, -1, NULL, 0, handler_done);
	r = lr_enter(&other, 1, 1);
	if (r == -EAGAIN) {
		handler_later++;
		return;
	}
	handler_wrong |= r != 1 || !lr_pop(&other, &cqe) || cqe.user_data != handler_done;
	handler_done++;
}

START_TEST(handler_in_the_middle_of_an_enter_is_no_deadlock)
{
	struct itimerspec its = { .it_interval.tv_nsec = 200000, .it_value.tv_nsec = 200000 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct ringd_cqe cqe;
	timer_t timer;

	lr_open(&other, 8);
	handle(SIGUSR1, on_timer, 0);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &its, NULL), 0);
	for (uint64_t i = 0; handler_done < 100 || i < 200000; i++) {
		lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, i);
		if (lr_enter(&ring, 1, 1) != 1 || !lr_pop(&ring, &cqe) || cqe.user_data != i || handler_wrong)
			ck_abort_msg("lost");
	}
	timer_delete(timer);
	signal(SIGUSR1, SIG_IGN);
	lr_close(&other);
}
END_TEST

static sigjmp_buf back_to;

static void on_signal_jump(int sig)
{
	(void)sig;
	__atomic_store_n(&came_back, 1, __ATOMIC_RELEASE);
	siglongjmp(back_to, 1);
}

static void *shoot_sleeper(void *arg)
{
	const pthread_t *who = arg;
	struct timespec ts = { .tv_nsec = 1000000 };
	char path[64], state = 0;

	/* it sleeps, and the only thing it can sleep on is its wait */
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	while (state != 'S') {
		FILE *f = fopen(path, "r");

		ck_assert_int_eq(fscanf(f, "%*d %*s %c", &state), 1);
		fclose(f);
		nanosleep(&ts, NULL);
	}
	pthread_kill(*who, SIGUSR1);
	return NULL;
}

/* Out of a wait, for good. The next waits, of this thread and others, are not disturbed by what it has left. */
START_TEST(jump_out_of_a_wait_leaves_nothing)
{
	pthread_t me = pthread_self(), t;
	volatile int i;

#ifdef __SANITIZE_THREAD__
	return;		/* it keeps a signal back until the call it interrupts has returned: nobody jumps out of that */
#endif
	handle(SIGUSR1, on_signal_jump, SA_NODEFER);
	for (i = 0; i < 6; i++) {
		if (!sigsetjmp(back_to, 1)) {
			ck_assert_int_eq(pthread_create(&t, NULL, shoot_sleeper, &me), 0);
			lr_enter(&ring, 0, 1);
			ck_abort_msg("nothing was to come");
		}
		pthread_join(t, NULL);
	}
	sqe_read(&ring, 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 0), 1);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 1);
}
END_TEST

/* --- cancellation --- */

static int reached_end, went_wrong;

static void *nops_until_cancelled(void *arg)
{
	struct ringd_cqe cqe;

	(void)arg;
	for (uint64_t i = 0;; i++) {
		/* descriptors of all kinds: their calls are places to be cancelled at for libc */
		lr_sqe(&other, RINGD_OP_WRITE, pipes[1], "w", 1, i)->off = (uint64_t)-1;
		lr_sqe(&other, RINGD_OP_READ, pipes[0], buf, 1, i)->off = (uint64_t)-1;
		/* an assertion that holds is told to Check, which can be cancelled at that and loses memory */
		went_wrong |= lr_enter(&other, 2, 2) != 2;
		while (lr_pop(&other, &cqe))
			went_wrong |= cqe.res != 1;
		__atomic_store_n(&reached_end, 1, __ATOMIC_RELEASE);
		if (i > 1000)
			pthread_testcancel();
	}
	return NULL;
}

START_TEST(cancelled_thread_leaves_no_lock)
{
	pthread_t t;
	void *ret;

	lr_open(&other, 8);
	ck_assert_int_eq(pthread_create(&t, NULL, nops_until_cancelled, NULL), 0);
	while (!__atomic_load_n(&reached_end, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert_int_eq(pthread_cancel(t), 0);
	ck_assert_int_eq(pthread_join(t, &ret), 0);
	ck_assert_ptr_eq(ret, PTHREAD_CANCELED);
	ck_assert(!went_wrong);
	lr_sqe(&ring, RINGD_OP_NOP, -1, NULL, 0, 1);
	ck_assert_int_eq(lr_enter(&ring, 1, 1), 1);
	ck_assert_int_eq(lr_expect(&ring, 1), 0);
	lr_close(&other);
}
END_TEST

/* --- credentials --- */

/* A worker and the background thread are there; libc asks each thread to follow, and waits for all. */
START_TEST(setuid_reaches_our_threads)
{
	struct ringd_timespec ts = { .tv_sec = 3600 };

	lr_sqe(&ring, RINGD_OP_TIMEOUT, -1, &ts, 1, 1);		/* the background thread's */
	sqe_read(&ring, 2);
	lr_sqe(&ring, RINGD_OP_FSYNC, pipes[0], NULL, 0, 3)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(lr_enter(&ring, 3, 1), 3);
	ck_assert_int_eq(lr_expect(&ring, 3), -EINVAL);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1), 0);
		ck_assert_int_eq(setgid(getgid()), 0);
	}
}
END_TEST

/* --- the end of the process --- */

static int exit_with_requests(void (*leave)(int))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct lring r;
		struct ringd_timespec ts = { .tv_sec = 3600 };

		lr_open(&r, 8);
		lr_sqe(&r, RINGD_OP_TIMEOUT, -1, &ts, 1, 1);
		sqe_read(&r, 2);
		lr_sqe(&r, RINGD_OP_READ, pipes[0], buf, 1, 3)->flags = RINGD_SQE_ASYNC;
		ck_assert_int_eq(lr_enter(&r, 3, 0), 3);
		leave(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void leave_killed(int code)
{
	(void)code;
	raise(SIGKILL);
}

/* 429 */
START_TEST(process_ends_with_requests_in_flight)
{
	int status = exit_with_requests(exit);

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = exit_with_requests(_exit);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	status = exit_with_requests(leave_killed);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* nobody but us has the pipe */
	close(pipes[0]);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(write(pipes[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	pipes[0] = open("/dev/null", O_RDONLY);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		poll_of_a_thread_that_ended_is_cancelled_by_its_event, read_of_a_thread_that_ended_takes_nothing,
		poll_of_a_thread_that_lives_goes_on, timeout_of_a_thread_that_ended_fires, writes_of_a_thread_that_ended_are_done,
		threads_have_room_beside_the_variables_of_a_program, without_threads_it_is_done_in_the_call,
		late_requests_fail_once,
		wait_ends_with_eintr_when_a_handler_ran, wait_is_not_restarted, ignored_signal_ends_no_wait,
		mask_is_set_with_the_sleep, handler_may_use_another_ring_during_a_wait,
		polled_sq_is_polled_while_another_thread_waits, busy_socket_goes_on_while_another_thread_waits,
		many_requests_wait_for_one_socket,
		close_changes_nothing_of_the_thread,
		each_cqe_is_an_edge, polling_for_nothing_is_over_at_once, views_of_a_ring_may_be_longer,
		asking_for_events_brings_all_there_are, polling_an_sq_forgets_no_descriptor, memory_of_the_program_may_go_first,
		rings_that_are_closed_without_a_word_end,
		handler_in_the_middle_of_an_enter_is_no_deadlock, jump_out_of_a_wait_leaves_nothing,
		cancelled_thread_leaves_no_lock, setuid_reaches_our_threads, process_ends_with_requests_in_flight,
	};
	Suite *s = suite_create("life");
	TCase *tc = tcase_create("life");

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
