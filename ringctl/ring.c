/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringctl ring: which rings there are, and what is in one of them. */
#include <argp.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/util.h"
#include "ringctl.h"

struct options {
	const char *socket;
	uint32_t engine, ring;
};

/* What was printed so far. */
struct output {
	uint32_t engine;	/* the text is this one's */
	unsigned int engines;
	bool failed;		/* one did not answer */
	bool list;
};

static bool number(const char *arg, uint32_t *ret)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(arg, &end, 10);
	if (errno || end == arg || *end || !v || v > UINT32_MAX || *arg == '-')
		return false;
	*ret = (uint32_t)v;
	return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'e':
		if (!number(arg, &o->engine))
			argp_error(state, "'%s' is no process", arg);
		return 0;
	case 's': o->socket = arg; return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "unexpected '%s'", arg);
		if (!number(arg, &o->ring))
			argp_error(state, "'%s' is no ring", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The text is the engine's, so the tenant's: no control bytes reach the terminal. */
static void print_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool plain = text[i] == '\n' || text[i] == '\t' || (text[i] >= 0x20 && text[i] < 0x7f);

		putchar(plain ? text[i] : '?');
	}
}

static void print_head(const struct ringd_ring_info *info)
{
	const struct passwd *pw = getpwuid(info->uid);

	printf("engine %u  user %s%s%u%s%s\n", info->engine_pid, pw ? pw->pw_name : "", pw ? " (" : "", info->uid, pw ? ")" : "",
	       info->msg.res < 0 ? "  does not answer" : "");
}

static void on_piece(const struct ringd_ring_info *info, void *arg)
{
	struct output *out = arg;

	if (info->engine_pid != out->engine || !out->engines) {
		if (out->engines)
			putchar('\n');
		print_head(info);
		out->engines++;
		out->engine = info->engine_pid;
		if (info->msg.res == 0 && !info->len && out->list)
			printf("no rings\n");
	}
	out->failed |= info->msg.res < 0;
	print_text(info->text, info->len);
}

int rc_ring_main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "engine", 'e', "PID", 0, "Only of this engine", 0 },
		{ "socket", 's', "PATH", 0, "Socket of the manager", 0 },
		{ 0 }
	};
	static const struct argp argp = { options, parse, "[RING]", "List the rings that you may see, or show one of them.", NULL, NULL, NULL };
	static char name[] = "ringctl ring";
	struct output out = { 0 };
	struct options o = { 0 };

	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	out.list = !o.ring;
	if (rc_control_rings(o.socket, o.engine, o.ring, on_piece, &out) < 0)
		return EXIT_FAILURE;
	if (!out.engines && o.ring)
		fprintf(stderr, "ringctl: no ring %u\n", o.ring);
	else if (!out.engines)
		printf("no engine is running\n");
	return fflush(stdout) || out.failed || (!out.engines && o.ring) ? EXIT_FAILURE : EXIT_SUCCESS;
}
