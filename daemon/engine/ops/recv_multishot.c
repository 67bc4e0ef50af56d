/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receiving again and again, with a CQE and provided buffers each time, until the stream ends, something fails, it is cancelled,
 * or there is no buffer or no room in the CQ. Then it ends with what it has: nothing that was received is dropped.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bundle.h"
#include "net.h"
#include "ops.h"
#include "recv.h"

/*
 * The stream has come to its end for now, and what comes next brings an event: no need to ask. Unless something else than data
 * had been reported, or control messages, urgent data or another sender's credentials cut it short.
 */
static bool is_drained(const struct rd_req *req, const struct rd_batch *b, unsigned int issue_flags)
{
	const struct rd_net *net = &req->net;

	return (issue_flags & RD_READY) && !b->full && rd_net_is_plain(req) && !net->carried &&
	       !(net->msg_flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)) &&
	       rd_poll_calm(&req->poll, EPOLLPRI | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
}

/* n bytes have come. Was that the last CQE for them? */
static bool is_last(struct rd_req *req, ssize_t n)
{
	struct rd_net *net = &req->net;

	if (net->left) {
		if ((uint64_t)n >= net->left)
			return true;
		net->left -= (uint32_t)n;
	}
	return ((net->ioprio & RINGD_RECVSEND_BUNDLE) && net->dry) || !rd_req_more(req, (int32_t)n, req->cflags);
}

int rd_recv_multi(struct rd_req *req, unsigned int issue_flags, rd_recv_fn *once)
{
	uint64_t moved = req->ctx->moved;
	struct rd_batch b;

	for (unsigned int i = 0; i < RD_NET_BURST && req->ctx->moved - moved < RD_NET_CHUNK; i++) {
		ssize_t n = once(req, &b);

		/* a buffer is needed when there is something for it, which readiness tells: the client may provide more till then */
		if (n == -ENOBUFS && i)
			return rd_net_look(req);
		if (n == 0)
			return rd_net_done(req, 0);
		if (RD_UNLIKELY(n == RD_RECV_LATER))
			return RD_RECV_LATER;
		if (n < 0)
			return rd_net_idle(req, n);
		if (is_last(req, n))
			return rd_net_done(req, n);
		rd_batch_next(req);
		if (is_drained(req, &b, issue_flags))
			return rd_net_wait(req);
	}
	return RD_NEXT_TURN;
}
