/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receiving messages, and writing back what they are besides data. */
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "cmsg.h"
#include "msg.h"
#include "net.h"
#include "ops.h"
#include "../rsrc/stage.h"

/* What one recvmsg() has brought: on the stack of the reactor, or staged for a worker. */
struct rd_msg_got {
	struct msghdr mh;
	struct sockaddr_storage name;
	struct rd_cmsg_in c;
	bool fresh;		/* a worker has received it, and nobody has looked at it since */
	bool away;		/* with descriptors, perhaps: see rd_cmsg_begin_away() */
};

/* --- writing back --- */

static void cut_fds(struct rd_msg_got *got, uint32_t keep)
{
	if (got->c.fds && rd_fds_cut(got->c.fds, keep) == 0)
		rd_cmsg_drop(&got->c);
}

/*
 * Control data to at. What its place cannot take is lost without a word, as the kernel loses it; descriptors in it not quite
 * so. Those that remain are given to the client when the request is done.
 */
static void put_control(struct rd_req *req, struct rd_msg_got *got, uint64_t at, struct rd_cmsg_fit *fit)
{
	struct rd_host *host = req->ctx->host;
	bool give = got->c.fds && host->ops->can_install(host) == 0;
	char control[RD_CMSG_ROOM];

	rd_cmsg_fit(&got->c, control, req->net.msg->in.control_room, give ? got->c.fds : NULL, fit);
	fit->cut |= got->c.fds && !give;
	if (host->ops->copy_out(host, at, control, fit->len) < 0)
		*fit = (struct rd_cmsg_fit){ .cut = got->c.fds };
	cut_fds(got, fit->n_fds);
}

/* Of the flags, those that are ours are not the client's. */
static uint32_t flags_for(const struct rd_req *req, const struct rd_msg_got *got, const struct rd_cmsg_fit *fit)
{
	const uint32_t ours = MSG_CMSG_CLOEXEC | MSG_CTRUNC;

	return ((uint32_t)got->mh.msg_flags & ~ours) | (req->net.msg_flags & MSG_CMSG_CLOEXEC) | (fit->cut ? MSG_CTRUNC : 0);
}

static void keep_fds(struct rd_msg_in *in, struct rd_msg_got *got, uint64_t control, const struct rd_cmsg_fit *fit, uint32_t flags)
{
	in->fds = rd_steal_ptr(&got->c.fds);
	in->numbers = control + fit->numbers;
	in->len_without = fit->numbers - CMSG_LEN(0);
	in->flags = flags;
}

static int put_name(struct rd_host *host, const struct rd_msg_in *in, const struct rd_msg_got *got, uint64_t at)
{
	uint32_t room = RD_MIN(in->name_room, (uint32_t)sizeof(got->name));

	return host->ops->copy_out(host, at, &got->name, RD_MIN((uint32_t)got->mh.msg_namelen, room));
}

/* Flags and the length of the control data, where the client's struct msghdr has them. */
static int put_flags(struct rd_host *host, const struct rd_msg_in *in, uint32_t flags, uint64_t controllen)
{
	int r = host->ops->copy_out(host, in->hdr + offsetof(struct msghdr, msg_flags), &flags, sizeof(flags));

	if (r == 0)
		r = host->ops->copy_out(host, in->hdr + offsetof(struct msghdr, msg_controllen), &controllen, sizeof(controllen));
	return r;
}

/* Into the client's struct msghdr and what it points to. */
static int write_back(struct rd_req *req, struct rd_msg_got *got)
{
	struct rd_host *host = req->ctx->host;
	struct rd_msg_in *in = &req->net.msg->in;
	uint32_t namelen = got->mh.msg_namelen, flags;
	struct rd_cmsg_fit fit;

	if (in->name && (put_name(host, in, got, in->name) < 0 ||
			 host->ops->copy_out(host, in->hdr + offsetof(struct msghdr, msg_namelen), &namelen, sizeof(namelen)) < 0))
		return -EFAULT;
	put_control(req, got, in->control, &fit);
	flags = flags_for(req, got, &fit);
	if (put_flags(host, in, flags, fit.len) < 0)
		return -EFAULT;
	if (got->c.fds)
		keep_fds(in, got, in->control, &fit, flags);
	return 0;
}

/* In front of the payload in a provided buffer. */
static int write_head(struct rd_req *req, struct rd_msg_got *got, ssize_t n)
{
	struct rd_host *host = req->ctx->host;
	struct rd_msg_in *in = &req->net.msg->in;
	uint64_t name = in->buffer + sizeof(struct ringd_recvmsg_out), control = name + in->name_room;
	struct ringd_recvmsg_out out = { .namelen = got->mh.msg_namelen, .payloadlen = (uint32_t)n };
	struct rd_cmsg_fit fit;

	if (put_name(host, in, got, name) < 0)
		return -EFAULT;
	put_control(req, got, control, &fit);
	out.controllen = (uint32_t)fit.len;
	out.flags = flags_for(req, got, &fit);
	if (host->ops->copy_out(host, in->buffer, &out, sizeof(out)) < 0)
		return -EFAULT;
	if (got->c.fds)
		keep_fds(in, got, control, &fit, out.flags);
	return 0;
}

void rd_msg_take_back(struct rd_req *req)
{
	struct rd_host *host = req->ctx->host;
	struct rd_msg_in *in = &req->net.msg->in;
	uint32_t flags = in->flags | MSG_CTRUNC, len = (uint32_t)in->len_without;

	if (in->head) {
		host->ops->copy_out(host, in->buffer + offsetof(struct ringd_recvmsg_out, controllen), &len, sizeof(len));
		host->ops->copy_out(host, in->buffer + offsetof(struct ringd_recvmsg_out, flags), &flags, sizeof(flags));
	} else {
		put_flags(host, in, flags, in->len_without);
	}
	req->res = in->res;
}

/* --- receiving --- */

static bool brings_descriptors(const struct rd_req *req)
{
	return req->net.kind & RD_FILE_CARRIER;
}

/* Where to put what comes besides data. The segments are there already. */
static void make_room(const struct rd_req *req, struct rd_msg_got *got)
{
	const struct rd_msg *msg = req->net.msg;

	if (brings_descriptors(req) || (msg && msg->in.control_room))
		rd_cmsg_room(&got->c, &got->mh);
	if (msg && (msg->in.head ? msg->in.name_room : msg->in.name)) {
		got->mh.msg_name = &got->name;
		got->mh.msg_namelen = sizeof(got->name);
	}
}

static ssize_t call(int fd, struct msghdr *mh, uint32_t flags)
{
	long n = syscall(SYS_recvmsg, fd, mh, (long)flags);

	return n < 0 ? -errno : n;
}

/* The message was taken in: what becomes of it. */
static ssize_t deliver(struct rd_req *req, struct rd_msg_got *got, ssize_t n)
{
	struct rd_msg *msg = req->net.msg;
	int r = 0;

	if (n >= 0 && msg) {
		msg->in.delivered = true;
		r = msg->in.head ? write_head(req, got, n) : write_back(req, got);
	}
	rd_cmsg_drop(&got->c);
	return r < 0 ? r : n;
}

static ssize_t receive_engine(struct rd_req *req, struct msghdr *mh, uint32_t flags)
{
	struct rd_engine *engine = req->ctx->engine;
	struct rd_msg *msg = req->net.msg;
	struct rd_msg_got got;
	void *block;
	ssize_t n;

	rd_cmsg_begin_uncharged(&got.c);
	if (brings_descriptors(req) && rd_cmsg_begin(&got.c, engine) < 0) {
		n = msg && !msg->in.got ? rd_stage_new(&block, &engine->user, sizeof(got)) : 1;
		if (n == 0) {
			msg->in.got = block;
			msg->in.got->fresh = false;
		}
		return n < 0 ? n : RD_NET_AWAY;
	}
	got.mh = *mh;
	make_room(req, &got);
	n = call(req->file->fd, &got.mh, flags);
	req->net.carried = n >= 0 && got.mh.msg_controllen;
	rd_cmsg_end(&got.c, engine, n < 0 ? NULL : &got.mh);
	return deliver(req, &got, n);
}

/* --- in the client's own process --- */

/* What the kernel has stored where the client wants it, in numbers. */
static int tell_here(struct rd_req *req, const struct msghdr *mh, ssize_t n)
{
	struct rd_host *host = req->ctx->host;
	const struct rd_msg_in *in = &req->net.msg->in;
	struct {
		uint64_t controllen;
		uint32_t flags;
	} __attribute__((__packed__)) end = { mh->msg_controllen, (uint32_t)mh->msg_flags };
	struct ringd_recvmsg_out out = { .namelen = mh->msg_namelen, .controllen = (uint32_t)mh->msg_controllen,
					 .payloadlen = (uint32_t)n, .flags = (uint32_t)mh->msg_flags };
	uint32_t namelen = mh->msg_namelen;
	int r = 0;

	_Static_assert(offsetof(struct msghdr, msg_flags) == offsetof(struct msghdr, msg_controllen) + 8, "side by side");
	if (in->head)
		return host->ops->copy_out(host, in->buffer, &out, sizeof(out));
	if (in->name)
		r = host->ops->copy_out(host, in->hdr + offsetof(struct msghdr, msg_namelen), &namelen, sizeof(namelen));
	return r < 0 ? r : host->ops->copy_out(host, in->hdr + offsetof(struct msghdr, msg_controllen), &end, sizeof(end));
}

/* Addresses are the client's, and so are the descriptors that come: the kernel does it all. */
static ssize_t receive_here(struct rd_req *req, struct msghdr *mh, uint32_t flags)
{
	struct rd_msg_in *in;
	uint64_t name;
	ssize_t n;
	int r;

	if (!req->net.msg)
		return call(req->file->fd, mh, flags);
	in = &req->net.msg->in;
	name = in->head ? in->buffer + sizeof(struct ringd_recvmsg_out) : in->name;
	if (in->head ? in->name_room : in->name) {
		mh->msg_name = (void *)(uintptr_t)name;
		mh->msg_namelen = in->name_room;
	}
	if (in->control_room) {
		mh->msg_control = (void *)(uintptr_t)(in->head ? name + in->name_room : in->control);
		mh->msg_controllen = in->control_room;
	}
	n = call(req->file->fd, mh, flags);
	req->net.carried = n >= 0 && mh->msg_controllen;
	if (n < 0)
		return n;
	in->delivered = true;
	r = tell_here(req, mh, n);
	return r < 0 ? r : n;
}

ssize_t rd_msg_receive(struct rd_req *req, struct msghdr *mh, uint32_t flags)
{
	if (req->net.home)
		return receive_here(req, mh, flags);
	return receive_engine(req, mh, flags);
}

/* Somebody else's turn. */
static void end_away(const struct rd_req *req, struct rd_msg_got *got)
{
	if (got->away)
		rd_cmsg_end_away(req->ctx->engine);
	got->away = false;
}

/* Without room for control data the kernel closes what comes, on this thread. */
ssize_t rd_msg_receive_work(struct rd_req *req, struct msghdr *mh, uint32_t flags)
{
	struct rd_msg_got *got = req->net.msg ? req->net.msg->in.got : NULL;
	ssize_t n;

	if (!got)
		return call(req->file->fd, mh, flags);
	rd_cmsg_begin_uncharged(&got->c);
	got->mh = *mh;
	make_room(req, got);
	got->away = rd_cmsg_begin_away(req->ctx->engine);
	if (!got->away)
		got->mh.msg_controllen = 0;
	n = call(req->file->fd, &got->mh, flags);
	got->fresh = n >= 0;
	if (n < 0 || !got->mh.msg_controllen)
		end_away(req, got);
	return n;
}

ssize_t rd_msg_received(struct rd_req *req, ssize_t n)
{
	struct rd_msg_got *got = req->net.msg ? req->net.msg->in.got : NULL;

	if (!got || n < 0)
		return n;
	got->fresh = false;
	rd_cmsg_end(&got->c, req->ctx->engine, &got->mh);
	end_away(req, got);
	return deliver(req, got, n);
}

void rd_msg_got_free(struct rd_req *req)
{
	struct rd_msg_got *got = req->net.msg->in.got;

	if (got && got->fresh) {	/* its ring has ended */
		rd_cmsg_end(&got->c, req->ctx->engine, &got->mh);
		rd_cmsg_drop(&got->c);
		end_away(req, got);
	}
	req->net.msg->in.got = rd_stage_free(got);
}
