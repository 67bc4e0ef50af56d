/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a ring: made over memory of the host, looked at by the reactor, killed, buried when nothing runs for it. */
#include "ring.h"

#include "cq.h"
#include "sq.h"

static struct rd_ring *from_poller(struct rd_poller *p)
{
	return RD_CONTAINER_OF(p, struct rd_ring, poller);
}

static unsigned int ring_look(struct rd_poller *p)
{
	return rd_sq_look(from_poller(p));
}

static void set_need_wakeup(struct rd_ring *ring, bool on)
{
	ring->sq_flags = on ? ring->sq_flags | RINGD_SQ_NEED_WAKEUP : ring->sq_flags & ~RINGD_SQ_NEED_WAKEUP;
	__atomic_store_n(&ring->hot->sq_flags, ring->sq_flags, __ATOMIC_RELAXED);
}

static void ring_doze(struct rd_poller *p)
{
	set_need_wakeup(from_poller(p), true);
}

static bool ring_pending(struct rd_poller *p)
{
	return rd_sq_pending(from_poller(p));
}

static void ring_wake(struct rd_poller *p)
{
	set_need_wakeup(from_poller(p), false);
}

static void ring_publish(struct rd_poller *p)
{
	struct rd_ring *ring = from_poller(p);

	rd_ctx_post_deferred(&ring->ctx);
	rd_list_remove(&p->dirty);	/* for what that has posted */
	rd_cq_publish(ring);
}

static void ring_stir(struct rd_ctx *ctx)
{
	struct rd_ring *ring = RD_CONTAINER_OF(ctx, struct rd_ring, ctx);

	rd_poller_dirty(ctx->engine->reactor, &ring->poller);
}

/* A completion of no request, which must be kept until there is room. */
struct loose_cqe {
	struct rd_held held;
};

static void loose_release(struct rd_held *held)
{
	free(RD_CONTAINER_OF(held, struct loose_cqe, held));
}

static bool ring_keep(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags)
{
	const struct rd_user *user = &ring->ctx.engine->user;
	struct loose_cqe *cqe;

	if (user->used[RINGD_LIMIT_INFLIGHT] >= user->limit[RINGD_LIMIT_INFLIGHT])
		return false;
	cqe = malloc(sizeof(*cqe));
	if (!cqe)
		return false;
	cqe->held = (struct rd_held){ .user_data = user_data, .res = res, .flags = flags, .release = loose_release };
	rd_list_init(&cqe->held.link);
	rd_cq_hold(ring, &cqe->held);	/* which charges it */
	return true;
}

static bool ring_post(struct rd_ctx *ctx, uint64_t user_data, int32_t res, uint32_t flags, bool keep)
{
	struct rd_ring *ring = RD_CONTAINER_OF(ctx, struct rd_ring, ctx);

	if (ring->dead)
		return false;
	rd_poller_dirty(ctx->engine->reactor, &ring->poller);
	if (!rd_cq_room(ring))
		return keep && ring_keep(ring, user_data, res, flags);
	rd_cq_put(ring, user_data, res, flags);
	return true;
}

static uint32_t ring_posted(const struct rd_ctx *ctx)
{
	const struct rd_ring *ring = RD_CONTAINER_OF(ctx, struct rd_ring, ctx);

	return ring->cq_tail + ring->held;
}

static void ring_bury(struct rd_work *work)
{
	struct rd_ring *ring = RD_CONTAINER_OF(work, struct rd_ring, burial);
	struct rd_engine *engine = ring->ctx.engine;

	ring->ctx.host->ops->ring_gone(ring->ctx.host, ring);
	rd_slab_deinit(&ring->ctx);
	rd_charge_give(&ring->entries);
	rd_charge_give(&ring->rings);
	engine->rings--;
	free(ring);
}

/* Everything that may still touch a dead ring has come back: free it, but not under the feet of our caller. */
static void ring_check_burial(struct rd_ring *ring)
{
	if (!ring->dead || ring->ctx.inflight || ring->ctx.tags.nodes || ring->burial.done)
		return;
	ring->burial.done = ring_bury;
	rd_reactor_return(ring->ctx.engine->reactor, &ring->burial);
}

static void post_tag(struct rd_tag_sink *sink, struct rd_held *held)
{
	struct rd_ring *ring = RD_CONTAINER_OF(sink, struct rd_ring, ctx.tags);

	if (ring->dead) {
		held->release(held);
		ring_check_burial(ring);
		return;
	}
	rd_poller_dirty(ring->ctx.engine->reactor, &ring->poller);
	if (!rd_cq_room(ring)) {
		rd_cq_hold(ring, held);
		return;
	}
	rd_cq_put(ring, held->user_data, held->res, held->flags);
	held->release(held);
}

static void ring_complete(struct rd_ctx *ctx, struct rd_req *req)
{
	struct rd_ring *ring = RD_CONTAINER_OF(ctx, struct rd_ring, ctx);

	if (RD_LIKELY(!ring->dead)) {
		rd_sq_complete(ring, req);
		return;
	}
	rd_req_account(req);
	rd_req_cleanup(req);
	rd_req_free(ctx, req);
	rd_sq_feed_starved(ctx->engine);
	ring_check_burial(ring);
}

static uint64_t ring_spin_ns(const struct rd_engine *engine, const struct ringd_params *params)
{
	uint64_t ms = RD_MIN(params->sq_thread_idle, engine->cfg.sq_idle_max_ms);

	return params->flags & RINGD_SETUP_SQPOLL ? ms * 1000000 : 0;
}

static void ring_init_ctx(struct rd_ring *ring, struct rd_engine *engine, struct rd_host *host, uint32_t setup_flags)
{
	struct rd_ctx *ctx = &ring->ctx;

	ctx->engine = engine;
	ctx->host = host;
	ctx->setup_flags = setup_flags;
	ctx->complete = ring_complete;
	ctx->post = ring_post;
	ctx->posted = ring_posted;
	ctx->stir = ring_stir;
	ctx->tags.post = post_tag;
	rd_list_init(&ctx->pending);
	rd_list_init(&ctx->deferred);
	rd_list_init(&ctx->tasks);
	rd_list_init(&ctx->order.held);
	rd_list_init(&ctx->slabs);
	rd_list_init(&ring->overflow);
	rd_list_init(&ring->starved);
}

static void ring_init_poller(struct rd_ring *ring, const struct ringd_params *params)
{
	struct rd_poller *p = &ring->poller;

	rd_poller_init(p);
	p->spin_ns = ring_spin_ns(ring->ctx.engine, params);
	p->look = ring_look;
	p->doze = ring_doze;
	p->pending = ring_pending;
	p->wake = ring_wake;
	p->publish = ring_publish;
}

int rd_ring_new(struct rd_ring **ret, struct rd_engine *engine, struct rd_host *host, const struct ringd_params *params,
		const struct rd_layout *layout, const struct rd_ring_memory *mem)
{
	struct rd_ring *ring = aligned_alloc(64, rd_align(sizeof(*ring), 64));
	int r;

	if (!ring)
		return -ENOMEM;
	*ring = (struct rd_ring){ .sq_entries = layout->sq_entries, .cq_entries = layout->cq_entries };
	r = rd_charge_take(&ring->rings, &engine->user, RINGD_LIMIT_RINGS, 1);
	if (r == 0)
		r = rd_charge_take(&ring->entries, &engine->user, RINGD_LIMIT_ENTRIES,
				   (uint64_t)layout->sq_entries + layout->cq_entries);
	if (r < 0) {
		rd_charge_give(&ring->rings);
		free(ring);
		return r;
	}
	ring_init_ctx(ring, engine, host, params->flags);
	ring_init_poller(ring, params);
	rd_layout_init(layout, mem->rings);
	ring->hot = (struct ringd_hot *)(void *)((char *)mem->rings + layout->hot_off);
	ring->cqes = (struct ringd_cqe *)(void *)((char *)mem->rings + 64);
	if (layout->array_off)
		ring->sq_array = (uint32_t *)(void *)((char *)mem->rings + layout->array_off);
	ring->sqes = mem->sqes;
	ring->sqpoll = params->flags & RINGD_SETUP_SQPOLL;
	set_need_wakeup(ring, true);
	engine->rings++;
	*ret = ring;
	return 0;
}

void rd_ring_doorbell(struct rd_ring *ring)
{
	if (!ring->dead)
		rd_poller_wake(ring->ctx.engine->reactor, &ring->poller);
}

void rd_ring_kill(struct rd_ring *ring, uint32_t reason)
{
	struct rd_ctx *ctx = &ring->ctx;

	if (ring->dead)
		return;
	ring->dead = true;
	ctx->dying = true;
	if (ring->violation)
		ctx->engine->stats.rings_killed++;
	rd_poller_remove(&ring->poller);
	rd_list_remove(&ring->starved);
	__atomic_store_n(&ring->hot->reason, reason, __ATOMIC_RELAXED);
	/* release: who sees DEAD sees the reason */
	__atomic_store_n(&ring->hot->state, RINGD_STATE_DEAD, __ATOMIC_RELEASE);
	rd_cq_drop_overflow(ring);
	rd_filetable_deinit(&ctx->files);
	rd_buftable_deinit(&ctx->bufs);
	rd_personality_deinit(&ctx->personalities);
	ctx->groups = rd_bufgroups_free(ctx->groups);
	rd_ctx_cancel_all(ctx);
	ctx->host->ops->ring_dead(ctx->host, ring, reason);
	ring_check_burial(ring);
}
