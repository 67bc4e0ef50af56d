/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_CREDS_H
#define RD_CREDS_H

#include <stdint.h>

/*
 * What decides whether the calling thread may do something with a path, and where that leads: ids, groups, capabilities, root and
 * working directory. Threads with the same number can stand in for each other, as far as that can be seen: of a umask that is not
 * shared nothing can.
 */
uint64_t rd_creds_key(void);
/* Who the calling thread is: of the same, ids, groups and capabilities. */
uint64_t rd_creds_identity(void);

#endif
