/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The submission side: SQEs, the tail, the doorbell, and the enter of a plain ring. */
#include <string.h>

#include "private.h"

/* How many SQEs ahead: filling one takes some 5 ns, the line of one 40 to 250. More than this gained nothing. */
#define PREFETCH	8u

static inline void prefetch_write(void *p)
{
#if defined(__x86_64__)
	/* gcc makes a plain prefetch of __builtin_prefetch(p, 1) here, and a shared line must then be asked for again */
	__asm__ volatile("prefetchw %0" : : "m"(*(char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/* Are there n free slots behind tail? */
static bool room(struct ringd_ring *ring, uint32_t tail, uint32_t n)
{
	if (tail + n - ring->sq_head <= ring->sq_entries)
		return true;
	/* acquire: pairs with the engine's release after it has copied the SQE, which is overwritten now */
	ring->sq_head = rdl_load_acquire(&ring->hot->sq_head);
	return tail + n - ring->sq_head <= ring->sq_entries;
}

/* The next n slots as one cleared SQE. */
static struct ringd_sqe *take_slots(struct ringd_ring *ring, uint32_t n)
{
	size_t slot = ring->sq_tail & ring->sq_mask;
	struct ringd_sqe *sqe = &ring->sqes[slot << ring->sqe_shift];

	ring->sq_tail += n;
	memset(sqe, 0, (n << ring->sqe_shift) * sizeof(*sqe));
	return sqe;
}

/* The SQ looks full, or is none whose SQEs are 64 bytes at their own index. */
static RDL_COLD struct ringd_sqe *get_sqe_slow(struct ringd_ring *ring)
{
	return room(ring, ring->sq_tail, 1) ? take_slots(ring, 1) : NULL;
}

struct ringd_sqe *ringd_get_sqe128(struct ringd_ring *ring)
{
	if (ring->flags & RINGD_SETUP_SQE128)
		return ringd_get_sqe(ring);
	if (!(ring->flags & RINGD_SETUP_SQE_MIXED))
		return NULL;
	if ((ring->sq_tail & ring->sq_mask) == ring->sq_mask) {
		struct ringd_sqe *filler;

		/* the two halves must be neighbours: what is left of this lap is spent on nothing */
		if (!room(ring, ring->sq_tail, 3))
			return NULL;
		filler = take_slots(ring, 1);
		ringd_prep_nop(filler);
		filler->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	}
	return room(ring, ring->sq_tail, 2) ? take_slots(ring, 2) : NULL;
}

struct ringd_sqe *ringd_get_sqe(struct ringd_ring *ring)
{
	uint32_t tail = ring->sq_tail;
	struct ringd_sqe *sqe;

	if (RDL_UNLIKELY(tail - ring->sq_head >= ring->sq_plain))
		return get_sqe_slow(ring);
	ring->sq_tail = tail + 1;
	/* The engine has read the lines of the last lap's SQEs: each must come back exclusive, better before it is needed. */
	prefetch_write(&ring->sqes[(tail + PREFETCH) & ring->sq_mask]);
	sqe = &ring->sqes[tail & ring->sq_mask];
	*sqe = (struct ringd_sqe){ 0 };
	return sqe;
}

unsigned int ringd_sq_ready(const struct ringd_ring *ring)
{
	return ring->sq_tail - rdl_load_acquire(&ring->hot->sq_head);
}

unsigned int ringd_sq_space_left(const struct ringd_ring *ring)
{
	return ring->sq_entries - ringd_sq_ready(ring);
}

/*
 * The engine polls the eventfd edge-triggered and never reads it: each write is an edge, until the counter is full. Then
 * it is emptied here, and the next write is an edge again.
 */
static RDL_COLD void ring_doorbell(struct ringd_ring *ring)
{
	const uint64_t one = 1;
	uint64_t sum;
	ssize_t n;

	n = write(ring->doorbell, &one, sizeof(one));
	if (n < 0 && errno == EAGAIN) {
		n = read(ring->doorbell, &sum, sizeof(sum));
		n = write(ring->doorbell, &one, sizeof(one));
	}
	(void)n;
}

int rdl_wake_engine(struct ringd_ring *ring)
{
	if (!(rdl_load(&ring->hot->sq_flags) & RINGD_SQ_NEED_WAKEUP))
		return 0;
	if (rdl_dead(ring))
		return -ECONNRESET;
	ring_doorbell(ring);
	return 0;
}

static inline int enter(struct ringd_ring *ring, uint32_t to_submit, uint32_t flags)
{
	struct ringd_hot *hot = ring->hot;
	int r;

	rdl_store(&hot->enter_to_submit, to_submit);
	rdl_store(&hot->enter_flags, flags);
	/*
	 * Full barrier: pairs with the engine's between storing NEED_WAKEUP and looking at enter_seq again. Either it sees
	 * this enter, or we see the flag.
	 */
	rdl_store_barrier(&hot->enter_seq, ++ring->enter_seq);
	r = rdl_wake_engine(ring);
	if (r == 0)
		r = rdl_wait(ring, RINGD_WAIT_KIND_ENTER, ring->enter_seq, NULL);
	if (r < 0)
		return r;
	return rdl_load(&hot->enter_res);
}

int rdl_enter(struct ringd_ring *ring, uint32_t to_submit, uint32_t flags)
{
	bool shared = !RDL_SINGLE_THREADED;	/* a thread that waits may have to enter beside the submitter */
	int r;

	if (shared)
		rdl_lock(&ring->enter_lock);
	r = enter(ring, to_submit, flags);
	if (shared)
		rdl_unlock(&ring->enter_lock);
	return r;
}

/* The ring is asked at most every 100 us or so whether it lives, where no system call would tell. */
static inline bool check_due(struct ringd_ring *ring)
{
	uint64_t now = rdl_ticks();

	if (now - ring->sq_checked < RDL_TICKS_CHECK)
		return false;
	ring->sq_checked = now;
	return true;
}

/* The engine says no more than this about an enter that took nothing. */
static RDL_COLD int refused(struct ringd_ring *ring, int err)
{
	return rdl_fail(ring->rd, err, "no room for more requests in flight (budget of this tenant: %llu)",
			(unsigned long long)ringd_limit(ring->rd, RINGD_LIMIT_INFLIGHT));
}

/*
 * The SQEs start at slot 0 in each enter, and the tail is nobody's business: those that were got, or the first so many of
 * the array as it is. None is got any more afterwards.
 */
static int submit_rewind(struct ringd_ring *ring, uint32_t max, uint32_t flags)
{
	uint32_t n = max == RDL_ALL ? ring->sq_tail : RDL_MIN(max, ring->sq_entries);
	int r;

	if (!n && !flags)
		return 0;
	r = rdl_enter(ring, n, flags);
	ring->sq_tail = ring->sq_published = ring->sq_head = 0;
	rdl_scratch_reset(ring);
	return r;
}

/* What keeps an enter from being made: the error. 0: nothing does. */
static RDL_COLD int submit_special(struct ringd_ring *ring, uint32_t special, uint32_t n, uint32_t *flags)
{
	if (special & RDL_DEAD)
		return -ECONNRESET;
	if (special & RDL_IOPOLL)
		*flags |= RINGD_ENTER_GETEVENTS;
	if (!n && !*flags)
		return 0;
	if (special & RDL_DISABLED)
		return -EBADFD;
	if ((special & RDL_ISSUER) && (n || (special & RDL_DEFER)) && ring->issuer != rdl_thread_id())
		return -EEXIST;
	return 0;
}

static inline int submit_plain(struct ringd_ring *ring, uint32_t max, uint32_t flags, uint32_t *asked)
{
	struct ringd_hot *hot = ring->hot;
	uint32_t n = RDL_MIN(ring->sq_tail - ring->sq_head, max), special = rdl_special(ring);
	int r;

	*asked = n;
	if (rdl_load(&hot->sq_flags) & (RINGD_SQ_CQ_OVERFLOW | RINGD_SQ_TASKRUN))
		flags |= RINGD_ENTER_GETEVENTS;
	if (RDL_UNLIKELY(special)) {
		r = submit_special(ring, special, n, &flags);
		if (r < 0)
			return r;
		if (special & RDL_REWIND)
			return submit_rewind(ring, max, flags);
	}
	if (RDL_UNLIKELY(!n && !flags))
		return check_due(ring) && rdl_dead(ring) ? -ECONNRESET : 0;
	/* release: the SQEs before the tail */
	rdl_store_release(&hot->sq_tail, ring->sq_tail);
	ring->sq_published = ring->sq_tail;
	r = rdl_enter(ring, n, flags);
	ring->sq_head = rdl_load_acquire(&hot->sq_head);
	return RDL_UNLIKELY(r == -EAGAIN) ? refused(ring, r) : r;
}

/* Something may need more than the store of the tail. */
static RDL_COLD int submit_sqpoll_slow(struct ringd_ring *ring, int n)
{
	if (rdl_dead(ring))
		return -ECONNRESET;
	if (rdl_special(ring) & RDL_DISABLED)
		return -EBADFD;
	if (rdl_load(&ring->hot->sq_flags) & RINGD_SQ_NEED_WAKEUP)
		ring_doorbell(ring);
	return n;
}

static inline int submit_sqpoll(struct ringd_ring *ring)
{
	struct ringd_hot *hot = ring->hot;
	uint32_t n = ring->sq_tail - ring->sq_published;
	bool slow = check_due(ring);

	if (n) {
		/*
		 * Release for the SQEs, and a full barrier that pairs with the engine's between storing NEED_WAKEUP and
		 * looking at sq_tail again: either it sees the SQEs, or we see the flag.
		 */
		rdl_store_barrier(&hot->sq_tail, ring->sq_tail);
		ring->sq_published = ring->sq_tail;
		slow |= rdl_load(&hot->sq_flags) & RINGD_SQ_NEED_WAKEUP;
	}
	slow |= rdl_special(ring) || rdl_load(&hot->state) == RINGD_STATE_DEAD;
	if (RDL_UNLIKELY(slow))
		return submit_sqpoll_slow(ring, (int)n);
	return (int)n;
}

int rdl_submit(struct ringd_ring *ring, uint32_t max, uint32_t flags, uint32_t *asked)
{
	int r;

	if (!ring->sqpoll)
		return submit_plain(ring, max, flags, asked);
	r = submit_sqpoll(ring);
	*asked = r < 0 ? 0 : (uint32_t)r;
	return r;
}

/* The tail alone: an engine that sleeps sleeps on. */
void rdl_publish(struct ringd_ring *ring)
{
	rdl_store_barrier(&ring->hot->sq_tail, ring->sq_tail);
	ring->sq_published = ring->sq_tail;
}

int ringd_submit(struct ringd_ring *ring)
{
	uint32_t asked;

	return ring->sqpoll ? submit_sqpoll(ring) : submit_plain(ring, RDL_ALL, 0, &asked);
}

int ringd_sqring_wait(struct ringd_ring *ring)
{
	uint32_t full = ring->sq_tail - ring->sq_entries;

	if (ring->sq_tail - ring->sq_head < ring->sq_entries || !ring->sqpoll)
		return rdl_dead(ring) ? -ECONNRESET : 0;
	return rdl_wait(ring, RINGD_WAIT_KIND_SQ, full + 1, NULL);
}
