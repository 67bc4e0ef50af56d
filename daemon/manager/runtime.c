/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory. A lock on the directory itself says that a manager is using it; the kernel drops it with the
 * process, so there is nothing stale to recognise.
 */
#include "runtime.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "daemon/common/log.h"
#include "daemon/common/util.h"

#define REMOVE_AT_MOST	4096	/* entries of an engine's directory; a tenant may have filled it */

/* A directory of ours that nobody else may write to. */
static int check_owner(int fd, const char *dir)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid()) {
		rd_error("%s belongs to uid %u, not to us", dir, st.st_uid);
		return -EPERM;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		rd_error("%s may be written by others (mode %04o)", dir, st.st_mode & 07777);
		return -EPERM;
	}
	return 0;
}

static int open_dir(struct rd_runtime *rt, const char *dir, bool user)
{
	if (mkdir(dir, 0700) < 0) {
		if (errno != EEXIST) {
			int r = -errno;

			rd_error("cannot make %s: %s", dir, strerror(-r));
			return r;
		}
	} else if (!user && chmod(dir, 0755) < 0) {	/* the umask must not decide who finds the socket */
		return -errno;
	}
	rt->fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rt->fd < 0) {
		int r = -errno;

		rd_error("cannot open %s: %s", dir, strerror(-r));
		return r;
	}
	return check_owner(rt->fd, dir);
}

static int lock_dir(struct rd_runtime *rt, const char *dir)
{
	if (flock(rt->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK) {
		rd_error("another ringd is running in %s", dir);
		return -EBUSY;
	}
	return -errno;
}

static int open_engines(struct rd_runtime *rt, bool user)
{
	mode_t mode = user ? 0700 : 0711;	/* every tenant passes through on the way to its own */

	if (mkdirat(rt->fd, "engines", mode) < 0 && errno != EEXIST)
		return -errno;
	rt->engines_fd = openat(rt->fd, "engines", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rt->engines_fd < 0)
		return -errno;
	if (fchmod(rt->engines_fd, mode) < 0)
		return -errno;
	return check_owner(rt->engines_fd, "engines");
}

/*
 * Empty directories of engines that an earlier manager did not see end. One that is still alive and has put something
 * into its own keeps it.
 */
static void sweep(struct rd_runtime *rt)
{
	int fd = openat(rt->engines_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		rd_close(fd);
		return;
	}
	for (int n = 0; n < REMOVE_AT_MOST && (e = readdir(d)); n++)
		if (e->d_name[0] != '.')
			(void)unlinkat(rt->engines_fd, e->d_name, AT_REMOVEDIR);
	closedir(d);
}

int rd_runtime_init(struct rd_runtime *rt, const char *dir, bool user)
{
	int r;

	*rt = (struct rd_runtime){ .fd = -1, .engines_fd = -1 };
	r = open_dir(rt, dir, user);
	if (r < 0)
		return r;
	rt->path = realpath(dir, NULL);
	if (!rt->path)
		return -errno;
	r = lock_dir(rt, dir);
	if (r < 0)
		return r;
	r = open_engines(rt, user);
	if (r < 0) {
		rd_error("cannot use %s/engines: %s", dir, strerror(-r));
		return r;
	}
	sweep(rt);
	return 0;
}

void rd_runtime_deinit(struct rd_runtime *rt)
{
	if (rt->engines_fd >= 0)
		unlinkat(rt->fd, "engines", AT_REMOVEDIR);	/* stays while an engine of an earlier manager has its own */
	rd_close(rt->engines_fd);
	rd_close(rt->fd);
	free(rt->path);
	*rt = (struct rd_runtime){ .fd = -1, .engines_fd = -1 };
}

int rd_runtime_add(struct rd_runtime *rt, uid_t uid, gid_t gid, char *name)
{
	int r = -EEXIST;

	/* engines outlive a manager that was killed, so names of an earlier one may still be there */
	for (int tries = 0; r == -EEXIST && tries < 1000; tries++) {
		snprintf(name, RD_ENGINE_DIR, "%u-%d-%u", uid, getpid(), rt->next_id++);
		r = mkdirat(rt->engines_fd, name, 0700) < 0 ? -errno : 0;
	}
	if (r < 0)
		return r;
	if (geteuid() == 0 && fchownat(rt->engines_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0) {
		r = -errno;
		unlinkat(rt->engines_fd, name, AT_REMOVEDIR);
	}
	return r;
}

void rd_runtime_remove(struct rd_runtime *rt, const char *name)
{
	int fd = openat(rt->engines_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		rd_close(fd);
	for (int n = 0; d && n < REMOVE_AT_MOST && (e = readdir(d)); n++) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0 && (errno == EISDIR || errno == EPERM))
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
	if (unlinkat(rt->engines_fd, name, AT_REMOVEDIR) < 0)
		rd_warn("directory engines/%s stays: %s", name, strerror(errno));
}
