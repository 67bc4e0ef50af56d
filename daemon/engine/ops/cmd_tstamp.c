/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SOCKET_OP_TX_TIMESTAMP: the time stamps of what a socket has sent, from its error queue, a CQE each, until it is cancelled.
 * Nobody can look into that queue without taking from it. So nothing is taken as long as there may be entries that the
 * command does not take in the kernel either: those with the packet in them, or that were not asked for; and it is not
 * served where errors or notifications of the client's own may be between them.
 */
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>		/* needs time.h */
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd.h"

#define RD_TSTAMP_BURST	32	/* in a row, then others have their turn */
#define RD_SCM_TSTAMP	37	/* SCM_TIMESTAMPING, and its successor for who has asked with that: the same, with 64 bits */
#define RD_SCM_TSTAMP_NEW 65

/* What one entry says. */
struct stamp {
	struct timespec time;
	uint32_t key, type;
	bool hardware, found;
};

static int option(int fd, int level, int opt)
{
	socklen_t len = sizeof(int);
	int value = 0;

	return getsockopt(fd, level, opt, &value, &len) < 0 ? 0 : value;
}

static bool others_may_be_there(int fd)
{
	return option(fd, IPPROTO_IP, IP_RECVERR) || option(fd, IPPROTO_IPV6, IPV6_RECVERR) ||
	       option(fd, SOL_SOCKET, SO_ZEROCOPY);
}

/* Is every time stamp in the queue one that is to be told, and nothing else with it? */
static bool may_take(int fd)
{
	int flags = option(fd, SOL_SOCKET, SO_TIMESTAMPING);

	return (flags & SOF_TIMESTAMPING_OPT_TSONLY) && (flags & (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RAW_HARDWARE));
}

static void read_times(struct stamp *s, const struct cmsghdr *cmsg)
{
	struct timespec ts[3];

	if (cmsg->cmsg_len < CMSG_LEN(sizeof(ts)))
		return;
	memcpy(ts, CMSG_DATA(cmsg), sizeof(ts));
	s->hardware = ts[2].tv_sec || ts[2].tv_nsec;
	s->time = ts[s->hardware ? 2 : 0];
	s->found = true;
}

static void read_error(struct stamp *s, const struct cmsghdr *cmsg)
{
	struct sock_extended_err ee;

	if (cmsg->cmsg_len < CMSG_LEN(sizeof(ee)))
		return;
	memcpy(&ee, CMSG_DATA(cmsg), sizeof(ee));
	if (ee.ee_origin != SO_EE_ORIGIN_TIMESTAMPING)
		return;
	s->key = ee.ee_data;
	s->type = ee.ee_info & 3;
}

/* 0, or what recvmsg() says. */
static int take(int fd, struct stamp *s)
{
	_Alignas(struct cmsghdr) char control[512];
	struct msghdr mh = { .msg_control = control, .msg_controllen = sizeof(control) };

	*s = (struct stamp){ 0 };
	if (recvmsg(fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -errno;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&mh); cmsg; cmsg = CMSG_NXTHDR(&mh, cmsg)) {
		if (cmsg->cmsg_level == SOL_SOCKET &&
		    (cmsg->cmsg_type == RD_SCM_TSTAMP || cmsg->cmsg_type == RD_SCM_TSTAMP_NEW))
			read_times(s, cmsg);
		else if ((cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_RECVERR) ||
			 (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_RECVERR))
			read_error(s, cmsg);
	}
	return 0;
}

static void post(struct rd_req *req, const struct stamp *s)
{
	uint64_t big[2] = { (uint64_t)s->time.tv_sec, (uint64_t)s->time.tv_nsec };
	uint32_t flags = RINGD_CQE_F_MORE | s->type << RINGD_TIMESTAMP_TYPE_SHIFT | (s->hardware ? RINGD_CQE_F_TSTAMP_HW : 0);

	req->ctx->post_big(req->ctx, req->user_data, (int32_t)s->key, flags, big);
}

/* The end of the connection is no reason to stop, and no news either. */
static int wait(struct rd_req *req, int verdict)
{
	req->poll.events = RD_POLL_DEAF;
	return verdict;
}

int rd_cmd_tstamp(struct rd_req *req)
{
	int fd = req->file->fd;
	struct stamp s;
	int r;

	if (!(req->ctx->setup_flags & (RINGD_SETUP_CQE32 | RINGD_SETUP_CQE_MIXED)))
		return -EINVAL;
	if (req->file->flags & RD_FILE_CARRIER)
		return wait(req, RD_POLL_NEWS);		/* it never has any */
	if (!(req->file->flags & RD_FILE_INET) || others_may_be_there(fd))
		return -EOPNOTSUPP;
	if (!may_take(fd))
		return wait(req, RD_POLL_NEWS);
	for (unsigned int i = 0; i < RD_TSTAMP_BURST; i++) {
		if (!req->ctx->post_big(req->ctx, 0, 0, 0, NULL))
			return wait(req, RD_POLL_NEWS);
		r = take(fd, &s);
		if (r < 0)
			return r == -EAGAIN ? wait(req, RD_POLL_NEWS) : r;
		if (s.found)
			post(req, &s);
	}
	return wait(req, RD_POLL_FOR);
}
