/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libringd-trap.so: io_uring for programs that make its system calls themselves.
 *
 *   syscall.c  libc's syscall()                     filter.c  the seccomp filters that send the calls to us
 *   sigsys.c   the handler that serves them         masks.c signals.c  SIGSYS stays ours, and the program sees its own settings
 *   resume.c   back from it
 *   exec.c env.c  the next program has us, too      target.c  ... or must not be started, since it could not
 */
#ifndef RD_DOOR_TRAP_H
#define RD_DOOR_TRAP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#define RD_FIRST_CALL	425	/* io_uring_setup, io_uring_enter, io_uring_register: on all machines */
#define RD_LAST_CALL	427

#define RD_TRAP_DATA	0x5244u	/* what our filters say of themselves: siginfo.si_errno */
/*
 * In the upper half of mmap()'s descriptor, which the kernel does not look at: "this was seen, let it pass". Not the address it
 * is called from, as filters outlive execve() and the next program has us elsewhere.
 */
#define RD_PASS		((uint64_t)0x52446d70 << 32)

#pragma GCC visibility push(hidden)

/* --- filter.c --- */
enum rd_filter {
	RD_FILTER_CALLS,	/* the three calls */
	RD_FILTER_MMAP,		/* mappings that may be a ring's: from the first ring on */
	RD_FILTER_MAX,
};
/* It is installed, by us or by the program that was here before us. */
bool rd_filter_present(enum rd_filter f);
/* For all threads. 0, or why there can be none: -errno. */
int rd_filter_install(enum rd_filter f);

/* --- sigsys.c --- */
/* One of the three calls; mask (8 bytes, NULL: as they are): the signals that the program has blocked, for waits. */
long rd_door_serve(long nr, const long *arg, const void *mask);
/* The same for a caller who is no signal handler: it has all signals blocked meanwhile, as the handler has. */
long rd_door_serve_blocked(long nr, const long *arg);
/* The handler is ours; SIGSYS is not blocked. */
void rd_sigsys_take(void);
/* The program is about to have handlers that may interrupt us. */
void rd_sigsys_guard(void);

/* --- resume.c --- */
/* As the handler's return, but faster. Returns where that has to be left to the kernel. unblock: there is a mask to restore. */
void rd_resume(const ucontext_t *uc, bool unblock);

/* --- signals.c --- */
/* The program's own disposition of SIGSYS. */
void rd_signals_get(struct sigaction *act);
void rd_signals_set(const struct sigaction *act);

/* --- masks.c --- */
/* Does this thread believe to block SIGSYS? One that comes then is remembered: true. */
bool rd_masks_defer(void);
/* syscall(SYS_rt_sigprocmask). -errno */
long rd_door_sigprocmask(int how, const uint64_t *set, uint64_t *old, size_t size);
/* It was blocked when the program started. */
void rd_masks_inherit(bool blocked);

/* --- env.c --- */
/* Room that envp needs with us in it, in bytes; 0: we are in it. */
size_t rd_env_room(char *const *envp);
/* Written to room. */
char *const *rd_env_fill(void *room, char *const *envp);
void rd_env_init(void);

/* --- target.c --- */
/* False, with errno and a message: what would be started makes the calls and could not be served, so it would be killed. */
bool rd_target_fits(int dirfd, const char *path, int flags);
/* The same for a name that is looked for in PATH. */
bool rd_target_named(const char *file);

#pragma GCC visibility pop

#endif
