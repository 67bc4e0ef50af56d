/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HELLO of kinds STATUS and RING: what the engines the asker may see say about themselves and their rings. */
#ifndef RD_STATUS_H
#define RD_STATUS_H

#include "conn.h"
#include "daemon/common/link.h"

struct rd_tenant;

#define RD_QUERIES_PER_UID	4
#define RD_QUERIES_MAX		64
#define RD_STATS_MS		1000	/* an engine's time to answer */
#define RD_SEND_MS		5000	/* the asker's time to read it all */
#define RD_QUERY_TEXT		(2u << 20)	/* bytes of text kept for one asker, from all engines */

struct rd_query;

/* Takes over conn, which said a good HELLO of one of these kinds. */
void rd_status_ask(struct rd_conn *conn, const struct ringd_hello *hello);
/* An engine answered. */
void rd_status_answer(struct rd_tenant *t, const struct rd_link_stats *stats);
/* A piece of its answer about a ring; its size was checked. */
void rd_status_text(struct rd_tenant *t, const struct rd_link_text *piece);
/* The tenant's engine is gone: nobody waits for it any more. */
void rd_status_forget(struct rd_tenant *t);
/* Closes every query. */
void rd_status_drop_all(struct rd_manager *m);

#endif
