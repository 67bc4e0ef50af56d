/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PROVIDE_BUFFERS, REMOVE_BUFFERS: classic groups. That an address is good is checked here and again when it is used. */
#include "ops.h"

#define RD_MAX_BIDS	65536	/* buffer ids there are, and the most in one call */

int rd_provide_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_provide *p = &req->provide;
	struct rd_mem *owner;
	uint64_t size, end;

	if (sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	if (sqe->fd <= 0 || sqe->fd > RD_MAX_BIDS)
		return -E2BIG;
	p->nr = (uint32_t)sqe->fd;
	p->addr = sqe->addr;
	p->len = sqe->len;
	p->bgid = sqe->buf_group;
	if (!p->len)
		return -EINVAL;
	if (__builtin_mul_overflow((uint64_t)p->len, p->nr, &size) || __builtin_add_overflow(p->addr, size, &end))
		return -EOVERFLOW;
	if (!req->ctx->host->ops->map(req->ctx->host, p->addr, size, &owner))
		return -EFAULT;
	if (sqe->off >= RD_MAX_BIDS)
		return -E2BIG;
	if (sqe->off + p->nr > RD_MAX_BIDS)
		return -EINVAL;
	p->bid = (uint16_t)sqe->off;
	return 0;
}

int rd_provide_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_provide *p = &req->provide;
	struct rd_ctx *ctx = req->ctx;

	(void)issue_flags;
	req->res = rd_bufgroups_provide(&ctx->groups, &ctx->engine->user, p->bgid, p->addr, p->len, p->nr, p->bid);
	return RD_DONE;
}

int rd_remove_bufs_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->rw_flags || sqe->addr || sqe->len || sqe->off || sqe->splice_fd_in)
		return -EINVAL;
	if (sqe->fd <= 0 || sqe->fd > RD_MAX_BIDS)
		return -EINVAL;
	req->provide.nr = (uint32_t)sqe->fd;
	req->provide.bgid = sqe->buf_group;
	return 0;
}

int rd_remove_bufs_issue(struct rd_req *req, unsigned int issue_flags)
{
	(void)issue_flags;
	req->res = rd_bufgroups_remove(req->ctx->groups, req->provide.bgid, req->provide.nr);
	return RD_DONE;
}
