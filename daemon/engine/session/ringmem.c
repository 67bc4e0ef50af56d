/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of a ring: one sparse memfd with the regions at the file offsets io_uring uses, and the scratch area behind
 * them. All its pages are small ones, so a hole the client punches is filled with zeros again when we touch it.
 *
 * With NO_MMAP rings and SQEs are in an arena instead, at addresses the client names, and the arena stays until the ring
 * has gone. Not in one of huge pages: there a hole that was punched could be our death, see arena.c.
 */
#include <sys/mman.h>

#include "../rsrc/memfd.h"
#include "session.h"

static void unmap(void *ptr, uint64_t size)
{
	if (ptr)
		munmap(ptr, size);
}

void rd_ringmem_hide(struct rd_session *session, struct rd_ringmem *mem)
{
	if (mem->scratch_base)
		rd_space_remove(&session->space, mem->scratch_base);
	mem->scratch_base = 0;
}

void rd_ringmem_deinit(struct rd_ringmem *mem)
{
	if (!mem->owners[0])
		unmap(mem->shared.rings, mem->layout.rings_size);
	if (!mem->owners[1])
		unmap(mem->shared.sqes, mem->layout.sqes_size);
	rd_mem_put(mem->owners[0]);
	rd_mem_put(mem->owners[1]);
	unmap(mem->scratch, mem->layout.scratch_size);
	rd_charge_give(&mem->bytes);
	*mem = (struct rd_ringmem){ 0 };
}

int rd_ringmem_layout(struct rd_session *session, struct rd_ringmem *mem, struct ringd_params *params)
{
	int r = rd_layout_compute(&mem->layout, params, false);

	return r < 0 ? rd_refuse(session, r, "io_uring_setup would refuse these parameters") : 0;
}

/* --- NO_MMAP --- */

static int user_region(struct rd_session *session, uint64_t addr, uint64_t size, void **ret, struct rd_mem **owner)
{
	struct rd_mem *arena = NULL;
	void *ptr;

	if (!addr)
		return rd_refuse(session, -EFAULT, "no memory for the ring was given");
	if (addr & ((uint64_t)getpagesize() - 1))
		return rd_refuse(session, -EINVAL, "memory for the ring at %#llx is not page aligned", (unsigned long long)addr);
	ptr = rd_memory_map(&session->host, addr, size, &arena);
	if (!ptr || rd_arena_is_huge(arena))
		return rd_refuse(session, -EFAULT, "%llu bytes at %#llx are not in an arena of small pages",
				 (unsigned long long)size, (unsigned long long)addr);
	*owner = rd_mem_get(arena);
	*ret = ptr;
	return 0;
}

static int map_user(struct rd_session *session, struct rd_ringmem *mem, const struct ringd_params *params)
{
	int r;

	r = user_region(session, params->cq_off.user_addr, mem->layout.rings_size, &mem->shared.rings, &mem->owners[0]);
	if (r < 0)
		return r;
	return user_region(session, params->sq_off.user_addr, mem->layout.sqes_size, &mem->shared.sqes, &mem->owners[1]);
}

/* --- the memfd --- */

static void *map_region(int memfd, uint64_t off, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, (off_t)off);

	return p == MAP_FAILED ? NULL : p;
}

static int map_file(struct rd_session *session, struct rd_ringmem *mem, bool user, int *memfd)
{
	const struct rd_layout *l = &mem->layout;

	*memfd = rd_memfd_sealed("ringd-ring", RINGD_OFF_SCRATCH + l->scratch_size, 0);
	if (*memfd < 0)
		return rd_refuse(session, *memfd, "no memory file for a ring");
	if (!user) {
		mem->shared.rings = map_region(*memfd, RINGD_OFF_SQ_RING, l->rings_size);
		mem->shared.sqes = map_region(*memfd, RINGD_OFF_SQES, l->sqes_size);
	}
	mem->scratch = map_region(*memfd, RINGD_OFF_SCRATCH, l->scratch_size);
	if (!mem->shared.rings || !mem->shared.sqes || !mem->scratch)
		return rd_refuse(session, -ENOMEM, "no room to map a ring");
	return 0;
}

int rd_ringmem_map(struct rd_session *session, struct rd_ringmem *mem, const struct ringd_params *params, uint64_t scratch_base,
		   int *memfd)
{
	struct rd_user *user = &session->service->engine.user;
	const struct rd_layout *l = &mem->layout;
	bool no_mmap = params->flags & RINGD_SETUP_NO_MMAP;
	uint64_t bytes = l->scratch_size + (no_mmap ? 0 : l->rings_size + l->sqes_size);
	int r = no_mmap ? map_user(session, mem, params) : 0;

	if (r < 0)
		return r;
	/* paid before it is made */
	if (rd_charge_take(&mem->bytes, user, RINGD_LIMIT_BYTES, bytes) < 0)
		return rd_refuse_budget(session, RINGD_LIMIT_BYTES, bytes);
	r = map_file(session, mem, no_mmap, memfd);
	if (r == 0)
		r = rd_space_add(session, &(struct rd_range){ .base = scratch_base, .size = l->scratch_size,
							      .ptr = mem->scratch });
	if (r == 0)
		mem->scratch_base = scratch_base;
	return r;
}
