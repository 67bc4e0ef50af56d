/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings that several processes have: see share.c. With the lock, if not told. */
#ifndef RD_LOCAL_SHARE_H
#define RD_LOCAL_SHARE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/list.h"
#include "daemon/engine/exec/loop.h"

struct rd_local_ring;

/* What is true of one ring, in memory of all who have it. Its readers have the page's lock. */
struct rd_share_ring {
	uint32_t sq_head, cq_tail;
	uint32_t sq_flags, sq_dropped, cq_overflow;
	bool readable, watched;		/* as in struct rd_local_ring, of the descriptor that all of them have */
	bool doorbell;			/* its SQ is polled by the process that made it, which is to look */
};

#define RD_SHARE_WAITS	256	/* of all processes; more are not told of when theirs ends */
#define RD_SHARE_USERS	16

/* A request that is in flight. */
struct rd_share_wait {
	uint64_t user_data, ino, dev;
	pid_t pid;			/* whose it is; 0: nobody's */
	uint32_t slot;			/* of the ring */
	int32_t fd;			/* what it waits for: its number there; -1: it ends with its process */
	uint32_t events;
	int32_t res;			/* of its CQE then */
	uint32_t flags;
};

struct rd_share_page {
	pthread_mutex_t lock;		/* robust: who dies with it leaves the indices in struct ringd_hot */
	uint64_t id;			/* pages are locked in this order */
	pid_t maker;			/* polls the SQs */
	pid_t last;			/* who had the lock last */
	uint32_t users;			/* processes that ever used it */
	pid_t user[RD_SHARE_USERS];	/* they are watched; 0: nobody */
	struct rd_share_wait waits[RD_SHARE_WAITS];
	struct rd_share_ring ring[];
};

/* Another process that uses the page. */
struct rd_local_watch {
	struct rd_local_share *share;
	struct rd_source source;
	int fd;
	pid_t pid;			/* 0: nobody */
};

/* A process's view of the rings that were there at one fork(), and at none before. */
struct rd_local_share {
	struct rd_link link;		/* rd_local.shares: those this process uses */
	struct rd_share_page *page;
	struct rd_source news;		/* efd: somebody else has changed something */
	int efd;
	uint32_t nr;			/* of rings[]: others write to the page, and may have fewer rights than we */
	bool active;			/* on that list */
	uint32_t will;			/* not 0: the page has requests of ours */
	struct rd_local_watch watch[RD_SHARE_USERS];
	struct rd_link orphans;		/* heir.c's */
	bool told;			/* others are to be woken when the lock is given back */
	uint32_t left;			/* rings that are not gone */
	struct rd_local_ring *rings[];	/* NULL: it has gone */
};

/* Before a fork(): rings that have none get a page. */
void rd_local_share_new(void);
/* Child of a fork(), or the engine has gone: none is used, and none is locked. */
void rd_local_share_forget(void);
/* This process uses the ring from now on, whose engine runs: its indices are true. -ENOMEM: there is no page. */
int rd_local_share_attach(struct rd_local_ring *lr);
/* Its last reference in this process has gone. */
void rd_local_share_leave(struct rd_local_ring *lr);
/* What comes with the process's own lock, after taking it and before giving it back. */
void rd_local_share_lock(void);
void rd_local_share_unlock(void);
/* An SQ that another process polls: it is woken. -EOWNERDEAD: it is no more. */
int rd_local_share_doorbell(struct rd_local_ring *lr);

/* --- heir.c, with the page's lock, but for forget() --- */
void rd_local_heir_enter(struct rd_local_share *s);	/* this process uses it */
void rd_local_heir_watch(struct rd_local_share *s);	/* others may have come */
void rd_local_will_write(struct rd_local_share *s);	/* what we have in flight has changed, maybe */
void rd_local_heir_forget(struct rd_local_share *s);	/* the reactor has gone, or the page is done with */

#endif
