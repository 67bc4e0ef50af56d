/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ringctl: finds the subcommand and runs it. */
#include <stdlib.h>
#include <string.h>

#include "daemon/common/util.h"
#include "ringctl.h"

static const struct rc_command commands[] = {
	{ "ring", "list rings, or show what is in one", rc_ring_main },
	{ "status", "show engines, their budgets, requests and latencies", rc_status_main },
};

static void usage(FILE *out)
{
	fprintf(out, "Usage: ringctl COMMAND [OPTION...]\n\nCommands:\n");
	for (size_t i = 0; i < RD_ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n  --help     this text; COMMAND --help tells its options\n  --version  version of ringd\n");
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("ringctl %s\n", PACKAGE_VERSION);
		return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	for (size_t i = 0; i < RD_ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "ringctl: no command '%s'\n", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}
