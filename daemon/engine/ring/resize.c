/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RESIZE_RINGS: the ring moves into other memory with other sizes, between two enters of its client. Indices stay, entries go
 * to the slots that those have now. Nothing is done before everything is known to fit; then nothing can fail.
 *
 * What is in the old memory the client may have made up, or change while we copy. It is copied, never believed.
 */
#include "ring.h"

#include "cq.h"

/* What is carried over: the entries [head, tail) of both queues. */
struct carry {
	uint32_t sq_head, sq_tail;
	uint32_t cq_head, cq_tail;
};

static void copy(char *dst, const char *src, size_t size)
{
	uint64_t *d = (uint64_t *)(void *)dst;
	const uint64_t *s = (const uint64_t *)(const void *)src;

	for (size_t i = 0; i < size / sizeof(*d); i++)
		__atomic_store_n(&d[i], __atomic_load_n(&s[i], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static const char *entry(const void *base, uint32_t index, uint32_t entries, uint8_t shift)
{
	return (const char *)base + ((size_t)(index & (entries - 1)) << shift);
}

/* Two entries that are one large one lie side by side, so they cannot be the last and the first. */
static bool cqe_would_split(const struct rd_ring *ring, const struct carry *c, uint32_t cq_entries)
{
	const struct ringd_cqe *cqe;

	if (!(ring->cq_odd & RD_CQ_MIXED))
		return false;
	for (uint32_t i = c->cq_head; i != c->cq_tail; i++) {
		cqe = (const void *)entry(ring->cqes, i, ring->cq_entries, ring->cqe_shift);
		if (!(__atomic_load_n(&cqe->flags, __ATOMIC_RELAXED) & RINGD_CQE_F_32) || i + 1 == c->cq_tail)
			continue;
		if ((i & (cq_entries - 1)) == cq_entries - 1)
			return true;
		i++;
	}
	return false;
}

static int look_what_fits(struct rd_ring *ring, struct carry *c, const struct rd_layout *l)
{
	c->sq_head = ring->rewind ? 0 : ring->sq_head;
	c->sq_tail = __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_ACQUIRE);
	c->cq_head = __atomic_load_n(&ring->hot->cq_head, __ATOMIC_ACQUIRE);
	c->cq_tail = ring->cq_tail;
	/* more than the old has room for is a lie; it does not become true in the new */
	if (c->sq_tail - c->sq_head > RD_MIN(l->sq_entries, ring->sq_entries) ||
	    c->cq_tail - c->cq_head > RD_MIN(l->cq_entries, ring->cq_entries) || cqe_would_split(ring, c, l->cq_entries))
		return -EOVERFLOW;
	return 0;
}

static int recharge(struct rd_ring *ring, const struct rd_layout *l)
{
	struct rd_user *user = &ring->ctx.engine->user;
	uint64_t had = ring->entries.amount;
	int r;

	rd_charge_give(&ring->entries);
	r = rd_charge_take(&ring->entries, user, RINGD_LIMIT_ENTRIES, (uint64_t)l->sq_entries + l->cq_entries);
	if (r < 0)
		(void)rd_charge_take(&ring->entries, user, RINGD_LIMIT_ENTRIES, had);	/* it was there a moment ago */
	return r;
}

static void copy_entries(const struct rd_ring *ring, const struct carry *c, const struct rd_layout *l,
			 const struct rd_ring_memory *mem)
{
	char *cqes = (char *)mem->rings + 64;

	for (uint32_t i = c->sq_head; i != c->sq_tail; i++)
		copy((char *)mem->sqes + ((size_t)(i & (l->sq_entries - 1)) << l->sqe_shift),
		     entry(ring->sqes, i, ring->sq_entries, ring->sqe_shift), 1ul << l->sqe_shift);
	for (uint32_t i = c->cq_head; i != c->cq_tail; i++)
		copy(cqes + ((size_t)(i & (l->cq_entries - 1)) << l->cqe_shift),
		     entry(ring->cqes, i, ring->cq_entries, ring->cqe_shift), 1ul << l->cqe_shift);
}

#define CARRY(word) __atomic_store_n(&to->word, __atomic_load_n(&from->word, __ATOMIC_RELAXED), __ATOMIC_RELAXED)

/* The client's words as they are, ours from our own copies. */
static void copy_words(struct rd_ring *ring, const struct carry *c, struct ringd_hot *to)
{
	const struct ringd_hot *from = ring->hot;

	to->sq_tail = c->sq_tail;
	to->cq_head = c->cq_head;
	CARRY(enter_seq);
	CARRY(enter_to_submit);
	CARRY(enter_flags);
	CARRY(cq_flags);
	CARRY(wait);
	CARRY(waiting);
	to->cq_tail = ring->cq_tail;
	to->sq_head = c->sq_head;
	to->enter_done = ring->enter_seen;
	to->sq_dropped = ring->sq_dropped;
	to->cq_overflow = ring->cq_overflow;
	to->channel = ring->channel;
	/* whoever has looked at the old flags just now must not miss anything: it enters once too often */
	ring->sq_flags |= RINGD_SQ_TASKRUN;
	to->sq_flags = ring->sq_flags;
	to->tasks = ring->reaping ? RINGD_TASKS_RUNNING : ring->tasks_told ? RINGD_TASKS_PENDING : 0;
}

int rd_ring_resize(struct rd_ring *ring, const struct rd_layout *layout, const struct rd_ring_memory *mem)
{
	struct carry c;
	int r;

	if (ring->entering)
		return -EBUSY;
	r = look_what_fits(ring, &c, layout);
	if (r == 0)
		r = recharge(ring, layout);
	if (r < 0)
		return r;
	rd_layout_init(layout, mem->rings);
	copy_entries(ring, &c, layout, mem);
	copy_words(ring, &c, rd_layout_hot(layout, mem->rings));
	rd_ring_place(ring, layout, mem);
	ring->cq_head = c.cq_head;
	/* publishes there, and looks at a wait that was armed here */
	rd_poller_dirty(ring->ctx.engine->reactor, &ring->poller);
	return 0;
}
