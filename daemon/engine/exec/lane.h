/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lanes: works with the same hash run one after another. The leader of a lane is runnable or running; the others wait
 * on the leader's list and are on no queue, so they hold up nobody. Leaders are found by hash in the buckets, chained
 * by ->next. The caller has the lock.
 */
#ifndef RD_LANE_H
#define RD_LANE_H

#include <stdbool.h>
#include <stddef.h>

#include "work.h"

#define RD_LANE_BITS	8

struct rd_lanes {
	struct rd_work *bucket[1 << RD_LANE_BITS];
};

/* The place that points to the leader of this hash, or where it would be. */
static inline struct rd_work **rd_lane_find(struct rd_lanes *lanes, uint64_t hash)
{
	struct rd_work **slot = &lanes->bucket[(hash * 0x9e3779b97f4a7c15u) >> (64 - RD_LANE_BITS)];

	while (*slot && (*slot)->hash != hash)
		slot = &(*slot)->next;
	return slot;
}

/* True: it leads its lane and may run. */
static inline bool rd_lane_join(struct rd_lanes *lanes, struct rd_work *work)
{
	struct rd_work **slot = rd_lane_find(lanes, work->hash);

	if (*slot) {
		rd_list_append(&(*slot)->lane, &work->lane);
		return false;
	}
	rd_list_init(&work->lane);
	work->next = NULL;
	*slot = work;
	return true;
}

/* True: it left. False: it is the leader, use rd_lane_pass(). */
static inline bool rd_lane_leave(struct rd_lanes *lanes, struct rd_work *work)
{
	if (*rd_lane_find(lanes, work->hash) == work)
		return false;
	rd_list_remove(&work->lane);
	return true;
}

/* The leader leaves. Returns the next leader, which may run now, or NULL. */
static inline struct rd_work *rd_lane_pass(struct rd_lanes *lanes, struct rd_work *leader)
{
	struct rd_work **slot = rd_lane_find(lanes, leader->hash), *heir;

	if (rd_list_empty(&leader->lane)) {
		*slot = leader->next;
		return NULL;
	}
	heir = rd_list_first(&leader->lane, struct rd_work, lane);
	/* takes the old head out of the circle: the heir's own link is the head of the rest */
	rd_list_remove(&leader->lane);
	heir->next = leader->next;
	*slot = heir;
	return heir;
}

#endif
