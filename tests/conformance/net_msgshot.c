/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RECVMSG, multishot: what is in front of the payload */
#include "cf-net.h"

#include "daemon/common/util.h"

#define MULTI	RINGD_RECV_MULTISHOT
#define HEADER	sizeof(struct ringd_recvmsg_out)
#define NAME	16u	/* struct sockaddr_in */

static int s[2];
static struct cf_bufs b;
static struct msghdr *m;

/* type SOCK_RAW: UDP; the msghdr asks for name and control of those lengths */
static struct cf_ring *begin(int type, uint32_t size, uint16_t n, unsigned int namelen, size_t controllen)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	if (type == SOCK_RAW)
		cf_udp_pair(s);
	else
		cf_unix_pair(type, s);
	cf_bufs_new(ring, &b, 0, size, n);
	m = cf_msg(NULL, 0);
	m->msg_namelen = namelen;
	m->msg_controllen = controllen;
	return ring;
}

static struct ringd_sqe *multishot(struct cf_ring *ring, uint64_t user_data)
{
	struct ringd_sqe *sqe = cf_msg_op(ring, RINGD_OP_RECVMSG, user_data, SELECT, s[0], m);

	sqe->ioprio = MULTI;
	sqe->buf_group = CF_BG;
	return sqe;
}

static const struct ringd_recvmsg_out *out_of(unsigned int i)
{
	return (const void *)cf_buf(&b, i);
}

static const char *payload_of(unsigned int i)
{
	return cf_buf(&b, i) + HEADER + m->msg_namelen + m->msg_controllen;
}

CF_TEST(recvmsg_multishot_has_a_header, 352,
	"Recvmsg multishot -> buffer starts with namelen, controllen, payloadlen, flags, then name, control, payload; res counts everything")
{
	struct cf_ring *ring = begin(SOCK_RAW, 256, CF_BUFS, NAME, 32);
	const struct ringd_recvmsg_out *o;
	const struct cmsghdr *c;
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	struct msghdr before;

	ck_assert_int_eq(getsockname(s[1], (struct sockaddr *)&from, &n), 0);
	cf_set_int(s[0], IPPROTO_IP, IP_RECVTTL, 1);
	before = *m;
	multishot(ring, 1);
	cf_waits(ring, 1);
	for (unsigned int i = 0; i < 3; i++) {
		cf_put(s[1], i == 1 ? "payload of the second" : "payload");
		cf_expect(ring, 1, (int32_t)(HEADER + NAME + 32 + (i == 1 ? 21 : 7)), cf_used(i) | MORE);
		o = out_of(i);
		ck_assert_uint_eq(o->namelen, sizeof(from));
		ck_assert_uint_eq(o->controllen, CMSG_SPACE(sizeof(int)));
		ck_assert_uint_eq(o->payloadlen, i == 1 ? 21 : 7);
		ck_assert_uint_eq(o->flags, 0);
		ck_assert_mem_eq(cf_buf(&b, i) + HEADER, &from, sizeof(from));
		c = (const void *)(cf_buf(&b, i) + HEADER + NAME);
		ck_assert_int_eq(c->cmsg_level, IPPROTO_IP);
		ck_assert_int_eq(c->cmsg_type, IP_TTL);
		ck_assert_mem_eq(payload_of(i), "payload of the second", i == 1 ? 21 : 7);
	}
	ck_assert_mem_eq(m, &before, sizeof(before));	/* nothing is written back */
	cf_head_is(ring, 3);
	cf_expect_none(ring);
}

CF_TEST(recvmsg_multishot_needs_room_for_its_header, 353, "Recvmsg multishot with a buffer too small for the header areas -> -EFAULT and end")
{
	struct cf_ring *ring = begin(SOCK_RAW, 40, CF_BUFS, NAME, 32);

	cf_put(s[1], "x");
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, -EFAULT, 0);
	cf_put(s[1], "y");
	cf_expect_none(ring);
	cf_head_is(ring, 0);
}

CF_TEST(recvmsg_multishot_says_that_it_cut, 354, "Recvmsg multishot datagram longer than the room -> flags contain MSG_TRUNC")
{
	struct cf_ring *ring = begin(SOCK_RAW, HEADER + NAME + 8, CF_BUFS, NAME, 0);

	for (unsigned int i = 0; i < 2; i++) {
		multishot(ring, 1)->msg_flags = i ? MSG_TRUNC : 0;
		cf_waits(ring, 1);
		cf_put(s[1], "0123456789abcdef");
		cf_expect(ring, 1, (int32_t)(HEADER + NAME + 8), cf_used(i) | MORE);
		ck_assert_uint_eq(out_of(i)->flags & MSG_TRUNC, MSG_TRUNC);
		ck_assert_uint_eq(out_of(i)->payloadlen, i ? 16 : 8);
		ck_assert_mem_eq(payload_of(i), "01234567", 8);
		cf_cancel(ring, 2, 1);
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 2, 0, 0);
		cf_expect(ring, 1, -ECANCELED, 0);
	}
}

CF_TEST(recvmsg_multishot_cuts_names_and_control, 0, "Recvmsg multishot with too little room for name and control -> real namelen, MSG_CTRUNC")
{
	struct cf_ring *ring = begin(SOCK_RAW, 256, CF_BUFS, 6, 8);
	struct sockaddr_in from;
	socklen_t n = sizeof(from);

	ck_assert_int_eq(getsockname(s[1], (struct sockaddr *)&from, &n), 0);
	cf_set_int(s[0], IPPROTO_IP, IP_RECVTTL, 1);
	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	cf_expect(ring, 1, (int32_t)(HEADER + 6 + 8 + 3), cf_used(0) | MORE);
	ck_assert_uint_eq(out_of(0)->namelen, sizeof(from));
	ck_assert_uint_eq(out_of(0)->flags & MSG_CTRUNC, MSG_CTRUNC);
	ck_assert_mem_eq(cf_buf(&b, 0) + HEADER, &from, 6);
	ck_assert_mem_eq(payload_of(0), "abc", 3);
}

CF_TEST(recvmsg_multishot_without_areas, 0, "Recvmsg multishot with namelen and controllen 0 -> header and payload; one segment is allowed, its address ignored")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 256, CF_BUFS, 0, 0);

	m->msg_iov = cf_in(&(struct iovec){ (void *)4096, 0 }, sizeof(struct iovec));
	m->msg_iovlen = 1;
	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	cf_expect(ring, 1, (int32_t)HEADER + 3, cf_used(0) | MORE);
	ck_assert_uint_eq(out_of(0)->namelen, 0);
	ck_assert_uint_eq(out_of(0)->controllen, 0);
	ck_assert_uint_eq(out_of(0)->payloadlen, 3);
	ck_assert_mem_eq(payload_of(0), "abc", 3);
}

CF_TEST(recvmsg_multishot_is_checked, 0,
	"Recvmsg multishot without BUFFER_SELECT, with MSG_WAITALL or optlen -> -EINVAL; 2 segments -> -EINVAL; areas that overflow -> -EOVERFLOW")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 256, CF_BUFS, 0, 0);
	struct ringd_sqe *sqe;

	cf_put(s[1], "x");
	cf_msg_op(ring, RINGD_OP_RECVMSG, 0, 0, s[0], cf_msg(b.data, 8))->ioprio = MULTI;
	cf_give(ring, -EINVAL, 0);
	multishot(ring, 0)->msg_flags = MSG_WAITALL;
	cf_give(ring, -EINVAL, 0);
	sqe = multishot(ring, 0);
	sqe->optlen = 5;
	cf_give(ring, -EINVAL, 0);
	multishot(ring, 0)->ioprio = MULTI | RINGD_RECVSEND_BUNDLE;
	cf_give(ring, -EINVAL, 0);
	m->msg_iov = cf_alloc(2 * sizeof(struct iovec), 0);
	m->msg_iovlen = 2;
	multishot(ring, 0);
	cf_give(ring, -EINVAL, 0);
	m->msg_iovlen = 0;
	m->msg_namelen = 100;
	m->msg_controllen = INT32_MAX;
	multishot(ring, 0);
	cf_give(ring, -EOVERFLOW, 0);
	cf_get(s[0], "x");
}

CF_TEST(an_empty_datagram_is_a_message, 0, "Recvmsg multishot of a datagram of 0 bytes -> res 16 + areas, F_MORE")
{
	struct cf_ring *ring = begin(SOCK_RAW, 256, CF_BUFS, NAME, 0);

	multishot(ring, 1);
	cf_waits(ring, 1);
	ck_assert_int_eq(send(s[1], "", 0, 0), 0);
	cf_expect(ring, 1, (int32_t)(HEADER + NAME), cf_used(0) | (cf_on(CF_KERNEL) ? 0 : MORE));
	ck_assert_uint_eq(out_of(0)->payloadlen, 0);
	if (cf_on(CF_KERNEL))
		return;
	cf_put(s[1], "abc");
	cf_expect(ring, 1, (int32_t)(HEADER + NAME) + 3, cf_used(1) | MORE);
}
CF_DIFFERS(an_empty_datagram_is_a_message, CF_KERNEL, "a message without payload is the last one")

CF_TEST(recvmsg_multishot_ends_at_the_end, 0, "Recvmsg multishot of a stream at EOF -> 0 without F_MORE and F_BUFFER")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 256, CF_BUFS, 0, 0);

	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	close(s[1]);
	cf_expect(ring, 1, (int32_t)HEADER + 3, cf_used(0) | MORE);
	if (cf_on(CF_KERNEL))
		cf_expect(ring, 1, (int32_t)HEADER, cf_used(1));
	else
		cf_expect(ring, 1, 0, 0);
	cf_head_is(ring, cf_on(CF_KERNEL) ? 2 : 1);
}
CF_DIFFERS(recvmsg_multishot_ends_at_the_end, CF_KERNEL, "the end is a message without payload, and uses a buffer for its header")

CF_TEST(recvmsg_multishot_ends_without_buffers, 0, "Recvmsg multishot running out of buffers -> final -ENOBUFS, the datagram stays")
{
	struct cf_ring *ring = begin(SOCK_DGRAM, 256, 1, 0, 0);

	multishot(ring, 1);
	cf_waits(ring, 1);
	cf_put(s[1], "abc");
	cf_expect(ring, 1, (int32_t)HEADER + 3, cf_used(0) | MORE);
	cf_put(s[1], "def");
	cf_expect(ring, 1, -ENOBUFS, 0);
	cf_get(s[0], "def");
}

CF_TEST(a_full_cq_ends_a_recvmsg_multishot, 0, "Recvmsg multishot with a full CQ -> the CQE holding the message has no F_MORE")
{
	struct cf_ring *ring = cf_ring_new_params(2, (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE, .cq_entries = 2 });

	cf_unix_pair(SOCK_DGRAM, s);
	cf_bufs_new(ring, &b, 0, 256, CF_BUFS);
	m = cf_msg(NULL, 0);
	for (int i = 0; i < 4; i++)
		cf_put(s[1], "abc");
	multishot(ring, 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	for (unsigned int i = 0; i < 3; i++)
		cf_expect(ring, 1, (int32_t)HEADER + 3, cf_used(i) | (i < 2 ? MORE : 0));
	cf_expect_none(ring);
	cf_get(s[0], "abc");
}

CF_TEST(recvmsg_multishot_installs_descriptors, 0, "Recvmsg multishot of SCM_RIGHTS -> numbers in the control area are the client's descriptors")
{
	struct cf_ring *ring = begin(SOCK_STREAM, 256, CF_BUFS, 0, CMSG_SPACE(sizeof(int)));
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec v = { (void *)(uintptr_t)"fd", 2 };
	struct msghdr out = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&out);
	int p[2], fd;
	char x = 0;

	cf_pipe(p);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &p[1], sizeof(int));
	multishot(ring, 1);
	cf_waits(ring, 1);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(sendmsg(s[1], &out, 0), 2);
		cf_expect(ring, 1, (int32_t)(HEADER + CMSG_SPACE(sizeof(int))) + 2, cf_used(i) | MORE);
		c = (void *)(cf_buf(&b, i) + HEADER);
		ck_assert_int_eq(c->cmsg_level, SOL_SOCKET);
		ck_assert_int_eq(c->cmsg_type, SCM_RIGHTS);
		ck_assert_uint_eq(c->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		ck_assert_int_eq(write(fd, "q", 1), 1);
		ck_assert_int_eq(read(p[0], &x, 1), 1);
		close(fd);
		ck_assert_mem_eq(payload_of(i), "fd", 2);
	}
}
