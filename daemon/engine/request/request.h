/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request: what one accepted SQE has become. It belongs to the reactor thread of its ring for its whole life; while a
 * worker, the kernel ring or a poll holds it, they touch only the part that was handed to them (work, io, poll) and what
 * the op's issue() prepared there. Exactly one CQE (or one skipped success) per request; state says who owes it.
 *
 *   ring/sq.c: fetch -> rd_req_submit(): common checks, opdef prep, opdef issue
 *     -> RD_DONE: the result is in req->res, the caller posts it
 *     -> RD_PENDING: somebody will call rd_req_done(), which calls ctx->complete()
 *
 * SQEs with LINK, HARDLINK or DRAIN, and all that come while a chain is being collected or a drain holds things back, take
 * the way through link.c and drain.c between prep and issue.
 */
#ifndef RD_REQUEST_H
#define RD_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/abi.h"
#include "fsdata.h"
#include "netdata.h"
#include "waitdata.h"
#include "waits.h"
#include "../engine.h"
#include "../exec/poll.h"
#include "../exec/timer.h"
#include "../exec/uring.h"
#include "../exec/work.h"
#include "../host.h"
#include "../rsrc/bufgroup.h"
#include "../rsrc/buftable.h"
#include "../rsrc/filetable.h"
#include "../rsrc/personality.h"
#include "../rsrc/zcrx.h"
#include "restrict.h"

struct rd_op;
struct rd_req;

/* What must run in order; see link.c and drain.c. */
struct rd_order {
	struct rd_req *head, *last;	/* the chain that is being collected */
	bool failed;			/* a prep of it failed: none of it will run */
	bool draining;			/* what was started last had the drain flag and is not finished */
	bool kicking;			/* rd_drain_kick() is at work further up the stack */
	bool skip_used;			/* CQE_SKIP_SUCCESS was seen: no drain on this ring any more */
	uint32_t held_reqs;		/* requests on held, members of chains included */
	struct rd_link held;		/* by rd_req.task: singles and heads of chains behind a drain, oldest first */
};

/* What all requests of one ring share; the ring without its shared memory. */
struct rd_ctx {
	struct rd_engine *engine;
	struct rd_host *host;
	struct rd_filetable files;
	struct rd_buftable bufs;
	struct rd_bufgroups *groups;	/* of provided buffers; NULL: none */
	struct rd_zcrxs *zcrxs;		/* areas of RECV_ZC; NULL: none */
	struct rd_tag_sink tags;
	struct rd_personalities personalities;
	struct rd_restrict ring_rules, task_rules;
	uint64_t denied_ops[2];		/* by the host, see rd_restrict_deny() */
	bool restricted;		/* one of them has rules for SQEs, or IOPOLL has */
	struct rd_link pending;		/* requests that are not complete */
	struct rd_link deferred;	/* by rd_req.task: finished, to be posted after what is being posted now */
	struct rd_link tasks;		/* by rd_req.task: lazy ring: to be gone on with when the client enters */
	struct rd_link now;		/* likewise: those that rd_ctx_run_tasks() is at */
	struct rd_order order;
	bool ordered;			/* a chain is open or a drain is active: nothing goes the short way */
	bool lazy;			/* DEFER_TASKRUN, IOPOLL: what is not done at once is gone on with when the client enters */
	bool task_async;		/* a task came from a worker (the ring's to clear) */
	bool wide;			/* the SQE that is being prepared has 128 bytes */
	bool cqe32;			/* CQEs of 32 bytes can be posted */
	uint32_t burst;			/* chain members run since the visit began */
	uint32_t inflight;		/* on pending */
	uint32_t task;			/* thread that submits at the moment, the host's numbers; 0: they do not matter */
	uint32_t setup_flags;		/* RINGD_SETUP_* */
	uint64_t moved;			/* bytes copied on the reactor in this visit */
	bool busy;			/* this visit fetches a large batch of an SQPOLL ring: the kernel ring is worth it */
	bool disabled;			/* R_DISABLED, and not enabled yet: the SQ is not looked at */
	bool dying;			/* nothing is issued any more */
	struct rd_waits waits;		/* timeouts and polls by user_data */
	struct rd_timer *counting;	/* heap of the timeouts that wait for CQEs; see ops/timeout.c */
	uint64_t count, count_seq;
	uint32_t count_seen;
	uint32_t timeout_cqes;		/* posted by TIMEOUTs */
	int event_fd;			/* that each CQE makes readable, or -1 */
	uint32_t sample;		/* every 64th request has its latency taken */
	struct rd_req *free_reqs;	/* slab: LIFO, so that a quiet ring uses one request again and again */
	struct rd_link slabs;
	/* a pending request is finished (reactor thread); the ring posts it and frees it with rd_req_free() */
	void (*complete)(struct rd_ctx *ctx, struct rd_req *req);
	/* a CQE besides: false when there is no room and keep is not set, or it could not be kept */
	bool (*post)(struct rd_ctx *ctx, uint64_t user_data, int32_t res, uint32_t flags, bool keep);
	/* the same with a CQE of 32 bytes, which is never kept; big NULL: only say whether there is room for one */
	bool (*post_big)(struct rd_ctx *ctx, uint64_t user_data, int32_t res, uint32_t flags, const uint64_t *big);
	/* CQEs posted so far, those that wait for room included */
	uint32_t (*posted)(const struct rd_ctx *ctx);
	/* something is on deferred or tasks: it is to be looked at when this phase of the reactor ends */
	void (*stir)(struct rd_ctx *ctx);
	/* what was posted can be seen when this returns; nobody is woken yet */
	void (*show)(struct rd_ctx *ctx);
};

/* req->state */
#define RD_REQ_IDLE	0	/* being prepared or issued inline */
#define RD_REQ_POLL	1	/* armed in the reactor */
#define RD_REQ_WORK	2	/* queued or running on a worker */
#define RD_REQ_URING	3	/* in the kernel ring */
#define RD_REQ_DONE	4	/* completed, not yet posted (or held back) */
#define RD_REQ_WAIT	5	/* the op waits for something of its own: op->cancel() */
#define RD_REQ_CHAIN	6	/* behind a running member, or its chain is being collected */
#define RD_REQ_DRAIN	7	/* held back by a drain */
#define RD_REQ_LATER	8	/* its turn has come, but the reactor has others to see to first */
#define RD_REQ_NOTIF	9	/* its result is posted, the notification is not due yet: see notif.c */

/* in req->flags, beside RINGD_SQE_*: a notification follows the result */
#define RD_REQ_NOTIFIES	0x80u

/* req->outcome: does it break a soft link, is a CQE owed in spite of CQE_SKIP_SUCCESS? */
#define RD_OUT_AUTO	0	/* res < 0, unless errors of the op are soft and it was not cancelled */
#define RD_OUT_FAILED	1
#define RD_OUT_GOOD	2

/* what rd_req_submit() and issue() return */
#define RD_DONE		0	/* req->res is the result */
#define RD_PENDING	1	/* rd_req_done() will be called */
/* what issue() may return besides */
#define RD_PUNT		2	/* op->work() on a worker */
#define RD_POLL_IN	3	/* wait for readiness, then issue() again */
#define RD_POLL_OUT	4
#define RD_IO		5	/* req->io is filled in: give it to the kernel ring */
#define RD_PUNT_ORDERED	6	/* RD_PUNT, one after another with what else is hashed by this inode */
#define RD_POLL_FOR	7	/* as RD_POLL_IN, for what req->poll.events says */
#define RD_POLL_NEWS	8	/* likewise, of a file that has just said that there is nothing: for what happens from then on */
#define RD_NEXT_TURN	9	/* others have their turn, then issue() again */

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
	uint32_t asked;		/* with BUFFER_SELECT: bytes wanted, 0: as much as the buffer holds */
	uint16_t buf_index;	/* or group */
	uint16_t ioprio;
	bool write, fixed;
	bool attr;		/* asked for attributes that no file here has */
	bool stream, whole;	/* what the file is, for who may not look at file->flags: no position; no short result */
	bool carrier;		/* likewise: RD_FILE_CARRIER, and this is a read */
	bool quiet;		/* no SIGPIPE is to come of it: RWF_NOSIGNAL */
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

struct rd_cancelop {		/* ASYNC_CANCEL */
	uint64_t user_data;
	uint32_t flags;
	uint32_t opcode;
};

struct rd_futexop {		/* FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAITV */
	uint64_t addr;		/* of WAIT and WAKE */
	uint32_t nr;		/* words, or whom to wake */
	uint32_t mask;		/* of WAKE */
	bool priv;		/* likewise */
	struct rd_futex_word *words;	/* owned (rd_stage_new()); of WAIT and WAITV */
};

struct rd_epoll_waitop {
	uint64_t addr;
	int32_t max;
	struct rd_epoll_node *node;	/* what the worker has, and we as long as nobody cancels */
};

struct rd_waitidop {
	struct rd_timer timer;
	uint64_t addr;		/* of the siginfo, or 0 */
	uint32_t type;
	int32_t id, options;
	uint32_t pause;		/* ns until the next look */
};

struct rd_provide {		/* PROVIDE_BUFFERS, REMOVE_BUFFERS */
	uint64_t addr;
	uint32_t len;
	uint32_t nr;
	uint16_t bgid, bid;
};

/* With RD_REQ_NOTIFIES. */
struct rd_notif {
	uint64_t user_data;	/* of the notification */
	uint32_t res;		/* of it, as far as is known */
	uint8_t state;		/* RD_NOTIF_* */
};

struct rd_nop {
	uint64_t big[2];
	int32_t result;
	uint32_t flags;
	int32_t fd;
	uint16_t buf_index;
};

struct rd_closeop {
	int32_t fd;
	uint32_t file_index;
};

struct rd_pipeop {
	uint64_t addr;
	uint32_t file_index;
	uint32_t flags;
	int32_t slots[2];	/* taken for it; -1: none */
};

struct rd_installop {		/* FIXED_FD_INSTALL */
	uint32_t flags;
};

struct rd_msgring {
	uint64_t user_data;	/* of the message */
	uint64_t cmd;
	uint64_t src_slot;
	uint32_t len;
	uint32_t file_index;	/* SEND_FD: where to; DATA: CQE flags with FLAGS_PASS */
	uint32_t flags;
	int32_t fd;
};

struct rd_req {
	struct rd_ctx *ctx;
	const struct rd_op *op;
	uint64_t user_data;
	int32_t res;
	uint32_t cflags;	/* of the CQE; F_32: held.big are its other 16 bytes, on a ring that has such CQEs */
	uint8_t opcode;
	uint8_t flags;		/* RINGD_SQE_* */
	/* these eight are cleared by one store */
	uint8_t state;		/* RD_REQ_* */
	uint8_t outcome;	/* RD_OUT_* */
	bool counted;		/* left the inline path: is in ctx->pending and ctx->inflight */
	bool holds;		/* file, buf and mem are references of its own */
	bool file_owned;	/* file came from host->file(): ours also while inline */
	bool prepared;		/* prep succeeded: op->cleanup applies */
	bool tasked;		/* on ctx->tasks */
	bool async;		/* completes outside its submission (EVENTFD_ASYNC) */
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
		struct rd_names names;
		struct rd_xattr xattr;
		struct rd_advise advise;
		struct rd_splice splice;
		struct rd_net net;
		struct rd_sendzc zc;
		struct rd_epoll_ctl epoll_ctl;
		struct rd_files_update update;
		struct rd_cmd cmd;
		struct rd_socketop socket;
		struct rd_socknameop sockname;
		struct rd_acceptop accept;
		struct rd_provide provide;
		struct rd_epoll_waitop epoll_wait;
		struct rd_waitidop waitid;
		struct rd_futexop futex;
		struct rd_timeout timeout;
		struct rd_timeout_remove timeout_remove;
		struct rd_polladd polladd;
		struct rd_pollremove pollremove;
		struct rd_nop nop;
		struct rd_recv_zc recv_zc;
		struct rd_cancelop cancel;
		struct rd_closeop close;
		struct rd_pipeop pipe;
		struct rd_installop install;
		struct rd_msgring msg;
		struct rd_req *next_free;
	};
	/* cold part: only touched once the request leaves the inline path */
	struct rd_req *next;	/* the rest of the chain; NULL in a free request */
	struct rd_req *target;	/* LINK_TIMEOUT that is armed: whom it guards */
	uint32_t since_ms;	/* rd_coarse_ms() when it was enlisted */
	uint32_t submitter;	/* ctx->task then */
	struct rd_link link;	/* ctx->pending */
	struct rd_req *same, **same_prev;	/* in a bucket of ctx->waits; same_prev NULL: in none */
	struct rd_link task;	/* ctx->deferred, ctx->tasks or order.held */
	void (*task_fn)(struct rd_req *req);
	struct rd_held held;	/* the CQE, when the CQ is full */
	struct rd_notif notif;
	struct rd_work work;
	struct rd_poll poll;
	struct rd_uring_io io;
};

#define RD_SQE_LINKS	(RINGD_SQE_IO_LINK | RINGD_SQE_IO_HARDLINK)
#define RD_VISIT_BYTES	(4u << 20)	/* copied by the reactor for one ring before it turns to others, about half a millisecond */
#define RD_SCAN_BYTES	64	/* a request looked at in a search counts as so many bytes copied: long ones end the visit */
#define RD_SAMPLE_EVERY	64	/* power of two */
#define RD_OP_MASK	127	/* rd_ops has this many rows + 1; those beyond RINGD_OP_LAST are empty */

/* --- submit.c --- */
/* A pending request goes where the verdict of issue() or io_done() says. */
void rd_req_go(struct rd_req *req, int verdict);
/* What host->install() or close() left pending has its result. */
void rd_req_installed(struct rd_req *req);
/* Check, prepare and issue. *prep_failed: the result is a prep error (decides whether submission goes on). */
int rd_req_submit(struct rd_req *req, const struct ringd_sqe *sqe, bool *prep_failed);
/* A fresh request that no SQE stands for: it can be enlisted and finished. */
void rd_req_init(struct rd_req *req, uint8_t opcode, uint64_t user_data);
/* First issue of a prepared request. RD_DONE: inline, req->res is the result; RD_PENDING. */
int rd_req_issue(struct rd_req *req);
/* It will not be finished in this call: ctx->pending has it, the budget counts it. */
void rd_req_enlist(struct rd_req *req);
/* It outlives this call: what it borrowed (file, buf, mem) it now holds. An error: it has no file any more. */
int rd_req_hold(struct rd_req *req);
/* Does the engine live in the client's process? Then what the client may do, and what its names mean, is the kernel's to say. */
static inline bool rd_at_home(const struct rd_req *req)
{
	return req->ctx->engine->cfg.same_process;
}
/* issue() returns RD_PENDING after this: op->cancel() ends the wait. */
static inline int rd_req_wait(struct rd_req *req)
{
	req->state = RD_REQ_WAIT;
	return RD_PENDING;
}

/* --- link.c --- */
/* A prepared SQE (err 0) or one that was refused (-errno) on a ring where order matters. As rd_req_submit(). */
int rd_link_submit(struct rd_req *req, int err, bool *prep_failed);
/* The submission ends here, and with it the chain that is still open. */
void rd_link_end(struct rd_ctx *ctx);
/* Run a chain (or a single request) from its first member on; all of it is enlisted. */
void rd_link_run(struct rd_req *head);
/* A member of a chain is finished (off the books already): post it, then what its result means for the rest. */
void rd_link_done(struct rd_req *req);
/* The timer of a LINK_TIMEOUT has fired (as a task of it): stop its target and finish it. */
void rd_link_timeout_fired(struct rd_req *timeout);

/* --- drain.c --- */
/* Must this chain (or single; enlisted, drain says whether any of it has the flag) wait? True: it is held. */
bool rd_drain_hold(struct rd_req *head, bool drain);
/* Something is finished: start what waited for it. */
void rd_drain_kick(struct rd_ctx *ctx);
void rd_drain_update(struct rd_ctx *ctx);	/* ctx->ordered follows from ctx->order */

/* --- complete.c --- */
/* A pending request has its result in req->res: hand it to ctx->complete(), then see to who waits for it. */
void rd_req_done(struct rd_req *req);
/* Take it off the books, without posting. */
void rd_req_retire(struct rd_req *req);
/* The request is finished, req->res is set: its CQE comes after those that are being posted now. */
void rd_req_defer(struct rd_req *req);
/* Post what was deferred, and what was waiting for so many CQEs. */
void rd_ctx_post_deferred(struct rd_ctx *ctx);
/* CQEs were posted: finish the timeouts that waited for them (ops/timeout.c). True: there were some. */
bool rd_timeout_count(struct rd_ctx *ctx);
/* Go on with a pending request, by fn: now, or on a DEFER_TASKRUN ring when its client enters. One at a time. */
void rd_req_task_queue(struct rd_req *req, void (*fn)(struct rd_req *req));
static inline void rd_req_task(struct rd_req *req, void (*fn)(struct rd_req *req))
{
	if (RD_UNLIKELY(req->ctx->lazy))
		rd_req_task_queue(req, fn);
	else
		fn(req);
}
/* Run at most max of ctx->now, or until they have copied RD_VISIT_BYTES; it is filled with the tasks there are when it is empty:
 * what they queue stays. How many. */
unsigned int rd_ctx_run_tasks(struct rd_ctx *ctx, unsigned int max);
/* What it has left goes back to the head of ctx->tasks. */
void rd_ctx_stop_tasks(struct rd_ctx *ctx);
/*
 * One more CQE {user_data, res, cflags | F_MORE} of a multishot request. False: there is no room (or others wait for some):
 * nothing was posted, finish the request with exactly this result, whose CQE then waits without F_MORE.
 */
static inline bool rd_req_more(struct rd_req *req, int32_t res, uint32_t cflags)
{
	return req->ctx->post(req->ctx, req->user_data, res, cflags | RINGD_CQE_F_MORE, false);
}
/* A CQE that belongs to no request of this ring; waits for room if there is none. False: it could not be kept. */
static inline bool rd_ctx_post(struct rd_ctx *ctx, uint64_t user_data, int32_t res, uint32_t cflags)
{
	return ctx->post(ctx, user_data, res, cflags, true);
}
/* Does the result break a soft link? */
bool rd_req_failed(const struct rd_req *req);
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
	if (RD_UNLIKELY(req->res < 0 && req->ctx->engine->failed))
		req->ctx->engine->failed(req);
}
/* Drop what the op and the request hold (references, copies). Then rd_req_free() or reuse. */
void rd_req_cleanup(struct rd_req *req);
/* Is a CQE owed? Not for CQE_SKIP_SUCCESS and a good result. */
static inline bool rd_req_silent(const struct rd_req *req)
{
	return RD_UNLIKELY(req->flags & RINGD_SQE_CQE_SKIP_SUCCESS) && !rd_req_failed(req);
}

/* --- notif.c --- */
#define RD_NOTIF_BUSY	1u	/* somebody still uses the data: the notification is not due before rd_notif_release() */
#define RD_NOTIF_HELD	2u	/* notif.c's: the result waits for room in the CQ */

/*
 * Called by prep, as soon as nothing can go wrong any more that the client hears of in one CQE: from here on the request has
 * two, however it ends. Its result, with F_MORE, is posted when it is finished like any other, and a chain goes on then; the
 * request itself is finished with the notification {user_data, notif.res, F_NOTIF}. Until then it is in flight (a drain waits for
 * it), holds what it holds, and is not to be cancelled. On a dying ring it does not wait.
 */
static inline void rd_notif_init(struct rd_req *req, uint64_t user_data)
{
	req->flags |= RD_REQ_NOTIFIES;
	req->notif = (struct rd_notif){ .user_data = user_data };
}
/* The data is in use from now on, whatever becomes of the request. */
static inline void rd_notif_busy(struct rd_req *req)
{
	req->notif.state |= RD_NOTIF_BUSY;
}
/* It is not any more: the notification goes, when the result has gone. Reactor thread. */
void rd_notif_release(struct rd_req *req);
/* The ring's, for a finished request with RD_REQ_NOTIFIES: post its result. True: the notification can follow at once, it is what
 * the request's CQE says now; false: the request has been put on the books again. */
bool rd_notif_result(struct rd_req *req);

/* --- cancel.c --- */
struct rd_cancel_key {
	uint64_t user_data;
	struct rd_file *file;		/* with FD; held by the caller */
	uint8_t opcode;			/* with OP */
	uint32_t flags;			/* RINGD_ASYNC_CANCEL_* */
};
bool rd_cancel_match(const struct rd_req *req, const struct rd_cancel_key *key);
/* 0: stopped, it ends with -ECANCELED by rd_req_defer(); -EALREADY: runs, was asked to stop if that is possible; -ENOENT: is
 * no more, or not there yet. */
int rd_req_cancel(struct rd_req *req);
/* What ASYNC_CANCEL answers. self (may be NULL) is not looked at. */
int rd_ctx_cancel(struct rd_ctx *ctx, const struct rd_cancel_key *key, const struct rd_req *self);
/* The thread with this number has ended: what waits for readiness on its behalf ends with -ECANCELED when that comes. */
void rd_ctx_task_gone(struct rd_ctx *ctx, uint32_t task);
/* The ring is dying: stop what can be stopped. Requests that nobody holds any more are freed here; ctx->inflight counts the rest. */
void rd_ctx_cancel_all(struct rd_ctx *ctx);

/* --- slab.c --- */
/* NULL: no memory. Not yet counted. */
struct rd_req *rd_req_alloc(struct rd_ctx *ctx);
void rd_req_free(struct rd_ctx *ctx, struct rd_req *req);
void rd_slab_deinit(struct rd_ctx *ctx);	/* no request is in use */

#endif
