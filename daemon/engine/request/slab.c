/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of a ring: small slabs made on demand, a LIFO of free ones. A ring whose requests complete inline uses one
 * over and over; an idle ring that never had a request holds none. Memory goes back when the ring ends: what a busy
 * phase needed the next one will need too, and its size is bounded by the in-flight budget.
 */
#include "request.h"

#include <string.h>

#define RD_SLAB_REQS 8

struct rd_slab {
	struct rd_link link;
	struct rd_req reqs[RD_SLAB_REQS];
};

static struct rd_req *slab_grow(struct rd_ctx *ctx)
{
	struct rd_slab *slab = calloc(1, sizeof(*slab));

	if (!slab)
		return NULL;
	rd_list_append(&ctx->slabs, &slab->link);
	for (unsigned int i = 0; i < RD_SLAB_REQS; i++) {
		struct rd_req *req = &slab->reqs[i];

		req->ctx = ctx;
		rd_list_init(&req->link);
		rd_list_init(&req->task);
		req->next_free = ctx->free_reqs;
		ctx->free_reqs = req;
	}
	return ctx->free_reqs;
}

struct rd_req *rd_req_alloc(struct rd_ctx *ctx)
{
	struct rd_req *req = ctx->free_reqs;

	if (RD_UNLIKELY(!req)) {
		req = slab_grow(ctx);
		if (!req)
			return NULL;
	}
	ctx->free_reqs = req->next_free;
	return req;
}

void rd_req_free(struct rd_ctx *ctx, struct rd_req *req)
{
	req->state = RD_REQ_IDLE;
	req->next_free = ctx->free_reqs;
	ctx->free_reqs = req;
}

void rd_slab_deinit(struct rd_ctx *ctx)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ctx->slabs)
		free(rd_list_entry(l, struct rd_slab, link));
	rd_list_init(&ctx->slabs);
	ctx->free_reqs = NULL;
	rd_waits_deinit(&ctx->waits);
}
