/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread's work: looks at its active pollers (rings), takes work back from workers, reaps the back end, runs its loop,
 * and goes to sleep when nothing happened for the spin time. Driven by one thread at a time.
 */
#ifndef RD_REACTOR_H
#define RD_REACTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/list.h"
#include "loop.h"
#include "poll.h"
#include "timer.h"
#include "work.h"

struct rd_uring;

/* Something to be looked at as long as it is busy: a ring. */
struct rd_poller {
	struct rd_link link;		/* reactor->active while awake */
	bool awake;
	uint64_t spin_ns;		/* stay awake this long after the last work */
	uint64_t quiet_since;		/* first look at the clock after its last work; 0: worked since then */
	/* Do a bounded amount of work; how much was done, 0: nothing there. */
	unsigned int (*look)(struct rd_poller *p);
	/* Ask for the doorbell. A full barrier and pending() follow. */
	void (*doze)(struct rd_poller *p);
	/* Something came before the other side could see doze(). */
	bool (*pending)(struct rd_poller *p);
	/* No doorbell needed from now on. */
	void (*wake)(struct rd_poller *p);
	/* Let the other side see what was completed since the last time; see rd_poller_dirty(). */
	void (*publish)(struct rd_poller *p);
	struct rd_link dirty;		/* reactor->dirty while something is to be published */
};

struct rd_reactor {
	struct rd_loop *loop;
	struct event_base *base;	/* the loop's, for who has events of his own; NULL: not libevent's */
	struct rd_link active;		/* pollers that are awake */
	struct rd_link dirty;		/* pollers with something to publish at the end of this phase */
	struct rd_uring *uring;		/* may be NULL */
	struct rd_timers timers;
	struct rd_polls polls;
	_Atomic(struct rd_work *) returned;	/* newest first; any thread pushes, the reactor takes all */
	_Atomic uint32_t sleeping;	/* 1: who pushes and makes it 0 must write to efd */
	int efd;
	struct rd_source woken;
	uint64_t now_ns;		/* coarse: as of the last time somebody had to look at the clock */
	uint64_t spin_ns;		/* stay awake this long after the last work */
	uint64_t quiet_since;		/* as in struct rd_poller, for the whole reactor */
	uint64_t events_ns;		/* when the loop was last given a chance */
	uint32_t quiet;			/* turns in a row that found nothing */
	uint32_t patience, patience_max;	/* of them, those that only pause */
	uint32_t worked;		/* and paused, since it last looked at the clock */
	bool stop;
};

int rd_reactor_new(struct rd_reactor **ret, unsigned int spin_us);
struct rd_reactor *rd_reactor_free(struct rd_reactor *r);
/* Runs until rd_reactor_stop(), called from one of its callbacks. */
void rd_reactor_run(struct rd_reactor *r);
void rd_reactor_stop(struct rd_reactor *r);
/* One turn without sleeping, timers included, for hosts that drive it themselves and for tests. Returns how much was done. */
unsigned int rd_reactor_turn(struct rd_reactor *r);
/* What the loop and the polls have to tell, without sleeping; for those who drive it themselves. */
void rd_reactor_events(struct rd_reactor *r);
/* That was a while ago: who is busy with an SQ that is polled must not forget all others. */
bool rd_reactor_events_due(const struct rd_reactor *r);
/* A turn found nothing: let pollers doze that have been quiet for their time. True: all do. */
bool rd_reactor_calm(struct rd_reactor *r);
/*
 * For those who sleep themselves, on what the loop sleeps on: before, and after. False: there is work already. Between the two
 * other threads may drive the reactor if they do the same.
 */
bool rd_reactor_doze(struct rd_reactor *r);
void rd_reactor_woken(struct rd_reactor *r);
/* Any thread: hand work back; done() will run on the reactor. */
void rd_reactor_return(struct rd_reactor *r, struct rd_work *work);
/* done() of all that was returned. How many; a turn does it, too. */
unsigned int rd_reactor_take_returned(struct rd_reactor *r);
/* Reactor thread: the poller has (or may have) work; undo doze(). Already awake: nothing. */
void rd_poller_wake(struct rd_reactor *r, struct rd_poller *p);
/* Reactor thread: p->publish() is to be called once before the reactor does anything else that takes long. */
static inline void rd_poller_dirty(struct rd_reactor *r, struct rd_poller *p)
{
	if (rd_list_empty(&p->dirty))
		rd_list_append(&r->dirty, &p->dirty);
}
/* Before its first use. The callbacks are the caller's to set. */
static inline void rd_poller_init(struct rd_poller *p)
{
	rd_list_init(&p->link);
	rd_list_init(&p->dirty);
	p->awake = false;
}
/* Reactor thread: do not look at it any more. */
void rd_poller_remove(struct rd_poller *p);

#endif
