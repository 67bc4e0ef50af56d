/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringbench: what is measured, and what one client process reports. */
#ifndef RD_BENCH_H
#define RD_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define BENCH_QD_MAX		4096u
#define BENCH_CLIENTS_MAX	1024u
#define BENCH_CONNS_MAX		4096u
#define BENCH_STREAMS_MAX	64u
#define BENCH_IDLE_CONNS_MAX	100000u
#define BENCH_MEMORY_MAX	(1ull << 30)	/* qd * bs of one client, bytes */
#define BENCH_HIST_SUB		32u		/* buckets per power of two: 3 % resolution */
#define BENCH_HIST_SIZE		(60u * BENCH_HIST_SUB)

enum bench_target { BENCH_RINGD, BENCH_KERNEL, BENCH_BARE, BENCH_EPOLL };
enum bench_op {
	BENCH_NOP, BENCH_READ, BENCH_WRITE,
	/* several requests, or no data: see bench_units */
	BENCH_LINK, BENCH_TIMEOUT, BENCH_POLL, BENCH_POLL_WAIT, BENCH_OPEN, BENCH_STATX,
	/* servers, see net.h */
	BENCH_ECHO, BENCH_STREAM, BENCH_CONNECT, BENCH_OPS
};
enum bench_pattern { BENCH_RAND, BENCH_SEQ };
enum bench_wait { BENCH_WAIT_AUTO, BENCH_WAIT_SPIN, BENCH_WAIT_BLOCK };
enum bench_family { BENCH_TCP, BENCH_UNIX };
enum bench_format { BENCH_TEXT, BENCH_JSON, BENCH_TERSE };

#define BENCH_UNIT_MAX		2u

/* What is in flight qd times: this many requests, and what each is to answer (read and write: bs). */
struct bench_unit {
	unsigned int nr;
	int32_t res[BENCH_UNIT_MAX];
};
extern const struct bench_unit bench_units[BENCH_OPS];

struct bench_opts {
	enum bench_target target;
	enum bench_op op;
	enum bench_pattern pattern;
	enum bench_wait wait;
	enum bench_format format;
	enum bench_family family;
	unsigned int qd;
	unsigned int batch;		/* completions waited for per turn */
	unsigned int bs;		/* bytes */
	unsigned int clients;
	unsigned int idle_rings;
	unsigned int conns, idle_conns;	/* of a server */
	unsigned int setup_flags;	/* kernel: further IORING_SETUP_* */
	bool sqpoll, direct, fixed, latency, hold, overwrite, huge;
	double seconds;
	const char *file;		/* NULL for what needs none */
	uint64_t file_size;		/* bytes */
	const char *socket;		/* NULL: where libringd looks */
};

/* What the parent tells the clients; each looks at it once per turn. */
enum bench_phase { BENCH_WARMUP, BENCH_RUN, BENCH_STOP };

/* Written by one client, read by the parent after that client's exit (engine_pid: after it said ready). */
struct bench_result {
	uint64_t ops;
	uint64_t ns;			/* wall time of these ops */
	uint64_t thread_ns;		/* CPU time of the client's own thread */
	uint64_t process_ns;		/* and of its whole process: the kernel's SQPOLL thread too */
	int32_t error;			/* negative errno, 0 */
	int32_t service_pid;		/* the engine's; 0 for the kernel */
	uint64_t hist[BENCH_HIST_SIZE];
};

/* One shared anonymous mapping for parent and clients. */
struct bench_shared {
	uint32_t phase __attribute__((__aligned__(128)));	/* parent writes, clients only read: stays cached */
	struct bench_result result[] __attribute__((__aligned__(128)));
};

struct bench_totals {
	double ops_per_s, ns_per_op;
	uint64_t ops, ns;
	double client_ns_per_op, service_ns_per_op;	/* CPU time */
	double load_ns_per_op;				/* servers only: of who keeps them busy */
	double server_memory, service_memory;		/* likewise: bytes per connection */
	double slowest_share;				/* slowest client's rate over the mean rate */
	int service_pid;
	uint64_t hist[BENCH_HIST_SIZE];
};

/* One client of one target: runs until sh->phase says stop. ready_fd gets one byte once the ring is set up.
 * Return: 0 or -errno, said on stderr. */
int bench_ringd_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd);
int bench_kernel_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd);
int bench_bare_client(const struct bench_opts *o, struct bench_shared *sh, struct bench_result *res, int ready_fd);
/* Open n idle rings and keep them until the process ends. *service_pid: the engine's, 0 for the kernel. */
int bench_ringd_idle(const struct bench_opts *o, unsigned int n, int *service_pid);
int bench_kernel_idle(const struct bench_opts *o, unsigned int n, int *service_pid);

/* --- file.c --- */

/* Make sure that the file is there, filled, and (unless direct) cached; create one if o->file is NULL. */
int bench_file_prepare(struct bench_opts *o);
/* Remove what bench_file_prepare() created. */
void bench_file_cleanup(void);

/* --- hist.c --- */

unsigned int bench_hist_index(uint64_t ns);
uint64_t bench_hist_value(unsigned int index);	/* middle of the bucket, ns */
void bench_hist_merge(uint64_t *into, const uint64_t *from);
/* Value below which the share q (0..1) of all counts lies; 0 if there are none. */
uint64_t bench_hist_quantile(const uint64_t *hist, double q);

static inline void bench_hist_add(uint64_t *hist, uint64_t ns)
{
	hist[bench_hist_index(ns)]++;
}

/* --- report.c --- */

static inline bool bench_op_transfers(enum bench_op op)
{
	return op == BENCH_READ || op == BENCH_WRITE;
}

static inline bool bench_op_net(enum bench_op op)
{
	return op == BENCH_ECHO || op == BENCH_STREAM || op == BENCH_CONNECT;
}

static inline bool bench_op_has_file(enum bench_op op)
{
	return bench_op_transfers(op) || op == BENCH_OPEN || op == BENCH_STATX;
}

const char *bench_op_name(enum bench_op op);
const char *bench_target_name(enum bench_target target);
void bench_totals_compute(struct bench_totals *t, const struct bench_opts *o, const struct bench_shared *sh,
			  uint64_t service_ticks_ns);
int bench_report(FILE *out, const struct bench_opts *o, const struct bench_totals *t);

#endif
