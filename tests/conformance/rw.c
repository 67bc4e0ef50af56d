/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Read and write */
#include "cf.h"

CF_TEST(read_at_minus_1_moves_the_file_position, 233,
	"Read with off -1 twice on a file -> consecutive parts, and the client's lseek(SEEK_CUR) sees the sum")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	unsigned char *buf = cf_alloc(64, 0);
	int fd = cf_make_file("f", 200, O_RDONLY);

	cf_prep_rw(ring, RINGD_OP_READ, fd, buf, 10, UINT64_MAX);
	ck_assert_int_eq(cf_run(ring), 10);
	cf_prep_rw(ring, RINGD_OP_READ, fd, buf + 10, 20, UINT64_MAX);
	ck_assert_int_eq(cf_run(ring), 20);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(buf[i], i);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 30);
}

CF_TEST(read_at_an_offset_leaves_the_file_position, 234, "Read with off 0 -> f_pos unchanged")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 200, O_RDONLY);

	ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
	cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 10, 0);
	ck_assert_int_eq(cf_run(ring), 10);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 7);
}

CF_TEST(read_at_minus_2_is_einval, 235, "Read with off -2 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("f", 200, O_RDONLY);

	cf_prep_rw(ring, RINGD_OP_READ, fd, cf_alloc(64, 0), 10, UINT64_MAX - 1);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
}

CF_TEST(a_pipe_has_no_offset, 236, "Read of a pipe with off 12345 -> works")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd[2];

	cf_pipe(fd);
	ck_assert_int_eq(write(fd[1], "abc", 3), 3);
	cf_prep_rw(ring, RINGD_OP_READ, fd[0], cf_alloc(64, 0), 10, 12345);
	ck_assert_int_eq(cf_run(ring), 3);
}
