/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers of one reactor, on three clocks. Embedded in what they are for: arming one never allocates and never fails. While
 * the reactor is awake it compares its idea of the time with the earliest (rd_timers_due()); only a reactor that goes to
 * sleep asks the kernel to wake it (rd_timers_doze()). So arming and disarming cost no system call. Reactor thread only.
 */
#ifndef RD_TIMER_H
#define RD_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/util.h"
#include "loop.h"

#define RD_TIMER_MONOTONIC	0
#define RD_TIMER_BOOTTIME	1
#define RD_TIMER_REALTIME	2	/* follows the clock when it is set */
#define RD_TIMER_CLOCKS		3

#define RD_TIMER_NEVER		((uint64_t)INT64_MAX)	/* the latest time there is, in ns */

struct rd_timer {
	struct rd_timer *child;		/* pairing heap: the first of what is later than this one */
	struct rd_timer *next;		/* sibling */
	struct rd_timer *prev;		/* sibling before it, or the parent */
	uint64_t when;			/* ns on its clock */
	uint64_t seq;			/* of the same time those armed first go first */
	void (*fire)(struct rd_timer *timer);	/* not armed any more; may arm it again, or free it */
	uint8_t clock;
	bool armed;
};

struct rd_timers {
	uint64_t next;			/* nothing is due before this time (CLOCK_MONOTONIC, ns); 0: ask the other clocks */
	uint64_t seq;
	struct rd_timer *heap[RD_TIMER_CLOCKS];
	struct rd_timer_alarm {
		uint64_t set;		/* the time it will ring; UINT64_MAX: not set */
		int fd;
		struct rd_source source;
	} alarm[RD_TIMER_CLOCKS];
};

/* 0, -EMFILE, -ENOMEM ...; to be deinit'ed in every case. */
int rd_timers_init(struct rd_timers *ts, struct rd_loop *loop);
/* Nothing is armed, or nobody cares any more. Before the loop is freed. */
void rd_timers_deinit(struct rd_timers *ts, struct rd_loop *loop);

/* Call timer->fire() at the time when (at most RD_TIMER_NEVER) of the clock, or soon if it has passed. timer is not armed. */
void rd_timer_arm(struct rd_timers *ts, struct rd_timer *timer, unsigned int clock, uint64_t when);
/* fire() will not be called. Not armed: nothing. */
void rd_timer_disarm(struct rd_timers *ts, struct rd_timer *timer);
/* The time of a clock. */
uint64_t rd_timer_now(unsigned int clock);
/* a + b, but not beyond RD_TIMER_NEVER */
static inline uint64_t rd_timer_add(uint64_t a, uint64_t b)
{
	return a > RD_TIMER_NEVER || b > RD_TIMER_NEVER - a ? RD_TIMER_NEVER : a + b;
}

/* The heap by itself, for what counts something else than time: ordered by when, then seq. */
void rd_timer_heap_add(struct rd_timer **root, struct rd_timer *t);
void rd_timer_heap_remove(struct rd_timer **root, struct rd_timer *t);

/* May something be due? One comparison. */
static inline bool rd_timers_due(const struct rd_timers *ts, uint64_t now_ns)
{
	return RD_UNLIKELY(ts->next <= now_ns);
}
/* Fire what is due at now_ns (CLOCK_MONOTONIC), a bounded number; the rest stays due. How many. */
unsigned int rd_timers_run(struct rd_timers *ts, uint64_t now_ns);
/* The reactor is about to sleep in its loop: let the earliest wake it. */
void rd_timers_doze(struct rd_timers *ts);

#endif
