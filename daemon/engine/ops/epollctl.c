/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EPOLL_CTL. An epoll set knows a file by its descriptor number as well as by the file: what is registered through us is
 * registered under the number we have for it, so it is through us that it is changed and removed again (the events carry the
 * client's own data). On a worker: the kernel asks the file whether it is ready, and a FUSE server may keep it waiting.
 */
#include <string.h>
#include <sys/epoll.h>

#include "ops.h"

int rd_epoll_ctl_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_host *host = req->ctx->host;
	struct rd_epoll_ctl *ctl = &req->epoll_ctl;

	if (sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	*ctl = (struct rd_epoll_ctl){ .epfd = sqe->fd, .op = (int32_t)sqe->len, .fd = (int32_t)sqe->off };
	if (ctl->op == EPOLL_CTL_DEL)
		return 0;
	_Static_assert(sizeof(struct epoll_event) == sizeof(ctl->event), "what is copied is what the kernel reads");
	return host->ops->copy_in(host, ctl->event, sqe->addr, sizeof(ctl->event));
}

int rd_epoll_ctl(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_epoll_ctl *ctl = &req->epoll_ctl;
	int r;

	/* a set knows a file by its number, too: by the client's own, where that can be used */
	if (rd_at_home(req)) {
		req->res = epoll_ctl(ctl->epfd, ctl->op, ctl->fd, (struct epoll_event *)(void *)ctl->event) < 0 ? -errno : 0;
		return RD_DONE;
	}
	r = host->ops->file(host, ctl->epfd, &ctl->set);
	if (r == 0)
		r = host->ops->file(host, ctl->fd, &ctl->target);
	if (r == 0)
		return RD_PUNT;
	req->res = r;
	return RD_DONE;
}

void rd_epoll_ctl_cleanup(struct rd_req *req)
{
	struct rd_epoll_ctl *ctl = &req->epoll_ctl;

	if (ctl->set)
		rd_file_put(ctl->set);
	if (ctl->target)
		rd_file_put(ctl->target);
	ctl->set = ctl->target = NULL;
}

void rd_epoll_ctl_work(struct rd_req *req)
{
	const struct rd_epoll_ctl *ctl = &req->epoll_ctl;
	struct epoll_event event;

	memcpy(&event, ctl->event, sizeof(event));
	req->res = epoll_ctl(ctl->set->fd, ctl->op, ctl->target->fd, &event) < 0 ? -errno : 0;
}
