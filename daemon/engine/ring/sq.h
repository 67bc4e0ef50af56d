/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The submission side: looking at a ring. Reactor thread of the ring. */
#ifndef RD_SQ_H
#define RD_SQ_H

#include "ring.h"

/* Take what the client has submitted, at most a visit's worth. Returns how much was done. */
unsigned int rd_sq_look(struct rd_ring *ring);
/* Is there something that rd_sq_look() would take? */
bool rd_sq_pending(const struct rd_ring *ring);
/* A pending request has completed: put or hold its CQE, then free it. */
void rd_sq_complete(struct rd_ring *ring, struct rd_req *req);
/* The in-flight budget has room again: look at the rings that had to wait for it. */
void rd_sq_feed_starved(struct rd_engine *engine);

#endif
