/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a source goes: the rules of cp for files and directories that exist or do not, and trailing slashes. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringcp.h"

struct split {
	char *parent;		/* "." if there was none */
	char *name;		/* last component */
	bool slash;		/* there was a slash behind it */
};

static void split_free(struct split *s)
{
	free(s->parent);
	free(s->name);
}

static int split(struct split *s, const char *path)
{
	size_t len = strlen(path), start;

	*s = (struct split){ 0 };
	while (len > 1 && path[len - 1] == '/') {
		len--;
		s->slash = true;
	}
	start = len;
	while (start > 0 && path[start - 1] != '/')
		start--;
	if (len == 1 && path[0] == '/') {
		s->name = strdup(".");
		s->parent = strdup("/");
	} else {
		s->name = strndup(path + start, len - start);
		s->parent = start ? strndup(path, start) : strdup(".");
	}
	return s->name && s->parent ? 0 : -ENOMEM;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Open the directory path and say what it is called without symlinks. */
static int open_parent(const char *path, int *fd, char **real)
{
	*real = realpath(path, NULL);
	if (!*real)
		return -errno;
	*fd = open(*real, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0)
		return -errno;
	if (strcmp(*real, "/") == 0)
		**real = 0;	/* names are put behind it with a slash */
	return 0;
}

/* The source; a name behind which a slash stands, "." and ".." are followed. */
static int resolve_source(struct cp_target *t, const char *src, struct stat *st, bool *dots)
{
	RD_CLEANUP(split_free) struct split s;
	RD_FREE char *real = NULL;
	int r = split(&s, src);

	if (r < 0)
		return r;
	*dots = is_dots(s.name);
	if (s.slash || *dots) {
		real = realpath(src, NULL);
		if (!real)
			return -errno;
		split_free(&s);
		r = split(&s, real);
		if (r < 0)
			return r;
	}
	r = open_parent(s.parent, &t->src_fd, &t->src_path);
	if (r < 0)
		return r;
	t->src_name = rd_steal_ptr(&s.name);
	return fstatat(t->src_fd, t->src_name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* DST is a directory and the source goes into it. */
static int into_directory(struct cp_target *t, const char *dst)
{
	int r = open_parent(dst, &t->dst_fd, &t->dst_path);

	if (r < 0)
		return r;
	t->dst_name = strdup(t->src_name);
	return t->dst_name ? 0 : -ENOMEM;
}

/* DST is the name of the copy. An existing symlink that the caller named is followed, as cp does. */
static int to_name(struct cp_target *t, const char *dst, bool exists)
{
	RD_CLEANUP(split_free) struct split s = { 0 };
	RD_FREE char *real = NULL;
	int r;

	if (exists) {
		real = realpath(dst, NULL);
		if (!real)
			return -errno;
	}
	r = split(&s, real ? real : dst);
	if (r < 0)
		return r;
	if (is_dots(s.name) && !exists)
		return -ENOENT;
	r = open_parent(s.parent, &t->dst_fd, &t->dst_path);
	if (r < 0)
		return r;
	t->dst_name = rd_steal_ptr(&s.name);
	return 0;
}

/* verify-only: after "ringcp SRC NEW" the copy is NEW, after "ringcp SRC OLDDIR" it is OLDDIR/SRC. */
static bool stands_in(const struct cp_target *t, const char *dst)
{
	RD_CLOSE int fd = open(dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstatat(fd, t->src_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int resolve_destination(struct cp *cp, struct cp_target *t, const struct stat *src, bool dots)
{
	const char *dst = cp->o.dst;
	struct stat st, lst;
	bool exists = stat(dst, &st) == 0, is_dir = exists && S_ISDIR(st.st_mode), into;

	if (!exists && lstat(dst, &lst) == 0) {
		cp_error(cp, dst, "is a dangling symlink", 0);
		return -ENOENT;
	}
	if (cp->o.n_sources > 1 && !is_dir) {
		cp_error(cp, dst, "is not a directory", 0);
		return -ENOTDIR;
	}
	if (!S_ISDIR(src->st_mode) && !is_dir && dst[strlen(dst) - 1] == '/') {
		cp_error(cp, dst, "is not a directory", 0);
		return -ENOTDIR;
	}
	into = is_dir && !cp->o.no_target_dir;
	if (into && cp->mode == CP_VERIFY)
		into = cp->o.verify_only ? !S_ISDIR(src->st_mode) || stands_in(t, dst) : cp->into_dst;
	else if (cp->mode == CP_COPY)
		cp->into_dst = into;
	into = into && !dots;
	return into ? into_directory(t, dst) : to_name(t, dst, exists);
}

/* A directory is not copied to a place below itself: the copy would never end. */
static int check_not_below(struct cp *cp, const struct cp_target *t, const struct stat *src)
{
	RD_FREE char *self = NULL;
	size_t len;

	if (!S_ISDIR(src->st_mode) || cp->mode == CP_VERIFY)
		return 0;
	if (asprintf(&self, "%s/%s", t->src_path, t->src_name) < 0) {
		self = NULL;
		return -ENOMEM;
	}
	len = strlen(self);
	if (strncmp(t->dst_path, self, len) == 0 && (t->dst_path[len] == '/' || !t->dst_path[len])) {
		cp_error(cp, self, "a directory cannot be copied into itself", 0);
		return -ELOOP;
	}
	return 0;
}

int cp_target_resolve(struct cp *cp, struct cp_target *t, const char *src)
{
	bool dots = false;
	struct stat st;
	uint64_t errors = cp->errors;
	int r;

	*t = (struct cp_target){ .src_fd = -1, .dst_fd = -1 };
	r = resolve_source(t, src, &st, &dots);
	if (r < 0) {
		cp_error(cp, src, NULL, r);
		return r;
	}
	r = resolve_destination(cp, t, &st, dots);
	if (r == 0)
		r = check_not_below(cp, t, &st);
	if (r < 0 && cp->errors == errors)
		cp_error(cp, cp->o.dst, NULL, r);
	return r;
}

void cp_target_deinit(struct cp_target *t)
{
	rd_close(t->src_fd);
	rd_close(t->dst_fd);
	free(t->src_path);
	free(t->dst_path);
	free(t->src_name);
	free(t->dst_name);
	*t = (struct cp_target){ .src_fd = -1, .dst_fd = -1 };
}
