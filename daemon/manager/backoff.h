/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an engine that died may be started again. Times are CLOCK_MONOTONIC nanoseconds given by the caller. */
#ifndef RD_BACKOFF_H
#define RD_BACKOFF_H

#include <stdint.h>

#define RD_BACKOFF_MIN_NS	100000000ull	/* first delay; doubles with every failure */
#define RD_BACKOFF_MAX_NS	10000000000ull
#define RD_BACKOFF_YOUNG_NS	1000000000ull	/* who dies younger than this failed to start */
#define RD_BACKOFF_MEMORY_NS	30000000000ull	/* a death this long after the one before is the first again */

struct rd_backoff {
	uint64_t delay_ns;	/* 0: no failure is remembered */
	uint64_t until_ns;	/* no start before */
	uint64_t died_ns;	/* the last unexpected death, 0: none */
};

/* An engine that was started at started_ns died without having been told to. */
void rd_backoff_died(struct rd_backoff *b, uint64_t started_ns, uint64_t now_ns);
/* 0: start. Else nanoseconds to wait. */
uint64_t rd_backoff_wait(const struct rd_backoff *b, uint64_t now_ns);

#endif
