/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything at once: threads whose requests are verified to the byte, on rings of their own and on one that all of them use,
 * while signals rain on them, other threads are born, end and are cancelled, and children are forked, which exit, exec, close
 * everything, or use rings. So many rounds, however long they take. At the end each SQE has had its CQE, and nothing of ours is
 * left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "storm_round.h"
#include "sanitized.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif

#ifdef SANITIZED
#define ROUNDS		600
#define CHILDREN	100
#define SHORT_LIVED	150
#define KINDS		3	/* their allocators may be locked by a thread that a child has not got */
#else
#define ROUNDS		3000
#define CHILDREN	600
#define SHORT_LIVED	1000
#define KINDS		6
#endif
#define OWNERS		3	/* threads with rings of their own */
#define SHARERS		3	/* threads that share one */
#define WORKERS		(OWNERS + SHARERS)
#define LAST		(~0ull)

static _Atomic unsigned long handled, ended;
static int never;		/* an eventfd nobody writes */

/* --- rings of one thread --- */

static const unsigned int ring_flags[] = {
	0, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN, RINGD_SETUP_COOP_TASKRUN, RINGD_SETUP_CLAMP,
};

static void wait_for_cqe(struct lring *r)
{
	int n = lr_enter(r, 0, 1);

	SURE(n == 0 || n == -EINTR);
}

static void own_round(struct lring *r, struct round *w, unsigned int who, unsigned int n)
{
	struct ringd_cqe cqe;

	round_sqes(r, w, who, n);
	SURE(lr_enter(r, PARTS, n % 2 ? PARTS : 0) == PARTS);
	while (w->left && !wrong_line) {
		if (lr_pop(r, &cqe))
			round_cqe(&cqe);
		else
			wait_for_cqe(r);
	}
	SURE(!lr_ready(r));
	round_verify(w);
}

/* The ring goes on under another number. */
static void renumber(struct lring *r)
{
	int fd = dup(r->fd);

	SURE(fd >= 0);
	SURE(close(r->fd) == 0);
	r->fd = fd;
}

static void ring_close(struct lring *r)
{
	/* first: the lock it takes shows ThreadSanitizer that who is given this memory next comes after us */
	SURE(close(r->fd) == 0);
	munmap(r->rings, r->rings_len);
	munmap(r->sqes, r->sqes_len);
}

static void *owner(void *arg)
{
	unsigned int who = (unsigned int)(uintptr_t)arg;
	struct round *w = calloc(1, sizeof(*w));
	struct lring r;

	round_init(w);
	for (unsigned int n = 0; n < ROUNDS && !wrong_line; n++) {
		if (n % 8 == 0)
			lr_open_flags(&r, 16, ring_flags[n / 8 % 4]);
		own_round(&r, w, who, n);
		if (n % 8 == 5)
			renumber(&r);
		if (n % 8 == 7 || n == ROUNDS - 1)
			ring_close(&r);
	}
	round_fini(w);
	free(w);
	ended++;
	return NULL;
}

/* --- the ring of many --- */

static pthread_mutex_t sq_lock = PTHREAD_MUTEX_INITIALIZER, done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static struct lring shared;

static void *sharer(void *arg)
{
	unsigned int who = (unsigned int)(uintptr_t)arg;
	struct round *w = calloc(1, sizeof(*w));

	round_init(w);
	for (unsigned int n = 0; n < ROUNDS && !wrong_line; n++) {
		pthread_mutex_lock(&sq_lock);
		round_sqes(&shared, w, who, n);
		SURE(lr_enter(&shared, PARTS, 0) == PARTS);
		pthread_mutex_unlock(&sq_lock);
		pthread_mutex_lock(&done_lock);
		while (w->left && !wrong_line)
			pthread_cond_wait(&done, &done_lock);
		pthread_mutex_unlock(&done_lock);
		round_verify(w);
	}
	round_fini(w);
	free(w);
	ended++;
	return NULL;
}

static void *reaper(void *arg)
{
	struct ringd_cqe cqe;

	(void)arg;
	for (;;) {
		if (!lr_pop(&shared, &cqe)) {
			wait_for_cqe(&shared);
			continue;
		}
		if (cqe.user_data == LAST)
			break;
		pthread_mutex_lock(&done_lock);
		round_cqe(&cqe);
		pthread_cond_broadcast(&done);
		pthread_mutex_unlock(&done_lock);
	}
	return NULL;
}

static void reaper_stop(pthread_t t)
{
	lr_sqe(&shared, RINGD_OP_NOP, -1, NULL, 0, LAST);
	SURE(lr_enter(&shared, 1, 0) == 1);
	pthread_join(t, NULL);
	SURE(!lr_ready(&shared));
}

/* --- threads that come and go --- */

static _Atomic unsigned int turns;

static void *nops_for_ever(void *arg)
{
	struct ringd_cqe cqe;

	for (uint64_t i = 0;; i++) {
		lr_sqe(arg, RINGD_OP_NOP, -1, NULL, 0, i);
		SURE(lr_enter(arg, 1, 1) == 1);
		while (!lr_pop(arg, &cqe))
			wait_for_cqe(arg);
		SURE(cqe.user_data == i);
		turns++;
		pthread_testcancel();
	}
	return NULL;
}

/* It goes and leaves a ring with a request that nothing will ever end. */
static void *leaves_a_request(void *arg)
{
	struct lring *r = arg;

	lr_open(r, 4);
	lr_sqe(r, RINGD_OP_POLL_ADD, never, NULL, 0, 1)->poll32_events = 1;
	SURE(lr_enter(r, 1, 0) == 1);
	return NULL;
}

static void *spawner(void *arg)
{
	struct lring r;
	pthread_t t;

	(void)arg;
	for (unsigned int i = 0; i < SHORT_LIVED && !wrong_line; i++) {
		bool cancelled = i % 2;

		turns = 0;
		if (cancelled)
			lr_open(&r, 4);
		SURE(pthread_create(&t, NULL, cancelled ? nops_for_ever : leaves_a_request, &r) == 0);
		while (cancelled && turns < 10)
			sched_yield();
		if (cancelled)
			pthread_cancel(t);
		pthread_join(t, NULL);
		ring_close(&r);
	}
	return NULL;
}

/* --- children --- */

static struct lring family;

static int child_round(void)
{
	static struct round w;
	struct lring r;

	round_init(&w);
	lr_open(&r, 8);
	own_round(&r, &w, WORKERS, 3);
	ring_close(&r);
	round_fini(&w);
	return wrong_line ? 1 : 0;
}

static int child_family(unsigned int i)
{
	lr_sqe(&family, RINGD_OP_NOP, -1, NULL, 0, i);
	return lr_enter(&family, 1, 0) == 1 ? 0 : 1;
}

/* But for what was open before there were rings. */
static int child_closes_all(unsigned int i)
{
	if (i % 2)
		closefrom(file + 1);
	else if (close_range((unsigned int)file + 1, ~0u, 0) < 0)
		return 1;
	return child_round();
}

static __attribute__((__noreturn__)) void child(unsigned int i)
{
	alarm(1200);
	switch (i % KINDS) {
	case 1:
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	case 3:
		_exit(child_round());
	case 4:
		_exit(child_family(i));
	case 5:
		_exit(child_closes_all(i));
	}
	_exit(0);
}

static pid_t spawn(void)
{
	char name[] = "true", *argv[] = { name, NULL }, *env[] = { NULL };
	pid_t pid = -1;

	SURE(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env) == 0);
	return pid;
}

static void *forker(void *arg)
{
	struct ringd_cqe cqe = { 0 };
	int status;
	pid_t pid;

	(void)arg;
	for (unsigned int i = 0; i < CHILDREN && !wrong_line; i++) {
		pid = i % KINDS == 2 ? spawn() : fork();
		if (pid == 0)
			child(i);
		SURE(waitpid(pid, &status, 0) == pid);
		SURE(status == 0);
		if (i % KINDS != 4)
			continue;
		while (!lr_pop(&family, &cqe) && !wrong_line)
			wait_for_cqe(&family);
		SURE(cqe.user_data == i);
	}
	return NULL;
}

/* --- signals --- */

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

/* Until all have ended, who are joined only then. Slower than they are, so that they get on. */
static void rain(const pthread_t *workers)
{
	const struct timespec drop = { .tv_nsec = 200000 };

	for (unsigned int i = 0; ended < WORKERS && !wrong_line; i++) {
		pthread_kill(workers[i % WORKERS], i / WORKERS % 2 ? SIGUSR1 : SIGUSR2);
		nanosleep(&drop, NULL);
	}
}

/* --- what is left --- */

static unsigned int count_in(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static unsigned int mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int n = 0;
	char line[512];

	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:") != NULL;
	fclose(f);
	return n;
}

static void *nothing(void *arg)
{
	return arg;
}

static void storm(void)
{
	pthread_t workers[WORKERS], reaps, spawns, forks;

	lr_open(&shared, 64);
	lr_open(&family, 8);
	SURE(pthread_create(&reaps, NULL, reaper, NULL) == 0);
	for (uintptr_t i = 0; i < WORKERS; i++)
		SURE(pthread_create(&workers[i], NULL, i < OWNERS ? owner : sharer, (void *)i) == 0);
	SURE(pthread_create(&spawns, NULL, spawner, NULL) == 0);
	SURE(pthread_create(&forks, NULL, forker, NULL) == 0);
	rain(workers);
	if (wrong_line)
		return;		/* threads and all: the process ends */
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	pthread_join(spawns, NULL);
	pthread_join(forks, NULL);
	reaper_stop(reaps);
	ring_close(&family);
	ring_close(&shared);
}

static void storm_loses_nothing_and_leaves_nothing(void)
{
	char name[] = "/tmp/ringd-storm-XXXXXX";
	unsigned int fds, threads;
	pthread_t t;

	/* a sanitizer may have a thread of its own, from the first one on */
	SURE(pthread_create(&t, NULL, nothing, NULL) == 0);
	pthread_join(t, NULL);
	file = mkostemp(name, O_CLOEXEC);
	never = eventfd(0, EFD_CLOEXEC);
	SURE(file >= 0 && never >= 0);
	unlink(name);
	fds = count_in("/proc/self/fd");
	threads = count_in("/proc/self/task");
	handle(SIGUSR1, 0);
	handle(SIGUSR2, SA_RESTART);
	storm();
	SURE(submitted == completed);
	SURE(submitted == (unsigned long)WORKERS * ROUNDS * PARTS);
	SURE(handled > 0);
	SURE(rd_local_rings == 0);
	/* a thread that has been joined may be seen for a moment, and a ring that goes by itself takes its thread along */
	while (count_in("/proc/self/task") != threads && !wrong_line)
		sched_yield();
	SURE(count_in("/proc/self/fd") == fds);
	SURE(mappings() == 0);
}

int main(void)
{
	alarm(1200);		/* nothing but a lost wake-up takes so long */
	puts("1..1");
	fflush(stdout);
	storm_loses_nothing_and_leaves_nothing();
	printf("%s 1 - storm_loses_nothing_and_leaves_nothing", wrong_line ? "not ok" : "ok");
	if (wrong_line)
		printf(": line %d", wrong_line);
	putchar('\n');
	return wrong_line ? EXIT_FAILURE : EXIT_SUCCESS;
}
