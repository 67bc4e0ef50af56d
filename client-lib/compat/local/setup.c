/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring_setup(2), the memory of rings, and their end. */
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "proto/wire.h"
#include "process.h"
#include "report.h"

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE	0x03
#define MAP_SYNC		0x80000
#endif

/* --- memory --- */

/* lr->layout is set. */
static int map(struct rd_local_ring *lr, const struct ringd_params *p)
{
	lr->memfd = -1;
	lr->user_mem = p->flags & RINGD_SETUP_NO_MMAP;
	return lr->user_mem ? rd_local_user_mem(lr, p->cq_off.user_addr, p->sq_off.user_addr) : rd_local_ring_memory(lr);
}

/* --- setup --- */

static int check_cpu(const struct ringd_params *p)
{
	cpu_set_t cpus;

	if (!(p->flags & RINGD_SETUP_SQ_AFF))
		return 0;
	CPU_ZERO(&cpus);
	(void)sched_getaffinity(0, sizeof(cpus), &cpus);
	return p->sq_thread_cpu < CPU_SETSIZE && CPU_ISSET(p->sq_thread_cpu, &cpus) ? 0 : -EINVAL;
}

static int find_group(const struct ringd_params *p, struct rd_local_ring **ret)
{
	struct rd_local_ring *to;

	if (!(p->flags & RINGD_SETUP_ATTACH_WQ))
		return 0;
	to = rd_local_ring_sure((int)p->wq_fd);
	if (!to)
		return rd_local_no_ring((int)p->wq_fd, -EINVAL) == -EBADF ? -ENXIO : -EINVAL;
	if (!(p->flags & RINGD_SETUP_SQPOLL))
		return 0;
	if (!(to->params.flags & RINGD_SETUP_SQPOLL))
		return -EINVAL;
	*ret = to;
	return 0;
}

void rd_local_ring_free(struct rd_local_ring *lr)
{
	rd_local_ringfd_free(lr);
	rd_local_ring_unmap(lr);
	free(lr);
}

static int ring_make(struct rd_local_ring *lr, struct ringd_params *p)
{
	struct rd_local_ring *group = NULL;
	struct ringd_params asked = *p;
	int r = rd_layout_compute(&lr->layout, p, true);

	if (r == 0)
		r = rd_local_start();	/* says what numbers our own descriptors get, so it comes first */
	if (r == 0)
		r = map(lr, &asked);
	if (r == 0)
		r = find_group(p, &group);
	if (r == 0)
		r = check_cpu(p);
	if (r < 0)
		return r;
	lr->params = *p;
	lr->id = ++rd_local.last_id;
	lr->clock = CLOCK_MONOTONIC;
	r = rd_local_ringfd_new(lr);
	if (r < 0)
		return r;
	r = rd_ring_new(&lr->ring, &rd_local.engine, &rd_local.host.host, p, &lr->layout, &lr->mem);
	if (r < 0) {
		rd_local_ringfd_undo(lr);
		return r;
	}
	lr->ring->host_data = lr;
	lr->ring->pins++;	/* our references */
	rd_local_task_rules(&lr->ring->ctx);
	if (group)
		rd_ring_attach(lr->ring, group->ring);
	return 0;
}

/* The caller has its number, or there is none: REGISTERED_FD_ONLY. */
static int ring_number(struct rd_local_ring *lr)
{
	int slot;

	if (lr->epfd >= 0)
		return lr->epfd;
	slot = rd_local_slot_set(-1, lr);
	rd_local_ring_put(lr);	/* the slot has it, or nobody */
	return slot;
}

static int setup(struct ringd_params *p)
{
	struct rd_local_ring *lr = calloc(1, sizeof(*lr));
	const struct ringd_params asked = *p;
	int r;

	if (!lr)
		return -ENOMEM;
	lr->epfd = lr->efd = lr->memfd = lr->room_fd = lr->held[0] = lr->held[1] = -1;
	lr->refs = 1;
	rd_list_init(&lr->link);
	rd_list_init(&lr->touched);
	r = ring_make(lr, p);
	rd_local_report_setup(&asked, r < 0 ? NULL : lr, r);
	if (r < 0) {
		rd_local_ring_free(lr);
		return r;
	}
	rd_list_append(&rd_local.all, &lr->link);
	atomic_fetch_add(&rd_local_rings, 1);
	rd_local_ring_wake(NULL, lr->ring);	/* arms its wait word */
	if (lr->ring->sqpoll && !lr->ring->ctx.disabled)
		rd_ring_doorbell(lr->ring);	/* polled from the start */
	if ((p->flags & RINGD_SETUP_SINGLE_ISSUER) && !(p->flags & RINGD_SETUP_R_DISABLED))
		lr->issuer = (pid_t)syscall(SYS_gettid);
	return ring_number(lr);
}

int rd_local_setup(unsigned int entries, struct ringd_params *params)
{
	struct ringd_params p;
	int saved = errno, r;

	if (rd_local_copy_in(&p, (uintptr_t)params, sizeof(p)) < 0)
		return -EFAULT;
	for (size_t i = 0; i < RD_ARRAY_SIZE(p.resv); i++) {
		if (p.resv[i])
			return -EINVAL;
	}
	if (RD_UNLIKELY(rd_local_inside()))
		return -EAGAIN;
	p.sq_entries = entries;
	rd_local_fork_watch();
	rd_local_look_around();
	rd_local_lock();
	r = setup(&p);
	if (r >= 0 && rd_local_copy_out((uintptr_t)params, &p, sizeof(p)) < 0) {
		if (p.flags & RINGD_SETUP_REGISTERED_FD_ONLY)
			rd_local_slot_clear((unsigned int)r);
		else if (rd_local_ringfd_close(r))
			rd_close(r);
		r = -EFAULT;
	}
	rd_local_leave();
	rd_local_unlock();
	if (r < 0)
		rd_local_settle_down();
	errno = saved;
	return r;
}

/* --- the end --- */

struct rd_local_ring *rd_local_ring_get(struct rd_local_ring *lr)
{
	lr->refs++;
	return lr;
}

void rd_local_ring_end(struct rd_local_ring *lr)
{
	rd_local_user_mem_leave(lr);
	lr->ring->pins--;
	rd_local_report_ring_end(lr);
	rd_ring_kill(lr->ring, RINGD_REASON_FREED);
	rd_local_register_drop(lr);
	rd_ring_check_burial(lr->ring);		/* it was dead before */
	/* what can be cancelled at once is; the rest comes back when it does */
	for (int i = 0; i < 4 && rd_local_turn(); i++)
		;
}

void rd_local_ring_put(struct rd_local_ring *lr)
{
	if (--lr->refs)
		return;
	if (lr->dormant) {
		rd_local_dormant_drop(lr);
		return;
	}
	if (RD_LIKELY(!lr->share) || !rd_local_linger(lr))
		rd_local_ring_end(lr);
}

void rd_local_ring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason)
{
	struct rd_local_ring *lr = ring->host_data;
	struct rd_link *l, *tmp;

	(void)host;
	(void)reason;
	rd_list_remove(&lr->touched);
	rd_list_foreach(l, tmp, &rd_local.waiters) {
		struct rd_local_waiter *w = rd_list_entry(l, struct rd_local_waiter, link);

		if (w->lr == lr)
			rd_local_waiter_end(w);
	}
}

/* Its memory was the engine's until now. A number that still means it means a dead ring. */
void rd_local_ring_gone(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_local_ring *lr = ring->host_data;

	(void)host;
	rd_list_remove(&lr->link);
	rd_list_remove(&lr->touched);
	rd_local_share_leave(lr);
	atomic_fetch_sub(&rd_local_rings, 1);
	rd_local_ring_free(lr);
}

/* --- mmap --- */

/* The part of an offset that says which region is meant; of what is below nobody takes notice. */
static uint64_t region_offset(uint64_t off)
{
	uint64_t kind = off & RINGD_OFF_MMAP_MASK;

	return kind == RINGD_OFF_SQ_RING || kind == RINGD_OFF_CQ_RING || kind == RINGD_OFF_SQES ? kind : off & ~(uint64_t)0xffff;
}

/* What is at this offset of the ring's descriptor? *mem: ring memory; NULL: at *at of *memfd. */
static int region_of(struct rd_local_ring *lr, uint64_t off, size_t len, void **mem, int *memfd, uint64_t *at)
{
	if (off != RINGD_OFF_SQ_RING && off != RINGD_OFF_CQ_RING && off != RINGD_OFF_SQES)
		return rd_local_register_region(lr, off, len, memfd, at);
	if (lr->user_mem)
		return -EINVAL;
	*mem = off == RINGD_OFF_SQES ? lr->mem.sqes : lr->mem.rings;
	return 0;
}

/* In the order the kernel looks. */
static int check_map(const void *addr, size_t len, int flags, uint64_t off)
{
	uint64_t page = (uint64_t)getpagesize(), size = rd_align(len, page);

	if ((flags & MAP_HUGETLB) || !len || off % page)
		return -EINVAL;
	if (!size || size > (uint64_t)1 << 47)
		return -ENOMEM;
	if (addr)
		return -EINVAL;		/* the kernel chooses, even when it is told */
	if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		return flags & MAP_SYNC ? -EOPNOTSUPP : 0;
	return (flags & MAP_TYPE) == MAP_SHARED || (flags & MAP_TYPE) == MAP_PRIVATE ? 0 : -EINVAL;
}

static int map_region(void **ret, struct rd_local_ring *lr, size_t len, int prot, int flags, uint64_t off)
{
	void *mem = NULL, *p;
	uint64_t at = 0;
	int memfd = -1;

	/* more is accepted than there is: it is only not there */
	if (lr->ring->dead || region_of(lr, region_offset(off), len, &mem, &memfd, &at) < 0)
		return -ENOMEM;		/* the kernel has no place for what is not there */
	if (prot & PROT_EXEC)
		return -EPERM;
	if (mem)
		return rd_local_ring_view(ret, lr, mem, len, prot);
	/* MAP_PRIVATE is accepted, and means the same */
	p = mmap(NULL, len, prot, (flags & ~MAP_TYPE) | MAP_SHARED, memfd, (off_t)at);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

int rd_local_mmap(void **ret, void *addr, size_t len, int prot, int flags, int fd, uint64_t off)
{
	struct rd_local_ring *lr;
	int saved = errno, r = 1;

	if (!rd_local_is_ring(fd))
		return 1;
	if (RD_UNLIKELY(rd_local_inside()))
		return -EAGAIN;
	rd_local_lock();
	lr = rd_local_ring_sure(fd);
	if (lr)
		r = check_map(addr, len, flags, off);
	if (lr && r == 0)
		r = map_region(ret, lr, len, prot, flags, off);
	rd_local_unlock();
	errno = saved;
	return r;
}

/* --- other sizes --- */

int rd_local_ring_resize(struct rd_local_ring *lr, struct ringd_params *params)
{
	struct rd_local_ring old = *lr, new = *lr;
	struct ringd_params p = *params;
	int r;

	p.flags = (p.flags & (RINGD_SETUP_CQSIZE | RINGD_SETUP_CLAMP)) | (lr->params.flags & RD_SETUP_LAYOUT);
	new.mem = (struct rd_ring_memory){ 0 };
	new.memfd = -1;
	r = rd_layout_compute(&new.layout, &p, true);
	if (r == 0)
		r = map(&new, params->flags & RINGD_SETUP_NO_MMAP ? params : &p);
	if (r == 0)
		r = rd_ring_resize(lr->ring, &new.layout, &new.mem);
	if (r < 0) {
		rd_local_ring_unmap(&new);
		return r;
	}
	lr->layout = new.layout;
	lr->mem = new.mem;
	lr->mem_ours = new.mem_ours;
	lr->user_mem = new.user_mem;
	lr->memfd = new.memfd;
	lr->params.sq_entries = p.sq_entries;
	lr->params.cq_entries = p.cq_entries;
	lr->params.sq_off = p.sq_off;
	lr->params.cq_off = p.cq_off;
	rd_local_ring_unmap(&old);
	*params = p;
	rd_local_ring_wake(NULL, lr->ring);
	return 0;
}
