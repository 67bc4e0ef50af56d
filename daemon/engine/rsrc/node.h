/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files and buffers of a table have in common: a count of who uses it (the table, running requests) and a tag
 * that becomes a CQE when the last user has gone. A completion that must wait for room in the CQ is kept in the very
 * object it speaks for (struct rd_held), so that holding it back never allocates.
 */
#ifndef RD_NODE_H
#define RD_NODE_H

#include <stdint.h>

#include "daemon/common/list.h"

/* A completion on its way to the CQ, or held back because the CQ is full. */
struct rd_held {
	struct rd_link link;
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	void (*release)(struct rd_held *held);	/* it is in the CQ, or never will be */
};

/* Who posts tags: the ring. NULL sink: posts are dropped (ring being torn down). */
struct rd_tag_sink {
	/* takes held over; held->release is called when done */
	void (*post)(struct rd_tag_sink *sink, struct rd_held *held);
};

struct rd_node {
	uint32_t refs;
	struct rd_tag_sink *sink;	/* outlives every node of its ring */
	uint64_t tag;			/* 0: none */
	struct rd_held held;		/* for the tag's CQE */
	void (*free)(struct rd_node *node);
};

static inline struct rd_node *rd_node_get(struct rd_node *node)
{
	node->refs++;
	return node;
}

/* The resource itself is gone (closed, unpinned): post the tag if there is one, then free the memory. */
void rd_node_finish(struct rd_node *node);

#endif
