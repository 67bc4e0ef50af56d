/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of NO_MMAP rings, which is the program's. The kernel holds its pages until the ring has ended, so a program may unmap or
 * free it before that, and liburing does: first the memory, then the descriptor. Of memory that could be shared we make a second
 * view, which holds the pages. Private memory has none: it is not touched any more once the ring is known to be closed.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "process.h"

static int touch(uint64_t addr, uint64_t size)
{
	uint64_t page = (uint64_t)getpagesize();
	char byte;

	for (uint64_t off = 0; off < size; off += page) {
		if (rd_local_copy_in(&byte, addr + off, 1) < 0 || rd_local_copy_out(addr + off, &byte, 1) < 0)
			return -EFAULT;
	}
	return 0;
}

/* Is what is written here read there? It may have been put together from several mappings. */
static bool is_same(uint64_t view, uint64_t addr, uint64_t size)
{
	uint64_t page = (uint64_t)getpagesize();

	for (uint64_t off = 0; off < size; off += page) {
		char was, other, now;

		if (rd_local_copy_in(&was, addr + off, 1) < 0)
			return false;
		other = (char)~was;
		if (rd_local_copy_out(view + off, &other, 1) < 0 || rd_local_copy_in(&now, addr + off, 1) < 0)
			return false;
		if (now != other)
			return false;
		rd_local_copy_out(addr + off, &was, 1);
	}
	return true;
}

/* NULL: there can be none. */
static void *second_view(uint64_t addr, uint64_t size)
{
	/* a size of 0 leaves the first one where it is */
	void *p = mremap((void *)(uintptr_t)addr, 0, size, MREMAP_MAYMOVE);

	if (p == MAP_FAILED)
		return NULL;
	if (is_same((uintptr_t)p, addr, size))
		return p;
	munmap(p, size);
	return NULL;
}

static int check(uint64_t addr, uint64_t size)
{
	if (!addr)
		return -EFAULT;
	return addr & ((uint64_t)getpagesize() - 1) ? -EINVAL : touch(addr, size);
}

int rd_local_user_mem(struct rd_local_ring *lr, uint64_t rings, uint64_t sqes)
{
	const struct rd_layout *l = &lr->layout;
	void *a, *b;
	int r = check(rings, l->rings_size);

	if (r == 0)
		r = check(sqes, l->sqes_size);
	if (r < 0)
		return r;
	a = second_view(rings, l->rings_size);
	b = a ? second_view(sqes, l->sqes_size) : NULL;
	if (a && !b)
		munmap(a, l->rings_size);
	lr->mem_ours = b;
	lr->mem.rings = b ? a : (void *)(uintptr_t)rings;
	lr->mem.sqes = b ? b : (void *)(uintptr_t)sqes;
	return 0;
}

bool rd_local_user_mem_there(const struct rd_local_ring *lr)
{
	return lr->mem_ours || (touch((uintptr_t)lr->mem.rings, lr->layout.rings_size) == 0 &&
				touch((uintptr_t)lr->mem.sqes, lr->layout.sqes_size) == 0);
}

/* What is still to be written goes to memory of our own, that nobody looks at. */
void rd_local_user_mem_leave(struct rd_local_ring *lr)
{
	struct rd_local_ring own = *lr;
	struct ringd_hot *hot;

	if (lr->mem_ours || rd_local_ring_memory(&own) < 0)
		return;
	lr->mem = own.mem;
	lr->memfd = own.memfd;
	lr->mem_ours = true;
	rd_layout_init(&lr->layout, lr->mem.rings);
	rd_ring_place(lr->ring, &lr->layout, &lr->mem);
	hot = lr->ring->hot;
	hot->sq_tail = hot->sq_head = lr->ring->sq_head;
	hot->cq_head = hot->cq_tail = lr->ring->cq_tail;
}
