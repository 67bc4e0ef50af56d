/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringbench: histogram, sizes on the command line, adding up of clients. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/options.h"
#include "tests/unit/suite.h"

START_TEST(a_value_lands_in_a_bucket_that_is_right_to_four_percent)
{
	for (uint64_t v = 1; v < 1ull << 50; v = v * 5 / 4 + 1) {
		double back = (double)bench_hist_value(bench_hist_index(v)), error = back / (double)v - 1;

		ck_assert_msg(error < 0.04 && error > -0.04, "%llu became %.0f", (unsigned long long)v, back);
	}
}
END_TEST

START_TEST(buckets_are_ordered_and_bounded)
{
	unsigned int last = 0;

	for (uint64_t v = 0; v < 100000; v++) {
		unsigned int i = bench_hist_index(v);

		ck_assert_uint_ge(i, last);
		ck_assert_uint_le(i - last, 1);
		last = i;
	}
	ck_assert_uint_lt(bench_hist_index(UINT64_MAX), BENCH_HIST_SIZE);
}
END_TEST

START_TEST(quantiles_are_those_of_the_values)
{
	uint64_t *hist = calloc(BENCH_HIST_SIZE, sizeof(*hist));

	ck_assert_uint_eq(bench_hist_quantile(hist, 0.5), 0);
	for (uint64_t v = 1; v <= 1000; v++)
		bench_hist_add(hist, v * 1000);
	ck_assert_uint_ge(bench_hist_quantile(hist, 0.5), 480000);
	ck_assert_uint_le(bench_hist_quantile(hist, 0.5), 520000);
	ck_assert_uint_ge(bench_hist_quantile(hist, 0.99), 960000);
	ck_assert_uint_le(bench_hist_quantile(hist, 1.0), 1040000);
	free(hist);
}
END_TEST

START_TEST(merged_histograms_hold_both)
{
	uint64_t *a = calloc(BENCH_HIST_SIZE, sizeof(*a)), *b = calloc(BENCH_HIST_SIZE, sizeof(*b));

	bench_hist_add(a, 10);
	bench_hist_add(b, 20);
	bench_hist_add(b, 21);
	bench_hist_merge(a, b);
	ck_assert_uint_eq(bench_hist_quantile(a, 0.0), 10);
	ck_assert_uint_eq(bench_hist_quantile(a, 0.5), 20);
	ck_assert_uint_eq(bench_hist_quantile(a, 0.9), 21);
	free(a);
	free(b);
}
END_TEST

static const struct {
	const char *text;
	int r;
	uint64_t value;
} sizes[] = {
	{ "0", 0, 0 }, { "512", 0, 512 }, { "4k", 0, 4096 }, { "4K", 0, 4096 }, { "3M", 0, 3u << 20 },
	{ "2g", 0, 2ull << 30 }, { "18446744073709551615", 0, UINT64_MAX }, { "", -EINVAL, 0 }, { "k", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 }, { "1x", -EINVAL, 0 }, { "1kk", -EINVAL, 0 }, { "17179869185G", -EINVAL, 0 },
	{ "18446744073709551616", -EINVAL, 0 },
};

START_TEST(sizes_have_suffixes_and_do_not_wrap)
{
	uint64_t v;

	ck_assert_int_eq(bench_parse_bytes(sizes[_i].text, &v), sizes[_i].r);
	if (sizes[_i].r == 0)
		ck_assert_uint_eq(v, sizes[_i].value);
}
END_TEST

START_TEST(rates_of_clients_add_up)
{
	struct bench_opts o = { .target = BENCH_RINGD, .clients = 2 };
	size_t size = (sizeof(struct bench_shared) + 2 * sizeof(struct bench_result) + 127) / 128 * 128;
	struct bench_shared *sh = aligned_alloc(128, size);
	struct bench_totals *t = calloc(1, sizeof(*t));

	memset(sh, 0, size);
	sh->result[0] = (struct bench_result){ .ops = 1000, .ns = 1000000, .thread_ns = 500000, .process_ns = 500000 };
	sh->result[1] = (struct bench_result){ .ops = 3000, .ns = 1000000, .thread_ns = 500000, .process_ns = 500000 };
	bench_totals_compute(t, &o, sh, 2000000);
	ck_assert_uint_eq(t->ops, 4000);
	ck_assert_double_eq_tol(t->ops_per_s, 4e6, 1);
	ck_assert_double_eq_tol(t->ns_per_op, 250, 0.1);
	ck_assert_double_eq_tol(t->client_ns_per_op, 250, 0.1);
	ck_assert_double_eq_tol(t->service_ns_per_op, 500, 0.1);
	ck_assert_double_eq_tol(t->slowest_share, 0.5, 0.001);
	free(t);
	free(sh);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ringbench");
	TCase *tc = tcase_create("numbers");

	tcase_add_test(tc, a_value_lands_in_a_bucket_that_is_right_to_four_percent);
	tcase_add_test(tc, buckets_are_ordered_and_bounded);
	tcase_add_test(tc, quantiles_are_those_of_the_values);
	tcase_add_test(tc, merged_histograms_hold_both);
	tcase_add_loop_test(tc, sizes_have_suffixes_and_do_not_wrap, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tc, rates_of_clients_add_up);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
