/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls with nothing around them: no errno, no cancellation, no function that somebody else may have replaced. Usable in
 * signal handlers, in the child of vfork() and before any constructor has run. The result is the kernel's: -errno on failure.
 */
#ifndef RD_DOOR_RAW_H
#define RD_DOOR_RAW_H

#include <errno.h>
#include <sys/syscall.h>

#if defined(__x86_64__) && !defined(__ILP32__)
static inline long rd_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r = nr;

	__asm__ volatile("syscall" : "+a"(r) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__) && !defined(__ILP32__)
static inline long rd_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}
#else
#include <unistd.h>

/* Of other machines the system call is not known here; there is no libringd-trap.so for them, whose syscall() this would be. */
static inline long rd_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	int saved = errno;
	long r = syscall(nr, a, b, c, d, e, f);

	if (r == -1)
		r = -errno;
	errno = saved;
	return r;
}
#endif

/* As a libc function returns it. */
static inline long rd_raw_errno(long r)
{
	if ((unsigned long)r <= -4096UL)
		return r;
	errno = (int)-r;
	return -1;
}

#endif
