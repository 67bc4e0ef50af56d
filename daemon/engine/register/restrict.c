/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restrictions of one ring, and of all later rings of a task. A task is here the client of one connection: its library
 * sees to it that a connection is not used by a process that is restricted less, and whether the task may do this at
 * all (no_new_privs or CAP_SYS_ADMIN) only the library can know; a client that lies about it restricts itself.
 */
#include <string.h>

#include "register.h"

/* The entries behind the structure, all there is. */
static int parse(struct rd_reg *reg, size_t struct_size, uint32_t nr, struct rd_restrict *ret)
{
	struct ringd_restriction list[RD_RESTRICT_MAX];

	if (nr > RD_RESTRICT_MAX)
		return rd_reg_refuse(reg, -EINVAL, "%u restrictions, at most %u", nr, RD_RESTRICT_MAX);
	if (reg->len != struct_size + nr * sizeof(list[0]) || reg->has_tags)
		return rd_reg_refuse(reg, -EPROTO, "%u restrictions in %zu bytes", nr, reg->len);
	memcpy(list, reg->data + struct_size, nr * sizeof(list[0]));
	if (rd_restrict_parse(ret, list, nr) < 0)
		return rd_reg_refuse(reg, -EINVAL, "an unknown restriction, opcode or flag, or a reserved field is not zero");
	return 0;
}

static int restrict_task(struct rd_reg *reg)
{
	struct ringd_task_restriction task;
	struct rd_restrict rules;
	int r = rd_reg_struct(reg, &task, sizeof(task));

	if (r < 0)
		return r;
	if (reg->nr != 1 || task.flags || task.resv[0] || task.resv[1] || task.resv[2])
		return rd_reg_refuse(reg, -EINVAL, "not one set of restrictions, or a reserved field is not zero");
	if (reg->task_rules->set)
		return rd_reg_refuse(reg, -EPERM, "this client is restricted already");
	r = parse(reg, sizeof(task), task.nr_res, &rules);
	if (r == 0)
		*reg->task_rules = rules;
	return r;
}

int rd_reg_restrictions(struct rd_reg *reg)
{
	struct rd_restrict rules;
	int r;

	if (!reg->ring)
		return restrict_task(reg);
	if (!rd_reg_disabled(reg))
		return rd_reg_refuse(reg, -EBADFD, "this ring was started already");
	if (reg->ctx->ring_rules.set)
		return rd_reg_refuse(reg, -EBUSY, "this ring is restricted already");
	r = parse(reg, 0, reg->nr, &rules);
	if (r < 0)
		return r;
	reg->ctx->ring_rules = rules;
	rd_restrict_update(reg->ctx);
	return 0;
}
