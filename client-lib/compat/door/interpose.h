/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the functions have in common that stand before libc's. Each looks at one word first: while there is no ring in the
 * process, it is libc's function and a load.
 */
#ifndef RD_DOOR_INTERPOSE_H
#define RD_DOOR_INTERPOSE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client-lib/compat/local/local.h"

static inline bool rd_door_active(void)
{
	return __builtin_expect(atomic_load_explicit(&rd_local_rings, memory_order_relaxed) != 0, 0);
}

#pragma GCC visibility push(hidden)

/*
 * The descriptors of this process are those the rings know of. False in the child of vfork() and of clone(): it has its
 * parent's memory (or a copy nobody prepared), but what it closes is its own.
 */
bool rd_door_at_home(void);

#pragma GCC visibility pop

#endif
