/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of sockets. Those of AF_UNIX may be paths, which mean what they would mean to the client: they are resolved on
 * a worker, from its working directory, and what they create gets its umask.
 */
#ifndef RD_SOCKNAME_H
#define RD_SOCKNAME_H

#include <sys/socket.h>

#include "../request/request.h"

/* A copy of the client's address, with a NUL behind it. len as in an SQE. -EINVAL, -EFAULT, -EDQUOT, -ENOMEM. */
int rd_sockname_copy(struct sockaddr **ret, struct rd_req *req, uint64_t addr, uint32_t len);
/* Is this, for this socket, a name in the file system? Then the work that uses it goes to a worker. */
bool rd_sockname_is_path(const struct rd_file *file, const struct sockaddr *addr, uint32_t len);
/* Where such a name starts: as rd_path_at(). */
int rd_sockname_at(struct rd_req *req, const struct sockaddr *addr, struct rd_mem **owner);

/*
 * Worker thread. Look at what the path leads to, or (make) at the directory it is to be made in: -EACCES, -ELOOP, ... Then let
 * system calls of this thread resolve it as the client would, until rd_sockname_leave(at), which comes in every case.
 */
int rd_sockname_enter(int at, const struct sockaddr *addr, bool make, uint32_t mask);
void rd_sockname_leave(int at);

#endif
