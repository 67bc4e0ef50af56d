/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SEND_ZC and SENDMSG_ZC: a send with a notification (request/notif.c). What is long enough goes to the kernel ring, which hands the
 * pages themselves to the network; all else is copied like any send, and its notification, which says so, is due at once.
 *
 * An attempt in the kernel ring is a *part*, with memory of its own: it lives until the network has let go of the pages,
 * and that may be long after the request, when the request dies with its ring. The kernel holds the pages by itself, so a part without
 * a request needs neither the client's memory nor its socket.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "msg.h"
#include "net.h"
#include "ops.h"
#include "../rsrc/stage.h"

/*
 * CPU time of a whole request, measured on Linux 6.18 over a device that drops what it gets, the data in the cache: with a copy
 * and without 3.8 and 3.8 us for 4 KiB, 4.0 and 4.0 for 16, 4.3 and 4.2 for 32, 5.6 and 4.4 for 60. A copy has its result at once,
 * so it must be worth something.
 */
#define RD_ZC_MIN	32768u
#define RD_ZC_COPIES	2	/* the network has copied so often that it will again: loopback always does */

struct rd_zc_part {
	struct rd_uring_io io;
	struct rd_req *req;	/* NULL: there is none any more */
	struct rd_link link;	/* req->zc.parts */
	struct msghdr msg;
	struct iovec piece;
	bool used;		/* some of its data was sent */
};

/* --- prep --- */

#define RD_ZC_FLAGS	(RINGD_RECVSEND_POLL_FIRST | RINGD_RECVSEND_FIXED_BUF | RINGD_SEND_ZC_REPORT_USAGE | RINGD_SEND_VECTORIZED)

/* What the notification says, as far as is known: that it was copied also means that nothing was sent without. */
static void report(struct rd_req *req)
{
	const struct rd_sendzc *zc = &req->zc;

	if (zc->net.ioprio & RINGD_SEND_ZC_REPORT_USAGE)
		req->notif.res = zc->copied || !zc->used ? RINGD_NOTIF_USAGE_ZC_COPIED : 0;
}

/* From here on there are two CQEs. */
static int begin(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_sendzc *zc = &req->zc;
	int r;

	if (sqe->__pad2[0] || (sqe->flags & RINGD_SQE_CQE_SKIP_SUCCESS))
		return -EINVAL;
	rd_notif_init(req, sqe->addr3 ? sqe->addr3 : sqe->user_data);
	rd_list_init(&zc->parts);
	zc->sending = NULL;
	zc->used = zc->copied = false;
	req->work.unwanted = false;	/* see stop() in cancel.c; nothing of it goes to a worker */
	r = rd_net_prep(req, sqe, RD_ZC_FLAGS);
	if (r < 0)
		return r;
	zc->net.send = true;
	report(req);
	return 0;
}

static int prep_data(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (!(sqe->ioprio & RINGD_SEND_VECTORIZED)) {
		rd_net_one(req, sqe->addr, sqe->len);
		return 0;
	}
	if (sqe->ioprio & RINGD_RECVSEND_FIXED_BUF)
		return -EINVAL;
	return rd_net_segments(req, sqe->addr, sqe->len);
}

int rd_send_zc_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = begin(req, sqe);

	if (r == 0 && sqe->__pad3[0])
		r = -EINVAL;
	if (r == 0 && sqe->addr2 && sqe->addr_len)
		r = rd_net_name(req, sqe->addr2, sqe->addr_len);
	if (r < 0)
		return r;
	r = prep_data(req, sqe);
	if (r < 0)
		rd_net_cleanup(req);
	return r;
}

int rd_sendmsg_zc_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = begin(req, sqe);

	if (r == 0 && (sqe->addr2 || sqe->file_index))
		r = -EINVAL;
	if (r < 0)
		return r;
	r = rd_msg_import(req, sqe->addr);
	if (r < 0)
		rd_net_cleanup(req);
	return r;
}

/* --- what can be known before the first attempt --- */

static int option(int fd, int opt)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, opt, &value, &len) < 0 ? -1 : value;
}

/* Whose protocol has sends without a copy; no lock of the socket is taken to tell. */
static bool able(struct rd_file *file)
{
	int protocol;

	if (!file->zc) {
		file->zc = RD_FILE_ZC_NEVER;
		protocol = file->flags & RD_FILE_INET ? option(file->fd, SO_PROTOCOL) : -1;
		if (protocol == IPPROTO_TCP && (file->flags & RD_FILE_BYTES))
			file->zc = RD_FILE_ZC_ABLE;
		else if ((protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) && option(file->fd, SO_TYPE) == SOCK_DGRAM)
			file->zc = RD_FILE_ZC_ABLE;
	}
	return file->zc != RD_FILE_ZC_NEVER;
}

/* Every segment lies in the registered buffer. One of a message that is empty lies nowhere. */
static int use_fixed(struct rd_req *req)
{
	struct rd_net *net = &req->net;
	struct rd_buf *buf = rd_buftable_get(&req->ctx->bufs, net->buf_index);

	if (!buf)
		return -EFAULT;
	for (uint32_t i = 0; i < net->nr; i++) {
		struct iovec *seg = &net->vec[i];

		seg->iov_base = rd_buf_range(buf, (uintptr_t)seg->iov_base, seg->iov_len);
		if (!seg->iov_base || (!seg->iov_len && req->opcode == RINGD_OP_SENDMSG_ZC))
			return -EFAULT;
	}
	req->buf = buf;
	return 0;
}

static int start(struct rd_req *req)
{
	int r;

	if (!(req->file->flags & RD_FILE_SOCK))
		return -ENOTSOCK;
	if (!able(req->file))
		return -EOPNOTSUPP;
	req->net.kind = req->file->flags;
	if (req->net.ioprio & RINGD_RECVSEND_FIXED_BUF)
		return use_fixed(req);
	r = rd_net_start(req);
	if (r == -EFAULT)
		req->notif.res = 0;	/* the kernel has begun without a copy when it finds that out */
	return r;
}

/* --- without a copy --- */

static void part_free(struct rd_zc_part *part)
{
	rd_list_remove(&part->link);
	if (part->req && rd_list_empty(&part->req->zc.parts))
		rd_notif_release(part->req);
	rd_stage_free(part);
}

static void part_released(struct rd_uring_io *io, bool copied)
{
	struct rd_zc_part *part = RD_CONTAINER_OF(io, struct rd_zc_part, io);
	struct rd_req *req = part->req;

	if (req && part->used) {
		struct rd_file *file = req->file;

		req->zc.copied |= copied;
		report(req);
		if (copied && file->zc < RD_FILE_ZC_ABLE + RD_ZC_COPIES)
			file->zc++;
		else if (!copied)
			file->zc = RD_FILE_ZC_ABLE;
	}
	part_free(part);
}

static void go_on(struct rd_req *req);

static void part_done(struct rd_uring_io *io, int32_t res)
{
	struct rd_zc_part *part = RD_CONTAINER_OF(io, struct rd_zc_part, io);
	struct rd_req *req = part->req;

	req->zc.sending = NULL;
	if (res > 0) {
		part->used = req->zc.used = true;
		report(req);
	}
	if (!io->more)
		part_free(part);
	req->state = RD_REQ_IDLE;
	req->res = res;
	rd_req_task(req, go_on);
}

/* Is it worth it, and is there room? */
static bool pays(const struct rd_req *req)
{
	const struct rd_net *net = &req->net;
	const struct rd_uring *uring = req->ctx->engine->uring;

	return net->want - net->done >= RD_ZC_MIN && req->file->zc < RD_FILE_ZC_ABLE + RD_ZC_COPIES && uring &&
	       rd_uring_zc_room(uring);
}

/* False: there is no memory or budget for it, or something is wrong with the message. */
static bool send_part(struct rd_req *req)
{
	struct rd_engine *engine = req->ctx->engine;
	struct rd_zc_part *part;
	void *mem;

	if (rd_stage_new(&mem, &engine->user, sizeof(*part)) < 0)
		return false;
	part = mem;
	memset(part, 0, sizeof(*part));
	part->req = req;
	if (rd_net_message(req, &part->msg, &part->piece) < 0) {
		rd_stage_free(mem);
		return false;
	}
	rd_file_heat(req->file);
	part->io.done = part_done;
	part->io.released = part_released;
	part->io.fd = req->file->fd;
	part->io.slot = req->file->ring_slot;
	part->io.rwf = req->net.msg_flags & ~(uint32_t)MSG_WAITALL;
	part->io.msg = &part->msg;
	rd_list_append(&req->zc.parts, &part->link);
	req->zc.sending = &part->io;
	rd_notif_busy(req);
	rd_engine_count(engine, RD_WAY_RING, req->opcode);
	rd_uring_queue(engine->uring, &part->io);
	return true;
}

/* --- running --- */

static int copy(struct rd_req *req)
{
	uint64_t done = req->net.done;
	int verdict = rd_net_run(req);

	if (req->net.done > done || (verdict == RD_DONE && req->res > 0 && (uint64_t)req->res > done))
		req->zc.copied = true;
	report(req);
	return verdict;
}

static int attempt(struct rd_req *req)
{
	return pays(req) && send_part(req) ? rd_req_wait(req) : copy(req);
}

/* Somebody has asked for its end while an attempt was made. */
static int cancelled(struct rd_req *req)
{
	req->res = -ECANCELED;
	rd_net_stopped(req);
	return RD_DONE;
}

/* An attempt without a copy has moved n bytes, or failed. */
static int went(struct rd_req *req, ssize_t n)
{
	struct rd_net *net = &req->net;
	bool unwanted = req->work.unwanted;
	int verdict;

	if (unwanted && (n == -EAGAIN || n == -ENOBUFS || n == -ENOMEM))
		return cancelled(req);

	/* it may have become writable since then; when it says so again and again and is not, copying knows how to wait */
	if (n == -EAGAIN && !(net->msg_flags & MSG_DONTWAIT) && (!net->done || rd_net_goes_on(req)))
		return net->rounds++ < RD_NET_ROUNDS ? rd_net_look(req) : copy(req);
	if (n == -ENOBUFS || n == -ENOMEM)
		return copy(req);	/* it is also what RLIMIT_MEMLOCK says about pages that are lent */
	verdict = rd_net_attempted(req, n);
	if (verdict != RD_NET_GO)
		return verdict;
	return unwanted ? cancelled(req) : attempt(req);
}

static void go_on(struct rd_req *req)
{
	rd_req_go(req, req->ctx->dying ? RD_DONE : went(req, req->res));
}

int rd_send_zc(struct rd_req *req, unsigned int issue_flags)
{
	int r;

	if (!(issue_flags & RD_READY)) {
		r = start(req);
		if (r < 0)
			return rd_net_done(req, r);
		if (req->net.ioprio & RINGD_RECVSEND_POLL_FIRST)
			return req->net.msg_flags & MSG_DONTWAIT ? rd_net_done(req, -EAGAIN) : rd_net_look(req);
	}
	return attempt(req);
}

/* It is in the kernel ring, which does not wait with it, though it may have to wait for room there; it does not go on then. */
int rd_send_zc_cancel(struct rd_req *req)
{
	req->work.unwanted = true;
	if (req->zc.sending->held)
		rd_uring_cancel(req->ctx->engine->uring, req->zc.sending);
	return -EALREADY;
}

void rd_send_zc_cleanup(struct rd_req *req)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &req->zc.parts) {
		rd_list_entry(l, struct rd_zc_part, link)->req = NULL;
		rd_list_remove(l);
	}
	rd_net_cleanup(req);
}
