/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The second half of io_uring_enter(): GETEVENTS. Most rings need the engine for it only when CQEs are held back, because
 * what completes is posted at once. On a lazy ring (DEFER_TASKRUN, IOPOLL) it is posted only while somebody is inside such
 * an enter: hot->waiting says so, see proto/wire.h.
 */
#include "private.h"

static inline bool passed(const struct ringd_ring *ring, uint32_t target)
{
	/* acquire: pairs with the engine's release after it wrote the CQEs */
	return (int32_t)(rdl_load_acquire(&ring->cq_hot->cq_tail) - target) >= 0;
}

/* acquire: a tail that is loaded after this is not older than the one that whoever moved the head saw */
static inline uint32_t cq_head(const struct ringd_ring *ring)
{
	return rdl_load_acquire(&ring->cq_head);
}

static inline bool any(const struct ringd_ring *ring)
{
	return passed(ring, cq_head(ring) + 1);
}

bool rdl_enough(const struct ringd_ring *ring, uint32_t nr)
{
	return passed(ring, cq_head(ring) + RDL_MIN(nr, ring->cq_entries));
}

uint32_t rdl_needs_enter(const struct ringd_ring *ring)
{
	if (rdl_load(&ring->cq_hot->sq_flags) & (RINGD_SQ_CQ_OVERFLOW | RINGD_SQ_TASKRUN))
		return RINGD_ENTER_GETEVENTS;
	return rdl_special(ring) & RDL_IOPOLL ? RINGD_ENTER_GETEVENTS : 0;
}

/* Who may not. */
static int may_wait(const struct ringd_ring *ring, uint32_t special)
{
	if (special & RDL_DISABLED)
		return -EBADFD;
	if ((special & RDL_DEFER) && ring->issuer != rdl_thread_id())
		return -EEXIST;
	return 0;
}

/* --- lazy rings --- */

static void lazy_begin(struct ringd_ring *ring)
{
	rdl_lock(&ring->sleep_lock);
	/* the enter that follows carries it over */
	rdl_store(&ring->hot->waiting, ++ring->waiters);
	rdl_unlock(&ring->sleep_lock);
}

static void lazy_end(struct ringd_ring *ring)
{
	uint32_t left;

	rdl_lock(&ring->sleep_lock);
	left = --ring->waiters;
	/* full barrier: pairs with the engine's between storing RUNNING and looking at waiting */
	rdl_store_barrier(&ring->hot->waiting, left);
	rdl_unlock(&ring->sleep_lock);
	if (!left && (rdl_load_acquire(&ring->hot->tasks) & RINGD_TASKS_RUNNING))
		rdl_enter(ring, 0, 0);
}

/* --- waiting --- */

/*
 * Something that only an enter can do: CQEs are held back, or some were lost since we last looked (there was no memory to hold
 * them back), of which the engine tells once, by -EBADR.
 */
static bool wants_enter(struct ringd_ring *ring)
{
	uint32_t dropped = rdl_load(&ring->cq_hot->cq_overflow);

	if (RDL_UNLIKELY(dropped != rdl_load(&ring->dropped))) {
		rdl_store(&ring->dropped, dropped);
		return true;
	}
	return rdl_load(&ring->cq_hot->sq_flags) & RINGD_SQ_CQ_OVERFLOW;
}

/* Until the tail is at target. 0 or why not. */
static int wait_target(struct ringd_ring *ring, uint32_t target, const struct rdl_until *until)
{
	int r = 0;

	for (;;) {
		if (passed(ring, target))
			return 0;
		if (wants_enter(ring)) {
			r = rdl_enter(ring, 0, RINGD_ENTER_GETEVENTS);
			if (passed(ring, target))
				return 0;
		}
		if (r >= 0)
			r = rdl_wait(ring, RINGD_WAIT_KIND_CQ, target, until);
		if (r < 0)
			return r;
	}
}

/* The same in the two phases of min_wait: for all of them until its end, then for a first one. */
static int wait_phases(struct ringd_ring *ring, uint32_t head, uint32_t target, const struct rdl_until *until)
{
	struct rdl_until first;
	int r;

	if (!until || !until->min_deadline)
		return wait_target(ring, target, until);
	first = *until;
	first.deadline = until->min_deadline;
	r = wait_target(ring, target, &first);
	if (r != -ETIME || any(ring))
		return r;
	if (until->deadline == RDL_FOREVER || until->deadline <= until->min_deadline)
		return r;
	return wait_target(ring, head + 1, until);
}

/* An end that is not the wanted one is reported only when there is no CQE at all. */
static int wait_entered(struct ringd_ring *ring, uint32_t nr, const struct rdl_until *until)
{
	uint32_t head = cq_head(ring);
	int r;

	if ((rdl_special(ring) & RDL_IOPOLL) && !ring->sqpoll) {
		if (any(ring))
			return 0;
		until = NULL;
	}
	r = wait_phases(ring, head, head + RDL_MIN(nr, ring->cq_entries), until);
	if (RDL_LIKELY(r == 0) || any(ring))
		return 0;
	/* nobody looks at the CQ again before the next poll() */
	if (ring->poll_mode && r != -ECONNRESET && !rdl_arm(ring) && any(ring))
		return 0;
	return r;
}

int rdl_wait_events(struct ringd_ring *ring, uint32_t nr, const struct rdl_until *until)
{
	uint32_t special = rdl_special(ring);
	int r;

	rdl_channel_look(ring);
	if (RDL_UNLIKELY(special)) {
		r = may_wait(ring, special);
		if (r < 0)
			return r;
	}
	if (RDL_LIKELY(!(special & RDL_LAZY)))
		return wait_entered(ring, nr, until);
	lazy_begin(ring);
	r = rdl_enter(ring, 0, RINGD_ENTER_GETEVENTS);
	if (r >= 0 || any(ring))
		r = wait_entered(ring, nr, until);
	lazy_end(ring);
	return r;
}

int rdl_get_events(struct ringd_ring *ring)
{
	uint32_t special = rdl_special(ring), flags = rdl_needs_enter(ring);
	int r;

	if (special & RDL_LAZY)
		flags = RINGD_ENTER_GETEVENTS;
	if (special & RDL_DEAD)
		return -ECONNRESET;
	r = may_wait(ring, special);
	if (r == 0 && flags)
		r = rdl_enter(ring, 0, flags);
	return RDL_MIN(r, 0);
}

/* Did all of it go? want: so many, or RDL_ALL: those that there were. */
static bool went(int n, uint32_t want, uint32_t asked)
{
	return n >= 0 && (uint32_t)n == (want == RDL_ALL ? asked : want);
}

/* Submission and wait in one enter: what completes late is posted from the start. */
static int submit_lazy(struct ringd_ring *ring, uint32_t want, uint32_t nr, const struct rdl_until *until, int *res)
{
	uint32_t asked;
	int n;

	lazy_begin(ring);
	n = rdl_submit(ring, want, RINGD_ENTER_GETEVENTS, &asked);
	if (nr && went(n, want, asked))
		*res = wait_entered(ring, nr, until);
	lazy_end(ring);
	return n;
}

int rdl_submit_and_wait(struct ringd_ring *ring, uint32_t want, uint32_t nr, const struct rdl_until *until)
{
	uint32_t asked;
	int n, r = 0;

	if (RDL_UNLIKELY(rdl_special(ring) & RDL_LAZY) && !ring->sqpoll) {
		n = submit_lazy(ring, want, nr, until, &r);
	} else {
		n = rdl_submit(ring, want, 0, &asked);
		/* fewer: an SQE was refused, its CQE should be seen first */
		if (nr && went(n, want, asked) && !passed(ring, cq_head(ring) + nr))
			r = rdl_wait_events(ring, nr, until);
	}
	if (r == -ECONNRESET)
		return r;
	return n != 0 || r == 0 ? n : r;
}

int ringd_submit_and_wait(struct ringd_ring *ring, unsigned int wait_nr)
{
	return rdl_submit_and_wait(ring, RDL_ALL, wait_nr, NULL);
}

int ringd_get_events(struct ringd_ring *ring)
{
	return rdl_get_events(ring);
}

int ringd_submit_and_get_events(struct ringd_ring *ring)
{
	uint32_t asked, events = rdl_special(ring) & RDL_LAZY ? RINGD_ENTER_GETEVENTS : 0;
	int n = rdl_submit(ring, RDL_ALL, events, &asked);

	/* the engine does not enter for an SQPOLL ring's submit */
	if (n >= 0 && ring->sqpoll && rdl_get_events(ring) == -ECONNRESET)
		return -ECONNRESET;
	return n;
}
