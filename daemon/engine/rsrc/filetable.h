/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of registered files of one ring. Errnos are those of spec'd io_uring_register and direct descriptors. */
#ifndef RD_FILETABLE_H
#define RD_FILETABLE_H

#include <stdint.h>

#include "charge.h"
#include "file.h"

struct rd_filetable {
	struct rd_file **slots;		/* NULL: no table */
	uint64_t *bitmap;		/* a set bit is a used slot */
	uint32_t nr;
	uint32_t alloc_off, alloc_end;	/* range of ALLOC */
	uint32_t hint;			/* where the next ALLOC looks first */
	struct rd_charge charge;	/* OBJECTS, one per slot */
};

/* Empty table of nr slots. -EBUSY, -EINVAL (0), -EMFILE (too many), -EDQUOT, -ENOMEM. */
int rd_filetable_init(struct rd_filetable *t, struct rd_user *user, uint32_t nr);
/* Drops all references; tags are posted through each file's sink. Without a table: nothing. */
void rd_filetable_deinit(struct rd_filetable *t);
/* Borrowed; NULL when there is no table, the slot is out of range or empty. */
static inline struct rd_file *rd_filetable_get(const struct rd_filetable *t, uint32_t slot)
{
	return slot < t->nr ? t->slots[slot] : NULL;
}
/* Put file (its reference is taken over; NULL empties) into a slot; returns what was there, the caller's to put. slot < nr. */
struct rd_file *rd_filetable_swap(struct rd_filetable *t, uint32_t slot, struct rd_file *file);
/* A free slot inside the alloc range, or -ENFILE (also without a table). */
int rd_filetable_find(struct rd_filetable *t);
/* file_index of an SQE (slot + 1 or RINGD_FILE_INDEX_ALLOC): takes the reference over on success. Returns what the CQE
 * says: 0 or the allocated slot; -ENXIO (no table, explicit slot), -ENFILE, -EINVAL (out of range). */
int rd_filetable_install(struct rd_filetable *t, uint32_t file_index, struct rd_file *file);
/* FILE_ALLOC_RANGE: 0, -EOVERFLOW, -EINVAL. */
int rd_filetable_set_range(struct rd_filetable *t, uint32_t off, uint32_t len);

#endif
