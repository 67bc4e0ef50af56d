/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registered files and buffers */
#include "cf.h"

CF_TEST(a_second_file_table_is_ebusy, 373, "Registering files twice -> -EBUSY; 0 files -> -EINVAL; a bad fd -> -EBADF and no table")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2] = { cf_make_file("f", 10, O_RDONLY), 9999 };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 2), -EBADF);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 1), 0);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES, fd, 1), -EBUSY);
}

CF_TEST(an_empty_slot_is_ebadf, 383, "Request on an empty slot -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	cf_files(ring, 4);
	sqe = cf_sqe_ud(ring, RINGD_OP_READ, 1, RINGD_SQE_FIXED_FILE);
	sqe->fd = 2;
	sqe->addr = cf_addr(cf_alloc(16, 0));
	sqe->len = 16;
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(a_tag_comes_back_when_the_slot_is_replaced, 385, "Slot with tag 77 replaced while unused -> CQE {77, 0, 0}")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 10, O_RDONLY);
	uint64_t tag = 77;
	struct ringd_rsrc_register reg = { .nr = 1, .data = cf_addr(&fd), .tags = cf_addr(&tag) };

	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_FILES2, &reg, sizeof(reg)), 0);
	cf_file(ring, 0, fd);
	cf_expect(ring, 77, 0, 0);
}
