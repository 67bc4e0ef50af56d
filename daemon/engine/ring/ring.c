/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of a ring: made over memory of the host, looked at by the reactor, killed, buried when nothing runs for it. */
#include "ring.h"

#include "cq.h"
#include "event.h"
#include "lazy.h"
#include "sq.h"

#define RD_SQ_IDLE_MS	1000	/* sq_thread_idle of whoever does not say */

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
	/* whose enters are calls into this process needs no doorbell */
	if (!ring->sqpoll && ring->ctx.engine->cfg.same_process)
		return;
	rd_ring_set_sq_flags(ring, on ? ring->sq_flags | RINGD_SQ_NEED_WAKEUP : ring->sq_flags & ~RINGD_SQ_NEED_WAKEUP);
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
	if (RD_UNLIKELY(ring->ctx.lazy))
		rd_lazy_stir(ring);
	rd_cq_publish(ring);
}

static void ring_stir(struct rd_ctx *ctx)
{
	struct rd_ring *ring = RD_CONTAINER_OF(ctx, struct rd_ring, ctx);

	rd_poller_dirty(ctx->engine->reactor, &ring->poller);
}

static void ring_show(struct rd_ctx *ctx)
{
	rd_cq_show(RD_CONTAINER_OF(ctx, struct rd_ring, ctx));
}

/* A completion of no request, which must be kept until there is room. */
struct loose_cqe {
	struct rd_held held;
};

static void loose_release(struct rd_held *held)
{
	free(RD_CONTAINER_OF(held, struct loose_cqe, held));
}

/* A message whose flags say that it is a large CQE: to a mixed ring's client it is two entries, so it has to be. */
static bool is_wide(const struct rd_ring *ring, uint32_t flags)
{
	return RD_UNLIKELY(ring->cq_odd & RD_CQ_MIXED) && (flags & RINGD_CQE_F_32);
}

static bool ring_put(struct rd_ring *ring, uint64_t user_data, int32_t res, uint32_t flags)
{
	static const uint64_t zeros[2];

	if (is_wide(ring, flags))
		return rd_cq_put_odd(ring, user_data, res, flags, zeros);
	return rd_cq_put(ring, user_data, res, flags);
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
	cqe->held = (struct rd_held){ .user_data = user_data, .res = res, .flags = flags, .release = loose_release,
				      .wide = is_wide(ring, flags) };
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
	if (ring_put(ring, user_data, res, flags))
		return true;
	if (!keep)
		return false;
	if (ring_keep(ring, user_data, res, flags))
		return true;
	rd_cq_lose(ring);
	return false;
}

static bool ring_post_big(struct rd_ctx *ctx, uint64_t user_data, int32_t res, uint32_t flags, const uint64_t *big)
{
	struct rd_ring *ring = RD_CONTAINER_OF(ctx, struct rd_ring, ctx);

	if (ring->dead)
		return false;
	if (!big)
		return rd_cq_room_big(ring);
	rd_poller_dirty(ctx->engine->reactor, &ring->poller);
	return rd_cq_put_odd(ring, user_data, res, flags, big);
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
void rd_ring_check_burial(struct rd_ring *ring)
{
	if (!ring->dead || ring->ctx.inflight || ring->ctx.tags.nodes || ring->events || ring->pins ||
	    ring->burial.done)
		return;
	ring->burial.done = ring_bury;
	rd_reactor_return(ring->ctx.engine->reactor, &ring->burial);
}

static void post_tag(struct rd_tag_sink *sink, struct rd_held *held)
{
	struct rd_ring *ring = RD_CONTAINER_OF(sink, struct rd_ring, ctx.tags);

	if (ring->dead) {
		held->release(held);
		rd_ring_check_burial(ring);
		return;
	}
	rd_poller_dirty(ring->ctx.engine->reactor, &ring->poller);
	if (rd_cq_put(ring, held->user_data, held->res, held->flags))
		held->release(held);
	else
		rd_cq_hold(ring, held);
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
	rd_ring_check_burial(ring);
}

static uint64_t ring_spin_ns(const struct rd_engine *engine, const struct ringd_params *params)
{
	uint64_t ms = RD_MIN(params->sq_thread_idle ? params->sq_thread_idle : RD_SQ_IDLE_MS, engine->cfg.sq_idle_max_ms);

	return params->flags & RINGD_SETUP_SQPOLL ? ms * 1000000 : 0;
}

static void ring_init_ctx(struct rd_ring *ring, struct rd_engine *engine, struct rd_host *host, uint32_t setup_flags)
{
	struct rd_ctx *ctx = &ring->ctx;

	ctx->engine = engine;
	ctx->host = host;
	ctx->event_fd = -1;
	ctx->setup_flags = setup_flags;
	ctx->complete = ring_complete;
	ctx->post = ring_post;
	ctx->post_big = ring_post_big;
	ctx->posted = ring_posted;
	ctx->stir = ring_stir;
	ctx->show = ring_show;
	ctx->tags.post = post_tag;
	rd_list_init(&ctx->pending);
	rd_list_init(&ctx->deferred);
	rd_list_init(&ctx->tasks);
	rd_list_init(&ctx->now);
	rd_list_init(&ctx->order.held);
	rd_list_init(&ctx->slabs);
	rd_list_init(&ring->overflow);
	rd_list_init(&ring->starved);
	rd_list_init(&ring->group);
}

static void ring_init_poller(struct rd_ring *ring, const struct ringd_params *params)
{
	struct rd_poller *p = &ring->poller;

	rd_poller_init(p);
	ring->idle_ns = p->spin_ns = ring_spin_ns(ring->ctx.engine, params);
	p->look = ring_look;
	p->doze = ring_doze;
	p->pending = ring_pending;
	p->wake = ring_wake;
	p->publish = ring_publish;
}

static void ring_init_flags(struct rd_ring *ring, uint32_t flags)
{
	struct rd_ctx *ctx = &ring->ctx;

	ring->sqpoll = flags & RINGD_SETUP_SQPOLL;
	ring->rewind = flags & RINGD_SETUP_SQ_REWIND;
	ring->ctx.disabled = flags & RINGD_SETUP_R_DISABLED;
	ring->sq_odd = !(flags & RINGD_SETUP_NO_SQARRAY) ||
		       (flags & (RINGD_SETUP_SQE128 | RINGD_SETUP_SQE_MIXED | RINGD_SETUP_IOPOLL));
	if (flags & RINGD_SETUP_CQE32)
		ring->cq_odd |= RD_CQ_32;
	if (flags & RINGD_SETUP_CQE_MIXED)
		ring->cq_odd |= RD_CQ_MIXED;
	ctx->cqe32 = ring->cq_odd;
	ctx->wide = flags & RINGD_SETUP_SQE128;
	rd_restrict_update(ctx);
	ctx->lazy = (flags & RINGD_SETUP_DEFER_TASKRUN) || ((flags & RINGD_SETUP_IOPOLL) && !ring->sqpoll);
}

void rd_ring_place(struct rd_ring *ring, const struct rd_layout *layout, const struct rd_ring_memory *mem)
{
	char *rings = mem->rings;

	ring->sq_entries = layout->sq_entries;
	ring->cq_entries = layout->cq_entries;
	ring->sqe_shift = layout->sqe_shift;
	ring->cqe_shift = layout->cqe_shift;
	ring->hot = rd_layout_hot(layout, rings);
	ring->cqes = (struct ringd_cqe *)(void *)(rings + 64);
	ring->sq_array = layout->array_off ? (uint32_t *)(void *)(rings + layout->array_off) : NULL;
	ring->sqes = mem->sqes;
}

int rd_ring_new(struct rd_ring **ret, struct rd_engine *engine, struct rd_host *host, const struct ringd_params *params,
		const struct rd_layout *layout, const struct rd_ring_memory *mem)
{
	struct rd_ring *ring = aligned_alloc(64, rd_align(sizeof(*ring), 64));
	int r;

	if (!ring)
		return -ENOMEM;
	*ring = (struct rd_ring){ 0 };
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
	ring_init_flags(ring, params->flags);
	rd_ring_place(ring, layout, mem);
	set_need_wakeup(ring, true);
	engine->rings++;
	ring->serial = ++engine->last_serial;
	*ret = ring;
	return 0;
}

/* Of a circle of rings, of which this is one. */
static void group_spin(struct rd_link *group)
{
	uint64_t most = 0;
	struct rd_link *l = group;

	do {
		most = RD_MAX(most, rd_list_entry(l, struct rd_ring, group)->idle_ns);
		l = l->next;
	} while (l != group);
	do {
		rd_list_entry(l, struct rd_ring, group)->poller.spin_ns = most;
		l = l->next;
	} while (l != group);
}

void rd_ring_attach(struct rd_ring *ring, struct rd_ring *to)
{
	rd_list_append(&to->group, &ring->group);
	group_spin(&ring->group);
}

static void group_leave(struct rd_ring *ring)
{
	struct rd_link *rest = ring->group.next;

	if (rest == &ring->group)
		return;
	rd_list_remove(&ring->group);
	group_spin(rest);
}

int rd_ring_enable(struct rd_ring *ring)
{
	if (!ring->ctx.disabled)
		return -EBADFD;
	ring->ctx.disabled = false;
	/* an SQPOLL ring may have SQEs already, for which nobody will ring */
	rd_poller_wake(ring->ctx.engine->reactor, &ring->poller);
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
	group_leave(ring);
	__atomic_store_n(&ring->hot->reason, reason, __ATOMIC_RELAXED);
	/* release: who sees DEAD sees the reason */
	__atomic_store_n(&ring->hot->state, RINGD_STATE_DEAD, __ATOMIC_RELEASE);
	rd_event_clear(ring);
	rd_napi_clear(&ring->napi);
	rd_cq_drop_overflow(ring);
	rd_filetable_deinit(&ctx->files);
	rd_buftable_deinit(&ctx->bufs);
	rd_personality_deinit(&ctx->personalities);
	ctx->groups = rd_bufgroups_free(ctx->groups);
	ctx->zcrxs = rd_zcrxs_free(ctx->zcrxs);
	rd_ctx_cancel_all(ctx);
	ctx->host->ops->ring_dead(ctx->host, ring, reason);
	rd_ring_check_burial(ring);
}
