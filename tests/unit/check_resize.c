/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RESIZE_RINGS: what is in the ring goes along, what does not fit leaves everything as it was. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suite.h"
#include "testhost.h"

#define S(x) RINGD_SETUP_##x
#define DEFER (S(DEFER_TASKRUN) | S(SINGLE_ISSUER))

static struct rd_testhost th;
static struct rd_testclient c;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
}

static void open_ring(uint32_t sq, uint32_t cq, uint32_t flags)
{
	rd_tc_open_params(&c, &th, &(struct ringd_params){ .sq_entries = sq, .cq_entries = cq,
							   .flags = flags | S(NO_SQARRAY) | S(CQSIZE) | DEFER });
	rd_ring_doorbell(c.ring);
}

static void *fresh(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

/* As a host does it, and a client after it. */
static int resize(uint32_t sq, uint32_t cq)
{
	struct ringd_params p = { .sq_entries = sq, .cq_entries = cq,
				  .flags = (c.params.flags & RD_SETUP_LAYOUT) | S(CQSIZE) };
	struct rd_testclient old = c;
	struct rd_ring_memory mem;
	struct rd_layout l;
	int r = rd_layout_compute(&l, &p, false);

	if (r < 0)
		return r;
	mem.rings = fresh(l.rings_size);
	mem.sqes = fresh(l.sqes_size);
	r = rd_ring_resize(c.ring, &l, &mem);
	if (r < 0) {
		munmap(mem.rings, l.rings_size);
		munmap(mem.sqes, l.sqes_size);
		return r;
	}
	c.layout = l;
	c.mem = mem;
	c.sqes = mem.sqes;
	c.hot = rd_layout_hot(&l, mem.rings);
	c.cqes = (struct ringd_cqe *)(void *)((char *)mem.rings + 64);
	/* what still uses the old memory dies of it */
	munmap(old.mem.rings, old.layout.rings_size);
	munmap(old.mem.sqes, old.layout.sqes_size);
	return 0;
}

static struct ringd_sqe *put(uint8_t opcode)
{
	struct ringd_sqe *sqe = rd_tc_slot(&c, c.sq_tail++ & (c.layout.sq_entries - 1));

	ck_assert_uint_le(c.sq_tail - c.hot->sq_head, c.layout.sq_entries);
	*sqe = (struct ringd_sqe){ .opcode = opcode, .user_data = ++c.user_data };
	c.hot->sq_tail = c.sq_tail;
	return sqe;
}

static uint32_t ready(void)
{
	return c.hot->cq_tail - c.hot->cq_head;
}

static void expect(uint64_t user_data)
{
	ck_assert_uint_gt(ready(), 0);
	ck_assert_uint_eq(rd_tc_cqe(&c, c.hot->cq_head)->user_data, user_data);
	c.hot->cq_head++;
}

static const struct {
	uint32_t sq, cq;
} sizes[] = { { 16, 32 }, { 4, 8 }, { 8, 16 }, { 8, 64 }, { 64, 64 }, { 4, 1024 } };

START_TEST(what_is_in_it_goes_along)
{
	uint32_t head, tail;

	open_ring(8, 16, 0);
	/* somewhere in the middle of the slots */
	for (int i = 0; i < 6; i++)
		put(RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_enter(&c, 6, 0), 6);
	c.hot->cq_head = c.hot->cq_tail;
	for (int i = 0; i < 5; i++)
		put(RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_enter(&c, 5, 0), 5);
	for (int i = 0; i < 4; i++)
		put(RINGD_OP_NOP);
	c.hot->cq_flags = RINGD_CQ_EVENTFD_DISABLED;
	head = c.hot->cq_head;
	tail = c.hot->sq_tail;
	ck_assert_int_eq(resize(sizes[_i].sq, sizes[_i].cq), 0);
	ck_assert_uint_eq(c.hot->cq_head, head);
	ck_assert_uint_eq(c.hot->sq_tail, tail);
	ck_assert_uint_eq(c.hot->cq_flags, RINGD_CQ_EVENTFD_DISABLED);
	ck_assert_uint_eq(ready(), 5);
	for (uint64_t i = 7; i <= 8; i++)
		expect(i);
	ck_assert_int_eq(rd_tc_enter(&c, 100, 0), 4);
	for (uint64_t i = 9; i <= 15; i++)
		expect(i);
	for (int round = 0; round < 40; round++) {	/* and it is a whole ring */
		for (int i = 0; i < 4; i++)
			put(RINGD_OP_NOP);
		ck_assert_int_eq(rd_tc_enter(&c, 4, 0), 4);
		for (uint64_t i = c.user_data - 3; i <= c.user_data; i++)
			expect(i);
	}
}
END_TEST

START_TEST(what_does_not_fit_stays)
{
	open_ring(8, 16, 0);
	for (int i = 0; i < 8; i++)
		put(RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_enter(&c, 8, 0), 8);
	for (int i = 0; i < 5; i++)
		put(RINGD_OP_NOP);
	ck_assert_int_eq(resize(4, 16), -EOVERFLOW);
	ck_assert_int_eq(resize(4, 4), -EOVERFLOW);
	ck_assert_int_eq(resize(2, 16), -EOVERFLOW);
	ck_assert_uint_eq(ready(), 8);
	ck_assert_int_eq(rd_tc_enter(&c, 8, 0), 5);
	for (uint64_t i = 1; i <= 5; i++)
		expect(i);
	ck_assert_int_eq(resize(4, 4), -EOVERFLOW);	/* eight CQEs */
	ck_assert_int_eq(resize(4, 8), 0);
	for (uint64_t i = 6; i <= 13; i++)
		expect(i);
}
END_TEST

START_TEST(held_back_cqes_follow)
{
	open_ring(8, 8, 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			put(RINGD_OP_NOP);
		ck_assert_int_eq(rd_tc_enter(&c, 8, 0), 8);
	}
	ck_assert_int_eq(resize(4, 16), 0);
	ck_assert_uint_eq(ready(), 8);
	ck_assert_uint_ne(c.hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(ready(), 16);
	for (uint64_t i = 1; i <= 24; i++) {
		if (!ready())
			ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
		expect(i);
	}
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_CQ_OVERFLOW, 0);
}
END_TEST

START_TEST(counters_and_tasks_follow)
{
	open_ring(8, 8, S(TASKRUN_FLAG));
	c.ring->cq_overflow = 7;
	c.ring->sq_dropped = 5;
	put(RINGD_OP_NOP)->nop_flags = RINGD_NOP_TW;
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	ck_assert_int_eq(resize(16, 32), 0);
	ck_assert_uint_eq(c.hot->cq_overflow, 7);
	ck_assert_uint_eq(c.hot->sq_dropped, 5);
	ck_assert_uint_eq(c.hot->tasks, RINGD_TASKS_PENDING);
	ck_assert_uint_ne(c.hot->sq_flags & RINGD_SQ_TASKRUN, 0);
	ck_assert_uint_eq(ready(), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 0, RINGD_ENTER_GETEVENTS), 0);
	expect(1);
	ck_assert_uint_eq(c.hot->sq_flags & RINGD_SQ_TASKRUN, 0);
}
END_TEST

/* Completions come from workers and polls into whatever memory the ring has by then. */
START_TEST(requests_in_flight_find_the_new_memory)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	open_ring(8, 16, 0);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, fds[0], 0);
	for (int i = 0; i < 4; i++) {
		struct ringd_sqe *sqe = put(i & 1 ? RINGD_OP_FSYNC : RINGD_OP_READ);

		sqe->flags = RINGD_SQE_FIXED_FILE;
		if (!(i & 1)) {
			sqe->len = 1;
			sqe->addr = (uintptr_t)rd_th_alloc(&th, 1);
		}
	}
	ck_assert_int_eq(rd_tc_enter(&c, 4, 0), 4);
	c.hot->waiting = 1;
	ck_assert_int_eq(resize(16, 32), 0);
	ck_assert_uint_eq(c.hot->waiting, 1);
	ck_assert_int_eq(write(fds[1], "xy", 2), 2);
	while (ready() < 4)
		rd_th_turn(&th);
	c.hot->wait = RINGD_WAIT(4 | RINGD_WAIT_KIND_CQ, c.hot->cq_tail);
	ck_assert_int_eq(resize(8, 8), 0);
	while (!th.wakes)
		rd_th_turn(&th);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(large_entries_go_along)
{
	open_ring(4, 8, _i ? S(SQE128) | S(CQE32) : S(SQE_MIXED) | S(CQE_MIXED));
	for (int i = 0; i < 3; i++) {
		struct ringd_sqe *sqe = put(RINGD_OP_NOP);

		sqe->nop_flags = RINGD_NOP_CQE32;
		sqe->off = 3 * c.user_data;
		sqe->addr = 5 * c.user_data;
	}
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	ck_assert_int_eq(resize(8, 32), 0);
	ck_assert_int_eq(rd_tc_enter(&c, 2, 0), 2);
	ck_assert_int_eq(resize(2, 8), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		const uint64_t *big = (void *)((char *)rd_tc_cqe(&c, c.hot->cq_head) + 16);

		ck_assert_uint_eq(big[0], 3 * i);
		ck_assert_uint_eq(big[1], 5 * i);
		expect(i);
		c.hot->cq_head += !_i;		/* a mixed ring's are two entries */
	}
}
END_TEST

/* In the smaller ring the two halves would lie at the two ends. */
START_TEST(large_cqe_is_not_split)
{
	open_ring(4, 16, S(CQE_MIXED));
	for (int i = 0; i < 3; i++)
		put(RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_enter(&c, 3, 0), 3);
	put(RINGD_OP_NOP)->nop_flags = RINGD_NOP_CQE32;
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	for (uint64_t i = 1; i <= 3; i++)
		expect(i);
	ck_assert_int_eq(resize(4, 4), -EOVERFLOW);
	ck_assert_int_eq(resize(4, 8), 0);
	expect(4);
	c.hot->cq_head++;
	ck_assert_int_eq(resize(4, 4), 0);
}
END_TEST

START_TEST(indices_that_lie)
{
	open_ring(8, 16, _i ? S(CQE_MIXED) : 0);
	c.hot->sq_tail = 9;
	ck_assert_int_eq(resize(32, 64), -EOVERFLOW);
	c.hot->sq_tail = UINT32_MAX;
	ck_assert_int_eq(resize(32, 64), -EOVERFLOW);
	c.hot->sq_tail = 0;
	c.hot->cq_head = 1;
	ck_assert_int_eq(resize(32, 64), -EOVERFLOW);
	c.hot->cq_head = 0u - 17;
	ck_assert_int_eq(resize(32, 64), -EOVERFLOW);
	c.hot->cq_head = 0u - 16;	/* never there, but it could be: rubbish is carried along */
	memset(c.cqes, 0xff, 16 * sizeof(struct ringd_cqe));
	ck_assert_int_eq(resize(32, 64), 0);
	c.hot->cq_head = 0;
	put(RINGD_OP_NOP);
	ck_assert_int_eq(rd_tc_enter(&c, 1, 0), 1);
	expect(1);
}
END_TEST

START_TEST(not_in_the_middle_of_an_enter)
{
	open_ring(512, 1024, 0);
	for (int i = 0; i < 500; i++)
		put(RINGD_OP_NOP);
	c.hot->enter_to_submit = 500;
	c.hot->enter_flags = 0;
	c.hot->enter_seq = ++c.enter_seq;
	rd_reactor_turn(th.engine.reactor);
	ck_assert_int_eq(resize(1024, 1024), -EBUSY);
	while (c.hot->enter_done != c.enter_seq)
		rd_th_turn(&th);
	ck_assert_int_eq(resize(1024, 1024), 0);
	ck_assert_uint_eq(ready(), 500);
	/* one that was asked for and not begun is served in the new memory */
	put(RINGD_OP_NOP);
	c.hot->enter_to_submit = 1;
	c.hot->enter_seq = ++c.enter_seq;
	ck_assert_int_eq(resize(512, 1024), 0);
	while (c.hot->enter_done != c.enter_seq)
		rd_th_turn(&th);
	ck_assert_int_eq(c.hot->enter_res, 1);
	ck_assert_uint_eq(ready(), 501);
}
END_TEST

START_TEST(entries_budget_pays)
{
	open_ring(8, 16, 0);
	th.engine.user.limit[RINGD_LIMIT_ENTRIES] = 48;
	ck_assert_int_eq(resize(32, 32), -EDQUOT);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_ENTRIES], 24);
	ck_assert_int_eq(resize(16, 32), 0);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_ENTRIES], 48);
	ck_assert_int_eq(resize(1, 1), 0);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_ENTRIES], 2);
}
END_TEST

/* Under load, as often as there are enters: every CQE comes, in order, whatever the sizes. */
START_TEST(storm)
{
	uint32_t random = (uint32_t)_i * 2654435761u + 7;
	uint64_t seen = 0;

	open_ring(8, 16, _i & 1 ? S(CQE32) : 0);
	for (int round = 0; round < 1500; round++) {
		uint32_t room = c.layout.sq_entries - (c.sq_tail - c.hot->sq_head), n;
		int r;

		random = random * 1103515245 + 12345;
		for (n = RD_MIN(random >> 20 & 15, room); n; n--)
			put(RINGD_OP_NOP)->nop_flags = _i & 2 ? RINGD_NOP_TW : 0;
		rd_tc_enter(&c, random >> 16 & 15, RINGD_ENTER_GETEVENTS);
		for (n = random >> 8 & 31; n && ready(); n--)
			expect(++seen);
		r = resize(1u << (random >> 12 & 7), 1u << (random >> 24 & 7));
		ck_assert(r == 0 || r == -EOVERFLOW || r == -EINVAL);
	}
	while (seen != c.user_data) {
		rd_tc_enter(&c, 1000, RINGD_ENTER_GETEVENTS);
		while (ready())
			expect(++seen);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("resize");
	TCase *tc = tcase_create("resize");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_is_in_it_goes_along, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tc, what_does_not_fit_stays);
	tcase_add_test(tc, held_back_cqes_follow);
	tcase_add_test(tc, counters_and_tasks_follow);
	tcase_add_test(tc, requests_in_flight_find_the_new_memory);
	tcase_add_loop_test(tc, large_entries_go_along, 0, 2);
	tcase_add_test(tc, large_cqe_is_not_split);
	tcase_add_loop_test(tc, indices_that_lie, 0, 2);
	tcase_add_test(tc, not_in_the_middle_of_an_enter);
	tcase_add_test(tc, entries_budget_pays);
	tcase_add_loop_test(tc, storm, 0, 4);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
