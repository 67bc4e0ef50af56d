/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fds.h"

#include <string.h>

#include "daemon/common/util.h"
#include "../engine.h"
#include "../exec/workers.h"

/* Worker thread. */
static void close_run(struct rd_work *work)
{
	struct rd_fds *fds = RD_CONTAINER_OF(work, struct rd_fds, work);

	for (uint32_t i = 0; i < fds->n; i++)
		rd_close(fds->fds[i]);
}

static void close_done(struct rd_work *work)
{
	struct rd_fds *fds = RD_CONTAINER_OF(work, struct rd_fds, work);

	if (!fds->charge.user)
		fds->engine->strays -= fds->n;
	rd_charge_give(&fds->charge);
	if (fds->closed)
		fds->closed(fds->arg);
	free(fds);
}

/* The charge of n descriptors out of one for more. */
static struct rd_charge part_of(struct rd_charge *charge, uint32_t n)
{
	struct rd_charge part = *charge;

	if (!charge->user)
		return part;
	part.amount = n;
	charge->amount -= n;
	return part;
}

struct rd_fds *rd_fds_new(struct rd_engine *engine, const int *fds, uint32_t n, struct rd_charge *charge)
{
	struct rd_fds *new = calloc(1, sizeof(*new) + n * sizeof(new->fds[0]));

	/* out of memory: descriptors kept for ever would be worse than a pause */
	for (uint32_t i = 0; i < n && !new; i++)
		rd_close(fds[i]);
	if (new) {
		new->engine = engine;
		new->charge = part_of(charge, n);
		new->n = n;
		memcpy(new->fds, fds, n * sizeof(fds[0]));
	}
	rd_charge_give(charge);
	return new;
}

uint32_t rd_fds_cut(struct rd_fds *fds, uint32_t keep)
{
	struct rd_charge charge;
	uint32_t cut = fds->n - keep;

	charge = part_of(&fds->charge, cut);
	fds->n = keep;
	if (cut)
		rd_fds_close(rd_fds_new(fds->engine, fds->fds + keep, cut, &charge), NULL, NULL);
	return keep;
}

void rd_fds_close(struct rd_fds *fds, void (*closed)(void *arg), void *arg)
{
	if (!fds)
		return;
	if (!fds->charge.user)
		fds->engine->strays += fds->n;
	fds->closed = closed;
	fds->arg = arg;
	fds->work = (struct rd_work){ .run = close_run, .done = close_done, .unbounded = 1 };
	rd_list_init(&fds->work.link);
	if (fds->engine->workers) {
		rd_workers_queue(fds->engine->workers, &fds->work);
		return;
	}
	close_run(&fds->work);
	close_done(&fds->work);
}
