/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test of the door wants to know of, and say to, the rings that are none. */
#ifndef RD_FAKE_LOCAL_H
#define RD_FAKE_LOCAL_H

#include "client-lib/compat/local/local.h"

#define FAKE_FDS	4096

struct fake_fd {
	bool ring, hidden;
	bool readable;		/* what a sync shall find */
	bool room;		/* in the SQ */
	int efd;		/* in the ring's descriptor */
	int room_fd;		/* for epoll sets; 0: there is none */
	unsigned int syncs, closes, dups;
};

struct fake_local {
	struct fake_fd fd[FAKE_FDS];
	_Atomic unsigned int enters, registers, setups, maps;
	/* the last calls */
	long args[6];
	uint64_t mask;		/* that rd_local_enter() was to wait with */
	int result;		/* of enter and register */
	int sleeps;		/* enter waits for a signal, and writes here before */
	int moved_to;		/* where rd_local_evict() took it */
};
extern RD_LOCAL_API struct fake_local fake_local;

/* A ring without io_uring: its descriptor. */
RD_LOCAL_API int fake_ring(void);
RD_LOCAL_API int fake_hidden(void);

#endif
