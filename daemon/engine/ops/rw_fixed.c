/* SPDX-License-Identifier: GPL-2.0-or-later */
/* READV_FIXED, WRITEV_FIXED: every segment inside one registered buffer. */
#include "ops.h"
#include "rw.h"

static int map_segments(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;
	struct rd_buf *buf = rd_buftable_get(&req->ctx->bufs, rw->buf_index);

	if (!buf)
		return -EFAULT;
	for (uint32_t i = 0; i < rw->nr; i++) {
		struct iovec *seg = &rw->vec[i];

		seg->iov_base = seg->iov_len ? rd_buf_range(buf, (uintptr_t)seg->iov_base, seg->iov_len) : NULL;
		if (!seg->iov_base)
			return -EFAULT;
	}
	req->buf = buf;
	return 0;
}

int rd_rwv_fixed(struct rd_req *req, unsigned int issue_flags)
{
	int r = 0;

	if (!(issue_flags & RD_READY)) {
		r = rd_rw_start(req);
		if (r == 0)
			r = map_segments(req);
	}
	if (r == 0)
		return rd_rw_attempt(req, issue_flags);
	req->res = r;
	return RD_DONE;
}
