/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who drives the reactor. Whoever has the lock may give it a turn, and every call does; the question is who sleeps where it can
 * be woken. The first thread that waits for CQEs sleeps on the reactor's loop (it is the driver), the others each on an eventfd of
 * their own, and hear from the driver. When the driver leaves, the next waiter takes its place; when there is none and something
 * is still under way, the background thread does. That thread is started when it is first needed, and sleeps on an epoll instance
 * in which the loop is armed only while it is its turn: so what happens while a program's thread drives does not wake it.
 *
 * A ring whose SQ is polled is the background thread's in any case.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "daemon/common/clock.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/stack.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/workers.h"
#include "daemon/engine/ring/cq.h"
#include "loop.h"
#include "process.h"

#define RD_STACK	(128u << 10)
#define RD_PAUSES	64	/* turns of a background thread that polls before it lets somebody else have the CPU */
#define RD_TURNS	64	/* in a row, before a thread that leaves lets another one go on */

static struct rd_reactor *reactor(void)
{
	return rd_local.engine.reactor;
}

static void ring_eventfd(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void hush_eventfd(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

/* --- news --- */

static uint32_t ready(const struct rd_local_ring *lr)
{
	return lr->ring->cq_tail - __atomic_load_n(&lr->ring->hot->cq_head, __ATOMIC_ACQUIRE);
}

static bool reached(const struct rd_local_waiter *w)
{
	return !w->lr || (int32_t)(w->lr->ring->cq_tail - w->target) >= 0;
}

/* Each publication is to be told: the wait word is armed for the next one, whatever it is of. */
static void arm_wake(struct rd_local_ring *lr)
{
	uint32_t seq = lr->wait_seq += RINGD_WAIT_KIND_MASK + 1;

	if (!seq)
		seq = lr->wait_seq += RINGD_WAIT_KIND_MASK + 1;
	__atomic_store_n(&lr->ring->hot->wait, (uint64_t)(seq | RINGD_WAIT_KIND_ANY) << 32, __ATOMIC_RELAXED);
}

void rd_local_ring_wake(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_local_ring *lr = ring->host_data;

	(void)host;
	if (lr && rd_list_empty(&lr->touched))
		rd_list_append(&rd_local.touched, &lr->touched);
}

static void tell(struct rd_local_waiter *w)
{
	if (rd_local.driver != w)
		ring_eventfd(w->efd);
	else if (rd_local.asleep)
		ring_eventfd(reactor()->efd);
}

void rd_local_waiter_end(struct rd_local_waiter *w)
{
	w->lr = NULL;
	tell(w);
}

static void tell_news(void)
{
	struct rd_link *l, *tmp;

	while (!rd_list_empty(&rd_local.touched)) {
		struct rd_local_ring *lr = rd_list_first(&rd_local.touched, struct rd_local_ring, touched);

		rd_list_remove(&lr->touched);
		arm_wake(lr);
		rd_local_ringfd_update(lr);
		rd_list_foreach(l, tmp, &rd_local.waiters) {
			struct rd_local_waiter *w = rd_list_entry(l, struct rd_local_waiter, link);

			if (w->lr == lr && reached(w))
				tell(w);
		}
	}
}

unsigned int rd_local_turn(void)
{
	unsigned int n = rd_reactor_turn(reactor());

	if (!rd_list_empty(&rd_local.touched))
		tell_news();
	if (RD_UNLIKELY(rd_local.lingering))
		rd_local_linger_look();
	return n;
}

/* --- the background thread --- */

/* Anything that goes on without the program: requests, timers, SQs that are polled, rings that are ending. */
static bool under_way(void)
{
	const struct rd_timers *ts = &reactor()->timers;

	return rd_local.engine.user.used[RINGD_LIMIT_INFLIGHT] || rd_local.heirs || !rd_list_empty(&reactor()->active) ||
	       rd_workers_running(rd_local.engine.workers) || atomic_load_explicit(&reactor()->returned, memory_order_relaxed) ||
	       ts->heap[RD_TIMER_MONOTONIC] || ts->heap[RD_TIMER_BOOTTIME] || ts->heap[RD_TIMER_REALTIME];
}

static void background_arm(bool arm)
{
	struct rd_local_background *b = &rd_local.background;
	struct epoll_event ev = { .events = arm ? EPOLLIN : 0 };

	if (b->armed == arm)
		return;
	b->armed = arm;
	epoll_ctl(b->epfd, EPOLL_CTL_MOD, rd_local_loop_fd(reactor()->loop), &ev);
}

/*
 * Between two turns of a background thread that is awake: others get the lock. While it polls an SQ a program on another CPU is
 * about to bring work, or to take the CPU when there is no other.
 */
static void background_pause(struct rd_local_background *b, bool busy)
{
	rd_local_unlock();
	if (busy && b->idle++ < RD_PAUSES) {
		rd_cpu_relax();
	} else {
		b->idle = 0;
		sched_yield();
	}
	rd_local_lock();
}

/* With the lock, which it gives up while it sleeps. */
static void background_step(struct rd_local_background *b)
{
	struct pollfd p = { .fd = b->epfd, .events = POLLIN };
	bool mine = !rd_local.driver || rd_local.driver == b;

	if (mine) {
		bool busy;

		rd_local.driver = b;
		busy = rd_local_turn() || !rd_reactor_calm(reactor());
		if (!atomic_load(&rd_local_rings))
			return;		/* that was the last one */
		if (busy || !rd_reactor_doze(reactor())) {
			if (!busy || rd_reactor_events_due(reactor()))
				rd_reactor_events(reactor());
			background_pause(b, busy);
			return;
		}
		background_arm(true);
		rd_local.asleep = true;
	}
	rd_local_unlock();
	poll(&p, 1, -1);
	rd_local_lock();
	hush_eventfd(b->ctl);
	if (rd_local.driver != b)
		return;
	rd_local.asleep = false;
	rd_reactor_woken(reactor());
	rd_reactor_events(reactor());
}

static void background_close(struct rd_local_background *b)
{
	rd_close(rd_steal_fd(&b->epfd));
	rd_close(rd_steal_fd(&b->ctl));
}

static void *background_run(void *arg)
{
	struct rd_local_background *b = arg;
	bool last;

	rd_local_lock();
	while (!b->quit && atomic_load(&rd_local_rings))
		background_step(b);
	if (rd_local.driver == b) {
		rd_local.driver = NULL;
		rd_local.asleep = false;
	}
	/* what the program had closed before has come back at last, and nobody but us sees that it was the last */
	last = !b->quit;
	if (last) {
		pthread_detach(b->thread);
		background_close(b);
		b->started = false;
	}
	rd_local_unlock();
	if (last)
		rd_local_settle_down();
	return NULL;
}

/* Every signal is the program's, but those that a thread of its own brings upon itself. */
static int background_thread(struct rd_local_background *b)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, rd_stack_size(RD_STACK));
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&b->thread, &attr, background_run, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static int background_fds(struct rd_local_background *b)
{
	struct epoll_event in = { .events = EPOLLIN }, off = { .events = 0 };

	b->epfd = rd_private_fd(epoll_create1(EPOLL_CLOEXEC));
	b->ctl = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (b->epfd < 0 || b->ctl < 0 || epoll_ctl(b->epfd, EPOLL_CTL_ADD, b->ctl, &in) < 0 ||
	    epoll_ctl(b->epfd, EPOLL_CTL_ADD, rd_local_loop_fd(reactor()->loop), &off) < 0)
		return -errno;
	b->armed = false;
	return 0;
}

static void background_start(struct rd_local_background *b)
{
	if (b->started)
		return;
	b->quit = false;
	b->started = background_fds(b) == 0 && background_thread(b) == 0;
	if (!b->started)
		background_close(b);	/* tried again by the next who leaves */
}

void rd_local_driver_stop(void)
{
	struct rd_local_background *b = &rd_local.background;
	bool started;

	rd_local_lock();
	started = b->started && !pthread_equal(b->thread, pthread_self());
	b->quit = started;
	if (started)
		ring_eventfd(b->ctl);
	rd_local_unlock();
	if (!started)
		return;
	pthread_join(b->thread, NULL);
	rd_local_lock();
	background_close(b);
	b->started = false;
	rd_local_unlock();
}

void rd_local_driver_forget(void)
{
	background_close(&rd_local.background);
	rd_local.background = (struct rd_local_background){ .epfd = -1, .ctl = -1 };
	rd_local.driver = NULL;
	rd_local.asleep = false;
	while (!rd_list_empty(&rd_local.waiters)) {
		struct rd_local_waiter *w = rd_list_first(&rd_local.waiters, struct rd_local_waiter, link);

		/* of this thread it may be one that a handler has interrupted */
		rd_list_remove(&w->link);
		rd_close(rd_steal_fd(&w->efd));
		w->lr = NULL;
	}
	rd_list_init(&rd_local.touched);
}

/* --- handing over --- */

/* The reactor may be left alone: true. */
static bool quieten(void)
{
	for (unsigned int i = 0; i < RD_TURNS; i++) {
		if (rd_local_turn() || !rd_reactor_calm(reactor()))
			continue;
		if (rd_reactor_doze(reactor()))
			return true;
		rd_reactor_events(reactor());
	}
	return false;
}

static void give_to_background(void)
{
	struct rd_local_background *b = &rd_local.background;

	background_start(b);
	if (!b->started)
		return;
	rd_local.driver = b;
	if (rd_list_empty(&reactor()->active) && quieten()) {
		rd_local.asleep = true;
		background_arm(true);
	} else {
		rd_local.asleep = false;
		ring_eventfd(b->ctl);
	}
}

void rd_local_leave(void)
{
	if (!rd_local.running)
		return;
	if (RD_UNLIKELY(rd_local.heirs) && !rd_list_empty(&reactor()->dirty))
		(void)rd_local_turn();	/* somebody's last requests were found */
	if (!rd_list_empty(&rd_local.touched))
		tell_news();
	if (rd_local.driver) {
		/* what was armed meanwhile must wake who sleeps */
		if (rd_local.asleep && !rd_reactor_doze(reactor()))
			ring_eventfd(reactor()->efd);
		else if (rd_local.asleep && !rd_list_empty(&reactor()->active))
			ring_eventfd(reactor()->efd);
	} else if (!rd_list_empty(&rd_local.waiters)) {
		struct rd_local_waiter *w = rd_list_first(&rd_local.waiters, struct rd_local_waiter, link);

		rd_local.driver = w;
		rd_local.asleep = false;
		ring_eventfd(w->efd);
	} else if (under_way()) {
		give_to_background();
	}
}

/* --- waiting --- */

/* How long to sleep at most; false: no limit. */
static bool time_left(const struct rd_local_until *until, struct timespec *ts)
{
	uint64_t now, end;

	if (!until || (!until->timed && !until->min_deadline))
		return false;
	now = rd_local_clock_ns(until->clock);
	end = until->timed ? until->deadline : UINT64_MAX;
	if (until->min_deadline > now)
		end = RD_MIN(end, until->min_deadline);
	else if (!until->timed)
		return false;
	end = end > now ? end - now : 0;
	*ts = (struct timespec){ .tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u) };
	return true;
}

static int sleep_on(int fd, const struct rd_local_until *until)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec ts;
	bool timed = time_left(until, &ts);

	/* the kernel's own: with its kind of a mask, and no place where a thread can be cancelled */
	if (syscall(SYS_ppoll, &p, 1, timed ? &ts : NULL, until ? until->mask : NULL, (size_t)8) < 0)
		return -errno;
	return 0;
}

static int sleep_driving(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	int r = 0;

	background_arm(false);
	if (rd_reactor_doze(reactor())) {
		rd_local.asleep = true;
		rd_local_unlock();
		r = sleep_on(rd_local_loop_fd(reactor()->loop), until);
		rd_local_lock();
		rd_local.asleep = false;
	}
	if (!self->lr)
		return r;	/* in the child of a fork() the reactor is gone as well */
	rd_reactor_woken(reactor());
	rd_reactor_events(reactor());
	return r;
}

static int sleep_aside(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	int r;

	rd_local_unlock();
	r = sleep_on(self->efd, until);
	rd_local_lock();
	hush_eventfd(self->efd);
	return r;
}

static bool is_driver(const struct rd_local_waiter *self)
{
	const struct rd_local_background *b = &rd_local.background;

	/* who sleeps in the background is not woken for that, and one that polls an SQ is better at it */
	return !rd_local.driver || rd_local.driver == self || (rd_local.driver == b && rd_local.asleep);
}

/* Is it over? 0 and more: that is the result, 1: not yet. */
static int look(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	uint64_t now;

	if (reached(self))
		return 0;
	if (!until || (!until->timed && !until->min_deadline))
		return 1;
	now = rd_local_clock_ns(until->clock);
	if (until->min_deadline && now >= until->min_deadline) {
		if (ready(self->lr))
			return 0;
		if (!until->timed)
			return -ETIME;
		self->target = self->lr->ring->cq_tail + 1;
	}
	return until->timed && now >= until->deadline ? -ETIME : 1;
}

static bool polls_an_sq(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &reactor()->active) {
		if (rd_list_entry(l, struct rd_poller, link)->spin_ns)
			return true;
	}
	return false;
}

static int wait_once(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	int r;

	if (!is_driver(self)) {
		if (self->efd < 0)
			self->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		return self->efd < 0 ? -errno : sleep_aside(self, until);
	}
	rd_local.driver = self;
	if (rd_local_turn())
		return 0;
	/* an SQ that is polled must not be left awake by a driver that sleeps: its program would ring no more */
	if (!rd_reactor_calm(reactor())) {
		if (!polls_an_sq())
			return 0;
		rd_local.driver = NULL;
		give_to_background();
		return 0;
	}
	r = look(self, until);
	return r <= 0 ? 0 : sleep_driving(self, until);
}

int rd_local_wait(struct rd_local_ring *lr, uint32_t min, const struct rd_local_until *until)
{
	/* on the list from now on: others may have to wake us before we have gone to sleep for the first time */
	struct rd_local_waiter *self = rd_local_waiter_new(lr);
	int r, slept = 0;

	if (!self)
		return -EAGAIN;
	self->target = __atomic_load_n(&lr->ring->hot->cq_head, __ATOMIC_RELAXED) + min;
	while ((r = look(self, until)) > 0) {
		if (slept < 0) {
			r = slept;
			break;
		}
		slept = wait_once(self, until);
	}
	r = self->lr ? r : -EBADF;
	rd_local_waiter_free(self);
	return r;
}
