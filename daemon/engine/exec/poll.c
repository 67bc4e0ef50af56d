/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One-shot readiness by libevent. Every poll is an event of its own: libevent merges those of one descriptor into one
 * epoll entry. An error or a hang-up counts as readable and writable, so whoever waits tries again and sees it.
 */
#include "poll.h"

#include <errno.h>
#include <sys/epoll.h>

#include "daemon/common/util.h"
#include "reactor.h"

static void poll_fired(evutil_socket_t fd, short events, void *arg)
{
	struct rd_poll *poll = arg;

	(void)fd;
	(void)events;
	poll->armed = false;
	poll->ready(poll);	/* may arm again, or free poll */
}

/* libevent only says -1 and may have spoilt errno: ask epoll itself. */
static int poll_why(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	RD_CLOSE int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0 && errno == EPERM)
		return -EPERM;
	return -ENOMEM;
}

int rd_poll_arm(struct rd_poll *poll, struct rd_reactor *reactor, int fd, short events, void (*ready)(struct rd_poll *))
{
	poll->ready = ready;
	poll->armed = false;
	if (event_assign(&poll->ev, reactor->base, fd, events & (EV_READ | EV_WRITE), poll_fired, poll) < 0)
		return -ENOMEM;
	if (event_add(&poll->ev, NULL) < 0)
		return poll_why(fd);
	poll->armed = true;
	return 0;
}

void rd_poll_disarm(struct rd_poll *poll)
{
	if (!poll->armed)
		return;
	event_del(&poll->ev);
	poll->armed = false;
}
