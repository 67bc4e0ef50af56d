/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "layout.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "daemon/common/util.h"

#define RD_PAGE 4096u

static uint32_t round_pow2(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* Each row: all of have with one of bad, or have without one of need. */
static const struct {
	uint32_t have, bad, need;
} rules[] = {
	{ RINGD_SETUP_SQ_AFF, 0, RINGD_SETUP_SQPOLL },
	{ RINGD_SETUP_SQPOLL, RINGD_SETUP_COOP_TASKRUN | RINGD_SETUP_TASKRUN_FLAG | RINGD_SETUP_DEFER_TASKRUN, 0 },
	{ RINGD_SETUP_TASKRUN_FLAG, 0, RINGD_SETUP_COOP_TASKRUN | RINGD_SETUP_DEFER_TASKRUN },
	{ RINGD_SETUP_DEFER_TASKRUN, 0, RINGD_SETUP_SINGLE_ISSUER },
	{ RINGD_SETUP_HYBRID_IOPOLL, 0, RINGD_SETUP_IOPOLL },
	{ RINGD_SETUP_CQE32, RINGD_SETUP_CQE_MIXED, 0 },
	{ RINGD_SETUP_SQE128, RINGD_SETUP_SQE_MIXED, 0 },
	{ RINGD_SETUP_REGISTERED_FD_ONLY, 0, RINGD_SETUP_NO_MMAP },
	{ RINGD_SETUP_SQ_REWIND, RINGD_SETUP_SQPOLL, RINGD_SETUP_NO_SQARRAY },
};

static int flags_check(uint32_t flags)
{
	if (flags & ~(uint32_t)RD_SETUP_SERVED)
		return -EINVAL;
	for (size_t i = 0; i < RD_ARRAY_SIZE(rules); i++) {
		if (!(flags & rules[i].have))
			continue;
		if ((flags & rules[i].bad) || (rules[i].need && !(flags & rules[i].need)))
			return -EINVAL;
	}
	return 0;
}

static int clamp_entries(uint32_t *n, uint32_t max, uint32_t flags)
{
	if (!*n)
		return -EINVAL;
	if (*n > max) {
		if (!(flags & RINGD_SETUP_CLAMP))
			return -EINVAL;
		*n = max;
	}
	*n = round_pow2(*n);
	return 0;
}

static int entries_compute(struct rd_layout *l, const struct ringd_params *p)
{
	uint32_t sq = p->sq_entries, cq = p->cq_entries;
	int r;

	r = clamp_entries(&sq, RINGD_MAX_ENTRIES, p->flags);
	if (r < 0)
		return r;
	if (!(p->flags & RINGD_SETUP_CQSIZE)) {
		cq = 2 * sq;
	} else {
		r = clamp_entries(&cq, RINGD_MAX_CQ_ENTRIES, p->flags);
		if (r < 0)
			return r;
		if (cq < sq)
			return -EINVAL;
	}
	/* one of the large entries must fit in between the ends */
	if (((p->flags & RINGD_SETUP_SQE_MIXED) && sq < 2) || ((p->flags & RINGD_SETUP_CQE_MIXED) && cq < 2))
		return -EOVERFLOW;
	l->sq_entries = sq;
	l->cq_entries = cq;
	return 0;
}

/*
 * io_uring's own layout stays where old clients expect it (constants in the first 64 bytes, CQEs at 64, the SQ array
 * behind them); the words that change all the time live behind that, in lines of their own, and sq_off/cq_off say where.
 * With array_last they live before the array: then all is in what a program maps that goes by the end of the array alone,
 * and checks each offset against that (Zig's standard library).
 * They fit into what rounding up to pages leaves free, so the memory a NO_MMAP client must bring is io_uring's too.
 */
static void offsets_compute(struct rd_layout *l, uint32_t flags, bool array_last)
{
	uint64_t off = 64 + (uint64_t)l->cq_entries * sizeof(struct ringd_cqe);

	l->sqe_shift = flags & RINGD_SETUP_SQE128 ? 7 : 6;
	l->cqe_shift = flags & RINGD_SETUP_CQE32 ? 5 : 4;
	off = rd_align(flags & RINGD_SETUP_CQE32 ? 2 * off : off, 64);
	if (array_last) {
		l->hot_off = (uint32_t)rd_align(off, 128);
		off = l->hot_off + sizeof(struct ringd_hot);
	}
	l->array_off = 0;
	if (!(flags & RINGD_SETUP_NO_SQARRAY)) {
		l->array_off = (uint32_t)off;
		off += (uint64_t)l->sq_entries * sizeof(uint32_t);
	}
	if (!array_last) {
		l->hot_off = (uint32_t)rd_align(off, 128);
		off = l->hot_off + sizeof(struct ringd_hot);
	}
	l->rings_size = rd_align(off, RD_PAGE);
	l->sqes_size = rd_align((uint64_t)l->sq_entries << l->sqe_shift, RD_PAGE);
	l->scratch_size = ((uint64_t)l->sq_entries + 1) * RINGD_SCRATCH_PER_SQE;
}

static void params_fill(struct ringd_params *p, const struct rd_layout *l)
{
	uint32_t hot = l->hot_off;

	p->sq_entries = l->sq_entries;
	p->cq_entries = l->cq_entries;
	p->features = RD_FEATURES;
	p->sq_off.head = hot + (uint32_t)offsetof(struct ringd_hot, sq_head);
	p->sq_off.tail = hot + (uint32_t)offsetof(struct ringd_hot, sq_tail);
	p->sq_off.ring_mask = 16;
	p->sq_off.ring_entries = 24;
	p->sq_off.flags = hot + (uint32_t)offsetof(struct ringd_hot, sq_flags);
	p->sq_off.dropped = hot + (uint32_t)offsetof(struct ringd_hot, sq_dropped);
	if (l->array_off)
		p->sq_off.array = l->array_off;
	p->cq_off.head = hot + (uint32_t)offsetof(struct ringd_hot, cq_head);
	p->cq_off.tail = hot + (uint32_t)offsetof(struct ringd_hot, cq_tail);
	p->cq_off.ring_mask = 20;
	p->cq_off.ring_entries = 28;
	p->cq_off.overflow = hot + (uint32_t)offsetof(struct ringd_hot, cq_overflow);
	p->cq_off.cqes = 64;
	p->cq_off.flags = hot + (uint32_t)offsetof(struct ringd_hot, cq_flags);
}

int rd_layout_compute(struct rd_layout *layout, struct ringd_params *params, bool array_last)
{
	struct rd_layout l = { 0 };
	int r;

	if (params->resv[0] | params->resv[1] | params->resv[2])
		return -EINVAL;
	if (!params->sq_entries)
		return -EINVAL;
	r = flags_check(params->flags);
	if (r < 0)
		return r;
	r = entries_compute(&l, params);
	if (r < 0)
		return r;
	offsets_compute(&l, params->flags, array_last);
	params_fill(params, &l);
	*layout = l;
	return 0;
}

void rd_layout_init(const struct rd_layout *l, void *rings)
{
	uint32_t *words = rings;

	/* fresh memory is zero already, a client's own is not */
	memset(words, 0, 64);
	memset((char *)rings + l->hot_off, 0, sizeof(struct ringd_hot));
	words[16 / 4] = l->sq_entries - 1;
	words[20 / 4] = l->cq_entries - 1;
	words[24 / 4] = l->sq_entries;
	words[28 / 4] = l->cq_entries;
}
