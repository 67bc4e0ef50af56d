/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests with two CQEs: the result, and later the news that the data may be touched again. The request stays what it is and where
 * it is counted; only who it waits for changes. Its result goes out when it is finished for the first time, from the place
 * where every CQE is posted, so no way to fail or to be cancelled has to know of it. If the data is still in use then, or the
 * result itself found no room in the CQ, the request goes back on the books (RD_REQ_NOTIF) until neither is so; only then
 * its second and last CQE is posted, as that of any request. So nothing is allocated for either, and the second
 * cannot overtake the first.
 */
#include "request.h"

/* From now on it is the notification. */
static void become_due(struct rd_req *req)
{
	req->flags &= (uint8_t)~RD_REQ_NOTIFIES;
	req->outcome = RD_OUT_GOOD;
	req->user_data = req->notif.user_data;
	req->res = (int32_t)req->notif.res;
	req->cflags = RINGD_CQE_F_NOTIF;
}

static void finish(struct rd_req *req)
{
	become_due(req);
	rd_req_done(req);
}

/* The result is in the CQ, at once or after it has waited for room, or nobody will look at it any more. */
static void result_out(struct rd_held *held)
{
	struct rd_req *req = RD_CONTAINER_OF(held, struct rd_req, held);

	req->notif.state &= (uint8_t)~RD_NOTIF_HELD;
	if (req->state != RD_REQ_NOTIF || req->notif.state || req->ctx->dying)
		return;
	/* behind the CQEs that wait for the same room, and not from the middle of the list of them */
	become_due(req);
	rd_req_defer(req);
}

bool rd_notif_result(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	if (rd_req_silent(req)) {	/* of a chain that broke without a word */
		req->flags &= (uint8_t)~RD_REQ_NOTIFIES;
		return true;
	}
	req->notif.state |= RD_NOTIF_HELD;
	req->held = (struct rd_held){ .user_data = req->user_data, .res = req->res, .flags = req->cflags | RINGD_CQE_F_MORE,
				      .release = result_out };
	rd_list_init(&req->held.link);
	ctx->tags.post(&ctx->tags, &req->held);
	if (!req->notif.state) {
		become_due(req);
		return true;
	}
	if (req->t0)
		rd_req_sample(req);	/* how long the data is in use says nothing about us */
	req->t0 = 0;
	if (!req->holds)
		(void)rd_req_hold(req);		/* it is done with its file */
	rd_req_enlist(req);
	req->state = RD_REQ_NOTIF;
	return false;
}

void rd_notif_release(struct rd_req *req)
{
	req->notif.state &= (uint8_t)~RD_NOTIF_BUSY;
	if (req->state == RD_REQ_NOTIF && !req->notif.state)
		rd_req_task(req, finish);
}
