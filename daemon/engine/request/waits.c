/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "waits.h"

#include "daemon/common/util.h"
#include "request.h"

#define RD_WAITS_MIN	64		/* buckets */
#define RD_WAITS_MAX	16384		/* moving everybody to a table twice as big takes time: beyond this, chains grow */

static struct rd_req **bucket(struct rd_waits *waits, uint64_t user_data)
{
	uint64_t hash = user_data * 0x9e3779b97f4a7c15u;

	return waits->buckets ? &waits->buckets[(hash >> 32) & waits->mask] : &waits->first;
}

static void insert(struct rd_waits *waits, struct rd_req *req)
{
	struct rd_req **head = bucket(waits, req->user_data);

	req->same = *head;
	if (*head)
		(*head)->same_prev = &req->same;
	req->same_prev = head;
	*head = req;
}

static void move_all(struct rd_waits *waits, struct rd_req *chain)
{
	struct rd_req *next;

	for (; chain; chain = next) {
		next = chain->same;
		insert(waits, chain);
	}
}

static void grow(struct rd_waits *waits)
{
	uint32_t size = waits->buckets ? 4 * (waits->mask + 1) : RD_WAITS_MIN;
	struct rd_waits old = *waits;
	struct rd_req **buckets = calloc(size, sizeof(struct rd_req *));

	if (!buckets)
		return;
	waits->buckets = buckets;
	waits->mask = size - 1;
	waits->first = NULL;
	move_all(waits, old.first);
	for (uint32_t i = 0; old.buckets && i <= old.mask; i++)
		move_all(waits, old.buckets[i]);
	free(old.buckets);
}

void rd_waits_add(struct rd_req *req)
{
	struct rd_waits *waits = &req->ctx->waits;

	if (RD_UNLIKELY(waits->n > 2 * waits->mask + 8) && waits->mask + 1 < RD_WAITS_MAX)
		grow(waits);
	insert(waits, req);
	waits->n++;
}

void rd_waits_remove(struct rd_req *req)
{
	struct rd_waits *waits = &req->ctx->waits;

	if (!req->same_prev)
		return;
	*req->same_prev = req->same;
	if (req->same)
		req->same->same_prev = req->same_prev;
	req->same_prev = NULL;
	if (--waits->n == 0 && waits->mask >= 4 * RD_WAITS_MIN) {
		free(waits->buckets);
		*waits = (struct rd_waits){ 0 };
	}
}

struct rd_req *rd_waits_find(struct rd_ctx *ctx, uint8_t opcode, uint64_t user_data)
{
	for (struct rd_req *req = *bucket(&ctx->waits, user_data); req; req = req->same) {
		ctx->moved += RD_SCAN_BYTES;
		if (req->opcode == opcode && req->user_data == user_data &&
		    (req->state == RD_REQ_WAIT || req->state == RD_REQ_WORK))
			return req;
	}
	return NULL;
}

void rd_waits_deinit(struct rd_waits *waits)
{
	free(waits->buckets);
	*waits = (struct rd_waits){ 0 };
}
