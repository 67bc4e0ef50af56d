/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring's descriptor is an epoll instance: read() and write() are refused, it can be polled, put into other epoll sets,
 * duplicated and inherited. In it is one eventfd, which is not empty while the ring has something to tell.
 *
 * Keeping that eventfd true costs a system call for each batch of CQEs and another one when they have been taken, of which we
 * only hear at the next call. Most programs never look at the descriptor; so it is kept true from the moment somebody does
 * (rd_local_poll_sync()), or always where we would not see that.
 *
 * Numbers are found in a table without a lock, which grows and is never freed. It is ours alone: close() and dup() tell us.
 */
#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "loop.h"
#include "process.h"

#define RD_FDS_FIRST	64u
#define RD_SWEEP	64u	/* numbers that are looked at for a new ring */

struct fdtable {
	unsigned int size;
	_Atomic(struct rd_local_ring *) ring[];
};

static _Atomic(struct fdtable *) table;

/* Without the lock the pointer says only that the number is a ring's. */
static struct rd_local_ring *lookup(int fd)
{
	struct fdtable *t = atomic_load_explicit(&table, memory_order_acquire);

	return fd >= 0 && t && (unsigned int)fd < t->size ? atomic_load_explicit(&t->ring[fd], memory_order_relaxed) : NULL;
}

/* Readers may still have the old table: it stays, as all of them together are no larger than the last. */
static int table_grow(unsigned int need)
{
	struct fdtable *old = atomic_load_explicit(&table, memory_order_relaxed), *t;
	unsigned int size = old ? old->size : RD_FDS_FIRST;

	while (size <= need)
		size *= 2;
	if (old && size == old->size)
		return 0;
	t = calloc(1, sizeof(*t) + size * sizeof(t->ring[0]));
	if (!t)
		return -ENOMEM;
	t->size = size;
	for (unsigned int i = 0; old && i < old->size; i++)
		t->ring[i] = old->ring[i];
	atomic_store_explicit(&table, t, memory_order_release);
	return 0;
}

static int table_set(int fd, struct rd_local_ring *lr)
{
	int r = table_grow((unsigned int)fd);

	if (r == 0)
		atomic_store_explicit(&atomic_load_explicit(&table, memory_order_relaxed)->ring[fd], lr, memory_order_relaxed);
	return r;
}

struct rd_local_ring *rd_local_ring_of(int fd)
{
	struct rd_local_ring *lr = lookup(fd);

	if (RD_UNLIKELY(rd_local.poisoned))
		return NULL;
	return RD_LIKELY(!lr || !lr->dormant) ? lr : rd_local_wake_up(lr);
}

void rd_local_ringfd_forget(void)
{
	struct fdtable *t = atomic_load_explicit(&table, memory_order_relaxed);

	for (unsigned int i = 0; t && i < t->size; i++)
		atomic_store_explicit(&t->ring[i], NULL, memory_order_relaxed);
}

void rd_local_ringfd_recount(void)
{
	struct fdtable *t = atomic_load_explicit(&table, memory_order_relaxed);

	for (unsigned int i = 0; t && i < t->size; i++) {
		if (t->ring[i])
			t->ring[i]->refs = 0;
	}
	for (unsigned int i = 0; t && i < t->size; i++) {
		if (t->ring[i])
			t->ring[i]->refs++;
	}
}

bool rd_local_is_ring(int fd)
{
	return lookup(fd);
}

/* --- numbers that have gone without a word --- */

/*
 * A program may close a ring by a system call of its own (the distribution's liburing does), and nobody hears of it: then the
 * number is still in the table, and may be another file's by now. If it is the ring's, the ring's eventfd is in it.
 */
static bool is_still(int fd, const struct rd_local_ring *lr)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = lr->id };

	return epoll_ctl(fd, EPOLL_CTL_MOD, lr->efd, &ev) == 0;
}

struct rd_local_ring *rd_local_ring_sure(int fd)
{
	struct rd_local_ring *lr = lookup(fd);
	int saved = errno;
	bool still = lr && is_still(fd, lr);

	errno = saved;
	return still ? rd_local_ring_of(fd) : NULL;
}

int rd_local_no_ring(int fd, int err)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || (flags & O_PATH) ? -EBADF : err;
}

/* The rings of some numbers have ended by now; each new ring has a look at a few of them, and at its own number. */
static void sweep(int own)
{
	static unsigned int at;
	struct fdtable *t = atomic_load_explicit(&table, memory_order_relaxed);

	for (unsigned int n = 0; t && n < RD_MIN(t->size, RD_SWEEP); n++, at++) {
		int fd = (int)(at % t->size);
		struct rd_local_ring *lr = lookup(fd);

		if (lr && !is_still(fd, lr))
			rd_local_ringfd_close(fd);
	}
	rd_local_ringfd_close(own);
}

void rd_local_ringfd_lost(void)
{
	struct fdtable *t = atomic_load_explicit(&table, memory_order_relaxed);

	for (unsigned int fd = 0; t && fd < t->size; fd++) {
		struct rd_local_ring *lr = lookup((int)fd);

		if (lr && lr->unheard && !is_still((int)fd, lr))
			rd_local_ringfd_close((int)fd);
	}
}

void rd_local_unheard(int fd)
{
	struct rd_local_ring *lr;

	rd_local_lock();
	lr = lookup(fd);
	if (lr && !lr->unheard) {
		lr->unheard = true;
		rd_local.unheard++;
	}
	rd_local_unlock();
}

/* --- making one --- */

int rd_local_ringfd_new(struct rd_local_ring *lr)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = lr->id };
	int r;

	lr->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (lr->efd < 0)
		return -errno;
	if (lr->params.flags & RINGD_SETUP_REGISTERED_FD_ONLY)
		return 0;
	lr->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (lr->epfd < 0)
		return -errno;
	sweep(lr->epfd);
	r = epoll_ctl(lr->epfd, EPOLL_CTL_ADD, lr->efd, &ev) < 0 ? -errno : table_set(lr->epfd, lr);
	if (r < 0)
		rd_close(rd_steal_fd(&lr->epfd));
	return r;
}

void rd_local_ringfd_undo(struct rd_local_ring *lr)
{
	if (lr->epfd >= 0)
		table_set(lr->epfd, NULL);
	rd_close(rd_steal_fd(&lr->epfd));
}

void rd_local_ringfd_free(struct rd_local_ring *lr)
{
	rd_close(rd_steal_fd(&lr->efd));
	rd_close(rd_steal_fd(&lr->room_fd));
	if (lr->unheard)
		rd_local.unheard--;
	lr->unheard = false;
}

bool rd_local_ringfd_close(int fd)
{
	struct rd_local_ring *lr = lookup(fd);

	if (!lr)
		return false;
	table_set(fd, NULL);
	rd_local_ring_put(lr);
	return true;
}

bool rd_local_close(int fd)
{
	int saved = errno;
	bool was;

	/* what a handler closes that has interrupted us is found to be gone later, as if it had not been told: see sweep() */
	if (!lookup(fd) || rd_local_inside())
		return false;
	rd_local_lock();
	was = rd_local_ringfd_close(fd);
	rd_local_leave();
	rd_local_unlock();
	rd_local_settle_down();
	errno = saved;		/* a close() that succeeds leaves it alone */
	return was;
}

void rd_local_dup(int from, int to)
{
	struct rd_local_ring *lr;
	int saved = errno;

	if (!lookup(from) || from == to || rd_local_inside())
		return;
	rd_local_lock();
	lr = rd_local_ring_sure(from);
	if (lookup(to) != lr) {
		rd_local_ringfd_close(to);	/* it was a ring's, and its end has not been told */
		if (lr && table_set(to, lr) == 0)
			rd_local_ring_get(lr);
	}
	rd_local_leave();
	rd_local_unlock();
	rd_local_settle_down();
	errno = saved;
}

bool rd_local_hidden(int fd)
{
	return rd_private_fd_is(fd);
}

int rd_local_next(int fd)
{
	struct fdtable *t = atomic_load_explicit(&table, memory_order_acquire);
	int end = t ? (int)t->size : 0;

	for (fd = RD_MAX(fd, 0); fd < end; fd++) {
		if (lookup(fd) || rd_private_fd_is(fd))
			return fd;
	}
	return rd_private_fd_next(fd);
}

/* Its number is kept in too many places, and high enough that nobody asks for it. */
int rd_local_evict(int fd)
{
	return rd_private_fd_is(fd) ? -EBUSY : 0;
}

/* --- readiness --- */

static bool has_news(const struct rd_local_ring *lr)
{
	const struct rd_ring *ring = lr->ring;

	return ring->cq_tail != __atomic_load_n(&ring->hot->cq_head, __ATOMIC_ACQUIRE) || ring->held || ring->tasks_told;
}

/* Whoever watches edges (EPOLLET) is to see one for each publication, whether it was readable before or not. */
static bool has_more(struct rd_local_ring *lr)
{
	const struct rd_ring *ring = lr->ring;
	bool more = ring->cq_tail != lr->seen_tail || (ring->tasks_told && !lr->seen_tasks);

	lr->seen_tail = ring->cq_tail;
	lr->seen_tasks = ring->tasks_told;
	return more;
}

void rd_local_ringfd_update(struct rd_local_ring *lr)
{
	uint64_t n = 1;
	bool news, more;

	if (!lr->watched && rd_local.bound)
		return;
	news = !lr->ring->dead && has_news(lr);
	more = has_more(lr) && news;
	if (news == lr->readable && !more)
		return;
	lr->readable = news;
	if (news)
		(void)!write(lr->efd, &n, sizeof(n));
	else
		(void)!read(lr->efd, &n, sizeof(n));
}

static bool has_room(const struct rd_local_ring *lr)
{
	const struct rd_ring *ring = lr->ring;

	return __atomic_load_n(&ring->hot->sq_tail, __ATOMIC_RELAXED) - ring->sq_head < ring->sq_entries;
}

/* An eventfd whose counter is as high as it goes cannot be written to. Other processes with the ring may have set it. */
static void update_room(struct rd_local_ring *lr)
{
	uint64_t full = UINT64_MAX - 1, n;
	bool room = has_room(lr);

	if (lr->room_fd < 0 || (room == !lr->room_gone && !lr->share))
		return;
	lr->room_gone = !room;
	if (room)
		(void)!read(lr->room_fd, &n, sizeof(n));
	else
		(void)!write(lr->room_fd, &full, sizeof(full));
}

void rd_local_ringfd_watch(int fd)
{
	struct rd_local_ring *lr = lookup(fd) ? rd_local_ring_of(fd) : NULL;

	if (!lr)
		return;
	lr->watched = true;
	rd_local_ringfd_update(lr);
	update_room(lr);
}

/* A number may have become another file's, which is none of our business. */
void rd_local_ringfd_expose(bool on)
{
	int loop = rd_local_loop_fd(rd_local.engine.reactor->loop);
	struct fdtable *t = atomic_load_explicit(&table, memory_order_relaxed);
	struct epoll_event ev = { .events = EPOLLIN };

	for (int fd = 0; t && fd < (int)t->size; fd++) {
		struct rd_local_ring *lr = lookup(fd);

		if (!lr || lr->dormant || lr->exposed == on || !is_still(fd, lr))
			continue;
		/* where it cannot be had (sets are nested too deep) nothing is to be done */
		(void)epoll_ctl(fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, loop, &ev);
		lr->exposed = on;
	}
}

void rd_local_poll_sync(int fd)
{
	int saved = errno;

	if (!lookup(fd) || rd_local_inside())
		return;
	rd_local_lock();
	if (RD_UNLIKELY(rd_local_thread()->waiting))
		rd_local_thread_tidy();
	rd_local_ringfd_watch(fd);
	if (RD_UNLIKELY(!rd_local.driver))
		rd_local_leave();
	rd_local_unlock();
	errno = saved;
}

uint32_t rd_local_ringfd_room(int fd)
{
	const struct rd_local_ring *lr = lookup(fd) ? rd_local_ring_of(fd) : NULL;

	return lr && has_room(lr) ? EPOLLOUT | EPOLLWRNORM : 0;
}

uint32_t rd_local_poll_out(int fd)
{
	uint32_t events;

	if (!lookup(fd) || rd_local_inside())
		return 0;
	rd_local_lock();
	events = rd_local_ringfd_room(fd);
	rd_local_unlock();
	return events;
}

int rd_local_poll_out_fd(int fd, bool make)
{
	struct rd_local_ring *lr;
	int saved = errno, room = -1;

	if (!lookup(fd) || rd_local_inside())
		return -1;
	rd_local_lock();
	lr = rd_local_ring_of(fd);
	if (lr && lr->room_fd < 0 && make) {
		lr->room_fd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		lr->room_gone = false;
	}
	if (lr) {
		update_room(lr);
		room = lr->room_fd;
	}
	rd_local_unlock();
	errno = saved;
	return room;
}
