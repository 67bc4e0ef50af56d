/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SQ side: handing out SQEs, publishing the tail, and entering if somebody has to be told. */
#include "client-lib/compat/api/private.h"

/* Exported for programs of liburing 2.0 and 2.1; later headers have it inline. */
struct ringd_sqe *io_uring_get_sqe(struct rd_uring *ring)
{
	struct rd_uring_sq *sq = &ring->sq;
	struct ringd_sqe *sqe;

	if (sq->sqe_tail - rd_uring_sq_head(ring) >= sq->ring_entries)
		return NULL;
	sqe = &sq->sqes[(size_t)(sq->sqe_tail++ & sq->ring_mask) << rd_uring_sqe_shift(ring->flags)];
	/* user_data, and what every prep function sets, stay as they were */
	sqe->flags = 0;
	sqe->ioprio = 0;
	sqe->rw_flags = 0;
	sqe->buf_index = 0;
	sqe->personality = 0;
	sqe->file_index = 0;
	sqe->addr3 = 0;
	sqe->__pad2[0] = 0;
	return sqe;
}

/* Makes all SQEs visible that were handed out. Returns how many wait to be consumed. */
unsigned int rd_uring_flush(struct rd_uring *ring)
{
	struct rd_uring_sq *sq = &ring->sq;
	uint32_t tail = sq->sqe_tail;

	/* a rewinding ring has no tail: each submission starts at slot 0 */
	if (ring->flags & RINGD_SETUP_SQ_REWIND) {
		sq->sqe_head = sq->sqe_tail = 0;
		return tail;
	}
	if (sq->sqe_head != tail) {
		sq->sqe_head = tail;
		/* release: pairs with the acquire of the poll thread, the SQEs are complete */
		rd_uring_store_release(sq->ktail, tail);
	}
	/* from the head, not from what was just added: an earlier enter may have left some */
	return tail - rd_uring_load(sq->khead);
}

/* Must @submit SQEs be announced by an enter? Sets the flag for that. */
bool rd_uring_sq_needs_enter(const struct rd_uring *ring, unsigned int submit, unsigned int *flags)
{
	if (!submit)
		return false;
	if (!(ring->flags & RINGD_SETUP_SQPOLL))
		return true;
	/* pairs with the poll thread's between its NEED_WAKEUP and its last look at the tail: one of us sees the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(rd_uring_load(ring->sq.kflags) & RINGD_SQ_NEED_WAKEUP))
		return false;
	*flags |= RINGD_ENTER_SQ_WAKEUP;
	return true;
}

static int submit(struct rd_uring *ring, unsigned int wait_nr, bool get_events)
{
	unsigned int n = rd_uring_flush(ring), flags = rd_uring_enter_flags(ring);
	bool events = get_events || wait_nr || rd_uring_cq_needs_enter(ring);

	if (!rd_uring_sq_needs_enter(ring, n, &flags) && !events) {
		rd_uring_found_nothing(ring);
		return (int)n;
	}
	if (events)
		flags |= RINGD_ENTER_GETEVENTS;
	return rd_local_enter((unsigned int)ring->enter_ring_fd, n, wait_nr, flags, NULL, RD_URING_SIGSET_SIZE);
}

int io_uring_submit(struct rd_uring *ring)
{
	return submit(ring, 0, false);
}

int io_uring_submit_and_wait(struct rd_uring *ring, unsigned int wait_nr)
{
	return submit(ring, wait_nr, false);
}

int io_uring_submit_and_get_events(struct rd_uring *ring)
{
	return submit(ring, 0, true);
}

static int enter(struct rd_uring *ring, unsigned int flags)
{
	return rd_local_enter((unsigned int)ring->enter_ring_fd, 0, 0, flags | rd_uring_enter_flags(ring), NULL,
			      RD_URING_SIGSET_SIZE);
}

int io_uring_get_events(struct rd_uring *ring)
{
	return enter(ring, RINGD_ENTER_GETEVENTS);
}

/* Of the inline io_uring_sqring_wait(), which has seen that a ring with SQPOLL is full. */
int __io_uring_sqring_wait(struct rd_uring *ring)
{
	return enter(ring, RINGD_ENTER_SQ_WAIT);
}

int io_uring_set_iowait(struct rd_uring *ring, bool enable_iowait)
{
	if (!(ring->features & RINGD_FEAT_NO_IOWAIT))
		return -EOPNOTSUPP;
	if (enable_iowait)
		ring->int_flags &= (uint8_t)~RD_URING_NO_IOWAIT;
	else
		ring->int_flags |= RD_URING_NO_IOWAIT;
	return 0;
}
