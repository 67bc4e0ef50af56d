/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine asks of a host, answered by the process it lives in. See daemon/engine/host.h. */
#ifndef RD_LOCAL_HOST_H
#define RD_LOCAL_HOST_H

#include <sys/types.h>

#include "daemon/engine/host.h"

struct rd_local_host {
	struct rd_host host;
};

void rd_local_host_init(struct rd_local_host *h);

/* --- memory.c: the process's own memory, as a system call reads it. No lock needed. --- */
int rd_local_copy_in(void *dst, uint64_t addr, size_t len);		/* 0, -EFAULT */
int rd_local_copy_out(uint64_t addr, const void *src, size_t len);	/* 0, -EFAULT */
/* A string of less than size bytes: its length, -EFAULT, -ENAMETOOLONG. */
ssize_t rd_local_copy_str(char *dst, uint64_t addr, size_t size);

/* --- files.c --- */
/* A submission begins and ends: in between a number means one struct rd_file. */
void rd_local_files_begin(struct rd_local_host *h);
void rd_local_files_end(struct rd_local_host *h);

#endif
