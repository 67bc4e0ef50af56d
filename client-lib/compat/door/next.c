// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Why both, libc's function and the system call: poll(), close() and others are cancellation points, which only libc can make
 * of them. But they are also called in signal handlers, by the child of vfork(), by malloc() inside dlsym() and by constructors
 * that run before ours. So dlsym() is called when nothing of that can be (our constructor), and whoever comes before does
 * without cancellation.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "next.h"
#include "raw.h"

#define SIGSET_BYTES	8	/* of the kernel's sigset_t */

#define RD_NEXT_NAME(name) #name,
static const char *const names[] = { RD_NEXT_LIST(RD_NEXT_NAME) };
#undef RD_NEXT_NAME

static _Atomic(void *) found[RD_NEXT_MAX];
static char missing;		/* found[] points here: libc has no such function */
static atomic_flag looking = ATOMIC_FLAG_INIT;

static void *look_up(enum rd_next_id id)
{
	void *p;

	/* We are inside dlsym() already, or another thread is. */
	if (atomic_flag_test_and_set(&looking))
		return NULL;
	p = dlsym(RTLD_NEXT, names[id]);
	atomic_store_explicit(&found[id], p ? p : &missing, memory_order_release);
	atomic_flag_clear(&looking);
	return p;
}

void *rd_next_find(enum rd_next_id id)
{
	void *p = atomic_load_explicit(&found[id], memory_order_acquire);

	if (__builtin_expect(!p, 0))
		return look_up(id);
	return p == &missing ? NULL : p;
}

static __attribute__((__constructor__)) void find_all(void)
{
	for (unsigned int id = 0; id < RD_NEXT_MAX; id++)
		rd_next_find(id);
	dlerror();		/* what was not found is not the program's error */
}

int rd_next_close(int fd)
{
	__typeof__(&close) f = RD_NEXT(close);

	return f ? f(fd) : (int)rd_raw_errno(rd_raw(SYS_close, fd, 0, 0, 0, 0, 0));
}

int rd_next_close_range(unsigned int first, unsigned int last, int flags)
{
	__typeof__(&close_range) f = RD_NEXT(close_range);

	return f ? f(first, last, flags) : (int)rd_raw_errno(rd_raw(SYS_close_range, first, last, flags, 0, 0, 0));
}

int rd_next_dup(int fd)
{
	__typeof__(&dup) f = RD_NEXT(dup);

	return f ? f(fd) : (int)rd_raw_errno(rd_raw(SYS_dup, fd, 0, 0, 0, 0, 0));
}

int rd_next_dup2(int from, int to)
{
	__typeof__(&dup2) f = RD_NEXT(dup2);
	long r;

	if (f)
		return f(from, to);
	if (from != to)
		return (int)rd_raw_errno(rd_raw(SYS_dup3, from, to, 0, 0, 0, 0));
	r = rd_raw(SYS_fcntl, from, F_GETFD, 0, 0, 0, 0);
	return r < 0 ? (int)rd_raw_errno(r) : to;
}

int rd_next_dup3(int from, int to, int flags)
{
	__typeof__(&dup3) f = RD_NEXT(dup3);

	return f ? f(from, to, flags) : (int)rd_raw_errno(rd_raw(SYS_dup3, from, to, flags, 0, 0, 0));
}

int rd_next_fcntl(int fd, int cmd, void *arg)
{
	__typeof__(&fcntl) f = RD_NEXT(fcntl);

	return f ? f(fd, cmd, arg) : (int)rd_raw_errno(rd_raw(SYS_fcntl, fd, cmd, (long)arg, 0, 0, 0));
}

void *rd_next_mmap(void *addr, size_t len, int prot, int flags, int fd, int64_t off)
{
	__typeof__(&mmap) f = RD_NEXT(mmap);

	if (f)
		return f(addr, len, prot, flags, fd, off);
	return (void *)rd_raw_errno(rd_raw(SYS_mmap, (long)addr, (long)len, prot, flags, fd, off));
}

static struct timespec *from_ms(struct timespec *t, int timeout_ms)
{
	if (timeout_ms < 0)
		return NULL;
	t->tv_sec = timeout_ms / 1000;
	t->tv_nsec = timeout_ms % 1000 * 1000000L;
	return t;
}

int rd_next_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	__typeof__(&poll) f = RD_NEXT(poll);
	struct timespec t;

	if (f)
		return f(fds, n, timeout_ms);
	return (int)rd_raw_errno(rd_raw(SYS_ppoll, (long)fds, (long)n, (long)from_ms(&t, timeout_ms), 0, SIGSET_BYTES, 0));
}

int rd_next_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t mine;
	__typeof__(&ppoll) f = RD_NEXT(ppoll);
	struct timespec t;

	mask = rd_next_mask(mask, &mine);
	if (f)
		return f(fds, n, timeout, mask);
	if (timeout)
		t = *timeout;	/* the kernel writes into it */
	return (int)rd_raw_errno(rd_raw(SYS_ppoll, (long)fds, (long)n, timeout ? (long)&t : 0, (long)mask, SIGSET_BYTES, 0));
}

int rd_next_pselect(int n, fd_set *in, fd_set *out, fd_set *err, const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t mine;
	__typeof__(&pselect) f = RD_NEXT(pselect);
	struct {
		const sigset_t *mask;
		size_t size;
	} sig = { rd_next_mask(mask, &mine), SIGSET_BYTES };
	struct timespec t;

	mask = sig.mask;
	if (f)
		return f(n, in, out, err, timeout, mask);
	if (timeout)
		t = *timeout;
	return (int)rd_raw_errno(rd_raw(SYS_pselect6, n, (long)in, (long)out, (long)err, timeout ? (long)&t : 0, (long)&sig));
}

int rd_next_select(int n, fd_set *in, fd_set *out, fd_set *err, struct timeval *timeout)
{
	__typeof__(&select) f = RD_NEXT(select);
	struct timespec t;
	long r;

	if (f)
		return f(n, in, out, err, timeout);
	if (timeout) {
		t.tv_sec = timeout->tv_sec;
		t.tv_nsec = timeout->tv_usec * 1000L;
	}
	r = rd_raw(SYS_pselect6, n, (long)in, (long)out, (long)err, timeout ? (long)&t : 0, 0);
	if (timeout && r >= 0) {
		timeout->tv_sec = t.tv_sec;	/* what is left, as select() of Linux has it */
		timeout->tv_usec = t.tv_nsec / 1000;
	}
	return (int)rd_raw_errno(r);
}

int rd_next_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	__typeof__(&epoll_ctl) f = RD_NEXT(epoll_ctl);

	return f ? f(epfd, op, fd, event) : (int)rd_raw_errno(rd_raw(SYS_epoll_ctl, epfd, op, fd, (long)event, 0, 0));
}

int rd_next_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
	sigset_t mine;
	__typeof__(&epoll_pwait) f = RD_NEXT(epoll_pwait);

	mask = rd_next_mask(mask, &mine);
	if (f)
		return f(epfd, events, max, timeout_ms, mask);
	return (int)rd_raw_errno(rd_raw(SYS_epoll_pwait, epfd, (long)events, max, timeout_ms, (long)mask, SIGSET_BYTES));
}

int rd_next_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
	__typeof__(&epoll_wait) f = RD_NEXT(epoll_wait);

	if (f)
		return f(epfd, events, max, timeout_ms);
	return (int)rd_raw_errno(rd_raw(SYS_epoll_pwait, epfd, (long)events, max, timeout_ms, 0, SIGSET_BYTES));
}

int rd_next_epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask)
{
	sigset_t mine;
	__typeof__(&epoll_pwait2) f = RD_NEXT(epoll_pwait2);

	mask = rd_next_mask(mask, &mine);
	if (f)
		return f(epfd, events, max, timeout, mask);
	return (int)rd_raw_errno(rd_raw(SYS_epoll_pwait2, epfd, (long)events, max, (long)timeout, (long)mask, SIGSET_BYTES));
}
