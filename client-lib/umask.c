/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The umask belongs to the caller's process, the engine has none. umask(2) can only be read by changing it, under the
 * feet of other threads; /proc tells without.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

mode_t rdl_umask(void)
{
	RDL_CLOSE int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	char buf[512];	/* "Umask:" is the second line */
	const char *line;
	unsigned int mask;
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n > 0) {
		buf[n] = 0;
		line = strstr(buf, "\nUmask:");
		if (line && sscanf(line, "\nUmask: %o", &mask) == 1)
			return (mode_t)mask & 0777;
	}
	/* no /proc: the strictest of what it may be right now */
	mask = umask(077);
	umask((mode_t)mask);
	return (mode_t)mask & 0777;
}
