/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A single death of an engine that had worked is forgiven: its tenant gets a new one with the next connect. One that
 * dies at its start, or again and again, is started less and less often, so that a tenant who kills its engine in a
 * loop does not keep a CPU busy with exec.
 */
#include "backoff.h"

#include "daemon/common/util.h"

void rd_backoff_died(struct rd_backoff *b, uint64_t started_ns, uint64_t now_ns)
{
	bool young = now_ns - started_ns < RD_BACKOFF_YOUNG_NS;
	bool again = b->died_ns && now_ns - b->died_ns < RD_BACKOFF_MEMORY_NS;

	b->died_ns = now_ns;
	if (!again)
		b->delay_ns = 0;
	if (!young && !again) {
		b->until_ns = now_ns;
		return;
	}
	b->delay_ns = b->delay_ns ? RD_MIN(b->delay_ns * 2, RD_BACKOFF_MAX_NS) : RD_BACKOFF_MIN_NS;
	b->until_ns = now_ns + b->delay_ns;
}

uint64_t rd_backoff_wait(const struct rd_backoff *b, uint64_t now_ns)
{
	return b->until_ns > now_ns ? b->until_ns - now_ns : 0;
}
