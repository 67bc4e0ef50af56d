/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas of RECV_ZC: which buffer is whose, and a refill ring that says whatever it likes. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/util.h"
#include "daemon/engine/rsrc/zcrx.h"
#include "suite.h"

#define PAGE	4096u
#define BUFS	8u
#define RQ	4u

static struct rd_user user;
static struct rd_mem area_mem, rq_mem;
static unsigned int released;
static char *area;
static _Alignas(64) char rq[RD_ZCRX_RQ_ENTRIES + 65536 * 16];
static struct rd_zcrx *z;
static uint32_t tail;

static void release(struct rd_mem *mem)
{
	(void)mem;
	released++;
}

static struct rd_zcrx_config config(uint32_t entries)
{
	return (struct rd_zcrx_config){
		.rq = rq, .rq_entries = entries, .rq_owner = &rq_mem, .area = area, .area_len = BUFS * PAGE,
		.area_owner = &area_mem, .shift = 12,
	};
}

static void setup(void)
{
	struct rd_zcrx_config cfg;

	memset(&user, 0, sizeof(user));
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++)
		user.limit[i] = 100000;
	area_mem = rq_mem = (struct rd_mem){ .refs = 1, .release = release };
	memset(rq, 0, sizeof(rq));
	released = tail = 0;
	area = malloc(BUFS * PAGE);
	cfg = config(RQ);
	ck_assert_int_eq(rd_zcrx_new(&z, &user, &cfg), 0);
}

static void teardown(void)
{
	if (z)
		rd_zcrx_put(z);
	ck_assert_uint_eq(area_mem.refs, 1);
	ck_assert_uint_eq(rq_mem.refs, 1);
	ck_assert(rd_user_idle(&user));
	free(area);
}

/* What the client writes. */
static void entry(uint64_t off, uint32_t len, uint32_t pad)
{
	struct ringd_zcrx_rqe *e = (void *)(rq + RD_ZCRX_RQ_ENTRIES);

	e[tail++ & (z->rq_entries - 1)] = (struct ringd_zcrx_rqe){ .off = off, .len = len, .__pad = pad };
	__atomic_store_n((uint32_t *)(void *)(rq + RD_ZCRX_RQ_TAIL), tail, __ATOMIC_RELEASE);
}

static uint32_t shown_head(void)
{
	return *(uint32_t *)(void *)(rq + RD_ZCRX_RQ_HEAD);
}

/* All buffers to the client. */
static void hand_out_all(void)
{
	for (uint32_t i = 0; i < z->nr; i++) {
		ck_assert_ptr_eq(rd_zcrx_next(z), area + i * PAGE);
		ck_assert_uint_eq(rd_zcrx_hand_out(z), i * PAGE);
	}
	ck_assert_ptr_null(rd_zcrx_next(z));
}

START_TEST(buffers_go_out_one_by_one)
{
	ck_assert_uint_eq(z->nr, BUFS);
	ck_assert_uint_eq(rd_zcrx_buf_len(z), PAGE);
	ck_assert_ptr_eq(rd_zcrx_next(z), area);
	ck_assert_ptr_eq(rd_zcrx_next(z), area);	/* looking takes nothing */
	hand_out_all();
	ck_assert_uint_eq(rd_zcrx_refill(z), 0);
	ck_assert_ptr_null(rd_zcrx_next(z));
}
END_TEST

START_TEST(a_buffer_comes_back_by_any_address_in_it)
{
	hand_out_all();
	entry(3 * PAGE + 77, 5, 0);
	entry(5 * PAGE, 0, 0);
	ck_assert_uint_eq(rd_zcrx_refill(z), 2);
	ck_assert_uint_eq(shown_head(), 2);
	ck_assert_uint_eq(z->n_free, 2);
	ck_assert_uint_eq(rd_zcrx_hand_out(z), 5 * PAGE);
	ck_assert_uint_eq(rd_zcrx_hand_out(z), 3 * PAGE);
}
END_TEST

START_TEST(entries_that_lie_are_passed_over)
{
	static const uint64_t bad[] = {
		BUFS * PAGE, 1ull << RINGD_ZCRX_AREA_SHIFT, UINT64_MAX, 1ull << 63, (uint64_t)INT64_MAX, BUFS * PAGE * 8ull,
	};

	hand_out_all();
	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		entry(bad[i], PAGE, 0);
		ck_assert_uint_eq(rd_zcrx_refill(z), 1);
	}
	entry(0, PAGE, 1);
	entry(PAGE, PAGE, 1u << 31);
	ck_assert_uint_eq(rd_zcrx_refill(z), 2);
	ck_assert_uint_eq(z->n_free, 0);
	ck_assert_uint_eq(shown_head(), tail);
}
END_TEST

START_TEST(a_buffer_comes_back_once)
{
	entry(0, PAGE, 0);		/* it was not handed out */
	ck_assert_uint_eq(rd_zcrx_refill(z), 1);
	ck_assert_uint_eq(z->n_free, BUFS);
	hand_out_all();
	for (unsigned int i = 0; i < RQ; i++)
		entry(PAGE, PAGE, 0);
	ck_assert_uint_eq(rd_zcrx_refill(z), RQ);
	ck_assert_uint_eq(z->n_free, 1);
	ck_assert_uint_eq(rd_zcrx_hand_out(z), PAGE);
	ck_assert_ptr_null(rd_zcrx_next(z));
}
END_TEST

START_TEST(a_tail_beyond_the_ring_is_a_full_ring)
{
	hand_out_all();
	tail = 0x80000001;
	entry(0, 0, 0);
	ck_assert_uint_eq(rd_zcrx_refill(z), RQ);
	ck_assert_uint_eq(z->rq_head, RQ);
	tail = RQ - 2;			/* backwards: far ahead */
	entry(0, 0, 0);
	ck_assert_uint_eq(rd_zcrx_refill(z), RQ);
	ck_assert_uint_le(z->n_free, BUFS);
}
END_TEST

START_TEST(indices_wrap)
{
	z->rq_head = tail = UINT32_MAX - 1;
	hand_out_all();
	entry(0, 0, 0);
	entry(PAGE, 0, 0);
	entry(2 * PAGE, 0, 0);
	ck_assert_uint_eq(rd_zcrx_refill(z), 3);
	ck_assert_uint_eq(z->n_free, 3);
	ck_assert_uint_eq(shown_head(), 1);
}
END_TEST

START_TEST(one_look_is_bounded_and_a_flush_is_too)
{
	struct rd_zcrx_config cfg = config(RD_ZCRX_RQ_MAX);

	rd_zcrx_put(z);
	ck_assert_int_eq(rd_zcrx_new(&z, &user, &cfg), 0);
	tail = 0x7fffffff;
	entry(UINT64_MAX, 0, 0);
	ck_assert_uint_eq(rd_zcrx_refill(z), RD_ZCRX_LOOK);
	ck_assert_uint_eq(z->rq_head, RD_ZCRX_LOOK);
	rd_zcrx_flush(z);
	ck_assert_uint_eq(z->rq_head, RD_ZCRX_LOOK + RD_ZCRX_RQ_MAX);
}
END_TEST

START_TEST(what_is_left_of_an_area_is_no_buffer)
{
	struct rd_zcrx_config cfg = config(RQ);

	rd_zcrx_put(z);
	cfg.shift = 14;
	cfg.area_len = 7 * PAGE;
	ck_assert_int_eq(rd_zcrx_new(&z, &user, &cfg), 0);
	ck_assert_uint_eq(z->nr, 1);
	ck_assert_uint_eq(rd_zcrx_buf_len(z), 4 * PAGE);
	ck_assert_uint_eq(rd_zcrx_hand_out(z), 0);
	entry(5 * PAGE, 0, 0);
	rd_zcrx_refill(z);
	ck_assert_uint_eq(z->n_free, 0);
	entry(3 * PAGE, 0, 0);
	rd_zcrx_refill(z);
	ck_assert_uint_eq(z->n_free, 1);
}
END_TEST

static bool stop;

static void *scribbler(void *arg)
{
	struct ringd_zcrx_rqe *e = (void *)(rq + RD_ZCRX_RQ_ENTRIES);
	unsigned int seed = 1;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		unsigned int k = (unsigned int)rand_r(&seed);

		__atomic_store_n(&e[k % RQ].off, k & 8 ? (k >> 4) % (BUFS * PAGE) : (uint64_t)k << (k % 40), __ATOMIC_RELAXED);
		__atomic_store_n(&e[k % RQ].__pad, k & 0x30 ? 0 : k, __ATOMIC_RELAXED);
		__atomic_store_n((uint32_t *)(void *)(rq + RD_ZCRX_RQ_TAIL), k, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(entries_that_change_all_the_time)
{
	unsigned int out[BUFS] = { 0 }, n_out, total = 0;
	pthread_t t;

	stop = false;
	ck_assert_int_eq(pthread_create(&t, NULL, scribbler, NULL), 0);
	while (total < 20000) {
		rd_zcrx_refill(z);
		ck_assert_uint_le(z->n_free, BUFS);
		/* no buffer is free and handed out, or free twice */
		memset(out, 0, sizeof(out));
		for (uint32_t i = 0; i < z->n_free; i++)
			out[z->free[i]]++;
		n_out = 0;
		for (uint32_t i = 0; i < BUFS; i++) {
			ck_assert_uint_eq(out[i] + ((z->out[i / 8] >> (i % 8)) & 1u), 1);
			n_out += !out[i];
		}
		ck_assert_uint_eq(n_out + z->n_free, BUFS);
		for (; rd_zcrx_next(z); total++)
			rd_zcrx_hand_out(z);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
}
END_TEST

/* --- waiting --- */

static struct rd_zcrx_waiter waiters[4];
static unsigned int woken, unwilling;	/* the one who wants none, from 1 */

static bool wake(struct rd_zcrx_waiter *w)
{
	ck_assert_ptr_eq(w, &waiters[woken]);	/* in order */
	woken++;
	return woken != unwilling;
}

static void wait_all(void)
{
	woken = 0;
	for (size_t i = 0; i < RD_ARRAY_SIZE(waiters); i++) {
		waiters[i].wake = wake;
		rd_zcrx_wait(z, &waiters[i]);
	}
}

START_TEST(who_waits_is_woken_by_what_comes_back)
{
	hand_out_all();
	wait_all();
	entry(UINT64_MAX, 0, 0);
	rd_zcrx_refill(z);
	ck_assert_uint_eq(woken, 0);
	entry(PAGE, 0, 0);
	entry(2 * PAGE, 0, 0);
	rd_zcrx_flush(z);
	ck_assert_uint_eq(woken, 2);
	/* those two found nothing to receive: the buffers are for the next */
	rd_zcrx_pass_on(z);
	ck_assert_uint_eq(woken, 3);
	rd_zcrx_hand_out(z);
	rd_zcrx_hand_out(z);
	rd_zcrx_pass_on(z);
	ck_assert_uint_eq(woken, 3);
	rd_list_remove(&waiters[3].link);
}
END_TEST

START_TEST(who_wants_none_leaves_it_to_the_next)
{
	hand_out_all();
	wait_all();
	unwilling = 1;
	entry(PAGE, 0, 0);
	rd_zcrx_flush(z);
	unwilling = 0;
	ck_assert_uint_eq(woken, 2);
	rd_list_remove(&waiters[2].link);
	rd_list_remove(&waiters[3].link);
}
END_TEST

/* --- tables --- */

START_TEST(ids_begin_at_0_and_are_limited)
{
	struct rd_zcrxs *zs = NULL;

	ck_assert_uint_eq(rd_zcrxs_next_id(zs), 0);
	ck_assert_ptr_null(rd_zcrxs_find(zs, 0));
	for (int i = 0; i < RD_ZCRX_MAX; i++)
		ck_assert_int_eq(rd_zcrxs_add(&zs, &user, z), i);
	ck_assert_uint_eq(z->refs, 1 + RD_ZCRX_MAX);
	ck_assert_int_eq(rd_zcrxs_add(&zs, &user, z), -EBUSY);
	ck_assert_ptr_eq(rd_zcrxs_find(zs, RD_ZCRX_MAX - 1), z);
	ck_assert_ptr_null(rd_zcrxs_find(zs, RD_ZCRX_MAX));
	ck_assert_ptr_null(rd_zcrxs_find(zs, UINT32_MAX));
	rd_zcrxs_remove(zs, RD_ZCRX_MAX - 1);
	rd_zcrxs_remove(zs, RD_ZCRX_MAX - 1);
	ck_assert_uint_eq(rd_zcrxs_next_id(zs), RD_ZCRX_MAX - 1);
	ck_assert_ptr_null(rd_zcrxs_free(zs));
	ck_assert_uint_eq(z->refs, 1);
}
END_TEST

START_TEST(an_enter_looks_at_what_is_waited_for)
{
	struct rd_zcrxs *zs = NULL;

	rd_zcrxs_add(&zs, &user, z);
	hand_out_all();
	entry(PAGE, 0, 0);
	rd_zcrxs_look(zs);
	ck_assert_uint_eq(shown_head(), 0);	/* nobody does */
	wait_all();
	rd_zcrxs_look(zs);
	ck_assert_uint_eq(woken, 1);
	rd_zcrxs_look(zs);
	ck_assert_uint_eq(woken, 2);	/* nobody has used it yet */
	for (size_t i = 2; i < RD_ARRAY_SIZE(waiters); i++)
		rd_list_remove(&waiters[i].link);
	rd_zcrxs_free(zs);
}
END_TEST

START_TEST(over_budget_nothing_is_made)
{
	const struct rd_zcrx_config cfg = config(RQ);
	struct rd_zcrx *other = NULL;
	struct rd_zcrxs *zs = NULL;

	user.limit[RINGD_LIMIT_OBJECTS] = user.used[RINGD_LIMIT_OBJECTS];
	ck_assert_int_eq(rd_zcrx_new(&other, &user, &cfg), -EDQUOT);
	ck_assert_ptr_null(other);
	ck_assert_int_eq(rd_zcrxs_add(&zs, &user, z), -EDQUOT);
	ck_assert_ptr_null(zs);
	ck_assert_uint_eq(z->refs, 1);
	ck_assert_uint_eq(area_mem.refs, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("zcrx");
	TCase *tc = tcase_create("zcrx");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, buffers_go_out_one_by_one);
	tcase_add_test(tc, a_buffer_comes_back_by_any_address_in_it);
	tcase_add_test(tc, entries_that_lie_are_passed_over);
	tcase_add_test(tc, a_buffer_comes_back_once);
	tcase_add_test(tc, a_tail_beyond_the_ring_is_a_full_ring);
	tcase_add_test(tc, indices_wrap);
	tcase_add_test(tc, one_look_is_bounded_and_a_flush_is_too);
	tcase_add_test(tc, entries_that_change_all_the_time);
	tcase_add_test(tc, what_is_left_of_an_area_is_no_buffer);
	tcase_add_test(tc, who_waits_is_woken_by_what_comes_back);
	tcase_add_test(tc, who_wants_none_leaves_it_to_the_next);
	tcase_add_test(tc, ids_begin_at_0_and_are_limited);
	tcase_add_test(tc, an_enter_looks_at_what_is_waited_for);
	tcase_add_test(tc, over_budget_nothing_is_made);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
