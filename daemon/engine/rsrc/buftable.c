/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "buftable.h"

#include <stdlib.h>

#include "daemon/common/util.h"
#include "proto/abi.h"

static void buf_free(struct rd_node *node)
{
	free(RD_CONTAINER_OF(node, struct rd_buf, node));
}

int rd_buf_new(struct rd_buf **ret, struct rd_host *host, uint64_t addr, uint64_t len)
{
	struct rd_mem *owner = NULL;
	struct rd_buf *buf;
	void *ptr;

	if (!addr || !len || len > RINGD_MAX_BUFFER_SIZE)
		return -EFAULT;
	ptr = host->ops->map(host, addr, len, &owner);
	if (!ptr || (host->ops->pin && host->ops->pin(host, addr, len) < 0))
		return -EFAULT;
	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return -ENOMEM;
	buf->node.refs = 1;
	buf->node.free = buf_free;
	buf->addr = addr;
	buf->len = len;
	buf->ptr = ptr;
	buf->mem = rd_mem_get(owner);
	*ret = buf;
	return 0;
}

int rd_buf_clone(struct rd_buf **ret, const struct rd_buf *buf)
{
	struct rd_buf *clone = calloc(1, sizeof(*clone));

	if (!clone)
		return -ENOMEM;
	clone->node.refs = 1;
	clone->node.free = buf_free;
	clone->addr = buf->addr;
	clone->len = buf->len;
	clone->ptr = buf->ptr;
	clone->mem = rd_mem_get(buf->mem);
	*ret = clone;
	return 0;
}

void rd_buf_put(struct rd_buf *buf)
{
	if (--buf->node.refs)
		return;
	buf->mem = rd_mem_put(buf->mem);
	rd_node_finish(&buf->node);
}

int rd_buftable_init(struct rd_buftable *t, struct rd_user *user, uint32_t nr)
{
	struct rd_charge charge;
	int r;

	if (t->slots)
		return -EBUSY;
	if (!nr || nr > RINGD_MAX_BUFFERS)
		return -EINVAL;
	r = rd_charge_take(&charge, user, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return r;
	t->slots = calloc(nr, sizeof(*t->slots));
	if (!t->slots) {
		rd_charge_give(&charge);
		return -ENOMEM;
	}
	t->nr = nr;
	t->charge = charge;
	return 0;
}

void rd_buftable_deinit(struct rd_buftable *t)
{
	struct rd_buftable old = *t;

	*t = (struct rd_buftable){ 0 };
	for (uint32_t i = 0; i < old.nr; i++) {
		if (old.slots[i])
			rd_buf_put(old.slots[i]);
	}
	free(old.slots);
	rd_charge_give(&old.charge);
}

struct rd_buf *rd_buftable_swap(struct rd_buftable *t, uint32_t slot, struct rd_buf *buf)
{
	struct rd_buf *old = t->slots[slot];

	t->slots[slot] = buf;
	return old;
}
