/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PIPE, FIXED_FD_INSTALL and MSG_RING in the test host: what they leave behind, on both sides, when something fails. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c, target;
static int32_t *pair;

static void open_both(unsigned int flags)
{
	rd_tc_open(&c, &th, 16, 0);
	rd_tc_open(&target, &th, 4, flags);
	pair = rd_th_alloc(&th, 8);
}

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	open_both(0);
}

static void teardown(void)
{
	if (target.ring)
		rd_tc_close(&target);
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
}

static void budget(uint64_t files, uint64_t inflight)
{
	th.engine.user.limit[RINGD_LIMIT_FILES] = files;
	th.engine.user.limit[RINGD_LIMIT_INFLIGHT] = inflight;
}

static int32_t make_pipe(uint64_t addr, uint32_t flags, uint32_t file_index)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_PIPE);

	sqe->addr = addr;
	sqe->pipe_flags = flags;
	sqe->file_index = file_index;
	return rd_tc_run(&c);
}

static uint64_t here(void)
{
	return (uintptr_t)pair;
}

static unsigned int filled(const struct rd_testclient *of)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < of->ring->ctx.files.nr; i++)
		n += of->ring->ctx.files.slots[i] != NULL;
	return n;
}

/* --- pipes --- */

START_TEST(a_pipe_is_the_clients_alone)
{
	char byte;

	ck_assert_int_eq(make_pipe(here(), O_NONBLOCK | O_CLOEXEC, 0), 0);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 0);
	ck_assert_int_eq(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	close(pair[1]);
	ck_assert_int_eq(read(pair[0], &byte, 1), 1);
	ck_assert_int_eq(read(pair[0], &byte, 1), 0);
	close(pair[0]);
}
END_TEST

START_TEST(fields_of_a_pipe)
{
	struct ringd_sqe *sqe;

	for (int i = 0; i < 5; i++) {
		sqe = rd_tc_sqe(&c, RINGD_OP_PIPE);
		sqe->addr = here();
		if (i == 0)
			sqe->fd = 1;
		if (i == 1)
			sqe->off = 1;
		if (i == 2)
			sqe->addr3 = 1;
		if (i == 3)
			sqe->pipe_flags = O_APPEND;
		if (i == 4) {
			sqe->pipe_flags = O_CLOEXEC;
			sqe->file_index = 1;
		}
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	th.can_install = false;
	ck_assert_int_eq(make_pipe(here(), 0, 0), -EOPNOTSUPP);
}
END_TEST

START_TEST(a_pipe_that_cannot_be_told_is_gone)
{
	int first = dup(0);

	close(first);
	ck_assert_int_eq(make_pipe(16, 0, 0), -EFAULT);
	rd_tc_files(&c, 4);
	ck_assert_int_eq(make_pipe(16, 0, 1), -EFAULT);
	ck_assert_int_eq(make_pipe(16, 0, RINGD_FILE_INDEX_ALLOC), -EFAULT);
	ck_assert_uint_eq(filled(&c), 0);
	while (th.engine.user.used[RINGD_LIMIT_FILES])
		rd_th_turn(&th);
	ck_assert_int_eq(dup(0), first);
	close(first);
}
END_TEST

START_TEST(a_pipe_over_budget_is_gone)
{
	rd_tc_files(&c, 4);
	for (uint64_t files = 0; files < 2; files++) {
		budget(files, 100);
		ck_assert_int_eq(make_pipe(here(), 0, 0), -EDQUOT);
		ck_assert_int_eq(make_pipe(here(), 0, 1), -EDQUOT);
		while (th.engine.user.used[RINGD_LIMIT_FILES])
			rd_th_turn(&th);
	}
	budget(2, 100);
	ck_assert_int_eq(make_pipe(here(), 0, 2), 0);
	ck_assert_int_eq(pair[0], 1);
	ck_assert_int_eq(pair[1], 2);
	ck_assert_uint_eq(filled(&c), 2);
}
END_TEST

START_TEST(slots_of_a_pipe)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(make_pipe(here(), 0, 1), -ENXIO);
	ck_assert_int_eq(make_pipe(here(), 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
	rd_tc_files(&c, 3);
	rd_tc_file(&c, 2, null, 0);
	/* what is in the way stays when there is no room for both */
	ck_assert_int_eq(make_pipe(here(), 0, 3), -EINVAL);
	ck_assert_int_eq(make_pipe(here(), 0, 4), -EINVAL);
	ck_assert_uint_eq(filled(&c), 1);
	ck_assert_int_eq(make_pipe(here(), 0, RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(make_pipe(here(), 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
	ck_assert_int_eq(make_pipe(here(), 0, 2), 0);	/* replaced */
	close(null);
}
END_TEST

/* --- install --- */

/* The client reads no channel, so that a pipe waits to be told, and meanwhile its slots come to an end. */
static void pipe_that_waits(void)
{
	struct ringd_sqe *sqe;

	th.install_waits = true;
	rd_tc_files(&c, 64);
	sqe = rd_tc_sqe(&c, RINGD_OP_PIPE);
	sqe->addr = here();
	sqe->file_index = 60;
	rd_tc_submit(&c);
	ck_assert_uint_eq(filled(&c), 2);
}

START_TEST(a_ring_ends_while_a_pipe_waits)
{
	pipe_that_waits();
	rd_tc_close(&c);
}
END_TEST

START_TEST(a_table_ends_while_a_pipe_waits)
{
	struct ringd_sqe *sqe;

	pipe_that_waits();
	rd_filetable_deinit(&c.ring->ctx.files);
	if (_i)
		rd_tc_files(&c, 2);
	sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);
	sqe->addr = 1;
	rd_tc_submit(&c);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	ck_assert_int_eq(rd_tc_wait(&c).res, -ECANCELED);
	ck_assert_uint_eq(filled(&c), 0);
}
END_TEST

START_TEST(fields_of_install)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct ringd_sqe *sqe;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, null, 0);
	for (int i = 0; i < 8; i++) {
		sqe = rd_tc_sqe(&c, RINGD_OP_FIXED_FD_INSTALL);
		sqe->flags = i == 7 ? 0 : RINGD_SQE_FIXED_FILE;
		sqe->off = i == 0;
		sqe->addr = i == 1;
		sqe->len = i == 2;
		sqe->buf_index = i == 3;
		sqe->splice_fd_in = i == 4;
		sqe->addr3 = i == 5;
		sqe->install_fd_flags = i == 6 ? 2 : 0;
		ck_assert_int_eq(rd_tc_run(&c), i == 7 ? -EBADF : -EINVAL);
	}
	sqe = rd_tc_sqe(&c, RINGD_OP_FIXED_FD_INSTALL);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	th.can_install = false;
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
	close(null);
}
END_TEST

START_TEST(a_slot_that_is_installed_keeps_its_file)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct ringd_sqe *sqe;
	int32_t fd;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, null, 0);
	sqe = rd_tc_sqe(&c, RINGD_OP_FIXED_FD_INSTALL);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	fd = rd_tc_run(&c);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(filled(&c), 1);
	close(fd);
	sqe = rd_tc_sqe(&c, RINGD_OP_FIXED_FD_INSTALL);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->install_fd_flags = RINGD_FIXED_FD_NO_CLOEXEC;
	fd = rd_tc_run(&c);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(fd);
	close(null);
}
END_TEST

/* --- messages --- */

static struct ringd_sqe *message(uint64_t user_data)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_MSG_RING);

	sqe->fd = rd_tc_number(&target);
	sqe->len = 5;
	sqe->off = user_data;
	return sqe;
}

START_TEST(messages_that_find_no_room_wait_in_order)
{
	struct ringd_cqe cqe;

	for (uint64_t i = 0; i < 20; i++) {
		message(i);
		ck_assert_int_eq(rd_tc_run(&c), 0);
	}
	ck_assert_uint_eq(target.hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, RINGD_SQ_CQ_OVERFLOW);
	for (uint64_t i = 0; i < 20; i++) {
		if (!rd_tc_peek(&target, &cqe)) {
			rd_tc_submit(&target);	/* enters, which brings the rest */
			ck_assert(rd_tc_peek(&target, &cqe));
		}
		ck_assert_uint_eq(cqe.user_data, i);
		ck_assert_int_eq(cqe.res, 5);
	}
}
END_TEST

/* Flags are the sender's, and one of them is the size. Where the CQ has room, and where it has none. */
START_TEST(a_message_that_says_it_is_large_is)
{
	rd_tc_close(&target);
	rd_tc_open(&target, &th, 2, RINGD_SETUP_CQE_MIXED | (_i ? RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER : 0));
	for (uint64_t i = 0; i < 3; i++) {
		message(i)->msg_ring_flags = RINGD_MSG_RING_FLAGS_PASS;
		rd_tc_slot(&c, (c.sq_tail) & 15)->file_index = RINGD_CQE_F_32 | 1;
		ck_assert_int_eq(rd_tc_run(&c), 0);
	}
	rd_tc_enter(&target, 0, RINGD_ENTER_GETEVENTS);
	for (uint32_t i = 0; i < 6; i += 2) {
		if (i == 4)
			rd_tc_enter(&target, 0, RINGD_ENTER_GETEVENTS);
		ck_assert_uint_ge(target.hot->cq_tail, i + 2);
		ck_assert_uint_eq(rd_tc_cqe(&target, i)->user_data, i / 2);
		ck_assert_uint_eq(rd_tc_cqe(&target, i)->flags, RINGD_CQE_F_32 | 1);
		target.hot->cq_head = i + 2;
	}
	ck_assert_uint_eq(target.hot->cq_tail, 6);
	rd_tc_enter(&target, 0, RINGD_ENTER_GETEVENTS);
	ck_assert(!target.ring->dead);
}
END_TEST

START_TEST(messages_over_budget_are_told_to_the_sender)
{
	for (uint64_t i = 0; i < 8; i++) {
		message(i);
		ck_assert_int_eq(rd_tc_run(&c), 0);
	}
	budget(100, th.engine.user.used[RINGD_LIMIT_INFLIGHT] + 1);
	message(8);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	message(9);
	/* not even the request itself has room now */
	budget(100, th.engine.user.used[RINGD_LIMIT_INFLIGHT]);
	ck_assert_int_eq(rd_tc_submit(&c), -EAGAIN);
	c.unsubmitted = 0;
}
END_TEST

START_TEST(a_lazy_ring_runs_its_messages_itself)
{
	struct ringd_cqe cqe;

	rd_tc_close(&target);
	rd_tc_open(&target, &th, 4, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
	for (uint64_t i = 0; i < 3; i++) {
		struct ringd_sqe *sqe = message(i);

		sqe->msg_ring_flags = RINGD_MSG_RING_FLAGS_PASS;
		sqe->file_index = RINGD_CQE_F_32 | RINGD_CQE_F_MORE;	/* not what it says */
		ck_assert_int_eq(rd_tc_run(&c), 0);
	}
	for (int i = 0; i < 10; i++)
		rd_th_turn(&th);
	ck_assert(!rd_tc_peek(&target, &cqe));
	ck_assert_uint_eq(target.hot->tasks, RINGD_TASKS_PENDING);
	rd_tc_submit(&target);
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert(rd_tc_peek(&target, &cqe));
		ck_assert_uint_eq(cqe.user_data, i);
		ck_assert_int_eq(cqe.res, 5);
		ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_32 | RINGD_CQE_F_MORE);
	}
	/* one that dies with messages on it leaves nothing */
	message(7);
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(a_ring_that_has_ended_is_none)
{
	int number = rd_tc_number(&target);

	message(1);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	rd_tc_close(&target);
	rd_tc_sqe(&c, RINGD_OP_MSG_RING)->fd = number;
	ck_assert_int_lt(rd_tc_run(&c), 0);
}
END_TEST

static struct ringd_sqe *send_file(uint32_t slot, uint32_t file_index, uint32_t flags)
{
	struct ringd_sqe *sqe = message(77);

	sqe->len = 0;
	sqe->addr = RINGD_MSG_SEND_FD;
	sqe->addr3 = slot;
	sqe->file_index = file_index;
	sqe->msg_ring_flags = flags;
	return sqe;
}

/* The two slots are of the same open file, and of nothing else in common: each has its own tag and its own end. */
START_TEST(a_sent_file_lives_on_its_own)
{
	struct ringd_cqe cqe;
	int fds[2];
	char byte;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, fds[1], 99);
	close(fds[1]);
	rd_tc_files(&target, 2);
	send_file(0, 2, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert(rd_tc_peek(&target, &cqe));
	ck_assert_uint_eq(cqe.user_data, 77);
	rd_tc_sqe(&c, RINGD_OP_CLOSE)->file_index = 1;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 99);	/* the tag, though the target's slot is in use */
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, c.user_data);
	ck_assert_int_eq(cqe.res, 0);
	ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(read(fds[0], &byte, 1), -1);
	rd_tc_sqe(&target, RINGD_OP_CLOSE)->file_index = 2;
	ck_assert_int_eq(rd_tc_run(&target), 0);
	ck_assert_int_eq(read(fds[0], &byte, 1), 0);
	close(fds[0]);
}
END_TEST

START_TEST(a_file_over_budget_is_not_sent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct ringd_cqe cqe;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, null, 0);
	rd_tc_files(&target, 1);
	budget(1, 100);
	send_file(0, 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EDQUOT);
	budget(2, 100);
	send_file(1ull << 31, 1, 0)->addr3 = 1ull << 32;	/* not slot 0 */
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	send_file(0, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	ck_assert(!rd_tc_peek(&target, &cqe));
	while (th.engine.user.used[RINGD_LIMIT_FILES] > 1)
		rd_th_turn(&th);
	send_file(0, 1, RINGD_MSG_RING_CQE_SKIP);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert(!rd_tc_peek(&target, &cqe));
	close(null);
}
END_TEST

/* close() asks who serves the file, and drops what locks the process has on it, whichever descriptor it is of. */
START_TEST(a_file_over_budget_is_not_even_closed)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), status = -1;
	pid_t child;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, fd, 0);
	rd_tc_files(&target, 1);
	ck_assert_int_eq(fcntl(fd, F_SETLK, &lock), 0);
	budget(1, 100);
	send_file(0, 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EDQUOT);
	child = fork();
	if (child == 0)
		_exit(fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type != F_WRLCK);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(fd);
}
END_TEST

/* A in B's chain, B in A's: each message is posted at once, nothing recurses. */
START_TEST(rings_that_send_to_each_other_in_chains)
{
	struct ringd_cqe cqe;
	int to_c = rd_tc_number(&c), to_target = rd_tc_number(&target);
	unsigned int n = 0;

	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 4; k++) {
			struct ringd_sqe *a = rd_tc_sqe(&c, RINGD_OP_MSG_RING), *b = rd_tc_sqe(&target, RINGD_OP_MSG_RING);

			a->fd = k % 2 ? to_c : to_target;
			b->fd = k % 2 ? to_target : to_c;
			a->flags = b->flags = (uint8_t)(RINGD_SQE_CQE_SKIP_SUCCESS | (k < 3 ? RINGD_SQE_IO_LINK : 0));
		}
		ck_assert_int_eq(rd_tc_submit(&c), 4);
		ck_assert_int_eq(rd_tc_submit(&target), 4);
		while (rd_tc_peek(&c, &cqe))
			n++;
		while (rd_tc_peek(&target, &cqe))
			n++;
	}
	ck_assert_uint_eq(n, 800);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_pipe_is_the_clients_alone, fields_of_a_pipe, a_pipe_that_cannot_be_told_is_gone, a_pipe_over_budget_is_gone,
		slots_of_a_pipe, a_ring_ends_while_a_pipe_waits, fields_of_install, a_slot_that_is_installed_keeps_its_file,
		messages_that_find_no_room_wait_in_order, messages_over_budget_are_told_to_the_sender,
		a_lazy_ring_runs_its_messages_itself, a_ring_that_has_ended_is_none, a_sent_file_lives_on_its_own,
		a_file_over_budget_is_not_sent, a_file_over_budget_is_not_even_closed, rings_that_send_to_each_other_in_chains,
	};
	Suite *s = suite_create("ops_fd");
	TCase *tc = tcase_create("descriptors and messages");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, a_table_ends_while_a_pipe_waits, 0, 2);
	tcase_add_loop_test(tc, a_message_that_says_it_is_large_is, 0, 2);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
