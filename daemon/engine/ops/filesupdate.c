/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FILES_UPDATE: slots of the ring's own file table are filled with descriptors of the client, as REGISTER_FILES_UPDATE does it.
 * A table may have a million slots: a long list is gone through in parts, and the reactor sees to others in between.
 */
#include <string.h>

#include "ops.h"
#include "../rsrc/stage.h"

#define RD_UPDATE_PART	1024u	/* entries in one go */
#define RD_UPDATE_BYTES	64u	/* an entry counts as so many bytes copied: long lists end the visit */
#define RD_FD_NONE	(-1)	/* empties the slot */

/* The next n entries. */
static bool copy_entries(struct rd_req *req, uint64_t addr, uint32_t n)
{
	struct rd_host *host = req->ctx->host;
	struct rd_files_update *up = &req->update;
	uint64_t off = up->readable * sizeof(*up->fds);

	if (host->ops->copy_in(host, &up->fds[up->readable], addr + off, n * sizeof(*up->fds)) < 0)
		return false;
	up->readable += n;
	return true;
}

/* As much of the list as can be read, from its start: the rest is a fault, but only when its turn comes. */
static void copy_list(struct rd_req *req, uint64_t addr)
{
	struct rd_files_update *up = &req->update;
	uint32_t n, i;

	while (up->readable < up->nr) {
		n = RD_MIN(up->nr - up->readable, RD_UPDATE_PART);
		if (copy_entries(req, addr, n))
			continue;
		/* not there as a whole: it ends, or goes on in the next arena */
		for (i = 0; i < n && copy_entries(req, addr, 1); i++)
			continue;
		if (i < n)
			return;
	}
}

int rd_files_update_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_files_update *up = &req->update;
	void *block;
	int r;

	*up = (struct rd_files_update){ .nr = sqe->len, .slot = (uint32_t)sqe->off, .addr = sqe->addr };
	if (sqe->rw_flags || sqe->splice_fd_in || (sqe->flags & RINGD_SQE_FIXED_FILE) || !sqe->len)
		return -EINVAL;
	if (up->nr > RINGD_MAX_FIXED_FILES) {	/* longer than any table */
		if (up->slot != RINGD_FILE_INDEX_ALLOC)
			return 0;	/* refused when it is looked at, and not copied for it */
		up->nr = RINGD_MAX_FIXED_FILES;
	}
	r = rd_stage_new(&block, &req->ctx->engine->user, up->nr * sizeof(*up->fds));
	if (r < 0)
		return r;
	up->fds = block;
	copy_list(req, sqe->addr);
	req->ctx->moved += up->readable * sizeof(*up->fds);
	return 0;
}

void rd_files_update_cleanup(struct rd_req *req)
{
	req->update.fds = rd_stage_free(req->update.fds);
}

/* Rings cannot be in a table: they would keep themselves alive. */
static int find_file(struct rd_req *req, int fd, struct rd_file **ret)
{
	struct rd_host *host = req->ctx->host;
	struct rd_ctx *ring;

	if (rd_at_home(req) && host->ops->ring(host, fd, &ring) == 0)
		return -EBADF;
	return rd_host_keep(host, fd, ret);
}

/* One entry of the list into the slot it is for. */
static int update_slot(struct rd_req *req, uint32_t i)
{
	struct rd_filetable *t = &req->ctx->files;
	uint32_t slot = req->update.slot + i;
	struct rd_file *file = NULL;
	int fd = req->update.fds[i], r = 0;

	if (fd == RINGD_REGISTER_FILES_SKIP)
		return 0;
	if (slot >= t->nr)
		return -EINVAL;		/* the table has changed meanwhile */
	if (fd != RD_FD_NONE)
		r = find_file(req, fd, &file);
	/* a bad descriptor empties the slot all the same, as in io_uring */
	file = rd_filetable_swap(t, slot, file);
	if (file)
		rd_file_put(file);
	return r;
}

/* One entry of the list into any free slot, whose number replaces it. */
static int alloc_slot(struct rd_req *req, uint32_t i)
{
	struct rd_host *host = req->ctx->host;
	struct rd_filetable *t = &req->ctx->files;
	struct rd_file *file;
	int r, slot;

	r = find_file(req, req->update.fds[i], &file);
	if (r < 0)
		return r;
	slot = rd_filetable_install(t, RINGD_FILE_INDEX_ALLOC, file);
	if (slot < 0) {
		rd_file_put(file);
		return slot;
	}
	r = host->ops->copy_out(host, req->update.addr + i * sizeof(slot), &slot, sizeof(slot));
	if (r < 0)
		rd_file_put(rd_filetable_swap(t, (uint32_t)slot, NULL));
	return r;
}

static int update_next(struct rd_req *req)
{
	struct rd_files_update *up = &req->update;

	if (up->done >= up->readable)
		return -EFAULT;
	return up->slot == RINGD_FILE_INDEX_ALLOC ? alloc_slot(req, up->done) : update_slot(req, up->done);
}

/* Go through the next part. RD_PUNT: there is more. */
static int update_part(struct rd_req *req)
{
	struct rd_files_update *up = &req->update;
	int r = 0;

	for (unsigned int n = 0; r == 0 && up->done < up->nr; n++) {
		if (n == RD_UPDATE_PART)
			return RD_PUNT;
		req->ctx->moved += RD_UPDATE_BYTES;
		r = update_next(req);
		if (r == 0)
			up->done++;
	}
	req->res = up->done ? (int32_t)up->done : r;
	return RD_DONE;
}

int rd_files_update(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_files_update *up = &req->update;
	const struct rd_filetable *t = &req->ctx->files;

	req->res = 0;
	if (!t->slots)
		req->res = -ENXIO;
	else if (!up->fds || (up->slot != RINGD_FILE_INDEX_ALLOC && (up->slot > t->nr || up->nr > t->nr - up->slot)))
		req->res = -EINVAL;
	return req->res < 0 ? RD_DONE : update_part(req);
}

/* There and back: what else the reactor has to do comes in between. */
void rd_files_update_work(struct rd_req *req)
{
	(void)req;
}

int rd_files_update_finish(struct rd_req *req)
{
	return update_part(req);
}
