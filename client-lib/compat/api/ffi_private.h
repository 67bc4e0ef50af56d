/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the prep functions are made of. */
#ifndef RINGD_COMPAT_FFI_PRIVATE_H
#define RINGD_COMPAT_FFI_PRIVATE_H

#include "client-lib/compat/api/ffi.h"
#include "client-lib/compat/api/private.h"

/* The members that nearly every operation has. off is also where operations keep a second address. */
static inline void rd_prep(struct ringd_sqe *sqe, uint8_t op, int fd, const void *addr, uint32_t len, uint64_t off)
{
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->off = off;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
}

static inline uint64_t rd_prep_ptr(const void *p)
{
	return (uintptr_t)p;
}

/* A slot of the file table is written as one more; RINGD_FILE_INDEX_ALLOC stays what it is. */
static inline void rd_prep_slot(struct ringd_sqe *sqe, uint32_t slot)
{
	sqe->file_index = slot == RINGD_FILE_INDEX_ALLOC ? RINGD_FILE_INDEX_ALLOC : slot + 1;
}

#endif
