/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring that was there when the process forked belongs to both processes: its memory, its descriptor, its SQ and its CQ; not
 * the requests, which belong to who submitted them. Each process has an engine of its own that works on the ring, one at a
 * time: the indices, which an engine keeps to itself otherwise, are in a page that all have, under a lock that is taken with the
 * process's own. There is one page for the rings of one fork(). A child uses it when it first uses one of them, so those that
 * go on to exec(), or have rings of their own, do not take part.
 *
 * Who has changed something writes an eventfd that is in the loops of all: edge-triggered, and never read.
 */
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "process.h"

/* --- the truth --- */

static void load(struct rd_local_ring *lr)
{
	const struct rd_share_ring *sr = &lr->share->page->ring[lr->share_slot];
	struct rd_ring *ring = lr->ring;

	ring->sq_head = sr->sq_head;
	ring->cq_tail = sr->cq_tail;
	ring->sq_flags = sr->sq_flags | (ring->held ? RINGD_SQ_CQ_OVERFLOW : 0);
	ring->sq_dropped = sr->sq_dropped;
	ring->cq_overflow = sr->cq_overflow;
	ring->enter_seen = __atomic_load_n(&ring->hot->enter_seq, __ATOMIC_RELAXED);	/* it was served by who began it */
	lr->readable = sr->readable;
	lr->watched = sr->watched;
	rd_local_ring_wake(NULL, ring);		/* its waiters are ours, and so is the wait word */
}

static bool store(struct rd_local_ring *lr)
{
	struct rd_share_ring *sr = &lr->share->page->ring[lr->share_slot];
	const struct rd_ring *ring = lr->ring;
	bool changed = sr->cq_tail != ring->cq_tail || sr->sq_head != ring->sq_head || sr->watched != lr->watched;

	sr->sq_head = ring->sq_head;
	sr->cq_tail = ring->cq_tail;
	sr->sq_flags = ring->sq_flags;
	sr->sq_dropped = ring->sq_dropped;
	sr->cq_overflow = ring->cq_overflow;
	sr->readable = lr->readable;
	sr->watched = lr->watched;
	return changed;
}

/* Its last owner died with it: what that one has shown to the program counts. */
static void recover(struct rd_local_share *s)
{
	for (uint32_t i = 0; i < s->nr; i++) {
		struct rd_local_ring *lr = s->rings[i];
		struct rd_share_ring *sr = &s->page->ring[i];
		uint64_t n;

		if (!lr)
			continue;
		sr->cq_tail = __atomic_load_n(&lr->ring->hot->cq_tail, __ATOMIC_ACQUIRE);
		sr->sq_head = __atomic_load_n(&lr->ring->hot->sq_head, __ATOMIC_ACQUIRE);
		(void)!read(lr->efd, &n, sizeof(n));
		sr->readable = false;
	}
	s->page->last = 0;
}

static void page_lock(struct rd_local_share *s)
{
	if (RD_UNLIKELY(pthread_mutex_lock(&s->page->lock) == EOWNERDEAD)) {
		pthread_mutex_consistent(&s->page->lock);
		recover(s);
	}
	if (s->page->last == rd_local.pid)
		return;
	s->page->last = rd_local.pid;
	for (uint32_t i = 0; i < s->nr; i++) {
		if (s->rings[i] && !s->rings[i]->dormant)
			load(s->rings[i]);
	}
	rd_local_heir_watch(s);
}

static void share_free(struct rd_local_share *s)
{
	rd_local_heir_forget(s);
	if (s->active) {
		if (rd_local.engine.reactor)
			rd_loop_remove(rd_local.engine.reactor->loop, &s->news);
		rd_list_remove(&s->link);
	}
	rd_close(s->efd);
	munmap(s->page, sizeof(*s->page) + s->nr * sizeof(s->page->ring[0]));
	free(s);
}

static void page_unlock(struct rd_local_share *s)
{
	const uint64_t one = 1;
	bool tell = s->told;

	for (uint32_t i = 0; i < s->nr; i++) {
		if (s->rings[i] && !s->rings[i]->dormant)
			tell |= store(s->rings[i]);
	}
	s->told = false;
	if (s->page->users > 1)
		rd_local_will_write(s);
	if (tell && s->page->users > 1)
		(void)!write(s->efd, &one, sizeof(one));
	pthread_mutex_unlock(&s->page->lock);
}

void rd_local_share_lock(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.shares)
		page_lock(rd_list_entry(l, struct rd_local_share, link));
}

void rd_local_share_unlock(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.shares) {
		struct rd_local_share *s = rd_list_entry(l, struct rd_local_share, link);

		page_unlock(s);
		if (!s->left)
			share_free(s);
	}
}

/* --- news of others --- */

/* With the lock, so what is new has been loaded. */
static void on_news(void *arg)
{
	struct rd_local_share *s = arg;

	for (uint32_t i = 0; i < s->nr; i++) {
		struct rd_local_ring *lr = s->rings[i];

		if (!lr || lr->dormant)
			continue;
		rd_local_ring_wake(NULL, lr->ring);
		if (s->page->ring[i].doorbell && lr->ring->sqpoll) {
			s->page->ring[i].doorbell = false;
			rd_ring_doorbell(lr->ring);
		}
	}
}

int rd_local_share_doorbell(struct rd_local_ring *lr)
{
	struct rd_share_page *page = lr->share->page;

	/* a parent that has ended is seen by its child also while nobody has waited for it */
	if (rd_local.parent == page->maker ? getppid() != page->maker : kill(page->maker, 0) < 0 && errno == ESRCH)
		return -EOWNERDEAD;
	page->ring[lr->share_slot].doorbell = true;
	lr->share->told = true;
	return 0;
}

/* --- coming and going --- */

/* Pages in the order of their ids, which all processes agree about. */
static int activate(struct rd_local_share *s)
{
	struct rd_link *l = rd_local.shares.next;
	int r = rd_loop_add(rd_local.engine.reactor->loop, &s->news, s->efd, on_news, s);

	if (r < 0)
		return r;
	rd_local_share_unlock();
	while (l != &rd_local.shares && rd_list_entry(l, struct rd_local_share, link)->page->id < s->page->id)
		l = l->next;
	rd_list_append(l, &s->link);
	s->active = true;
	rd_local_share_lock();
	s->page->users++;
	rd_local_heir_enter(s);
	rd_local_heir_watch(s);
	s->told = true;		/* that we are here */
	return 0;
}

static struct rd_share_page *page_new(uint32_t nr)
{
	struct rd_share_page *page = mmap(NULL, sizeof(*page) + nr * sizeof(page->ring[0]), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	struct timespec ts;

	if (page == MAP_FAILED)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	page->id = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	page->maker = page->last = rd_local.pid;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&page->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return page;
}

static struct rd_local_share *share_make(uint32_t nr)
{
	struct rd_local_share *s = calloc(1, sizeof(*s) + nr * sizeof(s->rings[0]));

	if (!s)
		return NULL;
	rd_list_init(&s->link);
	rd_list_init(&s->orphans);
	s->nr = nr;
	s->page = page_new(nr);
	s->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (s->page && s->efd >= 0)
		return s;
	rd_close(s->efd);
	if (s->page)
		munmap(s->page, sizeof(*s->page) + nr * sizeof(s->page->ring[0]));
	free(s);
	return NULL;
}

static bool can_share(const struct rd_local_ring *lr)
{
	return !lr->share && !lr->user_mem && lr->refs && !lr->ring->dead;
}

void rd_local_share_new(void)
{
	struct rd_local_share *s;
	struct rd_link *l, *tmp;
	uint32_t nr = 0;

	rd_list_foreach(l, tmp, &rd_local.all)
		nr += can_share(rd_list_entry(l, struct rd_local_ring, link));
	s = nr ? share_make(nr) : NULL;
	if (!s)
		return;		/* they stay with us */
	rd_list_foreach(l, tmp, &rd_local.all) {
		struct rd_local_ring *lr = rd_list_entry(l, struct rd_local_ring, link);

		if (!can_share(lr))
			continue;
		if (pipe2(lr->held, O_CLOEXEC | O_NONBLOCK) == 0) {
			lr->held[0] = rd_private_fd(lr->held[0]);
			lr->held[1] = rd_private_fd(lr->held[1]);
		}
		lr->share = s;
		lr->share_slot = s->left;
		s->rings[s->left++] = lr;
		(void)store(lr);
	}
	(void)activate(s);
}

/* The list is of what is in this process's loop, which is no more. No page is locked. */
void rd_local_share_forget(void)
{
	while (!rd_list_empty(&rd_local.shares)) {
		struct rd_local_share *s = rd_list_first(&rd_local.shares, struct rd_local_share, link);

		rd_list_remove(&s->link);
		s->active = s->told = false;
		s->news = (struct rd_source){ .fd = -1 };
		rd_local_heir_forget(s);
		if (!s->left)
			share_free(s);
	}
}

int rd_local_share_attach(struct rd_local_ring *lr)
{
	int r = 0;

	if (!lr->share)
		return -ENOMEM;
	if (!lr->share->active)
		r = activate(lr->share);
	if (r == 0)
		load(lr);
	return r;
}

void rd_local_share_leave(struct rd_local_ring *lr)
{
	struct rd_local_share *s = lr->share;

	if (!s)
		return;
	if (rd_local.running)
		rd_loop_remove(rd_local.engine.reactor->loop, &lr->alone);
	rd_close(rd_steal_fd(&lr->held[0]));
	rd_close(rd_steal_fd(&lr->held[1]));
	/* what it has posted last is there for the others */
	if (s->active && !lr->dormant)
		s->told |= store(lr);
	lr->share = NULL;
	s->rings[lr->share_slot] = NULL;
	if (--s->left == 0 && !s->active)
		share_free(s);
}

/* --- the last close --- */

static void on_alone(void *arg)
{
	struct rd_local_ring *lr = arg;

	/* the number will be another file's, perhaps one that is in the loop, too */
	rd_loop_remove(rd_local.engine.reactor->loop, &lr->alone);
	rd_close(rd_steal_fd(&lr->held[0]));
}

bool rd_local_linger(struct rd_local_ring *lr)
{
	struct pollfd p = { .fd = lr->held[0], .events = POLLIN };

	if (!lr->share || lr->held[1] < 0 || !lr->ring->ctx.inflight || lr->ring->dead)
		return false;
	/* with ours gone the end of the pipe says whether there are others */
	rd_close(rd_steal_fd(&lr->held[1]));
	if (poll(&p, 1, 0) || rd_loop_add(rd_local.engine.reactor->loop, &lr->alone, lr->held[0], on_alone, lr) < 0)
		return false;
	lr->lingers = true;
	rd_local.lingering++;
	return true;
}

void rd_local_linger_look(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.all) {
		struct rd_local_ring *lr = rd_list_entry(l, struct rd_local_ring, link);

		if (!lr->lingers || (lr->ring->ctx.inflight && lr->held[0] >= 0))
			continue;
		lr->lingers = false;
		rd_local.lingering--;
		rd_local_ring_end(lr);
		return;		/* the list may be another one now; there is a next time */
	}
}
