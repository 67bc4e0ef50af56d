/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tenant and its engine process. States:
 *
 *   NONE --client--> STARTING --READY--> SERVING --idle or shutdown--> STOPPING --exit--> NONE
 *                       +------------------+---- it died -----------------------------> NONE, backing off
 *
 * Clients wait in a queue unless the engine is SERVING and its link has room.
 */
#ifndef RD_TENANT_H
#define RD_TENANT_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "backoff.h"
#include "conn.h"
#include "daemon/common/list.h"
#include "peer.h"
#include "runtime.h"

#define RD_WAITING_MAX		256	/* clients in the queue of one tenant */

enum rd_tenant_state {
	RD_TENANT_NONE,
	RD_TENANT_STARTING,
	RD_TENANT_SERVING,
	RD_TENANT_STOPPING,
};

struct rd_tenant {
	struct rd_link link;		/* manager->tenants */
	struct rd_manager *manager;
	struct rd_tenant_key key;
	uid_t payer;			/* as in struct rd_peer */
	enum rd_tenant_state state;
	struct rd_backoff backoff;
	uint32_t restarts;		/* starts after a death */
	bool died;			/* the next start is a restart */
	struct rd_link waiting;		/* rd_conn.queue, oldest first */
	unsigned int n_waiting;

	/* the process (engine.c); while state is not NONE */
	pid_t pid;
	int pidfd;
	int fd;				/* our end of the link */
	char dir[RD_ENGINE_DIR];
	uint64_t started_ns;
	uint64_t handed;		/* clients sent over the link */
	uint64_t attached, clients;	/* what it last said it has taken, and has */
	const char *fate;		/* static text: why we ended it; NULL: it was not us */
	bool planned;			/* and that was no failure of its */
	struct event ev_exit, ev_read, ev_write, ev_timer, ev_rest;
};

/* A client with a good HELLO and a known identity: to its engine, or refused with a reason. Takes it over. */
void rd_tenant_route(struct rd_manager *m, struct rd_conn *conn);
/* Frees a tenant; an engine that still runs is left alone. NULL is fine, returns NULL. */
struct rd_tenant *rd_tenant_free(struct rd_tenant *t);

/* The engine has no clients and none is on its way. */
bool rd_tenant_idle(const struct rd_tenant *t);
/* It holds a place: it has a process or a death that delays the next. */
bool rd_tenant_in_use(const struct rd_tenant *t, uint64_t now_ns);

/* For engine.c. There is one waiting: take it out of the queue; the caller's. */
struct rd_conn *rd_tenant_take_waiting(struct rd_tenant *t);
void rd_tenant_refuse_waiting(struct rd_tenant *t, int res, const char *text);
/* Somebody is waiting and there is no process. */
void rd_tenant_start(struct rd_tenant *t);
/* The process was reaped and state is NONE. */
void rd_tenant_engine_gone(struct rd_tenant *t, bool planned, const char *how);

#endif
