/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drain. What has the flag starts when everything submitted before it is finished, and what comes after it waits until it is
 * finished itself. So there is one queue: who is in it waits, who is not counts as "before". Its first entry may start
 * when the last one that had the flag is finished and, if it has the flag itself, when nothing else is left.
 */
#include "request.h"

void rd_drain_update(struct rd_ctx *ctx)
{
	const struct rd_order *order = &ctx->order;

	ctx->ordered = order->head || order->draining || !rd_list_empty(&order->held);
}

/* Is anything unfinished that is not in the queue? */
static bool busy(const struct rd_ctx *ctx)
{
	return ctx->inflight > ctx->order.held_reqs;
}

static uint32_t length(const struct rd_req *head)
{
	uint32_t n = 0;

	for (; head; head = head->next)
		n++;
	return n;
}

bool rd_drain_hold(struct rd_req *head, bool drain)
{
	struct rd_ctx *ctx = head->ctx;
	struct rd_order *order = &ctx->order;
	uint32_t n = length(head);

	if (!drain && !order->draining && rd_list_empty(&order->held))
		return false;
	if (drain)
		head->flags |= RINGD_SQE_IO_DRAIN;	/* of the whole chain from here on */
	/* itself is on the books already */
	if (rd_list_empty(&order->held) && !order->draining && ctx->inflight == order->held_reqs + n) {
		order->draining = true;
		ctx->ordered = true;
		return false;
	}
	for (struct rd_req *req = head; req; req = req->next)
		req->state = RD_REQ_DRAIN;
	order->held_reqs += n;
	rd_list_append(&order->held, &head->task);
	ctx->ordered = true;
	return true;
}

void rd_drain_kick(struct rd_ctx *ctx)
{
	struct rd_order *order = &ctx->order;

	if (order->kicking || ctx->dying)
		return;
	order->kicking = true;
	while (!order->draining || !busy(ctx)) {
		struct rd_req *head;
		bool drain;

		order->draining = false;
		if (rd_list_empty(&order->held))
			break;
		head = rd_list_first(&order->held, struct rd_req, task);
		drain = head->flags & RINGD_SQE_IO_DRAIN;
		if (drain && busy(ctx))
			break;
		rd_list_remove(&head->task);
		order->held_reqs -= length(head);
		for (struct rd_req *req = head->next; req; req = req->next)
			req->state = RD_REQ_CHAIN;
		order->draining = drain;
		rd_link_run(head);
	}
	order->kicking = false;
	rd_drain_update(ctx);
}
