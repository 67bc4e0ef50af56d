/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections before they have an engine. What an unknown peer can make us hold is this struct and its socket: per
 * uid only so many, each for a second.
 */
#include "conn.h"

#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/fdpass.h"
#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "hello.h"
#include "manager.h"
#include "status.h"
#include "tenant.h"

struct rd_conn *rd_conn_free(struct rd_conn *conn)
{
	if (!conn)
		return NULL;
	event_del(&conn->ev);
	if (conn->silent)
		conn->manager->n_silent--;
	conn->manager->n_conns--;
	rd_list_remove(&conn->link);
	rd_list_remove(&conn->queue);
	rd_peer_deinit(&conn->peer);
	rd_close(conn->early_pidfd);
	rd_close(conn->fd);
	free(conn);
	return NULL;
}

void rd_conn_refuse(struct rd_conn *conn, int res, const char *text)
{
	rd_hello_refuse(conn->fd, conn->seq, res, text);
	rd_conn_free(conn);
}

bool rd_conn_evict(struct rd_manager *m)
{
	struct rd_link *l, *tmp;

	if (m->n_silent == 0)
		return false;
	rd_list_foreach(l, tmp, &m->conns) {
		struct rd_conn *conn = rd_list_entry(l, struct rd_conn, link);

		if (conn->silent) {
			rd_conn_refuse(conn, -EAGAIN, "too many connections wait for their HELLO");
			return true;
		}
	}
	return false;
}

/* A HELLO of another kind than was expected. Its seq is repeated as far as there was one. */
static void refuse_hello(struct rd_conn *conn, int res, const char *text)
{
	rd_warn("uid %u pid %d: %s", conn->uid, conn->peer.pid, text);
	rd_conn_refuse(conn, res, text);
}

static void identify(struct rd_conn *conn, const struct ringd_hello *hello)
{
	struct rd_manager *m = conn->manager;
	int r;

	if (hello->kind != RINGD_HELLO_CLIENT) {
		rd_status_ask(conn, hello);
		return;
	}
	r = rd_peer_identify(&conn->peer, conn->fd, conn->early_pidfd, &m->self);
	if (r == -EPERM)
		return refuse_hello(conn, r, "too many supplementary groups");
	if (r < 0)
		return rd_conn_refuse(conn, r, "the client could not be identified");
	rd_tenant_route(m, conn);
}

/* Until the deadline, which does not move. */
static void wait_for_hello(struct rd_conn *conn)
{
	uint64_t now = rd_now_ns(), left = conn->deadline_ns > now ? conn->deadline_ns - now : 0;
	const struct timeval tv = { .tv_sec = (time_t)(left / 1000000000), .tv_usec = (suseconds_t)(left % 1000000000 / 1000) };

	event_add(&conn->ev, &tv);
}

/* The HELLO is there, the time is over, or the peer has gone. Either way this is the only time we look. */
static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct rd_conn *conn = arg;
	struct ringd_hello hello;
	const char *text = "";
	size_t no_fds = 0;
	ssize_t n;
	int r;

	if (what & EV_TIMEOUT)
		return rd_conn_refuse(conn, -ETIMEDOUT, "no HELLO in time");
	memset(&hello, 0, sizeof(hello));
	n = rd_recv_fds(fd, &hello, sizeof(hello), NULL, &no_fds);
	if (n == -EAGAIN)
		return wait_for_hello(conn);	/* readiness that went away */
	conn->silent = false;
	conn->manager->n_silent--;
	conn->seq = hello.msg.seq;
	if (n == -EPROTO)
		return refuse_hello(conn, -EPROTO, "bad HELLO: too long or with descriptors");
	if (n <= 0) {
		rd_conn_free(conn);
		return;
	}
	r = rd_hello_check(&hello, (size_t)n, &conn->version, &text);
	if (r == 0)
		r = rd_peer_allowed(&conn->manager->self, conn->uid, &text);
	if (r < 0)
		return refuse_hello(conn, r, text);
	identify(conn, &hello);
}

/* Refuses a connection that gets no struct. Its HELLO is usually there already, so that the answer fits it. */
static void turn_away(int fd, int res, const char *text)
{
	struct ringd_hello hello = { 0 };
	size_t no_fds = 0;

	(void)rd_recv_fds(fd, &hello, sizeof(hello), NULL, &no_fds);
	rd_hello_refuse(fd, hello.msg.seq, res, text);
	rd_close(fd);
}

static unsigned int count_uid(struct rd_manager *m, uid_t uid)
{
	struct rd_link *l, *tmp;
	unsigned int n = 0;

	rd_list_foreach(l, tmp, &m->conns)
		n += rd_list_entry(l, struct rd_conn, link)->uid == uid;
	return n;
}

void rd_conn_accept(struct rd_manager *m, int fd)
{
	struct rd_conn *conn;
	struct ucred cred;

	if (rd_peer_creds(fd, &cred) < 0) {
		rd_close(fd);
		return;
	}
	if (count_uid(m, cred.uid) >= RD_CONNS_PER_UID) {
		rd_warn("uid %u: too many connections at one time", cred.uid);
		return turn_away(fd, -EDQUOT, "too many connections of your uid wait at one time");
	}
	if (m->n_conns >= RD_CONNS_MAX && !rd_conn_evict(m))
		return turn_away(fd, -EAGAIN, "too many connections wait at one time");
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return turn_away(fd, -ENOMEM, "out of memory");
	conn->manager = m;
	conn->fd = fd;
	conn->uid = cred.uid;
	conn->silent = true;
	conn->early_pidfd = rd_peer_early_pidfd(fd, cred.pid);
	rd_peer_init(&conn->peer);
	conn->peer.pid = cred.pid;
	rd_list_init(&conn->queue);
	rd_list_append(&m->conns, &conn->link);
	m->n_conns++;
	m->n_silent++;
	event_assign(&conn->ev, m->base, fd, EV_READ, on_ready, conn);
	conn->deadline_ns = rd_now_ns() + RD_HELLO_SECONDS * 1000000000ull;
	wait_for_hello(conn);
}
