/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small things are read directly once the kernel has said that they can be: rt_sigprocmask() with an operation that does not
 * exist reads 8 bytes and then does nothing, a tenth of what process_vm_readv() costs, and is allowed everywhere. A program
 * that takes memory away from under a call of its own at the same time gets what it would get from any other use of it.
 * Not under valgrind, which tells the user of each operation that does not exist.
 * What is written goes by process_vm_writev(), or through a pipe where a container forbids that.
 *
 * The stack of the calling thread, from where it is up, is there.
 */
#include "host.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/common/util.h"

#define PAGE		4096u		/* the smallest there is: a probe more does no harm */
#define PROBE		8u		/* bytes the kernel reads */
#define NO_SUCH_HOW	99		/* for rt_sigprocmask(): neither SIG_BLOCK nor SIG_UNBLOCK nor SIG_SETMASK */
#define DIRECT_MAX	(16u * PAGE)	/* longer ones are copied by the kernel */
#define PIPE_PART	4096u

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* --- the stack --- */

struct stack {
	uintptr_t low, high;	/* of the thread; high 0: not looked at yet */
};

static __thread struct stack own_stack;

/* Of the first thread nothing but its end is certain, and that the kernel put the name of the program there. */
static void find_stack(struct stack *s)
{
	pthread_attr_t attr;
	void *addr;
	size_t size;

	s->low = s->high = 1;
	if (syscall(SYS_gettid) == getpid()) {
		s->high = getauxval(AT_EXECFN) & ~(uintptr_t)(PAGE - 1);
		s->low = s->high > (8u << 20) ? s->high - (8u << 20) : 1;
		return;
	}
	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &addr, &size) == 0) {
		s->low = (uintptr_t)addr;
		s->high = (uintptr_t)addr + size;
	}
	pthread_attr_destroy(&attr);
}

static bool on_stack(uint64_t addr, size_t len)
{
	uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
	struct stack *s = &own_stack;

	if (RD_UNLIKELY(!s->high))
		find_stack(s);
	/* a signal handler's or a coroutine's own stack is not what the thread was given */
	return sp >= s->low && sp < s->high && addr >= sp && addr < s->high && len <= s->high - addr;
}

/* --- reading --- */

/* 0, -EFAULT, or what else process_vm_readv() and its sister say; they may stop short at a page that is not there. */
static int copy_by_kernel(uint64_t remote, void *local, size_t len, bool out)
{
	while (len) {
		struct iovec l = { .iov_base = local, .iov_len = len };
		struct iovec r = { .iov_base = (void *)(uintptr_t)remote, .iov_len = len };
		long n = syscall(out ? SYS_process_vm_writev : SYS_process_vm_readv, (long)getpid(), &l, 1L, &r, 1L, 0L);

		if (n < 0)
			return -errno;
		if (n == 0)
			return -EFAULT;
		local = (char *)local + n;
		remote += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool may_probe(void)
{
	static _Atomic signed char known;	/* 1: yes, -1: no */
	const char *preload;

	if (RD_UNLIKELY(!known)) {
		preload = getenv("LD_PRELOAD");
		known = preload && strstr(preload, "/vgpreload_") ? -1 : 1;
	}
	return known > 0;
}

/* Can the page be read? */
static bool page_readable(uint64_t addr)
{
	uint64_t at = (addr & ~(uint64_t)(PAGE - 1)) + PAGE - PROBE;
	char last[PROBE];
	long r;

	if (RD_UNLIKELY(!may_probe()))
		return copy_by_kernel(at, last, sizeof(last), false) != -EFAULT;
	r = syscall(SYS_rt_sigprocmask, NO_SUCH_HOW, (void *)(uintptr_t)at, NULL, PROBE);
	return r == 0 || errno != EFAULT;
}

static bool readable(uint64_t addr, size_t len)
{
	uint64_t last = addr + len - 1;

	if (last < addr)
		return false;
	for (uint64_t page = addr & ~(uint64_t)(PAGE - 1);; page += PAGE) {
		if (!page_readable(page))
			return false;
		if (last - page < PAGE)
			return true;
	}
}

int rd_local_copy_in(void *dst, uint64_t addr, size_t len)
{
	int saved = errno, r = 0;

	if (!len)
		return 0;
	if (len > DIRECT_MAX)
		r = copy_by_kernel(addr, dst, len, false);
	if (len <= DIRECT_MAX || (r < 0 && r != -EFAULT)) {
		r = on_stack(addr, len) || readable(addr, len) ? 0 : -EFAULT;
		if (r == 0)
			memcpy(dst, (const void *)(uintptr_t)addr, len);
	}
	errno = saved;
	return r;
}

ssize_t rd_local_copy_str(char *dst, uint64_t addr, size_t size)
{
	int saved = errno;
	ssize_t r = -ENAMETOOLONG;

	for (size_t done = 0; done < size && r == -ENAMETOOLONG;) {
		size_t part = RD_MIN(size - done, (size_t)(PAGE - (addr + done) % PAGE)), n;

		if (addr + done < addr || !(on_stack(addr + done, part) || page_readable(addr + done))) {
			r = -EFAULT;
			break;
		}
		n = strnlen((const char *)(uintptr_t)(addr + done), part);
		memcpy(dst + done, (const char *)(uintptr_t)(addr + done), n);
		done += n;
		if (n < part) {
			dst[done] = 0;
			r = (ssize_t)done;
		}
	}
	errno = saved;
	return r;
}

/* --- writing --- */

/* What read() stores the kernel stores. */
static int copy_by_pipe(uint64_t addr, const char *src, size_t len)
{
	int p[2], r = 0;

	if (syscall(SYS_pipe2, p, 02000000 /* O_CLOEXEC */) < 0)
		return -EFAULT;
	while (len && r == 0) {
		size_t part = RD_MIN(len, (size_t)PIPE_PART);

		if (syscall(SYS_write, (long)p[1], src, part) != (long)part ||
		    syscall(SYS_read, (long)p[0], (void *)(uintptr_t)addr, part) != (long)part)
			r = -EFAULT;
		src += part;
		addr += part;
		len -= part;
	}
	syscall(SYS_close, (long)p[0]);
	syscall(SYS_close, (long)p[1]);
	return r;
}

int rd_local_copy_out(uint64_t addr, const void *src, size_t len)
{
	int saved = errno, r = 0;

	if (!len)
		return 0;
	if (on_stack(addr, len)) {
		memcpy((void *)(uintptr_t)addr, src, len);
		return 0;
	}
	r = copy_by_kernel(addr, (void *)(uintptr_t)src, len, true);
	if (r < 0 && r != -EFAULT)
		r = copy_by_pipe(addr, src, len);
	errno = saved;
	return r;
}

/* --- for long --- */

/* Kernels before 5.14 do not say whether it may be written to; they say whether something is there. */
static int check_mapped(uint64_t start, uint64_t len)
{
	unsigned char vec[256];

	while (len) {
		uint64_t part = RD_MIN(len, (uint64_t)sizeof(vec) * (uint64_t)getpagesize());

		if (mincore((void *)(uintptr_t)start, part, vec) < 0)
			return -EFAULT;
		start += part;
		len -= part;
	}
	return 0;
}

/* -EINVAL is also what is said of memory that must not be written to. */
static bool can_populate(uint64_t page)
{
	uint64_t own = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);

	return madvise((void *)(uintptr_t)own, page, MADV_POPULATE_WRITE) == 0;
}

int rd_local_pin(uint64_t addr, uint64_t len)
{
	uint64_t page = (uint64_t)getpagesize(), start = addr & ~(page - 1), end;
	int saved = errno, r = 0;

	if (!len || __builtin_add_overflow(addr, len, &end) || end > UINT64_MAX - page)
		return -EFAULT;
	len = rd_align(end, page) - start;
	if (madvise((void *)(uintptr_t)start, len, MADV_POPULATE_WRITE) < 0)
		r = errno == EINVAL && !can_populate(page) ? check_mapped(start, len) : -EFAULT;
	errno = saved;
	return r;
}
