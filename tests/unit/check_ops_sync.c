/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FSYNC, SYNC_FILE_RANGE, FALLOCATE, FTRUNCATE, STATX. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static char dir[] = "/tmp/ringd-sync-XXXXXX";
static int dirfd = -1, file = -1, p[2];
static struct statx *sx;

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = openat(dirfd, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0640);
	ck_assert_int_eq(write(file, "content", 7), 7);
	ck_assert_int_eq(symlinkat("file", dirfd, "link"), 0);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	sx = rd_th_alloc(&th, sizeof(*sx));
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	unlinkat(dirfd, "file", 0);
	unlinkat(dirfd, "link", 0);
	rmdir(dir);
	close(dirfd);
	close(file);
	close(p[0]);
	close(p[1]);
}

static struct ringd_sqe *on(uint8_t opcode, int fd)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = fd;
	return sqe;
}

static off_t size_now(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(file, &st), 0);
	return st.st_size;
}

/* Fields that must be 0, each set alone: -EINVAL, also on a file that is not there (the check is made before it is looked up). */
enum { F_ADDR = 1, F_LEN = 2, F_RW = 4, F_BUF = 8, F_SPLICE = 16, F_ADDR3 = 32, F_IOPRIO = 64 };

static void assert_zero_fields(uint8_t opcode, unsigned int fields)
{
	for (unsigned int bit = 1; bit <= F_IOPRIO; bit <<= 1) {
		struct ringd_sqe *sqe;

		if (!(fields & bit))
			continue;
		sqe = on(opcode, -1);
		sqe->addr = bit == F_ADDR;
		sqe->len = bit == F_LEN;
		sqe->rw_flags = bit == F_RW;
		sqe->buf_index = bit == F_BUF;
		sqe->splice_fd_in = bit == F_SPLICE;
		sqe->addr3 = bit == F_ADDR3;
		sqe->ioprio = bit == F_IOPRIO;
		ck_assert_msg(rd_tc_run(&c) == -EINVAL, "opcode %u, field bit %u", opcode, bit);
	}
	on(opcode, -1);
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
}

START_TEST(reserved_fields_are_checked)
{
	assert_zero_fields(RINGD_OP_FSYNC, F_ADDR | F_BUF | F_SPLICE | F_IOPRIO);
	assert_zero_fields(RINGD_OP_SYNC_FILE_RANGE, F_ADDR | F_BUF | F_SPLICE | F_IOPRIO);
	assert_zero_fields(RINGD_OP_FALLOCATE, F_RW | F_BUF | F_SPLICE | F_IOPRIO);
	assert_zero_fields(RINGD_OP_FTRUNCATE, F_ADDR | F_LEN | F_RW | F_BUF | F_SPLICE | F_ADDR3 | F_IOPRIO);
}
END_TEST

START_TEST(fsync_knows_one_flag)
{
	for (uint32_t flag = 2; flag; flag <<= 1) {
		on(RINGD_OP_FSYNC, file)->fsync_flags = flag;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	on(RINGD_OP_FSYNC, file);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	on(RINGD_OP_FSYNC, file)->fsync_flags = RINGD_FSYNC_DATASYNC;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	on(RINGD_OP_FSYNC, file)->off = 3;
	c.sqes[(c.sq_tail + c.unsubmitted - 1) & (c.layout.sq_entries - 1)].len = 2;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	on(RINGD_OP_FSYNC, file)->off = (uint64_t)-3;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	on(RINGD_OP_FSYNC, p[0]);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	ck_assert_uint_eq(th.engine.stats.punted, 4);
}
END_TEST

static int32_t sync_range(int fd, uint64_t off, uint32_t len, uint32_t flags)
{
	struct ringd_sqe *sqe = on(RINGD_OP_SYNC_FILE_RANGE, fd);

	sqe->off = off;
	sqe->len = len;
	sqe->sync_range_flags = flags;
	return rd_tc_run(&c);
}

START_TEST(sync_file_range_is_the_system_call)
{
	ck_assert_int_eq(sync_range(file, 0, 0, 7), 0);
	ck_assert_int_eq(sync_range(file, 1, 5, SYNC_FILE_RANGE_WRITE), 0);
	ck_assert_int_eq(sync_range(file, 0, 0, 8), -EINVAL);
	ck_assert_int_eq(sync_range(file, UINT64_MAX, 1, 2), -EINVAL);
	ck_assert_int_eq(sync_range(p[0], 0, 0, 2), -ESPIPE);
}
END_TEST

static int32_t falloc(int fd, uint32_t mode, uint64_t off, uint64_t len)
{
	struct ringd_sqe *sqe = on(RINGD_OP_FALLOCATE, fd);

	sqe->len = mode;
	sqe->off = off;
	sqe->addr = len;
	return rd_tc_run(&c);
}

START_TEST(fallocate_is_the_system_call)
{
	struct rlimit rl = { .rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY };
	int ro = openat(dirfd, "file", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(falloc(file, 0, 0, 10000), 0);
	ck_assert_int_eq(size_now(), 10000);
	ck_assert_int_eq(falloc(file, FALLOC_FL_KEEP_SIZE, 0, 20000), 0);
	ck_assert_int_eq(size_now(), 10000);
	ck_assert_int_eq(falloc(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
	ck_assert_int_eq(falloc(file, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(falloc(file, 0, UINT64_MAX, 1), -EINVAL);
	ck_assert_int_eq(falloc(file, 0x4000, 0, 1), -EOPNOTSUPP);
	ck_assert_int_eq(falloc(p[1], 0, 0, 1), -ESPIPE);
	ck_assert_int_eq(falloc(ro, 0, 0, 1), -EBADF);
	ck_assert_int_eq(falloc(file, 0, INT64_MAX, 1), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
	ck_assert_int_eq(falloc(file, 0, 0, 2 << 20), -EFBIG);
	close(ro);
}
END_TEST

static int32_t truncate_to(int fd, uint64_t len)
{
	on(RINGD_OP_FTRUNCATE, fd)->off = len;
	return rd_tc_run(&c);
}

START_TEST(ftruncate_is_the_system_call)
{
	int ro = openat(dirfd, "file", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(truncate_to(file, 3), 0);
	ck_assert_int_eq(size_now(), 3);
	ck_assert_int_eq(truncate_to(file, 5ull << 30), 0);
	ck_assert_int_eq(size_now(), (off_t)5 << 30);
	ck_assert_int_eq(truncate_to(file, UINT64_MAX), -EINVAL);
	ck_assert_int_eq(truncate_to(file, INT64_MAX), -EFBIG);
	ck_assert_int_eq(truncate_to(ro, 0), -EINVAL);
	ck_assert_int_eq(truncate_to(p[1], 0), -EINVAL);
	close(ro);
}
END_TEST

START_TEST(writes_on_one_inode_keep_their_order)
{
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, file, 0);
	for (uint64_t i = 1; i <= 64; i++) {
		struct ringd_sqe *sqe = on(RINGD_OP_FTRUNCATE, 0);

		sqe->flags = RINGD_SQE_FIXED_FILE;
		sqe->off = i * 10;
	}
	ck_assert_int_eq(rd_tc_submit(&c), 64);
	for (uint64_t i = 1; i <= 64; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);

		ck_assert_int_eq(cqe.res, 0);
		ck_assert_uint_eq(cqe.user_data, i);
	}
	ck_assert_int_eq(size_now(), 640);
}
END_TEST

/* --- STATX --- */

static struct ringd_sqe *statx_sqe(int at, const char *path, uint32_t flags, uint32_t mask)
{
	struct ringd_sqe *sqe = on(RINGD_OP_STATX, at);

	sqe->addr = rd_th_str(&th, path);
	sqe->statx_flags = flags;
	sqe->len = mask;
	sqe->addr2 = (uintptr_t)sx;
	return sqe;
}

static int32_t do_statx(int at, const char *path, uint32_t flags)
{
	memset(sx, 0xff, sizeof(*sx));
	statx_sqe(at, path, flags, STATX_BASIC_STATS);
	return rd_tc_run(&c);
}

START_TEST(statx_tells_what_the_system_call_tells)
{
	struct statx expect;
	char path[64];

	ck_assert_int_eq(do_statx(dirfd, "file", 0), 0);
	ck_assert_int_eq(statx(dirfd, "file", 0, STATX_BASIC_STATS, &expect), 0);
	ck_assert_mem_eq(sx, &expect, sizeof(expect));
	ck_assert_uint_eq(sx->stx_size, 7);
	ck_assert_int_eq(do_statx(dirfd, "link", 0), 0);
	ck_assert_uint_eq(sx->stx_ino, expect.stx_ino);
	ck_assert_int_eq(do_statx(dirfd, "link", AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISLNK(sx->stx_mode));
	snprintf(path, sizeof(path), "%s/file", dir);
	ck_assert_int_eq(do_statx(-1, path, AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT), 0);
	ck_assert_uint_eq(sx->stx_ino, expect.stx_ino);
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(do_statx(AT_FDCWD, "file", AT_STATX_DONT_SYNC), 0);
	ck_assert_uint_eq(sx->stx_ino, expect.stx_ino);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(statx_of_a_descriptor)
{
	ck_assert_int_eq(do_statx(file, "", AT_EMPTY_PATH), 0);
	ck_assert_uint_eq(sx->stx_size, 7);
	ck_assert_int_eq(do_statx(p[0], "", AT_EMPTY_PATH), 0);
	ck_assert(S_ISFIFO(sx->stx_mode));
	ck_assert_int_eq(do_statx(AT_FDCWD, "", AT_EMPTY_PATH), 0);
	ck_assert(S_ISDIR(sx->stx_mode));
	ck_assert_int_eq(do_statx(dirfd, "file", AT_EMPTY_PATH), 0);
	ck_assert_uint_eq(sx->stx_size, 7);
	ck_assert_int_eq(do_statx(file, "", 0), -ENOENT);
	ck_assert_int_eq(do_statx(-1, "", AT_EMPTY_PATH), -EBADF);
}
END_TEST

START_TEST(statx_has_its_errnos)
{
	char longest[PATH_MAX + 1];

	ck_assert_int_eq(do_statx(dirfd, "missing", 0), -ENOENT);
	ck_assert_int_eq(do_statx(dirfd, "file/x", 0), -ENOTDIR);
	ck_assert_int_eq(do_statx(-1, "file", 0), -EBADF);
	ck_assert_int_eq(do_statx(file, "file", 0), -ENOTDIR);
	memset(longest, 'x', sizeof(longest));
	longest[PATH_MAX] = 0;
	ck_assert_int_eq(do_statx(dirfd, longest, 0), -ENAMETOOLONG);
	ck_assert_int_eq(do_statx(dirfd, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC), -EINVAL);
	ck_assert_int_eq(do_statx(dirfd, "file", AT_SYMLINK_FOLLOW), -EINVAL);
	ck_assert_int_eq(do_statx(dirfd, "file", 0x80000000), -EINVAL);
	statx_sqe(dirfd, "file", 0, 0x80000000);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	statx_sqe(dirfd, "file", 0, 0)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	statx_sqe(dirfd, "file", 0, 0)->addr2 = (uintptr_t)th.arena + RD_TH_ARENA - sizeof(*sx) + 1;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	statx_sqe(dirfd, "file", 0, 0)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	statx_sqe(dirfd, "file", 0, 0)->splice_fd_in = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	statx_sqe(dirfd, "file", 0, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
}
END_TEST

START_TEST(statx_does_not_look_into_procfs)
{
	memset(sx, 0xff, sizeof(*sx));
	statx_sqe(AT_FDCWD, "/proc/self/status", 0, STATX_BASIC_STATS);
	ck_assert_int_eq(rd_tc_run(&c), -EACCES);
	statx_sqe(AT_FDCWD, "/proc/self/exe", 0, STATX_BASIC_STATS);
	ck_assert_int_eq(rd_tc_run(&c), -ELOOP);
	statx_sqe(AT_FDCWD, "/proc/self/exe", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS);
	ck_assert_int_eq(rd_tc_run(&c), -EACCES);
	ck_assert_uint_eq(sx->stx_mask, UINT32_MAX);
}
END_TEST

START_TEST(a_dying_ring_leaves_no_path_behind)
{
	for (int i = 0; i < 30; i++)
		statx_sqe(dirfd, "file", 0, STATX_BASIC_STATS);
	ck_assert_int_eq(rd_tc_submit(&c), 30);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reserved_fields_are_checked, fsync_knows_one_flag, sync_file_range_is_the_system_call,
		fallocate_is_the_system_call, ftruncate_is_the_system_call, writes_on_one_inode_keep_their_order,
		statx_tells_what_the_system_call_tells, statx_of_a_descriptor, statx_has_its_errnos,
		statx_does_not_look_into_procfs, a_dying_ring_leaves_no_path_behind,
	};
	Suite *s = suite_create("ops_sync");
	TCase *tc = tcase_create("sync and statx");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
