/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WAITID. Whose children? The client's, so only a host that lives in its process can tell: host->waitid(). The service has no
 * children of its clients, nor any at all. No thread waits: the host is asked again and again, less and less often. So a
 * child is reaped in the moment its CQE is made, and never by a request that was cancelled.
 */
#include <sys/wait.h>

#include "ops.h"
#include "../exec/reactor.h"

#define RD_WAITID_OPTIONS	(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE)
#define RD_WAITID_FIRST_NS	500000u		/* from the first look to the second */
#define RD_WAITID_MAX_NS	20000000u

int rd_waitid_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->addr || sqe->buf_index || sqe->addr3 || sqe->waitid_flags)
		return -EINVAL;
	req->waitid = (struct rd_waitidop){
		.type = sqe->len, .id = sqe->fd, .options = (int32_t)sqe->file_index, .addr = sqe->addr2,
		.pause = RD_WAITID_FIRST_NS,
	};
	return 0;
}

static int check(const struct rd_waitidop *op)
{
	if ((op->options & ~RD_WAITID_OPTIONS) || !(op->options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch (op->type) {
	case P_ALL:
		return 0;
	case P_PID:
		return op->id <= 0 ? -EINVAL : 0;
	case P_PGID:
	case P_PIDFD:
		return op->id < 0 ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* Ask once. RD_DONE: req->res is the result. */
static int look(struct rd_req *req)
{
	const struct rd_waitidop *op = &req->waitid;
	struct rd_host *host = req->ctx->host;
	siginfo_t info = { 0 };
	/* up to and with si_status: what the kernel writes, too */
	const size_t size = offsetof(siginfo_t, si_status) + sizeof(info.si_status);

	req->res = host->ops->waitid ? host->ops->waitid(host, (int)op->type, op->id, &info, op->options | WNOHANG) : -ECHILD;
	if (req->res == 0 && !info.si_pid && !(op->options & WNOHANG))
		return RD_PENDING;
	if (req->res == 0 && op->addr)
		req->res = host->ops->copy_out(host, op->addr, &info, size);
	return RD_DONE;
}

static void look_again(struct rd_req *req)
{
	struct rd_waitidop *op = &req->waitid;

	if (look(req) == RD_DONE) {
		rd_req_done(req);
		return;
	}
	op->pause = RD_MIN(2 * op->pause, RD_WAITID_MAX_NS);
	req->state = RD_REQ_WAIT;
	rd_timer_arm(&req->ctx->engine->reactor->timers, &op->timer, RD_TIMER_MONOTONIC,
		     rd_timer_now(RD_TIMER_MONOTONIC) + op->pause);
}

static void fired(struct rd_timer *timer)
{
	struct rd_waitidop *op = RD_CONTAINER_OF(timer, struct rd_waitidop, timer);
	struct rd_req *req = RD_CONTAINER_OF(op, struct rd_req, waitid);

	req->state = RD_REQ_IDLE;
	req->async = true;
	rd_req_task(req, look_again);
}

int rd_waitid_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_waitidop *op = &req->waitid;
	int r = check(op);

	(void)issue_flags;
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	if (look(req) == RD_DONE)
		return RD_DONE;
	op->timer.fire = fired;
	rd_timer_arm(&req->ctx->engine->reactor->timers, &op->timer, RD_TIMER_MONOTONIC,
		     rd_timer_now(RD_TIMER_MONOTONIC) + op->pause);
	return rd_req_wait(req);
}

int rd_waitid_cancel(struct rd_req *req)
{
	rd_timer_disarm(&req->ctx->engine->reactor->timers, &req->waitid.timer);
	return 0;
}
