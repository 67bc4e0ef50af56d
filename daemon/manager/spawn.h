/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting an engine process. */
#ifndef RD_SPAWN_H
#define RD_SPAWN_H

#include <sys/types.h>

#include "config.h"
#include "peer.h"

struct rd_spawn {
	const struct rd_config *cfg;
	const struct rd_peer *peer;	/* the client it is started for: identity and what to join */
	const char *runtime_dir;	/* its own */
	int link;			/* becomes RD_LINK_FD */
};

/* 0 and the child, or -errno. *pidfd is the caller's. A failing exec shows as exit status 127. */
int rd_spawn(const struct rd_spawn *s, pid_t *pid, int *pidfd);

#endif
