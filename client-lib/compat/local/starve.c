/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that may have no more threads (RLIMIT_NPROC, a cgroup) gets none from us either. Requests that wait for the first worker
 * are cancelled then, as the kernel does it; those of a pool that has workers wait for one of them.
 */
#include "daemon/engine/exec/workers.h"
#include "daemon/engine/request/request.h"
#include "process.h"

static bool cancel_one(struct rd_ctx *ctx)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &ctx->pending) {
		struct rd_req *req = rd_list_entry(l, struct rd_req, link);

		/* the list may be another one afterwards */
		if (req->state == RD_REQ_WORK && rd_req_cancel(req) == 0)
			return true;
	}
	return false;
}

void rd_local_starve(void)
{
	struct rd_link *l, *tmp;

	rd_list_foreach(l, tmp, &rd_local.all) {
		struct rd_local_ring *lr = rd_list_entry(l, struct rd_local_ring, link);

		while (!lr->ring->dead && cancel_one(&lr->ring->ctx))
			;
	}
}
