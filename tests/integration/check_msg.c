/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages with descriptors, credentials and names, libringd with the real daemon. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "daemon/common/util.h"
#include "proto/wire.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

#define FDS_MAX 253

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER };
static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static char *mem;
static int sv[2];		/* sv[0] is ours, sv[1] the engine's */

/* A message that is received: all of it is in the arena. */
struct room {
	struct msghdr mh;
	struct iovec iov;
	char data[64];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int)) + 64];
};

static struct room *room;

static void setup(void)
{
	struct ringd_arena *arena;

	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, 1u << 20, 0), 0);
	mem = ringd_arena_base(arena);
	room = (struct room *)(void *)mem;
	ring = NULL;
}

static void teardown(void)
{
	ringd_close(rd);
	rd_daemon_expect_idle(&ringd, getuid());
	rd_daemon_stop(&ringd);
}

static void start(unsigned int kind, int type)
{
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 64, kinds[kind]), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
	ck_assert_int_eq(ringd_fd_lend(rd, &sv[1], 1), 1);
}

static void end(void)
{
	close(sv[0]);
	close(sv[1]);
}

static struct ringd_cqe wait_cqe(void)
{
	struct ringd_cqe *cqe, copy;

	ck_assert_int_ge(ringd_submit_and_wait(ring, 1), 0);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	copy = *cqe;
	ringd_cqe_seen(ring, cqe);
	return copy;
}

static int32_t finish(void)
{
	struct ringd_cqe cqe = wait_cqe();

	ck_assert_uint_eq(cqe.flags & RINGD_CQE_F_CHANNEL, 0);
	return cqe.res;
}

static struct ringd_sqe *receive(struct room *r, unsigned int flags)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	memset(r, 0, sizeof(*r));
	r->iov = (struct iovec){ r->data, sizeof(r->data) };
	r->mh = (struct msghdr){ .msg_iov = &r->iov, .msg_iovlen = 1, .msg_control = r->control, .msg_controllen = sizeof(r->control) };
	ringd_prep_recvmsg(ring, sqe, sv[1], &r->mh, flags);
	return sqe;
}

/* One message "x" with n copies of fd, not through the engine. */
static void send_fds(int fd, unsigned int n)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr head;
	} cm = { .head = { .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec one = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &cm, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	for (unsigned int i = 0; i < n; i++)
		memcpy(CMSG_DATA(&cm.head) + i * sizeof(int), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(sv[0], &mh, 0), 1);
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Close all descriptors in the message; each must be of fd's file. How many there were. */
static unsigned int take(struct msghdr *mh, int fd, bool cloexec)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);
	unsigned int n;

	if (!c)
		return 0;
	ck_assert_int_eq(c->cmsg_level, SOL_SOCKET);
	ck_assert_int_eq(c->cmsg_type, SCM_RIGHTS);
	n = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (unsigned int i = 0; i < n; i++) {
		int got;

		memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
		ck_assert_msg(same_file(got, fd), "descriptor %u of %u is %d", i, n, got);
		ck_assert_int_eq(!!(fcntl(got, F_GETFD) & FD_CLOEXEC), cloexec);
		close(got);
	}
	return n;
}

/* --- descriptors --- */

START_TEST(descriptors_come)
{
	int p[2];
	char byte;

	start((unsigned int)_i, SOCK_STREAM);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	for (unsigned int n = 0; n < 4; n++) {
		send_fds(p[1], n);
		receive(room, n & 1 ? MSG_CMSG_CLOEXEC : 0);
		ck_assert_int_eq(finish(), 1);
		ck_assert_int_eq(room->mh.msg_flags, n & 1 ? MSG_CMSG_CLOEXEC : 0);
		ck_assert_uint_eq(room->mh.msg_controllen, n ? CMSG_SPACE(n * sizeof(int)) : 0);
		ck_assert_uint_eq(take(&room->mh, p[1], n & 1), n);
	}
	send_fds(p[1], FDS_MAX);
	receive(room, 0);
	ck_assert_int_eq(finish(), 1);
	ck_assert_uint_eq(take(&room->mh, p[1], false), FDS_MAX);
	/* nobody has any of them any more */
	close(p[1]);
	ck_assert_int_eq(read(p[0], &byte, 1), 0);
	close(p[0]);
	end();
}
END_TEST

START_TEST(descriptors_go)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr head;
	} cm = { .head = { .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } }, got;
	char text[] = "hi", in[8];
	struct iovec one = { mem, 2 }, into = { in, sizeof(in) };
	struct msghdr mh = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &cm, .msg_controllen = sizeof(cm) };
	struct msghdr back = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = &got, .msg_controllen = sizeof(got) };
	int p[2];

	start((unsigned int)_i, SOCK_STREAM);
	memcpy(mem, text, 2);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	memcpy(CMSG_DATA(&cm.head), p, sizeof(p));
	ringd_prep_sendmsg(ring, ringd_get_sqe(ring), sv[1], &mh, 0);
	ck_assert_int_eq(finish(), 2);
	ck_assert_int_eq(recvmsg(sv[0], &back, 0), 2);
	ck_assert_uint_eq(got.head.cmsg_len, CMSG_LEN(2 * sizeof(int)));
	for (int i = 0; i < 2; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(&got.head) + (size_t)i * sizeof(fd), sizeof(fd));
		ck_assert(same_file(fd, p[i]));
		close(fd);
	}
	/* a number that is not open */
	close(p[0]);
	ck_assert_int_eq(ringd_fd_return(rd, p, 2), 2);
	ringd_prep_sendmsg(ring, ringd_get_sqe(ring), sv[1], &mh, 0);
	ck_assert_int_eq(finish(), -EBADF);
	close(p[1]);
	end();
}
END_TEST

/* More packets than the channel holds, and nobody reads CQEs before all are under way. */
START_TEST(many_messages_at_once)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	start((unsigned int)_i, SOCK_SEQPACKET);
	for (unsigned int i = 0; i < 40; i++)
		receive(&room[i], 0);
	ck_assert_int_eq(ringd_submit(ring), 40);
	for (unsigned int i = 0; i < 40; i++)
		send_fds(null, 1 + i % 5);
	for (unsigned int i = 0; i < 40; i++)
		ck_assert_int_eq(finish(), 1);
	for (unsigned int i = 0; i < 40; i++)
		ck_assert_uint_eq(take(&room[i].mh, null, false), 1 + i % 5);
	close(null);
	end();
}
END_TEST

START_TEST(descriptors_in_a_multishot)
{
	static const struct msghdr lengths = { .msg_controllen = CMSG_SPACE(4 * sizeof(int)) };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct ringd_sqe *last;

	start((unsigned int)_i, SOCK_SEQPACKET);
	ringd_prep_provide_buffers(ringd_get_sqe(ring), mem, 256, 8, 3, 0);
	ck_assert_int_eq(finish(), 0);
	last = ringd_get_sqe(ring);
	ringd_prep_recvmsg_multishot(ring, last, sv[1], &lengths, 0);
	ringd_sqe_set_flags(last, RINGD_SQE_BUFFER_SELECT);
	last->buf_group = 3;
	ck_assert_int_eq(ringd_submit(ring), 1);
	for (unsigned int n = 0; n < 5; n++)
		send_fds(null, n);
	for (unsigned int n = 0; n < 5; n++) {
		struct ringd_cqe cqe = wait_cqe();
		struct ringd_recvmsg_out *out;
		struct msghdr mh = lengths;

		ck_assert_uint_eq(cqe.flags & 0xffff, RINGD_CQE_F_BUFFER | RINGD_CQE_F_MORE);
		out = ringd_recvmsg_validate(mem + 256 * (cqe.flags >> RINGD_CQE_BUFFER_SHIFT), cqe.res, &lengths);
		ck_assert_ptr_nonnull(out);
		ck_assert_int_eq(*(char *)ringd_recvmsg_payload(out, &lengths), 'x');
		mh.msg_control = ringd_recvmsg_cmsg_firsthdr(out, &lengths);
		mh.msg_controllen = out->controllen;
		ck_assert_uint_eq(take(&mh, null, false), n);
		ck_assert_uint_eq(out->flags & MSG_CTRUNC, 0);
	}
	close(null);
	close(sv[0]);
	ck_assert_int_eq(finish(), 0);
	close(sv[1]);
}
END_TEST

/* As many as this process has room for, and it is told that there were more. */
START_TEST(no_room_for_all_descriptors)
{
	struct rlimit rl, few;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), last;

	start((unsigned int)_i, SOCK_STREAM);
	receive(room, 0);	/* opens what it needs before the limit counts */
	send_fds(null, 1);
	ck_assert_int_eq(finish(), 1);
	ck_assert_uint_eq(take(&room->mh, null, false), 1);
	last = dup(null);
	close(last);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	for (unsigned int n = 0; n < 3; n++) {
		send_fds(null, 5);
		few = (struct rlimit){ .rlim_cur = (rlim_t)last + n, .rlim_max = rl.rlim_max };
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		receive(room, 0);
		ck_assert_int_eq(finish(), 1);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
		ck_assert_uint_eq(take(&room->mh, null, false), n);
		ck_assert_int_eq(room->mh.msg_flags, MSG_CTRUNC);
	}
	close(null);
	end();
}
END_TEST

/* Nobody hears of it, but the message is there. */
START_TEST(a_silent_success)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	start((unsigned int)_i, SOCK_STREAM);
	send_fds(null, 2);
	ringd_sqe_set_flags(receive(room, 0), RINGD_SQE_CQE_SKIP_SUCCESS | RINGD_SQE_IO_LINK);
	ringd_prep_nop(ringd_get_sqe(ring));
	ck_assert_int_eq(finish(), 0);
	ck_assert_uint_eq(take(&room->mh, null, false), 2);
	close(null);
	end();
}
END_TEST

/* --- who it comes from --- */

static struct ucred sender(void)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr head;
	} got;
	char in[8];
	struct iovec into = { in, sizeof(in) };
	struct msghdr mh = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = &got, .msg_controllen = sizeof(got) };
	struct ucred cred;

	ck_assert_int_eq(recvmsg(sv[0], &mh, 0), 1);
	ck_assert_int_eq(got.head.cmsg_type, SCM_CREDENTIALS);
	memcpy(&cred, CMSG_DATA(&got.head), sizeof(cred));
	return cred;
}

static int32_t send_as(const struct ucred *cred)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr head;
	} cm = { .head = { .cmsg_len = CMSG_LEN(sizeof(*cred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS } };
	struct iovec one = { mem, 1 };
	struct msghdr mh = { .msg_iov = &one, .msg_iovlen = 1 };

	if (cred) {
		memcpy(CMSG_DATA(&cm.head), cred, sizeof(*cred));
		mh.msg_control = &cm;
		mh.msg_controllen = sizeof(cm);
	}
	ringd_prep_sendmsg(ring, ringd_get_sqe(ring), sv[1], &mh, 0);
	return finish();
}

/* The tenant's ids in any case; the process is the one that made the call, and nobody can name another. */
START_TEST(credentials_are_the_tenants)
{
	struct ucred cred = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
	pid_t engine;
	int on = 1;

	start(0, SOCK_DGRAM);
	ck_assert_int_eq(setsockopt(sv[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	ck_assert_int_eq(send_as(NULL), 1);
	engine = sender().pid;
	ck_assert_int_ne(engine, getpid());
	ck_assert_int_eq(send_as(&cred), 1);
	cred = sender();
	ck_assert_int_eq(cred.pid, engine);
	ck_assert_uint_eq(cred.uid, getuid());
	ck_assert_uint_eq(cred.gid, getgid());
	ck_assert_int_eq(send_as(&cred), -EPERM);	/* not by its own name */
	cred.pid = 1;
	ck_assert_int_eq(send_as(&cred), -EPERM);
	cred.pid = getpid();
	cred.uid++;
	ck_assert_int_eq(send_as(&cred), -EPERM);
	end();
}
END_TEST

START_TEST(credentials_pass_to_the_client)
{
	struct ucred cred;
	struct cmsghdr *c;
	int on = 1;

	start((unsigned int)_i, SOCK_STREAM);
	ck_assert_int_eq(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	ck_assert_int_eq(send(sv[0], "x", 1, 0), 1);
	receive(room, 0);
	ck_assert_int_eq(finish(), 1);
	c = CMSG_FIRSTHDR(&room->mh);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->cmsg_type, SCM_CREDENTIALS);
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	ck_assert_int_eq(cred.pid, getpid());
	ck_assert_uint_eq(cred.uid, getuid());
	end();
}
END_TEST

/* --- where it goes --- */

/* A path starts at the working directory of the client. */
START_TEST(a_destination_in_the_file_system)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "here" };
	struct iovec one = { mem, 5 };
	struct msghdr mh = { .msg_name = &un, .msg_namelen = sizeof(un), .msg_iov = &one, .msg_iovlen = 1 };
	char dir[] = "/tmp/ringd-msg-XXXXXX", in[8] = { 0 };
	int s;

	start((unsigned int)_i, SOCK_DGRAM);
	close(sv[1]);
	sv[1] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(ringd_fd_lend(rd, &sv[1], 1), 1);
	memcpy(mem, "hello", 5);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	ringd_prep_sendmsg(ring, ringd_get_sqe(ring), sv[1], &mh, 0);
	ck_assert_int_eq(finish(), -ENOENT);
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&un, sizeof(un)), 0);
	ringd_prep_sendmsg(ring, ringd_get_sqe(ring), sv[1], &mh, 0);
	ck_assert_int_eq(finish(), 5);
	ck_assert_int_eq(recv(s, in, sizeof(in), 0), 5);
	ck_assert_str_eq(in, "hello");
	ringd_prep_sendto(ring, ringd_get_sqe(ring), sv[1], mem, 4, 0, (struct sockaddr *)&un, sizeof(un));
	ck_assert_int_eq(finish(), 4);
	ck_assert_int_eq(recv(s, in, sizeof(in), 0), 4);
	close(s);
	unlink("here");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(dir);
	end();
}
END_TEST

/* --- suite --- */

static Suite *msg_suite(void)
{
	const int n = RD_ARRAY_SIZE(kinds);
	Suite *s = suite_create("msg");
	TCase *tc = tcase_create("messages");

	tcase_set_timeout(tc, 600);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, descriptors_come, 0, n);
	tcase_add_loop_test(tc, descriptors_go, 0, n);
	tcase_add_loop_test(tc, many_messages_at_once, 0, n);
	tcase_add_loop_test(tc, descriptors_in_a_multishot, 0, n);
	tcase_add_loop_test(tc, no_room_for_all_descriptors, 0, n);
	tcase_add_loop_test(tc, a_silent_success, 0, n);
	tcase_add_test(tc, credentials_are_the_tenants);
	tcase_add_loop_test(tc, credentials_pass_to_the_client, 0, n);
	tcase_add_loop_test(tc, a_destination_in_the_file_system, 0, n);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	const char *missing = rd_daemon_missing();

	if (missing)
		return rd_suite_skip(missing);
	return rd_suite_main(msg_suite());
}
