/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identity of a peer. uid, gid and groups are those the socket recorded when it connected. Namespaces and root are
 * read from /proc/PID between getting a pidfd from the same socket and finding that process still alive: while it
 * lives its number cannot mean another. A process that changed its uid since then (a set-id program) is not looked
 * at: what /proc shows is then not what the connecting identity had.
 */
#include "peer.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "daemon/common/identity.h"
#include "daemon/common/log.h"
#include "daemon/common/util.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77		/* Linux 6.5 */
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U	/* Linux 5.8 */
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U	/* Linux 6.8; older kernels ignore the bit */
#endif

/* ---- keys ---- */

static int compare_gids(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

size_t rd_groups_normalise(gid_t *groups, size_t n)
{
	size_t out = 0;

	if (n > 1)
		qsort(groups, n, sizeof(*groups), compare_gids);
	for (size_t i = 0; i < n; i++)
		if (!out || groups[out - 1] != groups[i])
			groups[out++] = groups[i];
	return out;
}

static bool same_file(const struct rd_file_id *a, const struct rd_file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->mount == b->mount;
}

bool rd_tenant_key_same_ids(const struct rd_tenant_key *a, const struct rd_tenant_key *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->n_groups == b->n_groups &&
	       (a->n_groups == 0 || !memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)));
}

bool rd_tenant_key_equal(const struct rd_tenant_key *a, const struct rd_tenant_key *b)
{
	return rd_tenant_key_same_ids(a, b) && a->foreign == b->foreign && same_file(&a->user_ns, &b->user_ns) &&
	       same_file(&a->mnt_ns, &b->mnt_ns) && same_file(&a->net_ns, &b->net_ns) && same_file(&a->root, &b->root);
}

int rd_tenant_key_copy(struct rd_tenant_key *ret, const struct rd_tenant_key *key)
{
	gid_t *groups = malloc(RD_MAX(key->n_groups, (size_t)1) * sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	if (key->n_groups)
		memcpy(groups, key->groups, key->n_groups * sizeof(*groups));
	*ret = *key;
	ret->groups = groups;
	return 0;
}

/* ---- /proc ---- */

/*
 * Device and inode of an open file. Does not ask the file system: a root directory may be on FUSE, and its server
 * may never answer.
 */
static int file_id(int fd, struct rd_file_id *ret, bool with_mount)
{
	unsigned int mask = STATX_INO | (with_mount ? STATX_MNT_ID | STATX_MNT_ID_UNIQUE : 0);
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, mask, &sx) < 0)
		return -errno;
	ret->dev = (uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor;
	ret->ino = sx.stx_ino;
	ret->mount = 0;
	if (with_mount && sx.stx_mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE))
		memcpy(&ret->mount, (char *)&sx + 0x90, sizeof(ret->mount));	/* stx_mnt_id; older headers lack the name */
	return 0;
}

static int open_ns(int proc, const char *name, struct rd_file_id *id, int *ret)
{
	RD_CLOSE int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = file_id(fd, id, false);
	if (r == 0)
		*ret = rd_steal_fd(&fd);
	return r;
}

/* Opens what the process of that /proc directory lives in. On failure some may be open: the caller closes. */
static int look(int proc, struct rd_tenant_key *key, int *user_ns, int *mnt_ns, int *net_ns, int *root)
{
	int r = open_ns(proc, "ns/user", &key->user_ns, user_ns);

	if (r == 0)
		r = open_ns(proc, "ns/mnt", &key->mnt_ns, mnt_ns);
	if (r == 0)
		r = open_ns(proc, "ns/net", &key->net_ns, net_ns);
	if (r < 0)
		return r;
	*root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*root < 0)
		return -errno;
	return file_id(*root, &key->root, true);
}

/* The effective ids in /proc/PID/status, which everybody may read. */
static int proc_ids(int proc, uid_t *uid, gid_t *gid)
{
	RD_CLOSE int fd = openat(proc, "status", O_RDONLY | O_CLOEXEC);
	unsigned int euid, egid;
	const char *line;
	char buf[1024];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	line = strstr(buf, "\nUid:");	/* the kernel escapes newlines in the name before it */
	if (!line || sscanf(line, "\nUid: %*u %u %*u %*u Gid: %*u %u", &euid, &egid) != 2)
		return -EIO;
	*uid = euid;
	*gid = egid;
	return 0;
}

static bool alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

int rd_peer_early_pidfd(int sock, pid_t pid)
{
	socklen_t len = sizeof(int);
	int fd = -1;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) == 0) {
		rd_close(fd);
		return -1;
	}
	if (errno != ENOPROTOOPT || pid <= 0)
		return -1;
	return pidfd_open(pid, 0);
}

/* A descriptor of the process that connected: from the socket, else the one that was opened early. -1: none. */
static int peer_pidfd(int sock, int early)
{
	socklen_t len = sizeof(int);
	int fd = -1;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) == 0)
		return fd;
	return early < 0 ? -1 : fcntl(early, F_DUPFD_CLOEXEC, 0);
}

/*
 * An ordinary user can have thousands of uids in user namespaces of its own: all of them count as the user that made
 * the outermost one, which our own user namespace is the parent of. Leaves *payer alone where that cannot be told.
 */
static void find_payer(int user_ns, const struct rd_tenant_key *own, uid_t *payer)
{
	RD_CLOSE int ns = fcntl(user_ns, F_DUPFD_CLOEXEC, 0);
	uid_t owner = *payer;

	for (int depth = 0; depth < 64 && ns >= 0; depth++) {	/* the kernel nests them 32 deep */
		struct rd_file_id id;
		int parent;

		if (file_id(ns, &id, false) < 0)
			return;
		if (same_file(&id, &own->user_ns)) {
			*payer = owner;
			return;
		}
		if (ioctl(ns, NS_GET_OWNER_UID, &owner) < 0)
			return;
		parent = ioctl(ns, NS_GET_PARENT);
		rd_close(ns);
		ns = parent;
	}
}

static int look_at_peer(struct rd_peer *peer, int sock, int early_pidfd)
{
	RD_CLOSE int proc = -1;
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	char path[32];
	int r;

	peer->pidfd = peer_pidfd(sock, early_pidfd);
	if (peer->pid <= 0 || peer->pidfd < 0)	/* in a pid namespace that is not below ours; gone */
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d", peer->pid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return -errno;
	r = look(proc, &peer->key, &peer->user_ns, &peer->mnt_ns, &peer->net_ns, &peer->root);
	if (r == 0)
		r = proc_ids(proc, &uid, &gid);
	if (r < 0)
		return r;
	if (uid != peer->key.uid || gid != peer->key.gid || !alive(peer->pidfd))
		return -ESRCH;
	return 0;
}

/* ---- the manager itself ---- */

static bool maps_all_ids(void)
{
	RD_CLOSE int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	unsigned int inside, outside, count;
	char buf[128];
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = 0;
	return sscanf(buf, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && count == UINT32_MAX;
}

static int own_ids(struct rd_tenant_key *key)
{
	int n = getgroups(0, NULL);

	if (n < 0)
		return -errno;
	key->groups = calloc((size_t)n + 1, sizeof(*key->groups));
	if (!key->groups)
		return -ENOMEM;
	n = getgroups(n, key->groups);
	if (n < 0)
		return -errno;
	key->n_groups = rd_groups_normalise(key->groups, (size_t)n);
	key->uid = geteuid();
	key->gid = getegid();
	return 0;
}

int rd_self_init(struct rd_self *self, bool user)
{
	RD_CLOSE int proc = -1, user_ns = -1, mnt_ns = -1, net_ns = -1, root = -1;
	char link[16];
	ssize_t n;
	int r;

	memset(self, 0, sizeof(*self));
	self->user = user;
	self->overflow_uid = 65534;
	self->partial_ids = !maps_all_ids();
	r = own_ids(&self->key);
	if (r < 0)
		return r;
	n = readlink("/proc/self", link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	if (atoi(link) != getpid()) {
		rd_error("/proc is missing or shows another pid namespace: clients cannot be identified");
		return -ENOENT;
	}
	proc = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = proc < 0 ? -errno : look(proc, &self->key, &user_ns, &mnt_ns, &net_ns, &root);
	if (r < 0)
		rd_error("cannot read /proc/self: %s", strerror(-r));
	return r;
}

void rd_self_deinit(struct rd_self *self)
{
	free(self->key.groups);
	memset(self, 0, sizeof(*self));
}

/* ---- peers ---- */

int rd_peer_creds(int sock, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, ret, &len) < 0 ? -errno : 0;
}

int rd_peer_allowed(const struct rd_self *self, uid_t uid, const char **text)
{
	if (uid == (uid_t)-1 || (self->partial_ids && uid == self->overflow_uid)) {
		*text = "your uid is not mapped in the service's user namespace";
		return -EPERM;
	}
	if (self->user && uid != self->key.uid) {
		*text = "this ringd serves its own user only";
		return -EPERM;
	}
	return 0;
}

void rd_peer_init(struct rd_peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	peer->user_ns = peer->mnt_ns = peer->net_ns = peer->root = peer->pidfd = -1;
}

static void close_at(int *fd)
{
	rd_close(*fd);
	*fd = -1;
}

static void close_joins(struct rd_peer *peer)
{
	close_at(&peer->user_ns);
	close_at(&peer->mnt_ns);
	close_at(&peer->net_ns);
	close_at(&peer->root);
}

void rd_peer_deinit(struct rd_peer *peer)
{
	free(peer->key.groups);
	close_joins(peer);
	close_at(&peer->pidfd);
	rd_peer_init(peer);
}

static int peer_groups(struct rd_tenant_key *key, int sock)
{
	socklen_t len = RD_IDENTITY_GROUPS * sizeof(gid_t);

	key->groups = malloc(len);
	if (!key->groups)
		return -ENOMEM;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, key->groups, &len) < 0)
		return errno == ERANGE ? -EPERM : -errno;
	key->n_groups = rd_groups_normalise(key->groups, len / sizeof(gid_t));
	return 0;
}

/* Keeps open what the engine must join to see what the peer sees, and only that. */
static void decide_joins(struct rd_peer *peer, const struct rd_self *self)
{
	const struct rd_tenant_key *own = &self->key;
	bool same_root = same_file(&peer->key.root, &own->root);
	bool same_mnt = same_file(&peer->key.mnt_ns, &own->mnt_ns);

	if (self->user) {
		/* the engine has our own ids and root, whoever of our uid asks: with others than the peer's it opens nothing */
		peer->no_paths = !same_mnt || !same_root || !rd_tenant_key_same_ids(&peer->key, own);
		peer->no_network = !same_file(&peer->key.net_ns, &own->net_ns);
		close_joins(peer);
		return;
	}
	if (same_mnt)
		close_at(&peer->mnt_ns);
	if (same_mnt && same_root)
		close_at(&peer->root);
	if (same_file(&peer->key.net_ns, &own->net_ns))
		close_at(&peer->net_ns);
	if (same_file(&peer->key.user_ns, &own->user_ns))
		close_at(&peer->user_ns);
}

int rd_peer_identify(struct rd_peer *peer, int sock, int early_pidfd, const struct rd_self *self)
{
	const struct rd_file_id none = { 0 };
	struct ucred cred;
	int r;

	rd_peer_init(peer);
	r = rd_peer_creds(sock, &cred);
	if (r == 0)
		r = peer_groups(&peer->key, sock);
	if (r < 0)
		return r;
	peer->pid = cred.pid;
	peer->key.uid = cred.uid;
	peer->key.gid = cred.gid;
	peer->payer = cred.uid;
	if (look_at_peer(peer, sock, early_pidfd) == 0) {
		find_payer(peer->user_ns, &self->key, &peer->payer);
		decide_joins(peer, self);
		return 0;
	}
	/* whoever has the socket of a process that is gone: there is nobody whose end would be ours */
	if (peer->pidfd >= 0 && !alive(peer->pidfd))
		close_at(&peer->pidfd);
	/* nothing is known about what it sees: an engine of its own that opens no path for it */
	peer->key.user_ns = peer->key.mnt_ns = peer->key.net_ns = peer->key.root = none;
	peer->key.foreign = true;
	peer->no_paths = peer->no_network = true;
	close_joins(peer);
	return 0;
}
