/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an SQE copy to a running request: the checks every request must pass, then the op's own prep and first issue.
 * Chains, drain and restrictions belong here: between prep and issue, before anything is charged.
 */
#include "request.h"

#include "daemon/common/clock.h"
#include "opdef.h"
#include "../exec/reactor.h"
#include "../exec/workers.h"

/* SQE flags that mean something on this engine; links and drain are not among them yet */
#define RD_SQE_FLAGS_SERVED (RINGD_SQE_FIXED_FILE | RINGD_SQE_ASYNC | RINGD_SQE_BUFFER_SELECT | RINGD_SQE_CQE_SKIP_SUCCESS)

/* Out of line, as all that a plain inline request does not need: rd_req_submit() would save registers for it. */
static __attribute__((__noinline__)) int check_unusual(const struct rd_op *op, const struct ringd_sqe *sqe)
{
	if (sqe->flags & ~(uint32_t)RD_SQE_FLAGS_SERVED)
		return -EINVAL;
	if ((sqe->flags & RINGD_SQE_BUFFER_SELECT) && !op->buffer_select)
		return -EOPNOTSUPP;
	if (sqe->ioprio && !op->ioprio)
		return -EINVAL;
	if (sqe->personality)
		return -EINVAL;		/* none can be registered */
	return 0;
}

static __attribute__((__noinline__)) int lookup_client_fd(struct rd_req *req)
{
	struct rd_file *file;
	int r = req->ctx->host->ops->file(req->ctx->host, req->fd, &file);

	if (r < 0)
		return r;
	req->file = file;
	req->file_owned = true;
	return 0;
}

/* req->file becomes the file the request is for, borrowed from its table. */
static inline int lookup_file(struct rd_req *req)
{
	if (!(req->flags & RINGD_SQE_FIXED_FILE))
		return lookup_client_fd(req);
	req->file = rd_filetable_get(&req->ctx->files, (uint32_t)req->fd);
	return req->file ? 0 : -EBADF;
}

static void work_run(struct rd_work *work)
{
	struct rd_req *req = RD_CONTAINER_OF(work, struct rd_req, work);

	req->op->work(req);
}

static void work_done(struct rd_work *work)
{
	struct rd_req *req = RD_CONTAINER_OF(work, struct rd_req, work);

	if (req->op->finish && !req->ctx->dying)
		req->op->finish(req);
	rd_req_done(req);
}

/* May it wait for something else than a disk, or for ever? Then it must not use up the few threads of the bounded class. */
static bool is_unbounded(const struct rd_req *req)
{
	uint32_t flags = req->file ? req->file->flags : 0;

	if (flags & RD_FILE_SLOW)
		return true;
	return req->op->unbounded && !(flags & (RD_FILE_REG | RD_FILE_DIR));
}

static void start_work(struct rd_req *req, bool ordered)
{
	struct rd_engine *engine = req->ctx->engine;

	req->state = RD_REQ_WORK;
	req->work.run = work_run;
	req->work.done = work_done;
	req->work.hash = ordered && req->file ? req->file->hash : 0;
	req->work.unbounded = is_unbounded(req);
	engine->stats.punted++;
	rd_workers_queue(engine->workers, &req->work);
}

static void poll_ready(struct rd_poll *poll)
{
	struct rd_req *req = RD_CONTAINER_OF(poll, struct rd_req, poll);

	rd_req_go(req, req->op->issue(req, RD_READY));
}

static void start_poll(struct rd_req *req, short events)
{
	struct rd_engine *engine = req->ctx->engine;
	int r;

	req->state = RD_REQ_POLL;
	engine->stats.polled++;
	r = rd_poll_arm(&req->poll, engine->reactor, req->file->fd, events, poll_ready);
	if (r == -EPERM) {
		req->file->flags |= RD_FILE_NO_POLL;	/* it cannot be waited for: a worker may sleep on it */
		start_work(req, req->op->hashed);
	} else if (r < 0) {
		req->res = r;
		rd_req_done(req);
	}
}

static void io_done(struct rd_uring_io *io, int32_t res)
{
	struct rd_req *req = RD_CONTAINER_OF(io, struct rd_req, io);

	rd_req_go(req, req->ctx->dying ? RD_DONE : req->op->io_done(req, res));
}

void rd_req_go(struct rd_req *req, int verdict)
{
	switch (verdict) {
	case RD_DONE:
		rd_req_done(req);
		return;
	case RD_PUNT:
		start_work(req, req->op->hashed);
		return;
	case RD_PUNT_ORDERED:
		start_work(req, true);
		return;
	case RD_POLL_IN:
		start_poll(req, EV_READ);
		return;
	case RD_POLL_OUT:
		start_poll(req, EV_WRITE);
		return;
	case RD_IO:
		req->state = RD_REQ_URING;
		req->io.done = io_done;
		req->ctx->engine->stats.uring++;
		rd_uring_queue(req->ctx->engine->uring, &req->io);
		return;
	case RD_PENDING:
		return;		/* the op has put it where it will be completed from */
	}
}

/* The request outlives this visit: what it borrowed it now holds. */
static void pend(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	req->counted = true;
	if (req->file && !req->file_owned)
		rd_file_get(req->file);
	if (req->buf)
		rd_buf_get(req->buf);
	rd_mem_get(req->mem);
	rd_list_append(&ctx->pending, &req->link);
	ctx->inflight++;
	ctx->engine->user.used[RINGD_LIMIT_INFLIGHT]++;	/* room was seen to before the fetch */
}

static int fail(struct rd_req *req, int err, bool *prep_failed)
{
	req->res = err;
	*prep_failed = true;
	return RD_DONE;
}

/* Everything but the file-less inline case, kept out of the way of it. */
static int issue_file(struct rd_req *req)
{
	const struct rd_op *op = req->op;
	int r;

	if (op->needs_file) {
		r = lookup_file(req);
		if (r < 0) {
			req->res = r;
			return RD_DONE;
		}
	}
	return op->issue ? op->issue(req, RD_INLINE) : RD_PUNT;
}

/* Out of line: its timespec on the stack would give every request a stack guard. */
static __attribute__((__noinline__)) uint64_t sample_start(void)
{
	return rd_now_ns();
}

/* It did not complete inline. */
static __attribute__((__noinline__)) int go_on(struct rd_req *req, int verdict)
{
	if (verdict == RD_PENDING && req->state == RD_REQ_DONE)	/* NOP_TW: complete, posted later */
		return RD_PENDING;
	pend(req);
	rd_req_go(req, verdict);
	return RD_PENDING;
}

int rd_req_submit(struct rd_req *req, const struct ringd_sqe *sqe, bool *prep_failed)
{
	struct rd_ctx *ctx = req->ctx;
	const struct rd_op *op;
	int r;

	req->user_data = sqe->user_data;
	req->opcode = sqe->opcode;
	req->flags = sqe->flags;
	req->cflags = 0;
	req->file = NULL;
	req->buf = NULL;
	req->mem = NULL;
	req->counted = false;
	req->file_owned = false;
	req->prepared = false;
	req->t0 = (ctx->sample++ & (RD_SAMPLE_EVERY - 1)) ? 0 : sample_start();
	if (RD_UNLIKELY(sqe->opcode >= RINGD_OP_LAST))
		return fail(req, -EINVAL, prep_failed);
	/* masking instead of a branch: a mispredicted check above must not index beyond the table */
	op = req->op = &rd_ops[sqe->opcode & RD_OP_MASK];
	if (RD_UNLIKELY(!op->prep))
		return fail(req, -EINVAL, prep_failed);
	if (RD_UNLIKELY((sqe->flags & ~(uint32_t)RINGD_SQE_FIXED_FILE) | sqe->ioprio | sqe->personality)) {
		r = check_unusual(op, sqe);
		if (r < 0)
			return fail(req, r, prep_failed);
	}
	req->fd = sqe->fd;
	r = op->prep(req, sqe);
	if (RD_UNLIKELY(r < 0))
		return fail(req, r, prep_failed);
	req->prepared = true;
	r = op->needs_file || !op->issue ? issue_file(req) : op->issue(req, RD_INLINE);
	return RD_LIKELY(r == RD_DONE) ? RD_DONE : go_on(req, r);
}
