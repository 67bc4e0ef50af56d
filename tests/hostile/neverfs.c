/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "neverfs.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"

#define HOUR	3600u
#define ROOT	1u

static void reply(int dev, uint64_t unique, int error, const void *data, size_t len)
{
	char buf[256];
	struct fuse_out_header out = { .len = (uint32_t)(sizeof(out) + len), .error = error, .unique = unique };

	memcpy(buf, &out, sizeof(out));
	if (len)
		memcpy(buf + sizeof(out), data, len);
	(void)!write(dev, buf, out.len);	/* -ENOENT: it was interrupted */
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node, .nlink = 1, .blksize = 4096,
		.mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0666,
		.size = node == ROOT ? 0 : 1u << 20,
	};
}

static void answer(const struct neverfs *n, int dev, const struct fuse_in_header *in)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096, .max_background = 16 };
	struct fuse_entry_out entry = { .nodeid = 2, .entry_valid = HOUR, .attr_valid = HOUR, .attr = attr_of(2) };
	struct fuse_attr_out attr = { .attr_valid = HOUR, .attr = attr_of(in->nodeid) };
	struct fuse_poll_out poll_out = { .revents = POLLIN };
	struct fuse_open_out open = { .fh = 1, .open_flags = n->direct ? FOPEN_DIRECT_IO : 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		return reply(dev, in->unique, 0, &init, sizeof(init));
	case FUSE_LOOKUP:
		return reply(dev, in->unique, 0, &entry, sizeof(entry));
	case FUSE_GETATTR:
		return reply(dev, in->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return reply(dev, in->unique, 0, &open, sizeof(open));
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_FSYNC:
	case FUSE_FLUSH:
	case FUSE_UNLINK:
	case FUSE_GETXATTR:
		__atomic_fetch_add(n->unanswered, 1, __ATOMIC_RELEASE);
		return;
	case FUSE_POLL:
		if (!__atomic_load_n(n->polls, __ATOMIC_ACQUIRE))
			return reply(dev, in->unique, -ENOSYS, NULL, 0);
		if (*n->polls == 1) {
			__atomic_fetch_add(n->unanswered, 1, __ATOMIC_RELEASE);
			return;
		}
		--*n->polls;
		return reply(dev, in->unique, 0, &poll_out, sizeof(poll_out));
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
	case FUSE_RELEASE:
		return;
	default:
		return reply(dev, in->unique, -ENOSYS, NULL, 0);
	}
}

static void serve(const struct neverfs *n, int dev, int parent)
{
	static _Alignas(struct fuse_in_header) char buf[1 << 18];
	struct pollfd pfd[2] = { { .fd = dev, .events = POLLIN }, { .fd = parent, .events = POLLIN } };

	for (;;) {
		ssize_t len;

		poll(pfd, 2, -1);
		if (pfd[1].revents)
			_exit(0);	/* with the last descriptor of dev the file system is aborted */
		len = read(dev, buf, sizeof(buf));
		if (len < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			_exit(0);	/* ENODEV: aborted */
		if (len >= (ssize_t)sizeof(struct fuse_in_header))
			answer(n, dev, (const void *)buf);
	}
}

static bool start_server(struct neverfs *n, int dev)
{
	int alive[2];

	n->unanswered = mmap(NULL, 2 * sizeof(*n->unanswered), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (n->unanswered == MAP_FAILED || pipe2(alive, O_CLOEXEC) < 0)
		return false;
	n->polls = n->unanswered + 1;
	n->server = fork();
	if (n->server == 0) {
		rd_close(alive[1]);
		serve(n, dev, alive[0]);
	}
	rd_close(alive[0]);
	n->alive = alive[1];
	return n->server > 0;
}

bool neverfs_mount(struct neverfs *n, bool direct)
{
	RD_CLOSE int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[96];

	*n = (struct neverfs){ .direct = direct, .alive = -1 };
	if (dev < 0 || unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	snprintf(n->dir, sizeof(n->dir), "/tmp/ringd-neverfs-XXXXXX");
	if (!mkdtemp(n->dir))
		return false;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev);
	if (mount("neverfs", n->dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		rmdir(n->dir);
		return false;
	}
	ck_assert(start_server(n, dev));
	return true;
}

void neverfs_wait(struct neverfs *n, uint32_t unanswered)
{
	uint64_t start = rd_now_ns();

	while (__atomic_load_n(n->unanswered, __ATOMIC_ACQUIRE) < unanswered) {
		ck_assert_msg(rd_now_ns() - start < 20000000000ull, "only %u requests came", *n->unanswered);
		poll(NULL, 0, 1);
	}
}

void neverfs_abort(struct neverfs *n)
{
	ck_assert_int_eq(umount2(n->dir, MNT_FORCE | MNT_DETACH), 0);
	rd_close(n->alive);
	waitpid(n->server, NULL, 0);
	munmap(n->unanswered, 2 * sizeof(*n->unanswered));
	rmdir(n->dir);
}
