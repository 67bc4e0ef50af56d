/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No rings at all: two processes hand a number to each other through two cache lines. What a round trip between two
 * CPUs takes on this machine at this moment; no ring that somebody else polls can be faster at QD1.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/common/clock.h"
#include "daemon/common/util.h"

struct lines {
	uint32_t there __attribute__((__aligned__(128)));	/* client writes, partner reads */
	uint32_t back __attribute__((__aligned__(128)));	/* partner writes, client reads */
};

static void partner(struct lines *l)
{
	uint32_t seen = 0, now;

	for (;;) {
		now = __atomic_load_n(&l->there, __ATOMIC_ACQUIRE);
		if (now == seen) {
			rd_cpu_relax();
			continue;
		}
		seen = now;
		__atomic_store_n(&l->back, now, __ATOMIC_RELEASE);
	}
}

static uint64_t thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void client(struct lines *l, struct bench_shared *sh, struct bench_result *res)
{
	uint64_t t0 = 0, cpu0 = 0, ops = 0;
	uint32_t seen = BENCH_WARMUP, n = 0;

	for (;;) {
		uint32_t phase = __atomic_load_n(&sh->phase, __ATOMIC_RELAXED);

		if (RD_UNLIKELY(phase != seen)) {
			if (phase == BENCH_STOP)
				break;
			seen = phase;
			t0 = rd_now_ns();
			cpu0 = thread_ns();
			ops = 0;
		}
		__atomic_store_n(&l->there, ++n, __ATOMIC_RELEASE);
		while (__atomic_load_n(&l->back, __ATOMIC_ACQUIRE) != n) {
			rd_cpu_relax();
			if (__atomic_load_n(&sh->phase, __ATOMIC_RELAXED) == BENCH_STOP)
				break;
		}
		ops++;
	}
	res->ns = rd_now_ns() - t0;
	res->thread_ns = res->process_ns = thread_ns() - cpu0;
	res->ops = ops;
}

int bench_bare_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd)
{
	struct lines *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), pid;
	int r = 0;

	if (l == MAP_FAILED)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			partner(l);
		_exit(1);
	}
	res->service_pid = pid;
	if (write(ready_fd, "r", 1) == 1)
		client(l, sh, res);
	else
		r = -EIO;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(l, sizeof(*l));
	return r;
}
