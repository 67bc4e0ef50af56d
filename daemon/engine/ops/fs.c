/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on names. STATX: resolve with O_PATH, look where it led, then ask that very object. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "ops.h"
#include "path.h"
#include "../rsrc/stage.h"

#define RD_STATX_FLAGS	(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)
#define RD_STATX_RESERVED 0x80000000u	/* of the mask */

int rd_statx_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_statx *sx = &req->statx;

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	if (sqe->flags & RINGD_SQE_FIXED_FILE)
		return -EBADF;
	sx->dirfd = sqe->fd;
	sx->flags = sqe->statx_flags;
	sx->mask = sqe->len;
	sx->buf = (void *)(uintptr_t)sqe->addr2;	/* the client's address; ours from issue on */
	sx->at_mem = NULL;
	return rd_path_copy(&sx->path, req, sqe->addr, sx->flags & AT_EMPTY_PATH);
}

static int statx_start(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_statx *sx = &req->statx;
	struct rd_mem *owner = NULL;

	if (sx->mask & RD_STATX_RESERVED || sx->flags & ~(uint32_t)RD_STATX_FLAGS ||
	    (sx->flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	sx->buf = host->ops->map(host, (uintptr_t)sx->buf, sizeof(struct statx), &req->mem);
	if (!sx->buf && !rd_at_home(req))
		return -EFAULT;
	sx->at = rd_path_at(req, sx->dirfd, sx->path, 0, &owner);
	if (sx->at < 0 && sx->at != AT_FDCWD)
		return sx->at;
	sx->at_mem = rd_mem_get(owner);
	return 0;
}

int rd_statx(struct rd_req *req, unsigned int issue_flags)
{
	int r = statx_start(req);

	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	return RD_PUNT;
}

void rd_statx_work(struct rd_req *req)
{
	const struct rd_statx *sx = &req->statx;
	int sync = (int)(sx->flags & AT_STATX_SYNC_TYPE), at = sx->at;
	RD_CLOSE int fd = -1;

	if (rd_at_home(req)) {
		req->res = syscall(SYS_statx, at, sx->path, sx->flags, sx->mask, sx->buf) < 0 ? -errno : 0;
		return;
	}
	if (sx->path[0]) {
		struct open_how how = { .flags = O_PATH | (sx->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0) };

		fd = at = rd_path_open(at, sx->path, &how);
		if (fd < 0) {
			req->res = fd;
			return;
		}
	}
	req->res = statx(at, "", AT_EMPTY_PATH | sync, sx->mask, sx->buf) < 0 ? -errno : 0;
}

void rd_statx_cleanup(struct rd_req *req)
{
	struct rd_statx *sx = &req->statx;

	sx->path = rd_stage_free(sx->path);
	sx->at_mem = rd_mem_put(sx->at_mem);
}
