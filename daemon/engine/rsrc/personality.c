/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "personality.h"

#include <stdlib.h>

#include "daemon/common/util.h"

#define RD_WORDS	((RD_PERSONALITY_MAX + 1) / 64)
#define RD_COST		(RD_WORDS * sizeof(uint64_t) / 64)	/* objects, at 64 bytes each */

static int make_table(struct rd_personalities *p, struct rd_user *user)
{
	int r = rd_charge_take(&p->charge, user, RINGD_LIMIT_OBJECTS, RD_COST);

	if (r < 0)
		return r;
	p->ids = calloc(RD_WORDS, sizeof(*p->ids));
	if (!p->ids) {
		rd_charge_give(&p->charge);
		return -ENOMEM;
	}
	p->ids[0] = 1;		/* 0 is nobody's */
	return 0;
}

/* First id from ... on whose bit is not (set: is) there; 65536: none. */
static uint32_t find(const struct rd_personalities *p, uint32_t from, bool set)
{
	for (uint32_t id = from; id <= RD_PERSONALITY_MAX; id = (id | 63) + 1) {
		uint64_t bits = (set ? p->ids[id / 64] : ~p->ids[id / 64]) >> (id % 64);

		if (bits)
			return id + (uint32_t)__builtin_ctzll(bits);
	}
	return RD_PERSONALITY_MAX + 1;
}

int rd_personality_add(struct rd_personalities *p, struct rd_user *user)
{
	uint32_t id;
	int r = p->ids ? 0 : make_table(p, user);

	if (r < 0)
		return r;
	id = find(p, p->last + 1, false);
	if (id > RD_PERSONALITY_MAX)
		id = find(p, 1, false);
	if (id > RD_PERSONALITY_MAX)
		return -EBUSY;
	p->ids[id / 64] |= 1ull << (id % 64);
	p->last = id;
	return (int)id;
}

int rd_personality_remove(struct rd_personalities *p, uint32_t id)
{
	if (!rd_personality_known(p, id))
		return -EINVAL;
	p->ids[id / 64] &= ~(1ull << (id % 64));
	return 0;
}

uint32_t rd_personality_next(const struct rd_personalities *p, uint32_t from)
{
	uint32_t id = p->ids ? find(p, RD_MAX(from, 1u), true) : 0;

	return id > RD_PERSONALITY_MAX ? 0 : id;
}

void rd_personality_deinit(struct rd_personalities *p)
{
	free(p->ids);
	p->ids = NULL;
	rd_charge_give(&p->charge);
}
