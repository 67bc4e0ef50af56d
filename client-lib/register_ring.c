/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register calls about a ring itself: its workers, identities, restrictions, buffers of another ring, memory region. */
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "private.h"

#define CPU_BYTES	8192u	/* of a mask; the rest is for CPUs that no machine has */
#define RESTRICT_MAX	(RINGD_OP_LAST + RINGD_REGISTER_LAST + RINGD_RESTRICTION_LAST)

/* --- restrictions --- */

int ringd_register_restrictions(struct ringd_ring *ring, const struct ringd_restriction *list, unsigned int nr)
{
	if (nr > RESTRICT_MAX || (nr && !list))
		return rdl_fail(ring->rd, -EINVAL, "%u restrictions, at most %u", nr, RESTRICT_MAX);
	return rdl_call_one(ring, RINGD_REGISTER_RESTRICTIONS, nr, list, nr * sizeof(*list));
}

/*
 * What this process has registered for itself: written once, then only read. A child has it too, since it has our memory;
 * so there is no lock that a fork() could leave locked.
 */
enum { TASK_FREE, TASK_BEING_SET, TASK_SET };

static struct {
	uint32_t state;
	size_t size;
	struct ringd_task_restriction head;
	struct ringd_restriction list[RESTRICT_MAX];
} task;

static int tell_engine(struct ringd *rd)
{
	int r = rdl_call_get(rd, NULL, RINGD_REGISTER_RESTRICTIONS, 1, &task.head, task.size, NULL, 0, NULL);

	rd->restricted |= r >= 0;
	return r;
}

int rdl_task_restrict(struct ringd *rd)
{
	/* acquire: pairs with the release below, the rest of it is complete */
	return rdl_load_acquire(&task.state) == TASK_SET && !rd->restricted ? tell_engine(rd) : 0;
}

/* As the kernel: who may not gain privileges any more, or has all of them. */
static bool may_restrict(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return true;
	return syscall(SYS_capget, &head, data) == 0 && (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN));
}

int ringd_register_task_restrictions(struct ringd *rd, const struct ringd_task_restriction *set)
{
	uint32_t nothing = TASK_FREE;
	int r;

	_Static_assert(offsetof(__typeof__(task), list) - offsetof(__typeof__(task), head) == sizeof(task.head), "one message");
	if (!set)
		return rdl_fail(rd, -EFAULT, "no restrictions");
	if (rdl_load(&task.state) != TASK_FREE)
		return rdl_fail(rd, -EPERM, "this process is restricted already");
	if (!may_restrict())
		return rdl_fail(rd, -EACCES, "needs no_new_privs or CAP_SYS_ADMIN");
	if (set->nr_res > RESTRICT_MAX)
		return rdl_fail(rd, -EINVAL, "%u restrictions, at most %u", set->nr_res, RESTRICT_MAX);
	if (!__atomic_compare_exchange_n(&task.state, &nothing, TASK_BEING_SET, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return rdl_fail(rd, -EPERM, "another thread restricts this process");
	task.head = *set;
	memcpy(task.list, set->restrictions, set->nr_res * sizeof(task.list[0]));
	task.size = sizeof(task.head) + set->nr_res * sizeof(task.list[0]);
	r = tell_engine(rd);
	rdl_store_release(&task.state, r < 0 ? TASK_FREE : TASK_SET);
	return r;
}

/* --- identities --- */

int ringd_register_personality(struct ringd_ring *ring)
{
	return rdl_call_one(ring, RINGD_REGISTER_PERSONALITY, 0, NULL, 0);
}

int ringd_unregister_personality(struct ringd_ring *ring, int id)
{
	return rdl_call_one(ring, RINGD_UNREGISTER_PERSONALITY, (uint32_t)id, NULL, 0);
}

int ringd_register_bpf_filter(struct ringd_ring *ring, const struct ringd_bpf *bpf)
{
	if (!bpf)
		return rdl_fail(ring->rd, -EFAULT, "no filter");
	return rdl_call_one(ring, RINGD_REGISTER_BPF_FILTER, 1, bpf, sizeof(*bpf));
}

/* --- workers --- */

int ringd_register_iowq_aff(struct ringd_ring *ring, size_t size, const void *mask)
{
	if (!size || !mask)
		return rdl_fail(ring->rd, -EINVAL, "no CPU mask");
	size = RDL_MIN(size, CPU_BYTES);
	return rdl_call_one(ring, RINGD_REGISTER_IOWQ_AFF, (uint32_t)size, mask, size);
}

int ringd_unregister_iowq_aff(struct ringd_ring *ring)
{
	return rdl_call_one(ring, RINGD_UNREGISTER_IOWQ_AFF, 0, NULL, 0);
}

int ringd_register_iowq_max_workers(struct ringd_ring *ring, unsigned int *values)
{
	uint32_t v[2];
	int r;

	if (!values)
		return rdl_fail(ring->rd, -EINVAL, "no worker limits");
	v[0] = values[0];
	v[1] = values[1];
	r = rdl_call_get(ring->rd, ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, 2, v, sizeof(v), v, sizeof(v), NULL);
	if (r < 0)
		return r;
	values[0] = v[0];
	values[1] = v[1];
	return r;
}

/* --- requests --- */

int ringd_register_sync_cancel(struct ringd_ring *ring, const struct ringd_sync_cancel_reg *reg)
{
	if (!reg)
		return rdl_fail(ring->rd, -EFAULT, "nothing to cancel");
	return rdl_call_one(ring, RINGD_REGISTER_SYNC_CANCEL, 1, reg, sizeof(*reg));
}

/* --- buffers of another ring --- */

int ringd_clone_buffers_offset(struct ringd_ring *dst, const struct ringd_ring *src, unsigned int dst_off, unsigned int src_off,
			       unsigned int nr, unsigned int flags)
{
	const struct ringd_clone_buffers c = {
		.src_fd = src->id, .flags = flags, .src_off = src_off, .dst_off = dst_off, .nr = nr,
	};
	uint32_t end;
	int r;

	if (src->rd != dst->rd)
		return rdl_fail(dst->rd, -EINVAL, "the other ring belongs to another connection");
	/* io_uring looks for a table in the way first */
	if ((!dst->bufs_nr || (flags & RINGD_REGISTER_DST_REPLACE)) && rdl_may_register(src) < 0)
		return rdl_fail(dst->rd, -EEXIST, "the other ring is another thread's");
	r = rdl_call_one(dst, RINGD_REGISTER_CLONE_BUFFERS, 1, &c, sizeof(c));
	end = dst_off + (nr ? nr : src->bufs_nr);
	if (r >= 0 && end > dst->bufs_nr)
		dst->bufs_nr = end;
	return r;
}

int ringd_clone_buffers(struct ringd_ring *dst, const struct ringd_ring *src)
{
	return ringd_clone_buffers_offset(dst, src, 0, 0, 0, 0);
}

/* --- memory region --- */

static int map_region(struct ringd_ring *ring, uint64_t size, int fd)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	rdl_close(fd);
	if (p == MAP_FAILED)
		return rdl_fail(ring->rd, -ENOMEM, "cannot map the region");
	ring->region = p;
	ring->region_mapped = true;
	return 0;
}

int ringd_register_region(struct ringd_ring *ring, const struct ringd_mem_region_reg *reg)
{
	struct {
		struct ringd_mem_region_reg reg;
		struct ringd_region_desc desc;
	} call;
	struct ringd_region_desc *desc;
	bool user;
	int r, fd = -1;

	if (!reg || !reg->region_uptr)
		return rdl_fail(ring->rd, -EFAULT, "no region");
	desc = (struct ringd_region_desc *)(uintptr_t)reg->region_uptr;
	call.reg = *reg;
	call.reg.region_uptr = 0;
	call.desc = *desc;
	user = desc->flags & RINGD_MEM_REGION_TYPE_USER;
	r = rdl_call_get(ring->rd, ring, RINGD_REGISTER_MEM_REGION, 1, &call, sizeof(call), &call.desc, sizeof(call.desc),
			 user ? NULL : &fd);
	if (r >= 0 && user)
		ring->region = (void *)(uintptr_t)desc->user_addr;
	else if (r >= 0)
		r = map_region(ring, desc->size, fd);
	if (r < 0)
		return r;
	ring->region_size = desc->size;		/* what was asked for, whatever the answer says */
	*desc = call.desc;
	if (reg->flags & RINGD_MEM_REGION_REG_WAIT_ARG) {
		ring->wait_region = ring->region;
		ring->wait_region_size = ring->region_size;
	}
	return 0;
}

void *ringd_ring_region(const struct ringd_ring *ring, size_t *size)
{
	if (size)
		*size = ring->region_size;
	return ring->region;
}
