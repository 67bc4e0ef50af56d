/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Receiving into areas of the caller, and the network devices a ring may poll. See ringd_zcrx(3). */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "prep.h"

/* The memory of a refill ring. */
struct rdl_zcrx {
	struct rdl_zcrx *next;
	uint32_t id;
	void *ptr;
	size_t size;
	bool mapped;		/* by us */
};

struct ifq_call {
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

void rdl_zcrx_deinit(struct ringd_ring *ring)
{
	struct rdl_zcrx *next;

	for (struct rdl_zcrx *z = ring->zcrxs; z; z = next) {
		next = z->next;
		if (z->mapped)
			munmap(z->ptr, z->size);
		free(z);
	}
	ring->zcrxs = NULL;
}

void *ringd_zcrx_region(const struct ringd_ring *ring, uint32_t zcrx_id, size_t *size)
{
	const struct rdl_zcrx *z = ring->zcrxs;

	while (z && z->id != zcrx_id)
		z = z->next;
	if (size)
		*size = z ? z->size : 0;
	return z ? z->ptr : NULL;
}

/* --- register --- */

/* Into fresh memory, so that nothing can fail any more once the engine has answered but the mapping. */
static int keep_region(struct ringd_ring *ring, struct rdl_zcrx *z, const struct ringd_region_desc *desc, uint32_t id, int *fd)
{
	uint64_t off = RINGD_OFF_ZCRX_REGION + ((uint64_t)id << RINGD_OFF_ZCRX_SHIFT);

	z->id = id;
	z->size = desc->size;
	if (desc->flags & RINGD_MEM_REGION_TYPE_USER) {
		z->ptr = (void *)(uintptr_t)desc->user_addr;
	} else {
		z->ptr = mmap(NULL, z->size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, (off_t)off);
		if (z->ptr == MAP_FAILED)
			return rdl_fail(ring->rd, -ENOMEM, "cannot map the refill ring");
		z->mapped = true;
	}
	z->next = ring->zcrxs;
	ring->zcrxs = z;
	return 0;
}

/* What the answer says about memory must be about the memory there is. */
static int check_answer(struct ringd_ring *ring, const struct ifq_call *asked, const struct ifq_call *got)
{
	const struct ringd_zcrx_offsets *o = &got->reg.offsets;
	const uint64_t size = asked->desc.size;

	if (!got->reg.rq_entries || got->reg.rq_entries & (got->reg.rq_entries - 1) || got->reg.zcrx_id > UINT16_MAX ||
	    (o->head | o->tail | o->rqes) & 3 || o->head + 4ull > size || o->tail + 4ull > size ||
	    o->rqes + (uint64_t)got->reg.rq_entries * sizeof(struct ringd_zcrx_rqe) > size)
		return rdl_fail(ring->rd, -EPROTO, "the engine answers with a refill ring that cannot be");
	return 0;
}

static int register_new(struct ringd_ring *ring, struct ringd_zcrx_ifq_reg *reg)
{
	struct ringd_zcrx_area_reg *area = (struct ringd_zcrx_area_reg *)(uintptr_t)reg->area_ptr;
	struct ringd_region_desc *desc = (struct ringd_region_desc *)(uintptr_t)reg->region_ptr;
	struct ifq_call call = { .reg = *reg }, got = { .reg = *reg };
	RDL_FREE struct rdl_zcrx *z = calloc(1, sizeof(*z));
	RDL_CLOSE int fd = -1;
	bool whole = area && desc, user = desc && desc->flags & RINGD_MEM_REGION_TYPE_USER;
	int r;

	if (!z)
		return rdl_fail(ring->rd, -ENOMEM, "refill ring");
	call.reg.area_ptr = call.reg.region_ptr = 0;
	if (whole) {
		call.area = *area;
		call.desc = *desc;
	}
	/* without them it is refused, after what io_uring looks at before */
	r = rdl_call_get(ring->rd, ring, RINGD_REGISTER_ZCRX_IFQ, 1, &call, whole ? sizeof(call) : sizeof(call.reg), &got,
			 sizeof(got), whole && !user ? &fd : NULL);
	if (r == 0)
		r = whole ? check_answer(ring, &call, &got) : rdl_fail(ring->rd, -EPROTO, "an area of nothing was registered");
	if (r == 0)
		r = keep_region(ring, z, &call.desc, got.reg.zcrx_id, &fd);
	if (r < 0)
		return r;
	z = NULL;
	reg->rq_entries = got.reg.rq_entries;
	reg->zcrx_id = got.reg.zcrx_id;
	reg->offsets = got.reg.offsets;
	area->rq_area_token = got.area.rq_area_token;
	desc->mmap_offset = got.desc.mmap_offset;
	return 0;
}

static int register_import(struct ringd_ring *ring, struct ringd_zcrx_ifq_reg *reg)
{
	union {
		struct ringd_error error;
		struct {
			struct ringd_msg msg;
			struct ringd_zcrx_ifq_reg reg;
		} ok;
	} answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	int fd = (int)reg->if_idx, r;
	struct rdl_call c;

	if (reg->area_ptr || reg->region_ptr)
		return rdl_fail(ring->rd, -EINVAL, "an import has nothing but a descriptor");
	if (fcntl(fd, F_GETFD) < 0)
		return rdl_fail(ring->rd, -EBADF, "descriptor %d", fd);
	r = rdl_call_init(ring->rd, &c, RINGD_REGISTER_ZCRX_IFQ, 1, sizeof(*reg), 1);
	if (r == 0) {
		rdl_call_add(&c, reg, sizeof(*reg));
		c.fds[c.n_fds++] = fd;
		r = rdl_call_do(ring->rd, ring, &c, &in, sizeof(answer.ok), 0, NULL);
	}
	rdl_call_free(&c);
	if (r < 0)
		return r;
	reg->rq_entries = answer.ok.reg.rq_entries;
	reg->zcrx_id = answer.ok.reg.zcrx_id;
	reg->offsets = answer.ok.reg.offsets;
	return 0;
}

int ringd_register_ifq(struct ringd_ring *ring, struct ringd_zcrx_ifq_reg *reg)
{
	if (!reg)
		return rdl_fail(ring->rd, -EINVAL, "no area");
	return reg->flags & RINGD_ZCRX_REG_IMPORT ? register_import(ring, reg) : register_new(ring, reg);
}

int ringd_register_zcrx_ctrl(struct ringd_ring *ring, struct ringd_zcrx_ctrl *ctrl)
{
	bool export = ctrl && ctrl->op == RINGD_ZCRX_CTRL_EXPORT;
	int fd = -1, r;

	if (!ctrl)
		return rdl_fail(ring->rd, -EFAULT, "nothing to do");
	r = rdl_call_get(ring->rd, ring, RINGD_REGISTER_ZCRX_CTRL, 0, ctrl, sizeof(*ctrl), NULL, 0, export ? &fd : NULL);
	if (r >= 0 && export)
		ctrl->zc_export.zcrx_fd = (uint32_t)fd;
	return r;
}

/* --- use --- */

int ringd_zcrx_rq_init(struct ringd_zcrx_rq *rq, void *region, const struct ringd_zcrx_ifq_reg *reg)
{
	char *base = region;

	if (!base || !reg->rq_entries)
		return -EINVAL;
	rq->khead = (uint32_t *)(void *)(base + reg->offsets.head);
	rq->ktail = (uint32_t *)(void *)(base + reg->offsets.tail);
	rq->rqes = (struct ringd_zcrx_rqe *)(void *)(base + reg->offsets.rqes);
	rq->ring_entries = reg->rq_entries;
	rq->rq_tail = rdl_load(rq->ktail);
	return 0;
}

void ringd_prep_recv_zc(struct ringd_sqe *sqe, int sockfd, unsigned int limit, uint32_t zcrx_id)
{
	prep(sqe, RINGD_OP_RECV_ZC, sockfd, 0, limit, 0);
	sqe->ioprio = RINGD_RECV_MULTISHOT;
	sqe->zcrx_ifq_idx = zcrx_id;
}

/* --- NAPI --- */

int ringd_register_napi(struct ringd_ring *ring, struct ringd_napi *napi)
{
	if (!napi)
		return rdl_fail(ring->rd, -EINVAL, "no settings");
	return rdl_call_get(ring->rd, ring, RINGD_REGISTER_NAPI, 1, napi, sizeof(*napi), napi, sizeof(*napi), NULL);
}

int ringd_unregister_napi(struct ringd_ring *ring, struct ringd_napi *napi)
{
	struct ringd_napi was;
	int r = rdl_call_get(ring->rd, ring, RINGD_UNREGISTER_NAPI, 1, NULL, 0, &was, sizeof(was), NULL);

	if (r >= 0 && napi)
		*napi = was;
	return r;
}
