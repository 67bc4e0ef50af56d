/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts that could sleep although they say MSG_DONTWAIT, and are a worker's: a destination is a path; descriptors are given to
 * the kernel, which may first look for sockets that nobody can reach any more; a family that is neither the Internet's nor UNIX may
 * take locks of others or load modules for what it is sent (netlink does both); or there is no budget for the descriptors that may
 * come, so that the kernel closes them. And those that nothing would wake.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "msg.h"
#include "net.h"
#include "ops.h"
#include "sockname.h"

#define RD_FULL_WAIT_MS		1	/* a receiver whose queue is full is tried again after so long, */
#define RD_FULL_WAIT_MAX_MS	64	/* and ever longer up to this */

static const struct sockaddr *name_of(const struct rd_net *net, uint32_t *len)
{
	struct msghdr mh = { .msg_name = NULL };

	rd_msg_envelope(net, &mh);
	*len = mh.msg_namelen;
	return mh.msg_name;
}

static bool has_path(const struct rd_req *req)
{
	uint32_t len;
	const struct sockaddr *name = name_of(&req->net, &len);

	return name && !req->net.home && rd_sockname_is_path(req->file, name, len);
}

bool rd_net_unheard(const struct rd_req *req)
{
	uint32_t len;

	return req->net.send && (req->file->flags & (RD_FILE_CARRIER | RD_FILE_BYTES | RD_FILE_RECORDS)) == RD_FILE_CARRIER &&
	       name_of(&req->net, &len);
}

bool rd_net_sleeps(const struct rd_req *req)
{
	if (req->net.home)
		return false;	/* what it does in the client's own system calls */
	if (!(req->file->flags & (RD_FILE_INET | RD_FILE_CARRIER)))
		return true;
	return (req->file->flags & RD_FILE_CARRIER) && (rd_msg_brings_files(&req->net) || has_path(req));
}

int rd_net_away(struct rd_req *req)
{
	struct rd_net *net = &req->net;
	uint32_t len;

	/* what waits or runs elsewhere has no provided buffer */
	if (req->flags & RINGD_SQE_BUFFER_SELECT) {
		if (net->done)
			req->outcome = RD_OUT_FAILED;
		return rd_net_done(req, net->done ? (int64_t)net->done : net->send ? -EOPNOTSUPP : -EDQUOT);
	}
	if (net->send && !net->placed && has_path(req)) {
		net->at = rd_sockname_at(req, name_of(net, &len), &net->at_mem);
		if (net->at < 0 && net->at != AT_FDCWD)
			return rd_net_done(req, net->at);
		rd_mem_get(net->at_mem);
		net->placed = true;
	}
	return RD_PUNT;
}

void rd_net_forget_place(struct rd_req *req)
{
	req->net.at_mem = rd_mem_put(req->net.at_mem);
}

/* --- worker --- */

static ssize_t send_message(const struct rd_req *req, const struct msghdr *mh)
{
	long n = syscall(SYS_sendmsg, req->file->fd, mh, (long)rd_net_flags(&req->net));

	return n < 0 ? -errno : n;
}

/* Nothing tells when a receiver has room again that is not the peer. */
static ssize_t send_patiently(const struct rd_req *req, const struct msghdr *mh)
{
	unsigned int ms = RD_FULL_WAIT_MS;
	ssize_t n;

	while ((n = send_message(req, mh)) == -EAGAIN && req->net.patient) {
		const struct timespec ts = { .tv_nsec = ms * 1000000l };

		if (nanosleep(&ts, NULL) < 0)
			return -ECANCELED;	/* only who is not wanted any more is interrupted */
		ms = RD_MIN(2 * ms, RD_FULL_WAIT_MAX_MS);
	}
	return n;
}

/* With a NUL behind the path. */
static ssize_t send_to_path(const struct rd_req *req, struct msghdr *mh)
{
	const struct rd_net *net = &req->net;
	_Alignas(struct sockaddr) char name[sizeof(struct sockaddr_storage) + 1] = { 0 };
	ssize_t n;

	memcpy(name, mh->msg_name, mh->msg_namelen);
	mh->msg_name = name;
	n = rd_sockname_enter(net->at, mh->msg_name, false, 0);
	if (n == 0)
		n = send_patiently(req, mh);
	rd_sockname_leave(net->at);
	return n;
}

void rd_net_work(struct rd_req *req)
{
	struct msghdr mh;
	struct iovec piece;
	ssize_t n = rd_net_message(req, &mh, &piece);

	if (n == 0 && !req->net.send)
		n = rd_msg_receive_work(req, &mh, rd_net_flags(&req->net));
	else if (n == 0)
		n = req->net.placed ? send_to_path(req, &mh) : send_patiently(req, &mh);
	req->res = (int32_t)n;
}

int rd_net_finish(struct rd_req *req)
{
	int verdict = rd_net_attempted(req, req->net.send ? req->res : rd_msg_received(req, req->res));

	if (verdict != RD_DONE && RD_UNLIKELY(req->work.unwanted)) {
		/* who asked for its end was told that it may take a while, not that it will not come */
		req->res = -ECANCELED;
		rd_net_stopped(req);
		return RD_DONE;
	}
	return verdict == RD_NET_GO ? rd_net_run(req) : verdict;
}
