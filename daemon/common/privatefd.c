/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privatefd.h"

#include <fcntl.h>

#include "util.h"

int rd_private_fd_min;

int rd_private_fd(int fd)
{
	int high;

	if (fd < 0 || !rd_private_fd_min || fd >= rd_private_fd_min)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);
	if (high < 0)
		return fd;	/* no room up there: better here than not at all */
	rd_close(fd);
	return high;
}

int rd_private_dup(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, rd_private_fd_min);

	if (high < 0 && rd_private_fd_min)
		high = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return high;
}
