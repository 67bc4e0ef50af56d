/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker pool as io_uring_register(2) shows it. There it belongs to a task, here to the engine: what one client sets
 * holds for all rings of the tenant, as it does there for all rings of the process.
 */
#include <sched.h>
#include <string.h>

#include "../exec/workers.h"
#include "register.h"

#define RD_CPU_BYTES	8192u	/* 65536 CPUs: more than any kernel knows */

/* CPUs that there cannot be on this machine are no part of a mask. */
static void cut_mask(const struct rd_reg *reg, cpu_set_t *cpus)
{
	for (unsigned int cpu = reg->engine->cpus; cpu < CPU_SETSIZE; cpu++)
		CPU_CLR(cpu, cpus);
}

static int allowed_cpus(struct rd_reg *reg, cpu_set_t *cpus)
{
	if (sched_getaffinity(0, sizeof(*cpus), cpus) < 0)
		return rd_reg_refuse(reg, -errno, "the engine's own CPUs are unknown");
	return 0;
}

/* nr bytes of mask. */
int rd_reg_iowq_aff(struct rd_reg *reg)
{
	cpu_set_t cpus, allowed, both;
	int r;

	if (!reg->nr || reg->nr > RD_CPU_BYTES)
		return rd_reg_refuse(reg, -EINVAL, "a mask of %u bytes", reg->nr);
	if (reg->len != reg->nr || reg->has_tags)
		return rd_reg_refuse(reg, -EPROTO, "a mask of %u bytes in %zu", reg->nr, reg->len);
	r = allowed_cpus(reg, &allowed);
	if (r < 0)
		return r;
	CPU_ZERO(&cpus);
	memcpy(&cpus, reg->data, RD_MIN(reg->len, sizeof(cpus)));
	cut_mask(reg, &cpus);
	CPU_AND(&both, &cpus, &allowed);
	if (!CPU_EQUAL(&both, &cpus))
		return rd_reg_refuse(reg, -EINVAL, "the engine may not use all of these CPUs");
	if (CPU_COUNT(&cpus))	/* none at all is no place to run: nothing changes */
		rd_workers_pin(reg->engine->workers, &cpus);
	return 0;
}

int rd_reg_unregister_iowq_aff(struct rd_reg *reg)
{
	cpu_set_t allowed;
	int r = rd_reg_no_args(reg);

	if (r == 0)
		r = allowed_cpus(reg, &allowed);
	if (r == 0)
		rd_workers_pin(reg->engine->workers, &allowed);
	return r;
}

int rd_reg_iowq_max_workers(struct rd_reg *reg)
{
	uint32_t want[2], old[2];
	int r;

	if (reg->nr != RD_ARRAY_SIZE(want))
		return rd_reg_refuse(reg, -EINVAL, "worker limits are two, not %u", reg->nr);
	r = rd_reg_exactly(reg, want, sizeof(want));
	if (r < 0)
		return r;
	if (want[0] > INT32_MAX || want[1] > INT32_MAX)
		return rd_reg_refuse(reg, -EINVAL, "worker limits %u and %u", want[0], want[1]);
	rd_workers_limit(reg->engine->workers, want, old);
	memcpy(reg->out, old, sizeof(old));
	reg->out_len = sizeof(old);
	return 0;
}
