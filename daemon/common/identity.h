/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an engine process turns itself into before it serves anybody. */
#ifndef RD_IDENTITY_H
#define RD_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct rd_identity {
	bool change;		/* take on uid, gid and groups (needs root); false: stay who we are */
	uid_t uid;
	gid_t gid;
	gid_t *groups;		/* heap, rd_identity_deinit() */
	size_t n_groups;
	int user_ns;		/* descriptors of what is to be joined, -1: stay; closed by rd_identity_assume() */
	int mnt_ns;
	int net_ns;
	int root;
};

#define RD_IDENTITY_GROUPS	1024	/* more supplementary groups than this are refused */

void rd_identity_init(struct rd_identity *id);
void rd_identity_deinit(struct rd_identity *id);
/* "UID:GID:G1,G2,..." (the list may be empty) into id, which was initialised. 0, -EINVAL or -ENOMEM. */
int rd_identity_parse(struct rd_identity *id, const char *text);
/* The same text for others to parse; heap, NULL when out of memory. */
char *rd_identity_format(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups);
/*
 * Join the namespaces and the root, take on the ids, give up every capability for ever, be in a session of our own,
 * not dumpable, with an empty environment and umask 022. One thread only. 0, or -errno and *step names what failed:
 * the process is then in between and must end.
 */
int rd_identity_assume(struct rd_identity *id, const char **step);

#endif
