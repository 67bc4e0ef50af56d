/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The eventfd is the client's, so it is never written by this thread: see exec/aio.c. Where the kernel has no
 * asynchronous I/O for us a worker writes. It may sleep in that for as long as the client likes; then there is nothing to
 * tell either, since the counter is not 0.
 */
#include "event.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "../exec/aio.h"
#include "../exec/workers.h"

struct rd_event {
	struct rd_ring *ring;		/* is not freed before this is */
	struct rd_engine *engine;
	int fd;
	bool async;
	uint32_t told;			/* cq_tail at the last signal */
	struct rd_charge file;
	/* without aio */
	struct rd_work work;
	bool writing;			/* the work is under way */
	bool again;			/* ... and there is more to tell */
	bool gone;			/* no ring has it any more */
};

/* --- a worker writes --- */

static void ev_free(struct rd_event *ev)
{
	struct rd_ring *ring = ev->ring;

	rd_close(ev->fd);
	rd_charge_give(&ev->file);
	free(ev);
	ring->events--;
	rd_ring_check_burial(ring);
}

static void write_run(struct rd_work *work)
{
	struct rd_event *ev = RD_CONTAINER_OF(work, struct rd_event, work);
	const uint64_t one = 1;

	(void)!write(ev->fd, &one, sizeof(one));
}

static void write_start(struct rd_event *ev);

static void write_done(struct rd_work *work)
{
	struct rd_event *ev = RD_CONTAINER_OF(work, struct rd_event, work);

	ev->writing = false;
	if (ev->gone)
		ev_free(ev);
	else if (ev->again)
		write_start(ev);
}

static void write_start(struct rd_event *ev)
{
	struct pollfd p = { .fd = ev->fd, .events = POLLOUT };

	ev->again = ev->writing;
	if (ev->writing || poll(&p, 1, 0) <= 0)	/* full: whoever looks at it sees that it is not 0 */
		return;
	ev->writing = true;
	ev->work = (struct rd_work){ .run = write_run, .done = write_done, .unbounded = 1 };
	rd_list_init(&ev->work.link);
	rd_workers_queue(ev->engine->workers, &ev->work);
}

static void ev_signal(struct rd_event *ev)
{
	if (!ev->engine->aio || rd_aio_signal(ev->engine->aio, ev->fd) < 0)
		write_start(ev);
}

/* --- when --- */

void rd_event_published(struct rd_ring *ring)
{
	struct rd_event *ev = ring->event;
	bool worked = ring->worked;

	ring->worked = false;
	if (ev->told == ring->cq_tail)
		return;
	ev->told = ring->cq_tail;
	if (ev->async && !worked)
		return;
	if (!(__atomic_load_n(&ring->hot->cq_flags, __ATOMIC_RELAXED) & RINGD_CQ_EVENTFD_DISABLED))
		ev_signal(ev);
}

void rd_event_pending(struct rd_ring *ring, bool worked)
{
	struct rd_event *ev = ring->event;

	if (ev && (worked || !ev->async) && !(__atomic_load_n(&ring->hot->cq_flags, __ATOMIC_RELAXED) & RINGD_CQ_EVENTFD_DISABLED))
		ev_signal(ev);
}

/* --- registration --- */

/* Without aio there is only the name that procfs gives it. */
static int check_by_name(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char path[40], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	return n == (ssize_t)strlen(name) && !memcmp(target, name, (size_t)n) ? 0 : -EINVAL;
}

/* One for the engine, made when it is first needed. */
static int ev_check(struct rd_engine *engine, int fd)
{
	int r;

	if (!engine->aio && !engine->no_aio) {
		r = rd_aio_new(&engine->aio);
		engine->no_aio = r < 0;
		if (r < 0)
			rd_info("no asynchronous I/O (%s): workers signal eventfds", strerror(-r));
	}
	return engine->aio ? rd_aio_check(engine->aio, fd) : check_by_name(fd);
}

int rd_event_set(struct rd_ring *ring, int fd, bool async)
{
	struct rd_engine *engine = ring->ctx.engine;
	struct rd_event *ev;
	int r;

	if (ring->event)
		return -EBUSY;
	r = ev_check(engine, fd);
	if (r < 0)
		return r;
	ev = calloc(1, sizeof(*ev));
	if (!ev)
		return -ENOMEM;
	r = rd_charge_take(&ev->file, &engine->user, RINGD_LIMIT_FILES, 1);
	if (r < 0) {
		free(ev);
		return r;
	}
	ev->ring = ring;
	ev->engine = engine;
	ev->fd = fd;
	ev->async = async;
	ev->told = ring->cq_tail;
	ring->worked = false;
	ring->event = ev;
	ring->ctx.event_fd = fd;
	ring->events++;
	return 0;
}

int rd_event_clear(struct rd_ring *ring)
{
	struct rd_event *ev = ring->event;

	if (!ev)
		return -ENXIO;
	ring->event = NULL;
	ring->ctx.event_fd = -1;
	ev->gone = true;
	if (!ev->writing || rd_workers_cancel(ev->engine->workers, &ev->work))
		ev_free(ev);
	else
		rd_workers_interrupt(ev->engine->workers, &ev->work);
	return 0;
}

void rd_event_inherit(struct rd_ring *ring)
{
	ring->event->writing = ring->event->again = false;
}

void rd_event_inherit_drop(struct rd_ring *ring)
{
	rd_close(rd_steal_fd(&ring->event->fd));
}
