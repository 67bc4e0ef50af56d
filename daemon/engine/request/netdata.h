/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What requests about sockets carry; part of struct rd_req. */
#ifndef RD_NETDATA_H
#define RD_NETDATA_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/common/list.h"
#include "../rsrc/zcrx.h"

struct rd_file;
struct rd_mem;
struct rd_msg;			/* ops/msg.h */
struct rd_uring_io;

struct rd_net {			/* SEND SENDMSG RECV RECVMSG SEND_ZC SENDMSG_ZC */
	struct iovec one;	/* the segment when nr == 1 */
	struct iovec *vec;	/* &one, or the request's own array (rd_net_alloc()); what has been moved is cut off */
	struct rd_mem **owners;	/* of vec's segments, held; NULL: req->mem is the owner */
	uint64_t want;		/* bytes of all segments, those that are done included */
	uint64_t done;		/* bytes moved by earlier attempts */
	uint32_t nr;
	uint32_t asked;		/* sqe->len; with BUFFER_SELECT: bytes wanted, 0: all that the buffer holds */
	uint32_t left;		/* of a multishot receive: bytes until it ends, 0: it has no limit */
	uint32_t take;		/* bytes that a bundle is known to find, 0: unknown, it begins with one buffer */
	uint32_t offered;	/* bytes there was room for, or that there were, in the last attempt */
	int32_t head;		/* of the group when the last buffers were taken; see bundle.c */
	uint32_t kind;		/* file->flags when it began: for workers, of others some change meanwhile */
	uint32_t msg_flags;	/* MSG_* as asked, without what is for nobody but the kernel */
	struct rd_msg *msg;	/* *MSG: what the message has besides its data; else NULL */
	void *name;		/* destination of a SEND: &small, or rd_stage_new() */
	struct sockaddr_in6 small;
	int at;			/* where a path that the name is starts, kept open by at_mem; see net_away.c */
	struct rd_mem *at_mem;
	bool placed;		/* at is known */
	bool patient;		/* a worker may wait */
	uint16_t namelen;	/* 0: none */
	uint16_t ioprio;	/* RINGD_RECVSEND_* */
	uint16_t buf_index;	/* or group */
	uint8_t rounds;		/* readiness reported and still nothing there */
	bool send;
	bool home;		/* the client is this process */
	bool dry;		/* the last buffers of this CQE were the last ones there were */
	bool carried;		/* control messages came with what was received last */
};

struct rd_sendzc {		/* SEND_ZC SENDMSG_ZC */
	struct rd_net net;	/* first: what is done with req->net is done with this */
	struct rd_link parts;	/* attempts whose data the kernel has */
	struct rd_uring_io *sending;	/* the one that is not answered yet */
	bool used, copied;	/* some of the data was sent without a copy; with one */
};

struct rd_recv_zc {
	struct rd_zcrx *zcrx;		/* a reference */
	struct rd_zcrx_waiter waiter;
	uint32_t left;			/* of the limit */
	bool limited;
	bool claimed;			/* RD_FILE_ZCRX of the file is ours */
};

struct rd_socketop {		/* SOCKET; of LISTEN and SHUTDOWN their one number */
	int domain, type, protocol;
	uint32_t file_index;
	int arg;
	struct rd_file *file;	/* reserved for it, or its own while a worker makes it */
	int fd;			/* the worker's, until finish() has given it away; else -1 */
};

struct rd_socknameop {		/* BIND, CONNECT */
	struct sockaddr *addr;	/* owned (rd_stage_new()), with room for a byte behind it */
	uint32_t len;
	int at;			/* where a path in it starts, kept open by req->mem */
	uint32_t mask;		/* the client's umask */
	bool connecting;	/* a connect() is under way */
	bool in_ring;		/* counted in engine->ring_connects */
	bool at_fs;		/* the address is a path */
};

struct rd_acceptop {
	uint64_t addr, addrlen;	/* the client's, for the peer's address and its length */
	uint32_t flags;		/* SOCK_* */
	uint32_t file_index;
	uint16_t ioprio;
	bool waited;		/* armed, exclusively, at some time */
	bool more;		/* more connections may be pending */
	int fd;			/* somebody else's accept(), until finish() has given it away; else -1 */
	struct rd_file *file;	/* reserved for it */
	struct rd_peer *peer;	/* owned (rd_stage_new()): where somebody else stores the peer's address; NULL: not wanted */
};

#endif
