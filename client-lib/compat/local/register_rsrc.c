/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and buffers. The kernel takes entry by entry and stops at the first that is bad; the handlers do, too, but they
 * have copies of all of them. So a place that cannot be read ends the list: with an entry that is refused for the
 * same reason when a table is made, which is all or nothing, and just there when it is updated.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "call.h"

#define NO_FD	(-3)	/* an entry that is -EBADF, and nothing else */

struct entry {
	uint64_t base, len;
};

/* The program's lists, and the copies behind each other with the structure that the handler wants first. */
struct list {
	uint64_t elems, tags;	/* elems 0: all holes */
	size_t size;		/* of an element */
	size_t head;
	uint8_t *data;
	uint32_t nr;		/* entries that can be read */
	bool odd;		/* files: one of them is no descriptor, whoever looks */
};

static void list_free(struct list *l)
{
	free(l->data);
}

static uint8_t *list_elem(const struct list *l, uint32_t i)
{
	return l->data + l->head + (size_t)i * l->size;
}

static uint8_t *list_tag(const struct list *l, uint32_t nr, uint32_t i)
{
	return l->data + l->head + (size_t)nr * l->size + (size_t)i * sizeof(uint64_t);
}

/* How many of nr elements can be read: as a rule all at once. */
static uint32_t read_all(uint64_t addr, uint8_t *dst, size_t size, uint32_t nr)
{
	uint32_t i;

	if (rd_local_copy_in(dst, addr, size * nr) == 0)
		return nr;
	for (i = 0; i < nr; i++) {
		if (rd_local_copy_in(dst + i * size, addr + i * size, size) < 0)
			break;
	}
	return i;
}

static int list_read(struct list *l, uint32_t nr)
{
	if (!l->elems)
		l->size = 0;
	l->data = calloc(1, l->head + nr * (l->size + sizeof(uint64_t)));
	if (!l->data)
		return -ENOMEM;
	l->nr = l->elems ? read_all(l->elems, list_elem(l, 0), l->size, nr) : nr;
	if (l->tags)
		l->nr = RD_MIN(l->nr, read_all(l->tags, list_tag(l, nr, 0), sizeof(uint64_t), nr));
	return 0;
}

/* An update of fewer entries than there was room for: the tags follow the last of them. */
static void list_cut(struct list *l, uint32_t from, uint32_t nr)
{
	if (l->tags && nr < from)
		memmove(list_tag(l, nr, 0), list_tag(l, from, 0), nr * sizeof(uint64_t));
}

static void call_list(struct rd_local_call *c, const struct list *l, uint32_t nr)
{
	c->reg.nr = nr;
	c->reg.has_tags = l->tags;
	c->reg.data = l->data;
	c->reg.len = l->head + (l->elems ? nr * l->size : 0) + (l->tags ? nr * sizeof(uint64_t) : 0);
}

/* --- descriptors --- */

/* The kernel has none by a number that stands for a path only. */
static bool is_file(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH);
}

int rd_local_call_file(struct rd_reg *reg, int *fd, struct rd_file **ret)
{
	int r;

	if (!is_file(*fd) || rd_local_ring_sure(*fd))
		return -EBADF;
	r = rd_host_keep(reg->host, *fd, ret);
	if (r == 0)
		*fd = -1;
	return r;
}

int rd_local_call_dup(int fd)
{
	return is_file(fd) ? rd_local_dup_high(&rd_local.host, fd) : -EBADF;
}

/* The numbers among the entries, as the handler wants them; what could not be read is refused. */
static int list_fds(struct rd_local_call *c, struct list *l, uint32_t nr)
{
	const int32_t none = NO_FD;
	int32_t fd;

	c->reg.fds = reallocarray(NULL, nr, sizeof(int));
	if (!c->reg.fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		memcpy(&fd, list_elem(l, i), sizeof(fd));
		if (i >= l->nr)
			memcpy(list_elem(l, i), &none, sizeof(none));
		else if (fd < -1)
			l->odd = true;
		if (fd >= 0 && i < l->nr)
			c->reg.fds[c->reg.n_fds++] = fd;
	}
	return 0;
}

int rd_local_call_eventfd(struct rd_local_call *c)
{
	int32_t fd = -1;
	int copy = -1, r;

	if (c->nr != 1)
		return -EINVAL;
	if (c->reg.ring->event)
		return -EBUSY;
	r = rd_local_call_in(c, &fd, sizeof(fd));
	if (r < 0)
		return r;
	copy = rd_local_call_dup(fd);
	if (copy < 0)
		return copy;
	c->reg.fds = &copy;
	c->reg.n_fds = 1;
	r = rd_local_call_run(c);
	rd_close(copy);
	return r;
}

/* --- files --- */

static int files_nr(struct rd_local_call *c, uint32_t nr)
{
	struct rlimit lim;

	if (c->reg.ctx->files.slots)
		return -EBUSY;
	if (!nr)
		return -EINVAL;
	if (nr > RINGD_MAX_FIXED_FILES || (getrlimit(RLIMIT_NOFILE, &lim) == 0 && nr > lim.rlim_cur))
		return -EMFILE;
	return 0;
}

static int run_files(struct rd_local_call *c, struct list *l, uint32_t nr)
{
	bool cut = l->nr < nr;
	int r = l->elems ? list_fds(c, l, nr) : 0;

	if (r == 0) {
		call_list(c, l, nr);
		r = rd_local_call_run(c);
	}
	/* was the first that is bad the one that could not be read? */
	if (r == -EBADF && cut && !l->odd && (!c->reg.n_fds || c->reg.fds[c->reg.n_fds - 1] < 0))
		r = -EFAULT;
	free(c->reg.fds);
	c->reg.fds = NULL;
	return r;
}

static int files(struct rd_local_call *c, struct list *l, uint32_t nr)
{
	int r = files_nr(c, nr);

	if (r == 0)
		r = list_read(l, nr);
	if (r == 0 && l->head)
		memcpy(l->data, &(struct ringd_rsrc_register){ .nr = nr, .flags = l->elems ? 0 : RINGD_RSRC_REGISTER_SPARSE },
		       sizeof(struct ringd_rsrc_register));
	/* tags of nothing, and some of them cannot be read */
	if (r == 0 && !l->elems && l->nr < nr)
		r = -EFAULT;
	if (r == 0)
		r = run_files(c, l, nr);
	list_free(l);
	return r;
}

int rd_local_call_files(struct rd_local_call *c)
{
	struct list l = { .elems = c->arg, .size = sizeof(int32_t) };

	return c->arg ? files(c, &l, c->nr) : -EFAULT;
}

/* --- buffers --- */

static int bufs(struct rd_local_call *c, struct list *l, uint32_t nr)
{
	const struct entry bad = { .len = 1 };	/* a length without an address: -EFAULT */
	int r;

	if (c->reg.ctx->bufs.slots)
		return -EBUSY;
	if (!nr || nr > RINGD_MAX_BUFFERS)
		return -EINVAL;
	r = list_read(l, nr);
	if (r == 0 && l->head)
		memcpy(l->data, &(struct ringd_rsrc_register){ .nr = nr, .flags = l->elems ? 0 : RINGD_RSRC_REGISTER_SPARSE },
		       sizeof(struct ringd_rsrc_register));
	if (r == 0 && l->nr < nr && !l->elems)
		r = -EFAULT;
	else if (r == 0 && l->nr < nr)
		memcpy(list_elem(l, l->nr), &bad, sizeof(bad));
	if (r == 0) {
		call_list(c, l, nr);
		r = rd_local_call_run(c);
	}
	list_free(l);
	return r;
}

int rd_local_call_bufs(struct rd_local_call *c)
{
	struct list l = { .elems = c->arg, .size = sizeof(struct entry) };

	return c->arg ? bufs(c, &l, c->nr) : -EFAULT;
}

/* --- both, with tags --- */

int rd_local_call_rsrc(struct rd_local_call *c)
{
	struct ringd_rsrc_register rr;
	bool is_files = c->reg.opcode == RINGD_REGISTER_FILES2;
	struct list l = { .head = sizeof(rr), .size = is_files ? sizeof(int32_t) : sizeof(struct entry) };

	if (c->nr != sizeof(rr))
		return -EINVAL;
	if (rd_local_copy_in(&rr, c->arg, sizeof(rr)) < 0)
		return -EFAULT;
	if (!rr.nr || rr.resv2 || rr.flags & ~RINGD_RSRC_REGISTER_SPARSE || ((rr.flags & RINGD_RSRC_REGISTER_SPARSE) && rr.data))
		return -EINVAL;
	l.elems = rr.data;
	l.tags = rr.tags;
	return is_files ? files(c, &l, rr.nr) : bufs(c, &l, rr.nr);
}

/* --- update --- */

static int update(struct rd_local_call *c, struct list *l, uint32_t off, uint32_t nr)
{
	bool is_files = c->reg.opcode != RINGD_REGISTER_BUFFERS_UPDATE;
	uint32_t slots = is_files ? c->reg.ctx->files.nr : c->reg.ctx->bufs.nr, end;
	int r;

	if (__builtin_add_overflow(off, nr, &end))
		return -EOVERFLOW;
	if (!(is_files ? (void *)c->reg.ctx->files.slots : (void *)c->reg.ctx->bufs.slots))
		return -ENXIO;
	if (end > slots)
		return -EINVAL;
	r = l->elems ? list_read(l, nr) : -EFAULT;
	if (r == 0 && !l->nr)
		r = -EFAULT;
	if (r == 0) {
		list_cut(l, nr, l->nr);
		if (l->head == sizeof(struct ringd_rsrc_update2))
			memcpy(l->data, &(struct ringd_rsrc_update2){ .offset = off, .nr = l->nr }, l->head);
		else
			memcpy(l->data, &(struct ringd_files_update){ .offset = off }, l->head);
		call_list(c, l, l->nr);
		r = is_files ? run_files(c, l, l->nr) : rd_local_call_run(c);
	}
	list_free(l);
	return r;
}

int rd_local_call_files_update(struct rd_local_call *c)
{
	struct ringd_files_update up;
	struct list l = { .head = sizeof(up), .size = sizeof(int32_t) };

	if (!c->nr)
		return -EINVAL;
	if (rd_local_copy_in(&up, c->arg, sizeof(up)) < 0)
		return -EFAULT;
	if (up.resv)
		return -EINVAL;
	l.elems = up.fds;
	return update(c, &l, up.offset, c->nr);
}

int rd_local_call_rsrc_update(struct rd_local_call *c)
{
	struct ringd_rsrc_update2 up;
	bool is_files = c->reg.opcode == RINGD_REGISTER_FILES_UPDATE2;
	struct list l = { .head = sizeof(up), .size = is_files ? sizeof(int32_t) : sizeof(struct entry) };

	if (c->nr != sizeof(up))
		return -EINVAL;
	if (rd_local_copy_in(&up, c->arg, sizeof(up)) < 0)
		return -EFAULT;
	if (!up.nr || up.resv || up.resv2)
		return -EINVAL;
	l.elems = up.data;
	l.tags = up.tags;
	return update(c, &l, up.offset, up.nr);
}
