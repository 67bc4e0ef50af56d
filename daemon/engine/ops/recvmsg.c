/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RECVMSG, once or again and again. What a message brings besides data is written when it comes (msg_in.c); only descriptors in it
 * are given to the client when the request is done, as its CQE may have to wait for that.
 */
#include <stddef.h>
#include <sys/socket.h>

#include "bundle.h"
#include "msg.h"
#include "net.h"
#include "ops.h"
#include "recv.h"

#define RD_RECVMSG_FLAGS	(RINGD_RECVSEND_POLL_FIRST | RINGD_RECV_MULTISHOT)

int rd_recvmsg_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = rd_net_prep(req, sqe, RD_RECVMSG_FLAGS);

	req->work.unwanted = false;
	if (r < 0)
		return r;
	if (sqe->addr2 || sqe->optlen)
		return -EINVAL;
	if ((sqe->ioprio & RINGD_RECV_MULTISHOT) && (!(sqe->flags & RINGD_SQE_BUFFER_SELECT) || (sqe->msg_flags & MSG_WAITALL)))
		return -EINVAL;
	r = rd_msg_import(req, sqe->addr);
	if (r < 0)
		rd_net_cleanup(req);
	return r;
}

/* --- descriptors --- */

int rd_recvmsg_installed(struct rd_req *req)
{
	if (req->res < 0)
		rd_msg_take_back(req);
	if (!req->net.msg->in.head || !rd_req_more(req, req->res, req->cflags))
		return RD_DONE;
	rd_batch_next(req);
	if (RD_UNLIKELY(req->work.unwanted)) {
		req->res = -ECANCELED;
		return RD_DONE;
	}
	return RD_NEXT_TURN;
}

/* The request has its result, or one of its CQEs: first the descriptors go to the client, if there are any. */
static int give(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_msg_in *in = &req->net.msg->in;
	struct rd_newfds new = {
		.rights = rd_steal_ptr(&in->fds), .cloexec = req->net.msg_flags & MSG_CMSG_CLOEXEC, .addr = in->numbers,
		.msg_flags = in->head ? in->buffer + offsetof(struct ringd_recvmsg_out, flags) :
					in->hdr + offsetof(struct msghdr, msg_flags),
		.res = req->res,
	};
	int r;

	if (!new.rights)
		return RD_DONE;
	in->res = req->res;
	r = host->ops->install(host, req, &new);
	return r == RD_DONE ? rd_recvmsg_installed(req) : r;
}

/* A message that has come cannot be sent back: only the end of its ring ends the wait. */
int rd_recvmsg_cancel(struct rd_req *req)
{
	if (req->ctx->dying)
		return rd_install_cancel(req);
	req->work.unwanted = true;	/* it is the last one */
	return -EALREADY;
}

/* --- again and again --- */

/* No message, but the end of a stream. (Where messages are kept apart one may be empty; an empty record cannot be told from the end.) */
static bool is_end(const struct rd_req *req, ssize_t n)
{
	return n == 0 && (!req->net.msg->in.delivered || (req->file->flags & (RD_FILE_BYTES | RD_FILE_RECORDS)));
}

/* One message into one buffer, behind its areas: a rd_recv_fn. */
static ssize_t receive_one(struct rd_req *req, struct rd_batch *b)
{
	struct rd_net *net = &req->net;
	struct rd_msg_in *in = &net->msg->in;
	uint64_t room;
	ssize_t n;

	b->sel.group = NULL;
	n = rd_bufsel_take(&b->sel, req->ctx->groups, req->ctx->host, net->buf_index, net->asked, b->iov, b->owners);
	if (n == 0 && b->sel.bytes < in->head)
		n = -EFAULT;
	if (n < 0) {
		rd_bufsel_drop(&b->sel);
		return n;
	}
	room = b->sel.bytes - in->head;
	in->buffer = b->sel.addr;
	in->delivered = false;
	net->one = (struct iovec){ .iov_base = (char *)b->iov[0].iov_base + in->head, .iov_len = room };
	net->vec = &net->one;
	net->nr = 1;
	net->want = room;
	n = rd_net_transfer(req, 0);
	net->nr = 0;
	b->full = n > 0 && (uint64_t)n >= room;
	if (n < 0 || is_end(req, n)) {
		rd_bufsel_drop(&b->sel);
		return n;
	}
	n = (ssize_t)(in->head + RD_MIN((uint64_t)n, room));
	req->cflags = rd_bufsel_commit(&b->sel, (uint64_t)n);
	req->res = (int32_t)n;
	return in->fds ? RD_RECV_LATER : n;
}

int rd_recvmsg(struct rd_req *req, unsigned int issue_flags)
{
	int r;

	if (!(req->net.ioprio & RINGD_RECV_MULTISHOT)) {
		r = rd_recv(req, issue_flags);
		return r == RD_DONE ? give(req) : r;
	}
	r = issue_flags & RD_READY ? RD_NET_GO : rd_net_begin(req);
	if (r == RD_NET_GO)
		r = rd_recv_multi(req, issue_flags, receive_one);
	return r == RD_RECV_LATER ? give(req) : r;
}

int rd_recvmsg_finish(struct rd_req *req)
{
	int verdict = rd_net_finish(req);

	return verdict == RD_DONE ? give(req) : verdict;
}
