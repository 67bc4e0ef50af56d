/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directory fuzzed operations may touch. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fuzz.h"

static char path[PATH_MAX];
static int dir = -1;

void rd_fuzz_dir_clean(void)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	rd_fuzz_check(d);
	while ((e = readdir(d)))
		unlinkat(dir, e->d_name, 0);
	closedir(d);
}

static void dir_remove(void)
{
	rd_fuzz_dir_clean();
	rmdir(path);
}

int rd_fuzz_dir(void)
{
	const char *base = getenv("TMPDIR");

	if (dir >= 0)
		return dir;
	snprintf(path, sizeof(path), "%s/ringd-fuzz.XXXXXX", base && base[0] ? base : "/tmp");
	rd_fuzz_check(mkdtemp(path));
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	rd_fuzz_check(dir >= 0);
	atexit(dir_remove);
	return dir;
}

void rd_fuzz_limit_files(void)
{
	struct rlimit limit;

	rd_fuzz_check(getrlimit(RLIMIT_FSIZE, &limit) == 0);
	limit.rlim_cur = 1u << 20;
	rd_fuzz_check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	signal(SIGXFSZ, SIG_IGN);
}
