/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringctl status: what the engines do. */
#include <argp.h>
#include <stdlib.h>

#include "daemon/common/util.h"
#include "ringctl.h"

struct options {
	const char *socket;
	bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j': o->json = true; return 0;
	case 's': o->socket = arg; return 0;
	case ARGP_KEY_ARG: argp_error(state, "unexpected '%s'", arg); return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int rc_status_main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON", 0 },
		{ "socket", 's', "PATH", 0, "Socket of the manager", 0 },
		{ 0 }
	};
	static const struct argp argp = { options, parse, NULL, "Show the engines that you may see.", NULL, NULL, NULL };
	RD_FREE struct ringd_status *engines = NULL;
	static char name[] = "ringctl status";
	struct options o = { 0 };
	size_t n = 0;
	int r;

	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (rc_control_status(o.socket, &engines, &n) < 0)
		return EXIT_FAILURE;
	r = o.json ? rc_status_print_json(stdout, engines, n) : rc_status_print_text(stdout, engines, n);
	return r < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
