/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TIMEOUT_REMOVE: end a timeout, or give it, or a linked one, another time. */
#include "timeout.h"

#define RD_UPDATE_FLAGS	(RINGD_TIMEOUT_UPDATE_MASK | RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_IMMEDIATE_ARG)

int rd_timeout_remove_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_timeout_remove *rm = &req->timeout_remove;
	uint32_t flags = sqe->timeout_flags;

	if (sqe->buf_index || sqe->len || sqe->splice_fd_in || (req->flags & RINGD_SQE_FIXED_FILE))
		return -EINVAL;
	rm->user_data = sqe->addr;
	rm->flags = flags;
	if (!flags)
		return 0;
	if (!(flags & RINGD_TIMEOUT_UPDATE_MASK) || (flags & ~(uint32_t)RD_UPDATE_FLAGS))
		return -EINVAL;
	return rd_timeout_read(req, sqe->addr2, flags, &rm->ns);
}

static void update(struct rd_req *target, const struct rd_timeout_remove *rm)
{
	struct rd_timeout *t = &target->timeout;

	rd_timeout_stop(target);
	t->off = 0;	/* counts or repeats: from now on only the time matters */
	t->ns = rm->ns;
	rd_timeout_start(target, rm->flags & RINGD_TIMEOUT_ABS);
}

int rd_timeout_remove_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_timeout_remove *rm = &req->timeout_remove;
	bool linked = (rm->flags & RINGD_TIMEOUT_UPDATE_MASK) == RINGD_TIMEOUT_UPDATE_MASK;
	struct rd_req *target = rd_waits_find(req->ctx, linked ? RINGD_OP_LINK_TIMEOUT : RINGD_OP_TIMEOUT, rm->user_data);

	(void)issue_flags;
	req->res = 0;
	if (!target)
		req->res = -ENOENT;
	else if (rm->flags & RINGD_TIMEOUT_UPDATE)
		update(target, rm);
	else
		req->res = rd_req_cancel(target);	/* its CQE comes behind ours */
	return RD_DONE;
}
