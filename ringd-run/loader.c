/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which libraries a program would be given. That is decided by RPATH, RUNPATH, the environment, hardware variants and a cache,
 * so the dynamic loader itself is asked (--list, as ldd does). Only the loader that we run on ourselves: a program may name any
 * file as its loader, and --check must not execute that.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "daemon/common/util.h"
#include "run.h"

/* Both of its outputs go to fd. */
static int start(pid_t *pid, int fd, const struct run_program *p)
{
	/* by its real name: $ORIGIN is the folder of that when the program is executed */
	RD_FREE char *real = realpath(p->image, NULL);
	char *argv[] = { (char *)(uintptr_t)p->interp, (char *)(uintptr_t)"--list", real, NULL };
	posix_spawn_file_actions_t actions;
	int r;

	if (!real)
		return -errno;
	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
	if (!r)
		r = posix_spawn(pid, p->interp, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static void keep(char *dst, size_t size, const char *src, size_t len)
{
	snprintf(dst, size, "%.*s", (int)RD_MIN(len, size - 1), src);
}

/* "NAME => PATH (ADDRESS)", "PATH (ADDRESS)", or a complaint */
static void take_line(struct run_libs *libs, const char *line)
{
	const char *name = line + strspn(line, " \t"), *arrow = strstr(name, " => "), *path = arrow ? arrow + 4 : name;
	const char *end = strstr(path, " (0x"), *base;
	size_t len = end ? (size_t)(end - path) : strlen(path), named = arrow ? (size_t)(arrow - name) : len;

	if (!end && !*libs->problem && (strstr(line, "not found") || strstr(line, "cannot be preloaded")))
		keep(libs->problem, sizeof(libs->problem), name, strlen(name));
	base = memrchr(name, '/', named);
	base = base ? base + 1 : name;
	named -= (size_t)(base - name);
	if (named == strlen(RUN_TRAP) && !memcmp(base, RUN_TRAP, named))
		libs->trap = end;
	if (!strncmp(base, RUN_ASAN, strlen(RUN_ASAN)))
		libs->asan = true;
	if ((named == strlen(RUN_LIBRARY) && !memcmp(base, RUN_LIBRARY, named)) ||
	    (named == strlen(RUN_FFI) && !memcmp(base, RUN_FFI, named))) {
		libs->linked = true;
		if (end)
			keep(libs->liburing, sizeof(libs->liburing), path, len);
	}
}

static void read_list(struct run_libs *libs, int fd)
{
	FILE *f = fdopen(fd, "r");
	RD_FREE char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f) {
		rd_close(fd);
		return;
	}
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		take_line(libs, line);
	}
	fclose(f);
}

void run_libs_list(struct run_libs *libs, const struct run_program *p)
{
	int fds[2], status;
	pid_t pid;

	*libs = (struct run_libs){ .asked = true };
	if (!p->looked || !p->usual || pipe2(fds, O_CLOEXEC) < 0)
		return;
	if (start(&pid, fds[1], p) < 0) {
		rd_close(fds[0]);
		rd_close(fds[1]);
		return;
	}
	rd_close(fds[1]);
	read_list(libs, fds[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	libs->known = WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
