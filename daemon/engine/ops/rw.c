/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * READ, WRITE and their relatives, second half: doing it. Three ways for a regular file: at once from the page cache
 * (RWF_NOWAIT), in the kernel ring, on a worker; a partial result of the first is carried on by the others. Everything
 * that can be polled waits in the reactor. Whether a file is blocking or not is nobody's business: its O_NONBLOCK
 * can be flipped by the client at any time, so only flags of the single call count.
 */
#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "ops.h"
#include "rw.h"
#include "segments.h"

static inline int rw_done(struct rd_req *req, int64_t res)
{
	/* less than was asked for is no success: neither for what is linked behind it nor for who wants to be spared it */
	if (RD_UNLIKELY(res != (int64_t)req->rw.want))
		req->outcome = RD_OUT_FAILED;
	req->res = (int32_t)res;
	return RD_DONE;
}

/* What an error means after some of it worked. */
static inline int rw_failed(struct rd_req *req, int64_t err)
{
	return rw_done(req, req->rw.done ? (int64_t)req->rw.done : err);
}

static uint64_t rw_position(const struct rd_rw *rw)
{
	if (rw->stream || rw->off == UINT64_MAX)
		return UINT64_MAX;
	return rw->off + rw->done;
}

/*
 * One system call for what is left. Any thread that owns the request. Not by the C library's preadv2(): that is a
 * cancellation point, which costs two atomic operations as soon as the process has a second thread.
 */
static inline ssize_t transfer(const struct rd_req *req, uint32_t rwf)
{
	const struct rd_rw *rw = &req->rw;
	long n;

	/* where a long has 64 bits the second half of the offset is not looked at */
	n = syscall(rw->write ? SYS_pwritev2 : SYS_preadv2, req->file->fd, rw->vec, (long)rw->nr, (long)rw_position(rw), 0L,
		    (long)rwf);
	return n < 0 ? -errno : n;
}

/*
 * In the client's own process: whoever drives the reactor is a thread of the program, and a SIGPIPE that comes of what was put off, or is
 * not wanted, must not reach it. One that was pending before stays.
 */
static __attribute__((__noinline__)) ssize_t transfer_quietly(const struct rd_req *req, uint32_t rwf)
{
	const struct timespec none = { 0 };
	sigset_t pipe_only, before, pending;
	ssize_t n;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	sigemptyset(&pending);
	(void)sigpending(&pending);
	n = transfer(req, rwf);
	if (n == -EPIPE && !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_only, NULL, &none);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}

/* The same on the reactor. */
static inline ssize_t transfer_inline(struct rd_req *req, uint32_t rwf)
{
	ssize_t n;

	if (RD_UNLIKELY(req->rw.stream && req->rw.write && (req->rw.quiet || req->holds)) && rd_at_home(req))
		n = transfer_quietly(req, rwf);
	else
		n = transfer(req, rwf);

	if (n > 0)
		req->ctx->moved += (uint64_t)n;
	return n;
}

/* n bytes were moved. */
static void advance(struct rd_rw *rw, uint64_t n)
{
	rw->done += n;
	rd_segments_cut(rw->vec, n);
}

static int map_fixed(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;
	struct rd_buf *buf = rd_buftable_get(&req->ctx->bufs, rw->buf_index);
	void *ptr;

	if (RD_UNLIKELY(!buf))
		return -EFAULT;
	ptr = rd_buf_range(buf, (uintptr_t)rw->one.iov_base, rw->one.iov_len);
	if (RD_UNLIKELY(!ptr))
		return -EFAULT;
	rw->one.iov_base = ptr;
	req->buf = buf;
	return 0;
}

/*
 * The client of an IOPOLL ring looks for its completions itself, which is the ring's affair (ring/lazy.c). The device is not
 * polled for it: how its completions come to us nobody can see. But only what could be polled is taken, as by the kernel.
 */
static int check_polled(struct rd_req *req)
{
	if (!(req->ctx->setup_flags & RINGD_SETUP_IOPOLL))
		return -EINVAL;
	if (!(req->file->flags & RD_FILE_REG) || !(req->file->flags & RD_FILE_DIRECT))
		return -EOPNOTSUPP;
	req->rw.rwf &= ~RD_RWF_HIPRI;
	return 0;
}

/* Whatever a plain read or write does not ask for. */
static int check_unusual(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;

	if (rw->rwf & ~RD_RWF_ALL)
		return -EOPNOTSUPP;
	if (rw->rwf & RD_RWF_HIPRI) {
		int r = check_polled(req);

		if (r < 0)
			return r;
	}
	if ((rw->rwf & (RD_RWF_APPEND | RD_RWF_NOAPPEND)) == (RD_RWF_APPEND | RD_RWF_NOAPPEND))
		return -EINVAL;
	if (rw->attr || ((int64_t)rw->off < 0 && rw->off != UINT64_MAX))
		return -EINVAL;
	return 0;
}

static inline void know_file(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;

	rw->stream = req->file->flags & RD_FILE_STREAM;
	rw->carrier = (req->file->flags & RD_FILE_CARRIER) && !rw->write && !rd_at_home(req);
	rw->whole = (req->file->flags & RD_FILE_REG) && !(rw->rwf & RD_RWF_NOWAIT);
}

int rd_rw_start(struct rd_req *req)
{
	int r = check_unusual(req);

	if (r < 0)
		return r;
	know_file(req);
	/* of a directory, and for nothing, only the open mode is looked at: the position is not needed */
	if (req->rw.off == UINT64_MAX && (req->file->flags & RD_FILE_DIR))
		req->rw.off = 0;
	return 0;
}

/* 0, -errno, RD_RW_SELECT. */
static inline int rw_start(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;
	int r;

	if (RD_UNLIKELY(rw->rwf || (int64_t)rw->off < 0 || rw->attr || (req->flags & RINGD_SQE_BUFFER_SELECT))) {
		if (req->flags & RINGD_SQE_BUFFER_SELECT)
			return RD_RW_SELECT;
		r = check_unusual(req);
		if (r < 0)
			return r;
	}
	know_file(req);
	return rw->fixed ? map_fixed(req) : rd_segments_map(req, rw->vec, rw->nr, rw->owners);
}

/* Where system calls are dear a batch of short reads is cheaper in the kernel ring, of a file that it knows. */
static inline bool rd_rw_prefers_uring(const struct rd_req *req)
{
	return req->file->ring_slot && req->ctx->busy && req->rw.want <= RD_RW_RING_MAX && !req->rw.write &&
	       req->ctx->engine->ring_batches;
}

/* The flag that remembers that RWF_NOWAIT is not for this file in this direction. */
static inline uint32_t no_nowait_flag(const struct rd_rw *rw)
{
	return rw->write ? RD_FILE_NO_NOWAIT_W : RD_FILE_NO_NOWAIT_R;
}

static int go_async(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;

	if (!req->ctx->engine->uring)
		return RD_PUNT;
	/* where nothing is done without waiting the kernel ring would wake a thread of its own: ours are cheaper (1.7 against
	 * 2.1 us of CPU for a buffered 4 KiB write on ext4) */
	if ((req->file->flags & no_nowait_flag(rw)) && !(req->file->flags & RD_FILE_DIRECT))
		return RD_PUNT;
	rd_file_heat(req->file);
	req->io.opcode = 0;
	req->io.msg = NULL;
	req->io.fd = req->file->fd;
	req->io.slot = req->file->ring_slot;
	req->io.write = rw->write;
	req->io.device = req->file->flags & RD_FILE_DIRECT;
	req->io.ioprio = rw->ioprio;
	req->io.rwf = rw->rwf;
	req->io.off = rw_position(rw);
	req->io.iov = rw->vec;
	req->io.nr = rw->nr;
	return RD_IO;
}

static inline void note_no_nowait(struct rd_req *req)
{
	/* another flag of the caller may be what was refused */
	if (!req->rw.rwf)
		req->file->flags |= no_nowait_flag(&req->rw);
}

/*
 * Does it take the lock of the file position? Whoever shares the file holds that as long as he likes, by a read() into memory
 * whose pages do not come, and no RWF_NOWAIT helps. Regular files and directories only.
 */
static inline bool locks_position(const struct rd_req *req)
{
	return req->rw.off == UINT64_MAX && (req->file->flags & (RD_FILE_REG | RD_FILE_DIR)) &&
	       !(req->file->flags & RD_FILE_BLK);
}

/*
 * Inside the program it is one of its own threads that has the lock, and a read that finds its pages is done when it is submitted,
 * as with the kernel: who exits then has lost nothing.
 */
static int issue_at_position(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;
	ssize_t n;

	if (!rd_at_home(req) || rw->rwf || rw->want > RD_RW_INLINE_MAX || (req->flags & RINGD_SQE_ASYNC) ||
	    (req->file->flags & (no_nowait_flag(rw) | RD_FILE_DIRECT | RD_FILE_SLOW)))
		return RD_PUNT_ORDERED;
	n = transfer_inline(req, RD_RWF_NOWAIT);
	if (n == -EOPNOTSUPP)
		note_no_nowait(req);
	if (n == -EOPNOTSUPP || n == -EAGAIN)
		return RD_PUNT_ORDERED;
	if (n < 0)
		return rw_failed(req, n);
	advance(rw, (uint64_t)n);
	return n == 0 || rw->done == rw->want ? rw_done(req, (int64_t)rw->done) : RD_PUNT_ORDERED;
}

static int issue_regular(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;
	uint32_t file_flags = req->file->flags;
	ssize_t n;

	if (RD_UNLIKELY(locks_position(req)))
		return issue_at_position(req);
	if (RD_UNLIKELY(file_flags & RD_FILE_SLOW))
		return RD_PUNT;
	if (rw->rwf & RD_RWF_NOWAIT) {
		/* direct I/O sleeps in spite of it */
		return file_flags & RD_FILE_DIRECT ? go_async(req) : rw_done(req, transfer_inline(req, rw->rwf));
	}
	if ((req->flags & RINGD_SQE_ASYNC) || (rw->want > RD_RW_INLINE_MAX && !(file_flags & RD_FILE_DIRECT)))
		return RD_PUNT;
	if ((file_flags & (no_nowait_flag(rw) | RD_FILE_DIRECT)) || rd_rw_prefers_uring(req))
		return go_async(req);
	for (int attempt = 0; attempt < 2; attempt++) {
		n = transfer_inline(req, rw->rwf | RD_RWF_NOWAIT);
		if (n == -EOPNOTSUPP)
			note_no_nowait(req);
		if (n == -EOPNOTSUPP || n == -EAGAIN)
			break;
		if (n < 0)
			return rw_failed(req, n);
		if (RD_LIKELY((uint64_t)n == rw->want)) {
			if (RD_UNLIKELY(req->file->heat < RD_FILE_HOT && req->ctx->engine->ring_batches))
				rd_file_heat(req->file);
			return rw_done(req, n);
		}
		advance(rw, (uint64_t)n);
		if (n == 0 || rw->done == rw->want)
			return rw_done(req, (int64_t)rw->done);
	}
	return go_async(req);
}

/* A file that knows no attempt without waiting: worth a thread when something is there, or when it does not wait at all. */
static int wait_blocking(struct rd_req *req, unsigned int issue_flags)
{
	int flags;

	if ((issue_flags & RD_READY) || (req->file->flags & RD_FILE_NO_POLL))
		return RD_PUNT;
	flags = fcntl(req->file->fd, F_GETFL);
	if (flags >= 0 && (flags & O_NONBLOCK))
		return RD_PUNT;
	return req->rw.write ? RD_POLL_OUT : RD_POLL_IN;
}

static int wait_ready(struct rd_req *req)
{
	if ((req->file->flags & RD_FILE_NO_POLL) || req->rw.rounds++ >= RD_RW_ROUNDS)
		return RD_PUNT;
	return req->rw.write ? RD_POLL_OUT : RD_POLL_IN;
}

/*
 * Descriptors that wait in the socket are closed by whoever reads past them, and the close of a socket that lingers takes as
 * long as its owner wants, RWF_NOWAIT or not: never on the reactor.
 */
static int issue_carrier(struct rd_req *req, unsigned int issue_flags)
{
	if ((req->rw.rwf & RD_RWF_NOWAIT) || (issue_flags & RD_READY))
		return RD_PUNT;
	return wait_ready(req);
}

static int issue_pollable(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_rw *rw = &req->rw;
	ssize_t n;

	if (RD_UNLIKELY(rw->carrier))
		return issue_carrier(req, issue_flags);
	/* as a SEND, see net_away.c */
	if (RD_UNLIKELY((req->file->flags & (RD_FILE_SOCK | RD_FILE_INET | RD_FILE_CARRIER)) == RD_FILE_SOCK && rw->write) && !rd_at_home(req))
		return RD_PUNT;
	/* a directory has nothing to wait for either: the system call says what is wrong with it */
	if ((rw->rwf & RD_RWF_NOWAIT) || (req->file->flags & RD_FILE_DIR))
		return rw_done(req, transfer_inline(req, rw->rwf));
	/* /dev/zero and the like never run dry; a stream holds only so much */
	if (rw->want > RD_RW_INLINE_MAX && !rw->stream)
		return RD_PUNT;
	if (req->file->flags & no_nowait_flag(rw))
		return wait_blocking(req, issue_flags);
	if ((req->flags & RINGD_SQE_ASYNC) && !(issue_flags & RD_READY))
		return wait_ready(req);
	n = transfer_inline(req, rw->rwf | RD_RWF_NOWAIT);
	if (n == -EAGAIN)
		return wait_ready(req);
	if (n != -EOPNOTSUPP)
		return rw_done(req, n);
	note_no_nowait(req);
	return wait_blocking(req, issue_flags);
}

int rd_rw_attempt(struct rd_req *req, unsigned int issue_flags)
{
	if (!req->rw.want) {
		if (locks_position(req))
			req->rw.off = 0;
		return rw_done(req, transfer_inline(req, req->rw.rwf));
	}
	if (req->file->flags & RD_FILE_REG)
		return issue_regular(req);
	return issue_pollable(req, issue_flags);
}

int rd_rw(struct rd_req *req, unsigned int issue_flags)
{
	int r;

	if (RD_LIKELY(!(issue_flags & RD_READY))) {
		r = rw_start(req);
		if (RD_UNLIKELY(r))
			return r == RD_RW_SELECT ? rd_rw_select(req, issue_flags) : rw_done(req, r);
		/* of a directory, and for nothing, only the open mode is looked at: the position is not needed */
		if (RD_UNLIKELY(locks_position(req)) && (!req->rw.want || (req->file->flags & RD_FILE_DIR)))
			req->rw.off = 0;
		if (RD_UNLIKELY(!req->rw.want))
			return rw_done(req, transfer_inline(req, req->rw.rwf));
	} else if (RD_UNLIKELY(req->flags & RINGD_SQE_BUFFER_SELECT)) {
		return rd_rw_select(req, issue_flags);
	}
	if (RD_LIKELY(req->file->flags & RD_FILE_REG))
		return issue_regular(req);
	return issue_pollable(req, issue_flags);
}

static void set_priority(uint16_t ioprio)
{
	/* of this thread only; a failure costs nothing but the priority */
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, (int)ioprio);
}

/* Worker thread. A carrier that somebody else was quicker with is waited for, whatever its O_NONBLOCK is at the moment. */
static ssize_t transfer_blocking(const struct rd_req *req)
{
	const struct rd_rw *rw = &req->rw;
	struct pollfd pfd = { .fd = req->file->fd, .events = POLLIN };
	ssize_t n;

	if (!rw->carrier || (rw->rwf & RD_RWF_NOWAIT))
		return transfer(req, rw->rwf);
	while ((n = transfer(req, rw->rwf | RD_RWF_NOWAIT)) == -EAGAIN) {
		if (poll(&pfd, 1, -1) < 0)
			return -errno;
	}
	return n;
}

void rd_rw_work(struct rd_req *req)
{
	struct rd_rw *rw = &req->rw;
	ssize_t n;

	if (rw->ioprio)
		set_priority(rw->ioprio);
	do {
		n = transfer_blocking(req);
		if (n > 0)
			advance(rw, (uint64_t)n);
	} while (n > 0 && rw->whole && rw->done < rw->want);
	if (rw->ioprio)
		set_priority(0);
	rw_failed(req, n < 0 ? n : 0);
}

int rd_rw_io_done(struct rd_req *req, int32_t res)
{
	/* the kernel ring would not sleep on this file, a thread does */
	if (res == -EAGAIN && !(req->rw.rwf & RD_RWF_NOWAIT))
		return RD_PUNT;
	if (res < 0)
		return rw_failed(req, res);
	/* it goes on after short results by itself: less than asked for is the end of the file, or an error for the next one */
	return rw_done(req, (int64_t)req->rw.done + res);
}
