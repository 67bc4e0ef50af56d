/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine process: the link to the manager, the clients it hands over, the end. Without a manager the engine serves
 * the clients it has and ends with the last one.
 *
 * The end: every ring is killed and every connection shut, then what is still on workers may come back for a while. What does
 * not is stuck in the kernel and is left to the kernel; nothing it could touch is freed.
 */
#include "service.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/common/clock.h"
#include "daemon/common/fdpass.h"
#include "daemon/common/log.h"
#include "session.h"
#include "../exec/uring.h"

#define RD_STOP_NS	2000000000ull	/* for requests to come back */
#define RD_STOP_TICK_MS	5
#define RD_GRACE_MS	500		/* for workers after that */
#define RD_CLOSE_WARN_S	10		/* say so when descriptors of clients that left are open for so long */

/* --- to the manager --- */

static void stats_fill(struct rd_service *service)
{
	const struct rd_engine *engine = &service->engine;
	struct ringd_status *st = &service->stats.status;

	memset(&service->stats, 0, sizeof(service->stats));
	service->stats.msg = (struct rd_link_msg){ .type = RD_LINK_STATS, .cookie = service->stats_cookie };
	st->uptime_ms = (rd_now_ns() - service->started_ns) / 1000000;
	memcpy(st->used, engine->user.used, sizeof(engine->user.used));
	memcpy(st->limit, engine->user.limit, sizeof(engine->user.limit));
	st->submitted = engine->stats.submitted;
	st->completed = engine->stats.completed;
	st->punted = engine->stats.punted;
	st->polled = engine->stats.polled;
	st->uring = engine->stats.uring;
	st->rings_killed = engine->stats.rings_killed;
	strncpy(st->backend, engine->uring ? "uring" : "sync", sizeof(st->backend) - 1);
	memcpy(st->ops, engine->stats.ops, sizeof(st->ops));
	memcpy(st->latency, engine->stats.latency, sizeof(st->latency));
}

/* True: it is sent, or nobody is there to read it. */
static bool link_send(struct rd_service *service, const void *msg, size_t len)
{
	return rd_send_fds(service->link_fd, msg, len, NULL, 0) != -EAGAIN;
}

/* Send what is owed; each of the messages is a snapshot, so a full link delays them but never piles them up. */
static void link_flush(struct rd_service *service)
{
	if (service->link_fd < 0)
		return;
	if (service->owe_ready) {
		struct rd_link_msg msg = { .type = RD_LINK_READY };

		service->owe_ready = !link_send(service, &msg, sizeof(msg));
	}
	if (service->owe_load) {
		struct rd_link_load msg = {
			.msg = { .type = RD_LINK_LOAD }, .attached = service->attached, .clients = service->clients,
		};

		service->owe_load = !link_send(service, &msg, sizeof(msg));
	}
	if (service->owe_stats) {
		stats_fill(service);
		service->owe_stats = !link_send(service, &service->stats, sizeof(service->stats));
	}
	if (!rd_info_send(service) || service->owe_ready || service->owe_load || service->owe_stats)
		event_add(service->link_room, NULL);
}

static void link_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	link_flush(arg);
}

/* --- the end --- */

static void tick_after(struct rd_service *service, unsigned int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	event_add(service->tick, &tv);
}

static void service_stop(struct rd_service *service)
{
	struct rd_link *l, *tmp;

	if (service->stop_ns)
		return;
	service->stop_ns = rd_now_ns();
	rd_list_foreach(l, tmp, &service->sessions)
		rd_session_close(rd_list_entry(l, struct rd_session, link), RINGD_REASON_SHUTDOWN);
	tick_after(service, 0);
}

/* Descriptors and threads are given back later than the last session: close() takes its time, and so does the network. */
static bool slot_is_late(const struct rd_engine *engine, unsigned int slot)
{
	if (slot == RINGD_LIMIT_OBJECTS && engine->uring)
		return rd_uring_zc_held(engine->uring);
	return slot == RINGD_LIMIT_FILES || slot == RINGD_LIMIT_WORKERS;
}

static void check_budget(const struct rd_service *service)
{
	const struct rd_user *user = &service->engine.user;

	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++) {
		if (user->used[i] && !slot_is_late(&service->engine, i))
			rd_error("leak: %llu %s are charged to no client", (unsigned long long)user->used[i],
				 rd_limit_name(i));
	}
}

static bool all_back(const struct rd_service *service)
{
	return rd_list_empty(&service->sessions) && !service->jobs;
}

void rd_service_settled(struct rd_service *service)
{
	if (!all_back(service) || service->stop_ns)
		return;
	/* our caller may hold a charge still: look at them from the event loop */
	service->settled = false;
	tick_after(service, 0);
}

void rd_service_changed(struct rd_service *service)
{
	service->owe_load = true;
	link_flush(service);
	/* requests of clients that are gone must not keep an engine without a manager alive */
	if (service->link_fd < 0 && !service->clients)
		service_stop(service);
}

/* Ending: has everything come back? */
static void tick_stop(struct rd_service *service)
{
	bool back = all_back(service) && !service->engine.user.used[RINGD_LIMIT_FILES];

	if (back || rd_now_ns() - service->stop_ns > RD_STOP_NS)
		rd_reactor_stop(service->engine.reactor);
	else
		tick_after(service, RD_STOP_TICK_MS);
}

/* Nobody is left: what is charged to nobody now is lost, or is being closed. */
static void tick_settled(struct rd_service *service)
{
	uint64_t files = service->engine.user.used[RINGD_LIMIT_FILES];

	if (service->settled && files)
		rd_warn("%llu descriptors are still being closed, %d s after the last client left", (unsigned long long)files,
			RD_CLOSE_WARN_S);
	if (service->settled)
		return;
	service->settled = true;
	check_budget(service);
	if (service->link_fd < 0)
		service_stop(service);
	else if (files)
		tick_after(service, RD_CLOSE_WARN_S * 1000);
}

static void service_tick(evutil_socket_t fd, short what, void *arg)
{
	struct rd_service *service = arg;

	(void)fd;
	(void)what;
	if (service->stop_ns)
		tick_stop(service);
	else if (all_back(service))
		tick_settled(service);
}

static void service_sigterm(evutil_socket_t sig, short what, void *arg)
{
	(void)sig;
	(void)what;
	service_stop(arg);
}

/* --- from the manager --- */

static void link_gone(struct rd_service *service)
{
	rd_warn("the manager is gone; %llu clients are served until they leave", (unsigned long long)service->clients);
	event_free(service->link_event);
	event_free(service->link_room);
	service->link_event = service->link_room = NULL;
	rd_info_drop(service);
	rd_close(rd_steal_fd(&service->link_fd));
	if (!service->clients)
		service_stop(service);
}

/* fds: what came, -1 where nothing did. */
static void link_packet(struct rd_service *service, size_t len, int fds[2])
{
	const struct rd_link_msg *msg = (const void *)service->packet;

	if (len == sizeof(struct rd_link_client) && msg->type == RD_LINK_CLIENT && fds[0] >= 0) {
		rd_session_start(service, rd_steal_fd(&fds[0]), rd_steal_fd(&fds[1]), (const void *)service->packet);
	} else if (len == sizeof(*msg) && msg->type == RD_LINK_STATS) {
		service->owe_stats = true;
		service->stats_cookie = msg->cookie;
		link_flush(service);
	} else if (len == sizeof(struct rd_link_ask_ring) && msg->type == RD_LINK_ASK_RING) {
		rd_info_ask(service, msg->cookie, ((const struct rd_link_ask_ring *)(const void *)service->packet)->ring);
		link_flush(service);
	} else if (len == sizeof(*msg) && msg->type == RD_LINK_STOP) {
		service_stop(service);
	} else {
		rd_error("the manager sent %zu bytes that mean nothing", len);
	}
}

static void link_readable(evutil_socket_t sock, short what, void *arg)
{
	struct rd_service *service = arg;
	size_t n_fds = 2;
	int fds[2] = { -1, -1 };
	ssize_t n = rd_recv_fds(service->link_fd, service->packet, sizeof(service->packet), fds, &n_fds);

	(void)sock;
	(void)what;
	if (n == -EAGAIN)
		return;
	if (n == 0 || (n < 0 && n != -EPROTO)) {
		link_gone(service);
		return;
	}
	for (size_t i = n_fds; i < 2; i++)
		fds[i] = -1;
	if (n > 0)
		link_packet(service, (size_t)n, fds);
	rd_closer_close(service, NULL, fds, 2);
}

/* --- the beginning --- */

static void process_setup(void)
{
	/* one malloc arena: workers allocate little, and an idle engine should be small */
	mallopt(M_ARENA_MAX, 1);
	umask(0);	/* the client's library applies the client's, see cwd.c */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

#define RD_SPARE_FILES	1024u	/* descriptors of our own, and of packets that are on their way */

/*
 * A budget that the process cannot keep would be refused by the kernel in the middle of something, without words. A file
 * is one descriptor, a ring two, a client two; the rest is for ourselves and for what is on its way in a packet.
 */
static void fit_descriptors(struct rd_engine_config *cfg)
{
	struct rlimit rl;
	uint64_t files;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur == RLIM_INFINITY)
		return;
	/* where a sixteenth is enough for the rest, who serves ten thousand connections may have the other one */
	files = rl.rlim_cur / 2 + (rl.rlim_cur / 16 >= RD_SPARE_FILES ? rl.rlim_cur / 16 : 0);
	cfg->limits[RINGD_LIMIT_FILES] = RD_MIN(cfg->limits[RINGD_LIMIT_FILES], files);
	cfg->limits[RINGD_LIMIT_RINGS] = RD_MIN(cfg->limits[RINGD_LIMIT_RINGS], rl.rlim_cur / 8);
	cfg->limits[RINGD_LIMIT_CLIENTS] = RD_MIN(cfg->limits[RINGD_LIMIT_CLIENTS], rl.rlim_cur / 16);
}

static int service_watch(struct rd_service *service)
{
	struct event_base *base = service->engine.reactor->base;

	service->link_event = event_new(base, service->link_fd, EV_READ | EV_PERSIST, link_readable, service);
	service->link_room = event_new(base, service->link_fd, EV_WRITE, link_writable, service);
	service->sigterm = evsignal_new(base, SIGTERM, service_sigterm, service);
	service->tick = evtimer_new(base, service_tick, service);
	if (!service->link_event || !service->link_room || !service->sigterm || !service->tick)
		return -ENOMEM;
	if (event_add(service->link_event, NULL) < 0 || event_add(service->sigterm, NULL) < 0)
		return -ENOMEM;
	return 0;
}

static void event_freep(struct event **ev)
{
	if (*ev)
		event_free(*ev);
	*ev = NULL;
}

static void service_deinit(struct rd_service *service)
{
	bool back = all_back(service);

	rd_info_drop(service);
	event_freep(&service->link_event);
	event_freep(&service->link_room);
	event_freep(&service->sigterm);
	event_freep(&service->tick);
	rd_close(service->link_fd);
	if (!back) {
		rd_warn("ending with requests that did not come back");
		return;		/* the process ends now; until then they find everything as it was */
	}
	rd_engine_deinit(&service->engine, RD_GRACE_MS);
	free(service);
}

int rd_service_run(const struct rd_engine_config *cfg, int link_fd)
{
	struct rd_service *service = calloc(1, sizeof(*service));
	struct rd_engine_config fitted = *cfg;
	int r;

	if (!service) {
		rd_close(link_fd);
		return -ENOMEM;
	}
	process_setup();
	service->link_fd = link_fd;
	service->started_ns = rd_now_ns();
	rd_list_init(&service->sessions);
	rd_list_init(&service->infos);
	rd_list_init(&service->exports);
	fit_descriptors(&fitted);
	r = rd_engine_init(&service->engine, &fitted);
	if (r < 0) {
		rd_close(link_fd);
		free(service);
		return r;
	}
	r = service_watch(service);
	if (r == 0) {
		service->owe_ready = true;
		link_flush(service);
		rd_reactor_run(service->engine.reactor);
	}
	service_deinit(service);
	return r;
}
