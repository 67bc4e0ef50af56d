/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register calls that ask what there is, and those that take down something small. */
#include <string.h>
#include <time.h>

#include "../request/opdef.h"
#include "register.h"

int rd_reg_probe(struct rd_reg *reg)
{
	uint32_t nr = reg->nr;
	struct ringd_probe *probe = (void *)reg->out;

	if (nr > RINGD_MAX_PROBE_OPS || reg->len || reg->has_tags)
		return rd_reg_refuse(reg, -EINVAL, "a probe has at most %u entries and no data", RINGD_MAX_PROBE_OPS);
	reg->out_len = sizeof(*probe) + nr * sizeof(probe->ops[0]);
	memset(probe, 0, reg->out_len);
	probe->last_op = RINGD_OP_LAST - 1;
	probe->ops_len = (uint8_t)RD_MIN(nr, (uint32_t)RINGD_OP_LAST);
	for (uint8_t i = 0; i < probe->ops_len; i++) {
		probe->ops[i].op = i;
		probe->ops[i].flags = rd_op_known(i) ? RINGD_OP_SUPPORTED : 0;
	}
	return 0;
}

/* --- query --- */

static size_t query_opcodes(uint8_t *out)
{
	const struct ringd_query_opcode q = {
		.nr_request_opcodes = RINGD_OP_LAST,
		.nr_register_opcodes = RINGD_REGISTER_LAST,
		.feature_flags = RD_FEATURES,
		.ring_setup_flags = RD_SETUP_SERVED,
		.enter_flags = RINGD_ENTER_ALL,
		.sqe_flags = RINGD_SQE_FLAGS_ALL,
		.nr_query_opcodes = RINGD_QUERY_MAX,
	};

	memcpy(out, &q, sizeof(q));
	return sizeof(q);
}

static size_t query_scq(uint8_t *out)
{
	const struct ringd_query_scq q = { .hdr_size = 64, .hdr_alignment = 64 };

	memcpy(out, &q, sizeof(q));
	return sizeof(q);
}

/* No memory of devices. */
static size_t query_zcrx(uint8_t *out)
{
	const struct ringd_query_zcrx q = {
		.register_flags = RINGD_ZCRX_REG_IMPORT | RINGD_ZCRX_REG_NODEV,
		.nr_ctrl_opcodes = RINGD_ZCRX_CTRL_LAST,
		.features = RINGD_ZCRX_FEATURE_RX_PAGE_SIZE,
		.rq_hdr_size = RD_ZCRX_RQ_ENTRIES,
		.rq_hdr_alignment = 64,
	};

	memcpy(out, &q, sizeof(q));
	return sizeof(q);
}

/*
 * One item. The chain of headers is the client's to walk: it is in memory that we do not see.
 */
int rd_reg_query(struct rd_reg *reg)
{
	struct ringd_query_hdr hdr;
	int r = rd_reg_exactly(reg, &hdr, sizeof(hdr));

	if (r < 0)
		return r;
	if (reg->nr || hdr.next_entry || hdr.query_data || hdr.result)
		return rd_reg_refuse(reg, -EINVAL, "a query is one header, its pointers zero");
	if (hdr.query_op == RINGD_QUERY_OPCODES)
		reg->out_len = query_opcodes(reg->out);
	else if (hdr.query_op == RINGD_QUERY_ZCRX)
		reg->out_len = query_zcrx(reg->out);
	else if (hdr.query_op == RINGD_QUERY_SCQ)
		reg->out_len = query_scq(reg->out);
	else
		return rd_reg_refuse(reg, -EOPNOTSUPP, "nothing to tell about query %u", hdr.query_op);
	return 0;
}

/* --- what the client keeps --- */

/* The clock of wait timeouts, and the client does the waiting: only the rules are ours. */
int rd_reg_clock(struct rd_reg *reg)
{
	struct ringd_clock_register clock;
	int r = rd_reg_exactly(reg, &clock, sizeof(clock));

	if (r < 0)
		return r;
	if (reg->nr || clock.resv[0] || clock.resv[1] || clock.resv[2])
		return rd_reg_refuse(reg, -EINVAL, "a reserved field is not zero");
	if (clock.clockid != CLOCK_MONOTONIC && clock.clockid != CLOCK_BOOTTIME)
		return rd_reg_refuse(reg, -EINVAL, "clock %u is neither CLOCK_MONOTONIC nor CLOCK_BOOTTIME", clock.clockid);
	return 0;
}

/* --- personalities --- */

int rd_reg_personality(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	r = rd_personality_add(&reg->ctx->personalities, &reg->engine->user);
	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, 1);
	return r < 0 ? rd_reg_refuse(reg, r, "no room for another personality") : r;
}

/* nr is the id. */
int rd_reg_unregister_personality(struct rd_reg *reg)
{
	if (reg->len || reg->has_tags)
		return rd_reg_refuse(reg, -EINVAL, "register %u takes no argument", reg->opcode);
	if (rd_personality_remove(&reg->ctx->personalities, reg->nr) < 0)
		return rd_reg_refuse(reg, -EINVAL, "no personality %u", reg->nr);
	return 0;
}
