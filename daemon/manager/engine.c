/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One engine process seen from the manager. It runs as the tenant, so what it says on the link is believed only where
 * nobody else is hurt by a lie: sizes and types are checked, counts only decide when it is stopped for idleness.
 */
#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/common/clock.h"
#include "daemon/common/fdpass.h"
#include "daemon/common/link.h"
#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "manager.h"
#include "spawn.h"
#include "status.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83	/* Linux 6.16 */
#endif

#define PACKETS_AT_ONCE	64	/* from one link, then the others have their turn */

static void set_timer(struct event *ev, unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(ev, &tv);
}

static void update_idle(struct rd_tenant *t)
{
	if (t->state != RD_TENANT_SERVING)
		return;		/* the timer has another meaning */
	if (!rd_tenant_idle(t) || t->manager->cfg->engine_idle_s == 0)
		event_del(&t->ev_timer);
	else if (!event_pending(&t->ev_timer, EV_TIMEOUT, NULL))
		set_timer(&t->ev_timer, t->manager->cfg->engine_idle_s * 1000);
}

void rd_engine_kill(struct rd_tenant *t, const char *why)
{
	if (!t->fate || t->planned) {
		t->fate = why;
		t->planned = false;
	}
	pidfd_send_signal(t->pidfd, SIGKILL, NULL, 0);
}

void rd_engine_stop(struct rd_tenant *t, const char *why)
{
	const struct rd_link_msg msg = { .type = RD_LINK_STOP };

	t->state = RD_TENANT_STOPPING;
	t->fate = why;
	t->planned = true;
	event_del(&t->ev_write);
	set_timer(&t->ev_timer, RD_END_SECONDS * 1000);
	if (rd_send_fds(t->fd, &msg, sizeof(msg), NULL, 0) < 0)
		pidfd_send_signal(t->pidfd, SIGTERM, NULL, 0);	/* the link is full or closed; this it hears as well */
}

/* ---- clients ---- */

static int hand_over(struct rd_tenant *t, const struct rd_conn *conn)
{
	const struct rd_link_client msg = {
		.msg.type = RD_LINK_CLIENT,
		.hello_seq = conn->seq,
		.version = conn->version,
		.pid = conn->peer.pid,
		.flags = (conn->peer.no_paths ? RD_CLIENT_NO_PATHS : 0) |
			 (conn->peer.no_network ? RD_CLIENT_NO_NETWORK : 0),
	};
	const int fds[2] = { conn->fd, conn->peer.pidfd };
	int on = 1;

	/* from here on it may send descriptors: the engine takes them */
	(void)setsockopt(conn->fd, SOL_SOCKET, SO_PASSRIGHTS, &on, sizeof(on));
	return rd_send_fds(t->fd, &msg, sizeof(msg), fds, conn->peer.pidfd < 0 ? 1 : 2);
}

void rd_engine_flush(struct rd_tenant *t)
{
	while (!rd_list_empty(&t->waiting)) {
		struct rd_conn *conn = rd_list_first(&t->waiting, struct rd_conn, queue);
		int r = hand_over(t, conn);

		if (r == -EAGAIN) {
			event_add(&t->ev_write, NULL);
			return;
		}
		if (r == -EPIPE || r == -ECONNRESET) {	/* it is ending; its exit tells those who wait */
			event_del(&t->ev_write);
			return;
		}
		rd_tenant_take_waiting(t);
		if (r < 0) {
			rd_conn_refuse(conn, -EAGAIN, "the connection could not be handed to your engine");
			continue;
		}
		t->handed++;
		rd_conn_free(conn);
	}
	event_del(&t->ev_write);
	update_idle(t);
}

/* ---- the link ---- */

static bool take_packet(struct rd_tenant *t, const struct rd_link_stats *p, size_t n)
{
	const struct rd_link_load *load = (const struct rd_link_load *)p;
	const struct rd_link_text *text = (const struct rd_link_text *)p;

	_Static_assert(sizeof(*p) >= sizeof(*text), "there is room for each");
	if (n < sizeof(p->msg))
		return false;
	switch (p->msg.type) {
	case RD_LINK_READY:
		if (n != sizeof(p->msg) || (t->state != RD_TENANT_STARTING && t->state != RD_TENANT_STOPPING))
			return false;
		if (t->state == RD_TENANT_STARTING) {
			t->state = RD_TENANT_SERVING;
			event_del(&t->ev_timer);
			rd_engine_flush(t);
		}
		return true;
	case RD_LINK_LOAD:
		if (n != sizeof(*load))
			return false;
		t->attached = load->attached;
		t->clients = load->clients;
		update_idle(t);
		return true;
	case RD_LINK_STATS:
		if (n != sizeof(*p))
			return false;
		rd_status_answer(t, p);
		return true;
	case RD_LINK_TEXT:
		if (n < offsetof(struct rd_link_text, text) || text->len > sizeof(text->text) || text->more > 1 ||
		    n != offsetof(struct rd_link_text, text) + text->len)
			return false;
		rd_status_text(t, text);
		return true;
	}
	return false;
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
	struct rd_tenant *t = arg;
	struct rd_link_stats packet;	/* the largest one */

	for (int i = 0; i < PACKETS_AT_ONCE; i++) {
		size_t no_fds = 0;
		ssize_t n = rd_recv_fds(fd, &packet, sizeof(packet), NULL, &no_fds);

		if (n == -EAGAIN)
			return;
		if (n > 0 && take_packet(t, &packet, (size_t)n))
			continue;
		event_del(&t->ev_read);
		if (n > 0 || n == -EPROTO)
			rd_engine_kill(t, "it broke the protocol of its link");
		else if (t->state != RD_TENANT_STOPPING)
			rd_engine_kill(t, "it closed its link");
		return;
	}
	/* it says more than an engine has to say: it waits, not we */
	event_del(&t->ev_read);
	set_timer(&t->ev_rest, 10);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
	struct rd_tenant *t = arg;

	event_add(&t->ev_read, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	rd_engine_flush(arg);
}

int rd_engine_ask_ring(struct rd_tenant *t, uint32_t cookie, uint32_t ring)
{
	const struct rd_link_ask_ring msg = { .msg = { .type = RD_LINK_ASK_RING, .cookie = cookie }, .ring = ring };

	return rd_send_fds(t->fd, &msg, sizeof(msg), NULL, 0);
}

int rd_engine_ask_stats(struct rd_tenant *t, uint32_t cookie)
{
	const struct rd_link_msg msg = { .type = RD_LINK_STATS, .cookie = cookie };

	return rd_send_fds(t->fd, &msg, sizeof(msg), NULL, 0);
}

/* ---- begin and end ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rd_tenant *t = arg;

	if (t->state == RD_TENANT_STARTING)
		rd_engine_kill(t, "it was not ready in time");
	else if (t->state == RD_TENANT_STOPPING)
		rd_engine_kill(t, "it did not end when asked to");
	else if (rd_tenant_idle(t))
		rd_engine_stop(t, "idle");
}

void rd_engine_release(struct rd_tenant *t)
{
	event_del(&t->ev_exit);
	event_del(&t->ev_read);
	event_del(&t->ev_write);
	event_del(&t->ev_timer);
	event_del(&t->ev_rest);
	rd_close(t->fd);
	rd_close(t->pidfd);
	t->fd = t->pidfd = -1;
	t->state = RD_TENANT_NONE;
	t->manager->n_engines--;
}

/* Why it ended, in words: our reason where it was us, else what the kernel says. */
static void describe(const struct rd_tenant *t, const siginfo_t *info, char *how, size_t size)
{
	bool by_us = t->planned || (info->si_code == CLD_KILLED && info->si_status == SIGKILL);

	if (t->fate && by_us)
		snprintf(how, size, "%s", t->fate);
	else if (info->si_code == CLD_EXITED)
		snprintf(how, size, "exit status %d", info->si_status);
	else
		snprintf(how, size, "killed by signal %d", info->si_status);
}

static void on_exit_(evutil_socket_t fd, short what, void *arg)
{
	struct rd_tenant *t = arg;
	uint64_t lived_ms = (rd_now_ns() - t->started_ns) / 1000000;
	siginfo_t info = { 0 };
	char how[80];
	bool planned;

	if (waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return;
	describe(t, &info, how, sizeof(how));
	planned = t->planned;
	rd_log(planned ? LOG_INFO : LOG_WARNING, "engine %d of uid %u ended after %llu.%03llu s: %s", t->pid, t->key.uid,
	       (unsigned long long)(lived_ms / 1000), (unsigned long long)(lived_ms % 1000), how);
	rd_status_forget(t);
	rd_runtime_remove(&t->manager->runtime, t->dir);
	rd_engine_release(t);
	rd_tenant_engine_gone(t, planned, how);
}

static void watch(struct rd_tenant *t)
{
	struct event_base *base = t->manager->base;

	event_assign(&t->ev_exit, base, t->pidfd, EV_READ | EV_PERSIST, on_exit_, t);
	event_assign(&t->ev_read, base, t->fd, EV_READ | EV_PERSIST, on_link, t);
	event_assign(&t->ev_write, base, t->fd, EV_WRITE | EV_PERSIST, on_writable, t);
	event_assign(&t->ev_timer, base, -1, 0, on_timer, t);
	event_assign(&t->ev_rest, base, -1, 0, on_rested, t);
	event_add(&t->ev_exit, NULL);
	event_add(&t->ev_read, NULL);
	set_timer(&t->ev_timer, RD_READY_SECONDS * 1000);
}

static int spawn(struct rd_tenant *t, const struct rd_peer *peer, int link)
{
	struct rd_manager *m = t->manager;
	RD_FREE char *dir = NULL;

	if (asprintf(&dir, "%s/engines/%s", m->runtime.path, t->dir) < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	return rd_spawn(&(struct rd_spawn){ .cfg = m->cfg, .peer = peer, .runtime_dir = dir, .link = link },
			&t->pid, &t->pidfd);
}

int rd_engine_start(struct rd_tenant *t, const struct rd_peer *peer)
{
	struct rd_manager *m = t->manager;
	RD_CLOSE int theirs = -1;
	int pair[2], r;

	r = rd_runtime_add(&m->runtime, t->key.uid, t->key.gid, t->dir);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		r = -errno;
		rd_runtime_remove(&m->runtime, t->dir);
		return r;
	}
	theirs = pair[1];
	r = spawn(t, peer, theirs);
	if (r < 0) {
		rd_close(pair[0]);
		rd_runtime_remove(&m->runtime, t->dir);
		return r;
	}
	t->fd = pair[0];
	t->started_ns = rd_now_ns();
	t->handed = t->attached = t->clients = 0;
	t->fate = NULL;
	t->planned = false;
	t->state = RD_TENANT_STARTING;
	m->n_engines++;
	watch(t);
	rd_info("engine %d started for uid %u gid %u%s", t->pid, t->key.uid, t->key.gid,
		t->key.foreign ? ", which opens no paths" :
		peer->mnt_ns >= 0 || peer->root >= 0 ? ", in the namespaces of its clients" : "");
	return 0;
}
