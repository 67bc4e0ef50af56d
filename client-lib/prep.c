/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fill SQEs. A prep writes every member that its operation may look at but flags, ioprio, personality and user_data,
 * which are the caller's. Input that an SQE only points to is copied to the scratch area.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "prep.h"

void ringd_prep_nop(struct ringd_sqe *sqe)
{
	prep(sqe, RINGD_OP_NOP, -1, 0, 0, 0);
}

void ringd_prep_nop128(struct ringd_sqe *sqe)
{
	prep(sqe, RINGD_OP_NOP128, -1, 0, 0, 0);
}

void ringd_prep_read(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset)
{
	prep(sqe, RINGD_OP_READ, fd, address(buf), nbytes, offset);
}

void ringd_prep_write(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset)
{
	prep(sqe, RINGD_OP_WRITE, fd, address(buf), nbytes, offset);
}

void ringd_prep_read_fixed(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset, int buf_index)
{
	prep(sqe, RINGD_OP_READ_FIXED, fd, address(buf), nbytes, offset);
	sqe->buf_index = (uint16_t)buf_index;
}

void ringd_prep_write_fixed(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset,
			    int buf_index)
{
	prep(sqe, RINGD_OP_WRITE_FIXED, fd, address(buf), nbytes, offset);
	sqe->buf_index = (uint16_t)buf_index;
}

static void prep_vec(struct ringd_ring *ring, struct ringd_sqe *sqe, uint8_t opcode, int fd, const struct iovec *iov,
		     unsigned int nr, uint64_t offset, int rwf)
{
	uint64_t *copy;

	prep(sqe, opcode, fd, 0, nr, offset);
	sqe->rw_flags = (uint32_t)rwf;
	if (!iov || !nr || nr > RINGD_MAX_IOVECS)
		return;
	_Static_assert(RINGD_MAX_IOVECS * 2 * sizeof(uint64_t) <= RINGD_SCRATCH_PER_SQE, "the longest array fits");
	copy = rdl_scratch(ring, sqe, nr * 2 * sizeof(*copy));
	for (unsigned int i = 0; i < nr; i++) {
		copy[2 * i] = address(iov[i].iov_base);
		copy[2 * i + 1] = iov[i].iov_len;
	}
	sqe->addr = address(copy);
}

void ringd_prep_readv(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov, unsigned int nr_vecs,
		      uint64_t offset, int rwf)
{
	prep_vec(ring, sqe, RINGD_OP_READV, fd, iov, nr_vecs, offset, rwf);
}

void ringd_prep_writev(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov, unsigned int nr_vecs,
		       uint64_t offset, int rwf)
{
	prep_vec(ring, sqe, RINGD_OP_WRITEV, fd, iov, nr_vecs, offset, rwf);
}

void rdl_copy_path(char *dst, const char *path)
{
	size_t len = strnlen(path, PATH_MAX);

	memcpy(dst, path, len);
	if (len < PATH_MAX)
		dst[len] = 0;
	else
		dst[len] = 'x';
}

bool rdl_prep_cwd(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path)
{
	int r;

	if (dfd != AT_FDCWD || !path || path[0] == '/')
		return true;
	r = rdl_tell_cwd(ring->rd);
	if (r < 0)
		prep_error(sqe, r);
	return r >= 0;
}

/*
 * Everything that has a path: addr is its copy, with extra bytes of room behind it, 8-aligned, or NULL. False: there is
 * nothing to add, the SQE is complete (path NULL stays address 0, which the engine answers with -EFAULT).
 */
static bool prep_path(struct ringd_ring *ring, struct ringd_sqe *sqe, uint8_t opcode, int dfd, const char *path,
		      uint32_t len, void **extra)
{
	char *copy;

	prep(sqe, opcode, dfd, 0, len, 0);
	if (!rdl_prep_cwd(ring, sqe, dfd, path))
		return false;
	_Static_assert(sizeof(struct open_how) + RDL_PATH_ROOM <= RINGD_SCRATCH_PER_SQE, "the longest path fits");
	copy = rdl_scratch(ring, sqe, sizeof(struct open_how) + RDL_PATH_ROOM);
	if (path) {
		rdl_copy_path(copy + sizeof(struct open_how), path);
		sqe->addr = address(copy + sizeof(struct open_how));
	}
	*extra = copy;
	return true;
}

static bool creates(uint64_t flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static void prep_openat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode)
{
	void *extra;

	if (creates((uint64_t)flags))
		mode &= ~rdl_umask();
	if (prep_path(ring, sqe, RINGD_OP_OPENAT, dfd, path, mode, &extra))
		sqe->open_flags = (uint32_t)flags;
}

void ringd_prep_openat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode)
{
	if (rdl_prep_channel(ring, sqe))
		prep_openat(ring, sqe, dfd, path, flags, mode);
}

void ringd_prep_openat_direct(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags,
			      mode_t mode, unsigned int slot)
{
	prep_openat(ring, sqe, dfd, path, flags, mode);
	if (sqe->opcode == RINGD_OP_OPENAT)
		sqe->file_index = file_index(slot);
}

static void prep_openat2(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how)
{
	struct open_how *copy;
	void *extra;

	if (!prep_path(ring, sqe, RINGD_OP_OPENAT2, dfd, path, sizeof(*how), &extra) || !how)
		return;
	copy = extra;
	*copy = *how;
	if (creates(how->flags))
		copy->mode &= ~(uint64_t)rdl_umask();
	sqe->addr2 = address(extra);
}

void ringd_prep_openat2(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how)
{
	if (rdl_prep_channel(ring, sqe))
		prep_openat2(ring, sqe, dfd, path, how);
}

void ringd_prep_openat2_direct(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path,
			       const struct open_how *how, unsigned int slot)
{
	prep_openat2(ring, sqe, dfd, path, how);
	if (sqe->opcode == RINGD_OP_OPENAT2)
		sqe->file_index = file_index(slot);
}

void ringd_prep_close(struct ringd_sqe *sqe, int fd)
{
	prep(sqe, RINGD_OP_CLOSE, fd, 0, 0, 0);
}

void ringd_prep_close_direct(struct ringd_sqe *sqe, unsigned int slot)
{
	prep(sqe, RINGD_OP_CLOSE, 0, 0, 0, 0);
	sqe->file_index = file_index(slot);
}

void ringd_prep_statx(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags, unsigned int mask,
		      struct statx *statxbuf)
{
	void *extra;

	if (!prep_path(ring, sqe, RINGD_OP_STATX, dfd, path, mask, &extra))
		return;
	sqe->off = address(statxbuf);
	sqe->statx_flags = (uint32_t)flags;
}

void ringd_prep_fsync(struct ringd_sqe *sqe, int fd, unsigned int fsync_flags)
{
	prep(sqe, RINGD_OP_FSYNC, fd, 0, 0, 0);
	sqe->fsync_flags = fsync_flags;
}

void ringd_prep_sync_file_range(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t offset, int flags)
{
	prep(sqe, RINGD_OP_SYNC_FILE_RANGE, fd, 0, len, offset);
	sqe->sync_range_flags = (uint32_t)flags;
}

void ringd_prep_fallocate(struct ringd_sqe *sqe, int fd, int mode, uint64_t offset, uint64_t len)
{
	prep(sqe, RINGD_OP_FALLOCATE, fd, len, (uint32_t)mode, offset);
}

void ringd_prep_ftruncate(struct ringd_sqe *sqe, int fd, int64_t len)
{
	prep(sqe, RINGD_OP_FTRUNCATE, fd, 0, 0, (uint64_t)len);
}
