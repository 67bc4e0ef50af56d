/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads that wait for futex words in the kernel. Reactor thread, but for rd_bridge_main(). */
#ifndef RD_BRIDGE_H
#define RD_BRIDGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../rsrc/charge.h"
#include "futex.h"
#include "work.h"

#define RD_BRIDGE_WORDS	127	/* the kernel's 128, but for the word that calls the thread */

#define RD_SLOT_FREE	0
#define RD_SLOT_LIVE	1
#define RD_SLOT_FIRED	2	/* woken, the reactor has not seen it yet */
#define RD_SLOT_ZOMBIE	3	/* nobody's, but the kernel may have it still */

struct rd_futexes;

struct rd_slot {
	uint32_t *word;
	uint32_t val;
	uint8_t state;		/* RD_SLOT_* */
	bool priv;
	bool armed;		/* given to the kernel, and the thread has not come back from there */
	bool own;		/* armed: that it was hit was our own doing and means nothing */
	int res;		/* FIRED */
	struct rd_futex_wait *wait;	/* LIVE and FIRED; only the reactor follows it */
};

struct rd_bridge {
	struct rd_link link;	/* futexes->bridges */
	struct rd_reactor *reactor;
	struct rd_futexes *futexes;
	void (*fired)(struct rd_futex_wait *wait, int res);	/* reactor thread, it has left the bridge */
	pthread_t thread;
	struct rd_charge charge;
	unsigned int used;	/* LIVE or FIRED; the reactor's */
	bool call;		/* the thread is to be called; the reactor's */
	struct rd_work work;	/* carries the news of fired slots */

	pthread_mutex_t lock;	/* of all below; held for a few hundred instructions */
	uint32_t control;	/* a futex word of its own: +1 calls the thread */
	bool stop;
	bool asleep;		/* in the kernel, or about to be */
	bool returned;		/* work is on its way */
	uint8_t order[RD_BRIDGE_WORDS], n;	/* slots that are not free, oldest first */
	struct rd_slot slots[RD_BRIDGE_WORDS];
};

/* Start a thread. -EDQUOT, -ENOMEM, -EAGAIN; first: it may go without paying when the budget is used up. */
int rd_bridge_new(struct rd_bridge **ret, struct rd_reactor *reactor, struct rd_user *user, bool first);
/* Ask it to end. Nothing is LIVE or FIRED. */
void rd_bridge_stop(struct rd_bridge *b);
/* Free it when its thread has ended, which wait says to wait for. False: has not. */
bool rd_bridge_reap(struct rd_bridge *b, bool wait);
/* There is a free slot. */
void rd_bridge_add(struct rd_bridge *b, struct rd_futex_wait *wait);
bool rd_bridge_full(struct rd_bridge *b);
/* It is not waited for any more; the thread learns it by rd_bridge_call(). True: it was woken already. */
bool rd_bridge_remove(struct rd_futex_wait *wait);
void rd_bridge_call(struct rd_bridge *b);
/* Has it nothing to wait for, and nothing to tell? */
bool rd_bridge_idle(struct rd_bridge *b);
/* We are about to wake who waits for this word in the kernel: how many of them are ours, and will not mind. */
unsigned int rd_bridge_ours(struct rd_bridge *b, const uint32_t *word, bool priv);
/* Everybody in the kernel's queue of this word has just been woken by us: what zombies were hit does not matter. */
void rd_bridge_absolve(struct rd_bridge *b, const uint32_t *word, bool priv);

#endif
