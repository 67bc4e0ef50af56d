/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, flags and offsets of io_uring_setup. */
#include <errno.h>
#include <string.h>

#include "daemon/engine/ring/layout.h"
#include "suite.h"

static int compute(uint32_t entries, uint32_t flags, uint32_t cq_entries, struct rd_layout *l, struct ringd_params *p)
{
	*p = (struct ringd_params){ .sq_entries = entries, .cq_entries = cq_entries, .flags = flags };
	return rd_layout_compute(l, p);
}

static const struct {
	uint32_t entries, flags, cq;
	int res;
	uint32_t sq_out, cq_out;
} sizes[] = {
	{ 0, 0, 0, -EINVAL, 0, 0 },
	{ 1, 0, 0, 0, 1, 2 },
	{ 5, 0, 0, 0, 8, 16 },
	{ 32768, 0, 0, 0, 32768, 65536 },
	{ 32769, 0, 0, -EINVAL, 0, 0 },
	{ UINT32_MAX, 0, 0, -EINVAL, 0, 0 },
	{ 32769, RINGD_SETUP_CLAMP, 0, 0, 32768, 65536 },
	{ UINT32_MAX, RINGD_SETUP_CLAMP, 0, 0, 32768, 65536 },
	{ 8, RINGD_SETUP_CQSIZE, 0, -EINVAL, 0, 0 },
	{ 8, RINGD_SETUP_CQSIZE, 4, -EINVAL, 0, 0 },
	{ 8, RINGD_SETUP_CQSIZE, 5, 0, 8, 8 },	/* compared after both were rounded */
	{ 8, RINGD_SETUP_CQSIZE, 9, 0, 8, 16 },
	{ 8, RINGD_SETUP_CQSIZE, 65536, 0, 8, 65536 },
	{ 8, RINGD_SETUP_CQSIZE, 65537, -EINVAL, 0, 0 },
	{ 8, RINGD_SETUP_CQSIZE | RINGD_SETUP_CLAMP, 65537, 0, 8, 65536 },
	{ 8, 0, 1, 0, 8, 16 },			/* cq_entries is not looked at without CQSIZE */
};

START_TEST(sizes_follow_the_spec)
{
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(sizes[_i].entries, sizes[_i].flags, sizes[_i].cq, &l, &p), sizes[_i].res);
	if (sizes[_i].res < 0) {
		ck_assert_uint_eq(p.sq_entries, sizes[_i].entries);	/* untouched */
		ck_assert_uint_eq(p.features, 0);
		return;
	}
	ck_assert_uint_eq(p.sq_entries, sizes[_i].sq_out);
	ck_assert_uint_eq(p.cq_entries, sizes[_i].cq_out);
	ck_assert_uint_eq(l.sq_entries, sizes[_i].sq_out);
	ck_assert_uint_eq(l.cq_entries, sizes[_i].cq_out);
}
END_TEST

START_TEST(each_flag_is_served_or_invalid)
{
	uint32_t flag = 1u << _i;
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(8, flag, 16, &l, &p), flag & RD_SETUP_SERVED ? 0 : -EINVAL);
}
END_TEST

START_TEST(reserved_words_are_invalid)
{
	struct ringd_params p = { .sq_entries = 8 };
	struct rd_layout l;

	p.resv[_i] = 1;
	ck_assert_int_eq(rd_layout_compute(&l, &p), -EINVAL);
}
END_TEST

START_TEST(cqes_and_array_are_where_io_uring_has_them)
{
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(8, 0, 0, &l, &p), 0);
	ck_assert_uint_eq(p.cq_off.cqes, 64);
	ck_assert_uint_eq(p.sq_off.array, 320);
	ck_assert_int_eq(compute(1, 0, 0, &l, &p), 0);
	ck_assert_uint_eq(p.sq_off.array, 128);
	p = (struct ringd_params){ .sq_entries = 8, .flags = RINGD_SETUP_NO_SQARRAY, .sq_off.array = 77 };
	ck_assert_int_eq(rd_layout_compute(&l, &p), 0);
	ck_assert_uint_eq(p.sq_off.array, 77);
	ck_assert_uint_eq(l.array_off, 0);
}
END_TEST

/* No two areas of the rings region overlap, whatever the size, and every told offset lies inside. */
START_TEST(areas_do_not_overlap)
{
	uint32_t entries = 1u << _i;
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(entries, 0, 0, &l, &p), 0);
	ck_assert_uint_ge(p.sq_off.array, 64 + l.cq_entries * sizeof(struct ringd_cqe));
	ck_assert_uint_ge(l.hot_off, p.sq_off.array + l.sq_entries * sizeof(uint32_t));
	ck_assert_uint_le(l.hot_off + sizeof(struct ringd_hot), l.rings_size);
	ck_assert_uint_eq(l.hot_off % 128, 0);
	ck_assert_uint_eq((l.rings_size | l.sqes_size | l.scratch_size) % 4096, 0);
	ck_assert_uint_ge(l.sqes_size, l.sq_entries * sizeof(struct ringd_sqe));
	ck_assert_uint_eq(p.sq_off.tail, l.hot_off + offsetof(struct ringd_hot, sq_tail));
	ck_assert_uint_eq(p.cq_off.tail, l.hot_off + offsetof(struct ringd_hot, cq_tail));
}
END_TEST

START_TEST(constants_are_written)
{
	uint32_t words[1024] = { 0 };
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(8, 0, 0, &l, &p), 0);
	rd_layout_init(&l, words);
	ck_assert_uint_eq(words[p.sq_off.ring_mask / 4], 7);
	ck_assert_uint_eq(words[p.cq_off.ring_mask / 4], 15);
	ck_assert_uint_eq(words[p.sq_off.ring_entries / 4], 8);
	ck_assert_uint_eq(words[p.cq_off.ring_entries / 4], 16);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");
	TCase *tc = tcase_create("setup");

	tcase_add_loop_test(tc, sizes_follow_the_spec, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_loop_test(tc, each_flag_is_served_or_invalid, 0, 32);
	tcase_add_loop_test(tc, reserved_words_are_invalid, 0, 3);
	tcase_add_test(tc, cqes_and_array_are_where_io_uring_has_them);
	tcase_add_loop_test(tc, areas_do_not_overlap, 0, 16);
	tcase_add_test(tc, constants_are_written);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
