/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring inside a process: what liburing.so.2 and libringd-trap.so stand on. All calls are thread-safe, return 0, a count or a
 * negative errno, and leave errno as it is. Nobody but these libraries calls them.
 */
#ifndef RD_LOCAL_H
#define RD_LOCAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/abi.h"

#define RD_LOCAL_API __attribute__((__visibility__("default")))

/* How many rings there are. Zero: no descriptor is one of ours, and none of the calls below need be made. */
extern RD_LOCAL_API _Atomic unsigned int rd_local_rings;

/* The three system calls. */
RD_LOCAL_API int rd_local_setup(unsigned int entries, struct ringd_params *params);
RD_LOCAL_API int rd_local_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags,
				const void *arg, size_t argsz);
/*
 * The same in a handler that has all signals blocked: mask (8 bytes; NULL: as they are) are those that the program has blocked,
 * and those a wait is to have that brings none of its own.
 */
RD_LOCAL_API int rd_local_enter_masked(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags,
				       const void *arg, size_t argsz, const void *mask);
RD_LOCAL_API int rd_local_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr);

/* mmap() of a ring's descriptor. 1: fd is no ring; 0: *ret is mapped; -EINVAL, -EPERM, -ENOMEM; -EAGAIN: see rd_local_inside(). */
RD_LOCAL_API int rd_local_mmap(void **ret, void *addr, size_t len, int prot, int flags, int fd, uint64_t off);
/* fd is going to be closed (close() itself is the caller's, afterwards). True: it was a descriptor of a ring. */
RD_LOCAL_API bool rd_local_close(int fd);
/* Do requests use numbers of the program's? Never waits. */
RD_LOCAL_API bool rd_local_lends(void);
/* fd, which is no ring's, is going to be closed or to become another file's. Requests that use it go on with what it was. */
RD_LOCAL_API void rd_local_closing(int fd);
/* fd is a descriptor of ours, which the program knows nothing of and must not touch. */
RD_LOCAL_API bool rd_local_hidden(int fd);
/* That ring was made by a system call of the program's own, and so it may be closed: nobody tells. It is looked for. */
RD_LOCAL_API void rd_local_unheard(int fd);
/* The smallest number from this one on that is a ring's or hidden; -1: there is none. Never waits. */
RD_LOCAL_API int rd_local_next(int fd);
/* The program wants the number of a hidden descriptor (dup2()): it is somewhere else after this, or -EBUSY. */
RD_LOCAL_API int rd_local_evict(int fd);
/* to has become a duplicate of from. Nothing if from is no ring. */
RD_LOCAL_API void rd_local_dup(int from, int to);
/* Is fd a descriptor of a ring? Never waits. */
RD_LOCAL_API bool rd_local_is_ring(int fd);
/* Somebody is about to look whether fd is readable, or to wait for it: that is made exact, now and from now on. */
RD_LOCAL_API void rd_local_poll_sync(int fd);
/*
 * The program waits for rings by functions that are not ours, so nobody makes them exact before it does. Who has found an empty CQ
 * says so by rd_local_poll_sync(), or the descriptor goes on to be readable until the next call.
 */
extern RD_LOCAL_API _Atomic bool rd_local_unseen;
/* What poll() reports of a ring beyond what its descriptor can: EPOLLOUT | EPOLLWRNORM while the SQ is not full. */
RD_LOCAL_API uint32_t rd_local_poll_out(int fd);
/*
 * The same for epoll sets: a hidden descriptor that can be written to while the SQ is not full, as of the last rd_local_poll_sync();
 * -1: there is none (yet, with make false).
 */
RD_LOCAL_API int rd_local_poll_out_fd(int fd, bool make);

/* The process is going to end without exit(): whoever wants to know hears what its rings have done. Async-signal-safe. */
RD_LOCAL_API void rd_local_exit(void);

#endif
