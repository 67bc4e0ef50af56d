/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * struct io_uring as programs know it. Its members are read and written by inline functions that were compiled into the
 * programs, by any header since liburing 2.0: older ones go through the pointers kring_mask and kring_entries, newer ones
 * through the copies ring_mask and ring_entries, so both are kept. Where a later header gave a meaning to what was padding,
 * an older program never looks there. tests/compat compares all this with the distribution's header.
 */
#ifndef RINGD_COMPAT_URING_H
#define RINGD_COMPAT_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/abi.h"

struct rd_uring_sq {
	uint32_t *khead;
	uint32_t *ktail;
	uint32_t *kring_mask;
	uint32_t *kring_entries;
	uint32_t *kflags;
	uint32_t *kdropped;
	uint32_t *array;	/* NULL without an index array */
	struct ringd_sqe *sqes;

	uint32_t sqe_head;	/* as far as the tail has been published */
	uint32_t sqe_tail;	/* as far as SQEs have been handed out */

	size_t ring_sz;		/* bytes at ring_ptr that are ours to unmap, 0: none */
	void *ring_ptr;

	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t sqes_sz;	/* bytes at sqes */
	uint32_t pad;
};

struct rd_uring_cq {
	uint32_t *khead;
	uint32_t *ktail;
	uint32_t *kring_mask;
	uint32_t *kring_entries;
	uint32_t *kflags;
	uint32_t *koverflow;
	struct ringd_cqe *cqes;

	size_t ring_sz;
	void *ring_ptr;		/* the same as of sq: there is one mapping */

	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t pad[2];
};

struct rd_uring {
	struct rd_uring_sq sq;
	struct rd_uring_cq cq;
	uint32_t flags;		/* RINGD_SETUP_* */
	int ring_fd;		/* -1: there is only the registered index */

	uint32_t features;
	int enter_ring_fd;	/* the descriptor, or the registered index */
	uint8_t int_flags;	/* RD_URING_* */
	uint8_t pad[3];
	uint32_t pad2;
};

/* int_flags. The two that are flags of enter as well have enter's values. */
#define RD_URING_REG_REG	1u				/* enter_ring_fd does for register as well */
#define RD_URING_APP_MEM	2u				/* the rings lie in memory of the program */
#define RD_URING_CQ_ENTER	4u				/* completions are only found by entering */
#define RD_URING_REG_RING	RINGD_ENTER_REGISTERED_RING	/* enter_ring_fd is a registered index */
#define RD_URING_NO_IOWAIT	RINGD_ENTER_NO_IOWAIT

#if UINTPTR_MAX == 0xffffffffffffffffu
RINGD_ABI_SIZE(rd_uring_sq, 104);
RINGD_ABI_AT(rd_uring_sq, khead, 0);
RINGD_ABI_AT(rd_uring_sq, ktail, 8);
RINGD_ABI_AT(rd_uring_sq, kring_mask, 16);
RINGD_ABI_AT(rd_uring_sq, kring_entries, 24);
RINGD_ABI_AT(rd_uring_sq, kflags, 32);
RINGD_ABI_AT(rd_uring_sq, kdropped, 40);
RINGD_ABI_AT(rd_uring_sq, array, 48);
RINGD_ABI_AT(rd_uring_sq, sqes, 56);
RINGD_ABI_AT(rd_uring_sq, sqe_head, 64);
RINGD_ABI_AT(rd_uring_sq, sqe_tail, 68);
RINGD_ABI_AT(rd_uring_sq, ring_sz, 72);
RINGD_ABI_AT(rd_uring_sq, ring_ptr, 80);
RINGD_ABI_AT(rd_uring_sq, ring_mask, 88);
RINGD_ABI_AT(rd_uring_sq, ring_entries, 92);
RINGD_ABI_AT(rd_uring_sq, sqes_sz, 96);
RINGD_ABI_AT(rd_uring_sq, pad, 100);

RINGD_ABI_SIZE(rd_uring_cq, 88);
RINGD_ABI_AT(rd_uring_cq, khead, 0);
RINGD_ABI_AT(rd_uring_cq, ktail, 8);
RINGD_ABI_AT(rd_uring_cq, kring_mask, 16);
RINGD_ABI_AT(rd_uring_cq, kring_entries, 24);
RINGD_ABI_AT(rd_uring_cq, kflags, 32);
RINGD_ABI_AT(rd_uring_cq, koverflow, 40);
RINGD_ABI_AT(rd_uring_cq, cqes, 48);
RINGD_ABI_AT(rd_uring_cq, ring_sz, 56);
RINGD_ABI_AT(rd_uring_cq, ring_ptr, 64);
RINGD_ABI_AT(rd_uring_cq, ring_mask, 72);
RINGD_ABI_AT(rd_uring_cq, ring_entries, 76);
RINGD_ABI_AT(rd_uring_cq, pad, 80);

RINGD_ABI_SIZE(rd_uring, 216);
RINGD_ABI_AT(rd_uring, sq, 0);
RINGD_ABI_AT(rd_uring, cq, 104);
RINGD_ABI_AT(rd_uring, flags, 192);
RINGD_ABI_AT(rd_uring, ring_fd, 196);
RINGD_ABI_AT(rd_uring, features, 200);
RINGD_ABI_AT(rd_uring, enter_ring_fd, 204);
RINGD_ABI_AT(rd_uring, int_flags, 208);
RINGD_ABI_AT(rd_uring, pad, 209);
RINGD_ABI_AT(rd_uring, pad2, 212);
#endif

#endif
