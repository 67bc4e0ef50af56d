/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lent descriptors, the channel and the names of rings, in the hands of somebody who means no good. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static int null_fd = -1, channel = -1;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 64, 0);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void teardown(void)
{
	rd_close(rd_steal_fd(&channel));
	raw_ring_drop(&ring);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static int list(uint16_t type, int32_t first, uint32_t nr, int fd)
{
	struct {
		struct ringd_fd_list list;
		int32_t numbers[RINGD_MSG_FDS];
	} m = { .list = { .nr = nr } };
	int fds[RINGD_MSG_FDS];

	for (uint32_t i = 0; i < nr; i++) {
		m.numbers[i] = (int32_t)((uint32_t)first + i);
		fds[i] = fd;
	}
	return raw_call(&raw, &m.list.msg, type, sizeof(m.list) + nr * sizeof(int32_t), fds, fd < 0 ? 0 : nr, NULL, 0);
}

static void want_channel(void)
{
	struct ringd_msg msg = { 0 };
	size_t n = 1;

	raw_send(&raw, &(struct ringd_msg){ .size = sizeof(msg), .type = RINGD_MSG_CHANNEL, .seq = ++raw.seq }, sizeof(msg), NULL, 0);
	ck_assert_int_eq(raw_recv(&raw, &msg, sizeof(msg), &channel, &n), sizeof(msg));
	ck_assert_int_eq(msg.res, 0);
	ck_assert_uint_eq(n, 1);
}

static struct ringd_sqe nop(void)
{
	return (struct ringd_sqe){ .opcode = RINGD_OP_NOP };
}

static void expect_alive(void)
{
	struct ringd_sqe sqe = nop();
	struct raw_ring second;

	raw_ring(&second, &raw, 8, 0);
	ck_assert_int_eq(raw_one(&second, &sqe), 0);
	ck_assert_int_eq(raw_ring_free(&second), 0);
	raw_ring_drop(&second);
}

/* --- lending --- */

START_TEST(numbers_that_are_none)
{
	static const int32_t bad[] = { -1, INT32_MIN, RINGD_FD_MAX, INT32_MAX };

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		struct ringd_sqe sqe = { .opcode = RINGD_OP_FSYNC, .fd = bad[i] };

		ck_assert_int_eq(list(RINGD_MSG_FD_LEND, bad[i], 1, null_fd), -EINVAL);
		ck_assert_int_eq(list(RINGD_MSG_FD_RETURN, bad[i], 1, -1), 0);
		ck_assert_int_eq(raw_one(&ring, &sqe), -EBADF);
	}
	/* up to the first that cannot be */
	ck_assert_int_eq(list(RINGD_MSG_FD_LEND, RINGD_FD_MAX - 10, 100, null_fd), 10);
	ck_assert_int_eq(list(RINGD_MSG_FD_RETURN, RINGD_FD_MAX - 100, 100, -1), 10);
}
END_TEST

/* Every number in a range of its own costs the most; the budget ends it, and all of it is given back. */
START_TEST(a_flood_of_loans_ends_at_the_budget)
{
	int r = 0;

	for (int32_t i = 0; i < (int32_t)RINGD_FD_MAX && r >= 0; i += 1021)
		r = list(RINGD_MSG_FD_LEND, i, 1, null_fd);
	for (int32_t i = 0; i < 100000 && r >= 0; i += 253)
		r = list(RINGD_MSG_FD_LEND, i, 253, null_fd);
	ck_assert_int_eq(r, -EDQUOT);
	ck_assert_ptr_nonnull(strstr(raw.text, "budget"));
	/* over and over under one number */
	ck_assert_int_eq(list(RINGD_MSG_FD_RETURN, 0, 253, -1), 253);
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(list(RINGD_MSG_FD_LEND, 7, 1, null_fd), 1);
	expect_alive();
}
END_TEST

START_TEST(a_loan_that_is_changed_in_use)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	for (int i = 0; i < 40; i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);

		ck_assert_int_eq(list(RINGD_MSG_FD_LEND, 5, 1, i % 2 ? null_fd : fds[0]), 1);
		sqe->opcode = RINGD_OP_POLL_ADD;
		sqe->fd = 5;
		sqe->poll32_events = POLLIN;
		raw_submit(&ring);
		sqe = raw_sqe(&ring);
		sqe->opcode = RINGD_OP_CLOSE;
		sqe->fd = 5;
		raw_submit(&ring);
		if (i % 3)
			list(RINGD_MSG_FD_RETURN, 5, 1, -1);
	}
	expect_alive();
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* --- the channel --- */

static void ask_for_pipes(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);

		sqe->opcode = RINGD_OP_PIPE;
		sqe->fd = 0;
		sqe->user_data = i;
	}
	ck_assert_int_eq(raw_submit(&ring), (int)n);
}

START_TEST(who_never_reads_its_channel_waits_alone)
{
	struct raw other;
	struct raw_ring second;
	struct ringd_sqe sqe = nop();

	want_channel();
	ask_for_pipes(60);
	ask_for_pipes(60);
	/* another client of the same tenant gets descriptors meanwhile */
	raw_connect(&other, s.d.socket);
	for (int i = 0; i < 20; i++) {
		raw_ring(&second, &other, 8, 0);
		ck_assert_int_eq(raw_one(&second, &sqe), 0);
		raw_ring_drop(&second);
	}
	raw_close(&other);
	if (_i == 1)	/* what waits dies with its ring */
		ck_assert_int_eq(raw_ring_free(&ring), 0);
	if (_i == 2)	/* or with the channel's other end */
		rd_close(rd_steal_fd(&channel));
	if (_i == 3)
		ck_assert_int_eq(shutdown(channel, SHUT_RD), 0);
	expect_alive();
}
END_TEST

START_TEST(a_channel_that_is_shut_is_replaced)
{
	struct ringd_cqe cqe;
	int answers[2] = { 0 };

	want_channel();
	ask_for_pipes(60);
	rd_close(rd_steal_fd(&channel));
	for (int i = 0; i < 60; i++) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		answers[cqe.res < 0]++;
	}
	ck_assert_int_ge(answers[1], 30);	/* those that waited */
	want_channel();
	ask_for_pipes(1);
	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_CHANNEL);
}
END_TEST

START_TEST(nothing_can_be_sent_into_a_channel)
{
	want_channel();
	ck_assert_int_eq(send(channel, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(list(RINGD_MSG_FD_LEND, 5, 1, channel), -EBADF);
	ck_assert_int_eq(list(RINGD_MSG_FD_LEND, 5, 1, ring.wake), -EBADF);
	ck_assert_int_eq(list(RINGD_MSG_FD_LEND, 5, 1, raw.sock), -EBADF);
}
END_TEST

/* --- a session without a client --- */

/*
 * The connection waits in a socket whose other end is lent to the very session: nobody else has it, so no end of file ever
 * comes. The process is gone, and that ends it.
 */
START_TEST(a_connection_that_holds_itself_ends_with_its_process)
{
	struct ringd_status before, st;
	pid_t pid;

	ck_assert(rd_daemon_status(&s.d, getuid(), &before));
	pid = fork();
	if (!pid) {
		struct raw_ring own;
		struct raw hidden;
		struct iovec iov = { .iov_base = &own, .iov_len = 1 };
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control = { .bytes = { 0 } };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
		int pair[2];

		raw_connect(&hidden, s.d.socket);
		raw_ring(&own, &hidden, 8, 0);
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || raw_register_files(&own, &pair[0], 1) < 0)
			_exit(1);
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), &hidden.sock, sizeof(int));
		_exit(sendmsg(pair[1], &mh, 0) == 1 ? 0 : 2);
	}
	rd_daemon_expect_used(&s.d, getuid(), RINGD_LIMIT_CLIENTS, before.used[RINGD_LIMIT_CLIENTS]);
	ck_assert(rd_daemon_status(&s.d, getuid(), &st));
	ck_assert_int_eq(waitpid(pid, &(int){ 0 }, 0), pid);
}
END_TEST

/* --- names of rings --- */

static int ring_ref(uint16_t type, uint32_t id, void *answer, size_t size)
{
	struct ringd_ring_ref ref = { .ring_id = id };

	return raw_call(&raw, &ref.msg, type, sizeof(ref), NULL, 0, answer, size);
}

static int import(const uint8_t token[16], uint32_t *handle)
{
	struct ringd_ring_token req = { .msg = { 0 } };
	struct ringd_ring_ref answer = { .msg = { 0 } };
	int r;

	memcpy(req.token, token, 16);
	r = raw_call(&raw, &req.msg, RINGD_MSG_RING_IMPORT, sizeof(req), NULL, 0, &answer, sizeof(answer));
	*handle = answer.ring_id;
	return r;
}

START_TEST(tokens_cannot_be_guessed)
{
	struct ringd_ring_token token = { .msg = { 0 } };
	uint8_t guess[16] = { 0 };
	uint32_t handle;

	/* before any ring has one: zeros are nobody's */
	ck_assert_int_eq(import(guess, &handle), -ENOENT);
	ck_assert_int_eq(ring_ref(RINGD_MSG_RING_EXPORT, ring.id, &token, sizeof(token)), 0);
	ck_assert_int_eq(import(guess, &handle), -ENOENT);
	for (int i = 0; i < 2000; i++) {
		for (int k = 0; k < 16; k++)
			guess[k] = (uint8_t)scene_random();
		ck_assert_int_eq(import(guess, &handle), -ENOENT);
	}
	ck_assert_int_eq(import(token.token, &handle), 0);
	ck_assert_uint_eq(handle, ring.id);
	ck_assert_int_eq(ring_ref(RINGD_MSG_RING_EXPORT, 4711, NULL, 0), -ENOENT);
	ck_assert_int_eq(ring_ref(RINGD_MSG_RING_FORGET, 4711, NULL, 0), -ENOENT);
	ck_assert_int_eq(ring_ref(RINGD_MSG_RING_FORGET, 0, NULL, 0), -ENOENT);
}
END_TEST

/* What another client of the tenant has is not named by its number. */
START_TEST(ids_of_others_mean_nothing)
{
	struct raw other;
	struct raw_ring theirs;
	struct ringd_cqe cqe;

	raw_connect(&other, s.d.socket);
	for (int i = 0; i < 4; i++)
		raw_ring(&theirs, &other, 8, 0);
	for (int32_t id = -3; id < 40; id++) {
		struct ringd_sqe sqe = { .opcode = RINGD_OP_MSG_RING, .fd = id, .len = 1 };

		if ((uint32_t)id == ring.id)
			continue;
		ck_assert_int_eq(raw_one(&ring, &sqe), -EBADF);
	}
	ck_assert(!raw_cqe_ready(&theirs));
	(void)cqe;
	raw_ring_drop(&theirs);
	raw_close(&other);
}
END_TEST

START_TEST(rings_that_die_while_messages_arrive)
{
	for (int round = 0; round < 30; round++) {
		struct ringd_ring_token token = { .msg = { 0 } };
		struct raw other, save = raw;
		struct raw_ring target;
		uint32_t handle;

		raw_connect(&other, s.d.socket);
		raw_ring(&target, &other, 4, round % 2 ? RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN : 0);
		raw = other;
		ck_assert_int_eq(ring_ref(RINGD_MSG_RING_EXPORT, target.id, &token, sizeof(token)), 0);
		other = raw;
		raw = save;
		ck_assert_int_eq(import(token.token, &handle), 0);
		for (int i = 0; i < 50; i++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = RINGD_OP_MSG_RING;
			sqe->fd = (int32_t)handle;
			sqe->flags = RINGD_SQE_CQE_SKIP_SUCCESS | (i % 4 == 1 ? RINGD_SQE_ASYNC : 0);
		}
		raw_submit(&ring);
		raw_ring_drop(&target);
		raw_close(&other);
		for (int i = 0; i < 10; i++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = RINGD_OP_MSG_RING;
			sqe->fd = (int32_t)handle;
			sqe->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
		}
		raw_submit(&ring);
		if (round % 3)
			ck_assert_int_eq(ring_ref(RINGD_MSG_RING_FORGET, handle, NULL, 0), 0);
		while (raw_cqe_ready(&ring))
			raw_cqe(&ring, &(struct ringd_cqe){ 0 });
	}
	expect_alive();
}
END_TEST

/* A CQ that nobody empties: the messages are kept, within the sender's and receiver's common budget. */
START_TEST(a_flood_of_messages_is_bounded)
{
	struct raw_ring target;
	struct ringd_cqe cqe;
	int good = 0;

	raw_ring(&target, &raw, 4, 0);
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < 60; k++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = RINGD_OP_MSG_RING;
			sqe->fd = (int32_t)target.id;
			sqe->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
			good++;
		}
		raw_submit(&ring);
	}
	ck_assert_int_eq(good, 12000);
	for (int i = 0; i < good; i++) {
		if (!raw_cqe_ready(&target))
			ck_assert_int_eq(raw_enter(&target, 0, RINGD_ENTER_GETEVENTS), 0);
		ck_assert_int_eq(raw_cqe(&target, &cqe), 0);
	}
	raw_ring_drop(&target);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile: descriptors and rings");
	tc = tcase_create("a client with numbers");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, numbers_that_are_none);
	tcase_add_test(tc, a_flood_of_loans_ends_at_the_budget);
	tcase_add_test(tc, a_loan_that_is_changed_in_use);
	tcase_add_loop_test(tc, who_never_reads_its_channel_waits_alone, 0, 4);
	tcase_add_test(tc, a_channel_that_is_shut_is_replaced);
	tcase_add_test(tc, nothing_can_be_sent_into_a_channel);
	tcase_add_test(tc, a_connection_that_holds_itself_ends_with_its_process);
	tcase_add_test(tc, tokens_cannot_be_guessed);
	tcase_add_test(tc, ids_of_others_mean_nothing);
	tcase_add_test(tc, rings_that_die_while_messages_arrive);
	tcase_add_test(tc, a_flood_of_messages_is_bounded);
	suite_add_tcase(suite, tc);
	tc = tcase_create("the end");
	tcase_add_test(tc, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, tc);
	return scene_close(&s, rd_suite_main(suite));
}
