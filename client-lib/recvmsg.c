/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a multishot RECVMSG leaves in a buffer: lengths, room for the sender's name, room for control messages, data. The two
 * rooms are as long as the request's msghdr said; the lengths are the engine's, and nothing is read beyond a room for them.
 */
#include <string.h>

#include "private.h"

struct ringd_recvmsg_out *ringd_recvmsg_validate(void *buf, int buf_len, const struct msghdr *msg)
{
	const size_t rest = buf_len < 0 ? 0 : (size_t)buf_len;
	const size_t head = sizeof(struct ringd_recvmsg_out) + msg->msg_namelen;

	if (rest < head || rest - head < msg->msg_controllen)
		return NULL;
	return buf;
}

void *ringd_recvmsg_name(struct ringd_recvmsg_out *o)
{
	return o + 1;
}

static char *control(struct ringd_recvmsg_out *o, const struct msghdr *msg)
{
	return (char *)(o + 1) + msg->msg_namelen;
}

/* The message at c, if it is there whole. */
static struct cmsghdr *whole(struct ringd_recvmsg_out *o, const struct msghdr *msg, char *c)
{
	const size_t used = RDL_MIN((size_t)o->controllen, (size_t)msg->msg_controllen);
	const size_t at = (size_t)(c - control(o, msg));
	struct cmsghdr head;

	if (at > used || used - at < sizeof(head))
		return NULL;
	memcpy(&head, c, sizeof(head));
	if (head.cmsg_len < sizeof(head) || head.cmsg_len > used - at)
		return NULL;
	return (struct cmsghdr *)(void *)c;
}

struct cmsghdr *ringd_recvmsg_cmsg_firsthdr(struct ringd_recvmsg_out *o, const struct msghdr *msg)
{
	return whole(o, msg, control(o, msg));
}

struct cmsghdr *ringd_recvmsg_cmsg_nexthdr(struct ringd_recvmsg_out *o, const struct msghdr *msg, struct cmsghdr *cmsg)
{
	if (!whole(o, msg, (char *)cmsg))
		return NULL;
	return whole(o, msg, (char *)cmsg + CMSG_ALIGN(cmsg->cmsg_len));
}

void *ringd_recvmsg_payload(struct ringd_recvmsg_out *o, const struct msghdr *msg)
{
	return control(o, msg) + msg->msg_controllen;
}

unsigned int ringd_recvmsg_payload_length(struct ringd_recvmsg_out *o, int buf_len, const struct msghdr *msg)
{
	return (unsigned int)((char *)o + buf_len - (char *)ringd_recvmsg_payload(o, msg));
}
