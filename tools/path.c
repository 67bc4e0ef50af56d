/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths are built only when they are needed, from the names on the way up: a deep tree costs no memory for them. */
#include <stdlib.h>
#include <string.h>

#include "ringcp.h"

static const char *name_of(const struct cp_dir *dir, bool src)
{
	return src ? dir->src_name : dir->dst_name;
}

static size_t length(const struct cp_dir *dir, const char *name, bool src)
{
	size_t n = strlen(name);

	for (; dir; dir = dir->parent)
		n += strlen(name_of(dir, src)) + 1;
	return n;
}

/* buf has room for length() + 1 bytes. Written from the end to the front. */
static void build(char *buf, size_t len, const struct cp_dir *dir, const char *name, bool src)
{
	char *p = buf + len;

	*p = 0;
	for (;;) {
		size_t n = strlen(name);

		p -= n;
		memcpy(p, name, n);
		if (!dir)
			return;
		*--p = '/';
		name = name_of(dir, src);
		dir = dir->parent;
	}
}

static int path(char *buf, size_t size, const struct cp_dir *dir, const char *name, bool src)
{
	size_t len = length(dir, name, src);

	if (len >= size)
		return -ENAMETOOLONG;
	build(buf, len, dir, name, src);
	return 0;
}

static char *path_full(const struct cp_dir *dir, const char *name, bool src)
{
	size_t len = length(dir, name, src);
	char *buf = malloc(len + 1);

	if (buf)
		build(buf, len, dir, name, src);
	return buf;
}

int cp_path_src(char *buf, size_t size, const struct cp_dir *dir, const char *name)
{
	return path(buf, size, dir, name, true);
}

int cp_path_dst(char *buf, size_t size, const struct cp_dir *dir, const char *name)
{
	return path(buf, size, dir, name, false);
}

char *cp_path_src_full(const struct cp_dir *dir, const char *name)
{
	return path_full(dir, name, true);
}

char *cp_path_dst_full(const struct cp_dir *dir, const char *name)
{
	return path_full(dir, name, false);
}
