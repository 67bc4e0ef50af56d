/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Areas that RECV_ZC receives into, cut into buffers of one size. A buffer is free, or handed out to the client by a CQE until
 * the client gives it back through the refill ring, in shared memory: it writes entries and the tail there, and each entry is
 * loaded once and checked against what we know to be handed out. An area belongs to no ring: several may have it, and it
 * lives as long as one of them or a request does.
 */
#ifndef RD_ZCRX_H
#define RD_ZCRX_H

#include <stdbool.h>
#include <stdint.h>

#include "charge.h"
#include "daemon/common/list.h"
#include "proto/abi.h"
#include "../host.h"

#define RD_ZCRX_MAX		64	/* areas of one ring */
#define RD_ZCRX_RQ_MAX		32768	/* entries of a refill ring */
#define RD_ZCRX_RQ_HEAD		0	/* offsets in the memory of a refill ring */
#define RD_ZCRX_RQ_TAIL		4
#define RD_ZCRX_RQ_ENTRIES	64
#define RD_ZCRX_LOOK		1024	/* entries looked at in one go */

/* Who wants a buffer and got none. */
struct rd_zcrx_waiter {
	struct rd_link link;
	/* there may be some; not waiting any more. False: it wants none now */
	bool (*wake)(struct rd_zcrx_waiter *waiter);
};

/* The name by which other rings get at it; the host's to fill in. */
struct rd_zcrx_export {
	struct rd_link link;		/* on no list: it has no name */
	int fd;				/* of a file that nobody else can have; closed with the area */
	struct rd_charge file;
};

struct rd_zcrx {
	uint32_t refs;
	char *rq;			/* shared with the client */
	uint32_t rq_entries;		/* power of two */
	uint32_t rq_head;		/* free running; that in the memory is its echo */
	struct rd_mem *rq_owner, *area_owner;	/* held */
	char *area;
	uint32_t shift;			/* log2 of a buffer's size */
	uint32_t nr, n_free;
	uint32_t *free;			/* stack of buffers, the next one on top */
	uint8_t *out;			/* bit per buffer: the client has it */
	struct rd_link waiters;		/* rd_zcrx_waiter, oldest first */
	struct rd_zcrx_export export;
};

struct rd_zcrx_config {
	char *rq;
	uint32_t rq_entries;
	struct rd_mem *rq_owner;
	char *area;
	uint64_t area_len;		/* at least one buffer */
	struct rd_mem *area_owner;
	uint32_t shift;
};

/* Bytes of memory a refill ring needs. */
static inline uint64_t rd_zcrx_rq_size(uint32_t entries)
{
	return RD_ZCRX_RQ_ENTRIES + (uint64_t)entries * sizeof(struct ringd_zcrx_rqe);
}

static inline uint32_t rd_zcrx_buf_len(const struct rd_zcrx *z)
{
	return 1u << z->shift;
}

/* All buffers free, one reference. Its memory is held. -EDQUOT (objects), -ENOMEM. */
int rd_zcrx_new(struct rd_zcrx **ret, struct rd_user *user, const struct rd_zcrx_config *cfg);
static inline struct rd_zcrx *rd_zcrx_get(struct rd_zcrx *z)
{
	z->refs++;
	return z;
}
void rd_zcrx_put(struct rd_zcrx *z);

/* The buffer that is next, which stays free; NULL: there is none. */
static inline char *rd_zcrx_next(const struct rd_zcrx *z)
{
	return z->n_free ? z->area + ((uint64_t)z->free[z->n_free - 1] << z->shift) : NULL;
}
/* That buffer is the client's now: what the CQE says of it. */
uint64_t rd_zcrx_hand_out(struct rd_zcrx *z);
/* Take back what the client has put into the refill ring, at most RD_ZCRX_LOOK entries, and wake who waits. How many entries. */
unsigned int rd_zcrx_refill(struct rd_zcrx *z);
/* All of it. */
void rd_zcrx_flush(struct rd_zcrx *z);
static inline void rd_zcrx_wait(struct rd_zcrx *z, struct rd_zcrx_waiter *waiter)
{
	rd_list_append(&z->waiters, &waiter->link);
}

/* Whoever was woken, or had a buffer before, needs none now: if there is one, it is the turn of who waits next. */
void rd_zcrx_pass_on(struct rd_zcrx *z);

/* --- those of one ring, by id --- */

struct rd_zcrxs;

/* Keep z, with a reference of its own; *zs is made when needed. The id, or -EBUSY (no more), -EDQUOT, -ENOMEM. */
int rd_zcrxs_add(struct rd_zcrxs **zs, struct rd_user *user, struct rd_zcrx *z);
void rd_zcrxs_remove(struct rd_zcrxs *zs, uint32_t id);
/* The id that the next one will get. */
uint32_t rd_zcrxs_next_id(const struct rd_zcrxs *zs);
/* Borrowed. NULL: no such id. */
struct rd_zcrx *rd_zcrxs_find(const struct rd_zcrxs *zs, uint32_t id);
/* The client has entered: see to those that somebody waits for. */
void rd_zcrxs_look(struct rd_zcrxs *zs);
/* All of them; NULL is fine. Returns NULL. */
struct rd_zcrxs *rd_zcrxs_free(struct rd_zcrxs *zs);

#endif
