// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * epoll sets that rings are in. Every ring that ever was put into a set is made exact before any set is waited for: which sets
 * are nested in which, duplicated or inherited cannot be known here, and a ring that is exact costs next to nothing.
 *
 * That a ring has room its descriptor cannot say, which is an epoll instance. So who asks for that gets a second entry in the
 * set, of a descriptor that can, with the same data; the kernel would tell of both in one event. Nor can an epoll instance be
 * added with EPOLLEXCLUSIVE, and it has no need to be: that all are woken is allowed. And to the program it is none.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <errno.h>

#include "interpose.h"
#include "next.h"
#include "raw.h"

/*
 * A list of numbers without a lock, since epoll_wait() is called in signal handlers: entry = how often it was used << 32 | fd + 1.
 * An entry that is 0 in its lower half is free.
 */
#define CHUNK_FDS	510

struct chunk {
	_Atomic uint64_t entry[CHUNK_FDS];
	_Atomic(struct chunk *) next;
};

static struct chunk first;
static _Atomic unsigned int used;	/* entries that may be taken: a place in the chain */

static struct chunk *chunk_after(struct chunk *c)
{
	struct chunk *next = atomic_load_explicit(&c->next, memory_order_acquire), *none = NULL;
	long r;

	if (next)
		return next;
	r = rd_raw(SYS_mmap, 0, sizeof(*next), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r < 0 && r > -4096)
		return NULL;
	next = (struct chunk *)r;
	if (atomic_compare_exchange_strong(&c->next, &none, next))
		return next;
	rd_raw(SYS_munmap, r, sizeof(*next), 0, 0, 0, 0);	/* another thread was faster */
	return none;
}

static bool take(_Atomic uint64_t *entry, int fd)
{
	uint64_t old = atomic_load_explicit(entry, memory_order_relaxed);
	uint32_t is = (uint32_t)fd + 1;

	/* Also when it is there already: who is about to drop it, since it was no ring, must fail. */
	while (!(uint32_t)old || (uint32_t)old == is)
		if (atomic_compare_exchange_weak(entry, &old, ((old >> 32) + 1) << 32 | is))
			return true;
	return false;
}

static void watch(int fd)
{
	unsigned int i = 0;

	for (struct chunk *c = &first; c; c = chunk_after(c))
		for (unsigned int k = 0; k < CHUNK_FDS; k++, i++)
			if (take(&c->entry[k], fd)) {
				unsigned int n = atomic_load(&used);

				while (n <= i && !atomic_compare_exchange_weak(&used, &n, i + 1))
					;
				return;
			}
}

static void sync_entry(_Atomic uint64_t *entry)
{
	uint64_t e = atomic_load_explicit(entry, memory_order_relaxed);
	int fd = (int)((uint32_t)e - 1);

	if (!(uint32_t)e)
		return;
	if (rd_local_is_ring(fd))
		rd_local_poll_sync(fd);
	else
		atomic_compare_exchange_strong(entry, &e, e >> 32 << 32);
}

static void sync_watched(void)
{
	unsigned int n = atomic_load_explicit(&used, memory_order_acquire);
	struct chunk *c = &first;

	for (unsigned int i = 0; i < n && c; i++) {
		sync_entry(&c->entry[i % CHUNK_FDS]);
		if (i % CHUNK_FDS == CHUNK_FDS - 1)
			c = atomic_load_explicit(&c->next, memory_order_acquire);
	}
}

/* The entry that tells of room comes, changes and goes with the ring's own. */
static void update_room(int epfd, int op, int fd, const struct epoll_event *event)
{
	bool wanted = op != EPOLL_CTL_DEL && event->events & (EPOLLOUT | EPOLLWRNORM);
	struct epoll_event room = { 0 };
	int room_fd = rd_local_poll_out_fd(fd, wanted);
	long r;

	if (room_fd < 0)
		return;
	if (!wanted) {
		(void)rd_raw(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, room_fd, 0, 0, 0);
		return;
	}
	room.events = EPOLLOUT | (event->events & (EPOLLET | EPOLLONESHOT));
	room.data = event->data;
	r = rd_raw(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, room_fd, (long)&room, 0, 0);
	if (r == -EEXIST)
		(void)rd_raw(SYS_epoll_ctl, epfd, EPOLL_CTL_MOD, room_fd, (long)&room, 0, 0);
}

/* What event points to is only looked at when the kernel has. */
static int control_ring(int epfd, int op, int fd, struct epoll_event *event)
{
	struct epoll_event given;
	int r;

	if (op != EPOLL_CTL_DEL) {
		watch(fd);
		rd_local_poll_sync(fd);
	}
	r = rd_next_epoll_ctl(epfd, op, fd, event);
	if (r < 0 && errno == EINVAL && op == EPOLL_CTL_ADD && epfd != fd && event->events & EPOLLEXCLUSIVE) {
		given = *event;
		given.events &= ~(uint32_t)EPOLLEXCLUSIVE;
		r = rd_next_epoll_ctl(epfd, op, fd, &given);
	}
	if (r == 0)
		update_room(epfd, op, fd, event);
	return r;
}

static bool is_ring(int epfd)
{
	return rd_door_active() && rd_local_is_ring(epfd);
}

static int no_epoll(void)
{
	errno = EINVAL;
	return -1;
}

RD_DOOR_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (is_ring(epfd))
		return no_epoll();
	if (rd_door_active() && rd_local_is_ring(fd))
		return control_ring(epfd, op, fd, event);
	return rd_next_epoll_ctl(epfd, op, fd, event);
}

RD_DOOR_EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	if (is_ring(epfd))
		return no_epoll();
	if (rd_door_active())
		sync_watched();
	return rd_next_epoll_wait(epfd, events, max, timeout);
}

RD_DOOR_EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
	if (is_ring(epfd))
		return no_epoll();
	if (rd_door_active())
		sync_watched();
	return rd_next_epoll_pwait(epfd, events, max, timeout, mask);
}

RD_DOOR_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask)
{
	if (is_ring(epfd))
		return no_epoll();
	if (rd_door_active())
		sync_watched();
	return rd_next_epoll_pwait2(epfd, events, max, timeout, mask);
}
