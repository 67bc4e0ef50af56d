/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Personalities of a ring. All clients of an engine are one identity, its tenant's, so a snapshot of it is that
 * identity again: what is kept is only which numbers are taken.
 */
#ifndef RD_PERSONALITY_H
#define RD_PERSONALITY_H

#include <stdbool.h>
#include <stdint.h>

#include "charge.h"

#define RD_PERSONALITY_MAX 65535u	/* ids 1 to ... */

struct rd_personalities {
	uint64_t *ids;			/* bitmap, NULL: there never was one */
	uint32_t last;			/* given out last */
	struct rd_charge charge;
};

/* A new id. -EBUSY: all are taken, -EDQUOT (objects), -ENOMEM. */
int rd_personality_add(struct rd_personalities *p, struct rd_user *user);
/* 0; -EINVAL: there is none of this id. */
int rd_personality_remove(struct rd_personalities *p, uint32_t id);
static inline bool rd_personality_known(const struct rd_personalities *p, uint32_t id)
{
	return id && id <= RD_PERSONALITY_MAX && p->ids && (p->ids[id / 64] >> (id % 64) & 1);
}
/* First id from ... on, 0: none. */
uint32_t rd_personality_next(const struct rd_personalities *p, uint32_t from);
void rd_personality_deinit(struct rd_personalities *p);

#endif
