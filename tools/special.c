/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has no data: symlinks, FIFOs, devices, hard links. Made under a temporary name where something stands already. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ringcp.h"

void cp_tmp_name(char *buf, size_t size)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		r = (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)buf;
	snprintf(buf, size, ".ringcp-%016llx", (unsigned long long)r);
}

int cp_replaceable(int dirfd, const char *name, const struct stat *st)
{
	struct stat now;

	if (fstatat(dirfd, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
		return -ELOOP;
	if (S_ISDIR(now.st_mode))
		return -EISDIR;
	return S_ISREG(now.st_mode) || S_ISLNK(now.st_mode) || (st && (now.st_mode & S_IFMT) == (st->st_mode & S_IFMT)) ?
		       0 : -EEXIST;
}

static int make(const struct cp_entry *e, const struct stat *st, const char *name)
{
	int dirfd = e->dir->dst_fd;
	char target[PATH_MAX];
	ssize_t n;

	if (!S_ISLNK(st->st_mode))
		return mknodat(dirfd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0 ? -errno : 0;
	n = readlinkat(e->dir->src_fd, e->src_name, target, sizeof(target));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = 0;
	return symlinkat(target, dirfd, name) < 0 ? -errno : 0;
}

static const char *refusal(int r)
{
	switch (r) {
	case -EISDIR: return "is a directory: not replaced by a file";
	case -EEXIST: return "is a special file: not replaced";
	case -ELOOP: return "source and destination are the same file";
	}
	return NULL;
}

/* Make it under name; if something stands there, under a temporary name that then takes its place. */
static int make_or_replace(struct cp *cp, const struct cp_entry *e, const struct stat *st)
{
	int dirfd = e->dir->dst_fd, r;
	const char *what = NULL, *name = e->dst_name;
	char tmp[40] = "";

	r = make(e, st, name);
	if (r == -EEXIST) {
		r = cp_replaceable(dirfd, name, st);
		if (r < 0) {
			cp_error_dst(cp, e->dir, e->dst_name, refusal(r), refusal(r) ? 0 : r);
			return r;
		}
		cp_tmp_name(tmp, sizeof(tmp));
		name = tmp;
		r = make(e, st, name);
	}
	if (r == 0)
		r = cp_meta_apply_at(cp, dirfd, name, st, &what);
	if (r == 0 && tmp[0] && renameat(dirfd, tmp, dirfd, e->dst_name) < 0)
		r = -errno;
	if (r < 0 && tmp[0])
		unlinkat(dirfd, tmp, 0);
	if (r < 0)
		cp_error_dst(cp, e->dir, e->dst_name, what, r);
	return r;
}

void cp_special_copy(struct cp *cp, const struct cp_entry *e, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode)) {
		cp_warn_src(cp, e->dir, e->src_name, "is a socket: left out");
		return;
	}
	if (make_or_replace(cp, e, st) == 0) {
		cp->progress.files++;
		cp_links_done(cp, st, e);
	} else {
		cp_links_failed(cp, st);
	}
}

int cp_special_link(int old_dirfd, const char *old_name, int dirfd, const char *name)
{
	struct stat old, now;
	char tmp[40];
	int r;

	if (linkat(old_dirfd, old_name, dirfd, name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(old_dirfd, old_name, &old, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(dirfd, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (old.st_dev == now.st_dev && old.st_ino == now.st_ino)
		return 0;
	r = cp_replaceable(dirfd, name, NULL);
	if (r < 0)
		return r;
	cp_tmp_name(tmp, sizeof(tmp));
	if (linkat(old_dirfd, old_name, dirfd, tmp, 0) < 0)
		return -errno;
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		r = -errno;
		unlinkat(dirfd, tmp, 0);
	}
	return r;
}
