/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What timeouts and polls keep in a request: see struct rd_req. */
#ifndef RD_WAITDATA_H
#define RD_WAITDATA_H

#include <stdbool.h>
#include <stdint.h>

#include "../exec/timer.h"
#include "../rsrc/charge.h"

struct rd_timeout {		/* TIMEOUT, LINK_TIMEOUT */
	struct rd_timer timer;
	struct rd_timer count;		/* on ctx->counting while it waits for CQEs, too */
	uint64_t ns;
	uint32_t flags;
	uint32_t off;			/* CQEs to wait for, or shots left */
};

struct rd_timeout_remove {
	uint64_t user_data;
	uint64_t ns;
	uint32_t flags;
};

struct rd_polladd {
	uint32_t events;
	bool multi;
	bool sleeps;			/* counted in engine->epoll_waits */
	int epfd;			/* multishot on a worker: it waits there; else -1 */
	struct rd_charge charge;	/* for that */
};

struct rd_pollremove {
	uint64_t user_data, new_user_data;
	uint32_t events;
	uint32_t flags;			/* what is to be changed */
};

#endif
