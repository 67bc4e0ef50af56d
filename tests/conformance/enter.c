/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Enter and submission */
#include "cf.h"

CF_TEST(enter_with_nothing_to_do_is_0, 32, "Enter with to_submit 0 and flags 0 -> 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	ck_assert_int_eq(cf_enter(ring, 0, 0, 0, NULL, 0), 0);
}

CF_TEST(enter_takes_what_is_pending, 33, "Enter with to_submit 100 and 8 SQEs pending -> 8")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (uint64_t i = 0; i < 8; i++)
		cf_sqe(ring, RINGD_OP_NOP)->user_data = i;
	ck_assert_int_eq(cf_enter(ring, 100, 0, 0, NULL, 0), 8);
	for (uint64_t i = 0; i < 8; i++)
		cf_expect(ring, i, 0, 0);
}

CF_TEST(submission_stops_behind_an_invalid_sqe, 37,
	"Three SQEs of which the second has an invalid opcode, no SUBMIT_ALL -> enter returns 2, the third stays queued")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP)->user_data = 1;
	cf_sqe(ring, 200)->user_data = 2;
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 3;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, -EINVAL, 0);
	ck_assert_uint_eq(cf_sq_pending(ring), 1);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(submit_all_goes_on, 38, "The same with SUBMIT_ALL -> enter returns 3 and three CQEs appear")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_SUBMIT_ALL);

	cf_sqe(ring, RINGD_OP_NOP)->user_data = 1;
	cf_sqe(ring, 200)->user_data = 2;
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 3;
	ck_assert_int_eq(cf_submit(ring), 3);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, -EINVAL, 0);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(unknown_opcode_is_einval, 40, "An SQE with opcode 65 or higher -> CQE -EINVAL with the SQE's user_data")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (unsigned int op = 65; op < 256; op++) {
		cf_sqe(ring, op)->user_data = 1000 + op;
		ck_assert_int_eq(cf_submit(ring), 1);
		cf_expect(ring, 1000 + op, -EINVAL, 0);
	}
}

CF_TEST(sqe_flag_bit_7_is_einval, 41, "An SQE with flag bit 7 -> CQE -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP)->flags = 0x80;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 0, -EINVAL, 0);
}

CF_TEST(nop_with_ioprio_is_einval, 42, "A NOP with ioprio 1 -> CQE -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP)->ioprio = 1;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 0, -EINVAL, 0);
}

CF_TEST(a_full_sq_goes_in_one_enter, 47, "A 64-entry SQ filled completely and submitted in one enter -> returns 64 and all are executed")
{
	struct cf_ring *ring = cf_ring_new(64, 0);

	for (uint64_t i = 0; i < 64; i++)
		cf_sqe(ring, RINGD_OP_NOP)->user_data = i;
	ck_assert_int_eq(cf_submit(ring), 64);
	for (uint64_t i = 0; i < 64; i++)
		cf_expect(ring, i, 0, 0);
}
