/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, flags and offsets of io_uring_setup. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "daemon/engine/ring/layout.h"
#include "suite.h"

static int compute(uint32_t entries, uint32_t flags, uint32_t cq_entries, struct rd_layout *l, struct ringd_params *p)
{
	*p = (struct ringd_params){ .sq_entries = entries, .cq_entries = cq_entries, .flags = flags };
	return rd_layout_compute(l, p, false);
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
	{ 1, RINGD_SETUP_SQE_MIXED, 0, -EOVERFLOW, 0, 0 },
	{ 2, RINGD_SETUP_SQE_MIXED, 0, 0, 2, 4 },
	{ 1, RINGD_SETUP_CQE_MIXED, 0, 0, 1, 2 },
	{ 1, RINGD_SETUP_CQE_MIXED | RINGD_SETUP_CQSIZE, 1, -EOVERFLOW, 0, 0 },
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

#define S(x) RINGD_SETUP_##x
static const struct {
	uint32_t flags;
	bool good;
} combinations[] = {
	{ S(SQ_AFF), false },
	{ S(SQ_AFF) | S(SQPOLL), true },
	{ S(SQPOLL) | S(COOP_TASKRUN), false },
	{ S(SQPOLL) | S(COOP_TASKRUN) | S(TASKRUN_FLAG), false },
	{ S(SQPOLL) | S(SINGLE_ISSUER) | S(DEFER_TASKRUN), false },
	{ S(SQPOLL) | S(SINGLE_ISSUER), true },
	{ S(TASKRUN_FLAG), false },
	{ S(TASKRUN_FLAG) | S(COOP_TASKRUN), true },
	{ S(TASKRUN_FLAG) | S(DEFER_TASKRUN) | S(SINGLE_ISSUER), true },
	{ S(DEFER_TASKRUN), false },
	{ S(DEFER_TASKRUN) | S(SINGLE_ISSUER), true },
	{ S(DEFER_TASKRUN) | S(SINGLE_ISSUER) | S(COOP_TASKRUN), true },
	{ S(HYBRID_IOPOLL), false },
	{ S(HYBRID_IOPOLL) | S(IOPOLL), true },
	{ S(IOPOLL) | S(SQPOLL), true },
	{ S(CQE32) | S(CQE_MIXED), false },
	{ S(SQE128) | S(SQE_MIXED), false },
	{ S(CQE32) | S(SQE128), true },
	{ S(CQE_MIXED) | S(SQE_MIXED), true },
	{ S(REGISTERED_FD_ONLY), false },
	{ S(REGISTERED_FD_ONLY) | S(NO_MMAP), true },
	{ S(SQ_REWIND), false },
	{ S(SQ_REWIND) | S(NO_SQARRAY), true },
	{ S(SQ_REWIND) | S(NO_SQARRAY) | S(SQPOLL), false },
	{ S(R_DISABLED) | S(SINGLE_ISSUER) | S(ATTACH_WQ) | S(SUBMIT_ALL) | S(CLAMP), true },
};

START_TEST(flags_combine_as_the_spec_says)
{
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(8, combinations[_i].flags, 16, &l, &p),
			 combinations[_i].good && !(combinations[_i].flags & ~RD_SETUP_SERVED) ? 0 : -EINVAL);
	ck_assert_uint_eq(p.flags, combinations[_i].flags);
}
END_TEST

START_TEST(unknown_flags_are_invalid)
{
	struct ringd_params p;
	struct rd_layout l;

	ck_assert_int_eq(compute(8, 1u << _i, 16, &l, &p), -EINVAL);
}
END_TEST

START_TEST(reserved_words_are_invalid)
{
	struct ringd_params p = { .sq_entries = 8 };
	struct rd_layout l;

	p.resv[_i] = 1;
	ck_assert_int_eq(rd_layout_compute(&l, &p, false), -EINVAL);
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
	ck_assert_int_eq(compute(8, RINGD_SETUP_CQE32, 0, &l, &p), 0);
	ck_assert_uint_eq(p.cq_off.cqes, 64);
	ck_assert_uint_eq(p.sq_off.array, 640);
	p = (struct ringd_params){ .sq_entries = 8, .flags = RINGD_SETUP_NO_SQARRAY, .sq_off.array = 77 };
	ck_assert_int_eq(rd_layout_compute(&l, &p, false), 0);
	ck_assert_uint_eq(p.sq_off.array, 77);
	ck_assert_uint_eq(l.array_off, 0);
}
END_TEST

static uint64_t pages(uint64_t size)
{
	return (size + 4095) & ~4095ull;
}

static const uint32_t formats[] = {
	0, S(NO_SQARRAY), S(SQE128), S(CQE32), S(SQE128) | S(CQE32), S(CQE_MIXED), S(CQE32) | S(NO_SQARRAY),
};

/*
 * No two areas of the rings region overlap, whatever the size, and every told offset lies inside. And it has the pages
 * that io_uring's has: a client that brings its own memory knows no others. Every second time the array is to be the last.
 */
START_TEST(areas_do_not_overlap)
{
	uint32_t flags = formats[_i / 2] | S(CQSIZE), sq, cq;
	bool array_last = _i % 2;
	struct ringd_params p;
	struct rd_layout l;

	for (sq = 1; sq <= 32768; sq *= 2)
		for (cq = sq < 2 ? 2 : sq; cq <= 65536; cq *= 2) {
			uint64_t cqe = flags & S(CQE32) ? 32 : 16, sqe = flags & S(SQE128) ? 128 : 64, end = 64 + cq * cqe;
			uint64_t theirs = flags & S(CQE32) ? end + 64 : end;

			p = (struct ringd_params){ .sq_entries = sq, .cq_entries = cq, .flags = flags };
			ck_assert_int_eq(rd_layout_compute(&l, &p, array_last), 0);
			if (array_last) {
				ck_assert_uint_ge(l.hot_off, end);
				end = l.hot_off + sizeof(struct ringd_hot);
			}
			if (!(flags & S(NO_SQARRAY))) {
				ck_assert_uint_ge(p.sq_off.array, end);
				end = p.sq_off.array + l.sq_entries * sizeof(uint32_t);
				theirs += l.sq_entries * sizeof(uint32_t);
			}
			if (!array_last) {
				ck_assert_uint_ge(l.hot_off, end);
				end = l.hot_off + sizeof(struct ringd_hot);
			}
			ck_assert_uint_le(end, l.rings_size);
			ck_assert_uint_eq(l.hot_off % 128, 0);
			ck_assert_uint_eq((l.rings_size | l.sqes_size | l.scratch_size) % 4096, 0);
			ck_assert_uint_ge(l.sqes_size, sq * sqe);
			ck_assert_uint_eq(l.sqes_size, pages(sq * sqe));
			ck_assert_uint_eq(l.rings_size, pages(theirs));
			ck_assert_uint_eq(p.sq_off.tail, l.hot_off + offsetof(struct ringd_hot, sq_tail));
			ck_assert_uint_eq(p.cq_off.tail, l.hot_off + offsetof(struct ringd_hot, cq_tail));
		}
}
END_TEST

/* In a NO_MMAP client's memory: what it had there stays, but for the header and the words. */
START_TEST(only_the_words_are_cleared)
{
	static unsigned char mem[8192];
	struct ringd_params p;
	struct rd_layout l;

	memset(mem, 0xa5, sizeof(mem));
	ck_assert_int_eq(compute(8, S(NO_MMAP), 0, &l, &p), 0);
	ck_assert_uint_le(l.rings_size, sizeof(mem));
	rd_layout_init(&l, mem);
	for (size_t i = 0; i < l.rings_size; i++) {
		if (i < 64 && (i < 16 || i >= 32))
			ck_assert_uint_eq(mem[i], 0);
		else if (i >= l.hot_off && i < l.hot_off + sizeof(struct ringd_hot))
			ck_assert_uint_eq(mem[i], 0);
		else if (i >= 64)
			ck_assert_uint_eq(mem[i], 0xa5);
	}
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
	tcase_add_loop_test(tc, flags_combine_as_the_spec_says, 0, sizeof(combinations) / sizeof(combinations[0]));
	tcase_add_loop_test(tc, unknown_flags_are_invalid, 21, 32);
	tcase_add_loop_test(tc, reserved_words_are_invalid, 0, 3);
	tcase_add_test(tc, cqes_and_array_are_where_io_uring_has_them);
	tcase_add_loop_test(tc, areas_do_not_overlap, 0, 2 * sizeof(formats) / sizeof(formats[0]));
	tcase_add_test(tc, only_the_words_are_cleared);
	tcase_add_test(tc, constants_are_written);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
