// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * close(), dup() and what else gives and takes away numbers of descriptors. Rings hear of theirs. Descriptors of our own, which
 * the program knows nothing of, behave as if they were not open; when it wants the very number, ours moves away.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <linux/close_range.h>

#include "interpose.h"
#include "next.h"
#include "raw.h"

static _Atomic pid_t home;	/* 0: before the constructor, when nothing has been forked */

bool rd_door_at_home(void)
{
	pid_t pid = atomic_load_explicit(&home, memory_order_relaxed);

	return !pid || rd_raw(SYS_getpid, 0, 0, 0, 0, 0, 0) == pid;
}

static void move_in(void)
{
	atomic_store_explicit(&home, (pid_t)rd_raw(SYS_getpid, 0, 0, 0, 0, 0, 0), memory_order_relaxed);
}

static __attribute__((__constructor__)) void settle(void)
{
	move_in();
	pthread_atfork(NULL, NULL, move_in);	/* -ENOMEM: a child's closes are the kernel's alone */
}

static bool is_ring(int fd)
{
	return rd_door_active() && rd_local_is_ring(fd) && rd_door_at_home();
}

static bool is_hidden(int fd)
{
	return rd_door_active() && rd_local_hidden(fd) && rd_door_at_home();
}

/* The number is going to mean nothing, or something else. */
static void leave(int fd)
{
	if (is_ring(fd))
		rd_local_close(fd);
	else if (rd_door_active() && rd_local_lends() && rd_door_at_home())
		rd_local_closing(fd);
}

RD_DOOR_EXPORT int close(int fd)
{
	if (is_hidden(fd)) {
		errno = EBADF;
		return -1;
	}
	leave(fd);
	return rd_next_close(fd);
}

/* Whether there is a close_range() at all: nobody must lose a ring by a call that fails. */
static bool ranges_work(void)
{
	return rd_next_close_range(UINT_MAX, UINT_MAX, 0) == 0;
}

/* All but what is ours. unshared: the rings stay, in the table that the other threads keep. */
static int close_visible(unsigned int first, unsigned int last, int flags)
{
	unsigned int from = first;
	int fd;

	for (int at = (int)first; at >= 0 && (fd = rd_local_next(at)) >= 0 && (unsigned int)fd <= last; at = fd + 1) {
		if (!rd_local_hidden(fd)) {
			if (!(flags & CLOSE_RANGE_UNSHARE))
				rd_local_close(fd);
			continue;
		}
		if (from < (unsigned int)fd && rd_next_close_range(from, (unsigned int)fd - 1, flags) < 0)
			return -1;
		from = (unsigned int)fd + 1;
	}
	return from <= last ? rd_next_close_range(from, last, flags) : 0;
}

RD_DOOR_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	int fd;

	if (!rd_door_active() || flags & ~CLOSE_RANGE_UNSHARE || first > last || first > INT_MAX || !rd_door_at_home())
		return rd_next_close_range(first, last, flags);
	fd = rd_local_next((int)first);
	if (fd < 0 || (unsigned int)fd > last)
		return rd_next_close_range(first, last, flags);
	if (!ranges_work())
		return -1;
	/* Also when no range is left to close. */
	if (flags & CLOSE_RANGE_UNSHARE && unshare(CLONE_FILES) < 0)
		return -1;
	return close_visible(first, last, flags);
}

/* Number by number, for a kernel without close_range(). */
static void close_each(int low)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	for (rlim_t fd = (rlim_t)low; fd < lim.rlim_max && fd < INT_MAX; fd++)
		if (!rd_local_hidden((int)fd))
			close((int)fd);
}

RD_DOOR_EXPORT void closefrom(int low)
{
	__typeof__(&closefrom) f = RD_NEXT(closefrom);
	int saved = errno;

	low = low < 0 ? 0 : low;
	if (f && (!rd_door_active() || !rd_door_at_home() || rd_local_next(low) < 0)) {
		f(low);
		return;
	}
	if (close_range((unsigned int)low, UINT_MAX, 0) < 0)
		close_each(low);
	errno = saved;
}

/* The number will be that of another file. False: it cannot be had, errno says why. */
static bool vacate(int from, int to)
{
	int r;

	/* Nothing is to change when the call is going to fail. */
	if (rd_raw(SYS_fcntl, from, F_GETFD, 0, 0, 0, 0) < 0)
		return true;
	if (is_hidden(to)) {
		r = rd_local_evict(to);
		if (r < 0) {
			errno = -r;
			return false;
		}
	} else {
		leave(to);
	}
	return true;
}

static int duplicated(int from, int to)
{
	if (to >= 0 && to != from && is_ring(from))
		rd_local_dup(from, to);
	return to;
}

static int no_such_fd(void)
{
	errno = EBADF;
	return -1;
}

RD_DOOR_EXPORT int dup(int fd)
{
	if (is_hidden(fd))
		return no_such_fd();
	return duplicated(fd, rd_next_dup(fd));
}

RD_DOOR_EXPORT int dup2(int from, int to)
{
	if (!rd_door_active())
		return rd_next_dup2(from, to);
	if (is_hidden(from))
		return no_such_fd();
	if (from != to && !vacate(from, to))
		return -1;
	return duplicated(from, rd_next_dup2(from, to));
}

RD_DOOR_EXPORT int dup3(int from, int to, int flags)
{
	if (!rd_door_active() || flags & ~O_CLOEXEC || from == to)
		return rd_next_dup3(from, to, flags);
	if (is_hidden(from))
		return no_such_fd();
	if (!vacate(from, to))
		return -1;
	return duplicated(from, rd_next_dup3(from, to, flags));
}

static int file_control(int fd, int cmd, void *arg)
{
	int r;

	if (is_hidden(fd))
		return no_such_fd();
	r = rd_next_fcntl(fd, cmd, arg);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? duplicated(fd, r) : r;
}

/* The third argument is whatever the register holds: that is how libc does it, too. */
RD_DOOR_EXPORT int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return file_control(fd, cmd, arg);
}

RD_DOOR_EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return file_control(fd, cmd, arg);
}
