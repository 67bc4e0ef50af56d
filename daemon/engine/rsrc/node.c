/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "node.h"

/* The tag is in the CQ, or never will be. */
static void tag_released(struct rd_held *held)
{
	struct rd_node *node = RD_CONTAINER_OF(held, struct rd_node, held);

	node->free(node);
}

void rd_node_finish(struct rd_node *node)
{
	struct rd_tag_sink *sink = node->sink;

	if (!sink) {
		node->free(node);
		return;
	}
	node->sink = NULL;
	node->held = (struct rd_held){ .user_data = node->tag, .release = tag_released };
	rd_list_init(&node->held.link);
	/* first the count: post() may be what lets the ring go */
	sink->nodes--;
	sink->post(sink, &node->held);
}
