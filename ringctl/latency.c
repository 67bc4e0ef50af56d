/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Quantiles of log2 histograms: exact to the bucket, linear inside it. */
#include "ringctl.h"

uint64_t rc_latency_samples(const uint32_t *buckets, unsigned int n)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < n; i++)
		total += buckets[i];
	return total;
}

uint64_t rc_latency_quantile(const uint32_t *buckets, unsigned int n, double q)
{
	uint64_t total = rc_latency_samples(buckets, n), below = 0;
	double want = q * (double)total;

	for (unsigned int i = 0; i < n && total; i++) {
		/* the first bucket that reaches the wanted rank; q = 1 ends in the last one used */
		if (buckets[i] && (double)(below + buckets[i]) >= want) {
			double low = (double)(1ull << i), part = (want - (double)below) / buckets[i];

			return (uint64_t)(low + low * part);
		}
		below += buckets[i];
	}
	return 0;
}
