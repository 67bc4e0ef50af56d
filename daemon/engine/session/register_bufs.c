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
			return rd_refuse(reg->session, -EINVAL, "entry %u: a hole has no tag", i);
		return 0;
	}
	if (!iov.base)
		return rd_refuse(reg->session, -EFAULT, "entry %u: a length without an address", i);
	r = rd_buf_new(ret, &reg->session->host, iov.base, iov.len);
	if (r < 0)
		return rd_refuse(reg->session, r, "entry %u: %llu bytes at %#llx are not one range of an arena of at most 1 GiB", i,
				 (unsigned long long)iov.len, (unsigned long long)iov.base);
	return 0;
}

static int check_nr(struct rd_reg *reg)
{
	if (reg->ctx->bufs.slots)
		return rd_refuse(reg->session, -EBUSY, "this ring has a buffer table");
	if (!reg->head->nr || reg->head->nr > RINGD_MAX_BUFFERS)
		return rd_refuse(reg->session, -EINVAL, "a buffer table has 1 to %u slots", RINGD_MAX_BUFFERS);
	return 0;
}

static int install(struct rd_reg *reg, const struct rd_reg_arrays *a)
{
	struct rd_buftable *t = &reg->ctx->bufs;
	uint32_t nr = reg->head->nr;
	struct rd_buf *buf;
	int r;

	r = rd_buftable_init(t, &reg->ctx->engine->user, nr);
	if (r == -EDQUOT)
		return rd_refuse_budget(reg->session, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return rd_refuse(reg->session, r, "no buffer table of %u slots", nr);
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
		return rd_refuse(reg->session, -EINVAL, "this call has no tags");
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
	uint32_t nr = reg->head->nr, off, i;
	struct rd_buf *buf;
	int r;

	r = rd_reg_update2(reg, &off);
	if (r < 0)
		return r;
	if (!t->slots)
		return rd_refuse(reg->session, -ENXIO, "this ring has no buffer table");
	if (off > t->nr || nr > t->nr - off)
		return rd_refuse(reg->session, -EINVAL, "slots %u to %llu of a table of %u", off,
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
		return rd_refuse(reg->session, -ENXIO, "this ring has no buffer table");
	rd_buftable_deinit(&reg->ctx->bufs);
	return 0;
}

/* --- clone --- */

static int clone_check(struct rd_reg *reg, struct ringd_clone_buffers *c, const struct rd_buftable *src)
{
	const struct rd_buftable *dst = &reg->ctx->bufs;
	uint32_t end;

	if (!c->nr && (c->src_off || c->dst_off))
		return rd_refuse(reg->session, -EINVAL, "an offset without a number");
	if (dst->slots && !(c->flags & RINGD_REGISTER_DST_REPLACE))
		return rd_refuse(reg->session, -EBUSY, "this ring has a buffer table");
	if (!src->slots)
		return rd_refuse(reg->session, -ENXIO, "the other ring has no buffer table");
	if (!c->nr)
		c->nr = src->nr;
	if (c->nr > src->nr)
		return rd_refuse(reg->session, -EINVAL, "%u buffers of a table of %u", c->nr, src->nr);
	if (c->src_off > src->nr - c->nr)
		return rd_refuse(reg->session, -EOVERFLOW, "slots from %u of a table of %u", c->src_off, src->nr);
	if (__builtin_add_overflow(c->dst_off, c->nr, &end))
		return rd_refuse(reg->session, -EOVERFLOW, "slots %u + %u", c->dst_off, c->nr);
	if (end > RINGD_MAX_BUFFERS)
		return rd_refuse(reg->session, -EINVAL, "a buffer table has 1 to %u slots", RINGD_MAX_BUFFERS);
	return 0;
}

/* The other ring: one of this client, whose addresses mean the same. */
static int clone_source(struct rd_reg *reg, const struct ringd_clone_buffers *c, struct rd_buftable **ret)
{
	struct rd_host *host = &reg->session->host;
	struct rd_ctx *src;
	int r;

	if (c->flags & ~(RINGD_REGISTER_SRC_REGISTERED | RINGD_REGISTER_DST_REPLACE) || c->pad[0] || c->pad[1] || c->pad[2] ||
	    reg->head->nr != 1)
		return rd_refuse(reg->session, -EINVAL, "unknown flags, or a reserved field is not zero");
	r = c->src_fd > INT32_MAX ? -EBADF : host->ops->ring(host, (int)c->src_fd, &src);
	if (r == -EBADFD && rd_lent_has(reg->session, (int)c->src_fd))
		return rd_refuse(reg->session, -EOPNOTSUPP, "descriptor %u is no ring", c->src_fd);
	if (r < 0)
		return rd_refuse(reg->session, -EBADF, "no ring %u", c->src_fd);
	if (src->host != host)
		return rd_refuse(reg->session, -EINVAL, "ring %u is another client's", c->src_fd);
	*ret = &src->bufs;
	return 0;
}

/* What stays of dst and the clones, in a table of their own: nothing has changed until it is complete. */
static int clone_build(struct rd_reg *reg, const struct ringd_clone_buffers *c, const struct rd_buftable *src,
		       struct rd_buftable *ret)
{
	const struct rd_buftable *dst = &reg->ctx->bufs;
	uint32_t nr = RD_MAX(c->dst_off + c->nr, dst->nr);
	int r = rd_buftable_init(ret, &reg->ctx->engine->user, nr);

	if (r == -EDQUOT)
		return rd_refuse_budget(reg->session, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return rd_refuse(reg->session, r, "no buffer table of %u slots", nr);
	for (uint32_t i = 0; i < c->nr; i++) {
		struct rd_buf *buf = src->slots[c->src_off + i];

		if (buf && rd_buf_clone(&ret->slots[c->dst_off + i], buf) < 0) {
			rd_buftable_deinit(ret);
			return rd_refuse(reg->session, -ENOMEM, "the engine is out of memory");
		}
	}
	for (uint32_t i = 0; i < dst->nr; i++) {
		if (dst->slots[i] && (i < c->dst_off || i - c->dst_off >= c->nr))
			ret->slots[i] = rd_buf_get(dst->slots[i]);
	}
	return 0;
}

int rd_reg_clone_bufs(struct rd_reg *reg)
{
	struct rd_buftable *src = NULL, table = { 0 }, old;
	struct ringd_clone_buffers c;
	int r = rd_reg_exactly(reg, &c, sizeof(c));

	if (r == 0)
		r = clone_source(reg, &c, &src);
	if (r == 0)
		r = clone_check(reg, &c, src);
	if (r == 0)
		r = clone_build(reg, &c, src, &table);
	if (r < 0)
		return r;
	old = reg->ctx->bufs;
	reg->ctx->bufs = table;
	rd_buftable_deinit(&old);	/* what was replaced posts its tag */
	return 0;
}
