/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "msg.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "cmsg.h"
#include "net.h"
#include "ops.h"
#include "../rsrc/stage.h"

/* The client's words are what a kernel of 64 bits reads. */
_Static_assert(sizeof(struct msghdr) == 56 && offsetof(struct msghdr, msg_controllen) == 40 && offsetof(struct msghdr, msg_flags) == 48,
	       "a struct msghdr is io_uring's");

/* --- import --- */

/* With BUFFER_SELECT the segment only says how much is wanted. */
static int import_limit(struct rd_req *req, const struct msghdr *mh)
{
	struct rd_host *host = req->ctx->host;
	struct iovec seg;

	req->net.asked = 0;
	if (mh->msg_iovlen > 1)
		return -EINVAL;
	if (!mh->msg_iovlen)
		return 0;
	if (host->ops->copy_in(host, &seg, (uintptr_t)mh->msg_iov, sizeof(seg)) < 0)
		return -EFAULT;
	if (seg.iov_len <= RD_NET_MAX)
		req->net.asked = (uint32_t)seg.iov_len;
	return 0;
}

static int import_name(struct rd_host *host, struct rd_msg_out *out, const struct msghdr *mh)
{
	out->namelen = mh->msg_name ? mh->msg_namelen : 0;
	if (!out->namelen)
		return 0;
	return host->ops->copy_in(host, &out->name, (uintptr_t)mh->msg_name, out->namelen);
}

/* How many descriptors control data of so many bytes could have in it, as far as that many may be sent. */
static size_t room_for_files(size_t controllen)
{
	if (controllen < CMSG_LEN(sizeof(int)))
		return 0;
	return RD_MIN((controllen - CMSG_LEN(0)) / sizeof(int), (size_t)RD_FDS_MAX);
}

static void import_control(struct rd_req *req, struct rd_msg_out *out, const struct msghdr *mh, size_t len)
{
	struct rd_host *host = req->ctx->host;
	int r = host->ops->copy_in(host, out->control, (uintptr_t)mh->msg_control, len);

	if (r == 0 && req->net.home)
		r = rd_cmsg_check(host, out->control, len);
	else if (r == 0)
		r = rd_cmsg_import(host, out->control, len, out->files, &out->nr);
	if (r < 0)
		out->err = r;
	else
		out->controllen = (uint32_t)r;
}

/* One block for all of it. What is wrong with the control data is not told before the socket was looked at. */
static int import_out(struct rd_req *req, const struct msghdr *mh)
{
	bool huge = mh->msg_controllen > (req->net.home ? RD_CMSG_HOME_MAX : RD_CMSG_SEND_MAX);
	size_t len = huge ? 0 : mh->msg_controllen;
	size_t nr_files = req->net.home ? 0 : room_for_files(len);
	struct rd_host *host = req->ctx->host;
	struct rd_msg *msg;
	void *block;
	int r;

	if (!mh->msg_name && !mh->msg_controllen)
		return 0;
	r = rd_stage_new(&block, &req->ctx->engine->user, sizeof(*msg) + nr_files * sizeof(struct rd_file *) + CMSG_ALIGN(len));
	if (r < 0)
		return r;
	msg = req->net.msg = block;
	msg->out.namelen = msg->out.controllen = msg->out.nr = 0;
	msg->out.files = (struct rd_file **)(void *)(msg + 1);
	msg->out.control = (char *)(msg->out.files + nr_files);
	msg->out.err = huge ? -ENOBUFS : 0;
	r = import_name(host, &msg->out, mh);
	if (r == 0 && len)
		import_control(req, &msg->out, mh, len);
	return r;
}

/* How much of each provided buffer is not for the payload. */
static int import_head(struct rd_msg_in *in)
{
	uint64_t areas = (uint64_t)in->name_room + in->control_room;

	if ((int32_t)in->name_room < 0 || in->control_room > INT32_MAX || areas > INT32_MAX - sizeof(struct ringd_recvmsg_out))
		return -EOVERFLOW;
	in->head = (uint32_t)(areas + sizeof(struct ringd_recvmsg_out));
	return 0;
}

static int import_in(struct rd_req *req, uint64_t addr, const struct msghdr *mh)
{
	struct rd_msg *msg;
	void *block;
	int r;

	r = rd_stage_new(&block, &req->ctx->engine->user, sizeof(*msg));
	if (r < 0)
		return r;
	msg = req->net.msg = block;
	msg->in = (struct rd_msg_in){
		.hdr = addr, .name = (uintptr_t)mh->msg_name, .name_room = mh->msg_namelen, .control = (uintptr_t)mh->msg_control,
		.control_room = mh->msg_controllen,
	};
	return req->net.ioprio & RINGD_RECV_MULTISHOT ? import_head(&msg->in) : 0;
}

/* What is wrong is told in the kernel's order. */
int rd_msg_import(struct rd_req *req, uint64_t addr)
{
	struct rd_host *host = req->ctx->host;
	struct rd_net *net = &req->net;
	struct msghdr mh;
	int r;

	r = host->ops->copy_in(host, &mh, addr, sizeof(mh));
	if (r == 0 && (req->flags & RINGD_SQE_BUFFER_SELECT))
		r = import_limit(req, &mh);
	if (r < 0)
		return r;
	if (mh.msg_name && (int32_t)mh.msg_namelen < 0)
		return -EINVAL;
	if (mh.msg_name && net->send && mh.msg_namelen > sizeof(struct sockaddr_storage))
		return -EINVAL;
	r = net->send ? import_out(req, &mh) : import_in(req, addr, &mh);
	if (r < 0)
		return r;
	if (mh.msg_iovlen > RINGD_MAX_IOVECS)
		return -EMSGSIZE;
	if (req->flags & RINGD_SQE_BUFFER_SELECT)
		return 0;
	return rd_net_segments(req, (uintptr_t)mh.msg_iov, (uint32_t)mh.msg_iovlen);
}

void rd_msg_free(struct rd_req *req)
{
	struct rd_msg *msg = req->net.msg;

	if (!msg)
		return;
	if (req->net.send) {
		for (uint32_t i = 0; i < msg->out.nr; i++)
			rd_file_put(msg->out.files[i]);
	} else {
		rd_fds_close(msg->in.fds, NULL, NULL);
		rd_msg_got_free(req);
	}
	req->net.msg = rd_stage_free(msg);
}

/* --- sending --- */

int rd_msg_envelope(const struct rd_net *net, struct msghdr *mh)
{
	struct rd_msg_out *out;

	if (!net->msg) {
		mh->msg_name = net->namelen ? net->name : NULL;
		mh->msg_namelen = net->namelen;
		return 0;
	}
	out = &net->msg->out;
	mh->msg_name = out->namelen ? &out->name : NULL;
	mh->msg_namelen = out->namelen;
	/* control data goes with the first byte, once */
	mh->msg_control = net->done ? NULL : out->control;
	mh->msg_controllen = net->done ? 0 : out->controllen;
	return out->err;
}

bool rd_msg_brings_files(const struct rd_net *net)
{
	return net->msg && net->msg->out.nr && !net->done;
}

/* --- SENDMSG --- */

int rd_sendmsg_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = rd_net_prep(req, sqe, RINGD_RECVSEND_POLL_FIRST | RINGD_SEND_VECTORIZED);

	if (r < 0)
		return r;
	if (sqe->addr2 || sqe->file_index)
		return -EINVAL;
	req->net.send = true;
	r = rd_msg_import(req, sqe->addr);
	if (r < 0)
		rd_net_cleanup(req);
	return r;
}
