/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files and buffers of a table have in common: a count of who uses it (the table, running requests) and a tag
 * that becomes a CQE when the last user has gone. A completion that must wait for room in the CQ is kept in the very
 * object it speaks for (struct rd_held), so that holding it back never allocates.
 */
#ifndef RD_NODE_H
#define RD_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/common/list.h"

/* A completion on its way to the CQ, or held back because the CQ is full. */
struct rd_held {
	struct rd_link link;
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
	uint64_t big[2];
	bool wide;				/* 32 bytes: big counts */
	void (*release)(struct rd_held *held);	/* it is in the CQ, or never will be */
};

/* Who posts tags: the ring. It is not freed while nodes is not 0. */
struct rd_tag_sink {
	uint32_t nodes;		/* tagged nodes that have not been posted */
	/* takes held over; held->release is called when done */
	void (*post)(struct rd_tag_sink *sink, struct rd_held *held);
};

struct rd_node {
	uint32_t refs;
	struct rd_tag_sink *sink;	/* NULL: no tag */
	uint64_t tag;			/* 0: none */
	struct rd_held held;		/* for the tag's CQE */
	void (*free)(struct rd_node *node);
};

static inline struct rd_node *rd_node_get(struct rd_node *node)
{
	node->refs++;
	return node;
}

/* Give a fresh node its tag (0: none); whoever registered it calls this before it can be removed again. */
static inline void rd_node_set_tag(struct rd_node *node, struct rd_tag_sink *sink, uint64_t tag)
{
	if (!tag)
		return;
	node->sink = sink;
	node->tag = tag;
	sink->nodes++;
}
/* The resource itself is gone (closed, unpinned): post the tag if there is one (sink->nodes--, then sink->post() with
 * res 0 and flags 0), then free the memory. */
void rd_node_finish(struct rd_node *node);
/* Forget the tag: a registration that failed half way, which posts nothing. */
static inline void rd_node_clear_tag(struct rd_node *node)
{
	if (node->sink)
		node->sink->nodes--;
	node->sink = NULL;
}

#endif
