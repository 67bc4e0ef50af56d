/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RECV */
#include <errno.h>
#include <sys/socket.h>

#include "net.h"
#include "ops.h"

int rd_recv_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	int r = rd_net_prep(req, sqe, RINGD_RECVSEND_POLL_FIRST);

	if (r < 0)
		return r;
	if (sqe->addr2 || sqe->optlen)
		return -EINVAL;
	rd_net_one(req, sqe->addr, sqe->len);
	return 0;
}

int rd_recv(struct rd_req *req, unsigned int issue_flags)
{
	return rd_net_issue(req, issue_flags);
}
