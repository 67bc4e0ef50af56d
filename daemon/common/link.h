/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between the manager and an engine, on a SOCK_SEQPACKET pair made by the manager (descriptor RD_LINK_FD in
 * the engine). Both ends are ours, but the engine runs as the tenant: the manager believes nothing it says beyond
 * what it may show to that same tenant.
 */
#ifndef RD_LINK_H
#define RD_LINK_H

#include "proto/wire.h"

#define RD_LINK_FD	3	/* the engine's end */

/* manager -> engine */
#define RD_LINK_CLIENT	1	/* rd_link_client + fd: a client that said a good HELLO; the engine answers it. A second fd
				 * is a pidfd of the process that connected, when that is known: the session ends with it */
#define RD_LINK_STATS	2	/* rd_link_msg -> rd_link_stats with the same cookie */
#define RD_LINK_STOP	3	/* rd_link_msg: end all rings, exit 0 */
#define RD_LINK_ASK_RING 6	/* rd_link_ask_ring -> rd_link_text with the same cookie */
/* engine -> manager */
#define RD_LINK_READY	4	/* rd_link_msg: identity dropped, reactor runs */
#define RD_LINK_LOAD	5	/* rd_link_load: sent whenever a client came or went */
#define RD_LINK_TEXT	7	/* rd_link_text: a piece of the answer to ASK_RING; all but the last have more set */

struct rd_link_msg {
	uint32_t type;
	uint32_t cookie;
};

#define RD_CLIENT_NO_PATHS	0x1	/* its mount namespace or root is not the engine's: -EPERM for every path */
#define RD_CLIENT_NO_NETWORK	0x2	/* its network namespace is not the engine's: -EACCES for every new socket */

struct rd_link_client {
	struct rd_link_msg msg;
	uint32_t hello_seq;	/* seq of the HELLO that the engine's welcome answers */
	uint32_t version;	/* chosen by the manager */
	int32_t pid;
	uint32_t flags;		/* RD_CLIENT_* */
};

struct rd_link_load {
	struct rd_link_msg msg;
	uint64_t attached;	/* RD_LINK_CLIENTs taken so far */
	uint64_t clients;	/* connected now */
};

struct rd_link_stats {
	struct rd_link_msg msg;
	struct ringd_status status;	/* msg, engine_pid, uid, gid, restarts are filled in by the manager */
};

struct rd_link_ask_ring {
	struct rd_link_msg msg;
	uint32_t ring;		/* its number in the engine; 0: a list of all */
	uint32_t resv;
};

#define RD_LINK_PIECE	4096	/* bytes of text in a packet */
#define RD_LINK_TEXT_MAX (128u << 10)	/* all pieces together */

struct rd_link_text {
	struct rd_link_msg msg;
	int32_t res;		/* 0; -ENOENT: no such ring */
	uint32_t more;
	uint32_t len;		/* of text; the packet ends behind it */
	uint32_t resv;
	char text[RD_LINK_PIECE];
};

#endif
