/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One io_uring_register of the program on its way to the engine's handler: what its pointers mean is copied in, its
 * descriptors are duplicated, and what the handler answers is copied out. With the lock, all of it.
 */
#ifndef RD_LOCAL_CALL_H
#define RD_LOCAL_CALL_H

#include "daemon/engine/register/register.h"
#include "process.h"

struct rd_local_call {
	struct rd_reg reg;
	struct rd_local_ring *lr;	/* held; NULL: a call without a ring */
	uint64_t arg;
	unsigned int nr;
	struct rd_sync_cancel *cancel;	/* SYNC_CANCEL goes on, after so long */
	uint64_t pause_us;
	_Alignas(8) uint8_t out[RD_REG_OUT];
};

/* What register calls have given a ring; made with the first. */
struct rd_local_area {
	struct rd_local_area *next;
	uint64_t off;			/* of the ring's descriptor */
	int fd;				/* memory file with it, from its start */
};

struct rd_local_regs {
	struct rd_region region;
	const char *waits;		/* wait arguments, NULL: none */
	uint64_t size;			/* of the region */
	void *mapped;			/* by us, or NULL */
	struct rd_local_area *areas;
	struct rd_local_who *who;	/* of personalities */
};

/* The handler, with what is in reg. */
int rd_local_call_run(struct rd_local_call *c);
/* A structure of the program's first: size bytes at arg, into dst (at least that large), which is the call's data. */
int rd_local_call_in(struct rd_local_call *c, void *dst, size_t size);
/* The same, and the handler; size bytes of its answer go back to arg. */
int rd_local_call_struct(struct rd_local_call *c, size_t size, bool back);

/* register_rsrc.c */
int rd_local_call_files(struct rd_local_call *c);
int rd_local_call_files_update(struct rd_local_call *c);
int rd_local_call_bufs(struct rd_local_call *c);
int rd_local_call_rsrc(struct rd_local_call *c);
int rd_local_call_rsrc_update(struct rd_local_call *c);
int rd_local_call_eventfd(struct rd_local_call *c);
/* rd_reg_ops->file */
int rd_local_call_file(struct rd_reg *reg, int *fd, struct rd_file **ret);
/* A descriptor of the program's as ours, to be kept: out of its way. -EBADF, -EMFILE. */
int rd_local_call_dup(int fd);
/* register_mem.c */
int rd_local_call_region(struct rd_local_call *c);
int rd_local_call_pbuf(struct rd_local_call *c);
int rd_local_call_unpbuf(struct rd_local_call *c);
int rd_local_call_zcrx(struct rd_local_call *c);
int rd_local_call_zcrx_ctrl(struct rd_local_call *c);
/* register_ask.c */
int rd_local_call_probe(struct rd_local_call *c);
int rd_local_call_query(struct rd_local_call *c);
/* register_task.c */
int rd_local_call_ring_fds(struct rd_local_call *c);
int rd_local_call_unring_fds(struct rd_local_call *c);
int rd_local_call_personality(struct rd_local_call *c);
int rd_local_call_unpersonality(struct rd_local_call *c);
int rd_local_call_restrict(struct rd_local_call *c);
int rd_local_call_restrict_task(struct rd_local_call *c);
/* who.c: the calling thread is this personality, until it is forgotten. 0, -ENOMEM. */
int rd_local_who_add(struct rd_local_regs *regs, uint32_t id);
void rd_local_who_forget(struct rd_local_regs *regs, uint32_t id);
void rd_local_who_drop(struct rd_local_regs *regs);
/* The ring of a number, or of a registered index. -EBADF, -EOPNOTSUPP, -EINVAL. */
int rd_local_find(uint32_t number, bool registered, struct rd_local_ring **ret);

#endif
