/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client that piles up what must run in order: endless chains, drains without end, cancels that search in vain. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int p[2];

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_arena(&arena, &raw, RD_RAW_ARENA, 65536);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
}

static void teardown(void)
{
	rd_close(p[0]);
	rd_close(p[1]);
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static struct ringd_sqe *sqe_of(uint8_t opcode, uint8_t flags, uint64_t user_data)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	sqe->opcode = opcode;
	sqe->flags = flags;
	sqe->user_data = user_data;
	return sqe;
}

static void read_sqe(uint8_t flags, uint64_t user_data, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = sqe_of(RINGD_OP_READ, flags | RINGD_SQE_FIXED_FILE, user_data);

	sqe->addr = arena.base;
	sqe->len = len;
	sqe->off = off;
}

/* How many CQEs are there now; all are taken, each must say res. */
static unsigned int take(unsigned int n, int32_t res)
{
	struct ringd_cqe cqe;
	unsigned int i;

	for (i = 0; i < n; i++) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_int_eq(cqe.res, res);
	}
	return i;
}

START_TEST(the_longest_chain_runs_and_lets_others_run)
{
	const unsigned int n = 4096;
	RD_CLOSE int fd = memfd_create("order", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 65536), 0);
	raw_ring(&ring, &raw, n, _i ? RINGD_SETUP_SQPOLL : 0);
	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	/* 256 MiB to be copied by one chain: the neighbours must be served meanwhile */
	for (unsigned int i = 0; i < n; i++)
		read_sqe(i < n - 1 ? RINGD_SQE_IO_LINK : 0, i, 65536, 0);
	raw_submit(&ring);
	ck_assert_uint_eq(take(n, 65536), n);
}
END_TEST

START_TEST(a_chain_that_never_ends_is_cut_where_the_submission_ends)
{
	raw_ring(&ring, &raw, 8, _i ? RINGD_SETUP_SQPOLL : 0);
	for (unsigned int i = 0; i < 5000; i++) {
		sqe_of(RINGD_OP_NOP, i % 3 ? RINGD_SQE_IO_LINK : RINGD_SQE_IO_HARDLINK, i);
		raw_submit(&ring);
		take(1, 0);
	}
}
END_TEST

START_TEST(a_queue_behind_a_drain_goes_with_its_client)
{
	const unsigned int n = 4096;

	raw_ring(&ring, &raw, n, 0);
	ck_assert_int_eq(raw_register_files(&ring, &p[0], 1), 0);
	read_sqe(0, 0, 1, UINT64_MAX);
	for (unsigned int round = 0; round < 8; round++) {
		for (unsigned int i = 1; i < n; i++)
			sqe_of(RINGD_OP_NOP, scene_random() & (RINGD_SQE_IO_DRAIN | RINGD_SQE_IO_LINK), i);
		raw_submit(&ring);
	}
	ck_assert(!raw_cqe_ready(&ring));
}
END_TEST

START_TEST(a_queue_behind_a_drain_comes_out_whole)
{
	const unsigned int n = 2048;

	raw_ring(&ring, &raw, n, 0);
	ck_assert_int_eq(raw_register_files(&ring, &p[0], 1), 0);
	read_sqe(0, 0, 1, UINT64_MAX);
	for (unsigned int i = 1; i < n; i++)
		sqe_of(RINGD_OP_NOP, i == 1 ? RINGD_SQE_IO_DRAIN : scene_random() & (RINGD_SQE_IO_DRAIN | RINGD_SQE_IO_LINK), i);
	raw_submit(&ring);
	ck_assert(!raw_cqe_ready(&ring));
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	take(1, 1);
	for (unsigned int i = 1; i < n; i++) {
		struct ringd_cqe cqe;

		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_uint_eq(cqe.user_data, i);	/* drains keep their order, and nothing here waits for anything else */
	}
}
END_TEST

START_TEST(cancels_that_search_thousands_in_vain)
{
	const unsigned int n = 4096;

	raw_ring(&ring, &raw, n, 0);
	ck_assert_int_eq(raw_register_files(&ring, &p[0], 1), 0);
	for (unsigned int i = 0; i < n; i++)
		read_sqe(0, i, 1, UINT64_MAX);
	raw_submit(&ring);
	for (unsigned int i = 0; i < n; i++)
		sqe_of(RINGD_OP_ASYNC_CANCEL, 0, 1)->addr = UINT64_MAX;
	raw_submit(&ring);
	take(n, -ENOENT);
	sqe_of(RINGD_OP_ASYNC_CANCEL, 0, 2)->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
	raw_submit(&ring);
	take(1, (int32_t)n);
	take(n, -ECANCELED);
}
END_TEST

START_TEST(sqpoll_chains_published_in_pieces_lose_nobody)
{
	unsigned int sent = 0, seen = 0;

	raw_ring(&ring, &raw, 64, RINGD_SETUP_SQPOLL);
	while (sent < 20000) {
		unsigned int n = 1 + scene_random() % 20;

		for (unsigned int i = 0; i < n; i++)
			sqe_of(RINGD_OP_NOP, scene_random() & (RINGD_SQE_IO_LINK | RINGD_SQE_IO_HARDLINK), sent++);
		raw_submit(&ring);
		for (; seen < sent; seen++) {
			struct ringd_cqe cqe;

			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_int_eq(cqe.res, 0);
		}
	}
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile order");
	tc = tcase_create("a client that piles up");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, the_longest_chain_runs_and_lets_others_run, 0, 2);
	tcase_add_loop_test(tc, a_chain_that_never_ends_is_cut_where_the_submission_ends, 0, 2);
	tcase_add_test(tc, a_queue_behind_a_drain_goes_with_its_client);
	tcase_add_test(tc, a_queue_behind_a_drain_comes_out_whole);
	tcase_add_test(tc, cancels_that_search_thousands_in_vain);
	tcase_add_test(tc, sqpoll_chains_published_in_pieces_lose_nobody);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
