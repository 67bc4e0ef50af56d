/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The completion side. We own cq_tail and never read it back; of the client's words cq_head is loaded only when the CQ
 * looks full and the wait word after every publication. A completion that finds no room is never dropped: it stays in
 * the object it speaks for, in order, until the client has made room and entered with GETEVENTS.
 */
#include "cq.h"
#include "event.h"
#include "sq.h"

bool rd_cq_refresh_head(struct rd_ring *ring)
{
	/* acquire: pairs with the client's release of cq_head, it has read the entries below */
	uint32_t head = __atomic_load_n(&ring->hot->cq_head, __ATOMIC_ACQUIRE);

	if (ring->cq_tail - head > ring->cq_entries) {
		/* a program that does this to itself has a CQ that is full, as with the kernel */
		if (!ring->ctx.engine->cfg.same_process)
			ring->violation = RINGD_REASON_CQ_HEAD;
		return false;
	}
	ring->cq_head = head;
	return true;
}

void rd_ring_set_sq_flags(struct rd_ring *ring, uint32_t flags)
{
	if (flags == ring->sq_flags)
		return;
	ring->sq_flags = flags;
	__atomic_store_n(&ring->hot->sq_flags, flags, __ATOMIC_RELEASE);
}

/* --- CQEs that are not 16 bytes each --- */

static bool room_for(struct rd_ring *ring, uint32_t n)
{
	if (ring->cq_tail - ring->cq_head + n <= ring->cq_entries)
		return true;
	return rd_cq_refresh_head(ring) && ring->cq_tail - ring->cq_head + n <= ring->cq_entries;
}

static void store_big(char *cqe, const uint64_t *big)
{
	uint64_t *words = (uint64_t *)(void *)(cqe + 16);

	__atomic_store_n(&words[0], big ? big[0] : 0, __ATOMIC_RELAXED);
	__atomic_store_n(&words[1], big ? big[1] : 0, __ATOMIC_RELAXED);
}

/*
 * The large one of a mixed ring is two entries side by side, so it cannot start in the last one. What fills that up is
 * put as soon as there is room for it alone: in a CQ of two entries there is never room for all three.
 */
static bool room_for_pair(struct rd_ring *ring)
{
	uint32_t slot = ring->cq_tail & (ring->cq_entries - 1);

	if (slot == ring->cq_entries - 1) {
		if (!room_for(ring, 1))
			return false;
		rd_cq_store(&ring->cqes[slot], 0, 0, RINGD_CQE_F_SKIP);
		ring->cq_tail++;
	}
	return room_for(ring, 2);
}

bool rd_cq_room_big(struct rd_ring *ring)
{
	if (ring->cq_odd & RD_CQ_HOLDS)
		return false;
	return ring->cq_odd & RD_CQ_MIXED ? room_for_pair(ring) : room_for(ring, 1);
}

static bool put_pair(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags, const uint64_t *big)
{
	uint32_t slot;

	if (!room_for_pair(ring))
		return false;
	slot = ring->cq_tail & (ring->cq_entries - 1);
	rd_cq_store(&ring->cqes[slot], user_data, res, flags | RINGD_CQE_F_32);
	store_big((char *)&ring->cqes[slot], big);
	ring->cq_tail += 2;
	return true;
}

/* Whether others are held back is not asked here. */
static bool put_any(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags, const uint64_t *big)
{
	char *cqe;

	if (big && (ring->cq_odd & RD_CQ_MIXED))
		return put_pair(ring, user_data, res, flags, big);
	if (!room_for(ring, 1))
		return false;
	cqe = (char *)ring->cqes + ((size_t)(ring->cq_tail++ & (ring->cq_entries - 1)) << ring->cqe_shift);
	rd_cq_store(cqe, user_data, res, flags);
	if (ring->cq_odd & RD_CQ_32)
		store_big(cqe, big);
	return true;
}

bool rd_cq_put_odd(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags, const uint64_t *big)
{
	return !(ring->cq_odd & RD_CQ_HOLDS) && put_any(ring, user_data, res, flags, big);
}

/* --- what found no room --- */

void rd_cq_hold(struct rd_ring *ring, struct rd_held *held)
{
	rd_list_append(&ring->overflow, &held->link);
	ring->cq_odd |= RD_CQ_HOLDS;
	ring->held++;
	ring->ctx.engine->user.used[RINGD_LIMIT_INFLIGHT]++;
	rd_ring_set_sq_flags(ring, ring->sq_flags | RINGD_SQ_CQ_OVERFLOW);
}

void rd_cq_lose(struct rd_ring *ring)
{
	ring->lost = true;
	__atomic_store_n(&ring->hot->cq_overflow, ++ring->cq_overflow, __ATOMIC_RELAXED);
}

static void held_done(struct rd_ring *ring, struct rd_held *held)
{
	rd_list_remove(&held->link);
	ring->held--;
	ring->ctx.engine->user.used[RINGD_LIMIT_INFLIGHT]--;
	held->release(held);
	rd_sq_feed_starved(ring->ctx.engine);
}

void rd_cq_flush_overflow(struct rd_ring *ring)
{
	while (!rd_list_empty(&ring->overflow)) {
		struct rd_held *held = rd_list_first(&ring->overflow, struct rd_held, link);

		if (!put_any(ring, held->user_data, held->res, held->flags, held->wide ? held->big : NULL))
			return;
		held_done(ring, held);
	}
	if (!(ring->cq_odd & RD_CQ_HOLDS))
		return;
	ring->cq_odd &= (uint8_t)~RD_CQ_HOLDS;
	rd_ring_set_sq_flags(ring, ring->sq_flags & ~RINGD_SQ_CQ_OVERFLOW);
}

void rd_cq_drop_overflow(struct rd_ring *ring)
{
	while (!rd_list_empty(&ring->overflow))
		held_done(ring, rd_list_first(&ring->overflow, struct rd_held, link));
}

static bool wait_reached(const struct rd_ring *ring, uint32_t kind, uint32_t target)
{
	switch (kind) {
	case RINGD_WAIT_KIND_CQ:
		return (int32_t)(ring->cq_tail - target) >= 0 || ring->held || ring->tasks_told;
	case RINGD_WAIT_KIND_ENTER:
		return !ring->entering && ring->enter_seen == target;
	case RINGD_WAIT_KIND_SQ:
		return (int32_t)(ring->sq_head - target) >= 0;
	case RINGD_WAIT_KIND_ANY:
		return true;
	}
	return false;
}

void rd_cq_publish(struct rd_ring *ring)
{
	uint64_t wait;
	uint32_t seq;

	/* Exchange = release of the CQEs, and with the load behind it, sequentially consistent too, the full barrier that
	 * pairs with the client's between arming its wait word and looking at the tail again. */
	__atomic_exchange_n(&ring->hot->cq_tail, ring->cq_tail, __ATOMIC_SEQ_CST);
	wait = __atomic_load_n(&ring->hot->wait, __ATOMIC_SEQ_CST);
	if (RD_UNLIKELY(ring->event))
		rd_event_published(ring);
	seq = (uint32_t)(wait >> 32);
	if (RD_LIKELY(!seq) || seq == ring->wait_signalled)
		return;
	if (!wait_reached(ring, seq & RINGD_WAIT_KIND_MASK, (uint32_t)wait))
		return;
	ring->wait_signalled = seq;
	ring->ctx.host->ops->wake(ring->ctx.host, ring);
}
