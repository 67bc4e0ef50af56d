/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of provided buffers: what is selected, what a commit uses up, what a lying client gets. */
#include <string.h>

#include "daemon/common/util.h"
#include "daemon/engine/rsrc/bufgroup.h"
#include "daemon/engine/rsrc/pbuf.h"
#include "suite.h"
#include "testhost.h"

#define BG	7
#define LEN	16u

static struct rd_testhost th;
static struct rd_bufgroups *groups;
static struct ringd_buf *ring;	/* of group BG, when there is one */
static char *data;
static struct rd_bufsel sel;
static struct iovec iov[RD_BUFSEL_MAX];
static struct rd_mem *owners[RD_BUFSEL_MAX];

static struct rd_user *user(void)
{
	return &th.engine.user;
}

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	data = rd_th_alloc(&th, 1 << 16);
	groups = NULL;
	memset(&sel, 0, sizeof(sel));
}

static void teardown(void)
{
	groups = rd_bufgroups_free(groups);
	ck_assert_uint_eq(user()->used[RINGD_LIMIT_OBJECTS], 0);
	rd_th_deinit(&th);
}

static int provide(uint16_t bgid, uint32_t nr, uint16_t bid)
{
	return rd_bufgroups_provide(&groups, user(), bgid, (uintptr_t)data, LEN, nr, bid);
}

static int add_ring(uint16_t bgid, uint32_t entries, uint16_t flags, uint32_t min_left)
{
	struct ringd_buf_reg reg = { .ring_entries = entries, .bgid = bgid, .flags = flags, .min_left = min_left };

	ck_assert_int_eq(rd_pbuf_check(&reg), 0);
	ring = rd_th_alloc(&th, rd_pbuf_size(&reg));
	return rd_bufgroups_add_ring(&groups, user(), &reg, ring, &th.mem);
}

static void set_tail(uint16_t tail)
{
	__atomic_store_n(&ring[0].resv, tail, __ATOMIC_RELEASE);
}

static void entry(unsigned int i, const void *addr, uint32_t len, uint16_t bid)
{
	ring[i].addr = (uintptr_t)addr;
	ring[i].len = len;
	ring[i].bid = bid;
}

/* entries of LEN bytes with bids 100, 101, ... */
static void fill(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		entry(i, data + i * LEN, LEN, (uint16_t)(100 + i));
	set_tail((uint16_t)nr);
}

static int take(uint64_t want)
{
	return rd_bufsel_take(&sel, groups, &th.host, BG, want, iov, owners);
}

static int peek(uint64_t want, unsigned int room)
{
	return rd_bufsel_peek(&sel, groups, &th.host, BG, want, iov, owners, room);
}

static uint32_t cflags(uint16_t bid, bool more)
{
	return RINGD_CQE_F_BUFFER | (more ? RINGD_CQE_F_BUF_MORE : 0) | (uint32_t)bid << RINGD_CQE_BUFFER_SHIFT;
}

/* Take want bytes, find the buffer bid, use n of it. */
static void use(uint64_t want, uint64_t n, uint16_t bid, bool more)
{
	ck_assert_int_eq(take(want), 0);
	ck_assert_uint_eq(sel.bid, bid);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, n), cflags(bid, more));
	ck_assert_ptr_null(sel.group);
}

/* --- classic --- */

START_TEST(classic_buffers_are_used_in_the_order_they_were_provided)
{
	ck_assert_int_eq(provide(BG, 2, 5), 0);
	ck_assert_int_eq(provide(BG, 1, 5), 0);	/* the same id again is allowed */
	use(0, 16, 5, false);
	ck_assert_ptr_eq(iov[0].iov_base, data);
	ck_assert_uint_eq(iov[0].iov_len, LEN);
	ck_assert_ptr_eq(owners[0], &th.mem);
	use(4, 4, 6, false);
	ck_assert_ptr_eq(iov[0].iov_base, data + LEN);
	ck_assert_uint_eq(iov[0].iov_len, 4);
	use(0, 0, 5, false);
	ck_assert_int_eq(take(0), -ENOBUFS);
}
END_TEST

START_TEST(a_dropped_classic_buffer_is_the_next_one_again)
{
	provide(BG, 2, 0);
	ck_assert_int_eq(take(0), 0);
	rd_bufsel_drop(&sel);
	rd_bufsel_drop(&sel);	/* twice is fine */
	use(0, 1, 0, false);
	use(0, 1, 1, false);
}
END_TEST

START_TEST(a_classic_bundle_is_one_buffer)
{
	provide(BG, 3, 0);
	ck_assert_int_eq(peek(0, RD_BUFSEL_MAX), 0);
	ck_assert_uint_eq(sel.nr, 1);
	ck_assert(!sel.dry);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 99), cflags(0, false));
	use(0, 1, 1, false);
	ck_assert_int_eq(take(0), 0);
	ck_assert(sel.dry);
	rd_bufsel_drop(&sel);
}
END_TEST

START_TEST(remove_takes_what_is_there)
{
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG, 1), -ENOENT);
	provide(BG, 3, 0);
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG + 1, 1), -ENOENT);
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG, 1), 1);
	use(0, 1, 1, false);
	provide(BG, 2, 9);
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG, 10), 3);
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG, 10), 0);
	ck_assert_int_eq(take(0), -ENOBUFS);
}
END_TEST

START_TEST(an_unknown_group_has_no_buffers)
{
	ck_assert_int_eq(take(0), -ENOBUFS);
	ck_assert_int_eq(peek(0, 4), -ENOBUFS);
	ck_assert(!rd_bufgroups_have(groups, BG));
	provide(BG, 1, 0);
	ck_assert(rd_bufgroups_have(groups, BG));
	ck_assert(!rd_bufgroups_have(groups, BG + 256));
}
END_TEST

START_TEST(memory_outside_is_found_when_it_is_used)
{
	ck_assert_int_eq(rd_bufgroups_provide(&groups, user(), BG, 16, LEN, 2, 3), 0);
	ck_assert_int_eq(take(0), -EFAULT);
	rd_bufsel_drop(&sel);
	ck_assert_int_eq(take(0), -EFAULT);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 0), cflags(3, false));
	ck_assert_int_eq(take(0), -EFAULT);
	ck_assert_uint_eq(sel.bid, 4);
	rd_bufsel_drop(&sel);
}
END_TEST

START_TEST(the_last_id_is_65535)
{
	ck_assert_int_eq(provide(BG, 65536, 0), 0);
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG, 65535), 65535);
	ck_assert_int_eq(take(0), 0);
	ck_assert_ptr_eq(iov[0].iov_base, data + 65535 * LEN);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 0), cflags(65535, false));
	ck_assert_int_eq(take(0), -ENOBUFS);
}
END_TEST

/* --- rings --- */

START_TEST(registration_is_checked)
{
	static const struct {
		uint32_t entries;
		uint16_t flags;
		uint32_t min_left, resv;
		int res;
	} t[] = {
		{ 1, 0, 0, 0, 0 }, { 32768, 3, 9, 0, 0 }, { 0, 0, 0, 0, -EINVAL }, { 3, 0, 0, 0, -EINVAL },
		{ 65536, 0, 0, 0, -EINVAL }, { 0x80000000, 0, 0, 0, -EINVAL }, { 4, 4, 0, 0, -EINVAL },
		{ 4, 0, 1, 0, -EINVAL }, { 4, 1, 1, 0, -EINVAL }, { 4, 2, 0, 1, -EINVAL },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(t); i++) {
		struct ringd_buf_reg reg = { .ring_entries = t[i].entries, .flags = t[i].flags, .min_left = t[i].min_left };

		reg.resv[4] = t[i].resv;
		ck_assert_msg(rd_pbuf_check(&reg) == t[i].res, "row %zu", i);
	}
}
END_TEST

START_TEST(a_ring_replaces_an_empty_classic_group_only)
{
	provide(BG, 1, 0);
	ck_assert_int_eq(add_ring(BG, 4, 0, 0), -EEXIST);
	ck_assert_int_eq(rd_bufgroups_remove_ring(groups, BG), -EINVAL);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), -EINVAL);
	rd_bufgroups_remove(groups, BG, 1);
	ck_assert_int_eq(add_ring(BG, 4, 0, 0), 0);
	ck_assert_int_eq(add_ring(BG, 4, 0, 0), -EEXIST);
	ck_assert_int_eq(provide(BG, 1, 0), -EINVAL);
	ck_assert_int_eq(rd_bufgroups_remove(groups, BG, 1), -EINVAL);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 0);
	ck_assert_uint_eq(th.mem.refs, 2);
	ck_assert_int_eq(rd_bufgroups_remove_ring(groups, BG), 0);
	ck_assert_uint_eq(th.mem.refs, 1);
	ck_assert_int_eq(rd_bufgroups_remove_ring(groups, BG), -ENOENT);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), -ENOENT);
}
END_TEST

START_TEST(a_ring_gives_its_entries_as_they_are_written)
{
	add_ring(BG, 4, 0, 0);
	ck_assert_int_eq(take(0), -ENOBUFS);
	entry(0, data + 64, 8, 4711);
	entry(1, data, 4, 4711);
	set_tail(2);
	use(0, 8, 4711, false);
	ck_assert_ptr_eq(iov[0].iov_base, data + 64);
	ck_assert_uint_eq(iov[0].iov_len, 8);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
	use(100, 0, 4711, false);	/* used up, however little was put into it */
	ck_assert_uint_eq(iov[0].iov_len, 4);
	ck_assert_int_eq(take(0), -ENOBUFS);
	ck_assert_uint_eq(ring[1].len, 4);	/* nobody writes entries */
}
END_TEST

START_TEST(a_dropped_entry_is_the_next_one_again)
{
	add_ring(BG, 4, 0, 0);
	fill(2);
	ck_assert_int_eq(take(4), 0);
	rd_bufsel_drop(&sel);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 0);
	ck_assert_uint_eq(ring[0].len, LEN);
	use(0, 1, 100, false);
}
END_TEST

START_TEST(the_selection_is_right_when_the_data_overwrites_the_ring)
{
	add_ring(BG, 4, 0, 0);
	fill(2);
	entry(0, ring, 64, 9);
	ck_assert_int_eq(take(0), 0);
	memset(iov[0].iov_base, 0xff, iov[0].iov_len);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 64), cflags(9, false));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
	ck_assert_int_eq(take(0), -EFAULT);
	rd_bufsel_drop(&sel);
}
END_TEST

START_TEST(the_tail_wraps)
{
	add_ring(BG, 2, 0, 0);
	for (unsigned int i = 0; i < 3 * 65536; i++) {
		entry(i & 1, data, LEN, (uint16_t)i);
		set_tail((uint16_t)(i + 1));
		use(0, 1, (uint16_t)i, false);
	}
	ck_assert_int_eq(take(0), -ENOBUFS);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 0);
}
END_TEST

START_TEST(a_tail_that_lies_is_a_full_ring)
{
	add_ring(BG, 4, 0, 0);
	fill(4);
	set_tail(40000);
	ck_assert_int_eq(peek(0, RD_BUFSEL_MAX), 0);
	ck_assert_uint_eq(sel.nr, 4);
	rd_bufsel_commit(&sel, UINT64_MAX);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 4);
	set_tail(3);	/* behind the head */
	ck_assert_int_eq(take(0), 0);
	rd_bufsel_drop(&sel);
}
END_TEST

START_TEST(an_entry_that_changes_after_selection_changes_nothing)
{
	add_ring(BG, 4, 0, 0);
	fill(3);
	ck_assert_int_eq(peek(0, 3), 0);
	entry(0, (void *)1, 0xffffffff, 1);
	entry(1, (void *)1, 0, 2);
	set_tail(0);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, LEN + 1), cflags(100, false));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 2);
}
END_TEST

START_TEST(an_entry_of_no_bytes_is_an_empty_transfer_and_no_bundle)
{
	add_ring(BG, 4, 0, 0);
	fill(2);
	entry(0, data, 0, 8);
	ck_assert_int_eq(peek(0, 4), -ENOBUFS);
	ck_assert_int_eq(take(0), 0);
	ck_assert_ptr_null(iov[0].iov_base);
	ck_assert_uint_eq(iov[0].iov_len, 0);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 0), cflags(8, false));
	use(0, 1, 101, false);
}
END_TEST

/* --- bundles --- */

START_TEST(a_bundle_takes_consecutive_buffers_and_pays_for_those_it_used)
{
	add_ring(BG, 8, 0, 0);
	fill(5);
	ck_assert_int_eq(peek(0, RD_BUFSEL_MAX), 0);
	ck_assert_uint_eq(sel.nr, 5);
	ck_assert_uint_eq(sel.bytes, 5 * LEN);
	ck_assert(sel.dry);
	for (unsigned int i = 0; i < 5; i++)
		ck_assert_ptr_eq(iov[i].iov_base, data + i * LEN);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 2 * LEN), cflags(100, false));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 2);
	ck_assert_int_eq(peek(0, 2), 0);
	ck_assert_uint_eq(sel.nr, 2);
	ck_assert(!sel.dry);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 2 * LEN + 1), cflags(102, false));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 4);
}
END_TEST

START_TEST(a_bundle_that_moved_nothing_uses_one_buffer)
{
	add_ring(BG, 8, 0, 0);
	fill(3);
	ck_assert_int_eq(peek(0, 8), 0);
	rd_bufsel_commit(&sel, 0);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
}
END_TEST

START_TEST(a_bundle_leaves_out_what_would_be_cut_but_the_first)
{
	add_ring(BG, 8, 0, 0);
	fill(4);
	ck_assert_int_eq(peek(LEN + 4, 8), 0);
	ck_assert_uint_eq(sel.nr, 1);
	rd_bufsel_drop(&sel);
	ck_assert_int_eq(peek(2 * LEN, 8), 0);
	ck_assert_uint_eq(sel.nr, 2);
	ck_assert(!sel.dry);
	rd_bufsel_drop(&sel);
	ck_assert_int_eq(peek(4, 8), 0);
	ck_assert_uint_eq(sel.nr, 1);
	ck_assert_uint_eq(iov[0].iov_len, 4);
	ck_assert_uint_eq(ring[0].len, LEN);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 4), cflags(100, false));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
}
END_TEST

START_TEST(a_bundle_ends_before_a_bad_or_an_empty_buffer)
{
	add_ring(BG, 8, 0, 0);
	fill(4);
	entry(2, (void *)8, LEN, 102);
	ck_assert_int_eq(peek(0, 8), 0);
	ck_assert_uint_eq(sel.nr, 2);
	ck_assert(!sel.dry);
	rd_bufsel_commit(&sel, 2 * LEN);
	ck_assert_int_eq(peek(0, 8), -EFAULT);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 0), cflags(102, false));
	entry(3, data, 0, 103);
	ck_assert_int_eq(peek(0, 8), -ENOBUFS);
	ck_assert_ptr_null(sel.group);
}
END_TEST

/* --- incremental --- */

START_TEST(an_incremental_buffer_is_used_bytewise)
{
	add_ring(BG, 4, RINGD_PBUF_RING_INC, 0);
	entry(0, data, 10, 7);
	entry(1, data + 100, 10, 8);
	set_tail(2);
	use(4, 4, 7, true);
	ck_assert_uint_eq(ring[0].len, 6);
	ck_assert_uint_eq(ring[0].addr, (uintptr_t)data + 4);
	use(4, 0, 7, true);	/* nothing there: nothing used */
	ck_assert_uint_eq(ring[0].len, 6);
	use(4, 4, 7, true);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 0);
	use(4, 2, 7, false);
	ck_assert_uint_eq(iov[0].iov_len, 2);
	ck_assert_ptr_eq(iov[0].iov_base, data + 8);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
	use(4, 3, 8, true);
}
END_TEST

START_TEST(a_rest_below_min_left_is_given_up)
{
	add_ring(BG, 4, RINGD_PBUF_RING_INC, 8);
	entry(0, data, 16, 7);
	entry(1, data, 16, 8);
	set_tail(2);
	use(0, 10, 7, false);
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
	use(0, 8, 8, true);	/* as much as is asked for is left */
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
}
END_TEST

START_TEST(an_incremental_bundle_may_end_inside_a_buffer)
{
	add_ring(BG, 4, RINGD_PBUF_RING_INC, 0);
	fill(3);
	ck_assert_int_eq(peek(LEN + 4, 4), 0);
	ck_assert_uint_eq(sel.nr, 2);
	ck_assert_uint_eq(iov[1].iov_len, 4);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, LEN + 4), cflags(100, true));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 1);
	ck_assert_uint_eq(ring[0].len, 0);
	ck_assert_uint_eq(ring[1].len, LEN - 4);
	ck_assert_uint_eq(ring[1].addr, (uintptr_t)data + LEN + 4);
	ck_assert_int_eq(peek(0, 4), 0);
	ck_assert_uint_eq(sel.bytes, 2 * LEN - 4);
	/* it ends in the first of two: the second is untouched */
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 2), cflags(101, true));
	ck_assert_uint_eq(ring[1].len, LEN - 6);
	ck_assert_uint_eq(ring[2].len, LEN);
	ck_assert_int_eq(peek(0, 4), 0);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, sel.bytes), cflags(101, false));
	ck_assert_int_eq(rd_bufgroups_head(groups, BG), 3);
}
END_TEST

START_TEST(an_incremental_entry_of_no_bytes_does_not_stay_for_ever)
{
	add_ring(BG, 4, RINGD_PBUF_RING_INC, 0);
	fill(2);
	entry(0, data, 0, 9);
	use(0, 0, 9, false);
	use(0, LEN, 101, false);
}
END_TEST

/* --- groups --- */

START_TEST(groups_are_independent)
{
	provide(0, 1, 1);
	provide(65535, 1, 2);
	provide(BG, 1, 3);
	use(0, 1, 3, false);
	ck_assert_int_eq(rd_bufsel_take(&sel, groups, &th.host, 65535, 0, iov, owners), 0);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 1), cflags(2, false));
	ck_assert_int_eq(rd_bufsel_take(&sel, groups, &th.host, 0, 0, iov, owners), 0);
	ck_assert_uint_eq(rd_bufsel_commit(&sel, 1), cflags(1, false));
}
END_TEST

START_TEST(every_group_and_every_provide_is_paid_for)
{
	uint64_t before;

	user()->limit[RINGD_LIMIT_OBJECTS] = 10000;
	ck_assert_int_eq(provide(0, 65536, 0), 0);
	before = user()->used[RINGD_LIMIT_OBJECTS];
	ck_assert_int_eq(provide(0, 1, 0), 0);
	ck_assert_uint_gt(user()->used[RINGD_LIMIT_OBJECTS], before);
	for (unsigned int i = 1; i < 65536; i++) {
		int r = provide((uint16_t)i, 1, 0);

		if (r == 0)
			continue;
		ck_assert_int_eq(r, -EDQUOT);
		ck_assert_uint_gt(i, 1000);
		ck_assert_int_eq(add_ring((uint16_t)(i + 1), 4, 0, 0), -EDQUOT);
		ck_assert_int_eq(rd_bufgroups_remove(groups, 0, 65536), 65536);
		return;
	}
	ck_abort_msg("65536 groups for 10000 objects");
}
END_TEST

START_TEST(no_memory_of_a_removed_ring_is_looked_at)
{
	add_ring(BG, 4, 0, 0);
	fill(4);
	ck_assert_int_eq(take(0), 0);
	rd_bufsel_commit(&sel, sel.bytes);	/* a worker fills it ... */
	ck_assert_int_eq(rd_bufgroups_remove_ring(groups, BG), 0);	/* ... while the group goes */
	ck_assert_int_eq(take(0), -ENOBUFS);
	ck_assert_int_eq(provide(BG, 1, 0), 0);	/* the id is free again */
}
END_TEST

static Suite *suite(void)
{
	const TTest *tests[] = {
		classic_buffers_are_used_in_the_order_they_were_provided, a_dropped_classic_buffer_is_the_next_one_again,
		a_classic_bundle_is_one_buffer, remove_takes_what_is_there, an_unknown_group_has_no_buffers,
		memory_outside_is_found_when_it_is_used, the_last_id_is_65535, registration_is_checked,
		a_ring_replaces_an_empty_classic_group_only, a_ring_gives_its_entries_as_they_are_written,
		a_dropped_entry_is_the_next_one_again, the_selection_is_right_when_the_data_overwrites_the_ring, the_tail_wraps,
		a_tail_that_lies_is_a_full_ring, an_entry_that_changes_after_selection_changes_nothing,
		an_entry_of_no_bytes_is_an_empty_transfer_and_no_bundle,
		a_bundle_takes_consecutive_buffers_and_pays_for_those_it_used, a_bundle_that_moved_nothing_uses_one_buffer,
		a_bundle_leaves_out_what_would_be_cut_but_the_first, a_bundle_ends_before_a_bad_or_an_empty_buffer,
		an_incremental_buffer_is_used_bytewise, a_rest_below_min_left_is_given_up,
		an_incremental_bundle_may_end_inside_a_buffer, an_incremental_entry_of_no_bytes_does_not_stay_for_ever,
		groups_are_independent, every_group_and_every_provide_is_paid_for, no_memory_of_a_removed_ring_is_looked_at,
	};
	Suite *s = suite_create("bufgroup");
	TCase *tc = tcase_create("bufgroup");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return rd_suite_main(suite());
}
