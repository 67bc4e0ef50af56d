// SPDX-License-Identifier: GPL-2.0-or-later
/* All ways to start a program: it gets us in its environment, or is not started if it could not be served. */
#undef _FORTIFY_SOURCE

#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "next.h"
#include "raw.h"
#include "trap.h"

#define ROOM_MAX	(256u << 10)	/* of the stack; whoever has a larger environment keeps us in it himself */

/* A caller's stack, since the child of vfork() must not allocate. */
#define INJECT(envp)                                                                                                           \
	do {                                                                                                                   \
		size_t room = rd_env_room(envp);                                                                               \
                                                                                                                               \
		if (room && room <= ROOM_MAX)                                                                                  \
			(envp) = rd_env_fill(alloca(room), (envp));                                                            \
	} while (0)

/* Arguments up to a NULL, the first of them given. Their number, with the NULL. */
static size_t count_args(const char *first, va_list *ap)
{
	size_t n = 1;

	for (const char *arg = first; arg; n++)
		arg = va_arg(*ap, char *);
	return n;
}

static void take_args(char **argv, const char *first, va_list *ap)
{
	const char *arg = first;

	while ((*argv++ = (char *)arg) != NULL)
		arg = va_arg(*ap, char *);
}

static int run(const char *path, char *const argv[], char *const *envp)
{
	__typeof__(&execve) f = RD_NEXT(execve);

	if (!rd_target_fits(AT_FDCWD, path, 0))
		return -1;
	INJECT(envp);
	return f ? f(path, argv, envp) : (int)rd_raw_errno(rd_raw(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0, 0));
}

static int run_named(const char *file, char *const argv[], char *const *envp)
{
	__typeof__(&execvpe) f = RD_NEXT(execvpe);

	if (!rd_target_named(file))
		return -1;
	INJECT(envp);
	if (f)
		return f(file, argv, envp);
	errno = ENOSYS;
	return -1;
}

RD_DOOR_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return run(path, argv, envp);
}

RD_DOOR_EXPORT int execv(const char *path, char *const argv[])
{
	return run(path, argv, environ);
}

RD_DOOR_EXPORT int execvp(const char *file, char *const argv[])
{
	return run_named(file, argv, environ);
}

RD_DOOR_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return run_named(file, argv, envp);
}

/* ap is where the arguments end, then. */
#define LISTED(argv, first, ap)                                                                                                \
	do {                                                                                                                   \
		va_start(ap, first);                                                                                           \
		(argv) = alloca(count_args(first, &(ap)) * sizeof(char *));                                                    \
		va_end(ap);                                                                                                    \
		va_start(ap, first);                                                                                           \
		take_args(argv, first, &(ap));                                                                                 \
	} while (0)

RD_DOOR_EXPORT int execl(const char *path, const char *first, ...)
{
	va_list ap;
	char **argv;

	LISTED(argv, first, ap);
	va_end(ap);
	return run(path, argv, environ);
}

RD_DOOR_EXPORT int execlp(const char *file, const char *first, ...)
{
	va_list ap;
	char **argv;

	LISTED(argv, first, ap);
	va_end(ap);
	return run_named(file, argv, environ);
}

RD_DOOR_EXPORT int execle(const char *path, const char *first, ...)
{
	char *const *envp;
	va_list ap;
	char **argv;

	LISTED(argv, first, ap);
	envp = va_arg(ap, char *const *);
	va_end(ap);
	return run(path, argv, envp);
}

RD_DOOR_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	__typeof__(&fexecve) f = RD_NEXT(fexecve);
	char *const *env = envp;

	if (!rd_target_fits(fd, "", AT_EMPTY_PATH))
		return -1;
	INJECT(env);
	return f ? f(fd, argv, env) :
		   (int)rd_raw_errno(rd_raw(SYS_execveat, fd, (long)"", (long)argv, (long)env, AT_EMPTY_PATH, 0));
}

RD_DOOR_EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	__typeof__(&execveat) f = RD_NEXT(execveat);
	char *const *env = envp;

	if (!rd_target_fits(dirfd, path, flags))
		return -1;
	INJECT(env);
	return f ? f(dirfd, path, argv, env, flags) :
		   (int)rd_raw_errno(rd_raw(SYS_execveat, dirfd, (long)path, (long)argv, (long)env, flags, 0));
}

RD_DOOR_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *acts, const posix_spawnattr_t *attr,
			       char *const argv[], char *const envp[])
{
	__typeof__(&posix_spawn) f = RD_NEXT(posix_spawn);
	char *const *env = envp;

	if (!f || !rd_target_fits(AT_FDCWD, path, 0))
		return f ? EACCES : ENOSYS;
	INJECT(env);
	return f(pid, path, acts, attr, argv, env);
}

RD_DOOR_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *acts, const posix_spawnattr_t *attr,
				char *const argv[], char *const envp[])
{
	__typeof__(&posix_spawnp) f = RD_NEXT(posix_spawnp);
	char *const *env = envp;

	if (!f || !rd_target_named(file))
		return f ? EACCES : ENOSYS;
	INJECT(env);
	return f(pid, file, acts, attr, argv, env);
}

/* These two take the environment as it is: a program that threw us out of it gets us back. */
static void inject_own(void)
{
	char *const *envp = environ;

	INJECT(envp);
	if (envp == environ)
		return;
	for (; *envp; envp++)
		if (!strncmp(*envp, "LD_PRELOAD=", 11))
			setenv("LD_PRELOAD", *envp + 11, 1);
}

RD_DOOR_EXPORT int system(const char *command)
{
	__typeof__(&system) f = RD_NEXT(system);

	if (!f) {
		errno = ENOSYS;
		return -1;
	}
	if (command)
		inject_own();
	return f(command);
}

RD_DOOR_EXPORT FILE *popen(const char *command, const char *mode)
{
	__typeof__(&popen) f = RD_NEXT(popen);

	if (!f) {
		errno = ENOSYS;
		return NULL;
	}
	inject_own();
	return f(command, mode);
}
