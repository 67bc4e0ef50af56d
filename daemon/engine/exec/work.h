/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A piece of work that may sleep: run() on a worker thread, then done() on the reactor's thread. Embedded, never copied. */
#ifndef RD_WORK_H
#define RD_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/list.h"

#define RD_WORK_IDLE	0	/* not given to anybody */
#define RD_WORK_QUEUED	1
#define RD_WORK_RUNNING	2

struct rd_work {
	struct rd_work *next;		/* return queue; before that the pool's own, under its lock */
	struct rd_link link;		/* run queue, under the pool's lock */
	struct rd_link lane;		/* works of the same hash that wait for each other, under the pool's lock */
	void (*run)(struct rd_work *work);	/* worker thread; may sleep, touches only what it was given */
	void (*done)(struct rd_work *work);	/* reactor thread */
	uint64_t hash;			/* not 0: at most one work of this hash runs at a time, in queue order */
	uint8_t unbounded;		/* counts against the unbounded workers */
	uint8_t state;			/* RD_WORK_*, under the pool's lock */
	bool here;			/* in a process that is not ours: whoever queues it may do it if no thread can be had */
	bool unwanted;			/* runs, but is to be interrupted, or has run; under the pool's lock */
};

#endif
