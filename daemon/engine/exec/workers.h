/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker pool (io-wq): threads for whatever may sleep. Two classes: bounded (regular files, block devices, file
 * system calls) and unbounded (everything else); work with the same hash runs one at a time in the order it was queued.
 * Threads are started on demand, go when they are idle, and are charged (WORKERS) to the tenant.
 */
#ifndef RD_WORKERS_H
#define RD_WORKERS_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "work.h"

struct rd_reactor;
struct rd_user;
struct rd_workers;

/* max_bounded: at least 1. unbounded work may use what is left of the tenant's WORKERS budget. 0 or -errno. */
int rd_workers_new(struct rd_workers **ret, struct rd_reactor *reactor, struct rd_user *user, unsigned int max_bounded);
/*
 * Reactor thread. Waits up to grace_ms for what runs and for what is queued; work that ends in time has been returned to the
 * reactor, of the rest nothing is heard. NULL is fine. Returns true when every thread has ended and the memory was freed;
 * false: some are stuck in the kernel, everything they use was left alone, their work will never come back. The
 * reactor may be freed in both cases.
 */
bool rd_workers_free(struct rd_workers *w, unsigned int grace_ms);
/* In the child of a fork(), where its threads are not: its memory and descriptor. NULL is fine. */
void rd_workers_inherit(struct rd_workers *w);
/*
 * Reactor thread. work->run/done/hash/unbounded are set, state is IDLE. Never fails: when no thread can be started the
 * work waits for one. The budget alone cannot leave it waiting: the first thread of a class is started without a charge
 * when the budget is used up. When the system refuses a thread it is tried again after a moment.
 */
void rd_workers_queue(struct rd_workers *w, struct rd_work *work);
/* Reactor thread. True: it had not started, done() will not be called. False: it runs or has run, done() will come. */
bool rd_workers_cancel(struct rd_workers *w, struct rd_work *work);
/*
 * Reactor thread. Nobody wants what this work is doing any more: if it runs, the system call it sleeps in is interrupted
 * (EINTR), and again until it has come back, since a signal may arrive before the call. run() must not go on after EINTR
 * for ever; done() will come as ever. What sleeps uninterruptibly sleeps on.
 */
void rd_workers_interrupt(struct rd_workers *w, struct rd_work *work);
/*
 * Before the first work: the process is not ours. Threads are named as the kernel names its own, and interrupted by a real-time
 * signal that the program has no use for.
 */
void rd_workers_set_guest(struct rd_workers *w);
/* Reactor thread, of a guest: would a worker do what the calling thread would? Rights, directories and umask are compared. */
bool rd_workers_alike(struct rd_workers *w);
/* Reactor thread. There is work, not one thread, and the system has refused to start one several times in a row. */
bool rd_workers_starve(const struct rd_workers *w);
/* How long a thread without work stays; 100 at start. Reactor thread, before the first work. */
void rd_workers_set_idle(struct rd_workers *w, unsigned int idle_ms);
/*
 * Reactor thread. At most so many threads of each class (bounded, unbounded; 0 leaves it) from now on; more than the
 * tenant's WORKERS budget there never are. What is too many ends after its work. old: as it was, at most the budget.
 */
void rd_workers_limit(struct rd_workers *w, const uint32_t want[2], uint32_t old[2]);
/* Reactor thread. Threads run on these CPUs only, each from its next work on. */
void rd_workers_pin(struct rd_workers *w, const cpu_set_t *cpus);
unsigned int rd_workers_running(const struct rd_workers *w);	/* threads alive now */

#endif
