/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings on which late completions wait for their client: DEFER_TASKRUN and IOPOLL. Reactor thread. */
#ifndef RD_LAZY_H
#define RD_LAZY_H

#include "ring.h"

/* There may be tasks: run them if the client waits, else tell it. rd_cq_publish() follows. */
void rd_lazy_stir(struct rd_ring *ring);
/* ring->reaping: a visit's worth. How many were run. */
unsigned int rd_lazy_look(struct rd_ring *ring);
/* An enter with GETEVENTS: a visit's worth of those there were when it came to this. True: that was all. */
bool rd_lazy_enter(struct rd_ring *ring);
/* The wait is over: what has not run yet does not until the client asks for it again. */
void rd_lazy_stop(struct rd_ring *ring);

#endif
