/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets through libringd with the real daemon: as descriptors of this process, by name, and what must be in an arena. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "daemon/common/util.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

#define MEM	(1u << 20)

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER };
static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static char *mem;
static char dir[64];
static uint32_t flags;		/* of the last CQE */

static void setup(void)
{
	struct ringd_arena *arena;

	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, MEM, 0), 0);
	mem = ringd_arena_base(arena);
	strcpy(dir, "/tmp/ringd-net-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	char command[96];

	ringd_close(rd);
	rd_daemon_expect_idle(&ringd, getuid());
	rd_daemon_stop(&ringd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void start(int kind)
{
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 64, kinds[kind]), 0);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 8), 0);
}

static struct ringd_sqe *get(void)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	return sqe;
}

static struct ringd_sqe *fixed(void)
{
	struct ringd_sqe *sqe = get();

	sqe->flags = RINGD_SQE_FIXED_FILE;
	return sqe;
}

/* The next CQE, whatever it has to be submitted for. */
static int32_t finish(void)
{
	struct ringd_cqe *cqe;
	int32_t res;

	ck_assert_int_ge(ringd_submit_and_wait(ring, 1), 0);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	res = cqe->res;
	flags = cqe->flags;
	ringd_cqe_seen(ring, cqe);
	return res;
}

static void lend(int fd)
{
	ck_assert_int_eq(ringd_fd_lend(rd, &fd, 1), 1);
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listener in slot 0; where it listens. */
static struct sockaddr_in listener(void)
{
	struct sockaddr_in addr = loopback(), *name = (struct sockaddr_in *)(void *)mem;
	socklen_t *len = (socklen_t *)(void *)(mem + 128);

	ringd_prep_socket_direct(get(), AF_INET, SOCK_STREAM, 0, 0, 0);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_bind(ring, fixed(), 0, (const struct sockaddr *)&addr, sizeof(addr));
	ck_assert_int_eq(finish(), 0);
	ringd_prep_listen(fixed(), 0, 8);
	ck_assert_int_eq(finish(), 0);
	*len = sizeof(addr);
	ringd_prep_cmd_getsockname(fixed(), 0, (struct sockaddr *)name, len, 0);
	ck_assert_int_eq(finish(), 0);
	ck_assert_uint_eq(*len, sizeof(addr));
	return *name;
}

/* Both ends become descriptors of this process, and work as such without ringd. */
START_TEST(sockets_are_descriptors)
{
	struct sockaddr_in addr, *peer = (struct sockaddr_in *)(void *)(mem + 256);
	socklen_t *len = (socklen_t *)(void *)(mem + 512);
	int client, server;
	char c;

	start(_i);
	addr = listener();
	ringd_prep_socket(ring, get(), AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0);
	client = finish();
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(fcntl(client, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
	lend(client);
	ringd_prep_connect(ring, get(), client, (const struct sockaddr *)&addr, sizeof(addr));
	ck_assert_int_eq(finish(), 0);
	*len = 128;
	ringd_prep_accept(ring, fixed(), 0, (struct sockaddr *)peer, len, SOCK_NONBLOCK);
	server = finish();
	ck_assert_int_ge(server, 0);
	ck_assert_int_eq(fcntl(server, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(fcntl(server, F_GETFD), 0);
	ck_assert_uint_eq(*len, sizeof(*peer));
	ck_assert_uint_eq(peer->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	ck_assert_int_eq(send(client, "x", 1, 0), 1);
	ck_assert_int_eq(fcntl(server, F_SETFL, 0), 0);
	ck_assert_int_eq(recv(server, &c, 1, 0), 1);
	ringd_prep_shutdown(get(), client, SHUT_WR);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(recv(server, &c, 1, 0), 0);
	ringd_prep_close(get(), client);
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(fcntl(client, F_GETFD), -1);
	close(server);
}
END_TEST

START_TEST(many_accepts_of_one_request)
{
	struct sockaddr_in addr;
	int ours[5], theirs[5];

	start(_i);
	addr = listener();
	ringd_prep_multishot_accept(ring, fixed(), 0, NULL, NULL, 0);
	for (unsigned int i = 0; i < 5; i++) {
		ours[i] = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(ours[i], (const struct sockaddr *)&addr, sizeof(addr)), 0);
		theirs[i] = finish();
		ck_assert_int_ge(theirs[i], 0);
		ck_assert_uint_eq(flags & RINGD_CQE_F_MORE, RINGD_CQE_F_MORE);
	}
	for (unsigned int i = 0; i < 5; i++) {
		char c = 0;

		ck_assert_int_eq(send(ours[i], &(char){ (char)i }, 1, 0), 1);
		ck_assert_int_eq(recv(theirs[i], &c, 1, 0), 1);
		ck_assert_int_eq(c, (char)i);
		close(ours[i]);
		close(theirs[i]);
	}
	ringd_prep_cancel64(get(), 0, 0);
	finish();
	finish();
}
END_TEST

/* A path is this process's: its working directory, its umask, its right to chmod it. */
START_TEST(names_in_the_file_system)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "name" };
	struct stat st;
	mode_t old;
	int fd;

	start(_i);
	ringd_prep_socket_direct(get(), AF_UNIX, SOCK_STREAM, 0, 1, 0);
	ck_assert_int_eq(finish(), 0);
	old = umask(027);
	ringd_prep_bind(ring, fixed(), 1, (const struct sockaddr *)&un, sizeof(un));
	umask(old);
	memset(&un, 0, sizeof(un));	/* it was copied */
	ck_assert_int_eq(finish(), 0);
	ck_assert_int_eq(stat("name", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFSOCK | 0750);
	ck_assert_uint_eq(st.st_uid, getuid());
	ringd_prep_listen(fixed(), 1, 8);
	ck_assert_int_eq(finish(), 0);
	un = (struct sockaddr_un){ .sun_family = AF_UNIX, .sun_path = "name" };
	ringd_prep_socket_direct_alloc(get(), AF_UNIX, SOCK_STREAM, 0, 0);
	fd = finish();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(mkdir("other", 0700), 0);
	ck_assert_int_eq(chdir("other"), 0);
	ringd_prep_connect(ring, fixed(), fd, (const struct sockaddr *)&un, sizeof(un));
	ck_assert_int_eq(finish(), -ENOENT);
	ck_assert_int_eq(chdir(".."), 0);
	ringd_prep_connect(ring, fixed(), fd, (const struct sockaddr *)&un, sizeof(un));
	ck_assert_int_eq(finish(), 0);
}
END_TEST

/* Two datagram sockets, in slots 1 and 2; where the second is. */
static struct sockaddr_in datagrams(void)
{
	struct sockaddr_in addr = loopback(), *name = (struct sockaddr_in *)(void *)mem;
	socklen_t *len = (socklen_t *)(void *)(mem + 128);

	for (unsigned int i = 1; i < 3; i++) {
		ringd_prep_socket_direct(get(), AF_INET, SOCK_DGRAM, 0, i, 0);
		ck_assert_int_eq(finish(), 0);
		ringd_prep_bind(ring, fixed(), (int)i, (const struct sockaddr *)&addr, sizeof(addr));
		ck_assert_int_eq(finish(), 0);
		*len = sizeof(addr);
		ringd_prep_cmd_getsockname(fixed(), (int)i, (struct sockaddr *)name, len, 0);
		ck_assert_int_eq(finish(), 0);
	}
	return *name;
}

START_TEST(destinations)
{
	struct sockaddr_in addr;
	struct iovec iov[2];
	struct msghdr mh;

	start(_i);
	addr = datagrams();
	memcpy(mem + 1000, "onetwo", 6);
	iov[0] = (struct iovec){ .iov_base = mem + 1000, .iov_len = 3 };
	iov[1] = (struct iovec){ .iov_base = mem + 1003, .iov_len = 3 };
	mh = (struct msghdr){ .msg_name = &addr, .msg_namelen = sizeof(addr), .msg_iov = iov, .msg_iovlen = 2 };
	ringd_prep_sendto(ring, fixed(), 1, mem + 1000, 6, 0, (const struct sockaddr *)&addr, sizeof(addr));
	ck_assert_int_eq(finish(), 6);
	for (unsigned int i = 0; i < 3; i++) {
		struct ringd_sqe *sqe = fixed();

		if (i == 0)
			ringd_prep_sendv(ring, sqe, 1, iov, 2, 0);
		else if (i == 1)
			ringd_prep_sendmsg(ring, sqe, 1, &mh, 0);
		else
			ringd_prep_sendv_zc(ring, sqe, 1, iov, 2, 0, 0);
		if (i != 1)
			ringd_prep_send_set_addr(ring, sqe, (const struct sockaddr *)&addr, sizeof(addr));
		ck_assert_int_eq(finish(), 6);
		if (i == 2) {
			ck_assert_uint_eq(flags & RINGD_CQE_F_MORE, RINGD_CQE_F_MORE);
			finish();
			ck_assert_uint_eq(flags & RINGD_CQE_F_NOTIF, RINGD_CQE_F_NOTIF);
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		memset(mem + 2000, 0, 16);
		ringd_prep_recv(fixed(), 2, mem + 2000, 16, 0);
		ck_assert_int_eq(finish(), 6);
		ck_assert_str_eq(mem + 2000, "onetwo");
	}
}
END_TEST

/* The msghdr is on the stack, and gone before anything comes. */
static void prep_many(void)
{
	struct msghdr mh = { .msg_namelen = 32, .msg_controllen = 16 };
	struct ringd_sqe *sqe = fixed();

	ringd_prep_recvmsg_multishot(ring, sqe, 2, &mh, 0);
	sqe->flags |= RINGD_SQE_BUFFER_SELECT;
	sqe->buf_group = 7;
	memset(&mh, 0xff, sizeof(mh));
}

/* An ordinary socket that sends to addr; *from: where it is. */
static int sender(const struct sockaddr_in *addr, struct sockaddr_in *from)
{
	socklen_t len = sizeof(*from);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)from, &len), 0);
	return fd;
}

START_TEST(messages_into_buffers)
{
	const struct msghdr mh = { .msg_namelen = 32, .msg_controllen = 16 };
	const size_t sizes[] = { 0, 5, 100 };	/* the last is more than there is room for */
	struct sockaddr_in addr, from;
	struct ringd_recvmsg_out *o;
	struct ringd_buf_ring *br;
	int r, fd;

	start(_i);
	addr = datagrams();
	fd = sender(&addr, &from);
	br = ringd_setup_buf_ring(ring, 4, 7, 0, &r);
	ck_assert_ptr_nonnull(br);
	for (int i = 0; i < 4; i++)
		ringd_buf_ring_add(br, mem + 4096 + i * 128, 128, (unsigned short)i, ringd_buf_ring_mask(4), i);
	ringd_buf_ring_advance(br, 4);
	prep_many();
	for (unsigned int i = 0; i < 3; i++) {
		char data[128];

		memset(data, 'a' + (int)i, sizeof(data));
		ck_assert_int_eq(send(fd, data, sizes[i], 0), (ssize_t)sizes[i]);
		r = finish();
		ck_assert_int_eq(r, (int)(16 + 32 + 16 + (i == 2 ? 64 : sizes[i])));
		ck_assert_uint_eq(flags & RINGD_CQE_F_MORE, RINGD_CQE_F_MORE);
		o = ringd_recvmsg_validate(mem + 4096 + (flags >> RINGD_CQE_BUFFER_SHIFT) * 128, r, &mh);
		ck_assert_ptr_nonnull(o);
		ck_assert_uint_eq(o->namelen, sizeof(from));
		ck_assert_mem_eq(ringd_recvmsg_name(o), &from, sizeof(from));
		ck_assert_ptr_null(ringd_recvmsg_cmsg_firsthdr(o, &mh));
		ck_assert_uint_eq(ringd_recvmsg_payload_length(o, r, &mh), i == 2 ? 64 : sizes[i]);
		ck_assert_mem_eq(ringd_recvmsg_payload(o, &mh), data, i == 2 ? 64 : sizes[i]);
		ck_assert_uint_eq(ringd_recvmsg_flags(o) & MSG_TRUNC, i == 2 ? MSG_TRUNC : 0);
	}
	close(fd);
	ringd_prep_cancel64(get(), 0, 0);
	finish();
	finish();
	ck_assert_int_eq(ringd_free_buf_ring(ring, br, 4, 7), 0);
}
END_TEST

/* What a request writes must be in an arena, and what is said when it is not. */
START_TEST(results_on_the_stack)
{
	char buf[16];
	struct iovec iov = { .iov_base = mem, .iov_len = 16 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 }, *shared = (struct msghdr *)(void *)(mem + 1024);
	struct iovec *shared_iov = (struct iovec *)(void *)(mem + 2048);
	struct sockaddr_in addr, from, peer;
	socklen_t len = sizeof(peer);
	int fd;

	start(_i);
	addr = datagrams();
	fd = sender(&addr, &from);
	ck_assert_int_eq(send(fd, "data", 4, 0), 4);
	ringd_prep_recvmsg(ring, fixed(), 2, &mh, 0);
	ck_assert_int_eq(finish(), -EFAULT);
	*shared = mh;
	ringd_prep_recvmsg(ring, fixed(), 2, shared, 0);
	ck_assert_int_eq(finish(), -EFAULT);
	ringd_prep_recv(fixed(), 2, buf, sizeof(buf), 0);
	ck_assert_int_eq(finish(), -EFAULT);
	*shared_iov = iov;
	*shared = (struct msghdr){ .msg_iov = shared_iov, .msg_iovlen = 1, .msg_name = mem + 3072, .msg_namelen = 128 };
	ringd_prep_recvmsg(ring, fixed(), 2, shared, 0);
	ck_assert_int_eq(finish(), 4);		/* nothing of it was lost on the way here */
	ck_assert_mem_eq(mem, "data", 4);
	ck_assert_uint_eq(shared->msg_namelen, sizeof(from));
	ck_assert_mem_eq(mem + 3072, &from, sizeof(from));
	close(fd);
	addr = listener();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	ringd_prep_accept(ring, fixed(), 0, (struct sockaddr *)&peer, &len, 0);
	ck_assert_int_eq(finish(), -EFAULT);	/* as io_uring: now that there is one, and it is gone */
	ck_assert_int_eq(recv(fd, buf, 1, 0), 0);
	close(fd);
}
END_TEST

int main(void)
{
	const int n = (int)RD_ARRAY_SIZE(kinds);
	Suite *s = suite_create("net");
	TCase *tc = tcase_create("sockets");

	if (rd_daemon_missing())
		return rd_suite_skip(rd_daemon_missing());
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, sockets_are_descriptors, 0, n);
	tcase_add_loop_test(tc, many_accepts_of_one_request, 0, n);
	tcase_add_loop_test(tc, names_in_the_file_system, 0, n);
	tcase_add_loop_test(tc, destinations, 0, n);
	tcase_add_loop_test(tc, messages_into_buffers, 0, n);
	tcase_add_loop_test(tc, results_on_the_stack, 0, n);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
