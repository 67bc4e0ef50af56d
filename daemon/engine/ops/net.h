/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all that move data through sockets need; see net.c. */
#ifndef RD_NET_H
#define RD_NET_H

#include <stdint.h>
#include <sys/types.h>

struct iovec;
struct msghdr;
struct rd_net;
struct rd_req;
struct ringd_sqe;

#define RD_NET_MAX	((uint64_t)0x7ffff000)	/* bytes in one transfer: the kernel's own limit */
#define RD_NET_CHUNK	(1u << 20)	/* bytes in one call: longer copies would keep other rings waiting */
#define RD_NET_ROUNDS	128		/* readiness without data in a row before only news count */
#define RD_NET_AWAY	(-5000)		/* an attempt on this thread could sleep: none was made, a worker makes one */
#define RD_NET_BURST	32		/* transfers in a row, then others have their turn */

/* What every prep begins with: ioprio must have no flags but those allowed; nothing is pointed to yet. 0, -EINVAL. */
int rd_net_prep(struct rd_req *req, const struct ringd_sqe *sqe, uint16_t allowed);
/* The one segment of the SQE (addr, len); addresses stay the client's until rd_net_start(). */
void rd_net_one(struct rd_req *req, uint64_t addr, uint64_t len);
/* Copy nr (up to RINGD_MAX_IOVECS) segments in: 0, -EINVAL, -EFAULT, -EDQUOT, -ENOMEM; nothing is left to free then. */
int rd_net_segments(struct rd_req *req, uint64_t addr, uint32_t nr);
/* A destination: copy len bytes in. 0, -EINVAL, -EFAULT, -EDQUOT, -ENOMEM. */
int rd_net_name(struct rd_req *req, uint64_t addr, uint32_t len);
/* First issue: is it a socket, and the segments become our addresses (not with BUFFER_SELECT). 0, -ENOTSOCK, -EFAULT. */
int rd_net_start(struct rd_req *req);
/* The same and POLL_FIRST: RD_NET_GO, or what issue() returns. */
#define RD_NET_GO	(-1)
int rd_net_begin(struct rd_req *req);
/* One attempt to move what is left, never waiting: bytes, or -errno, or RD_NET_AWAY. extra: MSG_* besides those asked for. */
ssize_t rd_net_transfer(struct rd_req *req, uint32_t extra);
/* What that is about: segments (piece is room for one that has to be cut), and when it is sent address and control messages. 0, or
 * what the attempt comes to. */
int rd_net_message(struct rd_req *req, struct msghdr *mh, struct iovec *piece);
/* Cut n bytes that were moved off the segments, and count them. */
void rd_net_advance(struct rd_req *req, uint64_t n);
/* Is what comes short to be completed by further attempts? (MSG_WAITALL, where there are no messages to keep apart) */
_Bool rd_net_goes_on(const struct rd_req *req);
/* Is it a stream of the kinds that are known: a call that says there is nothing will be followed by an event? */
_Bool rd_net_is_plain(const struct rd_req *req);
/* Bytes that a stream has for us now; 0 also when it does not say. */
uint32_t rd_net_queued(const struct rd_req *req);
/* The flags of its call. */
uint32_t rd_net_flags(const struct rd_net *net);
/* It has come to n: RD_NET_GO when another one is to be made, or what issue() returns. */
int rd_net_attempted(struct rd_req *req, ssize_t n);
/* Attempts until all is moved, it fails or it has to wait: as issue(). The way of those that bring their segments. */
int rd_net_run(struct rd_req *req);
/* An attempt moved nothing, n <= 0 says why: wait, or end with what was moved before. As issue(). */
int rd_net_idle(struct rd_req *req, ssize_t n);
/* It ends with res: RD_DONE. */
int rd_net_done(struct rd_req *req, int64_t res);
/* What issue() returns for a request that must wait: after -EAGAIN; or without an attempt, or when there may be more. */
int rd_net_wait(struct rd_req *req);
int rd_net_look(struct rd_req *req);
/* issue() of what needs nothing else. */
int rd_net_issue(struct rd_req *req, unsigned int issue_flags);

/* --- net_away.c: attempts that could sleep, on a worker --- */
/* Would sending it look up a name, give the kernel descriptors to keep, or do what we do not know? */
_Bool rd_net_sleeps(const struct rd_req *req);
/* Is it a send that no event would follow when there is room for it, and so a worker's to try again? */
_Bool rd_net_unheard(const struct rd_req *req);
/* An attempt came to RD_NET_AWAY: as issue(). */
int rd_net_away(struct rd_req *req);
/* Let go of what was looked up for that. */
void rd_net_forget_place(struct rd_req *req);

#endif
