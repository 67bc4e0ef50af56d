/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a request: statistics, references, and the way back to the ring. */
#include "daemon/common/clock.h"
#include "opdef.h"
#include "request.h"

void rd_req_sample(struct rd_req *req)
{
	uint64_t ns = rd_now_ns() - req->t0;
	unsigned int bucket = ns ? 63 - (unsigned int)__builtin_clzll(ns) : 0;

	bucket = RD_MIN(bucket, RINGD_LATENCY_BUCKETS - 1);
	req->ctx->engine->stats.latency[req->opcode][bucket]++;
}

void rd_req_cleanup(struct rd_req *req)
{
	if (req->prepared && req->op->cleanup)
		req->op->cleanup(req);
	if (req->file && (req->holds || req->file_owned))
		rd_file_put(req->file);
	if (!req->holds)
		return;
	if (req->buf)
		rd_buf_put(req->buf);
	rd_mem_put(req->mem);
}

bool rd_req_failed(const struct rd_req *req)
{
	if (req->outcome != RD_OUT_AUTO)
		return req->outcome == RD_OUT_FAILED;
	/* cancelled it has not done what the next one builds on, whatever its own errors mean */
	return req->res < 0 && (!req->op->soft || req->res == -ECANCELED);
}

void rd_req_retire(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	req->state = RD_REQ_DONE;
	rd_list_remove(&req->link);
	ctx->inflight--;
	ctx->engine->user.used[RINGD_LIMIT_INFLIGHT]--;
}

void rd_req_done(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	rd_req_retire(req);
	if (RD_UNLIKELY(req->next) && !ctx->dying)
		rd_link_done(req);
	else
		ctx->complete(ctx, req);
	if (RD_UNLIKELY(ctx->ordered))
		rd_drain_kick(ctx);
}

void rd_req_defer(struct rd_req *req)
{
	req->state = RD_REQ_DONE;
	rd_list_append(&req->ctx->deferred, &req->task);
	req->ctx->stir(req->ctx);
}

void rd_ctx_post_deferred(struct rd_ctx *ctx)
{
	do {
		while (!rd_list_empty(&ctx->deferred)) {
			struct rd_req *req = rd_list_first(&ctx->deferred, struct rd_req, task);

			rd_list_remove(&req->task);
			rd_req_done(req);
		}
	} while (RD_UNLIKELY(ctx->counting) && rd_timeout_count(ctx));
}

void rd_req_task_queue(struct rd_req *req, void (*fn)(struct rd_req *req))
{
	struct rd_ctx *ctx = req->ctx;

	if (ctx->dying) {
		fn(req);
		return;
	}
	req->tasked = true;
	req->task_fn = fn;
	ctx->task_async |= req->async;
	rd_list_append(&ctx->tasks, &req->task);
	ctx->stir(ctx);
}

/* All of from goes behind to, in order. */
static void splice(struct rd_link *to, struct rd_link *from)
{
	if (rd_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	rd_list_init(from);
}

unsigned int rd_ctx_run_tasks(struct rd_ctx *ctx, unsigned int max)
{
	const uint64_t moved = ctx->moved;
	unsigned int n;

	if (rd_list_empty(&ctx->now))
		splice(&ctx->now, &ctx->tasks);
	for (n = 0; n < max && ctx->moved - moved < RD_VISIT_BYTES && !rd_list_empty(&ctx->now); n++) {
		struct rd_req *req = rd_list_first(&ctx->now, struct rd_req, task);

		rd_list_remove(&req->task);
		req->tasked = false;
		req->task_fn(req);
	}
	return n;
}

void rd_ctx_stop_tasks(struct rd_ctx *ctx)
{
	splice(&ctx->now, &ctx->tasks);
	splice(&ctx->tasks, &ctx->now);
}
