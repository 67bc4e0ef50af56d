/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs: sending and receiving. What is sent along with the data is copied to the scratch area if it fits. */
#include <string.h>
#include <sys/socket.h>

#include "prep.h"

#define CONTROL_MAX	4096u	/* a longer control block must be in an arena; the longest list of descriptors has 1032 */
#define RIGHTS_MAX	253	/* descriptors in one control message; the kernel's SCM_MAX_FD */

/* struct msghdr as the engine reads it, whatever this program was compiled for. */
struct header {
	uint64_t name;
	uint32_t namelen, pad;
	uint64_t iov, iovlen;
	uint64_t control, controllen;
	uint32_t flags, pad2;
};

_Static_assert(sizeof(struct header) == 56, "struct msghdr of a 64-bit Linux");

/* As prep.c does; iov is not NULL and room has nr * 16 bytes. */
static uint64_t put_vec(char *room, const struct iovec *iov, size_t nr)
{
	uint64_t *copy = (uint64_t *)(void *)room;

	for (size_t i = 0; i < nr; i++) {
		copy[2 * i] = address(iov[i].iov_base);
		copy[2 * i + 1] = iov[i].iov_len;
	}
	return address(copy);
}

/* --- send --- */

static void prep_transfer(struct ringd_sqe *sqe, uint8_t opcode, int fd, const void *buf, size_t len, int flags)
{
	prep(sqe, opcode, fd, address(buf), (uint32_t)len, 0);
	sqe->msg_flags = (uint32_t)flags;
}

void ringd_prep_send(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags)
{
	prep_transfer(sqe, RINGD_OP_SEND, sockfd, buf, len, flags);
}

void ringd_prep_send_bundle(struct ringd_sqe *sqe, int sockfd, size_t len, int flags)
{
	prep_transfer(sqe, RINGD_OP_SEND, sockfd, NULL, len, flags);
	sqe->ioprio |= RINGD_RECVSEND_BUNDLE;
}

void ringd_prep_send_zc(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags, unsigned int zc_flags)
{
	prep_transfer(sqe, RINGD_OP_SEND_ZC, sockfd, buf, len, flags);
	sqe->ioprio = (uint16_t)zc_flags;
}

void ringd_prep_send_zc_fixed(struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags,
			      unsigned int zc_flags, unsigned int buf_index)
{
	ringd_prep_send_zc(sqe, sockfd, buf, len, flags, zc_flags | RINGD_RECVSEND_FIXED_BUF);
	sqe->buf_index = (uint16_t)buf_index;
}

/*
 * What a SEND has in its block: room for a destination, then the segments. The block starts elsewhere when it is asked for
 * with another size, so whoever comes later asks with the same.
 */
static char *send_room(struct ringd_ring *ring, const struct ringd_sqe *sqe)
{
	uint32_t nr = sqe->ioprio & RINGD_SEND_VECTORIZED ? RDL_MIN(sqe->len, RDL_SEND_VECS) : 0;

	return rdl_scratch(ring, sqe, RDL_NAME_ROOM + nr * 16);
}

static void put_segments(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct iovec *iov)
{
	sqe->ioprio |= RINGD_SEND_VECTORIZED;
	if (iov && sqe->len && sqe->len <= RDL_SEND_VECS)
		sqe->addr = put_vec(send_room(ring, sqe) + RDL_NAME_ROOM, iov, sqe->len);
}

void ringd_prep_sendv(struct ringd_ring *ring, struct ringd_sqe *sqe, int sockfd, const struct iovec *iov,
		      unsigned int nr_vecs, int flags)
{
	prep_transfer(sqe, RINGD_OP_SEND, sockfd, iov, nr_vecs, flags);
	put_segments(ring, sqe, iov);
}

void ringd_prep_sendv_zc(struct ringd_ring *ring, struct ringd_sqe *sqe, int sockfd, const struct iovec *iov,
			 unsigned int nr_vecs, int flags, unsigned int zc_flags)
{
	ringd_prep_send_zc(sqe, sockfd, iov, nr_vecs, flags, zc_flags);
	put_segments(ring, sqe, iov);
}

void ringd_prep_send_set_addr(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct sockaddr *dest_addr,
			      uint16_t addr_len)
{
	uint64_t at;

	if (!rdl_prep_name(ring, sqe, send_room(ring, sqe), dest_addr, addr_len, &at))
		return;
	sqe->addr2 = at;
	sqe->addr_len = addr_len;
	sqe->__pad3[0] = 0;
}

void ringd_prep_sendto(struct ringd_ring *ring, struct ringd_sqe *sqe, int sockfd, const void *buf, size_t len, int flags,
		       const struct sockaddr *addr, socklen_t addrlen)
{
	ringd_prep_send(sqe, sockfd, buf, len, flags);
	/* one that does not fit into the field is as wrong as the longest that does */
	ringd_prep_send_set_addr(ring, sqe, addr, (uint16_t)RDL_MIN(addrlen, (socklen_t)UINT16_MAX));
}

/* --- sendmsg --- */

/* The descriptors in a control message become known to the engine. 0, or why not. */
static int lend_rights(struct ringd *rd, struct cmsghdr *c)
{
	int fds[RIGHTS_MAX], r;
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	if (!n || n > RIGHTS_MAX)	/* the engine's answer to these is the right one */
		return 0;
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	r = ringd_fd_lend(rd, fds, (unsigned int)n);
	if (r < 0)
		return r;
	return r == (int)n ? 0 : -EBADF;
}

static bool prep_rights(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct msghdr *msg)
{
	struct msghdr mh = *msg;	/* what walks the block wants one that is not const */

	if (!mh.msg_control)
		return true;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		const size_t room = mh.msg_controllen - (size_t)((char *)c - (char *)mh.msg_control);
		int r = 0;

		if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > room)
			break;		/* -EINVAL, from the engine */
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			r = lend_rights(ring->rd, c);
		if (r < 0) {
			prep_error(sqe, r);
			return false;
		}
	}
	return true;
}

/*
 * The block: header, destination, control, segments. Of the last two each is left where it is if there is no room for it, and
 * then is -EFAULT unless it is in an arena.
 */
static void put_message(struct ringd_ring *ring, struct ringd_sqe *sqe, const struct msghdr *msg)
{
	const size_t fixed = sizeof(struct header) + RDL_NAME_ROOM;
	size_t control = msg->msg_control && msg->msg_controllen <= CONTROL_MAX ? (msg->msg_controllen + 7) & ~(size_t)7 : 0;
	size_t nr = msg->msg_iov && msg->msg_iovlen <= (RINGD_SCRATCH_PER_SQE - fixed - control) / 16 ? msg->msg_iovlen : 0;
	char *room = rdl_scratch(ring, sqe, fixed + control + nr * 16);
	struct header *h = (struct header *)(void *)room;
	uint64_t name;

	if (!rdl_prep_name(ring, sqe, room + sizeof(*h), msg->msg_name, msg->msg_namelen, &name))
		return;
	*h = (struct header){
		.name = name,
		.namelen = msg->msg_namelen,
		.iov = nr ? put_vec(room + fixed + control, msg->msg_iov, nr) : address(msg->msg_iov),
		.iovlen = msg->msg_iovlen,
		.control = control ? address(memcpy(room + fixed, msg->msg_control, msg->msg_controllen)) : address(msg->msg_control),
		.controllen = msg->msg_controllen,
		.flags = (uint32_t)msg->msg_flags,
	};
	sqe->addr = address(h);
}

static void prep_sendmsg(struct ringd_ring *ring, struct ringd_sqe *sqe, uint8_t opcode, int fd, const struct msghdr *msg,
			 unsigned int flags)
{
	prep(sqe, opcode, fd, 0, 1, 0);
	sqe->msg_flags = flags;
	if (msg && prep_rights(ring, sqe, msg))
		put_message(ring, sqe, msg);
}

void ringd_prep_sendmsg(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags)
{
	prep_sendmsg(ring, sqe, RINGD_OP_SENDMSG, fd, msg, flags);
}

void ringd_prep_sendmsg_zc(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg,
			   unsigned int flags)
{
	prep_sendmsg(ring, sqe, RINGD_OP_SENDMSG_ZC, fd, msg, flags);
}

void ringd_prep_sendmsg_zc_fixed(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg,
				 unsigned int flags, unsigned int buf_index)
{
	prep_sendmsg(ring, sqe, RINGD_OP_SENDMSG_ZC, fd, msg, flags);
	if (sqe->opcode != RINGD_OP_SENDMSG_ZC)
		return;
	sqe->ioprio |= RINGD_RECVSEND_FIXED_BUF;
	sqe->buf_index = (uint16_t)buf_index;
}

/* --- recv --- */

void ringd_prep_recv(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags)
{
	prep_transfer(sqe, RINGD_OP_RECV, sockfd, buf, len, flags);
}

void ringd_prep_recv_multishot(struct ringd_sqe *sqe, int sockfd, void *buf, size_t len, int flags)
{
	prep_transfer(sqe, RINGD_OP_RECV, sockfd, buf, len, flags);
	sqe->ioprio |= RINGD_RECV_MULTISHOT;
}

/* With room for control messages it may bring descriptors. False: there is nothing to add, the SQE is complete. */
static bool prep_recvmsg(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg, unsigned int flags)
{
	if (msg && msg->msg_controllen && !rdl_prep_channel(ring, sqe))
		return false;
	prep(sqe, RINGD_OP_RECVMSG, fd, address(msg), 1, 0);
	sqe->msg_flags = flags;
	return true;
}

/* The engine writes to *msg when the request completes, long after the scratch block has gone to another SQE: no copy. */
void ringd_prep_recvmsg(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, struct msghdr *msg, unsigned int flags)
{
	prep_recvmsg(ring, sqe, fd, msg, flags);
}

/* Lengths are all it needs, and nothing is written to *msg. */
void ringd_prep_recvmsg_multishot(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct msghdr *msg,
				  unsigned int flags)
{
	struct msghdr lengths;

	if (!prep_recvmsg(ring, sqe, fd, msg, flags))
		return;
	sqe->ioprio |= RINGD_RECV_MULTISHOT;
	if (!msg)
		return;
	lengths = *msg;
	lengths.msg_name = lengths.msg_control = NULL;
	put_message(ring, sqe, &lengths);
}
