/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The submission side: SQEs, the tail, the doorbell, and the enter of a plain ring. */
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

struct ringd_sqe *ringd_get_sqe(struct ringd_ring *ring)
{
	uint32_t tail = ring->sq_tail;
	struct ringd_sqe *sqe;

	if (RDL_UNLIKELY(tail - ring->sq_head >= ring->sq_entries)) {
		/* acquire: pairs with the engine's release after it has copied the SQE, which is overwritten now */
		ring->sq_head = rdl_load_acquire(&ring->hot->sq_head);
		if (tail - ring->sq_head >= ring->sq_entries)
			return NULL;
	}
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

int rdl_enter(struct ringd_ring *ring, uint32_t to_submit, uint32_t flags)
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
	if (rdl_load(&hot->sq_flags) & RINGD_SQ_NEED_WAKEUP) {
		if (rdl_dead(ring))
			return -ECONNRESET;
		ring_doorbell(ring);
	}
	r = rdl_wait(ring, RINGD_WAIT_KIND_ENTER, ring->enter_seq, RDL_FOREVER);
	if (r < 0)
		return r;
	return rdl_load(&hot->enter_res);
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

static int submit_plain(struct ringd_ring *ring, uint32_t *asked)
{
	struct ringd_hot *hot = ring->hot;
	uint32_t n = ring->sq_tail - ring->sq_head, flags;
	int r;

	*asked = n;
	flags = rdl_load(&hot->sq_flags) & RINGD_SQ_CQ_OVERFLOW ? RINGD_ENTER_GETEVENTS : 0;
	if (RDL_UNLIKELY(!n && !flags))
		return rdl_load(&ring->dead) || (check_due(ring) && rdl_dead(ring)) ? -ECONNRESET : 0;
	if (RDL_UNLIKELY(rdl_load(&ring->dead)))
		return -ECONNRESET;
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
	slow |= rdl_load(&ring->dead) || rdl_load(&hot->state) == RINGD_STATE_DEAD;
	if (RDL_UNLIKELY(slow))
		return submit_sqpoll_slow(ring, (int)n);
	return (int)n;
}

/* *asked: how many there were, for whoever must know whether all of them went. */
static int submit(struct ringd_ring *ring, uint32_t *asked)
{
	int r;

	if (!ring->sqpoll)
		return submit_plain(ring, asked);
	r = submit_sqpoll(ring);
	*asked = r < 0 ? 0 : (uint32_t)r;
	return r;
}

int ringd_submit(struct ringd_ring *ring)
{
	uint32_t asked;

	return ring->sqpoll ? submit_sqpoll(ring) : submit_plain(ring, &asked);
}

int ringd_sqring_wait(struct ringd_ring *ring)
{
	uint32_t full = ring->sq_tail - ring->sq_entries;

	if (ring->sq_tail - ring->sq_head < ring->sq_entries || !ring->sqpoll)
		return rdl_dead(ring) ? -ECONNRESET : 0;
	return rdl_wait(ring, RINGD_WAIT_KIND_SQ, full + 1, RDL_FOREVER);
}

/* Submit, wait for nr CQEs; as enter(GETEVENTS): what was submitted counts more than how the wait ended. */
static int submit_and_wait(struct ringd_ring *ring, uint32_t nr, uint64_t deadline)
{
	uint32_t asked;
	int n, r = 0;

	n = submit(ring, &asked);
	if (n >= 0 && (uint32_t)n == asked && nr)	/* fewer: an SQE was refused, its CQE should be seen first */
		r = rdl_wait_cqes(ring, nr, deadline);
	if (r == -ECONNRESET)
		return r;
	return n != 0 || r == 0 ? n : r;
}

int ringd_submit_and_wait(struct ringd_ring *ring, unsigned int wait_nr)
{
	return submit_and_wait(ring, wait_nr, RDL_FOREVER);
}

int ringd_submit_and_wait_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr,
				  const struct timespec *ts)
{
	int r = submit_and_wait(ring, wait_nr, rdl_deadline(ts));

	if (ringd_peek_cqe(ring, cqe) < 0)
		*cqe = NULL;
	return r;
}
