/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Posting completions. Reactor thread of the ring. */
#ifndef RD_CQ_H
#define RD_CQ_H

#include "ring.h"

/* Tell the client the SQ flags (RINGD_SQ_*); they are part of our truth. */
void rd_ring_set_sq_flags(struct rd_ring *ring, uint32_t flags);
/* Load the client's cq_head; false: it lies (beyond our tail or more than the CQ behind it) and the ring must end. */
bool rd_cq_refresh_head(struct rd_ring *ring);
/* No room, or others wait already: keep it in held, which stays the ring's until held->release(). */
void rd_cq_hold(struct rd_ring *ring, struct rd_held *held);
/* No memory or budget to hold one back either: it is lost, and the next enter says so. */
void rd_cq_lose(struct rd_ring *ring);
/* Move held-back completions into the CQ as far as there is room. */
void rd_cq_flush_overflow(struct rd_ring *ring);
/* Drop them all: the ring is ending. */
void rd_cq_drop_overflow(struct rd_ring *ring);
/* Make what was put visible and wake who waits for it. */
void rd_cq_publish(struct rd_ring *ring);

/*
 * Make it visible only: who looks sees it, who sleeps is woken by the rd_cq_publish() that must follow before the
 * reactor turns to anything else. Release: pairs with the client's acquire. No full barrier: that one waits until the
 * CQEs' lines have come over from the client's CPU.
 */
static inline void rd_cq_show(struct rd_ring *ring)
{
	__atomic_store_n(&ring->hot->cq_tail, ring->cq_tail, __ATOMIC_RELEASE);
}

/* Is there a free entry, and nothing held back that must go first? Not for the rings with odd CQEs. */
static inline bool rd_cq_room(struct rd_ring *ring)
{
	if (RD_LIKELY(ring->cq_tail - ring->cq_head < ring->cq_entries))
		return true;
	return rd_cq_refresh_head(ring) && ring->cq_tail - ring->cq_head < ring->cq_entries;
}

/* Two stores of eight bytes; published later. */
static inline void rd_cq_store(void *cqe, uint64_t user_data, int32_t res, uint32_t flags)
{
	uint64_t *words = cqe;

	__atomic_store_n(&words[0], user_data, __ATOMIC_RELAXED);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__atomic_store_n(&words[1], (uint64_t)flags << 32 | (uint32_t)res, __ATOMIC_RELAXED);
#else
	__atomic_store_n(&words[1], (uint64_t)(uint32_t)res << 32 | flags, __ATOMIC_RELAXED);
#endif
}

/* The same for any format and any state of the CQ. big: two words that make it a 32-byte CQE, or NULL. */
bool rd_cq_put_odd(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags, const uint64_t *big);
/* Would it succeed with a CQE of 32 bytes? May put what fills up the end of the CQ. */
bool rd_cq_room_big(struct rd_ring *ring);

/* Put a CQE of 16 bytes. False: there is no room, or others are held back; nothing happened. */
static inline bool rd_cq_put(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags)
{
	if (RD_UNLIKELY(ring->cq_odd || !rd_cq_room(ring)))
		return rd_cq_put_odd(ring, user_data, res, flags, NULL);
	rd_cq_store(&ring->cqes[ring->cq_tail++ & (ring->cq_entries - 1)], user_data, res, flags);
	return true;
}

#endif
