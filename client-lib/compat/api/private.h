/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the liburing API share. */
#ifndef RINGD_COMPAT_API_PRIVATE_H
#define RINGD_COMPAT_API_PRIVATE_H

#include <errno.h>

#include "client-lib/compat/api/api.h"
#include "client-lib/compat/local/local.h"

/* What the ABI of enter's sigmask counts: bytes of the kernel's set, not of glibc's. */
#define RD_URING_SIGSET_SIZE	8u

static inline uint32_t rd_uring_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint32_t rd_uring_load_acquire(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void rd_uring_store_release(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline unsigned int rd_uring_sqe_shift(uint32_t setup_flags)
{
	return setup_flags & RINGD_SETUP_SQE128 ? 1 : 0;
}

static inline unsigned int rd_uring_cqe_shift(uint32_t setup_flags)
{
	return setup_flags & RINGD_SETUP_CQE32 ? 1 : 0;
}

/* Slots of the CQ that a CQE takes. */
static inline unsigned int rd_uring_cqe_slots(const struct ringd_cqe *cqe)
{
	return cqe->flags & RINGD_CQE_F_32 ? 2 : 1;
}

static inline uint32_t rd_uring_sq_head(const struct rd_uring *ring)
{
	/* acquire: pairs with the release of the poll thread, which has copied what it went past */
	return ring->flags & RINGD_SETUP_SQPOLL ? rd_uring_load_acquire(ring->sq.khead) : rd_uring_load(ring->sq.khead);
}

/* The flags every enter of this ring has. */
static inline unsigned int rd_uring_enter_flags(const struct rd_uring *ring)
{
	return ring->int_flags & (RD_URING_REG_RING | RD_URING_NO_IOWAIT);
}

/* Is there something that only an enter brings into the CQ? */
static inline bool rd_uring_cq_needs_enter(const struct rd_uring *ring)
{
	return (ring->int_flags & RD_URING_CQ_ENTER) ||
	       (rd_uring_load(ring->sq.kflags) & (RINGD_SQ_CQ_OVERFLOW | RINGD_SQ_TASKRUN));
}

/* The program is told that there is nothing: then its descriptor shall not say otherwise. */
static inline void rd_uring_found_nothing(const struct rd_uring *ring)
{
	if (__builtin_expect(atomic_load_explicit(&rd_local_unseen, memory_order_relaxed), 0))
		rd_local_poll_sync(ring->ring_fd);
}

/* calls.c */
int rd_uring_call(const struct rd_uring *ring, unsigned int opcode, const void *arg, unsigned int nr);

/* sys.c: libc's calls with a negative errno as the result, errno untouched */
int rd_uring_map_memory(void **ret, size_t size, bool shared);
int rd_uring_map_ring(void **ret, size_t size, int fd, uint64_t off);
int rd_uring_dontfork(void *addr, size_t size);
void rd_uring_unmap(void *addr, size_t size);
void rd_uring_close(int fd);
void rd_uring_raise_nofile(unsigned int nr);

/* sizes.c */
struct rd_uring_sizes {
	uint32_t sq_entries, cq_entries;
	size_t sqes, rings;	/* bytes, whole pages */
};

int rd_uring_sizes(struct rd_uring_sizes *ret, unsigned int entries, const struct ringd_params *p);

/* setup.c */
int rd_uring_map(struct rd_uring_sq *sq, struct rd_uring_cq *cq, int fd, const struct ringd_params *p);
void rd_uring_identity(struct rd_uring *ring);
void rd_uring_unmap_all(struct rd_uring_sq *sq, struct rd_uring_cq *cq);

/* submit.c */
unsigned int rd_uring_flush(struct rd_uring *ring);
bool rd_uring_sq_needs_enter(const struct rd_uring *ring, unsigned int submit, unsigned int *flags);

/* wait.c */
int rd_uring_peek(struct rd_uring *ring, struct ringd_cqe **cqe);

#endif
