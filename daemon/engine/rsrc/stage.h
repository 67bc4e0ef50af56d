/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private copies of what an SQE points to (paths, iovec arrays), charged by size until their request is finished. */
#ifndef RD_STAGE_H
#define RD_STAGE_H

#include <stddef.h>

#include "charge.h"

/* size bytes, aligned for anything, content undefined. -EDQUOT (objects), -ENOMEM: *ret untouched. */
int rd_stage_new(void **ret, struct rd_user *user, size_t size);
/* NULL is fine. Returns NULL. */
void *rd_stage_free(void *mem);

#endif
