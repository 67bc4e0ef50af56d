/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that both halves of rw need. RWF_* are the kernel's; our C library may know fewer. */
#ifndef RD_RW_H
#define RD_RW_H

#define RD_RWF_HIPRI		0x1u
#define RD_RWF_DSYNC		0x2u
#define RD_RWF_SYNC		0x4u
#define RD_RWF_NOWAIT		0x8u
#define RD_RWF_APPEND		0x10u
#define RD_RWF_NOAPPEND		0x20u
#define RD_RWF_ATOMIC		0x40u
#define RD_RWF_DONTCACHE	0x80u
#define RD_RWF_NOSIGNAL		0x100u
#define RD_RWF_ALL		0x1ffu

#define RD_RW_MAX		((uint64_t)0x7ffff000)	/* bytes in one transfer: the kernel's own limit */
#define RD_RW_INLINE_MAX	(1u << 20)	/* longer copies would keep other rings waiting: a worker's */
#define RD_RW_RING_MAX		(16u << 10)	/* beyond, what a batch in the kernel ring saves does not count */
#define RD_RW_ROUNDS		128	/* readiness without data before a worker takes over */

#define RD_RW_SELECT		1	/* not an error: it wants a provided buffer */

struct rd_bufsel;
struct rd_mem;
struct rd_req;

/* rw.c: the way of those that bring their own segments. Check flags and offset, look at the file: 0 or -errno. */
int rd_rw_start(struct rd_req *req);
/* One attempt with what rw->vec says, in our addresses; returns as issue(). */
int rd_rw_attempt(struct rd_req *req, unsigned int issue_flags);
/* rw_select.c: issue() of what has BUFFER_SELECT */
int rd_rw_select(struct rd_req *req, unsigned int issue_flags);
/* Take the next buffer of the request's group, *sel, and make it the request's segment. 0, -ENOBUFS, -EFAULT. */
int rd_rw_take(struct rd_req *req, struct rd_bufsel *sel, struct rd_mem **owner);
/* The request goes on elsewhere: the buffer is its own, req->cflags will tell of it. */
void rd_rw_keep(struct rd_req *req, struct rd_bufsel *sel, struct rd_mem *owner);

#endif
