/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reasons in words. A failed request is answered with the engine's own words (which limit, which policy); failures on
 * this side are worded here, with the errno's text behind them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

#define NO_ERROR	"no error"

void rdl_text(char *text, size_t size, int err, const char *what)
{
	errno = -err;
	snprintf(text, size, "%s: %m", what);
}

int rdl_fail(struct ringd *rd, int err, const char *fmt, ...)
{
	char what[RINGD_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	rdl_text(rd->text, sizeof(rd->text), err, what);
	rd->failed = true;
	return err;
}

static const char *const reasons[] = {
	[RINGD_REASON_NONE] = "the engine is gone",
	[RINGD_REASON_SQ_TAIL] = "ring ended: the SQ tail is more than sq_entries ahead of the head",
	[RINGD_REASON_CQ_HEAD] = "ring ended: the CQ head is beyond the tail or more than cq_entries behind it",
	[RINGD_REASON_FREED] = "ring ended: it was freed or its connection was closed",
	[RINGD_REASON_SHUTDOWN] = "ring ended: the engine was stopped",
};

const char *ringd_ring_strerror(const struct ringd_ring *ring)
{
	uint32_t reason;

	if (!rdl_is_dead(ring) && rdl_load(&ring->hot->state) != RINGD_STATE_DEAD)
		return ringd_strerror(ring->rd);
	reason = rdl_load(&ring->hot->reason);
	if (reason >= sizeof(reasons) / sizeof(reasons[0]))
		return "ring ended for a reason that this libringd does not know";
	return reasons[reason];
}

static _Thread_local char connect_text[sizeof(((struct ringd *)NULL)->text)];

void rdl_connect_text(const char *text)
{
	snprintf(connect_text, sizeof(connect_text), "%s", text);
}

const char *ringd_strerror(const struct ringd *rd)
{
	if (!rd)
		return connect_text[0] ? connect_text : NO_ERROR;
	return rd->failed ? rd->text : NO_ERROR;
}
