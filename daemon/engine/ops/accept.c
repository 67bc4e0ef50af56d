/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACCEPT. There is no accept() that does not wait but by the listener's O_NONBLOCK, and that is the client's on all that it has a
 * descriptor of. A listener of our own is made non-blocking and served at once; of the client's the kernel
 * ring accepts, which can be told not to wait, or a worker, when something is there.
 *
 * Nothing is accepted that there is no room for: memory, budget and a slot are seen to first, and a connection that has to
 * go without stays in the listener's queue.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "daemon/common/util.h"
#include "ops.h"
#include "../exec/reactor.h"
#include "../exec/uring.h"
#include "../rsrc/stage.h"

#define RD_ACCEPT_BURST	32	/* connections in a row, then others have their turn */
#define RD_ACCEPT_FLAGS	((uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK))
#define RD_ACCEPT_ALL	((uint32_t)(RINGD_ACCEPT_MULTISHOT | RINGD_ACCEPT_DONTWAIT | RINGD_ACCEPT_POLL_FIRST))

#define RD_AGAIN	(-1)	/* not a verdict: one was posted, go on */

struct rd_peer {
	struct sockaddr_storage addr;
	socklen_t len;
};

int rd_accept_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_acceptop *a = &req->accept;

	if (sqe->len || sqe->buf_index || sqe->ioprio & ~RD_ACCEPT_ALL)
		return -EINVAL;
	*a = (struct rd_acceptop){
		.addr = sqe->addr, .addrlen = sqe->addr2, .flags = sqe->accept_flags, .file_index = sqe->file_index,
		.ioprio = sqe->ioprio, .fd = -1,
	};
	req->work.unwanted = false;
	if (a->file_index && (a->flags & SOCK_CLOEXEC))
		return -EINVAL;		/* a slot is not inherited by anybody */
	if ((a->ioprio & RINGD_ACCEPT_MULTISHOT) && a->file_index && a->file_index != RINGD_FILE_INDEX_ALLOC)
		return -EINVAL;
	return a->flags & ~RD_ACCEPT_FLAGS ? -EINVAL : 0;
}

static int done(struct rd_req *req, int res)
{
	req->res = res;
	return RD_DONE;
}

/* Nothing is there. */
static int wait_for_one(struct rd_req *req)
{
	if (req->accept.ioprio & RINGD_ACCEPT_DONTWAIT)
		return done(req, -EAGAIN);
	req->accept.waited = true;
	return RD_POLL_IN;
}

static bool pending(const struct rd_req *req)
{
	return rd_poll_look(req->file->fd, EPOLLIN);
}

static bool listens(const struct rd_req *req)
{
	socklen_t len = sizeof(int);
	int on;

	return getsockopt(req->file->fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* --- room for it --- */

static int check_slot(struct rd_req *req)
{
	struct rd_filetable *t = &req->ctx->files;
	uint32_t index = req->accept.file_index;

	if (!index)
		return 0;
	if (index == RINGD_FILE_INDEX_ALLOC)
		return RD_MIN(rd_filetable_find(t), 0);
	if (!t->slots)
		return -ENXIO;
	return index > t->nr ? -EINVAL : 0;
}

static int make_room(struct rd_req *req)
{
	struct rd_acceptop *a = &req->accept;
	int r = check_slot(req);

	if (r < 0 || a->file)
		return r;
	return rd_file_reserve(&a->file, req->ctx->engine);
}

/* close() may sleep, even of what has just come: it lingers like its listener. */
static void drop(struct rd_req *req, int fd)
{
	struct rd_file *file = rd_steal_ptr(&req->accept.file);

	rd_file_fill(file, fd, rd_socket_flags(req->file->flags, 0, 0));
	rd_file_put(file);
}

/* --- one that was accepted --- */

/* As accept() does it: no more than there is room for, but the whole length is told. */
static int put_peer(struct rd_req *req, const struct rd_peer *peer)
{
	struct rd_host *host = req->ctx->host;
	const struct rd_acceptop *a = &req->accept;
	int32_t room, len = (int32_t)RD_MIN(peer->len, (socklen_t)sizeof(peer->addr));
	int r;

	r = host->ops->copy_in(host, &room, a->addrlen, sizeof(room));
	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	r = host->ops->copy_out(host, a->addr, &peer->addr, (size_t)RD_MIN(room, len));
	return r < 0 ? r : host->ops->copy_out(host, a->addrlen, &len, sizeof(len));
}

/* It has become a descriptor or a slot, or has not: req->res. */
static int posted(struct rd_req *req)
{
	struct rd_acceptop *a = &req->accept;

	if (req->res < 0 || !(a->ioprio & RINGD_ACCEPT_MULTISHOT) || !rd_req_more(req, req->res, req->cflags))
		return RD_DONE;
	req->cflags = 0;
	return a->more ? RD_AGAIN : wait_for_one(req);
}

/* fd is the client's from here on. Verdict, or RD_AGAIN. */
static int take(struct rd_req *req, int fd, const struct rd_peer *peer)
{
	struct rd_acceptop *a = &req->accept;
	struct rd_file *file;
	int r = a->addr ? put_peer(req, peer) : 0;

	if (r < 0) {
		drop(req, fd);
		return done(req, r);
	}
	/* of the others nobody knows */
	a->more = !(req->file->flags & RD_FILE_INET);
	if (!a->more && (rd_poll_look(req->file->fd, EPOLLIN) & EPOLLIN)) {
		a->more = true;
		req->cflags |= RINGD_CQE_F_SOCK_NONEMPTY;
	}
	file = rd_steal_ptr(&a->file);
	rd_file_fill(file, fd, rd_socket_flags(req->file->flags, a->file_index, a->flags));
	r = rd_socket_install(req, file, a->file_index, a->flags);
	return r == RD_DONE ? posted(req) : r;
}

/* accept() said so: a verdict, or RD_AGAIN. */
static int refused(struct rd_req *req, int err)
{
	switch (err) {
	case -EAGAIN:
		return wait_for_one(req);
	case -ECONNABORTED:	/* it was there and is not any more */
		return RD_AGAIN;
	default:
		return done(req, err);
	}
}

static int accept_now(struct rd_req *req, struct rd_peer *peer)
{
	const struct rd_acceptop *a = &req->accept;
	int fd;

	peer->len = sizeof(peer->addr);
	fd = accept4(req->file->fd, a->addr ? (struct sockaddr *)&peer->addr : NULL, a->addr ? &peer->len : NULL,
		     (int)a->flags | SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* --- a listener of our own --- */

static int accept_own(struct rd_req *req)
{
	struct rd_peer peer;
	int r = make_room(req);

	/* who has no connection either waits for one, and what is no listener has an error of its own */
	if (r < 0 && listens(req))
		return pending(req) ? done(req, r) : wait_for_one(req);
	r = accept_now(req, &peer);
	return r < 0 ? refused(req, r) : take(req, r, &peer);
}

/* --- a listener of the client's --- */

static int settle(struct rd_req *req, int verdict);

static int finish(struct rd_req *req)
{
	struct rd_acceptop *a = &req->accept;
	int r;

	if (a->fd < 0)
		r = refused(req, req->res == -EINTR ? -ECANCELED : req->res);	/* only the unwanted are interrupted */
	else
		r = take(req, rd_steal_fd(&a->fd), a->peer);
	return settle(req, r);
}

static void ring_finish(struct rd_req *req)
{
	rd_req_go(req, req->ctx->dying ? RD_DONE : finish(req));
}

/* Not by RD_IO: what comes back is a descriptor, which has to be closed if nobody wants it any more. */
static void ring_done(struct rd_uring_io *io, int32_t res)
{
	struct rd_req *req = RD_CONTAINER_OF(io, struct rd_req, io);

	req->state = RD_REQ_IDLE;
	req->accept.fd = RD_MAX(res, -1);
	req->res = RD_MIN(res, 0);
	rd_req_task(req, ring_finish);
}

static int accept_in_ring(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;
	struct rd_acceptop *a = &req->accept;

	if (a->peer)
		a->peer->len = sizeof(a->peer->addr);
	rd_uring_prep_accept(&req->io, req->file->fd, a->peer ? (struct sockaddr *)&a->peer->addr : NULL,
			     a->peer ? &a->peer->len : NULL, (int)a->flags | SOCK_CLOEXEC);
	req->io.done = ring_done;
	req->state = RD_REQ_URING;
	rd_engine_count(engine, RD_WAY_RING, req->opcode);
	rd_uring_queue(engine->uring, &req->io);
	return RD_PENDING;
}

static int accept_theirs(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;
	struct rd_acceptop *a = &req->accept;
	bool listening = listens(req);
	void *peer;
	int r;

	/* an accept() that fails does not wait */
	if (listening && !pending(req))
		return wait_for_one(req);
	r = make_room(req);
	if (r == 0 && a->addr && !a->peer) {
		r = rd_stage_new(&peer, &engine->user, sizeof(*a->peer));
		a->peer = r < 0 ? NULL : peer;
	}
	if (r < 0)
		return done(req, listening ? r : -EINVAL);
	return engine->uring && rd_uring_accepts(engine->uring) ? accept_in_ring(req) : RD_PUNT;
}

/* Worker thread. When somebody else was quicker it sleeps: on a listener that the client has made blocking. */
void rd_accept_work(struct rd_req *req)
{
	struct rd_peer none;
	struct rd_acceptop *a = &req->accept;

	a->fd = accept_now(req, a->peer ? a->peer : &none);
	req->res = RD_MIN(a->fd, 0);
	a->fd = RD_MAX(a->fd, -1);
}

/* --- all of them --- */

/* Can it be asked for one without waiting? The client's own in its process: as long as it leaves O_NONBLOCK as it is. */
static bool comes_back(const struct rd_req *req)
{
	if (rd_file_quiet(req->file))
		return true;
	return rd_at_home(req) && (fcntl(req->file->fd, F_GETFL) & O_NONBLOCK);
}

/* Go on as long as it goes, and then keep nothing for a connection that may never come. */
static int settle(struct rd_req *req, int verdict)
{
	/* somebody has asked for its end, and been told that it comes, while it was on its way back */
	if (req->work.unwanted && (verdict == RD_AGAIN || verdict == RD_POLL_IN))
		verdict = done(req, -ECANCELED);
	for (unsigned int i = 0; verdict == RD_AGAIN && i < RD_ACCEPT_BURST; i++)
		verdict = comes_back(req) ? accept_own(req) : accept_theirs(req);
	if (verdict == RD_AGAIN) {
		req->accept.waited = true;
		verdict = RD_POLL_IN;
	}
	if (verdict == RD_DONE || verdict == RD_POLL_IN)
		rd_file_unreserve(rd_steal_ptr(&req->accept.file));
	return verdict;
}

int rd_accept_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;

	if (issue_flags & RD_READY)
		return settle(req, RD_AGAIN);
	req->res = rd_socket_check(req);
	if (req->res == 0 && !req->accept.file_index)
		req->res = host->ops->can_install(host);
	if (req->res < 0)
		return RD_DONE;
	return req->accept.ioprio & RINGD_ACCEPT_POLL_FIRST ? wait_for_one(req) : settle(req, RD_AGAIN);
}

int rd_accept_finish(struct rd_req *req)
{
	return finish(req);
}

int rd_accept_installed(struct rd_req *req)
{
	return settle(req, posted(req));
}

void rd_accept_cleanup(struct rd_req *req)
{
	struct rd_acceptop *a = &req->accept;
	struct rd_reactor *reactor = req->ctx->engine->reactor;

	/* accepted, but the ring died before it could be installed */
	if (a->fd >= 0)
		drop(req, rd_steal_fd(&a->fd));
	rd_file_unreserve(rd_steal_ptr(&a->file));
	a->peer = rd_stage_free(a->peer);
	/* it was woken, or could have been, for a connection that is another's now */
	if (a->waited && reactor)
		rd_poll_pass(&req->file->watched, reactor, req->file->fd, EPOLLIN);
}
