/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of provided buffers: registered over memory of an arena, or over a memory file of ours that holds the ring at the
 * offset where io_uring has it, so that the same mmap() works on it.
 */
#include <string.h>

#include "../rsrc/pbuf.h"
#include "register.h"

static int make_ours(struct rd_reg *reg, const struct ringd_buf_reg *br, void **ptr, struct rd_mem **owner)
{
	return rd_reg_mem_new(reg, "ringd-pbuf", RINGD_OFF_PBUF_RING + ((uint64_t)br->bgid << RINGD_OFF_PBUF_SHIFT),
			      rd_pbuf_size(br), ptr, owner);
}

static int take_users(struct rd_reg *reg, const struct ringd_buf_reg *br, void **ptr, struct rd_mem **owner)
{
	const uint64_t size = rd_pbuf_size(br);

	if (!br->ring_addr)
		return rd_reg_refuse(reg, -EFAULT, "a buffer ring without an address");
	if (br->ring_addr & ((uint64_t)getpagesize() - 1))
		return rd_reg_refuse(reg, -EINVAL, "a buffer ring at %#llx, not page aligned", (unsigned long long)br->ring_addr);
	*ptr = rd_reg_map(reg, br->ring_addr, size, owner);
	if (!*ptr)
		return rd_reg_refuse(reg, -EFAULT, "%llu bytes at %#llx are not in one arena", (unsigned long long)size,
				 (unsigned long long)br->ring_addr);
	/* a hole in huge pages may have none behind it when we look, and then a load is a SIGBUS */
	if (rd_reg_is_brittle(reg, *owner))
		return rd_reg_refuse(reg, -EINVAL, "a buffer ring in an arena of huge pages");
	rd_mem_get(*owner);
	return 0;
}

static void undo(struct rd_reg *reg)
{
	struct ringd_buf_reg br;

	memcpy(&br, reg->data, sizeof(br));
	rd_bufgroups_remove_ring(reg->ctx->groups, br.bgid);
}

int rd_reg_pbuf_ring(struct rd_reg *reg)
{
	struct rd_mem *owner = NULL;
	struct ringd_buf_reg br;
	void *ptr = NULL;
	int r;

	r = rd_reg_one(reg, &br, sizeof(br));
	if (r < 0)
		return r;
	if (rd_pbuf_check(&br) < 0)
		return rd_reg_refuse(reg, -EINVAL, "a buffer ring of %u entries, flags %#x, min_left %u, or a reserved field is not zero",
				 br.ring_entries, br.flags, br.min_left);
	if (rd_bufgroups_check_ring(reg->ctx->groups, br.bgid) < 0)
		return rd_reg_refuse(reg, -EEXIST, "there is a buffer group %u", br.bgid);
	r = br.flags & RINGD_PBUF_RING_MMAP ? make_ours(reg, &br, &ptr, &owner) : take_users(reg, &br, &ptr, &owner);
	if (r < 0)
		return r;
	r = rd_bufgroups_add_ring(&reg->ctx->groups, &reg->engine->user, &br, ptr, owner);
	rd_mem_put(owner);
	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, 1);
	if (r < 0)
		return rd_reg_refuse(reg, r, "no buffer group %u", br.bgid);
	reg->undo = undo;
	return 0;
}

int rd_reg_unregister_pbuf_ring(struct rd_reg *reg)
{
	struct ringd_buf_reg br;
	int r;

	r = rd_reg_one(reg, &br, sizeof(br));
	if (r < 0)
		return r;
	for (size_t i = 0; i < RD_ARRAY_SIZE(br.resv); i++) {
		if (br.resv[i] || br.flags)
			return rd_reg_refuse(reg, -EINVAL, "flags, or a reserved field is not zero");
	}
	r = rd_bufgroups_remove_ring(reg->ctx->groups, br.bgid);
	return r < 0 ? rd_reg_refuse(reg, r, "no buffer ring of group %u", br.bgid) : 0;
}

int rd_reg_pbuf_status(struct rd_reg *reg)
{
	struct ringd_buf_status status;
	int r;

	r = rd_reg_one(reg, &status, sizeof(status));
	if (r < 0)
		return r;
	for (size_t i = 0; i < RD_ARRAY_SIZE(status.resv); i++) {
		if (status.resv[i])
			return rd_reg_refuse(reg, -EINVAL, "a reserved field is not zero");
	}
	/* ids have 16 bits, the field has 32 */
	r = status.buf_group > UINT16_MAX ? -ENOENT : rd_bufgroups_head(reg->ctx->groups, (uint16_t)status.buf_group);
	if (r < 0)
		return rd_reg_refuse(reg, r, "no buffer ring of group %u", status.buf_group);
	status.head = (uint32_t)r;
	memcpy(reg->out, &status, sizeof(status));
	reg->out_len = sizeof(status);
	return 0;
}
