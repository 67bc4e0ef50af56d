/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread of the worker pool: waits to be called, takes work, hands it back, ends when it is idle for long. See pool.h. */
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "pool.h"
#include "reactor.h"

#define RD_WORKER_SPIN_NS	20000	/* look this long for more work before sleeping */
#define RD_WORKER_CREDIT	8	/* spins that may fail in a row before none is tried */

/* --- calling threads --- */

void rd_class_call(struct rd_class *c, struct rd_call *call)
{
	struct rd_worker *t;

	if (rd_list_empty(&c->runnable) || c->searching)
		return;
	if (!rd_list_empty(&c->idle)) {
		t = rd_list_first(&c->idle, struct rd_worker, link);
		rd_list_remove(&t->link);
		c->searching++;
		atomic_store_explicit(&t->called, true, memory_order_relaxed);	/* says only: take the lock and look */
		if (t->asleep)
			call->signal[call->signals++] = t;
	} else if (rd_class_short(c) && !c->wanted) {
		c->wanted = true;
		call->notice = true;
	}
}

static void notify_owner(struct rd_workers *w)
{
	uint64_t one = 1;

	/* cannot fail but for a full counter, which is as good */
	if (write(w->efd, &one, sizeof(one)) < 0)
		return;
}

void rd_call_out(struct rd_workers *w, const struct rd_call *call)
{
	for (unsigned int i = 0; i < call->signals; i++)
		pthread_cond_signal(&call->signal[i]->wake);
	if (call->notice)
		notify_owner(w);
}

/* --- a worker's life --- */

/* Look for a call without sleeping. Costs a client that wants the CPU little: sched_yield() between looks. */
static bool worker_spin(struct rd_worker *t)
{
	uint64_t start = rd_now_ns();

	do {
		for (int i = 0; i < 16; i++) {
			if (atomic_load_explicit(&t->called, memory_order_relaxed))
				return true;
			rd_cpu_relax();
		}
		sched_yield();
	} while (rd_now_ns() - start < RD_WORKER_SPIN_NS);
	return atomic_load_explicit(&t->called, memory_order_relaxed);
}

static void credit_add(struct rd_workers *w, int n)
{
	int credit = atomic_load_explicit(&w->credit, memory_order_relaxed) + n;

	/* racing workers may lose a step: it is only a hint */
	atomic_store_explicit(&w->credit, RD_MAX(0, RD_MIN(credit, RD_WORKER_CREDIT)), memory_order_relaxed);
}

/* Under the lock, called or asked to stop since, or idle for too long: false. */
static bool worker_sleep(struct rd_worker *t)
{
	struct rd_workers *w = t->pool;
	uint64_t start = rd_now_ns(), end = start + (uint64_t)w->idle_ms * 1000000u;
	struct timespec ts = { .tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u) };
	int r = 0;

	while (!t->called && !w->stop && r != ETIMEDOUT) {
		t->asleep = true;
		r = pthread_cond_timedwait(&t->wake, &w->lock, &ts);
		t->asleep = false;
	}
	/* a spin would nearly have seen this call */
	if (t->called && rd_now_ns() - start < 4 * RD_WORKER_SPIN_NS)
		credit_add(w, 1);
	return t->called;
}

/* Under the lock: nothing to do. Returns true when called, false when this thread should end. */
static bool worker_wait(struct rd_worker *t)
{
	struct rd_workers *w = t->pool;

	if (rd_class_crowded(t->class))
		return false;
	t->called = false;
	rd_list_append(t->class->idle.next, &t->link);	/* before the first one */
	if (!w->stop && atomic_load_explicit(&w->credit, memory_order_relaxed) > 0) {
		pthread_mutex_unlock(&w->lock);
		credit_add(w, worker_spin(t) ? 2 : -1);
		pthread_mutex_lock(&w->lock);
	}
	if (!worker_sleep(t)) {
		rd_list_remove(&t->link);
		return false;
	}
	t->class->searching--;
	return true;
}

/* Under the lock: take the next runnable work, see that the rest is taken, too. */
static struct rd_work *worker_take(struct rd_worker *t, struct rd_call *call)
{
	struct rd_class *c = t->class;
	struct rd_work *work;

	t->running = NULL;
	t->interrupted = false;
	if (t->pool->abandoned || rd_list_empty(&c->runnable))
		return NULL;
	if (RD_UNLIKELY(rd_class_crowded(c))) {
		rd_class_call(c, call);		/* it ends, another one comes for the work */
		return NULL;
	}
	work = t->running = rd_list_first(&c->runnable, struct rd_work, link);
	rd_list_remove(&work->link);
	work->state = RD_WORK_RUNNING;
	rd_class_call(c, call);
	return work;
}

/* Under the lock: work has run, it is nobody's now. */
static void worker_settle(struct rd_worker *t, struct rd_work *work, struct rd_call *call)
{
	struct rd_workers *w = t->pool;
	struct rd_work *heir = work->hash ? rd_lane_pass(&w->lanes, work) : NULL;

	work->state = RD_WORK_IDLE;
	if (!heir)
		return;
	rd_class_add(w, heir);
	if (&w->class[!!heir->unbounded] != t->class)
		rd_class_call(&w->class[!!heir->unbounded], call);
}

/* The result goes back. Not before the lock is released: the reactor may free or queue it again as soon as it sees it. */
static void worker_return(struct rd_worker *t, struct rd_work *work)
{
	rd_reactor_return(t->pool->reactor, work);
	/* release: pairs with the look in pool_stop(), after which the reactor may be freed */
	atomic_store_explicit(&t->returning, false, memory_order_release);
}

/* work was taken under the lock, which is released; returns under the lock. False: the pool has given this thread up. */
static bool worker_run(struct rd_worker *t, struct rd_work *work)
{
	struct rd_workers *w = t->pool;
	struct rd_work *done;

	while (work) {
		struct rd_call call = { 0 };
		unsigned int moves = atomic_load_explicit(&w->moves, memory_order_acquire);
		bool interrupted;

		if (RD_UNLIKELY(moves != t->moved))
			rd_worker_move(t, moves);
		work->run(work);
		pthread_mutex_lock(&w->lock);
		if (w->abandoned)
			return false;
		done = work;
		interrupted = t->interrupted;
		worker_settle(t, done, &call);
		atomic_store_explicit(&t->returning, true, memory_order_relaxed);
		work = worker_take(t, &call);
		pthread_mutex_unlock(&w->lock);
		if (interrupted)
			sched_yield();	/* any system call: a signal that is pending still must not meet the next work */
		rd_call_out(w, &call);
		worker_return(t, done);
	}
	pthread_mutex_lock(&w->lock);
	return true;
}

/* Under the lock: work until there is none. False: the pool has given this thread up. */
static bool worker_serve(struct rd_worker *t)
{
	struct rd_call call = { 0 };
	struct rd_work *work;

	while ((work = worker_take(t, &call))) {
		pthread_mutex_unlock(&t->pool->lock);
		rd_call_out(t->pool, &call);
		call = (struct rd_call){ 0 };
		if (!worker_run(t, work))
			return false;
	}
	rd_call_out(t->pool, &call);
	return true;
}

/* --- without a thread --- */

static struct rd_work *next_here(const struct rd_class *c)
{
	const struct rd_link *l;

	for (l = c->runnable.next; l != &c->runnable; l = l->next) {
		struct rd_work *work = rd_list_entry(l, struct rd_work, link);

		if (work->here)
			return work;
	}
	return NULL;
}

void rd_worker_here(struct rd_workers *w, struct rd_class *c)
{
	struct rd_worker self = { .pool = w, .class = c };
	struct rd_work *work;

	pthread_mutex_lock(&w->lock);
	while (!c->threads && !w->stop && (work = next_here(c))) {
		struct rd_call call = { 0 };

		rd_list_remove(&work->link);
		work->state = RD_WORK_RUNNING;
		pthread_mutex_unlock(&w->lock);
		work->run(work);
		pthread_mutex_lock(&w->lock);
		worker_settle(&self, work, &call);
		pthread_mutex_unlock(&w->lock);
		rd_call_out(w, &call);
		rd_reactor_return(w->reactor, work);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
}

void *rd_worker_main(void *arg)
{
	struct rd_worker *t = arg;
	struct rd_workers *w = t->pool;
	bool ours;

	if (w->guest)
		atomic_store_explicit(&t->tid, (pid_t)syscall(SYS_gettid), memory_order_relaxed);
	pthread_setname_np(pthread_self(), w->guest ? "iou-wrk" : "ringd-wrk");
	pthread_mutex_lock(&w->lock);
	t->class->searching--;
	t->moved = 0;
	do
		ours = worker_serve(t);
	while (ours && worker_wait(t));
	if (ours) {
		t->class->threads--;
		w->threads--;
		rd_list_append(&w->ended, &t->link);
		if (w->stop && w->threads == 0)
			pthread_cond_signal(&w->all_ended);
	}
	pthread_mutex_unlock(&w->lock);
	if (ours)
		notify_owner(w);
	return NULL;
}
