/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privatefd.h"

#include <fcntl.h>
#include <stdint.h>

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
		return take(fd);
	high = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);
	if (high < 0)
		return take(fd);	/* no room up there: better here than not at all */
	rd_close(fd);
	return take(high);
}

int rd_private_dup(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);

	if (high < 0 && rd_private_fd_min)
		high = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return take(high);
}
