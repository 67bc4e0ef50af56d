/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SENDMSG and RECVMSG: names, control messages, descriptors; what is wrong with a struct msghdr. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "daemon/common/util.h"
#include "daemon/engine/ops/cmsg.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static int sv[2] = { -1, -1 };
static char *buf;
static struct msghdr *mh;	/* of the client, as are these: */
static struct iovec *iov;
static char *control;
static struct sockaddr_storage *name;
static struct sockaddr_in peer;	/* of sv[1] */

static void make_pair(int family, int type)
{
	socklen_t len = sizeof(peer);

	rd_close(sv[0]);
	rd_close(sv[1]);
	if (family == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
		return;
	}
	for (int i = 0; i < 2; i++) {
		peer = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
		sv[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		ck_assert_int_ge(sv[i], 0);
		ck_assert_int_eq(bind(sv[i], (struct sockaddr *)&peer, sizeof(peer)), 0);
	}
	ck_assert_int_eq(getsockname(sv[1], (struct sockaddr *)&peer, &len), 0);
}

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	buf = rd_th_alloc(&th, 1 << 20);
	mh = rd_th_alloc(&th, 4096);
	iov = rd_th_alloc(&th, 2000 * sizeof(*iov));
	control = rd_th_alloc(&th, 65536);
	name = rd_th_alloc(&th, 4096);
	*mh = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1 };
	iov[0] = (struct iovec){ buf, 5 };
	strcpy(buf, "hello");
}

static void setup_sync(void)
{
	setup(RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	setup(RD_BACKEND_URING);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	rd_close(sv[0]);
	rd_close(sv[1]);
	sv[0] = sv[1] = -1;
}

/* --- helpers --- */

static struct ringd_sqe *msg(uint8_t opcode, int fd)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)mh;
	sqe->len = 1;
	return sqe;
}

static int32_t send_it(void)
{
	msg(RINGD_OP_SENDMSG, sv[0]);
	return rd_tc_run(&c);
}

static int32_t receive_it(void)
{
	msg(RINGD_OP_RECVMSG, sv[1])->msg_flags = MSG_DONTWAIT;
	return rd_tc_run(&c);
}

/* The struct msghdr is for receiving, with room bytes of control data. */
static void for_receiving(size_t room)
{
	memset(control, 0x5a, 65536);
	*mh = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };
	iov[0] = (struct iovec){ buf + 100, 50 };
}

/* One more control message of what is sent. */
static void *append(int level, int type, size_t len)
{
	struct cmsghdr *cm = (struct cmsghdr *)(void *)(control + mh->msg_controllen);

	mh->msg_control = control;
	mh->msg_controllen += CMSG_SPACE(len);
	*cm = (struct cmsghdr){ .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };
	return CMSG_DATA(cm);
}

static void append_int(int level, int type, int value)
{
	memcpy(append(level, type, sizeof(value)), &value, sizeof(value));
}

static void append_fds(const int *fds, unsigned int n)
{
	memcpy(append(SOL_SOCKET, SCM_RIGHTS, n * sizeof(int)), fds, n * sizeof(int));
}

/* n descriptors of fd in one message to sv[1], not through the engine. */
static void send_fds(int fd, unsigned int n)
{
	union {
		char bytes[CMSG_SPACE(RD_FDS_MAX * sizeof(int))];
		struct cmsghdr head;
	} c1 = { .head = { .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec one = { &byte, 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &c1, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	for (unsigned int i = 0; i < n; i++)
		memcpy(CMSG_DATA(&c1.head) + i * sizeof(int), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(sv[0], &m, 0), 1);
}

/* Is fd a descriptor of the same pipe? */
static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Reading from p[0] says when nobody has p[1] any more. */
static void wait_closed(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0) {
		ck_assert_int_eq(errno, EAGAIN);
		rd_th_turn(&th);
	}
}

/* --- messages --- */

START_TEST(segments_and_names)
{
	make_pair(AF_INET, SOCK_DGRAM);
	iov[0].iov_len = 2;
	iov[1] = (struct iovec){ buf + 2, 3 };
	mh->msg_iovlen = 2;
	mh->msg_name = name;
	mh->msg_namelen = sizeof(peer);
	memcpy(name, &peer, sizeof(peer));
	ck_assert_int_eq(send_it(), 5);
	for_receiving(0);
	mh->msg_name = name;
	mh->msg_namelen = 4;
	mh->msg_flags = -1;
	memset(name, 0x5a, sizeof(*name));
	ck_assert_int_eq(receive_it(), 5);
	ck_assert_mem_eq(buf + 100, "hello", 5);
	ck_assert_uint_eq(mh->msg_namelen, sizeof(peer));
	ck_assert_uint_eq(name->ss_family, AF_INET);
	ck_assert_uint_eq(((unsigned char *)name)[4], 0x5a);
	ck_assert_int_eq(mh->msg_flags, 0);
	ck_assert_uint_eq(mh->msg_controllen, 0);
}
END_TEST

/* What was not asked for is not written. */
START_TEST(no_name_and_flags)
{
	make_pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(sendto(sv[0], "0123456789", 10, 0, (struct sockaddr *)&peer, sizeof(peer)), 10);
	for_receiving(0);
	iov[0].iov_len = 4;
	mh->msg_namelen = 55;
	msg(RINGD_OP_RECVMSG, sv[1])->msg_flags = MSG_TRUNC | MSG_CMSG_CLOEXEC;
	ck_assert_int_eq(rd_tc_run(&c), 10);
	ck_assert_uint_eq(mh->msg_namelen, 55);
	ck_assert_int_eq(mh->msg_flags, MSG_TRUNC | MSG_CMSG_CLOEXEC);
}
END_TEST

START_TEST(a_recvmsg_waits)
{
	make_pair(AF_UNIX, SOCK_STREAM);
	for_receiving(0);
	msg(RINGD_OP_RECVMSG, sv[1]);
	rd_tc_submit_waiting(&c);
	ck_assert_int_eq(send(sv[0], "late", 4, 0), 4);
	ck_assert_int_eq(rd_tc_wait(&c).res, 4);
}
END_TEST

static const struct {
	const char *what;
	struct msghdr mh;
	int send, receive;
} wrong[] = {
	{ "negative length of a name", { .msg_name = (void *)8, .msg_namelen = (socklen_t)-1 }, -EINVAL, -EINVAL },
	{ "long name", { .msg_name = (void *)8, .msg_namelen = 129 }, -EINVAL, 1 },
	{ "name nowhere", { .msg_name = (void *)8, .msg_namelen = 16 }, -EFAULT, 1 },
	{ "name nowhere, too many segments", { .msg_name = (void *)8, .msg_namelen = 16, .msg_iovlen = 1025 }, -EFAULT, -EMSGSIZE },
	{ "segments nowhere", { .msg_iov = (void *)8, .msg_iovlen = 1 }, -EFAULT, -EFAULT },
	{ "no segments", { .msg_iov = (void *)8 }, 0, 1 },
	{ "too many segments", { .msg_iovlen = 1025 }, -EMSGSIZE, -EMSGSIZE },
	{ "far too many segments", { .msg_iovlen = SIZE_MAX }, -EMSGSIZE, -EMSGSIZE },
	{ "control data nowhere", { .msg_control = (void *)8, .msg_controllen = 64 }, -EFAULT, 1 },
	{ "control data nowhere, none of it", { .msg_control = (void *)8 }, 0, 1 },
	{ "too much control data", { .msg_controllen = RD_CMSG_SEND_MAX + 1 }, -ENOBUFS, 1 },
	{ "far too much control data", { .msg_controllen = SIZE_MAX }, -ENOBUFS, 1 },
};

/* Result 1: it is not looked at. */
START_TEST(a_wrong_msghdr)
{
	make_pair(AF_UNIX, SOCK_DGRAM);
	*mh = wrong[_i].mh;
	ck_assert_msg(send_it() == wrong[_i].send, "%s", wrong[_i].what);
	if (wrong[_i].receive < 0)
		ck_assert_msg(receive_it() == wrong[_i].receive, "%s", wrong[_i].what);
}
END_TEST

START_TEST(wrong_requests)
{
	make_pair(AF_UNIX, SOCK_DGRAM);
	iov[0].iov_len = SIZE_MAX;
	ck_assert_int_eq(send_it(), -EINVAL);
	iov[0] = (struct iovec){ (void *)8, 5 };
	ck_assert_int_eq(send_it(), -EFAULT);
	mh = (void *)8;
	ck_assert_int_eq(send_it(), -EFAULT);
	ck_assert_int_eq(receive_it(), -EFAULT);
	msg(RINGD_OP_SENDMSG, sv[0])->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
	for (int i = 0; i < 2; i++) {
		msg(i ? RINGD_OP_RECVMSG : RINGD_OP_SENDMSG, sv[0])->addr2 = 1;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
		msg(i ? RINGD_OP_RECVMSG : RINGD_OP_SENDMSG, sv[0])->file_index = 1;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
		msg(i ? RINGD_OP_RECVMSG : RINGD_OP_SENDMSG, sv[0])->ioprio = RINGD_RECVSEND_BUNDLE;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
}
END_TEST

/* The file is looked at before the control data. */
START_TEST(not_a_socket)
{
	int p[2];

	make_pair(AF_UNIX, SOCK_DGRAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	mh->msg_control = (void *)8;
	mh->msg_controllen = 64;
	msg(RINGD_OP_SENDMSG, p[1]);
	ck_assert_int_eq(rd_tc_run(&c), -ENOTSOCK);
	msg(RINGD_OP_SENDMSG, -1);
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	for_receiving(0);
	msg(RINGD_OP_RECVMSG, p[0]);
	ck_assert_int_eq(rd_tc_run(&c), -ENOTSOCK);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* The place that the message was to be written back to is gone: it is lost, as with the kernel. */
START_TEST(nowhere_to_write_back)
{
	make_pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(sendto(sv[0], "x", 1, 0, (struct sockaddr *)&peer, sizeof(peer)), 1);
	for_receiving(0);
	mh->msg_name = (void *)8;
	mh->msg_namelen = 16;
	ck_assert_int_eq(receive_it(), -EFAULT);
	for_receiving(0);
	ck_assert_int_eq(receive_it(), -EAGAIN);
}
END_TEST

/* --- control messages --- */

static void want_ttl_and_pktinfo(void)
{
	int on = 1;

	make_pair(AF_INET, SOCK_DGRAM);
	ck_assert_int_eq(setsockopt(sv[1], IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
	ck_assert_int_eq(setsockopt(sv[1], IPPROTO_IP, IP_RECVTTL, &on, sizeof(on)), 0);
	mh->msg_name = name;
	mh->msg_namelen = sizeof(peer);
	memcpy(name, &peer, sizeof(peer));
}

START_TEST(plain_values_pass_both_ways)
{
	struct cmsghdr *cm;
	int ttl;

	want_ttl_and_pktinfo();
	append_int(IPPROTO_IP, IP_TTL, 33);
	ck_assert_int_eq(send_it(), 5);
	for_receiving(200);
	ck_assert_int_eq(receive_it(), 5);
	ck_assert_int_eq(mh->msg_flags, 0);
	ck_assert_uint_eq(mh->msg_controllen, CMSG_SPACE(12) + CMSG_SPACE(4));
	cm = CMSG_FIRSTHDR(mh);
	ck_assert_int_eq(cm->cmsg_type, IP_PKTINFO);
	cm = CMSG_NXTHDR(mh, cm);
	ck_assert_int_eq(cm->cmsg_type, IP_TTL);
	memcpy(&ttl, CMSG_DATA(cm), sizeof(ttl));
	ck_assert_int_eq(ttl, 33);
}
END_TEST

/* Whatever the room, what comes is what the kernel would have made of it. */
START_TEST(control_data_is_cut_as_by_the_kernel)
{
	struct msghdr m;
	char theirs[128];

	want_ttl_and_pktinfo();
	for (size_t room = 0; room <= 64; room++) {
		struct iovec one = { theirs, 1 };

		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(sendto(sv[0], "x", 1, 0, (struct sockaddr *)&peer, sizeof(peer)), 1);
		memset(theirs, 0x5a, sizeof(theirs));
		m = (struct msghdr){ .msg_iov = &one, .msg_iovlen = 1, .msg_control = theirs, .msg_controllen = room };
		one.iov_base = buf;
		ck_assert_int_eq(recvmsg(sv[1], &m, 0), 1);
		for_receiving(room);
		ck_assert_int_eq(receive_it(), 1);
		ck_assert_int_eq(mh->msg_flags, m.msg_flags);
		ck_assert_uint_eq(mh->msg_controllen, m.msg_controllen);
		for (size_t i = 0; i < m.msg_controllen; i++)
			ck_assert_msg(control[i] == theirs[i] || theirs[i] == 0x5a, "room %zu, byte %zu", room, i);
		ck_assert_uint_eq((unsigned char)control[mh->msg_controllen], 0x5a);
	}
}
END_TEST

START_TEST(a_place_for_control_data_that_is_none)
{
	want_ttl_and_pktinfo();
	ck_assert_int_eq(sendto(sv[0], "x", 1, 0, (struct sockaddr *)&peer, sizeof(peer)), 1);
	for_receiving(100);
	mh->msg_control = (void *)8;
	ck_assert_int_eq(receive_it(), 1);
	ck_assert_uint_eq(mh->msg_controllen, 0);
	ck_assert_int_eq(mh->msg_flags, 0);
}
END_TEST

/* --- descriptors --- */

START_TEST(descriptors_are_sent)
{
	union {
		char bytes[CMSG_SPACE(16)];
		struct cmsghdr head;
	} got;
	struct iovec one = { buf + 200, 50 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &got, .msg_controllen = sizeof(got) };
	int p[2], fds[2];

	make_pair(AF_UNIX, SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	append_fds(p, 2);
	ck_assert_int_eq(send_it(), 5);
	ck_assert_int_eq(recvmsg(sv[1], &m, MSG_CMSG_CLOEXEC), 5);
	ck_assert_uint_eq(got.head.cmsg_len, CMSG_LEN(2 * sizeof(int)));
	memcpy(fds, CMSG_DATA(&got.head), sizeof(fds));
	for (int i = 0; i < 2; i++) {
		ck_assert(same_file(fds[i], p[i]));
		close(fds[i]);
		close(p[i]);
	}
}
END_TEST

START_TEST(descriptors_that_cannot_be_sent)
{
	int fds[RD_FDS_MAX + 1];

	make_pair(AF_UNIX, SOCK_STREAM);
	fds[0] = sv[0];
	fds[1] = 54321;
	append_fds(fds, 2);
	ck_assert_int_eq(send_it(), -EBADF);
	for (int i = 0; i <= RD_FDS_MAX; i++)
		fds[i] = sv[0];
	rd_th_lend(&th, sv[0]);
	mh->msg_controllen = 0;
	append_fds(fds, RD_FDS_MAX + 1);
	ck_assert_int_eq(send_it(), -EINVAL);
	mh->msg_controllen = 0;
	append_fds(fds, RD_FDS_MAX);
	append_fds(fds, 1);
	ck_assert_int_eq(send_it(), -EINVAL);
	mh->msg_controllen = 0;
	append_fds(fds, RD_FDS_MAX);
	ck_assert_int_eq(send_it(), 5);
	mh->msg_controllen = 0;
	append_fds(fds, 0);
	ck_assert_int_eq(send_it(), 5);
}
END_TEST

/* Receive a message of n descriptors with room bytes; how many have come, all of pipe end p. */
static unsigned int received(size_t room, int fd, int flags)
{
	struct cmsghdr *cm;
	unsigned int n;

	for_receiving(room);
	msg(RINGD_OP_RECVMSG, sv[1])->msg_flags = (uint32_t)flags;
	ck_assert_int_eq(rd_tc_run(&c), 1);
	cm = CMSG_FIRSTHDR(mh);
	if (!cm)
		return 0;
	ck_assert_int_eq(cm->cmsg_type, SCM_RIGHTS);
	n = (unsigned int)((cm->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (unsigned int i = 0; i < n; i++) {
		int got;

		memcpy(&got, CMSG_DATA(cm) + i * sizeof(int), sizeof(got));
		ck_assert(same_file(got, fd));
		ck_assert_int_eq(!!(fcntl(got, F_GETFD) & FD_CLOEXEC), !!(flags & MSG_CMSG_CLOEXEC));
		close(got);
	}
	return n;
}

START_TEST(descriptors_are_received)
{
	int p[2];

	make_pair(AF_UNIX, _i ? SOCK_DGRAM : SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	for (unsigned int n = 1; n <= 3; n++) {
		send_fds(p[1], n);
		ck_assert_uint_eq(received(200, p[1], n == 2 ? MSG_CMSG_CLOEXEC : 0), n);
		ck_assert_int_eq(mh->msg_flags & MSG_CTRUNC, 0);
	}
	send_fds(p[1], RD_FDS_MAX);
	ck_assert_uint_eq(received(4096, p[1], 0), RD_FDS_MAX);
	send_fds(p[1], RD_FDS_MAX);
	ck_assert_uint_eq(received(CMSG_LEN(4 * sizeof(int)), p[1], 0), 4);
	ck_assert_int_eq(mh->msg_flags, MSG_CTRUNC);
	send_fds(p[1], 9);
	ck_assert_uint_eq(received(CMSG_LEN(0), p[1], 0), 0);
	ck_assert_int_eq(mh->msg_flags, MSG_CTRUNC);
	close(p[1]);
	wait_closed(p[0]);
	close(p[0]);
}
END_TEST

/* Who has no way to get them hears that, and nothing stays open. */
START_TEST(descriptors_for_who_cannot_have_them)
{
	int p[2];

	make_pair(AF_UNIX, SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	for (int i = 0; i < 4; i++) {
		th.can_install = i != 0;
		th.rights_fail = i == 1;
		send_fds(p[1], 5);
		for_receiving(200);
		if (i == 2)
			mh->msg_control = (void *)8;
		if (i == 3) {
			struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_RECV);

			sqe->fd = sv[1];
			sqe->addr = (uintptr_t)buf;
			sqe->len = 10;
		} else {
			msg(RINGD_OP_RECVMSG, sv[1]);
		}
		ck_assert_int_eq(rd_tc_run(&c), 1);
		ck_assert_int_eq(mh->msg_flags, i == 3 ? 0 : MSG_CTRUNC);
		ck_assert_uint_eq(mh->msg_controllen, i == 3 ? 200 : 0);
	}
	close(p[1]);
	wait_closed(p[0]);
	close(p[0]);
}
END_TEST

/* A budget without room for all that a message could bring: what is too much is closed; a worker receives when some still is. */
START_TEST(a_budget_without_room_for_descriptors)
{
	int p[2];

	make_pair(AF_UNIX, SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	th.engine.user.limit[RINGD_LIMIT_FILES] = 12;
	th.engine.user.limit[RINGD_LIMIT_RINGS] = th.engine.user.limit[RINGD_LIMIT_CLIENTS] = 8;
	th.engine.strays = (uint32_t)_i;
	send_fds(p[1], 5);
	ck_assert_uint_eq(received(200, p[1], 0), 5);
	ck_assert_int_eq(mh->msg_flags, 0);
	ck_assert_uint_eq(th.engine.stats.punted, (uint64_t)_i);
	send_fds(p[1], 20);
	ck_assert_uint_eq(received(200, p[1], 0), 0);
	ck_assert_int_eq(mh->msg_flags, MSG_CTRUNC);
	close(p[1]);
	wait_closed(p[0]);
	close(p[0]);
}
END_TEST

static unsigned int open_files(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* What workers have received stays where it is as long as the client of a lazy ring is away. */
START_TEST(descriptors_that_nobody_was_charged_for_are_few)
{
	struct ringd_cqe cqe;
	struct rd_link *l, *tmp;
	unsigned int before, ended = 0;
	int p[2];

	rd_tc_close(&c);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	make_pair(AF_UNIX, SOCK_DGRAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	th.engine.user.limit[RINGD_LIMIT_FILES] = 12;
	th.engine.user.limit[RINGD_LIMIT_RINGS] = th.engine.user.limit[RINGD_LIMIT_CLIENTS] = 8;
	th.engine.strays = 1;		/* so they are workers' */
	for (int i = 0; i < 4; i++)
		send_fds(p[1], 100);
	for_receiving(0);
	before = open_files();
	for (int i = 0; i < 4; i++)
		msg(RINGD_OP_RECVMSG, sv[1]);
	ck_assert_int_eq(rd_tc_submit(&c), 4);
	rd_list_foreach(l, tmp, &c.ring->ctx.pending) {
		while (!rd_list_entry(l, struct rd_req, link)->tasked)
			rd_th_turn(&th);
	}
	ck_assert_uint_le(open_files(), before + RD_FDS_MAX);
	while (ended < 4) {
		rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
		while (rd_tc_peek(&c, &cqe))
			ended += cqe.res == 1;
	}
	ck_assert_int_eq(mh->msg_flags, MSG_CTRUNC);
	th.engine.strays--;
	close(p[1]);
	wait_closed(p[0]);
	close(p[0]);
	ck_assert(!th.engine.away);
}
END_TEST

/* --- suite --- */

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, segments_and_names);
	tcase_add_test(tc, no_name_and_flags);
	tcase_add_test(tc, a_recvmsg_waits);
	tcase_add_loop_test(tc, a_wrong_msghdr, 0, RD_ARRAY_SIZE(wrong));
	tcase_add_test(tc, wrong_requests);
	tcase_add_test(tc, not_a_socket);
	tcase_add_test(tc, nowhere_to_write_back);
	tcase_add_test(tc, plain_values_pass_both_ways);
	tcase_add_test(tc, control_data_is_cut_as_by_the_kernel);
	tcase_add_test(tc, a_place_for_control_data_that_is_none);
	tcase_add_test(tc, descriptors_are_sent);
	tcase_add_test(tc, descriptors_that_cannot_be_sent);
	tcase_add_loop_test(tc, descriptors_are_received, 0, 2);
	tcase_add_test(tc, descriptors_for_who_cannot_have_them);
	tcase_add_loop_test(tc, a_budget_without_room_for_descriptors, 0, 2);
	tcase_add_test(tc, descriptors_that_nobody_was_charged_for_are_few);
}

static Suite *msg_suite(void)
{
	static void (*const setups[])(void) = { setup_sync, setup_uring };
	static const char *const names[] = { "sync", "uring" };
	Suite *s = suite_create("ops_msg");

	for (int i = 0; i < 2; i++) {
		TCase *tc = tcase_create(names[i]);

		if (i && !rd_th_backend_works(RD_BACKEND_URING))
			continue;
		tcase_add_checked_fixture(tc, setups[i], teardown);
		add_tests(tc);
		suite_add_tcase(s, tc);
	}
	return s;
}

int main(void)
{
	return rd_suite_main(msg_suite());
}
