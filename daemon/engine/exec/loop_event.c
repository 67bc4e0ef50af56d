/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reactor's loop on libevent. */
#include "loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

struct rd_loop {
	struct event_base *base;
	struct event *nap;
};

static void on_nap(evutil_socket_t fd, short what, void *arg)
{
	/* it has ended the sleep */
	(void)fd;
	(void)what;
	(void)arg;
}

int rd_loop_new(struct rd_loop **ret)
{
	struct event_config *cfg = event_config_new();
	struct rd_loop *loop = calloc(1, sizeof(*loop));

	if (cfg && loop) {
		event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
		loop->base = event_base_new_with_config(cfg);
	}
	if (cfg)
		event_config_free(cfg);
	if (loop && loop->base)
		loop->nap = evtimer_new(loop->base, on_nap, NULL);
	if (!loop || !loop->nap) {
		rd_loop_free(loop);
		return -ENOMEM;
	}
	*ret = loop;
	return 0;
}

struct rd_loop *rd_loop_free(struct rd_loop *loop)
{
	if (!loop)
		return NULL;
	if (loop->nap)
		event_free(loop->nap);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
	return NULL;
}

static void on_source(evutil_socket_t fd, short what, void *arg)
{
	struct rd_source *source = arg;

	(void)fd;
	(void)what;
	source->ready(source->arg);
}

int rd_loop_add(struct rd_loop *loop, struct rd_source *source, int fd, void (*ready)(void *arg), void *arg)
{
	*source = (struct rd_source){ .fd = fd, .ready = ready, .arg = arg };
	source->event = event_new(loop->base, fd, EV_READ | EV_ET | EV_PERSIST, on_source, source);
	if (source->event && event_add(source->event, NULL) == 0)
		return 0;
	rd_loop_remove(loop, source);
	return -ENOMEM;
}

void rd_loop_remove(struct rd_loop *loop, struct rd_source *source)
{
	(void)loop;
	if (source->event)
		event_free(source->event);
	source->event = NULL;
}

/* Alone, EVLOOP_NONBLOCK goes on as long as anything is active, and a storm of doorbells or of control messages would keep the
 * reactor from everything else; with EVLOOP_ONCE it is what is active now, once. */
void rd_loop_run(struct rd_loop *loop, int how, unsigned int nap_us)
{
	static const int flags[] = {
		[RD_LOOP_SLEEP] = EVLOOP_ONCE,
		[RD_LOOP_ONCE] = EVLOOP_ONCE | EVLOOP_NONBLOCK,
		[RD_LOOP_ALL] = EVLOOP_NONBLOCK,
	};
	const struct timeval nap = { .tv_sec = nap_us / 1000000, .tv_usec = (suseconds_t)(nap_us % 1000000) };

	if (nap_us)
		evtimer_add(loop->nap, &nap);
	event_base_loop(loop->base, flags[how]);
}

void rd_loop_break(struct rd_loop *loop)
{
	event_base_loopbreak(loop->base);
}

int rd_loop_nest(struct rd_loop *loop, int epfd)
{
	(void)loop;
	(void)epfd;
	return -ENOSYS;
}

struct event_base *rd_loop_base(struct rd_loop *loop)
{
	return loop->base;
}
