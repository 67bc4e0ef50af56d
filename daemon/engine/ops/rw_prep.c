/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * READ, WRITE and their relatives, first half: what the SQE says. Vectors are copied here, once; addresses are still the
 * client's afterwards and become ours at issue, when the registered buffers are looked up too.
 */
#include <limits.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <string.h>
#include <sys/syscall.h>

#include "ops.h"
#include "rw.h"
#include "../rsrc/stage.h"

/* What the client puts into memory is what the kernel reads from ours. */
_Static_assert(sizeof(struct iovec) == 16 && sizeof(size_t) == 8, "an iovec is two 64-bit words");

static bool may_use_realtime_priority(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[CAP_TO_INDEX(CAP_SYS_NICE)].effective & CAP_TO_MASK(CAP_SYS_NICE) ||
	       data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

static int check_ioprio(uint16_t ioprio)
{
	switch (IOPRIO_PRIO_CLASS(ioprio)) {
	case IOPRIO_CLASS_NONE:
		return ioprio & (IOPRIO_NR_LEVELS - 1) ? -EINVAL : 0;
	case IOPRIO_CLASS_RT:
		return may_use_realtime_priority() ? 0 : -EPERM;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Protection information: read and checked, then refused by the file, as every file here lacks it. */
static int check_attr(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_host *host = req->ctx->host;
	struct ringd_attr_pi pi;
	int r;

	if (sqe->attr_type_mask != RINGD_RW_ATTR_FLAG_PI)
		return -EINVAL;
	r = host->ops->copy_in(host, &pi, sqe->attr_ptr, sizeof(pi));
	if (r < 0)
		return r;
	return pi.rsvd ? -EINVAL : 0;
}

static inline int prep_common(struct rd_req *req, const struct ringd_sqe *sqe, bool write)
{
	struct rd_rw *rw = &req->rw;
	int r;

	rw->off = sqe->off;
	rw->done = 0;
	rw->rwf = sqe->rw_flags & ~RD_RWF_NOSIGNAL;	/* SIGPIPE is ignored anyway, but where the client is this process */
	rw->quiet = sqe->rw_flags & RD_RWF_NOSIGNAL;
	rw->nr = 1;
	rw->vec = &rw->one;
	rw->owners = NULL;
	rw->ioprio = sqe->ioprio;
	rw->write = write;
	rw->fixed = false;
	rw->attr = false;
	rw->rounds = 0;
	if (RD_UNLIKELY(sqe->ioprio)) {
		r = check_ioprio(sqe->ioprio);
		if (r < 0)
			return r;
	}
	if (RD_UNLIKELY(sqe->attr_type_mask)) {
		rw->attr = true;
		return check_attr(req, sqe);
	}
	return 0;
}

static inline void prep_single(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_rw *rw = &req->rw;

	rw->want = RD_MIN(sqe->len, RD_RW_MAX);
	rw->one.iov_base = (void *)(uintptr_t)sqe->addr;
	rw->one.iov_len = rw->want;
}

int rd_rw_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	prep_single(req, sqe);
	req->rw.asked = (uint32_t)req->rw.want;
	req->rw.buf_index = sqe->buf_group;
	return prep_common(req, sqe, sqe->opcode == RINGD_OP_WRITE);
}

int rd_rw_fixed_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = prep_common(req, sqe, sqe->opcode == RINGD_OP_WRITE_FIXED);

	prep_single(req, sqe);
	req->rw.fixed = true;
	req->rw.buf_index = sqe->buf_index;
	return r;
}

/* One block for segments and their owners: it lives and dies with the request. */
static int alloc_vector(struct rd_rw *rw, struct rd_user *user)
{
	void *block;
	int r;

	r = rd_stage_new(&block, user, rw->nr * (sizeof(struct iovec) + sizeof(struct rd_mem *)));
	if (r < 0)
		return r;
	rw->vec = block;
	rw->owners = (struct rd_mem **)(void *)(rw->vec + rw->nr);
	memset(rw->owners, 0, rw->nr * sizeof(*rw->owners));
	return 0;
}

/* Sum up the segments; what is beyond the largest transfer is cut off. */
static int check_vector(struct rd_rw *rw)
{
	rw->want = 0;
	for (uint32_t i = 0; i < rw->nr; i++) {
		if (rw->vec[i].iov_len > SSIZE_MAX)
			return -EINVAL;
		rw->vec[i].iov_len = RD_MIN(rw->vec[i].iov_len, RD_RW_MAX - rw->want);
		rw->want += rw->vec[i].iov_len;
	}
	return 0;
}

static int prep_vector(struct rd_req *req, const struct ringd_sqe *sqe, bool write)
{
	struct rd_host *host = req->ctx->host;
	struct rd_rw *rw = &req->rw;
	int r;

	r = prep_common(req, sqe, write);
	if (r < 0)
		return r;
	rw->buf_index = sqe->buf_index;
	rw->nr = sqe->len;
	if (rw->nr > RINGD_MAX_IOVECS || ((sqe->flags & RINGD_SQE_BUFFER_SELECT) && rw->nr != 1))
		return -EINVAL;
	rw->want = 0;
	if (!rw->nr)
		return 0;
	if (rw->nr > 1) {
		r = alloc_vector(rw, &req->ctx->engine->user);
		if (r < 0)
			return r;
	}
	r = host->ops->copy_in(host, rw->vec, sqe->addr, rw->nr * sizeof(struct iovec));
	if (r == 0)
		r = check_vector(rw);
	rw->asked = (uint32_t)rw->want;
	if (r < 0)
		rd_rw_cleanup(req);
	return r;
}

int rd_rwv_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return prep_vector(req, sqe, sqe->opcode == RINGD_OP_WRITEV);
}

int rd_rwv_fixed_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return prep_vector(req, sqe, sqe->opcode == RINGD_OP_WRITEV_FIXED);
}

int rd_read_mshot_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (!(sqe->flags & RINGD_SQE_BUFFER_SELECT) || sqe->addr || sqe->len)
		return -EINVAL;
	return rd_rw_prep(req, sqe);
}

void rd_rw_cleanup(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;

	if (rw->vec == &rw->one)
		return;
	for (uint32_t i = 0; i < rw->nr; i++)
		rd_mem_put(rw->owners[i]);
	rd_stage_free(rw->vec);
	rw->vec = &rw->one;
}
