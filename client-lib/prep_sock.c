/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs: sockets, and who is at the other end. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "prep.h"

/* --- names of sockets --- */

/* The path of a name in the file system, whose first byte it has. NULL: it is another kind of name. */
static const char *path_of(const struct sockaddr *addr, socklen_t len)
{
	const char *path = (const char *)addr + offsetof(struct sockaddr_un, sun_path);

	return len > offsetof(struct sockaddr_un, sun_path) && addr->sa_family == AF_UNIX && path[0] ? path : NULL;
}

bool rdl_prep_name(struct ringd_ring *ring, struct ringd_sqe *sqe, char *room, const struct sockaddr *addr, socklen_t len,
		   uint64_t *at)
{
	const char *path;

	*at = address(addr);	/* nothing to copy: -EFAULT, or -EINVAL for one that is too long */
	if (!addr || len > RDL_NAME_ROOM)
		return true;
	path = path_of(addr, len);
	if (path && path[0] != '/' && !rdl_prep_cwd(ring, sqe, AT_FDCWD, "."))
		return false;
	memcpy(room, addr, len);
	*at = address(room);
	return true;
}

static void prep_named(struct ringd_ring *ring, struct ringd_sqe *sqe, uint8_t opcode, int fd, const struct sockaddr *addr,
		       socklen_t addrlen)
{
	uint64_t at;

	prep(sqe, opcode, fd, 0, 0, addrlen);
	if (rdl_prep_name(ring, sqe, rdl_scratch(ring, sqe, RDL_NAME_ROOM), addr, addrlen, &at))
		sqe->addr = at;
}

void ringd_prep_bind(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen)
{
	prep_named(ring, sqe, RINGD_OP_BIND, fd, addr, addrlen);
	if (sqe->opcode == RINGD_OP_BIND && addr && path_of(addr, addrlen))
		sqe->addr3 = RINGD_BIND_UMASK | rdl_umask();
}

void ringd_prep_connect(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct sockaddr *addr,
			socklen_t addrlen)
{
	prep_named(ring, sqe, RINGD_OP_CONNECT, fd, addr, addrlen);
}

/* --- new sockets --- */

static void prep_socket(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags)
{
	prep(sqe, RINGD_OP_SOCKET, domain, 0, (uint32_t)protocol, (uint32_t)type);
	sqe->rw_flags = flags;
}

void ringd_prep_socket(struct ringd_ring *ring, struct ringd_sqe *sqe, int domain, int type, int protocol,
		       unsigned int flags)
{
	if (rdl_prep_channel(ring, sqe))
		prep_socket(sqe, domain, type, protocol, flags);
}

void ringd_prep_socket_direct(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int slot,
			      unsigned int flags)
{
	prep_socket(sqe, domain, type, protocol, flags);
	sqe->file_index = file_index(slot);
}

void ringd_prep_socket_direct_alloc(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags)
{
	ringd_prep_socket_direct(sqe, domain, type, protocol, RINGD_FILE_INDEX_ALLOC, flags);
}

static void prep_accept(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags)
{
	prep(sqe, RINGD_OP_ACCEPT, fd, address(addr), 0, address(addrlen));
	sqe->accept_flags = (uint32_t)flags;
}

void ringd_prep_accept(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen,
		       int flags)
{
	if (rdl_prep_channel(ring, sqe))
		prep_accept(sqe, fd, addr, addrlen, flags);
}

void ringd_prep_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags,
			      unsigned int slot)
{
	prep_accept(sqe, fd, addr, addrlen, flags);
	sqe->file_index = file_index(slot);
}

void ringd_prep_multishot_accept(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, struct sockaddr *addr,
				 socklen_t *addrlen, int flags)
{
	if (!rdl_prep_channel(ring, sqe))
		return;
	prep_accept(sqe, fd, addr, addrlen, flags);
	sqe->ioprio |= RINGD_ACCEPT_MULTISHOT;
}

void ringd_prep_multishot_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags)
{
	ringd_prep_accept_direct(sqe, fd, addr, addrlen, flags, RINGD_FILE_INDEX_ALLOC);
	sqe->ioprio |= RINGD_ACCEPT_MULTISHOT;
}

/* --- the rest --- */

void ringd_prep_listen(struct ringd_sqe *sqe, int fd, int backlog)
{
	prep(sqe, RINGD_OP_LISTEN, fd, 0, (uint32_t)backlog, 0);
}

void ringd_prep_shutdown(struct ringd_sqe *sqe, int fd, int how)
{
	prep(sqe, RINGD_OP_SHUTDOWN, fd, 0, (uint32_t)how, 0);
}
