/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring: the shared memory around a struct rd_ctx. The engine keeps its own copy of the geometry and of every index it
 * writes and never reads those back; everything the client writes is loaded once per use.
 *
 * Life: OPEN -> (rd_ring_kill) dying: no more SQEs, nothing posted, what can be cancelled is -> when the last request has
 * come back: freed, host->ring_gone().
 */
#ifndef RD_RING_H
#define RD_RING_H

#include "../request/request.h"
#include "../exec/reactor.h"
#include "layout.h"
#include "napi.h"

struct rd_event;

struct rd_ring {
	struct rd_ctx ctx;
	struct rd_poller poller;

	/* geometry and shared memory, constant */
	struct ringd_hot *hot;
	struct ringd_sqe *sqes;
	struct ringd_cqe *cqes;
	uint32_t *sq_array;		/* NULL with NO_SQARRAY */
	uint32_t sq_entries, cq_entries;
	uint8_t sqe_shift, cqe_shift;	/* log2 of an entry's size */
	bool sqpoll;
	bool rewind;			/* SQ_REWIND: every enter starts at slot 0, sq_head is the place in it */
	bool sq_odd;			/* index array, SQEs that are not 64 bytes each, or IOPOLL */

	/* our truth; hot has the echoes */
	uint32_t sq_head;
	uint32_t cq_tail;
	uint32_t cq_tail_published;
	uint32_t cq_head;		/* the client's, as last read */
	uint32_t sq_flags, sq_dropped, cq_overflow;
	uint8_t cq_odd;			/* RD_CQ_*; 0: a CQE is two stores */
	bool lost;			/* a CQE was, and no enter has said so yet */
	uint32_t channel;		/* written by the host, see struct ringd_hot */
	uint32_t enter_seen;		/* enter_seq that was served or is being served */
	uint32_t enter_left;		/* plain ring: SQEs still to take for it */
	uint32_t enter_taken;
	uint32_t enter_flags;
	int32_t enter_err;		/* instead of enter_taken, when that is 0 */
	bool reaping;			/* lazy ring, its client waits: tasks are run as they come */
	bool tasks_told;		/* lazy ring: the client could see that there are tasks */
	uint32_t wait_signalled;	/* high word of the wait word that was answered */
	bool entering;
	bool dead;
	uint32_t violation;		/* RINGD_REASON_*: the visit that set it ends the ring */
	uint32_t held;			/* entries of overflow; they count as in flight */
	struct rd_link overflow;	/* rd_held: completions that found no room, oldest first */
	struct rd_link starved;		/* on engine->starved: has SQEs, but the in-flight budget is used up */
	struct rd_link group;		/* rings attached to each other, in a circle without a head */
	uint64_t idle_ns;		/* SQPOLL: to be polled this long after the last work, by its own will */
	struct rd_charge rings, entries;
	struct rd_work burial;		/* frees a dead ring from a safe place */

	struct rd_napi napi;
	struct rd_event *event;		/* the registered eventfd, or NULL */
	uint32_t pins;			/* the host's references: as long as there are any a dead ring is not freed */
	uint32_t events;		/* that are not freed: one a worker still writes may outlive its registration */
	bool worked;			/* a worker completed a request since the last signal */

	uint32_t serial;		/* its number in this engine */
	void *host_data;		/* the host's own */
};

/* ring->cq_odd */
#define RD_CQ_HOLDS	1u	/* overflow is not empty */
#define RD_CQ_32	2u	/* CQEs are 32 bytes */
#define RD_CQ_MIXED	4u	/* some are */

/* Memory for a ring: size bytes each, mapped writable, shared with the client, who may have written anything there. */
struct rd_ring_memory {
	void *rings;			/* layout->rings_size */
	void *sqes;			/* layout->sqes_size */
};

/*
 * Start a ring over mem, whose layout was computed from the same params. The host owns mem and must keep it until
 * ring_gone(). Charges RINGS and ENTRIES. -EDQUOT, -ENOMEM.
 */
int rd_ring_new(struct rd_ring **ret, struct rd_engine *engine, struct rd_host *host, const struct ringd_params *params,
		const struct rd_layout *layout, const struct rd_ring_memory *mem);
/* ATTACH_WQ of two SQPOLL rings: all that are attached to each other are polled as long as the one that asked for most. */
void rd_ring_attach(struct rd_ring *ring, struct rd_ring *to);
/* ENABLE_RINGS. -EBADFD: it is enabled. */
int rd_ring_enable(struct rd_ring *ring);
/*
 * Move into other memory, with the sizes of layout; formats as before. What is in the SQ and the CQ goes along. On success the
 * old memory is not used any more. -EOVERFLOW: it does not fit; -EBUSY: in the middle of an enter; -EDQUOT.
 */
int rd_ring_resize(struct rd_ring *ring, const struct rd_layout *layout, const struct rd_ring_memory *mem);
/* ring.c's and resize.c's: the ring is in mem from now on. */
void rd_ring_place(struct rd_ring *ring, const struct rd_layout *layout, const struct rd_ring_memory *mem);
/* The doorbell rang. */
void rd_ring_doorbell(struct rd_ring *ring);
/* End it (RINGD_REASON_*); host->ring_dead() is called at once, ring_gone() from a later turn of the reactor. Twice is fine. */
void rd_ring_kill(struct rd_ring *ring, uint32_t reason);
/* Something that may still touch the ring has gone: if it is dead and this was the last, bury it. */
void rd_ring_check_burial(struct rd_ring *ring);

#endif
