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

/* --- what enter refuses --- */

CF_TEST(unknown_enter_flag, 30, "Enter with an unknown flag bit -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	for (unsigned int bit = 8; bit < 32; bit++)
		ck_assert_int_eq(cf_enter(ring, 0, 0, 1u << bit, NULL, 0), -EINVAL);
}

CF_TEST(an_empty_sq_is_not_waited_for, 34,
	"Enter with to_submit 5 and an empty SQ, GETEVENTS, min_complete 1 and a CQE already present -> 0 without blocking")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	ck_assert_int_eq(cf_enter(ring, 5, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(cf_enter(ring, 5, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	cf_expect(ring, 0, 0, 0);
}

CF_TEST(a_disabled_ring_is_not_entered, 35, "Enter on a ring created with R_DISABLED -> -EBADFD until it is enabled")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_R_DISABLED);

	cf_sqe(ring, RINGD_OP_NOP)->user_data = 3;
	ck_assert_int_eq(cf_submit(ring), -EBADFD);
	ck_assert_int_eq(cf_enter(ring, 0, 0, 0, NULL, 0), -EBADFD);
	ck_assert_int_eq(cf_enter(ring, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0), -EBADFD);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 3, 0, 0);
}

CF_TEST(numbers_that_are_no_ring, 36, "Enter with REGISTERED_RING and index 16 -> -EINVAL; with an empty slot -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_rsrc_update up = { .offset = 3, .data = (uint64_t)ring->fd };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_RING_FDS, &up, 1), 1);
	ck_assert_int_eq(cf_enter_registered(16, 0, 0, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(cf_enter_registered(4, 0, 0, 0, NULL, 0), -EBADF);
	ck_assert_int_eq(cf_enter_registered(3, 0, 0, 0, NULL, 0), 0);
}

/* --- the caller's memory --- */

CF_TEST(sqe_is_copied, 44, "SQE contents overwritten right after enter returned the count -> the request is unaffected")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_TIMEOUT);

	sqe->addr = cf_addr(cf_ts(2000000));
	sqe->len = 1;
	sqe->user_data = 7;
	ck_assert_int_eq(cf_submit(ring), 1);
	memset(sqe, 0xff, sizeof(*sqe));
	cf_expect(ring, 7, -ETIME, 0);
}

/* --- who may --- */

static int submit_nop(void *arg)
{
	return cf_enter(arg, 1, 0, 0, NULL, 0);
}

static int wait_a_moment(void *arg)
{
	struct ringd_timespec ts = { .tv_nsec = 1000000 };
	struct ringd_getevents_arg ext = { .ts = cf_addr(&ts) };

	return cf_enter(arg, 0, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &ext, sizeof(ext));
}

static int register_files(void *arg)
{
	struct ringd_rsrc_register rr = { .nr = 4, .flags = RINGD_RSRC_REGISTER_SPARSE };

	return cf_register(arg, RINGD_REGISTER_FILES2, &rr, sizeof(rr));
}

static int enable(void *arg)
{
	return cf_register(arg, RINGD_REGISTER_ENABLE_RINGS, NULL, 0);
}

CF_TEST(another_submitter, 48, "SINGLE_ISSUER ring and enter with to_submit > 0 from another thread -> -EEXIST")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_SINGLE_ISSUER);

	cf_sqe(ring, RINGD_OP_NOP)->user_data = 5;
	ck_assert_int_eq(cf_in_thread(submit_nop, ring), -EEXIST);
	ck_assert_int_eq(submit_nop(ring), 1);
	cf_expect(ring, 5, 0, 0);
	ck_assert_int_eq(cf_in_thread(submit_nop, ring), -EEXIST);	/* though there is nothing */
}

CF_TEST(another_waiter, 49, "SINGLE_ISSUER ring without DEFER_TASKRUN and a pure GETEVENTS wait from another thread -> allowed")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_SINGLE_ISSUER);

	ck_assert_int_eq(cf_in_thread(wait_a_moment, ring), -ETIME);
	cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_int_eq(cf_in_thread(wait_a_moment, ring), 0);
}

CF_TEST(another_waiter_of_a_lazy_ring, 50, "DEFER_TASKRUN ring and GETEVENTS from a thread that is not the submitter -> -EEXIST")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);

	ck_assert_int_eq(cf_in_thread(wait_a_moment, ring), -EEXIST);
	ck_assert_int_eq(wait_a_moment(ring), -ETIME);
}

CF_TEST(another_registers, 51, "Register call from another thread on a SINGLE_ISSUER ring -> -EEXIST")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_SINGLE_ISSUER);

	ck_assert_int_eq(cf_in_thread(register_files, ring), -EEXIST);
	ck_assert_int_eq(register_files(ring), 0);
}

static int enable_and_use(void *arg)
{
	if (enable(arg) < 0 || register_files(arg) < 0)
		return -1;
	return submit_nop(arg);
}

CF_TEST(who_enables_submits, 52, "R_DISABLED|SINGLE_ISSUER ring enabled by thread B -> B is the submitter")
{
	struct cf_ring *ring = cf_ring_new(8, RINGD_SETUP_R_DISABLED | RINGD_SETUP_SINGLE_ISSUER);

	cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_in_thread(enable_and_use, ring), 1);
	ck_assert_int_eq(submit_nop(ring), -EEXIST);
	ck_assert_int_eq(register_files(ring), -EEXIST);
}

/* --- other shapes --- */

CF_TEST(rewound_sq, 53, "SQ_REWIND ring, two SQEs in slots 0 and 1, enter(2) twice -> both slots are executed twice and SQ head stays 0")
{
	struct cf_ring *ring;

	cf_need_setup(RINGD_SETUP_SQ_REWIND | RINGD_SETUP_NO_SQARRAY);
	ring = cf_ring_new(8, RINGD_SETUP_SQ_REWIND | RINGD_SETUP_NO_SQARRAY);
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 1;
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 2;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(cf_enter(ring, 2, 0, 0, NULL, 0), 2);
		cf_expect(ring, 1, 0, 0);
		cf_expect(ring, 2, 0, 0);
	}
	ck_assert_uint_eq(cf_sq_head(ring), 0);
}

CF_TEST(wide_sqe, 54, "SQE_MIXED ring and a 128-byte NOP in slots 0 and 1 -> one CQE, enter returns 2, SQ head moves by 2")
{
	struct cf_ring *ring;

	cf_need_setup(RINGD_SETUP_SQE_MIXED);
	ring = cf_ring_new(8, RINGD_SETUP_SQE_MIXED);
	cf_sqe128(ring, RINGD_OP_NOP128)->user_data = 9;
	ck_assert_int_eq(cf_enter(ring, 2, 0, 0, NULL, 0), 2);
	cf_expect(ring, 9, 0, 0);
	cf_expect_none(ring);
}

CF_TEST(wide_sqe_over_the_end, 55, "SQE_MIXED ring and a 128-byte op in the last physical slot -> CQE -EINVAL")
{
	struct cf_ring *ring;

	cf_need_setup(RINGD_SETUP_SQE_MIXED);
	ring = cf_ring_new(2, RINGD_SETUP_SQE_MIXED | RINGD_SETUP_SUBMIT_ALL);
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 1;
	cf_sqe(ring, RINGD_OP_NOP128)->user_data = 2;
	ck_assert_int_eq(cf_submit(ring), 2);
	cf_expect(ring, 1, 0, 0);
	cf_expect(ring, 2, -EINVAL, 0);
}

CF_TEST(half_of_a_wide_sqe, 56, "SQE_MIXED ring and a 128-byte op with only one SQE submitted -> CQE -EINVAL")
{
	struct cf_ring *ring;

	cf_need_setup(RINGD_SETUP_SQE_MIXED);
	ring = cf_ring_new(8, RINGD_SETUP_SQE_MIXED);
	cf_sqe(ring, RINGD_OP_NOP128)->user_data = 4;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 4, -EINVAL, 0);
}

CF_TEST(wide_opcode_elsewhere, 57, "128-byte opcode on a ring that is neither SQE128 nor SQE_MIXED -> CQE -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_sqe(ring, RINGD_OP_NOP128)->user_data = 4;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 4, -EINVAL, 0);
}

/* --- SQPOLL --- */

static struct cf_ring *sqpoll_ring(unsigned int entries, unsigned int idle_ms)
{
	return cf_ring_new_params(entries, (struct ringd_params){ .flags = RINGD_SETUP_SQPOLL, .sq_thread_idle = idle_ms });
}

/* Nearly: it looks once more before it sleeps, and no event tells when it has. */
static void wait_asleep(struct cf_ring *ring)
{
	while (!(cf_sq_flags(ring) & RINGD_SQ_NEED_WAKEUP))
		usleep(1000);
	usleep(5000);
}

CF_TEST(sqpoll_returns_at_once, 58, "SQPOLL ring: enter with to_submit n -> returns n at once, without SQ_WAKEUP too")
{
	struct cf_ring *ring = sqpoll_ring(8, 1);

	ck_assert_int_eq(cf_enter(ring, 5, 0, 0, NULL, 0), 5);
	cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_enter(ring, 1, 1, RINGD_ENTER_SQ_WAKEUP | RINGD_ENTER_GETEVENTS, NULL, 0), 1);
	cf_expect(ring, 0, 0, 0);
}

CF_TEST(sqpoll_sleeps, 59, "SQPOLL ring idle longer than sq_thread_idle -> SQ flag 0x1 appears, SQEs wait until enter(SQ_WAKEUP)")
{
	struct cf_ring *ring = sqpoll_ring(8, 1);

	for (int tries = 0;; tries++) {
		wait_asleep(ring);
		cf_sqe(ring, RINGD_OP_NOP)->user_data = 1;
		ck_assert_int_eq(cf_enter(ring, 1, 0, 0, NULL, 0), 1);
		usleep(20000);
		if (!cf_cq_ready(ring))
			break;
		ck_assert_int_lt(tries, 100);	/* its last look may have been so late; not always */
		cf_expect(ring, 1, 0, 0);
	}
	ck_assert_int_eq(cf_enter(ring, 0, 0, RINGD_ENTER_SQ_WAKEUP, NULL, 0), 0);
	cf_expect(ring, 1, 0, 0);
}

CF_TEST(sqpoll_room, 60, "SQPOLL ring with a full SQ: enter(SQ_WAIT) -> returns when a slot is free")
{
	struct cf_ring *ring = sqpoll_ring(4, 1);

	wait_asleep(ring);
	for (int i = 0; i < 4; i++)
		cf_sqe(ring, RINGD_OP_NOP);
	ck_assert_int_eq(cf_enter(ring, 4, 0, RINGD_ENTER_SQ_WAKEUP | RINGD_ENTER_SQ_WAIT, NULL, 0), 4);
	cf_sqe(ring, RINGD_OP_NOP);
}

CF_TEST(held_back_cqes_do_not_stop_it, 62, "Submission when CQEs are held in the overflow list -> still accepted")
{
	struct cf_ring *ring = cf_ring_new(2, 0);

	for (uint64_t i = 0; i < 5; i++) {
		cf_sqe(ring, RINGD_OP_NOP)->user_data = 2 * i;
		cf_sqe(ring, RINGD_OP_NOP)->user_data = 2 * i + 1;
		ck_assert_int_eq(cf_submit(ring), 2);
	}
	ck_assert_uint_ne(cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW, 0);
	for (uint64_t i = 0; i < 10; i++)
		cf_expect(ring, i, 0, 0);
}

CF_TEST(an_index_beyond_the_sq_is_dropped, 43,
	"An index-array entry >= sq_entries -> SQ dropped increments, no CQE, submission stops short")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint32_t *array = cf_sq_array(ring);

	for (uint64_t i = 0; i < 3; i++)
		cf_sqe(ring, RINGD_OP_NOP)->user_data = i;
	if (!array) {
		ck_assert(ring->p.flags & RINGD_SETUP_NO_SQARRAY);
		ck_assert_int_eq(cf_submit(ring), 3);
		ck_assert_uint_eq(cf_sq_dropped(ring), 0);
		return;
	}
	array[1] = 8;
	ck_assert_int_eq(cf_submit(ring), 1);
	ck_assert_uint_eq(cf_sq_dropped(ring), 1);
	ck_assert_uint_eq(cf_cq_ready(ring), 1);
	cf_expect(ring, 0, 0, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 2, 0, 0);
	ck_assert_uint_eq(cf_sq_dropped(ring), 1);
}
CF_DIFFERS(an_index_beyond_the_sq_is_dropped, CF_RINGD,
	   "the library asks for rings without an index array; those with one are in tests/unit/check_ring.c")
