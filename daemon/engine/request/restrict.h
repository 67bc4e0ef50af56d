/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restrictions: what may be asked of a ring for the rest of its life. Two sets can apply, the ring's own and that of the
 * task that made it; a request or a call must pass both.
 */
#ifndef RD_RESTRICT_H
#define RD_RESTRICT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/abi.h"

struct rd_ctx;

#define RD_RESTRICT_MAX	(RINGD_OP_LAST + RINGD_REGISTER_LAST + RINGD_RESTRICTION_LAST)	/* entries of one call */

struct rd_restrict {
	bool set;			/* was registered: not again */
	bool sqe, reg;			/* which checks are made */
	uint8_t flags_allowed, flags_required;
	uint64_t sqe_ops[2];		/* allowed opcodes */
	uint64_t register_ops;
};

/* The host serves this opcode to nobody here: -EACCES. rd_restrict_update() follows. */
void rd_restrict_deny(struct rd_ctx *ctx, uint8_t opcode);
/* nr entries: 0, or -EINVAL and *ret is untouched. */
int rd_restrict_parse(struct rd_restrict *ret, const struct ringd_restriction *list, uint32_t nr);
/* May this SQE run? 0 or -EACCES. Called only when ctx->restricted; the opcode is known to exist. */
int rd_restrict_sqe(const struct rd_ctx *ctx, const struct ringd_sqe *sqe);
/* May this register call be made? 0 or -EACCES. opcode < RINGD_REGISTER_LAST. */
int rd_restrict_register(const struct rd_ctx *ctx, uint32_t opcode);
/* The sets of ctx have changed: is a look at each SQE needed? */
void rd_restrict_update(struct rd_ctx *ctx);

#endif
