/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Futexes, children, events of an epoll set */
#include "cf.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define ANY	0xffffffffull
#define U32	2	/* FUTEX2_SIZE_U32 */

static struct cf_ring *ring;
static uint32_t *words;

static void begin(unsigned int op)
{
	ring = cf_ring_new(16, 0);
	cf_need_op(op);
	words = cf_alloc(4096, 4096);
}

static struct ringd_sqe *futex(unsigned int op, uint64_t user_data, const uint32_t *word, uint64_t val, uint64_t mask)
{
	struct ringd_sqe *sqe = cf_sqe_ud(ring, op, user_data, 0);

	sqe->fd = U32;
	sqe->addr = cf_addr(word);
	sqe->addr2 = val;
	sqe->addr3 = mask;
	return sqe;
}

static struct ringd_sqe *waitv(uint64_t user_data, unsigned int nr, unsigned int room)
{
	struct futex_waitv *v = cf_alloc(room * sizeof(*v), 8);
	struct ringd_sqe *sqe = cf_sqe_ud(ring, RINGD_OP_FUTEX_WAITV, user_data, 0);

	for (unsigned int i = 0; i < room; i++)
		v[i] = (struct futex_waitv){ .val = words[i], .uaddr = cf_addr(&words[i]), .flags = U32 };
	sqe->fd = 0;
	sqe->addr = cf_addr(v);
	sqe->len = nr;
	return sqe;
}

static struct ringd_sqe *epoll(int fd, struct epoll_event *events, unsigned int max)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_EPOLL_WAIT);

	sqe->addr = cf_addr(events);
	sqe->len = max;
	cf_sqe_fd(ring, sqe, fd);
	return sqe;
}

static struct ringd_sqe *child(int id, unsigned int options, siginfo_t *info)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_WAITID);

	sqe->fd = id;
	sqe->len = P_PID;
	sqe->file_index = options;
	sqe->addr2 = cf_addr(info);
	return sqe;
}

/* --- epoll --- */

CF_TEST(epoll_wait_rules, 298, "Epoll_wait with maxevents 0 -> -EINVAL; on an eventfd -> -EINVAL; with an event pending -> count")
{
	struct epoll_event *events, ev = { .events = EPOLLIN, .data.u64 = 77 };
	int ep = epoll_create1(EPOLL_CLOEXEC), efd = eventfd(1, EFD_CLOEXEC);

	begin(RINGD_OP_EPOLL_WAIT);
	events = cf_alloc(4 * sizeof(*events), 8);
	epoll(ep, events, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	epoll(efd, events, 1);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev), 0);
	epoll(ep, events, 4);
	ck_assert_int_eq(cf_run(ring), 1);
	ck_assert_uint_eq(events[0].data.u64, 77);
}

/* --- futex --- */

CF_TEST(futex_wait_errors, 299, "Futex wait with a different value -> -EAGAIN; mask 0 or wider than 32 bits, u8 size -> -EINVAL; NULL word -> -EFAULT")
{
	begin(RINGD_OP_FUTEX_WAIT);
	futex(RINGD_OP_FUTEX_WAIT, 0, words, 1, ANY);
	ck_assert_int_eq(cf_run(ring), -EAGAIN);
	futex(RINGD_OP_FUTEX_WAIT, 0, words, 0, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	futex(RINGD_OP_FUTEX_WAIT, 0, words, 0, ANY + 1);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	futex(RINGD_OP_FUTEX_WAIT, 0, words, 0, ANY)->fd = 0;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	futex(RINGD_OP_FUTEX_WAIT, 0, NULL, 0, ANY);
	ck_assert_int_eq(cf_run(ring), -EFAULT);
}

CF_TEST(futex_wake_one_of_two, 300, "Futex wake of two waiters with number 1 -> 1 and one waiter 0, wake CQE first")
{
	begin(RINGD_OP_FUTEX_WAIT);
	futex(RINGD_OP_FUTEX_WAIT, 1, words, 0, ANY);
	futex(RINGD_OP_FUTEX_WAIT, 2, words, 0, ANY);
	futex(RINGD_OP_FUTEX_WAKE, 3, words, 1, ANY);
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, 3, 1, 0);
	cf_expect(ring, 1, 0, 0);
	cf_expect_none(ring);
}

CF_TEST(futex_wake_nobody, 301, "Futex wake with number 0 -> 0")
{
	begin(RINGD_OP_FUTEX_WAIT);
	futex(RINGD_OP_FUTEX_WAIT, 1, words, 0, ANY);
	futex(RINGD_OP_FUTEX_WAKE, 2, words, 0, ANY);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, 0, 0);
	cf_expect_none(ring);
}

CF_TEST(a_system_call_wakes_a_request, 302, "Futex wake by the client's own system call -> completes the waiting request with 0")
{
	begin(RINGD_OP_FUTEX_WAIT);
	futex(RINGD_OP_FUTEX_WAIT, 1, words, 0, ANY);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect_none(ring);
	/* ringd's thread may not have told the kernel yet */
	while (!syscall(SYS_futex, words, FUTEX_WAKE, 1, NULL, NULL, 0))
		sched_yield();
	cf_expect(ring, 1, 0, 0);
}

CF_TEST(futex_waitv_tells_which, 303, "Futex waitv with 0 or 129 entries -> -EINVAL; woken on entry k -> k")
{
	begin(RINGD_OP_FUTEX_WAITV);
	waitv(0, 0, 1);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	waitv(0, 129, 129);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	waitv(1, 10, 10);
	futex(RINGD_OP_FUTEX_WAKE, 2, &words[7], 1, ANY);
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 2, 1, 0);
	cf_expect(ring, 1, 7, 0);
}

/* --- children --- */

CF_TEST(waitid_errors, 304, "Waitid without children -> -ECHILD; options 0 -> -EINVAL; WNOHANG with a running child -> 0 and pid 0")
{
	siginfo_t *info;
	pid_t pid;
	int p[2];
	char c;

	begin(RINGD_OP_WAITID);
	info = cf_alloc(sizeof(*info), 8);
	child(1, WEXITED, info);
	ck_assert_int_eq(cf_run(ring), -ECHILD);
	child(1, 0, info);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	cf_pipe(p);
	pid = cf_fork();
	if (!pid) {
		close(p[1]);
		cf_child_end(read(p[0], &c, 1) != 0);
	}
	child(pid, WEXITED | WNOHANG, info);
	if (cf_on(CF_RINGD)) {
		ck_assert_int_eq(cf_run(ring), -ECHILD);
	} else {
		info->si_pid = 1;
		ck_assert_int_eq(cf_run(ring), 0);
		ck_assert_int_eq(info->si_pid, 0);
	}
	close(p[1]);
	ck_assert_int_eq(cf_child_wait(pid), 0);
}
CF_DIFFERS(waitid_errors, CF_RINGD, "the engine is not the parent of the client's children: always -ECHILD")

CF_TEST(waitid_fills_siginfo, 305, "Waitid on an exiting child -> 0 and siginfo filled; NULL siginfo allowed")
{
	siginfo_t *info;
	pid_t pid;

	begin(RINGD_OP_WAITID);
	info = cf_alloc(sizeof(*info), 8);
	for (int i = 0; i < 2; i++) {
		pid = cf_fork();
		if (!pid)
			cf_child_end(3);
		child(pid, WEXITED, i ? NULL : info);
		if (cf_on(CF_RINGD)) {
			ck_assert_int_eq(cf_run(ring), -ECHILD);
			ck_assert_int_eq(cf_child_wait(pid), 3);
			continue;
		}
		ck_assert_int_eq(cf_run(ring), 0);
		ck_assert_int_eq(info->si_pid, i ? info->si_pid : pid);
		ck_assert_int_eq(info->si_status, 3);
	}
}
CF_DIFFERS(waitid_fills_siginfo, CF_RINGD, "the engine is not the parent of the client's children: always -ECHILD")
