/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ASYNC_CANCEL: what each key finds, what it answers, and in which order the CQEs come. */
#include <fcntl.h>
#include <string.h>

#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static int p[2] = { -1, -1 };
static char *buf;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 64, 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	rd_tc_files(&c, 4);
	rd_tc_file(&c, 0, p[0], 0);
	rd_tc_file(&c, 1, p[0], 0);	/* the same open file by another descriptor */
	buf = rd_th_alloc(&th, 4096);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(p[0]);
	close(p[1]);
}

static void wait_read(uint64_t user_data, uint8_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_READ);

	sqe->user_data = user_data;
	sqe->flags = flags | RINGD_SQE_FIXED_FILE;
	sqe->addr = (uintptr_t)buf;
	sqe->len = 4;
	sqe->off = UINT64_MAX;
}

static struct ringd_sqe *cancel(uint64_t key, uint32_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->user_data = 100;
	sqe->addr = key;
	sqe->cancel_flags = flags;
	return sqe;
}

START_TEST(cancel_comes_before_its_target)
{
	const uint8_t flags[] = { 0, RINGD_SQE_ASYNC };

	for (size_t i = 0; i < 2; i++) {
		wait_read(1, flags[i]);
		cancel(1, 0);
		rd_tc_submit(&c);
		rd_tc_expect(&c, 100, 0, 0);
		rd_tc_expect(&c, 1, -ECANCELED, 0);
	}
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(unknown_key_is_enoent)
{
	wait_read(1, 0);
	cancel(2, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -ENOENT, 0);
	cancel(2, RINGD_ASYNC_CANCEL_ALL);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect_none(&c);
}
END_TEST

START_TEST(single_cancels_one_of_several_all_cancels_all)
{
	for (int i = 0; i < 4; i++)
		wait_read(7, 0);
	cancel(7, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect(&c, 7, -ECANCELED, 0);
	rd_tc_expect_none(&c);
	cancel(7, RINGD_ASYNC_CANCEL_ALL);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 3, 0);
	for (int i = 0; i < 3; i++)
		rd_tc_expect(&c, 7, -ECANCELED, 0);
}
END_TEST

START_TEST(any_ignores_the_key)
{
	wait_read(1, 0);
	wait_read(2, 0);
	cancel(99, RINGD_ASYNC_CANCEL_ANY);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 2, 0);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
	rd_tc_expect(&c, 2, -ECANCELED, 0);
}
END_TEST

START_TEST(bad_keys_are_einval)
{
	cancel(1, RINGD_ASYNC_CANCEL_ANY | RINGD_ASYNC_CANCEL_FD);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EINVAL, 0);
	cancel(1, RINGD_ASYNC_CANCEL_ANY | RINGD_ASYNC_CANCEL_OP);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EINVAL, 0);
	cancel(1, 0x40);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EINVAL, 0);
	cancel(1, 0)->off = 1;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EINVAL, 0);
	cancel(1, 0)->splice_fd_in = 1;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EINVAL, 0);
}
END_TEST

START_TEST(by_file_finds_it_through_another_descriptor)
{
	struct ringd_sqe *sqe;

	wait_read(1, 0);
	sqe = cancel(99, RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_FD_FIXED);
	sqe->fd = 1;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
	wait_read(1, 0);
	sqe = cancel(0, RINGD_ASYNC_CANCEL_FD);
	sqe->fd = p[0];
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
}
END_TEST

START_TEST(by_file_needs_a_file)
{
	struct ringd_sqe *sqe = cancel(0, RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_FD_FIXED);

	sqe->fd = 3;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EBADF, 0);
	cancel(0, RINGD_ASYNC_CANCEL_FD)->fd = -1;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EBADF, 0);
	sqe = cancel(0, RINGD_ASYNC_CANCEL_FD);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->fd = 9;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -EBADF, 0);
}
END_TEST

START_TEST(several_keys_must_all_match)
{
	struct ringd_sqe *sqe;

	wait_read(1, 0);
	sqe = cancel(2, RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_FD_FIXED | RINGD_ASYNC_CANCEL_USERDATA);
	sqe->fd = 0;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -ENOENT, 0);
	sqe = cancel(1, RINGD_ASYNC_CANCEL_OP | RINGD_ASYNC_CANCEL_USERDATA);
	sqe->len = RINGD_OP_WRITE;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -ENOENT, 0);
	sqe = cancel(1, RINGD_ASYNC_CANCEL_OP | RINGD_ASYNC_CANCEL_USERDATA);
	sqe->len = RINGD_OP_READ;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
}
END_TEST

START_TEST(a_cancel_does_not_find_itself)
{
	struct ringd_sqe *sqe = cancel(100, RINGD_ASYNC_CANCEL_ANY);

	sqe->flags = RINGD_SQE_ASYNC;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
}
END_TEST

START_TEST(behind_a_running_head_nothing_is_found)
{
	wait_read(1, RINGD_SQE_IO_LINK);
	rd_tc_sqe(&c, RINGD_OP_NOP)->user_data = 2;
	cancel(2, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, -ENOENT, 0);
	cancel(1, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
	rd_tc_expect(&c, 2, -ECANCELED, 0);
	wait_read(1, RINGD_SQE_IO_HARDLINK);
	rd_tc_sqe(&c, RINGD_OP_NOP)->user_data = 2;
	cancel(1, 0);
	rd_tc_submit(&c);
	rd_tc_expect(&c, 100, 0, 0);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
	rd_tc_expect(&c, 2, 0, 0);
}
END_TEST

START_TEST(silent_cancel_leaves_only_the_target)
{
	wait_read(1, 0);
	cancel(1, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	rd_tc_submit(&c);
	rd_tc_expect(&c, 1, -ECANCELED, 0);
	rd_tc_expect_none(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cancel");
	TCase *tc = tcase_create("cancel");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, cancel_comes_before_its_target);
	tcase_add_test(tc, unknown_key_is_enoent);
	tcase_add_test(tc, single_cancels_one_of_several_all_cancels_all);
	tcase_add_test(tc, any_ignores_the_key);
	tcase_add_test(tc, bad_keys_are_einval);
	tcase_add_test(tc, by_file_finds_it_through_another_descriptor);
	tcase_add_test(tc, by_file_needs_a_file);
	tcase_add_test(tc, several_keys_must_all_match);
	tcase_add_test(tc, a_cancel_does_not_find_itself);
	tcase_add_test(tc, behind_a_running_head_nothing_is_found);
	tcase_add_test(tc, silent_cancel_leaves_only_the_target);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
