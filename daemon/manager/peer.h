/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a client is: what the kernel says about the process that connected, never what that process says. */
#ifndef RD_PEER_H
#define RD_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct rd_file_id {
	uint64_t dev, ino;
	uint64_t mount;		/* root directory only: the same directory may be mounted twice with other rights */
};

/* What is the same for all processes of a tenant. All zero but for the ids when foreign. */
struct rd_tenant_key {
	uid_t uid;
	gid_t gid;
	gid_t *groups;		/* heap; sorted, each once */
	size_t n_groups;
	bool foreign;		/* its namespaces and root could not be looked at */
	struct rd_file_id user_ns, mnt_ns, net_ns, root;
};

/* The manager's own side of the comparison. */
struct rd_self {
	struct rd_tenant_key key;
	bool user;		/* serve our own uid only, change nothing */
	bool partial_ids;	/* our user namespace does not map all ids: the overflow uid may be anybody */
	uid_t overflow_uid;
};

struct rd_peer {
	struct rd_tenant_key key;
	pid_t pid;
	uid_t payer;		/* whose quota its engine counts on: the maker of its user namespace, else its uid */
	/* what its engine has to join, -1: nothing */
	int user_ns, mnt_ns, net_ns, root;
	int pidfd;		/* -1: not known, or it has ended */
	bool no_paths;		/* the engine will not see the files this peer sees */
	bool no_network;	/* ... nor its network */
};

/* 0, or -errno after the reason was logged: no usable /proc. */
int rd_self_init(struct rd_self *self, bool user);
void rd_self_deinit(struct rd_self *self);

/* The ids the peer had when it connected. 0 or -errno. */
int rd_peer_creds(int sock, struct ucred *ret);
/* 0, or the errno and text (static) to refuse it with: -EPERM. */
int rd_peer_allowed(const struct rd_self *self, uid_t uid, const char **text);
/*
 * Before Linux 6.5 a socket cannot give a pidfd of its peer; then one is opened by number, which is to be done as soon
 * as the connection is there, while that number still means the peer. -1: not needed or no such process.
 */
int rd_peer_early_pidfd(int sock, pid_t pid);
/* *peer is the caller's, rd_peer_deinit() also after failure. 0, -EPERM (too many groups), -ENOMEM, -errno. */
int rd_peer_identify(struct rd_peer *peer, int sock, int early_pidfd, const struct rd_self *self);
void rd_peer_init(struct rd_peer *peer);
void rd_peer_deinit(struct rd_peer *peer);

bool rd_tenant_key_equal(const struct rd_tenant_key *a, const struct rd_tenant_key *b);
/* ids and groups only */
bool rd_tenant_key_same_ids(const struct rd_tenant_key *a, const struct rd_tenant_key *b);
/* Sorts, drops repetitions; returns the new number. */
size_t rd_groups_normalise(gid_t *groups, size_t n);
/* Deep copy. 0 or -ENOMEM. */
int rd_tenant_key_copy(struct rd_tenant_key *ret, const struct rd_tenant_key *key);

#endif
