/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command-line options that ringd takes and hands on to its engines. */
#ifndef RD_OPTIONS_H
#define RD_OPTIONS_H

#include <argp.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

struct rd_options {
	uint64_t limits[RINGD_LIMIT_MAX];	/* RINGD_LIMIT_*; 0: not given, the engine's default */
	int backend;				/* RD_BACKEND_* in their order: auto, sync, uring; -1: not given */
	long spin_us;				/* -1: not given */
	long sq_idle_max_ms;			/* -1: not given */
	int log_level;				/* LOG_*; -1: not given */
	int socket_families;			/* RD_FAMILY_*, a bit each in their order: inet, inet6, unix; -1: not given */
};

#define RD_OPTIONS_MAX	(RINGD_LIMIT_MAX + 5)	/* arguments rd_options_format() makes at most */

void rd_options_init(struct rd_options *o);
/* As a child of a program's own parser; its input is the struct rd_options. Bad values end the program with a text. */
extern const struct argp rd_options_argp;
/* Writes the given ones as "--name=value" to argv, which has room for RD_OPTIONS_MAX. Number written or -ENOMEM; free() each. */
int rd_options_format(const struct rd_options *o, char **argv);
/* A whole number with an optional K, M, G or T (powers of 1024). 0, -EINVAL or -ERANGE; *ret untouched on failure. */
int rd_parse_size(const char *text, uint64_t *ret);

#endif
