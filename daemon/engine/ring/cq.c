/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The completion side. We own cq_tail and never read it back; of the client's words cq_head is loaded only when the CQ
 * looks full and the wait word after every publication. A completion that finds no room is never dropped: it stays in
 * the object it speaks for, in order, until the client has made room and entered with GETEVENTS.
 */
#include "cq.h"
#include "sq.h"

bool rd_cq_refresh_head(struct rd_ring *ring)
{
	/* acquire: pairs with the client's release of cq_head, it has read the entries below */
	uint32_t head = __atomic_load_n(&ring->hot->cq_head, __ATOMIC_ACQUIRE);

	if (ring->cq_tail - head > ring->cq_entries) {
		ring->violation = RINGD_REASON_CQ_HEAD;
		return false;
	}
	ring->cq_head = head;
	return true;
}

static void set_sq_flags(struct rd_ring *ring, uint32_t flags)
{
	ring->sq_flags = flags;
	__atomic_store_n(&ring->hot->sq_flags, flags, __ATOMIC_RELEASE);
}

void rd_cq_hold(struct rd_ring *ring, struct rd_held *held)
{
	rd_list_append(&ring->overflow, &held->link);
	ring->held++;
	ring->ctx.engine->user.used[RINGD_LIMIT_INFLIGHT]++;
	if (!(ring->sq_flags & RINGD_SQ_CQ_OVERFLOW))
		set_sq_flags(ring, ring->sq_flags | RINGD_SQ_CQ_OVERFLOW);
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
	if (rd_list_empty(&ring->overflow) || !rd_cq_refresh_head(ring))
		return;
	while (!rd_list_empty(&ring->overflow) && ring->cq_tail - ring->cq_head < ring->cq_entries) {
		struct rd_held *held = rd_list_first(&ring->overflow, struct rd_held, link);

		rd_cq_put(ring, held->user_data, held->res, held->flags);
		held_done(ring, held);
	}
	if (rd_list_empty(&ring->overflow))
		set_sq_flags(ring, ring->sq_flags & ~RINGD_SQ_CQ_OVERFLOW);
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
		return (int32_t)(ring->cq_tail - target) >= 0 || ring->held;
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
	seq = (uint32_t)(wait >> 32);
	if (RD_LIKELY(!seq) || seq == ring->wait_signalled)
		return;
	if (!wait_reached(ring, seq & RINGD_WAIT_KIND_MASK, (uint32_t)wait))
		return;
	ring->wait_signalled = seq;
	ring->ctx.host->ops->wake(ring->ctx.host, ring);
}
