// SPDX-License-Identifier: GPL-2.0-or-later
/* A static program without libc. With calls: it makes the first of the three; else it maps a file, and exits with 42. */
#include <linux/mman.h>

#include "client-lib/compat/door/raw.h"

void _start(void);

void _start(void)
{
#ifdef WITH_CALLS
	long r = rd_raw(425, 8, 0, 0, 0, 0, 0);

	rd_raw(SYS_exit_group, r < 0 ? 1 : 0, 0, 0, 0, 0, 0);
#else
	rd_raw(SYS_mmap, 0, 4096, 1, MAP_SHARED, 0, 0);
	rd_raw(SYS_exit_group, 42, 0, 0, 0, 0, 0);
#endif
	__builtin_unreachable();
}
