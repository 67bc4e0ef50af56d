/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an SQE copy to a running request: the checks every request must pass, then the op's own prep and first issue.
 * Chains, drain and restrictions belong here: between prep and issue, before anything is charged.
 */
#include "request.h"

#include <sys/epoll.h>

#include "daemon/common/clock.h"
#include "opdef.h"
#include "../exec/reactor.h"
#include "../exec/workers.h"

/* Out of line, as all that a plain inline request does not need: rd_req_submit() would save registers for it. */
/* In the service they are all the tenant, so there is nothing to change into. */
static int check_personality(struct rd_ctx *ctx, uint16_t id)
{
	if (!rd_personality_known(&ctx->personalities, id))
		return -EINVAL;
	return ctx->host->ops->may_be ? ctx->host->ops->may_be(ctx->host, ctx, id) : 0;
}

static __attribute__((__noinline__)) int check_unusual(struct rd_req *req, const struct ringd_sqe *sqe)
{
	const struct rd_op *op = req->op;
	struct rd_order *order = &req->ctx->order;

	if (sqe->flags & ~(uint32_t)RINGD_SQE_FLAGS_ALL)
		return -EINVAL;
	if ((sqe->flags & RINGD_SQE_BUFFER_SELECT) && !op->buffer_select)
		return -EOPNOTSUPP;
	if (sqe->flags & RINGD_SQE_CQE_SKIP_SUCCESS)
		order->skip_used = true;
	if ((sqe->flags & RINGD_SQE_IO_DRAIN) && order->skip_used)
		return -EOPNOTSUPP;
	if (req->ctx->restricted && rd_restrict_sqe(req->ctx, sqe) < 0)
		return -EACCES;
	if (sqe->ioprio && !op->ioprio)
		return -EINVAL;
	if (!op->iopoll && (req->ctx->setup_flags & RINGD_SETUP_IOPOLL))
		return -EINVAL;
	return sqe->personality ? check_personality(req->ctx, sqe->personality) : 0;
}

/* A number of the client's. Where that can be lent for an attempt a file is only made for what goes on after it. */
static int lookup_client_fd(struct rd_req *req, uint32_t kinds)
{
	struct rd_host *host = req->ctx->host;
	struct rd_file *file;
	int r;

	if (host->ops->borrow && req->op->issue && !req->op->keeps_file)
		r = host->ops->borrow(host, req->fd, kinds, &file);
	else
		r = host->ops->file(host, req->fd, &file);
	if (r < 0)
		return r;
	req->file = file;
	req->file_owned = true;
	return 0;
}

/* It is not what it was taken for: nothing was done to it, so look again and begin anew. */
static bool misjudged(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	bool doubtful = req->res == -ESPIPE || req->res == -EBADF || req->res == -ENOTSOCK || req->res == -EINVAL;

	if (!doubtful || !req->file || !(req->file->flags & RD_FILE_BORROWED) || !host->ops->doubt(host, req->file))
		return false;
	rd_file_put(req->file);
	req->file = NULL;
	req->file_owned = false;
	req->outcome = RD_OUT_AUTO;
	return true;
}

static void work_run(struct rd_work *work)
{
	struct rd_req *req = RD_CONTAINER_OF(work, struct rd_req, work);

	req->op->work(req);
}

static void finish_work(struct rd_req *req)
{
	rd_req_go(req, req->op->finish && !req->ctx->dying ? req->op->finish(req) : RD_DONE);
}

static void work_done(struct rd_work *work)
{
	struct rd_req *req = RD_CONTAINER_OF(work, struct rd_req, work);

	req->state = RD_REQ_IDLE;
	req->async = true;
	rd_req_task(req, finish_work);
}

/* May it wait for something else than a disk, or for ever? Then it must not use up the few threads of the bounded class. */
static bool is_unbounded(const struct rd_req *req)
{
	uint32_t flags = req->file ? req->file->flags : 0;

	if ((flags & RD_FILE_SLOW) || req->op->sleeps)
		return true;
	/* there is no kernel ring that has many of them under way */
	if ((flags & RD_FILE_DIRECT) && rd_at_home(req))
		return true;
	return req->op->unbounded && !(flags & (RD_FILE_REG | RD_FILE_DIR));
}

/* Does it end by itself? Then the thread that submits may do it where it can have no other: the kernel would cancel it. */
static bool may_be_done_here(const struct rd_req *req)
{
	uint32_t flags = req->file ? req->file->flags : 0;

	if (!rd_at_home(req) || (flags & RD_FILE_SLOW) || req->op->sleeps)
		return false;
	return req->op->as_caller || !req->work.unbounded || (flags & (RD_FILE_REG | RD_FILE_DIR));
}

static void start_work(struct rd_req *req, bool ordered)
{
	struct rd_engine *engine = req->ctx->engine;

	req->state = RD_REQ_WORK;
	req->work.run = work_run;
	req->work.done = work_done;
	req->work.hash = ordered && req->file ? req->file->hash : 0;
	req->work.unbounded = is_unbounded(req);
	req->work.here = may_be_done_here(req);
	rd_engine_count(engine, RD_WAY_WORKER, req->opcode);
	rd_workers_queue(engine->workers, &req->work);
}

static void issue_ready(struct rd_req *req)
{
	req->state = RD_REQ_IDLE;
	rd_req_go(req, req->op->issue(req, RD_READY));
}

static void poll_ready(struct rd_poll *poll)
{
	struct rd_req *req = RD_CONTAINER_OF(poll, struct rd_req, poll);

	/* until its turn comes it can be stopped as if it still waited */
	rd_req_task(req, issue_ready);
}

/* Whoever waited without a buffer cannot go to a worker without one. */
static __attribute__((__noinline__)) void issue_again(struct rd_req *req)
{
	int verdict = req->op->issue(req, RD_READY);

	if (verdict == RD_DONE)
		rd_req_defer(req);
	else
		rd_req_go(req, verdict);
}

static void start_poll(struct rd_req *req, uint32_t events, bool news)
{
	struct rd_engine *engine = req->ctx->engine;
	int r;

	req->state = RD_REQ_POLL;
	rd_engine_count(engine, RD_WAY_POLL, req->opcode);
	req->poll.exclusive = req->op->exclusive;
	/* an epoll set asks all that is in it, and who serves that may not answer */
	if ((req->file->flags & RD_FILE_ASKS) && !rd_at_home(req))
		r = -EPERM;
	else if (news)
		r = rd_poll_arm_news(&req->poll, engine->reactor, &req->file->watched, req->file->fd, events, poll_ready);
	else
		r = rd_poll_arm(&req->poll, engine->reactor, &req->file->watched, req->file->fd, events, poll_ready);
	if (r == -EPERM) {
		req->file->flags |= RD_FILE_NO_POLL;	/* it cannot be waited for: a worker may sleep on it */
		if (req->flags & RINGD_SQE_BUFFER_SELECT)
			issue_again(req);
		else
			start_work(req, req->op->hashed);
	} else if (r < 0) {
		req->res = r;
		rd_req_defer(req);	/* our caller may be in the middle of a chain */
	}
}

static void finish_io(struct rd_req *req)
{
	rd_req_go(req, req->ctx->dying ? RD_DONE : req->op->io_done(req, req->res));
}

static void io_done(struct rd_uring_io *io, int32_t res)
{
	struct rd_req *req = RD_CONTAINER_OF(io, struct rd_req, io);

	req->state = RD_REQ_IDLE;
	req->res = res;
	rd_req_task(req, finish_io);
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
		start_poll(req, EPOLLIN, false);
		return;
	case RD_POLL_OUT:
		start_poll(req, EPOLLOUT, false);
		return;
	case RD_NEXT_TURN:
		req->state = RD_REQ_POLL;
		req->poll.exclusive = false;
		rd_poll_soon(&req->poll, req->ctx->engine->reactor, &req->file->watched, poll_ready);
		return;
	case RD_POLL_FOR:
	case RD_POLL_NEWS:
		start_poll(req, req->poll.events, verdict == RD_POLL_NEWS);
		return;
	case RD_IO:
		req->state = RD_REQ_URING;
		req->io.done = io_done;
		rd_engine_count(req->ctx->engine, RD_WAY_RING, req->opcode);
		rd_uring_queue(req->ctx->engine->uring, &req->io);
		return;
	case RD_PENDING:
		return;		/* the op has put it where it will be completed from */
	}
}

void rd_req_installed(struct rd_req *req)
{
	rd_req_go(req, req->op->installed && !req->ctx->dying ? req->op->installed(req) : RD_DONE);
}

void rd_req_enlist(struct rd_req *req)
{
	struct rd_ctx *ctx = req->ctx;

	req->counted = true;
	req->since_ms = rd_coarse_ms();
	req->submitter = ctx->task;
	rd_list_append(&ctx->pending, &req->link);
	ctx->inflight++;
	ctx->engine->user.used[RINGD_LIMIT_INFLIGHT]++;	/* room was seen to before the fetch */
}

/* The client's own descriptor is no longer enough. */
static int keep_file(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_file *file = NULL;
	int r = host->ops->file(host, req->fd, &file);

	rd_file_put(req->file);
	req->file = file;
	req->file_owned = file;
	return r;
}

int rd_req_hold(struct rd_req *req)
{
	int r = 0;

	req->holds = true;
	if (req->file && !req->file_owned)
		rd_file_get(req->file);
	else if (req->file && RD_UNLIKELY(req->file->flags & RD_FILE_BORROWED))
		r = keep_file(req);
	if (req->buf)
		rd_buf_get(req->buf);
	rd_mem_get(req->mem);
	return r;
}

static int no_file(struct rd_req *req, int err)
{
	req->res = err;
	req->outcome = RD_OUT_FAILED;	/* also where the op's own errors are soft */
	return RD_DONE;
}

/* What its first attempt tells by itself. A provided buffer may be used up by what fails, and POLL_FIRST makes none. */
static uint32_t trusted_kinds(const struct rd_req *req)
{
	if (req->flags & RINGD_SQE_BUFFER_SELECT)
		return 0;
	/* whether less than all of it is the end depends on what kind of a socket it is */
	if ((req->op->trusts & RD_FILE_SOCK) && (req->net.ioprio || (req->net.msg_flags & MSG_WAITALL)))
		return 0;
	return req->op->trusts;
}

static int try_client_file(struct rd_req *req, uint32_t kinds)
{
	const struct rd_op *op = req->op;
	int r = lookup_client_fd(req, kinds);

	if (r < 0)
		return no_file(req, r);
	return op->issue ? op->issue(req, RD_INLINE) : RD_PUNT;
}

/* Twice at most: the second time it has just been looked at, and of what is like all others of its kind nothing is certain. */
static __attribute__((__noinline__)) int issue_client_file(struct rd_req *req)
{
	int r = try_client_file(req, trusted_kinds(req));

	if (r == RD_DONE && RD_UNLIKELY(req->res < 0) && misjudged(req))
		r = try_client_file(req, 0);
	return r;
}

/* Everything but the file-less inline case, kept out of the way of it. */
static int issue_file(struct rd_req *req)
{
	const struct rd_op *op = req->op;

	if (op->needs_file) {
		if (!(req->flags & RINGD_SQE_FIXED_FILE))
			return issue_client_file(req);
		/* borrowed from the table */
		req->file = rd_filetable_get(&req->ctx->files, (uint32_t)req->fd);
		if (!req->file)
			return no_file(req, -EBADF);
	}
	return op->issue ? op->issue(req, RD_INLINE) : RD_PUNT;
}

static inline void init(struct rd_req *req, uint8_t opcode, uint8_t flags, uint64_t user_data)
{
	req->user_data = user_data;
	req->opcode = opcode;
	req->flags = flags;
	req->cflags = 0;
	req->file = NULL;
	req->buf = NULL;
	req->mem = NULL;
	req->state = RD_REQ_IDLE;
	req->outcome = RD_OUT_AUTO;
	req->counted = false;
	req->holds = false;
	req->file_owned = false;
	req->prepared = false;
	req->tasked = false;
	req->async = false;
	/* masking besides the check: a mispredicted one must not index beyond the table */
	req->op = &rd_ops[opcode & RD_OP_MASK];
}

void rd_req_init(struct rd_req *req, uint8_t opcode, uint64_t user_data)
{
	init(req, opcode, 0, user_data);
	req->t0 = 0;
}

/* Out of line: its timespec on the stack would give every request a stack guard. */
static __attribute__((__noinline__)) uint64_t sample_start(void)
{
	return rd_now_ns();
}

/* Nobody may do it in the place of the thread that submits: it is done by that. */
static int work_here(struct rd_req *req)
{
	req->op->work(req);
	return req->op->finish ? req->op->finish(req) : RD_DONE;
}

static bool needs_caller(const struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;

	return req->op->as_caller && host->ops->alike && !host->ops->alike(host);
}

/* It did not complete inline. */
static __attribute__((__noinline__)) int go_on(struct rd_req *req, int verdict)
{
	int r;

	if (verdict == RD_PUNT && RD_UNLIKELY(needs_caller(req))) {
		verdict = work_here(req);
		if (verdict == RD_DONE)
			return RD_DONE;
	}
	if (!req->counted)
		rd_req_enlist(req);
	r = rd_req_hold(req);
	if (RD_UNLIKELY(r < 0) && verdict != RD_PENDING) {
		(void)no_file(req, r);
		rd_req_defer(req);
	} else {
		rd_req_go(req, verdict);
	}
	return RD_PENDING;
}

static inline int issue(struct rd_req *req)
{
	const struct rd_op *op = req->op;
	int r = op->needs_file || !op->issue ? issue_file(req) : op->issue(req, RD_INLINE);

	return RD_LIKELY(r == RD_DONE) ? RD_DONE : go_on(req, r);
}

int rd_req_issue(struct rd_req *req)
{
	int r = issue(req);

	if (r != RD_DONE || !(req->flags & RINGD_SQE_ASYNC))
		return r;
	/* done at once, but this is not to be seen before the submission has gone on */
	if (!req->counted)
		rd_req_enlist(req);
	(void)rd_req_hold(req);		/* it is done with its file */
	req->async = true;
	rd_req_defer(req);
	return RD_PENDING;
}

/* The long way: something about this SQE or its ring is out of the ordinary. err: what the checks so far said. */
static __attribute__((__noinline__)) int submit_unusual(struct rd_req *req, int err, bool *prep_failed)
{
	if ((req->flags & (RD_SQE_LINKS | RINGD_SQE_IO_DRAIN)) || req->ctx->ordered)
		return rd_link_submit(req, err, prep_failed);
	if (err == 0)
		return rd_req_issue(req);
	req->res = err;
	req->outcome = RD_OUT_FAILED;
	*prep_failed = true;
	return RD_DONE;
}

#define RD_SQE_UNUSUAL	(RD_SQE_LINKS | RINGD_SQE_IO_DRAIN | RINGD_SQE_ASYNC)

int rd_req_submit(struct rd_req *req, const struct ringd_sqe *sqe, bool *prep_failed)
{
	struct rd_ctx *ctx = req->ctx;
	const struct rd_op *op;
	int r = 0;

	init(req, sqe->opcode, sqe->flags & RINGD_SQE_FLAGS_ALL, sqe->user_data);
	req->t0 = (ctx->sample++ & (RD_SAMPLE_EVERY - 1)) ? 0 : sample_start();
	op = req->op;
	if (RD_UNLIKELY(sqe->opcode >= RINGD_OP_LAST || !op->prep))
		return submit_unusual(req, -EINVAL, prep_failed);
	if (RD_UNLIKELY((sqe->flags & ~(uint32_t)RINGD_SQE_FIXED_FILE) | sqe->ioprio | sqe->personality | ctx->restricted)) {
		r = check_unusual(req, sqe);
		if (r < 0)
			return submit_unusual(req, r, prep_failed);
	}
	req->fd = sqe->fd;
	r = op->prep(req, sqe);
	if (RD_UNLIKELY(r < 0))
		return submit_unusual(req, r, prep_failed);
	req->prepared = true;
	if (RD_UNLIKELY((sqe->flags & RD_SQE_UNUSUAL) || ctx->ordered))
		return submit_unusual(req, 0, prep_failed);
	return issue(req);
}
