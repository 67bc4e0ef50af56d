/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operations on names, attributes, pipes and tables keep in a request: see struct rd_req. */
#ifndef RD_FSDATA_H
#define RD_FSDATA_H

#include <stdbool.h>
#include <stdint.h>

struct rd_file;
struct rd_mem;

struct rd_name {
	int dirfd;		/* the client's number */
	int at;			/* where the worker resolves */
	char *path;		/* owned (rd_stage_new()) */
	struct rd_mem *at_mem;	/* keeps at open */
};

struct rd_names {		/* RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT */
	struct rd_name name[2];
	unsigned int nr;	/* so many are to be resolved */
	uint32_t flags, mode;
};

struct rd_xattr {		/* SETXATTR, FSETXATTR, GETXATTR, FGETXATTR */
	char *block;		/* owned (rd_stage_new()): a value to be set, and the name */
	char *name;		/* in block */
	char *path;		/* owned, NULL for those with a file */
	int at;			/* where the worker resolves */
	uint32_t flags, len;
	struct rd_mem *at_mem;	/* keeps at open */
	void *value;		/* in block, or in client memory held by req->mem */
};

struct rd_advise {		/* FADVISE, MADVISE */
	uint64_t off, len;
	void *addr;		/* in client memory, held by req->mem */
	int advice;
};

struct rd_splice {		/* SPLICE, TEE */
	int64_t off_in, off_out;	/* -1: none */
	uint32_t len, flags;
	int fd_in;		/* the client's number, or a slot */
	struct rd_file *in;	/* held */
};

struct rd_epoll_ctl {
	int epfd, op, fd;	/* the client's numbers */
	uint8_t event[12];	/* struct epoll_event */
	struct rd_file *set, *target;	/* held */
};

struct rd_files_update {
	uint64_t addr;		/* of the list, for slot numbers that are written back */
	int32_t *fds;		/* owned (rd_stage_new()): the list */
	uint32_t nr, readable;	/* entries; those behind readable could not be read */
	uint32_t slot;		/* first one, or RINGD_FILE_INDEX_ALLOC */
	uint32_t done;		/* entries seen to */
};

struct rd_cmd {			/* URING_CMD: members of the SQE as they are, later what they have led to */
	union {
		uint64_t addr;
		struct {
			uint32_t level;
			uint32_t optname;
		};
	};
	uint64_t addr3, tail;
	uint32_t op, flags;
	uint32_t len, optlen;
	uint32_t room;		/* bytes the client has for an address */
	uint16_t buf_index;
	bool fault;		/* the value of the option could not be read */
	void *value;		/* owned (rd_stage_new()): an option or an address */
	void *out;		/* in client memory, held by req->mem */
};

#endif
