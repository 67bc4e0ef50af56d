/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main() of a Check suite: TAP on standard output, for automake's tap-driver. */
#ifndef RD_TEST_SUITE_H
#define RD_TEST_SUITE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Check's own 4 s are too short for a busy machine, and this is only there to stop what hangs; Check reads it when a TCase is
 * created, so before main(). */
__attribute__((__constructor__)) static void rd_suite_timeout(void)
{
	setenv("CK_DEFAULT_TIMEOUT", "300", 0);
}

/* Runs and frees the suite. Return: what main() shall return. */
static inline int rd_suite_main(Suite *s)
{
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Instead of creating a suite, when the machine lacks something: the whole program counts as skipped. */
static inline int rd_suite_skip(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	return EXIT_SUCCESS;
}

#endif
