/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparison of a copy with its source. Both are read over the ring, a piece of each into one half of a buffer. The
 * copy is read with O_DIRECT where its file system has it, so that the disk is compared and not the page cache;
 * elsewhere its cached pages are dropped first.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ringcp.h"

#define CHUNK_OF(ptr, member) RD_CONTAINER_OF(ptr, struct cp_chunk, member)

static void read_dst(struct cp_chunk *c);
static void feed(struct cp_job *job);

static unsigned int half(const struct cp_chunk *c)
{
	return c->job->cp->pump.chunk_size / 2;
}

static void chunk_over(struct cp_chunk *c)
{
	struct cp_job *job = c->job;

	cp_pump_chunk_release(&job->cp->pump, c);
	if (rd_list_empty(&job->link))
		feed(job);
}

static void compare(struct cp_chunk *c)
{
	struct cp_job *job = c->job;
	unsigned int n = RD_MIN(c->done, c->len), n2 = RD_MIN(c->done2, c->len);

	if (job->stream) {
		job->no_more |= n == 0 || n2 == 0;
		job->eof = c->off + RD_MIN(n, n2);
		/* short reads of one side are no difference: what both have is compared, the rest read again */
		if ((n == 0) != (n2 == 0))
			cp_job_fail(job, -ENODATA, "differs from its copy in length");
		n = n2 = RD_MIN(n, n2);
	}
	if (!job->err && (n != n2 || n < (job->stream ? 0 : c->len)))
		cp_job_fail(job, -ENODATA, "differs from its copy in length");
	if (!job->err && memcmp(c->buf, c->buf + half(c), n) != 0)
		cp_job_fail(job, -ENODATA, "differs from its copy in contents");
	job->cp->progress.bytes += n;
	chunk_over(c);
}

static void side_over(struct cp_chunk *c)
{
	if (--c->pending == 0)
		compare(c);
}

static void got_src(struct cp_op *op, int res)
{
	struct cp_chunk *c = CHUNK_OF(op, op);

	if (res == -EINTR || res == -EAGAIN) {
		cp_read_src(c, got_src);
		return;
	}
	if (res < 0)
		cp_job_fail(c->job, res, "cannot read");
	else
		c->done += (unsigned int)res;
	if (res > 0 && c->done < c->len && !c->job->stream)
		cp_read_src(c, got_src);
	else
		side_over(c);
}

static void got_dst(struct cp_op *op, int res)
{
	struct cp_chunk *c = CHUNK_OF(op, op2);
	struct cp_job *job = c->job;
	bool end;

	if (res == -EINTR || res == -EAGAIN) {
		read_dst(c);
		return;
	}
	if (res == -EINVAL && job->direct && !job->err) {
		job->direct_failed = job->cp->no_direct = true;
		cp_job_fail(job, res, NULL);
	} else if (res < 0) {
		cp_job_fail(job, res, "cannot read the copy");
	} else {
		c->done2 += (unsigned int)res;
	}
	/* O_DIRECT goes on only at block boundaries; between them there is only the end of the file */
	end = res <= 0 || c->job->stream || (job->direct && c->done2 % CP_CHUNK_ALIGN);
	if (!end && c->done2 < c->len)
		read_dst(c);
	else
		side_over(c);
}

static void read_dst(struct cp_chunk *c)
{
	struct cp_pump *p = &c->job->cp->pump;
	unsigned int len = c->len - c->done2;
	struct ringd_sqe *sqe = cp_pump_sqe(p);

	if (!sqe)
		return;
	if (c->job->direct)
		len = (unsigned int)rd_align(len, CP_CHUNK_ALIGN);
	ringd_prep_read_fixed(sqe, cp_job_dst_slot(c->job), c->buf + half(c) + c->done2, len,
			      (uint64_t)c->off + c->done2, c->index);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	cp_pump_arm(p, sqe, &c->op2, got_dst);
}

/* The next range in which one of the two has data; in a hole of both there is nothing to compare. */
static bool next_range(struct cp_job *job)
{
	struct cp_extents *a = &job->extents, *b = &job->extents2;
	off_t as, ae, bs, be;
	bool in_a = cp_extents_next(a, &as, &ae), in_b = cp_extents_next(b, &bs, &be);

	if (!in_a && !in_b)
		return false;
	if (in_a && (!in_b || as <= bs)) {
		job->start = as;
		job->end = ae;
	} else {
		job->start = bs;
		job->end = be;
	}
	a->pos = b->pos = job->end;
	job->start -= job->start % CP_CHUNK_ALIGN;
	return true;
}

static bool next_piece(struct cp_job *job, unsigned int max, off_t *off, unsigned int *len)
{
	if (job->stream) {
		*off = RD_MAX(job->eof, 0);
		*len = max;
		return !job->no_more;
	}
	if (job->start >= job->end && !next_range(job)) {
		job->no_more = true;
		return false;
	}
	*off = job->start;
	*len = (unsigned int)RD_MIN(job->end - job->start, (off_t)max);
	job->start += *len;
	return true;
}

static void feed(struct cp_job *job)
{
	struct cp_pump *p = &job->cp->pump;

	if (job->data_over)
		return;
	while (!job->err && !job->no_more && !(job->stream && job->chunks)) {
		struct cp_chunk *c = cp_pump_chunk(p, job);

		if (!c)
			return;
		if (cp_stop)
			cp_job_fail(job, -ECANCELED, NULL);
		if (job->err || !next_piece(job, half(c), &c->off, &c->len)) {
			cp_pump_chunk_release(p, c);
			break;
		}
		c->pending = 2;
		cp_read_src(c, got_src);
		read_dst(c);
	}
	if (!job->chunks && (job->err || job->no_more)) {
		rd_list_remove(&job->link);
		cp_job_data_done(job);
	}
}

static int own_fd(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

void cp_verify_begin(struct cp_job *job)
{
	int src = -1, dst = own_fd(job->e.dir->dst_fd, job->e.dst_name);

	job->feed = feed;
	if (!job->direct && dst >= 0)
		posix_fadvise(dst, 0, 0, POSIX_FADV_DONTNEED);
	/* Ranges are worth asking for if the source has holes; a copy without them is then all data. */
	if ((off_t)job->st.st_blocks * 512 < job->st.st_size)
		src = own_fd(job->e.dir->src_fd, job->e.src_name);
	cp_extents_deinit(&job->extents);
	cp_extents_deinit(&job->extents2);
	cp_extents_init(&job->extents, src, job->st.st_size);
	cp_extents_init(&job->extents2, dst, job->st.st_size);
	job->start = job->end = 0;
	job->eof = -1;
	feed(job);
}

/* Compare what stat says of an entry; *found: both sides, if they are worth a further look. Return: as cp_verify_stat(). */
static bool verify_stat(struct cp *cp, const struct cp_entry *e, const struct stat *src)
{
	const char *what;
	struct stat dst;

	if (fstatat(e->dir->dst_fd, e->dst_name, &dst, AT_SYMLINK_NOFOLLOW) < 0) {
		cp_error_dst(cp, e->dir, e->dst_name, errno == ENOENT ? "is missing" : "cannot stat",
			     errno == ENOENT ? 0 : -errno);
		return false;
	}
	what = cp_meta_compare(cp, src, &dst);
	if (what)
		cp_error_dst(cp, e->dir, e->dst_name, what, 0);
	if ((src->st_mode & S_IFMT) != (dst.st_mode & S_IFMT))
		return false;
	if (cp->o.keep_links && src->st_nlink > 1) {
		int r = cp_links_compare(cp, src, &dst);

		if (r == 1)
			return false;	/* the same inode was compared already */
		if (r < 0)
			cp_error_dst(cp, e->dir, e->dst_name, "is not linked to the copy of its other names", 0);
	}
	return src->st_size == dst.st_size || !src->st_size;
}

bool cp_verify_stat(struct cp_job *job)
{
	const struct cp_entry *e = &job->e;
	struct cp *cp = job->cp;

	if (!verify_stat(cp, e, &job->st))
		return false;
	if (cp->o.xattrs) {
		RD_CLOSE int src = own_fd(e->dir->src_fd, e->src_name), dst = own_fd(e->dir->dst_fd, e->dst_name);
		const char *what = cp_meta_compare_xattrs(src, dst);

		if (what)
			cp_error_dst(cp, e->dir, e->dst_name, what, 0);
	}
	return true;
}

void cp_verify_dir(struct cp *cp, struct cp_dir *dir)
{
	const char *what = NULL;
	struct stat dst;

	if (fstat(dir->dst_fd, &dst) < 0)
		what = strerror(errno);
	if (!what)
		what = cp_meta_compare(cp, &dir->st, &dst);
	if (!what && cp->o.xattrs)
		what = cp_meta_compare_xattrs(dir->src_fd, dir->dst_fd);
	if (what)
		cp_error_dst(cp, dir->parent, dir->dst_name, what, 0);
}

void cp_verify_special(struct cp *cp, const struct cp_entry *e)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct stat st;
	ssize_t na, nb;

	if (fstatat(e->dir->src_fd, e->src_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		cp_error_src(cp, e->dir, e->src_name, "cannot stat", -errno);
		return;
	}
	if (S_ISSOCK(st.st_mode))
		return;
	cp->progress.files++;
	if (!verify_stat(cp, e, &st) || !S_ISLNK(st.st_mode))
		return;
	na = readlinkat(e->dir->src_fd, e->src_name, a, sizeof(a));
	nb = readlinkat(e->dir->dst_fd, e->dst_name, b, sizeof(b));
	if (na < 0 || na != nb || memcmp(a, b, (size_t)na) != 0)
		cp_error_dst(cp, e->dir, e->dst_name, "points elsewhere", 0);
}
