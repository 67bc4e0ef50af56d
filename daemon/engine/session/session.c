/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client's connection. A readable event takes one packet, so that no client keeps the others waiting; the kernel's socket
 * buffer is the only queue. Each packet is a request and is answered before the next is read, and a client that does not
 * read its answers is dropped: nothing of it ever waits here.
 *
 * Three kinds of failure: a lie about the protocol (-EPROTO: told, then the connection ends), a budget (-EDQUOT with the
 * limit's name and value), and everything else (the errno and a sentence).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/log.h"
#include "session.h"

struct rd_handler {
	size_t min, max;		/* length of the packet */
	size_t min_fds, max_fds;
	uint16_t flags;			/* RINGD_MSG_F_* it knows */
	int (*fn)(struct rd_session *session, struct rd_packet *p);
};

static const struct rd_handler handlers[] = {
	[RINGD_MSG_RING_CREATE] = { sizeof(struct ringd_ring_create), sizeof(struct ringd_ring_create), 0, 0, 0,
				    rd_hostring_create },
	[RINGD_MSG_RING_FREE] = { sizeof(struct ringd_ring_ref), sizeof(struct ringd_ring_ref), 0, 0, 0, rd_hostring_free },
	[RINGD_MSG_ARENA_CREATE] = { sizeof(struct ringd_arena_create), sizeof(struct ringd_arena_create), 0, 0, 0,
				     rd_arena_create },
	[RINGD_MSG_ARENA_FREE] = { sizeof(struct ringd_arena_ref), sizeof(struct ringd_arena_ref), 0, 0, 0, rd_arena_free },
	[RINGD_MSG_REGISTER] = { sizeof(struct ringd_register), RINGD_MSG_MAX, 0, RINGD_MSG_FDS, RINGD_MSG_F_MORE,
				 rd_register },
	[RINGD_MSG_FD_LEND] = { sizeof(struct ringd_fd_list), RINGD_MSG_MAX, 1, RINGD_MSG_FDS, 0, rd_lend },
	[RINGD_MSG_FD_RETURN] = { sizeof(struct ringd_fd_list), RINGD_MSG_MAX, 0, 0, 0, rd_lend_return },
	[RINGD_MSG_CHANNEL] = { sizeof(struct ringd_msg), sizeof(struct ringd_msg), 0, 0, 0, rd_channel_create },
	[RINGD_MSG_RING_EXPORT] = { sizeof(struct ringd_ring_ref), sizeof(struct ringd_ring_ref), 0, 0, 0, rd_handle_export },
	[RINGD_MSG_RING_IMPORT] = { sizeof(struct ringd_ring_token), sizeof(struct ringd_ring_token), 0, 0, 0,
				    rd_handle_import },
	[RINGD_MSG_RING_FORGET] = { sizeof(struct ringd_ring_ref), sizeof(struct ringd_ring_ref), 0, 0, 0, rd_handle_forget },
	[RINGD_MSG_SET_CWD] = { sizeof(struct ringd_msg), sizeof(struct ringd_msg), 1, 1, 0, rd_cwd_set },
};

/* host->pid */
static int32_t session_pid(struct rd_host *host)
{
	return RD_CONTAINER_OF(host, struct rd_session, host)->pid;
}

static const struct rd_host_ops session_host = {
	.map = rd_memory_map,
	.copy_in = rd_memory_copy_in,
	.copy_out = rd_memory_copy_out,
	.copy_str = rd_memory_copy_str,
	.file = rd_lent_file,
	.dirfd = rd_cwd_dirfd,
	.can_install = rd_channel_can,
	.pid = session_pid,
	.install = rd_channel_install,
	.close = rd_channel_close,
	.install_cancel = rd_channel_cancel,
	.ring = rd_handle_ring,
	.wake = rd_hostring_wake,
	.ring_dead = rd_hostring_dead,
	.ring_gone = rd_hostring_gone,
};

/* --- words --- */

int rd_refuse(struct rd_session *session, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(session->text, sizeof(session->text), fmt, ap);
	va_end(ap);
	return err;
}

int rd_refuse_budget(struct rd_session *session, unsigned int slot, uint64_t amount)
{
	rd_limit_words(&session->service->engine.user, slot, amount, session->text, sizeof(session->text));
	return -EDQUOT;
}

int rd_refuse_lost(struct rd_session *session)
{
	return rd_refuse(session, -EMFILE, "the engine has no room for more descriptors (RLIMIT_NOFILE)");
}

/* --- answers --- */

int rd_session_answer(struct rd_session *session, struct ringd_msg *msg, size_t len, int32_t res, const int *fds, size_t n_fds)
{
	int r;

	if (!session->connected)
		return -ENOTCONN;
	msg->size = (uint32_t)len;
	msg->type = session->type;
	msg->flags = 0;
	msg->seq = session->seq;
	msg->res = res;
	r = rd_send_fds(session->sock, msg, len, fds, n_fds);
	if (r == -EAGAIN)
		rd_warn("process %d does not read its answers: dropped", session->pid);
	/* -ETOOMANYREFS: descriptors of this user are under way in too many sockets; not the connection's fault */
	if (r == -EAGAIN || (r < 0 && n_fds == 0))
		rd_session_close(session, RINGD_REASON_FREED);
	return r;
}

int rd_session_answer_res(struct rd_session *session, int32_t res)
{
	struct ringd_msg msg = { 0 };

	rd_session_answer(session, &msg, sizeof(msg), res, NULL, 0);
	return 0;
}

void rd_session_answer_error(struct rd_session *session, int err)
{
	struct ringd_error answer = { .msg = { 0 } };

	snprintf(answer.text, sizeof(answer.text), "%s", session->text[0] ? session->text : strerror(-err));
	rd_session_answer(session, &answer.msg, sizeof(answer), err, NULL, 0);
	if (err != -EPROTO || !session->connected)
		return;
	rd_warn("process %d broke the protocol: %s", session->pid, session->text);
	rd_session_close(session, RINGD_REASON_FREED);
}

/* --- one packet --- */

/* Is it a request at all? Notes type and seq for the answer as far as they are there. */
static int packet_check(struct rd_session *session, const struct rd_packet *p)
{
	const struct ringd_msg *msg = p->data;
	const struct rd_handler *h;

	session->type = 0;
	session->seq = 0;
	if (!session->stage.err)	/* else they are the words for that */
		session->text[0] = 0;
	if (p->len < sizeof(*msg))
		return rd_refuse(session, -EPROTO, "a packet of %zu bytes is shorter than a header", p->len);
	session->type = msg->type;
	session->seq = msg->seq;
	if (msg->type >= RD_ARRAY_SIZE(handlers) || !handlers[msg->type].fn)
		return rd_refuse(session, -EPROTO, "no message of type %u here", msg->type);
	if (session->stage.active && msg->type != RINGD_MSG_REGISTER)
		return rd_refuse(session, -EPROTO, "message %u between the fragments of a register call", msg->type);
	h = &handlers[msg->type];
	if (msg->size != p->len || p->len < h->min || p->len > h->max)
		return rd_refuse(session, -EPROTO, "message %u says %u bytes and has %zu", msg->type, msg->size, p->len);
	if (msg->flags & ~h->flags || msg->res)
		return rd_refuse(session, -EPROTO, "message %u has unknown flags %#x or a result", msg->type, msg->flags);
	if (!p->lost && (p->n_fds < h->min_fds || p->n_fds > h->max_fds))
		return rd_refuse(session, -EPROTO, "message %u came with %zu descriptors", msg->type, p->n_fds);
	return 0;
}

static void session_packet(struct rd_session *session)
{
	struct rd_service *service = session->service;
	struct rd_packet p = { .data = service->packet, .fds = service->fds, .n_fds = RD_ARRAY_SIZE(service->fds) };
	ssize_t n = rd_recv_fds_keep(session->sock, service->packet, sizeof(service->packet), p.fds, &p.n_fds, &p.lost);
	int r;

	if (n == -EAGAIN)
		return;
	if (n == -EPROTO) {
		session->type = 0;
		session->seq = 0;
		r = rd_refuse(session, -EPROTO, "a packet was cut, or carried more than data and descriptors");
	} else if (n <= 0) {
		rd_session_close(session, RINGD_REASON_FREED);
		return;
	} else {
		p.len = (size_t)n;
		if (session->wait_cancel)
			r = rd_refuse(session, -EPROTO, "a packet before the answer to the last request");
		else
			r = packet_check(session, &p);
		/* of a call in fragments it is known to the end */
		if (r == 0 && p.lost && session->type != RINGD_MSG_REGISTER)
			r = rd_refuse_lost(session);
		if (r == 0)
			r = handlers[session->type].fn(session, &p);
	}
	rd_closer_close(service, session, p.fds, p.n_fds);
	if (r < 0)
		rd_session_answer_error(session, r);
}

static void session_readable(evutil_socket_t sock, short what, void *arg)
{
	struct rd_session *session = arg;

	(void)sock;
	(void)what;
	rd_session_get(session);
	session_packet(session);
	rd_session_put(session);
}

void rd_session_pause(struct rd_session *session, bool pause)
{
	if (!session->connected)
		return;
	if (pause)
		event_del(session->readable);
	else if (event_add(session->readable, NULL) < 0)
		rd_session_close(session, RINGD_REASON_FREED);
}

/* --- life --- */

void rd_session_get(struct rd_session *session)
{
	session->refs++;
}

void rd_session_put(struct rd_session *session)
{
	struct rd_service *service = session->service;

	if (--session->refs > 0)
		return;
	rd_list_remove(&session->link);
	rd_charge_give(&session->client);
	free(session->space.ranges);
	free(session);
	rd_service_settled(service);
}

static void close_run(struct rd_work *work)
{
	rd_close(RD_CONTAINER_OF(work, struct rd_session, close_work)->sock);
}

static void close_done(struct rd_work *work)
{
	struct rd_session *session = RD_CONTAINER_OF(work, struct rd_session, close_work);
	struct rd_service *service = session->service;

	service->jobs--;
	session->sock = -1;
	rd_session_put(session);	/* the connection's own reference */
}

void rd_session_close(struct rd_session *session, uint32_t reason)
{
	struct rd_service *service = session->service;

	if (!session->connected)
		return;
	session->connected = false;
	if (session->readable)
		event_free(session->readable);
	if (session->exited)
		event_free(session->exited);
	session->readable = session->exited = NULL;
	rd_close(rd_steal_fd(&session->pidfd));
	/* ring_gone() may give back every other reference now; the connection's is held until close_done() */
	rd_hostring_kill_all(session, reason);
	rd_arena_drop_all(session);
	rd_cwd_drop(session);
	rd_lent_drop(session);
	rd_channel_drop(session);
	rd_handle_drop_all(session);
	rd_stage_drop(session);
	rd_wait_cancel_drop(session);
	/* The client learns it now. Descriptors it sent and we never took die with our end: a worker closes it. */
	shutdown(session->sock, SHUT_RDWR);
	session->close_work = (struct rd_work){ .run = close_run, .done = close_done, .unbounded = 1 };
	rd_list_init(&session->close_work.link);
	service->jobs++;
	rd_workers_queue(service->engine.workers, &session->close_work);
	service->clients--;
	rd_service_changed(service);
}

static void session_welcome(struct rd_session *session, uint32_t version)
{
	const struct rd_engine *engine = &session->service->engine;
	struct ringd_welcome answer = {
		.version = (uint16_t)version,
		.features = RD_FEATURES,
		.engine_pid = (uint32_t)getpid(),
		.spin_us = engine->cfg.spin_us,
	};

	memcpy(answer.limits, engine->user.limit, sizeof(engine->user.limit));
	rd_session_answer(session, &answer.msg, sizeof(answer), 0, NULL, 0);
}

/* A client can leave its end of the connection in a socket that somebody else has, us included: it lives on there. */
static void session_exited(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rd_session_close(arg, RINGD_REASON_FREED);
}

static bool session_watch(struct rd_session *session)
{
	struct event_base *base = session->service->engine.reactor->base;

	session->readable = event_new(base, session->sock, EV_READ | EV_PERSIST, session_readable, session);
	if (!session->readable || event_add(session->readable, NULL) < 0)
		return false;
	if (session->pidfd < 0)
		return true;
	session->exited = event_new(base, session->pidfd, EV_READ, session_exited, session);
	return session->exited && event_add(session->exited, NULL) == 0;
}

static int session_admit(struct rd_session *session)
{
	struct rd_service *service = session->service;

	if (rd_charge_take(&session->client, &service->engine.user, RINGD_LIMIT_CLIENTS, 1) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_CLIENTS, 1);
	if (service->stop_ns)
		return rd_refuse(session, -ECONNRESET, "the engine is ending");
	if (session_watch(session))
		return 0;
	return rd_refuse(session, -ENOMEM, "the engine is out of memory");
}

void rd_session_start(struct rd_service *service, int sock, int pidfd, const struct rd_link_client *client)
{
	struct rd_session *session = calloc(1, sizeof(*session));
	int r;

	service->attached++;
	if (!session) {
		rd_closer_close(service, NULL, &sock, 1);
		rd_close(pidfd);
		rd_service_changed(service);
		return;
	}
	session->host.ops = &session_host;
	session->service = service;
	session->refs = 1;
	session->sock = sock;
	session->pidfd = pidfd;
	session->pid = client->pid;
	session->flags = client->flags;
	session->type = RINGD_MSG_HELLO;
	session->seq = client->hello_seq;
	rd_list_init(&session->arenas);
	rd_list_init(&session->rings);
	rd_list_init(&session->handles);
	rd_list_append(&service->sessions, &session->link);
	session->connected = true;
	service->clients++;
	r = session_admit(session);
	if (r == 0) {
		session_welcome(session, client->version);
		rd_service_changed(service);
		return;
	}
	rd_session_answer_error(session, r);
	rd_session_close(session, RINGD_REASON_FREED);
}
