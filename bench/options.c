/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of ringbench. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/util.h"
#include "options.h"

#define KERNEL_COOP	(1u << 8)	/* IORING_SETUP_COOP_TASKRUN, SINGLE_ISSUER, DEFER_TASKRUN: also known */
#define KERNEL_SINGLE	(1u << 12)	/* where liburing is older than the running kernel */
#define KERNEL_DEFER	(1u << 13)

enum {
	OPT_TARGET = 256, OPT_OP, OPT_QD, OPT_BS, OPT_SQPOLL, OPT_DIRECT, OPT_FIXED, OPT_FILE, OPT_SECONDS, OPT_JSON,
	OPT_TERSE, OPT_CLIENTS, OPT_IDLE, OPT_LATENCY, OPT_BATCH, OPT_PATTERN, OPT_WAIT, OPT_SIZE, OPT_HOLD,
	OPT_OVERWRITE, OPT_SOCKET, OPT_KFLAGS, OPT_HUGE, OPT_CONNS, OPT_IDLE_CONNS, OPT_FAMILY,
};

struct word {
	const char *name;
	unsigned int value;
};

static const struct word targets[] = { { "ringd", BENCH_RINGD }, { "kernel", BENCH_KERNEL },
				       { "bare", BENCH_BARE }, { "epoll", BENCH_EPOLL }, { NULL, 0 } };
static const struct word ops[] = { { "nop", BENCH_NOP }, { "read", BENCH_READ }, { "write", BENCH_WRITE },
				   { "link", BENCH_LINK }, { "timeout", BENCH_TIMEOUT }, { "poll", BENCH_POLL },
				   { "poll-wait", BENCH_POLL_WAIT }, { "open", BENCH_OPEN }, { "statx", BENCH_STATX },
				   { "echo", BENCH_ECHO }, { "stream", BENCH_STREAM }, { "connect", BENCH_CONNECT },
				   { NULL, 0 } };
static const struct word families[] = { { "tcp", BENCH_TCP }, { "unix", BENCH_UNIX }, { NULL, 0 } };
static const struct word patterns[] = { { "rand", BENCH_RAND }, { "seq", BENCH_SEQ }, { NULL, 0 } };
static const struct word waits[] = {
	{ "auto", BENCH_WAIT_AUTO }, { "spin", BENCH_WAIT_SPIN }, { "block", BENCH_WAIT_BLOCK }, { NULL, 0 }
};
static const struct word kflags[] = {
	{ "none", 0 }, { "coop", KERNEL_COOP }, { "single", KERNEL_SINGLE },
	{ "defer", KERNEL_SINGLE | KERNEL_DEFER }, { NULL, 0 }
};

static const struct argp_option options[] = {
	{ "target", OPT_TARGET, "ringd|kernel|bare|epoll", 0, "Which rings to measure (ringd); bare: none, a cache line there and back; epoll: a server without rings", 0 },
	{ "op", OPT_OP, "nop|read|write|link|timeout|poll|poll-wait|open|statx|echo|stream|connect", 0, "Operation (nop); the last three: of a server", 0 },
	{ "qd", OPT_QD, "N", 0, "Requests in flight per client (1)", 0 },
	{ "bs", OPT_BS, "BYTES", 0, "Bytes per request or message, K and M understood (4K; echo and connect 64, stream 1M)", 0 },
	{ "seconds", OPT_SECONDS, "S", 0, "Measured time; a tenth more is warm-up (1)", 0 },
	{ "sqpoll", OPT_SQPOLL, NULL, 0, "Rings with SQPOLL", 0 },
	{ "fixed", OPT_FIXED, NULL, 0, "Registered buffers (and, for the kernel, files)", 0 },
	{ "direct", OPT_DIRECT, NULL, 0, "Open the file with O_DIRECT", 0 },
	{ "pattern", OPT_PATTERN, "rand|seq", 0, "Order of offsets (rand)", 0 },
	{ "batch", OPT_BATCH, "N", 0, "Wait for N completions per turn (1)", 0 },
	{ "wait", OPT_WAIT, "spin|block", 0, "SQPOLL rings: look at the CQ all the time, or call the library's wait (spin if CPUs are free)", 0 },
	{ "clients", OPT_CLIENTS, "N", 0, "Client processes, each with its own ring (1)", 0 },
	{ "idle-rings", OPT_IDLE, "N", 0, "Idle rings that a further process keeps open meanwhile (0)", 0 },
	{ "conns", OPT_CONNS, "N", 0, "Servers: busy connections (1)", 0 },
	{ "idle-conns", OPT_IDLE_CONNS, "N", 0, "Servers: further connections that say nothing, --op=echo (0)", 0 },
	{ "family", OPT_FAMILY, "tcp|unix", 0, "Servers: kind of socket (tcp)", 0 },
	{ "latency", OPT_LATENCY, NULL, 0, "Take the time of every request", 0 },
	{ "huge", OPT_HUGE, NULL, 0, "Buffers in huge pages", 0 },
	{ "file", OPT_FILE, "F", 0, "File or block device (one is made in $TMPDIR or /var/tmp)", 1 },
	{ "size", OPT_SIZE, "BYTES", 0, "Size of the file, or how much of it is used (64M)", 1 },
	{ "overwrite", OPT_OVERWRITE, NULL, 0, "Allow --op=write to destroy the contents of --file", 1 },
	{ "socket", OPT_SOCKET, "PATH", 0, "Socket of ringd", 1 },
	{ "kernel-flags", OPT_KFLAGS, "none|coop|single|defer", 0, "Further setup flags of the kernel's ring (none; servers without --sqpoll: defer)", 1 },
	{ "hold", OPT_HOLD, NULL, 0, "Only open --idle-rings, print the pid, wait for end of file on standard input", 1 },
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 2 },
	{ "terse", OPT_TERSE, NULL, 0, "Print key=value lines", 2 },
	{ 0 }
};

int bench_parse_bytes(const char *s, uint64_t *ret)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	if (errno || end == s || *s == '-')
		return -EINVAL;
	switch (*end) {
	case 'G': case 'g': shift += 10;	/* fall through */
	case 'M': case 'm': shift += 10;	/* fall through */
	case 'K': case 'k': shift += 10; end++;
	}
	if (*end || *ret > UINT64_MAX >> shift)
		return -EINVAL;
	*ret <<= shift;
	return 0;
}

static unsigned int number(struct argp_state *state, const char *arg, uint64_t min, uint64_t max, const char *what)
{
	uint64_t v = 0;

	if (bench_parse_bytes(arg, &v) < 0 || v < min || v > max)
		argp_error(state, "%s: '%s' is not in %llu..%llu", what, arg, (unsigned long long)min, (unsigned long long)max);
	return (unsigned int)v;
}

static unsigned int word(struct argp_state *state, const char *arg, const struct word *words, const char *what)
{
	for (const struct word *w = words; w->name; w++)
		if (strcmp(arg, w->name) == 0)
			return w->value;
	argp_error(state, "%s: '%s' is not known", what, arg);
	return 0;
}

/* Of servers. */
static void check_net(struct argp_state *state, struct bench_opts *o)
{
	if (o->target == BENCH_BARE || o->clients != 1 || o->qd != 1 || o->batch != 1 || o->idle_rings || o->direct || o->fixed || o->huge)
		argp_error(state, "--op=%s knows no bare target, --clients, --qd, --batch, --idle-rings, --direct, --fixed, --huge",
			   bench_op_name(o->op));
	if (o->target == BENCH_EPOLL && o->sqpoll)
		argp_error(state, "--target=epoll has no ring for --sqpoll");
	if (o->idle_conns && o->op != BENCH_ECHO)
		argp_error(state, "--idle-conns needs --op=echo");
	if (o->op == BENCH_STREAM && (o->conns > BENCH_STREAMS_MAX || o->bs % (16 * 4096)))
		argp_error(state, "--op=stream needs at most %u connections and --bs in multiples of 64K", BENCH_STREAMS_MAX);
	if (o->op == BENCH_CONNECT && o->bs > 4096)
		argp_error(state, "--op=connect needs --bs of at most 4K");
	if ((uint64_t)o->conns * o->bs > BENCH_MEMORY_MAX / 4)
		argp_error(state, "--conns times --bs is more than 256 MiB");
	if (o->setup_flags == UINT_MAX)
		o->setup_flags = o->sqpoll ? 0 : KERNEL_SINGLE | KERNEL_DEFER;
}

static unsigned int default_bs(enum bench_op op)
{
	return op == BENCH_STREAM ? 1u << 20 : bench_op_net(op) ? 64 : 4096;
}

/* What single options cannot see. */
static void check(struct argp_state *state, struct bench_opts *o)
{
	if (!o->bs)
		o->bs = default_bs(o->op);
	if (bench_op_net(o->op))
		check_net(state, o);
	else if (o->target == BENCH_EPOLL || o->conns != 1 || o->idle_conns || o->family != BENCH_TCP)
		argp_error(state, "--target=epoll, --conns, --idle-conns and --family need --op=echo, stream or connect");
	if (o->setup_flags == UINT_MAX)
		o->setup_flags = 0;
	if (!bench_op_transfers(o->op) && (o->direct || o->fixed))
		argp_error(state, "--direct and --fixed need --op=read or --op=write");
	if (!bench_op_has_file(o->op) && o->file)
		argp_error(state, "--file is not used by --op=%s", bench_op_name(o->op));
	if (o->target == BENCH_BARE && (o->op != BENCH_NOP || o->qd != 1 || o->latency || o->idle_rings))
		argp_error(state, "--target=bare knows no more than --seconds and --clients");
	if (o->batch > o->qd)
		argp_error(state, "--batch is larger than --qd");
	if (bench_op_transfers(o->op) && (uint64_t)o->qd * o->bs > BENCH_MEMORY_MAX)
		argp_error(state, "--qd times --bs is more than 1 GiB");
	if (o->direct && o->bs % 512)
		argp_error(state, "--direct needs --bs in multiples of 512");
	if (bench_op_transfers(o->op) && o->file_size / o->bs > UINT32_MAX)
		argp_error(state, "--size has more than 2^32 blocks");
	if (o->hold && !o->idle_rings)
		argp_error(state, "--hold needs --idle-rings");
	/* a spinning client needs a CPU of its own, and the one that polls for it too */
	if (o->wait == BENCH_WAIT_AUTO)
		o->wait = 2 * (long)o->clients <= sysconf(_SC_NPROCESSORS_ONLN) ? BENCH_WAIT_SPIN : BENCH_WAIT_BLOCK;
}

static error_t parse_number(int key, char *arg, struct argp_state *state)
{
	struct bench_opts *o = state->input;
	char *end;

	switch (key) {
	case OPT_QD: o->qd = number(state, arg, 1, BENCH_QD_MAX, "--qd"); return 0;
	case OPT_BS: o->bs = number(state, arg, 1, 64u << 20, "--bs"); return 0;
	case OPT_CLIENTS: o->clients = number(state, arg, 1, BENCH_CLIENTS_MAX, "--clients"); return 0;
	case OPT_IDLE: o->idle_rings = number(state, arg, 0, 1000000, "--idle-rings"); return 0;
	case OPT_CONNS: o->conns = number(state, arg, 1, BENCH_CONNS_MAX, "--conns"); return 0;
	case OPT_IDLE_CONNS: o->idle_conns = number(state, arg, 0, BENCH_IDLE_CONNS_MAX, "--idle-conns"); return 0;
	case OPT_BATCH: o->batch = number(state, arg, 1, BENCH_QD_MAX, "--batch"); return 0;
	case OPT_SIZE:
		if (bench_parse_bytes(arg, &o->file_size) < 0 || !o->file_size)
			argp_error(state, "--size: '%s' is not a size", arg);
		return 0;
	case OPT_SECONDS:
		o->seconds = strtod(arg, &end);
		if (*end || end == arg || !(o->seconds > 0 && o->seconds <= 86400))
			argp_error(state, "--seconds: '%s' is not in 0..86400", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bench_opts *o = state->input;

	switch (key) {
	case OPT_TARGET: o->target = word(state, arg, targets, "--target"); return 0;
	case OPT_OP: o->op = word(state, arg, ops, "--op"); return 0;
	case OPT_FAMILY: o->family = word(state, arg, families, "--family"); return 0;
	case OPT_PATTERN: o->pattern = word(state, arg, patterns, "--pattern"); return 0;
	case OPT_WAIT: o->wait = word(state, arg, waits, "--wait"); return 0;
	case OPT_KFLAGS: o->setup_flags = word(state, arg, kflags, "--kernel-flags"); return 0;
	case OPT_SQPOLL: o->sqpoll = true; return 0;
	case OPT_DIRECT: o->direct = true; return 0;
	case OPT_FIXED: o->fixed = true; return 0;
	case OPT_LATENCY: o->latency = true; return 0;
	case OPT_HUGE: o->huge = true; return 0;
	case OPT_OVERWRITE: o->overwrite = true; return 0;
	case OPT_HOLD: o->hold = true; return 0;
	case OPT_FILE: o->file = arg; return 0;
	case OPT_SOCKET: o->socket = arg; return 0;
	case OPT_JSON: o->format = BENCH_JSON; return 0;
	case OPT_TERSE: o->format = BENCH_TERSE; return 0;
	case ARGP_KEY_ARG: argp_error(state, "unexpected '%s'", arg); return 0;
	case ARGP_KEY_END: check(state, o); return 0;
	}
	return parse_number(key, arg, state);
}

void bench_parse(struct bench_opts *o, int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL, "Measure rings: the same loop on ringd and on the kernel's io_uring.", NULL, NULL, NULL
	};

	*o = (struct bench_opts){
		.qd = 1, .batch = 1, .clients = 1, .conns = 1, .setup_flags = UINT_MAX, .seconds = 1, .file_size = 64u << 20,
	};
	argp_program_version = "ringbench " PACKAGE_VERSION;
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, o);
}
