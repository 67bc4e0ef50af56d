/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker pool as the reactor's thread sees it: queue, cancel, start and join threads. See pool.h. */
#include "workers.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "daemon/common/clock.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/stack.h"
#include "daemon/common/util.h"
#include "creds.h"
#include "pool.h"
#include "reactor.h"

/*
 * A process with several threads pays for each system call on a descriptor (the table is shared, so files are counted):
 * 36 ns of the 850 of a cached read on the reactor. Starting a thread again costs some 20 us: not missed after 0.1 s.
 */
#define RD_WORKER_IDLE_MS	100
#define RD_WORKER_RETRY_MS	10	/* after the system refused a thread; doubled up to ... */
#define RD_WORKER_RETRY_MAX_MS	1000
#define RD_WORKER_TRIES		3	/* without success, and with no thread at all */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RD_WORKER_STACK		(2u << 20)
#else
#define RD_WORKER_STACK		(128u << 10)
#endif

static void class_refused(struct rd_workers *w, struct rd_class *c, struct rd_call *call)
{
	pthread_mutex_lock(&w->lock);
	c->threads--;
	c->searching--;
	c->refused = true;
	w->threads--;
	rd_class_call(c, call);	/* nobody was called while this one seemed to come */
	pthread_mutex_unlock(&w->lock);
}

/* The threads there are share directories and umask with this one, or it has started the last of them. */
static bool shares_fs(struct rd_workers *w, pid_t me)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &w->all) {
		const struct rd_worker *t = rd_list_entry(l, struct rd_worker, all);
		pid_t tid = t->alive ? atomic_load_explicit(&t->tid, memory_order_relaxed) : 0;
		int r = tid ? rd_creds_share_fs(tid) : -1;

		if (r >= 0)
			return r;
		if (tid && errno != ESRCH)
			return true;	/* it cannot be known */
	}
	return w->starter == me;
}

/* A thread has the rights of the one that starts it. */
static void note_rights(struct rd_workers *w)
{
	uint64_t key = rd_creds_key();
	pid_t me = (pid_t)syscall(SYS_gettid);

	if (!w->alive) {
		w->key = key;
		w->mixed = false;
	} else if (key != w->key || !shares_fs(w, me)) {
		w->mixed = true;
	}
	w->starter = me;
}

bool rd_workers_alike(struct rd_workers *w)
{
	return !w->alive || (!w->mixed && w->key == rd_creds_key() && shares_fs(w, (pid_t)syscall(SYS_gettid)));
}

static int start_thread(struct rd_workers *w, struct rd_worker *t)
{
	sigset_t all, old;
	int r;

	if (w->guest)
		note_rights(w);
	sigfillset(&all);
	atomic_store_explicit(&t->tid, 0, memory_order_relaxed);
	rd_interrupt_prepare(w);
	if (w->signal)
		sigdelset(&all, w->signal);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&t->thread, &w->attr, rd_worker_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

static struct rd_worker *worker_record(struct rd_workers *w)
{
	struct rd_worker *t;
	pthread_condattr_t attr;

	if (!rd_list_empty(&w->spare)) {
		t = rd_list_first(&w->spare, struct rd_worker, link);
		rd_list_remove(&t->link);
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->wake, &attr);
	pthread_condattr_destroy(&attr);
	t->pool = w;
	rd_list_init(&t->link);
	rd_list_append(&w->all, &t->all);
	return t;
}

/* The class counts the new thread already, as one that searches. */
static int class_grow(struct rd_workers *w, struct rd_class *c, bool first)
{
	struct rd_worker *t = worker_record(w);
	int r;

	if (!t)
		return -ENOMEM;
	t->class = c;
	r = rd_charge_take(&t->charge, w->user, RINGD_LIMIT_WORKERS, 1);
	if (r == 0 || first)
		r = start_thread(w, t);
	if (r < 0) {
		rd_charge_give(&t->charge);
		rd_list_append(&w->spare, &t->link);
		return r;
	}
	t->alive = true;
	w->alive++;
	return 0;
}

/* Start a thread if one is missing. Called without the lock, on the reactor's thread. */
static void class_feed(struct rd_workers *w, struct rd_class *c)
{
	struct rd_call call = { 0 };
	bool first, grow;

	pthread_mutex_lock(&w->lock);
	c->wanted = false;
	grow = rd_class_short(c);
	if (grow) {
		first = c->threads++ == 0;
		c->searching++;
		w->threads++;
	}
	pthread_mutex_unlock(&w->lock);
	if (!grow)
		return;
	if (class_grow(w, c, first) == 0) {
		w->retry_ms = RD_WORKER_RETRY_MS;
		w->refusals = 0;
		return;
	}
	w->refusals++;
	class_refused(w, c, &call);
	rd_call_out(w, &call);
	if (w->guest)
		rd_worker_here(w, c);
	if (!w->retry.armed) {
		rd_timer_arm(&w->reactor->timers, &w->retry, RD_TIMER_MONOTONIC,
			     rd_timer_now(RD_TIMER_MONOTONIC) + (uint64_t)w->retry_ms * 1000000u);
		w->retry_ms = RD_MIN(w->retry_ms * 2, RD_WORKER_RETRY_MAX_MS);
	}
}

/* Threads may be had again, or are wanted. */
static void feed_all(struct rd_workers *w, bool again)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(w->class); i++) {
		if (again) {
			pthread_mutex_lock(&w->lock);
			w->class[i].refused = false;
			pthread_mutex_unlock(&w->lock);
		}
		class_feed(w, &w->class[i]);
	}
}

void rd_workers_feed(struct rd_workers *w)
{
	feed_all(w, false);
}

static void on_retry(struct rd_timer *timer)
{
	feed_all(RD_CONTAINER_OF(timer, struct rd_workers, retry), true);
}

/* Join what ended; its record can be used again. True: there was something. */
static bool reap(struct rd_workers *w)
{
	struct rd_link ended, *l, *tmp;
	bool any;

	rd_list_init(&ended);
	pthread_mutex_lock(&w->lock);
	rd_list_foreach(l, tmp, &w->ended) {
		rd_list_remove(l);
		rd_list_append(&ended, l);
	}
	pthread_mutex_unlock(&w->lock);
	any = !rd_list_empty(&ended);
	rd_list_foreach(l, tmp, &ended) {
		struct rd_worker *t = rd_list_entry(l, struct rd_worker, link);

		pthread_join(t->thread, NULL);
		t->alive = false;
		w->alive--;
		rd_charge_give(&t->charge);
		rd_list_remove(l);
		rd_list_append(&w->spare, l);
	}
	return any;
}

/* Edge-triggered: the counter is never read. */
static void on_notice(void *arg)
{
	struct rd_workers *w = arg;

	feed_all(w, reap(w));
}

void rd_workers_queue(struct rd_workers *w, struct rd_work *work)
{
	struct rd_class *c = &w->class[!!work->unbounded];
	struct rd_call call = { 0 };

	pthread_mutex_lock(&w->lock);
	work->state = RD_WORK_QUEUED;
	work->unwanted = false;
	if (!work->hash || rd_lane_join(&w->lanes, work)) {
		rd_class_add(w, work);
		rd_class_call(c, &call);
	}
	pthread_mutex_unlock(&w->lock);
	if (call.notice) {
		class_feed(w, c);	/* we are the one who would be told */
		call.notice = false;
	}
	rd_call_out(w, &call);
}

bool rd_workers_cancel(struct rd_workers *w, struct rd_work *work)
{
	struct rd_call call = { 0 };
	struct rd_work *heir;
	bool found;

	pthread_mutex_lock(&w->lock);
	found = work->state == RD_WORK_QUEUED;
	if (found && (!work->hash || !rd_lane_leave(&w->lanes, work))) {
		rd_list_remove(&work->link);
		heir = work->hash ? rd_lane_pass(&w->lanes, work) : NULL;
		if (heir) {
			rd_class_add(w, heir);
			rd_class_call(&w->class[!!heir->unbounded], &call);
		}
	}
	if (found)
		work->state = RD_WORK_IDLE;
	pthread_mutex_unlock(&w->lock);
	rd_call_out(w, &call);
	return found;
}

bool rd_workers_starve(const struct rd_workers *w)
{
	return RD_UNLIKELY(w->refusals >= RD_WORKER_TRIES) && !w->alive;
}

unsigned int rd_workers_running(const struct rd_workers *w)
{
	return w->alive;
}

void rd_workers_set_guest(struct rd_workers *w)
{
	w->guest = true;
}

void rd_workers_set_idle(struct rd_workers *w, unsigned int idle_ms)
{
	w->idle_ms = idle_ms;
}

/* --- life --- */

static void pool_destroy(struct rd_workers *w)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &w->all) {
		struct rd_worker *t = rd_list_entry(l, struct rd_worker, all);

		pthread_cond_destroy(&t->wake);
		free(t);
	}
	rd_close(w->efd);
	pthread_attr_destroy(&w->attr);
	pthread_cond_destroy(&w->all_ended);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* A thread that is not here may have held the lock, but the list of records is the reactor's, whose thread has forked. */
void rd_workers_inherit(struct rd_workers *w)
{
	struct rd_link *l, *tmp;

	if (!w)
		return;
	rd_list_foreach(l, tmp, &w->all)
		free(rd_list_entry(l, struct rd_worker, all));
	rd_close(w->efd);
	pthread_attr_destroy(&w->attr);
	free(w);
}

static int pool_events(struct rd_workers *w)
{
	w->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (w->efd < 0)
		return -errno;
	w->retry.fire = on_retry;
	rd_interrupt_init(w);
	return rd_loop_add(w->reactor->loop, &w->notice, w->efd, on_notice, w);
}

static void pool_locks(struct rd_workers *w)
{
	pthread_mutexattr_t mattr;
	pthread_condattr_t cattr;

	/* held for a moment only, so spin a little before sleeping */
	pthread_mutexattr_init(&mattr);
	pthread_mutexattr_settype(&mattr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&w->lock, &mattr);
	pthread_mutexattr_destroy(&mattr);
	pthread_condattr_init(&cattr);
	pthread_condattr_setclock(&cattr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->all_ended, &cattr);
	pthread_condattr_destroy(&cattr);
	pthread_attr_init(&w->attr);
	pthread_attr_setstacksize(&w->attr, rd_stack_size(RD_WORKER_STACK));
}

int rd_workers_new(struct rd_workers **ret, struct rd_reactor *reactor, struct rd_user *user, unsigned int max_bounded)
{
	struct rd_workers *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	for (size_t i = 0; i < RD_ARRAY_SIZE(w->class); i++) {
		rd_list_init(&w->class[i].runnable);
		rd_list_init(&w->class[i].idle);
	}
	w->class[0].max = RD_MAX(max_bounded, 1u);
	w->class[1].max = UINT_MAX;	/* the budget is its limit */
	rd_list_init(&w->ended);
	rd_list_init(&w->all);
	rd_list_init(&w->spare);
	w->reactor = reactor;
	w->user = user;
	w->idle_ms = RD_WORKER_IDLE_MS;
	w->retry_ms = RD_WORKER_RETRY_MS;
	pool_locks(w);
	r = pool_events(w);
	if (r < 0) {
		pool_destroy(w);
		return r;
	}
	*ret = w;
	return 0;
}

/* Under the lock: every thread is asked to end. True: they did. */
static bool pool_stop(struct rd_workers *w, unsigned int grace_ms)
{
	uint64_t end = rd_now_ns() + (uint64_t)grace_ms * 1000000u;
	struct timespec ts = { .tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u) };
	struct rd_link *l, *tmp;
	int r = 0;

	w->stop = true;
	rd_list_foreach(l, tmp, &w->all)
		pthread_cond_signal(&rd_list_entry(l, struct rd_worker, all)->wake);
	while (w->threads && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&w->all_ended, &w->lock, &ts);
	w->abandoned = w->threads > 0;
	/* acquire: pairs with worker_return(). From here on nobody touches the reactor. */
	rd_list_foreach(l, tmp, &w->all)
		while (atomic_load_explicit(&rd_list_entry(l, struct rd_worker, all)->returning, memory_order_acquire))
			sched_yield();
	return !w->abandoned;
}

/* What is left is stuck in its work. It finds the pool abandoned should it ever come back. */
static void pool_abandon(struct rd_workers *w)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &w->all) {
		struct rd_worker *t = rd_list_entry(l, struct rd_worker, all);

		if (!t->alive)
			continue;
		pthread_detach(t->thread);
		rd_charge_give(&t->charge);
	}
}

bool rd_workers_free(struct rd_workers *w, unsigned int grace_ms)
{
	bool ended;

	if (!w)
		return true;
	rd_loop_remove(w->reactor->loop, &w->notice);
	rd_timer_disarm(&w->reactor->timers, &w->retry);
	rd_timer_disarm(&w->reactor->timers, &w->again);
	pthread_mutex_lock(&w->lock);
	ended = pool_stop(w, grace_ms);
	pthread_mutex_unlock(&w->lock);
	reap(w);
	if (ended) {
		rd_interrupt_deinit(w);
		pool_destroy(w);
	} else {
		pool_abandon(w);
	}
	return ended;
}
