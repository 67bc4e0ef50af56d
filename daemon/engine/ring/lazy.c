/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program with such a ring relies on nothing changing in its CQ while it is not looking for completions. So what
 * happens to its requests is queued (rd_req_task()) and gone on with in its enters with GETEVENTS, a visit's worth at a time, or
 * as it comes while it waits in one. Whether it does is a word of the client's, and what it must know is two bits of ours:
 * the handshake is described in proto/wire.h and works like that of dozing, with the roles of the words the other way round.
 */
#include "lazy.h"

#include "cq.h"
#include "event.h"

#define RD_LAZY_VISIT	128

static void set_tasks(struct rd_ring *ring, uint32_t bits)
{
	__atomic_store_n(&ring->hot->tasks, bits, __ATOMIC_RELEASE);
}

/* Nothing is waiting for the client any more. */
static void tell_none(struct rd_ring *ring)
{
	ring->tasks_told = false;
	ring->ctx.task_async = false;
	set_tasks(ring, 0);
	rd_ring_set_sq_flags(ring, ring->sq_flags & ~RINGD_SQ_TASKRUN);
}

static void tell_some(struct rd_ring *ring)
{
	bool news = !ring->tasks_told;

	set_tasks(ring, RINGD_TASKS_PENDING);
	ring->tasks_told = true;
	if (ring->ctx.setup_flags & RINGD_SETUP_TASKRUN_FLAG)
		rd_ring_set_sq_flags(ring, ring->sq_flags | RINGD_SQ_TASKRUN);
	if (news)
		rd_event_pending(ring, ring->ctx.task_async);
	ring->ctx.task_async = false;
}

/* We say that we may run tasks, and look whether the client wants that; it says that it does not, and looks at us. */
static bool client_waits(struct rd_ring *ring)
{
	/* exchange and load are both sequentially consistent, which orders them; pairs with the client's barrier between
	 * clearing waiting and looking at tasks */
	__atomic_exchange_n(&ring->hot->tasks, RINGD_TASKS_RUNNING, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->hot->waiting, __ATOMIC_SEQ_CST);
}

void rd_lazy_stir(struct rd_ring *ring)
{
	/* an enter runs what it finds and comes here when it is done */
	if (ring->entering || ring->reaping || rd_list_empty(&ring->ctx.tasks))
		return;
	if (client_waits(ring)) {
		ring->reaping = true;
		rd_poller_wake(ring->ctx.engine->reactor, &ring->poller);
	} else {
		tell_some(ring);
	}
}

unsigned int rd_lazy_look(struct rd_ring *ring)
{
	struct rd_ctx *ctx = &ring->ctx;
	unsigned int n;

	if (ring->entering)
		return 0;
	n = rd_ctx_run_tasks(ctx, RD_LAZY_VISIT);
	rd_ctx_post_deferred(ctx);
	rd_cq_publish(ring);
	if (!rd_list_empty(&ctx->now))
		return n;
	ring->reaping = false;
	if (rd_list_empty(&ctx->tasks))
		tell_none(ring);	/* after the publication: who finds RUNNING gone has all CQEs */
	else
		rd_lazy_stir(ring);
	return n;
}

bool rd_lazy_enter(struct rd_ring *ring)
{
	struct rd_ctx *ctx = &ring->ctx;

	rd_ctx_run_tasks(ctx, RD_LAZY_VISIT);
	rd_ctx_post_deferred(ctx);
	if (!rd_list_empty(&ctx->now))
		return false;
	tell_none(ring);	/* what they have queued is news */
	return true;
}

void rd_lazy_stop(struct rd_ring *ring)
{
	ring->reaping = false;
	rd_ctx_stop_tasks(&ring->ctx);
	if (rd_list_empty(&ring->ctx.tasks))
		tell_none(ring);	/* else the end of the enter tells */
}
