/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of ringbench. */
#ifndef RD_BENCH_OPTIONS_H
#define RD_BENCH_OPTIONS_H

#include "bench.h"

/* Fill *o; prints and exits with 2 on a wrong command line. Strings belong to argv. */
void bench_parse(struct bench_opts *o, int argc, char **argv);
/* "64", "4K", "1M", "2g": bytes. -EINVAL: not a number, or too large. */
int bench_parse_bytes(const char *s, uint64_t *ret);

#endif
