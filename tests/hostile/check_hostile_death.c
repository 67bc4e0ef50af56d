/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients and engines that are killed at any moment. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define CLIENTS	60
#define KILLS	3
#define PROMPT_NS 5000000000ull		/* far more than it takes, far less than a hang */

static struct scene s;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void check_scene(void)
{
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- clients --- */

/* Does all kinds of things until it is killed. */
static void busy_client(uint32_t seed)
{
	int fds[3] = { memfd_create("data", MFD_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC), -1 };
	struct raw raw;

	for (uint32_t i = 0; i < seed; i++)
		scene_random();
	raw_connect(&raw, s.d.socket);
	for (;;) {
		struct raw_ring ring;
		struct raw_arena arena;

		raw_arena(&arena, &raw, RD_RAW_ARENA, (1 + scene_random() % 64) * 65536);
		raw_ring(&ring, &raw, 1u << scene_random() % 7, scene_random() % 2 ? RINGD_SETUP_SQPOLL : 0);
		raw_register_files(&ring, fds, 3);
		for (uint32_t i = scene_random() % 64; i > 0; i--) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = scene_random() % 2 ? RINGD_OP_WRITE : RINGD_OP_READ;
			sqe->flags = RINGD_SQE_FIXED_FILE | (scene_random() % 4 ? 0 : RINGD_SQE_ASYNC);
			sqe->fd = (int32_t)(scene_random() % 3);
			sqe->addr = RD_RAW_ARENA;
			sqe->len = scene_random() % 65536;
			if (scene_random() % 3 || ring.sq_tail % ring.params.sq_entries == 0)
				raw_submit(&ring);
			if (scene_random() % 2)
				__atomic_store_n(&ring.hot->cq_head, ring.cq_head = ring.hot->cq_tail, __ATOMIC_RELEASE);
		}
		if (scene_random() % 2)
			raw_ring_free(&ring);
		raw_arena_free(&raw, arena.id);
		raw_arena_drop(&arena);
		raw_ring_drop(&ring);
	}
}

START_TEST(clients_die_at_any_moment_and_leave_nothing)
{
	for (uint32_t i = 0; i < CLIENTS; i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			busy_client(i);
		}
		/* the one place where time has to pass: the moment is to be any */
		usleep(scene_random() % 20000);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	}
}
END_TEST

START_TEST(a_client_that_dies_with_its_fork_alive_is_not_gone)
{
	struct raw raw;
	struct raw_ring ring;
	const struct ringd_sqe nop = { .opcode = RINGD_OP_NOP };
	pid_t pid;

	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 8, 0);
	pid = fork();
	if (pid == 0)
		_exit(raw_one(&ring, &nop));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* it went on where we were */
	ring.wait_seq = (uint32_t)(ring.hot->wait >> 32) & ~RINGD_WAIT_KIND_MASK;
	ring.enter_seq = ring.hot->enter_seq;
	ring.sq_tail = ring.hot->sq_tail;
	ring.cq_head = ring.hot->cq_head;
	ck_assert_int_eq(raw_one(&ring, &nop), 0);
	raw_ring_drop(&ring);
	raw_close(&raw);
}
END_TEST

/* --- engines --- */

static struct rd_daemon d;
static struct neighbour other;

static void start_daemon(void)
{
	rd_daemon_start(&d, NULL);
	if (geteuid() == 0)
		neighbour_start(&other, d.socket, RD_TEST_UID);
}

static void stop_daemon(void)
{
	neighbour_stop(&other);
	rd_daemon_stop(&d);
}

struct victim {
	struct ringd *rd;
	struct ringd_ring *ring;
	struct ringd_arena *arena;
	int pipe[2];
};

static void victim_open(struct victim *v, unsigned int flags)
{
	uint64_t start = rd_now_ns();
	int r;

	/* one that was killed may not be buried yet, and is started again only after a while */
	while ((r = ringd_connect(&v->rd, d.socket)) < 0 && rd_now_ns() - start < 100000000000ull)
		poll(NULL, 0, 5);
	ck_assert_msg(r == 0, "connect: %s", ringd_strerror(NULL));
	ck_assert_int_eq(ringd_ring_new(v->rd, &v->ring, 64, flags), 0);
	ck_assert_int_eq(ringd_arena_new(v->rd, &v->arena, 65536, 0), 0);
	ck_assert_int_eq(pipe2(v->pipe, O_CLOEXEC), 0);
	ck_assert_int_eq(ringd_register_files(v->ring, v->pipe, 2), 0);
}

static void victim_close(struct victim *v)
{
	ringd_ring_free(v->ring);
	ringd_arena_free(v->arena);
	ringd_close(v->rd);
	rd_close(v->pipe[0]);
	rd_close(v->pipe[1]);
}

static void put_read(struct victim *v)
{
	struct ringd_sqe *sqe = ringd_get_sqe(v->ring);

	ck_assert_ptr_nonnull(sqe);
	ringd_prep_read(sqe, 0, ringd_arena_base(v->arena), 16, 0);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
}

static void kill_engine(const struct victim *v)
{
	ck_assert_int_eq(kill(ringd_engine_pid(v->rd), SIGKILL), 0);
}

START_TEST(who_waits_for_an_engine_that_dies_hears_of_it)
{
	for (int i = 0; i < KILLS; i++) {
		struct victim v;
		struct ringd_cqe *cqe;
		uint64_t start;
		pid_t killer;

		victim_open(&v, i % 2 ? RINGD_SETUP_SQPOLL : 0);
		put_read(&v);
		ck_assert_int_ge(ringd_submit(v.ring), 0);
		killer = fork();
		if (killer == 0) {
			usleep(scene_random() % 30000);
			kill_engine(&v);
			_exit(0);
		}
		start = rd_now_ns();
		ck_assert_int_eq(ringd_wait_cqe(v.ring, &cqe), -ECONNRESET);
		ck_assert_uint_lt(rd_now_ns() - start, PROMPT_NS);
		ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
		put_read(&v);
		ck_assert_int_eq(ringd_submit(v.ring), -ECONNRESET);
		ck_assert_int_eq(ringd_register_files_sparse(v.ring, 4), -ECONNRESET);
		ck_assert_int_eq(ringd_ring_new(v.rd, &(struct ringd_ring *){ NULL }, 8, 0), -ECONNRESET);
		victim_close(&v);
	}
}
END_TEST

START_TEST(who_works_when_its_engine_dies_hears_of_it)
{
	for (int i = 0; i < KILLS; i++) {
		struct victim v;
		pid_t killer;
		int r;

		victim_open(&v, i % 2 ? RINGD_SETUP_SQPOLL : 0);
		killer = fork();
		if (killer == 0) {
			usleep(scene_random() % 30000);
			kill_engine(&v);
			_exit(0);
		}
		do {
			struct ringd_sqe *sqe = ringd_get_sqe(v.ring);
			struct ringd_cqe *cqe;

			if (sqe)
				ringd_prep_nop(sqe);
			r = ringd_submit_and_wait(v.ring, 1);
			while (ringd_peek_cqe(v.ring, &cqe) == 0)
				ringd_cqe_seen(v.ring, cqe);
		} while (r >= 0);
		ck_assert_int_eq(r, -ECONNRESET);
		ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
		victim_close(&v);
	}
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile death");
	tc = tcase_create("clients");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, NULL, check_scene);
	tcase_add_test(tc, clients_die_at_any_moment_and_leave_nothing);
	tcase_add_test(tc, a_client_that_dies_with_its_fork_alive_is_not_gone);
	suite_add_tcase(suite, tc);
	tc = tcase_create("engines");
	tcase_add_checked_fixture(tc, start_daemon, stop_daemon);
	tcase_add_test(tc, who_waits_for_an_engine_that_dies_hears_of_it);
	tcase_add_test(tc, who_works_when_its_engine_dies_hears_of_it);
	suite_add_tcase(suite, tc);
	tc = tcase_create("the others");
	tcase_add_test(tc, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, tc);
	return scene_close(&s, rd_suite_main(suite));
}
