/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pairs of directories. Everything is reached from its parent's descriptor with O_NOFOLLOW, so no symlink that
 * somebody puts into a tree while it is copied leads out of it. A directory that ringcp makes belongs to its owner
 * alone (0700) until all in it is finished: nobody can exchange what stands in it meanwhile.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringcp.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

static struct cp_dir *dir_free(struct cp_dir *dir)
{
	if (dir->stream)
		closedir(dir->stream);	/* and src_fd */
	else
		rd_close(dir->src_fd);
	rd_close(dir->dst_fd);
	free(dir->src_name);
	free(dir->dst_name);
	free(dir);
	return NULL;
}

static struct cp_dir *dir_alloc(struct cp_dir *parent)
{
	struct cp_dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->refs = 1;
	dir->src_fd = dir->dst_fd = -1;
	dir->parent = parent;
	return dir;
}

/* Could somebody else exchange what we put into it? Then files in it are opened here, not by path. */
static bool is_shared(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || (st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IWGRP | S_IWOTH));
}

static int open_source(struct cp *cp, struct cp_dir *dir)
{
	dir->src_fd = openat(dir->parent->src_fd, dir->src_name, OPEN_DIR);
	if (dir->src_fd < 0 || fstat(dir->src_fd, &dir->st) < 0) {
		int r = -errno;

		cp_error_src(cp, dir->parent, dir->src_name, "cannot open directory", r);
		return r;
	}
	dir->stream = fdopendir(dir->src_fd);
	if (!dir->stream) {
		cp_error_src(cp, dir->parent, dir->src_name, "cannot read directory", -errno);
		return -ENOMEM;
	}
	return 0;
}

static int open_destination(struct cp *cp, struct cp_dir *dir)
{
	int parent = dir->parent->dst_fd, r = 0;
	struct stat st;

	if (cp->mode == CP_COPY && mkdirat(parent, dir->dst_name, 0700) < 0 && errno != EEXIST) {
		r = -errno;
		cp_error_dst(cp, dir->parent, dir->dst_name, "cannot make directory", r);
		return r;
	}
	dir->dst_fd = openat(parent, dir->dst_name, OPEN_DIR);
	if (dir->dst_fd < 0) {
		bool other = errno == ENOTDIR || errno == ELOOP;

		r = -errno;
		cp_error_dst(cp, dir->parent, dir->dst_name,
			     other ? "is in the way of a directory" : "cannot open directory", other ? 0 : r);
		return r;
	}
	if (fstat(dir->dst_fd, &st) < 0) {
		r = -errno;
		cp_error_dst(cp, dir->parent, dir->dst_name, "cannot stat", r);
		return r;
	}
	if (st.st_dev == dir->st.st_dev && st.st_ino == dir->st.st_ino) {
		cp_error_src(cp, dir->parent, dir->src_name, "source and destination are the same directory", 0);
		return -ELOOP;
	}
	dir->shared = is_shared(dir->dst_fd);
	return 0;
}

int cp_dir_open(struct cp *cp, struct cp_dir **ret, struct cp_dir *parent, const char *src_name, const char *dst_name)
{
	struct cp_dir *dir = dir_alloc(parent);
	int r;

	if (!dir)
		return -ENOMEM;
	dir->src_name = strdup(src_name);
	dir->dst_name = strdup(dst_name);
	r = dir->src_name && dir->dst_name ? 0 : -ENOMEM;
	if (r == -ENOMEM)
		cp_error_src(cp, parent, src_name, NULL, r);
	if (r == 0)
		r = open_source(cp, dir);
	if (r == 0)
		r = open_destination(cp, dir);
	if (r < 0) {
		dir_free(dir);
		return r;
	}
	cp_dir_ref(parent);
	*ret = dir;
	return 0;
}

int cp_dir_open_top(struct cp_dir **ret, int src_fd, int dst_fd, char *src_path, char *dst_path)
{
	struct cp_dir *dir = dir_alloc(NULL);

	if (!dir) {
		rd_close(src_fd);
		rd_close(dst_fd);
		free(src_path);
		free(dst_path);
		return -ENOMEM;
	}
	dir->src_fd = src_fd;
	dir->dst_fd = dst_fd;
	dir->src_name = src_path;
	dir->dst_name = dst_path;
	dir->shared = is_shared(dst_fd);
	*ret = dir;
	return 0;
}

/* All below is done: the destination gets what the source has. */
static void complete(struct cp *cp, struct cp_dir *dir)
{
	const char *what;
	int r;

	if (cp->mode == CP_VERIFY) {
		cp_verify_dir(cp, dir);
		return;
	}
	r = cp_meta_apply(cp, dir->dst_fd, &dir->st, cp->o.xattrs ? dir->src_fd : -1, &what);
	if (r == 0 && cp->o.fsync && fsync(dir->dst_fd) < 0) {
		r = -errno;
		what = "fsync";
	}
	if (r < 0)
		cp_error_dst(cp, dir->parent, dir->dst_name, what, r);
}

struct cp_dir *cp_dir_unref(struct cp *cp, struct cp_dir *dir)
{
	while (dir && --dir->refs == 0) {
		struct cp_dir *parent = dir->parent;

		if (parent)
			complete(cp, dir);
		dir_free(dir);
		dir = parent;	/* its reference that the child held: a loop, not a recursion, for deep trees */
	}
	return NULL;
}

void cp_entry_deinit(struct cp *cp, struct cp_entry *e)
{
	e->dir = cp_dir_unref(cp, e->dir);
	free(e->src_name);
	free(e->dst_name);
	e->src_name = e->dst_name = NULL;
}
