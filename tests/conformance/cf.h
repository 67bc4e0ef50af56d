/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance tests: one per statement about io_uring's behaviour, the same source for the host's kernel (cf-kernel.c), for
 * the engine inside this very process (cf-kernel.c, too) and for libringd with a real daemon (cf-ringd.c, once per back end). A test is written as
 *
 *	CF_TEST(nop_with_ioprio_is_einval, 42, "A NOP with ioprio 1 -> CQE -EINVAL")
 *	{
 *		struct cf_ring *ring = cf_ring_new(8, 0);
 *
 *		cf_sqe(ring, RINGD_OP_NOP)->ioprio = 1;
 *		ck_assert_int_eq(cf_submit(ring), 1);
 *		cf_expect(ring, 0, -EINVAL, 0);
 *	}
 *
 * The numbers are those of tests/conformance/statements; several are separated by blanks; 0: of none. Each test is a process of its own
 * with its own connection, memory and directory; all of it is given back when the test returns.
 *
 * Where a target behaves differently by design, the test asserts that other behaviour and says why:
 *
 *	CF_DIFFERS(nop_with_ioprio_is_einval, CF_RINGD, "the reason, one sentence")
 *
 * Environment: CF_RUN=NAME or CF_RUN=NUMBER runs only matching tests, CF_BACKEND=sync|uring only one back end, CF_RESULTS=FILE
 * appends a line per test for conformance-doc.sh, CF_LIST=1 only lists numbers and texts. CK_FORK=no for debuggers.
 */
#ifndef RD_TEST_CF_H
#define RD_TEST_CF_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/abi.h"

#define CF_PATIENCE_MS	100000	/* for what must happen; never a measure of speed */

struct cf_ring;

/* Targets; one bit each. */
#define CF_KERNEL	1u
#define CF_SYNC		2u		/* ringd, sync back end */
#define CF_URING	4u		/* ringd, uring back end */
#define CF_LOCAL	8u		/* ringd inside the process */
#define CF_RINGD	(CF_SYNC | CF_URING)	/* the service */
#define CF_ENGINE	(CF_RINGD | CF_LOCAL)	/* our engine, wherever it is */

/* --- declaring tests --- */

struct cf_test {
	const char *name, *numbers, *text, *file;
	void (*fn)(void);
	struct cf_test *next;
};

struct cf_difference {
	const char *name, *reason;
	unsigned int targets;
	struct cf_difference *next;
};

void cf_add_test(struct cf_test *test);
void cf_add_difference(struct cf_difference *d);

#define CF_TEST(NAME, NUMBERS, TEXT)								\
	static void NAME(void);									\
	static struct cf_test cf_test_##NAME = { .name = #NAME, .numbers = #NUMBERS, .text = (TEXT), .file = __FILE__, .fn = NAME }; \
	__attribute__((__constructor__)) static void cf_add_##NAME(void)			\
	{											\
		cf_add_test(&cf_test_##NAME);							\
	}											\
	static void NAME(void)

#define CF_DIFFERS(NAME, TARGETS, REASON)							\
	static struct cf_difference cf_diff_##NAME = { .name = #NAME, .reason = (REASON), .targets = (TARGETS) }; \
	__attribute__((__constructor__)) static void cf_add_diff_##NAME(void)			\
	{											\
		(void)cf_test_##NAME;	/* there is such a test */				\
		cf_add_difference(&cf_diff_##NAME);						\
	}

/* The one that runs now. */
unsigned int cf_target(void);

static inline bool cf_on(unsigned int targets)
{
	return cf_target() & targets;
}

/* End the test here as skipped. On ringd only for what the machine lacks (a capability, a device), not for features. */
void cf_skip(const char *fmt, ...) __attribute__((__noreturn__, __format__(__printf__, 1, 2)));
/* Skip where the probe does not know the opcode; cf_sqe() does it too. */
void cf_need_op(unsigned int op);
/* Skip on a kernel that does not know the setup flags, features; nothing on ringd, which knows all of them. */
void cf_need_setup(unsigned int flags);
/* Skip where this register call, which would not be refused as invalid, is -EINVAL: the opcode is not known there. */
void cf_need_register(struct cf_ring *ring, unsigned int opcode, const void *arg, unsigned int nr);
void cf_need_feature(unsigned int features);

/* --- rings --- */

struct cf_cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint64_t big[2];		/* of a 32-byte CQE, else 0 */
};

struct cf_ring {
	struct ringd_params p;		/* as setup returned them */
	int fd;				/* what SQEs and register calls name this ring by */
	struct cf_impl *impl;
	struct cf_ring *next;
};

/* As io_uring_setup(2): 0 or a negative errno; p may be NULL. */
int cf_ring_try(struct cf_ring **ret, unsigned int entries, struct ringd_params *p);
/* The same without a ring: only the result. p: flags and what else matters. */
int cf_setup(unsigned int entries, struct ringd_params p);
struct cf_ring *cf_ring_new(unsigned int entries, unsigned int flags);
struct cf_ring *cf_ring_new_params(unsigned int entries, struct ringd_params p);
/* As close() of the last descriptor of the ring, and unmap. The end of the test does it for all others. */
void cf_ring_free(struct cf_ring *ring);

/* A cleared SQE with that opcode and fd -1; the next in order. The test fails when the SQ is full, and is skipped when the
 * target's probe does not know the opcode (below RINGD_OP_LAST). 64 bytes, 128 on a ring with
 * SETUP_SQE128; cf_sqe128(): 128 bytes on a ring with SETUP_SQE_MIXED (the two slots must not wrap). */
struct ringd_sqe *cf_sqe(struct cf_ring *ring, unsigned int op);
struct ringd_sqe *cf_sqe128(struct cf_ring *ring, unsigned int op);
/* The same with user_data and flags */
struct ringd_sqe *cf_sqe_ud(struct cf_ring *ring, unsigned int op, uint64_t user_data, unsigned int flags);
/* SQEs got and not yet consumed */
unsigned int cf_sq_pending(struct cf_ring *ring);
/* Make what was got visible, as every enter does, and no more (SQPOLL). */
void cf_publish(struct cf_ring *ring);
/* io_uring_enter(2) with these very arguments, after publishing the tail. */
int cf_enter(struct cf_ring *ring, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
	     size_t size);
/* The same on the registered ring of that number; nothing is published. */
int cf_enter_registered(unsigned int index, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
			size_t size);
/* All that is pending */
int cf_submit(struct cf_ring *ring);
int cf_submit_and_wait(struct cf_ring *ring, unsigned int nr);

/* Take the next CQE if there is one, without a system call. */
bool cf_peek(struct cf_ring *ring, struct cf_cqe *cqe);
/* CQEs in the ring and not taken; 16-byte slots */
unsigned int cf_cq_ready(struct cf_ring *ring);
/* Take the next; enters and waits, fails the test after CF_PATIENCE_MS. */
void cf_wait_cqe(struct cf_ring *ring, struct cf_cqe *cqe);
/* The same for at most so long: false: none came. */
bool cf_wait_cqe_for(struct cf_ring *ring, struct cf_cqe *cqe, unsigned int ms);

/* Words of the ring. */
unsigned int cf_sq_flags(struct cf_ring *ring);
unsigned int cf_sq_head(struct cf_ring *ring);
unsigned int cf_sq_tail(struct cf_ring *ring);
unsigned int cf_sq_dropped(struct cf_ring *ring);
unsigned int cf_cq_overflow(struct cf_ring *ring);
unsigned int cf_cq_tail(struct cf_ring *ring);
/* The index array, NULL where there is none */
uint32_t *cf_sq_array(struct cf_ring *ring);
void cf_set_cq_flags(struct cf_ring *ring, unsigned int flags);

/* What stands for the ring among the process's descriptors; owned by the ring. */
int cf_poll_fd(struct cf_ring *ring);
/* io_uring_register(2) with these very arguments; ring NULL: descriptor -1. */
int cf_register(struct cf_ring *ring, unsigned int opcode, const void *arg, unsigned int nr);
/* Where the client finds the memory region that the service has made. */
void *cf_map_region(struct cf_ring *ring, size_t size);
/* RESIZE_RINGS with p (in and out), and everything here knows the new ring. */
int cf_resize(struct cf_ring *ring, struct ringd_params *p);
/* Descriptors as the process has them into slots; a table of nr slots must be there. */
void cf_files(struct cf_ring *ring, unsigned int nr);	/* a sparse table */
void cf_file(struct cf_ring *ring, unsigned int slot, int fd);

/* A descriptor of this process as fd of an SQE. Use it for every plain descriptor: sqe->fd = fd is not enough in the service. */
void cf_sqe_fd(struct cf_ring *ring, struct ringd_sqe *sqe, int fd);

/* Make a descriptor known by its own number, for what needs one that is no slot (CLOSE, MSG_RING). */
void cf_lend(struct cf_ring *ring, int fd);

/* --- what should come --- */

/* The next CQE is this one, waiting for it. */
#define cf_expect(ring, user_data, res, flags)	cf_expect_at(__FILE__, __LINE__, ring, user_data, res, flags)
/* The next n CQEs are these in any order */
struct cf_want {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};
#define cf_expect_set(ring, ...)								\
	cf_expect_set_at(__FILE__, __LINE__, ring, (const struct cf_want[]){ __VA_ARGS__ },	\
			 sizeof((const struct cf_want[]){ __VA_ARGS__ }) / sizeof(struct cf_want))
/* Nothing came, and nothing more comes of what was submitted before: a NOP goes through the ring and its CQE is the next. */
#define cf_expect_none(ring)			cf_expect_none_at(__FILE__, __LINE__, ring)
/* Submit what is pending (n SQEs) and take one CQE: its res */
#define cf_run(ring)				cf_run_at(__FILE__, __LINE__, ring)

void cf_expect_at(const char *file, int line, struct cf_ring *ring, uint64_t user_data, int32_t res, uint32_t flags);
void cf_expect_set_at(const char *file, int line, struct cf_ring *ring, const struct cf_want *want, size_t n);
void cf_expect_none_at(const char *file, int line, struct cf_ring *ring);
int32_t cf_run_at(const char *file, int line, struct cf_ring *ring);

/* --- memory and files --- */

/* Memory that SQEs may name, for data and for input; zeroed, aligned to align (0: 64), until the end of the test. */
void *cf_alloc(size_t size, size_t align);
/* A copy of it in such memory */
void *cf_in(const void *data, size_t size);
static inline uint64_t cf_addr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}
/* Address of an absolute path below the test's own directory, in such memory; it need not exist. */
char *cf_path(const char *name);
/* A file of size bytes there (byte i is i % 251), open with those flags */
int cf_make_file(const char *name, size_t size, int flags);
void cf_pipe(int fd[2]);
/* Fill an SQE: opcode's own fields */
struct ringd_sqe *cf_prep_rw(struct cf_ring *ring, unsigned int op, int fd, const void *buf, unsigned int len, uint64_t off);
struct ringd_timespec *cf_ts(uint64_t ns);
/* An OPENAT from the working directory, with all the client's side adds to it (umask, where relative paths start) */
void cf_prep_open(struct cf_ring *ring, struct ringd_sqe *sqe, const char *path, int flags, unsigned int mode);

/* --- threads, processes, time --- */

/* Run fn in another thread to its end; what it returned. */
int cf_in_thread(int (*fn)(void *arg), void *arg);
struct cf_thread;
struct cf_thread *cf_thread(int (*fn)(void *arg), void *arg);
int cf_thread_join(struct cf_thread *t);
/* Wait until that thread sleeps in the kernel (for whatever), or has ended. */
void cf_thread_wait_asleep(struct cf_thread *t);
/* When it sleeps, a signal that has a handler, again and again until it ends; then as cf_thread_join(). */
int cf_thread_interrupt(struct cf_thread *t, int sig);
/* In a child that is to make rings of its own: those of the parent are not for it. */
void cf_child_begin(void);
/* fork(); the child must end with cf_child_end(). Exit status (0: good) of a child. */
pid_t cf_fork(void);
/* In a child that makes rings of its own: what it inherited is forgotten, not given back. */
void cf_forked(void);
void cf_child_end(int status) __attribute__((__noreturn__));
int cf_child_wait(pid_t pid);
/* poll() until the events are there, fails the test after CF_PATIENCE_MS. */
void cf_wait_fd(int fd, short events);
bool cf_fd_ready(int fd, short events);
uint64_t cf_now_ns(void);

/* --- for cf-kernel.c and cf-ringd.c --- */

struct cf_back_end {
	const char *name;
	unsigned int target;
};
extern const struct cf_back_end cf_back_ends[];		/* ends with name NULL */
/* NULL, or why this machine has not got the target at all */
const char *cf_missing(void);
/* NULL, or why it has not got this back end */
const char *cf_missing_back_end(const struct cf_back_end *b);
void cf_start(const struct cf_back_end *b);	/* before the tests, in the parent of their processes */
void cf_stop(const struct cf_back_end *b);
void cf_begin(const struct cf_back_end *b);	/* in the test's process */
void cf_end(void);
void cf_impl_forked(void);
void *cf_region(size_t size);		/* what cf_alloc() divides */
void cf_impl_free(struct cf_ring *ring);
struct ringd_sqe *cf_impl_sqe(struct cf_ring *ring, unsigned int op);
int cf_impl_new(struct cf_ring *ring, unsigned int entries, struct ringd_params *p);

#endif
