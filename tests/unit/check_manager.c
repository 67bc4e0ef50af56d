/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the manager decides without a process: HELLOs, tenant keys, back-off, idleness. */
#include <string.h>

#include "daemon/common/util.h"
#include "daemon/manager/backoff.h"
#include "daemon/manager/hello.h"
#include "daemon/manager/peer.h"
#include "daemon/manager/tenant.h"
#include "suite.h"

#define MS	1000000ull
#define SEC	1000000000ull

/* ---- HELLO ---- */

static struct ringd_hello good_hello(void)
{
	return (struct ringd_hello){
		.msg = { .size = sizeof(struct ringd_hello), .type = RINGD_MSG_HELLO, .seq = 77 },
		.magic = RINGD_WIRE_MAGIC, .version_min = 1, .version_max = 1, .kind = RINGD_HELLO_CLIENT,
	};
}

START_TEST(good_hellos_are_taken)
{
	struct ringd_hello h = good_hello();
	const char *text = NULL;
	uint16_t version = 0;

	ck_assert_int_eq(rd_hello_check(&h, sizeof(h), &version, &text), 0);
	ck_assert_uint_eq(version, RINGD_WIRE_VERSION);
	h.kind = RINGD_HELLO_STATUS;
	h.version_min = 0;
	h.version_max = UINT16_MAX;
	ck_assert_int_eq(rd_hello_check(&h, sizeof(h), &version, &text), 0);
	ck_assert_uint_eq(version, RINGD_WIRE_VERSION);
}
END_TEST

START_TEST(any_wrong_length_is_eproto)
{
	struct ringd_hello h = good_hello();
	const char *text = NULL;
	uint16_t version;

	for (size_t len = 0; len < sizeof(h); len++)
		ck_assert_int_eq(rd_hello_check(&h, len, &version, &text), -EPROTO);
	h.msg.size++;
	ck_assert_int_eq(rd_hello_check(&h, sizeof(h), &version, &text), -EPROTO);
}
END_TEST

START_TEST(every_flipped_bit_outside_seq_and_versions_is_eproto)
{
	const char *text = NULL;
	uint16_t version;

	for (size_t bit = 0; bit < 8 * sizeof(struct ringd_hello); bit++) {
		struct ringd_hello h = good_hello();
		size_t byte = bit / 8;

		if (byte >= offsetof(struct ringd_hello, msg.seq) && byte < offsetof(struct ringd_hello, msg.res))
			continue;
		if (byte >= offsetof(struct ringd_hello, version_min) && byte < offsetof(struct ringd_hello, kind))
			continue;
		((unsigned char *)&h)[byte] ^= (unsigned char)(1u << bit % 8);
		if (h.kind == RINGD_HELLO_STATUS)
			continue;
		ck_assert_int_eq(rd_hello_check(&h, sizeof(h), &version, &text), -EPROTO);
		ck_assert_ptr_nonnull(text);
	}
}
END_TEST

static const struct {
	uint16_t min, max;
	int res;
} versions[] = {
	{ 1, 1, 0 }, { 0, 1, 0 }, { 1, 9, 0 }, { 2, 9, -EPROTONOSUPPORT }, { 0, 0, -EPROTONOSUPPORT }, { 2, 1, -EPROTO },
	{ UINT16_MAX, UINT16_MAX, -EPROTONOSUPPORT },
};

START_TEST(version_ranges)
{
	struct ringd_hello h = good_hello();
	const char *text = NULL;
	uint16_t version;

	h.version_min = versions[_i].min;
	h.version_max = versions[_i].max;
	ck_assert_int_eq(rd_hello_check(&h, sizeof(h), &version, &text), versions[_i].res);
}
END_TEST

/* ---- tenant keys ---- */

START_TEST(groups_are_sorted_and_counted_once)
{
	gid_t g[] = { 5, 1, 5, 0, 1, 4294967294u, 7, 0 };
	const gid_t want[] = { 0, 1, 5, 7, 4294967294u };

	ck_assert_uint_eq(rd_groups_normalise(g, RD_ARRAY_SIZE(g)), RD_ARRAY_SIZE(want));
	ck_assert_mem_eq(g, want, sizeof(want));
	ck_assert_uint_eq(rd_groups_normalise(g, 0), 0);
	ck_assert_uint_eq(rd_groups_normalise(g, 1), 1);
}
END_TEST

/* Field i of a key made different; 14 of them. */
static void change(struct rd_tenant_key *k, int i, gid_t *groups)
{
	uint64_t *ids[] = {
		&k->user_ns.dev, &k->user_ns.ino, &k->mnt_ns.dev, &k->mnt_ns.ino, &k->net_ns.dev, &k->net_ns.ino,
		&k->root.dev, &k->root.ino, &k->root.mount,
	};

	if (i < (int)RD_ARRAY_SIZE(ids))
		++*ids[i];
	else if (i == 9)
		k->uid++;
	else if (i == 10)
		k->gid++;
	else if (i == 11)
		k->n_groups--;
	else if (i == 12)
		groups[1]++;
	else
		k->foreign = true;
}

START_TEST(any_difference_makes_another_tenant)
{
	gid_t a[] = { 1, 2, 3 }, b[] = { 1, 2, 3 };
	const struct rd_tenant_key base = {
		.uid = 10, .gid = 20, .groups = a, .n_groups = 3, .user_ns = { 1, 2, 0 }, .mnt_ns = { 1, 3, 0 },
		.net_ns = { 1, 4, 0 }, .root = { 5, 6, 7 },
	};
	struct rd_tenant_key other = base;

	other.groups = b;
	ck_assert(rd_tenant_key_equal(&base, &other));
	change(&other, _i, b);
	ck_assert(!rd_tenant_key_equal(&base, &other));
	ck_assert(!rd_tenant_key_equal(&other, &base));
}
END_TEST

START_TEST(a_copied_key_is_equal_and_independent)
{
	gid_t a[] = { 4, 9 };
	struct rd_tenant_key key = { .uid = 1, .groups = a, .n_groups = 2 }, copy;

	ck_assert_int_eq(rd_tenant_key_copy(&copy, &key), 0);
	ck_assert(rd_tenant_key_equal(&key, &copy));
	a[0] = 5;
	ck_assert(!rd_tenant_key_equal(&key, &copy));
	free(copy.groups);
	key.n_groups = 0;
	key.groups = NULL;
	ck_assert_int_eq(rd_tenant_key_copy(&copy, &key), 0);
	ck_assert(rd_tenant_key_equal(&key, &copy));
	free(copy.groups);
}
END_TEST

START_TEST(user_mode_serves_its_own_uid_only)
{
	struct rd_self self = { .key.uid = 1000, .user = true, .overflow_uid = 65534 };
	const char *text = NULL;

	ck_assert_int_eq(rd_peer_allowed(&self, 1000, &text), 0);
	ck_assert_int_eq(rd_peer_allowed(&self, 0, &text), -EPERM);
	ck_assert_int_eq(rd_peer_allowed(&self, 1001, &text), -EPERM);
	ck_assert_ptr_nonnull(text);
	self.user = false;
	ck_assert_int_eq(rd_peer_allowed(&self, 1001, &text), 0);
}
END_TEST

START_TEST(unmapped_uids_are_nobody)
{
	struct rd_self self = { .overflow_uid = 65534 };
	const char *text = NULL;

	ck_assert_int_eq(rd_peer_allowed(&self, 65534, &text), 0);
	self.partial_ids = true;
	ck_assert_int_eq(rd_peer_allowed(&self, 65534, &text), -EPERM);
	ck_assert_int_eq(rd_peer_allowed(&self, (uid_t)-1, &text), -EPERM);
	ck_assert_int_eq(rd_peer_allowed(&self, 5, &text), 0);
}
END_TEST

/* ---- back-off, with a clock of our own ---- */

START_TEST(one_death_after_good_work_is_forgiven)
{
	struct rd_backoff b = { 0 };

	rd_backoff_died(&b, 100 * SEC, 102 * SEC);
	ck_assert_uint_eq(rd_backoff_wait(&b, 102 * SEC), 0);
}
END_TEST

START_TEST(dying_at_start_doubles_up_to_the_maximum)
{
	struct rd_backoff b = { 0 };
	uint64_t now = 50 * SEC, want = RD_BACKOFF_MIN_NS;

	for (int i = 0; i < 40; i++) {
		rd_backoff_died(&b, now - 5 * MS, now);
		ck_assert_uint_eq(rd_backoff_wait(&b, now), want);
		ck_assert_uint_eq(rd_backoff_wait(&b, now + want - 1), 1);
		ck_assert_uint_eq(rd_backoff_wait(&b, now + want), 0);
		now += want;
		want = RD_MIN(2 * want, RD_BACKOFF_MAX_NS);
	}
	ck_assert_uint_eq(want, RD_BACKOFF_MAX_NS);
}
END_TEST

START_TEST(dying_again_soon_counts_also_after_good_work)
{
	struct rd_backoff b = { 0 };

	rd_backoff_died(&b, 100 * SEC, 110 * SEC);
	ck_assert_uint_eq(rd_backoff_wait(&b, 110 * SEC), 0);
	rd_backoff_died(&b, 110 * SEC, 120 * SEC);
	ck_assert_uint_eq(rd_backoff_wait(&b, 120 * SEC), RD_BACKOFF_MIN_NS);
	rd_backoff_died(&b, 121 * SEC, 131 * SEC);
	ck_assert_uint_eq(rd_backoff_wait(&b, 131 * SEC), 2 * RD_BACKOFF_MIN_NS);
}
END_TEST

START_TEST(old_deaths_are_forgotten)
{
	struct rd_backoff b = { 0 };

	for (int i = 0; i < 10; i++)
		rd_backoff_died(&b, 10 * SEC, 10 * SEC + MS);
	rd_backoff_died(&b, 11 * SEC, 11 * SEC + RD_BACKOFF_MEMORY_NS);
	ck_assert_uint_eq(rd_backoff_wait(&b, 11 * SEC + RD_BACKOFF_MEMORY_NS), 0);
	rd_backoff_died(&b, 90 * SEC, 90 * SEC + MS);
	ck_assert_uint_eq(rd_backoff_wait(&b, 90 * SEC + MS), RD_BACKOFF_MIN_NS);
}
END_TEST

/* ---- idleness ---- */

START_TEST(only_a_serving_engine_without_any_client_is_idle)
{
	struct rd_tenant t = { .state = RD_TENANT_SERVING, .handed = 3, .attached = 3 };

	ck_assert(rd_tenant_idle(&t));
	t.clients = 1;
	ck_assert(!rd_tenant_idle(&t));
	t.clients = 0;
	t.handed = 4;		/* one is still on its way over the link */
	ck_assert(!rd_tenant_idle(&t));
	t.handed = 3;
	t.n_waiting = 1;
	ck_assert(!rd_tenant_idle(&t));
	t.n_waiting = 0;
	t.state = RD_TENANT_STARTING;
	ck_assert(!rd_tenant_idle(&t));
	t.state = RD_TENANT_STOPPING;
	ck_assert(!rd_tenant_idle(&t));
	t.state = RD_TENANT_NONE;
	ck_assert(!rd_tenant_idle(&t));
}
END_TEST

START_TEST(a_dead_engine_holds_its_place_while_it_backs_off)
{
	struct rd_tenant t = { .state = RD_TENANT_NONE };

	ck_assert(!rd_tenant_in_use(&t, 5 * SEC));
	rd_backoff_died(&t.backoff, 5 * SEC, 5 * SEC);
	ck_assert(rd_tenant_in_use(&t, 5 * SEC));
	ck_assert(!rd_tenant_in_use(&t, 5 * SEC + RD_BACKOFF_MIN_NS));
	t.state = RD_TENANT_STARTING;
	ck_assert(rd_tenant_in_use(&t, 90 * SEC));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("manager");
	TCase *hello = tcase_create("hello"), *key = tcase_create("key"), *life = tcase_create("life");

	tcase_add_test(hello, good_hellos_are_taken);
	tcase_add_test(hello, any_wrong_length_is_eproto);
	tcase_add_test(hello, every_flipped_bit_outside_seq_and_versions_is_eproto);
	tcase_add_loop_test(hello, version_ranges, 0, (int)RD_ARRAY_SIZE(versions));
	suite_add_tcase(s, hello);
	tcase_add_test(key, groups_are_sorted_and_counted_once);
	tcase_add_loop_test(key, any_difference_makes_another_tenant, 0, 14);
	tcase_add_test(key, a_copied_key_is_equal_and_independent);
	tcase_add_test(key, user_mode_serves_its_own_uid_only);
	tcase_add_test(key, unmapped_uids_are_nobody);
	suite_add_tcase(s, key);
	tcase_add_test(life, one_death_after_good_work_is_forgiven);
	tcase_add_test(life, dying_at_start_doubles_up_to_the_maximum);
	tcase_add_test(life, dying_again_soon_counts_also_after_good_work);
	tcase_add_test(life, old_deaths_are_forgotten);
	tcase_add_test(life, only_a_serving_engine_without_any_client_is_idle);
	tcase_add_test(life, a_dead_engine_holds_its_place_while_it_backs_off);
	suite_add_tcase(s, life);
	return rd_suite_main(s);
}
