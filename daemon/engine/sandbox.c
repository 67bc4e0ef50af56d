/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An allow-list. The engine holds no privilege, so the filter is not what keeps tenants apart: it takes from somebody
 * who has broken into an engine the parts of the kernel that an engine never uses (new programs, other processes,
 * mounts, namespaces, keys, bpf, ...). Not a kill but EPERM: a library that probes for a call must find it missing.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/blkzoned.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "daemon/common/sanitizer.h"
#include "daemon/common/util.h"
#include "engine.h"

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
	/* data */
	CALL(read), CALL(write), CALL(readv), CALL(writev), CALL(pread64), CALL(pwrite64), CALL(preadv), CALL(pwritev),
	CALL(preadv2), CALL(pwritev2), CALL(lseek), CALL(splice), CALL(tee), CALL(copy_file_range), CALL(sendfile),
	/* files and names */
	CALL(open), CALL(openat), CALL(openat2), CALL(close), CALL(close_range), CALL(dup), CALL(dup2), CALL(dup3), CALL(fcntl),
	CALL(fstat), CALL(newfstatat), CALL(stat), CALL(lstat), CALL(statx), CALL(statfs), CALL(fstatfs), CALL(access),
	CALL(faccessat), CALL(faccessat2), CALL(name_to_handle_at), CALL(readlink), CALL(readlinkat), CALL(getdents64), CALL(fsync), CALL(fdatasync),
	CALL(sync_file_range), CALL(fallocate), CALL(ftruncate), CALL(fadvise64), CALL(unlinkat), CALL(mkdirat), CALL(renameat),
	CALL(renameat2), CALL(linkat), CALL(symlinkat), CALL(umask), CALL(chdir), CALL(fchdir), CALL(getcwd),
	CALL(getxattr), CALL(fgetxattr), CALL(lgetxattr), CALL(setxattr), CALL(fsetxattr), CALL(lsetxattr),
	CALL(listxattr), CALL(flistxattr), CALL(removexattr), CALL(fremovexattr), CALL(utimensat), CALL(fchmod),
	/* sockets and pipes */
	CALL(bind), CALL(listen), CALL(accept), CALL(accept4), CALL(connect), CALL(shutdown),
	CALL(sendto), CALL(recvfrom), CALL(sendmsg), CALL(recvmsg), CALL(sendmmsg), CALL(recvmmsg), CALL(getsockopt),
	CALL(setsockopt), CALL(getsockname), CALL(getpeername), CALL(pipe2),
	/* waiting */
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(poll), CALL(ppoll),
	CALL(select), CALL(pselect6), CALL(eventfd2), CALL(timerfd_create), CALL(timerfd_settime), CALL(timerfd_gettime),
	CALL(signalfd4), CALL(futex), CALL(futex_waitv), CALL(nanosleep), CALL(clock_nanosleep), CALL(restart_syscall),
	CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register),
	CALL(io_setup), CALL(io_submit), CALL(io_getevents), CALL(io_destroy),
	/* memory */
	CALL(mmap), CALL(munmap), CALL(mprotect), CALL(mremap), CALL(madvise), CALL(mincore), CALL(brk), CALL(memfd_create),
	CALL(membarrier), CALL(mlock), CALL(munlock),
	/* threads and signals */
	CALL(set_robust_list), CALL(get_robust_list), CALL(rseq), CALL(set_tid_address), CALL(exit), CALL(exit_group),
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(rt_sigtimedwait), CALL(rt_sigpending), CALL(sigaltstack),
	CALL(tgkill), CALL(sched_yield), CALL(sched_getaffinity), CALL(sched_setaffinity), CALL(sched_getparam),
	CALL(sched_getscheduler), CALL(sched_setscheduler), CALL(sched_setattr), CALL(sched_getattr), CALL(setpriority),
	CALL(getpriority), CALL(ioprio_set), CALL(ioprio_get), CALL(arch_prctl), CALL(getcpu),
	/* the process and the time */
	CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getgroups),
	CALL(getresuid), CALL(getresgid), CALL(capget), CALL(getrlimit), CALL(getrusage), CALL(uname), CALL(sysinfo), CALL(getrandom),
	CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), CALL(times),
};

static const unsigned long ioctls[] = {
	TCGETS,						/* is standard error a terminal? */
	SIOCINQ, SIOCOUTQ,				/* commands of sockets */
	BLKDISCARD, BLKGETSIZE64, BLKRESETZONE,		/* and of block devices */
};

/* Sockets of the families that the operator allows; pairs are for ourselves. */
static int allow_sockets(scmp_filter_ctx ctx, unsigned int families)
{
	static const struct {
		unsigned int bit;
		int family;
	} known[] = { { RD_FAMILY_INET, AF_INET }, { RD_FAMILY_INET6, AF_INET6 }, { RD_FAMILY_UNIX, AF_UNIX } };
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));

	for (size_t i = 0; r == 0 && i < RD_ARRAY_SIZE(known); i++)
		if (families & known[i].bit)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)known[i].family));
	return r;
}

/* Calls of which only one use is ours. */
static int allow_partly(scmp_filter_ctx ctx)
{
	int r;

	/* threads; clone3 passes its flags in memory, so the C library has to fall back to clone */
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* a thread's own root and umask; namespaces not */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(unshare), 1, SCMP_A0(SCMP_CMP_EQ, CLONE_FS));
	/* looking at limits, of ourselves, but not raising them */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
				     SCMP_A2(SCMP_CMP_EQ, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_TIMERSLACK));
	/* are two descriptors the same open file? */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kcmp), 1, SCMP_A2(SCMP_CMP_EQ, KCMP_FILE));
	for (size_t i = 0; r == 0 && i < RD_ARRAY_SIZE(ioctls); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
#ifdef PR_SET_VMA	/* names of anonymous memory, by malloc */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA));
#endif
	return r;
}

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

int rd_sandbox_enter(unsigned int families)
{
	RD_CLEANUP(release) scmp_filter_ctx ctx = NULL;
	int r = 0;

	if (RD_SANITIZED)
		return 0;
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		return -ENOMEM;
	/* decided by a few comparisons however long the list is: an engine makes a system call per I/O */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; r == 0 && i < RD_ARRAY_SIZE(allowed); i++)
		if (allowed[i] != __NR_SCMP_ERROR)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = allow_partly(ctx);
	if (r == 0)
		r = allow_sockets(ctx, families);
	if (r == 0)
		r = seccomp_load(ctx);
	return r;
}
