/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small helpers every part of the daemon uses: cleanup attributes, ownership moves, checked arithmetic. */
#ifndef RD_UTIL_H
#define RD_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define RD_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define RD_MIN(a, b)		((a) < (b) ? (a) : (b))
#define RD_MAX(a, b)		((a) > (b) ? (a) : (b))
#define RD_LIKELY(x)		__builtin_expect(!!(x), 1)
#define RD_UNLIKELY(x)		__builtin_expect(!!(x), 0)
#define RD_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define RD_CLEANUP(fn)		__attribute__((__cleanup__(fn)))
#define RD_CLOSE		RD_CLEANUP(rd_closep)
#define RD_FREE			RD_CLEANUP(rd_freep)

/* Never retried: on Linux the descriptor is gone even after EINTR. Keeps errno. */
static inline void rd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

static inline void rd_closep(int *fd)
{
	rd_close(*fd);
}

static inline void rd_freep(void *p)
{
	free(*(void **)p);
}

static inline int rd_steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

static inline void *rd_steal_ptr_(void *p)
{
	void *r = *(void **)p;

	*(void **)p = NULL;
	return r;
}
#define rd_steal_ptr(p) ((__typeof__(*(p)))rd_steal_ptr_(p))

/* a rounded up to a multiple of the power of two b; the caller knows that it does not wrap */
static inline uint64_t rd_align(uint64_t a, uint64_t b)
{
	return (a + b - 1) & ~(b - 1);
}

/* [addr, addr + len) lies inside [base, base + size); no sum wraps */
static inline bool rd_range_inside(uint64_t addr, uint64_t len, uint64_t base, uint64_t size)
{
	return addr >= base && addr - base <= size && len <= size - (addr - base);
}

#endif
