/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory region of a ring. It holds wait arguments, and the client's library does the waiting: we only see that the
 * memory lives as long as the ring does. Ours is a memory file that we do not even map.
 */
#include <string.h>

#include "../rsrc/memfd.h"
#include "register.h"

void rd_region_drop(struct rd_region *region)
{
	region->set = false;
	region->mem = rd_mem_put(region->mem);
	rd_charge_give(&region->bytes);
}

int rd_reg_region_desc(struct rd_reg *reg, const struct ringd_region_desc *desc)
{
	const uint64_t page = (uint64_t)getpagesize();
	uint64_t end;

	if (desc->__resv[0] || desc->__resv[1] || desc->__resv[2] || desc->__resv[3] ||
	    desc->flags & ~(uint32_t)RINGD_MEM_REGION_TYPE_USER)
		return rd_reg_refuse(reg, -EINVAL, "unknown flags, or a reserved field is not zero");
	if (!!(desc->flags & RINGD_MEM_REGION_TYPE_USER) != !!desc->user_addr)
		return rd_reg_refuse(reg, -EFAULT, "an address without its flag, or a flag without its address");
	if (!desc->size || desc->mmap_offset || desc->id)
		return rd_reg_refuse(reg, -EINVAL, "no size, or what the answer fills in is not zero");
	if (desc->size / page > INT32_MAX)
		return rd_reg_refuse(reg, -E2BIG, "%llu bytes", (unsigned long long)desc->size);
	if ((desc->user_addr | desc->size) & (page - 1))
		return rd_reg_refuse(reg, -EINVAL, "not whole pages");
	if (__builtin_add_overflow(desc->user_addr, desc->size, &end))
		return rd_reg_refuse(reg, -EOVERFLOW, "%llu bytes at %#llx", (unsigned long long)desc->size,
				 (unsigned long long)desc->user_addr);
	return 0;
}

/* io_uring's order. */
static int check(struct rd_reg *reg, const struct ringd_mem_region_reg *mr, const struct ringd_region_desc *desc)
{
	if (mr->region_uptr || mr->__resv[0] || mr->__resv[1] || mr->flags & ~(uint64_t)RINGD_MEM_REGION_REG_WAIT_ARG)
		return rd_reg_refuse(reg, -EINVAL, "unknown flags, or a reserved field is not zero");
	if (mr->flags & RINGD_MEM_REGION_REG_WAIT_ARG && !rd_reg_disabled(reg))
		return rd_reg_refuse(reg, -EINVAL, "wait arguments only before the ring is started");
	return rd_reg_region_desc(reg, desc);
}

static int take_users(struct rd_reg *reg, const struct ringd_region_desc *desc, struct rd_region *region)
{
	struct rd_mem *owner = NULL;

	if (!rd_reg_map(reg, desc->user_addr, desc->size, &owner))
		return rd_reg_refuse(reg, -EFAULT, "%llu bytes at %#llx are not in one arena",
				 (unsigned long long)desc->size, (unsigned long long)desc->user_addr);
	region->mem = rd_mem_get(owner);
	return 0;
}

static int make_ours(struct rd_reg *reg, struct ringd_region_desc *desc, struct rd_region *region)
{
	struct rd_user *user = &reg->engine->user;

	if (rd_charge_take(&region->bytes, user, RINGD_LIMIT_BYTES, desc->size) < 0)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_BYTES, desc->size);
	reg->out_fd = rd_memfd_sealed("ringd-region", desc->size, 0);
	if (reg->out_fd < 0) {
		rd_charge_give(&region->bytes);
		return rd_reg_refuse(reg, -ENOMEM, "no memory file of %llu bytes", (unsigned long long)desc->size);
	}
	desc->mmap_offset = RINGD_OFF_PARAM_REGION;
	return 0;
}

static void undo(struct rd_reg *reg)
{
	rd_region_drop(reg->region);
}

int rd_reg_mem_region(struct rd_reg *reg)
{
	struct {
		struct ringd_mem_region_reg mr;
		struct ringd_region_desc desc;
	} in;
	struct rd_region *region = reg->region;
	int r;

	if (region->set)
		return rd_reg_refuse(reg, -EBUSY, "this ring has a memory region");
	if (reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "%u regions", reg->nr);
	r = rd_reg_exactly(reg, &in, sizeof(in));
	if (r == 0)
		r = check(reg, &in.mr, &in.desc);
	if (r == 0)
		r = in.desc.flags & RINGD_MEM_REGION_TYPE_USER ? take_users(reg, &in.desc, region) : make_ours(reg, &in.desc, region);
	if (r < 0)
		return r;
	region->set = true;
	reg->undo = undo;
	memcpy(reg->out, &in.desc, sizeof(in.desc));
	reg->out_len = sizeof(in.desc);
	return 0;
}
