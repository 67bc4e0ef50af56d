/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The uring back end: one kernel ring of the reactor's own for reads and writes that would block an inline attempt, or
 * that are cheaper in a batch, for sends without a copy, and for accept() and connect() on sockets that others may make blocking
 * at any time. Restricted (REGISTER_RESTRICTIONS) to the opcodes below plus ASYNC_CANCEL. Reactor thread only.
 */
#ifndef RD_URING_H
#define RD_URING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/common/list.h"

struct msghdr;
struct rd_reactor;
struct rd_uring;

struct rd_uring_io {
	struct rd_link link;		/* backlog when the kernel ring is full; or waiting to be cancelled */
	void (*done)(struct rd_uring_io *io, int32_t res);	/* reactor thread */
	int fd;
	uint8_t opcode;			/* 0: read or write iov; else IORING_OP_*, by rd_uring_prep_*() */
	bool write;
	bool device;			/* O_DIRECT: the device works while we prepare the next */
	bool held;			/* uring.c: in the backlog, the kernel does not know of it */
	bool more;			/* when done() is called: the kernel keeps the data, released() follows */
	uint16_t ioprio;
	uint16_t slot;			/* of rd_uring_file_add(), 0: fd counts */
	uint32_t rwf;			/* RWF_*, or MSG_* */
	uint64_t off;			/* -1: file position */
	union {
		const struct iovec *iov;	/* stays valid until done() */
		void *name;
	};
	uint32_t nr;
	/*
	 * Not NULL: a send of this without a copy, if rd_uring_zc_room(); iov and what is above does not count. It stays valid until
	 * done(), the io itself until released(): when that comes is up to the other end of the connection.
	 */
	const struct msghdr *msg;
	void (*released)(struct rd_uring_io *io, bool copied);	/* the data is not in use any more; it was copied after all */
};

/* -EPERM, -ENOSYS, ...: this machine gives us no kernel ring. */
int rd_uring_new(struct rd_uring **ret, struct rd_reactor *reactor);
/* Nothing is in flight; what the kernel still keeps the data of is released() here, whatever it does with it. NULL is fine. */
void rd_uring_free(struct rd_uring *u);
/*
 * May one more send without a copy be queued? Those whose data is in use are limited to a part of the ring: peers that do
 * not read must not use up what other operations need. Never on a kernel that has none.
 */
bool rd_uring_zc_room(const struct rd_uring *u);
/* Does the network still hold data of some, whoever sent it? */
bool rd_uring_zc_held(const struct rd_uring *u);
/* Fill io in, all but done. What is pointed to stays valid until done(). */
void rd_uring_prep_connect(struct rd_uring_io *io, int fd, struct sockaddr *addr, socklen_t len);
/* Never waits: -EAGAIN. addr and len may be NULL. What comes of it is a descriptor of ours. Only where it can be had: */
void rd_uring_prep_accept(struct rd_uring_io *io, int fd, struct sockaddr *addr, socklen_t *len, int flags);
bool rd_uring_accepts(const struct rd_uring *u);
/* Never fails: waits in the backlog when the kernel ring is full. Submitted by the next rd_uring_flush(). */
void rd_uring_queue(struct rd_uring *u, struct rd_uring_io *io);
/*
 * Submit what was queued and reap; done() is called from here and may queue more. Returns how many completed, and at
 * least 1 while something could not be submitted yet: 0 means that the reactor may sleep. No system call when there is
 * nothing to submit and the kernel has nothing for us.
 */
unsigned int rd_uring_flush(struct rd_uring *u);
/* Ask the kernel to cancel; done() comes in any case. */
void rd_uring_cancel(struct rd_uring *u, struct rd_uring_io *io);
/* The reactor is about to sleep: let the next completion wake it. True: there is one already. The next flush undoes it. */
bool rd_uring_doze(struct rd_uring *u);
/*
 * Keep fd in the kernel ring's own table: some 60 ns less per I/O. Returns its slot, from 1 up, or -errno: -ENFILE when
 * the table is full or this kernel has none. The file stays open until the slot is removed, which must come before
 * close(): it does not sleep then.
 */
int rd_uring_file_add(struct rd_uring *u, int fd);
/* No I/O by this slot is in flight. */
void rd_uring_file_remove(struct rd_uring *u, int slot);
/* Queued and not done; data that is only not released does not count. */
unsigned int rd_uring_inflight(const struct rd_uring *u);

#endif
