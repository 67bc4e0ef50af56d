/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reactor's loop in a process that is not ours: one epoll instance. Whoever drives the reactor sleeps on its descriptor
 * itself, without the lock (driver.c); here is only what has happened.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/loop.h"

#define RD_LOOP_BATCH	16	/* more than there are sources */

struct rd_loop {
	int epfd;
};

int rd_loop_new(struct rd_loop **ret)
{
	struct rd_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->epfd = rd_private_fd(epoll_create1(EPOLL_CLOEXEC));
	if (loop->epfd < 0) {
		err = -errno;
		free(loop);
		return err;
	}
	*ret = loop;
	return 0;
}

struct rd_loop *rd_loop_free(struct rd_loop *loop)
{
	if (loop)
		rd_close(loop->epfd);
	free(loop);
	return NULL;
}

int rd_local_loop_fd(const struct rd_loop *loop)
{
	return loop->epfd;
}

int rd_loop_add(struct rd_loop *loop, struct rd_source *source, int fd, void (*ready)(void *arg), void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = source };

	*source = (struct rd_source){ .fd = fd, .ready = ready, .arg = arg };
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	source->event = (void *)source;	/* it is there */
	return 0;
}

void rd_loop_remove(struct rd_loop *loop, struct rd_source *source)
{
	if (source->event)
		epoll_ctl(loop->epfd, EPOLL_CTL_DEL, source->fd, NULL);
	source->event = NULL;
}

/* Level-triggered, and without a source: the reactor looks into it by itself. */
int rd_loop_nest(struct rd_loop *loop, int epfd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	return epoll_ctl(loop->epfd, EPOLL_CTL_ADD, epfd, &ev) < 0 ? -errno : 0;
}

void rd_loop_run(struct rd_loop *loop, int how, unsigned int nap_us)
{
	struct epoll_event ev[RD_LOOP_BATCH];
	int n = epoll_wait(loop->epfd, ev, RD_LOOP_BATCH, 0);

	(void)how;	/* nobody sleeps here */
	(void)nap_us;
	for (int i = 0; i < n; i++) {
		struct rd_source *source = ev[i].data.ptr;

		if (source)
			source->ready(source->arg);
	}
}

void rd_loop_break(struct rd_loop *loop)
{
	(void)loop;
}

struct event_base *rd_loop_base(struct rd_loop *loop)
{
	(void)loop;
	return NULL;
}
