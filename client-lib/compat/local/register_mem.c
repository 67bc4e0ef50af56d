/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that a register call gives a ring. What the program brings stays where it is. What is made for it is a memory file
 * that the program maps through the ring's descriptor, at an offset that tells what is meant; it is kept for that as long
 * as what it was made for.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/common/privatefd.h"
#include "call.h"

/* --- what can be mapped --- */

static struct rd_local_area **area_find(struct rd_local_regs *regs, uint64_t off)
{
	struct rd_local_area **a = &regs->areas;

	while (*a && (*a)->off != off)
		a = &(*a)->next;
	return a;
}

static void area_drop(struct rd_local_area **a)
{
	struct rd_local_area *gone = *a;

	if (!gone)
		return;
	*a = gone->next;
	rd_close(gone->fd);
	free(gone);
}

/* reg->out_fd is kept, if there is one: -ENOMEM. */
static int area_keep(struct rd_local_call *c, uint64_t off)
{
	struct rd_local_regs *regs = c->lr->regs;
	struct rd_local_area *a;
	int fd;

	if (c->reg.out_fd < 0)
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	area_drop(area_find(regs, off));
	a->off = off;
	fd = rd_steal_fd(&c->reg.out_fd);
	a->fd = rd_private_fd_is(fd) ? fd : rd_private_fd(fd);	/* a memory file is known as one of ours from its beginning */
	a->next = regs->areas;
	regs->areas = a;
	return 0;
}

int rd_local_register_region(struct rd_local_ring *lr, uint64_t off, size_t len, int *memfd, uint64_t *at)
{
	struct rd_local_area *a = lr->regs ? *area_find(lr->regs, off) : NULL;

	(void)len;	/* what is longer is there to be mapped, and then not there, as with the kernel's */
	if (!a)
		return -EINVAL;
	*memfd = a->fd;
	*at = 0;
	return 0;
}

void rd_local_register_drop(struct rd_local_ring *lr)
{
	struct rd_local_regs *regs = lr->regs;

	if (!regs)
		return;
	lr->regs = NULL;
	while (regs->areas)
		area_drop(&regs->areas);
	if (regs->mapped)
		munmap(regs->mapped, regs->size);
	rd_region_drop(&regs->region);
	rd_local_who_drop(regs);
	free(regs);
}

/* --- the memory region --- */

struct region_call {
	struct ringd_mem_region_reg mr;
	struct ringd_region_desc desc;
};

const struct ringd_reg_wait *rd_local_reg_wait(struct rd_local_ring *lr, uint64_t off)
{
	const struct rd_local_regs *regs = lr->regs;

	if (!regs || !regs->waits || off % sizeof(uint64_t) || off > regs->size ||
	    regs->size - off < sizeof(struct ringd_reg_wait))
		return NULL;
	return (const void *)(regs->waits + off);
}

/* Wait arguments are read by every enter, so they are mapped once. */
static int keep_waits(struct rd_local_call *c, const struct region_call *in)
{
	struct rd_local_regs *regs = c->lr->regs;
	void *p = (void *)(uintptr_t)in->desc.user_addr;

	regs->size = in->desc.size;
	if (!(in->mr.flags & RINGD_MEM_REGION_REG_WAIT_ARG))
		return 0;
	if (c->reg.out_fd >= 0) {
		p = mmap(NULL, regs->size, PROT_READ, MAP_SHARED, c->reg.out_fd, 0);
		if (p == MAP_FAILED)
			return -ENOMEM;
		regs->mapped = p;
	}
	regs->waits = p;
	return 0;
}

static void forget_waits(struct rd_local_regs *regs)
{
	if (regs->mapped)
		munmap(regs->mapped, regs->size);
	regs->mapped = NULL;
	regs->waits = NULL;
}

static int run_region(struct rd_local_call *c, uint64_t uptr, const struct region_call *in)
{
	struct rd_local_regs *regs = c->lr->regs;
	int r = rd_local_call_run(c);

	if (r < 0)
		return r;
	r = keep_waits(c, in);
	if (r == 0)
		r = rd_local_copy_out(uptr, c->reg.out, sizeof(in->desc));
	if (r == 0)
		r = area_keep(c, RINGD_OFF_PARAM_REGION);
	if (r < 0) {
		forget_waits(regs);
		c->reg.undo(&c->reg);
	}
	return r;
}

int rd_local_call_region(struct rd_local_call *c)
{
	struct region_call in;
	uint64_t uptr;

	if (!c->arg || c->nr != 1)
		return -EINVAL;
	if (c->reg.region->set)
		return -EBUSY;
	if (rd_local_copy_in(&in.mr, c->arg, sizeof(in.mr)) < 0 ||
	    rd_local_copy_in(&in.desc, in.mr.region_uptr, sizeof(in.desc)) < 0)
		return -EFAULT;
	uptr = in.mr.region_uptr;
	in.mr.region_uptr = 0;
	c->reg.data = (const uint8_t *)&in;
	c->reg.len = sizeof(in);
	c->reg.nr = 1;
	return run_region(c, uptr, &in);
}

/* --- rings of provided buffers --- */

static uint64_t pbuf_off(const struct ringd_buf_reg *br)
{
	return RINGD_OFF_PBUF_RING + ((uint64_t)br->bgid << RINGD_OFF_PBUF_SHIFT);
}

int rd_local_call_pbuf(struct rd_local_call *c)
{
	struct ringd_buf_reg br;
	int r = !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_in(c, &br, sizeof(br));

	if (r == 0)
		r = rd_local_call_run(c);
	if (r < 0)
		return r;
	r = area_keep(c, pbuf_off(&br));
	if (r < 0)
		c->reg.undo(&c->reg);
	return r;
}

int rd_local_call_unpbuf(struct rd_local_call *c)
{
	struct ringd_buf_reg br;
	int r = !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_in(c, &br, sizeof(br));

	if (r == 0)
		r = rd_local_call_run(c);
	if (r >= 0)
		area_drop(area_find(c->lr->regs, pbuf_off(&br)));
	return r;
}

/* --- areas of RECV_ZC --- */

struct ifq_call {
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

/* The answer, where the program's structures are. */
static int ifq_answer(struct rd_local_call *c, const struct ringd_zcrx_ifq_reg *asked)
{
	struct ifq_call got;
	bool whole = c->reg.out_len == sizeof(got);

	memcpy(&got, c->reg.out, c->reg.out_len);
	got.reg.if_idx = asked->if_idx;
	got.reg.area_ptr = asked->area_ptr;
	got.reg.region_ptr = asked->region_ptr;
	if (rd_local_copy_out(c->arg, &got.reg, sizeof(got.reg)) < 0)
		return -EFAULT;
	if (!whole)
		return 0;
	if (rd_local_copy_out(asked->area_ptr, &got.area, sizeof(got.area)) < 0 ||
	    rd_local_copy_out(asked->region_ptr, &got.desc, sizeof(got.desc)) < 0)
		return -EFAULT;
	return area_keep(c, got.desc.mmap_offset);
}

/* An area that another ring has exported, by its descriptor. */
static int ifq_import(struct rd_local_call *c, const struct ringd_zcrx_ifq_reg *reg)
{
	int fd, r;

	if (reg->area_ptr || reg->region_ptr)
		return -EINVAL;
	fd = rd_local_call_dup((int)reg->if_idx);
	if (fd < 0)
		return fd;
	c->reg.len = sizeof(*reg);
	c->reg.fds = &fd;
	c->reg.n_fds = 1;
	r = rd_local_call_run(c);
	rd_close(fd);
	return r < 0 ? r : ifq_answer(c, reg);
}

int rd_local_call_zcrx(struct rd_local_call *c)
{
	struct ringd_zcrx_ifq_reg asked;
	struct ifq_call in;
	int r;

	if (!c->arg || c->nr != 1)
		return -EINVAL;
	if (rd_local_copy_in(&asked, c->arg, sizeof(asked)) < 0)
		return -EFAULT;
	in.reg = asked;
	c->reg.data = (const uint8_t *)&in;
	c->reg.nr = 1;
	if (asked.flags & RINGD_ZCRX_REG_IMPORT)
		return ifq_import(c, &asked);
	in.reg.area_ptr = in.reg.region_ptr = 0;
	/* without them it is refused, after what is looked at before */
	c->reg.len = rd_local_copy_in(&in.area, asked.area_ptr, sizeof(in.area)) == 0 &&
		     rd_local_copy_in(&in.desc, asked.region_ptr, sizeof(in.desc)) == 0 ? sizeof(in) : sizeof(in.reg);
	r = rd_local_call_run(c);
	if (r < 0)
		return r;
	r = ifq_answer(c, &asked);
	if (r < 0)
		c->reg.undo(&c->reg);
	return r;
}

int rd_local_call_zcrx_ctrl(struct rd_local_call *c)
{
	struct ringd_zcrx_ctrl ctrl;
	int r = c->nr ? -EINVAL : rd_local_call_in(c, &ctrl, sizeof(ctrl));

	if (r == 0)
		r = rd_local_call_run(c);
	if (r < 0 || c->reg.out_fd < 0)
		return r;
	ctrl.zc_export.zcrx_fd = (uint32_t)c->reg.out_fd;
	if (rd_local_copy_out(c->arg, &ctrl, sizeof(ctrl)) < 0)
		return -EFAULT;
	(void)rd_steal_fd(&c->reg.out_fd);	/* the program's now */
	return r;
}
