/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that sends to peers that never read, and receives into buffers that change, move and go; whose sockets are closed
 * under its requests; and that keeps one socket as busy as it can.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define SIZE	(512 * PAGE)
#define A	RD_RAW_ARENA
#define RING	A			/* of buffers: the first page of the arena */
#define DATA	(A + PAGE)
#define NR	64u
#define BG	1
#define PAIRS	4			/* two of UNIX, two of TCP sockets; ours is registered under its number */

static struct scene s;
static struct raw raw;
static struct raw_ring ring, other;
static struct raw_arena arena;
static int mine[PAIRS], peer[PAIRS];
static atomic_bool stop;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void make_pair(int i)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int l, sv[2];

	if (i < 2) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
		mine[i] = sv[0];
		peer[i] = sv[1];
		return;
	}
	l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(l, (struct sockaddr *)&addr, len), 0);
	ck_assert(getsockname(l, (struct sockaddr *)&addr, &len) == 0 && listen(l, 1) == 0);
	mine[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(mine[i], (struct sockaddr *)&addr, len), 0);
	peer[i] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(peer[i], 0);
	close(l);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 256, 0);
	raw_ring(&other, &raw, 8, 0);
	raw_arena(&arena, &raw, A, SIZE);
	for (int i = 0; i < PAIRS; i++)
		make_pair(i);
	ck_assert_int_eq(raw_register_files(&ring, mine, PAIRS), 0);
	atomic_store(&stop, false);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&other);
	raw_ring_drop(&ring);
	raw_close(&raw);
	for (int i = 0; i < PAIRS; i++) {
		rd_close(mine[i]);
		rd_close(peer[i]);
	}
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- helpers --- */

static struct ringd_buf *entries(void)
{
	return (struct ringd_buf *)(void *)arena.ptr;
}

static int group(uint16_t flags)
{
	const struct ringd_buf_reg reg = { .ring_addr = RING, .ring_entries = NR, .bgid = BG, .flags = flags };

	return raw_register_get(&raw, ring.id, RINGD_REGISTER_PBUF_RING, 1, &reg, sizeof(reg), NULL, 0, NULL);
}

static int group_gone(void)
{
	const struct ringd_buf_reg reg = { .bgid = BG };

	return raw_register_get(&raw, ring.id, RINGD_UNREGISTER_PBUF_RING, 1, &reg, sizeof(reg), NULL, 0, NULL);
}

/* All buffers of a fresh group, len bytes each. */
static void provide(uint32_t len)
{
	for (unsigned int i = 0; i < NR; i++)
		entries()[i] = (struct ringd_buf){ .addr = DATA + i * PAGE, .len = len, .bid = (uint16_t)i };
	__atomic_store_n(&entries()[0].resv, NR, __ATOMIC_RELEASE);
}

static struct ringd_sqe *plain(uint8_t opcode, int slot, uint32_t len)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = opcode, .fd = slot, .addr = DATA, .len = len, .flags = RINGD_SQE_FIXED_FILE };
	return sqe;
}

static struct ringd_sqe *selecting(uint8_t opcode, int slot, uint32_t len, uint16_t ioprio)
{
	struct ringd_sqe *sqe = plain(opcode, slot, len);

	sqe->addr = 0;
	sqe->flags |= RINGD_SQE_BUFFER_SELECT;
	sqe->buf_group = BG;
	sqe->ioprio = ioprio;
	return sqe;
}

static void cancel_all(void)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_ASYNC_CANCEL, .cancel_flags = RINGD_ASYNC_CANCEL_ANY, .user_data = 99 };
}

static void still_there(struct raw_ring *r)
{
	ck_assert_int_eq(raw_one(r, &(struct ringd_sqe){ .opcode = RINGD_OP_NOP }), 0);
}

/* Submit all and take the CQEs of n requests, their last ones. */
static void finish(unsigned int n)
{
	struct ringd_cqe cqe;

	ck_assert_int_ge(raw_submit(&ring), 0);
	while (n) {
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		n -= !(cqe.flags & RINGD_CQE_F_MORE);
	}
}

/* --- threads that make it hard --- */

static void *scribbler(void *arg)
{
	struct ringd_buf *buf = entries();
	unsigned int seed = 1;

	(void)arg;
	while (!atomic_load(&stop)) {
		unsigned int k = (unsigned int)rand_r(&seed);
		struct ringd_buf *one = &buf[k % NR];

		__atomic_store_n(&one->addr, k & 64 ? DATA + k % (400 * PAGE) : (uint64_t)k << (k % 40), __ATOMIC_RELAXED);
		__atomic_store_n(&one->len, k & 128 ? k : k % 5000, __ATOMIC_RELAXED);
		__atomic_store_n(&buf[0].resv, (uint16_t)(k >> 7), __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The other end of all pairs: reads and writes whatever goes. */
static void *busy_peer(void *arg)
{
	static char junk[16384];

	(void)arg;
	while (!atomic_load(&stop)) {
		for (int i = 0; i < PAIRS; i++) {
			if (peer[i] < 0)
				continue;
			(void)!send(peer[i], junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL);
			(void)!recv(peer[i], junk, sizeof(junk), MSG_DONTWAIT);
		}
	}
	return NULL;
}

/* --- tests --- */

START_TEST(peers_never_read)
{
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(group(round == 2 ? RINGD_PBUF_RING_INC : 0), 0);
		provide(16 * PAGE);
		for (int i = 0; i < 60; i++) {
			plain(RINGD_OP_SEND, i % PAIRS, 256 * PAGE)->msg_flags = MSG_WAITALL;
			selecting(RINGD_OP_SEND, i % PAIRS, 0, i & 1 ? RINGD_RECVSEND_BUNDLE : 0)->msg_flags = MSG_WAITALL;
		}
		ck_assert_int_ge(raw_submit(&ring), 0);
		still_there(&other);
		ck_assert_int_eq(group_gone(), 0);
		cancel_all();
		finish(121);
	}
	/* and those that are never cancelled */
	for (int i = 0; i < 100; i++)
		plain(RINGD_OP_SEND, i % PAIRS, 256 * PAGE)->msg_flags = MSG_WAITALL;
	ck_assert_int_ge(raw_submit(&ring), 0);
}
END_TEST

START_TEST(sockets_close_under_multishot_receives)
{
	struct ringd_cqe cqe;

	for (int round = 0; round < 20; round++) {
		int end = 0;

		ck_assert_int_eq(group(0), 0);
		provide(100);
		for (int i = 0; i < PAIRS; i++)
			selecting(RINGD_OP_RECV, i, 0, RINGD_RECV_MULTISHOT | (round & 1 ? RINGD_RECVSEND_BUNDLE : 0));
		ck_assert_int_eq(raw_submit(&ring), PAIRS);
		for (int i = 0; i < PAIRS; i++) {
			ck_assert_int_eq(send(peer[i], "some data", 9, 0), 9);
			/* neither the client's own descriptor nor the slot is there any more */
			close(mine[i]);
			ck_assert_int_eq(raw_update_file(&ring, (unsigned int)i, -1), 1);
			close(peer[i]);
		}
		while (end < PAIRS) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			if (cqe.flags & RINGD_CQE_F_MORE)
				ck_assert_int_eq(cqe.res, 9);
			else
				end++;
		}
		for (int i = 0; i < PAIRS; i++) {
			make_pair(i);
			ck_assert_int_eq(raw_update_file(&ring, (unsigned int)i, mine[i]), 1);
		}
		ck_assert_int_eq(group_gone(), 0);
	}
}
END_TEST

START_TEST(groups_go_while_they_are_used)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, busy_peer, NULL), 0);
	for (int round = 0; round < 100; round++) {
		ck_assert_int_eq(group(round & 1 ? RINGD_PBUF_RING_INC : 0), 0);
		provide(3000);
		for (int i = 0; i < PAIRS; i++) {
			selecting(RINGD_OP_RECV, i, 0, RINGD_RECV_MULTISHOT);
			selecting(RINGD_OP_RECV, i, 9000, RINGD_RECVSEND_BUNDLE)->msg_flags = MSG_WAITALL;
			selecting(RINGD_OP_RECV, i, 0, 0)->msg_flags = MSG_WAITALL;
			selecting(RINGD_OP_SEND, i, 0, RINGD_RECVSEND_BUNDLE);
			selecting(RINGD_OP_SEND, i, 0, 0)->msg_flags = MSG_WAITALL;
		}
		ck_assert_int_ge(raw_submit(&ring), 0);
		ck_assert_int_eq(group_gone(), 0);
		cancel_all();
		finish(5 * PAIRS + 1);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	still_there(&ring);
}
END_TEST

START_TEST(buffers_change_while_they_are_used)
{
	pthread_t t[2];

	ck_assert_int_eq(pthread_create(&t[0], NULL, busy_peer, NULL), 0);
	ck_assert_int_eq(pthread_create(&t[1], NULL, scribbler, NULL), 0);
	for (int round = 0; round < 200; round++) {
		ck_assert_int_eq(group(round & 1 ? RINGD_PBUF_RING_INC : 0), 0);
		for (int i = 0; i < PAIRS; i++) {
			selecting(RINGD_OP_RECV, i, 0, RINGD_RECV_MULTISHOT | (round & 2 ? RINGD_RECVSEND_BUNDLE : 0))->optlen = 100000;
			selecting(RINGD_OP_RECV, i, 9000, RINGD_RECVSEND_BUNDLE)->msg_flags = MSG_WAITALL;
			selecting(RINGD_OP_RECV, i, 0, 0)->msg_flags = MSG_TRUNC;
			selecting(RINGD_OP_SEND, i, 0, RINGD_RECVSEND_BUNDLE);
			selecting(RINGD_OP_SEND, i, 0, 0)->msg_flags = MSG_WAITALL;
		}
		ck_assert_int_ge(raw_submit(&ring), 0);
		still_there(&other);
		cancel_all();
		finish(5 * PAIRS + 1);
		ck_assert_int_eq(group_gone(), 0);
	}
	atomic_store(&stop, true);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	still_there(&ring);
}
END_TEST

START_TEST(memory_goes_while_it_is_received_into)
{
	struct raw_arena gone;
	struct ringd_cqe cqe;

	for (int round = 0; round < 20; round++) {
		raw_arena(&gone, &raw, 4 * A, SIZE);
		for (int i = 0; i < PAIRS; i++) {
			struct ringd_sqe *sqe = plain(RINGD_OP_RECV, i, PAGE);

			sqe->addr = 4 * A;
			sqe->msg_flags = MSG_WAITALL;
		}
		ck_assert_int_eq(raw_submit(&ring), PAIRS);
		ck_assert_int_eq(raw_arena_free(&raw, gone.id), 0);
		raw_arena_drop(&gone);
		/* the data arrives nonetheless, where nobody sees it */
		for (int i = 0; i < PAIRS; i++) {
			char junk[PAGE] = { 0 };

			ck_assert_int_eq(send(peer[i], junk, PAGE, 0), (ssize_t)PAGE);
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_int_eq(cqe.res, (int)PAGE);
		}
	}
}
END_TEST

/* A group that never runs dry and data that never ends: others go on all the same, on this ring and on the other one. */
START_TEST(one_busy_socket_starves_nobody)
{
	struct ringd_cqe cqe;
	unsigned int more = 0, nops = 0;

	for (unsigned int i = 0; i < NR; i++)
		entries()[i] = (struct ringd_buf){ .addr = DATA, .len = 8, .bid = (uint16_t)i };
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_eq(send(peer[i], "for ever", 8, 0), 8);
	while (nops < 200) {
		struct ringd_sqe *sqe;

		(void)group_gone();
		ck_assert_int_eq(group(0), 0);
		__atomic_store_n(&entries()[0].resv, (uint16_t)NR, __ATOMIC_RELEASE);
		/* peeked at, the data stays: each of them takes buffer after buffer as long as there are any */
		for (int i = 0; i < PAIRS; i++)
			selecting(RINGD_OP_RECV, i, 0, RINGD_RECV_MULTISHOT)->msg_flags = MSG_PEEK;
		sqe = raw_sqe(&ring);
		*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 1 };
		ck_assert_int_eq(raw_submit(&ring), PAIRS + 1);
		still_there(&other);
		do {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			more += !!(cqe.flags & RINGD_CQE_F_MORE);
		} while (cqe.user_data != 1);
		nops++;
		cancel_all();
		ck_assert_int_ge(raw_submit(&ring), 0);
		do
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		while (cqe.user_data != 99);
	}
	ck_assert_uint_gt(more, 0);
}
END_TEST

static void *flood(void *arg)
{
	static char junk[65536];

	(void)arg;
	while (!atomic_load(&stop))
		(void)!send(peer[2], junk, sizeof(junk), MSG_NOSIGNAL);
	return NULL;
}

START_TEST(a_flood_starves_no_other_ring)
{
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, flood, NULL), 0);
	/* 64 requests for as much as there ever is, which are not even reaped */
	for (int i = 0; i < 64; i++)
		plain(RINGD_OP_RECV, 2, 256 * PAGE)->msg_flags = MSG_WAITALL | (i & 1 ? MSG_TRUNC : 0);
	ck_assert_int_ge(raw_submit(&ring), 0);
	for (int i = 0; i < 200; i++)
		still_there(&other);
	atomic_store(&stop, true);
	shutdown(peer[2], SHUT_RDWR);
	pthread_join(t, NULL);
	finish(64);
}
END_TEST

START_TEST(many_wait_for_one_socket)
{
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 200; i++)
			plain(RINGD_OP_RECV, i % PAIRS, 8);
		ck_assert_int_ge(raw_submit(&ring), 0);
		for (int k = 0; k < 20; k++) {
			for (int i = 0; i < PAIRS; i++)
				ck_assert_int_eq(send(peer[i], "x", 1, 0), 1);
			still_there(&other);
		}
		cancel_all();
		finish(201);
	}
}
END_TEST

START_TEST(who_leaves_while_it_waits_leaves_nothing)
{
	ck_assert_int_eq(group(0), 0);
	provide(100);
	for (int i = 0; i < PAIRS; i++) {
		selecting(RINGD_OP_RECV, i, 0, RINGD_RECV_MULTISHOT);
		selecting(RINGD_OP_RECV, i, 9000, RINGD_RECVSEND_BUNDLE)->msg_flags = MSG_WAITALL;
		plain(RINGD_OP_SEND, i, 500 * PAGE)->msg_flags = MSG_WAITALL;
	}
	ck_assert_int_ge(raw_submit(&ring), 0);
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_eq(send(peer[i], "x", 1, 0), 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		peers_never_read, sockets_close_under_multishot_receives, groups_go_while_they_are_used,
		buffers_change_while_they_are_used, memory_goes_while_it_is_received_into, one_busy_socket_starves_nobody,
		a_flood_starves_no_other_ring, many_wait_for_one_socket, who_leaves_while_it_waits_leaves_nothing,
	};
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile network data");
	tc = tcase_create("data");
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
