/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads, processes and time for conformance tests; nothing here sleeps for a fixed time. */
#include "cf.h"

#include <sys/syscall.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"

struct cf_thread {
	pthread_t id;
	pid_t tid;		/* 0 until it runs */
	int (*fn)(void *arg);
	void *arg;
	int result;
	bool ended;
};

uint64_t cf_now_ns(void)
{
	return rd_now_ns();
}

static void *thread_main(void *arg)
{
	struct cf_thread *t = arg;

	__atomic_store_n(&t->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	t->result = t->fn(t->arg);
	__atomic_store_n(&t->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

struct cf_thread *cf_thread(int (*fn)(void *arg), void *arg)
{
	struct cf_thread *t = calloc(1, sizeof(*t));

	ck_assert_ptr_nonnull(t);
	t->fn = fn;
	t->arg = arg;
	ck_assert_int_eq(pthread_create(&t->id, NULL, thread_main, t), 0);
	return t;
}

int cf_thread_join(struct cf_thread *t)
{
	int r;

	pthread_join(t->id, NULL);
	r = t->result;
	free(t);
	return r;
}

int cf_thread_interrupt(struct cf_thread *t, int sig)
{
	cf_thread_wait_asleep(t);
	while (!__atomic_load_n(&t->ended, __ATOMIC_ACQUIRE)) {
		pthread_kill(t->id, sig);
		poll(NULL, 0, 5);	/* one that came before the wait is lost */
	}
	return cf_thread_join(t);
}

int cf_in_thread(int (*fn)(void *arg), void *arg)
{
	return cf_thread_join(cf_thread(fn, arg));
}

/* State letter of /proc/self/task/TID/stat */
static char state_of(pid_t tid)
{
	char path[64], text[512];
	const char *p = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (f && fgets(text, sizeof(text), f))
		p = strrchr(text, ')');
	if (f)
		fclose(f);
	return p && p[1] ? p[2] : '?';
}

void cf_thread_wait_asleep(struct cf_thread *t)
{
	uint64_t start = rd_now_ns();
	pid_t tid;

	for (;;) {
		tid = __atomic_load_n(&t->tid, __ATOMIC_ACQUIRE);
		if (__atomic_load_n(&t->ended, __ATOMIC_ACQUIRE) || (tid && state_of(tid) == 'S'))
			return;
		ck_assert_msg(rd_now_ns() - start < CF_PATIENCE_MS * 1000000ull, "the thread does not go to sleep");
		poll(NULL, 0, 1);	/* no event tells when another thread sleeps */
	}
}

pid_t cf_fork(void)
{
	pid_t pid;

#if defined(CF_IN_PROCESS) && defined(__SANITIZE_THREAD__)
	cf_skip("ThreadSanitizer takes threads of a forked child for those that the parent has at the same addresses, and gives up");
#endif
	pid = fork();
	ck_assert_int_ge(pid, 0);
	return pid;
}

void cf_child_end(int status)
{
	_exit(status);
}

int cf_child_wait(pid_t pid)
{
	int status = 0;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void cf_wait_fd(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	ck_assert_msg(poll(&p, 1, CF_PATIENCE_MS) == 1, "descriptor %d does not get events %#x", fd, events);
}

bool cf_fd_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1;
}
