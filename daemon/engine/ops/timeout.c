/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TIMEOUT and LINK_TIMEOUT. A timeout waits for a time, and for a number of CQEs if it has a count: those that others have
 * posted since it was issued. They are not counted one by one: what the ring has posted in all (the overflow
 * list included, skipped successes not) less the CQEs of timeouts is the time of another clock, which is looked at when
 * CQEs are about to be published.
 */
#include "timeout.h"

#include "../exec/reactor.h"

#define RD_TIMEOUT_FLAGS	(RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_CLOCK_MASK | RINGD_TIMEOUT_ETIME_SUCCESS | \
				 RINGD_TIMEOUT_MULTISHOT | RINGD_TIMEOUT_IMMEDIATE_ARG)
#define RD_NS			1000000000u

static struct rd_timers *timers_of(const struct rd_req *req)
{
	return &req->ctx->engine->reactor->timers;
}

static struct rd_req *from_timer(struct rd_timer *timer)
{
	return RD_CONTAINER_OF(timer, struct rd_req, timeout.timer);
}

/* --- prep --- */

int rd_timeout_read(struct rd_req *req, uint64_t addr, uint32_t flags, uint64_t *ns)
{
	struct rd_host *host = req->ctx->host;
	int64_t ts[2];
	uint64_t sec;
	int r;

	if (flags & RINGD_TIMEOUT_IMMEDIATE_ARG) {
		if ((int64_t)addr < 0)
			return -EINVAL;
		*ns = addr;
		return 0;
	}
	r = host->ops->copy_in(host, ts, addr, sizeof(ts));
	if (r < 0)
		return r;
	if (ts[0] < 0 || ts[1] < 0)
		return -EINVAL;
	sec = (uint64_t)ts[0];
	*ns = sec > RD_TIMER_NEVER / RD_NS ? RD_TIMER_NEVER : rd_timer_add(sec * RD_NS, (uint64_t)ts[1]);
	return 0;
}

static int prep_common(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_timeout *t = &req->timeout;
	uint32_t flags = sqe->timeout_flags;

	if (sqe->len != 1 || sqe->buf_index || sqe->splice_fd_in || sqe->addr3 || sqe->__pad2[0])
		return -EINVAL;
	if (flags & ~(uint32_t)RD_TIMEOUT_FLAGS)
		return -EINVAL;
	if ((flags & RINGD_TIMEOUT_CLOCK_MASK) == RINGD_TIMEOUT_CLOCK_MASK)
		return -EINVAL;
	if ((flags & RINGD_TIMEOUT_MULTISHOT) && (flags & RINGD_TIMEOUT_ABS))
		return -EINVAL;
	t->flags = flags;
	t->off = (uint32_t)sqe->off;	/* as io_uring takes it */
	t->timer.armed = false;
	t->count.armed = false;
	return rd_timeout_read(req, sqe->addr, flags, &t->ns);
}

int rd_timeout_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return prep_common(req, sqe);
}

int rd_link_timeout_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	const struct rd_order *order = &req->ctx->order;
	int r;

	if (sqe->off)
		return -EINVAL;
	r = prep_common(req, sqe);
	if (r < 0)
		return r;
	/* behind the member that it guards, of the chain that is being collected */
	return order->head && order->last->opcode != RINGD_OP_LINK_TIMEOUT ? 0 : -EINVAL;
}

/* --- the clock that counts CQEs --- */

static uint32_t posted(const struct rd_ctx *ctx)
{
	return ctx->posted(ctx) - ctx->timeout_cqes;
}

static void count_start(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;
	struct rd_timer *count = &req->timeout.count;
	uint32_t now = posted(ctx);

	/* nobody has looked at it while nobody was waiting; else 32 bits are enough between two looks */
	ctx->count += ctx->counting ? now - ctx->count_seen : 0;
	ctx->count_seen = now;
	count->when = ctx->count + req->timeout.off;
	count->seq = ctx->count_seq++;
	count->armed = true;
	rd_timer_heap_add(&ctx->counting, count);
}

bool rd_timeout_count(struct rd_ctx *ctx)
{
	struct rd_timer *first;
	uint32_t now = posted(ctx);
	bool any = false;

	ctx->count += now - ctx->count_seen;
	ctx->count_seen = now;
	while ((first = ctx->counting) && first->when <= ctx->count) {
		struct rd_req *req = RD_CONTAINER_OF(first, struct rd_req, timeout.count);

		rd_timeout_stop(req);
		req->state = RD_REQ_IDLE;
		req->res = 0;
		rd_req_task(req, rd_req_done);
		any = true;
	}
	return any;
}

/* --- running --- */

static unsigned int clock_of(uint32_t flags, bool absolute)
{
	if (flags & RINGD_TIMEOUT_BOOTTIME)
		return RD_TIMER_BOOTTIME;
	/* only the absolute time follows a clock that is set: an hour is an hour */
	return (flags & RINGD_TIMEOUT_REALTIME) && absolute ? RD_TIMER_REALTIME : RD_TIMER_MONOTONIC;
}

void rd_timeout_start(struct rd_req *req, bool absolute)
{
	struct rd_timeout *t = &req->timeout;
	unsigned int clock = clock_of(t->flags, absolute);

	rd_timer_arm(timers_of(req), &t->timer, clock, absolute ? t->ns : rd_timer_add(rd_timer_now(clock), t->ns));
}

void rd_timeout_stop(struct rd_req *req)
{
	rd_timer_disarm(timers_of(req), &req->timeout.timer);
	if (!req->timeout.count.armed)
		return;
	req->timeout.count.armed = false;
	rd_timer_heap_remove(&req->ctx->counting, &req->timeout.count);
}

int rd_timeout_cancel(struct rd_req *req)
{
	rd_timeout_stop(req);
	return 0;
}

/* Is another CQE to come after this expiry? */
static bool repeats(struct rd_timeout *t)
{
	if (!(t->flags & RINGD_TIMEOUT_MULTISHOT))
		return false;
	return !t->off || --t->off;
}

static void expired(struct rd_req *req)
{
	struct rd_timeout *t = &req->timeout;

	if (repeats(t) && rd_req_more(req, -ETIME, 0)) {
		req->ctx->timeout_cqes++;
		rd_timeout_start(req, false);
		(void)rd_req_wait(req);
		return;
	}
	req->res = -ETIME;
	req->outcome = t->flags & RINGD_TIMEOUT_ETIME_SUCCESS ? RD_OUT_GOOD : RD_OUT_FAILED;
	rd_req_done(req);
}

static void timeout_fire(struct rd_timer *timer)
{
	struct rd_req *req = from_timer(timer);

	rd_timeout_stop(req);
	req->state = RD_REQ_IDLE;
	rd_req_task(req, expired);
}

int rd_timeout_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_timeout *t = &req->timeout;

	(void)issue_flags;
	t->timer.fire = timeout_fire;
	rd_timeout_start(req, t->flags & RINGD_TIMEOUT_ABS);
	if (t->off && !(t->flags & RINGD_TIMEOUT_MULTISHOT))
		count_start(req);
	rd_waits_add(req);
	return rd_req_wait(req);
}

/* Its CQE was posted, or skipped. */
void rd_timeout_cleanup(struct rd_req *req)
{
	rd_waits_remove(req);
	if (!rd_req_silent(req))
		req->ctx->timeout_cqes++;
}

static void link_timeout_fire(struct rd_timer *timer)
{
	struct rd_req *req = from_timer(timer);

	req->state = RD_REQ_IDLE;
	rd_req_task(req, rd_link_timeout_fired);
}

int rd_link_timeout_issue(struct rd_req *req, unsigned int issue_flags)
{
	(void)issue_flags;
	req->timeout.timer.fire = link_timeout_fire;
	rd_timeout_start(req, req->timeout.flags & RINGD_TIMEOUT_ABS);
	rd_waits_add(req);
	return rd_req_wait(req);
}

void rd_link_timeout_cleanup(struct rd_req *req)
{
	rd_waits_remove(req);
}
