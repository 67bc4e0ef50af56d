/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ringd-run concludes from what it sees. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/common/util.h"
#include "ringd-run/run.h"
#include "suite.h"

/* An ordinary process on an ordinary kernel; what differs is said. */
#define KERNEL(...)	{ .enter = EBADF, .disabled = 0, .group = -1, .known_call = true, __VA_ARGS__ }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct {
	struct run_kernel kernel;
	enum run_layer layer;
} layers[] = {
	{ KERNEL(.setup = 0), RUN_ALLOWED },
	{ KERNEL(.setup = 0, .seccomp = 2), RUN_ALLOWED },
	{ KERNEL(.setup = 0, .served = true), RUN_SERVED },
	/* Docker, Podman: all three calls */
	{ KERNEL(.setup = EPERM, .enter = EPERM, .seccomp = 2), RUN_SECCOMP },
	{ KERNEL(.setup = ENOSYS, .enter = ENOSYS, .seccomp = 2), RUN_SECCOMP },
	{ KERNEL(.setup = EIO, .enter = EIO, .seccomp = 2, .killed = true), RUN_SECCOMP },
	/* a filter hides what is behind it */
	{ KERNEL(.setup = EPERM, .enter = EPERM, .seccomp = 2, .disabled = 2), RUN_SECCOMP },
	{ KERNEL(.setup = ENOSYS, .enter = ENOSYS, .seccomp = 2, .known_call = false, .disabled = -1), RUN_UNKNOWN },
	{ KERNEL(.setup = ENOSYS, .enter = EBADF, .seccomp = 2), RUN_SECCOMP },
	{ KERNEL(.setup = EPERM, .seccomp = 2), RUN_UNKNOWN },
	{ KERNEL(.setup = ENOSYS, .enter = ENOSYS, .known_call = false, .disabled = -1), RUN_KERNEL },
	{ KERNEL(.setup = EPERM, .disabled = 2), RUN_SYSCTL },
	{ KERNEL(.setup = EPERM, .disabled = 2, .admin = true), RUN_SYSCTL },
	{ KERNEL(.setup = EPERM, .disabled = 2, .seccomp = 2), RUN_SYSCTL },
	{ KERNEL(.setup = EPERM, .disabled = 1), RUN_SYSCTL },
	{ KERNEL(.setup = EPERM, .disabled = 1, .admin = true), RUN_LSM },
	{ KERNEL(.setup = EPERM, .disabled = 1, .group = 7, .in_group = true), RUN_LSM },
	{ KERNEL(.setup = EACCES), RUN_LSM },
	{ KERNEL(.setup = ENOMEM, .counts_memlock = true), RUN_MEMLOCK },
	{ KERNEL(.setup = EMFILE), RUN_UNKNOWN },
};
#pragma GCC diagnostic pop

START_TEST(the_layer_that_refuses_is_found)
{
	ck_assert_msg(run_kernel_layer(&layers[_i].kernel) == layers[_i].layer, "row %d: %d", _i,
		      run_kernel_layer(&layers[_i].kernel));
}
END_TEST

static const struct {
	const char *old, *separators, *item;
	bool first;
	const char *new;
} lists[] = {
	{ NULL, ":;", "/l", true, "/l" },
	{ "", ":;", "/l", true, "/l" },			/* and not "/l:", the current directory */
	{ "/a:/b", ":;", "/l", true, "/l:/a:/b" },
	{ "/a:/l", ":;", "/l", true, "/l:/a:/l" },	/* it must be the first */
	{ "/l:/a", ":;", "/l", true, "/l:/a" },
	{ "/l;/a", ":;", "/l", true, "/l;/a" },
	{ "/l2", ":;", "/l", true, "/l:/l2" },
	{ NULL, " :", "/t.so", false, "/t.so" },
	{ "/asan.so", " :", "/t.so", false, "/asan.so:/t.so" },
	{ "/x.so /t.so", " :", "/t.so", false, "/x.so /t.so" },
	{ "/t.so2:/x.so", " :", "/t.so", false, "/t.so2:/x.so:/t.so" },
};

START_TEST(what_is_in_a_list_stays)
{
	if (lists[_i].old)
		setenv("RUN_LIST", lists[_i].old, 1);
	ck_assert_int_eq(run_environ_add("RUN_LIST", lists[_i].separators, lists[_i].item, lists[_i].first), 0);
	ck_assert_str_eq(getenv("RUN_LIST"), lists[_i].new);
}
END_TEST

/* The headers of this very program, damaged. */
static enum run_elf_kind kind_of_damaged(size_t at, const char *bytes, size_t len)
{
	RD_CLOSE int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char path[] = "/tmp/check_run.XXXXXX", head[8192];
	RD_CLOSE int fd = mkstemp(path);
	struct run_elf elf;

	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(read(self, head, sizeof(head)), sizeof(head));
	memcpy(head + at, bytes, len);
	ck_assert_int_eq(write(fd, head, sizeof(head)), sizeof(head));
	run_elf_read(&elf, fd);
	return elf.kind;
}

START_TEST(headers_that_lie_are_refused)
{
	ck_assert_int_eq(kind_of_damaged(0, "", 0), RUN_ELF_DYNAMIC);
	ck_assert_int_eq(kind_of_damaged(0, "\x7f" "elf", 4), RUN_ELF_NOT);
	ck_assert_int_eq(kind_of_damaged(4, "\x01", 1), RUN_ELF_FOREIGN);	/* 32 bits */
	ck_assert_int_eq(kind_of_damaged(18, "\x08\x00", 2), RUN_ELF_FOREIGN);	/* MIPS */
	ck_assert_int_eq(kind_of_damaged(16, "\x01\x00", 2), RUN_ELF_BROKEN);	/* an object file */
	ck_assert_int_eq(kind_of_damaged(32, "\xff\xff\xff\xff\xff\xff\xff\xff", 8), RUN_ELF_BROKEN);	/* where headers are */
	ck_assert_int_eq(kind_of_damaged(54, "\x39\x00", 2), RUN_ELF_BROKEN);	/* how long one is */
	ck_assert_int_eq(kind_of_damaged(56, "\xff\xff", 2), RUN_ELF_BROKEN);	/* how many */
	ck_assert_int_eq(kind_of_damaged(56, "\x00\x00", 2), RUN_ELF_STATIC);
}
END_TEST

START_TEST(short_files_are_no_programs)
{
	struct run_elf elf;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	run_elf_read(&elf, fds[0]);
	ck_assert_int_eq(elf.kind, RUN_ELF_NOT);
	run_elf_read(&elf, -1);
	ck_assert_int_eq(elf.kind, RUN_ELF_NOT);
	rd_close(fds[0]);
	rd_close(fds[1]);
}
END_TEST

START_TEST(standard_error_is_named_with_what_it_is)
{
	char want[64];
	struct stat st;

	ck_assert_int_eq(run_environ_report(NULL), 0);
	ck_assert_int_eq(fstat(2, &st), 0);
	snprintf(want, sizeof(want), "2:%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	ck_assert_str_eq(getenv("RINGD_REPORT"), want);
	ck_assert_int_eq(run_environ_report("/nonexistent/file"), -ENOENT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("ringd-run");
	TCase *tc = tcase_create("conclusions");

	tcase_add_loop_test(tc, the_layer_that_refuses_is_found, 0, (int)RD_ARRAY_SIZE(layers));
	tcase_add_loop_test(tc, what_is_in_a_list_stays, 0, (int)RD_ARRAY_SIZE(lists));
	tcase_add_test(tc, headers_that_lie_are_refused);
	tcase_add_test(tc, short_files_are_no_programs);
	tcase_add_test(tc, standard_error_is_named_with_what_it_is);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return rd_suite_main(suite());
}
