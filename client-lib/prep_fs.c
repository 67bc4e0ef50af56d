/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs: names, extended attributes, advice, pipes, epoll sets, commands. Input is copied to the scratch area if it fits. */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "prep.h"

#define NAME_ROOM	256u		/* of an attribute, with its end */
#define VALUE_MAX	8192u		/* longer ones must be in an arena */
#define FDS_MAX		(RINGD_SCRATCH_PER_SQE / sizeof(int32_t))

_Static_assert(NAME_ROOM + VALUE_MAX + RDL_PATH_ROOM <= RINGD_SCRATCH_PER_SQE, "the longest input fits");
_Static_assert(2 * RDL_PATH_ROOM <= RINGD_SCRATCH_PER_SQE, "two paths fit");

/* NULL stays address 0, which is -EFAULT. */
static uint64_t put_path(char *dst, const char *path)
{
	if (!path)
		return 0;
	rdl_copy_path(dst, path);
	return address(dst);
}

static void prep_one(struct ringd_ring *ring, struct ringd_sqe *sqe, uint8_t opcode, int dfd, const char *path,
		     uint32_t len, uint32_t flags)
{
	prep(sqe, opcode, dfd, 0, len, 0);
	if (!rdl_prep_cwd(ring, sqe, dfd, path))
		return;
	sqe->addr = put_path(rdl_scratch(ring, sqe, RDL_PATH_ROOM), path);
	sqe->unlink_flags = flags;
}

static void prep_two(struct ringd_ring *ring, struct ringd_sqe *sqe, uint8_t opcode, int olddfd, const char *oldpath,
		     int newdfd, const char *newpath, uint32_t flags)
{
	char *copy;

	prep(sqe, opcode, olddfd, 0, (uint32_t)newdfd, 0);
	if (!rdl_prep_cwd(ring, sqe, olddfd, oldpath) || !rdl_prep_cwd(ring, sqe, newdfd, newpath))
		return;
	copy = rdl_scratch(ring, sqe, 2 * RDL_PATH_ROOM);
	sqe->addr = put_path(copy, oldpath);
	sqe->addr2 = put_path(copy + RDL_PATH_ROOM, newpath);
	sqe->rename_flags = flags;
}

void ringd_prep_renameat(struct ringd_ring *ring, struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd,
			 const char *newpath, unsigned int flags)
{
	prep_two(ring, sqe, RINGD_OP_RENAMEAT, olddfd, oldpath, newdfd, newpath, flags);
}

void ringd_prep_linkat(struct ringd_ring *ring, struct ringd_sqe *sqe, int olddfd, const char *oldpath, int newdfd,
		       const char *newpath, int flags)
{
	prep_two(ring, sqe, RINGD_OP_LINKAT, olddfd, oldpath, newdfd, newpath, (uint32_t)flags);
}

void ringd_prep_unlinkat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, int flags)
{
	prep_one(ring, sqe, RINGD_OP_UNLINKAT, dfd, path, 0, (uint32_t)flags);
}

void ringd_prep_mkdirat(struct ringd_ring *ring, struct ringd_sqe *sqe, int dfd, const char *path, mode_t mode)
{
	prep_one(ring, sqe, RINGD_OP_MKDIRAT, dfd, path, mode & ~rdl_umask(), 0);
}

void ringd_prep_symlinkat(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *target, int newdfd,
			  const char *linkpath)
{
	char *copy;

	prep(sqe, RINGD_OP_SYMLINKAT, newdfd, 0, 0, 0);
	if (!rdl_prep_cwd(ring, sqe, newdfd, linkpath))
		return;
	copy = rdl_scratch(ring, sqe, 2 * RDL_PATH_ROOM);
	sqe->addr = put_path(copy, target);
	sqe->addr2 = put_path(copy + RDL_PATH_ROOM, linkpath);
}

/* --- extended attributes --- */

/* The name goes to the start of the block; one that is too long loses its end, and so is -ERANGE. Returns the room behind it. */
static char *put_attr(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *name)
{
	char *copy = rdl_scratch(ring, sqe, NAME_ROOM + VALUE_MAX + RDL_PATH_ROOM);
	size_t len = name ? strnlen(name, NAME_ROOM - 1) + 1 : 0;

	if (name) {
		memcpy(copy, name, len);
		sqe->addr = address(copy);
	}
	return copy + NAME_ROOM;
}

static void put_value(struct ringd_sqe *sqe, char *room, const void *value, unsigned int len)
{
	sqe->addr2 = address(value);
	if (!value || !len || len > VALUE_MAX)
		return;
	memcpy(room, value, len);
	sqe->addr2 = address(room);
}

void ringd_prep_fsetxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const char *name, const void *value,
			  int flags, unsigned int len)
{
	prep(sqe, RINGD_OP_FSETXATTR, fd, 0, len, 0);
	sqe->xattr_flags = (uint32_t)flags;
	put_value(sqe, put_attr(ring, sqe, name), value, len);
}

void ringd_prep_fgetxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const char *name, void *value,
			  unsigned int len)
{
	prep(sqe, RINGD_OP_FGETXATTR, fd, 0, len, address(value));
	put_attr(ring, sqe, name);
}

void ringd_prep_setxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *name, const void *value,
			 const char *path, int flags, unsigned int len)
{
	char *room;

	prep(sqe, RINGD_OP_SETXATTR, 0, 0, len, 0);
	if (!rdl_prep_cwd(ring, sqe, AT_FDCWD, path))
		return;
	sqe->xattr_flags = (uint32_t)flags;
	room = put_attr(ring, sqe, name);
	put_value(sqe, room, value, len);
	sqe->addr3 = put_path(room + VALUE_MAX, path);
}

void ringd_prep_getxattr(struct ringd_ring *ring, struct ringd_sqe *sqe, const char *name, void *value, const char *path,
			 unsigned int len)
{
	prep(sqe, RINGD_OP_GETXATTR, 0, 0, len, address(value));
	if (!rdl_prep_cwd(ring, sqe, AT_FDCWD, path))
		return;
	sqe->addr3 = put_path(put_attr(ring, sqe, name) + VALUE_MAX, path);
}

/* --- advice --- */

void ringd_prep_fadvise(struct ringd_sqe *sqe, int fd, uint64_t offset, uint64_t len, int advice)
{
	prep(sqe, RINGD_OP_FADVISE, fd, len, 0, offset);
	sqe->fadvise_advice = (uint32_t)advice;
}

void ringd_prep_madvise(struct ringd_sqe *sqe, void *addr, uint64_t len, int advice)
{
	prep(sqe, RINGD_OP_MADVISE, -1, address(addr), 0, len);
	sqe->fadvise_advice = (uint32_t)advice;
}

/* --- pipes, epoll sets, the file table --- */

void ringd_prep_splice(struct ringd_sqe *sqe, int fd_in, int64_t off_in, int fd_out, int64_t off_out, unsigned int nbytes,
		       unsigned int flags)
{
	prep(sqe, RINGD_OP_SPLICE, fd_out, 0, nbytes, (uint64_t)off_out);
	sqe->splice_off_in = (uint64_t)off_in;
	sqe->splice_fd_in = fd_in;
	sqe->splice_flags = flags;
}

void ringd_prep_tee(struct ringd_sqe *sqe, int fd_in, int fd_out, unsigned int nbytes, unsigned int flags)
{
	prep(sqe, RINGD_OP_TEE, fd_out, 0, nbytes, 0);
	sqe->splice_fd_in = fd_in;
	sqe->splice_flags = flags;
}

void ringd_prep_epoll_ctl(struct ringd_ring *ring, struct ringd_sqe *sqe, int epfd, int fd, int op,
			  const struct epoll_event *event)
{
	struct epoll_event *copy;

	prep(sqe, RINGD_OP_EPOLL_CTL, epfd, 0, (uint32_t)op, (uint32_t)fd);
	if (!event)
		return;
	copy = rdl_scratch(ring, sqe, sizeof(*copy));
	*copy = *event;
	sqe->addr = address(copy);
}

void ringd_prep_files_update(struct ringd_ring *ring, struct ringd_sqe *sqe, int *fds, unsigned int nr_fds, unsigned int slot)
{
	void *copy;

	prep(sqe, RINGD_OP_FILES_UPDATE, -1, address(fds), nr_fds, slot);
	/* slot numbers are written back to where the list is */
	if (!fds || !nr_fds || nr_fds > FDS_MAX || slot == RINGD_FILE_INDEX_ALLOC)
		return;
	copy = rdl_scratch(ring, sqe, nr_fds * sizeof(*fds));
	memcpy(copy, fds, nr_fds * sizeof(*fds));
	sqe->addr = address(copy);
}

/* --- commands --- */

static void prep_cmd(struct ringd_sqe *sqe, uint32_t cmd_op, int fd)
{
	prep(sqe, RINGD_OP_URING_CMD, fd, 0, 0, 0);
	sqe->cmd_op = cmd_op;
}

void ringd_prep_cmd_sock(struct ringd_ring *ring, struct ringd_sqe *sqe, int cmd_op, int fd, int level, int optname,
			 void *optval, int optlen)
{
	prep_cmd(sqe, (uint32_t)cmd_op, fd);
	sqe->level = (uint32_t)level;
	sqe->optname = (uint32_t)optname;
	sqe->optval = address(optval);
	sqe->optlen = (uint32_t)optlen;
	if ((uint32_t)cmd_op != RINGD_SOCKET_OP_SETSOCKOPT || !optval || optlen <= 0 || optlen > (int)VALUE_MAX)
		return;
	sqe->optval = address(memcpy(rdl_scratch(ring, sqe, (size_t)optlen), optval, (size_t)optlen));
}

void ringd_prep_cmd_getsockname(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int peer)
{
	prep_cmd(sqe, RINGD_SOCKET_OP_GETSOCKNAME, fd);
	sqe->addr = address(addr);
	sqe->addr3 = address(addrlen);
	sqe->optlen = (uint32_t)peer;
}

void ringd_prep_cmd_discard(struct ringd_sqe *sqe, int fd, uint64_t offset, uint64_t nbytes)
{
	prep_cmd(sqe, RINGD_BLOCK_OP_DISCARD, fd);
	sqe->addr = offset;
	sqe->addr3 = nbytes;
}
