/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring in words, as fdinfo of an io_uring has it. */
#ifndef RD_SHOW_H
#define RD_SHOW_H

#include "daemon/common/text.h"
#include "ring.h"

#define RD_SHOW_MAX	128	/* entries of one kind; then only their number is told */

/* Reactor thread. Nothing in it waits; every list is cut after RD_SHOW_MAX entries. */
void rd_ring_show(const struct rd_ring *ring, struct rd_text *t);

#endif
