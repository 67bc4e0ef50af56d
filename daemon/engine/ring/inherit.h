/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the child of a fork(), for a host whose process this is. The parent's thread had the engine for itself when it forked. */
#ifndef RD_INHERIT_H
#define RD_INHERIT_H

#include "ring.h"

/* At once: descriptors of the reactor are closed, and the engine has neither reactor nor workers any more. */
void rd_engine_inherit(struct rd_engine *engine);
/* At once, each for all rings before the next: what only requests of the parent used is closed. */
void rd_ring_inherit_uncount(struct rd_ring *ring);
void rd_ring_inherit_count(struct rd_ring *ring);
void rd_ring_inherit_close(struct rd_ring *ring);
/* Before its first use, in an engine that was made anew: it has no request. Its indices are the host's to set. */
void rd_ring_inherit(struct rd_ring *ring);
/* Instead: it will not be used. Its descriptors are closed, its memory is left. */
void rd_ring_inherit_drop(struct rd_ring *ring);

#endif
