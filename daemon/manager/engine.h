/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine process of a tenant: start, link, hand-over of clients, end. */
#ifndef RD_MANAGER_ENGINE_H
#define RD_MANAGER_ENGINE_H

#include "tenant.h"

#define RD_READY_SECONDS	10	/* from exec to RD_LINK_READY, else it is killed */
#define RD_END_SECONDS		10	/* from RD_LINK_STOP to its exit, else it is killed */

/* state NONE -> STARTING, for the tenant of that peer. 0 or -errno: nothing happened. */
int rd_engine_start(struct rd_tenant *t, const struct rd_peer *peer);
/* SERVING: hands over those who wait, as far as the link takes them. */
void rd_engine_flush(struct rd_tenant *t);
/* STARTING or SERVING: asks it to end. why: static text. */
void rd_engine_stop(struct rd_tenant *t, const char *why);
void rd_engine_kill(struct rd_tenant *t, const char *why);
/* Asks for RD_LINK_STATS. 0 or -errno (-EAGAIN: its link is full). */
int rd_engine_ask_stats(struct rd_tenant *t, uint32_t cookie);
/* Asks for RD_LINK_TEXT about a ring, or (0) about which there are. */
int rd_engine_ask_ring(struct rd_tenant *t, uint32_t cookie, uint32_t ring);
/* Forgets the process, which may still run. state becomes NONE. */
void rd_engine_release(struct rd_tenant *t);

#endif
