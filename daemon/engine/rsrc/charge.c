/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "charge.h"

#include <stdio.h>

#include "daemon/common/util.h"

bool rd_user_idle(const struct rd_user *user)
{
	for (unsigned int slot = 0; slot < RINGD_LIMIT_MAX; slot++) {
		if (user->used[slot])
			return false;
	}
	return true;
}

const char *rd_limit_name(unsigned int slot)
{
	static const char *const names[] = {
		[RINGD_LIMIT_RINGS] = "rings",
		[RINGD_LIMIT_ENTRIES] = "ring entries",
		[RINGD_LIMIT_BYTES] = "bytes",
		[RINGD_LIMIT_FILES] = "files",
		[RINGD_LIMIT_INFLIGHT] = "requests in flight",
		[RINGD_LIMIT_WORKERS] = "workers",
		[RINGD_LIMIT_CLIENTS] = "clients",
		[RINGD_LIMIT_OBJECTS] = "objects",
	};

	_Static_assert(RD_ARRAY_SIZE(names) == RINGD_LIMIT_MAX, "every limit has a name");
	return slot < RINGD_LIMIT_MAX ? names[slot] : "unknown";
}

void rd_limit_words(const struct rd_user *user, unsigned int slot, uint64_t amount, char *text, size_t size)
{
	unsigned long long used = user->used[slot], limit = user->limit[slot];

	if (used >= limit)
		snprintf(text, size, "%s budget of this tenant is used up (%llu of %llu)", rd_limit_name(slot), used, limit);
	else
		snprintf(text, size, "%s budget of this tenant has no room for %llu more (%llu of %llu used)", rd_limit_name(slot),
			 (unsigned long long)amount, used, limit);
}
