/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slot holds one reference; whoever runs a request holds another. The bitmap says the same as slots[], 64 at a time,
 * for ALLOC. The hint follows the last slot that changed: behind one that was filled, at one that was emptied.
 */
#include "filetable.h"

#include <stdlib.h>

#include "daemon/common/util.h"
#include "proto/abi.h"

int rd_filetable_init(struct rd_filetable *t, struct rd_user *user, uint32_t nr)
{
	struct rd_charge charge;
	int r;

	if (t->slots)
		return -EBUSY;
	if (!nr)
		return -EINVAL;
	if (nr > RINGD_MAX_FIXED_FILES)
		return -EMFILE;
	r = rd_charge_take(&charge, user, RINGD_LIMIT_OBJECTS, nr);
	if (r < 0)
		return r;
	t->slots = calloc(nr, sizeof(*t->slots));
	t->bitmap = calloc((nr + 63) / 64, sizeof(*t->bitmap));
	if (!t->slots || !t->bitmap) {
		free(t->slots);
		free(t->bitmap);
		t->slots = NULL;
		t->bitmap = NULL;
		rd_charge_give(&charge);
		return -ENOMEM;
	}
	t->nr = nr;
	t->alloc_off = 0;
	t->alloc_end = nr;
	t->hint = 0;
	t->charge = charge;
	return 0;
}

void rd_filetable_deinit(struct rd_filetable *t)
{
	struct rd_filetable old = *t;

	/* out of sight first: a put may end in code that looks at the table */
	*t = (struct rd_filetable){ 0 };
	for (uint32_t i = 0; i < old.nr; i++) {
		if (old.slots[i])
			rd_file_put(old.slots[i]);
	}
	free(old.slots);
	free(old.bitmap);
	rd_charge_give(&old.charge);
}

struct rd_file *rd_filetable_swap(struct rd_filetable *t, uint32_t slot, struct rd_file *file)
{
	struct rd_file *old = t->slots[slot];
	uint64_t bit = 1ull << (slot & 63);

	t->slots[slot] = file;
	if (file && !old) {
		t->bitmap[slot / 64] |= bit;
		t->hint = slot + 1;
	} else if (!file && old) {
		t->bitmap[slot / 64] &= ~bit;
		t->hint = slot;
	}
	return old;
}

/* First free slot of [from, end), or end. */
static uint32_t find_free(const struct rd_filetable *t, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t free_bits = ~t->bitmap[from / 64] >> (from & 63);

		if (free_bits)
			return RD_MIN(from + (uint32_t)__builtin_ctzll(free_bits), end);
		from = (from | 63) + 1;
	}
	return end;
}

int rd_filetable_find(struct rd_filetable *t)
{
	uint32_t start = t->hint, slot;

	if (start < t->alloc_off || start >= t->alloc_end)
		start = t->alloc_off;
	slot = find_free(t, start, t->alloc_end);
	if (slot < t->alloc_end)
		return (int)slot;
	slot = find_free(t, t->alloc_off, start);
	return slot < start ? (int)slot : -ENFILE;
}

int rd_filetable_install(struct rd_filetable *t, uint32_t file_index, struct rd_file *file)
{
	struct rd_file *old;
	int slot;

	if (file_index == RINGD_FILE_INDEX_ALLOC) {
		slot = rd_filetable_find(t);
		if (slot >= 0)
			rd_filetable_swap(t, (uint32_t)slot, file);
		return slot;
	}
	if (!t->slots)
		return -ENXIO;
	if (!file_index || file_index > t->nr)
		return -EINVAL;
	old = rd_filetable_swap(t, file_index - 1, file);
	if (old)
		rd_file_put(old);
	return 0;
}

int rd_filetable_set_range(struct rd_filetable *t, uint32_t off, uint32_t len)
{
	uint32_t end;

	if (__builtin_add_overflow(off, len, &end))
		return -EOVERFLOW;
	if (end > t->nr)
		return -EINVAL;
	t->alloc_off = off;
	t->alloc_end = end;
	t->hint = off;
	return 0;
}
