/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Arenas: memory that the engine makes and both sides map. The address is chosen before the engine is asked, because
 * SQEs carry our addresses and the engine must know where the arena starts.
 */
#include <limits.h>
#include <sys/mman.h>

#include "private.h"

#define PAGE		4096u
#define HUGE_PAGE	(2u << 20)

void *rdl_reserve(size_t size, size_t align)
{
	size_t room = align > PAGE ? size + align : size;
	char *p, *start;

	if (room < size)
		return NULL;
	p = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	start = (char *)(((uintptr_t)p + align - 1) & ~(uintptr_t)(align - 1));
	if (start > p)
		munmap(p, (size_t)(start - p));
	if (p + room > start + size)
		munmap(start + size, (size_t)(p + room - (start + size)));
	return start;
}

static void tell_free(struct ringd *rd, uint32_t id)
{
	struct ringd_arena_ref ref = { .arena_id = id };
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };

	rdl_request(rd, &ref.msg, RINGD_MSG_ARENA_FREE, sizeof(ref), -1, &in, sizeof(ref.msg), 0);
}

/* Ask for the memory and put it at arena->base. */
static int arena_create(struct ringd_arena *arena, uint32_t flags)
{
	struct ringd_arena_create create = {
		.size = arena->size,
		.base = (uintptr_t)arena->base,
		.flags = flags,
	};
	union {
		struct ringd_msg msg;
		struct ringd_arena_created created;
		struct ringd_error error;
	} answer = { 0 };
	RDL_CLOSE int fd = -1;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer), .fds = &fd, .n_fds = 1 };
	struct ringd *rd = arena->rd;
	int r;

	r = rdl_request(rd, &create.msg, RINGD_MSG_ARENA_CREATE, sizeof(create), -1, &in, sizeof(answer.created), 1);
	if (r == -EMFILE && in.size >= sizeof(answer.created) && answer.msg.res >= 0)
		goto undo;
	if (r < 0)
		return r;
	arena->id = answer.created.arena_id;
	if (answer.created.size != arena->size) {
		r = rdl_fail(rd, -EPROTO, "the engine made an arena of another size");
		goto undo;
	}
	if (mmap(arena->base, arena->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED)
		return 0;
	r = rdl_fail(rd, -errno, "cannot map the arena");
undo:
	tell_free(rd, answer.created.arena_id);
	if (!rd->failed)
		rdl_fail(rd, r, "cannot map the arena");
	return r;
}

int ringd_arena_new(struct ringd *rd, struct ringd_arena **ret, size_t size, unsigned int flags)
{
	size_t page = flags & RINGD_ARENA_F_HUGE ? HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE);
	RDL_FREE struct ringd_arena *arena = NULL;
	int r;

	*ret = NULL;
	if (!size || size > SIZE_MAX / 2 || (flags & ~RINGD_ARENA_F_HUGE))
		return rdl_fail(rd, -EINVAL, "arena of %zu bytes, flags %#x", size, flags);
	arena = calloc(1, sizeof(*arena));
	if (!arena)
		return rdl_fail(rd, -ENOMEM, "arena");
	arena->rd = rd;
	arena->size = (size + page - 1) & ~(page - 1);
	arena->base = rdl_reserve(arena->size, page);
	if (!arena->base)
		return rdl_fail(rd, -ENOMEM, "no address space for %zu bytes", arena->size);
	r = arena_create(arena, flags & RINGD_ARENA_F_HUGE ? RINGD_ARENA_HUGE : 0);
	if (r < 0) {
		munmap(arena->base, arena->size);
		return r;
	}
	arena->next = rd->arenas;
	arena->prev = &rd->arenas;
	if (arena->next)
		arena->next->prev = &arena->next;
	rd->arenas = arena;
	*ret = arena;
	arena = NULL;
	return 0;
}

void rdl_arena_unlink(struct ringd_arena *arena)
{
	*arena->prev = arena->next;
	if (arena->next)
		arena->next->prev = arena->prev;
	rdl_arena_alloc_deinit(arena);
	munmap(arena->base, arena->size);
	free(arena);
}

void ringd_arena_free(struct ringd_arena *arena)
{
	if (!arena)
		return;
	/* first the engine, so that it never writes to what has another meaning here already */
	tell_free(arena->rd, arena->id);
	rdl_arena_unlink(arena);
}

void *ringd_arena_base(const struct ringd_arena *arena)
{
	return arena->base;
}

size_t ringd_arena_size(const struct ringd_arena *arena)
{
	return arena->size;
}
