/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pbuf.h"

#include "daemon/common/util.h"

int rd_pbuf_check(const struct ringd_buf_reg *reg)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(reg->resv); i++) {
		if (reg->resv[i])
			return -EINVAL;
	}
	if (reg->flags & ~(RINGD_PBUF_RING_MMAP | RINGD_PBUF_RING_INC))
		return -EINVAL;
	/* more would make a full ring look like an empty one */
	if (!reg->ring_entries || reg->ring_entries & (reg->ring_entries - 1) || reg->ring_entries > RINGD_MAX_PBUF_ENTRIES)
		return -EINVAL;
	if (reg->min_left && !(reg->flags & RINGD_PBUF_RING_INC))
		return -EINVAL;
	return 0;
}

void rd_pbuf_init(struct rd_pbuf *pbuf, const struct ringd_buf_reg *reg, void *mem, struct rd_mem *owner)
{
	*pbuf = (struct rd_pbuf){
		.ring = mem, .owner = rd_mem_get(owner), .mask = (uint16_t)(reg->ring_entries - 1),
		.inc = reg->flags & RINGD_PBUF_RING_INC, .min_left = reg->min_left,
	};
}

void rd_pbuf_deinit(struct rd_pbuf *pbuf)
{
	pbuf->owner = rd_mem_put(pbuf->owner);
	pbuf->ring = NULL;
}

unsigned int rd_pbuf_available(const struct rd_pbuf *pbuf)
{
	/* acquire: pairs with the client's release of the tail, the entries below it are complete. The tail is what entry 0
	 * calls resv. */
	uint16_t tail = __atomic_load_n(&pbuf->ring[0].resv, __ATOMIC_ACQUIRE);

	return RD_MIN((unsigned int)(uint16_t)(tail - pbuf->head), pbuf->mask + 1u);
}

struct rd_pbuf_entry rd_pbuf_entry(const struct rd_pbuf *pbuf, unsigned int i)
{
	const struct ringd_buf *buf = &pbuf->ring[(pbuf->head + i) & pbuf->mask];

	return (struct rd_pbuf_entry){
		.addr = __atomic_load_n(&buf->addr, __ATOMIC_RELAXED),
		.len = __atomic_load_n(&buf->len, __ATOMIC_RELAXED),
		.bid = __atomic_load_n(&buf->bid, __ATOMIC_RELAXED),
	};
}

bool rd_pbuf_consume(struct rd_pbuf *pbuf, uint32_t len, uint64_t used)
{
	struct ringd_buf *buf = &pbuf->ring[pbuf->head & pbuf->mask];
	uint32_t left = used < len ? len - (uint32_t)used : 0;

	if (!pbuf->inc) {
		pbuf->head++;
		return true;
	}
	/* what the data may have done to the entry meanwhile is the client's loss: the next look at it checks it again */
	__atomic_store_n(&buf->addr, __atomic_load_n(&buf->addr, __ATOMIC_RELAXED) + (len - left), __ATOMIC_RELAXED);
	__atomic_store_n(&buf->len, left, __ATOMIC_RELAXED);
	if (left && left >= pbuf->min_left)
		return false;
	/* the client sees it in the CQE, which is published with release */
	pbuf->head++;
	return true;
}
