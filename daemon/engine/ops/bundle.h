/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers from and to provided buffers; see bundle.c. */
#ifndef RD_BUNDLE_H
#define RD_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "../rsrc/bufgroup.h"

struct rd_req;

/* One attempt, and what it is to be made with; lives on the stack of issue(). */
struct rd_batch {
	unsigned int room;	/* buffers to take at most: 0 for one, also an empty one, of a request without BUNDLE */
	uint64_t limit;		/* bytes to take at most, 0: no limit */
	bool append;		/* to what the CQE has already, which is complete */
	bool full;		/* there was no more room, or no more data to be sent, than what was moved */
	struct rd_bufsel sel;
	struct iovec iov[1 + RD_BUFSEL_MAX];
	struct rd_mem *owners[RD_BUFSEL_MAX];
};

/*
 * Take buffers, or go on with what is left of those of this CQE, and try once. net->done counts the bytes of this CQE, net->want
 * is all it can have; req->cflags are the buffers' flags. Bytes (more than there was room for with MSG_TRUNC), or -errno: nothing
 * was used up then. -ENOBUFS when something was done already: what it was to go on with is not there any more.
 */
ssize_t rd_batch_try(struct rd_req *req, struct rd_batch *b);
/* The CQE is posted, or about to be: the next one begins. */
void rd_batch_next(struct rd_req *req);

#endif
