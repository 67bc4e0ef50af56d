/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who refuses io_uring. The three system calls are tried, and the answers tell: the sysctl and security modules look at
 * io_uring_setup() only, so io_uring_enter() without a ring is EBADF from the kernel and anything else from a seccomp filter.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "daemon/common/util.h"
#include "proto/abi.h"
#include "run.h"

#define CAP_ADMIN	21	/* CAP_SYS_ADMIN */

/* --- the calls --- */

struct answers {
	int setup, enter;
	bool served;
};

static bool is_uring(int fd)
{
	char name[64] = "", path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name) - 1) > 0 && strstr(name, "io_uring");
}

static void try_calls(int out)
{
	struct ringd_params params = { 0 };
	struct answers a = { 0 };
	long fd;

	a.enter = syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0) < 0 ? errno : 0;
	fd = syscall(SYS_io_uring_setup, 1, &params);
	a.setup = fd < 0 ? errno : 0;
	a.served = fd >= 0 && !is_uring((int)fd);
	(void)!write(out, &a, sizeof(a));
}

/* In a process of its own: a filter may kill whoever makes such a call. */
static void ask_calls(struct run_kernel *k)
{
	struct answers a = { .setup = EIO, .enter = EIO };
	int fds[2];
	pid_t pid;

	k->setup = k->enter = EIO;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);	/* no core */
		try_calls(fds[1]);
		_exit(0);
	}
	rd_close(fds[1]);
	k->killed = pid > 0 && read(fds[0], &a, sizeof(a)) != sizeof(a);
	rd_close(fds[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	k->setup = a.setup;
	k->enter = a.enter;
	k->served = a.served;
}

/* What the trap does, with a filter that lets everything pass. */
static bool try_filter(void)
{
	struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog prog = { .len = 1, .filter = allow };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* --- what /proc says --- */

static bool read_text(const char *path, char *buf, size_t size)
{
	RD_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return false;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = 0;
	return true;
}

static long long read_number(const char *path)
{
	char text[32];

	return read_text(path, text, sizeof(text)) ? strtoll(text, NULL, 10) : -1;
}

static void ask_status(struct run_kernel *k)
{
	char text[8192], map[256];
	const char *line;
	unsigned long long from, to, n;

	k->seccomp = -1;
	if (!read_text("/proc/self/status", text, sizeof(text)))
		return;
	line = strstr(text, "\nSeccomp:");
	if (line)
		k->seccomp = (int)strtol(line + strlen("\nSeccomp:"), NULL, 10);
	line = strstr(text, "\nCapEff:");
	/* the capability counts in the first user namespace only */
	k->admin = line && (strtoull(line + strlen("\nCapEff:"), NULL, 16) >> CAP_ADMIN & 1) &&
		   read_text("/proc/self/uid_map", map, sizeof(map)) && sscanf(map, "%llu %llu %llu", &from, &to, &n) == 3 &&
		   n == UINT32_MAX;
}

static void ask_group(struct run_kernel *k)
{
	gid_t groups[1024];
	int n = getgroups(RD_ARRAY_SIZE(groups), groups);

	k->group = read_number("/proc/sys/kernel/io_uring_group");
	k->in_group = k->group >= 0 && (long long)getegid() == k->group;
	for (int i = 0; i < n; i++)
		k->in_group |= k->group >= 0 && (long long)groups[i] == k->group;
}

/* The names are there for everybody, only the addresses are not. */
static bool kernel_has_name(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	RD_FREE char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (f && !found && getline(&line, &size, f) > 0)
		found = strstr(line, name);
	if (f)
		fclose(f);
	return found;
}

static void ask_release(struct run_kernel *k)
{
	unsigned int major = 0, minor = 0;
	struct utsname uts;

	if (uname(&uts) < 0)
		return;
	snprintf(k->release, sizeof(k->release), "%.64s", uts.release);
	if (sscanf(k->release, "%u.%u", &major, &minor) == 2)
		k->counts_memlock = major < 5 || (major == 5 && minor < 12);
}

void run_kernel_ask(struct run_kernel *k)
{
	struct rlimit lim;

	*k = (struct run_kernel){ 0 };
	ask_calls(k);
	ask_status(k);
	ask_release(k);
	k->disabled = (int)read_number("/proc/sys/kernel/io_uring_disabled");
	ask_group(k);
	k->memlock = getrlimit(RLIMIT_MEMLOCK, &lim) == 0 ? lim.rlim_cur : 0;
	k->can_filter = try_filter();
	k->known_call = k->disabled >= 0 || (k->enter != ENOSYS && !k->killed);
	if (k->enter == ENOSYS && !k->known_call)
		k->known_call = kernel_has_name("sys_io_uring_setup");
	if (!read_text("/sys/kernel/security/lsm", k->lsm, sizeof(k->lsm)))
		*k->lsm = 0;
}

static bool sysctl_refuses(const struct run_kernel *k)
{
	return k->disabled == 2 || (k->disabled == 1 && !k->admin && !k->in_group);
}

enum run_layer run_kernel_layer(const struct run_kernel *k)
{
	if (k->served)
		return RUN_SERVED;
	if (k->killed)
		return RUN_SECCOMP;
	if (k->enter == ENOSYS && k->setup == ENOSYS && !(k->known_call && k->seccomp == 2))
		return k->seccomp == 2 ? RUN_UNKNOWN : RUN_KERNEL;
	if (k->setup == 0 && k->enter == EBADF)
		return RUN_ALLOWED;
	if ((k->enter != EBADF && k->seccomp != 0) || k->setup == ENOSYS)
		return RUN_SECCOMP;
	if ((k->setup == EPERM || k->setup == EACCES) && sysctl_refuses(k))
		return RUN_SYSCTL;
	if (k->setup == ENOMEM)
		return RUN_MEMLOCK;
	/* of a filter that refuses nothing but this one call one cannot know */
	if (k->setup == EPERM || k->setup == EACCES)
		return k->seccomp > 0 ? RUN_UNKNOWN : RUN_LSM;
	return RUN_UNKNOWN;
}
