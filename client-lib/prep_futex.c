/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs: futexes, children, events of an epoll set. */
#include <linux/futex.h>

#include "prep.h"

void ringd_prep_futex_wait(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask, uint32_t futex_flags,
			   unsigned int flags)
{
	prep(sqe, RINGD_OP_FUTEX_WAIT, (int)futex_flags, address(futex), 0, val);
	sqe->futex_flags = flags;
	sqe->addr3 = mask;
}

void ringd_prep_futex_wake(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask, uint32_t futex_flags,
			   unsigned int flags)
{
	prep(sqe, RINGD_OP_FUTEX_WAKE, (int)futex_flags, address(futex), 0, val);
	sqe->futex_flags = flags;
	sqe->addr3 = mask;
}

void ringd_prep_futex_waitv(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct futex_waitv *futexv,
			    unsigned int nr_futex, unsigned int flags)
{
	struct futex_waitv *copy;

	prep(sqe, RINGD_OP_FUTEX_WAITV, 0, 0, nr_futex, 0);
	sqe->futex_flags = flags;
	if (!futexv || !nr_futex || nr_futex > RINGD_MAX_FUTEX_WAITV)
		return;
	_Static_assert(RINGD_MAX_FUTEX_WAITV * sizeof(*copy) <= RINGD_SCRATCH_PER_SQE, "the longest array fits");
	copy = rdl_scratch(ring, sqe, nr_futex * sizeof(*copy));
	for (unsigned int i = 0; i < nr_futex; i++)
		copy[i] = futexv[i];
	sqe->addr = address(copy);
}

void ringd_prep_waitid(struct ringd_sqe *sqe, int idtype, uint32_t id, void *infop, int options, unsigned int flags)
{
	prep(sqe, RINGD_OP_WAITID, (int)id, 0, (uint32_t)idtype, address(infop));
	sqe->waitid_flags = flags;
	sqe->file_index = (uint32_t)options;
}

void ringd_prep_epoll_wait(struct ringd_sqe *sqe, int fd, struct epoll_event *events, int maxevents, unsigned int flags)
{
	prep(sqe, RINGD_OP_EPOLL_WAIT, fd, address(events), (uint32_t)maxevents, 0);
	sqe->rw_flags = flags;
}
