/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Personalities: who a thread was when it registered one. Only the kernel can make a request as somebody who the thread is
 * not any more. Here it is refused then, because it must not be made as somebody else either.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/engine/exec/creds.h"
#include "call.h"

struct rd_local_who {
	struct rd_local_who *next;
	uint32_t id;
	uint64_t identity;
};

static struct rd_local_who **find(struct rd_local_regs *regs, uint32_t id)
{
	struct rd_local_who **w = &regs->who;

	while (*w && (*w)->id != id)
		w = &(*w)->next;
	return w;
}

static void forget(struct rd_local_who **w)
{
	struct rd_local_who *gone = *w;

	if (!gone)
		return;
	*w = gone->next;
	free(gone);
}

int rd_local_who_add(struct rd_local_regs *regs, uint32_t id)
{
	struct rd_local_who *who = calloc(1, sizeof(*who));

	if (!who)
		return -ENOMEM;
	*who = (struct rd_local_who){ .next = regs->who, .id = id, .identity = rd_creds_identity() };
	regs->who = who;
	return 0;
}

void rd_local_who_forget(struct rd_local_regs *regs, uint32_t id)
{
	forget(find(regs, id));
}

void rd_local_who_drop(struct rd_local_regs *regs)
{
	while (regs->who)
		forget(&regs->who);
}

int rd_local_may_be(struct rd_host *host, struct rd_ctx *ctx, uint16_t id)
{
	const struct rd_local_ring *lr = RD_CONTAINER_OF(ctx, struct rd_ring, ctx)->host_data;
	const struct rd_local_who *who = lr && lr->regs ? *find(lr->regs, id) : NULL;

	(void)host;
	return who && who->identity == rd_creds_identity() ? 0 : -EPERM;
}
