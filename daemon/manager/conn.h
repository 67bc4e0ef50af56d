/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection that is still with the manager: before its HELLO, or waiting for its tenant's engine. */
#ifndef RD_CONN_H
#define RD_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "daemon/common/list.h"
#include "peer.h"

#define RD_CONNS_PER_UID	128	/* with the manager at one time */
#define RD_CONNS_MAX		1024	/* all uids; then the oldest silent one goes */
#define RD_HELLO_SECONDS	1	/* from accept to a whole HELLO */

struct rd_manager;

struct rd_conn {
	struct rd_link link;		/* manager->conns, oldest first */
	struct rd_link queue;		/* tenant->waiting after its HELLO */
	struct rd_manager *manager;
	struct event ev;		/* readable or too late; armed until the HELLO */
	int fd;
	int early_pidfd;
	uint64_t deadline_ns;		/* for the HELLO */
	uid_t uid;			/* when it connected */
	bool silent;			/* no HELLO yet */
	uint32_t seq;			/* of its HELLO */
	uint16_t version;
	struct rd_peer peer;		/* after its HELLO */
};

/* Takes over the accepted fd in any case. What is wrong with the peer is told to it and logged, not returned. */
void rd_conn_accept(struct rd_manager *m, int fd);
/* Closes it. NULL is fine, returns NULL. */
struct rd_conn *rd_conn_free(struct rd_conn *conn);
/* Tells it why and closes it. */
void rd_conn_refuse(struct rd_conn *conn, int res, const char *text);
/* Frees the connection that has been silent longest. False: there is none. */
bool rd_conn_evict(struct rd_manager *m);

#endif
