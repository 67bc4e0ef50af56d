// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The handler of SIGSYS. It runs where the system call was made: on that stack, with errno and registers kept, and writes the
 * call's result where the kernel would have. All signals are blocked meanwhile, as none interrupts the kernel within a call;
 * only while it waits for CQEs the thread has the program's mask, and a signal then ends the wait with -EINTR. A program
 * without handlers has nobody who could notice, and is spared the cost.
 */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "client-lib/compat/local/local.h"
#include "raw.h"
#include "trap.h"

#define BY_SECCOMP	1	/* si_code: SYS_SECCOMP */

extern int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);

#ifdef __x86_64__
static void get_args(long *arg, const ucontext_t *uc)
{
	static const int reg[6] = { REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9 };

	for (unsigned int i = 0; i < 6; i++)
		arg[i] = (long)uc->uc_mcontext.gregs[reg[i]];
}

static void set_result(ucontext_t *uc, long r)
{
	uc->uc_mcontext.gregs[REG_RAX] = r;
}
#else
static void get_args(long *arg, const ucontext_t *uc)
{
	for (unsigned int i = 0; i < 6; i++)
		arg[i] = (long)uc->uc_mcontext.regs[i];
}

static void set_result(ucontext_t *uc, long r)
{
	uc->uc_mcontext.regs[0] = (unsigned long)r;
}
#endif

static long serve_setup(const long *arg)
{
	int fd = rd_local_setup((unsigned int)arg[0], (struct ringd_params *)arg[1]);

	/* Who has a ring may map it by a system call of its own. Without the filter that fails, and is all that fails. */
	if (fd >= 0) {
		rd_filter_install(RD_FILTER_MMAP);
		rd_local_unheard(fd);	/* it may close it in the same way, too */
	}
	return fd;
}

long rd_door_serve(long nr, const long *arg, const void *mask)
{
	switch (nr) {
	case SYS_io_uring_setup:
		return serve_setup(arg);
	case SYS_io_uring_enter:
		return rd_local_enter_masked((unsigned int)arg[0], (unsigned int)arg[1], (unsigned int)arg[2], (unsigned int)arg[3],
					     (const void *)arg[4], (size_t)arg[5], mask);
	case SYS_io_uring_register:
		return rd_local_register((unsigned int)arg[0], (unsigned int)arg[1], (const void *)arg[2], (unsigned int)arg[3]);
	default:
		return -ENOSYS;
	}
}

/* All signals but those that a thread brings upon itself, as the kernel's 8 bytes. */
static const uint64_t others = ~((uint64_t)1 << (SIGSYS - 1) | (uint64_t)1 << (SIGSEGV - 1) | (uint64_t)1 << (SIGBUS - 1) |
				 (uint64_t)1 << (SIGILL - 1) | (uint64_t)1 << (SIGFPE - 1) | (uint64_t)1 << (SIGTRAP - 1) |
				 (uint64_t)1 << (SIGABRT - 1));

static struct sigaction ours = { .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART };
static _Atomic bool guarded;		/* others are blocked in the handler */
static bool on_own_stack;		/* Go: signals have a stack for themselves */

/*
 * A thread that came without the mask restores it for nothing; one that came with it must not miss that: so guarded is first.
 * Each time, since the child of vfork() sets its own action, but its parent's word.
 */
void rd_sigsys_guard(void)
{
	struct sigaction act = ours;

	atomic_store(&guarded, true);
	memcpy(&act.sa_mask, &others, sizeof(others));
	__sigaction(SIGSYS, &act, NULL);
}

long rd_door_serve_blocked(long nr, const long *arg)
{
	uint64_t mask;
	long r;

	if (!atomic_load(&guarded))
		return rd_door_serve(nr, arg, NULL);
	rd_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&others, (long)&mask, sizeof(mask), 0, 0);
	r = rd_door_serve(nr, arg, &mask);
	rd_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask), 0, 0);
	return r;
}

static long serve_mmap(const long *arg)
{
	int fd = (int)arg[4], r = 1;
	void *ret = NULL;

	/* The rings map memory themselves, with their lock held: ask first what never waits. */
	if (rd_local_is_ring(fd))
		r = rd_local_mmap(&ret, (void *)arg[0], (size_t)arg[1], (int)arg[2], (int)arg[3], fd, (uint64_t)arg[5]);
	if (r <= 0)
		return r < 0 ? r : (long)ret;
	return rd_raw(SYS_mmap, arg[0], arg[1], arg[2], arg[3], (long)(RD_PASS | (uint32_t)fd), arg[5]);
}

static void end_by_sigsys(void)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	__sigaction(SIGSYS, &dfl, NULL);
	rd_raw(SYS_tgkill, rd_raw(SYS_getpid, 0, 0, 0, 0, 0, 0), rd_raw(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGSYS, 0, 0, 0);
}

/* The handler is called with the mask it was installed with. It may change the context: that one is taken when we return. */
static void call_handler(const struct sigaction *act, int sig, siginfo_t *info, ucontext_t *uc)
{
	sigset_t mask = uc->uc_sigmask;

	sigorset(&mask, &mask, &act->sa_mask);
	sigdelset(&mask, SIGSYS);
	rd_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, 8, 0, 0);
	if (act->sa_flags & SA_SIGINFO)
		act->sa_sigaction(sig, info, uc);
	else
		act->sa_handler(sig);
	sigdelset(&uc->uc_sigmask, SIGSYS);
}

/* One that has nothing to do with us: by kill(), or by a filter of the program's own. */
static void foreign(int sig, siginfo_t *info, ucontext_t *uc)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	bool forced = info->si_code > 0;
	struct sigaction act;

	if (!forced && rd_masks_defer())
		return;
	rd_signals_get(&act);
	if (act.sa_handler == SIG_IGN && !forced)
		return;
	if (act.sa_handler == SIG_DFL || act.sa_handler == SIG_IGN) {
		end_by_sigsys();
		return;
	}
	if (act.sa_flags & SA_RESETHAND)
		rd_signals_set(&dfl);
	call_handler(&act, sig, info, uc);
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	int saved = errno;
	long arg[6];

	if (info->si_code != BY_SECCOMP || (unsigned int)info->si_errno != RD_TRAP_DATA) {
		foreign(sig, info, uc);
	} else {
		get_args(arg, uc);
		set_result(uc, info->si_syscall == SYS_mmap ? serve_mmap(arg) :
							      rd_door_serve(info->si_syscall, arg, &uc->uc_sigmask));
		errno = saved;
		if (!on_own_stack)
			rd_resume(uc, atomic_load(&guarded));
	}
	errno = saved;
}

/*
 * Goroutines have stacks of a few KiB, and their threads one for signals. Everybody else has the stack that a system call
 * needs none of; alternate ones are often too small (8 KiB in Rust).
 */
static int find_go(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(info->dlpi_addr + ph->p_vaddr);

		if (ph->p_type == PT_NOTE && ph->p_memsz > sizeof(*note) + 4 && note->n_namesz == 4 &&
		    memcmp(note + 1, "Go\0", 4) == 0)
			*(bool *)found = true;
	}
	return 1;	/* the program itself comes first */
}

void rd_sigsys_take(void)
{
	sigset_t one, old;

	ours.sa_sigaction = on_sigsys;
	dl_iterate_phdr(find_go, &on_own_stack);
	if (on_own_stack) {
		/* its runtime sets handlers by system calls of its own */
		ours.sa_flags |= SA_ONSTACK;
		rd_sigsys_guard();
	} else {
		__sigaction(SIGSYS, &ours, NULL);
	}
	sigemptyset(&one);
	sigaddset(&one, SIGSYS);
	sigemptyset(&old);
	rd_raw(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&one, (long)&old, 8, 0, 0);
	rd_masks_inherit(sigismember(&old, SIGSYS));
}
