/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of what is registered. The client's own, or memory files that a register call makes for both sides: mapped here as long
 * as what was registered exists, in the client as long as that likes.
 */
#include <sys/mman.h>

#include "../rsrc/memfd.h"
#include "register.h"

struct rd_shared_mem {
	struct rd_mem mem;
	void *ptr;
	size_t size;
	struct rd_charge bytes;
};

static void release(struct rd_mem *mem)
{
	struct rd_shared_mem *sm = RD_CONTAINER_OF(mem, struct rd_shared_mem, mem);

	if (sm->ptr)
		munmap(sm->ptr, sm->size);
	rd_charge_give(&sm->bytes);
	free(sm);
}

static int map(struct rd_reg *reg, const char *name, uint64_t off, struct rd_shared_mem *sm)
{
	if (reg->flat)
		off = 0;
	reg->out_fd = rd_memfd_sealed(name, off + sm->size, 0);
	if (reg->out_fd < 0)
		return rd_reg_refuse(reg, reg->out_fd, "no memory file for what was to be registered");
	sm->ptr = mmap(NULL, sm->size, PROT_READ | PROT_WRITE, MAP_SHARED, reg->out_fd, (off_t)off);
	if (sm->ptr != MAP_FAILED)
		return 0;
	sm->ptr = NULL;
	return rd_reg_refuse(reg, -ENOMEM, "no room to map what was to be registered");
}

int rd_reg_mem_new(struct rd_reg *reg, const char *name, uint64_t off, uint64_t size, void **ptr, struct rd_mem **owner)
{
	struct rd_shared_mem *sm = calloc(1, sizeof(*sm));
	int r;

	if (!sm)
		return rd_reg_refuse(reg, -ENOMEM, "the engine is out of memory");
	sm->mem = (struct rd_mem){ .refs = 1, .release = release };
	sm->size = rd_align(size, (size_t)getpagesize());
	if (rd_charge_take(&sm->bytes, &reg->engine->user, RINGD_LIMIT_BYTES, sm->size) < 0)
		r = rd_reg_refuse_budget(reg, RINGD_LIMIT_BYTES, sm->size);
	else
		r = map(reg, name, off, sm);
	if (r < 0) {
		rd_mem_put(&sm->mem);
		return r;
	}
	*ptr = sm->ptr;
	*owner = &sm->mem;
	return 0;
}

void *rd_reg_map(struct rd_reg *reg, uint64_t addr, uint64_t size, struct rd_mem **owner)
{
	struct rd_host *host = reg->host;
	void *ptr = host->ops->map(host, addr, size, owner);

	return ptr && host->ops->pin && host->ops->pin(host, addr, size) < 0 ? NULL : ptr;
}
