/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stopping requests. The owner thread decides by req->state alone: a poll is disarmed, queued work is taken back, the
 * kernel ring is asked; what runs already is interrupted and comes back through rd_req_done() like any other.
 */
#include "request.h"
#include "../exec/workers.h"

void rd_ctx_cancel_all(struct rd_ctx *ctx)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ctx->pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		switch (req->state) {
		case RD_REQ_POLL:
			rd_poll_disarm(&req->poll);
			break;
		case RD_REQ_WORK:
			if (!rd_workers_cancel(ctx->engine->workers, &req->work)) {
				rd_workers_interrupt(ctx->engine->workers, &req->work);
				continue;
			}
			break;
		case RD_REQ_URING:
			rd_uring_cancel(ctx->engine->uring, &req->io);
			continue;
		default:
			continue;
		}
		req->res = -ECANCELED;
		rd_req_done(req);
	}
}
