/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reactor's run. Busy: look at the active pollers, take back finished work, reap the kernel ring, and every now and then let
 * its loop see to sockets and doorbells. Quiet: pause for some microseconds (a peer that is about to answer is 0.1 us
 * away), then yield between looks (a peer on this very CPU can only answer when it runs), then sleep. How long to pause
 * is learnt: who yields while a stranger is runnable is away for milliseconds, so as long as work comes during the
 * pauses they may last 20 us; when it only ever comes after a yield they shrink to 1 us.
 *
 * Going to sleep is a store-buffering race with everybody who may bring work: each says "I sleep" (NEED_WAKEUP in a ring,
 * reactor->sleeping for workers), passes a full barrier, and looks once more. tests/model has the proof.
 */
#include "reactor.h"

#include <sched.h>
#include <sys/eventfd.h>

#include "daemon/common/clock.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "uring.h"

#define RD_PAUSES	24		/* quiet turns with a pause instruction, at least: about 1 us */
#define RD_PAUSES_MAX	512		/* at most: about 20 us */
#define RD_PAUSE_NS	40
#define RD_CLOCK_WORK	64		/* work done (requests, about), or pauses made, between looks at the clock */
#define RD_NAP_US	1000		/* sleep no longer where nothing tells of what is polled */
#define RD_EVENTS_NS	50000		/* the loop waits at most this long for a busy reactor */
/* Quiet turns between looks at descriptors that somebody waits for: the loop's looks are too far apart while a reactor spins,
 * and a look takes as long as four to eight turns. The first ones after work are for the rings alone. */
#define RD_LOOK_TURNS		16
#define RD_LOOK_FIRST		8
static void reactor_on_efd(void *arg)
{
	struct rd_reactor *r = arg;
	uint64_t n;

	/* the counter only wakes; the work is in r->returned */
	if (read(r->efd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
}

int rd_reactor_new(struct rd_reactor **ret, unsigned int spin_us)
{
	struct rd_reactor *r = calloc(1, sizeof(*r));
	int err, timers, polls;

	if (!r)
		return -ENOMEM;
	rd_list_init(&r->active);
	rd_list_init(&r->dirty);
	r->spin_ns = (uint64_t)spin_us * 1000;
	r->patience_max = (uint32_t)RD_MAX(RD_MIN(r->spin_ns / RD_PAUSE_NS, (uint64_t)RD_PAUSES_MAX), (uint64_t)RD_PAUSES);
	r->patience = RD_PAUSES;
	r->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	err = r->efd < 0 ? -errno : rd_loop_new(&r->loop);
	if (err < 0)
		goto fail;
	r->base = rd_loop_base(r->loop);
	/* both, so that both can be undone */
	timers = rd_timers_init(&r->timers, r->loop);
	polls = rd_polls_init(&r->polls, r->loop, r->efd);
	err = timers < 0 ? timers : polls;
	if (err == 0)
		err = rd_loop_add(r->loop, &r->woken, r->efd, reactor_on_efd, r);
	if (err < 0)
		goto fail;
	r->now_ns = rd_now_ns();
	*ret = r;
	return 0;
fail:
	rd_reactor_free(r);
	return err;
}

struct rd_reactor *rd_reactor_free(struct rd_reactor *r)
{
	if (!r)
		return NULL;
	if (r->loop) {
		rd_loop_remove(r->loop, &r->woken);
		rd_timers_deinit(&r->timers, r->loop);
		rd_polls_deinit(&r->polls);
		rd_loop_free(r->loop);
	}
	rd_close(r->efd);
	free(r);
	return NULL;
}

void rd_reactor_stop(struct rd_reactor *r)
{
	r->stop = true;
	rd_loop_break(r->loop);
}

void rd_reactor_return(struct rd_reactor *r, struct rd_work *work)
{
	struct rd_work *old = atomic_load_explicit(&r->returned, memory_order_relaxed);
	uint64_t one = 1;

	do
		work->next = old;
	while (!atomic_compare_exchange_weak_explicit(&r->returned, &old, work, memory_order_seq_cst,
						      memory_order_relaxed));
	/* exchange and load are both sequentially consistent, which orders them (a relaxed load could pass on arm64); pairs
	 * with the full barrier between sleeping = 1 and the look at returned. One wakes for all that return until then. */
	if (atomic_load_explicit(&r->sleeping, memory_order_seq_cst) && atomic_exchange(&r->sleeping, 0) &&
	    write(r->efd, &one, sizeof(one)) < 0)
		return;		/* saturated: the reactor is certain to wake */
}

unsigned int rd_reactor_take_returned(struct rd_reactor *r)
{
	struct rd_work *work, *next, *fifo = NULL;
	unsigned int n = 0;

	if (RD_LIKELY(!atomic_load_explicit(&r->returned, memory_order_relaxed)))
		return 0;
	/* acquire: pairs with the push, the work's results are visible */
	work = atomic_exchange_explicit(&r->returned, NULL, memory_order_acquire);
	for (; work; work = next) {	/* newest first: turn it round */
		next = work->next;
		work->next = fifo;
		fifo = work;
	}
	for (; fifo; fifo = next, n++) {
		next = fifo->next;
		fifo->done(fifo);
	}
	return n;
}

static void reactor_publish(struct rd_reactor *r)
{
	/* what one publishes may concern another one */
	while (!rd_list_empty(&r->dirty)) {
		struct rd_poller *p = rd_list_first(&r->dirty, struct rd_poller, dirty);

		rd_list_remove(&p->dirty);
		p->publish(p);
	}
}

static __attribute__((__noinline__)) unsigned int reactor_timers(struct rd_reactor *r)
{
	unsigned int n = rd_timers_run(&r->timers, r->now_ns);

	reactor_publish(r);
	return n;
}

/* Look at the clock, and see to what was to happen by now. How much that was. */
static inline unsigned int reactor_now(struct rd_reactor *r)
{
	r->now_ns = rd_now_ns();
	return rd_timers_due(&r->timers, r->now_ns) ? reactor_timers(r) : 0;
}

static void reactor_events(struct rd_reactor *r, int how, unsigned int nap_us)
{
	rd_loop_run(r->loop, how, nap_us);
	if (r->polls.entries) {
		rd_polls_look(&r->polls);
		rd_polls_run(&r->polls);
	}
	reactor_now(r);
	r->events_ns = r->now_ns;
	reactor_publish(r);
}

void rd_poller_wake(struct rd_reactor *r, struct rd_poller *p)
{
	if (p->awake)
		return;
	p->awake = true;
	p->quiet_since = r->quiet_since = 0;
	r->quiet = 0;
	rd_list_append(&r->active, &p->link);
	p->wake(p);
}

void rd_poller_remove(struct rd_poller *p)
{
	p->awake = false;
	rd_list_remove(&p->link);
	rd_list_remove(&p->dirty);
}

/* One poller has been quiet for its spin time: it needs a doorbell from now on. */
static void poller_doze(struct rd_poller *p)
{
	p->doze(p);
	/* full barrier: pairs with the client's between its tail and its look at NEED_WAKEUP */
	atomic_thread_fence(memory_order_seq_cst);
	if (p->pending(p)) {
		p->wake(p);
		p->quiet_since = 0;
		return;
	}
	p->awake = false;
	rd_list_remove(&p->link);
}

static void reactor_doze_quiet(struct rd_reactor *r)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &r->active) {
		struct rd_poller *p = rd_list_entry(l, struct rd_poller, link);

		if (!p->quiet_since)
			p->quiet_since = r->now_ns;
		else if (r->now_ns - p->quiet_since > RD_MAX(p->spin_ns, r->spin_ns))
			poller_doze(p);
	}
}

bool rd_reactor_calm(struct rd_reactor *r)
{
	reactor_doze_quiet(r);
	return rd_list_empty(&r->active);
}

static unsigned int reactor_look(struct rd_reactor *r)
{
	struct rd_link *l, *tmp;
	unsigned int n, sum = 0;

	rd_list_foreach(l, tmp, &r->active) {
		struct rd_poller *p = rd_list_entry(l, struct rd_poller, link);

		n = p->look(p);
		if (n)
			p->quiet_since = 0;
		sum += n;
	}
	return sum;
}

static unsigned int reactor_turn(struct rd_reactor *r)
{
	unsigned int n = reactor_look(r);

	n += rd_reactor_take_returned(r);
	if (RD_UNLIKELY(r->polls.pending))
		n += rd_polls_run(&r->polls);
	if (r->uring)
		n += rd_uring_flush(r->uring);
	if (!rd_list_empty(&r->dirty))
		reactor_publish(r);
	return n;
}

bool rd_reactor_events_due(const struct rd_reactor *r)
{
	return r->now_ns - r->events_ns > RD_EVENTS_NS;
}

void rd_reactor_events(struct rd_reactor *r)
{
	reactor_events(r, RD_LOOP_ALL, 0);
}

unsigned int rd_reactor_turn(struct rd_reactor *r)
{
	unsigned int n = reactor_turn(r);

	return n + reactor_now(r);
}

bool rd_reactor_doze(struct rd_reactor *r)
{
	rd_timers_doze(&r->timers);
	atomic_store_explicit(&r->sleeping, 1, memory_order_relaxed);
	/* full barrier: pairs with the exchange in rd_reactor_return() */
	atomic_thread_fence(memory_order_seq_cst);
	return !atomic_load_explicit(&r->returned, memory_order_relaxed) && !r->polls.pending &&
	       !(r->uring && rd_uring_doze(r->uring));
}

void rd_reactor_woken(struct rd_reactor *r)
{
	atomic_store_explicit(&r->sleeping, 0, memory_order_relaxed);
	r->quiet = 0;
}

/* Nothing happened for the spin time and no poller is awake: wait for an event. */
static void reactor_sleep(struct rd_reactor *r)
{
	int how = rd_reactor_doze(r) ? RD_LOOP_SLEEP : RD_LOOP_ONCE;

	reactor_events(r, how, r->polls.entries && !rd_polls_doze(&r->polls) ? RD_NAP_US : 0);
	rd_reactor_woken(r);
}

static void reactor_clock(struct rd_reactor *r)
{
	r->worked = 0;
	reactor_now(r);
	reactor_doze_quiet(r);
	if (r->now_ns - r->events_ns > RD_EVENTS_NS)
		reactor_events(r, RD_LOOP_ONCE, 0);
}

/* A turn found nothing. */
static void reactor_quiet(struct rd_reactor *r)
{
	unsigned int fired;

	if (r->polls.entries && (r->quiet >= r->patience || r->quiet % RD_LOOK_TURNS == RD_LOOK_FIRST)) {
		rd_polls_look(&r->polls);
		if (r->polls.pending)
			return;		/* the next turn sees to it */
	}
	if (r->quiet++ < r->patience) {
		rd_cpu_relax();
		if (++r->worked >= RD_CLOCK_WORK)
			reactor_clock(r);
		return;
	}
	fired = reactor_now(r);
	if (!r->quiet_since)
		r->quiet_since = r->now_ns;
	reactor_doze_quiet(r);
	/* what timers have left for the next turn is not slept on */
	if (!fired && rd_list_empty(&r->active) && r->now_ns - r->quiet_since > r->spin_ns) {
		reactor_sleep(r);
		return;
	}
	if (r->now_ns - r->events_ns > RD_EVENTS_NS)
		reactor_events(r, RD_LOOP_ONCE, 0);
	if (!fired)
		sched_yield();
}

static void reactor_learn(struct rd_reactor *r)
{
	if (r->quiet <= r->patience)
		r->patience = r->patience_max;
	else
		r->patience = RD_MAX(r->patience - r->patience / 8, (uint32_t)RD_PAUSES);
}

static void reactor_busy(struct rd_reactor *r, unsigned int n)
{
	if (r->quiet)
		reactor_learn(r);
	r->quiet = 0;
	r->quiet_since = 0;
	/* work, not turns: one turn may visit many rings, and the loop has the doorbells of the others */
	r->worked += n;
	if (r->worked >= RD_CLOCK_WORK)
		reactor_clock(r);
}

void rd_reactor_run(struct rd_reactor *r)
{
	while (!r->stop) {
		unsigned int n = reactor_turn(r);

		if (n)
			reactor_busy(r, n);
		else
			reactor_quiet(r);
	}
}
