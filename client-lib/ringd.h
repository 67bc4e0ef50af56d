/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libringd: io_uring's programming model, served by ringd.
 *
 * Manual: libringd(3). Everything here is new in 0.1.
 *
 * Errors are negative errno values; nothing sets errno. -ECONNRESET from any call means that the engine or the ring
 * is gone: nothing more will complete, only the close/free calls remain useful. ringd_strerror() and
 * ringd_ring_strerror() tell the reason of the last failed call in words (which limit, which policy).
 *
 * Threads: a connection and all that was made from it (arenas, rings) may be used by one thread at a time; different
 * connections are independent. Exceptions: on one ring one thread may get, fill and submit SQEs (relative paths and descriptors
 * in messages excepted: they may ask the engine) while another takes CQEs and any number wait for them: ringd_wait_*(), and ringd_enter() that
 * submits nothing. Of the waiters all return that have what they waited for; the CQEs are taken by one at a time. A ring
 * whose ringd_ring_fd() was asked for has one thread beside the submitter. Arena memory is ordinary memory.
 * Not async-signal-safe. After fork() the child must not use what it inherited.
 */
#ifndef RINGD_H
#define RINGD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>	/* sigset_t, in strict C too */
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ringd/abi.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct ringd;		/* a connection to an engine */
struct ringd_ring;	/* one SQ/CQ pair */
struct ringd_arena;	/* memory shared with the engine */
struct statx;
struct open_how;
struct epoll_event;
struct futex_waitv;
struct timespec;

/* --- connection --- */

/*
 * Connect to ringd. socket_path NULL: $RINGD_SOCKET, then $XDG_RUNTIME_DIR/ringd/ringd.sock, then
 * /run/ringd/ringd.sock; the first that exists is used. In set-id programs the environment is not looked at.
 * *ret is the caller's; release with ringd_close(). -ENOENT: no socket; -ECONNREFUSED: nobody listens;
 * -EACCES: the socket may not be used; -EPERM: refused by policy; -EDQUOT: too many clients of this tenant; -EAGAIN: not
 * now (the words say why) nor within a second, later perhaps; -EPROTO: not a ringd; -EPROTONOSUPPORT: no common version; -ETIMEDOUT: no
 * answer within 5 seconds; -ECONNRESET: hung up; -ENAMETOOLONG, -ENOMEM, -EMFILE. *ret is NULL on failure.
 */
int ringd_connect(struct ringd **ret, const char *socket_path);
/* Free the connection, and with it all its rings and arenas (which must not be freed after it); NULL is fine. Requests
 * in flight are dropped without a CQE. */
void ringd_close(struct ringd *rd);
/* Words for the last failure of a call on this connection; valid until the next call on it. Never NULL.
 * rd NULL: the last failed ringd_connect() of this thread. */
const char *ringd_strerror(const struct ringd *rd);
pid_t ringd_engine_pid(const struct ringd *rd);
/* Value of one RINGD_LIMIT_* of the tenant (ringd/wire.h), 0 if unknown. */
uint64_t ringd_limit(const struct ringd *rd, unsigned int which);

/* --- arenas --- */

#define RINGD_ARENA_F_HUGE	0x1u	/* 2 MiB pages, populated at creation */

/*
 * Memory of size bytes (rounded up to pages) that requests may use as data buffers; zero-filled.
 * -EINVAL: size 0 or flags; -EDQUOT: the tenant's byte budget; -ENOMEM; -ECONNRESET.
 */
int ringd_arena_new(struct ringd *rd, struct ringd_arena **ret, size_t size, unsigned int flags);
/* Unmap and give back. No request in flight may use it; NULL is fine. */
void ringd_arena_free(struct ringd_arena *arena);
void *ringd_arena_base(const struct ringd_arena *arena);
size_t ringd_arena_size(const struct ringd_arena *arena);
/* A small allocator inside one arena. align: power of two up to 2 MiB, 0 = 64; less counts as 64. NULL when there is no
 * room, or no memory for the bookkeeping, which is not in the arena. Not cleared. */
void *ringd_arena_alloc(struct ringd_arena *arena, size_t size, size_t align);
/* NULL, and what was not got from this arena or is released already, is ignored. */
void ringd_arena_release(struct ringd_arena *arena, void *ptr);

/* --- rings --- */

/* entries and flags as io_uring_setup(2). ringd adds RINGD_SETUP_NO_SQARRAY. */
int ringd_ring_new(struct ringd *rd, struct ringd_ring **ret, unsigned int entries, unsigned int flags);
/* The same with all of params (in and out); params->resv must be 0. 0; with REGISTERED_FD_ONLY its index, 0 or more, -EBUSY:
 * the table is full. */
int ringd_ring_new_params(struct ringd *rd, struct ringd_ring **ret, unsigned int entries, struct ringd_params *params);
/* Bytes of the two parts of such a ring, page multiples; -EINVAL. */
ssize_t ringd_memory_size(unsigned int entries, const struct ringd_params *params);
/*
 * A ring in size bytes at mem (NO_MMAP): page aligned, inside one arena without huge pages, first the SQEs and then the rest.
 * Returns the bytes used; -ENOMEM: it does not fit; -EFAULT: mem is not in an arena; otherwise as ringd_ring_new_params().
 * The arena must be freed after the ring.
 */
ssize_t ringd_ring_new_mem(struct ringd *rd, struct ringd_ring **ret, unsigned int entries, struct ringd_params *params, void *mem, size_t size);
/* Free the ring; in-flight requests are dropped without a CQE. NULL is fine. A registered one goes when it is unregistered. */
void ringd_ring_free(struct ringd_ring *ring);
unsigned int ringd_ring_features(const struct ringd_ring *ring);	/* RINGD_FEAT_* */
unsigned int ringd_ring_flags(const struct ringd_ring *ring);		/* RINGD_SETUP_* */
const char *ringd_ring_strerror(const struct ringd_ring *ring);
/*
 * A descriptor for poll/epoll: readable when CQEs are there, or have been; hang-up when the ring is dead. Before
 * going to sleep on it reap until ringd_peek_cqe() says -EAGAIN or ringd_cq_ready() says 0: that re-arms it. A submit
 * may come between that and the sleep. Owned by the ring; do not read, write or close it. From the first call on,
 * finding the CQ empty costs a system call.
 */
int ringd_ring_fd(struct ringd_ring *ring);

/*
 * What this ring is called where a number means a ring: in MSG_RING of any ring of its connection. Other connections to the
 * same engine (processes of the same user, see ringd(8)) know it by a handle, which they get for a token of 16 bytes that only
 * export tells. Tell it to those who may send messages to the ring.
 */
int ringd_ring_id(const struct ringd_ring *ring);
/* 0, -EAGAIN (no random numbers yet), -ECONNRESET. The same token each time; it is worth nothing once the ring is freed. */
int ringd_ring_export(struct ringd_ring *ring, uint8_t token[16]);
/* A handle, more than 0; -ENOENT: no ring has this token (any more), -EDQUOT, -ENOMEM, -ECONNRESET. */
int ringd_ring_import(struct ringd *rd, const uint8_t token[16]);
int ringd_ring_forget(struct ringd *rd, int handle);	/* 0, -ENOENT */

/* --- lent descriptors --- */

/*
 * From now on requests of all rings of this connection may name these descriptors by their numbers, without
 * RINGD_SQE_FIXED_FILE, and directories among them as dirfd. The engine holds a duplicate of each: a pipe or a connection
 * does not end by close(2) as long as it is lent, and a number that is closed and used again still means the old file.
 * So return it, or close it by ringd_prep_close(). A number that is lent already means its new file from now on.
 * Return: how many were lent, from the first on; an error when that is none: -EBADF: not open, or of a kind that means the
 * engine; -EINVAL: numbers from 1048576 on; -EDQUOT, -EMFILE, -ENOMEM, -ECONNRESET.
 */
int ringd_fd_lend(struct ringd *rd, const int *fds, unsigned int nr);
/* The numbers mean nothing any more, and what no request uses is closed in the engine. How many of them were lent, or -errno. */
int ringd_fd_return(struct ringd *rd, const int *fds, unsigned int nr);

/* --- submission --- */

/* Next free SQE, or NULL when the SQ is full. The SQE is cleared; it belongs to the caller until submitted. Who has
 * seen the CQE of a request finds the slot of its SQE free. */
struct ringd_sqe *ringd_get_sqe(struct ringd_ring *ring);
/* An SQE of 128 bytes: with SQE128 every SQE is one; with SQE_MIXED two slots, and one more, filled with a NOP that posts
 * no CQE, where the array ends between them. NULL also on a ring with neither. */
struct ringd_sqe *ringd_get_sqe128(struct ringd_ring *ring);
unsigned int ringd_sq_ready(const struct ringd_ring *ring);		/* got and not consumed by the engine */
unsigned int ringd_sq_space_left(const struct ringd_ring *ring);
/* Return: SQEs consumed (plain ring) or handed over (SQPOLL), 0 or more; -ECONNRESET; -EAGAIN: the tenant's
 * in-flight budget is used up and nothing was consumed: reap and call again. */
int ringd_submit(struct ringd_ring *ring);
/* Wait until an SQE is free (SQPOLL ring; on a plain ring only a submit frees any). 0, -EINTR, -ECONNRESET. */
int ringd_sqring_wait(struct ringd_ring *ring);
/* As ringd_submit(), then wait for CQEs, if all SQEs were consumed: at least wait_nr or a full CQ. What was submitted is
 * returned even if the wait was ended by a signal; -EINTR when nothing was submitted and no CQE is there. */
int ringd_submit_and_wait(struct ringd_ring *ring, unsigned int wait_nr);
/* As ringd_submit(); then what completed late is posted (DEFER_TASKRUN, IOPOLL) and what is held back is fetched. The second
 * does this alone: 0, -EEXIST (DEFER_TASKRUN: another thread's ring), -EBADFD (R_DISABLED), -ECONNRESET. */
int ringd_submit_and_get_events(struct ringd_ring *ring);
int ringd_get_events(struct ringd_ring *ring);
/*
 * io_uring_enter(2) with all flags and forms of arg, errnos and order of checks included: publish the SQEs got so far, submit
 * to_submit, and with RINGD_ENTER_GETEVENTS wait for min_complete CQEs. arg: NULL or a kernel sigset (argsz 8); with
 * RINGD_ENTER_EXT_ARG a struct ringd_getevents_arg (24), with RINGD_ENTER_EXT_ARG_REG too an offset in the wait region (64).
 * Bad pointers give -EFAULT. RINGD_ENTER_NO_IOWAIT has no effect. Instead of -EOWNERDEAD: -ECONNRESET.
 */
int ringd_enter(struct ringd_ring *ring, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg, size_t argsz);
/* The same on registered ring index of this thread: -EINVAL, -EBADF if there is none. */
int ringd_enter_registered(unsigned int index, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg, size_t argsz);
/* As ringd_submit_and_wait; ts is relative, NULL waits for ever. -ETIME when nothing was submitted and no CQE is there. *cqe: the first CQE or NULL. */
int ringd_submit_and_wait_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr, const struct timespec *ts);

/* --- completion --- */

int ringd_peek_cqe(struct ringd_ring *ring, struct ringd_cqe **cqe);	/* 0, -EAGAIN, -ECONNRESET */
int ringd_wait_cqe(struct ringd_ring *ring, struct ringd_cqe **cqe);	/* 0, -EINTR, -ECONNRESET */
int ringd_wait_cqe_nr(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr);
int ringd_wait_cqe_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, const struct timespec *ts); /* also -ETIME */
/* At least nr; while it waits the mask of blocked signals is *sigmask (NULL: unchanged). */
int ringd_wait_cqes(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr, const struct timespec *ts, const sigset_t *sigmask);
/* At least nr within min_wait_usec; when that is over any number, but at least one, until ts. */
int ringd_wait_cqes_min_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int nr, const struct timespec *ts, unsigned int min_wait_usec, const sigset_t *sigmask);
int ringd_submit_and_wait_min_timeout(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr, const struct timespec *ts, unsigned int min_wait_usec, const sigset_t *sigmask);
/* Submit, then wait with entry reg_index of the ring's wait region. *cqe: the first CQE or NULL. */
int ringd_submit_and_wait_reg(struct ringd_ring *ring, struct ringd_cqe **cqe, unsigned int wait_nr, int reg_index);
unsigned int ringd_peek_batch_cqe(struct ringd_ring *ring, struct ringd_cqe **cqes, unsigned int count);
unsigned int ringd_cq_ready(struct ringd_ring *ring);	/* finding none it looks further, as ringd_peek_cqe() does */
bool ringd_cq_has_overflow(const struct ringd_ring *ring);
void ringd_cq_advance(struct ringd_ring *ring, unsigned int nr);
void ringd_cqe_seen(struct ringd_ring *ring, const struct ringd_cqe *cqe);
/* i-th unseen CQE; i < ringd_cq_ready(). */
struct ringd_cqe *ringd_cqe_at(struct ringd_ring *ring, unsigned int i);
/* Entries that this CQE takes: 2 on a ring with CQE_MIXED for one of 32 bytes, otherwise 1. */
unsigned int ringd_cqe_slots(const struct ringd_ring *ring, const struct ringd_cqe *cqe);
/* The CQE at the *i-th of n entries, or behind it if that is a filler (CQE_MIXED); *i moves behind it. NULL: there is none. */
struct ringd_cqe *ringd_cqe_next(struct ringd_ring *ring, unsigned int *i, unsigned int n);
/* Walk the CQEs that are there now; i is the number of entries passed, the one of cqe included. Then ringd_cq_advance() by
 * n, or after a break by i. */
#define ringd_for_each_cqe(ring, i, n, cqe) \
	for ((i) = 0, (n) = ringd_cq_ready(ring); ((cqe) = ringd_cqe_next(ring, &(i), n));)

static inline void ringd_sqe_set_data64(struct ringd_sqe *sqe, uint64_t data) { sqe->user_data = data; }
static inline void ringd_sqe_set_data(struct ringd_sqe *sqe, void *data) { sqe->user_data = (uint64_t)(uintptr_t)data; }
static inline uint64_t ringd_cqe_get_data64(const struct ringd_cqe *cqe) { return cqe->user_data; }
static inline void *ringd_cqe_get_data(const struct ringd_cqe *cqe) { return (void *)(uintptr_t)cqe->user_data; }
static inline void ringd_sqe_set_flags(struct ringd_sqe *sqe, unsigned int flags) { sqe->flags = (uint8_t)flags; }

/* --- prep helpers: fill an SQE of this ring; flags and user_data may be set before or after ---
 * fd: a slot of the ring's file table (set RINGD_SQE_FIXED_FILE), or a descriptor that was lent: ringd_fd_lend().
 * Data buffers must lie in an arena. Paths, iovec arrays and open_how are copied at the call: the caller's may go; the
 * umask is applied to the mode of a file to be created at the call too.
 * The path helpers take AT_FDCWD, a lent directory or, with an absolute path, any dirfd. */
void ringd_prep_nop(struct ringd_sqe *sqe);
void ringd_prep_nop128(struct ringd_sqe *sqe);	/* sqe: of ringd_get_sqe128() */
void ringd_prep_read(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset);
void ringd_prep_write(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset);
void ringd_prep_read_fixed(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset, int buf_index);
void ringd_prep_write_fixed(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset, int buf_index);
/* nr_vecs > 1024 is passed on and answered -EINVAL by the engine. */
void ringd_prep_readv(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov, unsigned int nr_vecs, uint64_t offset, int rwf);
void ringd_prep_writev(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov, unsigned int nr_vecs, uint64_t offset, int rwf);
/* ..._direct: into slot file_index, or RINGD_FILE_INDEX_ALLOC. Without it res is a descriptor of this process, which exists
 * from the moment its CQE was returned by one of the calls above (-EMFILE: there was no room for it). */
void ringd_prep_openat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode);
void ringd_prep_openat_direct(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode, unsigned int file_index);
void ringd_prep_openat2(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how);
void ringd_prep_openat2_direct(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how, unsigned int file_index);
/* Of a lent descriptor: it is taken back, and this process's is closed when the CQE is returned. -EBADF: not lent. */
void ringd_prep_close(struct ringd_sqe *sqe, int fd);
void ringd_prep_close_direct(struct ringd_sqe *sqe, unsigned int file_index);
/* fds[2]: ordinary memory, filled in before the CQE is returned; the read end first. ..._direct: slots[2] gets slot numbers. */
void ringd_prep_pipe(struct ringd_ring *ring, struct ringd_sqe *sqe, int *fds, int flags);
void ringd_prep_pipe_direct(struct ringd_ring *ring, struct ringd_sqe *sqe, int *slots, int flags, unsigned int file_index);
/* A descriptor of this process for the file in a slot; close-on-exec unless flags is RINGD_FIXED_FD_NO_CLOEXEC. */
void ringd_prep_fixed_fd_install(struct ringd_ring *ring, struct ringd_sqe *sqe, int slot, unsigned int flags);
/* ring: ringd_ring_id() or ringd_ring_import(). A CQE {data, len} for it; ..._cqe_flags: with these flags. */
void ringd_prep_msg_ring(struct ringd_sqe *sqe, int ring, unsigned int len, uint64_t data, unsigned int flags);
void ringd_prep_msg_ring_cqe_flags(struct ringd_sqe *sqe, int ring, unsigned int len, uint64_t data, unsigned int flags, unsigned int cqe_flags);
/* The file in source_slot of this ring into target_slot (or RINGD_FILE_INDEX_ALLOC) of the other. */
void ringd_prep_msg_ring_fd(struct ringd_sqe *sqe, int ring, int source_slot, unsigned int target_slot, uint64_t data, unsigned int flags);
/* statxbuf lies in an arena. AT_EMPTY_PATH with "": of the lent descriptor dfd. */
void ringd_prep_statx(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags, unsigned int mask, struct statx *statxbuf);
void ringd_prep_fsync(struct ringd_sqe *sqe, int fd, unsigned int fsync_flags);
void ringd_prep_sync_file_range(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t offset, int flags);
void ringd_prep_fallocate(struct ringd_sqe *sqe, int fd, int mode, uint64_t offset, uint64_t len);
void ringd_prep_ftruncate(struct ringd_sqe *sqe, int fd, int64_t len);
/* Provided buffers, see ringd_buffers (3). The group of a read is sqe->buf_group, with RINGD_SQE_BUFFER_SELECT. */
void ringd_prep_provide_buffers(struct ringd_sqe *sqe, void *addr, int len, int nr, int bgid, int bid);
void ringd_prep_remove_buffers(struct ringd_sqe *sqe, int nr, int bgid);
/* Sets sqe->flags to RINGD_SQE_BUFFER_SELECT: add others afterwards. nbytes must be 0. */
void ringd_prep_read_multishot(struct ringd_sqe *sqe, int fd, unsigned int nbytes, uint64_t offset, int buf_group);
void ringd_prep_readv_fixed(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov, unsigned int nr_vecs, uint64_t offset, int rwf, int buf_index);
void ringd_prep_writev_fixed(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov, unsigned int nr_vecs, uint64_t offset, int rwf, int buf_index);
/* Futexes in arenas, children, epoll sets: see ringd_futex (3). Words, siginfo and events lie in arenas, futexv is copied.
 * infop: siginfo_t or NULL; idtype: P_ALL ...; flags: 0. */
void ringd_prep_futex_wait(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask, uint32_t futex_flags, unsigned int flags);
void ringd_prep_futex_wake(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask, uint32_t futex_flags, unsigned int flags);
void ringd_prep_futex_waitv(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct futex_waitv *futexv, unsigned int nr_futex, unsigned int flags);
void ringd_prep_waitid(struct ringd_sqe *sqe, int idtype, uint32_t id, void *infop, int options, unsigned int flags);
void ringd_prep_epoll_wait(struct ringd_sqe *sqe, int fd, struct epoll_event *events, int maxevents, unsigned int flags);
/* Waiting for time, see ringd_timeout (3); flags: RINGD_TIMEOUT_*. The time is copied. */
void ringd_prep_timeout(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, unsigned int count, unsigned int flags);
void ringd_prep_timeout_remove(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags);
void ringd_prep_timeout_update(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, uint64_t user_data, unsigned int flags);
void ringd_prep_link_timeout(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct timespec *ts, unsigned int flags);
/* Waiting for readiness, see ringd_prep_poll (3). poll_mask: POLLIN ...; flags: RINGD_POLL_UPDATE_*. */
void ringd_prep_poll_add(struct ringd_sqe *sqe, int fd, unsigned int poll_mask);
void ringd_prep_poll_multishot(struct ringd_sqe *sqe, int fd, unsigned int poll_mask);
void ringd_prep_poll_remove(struct ringd_sqe *sqe, uint64_t user_data);
void ringd_prep_poll_update(struct ringd_sqe *sqe, uint64_t old_user_data, uint64_t new_user_data, unsigned int poll_mask, unsigned int flags);

/* Ending requests, see ringd_cancel (3); flags: RINGD_ASYNC_CANCEL_*. With ..._OP the opcode goes to sqe->len afterwards. */
void ringd_prep_cancel(struct ringd_sqe *sqe, const void *user_data, unsigned int flags);
void ringd_prep_cancel64(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags);
void ringd_prep_cancel_fd(struct ringd_sqe *sqe, int fd, unsigned int flags);

/* Names, attributes, pipes and so on: see the manual pages ringd_prep_fs and ringd_prep_splice. */
void ringd_prep_renameat(struct ringd_ring *ring, struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd, const char *newpath, unsigned int flags);
void ringd_prep_linkat(struct ringd_ring *ring, struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd, const char *newpath, int flags);
void ringd_prep_unlinkat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags);
void ringd_prep_mkdirat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, mode_t mode);
void ringd_prep_symlinkat(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *target, int newdfd, const char *linkpath);
/* A value to be set is copied up to 8192 bytes, a longer one lies in an arena; so does one that is asked for (res: its length). */
void ringd_prep_setxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *name, const void *value, const char *path, int flags, unsigned int len);
void ringd_prep_fsetxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const char *name, const void *value, int flags, unsigned int len);
void ringd_prep_getxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *name, void *value, const char *path, unsigned int len);
void ringd_prep_fgetxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const char *name, void *value, unsigned int len);
void ringd_prep_fadvise(struct ringd_sqe *sqe, int fd, uint64_t offset, uint64_t len, int advice);
/* addr lies in an arena. Advice that only the owner of a mapping can give to it is -EINVAL. */
void ringd_prep_madvise(struct ringd_sqe *sqe, void *addr, uint64_t len, int advice);
/* fd_out as any fd; fd_in: lent, or with RINGD_SPLICE_F_FD_IN_FIXED a slot. Offset -1: none. res: bytes, less than nbytes breaks a link. */
void ringd_prep_splice(struct ringd_sqe *sqe, int fd_in, int64_t off_in, int fd_out, int64_t off_out, unsigned int nbytes, unsigned int flags);
void ringd_prep_tee(struct ringd_sqe *sqe, int fd_in, int fd_out, unsigned int nbytes, unsigned int flags);
/* Both are lent. What is added here is known to the set by the engine's number: change and remove it here, too. */
void ringd_prep_epoll_ctl(struct ringd_ring *ring, struct ringd_sqe *sqe, int epfd, int fd, int op, const struct epoll_event *event);
/* Lent descriptors, -1 (empty the slot) or -2 (skip), from slot on. RINGD_FILE_INDEX_ALLOC: into free slots, whose numbers replace
 * those in fds, which then lies in an arena; so does a list of more than 4096. res: how many were done. */
void ringd_prep_files_update(struct ringd_ring *ring, struct ringd_sqe *sqe, int *fds, unsigned int nr_fds, unsigned int slot);
/* RINGD_SOCKET_OP_*. The value of an option to be set is copied, that of one that is asked for lies in an arena (res: its length). */
void ringd_prep_cmd_sock(struct ringd_ring *ring, struct ringd_sqe *sqe, int cmd_op, int fd, int level, int optname, void *optval, int optlen);
/* addr and addrlen (in and out) lie in an arena. peer: 1 for the other end's, else 0. */
void ringd_prep_cmd_getsockname(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int peer);
void ringd_prep_cmd_discard(struct ringd_sqe *sqe, int fd, uint64_t offset, uint64_t nbytes);	/* of a block device */

/* --- sockets: see the manual pages ringd_prep_socket, ringd_prep_send and ringd_prep_recv ---
 * Names, vectors and messages to be sent are copied at the call. What a request writes lies in an arena: addr and addrlen
 * of an accept, msg of ringd_prep_recvmsg() and all it points to; otherwise it is -EFAULT. */
void ringd_prep_socket(struct ringd_ring *ring, struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags);
void ringd_prep_socket_direct(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int file_index, unsigned int flags);
void ringd_prep_socket_direct_alloc(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags);
void ringd_prep_bind(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen);
void ringd_prep_listen(struct ringd_sqe *sqe, int fd, int backlog);
void ringd_prep_connect(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen);
void ringd_prep_shutdown(struct ringd_sqe *sqe, int fd, int how);
void ringd_prep_accept(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);
void ringd_prep_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags, unsigned int file_index);
void ringd_prep_multishot_accept(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);
void ringd_prep_multishot_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags);

void ringd_prep_send(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags);
/* As much as the group sqe->buf_group holds: set it, and RINGD_SQE_BUFFER_SELECT. len 0: no limit. */
void ringd_prep_send_bundle(struct ringd_sqe *sqe, int sockfd, size_t len, int flags);
/* The pieces one after the other, as one message. More than 1016 lie in an array in an arena. */
void ringd_prep_sendv(struct ringd_ring *ring, struct ringd_sqe *sqe, int sockfd, const struct iovec *iov, unsigned int nr_vecs, int flags);
/* Where a prepared SEND or SEND_ZC goes. */
void ringd_prep_send_set_addr(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct sockaddr *dest_addr, uint16_t addr_len);
void ringd_prep_sendto(struct ringd_ring *ring, struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addrlen);
/* Descriptors in an SCM_RIGHTS message are lent by this call, and stay so. */
void ringd_prep_sendmsg(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags);
/* Zero copy: buf is the caller's again with the second CQE (RINGD_CQE_F_NOTIF). zc_flags: RINGD_SEND_ZC_REPORT_USAGE ... */
void ringd_prep_send_zc(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags, unsigned int zc_flags);
void ringd_prep_send_zc_fixed(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags, unsigned int zc_flags, unsigned int buf_index);
void ringd_prep_sendv_zc(struct ringd_ring *ring, struct ringd_sqe *sqe, int sockfd, const struct iovec *iov, unsigned int nr_vecs, int flags, unsigned int zc_flags);
void ringd_prep_sendmsg_zc(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags);
void ringd_prep_sendmsg_zc_fixed(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags, unsigned int buf_index);

void ringd_prep_recv(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags);
/* Into buffers of the group sqe->buf_group: set it, and RINGD_SQE_BUFFER_SELECT. buf NULL, len 0. */
void ringd_prep_recv_multishot(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags);
void ringd_prep_recvmsg(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, struct msghdr *msg, unsigned int flags);
/* Of msg only msg_namelen and msg_controllen count; it is copied, and needed again to look at what came: */
void ringd_prep_recvmsg_multishot(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags);
/* The parts of a buffer of such a request; buf_len: res of the CQE. NULL: it is not whole; none, or no more. */
struct ringd_recvmsg_out *ringd_recvmsg_validate(void *buf, int buf_len, const struct msghdr *msg);
void *ringd_recvmsg_name(struct ringd_recvmsg_out *o);
struct cmsghdr *ringd_recvmsg_cmsg_firsthdr(struct ringd_recvmsg_out *o, const struct msghdr *msg);
struct cmsghdr *ringd_recvmsg_cmsg_nexthdr(struct ringd_recvmsg_out *o, const struct msghdr *msg, struct cmsghdr *cmsg);
void *ringd_recvmsg_payload(struct ringd_recvmsg_out *o, const struct msghdr *msg);
unsigned int ringd_recvmsg_payload_length(struct ringd_recvmsg_out *o, int buf_len, const struct msghdr *msg);
static inline unsigned int ringd_recvmsg_flags(const struct ringd_recvmsg_out *o) { return o->flags; }	/* MSG_TRUNC ... */

/* --- registered resources: as the register calls of io_uring_register(2), errnos included --- */

int ringd_register_files(struct ringd_ring *ring, const int *fds, unsigned int nr);	/* -1: hole */
int ringd_register_files_tags(struct ringd_ring *ring, const int *fds, const uint64_t *tags, unsigned int nr);
int ringd_register_files_sparse(struct ringd_ring *ring, unsigned int nr);
int ringd_register_files_update(struct ringd_ring *ring, unsigned int off, const int *fds, unsigned int nr); /* -1 remove, -2 skip; returns how many were done */
int ringd_register_files_update_tag(struct ringd_ring *ring, unsigned int off, const int *fds, const uint64_t *tags, unsigned int nr);
int ringd_unregister_files(struct ringd_ring *ring);
int ringd_register_file_alloc_range(struct ringd_ring *ring, unsigned int off, unsigned int len);
int ringd_register_buffers(struct ringd_ring *ring, const struct iovec *iov, unsigned int nr);
int ringd_register_buffers_tags(struct ringd_ring *ring, const struct iovec *iov, const uint64_t *tags, unsigned int nr);
int ringd_register_buffers_sparse(struct ringd_ring *ring, unsigned int nr);
int ringd_register_buffers_update_tag(struct ringd_ring *ring, unsigned int off, const struct iovec *iov, const uint64_t *tags, unsigned int nr);
int ringd_unregister_buffers(struct ringd_ring *ring);
/*
 * Rings of provided buffers; their manual page is ringd_buffers. ringd_setup_buf_ring() gets memory from the engine and maps it: NULL and
 * *err on failure; ringd_free_buf_ring() ends that. ringd_register_buf_ring() is for memory in an arena (without huge
 * pages) at reg->ring_addr. -EEXIST: the group exists; -EINVAL, -EFAULT, -EDQUOT, -ENOMEM.
 */
struct ringd_buf_ring *ringd_setup_buf_ring(struct ringd_ring *ring, unsigned int entries, int bgid, unsigned int flags, int *err);
int ringd_free_buf_ring(struct ringd_ring *ring, struct ringd_buf_ring *br, unsigned int entries, int bgid);
int ringd_register_buf_ring(struct ringd_ring *ring, struct ringd_buf_reg *reg, unsigned int flags);
int ringd_unregister_buf_ring(struct ringd_ring *ring, int bgid);	/* -ENOENT; -EINVAL: a classic group */
int ringd_buf_ring_head(struct ringd_ring *ring, int bgid, uint16_t *head);	/* entries used up so far, modulo 65536 */
/* Entries that are provided and not used up, or as above. */
int ringd_buf_ring_available(struct ringd_ring *ring, const struct ringd_buf_ring *br, int bgid);

static inline int ringd_buf_ring_mask(uint32_t entries) { return (int)(entries - 1); }
static inline void ringd_buf_ring_init(struct ringd_buf_ring *br) { br->tail = 0; }
/* Write the entry buf_offset places behind the tail; nobody sees it before ringd_buf_ring_advance(). */
static inline void ringd_buf_ring_add(struct ringd_buf_ring *br, void *addr, unsigned int len, unsigned short bid, int mask, int buf_offset)
{
	struct ringd_buf *buf = (struct ringd_buf *)(void *)br + ((br->tail + buf_offset) & mask);

	buf->addr = (uint64_t)(uintptr_t)addr;
	buf->len = len;
	buf->bid = bid;
}
/* Provide count entries that were written: release, the engine sees them whole. */
static inline void ringd_buf_ring_advance(struct ringd_buf_ring *br, int count)
{
	__atomic_store_n(&br->tail, (uint16_t)(br->tail + count), __ATOMIC_RELEASE);
}
/* The same, and ringd_cq_advance() by as many. */
static inline void ringd_buf_ring_cq_advance(struct ringd_ring *ring, struct ringd_buf_ring *br, int count)
{
	__atomic_store_n(&br->tail, (uint16_t)(br->tail + count), __ATOMIC_RELEASE);
	ringd_cq_advance(ring, (unsigned int)count);
}

/* --- receiving into areas: see the manual page ringd_zcrx --- */

/*
 * An area and its refill ring; the structures at reg->area_ptr and reg->region_ptr are filled in, too. Without
 * RINGD_MEM_REGION_TYPE_USER the refill ring's memory is made, and mapped until the ring is freed. 0, -EPERM (a device), -EINVAL,
 * -EFAULT, -EOPNOTSUPP, -EBADF (import), -EBUSY, -EDQUOT, -ENOMEM.
 */
int ringd_register_ifq(struct ringd_ring *ring, struct ringd_zcrx_ifq_reg *reg);
/* EXPORT gives a descriptor, which is the caller's; -ENXIO: no such area, -EINVAL, -EDQUOT, -EMFILE. */
int ringd_register_zcrx_ctrl(struct ringd_ring *ring, struct ringd_zcrx_ctrl *ctrl);
/* The memory of a refill ring that was registered on this ring; NULL: none (or imported). size may be NULL. */
void *ringd_zcrx_region(const struct ringd_ring *ring, uint32_t zcrx_id, size_t *size);
/* Multishot. limit: bytes until it ends, 0: none. */
void ringd_prep_recv_zc(struct ringd_sqe *sqe, int sockfd, unsigned int limit, uint32_t zcrx_id);

/* The client's view of a refill ring. One thread at a time, whichever ring the data came from. */
struct ringd_zcrx_rq {
	uint32_t *khead, *ktail;
	uint32_t rq_tail;	/* entries up to here are written, those up to *ktail published */
	unsigned int ring_entries;
	struct ringd_zcrx_rqe *rqes;
};
/* 0, -EINVAL: region is NULL, or reg was not registered. */
int ringd_zcrx_rq_init(struct ringd_zcrx_rq *rq, void *region, const struct ringd_zcrx_ifq_reg *reg);
/* Entries that can be written. */
static inline unsigned int ringd_zcrx_rq_space(const struct ringd_zcrx_rq *rq)
{
	return rq->ring_entries - (rq->rq_tail - __atomic_load_n(rq->khead, __ATOMIC_ACQUIRE));
}
/* Give a buffer back; there is room. Seen by the engine after ringd_zcrx_rq_publish(). */
static inline void ringd_zcrx_rq_add(struct ringd_zcrx_rq *rq, uint64_t off, uint32_t len)
{
	struct ringd_zcrx_rqe *rqe = &rq->rqes[rq->rq_tail++ & (rq->ring_entries - 1)];

	rqe->off = off;
	rqe->len = len;
	rqe->__pad = 0;
}
static inline void ringd_zcrx_rq_publish(struct ringd_zcrx_rq *rq)
{
	__atomic_store_n(rq->ktail, rq->rq_tail, __ATOMIC_RELEASE);
}
/* Of a CQE of data (RINGD_CQE_F_MORE is set): what to give back. The offset in the area is this without RINGD_ZCRX_AREA_MASK. */
static inline uint64_t ringd_zcrx_off(const struct ringd_cqe *cqe)
{
	return ((const struct ringd_zcrx_cqe *)(const void *)(cqe + 1))->off;
}

/* --- register calls about the ring itself: see the manual page ringd_register --- */

/* A ring made with RINGD_SETUP_R_DISABLED, before it is started: what may be asked of it for the rest of its life. */
int ringd_register_restrictions(struct ringd_ring *ring, const struct ringd_restriction *list, unsigned int nr);
/* The same for all rings that this process and its children make from now on, whatever the connection. -EPERM: done before;
 * -EACCES: needs no_new_privs or CAP_SYS_ADMIN. */
int ringd_register_task_restrictions(struct ringd *rd, const struct ringd_task_restriction *set);
/* -EINVAL: ringd has no filters, as a kernel that was built without them. */
int ringd_register_bpf_filter(struct ringd_ring *ring, const struct ringd_bpf *bpf);
/* Walk a chain of headers and fill in what they ask for. 0, -EFAULT, -ERANGE (more than 1000 entries). NULL: 0. */
int ringd_query(struct ringd *rd, struct ringd_query_hdr *chain);
/* Id of a snapshot of the caller's identity, for sqe->personality; in the service always that of the tenant. */
int ringd_register_personality(struct ringd_ring *ring);
int ringd_unregister_personality(struct ringd_ring *ring, int id);
/* CPUs of the engine's worker threads; mask has size bytes, as cpu_set_t. All rings of the tenant share the workers. */
int ringd_register_iowq_aff(struct ringd_ring *ring, size_t size, const void *mask);
int ringd_unregister_iowq_aff(struct ringd_ring *ring);
/* values: at most so many workers for files, and for all else; 0 leaves it. Filled with what held before. */
int ringd_register_iowq_max_workers(struct ringd_ring *ring, unsigned int *values);
/* Cancel, and wait until what was found is gone. 0 or how many; -ENOENT, -ETIME, -EBADF, -EINVAL. A signal does not end it. */
int ringd_register_sync_cancel(struct ringd_ring *ring, const struct ringd_sync_cancel_reg *reg);
/* Buffers of another ring of the same connection; flags: RINGD_REGISTER_DST_REPLACE. */
int ringd_clone_buffers(struct ringd_ring *dst, const struct ringd_ring *src);
int ringd_clone_buffers_offset(struct ringd_ring *dst, const struct ringd_ring *src, unsigned int dst_off, unsigned int src_off, unsigned int nr, unsigned int flags);
/* A region for wait arguments: memory in an arena, or (without RINGD_MEM_REGION_TYPE_USER) memory that is made and mapped
 * here. Once per ring. */
int ringd_register_region(struct ringd_ring *ring, const struct ringd_mem_region_reg *reg);
void *ringd_ring_region(const struct ringd_ring *ring, size_t *size);	/* NULL: none. size may be NULL */
/* Polling network devices: a hint, kept and told again. *napi (16 bytes, in and out): what was before. See ringd_zcrx (3). */
int ringd_register_napi(struct ringd_ring *ring, struct ringd_napi *napi);
int ringd_unregister_napi(struct ringd_ring *ring, struct ringd_napi *napi);	/* napi may be NULL */
/* Start a ring made with RINGD_SETUP_R_DISABLED; with SINGLE_ISSUER this thread becomes its submitter. -EBADFD: it runs. */
int ringd_enable_rings(struct ringd_ring *ring);
/* The clock of timeouts: CLOCK_MONOTONIC (at first) or CLOCK_BOOTTIME. */
int ringd_register_clock(struct ringd_ring *ring, const struct ringd_clock_register *clock);
/* Count CQEs in an eventfd too; async: only those of requests that did not complete at once. It may be closed afterwards. */
int ringd_register_eventfd(struct ringd_ring *ring, int fd);
int ringd_register_eventfd_async(struct ringd_ring *ring, int fd);
int ringd_unregister_eventfd(struct ringd_ring *ring);
/* DEFER_TASKRUN only. params: sq_entries, flags CQSIZE and CLAMP, cq_entries; written back. All pointers to SQEs and CQEs
 * got before are void. -EOVERFLOW: what is in the ring does not fit into the new one. */
int ringd_resize_rings(struct ringd_ring *ring, struct ringd_params *params);
/*
 * Registered rings: 16 numbers per thread. ups[].data is a ring's id, offset its number (UINT32_MAX: any free one, written
 * back). Return how many were done, or the error of the first: -EINVAL, -EBADF, -EBUSY. A registered ring lives on after
 * ringd_ring_free(), until it is unregistered everywhere or the connection is closed.
 */
int ringd_register_ring_fds(struct ringd *rd, struct ringd_rsrc_update *ups, unsigned int nr);
int ringd_unregister_ring_fds(struct ringd *rd, const struct ringd_rsrc_update *ups, unsigned int nr);
int ringd_register_ring_fd(struct ringd_ring *ring);	/* 1, -EEXIST, -EBUSY */
int ringd_unregister_ring_fd(struct ringd_ring *ring);	/* 1, -EINVAL */
int ringd_ring_index(const struct ringd_ring *ring);	/* of the call before, or -1 */
/* The ring of that number, for every other call. -EINVAL: no such number, or none was ever registered here; -EBADF: free. */
int ringd_registered_ring(unsigned int index, struct ringd_ring **ret);
/* A message (an SQE as of ringd_prep_msg_ring(), no flags) from no ring: what its CQE would say. */
int ringd_register_sync_msg(struct ringd *rd, const struct ringd_sqe *sqe);
/* probe: room for 256 ops (16 + 8 * 256 bytes), all zero. */
int ringd_register_probe(struct ringd_ring *ring, struct ringd_probe *probe, unsigned int nr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
