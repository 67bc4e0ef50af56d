/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring_enter(2). Requests are issued by the thread that calls, as the kernel does it. What a pointer names is read when
 * the wait starts, so an argument that is wrong costs a caller whose SQEs were taken nothing but the error.
 */
#include <signal.h>
#include <string.h>

#include "daemon/common/util.h"
#include "daemon/engine/ring/sq.h"
#include "process.h"
#include "report.h"

#define NS		1000000000u
#define FOREVER		UINT64_MAX
#define SIGSET_SIZE	8u	/* the kernel's sigset_t; libc's is longer */

/* What GETEVENTS is to do with its time, whichever of the three forms of the argument it came in. */
struct wait_args {
	bool timed;
	struct ringd_timespec ts;
	uint32_t min_wait_usec;
	uint64_t sigmask;	/* address */
	uint64_t sigmask_size;
};

/* The argument as it was passed, and what signals are blocked during a wait whose argument does not say it. */
struct enter_arg {
	const void *ptr;
	size_t size;
	const void *mask;	/* NULL: those that are */
};

static int get_ext_arg(struct wait_args *args, const void *arg)
{
	struct ringd_getevents_arg ext;
	int r = rd_local_copy_in(&ext, (uintptr_t)arg, sizeof(ext));

	if (r == 0 && ext.ts)
		r = rd_local_copy_in(&args->ts, ext.ts, sizeof(args->ts));
	if (r < 0)
		return r;
	args->timed = ext.ts;
	args->min_wait_usec = ext.min_wait_usec;
	args->sigmask = ext.sigmask;
	args->sigmask_size = ext.sigmask_sz;
	return 0;
}

/* An entry of the wait region, which the program may rewrite at any time: each word is loaded once. */
static int get_reg_wait(struct wait_args *args, struct rd_local_ring *lr, uint64_t off)
{
	const struct ringd_reg_wait *entry = off % 8 ? NULL : rd_local_reg_wait(lr, off);
	uint32_t flags;

	if (!entry)
		return -EFAULT;
	flags = __atomic_load_n(&entry->flags, __ATOMIC_RELAXED);
	if (flags & ~RINGD_REG_WAIT_TS)
		return -EINVAL;
	args->min_wait_usec = __atomic_load_n(&entry->min_wait_usec, __ATOMIC_RELAXED);
	args->sigmask = __atomic_load_n(&entry->sigmask, __ATOMIC_RELAXED);
	args->sigmask_size = __atomic_load_n(&entry->sigmask_sz, __ATOMIC_RELAXED);
	args->ts.tv_sec = __atomic_load_n(&entry->ts.tv_sec, __ATOMIC_RELAXED);
	args->ts.tv_nsec = __atomic_load_n(&entry->ts.tv_nsec, __ATOMIC_RELAXED);
	args->timed = flags;
	return 0;
}

static int get_args(struct wait_args *args, struct rd_local_ring *lr, unsigned int flags, const void *arg, size_t argsz)
{
	*args = (struct wait_args){ 0 };
	if (!(flags & RINGD_ENTER_EXT_ARG)) {
		args->sigmask = (uintptr_t)arg;
		args->sigmask_size = argsz;
		return 0;
	}
	if (flags & RINGD_ENTER_EXT_ARG_REG) {
		/* nothing to look at, and what has no use there is refused */
		if (lr->params.flags & RINGD_SETUP_IOPOLL)
			return -EINVAL;
		return argsz == sizeof(struct ringd_reg_wait) ? get_reg_wait(args, lr, (uintptr_t)arg) : -EINVAL;
	}
	return argsz == sizeof(struct ringd_getevents_arg) ? get_ext_arg(args, arg) : -EINVAL;
}

static uint64_t deadline(clockid_t clock, const struct ringd_timespec *ts, bool absolute)
{
	uint64_t base = absolute ? 0 : rd_local_clock_ns(clock);

	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NS)
		return base;
	if ((uint64_t)ts->tv_sec > (FOREVER - base) / NS - 2)
		return FOREVER;
	return base + (uint64_t)ts->tv_sec * NS + (uint64_t)ts->tv_nsec;
}

static int get_until(struct rd_local_until *until, uint64_t *mask, const struct rd_local_ring *lr, const struct wait_args *args,
		     unsigned int flags, const void *kept)
{
	int r;

	*until = (struct rd_local_until){ .timed = args->timed, .clock = lr->clock, .mask = kept };
	if (args->timed)
		until->deadline = deadline(lr->clock, &args->ts, flags & RINGD_ENTER_ABS_TIMER);
	if (args->min_wait_usec) {
		until->min_deadline = rd_local_clock_ns(lr->clock) + (uint64_t)args->min_wait_usec * 1000;
		/* a timeout that would end before it ends with it */
		if (args->timed)
			until->deadline = RD_MAX(until->deadline, until->min_deadline);
	}
	if (!args->sigmask || (lr->params.flags & RINGD_SETUP_IOPOLL))
		return 0;
	if (args->sigmask_size != SIGSET_SIZE)
		return -EINVAL;
	until->mask = mask;
	r = rd_local_copy_in(mask, args->sigmask, SIGSET_SIZE);
	if (r < 0)
		return r;
	/* a handler that runs meanwhile may make the calls, and be sent to that of SIGSYS */
	*mask &= ~((uint64_t)1 << (SIGSYS - 1));
	return 0;
}

/* --- the submission --- */

/* The ring takes its words as from any client; here they are looked at before this returns. */
static int submit(struct rd_local_ring *lr, uint32_t to_submit, uint32_t flags)
{
	struct rd_ring *ring = lr->ring;
	uint32_t seq = ring->hot->enter_seq + 1;

	ring->hot->enter_to_submit = to_submit;
	ring->hot->enter_flags = flags;
	__atomic_store_n(&ring->hot->enter_seq, seq, __ATOMIC_RELEASE);
	rd_local_files_begin(&rd_local.host);
	do
		(void)rd_sq_look(ring);
	while (!ring->dead && (ring->entering || ring->enter_seen != seq));
	rd_local_files_end(&rd_local.host);
	if (ring->dead)
		return -EBADFD;
	if (!rd_list_empty(&rd_local.engine.reactor->dirty) || rd_local.engine.reactor->polls.pending)
		(void)rd_local_turn();
	return ring->hot->enter_res;
}

/* GETEVENTS asks for what was held back, and a lazy ring runs what it has put off. */
static int reap(struct rd_local_ring *lr)
{
	return lr->ring->ctx.lazy || lr->ring->held || lr->ring->lost ? submit(lr, 0, RINGD_ENTER_GETEVENTS) : 0;
}

static bool enough(const struct rd_local_ring *lr, uint32_t min)
{
	const struct rd_ring *ring = lr->ring;

	return ring->cq_tail - __atomic_load_n(&ring->hot->cq_head, __ATOMIC_RELAXED) >= RD_MIN(min, ring->cq_entries);
}

/* Who polls for completions (IOPOLL) and has nothing under way does not wait for what others may bring. */
static bool polls_for_nothing(const struct rd_local_ring *lr)
{
	return (lr->params.flags & (RINGD_SETUP_IOPOLL | RINGD_SETUP_SQPOLL)) == RINGD_SETUP_IOPOLL && !lr->ring->ctx.inflight;
}

/*
 * Who asks for events and waits for none means what has happened up to now, and is about to undo it: a pipe was written to, it
 * will be read from next. Whoever drives may not have got the CPU since.
 */
static void look_around(void)
{
	if (!rd_local.engine.user.used[RINGD_LIMIT_INFLIGHT])
		return;
	rd_reactor_events(rd_local.engine.reactor);
	(void)rd_local_turn();
}

static int get_events(struct rd_local_ring *lr, uint32_t min, unsigned int flags, const struct enter_arg *arg)
{
	struct rd_local_until until;
	struct wait_args args;
	uint64_t mask;
	int r;

	r = get_args(&args, lr, flags, arg->ptr, arg->size);
	if (r == 0 && !min)
		look_around();
	if (r == 0)
		r = reap(lr);
	if (r < 0)
		return r;
	if (!min || enough(lr, min)) {
		if (!enough(lr, 1))
			(void)rd_local_turn();
		return 0;
	}
	r = get_until(&until, &mask, lr, &args, flags, arg->mask);
	if (r == 0 && !polls_for_nothing(lr))
		r = rd_local_wait(lr, RD_MIN(min, lr->ring->cq_entries), &until);
	if (r == -EOWNERDEAD)
		return r;
	/* neither time nor a signal hides what is there */
	if ((r == -ETIME || r == -EINTR) && !lr->ring->dead && enough(lr, 1))
		r = 0;
	/* what came while others waited, too */
	if (r == 0 && lr->ring->lost && !lr->ring->dead)
		r = reap(lr);
	return r;
}

/* --- SQPOLL --- */

static int enter_sqpoll(struct rd_local_ring *lr, uint32_t to_submit, unsigned int flags)
{
	struct rd_ring *ring = lr->ring;

	if ((flags & RINGD_ENTER_SQ_WAKEUP) || (flags & RINGD_ENTER_SQ_WAIT))
		rd_ring_doorbell(ring);
	while ((flags & RINGD_ENTER_SQ_WAIT) && !ring->dead &&
	       __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_ACQUIRE) - ring->sq_head >= ring->sq_entries) {
		if (!rd_local_turn())
			break;
	}
	return (int)RD_MIN(to_submit, (uint32_t)INT32_MAX);
}

/* --- the call --- */

/* A child of fork() has another one. */
static pid_t thread_id(void)
{
	const struct rd_local_thread *t = rd_local_thread();

	return RD_LIKELY(t->generation == rd_local.generation) ? t->tid : rd_local_thread_begin();
}

/* SINGLE_ISSUER: the first thread that submits is the only one. */
static int check_issuer(struct rd_local_ring *lr, uint32_t to_submit, unsigned int flags)
{
	bool matters = (to_submit && !lr->ring->sqpoll) ||
		       ((flags & RINGD_ENTER_GETEVENTS) && (lr->params.flags & RINGD_SETUP_DEFER_TASKRUN));

	if (!(lr->params.flags & RINGD_SETUP_SINGLE_ISSUER) || !matters)
		return 0;
	if (!lr->issuer)
		lr->issuer = thread_id();
	return lr->issuer == thread_id() ? 0 : -EEXIST;
}

/* The requests are this thread's, and suffer when it ends. */
static int submit_mine(struct rd_local_ring *lr, uint32_t to_submit)
{
	lr->ring->ctx.task = (uint32_t)thread_id();
	return submit(lr, to_submit, 0);
}

/* The SQ of a ring that came with a fork() is polled by the process that made it, with the rights of that one. */
static int enter_remote(struct rd_local_ring *lr, uint32_t to_submit, unsigned int flags)
{
	int r = flags & (RINGD_ENTER_SQ_WAKEUP | RINGD_ENTER_SQ_WAIT) ? rd_local_share_doorbell(lr) : 0;

	return r < 0 ? r : (int)RD_MIN(to_submit, (uint32_t)INT32_MAX);
}

static int enter_ring(struct rd_local_ring *lr, uint32_t to_submit, uint32_t min, unsigned int flags, const struct enter_arg *arg)
{
	int n = 0, r;

	if (lr->ring->dead)
		return -EBADF;
	if (lr->ring->ctx.disabled)
		return -EBADFD;
	r = check_issuer(lr, to_submit, flags);
	if (r < 0)
		return r;
	if (RD_UNLIKELY(lr->remote))
		n = enter_remote(lr, to_submit, flags);
	else if (lr->ring->sqpoll)
		n = enter_sqpoll(lr, to_submit, flags);
	else if (to_submit)
		n = submit_mine(lr, to_submit);
	if (n < 0 || (uint32_t)n != to_submit || !(flags & RINGD_ENTER_GETEVENTS))
		return n;
	r = get_events(lr, min, flags, arg);
	return n ? n : r;
}

static struct rd_local_ring *find(unsigned int fd, unsigned int flags, int *err)
{
	struct rd_local_ring *lr;

	if (flags & RINGD_ENTER_REGISTERED_RING) {
		lr = rd_local_slot_get(fd);
		*err = fd < RD_LOCAL_SLOTS ? -EBADF : -EINVAL;
		return lr;
	}
	lr = rd_local_ring_of((int)fd);
	if (!lr)
		*err = rd_local_no_ring((int)fd, -EOPNOTSUPP);
	return lr;
}

int rd_local_enter_masked(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
			  size_t argsz, const void *mask)
{
	const struct enter_arg enter_arg = { arg, argsz, mask };
	struct rd_local_ring *lr;
	uint32_t generation;
	int saved = errno, r = -EINVAL;

	if (flags & ~RINGD_ENTER_ALL)
		return r;
	if (RD_UNLIKELY(rd_local_inside()))
		return -EAGAIN;
	rd_local_lock();
	if (RD_UNLIKELY(rd_local_thread()->waiting))
		rd_local_thread_tidy();
	generation = rd_local.generation;
	lr = find(fd, flags, &r);
	if (lr) {
		rd_local_ring_get(lr);	/* another thread may close it while we sleep */
		r = enter_ring(lr, to_submit, min_complete, flags, &enter_arg);
		if (RD_LIKELY(rd_local.generation == generation))
			rd_local_ring_put(lr);
		else if (r == -EOWNERDEAD)
			r = -EINTR;	/* a handler has forked, and this is the child */
		rd_local_leave();
	}
	rd_local_report_call(true, 0, r);
	rd_local_unlock();
	if (RD_UNLIKELY(!atomic_load_explicit(&rd_local_rings, memory_order_relaxed)))
		rd_local_settle_down();
	errno = saved;
	return r;
}

int rd_local_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
		   size_t argsz)
{
	return rd_local_enter_masked(fd, to_submit, min_complete, flags, arg, argsz, NULL);
}
