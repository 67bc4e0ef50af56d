/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving data through sockets: the parts that all such operations are made of. Whether a socket is blocking is nobody's
 * business, its O_NONBLOCK can be flipped by the client at any time: every call says MSG_DONTWAIT, and waiting is the
 * reactor's. SIGPIPE is ignored by the engine and still not provoked.
 *
 * A stream that has nothing more is waited for without another look: what comes from then on is an edge of an entry that
 * epoll has (exec/poll.c). Where there are messages, readiness and the attempt may disagree (a datagram with a bad
 * checksum, a socket that was shut down), so those are looked at, a number of times.
 */
#include "net.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "msg.h"
#include "ops.h"
#include "segments.h"
#include "../rsrc/stage.h"

/* What the kernel uses inside of itself, in calls on behalf of 32-bit programs and for pages of its own. */
#define RD_MSG_INTERNAL	(0x80000000u | 0x8000000u | 0x10000u | 0x100000u)

/* --- prep --- */

int rd_net_prep(struct rd_req *req, const struct ringd_sqe *sqe, uint16_t allowed)
{
	struct rd_net *net = &req->net;

	*net = (struct rd_net){
		.vec = &net->one, .asked = sqe->len, .msg_flags = sqe->msg_flags & ~RD_MSG_INTERNAL, .ioprio = sqe->ioprio,
		.buf_index = sqe->buf_index, .home = rd_at_home(req),
	};
	return sqe->ioprio & ~allowed ? -EINVAL : 0;
}

void rd_net_one(struct rd_req *req, uint64_t addr, uint64_t len)
{
	struct rd_net *net = &req->net;

	net->nr = 1;
	net->want = RD_MIN(len, RD_NET_MAX);
	net->one = (struct iovec){ .iov_base = (void *)(uintptr_t)addr, .iov_len = net->want };
}

static void free_segments(struct rd_net *net)
{
	if (net->vec == &net->one)
		return;
	for (uint32_t i = 0; i < net->nr; i++)
		rd_mem_put(net->owners[i]);
	rd_stage_free(net->vec);
	net->vec = &net->one;
	net->nr = 0;
}

/* One block for segments and their owners: it lives and dies with the request. */
static int alloc_segments(struct rd_net *net, struct rd_user *user)
{
	void *block;
	int r;

	r = rd_stage_new(&block, user, net->nr * (sizeof(struct iovec) + sizeof(struct rd_mem *)));
	if (r < 0)
		return r;
	net->vec = block;
	net->owners = (struct rd_mem **)(void *)(net->vec + net->nr);
	memset(net->owners, 0, net->nr * sizeof(*net->owners));
	return 0;
}

/* Sum up; what is beyond the largest transfer is cut off. */
static int check_segments(struct rd_net *net)
{
	net->want = 0;
	for (uint32_t i = 0; i < net->nr; i++) {
		if (net->vec[i].iov_len > SSIZE_MAX)
			return -EINVAL;
		net->vec[i].iov_len = RD_MIN(net->vec[i].iov_len, RD_NET_MAX - net->want);
		net->want += net->vec[i].iov_len;
	}
	return 0;
}

int rd_net_segments(struct rd_req *req, uint64_t addr, uint32_t nr)
{
	struct rd_host *host = req->ctx->host;
	struct rd_net *net = &req->net;
	int r = 0;

	if (nr > RINGD_MAX_IOVECS)
		return -EINVAL;
	net->nr = nr;
	net->want = 0;
	if (!nr)
		return 0;
	if (nr > 1)
		r = alloc_segments(net, &req->ctx->engine->user);
	if (r < 0)
		return r;
	r = host->ops->copy_in(host, net->vec, addr, nr * sizeof(struct iovec));
	if (r == 0)
		r = check_segments(net);
	if (r < 0)
		free_segments(net);
	return r;
}

int rd_net_name(struct rd_req *req, uint64_t addr, uint32_t len)
{
	struct rd_host *host = req->ctx->host;
	struct rd_net *net = &req->net;
	int r;

	if (len > sizeof(struct sockaddr_storage))
		return -EINVAL;
	net->name = &net->small;
	if (len > sizeof(net->small)) {
		r = rd_stage_new(&net->name, &req->ctx->engine->user, len);
		if (r < 0) {
			net->name = NULL;
			return r;
		}
	}
	net->namelen = (uint16_t)len;
	r = len ? host->ops->copy_in(host, net->name, addr, len) : 0;
	if (r < 0)
		rd_net_cleanup(req);
	return r;
}

void rd_net_cleanup(struct rd_req *req)
{
	struct rd_net *net = &req->net;

	free_segments(net);
	rd_msg_free(req);
	rd_net_forget_place(req);
	if (net->name != &net->small)
		rd_stage_free(net->name);
	net->name = NULL;
}

/* --- issue --- */

int rd_net_start(struct rd_req *req)
{
	req->net.kind = req->file->flags;
	if (RD_UNLIKELY(!(req->net.kind & RD_FILE_SOCK)))
		return -ENOTSOCK;
	return req->flags & RINGD_SQE_BUFFER_SELECT ? 0 : rd_segments_map(req, req->net.vec, req->net.nr, req->net.owners);
}

/* Bytes for the next call. A stream is moved in pieces of limited size: a peer as fast as we are would keep it going for ever. */
static inline uint64_t offer(struct rd_req *req)
{
	uint64_t left = req->net.want - req->net.done;

	if (RD_UNLIKELY(left > RD_NET_CHUNK) && (req->net.kind & RD_FILE_BYTES))
		left = RD_NET_CHUNK;
	req->net.offered = (uint32_t)left;
	return left;
}

/* Leave out what is beyond max bytes; a single segment is cut, in *piece. */
static void clip(struct msghdr *mh, struct iovec *piece, uint64_t max)
{
	uint64_t sum = 0;
	size_t i = 0;

	while (i < mh->msg_iovlen && sum + mh->msg_iov[i].iov_len <= max)
		sum += mh->msg_iov[i++].iov_len;
	if (sum || i == mh->msg_iovlen) {
		mh->msg_iovlen = i;
		return;
	}
	*piece = (struct iovec){ .iov_base = mh->msg_iov[i].iov_base, .iov_len = max };
	mh->msg_iov = piece;
	mh->msg_iovlen = 1;
}

int rd_net_message(struct rd_req *req, struct msghdr *mh, struct iovec *piece)
{
	struct rd_net *net = &req->net;
	uint64_t max = offer(req);

	*mh = (struct msghdr){ .msg_iov = net->vec, .msg_iovlen = net->nr };
	if (RD_UNLIKELY(max < net->want - net->done)) {
		clip(mh, piece, max);
		net->offered = 0;
		for (size_t i = 0; i < mh->msg_iovlen; i++)
			net->offered += (uint32_t)mh->msg_iov[i].iov_len;
	}
	return net->send ? rd_msg_envelope(net, mh) : 0;
}

uint32_t rd_net_flags(const struct rd_net *net)
{
	/* descriptors that come are the client's own in its process, as it asks for them */
	return net->msg_flags | MSG_DONTWAIT | MSG_NOSIGNAL | (net->home ? 0 : MSG_CMSG_CLOEXEC);
}

/* Not by the C library's functions: those are cancellation points, which cost two atomic operations when there are threads. */
static ssize_t transfer_message(struct rd_req *req, uint32_t flags)
{
	struct msghdr mh;
	struct iovec piece;
	long n;

	if (req->net.send && rd_net_sleeps(req))
		return RD_NET_AWAY;
	n = rd_net_message(req, &mh, &piece);
	if (n < 0)
		return n;
	if (!req->net.send)
		return rd_msg_receive(req, &mh, flags);
	n = syscall(SYS_sendmsg, req->file->fd, &mh, (long)flags);
	return n < 0 ? -errno : n;
}

static inline ssize_t transfer_plain(struct rd_req *req, uint32_t flags)
{
	const struct rd_net *net = &req->net;
	size_t len = RD_MIN(offer(req), net->vec->iov_len);
	long n = syscall(net->send ? SYS_sendto : SYS_recvfrom, req->file->fd, net->vec->iov_base, len, (long)flags, NULL, 0L);

	return n < 0 ? -errno : n;
}

/*
 * Has nothing come, and never will? Who waits is told that by a socket without connections that is shut down, who does not
 * wait only that there is nothing.
 */
static bool is_over(const struct rd_req *req)
{
	return !req->net.send && req->net.rounds && !(req->net.msg_flags & (MSG_ERRQUEUE | MSG_OOB)) &&
	       (req->poll.revents & (EPOLLRDHUP | EPOLLHUP));
}

ssize_t rd_net_transfer(struct rd_req *req, uint32_t extra)
{
	struct rd_net *net = &req->net;
	uint32_t flags = rd_net_flags(net) | extra;
	/* what a family does that we do not know when it is sent something, nobody knows either */
	bool plain = net->send ? req->file->flags & (RD_FILE_INET | RD_FILE_CARRIER) : !(req->file->flags & RD_FILE_CARRIER);
	ssize_t n;

	if (RD_LIKELY(net->nr == 1 && !net->msg && !net->namelen && (plain || net->home)))
		n = transfer_plain(req, flags);
	else
		n = transfer_message(req, flags);
	if (RD_LIKELY(n > 0)) {
		req->ctx->moved += (uint64_t)n;
		net->rounds = 0;
	} else if (n == -EAGAIN && is_over(req)) {
		n = 0;
	}
	return n;
}

uint32_t rd_net_queued(const struct rd_req *req)
{
	int n;

	return ioctl(req->file->fd, FIONREAD, &n) < 0 || n < 0 ? 0 : (uint32_t)n;
}

void rd_net_advance(struct rd_req *req, uint64_t n)
{
	req->net.done += n;
	rd_segments_cut(req->net.vec, n);
}

bool rd_net_goes_on(const struct rd_req *req)
{
	const struct rd_net *net = &req->net;

	/* control data is that of one receive */
	if (!net->send && net->msg && net->msg->in.control_room)
		return false;
	return (net->msg_flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL && (req->file->flags & (RD_FILE_BYTES | RD_FILE_RECORDS));
}

bool rd_net_is_plain(const struct rd_req *req)
{
	return (req->file->flags & RD_FILE_BYTES) && (req->file->flags & (RD_FILE_INET | RD_FILE_CARRIER));
}

static uint32_t waits_for(const struct rd_net *net)
{
	/* that the peer has sent all it had to say is no concern of who sends */
	if (net->send)
		return EPOLLOUT | RD_POLL_DEAF;
	if (net->msg_flags & MSG_ERRQUEUE)
		return RD_POLL_DEAF;
	return net->msg_flags & MSG_OOB ? EPOLLPRI : EPOLLIN;
}

int rd_net_look(struct rd_req *req)
{
	req->poll.events = waits_for(&req->net);
	return RD_POLL_FOR;
}

int rd_net_wait(struct rd_req *req)
{
	req->poll.events = waits_for(&req->net);
	if (rd_net_is_plain(req) || (req->net.msg_flags & MSG_ERRQUEUE))
		return RD_POLL_NEWS;
	if (req->net.rounds >= RD_NET_ROUNDS)
		return RD_POLL_NEWS;
	req->net.rounds++;
	return RD_POLL_FOR;
}

int rd_net_done(struct rd_req *req, int64_t res)
{
	if (RD_UNLIKELY((req->net.msg_flags & MSG_WAITALL) && res < (int64_t)req->net.want))
		req->outcome = RD_OUT_FAILED;
	req->res = (int32_t)res;
	return RD_DONE;
}

int rd_net_idle(struct rd_req *req, ssize_t n)
{
	struct rd_net *net = &req->net;

	if (RD_UNLIKELY(n == RD_NET_AWAY))
		return rd_net_away(req);
	if (n == -EAGAIN && !(net->msg_flags & MSG_DONTWAIT) && (!net->done || rd_net_goes_on(req))) {
		if (RD_LIKELY(!rd_net_unheard(req)))
			return rd_net_wait(req);
		if (!(req->flags & RINGD_SQE_BUFFER_SELECT)) {
			net->patient = true;
			return rd_net_away(req);
		}
	}
	if (n < 0 && net->done && rd_net_goes_on(req))
		req->outcome = RD_OUT_FAILED;
	return rd_net_done(req, net->done ? (int64_t)net->done : n);
}

/* The call took all that it was given, which was not all there is; what a receive is given is enough for one. */
static bool was_clipped(const struct rd_net *net, uint64_t left, ssize_t n)
{
	return net->send && net->offered < left && (uint64_t)n == net->offered;
}

int rd_net_attempted(struct rd_req *req, ssize_t n)
{
	struct rd_net *net = &req->net;
	uint64_t left = net->want - net->done;

	if (n < 0)
		return rd_net_idle(req, n);
	if (RD_LIKELY((uint64_t)n >= left) || n == 0 || (!rd_net_goes_on(req) && !was_clipped(net, left, n)))
		return rd_net_done(req, (int64_t)net->done + n);
	rd_net_advance(req, (uint64_t)n);
	return RD_NET_GO;
}

int rd_net_run(struct rd_req *req)
{
	uint64_t moved = req->ctx->moved;

	for (;;) {
		int verdict = rd_net_attempted(req, rd_net_transfer(req, 0));

		if (verdict != RD_NET_GO)
			return verdict;
		if (req->ctx->moved - moved >= RD_NET_CHUNK)
			return RD_NEXT_TURN;
	}
}

int rd_net_begin(struct rd_req *req)
{
	int r = rd_net_start(req);

	if (RD_UNLIKELY(r < 0))
		return rd_net_done(req, r);
	if (RD_LIKELY(!(req->net.ioprio & RINGD_RECVSEND_POLL_FIRST)))
		return RD_NET_GO;
	return req->net.msg_flags & MSG_DONTWAIT ? rd_net_done(req, -EAGAIN) : rd_net_look(req);
}

int rd_net_issue(struct rd_req *req, unsigned int issue_flags)
{
	int r = issue_flags & RD_READY ? RD_NET_GO : rd_net_begin(req);

	return r == RD_NET_GO ? rd_net_run(req) : r;
}

void rd_net_stopped(struct rd_req *req)
{
	/* what was moved is told, or it would be lost */
	if (!req->net.done)
		return;
	req->res = (int32_t)req->net.done;
	req->outcome = RD_OUT_FAILED;
}
