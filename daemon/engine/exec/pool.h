/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the worker pool: what workers.c (the reactor's side) and worker.c (the threads' side) share.
 *
 * One lock, held for a few list operations only, since the reactor takes it too. Per class a queue of runnable work and
 * a stack of idle threads, the one that was busy last on top. At most one thread of a class is on its way to work at
 * a time ("searching": called or just started); when it finds more than it takes it calls the next. So a batch of work
 * costs the reactor one wake-up, and no more threads come than there is work.
 *
 * Threads are started, joined and paid for by the reactor's thread alone: a worker that wants company or has ended
 * says so by an eventfd. A thread's record is used again but not freed before the pool is, because a late signal
 * of another worker may still touch it.
 */
#ifndef RD_POOL_H
#define RD_POOL_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "../rsrc/charge.h"
#include "lane.h"
#include "loop.h"
#include "timer.h"
#include "workers.h"

struct rd_class {
	struct rd_link runnable;
	struct rd_link idle;		/* last one first */
	unsigned int threads, max;
	unsigned int searching;
	bool wanted;			/* a worker asked for another thread, the reactor has not looked yet */
	bool refused;			/* no thread to be had at the moment: not before the retry timer or a thread's end */
};

struct rd_worker {
	struct rd_link link;		/* class->idle, pool->ended, pool->spare */
	struct rd_link all;		/* pool->all */
	struct rd_workers *pool;
	struct rd_class *class;
	pthread_t thread;
	_Atomic pid_t tid;		/* 0: it has not run yet */
	pthread_cond_t wake;
	_Atomic bool called;		/* written under the lock, an idle worker looks without it */
	bool asleep;			/* called is not enough, it needs a signal */
	struct rd_work *running;	/* under the lock */
	bool interrupted;		/* a signal was sent since running was taken; under the lock */
	_Atomic bool returning;		/* between the lock and the end of rd_reactor_return() */
	unsigned int moved;		/* pool->moves as last followed; its thread only */
	bool alive;			/* has a thread that was not joined; reactor thread only */
	struct rd_charge charge;	/* reactor thread only */
};

struct rd_workers {
	pthread_mutex_t lock;
	struct rd_class class[2];	/* bounded, unbounded */
	struct rd_lanes lanes;
	struct rd_link ended;		/* threads to be joined */
	unsigned int threads;		/* that have not ended */
	bool stop, abandoned;
	pthread_cond_t all_ended;	/* with stop: threads became 0 */
	_Atomic int credit;		/* how much the last spins were worth it */
	unsigned int idle_ms;
	cpu_set_t cpus;			/* where threads run, once moves is not 0 */
	_Atomic unsigned int moves;	/* times cpus was changed */
	int efd;
	/* from here on the reactor's thread only */
	struct rd_reactor *reactor;
	struct rd_user *user;
	bool guest;			/* in a process that is not ours */
	bool mixed;			/* guest: threads were started by such as differ in their rights */
	unsigned int refusals;		/* of threads, in a row */
	pid_t starter;			/* guest: of the last of them */
	uint64_t key;			/* guest: of who started the first; see rd_creds_key() */
	int signal;			/* interrupts; 0: none yet, or none to be had */
	struct rd_link all, spare;
	unsigned int alive;
	unsigned int retry_ms;
	unsigned int again_ms;
	struct rd_source notice;
	struct rd_timer retry, again;
	pthread_attr_t attr;
};

#define RD_WORKER_SIGNAL SIGURG	/* interrupts; nobody's business unless asked for, and ignored by default */

/* What is to be done once the lock is released. */
struct rd_call {
	struct rd_worker *signal[2];	/* at most one of each class */
	unsigned int signals;
	bool notice;
};

/* Under the lock: work is missing a thread, and another one may be started. */
static inline bool rd_class_short(const struct rd_class *c)
{
	return !rd_list_empty(&c->runnable) && !c->searching && rd_list_empty(&c->idle) && c->threads < c->max && !c->refused;
}

/* Under the lock: one of its threads must end, since the limit was lowered. */
static inline bool rd_class_crowded(const struct rd_class *c)
{
	return c->threads > c->max;
}

/* Under the lock. Its class must be called afterwards. */
static inline void rd_class_add(struct rd_workers *w, struct rd_work *work)
{
	rd_list_append(&w->class[!!work->unbounded].runnable, &work->link);
}

/* --- worker.c --- */
/* Under the lock: see that somebody comes for runnable work. */
void rd_class_call(struct rd_class *c, struct rd_call *call);
/* After the lock. */
void rd_call_out(struct rd_workers *w, const struct rd_call *call);
void *rd_worker_main(void *worker);
/* Reactor thread, without the lock: what may be done here is, if the class has no thread at all. */
void rd_worker_here(struct rd_workers *w, struct rd_class *c);

/* --- crew.c --- */
/* On the thread itself, without the lock: go where the pool's threads are to be. */
void rd_worker_move(struct rd_worker *t, unsigned int moves);

/* --- workers.c --- */
/* Reactor thread: start the threads that are missing. */
void rd_workers_feed(struct rd_workers *w);

/* --- interrupt.c --- */
void rd_interrupt_init(struct rd_workers *w);
/* Before the first thread: w->signal does what it is for. */
void rd_interrupt_prepare(struct rd_workers *w);
/* There are no threads any more. */
void rd_interrupt_deinit(struct rd_workers *w);

#endif
