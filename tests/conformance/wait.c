/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting */
#include <signal.h>
#include <time.h>

#include "cf.h"

#define MS		1000000ull
#define EXT		(RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG)
#define REG		(EXT | RINGD_ENTER_EXT_ARG_REG)
#define FOREVER_MS	1000000u	/* no wait of a test lasts so long: a limit that must not be reached */

/* Wait with an extended argument; ms 0: no time, NOW: {0,0} */
#define NOW		UINT32_MAX
static int wait_for(struct cf_ring *ring, unsigned int to_submit, unsigned int nr, unsigned int ms, uint32_t min_usec)
{
	struct ringd_timespec ts = { .tv_sec = ms == NOW ? 0 : ms / 1000, .tv_nsec = ms == NOW ? 0 : (int64_t)(ms % 1000 * MS) };
	struct ringd_getevents_arg arg = { .ts = ms ? cf_addr(&ts) : 0, .min_wait_usec = min_usec };

	return cf_enter(ring, to_submit, nr, EXT, &arg, sizeof(arg));
}

/* A CQE -ETIME in so many milliseconds */
static void cqe_in(struct cf_ring *ring, unsigned int ms)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_TIMEOUT);

	sqe->addr = cf_addr(cf_ts(ms * MS));
	sqe->len = 1;
	ck_assert_int_eq(cf_submit(ring), 1);
}

struct later {
	int fd[2];
	struct cf_thread *thread;
};

static int write_later(void *arg)
{
	const struct later *l = arg;

	usleep(5000);
	return (int)write(l->fd[1], "", 1);
}

/*
 * n CQEs in 5 ms, of polls. Not of timeouts: one that expires makes the kernel's waits return, however many CQEs they want.
 */
static void cqes_later(struct cf_ring *ring, struct later *l, unsigned int n)
{
	cf_pipe(l->fd);
	for (unsigned int i = 0; i < n; i++) {
		struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_POLL_ADD);

		cf_sqe_fd(ring, sqe, l->fd[0]);
		sqe->poll32_events = POLLIN;
	}
	ck_assert_int_eq(cf_submit(ring), (int)n);
	l->thread = cf_thread(write_later, l);
}

static void nops(struct cf_ring *ring, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		cf_sqe(ring, RINGD_OP_NOP)->user_data = i;
}

static void need_min_wait(void)
{
	cf_need_feature(RINGD_FEAT_MIN_TIMEOUT);
}

/* --- how much --- */

CF_TEST(more_than_the_cq_holds, 63, "GETEVENTS with min_complete larger than cq_entries -> treated as cq_entries")
{
	struct cf_ring *ring = cf_ring_new(2, 0);

	for (int i = 0; i < 2; i++) {
		nops(ring, 2);
		ck_assert_int_eq(cf_submit(ring), 2);
	}
	ck_assert_int_eq(cf_enter(ring, 0, 1000, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 4);
}

/* --- time --- */

CF_TEST(nothing_came, 64, "GETEVENTS, min_complete 1, relative timeout, nothing arrives, nothing submitted -> -ETIME after the timeout")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t start = cf_now_ns();

	ck_assert_int_eq(wait_for(ring, 0, 1, 20, 0), -ETIME);
	ck_assert_uint_ge(cf_now_ns() - start, 20 * MS);
	ck_assert_int_eq(wait_for(ring, 0, 1, NOW, 0), -ETIME);
}

CF_TEST(submission_hides_the_timeout, 65, "The same with one SQE submitted in the same call -> returns 1 even though the wait timed out")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nops(ring, 1);
	ck_assert_int_eq(wait_for(ring, 1, 2, 5, 0), 1);
	cf_expect(ring, 0, 0, 0);
}

CF_TEST(cqe_hides_the_timeout, 66, "Min_complete 2, one CQE present, timeout expires -> 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	nops(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(wait_for(ring, 0, 2, 5, 0), 0);
	cf_expect(ring, 0, 0, 0);
}

CF_TEST(point_in_time, 72, "ABS_TIMER with a time in the past and an empty CQ -> -ETIME at once")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_timespec ts = { .tv_sec = 1 };
	struct ringd_getevents_arg arg = { .ts = cf_addr(&ts) };
	uint64_t until = cf_now_ns() + 30 * MS;
	int r = cf_enter(ring, 0, 1, EXT | RINGD_ENTER_ABS_TIMER, &arg, sizeof(arg));

	if (r == -EINVAL && cf_on(CF_KERNEL))
		cf_skip("ABS_TIMER is not known here");
	ck_assert_int_eq(r, -ETIME);
	ts = (struct ringd_timespec){ .tv_sec = (int64_t)(until / 1000000000), .tv_nsec = (int64_t)(until % 1000000000) };
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT | RINGD_ENTER_ABS_TIMER, &arg, sizeof(arg)), -ETIME);
	ck_assert_uint_ge(cf_now_ns(), until);
}

CF_TEST(clocks, 73, "REGISTER_CLOCK with CLOCK_REALTIME -> -EINVAL; with MONOTONIC or BOOTTIME -> 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_clock_register clock = { .clockid = CLOCK_MONOTONIC };
	uint64_t start;

	cf_need_register(ring, RINGD_REGISTER_CLOCK, &clock, 0);
	clock.clockid = CLOCK_REALTIME;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_CLOCK, &clock, 0), -EINVAL);
	clock.clockid = CLOCK_BOOTTIME;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_CLOCK, &clock, 0), 0);
	start = cf_now_ns();
	ck_assert_int_eq(wait_for(ring, 0, 1, 10, 0), -ETIME);
	ck_assert_uint_ge(cf_now_ns() - start, 9 * MS);
	clock.resv[0] = 1;
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_CLOCK, &clock, 0), -EINVAL);
}

/* --- min_wait --- */

CF_TEST(min_wait_collects, 74, "Min_wait 10 ms, min_complete 8, timeout 1 s, one CQE after 2 ms -> returns after about 10 ms with that CQE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct later l;
	uint64_t start;

	need_min_wait();
	cqes_later(ring, &l, 1);
	start = cf_now_ns();
	ck_assert_int_eq(wait_for(ring, 0, 8, FOREVER_MS, 60000), 0);
	ck_assert_uint_ge(cf_now_ns() - start, 60 * MS);
	ck_assert_uint_eq(cf_cq_ready(ring), 1);
	ck_assert_int_eq(cf_thread_join(l.thread), 1);
}

CF_TEST(min_wait_then_the_first, 75, "Min_wait 10 ms, min_complete 8, timeout 1 s, first CQE after 100 ms -> returns at about 100 ms")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t start;

	need_min_wait();
	start = cf_now_ns();
	cqe_in(ring, 100);
	ck_assert_int_eq(wait_for(ring, 0, 8, FOREVER_MS, 10000), 0);
	ck_assert_uint_ge(cf_now_ns() - start, 99 * MS);
	ck_assert_uint_eq(cf_cq_ready(ring), 1);
}

CF_TEST(min_wait_alone, 76, "Min_wait 10 ms, no timeout, no CQE -> -ETIME after about 10 ms")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t start = cf_now_ns();

	need_min_wait();
	ck_assert_int_eq(wait_for(ring, 0, 8, 0, 10000), -ETIME);
	ck_assert_uint_ge(cf_now_ns() - start, 10 * MS);
}

CF_TEST(min_wait_longer_than_the_timeout, 77, "Min_wait longer than the timeout -> returns when min_wait ends")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t start = cf_now_ns();

	need_min_wait();
	ck_assert_int_eq(wait_for(ring, 0, 8, 1, 30000), -ETIME);
	ck_assert_uint_ge(cf_now_ns() - start, 30 * MS);
}

CF_TEST(min_wait_ends_early, 78, "Min_wait with 8 CQEs arriving in 1 ms and min_complete 8 -> returns at 1 ms")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct later l;

	need_min_wait();
	nops(ring, 8);
	ck_assert_int_eq(wait_for(ring, 8, 8, FOREVER_MS, FOREVER_MS * 1000), 8);
	for (unsigned int i = 0; i < 8; i++)
		cf_expect(ring, i, 0, 0);
	cqes_later(ring, &l, 8);
	ck_assert_int_eq(wait_for(ring, 0, 8, FOREVER_MS, FOREVER_MS * 1000), 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 8);
	ck_assert_int_eq(cf_thread_join(l.thread), 1);
}

/* --- signals --- */

static void on_signal(int sig)
{
	(void)sig;
}

static void catch_usr1(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
}

struct waiter {
	struct cf_ring *ring;
	unsigned int nr;
};

static int wait_in_thread(void *arg)
{
	struct waiter *w = arg;

	return cf_enter(w->ring, 0, w->nr, RINGD_ENTER_GETEVENTS, NULL, 0);
}

CF_TEST(signal_ends_a_wait, 67, "A signal during the wait with no CQE and nothing submitted -> -EINTR; with a CQE present -> 0")
{
	struct waiter w = { .ring = cf_ring_new(8, 0), .nr = 1 };
	struct cf_thread *t;

	catch_usr1();
	t = cf_thread(wait_in_thread, &w);
	ck_assert_int_eq(cf_thread_interrupt(t, SIGUSR1), -EINTR);
	nops(w.ring, 1);
	ck_assert_int_eq(cf_submit(w.ring), 1);
	w.nr = 2;
	t = cf_thread(wait_in_thread, &w);
	ck_assert_int_eq(cf_thread_interrupt(t, SIGUSR1), 0);
}

CF_TEST(mask_keeps_a_signal_out, 71, "Sigmask in the argument blocks SIGUSR1 during the wait -> the signal does not interrupt and is delivered after return")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t mask = 1ull << (SIGUSR1 - 1);
	struct ringd_timespec ts = { .tv_nsec = 10 * MS };
	struct ringd_getevents_arg arg = { .sigmask = cf_addr(&mask), .sigmask_sz = 8, .ts = cf_addr(&ts) };
	sigset_t set, old;

	catch_usr1();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	/* the other way round it can be seen without a race: pending, and let through by the mask of the wait alone */
	pthread_sigmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, sizeof(arg)), -ETIME);
	sigpending(&set);
	ck_assert(sigismember(&set, SIGUSR1));
	mask = 0;
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, sizeof(arg)), -EINTR);
	sigpending(&set);
	ck_assert(!sigismember(&set, SIGUSR1));
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, sizeof(arg)), -ETIME);
}

/* --- arguments --- */

CF_TEST(size_of_the_argument, 68, "EXT_ARG with argsz not 24 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_getevents_arg arg = { 0 };

	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, 8), -EINVAL);
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, 23), -EINVAL);
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, 32), -EINVAL);
	/* it is looked at when the wait starts */
	nops(ring, 1);
	ck_assert_int_eq(cf_enter(ring, 1, 1, EXT, &arg, 23), 1);
	ck_assert_int_eq(cf_enter(ring, 0, 0, RINGD_ENTER_EXT_ARG, &arg, 23), 0);
}

CF_TEST(unreadable_argument, 69, "EXT_ARG with an unreadable argument or timespec pointer -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_getevents_arg arg = { .ts = 8 };

	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, NULL, sizeof(arg)), -EFAULT);
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, (void *)8, sizeof(arg)), -EFAULT);
	ck_assert_int_eq(cf_enter(ring, 0, 1, EXT, &arg, sizeof(arg)), -EFAULT);
}

CF_TEST(size_of_a_mask, 70, "Plain enter with a sigmask pointer and size other than 8 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint64_t mask[2] = { 0 };

	ck_assert_int_eq(cf_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, mask, 16), -EINVAL);
	ck_assert_int_eq(cf_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, mask, 4), -EINVAL);
	ck_assert_int_eq(cf_enter(ring, 0, 1, RINGD_ENTER_GETEVENTS, (void *)8, 8), -EFAULT);
	nops(ring, 1);
	ck_assert_int_eq(cf_enter(ring, 1, 1, RINGD_ENTER_GETEVENTS, NULL, 16), 1);
}

/* --- wait regions --- */

#define REGION	4096u

/* An enabled ring with a region of 64 entries */
static struct cf_ring *ring_with_region(struct ringd_reg_wait **entries)
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_R_DISABLED);
	struct ringd_region_desc *desc = cf_alloc(sizeof(*desc), 0);
	struct ringd_mem_region_reg reg = { .region_uptr = cf_addr(desc), .flags = RINGD_MEM_REGION_REG_WAIT_ARG };

	*entries = cf_alloc(REGION, REGION);
	*desc = (struct ringd_region_desc){ .user_addr = cf_addr(*entries), .size = REGION, .flags = RINGD_MEM_REGION_TYPE_USER };
	cf_need_register(ring, RINGD_REGISTER_MEM_REGION, &reg, 1);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	return ring;
}

static int wait_entry(struct cf_ring *ring, uintptr_t off)
{
	return cf_enter(ring, 0, 1, REG, (void *)off, sizeof(struct ringd_reg_wait));
}

CF_TEST(entries_of_a_region, 79, "EXT_ARG_REG with an offset not a multiple of 8 or outside the region -> -EFAULT")
{
	struct ringd_reg_wait *e;
	struct cf_ring *ring = ring_with_region(&e);

	e[0] = (struct ringd_reg_wait){ .flags = RINGD_REG_WAIT_TS, .ts.tv_nsec = 1 };
	e[3] = (struct ringd_reg_wait){ .flags = RINGD_REG_WAIT_TS, .min_wait_usec = 30000 };
	ck_assert_int_eq(wait_entry(ring, 4), -EFAULT);
	ck_assert_int_eq(wait_entry(ring, REGION), -EFAULT);
	ck_assert_int_eq(wait_entry(ring, REGION - 56), -EFAULT);
	ck_assert_int_eq(wait_entry(ring, UINTPTR_MAX - 7), -EFAULT);
	ck_assert_int_eq(wait_entry(ring, 0), -ETIME);
	if (cf_on(CF_RINGD)) {	/* a kernel may not know min_wait yet */
		uint64_t start = cf_now_ns();

		ck_assert_int_eq(wait_entry(ring, 3 * 64), -ETIME);
		ck_assert_uint_ge(cf_now_ns() - start, 30 * MS);
	}
}

CF_TEST(size_of_an_entry, 80, "EXT_ARG_REG with argsz other than 64 -> -EINVAL")
{
	struct ringd_reg_wait *e;
	struct cf_ring *ring = ring_with_region(&e);

	ck_assert_int_eq(cf_enter(ring, 0, 1, REG, NULL, 63), -EINVAL);
	ck_assert_int_eq(cf_enter(ring, 0, 1, REG, NULL, 24), -EINVAL);
	ck_assert_int_eq(cf_enter(ring, 0, 1, REG, NULL, 128), -EINVAL);
}

CF_TEST(flags_of_an_entry, 81, "EXT_ARG_REG entry with an unknown flag bit -> -EINVAL")
{
	struct ringd_reg_wait *e;
	struct cf_ring *ring = ring_with_region(&e);

	e[1] = (struct ringd_reg_wait){ .flags = RINGD_REG_WAIT_TS | 2, .ts.tv_nsec = 1 };
	ck_assert_int_eq(wait_entry(ring, 64), -EINVAL);
}

static int wait_entry_0(void *ring)
{
	return wait_entry(ring, 0);
}

CF_TEST(entry_without_a_time, 82, "EXT_ARG_REG entry without flag 0x1 -> its timespec is ignored and the wait has no limit")
{
	struct ringd_reg_wait *e;
	struct cf_ring *ring = ring_with_region(&e);
	struct cf_thread *t;

	e[0] = (struct ringd_reg_wait){ .ts.tv_nsec = 1 };
	catch_usr1();
	t = cf_thread(wait_entry_0, ring);
	cf_thread_wait_asleep(t);
	usleep(20000);
	ck_assert_int_eq(cf_thread_interrupt(t, SIGUSR1), -EINTR);
}

CF_TEST(ring_without_a_region, 83, "EXT_ARG_REG on a ring without wait region -> -EFAULT")
{
	struct ringd_reg_wait *e;
	struct cf_ring *ring = cf_ring_new(8, 0);

	(void)ring_with_region(&e);	/* or skip */
	ck_assert_int_eq(wait_entry(ring, 0), -EFAULT);
}

/* --- others --- */

CF_TEST(two_threads_wait, 84, "Two threads waiting for 1 CQE each and two CQEs posted -> both return")
{
	struct waiter w = { .ring = cf_ring_new(8, 0), .nr = 1 };
	struct cf_thread *a = cf_thread(wait_in_thread, &w), *b = cf_thread(wait_in_thread, &w);

	cf_thread_wait_asleep(a);
	cf_thread_wait_asleep(b);
	nops(w.ring, 2);
	ck_assert_int_eq(cf_submit(w.ring), 2);
	ck_assert_int_eq(cf_thread_join(a), 0);
	ck_assert_int_eq(cf_thread_join(b), 0);
}

CF_TEST(poll_of_a_ring, 85, "Poll() on a ring fd with an empty CQ -> only POLLOUT; after a CQE -> POLLIN too; with a full SQ -> no POLLOUT")
{
	struct cf_ring *ring = cf_ring_new(2, 0);
	int fd = cf_poll_fd(ring);
	struct cf_cqe cqe;

	ck_assert(!cf_fd_ready(fd, POLLIN));
	ck_assert(cf_fd_ready(fd, POLLOUT));
	nops(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_wait_fd(fd, POLLIN);
	/* libringd's may tell twice of what was there already, but not for ever */
	for (int i = 0; i < (cf_on(CF_RINGD) ? 1000 : 1); i++) {
		while (cf_peek(ring, &cqe))
			;
		if (!cf_fd_ready(fd, POLLIN))
			break;
		poll(NULL, 0, 1);
	}
	ck_assert(!cf_fd_ready(fd, POLLIN));
	nops(ring, 2);
	cf_publish(ring);
	if (cf_on(CF_KERNEL))
		ck_assert(!cf_fd_ready(fd, POLLOUT));
}

CF_DIFFERS(poll_of_a_ring, CF_RINGD, "the descriptor of a ring is one end of a socket, always writable: whether the SQ is full is for "
	   "ringd_sq_space_left() to say")
