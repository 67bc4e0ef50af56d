/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NOP: what a request costs when it does nothing, so the plain one must not do anything at all. */
#include "ops.h"

#define RD_NOP_FLAGS (RINGD_NOP_INJECT_RESULT | RINGD_NOP_FILE | RINGD_NOP_FIXED_FILE | RINGD_NOP_FIXED_BUFFER | \
		      RINGD_NOP_TW | RINGD_NOP_CQE32)

int rd_nop_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	req->nop.flags = sqe->nop_flags;
	if (RD_LIKELY(!sqe->nop_flags))
		return 0;
	if (sqe->nop_flags & ~RD_NOP_FLAGS)
		return -EINVAL;
	if ((sqe->nop_flags & RINGD_NOP_CQE32) && !req->ctx->cqe32)
		return -EINVAL;
	req->nop.big[0] = sqe->off;
	req->nop.big[1] = sqe->addr;
	req->nop.result = sqe->nop_flags & RINGD_NOP_INJECT_RESULT ? (int32_t)sqe->len : 0;
	req->nop.fd = sqe->fd;
	req->nop.buf_index = sqe->buf_index;
	return 0;
}

int rd_nop128_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return req->ctx->wide ? rd_nop_prep(req, sqe) : -EINVAL;
}

static int nop_lookup_file(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_file *file;
	int r;

	if (req->nop.flags & RINGD_NOP_FIXED_FILE)
		return rd_filetable_get(&req->ctx->files, (uint32_t)req->nop.fd) ? 0 : -EBADF;
	r = host->ops->file(host, req->nop.fd, &file);
	if (r < 0)
		return r;
	rd_file_put(file);
	return 0;
}

static int nop_result(struct rd_req *req)
{
	int r;

	if (req->nop.flags & RINGD_NOP_FILE) {
		r = nop_lookup_file(req);
		if (r < 0)
			return r;
	}
	if ((req->nop.flags & RINGD_NOP_FIXED_BUFFER) && !rd_buftable_get(&req->ctx->bufs, req->nop.buf_index))
		return -EFAULT;
	return req->nop.result;
}

/* Not inlined: the plain one would save registers for it. */
static __attribute__((__noinline__)) int nop_with_flags(struct rd_req *req)
{
	req->res = nop_result(req);
	if (req->nop.flags & RINGD_NOP_CQE32) {
		req->cflags |= RINGD_CQE_F_32;
		req->held.big[0] = req->nop.big[0];
		req->held.big[1] = req->nop.big[1];
	}
	if (!(req->nop.flags & RINGD_NOP_TW))
		return RD_DONE;
	/* complete already, but its CQE comes behind those of the whole visit, or when the client asks for it */
	if (req->ctx->lazy)
		rd_req_task(req, rd_req_done);
	else
		rd_req_defer(req);
	return RD_PENDING;
}

int rd_nop(struct rd_req *req, unsigned int issue_flags)
{
	if (RD_UNLIKELY(req->nop.flags))
		return nop_with_flags(req);
	req->res = 0;
	return RD_DONE;
}
