/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel io_uring, no more of it than uring.c needs. Not liburing: the engine also lives inside our drop-in of that
 * library, whose names would meet. One thread uses it; the kernel reads the SQ only inside rd_kring_enter() (no SQPOLL).
 */
#ifndef RD_KRING_H
#define RD_KRING_H

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd_kring {
	int fd;				/* -1: there is none */
	int enter_fd;			/* fd, or its number among the thread's registered rings */
	unsigned int enter_flags;
	uint32_t features;
	uint32_t setup_flags;
	/* SQ: we write the tail and SQEs, the kernel the head and flags */
	_Atomic uint32_t *sq_head, *sq_tail, *sq_flags;
	struct io_uring_sqe *sqes;
	uint32_t sq_mask, sq_next;	/* sq_next: our tail, published by rd_kring_enter() */
	/* CQ: we write the head and flags, the kernel the tail and CQEs */
	_Atomic uint32_t *cq_head, *cq_tail, *cq_flags;
	struct io_uring_cqe *cqes;
	uint32_t cq_mask;
	void *map;
	size_t map_len, sqes_len;
};

/* Makes a ring that is disabled, with the best of the setup flags this kernel has. 0 or -errno. */
int rd_kring_init(struct rd_kring *k, uint32_t sq_entries, uint32_t cq_entries);
void rd_kring_deinit(struct rd_kring *k);
/* io_uring_register(). */
int rd_kring_register(struct rd_kring *k, unsigned int opcode, const void *arg, unsigned int nr);
/* The calling thread becomes the only one that may use it. */
int rd_kring_enable(struct rd_kring *k);
/* Submit up to max of what was filled in and run deferred completions, without waiting. Number of SQEs consumed or -errno. */
int rd_kring_enter(struct rd_kring *k, uint32_t max);

/* SQEs the kernel has not consumed. */
static inline uint32_t rd_kring_unsubmitted(const struct rd_kring *k)
{
	return k->sq_next - atomic_load_explicit(k->sq_head, memory_order_relaxed);
}

/* NULL: full. To be filled in completely before the next rd_kring_enter(). */
static inline struct io_uring_sqe *rd_kring_sqe(struct rd_kring *k)
{
	/* relaxed: the kernel moves the head inside our own system call */
	if (rd_kring_unsubmitted(k) > k->sq_mask)
		return NULL;
	return &k->sqes[k->sq_next++ & k->sq_mask];
}

/* The kernel has something for us that only rd_kring_enter() brings. */
static inline bool rd_kring_wants_entry(const struct rd_kring *k)
{
	return atomic_load_explicit(k->sq_flags, memory_order_relaxed) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* Shall completions signal the registered eventfd? */
static inline void rd_kring_signal(struct rd_kring *k, bool on)
{
	atomic_store_explicit(k->cq_flags, on ? 0 : IORING_CQ_EVENTFD_DISABLED, memory_order_relaxed);
}

#endif
