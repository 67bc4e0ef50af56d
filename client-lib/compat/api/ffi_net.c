/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liburing-ffi: sockets. */
#include "client-lib/compat/api/ffi_private.h"

void io_uring_prep_accept(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags)
{
	rd_prep(sqe, RINGD_OP_ACCEPT, fd, addr, 0, rd_prep_ptr(addrlen));
	sqe->accept_flags = (uint32_t)flags;
}

void io_uring_prep_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags,
				 unsigned int file_index)
{
	io_uring_prep_accept(sqe, fd, addr, addrlen, flags);
	rd_prep_slot(sqe, file_index);
}

void io_uring_prep_multishot_accept(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen, int flags)
{
	io_uring_prep_accept(sqe, fd, addr, addrlen, flags);
	sqe->ioprio |= RINGD_ACCEPT_MULTISHOT;
}

void io_uring_prep_multishot_accept_direct(struct ringd_sqe *sqe, int fd, struct sockaddr *addr, socklen_t *addrlen,
					   int flags)
{
	io_uring_prep_multishot_accept(sqe, fd, addr, addrlen, flags);
	rd_prep_slot(sqe, RINGD_FILE_INDEX_ALLOC);
}

void io_uring_prep_connect(struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen)
{
	rd_prep(sqe, RINGD_OP_CONNECT, fd, addr, 0, addrlen);
}

void io_uring_prep_bind(struct ringd_sqe *sqe, int fd, const struct sockaddr *addr, socklen_t addrlen)
{
	rd_prep(sqe, RINGD_OP_BIND, fd, addr, 0, addrlen);
}

void io_uring_prep_listen(struct ringd_sqe *sqe, int fd, int backlog)
{
	rd_prep(sqe, RINGD_OP_LISTEN, fd, NULL, (uint32_t)backlog, 0);
}

void io_uring_prep_shutdown(struct ringd_sqe *sqe, int fd, int how)
{
	rd_prep(sqe, RINGD_OP_SHUTDOWN, fd, NULL, (uint32_t)how, 0);
}

void io_uring_prep_socket(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_SOCKET, domain, NULL, (uint32_t)protocol, (uint64_t)type);
	sqe->rw_flags = flags;
}

void io_uring_prep_socket_direct(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int file_index,
				 unsigned int flags)
{
	io_uring_prep_socket(sqe, domain, type, protocol, flags);
	rd_prep_slot(sqe, file_index);
}

void io_uring_prep_socket_direct_alloc(struct ringd_sqe *sqe, int domain, int type, int protocol, unsigned int flags)
{
	io_uring_prep_socket_direct(sqe, domain, type, protocol, RINGD_FILE_INDEX_ALLOC, flags);
}

void io_uring_prep_send(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags)
{
	rd_prep(sqe, RINGD_OP_SEND, sockfd, buf, (uint32_t)len, 0);
	sqe->msg_flags = (uint32_t)flags;
}

void io_uring_prep_send_bundle(struct ringd_sqe *sqe, int sockfd, size_t len, int flags)
{
	io_uring_prep_send(sqe, sockfd, NULL, len, flags);
	sqe->ioprio |= RINGD_RECVSEND_BUNDLE;
}

void io_uring_prep_send_set_addr(struct ringd_sqe *sqe, const struct sockaddr *dest_addr, uint16_t addr_len)
{
	sqe->addr2 = rd_prep_ptr(dest_addr);
	sqe->addr_len = addr_len;
}

void io_uring_prep_sendto(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags,
			  const struct sockaddr *addr, socklen_t addrlen)
{
	io_uring_prep_send(sqe, sockfd, buf, len, flags);
	io_uring_prep_send_set_addr(sqe, addr, (uint16_t)addrlen);
}

void io_uring_prep_send_zc(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags, unsigned int zc_flags)
{
	rd_prep(sqe, RINGD_OP_SEND_ZC, sockfd, buf, (uint32_t)len, 0);
	sqe->msg_flags = (uint32_t)flags;
	sqe->ioprio = (uint16_t)zc_flags;
}

void io_uring_prep_send_zc_fixed(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags,
				 unsigned int zc_flags, unsigned int buf_index)
{
	io_uring_prep_send_zc(sqe, sockfd, buf, len, flags, zc_flags | RINGD_RECVSEND_FIXED_BUF);
	sqe->buf_index = (uint16_t)buf_index;
}

/* One message. */
static void message(struct ringd_sqe *sqe, uint8_t op, int fd, const struct msghdr *msg, unsigned int flags)
{
	rd_prep(sqe, op, fd, msg, 1, 0);
	sqe->msg_flags = flags;
}

void io_uring_prep_sendmsg(struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags)
{
	message(sqe, RINGD_OP_SENDMSG, fd, msg, flags);
}

void io_uring_prep_sendmsg_zc(struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags)
{
	message(sqe, RINGD_OP_SENDMSG_ZC, fd, msg, flags);
}

void io_uring_prep_sendmsg_zc_fixed(struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags,
				    unsigned int buf_index)
{
	message(sqe, RINGD_OP_SENDMSG_ZC, fd, msg, flags);
	sqe->ioprio |= RINGD_RECVSEND_FIXED_BUF;
	sqe->buf_index = (uint16_t)buf_index;
}

void io_uring_prep_recv(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags)
{
	rd_prep(sqe, RINGD_OP_RECV, sockfd, buf, (uint32_t)len, 0);
	sqe->msg_flags = (uint32_t)flags;
}

void io_uring_prep_recv_multishot(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags)
{
	io_uring_prep_recv(sqe, sockfd, buf, len, flags);
	sqe->ioprio |= RINGD_RECV_MULTISHOT;
}

void io_uring_prep_recvmsg(struct ringd_sqe *sqe, int fd, struct msghdr *msg, unsigned int flags)
{
	message(sqe, RINGD_OP_RECVMSG, fd, msg, flags);
}

void io_uring_prep_recvmsg_multishot(struct ringd_sqe *sqe, int fd, struct msghdr *msg, unsigned int flags)
{
	message(sqe, RINGD_OP_RECVMSG, fd, msg, flags);
	sqe->ioprio |= RINGD_RECV_MULTISHOT;
}

void io_uring_prep_cmd_sock(struct ringd_sqe *sqe, int cmd_op, int fd, int level, int optname, void *optval, int optlen)
{
	io_uring_prep_uring_cmd(sqe, cmd_op, fd);
	sqe->optval = rd_prep_ptr(optval);
	sqe->optname = (uint32_t)optname;
	sqe->optlen = (uint32_t)optlen;
	sqe->level = (uint32_t)level;
}

void io_uring_prep_cmd_getsockname(struct ringd_sqe *sqe, int fd, struct sockaddr *sockaddr, socklen_t *sockaddr_len,
				   int peer)
{
	io_uring_prep_uring_cmd(sqe, RINGD_SOCKET_OP_GETSOCKNAME, fd);
	sqe->addr = rd_prep_ptr(sockaddr);
	sqe->addr3 = rd_prep_ptr(sockaddr_len);
	sqe->optlen = (uint32_t)peer;
}
