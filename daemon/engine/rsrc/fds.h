/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors that a message brought, on their way to the client or to their end. They are nobody's files here: nothing is
 * read, written or waited for through them. Whoever sent them decides how long the close of one takes (a socket
 * that lingers), so a worker does it.
 */
#ifndef RD_FDS_H
#define RD_FDS_H

#include <stdint.h>

#include "charge.h"
#include "../exec/work.h"

struct rd_engine;

#define RD_FDS_MAX 253		/* in one message: the kernel's own limit */

struct rd_fds {
	struct rd_work work;
	struct rd_engine *engine;
	struct rd_charge charge;	/* FILES, one each; no user: over budget, to be closed */
	void (*closed)(void *arg);
	void *arg;
	uint32_t n;
	int fds[];
};

/*
 * Takes n descriptors and the charge for at least as many over; what is charged too much is given back. NULL: no memory, then
 * they are closed.
 */
struct rd_fds *rd_fds_new(struct rd_engine *engine, const int *fds, uint32_t n, struct rd_charge *charge);
/* Close those from keep on, on a worker; how many that leaves. */
uint32_t rd_fds_cut(struct rd_fds *fds, uint32_t keep);
/* Close them all, on a worker; closed(arg), which may be NULL, is called on this thread when that is done. NULL: nothing. */
void rd_fds_close(struct rd_fds *fds, void (*closed)(void *arg), void *arg);

#endif
