/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines: escaping, levels and the budget per format string, read back through a pipe put in stderr's place. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/util.h"
#include "suite.h"

static int saved_stderr, in;
static char got[65536];

static void setup(void)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_eq(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
	close(p[1]);
	in = p[0];
	rd_log_set_level(LOG_INFO);
	rd_log_set_name("test");
}

static void teardown(void)
{
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(in);
}

static const char *output(void)
{
	ssize_t n = read(in, got, sizeof(got) - 1);

	got[n > 0 ? n : 0] = 0;
	return got;
}

static int count_lines(const char *s, const char *with)
{
	int n = 0;

	for (const char *p = s; (p = strstr(p, with)); p++)
		n++;
	return n;
}

START_TEST(a_line_has_priority_name_and_text)
{
	rd_warn("engine %d is gone", 7);
	ck_assert_str_eq(output(), "<4>test: engine 7 is gone\n");
}
END_TEST

START_TEST(levels_beyond_the_limit_are_silent)
{
	rd_debug("nobody asked");
	ck_assert_str_eq(output(), "");
	rd_log_set_level(LOG_DEBUG);
	rd_debug("now");
	ck_assert_str_eq(output(), "<7>test: now\n");
}
END_TEST

START_TEST(client_bytes_cannot_forge_a_line)
{
	rd_info("comm=%s", "x\n<3>ringd: all is lost\x1b[2J\xff");
	ck_assert_str_eq(output(), "<6>test: comm=x\\x0a<3>ringd: all is lost\\x1b[2J\\xff\n");
}
END_TEST

START_TEST(long_messages_are_cut_not_split)
{
	char big[5000];

	memset(big, 1, sizeof(big));
	big[sizeof(big) - 1] = 0;
	rd_info("%s", big);
	ck_assert_int_eq(count_lines(output(), "\n"), 1);
	ck_assert_uint_lt(strlen(got), 4200);
}
END_TEST

START_TEST(a_format_string_has_a_budget_of_its_own)
{
	int start = (int)(rd_now_ns() / 1000000000), seconds;

	for (int i = 0; i < 1000; i++)
		rd_info("flood %d", i);
	seconds = (int)(rd_now_ns() / 1000000000) - start + 1;
	rd_info("but this is heard");
	output();
	/* the loop may straddle turns of the second: a budget in each */
	ck_assert_int_ge(count_lines(got, "flood"), 10);
	ck_assert_int_le(count_lines(got, "flood"), 10 * seconds);
	ck_assert_int_ge(count_lines(got, "left out for a second"), seconds < 50 ? 1 : 0);
	ck_assert_int_eq(count_lines(got, "but this is heard"), 1);
}
END_TEST

START_TEST(errno_survives)
{
	errno = EDQUOT;
	rd_info("x");
	ck_assert_int_eq(errno, EDQUOT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("lines");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_line_has_priority_name_and_text);
	tcase_add_test(tc, levels_beyond_the_limit_are_silent);
	tcase_add_test(tc, client_bytes_cannot_forge_a_line);
	tcase_add_test(tc, long_messages_are_cut_not_split);
	tcase_add_test(tc, a_format_string_has_a_budget_of_its_own);
	tcase_add_test(tc, errno_survives);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
