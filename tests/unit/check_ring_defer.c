/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DEFER_TASKRUN: what completes late waits until its client looks for it, and nothing shows before. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "testhost.h"

#define S(x) RINGD_SETUP_##x
#define DEFER (S(DEFER_TASKRUN) | S(SINGLE_ISSUER) | S(NO_SQARRAY))

static struct rd_testhost th;
static struct rd_testclient c;
static int fds[2];

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	ck_assert_int_eq(pipe(fds), 0);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	close(fds[0]);
	close(fds[1]);
}

static void open_ring(uint32_t entries, uint32_t flags)
{
	rd_tc_open(&c, &th, entries, flags);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, fds[0], 0);
}

static uint32_t ready(void)
{
	return c.hot->cq_tail - c.hot->cq_head;
}

static void turns(int n)
{
	while (n--)
		rd_th_turn(&th);
}

/* A NOP that completes late. */
static struct ringd_sqe *late(void)
{
	struct ringd_sqe *sqe = rd_tc_slot(&c, c.sq_tail++ & (c.layout.sq_entries - 1));

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = ++c.user_data, .nop_flags = RINGD_NOP_TW };
	c.hot->sq_tail = c.sq_tail;
	return sqe;
}

static struct ringd_sqe *pipe_read(void)
{
	struct ringd_sqe *sqe = late();

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .user_data = sqe->user_data, .flags = RINGD_SQE_FIXED_FILE,
				   .len = 1, .addr = (uintptr_t)rd_th_alloc(&th, 1) };
	return sqe;
}

START_TEST(late_completions_wait_for_getevents)
{
	uint32_t taskrun = _i ? RINGD_SQ_TASKRUN : 0;

	open_ring(8, DEFER | (_i ? S(TASKRUN_FLAG) : 0));
	late();
	late();
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 2);
	turns(20);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_uint_eq(c.hot->tasks, RINGD_TASKS_PENDING);
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_TASKRUN, taskrun);
	ck_assert_int_eq(rd_tc_enter(&c, 0, 0), 0);
	turns(20);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_uint_eq(c.hot->tasks, RINGD_TASKS_PENDING);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 2);
	ck_assert_uint_eq(c.hot->tasks, 0);
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_TASKRUN, 0);
}
END_TEST

START_TEST(what_is_done_at_once_is_there_at_once)
{
	open_ring(8, DEFER);
	late()->nop_flags = 0;
	late();
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 2);
	ck_assert_uint_eq(ready(), 1);
	ck_assert_uint_eq(rd_tc_wait(&c).user_data, 1);
	late();
	/* an enter that submits and gets has both kinds */
	ck_assert_int_eq(rd_tc_enter(&c, 1, RINGD_ENTER_GETEVENTS), 1);
	ck_assert_uint_eq(ready(), 2);
}
END_TEST

START_TEST(readiness_waits_too)
{
	open_ring(8, DEFER | S(TASKRUN_FLAG));
	pipe_read();
	ck_assert_int_eq(rd_tc_enter(&c, 1, RINGD_ENTER_GETEVENTS), 1);
	ck_assert_uint_eq(c.hot->tasks, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	while (!(c.hot->sq_flags & RINGD_SQ_TASKRUN))
		rd_th_turn(&th);
	turns(20);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_int_eq(rd_tc_wait(&c).res, 1);
}
END_TEST

START_TEST(the_close_of_a_slot_waits_too)
{
	open_ring(8, DEFER);
	*late() = (struct ringd_sqe){ .opcode = RINGD_OP_CLOSE, .user_data = c.user_data, .file_index = 1 };
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	while (th.engine.user.used[RINGD_LIMIT_FILES])
		rd_th_turn(&th);
	turns(20);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
}
END_TEST

START_TEST(workers_results_wait_too)
{
	open_ring(8, DEFER);
	late();
	*rd_tc_slot(&c, 0) = (struct ringd_sqe){ .opcode = RINGD_OP_FSYNC, .flags = RINGD_SQE_FIXED_FILE };
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	while (c.hot->tasks != RINGD_TASKS_PENDING)
		rd_th_turn(&th);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_int_eq(rd_tc_wait(&c).res, -EINVAL);
}
END_TEST

START_TEST(while_the_client_waits_they_come_by_themselves)
{
	open_ring(8, DEFER);
	pipe_read();
	pipe_read();
	c.hot->waiting = 1;
	ck_assert_int_eq(rd_tc_enter(&c, 2, RINGD_ENTER_GETEVENTS), 2);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	while (!ready())
		rd_th_turn(&th);
	turns(20);
	ck_assert_uint_eq(c.hot->tasks, 0);
	ck_assert_uint_eq(ready(), 1);
	c.hot->waiting = 0;
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	while (c.hot->tasks != RINGD_TASKS_PENDING)
		rd_th_turn(&th);
	turns(20);
	ck_assert_uint_eq(ready(), 1);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 2);
}
END_TEST

/* More than a visit's worth. */
START_TEST(an_enter_runs_all_there_are)
{
	open_ring(512, DEFER);
	for (int i = 0; i < 500; i++)
		late();
	ck_assert_int_eq(rd_tc_enter(&c, 500, 0), 500);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 500);
	for (uint64_t i = 1; i <= 500; i++)
		ck_assert_uint_eq(rd_tc_wait(&c).user_data, i);
}
END_TEST

/* The client gives up waiting in the middle of many: an enter of nothing, and it is quiet. */
START_TEST(an_enter_of_nothing_ends_what_a_wait_began)
{
	uint32_t n;

	open_ring(512, DEFER);
	for (int i = 0; i < 500; i++)
		late();
	ck_assert_int_eq(rd_tc_enter(&c, 500, 0), 500);
	/* as if all had become ready at this moment */
	c.hot->waiting = 1;
	c.ring->tasks_told = false;
	c.ring->ctx.stir(&c.ring->ctx);
	for (int i = 0; i < 1 + _i; i++)
		rd_reactor_turn(th.engine.reactor);
	ck_assert_uint_eq(c.hot->tasks, RINGD_TASKS_RUNNING);
	c.hot->waiting = 0;
	ck_assert_int_eq(rd_tc_enter(&c, 0, 0), 0);
	n = ready();
	ck_assert_uint_lt(n, 500);
	turns(20);
	ck_assert_uint_eq(ready(), n);
	ck_assert_uint_eq(c.hot->tasks, RINGD_TASKS_PENDING);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 500);
	for (uint64_t i = 1; i <= 500; i++)
		ck_assert_uint_eq(rd_tc_wait(&c).user_data, i);
}
END_TEST

START_TEST(who_sleeps_on_the_descriptor_is_told_of_tasks)
{
	open_ring(8, DEFER);
	c.hot->wait = RINGD_WAIT(4 | RINGD_WAIT_KIND_CQ, c.hot->cq_tail + 1);
	pipe_read();
	ck_assert_int_eq(rd_tc_enter(&c, 1, RINGD_ENTER_GETEVENTS), 1);
	turns(5);
	ck_assert_uint_eq(th.wakes, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	while (!th.wakes)
		rd_th_turn(&th);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_uint_eq(c.hot->tasks, RINGD_TASKS_PENDING);
	turns(5);
	ck_assert_uint_eq(th.wakes, 1);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 1);
}
END_TEST

START_TEST(tasks_go_to_the_overflow_in_order)
{
	open_ring(8, DEFER);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 8; i++)
			late();
		ck_assert_int_eq(rd_tc_enter(&c, 8, 0), 8);
	}
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 16);
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, RINGD_SQ_CQ_OVERFLOW);
	for (uint64_t i = 1; i <= 32; i++) {
		if (!ready()) {
			c.hot->cq_head = c.cq_head;
			ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
		}
		ck_assert_uint_eq(rd_tc_wait(&c).user_data, i);
	}
}
END_TEST

START_TEST(other_task_flags_delay_nothing)
{
	open_ring(8, S(COOP_TASKRUN) | S(TASKRUN_FLAG) | S(NO_SQARRAY));
	pipe_read();
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	while (!ready())
		rd_th_turn(&th);
	ck_assert_uint_eq(c.hot->tasks, 0);
}
END_TEST

/* teardown() must find nothing left */
START_TEST(a_ring_that_ends_drops_its_tasks)
{
	open_ring(512, DEFER | S(TASKRUN_FLAG));
	for (int i = 0; i < 300; i++)
		late();
	for (int i = 0; i < 5; i++)
		pipe_read();
	ck_assert_int_eq(rd_tc_enter(&c, 305, 0), 305);
	if (_i) {
		c.hot->waiting = 1;
		c.ring->ctx.stir(&c.ring->ctx);
		rd_reactor_turn(th.engine.reactor);
		rd_reactor_turn(th.engine.reactor);
	}
}
END_TEST

/* The client's words say anything at any time; nothing gets stuck and nothing is lost. */
START_TEST(words_that_lie)
{
	uint32_t random = 1;
	uint64_t seen = 0;

	open_ring(64, DEFER | S(TASKRUN_FLAG));
	for (int round = 0; round < 300; round++) {
		random = random * 1103515245 + 12345;
		c.hot->waiting = random >> 16 & 3;
		c.hot->tasks = random >> 8;		/* ours: never read back */
		c.hot->sq_flags = random;
		for (uint32_t i = 0; i < (random >> 20 & 31); i++)
			late();
		rd_tc_enter(&c, c.sq_tail - c.hot->sq_head, random >> 3 & RINGD_ENTER_GETEVENTS);
		turns((int)(random >> 28));
		while (ready())
			ck_assert_uint_eq(rd_tc_wait(&c).user_data, ++seen);
	}
	c.hot->waiting = 0;
	while (seen != c.user_data) {
		ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
		while (ready())
			ck_assert_uint_eq(rd_tc_wait(&c).user_data, ++seen);
	}
}
END_TEST

static void heavy(struct rd_req *req)
{
	req->ctx->moved += RD_VISIT_BYTES / 2;
	req->res = 0;
	rd_req_done(req);
}

/* A client may have hundreds of tasks that each copy a megabyte. */
START_TEST(a_visit_ends_when_its_tasks_have_copied_enough)
{
	struct rd_ctx *ctx;

	open_ring(8, DEFER);
	ctx = &c.ring->ctx;
	for (uint64_t i = 0; i < 8; i++) {
		struct rd_req *req = rd_req_alloc(ctx);

		rd_req_init(req, RINGD_OP_NOP, i);
		rd_req_enlist(req);
		th.engine.stats.submitted++;
		rd_req_task(req, heavy);
	}
	ck_assert_uint_eq(rd_ctx_run_tasks(ctx, 128), 2);
	ck_assert_uint_eq(rd_ctx_run_tasks(ctx, 128), 2);
	ck_assert_uint_eq(rd_ctx_run_tasks(ctx, 1), 1);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);	/* which takes several visits */
	ck_assert_uint_eq(ready(), 8);
	ck_assert_uint_eq(ctx->inflight, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring_defer");
	TCase *tc = tcase_create("tasks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, late_completions_wait_for_getevents, 0, 2);
	tcase_add_test(tc, what_is_done_at_once_is_there_at_once);
	tcase_add_test(tc, readiness_waits_too);
	tcase_add_test(tc, the_close_of_a_slot_waits_too);
	tcase_add_test(tc, workers_results_wait_too);
	tcase_add_test(tc, while_the_client_waits_they_come_by_themselves);
	tcase_add_test(tc, an_enter_runs_all_there_are);
	tcase_add_loop_test(tc, an_enter_of_nothing_ends_what_a_wait_began, 0, 3);
	tcase_add_test(tc, who_sleeps_on_the_descriptor_is_told_of_tasks);
	tcase_add_test(tc, tasks_go_to_the_overflow_in_order);
	tcase_add_test(tc, other_task_flags_delay_nothing);
	tcase_add_loop_test(tc, a_ring_that_ends_drops_its_tasks, 0, 2);
	tcase_add_test(tc, words_that_lie);
	tcase_add_test(tc, a_visit_ends_when_its_tasks_have_copied_enough);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
