/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all prep helpers begin with. */
#ifndef RDL_PREP_H
#define RDL_PREP_H

#include <limits.h>

#include "private.h"

static inline void prep(struct ringd_sqe *sqe, uint8_t opcode, int fd, uint64_t addr, uint32_t len, uint64_t off)
{
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->off = off;
	sqe->addr = addr;
	sqe->len = len;
	sqe->rw_flags = 0;
	sqe->buf_index = 0;
	sqe->file_index = 0;
	sqe->addr3 = 0;
	sqe->__pad2[0] = 0;
}

static inline uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

/* A helper cannot return an error, a request can: it completes with err and does nothing else. */
static inline void prep_error(struct ringd_sqe *sqe, int err)
{
	prep(sqe, RINGD_OP_NOP, -1, 0, (uint32_t)err, 0);
	sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
}

/* slot numbers are stored plus one, but for "any" */
static inline uint32_t file_index(unsigned int slot)
{
	return slot == RINGD_FILE_INDEX_ALLOC ? slot : slot + 1;
}

#define RDL_PATH_ROOM	(PATH_MAX + 1u)
/*
 * Put the path into the first RDL_PATH_ROOM bytes at dst. One that is too long is sent without its end, so that the engine
 * finds no terminator within PATH_MAX bytes and answers -ENAMETOOLONG.
 */
void rdl_copy_path(char *dst, const char *path);
/* The path starts at dfd: see that the engine knows where that is. False: it cannot be told, the SQE is complete. */
bool rdl_prep_cwd(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path);

#define RDL_NAME_ROOM	128u	/* of a socket; sizeof(struct sockaddr_storage) */
#define RDL_SEND_VECS	((uint32_t)((RINGD_SCRATCH_PER_SQE - RDL_NAME_ROOM) / 16))
/*
 * A socket's name to RDL_NAME_ROOM bytes at room; *at is where the engine finds it. False: the SQE is complete.
 */
bool rdl_prep_name(struct ringd_ring *ring, struct ringd_sqe *sqe, char *room, const struct sockaddr *addr, socklen_t len,
		   uint64_t *at);

/*
 * This request will give us a descriptor: have a channel for it. False: there can be none, the SQE is complete.
 */
bool rdl_prep_channel(struct ringd_ring *ring, struct ringd_sqe *sqe);

#endif
