/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the timeout family share. */
#ifndef RD_TIMEOUT_H
#define RD_TIMEOUT_H

#include "ops.h"

/* The timespec at addr, or with IMMEDIATE_ARG addr itself, in ns. -EFAULT, -EINVAL: negative. */
int rd_timeout_read(struct rd_req *req, uint64_t addr, uint32_t flags, uint64_t *ns);
/* Start the timer of a TIMEOUT or LINK_TIMEOUT: at the absolute time, or that long from now. */
void rd_timeout_start(struct rd_req *req, bool absolute);
/* Stop the timer and the count. */
void rd_timeout_stop(struct rd_req *req);

#endif
