// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Seccomp filters with SECCOMP_RET_TRAP. The kernel runs all filters of a thread and takes the most restrictive answer:
 * KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, ..., so TRAP wins over a container's ERRNO; among equals the last one installed
 * counts. No security hangs on them: what does not come here is refused by the kernel as ever.
 *
 * A filter cannot be removed and survives execve(). So there is nothing in it that is of this process only, a filter that is
 * there already is recognised by a call that has no meaning but to it, and mmap() is looked at only once there are rings.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "raw.h"
#include "trap.h"

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1u << 2)
#endif

#ifdef __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

#define PROBE		0x72446f70	/* an option that prctl() does not have */
#define PROBE_ANSWER	2742		/* an errno that is none; another one when the filters change */

#define LOW(arg)	(offsetof(struct seccomp_data, args[arg]))	/* both machines are little-endian */
#define HIGH(arg)	(LOW(arg) + 4)
#define LOAD(off)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off)
#define AND(k)		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, k)
#define IF_EQ(k, t, f)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, f)
#define IF_GE(k, t, f)	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k, t, f)
#define IF_SET(k, t, f)	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, k, t, f)
#define RETURN(k)	BPF_STMT(BPF_RET | BPF_K, k)

/* Calls of another ABI are left alone: their numbers mean something else, and x32 has a bit set in them. */
#define NATIVE                                                                                                                 \
	LOAD(offsetof(struct seccomp_data, arch)), IF_EQ(NATIVE_ARCH, 1, 0), RETURN(SECCOMP_RET_ALLOW),                        \
		LOAD(offsetof(struct seccomp_data, nr))
/* prctl(PROBE, which): to be entered with the number loaded */
#define ANSWER(which)                                                                                                          \
	IF_EQ(SYS_prctl, 1, 0), RETURN(SECCOMP_RET_ALLOW), LOAD(LOW(0)), IF_EQ(PROBE, 1, 0), RETURN(SECCOMP_RET_ALLOW),        \
		LOAD(LOW(1)), IF_EQ(which, 1, 0), RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ERRNO | PROBE_ANSWER)

static const struct sock_filter calls[] = {
	NATIVE,
	IF_GE(RD_LAST_CALL + 1, 2, 0),
	IF_GE(RD_FIRST_CALL, 0, 1),
	RETURN(SECCOMP_RET_TRAP | RD_TRAP_DATA),
	ANSWER(RD_FILTER_CALLS),
};

/* Offsets of a ring's descriptor: rings, SQEs, regions, refill rings and rings of buffers. */
static const struct sock_filter maps[] = {
	NATIVE,
	IF_EQ(SYS_mmap, 9, 0),
	ANSWER(RD_FILTER_MMAP),
	/* shared, of a file, writable: or it is of no use for a ring */
	LOAD(LOW(3)), AND(MAP_SHARED | MAP_ANONYMOUS | 0xc), IF_EQ(MAP_SHARED, 0, 17),
	LOAD(LOW(2)), IF_SET(PROT_WRITE, 0, 15),
	LOAD(LOW(4)), IF_SET(0x80000000, 13, 0),
	LOAD(HIGH(4)), IF_EQ(RD_PASS >> 32, 11, 0),
	LOAD(HIGH(5)), IF_EQ(0, 0, 9),
	LOAD(LOW(5)), IF_EQ(0, 8, 0), IF_EQ(0x8000000, 7, 0), IF_EQ(0x10000000, 6, 0), IF_EQ(0x20000000, 5, 0),
	IF_GE(0x88000000, 3, 0), IF_GE(0x80000000, 3, 0),
	IF_GE(0x38000000, 1, 0), IF_GE(0x30000000, 1, 0),
	RETURN(SECCOMP_RET_ALLOW),
	RETURN(SECCOMP_RET_TRAP | RD_TRAP_DATA),
};

static const struct sock_fprog programs[] = {
	[RD_FILTER_CALLS] = { sizeof(calls) / sizeof(calls[0]), (struct sock_filter *)calls },
	[RD_FILTER_MMAP] = { sizeof(maps) / sizeof(maps[0]), (struct sock_filter *)maps },
};

static _Atomic bool present[RD_FILTER_MAX];

bool rd_filter_present(enum rd_filter f)
{
	if (!atomic_load_explicit(&present[f], memory_order_relaxed) && rd_raw(SYS_prctl, PROBE, f, 0, 0, 0, 0) == -PROBE_ANSWER)
		atomic_store_explicit(&present[f], true, memory_order_relaxed);
	return atomic_load_explicit(&present[f], memory_order_relaxed);
}

static long set_filter(enum rd_filter f, unsigned int flags)
{
	return rd_raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, (long)&programs[f], 0, 0, 0);
}

static long set_any(enum rd_filter f)
{
	/* SPEC_ALLOW: kernels before 5.16 would otherwise slow the whole program down */
	long r = set_filter(f, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW);

	if (r == -EINVAL)
		r = set_filter(f, SECCOMP_FILTER_FLAG_TSYNC);
	/* a thread has filters of its own: those that have ours are better than none */
	return r > 0 ? set_filter(f, 0) : r;
}

int rd_filter_install(enum rd_filter f)
{
	long r;

	if (rd_filter_present(f))
		return 0;
	/* What may install filters as it is keeps its ways to start set-id programs. */
	r = set_any(f);
	if (r == -EACCES && rd_raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0) == 0)
		r = set_any(f);
	if (r == 0)
		atomic_store_explicit(&present[f], true, memory_order_relaxed);
	return (int)r;
}
