/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arenas: memory for data, made, sized and sealed here and mapped by both sides. An arena the client frees is no longer
 * found by its address at once, and is unmapped when the last request or registered buffer has let go of it.
 *
 * Pages of a huge-page arena are all there when the client gets it, but nothing keeps a client from punching holes, and then
 * a load of ours could find the system's pool empty: SIGBUS. So the engine itself never touches them (system calls fail
 * with EFAULT instead); small inputs in such an arena are read through its descriptor, which is kept for that.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "../rsrc/memfd.h"
#include "session.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21U << 26)
#endif

#define RD_HUGE_SIZE	(2ull << 20)
#define RD_UNMAP_INLINE	(4ull << 20)	/* more than this is unmapped by a worker: a gigabyte takes some 20 ms */

struct rd_arena {
	struct rd_mem mem;		/* first reference: the client's, until it frees it */
	struct rd_link link;		/* session->arenas */
	struct rd_service *service;
	uint32_t id;
	uint64_t base, size;
	char *ptr;
	int fd;				/* -1 unless its pages are huge */
	struct rd_charge bytes, object, file;
	/* while it is being populated, and again while it is being unmapped */
	struct rd_work work;
	struct rd_session *session;
	int res;
};

struct rd_mem *rd_arena_mem(struct rd_arena *arena)
{
	return &arena->mem;
}

int rd_arena_fd(const struct rd_arena *arena)
{
	return arena->fd;
}

bool rd_arena_is_huge(const struct rd_mem *mem)
{
	return rd_arena_fd(RD_CONTAINER_OF(mem, struct rd_arena, mem)) >= 0;
}

/* --- the end --- */

static void arena_destroy(struct rd_arena *arena)
{
	rd_close(arena->fd);	/* a memfd: does not sleep */
	rd_charge_give(&arena->bytes);
	rd_charge_give(&arena->object);
	rd_charge_give(&arena->file);
	free(arena);
}

static void arena_unmap_run(struct rd_work *work)
{
	struct rd_arena *arena = RD_CONTAINER_OF(work, struct rd_arena, work);

	munmap(arena->ptr, arena->size);
}

static void arena_unmap_done(struct rd_work *work)
{
	struct rd_arena *arena = RD_CONTAINER_OF(work, struct rd_arena, work);
	struct rd_service *service = arena->service;

	service->jobs--;
	arena_destroy(arena);
	rd_service_settled(service);
}

static void arena_queue(struct rd_arena *arena, void (*run)(struct rd_work *), void (*done)(struct rd_work *))
{
	arena->work = (struct rd_work){ .run = run, .done = done };
	rd_list_init(&arena->work.link);
	arena->service->jobs++;
	rd_workers_queue(arena->service->engine.workers, &arena->work);
}

static void arena_release(struct rd_mem *mem)
{
	struct rd_arena *arena = RD_CONTAINER_OF(mem, struct rd_arena, mem);

	if (arena->size > RD_UNMAP_INLINE) {
		arena_queue(arena, arena_unmap_run, arena_unmap_done);
		return;
	}
	if (arena->ptr)
		munmap(arena->ptr, arena->size);
	arena_destroy(arena);
}

/* The client can name it no longer. */
static void arena_drop(struct rd_session *session, struct rd_arena *arena)
{
	rd_space_remove(&session->space, arena->base);
	rd_list_remove(&arena->link);
	rd_mem_put(&arena->mem);
}

void rd_arena_drop_all(struct rd_session *session)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &session->arenas)
		arena_drop(session, rd_list_entry(l, struct rd_arena, link));
}

/* --- the beginning --- */

static int arena_check(struct rd_session *session, const struct ringd_arena_create *req)
{
	uint64_t unit = req->flags & RINGD_ARENA_HUGE ? RD_HUGE_SIZE : (uint64_t)getpagesize();

	if (req->flags & ~RINGD_ARENA_HUGE || req->resv)
		return rd_refuse(session, -EINVAL, "unknown arena flags %#x", req->flags);
	if (!req->size || req->size % unit)
		return rd_refuse(session, -EINVAL, "arena size %llu is not a multiple of its pages' %llu bytes",
				 (unsigned long long)req->size, (unsigned long long)unit);
	return 0;
}

static int arena_pay(struct rd_session *session, struct rd_arena *arena, bool huge)
{
	struct rd_user *user = &session->service->engine.user;

	if (rd_charge_take(&arena->bytes, user, RINGD_LIMIT_BYTES, arena->size) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_BYTES, arena->size);
	if (rd_charge_take(&arena->object, user, RINGD_LIMIT_OBJECTS, 1) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_OBJECTS, 1);
	if (huge && rd_charge_take(&arena->file, user, RINGD_LIMIT_FILES, 1) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_FILES, 1);
	return 0;
}

static int arena_map(struct rd_session *session, struct rd_arena *arena, bool huge)
{
	arena->fd = rd_memfd_sealed("ringd-arena", arena->size, huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
	if (arena->fd < 0)
		return rd_refuse(session, huge ? -ENOMEM : arena->fd, "no memory file of %llu bytes%s",
				 (unsigned long long)arena->size, huge ? " in huge pages" : "");
	arena->ptr = mmap(NULL, arena->size, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, 0);
	if (arena->ptr == MAP_FAILED) {
		arena->ptr = NULL;
		return rd_refuse(session, -ENOMEM, "no room to map %llu bytes%s", (unsigned long long)arena->size,
				 huge ? " of huge pages" : "");
	}
	return 0;
}

/* Paid, made and mapped, found by its address; its one reference is session->arenas'. */
static int arena_new(struct rd_arena **ret, struct rd_session *session, const struct ringd_arena_create *req)
{
	struct rd_arena *arena = calloc(1, sizeof(*arena));
	bool huge = req->flags & RINGD_ARENA_HUGE;
	int r;

	if (!arena)
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	arena->mem = (struct rd_mem){ .refs = 1, .release = arena_release };
	arena->service = session->service;
	arena->base = req->base;
	arena->size = req->size;
	arena->fd = -1;
	r = arena_pay(session, arena, huge);
	if (r == 0)
		r = arena_map(session, arena, huge);
	if (r == 0)
		r = rd_space_add(session, &(struct rd_range){ .base = arena->base, .size = arena->size, .ptr = arena->ptr,
							      .arena = arena });
	if (r < 0) {
		if (arena->ptr)
			munmap(arena->ptr, arena->size);
		arena_destroy(arena);
		return r;
	}
	arena->id = ++session->last_arena;
	rd_list_append(&session->arenas, &arena->link);
	*ret = arena;
	return 0;
}

/* Tell the client; only a huge arena keeps its descriptor. */
static void arena_answer(struct rd_session *session, struct rd_arena *arena, bool huge)
{
	struct ringd_arena_created answer = { .arena_id = arena->id, .size = arena->size };
	int r = rd_session_answer(session, &answer.msg, sizeof(answer), 0, &arena->fd, 1);

	if (r < 0 && session->connected) {
		arena_drop(session, arena);
		rd_session_answer_error(session, rd_refuse(session, r, "the arena's descriptor could not be sent"));
	} else if (session->connected && !huge) {
		rd_close(rd_steal_fd(&arena->fd));
	}
}

static void arena_populate_run(struct rd_work *work)
{
	struct rd_arena *arena = RD_CONTAINER_OF(work, struct rd_arena, work);

	/* unlike a page fault this reports that the pool, or the cgroup's share of it, is empty */
	arena->res = fallocate(arena->fd, 0, 0, (off_t)arena->size) < 0 ? -ENOMEM : 0;
}

static void arena_populate_done(struct rd_work *work)
{
	struct rd_arena *arena = RD_CONTAINER_OF(work, struct rd_arena, work);
	struct rd_session *session = arena->session;
	struct rd_service *service = arena->service;
	bool mine = session->connected;	/* else rd_arena_drop_all() let go of it, we hold the last reference */

	service->jobs--;
	if (mine && arena->res == 0) {
		arena_answer(session, arena, true);
	} else if (mine) {
		arena_drop(session, arena);
		rd_session_answer_error(session, rd_refuse(session, arena->res, "not enough free huge pages"));
	}
	rd_mem_put(&arena->mem);
	rd_session_pause(session, false);
	rd_session_put(session);
	rd_service_settled(service);
}

int rd_arena_create(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_arena_create *req = p->data;
	struct rd_arena *arena = NULL;
	int r;

	r = arena_check(session, req);
	if (r == 0)
		r = arena_new(&arena, session, req);
	if (r < 0)
		return r;
	if (!(req->flags & RINGD_ARENA_HUGE)) {
		arena_answer(session, arena, false);
		return 0;
	}
	/* clearing the pages takes milliseconds: a worker does it, and the client's next request waits */
	rd_session_get(session);
	rd_session_pause(session, true);
	arena->session = session;
	rd_mem_get(&arena->mem);
	arena_queue(arena, arena_populate_run, arena_populate_done);
	return 0;
}

int rd_arena_free(struct rd_session *session, struct rd_packet *p)
{
	const struct ringd_arena_ref *req = p->data;
	struct rd_link *l, *tmp;

	if (req->resv)
		return rd_refuse(session, -EINVAL, "a reserved field is not zero");
	rd_list_foreach(l, tmp, &session->arenas) {
		struct rd_arena *arena = rd_list_entry(l, struct rd_arena, link);

		if (arena->id != req->arena_id)
			continue;
		arena_drop(session, arena);
		return rd_session_answer_res(session, 0);
	}
	return rd_refuse(session, -ENOENT, "no arena %u", req->arena_id);
}
