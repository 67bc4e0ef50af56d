/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where hostile tests play: one daemon per suite, and beside the hostile client two that behave, one of the same tenant and,
 * when the suite runs as root, one of another. They work all the time and must see no error. After each test everything
 * the hostile client was charged for is given back and the engine has no descriptor more than before.
 */
#ifndef RD_TEST_SCENE_H
#define RD_TEST_SCENE_H

#include <check.h>

#include "daemon.h"
#include "raw.h"

struct neighbour {
	pid_t pid;		/* 0: there is none */
	int stop;		/* written to stop it */
	int verdict;		/* it writes one byte when it saw no error */
};

struct scene {
	struct rd_daemon d;
	struct neighbour same, other;
	struct raw anchor;	/* keeps the engine from having no client at all */
	struct ringd_status before;
	int fds;		/* of the engine of the hostile client, -1: unknown */
};

#define SCENE_ALONE	0x1	/* no neighbour of the same tenant: the tests use up what they share */

/* Unchecked setup of a suite. extra: options of the daemon, ends with NULL, or NULL */
void scene_open(struct scene *s, const char *const extra[], unsigned int flags);
/* Checked teardown: the hostile client has left (its sockets are closed). */
void scene_check(const struct scene *s);
/* Last test: the neighbours go on for a while, then say that they saw no error; then nothing is charged to anybody. */
void scene_finish(struct scene *s);
/* After the runner, by main(): ends the daemon. failed: what the runner said; returns what main() shall return. */
int scene_close(struct scene *s, int failed);

/* Start a client that behaves as uid (or as we are, when that is ours); it works until it is stopped. */
void neighbour_start(struct neighbour *n, const char *socket, uid_t uid);
/* It works on for a while, then ends; it must not have seen an error. */
void neighbour_stop(struct neighbour *n);

/* A repeatable random sequence per test. */
uint32_t scene_random(void);

#endif
