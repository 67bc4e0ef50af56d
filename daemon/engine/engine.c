/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "exec/aio.h"
#include "exec/futex.h"
#include "exec/reactor.h"
#include "exec/uring.h"
#include "exec/workers.h"

void rd_engine_config_default(struct rd_engine_config *cfg)
{
	*cfg = (struct rd_engine_config){
		.limits = {
			[RINGD_LIMIT_RINGS] = 4096,
			[RINGD_LIMIT_ENTRIES] = 4u << 20,
			[RINGD_LIMIT_BYTES] = 16ull << 30,
			[RINGD_LIMIT_FILES] = 16384,
			[RINGD_LIMIT_INFLIGHT] = 262144,
			[RINGD_LIMIT_WORKERS] = 256,
			[RINGD_LIMIT_CLIENTS] = 4096,
			[RINGD_LIMIT_OBJECTS] = 4u << 20,
		},
		.backend = RD_BACKEND_AUTO,
		.spin_us = 100,
		.sq_idle_max_ms = 1000,
		.socket_families = RD_FAMILIES_ALL,
	};
}

/*
 * Short cached reads in a batch: the kernel ring saves a system call with its seccomp filter, descriptor and iovec for each,
 * and costs the kernel's and our bookkeeping. Measured where a system call costs 117 ns and a filter 41 more: 890 ns per
 * 4 KiB by preadv2(), 825 in the ring (with the file in its table, 890 without). Where system calls cost next to nothing
 * it is the other way round.
 */
#define RD_DEAR_SYSCALL_NS	100

static bool syscalls_are_dear(void)
{
	uint64_t best = UINT64_MAX, start;

	/* the best of many: the others were interrupted */
	for (int round = 0; round < 50; round++) {
		start = rd_now_ns();
		for (int i = 0; i < 16; i++)
			(void)syscall(SYS_getppid);
		best = RD_MIN(best, (rd_now_ns() - start) / 16);
	}
	return best > RD_DEAR_SYSCALL_NS;
}

static int engine_open_uring(struct rd_engine *engine)
{
	int r;

	if (engine->cfg.backend == RD_BACKEND_SYNC)
		return 0;
	r = rd_uring_new(&engine->uring, engine->reactor);
	if (r < 0 && engine->cfg.backend == RD_BACKEND_AUTO) {
		rd_info("no kernel ring (%s): back end sync", strerror(-r));
		r = 0;
	}
	engine->reactor->uring = engine->uring;
	/* asked for by name it is used wherever it can be */
	engine->ring_batches = engine->uring && (engine->cfg.backend == RD_BACKEND_URING || syscalls_are_dear());
	return r;
}

int rd_engine_init(struct rd_engine *engine, const struct rd_engine_config *cfg)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	*engine = (struct rd_engine){ .cfg = *cfg };
	engine->cpus = (unsigned int)RD_MAX(sysconf(_SC_NPROCESSORS_CONF), RD_MAX(cpus, 1l));
	rd_list_init(&engine->starved);
	rd_list_init(&engine->zcrx_exports);
	memcpy(engine->user.limit, cfg->limits, sizeof(engine->user.limit));
	r = rd_reactor_new(&engine->reactor, cfg->spin_us);
	if (r == 0)
		r = rd_workers_new(&engine->workers, engine->reactor, &engine->user, cpus > 0 ? 4 * (unsigned int)cpus : 4);
	if (r == 0)
		r = engine_open_uring(engine);
	if (r < 0)
		rd_engine_deinit(engine, 0);
	return r;
}

void rd_engine_deinit(struct rd_engine *engine, unsigned int grace_ms)
{
	rd_futexes_deinit(engine);
	/* a worker that is stuck in the kernel may come back at any time: then all it could touch stays as it is */
	if (engine->workers && !rd_workers_free(engine->workers, grace_ms))
		return;
	engine->workers = NULL;
	/* files that were closed last */
	if (engine->reactor)
		(void)rd_reactor_take_returned(engine->reactor);
	if (engine->uring)
		rd_uring_free(engine->uring);
	engine->uring = NULL;
	engine->aio = rd_aio_free(engine->aio);
	engine->reactor = rd_reactor_free(engine->reactor);
}
