/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client that takes all it can get: it gets its tenant's budget, hears which limit that was, and another tenant nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define INFLIGHT	512u
#define PAGE		4096ull

static struct scene s;
static struct raw raw;
static int null_fd;

static const char *const limits[] = {
	"--max-rings=4", "--max-clients=3", "--max-bytes=4M", "--max-entries=4096", "--max-files=40", "--max-inflight=512",
	"--max-objects=20000", NULL,
};

static void open_scene(void)
{
	scene_open(&s, limits, SCENE_ALONE);
}

static void setup(void)
{
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(null_fd, 0);
	raw_connect(&raw, s.d.socket);
}

static void teardown(void)
{
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static void expect_text(const char *text)
{
	ck_assert_msg(strstr(raw.text, text), "'%s' does not say '%s'", raw.text, text);
}

START_TEST(rings_and_their_words)
{
	struct ringd_params params = { .sq_entries = 8 };
	struct raw_ring rings[4], one;

	for (int i = 0; i < 4; i++)
		raw_ring(&rings[i], &raw, 8, 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(raw_try_ring(&one, &raw, &params, RD_RAW_SCRATCH - (1ull << 40)), -EDQUOT);
		expect_text("rings budget of this tenant is used up (4 of 4)");
	}
	ck_assert_int_eq(raw_ring_free(&rings[2]), 0);
	rd_daemon_expect_used(&s.d, geteuid(), RINGD_LIMIT_RINGS, 3);
	ck_assert_int_eq(raw_try_ring(&one, &raw, &params, RD_RAW_SCRATCH - (1ull << 40)), 0);
	raw_ring_drop(&one);
	for (int i = 0; i < 4; i++)
		raw_ring_drop(&rings[i]);
}
END_TEST

START_TEST(ring_entries_and_bytes)
{
	struct ringd_params params = { .sq_entries = 8, .cq_entries = 8192, .flags = RINGD_SETUP_CQSIZE };
	struct raw_ring one;

	ck_assert_int_eq(raw_try_ring(&one, &raw, &params, RD_RAW_SCRATCH), -EDQUOT);
	expect_text("budget of this tenant has no room for 8200 more (0 of 4096 used)");
	params = (struct ringd_params){ .sq_entries = 32768 };
	ck_assert_int_eq(raw_try_ring(&one, &raw, &params, RD_RAW_SCRATCH), -EDQUOT);
	expect_text("bytes budget of this tenant has no room for");
}
END_TEST

START_TEST(bytes_of_arenas)
{
	struct raw_arena a, b;

	raw_arena(&a, &raw, RD_RAW_ARENA, 4u << 20);
	ck_assert_int_eq(raw_try_arena(&b, &raw, RD_RAW_ARENA + (64u << 20), PAGE, 0), -EDQUOT);
	expect_text("bytes budget of this tenant is used up (4194304 of 4194304)");
	ck_assert_int_eq(raw_arena_free(&raw, a.id), 0);
	for (unsigned int i = 0; i < 1024; i++) {
		raw_arena_drop(&b);
		ck_assert_int_eq(raw_try_arena(&b, &raw, RD_RAW_ARENA + i * PAGE, PAGE, 0), 0);
	}
	raw_arena_drop(&b);
	ck_assert_int_eq(raw_try_arena(&b, &raw, RD_RAW_ARENA + (64u << 20), PAGE, 0), -EDQUOT);
	raw_arena_drop(&a);
}
END_TEST

START_TEST(connections)
{
	struct raw more;
	struct ringd_error e;

	raw_connect(&more, s.d.socket);		/* the third, with the anchor */
	for (int i = 0; i < 20; i++) {
		struct raw none = { .sock = raw_socket(s.d.socket) };

		raw_send_hello(none.sock, RINGD_HELLO_CLIENT);
		ck_assert_int_eq(raw_recv(&none, &e, sizeof(e), NULL, NULL), sizeof(e));
		ck_assert_int_eq(e.msg.res, -EDQUOT);
		ck_assert_str_eq(e.text, "clients budget of this tenant is used up (3 of 3)");
		ck_assert_int_eq(raw_recv(&none, &e, sizeof(e), NULL, NULL), -ECONNRESET);
		raw_close(&none);
	}
	raw_close(&more);
}
END_TEST

START_TEST(files_and_table_slots)
{
	struct raw_ring ring;
	int32_t want[100] = { 0 };
	int fds[100];

	for (int i = 0; i < 100; i++)
		fds[i] = null_fd;
	raw_ring(&ring, &raw, 8, 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES, 50, 0, want, 200, fds, 50), -EDQUOT);
	expect_text("files budget of this tenant is used up (40 of 40)");
	rd_daemon_expect_used(&s.d, geteuid(), RINGD_LIMIT_FILES, 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES, 40, 0, want, 160, fds, 40), 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), 0);
	const struct ringd_rsrc_register rr = { .nr = 20001, .flags = RINGD_RSRC_REGISTER_SPARSE };

	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES2, 20001, 0, &rr, sizeof(rr), NULL, 0), -EDQUOT);
	expect_text("budget of this tenant has no room for 20001 more (0 of 20000 used)");
	raw_ring_drop(&ring);
}
END_TEST

START_TEST(files_that_direct_opens_would_make)
{
	struct ringd_rsrc_register rr = { .nr = 64, .flags = RINGD_RSRC_REGISTER_SPARSE };
	struct raw_ring ring;
	int made = 0;

	raw_ring(&ring, &raw, 8, 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES2, 64, 0, &rr, sizeof(rr), NULL, 0), 0);
	strcpy(ring.scratch, "/dev/null");
	for (int i = 0; i < 60; i++) {
		const struct ringd_sqe sqe = { .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = ring.scratch_base,
					       .file_index = RINGD_FILE_INDEX_ALLOC };
		int r = raw_one(&ring, &sqe);

		made += r >= 0;
		ck_assert_int_eq(r, i < 40 ? i : -EDQUOT);
	}
	ck_assert_int_eq(made, 40);
	raw_ring_drop(&ring);
}
END_TEST

START_TEST(descriptors_of_fragments)
{
	struct {
		struct ringd_register head;
		int32_t want[30];
	} p = { .head = { .opcode = RINGD_REGISTER_FILES, .nr = 60 } };
	struct raw_ring ring;
	int fds[30], res;

	for (int i = 0; i < 30; i++)
		fds[i] = null_fd;
	raw_ring(&ring, &raw, 8, 0);
	p.head.ring_id = ring.id;
	p.head.msg = (struct ringd_msg){ .size = sizeof(p), .type = RINGD_MSG_REGISTER, .flags = RINGD_MSG_F_MORE, .seq = 9 };
	raw_send(&raw, &p, sizeof(p), fds, 30);
	p.head.msg.flags = 0;
	raw_send(&raw, &p, sizeof(p), fds, 30);
	struct ringd_error e;

	ck_assert_int_eq(raw_recv(&raw, &e, sizeof(e), NULL, NULL), sizeof(e));
	res = e.msg.res;
	ck_assert_int_eq(res, -EDQUOT);
	ck_assert_msg(strstr(e.text, "files budget"), "%s", e.text);
	raw_ring_drop(&ring);
}
END_TEST

/* An engine that may have 64 descriptors, and a client that sends 60 at a time. */
START_TEST(descriptors_of_the_process)
{
	const struct rlimit few = { .rlim_cur = 64, .rlim_max = 64 };
	int32_t want[60] = { 0 };
	struct rd_daemon d;
	struct raw_ring ring;
	struct raw own;
	int fds[60], r;

	for (int i = 0; i < 60; i++)
		fds[i] = null_fd;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	rd_daemon_start(&d, NULL);
	raw_connect(&own, d.socket);
	raw_ring(&ring, &own, 8, 0);
	for (int i = 0; i < 10; i++) {
		struct {
			struct ringd_register head;
			int32_t want[60];
		} p = { .head = { .ring_id = ring.id, .opcode = RINGD_REGISTER_FILES, .nr = 120 } };
		struct ringd_error e;

		ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES, 60, 0, want, sizeof(want), fds, 60), -EMFILE);
		ck_assert_ptr_nonnull(strstr(own.text, "RLIMIT_NOFILE"));
		/* in fragments it is the answer to the last */
		p.head.msg = (struct ringd_msg){ .size = sizeof(p), .type = RINGD_MSG_REGISTER, .flags = RINGD_MSG_F_MORE,
						 .seq = 99 };
		raw_send(&own, &p, sizeof(p), fds, 60);
		p.head.msg.flags = 0;
		raw_send(&own, &p, sizeof(p), fds, 60);
		ck_assert_int_eq(raw_recv(&own, &e, sizeof(e), NULL, NULL), sizeof(e));
		ck_assert_int_eq(e.msg.res, -EMFILE);
	}
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_FILES, 0);
	/* what was too many is closed by a worker */
	do {
		r = raw_register(&ring, RINGD_REGISTER_FILES, 10, 0, want, 40, fds, 10);
	} while (r == -EMFILE);
	ck_assert_int_eq(r, 0);
	raw_ring_drop(&ring);
	raw_close(&own);
	rd_daemon_expect_idle(&d, geteuid());
	rd_daemon_stop(&d);
}
END_TEST

/* --- completions nobody takes --- */

START_TEST(who_never_reaps_is_stopped_at_the_budget)
{
	struct raw_ring ring;
	struct ringd_status st;
	struct ringd_cqe cqe;
	unsigned int n = 0;
	uint64_t start;

	raw_ring(&ring, &raw, 32, _i ? RINGD_SETUP_SQPOLL : 0);
	memset(ring.sqes, 0, 32 * sizeof(ring.sqes[0]));
	start = rd_now_ns();
	do {
		ring.sq_tail = __atomic_load_n(&ring.hot->sq_head, __ATOMIC_ACQUIRE) + 32;
		if (_i)
			raw_submit(&ring);
		else
			raw_enter(&ring, 32, 0);
		ck_assert(rd_daemon_status(&s.d, geteuid(), &st));
	} while (st.used[RINGD_LIMIT_INFLIGHT] < INFLIGHT && rd_now_ns() - start < 20000000000ull);
	if (!_i) {
		ring.sq_tail = ring.hot->sq_head + 1;
		ck_assert_int_eq(raw_enter(&ring, 1, 0), -EAGAIN);
	}
	ck_assert(rd_daemon_status(&s.d, geteuid(), &st));
	ck_assert_uint_eq(st.used[RINGD_LIMIT_INFLIGHT], INFLIGHT);
	ck_assert(__atomic_load_n(&ring.hot->sq_flags, __ATOMIC_ACQUIRE) & RINGD_SQ_CQ_OVERFLOW);
	/* none was lost: all that were accepted come when there is room */
	while (raw_cqe_ready(&ring)) {
		while (raw_cqe_ready(&ring)) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			n++;
		}
		raw_enter(&ring, 0, RINGD_ENTER_GETEVENTS);
	}
	ck_assert_uint_ge(n, INFLIGHT);
	raw_ring_drop(&ring);
}
END_TEST

START_TEST(requests_that_wait_are_stopped_at_the_budget)
{
	struct raw_ring ring;
	struct raw_arena a;
	int p[2], total = 0, r;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	raw_ring(&ring, &raw, 64, 0);
	raw_arena(&a, &raw, RD_RAW_ARENA, PAGE);
	ck_assert_int_eq(raw_register_files(&ring, p, 1), 0);
	do {
		for (int i = 0; i < 64; i++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = RINGD_OP_READ;
			sqe->flags = RINGD_SQE_FIXED_FILE;
			sqe->addr = RD_RAW_ARENA;
			sqe->len = 1;
		}
		r = raw_enter(&ring, 64, 0);
		total += r > 0 ? r : 0;
	} while (r == 64);
	ck_assert_int_eq(total, INFLIGHT);
	ck_assert_int_eq(raw_enter(&ring, 64, 0), -EAGAIN);
	/* one byte, one request comes back, one more is taken */
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_int_eq(cqe.res, 1);
	ck_assert_int_eq(raw_enter(&ring, 1, 0), 1);
	raw_ring_drop(&ring);
	raw_arena_drop(&a);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile budget");
	tc = tcase_create("a greedy client");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rings_and_their_words);
	tcase_add_test(tc, ring_entries_and_bytes);
	tcase_add_test(tc, bytes_of_arenas);
	tcase_add_test(tc, connections);
	tcase_add_test(tc, files_and_table_slots);
	tcase_add_test(tc, files_that_direct_opens_would_make);
	tcase_add_test(tc, descriptors_of_fragments);
	tcase_add_test(tc, descriptors_of_the_process);
	tcase_add_loop_test(tc, who_never_reaps_is_stopped_at_the_budget, 0, 2);
	tcase_add_test(tc, requests_that_wait_are_stopped_at_the_budget);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
