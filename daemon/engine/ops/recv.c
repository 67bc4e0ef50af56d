/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RECV into a segment, or into provided buffers. A bundle begins with one buffer, as long as nothing is known about the amount;
 * when that is full a stream is asked how much there is, and as many more are filled as that needs.
 */
#include <errno.h>
#include <sys/socket.h>

#include "bundle.h"
#include "net.h"
#include "ops.h"
#include "recv.h"

#define RD_RECV_FLAGS	(RINGD_RECVSEND_POLL_FIRST | RINGD_RECV_MULTISHOT | RINGD_RECVSEND_BUNDLE)

int rd_recv_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	bool select = sqe->flags & RINGD_SQE_BUFFER_SELECT;
	int r = rd_net_prep(req, sqe, RD_RECV_FLAGS);

	if (r < 0)
		return r;
	if (sqe->addr2)
		return -EINVAL;
	if (sqe->ioprio & RINGD_RECV_MULTISHOT) {
		if (!select || (sqe->msg_flags & MSG_WAITALL))
			return -EINVAL;
		req->net.left = sqe->optlen;
	} else if (sqe->optlen) {
		return -EINVAL;
	}
	if (!select)
		rd_net_one(req, sqe->addr, sqe->len);
	return 0;
}

void rd_recv_note_more(struct rd_req *req)
{
	const struct rd_net *net = &req->net;
	bool full = (uint64_t)req->res >= net->done + net->offered;

	if (rd_net_is_plain(req) && ((net->msg_flags & MSG_PEEK) || (full && rd_net_queued(req))))
		req->cflags |= RINGD_CQE_F_SOCK_NONEMPTY;
}

/* So many bytes are taken for so many buffers of the length of the next; 0: one buffer. */
static unsigned int buffers_for(const struct rd_req *req, uint32_t bytes)
{
	uint32_t len = bytes > 1 ? rd_bufgroups_next_len(req->ctx->groups, req->net.buf_index) : 0;

	return len ? RD_MIN((bytes - 1) / len + 1, RD_BUFSEL_MAX) : 1;
}

/* The buffers of a bundle are full: fill what the rest needs, which is so many bytes. */
static void append(struct rd_req *req, struct rd_batch *b, uint32_t queued)
{
	struct rd_net *net = &req->net;

	b->append = true;
	b->room = buffers_for(req, queued);
	b->limit = net->left ? net->left - net->done : 0;
	if (rd_batch_try(req, b) <= 0)
		b->full = false;
	b->append = false;
	net->want = net->done;
}

static bool may_append(const struct rd_net *net)
{
	return (net->ioprio & RINGD_RECVSEND_BUNDLE) && !net->dry && !net->asked && net->done >= net->want &&
	       !(net->left && net->done >= net->left);
}

/* There was no more room in the buffers: is there more in the stream? */
static void look_behind(struct rd_req *req, struct rd_batch *b)
{
	struct rd_net *net = &req->net;
	uint32_t queued = rd_net_queued(req);

	if (queued && may_append(net)) {
		append(req, b, queued);
		queued = b->full ? rd_net_queued(req) : 0;
	}
	b->full = queued;
	if (!queued)
		return;
	req->cflags |= RINGD_CQE_F_SOCK_NONEMPTY;
	net->take = queued;
}

ssize_t rd_recv_batch(struct rd_req *req, struct rd_batch *b)
{
	struct rd_net *net = &req->net;
	ssize_t n;

	b->append = false;
	b->limit = net->asked;
	b->room = 0;
	if (net->ioprio & RINGD_RECVSEND_BUNDLE) {
		b->room = net->asked ? RD_BUFSEL_MAX : buffers_for(req, net->take);
		if (net->left && (!net->asked || net->left < net->asked))
			b->limit = net->left;
	}
	n = rd_batch_try(req, b);
	if (n <= 0)
		return n;
	net->take = 0;
	if (rd_net_is_plain(req)) {
		if (net->msg_flags & MSG_PEEK)
			req->cflags |= RINGD_CQE_F_SOCK_NONEMPTY;
		else if (b->full && !(net->msg_flags & (MSG_OOB | MSG_ERRQUEUE)))
			look_behind(req, b);
	}
	return (ssize_t)net->done;
}

/* Single shot. */
static int recv_selected(struct rd_req *req)
{
	struct rd_net *net = &req->net;
	uint64_t moved = req->ctx->moved;
	struct rd_batch b;

	do {
		ssize_t n = rd_recv_batch(req, &b);

		if (n < 0)
			return rd_net_idle(req, n);
		if (!n || net->done >= net->want || !rd_net_goes_on(req))
			return rd_net_done(req, (int64_t)net->done);
	} while (req->ctx->moved - moved < RD_NET_CHUNK);
	return RD_NEXT_TURN;
}

int rd_recv(struct rd_req *req, unsigned int issue_flags)
{
	int r = issue_flags & RD_READY ? RD_NET_GO : rd_net_begin(req);

	if (r != RD_NET_GO)
		return r;
	if (req->flags & RINGD_SQE_BUFFER_SELECT) {
		if (req->net.ioprio & RINGD_RECV_MULTISHOT)
			return rd_recv_multi(req, issue_flags, rd_recv_batch);
		return recv_selected(req);
	}
	r = rd_net_run(req);
	if (r == RD_DONE && req->res > 0)
		rd_recv_note_more(req);
	return r;
}
