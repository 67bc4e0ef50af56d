/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URING_CMD by kind of file. start: what issue() returns if that is more than 0, else the result. */
#ifndef RD_CMD_H
#define RD_CMD_H

#include "../request/request.h"
#include "../rsrc/stage.h"
#include "daemon/common/util.h"

/* --- cmd_socket.c --- */
/* What is read with the SQE already: the value of an option that is to be set. 0 or -errno. */
int rd_cmd_socket_prep(struct rd_req *req);
int rd_cmd_socket_start(struct rd_req *req);
void rd_cmd_socket_work(struct rd_req *req);
int rd_cmd_socket_finish(struct rd_req *req);

/* --- cmd_tstamp.c --- */
int rd_cmd_tstamp(struct rd_req *req);

/* --- cmd_block.c --- */
int rd_cmd_block_start(struct rd_req *req);
void rd_cmd_block_work(struct rd_req *req);

#endif
