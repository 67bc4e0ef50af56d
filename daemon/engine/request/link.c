/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains. The members of one submission that LINK or HARDLINK joins are collected behind their head, prepared and enlisted
 * but not issued; where the chain ends it runs, one member after the other: each is issued when the one before it has
 * been posted, so that it finds what that one has left (a file in a slot, a file position). What is behind a running member
 * hangs off its next and is not to be found by any cancel.
 *
 * Nothing here recurses, however long the chain: rd_link_done() is a loop.
 */
#include "opdef.h"
#include "request.h"
#include "../exec/reactor.h"

#define RD_LINK_BURST	4096	/* members that run in one go: a quarter of a millisecond */

/* --- collecting --- */

static void chain_add(struct rd_order *order, struct rd_req *req)
{
	req->state = RD_REQ_CHAIN;
	if (!order->head)
		order->head = req;
	else
		order->last->next = req;
	order->last = req;
}

static void post_cancelled(struct rd_req *req, int32_t res)
{
	rd_req_retire(req);
	req->res = res;
	req->ctx->complete(req->ctx, req);
}

/* A prep has failed: nothing runs, every member has its CQE, in order. res of those that are not at fault is still 0. */
static void chain_fail(struct rd_req *req)
{
	struct rd_req *next;

	for (; req; req = next) {
		next = req->next;
		req->next = NULL;
		req->outcome = RD_OUT_FAILED;
		post_cancelled(req, req->prepared ? -ECANCELED : req->res);
	}
}

static void chain_close(struct rd_ctx *ctx)
{
	struct rd_order *order = &ctx->order;
	struct rd_req *head = order->head, *req;
	bool failed = order->failed, drain = false;

	order->head = order->last = NULL;
	order->failed = false;
	for (req = head; req; req = req->next)
		drain |= req->flags & RINGD_SQE_IO_DRAIN;
	rd_drain_update(ctx);
	if (failed)
		chain_fail(head);
	else if (!rd_drain_hold(head, drain))
		rd_link_run(head);
	/* while it was open it looked like something a drain had to wait for */
	if (ctx->ordered)
		rd_drain_kick(ctx);
}

void rd_link_end(struct rd_ctx *ctx)
{
	if (ctx->order.head)
		chain_close(ctx);
}

/* Alone. A drain in front holds it back, unless there is something wrong with it. */
static int submit_single(struct rd_req *req, int err, bool *prep_failed)
{
	if (err < 0) {
		req->res = err;
		req->outcome = RD_OUT_FAILED;
		*prep_failed = true;
		return RD_DONE;
	}
	if (!req->ctx->ordered && !(req->flags & RINGD_SQE_IO_DRAIN))
		return rd_req_issue(req);
	rd_req_enlist(req);
	if (!rd_drain_hold(req, req->flags & RINGD_SQE_IO_DRAIN))
		rd_link_run(req);
	return RD_PENDING;
}

int rd_link_submit(struct rd_req *req, int err, bool *prep_failed)
{
	struct rd_ctx *ctx = req->ctx;
	bool more = req->flags & RD_SQE_LINKS;

	if (!ctx->order.head && !more)
		return submit_single(req, err, prep_failed);
	rd_req_enlist(req);
	chain_add(&ctx->order, req);
	ctx->ordered = true;
	if (err < 0) {
		req->res = err;
		ctx->order.failed = true;
		*prep_failed = !more;	/* in the middle of a chain it does not stop the submission */
	}
	if (!more)
		chain_close(ctx);
	return RD_PENDING;
}

/* --- running --- */

static bool is_timeout(const struct rd_req *req)
{
	return req && req->opcode == RINGD_OP_LINK_TIMEOUT;
}

/* The member waits for something: its LINK_TIMEOUT begins to run. */
static void timeout_arm(struct rd_req *target)
{
	struct rd_req *lt = target->next;

	if (!is_timeout(lt) || lt->state != RD_REQ_CHAIN)
		return;
	lt->target = target;
	lt->state = RD_REQ_IDLE;
	if (lt->op->issue(lt, RD_INLINE) == RD_DONE)
		lt->state = RD_REQ_CHAIN;	/* could not be armed: ends with its target */
}

/* Its target is finished, the timeout goes too: its CQE comes behind the target's. */
static void timeout_stop(struct rd_req *lt)
{
	if (lt->tasked) {
		rd_list_remove(&lt->task);	/* fired, but its turn never came */
		lt->tasked = false;
	} else if (lt->state == RD_REQ_WAIT) {
		(void)lt->op->cancel(lt);
	}
	lt->next = NULL;
	/* with CQE_SKIP_SUCCESS it is never heard of */
	lt->outcome = lt->flags & RINGD_SQE_CQE_SKIP_SUCCESS ? RD_OUT_GOOD : RD_OUT_FAILED;
	post_cancelled(lt, -ECANCELED);
}

void rd_link_timeout_fired(struct rd_req *lt)
{
	struct rd_req *target = lt->target;
	int r;

	target->next = lt->next;	/* the chain goes on without it */
	lt->next = NULL;
	r = rd_req_cancel(target);
	lt->res = r < 0 ? r : target->op->cancel_counts ? 1 : -ETIME;	/* what a cancel answers, and only 0 is turned into this */
	lt->outcome = lt->flags & RINGD_SQE_CQE_SKIP_SUCCESS ? RD_OUT_GOOD : RD_OUT_FAILED;
	rd_req_done(lt);
}

/* A soft link broke: the rest is cancelled. Silently if the member that failed was to be silent: its CQE stands for all. */
static void cancel_rest(struct rd_req *req, bool silent)
{
	struct rd_req *next;

	for (; req; req = next) {
		next = req->next;
		req->next = NULL;
		req->outcome = RD_OUT_FAILED;
		if (silent) {
			req->flags |= RINGD_SQE_CQE_SKIP_SUCCESS;
			req->outcome = RD_OUT_GOOD;
		}
		post_cancelled(req, -ECANCELED);
	}
}

static void run_later(struct rd_work *work)
{
	struct rd_req *req = RD_CONTAINER_OF(work, struct rd_req, work);

	req->ctx->burst = 0;
	req->ctx->moved = 0;
	req->state = RD_REQ_IDLE;
	if (req->ctx->dying) {
		req->res = -ECANCELED;
		rd_req_done(req);
		return;
	}
	rd_link_run(req);
	req->ctx->stir(req->ctx);
}

/* Post it and say who is next, or NULL. */
static struct rd_req *link_step(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;
	struct rd_req *next = req->next, *lt = NULL;
	bool broken = rd_req_failed(req) && !(req->flags & RINGD_SQE_IO_HARDLINK);
	bool silent = req->flags & RINGD_SQE_CQE_SKIP_SUCCESS;

	req->next = NULL;
	if (is_timeout(next)) {
		lt = next;
		next = lt->next;
	}
	ctx->complete(ctx, req);
	if (lt)
		timeout_stop(lt);
	if (!broken)
		return next;
	cancel_rest(next, silent);
	return NULL;
}

/* Issue it, or put it off when this ring has had enough for now. True: it is finished. */
static bool link_issue(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	if (ctx->burst++ >= RD_LINK_BURST || ctx->moved >= RD_VISIT_BYTES) {
		req->state = RD_REQ_LATER;
		req->work.done = run_later;
		rd_reactor_return(ctx->engine->reactor, &req->work);
		return false;
	}
	req->state = RD_REQ_IDLE;
	if (rd_req_issue(req) == RD_DONE)
		return true;
	timeout_arm(req);
	return false;
}

void rd_link_done(struct rd_req *req)
{
	while ((req = link_step(req))) {
		if (!link_issue(req))
			return;
		rd_req_retire(req);
	}
}

void rd_link_run(struct rd_req *head)
{
	if (link_issue(head))
		rd_req_done(head);
}
