/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread of the program leaves with us, and what becomes of it when the thread goes: by its end, by a fork() of which it
 * is not the part that goes on, or by a jump out of a signal handler while it slept in an enter.
 *
 * No waiter is on a stack, since a handler may leave that stack for good. One whose frame is no longer in use is taken down
 * when the thread comes again, or ends.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/request/request.h"
#include "daemon/engine/ring/lazy.h"
#include "process.h"

/* Initial-exec: a handler must be able to look without making it. */
#define RD_TLS	__thread __attribute__((__tls_model__("initial-exec")))

static RD_TLS struct rd_local_thread self;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic unsigned int wanted;	/* threads that wait for the lock */

#define RD_YIELDS	100	/* for them to get it */

struct rd_local_thread *rd_local_thread(void)
{
	return &self;
}

/* --- the lock --- */

void rd_local_lock(void)
{
	int state;

	/* before the lock is taken and after it was given back: a handler in between must not wait for its own thread */
	self.inside = true;
	atomic_signal_fence(memory_order_seq_cst);
	/* nothing in here is meant to be the end of a thread that is to be cancelled */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (RD_UNLIKELY(pthread_mutex_trylock(&rd_local.lock))) {
		atomic_fetch_add_explicit(&wanted, 1, memory_order_relaxed);
		pthread_mutex_lock(&rd_local.lock);
		atomic_fetch_sub_explicit(&wanted, 1, memory_order_relaxed);
	}
	self.cancel_state = state;
	if (RD_UNLIKELY(!rd_list_empty(&rd_local.shares)))
		rd_local_share_lock();
}

bool rd_local_lock_until(const struct timespec *end)
{
	int state;

	if (self.inside)
		return false;
	self.inside = true;
	atomic_signal_fence(memory_order_seq_cst);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (pthread_mutex_timedlock(&rd_local.lock, end) != 0) {
		self.inside = false;
		pthread_setcancelstate(state, NULL);
		return false;
	}
	self.cancel_state = state;
	if (RD_UNLIKELY(!rd_list_empty(&rd_local.shares)))
		rd_local_share_lock();
	return true;
}

void rd_local_unlock(void)
{
	int state = self.cancel_state;

	if (RD_UNLIKELY(!rd_list_empty(&rd_local.shares)))
		rd_local_share_unlock();
	pthread_mutex_unlock(&rd_local.lock);
	atomic_signal_fence(memory_order_seq_cst);
	self.inside = false;
	pthread_setcancelstate(state, NULL);
}

/* A mutex is had by who comes when it is free, and that is never a thread that has to be woken first: so we wait for it. */
void rd_local_pass(bool yield)
{
	unsigned int n = atomic_load_explicit(&wanted, memory_order_relaxed);

	rd_local_unlock();
	if (!n && yield)
		sched_yield();
	else if (!n)
		rd_cpu_relax();
	for (unsigned int i = 0; i < RD_YIELDS && n && atomic_load_explicit(&wanted, memory_order_relaxed) >= n; i++)
		sched_yield();
	rd_local_lock();
}

bool rd_local_inside(void)
{
	return self.inside;
}

/* --- waiters --- */

/* A lazy ring runs what it has put off while somebody waits, whoever that is. */
static void lazy_begin(struct rd_local_ring *lr)
{
	if (lr->waiting++)
		return;
	__atomic_store_n(&lr->ring->hot->waiting, 1, __ATOMIC_SEQ_CST);
	rd_lazy_stir(lr->ring);	/* what was put off since we have looked, before it could know that we wait */
}

static void lazy_end(struct rd_local_ring *lr)
{
	if (--lr->waiting || lr->ring->dead)
		return;
	__atomic_store_n(&lr->ring->hot->waiting, 0, __ATOMIC_SEQ_CST);
	if (!lr->ring->reaping)
		return;
	rd_lazy_stop(lr->ring);
	rd_lazy_stir(lr->ring);	/* tells of what is left */
	rd_local_ring_wake(NULL, lr->ring);
}

void rd_local_waiter_free(struct rd_local_waiter *w)
{
	struct rd_local_ring *lr = w->held;

	self.waiting--;
	w->held = NULL;
	rd_list_remove(&w->link);
	rd_close(w->efd);
	if (rd_local.driver == w) {
		rd_local.driver = NULL;
		rd_local.asleep = false;
	}
	if (lr->ring->ctx.lazy)
		lazy_end(lr);
}

/* Its caller is no more, who would have given the reference back. */
static void waiter_lost(struct rd_local_waiter *w)
{
	struct rd_local_ring *lr = w->held;

	rd_local_waiter_free(w);
	rd_local_ring_put(lr);
}

static bool on_other_stack(void)
{
	stack_t ss;

	return syscall(SYS_sigaltstack, NULL, &ss) < 0 || (ss.ss_flags & SS_ONSTACK);
}

/* Stacks grow downwards: who waits further up than we are is a caller of ours, which a handler has interrupted. */
__attribute__((__noinline__)) void rd_local_thread_tidy(void)
{
	const void *here = __builtin_frame_address(0);
	bool other = on_other_stack();

	for (unsigned int i = 0; i < RD_LOCAL_NESTED && !other; i++) {
		if (self.waiters[i].held && self.waiters[i].frame <= here)
			waiter_lost(&self.waiters[i]);
	}
}

struct rd_local_waiter *rd_local_waiter_new(struct rd_local_ring *lr)
{
	if (self.generation != rd_local.generation)
		rd_local_thread_begin();	/* its end is to be seen, also if it never submits anything */
	for (unsigned int i = 0; i < RD_LOCAL_NESTED; i++) {
		struct rd_local_waiter *w = &self.waiters[i];

		if (w->held)
			continue;
		*w = (struct rd_local_waiter){ .lr = lr, .efd = -1, .frame = __builtin_frame_address(0) };
		w->held = lr;
		self.waiting++;
		/* first of all a handler's: whom it has interrupted cannot drive before it returns */
		rd_list_append(self.waiting > 1 ? rd_local.waiters.next : &rd_local.waiters, &w->link);
		if (lr->ring->ctx.lazy)
			lazy_begin(lr);
		return w;
	}
	return NULL;
}

/* --- the end of a thread --- */

/* What it waits for ends when its event comes, since nobody is there to go on with it; all else goes its way. */
static void orphan(uint32_t task)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.all)
		rd_ctx_task_gone(&rd_list_entry(l, struct rd_local_ring, link)->ring->ctx, task);
}

static void thread_end(void *arg)
{
	(void)arg;
	if (self.generation != rd_local.generation)
		return;
	rd_local_lock();
	for (unsigned int i = 0; i < RD_LOCAL_NESTED; i++) {
		if (self.waiters[i].held)
			waiter_lost(&self.waiters[i]);
	}
	if (rd_local.running)
		orphan((uint32_t)self.tid);
	rd_local_leave();
	rd_local_unlock();
	rd_local_settle_down();
}

static void key_make(void)
{
	(void)!pthread_key_create(&key, thread_end);
}

pid_t rd_local_thread_begin(void)
{
	/* those that slept in the parent do not sleep here */
	for (unsigned int i = 0; i < RD_LOCAL_NESTED; i++)
		self.waiters[i].held = NULL;
	self.waiting = 0;
	self.tid = (pid_t)syscall(SYS_gettid);
	self.generation = rd_local.generation;
	pthread_once(&once, key_make);
	pthread_setspecific(key, &self);
	return self.tid;
}
