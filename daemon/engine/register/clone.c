/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CLONE_BUFFERS: slots of another ring's table, whose memory both have then. */
#include "register.h"

static int clone_check(struct rd_reg *reg, struct ringd_clone_buffers *c, const struct rd_buftable *src)
{
	const struct rd_buftable *dst = &reg->ctx->bufs;
	uint32_t end;

	if (!c->nr && (c->src_off || c->dst_off))
		return rd_reg_refuse(reg, -EINVAL, "an offset without a number");
	if (dst->slots && !(c->flags & RINGD_REGISTER_DST_REPLACE))
		return rd_reg_refuse(reg, -EBUSY, "this ring has a buffer table");
	if (!src->slots)
		return rd_reg_refuse(reg, -ENXIO, "the other ring has no buffer table");
	if (!c->nr)
		c->nr = src->nr;
	if (c->nr > src->nr)
		return rd_reg_refuse(reg, -EINVAL, "%u buffers of a table of %u", c->nr, src->nr);
	if (c->src_off > src->nr - c->nr)
		return rd_reg_refuse(reg, -EOVERFLOW, "slots from %u of a table of %u", c->src_off, src->nr);
	if (__builtin_add_overflow(c->dst_off, c->nr, &end))
		return rd_reg_refuse(reg, -EOVERFLOW, "slots %u + %u", c->dst_off, c->nr);
	if (end > RINGD_MAX_BUFFERS)
		return rd_reg_refuse(reg, -EINVAL, "a buffer table has 1 to %u slots", RINGD_MAX_BUFFERS);
	return 0;
}

/* The other ring: one of this client, whose addresses mean the same. */
static int clone_source(struct rd_reg *reg, const struct ringd_clone_buffers *c, struct rd_buftable **ret)
{
	struct rd_ctx *src;
	int r;

	if (c->flags & ~(RINGD_REGISTER_SRC_REGISTERED | RINGD_REGISTER_DST_REPLACE) || c->pad[0] || c->pad[1] || c->pad[2] ||
	    reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "unknown flags, or a reserved field is not zero");
	r = reg->ops->find(reg, c->src_fd, c->flags & RINGD_REGISTER_SRC_REGISTERED, &src);
	if (r < 0)
		return r;
	if (src->host != reg->host)
		return rd_reg_refuse(reg, -EINVAL, "ring %u is another client's", c->src_fd);
	*ret = &src->bufs;
	return 0;
}

/* What stays of dst and the clones, in a table of their own: nothing has changed until it is complete. */
static int clone_build(struct rd_reg *reg, const struct ringd_clone_buffers *c, const struct rd_buftable *src,
		       struct rd_buftable *ret)
{
	const struct rd_buftable *dst = &reg->ctx->bufs;
	uint32_t nr = RD_MAX(c->dst_off + c->nr, dst->nr);
	int r = rd_buftable_init(ret, &reg->engine->user, nr);

	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return rd_reg_refuse(reg, r, "no buffer table of %u slots", nr);
	for (uint32_t i = 0; i < c->nr; i++) {
		struct rd_buf *buf = src->slots[c->src_off + i];

		if (buf && rd_buf_clone(&ret->slots[c->dst_off + i], buf) < 0) {
			rd_buftable_deinit(ret);
			return rd_reg_refuse(reg, -ENOMEM, "the engine is out of memory");
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
