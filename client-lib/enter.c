/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io_uring_enter(2), with all of its flags and arguments. What a pointer names is read when the wait starts, so an argument
 * that is wrong costs a caller whose SQEs were taken nothing but the error.
 */
#include "private.h"

/* What GETEVENTS is to do with its time, whichever of the three forms of the argument it came in. */
struct wait_args {
	bool timed;
	struct timespec ts;
	uint32_t min_wait_usec;
	uint64_t sigmask;	/* address */
	size_t sigmask_size;
};

/* The kernel's sigset_t; the library's is longer. */
#define SIGSET_SIZE	8u

static int get_ts(struct wait_args *args, const struct ringd_timespec *ts)
{
	args->timed = true;
	args->ts = (struct timespec){ .tv_sec = (time_t)ts->tv_sec, .tv_nsec = (long)ts->tv_nsec };
	return 0;
}

static int get_ext_arg(struct wait_args *args, const void *arg)
{
	struct ringd_getevents_arg ext;
	struct ringd_timespec ts;
	int r;

	r = rdl_copy_in(&ext, (uintptr_t)arg, sizeof(ext));
	if (r == 0 && ext.ts)
		r = rdl_copy_in(&ts, ext.ts, sizeof(ts));
	if (r < 0)
		return r;
	args->min_wait_usec = ext.min_wait_usec;
	args->sigmask = ext.sigmask;
	args->sigmask_size = ext.sigmask_sz;
	return ext.ts ? get_ts(args, &ts) : 0;
}

/* An entry of the wait region, which its owner may rewrite at any time: each word is loaded once. */
static int get_reg_wait(struct wait_args *args, const struct ringd_ring *ring, uint64_t off)
{
	const struct ringd_reg_wait *entry;
	struct ringd_timespec ts;
	uint32_t flags;

	if (!ring->wait_region || off % 8 || off > ring->wait_region_size || ring->wait_region_size - off < sizeof(*entry))
		return -EFAULT;
	entry = (const void *)((const char *)ring->wait_region + off);
	flags = rdl_load(&entry->flags);
	if (flags & ~RINGD_REG_WAIT_TS)
		return -EINVAL;
	args->min_wait_usec = rdl_load(&entry->min_wait_usec);
	args->sigmask = rdl_load(&entry->sigmask);
	args->sigmask_size = rdl_load(&entry->sigmask_sz);
	ts.tv_sec = rdl_load(&entry->ts.tv_sec);
	ts.tv_nsec = rdl_load(&entry->ts.tv_nsec);
	return flags ? get_ts(args, &ts) : 0;
}

static int get_args(struct wait_args *args, const struct ringd_ring *ring, unsigned int flags, const void *arg, size_t argsz)
{
	*args = (struct wait_args){ 0 };
	if (!(flags & RINGD_ENTER_EXT_ARG)) {
		args->sigmask = (uintptr_t)arg;
		args->sigmask_size = argsz;
		return 0;
	}
	if (flags & RINGD_ENTER_EXT_ARG_REG) {
		/* nothing to look at, and what has no use there is refused */
		if (rdl_special(ring) & RDL_IOPOLL)
			return -EINVAL;
		return argsz == sizeof(struct ringd_reg_wait) ? get_reg_wait(args, ring, (uintptr_t)arg) : -EINVAL;
	}
	return argsz == sizeof(struct ringd_getevents_arg) ? get_ext_arg(args, arg) : -EINVAL;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > RDL_FOREVER - b ? RDL_FOREVER : a + b;
}

static void until_init(struct rdl_until *until, clockid_t clock, const struct timespec *ts, bool absolute, uint32_t min_wait_usec)
{
	until->clock = clock;
	until->deadline = rdl_deadline(clock, ts, absolute);
	until->min_deadline = min_wait_usec ? add(rdl_clock(clock), (uint64_t)min_wait_usec * 1000) : 0;
	until->masked = false;
}

static int until_args(struct rdl_until *until, const struct ringd_ring *ring, const struct wait_args *args, unsigned int flags)
{
	int r;

	until_init(until, ring->clock, args->timed ? &args->ts : NULL, flags & RINGD_ENTER_ABS_TIMER, args->min_wait_usec);
	if (!args->sigmask || (rdl_special(ring) & RDL_IOPOLL))
		return 0;
	if (args->sigmask_size != SIGSET_SIZE)
		return -EINVAL;
	sigemptyset(&until->mask);
	r = rdl_copy_in(&until->mask, args->sigmask, SIGSET_SIZE);
	until->masked = r == 0;
	return r;
}

void rdl_until_init(struct rdl_until *until, const struct ringd_ring *ring, const struct timespec *ts, unsigned int min_wait_usec,
		    const sigset_t *sigmask)
{
	until_init(until, ring->clock, ts, false, min_wait_usec);
	if (!sigmask)
		return;
	until->mask = *sigmask;
	until->masked = true;
}

/* GETEVENTS without a submission before it in the same enter. */
static int get_events(struct ringd_ring *ring, uint32_t min_complete, unsigned int flags, const void *arg, size_t argsz)
{
	struct wait_args args;
	struct rdl_until until;
	int r;

	r = get_args(&args, ring, flags, arg, argsz);
	if (r < 0)
		return r;
	if (!min_complete || rdl_enough(ring, min_complete))
		return rdl_get_events(ring);
	r = until_args(&until, ring, &args, flags);
	return r < 0 ? r : rdl_wait_events(ring, min_complete, &until);
}

/* SQPOLL: nothing is submitted here. */
static int enter_sqpoll(struct ringd_ring *ring, uint32_t to_submit, unsigned int flags)
{
	int r = 0;

	if (rdl_dead(ring))
		return -ECONNRESET;
	if (to_submit)
		rdl_publish(ring);
	if (flags & RINGD_ENTER_SQ_WAKEUP)
		r = rdl_wake_engine(ring);
	if (r == 0 && (flags & RINGD_ENTER_SQ_WAIT))
		r = ringd_sqring_wait(ring);
	return r == -ECONNRESET ? r : (int)RDL_MIN(to_submit, (uint32_t)INT32_MAX);
}

/* Both halves in one: a wait that is to begin with the submission, so that what completes late is posted from the start. */
static int enter_lazy(struct ringd_ring *ring, uint32_t to_submit, uint32_t min_complete, unsigned int flags, const void *arg,
		      size_t argsz)
{
	struct wait_args args;
	struct rdl_until until;
	uint32_t asked;
	int n, r;

	r = get_args(&args, ring, flags, arg, argsz);
	if (r == 0)
		r = until_args(&until, ring, &args, flags);
	if (r == 0)
		return rdl_submit_and_wait(ring, to_submit, min_complete, &until);
	n = rdl_submit(ring, to_submit, RINGD_ENTER_GETEVENTS, &asked);
	return n ? n : r;
}

int ringd_enter(struct ringd_ring *ring, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
		size_t argsz)
{
	uint32_t special = rdl_special(ring), asked;
	int n = 0, r;

	if (flags & ~RINGD_ENTER_ALL)
		return -EINVAL;
	if (special & RDL_DEAD)
		return -ECONNRESET;
	if (flags & RINGD_ENTER_REGISTERED_RING) {
		r = rdl_fds_check(ring);
		if (r < 0)
			return r;
	}
	if (special & RDL_DISABLED)
		return -EBADFD;
	if (to_submit && (special & RDL_ISSUER) && !ring->sqpoll && ring->issuer != rdl_thread_id())
		return -EEXIST;
	if (ring->sqpoll)
		n = enter_sqpoll(ring, to_submit, flags);
	else if (to_submit && (flags & RINGD_ENTER_GETEVENTS) && (special & RDL_LAZY))
		return enter_lazy(ring, to_submit, min_complete, flags, arg, argsz);
	else if (to_submit)
		n = rdl_submit(ring, to_submit, 0, &asked);
	if (n < 0 || (uint32_t)n != to_submit || !(flags & RINGD_ENTER_GETEVENTS))
		return n;
	r = get_events(ring, min_complete, flags, arg, argsz);
	return n && r != -ECONNRESET ? n : r;
}

int ringd_submit_and_wait_reg(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr, int reg_index)
{
	const void *off = (const void *)((uintptr_t)reg_index * sizeof(struct ringd_reg_wait));
	unsigned int flags = RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG | RINGD_ENTER_EXT_ARG_REG;
	uint32_t n = ring->sq_tail - (ring->sqpoll ? ring->sq_published : ring->sq_head);
	int r;

	if (ring->sqpoll)
		flags |= RINGD_ENTER_SQ_WAKEUP;
	r = ringd_enter(ring, n, wait_nr, flags, off, sizeof(struct ringd_reg_wait));
	if (ringd_peek_cqe(ring, cqe) < 0)
		*cqe = NULL;
	return r;
}
