/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FSYNC, SYNC_FILE_RANGE, FALLOCATE, FTRUNCATE: one system call each, always on a worker. */
#include <fcntl.h>

#include "ops.h"

static void sync_result(struct rd_req *req, int r)
{
	req->res = r < 0 ? -errno : 0;
}

int rd_fsync_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->addr || sqe->buf_index || sqe->splice_fd_in || sqe->fsync_flags & ~RINGD_FSYNC_DATASYNC ||
	    (int64_t)sqe->off < 0)
		return -EINVAL;
	req->sync.flags = sqe->fsync_flags;
	return 0;
}

/* A range is not passed on: there is no system call for it, and syncing the whole file is never less than was asked for. */
void rd_fsync_work(struct rd_req *req)
{
	int fd = req->file->fd;

	sync_result(req, req->sync.flags & RINGD_FSYNC_DATASYNC ? fdatasync(fd) : fsync(fd));
}

int rd_sync_range_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->addr || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.off = sqe->off;
	req->sync.len = sqe->len;
	req->sync.flags = sqe->sync_range_flags;
	return 0;
}

void rd_sync_range_work(struct rd_req *req)
{
	sync_result(req, sync_file_range(req->file->fd, (off64_t)req->sync.off, (off64_t)req->sync.len, req->sync.flags));
}

int rd_fallocate_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	req->sync.off = sqe->off;
	req->sync.len = sqe->addr;
	req->sync.flags = sqe->len;
	return 0;
}

void rd_fallocate_work(struct rd_req *req)
{
	sync_result(req, fallocate(req->file->fd, (int)req->sync.flags, (off_t)req->sync.off, (off_t)req->sync.len));
}

int rd_ftruncate_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->rw_flags || sqe->addr || sqe->len || sqe->buf_index || sqe->splice_fd_in || sqe->addr3)
		return -EINVAL;
	req->sync.len = sqe->off;
	return 0;
}

void rd_ftruncate_work(struct rd_req *req)
{
	sync_result(req, ftruncate(req->file->fd, (off_t)req->sync.len));
}
