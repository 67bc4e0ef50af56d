/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ringd-engine: becomes its tenant, locks itself in, serves. Started by ringd with the link at RD_LINK_FD; of no use
 * to anybody else.
 */
#include <argp.h>
#include <dlfcn.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/identity.h"
#include "daemon/common/link.h"
#include "daemon/common/log.h"
#include "daemon/common/options.h"
#include "daemon/common/util.h"
#include "engine.h"
#include "sandbox.h"
#include "session/service.h"

const char *argp_program_version = "ringd-engine " PACKAGE_VERSION;

enum {
	KEY_IDENTITY = 0x2000,
	KEY_RUNTIME_DIR,
	KEY_JOIN_USER,
	KEY_JOIN_MNT,
	KEY_JOIN_NET,
	KEY_JOIN_ROOT,
};

static const struct argp_option options[] = {
	{ "identity", KEY_IDENTITY, "UID:GID:GROUPS", 0, "who to become (default: stay)", 0 },
	{ "runtime-dir", KEY_RUNTIME_DIR, "DIR", 0, "private directory of this engine", 0 },
	{ "join-user", KEY_JOIN_USER, "FD", 0, "user namespace to join", 0 },
	{ "join-mnt", KEY_JOIN_MNT, "FD", 0, "mount namespace to join", 0 },
	{ "join-net", KEY_JOIN_NET, "FD", 0, "network namespace to join", 0 },
	{ "join-root", KEY_JOIN_ROOT, "FD", 0, "directory to make the root", 0 },
	{ 0 }
};

static const struct argp_child children[] = { { &rd_options_argp, 0, NULL, 0 }, { 0 } };

struct args {
	struct rd_options options;
	struct rd_identity identity;
	const char *runtime_dir;
};

static int descriptor(const char *arg, struct argp_state *state)
{
	char *end;
	long fd = strtol(arg, &end, 10);

	if (end == arg || *end || fd <= RD_LINK_FD || fd > INT_MAX)
		argp_error(state, "'%s' is no descriptor", arg);
	return (int)fd;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->options;
		return 0;
	case KEY_IDENTITY:
		if (rd_identity_parse(&a->identity, arg) < 0)
			argp_error(state, "'%s' is no identity", arg);
		return 0;
	case KEY_RUNTIME_DIR:
		a->runtime_dir = arg;
		return 0;
	case KEY_JOIN_USER:
		a->identity.user_ns = descriptor(arg, state);
		return 0;
	case KEY_JOIN_MNT:
		a->identity.mnt_ns = descriptor(arg, state);
		return 0;
	case KEY_JOIN_NET:
		a->identity.net_ns = descriptor(arg, state);
		return 0;
	case KEY_JOIN_ROOT:
		a->identity.root = descriptor(arg, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp parser = {
	options, parse, NULL, "ringd-engine serves the clients of one tenant. It is started by ringd(8).", children, NULL, NULL,
};

static void apply_options(struct rd_engine_config *cfg, const struct rd_options *o)
{
	rd_engine_config_default(cfg);
	for (int i = 0; i < RINGD_LIMIT_MAX; i++)
		if (o->limits[i])
			cfg->limits[i] = o->limits[i];
	if (o->backend >= 0)
		cfg->backend = (unsigned int)o->backend;
	if (o->spin_us >= 0)
		cfg->spin_us = (unsigned int)o->spin_us;
	if (o->sq_idle_max_ms >= 0)
		cfg->sq_idle_max_ms = (unsigned int)o->sq_idle_max_ms;
	if (o->socket_families >= 0)
		cfg->socket_families = (unsigned int)o->socket_families;
	if (o->log_level >= 0)
		rd_log_set_level(o->log_level);
}

/* Somebody's shell is no manager. */
static bool has_link(void)
{
	socklen_t len = sizeof(int);
	int type;

	return getsockopt(RD_LINK_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET;
}

static int become_tenant(struct args *a, unsigned int families)
{
	const char *step = "";
	char name[40];
	int r;

	snprintf(name, sizeof(name), "ringd-engine[%u]", a->identity.change ? a->identity.uid : geteuid());
	rd_log_set_name(name);
	/*
	 * The C library loads this one when the first thread is cancelled or exits by pthread_exit(). Have it before the
	 * root may be a container's, whose libraries are not ours to run.
	 */
	(void)dlopen("libgcc_s.so.1", RTLD_NOW);
	r = rd_identity_assume(&a->identity, &step);
	if (r < 0) {
		rd_error("%s: %s", step, strerror(-r));
		return r;
	}
	r = rd_sandbox_enter(families);
	if (r < 0)
		rd_error("installing the system call filter: %s", strerror(-r));
	return r;
}

/* It warns of every descriptor that epoll refuses, and clients choose those. */
static void on_libevent(int severity, const char *msg)
{
	rd_log(severity == EVENT_LOG_ERR ? LOG_ERR : LOG_DEBUG, "libevent: %s", msg);
}

int main(int argc, char **argv)
{
	struct rd_engine_config cfg;
	struct args args = { 0 };
	int r;

	_Static_assert(RD_FAMILY_INET == 1 && RD_FAMILY_INET6 == 2 && RD_FAMILY_UNIX == 4, "bits of rd_options.socket_families");
	_Static_assert(RD_BACKEND_AUTO == 0 && RD_BACKEND_SYNC == 1 && RD_BACKEND_URING == 2, "order of rd_options.backend");
	signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(on_libevent);
	rd_log_set_name("ringd-engine");
	rd_options_init(&args.options);
	rd_identity_init(&args.identity);
	if (argp_parse(&parser, argc, argv, 0, NULL, &args))
		return EXIT_FAILURE;
	if (!has_link()) {
		rd_error("descriptor %d is not a link to ringd: it starts its engines itself", RD_LINK_FD);
		return EXIT_FAILURE;
	}
	apply_options(&cfg, &args.options);
	r = become_tenant(&args, cfg.socket_families);
	rd_identity_deinit(&args.identity);
	if (r == 0)
		r = rd_service_run(&cfg, RD_LINK_FD);
	if (r < 0)
		rd_error("ended: %s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
