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
	if (req->file && (req->counted || req->file_owned))
		rd_file_put(req->file);
	if (!req->counted)
		return;
	if (req->buf)
		rd_buf_put(req->buf);
	rd_mem_put(req->mem);
}

void rd_req_done(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	req->state = RD_REQ_DONE;
	rd_list_remove(&req->link);
	ctx->inflight--;
	ctx->engine->user.used[RINGD_LIMIT_INFLIGHT]--;
	ctx->complete(ctx, req);
}
