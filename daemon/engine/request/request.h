/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request: what one accepted SQE has become. It belongs to the reactor thread of its ring for its whole life; while a
 * worker, the kernel ring or a poll holds it, they touch only the part that was handed to them (work, io, poll) and what
 * the op's issue() prepared there. Exactly one CQE (or one skipped success) per request; state says who owes it.
 *
 *   ring/sq.c: fetch -> rd_req_submit(): common checks, opdef prep, opdef issue
 *     -> RD_DONE: the result is in req->res, the caller posts it
 *     -> RD_PENDING: somebody will call rd_req_done(), which calls ctx->complete()
 */
#ifndef RD_REQUEST_H
#define RD_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/abi.h"
#include "../engine.h"
#include "../exec/poll.h"
#include "../exec/uring.h"
#include "../exec/work.h"
#include "../host.h"
#include "../rsrc/buftable.h"
#include "../rsrc/filetable.h"

struct rd_op;
struct rd_req;

/* What all requests of one ring share; the ring without its shared memory. */
struct rd_ctx {
	struct rd_engine *engine;
	struct rd_host *host;
	struct rd_filetable files;
	struct rd_buftable bufs;
	struct rd_tag_sink tags;
	struct rd_link pending;		/* requests that are not complete */
	struct rd_link deferred;	/* complete, but only to be posted at the end of the visit (NOP_TW) */
	uint32_t inflight;		/* on pending */
	uint32_t setup_flags;		/* RINGD_SETUP_* */
	uint64_t moved;			/* bytes copied on the reactor in this visit */
	bool busy;			/* this visit fetches a large batch of an SQPOLL ring: the kernel ring is worth it */
	bool dying;			/* nothing is issued any more */
	uint32_t sample;		/* every 64th request has its latency taken */
	struct rd_req *free_reqs;	/* slab: LIFO, so that a quiet ring uses one request again and again */
	struct rd_link slabs;
	/* a pending request is finished (reactor thread); the ring posts it and frees it with rd_req_free() */
	void (*complete)(struct rd_ctx *ctx, struct rd_req *req);
};

/* req->state */
#define RD_REQ_IDLE	0	/* being prepared or issued inline */
#define RD_REQ_POLL	1	/* armed in the reactor */
#define RD_REQ_WORK	2	/* queued or running on a worker */
#define RD_REQ_URING	3	/* in the kernel ring */
#define RD_REQ_DONE	4	/* completed, not yet posted (or held back) */

/* what rd_req_submit() and issue() return */
#define RD_DONE		0	/* req->res is the result */
#define RD_PENDING	1	/* rd_req_done() will be called */
/* what issue() may return besides */
#define RD_PUNT		2	/* op->work() on a worker */
#define RD_POLL_IN	3	/* wait for readiness, then issue() again */
#define RD_POLL_OUT	4
#define RD_IO		5	/* req->io is filled in: give it to the kernel ring */
#define RD_PUNT_ORDERED	6	/* RD_PUNT, one after another with what else is hashed by this inode */

/* issue_flags */
#define RD_INLINE	0x1u	/* first attempt, inside the submission */
#define RD_READY	0x2u	/* called again because readiness was reported */

struct rd_rw {
	uint64_t off;
	uint64_t want;		/* bytes asked for, clipped */
	uint64_t done;		/* bytes transferred by earlier attempts */
	uint32_t rwf;		/* RWF_* as asked */
	uint32_t nr;
	struct iovec one;	/* the segment when nr == 1 */
	struct iovec *vec;	/* &one, or the request's own array */
	struct rd_mem **owners;	/* of vec's segments, held; NULL when the single owner is req->mem */
	uint16_t buf_index;
	uint16_t ioprio;
	bool write, fixed;
	bool attr;		/* asked for attributes that no file here has */
	bool stream, whole;	/* what the file is, for who may not look at file->flags: no position; no short result */
	bool carrier;		/* likewise: RD_FILE_CARRIER, and this is a read */
	uint8_t rounds;		/* readiness reported and still nothing there */
};

struct rd_open {
	int dirfd;		/* the client's number */
	int at;			/* where the worker resolves */
	uint32_t file_index;
	uint64_t flags, mode, resolve;
	char *path;		/* owned (rd_stage_new()) */
	int fd;			/* the worker's, until finish() has given it away; else -1 */
	struct rd_charge charge;	/* the slot of the files budget, until there is a file */
};

struct rd_statx {
	int dirfd, at;
	uint32_t flags, mask;
	char *path;		/* owned (rd_stage_new()) */
	struct rd_mem *at_mem;	/* keeps at open */
	void *buf;		/* in client memory, held by req->mem */
};

struct rd_sync {		/* FSYNC, SYNC_FILE_RANGE, FALLOCATE, FTRUNCATE */
	uint64_t off, len;
	uint32_t flags;
};

struct rd_nop {
	int32_t result;
	uint32_t flags;
	int32_t fd;
	uint16_t buf_index;
};

struct rd_closeop {
	int32_t fd;
	uint32_t file_index;
};

struct rd_req {
	struct rd_ctx *ctx;
	const struct rd_op *op;
	uint64_t user_data;
	int32_t res;
	uint32_t cflags;	/* of the CQE */
	uint8_t opcode;
	uint8_t flags;		/* RINGD_SQE_* */
	uint8_t state;		/* RD_REQ_* */
	bool counted;		/* left the inline path: holds its references, is in ctx->pending and ctx->inflight */
	bool file_owned;	/* file came from host->file(): ours also while inline */
	bool prepared;		/* prep succeeded: op->cleanup applies */
	int32_t fd;		/* of the SQE, for ops that need a file */
	struct rd_file *file;	/* reference held while the request is not inline any more; borrowed during an inline issue */
	struct rd_buf *buf;	/* likewise */
	struct rd_mem *mem;	/* likewise */
	uint64_t t0;		/* ns; 0: not sampled */
	union {
		struct rd_rw rw;
		struct rd_open open;
		struct rd_statx statx;
		struct rd_sync sync;
		struct rd_nop nop;
		struct rd_closeop close;
		struct rd_req *next_free;
	};
	/* cold part: only touched once the request leaves the inline path */
	struct rd_link link;	/* ctx->pending or ctx->deferred */
	struct rd_held held;	/* the CQE, when the CQ is full */
	struct rd_work work;
	struct rd_poll poll;
	struct rd_uring_io io;
};

#define RD_SAMPLE_EVERY	64	/* power of two */
#define RD_OP_MASK	127	/* rd_ops has this many rows + 1; those beyond RINGD_OP_LAST are empty */

/* --- submit.c --- */
/* A pending request goes where the verdict of issue() or io_done() says. */
void rd_req_go(struct rd_req *req, int verdict);
/* Check, prepare and issue. *prep_failed: the result is a prep error (decides whether submission goes on). */
int rd_req_submit(struct rd_req *req, const struct ringd_sqe *sqe, bool *prep_failed);

/* --- complete.c --- */
/* A pending request has its result in req->res: hand it to ctx->complete(). */
void rd_req_done(struct rd_req *req);
/* Take down the latency of a sampled request. */
void rd_req_sample(struct rd_req *req);
/* Statistics of a finished request, inline or not. */
static inline void rd_req_account(struct rd_req *req)
{
	struct rd_stats *stats = &req->ctx->engine->stats;

	stats->completed++;
	if (RD_LIKELY(req->opcode < RINGD_STATUS_OPS)) {
		stats->ops[req->opcode]++;
		if (RD_UNLIKELY(req->t0))
			rd_req_sample(req);
	}
}
/* Drop what the op and the request hold (references, copies). Then rd_req_free() or reuse. */
void rd_req_cleanup(struct rd_req *req);
/* Is a CQE owed? Not for CQE_SKIP_SUCCESS and a good result. */
static inline bool rd_req_silent(const struct rd_req *req)
{
	return (req->flags & RINGD_SQE_CQE_SKIP_SUCCESS) && req->res >= 0;
}

/* --- cancel.c --- */
/* The ring is dying: stop what can be stopped. Requests that nobody holds any more are freed here; ctx->inflight counts the rest. */
void rd_ctx_cancel_all(struct rd_ctx *ctx);

/* --- slab.c --- */
/* NULL: no memory. Not yet counted. */
struct rd_req *rd_req_alloc(struct rd_ctx *ctx);
void rd_req_free(struct rd_ctx *ctx, struct rd_req *req);
void rd_slab_deinit(struct rd_ctx *ctx);	/* no request is in use */

#endif
