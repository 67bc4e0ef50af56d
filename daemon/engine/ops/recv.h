/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What receiving once and receiving again and again have in common. */
#ifndef RD_RECV_H
#define RD_RECV_H

#include <sys/types.h>

struct rd_batch;
struct rd_req;

/*
 * Receive what one CQE tells of: its result (> 0, req->cflags are complete), 0 for the end, -errno: nothing was used up; or
 * RD_RECV_LATER: req has the result, and something is to be seen to before that is told.
 */
#define RD_RECV_LATER	(-5001)
typedef ssize_t rd_recv_fn(struct rd_req *req, struct rd_batch *b);
/* That of RECV, for BUFFER_SELECT. */
rd_recv_fn rd_recv_batch;
/* Done, without provided buffers: if there was no room for more, ask a stream whether there is, and say so in req->cflags. */
void rd_recv_note_more(struct rd_req *req);
/* issue() of a multishot receive, or RD_RECV_LATER. */
int rd_recv_multi(struct rd_req *req, unsigned int issue_flags, rd_recv_fn *once);

#endif
