/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring by the three calls of libringd-local, for tests of it. Needs <check.h>. */
#ifndef RD_TEST_LOCAL_RING_H
#define RD_TEST_LOCAL_RING_H

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client-lib/compat/local/local.h"

struct lring {
	int fd;
	struct ringd_params p;
	char *rings;
	struct ringd_sqe *sqes;
	size_t rings_len, sqes_len;
};

static inline uint32_t *lr_word(const struct lring *r, uint32_t off)
{
	return (uint32_t *)(void *)(r->rings + off);
}

static inline void lr_open_params(struct lring *r, unsigned int entries, const struct ringd_params *params)
{
	void *p = NULL;

	memset(r, 0, sizeof(*r));
	r->p = *params;
	r->fd = rd_local_setup(entries, &r->p);
	ck_assert_int_ge(r->fd, 0);
	r->rings_len = r->p.sq_off.array ? r->p.sq_off.array + 4ul * r->p.sq_entries : 64 + 16ul * r->p.cq_entries;
	r->sqes_len = 64ul * r->p.sq_entries;
	ck_assert_int_eq(rd_local_mmap(&p, NULL, r->rings_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0), 0);
	r->rings = p;
	ck_assert_int_eq(rd_local_mmap(&p, NULL, r->sqes_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, RINGD_OFF_SQES), 0);
	r->sqes = p;
	for (uint32_t i = 0; r->p.sq_off.array && i < r->p.sq_entries; i++)
		lr_word(r, r->p.sq_off.array)[i] = i;
}

static inline void lr_open_flags(struct lring *r, unsigned int entries, unsigned int flags)
{
	lr_open_params(r, entries, &(struct ringd_params){ .flags = flags });
}

static inline void lr_open(struct lring *r, unsigned int entries)
{
	lr_open_flags(r, entries, 0);
}

static inline void lr_close(struct lring *r)
{
	munmap(r->rings, r->rings_len);
	munmap(r->sqes, r->sqes_len);
	if (r->fd >= 0) {
		ck_assert(rd_local_close(r->fd));
		close(r->fd);
	}
	r->fd = -1;
}

/* The next SQE, in the SQ already; only an enter looks at it. */
static inline struct ringd_sqe *lr_sqe(struct lring *r, int op, int fd, const void *addr, uint32_t len, uint64_t user_data)
{
	uint32_t *tail = lr_word(r, r->p.sq_off.tail);
	struct ringd_sqe *sqe = &r->sqes[*tail & (r->p.sq_entries - 1)];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = (uint8_t)op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->user_data = user_data;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return sqe;
}

static inline int lr_enter(struct lring *r, unsigned int submit, unsigned int min)
{
	return rd_local_enter((unsigned int)r->fd, submit, min, min ? RINGD_ENTER_GETEVENTS : 0, NULL, 8);
}

/* What comes within a time that only a broken program needs. */
static inline int lr_enter_timed(struct lring *r, unsigned int submit, unsigned int min, int seconds)
{
	struct ringd_timespec ts = { .tv_sec = seconds };
	struct ringd_getevents_arg arg = { .ts = (uintptr_t)&ts };

	return rd_local_enter((unsigned int)r->fd, submit, min, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &arg, sizeof(arg));
}

static inline uint32_t lr_ready(const struct lring *r)
{
	return __atomic_load_n(lr_word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE) - *lr_word(r, r->p.cq_off.head);
}

static inline bool lr_pop(struct lring *r, struct ringd_cqe *cqe)
{
	uint32_t *head = lr_word(r, r->p.cq_off.head);

	if (!lr_ready(r))
		return false;
#ifdef __SANITIZE_THREAD__
	rd_local_closing(-1);	/* the engine's lock is taken: what was done before the CQE it cannot see otherwise */
#endif
	*cqe = ((struct ringd_cqe *)(void *)(r->rings + r->p.cq_off.cqes))[*head & (r->p.cq_entries - 1)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

/* Wait for one, which is this one. */
static inline int32_t lr_expect(struct lring *r, uint64_t user_data)
{
	struct ringd_cqe cqe;

	while (!lr_pop(r, &cqe)) {
		int n = lr_enter(r, 0, 1);

		ck_assert(n >= 0 || n == -EINTR);
	}
	ck_assert_uint_eq(cqe.user_data, user_data);
	return cqe.res;
}

#endif
