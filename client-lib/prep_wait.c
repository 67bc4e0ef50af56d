/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs that wait for time or for readiness, or end such waits. Times are copied to the scratch area. */
#include <time.h>

#include "prep.h"

#define NS_PER_S 1000000000ull

/* Saturates; what is negative stays so and is refused by the engine. */
static uint64_t nanoseconds(const struct timespec *ts)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0)
		return (uint64_t)-1;
	if ((uint64_t)ts->tv_sec > (INT64_MAX - (uint64_t)ts->tv_nsec) / NS_PER_S)
		return INT64_MAX;
	return (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

/* Where the engine finds the time, or with IMMEDIATE_ARG the time itself. */
static uint64_t time_arg(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, unsigned int flags)
{
	struct ringd_timespec *copy;

	if (!ts)
		return 0;
	if (flags & RINGD_TIMEOUT_IMMEDIATE_ARG)
		return nanoseconds(ts);
	copy = rdl_scratch(ring, sqe, sizeof(*copy));
	copy->tv_sec = ts->tv_sec;
	copy->tv_nsec = ts->tv_nsec;
	return address(copy);
}

void ringd_prep_timeout(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, unsigned int count,
			unsigned int flags)
{
	prep(sqe, RINGD_OP_TIMEOUT, -1, time_arg(ring, sqe, ts, flags), 1, count);
	sqe->timeout_flags = flags;
}

void ringd_prep_link_timeout(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, unsigned int flags)
{
	prep(sqe, RINGD_OP_LINK_TIMEOUT, -1, time_arg(ring, sqe, ts, flags), 1, 0);
	sqe->timeout_flags = flags;
}

void ringd_prep_timeout_remove(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags)
{
	prep(sqe, RINGD_OP_TIMEOUT_REMOVE, -1, user_data, 0, 0);
	sqe->timeout_flags = flags;
}

void ringd_prep_timeout_update(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, uint64_t user_data,
			       unsigned int flags)
{
	prep(sqe, RINGD_OP_TIMEOUT_REMOVE, -1, user_data, 0, time_arg(ring, sqe, ts, flags));
	sqe->timeout_flags = flags | RINGD_TIMEOUT_UPDATE;
}

static uint32_t poll_events(unsigned int mask)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	mask = mask << 16 | mask >> 16;
#endif
	return mask;
}

void ringd_prep_poll_add(struct ringd_sqe *sqe, int fd, unsigned int poll_mask)
{
	prep(sqe, RINGD_OP_POLL_ADD, fd, 0, 0, 0);
	sqe->poll32_events = poll_events(poll_mask);
}

void ringd_prep_poll_multishot(struct ringd_sqe *sqe, int fd, unsigned int poll_mask)
{
	ringd_prep_poll_add(sqe, fd, poll_mask);
	sqe->len = RINGD_POLL_ADD_MULTI;
}

void ringd_prep_poll_remove(struct ringd_sqe *sqe, uint64_t user_data)
{
	prep(sqe, RINGD_OP_POLL_REMOVE, -1, user_data, 0, 0);
}

void ringd_prep_poll_update(struct ringd_sqe *sqe, uint64_t old_user_data, uint64_t new_user_data, unsigned int poll_mask,
			    unsigned int flags)
{
	prep(sqe, RINGD_OP_POLL_REMOVE, -1, old_user_data, flags, new_user_data);
	sqe->poll32_events = poll_events(poll_mask);
}

void ringd_prep_cancel64(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags)
{
	prep(sqe, RINGD_OP_ASYNC_CANCEL, -1, user_data, 0, 0);
	sqe->cancel_flags = flags;
}

void ringd_prep_cancel(struct ringd_sqe *sqe, const void *user_data, unsigned int flags)
{
	ringd_prep_cancel64(sqe, address(user_data), flags);
}

void ringd_prep_cancel_fd(struct ringd_sqe *sqe, int fd, unsigned int flags)
{
	prep(sqe, RINGD_OP_ASYNC_CANCEL, fd, 0, 0, 0);
	sqe->cancel_flags = flags | RINGD_ASYNC_CANCEL_FD;
}
