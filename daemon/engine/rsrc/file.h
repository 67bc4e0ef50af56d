/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An open file held by a slot and by the requests that run on it. Closing may sleep (FUSE, NFS, linger), so the last
 * reference sends the descriptor to a worker; the tag is posted when close() has returned.
 */
#ifndef RD_FILE_H
#define RD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "charge.h"
#include "node.h"
#include "../exec/poll.h"
#include "../exec/work.h"

struct rd_engine;

/* Learnt once, without calling a file system that may not answer (statx with AT_STATX_DONT_SYNC). */
#define RD_FILE_REG	0x01u	/* regular file or block device: never waits by readiness */
#define RD_FILE_BLK	0x02u	/* block device (with REG) */
#define RD_FILE_DIR	0x04u
#define RD_FILE_STREAM	0x08u	/* no position: pipe, socket, tty...; offsets are ignored */
#define RD_FILE_DIRECT	0x10u	/* O_DIRECT at registration */
#define RD_FILE_NO_NOWAIT_R 0x20u	/* RWF_NOWAIT reads were answered EOPNOTSUPP: do not try again */
#define RD_FILE_NO_NOWAIT_W 0x40u
#define RD_FILE_NO_POLL	0x80u	/* epoll refuses it */
#define RD_FILE_SLOW	0x100u	/* says it knows RWF_NOWAIT and waits all the same (with REG): workers only */
#define RD_FILE_CARRIER	0x200u	/* UNIX socket: a read may drop, and so close, descriptors that were sent through it */

#define RD_FILE_SOCK	0x400u
#define RD_FILE_INET	0x800u	/* (with SOCK) of the Internet, either version */
#define RD_FILE_NULL	0x1000u	/* /dev/null */

#define RD_FILE_BYTES	0x4000u	/* (with SOCK) SOCK_STREAM: no messages */
#define RD_FILE_RECORDS	0x8000u	/* (with SOCK) SOCK_SEQPACKET */

#define RD_FILE_ASKS	0x2000u	/* an epoll set: whether it is ready files in it are asked, whose servers may not answer */

#define RD_FILE_PATH	0x10000u	/* O_PATH: a place, nothing that is open */
#define RD_FILE_ZCRX	0x20000u	/* a RECV_ZC receives from it */

/*
 * A socket made by this engine that nobody else has got a descriptor of: so nobody flips its O_NONBLOCK behind our back.
 * Two more flags go with it: what the client asked for, and that it is set although the client did not. See rd_file_quiet().
 */
#define RD_FILE_OURS	0x100000u
#define RD_FILE_NONBLOCK 0x200000u
#define RD_FILE_QUIET	0x400000u

#define RD_FILE_BORROWED 0x800000u	/* the client's own descriptor, for one attempt: see host->borrow() */
#define RD_FILE_DUP	0x1000000u	/* of a client in this process, who has another one of it: closed at once, not by a worker */
#define RD_FILE_LENT	0x2000000u	/* the client's own descriptor, for longer: not closed at all */

#define RD_FILE_KIND	(RD_FILE_REG | RD_FILE_BLK | RD_FILE_DIR | RD_FILE_STREAM | RD_FILE_SOCK | RD_FILE_INET | RD_FILE_NULL | \
			 RD_FILE_CARRIER | RD_FILE_BYTES | RD_FILE_RECORDS)

/* file->zc */
#define RD_FILE_ZC_UNKNOWN	0
#define RD_FILE_ZC_NEVER	1	/* its protocol has none */
#define RD_FILE_ZC_ABLE		2	/* and one more for each of the last sends that was copied after all */

#define RD_FILE_HOT	32	/* a place in the kernel ring's table pays after so many operations */

struct rd_file {
	struct rd_node node;
	int fd;
	uint32_t flags;		/* RD_FILE_* */
	uint16_t heat;		/* reads and writes so far that the kernel ring could have done, up to RD_FILE_HOT */
	uint16_t ring_slot;	/* in the kernel ring's table, 0: not there */
	uint8_t zc;		/* RD_FILE_ZC_*: sends without a copy */
	uint64_t hash;		/* of (dev, ino) for regular files: writes on it are serialised; never 0 there, else 0 */
	struct rd_engine *engine;
	struct rd_charge charge;
	struct rd_watched watched;	/* by who waits for readiness */
	struct rd_work work;	/* carries the descriptor to the worker that closes it */
	int close_res;		/* what close() said there */
	void (*closed)(void *arg, int res);	/* see rd_file_put_notify() */
	void *closed_arg;
};

/*
 * Make a file with one reference out of fd. -EBADF: a kind that means the engine, not the client (signalfd, a kernel
 * io_uring, a ring of ours), -EDQUOT: files budget, -ENOMEM. fd is taken over on success only.
 */
int rd_file_new(struct rd_file **ret, struct rd_engine *engine, int fd);
/*
 * Memory and budget for a descriptor that is going to be made, so that nothing but that can fail. Then either fill() makes a
 * file with one reference of it, of a socket (RD_FILE_*, all that is to be known), or unreserve() gives it up.
 */
int rd_file_reserve(struct rd_file **ret, struct rd_engine *engine);
void rd_file_fill(struct rd_file *file, int fd, uint32_t flags);
void rd_file_unreserve(struct rd_file *file);	/* NULL is fine */
/* What there is to be known about fd: flags and hash of file, whose engine is set. st: of fd, with STATX_TYPE and INO. 0, -EBADF. */
struct statx;
int rd_file_learn(struct rd_file *file, int fd, const struct statx *st);
/* Calls that would wait on it (accept, connect) must not: they can be made on the reactor. False: it is not OURS. */
bool rd_file_quiet(struct rd_file *file);
/* The other way round: as the client asked for it. */
void rd_file_loud(struct rd_file *file);
/* Before somebody else gets a descriptor of it: from now on it is like any other. */
void rd_file_share(struct rd_file *file);
static inline struct rd_file *rd_file_get(struct rd_file *file)
{
	file->node.refs++;
	return file;
}
/* Are they the same open file (not only the same inode)? May cost a system call. */
bool rd_file_same(const struct rd_file *a, const struct rd_file *b);
/* Is fd another descriptor of it? A kernel that cannot tell says no. */
bool rd_file_is(const struct rd_file *file, int fd);
/* The file is busy: let the kernel ring know it. */
void rd_file_heat(struct rd_file *file);
void rd_file_put(struct rd_file *file);
/* As rd_file_put(); if it was the last reference closed(arg, result of close) is called on this thread when the descriptor
 * is closed and true is returned, else false and nothing will be called. */
bool rd_file_put_notify(struct rd_file *file, void (*closed)(void *arg, int res), void *arg);

#endif
