/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of rings that we give. The program's view of it is a second one of the same pages.
 *
 * It is not of a file: making one as large as it must be is refused, with SIGXFSZ, to a program that has a limit for its files.
 * Only where the kernel's way to have a second view does not exist (valgrind does not know it) it is a file all the same.
 */
#include <sys/mman.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "process.h"

void rd_local_ring_unmap(struct rd_local_ring *lr)
{
	if (lr->mem_ours && lr->mem.rings)
		munmap(lr->mem.rings, lr->layout.rings_size);
	if (lr->mem_ours && lr->mem.sqes)
		munmap(lr->mem.sqes, lr->layout.sqes_size);
	lr->mem = (struct rd_ring_memory){ 0 };
	rd_close(rd_steal_fd(&lr->memfd));
}

static void *map_new(int memfd, uint64_t size, uint64_t off)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | (memfd < 0 ? MAP_ANONYMOUS : 0), memfd, (off_t)off);

	return p == MAP_FAILED ? NULL : p;
}

/* A size of 0 leaves the first one where it is. */
static void *map_again(void *first, uint64_t size)
{
	void *p = mremap(first, 0, size, MREMAP_MAYMOVE);

	return p == MAP_FAILED ? NULL : p;
}

static bool can_map_again(void)
{
	static _Atomic signed char known;	/* 1: yes, -1: no */
	size_t page = (size_t)getpagesize();
	void *first, *second;

	if (!known) {
		first = map_new(-1, page, 0);
		second = first ? map_again(first, page) : NULL;
		known = second ? 1 : -1;
		if (first)
			munmap(first, page);
		if (second)
			munmap(second, page);
	}
	return known > 0;
}

/* In the file the SQEs are behind the rings. */
static uint64_t sqes_in_file(const struct rd_local_ring *lr)
{
	return lr->memfd < 0 ? 0 : rd_align(lr->layout.rings_size, (uint64_t)getpagesize());
}

static int make_file(struct rd_local_ring *lr)
{
	lr->memfd = rd_private_fd(memfd_create("io_uring", MFD_CLOEXEC));
	return lr->memfd < 0 ? -1 : ftruncate(lr->memfd, (off_t)(sqes_in_file(lr) + lr->layout.sqes_size));
}

int rd_local_ring_memory(struct rd_local_ring *lr)
{
	const struct rd_layout *l = &lr->layout;

	lr->mem = (struct rd_ring_memory){ 0 };
	lr->mem_ours = true;
	lr->memfd = -1;
	if (can_map_again() || make_file(lr) == 0) {
		lr->mem.rings = map_new(lr->memfd, l->rings_size, 0);
		lr->mem.sqes = map_new(lr->memfd, l->sqes_size, sqes_in_file(lr));
	}
	if (lr->mem.rings && lr->mem.sqes)
		return 0;
	rd_local_ring_unmap(lr);
	return -ENOMEM;
}

int rd_local_ring_view(void **ret, const struct rd_local_ring *lr, void *of, size_t len, int prot)
{
	size_t size = rd_align(len, (uint64_t)getpagesize());
	void *p = lr->memfd < 0 ? map_again(of, size) : map_new(lr->memfd, size, of == lr->mem.sqes ? sqes_in_file(lr) : 0);
	int err;

	if (!p)
		return -ENOMEM;
	if (prot != (PROT_READ | PROT_WRITE) && mprotect(p, size, prot) < 0) {
		err = -errno;
		munmap(p, size);
		return err;
	}
	*ret = p;
	return 0;
}
