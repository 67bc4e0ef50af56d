/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bell: rings once for what becomes readable, also when it rang while nobody slept. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "daemon/engine/exec/bell.h"
#include "suite.h"

#define PATIENCE_MS	100000

static struct rd_bell *bell;
static int efd, what[RD_BELLS];

static void setup(void)
{
	efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ck_assert_int_ge(efd, 0);
	ck_assert_int_eq(rd_bell_new(&bell, efd), 0);
	for (unsigned int i = 0; i < RD_BELLS; i++) {
		what[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ck_assert_int_ge(what[i], 0);
	}
}

static void teardown(void)
{
	bell = rd_bell_free(bell);
	for (unsigned int i = 0; i < RD_BELLS; i++)
		rd_close(what[i]);
	rd_close(efd);
}

static bool rings(int timeout_ms)
{
	struct pollfd p = { .fd = efd, .events = POLLIN };
	uint64_t n;

	if (poll(&p, 1, timeout_ms) <= 0)
		return false;
	ck_assert_int_eq(read(efd, &n, sizeof(n)), (int)sizeof(n));
	return true;
}

static void happen(unsigned int i)
{
	ck_assert_int_eq(eventfd_write(what[i], 1), 0);
}

static void reset(unsigned int i)
{
	eventfd_t n;

	ck_assert_int_eq(eventfd_read(what[i], &n), 0);
}

START_TEST(it_rings_once_for_each)
{
	for (unsigned int i = 0; i < RD_BELLS; i++)
		ck_assert_int_eq(rd_bell_arm(bell, i, what[i]), 0);
	ck_assert(!rings(0));
	for (unsigned int i = 0; i < RD_BELLS; i++) {
		happen(i);
		ck_assert(rings(PATIENCE_MS));
		ck_assert(!rings(0));
	}
}
END_TEST

START_TEST(what_is_readable_rings_at_once)
{
	happen(1);
	ck_assert_int_eq(rd_bell_arm(bell, 1, what[1]), 0);
	ck_assert(rings(PATIENCE_MS));
}
END_TEST

START_TEST(one_that_rang_while_nobody_slept_is_armed_again)
{
	for (int i = 0; i < 3; i++) {
		rd_bell_heard(bell);
		ck_assert_int_eq(rd_bell_arm(bell, 0, what[0]), 0);
		happen(0);
		ck_assert(rings(PATIENCE_MS));
		reset(0);
	}
}
END_TEST

START_TEST(an_armed_one_is_not_armed_twice)
{
	for (int i = 0; i < 100; i++) {
		rd_bell_heard(bell);
		ck_assert_int_eq(rd_bell_arm(bell, 2, what[2]), 0);
	}
	happen(2);
	ck_assert(rings(PATIENCE_MS));
	ck_assert(!rings(0));
}
END_TEST

START_TEST(what_cannot_be_watched_is_an_error)
{
	ck_assert_int_eq(rd_bell_arm(bell, 0, -1), -EBADF);
	ck_assert_int_eq(rd_bell_arm(bell, 0, what[0]), 0);	/* and it is not taken for armed */
	happen(0);
	ck_assert(rings(PATIENCE_MS));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bell");
	TCase *tc = tcase_create("bell");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, it_rings_once_for_each);
	tcase_add_test(tc, what_is_readable_rings_at_once);
	tcase_add_test(tc, one_that_rang_while_nobody_slept_is_armed_again);
	tcase_add_test(tc, an_armed_one_is_not_armed_twice);
	tcase_add_test(tc, what_cannot_be_watched_is_an_error);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
