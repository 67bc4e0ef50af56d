/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runtime directory: one manager per directory, one directory in it per engine. */
#ifndef RD_RUNTIME_H
#define RD_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct rd_runtime {
	char *path;		/* absolute; heap */
	int fd;			/* the directory, holds the lock */
	int engines_fd;		/* "engines" in it */
	unsigned int next_id;
};

#define RD_ENGINE_DIR	48	/* bytes of an engine's directory name, terminating zero included */

/* 0, or -errno after the reason was logged: -EBUSY: another ringd has it. rd_runtime_deinit() in both cases. */
int rd_runtime_init(struct rd_runtime *rt, const char *dir, bool user);
void rd_runtime_deinit(struct rd_runtime *rt);
/* A new directory engines/NAME, mode 0700, of that owner. name has RD_ENGINE_DIR bytes. 0 or -errno. */
int rd_runtime_add(struct rd_runtime *rt, uid_t uid, gid_t gid, char *name);
/* Removes it with the files in it. Its owner is not trusted: follows nothing, does a bounded amount of work. */
void rd_runtime_remove(struct rd_runtime *rt, const char *name);

#endif
