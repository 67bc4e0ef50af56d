/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSG_RING. All rings of an engine belong to one thread, so a message is a CQE that is posted there and then; only on a ring
 * whose completions wait for its client (DEFER_TASKRUN) it becomes a task of that ring, carried by a request of its own.
 */
#include <fcntl.h>

#include "daemon/common/privatefd.h"
#include "ops.h"
#include "../request/opdef.h"

int rd_msgring_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_msgring *msg = &req->msg;

	if (sqe->buf_index || sqe->personality)
		return -EINVAL;
	if (sqe->msg_ring_flags & ~(RINGD_MSG_RING_CQE_SKIP | RINGD_MSG_RING_FLAGS_PASS))
		return -EINVAL;
	*msg = (struct rd_msgring){
		.user_data = sqe->off, .cmd = sqe->addr, .src_slot = sqe->addr3, .len = sqe->len,
		.file_index = sqe->file_index, .flags = sqe->msg_ring_flags, .fd = sqe->fd,
	};
	return 0;
}

/* A living ring. Whether it has been started is looked at after the command. */
static int find_target(struct rd_host *host, int fd, struct rd_ctx **ret)
{
	int r = host->ops->ring(host, fd, ret);

	if (r < 0)
		return r;
	return (*ret)->dying ? -EBADFD : 0;
}

/* Not as the carrier's own CQE: the flags are the sender's, whatever they mean to us. */
static void message_arrives(struct rd_req *carrier)
{
	rd_ctx_post(carrier->ctx, carrier->user_data, carrier->res, carrier->cflags);
	rd_req_done(carrier);
}

/* The message waits on its ring for the client. */
static bool post_later(struct rd_ctx *ctx, uint64_t user_data, int32_t res, uint32_t flags)
{
	const struct rd_user *user = &ctx->engine->user;
	struct rd_req *carrier;

	if (user->used[RINGD_LIMIT_INFLIGHT] >= user->limit[RINGD_LIMIT_INFLIGHT])
		return false;
	carrier = rd_req_alloc(ctx);
	if (!carrier)
		return false;
	rd_req_init(carrier, RINGD_OP_MSG_RING, user_data);
	carrier->res = res;
	carrier->cflags = flags;
	carrier->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	carrier->outcome = RD_OUT_GOOD;
	ctx->engine->stats.submitted++;		/* it will be counted as completed */
	rd_req_enlist(carrier);
	rd_req_task(carrier, message_arrives);
	return true;
}

/* own: the sender's ring, which posts what it submits itself at once. */
static bool post(struct rd_ctx *target, const struct rd_ctx *own, uint64_t user_data, int32_t res, uint32_t flags)
{
	if (target->lazy && target != own)
		return post_later(target, user_data, res, flags);
	if (!rd_ctx_post(target, user_data, res, flags))
		return false;
	/* who sees the sender's CQE finds the message */
	if (target != own)
		target->show(target);
	return true;
}

static int send_data(struct rd_ctx *target, const struct rd_ctx *own, const struct rd_msgring *msg)
{
	bool pass = msg->flags & RINGD_MSG_RING_FLAGS_PASS;

	if (msg->src_slot || msg->flags & ~RINGD_MSG_RING_FLAGS_PASS)
		return -EINVAL;
	if (!pass && msg->file_index)
		return -EINVAL;
	if (target->disabled)
		return -EBADFD;
	if (!post(target, own, msg->user_data, (int32_t)msg->len, pass ? msg->file_index : 0))
		return -EOVERFLOW;
	return 0;
}

/* A file of its own for the target: each slot has its tag, and is closed when its own users are gone. */
static int duplicate(struct rd_ctx *ctx, uint64_t slot, struct rd_file **ret)
{
	struct rd_file *file = slot > UINT32_MAX ? NULL : rd_filetable_get(&ctx->files, (uint32_t)slot);
	struct rd_charge room;
	int fd, r;

	if (!file)
		return -EBADF;
	/* looked at first: even to close a duplicate a FUSE server is asked, so once it is there nothing may be missing */
	r = rd_charge_take(&room, &ctx->engine->user, RINGD_LIMIT_FILES, 1);
	if (r < 0)
		return r;
	rd_charge_give(&room);
	fd = rd_private_dup(file->fd);
	if (fd < 0)
		return -errno;
	r = rd_file_new(ret, ctx->engine, fd);
	if (r < 0)
		rd_close(fd);
	return r;
}

static int send_fd(struct rd_ctx *target, struct rd_ctx *own, const struct rd_msgring *msg)
{
	struct rd_file *file;
	int r, slot;

	if (msg->len || target == own)
		return -EINVAL;
	if (target->disabled)
		return -EBADFD;
	r = duplicate(own, msg->src_slot, &file);
	if (r < 0)
		return r;
	slot = rd_filetable_install(&target->files, msg->file_index, file);
	if (slot < 0) {
		rd_file_put(file);
		return slot;
	}
	if (msg->flags & RINGD_MSG_RING_CQE_SKIP)
		return slot;
	return post(target, own, msg->user_data, slot, 0) ? slot : -EOVERFLOW;
}

/* Rings cannot be in the file table: a slot is never one. */
static int not_a_ring(const struct rd_req *req)
{
	return rd_filetable_get(&req->ctx->files, (uint32_t)req->msg.fd) ? -EBADFD : -EBADF;
}

int rd_msgring_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_msgring *msg = &req->msg;
	struct rd_ctx *target;
	int r = req->flags & RINGD_SQE_FIXED_FILE ? not_a_ring(req) : find_target(req->ctx->host, msg->fd, &target);

	if (r == 0 && msg->cmd == RINGD_MSG_DATA)
		r = send_data(target, req->ctx, msg);
	else if (r == 0 && msg->cmd == RINGD_MSG_SEND_FD)
		r = send_fd(target, req->ctx, msg);
	else if (r == 0)
		r = -EINVAL;
	req->res = r;
	return RD_DONE;
}

int rd_msgring_sync(struct rd_host *host, const struct ringd_sqe *sqe)
{
	struct rd_req req = { 0 };
	struct rd_ctx *target;
	int r;

	if (sqe->flags || sqe->opcode != RINGD_OP_MSG_RING)
		return -EINVAL;
	r = rd_msgring_prep(&req, sqe);
	if (r == 0 && req.msg.cmd != RINGD_MSG_DATA)
		r = -EINVAL;
	if (r == 0)
		r = find_target(host, req.msg.fd, &target);
	return r < 0 ? r : send_data(target, NULL, &req.msg);
}
