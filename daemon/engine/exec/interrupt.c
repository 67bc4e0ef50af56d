/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Getting work back that sleeps in the kernel (the open of a FIFO, a terminal) and that nobody wants any more. The thread
 * gets a signal whose handler does nothing; but the signal may arrive before the system call, so it is sent again, less and
 * less often, until the work has come back. What ignores signals (a hung NFS server) is left alone by that.
 */
#include "daemon/common/util.h"
#include "pool.h"
#include "reactor.h"

#define RD_AGAIN_MS	1
#define RD_AGAIN_MAX_MS	1000

static void on_signal(int sig)
{
	(void)sig;	/* that it came is all: a system call ends with EINTR */
}

static bool handled_by(int sig, void (*handler)(int))
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) == 0 && !(sa.sa_flags & SA_SIGINFO) && sa.sa_handler == handler;
}

static void set_handler(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };	/* not SA_RESTART */

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

/*
 * One that a program we live in has no use for: nothing is to be done when it comes, and this thread does not block it to wait for
 * it. 0: there is none, and nobody is interrupted.
 */
static int find_signal(void)
{
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int sig = SIGRTMAX; sig > SIGRTMIN; sig--) {
		if (handled_by(sig, SIG_DFL) && !sigismember(&blocked, sig))
			return sig;
	}
	return 0;
}

/* The action belongs to the process: it is left alone when somebody has a use of his own for the signal. */
void rd_interrupt_prepare(struct rd_workers *w)
{
	if (w->signal)
		return;
	w->signal = w->guest ? find_signal() : RD_WORKER_SIGNAL;
	if (w->signal && handled_by(w->signal, SIG_DFL))
		set_handler(w->signal, on_signal);
}

void rd_interrupt_deinit(struct rd_workers *w)
{
	if (w->guest && w->signal && handled_by(w->signal, on_signal))
		set_handler(w->signal, SIG_DFL);
}

/* Under the lock, so the thread cannot have ended. */
static bool worker_interrupt(struct rd_worker *t)
{
	struct rd_workers *w = t->pool;

	if (!t->running || !t->running->unwanted)
		return false;
	/* a program may have come to use it since */
	if (w->guest && (!w->signal || !handled_by(w->signal, on_signal)))
		return false;
	t->interrupted = true;
	pthread_kill(t->thread, w->signal);
	return true;
}

static void again_after(struct rd_workers *w, unsigned int ms)
{
	struct rd_timers *ts = &w->reactor->timers;

	w->again_ms = ms;
	rd_timer_disarm(ts, &w->again);
	rd_timer_arm(ts, &w->again, RD_TIMER_MONOTONIC, rd_timer_now(RD_TIMER_MONOTONIC) + (uint64_t)ms * 1000000u);
}

static void on_again(struct rd_timer *timer)
{
	struct rd_workers *w = RD_CONTAINER_OF(timer, struct rd_workers, again);
	struct rd_link *l, *tmp;
	bool any = false;

	pthread_mutex_lock(&w->lock);
	rd_list_foreach(l, tmp, &w->all)
		any |= worker_interrupt(rd_list_entry(l, struct rd_worker, all));
	pthread_mutex_unlock(&w->lock);
	if (any)
		again_after(w, RD_MIN(w->again_ms * 2, RD_AGAIN_MAX_MS));
}

void rd_interrupt_init(struct rd_workers *w)
{
	w->again.fire = on_again;
}

void rd_workers_interrupt(struct rd_workers *w, struct rd_work *work)
{
	bool runs;

	pthread_mutex_lock(&w->lock);
	runs = work->state == RD_WORK_RUNNING;
	work->unwanted = work->state != RD_WORK_QUEUED;	/* also of what is on its way back, and would be sent on */
	pthread_mutex_unlock(&w->lock);
	/* the first signal comes from the timer, too: one walk over the threads for all the work of a ring that ends */
	if (runs && (!w->again.armed || w->again_ms > RD_AGAIN_MS))
		again_after(w, RD_AGAIN_MS);
}
