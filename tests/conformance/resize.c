/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RESIZE_RINGS */
#include "cf.h"

#define DEFER (RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER)

static int resize(struct cf_ring *ring, uint32_t sq, uint32_t cq, uint32_t flags)
{
	struct ringd_params p = { .sq_entries = sq, .cq_entries = cq, .flags = flags | (cq ? RINGD_SETUP_CQSIZE : 0) };

	return cf_register(ring, RINGD_REGISTER_RESIZE_RINGS, &p, 1);
}

static struct cf_ring *new_ring(unsigned int entries)
{
	struct cf_ring *ring = cf_ring_new(entries, DEFER);
	const struct ringd_params p = { .sq_entries = entries };

	cf_need_register(ring, RINGD_REGISTER_RESIZE_RINGS, &p, 1);
	return ring;
}

static void nops(struct cf_ring *ring, uint64_t user_data, unsigned int n)
{
	while (n--)
		cf_sqe(ring, RINGD_OP_NOP)->user_data = user_data++;
}

CF_TEST(resize_rules, 459, "Resize of a ring without DEFER_TASKRUN -> -EINVAL; with a flag other than CQSIZE or CLAMP -> -EINVAL")
{
	struct cf_ring *ring = new_ring(8), *plain = cf_ring_new(8, 0);

	ck_assert_int_eq(resize(plain, 16, 0, 0), -EINVAL);
	ck_assert_int_eq(resize(ring, 16, 0, RINGD_SETUP_SUBMIT_ALL), -EINVAL);
	ck_assert_int_eq(resize(ring, 16, 0, DEFER), -EINVAL);
	ck_assert_int_eq(resize(ring, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(resize(ring, 8, 4, 0), -EINVAL);
	ck_assert_int_eq(resize(ring, 40000, 0, 0), -EINVAL);
}

CF_TEST(resize_to_too_little, 460, "Resize to fewer CQ entries than unread CQEs -> -EOVERFLOW and the old ring keeps working")
{
	struct cf_ring *ring = new_ring(8);

	nops(ring, 0, 6);
	ck_assert_int_eq(cf_submit(ring), 6);
	ck_assert_int_eq(resize(ring, 4, 4, 0), -EOVERFLOW);
	nops(ring, 6, 2);
	ck_assert_int_eq(cf_submit(ring), 2);
	for (uint64_t i = 0; i < 8; i++)
		cf_expect(ring, i, 0, 0);
}

CF_TEST(resize_keeps_what_is_there, 461,
	"Resize with unread CQEs and pending SQEs that fit -> they are found at the same indices modulo the new masks")
{
	struct cf_ring *ring = new_ring(8);
	uint64_t next = 0;

	nops(ring, 0, 7);
	ck_assert_int_eq(cf_submit(ring), 7);
	while (next < 4)
		cf_expect(ring, next++, 0, 0);
	for (unsigned int entries = 4; entries <= 64; entries *= 4) {
		nops(ring, 3 + entries, 3);
		cf_publish(ring);
		ck_assert_int_eq(resize(ring, entries, 4 * entries, 0), 0);
		ck_assert_int_eq(cf_submit(ring), 3);
		if (entries == 4)
			while (next < 7)
				cf_expect(ring, next++, 0, 0);
		for (uint64_t i = 3 + entries; i < 6 + entries; i++)
			cf_expect(ring, i, 0, 0);
	}
}

CF_TEST(resize_with_held_cqes, 462,
	"Resize while CQEs are held in overflow -> succeeds and the next GETEVENTS delivers them in order")
{
	struct cf_ring *ring = new_ring(4);

	for (uint64_t i = 0; i < 16; i += 4) {
		nops(ring, i, 4);
		ck_assert_int_eq(cf_submit(ring), 4);
	}
	ck_assert_uint_ne(cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW, 0);
	ck_assert_int_eq(resize(ring, 8, 32, 0), 0);
	ck_assert_uint_eq(cf_cq_ready(ring), 8);
	ck_assert_int_eq(cf_enter(ring, 0, 16, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	for (uint64_t i = 0; i < 16; i++)
		cf_expect(ring, i, 0, 0);
}
