/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for the engine: look at the word again and again, then sleep (sleep.c). Any number of threads may do this at
 * once; nothing here takes a lock.
 *
 * There is no sched_yield() between the looks. Since Linux 6.18 each of them gives up a whole time slice, which is paid for
 * when another program comes along: measured with two CPUs and some ten compiling neighbours, a round trip took 33 us
 * without it and 140 us with it.
 */
#include "private.h"

#define SPIN_LOOKS	100u		/* 2 to 4 us of pauses: always */
#define SPIN_NS		50000u		/* then this long, which is what a wake-up costs, where that is enough */
#define SPIN_PENALTY	1024u		/* where it never is, once in so many waits */

uint64_t rdl_deadline(clockid_t clock, const struct timespec *ts, bool absolute)
{
	uint64_t base;

	if (!ts)
		return RDL_FOREVER;
	base = absolute ? 0 : rdl_clock(clock);
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= (long)RDL_NS)
		return base;
	if ((uint64_t)ts->tv_sec > (RDL_FOREVER - base) / RDL_NS - 2)
		return RDL_FOREVER;
	return base + (uint64_t)ts->tv_sec * RDL_NS + (uint64_t)ts->tv_nsec;
}

uint64_t rdl_left(const struct rdl_until *until)
{
	uint64_t now;

	if (!until || until->deadline == RDL_FOREVER)
		return RDL_FOREVER;
	now = rdl_clock(until->clock);
	return until->deadline > now ? until->deadline - now : 0;
}

static inline bool reached(const struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	const struct ringd_hot *hot = ring->cq_hot;

	/* acquire: what the engine wrote before these is used once they are seen */
	switch (kind) {
	case RINGD_WAIT_KIND_ENTER:
		return rdl_load_acquire(&hot->enter_done) == target;
	case RINGD_WAIT_KIND_SQ:
		return (int32_t)(rdl_load_acquire(&hot->sq_head) - target) >= 0;
	default:
		return (int32_t)(rdl_load_acquire(&hot->cq_tail) - target) >= 0 ||
		       (rdl_load_acquire(&hot->sq_flags) & RINGD_SQ_CQ_OVERFLOW);
	}
}

bool rdl_reached(const struct ringd_ring *ring, uint32_t kind, uint32_t target)
{
	return reached(ring, kind, target);
}

bool rdl_mark_dead(struct ringd_ring *ring)
{
	__atomic_or_fetch(&ring->special, RDL_DEAD, __ATOMIC_RELAXED);
	return true;
}

bool rdl_dead(struct ringd_ring *ring)
{
	struct pollfd p = { .fd = ring->wake, .events = POLLRDHUP };

	if (rdl_is_dead(ring))
		return true;
	/* acquire: the CQEs it posted before it said so */
	if (rdl_load_acquire(&ring->hot->state) == RINGD_STATE_DEAD)
		return rdl_mark_dead(ring);
	if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)))
		return rdl_mark_dead(ring);
	return false;
}

/* Nothing but looks. True: reached. */
static inline bool looks(const struct ringd_ring *ring, uint32_t kind, uint32_t target, unsigned int n)
{
	for (; n > 0; n--) {
		if (reached(ring, kind, target))
			return true;
		rdl_relax();
	}
	return false;
}

/*
 * The long spin: for SPIN_NS or what is left. If it was in vain, the next 1, 2, 4 ... waits go without one. So it is soon
 * given up where requests take long, or where the engine needs the CPU that spins. Threads that wait at once may spoil each
 * other's count, which does no harm.
 */
static bool spin(const struct ringd_ring *ring, struct rdl_spin *s, uint32_t kind, uint32_t target, uint64_t left)
{
	uint32_t skip = rdl_load(&s->skip), penalty;
	uint64_t now, end;

	if (skip) {
		rdl_store(&s->skip, skip - 1);
		return false;
	}
	now = rdl_now();
	end = now + RDL_MIN(left, SPIN_NS);
	while (now < end) {
		if (looks(ring, kind, target, 16)) {
			rdl_store(&s->penalty, 0);
			return true;
		}
		now = rdl_now();
	}
	penalty = rdl_load(&s->penalty);
	penalty = penalty ? RDL_MIN(penalty * 2, SPIN_PENALTY) : 1;
	rdl_store(&s->penalty, penalty);
	rdl_store(&s->skip, penalty);
	return false;
}

int rdl_wait(struct ringd_ring *ring, uint32_t kind, uint32_t target, const struct rdl_until *until)
{
	struct rdl_spin *s = kind == RINGD_WAIT_KIND_CQ ? &ring->cq_spin : &ring->enter_spin;
	uint64_t left;

	if (looks(ring, kind, target, SPIN_LOOKS))
		return 0;
	left = rdl_left(until);
	if (left && spin(ring, s, kind, target, left))
		return 0;
	if (!left)
		return rdl_dead(ring) ? -ECONNRESET : -ETIME;
	if (rdl_is_dead(ring))
		return reached(ring, kind, target) ? 0 : -ECONNRESET;
	return rdl_sleep(ring, kind, target, until);
}
