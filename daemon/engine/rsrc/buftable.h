/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of registered buffers of one ring: ranges of client memory that stay mapped while anything uses them. */
#ifndef RD_BUFTABLE_H
#define RD_BUFTABLE_H

#include <stdint.h>

#include "charge.h"
#include "node.h"
#include "../host.h"

struct rd_buf {
	struct rd_node node;
	uint64_t addr;		/* client's */
	uint64_t len;
	char *ptr;		/* ours */
	struct rd_mem *mem;	/* held */
};

struct rd_buftable {
	struct rd_buf **slots;	/* NULL: no table; a NULL entry is a hole */
	uint32_t nr;
	struct rd_charge charge;	/* OBJECTS, one per slot */
};

/* A buffer with one reference. -EFAULT: not in client memory, len 0 with addr, > 1 GiB; -ENOMEM. {0, 0} is the caller's to handle: a hole. */
int rd_buf_new(struct rd_buf **ret, struct rd_host *host, uint64_t addr, uint64_t len);
/* Another buffer over the same memory, with one reference and no tag. -ENOMEM. */
int rd_buf_clone(struct rd_buf **ret, const struct rd_buf *buf);
static inline struct rd_buf *rd_buf_get(struct rd_buf *buf)
{
	buf->node.refs++;
	return buf;
}
void rd_buf_put(struct rd_buf *buf);

int rd_buftable_init(struct rd_buftable *t, struct rd_user *user, uint32_t nr);	/* -EBUSY, -EINVAL, -EDQUOT, -ENOMEM */
void rd_buftable_deinit(struct rd_buftable *t);
struct rd_buf *rd_buftable_swap(struct rd_buftable *t, uint32_t slot, struct rd_buf *buf);
static inline struct rd_buf *rd_buftable_get(const struct rd_buftable *t, uint32_t slot)
{
	return slot < t->nr ? t->slots[slot] : NULL;
}
/* Our pointer to [addr, addr + len) of a buffer, or NULL when it is not wholly inside. */
static inline void *rd_buf_range(const struct rd_buf *buf, uint64_t addr, uint64_t len)
{
	return rd_range_inside(addr, len, buf->addr, buf->len) ? buf->ptr + (addr - buf->addr) : NULL;
}

#endif
