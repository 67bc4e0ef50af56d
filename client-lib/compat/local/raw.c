/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The libraries we are part of put functions of their own in the place of some of libc's, which come back to us (a close() may
 * be that of a ring). What we call ourselves must go straight to the kernel: the linker's --wrap sends it here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/common/privatefd.h"

#define SIGSET_SIZE	((size_t)8)	/* the kernel's sigset_t */

int __wrap_close(int fd);
int __wrap_dup(int fd);
int __wrap_dup3(int from, int to, int flags);
int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
extern void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_poll(struct pollfd *fds, nfds_t n, int ms);
int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int max, int ms);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old);
extern int __close(int fd);
extern int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);

int __wrap_close(int fd)
{
	rd_private_fd_gone(fd);
#ifdef __SANITIZE_THREAD__
	return __close(fd);	/* libc's, under a name that nobody else takes: for ThreadSanitizer the next file of that number is new */
#else
	return (int)syscall(SYS_close, fd);
#endif
}

int __wrap_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

int __wrap_dup3(int from, int to, int flags)
{
	return (int)syscall(SYS_dup3, from, to, flags);
}

int __wrap_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);	/* an int or a pointer: a register in either case */
	va_end(ap);
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

int __wrap_fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

/* ThreadSanitizer must see it: else what it knows of memory that was at the same place is held against the new one. */
static void *map(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
#ifdef __SANITIZE_THREAD__
	return __real_mmap(addr, len, prot, flags, fd, off);
#else
	return (void *)syscall(SYS_mmap, addr, len, prot, flags, fd, off);
#endif
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return map(addr, len, prot, flags, fd, off);
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return map(addr, len, prot, flags, fd, off);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l };

	return (int)syscall(SYS_ppoll, fds, n, ms < 0 ? NULL : &ts, NULL, SIGSET_SIZE);
}

int __wrap_epoll_wait(int epfd, struct epoll_event *ev, int max, int ms)
{
	return (int)syscall(SYS_epoll_pwait, epfd, ev, max, ms, NULL, SIGSET_SIZE);
}

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, ev);
}

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return syscall(SYS_rt_sigprocmask, how, set, old, SIGSET_SIZE) < 0 ? errno : 0;
}

int __wrap_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	return __sigaction(sig, act, old);
}
