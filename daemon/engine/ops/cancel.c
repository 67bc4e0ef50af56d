/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ASYNC_CANCEL. Its own CQE comes before those of the requests it stops: they are deferred. */
#include "ops.h"

#define RD_CANCEL_FLAGS	(RINGD_ASYNC_CANCEL_ALL | RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_ANY | \
			 RINGD_ASYNC_CANCEL_FD_FIXED | RINGD_ASYNC_CANCEL_USERDATA | RINGD_ASYNC_CANCEL_OP)

int rd_cancel_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	uint32_t flags = sqe->cancel_flags;

	if (sqe->off || sqe->splice_fd_in || (flags & ~RD_CANCEL_FLAGS))
		return -EINVAL;
	if ((flags & RINGD_ASYNC_CANCEL_ANY) && (flags & (RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_OP)))
		return -EINVAL;
	req->cancel.user_data = sqe->addr;
	req->cancel.opcode = sqe->len;
	req->cancel.flags = flags;
	return 0;
}

/* The file the key names, or NULL and the error. A reference. */
static struct rd_file *cancel_file(struct rd_req *req, int *err)
{
	struct rd_ctx *ctx = req->ctx;
	struct rd_file *file = NULL;

	*err = -EBADF;
	if ((req->cancel.flags & RINGD_ASYNC_CANCEL_FD_FIXED) || (req->flags & RINGD_SQE_FIXED_FILE)) {
		file = rd_filetable_get(&ctx->files, (uint32_t)req->fd);
		return file ? rd_file_get(file) : NULL;
	}
	*err = ctx->host->ops->file(ctx->host, req->fd, &file);
	return *err < 0 ? NULL : file;
}

int rd_cancel_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_cancel_key key = {
		.user_data = req->cancel.user_data,
		.opcode = (uint8_t)RD_MIN(req->cancel.opcode, 255u),
		.flags = req->cancel.flags,
	};

	if (key.flags & RINGD_ASYNC_CANCEL_FD) {
		key.file = cancel_file(req, &req->res);
		if (!key.file)
			return RD_DONE;
	}
	req->res = rd_ctx_cancel(req->ctx, &key, req);
	if (key.file)
		rd_file_put(key.file);
	return RD_DONE;
}
