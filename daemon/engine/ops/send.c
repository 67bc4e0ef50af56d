/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SEND */
#include <errno.h>
#include <sys/socket.h>

#include "net.h"
#include "ops.h"

int rd_send_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = rd_net_prep(req, sqe, RINGD_RECVSEND_POLL_FIRST | RINGD_SEND_VECTORIZED);

	if (r < 0)
		return r;
	if (sqe->__pad3[0])
		return -EINVAL;
	req->net.send = true;
	if (sqe->addr2) {
		r = rd_net_name(req, sqe->addr2, sqe->addr_len);
		if (r < 0)
			return r;
	}
	if (sqe->ioprio & RINGD_SEND_VECTORIZED) {
		r = rd_net_segments(req, sqe->addr, sqe->len);
		if (r < 0)
			rd_net_cleanup(req);
		return r;
	}
	rd_net_one(req, sqe->addr, sqe->len);
	return 0;
}

int rd_send(struct rd_req *req, unsigned int issue_flags)
{
	return rd_net_issue(req, issue_flags);
}
