/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of the client. They are resolved as the tenant, on a worker; the one thing that must not happen is that a name
 * which means "whoever opens me" (/proc/self, its magic links, /dev/tty) means the engine.
 */
#ifndef RD_PATH_H
#define RD_PATH_H

#include <linux/openat2.h>

#include "../request/request.h"
#include "daemon/common/util.h"

/* A copy of the client's string. -EFAULT, -ENAMETOOLONG, -ENOENT (empty, unless empty_ok), -EDQUOT, -ENOMEM. */
int rd_path_copy(char **ret, struct rd_req *req, uint64_t addr, bool empty_ok);
/* Where openat2() shall start for path: a descriptor or AT_FDCWD, or what the host says. Owner thread; *owner is borrowed. */
int rd_path_at(struct rd_req *req, int dirfd, const char *path, uint64_t resolve, struct rd_mem **owner);
/* Worker thread. A descriptor with close-on-exec, or the errno of openat2(); -ELOOP: a magic link, -EACCES: on procfs. */
int rd_path_open(int at, const char *path, const struct open_how *how);

/* A name in a directory: what the last component of a path is about. */
struct rd_place {
	int at;			/* the directory, or AT_FDCWD */
	int fd;			/* the same if it was opened for this, else -1 */
	const char *name;	/* with the slashes that follow it; in the path */
};

#define RD_PLACE_INIT	{ .fd = -1 }
static inline void rd_place_close(struct rd_place *place)
{
	rd_close(place->fd);
}
#define RD_PLACE	RD_CLEANUP(rd_place_close)

/* Worker thread. Open the directory that holds the last component; path is cut in two. 0, or an errno of rd_path_open(). */
int rd_path_place(struct rd_place *place, int at, char *path);

#define RD_PATH_FD	(sizeof("/proc/self/fd/") + 3 * sizeof(int))
/* The name that procfs has for a descriptor of ours. */
void rd_path_fd(char path[RD_PATH_FD], int fd);

#endif
