/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open, close, direct descriptors */
#include "cf.h"

/* file_index: slot + 1 or RINGD_FILE_INDEX_ALLOC, 0: a plain descriptor */
static int32_t open_at(struct cf_ring *ring, const char *path, int flags, unsigned int mode, uint32_t file_index)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_OPENAT);

	sqe->fd = AT_FDCWD;
	sqe->addr = cf_addr(path);
	sqe->open_flags = (uint32_t)flags;
	sqe->len = mode;
	sqe->file_index = file_index;
	return cf_run(ring);
}

CF_TEST(openat_of_a_missing_file_is_enoent, 259, "Openat of a missing file -> -ENOENT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_files(ring, 4);
	ck_assert_int_eq(open_at(ring, cf_path("missing"), O_RDONLY, 0, 1), -ENOENT);
}

CF_TEST(openat_with_a_bad_path_pointer_is_efault, 259, "Openat with a bad path pointer -> -EFAULT")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	cf_files(ring, 4);
	ck_assert_int_eq(open_at(ring, (const char *)16, O_RDONLY, 0, 1), -EFAULT);
}

CF_TEST(a_slot_beyond_the_table_is_einval, 267, "Openat into slot 9 of a 5-slot table -> -EINVAL; with O_CLOEXEC -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 5);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 10), -EINVAL);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY | O_CLOEXEC, 0, 1), -EINVAL);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, 5), 0);
}

CF_TEST(alloc_takes_a_free_slot, 269, "Openat ALLOC -> res is the slot; when all slots are used -> -ENFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	close(cf_make_file("f", 10, O_RDONLY));
	cf_files(ring, 2);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 1);
	ck_assert_int_eq(open_at(ring, cf_path("f"), O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
}
