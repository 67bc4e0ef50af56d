/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PIPE and FIXED_FD_INSTALL: descriptors for the client that no worker has to make. A pipe goes into two slots or to the
 * client as two descriptors; when any part of that fails, nothing of it stays.
 */
#include <fcntl.h>

#include "daemon/common/privatefd.h"
#include "ops.h"

#define RD_PIPE_FLAGS	((uint32_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL))	/* O_EXCL: O_NOTIFICATION_PIPE */

int rd_pipe_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_pipeop *p = &req->pipe;

	if (sqe->fd || sqe->off || sqe->addr3)
		return -EINVAL;
	if (sqe->pipe_flags & ~RD_PIPE_FLAGS)
		return -EINVAL;
	if (sqe->file_index && (sqe->pipe_flags & O_CLOEXEC))
		return -EINVAL;		/* a slot is not inherited by anybody */
	p->addr = sqe->addr;
	p->file_index = sqe->file_index;
	p->flags = sqe->pipe_flags;
	p->slots[0] = p->slots[1] = -1;
	return 0;
}

/* Both ends as files, or none. */
static int make_pipe(struct rd_req *req, struct rd_file *files[2])
{
	struct rd_engine *engine = req->ctx->engine;
	int fds[2], r;

	if (pipe2(fds, (int)req->pipe.flags | O_CLOEXEC) < 0)
		return -errno;
	if (req->pipe.file_index) {
		fds[0] = rd_private_fd(fds[0]);
		fds[1] = rd_private_fd(fds[1]);
	}
	r = rd_file_new(&files[0], engine, fds[0]);
	if (r < 0) {
		rd_close(fds[0]);
		rd_close(fds[1]);
		return r;
	}
	r = rd_file_new(&files[1], engine, fds[1]);
	if (r < 0) {
		rd_file_put(files[0]);
		rd_close(fds[1]);
	}
	return r;
}

/* Those the table still has: while the client was being told it may have got another one, or the ring have ended. */
static void empty_slots(struct rd_req *req)
{
	struct rd_filetable *t = &req->ctx->files;

	for (int i = 0; i < 2; i++) {
		struct rd_file *file = NULL;

		if (req->pipe.slots[i] >= 0 && (uint32_t)req->pipe.slots[i] < t->nr)
			file = rd_filetable_swap(t, (uint32_t)req->pipe.slots[i], NULL);
		if (file)
			rd_file_put(file);
		req->pipe.slots[i] = -1;
	}
}

/* Takes the reference over. */
static int fill_slot(struct rd_req *req, int end, struct rd_file *file)
{
	uint32_t index = req->pipe.file_index;
	bool any = index == RINGD_FILE_INDEX_ALLOC;
	int r;

	if (!any)
		index += (uint32_t)end;
	r = rd_filetable_install(&req->ctx->files, index, file);
	if (r < 0)
		rd_file_put(file);
	else
		req->pipe.slots[end] = any ? r : (int)index - 1;
	return r;
}

static int pipe_into_slots(struct rd_req *req)
{
	const struct rd_filetable *t = &req->ctx->files;
	struct rd_host *host = req->ctx->host;
	struct rd_newfds new = { .addr = req->pipe.addr };
	struct rd_file *files[2];
	int r;

	/* before the first slot loses what it has */
	if (req->pipe.file_index != RINGD_FILE_INDEX_ALLOC && t->slots && req->pipe.file_index >= t->nr)
		return req->res = -EINVAL, RD_DONE;
	req->res = make_pipe(req, files);
	if (req->res < 0)
		return RD_DONE;
	req->res = fill_slot(req, 0, files[0]);
	if (req->res < 0) {
		rd_file_put(files[1]);
		return RD_DONE;
	}
	req->res = fill_slot(req, 1, files[1]);
	if (req->res < 0) {
		empty_slots(req);
		return RD_DONE;
	}
	new.numbers[0] = req->pipe.slots[0];
	new.numbers[1] = req->pipe.slots[1];
	r = host->ops->install(host, req, &new);
	if (r == RD_DONE && req->res < 0)
		empty_slots(req);
	return r;
}

int rd_pipe_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_newfds new = { .n = 2, .cloexec = req->pipe.flags & O_CLOEXEC, .addr = req->pipe.addr };

	if (req->pipe.file_index)
		return pipe_into_slots(req);
	req->res = host->ops->can_install(host);
	if (req->res == 0)
		req->res = make_pipe(req, new.files);
	return req->res < 0 ? RD_DONE : host->ops->install(host, req, &new);
}

int rd_pipe_cancel(struct rd_req *req)
{
	int r = rd_install_cancel(req);

	if (r == 0)
		empty_slots(req);
	return r;
}

int rd_install_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->len || sqe->buf_index || sqe->splice_fd_in || sqe->addr3)
		return -EINVAL;
	if (!(sqe->flags & RINGD_SQE_FIXED_FILE))
		return -EBADF;
	if (sqe->install_fd_flags & ~RINGD_FIXED_FD_NO_CLOEXEC)
		return -EINVAL;
	if (sqe->personality)
		return -EPERM;		/* the descriptor would be its, the file is not */
	req->install.flags = sqe->install_fd_flags;
	return 0;
}

/* The slot keeps its file, and the client's descriptor is one more of it. */
int rd_install_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_newfds new = { .n = 1, .cloexec = !(req->install.flags & RINGD_FIXED_FD_NO_CLOEXEC) };

	req->res = host->ops->can_install(host);
	if (req->res < 0)
		return RD_DONE;
	rd_file_share(req->file);
	new.files[0] = rd_file_get(req->file);
	return host->ops->install(host, req, &new);
}
