/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an address of the client means. Ranges never overlap, so the one that could hold an address is found by its base
 * alone; a range is used only when all of [addr, addr + len) is inside it, and no sum is formed that could wrap.
 *
 * The memory behind it belongs to the client: other threads of it write while we read, and pages turn to zero when it
 * punches holes. So small inputs are copied out by atomic loads, each byte once, and only the copy is looked at.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "session.h"

#define WORD sizeof(uint64_t)

typedef uint64_t __attribute__((__may_alias__)) rd_word;

static const struct rd_range *space_search(struct rd_space *space, uint64_t addr)
{
	uint32_t low = 0, high = space->nr;

	/* the last range whose base is not above addr */
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (space->ranges[mid].base <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	space->hit = low - 1;
	return &space->ranges[low - 1];
}

/* The range that holds all of [addr, addr + len), or NULL. */
static inline const struct rd_range *space_find(struct rd_space *space, uint64_t addr, uint64_t len)
{
	const struct rd_range *range;

	if (RD_LIKELY(space->hit < space->nr)) {
		range = &space->ranges[space->hit];
		if (RD_LIKELY(rd_range_inside(addr, len, range->base, range->size)))
			return range;
	}
	range = space_search(space, addr);
	return range && rd_range_inside(addr, len, range->base, range->size) ? range : NULL;
}

static int space_grow(struct rd_space *space)
{
	uint32_t room = space->room ? 2 * space->room : 8;
	struct rd_range *ranges;

	if (space->nr < space->room)
		return 0;
	ranges = reallocarray(space->ranges, room, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	space->ranges = ranges;
	space->room = room;
	return 0;
}

/* Where a range goes, or an error with words. */
static int space_place(struct rd_session *session, const struct rd_range *range, uint32_t *pos)
{
	struct rd_space *space = &session->space;
	uint64_t page = (uint64_t)getpagesize();
	uint32_t i = 0;

	if (!range->base || range->base & (page - 1))
		return rd_refuse(session, -EINVAL, "base address %#llx is zero or not page aligned",
				 (unsigned long long)range->base);
	if (!range->size || range->size - 1 > UINT64_MAX - range->base)
		return rd_refuse(session, -EINVAL, "%llu bytes at %#llx go beyond the end of the address space",
				 (unsigned long long)range->size, (unsigned long long)range->base);
	if (space_search(space, range->base))
		i = space->hit + 1;
	if (i > 0 && range->base - space->ranges[i - 1].base < space->ranges[i - 1].size)
		return rd_refuse(session, -EEXIST, "the range at %#llx overlaps the one at %#llx",
				 (unsigned long long)range->base, (unsigned long long)space->ranges[i - 1].base);
	if (i < space->nr && space->ranges[i].base - range->base < range->size)
		return rd_refuse(session, -EEXIST, "the range at %#llx overlaps the one at %#llx",
				 (unsigned long long)range->base, (unsigned long long)space->ranges[i].base);
	*pos = i;
	return 0;
}

int rd_space_add(struct rd_session *session, const struct rd_range *range)
{
	struct rd_space *space = &session->space;
	uint32_t pos = 0;
	int r;

	r = space_place(session, range, &pos);
	if (r < 0)
		return r;
	if (space_grow(space) < 0)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	memmove(&space->ranges[pos + 1], &space->ranges[pos], (space->nr - pos) * sizeof(*range));
	space->ranges[pos] = *range;
	space->nr++;
	return 0;
}

void rd_space_remove(struct rd_space *space, uint64_t base)
{
	const struct rd_range *range = space_search(space, base);
	uint32_t pos = space->hit;

	if (!range || range->base != base)
		return;
	space->nr--;
	memmove(&space->ranges[pos], &space->ranges[pos + 1], (space->nr - pos) * sizeof(*range));
}

void *rd_memory_map(struct rd_host *host, uint64_t addr, uint64_t len, struct rd_mem **owner)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	const struct rd_range *range = space_find(&session->space, addr, len);

	if (RD_UNLIKELY(!range || !range->arena))
		return NULL;
	*owner = rd_arena_mem(range->arena);
	return range->ptr + (addr - range->base);
}

/* Every byte is loaded once; relaxed atomic loads cannot be repeated, split or postponed by the compiler. */
static void copy_once(char *dst, const char *src, size_t len)
{
	for (; len > 0 && (uintptr_t)src % WORD; len--)
		*dst++ = __atomic_load_n(src++, __ATOMIC_RELAXED);
	for (; len >= WORD; len -= WORD, src += WORD, dst += WORD) {
		rd_word w = __atomic_load_n((const rd_word *)(const void *)src, __ATOMIC_RELAXED);

		memcpy(dst, &w, WORD);
	}
	for (; len > 0; len--)
		*dst++ = __atomic_load_n(src++, __ATOMIC_RELAXED);
}

/* As pread(): reading a hole of a huge-page file by loads could need a page that is not there any more, and raise SIGBUS. */
static int copy_by_fd(int fd, char *dst, uint64_t off, size_t len)
{
	return pread(fd, dst, len, (off_t)off) == (ssize_t)len ? 0 : -EFAULT;
}

int rd_memory_copy_in(struct rd_host *host, void *dst, uint64_t addr, size_t len)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	const struct rd_range *range;
	uint64_t off;

	if (!len)
		return 0;
	range = space_find(&session->space, addr, len);
	if (!range)
		return -EFAULT;
	off = addr - range->base;
	if (range->arena && rd_arena_fd(range->arena) >= 0)
		return copy_by_fd(rd_arena_fd(range->arena), dst, off, len);
	copy_once(dst, range->ptr + off, len);
	return 0;
}

/* Through a pipe, whose other end writes to memory as read() does: huge pages that are not there are EFAULT, not SIGBUS. */
static int copy_by_pipe(char *dst, const char *src, size_t len)
{
	RD_CLOSE int in = -1;
	RD_CLOSE int out = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -EFAULT;
	out = fds[0];
	in = fds[1];
	for (size_t n; len > 0; len -= n, src += n, dst += n) {
		n = RD_MIN(len, (size_t)PIPE_BUF);
		if (write(in, src, n) != (ssize_t)n || read(out, dst, n) != (ssize_t)n)
			return -EFAULT;
	}
	return 0;
}

int rd_memory_copy_out(struct rd_host *host, uint64_t addr, const void *src, size_t len)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	const struct rd_range *range;
	char *dst;

	if (!len)
		return 0;
	range = space_find(&session->space, addr, len);
	if (!range || !range->arena)
		return -EFAULT;
	dst = range->ptr + (addr - range->base);
	if (rd_arena_fd(range->arena) >= 0)
		return copy_by_pipe(dst, src, len);
	memcpy(dst, src, len);
	return 0;
}

static ssize_t str_by_fd(int fd, char *dst, uint64_t off, size_t room)
{
	int r = copy_by_fd(fd, dst, off, room);

	return r < 0 ? r : (ssize_t)strnlen(dst, room);
}

static ssize_t str_once(char *dst, const char *src, size_t room)
{
	size_t i;

	for (i = 0; i < room; i++) {
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
		if (!dst[i])
			break;
	}
	return (ssize_t)i;
}

ssize_t rd_memory_copy_str(struct rd_host *host, char *dst, uint64_t addr, size_t size)
{
	struct rd_session *session = RD_CONTAINER_OF(host, struct rd_session, host);
	const struct rd_range *range = space_find(&session->space, addr, 1);
	uint64_t off;
	size_t room;
	ssize_t n;

	if (!range)
		return -EFAULT;
	off = addr - range->base;
	room = (size_t)RD_MIN(range->size - off, size);
	if (range->arena && rd_arena_fd(range->arena) >= 0)
		n = str_by_fd(rd_arena_fd(range->arena), dst, off, room);
	else
		n = str_once(dst, range->ptr + off, room);
	if (n < 0 || (size_t)n < room)
		return n;
	return room == size ? -ENAMETOOLONG : -EFAULT;	/* no end within size bytes, or within the range */
}
