/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connecting to a ringd that may be slow: the library gives up after some seconds, and so does the manager. */
#ifndef RD_TEST_CONNECT_H
#define RD_TEST_CONNECT_H

#include <errno.h>

#include "client-lib/ringd.h"

static inline int rd_connect_patiently(struct ringd **rd, const char *socket)
{
	int r, tries = 0;

	do
		r = ringd_connect(rd, socket);
	while (r == -ETIMEDOUT && ++tries < 20);
	return r;
}

#endif
