/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command line of ringd. The environment counts only where nobody else could have set it for us. */
#include "config.h"

#include <argp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/common/log.h"
#include "daemon/common/util.h"

const char *argp_program_version = "ringd " PACKAGE_VERSION;

enum {
	KEY_USER = 0x2000,
	KEY_RUNTIME_DIR,
	KEY_SOCKET_MODE,
	KEY_ENGINE,
	KEY_READY_FD,
	KEY_ENGINE_IDLE,
	KEY_MAX_TENANTS,
};

static const struct argp_option options[] = {
	{ "user", KEY_USER, NULL, 0, "serve only the caller's own uid; needs no privilege", 0 },
	{ "runtime-dir", KEY_RUNTIME_DIR, "DIR", 0,
	  "the socket and the engines' directories (/run/ringd; with --user $XDG_RUNTIME_DIR/ringd)", 0 },
	{ "socket-mode", KEY_SOCKET_MODE, "MODE", 0, "permissions of the socket, octal (0666; with --user 0600)", 0 },
	{ "engine", KEY_ENGINE, "PATH", 0, "the ringd-engine program", 0 },
	{ "ready-fd", KEY_READY_FD, "N", 0, "write a newline to descriptor N and close it once clients may connect", 0 },
	{ "engine-idle", KEY_ENGINE_IDLE, "SEC", 0, "stop an engine after so long without clients (60; 0: never)", 0 },
	{ "max-tenants", KEY_MAX_TENANTS, "N", 0, "engines at one time (256); a quarter of them for one uid", 0 },
	{ 0 }
};

static const struct argp_child children[] = { { &rd_options_argp, 0, NULL, 0 }, { 0 } };

static unsigned long number(const char *arg, int base, unsigned long max, struct argp_state *state)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(arg, &end, base);
	if (errno || end == arg || *end || *arg == '-' || v > max)
		argp_error(state, "'%s' is not a number up to %lu", arg, max);
	return v;
}

static int set_string(char **where, const char *arg)
{
	char *copy = strdup(arg);

	if (!copy)
		return ENOMEM;
	free(*where);
	*where = copy;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rd_config *cfg = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &cfg->options;
		return 0;
	case KEY_USER:
		cfg->user = true;
		return 0;
	case KEY_RUNTIME_DIR:
		return set_string(&cfg->runtime_dir, arg);
	case KEY_SOCKET_MODE:
		cfg->socket_mode = (mode_t)number(arg, 8, 0777, state);
		return 0;
	case KEY_ENGINE:
		return set_string(&cfg->engine, arg);
	case KEY_READY_FD:
		cfg->ready_fd = (int)number(arg, 10, INT_MAX, state);
		return 0;
	case KEY_ENGINE_IDLE:
		cfg->engine_idle_s = (unsigned int)number(arg, 10, 86400 * 365, state);
		return 0;
	case KEY_MAX_TENANTS:
		cfg->max_tenants = (unsigned int)number(arg, 10, 65536, state);
		if (!cfg->max_tenants)
			argp_error(state, "at least one tenant");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
	options, parse, NULL,
	"ringd serves io_uring's programming model over shared memory: it listens for clients and gives every tenant an "
	"engine process of its own, which runs with that tenant's identity.",
	children, NULL, NULL,
};

/* The runtime directory when none was given. */
static int default_runtime_dir(struct rd_config *cfg)
{
	const char *xdg;

	if (cfg->runtime_dir)
		return 0;
	if (!cfg->user) {
		cfg->runtime_dir = strdup("/run/ringd");
		return cfg->runtime_dir ? 0 : -ENOMEM;
	}
	xdg = secure_getenv("XDG_RUNTIME_DIR");
	if (!xdg || xdg[0] != '/') {
		rd_error("XDG_RUNTIME_DIR is not set: give --runtime-dir");
		return -EINVAL;
	}
	if (asprintf(&cfg->runtime_dir, "%s/ringd", xdg) < 0) {
		cfg->runtime_dir = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int default_engine(struct rd_config *cfg)
{
	const char *env = secure_getenv("RINGD_ENGINE");

	if (!cfg->engine)
		cfg->engine = strdup(env && *env ? env : RINGD_ENGINE_PATH);
	if (!cfg->engine)
		return -ENOMEM;
	if (access(cfg->engine, X_OK) < 0) {
		int r = -errno;

		rd_error("no engine program %s: %s", cfg->engine, strerror(-r));
		return r;
	}
	return 0;
}

int rd_config_parse(struct rd_config *cfg, int argc, char **argv)
{
	error_t e;
	int r;

	memset(cfg, 0, sizeof(*cfg));
	rd_options_init(&cfg->options);
	cfg->ready_fd = -1;
	cfg->engine_idle_s = 60;
	cfg->max_tenants = 256;
	cfg->socket_mode = (mode_t)-1;
	e = argp_parse(&parser, argc, argv, 0, NULL, cfg);
	if (e) {
		rd_error("%s", strerror(e));
		return -e;
	}
	if (cfg->socket_mode == (mode_t)-1)
		cfg->socket_mode = cfg->user ? 0600 : 0666;
	if (!cfg->user && geteuid() != 0) {
		rd_error("only root can serve other users: start ringd --user");
		return -EPERM;
	}
	r = default_runtime_dir(cfg);
	if (r == 0)
		r = default_engine(cfg);
	return r;
}

void rd_config_deinit(struct rd_config *cfg)
{
	free(cfg->runtime_dir);
	free(cfg->engine);
	memset(cfg, 0, sizeof(*cfg));
}
