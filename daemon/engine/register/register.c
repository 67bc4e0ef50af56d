/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which handler an opcode has, what must be so before it runs, and what the handlers share. */
#include "register.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int (*const reg_ops[RINGD_REGISTER_LAST])(struct rd_reg *reg) = {
	[RINGD_REGISTER_BUFFERS] = rd_reg_bufs,
	[RINGD_UNREGISTER_BUFFERS] = rd_reg_unregister_bufs,
	[RINGD_REGISTER_FILES] = rd_reg_files,
	[RINGD_UNREGISTER_FILES] = rd_reg_unregister_files,
	[RINGD_REGISTER_FILES_UPDATE] = rd_reg_files_update,
	[RINGD_REGISTER_PROBE] = rd_reg_probe,
	[RINGD_REGISTER_EVENTFD] = rd_reg_eventfd,
	[RINGD_UNREGISTER_EVENTFD] = rd_reg_unregister_eventfd,
	[RINGD_REGISTER_EVENTFD_ASYNC] = rd_reg_eventfd_async,
	[RINGD_REGISTER_ENABLE_RINGS] = rd_reg_enable_rings,
	[RINGD_REGISTER_RESIZE_RINGS] = rd_reg_resize_rings,
	[RINGD_REGISTER_FILES2] = rd_reg_files2,
	[RINGD_REGISTER_FILES_UPDATE2] = rd_reg_files_update2,
	[RINGD_REGISTER_BUFFERS2] = rd_reg_bufs2,
	[RINGD_REGISTER_BUFFERS_UPDATE] = rd_reg_bufs_update,
	[RINGD_REGISTER_SYNC_CANCEL] = rd_reg_sync_cancel,
	[RINGD_REGISTER_FILE_ALLOC_RANGE] = rd_reg_file_alloc_range,
	[RINGD_REGISTER_PERSONALITY] = rd_reg_personality,
	[RINGD_UNREGISTER_PERSONALITY] = rd_reg_unregister_personality,
	[RINGD_REGISTER_RESTRICTIONS] = rd_reg_restrictions,
	[RINGD_REGISTER_IOWQ_AFF] = rd_reg_iowq_aff,
	[RINGD_UNREGISTER_IOWQ_AFF] = rd_reg_unregister_iowq_aff,
	[RINGD_REGISTER_IOWQ_MAX_WORKERS] = rd_reg_iowq_max_workers,
	[RINGD_REGISTER_PBUF_RING] = rd_reg_pbuf_ring,
	[RINGD_UNREGISTER_PBUF_RING] = rd_reg_unregister_pbuf_ring,
	[RINGD_REGISTER_PBUF_STATUS] = rd_reg_pbuf_status,
	[RINGD_REGISTER_CLOCK] = rd_reg_clock,
	[RINGD_REGISTER_CLONE_BUFFERS] = rd_reg_clone_bufs,
	[RINGD_REGISTER_MEM_REGION] = rd_reg_mem_region,
	[RINGD_REGISTER_QUERY] = rd_reg_query,
	[RINGD_REGISTER_SEND_MSG_RING] = rd_reg_send_msg_ring,
	[RINGD_REGISTER_NAPI] = rd_reg_napi,
	[RINGD_UNREGISTER_NAPI] = rd_reg_unregister_napi,
	[RINGD_REGISTER_ZCRX_IFQ] = rd_reg_zcrx_ifq,
	[RINGD_REGISTER_ZCRX_CTRL] = rd_reg_zcrx_ctrl,
};

/* --- what the handlers share --- */

int rd_reg_refuse(struct rd_reg *reg, int err, const char *fmt, ...)
{
	va_list ap;

	if (!reg->text)
		return err;
	va_start(ap, fmt);
	vsnprintf(reg->text, reg->text_size, fmt, ap);
	va_end(ap);
	return err;
}

int rd_reg_refuse_budget(struct rd_reg *reg, unsigned int slot, uint64_t amount)
{
	if (reg->text)
		rd_limit_words(&reg->engine->user, slot, amount, reg->text, reg->text_size);
	return -EDQUOT;
}

int rd_reg_struct(struct rd_reg *reg, void *dst, size_t size)
{
	if (reg->len < size)
		return rd_reg_refuse(reg, -EPROTO, "register %u without its structure", reg->opcode);
	memcpy(dst, reg->data, size);
	return 0;
}

int rd_reg_arrays(struct rd_reg *reg, struct rd_reg_arrays *ret, size_t struct_size, size_t elem_size, bool sparse)
{
	uint64_t elems = sparse ? 0 : (uint64_t)reg->nr * elem_size;
	uint64_t tags = reg->has_tags ? (uint64_t)reg->nr * sizeof(uint64_t) : 0;

	if (reg->len != struct_size + elems + tags)
		return rd_reg_refuse(reg, -EPROTO, "register %u of %u entries with %zu bytes", reg->opcode,
				 reg->nr, reg->len);
	ret->elems = sparse ? NULL : reg->data + struct_size;
	ret->tags = tags ? reg->data + struct_size + elems : NULL;
	return 0;
}

int rd_reg_rsrc(struct rd_reg *reg, bool *sparse)
{
	struct ringd_rsrc_register rr;
	int r;

	r = rd_reg_struct(reg, &rr, sizeof(rr));
	if (r < 0)
		return r;
	if (!rr.nr || rr.resv2 || rr.flags & ~RINGD_RSRC_REGISTER_SPARSE)
		return rd_reg_refuse(reg, -EINVAL, "no entries, unknown flags, or a reserved field is not zero");
	if (rr.nr != reg->nr || rr.data || rr.tags)
		return rd_reg_refuse(reg, -EINVAL, "the structure and the message do not agree");
	*sparse = rr.flags & RINGD_RSRC_REGISTER_SPARSE;
	return 0;
}

int rd_reg_update2(struct rd_reg *reg, uint32_t *off)
{
	struct ringd_rsrc_update2 up;
	int r;

	r = rd_reg_struct(reg, &up, sizeof(up));
	if (r < 0)
		return r;
	if (!up.nr || up.resv || up.resv2)
		return rd_reg_refuse(reg, -EINVAL, "no entries, or a reserved field is not zero");
	if (up.nr != reg->nr || up.data || up.tags)
		return rd_reg_refuse(reg, -EINVAL, "the structure and the message do not agree");
	*off = up.offset;
	return 0;
}

int rd_reg_no_args(struct rd_reg *reg)
{
	if (reg->nr || reg->len || reg->has_tags)
		return rd_reg_refuse(reg, -EINVAL, "register %u takes no argument", reg->opcode);
	return 0;
}

int rd_reg_exactly(struct rd_reg *reg, void *dst, size_t size)
{
	if (reg->len != size || reg->has_tags)
		return rd_reg_refuse(reg, -EPROTO, "register %u with %zu bytes", reg->opcode, reg->len);
	memcpy(dst, reg->data, size);
	return 0;
}

int rd_reg_one(struct rd_reg *reg, void *dst, size_t size)
{
	if (reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "register %u takes one structure", reg->opcode);
	return rd_reg_exactly(reg, dst, size);
}

/* --- one call --- */

static bool takes_fds(uint32_t opcode)
{
	return opcode == RINGD_REGISTER_FILES || opcode == RINGD_REGISTER_FILES2 || opcode == RINGD_REGISTER_FILES_UPDATE ||
	       opcode == RINGD_REGISTER_FILES_UPDATE2 || opcode == RINGD_REGISTER_EVENTFD ||
	       opcode == RINGD_REGISTER_EVENTFD_ASYNC || opcode == RINGD_REGISTER_ZCRX_IFQ;
}

bool rd_reg_blind(uint32_t opcode)
{
	return opcode == RINGD_REGISTER_RESTRICTIONS || opcode == RINGD_REGISTER_SEND_MSG_RING ||
	       opcode == RINGD_REGISTER_QUERY || opcode == RINGD_REGISTER_BPF_FILTER;
}

int rd_reg_served(struct rd_reg *reg)
{
	if (reg->opcode >= RD_ARRAY_SIZE(reg_ops) || !reg_ops[reg->opcode])
		return rd_reg_refuse(reg, -EINVAL, "register opcode %u is not served", reg->opcode);
	if (reg->n_fds && !takes_fds(reg->opcode))
		return rd_reg_refuse(reg, -EPROTO, "register %u came with %zu descriptors", reg->opcode, reg->n_fds);
	return 0;
}

int rd_reg_run(struct rd_reg *reg)
{
	/* a ring that was not started yet may still be told everything */
	if (reg->ring && !rd_reg_disabled(reg) && rd_restrict_register(reg->ctx, reg->opcode) < 0)
		return rd_reg_refuse(reg, -EACCES, "register opcode %u is not among those this ring is restricted to",
				     reg->opcode);
	return reg_ops[reg->opcode](reg);
}
