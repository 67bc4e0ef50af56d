/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets with descriptors. Whatever arrives is either returned to the caller or closed here: no packet, however
 * malformed, leaves a descriptor behind.
 */
#include "fdpass.h"

#include <string.h>
#include <sys/socket.h>

#include "proto/wire.h"
#include "util.h"

int rd_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t n_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))];
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (n_fds > RINGD_MSG_FDS)
		return -EINVAL;
	if (n_fds > 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		memset(control, 0, CMSG_SPACE(n_fds * sizeof(int)));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	do {
		r = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == len ? 0 : -EMSGSIZE;	/* packets are whole; a stream socket is the caller's mistake */
}

/* Takes the descriptors out of msg: into fds as long as there is room, else closed. False: something was not as agreed. */
static bool take_fds(struct msghdr *msg, int *fds, size_t room, size_t *n)
{
	bool good = true;

	*n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			good = false;
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*n < room) {
				fds[(*n)++] = fd;
			} else {
				rd_close(fd);
				good = false;
			}
		}
	}
	return good;
}

ssize_t rd_recv_fds_keep(int sock, void *buf, size_t len, int *fds, size_t *n_fds, bool *lost)
{
	/* room for every descriptor one packet can carry, and for credentials next to them */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int)) + 256];
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	size_t room = *n_fds, n;
	ssize_t r;
	bool good;

	*n_fds = 0;
	*lost = false;
	do {
		r = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	good = take_fds(&msg, fds, room, &n);
	if (msg.msg_flags & MSG_TRUNC)
		good = false;
	/* control has room for all that can come: what is missing could not be given a number */
	*lost = msg.msg_flags & MSG_CTRUNC;
	if (r == 0 && n > 0)	/* an empty packet looks like the end of file, but the end brings no descriptors */
		good = false;
	*n_fds = n;
	return good ? r : -EPROTO;
}

ssize_t rd_recv_fds(int sock, void *buf, size_t len, int *fds, size_t *n_fds)
{
	bool lost = false;
	ssize_t r = rd_recv_fds_keep(sock, buf, len, fds, n_fds, &lost);

	if (lost && r >= 0)
		r = -EPROTO;
	if (r != -EPROTO)
		return r;
	for (size_t i = 0; i < *n_fds; i++)
		rd_close(fds[i]);
	*n_fds = 0;
	return r;
}
