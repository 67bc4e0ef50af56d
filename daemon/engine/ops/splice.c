/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SPLICE and TEE. Always on a worker, as they cannot be waited for by readiness: either end may be what they sleep on, for
 * as long as nobody writes or reads a pipe. A worker that is to stop doing so gets a signal and comes back with EINTR.
 */
#include <fcntl.h>

#include "ops.h"

#define RD_SPLICE_MAX	0x7ffff000u	/* as for reads and writes: a result must fit into a CQE */
#define RD_SPLICE_FLAGS	(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT | RINGD_SPLICE_F_FD_IN_FIXED)

static int splice_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_splice *sp = &req->splice;

	sp->off_in = (int64_t)sqe->splice_off_in;
	sp->off_out = (int64_t)sqe->off;
	sp->len = sqe->len;
	sp->flags = sqe->splice_flags;
	sp->fd_in = sqe->splice_fd_in;
	sp->in = NULL;
	return sp->flags & ~RD_SPLICE_FLAGS ? -EINVAL : 0;
}

int rd_splice_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return splice_prep(req, sqe);
}

int rd_tee_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->splice_off_in || sqe->off)
		return -EINVAL;
	return splice_prep(req, sqe);
}

static int find_input(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_splice *sp = &req->splice;

	if (!(sp->flags & RINGD_SPLICE_F_FD_IN_FIXED))
		return host->ops->file(host, sp->fd_in, &sp->in);
	sp->in = rd_filetable_get(&req->ctx->files, (uint32_t)sp->fd_in);
	if (!sp->in)
		return -EBADF;
	rd_file_get(sp->in);
	return 0;
}

/* Less than was asked for breaks a chain, as for reads and writes. */
static void splice_result(struct rd_req *req, ssize_t n)
{
	req->res = n < 0 ? -errno : (int32_t)n;
	req->outcome = n == (ssize_t)req->splice.len ? RD_OUT_GOOD : RD_OUT_FAILED;
}

int rd_splice(struct rd_req *req, unsigned int issue_flags)
{
	int r = find_input(req);

	if (r == 0 && req->splice.len)
		return RD_PUNT;
	splice_result(req, 0);
	req->res = r;
	if (r < 0)
		req->outcome = RD_OUT_FAILED;
	return RD_DONE;
}

void rd_splice_cleanup(struct rd_req *req)
{
	if (req->splice.in)
		rd_file_put(req->splice.in);
	req->splice.in = NULL;
}

/* --- worker --- */

void rd_splice_work(struct rd_req *req)
{
	struct rd_splice *sp = &req->splice;
	unsigned int flags = sp->flags & ~RINGD_SPLICE_F_FD_IN_FIXED;

	splice_result(req, splice(sp->in->fd, sp->off_in == -1 ? NULL : &sp->off_in, req->file->fd,
				  sp->off_out == -1 ? NULL : &sp->off_out, RD_MIN(sp->len, RD_SPLICE_MAX), flags));
}

void rd_tee_work(struct rd_req *req)
{
	const struct rd_splice *sp = &req->splice;

	splice_result(req, tee(sp->in->fd, req->file->fd, RD_MIN(sp->len, RD_SPLICE_MAX),
			       sp->flags & ~RINGD_SPLICE_F_FD_IN_FIXED));
}
