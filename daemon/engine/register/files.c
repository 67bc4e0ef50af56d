/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registered files: checks and errnos of io_uring_register(2), in its order. */
#include <string.h>

#include "register.h"

#define FD_HOLE		(-1)

static int32_t entry(const struct rd_reg_arrays *a, uint32_t i)
{
	int32_t fd;

	if (!a->elems)
		return FD_HOLE;
	memcpy(&fd, a->elems + (size_t)i * sizeof(fd), sizeof(fd));
	return fd;
}

/* As many descriptors as entries that want one. -EPROTO. */
static int count_fds(struct rd_reg *reg, const struct rd_reg_arrays *a)
{
	size_t want = 0;

	for (uint32_t i = 0; a->elems && i < reg->nr; i++)
		want += entry(a, i) >= 0;
	if (want != reg->n_fds)
		return rd_reg_refuse(reg, -EPROTO, "%zu entries want a descriptor, %zu came", want, reg->n_fds);
	return 0;
}

/* The next descriptor of the request as a file. -EBADF, -EDQUOT, -ENOMEM. */
static int next_file(struct rd_reg *reg, uint32_t i, struct rd_file **ret)
{
	int r = reg->ops->file(reg, &reg->fds[reg->next_fd++], ret);

	if (r < 0 && r != -EDQUOT)
		rd_reg_refuse(reg, r, "entry %u: a descriptor of this kind cannot be registered", i);
	return r;
}

/* --- install --- */

static int fill_slot(struct rd_reg *reg, const struct rd_reg_arrays *a, uint32_t i)
{
	int32_t fd = entry(a, i);
	struct rd_file *file;
	int r;

	if (fd == FD_HOLE) {
		if (rd_reg_tag(a, i))
			return rd_reg_refuse(reg, -EINVAL, "entry %u: a hole has no tag", i);
		return 0;
	}
	if (fd < 0)
		return rd_reg_refuse(reg, -EBADF, "entry %u: %d is no descriptor", i, fd);
	r = next_file(reg, i, &file);
	if (r == 0)
		rd_filetable_swap(&reg->ctx->files, i, file);
	return r;
}

static int check_nr(struct rd_reg *reg)
{
	if (reg->ctx->files.slots)
		return rd_reg_refuse(reg, -EBUSY, "this ring has a file table");
	if (!reg->nr)
		return rd_reg_refuse(reg, -EINVAL, "a file table has at least one slot");
	if (reg->nr > RINGD_MAX_FIXED_FILES)
		return rd_reg_refuse(reg, -EMFILE, "a file table has at most %u slots", RINGD_MAX_FIXED_FILES);
	return 0;
}

static int install(struct rd_reg *reg, const struct rd_reg_arrays *a)
{
	struct rd_filetable *t = &reg->ctx->files;
	uint32_t nr = reg->nr;
	int r;

	r = count_fds(reg, a);
	if (r < 0)
		return r;
	r = rd_filetable_init(t, &reg->engine->user, nr);
	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return rd_reg_refuse(reg, r, "no file table of %u slots", nr);
	for (uint32_t i = 0; r == 0 && i < nr; i++)
		r = fill_slot(reg, a, i);
	if (r < 0) {
		rd_filetable_deinit(t);	/* no file has its tag yet: none is posted */
		return r;
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (t->slots[i])
			rd_node_set_tag(&t->slots[i]->node, &reg->ctx->tags, rd_reg_tag(a, i));
	}
	/* the order in which slots were filled must not show in the first allocation */
	return rd_filetable_set_range(t, 0, nr);
}

int rd_reg_files(struct rd_reg *reg)
{
	struct rd_reg_arrays a;
	int r;

	r = check_nr(reg);
	if (r == 0)
		r = rd_reg_arrays(reg, &a, 0, sizeof(int32_t), false);
	if (r < 0)
		return r;
	if (a.tags)
		return rd_reg_refuse(reg, -EINVAL, "this call has no tags");
	return install(reg, &a);
}

int rd_reg_files2(struct rd_reg *reg)
{
	struct rd_reg_arrays a;
	bool sparse = false;
	int r;

	r = rd_reg_rsrc(reg, &sparse);
	if (r == 0)
		r = check_nr(reg);
	if (r == 0)
		r = rd_reg_arrays(reg, &a, sizeof(struct ringd_rsrc_register), sizeof(int32_t), sparse);
	return r < 0 ? r : install(reg, &a);
}

/* --- update --- */

static void put_slot(struct rd_reg *reg, uint32_t slot, struct rd_file *file)
{
	file = rd_filetable_swap(&reg->ctx->files, slot, file);
	if (file)
		rd_file_put(file);
}

/* < 0: those behind it are not looked at. A descriptor that is refused leaves its slot empty, as in io_uring. */
static int update_slot(struct rd_reg *reg, const struct rd_reg_arrays *a, uint32_t i, uint32_t slot)
{
	int32_t fd = entry(a, i);
	uint64_t tag = rd_reg_tag(a, i);
	struct rd_file *file = NULL;
	int r = 0;

	if (tag && (fd == FD_HOLE || fd == RINGD_REGISTER_FILES_SKIP))
		return rd_reg_refuse(reg, -EINVAL, "entry %u: nothing is put there, so it has no tag", i);
	if (fd == RINGD_REGISTER_FILES_SKIP)
		return 0;
	if (fd >= 0)
		r = next_file(reg, i, &file);
	else if (fd < FD_HOLE)
		r = rd_reg_refuse(reg, -EBADF, "entry %u: %d is no descriptor", i, fd);
	if (file)
		rd_node_set_tag(&file->node, &reg->ctx->tags, tag);
	put_slot(reg, slot, file);
	return r;
}

static int update(struct rd_reg *reg, size_t struct_size, uint32_t off)
{
	struct rd_filetable *t = &reg->ctx->files;
	struct rd_reg_arrays a;
	uint32_t nr = reg->nr, i;
	int r;

	if (!t->slots)
		return rd_reg_refuse(reg, -ENXIO, "this ring has no file table");
	if (off > t->nr || nr > t->nr - off)
		return rd_reg_refuse(reg, -EINVAL, "slots %u to %llu of a table of %u", off,
				 (unsigned long long)off + nr - 1, t->nr);
	r = rd_reg_arrays(reg, &a, struct_size, sizeof(int32_t), false);
	if (r == 0)
		r = count_fds(reg, &a);
	if (r < 0)
		return r;
	for (i = 0; i < nr; i++) {
		r = update_slot(reg, &a, i, off + i);
		if (r < 0)
			break;
	}
	return i ? (int)i : r;
}

int rd_reg_files_update(struct rd_reg *reg)
{
	struct ringd_files_update up;
	int r;

	r = rd_reg_struct(reg, &up, sizeof(up));
	if (r < 0)
		return r;
	if (!reg->nr || up.resv || up.fds || reg->has_tags)
		return rd_reg_refuse(reg, -EINVAL, "no entries, or a reserved field is not zero");
	return update(reg, sizeof(up), up.offset);
}

int rd_reg_files_update2(struct rd_reg *reg)
{
	uint32_t off;
	int r = rd_reg_update2(reg, &off);

	return r < 0 ? r : update(reg, sizeof(struct ringd_rsrc_update2), off);
}

/* --- the rest --- */

int rd_reg_unregister_files(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	if (!reg->ctx->files.slots)
		return rd_reg_refuse(reg, -ENXIO, "this ring has no file table");
	rd_filetable_deinit(&reg->ctx->files);
	return 0;
}

int rd_reg_file_alloc_range(struct rd_reg *reg)
{
	struct ringd_file_index_range range;
	int r;

	r = rd_reg_struct(reg, &range, sizeof(range));
	if (r < 0)
		return r;
	if (reg->len != sizeof(range) || reg->nr || reg->has_tags || range.resv)
		return rd_reg_refuse(reg, -EINVAL, "a reserved field is not zero");
	r = rd_filetable_set_range(&reg->ctx->files, range.off, range.len);
	return r < 0 ? rd_reg_refuse(reg, r, "slots %u + %u of a table of %u", range.off, range.len, reg->ctx->files.nr) : 0;
}
