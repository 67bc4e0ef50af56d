/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scratch area: where the small things live that an SQE points to (paths, iovec arrays, open_how), so that callers
 * may pass ordinary memory. Each block of RINGD_SCRATCH_PER_SQE bytes belongs to one SQE from the first prep that needs
 * it until the engine has taken the SQE (sq_head has passed it).
 *
 * It cannot run out. A block is held by a slot of the SQ, a slot holds at most one (a second prep of the same SQE gets
 * the same block again), and before a slot takes one all blocks of consumed SQEs have been given back, the one of the
 * slot's former SQE among them: ringd_get_sqe() hands a slot out only after sq_head has passed that one. So at most
 * sq_entries blocks are ever held, and the engine made the area sq_entries + 1 blocks long. The order in which SQEs are
 * prepared does not matter, which it would if the area were filled like a ring.
 *
 * Free blocks are a stack: a ring with few requests in flight uses few pages, again and again.
 */
#include "private.h"

int rdl_scratch_init(struct ringd_ring *ring, uint32_t blocks)
{
	ring->scratch_of = calloc(ring->sq_entries, sizeof(*ring->scratch_of));
	ring->scratch_free = calloc(blocks, sizeof(*ring->scratch_free));
	if (!ring->scratch_of || !ring->scratch_free)
		return -ENOMEM;
	for (uint32_t i = 0; i < blocks; i++)
		ring->scratch_free[i] = blocks - 1 - i;
	ring->scratch_n_free = blocks;
	ring->scratch_head = ring->sq_head;
	return 0;
}

void rdl_scratch_deinit(struct ringd_ring *ring)
{
	free(ring->scratch_of);
	free(ring->scratch_free);
	ring->scratch_of = ring->scratch_free = NULL;
}

static void give_back(struct ringd_ring *ring, uint32_t slot)
{
	if (ring->scratch_of[slot])
		ring->scratch_free[ring->scratch_n_free++] = ring->scratch_of[slot] - 1;
	ring->scratch_of[slot] = 0;
}

void rdl_scratch_reset(struct ringd_ring *ring)
{
	for (uint32_t slot = 0; slot < ring->sq_entries; slot++)
		give_back(ring, slot);
}

/* Take back the blocks of all SQEs that the engine has copied. */
static void reclaim(struct ringd_ring *ring)
{
	/* acquire: pairs with the engine's release after it has read the SQE and what it points to */
	uint32_t head = rdl_load_acquire(&ring->hot->sq_head);

	if (head - ring->scratch_head > ring->sq_entries)	/* long unused: every slot once is enough */
		ring->scratch_head = head - ring->sq_entries;
	for (; ring->scratch_head != head; ring->scratch_head++)
		give_back(ring, ring->scratch_head & ring->sq_mask);
}

void *rdl_scratch(struct ringd_ring *ring, const struct ringd_sqe *sqe, size_t size)
{
	uint32_t *of = &ring->scratch_of[rdl_sqe_slot(ring, sqe)];
	uint32_t block;
	size_t colour;

	reclaim(ring);
	if (!*of)
		*of = ring->scratch_free[--ring->scratch_n_free] + 1;
	block = *of - 1;
	/* Small things start at different lines of their blocks: all starts would fall into the same few cache sets. */
	colour = (block & 31) * 64;
	if (colour + size > RINGD_SCRATCH_PER_SQE)
		colour = 0;
	return ring->scratch + (size_t)block * RINGD_SCRATCH_PER_SQE + colour;
}
