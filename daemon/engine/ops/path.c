/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "../rsrc/stage.h"

int rd_path_copy(char **ret, struct rd_req *req, uint64_t addr, bool empty_ok)
{
	struct rd_host *host = req->ctx->host;
	char path[PATH_MAX];
	void *copy;
	ssize_t n;
	int r;

	n = host->ops->copy_str(host, path, addr, sizeof(path));
	if (n < 0)
		return (int)n;
	if (n == 0 && !empty_ok)
		return -ENOENT;
	r = rd_stage_new(&copy, &req->ctx->engine->user, (size_t)n + 1);
	if (r < 0)
		return r;
	*ret = memcpy(copy, path, (size_t)n + 1);
	return 0;
}

int rd_path_at(struct rd_req *req, int dirfd, const char *path, uint64_t resolve, struct rd_mem **owner)
{
	struct rd_host *host = req->ctx->host;

	/* the kernel does not look at dirfd either, unless the path is to stay below it */
	if (path[0] == '/' && !(resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)))
		dirfd = AT_FDCWD;
	return host->ops->dirfd(host, dirfd, owner);
}

/* Is it something that must not be used by the engine in the client's place? named: only found, not opened. 0 or -errno. */
static int check_opened(int fd, bool named)
{
	struct statfs fs;
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -errno;
	/* what is on a device is not procfs */
	if (!st.stx_dev_major) {
		if (fstatfs(fd, &fs) < 0)
			return -errno;
		if (fs.f_type == PROC_SUPER_MAGIC)
			return -EACCES;
	}
	/* /dev/tty is the opener's terminal: an engine has none to lend */
	if (!named && S_ISCHR(st.stx_mode) && st.stx_rdev_major == 5 && st.stx_rdev_minor == 0)
		return -ENXIO;
	return 0;
}

int rd_path_open(int at, const char *path, const struct open_how *how)
{
	struct open_how own = *how;
	int fd, r;

	own.flags |= O_CLOEXEC;
	if (!(own.flags & O_PATH))
		own.flags |= O_NOCTTY;	/* no terminal becomes ours by being opened */
	own.resolve |= RESOLVE_NO_MAGICLINKS;
	fd = (int)syscall(SYS_openat2, at, path, &own, sizeof(own));
	if (fd < 0)
		return -errno;
	r = check_opened(fd, own.flags & O_PATH);
	if (r < 0) {
		rd_close(fd);
		return r;
	}
	return fd;
}

int rd_path_place(struct rd_place *place, int at, char *path)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY };
	const char *dir = path;
	size_t len = strlen(path);

	place->at = at;
	place->name = path;
	while (len > 0 && path[len - 1] == '/')
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	if (!len)
		return 0;	/* a name without a directory, or nothing but slashes: the root itself */
	place->name = path + len;
	if (len == 1) {
		dir = "/";
	} else {
		path[len - 1] = 0;
	}
	place->fd = place->at = rd_path_open(at, dir, &how);
	return RD_MIN(place->fd, 0);
}

void rd_path_fd(char path[RD_PATH_FD], int fd)
{
	snprintf(path, RD_PATH_FD, "/proc/self/fd/%d", fd);
}
