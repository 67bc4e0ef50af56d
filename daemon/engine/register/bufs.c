/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registered buffers: checks and errnos of io_uring_register(2), in its order. */
#include <string.h>

#include "register.h"

struct rd_iovec {
	uint64_t base, len;
};

static struct rd_iovec entry(const struct rd_reg_arrays *a, uint32_t i)
{
	struct rd_iovec iov = { 0 };

	if (a->elems)
		memcpy(&iov, a->elems + (size_t)i * sizeof(iov), sizeof(iov));
	return iov;
}

/* The buffer of an entry, NULL for a hole; it has no tag yet. -EFAULT, -EINVAL, -ENOMEM. */
static int new_buf(struct rd_reg *reg, const struct rd_reg_arrays *a, uint32_t i, struct rd_buf **ret)
{
	struct rd_iovec iov = entry(a, i);
	int r;

	*ret = NULL;
	if (!iov.base && !iov.len) {
		if (rd_reg_tag(a, i))
			return rd_reg_refuse(reg, -EINVAL, "entry %u: a hole has no tag", i);
		return 0;
	}
	if (!iov.base)
		return rd_reg_refuse(reg, -EFAULT, "entry %u: a length without an address", i);
	r = rd_buf_new(ret, reg->host, iov.base, iov.len);
	if (r < 0)
		return rd_reg_refuse(reg, r, "entry %u: %llu bytes at %#llx are not one range of an arena of at most 1 GiB", i,
				 (unsigned long long)iov.len, (unsigned long long)iov.base);
	return 0;
}

static int check_nr(struct rd_reg *reg)
{
	if (reg->ctx->bufs.slots)
		return rd_reg_refuse(reg, -EBUSY, "this ring has a buffer table");
	if (!reg->nr || reg->nr > RINGD_MAX_BUFFERS)
		return rd_reg_refuse(reg, -EINVAL, "a buffer table has 1 to %u slots", RINGD_MAX_BUFFERS);
	return 0;
}

static int install(struct rd_reg *reg, const struct rd_reg_arrays *a)
{
	struct rd_buftable *t = &reg->ctx->bufs;
	uint32_t nr = reg->nr;
	struct rd_buf *buf;
	int r;

	r = rd_buftable_init(t, &reg->engine->user, nr);
	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return rd_reg_refuse(reg, r, "no buffer table of %u slots", nr);
	for (uint32_t i = 0; r == 0 && i < nr; i++) {
		r = new_buf(reg, a, i, &buf);
		if (r == 0)
			rd_buftable_swap(t, i, buf);
	}
	if (r < 0) {
		rd_buftable_deinit(t);	/* no buffer has its tag yet: none is posted */
		return r;
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (t->slots[i])
			rd_node_set_tag(&t->slots[i]->node, &reg->ctx->tags, rd_reg_tag(a, i));
	}
	return 0;
}

int rd_reg_bufs(struct rd_reg *reg)
{
	struct rd_reg_arrays a;
	int r;

	r = check_nr(reg);
	if (r == 0)
		r = rd_reg_arrays(reg, &a, 0, sizeof(struct rd_iovec), false);
	if (r < 0)
		return r;
	if (a.tags)
		return rd_reg_refuse(reg, -EINVAL, "this call has no tags");
	return install(reg, &a);
}

int rd_reg_bufs2(struct rd_reg *reg)
{
	struct rd_reg_arrays a;
	bool sparse = false;
	int r;

	r = rd_reg_rsrc(reg, &sparse);
	if (r == 0)
		r = check_nr(reg);
	if (r == 0)
		r = rd_reg_arrays(reg, &a, sizeof(struct ringd_rsrc_register), sizeof(struct rd_iovec), sparse);
	return r < 0 ? r : install(reg, &a);
}

int rd_reg_bufs_update(struct rd_reg *reg)
{
	struct rd_buftable *t = &reg->ctx->bufs;
	struct rd_reg_arrays a;
	uint32_t nr = reg->nr, off, i;
	struct rd_buf *buf;
	int r;

	r = rd_reg_update2(reg, &off);
	if (r < 0)
		return r;
	if (!t->slots)
		return rd_reg_refuse(reg, -ENXIO, "this ring has no buffer table");
	if (off > t->nr || nr > t->nr - off)
		return rd_reg_refuse(reg, -EINVAL, "slots %u to %llu of a table of %u", off,
				 (unsigned long long)off + nr - 1, t->nr);
	r = rd_reg_arrays(reg, &a, sizeof(struct ringd_rsrc_update2), sizeof(struct rd_iovec), false);
	if (r < 0)
		return r;
	for (i = 0; i < nr; i++) {
		r = new_buf(reg, &a, i, &buf);
		if (r < 0)
			break;
		if (buf)
			rd_node_set_tag(&buf->node, &reg->ctx->tags, rd_reg_tag(&a, i));
		buf = rd_buftable_swap(t, off + i, buf);
		if (buf)
			rd_buf_put(buf);
	}
	return i ? (int)i : r;
}

int rd_reg_unregister_bufs(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	if (!reg->ctx->bufs.slots)
		return rd_reg_refuse(reg, -ENXIO, "this ring has no buffer table");
	rd_buftable_deinit(&reg->ctx->bufs);
	return 0;
}
