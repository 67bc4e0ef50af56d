/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that ours stand in front of: libc's, or those of a library between us and libc. Found once, when the library is
 * loaded; calls that come earlier, or while dlsym() looks, are made as bare system calls.
 */
#ifndef RD_DOOR_NEXT_H
#define RD_DOOR_NEXT_H

#ifndef _GNU_SOURCE
#error "configure defines _GNU_SOURCE"
#endif
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/types.h>
#include <unistd.h>

#if !__GLIBC_PREREQ(2, 34)
int close_range(unsigned int first, unsigned int last, int flags);
void closefrom(int low);
#endif
#if !__GLIBC_PREREQ(2, 35)
int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask);
#endif

#define RD_DOOR_EXPORT __attribute__((__visibility__("default")))

#define RD_NEXT_BOTH(X)                                                                                                        \
	X(mmap) X(poll) X(ppoll) X(select) X(pselect) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2) X(epoll_ctl) X(close)       \
	X(close_range) X(closefrom) X(dup) X(dup2) X(dup3) X(fcntl)

#ifdef RD_DOOR_TRAP
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#define RD_NEXT_LIST(X)                                                                                                        \
	RD_NEXT_BOTH(X)                                                                                                        \
	X(pthread_sigmask) X(pthread_create) X(pthread_attr_setsigmask_np) X(sigaction) X(sigsuspend) X(sigtimedwait)          \
	X(sigwaitinfo) X(sigwait) X(sigpending) X(signal) X(ssignal) X(bsd_signal) X(sysv_signal) X(__sysv_signal)             \
	X(sigignore) X(sigset) X(execve) X(execvpe) X(fexecve) X(execveat) X(posix_spawn) X(posix_spawnp) X(system) X(popen)
#else
#define RD_NEXT_LIST(X) RD_NEXT_BOTH(X)
#endif

#define RD_NEXT_ID(name) RD_NEXT_##name,
enum rd_next_id { RD_NEXT_LIST(RD_NEXT_ID) RD_NEXT_MAX };
#undef RD_NEXT_ID

#pragma GCC visibility push(hidden)

/* The function, NULL: it is not known (yet). */
void *rd_next_find(enum rd_next_id id);
#define RD_NEXT(name) ((__typeof__(&name))rd_next_find(RD_NEXT_##name))

int rd_next_close(int fd);
int rd_next_close_range(unsigned int first, unsigned int last, int flags);
int rd_next_dup(int fd);
int rd_next_dup2(int from, int to);
int rd_next_dup3(int from, int to, int flags);
int rd_next_fcntl(int fd, int cmd, void *arg);
void *rd_next_mmap(void *addr, size_t len, int prot, int flags, int fd, int64_t off);
int rd_next_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int rd_next_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
int rd_next_select(int n, fd_set *in, fd_set *out, fd_set *err, struct timeval *timeout);
int rd_next_pselect(int n, fd_set *in, fd_set *out, fd_set *err, const struct timespec *timeout, const sigset_t *mask);
int rd_next_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int rd_next_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms);
int rd_next_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask);
int rd_next_epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask);

/* Waiting with a mask must not block SIGSYS where that is ours; mine is room for another one. */
#ifdef RD_DOOR_TRAP
const sigset_t *rd_next_mask(const sigset_t *mask, sigset_t *mine);
#else
static inline const sigset_t *rd_next_mask(const sigset_t *mask, sigset_t *mine)
{
	(void)mine;
	return mask;
}
#endif

#pragma GCC visibility pop

#endif
