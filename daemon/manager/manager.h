/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All that one ringd has. */
#ifndef RD_MANAGER_H
#define RD_MANAGER_H

#include <event2/event.h>

#include "config.h"
#include "daemon/common/list.h"
#include "listener.h"
#include "peer.h"
#include "runtime.h"

#define RD_STOP_MS	4000	/* what engines get to end by themselves when we are told to stop */
#define RD_KILL_MS	500	/* and then to be reaped */

struct rd_manager {
	const struct rd_config *cfg;
	struct event_base *base;
	struct rd_self self;
	struct rd_runtime runtime;
	struct rd_listener listener;
	struct event *ev_accept, *ev_resume, *ev_term, *ev_int, *ev_stop;
	struct rd_link conns;		/* rd_conn.link, oldest first */
	unsigned int n_conns, n_silent;
	struct rd_link tenants;		/* rd_tenant.link, the one used last at the end */
	unsigned int n_tenants, n_engines;
	struct rd_link queries;		/* rd_query.link */
	uint32_t next_cookie;
	bool stopping;			/* no more clients */
	bool killed;			/* and the engines' time is over */
};

/* 0, or -errno after the reason was logged. rd_manager_deinit() in both cases. */
int rd_manager_init(struct rd_manager *m, const struct rd_config *cfg);
void rd_manager_deinit(struct rd_manager *m);
/* Serves until SIGTERM or SIGINT; returns when all engines have ended. 0 or -errno. */
int rd_manager_run(struct rd_manager *m);
/* A tenant's engine has ended. */
void rd_manager_engine_gone(struct rd_manager *m);

#endif
