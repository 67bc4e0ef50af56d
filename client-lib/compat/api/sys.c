/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The few calls of libc that the API makes. Programs rely on liburing leaving errno alone, which libc's functions do not.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client-lib/compat/api/private.h"

static int map(void **ret, size_t size, int flags, int fd, uint64_t off)
{
	int saved = errno, r = 0;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, (off_t)off);

	if (p == MAP_FAILED)
		r = -errno;
	else
		*ret = p;
	errno = saved;
	return r;
}

int rd_uring_map_memory(void **ret, size_t size, bool shared)
{
	return map(ret, size, MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
}

int rd_uring_map_ring(void **ret, size_t size, int fd, uint64_t off)
{
	int r = rd_local_mmap(ret, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, off);

	/* no ring of ours: what the kernel says of mapping it there */
	return r == 1 ? map(ret, size, MAP_SHARED | MAP_POPULATE, fd, off) : r;
}

int rd_uring_dontfork(void *addr, size_t size)
{
	int saved = errno, r = madvise(addr, size, MADV_DONTFORK) < 0 ? -errno : 0;

	errno = saved;
	return r;
}

void rd_uring_unmap(void *addr, size_t size)
{
	int saved = errno;

	if (addr && size)
		(void)munmap(addr, size);
	errno = saved;
}

/* Not close(): that is replaced in the same library, and would tell the host a second time. */
void rd_uring_close(int fd)
{
	int saved = errno;

	(void)rd_local_close(fd);
	(void)syscall(SYS_close, fd);
	errno = saved;
}

/* A file table may have as many slots as RLIMIT_NOFILE: as liburing does, try to have that many more. */
void rd_uring_raise_nofile(unsigned int nr)
{
	int saved = errno;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < nr) {
		limit.rlim_cur += nr;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	errno = saved;
}
