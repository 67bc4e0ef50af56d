/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 32

void (*daemon_before_exec)(const struct daemon *d);

static const char *need_env(const char *name)
{
	const char *v = getenv(name);

	if (!v)
		ck_abort_msg("%s is not set: run me by make check", name);
	return v;
}

/* Puts mode where the test engine finds it: environments do not get through to engines, argv[0] does. */
static void write_engine(const struct daemon *d, const char *mode)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/engine", d->dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/bash\nexec -a fake:%s '%s/tests/integration/fakeengine' \"$@\"\n", mode,
		need_env("abs_top_builddir"));
	fclose(f);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

static void exec_ringd(const struct daemon *d, int ready, int err, char *const *args) __attribute__((__noreturn__));
static void exec_ringd(const struct daemon *d, int ready, int err, char *const *args)
{
	char rt[96], engine[96], fd[16];
	char *argv[MAX_ARGS] = { (char *)"ringd", (char *)"--runtime-dir", rt, (char *)"--engine", engine, (char *)"--ready-fd", fd };
	int n = 7;

	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* a failed assertion ends the test process at once */
	snprintf(rt, sizeof(rt), "%s/rt", d->dir);
	snprintf(engine, sizeof(engine), "%s/engine", d->dir);
	snprintf(fd, sizeof(fd), "%d", ready);
	while (args && *args && n < MAX_ARGS - 1)
		argv[n++] = *args++;
	dup2(err, STDERR_FILENO);
	if (daemon_before_exec)
		daemon_before_exec(d);
	execv(need_env("RINGD"), argv);
	_exit(127);
}

static void wait_ready(struct daemon *d, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char c = 0, why[1024] = "";

	ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
	if (read(fd, &c, 1) != 1) {
		int status = daemon_wait(d);

		(void)!read(d->err, why, sizeof(why) - 1);
		ck_abort_msg("ringd did not start, status %d: %s", status, why);
	}
	ck_assert_int_eq(c, '\n');
	ck_assert_int_eq(read(fd, &c, 1), 0);	/* and it closes it */
}

void daemon_restart(struct daemon *d, const char *mode, char *const *args)
{
	int ready[2], err[2];

	write_engine(d, mode);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC | O_NONBLOCK), 0);
	d->pid = fork();
	ck_assert_int_ge(d->pid, 0);
	if (d->pid == 0) {
		fcntl(ready[1], F_SETFD, 0);
		exec_ringd(d, ready[1], err[1], args);
	}
	close(ready[1]);
	close(err[1]);
	d->err = err[0];
	d->pidfd = pidfd_open(d->pid, 0);
	ck_assert_int_ge(d->pidfd, 0);
	wait_ready(d, ready[0]);
	close(ready[0]);
}

void daemon_start(struct daemon *d, const char *mode, char *const *args)
{
	strcpy(d->dir, "/tmp/ringd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->dir));
	ck_assert_int_eq(chmod(d->dir, 0755), 0);
	snprintf(d->socket, sizeof(d->socket), "%s/rt/" RINGD_SOCKET_NAME, d->dir);
	daemon_restart(d, mode, args);
}

int daemon_wait(struct daemon *d)
{
	int status;

	if (!ended(d->pidfd))
		return -1;
	if (waitpid(d->pid, &status, 0) != d->pid)
		return -1;
	close(d->pidfd);
	d->pidfd = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int daemon_stop(struct daemon *d)
{
	int r = 0;

	if (d->pidfd >= 0) {
		kill(d->pid, SIGTERM);
		r = daemon_wait(d);
	}
	close(d->err);
	nftw(d->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return r;
}

bool ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, DEADLINE_MS) == 1;
}

int watch_pid(pid_t pid)
{
	int fd = pidfd_open(pid, 0);

	ck_assert_msg(fd >= 0, "no process %d", pid);
	return fd;
}

int count_fds(pid_t pid)
{
	struct dirent *e;
	char path[32];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

int run_ringd(char *const *args, const char *env, char *text, size_t size)
{
	char *envp[] = { (char *)env, NULL };
	int p[2], status;
	ssize_t n;
	size_t len = 0;
	pid_t pid;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		execve(need_env("RINGD"), args, envp);
		_exit(127);
	}
	close(p[1]);
	while (len < size - 1 && (n = read(p[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(p[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int client_connect(const struct daemon *d)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	strcpy(sa.sun_path, d->socket);
	ck_assert_msg(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0, "connect: %s", strerror(errno));
	return fd;
}

ssize_t client_recv(int fd, void *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, DEADLINE_MS) != 1)
		return -ETIME;
	n = recv(fd, buf, size, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int client_hello(int fd, uint32_t kind, uint32_t seq)
{
	const struct ringd_hello h = {
		.msg = { .size = sizeof(h), .type = RINGD_MSG_HELLO, .seq = seq },
		.magic = RINGD_WIRE_MAGIC, .version_min = RINGD_WIRE_VERSION, .version_max = RINGD_WIRE_VERSION, .kind = kind,
	};

	return send(fd, &h, sizeof(h), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int client_open(const struct daemon *d, int *fd, struct ringd_welcome *w, struct ringd_error *e)
{
	union {
		struct ringd_msg msg;
		struct ringd_welcome w;
		struct ringd_error e;
	} u;
	int s = client_connect(d);
	ssize_t n;
	int r;

	r = client_hello(s, RINGD_HELLO_CLIENT, 99);
	n = client_recv(s, &u, sizeof(u));
	if (n > 0 && u.msg.res >= 0) {
		ck_assert_int_eq(n, sizeof(u.w));
		ck_assert_uint_eq(u.msg.seq, 99);
		*w = u.w;
		*fd = s;
		return 0;
	}
	if (n > 0) {
		ck_assert_int_eq(n, sizeof(u.e));
		r = u.msg.res;
		if (e)
			*e = u.e;
	}
	close(s);
	return r < 0 ? r : n < 0 ? (int)n : -ECONNRESET;
}

int client_open_patiently(const struct daemon *d, int *fd, struct ringd_welcome *w)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < DEADLINE_MS / 10; i++) {
		r = client_open(d, fd, w, NULL);
		if (r == -EAGAIN)
			poll(NULL, 0, 10);	/* there is no event to wait for: it was told to try again later */
	}
	return r;
}

int client_status(const struct daemon *d, struct ringd_status *s, int max)
{
	int fd = client_connect(d), n;

	ck_assert_int_eq(client_hello(fd, RINGD_HELLO_STATUS, 5), 0);
	for (n = 0; n < max; n++) {
		ck_assert_int_eq(client_recv(fd, &s[n], sizeof(s[n])), sizeof(s[n]));
		ck_assert_uint_eq(s[n].msg.size, sizeof(s[n]));
		ck_assert_uint_eq(s[n].msg.type, RINGD_MSG_STATUS);
		ck_assert_uint_eq(s[n].msg.seq, 5);
		if (s[n].engine_pid == 0)
			break;
	}
	ck_assert_int_lt(n, max);
	close(fd);
	return n;
}
