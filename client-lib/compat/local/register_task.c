/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a thread has besides its rings: registered descriptors of them, who it is, and restrictions for those it makes.
 *
 * The kernel keeps restrictions per thread, hands them on to what that thread starts, and across exec; here they are the
 * process's, so threads that were there before are restricted as well, and a new program is not.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"

int rd_local_find(uint32_t number, bool registered, struct rd_local_ring **ret)
{
	if (registered && number >= RD_LOCAL_SLOTS)
		return -EINVAL;
	*ret = registered ? rd_local_slot_get(number) : rd_local_ring_of((int)number);
	if (*ret)
		return 0;
	return registered ? -EBADF : rd_local_no_ring((int)number, -EOPNOTSUPP);
}

/* --- registered descriptors --- */

static int slot_fill(struct rd_local_call *c, unsigned int i)
{
	uint64_t at = c->arg + i * sizeof(struct ringd_rsrc_update);
	struct ringd_rsrc_update up;
	struct rd_local_ring *lr;
	int r;

	if (rd_local_copy_in(&up, at, sizeof(up)) < 0)
		return -EFAULT;
	if (up.resv || (up.offset != UINT32_MAX && up.offset >= RD_LOCAL_SLOTS))
		return -EINVAL;
	r = rd_local_find((uint32_t)up.data, false, &lr);
	if (r == 0)
		r = rd_local_slot_set((int)up.offset, lr);
	if (r < 0)
		return r;
	up.offset = (uint32_t)r;
	if (rd_local_copy_out(at, &up, sizeof(up)) == 0)
		return 0;
	rd_local_slot_clear(up.offset);
	return -EFAULT;
}

static int slot_empty(struct rd_local_call *c, unsigned int i)
{
	struct ringd_rsrc_update up;

	if (rd_local_copy_in(&up, c->arg + i * sizeof(up), sizeof(up)) < 0)
		return -EFAULT;
	if (up.resv || up.data || up.offset >= RD_LOCAL_SLOTS)
		return -EINVAL;
	return rd_local_slot_clear(up.offset);
}

static int each_slot(struct rd_local_call *c, int (*fn)(struct rd_local_call *c, unsigned int i))
{
	unsigned int i;
	int r = 0;

	if (!c->nr || c->nr > RD_LOCAL_SLOTS)
		return -EINVAL;
	for (i = 0; r == 0 && i < c->nr; i++)
		r = fn(c, i);
	if (r == 0)
		return (int)i;
	return i > 1 ? (int)i - 1 : r;
}

int rd_local_call_ring_fds(struct rd_local_call *c)
{
	return each_slot(c, slot_fill);
}

int rd_local_call_unring_fds(struct rd_local_call *c)
{
	return each_slot(c, slot_empty);
}

/* --- personalities --- */

int rd_local_call_personality(struct rd_local_call *c)
{
	int r = c->arg || c->nr ? -EINVAL : rd_local_call_run(c);

	if (r >= 0 && rd_local_who_add(c->lr->regs, (uint32_t)r) < 0) {
		(void)rd_personality_remove(&c->reg.ctx->personalities, (uint32_t)r);
		return -ENOMEM;
	}
	return r;
}

int rd_local_call_unpersonality(struct rd_local_call *c)
{
	int r;

	c->reg.nr = c->nr;
	r = c->arg ? -EINVAL : rd_local_call_run(c);
	if (r >= 0)
		rd_local_who_forget(c->lr->regs, c->nr);
	return r;
}

/* --- restrictions --- */

static struct rd_restrict task_rules;	/* with the lock */

void rd_local_task_rules(struct rd_ctx *ctx)
{
	ctx->task_rules = task_rules;
	rd_restrict_update(ctx);
}

/* size bytes of structure, which is in data already, and nr entries behind it. */
static int run_restrict(struct rd_local_call *c, uint8_t *data, size_t size, uint32_t nr)
{
	size_t list = nr * sizeof(struct ringd_restriction);

	if (nr > RD_RESTRICT_MAX || (nr && !c->arg))
		return -EINVAL;
	if (rd_local_copy_in(data + size, c->arg + size, list) < 0)
		return -EFAULT;
	/* the kernel does not look at what is reserved, and a program may have anything there */
	for (uint32_t i = 0; i < nr; i++) {
		struct ringd_restriction *e = (struct ringd_restriction *)(void *)(data + size) + i;

		e->resv = 0;
		memset(e->resv2, 0, sizeof(e->resv2));
	}
	c->reg.data = data;
	c->reg.len = size + list;
	return rd_local_call_run(c);
}

int rd_local_call_restrict(struct rd_local_call *c)
{
	_Alignas(8) uint8_t data[RD_RESTRICT_MAX * sizeof(struct ringd_restriction)];

	if (!rd_reg_disabled(&c->reg))
		return -EBADFD;
	if (c->reg.ctx->ring_rules.set)
		return -EBUSY;
	c->reg.nr = c->nr;
	return run_restrict(c, data, 0, c->nr);
}

/* As the kernel: who may not gain privileges any more, or has all of them. */
static bool may_restrict(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return true;
	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN));
}

int rd_local_call_restrict_task(struct rd_local_call *c)
{
	_Alignas(8) uint8_t data[sizeof(struct ringd_task_restriction) + RD_RESTRICT_MAX * sizeof(struct ringd_restriction)];
	struct ringd_task_restriction head;

	if (task_rules.set)
		return -EPERM;
	if (!may_restrict())
		return -EACCES;
	if (c->nr != 1)
		return -EINVAL;
	if (rd_local_copy_in(&head, c->arg, sizeof(head)) < 0)
		return -EFAULT;
	if (head.flags || head.resv[0] || head.resv[1] || head.resv[2])
		return -EINVAL;
	memcpy(data, &head, sizeof(head));
	c->reg.nr = 1;
	c->reg.task_rules = &task_rules;
	return run_restrict(c, data, sizeof(head), head.nr_res);
}
