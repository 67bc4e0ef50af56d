/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Child processes: what they must not outlive, when they are ready, what CPU time and memory they use. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "proc.h"

pid_t bench_spawn(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid < 0 ? -errno : pid;
}

int bench_await_ready(int fd, unsigned int n)
{
	char buf[64];

	while (n) {
		ssize_t got = read(fd, buf, RD_MIN(n, sizeof(buf)));

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			return -ECHILD;
		if (got > 0)
			n -= (unsigned int)got;
	}
	return 0;
}

bool bench_sleep(double seconds, const sigset_t *child)
{
	uint64_t end = rd_now_ns() + (uint64_t)(seconds * 1e9), now;

	while ((now = rd_now_ns()) < end) {
		struct timespec ts = { (time_t)((end - now) / 1000000000), (long)((end - now) % 1000000000) };

		if (sigtimedwait(child, NULL, &ts) >= 0)
			return false;
	}
	return true;
}

void bench_block_sigchld(sigset_t *child)
{
	sigemptyset(child);
	sigaddset(child, SIGCHLD);
	sigprocmask(SIG_BLOCK, child, NULL);
}

void bench_raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}

uint64_t bench_cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t id;

	if (pid <= 0 || clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t bench_memory(pid_t pid)
{
	unsigned long long kb = 0;
	char path[64], line[256];
	FILE *f;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && sscanf(line, "RssAnon: %llu", &kb) != 1)
		;
	fclose(f);
	return kb * 1024;
}
