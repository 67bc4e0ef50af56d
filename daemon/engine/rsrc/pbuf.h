/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of provided buffers in shared memory. The client writes entries and then the tail; the head is ours alone. Tail
 * and entries are loaded once per selection and only the copies are looked at; of an incremental ring the entry that is
 * in use is written, so that the client sees how far it is.
 */
#ifndef RD_PBUF_H
#define RD_PBUF_H

#include <stdbool.h>
#include <stdint.h>

#include "bufgroup.h"

struct rd_pbuf {
	struct ringd_buf *ring;		/* shared with the client */
	struct rd_mem *owner;		/* of it, held; NULL: lives as long as the host */
	uint16_t mask;
	uint16_t head;			/* free running */
	bool inc;
	uint32_t min_left;		/* of an incremental ring: with less than this an entry is used up */
};

struct rd_pbuf_entry {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
};

/* The rules of REGISTER_PBUF_RING that need no memory: flags, reserved words, entries. 0 or -EINVAL. */
int rd_pbuf_check(const struct ringd_buf_reg *reg);
static inline uint64_t rd_pbuf_size(const struct ringd_buf_reg *reg)
{
	return (uint64_t)reg->ring_entries * sizeof(struct ringd_buf);
}
void rd_pbuf_init(struct rd_pbuf *pbuf, const struct ringd_buf_reg *reg, void *mem, struct rd_mem *owner);
void rd_pbuf_deinit(struct rd_pbuf *pbuf);
/* Entries between head and tail. A tail that lies counts as a full ring. */
unsigned int rd_pbuf_available(const struct rd_pbuf *pbuf);
/* Copy of the i-th of them. */
struct rd_pbuf_entry rd_pbuf_entry(const struct rd_pbuf *pbuf, unsigned int i);
/* used bytes of the entry at the head, which has len, are used. True: the entry is used up, the head has moved. */
bool rd_pbuf_consume(struct rd_pbuf *pbuf, uint32_t len, uint64_t used);

#endif
