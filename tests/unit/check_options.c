/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options that ringd hands to its engines, and the text an identity travels in. */
#include <string.h>

#include "daemon/common/identity.h"
#include "daemon/common/options.h"
#include "daemon/common/util.h"
#include "daemon/engine/engine.h"
#include "suite.h"

static const struct {
	const char *text;
	int res;
	uint64_t value;
} sizes[] = {
	{ "0", 0, 0 }, { "1", 0, 1 }, { "4096", 0, 4096 }, { "2K", 0, 2048 }, { "3m", 0, 3 << 20 }, { "5G", 0, 5ull << 30 },
	{ "1T", 0, 1ull << 40 }, { "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -ERANGE, 0 },
	{ "16777216T", -ERANGE, 0 }, { "16777215T", 0, 16777215ull << 40 }, { "", -EINVAL, 0 }, { "K", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 }, { "1KB", -EINVAL, 0 }, { "1 K", -EINVAL, 0 }, { "0x10", -EINVAL, 0 }, { "1\x0b", -EINVAL, 0 },
	{ "1.5G", -EINVAL, 0 }, { " 1", -EINVAL, 0 }, { "1 ", -EINVAL, 0 },
};

START_TEST(sizes_are_exact_or_refused)
{
	uint64_t v = 12345;

	ck_assert_int_eq(rd_parse_size(sizes[_i].text, &v), sizes[_i].res);
	ck_assert_uint_eq(v, sizes[_i].res < 0 ? 12345 : sizes[_i].value);
}
END_TEST

static int parse_args(struct rd_options *o, int argc, char **argv)
{
	rd_options_init(o);
	return argp_parse(&rd_options_argp, argc, argv, ARGP_NO_EXIT | ARGP_NO_ERRS, NULL, o);
}

START_TEST(what_was_given_survives_the_way_to_the_engine)
{
	char *given[] = {
		(char *)"ringd", (char *)"--max-rings=3", (char *)"--max-entries=4K", (char *)"--max-bytes=5G",
		(char *)"--max-files=6", (char *)"--max-inflight=7", (char *)"--max-workers=8", (char *)"--max-clients=9",
		(char *)"--max-objects=10", (char *)"--backend=uring", (char *)"--spin-us=0", (char *)"--sq-idle-max-ms=11",
		(char *)"--socket-families=inet,unix", (char *)"--log-level=debug", NULL,
	};
	char *again[RD_OPTIONS_MAX + 2] = { (char *)"ringd-engine" };
	struct rd_options o, p;
	int n;

	ck_assert_int_eq(parse_args(&o, RD_ARRAY_SIZE(given) - 1, given), 0);
	ck_assert_uint_eq(o.limits[RINGD_LIMIT_ENTRIES], 4096);
	ck_assert_int_eq(o.backend, 2);
	ck_assert_int_eq(o.socket_families, RD_FAMILY_INET | RD_FAMILY_UNIX);
	n = rd_options_format(&o, again + 1);
	ck_assert_int_eq(n, RD_ARRAY_SIZE(given) - 2);
	ck_assert_int_eq(parse_args(&p, n + 1, again), 0);
	ck_assert_mem_eq(&o, &p, sizeof(o));
	while (n > 0)
		free(again[n--]);
}
END_TEST

START_TEST(families_of_sockets)
{
	static const struct {
		const char *list;
		int set;
	} good[] = {
		{ "none", 0 }, { "inet6", RD_FAMILY_INET6 }, { "unix,inet6,inet", RD_FAMILIES_ALL }, { "unix,unix", RD_FAMILY_UNIX },
	};
	static const char *const bad[] = { "", "inet,", ",inet", "netlink", "inet,none", "none,inet", "INET" };
	char arg[64], *argv[] = { (char *)"ringd", arg, NULL }, *again[RD_OPTIONS_MAX + 2] = { (char *)"ringd-engine" };
	struct rd_options o;

	for (size_t i = 0; i < RD_ARRAY_SIZE(good); i++) {
		snprintf(arg, sizeof(arg), "--socket-families=%s", good[i].list);
		ck_assert_int_eq(parse_args(&o, 2, argv), 0);
		ck_assert_int_eq(o.socket_families, good[i].set);
		ck_assert_int_eq(rd_options_format(&o, again + 1), 1);
		ck_assert_int_eq(parse_args(&o, 2, again), 0);
		ck_assert_int_eq(o.socket_families, good[i].set);
		free(again[1]);
	}
	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		snprintf(arg, sizeof(arg), "--socket-families=%s", bad[i]);
		parse_args(&o, 2, argv);
		ck_assert_msg(o.socket_families < 0, "'%s' was taken", bad[i]);
	}
}
END_TEST

START_TEST(what_was_not_given_is_not_passed)
{
	char *argv[RD_OPTIONS_MAX];
	struct rd_options o;

	rd_options_init(&o);
	ck_assert_int_eq(rd_options_format(&o, argv), 0);
}
END_TEST

START_TEST(an_identity_survives_as_text)
{
	const gid_t groups[] = { 0, 7, 4294967294u };
	struct rd_identity id;
	char *text;

	for (size_t n = 0; n <= RD_ARRAY_SIZE(groups); n++) {
		rd_identity_init(&id);
		text = rd_identity_format(61001, 4294967294u, groups, n);
		ck_assert_ptr_nonnull(text);
		ck_assert_int_eq(rd_identity_parse(&id, text), 0);
		ck_assert(id.change);
		ck_assert_uint_eq(id.uid, 61001);
		ck_assert_uint_eq(id.gid, 4294967294u);
		ck_assert_uint_eq(id.n_groups, n);
		ck_assert(n == 0 || !memcmp(id.groups, groups, n * sizeof(*groups)));
		free(text);
		rd_identity_deinit(&id);
	}
}
END_TEST

static const char *const bad_identities[] = {
	"", "0", "0:0", ":0:", "0::", "0:0:,", "0:0:1,", "0:0:1,,2", "-1:0:", "4294967295:0:", "0:4294967295:", "0:0:4294967295",
	"0:0:1 ", "1x:0:", "99999999999999999999:0:", "0:0:1:2", " 0:0:",
};

START_TEST(a_doubtful_identity_is_refused)
{
	struct rd_identity id;

	rd_identity_init(&id);
	ck_assert_int_eq(rd_identity_parse(&id, bad_identities[_i]), -EINVAL);
	rd_identity_deinit(&id);
}
END_TEST

START_TEST(more_groups_than_agreed_are_refused)
{
	struct rd_identity id;
	gid_t groups[RD_IDENTITY_GROUPS + 1] = { 0 };
	char *most = rd_identity_format(1, 1, groups, RD_IDENTITY_GROUPS);
	char *more = rd_identity_format(1, 1, groups, RD_IDENTITY_GROUPS + 1);

	rd_identity_init(&id);
	ck_assert_int_eq(rd_identity_parse(&id, most), 0);
	ck_assert_int_eq(rd_identity_parse(&id, more), -EINVAL);
	rd_identity_deinit(&id);
	free(most);
	free(more);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *tc = tcase_create("text");

	tcase_add_loop_test(tc, sizes_are_exact_or_refused, 0, (int)RD_ARRAY_SIZE(sizes));
	tcase_add_test(tc, what_was_given_survives_the_way_to_the_engine);
	tcase_add_test(tc, what_was_not_given_is_not_passed);
	tcase_add_test(tc, families_of_sockets);
	tcase_add_test(tc, an_identity_survives_as_text);
	tcase_add_loop_test(tc, a_doubtful_identity_is_refused, 0, (int)RD_ARRAY_SIZE(bad_identities));
	tcase_add_test(tc, more_groups_than_agreed_are_refused);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
