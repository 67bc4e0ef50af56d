/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files: what they are is learnt once, when they come in, on the reactor thread; so only calls are made here that do
 * not ask the file system (cached attributes, the name the kernel has for it). They are closed on workers only.
 */
#include "file.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "daemon/common/util.h"
#include "../engine.h"
#include "../exec/reactor.h"
#include "../exec/uring.h"
#include "../exec/workers.h"

#define RD_AT_HANDLE_FID	0x200	/* AT_HANDLE_FID of newer headers */
#define RD_F_DUPFD_QUERY	1027	/* F_DUPFD_QUERY: are they the same open file? Linux 6.10 */
#define RD_FILEID_INO64		0x81	/* handle types: 64-bit inode and generation, alone or with the directory's */
#define RD_FILEID_INO64_PARENT	0x82

/*
 * Some objects act on whoever calls read() on them: a signalfd takes our signals, a kernel io_uring is ours to submit
 * to, and a ring of our own would be memory that we believe only the ring layer writes. The kernel tells them by name;
 * where there is no /proc it tells nothing and the tenant can only hurt itself. All: we are the client, who may.
 */
static int check_name(int fd, uint32_t *flags, bool all)
{
	static const char *const bad[] = { "anon_inode:[signalfd]", "anon_inode:[io_uring]", "/memfd:ringd-ring" };
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)], name[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n < 0)
		return 0;
	name[n] = 0;
	for (size_t i = 0; i < RD_ARRAY_SIZE(bad) && !all; i++) {
		if (strncmp(name, bad[i], strlen(bad[i])) == 0)
			return -EBADF;
	}
	if (strcmp(name, "anon_inode:[eventpoll]") == 0)
		*flags |= RD_FILE_ASKS;
	return 0;
}

/*
 * Does a user's process serve this regular file or directory (FUSE)? Its kernel part claims to do without waiting and then waits for the
 * process, for ever if that likes. Every call that could tell the file system's type would ask the process, too, but the
 * form of its file handles is decided in the kernel. XFS has the same one, on real devices, where only root mounts FUSE.
 * What has no handles of its own (procfs, sysfs) looks the same and loses nothing by going to workers.
 */
static bool served_by_process(int fd, const struct statx *st)
{
	_Alignas(struct file_handle) char buf[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *fh = (void *)buf;
	int mount_id, r;

	if (st->stx_dev_major)
		return false;
	fh->handle_bytes = MAX_HANDLE_SZ;
	r = name_to_handle_at(fd, "", fh, &mount_id, AT_EMPTY_PATH | RD_AT_HANDLE_FID);
	if (r < 0 && errno == EINVAL) {		/* before Linux 6.6 */
		fh->handle_bytes = MAX_HANDLE_SZ;
		r = name_to_handle_at(fd, "", fh, &mount_id, AT_EMPTY_PATH);
	}
	return r < 0 || fh->handle_type == RD_FILEID_INO64 || fh->handle_type == RD_FILEID_INO64_PARENT;
}

static uint64_t inode_hash(const struct statx *st)
{
	uint64_t h = (makedev(st->stx_dev_major, st->stx_dev_minor) * 0x9e3779b97f4a7c15u) ^ st->stx_ino;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h ? h : 1;
}

/* Of SOL_SOCKET; those that are asked for take no lock. */
static int socket_option(int fd, int opt)
{
	int value;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, opt, &value, &len) < 0 ? -1 : value;
}

static uint32_t socket_flags(int fd)
{
	uint32_t flags = RD_FILE_STREAM | RD_FILE_SOCK;

	switch (socket_option(fd, SO_TYPE)) {
	case SOCK_STREAM:
		flags |= RD_FILE_BYTES;
		break;
	case SOCK_SEQPACKET:
		flags |= RD_FILE_RECORDS;
	}
	switch (socket_option(fd, SO_DOMAIN)) {
	case AF_UNIX:
		return flags | RD_FILE_CARRIER;
	case AF_INET:
	case AF_INET6:
		return flags | RD_FILE_INET;
	default:
		return flags;
	}
}

static bool is_dev_null(const struct statx *st)
{
	return st->stx_rdev_major == 1 && st->stx_rdev_minor == 3;
}

static uint32_t kind_flags(const struct statx *st, int fd)
{
	switch (st->stx_mode & S_IFMT) {
	case S_IFREG:
		return RD_FILE_REG;
	case S_IFBLK:
		return RD_FILE_REG | RD_FILE_BLK;
	case S_IFDIR:
		return RD_FILE_DIR;
	case S_IFCHR:
		if (is_dev_null(st))
			return RD_FILE_NULL;
		/* some have a position (/dev/mem), ttys have none; lseek() to where we are asks the driver nothing */
		return lseek(fd, 0, SEEK_CUR) < 0 ? RD_FILE_STREAM : 0;
	case S_IFSOCK:
		return socket_flags(fd);
	default:
		return RD_FILE_STREAM;
	}
}

int rd_file_learn(struct rd_file *file, int fd, const struct statx *st)
{
	bool home = file->engine->cfg.same_process;
	uint32_t type = st->stx_mode & S_IFMT;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	/* a memfd is a regular file that knows seals; an anonymous inode has no type */
	file->flags = kind_flags(st, fd);
	if ((type == 0 || (type == S_IFREG && !home && fcntl(fd, F_GET_SEALS) >= 0)) && check_name(fd, &file->flags, home) < 0)
		return -EBADF;
	if (flags & O_PATH)
		file->flags = (file->flags & ~RD_FILE_NULL) | RD_FILE_PATH;	/* a name, not the device */
	else if (flags & O_DIRECT)
		file->flags |= RD_FILE_DIRECT;
	if ((type == S_IFREG || type == S_IFDIR) && served_by_process(fd, st))
		file->flags |= RD_FILE_SLOW;
	file->hash = type == S_IFREG ? inode_hash(st) : 0;
	return 0;
}

static int file_probe(struct rd_file *file, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) < 0)
		return -errno;
	return rd_file_learn(file, fd, &st);
}

static void file_free(struct rd_node *node)
{
	free(RD_CONTAINER_OF(node, struct rd_file, node));
}

/* Worker thread. */
static void close_run(struct rd_work *work)
{
	struct rd_file *file = RD_CONTAINER_OF(work, struct rd_file, work);

	file->close_res = close(file->fd) < 0 ? -errno : 0;
}

static void close_done(struct rd_work *work)
{
	struct rd_file *file = RD_CONTAINER_OF(work, struct rd_file, work);
	void (*closed)(void *arg, int res) = file->closed;
	void *arg = file->closed_arg;
	int res = file->close_res;

	file->fd = -1;
	rd_charge_give(&file->charge);
	rd_node_finish(&file->node);	/* the tag's CQE comes before that of the CLOSE */
	if (closed)
		closed(arg, res);
}

/*
 * The client has another descriptor of it, as a rule, so this is no close that takes long; and it may wait for the end of a pipe when
 * it sees our CQE.
 */
static bool closes_here(const struct rd_file *file)
{
	if (file->flags & RD_FILE_LENT)
		return true;
	return (file->flags & RD_FILE_DUP) && !(file->flags & RD_FILE_SLOW);
}

static void file_close(struct rd_file *file)
{
	bool kept = false;

	/* while the descriptor is open: so this is not what closes the file */
	if (file->ring_slot && file->engine->uring)
		rd_uring_file_remove(file->engine->uring, file->ring_slot);
	file->ring_slot = 0;
	if (file->engine->reactor)
		rd_watched_forget(&file->watched, file->engine->reactor);
	file->close_res = 0;
	if ((file->flags & (RD_FILE_DUP | RD_FILE_LENT)) && file->engine->let_go)
		kept = file->engine->let_go(file->engine, file);
	if (kept || closes_here(file)) {
		if (!kept)
			close_run(&file->work);
		close_done(&file->work);
		return;
	}
	file->work.run = close_run;
	file->work.done = close_done;
	file->work.unbounded = !(file->flags & (RD_FILE_REG | RD_FILE_DIR)) || (file->flags & RD_FILE_SLOW);
	if (file->engine->workers) {
		rd_workers_queue(file->engine->workers, &file->work);
		return;
	}
	/* the pool has already ended: nobody is left who could be kept waiting */
	close_run(&file->work);
	close_done(&file->work);
}

int rd_file_reserve(struct rd_file **ret, struct rd_engine *engine)
{
	struct rd_file *file;
	struct rd_charge charge;
	int r;

	r = rd_charge_take(&charge, &engine->user, RINGD_LIMIT_FILES, 1);
	if (r < 0)
		return r;
	file = calloc(1, sizeof(*file));
	if (!file) {
		rd_charge_give(&charge);
		return -ENOMEM;
	}
	file->node.refs = 1;
	file->node.free = file_free;
	rd_watched_init(&file->watched);
	file->fd = -1;
	file->engine = engine;
	file->charge = charge;
	*ret = file;
	return 0;
}

void rd_file_unreserve(struct rd_file *file)
{
	if (!file)
		return;
	rd_charge_give(&file->charge);
	free(file);
}

void rd_file_fill(struct rd_file *file, int fd, uint32_t flags)
{
	file->fd = fd;
	file->flags = flags;
}

int rd_file_new(struct rd_file **ret, struct rd_engine *engine, int fd)
{
	struct rd_file *file;
	int r;

	r = rd_file_reserve(&file, engine);
	if (r < 0)
		return r;
	r = file_probe(file, fd);
	if (r < 0) {
		rd_file_unreserve(file);
		return r;
	}
	file->fd = fd;
	*ret = file;
	return 0;
}

/* --- sockets of our own --- */

/* Of its status flags this is the only one that can be set at all. It asks nobody. */
static void set_nonblock(const struct rd_file *file, bool on)
{
	(void)fcntl(file->fd, F_SETFL, on ? O_NONBLOCK : 0);
}

bool rd_file_quiet(struct rd_file *file)
{
	if (!(file->flags & RD_FILE_OURS))
		return false;
	if (!(file->flags & (RD_FILE_NONBLOCK | RD_FILE_QUIET))) {
		set_nonblock(file, true);
		file->flags |= RD_FILE_QUIET;
	}
	return true;
}

void rd_file_loud(struct rd_file *file)
{
	if (!(file->flags & RD_FILE_QUIET))
		return;
	set_nonblock(file, false);
	file->flags &= ~RD_FILE_QUIET;
}

void rd_file_share(struct rd_file *file)
{
	rd_file_loud(file);
	file->flags &= ~(RD_FILE_OURS | RD_FILE_NONBLOCK);
}

void rd_file_heat(struct rd_file *file)
{
	int slot;

	if (file->heat == RD_FILE_HOT || ++file->heat < RD_FILE_HOT || !file->engine->uring)
		return;
	slot = rd_uring_file_add(file->engine->uring, file->fd);
	if (slot > 0)
		file->ring_slot = (uint16_t)slot;
}

void rd_file_put(struct rd_file *file)
{
	if (--file->node.refs == 0)
		file_close(file);
}

bool rd_file_put_notify(struct rd_file *file, void (*closed)(void *arg, int res), void *arg)
{
	if (--file->node.refs)
		return false;
	if (closes_here(file)) {
		file_close(file);
		return false;
	}
	file->closed = closed;
	file->closed_arg = arg;
	file_close(file);
	return true;
}

/* Neither a kernel that cannot tell nor a container that does not let it: the same inode, opened alike. Of sockets that is exact. */
static bool looks_same(int a, int b)
{
	struct statx sa, sb;

	if (fcntl(a, F_GETFL) != fcntl(b, F_GETFL) ||
	    statx(a, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &sa) < 0 ||
	    statx(b, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &sb) < 0)
		return false;
	/* anonymous inodes are all one */
	return (sa.stx_mode & S_IFMT) && sa.stx_ino == sb.stx_ino && sa.stx_dev_major == sb.stx_dev_major &&
	       sa.stx_dev_minor == sb.stx_dev_minor;
}

bool rd_file_is(const struct rd_file *file, int fd)
{
	pid_t self = getpid();
	int r = fcntl(file->fd, RD_F_DUPFD_QUERY, fd);

	if (r >= 0)
		return r;
	if (syscall(SYS_kcmp, self, self, KCMP_FILE, file->fd, fd) == 0)
		return true;
	return (errno == EPERM || errno == ENOSYS) && looks_same(file->fd, fd);
}

bool rd_file_same(const struct rd_file *a, const struct rd_file *b)
{
	return a == b || (!((a->flags ^ b->flags) & RD_FILE_KIND) && a->hash == b->hash && rd_file_is(a, b->fd));
}
