/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a regular file: STATX -> OPENAT2 of both sides at once -> data (copy.c or verify.c) -> FTRUNCATE, FSYNC
 * where needed -> CLOSE of both -> metadata. Each step starts the next from its completion.
 *
 * The ring opens by path, and a path can be exchanged under us. So: no symlink is followed anywhere in it; STATX
 * counts only if it shows the inode that the directory's own descriptor listed; a destination in a directory that
 * others may write is opened here, relative to that directory, and sent into its slot, and so is whatever the ring
 * cannot open (paths that are too long, policies). Metadata is applied through the directory's descriptor.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ringcp.h"

/* A slot is no descriptor: O_CLOEXEC would be refused. O_HERE is what opening in this process adds. */
#define SRC_FLAGS (O_RDONLY | O_NOFOLLOW)
#define DST_FLAGS (O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
#define O_HERE	  (O_CLOEXEC | O_NONBLOCK)
#define NO_LINKS  (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

#define JOB_OF(op, member) RD_CONTAINER_OF(op, struct cp_job, member)

static void after_stat(struct cp_job *job);
static void open_dst(struct cp_job *job);
static void close_files(struct cp_job *job);

void cp_job_fail(struct cp_job *job, int err, const char *what)
{
	if (job->err)
		return;
	job->err = err;
	job->err_what = what;
}

static const char *dst_name(const struct cp_job *job)
{
	return job->tmp[0] ? job->tmp : job->e.dst_name;
}

static void job_free(struct cp_job *job)
{
	struct cp *cp = job->cp;

	cp_extents_deinit(&job->extents);
	cp_extents_deinit(&job->extents2);
	rd_close(job->dst_fd);
	job->dst_fd = -1;
	cp_entry_deinit(cp, &job->e);
	rd_list_remove(&job->link);
	rd_list_remove(&job->active);
	rd_list_append(&cp->free_jobs, &job->link);
}

/* --- stat --- */

static void stat_from_statx(struct stat *st, const struct statx *x)
{
	*st = (struct stat){
		.st_dev = makedev(x->stx_dev_major, x->stx_dev_minor), .st_ino = x->stx_ino, .st_mode = x->stx_mode,
		.st_nlink = x->stx_nlink, .st_uid = x->stx_uid, .st_gid = x->stx_gid, .st_size = (off_t)x->stx_size,
		.st_blocks = (blkcnt_t)x->stx_blocks, .st_blksize = (blksize_t)x->stx_blksize,
		.st_atim = { x->stx_atime.tv_sec, x->stx_atime.tv_nsec },
		.st_mtim = { x->stx_mtime.tv_sec, x->stx_mtime.tv_nsec },
	};
}

static void stat_here(struct cp_job *job)
{
	if (fstatat(job->e.dir->src_fd, job->e.src_name, &job->st, AT_SYMLINK_NOFOLLOW) < 0)
		cp_job_fail(job, -errno, "cannot stat");
	after_stat(job);
}

static void stat_done(struct cp_op *op, int res)
{
	struct cp_job *job = JOB_OF(op, src_op);
	const struct cp_dir *dir = job->e.dir;
	struct statx x = *job->stx;

	/* only if it is what the directory listed: the path may have led elsewhere */
	if (res == 0 && x.stx_ino == job->e.ino && dir->st.st_mode &&
	    makedev(x.stx_dev_major, x.stx_dev_minor) == dir->st.st_dev) {
		stat_from_statx(&job->st, &x);
		after_stat(job);
	} else {
		stat_here(job);
	}
}

int cp_job_start(struct cp *cp, struct cp_job *job, struct cp_entry *e)
{
	struct statx *stx = job->stx;
	unsigned int index = job->index;
	struct ringd_sqe *sqe;
	char path[PATH_MAX];

	*job = (struct cp_job){ .cp = cp, .index = index, .stx = stx, .e = *e, .dst_fd = -1, .eof = -1 };
	*e = (struct cp_entry){ 0 };
	rd_list_init(&job->link);
	rd_list_init(&job->active);
	rd_list_append(&cp->active, &job->active);
	cp_extents_init(&job->extents, -1, 0);
	cp_extents_init(&job->extents2, -1, 0);
	/* the parent of a source has no identity to check against: one stat more, once per source */
	if (!job->e.dir->st.st_mode || cp_path_src(path, sizeof(path), job->e.dir, job->e.src_name) < 0) {
		stat_here(job);
		return 0;
	}
	sqe = cp_pump_sqe(&cp->pump);
	if (!sqe)
		return cp->pump.error;
	ringd_prep_statx(cp->pump.ring, sqe, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, stx);
	cp_pump_arm(&cp->pump, sqe, &job->src_op, stat_done);
	return 0;
}

/* --- open --- */

static void opened(struct cp_job *job)
{
	if (job->pending)
		return;
	if (job->err) {
		close_files(job);
		return;
	}
	/* st_blocks less than the size: there are holes, ask where. */
	job->stream = job->st.st_size == 0;
	if (job->cp->mode == CP_VERIFY)
		cp_verify_begin(job);
	else
		cp_copy_begin(job);
}

/* Put a descriptor of ours into a slot. Takes fd unless keep says where to leave it. */
static int send_fd(struct cp_job *job, int fd, int slot, int *keep)
{
	int r = ringd_register_files_update(job->cp->pump.ring, (unsigned int)slot, &fd, 1);

	job->cp->opened_here++;
	if (r == 1 && keep)
		*keep = fd;
	else
		rd_close(fd);
	if (r == -ECONNRESET)
		job->cp->pump.error = r;
	return r == 1 ? 0 : r < 0 ? r : -EIO;
}

static void open_src_here(struct cp_job *job)
{
	int fd = openat(job->e.dir->src_fd, job->e.src_name, SRC_FLAGS | O_HERE), r;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		cp_job_fail(job, -errno, "cannot open for reading");
		rd_close(fd);
		return;
	}
	if (!S_ISREG(st.st_mode)) {
		rd_close(fd);
		cp_job_fail(job, -ESTALE, "changed while it was copied");
		return;
	}
	r = send_fd(job, fd, cp_job_src_slot(job), NULL);
	if (r < 0)
		cp_job_fail(job, r, "cannot hand over to ringd");
	else
		job->src_open = true;
}

static void src_opened(struct cp_op *op, int res)
{
	struct cp_job *job = JOB_OF(op, src_op);

	job->pending--;
	if (res >= 0)
		job->src_open = true;
	else
		open_src_here(job);
	opened(job);
}

static void open_src(struct cp_job *job)
{
	const struct open_how how = { .flags = SRC_FLAGS, .resolve = NO_LINKS };
	struct cp_pump *p = &job->cp->pump;
	struct ringd_sqe *sqe;
	char path[PATH_MAX];

	if (cp_path_src(path, sizeof(path), job->e.dir, job->e.src_name) < 0) {
		open_src_here(job);
		return;
	}
	sqe = cp_pump_sqe(p);
	if (!sqe)
		return;
	ringd_prep_openat2_direct(p->ring, sqe, AT_FDCWD, path, &how, (unsigned int)cp_job_src_slot(job));
	cp_pump_arm(p, sqe, &job->src_op, src_opened);
	job->pending++;
}

static int dst_flags(const struct cp_job *job)
{
	if (job->cp->mode == CP_COPY)
		return DST_FLAGS;
	return SRC_FLAGS | (job->direct ? O_DIRECT : 0);
}

/* Something stands where the copy goes: it is written beside it and takes its place when it is complete. */
static bool make_way(struct cp_job *job)
{
	int r = cp_replaceable(job->e.dir->dst_fd, job->e.dst_name, &job->st);

	if (job->tmp[0])
		r = -EEXIST;	/* 64 random bits were taken: somebody plays with us */
	if (r == 0) {
		cp_tmp_name(job->tmp, sizeof(job->tmp));
		return true;
	}
	cp_job_fail(job, r, r == -EISDIR ? "destination is a directory" :
			    r == -ELOOP	 ? "source and destination are the same file" :
					   "destination is in the way");
	return false;
}

/* Return: 0, or -EAGAIN: the same again under the temporary name. */
static int open_dst_here(struct cp_job *job)
{
	int flags = dst_flags(job) | O_HERE, r, fd;

	if (job->cp->mode == CP_COPY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	fd = openat(job->e.dir->dst_fd, dst_name(job), flags, 0600);
	if (fd < 0 && errno == EEXIST)
		return make_way(job) ? -EAGAIN : 0;
	if (fd < 0) {
		cp_job_fail(job, -errno, job->cp->mode == CP_COPY ? "cannot create" : "cannot open the copy");
		return 0;
	}
	job->created = job->cp->mode == CP_COPY;
	r = send_fd(job, fd, cp_job_dst_slot(job), &job->dst_fd);
	if (r < 0)
		cp_job_fail(job, r, "cannot hand over to ringd");
	else
		job->dst_open = true;
	return 0;
}

static void dst_opened(struct cp_op *op, int res)
{
	struct cp_job *job = JOB_OF(op, dst_op);

	job->pending--;
	if (res >= 0) {
		job->dst_open = true;
		job->created = job->cp->mode == CP_COPY;
	} else if (res == -EEXIST && job->cp->mode == CP_COPY) {
		if (make_way(job))
			open_dst(job);
	} else if (res == -EINVAL && job->direct) {
		job->direct = false;
		job->cp->no_direct = true;
		open_dst(job);
	} else {
		while (open_dst_here(job) == -EAGAIN)
			;
	}
	opened(job);
}

static void open_dst(struct cp_job *job)
{
	struct open_how how = { .flags = (uint64_t)dst_flags(job), .resolve = NO_LINKS };
	struct cp_pump *p = &job->cp->pump;
	struct ringd_sqe *sqe;
	char path[PATH_MAX];

	if ((job->e.dir->shared && job->cp->mode == CP_COPY) ||
	    cp_path_dst(path, sizeof(path), job->e.dir, dst_name(job)) < 0) {
		while (open_dst_here(job) == -EAGAIN)
			;
		return;
	}
	how.mode = job->cp->mode == CP_COPY ? 0600 : 0;
	sqe = cp_pump_sqe(p);
	if (!sqe)
		return;
	ringd_prep_openat2_direct(p->ring, sqe, AT_FDCWD, path, &how, (unsigned int)cp_job_dst_slot(job));
	cp_pump_arm(p, sqe, &job->dst_op, dst_opened);
	job->pending++;
}

static void open_both(struct cp_job *job)
{
	job->pending = 1;	/* ours, so that a completion that comes at once does not go on too early */
	open_src(job);
	if (!job->err)
		open_dst(job);
	job->pending--;
	opened(job);
}

/* Is this one of several names of its inode, and not the first? Then it is taken over, or compared, here. */
static bool is_later_link(struct cp_job *job)
{
	struct cp *cp = job->cp;
	int r;

	if (job->st.st_nlink < 2 || !cp->o.keep_links || cp->mode == CP_VERIFY)
		return false;
	r = cp_links_claim(cp, &job->st, &job->e);
	if (r == CP_CLAIM_TAKEN)
		return true;
	if (r < 0)
		cp_job_fail(job, r, "cannot note its hard links");
	job->claimed = r == CP_CLAIM_FIRST && !job->e.no_link;
	return false;
}

static void after_stat(struct cp_job *job)
{
	if (!job->err && !S_ISREG(job->st.st_mode))
		cp_job_fail(job, -ESTALE, "changed while it was copied");
	if (!job->err && is_later_link(job)) {
		job_free(job);
		return;
	}
	if (!job->err && job->cp->mode == CP_VERIFY && !cp_verify_stat(job)) {
		job_free(job);
		return;
	}
	job->direct = job->cp->mode == CP_VERIFY && !job->cp->no_direct;
	if (job->err)
		close_files(job);
	else
		open_both(job);
}

/* --- the end --- */

/* Metadata through the directory's descriptor; the file in it is ours, see dir.c and the head of this file. */
static int finish_meta(struct cp_job *job, const char **what)
{
	RD_CLOSE int src_fd = -1;
	struct cp *cp = job->cp;
	struct stat st;

	*what = "cannot open for metadata";
	if (job->dst_fd < 0)
		job->dst_fd = openat(job->e.dir->dst_fd, dst_name(job), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (job->dst_fd < 0 || fstat(job->dst_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	if (cp->o.xattrs) {
		src_fd = openat(job->e.dir->src_fd, job->e.src_name, SRC_FLAGS | O_HERE);
		if (src_fd < 0)
			return -errno;
	}
	return cp_meta_apply(cp, job->dst_fd, &job->st, src_fd, what);
}

/* Take what is half done away again. */
static void remove_created(struct cp_job *job)
{
	if (job->created)
		unlinkat(job->e.dir->dst_fd, dst_name(job), 0);
	job->created = false;
}

static void tell(struct cp_job *job)
{
	const struct cp_entry *e = &job->e;
	/* what the words say, or the errno's own */
	bool plain = job->err == -ESTALE || job->err == -EISDIR || job->err == -ELOOP || job->err == -ENODATA;

	if (job->err == -ECANCELED)
		return;		/* interrupted: one message is enough */
	cp_error_src(job->cp, e->dir, e->src_name, job->err_what, plain ? 0 : job->err);
}

static void finish(struct cp_job *job)
{
	struct cp *cp = job->cp;
	int dirfd = job->e.dir ? job->e.dir->dst_fd : -1;

	if (!job->err && job->tmp[0] && renameat(dirfd, job->tmp, dirfd, job->e.dst_name) < 0)
		cp_job_fail(job, -errno, "cannot put the copy in its place");
	if (job->err) {
		remove_created(job);
		tell(job);
		if (job->claimed)
			cp_links_failed(cp, &job->st);
	} else {
		cp->progress.files++;
		if (job->claimed)
			cp_links_done(cp, &job->st, &job->e);
	}
	job_free(job);
}

static void closed(struct cp_job *job)
{
	if (--job->pending)
		return;
	if (job->direct_failed) {	/* the file system wants no O_DIRECT: once more without */
		job->direct_failed = job->direct = job->data_over = job->no_more = false;
		job->err = 0;
		open_both(job);
		return;
	}
	finish(job);
}

static void src_closed(struct cp_op *op, int res)
{
	closed(JOB_OF(op, src_op));	/* nothing was written through it: no error of it matters */
}

static void dst_closed(struct cp_op *op, int res)
{
	struct cp_job *job = JOB_OF(op, dst_op);

	if (res < 0)
		cp_job_fail(job, res, "close");
	closed(job);
}

static void close_slot(struct cp_job *job, int slot, struct cp_op *op, void (*done)(struct cp_op *, int))
{
	struct cp_pump *p = &job->cp->pump;
	struct ringd_sqe *sqe = cp_pump_sqe(p);

	if (!sqe)
		return;
	ringd_prep_close_direct(sqe, (unsigned int)slot);
	cp_pump_arm(p, sqe, op, done);
	job->pending++;
}

static void close_files(struct cp_job *job)
{
	job->pending = 1;
	if (job->src_open)
		close_slot(job, cp_job_src_slot(job), &job->src_op, src_closed);
	if (job->dst_open)
		close_slot(job, cp_job_dst_slot(job), &job->dst_op, dst_closed);
	job->src_open = job->dst_open = false;
	closed(job);
}

static void synced(struct cp_op *op, int res)
{
	struct cp_job *job = JOB_OF(op, dst_op);

	if (res < 0)
		cp_job_fail(job, res, "fsync");
	close_files(job);
}

/* All data is written, nothing will touch the times any more: metadata, so that the sync takes it along. */
static void complete(struct cp_job *job)
{
	struct cp_pump *p = &job->cp->pump;
	struct ringd_sqe *sqe;
	const char *what;
	int r = job->err ? 0 : finish_meta(job, &what);

	if (r < 0)
		cp_job_fail(job, r, what);
	if (job->err || !job->cp->o.fsync) {
		close_files(job);
		return;
	}
	sqe = cp_pump_sqe(p);
	if (!sqe)
		return;
	ringd_prep_fsync(sqe, cp_job_dst_slot(job), 0);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	cp_pump_arm(p, sqe, &job->dst_op, synced);
}

static void truncated(struct cp_op *op, int res)
{
	struct cp_job *job = JOB_OF(op, dst_op);

	if (res < 0)
		cp_job_fail(job, res, "cannot set the size");
	complete(job);
}

void cp_job_data_done(struct cp_job *job)
{
	struct cp_pump *p = &job->cp->pump;
	struct ringd_sqe *sqe;
	off_t size = job->st.st_size;

	job->data_over = true;
	if (job->cp->mode == CP_VERIFY || job->err) {
		close_files(job);
		return;
	}
	if (job->stream)
		size = RD_MAX(job->written_end, job->eof);
	else if (job->eof >= 0 && job->eof < size)
		size = job->eof;
	if (size == job->written_end && !job->cp->o.preallocate) {
		complete(job);
		return;
	}
	sqe = cp_pump_sqe(p);
	if (!sqe)
		return;
	ringd_prep_ftruncate(sqe, cp_job_dst_slot(job), size);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	cp_pump_arm(p, sqe, &job->dst_op, truncated);
}

void cp_job_abandon(struct cp_job *job)
{
	remove_created(job);
	job_free(job);
}

bool cp_job_piece(struct cp_job *job, unsigned int max, off_t *off, unsigned int *len)
{
	while (job->start >= job->end) {
		if (job->no_more || !cp_extents_next(&job->extents, &job->start, &job->end)) {
			job->no_more = true;
			return false;
		}
	}
	*off = job->start;
	*len = (unsigned int)RD_MIN(job->end - job->start, (off_t)max);
	job->start += *len;
	return true;
}
