/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the dynamic loader and libringd-local read. Lists get one entry more; what somebody else has put there stays. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/common/util.h"
#include "run.h"

#define LOCAL	"libringd-local.so.0"

/* --- where the libraries are --- */

static bool has_libraries(const char *dir)
{
	RD_FREE char *name = NULL;

	return asprintf(&name, "%s/" LOCAL, dir) >= 0 && access(name, R_OK) == 0;
}

/* How much of two paths is the same, in whole components. */
static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	for (size_t i = 0; a[i] && a[i] == b[i]; i++)
		if (a[i] == '/')
			n = i + 1;
	return n;
}

/* The installation may have been moved as a whole: from our folder to that of the libraries it is as far as it was. */
static int beside(char *dir, size_t size, const char *own)
{
	static const char bindir[] = RINGD_RUN_BINDIR, libdir[] = RINGD_RUN_LIBDIR;
	size_t same = common(bindir, libdir);
	char up[PATH_MAX] = "";

	if (bindir[same])
		strcat(up, "../");
	for (const char *p = bindir + same; *p && strlen(up) < sizeof(up) - 4; p++)
		if (*p == '/')
			strcat(up, "../");
	return snprintf(dir, size, "%s/%s%s", own, up, libdir + same);
}

static bool own_folder(char *dir, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", dir, size - 1);
	char *slash;

	if (n <= 0)
		return false;
	dir[n] = 0;
	slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	return slash;
}

static bool resolve(char *dir, size_t size, const char *from)
{
	RD_FREE char *real = realpath(from, NULL);

	return real && has_libraries(real) && snprintf(dir, size, "%s", real) < (int)size;
}

bool run_libdir_find(char *dir, size_t size)
{
	const char *told = secure_getenv("RINGD_LIBDIR");
	char own[PATH_MAX], near[PATH_MAX];

	if (told && *told) {
		if (resolve(dir, size, told))
			return true;
		snprintf(dir, size, "%s", told);
		return false;
	}
	if (own_folder(own, sizeof(own))) {
		if (beside(near, sizeof(near), own) < (int)sizeof(near) && resolve(dir, size, near))
			return true;
		if (resolve(dir, size, own))
			return true;
	}
	if (resolve(dir, size, RINGD_RUN_LIBDIR))
		return true;
	snprintf(dir, size, "%s", RINGD_RUN_LIBDIR);
	return false;
}

/* --- lists --- */

static bool begins(const char *list, const char *separators, const char *item)
{
	size_t len = strcspn(list, separators);

	return len == strlen(item) && !memcmp(list, item, len);
}

static bool contains(const char *list, const char *separators, const char *item)
{
	while (!begins(list, separators, item)) {
		list += strcspn(list, separators);
		if (!*list++)
			return false;
	}
	return true;
}

int run_environ_add(const char *name, const char *separators, const char *item, bool first)
{
	const char *old = getenv(name);
	RD_FREE char *list = NULL;

	if (!old || !*old)	/* an empty entry would be the current directory */
		return setenv(name, item, 1) < 0 ? -ENOMEM : 0;
	if (first ? begins(old, separators, item) : contains(old, separators, item))
		return 0;
	if (asprintf(&list, "%s:%s", first ? item : old, first ? old : item) < 0)
		return -ENOMEM;
	return setenv(name, list, 1) < 0 ? -ENOMEM : 0;
}

/* --- the report --- */

/*
 * Standard error is named with what it is now: when a process ends its number may be something else, which is not to be
 * written to. A file is emptied here, so that one that cannot be written to is told before anything runs.
 */
int run_environ_report(const char *file)
{
	RD_FREE char *value = NULL, *cwd = NULL;
	RD_CLOSE int fd = -1;
	struct stat st;
	int n;

	if (file) {
		fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
		if (fd < 0)
			return -errno;
		cwd = *file == '/' ? strdup("") : getcwd(NULL, 0);
		if (!cwd)
			return -errno;
		n = asprintf(&value, "%s%s%s", cwd, *cwd ? "/" : "", file);
	} else {
		if (fstat(STDERR_FILENO, &st) < 0)
			return -errno;
		n = asprintf(&value, "%d:%llu:%llu", STDERR_FILENO, (unsigned long long)st.st_dev,
			     (unsigned long long)st.st_ino);
	}
	return n < 0 || setenv("RINGD_REPORT", value, 1) < 0 ? -ENOMEM : 0;
}
