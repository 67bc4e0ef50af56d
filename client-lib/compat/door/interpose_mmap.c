// SPDX-License-Identifier: GPL-2.0-or-later
/* mmap() of a ring's descriptor is served by the ring: what the descriptor really is has no memory. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <errno.h>

#include "interpose.h"
#include "next.h"

static void *map(void *addr, size_t len, int prot, int flags, int fd, int64_t off)
{
	void *ret;
	int r;

	if (!rd_door_active() || fd < 0 || flags & MAP_ANONYMOUS)
		return rd_next_mmap(addr, len, prot, flags, fd, off);
	r = rd_local_mmap(&ret, addr, len, prot, flags, fd, (uint64_t)off);
	if (r == 0)
		return ret;
	if (r > 0)
		return rd_next_mmap(addr, len, prot, flags, fd, off);
	errno = -r;
	return MAP_FAILED;
}

RD_DOOR_EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return map(addr, len, prot, flags, fd, off);
}

RD_DOOR_EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t off)
{
	return map(addr, len, prot, flags, fd, off);
}
