/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owner, extended attributes, mode and times, in the only order that works: a change of owner clears set-id bits and
 * capabilities, a change of mode rewrites the ACL's mask, and all of them touch the times.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ringcp.h"

/* Set-id bits only for the owner and group that had them: anything else would give their rights to somebody else. */
static mode_t mode_for(const struct cp *cp, const struct stat *src, const struct stat *dst)
{
	mode_t mode = src->st_mode & 07777;

	if (!cp->o.keep_mode)
		return mode & 0777 & ~cp->umask;
	if (src->st_uid != dst->st_uid)
		mode &= ~(mode_t)S_ISUID;
	if (src->st_gid != dst->st_gid)
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

static int copy_xattr(int src_fd, int fd, const char *name)
{
	RD_FREE char *value = NULL;
	ssize_t len = fgetxattr(src_fd, name, NULL, 0);

	if (len < 0)
		return -errno;
	value = malloc((size_t)len + 1);
	if (!value)
		return -ENOMEM;
	len = fgetxattr(src_fd, name, value, (size_t)len);
	if (len < 0)
		return -errno;
	return fsetxattr(fd, name, value, (size_t)len, 0) < 0 ? -errno : 0;
}

/* *ret: names, each ended by a zero; heap. Return: length or -errno; a file system without xattrs has none. */
static ssize_t list_xattrs(int fd, char **ret)
{
	ssize_t len = flistxattr(fd, NULL, 0);

	*ret = NULL;
	if (len <= 0)
		return len < 0 && errno != ENOTSUP ? -errno : 0;
	*ret = malloc((size_t)len);
	if (!*ret)
		return -ENOMEM;
	len = flistxattr(fd, *ret, (size_t)len);
	return len < 0 ? -errno : len;
}

static int copy_xattrs(int src_fd, int fd)
{
	RD_FREE char *names = NULL;
	ssize_t len = list_xattrs(src_fd, &names);
	int first = len < 0 ? (int)len : 0;

	for (char *p = names; len > 0 && p < names + len; p += strlen(p) + 1) {
		int r = copy_xattr(src_fd, fd, p);

		/* what only root may set is not kept for others */
		if (r == -EPERM && geteuid() != 0 && strncmp(p, "user.", 5) != 0)
			continue;
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

static int chown_like(struct cp *cp, int fd, const struct stat *st, struct stat *now)
{
	if (!cp->o.keep_owner || (now->st_uid == st->st_uid && now->st_gid == st->st_gid))
		return 0;
	if (geteuid() == 0) {
		if (fchown(fd, st->st_uid, st->st_gid) < 0)
			return -errno;
		now->st_uid = st->st_uid;
		now->st_gid = st->st_gid;
	} else if (now->st_gid != st->st_gid && fchown(fd, (uid_t)-1, st->st_gid) == 0) {
		now->st_gid = st->st_gid;	/* one of our groups; others cannot be given, as with cp */
	}
	return 0;
}

int cp_meta_apply(struct cp *cp, int fd, const struct stat *st, int src_fd, const char **what)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	struct stat now;
	int r;

	*what = "stat";
	if (fstat(fd, &now) < 0)
		return -errno;
	*what = "owner";
	r = chown_like(cp, fd, st, &now);
	if (r == 0 && src_fd >= 0) {
		*what = "extended attributes";
		r = copy_xattrs(src_fd, fd);
	}
	if (r < 0)
		return r;
	*what = "mode";
	if (fchmod(fd, mode_for(cp, st, &now)) < 0)
		return -errno;
	*what = "times";
	return cp->o.keep_times && futimens(fd, times) < 0 ? -errno : 0;
}

/* chmod of exactly this inode: a name might have become a symlink to something else. */
static int chmod_at(int dirfd, const char *name, const struct stat *st, mode_t mode)
{
	RD_CLOSE int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[40];
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0)
		return -errno;
	if ((now.st_mode & S_IFMT) != (st->st_mode & S_IFMT))
		return -ESTALE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode) < 0 ? -errno : 0;
}

int cp_meta_apply_at(struct cp *cp, int dirfd, const char *name, const struct stat *st, const char **what)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	struct stat now;
	int r;

	*what = "owner";
	if (cp->o.keep_owner && geteuid() == 0 &&
	    fchownat(dirfd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*what = "mode";
	if (fstatat(dirfd, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st->st_mode)) {
		r = chmod_at(dirfd, name, st, mode_for(cp, st, &now));
		if (r < 0)
			return r;
	}
	*what = "times";
	return cp->o.keep_times && utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

const char *cp_meta_compare(const struct cp *cp, const struct stat *src, const struct stat *dst)
{
	bool dir = S_ISDIR(src->st_mode);

	if ((src->st_mode & S_IFMT) != (dst->st_mode & S_IFMT))
		return "is of another type";
	if (!dir && src->st_size != dst->st_size)
		return "differs in size";
	if (cp->o.keep_owner && geteuid() == 0 && (src->st_uid != dst->st_uid || src->st_gid != dst->st_gid))
		return "differs in owner";
	if (!S_ISLNK(src->st_mode) && cp->o.keep_mode && (dst->st_mode & 07777) != mode_for(cp, src, dst))
		return "differs in mode";
	if (cp->o.keep_times && (src->st_mtim.tv_sec != dst->st_mtim.tv_sec || src->st_mtim.tv_nsec != dst->st_mtim.tv_nsec))
		return "differs in modification time";
	if ((S_ISCHR(src->st_mode) || S_ISBLK(src->st_mode)) && src->st_rdev != dst->st_rdev)
		return "is another device";
	return NULL;
}

static bool xattr_differs(int src_fd, int dst_fd, const char *name)
{
	ssize_t a = fgetxattr(src_fd, name, NULL, 0), b = fgetxattr(dst_fd, name, NULL, 0);
	RD_FREE char *va = NULL, *vb = NULL;

	if (a < 0 || a != b)
		return true;
	va = malloc((size_t)a + 1);
	vb = malloc((size_t)b + 1);
	return !va || !vb || fgetxattr(src_fd, name, va, (size_t)a) != a || fgetxattr(dst_fd, name, vb, (size_t)b) != b ||
	       memcmp(va, vb, (size_t)a) != 0;
}

const char *cp_meta_compare_xattrs(int src_fd, int dst_fd)
{
	RD_FREE char *names = NULL;
	ssize_t len;

	if (src_fd < 0 || dst_fd < 0)
		return NULL;
	len = list_xattrs(src_fd, &names);
	for (char *p = names; len > 0 && p < names + len; p += strlen(p) + 1)
		if ((geteuid() == 0 || strncmp(p, "user.", 5) == 0) && xattr_differs(src_fd, dst_fd, p))
			return "differs in extended attributes";
	return NULL;
}
