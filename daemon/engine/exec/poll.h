/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wait once for readiness of a descriptor, on the reactor's event base. */
#ifndef RD_POLL_H
#define RD_POLL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

struct rd_reactor;

struct rd_poll {
	struct event ev;
	bool armed;
	void (*ready)(struct rd_poll *poll);	/* reactor thread; not armed any more */
};

/* events: EV_READ and/or EV_WRITE. fd stays open until ready() or rd_poll_disarm(). 0, -EPERM (a file epoll does not take), -ENOMEM. */
int rd_poll_arm(struct rd_poll *poll, struct rd_reactor *reactor, int fd, short events, void (*ready)(struct rd_poll *));
/* ready() will not be called. Not armed: nothing. */
void rd_poll_disarm(struct rd_poll *poll);

#endif
