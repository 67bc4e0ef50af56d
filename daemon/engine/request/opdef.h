/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row per opcode: all there is to know about it. */
#ifndef RD_OPDEF_H
#define RD_OPDEF_H

#include "request.h"

struct rd_op {
	const char *name;
	/* Validate and take everything from the SQE copy; reads what it points to (SUBMIT_STABLE). 0 or -errno. NULL: opcode not served. */
	int (*prep)(struct rd_req *req, const struct ringd_sqe *sqe);
	/* Try without sleeping. RD_DONE, RD_PUNT, RD_POLL_*, RD_IO. NULL: always on a worker. */
	int (*issue)(struct rd_req *req, unsigned int issue_flags);
	/* On a worker thread: may sleep; uses req's op data, req->file->fd; sets req->res. */
	void (*work)(struct rd_req *req);
	/* Reactor thread, after work(): what must not happen on a worker (install into a slot). Returns as issue(). Optional. */
	int (*finish)(struct rd_req *req);
	/* Reactor thread, host->install() or close() was RD_PENDING and req->res and cflags say what has come of it now: as issue().
	 * A multishot op posts that and goes on; NULL: it is the result. Not called on a dying ring. */
	int (*installed)(struct rd_req *req);
	/* Reactor thread, the kernel ring's answer to RD_IO: as issue(), req->res is to be set for RD_DONE. Needed with RD_IO. */
	int (*io_done)(struct rd_req *req, int32_t res);
	/* Reactor thread, state WAIT: stop waiting. 0: nobody will complete it any more but the caller, with -ECANCELED;
	 * -EALREADY: it is completing by itself. Needed by ops that wait. */
	int (*cancel)(struct rd_req *req);
	/* Reactor thread: it was stopped, req->res is -ECANCELED, which this may make something else. Optional. */
	void (*stopped)(struct rd_req *req);
	/* Free what prep allocated. Called once, on the reactor thread, also after prep alone. Optional. */
	void (*cleanup)(struct rd_req *req);
	bool needs_file;	/* req->file is looked up before issue; -EBADF */
	bool as_caller;		/* work() depends on who does it: rights, directories, umask; see host->alike() */
	bool keeps_file;	/* issue() keeps it, or arms something on it, by itself */
	uint32_t trusts;	/* RD_FILE_*: kinds of files that issue() need not be certain of; see host->borrow() */
	bool ioprio;		/* sqe->ioprio may be set */
	bool buffer_select;	/* IOSQE_BUFFER_SELECT is meant for it */
	uint8_t iopoll;		/* RD_IOPOLL_* */
	bool hashed;		/* serialised per regular inode on workers */
	bool soft;		/* an error of the operation itself does not break a soft link */
	bool exclusive;		/* of those that wait for one file one is woken at a time, and wakes the next when it leaves */
	bool cancel_counts;	/* a single cancel that hits it answers 1, not 0 */
	bool unbounded;		/* unbounded worker when the file is not regular, or not known before */
	bool sleeps;		/* unbounded worker whatever the file is: it is not all that may be waited for */
};

/* op->iopoll: is it for a ring with IOPOLL? */
#define RD_IOPOLL_NO	0	/* -EINVAL there */
#define RD_IOPOLL_OK	1
#define RD_IOPOLL_RW	2	/* a read or write, all of which are RWF_HIPRI there */

extern const struct rd_op rd_ops[RD_OP_MASK + 1];

/* Is the opcode served? (PROBE) */
static inline bool rd_op_known(uint8_t opcode)
{
	return opcode < RINGD_OP_LAST && rd_ops[opcode].prep;
}

#endif
