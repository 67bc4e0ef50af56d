/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork(). Nothing is under way while it happens, since the thread that forks has the lock. The child closes at once what it
 * must not have of the parent's (a pipe would not see its end), and does no more than that until it uses a ring: most go on
 * to exec(). Then it makes an engine of its own, and each ring is taken over when it is first used.
 *
 * Our locks are the last that are taken: a thread that is to give back one of the program's, for which another handler waits, may
 * have to come through here first. So the handlers are made before the program's, when we are loaded. But an allocator that the
 * program brings may have taken its locks by then, and whoever has ours wait for it: then the child has no rings.
 *
 * vfork(), posix_spawn() and the like run no handlers. They must not call us, and do not, but for close(), which the door
 * leaves to the kernel then.
 */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <stdlib.h>

#include "daemon/common/util.h"
#include "daemon/engine/ring/inherit.h"
#include "process.h"

#define RD_PATIENCE_S	3	/* far longer than anybody has the lock */

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* --- the handlers --- */

static bool take_locks(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += RD_PATIENCE_S;
	if (!rd_local_life_lock_until(&end))
		return false;
	if (rd_local_lock_until(&end))
		return true;
	rd_local_life_unlock();
	return false;
}

static void before(void)
{
	struct rd_local_thread *t = rd_local_thread();

	t->forks_inside = t->inside || t->settling;
	t->forks_blind = !t->forks_inside && !take_locks();
	if (t->forks_inside || t->forks_blind)
		return;
	if (rd_local.running) {
		rd_local_share_new();
		rd_local_share_unlock();	/* others may go on meanwhile */
	}
}

static void after(void)
{
	if (rd_local_thread()->forks_inside || rd_local_thread()->forks_blind)
		return;
	if (rd_local.running)
		rd_local_share_lock();
	rd_local_unlock();
	rd_local_life_unlock();
}

static void each_ring(struct rd_link *list, void (*fn)(struct rd_ring *ring))
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, list)
		fn(rd_list_entry(l, struct rd_local_ring, link)->ring);
}

static void put_to_sleep(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.all) {
		struct rd_local_ring *lr = rd_list_entry(l, struct rd_local_ring, link);

		rd_list_remove(&lr->link);
		rd_list_init(&lr->touched);
		rd_list_append(&rd_local.dormant, &lr->link);
		lr->dormant = true;
		lr->lingers = false;
		lr->waiting = 0;
		lr->exposed = false;
		lr->alone = (struct rd_source){ .fd = -1 };
	}
	rd_local.lingering = 0;
	rd_local_ringfd_recount();
	rd_list_foreach(l, tmp, &rd_local.dormant) {
		struct rd_local_ring *lr = rd_list_entry(l, struct rd_local_ring, link);

		if (!lr->refs)
			rd_local_dormant_drop(lr);
	}
}

/* Whoever had the locks is not in the child, and nobody knows what of all that is true. It is left where it is. */
static void begin_anew(void)
{
	rd_local_ringfd_forget();
	rd_list_init(&rd_local.all);
	rd_list_init(&rd_local.touched);
	rd_list_init(&rd_local.waiters);
	rd_list_init(&rd_local.dormant);
	rd_list_init(&rd_local.shares);
	rd_local.heirs = rd_local.lingering = 0;
	rd_local.driver = NULL;
	rd_local.asleep = rd_local.running = false;
	rd_local.background = (struct rd_local_background){ .epfd = -1, .ctl = -1 };
	memset(&rd_local.engine, 0, sizeof(rd_local.engine));
	memset(&rd_local.host, 0, sizeof(rd_local.host));
	atomic_store(&rd_local_rings, 0);
	pthread_mutex_init(&rd_local.lock, NULL);
	rd_local_life_again();
}

static void in_child(void)
{
	rd_local.generation++;
	rd_local.parent = rd_local.pid;
	rd_local.pid = getpid();
	if (rd_local_thread()->forks_inside) {
		/* the interrupted call goes on, with what it has; after that there is nothing to be had */
		rd_local.poisoned = true;
		return;
	}
	if (rd_local_thread()->forks_blind) {
		begin_anew();
		return;
	}
	if (rd_local.running) {
		rd_local_driver_forget();
		each_ring(&rd_local.all, rd_ring_inherit_uncount);
		each_ring(&rd_local.all, rd_ring_inherit_count);
		each_ring(&rd_local.all, rd_ring_inherit_close);
		rd_local_dirfd_drop(&rd_local.host);
		rd_engine_inherit(&rd_local.engine);
		rd_local_share_forget();
		rd_local.running = false;
		put_to_sleep();
	}
	rd_local_unlock();
	rd_local_life_unlock();
}

static void watch(void)
{
	rd_local.pid = getpid();
	(void)pthread_atfork(before, after, in_child);
}

/* Behind report.c's, which looks at what there was. */
static __attribute__((__constructor__(102))) void watch_from_the_start(void)
{
	pthread_once(&once, watch);
}

void rd_local_fork_watch(void)
{
	pthread_once(&once, watch);
}

/* --- rings in the child --- */

void rd_local_dormant_drop(struct rd_local_ring *lr)
{
	rd_list_remove(&lr->link);
	rd_ring_inherit_drop(lr->ring);
	rd_local_share_leave(lr);
	atomic_fetch_sub(&rd_local_rings, 1);
	rd_local_ring_free(lr);
}

/* The budget knows what the tables and rings hold; requests and threads were the parent's. */
static int engine_again(void)
{
	struct rd_engine old = rd_local.engine;
	int r;

	if (rd_local.running)
		return 0;
	r = rd_local_start();
	if (r < 0)
		return r;
	rd_local.engine.user = old.user;
	rd_local.engine.user.used[RINGD_LIMIT_INFLIGHT] = 0;
	rd_local.engine.user.used[RINGD_LIMIT_WORKERS] = 0;
	rd_local.engine.rings = old.rings;
	rd_local.engine.last_serial = old.last_serial;
	return 0;
}

struct rd_local_ring *rd_local_wake_up(struct rd_local_ring *lr)
{
	struct rd_ring *ring = lr->ring;

	if (!lr->share || ring->dead || engine_again() < 0)
		return NULL;
	rd_ring_inherit(ring);
	ring->pins = 1;
	for (uint32_t i = 0; i < ring->ctx.files.nr; i++)
		rd_local.host.files.dups += ring->ctx.files.slots[i] && (ring->ctx.files.slots[i]->flags & RD_FILE_DUP);
	lr->remote = ring->sqpoll || lr->remote;
	ring->sqpoll = false;
	rd_list_remove(&lr->link);
	rd_list_append(&rd_local.all, &lr->link);
	lr->dormant = false;
	if (rd_local_share_attach(lr) == 0)
		return lr;
	lr->dormant = true;
	rd_list_remove(&lr->link);
	rd_list_append(&rd_local.dormant, &lr->link);
	return NULL;
}
