/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CONNECT. A socket of our own is made not to wait, and waited for in the reactor. One that the client has a descriptor of is
 * its to make wait at any moment: the kernel ring connects that one, or a worker, which may sleep.
 */
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "ops.h"
#include "sockname.h"
#include "../exec/uring.h"

#define RD_RING_CONNECTS	1024	/* in the kernel ring at a time: files need it, too */
#define RD_FULL_WAIT_MS		1	/* a UNIX listener whose queue is full is asked again after so long, */
#define RD_FULL_WAIT_MAX_MS	64	/* and ever longer up to this */

int rd_connect_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_socknameop *n = &req->sockname;

	if (sqe->len || sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	*n = (struct rd_socknameop){ .len = (uint32_t)sqe->addr2 };
	return rd_sockname_copy(&n->addr, req, sqe->addr, n->len);
}

static int try_connect(const struct rd_req *req)
{
	const struct rd_socknameop *n = &req->sockname;

	return connect(req->file->fd, n->addr, n->len) < 0 ? -errno : 0;
}

/* The socket's own error, which is gone from it then. */
static int socket_error(int fd)
{
	socklen_t len = sizeof(int);
	int err;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return -errno;
	return -err;
}

/* --- on the reactor: a socket of our own --- */

static int attempt(struct rd_req *req)
{
	struct rd_socknameop *n = &req->sockname;
	bool listens = req->file->flags & RD_FILE_QUIET;
	int r;

	for (;;) {
		rd_file_quiet(req->file);
		r = try_connect(req);
		if (!listens)
			rd_file_loud(req->file);
		/* what is left of an attempt that failed before: the next one starts anew */
		if (r != -ECONNABORTED || n->aborted)
			break;
		n->aborted = true;
	}
	if (r == -EINPROGRESS) {
		n->connecting = true;
		return RD_POLL_OUT;
	}
	if (r == -EAGAIN)
		return RD_PUNT;		/* the listener's queue is full, and nothing tells when it is not */
	/* another request of ours has connected it: what has come of that is what counts */
	if (r == -EISCONN && n->connecting)
		r = socket_error(req->file->fd);
	req->res = r;
	return RD_DONE;
}

static int connect_ready(struct rd_req *req)
{
	if (rd_poll_look(req->file->fd, 0) & POLLERR) {
		req->res = socket_error(req->file->fd);
		return RD_DONE;
	}
	return attempt(req);
}

/* --- elsewhere: a client's own --- */

static int connect_in_ring(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;
	struct rd_socknameop *n = &req->sockname;

	n->in_ring = true;
	engine->ring_connects++;
	rd_uring_prep_connect(&req->io, req->file->fd, n->addr, n->len);
	return RD_IO;
}

int rd_connect_io_done(struct rd_req *req, int32_t res)
{
	req->res = res;
	return RD_DONE;
}

int rd_connect_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_socknameop *n = &req->sockname;
	struct rd_engine *engine = req->ctx->engine;

	if (issue_flags & RD_READY)
		return connect_ready(req);
	req->res = rd_sockname_start(req);
	if (req->res < 0)
		return RD_DONE;
	if (n->at_fs)
		return RD_PUNT;
	if (req->file->flags & RD_FILE_OURS)
		return attempt(req);
	return engine->uring && engine->ring_connects < RD_RING_CONNECTS ? connect_in_ring(req) : RD_PUNT;
}

/* Worker thread: until it is connected or failed. Nobody else's O_NONBLOCK shall be any business of this request's. */
static int wait_connected(const struct rd_req *req)
{
	struct pollfd pfd = { .fd = req->file->fd, .events = POLLOUT };
	int r;

	if (poll(&pfd, 1, -1) < 0)
		return -errno;
	r = socket_error(pfd.fd);
	if (r < 0)
		return r;
	/* the socket is connecting until it has been asked once more: the next request's connect would be the one that is told */
	r = try_connect(req);
	return r == -EISCONN ? 0 : r;
}

static int connect_waiting(const struct rd_req *req)
{
	unsigned int ms = RD_FULL_WAIT_MS;
	int r = try_connect(req);

	if (r == -ECONNABORTED)
		r = try_connect(req);	/* as above */
	for (; r == -EAGAIN; r = try_connect(req)) {
		const struct timespec ts = { .tv_nsec = ms * 1000000l };

		if (nanosleep(&ts, NULL) < 0)
			return -errno;
		ms = RD_MIN(2 * ms, RD_FULL_WAIT_MAX_MS);
	}
	return r == -EINPROGRESS ? wait_connected(req) : r;
}

void rd_connect_work(struct rd_req *req)
{
	const struct rd_socknameop *n = &req->sockname;

	req->res = n->at_fs ? rd_sockname_enter(n->at, n->addr, false, 0) : 0;
	if (req->res == 0)
		req->res = connect_waiting(req);
	if (n->at_fs)
		rd_sockname_leave(n->at);
}

int rd_connect_finish(struct rd_req *req)
{
	/* only who is not wanted any more is interrupted */
	if (req->res == -EINTR)
		req->res = -ECANCELED;
	return RD_DONE;
}

void rd_connect_cleanup(struct rd_req *req)
{
	if (req->sockname.in_ring)
		req->ctx->engine->ring_connects--;
	rd_sockname_cleanup(req);
}
