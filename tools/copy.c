/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data of one file: pieces are read into registered buffers and written from them, as many at once as there are
 * buffers, in no order. A file whose size says nothing (0, as in /proc) is read piece after piece to its end.
 */
#include <fcntl.h>

#include "ringcp.h"

#define CHUNK_OF(ptr, member) RD_CONTAINER_OF(ptr, struct cp_chunk, member)

static void write_chunk(struct cp_chunk *c);
static void feed(struct cp_job *job);

static void chunk_over(struct cp_chunk *c)
{
	struct cp_job *job = c->job;

	cp_pump_chunk_release(&job->cp->pump, c);
	if (rd_list_empty(&job->link))	/* else it waits already and is fed from there */
		feed(job);
}

static void chunk_failed(struct cp_chunk *c, int err, const char *what)
{
	cp_job_fail(c->job, err, what);
	chunk_over(c);
}

static void written(struct cp_op *op, int res)
{
	struct cp_chunk *c = CHUNK_OF(op, op);
	struct cp_job *job = c->job;

	if (res == -EINTR || res == -EAGAIN) {
		write_chunk(c);
		return;
	}
	if (res <= 0) {
		chunk_failed(c, res < 0 ? res : -EIO, "cannot write the copy");
		return;
	}
	c->from += (unsigned int)res;
	if (c->from < c->to) {
		write_chunk(c);
		return;
	}
	job->written_end = RD_MAX(job->written_end, c->off + c->to);
	job->cp->progress.bytes += c->len;
	chunk_over(c);
}

static void write_chunk(struct cp_chunk *c)
{
	struct cp_pump *p = &c->job->cp->pump;
	struct ringd_sqe *sqe = cp_pump_sqe(p);

	if (!sqe)
		return;
	ringd_prep_write_fixed(sqe, cp_job_dst_slot(c->job), c->buf + c->from, c->to - c->from,
			       (uint64_t)c->off + c->from, c->index);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	cp_pump_arm(p, sqe, &c->op, written);
}

/* All of the piece (or all there was) is in the buffer. */
static void have_data(struct cp_chunk *c)
{
	size_t from = 0, to = c->done;

	c->len = c->done;
	if (!c->len) {
		chunk_over(c);
		return;
	}
	if (c->job->cp->o.sparse == CP_SPARSE_ALWAYS && !cp_nonzero_part(c->buf, c->len, &from, &to)) {
		c->job->cp->progress.bytes += c->len;
		if (c->job->stream)	/* the hole counts, the end is where the data ends */
			c->job->eof = c->off + c->len;
		chunk_over(c);
		return;
	}
	c->from = (unsigned int)from;
	c->to = (unsigned int)to;
	write_chunk(c);
}

static void end_of_source(struct cp_chunk *c)
{
	struct cp_job *job = c->job;
	off_t end = c->off + c->done;

	if (job->stream) {
		job->no_more = true;
	} else if (job->eof < 0 || end < job->eof) {
		if (job->eof < 0)
			cp_warn_src(job->cp, job->e.dir, job->e.src_name, "became shorter while it was copied");
		job->eof = end;
	}
	have_data(c);
}

static void got(struct cp_op *op, int res)
{
	struct cp_chunk *c = CHUNK_OF(op, op);

	if (res == -EINTR || res == -EAGAIN) {
		cp_read_src(c, got);
	} else if (res < 0) {
		chunk_failed(c, res, "cannot read");
	} else if (res == 0) {
		end_of_source(c);
	} else {
		c->done += (unsigned int)res;
		if (c->done < c->len && !c->job->stream)
			cp_read_src(c, got);
		else
			have_data(c);
	}
}

static bool next_piece(struct cp_job *job, unsigned int max, off_t *off, unsigned int *len)
{
	if (!job->stream)
		return cp_job_piece(job, max, off, len);
	*off = RD_MAX(job->written_end, job->eof);	/* one piece at a time, each behind the one before */
	*off = RD_MAX(*off, 0);
	*len = max;
	return !job->no_more;
}

static void feed(struct cp_job *job)
{
	struct cp_pump *p = &job->cp->pump;

	if (job->data_over)
		return;		/* its last chunk, given back, woke itself */
	while (!job->err && !job->no_more && !(job->stream && job->chunks)) {
		struct cp_chunk *c = cp_pump_chunk(p, job);

		if (!c)
			return;
		if (cp_stop)
			cp_job_fail(job, -ECANCELED, NULL);
		if (job->err || !next_piece(job, p->chunk_size, &c->off, &c->len)) {
			cp_pump_chunk_release(p, c);
			break;
		}
		cp_read_src(c, got);
	}
	if (!job->chunks && (job->err || job->no_more)) {
		rd_list_remove(&job->link);	/* it may wait for a chunk that it needs no more */
		cp_job_data_done(job);
	}
}

static void preallocated(struct cp_op *op, int res)
{
	struct cp_job *job = RD_CONTAINER_OF(op, struct cp_job, dst_op);

	/* not every file system can; no space is the one answer that matters */
	if (res == -ENOSPC || res == -EDQUOT || res == -EFBIG)
		cp_job_fail(job, res, "cannot allocate space");
	feed(job);
}

static int own_source(struct cp_job *job)
{
	return openat(job->e.dir->src_fd, job->e.src_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

void cp_copy_begin(struct cp_job *job)
{
	struct cp *cp = job->cp;
	bool holes = cp->o.sparse != CP_SPARSE_NEVER && (off_t)job->st.st_blocks * 512 < job->st.st_size;
	struct ringd_sqe *sqe;

	job->feed = feed;
	cp_extents_init(&job->extents, holes ? own_source(job) : -1, job->st.st_size);
	if (!cp->o.preallocate || holes || job->stream) {
		feed(job);
		return;
	}
	sqe = cp_pump_sqe(&cp->pump);
	if (!sqe)
		return;
	ringd_prep_fallocate(sqe, cp_job_dst_slot(job), 0, 0, (uint64_t)job->st.st_size);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	cp_pump_arm(&cp->pump, sqe, &job->dst_op, preallocated);
}
