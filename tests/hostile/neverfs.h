/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A FUSE file system of one file per name, whose reads, writes, syncs, closes, unlinks and extended attributes are never
 * answered. Needs root.
 */
#ifndef RD_TEST_NEVERFS_H
#define RD_TEST_NEVERFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Served by a process of its own: one that serves itself could not even be killed while it waits for itself. */
struct neverfs {
	pid_t server;
	int alive;		/* the server ends when this end of a pipe is closed, also by our death */
	bool direct;		/* files are opened with FOPEN_DIRECT_IO */
	char dir[64];
	uint32_t *unanswered;	/* shared with the server */
	uint32_t *polls;	/* likewise: not 0: it knows polls, and answers one less of them than this (readable) */
};

/* Mount it, in a mount namespace of this process's own. False: not possible here. */
bool neverfs_mount(struct neverfs *n, bool direct);
/* Requests that were left without an answer so far; waits until there are that many. */
void neverfs_wait(struct neverfs *n, uint32_t unanswered);
/* Abort it: everybody who waited gets an error. */
void neverfs_abort(struct neverfs *n);

#endif
