/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings whose SQEs or CQEs are not one size, rings that rewind, rings that are not started yet, CQEs that are lost. */
#include <errno.h>
#include <string.h>

#include "suite.h"
#include "testhost.h"

#define S(x) RINGD_SETUP_##x

static struct rd_testhost th;
static struct rd_testclient c;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
}

static void open_with(uint32_t entries, uint32_t cq_entries, uint32_t flags)
{
	rd_tc_open_params(&c, &th, &(struct ringd_params){ .sq_entries = entries, .cq_entries = cq_entries,
							   .flags = flags | (cq_entries ? S(CQSIZE) : 0),
							   .sq_thread_idle = 1000 });
	rd_ring_doorbell(c.ring);
}

/* Put an SQE into the slot of the next index; what follows it in a large slot is rubbish. */
static struct ringd_sqe *put(uint8_t opcode, uint64_t user_data)
{
	struct ringd_sqe *sqe = rd_tc_slot(&c, c.sq_tail++ & (c.layout.sq_entries - 1));

	memset(sqe, 0xee, (size_t)1 << c.layout.sqe_shift);
	*sqe = (struct ringd_sqe){ .opcode = opcode, .user_data = user_data };
	c.hot->sq_tail = c.sq_tail;
	return sqe;
}

/* A NOP128 in the next two slots. */
static void put_wide(uint64_t user_data)
{
	put(RINGD_OP_NOP128, user_data);
	put(0xff, 0xbad);
}

static uint32_t ready(void)
{
	return c.hot->cq_tail - c.hot->cq_head;
}

static struct ringd_cqe next(void)
{
	struct ringd_cqe cqe = *rd_tc_cqe(&c, c.hot->cq_head);

	ck_assert_uint_gt(ready(), 0);
	c.hot->cq_head += cqe.flags & RINGD_CQE_F_32 ? 2 : 1;
	return cqe;
}

static void expect(uint64_t user_data, int32_t res, uint32_t flags)
{
	struct ringd_cqe cqe = next();

	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
	ck_assert_uint_eq(cqe.flags, flags);
}

static const uint64_t *big(uint32_t index)
{
	return (const uint64_t *)(const void *)((const char *)rd_tc_cqe(&c, index) + 16);
}

/* --- SQEs --- */

START_TEST(sqes_of_128_bytes)
{
	open_with(4, 0, S(SQE128) | S(NO_SQARRAY));
	for (uint64_t round = 0; round < 3; round++) {
		put(RINGD_OP_NOP, 1);
		put(RINGD_OP_NOP128, 2);
		put(RINGD_OP_NOP, 3);
		ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
		ck_assert_uint_eq(c.hot->sq_head, c.sq_tail);
		expect(1, 0, 0);
		expect(2, 0, 0);
		expect(3, 0, 0);
	}
}
END_TEST

START_TEST(index_array_names_slots_of_128_bytes)
{
	uint32_t *array;

	open_with(4, 0, S(SQE128));
	array = (uint32_t *)(void *)((char *)c.mem.rings + c.params.sq_off.array);
	put(RINGD_OP_NOP, 1);
	put(RINGD_OP_NOP, 2);
	put(RINGD_OP_NOP128, 3);
	array[0] = 2;
	array[1] = 0;
	array[2] = 4;
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 2);
	ck_assert_uint_eq(c.hot->sq_dropped, 1);
	expect(3, 0, 0);
	expect(1, 0, 0);
}
END_TEST

START_TEST(mixed_ring_takes_a_large_sqe_as_two)
{
	open_with(4, 8, S(SQE_MIXED) | S(NO_SQARRAY));
	put_wide(7);
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 2);
	ck_assert_uint_eq(c.hot->sq_head, 2);
	ck_assert_uint_eq(ready(), 1);
	expect(7, 0, 0);
	put(RINGD_OP_NOP, 8);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	expect(8, 0, 0);
}
END_TEST

START_TEST(large_sqe_does_not_wrap)
{
	open_with(4, 8, S(SQE_MIXED) | S(NO_SQARRAY));
	for (uint64_t i = 0; i < 3; i++)
		put(RINGD_OP_NOP, i);
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
	put(RINGD_OP_NOP128, 3);
	put(RINGD_OP_NOP, 4);
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 1);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	for (uint64_t i = 0; i < 3; i++)
		expect(i, 0, 0);
	expect(3, -EINVAL, 0);
	expect(4, 0, 0);
}
END_TEST

START_TEST(large_sqe_needs_two_entries_of_one_submission)
{
	open_with(4, 8, S(SQE_MIXED) | S(NO_SQARRAY));
	put(RINGD_OP_NOP128, 1);
	put(RINGD_OP_NOP, 2);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	expect(1, -EINVAL, 0);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	expect(2, 0, 0);
}
END_TEST

START_TEST(ordinary_ring_has_no_large_sqes)
{
	open_with(4, 0, S(NO_SQARRAY));
	put_wide(1);
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 1);
	expect(1, -EINVAL, 0);
	rd_tc_slot(&c, 1)->opcode = RINGD_OP_NOP;
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	expect(0xbad, 0, 0);
}
END_TEST

/* A visit of the reactor ends after 128 entries, a submission does not. */
START_TEST(large_sqe_across_the_end_of_a_visit)
{
	open_with(512, 512, S(SQE_MIXED) | S(NO_SQARRAY) | (_i ? S(SQPOLL) : 0));
	for (uint64_t i = 0; i < 127; i++)
		put(RINGD_OP_NOP, i);
	for (uint64_t i = 0; i < 100; i++)
		put_wide(127 + i);
	ck_assert_int_eq(rd_tc_enter(&c, 400, 0), _i ? 0 : 327);
	while (c.hot->sq_head != 327)
		rd_th_turn(&th);
	for (uint64_t i = 0; i < 227; i++)
		expect(i, 0, 0);
	ck_assert_uint_eq(ready(), 0);
}
END_TEST

START_TEST(mixed_ring_with_an_index_array)
{
	uint32_t *array;

	open_with(4, 8, S(SQE_MIXED));
	array = (uint32_t *)(void *)((char *)c.mem.rings + c.params.sq_off.array);
	put(RINGD_OP_NOP128, 1);	/* index 0: slot 1 and behind it slot 2 */
	memcpy(rd_tc_slot(&c, 1), rd_tc_slot(&c, 0), 64);
	put(0, 0);
	rd_tc_slot(&c, 1)->user_data = 9;
	rd_tc_slot(&c, 1)->opcode = RINGD_OP_NOP128;
	put(RINGD_OP_NOP128, 3);	/* index 2: the last slot */
	memcpy(rd_tc_slot(&c, 3), rd_tc_slot(&c, 2), 64);
	put(RINGD_OP_NOP128, 3);
	array[0] = 1;
	array[1] = 77;			/* of a large one only the first is looked at */
	array[2] = 3;
	array[3] = 0;
	ck_assert_int_eq(rd_tc_enter(&c, 4, 0), 3);
	expect(9, 0, 0);
	expect(3, -EINVAL, 0);
	ck_assert_uint_eq(c.hot->sq_dropped, 0);
}
END_TEST

START_TEST(rewound_ring_starts_at_slot_0_each_time)
{
	open_with(256, 512, S(SQ_REWIND) | S(NO_SQARRAY));
	c.hot->sq_tail = 77;		/* means nothing here */
	for (uint32_t i = 0; i < 256; i++)
		*rd_tc_slot(&c, i) = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = i };
	c.hot->sq_tail = 0;
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 2);
		ck_assert_uint_eq(c.hot->sq_head, 0);
		expect(0, 0, 0);
		expect(1, 0, 0);
	}
	ck_assert_int_eq(rd_tc_enter(&c, 1000, 0), 256);
	for (uint64_t i = 0; i < 256; i++)
		expect(i, 0, 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, 0), 0);
	ck_assert_uint_eq(c.hot->sq_head, 0);
	rd_tc_slot(&c, 1)->opcode = RINGD_OP_LAST;
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 2);
	expect(0, 0, 0);
	expect(1, -EINVAL, 0);
}
END_TEST

/* --- CQEs --- */

static void put_nop32(uint64_t user_data)
{
	struct ringd_sqe *sqe = put(RINGD_OP_NOP, user_data);

	sqe->nop_flags = RINGD_NOP_CQE32;
	sqe->off = user_data * 3;
	sqe->addr = user_data * 5;
}

START_TEST(cqes_of_32_bytes)
{
	open_with(4, 4, S(CQE32) | S(NO_SQARRAY));
	memset(c.cqes, 0xee, 4 * 32);
	for (uint64_t round = 0; round < 3; round++) {
		put(RINGD_OP_NOP, 1);
		put_nop32(2);
		put(RINGD_OP_NOP, 3);
		ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
		ck_assert_uint_eq(ready(), 3);
		for (uint64_t i = 1; i <= 3; i++) {
			const uint64_t *b = big(c.hot->cq_head);

			ck_assert_uint_eq(b[0], i == 2 ? 6 : 0);
			ck_assert_uint_eq(b[1], i == 2 ? 10 : 0);
			expect(i, 0, 0);
		}
	}
}
END_TEST

/* Held back and flushed, a CQE is what it would have been. */
START_TEST(overflow_keeps_the_large_half)
{
	uint32_t flags = _i ? S(CQE_MIXED) : S(CQE32);

	open_with(4, 4, flags | S(NO_SQARRAY));
	for (uint64_t i = 1; i <= 12; i += 4) {
		for (uint64_t j = i; j < i + 4; j++)
			put_nop32(j);
		ck_assert_int_eq(rd_tc_enter(&c, 4, 0), 4);
	}
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, RINGD_SQ_CQ_OVERFLOW);
	ck_assert_uint_eq(c.hot->cq_overflow, 0);
	for (uint64_t i = 1; i <= 12; i++) {
		if (!ready())
			ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
		ck_assert_uint_eq(big(c.hot->cq_head)[0], i * 3);
		ck_assert_uint_eq(big(c.hot->cq_head)[1], i * 5);
		expect(i, 0, _i ? RINGD_CQE_F_32 : 0);
	}
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, 0);
}
END_TEST

START_TEST(ordinary_ring_has_no_large_cqes)
{
	open_with(4, 0, S(NO_SQARRAY));
	put_nop32(1);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	expect(1, -EINVAL, 0);
}
END_TEST

START_TEST(mixed_ring_has_both)
{
	open_with(4, 8, S(CQE_MIXED) | S(NO_SQARRAY));
	put(RINGD_OP_NOP, 1);
	put_nop32(2);
	put(RINGD_OP_NOP, 3);
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
	ck_assert_uint_eq(c.hot->cq_tail, 4);
	expect(1, 0, 0);
	ck_assert_uint_eq(big(1)[0], 6);
	ck_assert_uint_eq(big(1)[1], 10);
	expect(2, 0, RINGD_CQE_F_32);
	expect(3, 0, 0);
}
END_TEST

/* Its flags are whatever its sender says. The reader goes by them, so it must have two entries. */
START_TEST(message_that_says_it_is_large_is_large)
{
	open_with(4, 4, S(CQE_MIXED) | S(NO_SQARRAY));
	ck_assert(rd_ctx_post(&c.ring->ctx, 1, 10, RINGD_CQE_F_32));
	ck_assert(rd_ctx_post(&c.ring->ctx, 2, 20, 0));
	ck_assert(rd_ctx_post(&c.ring->ctx, 3, 30, RINGD_CQE_F_32));	/* no room for it */
	rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	ck_assert_uint_eq(big(0)[0], 0);
	ck_assert_uint_eq(big(0)[1], 0);
	expect(1, 10, RINGD_CQE_F_32);
	expect(2, 20, 0);
	rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS);
	expect(0, 0, RINGD_CQE_F_SKIP);
	expect(3, 30, RINGD_CQE_F_32);
	ck_assert_uint_eq(ready(), 0);
	ck_assert(!c.ring->dead);
}
END_TEST

START_TEST(filler_before_the_end)
{
	open_with(4, 4, S(CQE_MIXED) | S(NO_SQARRAY));
	for (uint64_t i = 0; i < 3; i++)
		put(RINGD_OP_NOP, i);
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
	for (uint64_t i = 0; i < 3; i++)
		expect(i, 0, 0);
	put_nop32(3);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	ck_assert_uint_eq(c.hot->cq_tail, 6);		/* by three */
	expect(0, 0, RINGD_CQE_F_SKIP);
	ck_assert_uint_eq(big(4)[0], 9);
	expect(3, 0, RINGD_CQE_F_32);
}
END_TEST

/* Every mix of the two sizes, every place to start, every amount of room, comes out whole and in order. */
START_TEST(mixed_sizes_in_any_order_and_room)
{
	uint32_t random = (uint32_t)_i * 2654435761u + 1, entries = 2u << (_i % 3);
	uint64_t sent = 0, seen = 0;

	open_with(entries, entries, S(CQE_MIXED) | S(NO_SQARRAY));
	while (seen < 400) {
		uint32_t take, n = (random = random * 1103515245 + 12345) >> 16 & (entries - 1);

		for (uint32_t i = 0; i < n && sent < 400; i++, sent++) {
			if (random >> (20 + i % 8) & 1)
				put_nop32(sent);
			else
				put(RINGD_OP_NOP, sent);
		}
		take = c.sq_tail - c.hot->sq_head;
		ck_assert_int_eq(rd_tc_enter(&c, take, RINGD_ENTER_GETEVENTS), (int)take);
		for (n = random >> 8 & 7; n && ready(); n--) {
			const struct ringd_cqe *cqe = rd_tc_cqe(&c, c.hot->cq_head);

			if (cqe->flags & RINGD_CQE_F_SKIP) {
				expect(0, 0, RINGD_CQE_F_SKIP);
				continue;
			}
			if (cqe->flags & RINGD_CQE_F_32) {
				ck_assert_uint_ne((c.hot->cq_head + 1) & (c.layout.cq_entries - 1), 0);
				ck_assert_uint_eq(big(c.hot->cq_head)[0], seen * 3);
				ck_assert_uint_eq(big(c.hot->cq_head)[1], seen * 5);
			}
			expect(seen++, 0, cqe->flags & RINGD_CQE_F_32);
		}
	}
	ck_assert_uint_eq(sent, seen);
}
END_TEST

/* --- not started, lost --- */

START_TEST(disabled_ring_takes_nothing)
{
	open_with(8, 0, S(R_DISABLED) | S(NO_SQARRAY) | (_i ? S(SQPOLL) : 0));
	put(RINGD_OP_NOP, 1);
	put(RINGD_OP_NOP, 2);
	for (int i = 0; i < 10; i++)
		rd_th_turn(&th);
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), -EBADFD);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), -EBADFD);
	ck_assert_int_eq(rd_tc_enter(&c, 0, 0), -EBADFD);
	ck_assert_uint_eq(c.hot->sq_head, 0);
	ck_assert_uint_eq(ready(), 0);
	ck_assert(!c.ring->poller.pending(&c.ring->poller));	/* the reactor may sleep */
	ck_assert_int_eq(rd_ring_enable(c.ring), 0);
	ck_assert_int_eq(rd_ring_enable(c.ring), -EBADFD);
	if (!_i)
		ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 2);
	while (ready() < 2)
		rd_th_turn(&th);
	expect(1, 0, 0);
	expect(2, 0, 0);
}
END_TEST

START_TEST(lost_cqe_is_counted_and_told_once)
{
	open_with(1, 2, S(NO_SQARRAY));
	th.engine.user.limit[RINGD_LIMIT_INFLIGHT] = 1;
	ck_assert(rd_ctx_post(&c.ring->ctx, 1, 0, 0));
	ck_assert(rd_ctx_post(&c.ring->ctx, 2, 0, 0));
	ck_assert(rd_ctx_post(&c.ring->ctx, 3, 0, 0));		/* held back */
	ck_assert(!rd_ctx_post(&c.ring->ctx, 4, 0, 0));		/* no budget for another */
	rd_th_turn(&th);
	ck_assert_uint_eq(c.hot->cq_overflow, 1);
	ck_assert_int_eq(rd_tc_enter(&c, 0, 0), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), -EBADR);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	expect(1, 0, 0);
	expect(2, 0, 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	expect(3, 0, 0);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_uint_eq(c.hot->cq_overflow, 1);
}
END_TEST

START_TEST(attached_rings_are_polled_as_long_as_the_longest)
{
	static const uint32_t idle[] = { 20, 300, 40 };
	struct rd_testclient more[3];

	open_with(4, 0, S(SQPOLL) | S(NO_SQARRAY));
	for (int i = 0; i < 3; i++) {
		rd_tc_open_params(&more[i], &th, &(struct ringd_params){ .sq_entries = 4, .sq_thread_idle = idle[i],
									 .flags = S(SQPOLL) | S(NO_SQARRAY) });
		if (i)
			rd_ring_attach(more[i].ring, more[0].ring);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(more[i].ring->poller.spin_ns, 300000000);
	ck_assert_uint_eq(c.ring->poller.spin_ns, 1000000000);
	rd_tc_close(&more[1]);
	ck_assert_uint_eq(more[0].ring->poller.spin_ns, 40000000);
	ck_assert_uint_eq(more[2].ring->poller.spin_ns, 40000000);
	rd_tc_close(&more[2]);
	ck_assert_uint_eq(more[0].ring->poller.spin_ns, 20000000);
	rd_tc_close(&more[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring_formats");
	TCase *tc = tcase_create("formats");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sqes_of_128_bytes);
	tcase_add_test(tc, index_array_names_slots_of_128_bytes);
	tcase_add_test(tc, mixed_ring_takes_a_large_sqe_as_two);
	tcase_add_test(tc, large_sqe_does_not_wrap);
	tcase_add_test(tc, large_sqe_needs_two_entries_of_one_submission);
	tcase_add_test(tc, ordinary_ring_has_no_large_sqes);
	tcase_add_loop_test(tc, large_sqe_across_the_end_of_a_visit, 0, 2);
	tcase_add_test(tc, mixed_ring_with_an_index_array);
	tcase_add_test(tc, rewound_ring_starts_at_slot_0_each_time);
	tcase_add_test(tc, cqes_of_32_bytes);
	tcase_add_loop_test(tc, overflow_keeps_the_large_half, 0, 2);
	tcase_add_test(tc, ordinary_ring_has_no_large_cqes);
	tcase_add_test(tc, mixed_ring_has_both);
	tcase_add_test(tc, message_that_says_it_is_large_is_large);
	tcase_add_test(tc, filler_before_the_end);
	tcase_add_loop_test(tc, mixed_sizes_in_any_order_and_room, 0, 12);
	tcase_add_loop_test(tc, disabled_ring_takes_nothing, 0, 2);
	tcase_add_test(tc, lost_cqe_is_counted_and_told_once);
	tcase_add_test(tc, attached_rings_are_polled_as_long_as_the_longest);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
