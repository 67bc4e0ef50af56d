/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New descriptors for the client. Each goes as one packet through the session's channel before its request's CQE is posted,
 * and only when our own duplicate is closed: nothing of ours keeps open what the client has and closes.
 *
 * The channel holds a few packets. A request that finds it full waits, and its ring's sleeper is woken to empty it: it may
 * wait for more CQEs than there are packets. A client that never reads keeps its own requests waiting.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/log.h"
#include "session.h"
#include "../rsrc/fds.h"

#define CHANNEL_BYTES	8192	/* the kernel doubles it and counts some 768 bytes for a packet: 21 of them */
#define CHANNEL_FILES	24	/* what the descriptors in a full channel cost, and the channel */

struct rd_channel {
	struct rd_session *session;
	int sock;		/* only written */
	struct event *room;
	struct rd_link waiting;	/* struct rd_delivery, oldest first */
	uint32_t cookie;
	struct rd_charge files;
};

struct rd_delivery {
	struct rd_link link;
	struct rd_channel *channel;
	struct rd_req *req;
	struct rd_file *files[2];
	uint32_t n;
	struct rd_fds *rights;	/* instead, or NULL */
	uint32_t open;		/* of our duplicates; see let_go() */
	struct ringd_channel packet;
};

/* --- deliveries --- */

static struct rd_ring *ring_of(const struct rd_req *req)
{
	return RD_CONTAINER_OF(req->ctx, struct rd_ring, ctx);
}

/* Tell the client to read the channel, though no CQE says so. */
static void announce(struct rd_ring *ring)
{
	/* release: pairs with the client's acquire, the packet is in the channel */
	__atomic_store_n(&ring->hot->channel, ++ring->channel, __ATOMIC_RELEASE);
}

/* The channel is full, and whichever ring somebody sleeps for: what he waits for may depend on what waits here. */
static void announce_full(struct rd_session *session)
{
	struct rd_ring *ring = NULL;

	while ((ring = rd_hostring_next(session, ring))) {
		announce(ring);
		/* full barrier: pairs with the client's between arming its wait word and looking at channel */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(&ring->hot->wait, __ATOMIC_RELAXED))
			session->host.ops->wake(&session->host, ring);
	}
}

static void delivery_free(struct rd_delivery *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		rd_file_put(d->files[i]);
	rd_fds_close(d->rights, NULL, NULL);
	free(d);
}

static void finish(struct rd_req *req)
{
	rd_req_installed(req);
}

static void all_closed(void *arg)
{
	struct rd_delivery *d = arg;
	struct rd_req *req = d->req;

	if (--d->open)
		return;
	free(d);
	rd_req_task(req, finish);
}

static void duplicate_closed(void *arg, int res)
{
	(void)res;
	all_closed(arg);
}

/* The client has its descriptors: the request is complete when ours are closed. RD_DONE or RD_PENDING, d is gone. */
static int let_go(struct rd_delivery *d)
{
	struct rd_req *req = d->req;

	d->open = 1;
	for (uint32_t i = 0; i < d->n; i++) {
		d->open++;
		if (!rd_file_put_notify(d->files[i], duplicate_closed, d))
			d->open--;
	}
	d->n = 0;
	d->open += !!d->rights;
	rd_fds_close(rd_steal_ptr(&d->rights), all_closed, d);
	req->state = RD_REQ_IDLE;	/* nothing can be stopped any more */
	if (--d->open)
		return RD_PENDING;
	free(d);
	return RD_DONE;
}

/* Is it a success that the client does not want to hear of? */
static bool is_silent(const struct rd_delivery *d)
{
	return d->req->flags & RINGD_SQE_CQE_SKIP_SUCCESS && d->packet.res >= 0 && d->req->outcome != RD_OUT_FAILED;
}

static int send_packet(struct rd_delivery *d)
{
	int fds[RD_ARRAY_SIZE(d->files)] = { -1, -1 };

	if (d->rights)
		return rd_send_fds(d->channel->sock, &d->packet, sizeof(d->packet), d->rights->fds, d->rights->n);
	for (uint32_t i = 0; i < d->n; i++)
		fds[i] = d->files[i]->fd;
	return rd_send_fds(d->channel->sock, &d->packet, sizeof(d->packet), fds, d->n);
}

/* 0: sent, the request has its result; -EAGAIN: no room; or what the request ends with. */
static int send_now(struct rd_delivery *d)
{
	struct rd_channel *ch = d->channel;
	struct rd_req *req = d->req;
	bool silent = is_silent(d);
	int r;

	d->packet.cookie = ch->cookie;
	d->packet.flags |= silent ? RINGD_CHANNEL_F_SILENT : 0;
	r = send_packet(d);
	if (r == -ETOOMANYREFS)		/* this user has that many descriptors under way in sockets; no event tells when not */
		return -EMFILE;
	if (r == -EAGAIN)
		return r;
	if (r < 0)
		return -EOPNOTSUPP;
	ch->cookie = (ch->cookie + 1) & INT32_MAX;
	req->res = (int32_t)d->packet.cookie;
	req->cflags |= RINGD_CQE_F_CHANNEL;
	if (d->packet.res < 0)
		req->outcome = RD_OUT_FAILED;
	if (silent)
		announce(ring_of(req));
	return 0;
}

/* Verdict; d is gone, or waits. */
static int deliver(struct rd_delivery *d)
{
	struct rd_channel *ch = d->channel;
	struct rd_req *req = d->req;
	int r = rd_list_empty(&ch->waiting) ? send_now(d) : -EAGAIN;

	if (r == -EAGAIN && event_add(ch->room, NULL) == 0) {
		bool first = rd_list_empty(&ch->waiting);

		rd_list_append(&ch->waiting, &d->link);
		if (first)
			announce_full(ch->session);
		return rd_req_wait(req);
	}
	if (r == 0)
		return let_go(d);
	req->res = r == -EAGAIN ? -ENOMEM : r;
	delivery_free(d);
	return RD_DONE;
}

static void channel_room(evutil_socket_t fd, short what, void *arg)
{
	struct rd_channel *ch = arg;

	(void)fd;
	(void)what;
	while (!rd_list_empty(&ch->waiting)) {
		struct rd_delivery *d = rd_list_first(&ch->waiting, struct rd_delivery, link);
		struct rd_req *req = d->req;
		int r = send_now(d);

		if (r == -EAGAIN && event_add(ch->room, NULL) == 0) {
			announce_full(ch->session);
			return;
		}
		rd_list_remove(&d->link);
		if (r < 0) {
			req->res = r == -EAGAIN ? -ENOMEM : r;
			delivery_free(d);
		} else if (let_go(d) == RD_PENDING) {
			continue;
		}
		rd_req_task(req, finish);
	}
}

static struct rd_delivery *delivery_new(struct rd_session *session, struct rd_req *req, uint16_t kind)
{
	struct rd_delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	rd_list_init(&d->link);
	d->channel = session->channel;
	d->req = req;
	d->packet.user_data = req->user_data;
	d->packet.ring_id = rd_hostring_id(ring_of(req));
	d->packet.kind = kind;
	return d;
}

/* Two numbers to where the client wants them: an arena, or else libringd writes them. */
static int put_numbers(struct rd_session *session, struct rd_req *req, const struct rd_newfds *new)
{
	struct rd_delivery *d;

	req->res = rd_memory_copy_out(&session->host, new->addr, new->numbers, sizeof(new->numbers));
	if (req->res == 0)
		return RD_DONE;
	d = session->channel ? delivery_new(session, req, RINGD_CHANNEL_PAIR) : NULL;
	if (!d) {
		req->res = session->channel ? -ENOMEM : -EFAULT;
		return RD_DONE;
	}
	d->packet.addr = new->addr;
	d->packet.number = new->numbers[0];
	d->packet.number2 = new->numbers[1];
	return deliver(d);
}

static void refuse_files(const struct rd_newfds *new)
{
	for (uint32_t i = 0; i < new->n; i++)
		rd_file_put(new->files[i]);
	rd_fds_close(new->rights, NULL, NULL);
}

static uint16_t kind_of(const struct rd_newfds *new)
{
	if (new->rights)
		return RINGD_CHANNEL_RIGHTS;
	return new->n == 2 ? RINGD_CHANNEL_PIPE : RINGD_CHANNEL_FD;
}

/* host->install */
int rd_channel_install(struct rd_host *host, struct rd_req *req, const struct rd_newfds *new)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	struct rd_delivery *d = NULL;

	if (!new->n && !new->rights)
		return put_numbers(session, req, new);
	req->res = session->channel ? -ENOMEM : -EOPNOTSUPP;
	if (session->channel && !req->ctx->dying)
		d = delivery_new(session, req, kind_of(new));
	if (!d) {
		refuse_files(new);
		return RD_DONE;
	}
	d->n = new->n;
	memcpy(d->files, new->files, sizeof(d->files));
	d->rights = new->rights;
	if (d->rights) {
		d->packet.nr = d->rights->n;
		d->packet.msg_flags = new->msg_flags;
		d->packet.res = new->res;
	}
	d->packet.addr = new->addr;
	d->packet.flags = new->cloexec ? RINGD_CHANNEL_F_CLOEXEC : 0;
	return deliver(d);
}

/* host->can_install */
int rd_channel_can(struct rd_host *host)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);

	return session->channel ? 0 : -EOPNOTSUPP;
}

/* host->install_cancel */
int rd_channel_cancel(struct rd_host *host, struct rd_req *req)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	struct rd_link *l, *tmp;

	if (!session->channel)
		return -EALREADY;
	rd_list_foreach(l, tmp, &session->channel->waiting) {
		struct rd_delivery *d = rd_list_entry(l, struct rd_delivery, link);

		if (d->req != req)
			continue;
		rd_list_remove(l);
		delivery_free(d);
		return 0;
	}
	return -EALREADY;	/* our duplicate is being closed, the client has its own */
}

/* --- CLOSE of a lent number --- */

struct rd_closing {
	struct rd_session *session;
	struct rd_req *req;
	int fd;
};

static int tell_closed(struct rd_session *session, struct rd_req *req, int fd, int res)
{
	struct rd_delivery *d = NULL;

	/* who has no channel closes its own descriptor itself */
	req->res = res;
	if (!session->channel || req->ctx->dying)
		return RD_DONE;
	d = delivery_new(session, req, RINGD_CHANNEL_CLOSE);
	if (!d) {
		req->res = -ENOMEM;
		return RD_DONE;
	}
	d->packet.number = fd;
	d->packet.res = res;
	return deliver(d);
}

static void lent_closed(void *arg, int res)
{
	struct rd_closing *c = arg;
	struct rd_req *req = c->req;
	int r = tell_closed(c->session, req, c->fd, res);

	free(c);
	if (r == RD_DONE)
		rd_req_task(req, finish);
}

/* host->close */
int rd_channel_close(struct rd_host *host, struct rd_req *req, int fd)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	struct rd_closing *c;
	struct rd_file *file;

	req->res = -EBADF;
	if (!rd_lent_has(session, fd))
		return RD_DONE;
	c = malloc(sizeof(*c));
	if (!c) {
		req->res = -ENOMEM;
		return RD_DONE;
	}
	*c = (struct rd_closing){ .session = session, .req = req, .fd = fd };
	file = rd_lent_take(session, fd);
	req->state = RD_REQ_IDLE;
	if (rd_file_put_notify(file, lent_closed, c))
		return RD_PENDING;
	free(c);	/* a request uses it still, as in the kernel */
	return tell_closed(session, req, fd, 0);
}

/* --- life --- */

static void channel_close(struct rd_channel *ch)
{
	if (ch->room)
		event_free(ch->room);
	rd_close(ch->sock);	/* nothing was sent to us: no close() of a client's file hides in it */
	rd_charge_give(&ch->files);
	free(ch);
}

void rd_channel_drop(struct rd_session *session)
{
	/* its rings are dead: no request waits any more */
	if (session->channel)
		channel_close(rd_steal_ptr(&session->channel));
}

/* pair[0] is ours, and only written. */
static int channel_pair(int pair[2])
{
	int size = CHANNEL_BYTES, err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (shutdown(pair[0], SHUT_RD) == 0 && setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0)
		return 0;
	err = -errno;
	rd_close(rd_steal_fd(&pair[0]));
	rd_close(rd_steal_fd(&pair[1]));
	return err;
}

static int channel_new(struct rd_session *session, struct rd_channel **ret, int *theirs)
{
	struct rd_channel *ch = calloc(1, sizeof(*ch));
	int pair[2] = { -1, -1 }, r;

	if (!ch)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	ch->sock = -1;
	ch->session = session;
	rd_list_init(&ch->waiting);
	if (rd_charge_take(&ch->files, &session->service->engine.user, RINGD_LIMIT_FILES, CHANNEL_FILES) < 0) {
		free(ch);
		return rd_refuse_budget(session, RINGD_LIMIT_FILES, CHANNEL_FILES);
	}
	r = channel_pair(pair);
	if (r < 0) {
		channel_close(ch);
		return rd_refuse(session, r, "no channel");
	}
	ch->sock = pair[0];
	*theirs = pair[1];
	ch->room = event_new(session->service->engine.reactor->base, ch->sock, EV_WRITE, channel_room, ch);
	if (!ch->room) {
		channel_close(ch);
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	}
	*ret = ch;
	return 0;
}

static bool hung_up(const struct rd_channel *ch)
{
	struct pollfd p = { .fd = ch->sock };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

int rd_channel_create(struct rd_session *session, struct rd_packet *p)
{
	struct rd_channel *ch = NULL;
	struct ringd_msg msg = { 0 };
	RD_CLOSE int theirs = -1;
	int r;

	(void)p;
	if (session->channel && !hung_up(session->channel))
		return rd_refuse(session, -EBUSY, "this connection has a channel");
	if (session->channel) {
		/* it could not be received, or was closed: who waits for it need not wait */
		channel_room(session->channel->sock, EV_WRITE, session->channel);
		rd_channel_drop(session);
	}
	r = channel_new(session, &ch, &theirs);
	if (r < 0)
		return r;
	session->channel = ch;
	r = rd_session_answer(session, &msg, sizeof(msg), 0, &theirs, 1);
	if (r < 0 && session->connected) {
		rd_channel_drop(session);
		return rd_refuse(session, r, "the channel could not be sent");
	}
	return 0;
}
