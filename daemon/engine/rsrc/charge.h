/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Budgets of the tenant. Nothing a client makes us hold exists without a charge, taken before it is made and given
 * back when it dies; the receipt lives inside the thing it pays for. Reactor thread only.
 */
#ifndef RD_CHARGE_H
#define RD_CHARGE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct rd_user {
	uint64_t used[RINGD_LIMIT_MAX];
	uint64_t limit[RINGD_LIMIT_MAX];
};

struct rd_charge {
	struct rd_user *user;		/* NULL: nothing taken */
	uint64_t amount;
	unsigned int slot;		/* RINGD_LIMIT_* */
};

/* 0, or -EDQUOT and nothing happened. Checked by subtraction: cannot wrap. */
static inline int rd_charge_take(struct rd_charge *charge, struct rd_user *user, unsigned int slot, uint64_t amount)
{
	if (user->used[slot] > user->limit[slot] || amount > user->limit[slot] - user->used[slot])
		return -EDQUOT;
	user->used[slot] += amount;
	*charge = (struct rd_charge){ .user = user, .amount = amount, .slot = slot };
	return 0;
}

/* Twice is fine. */
static inline void rd_charge_give(struct rd_charge *charge)
{
	if (charge->user)
		charge->user->used[charge->slot] -= charge->amount;
	charge->user = NULL;
}

/* Everything was given back. */
bool rd_user_idle(const struct rd_user *user);
/* "rings", "files", ... for messages; never NULL. */
const char *rd_limit_name(unsigned int slot);
/* Why a budget has no room for amount more; text is terminated. */
void rd_limit_words(const struct rd_user *user, unsigned int slot, uint64_t amount, char *text, size_t size);

#endif
