/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT and the four operations on extended attributes. */
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static char dir[] = "/tmp/ringd-names-XXXXXX";
static int dirfd = -1, file = -1;

static void setup(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = openat(dirfd, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0640);
	ck_assert_int_eq(write(file, "content", 7), 7);
	ck_assert_int_eq(mkdirat(dirfd, "sub", 0755), 0);
	ck_assert_int_eq(symlinkat("file", dirfd, "link"), 0);
	ck_assert_int_eq(symlinkat("/proc/self", dirfd, "self"), 0);
	umask(0);
}

static void setup_sync(void)
{
	setup(RD_BACKEND_SYNC);
}

static void setup_uring(void)
{
	setup(RD_BACKEND_URING);
}

static void teardown(void)
{
	int status;
	pid_t pid;

	rd_tc_close(&c);
	rd_th_deinit(&th);
	close(dirfd);
	close(file);
	pid = fork();
	if (pid == 0)
		execlp("rm", "rm", "-r", dir, NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static uint64_t str(const char *s)
{
	return rd_th_str(&th, s);
}

/* An operation on one name, or on two. */
static struct ringd_sqe *one(uint8_t opcode, int at, const char *path)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = at;
	if (path && opcode == RINGD_OP_SYMLINKAT)
		sqe->addr2 = str(path);
	else if (path)
		sqe->addr = str(path);
	return sqe;
}

static struct ringd_sqe *two(uint8_t opcode, const char *from, const char *to, uint32_t flags)
{
	struct ringd_sqe *sqe = one(opcode, dirfd, from);

	sqe->len = (uint32_t)dirfd;
	sqe->addr2 = str(to);
	sqe->rename_flags = flags;
	return sqe;
}

static int32_t do_unlink(const char *path, uint32_t flags)
{
	one(RINGD_OP_UNLINKAT, dirfd, path)->unlink_flags = flags;
	return rd_tc_run(&c);
}

static int32_t do_mkdir(const char *path, uint32_t mode)
{
	one(RINGD_OP_MKDIRAT, dirfd, path)->len = mode;
	return rd_tc_run(&c);
}

static int32_t do_symlink(const char *target, const char *path)
{
	one(RINGD_OP_SYMLINKAT, dirfd, path)->addr = str(target);
	return rd_tc_run(&c);
}

static int32_t do_rename(const char *from, const char *to, uint32_t flags)
{
	two(RINGD_OP_RENAMEAT, from, to, flags);
	return rd_tc_run(&c);
}

static int32_t do_link(const char *from, const char *to, uint32_t flags)
{
	two(RINGD_OP_LINKAT, from, to, flags);
	return rd_tc_run(&c);
}

static struct stat look(const char *name)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static bool exists(const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- what may not be set --- */

enum { F_OFF = 1, F_LEN = 2, F_RW = 4, F_BUF = 8, F_SPLICE = 16, F_IOPRIO = 32, F_FIXED = 64, F_LAST = F_FIXED };

static void assert_zero_fields(uint8_t opcode, unsigned int fields)
{
	for (unsigned int bit = 1; bit <= F_LAST; bit <<= 1) {
		struct ringd_sqe *sqe;

		if (!(fields & bit))
			continue;
		sqe = one(opcode, -1, NULL);
		sqe->off = bit == F_OFF;
		sqe->len = bit == F_LEN;
		sqe->rw_flags = bit == F_RW;
		sqe->buf_index = bit == F_BUF;
		sqe->splice_fd_in = bit == F_SPLICE;
		sqe->ioprio = bit == F_IOPRIO;
		sqe->flags = bit == F_FIXED ? RINGD_SQE_FIXED_FILE : 0;
		ck_assert_msg(rd_tc_run(&c) == (bit == F_FIXED ? -EBADF : -EINVAL), "opcode %u, bit %u", opcode, bit);
	}
	/* nothing else is wrong with it but the address of the path, which is looked at last */
	one(opcode, -1, NULL);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
}

START_TEST(reserved_fields_are_checked)
{
	assert_zero_fields(RINGD_OP_RENAMEAT, F_BUF | F_SPLICE | F_IOPRIO | F_FIXED);
	assert_zero_fields(RINGD_OP_UNLINKAT, F_OFF | F_LEN | F_BUF | F_SPLICE | F_IOPRIO | F_FIXED);
	assert_zero_fields(RINGD_OP_MKDIRAT, F_OFF | F_RW | F_BUF | F_SPLICE | F_IOPRIO | F_FIXED);
	assert_zero_fields(RINGD_OP_SYMLINKAT, F_LEN | F_RW | F_BUF | F_SPLICE | F_IOPRIO | F_FIXED);
	assert_zero_fields(RINGD_OP_LINKAT, F_BUF | F_SPLICE | F_IOPRIO | F_FIXED);
	assert_zero_fields(RINGD_OP_GETXATTR, F_RW | F_IOPRIO | F_FIXED);
	assert_zero_fields(RINGD_OP_SETXATTR, F_IOPRIO | F_FIXED);
	one(RINGD_OP_UNLINKAT, dirfd, "file")->unlink_flags = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	ck_assert(exists("file"));
}
END_TEST

START_TEST(paths_are_checked)
{
	char longest[PATH_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	longest[PATH_MAX] = 0;
	ck_assert_int_eq(do_unlink(longest, 0), -ENAMETOOLONG);
	ck_assert_int_eq(do_unlink("", 0), -ENOENT);
	ck_assert_int_eq(do_rename("file", "", 0), -ENOENT);
	ck_assert_int_eq(do_rename("file", longest, 0), -ENAMETOOLONG);
	ck_assert_int_eq(do_link("", "new", 0), -ENOENT);
	ck_assert_int_eq(do_symlink("", "new"), -ENOENT);
	ck_assert_int_eq(do_symlink(longest, "new"), -ENAMETOOLONG);
	longest[NAME_MAX + 1] = 0;
	ck_assert_int_eq(do_mkdir(longest, 0700), -ENAMETOOLONG);
	two(RINGD_OP_RENAMEAT, "file", "new", 0)->addr2 = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	two(RINGD_OP_LINKAT, "file", "new", 0)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	one(RINGD_OP_SYMLINKAT, dirfd, "new")->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	two(RINGD_OP_RENAMEAT, "file", "new", 0)->len = (uint32_t)-1;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	two(RINGD_OP_LINKAT, "file", "new", 0)->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	ck_assert(exists("file") && !exists("new"));
}
END_TEST

/* --- what they do --- */

START_TEST(renames)
{
	char from[64], to[64];

	ck_assert_int_eq(do_rename("file", "sub/other", 0), 0);
	ck_assert(!exists("file") && exists("sub/other"));
	ck_assert_int_eq(do_rename("sub//other", "./file", 0), 0);
	ck_assert_int_eq(do_rename("missing", "x", 0), -ENOENT);
	ck_assert_int_eq(do_rename("file/x", "x", 0), -ENOTDIR);
	ck_assert_int_eq(do_rename("file", "missing/x", 0), -ENOENT);
	ck_assert_int_eq(do_rename("file", "link", RENAME_NOREPLACE), -EEXIST);
	ck_assert_int_eq(do_rename("file", "sub", 0), -EISDIR);
	ck_assert_int_eq(do_rename("file", "x", 0x80), -EINVAL);
	ck_assert_int_eq(do_rename("file", "x", RENAME_NOREPLACE | RENAME_EXCHANGE), -EINVAL);
	ck_assert_int_eq(do_rename("file", "sub", RENAME_EXCHANGE), 0);
	ck_assert(S_ISDIR(look("file").st_mode) && S_ISREG(look("sub").st_mode));
	ck_assert_int_eq(do_rename("file/", "dir///", 0), 0);
	ck_assert_int_eq(do_rename("dir", "dir/sub", 0), -EINVAL);
	ck_assert_int_eq(do_rename("dir/..", "x", 0), -EBUSY);
	ck_assert_int_eq(do_rename("/", "x", 0), -EBUSY);
	/* a link is renamed, not what it points to; absolute names need no descriptor */
	snprintf(from, sizeof(from), "%s/link", dir);
	snprintf(to, sizeof(to), "%s/dir/link", dir);
	two(RINGD_OP_RENAMEAT, from, to, 0)->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert(S_ISLNK(look("dir/link").st_mode));
}
END_TEST

START_TEST(unlinks)
{
	ck_assert_int_eq(do_unlink("missing", 0), -ENOENT);
	ck_assert_int_eq(do_unlink("sub", 0), -EISDIR);
	ck_assert_int_eq(do_unlink("file", AT_REMOVEDIR), -ENOTDIR);
	ck_assert_int_eq(do_unlink("file/", 0), -ENOTDIR);
	ck_assert_int_eq(do_unlink("link", 0), 0);
	ck_assert(exists("file"));
	ck_assert_int_eq(do_unlink("./sub/../file", 0), 0);
	ck_assert(!exists("file"));
	ck_assert_int_eq(mkdirat(dirfd, "sub/sub", 0700), 0);
	ck_assert_int_eq(do_unlink("sub", AT_REMOVEDIR), -ENOTEMPTY);
	ck_assert_int_eq(do_unlink("sub/.", AT_REMOVEDIR), -EINVAL);
	ck_assert_int_eq(do_unlink("sub/sub/", AT_REMOVEDIR), 0);
	ck_assert_int_eq(do_unlink("sub", AT_REMOVEDIR), 0);
	ck_assert_int_eq(do_unlink("/", AT_REMOVEDIR), -EBUSY);
}
END_TEST

START_TEST(makes_directories)
{
	ck_assert_int_eq(do_mkdir("new", 0751), 0);
	ck_assert_uint_eq(look("new").st_mode, S_IFDIR | 0751);
	ck_assert_int_eq(do_mkdir("new/sticky/", S_ISVTX | 0777), 0);
	ck_assert_uint_eq(look("new/sticky").st_mode, S_IFDIR | S_ISVTX | 0777);
	ck_assert_int_eq(do_mkdir("new", 0700), -EEXIST);
	ck_assert_int_eq(do_mkdir("link", 0700), -EEXIST);
	ck_assert_int_eq(do_mkdir("/", 0700), -EEXIST);
	ck_assert_int_eq(do_mkdir("new/..", 0700), -EEXIST);
	ck_assert_int_eq(do_mkdir("missing/new", 0700), -ENOENT);
	ck_assert_int_eq(chdir(dir), 0);
	one(RINGD_OP_MKDIRAT, AT_FDCWD, "here")->len = 0700;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert(exists("here"));
}
END_TEST

START_TEST(makes_symbolic_links)
{
	char text[16] = "";

	ck_assert_int_eq(do_symlink("../any/text", "sub/new"), 0);
	ck_assert_int_eq(readlinkat(dirfd, "sub/new", text, sizeof(text)), 11);
	ck_assert_mem_eq(text, "../any/text", 11);
	ck_assert_int_eq(do_symlink("x", "link"), -EEXIST);
	ck_assert_int_eq(do_symlink("x", "missing/new"), -ENOENT);
	/* a text that means the engine is only a text */
	ck_assert_int_eq(do_symlink("/proc/self/exe", "exe"), 0);
}
END_TEST

START_TEST(makes_hard_links)
{
	ck_assert_int_eq(do_link("file", "sub/hard", 0), 0);
	ck_assert_uint_eq(look("sub/hard").st_ino, look("file").st_ino);
	ck_assert_int_eq(do_link("file", "sub/hard", 0), -EEXIST);
	ck_assert_int_eq(do_link("link", "soft", 0), 0);
	ck_assert(S_ISLNK(look("soft").st_mode));
	ck_assert_int_eq(do_link("link", "followed", AT_SYMLINK_FOLLOW), 0);
	ck_assert_uint_eq(look("followed").st_ino, look("file").st_ino);
	ck_assert_int_eq(do_link("sub", "x", 0), -EPERM);
	ck_assert_int_eq(do_link("sub/", "x", 0), -EPERM);
	ck_assert_int_eq(do_link("link/", "x", 0), -ENOTDIR);
	ck_assert_int_eq(do_link("missing", "x", 0), -ENOENT);
	ck_assert_int_eq(do_link("missing", "x", AT_SYMLINK_FOLLOW), -ENOENT);
	ck_assert_int_eq(do_link("file", "x", AT_SYMLINK_NOFOLLOW), -EINVAL);
	ck_assert_int_eq(do_link("/dev/null", "x", 0), -EXDEV);
	ck_assert_int_eq(do_link("/dev/null", "x", AT_SYMLINK_FOLLOW), -EXDEV);
}
END_TEST

START_TEST(a_file_without_a_name_gets_one)
{
	RD_CLOSE int tmp = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int32_t r;

	if (tmp < 0)
		return;		/* this file system has none */
	two(RINGD_OP_LINKAT, "", "named", AT_EMPTY_PATH)->fd = tmp;
	r = rd_tc_run(&c);
	/* before Linux 6.10 a privilege is needed */
	ck_assert_msg(r == 0 || r == -ENOENT, "%d", r);
	ck_assert_int_eq(exists("named"), r == 0);
	two(RINGD_OP_LINKAT, "", "other", 0)->fd = tmp;
	ck_assert_int_eq(rd_tc_run(&c), -ENOENT);
}
END_TEST

/* --- nothing of it means the engine --- */

START_TEST(procfs_is_out_of_reach)
{
	char fd[32];

	ck_assert_int_eq(do_mkdir("/proc/self/x", 0700), -EACCES);
	ck_assert_int_eq(do_mkdir("self/x", 0700), -EACCES);
	ck_assert_int_eq(do_unlink("self/fd/0", 0), -EACCES);
	ck_assert_int_eq(do_symlink("x", "/proc/self/fd/x"), -EACCES);
	ck_assert_int_eq(do_rename("self/exe", "stolen", 0), -EACCES);
	ck_assert_int_eq(do_rename("file", "self/x", 0), -EACCES);
	ck_assert_int_eq(do_link("/proc/self/exe", "stolen", 0), -EACCES);
	ck_assert_int_eq(do_link("/proc/self/exe", "stolen", AT_SYMLINK_FOLLOW), -ELOOP);
	ck_assert_int_eq(do_link("self", "stolen", AT_SYMLINK_FOLLOW), -EACCES);
	/* not even to go on from there */
	snprintf(fd, sizeof(fd), "/proc/self/fd/%d/file", dirfd);
	ck_assert_int_eq(do_unlink(fd, 0), -ELOOP);
	ck_assert_int_eq(do_unlink("/proc/self/root/tmp/x", 0), -ELOOP);
	ck_assert_int_eq(do_link(fd, "stolen", 0), -ELOOP);
	ck_assert(exists("file") && !exists("stolen"));
}
END_TEST

/* --- extended attributes --- */

static struct ringd_sqe *attr_sqe(uint8_t opcode, const char *path, const char *name, const void *value, uint32_t len)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = file;
	sqe->addr = str(name);
	sqe->addr2 = (uintptr_t)value;
	sqe->addr3 = path ? str(path) : 0;
	sqe->len = len;
	return sqe;
}

static char *in(const char *s)
{
	return (char *)(uintptr_t)str(s);
}

static bool attributes_work(void)
{
	return fsetxattr(file, "user.old", "1", 1, 0) == 0;
}

START_TEST(attributes_by_descriptor)
{
	char *room = rd_th_alloc(&th, 100);

	if (!attributes_work())
		return;
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.a", in("value"), 5);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_int_eq(fgetxattr(file, "user.a", room, 100), 5);
	ck_assert_mem_eq(room, "value", 5);
	memset(room, 0, 100);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.a", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), 5);
	ck_assert_mem_eq(room, "value\0", 6);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.a", NULL, 0);
	ck_assert_int_eq(rd_tc_run(&c), 5);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.a", room, 4);
	ck_assert_int_eq(rd_tc_run(&c), -ERANGE);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.none", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), -ENODATA);
	/* a buffer that is not there matters only when something would be put into it */
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.none", (void *)8, 100);
	ck_assert_int_eq(rd_tc_run(&c), -ENODATA);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.a", (void *)8, 100);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.empty", NULL, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.empty", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), 0);
}
END_TEST

START_TEST(attributes_by_slot)
{
	struct ringd_sqe *sqe;

	if (!attributes_work())
		return;
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, file, 0);
	sqe = attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.old", rd_th_alloc(&th, 8), 8);
	sqe->fd = 0;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), 1);
	sqe = attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.old", in("22"), 2);
	sqe->fd = 1;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
}
END_TEST

START_TEST(attributes_by_path)
{
	char *room = rd_th_alloc(&th, 100), path[64], link[64];

	if (!attributes_work())
		return;
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	/* both follow links, and fd is not looked at */
	attr_sqe(RINGD_OP_SETXATTR, link, "user.b", in("by path"), 7)->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	attr_sqe(RINGD_OP_GETXATTR, path, "user.b", room, 100)->fd = -1;
	ck_assert_int_eq(rd_tc_run(&c), 7);
	ck_assert_mem_eq(room, "by path", 7);
	attr_sqe(RINGD_OP_GETXATTR, "missing", "user.b", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), -ENOENT);
	attr_sqe(RINGD_OP_GETXATTR, "", "user.b", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), -ENOENT);
	attr_sqe(RINGD_OP_GETXATTR, path, "user.none", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), -ENODATA);
	attr_sqe(RINGD_OP_GETXATTR, "/proc/self/exe", "user.b", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), -ELOOP);
	attr_sqe(RINGD_OP_GETXATTR, "/proc/self/status", "user.b", room, 100);
	ck_assert_int_eq(rd_tc_run(&c), -EACCES);
	attr_sqe(RINGD_OP_SETXATTR, "/proc/self/exe", "user.b", in("x"), 1);
	ck_assert_int_eq(rd_tc_run(&c), -ELOOP);
	attr_sqe(RINGD_OP_SETXATTR, "missing", "user.b", in("x"), 1);
	ck_assert_int_eq(rd_tc_run(&c), -ENOENT);
	/* what has no path is a fault, found before anything is done */
	attr_sqe(RINGD_OP_SETXATTR, NULL, "user.c", in("x"), 1);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
}
END_TEST

START_TEST(attributes_have_their_errnos)
{
	char *value = rd_th_alloc(&th, 70000), name[XATTR_NAME_MAX + 2];

	if (!attributes_work())
		return;
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.old", value, 1)->xattr_flags = XATTR_CREATE;
	ck_assert_int_eq(rd_tc_run(&c), -EEXIST);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.new", value, 1)->xattr_flags = XATTR_REPLACE;
	ck_assert_int_eq(rd_tc_run(&c), -ENODATA);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.old", value, 1)->xattr_flags = 4;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.big", value, 70000);
	ck_assert_int_eq(rd_tc_run(&c), -E2BIG);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.a", (void *)8, 1);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.old", value, 1)->xattr_flags = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "", value, 1);
	ck_assert_int_eq(rd_tc_run(&c), -ERANGE);
	memset(name, 'n', sizeof(name));
	name[XATTR_NAME_MAX + 1] = 0;
	attr_sqe(RINGD_OP_FSETXATTR, NULL, name, value, 1);
	ck_assert_int_eq(rd_tc_run(&c), -ERANGE);
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.a", value, 1)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "nonsense", value, 1);
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
	/* no value is longer than 64 KiB, and room beyond the arena is not looked at */
	attr_sqe(RINGD_OP_FGETXATTR, NULL, "user.old", value, UINT32_MAX);
	ck_assert_int_eq(rd_tc_run(&c), 1);
}
END_TEST

START_TEST(a_value_is_copied_with_the_sqe)
{
	char *value = in("first"), room[8] = "";

	if (!attributes_work())
		return;
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.v", value, 5);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	memcpy(value, "later", 5);
	ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	ck_assert_int_eq(fgetxattr(file, "user.v", room, sizeof(room)), 5);
	ck_assert_str_eq(room, "first");
}
END_TEST

/* --- rules --- */

START_TEST(errors_do_not_break_a_soft_link)
{
	static const uint8_t ops[] = { RINGD_OP_UNLINKAT, RINGD_OP_MKDIRAT, RINGD_OP_GETXATTR };

	for (size_t i = 0; i < RD_ARRAY_SIZE(ops); i++) {
		struct ringd_sqe *sqe = one(ops[i], dirfd, "missing/name");

		sqe->addr3 = str("/nowhere");
		sqe->flags = RINGD_SQE_IO_LINK;
		rd_tc_sqe(&c, RINGD_OP_NOP);
		ck_assert_int_eq(rd_tc_submit(&c), 2);
		ck_assert_int_eq(rd_tc_wait(&c).res, -ENOENT);
		ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	}
}
END_TEST

START_TEST(a_dying_ring_leaves_nothing_behind)
{
	for (int i = 0; i < 15; i++) {
		two(RINGD_OP_RENAMEAT, "missing", "other", 0);
		two(RINGD_OP_LINKAT, "missing", "other", 0);
		attr_sqe(RINGD_OP_SETXATTR, "missing", "user.a", in("x"), 1);
		one(RINGD_OP_UNLINKAT, dirfd, "missing");
	}
	ck_assert_int_eq(rd_tc_submit(&c), 60);
}
END_TEST

START_TEST(copies_are_charged)
{
	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = th.engine.user.used[RINGD_LIMIT_OBJECTS] + 1;
	ck_assert_int_eq(do_rename("file", "new", 0), -EDQUOT);
	attr_sqe(RINGD_OP_FSETXATTR, NULL, "user.a", rd_th_alloc(&th, 65536), 65536);
	ck_assert_int_eq(rd_tc_run(&c), -EDQUOT);
	ck_assert_int_eq(do_mkdir("new", 0700), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reserved_fields_are_checked, paths_are_checked, renames, unlinks, makes_directories, makes_symbolic_links,
		makes_hard_links, a_file_without_a_name_gets_one, procfs_is_out_of_reach, attributes_by_descriptor,
		attributes_by_slot, attributes_by_path, attributes_have_their_errnos, a_value_is_copied_with_the_sqe,
		errors_do_not_break_a_soft_link, a_dying_ring_leaves_nothing_behind, copies_are_charged,
	};
	Suite *s = suite_create("ops_names");
	TCase *sync = tcase_create("sync"), *uring = tcase_create("uring");
	bool have_uring = rd_th_backend_works(RD_BACKEND_URING);

	tcase_add_checked_fixture(sync, setup_sync, teardown);
	tcase_add_checked_fixture(uring, setup_uring, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++) {
		tcase_add_test(sync, tests[i]);
		if (have_uring)
			tcase_add_test(uring, tests[i]);
	}
	suite_add_tcase(s, sync);
	suite_add_tcase(s, uring);
	return rd_suite_main(s);
}
