/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests with two CQEs, whatever they do: order, what is in flight, room in the CQ, drain, cancel, and the end of the ring. They
 * are made here, as no operation but a slow peer's keeps its data for long.
 */
#include <string.h>

#include "suite.h"
#include "testhost.h"

#define MORE	RINGD_CQE_F_MORE
#define NOTIF	RINGD_CQE_F_NOTIF

static struct rd_testhost th;
static struct rd_testclient c;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 8, 0);
}

static void teardown(void)
{
	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
}

/* A request in flight whose data is used by somebody. */
static struct rd_req *start(uint64_t user_data, uint64_t notif)
{
	struct rd_ctx *ctx = &c.ring->ctx;
	struct rd_req *req = rd_req_alloc(ctx);

	ck_assert_ptr_nonnull(req);
	rd_req_init(req, RINGD_OP_NOP, user_data);
	th.engine.stats.submitted++;
	rd_notif_init(req, notif);
	rd_notif_busy(req);
	rd_req_enlist(req);
	return req;
}

static void finish(struct rd_req *req, int32_t res)
{
	req->res = res;
	rd_req_defer(req);
	rd_th_turn(&th);
}

static void assert_in_flight(uint64_t n)
{
	ck_assert_uint_eq(c.ring->ctx.inflight, n);
	ck_assert_uint_eq(th.engine.stats.submitted - th.engine.stats.completed, n);
}

static struct ringd_sqe *nop(uint64_t user_data, uint8_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_NOP);

	sqe->user_data = user_data;
	sqe->flags = flags;
	return sqe;
}

static void cancel(uint64_t user_data, uint64_t key, uint32_t flags)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_ASYNC_CANCEL);

	sqe->user_data = user_data;
	sqe->addr = key;
	sqe->cancel_flags = flags;
}

START_TEST(the_result_comes_first)
{
	struct rd_req *req = start(1, 2);

	finish(req, 42);
	rd_tc_expect(&c, 1, 42, MORE);
	rd_tc_expect_none(&c);
	assert_in_flight(1);
	rd_notif_release(req);
	rd_tc_expect(&c, 2, 0, NOTIF);
	assert_in_flight(0);
}
END_TEST

START_TEST(a_notification_waits_for_the_result)
{
	struct rd_req *req = start(1, 1);

	rd_notif_release(req);
	rd_tc_expect_none(&c);
	assert_in_flight(1);
	req->notif.res = RINGD_NOTIF_USAGE_ZC_COPIED;
	finish(req, -EPIPE);
	rd_tc_expect(&c, 1, -EPIPE, MORE);
	rd_tc_expect(&c, 1, INT32_MIN, NOTIF);
	assert_in_flight(0);
}
END_TEST

START_TEST(others_go_between)
{
	struct rd_req *req = start(1, 1), *other = start(2, 2);

	finish(req, 1);
	finish(other, 2);
	nop(3, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	rd_notif_release(other);
	rd_tc_expect(&c, 1, 1, MORE);
	rd_tc_expect(&c, 2, 2, MORE);
	rd_tc_expect(&c, 3, 0, 0);
	rd_tc_expect(&c, 2, 0, NOTIF);
	rd_notif_release(req);
	rd_tc_expect(&c, 1, 0, NOTIF);
}
END_TEST

START_TEST(a_drain_waits_for_it)
{
	struct rd_req *req = start(1, 1);

	nop(2, RINGD_SQE_IO_DRAIN);
	nop(3, 0);
	rd_tc_submit_waiting(&c);
	finish(req, 7);
	rd_tc_expect(&c, 1, 7, MORE);
	rd_tc_expect_none(&c);
	rd_notif_release(req);
	rd_tc_expect(&c, 1, 0, NOTIF);
	rd_tc_expect(&c, 2, 0, 0);
	rd_tc_expect(&c, 3, 0, 0);
}
END_TEST

START_TEST(it_cannot_be_cancelled)
{
	struct rd_req *req = start(1, 1);

	finish(req, 7);
	rd_tc_expect(&c, 1, 7, MORE);
	cancel(2, 1, 0);
	cancel(3, 0, RINGD_ASYNC_CANCEL_ANY);
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	rd_tc_expect(&c, 2, -ENOENT, 0);
	rd_tc_expect(&c, 3, 0, 0);
	rd_notif_release(req);
	rd_tc_expect(&c, 1, 0, NOTIF);
}
END_TEST

/* The CQ has 16 entries. */
static void fill_cq(void)
{
	for (int i = 0; i < 16; i++) {
		nop(100, 0);
		ck_assert_int_eq(rd_tc_submit(&c), 1);
	}
}

static void take_fillers(unsigned int n)
{
	while (n--)
		rd_tc_expect(&c, 100, 0, 0);
}

START_TEST(both_wait_for_room)
{
	struct rd_req *req = start(1, 1), *other = start(2, 2);

	fill_cq();
	finish(req, 5);
	rd_notif_release(req);
	finish(other, 6);
	ck_assert_uint_eq(c.ring->held, 2);
	assert_in_flight(2);
	take_fillers(1);
	/* room for one: the first result, whose notification goes behind the other result */
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	rd_th_turn(&th);
	ck_assert_uint_eq(c.ring->held, 2);
	take_fillers(15);
	rd_tc_expect(&c, 1, 5, MORE);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	rd_tc_expect(&c, 2, 6, MORE);
	rd_tc_expect(&c, 1, 0, NOTIF);
	rd_tc_expect_none(&c);
	rd_notif_release(other);
	rd_tc_expect(&c, 2, 0, NOTIF);
	ck_assert_uint_eq(c.ring->held, 0);
}
END_TEST

START_TEST(only_the_notification_waits_for_room)
{
	struct rd_req *req = start(1, 1);

	finish(req, 5);
	rd_tc_expect(&c, 1, 5, MORE);
	fill_cq();
	rd_notif_release(req);
	rd_th_turn(&th);
	ck_assert_uint_eq(c.ring->held, 1);
	assert_in_flight(0);
	take_fillers(16);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	rd_tc_expect(&c, 1, 0, NOTIF);
}
END_TEST

START_TEST(a_deferring_ring_gets_it_when_it_enters)
{
	struct rd_req *req;

	rd_tc_close(&c);
	rd_tc_open(&c, &th, 8, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	req = start(1, 1);
	finish(req, 5);
	rd_tc_expect(&c, 1, 5, MORE);
	rd_notif_release(req);
	rd_tc_expect_none(&c);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	rd_tc_expect(&c, 1, 0, NOTIF);
}
END_TEST

START_TEST(a_registered_buffer_is_kept_until_then)
{
	void *buf = rd_th_alloc(&th, 4096);
	struct rd_buf *old;
	struct rd_req *req;

	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, buf, 4096, 99);
	req = start(1, 1);
	req->buf = rd_buf_get(rd_buftable_get(&c.ring->ctx.bufs, 0));
	req->holds = true;
	finish(req, 5);
	old = rd_buftable_swap(&c.ring->ctx.bufs, 0, NULL);
	rd_buf_put(old);
	rd_tc_expect(&c, 1, 5, MORE);
	rd_tc_expect_none(&c);
	rd_notif_release(req);
	rd_tc_expect(&c, 1, 0, NOTIF);
	rd_tc_expect(&c, 99, 0, 0);
}
END_TEST

/* What is not due, what waits for its turn and what waits for room. */
START_TEST(a_dying_ring_drops_it)
{
	struct rd_req *reqs[4];

	rd_tc_close(&c);
	rd_tc_open(&c, &th, 8, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	for (size_t i = 0; i < 4; i++)
		reqs[i] = start(i, i);
	finish(reqs[0], 1);
	finish(reqs[1], 1);
	rd_tc_expect(&c, 0, 1, MORE);
	rd_tc_expect(&c, 1, 1, MORE);
	fill_cq();
	finish(reqs[2], 1);
	finish(reqs[3], 1);
	rd_notif_release(reqs[1]);
	rd_notif_release(reqs[3]);
	ck_assert(reqs[1]->tasked);
	ck_assert_uint_eq(c.ring->held, 2);
	rd_tc_close(&c);
	ck_assert_uint_eq(th.engine.stats.submitted, th.engine.stats.completed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("notif");
	TCase *tc = tcase_create("notif");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_result_comes_first);
	tcase_add_test(tc, a_notification_waits_for_the_result);
	tcase_add_test(tc, others_go_between);
	tcase_add_test(tc, a_drain_waits_for_it);
	tcase_add_test(tc, it_cannot_be_cancelled);
	tcase_add_test(tc, both_wait_for_room);
	tcase_add_test(tc, only_the_notification_waits_for_room);
	tcase_add_test(tc, a_deferring_ring_gets_it_when_it_enters);
	tcase_add_test(tc, a_registered_buffer_is_kept_until_then);
	tcase_add_test(tc, a_dying_ring_drops_it);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
