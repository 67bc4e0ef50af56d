/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The CQ side: looking for completions and waiting for them. */
#include "client-lib/compat/api/private.h"

/* What one call waits for, and how. */
struct want {
	unsigned int submit;	/* SQEs to hand over with the first enter */
	unsigned int nr;
	unsigned int flags;	/* of an enter that waits */
	const void *arg;
	size_t size;
	bool timed;		/* a wait that ends without a completion has run out of time */
};

static uint32_t ready(const struct rd_uring *ring)
{
	/* acquire: pairs with the release of whoever posted, the CQEs below are complete */
	return rd_uring_load_acquire(ring->cq.ktail) - rd_uring_load(ring->cq.khead);
}

static struct ringd_cqe *cqe_at(const struct rd_uring *ring, uint32_t index)
{
	return &ring->cq.cqes[(size_t)(index & ring->cq.ring_mask) << rd_uring_cqe_shift(ring->flags)];
}

/* The next CQE, or NULL. Fillers of a mixed ring are taken out. Returns the number of slots in use. */
int rd_uring_peek(struct rd_uring *ring, struct ringd_cqe **cqe)
{
	uint32_t n, head;

	for (;;) {
		n = ready(ring);
		head = rd_uring_load(ring->cq.khead);
		*cqe = n ? cqe_at(ring, head) : NULL;
		if (!*cqe || !((*cqe)->flags & RINGD_CQE_F_SKIP))
			return (int)n;
		rd_uring_store_release(ring->cq.khead, head + rd_uring_cqe_slots(*cqe));
	}
}

/* The flags for the enter that has to come next, or none: then *done is set. */
static unsigned int next_enter(const struct rd_uring *ring, const struct want *want, bool found, unsigned int available,
			       bool *done)
{
	unsigned int flags = rd_uring_enter_flags(ring);
	bool events = want->nr > available || (!found && !want->nr && !want->submit);
	bool announce = rd_uring_sq_needs_enter(ring, want->submit, &flags);

	if (events)
		flags |= RINGD_ENTER_GETEVENTS | want->flags;
	*done = !events && !announce;
	return flags;
}

/*
 * 0 or the number of SQEs submitted, with *cqe set if there is one. The first enter's result is the call's; what comes of
 * later ones only matters if it was 0.
 */
static int get_cqe(struct rd_uring *ring, struct ringd_cqe **cqe, struct want *want)
{
	int result = 0;

	for (bool entered = false;; entered = true) {
		int available = rd_uring_peek(ring, cqe), r;
		unsigned int flags;
		bool done;

		/* nothing to submit and nothing to wait for: one look, behind one enter if that can bring something */
		if (!*cqe && !want->nr && !want->submit && (entered || !rd_uring_cq_needs_enter(ring))) {
			rd_uring_found_nothing(ring);
			return result ? result : -EAGAIN;
		}
		flags = next_enter(ring, want, *cqe, (unsigned int)available, &done);
		if (done)
			return result;
		if (entered && want->timed)
			return !*cqe && !result ? -ETIME : result;
		r = rd_local_enter((unsigned int)ring->enter_ring_fd, want->submit, want->nr, flags, want->arg, want->size);
		if (r < 0)
			return result ? result : r;
		want->submit -= (unsigned int)r;
		if (!entered)
			result = r;
		if (*cqe)
			return result;
	}
}

int __io_uring_get_cqe(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int submit, unsigned int wait_nr,
		       sigset_t *sigmask)
{
	struct want want = { .submit = submit, .nr = wait_nr, .arg = sigmask, .size = RD_URING_SIGSET_SIZE };

	return get_cqe(ring, cqe_ptr, &want);
}

/* With the extended argument, which every server of ours has. */
static int get_timed(struct rd_uring *ring, struct ringd_cqe **cqe, unsigned int submit, unsigned int nr,
		     const struct ringd_timespec *ts, unsigned int min_wait, const sigset_t *sigmask)
{
	struct ringd_getevents_arg arg = {
		.sigmask = (uintptr_t)sigmask, .sigmask_sz = RD_URING_SIGSET_SIZE, .min_wait_usec = min_wait,
		.ts = (uintptr_t)ts,
	};
	struct want want = {
		.submit = submit, .nr = nr, .flags = RINGD_ENTER_EXT_ARG, .arg = &arg, .size = sizeof(arg), .timed = ts,
	};

	return get_cqe(ring, cqe, &want);
}

int io_uring_wait_cqes(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr, struct ringd_timespec *ts,
		       sigset_t *sigmask)
{
	return ts ? get_timed(ring, cqe_ptr, 0, wait_nr, ts, 0, sigmask) :
		    __io_uring_get_cqe(ring, cqe_ptr, 0, wait_nr, sigmask);
}

int io_uring_wait_cqes_min_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr,
				   struct ringd_timespec *ts, unsigned int min_wait_usec, sigset_t *sigmask)
{
	return get_timed(ring, cqe_ptr, 0, wait_nr, ts, min_wait_usec, sigmask);
}

int io_uring_wait_cqe_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, struct ringd_timespec *ts)
{
	return io_uring_wait_cqes(ring, cqe_ptr, 1, ts, NULL);
}

int io_uring_submit_and_wait_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr,
				     struct ringd_timespec *ts, sigset_t *sigmask)
{
	unsigned int n = rd_uring_flush(ring);

	return ts ? get_timed(ring, cqe_ptr, n, wait_nr, ts, 0, sigmask) :
		    __io_uring_get_cqe(ring, cqe_ptr, n, wait_nr, sigmask);
}

int io_uring_submit_and_wait_min_timeout(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr,
					 struct ringd_timespec *ts, unsigned int min_wait, sigset_t *sigmask)
{
	if (!(ring->features & RINGD_FEAT_MIN_TIMEOUT))
		return -EINVAL;
	if (!ts)	/* nothing to be the minimum of */
		return io_uring_submit_and_wait_timeout(ring, cqe_ptr, wait_nr, NULL, sigmask);
	return get_timed(ring, cqe_ptr, rd_uring_flush(ring), wait_nr, ts, min_wait, sigmask);
}

/* The argument is a place in the registered wait region. */
int io_uring_submit_and_wait_reg(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr, int reg_index)
{
	uintptr_t offset = (uintptr_t)(intptr_t)reg_index * sizeof(struct ringd_reg_wait);
	struct want want = {
		.nr = wait_nr, .flags = RINGD_ENTER_EXT_ARG | RINGD_ENTER_EXT_ARG_REG, .arg = (const void *)offset,
		.size = sizeof(struct ringd_reg_wait), .timed = true,
	};

	if (!(ring->features & RINGD_FEAT_EXT_ARG))
		return -EINVAL;
	want.submit = rd_uring_flush(ring);
	return get_cqe(ring, cqe_ptr, &want);
}

/*
 * As many CQEs as there are, up to @count. A batch ends before a filler, so that the slots of its CQEs add up to what has to be
 * advanced.
 */
static unsigned int batch(struct rd_uring *ring, struct ringd_cqe **cqes, unsigned int count)
{
	struct ringd_cqe *cqe;
	uint32_t slots = (uint32_t)rd_uring_peek(ring, &cqe);
	uint32_t head = rd_uring_load(ring->cq.khead), tail = head + slots;
	unsigned int n = 0;

	while (n < count && head != tail) {
		cqe = cqe_at(ring, head);
		if (cqe->flags & RINGD_CQE_F_SKIP)
			break;
		cqes[n++] = cqe;
		head += rd_uring_cqe_slots(cqe);
	}
	return n;
}

unsigned int io_uring_peek_batch_cqe(struct rd_uring *ring, struct ringd_cqe **cqes, unsigned int count)
{
	unsigned int n = batch(ring, cqes, count);

	if (n || !(rd_uring_load(ring->sq.kflags) & (RINGD_SQ_CQ_OVERFLOW | RINGD_SQ_TASKRUN)))
		return n;
	(void)io_uring_get_events(ring);
	return batch(ring, cqes, count);
}
