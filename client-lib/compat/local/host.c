/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host that is its own client. Memory is used as it is: what a system call is given the kernel checks, and the rest is copied by
 * memory.c. New descriptors are the program's the moment they are made, since it is the program's process that makes them.
 */
#include "host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/workers.h"
#include "process.h"

static struct rd_local_host *from_host(struct rd_host *host)
{
	return RD_CONTAINER_OF(host, struct rd_local_host, host);
}

/* --- memory --- */

static void *local_map(struct rd_host *host, uint64_t addr, uint64_t len, struct rd_mem **owner)
{
	uint64_t end;

	(void)host;
	*owner = NULL;
	return __builtin_add_overflow(addr, len, &end) ? NULL : (void *)(uintptr_t)addr;
}

static int local_pin(struct rd_host *host, uint64_t addr, uint64_t len)
{
	(void)host;
	return rd_local_pin(addr, len);
}

static int local_copy_in(struct rd_host *host, void *dst, uint64_t addr, size_t len)
{
	(void)host;
	return rd_local_copy_in(dst, addr, len);
}

static int local_copy_out(struct rd_host *host, uint64_t addr, const void *src, size_t len)
{
	(void)host;
	return rd_local_copy_out(addr, src, len);
}

static ssize_t local_copy_str(struct rd_host *host, char *dst, uint64_t addr, size_t size)
{
	(void)host;
	return rd_local_copy_str(dst, addr, size);
}

/* --- directories --- */

/* A duplicate, since the path may be followed after the call. The host has the last one, requests have what they use. */
struct rd_local_start {
	struct rd_mem mem;
	int fd;
};

static void start_release(struct rd_mem *mem)
{
	struct rd_local_start *start = RD_CONTAINER_OF(mem, struct rd_local_start, mem);

	rd_close(start->fd);
	free(start);
}

void rd_local_dirfd_drop(struct rd_local_host *h)
{
	if (h->start)
		rd_mem_put(&((struct rd_local_start *)rd_steal_ptr(&h->start))->mem);
}

static int local_dirfd(struct rd_host *host, int dirfd, struct rd_mem **owner)
{
	struct rd_local_host *h = from_host(host);
	struct rd_local_start *start;
	int fd;

	if (dirfd == AT_FDCWD)
		return AT_FDCWD;
	fd = rd_local_dup_high(h, dirfd);
	if (fd < 0)
		return fd;
	start = calloc(1, sizeof(*start));
	if (!start) {
		rd_close(fd);
		return -ENOMEM;
	}
	start->mem = (struct rd_mem){ .refs = 1, .release = start_release };
	start->fd = fd;
	rd_local_dirfd_drop(h);
	h->start = start;
	*owner = &start->mem;
	return fd;
}

/* --- new descriptors --- */

static int local_can_install(struct rd_host *host)
{
	(void)host;
	return 0;
}

/* A file that only this request has: its descriptor is the program's from now on, and there is no file any more. */
static int give(struct rd_file *file, bool cloexec)
{
	int fd;

	if (file->node.refs == 1 && (!rd_private_fd_min || file->fd < rd_private_fd_min) && !(file->flags & RD_FILE_DUP)) {
		rd_file_loud(file);
		fd = file->fd;
		if (!cloexec)
			(void)fcntl(fd, F_SETFD, 0);
		rd_file_unreserve(file);
		return fd;
	}
	fd = fcntl(file->fd, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	fd = fd < 0 ? -errno : fd;
	rd_file_put(file);
	return fd;
}

static int install_pair(struct rd_local_host *h, const struct rd_newfds *new)
{
	int32_t numbers[2] = { new->numbers[0], new->numbers[1] };
	int r = 0;

	for (uint32_t i = 0; i < new->n; i++) {
		numbers[i] = give(new->files[i], new->cloexec);
		r = RD_MIN(r, numbers[i]);
	}
	if (r == 0)
		r = local_copy_out(&h->host, new->addr, numbers, sizeof(numbers));
	for (uint32_t i = 0; i < new->n && r < 0; i++)
		rd_close(numbers[i]);
	return r;
}

static int local_install(struct rd_host *host, struct rd_req *req, const struct rd_newfds *new)
{
	struct rd_local_host *h = from_host(host);

	req->res = new->n == 1 ? give(new->files[0], new->cloexec) : install_pair(h, new);
	if (req->res >= 0 && new->n == 1)
		rd_local_files_closing(h, req->res);
	return RD_DONE;
}

static int local_install_cancel(struct rd_host *host, struct rd_req *req)
{
	(void)host;
	(void)req;
	return -EALREADY;	/* nothing waits */
}

static int local_close(struct rd_host *host, struct rd_req *req, int fd)
{
	/* a ring is not closed by one of its own requests, and neither is what the program did not open */
	if (fd < 0 || rd_local_ring_sure(fd) || rd_local_hidden(fd)) {
		req->res = -EBADF;
		return RD_DONE;
	}
	rd_local_files_closing(from_host(host), fd);
	req->res = syscall(SYS_close, fd) < 0 ? -errno : 0;
	return RD_DONE;
}

/* --- the rest --- */

static bool local_alike(struct rd_host *host)
{
	return rd_workers_alike(from_host(host)->engine->workers);
}

static int32_t local_pid(struct rd_host *host)
{
	(void)host;
	return getpid();
}

static int local_ring(struct rd_host *host, int fd, struct rd_ctx **ret)
{
	struct rd_local_ring *lr = rd_local_ring_sure(fd);

	(void)host;
	if (!lr)
		return rd_local_no_ring(fd, -EBADFD);
	*ret = &lr->ring->ctx;
	return 0;
}

static uint32_t local_ready(struct rd_host *host, int fd)
{
	(void)host;
	return rd_local_ringfd_room(fd);
}

static int local_waitid(struct rd_host *host, int type, int32_t id, siginfo_t *info, int options)
{
	(void)host;
	return syscall(SYS_waitid, type, id, info, options, NULL) < 0 ? -errno : 0;
}

static const struct rd_host_ops local_ops = {
	.map = local_map,
	.pin = local_pin,
	.copy_in = local_copy_in,
	.copy_out = local_copy_out,
	.copy_str = local_copy_str,
	.file = rd_local_file,
	.keep = rd_local_keep,
	.borrow = rd_local_borrow,
	.doubt = rd_local_doubt,
	.ready = local_ready,
	.may_be = rd_local_may_be,
	.pid = local_pid,
	.dirfd = local_dirfd,
	.alike = local_alike,
	.can_install = local_can_install,
	.install = local_install,
	.close = local_close,
	.install_cancel = local_install_cancel,
	.ring = local_ring,
	.waitid = local_waitid,
	.wake = rd_local_ring_wake,
	.ring_dead = rd_local_ring_dead,
	.ring_gone = rd_local_ring_gone,
};

void rd_local_host_init(struct rd_local_host *h, struct rd_engine *engine)
{
	h->host.ops = &local_ops;
	h->engine = engine;
	rd_local_dirfd_drop(h);
	engine->cfg.same_process = true;
	engine->local = h;
	engine->let_go = rd_local_let_go;
	rd_workers_set_guest(engine->workers);
	rd_local_files_init(&h->files, engine);
}
