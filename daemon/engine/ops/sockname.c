/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bind() and connect() take a path, not a directory and a name; and the path is what the kernel remembers and tells whoever
 * asks for the address of the socket. So the thread that makes the call has a working directory and a umask of
 * its own. Before that the path is followed the way all paths of clients are (ops/path.c), so that none leads through the
 * engine's procfs. A client that changes the path in between gets no more than a socket where the tenant may make
 * or use one: the calls know nothing but sockets.
 */
#include "sockname.h"

#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "path.h"
#include "../rsrc/stage.h"

#define RD_SUN_PATH	offsetof(struct sockaddr_un, sun_path)

int rd_sockname_copy(struct sockaddr **ret, struct rd_req *req, uint64_t addr, uint32_t len)
{
	struct rd_host *host = req->ctx->host;
	char copy[sizeof(struct sockaddr_storage)];
	void *mem;
	int r;

	if (len > sizeof(copy))
		return -EINVAL;
	r = len ? host->ops->copy_in(host, copy, addr, len) : 0;
	if (r == 0)
		r = rd_stage_new(&mem, &req->ctx->engine->user, sizeof(copy) + 1);
	if (r < 0)
		return r;
	memset(mem, 0, sizeof(copy) + 1);
	memcpy(mem, copy, len);
	*ret = mem;
	return 0;
}

bool rd_sockname_is_path(const struct rd_file *file, const struct sockaddr *addr, uint32_t len)
{
	/* what is no address of this kind of socket is refused before the path is looked at */
	return (file->flags & RD_FILE_CARRIER) && len > RD_SUN_PATH && len <= sizeof(struct sockaddr_un) &&
	       addr->sa_family == AF_UNIX && ((const struct sockaddr_un *)addr)->sun_path[0];
}

int rd_sockname_at(struct rd_req *req, const struct sockaddr *addr, struct rd_mem **owner)
{
	return rd_path_at(req, AT_FDCWD, ((const struct sockaddr_un *)addr)->sun_path, 0, owner);
}

/* --- worker --- */

/* A working directory and a umask of this thread alone: it stays like that. */
static int own_fs(void)
{
	static __thread bool own;

	if (!own && unshare(CLONE_FS) < 0)
		return -errno;
	own = true;
	return 0;
}

static int check_place(int at, const char *sun_path)
{
	RD_PLACE struct rd_place place = RD_PLACE_INIT;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	strcpy(path, sun_path);
	return rd_path_place(&place, at, path);
}

static int check_target(int at, const char *sun_path)
{
	const struct open_how how = { .flags = O_PATH };
	int fd = rd_path_open(at, sun_path, &how);

	rd_close(fd);
	return RD_MIN(fd, 0);
}

int rd_sockname_enter(int at, const struct sockaddr *addr, bool make, uint32_t mask)
{
	/* of at most 108 bytes, and a NUL behind them */
	const char *path = ((const struct sockaddr_un *)addr)->sun_path;
	int r = own_fs();

	if (r == 0)
		r = make ? check_place(at, path) : check_target(at, path);
	if (r < 0)
		return r;
	if (at != AT_FDCWD && fchdir(at) < 0)
		return -errno;
	umask((mode_t)mask);
	return 0;
}

void rd_sockname_leave(int at)
{
	int saved = errno;

	umask(0);
	/* where all threads of an engine are, which could be entered at its start */
	if (at != AT_FDCWD && chdir("/") < 0)
		umask(077);
	errno = saved;
}
