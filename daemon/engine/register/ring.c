/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register calls about the ring itself: its eventfd, its start, its size; and a message to it. */
#include <string.h>

#include "../ops/ops.h"
#include "../ring/event.h"
#include "register.h"

/* --- eventfd --- */

static int event_refused(struct rd_reg *reg, int err)
{
	switch (err) {
	case -EBUSY:
		return rd_reg_refuse(reg, err, "this ring has an eventfd");
	case -EINVAL:
		return rd_reg_refuse(reg, err, "the descriptor is not an eventfd");
	case -EDQUOT:
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_FILES, 1);
	}
	return rd_reg_refuse(reg, err, "the eventfd cannot be registered");
}

static int event_register(struct rd_reg *reg, bool async)
{
	int32_t fd;
	int r;

	if (reg->nr != 1 || reg->has_tags)
		return rd_reg_refuse(reg, -EINVAL, "one eventfd is registered at a time");
	if (reg->ring->event)
		return event_refused(reg, -EBUSY);
	r = rd_reg_struct(reg, &fd, sizeof(fd));
	if (r < 0)
		return r;
	if (reg->len != sizeof(fd) || reg->n_fds != (fd >= 0))
		return rd_reg_refuse(reg, -EPROTO, "an eventfd with %zu bytes and %zu descriptors", reg->len, reg->n_fds);
	if (fd < 0)
		return rd_reg_refuse(reg, -EBADF, "%d is no descriptor", fd);
	r = rd_event_set(reg->ring, reg->fds[0], async);
	if (r < 0)
		return event_refused(reg, r);
	reg->fds[0] = -1;
	return 0;
}

int rd_reg_eventfd(struct rd_reg *reg)
{
	return event_register(reg, false);
}

int rd_reg_eventfd_async(struct rd_reg *reg)
{
	return event_register(reg, true);
}

int rd_reg_unregister_eventfd(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	if (rd_event_clear(reg->ring) < 0)
		return rd_reg_refuse(reg, -ENXIO, "this ring has no eventfd");
	return 0;
}

/* --- start --- */

int rd_reg_enable_rings(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	if (rd_ring_enable(reg->ring) < 0)
		return rd_reg_refuse(reg, -EBADFD, "the ring is not disabled");
	return 0;
}

/* --- size --- */

/* The client has nothing of its ring any more. */
static void resize_undo(struct rd_reg *reg)
{
	rd_ring_kill(reg->ring, RINGD_REASON_FREED);
}

int rd_reg_resize_rings(struct rd_reg *reg)
{
	struct ringd_resized answer = { .resv = 0 };
	struct ringd_resize in;
	int r;

	if (reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "%u sizes for a ring", reg->nr);
	r = rd_reg_exactly(reg, &in, sizeof(in));
	if (r < 0)
		return r;
	if (!(reg->ctx->setup_flags & RINGD_SETUP_DEFER_TASKRUN) || in.params.flags & ~(RINGD_SETUP_CQSIZE | RINGD_SETUP_CLAMP))
		return rd_reg_refuse(reg, -EINVAL, "only the sizes of a ring with DEFER_TASKRUN can be changed");
	answer.params = in.params;
	answer.params.flags |= reg->ctx->setup_flags & RD_SETUP_LAYOUT;
	r = reg->ops->resize(reg, &answer, in.scratch_base, &reg->out_fd);
	if (r < 0)
		return r;
	reg->undo = resize_undo;
	memcpy(reg->out, &answer, sizeof(answer));
	reg->out_len = sizeof(answer);
	return 0;
}

/* --- message --- */

/* A message from no ring. */
int rd_reg_send_msg_ring(struct rd_reg *reg)
{
	struct ringd_sqe sqe;
	int r;

	if (reg->ring)
		return rd_reg_refuse(reg, -EINVAL, "this call is not made on a ring");
	r = rd_reg_struct(reg, &sqe, sizeof(sqe));
	if (r < 0)
		return r;
	if (reg->nr != 1 || reg->len != sizeof(sqe) || reg->has_tags)
		return rd_reg_refuse(reg, -EINVAL, "this call takes one SQE");
	r = rd_msgring_sync(reg->host, &sqe);
	return r < 0 ? rd_reg_refuse(reg, r, "the message to ring %d was not sent", sqe.fd) : r;
}
