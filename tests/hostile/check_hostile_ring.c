/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client that lies in its rings: indices, the SQ array, SQEs, the wait word; and one that never reaps. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

static struct scene s;
static struct raw raw;
static struct raw_ring ring;

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL, RINGD_SETUP_NO_SQARRAY, RINGD_SETUP_SQPOLL | RINGD_SETUP_NO_SQARRAY };

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
}

static void teardown(void)
{
	raw_ring_drop(&ring);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static int nop(void)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };

	return raw_one(&ring, &sqe);
}

/* --- indices --- */

static const uint32_t far[] = { 9, 0x80000000u, 0xffffffffu, 0x7fffffffu };

START_TEST(an_sq_tail_beyond_the_ring_ends_it)
{
	raw_ring(&ring, &raw, 8, kinds[_i % 2]);
	ck_assert_int_eq(nop(), 0);
	ring.sq_tail += far[_i / 2];
	ck_assert_int_eq(ring.params.flags & RINGD_SETUP_SQPOLL ? (raw_submit(&ring), -ECONNRESET) : raw_enter(&ring, 8, 0),
			 -ECONNRESET);
	ck_assert_uint_eq(raw_ring_reason(&ring), RINGD_REASON_SQ_TAIL);
	/* only the ring: the connection and a new ring serve on */
	raw_ring_drop(&ring);
	raw_ring(&ring, &raw, 8, 0);
	ck_assert_int_eq(nop(), 0);
}
END_TEST

START_TEST(a_cq_head_outside_the_cq_ends_the_ring)
{
	const uint32_t lies[] = { 1000, 0x80000000u, (uint32_t)-17 };

	raw_ring(&ring, &raw, 8, 0);	/* 16 CQEs */
	for (int i = 0; i < 16; i++) {
		raw_sqe(&ring);
		if (i % 8 == 7)
			ck_assert_int_eq(raw_enter(&ring, 8, 0), 8);
	}
	/* the CQ is full now, so the engine looks at the head */
	__atomic_store_n(&ring.hot->cq_head, lies[_i], __ATOMIC_RELEASE);
	raw_sqe(&ring);
	raw_enter(&ring, 1, RINGD_ENTER_GETEVENTS);	/* it may still be served, what it posts is not */
	ck_assert_uint_eq(raw_ring_reason(&ring), RINGD_REASON_CQ_HEAD);
}
END_TEST

START_TEST(what_the_engine_wrote_is_never_read_back)
{
	raw_ring(&ring, &raw, 8, kinds[_i]);
	for (uint32_t i = 0; i < 100; i++) {
		memset(&ring.hot->cq_tail, 0xa5, 4 * sizeof(uint32_t));
		memset(&ring.hot->sq_dropped, 0x5a, 2 * sizeof(uint32_t));
		memset(ring.rings, 0xff, 64);		/* masks and sizes */
		memset(&ring.sqes[i % 8], 0, sizeof(ring.sqes[0]));
		ring.sqes[i % 8].user_data = i;
		__atomic_store_n(&ring.hot->enter_to_submit, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&ring.hot->sq_tail, i + 1, __ATOMIC_RELEASE);
		__atomic_store_n(&ring.hot->enter_seq, i + 1, __ATOMIC_SEQ_CST);
		raw_ring_doorbell(&ring);
		/* every step writes all of them again */
		while (__atomic_load_n(&ring.hot->enter_done, __ATOMIC_ACQUIRE) != i + 1 ||
		       __atomic_load_n(&ring.hot->cq_tail, __ATOMIC_ACQUIRE) != i + 1 ||
		       __atomic_load_n(&ring.hot->sq_head, __ATOMIC_ACQUIRE) != i + 1)
			sched_yield();
		ck_assert_uint_eq(ring.cqes[i % 16].user_data, i);
		__atomic_store_n(&ring.hot->cq_head, i + 1, __ATOMIC_RELEASE);
	}
}
END_TEST

START_TEST(wild_entries_of_the_sq_array_are_dropped)
{
	struct ringd_cqe cqe;

	raw_ring(&ring, &raw, 8, 0);
	for (uint32_t i = 1; i <= 200; i++) {
		raw_sqe(&ring);
		raw_sqe(&ring);
		raw_sqe(&ring);
		ring.array[(ring.sq_tail - 2) % 8] = i % 3 ? 8 + scene_random() % 0xfffffff0u : 8;
		ck_assert_int_eq(raw_enter(&ring, 3, 0), 1);
		ck_assert_uint_eq(ring.hot->sq_dropped, i);
		ring.array[(ring.sq_tail - 2) % 8] = (ring.sq_tail - 2) % 8;
		ck_assert_int_eq(raw_enter(&ring, 1, 0), 1);
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	}
}
END_TEST

START_TEST(enter_and_wait_words_may_say_anything)
{
	raw_ring(&ring, &raw, 8, kinds[_i]);
	for (int i = 0; i < 2000; i++) {
		uint32_t seq = ring.enter_seq, n = scene_random() % 9;
		int32_t res;

		while (seq == ring.enter_seq)
			seq = scene_random();
		ring.enter_seq = seq;
		ring.sq_tail += n;
		memset(ring.sqes, 0, 8 * sizeof(ring.sqes[0]));
		__atomic_store_n(&ring.hot->enter_to_submit, scene_random() % 2 ? scene_random() : 8, __ATOMIC_RELAXED);
		__atomic_store_n(&ring.hot->enter_flags, scene_random() | RINGD_ENTER_GETEVENTS, __ATOMIC_RELAXED);
		__atomic_store_n(&ring.hot->wait, (uint64_t)scene_random() << 32 | scene_random(), __ATOMIC_RELAXED);
		__atomic_store_n(&ring.hot->sq_tail, ring.sq_tail, __ATOMIC_RELEASE);
		__atomic_store_n(&ring.hot->enter_seq, seq, __ATOMIC_SEQ_CST);
		raw_ring_doorbell(&ring);
		while (__atomic_load_n(&ring.hot->enter_done, __ATOMIC_ACQUIRE) != seq)
			sched_yield();
		res = __atomic_load_n(&ring.hot->enter_res, __ATOMIC_RELAXED);
		ck_assert(res >= 0 && res <= 8);
		if (ring.params.flags & RINGD_SETUP_SQPOLL) {
			while (__atomic_load_n(&ring.hot->sq_head, __ATOMIC_ACQUIRE) != ring.sq_tail)
				sched_yield();
		}
		ring.sq_tail = __atomic_load_n(&ring.hot->sq_head, __ATOMIC_ACQUIRE);	/* take back what it left */
		__atomic_store_n(&ring.hot->cq_head, __atomic_load_n(&ring.hot->cq_tail, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	}
}
END_TEST

/* --- requests --- */

/* Slots that no random request can do harm with, or be slow on: nothing of it is on a disk. */
static void safe_slots(void)
{
	RD_CLOSE int data = memfd_create("data", MFD_CLOEXEC);
	char path[32], block[4096] = { 0 };

	ck_assert_int_eq(write(data, block, sizeof(block)), sizeof(block));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", data);
	int fds[] = { open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC),
		      open(path, O_RDONLY | O_CLOEXEC), -1 };

	ck_assert_int_eq(raw_register_files(&ring, fds, RD_ARRAY_SIZE(fds)), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(fds); i++)
		rd_close(fds[i]);
}

static void random_sqe(struct ringd_sqe *sqe)
{
	uint32_t *w = (void *)sqe;

	for (size_t i = 0; i < sizeof(*sqe) / sizeof(*w); i++)
		w[i] = scene_random() % 3 ? scene_random() : 0;
}

/* The next CQE that is a result. A send without a copy has one and, after it, a notification that its flags have promised. */
static void next_result(struct ringd_cqe *cqe, unsigned int *promised)
{
	ck_assert_int_eq(raw_cqe(&ring, cqe), 0);
	while (cqe->flags & RINGD_CQE_F_NOTIF) {
		ck_assert_uint_gt((*promised)--, 0);
		ck_assert_int_eq(raw_cqe(&ring, cqe), 0);
	}
	*promised += cqe->flags == RINGD_CQE_F_MORE;
}

static void expect_no_more(unsigned int promised)
{
	struct ringd_cqe cqe;

	for (; promised; promised--) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_NOTIF);
	}
	ck_assert(!raw_cqe_ready(&ring));
}

START_TEST(every_opcode_with_any_flags_gets_exactly_one_cqe)
{
	unsigned int promised = 0;
	struct ringd_cqe cqe;

	raw_ring(&ring, &raw, 64, kinds[_i % 2]);
	safe_slots();
	for (unsigned int op = 0; op < 256; op++) {
		for (unsigned int k = 0; k < 8; k++) {
			struct ringd_sqe sqe;

			random_sqe(&sqe);
			sqe.opcode = (uint8_t)op;
			sqe.flags = (uint8_t)(k < 4 ? scene_random() : 0);
			sqe.flags &= (uint8_t)~RINGD_SQE_CQE_SKIP_SUCCESS;
			sqe.fd = (int32_t)(scene_random() % 6) - 1;
			sqe.user_data = op << 8 | k;
			memcpy(raw_sqe(&ring), &sqe, sizeof(sqe));
			ck_assert_int_eq(raw_submit(&ring), 1);
			next_result(&cqe, &promised);
			ck_assert_uint_eq(cqe.user_data, op << 8 | k);
			if (op >= RINGD_OP_LAST || sqe.flags & 0x80)
				ck_assert_int_eq(cqe.res, -EINVAL);
		}
	}
	expect_no_more(promised);
}
END_TEST

struct flipper {
	pthread_t thread;
	atomic_bool stop;
};

/* Changes SQEs while the engine copies them, and this client too: a race on purpose. */
__attribute__((__no_sanitize__("thread"))) static void *flip(void *arg)
{
	struct flipper *f = arg;
	uint32_t x = 1;

	while (!f->stop) {
		struct ringd_sqe *sqe = &ring.sqes[x % 64];

		x = x * 1664525 + 1013904223;
		sqe->opcode = (uint8_t)(x >> 8);
		sqe->fd = (int32_t)(x >> 16) % 5;
		sqe->len = x >> 4;
		sqe->addr = x & 64 ? RD_RAW_ARENA + (x >> 8) % (1u << 20) : x;
		sqe->flags = (uint8_t)((x >> 20) & ~RINGD_SQE_CQE_SKIP_SUCCESS);
		sqe->off = x;
		sqe->rw_flags = (int32_t)(x & 0x10000 ? x : 0);
		sqe->buf_index = (uint16_t)(x & 0x20000 ? x : 0);
	}
	return NULL;
}

START_TEST(sqes_that_change_while_they_are_fetched_give_one_cqe_each)
{
	struct flipper f = { .stop = false };
	unsigned int promised = 0;
	struct raw_arena a;
	struct ringd_cqe cqe;

	raw_ring(&ring, &raw, 64, kinds[_i] | RINGD_SETUP_SUBMIT_ALL);
	safe_slots();
	raw_arena(&a, &raw, RD_RAW_ARENA, 1u << 20);
	/* any string in it is a path of directories that do not exist */
	for (size_t i = 0; i < a.size - 12; i += 11)
		memcpy(a.ptr + i, "ringd-none/", 11);
	ck_assert_int_eq(pthread_create(&f.thread, NULL, flip, &f), 0);
	for (int i = 0; i < 300; i++) {
		for (int k = 0; k < 32; k++)
			raw_sqe(&ring);
		ck_assert_int_ge(raw_submit(&ring), 32);
		for (int k = 0; k < 32; k++)
			next_result(&cqe, &promised);
	}
	f.stop = true;
	pthread_join(f.thread, NULL);
	expect_no_more(promised);
	raw_arena_drop(&a);
}
END_TEST

/* --- memory that goes away --- */

static void *punch(void *arg)
{
	struct flipper *f = arg;
	uint32_t x = 7;

	while (!f->stop) {
		uint64_t off[] = { RINGD_OFF_SQ_RING, RINGD_OFF_SQES, RINGD_OFF_SCRATCH };

		x = x * 1664525 + 1013904223;
		fallocate(ring.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off[(x >> 8) % 3], 4096);
		usleep(100);
	}
	return NULL;
}

START_TEST(holes_punched_into_a_ring_hurt_only_the_ring)
{
	struct flipper f = { .stop = false };

	raw_ring(&ring, &raw, 64, kinds[_i] | RINGD_SETUP_SUBMIT_ALL);
	ck_assert_int_eq(pthread_create(&f.thread, NULL, punch, &f), 0);
	/* no promise but that nobody else notices: words vanish on both sides, so nothing is waited for */
	for (uint32_t i = 1; i < 20000; i++) {
		__atomic_store_n(&ring.hot->sq_tail, i, __ATOMIC_RELEASE);
		__atomic_store_n(&ring.hot->cq_head, i, __ATOMIC_RELEASE);
		__atomic_store_n(&ring.hot->enter_to_submit, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&ring.hot->enter_seq, i, __ATOMIC_SEQ_CST);
		raw_ring_doorbell(&ring);
	}
	f.stop = true;
	pthread_join(f.thread, NULL);
	ck_assert_int_eq(raw_ring_free(&ring), 0);
}
END_TEST

START_TEST(the_sizes_of_memory_files_are_sealed)
{
	struct raw_arena a;

	raw_ring(&ring, &raw, 8, 0);
	raw_arena(&a, &raw, RD_RAW_ARENA, 8192);
	const int fds[] = { ring.fd, a.fd };

	for (size_t i = 0; i < RD_ARRAY_SIZE(fds); i++) {
		ck_assert_int_eq(ftruncate(fds[i], 0), -1);
		ck_assert_int_eq(errno, EPERM);
		ck_assert_int_eq(ftruncate(fds[i], 1ll << 40), -1);
		ck_assert_int_eq(fcntl(fds[i], F_ADD_SEALS, F_SEAL_WRITE), -1);
		ck_assert_int_eq(fcntl(fds[i], F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
				 F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	}
	ck_assert_int_eq(nop(), 0);
	raw_arena_drop(&a);
}
END_TEST

/* --- wake-ups --- */

START_TEST(a_saturated_blocking_doorbell_stops_nobody)
{
	uint64_t max = 0xfffffffffffffffeull, count;
	struct raw_ring second;

	raw_ring(&ring, &raw, 8, 0);
	raw_ring(&second, &raw, 8, 0);
	ck_assert_int_eq(nop(), 0);
	/* THREATS T29: the flag belongs to the open file, which is the engine's too */
	if (read(ring.doorbell, &count, sizeof(count)) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(fcntl(ring.doorbell, F_SETFL, 0), 0);
	ck_assert_int_eq(fcntl(ring.wake, F_SETFL, 0), 0);
	ck_assert_int_eq(write(ring.doorbell, &max, sizeof(max)), sizeof(max));
	for (int i = 0; i < 100; i++) {
		const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };

		ck_assert_int_eq(raw_one(&second, &sqe), 0);
	}
	raw_ring_drop(&second);
}
END_TEST

START_TEST(a_wake_socket_that_nobody_reads_stops_nobody)
{
	char filler[4096] = { 0 };

	raw_ring(&ring, &raw, 8, 0);
	/* the engine's end takes nothing: nothing can be parked in it */
	ck_assert_int_eq(send(ring.wake, filler, sizeof(filler), MSG_DONTWAIT | MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	for (uint32_t i = 1; i < 5000; i++) {
		/* ask for a wake-up that is due at once, with a new sequence every time, and never read it */
		__atomic_store_n(&ring.hot->wait, RINGD_WAIT(i << 2, ring.hot->cq_tail), __ATOMIC_SEQ_CST);
		raw_sqe(&ring);
		__atomic_store_n(&ring.hot->sq_tail, ring.sq_tail, __ATOMIC_RELEASE);
		__atomic_store_n(&ring.hot->enter_to_submit, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&ring.hot->enter_seq, ++ring.enter_seq, __ATOMIC_SEQ_CST);
		raw_ring_doorbell(&ring);
		while (__atomic_load_n(&ring.hot->enter_done, __ATOMIC_ACQUIRE) != ring.enter_seq)
			sched_yield();
		__atomic_store_n(&ring.hot->cq_head, ++ring.cq_head, __ATOMIC_RELEASE);
	}
	ring.wait_seq = 5000u << 2;
	ck_assert_int_eq(nop(), 0);
}
END_TEST

START_TEST(a_storm_on_doorbells_stops_nobody)
{
	struct raw_ring second;

	raw_ring(&ring, &raw, 8, 0);
	raw_ring(&second, &raw, 8, RINGD_SETUP_SQPOLL);
	ck_assert_int_eq(raw_ring_free(&second), 0);
	for (int i = 0; i < 50000; i++) {
		raw_ring_doorbell(&ring);
		raw_ring_doorbell(&second);	/* of a ring that is gone */
	}
	ck_assert_int_eq(nop(), 0);
	raw_ring_drop(&second);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile ring");
	tc = tcase_create("a lying client");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, an_sq_tail_beyond_the_ring_ends_it, 0, 2 * (int)RD_ARRAY_SIZE(far));
	tcase_add_loop_test(tc, a_cq_head_outside_the_cq_ends_the_ring, 0, 3);
	tcase_add_loop_test(tc, what_the_engine_wrote_is_never_read_back, 0, 4);
	tcase_add_test(tc, wild_entries_of_the_sq_array_are_dropped);
	tcase_add_loop_test(tc, enter_and_wait_words_may_say_anything, 0, 4);
	tcase_add_loop_test(tc, every_opcode_with_any_flags_gets_exactly_one_cqe, 0, 2);
	tcase_add_loop_test(tc, sqes_that_change_while_they_are_fetched_give_one_cqe_each, 0, 2);
	tcase_add_loop_test(tc, holes_punched_into_a_ring_hurt_only_the_ring, 0, 2);
	tcase_add_test(tc, the_sizes_of_memory_files_are_sealed);
	tcase_add_test(tc, a_saturated_blocking_doorbell_stops_nobody);
	tcase_add_test(tc, a_wake_socket_that_nobody_reads_stops_nobody);
	tcase_add_test(tc, a_storm_on_doorbells_stops_nobody);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
