/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * READ and READV into a provided buffer. It is chosen for one attempt at a time: what has to wait for readiness has none.
 * A file that cannot wait uses its buffer up whatever comes of it, the others only when they had something to say
 * (the end of the file included).
 */
#include "ops.h"
#include "rw.h"

int rd_rw_take(struct rd_req *req, struct rd_bufsel *sel, struct rd_mem **owner)
{
	struct rd_rw *rw = &req->rw;
	int r;

	*owner = NULL;
	r = rd_bufsel_take(sel, req->ctx->groups, req->ctx->host, rw->buf_index, rw->asked ? rw->asked : RD_RW_MAX, &rw->one,
			   owner);
	rw->want = sel->bytes;
	rw->done = 0;
	return r;
}

void rd_rw_keep(struct rd_req *req, struct rd_bufsel *sel, struct rd_mem *owner)
{
	req->cflags = rd_bufsel_commit(sel, sel->bytes);
	req->mem = req->holds ? rd_mem_get(owner) : owner;
}

static void finish_attempt(struct rd_req *req, struct rd_bufsel *sel)
{
	bool waits = !(req->file->flags & (RD_FILE_REG | RD_FILE_DIR | RD_FILE_NO_POLL));

	if (!sel->group)
		return;
	if (waits && req->res < 0)
		rd_bufsel_drop(sel);
	else
		req->cflags = rd_bufsel_commit(sel, req->res < 0 ? 0 : (uint64_t)req->res);
}

int rd_rw_select(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_bufsel sel = { 0 };
	struct rd_mem *owner;
	int r = 0, verdict = RD_DONE;

	if (!(issue_flags & RD_READY))
		r = rd_rw_start(req);
	if (r == 0)
		r = rd_rw_take(req, &sel, &owner);
	if (r < 0)
		req->res = r;
	else
		verdict = rd_rw_attempt(req, issue_flags);
	switch (verdict) {
	case RD_DONE:
		finish_attempt(req, &sel);
		break;
	case RD_POLL_IN:
		rd_bufsel_drop(&sel);
		break;
	default:
		rd_rw_keep(req, &sel, owner);
	}
	return verdict;
}
