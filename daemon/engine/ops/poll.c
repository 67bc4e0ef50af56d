/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POLL_ADD and POLL_REMOVE. A poll holds its file as every request does, so neither closing the client's descriptor nor
 * emptying the slot ends it. Of a file whose server may not answer nothing is asked on the reactor: a worker sleeps in
 * poll(2) for it, or for a multishot poll in an epoll instance of its own.
 */
#include <poll.h>
#include <sys/epoll.h>

#include "ops.h"
#include "../exec/reactor.h"

/* what poll(2) can be asked for */
#define RD_POLL_EVENTS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | POLLNVAL | EPOLLRDNORM | EPOLLRDBAND | \
			 EPOLLWRNORM | EPOLLWRBAND | EPOLLMSG | EPOLLRDHUP)

static uint32_t events_of(const struct ringd_sqe *sqe)
{
	uint32_t events = sqe->poll32_events;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	events = events << 16 | events >> 16;
#endif
	return events & (RD_POLL_EVENTS | EPOLLEXCLUSIVE);
}

static void set_events(struct rd_req *req, uint32_t events)
{
	req->polladd.events = events & RD_POLL_EVENTS;
}

int rd_poll_add_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	bool multi = sqe->len & RINGD_POLL_ADD_MULTI;

	if (sqe->buf_index || sqe->off || sqe->addr || (sqe->len & ~RINGD_POLL_ADD_MULTI))
		return -EINVAL;
	if (multi && (req->flags & RINGD_SQE_CQE_SKIP_SUCCESS))
		return -EINVAL;
	req->polladd.multi = multi;
	req->polladd.sleeps = false;
	req->polladd.epfd = -1;
	req->polladd.charge.user = NULL;
	req->poll.exclusive = events_of(sqe) & EPOLLEXCLUSIVE;
	req->poll.armed = false;
	set_events(req, events_of(sqe));
	return 0;
}

/* --- waiting --- */

static int poll_done(struct rd_req *req, uint32_t mask)
{
	/* O_PATH */
	req->res = mask & POLLNVAL ? -EBADF : (int32_t)mask;
	return RD_DONE;
}

/* The eventfd of this very ring: the CQE makes it ready again. */
static bool feeds_itself(const struct rd_req *req)
{
	return RD_UNLIKELY(req->ctx->event_fd >= 0) && rd_file_is(req->file, req->ctx->event_fd);
}

static void told(struct rd_req *req)
{
	uint32_t mask = req->poll.revents;
	int r;

	if (!req->polladd.multi || feeds_itself(req)) {
		req->res = (int32_t)mask;
		rd_req_done(req);
		return;
	}
	r = rd_poll_again(&req->poll, req->ctx->engine->reactor, req->file->fd);
	if (r < 0) {
		req->res = r;
		rd_req_done(req);
		return;
	}
	/* a client that lets its completions wait is told what there is when it comes for them */
	if (req->ctx->lazy)
		mask = rd_poll_look(req->file->fd, req->polladd.events);
	if (!mask || rd_req_more(req, (int32_t)mask, 0))
		return;
	rd_poll_disarm(&req->poll);
	req->res = (int32_t)mask;
	rd_req_done(req);
}

static void ready(struct rd_poll *poll)
{
	rd_req_task(RD_CONTAINER_OF(poll, struct rd_req, poll), told);
}

/* epoll has no use for the file: it is ready for what any file is ready for, or never. */
static int32_t poll_always(const struct rd_req *req)
{
	uint32_t mask = rd_poll_look(req->file->fd, req->polladd.events);

	return mask ? (int32_t)mask : -EINVAL;
}

/* A ring of this very process is an epoll set to the kernel, which cannot say that its SQ has room. */
static uint32_t beyond(const struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;

	if (RD_LIKELY(!(req->file->flags & RD_FILE_ASKS)) || !host->ops->ready || (req->flags & RINGD_SQE_FIXED_FILE))
		return 0;
	return host->ops->ready(host, req->fd) & req->polladd.events;
}

static int start_multi(struct rd_req *req)
{
	int mask = rd_poll_look_and_arm(&req->poll, req->ctx->engine->reactor, &req->file->watched, req->file->fd,
					req->polladd.events, ready);

	if (mask < 0) {
		req->res = mask == -EPERM ? poll_always(req) : mask;
		return RD_DONE;
	}
	mask |= (int)beyond(req);
	if (!mask || rd_req_more(req, mask, 0))
		return rd_req_wait(req);
	rd_poll_disarm(&req->poll);
	return poll_done(req, (uint32_t)mask);
}

static int start_single(struct rd_req *req)
{
	uint32_t room = beyond(req);
	int mask;

	if (RD_UNLIKELY(room))
		return poll_done(req, room | rd_poll_look(req->file->fd, req->polladd.events));
	mask = rd_poll_look_or_arm(&req->poll, req->ctx->engine->reactor, &req->file->watched, req->file->fd,
				   req->polladd.events, ready);

	if (mask == 0)
		return rd_req_wait(req);
	if (mask > 0)
		return poll_done(req, (uint32_t)mask);
	req->res = mask == -EPERM ? -EINVAL : mask;
	return RD_DONE;
}

static int start_worker(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;
	int r = 0;

	/* some threads must be left for those who close files */
	if (engine->epoll_waits >= RD_EPOLL_WAITS)
		r = -EDQUOT;
	else if (req->polladd.multi)
		r = rd_charge_take(&req->polladd.charge, &engine->user, RINGD_LIMIT_FILES, 1);
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	engine->epoll_waits++;
	req->polladd.sleeps = true;
	return RD_PUNT;
}

int rd_poll_add_issue(struct rd_req *req, unsigned int issue_flags)
{
	int r;

	(void)issue_flags;
	if ((req->file->flags & RD_FILE_SLOW) || ((req->file->flags & RD_FILE_ASKS) && !rd_at_home(req))) {
		r = start_worker(req);
	} else {
		rd_engine_count(req->ctx->engine, RD_WAY_POLL, req->opcode);
		r = req->polladd.multi ? start_multi(req) : start_single(req);
	}
	if (r != RD_DONE)
		rd_waits_add(req);
	return r;
}

/* --- on a worker --- */

static void work_once(struct rd_req *req)
{
	struct pollfd pfd = { .fd = req->file->fd, .events = (short)(req->polladd.events | POLLRDHUP) };

	if (poll(&pfd, 1, -1) < 0) {
		req->res = errno == EINTR ? -ECANCELED : -errno;
		return;
	}
	(void)poll_done(req, (unsigned short)pfd.revents);
}

static int32_t wait_edge(struct rd_req *req, bool first)
{
	uint32_t events = req->polladd.events | RD_POLL_ALWAYS;
	struct epoll_event ev = { .events = events | EPOLLET };
	int n;

	if (first && epoll_ctl(req->polladd.epfd, EPOLL_CTL_ADD, req->file->fd, &ev) < 0) {
		req->polladd.multi = false;
		return errno == EPERM ? poll_always(req) : -errno;
	}
	n = epoll_wait(req->polladd.epfd, &ev, 1, -1);
	if (n < 0)
		return errno == EINTR ? -ECANCELED : -errno;
	return (int32_t)(ev.events & events);
}

void rd_poll_add_work(struct rd_req *req)
{
	bool first = req->polladd.epfd < 0;

	if (!req->polladd.multi) {
		work_once(req);
		return;
	}
	if (first)
		req->polladd.epfd = epoll_create1(EPOLL_CLOEXEC);
	req->res = req->polladd.epfd < 0 ? -errno : wait_edge(req, first);
}

/* Back from the worker: a multishot poll goes there again. */
int rd_poll_add_finish(struct rd_req *req)
{
	/* one that was to be stopped meanwhile is not sent on */
	if (!req->polladd.multi || req->res <= 0 || req->work.unwanted)
		return RD_DONE;
	return rd_req_more(req, req->res, 0) ? RD_PUNT : RD_DONE;
}

void rd_poll_add_cleanup(struct rd_req *req)
{
	rd_waits_remove(req);
	rd_close(req->polladd.epfd);
	rd_charge_give(&req->polladd.charge);
	req->ctx->engine->epoll_waits -= req->polladd.sleeps;
}

int rd_poll_add_cancel(struct rd_req *req)
{
	rd_poll_disarm(&req->poll);
	if (req->tasked) {	/* it has fired, but has not told anybody */
		rd_list_remove(&req->task);
		req->tasked = false;
	}
	return 0;
}

/* --- POLL_REMOVE --- */

#define RD_UPDATES	(RINGD_POLL_UPDATE_EVENTS | RINGD_POLL_UPDATE_USER_DATA)

int rd_poll_remove_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_pollremove *rm = &req->pollremove;

	if (sqe->buf_index || sqe->splice_fd_in || (sqe->len & ~(uint32_t)(RD_UPDATES | RINGD_POLL_ADD_MULTI)))
		return -EINVAL;
	if (sqe->len == RINGD_POLL_ADD_MULTI)
		return -EINVAL;
	if ((sqe->off && !(sqe->len & RINGD_POLL_UPDATE_USER_DATA)) ||
	    (sqe->poll32_events && !(sqe->len & RINGD_POLL_UPDATE_EVENTS)))
		return -EINVAL;
	rm->user_data = sqe->addr;
	rm->new_user_data = sqe->off;
	rm->events = events_of(sqe);
	rm->flags = sqe->len & RD_UPDATES;
	return 0;
}

/* It looks again, and if there is something it fires, but behind our own CQE. */
static void update(struct rd_req *target, const struct rd_pollremove *rm)
{
	int r;

	rd_poll_disarm(&target->poll);
	if (rm->flags & RINGD_POLL_UPDATE_EVENTS)
		set_events(target, rm->events);
	if (rm->flags & RINGD_POLL_UPDATE_USER_DATA) {
		rd_waits_remove(target);
		target->user_data = rm->new_user_data;
		rd_waits_add(target);
	}
	r = rd_poll_arm(&target->poll, target->ctx->engine->reactor, &target->file->watched, target->file->fd,
			target->polladd.events, ready);
	if (r == 0)
		return;
	target->res = r;
	rd_req_defer(target);
}

int rd_poll_remove_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_pollremove *rm = &req->pollremove;
	struct rd_req *target = rd_waits_find(req->ctx, RINGD_OP_POLL_ADD, rm->user_data);

	(void)issue_flags;
	req->res = 0;
	if (!target)
		req->res = -ENOENT;
	else if (target->tasked || (rm->flags && target->state == RD_REQ_WORK))
		req->res = -EALREADY;
	else if (rm->flags)
		update(target, rm);
	else
		req->res = rd_req_cancel(target);
	return RD_DONE;
}
