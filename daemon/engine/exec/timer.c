/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pairing heap per clock: what most timers see is that they are armed and disarmed long before they are due, which
 * costs a comparison with the root and an unlinking here, however many there are. What is due is found in O(log n),
 * amortised.
 *
 * One timerfd per clock wakes a sleeping reactor. It is set late (when the reactor goes to sleep) and never set back:
 * when the earliest timer has been disarmed it rings for nothing, once, and that is cheaper than a system call per sleep. It
 * is set to absolute times, so the kernel takes care of suspends and of clocks that are set.
 */
#include "timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>

#include "daemon/common/privatefd.h"

#define RD_TIMER_BATCH	256	/* fired in a row: then the reactor looks at its rings */

static const clockid_t clocks[RD_TIMER_CLOCKS] = {
	[RD_TIMER_MONOTONIC] = CLOCK_MONOTONIC,
	[RD_TIMER_BOOTTIME] = CLOCK_BOOTTIME,
	[RD_TIMER_REALTIME] = CLOCK_REALTIME,
};

uint64_t rd_timer_now(unsigned int clock)
{
	struct timespec ts;

	clock_gettime(clocks[clock], &ts);
	/* nobody's clock shows a time before 1970 for long */
	return ts.tv_sec < 0 ? 0 : (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- the heap --- */

static inline bool before(const struct rd_timer *a, const struct rd_timer *b)
{
	return a->when < b->when || (a->when == b->when && a->seq < b->seq);
}

/* Two roots become one. */
static struct rd_timer *meld(struct rd_timer *a, struct rd_timer *b)
{
	struct rd_timer *top = before(a, b) ? a : b, *sub = top == a ? b : a;

	sub->prev = top;
	sub->next = top->child;
	if (sub->next)
		sub->next->prev = sub;
	top->child = sub;
	top->prev = top->next = NULL;
	return top;
}

/* A list of siblings becomes one tree: in pairs from the left, then the pairs from the right. */
static struct rd_timer *meld_siblings(struct rd_timer *first)
{
	struct rd_timer *pairs = NULL, *root, *a, *b, *rest;

	for (a = first; a; a = rest) {
		b = a->next;
		rest = b ? b->next : NULL;
		if (b)
			a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	root = pairs;
	if (!root)
		return NULL;
	for (a = root->next, root->next = NULL; a; a = rest) {
		rest = a->next;
		root = meld(root, a);
	}
	root->prev = NULL;
	return root;
}

void rd_timer_heap_add(struct rd_timer **root, struct rd_timer *t)
{
	t->child = t->next = t->prev = NULL;
	*root = *root ? meld(*root, t) : t;
}

void rd_timer_heap_remove(struct rd_timer **root, struct rd_timer *t)
{
	struct rd_timer *sub;

	if (t != *root) {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
	}
	sub = t->child ? meld_siblings(t->child) : NULL;
	if (t == *root)
		*root = sub;
	else if (sub)
		*root = meld(*root, sub);
}

/* --- timers --- */

static inline void note_next(struct rd_timers *ts)
{
	const struct rd_timer *first = ts->heap[RD_TIMER_MONOTONIC];

	if (RD_UNLIKELY(ts->heap[RD_TIMER_BOOTTIME] || ts->heap[RD_TIMER_REALTIME]))
		ts->next = 0;	/* how they run against our clock may change at any time */
	else
		ts->next = first ? first->when : UINT64_MAX;
}

void rd_timer_arm(struct rd_timers *ts, struct rd_timer *timer, unsigned int clock, uint64_t when)
{
	timer->when = when;
	timer->seq = ts->seq++;
	timer->clock = (uint8_t)clock;
	timer->armed = true;
	rd_timer_heap_add(&ts->heap[clock], timer);
	note_next(ts);
}

void rd_timer_disarm(struct rd_timers *ts, struct rd_timer *timer)
{
	if (!timer->armed)
		return;
	timer->armed = false;
	rd_timer_heap_remove(&ts->heap[timer->clock], timer);
	note_next(ts);
}

static unsigned int run_clock(struct rd_timers *ts, unsigned int clock, uint64_t now, unsigned int max)
{
	struct rd_timer *t;
	unsigned int n;

	for (n = 0; n < max && (t = ts->heap[clock]) && t->when <= now; n++) {
		rd_timer_disarm(ts, t);
		t->fire(t);
	}
	return n;
}

unsigned int rd_timers_run(struct rd_timers *ts, uint64_t now_ns)
{
	unsigned int n = run_clock(ts, RD_TIMER_MONOTONIC, now_ns, RD_TIMER_BATCH);

	for (unsigned int clock = RD_TIMER_MONOTONIC + 1; clock < RD_TIMER_CLOCKS; clock++) {
		if (ts->heap[clock])
			n += run_clock(ts, clock, rd_timer_now(clock), RD_TIMER_BATCH);
	}
	return n;
}

void rd_timers_doze(struct rd_timers *ts)
{
	for (unsigned int clock = 0; clock < RD_TIMER_CLOCKS; clock++) {
		struct rd_timer_alarm *alarm = &ts->alarm[clock];
		struct itimerspec its = { 0 };
		uint64_t when;

		if (!ts->heap[clock] || ts->heap[clock]->when >= alarm->set)
			continue;
		when = RD_MAX(ts->heap[clock]->when, 1u);	/* 0 would mean never */
		its.it_value.tv_sec = (time_t)(when / 1000000000u);
		its.it_value.tv_nsec = (long)(when % 1000000000u);
		if (timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &its, NULL) == 0)
			alarm->set = when;
	}
}

/* What is due the reactor sees when it looks at the clock. Edge-triggered: what was not read does not count. */
static void on_alarm(void *arg)
{
	struct rd_timer_alarm *alarm = arg;

	alarm->set = UINT64_MAX;
}

int rd_timers_init(struct rd_timers *ts, struct rd_loop *loop)
{
	*ts = (struct rd_timers){ .next = UINT64_MAX };
	for (unsigned int clock = 0; clock < RD_TIMER_CLOCKS; clock++) {
		ts->alarm[clock].set = UINT64_MAX;
		ts->alarm[clock].fd = -1;
	}
	for (unsigned int clock = 0; clock < RD_TIMER_CLOCKS; clock++) {
		struct rd_timer_alarm *alarm = &ts->alarm[clock];

		alarm->fd = rd_private_fd(timerfd_create(clocks[clock], TFD_CLOEXEC | TFD_NONBLOCK));
		if (alarm->fd < 0)
			return -errno;
		if (rd_loop_add(loop, &alarm->source, alarm->fd, on_alarm, alarm) < 0)
			return -ENOMEM;
	}
	return 0;
}

void rd_timers_deinit(struct rd_timers *ts, struct rd_loop *loop)
{
	for (unsigned int clock = 0; clock < RD_TIMER_CLOCKS; clock++) {
		struct rd_timer_alarm *alarm = &ts->alarm[clock];

		rd_loop_remove(loop, &alarm->source);
		rd_close(alarm->fd);
		*alarm = (struct rd_timer_alarm){ .fd = -1 };
	}
}
