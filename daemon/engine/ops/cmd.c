/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * URING_CMD: commands for a kind of file. Sockets and block devices have some, /dev/null takes any; what else the kernel
 * passes to its drivers (NVMe, ublk, FUSE ...) cannot be passed on from here. All that end by themselves are for workers: even to
 * ask a socket for an option takes its lock, which another user of it may hold for long.
 */
#include "ops.h"
#include "cmd.h"

int rd_cmd_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_cmd *cmd = &req->cmd;
	uint32_t flags = sqe->uring_cmd_flags;

	if (sqe->__pad1 || flags & ~RINGD_URING_CMD_MASK || flags == RINGD_URING_CMD_MASK)
		return -EINVAL;
	if (!(flags & RINGD_URING_CMD_MULTISHOT) != !(sqe->flags & RINGD_SQE_BUFFER_SELECT))
		return -EINVAL;
	*cmd = (struct rd_cmd){ .op = sqe->cmd_op, .flags = flags, .addr = sqe->addr, .len = sqe->len, .optlen = sqe->optlen,
				.addr3 = sqe->addr3, .buf_index = sqe->buf_index, .tail = sqe->__pad2[0] };
	return rd_cmd_socket_prep(req);
}

int rd_cmd128_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	return req->ctx->wide ? rd_cmd_prep(req, sqe) : -EINVAL;
}

int rd_cmd(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_cmd *cmd = &req->cmd;
	uint32_t kind = req->file->flags;
	int r;

	/* none of them wants buffers */
	if (!(kind & (RD_FILE_SOCK | RD_FILE_BLK | RD_FILE_NULL)) || (cmd->flags & RINGD_URING_CMD_MULTISHOT) ||
	    (req->ctx->setup_flags & RINGD_SETUP_IOPOLL))
		r = -EOPNOTSUPP;
	else if ((cmd->flags & RINGD_URING_CMD_FIXED) && !rd_buftable_get(&req->ctx->bufs, cmd->buf_index))
		r = -EFAULT;
	else if (kind & RD_FILE_SOCK)
		r = rd_cmd_socket_start(req);
	else if (kind & RD_FILE_BLK)
		r = rd_cmd_block_start(req);
	else
		r = 0;
	/* they end by themselves, and it is the client's own call */
	if (r == RD_PUNT && (kind & RD_FILE_SOCK) && rd_at_home(req)) {
		rd_cmd_socket_work(req);
		return rd_cmd_socket_finish(req);
	}
	if (r > 0)
		return r;
	req->res = r;
	return RD_DONE;
}

void rd_cmd_work(struct rd_req *req)
{
	if (req->file->flags & RD_FILE_SOCK)
		rd_cmd_socket_work(req);
	else
		rd_cmd_block_work(req);
}

int rd_cmd_finish(struct rd_req *req)
{
	return req->file->flags & RD_FILE_SOCK ? rd_cmd_socket_finish(req) : RD_DONE;
}

void rd_cmd_cleanup(struct rd_req *req)
{
	req->cmd.value = rd_stage_free(req->cmd.value);
}
