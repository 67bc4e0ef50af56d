/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fork and exec of ringd-engine. The child gets the link, what it has to join, /dev/null and our stderr; everything
 * else is closed. It starts with our identity and takes on the tenant's after exec (daemon/common/identity.c), so
 * that no file of a container is involved in starting it. argv shows every setting to ps.
 */
#include "spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "daemon/common/identity.h"
#include "daemon/common/link.h"
#include "daemon/common/util.h"

#define FIXED_ARGS	16
#define N_FDS		5	/* link and four to join */

struct args {
	char *v[FIXED_ARGS + RD_OPTIONS_MAX];
	int n;
	int fds[N_FDS];		/* become RD_LINK_FD, RD_LINK_FD + 1, ... */
	int n_fds;
};

static void args_deinit(struct args *a)
{
	while (a->n > 0)
		free(a->v[--a->n]);
}

/* text is heap or NULL (out of memory) */
static int add(struct args *a, char *text)
{
	if (!text)
		return -ENOMEM;
	a->v[a->n++] = text;
	return 0;
}

static char *option(const char *name, const char *value)
{
	char *text;

	return asprintf(&text, "--%s=%s", name, value) < 0 ? NULL : text;
}

static int add_join(struct args *a, const char *name, int fd)
{
	char number[12];

	if (fd < 0)
		return 0;
	snprintf(number, sizeof(number), "%d", RD_LINK_FD + a->n_fds);
	a->fds[a->n_fds++] = fd;
	return add(a, option(name, number));
}

static int make_args(struct args *a, const struct rd_spawn *s)
{
	const struct rd_tenant_key *key = &s->peer->key;
	RD_FREE char *ids = NULL;
	int r;

	a->fds[a->n_fds++] = s->link;
	r = add(a, strdup("ringd-engine"));
	if (r == 0 && !s->cfg->user) {
		ids = rd_identity_format(key->uid, key->gid, key->groups, key->n_groups);
		r = ids ? add(a, option("identity", ids)) : -ENOMEM;
	}
	if (r == 0)
		r = add(a, option("runtime-dir", s->runtime_dir));
	if (r == 0)
		r = add_join(a, "join-user", s->peer->user_ns);
	if (r == 0)
		r = add_join(a, "join-mnt", s->peer->mnt_ns);
	if (r == 0)
		r = add_join(a, "join-net", s->peer->net_ns);
	if (r == 0)
		r = add_join(a, "join-root", s->peer->root);
	if (r == 0)
		r = rd_options_format(&s->cfg->options, a->v + a->n);
	if (r < 0)
		return r;
	a->n += r;
	a->v[a->n] = NULL;
	return 0;
}

/* Put the descriptors where the engine expects them. First above all targets, so that none overwrites another. */
static bool place_fds(const struct args *a)
{
	int high[N_FDS], null;

	for (int i = 0; i < a->n_fds; i++) {
		high[i] = fcntl(a->fds[i], F_DUPFD, 32);
		if (high[i] < 0)
			return false;
	}
	for (int i = 0; i < a->n_fds; i++)
		if (dup2(high[i], RD_LINK_FD + i) < 0)
			return false;
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return false;
	return close_range((unsigned int)(RD_LINK_FD + a->n_fds), ~0u, 0) == 0;
}

/* A terminal must not be readable through the engine's stderr: it belongs to another user's processes. */
static bool close_terminal(void)
{
	int fd;

	if (!isatty(STDERR_FILENO))
		return true;
	fd = open("/proc/self/fd/2", O_WRONLY | O_NOCTTY | O_APPEND);
	return fd >= 0 && dup2(fd, STDERR_FILENO) >= 0;
}

static void run_child(const struct args *a, const char *program) __attribute__((__noreturn__));
static void run_child(const struct args *a, const char *program)
{
	static char *const no_env[] = { NULL };
	const struct rlimit no_core = { 0, 0 };
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGPIPE)
			sigaction(sig, &dfl, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (close_terminal() && place_fds(a))
		execve(program, a->v, no_env);
	_exit(127);
}

int rd_spawn(const struct rd_spawn *s, pid_t *ret_pid, int *ret_pidfd)
{
	RD_CLEANUP(args_deinit) struct args a = { 0 };
	pid_t pid;
	int r, fd;

	r = make_args(&a, s);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(&a, s->cfg->engine);
	fd = pidfd_open(pid, 0);	/* our own child, not reaped: the number is its */
	if (fd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	*ret_pid = pid;
	*ret_pidfd = fd;
	return 0;
}
