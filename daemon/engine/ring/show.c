/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel shows in /proc/PID/fdinfo, in its order and with its keys, and the requests in flight with their ages.
 * Shared memory may say anything at any time: every word of it is loaded once, indices only within the ring's own sizes.
 */
#include "show.h"

#include <stdio.h>
#include <sched.h>
#include <unistd.h>

#include "../request/opdef.h"
#include "daemon/common/clock.h"

static const char *op_name(uint8_t opcode)
{
	const char *name = rd_ops[opcode & RD_OP_MASK].name;

	return opcode < RINGD_OP_LAST && name ? name : "invalid";
}

static void more(struct rd_text *t, uint64_t shown, uint64_t all)
{
	if (all > shown)
		rd_text_add(t, "  ... %llu more\n", (unsigned long long)(all - shown));
}

/* --- queues --- */

static uint64_t word(const void *base, size_t i)
{
	return __atomic_load_n((const uint64_t *)base + i, __ATOMIC_RELAXED);
}

static void show_sqe(const struct rd_ring *ring, struct rd_text *t, uint32_t slot)
{
	const void *shared = (const char *)ring->sqes + ((size_t)slot << ring->sqe_shift);
	union {
		uint64_t words[8];
		struct ringd_sqe sqe;
	} u;
	const struct ringd_sqe *sqe = &u.sqe;

	for (size_t i = 0; i < RD_ARRAY_SIZE(u.words); i++)
		u.words[i] = word(shared, i);
	rd_text_add(t, "%5u: opcode:%s, fd:%d, flags:%x, off:%llu, addr:0x%llx, rw_flags:0x%x, buf_index:%d user_data:%llu", slot,
		    op_name(sqe->opcode), sqe->fd, sqe->flags, (unsigned long long)sqe->off, (unsigned long long)sqe->addr,
		    sqe->rw_flags, sqe->buf_index, (unsigned long long)sqe->user_data);
	for (size_t i = 8; i < (8u << (ring->sqe_shift - 6)); i++)
		rd_text_add(t, ", e%zu:0x%llx", i - 8, (unsigned long long)word(shared, i));
	rd_text_add(t, "\n");
}

static void show_sqes(const struct rd_ring *ring, struct rd_text *t, uint32_t tail)
{
	uint32_t n = tail - ring->sq_head, mask = ring->sq_entries - 1;

	if (ring->rewind || n > ring->sq_entries)
		n = 0;		/* its tail means nothing, or is a lie that the next visit will find */
	rd_text_add(t, "SQEs:\t%u\n", n);
	for (uint32_t i = 0; i < RD_MIN(n, (uint32_t)RD_SHOW_MAX); i++) {
		uint32_t slot = (ring->sq_head + i) & mask;

		if (ring->sq_array)
			slot = __atomic_load_n(&ring->sq_array[slot], __ATOMIC_RELAXED);
		if (slot <= mask)
			show_sqe(ring, t, slot);
	}
	more(t, RD_SHOW_MAX, n);
}

static void show_cqes(const struct rd_ring *ring, struct rd_text *t, uint32_t head)
{
	uint32_t n = ring->cq_tail - head, mask = ring->cq_entries - 1;

	if (n > ring->cq_entries)
		n = 0;
	rd_text_add(t, "CQEs:\t%u\n", n);
	for (uint32_t i = 0; i < RD_MIN(n, (uint32_t)RD_SHOW_MAX); i++) {
		uint32_t slot = (head + i) & mask;
		const void *shared = (const char *)ring->cqes + ((size_t)slot << ring->cqe_shift);
		union {
			uint64_t words[2];
			struct ringd_cqe cqe;
		} u = { .words = { word(shared, 0), word(shared, 1) } };

		rd_text_add(t, "%5u: user_data:%llu, res:%d, flag:%x", slot, (unsigned long long)u.cqe.user_data, u.cqe.res,
			    u.cqe.flags);
		if (ring->cqe_shift == 5)
			rd_text_add(t, ", extra1:%llu, extra2:%llu", (unsigned long long)word(shared, 2),
				    (unsigned long long)word(shared, 3));
		rd_text_add(t, "\n");
	}
	more(t, RD_SHOW_MAX, n);
}

static void show_queues(const struct rd_ring *ring, struct rd_text *t)
{
	uint32_t sq_tail = __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_ACQUIRE);
	uint32_t cq_head = __atomic_load_n(&ring->hot->cq_head, __ATOMIC_RELAXED);

	rd_text_add(t, "SqMask:\t0x%x\nSqHead:\t%u\nSqTail:\t%u\nCachedSqHead:\t%u\n", ring->sq_entries - 1, ring->sq_head, sq_tail,
		    ring->sq_head);
	rd_text_add(t, "CqMask:\t0x%x\nCqHead:\t%u\nCqTail:\t%u\nCachedCqTail:\t%u\n", ring->cq_entries - 1, cq_head, ring->cq_tail,
		    ring->cq_tail);
	show_sqes(ring, t, sq_tail);
	show_cqes(ring, t, cq_head);
	rd_text_add(t, "SqThread:\t%d\nSqThreadCpu:\t%d\n", ring->sqpoll ? getpid() : -1, ring->sqpoll ? sched_getcpu() : -1);
}

/* --- what is registered --- */

/* The kernel's own word for it: no file system is asked. */
static void show_file(struct rd_text *t, uint32_t slot, const struct rd_file *file)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)], name[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	n = readlink(path, name, sizeof(name));
	rd_text_add(t, "%5u: ", slot);
	rd_text_add_name(t, name, n > 0 ? (size_t)n : 0);
	rd_text_add(t, "\n");
}

static void show_tables(const struct rd_ctx *ctx, struct rd_text *t)
{
	uint32_t i, n;

	rd_text_add(t, "UserFiles:\t%u\n", ctx->files.nr);
	for (i = 0, n = 0; i < ctx->files.nr && n < RD_SHOW_MAX; i++) {
		if (!(i & 63) && !ctx->files.bitmap[i / 64])
			i += 63;
		else if (ctx->files.slots[i])
			show_file(t, i, ctx->files.slots[i]), n++;
	}
	if (i < ctx->files.nr)
		rd_text_add(t, "  ... slots from %u on\n", i);
	rd_text_add(t, "UserBufs:\t%u\n", ctx->bufs.nr);
	for (i = 0, n = 0; i < ctx->bufs.nr && n < RD_SHOW_MAX; i++) {
		const struct rd_buf *buf = ctx->bufs.slots[i];

		if (!buf)
			continue;
		rd_text_add(t, "%5u: 0x%llx/%llu\n", i, (unsigned long long)buf->addr, (unsigned long long)buf->len);
		n++;
	}
	if (i < ctx->bufs.nr)
		rd_text_add(t, "  ... slots from %u on\n", i);
}

static void show_personalities(const struct rd_ctx *ctx, struct rd_text *t)
{
	uint32_t id = rd_personality_next(&ctx->personalities, 0);

	if (!id)
		return;
	rd_text_add(t, "Personalities:\n");
	for (uint32_t n = 0; id && n < RD_SHOW_MAX; n++, id = rd_personality_next(&ctx->personalities, id + 1))
		rd_text_add(t, "%5u\n", id);
}

/* --- requests --- */

static const char *state_name(const struct rd_req *req)
{
	static const char *const names[] = {
		[RD_REQ_IDLE] = "returning", [RD_REQ_POLL] = "readiness", [RD_REQ_WORK] = "worker", [RD_REQ_URING] = "kernel ring",
		[RD_REQ_DONE] = "done", [RD_REQ_WAIT] = "waiting", [RD_REQ_CHAIN] = "chain", [RD_REQ_DRAIN] = "drain",
		[RD_REQ_LATER] = "later", [RD_REQ_NOTIF] = "notification",
	};

	return req->state < RD_ARRAY_SIZE(names) ? names[req->state] : "?";
}

static void show_requests(const struct rd_ctx *ctx, struct rd_text *t)
{
	uint32_t now = rd_coarse_ms(), n = 0;

	rd_text_add(t, "InFlight:\t%u\n", ctx->inflight);
	for (const struct rd_link *l = ctx->pending.next; l != &ctx->pending && n < RD_SHOW_MAX; l = l->next, n++) {
		const struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		rd_text_add(t, "  op=%s, user_data=%llu, flags=%x, state=%s, age=%u ms\n", op_name(req->opcode),
			    (unsigned long long)req->user_data, req->flags & RINGD_SQE_FLAGS_ALL, state_name(req), now - req->since_ms);
	}
	more(t, n, ctx->inflight);
}

static void show_overflow(const struct rd_ring *ring, struct rd_text *t)
{
	uint32_t n = 0;

	rd_text_add(t, "CqOverflowList:\n");
	for (const struct rd_link *l = ring->overflow.next; l != &ring->overflow && n < RD_SHOW_MAX; l = l->next, n++) {
		const struct rd_held *held = rd_list_entry(l, struct rd_held, link);

		rd_text_add(t, "  user_data=%llu, res=%d, flags=%x\n", (unsigned long long)held->user_data, held->res, held->flags);
	}
	more(t, n, ring->held);
}

void rd_ring_show(const struct rd_ring *ring, struct rd_text *t)
{
	show_queues(ring, t);
	show_tables(&ring->ctx, t);
	show_personalities(&ring->ctx, t);
	show_requests(&ring->ctx, t);
	show_overflow(ring, t);
	rd_napi_show(&ring->napi, t);
}
