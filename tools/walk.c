/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From sources to entries, depth first and only as far as asked: what is open is the way down to the current
 * directory and what jobs hold. Directories are made on the way; an entry is everything else.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringcp.h"

static unsigned char type_of(const struct stat *st)
{
	return IFTODT(st->st_mode);
}

static int entry_init(struct cp_entry *e, struct cp_dir *dir, const char *src_name, const char *dst_name,
		      unsigned char type, ino_t ino)
{
	*e = (struct cp_entry){ .type = type, .ino = ino };
	e->src_name = strdup(src_name);
	e->dst_name = strdup(dst_name);
	if (!e->src_name || !e->dst_name) {
		free(e->src_name);
		free(e->dst_name);
		return -ENOMEM;
	}
	e->dir = cp_dir_ref(dir);
	return 0;
}

static int push(struct cp_walk *w, struct cp_dir *dir)
{
	if (w->depth == w->room) {
		struct cp_dir **more = reallocarray(w->stack, w->room * 2 + 64, sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->stack = more;
		w->room = w->room * 2 + 64;
	}
	w->stack[w->depth++] = dir;
	return 0;
}

/* Errors are told; then there is simply nothing on the stack for this directory. */
static void descend(struct cp *cp, struct cp_walk *w, struct cp_dir *parent, const char *src_name, const char *dst_name)
{
	struct cp_dir *dir;

	if (cp_dir_open(cp, &dir, parent, src_name, dst_name) < 0)
		return;
	if (dir->st.st_dev == w->dst_dev && dir->st.st_ino == w->dst_ino && parent->parent) {
		cp_error_src(cp, parent, src_name, "is where the copy goes: left out", 0);
		cp_dir_unref(cp, dir);
		return;
	}
	/* as with a mount point that is not entered: the directory is made, empty */
	if (cp->o.one_fs && parent->parent && dir->st.st_dev != parent->st.st_dev) {
		cp_dir_unref(cp, dir);
		return;
	}
	if (push(w, dir) < 0) {
		cp_error_src(cp, parent, src_name, NULL, -ENOMEM);
		cp_dir_unref(cp, dir);
		return;
	}
	if (!parent->parent) {
		struct stat st;

		if (fstat(dir->dst_fd, &st) == 0) {
			w->dst_dev = st.st_dev;
			w->dst_ino = st.st_ino;
		}
	}
}

/* Open the next source. Return: 1 with an entry (the source is no directory), 0 otherwise. */
static int next_source(struct cp *cp, struct cp_walk *w, struct cp_entry *e)
{
	const char *src = cp->o.sources[w->next_source++];
	RD_CLEANUP(cp_target_deinit) struct cp_target t;
	struct cp_dir *top;
	struct stat st;
	int r;

	w->dst_dev = 0;
	w->dst_ino = 0;
	if (cp_target_resolve(cp, &t, src) < 0)
		return 0;
	if (fstatat(t.src_fd, t.src_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		cp_error(cp, src, NULL, -errno);
		return 0;
	}
	r = cp_dir_open_top(&top, rd_steal_fd(&t.src_fd), rd_steal_fd(&t.dst_fd), rd_steal_ptr(&t.src_path),
			    rd_steal_ptr(&t.dst_path));
	if (r < 0) {
		cp_error(cp, src, NULL, r);
		return 0;
	}
	if (S_ISDIR(st.st_mode)) {
		descend(cp, w, top, t.src_name, t.dst_name);
		cp_dir_unref(cp, top);
		return 0;
	}
	r = entry_init(e, top, t.src_name, t.dst_name, type_of(&st), st.st_ino);
	cp_dir_unref(cp, top);
	if (r < 0)
		cp_error(cp, src, NULL, r);
	return r == 0;
}

/* One name of the directory on top. Return: 1 with an entry, 0: look again. */
static int next_name(struct cp *cp, struct cp_walk *w, struct cp_entry *e)
{
	struct cp_dir *dir = w->stack[w->depth - 1];
	struct dirent *d;
	unsigned char type;
	struct stat st;

	errno = 0;
	d = readdir(dir->stream);
	if (!d) {
		if (errno)
			cp_error_src(cp, dir->parent, dir->src_name, "cannot read directory", -errno);
		w->depth--;
		cp_dir_unref(cp, dir);
		return 0;
	}
	if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
		return 0;
	type = d->d_type;
	if (type == DT_UNKNOWN) {
		if (fstatat(dir->src_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			cp_error_src(cp, dir, d->d_name, NULL, -errno);
			return 0;
		}
		type = type_of(&st);
	}
	if (type == DT_DIR) {
		descend(cp, w, dir, d->d_name, d->d_name);
		return 0;
	}
	if (entry_init(e, dir, d->d_name, d->d_name, type, d->d_ino) < 0) {
		cp_error_src(cp, dir, d->d_name, NULL, -ENOMEM);
		return 0;
	}
	return 1;
}

int cp_walk_next(struct cp *cp, struct cp_walk *w, struct cp_entry *e)
{
	while (!cp_stop) {
		if (w->depth) {
			if (next_name(cp, w, e))
				return 1;
		} else if (w->next_source < cp->o.n_sources) {
			if (next_source(cp, w, e))
				return 1;
		} else {
			return 0;
		}
	}
	return 0;
}

void cp_walk_init(struct cp_walk *w)
{
	*w = (struct cp_walk){ 0 };
}

void cp_walk_deinit(struct cp *cp, struct cp_walk *w)
{
	while (w->depth)
		cp_dir_unref(cp, w->stack[--w->depth]);
	free(w->stack);
	*w = (struct cp_walk){ 0 };
}
