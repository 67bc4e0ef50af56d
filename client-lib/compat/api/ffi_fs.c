/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liburing-ffi: names, descriptors and attributes of files. */
#include <fcntl.h>
#include <linux/openat2.h>

#include "client-lib/compat/api/ffi_private.h"

void io_uring_prep_openat(struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode)
{
	rd_prep(sqe, RINGD_OP_OPENAT, dfd, path, mode, 0);
	sqe->open_flags = (uint32_t)flags;
}

void io_uring_prep_openat_direct(struct ringd_sqe *sqe, int dfd, const char *path, int flags, mode_t mode,
				 unsigned int file_index)
{
	io_uring_prep_openat(sqe, dfd, path, flags, mode);
	rd_prep_slot(sqe, file_index);
}

void io_uring_prep_open(struct ringd_sqe *sqe, const char *path, int flags, mode_t mode)
{
	io_uring_prep_openat(sqe, AT_FDCWD, path, flags, mode);
}

void io_uring_prep_open_direct(struct ringd_sqe *sqe, const char *path, int flags, mode_t mode, unsigned int file_index)
{
	io_uring_prep_openat_direct(sqe, AT_FDCWD, path, flags, mode, file_index);
}

void io_uring_prep_openat2(struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how)
{
	rd_prep(sqe, RINGD_OP_OPENAT2, dfd, path, sizeof(*how), rd_prep_ptr(how));
}

void io_uring_prep_openat2_direct(struct ringd_sqe *sqe, int dfd, const char *path, const struct open_how *how,
				  unsigned int file_index)
{
	io_uring_prep_openat2(sqe, dfd, path, how);
	rd_prep_slot(sqe, file_index);
}

void io_uring_prep_close(struct ringd_sqe *sqe, int fd)
{
	rd_prep(sqe, RINGD_OP_CLOSE, fd, NULL, 0, 0);
}

void io_uring_prep_close_direct(struct ringd_sqe *sqe, unsigned int file_index)
{
	io_uring_prep_close(sqe, 0);
	sqe->file_index = file_index + 1;
}

void io_uring_prep_files_update(struct ringd_sqe *sqe, int *fds, unsigned int nr_fds, int offset)
{
	rd_prep(sqe, RINGD_OP_FILES_UPDATE, -1, fds, nr_fds, (uint64_t)offset);
}

void io_uring_prep_fixed_fd_install(struct ringd_sqe *sqe, int fd, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_FIXED_FD_INSTALL, fd, NULL, 0, 0);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->install_fd_flags = flags;
}

void io_uring_prep_pipe(struct ringd_sqe *sqe, int *fds, int pipe_flags)
{
	rd_prep(sqe, RINGD_OP_PIPE, 0, fds, 0, 0);
	sqe->pipe_flags = (uint32_t)pipe_flags;
}

void io_uring_prep_pipe_direct(struct ringd_sqe *sqe, int *fds, int pipe_flags, unsigned int file_index)
{
	io_uring_prep_pipe(sqe, fds, pipe_flags);
	rd_prep_slot(sqe, file_index);
}

void io_uring_prep_statx(struct ringd_sqe *sqe, int dfd, const char *path, int flags, unsigned int mask,
			 struct statx *statxbuf)
{
	rd_prep(sqe, RINGD_OP_STATX, dfd, path, mask, rd_prep_ptr(statxbuf));
	sqe->statx_flags = (uint32_t)flags;
}

void io_uring_prep_unlinkat(struct ringd_sqe *sqe, int dfd, const char *path, int flags)
{
	rd_prep(sqe, RINGD_OP_UNLINKAT, dfd, path, 0, 0);
	sqe->unlink_flags = (uint32_t)flags;
}

void io_uring_prep_unlink(struct ringd_sqe *sqe, const char *path, int flags)
{
	io_uring_prep_unlinkat(sqe, AT_FDCWD, path, flags);
}

/* The second directory is in len, the second name in off. */
void io_uring_prep_renameat(struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd, const char *newpath,
			    unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_RENAMEAT, olddfd, oldpath, (uint32_t)newdfd, rd_prep_ptr(newpath));
	sqe->rename_flags = flags;
}

void io_uring_prep_rename(struct ringd_sqe *sqe, const char *oldpath, const char *newpath)
{
	io_uring_prep_renameat(sqe, AT_FDCWD, oldpath, AT_FDCWD, newpath, 0);
}

void io_uring_prep_mkdirat(struct ringd_sqe *sqe, int dfd, const char *path, mode_t mode)
{
	rd_prep(sqe, RINGD_OP_MKDIRAT, dfd, path, mode, 0);
}

void io_uring_prep_mkdir(struct ringd_sqe *sqe, const char *path, mode_t mode)
{
	io_uring_prep_mkdirat(sqe, AT_FDCWD, path, mode);
}

void io_uring_prep_symlinkat(struct ringd_sqe *sqe, const char *target, int newdirfd, const char *linkpath)
{
	rd_prep(sqe, RINGD_OP_SYMLINKAT, newdirfd, target, 0, rd_prep_ptr(linkpath));
}

void io_uring_prep_symlink(struct ringd_sqe *sqe, const char *target, const char *linkpath)
{
	io_uring_prep_symlinkat(sqe, target, AT_FDCWD, linkpath);
}

void io_uring_prep_linkat(struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd, const char *newpath, int flags)
{
	rd_prep(sqe, RINGD_OP_LINKAT, olddfd, oldpath, (uint32_t)newdfd, rd_prep_ptr(newpath));
	sqe->hardlink_flags = (uint32_t)flags;
}

void io_uring_prep_link(struct ringd_sqe *sqe, const char *oldpath, const char *newpath, int flags)
{
	io_uring_prep_linkat(sqe, AT_FDCWD, oldpath, AT_FDCWD, newpath, flags);
}

/* The name is in addr, the value in off; the file is fd, or a path in addr3. */
static void xattr(struct ringd_sqe *sqe, uint8_t op, int fd, const char *name, const char *value, int flags, unsigned int len)
{
	rd_prep(sqe, op, fd, name, len, rd_prep_ptr(value));
	sqe->xattr_flags = (uint32_t)flags;
}

void io_uring_prep_getxattr(struct ringd_sqe *sqe, const char *name, char *value, const char *path, unsigned int len)
{
	xattr(sqe, RINGD_OP_GETXATTR, 0, name, value, 0, len);
	sqe->addr3 = rd_prep_ptr(path);
}

void io_uring_prep_setxattr(struct ringd_sqe *sqe, const char *name, const char *value, const char *path, int flags,
			    unsigned int len)
{
	xattr(sqe, RINGD_OP_SETXATTR, 0, name, value, flags, len);
	sqe->addr3 = rd_prep_ptr(path);
}

void io_uring_prep_fgetxattr(struct ringd_sqe *sqe, int fd, const char *name, char *value, unsigned int len)
{
	xattr(sqe, RINGD_OP_FGETXATTR, fd, name, value, 0, len);
}

void io_uring_prep_fsetxattr(struct ringd_sqe *sqe, int fd, const char *name, const char *value, int flags,
			     unsigned int len)
{
	xattr(sqe, RINGD_OP_FSETXATTR, fd, name, value, flags, len);
}
