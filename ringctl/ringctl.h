/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringctl: subcommands, and the way they talk to the manager. */
#ifndef RD_RINGCTL_H
#define RD_RINGCTL_H

#include <stdio.h>

#include "proto/wire.h"

#define EXIT_USAGE 2	/* wrong command line; 1 is any other failure */

/* A subcommand: argv[0] is its name. Return: the exit code. */
struct rc_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

int rc_ring_main(int argc, char **argv);
int rc_status_main(int argc, char **argv);

/* --- control.c: the wire --- */

/*
 * Ask the manager at path, or where libringd looks if it is NULL, for the engines that the caller may see. An engine
 * with msg.res < 0 did not answer the manager. *ret: heap array of *n, the caller's; untouched on failure.
 * Return: 0 or -errno, the reason on stderr; -EPROTO: a packet of the wrong size or type.
 */
int rc_control_status(const char *path, struct ringd_status **ret, size_t *n);

/*
 * Ask the manager for a ring (0: which there are) of an engine (0: of all), and call piece for each packet of the answer,
 * whose text may be anything. Return: 0 or -errno, the reason on stderr.
 */
int rc_control_rings(const char *path, uint32_t engine, uint32_t ring, void (*piece)(const struct ringd_ring_info *info, void *arg),
		     void *arg);

/* --- latency.c --- */

/* Number of samples in a log2 histogram (bucket i: [2^i, 2^(i+1)) ns). */
uint64_t rc_latency_samples(const uint32_t *buckets, unsigned int n);
/* The q-quantile (0..1) in ns, interpolated inside its bucket; 0 without samples. */
uint64_t rc_latency_quantile(const uint32_t *buckets, unsigned int n, double q);

/* --- names.c --- */

/* Lower-case name of an opcode ("read_fixed"), "op_N" for one this program does not know; static storage. */
const char *rc_op_name(unsigned int op);
/* Name of a RINGD_LIMIT_*, NULL if there is none. */
const char *rc_limit_name(unsigned int limit);
/* "850 ns", "1.2 us", "3.45 ms", "12.0 s" */
void rc_format_ns(char *buf, size_t size, uint64_t ns);
/* "4d 3h", "2h 10m", "5m 12s", "12s" */
void rc_format_uptime(char *buf, size_t size, uint64_t ms);

/* --- status-text.c, status-json.c --- */

int rc_status_print_text(FILE *out, const struct ringd_status *s, size_t n);
int rc_status_print_json(FILE *out, const struct ringd_status *s, size_t n);

/* The two counters are read one after the other: never below zero. */
static inline uint64_t rc_in_flight(const struct ringd_status *s)
{
	return s->submitted > s->completed ? s->submitted - s->completed : 0;
}

#endif
