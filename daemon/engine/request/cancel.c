/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping requests. The owner thread decides by req->state alone: a poll is disarmed, queued work is taken back, an op that
 * waits is asked to stop, the kernel ring is asked; what runs already is interrupted and comes back like any other. There
 * is no race between cancel and complete, because both happen on this thread, one after the other.
 */
#include "opdef.h"
#include "request.h"
#include "../exec/workers.h"

#define RD_SCAN_FILE	2048	/* as RD_SCAN_BYTES, when the kernel has to be asked whether two files are the same */

bool rd_cancel_match(const struct rd_req *req, const struct rd_cancel_key *key)
{
	uint32_t flags = key->flags;

	if (req->state == RD_REQ_CHAIN || req->state == RD_REQ_DRAIN || req->state == RD_REQ_DONE ||
	    req->state == RD_REQ_NOTIF || req->opcode == RINGD_OP_LINK_TIMEOUT)
		return false;
	if (flags & RINGD_ASYNC_CANCEL_ANY)
		return true;
	if ((flags & RINGD_ASYNC_CANCEL_OP) && req->opcode != key->opcode)
		return false;
	if (((flags & RINGD_ASYNC_CANCEL_USERDATA) || !(flags & (RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_OP))) &&
	    req->user_data != key->user_data)
		return false;
	/* last: it may cost a system call */
	return !(flags & RINGD_ASYNC_CANCEL_FD) || (req->file && rd_file_same(req->file, key->file));
}

/* 0: nobody else will finish it. */
static int stop(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;

	switch (req->state) {
	case RD_REQ_POLL:
		rd_poll_disarm(&req->poll);
		if (req->tasked) {	/* it is ready, but nothing has come of that yet */
			rd_list_remove(&req->task);
			req->tasked = false;
		}
		return 0;
	case RD_REQ_WORK:
		if (rd_workers_cancel(engine->workers, &req->work))
			return 0;
		rd_workers_interrupt(engine->workers, &req->work);
		return -EALREADY;
	case RD_REQ_URING:
		req->work.unwanted = true;	/* it may have succeeded, and is not to be gone on with */
		rd_uring_cancel(engine->uring, &req->io);
		return -EALREADY;
	case RD_REQ_WAIT:
		return req->op->cancel(req);
	case RD_REQ_IDLE:	/* on its way back: its task is queued, or its descriptor is being closed */
		req->work.unwanted = true;
		return -EALREADY;
	case RD_REQ_LATER:
		return -EALREADY;
	case RD_REQ_NOTIF:	/* who has the data cannot be asked for it; a dying ring tells nobody */
		return req->ctx->dying ? 0 : -ENOENT;
	}
	return -ENOENT;
}

int rd_req_cancel(struct rd_req *req)
{
	int r = stop(req);

	if (r < 0)
		return r;
	req->res = -ECANCELED;
	if (req->op->stopped)
		req->op->stopped(req);
	rd_req_defer(req);
	return 0;
}

int rd_ctx_cancel(struct rd_ctx *ctx, const struct rd_cancel_key *key, const struct rd_req *self)
{
	bool all = key->flags & (RINGD_ASYNC_CANCEL_ALL | RINGD_ASYNC_CANCEL_ANY);
	uint64_t cost = key->file ? RD_SCAN_FILE : RD_SCAN_BYTES;
	struct rd_link *l, *tmp;
	int r, n = 0;

	rd_list_foreach(l, tmp, &ctx->pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		ctx->moved += cost;
		if (req == self || !rd_cancel_match(req, key))
			continue;
		r = rd_req_cancel(req);
		if (!all)
			return r == 0 && req->op->cancel_counts ? 1 : r;
		n++;
	}
	return all ? n : -ENOENT;
}

static void abandoned(struct rd_req *req)
{
	req->res = -ECANCELED;
	if (req->op->stopped)
		req->op->stopped(req);
	rd_req_defer(req);
}

static void abandoned_ready(struct rd_poll *poll)
{
	rd_req_task(RD_CONTAINER_OF(poll, struct rd_req, poll), abandoned);
}

void rd_ctx_task_gone(struct rd_ctx *ctx, uint32_t task)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ctx->pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		if (req->submitter != task)
			continue;
		req->submitter = 0;	/* its number may be another thread's from now on */
		if ((req->state == RD_REQ_POLL || (req->state == RD_REQ_WAIT && req->op == &rd_ops[RINGD_OP_POLL_ADD])) &&
		    req->poll.armed)
			req->poll.ready = abandoned_ready;
	}
}

/* The ring is dying: whoever waits for another's end, or for his CQE, waits for nobody now. */
static void forget_order(struct rd_ctx *ctx)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ctx->pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		req->next = NULL;
		/* deferred, tasked or held */
		if (req->state == RD_REQ_DONE || req->state == RD_REQ_DRAIN || req->tasked)
			rd_list_remove(&req->task);
	}
	ctx->order.head = ctx->order.last = NULL;
}

void rd_ctx_cancel_all(struct rd_ctx *ctx)
{
	struct rd_link *l, *tmp;

	forget_order(ctx);
	rd_list_foreach(l, tmp, &ctx->pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);
		bool mine = req->tasked || req->state == RD_REQ_DONE || req->state == RD_REQ_DRAIN ||
			    req->state == RD_REQ_CHAIN;

		if (!mine && stop(req) < 0)
			continue;	/* comes back through rd_req_done() */
		req->tasked = false;
		req->res = -ECANCELED;
		rd_req_done(req);
	}
}
