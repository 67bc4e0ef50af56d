/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringbench: histogram, sizes on the command line, adding up of clients. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/net.h"
#include "bench/options.h"
#include "bench/proc.h"
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

static void try_options(struct bench_opts *o, char *op, char *more)
{
	char *argv[] = { (char *)"ringbench", op, more, NULL };

	bench_parse(o, more ? 3 : 2, argv);
}

START_TEST(messages_have_the_size_of_their_operation)
{
	char nop[] = "--op=nop", echo[] = "--op=echo", stream[] = "--op=stream", bs[] = "--bs=16K";
	struct bench_opts o;

	try_options(&o, nop, NULL);
	ck_assert_uint_eq(o.bs, 4096);
	ck_assert_uint_eq(o.setup_flags, 0);
	try_options(&o, echo, NULL);
	ck_assert_uint_eq(o.bs, 64);
	ck_assert_uint_ne(o.setup_flags, 0);	/* DEFER_TASKRUN, what a server of the kernel's is best with */
	ck_assert_uint_gt(bench_net_pattern_size(&o), o.bs);
	try_options(&o, stream, NULL);
	ck_assert_uint_eq(o.bs, 1u << 20);
	ck_assert_uint_eq(bench_net_pattern_size(&o), o.bs);
	try_options(&o, echo, bs);
	ck_assert_uint_eq(o.bs, 16384);
}
END_TEST

START_TEST(no_two_places_of_the_pattern_look_alike)
{
	unsigned char *p = malloc(NET_PATTERN_EXTRA + 64), *q = malloc(NET_PATTERN_EXTRA + 64);

	bench_net_pattern(p, NET_PATTERN_EXTRA + 64);
	bench_net_pattern(q, NET_PATTERN_EXTRA + 64);
	ck_assert_mem_eq(p, q, NET_PATTERN_EXTRA + 64);		/* both sides make their own */
	for (unsigned int i = 1; i < NET_PATTERN_EXTRA; i++)
		ck_assert_int_ne(memcmp(p, p + i, 16), 0);
	free(p);
	free(q);
}
END_TEST

START_TEST(cpu_time_and_memory_of_a_process)
{
	enum { SIZE = 8 << 20 };
	uint64_t memory = bench_memory(getpid()), cpu = bench_cpu_ns(getpid());
	volatile char *p = malloc(SIZE);

	for (unsigned int i = 0; i < SIZE; i++)
		p[i] = 1;
	/* the kernel counts in portions */
	ck_assert_uint_ge(bench_memory(getpid()), memory + SIZE / 2);
	ck_assert_uint_gt(bench_cpu_ns(getpid()), cpu);
	ck_assert_uint_eq(bench_memory(-1), 0);
	ck_assert_uint_eq(bench_cpu_ns(0), 0);
	free((char *)p);
}
END_TEST

START_TEST(a_name_of_each_family_is_complete)
{
	struct bench_opts o = { .op = BENCH_ECHO };
	struct bench_net *net = aligned_alloc(128, sizeof(*net));	/* all of it is written before it is read */

	for (o.family = BENCH_TCP; o.family <= BENCH_UNIX; o.family++) {
		int fd = bench_net_listen(&o, net);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(net->addr.ss_family, o.family == BENCH_TCP ? AF_INET : AF_UNIX);
		ck_assert_uint_gt(net->addr_len, sizeof(sa_family_t));
		close(fd);
	}
	free(net);
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
	tcase_add_test(tc, messages_have_the_size_of_their_operation);
	tcase_add_test(tc, no_two_places_of_the_pattern_look_alike);
	tcase_add_test(tc, cpu_time_and_memory_of_a_process);
	tcase_add_test(tc, a_name_of_each_family_is_complete);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
