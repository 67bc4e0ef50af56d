/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * READ_MULTISHOT: a CQE with a provided buffer each time the file has something, until it ends, fails, is cancelled, or
 * there is no buffer or no room in the CQ. What may sleep when it is read, although poll says that there is something,
 * is read on a worker, one buffer at a time; such a buffer is used up also by what ends the request.
 */
#include "ops.h"
#include "rw.h"

#define RD_MSHOT_BURST	32	/* transfers in a row, then others have their turn */

/* It goes on: nothing is left of the buffer that was read into. */
static int next_round(struct rd_req *req)
{
	if (req->holds)
		rd_mem_put(req->mem);
	req->mem = NULL;
	req->cflags = 0;
	req->outcome = RD_OUT_AUTO;	/* a short read is none here */
	return RD_POLL_IN;
}

/* One transfer. RD_DONE: req->res is the last result; RD_POLL_IN: nothing there; RD_PUNT; -1: posted, go on. */
static int transfer_one(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_bufsel sel = { 0 };
	struct rd_mem *owner;
	int r, verdict = RD_DONE;

	r = rd_rw_take(req, &sel, &owner);
	if (r < 0)
		req->res = r;
	else
		verdict = rd_rw_attempt(req, issue_flags);
	req->outcome = RD_OUT_AUTO;
	if (verdict == RD_DONE && req->res > 0) {
		req->cflags = rd_bufsel_commit(&sel, (uint64_t)req->res);
		if (!rd_req_more(req, req->res, req->cflags))
			return RD_DONE;
		req->cflags = 0;
		return -1;
	}
	if (verdict == RD_PUNT)
		rd_rw_keep(req, &sel, owner);
	rd_bufsel_drop(&sel);
	return verdict;
}

int rd_read_mshot(struct rd_req *req, unsigned int issue_flags)
{
	uint64_t moved = req->ctx->moved;
	int r = 0;

	if (!(req->file->flags & RD_FILE_STREAM) || (req->file->flags & RD_FILE_NO_POLL))
		r = -EBADFD;
	else if (!(issue_flags & RD_READY))
		r = rd_rw_start(req);
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	req->rw.rounds = 0;
	for (unsigned int i = 0; i < RD_MSHOT_BURST && req->ctx->moved - moved < RD_RW_INLINE_MAX; i++) {
		r = transfer_one(req, issue_flags);
		/* a buffer is needed when there is something for it, which readiness tells: the client may provide more till then */
		if (i && r == RD_DONE && req->res == -ENOBUFS)
			break;
		if (r >= 0)
			return r;
		/* what a file without RWF_NOWAIT had is gone: readiness tells whether there is more */
		if (req->file->flags & RD_FILE_NO_NOWAIT_R)
			break;
	}
	return next_round(req);
}

int rd_read_mshot_finish(struct rd_req *req)
{
	req->outcome = RD_OUT_AUTO;
	if (req->res <= 0 || !rd_req_more(req, req->res, req->cflags))
		return RD_DONE;
	return next_round(req);
}
