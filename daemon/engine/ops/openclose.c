/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OPENAT, OPENAT2, CLOSE. An open is prepared and installed on the owner thread and done on a worker; in between the
 * files budget is charged by the request. A descriptor that nobody wants any more is closed on a worker like any other.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "daemon/common/privatefd.h"
#include "ops.h"
#include "path.h"
#include "../rsrc/stage.h"

#define RD_HOW_MIN	24u	/* struct open_how as it was born */
#define RD_HOW_MAX	4096u	/* no larger one is looked at */
/* what open(2) knows; it ignores the rest. O_LARGEFILE (0 in our C library) is implied on 64 bit. */
#define RD_OPEN_FLAGS	((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | \
			 O_ASYNC | O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE))
#define RD_PATH_FLAGS	((uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
#define RD_TMPFILE_BIT	((uint64_t)(O_TMPFILE & ~O_DIRECTORY))

/* What both have in common; open.flags, mode and resolve are set. */
static int open_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_open *open = &req->open;
	int r;

	if (sqe->buf_index)
		return -EINVAL;
	if (sqe->flags & RINGD_SQE_FIXED_FILE)
		return -EBADF;
	open->dirfd = sqe->fd;
	open->file_index = sqe->file_index;
	open->fd = -1;
	open->charge.user = NULL;
	r = rd_path_copy(&open->path, req, sqe->addr, false);
	if (r < 0)
		return r;
	if (open->file_index && (open->flags & O_CLOEXEC)) {
		rd_stage_free(open->path);	/* a slot is not inherited by anybody */
		return -EINVAL;
	}
	return 0;
}

int rd_openat_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_open *open = &req->open;

	open->flags = sqe->open_flags & RD_OPEN_FLAGS;
	if (open->flags & O_PATH)
		open->flags &= RD_PATH_FLAGS;
	open->mode = open->flags & (O_CREAT | RD_TMPFILE_BIT) ? sqe->len & 07777 : 0;
	open->resolve = 0;
	return open_prep(req, sqe);
}

int rd_openat2_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_host *host = req->ctx->host;
	struct rd_open *open = &req->open;
	char raw[RD_HOW_MAX];
	struct open_how how;
	int r;

	_Static_assert(sizeof(how) == RD_HOW_MIN, "later members would need a look");
	if (sqe->len < RD_HOW_MIN)
		return -EINVAL;
	if (sqe->len > RD_HOW_MAX)
		return -E2BIG;
	r = host->ops->copy_in(host, raw, sqe->addr2, sqe->len);
	if (r < 0)
		return r;
	for (uint32_t i = RD_HOW_MIN; i < sqe->len; i++) {
		if (raw[i])
			return -E2BIG;	/* members we do not know, in use */
	}
	memcpy(&how, raw, sizeof(how));
	open->flags = how.flags;
	open->mode = how.mode;
	open->resolve = how.resolve;
	return open_prep(req, sqe);
}

static int open_raw(const struct rd_open *open, int at, uint64_t resolve, uint64_t flags)
{
	struct open_how how = { .flags = open->flags | flags, .mode = open->mode, .resolve = open->resolve | resolve };
	long fd = syscall(SYS_openat2, at, open->path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/*
 * In the client's own process: what the kernel knows without asking a disk is opened at once, as the kernel's ring does it, FIFOs
 * without waiting included. -EAGAIN: a worker opens it.
 */
static int open_cached(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_open *open = &req->open;
	bool waits = !(open->flags & (O_NONBLOCK | O_PATH));
	int fd;

	if (!(issue_flags & RD_INLINE) || (req->flags & RINGD_SQE_ASYNC) || (open->flags & (O_CREAT | O_TRUNC | RD_TMPFILE_BIT)))
		return -EAGAIN;
	fd = open_raw(open, open->dirfd, RESOLVE_CACHED, waits ? O_NONBLOCK : 0);
	if (fd == -EINVAL)	/* kernels before 5.12 do not know it */
		return -EAGAIN;
	if (fd >= 0 && waits)
		(void)fcntl(fd, F_SETFL, (int)open->flags & ~O_ACCMODE);
	return fd;
}

static int open_home(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_open *open = &req->open;
	int r;

	open->fd = open_cached(req, issue_flags);
	req->res = RD_MIN(open->fd, 0);
	if (open->fd != -EAGAIN)
		return rd_open_finish(req);
	open->fd = -1;
	r = open->at = rd_path_at(req, open->dirfd, open->path, open->resolve, &req->mem);
	if (r >= 0 || r == AT_FDCWD)
		return RD_PUNT;
	req->res = r;
	return RD_DONE;
}

int rd_open(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_open *open = &req->open;
	int r;

	if (rd_at_home(req))
		return open_home(req, issue_flags);
	/* before the file is touched: it could not be handed over */
	r = open->file_index ? 0 : host->ops->can_install(host);
	if (r == 0)
		r = open->at = rd_path_at(req, open->dirfd, open->path, open->resolve, &req->mem);
	if (r >= 0 || r == AT_FDCWD)
		r = rd_charge_take(&open->charge, &req->ctx->engine->user, RINGD_LIMIT_FILES, 1);
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	return RD_PUNT;
}

void rd_open_work(struct rd_req *req)
{
	struct rd_open *open = &req->open;
	struct open_how how = { .flags = open->flags, .mode = open->mode, .resolve = open->resolve };

	open->fd = rd_at_home(req) ? open_raw(open, open->at, 0, 0) : rd_path_open(open->at, open->path, &how);
	req->res = RD_MIN(open->fd, 0);
}

/* close() may sleep: as a file it goes to a worker for it. */
static void drop_fd(struct rd_engine *engine, int fd)
{
	struct rd_file *file;

	if (rd_file_new(&file, engine, fd) == 0)
		rd_file_put(file);
	else
		rd_close(fd);
}

static int install_slot(struct rd_req *req, int fd)
{
	struct rd_ctx *ctx = req->ctx;
	struct rd_file *file;
	int r;

	fd = rd_private_fd(fd);
	r = rd_file_new(&file, ctx->engine, fd);
	if (r < 0) {
		rd_close(fd);
		return r;
	}
	r = rd_filetable_install(&ctx->files, req->open.file_index, file);
	if (r < 0)
		rd_file_put(file);
	return r;
}

static int install_fd(struct rd_req *req, int fd)
{
	struct rd_host *host = req->ctx->host;
	struct rd_newfds new = { .n = 1, .cloexec = req->open.flags & O_CLOEXEC };

	if (rd_at_home(req)) {
		req->res = fd;
		return RD_DONE;
	}
	req->res = rd_file_new(&new.files[0], req->ctx->engine, fd);
	if (req->res == 0)
		return host->ops->install(host, req, &new);
	rd_close(fd);
	return RD_DONE;
}

int rd_open_finish(struct rd_req *req)
{
	struct rd_open *open = &req->open;

	rd_charge_give(&open->charge);	/* from here on the file itself pays */
	if (open->fd < 0)
		return RD_DONE;
	if (!open->file_index)
		return install_fd(req, rd_steal_fd(&open->fd));
	req->res = install_slot(req, rd_steal_fd(&open->fd));
	return RD_DONE;
}

/* Waits for room to tell the client of its descriptor. */
int rd_install_cancel(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;

	return host->ops->install_cancel(host, req);
}

void rd_open_cleanup(struct rd_req *req)
{
	struct rd_open *open = &req->open;

	rd_charge_give(&open->charge);
	open->path = rd_stage_free(open->path);
	/* opened, but the ring died before it could be installed */
	if (open->fd >= 0)
		drop_fd(req->ctx->engine, open->fd);
	open->fd = -1;
}

int rd_close_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->len || sqe->rw_flags || sqe->buf_index)
		return -EINVAL;
	if (sqe->flags & RINGD_SQE_FIXED_FILE)
		return -EBADF;
	if (sqe->file_index && sqe->fd)
		return -EINVAL;
	req->close.fd = sqe->fd;
	req->close.file_index = sqe->file_index;
	return 0;
}

static void slot_closed(void *arg, int res)
{
	struct rd_req *req = arg;

	req->res = res;
	rd_req_task(req, rd_req_done);
}

/* Empty a slot. The request waits for the descriptor's own close() when nothing else keeps that from happening. */
static int close_slot(struct rd_req *req, uint32_t slot)
{
	struct rd_filetable *t = &req->ctx->files;

	req->res = 0;
	if (!t->slots)
		req->res = -ENXIO;
	else if (slot >= t->nr)
		req->res = -EINVAL;
	else if (!t->slots[slot])
		req->res = -EBADF;
	else if (rd_file_put_notify(rd_filetable_swap(t, slot, NULL), slot_closed, req))
		return RD_PENDING;
	return RD_DONE;
}

int rd_close_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;

	if (req->close.file_index)
		return close_slot(req, req->close.file_index - 1);
	return host->ops->close(host, req, req->close.fd);
}
