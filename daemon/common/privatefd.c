/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privatefd.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "util.h"

#define RD_PRIVATE_FDS	65536	/* numbers beyond that are not kept in mind */

int rd_private_fd_min;

static uint64_t taken[RD_PRIVATE_FDS / 64];	/* a bit each; __atomic */

static int take(int fd)
{
	if (rd_private_fd_min && fd >= 0 && fd < RD_PRIVATE_FDS)
		__atomic_or_fetch(&taken[fd / 64], UINT64_C(1) << (fd % 64), __ATOMIC_RELAXED);
	return fd;
}

/*
 * A number that was just handed out is in the table: the program has closed what we had there, by a system call of its own, and
 * somebody here will still use it, write a wake-up to it for instance. It gets something that is harmless; true: it has.
 */
static bool plug(int fd)
{
	int harmless = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bool done = harmless >= 0 && harmless != fd && dup3(harmless, fd, O_CLOEXEC) == fd;

	if (harmless >= 0)
		rd_close(harmless);
	return done;
}

static int settle(int fd)
{
	int next;

	while (fd >= 0 && rd_private_fd_is(fd)) {
		next = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
		if (next < 0 || !plug(fd)) {
			if (next >= 0)
				rd_close(next);
			break;
		}
		fd = next;
	}
	return take(fd);
}

bool rd_private_fd_is(int fd)
{
	return fd >= 0 && fd < RD_PRIVATE_FDS && (__atomic_load_n(&taken[fd / 64], __ATOMIC_RELAXED) >> (fd % 64) & 1);
}

int rd_private_fd_next(int fd)
{
	for (fd = RD_MAX(fd, 0); fd < RD_PRIVATE_FDS; fd++) {
		if (!(fd % 64) && !__atomic_load_n(&taken[fd / 64], __ATOMIC_RELAXED))
			fd += 63;
		else if (rd_private_fd_is(fd))
			return fd;
	}
	return -1;
}

void rd_private_fd_gone(int fd)
{
	if (rd_private_fd_is(fd))
		__atomic_and_fetch(&taken[fd / 64], ~(UINT64_C(1) << (fd % 64)), __ATOMIC_RELAXED);
}

int rd_private_fd(int fd)
{
	int high;

	if (fd < 0 || !rd_private_fd_min || fd >= rd_private_fd_min)
		return settle(fd);
	high = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);
	if (high < 0)
		return settle(fd);	/* no room up there: better here than not at all */
	rd_close(fd);
	return settle(high);
}

int rd_private_dup(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);

	if (high < 0 && rd_private_fd_min)
		high = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return settle(high);
}
