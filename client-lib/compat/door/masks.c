// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A system call that is sent to the handler of SIGSYS while SIGSYS is blocked kills the process. So it never is: masks lose it
 * on their way to libc and get it back when the program asks for them. A SIGSYS that comes to a thread which believes to block
 * it is kept until that is over, or sigwait() takes it.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "next.h"
#include "raw.h"
#include "trap.h"

static __thread bool blocked __attribute__((__tls_model__("initial-exec")));
static _Atomic bool kept;	/* a SIGSYS came to who had it blocked */

void rd_masks_inherit(bool was)
{
	blocked = was;
}

bool rd_masks_defer(void)
{
	if (blocked)
		atomic_store(&kept, true);
	return blocked;
}

static void send_self(void)
{
	rd_raw(SYS_tgkill, rd_raw(SYS_getpid, 0, 0, 0, 0, 0, 0), rd_raw(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGSYS, 0, 0, 0);
}

static void believe(bool now)
{
	blocked = now;
	if (!now && atomic_load_explicit(&kept, memory_order_relaxed) && atomic_exchange(&kept, false))
		send_self();
}

/* What the thread believes after a change of its mask that had, or had not, SIGSYS in it. */
static void changed(int how, bool in)
{
	if (how == SIG_SETMASK)
		believe(in);
	else if (in)
		believe(how == SIG_BLOCK);
}

static int change(int how, const sigset_t *set, sigset_t *old)
{
	__typeof__(&pthread_sigmask) f = RD_NEXT(pthread_sigmask);
	bool was = blocked, in = set && sigismember(set, SIGSYS) == 1;
	sigset_t mine;
	long r;

	if (set) {
		mine = *set;
		sigdelset(&mine, SIGSYS);
		set = &mine;
	}
	r = f ? f(how, set, old) : -rd_raw(SYS_rt_sigprocmask, how, (long)set, (long)old, 8, 0, 0);
	if (r)
		return (int)r;
	if (old && was)
		sigaddset(old, SIGSYS);
	if (set)
		changed(how, in);
	return 0;
}

RD_DOOR_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return change(how, set, old);
}

RD_DOOR_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int r = change(how, set, old);

	if (r)
		errno = r;
	return r ? -1 : 0;
}

/* libc's syscall(SYS_rt_sigprocmask): masks of 8 bytes. Ours are read and written in the same way, as far as that goes. */
long rd_door_sigprocmask(int how, const uint64_t *set, uint64_t *old, size_t size)
{
	const uint64_t own = (uint64_t)1 << (SIGSYS - 1);
	bool was = blocked, in = false;
	uint64_t mine;
	long r;

	if (set && size == sizeof(*set)) {
		/* an operation that there is not only reads the set */
		r = rd_raw(SYS_rt_sigprocmask, 99, (long)set, 0, 8, 0, 0);
		if (r == -EFAULT)
			return r;
		in = *set & own;
		mine = *set & ~own;
		set = &mine;
	}
	r = rd_raw(SYS_rt_sigprocmask, how, (long)set, (long)old, (long)size, 0, 0);
	if (r)
		return r;
	if (old && was)
		*old |= own;
	if (set)
		changed(how, in);
	return 0;
}

/* --- waiting with a mask --- */

static const sigset_t *without(const sigset_t *mask, sigset_t *mine)
{
	if (!mask)
		return NULL;
	*mine = *mask;
	sigdelset(mine, SIGSYS);
	return mine;
}

const sigset_t *rd_next_mask(const sigset_t *mask, sigset_t *mine)
{
	return without(mask, mine);
}

RD_DOOR_EXPORT int sigsuspend(const sigset_t *mask)
{
	__typeof__(&sigsuspend) f = RD_NEXT(sigsuspend);
	sigset_t mine;

	mask = without(mask, &mine);
	return f ? f(mask) : (int)rd_raw_errno(rd_raw(SYS_rt_sigsuspend, (long)mask, 8, 0, 0, 0, 0));
}

/* --- waiting for signals --- */

static bool take_kept(const sigset_t *set)
{
	return atomic_load_explicit(&kept, memory_order_relaxed) && sigismember(set, SIGSYS) == 1 && atomic_exchange(&kept, false);
}

static int took(siginfo_t *info)
{
	if (info)
		*info = (siginfo_t){ .si_signo = SIGSYS, .si_code = SI_USER };
	return SIGSYS;
}

RD_DOOR_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	__typeof__(&sigtimedwait) f = RD_NEXT(sigtimedwait);

	if (take_kept(set))
		return took(info);
	return f ? f(set, info, timeout) :
		   (int)rd_raw_errno(rd_raw(SYS_rt_sigtimedwait, (long)set, (long)info, (long)timeout, 8, 0, 0));
}

RD_DOOR_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info)
{
	__typeof__(&sigwaitinfo) f = RD_NEXT(sigwaitinfo);

	if (take_kept(set))
		return took(info);
	return f ? f(set, info) : (int)rd_raw_errno(rd_raw(SYS_rt_sigtimedwait, (long)set, (long)info, 0, 8, 0, 0));
}

RD_DOOR_EXPORT int sigwait(const sigset_t *set, int *sig)
{
	__typeof__(&sigwait) f = RD_NEXT(sigwait);
	long r;

	if (take_kept(set)) {
		*sig = SIGSYS;
		return 0;
	}
	if (f)
		return f(set, sig);
	r = rd_raw(SYS_rt_sigtimedwait, (long)set, 0, 0, 8, 0, 0);
	if (r < 0)
		return (int)-r;
	*sig = (int)r;
	return 0;
}

RD_DOOR_EXPORT int sigpending(sigset_t *set)
{
	__typeof__(&sigpending) f = RD_NEXT(sigpending);
	int r = f ? f(set) : (int)rd_raw_errno(rd_raw(SYS_rt_sigpending, (long)set, 8, 0, 0, 0, 0));

	if (r == 0 && blocked && atomic_load(&kept))
		sigaddset(set, SIGSYS);
	return r;
}

/* --- the older ones --- */

static int old_style(int how, int mask)
{
	sigset_t set, old;

	sigemptyset(&set);
	for (int sig = 1; sig <= 32; sig++)
		if ((unsigned int)mask >> (sig - 1) & 1)
			sigaddset(&set, sig);
	if (change(how, &set, &old))
		return -1;
	mask = 0;
	for (int sig = 1; sig <= 32; sig++)
		if (sigismember(&old, sig) == 1)
			mask |= (int)(1u << (sig - 1));
	return mask;
}

RD_DOOR_EXPORT int sigblock(int mask)
{
	return old_style(SIG_BLOCK, mask);
}

RD_DOOR_EXPORT int sigsetmask(int mask)
{
	return old_style(SIG_SETMASK, mask);
}

static int one(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	return sigaddset(&set, sig) < 0 ? -1 : sigprocmask(how, &set, NULL);
}

RD_DOOR_EXPORT int sighold(int sig)
{
	return one(SIG_BLOCK, sig);
}

RD_DOOR_EXPORT int sigrelse(int sig)
{
	return one(SIG_UNBLOCK, sig);
}

/* --- threads inherit what their maker believes --- */

struct start {
	void *(*run)(void *arg);
	void *arg;
};

static void *start_blocked(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	blocked = true;
	return s.run(s.arg);
}

RD_DOOR_EXPORT int pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	__typeof__(&pthread_create) f = RD_NEXT(pthread_create);
	struct start *s;
	int r;

	if (!f)
		return EAGAIN;
	if (!blocked)
		return f(t, attr, run, arg);
	s = malloc(sizeof(*s));
	if (!s)
		return EAGAIN;
	*s = (struct start){ run, arg };
	r = f(t, attr, start_blocked, s);
	if (r)
		free(s);
	return r;
}

#if __GLIBC_PREREQ(2, 32)
RD_DOOR_EXPORT int pthread_attr_setsigmask_np(pthread_attr_t *attr, const sigset_t *mask)
{
	__typeof__(&pthread_attr_setsigmask_np) f = RD_NEXT(pthread_attr_setsigmask_np);
	sigset_t mine;

	return f ? f(attr, without(mask, &mine)) : ENOMEM;
}
#endif
