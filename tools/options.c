/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of ringcp. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringcp.h"

#define QD_MAX		1024u
#define FILES_MAX	1024u
#define CHUNK_MAX	(16u << 20)

enum {
	OPT_VERIFY = 256, OPT_VERIFY_ONLY, OPT_SPARSE, OPT_FSYNC, OPT_PREALLOCATE, OPT_PROGRESS, OPT_NO_PRESERVE,
	OPT_SOCKET, OPT_FILES, OPT_BUFFER,
};

static const struct argp_option options[] = {
	{ "verify", OPT_VERIFY, NULL, 0, "Read everything again afterwards and compare it with the source", 0 },
	{ "verify-only", OPT_VERIFY_ONLY, NULL, 0, "Copy nothing, compare only", 0 },
	{ "sparse", OPT_SPARSE, "auto|always|never", 0, "Keep holes, make holes of zeros too, or fill holes (auto)", 0 },
	{ "fsync", OPT_FSYNC, NULL, 0, "Write every file and directory to the disk before it counts as copied", 0 },
	{ "preallocate", OPT_PREALLOCATE, NULL, 0, "Allocate the space of a file before writing it", 0 },
	{ "no-preserve", OPT_NO_PRESERVE, "LIST", 0, "Do not keep: mode, owner, times, links (comma separated)", 0 },
	{ "xattrs", 'X', NULL, 0, "Keep extended attributes, ACLs among them", 0 },
	{ "one-file-system", 'x', NULL, 0, "Do not descend into other file systems", 0 },
	{ "no-target-directory", 'T', NULL, 0, "DST is the copy's own name, also if it is a directory", 0 },
	{ "recursive", 'r', NULL, 0, "For the habit of cp: trees are always copied", 0 },
	{ "archive", 'a', NULL, OPTION_ALIAS, NULL, 0 },
	{ NULL, 'R', NULL, OPTION_ALIAS, NULL, 0 },
	{ "verbose", 'v', NULL, 0, "Tell at the end how much was copied", 1 },
	{ "quiet", 'q', NULL, 0, "No progress bar", 1 },
	{ "progress", OPT_PROGRESS, NULL, 0, "Progress bar also if standard error is no terminal", 1 },
	{ "qd", 'd', "N", 0, "Data requests in flight (32)", 2 },
	{ "files", OPT_FILES, "N", 0, "Files worked on at once (32)", 2 },
	{ "buffer", OPT_BUFFER, "BYTES", 0, "Size of a data request; K and M understood (256K)", 2 },
	{ "socket", OPT_SOCKET, "PATH", 0, "Socket of ringd", 2 },
	{ 0 }
};

static unsigned int number(struct argp_state *state, const char *arg, unsigned int max, const char *what)
{
	unsigned long v;
	char *end;

	v = strtoul(arg, &end, 10);
	if (*end == 'K' || *end == 'k' || *end == 'M' || *end == 'm') {
		unsigned int shift = *end == 'K' || *end == 'k' ? 10 : 20;

		v = v > max >> shift ? max + 1ul : v << shift;
		end++;
	}
	if (end == arg || *end || *arg == '-' || v < 1 || v > max)
		argp_error(state, "%s: '%s' is not in 1..%u", what, arg, max);
	return (unsigned int)v;
}

static void sparse(struct argp_state *state, struct cp_options *o, const char *arg)
{
	static const char *const words[] = {
		[CP_SPARSE_AUTO] = "auto", [CP_SPARSE_ALWAYS] = "always", [CP_SPARSE_NEVER] = "never",
	};

	for (unsigned int i = 0; i < RD_ARRAY_SIZE(words); i++)
		if (strcmp(arg, words[i]) == 0) {
			o->sparse = (enum cp_sparse)i;
			return;
		}
	argp_error(state, "--sparse: '%s' is not known", arg);
}

static void no_preserve(struct argp_state *state, struct cp_options *o, char *arg)
{
	const struct {
		const char *name;
		bool *keep;
	} words[] = { { "mode", &o->keep_mode }, { "owner", &o->keep_owner }, { "times", &o->keep_times },
		      { "links", &o->keep_links } };
	char *save = NULL;

	for (char *w = strtok_r(arg, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t i = 0;

		while (i < RD_ARRAY_SIZE(words) && strcmp(w, words[i].name) != 0)
			i++;
		if (i == RD_ARRAY_SIZE(words))
			argp_error(state, "--no-preserve: '%s' is not known", w);
		else
			*words[i].keep = false;
	}
}

static void arguments(struct argp_state *state, struct cp_options *o)
{
	int n = state->argc - state->next + 1;	/* this one included */

	if (n < 2)
		argp_error(state, "SRC and DST are needed");
	o->sources = &state->argv[state->next - 1];
	o->n_sources = (unsigned int)n - 1;
	o->dst = state->argv[state->argc - 1];
	state->next = state->argc;
	for (unsigned int i = 0; i < o->n_sources; i++)
		if (!*o->sources[i])
			argp_error(state, "empty SRC");
	if (!*o->dst)
		argp_error(state, "empty DST");
	if (o->no_target_dir && o->n_sources > 1)
		argp_error(state, "-T with more than one SRC");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cp_options *o = state->input;

	switch (key) {
	case OPT_VERIFY: o->verify = true; return 0;
	case OPT_VERIFY_ONLY: o->verify_only = true; return 0;
	case OPT_SPARSE: sparse(state, o, arg); return 0;
	case OPT_FSYNC: o->fsync = true; return 0;
	case OPT_PREALLOCATE: o->preallocate = true; return 0;
	case OPT_NO_PRESERVE: no_preserve(state, o, arg); return 0;
	case OPT_PROGRESS: o->progress = true; return 0;
	case OPT_SOCKET: o->socket = arg; return 0;
	case OPT_FILES: o->files = number(state, arg, FILES_MAX, "--files"); return 0;
	case OPT_BUFFER: o->chunk = number(state, arg, CHUNK_MAX, "--buffer"); return 0;
	case 'd': o->qd = number(state, arg, QD_MAX, "--qd"); return 0;
	case 'X': o->xattrs = true; return 0;
	case 'x': o->one_fs = true; return 0;
	case 'T': o->no_target_dir = true; return 0;
	case 'v': o->verbose = true; return 0;
	case 'q': o->quiet = true; return 0;
	case 'r': return 0;
	case ARGP_KEY_ARG: arguments(state, o); return 0;
	case ARGP_KEY_NO_ARGS: argp_error(state, "SRC and DST are needed"); return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void cp_options_parse(struct cp_options *o, int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "SRC... DST", "Copy files and trees over the rings of ringd.", NULL, NULL, NULL
	};

	*o = (struct cp_options){
		.qd = 32, .files = 32, .chunk = 256u << 10,
		.keep_mode = true, .keep_owner = true, .keep_times = true, .keep_links = true,
	};
	argp_program_version = "ringcp " PACKAGE_VERSION;
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, o);
	o->chunk = (unsigned int)rd_align(o->chunk, 2 * CP_CHUNK_ALIGN);	/* verify uses it in halves */
	o->progress = !o->quiet && (o->progress || isatty(STDERR_FILENO));
}
