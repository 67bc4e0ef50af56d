/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches of short cached reads: by the kernel ring where that pays, and nobody can tell but by the statistics. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

#define BLOCK	512
#define BATCH	32

static struct rd_testhost th;
static struct rd_testclient c;
static char dir[] = "/var/tmp/ringd-batch-XXXXXX";
static int file = -1;
static char *buf;
static bool nowait;		/* the file can be read without waiting */

static void open_all(uint32_t setup_flags)
{
	char block[BLOCK];
	struct iovec v = { block, 1 };

	rd_th_init(&th, RD_BACKEND_URING);
	rd_tc_open(&c, &th, 64, setup_flags);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	file = openat(AT_FDCWD, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	for (int i = 0; i < BATCH; i++) {
		memset(block, 'A' + i, BLOCK);
		ck_assert_int_eq(pwrite(file, block, BLOCK, (off_t)i * BLOCK), BLOCK);
	}
	nowait = preadv2(file, &v, 1, 0, RWF_NOWAIT) == 1;
	buf = rd_th_alloc(&th, BATCH * BLOCK);
	rd_tc_files(&c, 2);
	rd_tc_file(&c, 1, file, 0);
}

static void close_all(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	close(file);
	rmdir(dir);
}

/* One submission of BATCH reads, the last of them at the end of the file. */
static void submit_batch(void)
{
	memset(buf, 0, BATCH * BLOCK);
	for (int i = 0; i < BATCH; i++) {
		struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_READ);

		sqe->fd = 1;
		sqe->flags = RINGD_SQE_FIXED_FILE;
		sqe->addr = (uintptr_t)(buf + i * BLOCK);
		sqe->len = BLOCK;
		sqe->off = (uint64_t)(i + 1) * BLOCK;
		sqe->user_data = (uint64_t)i;
	}
	ck_assert_int_eq(rd_tc_submit(&c), BATCH);
}

static void check_cqe(const struct ringd_cqe *cqe, uint32_t *seen)
{
	int i = (int)cqe->user_data;

	ck_assert_uint_eq(*seen & 1u << i, 0);
	*seen |= 1u << i;
	ck_assert_int_eq(cqe->res, i == BATCH - 1 ? 0 : BLOCK);
	ck_assert_int_eq(buf[i * BLOCK], i == BATCH - 1 ? 0 : 'A' + i + 1);
	ck_assert_int_eq(buf[(i + 1) * BLOCK - 1], i == BATCH - 1 ? 0 : 'A' + i + 1);
}

START_TEST(busy_files_are_read_by_the_kernel_ring)
{
	open_all(RINGD_SETUP_SQPOLL | RINGD_SETUP_NO_SQARRAY);
	for (int round = 0; round < 8; round++) {
		uint32_t seen = 0;

		submit_batch();
		for (int i = 0; i < BATCH; i++) {
			struct ringd_cqe cqe = rd_tc_wait(&c);

			check_cqe(&cqe, &seen);
		}
		ck_assert_uint_eq(seen, UINT32_MAX);
		if (round == 0)
			ck_assert_uint_eq(th.engine.stats.uring, 0);	/* not hot yet */
	}
	if (nowait)
		ck_assert_uint_gt(th.engine.stats.uring, 0);
	close_all();
}
END_TEST

START_TEST(a_plain_ring_has_its_completions_when_the_enter_returns)
{
	struct ringd_cqe cqe;

	open_all(RINGD_SETUP_NO_SQARRAY);
	for (int round = 0; round < 8 && nowait; round++) {
		uint32_t seen = 0;

		submit_batch();
		while (rd_tc_peek(&c, &cqe))
			check_cqe(&cqe, &seen);
		ck_assert_uint_eq(seen, UINT32_MAX);
	}
	close_all();
}
END_TEST

START_TEST(a_slot_replaced_between_batches_means_the_new_file)
{
	RD_CLOSE int other = memfd_create("t", MFD_CLOEXEC);

	open_all(RINGD_SETUP_SQPOLL | RINGD_SETUP_NO_SQARRAY);
	for (int round = 0; round < 4; round++) {
		uint32_t seen = 0;

		submit_batch();
		for (int i = 0; i < BATCH; i++) {
			struct ringd_cqe cqe = rd_tc_wait(&c);

			check_cqe(&cqe, &seen);
		}
	}
	rd_tc_file(&c, 1, other, 0);
	submit_batch();
	for (int i = 0; i < BATCH; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, 0);	/* it is empty */
	close_all();
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!rd_th_backend_works(RD_BACKEND_URING))
		return rd_suite_skip("no kernel io_uring");
	s = suite_create("ops_batch");
	tc = tcase_create("batches");
	tcase_add_test(tc, busy_files_are_read_by_the_kernel_ring);
	tcase_add_test(tc, a_plain_ring_has_its_completions_when_the_enter_returns);
	tcase_add_test(tc, a_slot_replaced_between_batches_means_the_new_file);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
