/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_CREDS_H
#define RD_CREDS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * What decides whether the calling thread may do something with a path, and where that leads: ids, groups, capabilities, root
 * and working directory. Threads with the same number can stand in for each other, if they share what the next tells of.
 */
uint64_t rd_creds_key(void);
/*
 * Does this other thread of the process share root, working directory and umask with the calling one? Then it shares the
 * mounts, too. 1, 0; -1: that thread is no more, or it cannot be known here.
 */
int rd_creds_share_fs(pid_t tid);
/* Who the calling thread is: of the same, ids, groups and capabilities. */
uint64_t rd_creds_identity(void);

#endif
