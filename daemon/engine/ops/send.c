/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND: one segment or many, or provided buffers, one or (BUNDLE) as many as there are, with a CQE for every batch of them. */
#include <errno.h>
#include <sys/socket.h>

#include "bundle.h"
#include "net.h"
#include "ops.h"

#define RD_SEND_FLAGS	(RINGD_RECVSEND_POLL_FIRST | RINGD_RECVSEND_BUNDLE | RINGD_SEND_VECTORIZED)

static int prep_data(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->flags & RINGD_SQE_BUFFER_SELECT)
		return 0;
	if (sqe->ioprio & RINGD_SEND_VECTORIZED)
		return rd_net_segments(req, sqe->addr, sqe->len);
	rd_net_one(req, sqe->addr, sqe->len);
	return 0;
}

int rd_send_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = rd_net_prep(req, sqe, RD_SEND_FLAGS);

	if (r < 0)
		return r;
	if (sqe->__pad3[0])
		return -EINVAL;
	req->net.send = true;
	if (sqe->ioprio & RINGD_RECVSEND_BUNDLE) {
		if (!(sqe->flags & RINGD_SQE_BUFFER_SELECT))
			return -EINVAL;
		req->net.msg_flags |= MSG_WAITALL;	/* a batch is sent as a whole */
	}
	if (sqe->addr2) {
		r = rd_net_name(req, sqe->addr2, sqe->addr_len);
		if (r < 0)
			return r;
	}
	r = prep_data(req, sqe);
	if (r < 0)
		rd_net_cleanup(req);
	return r;
}

/* One attempt of a batch. -1: there is more of it, at once. */
static int send_some(struct rd_req *req, struct rd_batch *b)
{
	struct rd_net *net = &req->net;
	ssize_t n;

	b->limit = net->asked;
	n = rd_batch_try(req, b);
	if (n == -ENOBUFS && !net->done && !rd_bufgroups_have(req->ctx->groups, net->buf_index))
		n = -ENOENT;
	if (n < 0)
		return rd_net_idle(req, n);
	/* of a large buffer the call was given a part only */
	if (n && net->done < net->want && (rd_net_goes_on(req) || b->full))
		return -1;
	if (!(net->ioprio & RINGD_RECVSEND_BUNDLE) || net->dry || net->done < net->want)
		return rd_net_done(req, (int64_t)net->done);
	if (!rd_req_more(req, (int32_t)net->done, req->cflags))
		return rd_net_done(req, (int64_t)net->done);
	rd_batch_next(req);
	net->asked = 0;		/* it was a limit of the first batch */
	return -1;
}

static int send_selected(struct rd_req *req)
{
	uint64_t moved = req->ctx->moved;
	struct rd_batch b;

	b.room = req->net.ioprio & RINGD_RECVSEND_BUNDLE ? RD_BUFSEL_MAX : 1;
	b.append = false;
	for (unsigned int i = 0; i < RD_NET_BURST && req->ctx->moved - moved < RD_NET_CHUNK; i++) {
		int r = send_some(req, &b);

		if (r >= 0)
			return r;
	}
	return RD_NEXT_TURN;
}

int rd_send(struct rd_req *req, unsigned int issue_flags)
{
	int r = issue_flags & RD_READY ? RD_NET_GO : rd_net_begin(req);

	if (r != RD_NET_GO)
		return r;
	return req->flags & RINGD_SQE_BUFFER_SELECT ? send_selected(req) : rd_net_run(req);
}
