/* SPDX-License-Identifier: GPL-2.0-or-later */
/* EPOLL_WAIT and WAITID: requests that wait for something of the kernel's that has no readiness of its own. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static int ep = -1, efd = -1;
static struct epoll_event *events;
static siginfo_t *info;

static void setup(unsigned int backend)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x123456789abcdef0 };

	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 256, RINGD_SETUP_SUBMIT_ALL);
	ep = epoll_create1(EPOLL_CLOEXEC);
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev), 0);
	events = rd_th_alloc(&th, 4096);
	info = rd_th_alloc(&th, sizeof(*info));
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
	ck_assert_uint_eq(th.engine.epoll_waits, 0);
	close(ep);
	close(efd);
}

/* --- helpers --- */

static struct ringd_sqe *epoll(int fd, uint32_t max)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_EPOLL_WAIT);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)events;
	sqe->len = max;
	return sqe;
}

static struct ringd_sqe *wait_child(uint32_t type, int id, uint32_t options)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_WAITID);

	sqe->fd = id;
	sqe->len = type;
	sqe->file_index = options;
	sqe->addr2 = (uintptr_t)info;
	return sqe;
}

static struct ringd_sqe *cancel(uint64_t user_data)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->addr = user_data;
	return sqe;
}

static void ring_bell(void)
{
	uint64_t one = 1;

	ck_assert_int_eq(write(efd, &one, 8), 8);
}

static void next_is(uint64_t user_data, int32_t res)
{
	struct ringd_cqe cqe = rd_tc_wait(&c);

	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
}

/* --- EPOLL_WAIT --- */

START_TEST(epoll_rules)
{
	int nested = epoll_create1(EPOLL_CLOEXEC);

	epoll(ep, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(ep, UINT32_MAX);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(ep, INT_MAX / 12 + 1);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(efd, 1);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(-1, 1);
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	epoll(ep, 1)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	epoll(ep, 1)->off = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(ep, 1)->rw_flags = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(ep, 1)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	epoll(ep, 1)->splice_fd_in = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	close(nested);
}
END_TEST

START_TEST(events_are_told)
{
	ring_bell();
	epoll(ep, 4);
	ck_assert_int_eq(rd_tc_run(&c), 1);
	ck_assert_uint_eq(events[0].events, EPOLLIN);
	ck_assert_uint_eq(events[0].data.u64, 0x123456789abcdef0);
	epoll(ep, 4);	/* level-triggered: it is still there */
	ck_assert_int_eq(rd_tc_run(&c), 1);
}
END_TEST

START_TEST(events_are_waited_for)
{
	epoll(ep, 4);
	rd_tc_submit_waiting(&c);
	ring_bell();
	next_is(1, 1);
	ck_assert_uint_eq(events[0].data.u64, 0x123456789abcdef0);
}
END_TEST

START_TEST(a_set_in_a_slot)
{
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, ep, 0);
	epoll(0, 4)->flags = RINGD_SQE_FIXED_FILE;
	rd_tc_submit_waiting(&c);
	ring_bell();
	next_is(1, 1);
}
END_TEST

START_TEST(a_set_inside_a_set)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 };
	int outer = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev), 0);
	epoll(outer, 1);
	rd_tc_submit_waiting(&c);
	ring_bell();
	next_is(1, 1);
	ck_assert_uint_eq(events[0].data.u64, 5);
	close(outer);
}
END_TEST

START_TEST(a_wait_for_events_is_cancelled)
{
	for (int i = 0; i < 50; i++) {
		uint64_t id;

		epoll(ep, 4);
		id = c.user_data;
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		if (i & 1)
			rd_tc_expect_none(&c);
		cancel(id);
		ck_assert_int_eq(rd_tc_submit(&c), 1);
		next_is(c.user_data, 0);
		next_is(id, -ECANCELED);
	}
}
END_TEST

START_TEST(workers_of_epoll_are_limited)
{
	unsigned int refused = 0;
	struct ringd_cqe cqe;

	for (int i = 0; i < 100; i++)
		epoll(ep, 4);
	ck_assert_int_eq(rd_tc_submit(&c), 100);
	while (rd_tc_peek(&c, &cqe)) {
		ck_assert_int_eq(cqe.res, -EDQUOT);
		refused++;
	}
	ck_assert_uint_eq(refused, 36);
	ring_bell();
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, 1);
}
END_TEST

START_TEST(a_dying_ring_leaves_sets_alone)
{
	for (int i = 0; i < 5; i++)
		epoll(ep, 4);
	rd_tc_submit_waiting(&c);
	rd_tc_close(&c);
}
END_TEST

/* --- WAITID --- */

START_TEST(waitid_rules)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	wait_child(P_ALL, 0, WEXITED);
	ck_assert_int_eq(rd_tc_run(&c), -ECHILD);
	wait_child(P_ALL, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_ALL, 0, WNOHANG);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_ALL, 0, WEXITED | 0x100);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(4, 1, WEXITED);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_PID, 0, WEXITED);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_PGID, -1, WEXITED);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_ALL, 0, WEXITED)->addr = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_ALL, 0, WEXITED)->waitid_flags = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_ALL, 0, WEXITED)->addr3 = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	wait_child(P_ALL, 0, WEXITED)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
}
END_TEST

/* A child that ends when the pipe is closed. */
static pid_t child(int p[2], int status)
{
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(p[1]);
		_exit(read(p[0], &byte, 1) == 0 ? status : 99);
	}
	close(p[0]);
	return pid;
}

START_TEST(a_child_is_waited_for)
{
	int p[2];
	pid_t pid = child(p, 7);

	wait_child(P_PID, pid, WEXITED | WNOHANG);	/* 1 */
	info->si_pid = 1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(info->si_pid, 0);
	ck_assert_int_eq(info->si_signo, 0);
	wait_child(P_PID, pid, WEXITED);		/* 2 */
	rd_tc_submit_waiting(&c);
	close(p[1]);
	next_is(2, 0);
	ck_assert_int_eq(info->si_signo, SIGCHLD);
	ck_assert_int_eq(info->si_code, CLD_EXITED);
	ck_assert_int_eq(info->si_pid, pid);
	ck_assert_int_eq(info->si_status, 7);
	ck_assert_int_eq(waitpid(pid, NULL, 0), -1);
}
END_TEST

START_TEST(nobody_need_look_at_the_result)
{
	int p[2];
	pid_t pid = child(p, 0);

	close(p[1]);
	wait_child(P_ALL, 0, WEXITED)->addr2 = 0;	/* 1 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(1, 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), -1);
	pid = child(p, 0);
	close(p[1]);
	wait_child(P_PID, pid, WEXITED)->addr2 = 8;	/* 2: reaped all the same */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(2, -EFAULT);
	ck_assert_int_eq(waitpid(pid, NULL, 0), -1);
}
END_TEST

START_TEST(a_cancelled_wait_leaves_the_child)
{
	int p[2];
	pid_t pid = child(p, 3);
	int status;

	wait_child(P_PID, pid, WEXITED);	/* 1 */
	rd_tc_submit_waiting(&c);
	cancel(1);				/* 2 */
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	next_is(2, 1);
	next_is(1, -ECANCELED);
	close(p[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
}
END_TEST

START_TEST(a_host_without_children_has_none)
{
	struct rd_host_ops ops = *th.host.ops;
	int p[2];
	pid_t pid = child(p, 0);

	ops.waitid = NULL;	/* as the service */
	th.host.ops = &ops;
	wait_child(P_PID, pid, WEXITED);
	ck_assert_int_eq(rd_tc_run(&c), -ECHILD);
	wait_child(P_PID, pid, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	rd_tc_close(&c);
	close(p[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(a_dying_ring_leaves_children_alone)
{
	int p[2];
	pid_t pid = child(p, 0);

	wait_child(P_PID, pid, WEXITED);
	rd_tc_submit_waiting(&c);
	rd_tc_close(&c);
	close(p[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* --- with a timeout --- */

/* The SQE before is stopped by a timeout. */
/* res: what the timeout says */
static void times_out(int32_t res)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_LINK_TIMEOUT);

	sqe->addr = 1000000;
	sqe->len = 1;
	sqe->timeout_flags = RINGD_TIMEOUT_IMMEDIATE_ARG;
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	next_is(c.user_data, res);
	next_is(c.user_data - 1, -ECANCELED);
}

START_TEST(a_linked_timeout_ends_the_wait)
{
	uint32_t *word = rd_th_alloc(&th, 4096);
	struct ringd_sqe *sqe;
	int p[2];
	pid_t pid = child(p, 0);

	epoll(ep, 4)->flags = RINGD_SQE_IO_LINK;
	times_out(-ETIME);
	wait_child(P_PID, pid, WEXITED)->flags = RINGD_SQE_IO_LINK;
	times_out(1);	/* what the cancel says */
	sqe = rd_tc_sqe(&c, RINGD_OP_FUTEX_WAIT);
	sqe->fd = 2;
	sqe->addr = (uintptr_t)word;
	sqe->addr3 = UINT32_MAX;
	sqe->flags = RINGD_SQE_IO_LINK;
	times_out(1);
	close(p[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* --- lazy rings --- */

#define LAZY	(RINGD_SETUP_SUBMIT_ALL | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN)

static void open_lazy(void)
{
	rd_tc_close(&c);
	rd_tc_open(&c, &th, 64, LAZY);
}

/* Wait until the ring has something to run, without entering. */
static void until_tasked(void)
{
	while (rd_list_empty(&c.ring->ctx.tasks))
		rd_th_turn(&th);
}

/* Enter until there is a CQE. */
static void enter_until(uint64_t user_data, int32_t res)
{
	struct ringd_cqe cqe;

	while (!rd_tc_peek(&c, &cqe)) {
		rd_th_turn(&th);
		rd_tc_submit(&c);
	}
	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
}

START_TEST(a_lazy_ring_is_told_when_it_enters)
{
	uint32_t *word = rd_th_alloc(&th, 4096);
	struct ringd_sqe *sqe;
	int p[2];
	pid_t pid;

	open_lazy();
	pid = child(p, 0);
	epoll(ep, 4);					/* 1 */
	wait_child(P_PID, pid, WEXITED);		/* 2 */
	sqe = rd_tc_sqe(&c, RINGD_OP_FUTEX_WAIT);	/* 3 */
	sqe->fd = 2;
	sqe->addr = (uintptr_t)word;
	sqe->addr3 = UINT32_MAX;
	rd_tc_submit_waiting(&c);
	ring_bell();
	until_tasked();
	rd_tc_expect_none(&c);
	enter_until(1, 1);
	close(p[1]);
	enter_until(2, 0);
	sqe = rd_tc_sqe(&c, RINGD_OP_FUTEX_WAKE);	/* 4 */
	sqe->fd = 2;
	sqe->addr = (uintptr_t)word;
	sqe->addr2 = 1;
	sqe->addr3 = UINT32_MAX;
	rd_tc_submit(&c);
	next_is(4, 1);
	enter_until(3, 0);
}
END_TEST

START_TEST(a_lazy_ring_dies_before_it_was_told)
{
	open_lazy();
	epoll(ep, 4);
	rd_tc_submit_waiting(&c);
	ring_bell();
	until_tasked();
	rd_tc_close(&c);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		epoll_rules, events_are_told, events_are_waited_for, a_set_in_a_slot, a_set_inside_a_set,
		a_wait_for_events_is_cancelled, workers_of_epoll_are_limited, a_dying_ring_leaves_sets_alone, waitid_rules,
		a_child_is_waited_for, nobody_need_look_at_the_result, a_cancelled_wait_leaves_the_child,
		a_linked_timeout_ends_the_wait, a_lazy_ring_is_told_when_it_enters, a_lazy_ring_dies_before_it_was_told, a_host_without_children_has_none, a_dying_ring_leaves_children_alone,
	};
	Suite *s = suite_create("ops_wait");
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
