/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends whose data stays in use because nobody reads it: what they hold, whom they keep waiting, and what becomes of them when
 * their buffers, their arena, their ring or their client goes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define A	RD_RAW_ARENA
#define SIZE	(1u << 20)
#define LONG	65536u
#define PEERS	24
#define EACH	30		/* sends to each of them: together more than the engine lends pages for */

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int ours[PEERS], peers[PEERS];

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void connect_pair(int *a, int *b)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(addr);

	ck_assert_int_eq(bind(l, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&addr, &len), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	*a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(*a, (struct sockaddr *)&addr, len), 0);
	*b = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(*b, 0);
	close(l);
}

/* From here on nothing that is sent arrives. */
static void stuff(int fd)
{
	static char data[SIZE];

	ck_assert_int_gt(send(fd, data, sizeof(data), MSG_DONTWAIT), 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 1024, 0);
	raw_arena(&arena, &raw, A, SIZE);
	for (int i = 0; i < PEERS; i++) {
		connect_pair(&ours[i], &peers[i]);
		stuff(ours[i]);
	}
	ck_assert_int_eq(raw_register_files(&ring, ours, PEERS), 0);
}

/* The peers end the connections: only that lets go of the data. */
static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	for (int i = 0; i < PEERS; i++) {
		setsockopt(peers[i], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
		close(peers[i]);
		close(ours[i]);
	}
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- helpers --- */

static struct ringd_sqe *send_zc(int slot, uint16_t ioprio)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_SEND_ZC, .fd = slot, .flags = RINGD_SQE_FIXED_FILE, .addr = A, .len = LONG,
				   .ioprio = ioprio, .user_data = (uint64_t)slot };
	return sqe;
}

static struct ringd_cqe next(void)
{
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	return cqe;
}

/* Send n times to each; how many were sent and are still in use. Those that find no room are cancelled. */
static unsigned int send_to_all(unsigned int n, uint16_t ioprio)
{
	struct ringd_sqe *sqe;
	unsigned int results = 0, in_use = 0, waiting = 0;

	for (unsigned int i = 0; i < n; i++) {
		for (int p = 0; p < PEERS; p++)
			send_zc(p, ioprio)->msg_flags = MSG_DONTWAIT;
		ck_assert_int_eq(raw_submit(&ring), PEERS);
		waiting += PEERS;
	}
	while (results < waiting) {
		struct ringd_cqe cqe = next();

		if (cqe.flags == RINGD_CQE_F_NOTIF) {
			in_use--;
			continue;
		}
		ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_MORE);
		ck_assert_msg(cqe.res > 0 || cqe.res == -EAGAIN, "%d", cqe.res);
		results++;
		in_use++;
	}
	/* what was copied after all has its notification by now */
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 1000 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	for (struct ringd_cqe cqe = next(); cqe.user_data != 1000; cqe = next())
		in_use--;
	return in_use;
}

static bool lends_pages(void)
{
	struct ringd_status st;

	ck_assert(rd_daemon_status(&s.d, geteuid(), &st));
	return strcmp(st.backend, "uring") == 0;
}

static uint64_t used(unsigned int which)
{
	struct ringd_status st;

	ck_assert(rd_daemon_status(&s.d, geteuid(), &st));
	return st.used[which];
}

static void still_there(void)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 2000 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	while (next().user_data != 2000)
		;
}

/* Others have the kernel ring for themselves: reads that really go there. */
static void read_a_lot(void)
{
	RD_CLOSE int data = memfd_create("data", MFD_CLOEXEC);
	struct raw_ring other;

	ck_assert_int_eq(ftruncate(data, LONG), 0);
	raw_ring(&other, &raw, 256, RINGD_SETUP_SQPOLL);
	ck_assert_int_eq(raw_register_files(&other, &data, 1), 0);
	for (int round = 0; round < 20; round++) {
		struct ringd_cqe cqe;

		for (int i = 0; i < 128; i++) {
			struct ringd_sqe *sqe = raw_sqe(&other);

			*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = A + LONG,
						   .len = 64 };
		}
		ck_assert_int_ge(raw_submit(&other), 0);
		for (int i = 0; i < 128; i++) {
			ck_assert_int_eq(raw_cqe(&other, &cqe), 0);
			ck_assert_int_eq(cqe.res, 64);
		}
	}
	raw_ring_drop(&other);
	ck_assert_int_eq(raw_ring_free(&other), 0);
}

/* --- tests --- */

START_TEST(peers_that_never_read_keep_nobody_waiting)
{
	unsigned int in_use = send_to_all(EACH, 0);

	if (lends_pages())
		ck_assert_uint_gt(in_use, 0);	/* how many is up to RLIMIT_MEMLOCK */
	/* they cannot be cancelled, and each is a request in flight */
	struct ringd_sqe *sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_ASYNC_CANCEL, .fd = -1, .cancel_flags = RINGD_ASYNC_CANCEL_ANY,
				   .user_data = 3000 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_int_eq(next().res, 0);
	ck_assert_uint_ge(used(RINGD_LIMIT_INFLIGHT), in_use);
	read_a_lot();
	still_there();
}
END_TEST

START_TEST(a_client_leaves_its_data_to_peers_that_never_read)
{
	struct ringd_status st;
	unsigned int in_use = send_to_all(EACH, 0);

	raw_close(&raw);
	/* the ring, its requests, the arena: all is gone but the notes that the kernel still has pages */
	rd_daemon_expect_used(&s.d, geteuid(), RINGD_LIMIT_RINGS, s.before.used[RINGD_LIMIT_RINGS]);
	rd_daemon_expect_used(&s.d, geteuid(), RINGD_LIMIT_BYTES, s.before.used[RINGD_LIMIT_BYTES]);
	rd_daemon_expect_used(&s.d, geteuid(), RINGD_LIMIT_FILES, s.before.used[RINGD_LIMIT_FILES]);
	ck_assert(rd_daemon_status(&s.d, geteuid(), &st));
	if (lends_pages())
		ck_assert_uint_ge(st.used[RINGD_LIMIT_OBJECTS], s.before.used[RINGD_LIMIT_OBJECTS] + in_use);
	raw_connect(&raw, s.d.socket);
	raw_ring_drop(&ring);
	raw_ring(&ring, &raw, 64, 0);
	still_there();
}
END_TEST

START_TEST(rings_come_and_go_with_data_in_use)
{
	for (int i = 0; i < 10; i++) {
		send_to_all(2, 0);
		raw_ring_drop(&ring);
		ck_assert_int_eq(raw_ring_free(&ring), 0);
		raw_ring(&ring, &raw, 1024, 0);
		ck_assert_int_eq(raw_register_files(&ring, ours, PEERS), 0);
	}
	still_there();
}
END_TEST

START_TEST(data_in_use_may_be_scribbled_over_and_punched_out)
{
	send_to_all(EACH / 3, 0);
	memset(arena.ptr, 'x', SIZE);
	ck_assert_int_eq(fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE), 0);
	still_there();
	send_to_all(1, 0);
	still_there();
}
END_TEST

START_TEST(buffers_and_arenas_go_while_they_are_sent_from)
{
	const struct {
		struct ringd_rsrc_register head;
		uint64_t addr, len, tag;
	} reg = { .head.nr = 1, .addr = A, .len = SIZE, .tag = 5000 };
	unsigned int in_use;

	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS2, 1, 1, &reg, sizeof(reg), NULL, 0), 0);
	in_use = send_to_all(3, RINGD_RECVSEND_FIXED_BUF);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_BUFFERS, 0, 0, NULL, 0, NULL, 0), 0);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	still_there();
	if (!in_use)
		return;
	/* the arena is paid for as long as requests have it, and the tag comes behind the last of them */
	ck_assert_uint_ge(used(RINGD_LIMIT_BYTES), SIZE);
	for (int i = 0; i < PEERS; i++) {
		ck_assert_int_eq(setsockopt(peers[i], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)), 0);
		close(peers[i]);
		peers[i] = -1;
	}
	for (struct ringd_cqe cqe = next(); cqe.user_data != reg.tag; cqe = next(), in_use--)
		ck_assert_uint_eq(cqe.flags, RINGD_CQE_F_NOTIF);
	ck_assert_uint_eq(in_use, 0);
}
END_TEST

/* Results and notifications that nobody takes wait in their requests. */
START_TEST(who_never_reaps_its_sends_loses_none)
{
	const struct ringd_params params = { .sq_entries = 64, .cq_entries = 64, .flags = RINGD_SETUP_CQSIZE };
	struct raw_ring small;
	unsigned int results = 0, notifications = 0;

	ck_assert_int_eq(raw_try_ring(&small, &raw, &params, RD_RAW_SCRATCH + (1ull << 32)), 0);
	for (int i = 0; i < 40; i++) {
		for (int k = 0; k < 50; k++) {
			struct ringd_sqe *sqe = raw_sqe(&small);

			/* none of them finds a socket */
			*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_SEND_ZC, .fd = -1, .addr = A, .len = 8 };
		}
		ck_assert_int_eq(raw_submit(&small), 50);
	}
	while (notifications < 2000) {
		struct ringd_cqe cqe;

		if (!raw_cqe_ready(&small))
			ck_assert_int_eq(raw_enter(&small, 0, RINGD_ENTER_GETEVENTS), 0);
		ck_assert_int_eq(raw_cqe(&small, &cqe), 0);
		results += cqe.flags == RINGD_CQE_F_MORE;
		notifications += cqe.flags == RINGD_CQE_F_NOTIF;
		ck_assert_uint_ge(results, notifications);
	}
	ck_assert_uint_eq(results, 2000);
	raw_ring_drop(&small);
	ck_assert_int_eq(raw_ring_free(&small), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		peers_that_never_read_keep_nobody_waiting, a_client_leaves_its_data_to_peers_that_never_read,
		rings_come_and_go_with_data_in_use, data_in_use_may_be_scribbled_over_and_punched_out,
		buffers_and_arenas_go_while_they_are_sent_from, who_never_reaps_its_sends_loses_none,
	};
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile zc");
	tc = tcase_create("data in use");
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
