/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The completion side: look, wait, take. */
#include "private.h"

/*
 * The head is moved by one thread at a time, but threads that wait may look at it meanwhile, and what they store as the
 * tail may be older than what was there: then the distance is negative, which means that nothing is known.
 */
static inline uint32_t head(const struct ringd_ring *ring)
{
	return rdl_load_acquire(&ring->cq_head);
}

static inline uint32_t ready(struct ringd_ring *ring)
{
	/* in this order: the tail is not behind the head then */
	uint32_t h = head(ring), tail = rdl_load_acquire(&ring->cq_hot->cq_tail);

	rdl_store(&ring->cq_tail, tail);
	/* what a request without a CQE has brought is there when the CQEs behind it are: the engine told of it before their tail */
	rdl_channel_look(ring);
	return tail - h;
}

/* CQEs there are; a look at shared memory only when none is known. */
static inline uint32_t known(struct ringd_ring *ring)
{
	int32_t n = (int32_t)(rdl_load(&ring->cq_tail) - rdl_load(&ring->cq_head));

	return n > 0 ? (uint32_t)n : ready(ring);
}

static inline struct ringd_cqe *at(const struct ringd_ring *ring, uint32_t index)
{
	return &ring->cqes[(index & ring->cq_mask) << ring->cqe_shift];
}

/* Rings with CQE_MIXED: nothing but fillers first? They are taken. True: there is a CQE. */
static RDL_COLD bool skip_fillers(struct ringd_ring *ring)
{
	while (known(ring)) {
		if (!(at(ring, head(ring))->flags & RINGD_CQE_F_SKIP))
			return true;
		ringd_cq_advance(ring, 1);
	}
	return false;
}

/* Is there one to be taken? */
static inline bool some(struct ringd_ring *ring)
{
	if (RDL_UNLIKELY(ring->mixed))
		return skip_fillers(ring);
	return known(ring);
}

static inline struct ringd_cqe *first(struct ringd_ring *ring)
{
	return rdl_cqe_open(ring, at(ring, head(ring)));
}

/* An empty CQ is asked at most every 100 us or so whether its ring lives. */
static bool gone(struct ringd_ring *ring)
{
	uint64_t now = rdl_ticks();

	if (!rdl_is_dead(ring) && rdl_load(&ring->cq_hot->state) != RINGD_STATE_DEAD &&
	    now - rdl_load(&ring->cq_checked) < RDL_TICKS_CHECK)
		return false;
	rdl_store(&ring->cq_checked, now);
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
		if (rdl_needs_enter(ring)) {
			r = rdl_get_events(ring);
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

/* All that is not: one is known, and it is a plain one. */
static RDL_COLD int peek_slow(struct ringd_ring *ring, struct ringd_cqe **cqe)
{
	while (!some(ring)) {
		int r = empty(ring);

		if (r < 0) {
			*cqe = NULL;
			return r;
		}
	}
	*cqe = first(ring);
	return 0;
}

int ringd_peek_cqe(struct ringd_ring *ring, struct ringd_cqe **cqe)
{
	struct ringd_cqe *c;

	if (RDL_UNLIKELY(ring->mixed || !known(ring)))
		return peek_slow(ring, cqe);
	c = at(ring, head(ring));
	if (RDL_UNLIKELY(rdl_load_acquire(&c->flags) & RINGD_CQE_F_CHANNEL))
		return peek_slow(ring, cqe);
	*cqe = c;
	return 0;
}

unsigned int ringd_cq_ready(struct ringd_ring *ring)
{
	uint32_t n = ready(ring);

	if (RDL_UNLIKELY(!n) && empty(ring) == 0)
		n = ready(ring);
	return n;
}

bool ringd_cq_has_overflow(const struct ringd_ring *ring)
{
	return rdl_load(&ring->cq_hot->sq_flags) & RINGD_SQ_CQ_OVERFLOW;
}

struct ringd_cqe *ringd_cqe_at(struct ringd_ring *ring, unsigned int i)
{
	return rdl_cqe_open(ring, at(ring, head(ring) + i));
}

unsigned int ringd_cqe_slots(const struct ringd_ring *ring, const struct ringd_cqe *cqe)
{
	return ring->mixed && (cqe->flags & RINGD_CQE_F_32) ? 2 : 1;
}

struct ringd_cqe *ringd_cqe_next(struct ringd_ring *ring, unsigned int *i, unsigned int n)
{
	struct ringd_cqe *cqe;

	while (*i < n) {
		cqe = ringd_cqe_at(ring, *i);
		*i += ringd_cqe_slots(ring, cqe);
		if (!ring->mixed || !(cqe->flags & RINGD_CQE_F_SKIP))
			return cqe;
	}
	return NULL;
}

static RDL_COLD unsigned int batch_mixed(struct ringd_ring *ring, struct ringd_cqe **cqes, unsigned int count)
{
	uint32_t n = ringd_cq_ready(ring), found = 0;

	for (unsigned int i = 0; found < count && (cqes[found] = ringd_cqe_next(ring, &i, n)); found++)
		;
	return found;
}

static RDL_COLD void batch_open(struct ringd_ring *ring, struct ringd_cqe **cqes, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		rdl_cqe_open(ring, cqes[i]);
}

unsigned int ringd_peek_batch_cqe(struct ringd_ring *ring, struct ringd_cqe **cqes, unsigned int count)
{
	uint32_t n, first, mask, shift, flags = 0;
	struct ringd_cqe *base;

	if (RDL_UNLIKELY(ring->mixed))
		return batch_mixed(ring, cqes, count);
	n = ready(ring);
	if (RDL_UNLIKELY(!n))
		n = ringd_cq_ready(ring);
	n = RDL_MIN(n, count);
	first = ring->cq_head;
	base = ring->cqes;	/* what is stored in the loop might be ring's, as far as a compiler knows */
	mask = ring->cq_mask;
	shift = ring->cqe_shift;
	for (uint32_t i = 0; i < n; i++) {
		struct ringd_cqe *cqe = &base[((first + i) & mask) << shift];

		cqes[i] = cqe;
		flags |= rdl_load_acquire(&cqe->flags);
	}
	if (RDL_UNLIKELY(flags & RINGD_CQE_F_CHANNEL))
		batch_open(ring, cqes, n);
	return n;
}

void ringd_cq_advance(struct ringd_ring *ring, unsigned int nr)
{
	uint32_t h = ring->cq_head + nr;

	/* release: pairs with head() of a thread that waits */
	rdl_store_release(&ring->cq_head, h);
	/* release: the CQEs were read before the engine may overwrite them */
	rdl_store_release(&ring->cq_hot->cq_head, h);
}

void ringd_cqe_seen(struct ringd_ring *ring, const struct ringd_cqe *cqe)
{
	if (cqe)
		ringd_cq_advance(ring, ringd_cqe_slots(ring, cqe));
}

/* --- waiting --- */

/* Until there are nr and one can be taken: another thread may take those that ended the wait. */
static int wait_first(struct ringd_ring *ring, struct ringd_cqe **cqe, uint32_t nr, const struct rdl_until *until)
{
	int r;

	do {
		r = rdl_wait_events(ring, nr, until);
	} while (r == 0 && !some(ring));
	*cqe = r < 0 ? NULL : first(ring);
	return r;
}

static int wait_until(struct ringd_ring *ring, struct ringd_cqe **cqe, uint32_t nr, const struct timespec *ts,
		      unsigned int min_wait_usec, const sigset_t *sigmask)
{
	struct rdl_until until;

	if (!nr)
		return ringd_peek_cqe(ring, cqe);
	rdl_until_init(&until, ring, ts, min_wait_usec, sigmask);
	return wait_first(ring, cqe, nr, &until);
}

int ringd_wait_cqe(struct ringd_ring *ring, struct ringd_cqe **cqe)
{
	if (some(ring)) {
		*cqe = first(ring);
		return 0;
	}
	return wait_first(ring, cqe, 1, NULL);
}

int ringd_wait_cqe_nr(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr)
{
	return nr ? wait_first(ring, cqe, nr, NULL) : ringd_peek_cqe(ring, cqe);
}

int ringd_wait_cqe_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, const struct timespec *ts)
{
	if (some(ring)) {
		*cqe = first(ring);
		return 0;
	}
	return wait_until(ring, cqe, 1, ts, 0, NULL);
}

int ringd_wait_cqes(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr, const struct timespec *ts,
		    const sigset_t *sigmask)
{
	return wait_until(ring, cqe, nr, ts, 0, sigmask);
}

int ringd_wait_cqes_min_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr, const struct timespec *ts,
				unsigned int min_wait_usec, const sigset_t *sigmask)
{
	return wait_until(ring, cqe, nr, ts, min_wait_usec, sigmask);
}

int ringd_submit_and_wait_min_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr,
				      const struct timespec *ts, unsigned int min_wait_usec, const sigset_t *sigmask)
{
	struct rdl_until until;
	int r;

	rdl_until_init(&until, ring, ts, min_wait_usec, sigmask);
	r = rdl_submit_and_wait(ring, RDL_ALL, wait_nr, &until);
	if (ringd_peek_cqe(ring, cqe) < 0)
		*cqe = NULL;
	return r;
}

int ringd_submit_and_wait_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr,
				  const struct timespec *ts)
{
	return ringd_submit_and_wait_min_timeout(ring, cqe, wait_nr, ts, 0, NULL);
}
