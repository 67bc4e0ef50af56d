/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real daemon of our own for a test: $RINGD in a private directory, $RINGD_ENGINE for its engines. It dies with the
 * test process. All calls abort the test by ck_assert when something is not as it must be.
 */
#ifndef RD_TEST_DAEMON_H
#define RD_TEST_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

#include "proto/wire.h"

#define RD_TEST_UID	12001	/* another tenant, when the test runs as root */

struct rd_daemon {
	pid_t pid;
	char dir[64];		/* private, ours; removed by stop() */
	char socket[96];
	char log[96];		/* what the manager and its engines wrote to stderr */
};

/* Can the real daemon be started here? NULL, or the reason why not, for rd_suite_skip(). */
const char *rd_daemon_missing(void);
/*
 * Start it and wait until it listens; extra options end with NULL, extra may be NULL. As root it serves every uid, else it is
 * `ringd --user`.
 */
void rd_daemon_start(struct rd_daemon *d, const char *const extra[]);
/* SIGTERM, wait, remove the directory. The log must not tell of a leak. Twice is fine. */
void rd_daemon_stop(struct rd_daemon *d);
/* The same without assertions; shows the log if it tells of something or failed is set. False: it does, or ringd did not end well. */
bool rd_daemon_end(struct rd_daemon *d, bool failed);
/* Does its log contain the text? */
bool rd_daemon_logged(const struct rd_daemon *d, const char *text);

/* Status of the engine of uid; false: there is none. */
bool rd_daemon_status(const struct rd_daemon *d, uid_t uid, struct ringd_status *st);
/* Ask until everything charged has been given back (worker threads end later), at most 20 s. Then submitted == completed. */
void rd_daemon_expect_idle(const struct rd_daemon *d, uid_t uid);
/* Ask until used[which] is what is expected, at most 20 s. */
void rd_daemon_expect_used(const struct rd_daemon *d, uid_t uid, unsigned int which, uint64_t expected);
/* Open descriptors of a process, or -1 when we may not look (only root may: engines are not dumpable). */
int rd_count_fds(pid_t pid);
/* Ask until the engine of uid has no more descriptors than max, at most 20 s; nothing when we may not look. */
void rd_daemon_expect_fds(const struct rd_daemon *d, uid_t uid, int max);

#endif
