/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for CQEs: as the driver, or aside. See driver.c. */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "loop.h"
#include "process.h"

#define RD_TURNS	64	/* of work in a row, before others get the lock */
#define RD_NAP_NS	1000000u	/* of a waiter that nobody can wake, since it has no descriptor */

static struct rd_reactor *reactor(void)
{
	return rd_local.engine.reactor;
}

static uint32_t ready(const struct rd_local_ring *lr)
{
	return lr->ring->cq_tail - __atomic_load_n(&lr->ring->hot->cq_head, __ATOMIC_ACQUIRE);
}

/* A timeout that ends also ends the waits for more CQEs than there are: programs have no other way to wait for so long only. */
bool rd_local_reached(const struct rd_local_waiter *w)
{
	return !w->lr || (int32_t)(w->lr->ring->cq_tail - w->target) >= 0 || w->lr->ring->ctx.timeout_cqes != w->timeouts;
}

/* --- sleeping --- */

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

/* Without the lock. What it sleeps on a handler may still change that comes before it does: take_over(). */
static int sleep_now(struct rd_local_waiter *self, const struct rd_local_until *until, bool nap)
{
	struct timespec ts;
	bool timed = time_left(until, &ts);

	if (nap && (!timed || ts.tv_sec || ts.tv_nsec > (long)RD_NAP_NS))
		ts = (struct timespec){ .tv_nsec = RD_NAP_NS };
	/* the kernel's own: with its kind of a mask, and no place where a thread can be cancelled */
	if (syscall(SYS_ppoll, &self->sleep, 1, timed || nap ? &ts : NULL, until ? until->mask : NULL, (size_t)8) < 0)
		return -errno;
	/* the program has closed what it knows nothing of, by a system call of its own: nobody could wake us any more */
	return self->sleep.revents & POLLNVAL ? -EBADF : 0;
}

static int sleep_driving(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	uint32_t generation = rd_local.generation;
	int r = 0;

	rd_local_background_arm(false);
	if (rd_reactor_doze(reactor())) {
		self->sleep = (struct pollfd){ .fd = rd_local_loop_fd(reactor()->loop), .events = POLLIN };
		rd_local.asleep = true;
		rd_local_unlock();
		r = sleep_now(self, until, false);
		rd_local_lock();
	}
	if (rd_local.generation != generation)
		return r;	/* a handler has forked, and nothing of this is there */
	if (rd_local.driver != self) {
		rd_local_hush_eventfd(self->efd);	/* and one has waited in our place */
		return r;
	}
	rd_local.asleep = false;
	if (!self->lr)
		return r;
	rd_reactor_woken(reactor());
	rd_reactor_events(reactor());
	return r;
}

static void make_efd(struct rd_local_waiter *w)
{
	if (w->efd < 0)
		w->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static int sleep_aside(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	uint32_t generation = rd_local.generation;
	int r;

	make_efd(self);
	self->sleep = (struct pollfd){ .fd = self->efd, .events = POLLIN };
	rd_local_unlock();
	r = sleep_now(self, until, self->efd < 0);
	rd_local_lock();
	if (rd_local.generation == generation)
		rd_local_hush_eventfd(self->efd);
	return r;
}

/* --- who drives --- */

/*
 * A handler waits that has interrupted the driver, which cannot see to anything before the handler returns. If that was about to
 * go to sleep it sleeps aside; if it slept the signal has ended that.
 */
static void take_over(struct rd_local_waiter *self)
{
	struct rd_local_waiter *mine = rd_local_thread()->waiters;

	for (unsigned int i = 0; i < RD_LOCAL_NESTED; i++) {
		if (rd_local.driver != &mine[i] || self == &mine[i])
			continue;
		make_efd(&mine[i]);
		mine[i].sleep.fd = mine[i].efd;
		rd_local.driver = self;
		rd_local.asleep = false;
	}
}

static bool is_driver(const struct rd_local_waiter *self)
{
	const struct rd_local_background *b = &rd_local.background;

	/* who sleeps in the background is not woken for that, and one that polls an SQ is better at it */
	return !rd_local.driver || rd_local.driver == self || (rd_local.driver == b && rd_local.asleep);
}

/* --- waiting --- */

/* Is it over? 0 and more: that is the result, 1: not yet. */
static int look(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	uint64_t now;

	if (rd_local_reached(self))
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

static int wait_once(struct rd_local_waiter *self, const struct rd_local_until *until)
{
	int r;

	if (RD_UNLIKELY(rd_local_thread()->waiting > 1))
		take_over(self);
	if (!is_driver(self))
		return sleep_aside(self, until);
	rd_local.driver = self;
	rd_local.asleep = false;
	if (rd_local_turn_on()) {
		if (++self->turns % RD_TURNS == 0)
			rd_local_pass(false);
		return 0;
	}
	/* an SQ that is polled must not be left awake by a driver that sleeps: its program would ring no more */
	if (!rd_reactor_calm(reactor())) {
		if (!rd_local_polls_an_sq())
			return 0;
		rd_local.driver = NULL;
		rd_local_give();
		return 0;
	}
	r = look(self, until);
	return r <= 0 ? 0 : sleep_driving(self, until);
}

int rd_local_wait(struct rd_local_ring *lr, uint32_t min, const struct rd_local_until *until)
{
	/* on the list from now on: others may have to wake us before we have gone to sleep for the first time */
	struct rd_local_waiter *self = rd_local_waiter_new(lr);
	uint32_t generation = rd_local.generation;
	int r, slept = 0;

	if (!self)
		return -EAGAIN;
	self->target = __atomic_load_n(&lr->ring->hot->cq_head, __ATOMIC_RELAXED) + min;
	self->timeouts = lr->ring->ctx.timeout_cqes;
	while ((r = look(self, until)) > 0) {
		if (slept < 0) {
			r = slept;
			break;
		}
		slept = wait_once(self, until);
		if (rd_local.generation != generation)
			return -EOWNERDEAD;
	}
	r = self->lr ? r : -EBADF;
	rd_local_waiter_free(self);
	return r;
}
