/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of ringd: accept, signals, shutdown. One thread; it maps no shared memory and waits for nobody but
 * in libevent.
 */
#include "manager.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "conn.h"
#include "daemon/common/log.h"
#include "daemon/common/sanitizer.h"
#include "daemon/common/util.h"
#include "engine.h"
#include "status.h"
#include "tenant.h"

#define ACCEPTS_AT_ONCE	64
#define RESUME_MS	100	/* after we ran out of descriptors */

static void arm(struct event *ev, unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_add(ev, &tv);
}

/* Out of descriptors or memory: somebody silent goes, else nobody is accepted for a moment. */
static void accept_failed(struct rd_manager *m, int error)
{
	rd_warn("cannot accept a connection: %s", strerror(error));
	if (rd_conn_evict(m))
		return;
	event_del(m->ev_accept);
	arm(m->ev_resume, RESUME_MS);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct rd_manager *m = arg;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (c >= 0) {
			rd_conn_accept(m, c);
			continue;
		}
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			accept_failed(m, errno);
		return;
	}
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct rd_manager *m = arg;

	if (!m->stopping)
		event_add(m->ev_accept, NULL);
}

static void refuse_conns(struct rd_manager *m)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &m->tenants)
		rd_tenant_refuse_waiting(rd_list_entry(l, struct rd_tenant, link), -EAGAIN, "ringd is stopping");
	while (!rd_list_empty(&m->conns))
		rd_conn_refuse(rd_list_first(&m->conns, struct rd_conn, link), -EAGAIN, "ringd is stopping");
}

static void for_engines(struct rd_manager *m, void (*f)(struct rd_tenant *t, const char *why), const char *why)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &m->tenants) {
		struct rd_tenant *t = rd_list_entry(l, struct rd_tenant, link);

		if (t->state != RD_TENANT_NONE)
			f(t, why);
	}
}

static void stop(struct rd_manager *m)
{
	m->stopping = true;
	sd_notify(0, "STOPPING=1");
	rd_info("stopping, %u engines", m->n_engines);
	event_del(m->ev_accept);
	event_del(m->ev_resume);
	rd_listener_deinit(&m->listener);
	refuse_conns(m);
	rd_status_drop_all(m);
	for_engines(m, rd_engine_stop, "ringd is stopping");
	if (m->n_engines == 0)
		event_base_loopbreak(m->base);
	else
		arm(m->ev_stop, RD_STOP_MS);
}

/* The time of the engines is over. One that hangs in the kernel even then is left behind. */
static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rd_manager *m = arg;

	if (m->killed) {
		rd_warn("%u engines do not end", m->n_engines);
		event_base_loopbreak(m->base);
		return;
	}
	m->killed = true;
	for_engines(m, rd_engine_kill, "it did not end when asked to");
	arm(m->ev_stop, RD_KILL_MS);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct rd_manager *m = arg;

	if (!m->stopping)
		stop(m);
	else if (!m->killed)		/* asked twice: now */
		on_stop_timer(-1, 0, m);
}

void rd_manager_engine_gone(struct rd_manager *m)
{
	if (m->stopping && m->n_engines == 0)
		event_base_loopbreak(m->base);
}

static int make_events(struct rd_manager *m)
{
	m->ev_accept = event_new(m->base, m->listener.fd, EV_READ | EV_PERSIST, on_accept, m);
	m->ev_resume = evtimer_new(m->base, on_resume, m);
	m->ev_stop = evtimer_new(m->base, on_stop_timer, m);
	m->ev_term = evsignal_new(m->base, SIGTERM, on_signal, m);
	m->ev_int = evsignal_new(m->base, SIGINT, on_signal, m);
	if (!m->ev_accept || !m->ev_resume || !m->ev_stop || !m->ev_term || !m->ev_int)
		return -ENOMEM;
	if (event_add(m->ev_accept, NULL) < 0 || event_add(m->ev_term, NULL) < 0 || event_add(m->ev_int, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int rd_manager_init(struct rd_manager *m, const struct rd_config *cfg)
{
	int r;

	memset(m, 0, sizeof(*m));
	m->cfg = cfg;
	m->listener.fd = m->runtime.fd = m->runtime.engines_fd = -1;
	m->next_cookie = 1;
	rd_list_init(&m->conns);
	rd_list_init(&m->tenants);
	rd_list_init(&m->queries);
	/* we hold other users' sockets for a moment */
	if (prctl(PR_SET_DUMPABLE, RD_SANITIZED, 0, 0, 0) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	r = rd_self_init(&m->self, cfg->user);
	if (r == 0)
		r = rd_runtime_init(&m->runtime, cfg->runtime_dir, cfg->user);
	if (r == 0)
		r = rd_listener_init(&m->listener, m->runtime.path, cfg->socket_mode);
	if (r < 0)
		return r;
	m->base = event_base_new();
	r = m->base ? make_events(m) : -ENOMEM;
	if (r < 0)
		rd_error("cannot make the event loop: %s", strerror(-r));
	return r;
}

static void free_event(struct event **ev)
{
	if (*ev)
		event_free(*ev);
	*ev = NULL;
}

void rd_manager_deinit(struct rd_manager *m)
{
	rd_listener_deinit(&m->listener);
	while (!rd_list_empty(&m->tenants))
		rd_tenant_free(rd_list_first(&m->tenants, struct rd_tenant, link));
	while (!rd_list_empty(&m->conns))
		rd_conn_free(rd_list_first(&m->conns, struct rd_conn, link));
	rd_status_drop_all(m);
	free_event(&m->ev_accept);
	free_event(&m->ev_resume);
	free_event(&m->ev_stop);
	free_event(&m->ev_term);
	free_event(&m->ev_int);
	if (m->base)
		event_base_free(m->base);
	m->base = NULL;
	rd_runtime_deinit(&m->runtime);
	rd_self_deinit(&m->self);
}

/* Tells whoever started us that clients may connect. */
static void announce(const struct rd_manager *m)
{
	ssize_t n;

	rd_info("listening in %s", m->runtime.path);
	sd_notify(0, "READY=1");
	if (m->cfg->ready_fd < 0)
		return;
	n = write(m->cfg->ready_fd, "\n", 1);
	if (n != 1)
		rd_warn("cannot write to the ready descriptor %d", m->cfg->ready_fd);
	rd_close(m->cfg->ready_fd);
}

int rd_manager_run(struct rd_manager *m)
{
	announce(m);
	if (event_base_dispatch(m->base) < 0)
		return -EIO;
	return 0;
}
