/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that lies about what it provides and waits for: rings of buffers whose tails and entries change all the time,
 * groups that go while they are used, futex words that flip, vanish and come in floods.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define SIZE	(64 * PAGE)
#define A	RD_RAW_ARENA
#define RING	A			/* the ring of buffers: the first page of the arena */
#define DATA	(A + PAGE)
#define WORDS	(A + 32 * PAGE)
#define NR	64u
#define ANY	0xffffffffull

#define FILE_SLOT	0
#define PIPE_SLOT	1
#define EPOLL_SLOT	2

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int file, p[2], ep;
static atomic_bool stop;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	char block[PAGE];
	int fds[3];

	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 256, 0);
	raw_arena(&arena, &raw, A, SIZE);
	file = memfd_create("data", MFD_CLOEXEC);
	memset(block, 'x', sizeof(block));
	ck_assert_int_eq(write(file, block, sizeof(block)), sizeof(block));
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	ep = epoll_create1(EPOLL_CLOEXEC);
	fds[FILE_SLOT] = file;
	fds[PIPE_SLOT] = p[0];
	fds[EPOLL_SLOT] = ep;
	ck_assert_int_eq(raw_register_files(&ring, fds, 3), 0);
	atomic_store(&stop, false);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	close(file);
	close(p[0]);
	close(p[1]);
	close(ep);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- helpers --- */

static int group(uint16_t bgid, uint16_t flags)
{
	const struct ringd_buf_reg reg = { .ring_addr = RING, .ring_entries = NR, .bgid = bgid, .flags = flags };

	return raw_register_get(&raw, ring.id, RINGD_REGISTER_PBUF_RING, 1, &reg, sizeof(reg), NULL, 0, NULL);
}

static int group_gone(uint16_t bgid)
{
	const struct ringd_buf_reg reg = { .bgid = bgid };

	return raw_register_get(&raw, ring.id, RINGD_UNREGISTER_PBUF_RING, 1, &reg, sizeof(reg), NULL, 0, NULL);
}

static struct ringd_sqe *sqe_of(uint8_t opcode, int slot)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = opcode, .fd = slot };
	if (slot >= 0)
		sqe->flags = RINGD_SQE_FIXED_FILE;
	return sqe;
}

static void reader(uint8_t opcode, int slot, uint32_t len, uint16_t bgid, unsigned int flags)
{
	struct ringd_sqe *sqe = sqe_of(opcode, slot);

	sqe->len = len;
	sqe->flags |= (uint8_t)(RINGD_SQE_BUFFER_SELECT | flags);
	sqe->buf_group = bgid;
}

static void futex_wait(uint32_t word, uint32_t val, uint64_t user_data)
{
	struct ringd_sqe *sqe = sqe_of(RINGD_OP_FUTEX_WAIT, -1);

	sqe->fd = 2;
	sqe->addr = WORDS + 4ull * word;
	sqe->addr2 = val;
	sqe->addr3 = ANY;
	sqe->user_data = user_data;
}

static void cancel_all(void)
{
	sqe_of(RINGD_OP_ASYNC_CANCEL, -1)->cancel_flags = RINGD_ASYNC_CANCEL_ANY;
}

/* Submit all and take n CQEs. */
static void finish(unsigned int n)
{
	struct ringd_cqe cqe;

	ck_assert_int_ge(raw_submit(&ring), 0);
	while (n--)
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
}

static uint32_t *word_of(uint32_t i)
{
	return (uint32_t *)(void *)(arena.ptr + (WORDS - A)) + i;
}

/* The engine still answers at once. */
static void still_there(void)
{
	ck_assert_int_eq(raw_one(&ring, &(struct ringd_sqe){ .opcode = RINGD_OP_NOP }), 0);
}

/* --- buffers --- */

static void *scribbler(void *arg)
{
	struct ringd_buf *buf = (struct ringd_buf *)(void *)arena.ptr;
	unsigned int seed = 1;

	(void)arg;
	while (!atomic_load(&stop)) {
		unsigned int k = (unsigned int)rand_r(&seed);
		struct ringd_buf *one = &buf[k % NR];

		__atomic_store_n(&one->addr, k & 64 ? DATA + k % (8 * PAGE) : (uint64_t)k << (k % 40), __ATOMIC_RELAXED);
		__atomic_store_n(&one->len, k & 128 ? k : k % 100, __ATOMIC_RELAXED);
		__atomic_store_n(&buf[0].resv, (uint16_t)(k >> 7), __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(tails_and_entries_change_while_they_are_used)
{
	const uint16_t flags[] = { 0, RINGD_PBUF_RING_INC };
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, scribbler, NULL), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(flags); i++) {
		ck_assert_int_eq(group(1, flags[i]), 0);
		for (int round = 0; round < 200; round++) {
			for (unsigned int k = 0; k < 32; k++)
				reader(RINGD_OP_READ, FILE_SLOT, k * 5, 1, k % 3 ? 0 : RINGD_SQE_ASYNC);
			finish(32);
		}
		ck_assert_int_eq(group_gone(1), 0);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	still_there();
}
END_TEST

START_TEST(a_group_goes_while_it_is_used)
{
	struct ringd_buf *buf = (struct ringd_buf *)(void *)arena.ptr;
	struct ringd_cqe cqe;

	for (unsigned int i = 0; i < NR; i++)
		buf[i] = (struct ringd_buf){ .addr = DATA + i * 64, .len = 64, .bid = (uint16_t)i };
	buf[0].resv = NR;
	for (int round = 0; round < 100; round++) {
		ck_assert_int_eq(group(1, 0), 0);
		for (unsigned int k = 0; k < 16; k++)
			reader(RINGD_OP_READ, FILE_SLOT, 0, 1, RINGD_SQE_ASYNC);
		reader(RINGD_OP_READ, PIPE_SLOT, 0, 1, 0);
		reader(RINGD_OP_READ_MULTISHOT, PIPE_SLOT, 0, 1, 0);
		ck_assert_int_eq(raw_submit(&ring), 18);
		ck_assert_int_eq(group_gone(1), 0);
		for (unsigned int k = 0; k < 16; k++) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_int_eq(cqe.res, 64);
			ck_assert(cqe.flags & RINGD_CQE_F_BUFFER);
		}
		ck_assert_int_eq(write(p[1], "x", 1), 1);
		for (unsigned int k = 0; k < 2; k++) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_int_eq(cqe.res, -ENOBUFS);
			ck_assert_uint_eq(cqe.flags, 0);
		}
		ck_assert_int_eq(read(p[0], &cqe, 1), 1);
	}
}
END_TEST

START_TEST(a_ring_of_buffers_turns_into_holes)
{
	struct ringd_buf *buf = (struct ringd_buf *)(void *)arena.ptr;

	ck_assert_int_eq(group(1, RINGD_PBUF_RING_INC), 0);
	for (int round = 0; round < 100; round++) {
		buf[0] = (struct ringd_buf){ .addr = DATA, .len = 64, .bid = 1 };
		__atomic_store_n(&buf[0].resv, (uint16_t)(round + 1), __ATOMIC_RELEASE);
		reader(RINGD_OP_READ, FILE_SLOT, 4, 1, 0);
		ck_assert_int_eq(fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE), 0);
		reader(RINGD_OP_READ, FILE_SLOT, 4, 1, 0);
		finish(2);
	}
	still_there();
}
END_TEST

START_TEST(a_multishot_read_does_not_starve_others)
{
	struct ringd_buf *buf = (struct ringd_buf *)(void *)arena.ptr;
	struct ringd_cqe cqe;
	unsigned int more = 0;
	bool nop = false;

	for (unsigned int i = 0; i < NR; i++)
		buf[i] = (struct ringd_buf){ .addr = DATA + i, .len = 1, .bid = (uint16_t)i };
	buf[0].resv = NR;
	ck_assert_int_eq(group(1, 0), 0);
	for (unsigned int i = 0; i < NR; i++)
		ck_assert_int_eq(write(p[1], "x", 1), 1);
	reader(RINGD_OP_READ_MULTISHOT, PIPE_SLOT, 0, 1, 0);
	sqe_of(RINGD_OP_NOP, -1)->user_data = 1;
	ck_assert_int_eq(raw_submit(&ring), 2);
	while (!nop) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		nop = cqe.user_data == 1;
		more += !nop;
	}
	ck_assert_uint_le(more, 32);
	while (more < NR) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_int_eq(cqe.res, 1);
		more++;
	}
	cancel_all();
	finish(2);
}
END_TEST

START_TEST(groups_without_end_stop_at_the_budget)
{
	uint64_t limit = s.before.limit[RINGD_LIMIT_OBJECTS];
	int res = 0;

	/* each costs at least one object, and there are 65536 ids */
	for (unsigned int i = 0; i < 65536 && res == 0; i++) {
		struct ringd_sqe sqe = { .opcode = RINGD_OP_PROVIDE_BUFFERS, .fd = 65536, .addr = DATA, .len = 1,
					 .buf_group = (uint16_t)i };

		sqe.len = 1;
		sqe.addr = A;
		res = raw_one(&ring, &sqe);
	}
	ck_assert(res == 0 || res == -EDQUOT);
	ck_assert_uint_gt(limit, 0);
	still_there();
}
END_TEST

/* --- futexes --- */

static void *flipper(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		for (uint32_t i = 0; i < 64; i++) {
			__atomic_xor_fetch(word_of(i), 1, __ATOMIC_SEQ_CST);
			if (i % 8 == 0)
				syscall(SYS_futex, word_of(i), FUTEX_WAKE, 1, NULL, NULL, 0);
		}
	}
	return NULL;
}

START_TEST(words_flip_while_they_are_waited_for)
{
	unsigned int owed = 0;
	struct ringd_cqe cqe;
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, flipper, NULL), 0);
	for (int round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			futex_wait(i, i & 1, 5);
			owed++;
		}
		ck_assert_int_eq(raw_submit(&ring), 64);
		while (raw_cqe_ready(&ring)) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert(cqe.res == 0 || cqe.res == -EAGAIN || cqe.res == -EDQUOT);
			owed--;
		}
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	cancel_all();
	finish(owed + 1);
	still_there();
}
END_TEST

START_TEST(words_vanish_while_they_are_waited_for)
{
	struct ringd_cqe cqe;

	for (uint32_t i = 0; i < 64; i++) {
		*word_of(i) = 7;
		futex_wait(i, 7, 1);
	}
	ck_assert_int_eq(raw_submit(&ring), 64);
	/* zeros now: whatever the engine makes of that, it is a word that has changed */
	ck_assert_int_eq(fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(WORDS - A), (off_t)PAGE), 0);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	cancel_all();
	ck_assert_int_eq(raw_submit(&ring), 1);
	for (unsigned int i = 0; i < 65; i++) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert(cqe.user_data == 0 || cqe.res == 0 || cqe.res == -ECANCELED);
	}
	futex_wait(0, 0, 2);
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(cqe.res, -EFAULT);
}
END_TEST

START_TEST(waits_and_cancels_by_the_thousand)
{
	for (int round = 0; round < 40; round++) {
		for (uint32_t i = 0; i < 200; i++)
			futex_wait(i * 5 % 1024, 0, i);
		for (int i = 0; i < 8; i++) {
			struct ringd_sqe *sqe = sqe_of(RINGD_OP_EPOLL_WAIT, EPOLL_SLOT);

			sqe->addr = DATA;
			sqe->len = 4;
		}
		cancel_all();
		finish(209);
	}
	still_there();
}
END_TEST

START_TEST(who_leaves_while_it_waits_leaves_nothing)
{
	for (uint32_t i = 0; i < 200; i++)
		futex_wait(i, 0, i);
	for (int i = 0; i < 8; i++) {
		struct ringd_sqe *sqe = sqe_of(RINGD_OP_EPOLL_WAIT, EPOLL_SLOT);

		sqe->addr = DATA;
		sqe->len = 4;
	}
	ck_assert_int_eq(group(1, 0), 0);
	reader(RINGD_OP_READ_MULTISHOT, PIPE_SLOT, 0, 1, 0);
	ck_assert_int_ge(raw_submit(&ring), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		tails_and_entries_change_while_they_are_used, a_group_goes_while_it_is_used, a_ring_of_buffers_turns_into_holes,
		a_multishot_read_does_not_starve_others, groups_without_end_stop_at_the_budget,
		words_flip_while_they_are_waited_for, words_vanish_while_they_are_waited_for, waits_and_cancels_by_the_thousand,
		who_leaves_while_it_waits_leaves_nothing,
	};
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile buffers");
	tc = tcase_create("buffers and words");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
