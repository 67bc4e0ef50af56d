/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SETXATTR, FSETXATTR, GETXATTR, FGETXATTR. A value to be set is copied when the SQE is read, one that is asked for is put by
 * the kernel where the client wants it. Those with a path open what it leads to; no call of all kernels in use takes such
 * a descriptor but by the name that procfs has for it.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

#include "ops.h"
#include "path.h"
#include "../rsrc/stage.h"

/* The client's memory is not there: the kernel may say so, once it knows that nothing else is wrong. */
#define RD_NOWHERE	((void *)UINTPTR_MAX)

/* The name, with room for more of the client's input before it. */
static int copy_name(struct rd_req *req, uint64_t addr, size_t before)
{
	struct rd_host *host = req->ctx->host;
	struct rd_xattr *xa = &req->xattr;
	char name[XATTR_NAME_MAX + 1];
	ssize_t n = host->ops->copy_str(host, name, addr, sizeof(name));
	void *block;
	int r;

	if (n == 0 || n == -ENAMETOOLONG)
		return -ERANGE;
	if (n < 0)
		return (int)n;
	r = rd_stage_new(&block, &req->ctx->engine->user, before + (size_t)n + 1);
	if (r < 0)
		return r;
	xa->block = block;
	xa->name = memcpy(xa->block + before, name, (size_t)n + 1);
	return 0;
}

static int set_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_host *host = req->ctx->host;
	struct rd_xattr *xa = &req->xattr;
	int r;

	*xa = (struct rd_xattr){ .flags = sqe->xattr_flags, .len = sqe->len, .at = AT_FDCWD };
	if (sqe->xattr_flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (sqe->len > XATTR_SIZE_MAX)
		return -E2BIG;
	r = copy_name(req, sqe->addr, sqe->len);
	if (r == 0 && sqe->len)
		r = host->ops->copy_in(host, xa->block, sqe->addr2, sqe->len);
	xa->value = xa->block;
	req->ctx->moved += sqe->len;
	if (r < 0)
		rd_xattr_cleanup(req);
	return r;
}

static int get_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_xattr *xa = &req->xattr;

	/* no value is longer: what the kernel does not write need not be there */
	*xa = (struct rd_xattr){ .len = RD_MIN(sqe->len, XATTR_SIZE_MAX), .at = AT_FDCWD };
	if (sqe->xattr_flags)
		return -EINVAL;
	xa->value = (void *)(uintptr_t)sqe->addr2;	/* the client's address; ours from issue on */
	return copy_name(req, sqe->addr, 0);
}

static int path_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = rd_path_copy(&req->xattr.path, req, sqe->addr3, false);

	if (r < 0)
		rd_xattr_cleanup(req);
	return r;
}

int rd_fsetxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return set_prep(req, sqe);
}

int rd_fgetxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return get_prep(req, sqe);
}

int rd_setxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = sqe->flags & RINGD_SQE_FIXED_FILE ? -EBADF : set_prep(req, sqe);

	return r < 0 ? r : path_prep(req, sqe);
}

int rd_getxattr_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = sqe->flags & RINGD_SQE_FIXED_FILE ? -EBADF : get_prep(req, sqe);

	return r < 0 ? r : path_prep(req, sqe);
}

void rd_xattr_cleanup(struct rd_req *req)
{
	struct rd_xattr *xa = &req->xattr;

	xa->block = rd_stage_free(xa->block);
	xa->path = rd_stage_free(xa->path);
	xa->at_mem = rd_mem_put(xa->at_mem);
}

/* Where the path starts. False: the request is finished. */
static bool find_start(struct rd_req *req)
{
	struct rd_xattr *xa = &req->xattr;
	struct rd_mem *owner = NULL;

	if (!xa->path)
		return true;
	xa->at = rd_path_at(req, AT_FDCWD, xa->path, 0, &owner);
	if (xa->at < 0 && xa->at != AT_FDCWD) {
		req->res = xa->at;
		return false;
	}
	xa->at_mem = rd_mem_get(owner);
	return true;
}

int rd_setxattr(struct rd_req *req, unsigned int issue_flags)
{
	return find_start(req) ? RD_PUNT : RD_DONE;
}

int rd_getxattr(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_xattr *xa = &req->xattr;

	if (xa->len) {
		xa->value = host->ops->map(host, (uintptr_t)xa->value, xa->len, &req->mem);
		if (!xa->value)
			xa->value = RD_NOWHERE;
	}
	return find_start(req) ? RD_PUNT : RD_DONE;
}

/* --- worker --- */

/* Open what the path leads to, and write down how it can be named. Its descriptor, or -errno. */
static int open_named(const struct rd_req *req, char path[RD_PATH_FD])
{
	const struct open_how how = { .flags = O_PATH };
	int fd = rd_path_open(req->xattr.at, req->xattr.path, &how);

	if (fd >= 0)
		rd_path_fd(path, fd);
	return fd;
}

/* The name of a descriptor that is open can only be missing where there is no procfs. */
static int32_t named_result(ssize_t n)
{
	if (n >= 0)
		return (int32_t)n;
	return errno == ENOENT ? -EOPNOTSUPP : -errno;
}

void rd_setxattr_work(struct rd_req *req)
{
	const struct rd_xattr *xa = &req->xattr;
	char path[RD_PATH_FD];
	RD_CLOSE int fd = -1;

	if (rd_at_home(req)) {
		req->res = setxattr(xa->path, xa->name, xa->value, xa->len, (int)xa->flags) < 0 ? -errno : 0;
		return;
	}
	fd = open_named(req, path);
	req->res = fd < 0 ? fd : named_result(setxattr(path, xa->name, xa->value, xa->len, (int)xa->flags));
}

void rd_getxattr_work(struct rd_req *req)
{
	const struct rd_xattr *xa = &req->xattr;
	char path[RD_PATH_FD];
	RD_CLOSE int fd = -1;

	if (rd_at_home(req)) {
		ssize_t n = getxattr(xa->path, xa->name, xa->value, xa->len);

		req->res = n < 0 ? -errno : (int32_t)n;
		return;
	}
	fd = open_named(req, path);
	req->res = fd < 0 ? fd : named_result(getxattr(path, xa->name, xa->value, xa->len));
}

void rd_fsetxattr_work(struct rd_req *req)
{
	const struct rd_xattr *xa = &req->xattr;

	req->res = fsetxattr(req->file->fd, xa->name, xa->value, xa->len, (int)xa->flags) < 0 ? -errno : 0;
}

void rd_fgetxattr_work(struct rd_req *req)
{
	const struct rd_xattr *xa = &req->xattr;
	ssize_t n = fgetxattr(req->file->fd, xa->name, xa->value, xa->len);

	req->res = n < 0 ? -errno : (int32_t)n;
}
