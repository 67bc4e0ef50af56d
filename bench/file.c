/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that reads and writes go to. Its blocks are really written: a hole would measure the zero page. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "daemon/common/util.h"

#define FILL_CHUNK	(1u << 20)

static char created[PATH_MAX];	/* path of our own file, "" if there is none */
static pid_t creator;

static int fill(int fd, uint64_t size)
{
	RD_FREE unsigned char *buf = malloc(FILL_CHUNK);
	uint64_t x = 88172645463325252u;

	if (!buf)
		return -ENOMEM;
	for (unsigned int i = 0; i < FILL_CHUNK; i++) {	/* not compressible, in case the file system would */
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf[i] = (unsigned char)x;
	}
	for (uint64_t off = 0; off < size;) {
		ssize_t n = pwrite(fd, buf, RD_MIN(size - off, FILL_CHUNK), (off_t)off);

		if (n < 0)
			return -errno;
		off += (uint64_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int create(struct bench_opts *o)
{
	const char *dir = getenv("TMPDIR");
	RD_CLOSE int fd = -1;

	if (snprintf(created, sizeof(created), "%s/ringbench.XXXXXX", dir && *dir ? dir : "/var/tmp") >= (int)sizeof(created)) {
		created[0] = 0;
		return -ENAMETOOLONG;
	}
	fd = mkstemp(created);
	if (fd < 0) {
		created[0] = 0;
		return -errno;
	}
	creator = getpid();
	o->file = created;
	if (!bench_op_transfers(o->op))
		o->file_size = o->bs;	/* nobody reads it */
	return fill(fd, o->file_size);
}

/* A named file that has nothing to lose is filled, too, and stays. -EEXIST: it has. */
static int fill_named(const struct bench_opts *o)
{
	RD_CLOSE int fd = open(o->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size)
		return -EEXIST;
	return fill(fd, o->file_size);
}

static int size_of(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*size = (uint64_t)st.st_size;
	return 0;
}

/* Read what will be read once, so that a cached run does not measure the disk. */
static int warm(int fd, uint64_t size)
{
	RD_FREE char *buf = malloc(FILL_CHUNK);

	if (!buf)
		return -ENOMEM;
	for (uint64_t off = 0; off < size;) {
		ssize_t n = pread(fd, buf, FILL_CHUNK, (off_t)off);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		off += (uint64_t)n;
	}
	return 0;
}

int bench_file_prepare(struct bench_opts *o)
{
	RD_CLOSE int fd = -1;
	uint64_t size;
	int r = 0;

	if (!o->file)
		r = create(o);
	else if (o->op == BENCH_WRITE && !o->overwrite)
		r = fill_named(o);
	if (r < 0)
		return r;
	fd = open(o->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = size_of(fd, &size);
	if (r < 0)
		return r;
	if (size < o->file_size)
		o->file_size = size;
	if (!bench_op_transfers(o->op))
		return 0;
	if (o->file_size < o->bs)
		return -ENODATA;
	return o->direct ? 0 : warm(fd, o->file_size);
}

void bench_file_cleanup(void)
{
	if (created[0] && creator == getpid())
		unlink(created);
	created[0] = 0;
}
