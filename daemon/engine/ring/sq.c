/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fetching SQEs. The client may change every byte while we read: the tail is loaded once per visit, an SQE is copied word
 * by word once, and only the copy is looked at. Completions are published every few requests, so that the client reaps
 * while we go on; sq_head of an SQPOLL ring likewise, that of a plain ring when the enter is served.
 */
#include "sq.h"

#include "../ops/rw.h"
#include "../request/opdef.h"
#include "cq.h"
#include "event.h"
#include "lazy.h"

#define RD_VISIT	128	/* SQEs per ring and visit: fairness between rings */
#define RD_VISIT_UNIT	(64u << 10)	/* what counts as much as a request */
#define RD_PUBLISH	8	/* completions between publications: two cache lines of CQEs */
#define RD_BUSY_BATCH	8	/* from here on a batch is worth the kernel ring */

struct rd_visit {
	uint32_t left;		/* SQ entries that are there to be taken, now or later */
	uint32_t taken;		/* SQ entries passed, sq_head moves by this */
	uint32_t counted;	/* of them good for the return value */
	bool stop;		/* a bad SQE ends the submission */
	bool starved;		/* no memory or budget for another request */
};

static inline void fetch(struct ringd_sqe *copy, const struct ringd_sqe *shared)
{
	const uint64_t *s = (const uint64_t *)(const void *)shared;
	uint64_t *d = (uint64_t *)(void *)copy;

	/* Relaxed atomic loads: a compiler may neither repeat nor postpone them. Written out, because gcc keeps a loop of
	 * them a loop at -O2: 51 instructions instead of 16, a fifth of what a NOP costs. */
	_Static_assert(sizeof(*copy) == 8 * sizeof(*s), "eight words");
	d[0] = __atomic_load_n(&s[0], __ATOMIC_RELAXED);
	d[1] = __atomic_load_n(&s[1], __ATOMIC_RELAXED);
	d[2] = __atomic_load_n(&s[2], __ATOMIC_RELAXED);
	d[3] = __atomic_load_n(&s[3], __ATOMIC_RELAXED);
	d[4] = __atomic_load_n(&s[4], __ATOMIC_RELAXED);
	d[5] = __atomic_load_n(&s[5], __ATOMIC_RELAXED);
	d[6] = __atomic_load_n(&s[6], __ATOMIC_RELAXED);
	d[7] = __atomic_load_n(&s[7], __ATOMIC_RELAXED);
}

static void release_req(struct rd_held *held)
{
	struct rd_req *req = RD_CONTAINER_OF(held, struct rd_req, held);

	rd_req_free(req->ctx, req);
}

/* The request is finished and cannot be put: false when its memory now belongs to the overflow list. */
static bool hold_req(struct rd_ring *ring, struct rd_req *req)
{
	req->held.user_data = req->user_data;
	req->held.res = req->res;
	req->held.flags = req->cflags & ~(uint32_t)RINGD_CQE_F_32;
	req->held.wide = req->cflags & RINGD_CQE_F_32;
	req->held.release = release_req;
	rd_cq_hold(ring, &req->held);
	return false;
}

static __attribute__((__noinline__)) bool put_odd(struct rd_ring *ring, struct rd_req *req)
{
	uint64_t *big = req->cflags & RINGD_CQE_F_32 ? req->held.big : NULL;

	return rd_cq_put_odd(ring, req->user_data, req->res, req->cflags & ~(uint32_t)RINGD_CQE_F_32, big) ||
	       hold_req(ring, req);
}

/* Post the result, drop what the request held. Returns true when req can be used again. */
static inline __attribute__((__always_inline__)) bool post(struct rd_ring *ring, struct rd_req *req)
{
	bool reusable = true;

	if (RD_UNLIKELY(req->flags & RD_REQ_NOTIFIES) && !rd_notif_result(req))
		return false;
	rd_req_account(req);
	if (RD_UNLIKELY(rd_req_silent(req)))
		;
	else if (RD_UNLIKELY(ring->cq_odd || !rd_cq_room(ring)))
		reusable = put_odd(ring, req);
	else
		rd_cq_store(&ring->cqes[ring->cq_tail++ & (ring->cq_entries - 1)], req->user_data, req->res, req->cflags);
	/* after the CQE: a tag this sets free comes behind it; before the publication: nothing is held that the client
	 * believes gone */
	if (RD_UNLIKELY(req->holds || req->file_owned || (req->prepared && req->op->cleanup)))
		rd_req_cleanup(req);
	return reusable;
}

void rd_sq_complete(struct rd_ring *ring, struct rd_req *req)
{
	ring->worked |= req->async;
	if (post(ring, req))
		rd_req_free(&ring->ctx, req);
	rd_poller_dirty(ring->ctx.engine->reactor, &ring->poller);
	rd_sq_feed_starved(ring->ctx.engine);
}

void rd_sq_feed_starved(struct rd_engine *engine)
{
	while (RD_UNLIKELY(!rd_list_empty(&engine->starved))) {
		struct rd_ring *ring = rd_list_first(&engine->starved, struct rd_ring, starved);

		rd_list_remove(&ring->starved);
		rd_poller_wake(engine->reactor, &ring->poller);
	}
}

/* Slot of an index, or -1 when the index array names none: that entry is dropped. */
static inline int64_t slot_of(struct rd_ring *ring, uint32_t pos)
{
	uint32_t slot = pos & (ring->sq_entries - 1);

	if (!ring->sq_array)
		return slot;
	slot = __atomic_load_n(&ring->sq_array[slot], __ATOMIC_RELAXED);
	if (slot < ring->sq_entries)
		return slot;
	__atomic_store_n(&ring->hot->sq_dropped, ++ring->sq_dropped, __ATOMIC_RELAXED);
	return -1;
}

/*
 * A ring whose SQEs are not simply one behind the other, 64 bytes each: copy the one at pos. How many entries it takes up; 0:
 * there is none. On a mixed ring a large one needs two, both of this submission (left counts them) and side by side; if they
 * are not, ctx->wide tells its prep.
 */
static __attribute__((__noinline__)) uint32_t fetch_odd(struct rd_ring *ring, struct ringd_sqe copy[2], uint32_t pos,
							uint32_t left)
{
	int64_t slot = slot_of(ring, pos);
	const struct ringd_sqe *shared;

	if (slot < 0)
		return 0;
	shared = (const struct ringd_sqe *)(const void *)((const char *)ring->sqes + ((size_t)slot << ring->sqe_shift));
	fetch(&copy[0], shared);
	if ((ring->ctx.setup_flags & RINGD_SETUP_IOPOLL) && rd_ops[copy[0].opcode & RD_OP_MASK].iopoll == RD_IOPOLL_RW)
		copy[0].rw_flags |= RD_RWF_HIPRI;	/* implied here, and so nobody else has to ask for the ring's flags */
	if (ring->ctx.setup_flags & RINGD_SETUP_SQE128)
		fetch(&copy[1], shared + 1);
	if (!(ring->ctx.setup_flags & RINGD_SETUP_SQE_MIXED))
		return 1;
	ring->ctx.wide = (copy[0].opcode == RINGD_OP_NOP128 || copy[0].opcode == RINGD_OP_URING_CMD128) && left >= 2 &&
			 slot != ring->sq_entries - 1;
	if (!ring->ctx.wide)
		return 1;
	fetch(&copy[1], shared + 1);
	return 2;
}

/* How much a visit has done, for the reactor. */
static unsigned int done_by(const struct rd_ring *ring, const struct rd_visit *v)
{
	return v->taken ? v->taken + (unsigned int)(ring->ctx.moved / RD_VISIT_UNIT) : 0;
}

static inline bool submit_all(const struct rd_ring *ring)
{
	return ring->sqpoll || (ring->ctx.setup_flags & RINGD_SETUP_SUBMIT_ALL);
}

/* Copy the SQE at pos. How many entries it takes up; 0: there is none, the entry is passed over. odd is a constant. */
static inline __attribute__((__always_inline__)) uint32_t take(struct rd_ring *ring, struct ringd_sqe copy[2], uint32_t pos,
							      uint32_t left, const bool odd)
{
	if (odd)
		return fetch_odd(ring, copy, pos, left);
	__builtin_prefetch(&ring->sqes[(pos + 2) & (ring->sq_entries - 1)]);
	fetch(copy, &ring->sqes[pos & (ring->sq_entries - 1)]);
	return 1;
}

/* Take up to n SQEs. What changes per request stays in registers. Two copies of this: odd is a constant. */
static inline __attribute__((__always_inline__)) void run_one(struct rd_ring *ring, uint32_t n, struct rd_visit *v, const bool odd)
{
	struct rd_ctx *ctx = &ring->ctx;
	struct rd_user *user = &ctx->engine->user;
	uint64_t room = user->limit[RINGD_LIMIT_INFLIGHT] - RD_MIN(user->used[RINGD_LIMIT_INFLIGHT],
								    user->limit[RINGD_LIMIT_INFLIGHT]);
	struct rd_req *req = rd_req_alloc(ctx);
	struct ringd_sqe sqe[2] __attribute__((__aligned__(64)));
	const uint32_t start = ring->sq_head;
	uint32_t pos = start, end, unpublished = 0, seconds = 0;
	bool prep_failed = false, dropped = false;

	v->starved = n > room || !req;
	n = RD_MIN(n, room);
	end = pos + n;
	/* not for a plain ring: what can complete at once has its CQE when the enter returns */
	ctx->busy = ring->sqpoll && n >= RD_BUSY_BATCH;
	ctx->moved = 0;
	ctx->burst = 0;
	while (req && (odd ? (int32_t)(end - pos) > 0 : pos != end)) {
		uint32_t took = take(ring, sqe, pos, v->left - (pos - start), odd);

		if (odd && !took) {
			pos++;
			dropped = true;
			break;
		}
		pos += took;
		seconds += took - 1;
		if (RD_LIKELY(rd_req_submit(req, sqe, &prep_failed) == RD_DONE && post(ring, req)))
			;
		else if (!(req = rd_req_alloc(ctx)))
			v->starved = true;
		if (++unpublished == RD_PUBLISH) {
			unpublished = 0;
			/* whoever sees a CQE can use its SQE's slot again */
			if (ring->sqpoll)
				__atomic_store_n(&ring->hot->sq_head, pos, __ATOMIC_RELEASE);
			rd_cq_show(ring);
			if (RD_UNLIKELY(ctx->moved >= RD_VISIT_BYTES))
				end = pos;
		}
		if (RD_UNLIKELY(prep_failed)) {
			prep_failed = false;
			if (!submit_all(ring)) {
				v->stop = true;
				break;
			}
		}
	}
	if (req)
		rd_req_free(ctx, req);
	v->taken = pos - start;
	v->counted = v->taken - dropped;
	v->stop |= dropped;
	ring->sq_head = pos;
	ctx->engine->stats.submitted += v->counted - seconds;
}

static __attribute__((__noinline__)) void run_odd(struct rd_ring *ring, uint32_t n, struct rd_visit *v)
{
	run_one(ring, n, v, true);
}

/* v->left is set. */
static void run(struct rd_ring *ring, struct rd_visit *v)
{
	uint32_t n = RD_MIN(v->left, RD_VISIT);

	if (RD_UNLIKELY(ring->sq_odd))
		run_odd(ring, n, v);
	else
		run_one(ring, n, v, false);
}

/* Everything of this visit is done: let the client see it. */
static void commit(struct rd_ring *ring)
{
	rd_ctx_post_deferred(&ring->ctx);
	/* SQPOLL: the SQEs were copied, their slots are free. Release pairs with the client's acquire. */
	__atomic_store_n(&ring->hot->sq_head, ring->sq_head, __ATOMIC_RELEASE);
	rd_cq_publish(ring);
}

static void enter_begin(struct rd_ring *ring, uint32_t seq)
{
	uint32_t want = __atomic_load_n(&ring->hot->enter_to_submit, __ATOMIC_RELAXED);
	uint32_t tail = __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_ACQUIRE);

	ring->enter_seen = seq;
	ring->enter_flags = __atomic_load_n(&ring->hot->enter_flags, __ATOMIC_RELAXED);
	ring->entering = true;
	ring->enter_taken = 0;
	ring->enter_left = 0;
	ring->enter_err = ring->ctx.disabled ? -EBADFD : 0;
	if (RD_UNLIKELY(ring->reaping))
		rd_lazy_stop(ring);
	if (RD_UNLIKELY(ring->ctx.zcrxs))
		rd_zcrxs_look(ring->ctx.zcrxs);
	if (ring->sqpoll || ring->ctx.disabled)
		return;		/* an SQ that is polled: an enter only asks for the flush */
	if (RD_UNLIKELY(ring->rewind)) {
		ring->sq_head = 0;
		ring->enter_left = RD_MIN(want, ring->sq_entries);
	} else if (tail - ring->sq_head > ring->sq_entries && !ring->ctx.engine->cfg.same_process) {
		ring->violation = RINGD_REASON_SQ_TAIL;
	} else {
		ring->enter_left = RD_MIN(RD_MIN(want, tail - ring->sq_head), ring->sq_entries);
	}
}

/* What GETEVENTS asks for besides the submission. False: there is more of it. */
static bool enter_reap(struct rd_ring *ring)
{
	if (!(ring->enter_flags & RINGD_ENTER_GETEVENTS) || ring->ctx.disabled)
		return true;
	if (RD_UNLIKELY(ring->ctx.lazy) && !rd_lazy_enter(ring))
		return false;
	rd_cq_flush_overflow(ring);
	if (RD_UNLIKELY(ring->lost) && !ring->enter_taken && !ring->enter_err) {
		ring->enter_err = -EBADR;
		ring->lost = false;
	}
	return true;
}

static void enter_end(struct rd_ring *ring)
{
	ring->entering = false;
	__atomic_store_n(&ring->hot->enter_res, ring->enter_taken ? (int32_t)ring->enter_taken : ring->enter_err, __ATOMIC_RELAXED);
	if (!ring->rewind)
		__atomic_store_n(&ring->hot->sq_head, ring->sq_head, __ATOMIC_RELAXED);
	__atomic_store_n(&ring->hot->cq_tail, ring->cq_tail, __ATOMIC_RELEASE);
	/* what an enter has done its client finds in the eventfd when it returns */
	if (RD_UNLIKELY(ring->event))
		rd_event_published(ring);
	/* release: pairs with the client's acquire; everything above is there when it sees its number */
	__atomic_store_n(&ring->hot->enter_done, ring->enter_seen, __ATOMIC_RELEASE);
	if (RD_UNLIKELY(ring->ctx.lazy))
		rd_lazy_stir(ring);
	rd_cq_publish(ring);
}

/* An enter is being served: one visit's worth of it. */
static unsigned int enter_step(struct rd_ring *ring)
{
	struct rd_visit v = { .left = ring->enter_left };

	if (ring->enter_left) {
		run(ring, &v);
		ring->enter_taken += v.counted;
		ring->enter_left -= v.taken;
		if (v.stop || v.starved)
			ring->enter_left = 0;
		if (v.starved)
			ring->enter_err = -EAGAIN;
	}
	if (!ring->enter_left)
		rd_link_end(&ring->ctx);
	rd_ctx_post_deferred(&ring->ctx);
	if (!ring->enter_left && enter_reap(ring))
		enter_end(ring);
	return 1 + done_by(ring, &v);
}

static unsigned int look_sqpoll(struct rd_ring *ring)
{
	struct rd_visit v = { 0 };
	/* acquire: pairs with the client's release of sq_tail, the SQEs below it are complete */
	uint32_t n = __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_ACQUIRE) - ring->sq_head;

	if (!n)
		return 0;
	if (RD_UNLIKELY(n > ring->sq_entries)) {
		if (!ring->ctx.engine->cfg.same_process) {
			ring->violation = RINGD_REASON_SQ_TAIL;
			return 1;
		}
		n = ring->sq_entries;
	}
	v.left = n;
	run(ring, &v);
	/* a chain goes on into the next visit as long as there is more of what was published with its beginning */
	if (v.taken == n || v.stop || v.starved)
		rd_link_end(&ring->ctx);
	commit(ring);
	/* it is looked at again when a request of the tenant completes: see rd_sq_feed_starved() */
	if (RD_UNLIKELY(v.starved && !v.taken && rd_list_empty(&ring->starved)))
		rd_list_append(&ring->ctx.engine->starved, &ring->starved);
	return done_by(ring, &v);
}

unsigned int rd_sq_look(struct rd_ring *ring)
{
	/* acquire: the words around it belong to this enter */
	uint32_t seq = __atomic_load_n(&ring->hot->enter_seq, __ATOMIC_ACQUIRE);
	unsigned int n = 0;

	if (!ring->entering && seq != ring->enter_seen)
		enter_begin(ring, seq);
	if (ring->entering && !ring->violation)
		n += enter_step(ring);
	if (ring->sqpoll && !ring->ctx.disabled && !ring->violation)
		n += look_sqpoll(ring);
	if (RD_UNLIKELY(ring->reaping) && !ring->violation)
		n += rd_lazy_look(ring);
	if (RD_UNLIKELY(ring->violation)) {
		rd_ring_kill(ring, ring->violation);
		return 1;
	}
	return n;
}

bool rd_sq_pending(const struct rd_ring *ring)
{
	if (ring->entering || ring->reaping || __atomic_load_n(&ring->hot->enter_seq, __ATOMIC_ACQUIRE) != ring->enter_seen)
		return true;
	return ring->sqpoll && !ring->ctx.disabled && rd_list_empty(&ring->starved) &&
	       __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_ACQUIRE) != ring->sq_head;
}
