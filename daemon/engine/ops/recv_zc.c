/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RECV_ZC: a CQE for each buffer of an area that the socket has filled. There is no device: recv() copies into the client's
 * area. What was taken from the socket cannot be put back, so a buffer and room in the CQ are made sure of before; where one
 * is missing it is only looked whether the socket has anything to say.
 *
 * Who finds no buffer waits until the client has given some back, which is looked at when it enters a ring that has the area.
 */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ops.h"
#include "rw.h"

#define BURST		32	/* transfers in a row, then others have their turn */
#define GO_ON		-1
#define ENTRY_COST	16	/* an entry of the refill ring counts as so many bytes copied */

int rd_recv_zc_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_zcrx *z;

	if (sqe->addr || sqe->addr2 || sqe->addr3 || sqe->msg_flags || sqe->buf_index)
		return -EINVAL;
	z = rd_zcrxs_find(req->ctx->zcrxs, sqe->zcrx_ifq_idx);
	if (!z || sqe->ioprio != RINGD_RECV_MULTISHOT)
		return -EINVAL;
	req->recv_zc = (struct rd_recv_zc){ .zcrx = rd_zcrx_get(z), .left = sqe->len, .limited = sqe->len };
	rd_list_init(&req->recv_zc.waiter.link);
	return 0;
}

void rd_recv_zc_cleanup(struct rd_req *req)
{
	struct rd_recv_zc *rz = &req->recv_zc;

	if (rz->claimed)
		req->file->flags &= ~RD_FILE_ZCRX;
	rd_zcrx_pass_on(rz->zcrx);
	rd_zcrx_put(rz->zcrx);
}

int rd_recv_zc_cancel(struct rd_req *req)
{
	rd_list_remove(&req->recv_zc.waiter.link);
	return 0;
}

static int claim(struct rd_req *req)
{
	struct rd_file *file = req->file;
	int protocol = 0;
	socklen_t len = sizeof(protocol);

	if (!(file->flags & RD_FILE_SOCK))
		return -ENOTSOCK;
	if (!(file->flags & RD_FILE_INET) || getsockopt(file->fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) < 0 ||
	    protocol != IPPROTO_TCP)
		return -EPROTONOSUPPORT;
	if (file->flags & RD_FILE_ZCRX)
		return -EBUSY;
	file->flags |= RD_FILE_ZCRX;
	req->recv_zc.claimed = true;
	return 0;
}

static void try_again(struct rd_req *req)
{
	rd_req_go(req, rd_recv_zc(req, RD_READY));
}

static bool wake(struct rd_zcrx_waiter *waiter)
{
	struct rd_req *req = RD_CONTAINER_OF(waiter, struct rd_req, recv_zc.waiter);

	/* its ring stops one after the other, and may be at the one before */
	if (req->ctx->dying)
		return false;
	req->state = RD_REQ_IDLE;
	rd_req_task(req, try_again);
	return true;
}

/* recv() said n. */
static int no_data(struct rd_req *req, ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		/* data brings an event; something else may be there for ever (an error queue that nobody reads) */
		req->poll.events = EPOLLIN;
		return errno == EAGAIN ? RD_POLL_NEWS : RD_POLL_FOR;
	}
	req->res = n < 0 ? -errno : 0;
	req->outcome = RD_OUT_FAILED;	/* the end of the stream, too */
	return RD_DONE;
}

/* There is no buffer, or else no room for a CQE. */
static int stuck(struct rd_req *req, bool buffer)
{
	struct rd_recv_zc *rz = &req->recv_zc;
	char byte;
	ssize_t n = recv(req->file->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return no_data(req, n);
	if (buffer) {
		req->res = -ENOSPC;
		return RD_DONE;
	}
	rz->waiter.wake = wake;
	rd_zcrx_wait(rz->zcrx, &rz->waiter);
	return rd_req_wait(req);
}

static int receive_one(struct rd_req *req)
{
	struct rd_recv_zc *rz = &req->recv_zc;
	struct rd_zcrx *z = rz->zcrx;
	uint64_t big[2] = { 0, 0 };
	char *buf = rd_zcrx_next(z);
	size_t len = RD_MIN(rd_zcrx_buf_len(z), RD_RW_INLINE_MAX);
	ssize_t n;

	if (!buf) {
		req->ctx->moved += (uint64_t)rd_zcrx_refill(z) * ENTRY_COST;
		buf = rd_zcrx_next(z);
	}
	if (!buf || !req->ctx->post_big(req->ctx, 0, 0, 0, NULL))
		return stuck(req, buf);
	n = recv(req->file->fd, buf, rz->limited ? RD_MIN(len, rz->left) : len, MSG_DONTWAIT);
	if (n <= 0)
		return no_data(req, n);
	big[0] = rd_zcrx_hand_out(z);
	req->ctx->moved += (uint64_t)n;
	req->ctx->post_big(req->ctx, req->user_data, (int32_t)n, RINGD_CQE_F_MORE, big);
	if (!rz->limited)
		return GO_ON;
	rz->left -= (uint32_t)n;
	if (rz->left)
		return GO_ON;
	req->res = 0;
	return RD_DONE;
}

int rd_recv_zc(struct rd_req *req, unsigned int issue_flags)
{
	const uint64_t moved = req->ctx->moved;
	int r = 0;

	(void)issue_flags;
	if (!req->recv_zc.claimed)
		r = claim(req);
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	for (unsigned int i = 0; i < BURST && req->ctx->moved - moved < RD_RW_INLINE_MAX; i++) {
		r = receive_one(req);
		if (r != GO_ON)
			break;
	}
	if (r == GO_ON)
		r = RD_POLL_IN;		/* others have their turn */
	if (r == RD_POLL_IN || r == RD_POLL_NEWS || r == RD_POLL_FOR)
		rd_zcrx_pass_on(req->recv_zc.zcrx);
	return r;
}
