/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three epoll instances of our own, edge-triggered: one for who waits to read, one for who waits to
 * write, one for both. A descriptor is added to one when somebody first waits for it that way, with all events of that way,
 * and stays there; so arming is a list operation and a look with poll(2) instead of two epoll_ctl(), and any number
 * of polls with any masks share an entry that never changes. It must not: whatever changes an entry makes epoll look
 * again and report what it has reported before, which a multishot poll would take for news. Hence, too, one instance
 * per direction: epoll does not tell which of two events happened and which one was just still there.
 *
 * An entry that brings events nobody waits for is dropped. The one thing that must not be forgotten is to remove
 * entries before close(): epoll keeps them as long as anybody has the file open.
 */
#include "poll.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "bell.h"
#include "loop.h"
#include "reactor.h"

#define RD_POLL_BATCH	64	/* events fetched at once */
#define RD_POLL_FETCHES	4	/* times in a row */
#define RD_POLL_UNHEARD	4	/* events that nobody waited for: the entry is dropped */

#define RD_POLL_READ	(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND | EPOLLRDHUP | EPOLLMSG)
#define RD_POLL_WRITE	(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

_Static_assert(RD_BELLS == RD_POLL_WAYS, "one each");
_Static_assert(RD_POLL_ALWAYS == (EPOLLERR | EPOLLHUP | POLLNVAL | EPOLLRDHUP), "as documented");

static const uint32_t way_events[RD_POLL_WAYS] = { RD_POLL_READ, RD_POLL_WRITE, RD_POLL_READ | RD_POLL_WRITE };

static unsigned int way_of(uint32_t events)
{
	if (!(events & RD_POLL_WRITE))
		return 0;
	return events & RD_POLL_READ & ~(uint32_t)EPOLLRDHUP ? 2 : 1;
}

/* --- entries --- */

void rd_watched_init(struct rd_watched *watched)
{
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++) {
		struct rd_watch *w = &watched->way[i];

		*w = (struct rd_watch){ .fd = -1, .way = (uint8_t)i };
		rd_list_init(&w->waiters);
		rd_list_init(&w->told);
	}
}

static int watch_add(struct rd_polls *ps, struct rd_watch *w, int fd)
{
	struct epoll_event ev = { .events = way_events[w->way] | EPOLLET, .data.ptr = w };

	if (epoll_ctl(ps->way[w->way].epfd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	w->fd = fd;
	w->unheard = 0;
	ps->way[w->way].entries++;
	ps->entries++;
	return 0;
}

static void watch_drop(struct rd_polls *ps, struct rd_watch *w)
{
	epoll_ctl(ps->way[w->way].epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	ps->way[w->way].entries--;
	ps->entries--;
}

void rd_watched_forget(struct rd_watched *watched, struct rd_reactor *reactor)
{
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++) {
		struct rd_watch *w = &watched->way[i];

		rd_list_remove(&w->told);
		if (w->fd >= 0)
			watch_drop(&reactor->polls, w);
	}
}

/* --- events --- */

/* Note what happened. Who waits for it hears of it later: we may be in the middle of arming a poll. */
static void fetch(struct rd_polls *ps, unsigned int way)
{
	struct epoll_event ev[RD_POLL_BATCH];
	int n, rounds = 0;

	do {
		n = epoll_wait(ps->way[way].epfd, ev, RD_POLL_BATCH, 0);
		for (int i = 0; i < n; i++) {
			struct rd_watch *w = ev[i].data.ptr;

			w->got |= ev[i].events;
			w->seq++;
			if (rd_list_empty(&w->told))
				rd_list_append(&ps->told, &w->told);
			ps->pending = true;
		}
	} while (n == RD_POLL_BATCH && ++rounds < RD_POLL_FETCHES);
}

void rd_polls_look(struct rd_polls *ps)
{
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++) {
		if (ps->way[i].entries)
			fetch(ps, i);
	}
}

static unsigned int fire(struct rd_link *firing)
{
	unsigned int n = 0;

	for (; !rd_list_empty(firing); n++) {
		struct rd_poll *poll = rd_list_first(firing, struct rd_poll, link);

		rd_list_remove(&poll->link);
		poll->armed = false;
		poll->ready(poll);	/* may disarm the others, arm anything, or free it all */
	}
	return n;
}

/* Hand out what happened. w may be gone when we return. */
static unsigned int tell(struct rd_polls *ps, struct rd_watch *w)
{
	struct rd_link firing, *l, *tmp;
	uint32_t got = w->got;
	bool exclusive = false;

	w->got = 0;
	if (rd_list_empty(&w->waiters)) {
		if (++w->unheard == RD_POLL_UNHEARD)
			watch_drop(ps, w);
		return 0;
	}
	w->unheard = 0;
	rd_list_init(&firing);
	rd_list_foreach(l, tmp, &w->waiters) {
		struct rd_poll *poll = rd_list_entry(l, struct rd_poll, link);

		if (!(got & poll->events) || poll->seq == w->seq || (poll->exclusive && exclusive))
			continue;
		exclusive |= poll->exclusive;
		poll->revents = got & poll->events;
		poll->got = got;
		poll->seq = w->seq;
		rd_list_remove(l);
		rd_list_append(&firing, l);
	}
	return fire(&firing);
}

unsigned int rd_polls_run(struct rd_polls *ps)
{
	struct rd_link end, ready;
	unsigned int n = 0;

	/* what comes while we are at it is for the next time */
	rd_list_append(&ps->told, &end);
	while (ps->told.next != &end) {
		struct rd_watch *w = rd_list_first(&ps->told, struct rd_watch, told);

		rd_list_remove(&w->told);
		n += tell(ps, w);
	}
	rd_list_remove(&end);
	rd_list_init(&ready);
	if (!rd_list_empty(&ps->now)) {
		/* the whole list gets another head */
		rd_list_append(&ps->now, &ready);
		rd_list_remove(&ps->now);
		n += fire(&ready);
	}
	ps->pending = !rd_list_empty(&ps->told) || !rd_list_empty(&ps->now);
	return n;
}

/* --- polls --- */

uint32_t rd_poll_look(int fd, uint32_t events)
{
	/* of what is always reported this one has to be asked for */
	struct pollfd pfd = { .fd = fd, .events = (short)((events & 0x7fff) | POLLRDHUP) };

	if (poll(&pfd, 1, 0) <= 0)
		return 0;
	return (uint32_t)(unsigned short)pfd.revents & (events | RD_POLL_ALWAYS);
}

static void wait_for(struct rd_poll *poll, struct rd_watch *w)
{
	poll->armed = true;
	poll->seq = w->seq;
	rd_list_append(&w->waiters, &poll->link);
}

static struct rd_watch *prepare(struct rd_poll *poll, struct rd_watched *watched, uint32_t events,
				void (*ready)(struct rd_poll *))
{
	poll->watch = &watched->way[way_of(events)];
	poll->events = events & RD_POLL_DEAF ? (events & ~RD_POLL_DEAF) | (RD_POLL_ALWAYS & ~(uint32_t)EPOLLRDHUP) :
					       events | RD_POLL_ALWAYS;
	poll->revents = 0;
	poll->got = UINT32_MAX;
	poll->ready = ready;
	poll->armed = false;
	rd_list_init(&poll->link);
	return poll->watch;
}

static void fire_soon(struct rd_poll *poll, struct rd_polls *ps)
{
	poll->armed = true;
	rd_list_append(&ps->now, &poll->link);
	ps->pending = true;
}

int rd_poll_arm(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
		void (*ready)(struct rd_poll *))
{
	struct rd_watch *w = prepare(poll, watched, events, ready);
	int r;

	if (w->fd < 0) {
		r = watch_add(&reactor->polls, w, fd);	/* looks, too */
		if (r < 0)
			return r;
	} else {
		poll->revents = rd_poll_look(fd, events) & poll->events;
	}
	if (poll->revents)
		fire_soon(poll, &reactor->polls);
	else
		wait_for(poll, w);
	return 0;
}

void rd_poll_soon(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, void (*ready)(struct rd_poll *))
{
	(void)prepare(poll, watched, 0, ready);
	fire_soon(poll, &reactor->polls);
}

int rd_poll_arm_news(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
		     void (*ready)(struct rd_poll *))
{
	struct rd_watch *w = prepare(poll, watched, events, ready);
	int r = 0;

	if (w->fd < 0)
		r = watch_add(&reactor->polls, w, fd);	/* looks, and what it sees is news */
	if (r < 0)
		return r;
	wait_for(poll, w);
	poll->seq--;	/* what is to be told at this moment counts */
	return 0;
}

int rd_poll_look_or_arm(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
			void (*ready)(struct rd_poll *))
{
	struct rd_watch *w = prepare(poll, watched, events, ready);
	int r = (int)rd_poll_look(fd, events);

	if (r)
		return r;
	/* adding it looks again: what happens between the two is not lost */
	if (w->fd < 0)
		r = watch_add(&reactor->polls, w, fd);
	if (r == 0)
		wait_for(poll, w);
	return r;
}

int rd_poll_look_and_arm(struct rd_poll *poll, struct rd_reactor *reactor, struct rd_watched *watched, int fd, uint32_t events,
			 void (*ready)(struct rd_poll *))
{
	struct rd_watch *w = prepare(poll, watched, events, ready);
	int r;

	if (w->fd < 0) {
		r = watch_add(&reactor->polls, w, fd);
		if (r < 0)
			return r;
	}
	/* what happened up to now, being added is among it, is what the look is about to see */
	fetch(&reactor->polls, w->way);
	wait_for(poll, w);
	return (int)rd_poll_look(fd, events);
}

int rd_poll_again(struct rd_poll *poll, struct rd_reactor *reactor, int fd)
{
	int r = 0;

	if (poll->watch->fd < 0)	/* it took its time, and nobody else waited */
		r = watch_add(&reactor->polls, poll->watch, fd);
	if (r < 0)
		return r;
	wait_for(poll, poll->watch);
	poll->seq--;	/* what is to be told at this moment counts */
	return 0;
}

void rd_poll_pass(struct rd_watched *watched, struct rd_reactor *reactor, int fd, uint32_t events)
{
	struct rd_watch *w = &watched->way[way_of(events)];
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &w->waiters) {
		struct rd_poll *poll = rd_list_entry(l, struct rd_poll, link);

		if (!poll->exclusive || !(poll->events & events))
			continue;
		poll->revents = rd_poll_look(fd, events);
		if (!poll->revents)
			return;
		rd_list_remove(l);
		rd_list_append(&reactor->polls.now, l);
		reactor->polls.pending = true;
		return;
	}
}

void rd_poll_disarm(struct rd_poll *poll)
{
	if (!poll->armed)
		return;
	rd_list_remove(&poll->link);
	poll->armed = false;
}

/* --- of the reactor --- */

bool rd_polls_doze(struct rd_polls *ps)
{
	if (ps->nested)
		return true;
	if (ps->bell)
		rd_bell_heard(ps->bell);
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++) {
		if (ps->way[i].entries && (!ps->bell || rd_bell_arm(ps->bell, i, ps->way[i].epfd) < 0))
			return false;
	}
	return true;
}

int rd_polls_init(struct rd_polls *ps, struct rd_loop *loop, int efd)
{
	int r;

	rd_list_init(&ps->told);
	rd_list_init(&ps->now);
	ps->pending = false;
	ps->entries = 0;
	ps->bell = NULL;
	ps->nested = true;
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++)
		ps->way[i] = (struct rd_poll_way){ .epfd = -1 };
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++) {
		ps->way[i].epfd = rd_private_fd(epoll_create1(EPOLL_CLOEXEC));
		if (ps->way[i].epfd < 0)
			return -errno;
		/* a loop that could and cannot at the moment would hear of some only */
		r = rd_loop_nest(loop, ps->way[i].epfd);
		if (r < 0 && r != -ENOSYS)
			return r;
		ps->nested = r == 0;
	}
	/* at once: later others may have used up what the system has of them */
	if (!ps->nested)
		(void)rd_bell_new(&ps->bell, efd);
	return 0;
}

void rd_polls_deinit(struct rd_polls *ps)
{
	ps->bell = rd_bell_free(ps->bell);
	for (unsigned int i = 0; i < RD_POLL_WAYS; i++) {
		rd_close(ps->way[i].epfd);
		ps->way[i].epfd = -1;
	}
}
