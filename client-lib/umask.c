/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The umask belongs to the caller's process, the engine has none. umask(2) can only be read by changing it, under the
 * feet of other threads; /proc tells without, but takes 12 us. So where there are no other threads it is changed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

/* Changed to the strictest and back: what is created meanwhile can only be too private. */
static mode_t change_and_back(void)
{
	mode_t mask = umask(077);

	umask(mask);
	return mask & 0777;
}

static mode_t ask_proc(void)
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
	return change_and_back();	/* no /proc here */
}

mode_t rdl_umask(void)
{
	return RDL_SINGLE_THREADED ? change_and_back() : ask_proc();
}
