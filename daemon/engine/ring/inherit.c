/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings in the child of a fork(). What was under way is the parent's: its requests, its workers, its timers. The child has the
 * memory, the tables with their descriptors, and what else was registered; the reactor is made anew. Nothing here may touch an
 * epoll set of the old one, which is the parent's, too.
 */
#include "../exec/pool.h"
#include "event.h"
#include "inherit.h"

static void drop_requests(struct rd_ctx *ctx)
{
	rd_list_init(&ctx->pending);
	rd_list_init(&ctx->deferred);
	rd_list_init(&ctx->tasks);
	rd_list_init(&ctx->now);
	rd_list_init(&ctx->slabs);	/* their memory is left: who knows what of it somebody else still names */
	ctx->order = (struct rd_order){ .skip_used = ctx->order.skip_used };
	rd_list_init(&ctx->order.held);
	ctx->ordered = false;
	ctx->inflight = 0;
	ctx->waits = (struct rd_waits){ 0 };
	ctx->counting = NULL;
	ctx->free_reqs = NULL;
}

/* Tags of what only a request of the parent held are the parent's to tell. */
static void count_tags(struct rd_ctx *ctx)
{
	ctx->tags.nodes = 0;
	for (uint32_t i = 0; i < ctx->files.nr; i++)
		ctx->tags.nodes += ctx->files.slots[i] && ctx->files.slots[i]->node.sink == &ctx->tags;
	for (uint32_t i = 0; i < ctx->bufs.nr; i++)
		ctx->tags.nodes += ctx->bufs.slots[i] && ctx->bufs.slots[i]->node.sink == &ctx->tags;
}

void rd_ring_inherit(struct rd_ring *ring)
{
	struct rd_ctx *ctx = &ring->ctx;

	drop_requests(ctx);
	count_tags(ctx);
	for (uint32_t i = 0; i < ctx->files.nr; i++) {
		if (ctx->files.slots[i])
			rd_watched_init(&ctx->files.slots[i]->watched);
	}
	rd_poller_init(&ring->poller);
	rd_list_init(&ring->overflow);
	rd_list_init(&ring->starved);
	rd_list_init(&ring->group);
	ring->held = 0;
	ring->cq_odd &= (uint8_t)~RD_CQ_HOLDS;
	ring->lost = ring->reaping = ring->tasks_told = ring->entering = false;
	ring->burial = (struct rd_work){ 0 };
	ring->events = !!ring->event;
	if (ring->event)
		rd_event_inherit(ring);
}

/* --- descriptors of the parent's requests --- */

void rd_ring_inherit_uncount(struct rd_ring *ring)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ring->ctx.pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		if (req->file)
			req->file->node.refs = 0;
	}
	for (uint32_t i = 0; i < ring->ctx.files.nr; i++) {
		if (ring->ctx.files.slots[i])
			ring->ctx.files.slots[i]->node.refs = 0;
	}
}

void rd_ring_inherit_count(struct rd_ring *ring)
{
	for (uint32_t i = 0; i < ring->ctx.files.nr; i++) {
		if (ring->ctx.files.slots[i])
			ring->ctx.files.slots[i]->node.refs++;
	}
}

static void close_quietly(struct rd_file *file)
{
	if (file->fd >= 0 && !(file->flags & (RD_FILE_BORROWED | RD_FILE_LENT)))
		rd_close(file->fd);
	file->fd = -1;
}

void rd_ring_inherit_close(struct rd_ring *ring)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ring->ctx.pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		if (req->file && !req->file->node.refs)
			close_quietly(req->file);
	}
}

void rd_ring_inherit_drop(struct rd_ring *ring)
{
	for (uint32_t i = 0; i < ring->ctx.files.nr; i++) {
		struct rd_file *file = ring->ctx.files.slots[i];

		if (file && --file->node.refs == 0)
			close_quietly(file);
	}
	if (ring->event)
		rd_event_inherit_drop(ring);
}

/* --- the engine --- */

void rd_engine_inherit(struct rd_engine *engine)
{
	struct rd_reactor *r = engine->reactor;

	if (r) {
		for (unsigned int i = 0; i < RD_TIMER_CLOCKS; i++)
			rd_close(r->timers.alarm[i].fd);
		for (unsigned int i = 0; i < RD_POLL_WAYS; i++)
			rd_close(r->polls.way[i].epfd);
		rd_close(r->efd);
		rd_loop_free(r->loop);
		free(r);
	}
	rd_workers_inherit(engine->workers);
	engine->reactor = NULL;
	engine->workers = NULL;
	engine->aio = NULL;		/* not inherited; its memory is left */
	engine->futexes = NULL;
}
