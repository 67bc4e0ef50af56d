/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options an engine needs are parsed by ringd too, so that a typing error is told at start and not at the first client. */
#include "options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "util.h"

enum {
	KEY_LIMIT = 0x1000,	/* + RINGD_LIMIT_* */
	KEY_BACKEND = 0x1100,
	KEY_SPIN,
	KEY_SQ_IDLE,
	KEY_LOG_LEVEL,
	KEY_FAMILIES,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Limits of a tenant, all its clients together (N may end in K, M, G, T):", 1 },
	{ "max-rings", KEY_LIMIT + RINGD_LIMIT_RINGS, "N", 0, "rings", 1 },
	{ "max-entries", KEY_LIMIT + RINGD_LIMIT_ENTRIES, "N", 0, "submission and completion entries of all rings", 1 },
	{ "max-bytes", KEY_LIMIT + RINGD_LIMIT_BYTES, "N", 0, "bytes of arenas and rings", 1 },
	{ "max-files", KEY_LIMIT + RINGD_LIMIT_FILES, "N", 0, "open files", 1 },
	{ "max-inflight", KEY_LIMIT + RINGD_LIMIT_INFLIGHT, "N", 0, "requests accepted and not completed", 1 },
	{ "max-workers", KEY_LIMIT + RINGD_LIMIT_WORKERS, "N", 0, "worker threads", 1 },
	{ "max-clients", KEY_LIMIT + RINGD_LIMIT_CLIENTS, "N", 0, "connections", 1 },
	{ "max-objects", KEY_LIMIT + RINGD_LIMIT_OBJECTS, "N", 0, "table slots and other small things", 1 },
	{ NULL, 0, NULL, 0, "How engines work:", 2 },
	{ "backend", KEY_BACKEND, "NAME", 0, "auto, sync or uring: how block I/O is executed", 2 },
	{ "spin-us", KEY_SPIN, "N", 0, "microseconds an engine looks at quiet rings before it sleeps", 2 },
	{ "sq-idle-max-ms", KEY_SQ_IDLE, "N", 0, "longest sq_thread_idle a client may ask for, in milliseconds", 2 },
	{ "socket-families", KEY_FAMILIES, "LIST", 0, "address families that clients get sockets of: inet, inet6, unix, with commas "
	  "between; or none", 2 },
	{ "log-level", KEY_LOG_LEVEL, "LEVEL", 0, "error, warning, info or debug", 2 },
	{ 0 }
};

static const char *const backends[] = { "auto", "sync", "uring" };
static const char *const families[] = { "inet", "inet6", "unix" };
static const struct {
	const char *name;
	int level;
} levels[] = {
	{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "info", LOG_INFO }, { "debug", LOG_DEBUG },
};

void rd_options_init(struct rd_options *o)
{
	memset(o, 0, sizeof(*o));
	o->backend = -1;
	o->spin_us = -1;
	o->sq_idle_max_ms = -1;
	o->log_level = -1;
	o->socket_families = -1;
}

int rd_parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	uint64_t v = 0;
	const char *p, *unit;

	for (p = text; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return -ERANGE;
	if (p == text)
		return -EINVAL;
	if (*p) {
		unit = strchr(units, *p & ~0x20);	/* either case */
		if (!unit || !*unit || p[1])
			return -EINVAL;
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(v, (uint64_t)1024, &v))
				return -ERANGE;
	}
	*ret = v;
	return 0;
}

/* arg as a number of [min, max]; anything else ends the program */
static uint64_t number(const char *arg, uint64_t min, uint64_t max, struct argp_state *state)
{
	uint64_t v = 0;

	if (rd_parse_size(arg, &v) < 0 || v < min || v > max)
		argp_error(state, "'%s' is not a number from %llu to %llu", arg, (unsigned long long)min,
			   (unsigned long long)max);
	return v;
}

static int backend_of(const char *arg, struct argp_state *state)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(backends); i++)
		if (!strcmp(arg, backends[i]))
			return (int)i;
	argp_error(state, "no back end '%s': auto, sync or uring", arg);
	return -1;
}

static int level_of(const char *arg, struct argp_state *state)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(levels); i++)
		if (!strcmp(arg, levels[i].name))
			return levels[i].level;
	argp_error(state, "no log level '%s': error, warning, info or debug", arg);
	return -1;
}

static int family_of(const char *name, size_t len)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(families); i++)
		if (strlen(families[i]) == len && !strncmp(name, families[i], len))
			return 1 << i;
	return -1;
}

static int families_of(const char *arg, struct argp_state *state)
{
	int set = 0;

	if (!strcmp(arg, "none"))
		return 0;
	for (;;) {
		size_t len = strcspn(arg, ",");
		int one = family_of(arg, len);

		if (one < 0) {
			argp_error(state, "no address family '%.*s': inet, inet6 or unix", (int)len, arg);
			return -1;
		}
		set |= one;
		if (!arg[len])
			return set;
		arg += len + 1;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct rd_options *o = state->input;

	if (key >= KEY_LIMIT && key < KEY_LIMIT + RINGD_LIMIT_MAX) {
		o->limits[key - KEY_LIMIT] = number(arg, 1, INT64_MAX, state);
		return 0;
	}
	switch (key) {
	case KEY_BACKEND:
		o->backend = backend_of(arg, state);
		return 0;
	case KEY_SPIN:
		o->spin_us = (long)number(arg, 0, 1000000, state);
		return 0;
	case KEY_SQ_IDLE:
		o->sq_idle_max_ms = (long)number(arg, 0, INT_MAX, state);
		return 0;
	case KEY_FAMILIES:
		o->socket_families = families_of(arg, state);
		return 0;
	case KEY_LOG_LEVEL:
		o->log_level = level_of(arg, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp rd_options_argp = { options, parse, NULL, NULL, NULL, NULL, NULL };

/* The long name of an option, from the table above. */
static const char *name_of(int key)
{
	for (const struct argp_option *o = options; o->name || o->doc; o++)
		if (o->name && o->key == key)
			return o->name;
	return "";
}

static const char *level_name(int level)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "info";
}

static bool add_number(char **argv, int *n, int key, unsigned long long value)
{
	if (asprintf(&argv[*n], "--%s=%llu", name_of(key), value) < 0)
		return false;
	(*n)++;
	return true;
}

static bool add_word(char **argv, int *n, int key, const char *word)
{
	if (asprintf(&argv[*n], "--%s=%s", name_of(key), word) < 0)
		return false;
	(*n)++;
	return true;
}

static bool add_families(char **argv, int *n, int set)
{
	char list[32] = "";

	for (size_t i = 0; i < RD_ARRAY_SIZE(families); i++)
		if (set & (1 << i))
			strcat(strcat(list, *list ? "," : ""), families[i]);
	return add_word(argv, n, KEY_FAMILIES, *list ? list : "none");
}

int rd_options_format(const struct rd_options *o, char **argv)
{
	bool ok = true;
	int n = 0;

	for (int i = 0; i < RINGD_LIMIT_MAX; i++)
		if (o->limits[i])
			ok = ok && add_number(argv, &n, KEY_LIMIT + i, o->limits[i]);
	if (o->backend >= 0)
		ok = ok && add_word(argv, &n, KEY_BACKEND, backends[o->backend]);
	if (o->spin_us >= 0)
		ok = ok && add_number(argv, &n, KEY_SPIN, (unsigned long long)o->spin_us);
	if (o->sq_idle_max_ms >= 0)
		ok = ok && add_number(argv, &n, KEY_SQ_IDLE, (unsigned long long)o->sq_idle_max_ms);
	if (o->socket_families >= 0)
		ok = ok && add_families(argv, &n, o->socket_families);
	if (o->log_level >= 0)
		ok = ok && add_word(argv, &n, KEY_LOG_LEVEL, level_name(o->log_level));
	if (ok)
		return n;
	while (n > 0)
		free(argv[--n]);
	return -ENOMEM;
}
