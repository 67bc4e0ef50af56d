/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing what clients sent. The last close of a FUSE or NFS file, of a lingering socket or of a tty can take for ever, and
 * so can closing a UNIX socket that has such descriptors in its queue. The reactor never does it.
 *
 * The descriptors came before they could be charged. When the files budget has room they are charged until they are
 * closed; when not, they still hold their session and with it its place in the clients budget, so they are bounded.
 */
#include <string.h>

#include "session.h"

struct rd_closer {
	struct rd_work work;
	struct rd_service *service;
	struct rd_session *session;	/* may be NULL */
	struct rd_charge charge;	/* FILES, if there was room */
	size_t n;
	int fds[];
};

static void closer_run(struct rd_work *work)
{
	struct rd_closer *c = RD_CONTAINER_OF(work, struct rd_closer, work);

	for (size_t i = 0; i < c->n; i++)
		rd_close(c->fds[i]);
}

static void closer_done(struct rd_work *work)
{
	struct rd_closer *c = RD_CONTAINER_OF(work, struct rd_closer, work);
	struct rd_service *service = c->service;

	rd_charge_give(&c->charge);
	service->jobs--;
	if (c->session)
		rd_session_put(c->session);
	free(c);
	rd_service_settled(service);
}

static size_t count_open(const int *fds, size_t n)
{
	size_t open = 0;

	for (size_t i = 0; i < n; i++)
		open += fds[i] >= 0;
	return open;
}

void rd_closer_close(struct rd_service *service, struct rd_session *session, int *fds, size_t n)
{
	size_t open = count_open(fds, n);
	struct rd_closer *c;

	if (!open)
		return;
	c = calloc(1, sizeof(*c) + open * sizeof(c->fds[0]));
	for (size_t i = 0; i < n; i++) {
		int fd = rd_steal_fd(&fds[i]);

		if (fd < 0)
			continue;
		if (c)
			c->fds[c->n++] = fd;
		else
			rd_close(fd);	/* out of memory: a descriptor kept for ever would be worse than a pause */
	}
	if (!c)
		return;
	if (rd_charge_take(&c->charge, &service->engine.user, RINGD_LIMIT_FILES, open) < 0)
		c->charge.user = NULL;
	c->service = service;
	c->session = session;
	if (session)
		rd_session_get(session);
	c->work = (struct rd_work){ .run = closer_run, .done = closer_done, .unbounded = 1 };
	rd_list_init(&c->work.link);
	service->jobs++;
	rd_workers_queue(service->engine.workers, &c->work);
}
