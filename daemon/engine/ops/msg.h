/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SENDMSG and RECVMSG: what a message has besides its data. A struct msghdr and all that it points to is read once, when the
 * request is prepared, into one private block; nothing in it is looked at again. What was received is written back when it is
 * there, to the addresses that were read then.
 */
#ifndef RD_MSG_H
#define RD_MSG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct rd_fds;
struct rd_file;
struct rd_msg_got;
struct rd_net;
struct rd_req;
struct ringd_sqe;

struct rd_msg_out {			/* of what is sent */
	struct sockaddr_storage name;
	uint32_t namelen;
	uint32_t controllen;
	int err;			/* what is wrong with the control data: the socket is looked at first */
	uint32_t nr;
	struct rd_file **files;		/* held: their numbers are in control */
	char *control;
};

struct rd_msg_in {			/* of what is received */
	uint64_t hdr;			/* the client's struct msghdr */
	uint64_t name, control;		/* where those go */
	uint32_t name_room;
	uint64_t control_room;
	uint32_t head;			/* multishot: bytes in front of the payload, */
	uint64_t buffer;		/* which are at this address of the client's in the attempt that is made */
	bool delivered;			/* that attempt has received something */
	struct rd_msg_got *got;		/* what a worker has received (rd_stage_new()) */
	/* descriptors that came, and what is told when they cannot be given to the client */
	struct rd_fds *fds;
	uint64_t numbers;
	uint64_t len_without;
	uint32_t flags;
	int32_t res;
};

struct rd_msg {
	union {
		struct rd_msg_out out;
		struct rd_msg_in in;
	};
};

/* --- msg.c --- */
/* Read the struct msghdr at addr, and what it points to: segments go to req->net, the rest to req->net.msg when there is any.
 * 0 or -errno; rd_msg_free() in any case. */
int rd_msg_import(struct rd_req *req, uint64_t addr);
void rd_msg_free(struct rd_req *req);
/* Name and control data of what is sent into mh. 0, or what the attempt comes to. */
int rd_msg_envelope(const struct rd_net *net, struct msghdr *mh);
/* Is it a message with descriptors? */
bool rd_msg_brings_files(const struct rd_net *net);

/* --- msg_in.c --- */
/*
 * recvmsg() without waiting, also for a RECV from a socket that may bring descriptors: bytes, or -errno, or RD_NET_AWAY. Of a
 * RECVMSG what it has brought is written back.
 */
ssize_t rd_msg_receive(struct rd_req *req, struct msghdr *mh, uint32_t flags);
/* The same in two parts: on a worker, and then on the reactor with the result of the first. */
ssize_t rd_msg_receive_work(struct rd_req *req, struct msghdr *mh, uint32_t flags);
ssize_t rd_msg_received(struct rd_req *req, ssize_t n);
/* What a worker has received goes with the request. */
void rd_msg_got_free(struct rd_req *req);
/* The descriptors that came could not be given to the client: the message says so. */
void rd_msg_take_back(struct rd_req *req);

#endif
