/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "../engine.h"
#include "bridge.h"
#include "reactor.h"
#include "timer.h"

#define BUCKETS		64u
#define BRIDGES_MAX	16u		/* 2032 words */
#define BRIDGE_CROWD	16u		/* so many on every thread, and another one is started */
#define IDLE_NS		100000000u	/* threads without words stay so long */
#define REAP_NS		10000000u	/* look again whether one has ended */

struct rd_futexes {
	struct rd_engine *engine;
	struct rd_link buckets[BUCKETS];	/* rd_futex_wait.link */
	struct rd_link bridges;		/* rd_bridge.link */
	struct rd_link stopped;		/* ... whose threads were told to end */
	unsigned int n_bridges;
	struct rd_timer idle;
};

static struct rd_link *bucket_of(struct rd_futexes *f, const uint32_t *word)
{
	uint64_t h = (uintptr_t)word * 0x9e3779b97f4a7c15u;

	return &f->buckets[h >> 58];
}

static int op_of(int op, bool priv)
{
	return priv ? op | FUTEX_PRIVATE_FLAG : op;
}

int rd_futex_compare(uint32_t *word, uint32_t val, bool priv)
{
	/* "move nobody from this word to itself if it is val": a comparison by the kernel, which survives whatever happens to
	 * the memory */
	return syscall(SYS_futex, word, op_of(FUTEX_CMP_REQUEUE, priv), 0, 0L, word, val) < 0 ? -errno : 0;
}

/* --- threads come and go --- */

static void stop_idle(struct rd_futexes *f)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &f->bridges) {
		struct rd_bridge *b = rd_list_entry(l, struct rd_bridge, link);

		if (!rd_bridge_idle(b))
			continue;
		rd_list_remove(&b->link);
		rd_list_append(&f->stopped, &b->link);
		f->n_bridges--;
		rd_bridge_stop(b);
	}
}

/* Waiting for a thread to end would be waiting: look again later. */
static void idle_fired(struct rd_timer *timer)
{
	struct rd_futexes *f = RD_CONTAINER_OF(timer, struct rd_futexes, idle);
	struct rd_link *l, *tmp;

	stop_idle(f);
	rd_list_foreach(l, tmp, &f->stopped)
		rd_bridge_reap(rd_list_entry(l, struct rd_bridge, link), false);
	if (!rd_list_empty(&f->stopped))
		rd_timer_arm(&f->engine->reactor->timers, timer, RD_TIMER_MONOTONIC, rd_timer_now(RD_TIMER_MONOTONIC) + REAP_NS);
}

static void idle_later(struct rd_futexes *f)
{
	if (!f->idle.armed)
		rd_timer_arm(&f->engine->reactor->timers, &f->idle, RD_TIMER_MONOTONIC,
			     rd_timer_now(RD_TIMER_MONOTONIC) + IDLE_NS);
}

static int futexes_new(struct rd_engine *engine)
{
	struct rd_futexes *f;

	if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) < 0 && errno != EINVAL)
		return -EOPNOTSUPP;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->engine = engine;
	for (unsigned int i = 0; i < BUCKETS; i++)
		rd_list_init(&f->buckets[i]);
	rd_list_init(&f->bridges);
	rd_list_init(&f->stopped);
	f->idle.fire = idle_fired;
	engine->futexes = f;
	return 0;
}

void rd_futexes_deinit(struct rd_engine *engine)
{
	struct rd_futexes *f = engine->futexes;
	struct rd_link *l, *tmp;

	if (!f)
		return;
	stop_idle(f);
	rd_list_foreach(l, tmp, &f->stopped)
		rd_bridge_reap(rd_list_entry(l, struct rd_bridge, link), true);
	rd_timer_disarm(&engine->reactor->timers, &f->idle);
	engine->futexes = NULL;
	free(f);
}

/* --- waiting --- */

static void leave_table(struct rd_futex_wait *wait)
{
	rd_list_remove(&wait->link);
	if (!wait->bridge->used)
		idle_later(wait->bridge->futexes);
	wait->bridge = NULL;
}

/* Its thread says so. */
static void bridge_fired(struct rd_futex_wait *wait, int res)
{
	leave_table(wait);
	wait->woken(wait, res);
}

static int bridge_start(struct rd_futexes *f, struct rd_bridge **ret)
{
	struct rd_bridge *b = NULL;
	int r;

	if (f->n_bridges == BRIDGES_MAX)
		return -EDQUOT;
	r = rd_bridge_new(&b, f->engine->reactor, &f->engine->user, !f->n_bridges);
	if (r < 0)
		return r;
	b->fired = bridge_fired;
	b->futexes = f;
	rd_list_append(&f->bridges, &b->link);
	f->n_bridges++;
	*ret = b;
	return 0;
}

/* The thread with the fewest words, or a new one when all have many. */
static int bridge_find(struct rd_futexes *f, struct rd_bridge **ret)
{
	struct rd_bridge *best = NULL;
	struct rd_link *l, *tmp;
	int r;

	rd_list_foreach(l, tmp, &f->bridges) {
		struct rd_bridge *b = rd_list_entry(l, struct rd_bridge, link);

		if ((!best || b->used < best->used) && !rd_bridge_full(b))
			best = b;
	}
	if (best && best->used < BRIDGE_CROWD) {
		*ret = best;
		return 0;
	}
	r = bridge_start(f, ret);
	if (r == 0 || !best)
		return r;
	*ret = best;
	return 0;
}

int rd_futex_queue(struct rd_engine *engine, struct rd_futex_wait *wait)
{
	struct rd_bridge *b = NULL;
	int r = engine->futexes ? 0 : futexes_new(engine);

	if (r == 0)
		r = bridge_find(engine->futexes, &b);
	if (r < 0)
		return r;
	rd_bridge_add(b, wait);
	rd_list_append(bucket_of(engine->futexes, wait->word), &wait->link);
	return 0;
}

static void call_all(struct rd_futexes *f)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &f->bridges)
		rd_bridge_call(rd_list_entry(l, struct rd_bridge, link));
}

void rd_futex_unqueue(struct rd_futex_wait *wait)
{
	struct rd_bridge *b = wait->bridge;

	if (!b)
		return;
	/* somebody has woken it, and it will not hear of it: that wake-up is for the next one */
	if (rd_bridge_remove(wait))
		syscall(SYS_futex, wait->word, op_of(FUTEX_WAKE, wait->priv), 1, NULL, NULL, 0);
	leave_table(wait);
	rd_bridge_call(b);
}

/* --- waking --- */

static struct rd_futex_wait *find_waiter(struct rd_futexes *f, const uint32_t *word, bool priv, uint32_t mask)
{
	struct rd_link *l, *tmp, *bucket = bucket_of(f, word);

	rd_list_foreach(l, tmp, bucket) {
		struct rd_futex_wait *wait = rd_list_entry(l, struct rd_futex_wait, link);

		if (wait->word == word && wait->priv == priv && (wait->mask & mask))
			return wait;
	}
	return NULL;
}

/* Those in our table. */
static uint32_t wake_table(struct rd_futexes *f, const uint32_t *word, bool priv, uint32_t nr, uint32_t mask)
{
	struct rd_futex_wait *wait;
	uint32_t n = 0;

	while (n < nr && (wait = find_waiter(f, word, priv, mask))) {
		n += !rd_bridge_remove(wait);	/* else it was somebody else */
		leave_table(wait);
		wait->woken(wait, 0);
	}
	return n;
}

/* What our own threads have in the kernel's queue of this word: they are hit, too, and do not count. */
static uint32_t count_ours(struct rd_futexes *f, const uint32_t *word, bool priv)
{
	struct rd_link *l, *tmp;
	uint32_t n = 0;

	rd_list_foreach(l, tmp, &f->bridges)
		n += rd_bridge_ours(rd_list_entry(l, struct rd_bridge, link), word, priv);
	return n;
}

static void absolve(struct rd_futexes *f, const uint32_t *word, bool priv)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &f->bridges)
		rd_bridge_absolve(rd_list_entry(l, struct rd_bridge, link), word, priv);
}

/* Those who wait by system calls: how many of up to nr were woken, or -EFAULT. */
static long wake_kernel(struct rd_futexes *f, uint32_t *word, bool priv, uint32_t nr, uint32_t mask)
{
	uint32_t ours = f ? count_ours(f, word, priv) : 0, most = RD_MIN(nr + ours, (uint32_t)INT_MAX);
	long hit;

	hit = syscall(SYS_futex, word, op_of(FUTEX_WAKE_BITSET, priv), most, NULL, NULL, mask);
	if (hit < 0)
		return -errno;
	if (ours && (uint32_t)hit < most)
		absolve(f, word, priv);
	return hit - RD_MIN(hit, (long)ours);
}

int rd_futex_wake(struct rd_engine *engine, uint32_t *word, bool priv, uint32_t nr, uint32_t mask)
{
	struct rd_futexes *f = engine->futexes;
	uint32_t n;
	long more = 0;

	nr = RD_MIN(nr, (uint32_t)INT_MAX);
	n = f ? wake_table(f, word, priv, nr, mask) : 0;
	if (n < nr)
		more = wake_kernel(f, word, priv, nr - n, mask);
	/* not before: what was taken out above is known to be in the kernel's queue as long as its thread sleeps */
	if (f)
		call_all(f);
	if (more < 0)
		return n ? (int)n : (int)more;
	return (int)RD_MIN(n + (uint32_t)more, nr);
}
