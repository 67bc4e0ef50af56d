/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that lies in its refill ring: entries and tail that change while they are read, buffers that it does not have, or
 * gives back again and again, memory that goes or that data lands in while it is received.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "raw_zcrx.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define SIZE	(64 * PAGE)
#define A	RD_RAW_ARENA
#define RQ	A			/* the refill ring: the first page of the arena */
#define AREA	(A + PAGE)
#define BUFS	8u
#define ENTRIES	64u

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int sock[2];			/* sock[0], also in slot 0, is received from */
static uint32_t rq_tail;
static atomic_bool stop;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 256, RAW_ZCRX_RING);
	raw_arena(&arena, &raw, A, SIZE);
	raw_tcp_pair(sock);
	ck_assert_int_eq(raw_register_files(&ring, sock, 1), 0);
	rq_tail = 0;
	atomic_store(&stop, false);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	close(sock[0]);
	close(sock[1]);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- helpers --- */

static void add_area(uint64_t addr, uint64_t len)
{
	struct raw_ifq ifq = raw_ifq(addr, len, RQ, ENTRIES);

	ck_assert_int_eq(raw_try_ifq(&ring, &ifq, NULL), 0);
}

static struct ringd_zcrx_rqe *entry_at(uint32_t i)
{
	return (struct ringd_zcrx_rqe *)(void *)(arena.ptr + 64) + (i & (ENTRIES - 1));
}

static uint32_t *tail_word(void)
{
	return (uint32_t *)(void *)(arena.ptr + 4);
}

static void give_back(uint64_t off)
{
	*entry_at(rq_tail++) = (struct ringd_zcrx_rqe){ .off = off };
	__atomic_store_n(tail_word(), rq_tail, __ATOMIC_RELEASE);
}

static void receive(void)
{
	raw_recv_zc(&ring, 0, 0, 0);
	ck_assert_int_eq(raw_submit(&ring), 1);
}

static void put(const char *text)
{
	ck_assert_int_eq(send(sock[1], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static struct raw_big_cqe next(void)
{
	struct raw_big_cqe b;

	ck_assert_int_eq(raw_big_cqe(&ring, &b), 0);
	if (b.cqe.flags & RINGD_CQE_F_MORE) {
		ck_assert_int_gt(b.cqe.res, 0);
		ck_assert_uint_lt(b.off, SIZE);
		ck_assert_uint_eq(b.off % PAGE, 0);
	}
	return b;
}

/* The engine still answers at once, and nothing else has come. */
static void still_there(void)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 7 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_uint_eq(next().cqe.user_data, 7);
}

static void use_up_all(void)
{
	receive();
	for (unsigned int i = 0; i < BUFS; i++) {
		put("x");
		ck_assert_int_eq(next().cqe.res, 1);
	}
}

/* --- lies --- */

static void *scribbler(void *arg)
{
	unsigned int seed = 1;

	(void)arg;
	while (!atomic_load(&stop)) {
		unsigned int k = (unsigned int)rand_r(&seed);
		struct ringd_zcrx_rqe *e = entry_at(k);

		__atomic_store_n(&e->off, k & 64 ? (k >> 7) % (BUFS * PAGE) : (uint64_t)k << (k % 40), __ATOMIC_RELAXED);
		__atomic_store_n(&e->__pad, k & 0x300 ? 0 : k, __ATOMIC_RELAXED);
		__atomic_store_n(tail_word(), k & 0x1000 ? k : k % 200, __ATOMIC_RELAXED);
		__atomic_store_n((uint32_t *)(void *)arena.ptr, k, __ATOMIC_RELAXED);	/* the head */
	}
	return NULL;
}

static void *sender(void *arg)
{
	static const char data[3 * PAGE];

	(void)arg;
	while (!atomic_load(&stop)) {
		if (send(sock[1], data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			sched_yield();
	}
	return NULL;
}

/* A receive is going on: until so many buffers have come. What ends because the CQ was full begins again. */
static void take_many(unsigned int n)
{
	while (n) {
		struct raw_big_cqe b = next();

		if (b.cqe.flags & RINGD_CQE_F_MORE) {
			ck_assert_uint_lt(b.off, BUFS * PAGE);
			n--;
			continue;
		}
		ck_assert_int_eq(b.cqe.res, -ENOSPC);
		receive();
	}
}

static void receive_many(unsigned int n)
{
	receive();
	take_many(n);
}

START_TEST(entries_and_tail_change_while_they_are_read)
{
	pthread_t t[2];

	add_area(AREA, BUFS * PAGE);
	ck_assert_int_eq(pthread_create(&t[0], NULL, scribbler, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[1], NULL, sender, NULL), 0);
	receive_many(5000);
	atomic_store(&stop, true);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
}
END_TEST

START_TEST(a_buffer_given_back_twice_is_one_buffer)
{
	add_area(AREA, BUFS * PAGE);
	use_up_all();
	for (unsigned int i = 0; i < ENTRIES; i++)
		give_back(3 * PAGE + i);
	put("a");
	ck_assert_uint_eq(next().off, 3 * PAGE);
	put("b");
	still_there();			/* and nobody else gets one */
}
END_TEST

START_TEST(entries_for_buffers_there_are_not)
{
	static const uint64_t bad[] = { BUFS * PAGE, SIZE, 1ull << RINGD_ZCRX_AREA_SHIFT, (1ull << RINGD_ZCRX_AREA_SHIFT) + PAGE,
					UINT64_MAX, 1ull << 63, UINT64_MAX - PAGE };

	add_area(AREA, BUFS * PAGE);
	use_up_all();
	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++)
		give_back(bad[i]);
	entry_at(rq_tail)->__pad = 1;
	*entry_at(rq_tail++) = (struct ringd_zcrx_rqe){ .off = PAGE, .__pad = 1 };
	__atomic_store_n(tail_word(), rq_tail, __ATOMIC_RELEASE);
	put("a");
	still_there();
	give_back(0);
	ck_assert_uint_eq(next().off, 0);
}
END_TEST

START_TEST(a_tail_far_beyond_costs_one_ring_of_entries)
{
	const struct ringd_zcrx_ctrl flush = { .op = RINGD_ZCRX_CTRL_FLUSH_RQ };

	add_area(AREA, BUFS * PAGE);
	use_up_all();
	for (unsigned int i = 0; i < ENTRIES; i++)
		*entry_at(i) = (struct ringd_zcrx_rqe){ .off = UINT64_MAX };
	put("a");
	for (unsigned int i = 0; i < 1000; i++) {
		__atomic_store_n(tail_word(), 0x80000000u + i, __ATOMIC_RELEASE);
		ck_assert_int_eq(raw_zcrx_ctrl(&ring, &flush, NULL), 0);
	}
	still_there();
	/* and once for each enter, for who waits */
	ck_assert_uint_ge(*(uint32_t *)(void *)arena.ptr, 1000 * ENTRIES);
	ck_assert_uint_le(*(uint32_t *)(void *)arena.ptr, 1100 * ENTRIES);
}
END_TEST

/* --- memory --- */

static void *puncher(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		(void)!fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)SIZE);
	return NULL;
}

START_TEST(area_and_refill_ring_turn_into_holes)
{
	pthread_t t[3];

	add_area(AREA, BUFS * PAGE);
	ck_assert_int_eq(pthread_create(&t[0], NULL, puncher, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[1], NULL, sender, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[2], NULL, scribbler, NULL), 0);
	receive_many(500);
	atomic_store(&stop, true);
	for (size_t i = 0; i < RD_ARRAY_SIZE(t); i++)
		pthread_join(t[i], NULL);
}
END_TEST

/* The refill ring is the first buffer of its own area. */
START_TEST(data_lands_in_the_refill_ring)
{
	pthread_t t[2];

	add_area(RQ, BUFS * PAGE);
	ck_assert_int_eq(pthread_create(&t[0], NULL, scribbler, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[1], NULL, sender, NULL), 0);
	receive_many(2000);
	atomic_store(&stop, true);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
}
END_TEST

START_TEST(an_arena_is_freed_while_it_is_received_into)
{
	pthread_t t[2];

	add_area(AREA, BUFS * PAGE);
	ck_assert_int_eq(pthread_create(&t[0], NULL, scribbler, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[1], NULL, sender, NULL), 0);
	receive_many(100);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	take_many(100);
	/* its ring goes in the middle of it, too, and then its connection */
	ck_assert_int_eq(raw_ring_free(&ring), 0);
	atomic_store(&stop, true);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
}
END_TEST

START_TEST(slots_and_rings_go_while_they_receive)
{
	for (unsigned int round = 0; round < 50; round++) {
		struct raw_ring one;
		struct raw_ifq ifq = raw_ifq(AREA, BUFS * PAGE, RQ, ENTRIES);
		int fd[2];

		memset(arena.ptr, 0, 64);
		raw_ring(&one, &raw, 64, RAW_ZCRX_RING);
		raw_tcp_pair(fd);
		ck_assert_int_eq(raw_try_ifq(&one, &ifq, NULL), 0);
		ck_assert_int_eq(raw_register_files(&one, fd, 1), 0);
		raw_recv_zc(&one, 0, 0, 0);
		ck_assert_int_eq(raw_submit(&one), 1);
		/* with nothing there, with data, or waiting for a buffer */
		for (unsigned int i = 0; i < round % (BUFS + 3); i++) {
			struct raw_big_cqe b;

			ck_assert_int_eq(send(fd[1], "x", 1, MSG_NOSIGNAL), 1);
			if (i < BUFS)
				ck_assert_int_eq(raw_big_cqe(&one, &b), 0);
			else
				ck_assert_int_ge(raw_enter(&one, 0, RINGD_ENTER_GETEVENTS), 0);
		}
		if (round & 1)
			ck_assert_int_eq(raw_update_file(&one, 0, -1), 1);
		if (round & 2)
			ck_assert_int_eq(raw_ring_free(&one), 0);
		close(fd[0]);
		close(fd[1]);
		raw_ring_drop(&one);
	}
}
END_TEST

/* --- more than there may be --- */

START_TEST(areas_without_end_stop_at_the_budget)
{
	struct raw_ring many[64];
	unsigned int n = 0;
	int r = 0;

	/* each costs bytes, for its refill ring, and objects, for its buffers */
	for (; n < RD_ARRAY_SIZE(many) && r != -EDQUOT; n++) {
		raw_ring(&many[n], &raw, 8, RAW_ZCRX_RING);
		for (unsigned int i = 0; i < 64 && r == 0; i++) {
			struct raw_ifq ifq = raw_ifq(A, SIZE, 0, ENTRIES);
			int fd;

			ifq.desc = (struct ringd_region_desc){ .size = 16384 * PAGE };
			r = raw_try_ifq(&many[n], &ifq, &fd);
			if (r == 0)
				close(fd);
		}
	}
	ck_assert_int_eq(r, -EDQUOT);
	ck_assert_ptr_nonnull(strstr(raw.text, "budget"));
	while (n--) {
		ck_assert_int_eq(raw_ring_free(&many[n]), 0);
		raw_ring_drop(&many[n]);
	}
}
END_TEST

START_TEST(descriptors_that_name_no_area)
{
	const struct ringd_zcrx_ifq_reg import = { .flags = RINGD_ZCRX_REG_IMPORT };
	const struct ringd_zcrx_ctrl export = { .op = RINGD_ZCRX_CTRL_EXPORT };
	int fds[] = { memfd_create("ringd-zcrx", MFD_CLOEXEC), open("/dev/null", O_RDWR), sock[0], raw.sock, arena.fd, ring.fd, -1 };
	int name, again;

	add_area(AREA, BUFS * PAGE);
	for (unsigned int i = 0; i < 200; i++) {	/* one name, whoever asks how often */
		ck_assert_int_eq(raw_zcrx_ctrl(&ring, &export, &again), 0);
		close(again);
	}
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &export, &name), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(fds); i++)
		ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ZCRX_IFQ, 1, 0, &import, sizeof(import), &fds[i], fds[i] >= 0),
				 -EBADF);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ZCRX_IFQ, 1, 0, &import, sizeof(import), &name, 1), 0);
	close(name);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(who_keeps_its_buffers_waits_alone)
{
	int fd[64][2];

	raw_ring_drop(&ring);
	raw_ring(&ring, &raw, 256, RAW_ZCRX_RING);
	add_area(AREA, BUFS * PAGE);
	ck_assert_int_eq(raw_register_files(&ring, sock, 1), 0);
	use_up_all();
	for (size_t i = 0; i < RD_ARRAY_SIZE(fd); i++) {
		raw_tcp_pair(fd[i]);
		ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), 0);
		ck_assert_int_eq(raw_register_files(&ring, fd[i], 1), 0);
		ck_assert_int_eq(send(fd[i][1], "x", 1, MSG_NOSIGNAL), 1);
		receive();
	}
	still_there();
	/* one buffer, again and again: all get their turn */
	for (size_t i = 0; i < RD_ARRAY_SIZE(fd); i++) {
		give_back(PAGE);
		ck_assert_uint_eq(next().off, PAGE);
	}
	still_there();
	for (size_t i = 0; i < RD_ARRAY_SIZE(fd); i++) {
		close(fd[i][0]);
		close(fd[i][1]);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		entries_and_tail_change_while_they_are_read, a_buffer_given_back_twice_is_one_buffer,
		entries_for_buffers_there_are_not, a_tail_far_beyond_costs_one_ring_of_entries,
		area_and_refill_ring_turn_into_holes, data_lands_in_the_refill_ring,
		an_arena_is_freed_while_it_is_received_into, slots_and_rings_go_while_they_receive,
		areas_without_end_stop_at_the_budget, descriptors_that_name_no_area, who_keeps_its_buffers_waits_alone,
	};
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile zcrx");
	tc = tcase_create("refill rings");
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
