/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread that drives while none of the program's does. See driver.c. */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/stack.h"
#include "daemon/common/util.h"
#include "loop.h"
#include "process.h"

#define RD_STACK	(128u << 10)
#define RD_PAUSES	64	/* turns of one that polls before it lets somebody else have the CPU */
#define RD_NAP_MIN_MS	4	/* between looks for rings that were closed without a word */
#define RD_NAP_MAX_MS	256

void rd_local_background_arm(bool arm)
{
	struct rd_local_background *b = &rd_local.background;
	struct epoll_event ev = { .events = arm ? EPOLLIN : 0 };

	if (b->armed == arm)
		return;
	b->armed = arm;
	epoll_ctl(b->epfd, EPOLL_CTL_MOD, rd_local_loop_fd(rd_local.engine.reactor->loop), &ev);
}

/*
 * Between two turns of one that is awake: others get the lock. While it polls an SQ a program on another CPU is
 * about to bring work, or to take the CPU when there is no other.
 */
static void background_pause(struct rd_local_background *b, bool busy)
{
	bool stay = busy && b->idle++ < RD_PAUSES;

	if (!stay)
		b->idle = 0;
	rd_local_pass(!stay);
}

static void background_sleep(struct rd_local_background *b)
{
	struct pollfd p = { .fd = b->epfd, .events = POLLIN };
	bool woken;

	b->naps = rd_local.unheard;
	rd_local_unlock();
	woken = poll(&p, 1, b->naps ? b->nap_ms : -1) != 0;
	rd_local_lock();
	rd_local_hush_eventfd(b->ctl);
	b->nap_ms = woken ? RD_NAP_MIN_MS : RD_MIN(2 * b->nap_ms, RD_NAP_MAX_MS);
	if (b->naps)
		rd_local_ringfd_lost();
	b->quit |= p.revents & POLLNVAL;	/* the program has closed it; it would be told that without end */
}

/* With the lock, which it gives up while it sleeps. */
static void background_step(struct rd_local_background *b)
{
	bool mine = !rd_local.driver || rd_local.driver == b;

	if (mine) {
		bool busy;

		rd_local.driver = b;
		busy = rd_local_turn_on() || !rd_reactor_calm(rd_local.engine.reactor);
		if (!atomic_load(&rd_local_rings))
			return;		/* that was the last one */
		if (busy || !rd_reactor_doze(rd_local.engine.reactor)) {
			if (!busy)
				rd_reactor_events(rd_local.engine.reactor);
			background_pause(b, busy);
			return;
		}
		rd_local_background_arm(true);
		rd_local.asleep = true;
	}
	background_sleep(b);
	if (rd_local.driver != b)
		return;
	rd_local.asleep = false;
	rd_reactor_woken(rd_local.engine.reactor);
	rd_reactor_events(rd_local.engine.reactor);
}

static void background_close(struct rd_local_background *b)
{
	rd_close(rd_steal_fd(&b->epfd));
	rd_close(rd_steal_fd(&b->ctl));
}

static void *background_run(void *arg)
{
	struct rd_local_background *b = arg;
	bool last;

	rd_local_lock();
	while (!b->quit && atomic_load(&rd_local_rings))
		background_step(b);
	if (rd_local.driver == b) {
		rd_local.driver = NULL;
		rd_local.asleep = false;
	}
	/* what the program had closed before has come back at last, and nobody but us sees that it was the last */
	last = !b->quit;
	if (last) {
		pthread_detach(b->thread);
		background_close(b);
		b->started = false;
	}
	rd_local_unlock();
	if (last)
		rd_local_settle_down();
	return NULL;
}

/* Every signal is the program's, but those that a thread of its own brings upon itself. */
static int background_thread(struct rd_local_background *b)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, rd_stack_size(RD_STACK));
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&b->thread, &attr, background_run, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static int background_fds(struct rd_local_background *b)
{
	struct epoll_event in = { .events = EPOLLIN }, off = { .events = 0 };

	b->epfd = rd_private_fd(epoll_create1(EPOLL_CLOEXEC));
	b->ctl = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (b->epfd < 0 || b->ctl < 0 || epoll_ctl(b->epfd, EPOLL_CTL_ADD, b->ctl, &in) < 0 ||
	    epoll_ctl(b->epfd, EPOLL_CTL_ADD, rd_local_loop_fd(rd_local.engine.reactor->loop), &off) < 0)
		return -errno;
	b->armed = false;
	return 0;
}

bool rd_local_background_start(void)
{
	struct rd_local_background *b = &rd_local.background;

	if (b->started)
		return true;
	b->quit = false;
	b->nap_ms = RD_NAP_MIN_MS;
	b->naps = true;
	b->started = background_fds(b) == 0 && background_thread(b) == 0;
	if (!b->started)
		background_close(b);	/* tried again by the next who leaves */
	return b->started;
}

void rd_local_background_watch(void)
{
	struct rd_local_background *b = &rd_local.background;

	if (rd_local_background_start() && !b->naps)
		rd_local_ring_eventfd(b->ctl);	/* it sleeps for as long as it takes */
}

void rd_local_driver_stop(void)
{
	struct rd_local_background *b = &rd_local.background;
	bool started;

	rd_local_lock();
	started = b->started && !pthread_equal(b->thread, pthread_self());
	b->quit = started;
	if (started)
		rd_local_ring_eventfd(b->ctl);
	rd_local_unlock();
	if (!started)
		return;
	pthread_join(b->thread, NULL);
	rd_local_lock();
	background_close(b);
	b->started = false;
	rd_local_unlock();
}

void rd_local_driver_forget(void)
{
	background_close(&rd_local.background);
	rd_local.background = (struct rd_local_background){ .epfd = -1, .ctl = -1 };
	rd_local.driver = NULL;
	rd_local.asleep = false;
	rd_local.alone = false;
	while (!rd_list_empty(&rd_local.waiters)) {
		struct rd_local_waiter *w = rd_list_first(&rd_local.waiters, struct rd_local_waiter, link);

		/* of this thread it may be one that a handler has interrupted: it sees that it is in another process */
		rd_list_remove(&w->link);
		rd_close(rd_steal_fd(&w->efd));
		w->lr = w->held = NULL;
	}
	rd_local_thread()->waiting = 0;
	rd_list_init(&rd_local.touched);
}
