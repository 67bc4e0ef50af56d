/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waiting for futex words in client memory. Those who wait are in a table of ours: what a request wakes is found there, at
 * once and in order. For wake-ups by system calls, of any process that shares the memory, every word is also waited for
 * in the kernel, by a few threads with up to 127 words each (futex_bridge.c). All of it on the reactor thread.
 *
 * The threads are late: a word that has been queued is in the kernel a moment later, and for a moment it is not when others
 * come or go. A wake-up in such a moment finds nobody there. Who waits loses nothing by that as long as whoever wakes changes
 * the word before, which all uses of futexes do: the kernel compares the word again when it is queued again, and a word
 * that has changed counts as woken. So 0 may come from a change without a wake-up, too.
 */
#ifndef RD_FUTEX_H
#define RD_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/list.h"

struct rd_engine;
struct rd_bridge;

struct rd_futex_wait {
	struct rd_link link;	/* those whose words hash alike, oldest first; empty: does not wait */
	uint32_t *word;		/* ours; mapped while it waits */
	uint32_t val;
	uint32_t mask;
	bool priv;		/* of this process alone: another word than the shared one at the same place */
	struct rd_bridge *bridge;	/* waits for it in the kernel, in this slot */
	uint8_t slot;
	/* it waits no more. res: 0, or -EFAULT: the word is not there any more. May queue and unqueue others. */
	void (*woken)(struct rd_futex_wait *wait, int res);
};

/* Is there val at this word now? 0, -EAGAIN, -EFAULT. Safe whatever the client does to its memory. */
int rd_futex_compare(uint32_t *word, uint32_t val, bool priv);
/* Wait as word, val, mask and woken say; the value was compared. -EDQUOT (workers): too many words; -EOPNOTSUPP: the kernel
 * cannot wait for several; -ENOMEM. */
int rd_futex_queue(struct rd_engine *engine, struct rd_futex_wait *wait);
/* Not queued: nothing. */
void rd_futex_unqueue(struct rd_futex_wait *wait);
/* Wake up to nr of those who wait for the word with a bit of mask in common, here and then in the kernel. How many; -EFAULT.
 * While threads of ours come and go it may be one more, who is not counted. */
int rd_futex_wake(struct rd_engine *engine, uint32_t *word, bool priv, uint32_t nr, uint32_t mask);
/* Nobody waits any more. */
void rd_futexes_deinit(struct rd_engine *engine);

#endif
