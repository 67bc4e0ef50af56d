/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: the prep helpers for sockets, seen from the engine's side; and against liburing's, where it is installed. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#if __has_include(<liburing.h>)
#include <liburing.h>
#define LIKE_LIBURING(call) do { \
	struct io_uring_sqe theirs; \
	memset(&theirs, 0, sizeof(theirs)); \
	io_uring_##call; \
	_Static_assert(sizeof(theirs) == sizeof(*sqe), "an SQE is an SQE"); \
	ck_assert_mem_eq(sqe, &theirs, sizeof(theirs)); \
} while (0)
#define THEM	&theirs
#else
#define LIKE_LIBURING(call)	((void)0)
#endif

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

#define BUF	((void *)0x10000)

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

static const struct sockaddr_in inet = { .sin_family = AF_INET, .sin_port = 0x1234, .sin_addr.s_addr = 0x7f };
static const struct sockaddr *const name = (const struct sockaddr *)&inet;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, RINGD_SETUP_SQPOLL), 0);
	peer = &fake->rings[0];
	fake_stop(fake);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

/* Where the engine finds a client address of the scratch area. */
static const void *translate(uint64_t addr, size_t size)
{
	ck_assert_uint_ge(addr, peer->create.scratch_base);
	ck_assert_uint_le(addr + size, peer->create.scratch_base + peer->scratch_size);
	return peer->scratch + (addr - peer->create.scratch_base);
}

static bool in_scratch(uint64_t addr)
{
	return addr >= peer->create.scratch_base && addr < peer->create.scratch_base + peer->scratch_size;
}

/* The same SQE each time. What a helper must write is full of what an earlier user of it may have left. */
static struct ringd_sqe *dirty(struct ringd_sqe *sqe)
{
	memset(sqe, 0xff, sizeof(*sqe));
	sqe->flags = 0;
	sqe->ioprio = 0;
	sqe->personality = 0;
	sqe->user_data = 0;
	return sqe;
}

static struct ringd_sqe *get(void)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	return dirty(sqe);
}

START_TEST(new_sockets)
{
	socklen_t *len = (socklen_t *)0x20000;
	struct ringd_sqe *sqe = get();

	ringd_prep_socket(ring, sqe, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 6, 0);
	ck_assert_int_eq(sqe->fd, AF_INET6);
	ck_assert_uint_eq(sqe->off, SOCK_STREAM | SOCK_CLOEXEC);
	ck_assert_uint_eq(sqe->len, 6);
	LIKE_LIBURING(prep_socket(THEM, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 6, 0));
	ringd_prep_socket_direct(dirty(sqe), AF_UNIX, SOCK_DGRAM, 0, 7, 0);
	ck_assert_uint_eq(sqe->file_index, 8);
	LIKE_LIBURING(prep_socket_direct(THEM, AF_UNIX, SOCK_DGRAM, 0, 7, 0));
	ringd_prep_socket_direct_alloc(dirty(sqe), AF_UNIX, SOCK_DGRAM, 0, 0);
	ck_assert_uint_eq(sqe->file_index, RINGD_FILE_INDEX_ALLOC);
	ringd_prep_accept(ring, dirty(sqe), 5, BUF, len, SOCK_CLOEXEC);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_ACCEPT);
	ck_assert_uint_eq(sqe->accept_flags, SOCK_CLOEXEC);
	LIKE_LIBURING(prep_accept(THEM, 5, BUF, len, SOCK_CLOEXEC));
	ringd_prep_accept_direct(dirty(sqe), 5, NULL, NULL, 0, 0);
	LIKE_LIBURING(prep_accept_direct(THEM, 5, NULL, NULL, 0, 0));
	ringd_prep_multishot_accept(ring, dirty(sqe), 5, NULL, NULL, SOCK_NONBLOCK);
	ck_assert_uint_eq(sqe->ioprio, RINGD_ACCEPT_MULTISHOT);
	LIKE_LIBURING(prep_multishot_accept(THEM, 5, NULL, NULL, SOCK_NONBLOCK));
	ringd_prep_multishot_accept_direct(dirty(sqe), 5, NULL, NULL, 0);
	ck_assert_uint_eq(sqe->file_index, RINGD_FILE_INDEX_ALLOC);
	LIKE_LIBURING(prep_multishot_accept_direct(THEM, 5, NULL, NULL, 0));
	ringd_prep_listen(dirty(sqe), 5, 128);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_LISTEN);
	ck_assert_int_eq(sqe->fd, 5);
	ck_assert_uint_eq(sqe->len, 128);
	ck_assert_uint_eq(sqe->off | sqe->addr | sqe->rw_flags | sqe->buf_index | sqe->file_index, 0);
	ringd_prep_shutdown(dirty(sqe), 5, SHUT_WR);
	ck_assert_uint_eq(sqe->len, SHUT_WR);
	LIKE_LIBURING(prep_shutdown(THEM, 5, SHUT_WR));
}
END_TEST

/* A descriptor can only come through the channel: who has none, and gets none, is told so by the request. */
START_TEST(descriptors_need_a_channel)
{
	struct ringd_sqe *sqe = get();
	struct msghdr mh = { .msg_control = BUF, .msg_controllen = 24 };

	fake->fail = -EDQUOT;
	ringd_prep_socket(ring, sqe, AF_INET, SOCK_STREAM, 0, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_int_eq((int)sqe->len, -EDQUOT);
	fake->fail = -EDQUOT;
	ringd_prep_accept(ring, dirty(sqe), 5, NULL, NULL, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	fake->fail = -EDQUOT;
	ringd_prep_multishot_accept(ring, dirty(sqe), 5, NULL, NULL, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_uint_eq(sqe->ioprio, 0);
	fake->fail = -EDQUOT;
	ringd_prep_recvmsg_multishot(ring, dirty(sqe), 5, &mh, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_uint_eq(sqe->ioprio, 0);
	/* what gives none needs none */
	fake->fail = -EDQUOT;
	mh.msg_controllen = 0;
	ringd_prep_recvmsg(ring, dirty(sqe), 5, &mh, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_RECVMSG);
	ringd_prep_accept_direct(dirty(sqe), 5, NULL, NULL, 0, 1);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_ACCEPT);
	ck_assert_int_eq(fake->fail, -EDQUOT);
}
END_TEST

START_TEST(names_are_copied)
{
	char big[129] = { AF_INET };
	struct ringd_sqe *sqe = get();

	ringd_prep_connect(ring, sqe, 5, name, sizeof(inet));
	ck_assert_mem_eq(translate(sqe->addr, sizeof(inet)), &inet, sizeof(inet));
	ck_assert_uint_eq(sqe->off, sizeof(inet));
	LIKE_LIBURING(prep_connect(THEM, 5, (void *)sqe->addr, sizeof(inet)));
	ringd_prep_bind(ring, dirty(sqe), 5, name, sizeof(inet));
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_BIND);
	ck_assert_int_eq(sqe->fd, 5);
	ck_assert_uint_eq(sqe->off, sizeof(inet));
	ck_assert_uint_eq(sqe->len | sqe->rw_flags | sqe->buf_index | sqe->file_index, 0);
	ck_assert_mem_eq(translate(sqe->addr, sizeof(inet)), &inet, sizeof(inet));
	/* too long for any name: -EINVAL, from the engine */
	ringd_prep_bind(ring, dirty(sqe), 5, (const struct sockaddr *)(const void *)big, sizeof(big));
	ck_assert_uint_eq(sqe->off, sizeof(big));
	ck_assert(!in_scratch(sqe->addr));
	ringd_prep_bind(ring, dirty(sqe), 5, (const struct sockaddr *)(const void *)big, 128);
	ck_assert_mem_eq(translate(sqe->addr, 128), big, 128);
	ringd_prep_connect(ring, dirty(sqe), 5, NULL, sizeof(inet));
	ck_assert_uint_eq(sqe->addr, 0);
}
END_TEST

/* Names in the file system start from the working directory of this process and get its umask, not the engine's. */
START_TEST(working_directory_of_names)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/absolute" };
	const struct sockaddr *addr = (const struct sockaddr *)&un;
	struct msghdr mh = { .msg_name = &un, .msg_namelen = sizeof(un) };
	struct ringd_sqe *sqe = get();

	ringd_prep_connect(ring, sqe, 5, addr, sizeof(un));
	memcpy(un.sun_path, "\0abstract", 9);
	ringd_prep_bind(ring, sqe, 5, addr, offsetof(struct sockaddr_un, sun_path) + 9);
	ringd_prep_bind(ring, sqe, 5, addr, offsetof(struct sockaddr_un, sun_path));
	ringd_prep_bind(ring, sqe, 5, addr, 0);
	ringd_prep_connect(ring, sqe, 5, name, sizeof(inet));
	ck_assert_int_eq(fake->cwds, 0);
	ck_assert_uint_eq(sqe->addr3, 0);
	strcpy(un.sun_path, "relative");
	umask(027);
	ringd_prep_bind(ring, dirty(sqe), 5, addr, sizeof(un));
	ck_assert_int_eq(fake->cwds, 1);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_BIND);
	ck_assert_uint_eq(sqe->addr3, RINGD_BIND_UMASK | 027);
	ck_assert_int_eq(chdir("/"), 0);
	fake->fail = -EPERM;
	ringd_prep_connect(ring, dirty(sqe), 5, addr, sizeof(un));
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_int_eq((int)sqe->len, -EPERM);
	fake->fail = -EPERM;
	ringd_prep_sendto(ring, dirty(sqe), 5, BUF, 10, 0, addr, sizeof(un));
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_uint_eq(sqe->addr_len, 0);
	fake->fail = -EPERM;
	ringd_prep_sendmsg_zc_fixed(ring, dirty(sqe), 5, &mh, 0, 3);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_uint_eq(sqe->buf_index | sqe->ioprio, 0);
}
END_TEST

START_TEST(sends)
{
	struct ringd_sqe *sqe = get();

	ringd_prep_send(sqe, 5, BUF, 100, MSG_DONTWAIT);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SEND);
	ck_assert_uint_eq(sqe->msg_flags, MSG_DONTWAIT);
	LIKE_LIBURING(prep_send(THEM, 5, BUF, 100, MSG_DONTWAIT));
	ringd_prep_send_bundle(dirty(sqe), 5, 100, MSG_WAITALL);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SEND);
	ck_assert_uint_eq(sqe->ioprio, RINGD_RECVSEND_BUNDLE);
	ck_assert_uint_eq(sqe->addr | sqe->off | sqe->file_index, 0);
	ck_assert_uint_eq(sqe->len, 100);
	ck_assert_uint_eq(sqe->msg_flags, MSG_WAITALL);
	ringd_prep_send_zc(dirty(sqe), 5, BUF, 100, 0, RINGD_SEND_ZC_REPORT_USAGE);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SEND_ZC);
	ck_assert_uint_eq(sqe->ioprio, RINGD_SEND_ZC_REPORT_USAGE);
	LIKE_LIBURING(prep_send_zc(THEM, 5, BUF, 100, 0, RINGD_SEND_ZC_REPORT_USAGE));
	ringd_prep_send_zc_fixed(dirty(sqe), 5, BUF, 100, 0, 0, 3);
	ck_assert_uint_eq(sqe->buf_index, 3);
	LIKE_LIBURING(prep_send_zc_fixed(THEM, 5, BUF, 100, 0, 0, 3));
	ringd_prep_send(dirty(sqe), 5, BUF, 100, 0);
	ringd_prep_send_set_addr(ring, sqe, name, sizeof(inet));
	ck_assert_mem_eq(translate(sqe->addr2, sizeof(inet)), &inet, sizeof(inet));
	ck_assert_uint_eq(sqe->addr_len, sizeof(inet));
	ck_assert_uint_eq(sqe->__pad3[0], 0);
	ringd_prep_sendto(ring, dirty(sqe), 5, BUF, 100, 0, name, sizeof(inet));
	ck_assert_mem_eq(translate(sqe->addr2, sizeof(inet)), &inet, sizeof(inet));
	ck_assert_uint_eq(sqe->addr_len, sizeof(inet));
	ringd_prep_sendto(ring, dirty(sqe), 5, BUF, 100, 0, name, (socklen_t)0x10001);
	ck_assert_uint_eq(sqe->addr_len, 0xffff);
	ringd_prep_sendto(ring, dirty(sqe), 5, BUF, 100, 0, NULL, 0);
	ck_assert_uint_eq(sqe->addr2 | sqe->addr_len, 0);
	LIKE_LIBURING(prep_send(THEM, 5, BUF, 100, 0));
}
END_TEST

static void expect_segments(uint64_t addr, const struct iovec *iov, size_t nr)
{
	const uint64_t *copy = translate(addr, nr * 16);

	for (size_t i = 0; i < nr; i++) {
		ck_assert_uint_eq(copy[2 * i], (uint64_t)(uintptr_t)iov[i].iov_base);
		ck_assert_uint_eq(copy[2 * i + 1], iov[i].iov_len);
	}
}

static struct iovec *segments(size_t nr)
{
	static struct iovec iov[RINGD_MAX_IOVECS];

	for (size_t i = 0; i < nr; i++)
		iov[i] = (struct iovec){ .iov_base = (void *)(i * 4096), .iov_len = i + 1 };
	return iov;
}

START_TEST(vectors_and_their_destination)
{
	const unsigned int most = (RINGD_SCRATCH_PER_SQE - 128) / 16;
	struct iovec *iov = segments(RINGD_MAX_IOVECS);
	struct ringd_sqe *sqe;

	/* In each block, and the segments first: where a block starts depends on what is asked for. */
	for (unsigned int i = 0; i < 5; i++) {
		const unsigned int nr[] = { 1, 100, 900, most - 1, most };

		sqe = get();
		ringd_prep_sendv(ring, sqe, 5, iov, nr[i], MSG_MORE);
		ck_assert_uint_eq(sqe->opcode, RINGD_OP_SEND);
		ck_assert_uint_eq(sqe->ioprio, RINGD_SEND_VECTORIZED);
		ck_assert_uint_eq(sqe->len, nr[i]);
		ck_assert_uint_eq(sqe->msg_flags, MSG_MORE);
		ringd_prep_send_set_addr(ring, sqe, name, sizeof(inet));
		expect_segments(sqe->addr, iov, nr[i]);
		ck_assert_mem_eq(translate(sqe->addr2, sizeof(inet)), &inet, sizeof(inet));
	}
	ringd_prep_sendv(ring, dirty(sqe), 5, iov, most + 1, 0);
	ck_assert_uint_eq(sqe->addr, (uintptr_t)iov);
	ringd_prep_sendv(ring, dirty(sqe), 5, iov, 0, 0);
	ck_assert_uint_eq(sqe->len, 0);
	ringd_prep_sendv_zc(ring, dirty(sqe), 5, iov, 3, 0, RINGD_RECVSEND_POLL_FIRST);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SEND_ZC);
	ck_assert_uint_eq(sqe->ioprio, RINGD_SEND_VECTORIZED | RINGD_RECVSEND_POLL_FIRST);
	expect_segments(sqe->addr, iov, 3);
}
END_TEST

START_TEST(messages_are_copied)
{
	struct iovec *iov = segments(3);
	char control[CMSG_SPACE(4)] = { 0 };
	struct msghdr mh = {
		.msg_name = (void *)(uintptr_t)&inet, .msg_namelen = sizeof(inet), .msg_iov = iov, .msg_iovlen = 3,
		.msg_control = control, .msg_controllen = sizeof(control), .msg_flags = 5,
	};
	struct ringd_sqe *sqe = get();
	struct msghdr copy;

	CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(4);
	CMSG_FIRSTHDR(&mh)->cmsg_level = IPPROTO_UDP;
	ringd_prep_sendmsg(ring, sqe, 5, &mh, MSG_NOSIGNAL);
	LIKE_LIBURING(prep_sendmsg(THEM, 5, (void *)sqe->addr, MSG_NOSIGNAL));
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	ck_assert_mem_eq(translate((uintptr_t)copy.msg_name, sizeof(inet)), &inet, sizeof(inet));
	ck_assert_uint_eq(copy.msg_namelen, sizeof(inet));
	ck_assert_uint_eq(copy.msg_iovlen, 3);
	expect_segments((uintptr_t)copy.msg_iov, iov, 3);
	ck_assert_mem_eq(translate((uintptr_t)copy.msg_control, sizeof(control)), control, sizeof(control));
	ck_assert_uint_eq(copy.msg_controllen, sizeof(control));
	ck_assert_int_eq(copy.msg_flags, 5);
	ck_assert_uint_eq(fake->n_lent, 0);
	ringd_prep_sendmsg_zc(ring, dirty(sqe), 5, &mh, 0);
	LIKE_LIBURING(prep_sendmsg_zc(THEM, 5, (void *)sqe->addr, 0));
	ringd_prep_sendmsg_zc_fixed(ring, dirty(sqe), 5, &mh, 0, 9);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SENDMSG_ZC);
	ck_assert_uint_eq(sqe->ioprio, RINGD_RECVSEND_FIXED_BUF);
	ck_assert_uint_eq(sqe->buf_index, 9);
	ringd_prep_sendmsg(ring, dirty(sqe), 5, NULL, 0);
	ck_assert_uint_eq(sqe->addr, 0);
}
END_TEST

/* What does not fit is left where it is, and the rest is copied. */
START_TEST(messages_that_are_too_long)
{
	static char control[8192];
	struct msghdr mh = { .msg_iov = segments(1024), .msg_iovlen = 1012 }, copy;
	struct ringd_sqe *sqe = get();

	ringd_prep_sendmsg(ring, sqe, 5, &mh, 0);
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	expect_segments((uintptr_t)copy.msg_iov, mh.msg_iov, 1012);
	ck_assert_ptr_null(copy.msg_name);
	ck_assert_ptr_null(copy.msg_control);
	mh.msg_iovlen = 1024;
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	ck_assert_ptr_eq(copy.msg_iov, mh.msg_iov);
	ck_assert_uint_eq(copy.msg_iovlen, 1024);
	mh = (struct msghdr){ .msg_iov = segments(756), .msg_iovlen = 756, .msg_control = control, .msg_controllen = 4096 };
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	expect_segments((uintptr_t)copy.msg_iov, mh.msg_iov, 756);
	translate((uintptr_t)copy.msg_control, 4096);
	mh.msg_controllen = 4097;
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	expect_segments((uintptr_t)copy.msg_iov, mh.msg_iov, 756);
	ck_assert_ptr_eq(copy.msg_control, control);
	mh.msg_iovlen = SIZE_MAX;
	mh.msg_controllen = SIZE_MAX;
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	ck_assert_uint_eq(copy.msg_iovlen, SIZE_MAX);
	ck_assert_uint_eq(copy.msg_controllen, SIZE_MAX);
}
END_TEST

static void put_rights(struct msghdr *mh, const int *fds, size_t n)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(mh);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

START_TEST(descriptors_in_messages_are_lent)
{
	char control[CMSG_SPACE(254 * sizeof(int))] __attribute__((__aligned__(8))) = { 0 };
	struct msghdr mh = { .msg_control = control, .msg_controllen = CMSG_SPACE(2 * sizeof(int)) };
	int fds[254] = { 0 };
	struct ringd_sqe *sqe = get();
	struct stat st;

	ck_assert_int_eq(pipe(fds), 0);
	put_rights(&mh, fds, 2);
	ringd_prep_sendmsg(ring, sqe, 5, &mh, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SENDMSG);
	ck_assert_uint_eq(fake->n_lent, 2);
	ck_assert_int_eq(fake->lent[1], fds[1]);
	ck_assert_int_eq(fstat(fds[1], &st), 0);
	ck_assert_uint_eq(fake->lent_ino[1], st.st_ino);
	/* a number that is none */
	close(fds[1]);
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_NOP);
	ck_assert_int_eq((int)sqe->len, -EBADF);
	/* what the engine will not take is its to refuse */
	fake->n_lent = 0;
	mh.msg_controllen = sizeof(control);
	put_rights(&mh, fds, 254);
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SENDMSG);
	CMSG_FIRSTHDR(&mh)->cmsg_len = sizeof(control) + 1;
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	CMSG_FIRSTHDR(&mh)->cmsg_len = 3;
	ringd_prep_sendmsg(ring, dirty(sqe), 5, &mh, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_SENDMSG);
	ck_assert_uint_eq(fake->n_lent, 0);
	close(fds[0]);
}
END_TEST

START_TEST(receives)
{
	struct iovec iov = { .iov_base = BUF, .iov_len = 77 };
	struct msghdr mh = {
		.msg_name = (void *)1, .msg_namelen = 200, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = (void *)1,
		.msg_controllen = 300,
	}, copy;
	struct ringd_sqe *sqe = get();

	ringd_prep_recv(sqe, 5, BUF, 100, MSG_WAITALL);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_RECV);
	LIKE_LIBURING(prep_recv(THEM, 5, BUF, 100, MSG_WAITALL));
	ringd_prep_recv_multishot(dirty(sqe), 5, NULL, 0, 0);
	ck_assert_uint_eq(sqe->ioprio, RINGD_RECV_MULTISHOT);
	LIKE_LIBURING(prep_recv_multishot(THEM, 5, NULL, 0, 0));
	/* where the engine will write is what the caller says */
	ringd_prep_recvmsg(ring, dirty(sqe), 5, &mh, MSG_PEEK);
	ck_assert_uint_eq(sqe->addr, (uintptr_t)&mh);
	LIKE_LIBURING(prep_recvmsg(THEM, 5, &mh, MSG_PEEK));
	ringd_prep_recvmsg(ring, dirty(sqe), 5, NULL, 0);
	ck_assert_uint_eq(sqe->addr, 0);
	/* lengths alone, nothing is read or written through the pointers */
	ringd_prep_recvmsg_multishot(ring, dirty(sqe), 5, &mh, MSG_TRUNC);
	LIKE_LIBURING(prep_recvmsg_multishot(THEM, 5, (void *)sqe->addr, MSG_TRUNC));
	memcpy(&copy, translate(sqe->addr, sizeof(copy)), sizeof(copy));
	ck_assert_uint_eq(copy.msg_namelen, 200);
	ck_assert_uint_eq(copy.msg_controllen, 300);
	ck_assert_ptr_null(copy.msg_name);
	ck_assert_ptr_null(copy.msg_control);
	expect_segments((uintptr_t)copy.msg_iov, &iov, 1);
	ringd_prep_recvmsg_multishot(ring, dirty(sqe), 5, NULL, 0);
	ck_assert_uint_eq(sqe->addr, 0);
}
END_TEST

/* A buffer as the engine leaves it: 16 bytes of name room, 64 of control room, payload. */
static struct msghdr *received(char *buf, size_t controllen)
{
	static struct msghdr mh = { .msg_namelen = 16, .msg_controllen = 64 };
	const struct ringd_recvmsg_out out = { .namelen = 16, .controllen = (uint32_t)controllen, .payloadlen = 4, .flags = MSG_TRUNC };
	const struct cmsghdr head = { .cmsg_len = CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = 7 };

	memset(buf, 0xff, 128);
	memcpy(buf, &out, sizeof(out));
	memcpy(buf + 16, &inet, sizeof(inet));
	memcpy(buf + 32, &head, sizeof(head));
	memcpy(buf + 32 + CMSG_SPACE(4), &head, sizeof(head));
	memcpy(buf + 96, "data", 4);
	return &mh;
}

START_TEST(parts_of_a_message)
{
	char buf[128] __attribute__((__aligned__(8)));
	struct msghdr *mh = received(buf, CMSG_SPACE(4) + CMSG_LEN(4));
	struct ringd_recvmsg_out *o;
	struct cmsghdr *c;

	ck_assert_ptr_null(ringd_recvmsg_validate(buf, -ENOBUFS, mh));
	ck_assert_ptr_null(ringd_recvmsg_validate(buf, 95, mh));
	ck_assert_ptr_nonnull(ringd_recvmsg_validate(buf, 96, mh));
	o = ringd_recvmsg_validate(buf, 100, mh);
	ck_assert_ptr_eq(o, buf);
	ck_assert_uint_eq(ringd_recvmsg_flags(o), MSG_TRUNC);
	ck_assert_mem_eq(ringd_recvmsg_name(o), &inet, sizeof(inet));
	ck_assert_mem_eq(ringd_recvmsg_payload(o, mh), "data", 4);
	ck_assert_uint_eq(ringd_recvmsg_payload_length(o, 100, mh), 4);
	c = ringd_recvmsg_cmsg_firsthdr(o, mh);
	ck_assert_ptr_eq(c, buf + 32);
	ck_assert_int_eq(c->cmsg_type, 7);
	c = ringd_recvmsg_cmsg_nexthdr(o, mh, c);
	ck_assert_ptr_eq(c, buf + 32 + CMSG_SPACE(4));
	ck_assert_ptr_null(ringd_recvmsg_cmsg_nexthdr(o, mh, c));
}
END_TEST

START_TEST(parts_that_are_not_there)
{
	char buf[128] __attribute__((__aligned__(8)));
	struct msghdr *mh = received(buf, 15), huge = { .msg_namelen = 16, .msg_controllen = SIZE_MAX - 8 };
	struct ringd_recvmsg_out *o = (struct ringd_recvmsg_out *)(void *)buf;
	struct cmsghdr *c = (struct cmsghdr *)(void *)(buf + 32);

	ck_assert_ptr_null(ringd_recvmsg_validate(buf, 100, &huge));
	ck_assert_ptr_null(ringd_recvmsg_cmsg_firsthdr(o, mh));
	o->controllen = CMSG_LEN(4);
	ck_assert_ptr_nonnull(ringd_recvmsg_cmsg_firsthdr(o, mh));
	ck_assert_ptr_null(ringd_recvmsg_cmsg_nexthdr(o, mh, c));
	/* lengths of a liar: neither beyond the room, nor for ever */
	o->controllen = UINT32_MAX;
	c->cmsg_len = 65;
	ck_assert_ptr_null(ringd_recvmsg_cmsg_firsthdr(o, mh));
	c->cmsg_len = 64;
	ck_assert_ptr_eq(ringd_recvmsg_cmsg_firsthdr(o, mh), c);
	ck_assert_ptr_null(ringd_recvmsg_cmsg_nexthdr(o, mh, c));
	c->cmsg_len = SIZE_MAX;
	ck_assert_ptr_null(ringd_recvmsg_cmsg_nexthdr(o, mh, c));
	c->cmsg_len = 0;
	ck_assert_ptr_null(ringd_recvmsg_cmsg_nexthdr(o, mh, c));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client_prep_net");
	TCase *tc = tcase_create("helpers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, new_sockets);
	tcase_add_test(tc, descriptors_need_a_channel);
	tcase_add_test(tc, names_are_copied);
	tcase_add_test(tc, working_directory_of_names);
	tcase_add_test(tc, sends);
	tcase_add_test(tc, vectors_and_their_destination);
	tcase_add_test(tc, messages_are_copied);
	tcase_add_test(tc, messages_that_are_too_long);
	tcase_add_test(tc, descriptors_in_messages_are_lent);
	tcase_add_test(tc, receives);
	tcase_add_test(tc, parts_of_a_message);
	tcase_add_test(tc, parts_that_are_not_there);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
