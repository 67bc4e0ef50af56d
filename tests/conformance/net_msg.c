/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SENDMSG and RECVMSG, single shot: msghdrs, names, control messages, descriptors */
#include "cf-net.h"

#include "daemon/common/util.h"

static int s[2];
static char *buf;

static struct cf_ring *begin(int type)
{
	struct cf_ring *ring = cf_ring_new(16, 0);

	buf = cf_alloc(4096, 0);
	if (type == SOCK_RAW)		/* UDP */
		cf_udp_pair(s);
	else
		cf_unix_pair(type, s);
	return ring;
}

static struct ringd_sqe *sendmsg_of(struct cf_ring *ring, uint64_t user_data, const struct msghdr *m)
{
	return cf_msg_op(ring, RINGD_OP_SENDMSG, user_data, 0, s[0], m);
}

static struct ringd_sqe *recvmsg_of(struct cf_ring *ring, uint64_t user_data, const struct msghdr *m)
{
	return cf_msg_op(ring, RINGD_OP_RECVMSG, user_data, 0, s[0], m);
}

/* A control message of one kind with n bytes of data */
static void add_control(struct msghdr *m, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c;

	cf_msg_control(m, CMSG_SPACE(n));
	c = CMSG_FIRSTHDR(m);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n), .cmsg_level = level, .cmsg_type = type };
	memcpy(CMSG_DATA(c), data, n);
}

/* The control message of that kind in what was received, with at least n bytes; NULL: none */
static void *control_of(struct msghdr *m, int level, int type, size_t n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == level && c->cmsg_type == type) {
			ck_assert_uint_ge(c->cmsg_len, CMSG_LEN(n));
			return CMSG_DATA(c);
		}
	}
	return NULL;
}

static void send_fds(const int *fds, unsigned int n, const char *text)
{
	union {
		char space[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec v = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	ck_assert_int_eq(sendmsg(s[1], &m, 0), (ssize_t)v.iov_len);
}

/* --- SENDMSG --- */

CF_TEST(sendmsg_has_limits, 338, "Sendmsg with 1025 segments -> -EMSGSIZE; name length 200 -> -EINVAL")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 8);
	struct iovec *v = cf_alloc(1025 * sizeof(*v), 0);

	for (int i = 0; i < 1025; i++)
		v[i] = (struct iovec){ buf, 1 };
	m->msg_iov = v;
	m->msg_iovlen = 1025;
	sendmsg_of(ring, 0, m);
	cf_give(ring, -EMSGSIZE, 0);
	m->msg_iovlen = 1024;
	sendmsg_of(ring, 0, m);
	cf_give(ring, 1024, 0);
	m->msg_iovlen = 1;
	cf_msg_name(m, NULL, 200);
	sendmsg_of(ring, 0, m);
	cf_give(ring, cf_on(CF_KERNEL) ? -EISCONN : -EINVAL, 0);
}
CF_DIFFERS(sendmsg_has_limits, CF_KERNEL, "a name of 200 bytes is cut to 128, and the socket says what it thinks of it: -EISCONN")

CF_TEST(sendmsg_flags_are_checked, 339, "SENDMSG with BUNDLE -> -EINVAL; SENDMSG with BUFFER_SELECT -> -EOPNOTSUPP")
{
	static const uint16_t bad[] = { RINGD_RECVSEND_BUNDLE, RINGD_RECVSEND_FIXED_BUF, RINGD_RECV_MULTISHOT, 0x40 };
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 8);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	for (unsigned int i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		sendmsg_of(ring, 0, m)->ioprio = bad[i];
		cf_give(ring, -EINVAL, 0);
	}
	cf_msg_op(ring, RINGD_OP_SENDMSG, 0, SELECT, s[0], m)->buf_group = CF_BG;
	cf_give(ring, -EOPNOTSUPP, 0);
	sendmsg_of(ring, 0, m)->ioprio = RINGD_SEND_VECTORIZED;
	cf_give(ring, 8, 0);
}

CF_TEST(sendmsg_of_bad_memory, 0, "Sendmsg with a bad msghdr, segment array, segment, name or control pointer -> -EFAULT; on a pipe -> -ENOTSOCK")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	int p[2];

	for (int i = 0; i < 5; i++) {
		struct msghdr *m = cf_msg(buf, 8);

		if (i == 1)
			m->msg_iov = (void *)4096;
		if (i == 2)
			m->msg_iov->iov_base = (void *)4096;
		if (i == 3)
			m->msg_name = (void *)4096;
		if (i == 4)
			m->msg_control = (void *)4096;
		m->msg_namelen = i == 3 ? 16 : 0;
		m->msg_controllen = i == 4 ? CMSG_SPACE(4) : 0;
		sendmsg_of(ring, 0, i ? m : (void *)4096);
		cf_give(ring, -EFAULT, 0);
	}
	cf_pipe(p);
	cf_msg_op(ring, RINGD_OP_SENDMSG, 0, 0, p[1], cf_msg(buf, 8));
	cf_give(ring, -ENOTSOCK, 0);
}

CF_TEST(sendmsg_gathers, 0, "Sendmsg with three segments, one of them empty -> all bytes; without segments -> 0")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(NULL, 0);
	struct iovec v[3] = { { cf_in("abc", 3), 3 }, { NULL, 0 }, { cf_in("defg", 4), 4 } };

	sendmsg_of(ring, 0, m);
	cf_give(ring, 0, 0);
	m->msg_iov = cf_in(v, sizeof(v));
	m->msg_iovlen = 3;
	sendmsg_of(ring, 0, m);
	cf_give(ring, 7, 0);
	cf_get(s[1], "abcdefg");
}

CF_TEST(a_msghdr_is_taken_at_submission, 45, "A msghdr, its segment array and name overwritten after enter -> the request is unaffected, even behind a link")
{
	struct cf_ring *ring = begin(SOCK_DGRAM);
	struct sockaddr_in to;
	struct msghdr *m = cf_msg(cf_in("data", 4), 4);
	int dest = cf_udp(&to), from = cf_udp(NULL), p[2];

	cf_pipe(p);
	cf_msg_name(m, &to, sizeof(to));
	add_control(m, IPPROTO_IP, IP_TTL, &(int){ 9 }, sizeof(int));
	cf_xfer(ring, RINGD_OP_READ, 1, LINK, p[0], buf, 1)->off = UINT64_MAX;
	cf_msg_op(ring, RINGD_OP_SENDMSG, 2, 0, from, m);
	ck_assert_int_eq(cf_submit(ring), 2);
	memset(m->msg_name, 0xff, sizeof(to));
	if (cf_on(CF_RINGD))	/* the kernel reads control messages when it sends */
		memset(m->msg_control, 0xff, CMSG_SPACE(sizeof(int)));
	memset(m->msg_iov, 0xff, sizeof(struct iovec));
	memset(m, 0xff, sizeof(*m));
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	cf_expect(ring, 1, 1, 0);
	cf_expect(ring, 2, 4, 0);
	cf_get(dest, "data");
}

CF_TEST(sendmsg_passes_descriptors, 0, "Sendmsg with SCM_RIGHTS of the client's descriptors -> the receiver has the same files; a bad number -> -EBADF")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 1), in = { 0 };
	union {
		char space[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = { (char[8]){ 0 }, 8 };
	int fds[2], *got, p[2];

	cf_pipe(p);
	fds[0] = p[0];
	fds[1] = p[1];
	add_control(m, SOL_SOCKET, SCM_RIGHTS, fds, sizeof(fds));
	sendmsg_of(ring, 0, m);
	if (cf_on(CF_RINGD)) {
		cf_lend(ring, p[0]);
		cf_lend(ring, p[1]);
	}
	cf_give(ring, 1, 0);
	in = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ck_assert_int_eq(recvmsg(s[1], &in, 0), 1);
	got = control_of(&in, SOL_SOCKET, SCM_RIGHTS, sizeof(fds));
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(write(got[1], "y", 1), 1);
	ck_assert_int_eq(read(p[0], buf, 1), 1);
	((int *)(void *)CMSG_DATA(CMSG_FIRSTHDR(m)))[1] = 999;
	sendmsg_of(ring, 0, m);
	cf_give(ring, -EBADF, 0);
}

CF_TEST(sendmsg_refuses_credentials_of_others, 0, "Sendmsg with SCM_CREDENTIALS of another process's pid and no privilege -> -EPERM; control of no sense -> -EINVAL")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 1);

	add_control(m, SOL_SOCKET, SCM_RIGHTS, (int[1]){ 0 }, sizeof(int));
	((struct cmsghdr *)m->msg_control)->cmsg_len = 3;		/* shorter than itself */
	sendmsg_of(ring, 0, m);
	cf_give(ring, -EINVAL, 0);
	((struct cmsghdr *)m->msg_control)->cmsg_len = 4000;		/* longer than the block */
	sendmsg_of(ring, 0, m);
	cf_give(ring, -EINVAL, 0);
}

CF_TEST(sendmsg_with_waitall_goes_on, 0, "Sendmsg of more than the socket buffer with MSG_WAITALL -> full count, bytes in order")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	size_t n = 256u << 10;
	char *big = cf_alloc(n, 0);
	struct msghdr *m = cf_msg(big, n);

	for (size_t i = 0; i < n; i++)
		big[i] = (char)cf_pattern(i);
	cf_set_int(s[0], SOL_SOCKET, SO_SNDBUF, 8192);
	sendmsg_of(ring, 1, m)->msg_flags = MSG_WAITALL;
	cf_waits(ring, 1);
	cf_drain_all(s[1], 0, n);
	cf_expect(ring, 1, (int32_t)n, 0);
}

/* --- RECVMSG --- */

CF_TEST(recvmsg_scatters, 0, "Recvmsg with three segments -> filled one after the other; 1025 segments -> -EMSGSIZE; bad pointers -> -EFAULT")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 8);
	struct iovec *v = cf_alloc(1025 * sizeof(*v), 0);

	for (int i = 0; i < 1025; i++)
		v[i] = (struct iovec){ buf + 100 * (i % 3), 3 };
	m->msg_iov = v;
	m->msg_iovlen = 1025;
	cf_put(s[1], "abcdefgh");
	recvmsg_of(ring, 0, m);
	cf_give(ring, -EMSGSIZE, 0);
	recvmsg_of(ring, 0, (void *)4096);
	cf_give(ring, -EFAULT, 0);
	m->msg_iovlen = 3;
	recvmsg_of(ring, 0, m);
	ck_assert_int_eq(cf_run(ring), 8);
	ck_assert_mem_eq(buf, "abc", 3);
	ck_assert_mem_eq(buf + 100, "def", 3);
	ck_assert_mem_eq(buf + 200, "gh", 2);
}

CF_TEST(recvmsg_tells_the_senders_name, 0, "Recvmsg with a name -> the sender's, its real length in msg_namelen, cut to the room; none on a connected stream")
{
	struct cf_ring *ring = begin(SOCK_RAW);
	struct msghdr *m = cf_msg(buf, 8);
	struct sockaddr_in from;
	socklen_t n = sizeof(from);

	ck_assert_int_eq(getsockname(s[1], (struct sockaddr *)&from, &n), 0);
	for (int i = 0; i < 2; i++) {
		cf_msg_name(m, NULL, sizeof(struct sockaddr_storage));
		memset(m->msg_name, 0xee, sizeof(struct sockaddr_storage));
		m->msg_namelen = i ? 6 : sizeof(struct sockaddr_storage);
		recvmsg_of(ring, 1, m);
		cf_waits(ring, 1);
		cf_put(s[1], "hello");
		cf_expect(ring, 1, 5, 0);
		ck_assert_uint_eq(m->msg_namelen, sizeof(from));
		ck_assert_mem_eq(m->msg_name, &from, i ? 6 : sizeof(from));
		ck_assert_uint_eq(((unsigned char *)m->msg_name)[i ? 6 : 16], 0xee);
		ck_assert_uint_eq(m->msg_controllen, 0);
		ck_assert_int_eq(m->msg_flags, 0);
	}
}

CF_TEST(recvmsg_says_that_it_cut, 0, "Recvmsg of a longer datagram -> the room, MSG_TRUNC in msg_flags; asked for with MSG_TRUNC -> its length")
{
	struct cf_ring *ring = begin(SOCK_DGRAM);
	struct msghdr *m = cf_msg(buf, 4);

	for (int i = 0; i < 2; i++) {
		cf_put(s[1], "0123456789");
		recvmsg_of(ring, 0, m)->msg_flags = i ? MSG_TRUNC : 0;
		cf_give(ring, i ? 10 : 4, 0);
		ck_assert_int_eq(m->msg_flags & MSG_TRUNC, MSG_TRUNC);
	}
	cf_put(s[1], "0123");
	recvmsg_of(ring, 0, m);
	cf_give(ring, 4, 0);
	ck_assert_int_eq(m->msg_flags, 0);
	ck_assert_int_eq(send(s[1], "", 0, 0), 0);
	recvmsg_of(ring, 0, m);
	cf_give(ring, 0, 0);
}

CF_TEST(recvmsg_at_the_end, 0, "Recvmsg at EOF -> 0; without data and MSG_DONTWAIT -> -EAGAIN; the msghdr is as it was then")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 4);

	cf_msg_name(m, NULL, 100);
	recvmsg_of(ring, 0, m)->msg_flags = MSG_DONTWAIT;
	cf_give(ring, -EAGAIN, 0);
	ck_assert_uint_eq(m->msg_namelen, 100);
	close(s[1]);
	recvmsg_of(ring, 0, m);
	cf_give(ring, 0, 0);
	ck_assert_uint_eq(m->msg_namelen, 0);
}

CF_TEST(recvmsg_brings_control_messages, 0, "Recvmsg with room for control -> IP_TTL; too little room -> MSG_CTRUNC")
{
	struct cf_ring *ring = begin(SOCK_RAW);
	struct msghdr *m = cf_msg(buf, 8);
	const int *ttl;

	cf_set_int(s[0], IPPROTO_IP, IP_RECVTTL, 1);
	for (int i = 0; i < 2; i++) {
		cf_msg_control(m, i ? 8 : 64);
		cf_put(s[1], "hello");
		recvmsg_of(ring, 0, m);
		cf_give(ring, 5, 0);
		ttl = i ? NULL : control_of(m, IPPROTO_IP, IP_TTL, sizeof(int));
		if (i == 0) {
			ck_assert_ptr_nonnull(ttl);
			ck_assert_int_gt(*ttl, 0);
			ck_assert_uint_eq(m->msg_controllen, CMSG_SPACE(sizeof(int)));
		} else {
			ck_assert_int_eq(m->msg_flags & MSG_CTRUNC, MSG_CTRUNC);
		}
	}
}

CF_TEST(recvmsg_brings_credentials, 0, "Recvmsg with SO_PASSCRED -> the sender's pid, uid, gid")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 8);
	const struct ucred *cred;

	cf_set_int(s[0], SOL_SOCKET, SO_PASSCRED, 1);
	cf_msg_control(m, 64);
	cf_put(s[1], "x");
	recvmsg_of(ring, 0, m);
	cf_give(ring, 1, 0);
	cred = control_of(m, SOL_SOCKET, SCM_CREDENTIALS, sizeof(*cred));
	ck_assert_ptr_nonnull(cred);
	ck_assert_int_eq(cred->pid, getpid());
	ck_assert_uint_eq(cred->uid, getuid());
	ck_assert_uint_eq(cred->gid, getgid());
}

CF_TEST(recvmsg_installs_descriptors, 0, "Recvmsg of SCM_RIGHTS -> new descriptors of the client before the CQE, close-on-exec only when asked for")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 8);
	int p[2], *got;

	cf_pipe(p);
	for (int i = 0; i < 2; i++) {
		cf_msg_control(m, CMSG_SPACE(2 * sizeof(int)));
		recvmsg_of(ring, 1, m)->msg_flags = i ? MSG_CMSG_CLOEXEC : 0;
		cf_waits(ring, 1);
		send_fds(p, 2, "fds");
		cf_expect(ring, 1, 3, 0);
		got = control_of(m, SOL_SOCKET, SCM_RIGHTS, 2 * sizeof(int));
		ck_assert_ptr_nonnull(got);
		ck_assert_int_eq(m->msg_flags & ~MSG_CMSG_CLOEXEC, 0);
		ck_assert_int_ne(got[0], p[0]);
		for (int k = 0; k < 2; k++)
			ck_assert_int_eq(fcntl(got[k], F_GETFD), i ? FD_CLOEXEC : 0);
		ck_assert_int_eq(write(got[1], "z", 1), 1);
		ck_assert_int_eq(read(p[0], buf, 1), 1);
		close(got[0]);
		close(got[1]);
	}
}

CF_TEST(descriptors_without_room_are_closed, 0, "Recvmsg of two descriptors with room for one -> one and MSG_CTRUNC; without control -> MSG_CTRUNC; none stays open")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(buf, 8);
	int p[2], pass[2], *got;

	for (int i = 0; i < 2; i++) {
		cf_pipe(p);
		pass[0] = pass[1] = p[1];
		if (i == 0)
			cf_msg_control(m, CMSG_LEN(sizeof(int)));
		m->msg_controllen = i == 0 ? CMSG_LEN(sizeof(int)) : 0;
		send_fds(pass, 2, "fds");
		recvmsg_of(ring, 0, m);
		cf_give(ring, 3, 0);
		ck_assert_int_eq(m->msg_flags & MSG_CTRUNC, MSG_CTRUNC);
		got = i == 0 ? control_of(m, SOL_SOCKET, SCM_RIGHTS, sizeof(int)) : NULL;
		if (i == 0) {
			ck_assert_ptr_nonnull(got);
			ck_assert_int_eq(write(got[0], "z", 1), 1);
			ck_assert_int_eq(read(p[0], buf, 1), 1);
			close(got[0]);
		}
		close(p[1]);
		cf_wait_fd(p[0], POLLHUP);	/* nobody holds the other end any more */
	}
}

CF_TEST(recv_drops_descriptors, 0, "Recv of a message with descriptors -> its bytes, the descriptors are closed")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	int p[2];

	cf_pipe(p);
	send_fds(&p[1], 1, "fds");
	close(p[1]);
	cf_xfer(ring, RINGD_OP_RECV, 0, 0, s[0], buf, 8);
	cf_give(ring, 3, 0);
	cf_wait_fd(p[0], POLLHUP);
}

/* --- selected buffers --- */

CF_TEST(recvmsg_selects_one_segment, 355, "Recvmsg with BUFFER_SELECT and 2 segments -> -EINVAL; with one or none -> F_BUFFER")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(NULL, 0);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	m->msg_iov = cf_alloc(2 * sizeof(struct iovec), 0);
	m->msg_iov[0].iov_len = 4;
	for (unsigned int n = 2; n < 3; n--) {
		cf_put(s[1], "hello");
		m->msg_iovlen = n;
		cf_msg_op(ring, RINGD_OP_RECVMSG, 0, SELECT, s[0], m)->buf_group = CF_BG;
		if (n == 2)
			cf_give(ring, -EINVAL, 0);
		else
			ck_assert_int_eq(cf_run(ring), n ? 4 : 11);
	}
	ck_assert_mem_eq(cf_buf(&b, 0), "hell", 4);
	ck_assert_mem_eq(cf_buf(&b, 1), "ohellohello", 11);
	cf_head_is(ring, 2);
}

CF_TEST(recvmsg_at_the_end_keeps_its_buffer, 410, "Recvmsg with BUFFER_SELECT at EOF -> 0 without F_BUFFER and head unchanged")
{
	struct cf_ring *ring = begin(SOCK_STREAM);
	struct msghdr *m = cf_msg(NULL, 0);
	struct cf_bufs b;

	cf_bufs_new(ring, &b, 0, 16, CF_BUFS);
	close(s[1]);
	cf_msg_op(ring, RINGD_OP_RECVMSG, 0, SELECT, s[0], m)->buf_group = CF_BG;
	cf_give(ring, 0, 0);
	cf_head_is(ring, 0);
}
