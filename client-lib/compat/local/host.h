/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine asks of a host, answered by the process it lives in. See daemon/engine/host.h. With the lock held, if not told. */
#ifndef RD_LOCAL_HOST_H
#define RD_LOCAL_HOST_H

#include <stdatomic.h>
#include <sys/types.h>

#include "daemon/engine/host.h"
#include "daemon/engine/rsrc/file.h"

#define RD_LOCAL_FILES	64	/* numbers whose files are remembered; a power of two */
#define RD_LOCAL_LENT	64
#define RD_LOCAL_PARKED	64

/* What a number meant when it was looked at last. */
struct rd_local_file {
	struct rd_file file;		/* BORROWED, with a reference of ours; fd -1: nothing is known */
	struct rd_file *owned;		/* made of it in this visit, with a reference of ours */
	struct rd_file *lent;		/* its number is in use by requests; theirs */
	struct rd_file *dup;		/* of the socket that file is, in use by requests; theirs */
	uint64_t ino;
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	uint16_t mode;
	uint16_t uses;			/* without another look */
	uint32_t visit;			/* in which it was looked at */
};

struct rd_local_files {
	struct rd_local_file slots[RD_LOCAL_FILES];
	uint64_t owned;			/* slots that have one */
	uint32_t visit;
	bool visiting;
	unsigned int dups;		/* duplicates there are */
	_Atomic unsigned int n_lent;
	struct rd_file *lent[RD_LOCAL_LENT];
	unsigned int n_parked;
	int parked[RD_LOCAL_PARKED];	/* duplicates that cannot be closed yet */
};

struct rd_local_start;

struct rd_local_host {
	struct rd_host host;
	struct rd_engine *engine;
	struct rd_local_files files;
	struct rd_local_start *start;	/* the directory a path started from last */
	bool hears;			/* when the program closes a number, rd_local_files_closing() is called: the caller's to set */
};

/* h is zero, or was that of an engine that is gone. The engine is made, and becomes one that lives in its client's process. */
void rd_local_host_init(struct rd_local_host *h, struct rd_engine *engine);
/* The host forgets the directory that a path started from last. */
void rd_local_dirfd_drop(struct rd_local_host *h);

/* --- memory.c: the process's own memory, as a system call reads it. No lock needed. --- */
/* 0 or -EFAULT; with -EFAULT some of it may have been copied. */
int rd_local_copy_in(void *dst, uint64_t addr, size_t len);
int rd_local_copy_out(uint64_t addr, const void *src, size_t len);
/* A string of less than size bytes: its length, -EFAULT, -ENAMETOOLONG. */
ssize_t rd_local_copy_str(char *dst, uint64_t addr, size_t size);
/* Is all of it there and may be written to? Makes the pages be there, as pinning them does. 0, -EFAULT. */
int rd_local_pin(uint64_t addr, uint64_t len);

/* --- files.c --- */
/* A submission begins and ends: in between a number means one struct rd_file. */
void rd_local_files_begin(struct rd_local_host *h);
void rd_local_files_end(struct rd_local_host *h);
/* The program is going to close a number, or to make it something else. */
void rd_local_files_closing(struct rd_local_host *h, int fd);
/* host ops */
int rd_local_may_be(struct rd_host *host, struct rd_ctx *ctx, uint16_t id);	/* who.c */
int rd_local_file(struct rd_host *host, int fd, struct rd_file **ret);
int rd_local_keep(struct rd_host *host, int fd, struct rd_file **ret);
int rd_local_borrow(struct rd_host *host, int fd, uint32_t kinds, struct rd_file **ret);
bool rd_local_doubt(struct rd_host *host, struct rd_file *file);
bool rd_local_let_go(struct rd_engine *engine, struct rd_file *file);
void rd_local_files_init(struct rd_local_files *files, struct rd_engine *engine);
/* A descriptor of ours of what fd is, out of the program's way, with close-on-exec. -EBADF, -EMFILE. */
int rd_local_dup_high(struct rd_local_host *h, int fd);

#endif
