/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hard links within the sources: the first name of an inode is copied, the others become links to the copy. A name
 * that turns up while the copy is being made waits here; if the copy fails, the next name is copied instead.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ringcp.h"

#define FIRST_BUCKETS 1024u

struct waiter {
	struct rd_link link;
	struct cp_entry e;
};

struct cp_link {
	struct cp_link *next;
	dev_t dev;
	ino_t ino;
	char *copy;		/* absolute path of the copy once it is complete */
	dev_t copy_dev;		/* verify: identity of the copy */
	ino_t copy_ino;
	struct rd_link waiters;
};

static size_t bucket(const struct cp_links *l, dev_t dev, ino_t ino)
{
	return (size_t)((((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15u) >> 32) & (l->n_buckets - 1);
}

static struct cp_link **find(struct cp_links *l, const struct stat *st)
{
	struct cp_link **p = &l->buckets[bucket(l, st->st_dev, st->st_ino)];

	while (*p && ((*p)->dev != st->st_dev || (*p)->ino != st->st_ino))
		p = &(*p)->next;
	return p;
}

static void grow(struct cp_links *l)
{
	size_t n = l->n_buckets * 2, old = l->n_buckets;
	struct cp_link **buckets = calloc(n, sizeof(*buckets)), **was = l->buckets;

	if (!buckets)
		return;		/* slower, not wrong */
	l->buckets = buckets;
	l->n_buckets = n;
	for (size_t i = 0; i < old; i++)
		for (struct cp_link *k = was[i], *next; k; k = next) {
			struct cp_link **p = &buckets[bucket(l, k->dev, k->ino)];

			next = k->next;
			k->next = *p;
			*p = k;
		}
	free(was);
}

static struct cp_link *add(struct cp_links *l, const struct stat *st)
{
	struct cp_link *k = calloc(1, sizeof(*k)), **p;

	if (!k)
		return NULL;
	if (l->n >= l->n_buckets)
		grow(l);
	k->dev = st->st_dev;
	k->ino = st->st_ino;
	rd_list_init(&k->waiters);
	p = &l->buckets[bucket(l, k->dev, k->ino)];
	k->next = *p;
	*p = k;
	l->n++;
	return k;
}

/* Open the directory part of an absolute path of any length; no symlink in it is followed. *name: the last part. */
static int open_dir_of(char *path, const char **name)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	char *slash = strrchr(path, '/'), *p = path;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	*slash = 0;
	*name = slash + 1;
	while (fd >= 0 && *p) {
		char *end;
		int next;

		while (*p == '/')
			p++;
		end = p + strlen(p);
		if (end - p >= PATH_MAX)	/* a piece that fits, up to a slash */
			for (end = p + PATH_MAX - 1; end > p && *end != '/';)
				end--;
		if (*end)
			*end++ = 0;
		if (!*p)
			break;
		next = (int)syscall(SYS_openat2, fd, p, &how, sizeof(how));
		rd_close(fd);
		fd = next;
		p = end;
	}
	return fd < 0 ? -errno : fd;
}

static int link_to(const char *copy, const struct cp_entry *e)
{
	RD_FREE char *path = strdup(copy);
	RD_CLOSE int fd = -1;
	const char *name;

	if (!path)
		return -ENOMEM;
	fd = open_dir_of(path, &name);
	return fd < 0 ? fd : cp_special_link(fd, name, e->dir->dst_fd, e->dst_name);
}

/* Hand an entry back to the run. */
static void retry(struct cp_links *l, struct waiter *w)
{
	rd_list_remove(&w->link);
	rd_list_append(&l->retry, &w->link);
}

/* Link w's entry or, where links are refused (other file system, too many), have it copied. Takes w. */
static void link_waiter(struct cp *cp, struct waiter *w, const char *copy)
{
	int r = link_to(copy, &w->e);

	if (r < 0 && r != -EISDIR && r != -EEXIST) {
		w->e.no_link = true;
		retry(&cp->links, w);
		return;
	}
	if (r < 0)
		cp_error_dst(cp, w->e.dir, w->e.dst_name, r == -EISDIR ? "is a directory" : "is in the way", 0);
	else
		cp->progress.files++;
	rd_list_remove(&w->link);
	cp_entry_deinit(cp, &w->e);
	free(w);
}

int cp_links_init(struct cp_links *l)
{
	*l = (struct cp_links){ .n_buckets = FIRST_BUCKETS };
	rd_list_init(&l->retry);
	l->buckets = calloc(l->n_buckets, sizeof(*l->buckets));
	return l->buckets ? 0 : -ENOMEM;
}

static void free_waiters(struct cp *cp, struct rd_link *head)
{
	struct rd_link *i, *tmp;

	rd_list_foreach(i, tmp, head) {
		struct waiter *w = rd_list_entry(i, struct waiter, link);

		rd_list_remove(&w->link);
		cp_entry_deinit(cp, &w->e);
		free(w);
	}
}

void cp_links_deinit(struct cp *cp, struct cp_links *l)
{
	if (!l->buckets)
		return;
	for (size_t i = 0; i < l->n_buckets; i++)
		for (struct cp_link *k = l->buckets[i], *next; k; k = next) {
			next = k->next;
			free_waiters(cp, &k->waiters);
			free(k->copy);
			free(k);
		}
	free_waiters(cp, &l->retry);
	free(l->buckets);
	*l = (struct cp_links){ 0 };
}

int cp_links_claim(struct cp *cp, const struct stat *st, struct cp_entry *e)
{
	struct cp_link *k;
	struct waiter *w;

	if (e->no_link)
		return CP_CLAIM_FIRST;
	k = *find(&cp->links, st);
	if (!k)
		return add(&cp->links, st) ? CP_CLAIM_FIRST : -ENOMEM;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->e = *e;
	*e = (struct cp_entry){ 0 };
	rd_list_append(&k->waiters, &w->link);
	if (k->copy)
		link_waiter(cp, w, k->copy);
	return CP_CLAIM_TAKEN;
}

void cp_links_done(struct cp *cp, const struct stat *st, const struct cp_entry *e)
{
	struct cp_link *k = *find(&cp->links, st);
	struct rd_link *i, *tmp;

	if (!k || k->copy)
		return;
	k->copy = cp_path_dst_full(e->dir, e->dst_name);
	if (!k->copy) {
		cp_links_failed(cp, st);
		return;
	}
	rd_list_foreach(i, tmp, &k->waiters)
		link_waiter(cp, rd_list_entry(i, struct waiter, link), k->copy);
}

void cp_links_failed(struct cp *cp, const struct stat *st)
{
	struct cp_link **p = find(&cp->links, st), *k = *p;
	struct rd_link *i, *tmp;

	if (!k || k->copy)
		return;
	rd_list_foreach(i, tmp, &k->waiters)
		retry(&cp->links, rd_list_entry(i, struct waiter, link));
	*p = k->next;
	cp->links.n--;
	free(k);
}

bool cp_links_retry(struct cp *cp, struct cp_entry *e)
{
	struct waiter *w;

	if (rd_list_empty(&cp->links.retry))
		return false;
	w = rd_list_first(&cp->links.retry, struct waiter, link);
	rd_list_remove(&w->link);
	*e = w->e;
	free(w);
	return true;
}

int cp_links_compare(struct cp *cp, const struct stat *src, const struct stat *dst)
{
	struct cp_link *k = *find(&cp->links, src);

	if (k)
		return k->copy_dev == dst->st_dev && k->copy_ino == dst->st_ino ? 1 : -EXDEV;
	k = add(&cp->links, src);
	if (!k)
		return -ENOMEM;
	k->copy_dev = dst->st_dev;
	k->copy_ino = dst->st_ino;
	return 0;
}
