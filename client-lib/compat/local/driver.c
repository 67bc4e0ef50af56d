/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who drives the reactor. Whoever has the lock may give it a turn, and every call does; the question is who sleeps where it can
 * be woken. The first thread that waits for CQEs sleeps on the reactor's loop (it is the driver), the others each on an eventfd of
 * their own, and hear from the driver. When the driver leaves, the next waiter takes its place; when there is none and something
 * is still under way, the background thread does. That thread is started when it is first needed, and sleeps on an epoll instance
 * in which the loop is armed only while it is its turn: so what happens while a program's thread drives does not wake it.
 *
 * A ring whose SQ is polled is the background thread's in any case. Where no thread can be made each call does what it can, and the
 * rings' descriptors show when there is more to do. tests/model/driver.pml has who wakes whom.
 */
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/exec/workers.h"
#include "process.h"

#define RD_TURNS	64	/* in a row, before a thread that leaves lets another one go on */

static struct rd_reactor *reactor(void)
{
	return rd_local.engine.reactor;
}

void rd_local_ring_eventfd(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

void rd_local_hush_eventfd(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n));
}

/* --- news --- */

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
		rd_local_ring_eventfd(w->efd);	/* it has one if it sleeps */
	else if (rd_local.asleep)
		rd_local_ring_eventfd(reactor()->efd);
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

			if (w->lr == lr && rd_local_reached(w))
				tell(w);
		}
	}
}

unsigned int rd_local_turn(void)
{
	/* an SQ that is polled: what it has is a submission, too */
	bool visit = !rd_list_empty(&reactor()->active);
	unsigned int n;

	if (visit)
		rd_local_files_begin(&rd_local.host);
	if (RD_UNLIKELY(rd_workers_starve(rd_local.engine.workers)))
		rd_local_starve();
	n = rd_reactor_turn(reactor());
	if (visit)
		rd_local_files_end(&rd_local.host);
	if (!rd_list_empty(&rd_local.touched))
		tell_news();
	if (RD_UNLIKELY(rd_local.lingering))
		rd_local_linger_look();
	return n;
}

/* Work that never ends is no reason to forget the loop. What that tells is for the turn: nobody may sleep between the two. */
unsigned int rd_local_turn_on(void)
{
	if (rd_reactor_events_due(reactor()))
		rd_reactor_events(reactor());
	return rd_local_turn();
}

/* --- handing over --- */

/* Anything that goes on without the program: requests, timers, SQs that are polled, rings that are ending. */
static bool under_way(void)
{
	const struct rd_timers *ts = &reactor()->timers;

	return rd_local.engine.user.used[RINGD_LIMIT_INFLIGHT] || rd_local.heirs || !rd_list_empty(&reactor()->active) ||
	       rd_workers_running(rd_local.engine.workers) || atomic_load_explicit(&reactor()->returned, memory_order_relaxed) ||
	       ts->heap[RD_TIMER_MONOTONIC] || ts->heap[RD_TIMER_BOOTTIME] || ts->heap[RD_TIMER_REALTIME];
}

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

bool rd_local_polls_an_sq(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &reactor()->active) {
		if (rd_list_entry(l, struct rd_poller, link)->spin_ns)
			return true;
	}
	return false;
}

/* Nobody sees to what is under way but the calls that come: each does what there is to be done, and an SQ asks for them. */
static void do_without(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.all)
		rd_list_entry(l, struct rd_local_ring, link)->ring->poller.spin_ns = 0;
	rd_reactor_events(reactor());
	if (!quieten())
		rd_local_ring_eventfd(reactor()->efd);
}

void rd_local_give(void)
{
	struct rd_local_background *b = &rd_local.background;
	bool started = rd_local_background_start();

	if (RD_UNLIKELY(rd_local.alone || !started))
		rd_local_ringfd_expose(!started);
	rd_local.alone = !started;
	if (!started) {
		do_without();
		return;
	}
	rd_local.driver = b;
	/* a ring that is awake for another reason, as a lazy one after a wait, is not worth a wake-up: it dozes in a turn or two */
	if (!rd_local_polls_an_sq() && quieten()) {
		rd_local.asleep = true;
		rd_local_background_arm(true);
	} else {
		rd_local.asleep = false;
		rd_local_ring_eventfd(b->ctl);
	}
}

static void give_to_waiter(void)
{
	struct rd_local_waiter *w = rd_list_first(&rd_local.waiters, struct rd_local_waiter, link);

	rd_local.driver = w;
	rd_local.asleep = false;
	rd_local_ring_eventfd(w->efd);
}

/*
 * What came meanwhile must wake who sleeps. So must what was there before: who looks around (enter.c) takes the loop's edges, and
 * with them the one that was to wake the driver.
 */
static bool may_sleep_on(void)
{
	const struct rd_local_waiter *w = rd_local.driver == &rd_local.background ? NULL : rd_local.driver;

	return rd_list_empty(&reactor()->active) && !(w && rd_local_reached(w));
}

void rd_local_leave(void)
{
	if (!rd_local.running)
		return;
	if (RD_UNLIKELY(rd_local.unheard) && rd_local.engine.user.used[RINGD_LIMIT_INFLIGHT])
		rd_local_background_watch();
	/* somebody's last requests were found, or a call has brought CQEs to a ring that is not its own */
	if (RD_UNLIKELY(!rd_list_empty(&reactor()->dirty)))
		(void)rd_local_turn();
	if (!rd_list_empty(&rd_local.touched))
		tell_news();
	if (rd_local.driver) {
		if (rd_local.asleep && (!rd_reactor_doze(reactor()) || !may_sleep_on()))
			rd_local_ring_eventfd(reactor()->efd);
	} else if (!rd_list_empty(&rd_local.waiters)) {
		give_to_waiter();
	} else if (under_way()) {
		rd_local_give();
	}
}
