/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CONNECT. A socket of our own is made not to wait, and waited for in the reactor. One that the client has a descriptor of is
 * its to make wait at any moment: the kernel ring connects that one, or a worker, which may sleep.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>

#include "ops.h"
#include "sockname.h"
#include "../exec/uring.h"

#define RD_RING_CONNECTS	1024	/* in the kernel ring at a time: files need it, too */

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

/* What has come of a connect() that was under way when it was waited for. It takes another one for the socket to know, too. */
static int connected(const struct rd_req *req)
{
	int r;

	if (rd_poll_look(req->file->fd, 0) & POLLERR)
		return socket_error(req->file->fd);
	r = try_connect(req);
	/* somebody else was quicker, and it is the same connection */
	return r == -EISCONN || r == -EBADFD ? socket_error(req->file->fd) : r;
}

/* --- on the reactor: a socket of our own --- */

static int attempt(struct rd_req *req)
{
	struct rd_socknameop *n = &req->sockname;
	int r = n->connecting ? connected(req) : try_connect(req);

	/* what is left of an attempt that failed before: the next one starts anew */
	if (r == -ECONNABORTED && !n->connecting)
		r = try_connect(req);
	/* on one machine it is done at once, but the first call does not say so */
	if (r == -EINPROGRESS) {
		n->connecting = true;
		r = try_connect(req);
	}
	return r;
}

static int connect_own(struct rd_req *req)
{
	bool quiet = req->file->flags & RD_FILE_QUIET;
	int r;

	rd_file_quiet(req->file);
	r = attempt(req);
	if (!quiet)
		rd_file_loud(req->file);
	if (r == -EALREADY && req->sockname.connecting)
		return RD_POLL_OUT;
	/* a UNIX listener's queue is full, and nothing tells when it is not */
	if (r == -EAGAIN && (req->file->flags & (RD_FILE_OURS | RD_FILE_NONBLOCK)) == RD_FILE_OURS)
		return RD_PUNT;
	req->res = r;
	return RD_DONE;
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

/* Will a call on it come back at once? The client's own in its process: as long as it leaves O_NONBLOCK as it is. */
static bool comes_back(const struct rd_req *req)
{
	if (req->file->flags & RD_FILE_OURS)
		return true;
	return rd_at_home(req) && (fcntl(req->file->fd, F_GETFL) & O_NONBLOCK);
}

int rd_connect_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_socknameop *n = &req->sockname;
	struct rd_engine *engine = req->ctx->engine;

	/* the client may have got a descriptor of it in the meantime */
	if (issue_flags & RD_READY)
		return comes_back(req) ? connect_own(req) : RD_PUNT;
	req->res = rd_sockname_start(req);
	if (req->res < 0)
		return RD_DONE;
	if (n->at_fs)
		return RD_PUNT;
	if (comes_back(req))
		return connect_own(req);
	return engine->uring && engine->ring_connects < RD_RING_CONNECTS ? connect_in_ring(req) : RD_PUNT;
}

/* Worker thread: until it is connected or failed. A UNIX listener's full queue is not waited for on a non-blocking socket. */
static int connect_waiting(const struct rd_req *req)
{
	struct pollfd pfd = { .fd = req->file->fd, .events = POLLOUT };
	int r = req->sockname.connecting ? connected(req) : try_connect(req);

	if (r == -ECONNABORTED)
		r = try_connect(req);	/* as above */
	if (r != -EINPROGRESS)
		return r;
	return poll(&pfd, 1, -1) < 0 ? -errno : connected(req);
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
