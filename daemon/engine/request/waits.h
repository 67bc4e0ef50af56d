/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding timeouts and polls by user_data, however many there are: a hash table of a ring's, of the requests that wait on
 * their own (not of those that wait inside another operation). It grows with them and goes with the last one.
 */
#ifndef RD_WAITS_H
#define RD_WAITS_H

#include <stdint.h>

struct rd_ctx;
struct rd_req;

struct rd_waits {
	struct rd_req **buckets;	/* NULL: there is only the first */
	struct rd_req *first;
	uint32_t mask;			/* number of buckets - 1 */
	uint32_t n;
};

/* Never fails: without memory for a bigger table the search takes longer. */
void rd_waits_add(struct rd_req *req);
/* Not there: nothing. */
void rd_waits_remove(struct rd_req *req);
/* One that waits, or that a worker waits for, or NULL. */
struct rd_req *rd_waits_find(struct rd_ctx *ctx, uint8_t opcode, uint64_t user_data);
/* Nobody is in it. */
void rd_waits_deinit(struct rd_waits *waits);

#endif
