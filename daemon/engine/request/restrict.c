/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "restrict.h"

#include <errno.h>

#include "request.h"

static int parse_one(struct rd_restrict *r, const struct ringd_restriction *e)
{
	if (e->resv || e->resv2[0] || e->resv2[1] || e->resv2[2])
		return -EINVAL;
	switch (e->opcode) {
	case RINGD_RESTRICTION_REGISTER_OP:
		if (e->register_op >= RINGD_REGISTER_LAST)
			return -EINVAL;
		r->register_ops |= 1ull << e->register_op;
		r->reg = true;
		return 0;
	case RINGD_RESTRICTION_SQE_OP:
		if (e->sqe_op >= RINGD_OP_LAST)
			return -EINVAL;
		r->sqe_ops[e->sqe_op / 64] |= 1ull << (e->sqe_op % 64);
		break;
	case RINGD_RESTRICTION_SQE_FLAGS_ALLOWED:
		if (e->sqe_flags & ~RINGD_SQE_FLAGS_ALL)
			return -EINVAL;
		r->flags_allowed = e->sqe_flags;
		break;
	case RINGD_RESTRICTION_SQE_FLAGS_REQUIRED:
		if (e->sqe_flags & ~RINGD_SQE_FLAGS_ALL)
			return -EINVAL;
		r->flags_required = e->sqe_flags;
		break;
	default:
		return -EINVAL;
	}
	r->sqe = true;
	return 0;
}

int rd_restrict_parse(struct rd_restrict *ret, const struct ringd_restriction *list, uint32_t nr)
{
	struct rd_restrict r = { .set = true };

	_Static_assert(RINGD_OP_LAST <= 128 && RINGD_REGISTER_LAST <= 64, "a bit for each");
	if (nr > RD_RESTRICT_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < nr; i++) {
		int err = parse_one(&r, &list[i]);

		if (err < 0)
			return err;
	}
	if (!nr)
		r.sqe = r.reg = true;	/* nothing is allowed */
	*ret = r;
	return 0;
}

static bool sqe_passes(const struct rd_restrict *r, const struct ringd_sqe *sqe)
{
	uint8_t flags = sqe->flags;

	if (!r->sqe)
		return true;
	if (!(r->sqe_ops[(sqe->opcode / 64) & 1] >> (sqe->opcode % 64) & 1))
		return false;
	return (flags & r->flags_required) == r->flags_required && !(flags & ~(r->flags_allowed | r->flags_required));
}

int rd_restrict_sqe(const struct rd_ctx *ctx, const struct ringd_sqe *sqe)
{
	if (ctx->denied_ops[(sqe->opcode / 64) & 1] >> (sqe->opcode % 64) & 1)
		return -EACCES;
	return sqe_passes(&ctx->ring_rules, sqe) && sqe_passes(&ctx->task_rules, sqe) ? 0 : -EACCES;
}

static bool register_passes(const struct rd_restrict *r, uint32_t opcode)
{
	return !r->reg || (r->register_ops >> (opcode % 64) & 1);
}

int rd_restrict_register(const struct rd_ctx *ctx, uint32_t opcode)
{
	return register_passes(&ctx->ring_rules, opcode) && register_passes(&ctx->task_rules, opcode) ? 0 : -EACCES;
}

void rd_restrict_deny(struct rd_ctx *ctx, uint8_t opcode)
{
	ctx->denied_ops[(opcode / 64) & 1] |= 1ull << (opcode % 64);
}

void rd_restrict_update(struct rd_ctx *ctx)
{
	ctx->restricted = ctx->ring_rules.sqe || ctx->task_rules.sqe || ctx->denied_ops[0] || ctx->denied_ops[1] ||
			  (ctx->setup_flags & RINGD_SETUP_IOPOLL);
}
