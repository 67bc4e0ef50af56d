/* SPDX-License-Identifier: GPL-2.0-or-later */
/* REGISTER_NAPI and its opposite: see ring/napi.h. */
#include <string.h>

#include "register.h"

static int answer(struct rd_reg *reg, const struct ringd_napi *napi)
{
	memcpy(reg->out, napi, sizeof(*napi));
	reg->out_len = sizeof(*napi);
	return 0;
}

int rd_reg_napi(struct rd_reg *reg)
{
	struct rd_engine *engine = reg->engine;
	struct ringd_napi napi;
	int r;

	if (reg->ctx->setup_flags & RINGD_SETUP_IOPOLL)
		return rd_reg_refuse(reg, -EINVAL, "a ring with IOPOLL polls no network devices");
	if (reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "register %u takes one structure", reg->opcode);
	r = rd_reg_exactly(reg, &napi, sizeof(napi));
	if (r < 0)
		return r;
	/* the kernel's ids begin above the numbers of its CPUs */
	r = rd_napi_register(&reg->ring->napi, &engine->user, &napi, engine->cpus + 1);
	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, 1);
	if (r < 0)
		return rd_reg_refuse(reg, r, "not an operation, tracking or id that can be, or a reserved field is not zero");
	return answer(reg, &napi);
}

int rd_reg_unregister_napi(struct rd_reg *reg)
{
	const struct ringd_napi was = rd_napi_get(&reg->ring->napi);

	if (reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "register %u takes one structure", reg->opcode);
	if (reg->len || reg->has_tags)
		return rd_reg_refuse(reg, -EPROTO, "register %u with %zu bytes", reg->opcode, reg->len);
	rd_napi_clear(&reg->ring->napi);
	return answer(reg, &was);
}
