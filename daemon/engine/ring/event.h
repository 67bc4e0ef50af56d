/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The eventfd of a ring (REGISTER_EVENTFD): told once per batch of CQEs that became visible. Reactor thread. */
#ifndef RD_EVENT_H
#define RD_EVENT_H

#include "ring.h"

/*
 * Signal fd from now on; with async only for what workers completed. fd is taken over on success. -EBUSY: there is one;
 * -EINVAL: no eventfd; -EDQUOT, -ENOMEM.
 */
int rd_event_set(struct rd_ring *ring, int fd, bool async);
/* -ENXIO: there is none. */
int rd_event_clear(struct rd_ring *ring);
/* In the child of a fork(): nobody writes it at the moment; or nobody ever will. */
void rd_event_inherit(struct rd_ring *ring);
void rd_event_inherit_drop(struct rd_ring *ring);
/* CQEs have been made visible. */
void rd_event_published(struct rd_ring *ring);
/* A task is waiting for the client to enter; worked: a worker brought it. */
void rd_event_pending(struct rd_ring *ring, bool worked);

#endif
