/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SOCKET, BIND, LISTEN, SHUTDOWN. Which families there are is the operator's choice; the rest is between the kernel and the
 * tenant, as whom the engine calls it. What may load a module, or look up a path, happens on a worker.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/common/log.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "ops.h"
#include "sockname.h"
#include "../rsrc/stage.h"

#define RD_SOCK_TYPE_MASK	0xf
#define RD_SOCK_TYPES		11	/* the kernel has types below this */
#define RD_UMASK_DEFAULT	077	/* who does not say what its umask is gets a socket that is its own */

/* --- SOCKET --- */

int rd_socket_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_socketop *s = &req->socket;
	int flags;

	if (sqe->addr || sqe->rw_flags || sqe->buf_index)
		return -EINVAL;
	s->domain = sqe->fd;
	s->type = (int)sqe->off;
	s->protocol = (int)sqe->len;
	s->file_index = sqe->file_index;
	s->file = NULL;
	s->fd = -1;
	flags = s->type & ~RD_SOCK_TYPE_MASK;
	if (s->file_index && (flags & SOCK_CLOEXEC))
		return -EINVAL;		/* a slot is not inherited by anybody */
	return flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : 0;
}

static unsigned int family_bit(int domain)
{
	switch (domain) {
	case AF_INET:
		return RD_FAMILY_INET;
	case AF_INET6:
		return RD_FAMILY_INET6;
	case AF_UNIX:
		return RD_FAMILY_UNIX;
	default:
		return 0;
	}
}

static int check_family(struct rd_engine *engine, int domain)
{
	if (family_bit(domain) & engine->cfg.socket_families)
		return 0;
	if (!engine->told_family)
		rd_warn("a client asked for a socket of address family %d, which --socket-families does not allow", domain);
	engine->told_family = true;
	return -EAFNOSUPPORT;
}

/* As the kernel answers who has no privilege, without asking it: it would look for modules, or take another family for this one. */
static int check_type(int type)
{
	type &= RD_SOCK_TYPE_MASK;
	switch (type) {
	case SOCK_STREAM:
	case SOCK_DGRAM:
	case SOCK_RAW:		/* of UNIX a datagram socket, else for who has the capability */
	case SOCK_SEQPACKET:
		return 0;
	case SOCK_PACKET:
		return -EPERM;
	default:
		return type < RD_SOCK_TYPES ? -ESOCKTNOSUPPORT : -EINVAL;
	}
}

/* Is all that it takes in every kernel? Others may have to be loaded first. */
static bool is_plain(const struct rd_socketop *s)
{
	if (s->domain == AF_UNIX)
		return true;
	switch (s->type & RD_SOCK_TYPE_MASK) {
	case SOCK_STREAM:
		return !s->protocol || s->protocol == IPPROTO_TCP;
	case SOCK_DGRAM:
		return !s->protocol || s->protocol == IPPROTO_UDP;
	default:
		return false;
	}
}

static int new_socket(const struct rd_socketop *s)
{
	int fd = socket(s->domain, s->type | SOCK_CLOEXEC, s->protocol);

	return fd < 0 ? -errno : fd;
}

uint32_t rd_socket_flags(uint32_t kind, uint32_t file_index, uint32_t flags)
{
	kind &= RD_FILE_INET | RD_FILE_CARRIER | RD_FILE_BYTES | RD_FILE_RECORDS;
	kind |= RD_FILE_STREAM | RD_FILE_SOCK;
	if (!file_index)
		return kind;
	return kind | RD_FILE_OURS | (flags & SOCK_NONBLOCK ? RD_FILE_NONBLOCK : 0);
}

int rd_socket_install(struct rd_req *req, struct rd_file *file, uint32_t file_index, uint32_t flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_newfds new = { .files = { file }, .n = 1, .cloexec = flags & SOCK_CLOEXEC };

	if (!file_index)
		return host->ops->install(host, req, &new);
	file->fd = rd_private_fd(file->fd);
	req->res = rd_filetable_install(&req->ctx->files, file_index, file);
	if (req->res < 0)
		rd_file_put(file);
	return RD_DONE;
}

static uint32_t kind_of(const struct rd_socketop *s)
{
	uint32_t kind = s->domain == AF_UNIX ? RD_FILE_CARRIER : s->domain == AF_INET || s->domain == AF_INET6 ? RD_FILE_INET : 0;

	switch (s->type & RD_SOCK_TYPE_MASK) {
	case SOCK_STREAM:
		return kind | RD_FILE_BYTES;
	case SOCK_SEQPACKET:
		return kind | RD_FILE_RECORDS;
	default:
		return kind;
	}
}

/* The socket was made: it becomes the client's. */
static int install_socket(struct rd_req *req, int fd)
{
	struct rd_socketop *s = &req->socket;
	struct rd_file *file = rd_steal_ptr(&s->file);

	if (fd < 0) {
		rd_file_unreserve(file);
		req->res = fd;
		return RD_DONE;
	}
	rd_file_fill(file, fd, rd_socket_flags(kind_of(s), s->file_index, (uint32_t)s->type));
	return rd_socket_install(req, file, s->file_index, (uint32_t)s->type);
}

int rd_socket_issue(struct rd_req *req, unsigned int issue_flags)
{
	struct rd_host *host = req->ctx->host;
	struct rd_socketop *s = &req->socket;
	int r;

	r = s->file_index ? 0 : host->ops->can_install(host);
	if (r == 0 && !rd_at_home(req))
		r = check_family(req->ctx->engine, s->domain);
	if (r == 0 && !rd_at_home(req))
		r = check_type(s->type);
	if (r == 0)
		r = rd_file_reserve(&s->file, req->ctx->engine);
	if (r < 0) {
		req->res = r;
		return RD_DONE;
	}
	return is_plain(s) || rd_at_home(req) ? install_socket(req, new_socket(s)) : RD_PUNT;
}

void rd_socket_work(struct rd_req *req)
{
	struct rd_socketop *s = &req->socket;

	s->fd = new_socket(s);
	req->res = RD_MIN(s->fd, 0);
}

int rd_socket_finish(struct rd_req *req)
{
	return install_socket(req, req->res < 0 ? req->res : rd_steal_fd(&req->socket.fd));
}

void rd_socket_cleanup(struct rd_req *req)
{
	struct rd_socketop *s = &req->socket;

	rd_file_unreserve(rd_steal_ptr(&s->file));
	rd_close(rd_steal_fd(&s->fd));	/* nobody has used it: nothing lingers */
}

/* --- BIND --- */

int rd_socket_check(struct rd_req *req)
{
	if (req->file->flags & RD_FILE_SOCK)
		return 0;
	req->outcome = RD_OUT_FAILED;	/* also where the op's own errors are soft */
	return -ENOTSOCK;
}

int rd_bind_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	struct rd_socknameop *n = &req->sockname;

	if (sqe->len || sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	*n = (struct rd_socknameop){ .len = (uint32_t)sqe->addr2, .mask = RD_UMASK_DEFAULT };
	if ((sqe->addr3 & ~(uint64_t)0777) == RINGD_BIND_UMASK)
		n->mask = (uint32_t)sqe->addr3 & 0777;
	return rd_sockname_copy(&n->addr, req, sqe->addr, n->len);
}

int rd_sockname_start(struct rd_req *req)
{
	struct rd_socknameop *n = &req->sockname;
	int r = rd_socket_check(req);

	if (r < 0)
		return r;
	n->at_fs = !rd_at_home(req) && rd_sockname_is_path(req->file, n->addr, n->len);
	if (!n->at_fs)
		return 0;
	r = n->at = rd_sockname_at(req, n->addr, &req->mem);
	return r == AT_FDCWD ? 0 : RD_MIN(r, 0);
}

int rd_bind_issue(struct rd_req *req, unsigned int issue_flags)
{
	const struct rd_socknameop *n = &req->sockname;

	req->res = rd_sockname_start(req);
	if (req->res < 0)
		return RD_DONE;
	/* families that we do not know may do anything, and who shares the socket may hold its lock */
	if (n->at_fs || !((req->file->flags & RD_FILE_OURS) || rd_at_home(req)))
		return RD_PUNT;
	if (bind(req->file->fd, n->addr, n->len) < 0)
		req->res = -errno;
	return RD_DONE;
}

void rd_bind_work(struct rd_req *req)
{
	const struct rd_socknameop *n = &req->sockname;

	req->res = n->at_fs ? rd_sockname_enter(n->at, n->addr, true, n->mask) : 0;
	if (req->res == 0 && bind(req->file->fd, n->addr, n->len) < 0)
		req->res = -errno;
	if (n->at_fs)
		rd_sockname_leave(n->at);
}

void rd_sockname_cleanup(struct rd_req *req)
{
	req->sockname.addr = rd_stage_free(req->sockname.addr);
}

/* --- LISTEN, SHUTDOWN --- */

int rd_listen_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->addr || sqe->addr2 || sqe->buf_index || sqe->rw_flags || sqe->splice_fd_in)
		return -EINVAL;
	req->socket.arg = (int)sqe->len;
	return 0;
}

void rd_listen_work(struct rd_req *req)
{
	req->res = listen(req->file->fd, req->socket.arg) < 0 ? -errno : 0;
}

int rd_listen_issue(struct rd_req *req, unsigned int issue_flags)
{
	req->res = rd_socket_check(req);
	if (req->res < 0)
		return RD_DONE;
	if (!(req->file->flags & RD_FILE_OURS) && !rd_at_home(req))
		return RD_PUNT;
	rd_listen_work(req);
	return RD_DONE;
}

int rd_shutdown_prep(struct rd_req *req, const struct ringd_sqe *sqe)
{
	if (sqe->off || sqe->addr || sqe->rw_flags || sqe->buf_index || sqe->splice_fd_in)
		return -EINVAL;
	req->socket.arg = (int)sqe->len;
	return 0;
}

int rd_shutdown_issue(struct rd_req *req, unsigned int issue_flags)
{
	req->res = rd_socket_check(req);
	return req->res < 0 ? RD_DONE : RD_PUNT;
}

void rd_shutdown_work(struct rd_req *req)
{
	req->res = shutdown(req->file->fd, req->socket.arg) < 0 ? -errno : 0;
}
