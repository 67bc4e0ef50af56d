/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of ringd-run. The program's own options are none of ours: parsing ends where its name is. */
#include <argp.h>
#include <string.h>

#include "daemon/common/util.h"
#include "run.h"

enum { OPT_REPORT = 256, OPT_CHECK, OPT_BACKEND, OPT_DOOR };

static const struct argp_option options[] = {
	{ "report", OPT_REPORT, "FILE", OPTION_ARG_OPTIONAL,
	  "Each process tells at its end what its rings have done: to standard error, or at the end of FILE", 0 },
	{ "check", OPT_CHECK, NULL, 0,
	  "Run nothing: tell what refuses the kernel's io_uring here, and how PROGRAM would be served", 0 },
	{ "backend", OPT_BACKEND, "NAME", 0, "How block I/O is executed: sync (default) or uring; kernel: no ringd at all", 0 },
	{ "door", OPT_DOOR, "NAME", 0, "How requests are taken from the program: library, trap, or auto (default)", 0 },
	{ 0 }
};

static const char *const doors[] = { [RUN_DOOR_AUTO] = "auto", [RUN_DOOR_LIBRARY] = "library", [RUN_DOOR_TRAP] = "trap" };
static const char *const backends[] = {
	[RUN_BACKEND_DEFAULT] = "", [RUN_BACKEND_SYNC] = "sync", [RUN_BACKEND_URING] = "uring", [RUN_BACKEND_KERNEL] = "kernel",
};

static unsigned int word(struct argp_state *state, const char *const *words, size_t n, const char *arg, const char *option)
{
	for (unsigned int i = 0; i < n; i++)
		if (*words[i] && strcmp(arg, words[i]) == 0)
			return i;
	argp_error(state, "%s: '%s' is not known", option, arg);
	return 0;
}

static void report(struct argp_state *state, struct run_options *o, const char *arg)
{
	o->report = true;
	o->report_file = arg;
	if (arg && !*arg)
		argp_error(state, "--report: empty name of a file");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case OPT_REPORT: report(state, o, arg); return 0;
	case OPT_CHECK: o->check = true; return 0;
	case OPT_DOOR: o->door = word(state, doors, RD_ARRAY_SIZE(doors), arg, "--door"); return 0;
	case OPT_BACKEND: o->backend = word(state, backends, RD_ARRAY_SIZE(backends), arg, "--backend"); return 0;
	case ARGP_KEY_ARG:
		o->argv = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!o->argv && !o->check)
			argp_error(state, "PROGRAM is needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void run_options_parse(struct run_options *o, int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "PROGRAM [ARGUMENT...]\n--check [PROGRAM]",
		"Run a program that uses io_uring where io_uring is refused.", NULL, NULL, NULL
	};

	*o = (struct run_options){ 0 };
	argp_program_version = "ringd-run " PACKAGE_VERSION;
	argp_err_exit_status = RUN_FAILED;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, o);
}
