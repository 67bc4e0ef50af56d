/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all rings of one engine share: configuration, budget, statistics, the reactor and its helpers. */
#ifndef RD_ENGINE_H
#define RD_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire.h"
#include "daemon/common/list.h"
#include "rsrc/charge.h"

struct rd_file;
struct rd_req;
struct rd_reactor;
struct rd_workers;
struct rd_uring;
struct rd_aio;
struct rd_futexes;

#define RD_BACKEND_AUTO		0	/* uring where the kernel gives us one, else sync */
#define RD_BACKEND_SYNC		1
#define RD_BACKEND_URING	2	/* fail to start without it */

/* rd_engine_config.socket_families */
#define RD_FAMILY_INET		0x1u
#define RD_FAMILY_INET6		0x2u
#define RD_FAMILY_UNIX		0x4u
#define RD_FAMILIES_ALL		0x7u

struct rd_engine_config {
	uint64_t limits[RINGD_LIMIT_MAX];	/* RINGD_LIMIT_*; rd_engine_config_default() */
	unsigned int backend;			/* RD_BACKEND_* */
	unsigned int spin_us;			/* look this long at quiet rings before sleeping */
	unsigned int socket_families;		/* RD_FAMILY_*: that sockets are made of */
	unsigned int sq_idle_max_ms;		/* an SQPOLL ring's sq_thread_idle counts up to this */
	bool same_process;			/* the client is this very process: what it may do and what names mean is the kernel's to say */
};

void rd_engine_config_default(struct rd_engine_config *cfg);

/* How a request may go on that was not done at once. One may go several ways. */
enum rd_way { RD_WAY_POLL, RD_WAY_WORKER, RD_WAY_RING, RD_WAYS };

/* Written by the reactor thread only. */
struct rd_stats {
	uint64_t submitted;	/* requests accepted */
	uint64_t completed;	/* requests finished, whether a CQE was owed or not */
	uint64_t punted, polled, uring;
	uint64_t rings_killed;
	uint64_t ops[RINGD_STATUS_OPS];
	uint64_t ways[RD_WAYS][RINGD_STATUS_OPS];	/* of punted, polled, uring */
	uint32_t latency[RINGD_STATUS_OPS][RINGD_LATENCY_BUCKETS];
};

#define RD_EPOLL_WAITS	64

struct rd_engine {
	struct rd_engine_config cfg;
	struct rd_user user;
	struct rd_stats stats;
	struct rd_reactor *reactor;
	struct rd_workers *workers;
	struct rd_uring *uring;		/* NULL: back end sync */
	struct rd_aio *aio;		/* signals eventfds; made when the first is registered */
	bool no_aio;			/* this machine has none */
	struct rd_futexes *futexes;	/* NULL: nobody has waited for a word yet */
	bool ring_batches;		/* batches of short reads go there even when they would not wait */
	struct rd_link starved;		/* rings that wait for room in the in-flight budget */
	struct rd_link zcrx_exports;	/* struct rd_zcrx_export of areas that have a descriptor */
	uint32_t rings;			/* that are not freed yet */
	unsigned int cpus;		/* that this machine can have */
	uint32_t last_serial;		/* of the rings made so far */
	uint32_t ring_connects;		/* connect() that the kernel ring is at */
	bool told_family;		/* the log knows that an address family was refused */
	uint32_t strays;		/* descriptors from messages that are being closed and were never charged */
	bool away;			/* a worker has descriptors of a message that nobody was charged for; __atomic */
	uint32_t epoll_waits;		/* workers asleep for EPOLL_WAIT or POLL_ADD, or about to be; at most RD_EPOLL_WAITS */
	/* With same_process. RD_FILE_DUP or LENT is done with: true, its descriptor is not to be closed now. */
	bool (*let_go)(struct rd_engine *engine, struct rd_file *file);
	void *local;			/* for let_go() */
	void (*failed)(struct rd_req *req);	/* hears of results below zero; NULL: nobody does */
};

/* A request of this opcode goes on in this way. */
static inline void rd_engine_count(struct rd_engine *engine, enum rd_way way, uint8_t opcode)
{
	uint64_t *const totals[RD_WAYS] = {
		[RD_WAY_POLL] = &engine->stats.polled, [RD_WAY_WORKER] = &engine->stats.punted, [RD_WAY_RING] = &engine->stats.uring,
	};

	++*totals[way];
	if (opcode < RINGD_STATUS_OPS)
		engine->stats.ways[way][opcode]++;
}

/* 0 or -errno. The reactor is made, not run. */
int rd_engine_init(struct rd_engine *engine, const struct rd_engine_config *cfg);
/* All rings are gone. Waits for running workers at most grace_ms; what does not come back is abandoned with them. */
void rd_engine_deinit(struct rd_engine *engine, unsigned int grace_ms);

#endif
