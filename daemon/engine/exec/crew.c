/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many threads a class of the pool may have, and on which CPUs they run. Threads see to both themselves: one too
 * many ends when it would take the next work (worker.c), each moves before it runs the next. So no thread id is ever
 * used by another thread, which could be that of somebody who has taken its place.
 */
#include <errno.h>
#include <sched.h>

#include "daemon/common/util.h"
#include "pool.h"

static unsigned int class_max(const struct rd_workers *w, unsigned int class)
{
	uint64_t budget = RD_MIN(RD_MAX(w->user->limit[RINGD_LIMIT_WORKERS], (uint64_t)1), (uint64_t)INT32_MAX);

	return (unsigned int)RD_MIN(w->class[class].max, budget);
}

void rd_workers_limit(struct rd_workers *w, const uint32_t want[2], uint32_t old[2])
{
	pthread_mutex_lock(&w->lock);
	for (unsigned int i = 0; i < RD_ARRAY_SIZE(w->class); i++) {
		old[i] = class_max(w, i);
		if (want[i])
			w->class[i].max = want[i];
	}
	pthread_mutex_unlock(&w->lock);
	rd_workers_feed(w);
}

void rd_workers_pin(struct rd_workers *w, const cpu_set_t *cpus)
{
	pthread_mutex_lock(&w->lock);
	w->cpus = *cpus;
	pthread_mutex_unlock(&w->lock);
	atomic_fetch_add_explicit(&w->moves, 1, memory_order_release);
}

void rd_worker_move(struct rd_worker *t, unsigned int moves)
{
	cpu_set_t cpus;

	pthread_mutex_lock(&t->pool->lock);
	cpus = t->pool->cpus;
	pthread_mutex_unlock(&t->pool->lock);
	t->moved = moves;
	/* CPUs that were taken away since: it stays where it is */
	(void)sched_setaffinity(0, sizeof(cpus), &cpus);
}
