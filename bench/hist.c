/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histogram of durations: 32 linear buckets in every power of two, so a value is known to 3 % whatever its size and
 * adding one costs a count-leading-zeros and an increment. Values below 32 ns have a bucket each.
 */
#include "bench.h"

#define SUB_BITS 5u
_Static_assert(1u << SUB_BITS == BENCH_HIST_SUB, "sub-bucket bits");

unsigned int bench_hist_index(uint64_t ns)
{
	unsigned int shift, index;

	if (ns < BENCH_HIST_SUB)
		return (unsigned int)ns;
	shift = 63u - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	index = (shift + 1) * BENCH_HIST_SUB + (unsigned int)((ns >> shift) & (BENCH_HIST_SUB - 1));
	return index < BENCH_HIST_SIZE ? index : BENCH_HIST_SIZE - 1;
}

uint64_t bench_hist_value(unsigned int index)
{
	unsigned int shift;

	if (index < BENCH_HIST_SUB)
		return index;
	shift = index / BENCH_HIST_SUB - 1;
	return ((uint64_t)(BENCH_HIST_SUB + index % BENCH_HIST_SUB) << shift) + ((1ull << shift) >> 1);
}

void bench_hist_merge(uint64_t *into, const uint64_t *from)
{
	for (unsigned int i = 0; i < BENCH_HIST_SIZE; i++)
		into[i] += from[i];
}

uint64_t bench_hist_quantile(const uint64_t *hist, double q)
{
	uint64_t total = 0, seen = 0, want;

	for (unsigned int i = 0; i < BENCH_HIST_SIZE; i++)
		total += hist[i];
	if (!total)
		return 0;
	want = (uint64_t)(q * (double)total);
	if (want >= total)
		want = total - 1;
	for (unsigned int i = 0; i < BENCH_HIST_SIZE; i++) {
		seen += hist[i];
		if (seen > want)
			return bench_hist_value(i);
	}
	return bench_hist_value(BENCH_HIST_SIZE - 1);
}
