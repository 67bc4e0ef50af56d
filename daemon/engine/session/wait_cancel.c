/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SYNC_CANCEL that goes on without the reactor: it looks again after a while, until it has its answer, or the ring or the
 * client is gone. Meanwhile the connection is read as ever: a client that is gone must be noticed, and one that says more has
 * broken the protocol.
 */
#include "session.h"

struct rd_wait_cancel {
	struct rd_session *session;
	struct event *timer;
	uint32_t ring_id;
	struct rd_sync_cancel *sc;
};

void rd_wait_cancel_drop(struct rd_session *session)
{
	struct rd_wait_cancel *wait = session->wait_cancel;

	if (!wait)
		return;
	session->wait_cancel = NULL;
	event_free(wait->timer);
	rd_sync_cancel_free(wait->sc);
	free(wait);
}

static void look_again_after(struct rd_wait_cancel *wait, uint64_t us)
{
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };

	event_add(wait->timer, &tv);
}

static void answer(struct rd_session *session, int r)
{
	rd_wait_cancel_drop(session);
	if (r < 0)
		rd_session_answer_error(session, r);
	else
		rd_session_answer_res(session, r);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rd_wait_cancel *wait = arg;
	struct rd_session *session = wait->session;
	struct rd_reg reg;
	uint64_t us = 0;
	int r;

	(void)fd;
	(void)what;
	rd_session_get(session);
	session->text[0] = 0;
	rd_session_reg(session, &reg);
	r = rd_session_reg_ring(session, &reg, wait->ring_id);
	if (r == 0)
		r = rd_sync_cancel_look(wait->sc, &reg, &us);
	if (r == -EALREADY)
		look_again_after(wait, us);
	else
		answer(session, r);
	rd_session_put(session);
}

int rd_wait_cancel(struct rd_reg *reg, struct rd_sync_cancel *sc, uint64_t pause_us)
{
	struct rd_session *session = RD_CONTAINER_OF(reg->host, struct rd_session, host);
	struct rd_wait_cancel *wait = calloc(1, sizeof(*wait));

	if (wait)
		wait->timer = evtimer_new(session->service->engine.reactor->base, on_timer, wait);
	if (!wait || !wait->timer) {
		free(wait);
		rd_sync_cancel_free(sc);
		return rd_refuse(session, -ENOMEM, "the engine is out of memory");
	}
	wait->session = session;
	wait->ring_id = rd_hostring_id(reg->ring);
	wait->sc = sc;
	session->wait_cancel = wait;
	look_again_after(wait, pause_us);
	reg->later = true;
	return 0;
}
