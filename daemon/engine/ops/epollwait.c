/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EPOLL_WAIT, on a worker: an epoll set asks every file in it whether it is ready, and its lock may be held for as long as
 * somebody else's buffer takes to be there. The worker has a buffer of its own and nothing else of the request, so a
 * request can be cancelled at any time; what such a worker still finds is dropped, as it is when a thread is killed in
 * epoll_wait().
 */
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "ops.h"
#include "../exec/workers.h"

#define RD_EPOLL_BATCH	1024	/* events in one result at most */

struct rd_epoll_node {
	struct rd_work work;
	struct rd_req *req;		/* NULL: cancelled */
	struct rd_engine *engine;
	struct rd_file *file;		/* held */
	struct rd_charge charge;
	int max, res;
	struct epoll_event events[];
};

static void node_free(struct rd_epoll_node *node)
{
	node->engine->epoll_waits--;
	rd_file_put(node->file);
	rd_charge_give(&node->charge);
	free(node);
}

/* Worker thread. */
static void node_run(struct rd_work *work)
{
	struct rd_epoll_node *node = RD_CONTAINER_OF(work, struct rd_epoll_node, work);

	node->res = epoll_wait(node->file->fd, node->events, node->max, -1);
	if (node->res < 0)
		node->res = -errno;
}

static void epoll_finish(struct rd_req *req)
{
	struct rd_epoll_node *node = req->epoll_wait.node;
	struct rd_host *host = req->ctx->host;

	req->res = node->res;
	if (node->res > 0 &&
	    host->ops->copy_out(host, req->epoll_wait.addr, node->events, (size_t)node->res * sizeof(node->events[0])) < 0)
		req->res = -EFAULT;
	req->epoll_wait.node = NULL;
	node_free(node);
	rd_req_done(req);
}

static void node_done(struct rd_work *work)
{
	struct rd_epoll_node *node = RD_CONTAINER_OF(work, struct rd_epoll_node, work);
	struct rd_req *req = node->req;

	if (!req) {
		node_free(node);
		return;
	}
	req->state = RD_REQ_IDLE;
	req->async = true;
	rd_req_task(req, epoll_finish);
}

static int node_new(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;
	int max = RD_MIN(req->epoll_wait.max, RD_EPOLL_BATCH);
	struct rd_epoll_node *node;
	struct rd_charge charge;
	int r;

	if (engine->epoll_waits >= RD_EPOLL_WAITS)
		return -EDQUOT;
	r = rd_charge_take(&charge, &engine->user, RINGD_LIMIT_OBJECTS, 4 + (uint64_t)max / 4);
	if (r < 0)
		return r;
	node = calloc(1, sizeof(*node) + (size_t)max * sizeof(node->events[0]));
	if (!node) {
		rd_charge_give(&charge);
		return -ENOMEM;
	}
	engine->epoll_waits++;
	node->req = req;
	node->engine = engine;
	node->file = rd_file_get(req->file);
	node->charge = charge;
	node->max = max;
	node->work = (struct rd_work){ .run = node_run, .done = node_done, .unbounded = true };
	rd_list_init(&node->work.link);
	req->epoll_wait.node = node;
	return 0;
}

int rd_epoll_wait_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->off || sqe->rw_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->epoll_wait = (struct rd_epoll_waitop){ .addr = sqe->addr, .max = (int32_t)sqe->len };
	return 0;
}

/* The client's own process: it asks what it would be asked for anyway, and the kernel knows where the buffer is. */
static int wait_home(struct rd_req *req)
{
	const struct rd_epoll_waitop *op = &req->epoll_wait;
	int n = (int)syscall(SYS_epoll_pwait, req->file->fd, (void *)(uintptr_t)op->addr, op->max, 0, NULL, 0);

	if (n == 0)
		return RD_POLL_IN;
	req->res = n < 0 ? -errno : n;
	return RD_DONE;
}

int rd_epoll_wait_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_epoll_waitop *op = &req->epoll_wait;
	struct rd_host *host = req->ctx->host;
	struct rd_mem *owner;
	int r;

	(void)issue_flags;
	if (rd_at_home(req))
		return wait_home(req);
	req->res = -EINVAL;
	if (op->max <= 0 || op->max > (int)(INT_MAX / sizeof(struct epoll_event)))
		return RD_DONE;
	req->res = -EFAULT;
	if (!host->ops->map(host, op->addr, (uint64_t)op->max * sizeof(struct epoll_event), &owner))
		return RD_DONE;
	req->res = -EINVAL;
	if (!(req->file->flags & RD_FILE_ASKS))
		return RD_DONE;
	r = node_new(req);
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	rd_engine_count(req->ctx->engine, RD_WAY_WORKER, req->opcode);
	rd_workers_queue(req->ctx->engine->workers, &req->epoll_wait.node->work);
	return rd_req_wait(req);
}

int rd_epoll_wait_cancel(struct rd_req *req)
{
	struct rd_workers *workers = req->ctx->engine->workers;
	struct rd_epoll_node *node = req->epoll_wait.node;

	req->epoll_wait.node = NULL;
	node->req = NULL;
	/* the client may be gone before the worker is back; how many such there can be is limited */
	rd_charge_give(&node->charge);
	if (rd_workers_cancel(workers, &node->work))
		node_free(node);
	else
		rd_workers_interrupt(workers, &node->work);
	return 0;
}

void rd_epoll_wait_cleanup(struct rd_req *req)
{
	/* finished without its turn: the ring died while its task was queued */
	if (req->epoll_wait.node)
		node_free(req->epoll_wait.node);
	req->epoll_wait.node = NULL;
}
