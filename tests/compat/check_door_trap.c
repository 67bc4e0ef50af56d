// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs that make the system calls themselves, with libringd-trap.so preloaded: once with rings that are none, once with real
 * ones; free, and under filters that answer EPERM or ENOSYS to the three calls, as those of containers do.
 */
#include <errno.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static const char *const cases[] = { "by_syscall", "by_assembler", "registers", "maps",	      "threads", "blocked", "handlers",
				     "interrupted", "own_sigsys",   "sandbox",   "fork",      "exec",
				     "storm" };
#define N_CASES	((int)(sizeof(cases) / sizeof(cases[0])))

static const int refusals[] = { 0, EPERM, ENOSYS };
static const char *const doors[] = { "tests/compat/.libs/trap-fake.so", ".libs/libringd-trap.so" };

#define N_DOORS	((int)(sizeof(doors) / sizeof(doors[0])))

static char *in_build(const char *name)
{
	const char *top = getenv("abs_top_builddir");
	char *path;

	ck_assert_int_gt(asprintf(&path, "%s/%s", top ? top : ".", name), 0);
	return path;
}

/* What a container's default profile does. */
static void confine(int refusal)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	for (int nr = 425; ctx && nr <= 427; nr++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned int)refusal), nr, 0) < 0)
			_exit(99);
	if (!ctx || seccomp_load(ctx) < 0)
		_exit(99);
	seccomp_release(ctx);
}

struct how {
	const char *door;
	int refusal;
	bool unprivileged, off;
};

static int run_program(const struct how *how, const char *const *args)
{
	char *path = in_build("tests/compat/door_prog"), *door = in_build(how->door);
	const char *argv[8] = { path };
	int status = -1;
	pid_t pid;

	for (unsigned int i = 0; args[i] && i < 6; i++)
		argv[i + 1] = args[i];
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		setenv("LD_PRELOAD", door, 1);
		if (how->off)
			setenv("RINGD_TRAP", "off", 1);
		if (how->refusal)
			confine(how->refusal);
		if (how->unprivileged && geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(98);
		/* nobody may look into this build tree */
		if (how->unprivileged && (access(path, X_OK) < 0 || access(door, R_OK) < 0))
			_exit(0);
		execv(path, (char *const *)argv);
		_exit(97);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	free(path);
	free(door);
	return status;
}

static void must(const struct how *how, const char *name, int expected)
{
	const char *const args[] = { name, NULL };
	int status = run_program(how, args);

	ck_assert_msg(status == expected, "%s with %s, refusal %d: status %#x", name, how->door, how->refusal, status);
}

static void all_refusals(const char *door, const char *name)
{
	for (unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		must(&(struct how){ door, refusals[i] }, name, 0);
}

START_TEST(every_way_without_rings)
{
	all_refusals(doors[0], cases[_i]);
}
END_TEST

START_TEST(every_way_with_rings)
{
	all_refusals(doors[1], cases[_i]);
}
END_TEST

START_TEST(without_privileges_there_are_no_new_ones)
{
	must(&(struct how){ .door = doors[_i], .unprivileged = true }, "by_assembler", 0);
	must(&(struct how){ .door = doors[_i], .unprivileged = true, .refusal = EPERM }, "exec", 0);
}
END_TEST

/* libc's syscall() is all there is, then. */
START_TEST(without_a_filter)
{
	must(&(struct how){ .door = doors[_i], .refusal = EPERM, .off = true }, "by_syscall", 0);
	must(&(struct how){ .door = doors[_i], .refusal = EPERM, .off = true }, "by_assembler", 1 << 8);
}
END_TEST

START_TEST(a_sigsys_that_is_not_ours_kills)
{
	int status = run_program(&(struct how){ .door = doors[_i] }, (const char *const[]){ "killed", NULL });

	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGSYS);
}
END_TEST

START_TEST(filters_do_not_pile_up)
{
	const char *const args[] = { "exec_again", "20", "-1", NULL };

	ck_assert_int_eq(run_program(&(struct how){ .door = doors[_i] }, args), 0);
}
END_TEST

static int start(const char *door, const char *program)
{
	char *path = in_build(program);
	const char *const args[] = { "starts", path, NULL };
	int status = run_program(&(struct how){ .door = door }, args);

	free(path);
	return status;
}

/* Nobody would answer its SIGSYS. */
START_TEST(a_static_program_that_makes_the_calls_is_refused)
{
	ck_assert_int_eq(start(doors[_i], "tests/compat/door_static_calls"), (100 + EACCES) << 8);
}
END_TEST

START_TEST(a_static_program_that_does_not_is_started)
{
	ck_assert_int_eq(start(doors[_i], "tests/compat/door_static"), 42 << 8);
}
END_TEST

/* The loader would not hear of the preload, when no_new_privs is not set: so it is for root. */
static void refuses_set_id(const char *door, const char *program)
{
	char dir[] = "/tmp/door-XXXXXX", *from = in_build(program), *command, *path;
	const char *args[] = { "starts", NULL, NULL };

	if (geteuid() != 0)
		return;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_gt(asprintf(&path, "%s/prog", dir), 0);
	ck_assert_int_gt(asprintf(&command, "cp '%s' '%s' && chown 65534 '%s' && chmod 4755 '%s'", from, path, path, path), 0);
	ck_assert_int_eq(system(command), 0);
	args[1] = path;
	ck_assert_int_eq(run_program(&(struct how){ .door = door }, args), (100 + EACCES) << 8);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	free(command);
	free(path);
	free(from);
}

START_TEST(a_program_that_gains_privileges_is_refused)
{
	refuses_set_id(doors[_i], "tests/compat/door_prog");
}
END_TEST

/* It has no code for the calls itself: that is in the library. */
START_TEST(a_program_with_liburing_that_gains_privileges_is_refused)
{
	refuses_set_id(doors[_i], "tests/compat/uringapp");
}
END_TEST

static Suite *door_suite(void)
{
	Suite *s = suite_create("door_trap");
	TCase *tc = tcase_create("fake"), *real = tcase_create("real"), *both = tcase_create("programs");

	tcase_set_timeout(tc, 300);
	tcase_set_timeout(real, 300);
	tcase_set_timeout(both, 300);
	tcase_add_loop_test(tc, every_way_without_rings, 0, N_CASES);
	tcase_add_loop_test(real, every_way_with_rings, 0, N_CASES);
	tcase_add_loop_test(both, without_privileges_there_are_no_new_ones, 0, N_DOORS);
	tcase_add_loop_test(both, without_a_filter, 0, N_DOORS);
	tcase_add_loop_test(both, a_sigsys_that_is_not_ours_kills, 0, N_DOORS);
	tcase_add_loop_test(both, filters_do_not_pile_up, 0, N_DOORS);
	tcase_add_loop_test(both, a_static_program_that_makes_the_calls_is_refused, 0, N_DOORS);
	tcase_add_loop_test(both, a_static_program_that_does_not_is_started, 0, N_DOORS);
	tcase_add_loop_test(both, a_program_that_gains_privileges_is_refused, 0, N_DOORS);
	tcase_add_loop_test(both, a_program_with_liburing_that_gains_privileges_is_refused, 0, N_DOORS);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, real);
	suite_add_tcase(s, both);
	return s;
}

int main(void)
{
	const char *sanitizers = getenv("RINGD_SANITIZERS");

	if (sanitizers && *sanitizers)
		return rd_suite_skip("a sanitizer's runtime must come before what is preloaded");
	return rd_suite_main(door_suite());
}
