/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The completion side: look, wait, take. */
#include "private.h"

/* CQEs there are; a look at shared memory only when none is known. */
static inline uint32_t known(struct ringd_ring *ring)
{
	if (ring->cq_tail == ring->cq_head)
		/* acquire: pairs with the engine's release after it wrote the CQEs */
		ring->cq_tail = rdl_load_acquire(&ring->cq_hot->cq_tail);
	return ring->cq_tail - ring->cq_head;
}

static inline uint32_t ready(struct ringd_ring *ring)
{
	ring->cq_tail = rdl_load_acquire(&ring->cq_hot->cq_tail);
	return ring->cq_tail - ring->cq_head;
}

static inline struct ringd_cqe *first(struct ringd_ring *ring)
{
	return &ring->cqes[ring->cq_head & ring->cq_mask];
}

static inline bool held_back(const struct ringd_ring *ring)
{
	return rdl_load(&ring->cq_hot->sq_flags) & RINGD_SQ_CQ_OVERFLOW;
}

/* An empty CQ is asked at most every 100 us or so whether its ring lives. */
static bool gone(struct ringd_ring *ring)
{
	uint64_t now = rdl_ticks();

	if (!rdl_load(&ring->dead) && rdl_load(&ring->cq_hot->state) != RINGD_STATE_DEAD &&
	    now - ring->cq_checked < RDL_TICKS_CHECK)
		return false;
	ring->cq_checked = now;
	return rdl_dead(ring);
}

/*
 * The CQ is empty: fetch what is held back, find out whether the ring lives, arm the descriptor of a ring in poll mode.
 * 0: now there are CQEs, -EAGAIN, -ECONNRESET.
 */
static RDL_COLD int empty(struct ringd_ring *ring)
{
	int r;

	for (;;) {
		if (gone(ring))
			return ready(ring) ? 0 : -ECONNRESET;
		if (held_back(ring)) {
			r = rdl_enter(ring, 0, RINGD_ENTER_GETEVENTS);
			if (ready(ring))
				return 0;
			if (r < 0)
				return r;
		}
		if (!ring->poll_mode || rdl_arm(ring))
			return ready(ring) ? 0 : -EAGAIN;
		if (ready(ring))
			return 0;
	}
}

int ringd_peek_cqe(struct ringd_ring *ring, struct ringd_cqe **cqe)
{
	int r;

	if (RDL_UNLIKELY(!known(ring))) {
		r = empty(ring);
		if (r < 0) {
			*cqe = NULL;
			return r;
		}
	}
	*cqe = first(ring);
	return 0;
}

unsigned int ringd_cq_ready(struct ringd_ring *ring)
{
	uint32_t n = ready(ring);

	if (RDL_UNLIKELY(!n) && empty(ring) == 0)
		n = ring->cq_tail - ring->cq_head;
	return n;
}

bool ringd_cq_has_overflow(const struct ringd_ring *ring)
{
	return held_back(ring);
}

struct ringd_cqe *ringd_cqe_at(struct ringd_ring *ring, unsigned int i)
{
	return &ring->cqes[(ring->cq_head + i) & ring->cq_mask];
}

unsigned int ringd_peek_batch_cqe(struct ringd_ring *ring, struct ringd_cqe **cqes, unsigned int count)
{
	uint32_t n = RDL_MIN(ringd_cq_ready(ring), count);

	for (uint32_t i = 0; i < n; i++)
		cqes[i] = &ring->cqes[(ring->cq_head + i) & ring->cq_mask];
	return n;
}

void ringd_cq_advance(struct ringd_ring *ring, unsigned int nr)
{
	ring->cq_head += nr;
	/* release: the CQEs were read before the engine may overwrite them */
	rdl_store_release(&ring->cq_hot->cq_head, ring->cq_head);
}

void ringd_cqe_seen(struct ringd_ring *ring, const struct ringd_cqe *cqe)
{
	if (cqe)
		ringd_cq_advance(ring, 1);
}

/* Until nr CQEs are there. An end that is not the wanted one is reported only when there is no CQE at all. */
int rdl_wait_cqes(struct ringd_ring *ring, uint32_t nr, uint64_t deadline)
{
	int r = 0;

	nr = RDL_MIN(nr, ring->cq_entries);
	for (;;) {
		if (ready(ring) >= nr)
			return 0;
		if (held_back(ring)) {
			r = rdl_enter(ring, 0, RINGD_ENTER_GETEVENTS);
			if (ready(ring) >= nr)
				return 0;
		}
		if (r >= 0)
			r = rdl_wait(ring, RINGD_WAIT_KIND_CQ, ring->cq_head + nr, deadline);
		if (r >= 0)
			continue;
		if (ready(ring))
			return 0;
		/* nobody looks at the CQ again before the next poll() */
		if (ring->poll_mode && r != -ECONNRESET && !rdl_arm(ring) && ready(ring))
			return 0;
		return r;
	}
}

static int wait_first(struct ringd_ring *ring, struct ringd_cqe **cqe, uint32_t nr, uint64_t deadline)
{
	int r = rdl_wait_cqes(ring, nr, deadline);

	*cqe = r < 0 ? NULL : first(ring);
	return r;
}

int ringd_wait_cqe(struct ringd_ring *ring, struct ringd_cqe **cqe)
{
	if (known(ring)) {
		*cqe = first(ring);
		return 0;
	}
	return wait_first(ring, cqe, 1, RDL_FOREVER);
}

int ringd_wait_cqe_nr(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr)
{
	return nr ? wait_first(ring, cqe, nr, RDL_FOREVER) : ringd_peek_cqe(ring, cqe);
}

int ringd_wait_cqe_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, const struct timespec *ts)
{
	if (known(ring)) {
		*cqe = first(ring);
		return 0;
	}
	return wait_first(ring, cqe, 1, rdl_deadline(ts));
}
