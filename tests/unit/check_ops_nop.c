/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NOP with all its flags, and the table of opcodes it is the first row of. */
#include <string.h>

#include "daemon/common/util.h"
#include "daemon/engine/request/opdef.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	rd_tc_open(&c, &th, 32, RINGD_SETUP_SUBMIT_ALL);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
}

static struct ringd_sqe *nop(uint32_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_NOP);

	sqe->nop_flags = flags;
	return sqe;
}

START_TEST(a_plain_nop_ignores_every_other_field)
{
	struct ringd_sqe *sqe = nop(0);

	sqe->fd = -1;
	sqe->addr = sqe->off = UINT64_MAX;
	sqe->len = 7;
	sqe->buf_index = 9;
	sqe->file_index = 9;
	sqe->addr3 = sqe->__pad2[0] = 9;
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(an_injected_result_comes_back)
{
	static const int32_t results[] = { 0, 1, INT32_MAX, -1, -ECANCELED, INT32_MIN };

	for (size_t i = 0; i < RD_ARRAY_SIZE(results); i++) {
		nop(RINGD_NOP_INJECT_RESULT)->len = (uint32_t)results[i];
		ck_assert_int_eq(rd_tc_run(&c), results[i]);
	}
}
END_TEST

START_TEST(unknown_flags_and_wide_completions_are_refused)
{
	for (uint32_t bit = RINGD_NOP_CQE32; bit; bit <<= 1) {
		nop(bit);
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
}
END_TEST

START_TEST(the_file_is_looked_up)
{
	nop(RINGD_NOP_FILE)->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	nop(RINGD_NOP_FILE)->fd = 0;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	nop(RINGD_NOP_FILE | RINGD_NOP_FIXED_FILE)->fd = 0;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);	/* no table */
	rd_tc_files(&c, 2);
	rd_tc_file(&c, 1, 0, 0);
	nop(RINGD_NOP_FILE | RINGD_NOP_FIXED_FILE)->fd = 0;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	nop(RINGD_NOP_FILE | RINGD_NOP_FIXED_FILE)->fd = 1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	nop(RINGD_NOP_FILE | RINGD_NOP_FIXED_FILE)->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	nop(RINGD_NOP_FIXED_FILE)->fd = -1;		/* without FILE there is no file */
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(the_buffer_is_looked_up)
{
	struct ringd_sqe *sqe;

	nop(RINGD_NOP_FIXED_BUFFER);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	rd_tc_bufs(&c, 2);
	rd_tc_buf(&c, 1, rd_th_alloc(&th, 1), 1, 0);
	nop(RINGD_NOP_FIXED_BUFFER)->buf_index = 0;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	nop(RINGD_NOP_FIXED_BUFFER)->buf_index = 2;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	nop(RINGD_NOP_FIXED_BUFFER)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	sqe = nop(RINGD_NOP_FIXED_BUFFER | RINGD_NOP_FILE);	/* the file comes first */
	sqe->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	sqe = nop(RINGD_NOP_FIXED_BUFFER | RINGD_NOP_INJECT_RESULT);
	sqe->buf_index = 0;
	sqe->len = 5;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
}
END_TEST

START_TEST(deferred_completions_come_behind_the_visit)
{
	static const uint64_t order[] = { 2, 4, 1, 3 };
	struct ringd_cqe cqe;

	nop(RINGD_NOP_TW | RINGD_NOP_INJECT_RESULT)->len = 11;
	nop(0);
	nop(RINGD_NOP_TW);
	nop(0);
	ck_assert_int_eq(rd_tc_submit(&c), 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_msg(rd_tc_peek(&c, &cqe), "not there although enter has returned");
		ck_assert_uint_eq(cqe.user_data, order[i]);
		ck_assert_int_eq(cqe.res, order[i] == 1 ? 11 : 0);
	}
	ck_assert(!rd_tc_peek(&c, &cqe));
}
END_TEST

START_TEST(a_skipped_success_is_silent_also_when_deferred)
{
	struct ringd_sqe *sqe;
	struct ringd_cqe cqe;

	nop(0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	nop(RINGD_NOP_TW)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	sqe = nop(RINGD_NOP_TW | RINGD_NOP_INJECT_RESULT);
	sqe->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	sqe->len = (uint32_t)-5;
	ck_assert_int_eq(rd_tc_submit(&c), 3);
	ck_assert(rd_tc_peek(&c, &cqe));
	ck_assert_uint_eq(cqe.user_data, 3);
	ck_assert_int_eq(cqe.res, -5);
	ck_assert(!rd_tc_peek(&c, &cqe));
}
END_TEST

START_TEST(common_fields_are_checked)
{
	nop(0)->ioprio = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	nop(0)->flags = 0x80;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	nop(0)->personality = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	nop(0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
	nop(0)->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

/* --- the table --- */

START_TEST(every_opcode_has_a_row_with_a_name_of_its_own)
{
	for (unsigned int i = 0; i < RINGD_OP_LAST; i++) {
		ck_assert_msg(rd_ops[i].name, "opcode %u has no row", i);
		for (unsigned int k = 0; k < i; k++)
			ck_assert_str_ne(rd_ops[i].name, rd_ops[k].name);
	}
}
END_TEST

START_TEST(rows_are_complete_or_empty)
{
	for (unsigned int i = 0; i <= RD_OP_MASK; i++) {
		const struct rd_op *op = &rd_ops[i];

		ck_assert_msg(!!op->prep == (i < RINGD_OP_LAST), "opcode %u", i);
		ck_assert_msg(!op->prep || op->issue || op->work, "opcode %u cannot run", i);
		ck_assert_msg(i < RINGD_OP_LAST || !op->name, "row %u beyond the last opcode", i);
		ck_assert_int_eq(rd_op_known((uint8_t)i), i < RINGD_OP_LAST);
	}
}
END_TEST

START_TEST(opcodes_that_are_not_served_answer_einval)
{
	for (unsigned int i = RINGD_OP_LAST; i < 256; i++) {
		rd_tc_sqe(&c, (uint8_t)i);
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ops_nop");
	TCase *tc = tcase_create("nop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_plain_nop_ignores_every_other_field);
	tcase_add_test(tc, an_injected_result_comes_back);
	tcase_add_test(tc, unknown_flags_and_wide_completions_are_refused);
	tcase_add_test(tc, the_file_is_looked_up);
	tcase_add_test(tc, the_buffer_is_looked_up);
	tcase_add_test(tc, deferred_completions_come_behind_the_visit);
	tcase_add_test(tc, a_skipped_success_is_silent_also_when_deferred);
	tcase_add_test(tc, common_fields_are_checked);
	suite_add_tcase(s, tc);
	tc = tcase_create("opcodes");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_opcode_has_a_row_with_a_name_of_its_own);
	tcase_add_test(tc, rows_are_complete_or_empty);
	tcase_add_test(tc, opcodes_that_are_not_served_answer_einval);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
