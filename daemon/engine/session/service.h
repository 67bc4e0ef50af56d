/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service host: one engine process that serves the clients the manager hands over. */
#ifndef RD_SERVICE_H
#define RD_SERVICE_H

#include "../engine.h"

/*
 * Serve until RD_LINK_STOP, SIGTERM, or the manager is gone and the last client has left. link_fd: the SOCK_SEQPACKET end
 * of daemon/common/link.h, taken over. Identity is already the tenant's. 0 or -errno.
 */
int rd_service_run(const struct rd_engine_config *cfg, int link_fd);

#endif
