/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How large a ring is, and rings in memory of the caller. */
#include "private.h"

#define PAGE	4096u

static int round_entries(uint32_t *n, uint32_t max, bool clamp)
{
	if (!*n || (*n > max && !clamp))
		return -EINVAL;
	*n = RDL_MIN(*n, max);
	*n = *n == 1 ? 1 : 1u << (32 - __builtin_clz(*n - 1));
	return 0;
}

static size_t align(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

int rdl_sizes(struct rdl_sizes *sizes, uint32_t entries, const struct ringd_params *params)
{
	bool clamp = params->flags & RINGD_SETUP_CLAMP;
	uint32_t cq = params->cq_entries;
	size_t off;

	if (round_entries(&entries, RINGD_MAX_ENTRIES, clamp) < 0)
		return -EINVAL;
	if (!(params->flags & RINGD_SETUP_CQSIZE))
		cq = 2 * entries;
	else if (round_entries(&cq, RINGD_MAX_CQ_ENTRIES, clamp) < 0 || cq < entries)
		return -EINVAL;
	off = 64 + (size_t)cq * sizeof(struct ringd_cqe);
	if (params->flags & RINGD_SETUP_CQE32)
		off *= 2;
	*sizes = (struct rdl_sizes){
		.sq_entries = entries,
		.cq_entries = cq,
		.rings = align(align(off, 128) + sizeof(struct ringd_hot), PAGE),
		.sqes = align((size_t)entries * sizeof(struct ringd_sqe) * (params->flags & RINGD_SETUP_SQE128 ? 2 : 1), PAGE),
	};
	return 0;
}

ssize_t ringd_memory_size(unsigned int entries, const struct ringd_params *params)
{
	struct rdl_sizes sizes;
	int r = rdl_sizes(&sizes, entries, params);

	return r < 0 ? r : (ssize_t)(sizes.rings + sizes.sqes);
}

ssize_t ringd_ring_new_mem(struct ringd *rd, struct ringd_ring **ret, unsigned int entries, struct ringd_params *params, void *mem,
			   size_t size)
{
	struct rdl_sizes sizes;
	struct ringd_params p;
	int r;

	*ret = NULL;
	r = rdl_sizes(&sizes, entries, params);
	if (r < 0)
		return rdl_fail(rd, r, "a ring of %u SQEs and %u CQEs", entries, params->cq_entries);
	if (sizes.rings + sizes.sqes > size)
		return rdl_fail(rd, -ENOMEM, "the ring takes %zu bytes", sizes.rings + sizes.sqes);
	p = *params;
	p.flags |= RINGD_SETUP_NO_MMAP;
	p.sq_off.user_addr = (uintptr_t)mem;
	p.cq_off.user_addr = (uintptr_t)mem + sizes.sqes;
	r = ringd_ring_new_params(rd, ret, entries, &p);
	if (r < 0)
		return r;
	if ((*ret)->rings_size > sizes.rings || (*ret)->sqes_size > sizes.sqes) {
		ringd_ring_free(*ret);
		*ret = NULL;
		return rdl_fail(rd, -EPROTO, "the engine needs more memory than io_uring");
	}
	*params = p;
	return (ssize_t)(sizes.rings + sizes.sqes);
}
