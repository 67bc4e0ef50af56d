/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liburing-ffi: what a multishot recvmsg leaves in a buffer: header, room for name and control data, payload. */
#include "client-lib/compat/api/ffi_private.h"

struct ringd_recvmsg_out *io_uring_recvmsg_validate(void *buf, int buf_len, struct msghdr *msgh)
{
	size_t room;

	if (buf_len < (int)sizeof(struct ringd_recvmsg_out))
		return NULL;
	/* by subtraction, which cannot wrap */
	room = (size_t)buf_len - sizeof(struct ringd_recvmsg_out);
	if (msgh->msg_namelen > room || msgh->msg_controllen > room - msgh->msg_namelen)
		return NULL;
	return buf;
}

void *io_uring_recvmsg_name(struct ringd_recvmsg_out *o)
{
	return o + 1;
}

static unsigned char *control(struct ringd_recvmsg_out *o, const struct msghdr *msgh)
{
	return (unsigned char *)(o + 1) + msgh->msg_namelen;
}

struct cmsghdr *io_uring_recvmsg_cmsg_firsthdr(struct ringd_recvmsg_out *o, struct msghdr *msgh)
{
	return o->controllen < sizeof(struct cmsghdr) ? NULL : (struct cmsghdr *)control(o, msgh);
}

struct cmsghdr *io_uring_recvmsg_cmsg_nexthdr(struct ringd_recvmsg_out *o, struct msghdr *msgh, struct cmsghdr *cmsg)
{
	size_t at = (size_t)((unsigned char *)cmsg - control(o, msgh)), left;
	struct cmsghdr *next;

	if (cmsg->cmsg_len < sizeof(struct cmsghdr) || o->controllen < sizeof(struct cmsghdr) || at > o->controllen)
		return NULL;
	left = o->controllen - at;
	if (cmsg->cmsg_len > left || left - cmsg->cmsg_len < CMSG_ALIGN(cmsg->cmsg_len) - cmsg->cmsg_len + sizeof(*next))
		return NULL;
	next = (struct cmsghdr *)((unsigned char *)cmsg + CMSG_ALIGN(cmsg->cmsg_len));
	left -= CMSG_ALIGN(cmsg->cmsg_len);
	return next->cmsg_len > left || CMSG_ALIGN(next->cmsg_len) > left ? NULL : next;
}

void *io_uring_recvmsg_payload(struct ringd_recvmsg_out *o, struct msghdr *msgh)
{
	return control(o, msgh) + msgh->msg_controllen;
}

unsigned int io_uring_recvmsg_payload_length(struct ringd_recvmsg_out *o, int buf_len, struct msghdr *msgh)
{
	size_t before = sizeof(*o) + msgh->msg_namelen + msgh->msg_controllen;

	return buf_len < 0 || (size_t)buf_len <= before ? 0 : (unsigned int)((size_t)buf_len - before);
}
