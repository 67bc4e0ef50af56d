/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Restrictions and personalities: their rules, and what they do to SQEs. */
#include <errno.h>
#include <string.h>

#include "suite.h"
#include "testhost.h"

#define ALLOW_OP(op)		{ .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = (op) }
#define ALLOW_FLAGS(f)		{ .opcode = RINGD_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = (f) }
#define REQUIRE_FLAGS(f)	{ .opcode = RINGD_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = (f) }
#define ALLOW_REGISTER(op)	{ .opcode = RINGD_RESTRICTION_REGISTER_OP, .register_op = (op) }

static struct rd_testhost th;
static struct rd_testclient c;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	rd_tc_open(&c, &th, 8, 0);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
}

static void apply(struct rd_restrict *to, const struct ringd_restriction *list, uint32_t nr)
{
	ck_assert_int_eq(rd_restrict_parse(to, list, nr), 0);
	ck_assert(to->set);
	rd_restrict_update(&c.ring->ctx);
}

static int32_t nop(uint8_t flags)
{
	rd_tc_sqe(&c, RINGD_OP_NOP)->flags = flags;
	return rd_tc_run(&c);
}

static int32_t read_nowhere(void)
{
	rd_tc_sqe(&c, RINGD_OP_READ)->flags = RINGD_SQE_FIXED_FILE;
	return rd_tc_run(&c);
}

START_TEST(what_the_host_denies_is_eacces)
{
	rd_restrict_deny(&c.ring->ctx, RINGD_OP_READ);
	rd_restrict_deny(&c.ring->ctx, RINGD_OP_SOCKET);
	rd_restrict_update(&c.ring->ctx);
	ck_assert_int_eq(nop(0), 0);
	ck_assert_int_eq(read_nowhere(), -EACCES);
	/* whatever the ring's own rules allow */
	apply(&c.ring->ctx.ring_rules, (const struct ringd_restriction[]){ ALLOW_OP(RINGD_OP_READ), ALLOW_OP(RINGD_OP_NOP),
									    ALLOW_FLAGS(RINGD_SQE_FIXED_FILE) }, 3);
	ck_assert_int_eq(read_nowhere(), -EACCES);
	ck_assert_int_eq(nop(0), 0);
}
END_TEST

START_TEST(entries_that_mean_nothing)
{
	const struct ringd_restriction bad[] = {
		{ .opcode = RINGD_RESTRICTION_LAST }, ALLOW_OP(RINGD_OP_LAST), ALLOW_OP(255), ALLOW_REGISTER(RINGD_REGISTER_LAST),
		ALLOW_REGISTER(255), ALLOW_FLAGS(0x80), REQUIRE_FLAGS(0x80), { .opcode = RINGD_RESTRICTION_SQE_OP, .resv = 1 },
		{ .opcode = RINGD_RESTRICTION_SQE_OP, .resv2 = { 0, 0, 1 } },
	};
	struct ringd_restriction many[RD_RESTRICT_MAX + 1] = { { 0 } };
	struct rd_restrict r = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		many[1] = bad[i];
		ck_assert_msg(rd_restrict_parse(&r, many, 2) == -EINVAL, "entry %zu", i);
		ck_assert(!r.set);	/* nothing of it was kept */
	}
	many[1] = many[0];
	ck_assert_int_eq(rd_restrict_parse(&r, many, RD_RESTRICT_MAX + 1), -EINVAL);
	ck_assert_int_eq(rd_restrict_parse(&r, many, RD_RESTRICT_MAX), 0);
}
END_TEST

START_TEST(only_listed_opcodes_run)
{
	const struct ringd_restriction list[] = { ALLOW_OP(RINGD_OP_NOP), ALLOW_OP(RINGD_OP_URING_CMD128) };

	ck_assert_int_eq(read_nowhere(), -EBADF);
	apply(&c.ring->ctx.ring_rules, list, 2);
	ck_assert_int_eq(nop(0), 0);
	ck_assert_int_eq(read_nowhere(), -EACCES);
	ck_assert_int_eq(nop(RINGD_SQE_ASYNC), -EACCES);	/* no flag was allowed */
	ck_assert_int_eq(nop(0x80), -EINVAL);			/* unknown is unknown still */
	ck_assert_int_eq(rd_restrict_register(&c.ring->ctx, RINGD_REGISTER_FILES), 0);	/* calls are not restricted by it */
}
END_TEST

START_TEST(flags_allowed_and_required)
{
	const struct ringd_restriction list[] = { ALLOW_OP(RINGD_OP_NOP), ALLOW_FLAGS(RINGD_SQE_FIXED_FILE), ALLOW_FLAGS(RINGD_SQE_IO_LINK),
						  REQUIRE_FLAGS(RINGD_SQE_ASYNC) };

	apply(&c.ring->ctx.ring_rules, list, 4);
	ck_assert_int_eq(nop(0), -EACCES);
	ck_assert_int_eq(nop(RINGD_SQE_ASYNC), 0);
	ck_assert_int_eq(nop(RINGD_SQE_ASYNC | RINGD_SQE_IO_LINK), 0);
	ck_assert_int_eq(nop(RINGD_SQE_ASYNC | RINGD_SQE_FIXED_FILE), -EACCES);	/* the second allowed set replaced the first */
	ck_assert_int_eq(nop(RINGD_SQE_IO_LINK), -EACCES);
}
END_TEST

START_TEST(a_list_of_calls_restricts_calls_only)
{
	const struct ringd_restriction list[] = { ALLOW_REGISTER(RINGD_REGISTER_BUFFERS), ALLOW_REGISTER(RINGD_REGISTER_BPF_FILTER) };
	struct rd_ctx *ctx = &c.ring->ctx;

	apply(&ctx->ring_rules, list, 2);
	ck_assert(!ctx->restricted);
	ck_assert_int_eq(read_nowhere(), -EBADF);
	ck_assert_int_eq(rd_restrict_register(ctx, RINGD_REGISTER_BUFFERS), 0);
	ck_assert_int_eq(rd_restrict_register(ctx, RINGD_REGISTER_BPF_FILTER), 0);
	ck_assert_int_eq(rd_restrict_register(ctx, RINGD_REGISTER_FILES), -EACCES);
}
END_TEST

START_TEST(an_empty_list_forbids_everything)
{
	struct rd_ctx *ctx = &c.ring->ctx;

	apply(&ctx->ring_rules, NULL, 0);
	ck_assert_int_eq(nop(0), -EACCES);
	for (uint32_t op = 0; op < RINGD_REGISTER_LAST; op++)
		ck_assert_int_eq(rd_restrict_register(ctx, op), -EACCES);
}
END_TEST

START_TEST(both_sets_must_agree)
{
	const struct ringd_restriction one[] = { ALLOW_OP(RINGD_OP_NOP), ALLOW_OP(RINGD_OP_READ), ALLOW_REGISTER(1),
						 ALLOW_FLAGS(RINGD_SQE_FIXED_FILE) };
	const struct ringd_restriction two[] = { ALLOW_OP(RINGD_OP_NOP), ALLOW_OP(RINGD_OP_WRITE), ALLOW_REGISTER(2),
						 ALLOW_FLAGS(RINGD_SQE_FIXED_FILE) };
	struct rd_ctx *ctx = &c.ring->ctx;

	apply(&ctx->ring_rules, one, 4);
	ck_assert_int_eq(read_nowhere(), -EBADF);
	apply(&ctx->task_rules, two, 4);
	ck_assert_int_eq(nop(0), 0);
	ck_assert_int_eq(read_nowhere(), -EACCES);
	ck_assert_int_eq(rd_restrict_register(ctx, 1), -EACCES);
	ck_assert_int_eq(rd_restrict_register(ctx, 2), -EACCES);
}
END_TEST

START_TEST(personalities_are_given_out_in_turn)
{
	struct rd_personalities *p = &c.ring->ctx.personalities;
	struct rd_user *user = &th.engine.user;
	uint64_t used = user->used[RINGD_LIMIT_OBJECTS];

	ck_assert_int_eq(rd_personality_remove(p, 1), -EINVAL);
	for (int id = 1; id <= (int)RD_PERSONALITY_MAX; id++)
		ck_assert_int_eq(rd_personality_add(p, user), id);
	ck_assert_uint_gt(user->used[RINGD_LIMIT_OBJECTS], used);
	ck_assert_int_eq(rd_personality_add(p, user), -EBUSY);
	ck_assert_int_eq(rd_personality_remove(p, 0), -EINVAL);
	ck_assert_int_eq(rd_personality_remove(p, RD_PERSONALITY_MAX + 1), -EINVAL);
	ck_assert_int_eq(rd_personality_remove(p, 64), 0);
	ck_assert_int_eq(rd_personality_remove(p, 7), 0);
	ck_assert_int_eq(rd_personality_add(p, user), 7);	/* round and on from where it was */
	ck_assert_uint_eq(rd_personality_next(p, 0), 1);
	ck_assert_uint_eq(rd_personality_next(p, 64), 65);
	ck_assert_int_eq(rd_personality_add(p, user), 64);
}
END_TEST

START_TEST(no_personality_beyond_the_budget)
{
	struct rd_personalities p = { 0 };
	struct rd_user poor = { .limit = { [RINGD_LIMIT_OBJECTS] = 5 } };

	ck_assert_int_eq(rd_personality_add(&p, &poor), -EDQUOT);
	ck_assert(!rd_personality_known(&p, 0) && !rd_personality_known(&p, 1));
	ck_assert_uint_eq(rd_personality_next(&p, 0), 0);
	ck_assert(rd_user_idle(&poor));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("restrict");
	TCase *tc = tcase_create("rules");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, entries_that_mean_nothing);
	tcase_add_test(tc, what_the_host_denies_is_eacces);
	tcase_add_test(tc, only_listed_opcodes_run);
	tcase_add_test(tc, flags_allowed_and_required);
	tcase_add_test(tc, a_list_of_calls_restricts_calls_only);
	tcase_add_test(tc, an_empty_list_forbids_everything);
	tcase_add_test(tc, both_sets_must_agree);
	tcase_add_test(tc, personalities_are_given_out_in_turn);
	tcase_add_test(tc, no_personality_beyond_the_budget);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
