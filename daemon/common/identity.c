/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Becoming the tenant. Runs in the engine after exec, so that the program and its loader are the host's: nothing of a
 * container's files is ever executed. Order matters: namespaces and root while we are root, then the ids, then the
 * user namespace (its join gives fresh capabilities and a full bounding set), and only then are capabilities given up.
 */
#include "identity.h"

#include <cap-ng.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "sanitizer.h"
#include "util.h"

void rd_identity_init(struct rd_identity *id)
{
	memset(id, 0, sizeof(*id));
	id->user_ns = id->mnt_ns = id->net_ns = id->root = -1;
}

static void close_at(int *fd)
{
	rd_close(*fd);
	*fd = -1;
}

void rd_identity_deinit(struct rd_identity *id)
{
	free(id->groups);
	close_at(&id->user_ns);
	close_at(&id->mnt_ns);
	close_at(&id->net_ns);
	close_at(&id->root);
	rd_identity_init(id);
}

/* One id of *p, up to end; *p moves behind it. The id that means "no change" to set*id calls is refused. */
static int parse_id(const char **p, uint32_t *ret)
{
	uint64_t v = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9' && v <= UINT32_MAX; s++)
		v = v * 10 + (uint64_t)(*s - '0');
	if (s == *p || v >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)v;
	*p = s;
	return 0;
}

static int parse_groups(struct rd_identity *id, const char *p)
{
	while (*p) {
		if (id->n_groups == RD_IDENTITY_GROUPS || parse_id(&p, &id->groups[id->n_groups]) < 0)
			return -EINVAL;
		id->n_groups++;
		if (*p == ',' && p[1])
			p++;
		else if (*p)
			return -EINVAL;
	}
	return 0;
}

int rd_identity_parse(struct rd_identity *id, const char *text)
{
	const char *p = text;

	if (parse_id(&p, &id->uid) < 0 || *p++ != ':' || parse_id(&p, &id->gid) < 0 || *p++ != ':')
		return -EINVAL;
	free(id->groups);
	id->n_groups = 0;
	id->groups = calloc(RD_IDENTITY_GROUPS, sizeof(*id->groups));
	if (!id->groups)
		return -ENOMEM;
	id->change = true;
	return parse_groups(id, p);
}

char *rd_identity_format(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups)
{
	size_t size = 24 + n_groups * 11, n;
	char *text = malloc(size);

	if (!text)
		return NULL;
	n = (size_t)snprintf(text, size, "%u:%u:", uid, gid);
	for (size_t i = 0; i < n_groups; i++)
		n += (size_t)snprintf(text + n, size - n, i ? ",%u" : "%u", groups[i]);
	return text;
}

/* Namespaces and root of the tenant; before the ids change. */
static int join(struct rd_identity *id, const char **step)
{
	*step = "joining the mount namespace";
	if (id->mnt_ns >= 0 && setns(id->mnt_ns, CLONE_NEWNS) < 0)
		return -errno;
	*step = "joining the network namespace";
	if (id->net_ns >= 0 && setns(id->net_ns, CLONE_NEWNET) < 0)
		return -errno;
	*step = "entering the root directory";
	if (id->root >= 0 && (fchdir(id->root) < 0 || chroot(".") < 0))
		return -errno;
	if (chdir("/") < 0)
		return -errno;
	return 0;
}

static int change_ids(const struct rd_identity *id, const char **step)
{
	*step = "setting the groups";
	if (setgroups(id->n_groups, id->groups) < 0 || setresgid(id->gid, id->gid, id->gid) < 0)
		return -errno;
	*step = "setting the user";
	/* a user namespace still has to be joined: keep what that needs over the change of the uid */
	if (id->user_ns >= 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setresuid(id->uid, id->uid, id->uid) < 0)
		return -errno;
	return 0;
}

static int join_user_ns(const struct rd_identity *id, const char **step)
{
	*step = "joining the user namespace";
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_ADMIN) < 0 || capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	if (setns(id->user_ns, CLONE_NEWUSER) < 0)
		return -errno;
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/*
 * The limit of what exec can give. Without CAP_SETPCAP (an ordinary user's own ringd) it stays, which no_new_privs
 * makes meaningless.
 */
static int drop_bounding(const char **step)
{
	*step = "dropping the bounding set";
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

/* Nothing to get back: no capability in any set, and no_new_privs so that no exec gives one. */
static int drop_capabilities(const char **step)
{
	int r;

	*step = "setting no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	*step = "dropping the capabilities";
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	r = drop_bounding(step);
	if (r < 0)
		return r;
	*step = "dropping the capabilities";
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	capng_get_caps_process();
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return -EPERM;
	return 0;
}

/* What was asked for is what we are; a kernel or LSM that says yes and does otherwise must not go unnoticed. */
static int verify(const struct rd_identity *id, const char **step)
{
	uid_t u[3];
	gid_t g[3];

	*step = "verifying the identity";
	if (!id->change || id->user_ns >= 0)	/* in another user namespace the numbers are translated */
		return 0;
	if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		if (u[i] != id->uid || g[i] != id->gid)
			return -EPERM;
	return 0;
}

int rd_identity_assume(struct rd_identity *id, const char **step)
{
	int r;

	/* first of all: same-uid processes must not find a moment in which they may trace us */
	*step = "becoming undumpable";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	setsid();		/* fails only for a leader, which has a session of its own or was started by hand */
	clearenv();
	umask(022);
	r = join(id, step);
	if (r == 0)
		r = drop_bounding(step);	/* while we still may; joining a user namespace fills it once more */
	if (r == 0 && id->change)
		r = change_ids(id, step);
	if (r == 0 && id->user_ns >= 0)
		r = join_user_ns(id, step);
	if (r == 0)
		r = drop_capabilities(step);
	if (r == 0)
		r = verify(id, step);
	if (r < 0)
		return r;
	*step = "becoming undumpable";
	/* the changes above set it to fs.suid_dumpable; the leak checker of a sanitizer build must trace its own process */
	if (prctl(PR_SET_DUMPABLE, RD_SANITIZED, 0, 0, 0) < 0)
		return -errno;
	close_at(&id->user_ns);
	close_at(&id->mnt_ns);
	close_at(&id->net_ns);
	close_at(&id->root);
	return 0;
}
