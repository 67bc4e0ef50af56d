/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for readiness of descriptors. Any number of polls may wait for one descriptor, each for events of its own
 * (EPOLLIN ..., as poll(2) and epoll(7) know them); errors and hang-ups are always among them. Reactor thread only.
 */
#ifndef RD_POLL_H
#define RD_POLL_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/list.h"

struct rd_loop;
struct rd_reactor;

#define RD_POLL_ALWAYS	0x2038u		/* EPOLLERR, EPOLLHUP, POLLNVAL, EPOLLRDHUP: reported to everybody */
#define RD_POLL_DEAF	(1u << 27)	/* with the events of a poll: EPOLLRDHUP is not reported to it */
#define RD_POLL_WAYS	3		/* reading, writing, both */

/* What the reactor knows of one descriptor in one direction. */
struct rd_watch {
	struct rd_link waiters;		/* rd_poll */
	struct rd_link told;		/* on rd_polls.told: got is to be handed out */
	uint32_t got;			/* events since they were last handed out */
	uint32_t seq;			/* counts events */
	int fd;				/* in epoll; -1: not there */
	uint8_t way;			/* which of the three it is */
	uint8_t unheard;		/* events in a row that nobody waited for */
};

/* Embedded in what owns the descriptor. */
struct rd_watched {
	struct rd_watch way[RD_POLL_WAYS];
};

struct rd_poll {
	struct rd_link link;		/* the watch's waiters, those being told, or rd_polls.now */
	struct rd_watch *watch;
	uint32_t events;		/* waited for */
	uint32_t revents;		/* for ready(): what there is of them */
	uint32_t got;			/* likewise: all that happened; all bits: that is not known */
	uint32_t seq;			/* only events after this one count; from ready() on: of got */
	bool exclusive;			/* of those that are, one is woken at a time */
	bool armed;
	void (*ready)(struct rd_poll *poll);	/* not armed any more */
};

/* Of one reactor. */
struct rd_polls {
	struct rd_link told;		/* rd_watch: something happened */
	struct rd_link now;		/* rd_poll: were ready when they were armed */
	bool pending;			/* one of the two is not empty */
	uint32_t entries;		/* descriptors in epoll, all ways together */
	bool nested;			/* the loop itself sleeps on our instances */
	struct rd_bell *bell;		/* else; NULL: this machine has none */
	struct rd_poll_way {
		int epfd;
		uint32_t entries;
	} way[RD_POLL_WAYS];
};

/* efd wakes the reactor out of its loop. 0 or -errno; to be deinit'ed in every case. */
int rd_polls_init(struct rd_polls *ps, struct rd_loop *loop, int efd);
void rd_polls_deinit(struct rd_polls *ps);
/* See whether anything happened, without waiting for the event base to do so: pending says so. */
void rd_polls_look(struct rd_polls *ps);
/* The reactor is about to sleep: let what happens ring its eventfd. False: that cannot be had, it must look by itself. */
bool rd_polls_doze(struct rd_polls *ps);
/* Call ready() of those that something is there for. How many. */
unsigned int rd_polls_run(struct rd_polls *ps);

void rd_watched_init(struct rd_watched *watched);
/* Before the descriptor is closed; nobody waits for it any more. */
void rd_watched_forget(struct rd_watched *watched, struct rd_reactor *reactor);

/*
 * Wait once: ready() is called from the event base or the next turn, not from here. fd, watched and poll stay until then or
 * until rd_poll_disarm(). 0, -EPERM (a file that epoll does not take), -ENOMEM ... poll->exclusive is the caller's to set.
 */
int rd_poll_arm(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
		void (*ready)(struct rd_poll *));
/*
 * The same for a file that has just said that there is nothing of what is waited for: it is not looked at again. What
 * happened since, and what is about to be told at this moment, counts.
 */
int rd_poll_arm_news(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
		     void (*ready)(struct rd_poll *));
/* ready() is called in the next turn, whatever there is. */
void rd_poll_soon(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, void (*ready)(struct rd_poll *));
/* What there is of the events now: > 0. Else it was armed and 0 is returned, or an error as above. */
int rd_poll_look_or_arm(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
			void (*ready)(struct rd_poll *));
/* As before but armed in both cases, and ready() is called only when something happens after the look. */
int rd_poll_look_and_arm(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
			 void (*ready)(struct rd_poll *));
/* From ready() or later: wait for what happens next, as before. 0 or an error as above. */
int rd_poll_again(struct rd_poll *poll, struct rd_reactor *reactor, int fd);
/* There are events still, and the exclusive poll that was woken for them leaves: wake the next exclusive one, if there is any. */
void rd_poll_pass(struct rd_watched *watched, struct rd_reactor *reactor, int fd, uint32_t events);
/* From ready() or later: was none of these among what happened, and has nothing happened since? */
static inline bool rd_poll_calm(const struct rd_poll *poll, uint32_t events)
{
	return !(poll->got & events) && poll->seq == poll->watch->seq;
}
/* ready() will not be called. Not armed: nothing. */
void rd_poll_disarm(struct rd_poll *poll);
/* What there is of the events, RD_POLL_ALWAYS included, without waiting. Asks the file: never of one whose server may not answer. */
uint32_t rd_poll_look(int fd, uint32_t events);

#endif
