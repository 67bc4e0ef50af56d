/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A real ringd in a directory of its own, and clients that speak the bytes of its socket. */
#ifndef RD_TEST_DAEMON_H
#define RD_TEST_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/wire.h"

struct daemon {
	char dir[64];		/* runtime directory is dir/rt */
	char socket[96];
	pid_t pid;
	int pidfd;
	int err;		/* what it writes to stderr */
};

/* When not NULL: called in the child before it becomes ringd. */
extern void (*daemon_before_exec)(const struct daemon *d);

#define DEADLINE_MS	100000	/* for things that must happen; not a measure of speed */

/*
 * Starts ringd on $RINGD with the test engine in that mode (fake_service.c) and the further arguments, NULL last.
 * Returns when it is ready; ends the test when it does not become so.
 */
void daemon_start(struct daemon *d, const char *mode, char *const *args);
/* The same in the directory of *d, which has had one. */
void daemon_restart(struct daemon *d, const char *mode, char *const *args);
/* SIGTERM; the exit status. Takes what is left of the directory away. */
int daemon_stop(struct daemon *d);
/* Its exit status (128 + signal), or -1 when it does not end in time. */
int daemon_wait(struct daemon *d);
/* Open descriptors of a process; -1: may not look. */
int count_fds(pid_t pid);
/* Runs ringd with these arguments and an environment of one variable (or NULL); exit status, stderr in text. */
int run_ringd(char *const *args, const char *env, char *text, size_t size);

/* Connects, ends the test on failure. */
int client_connect(const struct daemon *d);
/* A packet with a deadline: its length, 0 at the end, -errno. */
ssize_t client_recv(int fd, void *buf, size_t size);
/* Sends a good HELLO of that kind. 0 or -errno. */
int client_hello(int fd, uint32_t kind, uint32_t seq);
/* Connect and HELLO: 0 and the socket and welcome, else the negative errno of the answer, text in *e. */
int client_open(const struct daemon *d, int *fd, struct ringd_welcome *w, struct ringd_error *e);
/* The same, again and again while the answer is -EAGAIN. */
int client_open_patiently(const struct daemon *d, int *fd, struct ringd_welcome *w);
/* Answers to STATUS, up to max; their number. */
int client_status(const struct daemon *d, struct ringd_status *s, int max);
/* True once the process behind the pidfd has ended, false after the deadline. */
bool ended(int pidfd);
/* A pidfd of an engine. */
int watch_pid(pid_t pid);

#endif
