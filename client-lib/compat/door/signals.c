// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program's own dispositions. That of SIGSYS is only kept, and asked when one comes that is not ours; handlers of other
 * signals must not run with SIGSYS blocked, since they may make the calls, too.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <stdatomic.h>

#include "next.h"
#include "raw.h"
#include "trap.h"

extern int __sigaction(int sig, const struct sigaction *act, struct sigaction *old);
sighandler_t bsd_signal(int sig, sighandler_t handler);

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"	/* sigset() and sigignore() */

/* Read in a signal handler: the newest of two is never being written. */
static struct sigaction own[2];
static _Atomic unsigned int newest;
static _Atomic uint64_t wanted;		/* signals whose handlers were to run with SIGSYS blocked */
static atomic_flag busy = ATOMIC_FLAG_INIT;

void rd_signals_get(struct sigaction *act)
{
	*act = own[atomic_load_explicit(&newest, memory_order_acquire)];
}

void rd_signals_set(const struct sigaction *act)
{
	uint64_t all = ~((uint64_t)1 << (SIGSYS - 1)), old;
	unsigned int next;

	rd_raw(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&old, 8, 0, 0);
	while (atomic_flag_test_and_set(&busy))
		rd_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	next = !atomic_load(&newest);
	own[next] = *act;
	atomic_store_explicit(&newest, next, memory_order_release);
	atomic_flag_clear(&busy);
	rd_raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, 8, 0, 0);
}

static int set_real(int sig, const struct sigaction *act, struct sigaction *old)
{
	__typeof__(&sigaction) f = RD_NEXT(sigaction);

	return f ? f(sig, act, old) : __sigaction(sig, act, old);
}

static int set_own(const struct sigaction *act, struct sigaction *old)
{
	struct sigaction was;

	rd_signals_get(&was);
	if (act)
		rd_signals_set(act);
	if (old)
		*old = was;
	return 0;
}

/* Those that a thread brings upon itself are not blocked in any case. */
static void heed(int sig, sighandler_t handler)
{
	static const int own_fault[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT };

	for (unsigned int i = 0; i < sizeof(own_fault) / sizeof(own_fault[0]); i++)
		if (sig == own_fault[i])
			return;
	if (handler != SIG_DFL && handler != SIG_IGN)
		rd_sigsys_guard();
}

RD_DOOR_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	const uint64_t bit = sig > 0 && sig <= 64 ? (uint64_t)1 << (sig - 1) : 0;
	bool was = atomic_load(&wanted) & bit, in = false;
	struct sigaction mine;

	if (sig == SIGSYS)
		return set_own(act, old);
	if (act) {
		mine = *act;
		heed(sig, mine.sa_handler);
		in = sigismember(&mine.sa_mask, SIGSYS) == 1;
		sigdelset(&mine.sa_mask, SIGSYS);
		act = &mine;
	}
	if (set_real(sig, act, old) < 0)
		return -1;
	if (old && was)
		sigaddset(&old->sa_mask, SIGSYS);
	if (act && in)
		atomic_fetch_or(&wanted, bit);
	else if (act)
		atomic_fetch_and(&wanted, ~bit);
	return 0;
}

/* --- the older ones, for SIGSYS --- */

static sighandler_t set_handler(sighandler_t handler, int flags)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = flags }, old;

	set_own(&act, &old);
	return old.sa_handler;
}

static sighandler_t no_function(void)
{
	errno = ENOSYS;
	return SIG_ERR;
}

#define OLDER(name, flags)                                                                                                     \
	RD_DOOR_EXPORT sighandler_t name(int sig, sighandler_t handler)                                                        \
	{                                                                                                                      \
		__typeof__(&name) f = RD_NEXT(name);                                                                           \
                                                                                                                               \
		if (sig == SIGSYS)                                                                                             \
			return set_handler(handler, flags);                                                                    \
		heed(sig, handler);                                                                                            \
		return f ? f(sig, handler) : no_function();                                                                    \
	}

OLDER(signal, SA_RESTART)
OLDER(ssignal, SA_RESTART)
OLDER(bsd_signal, SA_RESTART)
OLDER(sysv_signal, SA_RESETHAND)
OLDER(__sysv_signal, SA_RESETHAND)

RD_DOOR_EXPORT int sigignore(int sig)
{
	__typeof__(&sigignore) f = RD_NEXT(sigignore);

	if (sig == SIGSYS)
		return set_handler(SIG_IGN, 0) == SIG_ERR ? -1 : 0;
	return f ? f(sig) : -1;
}

RD_DOOR_EXPORT sighandler_t sigset(int sig, sighandler_t disp)
{
	__typeof__(&sigset) f = RD_NEXT(sigset);
	struct sigaction old;
	sigset_t set, mask;

	if (sig != SIGSYS) {
		if (disp != SIG_HOLD)
			heed(sig, disp);
		return f ? f(sig, disp) : no_function();
	}
	set_own(NULL, &old);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (disp != SIG_HOLD)
		set_handler(disp, 0);
	sigprocmask(disp == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, &set, &mask);
	return sigismember(&mask, SIGSYS) == 1 ? SIG_HOLD : old.sa_handler;
}
