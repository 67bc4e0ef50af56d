/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages that lie about their lengths, change while they are read, or bring descriptors that nobody wants. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define SIZE	(1u << 20)
#define A	RD_RAW_ARENA
#define IOV	(A + 4096)
#define CONTROL	(A + 65536)
#define NAME	(A + 131072)
#define DATA	(A + 262144)
#define OURS	7		/* the number of our end of the pair */
#define PIPE	8
#define FLOOD	2	/* messages full of descriptors at a time */
#define LINGERERS 12

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int sv[2], p[2], channel = -1;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void lend(int32_t number, int fd)
{
	struct {
		struct ringd_fd_list list;
		int32_t numbers[2];
	} m = { .list = { .nr = 1 }, .numbers = { number } };

	ck_assert_int_eq(raw_call(&raw, &m.list.msg, RINGD_MSG_FD_LEND, sizeof(m.list) + sizeof(int32_t), &fd, 1, NULL, 0), 1);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 64, 0);
	raw_arena(&arena, &raw, A, SIZE);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	lend(OURS, sv[0]);
	lend(PIPE, p[1]);
}

static void teardown(void)
{
	rd_close(rd_steal_fd(&channel));
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	for (int i = 0; i < 2; i++) {
		rd_close(rd_steal_fd(&sv[i]));
		rd_close(rd_steal_fd(&p[i]));
	}
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- helpers --- */

static void *at(uint64_t addr)
{
	return arena.ptr + (addr - A);
}

static void *addr(uint64_t a)
{
	return (void *)(uintptr_t)a;
}

static void put(struct msghdr mh)
{
	memcpy(arena.ptr, &mh, sizeof(mh));
}

static int msg(uint8_t opcode, uint32_t flags)
{
	struct ringd_sqe sqe = { .opcode = opcode, .fd = OURS, .addr = A, .len = 1, .msg_flags = flags };

	return raw_one(&ring, &sqe);
}

static void expect_alive(void)
{
	struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };

	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
}

static void drain(void)
{
	char bytes[65536];

	while (recv(sv[1], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* n copies of fd and one byte for the engine. */
static ssize_t send_fds(int fd, unsigned int n)
{
	union {
		char bytes[CMSG_SPACE(RINGD_MSG_FDS * sizeof(int))];
		struct cmsghdr head;
	} cm = { .head = { .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char byte = 'x';
	struct iovec one = { &byte, 1 };
	struct msghdr mh = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &cm, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	for (unsigned int i = 0; i < n; i++)
		memcpy(CMSG_DATA(&cm.head) + i * sizeof(int), &fd, sizeof(fd));
	return sendmsg(sv[1], &mh, MSG_DONTWAIT);
}

static void put_receive(size_t room)
{
	*(struct iovec *)at(IOV) = (struct iovec){ addr(DATA), 16 };
	put((struct msghdr){ .msg_iov = addr(IOV), .msg_iovlen = 1, .msg_control = addr(CONTROL), .msg_controllen = room });
}

/* --- lies --- */

static uint64_t wild(void)
{
	static const uint64_t values[] = { 0, 1, 8, 15, 16, 55, 128, 129, 1024, 1025, 8192, 8193, A, A + SIZE - 8, IOV, CONTROL, NAME, DATA,
					   INT32_MAX, UINT32_MAX, 1ull << 32, INT64_MAX, UINT64_MAX, UINT64_MAX - 15 };

	return scene_random() % 4 ? values[scene_random() % RD_ARRAY_SIZE(values)] : scene_random() % 70000;
}

START_TEST(wild_msghdrs)
{
	for (int i = 0; i < 20000; i++) {
		uint64_t *words = (uint64_t *)(void *)arena.ptr;
		struct cmsghdr *cm = at(CONTROL);
		uint64_t *iov = at(IOV);

		for (int j = 0; j < 7; j++)
			words[j] = wild();
		for (int j = 0; j < 8; j++)
			iov[j] = wild();
		*cm = (struct cmsghdr){ .cmsg_len = wild(), .cmsg_level = (int)(scene_random() % 3), .cmsg_type = (int)(scene_random() % 5) };
		ck_assert_int_ne(msg(i & 1 ? RINGD_OP_SENDMSG : RINGD_OP_RECVMSG, MSG_DONTWAIT), -ECONNRESET);
		drain();
	}
	expect_alive();
}
END_TEST

static const struct {
	const char *what;
	uint64_t controllen, len[2];
	int level, type, res;
} lies[] = {
	{ "length 0", 64, { 0 }, SOL_SOCKET, SCM_RIGHTS, -EINVAL },
	{ "less than a head", 64, { 15 }, SOL_SOCKET, SCM_RIGHTS, -EINVAL },
	{ "one more than there is", 64, { 65 }, SOL_SOCKET, SCM_RIGHTS, -EINVAL },
	{ "a sum that wraps", 64, { UINT64_MAX }, SOL_SOCKET, SCM_RIGHTS, -EINVAL },
	{ "another that wraps", 64, { UINT64_MAX - 7 }, SOL_SOCKET, SCM_RIGHTS, -EINVAL },
	{ "no second one", 24, { 20 }, SOL_SOCKET, SCM_RIGHTS, 1 },
	{ "half a second one", 36, { 20, 16 }, SOL_SOCKET, SCM_RIGHTS, 1 },
	{ "a second one that lies", 64, { 20, 64 }, SOL_SOCKET, SCM_RIGHTS, -EINVAL },
	{ "not even a head", 15, { 64 }, SOL_SOCKET, SCM_RIGHTS, 1 },
	{ "a wrong length for its kind", 64, { 20 }, SOL_SOCKET, SCM_CREDENTIALS, -EINVAL },
	{ "a kind nobody knows", 64, { 20 }, SOL_SOCKET, 77, -EOPNOTSUPP },
	{ "a pidfd", 64, { 20 }, SOL_SOCKET, 4, -EOPNOTSUPP },
	{ "memory of a device", 64, { 20 }, SOL_SOCKET, 79, -EOPNOTSUPP },
	{ "a level nobody knows", 64, { 20 }, 4711, 1, -EOPNOTSUPP },
};

START_TEST(control_messages_that_lie)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(lies); i++) {
		struct cmsghdr *cm = at(CONTROL), *second = at(CONTROL + 24);

		memset(cm, 0, 128);
		*cm = (struct cmsghdr){ .cmsg_len = lies[i].len[0], .cmsg_level = lies[i].level, .cmsg_type = lies[i].type };
		*(int *)(void *)CMSG_DATA(cm) = PIPE;
		if (lies[i].len[1])
			*second = (struct cmsghdr){ .cmsg_len = lies[i].len[1], .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		*(struct iovec *)at(IOV) = (struct iovec){ addr(DATA), 1 };
		put((struct msghdr){ .msg_iov = addr(IOV), .msg_iovlen = 1, .msg_control = addr(CONTROL),
				     .msg_controllen = lies[i].controllen });
		ck_assert_msg(msg(RINGD_OP_SENDMSG, 0) == lies[i].res, "%s", lies[i].what);
	}
}
END_TEST

/* Only what was lent has a number: not the engine's own descriptors, not rings, not slots. */
START_TEST(numbers_that_were_not_lent_are_not_sent)
{
	struct cmsghdr *cm = at(CONTROL);

	ck_assert_int_eq(raw_register_files(&ring, p, 2), 0);
	*cm = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	*(struct iovec *)at(IOV) = (struct iovec){ addr(DATA), 1 };
	put((struct msghdr){ .msg_iov = addr(IOV), .msg_iovlen = 1, .msg_control = addr(CONTROL), .msg_controllen = 24 });
	for (int fd = -2; fd < 200; fd++) {
		*(int *)(void *)CMSG_DATA(cm) = fd;
		ck_assert_int_eq(msg(RINGD_OP_SENDMSG, 0), fd == OURS || fd == PIPE ? 1 : -EBADF);
	}
	ck_assert_int_eq(msg(RINGD_OP_SENDMSG, 0), -EBADF);
}
END_TEST

static bool stop;

/* Every word of the message is right half of the time. */
static void *scribble(void *arg)
{
	uint64_t *words = (uint64_t *)(void *)arena.ptr, *iov = at(IOV), *cm = at(CONTROL);
	const uint64_t good[] = { NAME, 0, IOV, 2, CONTROL, 48, 0 };

	(void)arg;
	for (unsigned int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		unsigned int n = i % 7;

		__atomic_store_n(&words[n], i & 8 ? good[n] : UINT64_MAX - i, __ATOMIC_RELAXED);
		__atomic_store_n(&iov[1], i & 16 ? 1 : i, __ATOMIC_RELAXED);
		__atomic_store_n(&cm[0], i & 32 ? 24 : i % 70, __ATOMIC_RELAXED);
		__atomic_store_n(&cm[3], i & 64 ? 24 : i % 70, __ATOMIC_RELAXED);
		__atomic_store_n((uint32_t *)&cm[2], i & 128 ? PIPE : i % 300, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(a_msghdr_that_changes_while_it_is_read)
{
	struct cmsghdr *cm = at(CONTROL), *second = at(CONTROL + 24);
	pthread_t thread;

	*cm = *second = (struct cmsghdr){ .cmsg_len = 24, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	*(struct iovec *)at(IOV) = *(struct iovec *)at(IOV + 16) = (struct iovec){ addr(DATA), 1 };
	stop = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		ck_assert_int_ne(msg(RINGD_OP_SENDMSG, MSG_DONTWAIT), -ECONNRESET);
		if (i % 16 == 0)
			drain();
		if (i % 4 == 0 && send(sv[1], "x", 1, MSG_DONTWAIT) == 1)
			ck_assert_int_ne(msg(RINGD_OP_RECVMSG, MSG_DONTWAIT), -ECONNRESET);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	drain();
	expect_alive();
}
END_TEST

/* What was received is not written to where it cannot be. */
START_TEST(no_place_to_write_back_to)
{
	struct ringd_sqe sqe = { .opcode = RINGD_OP_RECVMSG, .fd = OURS, .addr = ring.scratch_base, .len = 1 };

	put_receive(64);
	memcpy(ring.scratch, arena.ptr, sizeof(struct msghdr));
	ck_assert_int_eq(send(sv[1], "x", 1, 0), 1);
	ck_assert_int_eq(raw_one(&ring, &sqe), -EFAULT);
	/* it may have been there when the request was prepared */
	sqe.addr = A;
	*raw_sqe(&ring) = sqe;
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	ck_assert_int_eq(send(sv[1], "y", 1, 0), 1);
	{
		struct ringd_cqe cqe;

		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_int_eq(cqe.res, -EFAULT);
	}
	expect_alive();
}
END_TEST

/* --- descriptors from strangers --- */

/* Nobody has the pipe any more. */
static void expect_closed(void)
{
	struct {
		struct ringd_fd_list list;
		int32_t numbers[2];
	} m = { .list = { .nr = 1 }, .numbers = { PIPE } };
	char byte;

	ck_assert_int_eq(raw_call(&raw, &m.list.msg, RINGD_MSG_FD_RETURN, sizeof(m.list) + sizeof(int32_t), NULL, 0, NULL, 0), 1);
	rd_close(rd_steal_fd(&p[1]));
	ck_assert_int_eq(fcntl(p[0], F_SETFL, 0), 0);
	ck_assert_int_eq(read(p[0], &byte, 1), 0);
}

START_TEST(descriptors_for_who_has_no_channel)
{
	for (unsigned int i = 0; i < 200; i++) {
		const struct msghdr *mh = (const struct msghdr *)(void *)arena.ptr;

		ck_assert_int_eq(send_fds(p[1], 1 + i % RINGD_MSG_FDS), 1);
		put_receive(i & 1 ? 2048 : 0);
		ck_assert_int_eq(msg(RINGD_OP_RECVMSG, 0), 1);
		ck_assert_int_eq(mh->msg_flags, MSG_CTRUNC);
		ck_assert_uint_eq(mh->msg_controllen, 0);
	}
	expect_closed();
}
END_TEST

START_TEST(a_flood_of_descriptors)
{
	struct ringd_sqe sqe = { .opcode = RINGD_OP_RECV, .fd = OURS, .addr = DATA, .len = 100 };
	unsigned int queued = 0;

	for (unsigned int i = 0; i < 300; i++) {
		/* no more: a uid may have as many under way as RLIMIT_NOFILE, and other engines of this one run beside us */
		while (queued < FLOOD && send_fds(p[1], RINGD_MSG_FDS) == 1)
			queued++;
		ck_assert_int_gt(raw_one(&ring, &sqe), 0);
		queued--;
	}
	sqe.msg_flags = MSG_DONTWAIT;
	while (raw_one(&ring, &sqe) > 0)
		;
	expect_closed();
}
END_TEST

static void want_channel(void)
{
	struct ringd_msg m = { 0 };
	size_t n = 1;

	raw_send(&raw, &(struct ringd_msg){ .size = sizeof(m), .type = RINGD_MSG_CHANNEL, .seq = ++raw.seq }, sizeof(m), NULL, 0);
	ck_assert_int_eq(raw_recv(&raw, &m, sizeof(m), &channel, &n), sizeof(m));
	ck_assert_int_eq(m.res, 0);
}

/* What does not fit into the channel waits, and goes with the ring. */
START_TEST(messages_for_who_never_reads_the_channel)
{
	struct ringd_cqe cqe;
	unsigned int done = 0;

	want_channel();
	put_receive(2048);
	for (unsigned int i = 0; i < 50; i++) {
		*raw_sqe(&ring) = (struct ringd_sqe){ .opcode = RINGD_OP_RECVMSG, .fd = OURS, .addr = A, .len = 1, .user_data = 1 };
		ck_assert_int_eq(raw_submit(&ring), 1);
		ck_assert_int_eq(send_fds(p[1], 10), 1);
	}
	*raw_sqe(&ring) = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 2 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	do {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		done += cqe.user_data == 1;
	} while (cqe.user_data == 1);
	while (raw_cqe_ready(&ring)) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		done++;
	}
	ck_assert_uint_gt(done, 0);
	ck_assert_uint_lt(done, 50);
	ck_assert_int_eq(raw_ring_free(&ring), 0);
	rd_close(rd_steal_fd(&channel));
	expect_closed();
}
END_TEST

/* A socket full of data that nobody reads, whose close takes as long as that. The peer's end. */
static int lingerer(int *ret)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 10000 };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	RD_CLOSE int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sin);
	static char block[65536];
	int peer;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	*ret = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(*ret, (struct sockaddr *)&sin, sizeof(sin)), 0);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (send(*ret, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(*ret, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return peer;
}

/* Their closes take for ever, and keep nobody waiting: not the ring they came through, not the neighbours. */
START_TEST(lingering_sockets_hold_nobody)
{
	int peers[LINGERERS], fd;

	for (unsigned int i = 0; i < LINGERERS; i++) {
		peers[i] = lingerer(&fd);
		ck_assert_int_eq(send_fds(fd, 1), 1);
		close(fd);	/* the last one is in the socket */
		if (i % 3) {
			put_receive(i % 3 == 1 ? 0 : 64);
			ck_assert_int_eq(msg(RINGD_OP_RECVMSG, 0), 1);
		} else {
			struct ringd_sqe sqe = { .opcode = RINGD_OP_RECV, .fd = OURS, .addr = DATA, .len = 100 };

			ck_assert_int_eq(raw_one(&ring, &sqe), 1);
		}
		expect_alive();
	}
	for (unsigned int i = 0; i < LINGERERS; i++)
		close(peers[i]);
	expect_alive();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		wild_msghdrs, control_messages_that_lie, numbers_that_were_not_lent_are_not_sent,
		a_msghdr_that_changes_while_it_is_read, no_place_to_write_back_to, descriptors_for_who_has_no_channel,
		a_flood_of_descriptors, messages_for_who_never_reads_the_channel, lingering_sockets_hold_nobody,
	};
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile messages");
	tc = tcase_create("messages");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_set_timeout(tc, 600);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
