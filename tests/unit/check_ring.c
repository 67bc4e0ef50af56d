/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fetching, posting, overflow, entering and dying of rings, against a client that is this test. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/ring/ring.h"
#include "suite.h"

static struct rd_engine engine;
static struct rd_ring *ring;
static struct ringd_hot *hot;
static struct ringd_sqe *sqes;
static struct ringd_cqe *cqes;
static uint32_t *array;
static struct rd_layout layout;
static struct rd_ring_memory memory;
static unsigned int wakes, deaths, burials, reason;
static uint32_t tail, enters;

static void host_wake(struct rd_host *h, struct rd_ring *r)
{
	(void)h, (void)r;
	wakes++;
}

static void host_dead(struct rd_host *h, struct rd_ring *r, uint32_t why)
{
	(void)h, (void)r;
	deaths++;
	reason = why;
}

static void host_gone(struct rd_host *h, struct rd_ring *r)
{
	(void)h, (void)r;
	burials++;
	ring = NULL;
}

static const struct rd_host_ops ops = { .wake = host_wake, .ring_dead = host_dead, .ring_gone = host_gone };
static struct rd_host host = { .ops = &ops };

static void open_ring(uint32_t entries, uint32_t flags)
{
	struct ringd_params p = { .sq_entries = entries, .flags = flags };

	ck_assert_int_eq(rd_layout_compute(&layout, &p, false), 0);
	memory.rings = mmap(NULL, layout.rings_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memory.sqes = mmap(NULL, layout.sqes_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_int_eq(rd_ring_new(&ring, &engine, &host, &p, &layout, &memory), 0);
	hot = (void *)((char *)memory.rings + layout.hot_off);
	cqes = (void *)((char *)memory.rings + 64);
	array = layout.array_off ? (void *)((char *)memory.rings + layout.array_off) : NULL;
	sqes = memory.sqes;
	ck_assert_uint_eq(hot->sq_flags, RINGD_SQ_NEED_WAKEUP);	/* a new ring sleeps */
	rd_ring_doorbell(ring);
	ck_assert_uint_eq(hot->sq_flags, 0);
}

static void setup(void)
{
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = RD_BACKEND_SYNC;
	ck_assert_int_eq(rd_engine_init(&engine, &cfg), 0);
}

static void teardown(void)
{
	if (ring)
		rd_ring_kill(ring, RINGD_REASON_FREED);
	rd_reactor_turn(engine.reactor);
	ck_assert_ptr_null(ring);
	ck_assert(rd_user_idle(&engine.user));
	ck_assert_uint_eq(engine.stats.submitted, engine.stats.completed);
	munmap(memory.rings, layout.rings_size);
	munmap(memory.sqes, layout.sqes_size);
	rd_engine_deinit(&engine, 1000);
}

static struct ringd_sqe *put(uint8_t opcode, uint64_t user_data)
{
	uint32_t slot = tail & (layout.sq_entries - 1);

	sqes[slot] = (struct ringd_sqe){ .opcode = opcode, .user_data = user_data };
	if (array)
		array[slot] = slot;
	tail++;
	return &sqes[slot];
}

/* io_uring_enter, as libringd does it; serves until done or dead */
static int enter(uint32_t to_submit, uint32_t flags)
{
	hot->enter_to_submit = to_submit;
	hot->enter_flags = flags;
	hot->sq_tail = tail;
	hot->enter_seq = ++enters;
	for (int i = 0; i < 1000 && hot->enter_done != enters && ring && !ring->dead; i++)
		rd_reactor_turn(engine.reactor);
	return hot->enter_done == enters ? hot->enter_res : -ECONNRESET;
}

static uint32_t ready(void)
{
	return hot->cq_tail - hot->cq_head;
}

static struct ringd_cqe reap(void)
{
	struct ringd_cqe cqe = cqes[hot->cq_head & (layout.cq_entries - 1)];

	ck_assert_uint_gt(ready(), 0);
	hot->cq_head++;
	return cqe;
}

START_TEST(plain_ring_serves_when_entered)
{
	open_ring(8, _i ? RINGD_SETUP_NO_SQARRAY : 0);
	for (uint64_t i = 0; i < 5; i++)
		put(RINGD_OP_NOP, UINT64_MAX - i);
	hot->sq_tail = tail;
	rd_reactor_turn(engine.reactor);
	ck_assert_uint_eq(ready(), 0);		/* a stored tail alone means nothing */
	ck_assert_int_eq(enter(2, 0), 2);
	ck_assert_uint_eq(ready(), 2);
	ck_assert_int_eq(enter(100, 0), 3);
	ck_assert_uint_eq(hot->sq_head, 5);
	for (uint64_t i = 0; i < 5; i++) {
		struct ringd_cqe cqe = reap();

		ck_assert_uint_eq(cqe.user_data, UINT64_MAX - i);
		ck_assert_int_eq(cqe.res, 0);
		ck_assert_uint_eq(cqe.flags, 0);
	}
	ck_assert_int_eq(enter(100, RINGD_ENTER_GETEVENTS), 0);
}
END_TEST

START_TEST(sqpoll_ring_serves_by_itself)
{
	open_ring(8, RINGD_SETUP_SQPOLL | RINGD_SETUP_NO_SQARRAY);
	for (int i = 0; i < 8; i++)
		put(RINGD_OP_NOP, (uint64_t)i);
	hot->sq_tail = tail;
	rd_reactor_turn(engine.reactor);
	ck_assert_uint_eq(ready(), 8);
	ck_assert_uint_eq(hot->sq_head, 8);
	ck_assert_int_eq(enter(3, 0), 0);	/* its enters submit nothing */
}
END_TEST

static uint32_t seen_tail, seen_head;

static int look_at_both(struct rd_host *h, int fd, struct rd_file **ret)
{
	(void)h, (void)fd, (void)ret;
	seen_tail = hot->cq_tail;
	seen_head = hot->sq_head;
	return -EBADF;
}

/* a NOP that asks its host for a file shows what a client would see in the middle of the visit */
START_TEST(sqe_slots_are_free_when_their_cqes_are_seen)
{
	static const struct rd_host_ops looking = {
		.wake = host_wake, .ring_dead = host_dead, .ring_gone = host_gone, .file = look_at_both,
	};

	open_ring(64, RINGD_SETUP_SQPOLL | RINGD_SETUP_NO_SQARRAY);
	host.ops = &looking;
	for (int i = 0; i < 64; i++)
		put(RINGD_OP_NOP, (uint64_t)i);
	sqes[60].nop_flags = RINGD_NOP_FILE;
	hot->sq_tail = tail;
	rd_reactor_turn(engine.reactor);
	ck_assert_uint_gt(seen_tail, 0);
	ck_assert_uint_lt(seen_tail, 64);
	ck_assert_uint_ge(seen_head, seen_tail);
	hot->cq_head = hot->cq_tail;
}
END_TEST

START_TEST(largest_ring_in_one_enter)
{
	open_ring(32768, RINGD_SETUP_NO_SQARRAY);
	for (uint32_t i = 0; i < 32768; i++)
		put(RINGD_OP_NOP, i);
	ck_assert_int_eq(enter(32768, 0), 32768);
	for (uint32_t i = 0; i < 32768; i++)
		ck_assert_uint_eq(reap().user_data, i);
}
END_TEST

START_TEST(indices_wrap)
{
	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	tail = ring->sq_head = ring->cq_tail = ring->cq_head = UINT32_MAX - 2;
	hot->sq_head = hot->sq_tail = hot->cq_head = hot->cq_tail = tail;
	for (uint64_t round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 7; i++)
			put(RINGD_OP_NOP, round * 7 + i);
		ck_assert_int_eq(enter(7, 0), 7);
		for (uint64_t i = 0; i < 7; i++)
			ck_assert_uint_eq(reap().user_data, round * 7 + i);
	}
}
END_TEST

START_TEST(bad_sqe_ends_the_submission_unless_submit_all)
{
	open_ring(8, RINGD_SETUP_NO_SQARRAY | (_i ? RINGD_SETUP_SUBMIT_ALL : 0));
	put(RINGD_OP_NOP, 1);
	put(RINGD_OP_LAST, 2);
	put(RINGD_OP_NOP, 3);
	ck_assert_int_eq(enter(3, 0), _i ? 3 : 2);
	ck_assert_uint_eq(ready(), _i ? 3 : 2);
	reap();
	ck_assert_int_eq(cqes[1].res, -EINVAL);
	ck_assert_uint_eq(reap().user_data, 2);
	if (!_i)
		ck_assert_int_eq(enter(3, 0), 1);	/* the third had stayed in the SQ */
	ck_assert_uint_eq(reap().user_data, 3);
}
END_TEST

START_TEST(every_unserved_opcode_is_invalid)
{
	struct ringd_sqe *sqe;

	open_ring(8, RINGD_SETUP_NO_SQARRAY | RINGD_SETUP_SUBMIT_ALL);
	sqe = put((uint8_t)(RINGD_OP_LAST + _i), 7);
	ck_assert_ptr_nonnull(sqe);
	ck_assert_int_eq(enter(1, 0), 1);
	ck_assert_int_eq(reap().res, -EINVAL);
}
END_TEST

static const struct {
	uint8_t flags;
	uint16_t ioprio, personality;
	int res;
} common_checks[] = {
	{ 0x80, 0, 0, -EINVAL },
	{ RINGD_SQE_BUFFER_SELECT, 0, 0, -EOPNOTSUPP },
	{ 0, 1, 0, -EINVAL },
	{ 0, 0, 9, -EINVAL },
	{ RINGD_SQE_FIXED_FILE, 0, 0, 0 },	/* no meaning for a NOP */
};

START_TEST(common_checks_come_before_the_op)
{
	struct ringd_sqe *sqe;

	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	sqe = put(RINGD_OP_NOP, 7);
	sqe->flags = common_checks[_i].flags;
	sqe->ioprio = common_checks[_i].ioprio;
	sqe->personality = common_checks[_i].personality;
	ck_assert_int_eq(enter(1, 0), 1);
	ck_assert_int_eq(reap().res, common_checks[_i].res);
}
END_TEST

START_TEST(skipped_success_posts_nothing)
{
	struct ringd_sqe *sqe;

	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	put(RINGD_OP_NOP, 1)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	sqe = put(RINGD_OP_NOP, 2);
	sqe->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	sqe->nop_flags = RINGD_NOP_INJECT_RESULT;
	sqe->len = (uint32_t)-EIO;
	ck_assert_int_eq(enter(2, 0), 2);
	ck_assert_uint_eq(ready(), 1);
	ck_assert_int_eq(reap().res, -EIO);
}
END_TEST

START_TEST(wild_array_entry_is_dropped)
{
	open_ring(8, 0);
	put(RINGD_OP_NOP, 1);
	put(RINGD_OP_NOP, 2);
	put(RINGD_OP_NOP, 3);
	array[1] = 8;
	ck_assert_int_eq(enter(3, 0), 1);
	ck_assert_uint_eq(hot->sq_dropped, 1);
	ck_assert_uint_eq(hot->sq_head, 2);
	ck_assert_int_eq(enter(3, 0), 1);
	ck_assert_uint_eq(reap().user_data, 1);
	ck_assert_uint_eq(reap().user_data, 3);
}
END_TEST

START_TEST(full_cq_holds_back_in_order)
{
	uint64_t next = 0;

	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	for (uint64_t i = 0; i < 24; i += 8) {
		for (uint64_t j = 0; j < 8; j++)
			put(RINGD_OP_NOP, i + j);
		ck_assert_int_eq(enter(8, 0), 8);
	}
	ck_assert_uint_eq(ready(), 16);
	ck_assert_uint_eq(hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, RINGD_SQ_CQ_OVERFLOW);
	ck_assert_uint_eq(hot->cq_overflow, 0);
	ck_assert_uint_eq(engine.user.used[RINGD_LIMIT_INFLIGHT], 8);
	while (next < 4)
		ck_assert_uint_eq(reap().user_data, next++);
	put(RINGD_OP_NOP, 24);		/* there is room, but others were first */
	ck_assert_int_eq(enter(1, 0), 1);
	ck_assert_uint_eq(ready(), 12);
	ck_assert_int_eq(enter(0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 16);
	ck_assert_uint_ne(hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, 0);	/* five are still waiting */
	while (ready())
		ck_assert_uint_eq(reap().user_data, next++);
	ck_assert_int_eq(enter(0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, 0);
	while (ready())
		ck_assert_uint_eq(reap().user_data, next++);
	ck_assert_uint_eq(next, 25);
}
END_TEST

START_TEST(never_reaping_ends_at_the_budget)
{
	engine.user.limit[RINGD_LIMIT_INFLIGHT] = 10;
	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	for (int round = 0; round < 4; round++) {
		for (uint64_t j = 0; j < 8 && tail - hot->sq_head < 8; j++)
			put(RINGD_OP_NOP, j);
		enter(8, 0);
	}
	ck_assert_uint_eq(engine.user.used[RINGD_LIMIT_INFLIGHT], 10);
	ck_assert_uint_eq(hot->sq_head, 26);		/* 16 in the CQ, 10 held back */
	ck_assert_int_eq(enter(8, 0), -EAGAIN);
	hot->cq_head += 16;
	ck_assert_int_eq(enter(8, RINGD_ENTER_GETEVENTS), -EAGAIN);	/* the flush comes after the submission */
	ck_assert_int_eq(enter(8, 0), 6);
}
END_TEST

START_TEST(starved_sqpoll_ring_is_fed_again)
{
	engine.user.limit[RINGD_LIMIT_INFLIGHT] = 4;
	open_ring(8, RINGD_SETUP_NO_SQARRAY | RINGD_SETUP_SQPOLL);
	for (int round = 0; round < 4; round++) {
		while (tail - hot->sq_head < 8)
			put(RINGD_OP_NOP, 0);
		hot->sq_tail = tail;
		rd_reactor_turn(engine.reactor);
		rd_reactor_turn(engine.reactor);
	}
	ck_assert_uint_eq(hot->sq_head, 20);
	ck_assert(!ring->poller.pending(&ring->poller));	/* so that the reactor can sleep */
	hot->cq_head += 16;
	ck_assert_int_eq(enter(0, RINGD_ENTER_GETEVENTS), 0);
	rd_reactor_turn(engine.reactor);
	ck_assert_uint_eq(hot->sq_head, 28);
	ck_assert_uint_eq(ready(), 12);
}
END_TEST

START_TEST(wait_word_is_answered_once)
{
	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	hot->wait = RINGD_WAIT(4 | RINGD_WAIT_KIND_CQ, 2);
	put(RINGD_OP_NOP, 1);
	enter(1, 0);
	ck_assert_uint_eq(wakes, 0);		/* wants two */
	put(RINGD_OP_NOP, 2);
	enter(1, 0);
	ck_assert_uint_eq(wakes, 1);
	put(RINGD_OP_NOP, 3);
	enter(1, 0);
	ck_assert_uint_eq(wakes, 1);		/* the same sequence: told already */
	hot->wait = RINGD_WAIT(8 | RINGD_WAIT_KIND_ENTER, enters + 1);
	enter(0, 0);
	ck_assert_uint_eq(wakes, 2);
	hot->wait = RINGD_WAIT(12 | RINGD_WAIT_KIND_ANY, 0);
	enter(0, 0);
	ck_assert_uint_eq(wakes, 3);
	enter(0, 0);
	ck_assert_uint_eq(wakes, 3);
}
END_TEST

START_TEST(impossible_tail_ends_the_ring)
{
	open_ring(8, RINGD_SETUP_NO_SQARRAY | (_i ? RINGD_SETUP_SQPOLL : 0));
	tail += 9;
	enter(1, 0);
	ck_assert_uint_eq(deaths, 1);
	ck_assert_uint_eq(reason, RINGD_REASON_SQ_TAIL);
	ck_assert_uint_eq(hot->reason, RINGD_REASON_SQ_TAIL);
	ck_assert_uint_eq(hot->state, RINGD_STATE_DEAD);
	ck_assert_uint_eq(engine.stats.rings_killed, 1);
	rd_reactor_turn(engine.reactor);
	ck_assert_uint_eq(deaths, 1);
	ck_assert_uint_eq(burials, 1);
}
END_TEST

START_TEST(impossible_cq_head_ends_the_ring)
{
	open_ring(8, RINGD_SETUP_NO_SQARRAY);
	hot->cq_head = 1000;
	for (int i = 0; i < 3 && !deaths; i++) {
		for (int j = 0; j < 8; j++)
			put(RINGD_OP_NOP, 0);
		enter(8, 0);
	}
	ck_assert_uint_eq(reason, RINGD_REASON_CQ_HEAD);
}
END_TEST

START_TEST(limits_refuse_rings)
{
	struct ringd_params p = { .sq_entries = 8 };
	struct rd_ring *second;

	engine.user.limit[_i ? RINGD_LIMIT_RINGS : RINGD_LIMIT_ENTRIES] = _i ? 1 : 30;
	open_ring(8, 0);
	ck_assert_int_eq(rd_ring_new(&second, &engine, &host, &p, &layout, &memory), -EDQUOT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = tcase_create("ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, plain_ring_serves_when_entered, 0, 2);
	tcase_add_test(tc, sqpoll_ring_serves_by_itself);
	tcase_add_test(tc, sqe_slots_are_free_when_their_cqes_are_seen);
	tcase_add_test(tc, largest_ring_in_one_enter);
	tcase_add_test(tc, indices_wrap);
	tcase_add_loop_test(tc, bad_sqe_ends_the_submission_unless_submit_all, 0, 2);
	tcase_add_loop_test(tc, every_unserved_opcode_is_invalid, 0, 256 - RINGD_OP_LAST);
	tcase_add_loop_test(tc, common_checks_come_before_the_op, 0, RD_ARRAY_SIZE(common_checks));
	tcase_add_test(tc, skipped_success_posts_nothing);
	tcase_add_test(tc, wild_array_entry_is_dropped);
	tcase_add_test(tc, full_cq_holds_back_in_order);
	tcase_add_test(tc, never_reaping_ends_at_the_budget);
	tcase_add_test(tc, starved_sqpoll_ring_is_fed_again);
	tcase_add_test(tc, wait_word_is_answered_once);
	tcase_add_loop_test(tc, impossible_tail_ends_the_ring, 0, 2);
	tcase_add_test(tc, impossible_cq_head_ends_the_ring);
	tcase_add_loop_test(tc, limits_refuse_rings, 0, 2);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
