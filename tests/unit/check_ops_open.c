/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OPENAT, OPENAT2, CLOSE. */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/common/util.h"
#include "daemon/engine/exec/workers.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static struct rd_testclient c;
static char dir[] = "/tmp/ringd-open-XXXXXX";
static int dirfd = -1;

static void setup(void)
{
	int fd;

	rd_th_init(&th, RD_BACKEND_AUTO);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dirfd, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	ck_assert_int_eq(write(fd, "content", 7), 7);
	close(fd);
	ck_assert_int_eq(symlinkat("file", dirfd, "link"), 0);
	umask(0);
}

static void teardown(void)
{
	pid_t pid;
	int status;

	if (c.ring)
		rd_tc_close(&c);
	rd_th_deinit(&th);
	close(dirfd);
	pid = fork();
	if (pid == 0)
		execlp("rm", "rm", "-r", dir, NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

static struct ringd_sqe *openat_sqe(int at, const char *path, uint32_t flags, uint32_t mode, uint32_t file_index)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_OPENAT);

	sqe->fd = at;
	sqe->addr = rd_th_str(&th, path);
	sqe->open_flags = flags;
	sqe->len = mode;
	sqe->file_index = file_index;
	return sqe;
}

static int32_t do_openat(int at, const char *path, uint32_t flags, uint32_t mode, uint32_t file_index)
{
	openat_sqe(at, path, flags, mode, file_index);
	return rd_tc_run(&c);
}

static int32_t do_openat2(int at, const char *path, const struct open_how *how, uint32_t size, uint32_t file_index)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_OPENAT2);
	char *copy = rd_th_alloc(&th, 8192);

	memcpy(copy, how, sizeof(*how));
	sqe->fd = at;
	sqe->addr = rd_th_str(&th, path);
	sqe->addr2 = (uintptr_t)copy;
	sqe->len = size;
	sqe->file_index = file_index;
	return rd_tc_run(&c);
}

static struct ringd_sqe *close_sqe(int fd, uint32_t file_index)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_CLOSE);

	sqe->fd = fd;
	sqe->file_index = file_index;
	return sqe;
}

static int32_t do_close(int fd, uint32_t file_index)
{
	close_sqe(fd, file_index);
	return rd_tc_run(&c);
}

static int slot_fd(uint32_t slot)
{
	struct rd_file *file = rd_filetable_get(&c.ring->ctx.files, slot);

	return file ? file->fd : -1;
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd, name, &st, 0), 0);
	return st.st_mode & 07777;
}

/* --- into slots --- */

START_TEST(a_slot_is_filled_and_usable)
{
	char *buf = rd_th_alloc(&th, 100);
	struct ringd_sqe *sqe;

	rd_tc_files(&c, 4);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 3), 0);
	ck_assert_int_ge(slot_fd(2), 0);
	ck_assert_msg(fcntl(slot_fd(2), F_GETFD) & FD_CLOEXEC, "the engine's own descriptor is inherited");
	sqe = rd_tc_sqe(&c, RINGD_OP_READ);
	sqe->fd = 2;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = (uintptr_t)buf;
	sqe->len = 100;
	ck_assert_int_eq(rd_tc_run(&c), 7);
	ck_assert_str_eq(buf, "content");
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 1);
}
END_TEST

START_TEST(alloc_tells_the_slot)
{
	rd_tc_files(&c, 3);
	rd_tc_file(&c, 1, dirfd, 0);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 2);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
}
END_TEST

START_TEST(slots_have_their_errnos)
{
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 1), -ENXIO);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC), -ENFILE);
	rd_tc_files(&c, 2);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 3), -EINVAL);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC - 1), -EINVAL);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY | O_CLOEXEC, 0, 1), -EINVAL);
	/* what the open itself says comes first */
	ck_assert_int_eq(do_openat(dirfd, "missing", O_RDONLY, 0, 3), -ENOENT);
}
END_TEST

START_TEST(a_failed_open_leaves_the_slot_alone)
{
	struct ringd_cqe cqe;
	int before;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, dirfd, 55);
	before = slot_fd(0);
	ck_assert_int_eq(do_openat(dirfd, "missing", O_RDONLY, 0, 1), -ENOENT);
	ck_assert_int_eq(slot_fd(0), before);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 1), 0);
	ck_assert_int_ne(slot_fd(0), -1);
	cqe = rd_tc_wait(&c);		/* the replaced file's tag */
	ck_assert_uint_eq(cqe.user_data, 55);
	ck_assert_int_eq(cqe.res, 0);
}
END_TEST

START_TEST(the_files_budget_counts_opens)
{
	rd_tc_files(&c, 4);
	th.engine.user.limit[RINGD_LIMIT_FILES] = 2;
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 1), 0);
	ck_assert_int_eq(do_openat(dirfd, "missing", O_RDONLY, 0, 2), -ENOENT);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 2), 0);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 3), -EDQUOT);
	ck_assert_int_eq(do_close(0, 1), 0);
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 3), 0);
}
END_TEST

/* --- plain descriptors --- */

START_TEST(a_plain_open_gives_the_client_a_descriptor)
{
	char text[16] = "";
	int fd = do_openat(dirfd, "file", O_RDWR | O_CLOEXEC, 0, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, text, 15), 7);
	ck_assert_str_eq(text, "content");
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 0);
	ck_assert_int_eq(do_close(fd, 0), 0);
	ck_assert_int_eq(do_close(fd, 0), -EBADF);
}
END_TEST

START_TEST(a_host_that_cannot_give_descriptors_does_not_open)
{
	th.can_install = false;
	ck_assert_int_eq(do_openat(dirfd, "created", O_CREAT | O_RDWR, 0600, 0), -EOPNOTSUPP);
	ck_assert_int_eq(faccessat(dirfd, "created", F_OK, 0), -1);
}
END_TEST

/* --- flags and modes --- */

START_TEST(openat_takes_flags_like_open)
{
	int fd;

	ck_assert_int_ge(fd = do_openat(dirfd, "new", O_CREAT | O_EXCL | O_RDWR, 0100640, 0), 0);
	close(fd);
	ck_assert_uint_eq(mode_of("new"), 0640);
	ck_assert_int_eq(do_openat(dirfd, "new", O_CREAT | O_EXCL | O_RDWR, 0600, 0), -EEXIST);
	ck_assert_int_ge(fd = do_openat(dirfd, "file", O_RDONLY, 0777, 0), 0);		/* mode without O_CREAT */
	close(fd);
	ck_assert_int_ge(fd = do_openat(dirfd, "file", O_RDONLY | 04000000000u | 0100000, 0, 0), 0);	/* unknown; O_LARGEFILE */
	close(fd);
	ck_assert_int_ge(fd = do_openat(dirfd, "file", O_PATH | O_RDWR | O_TRUNC | O_APPEND, 0, 0), 0);	/* O_PATH wins */
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_PATH | O_ACCMODE), O_PATH);
	close(fd);
	ck_assert_int_ge(fd = do_openat(dirfd, ".", O_TMPFILE | O_RDWR, 0600, 0), 0);
	close(fd);
	ck_assert_int_eq(do_openat(dirfd, ".", O_TMPFILE | O_RDONLY, 0600, 0), -EINVAL);
	ck_assert_int_eq(do_openat(dirfd, ".", O_RDWR, 0, 0), -EISDIR);
	ck_assert_int_eq(do_openat(dirfd, "file", O_DIRECTORY, 0, 0), -ENOTDIR);
	ck_assert_int_eq(do_openat(dirfd, "link", O_NOFOLLOW, 0, 0), -ELOOP);
	ck_assert_int_ge(fd = do_openat(dirfd, "link", O_RDWR | O_TRUNC, 0, 0), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 0);
	close(fd);
}
END_TEST

START_TEST(reserved_fields_are_checked)
{
	openat_sqe(dirfd, "file", O_RDONLY, 0, 0)->buf_index = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	openat_sqe(dirfd, "file", O_RDONLY, 0, 0)->ioprio = 1;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	openat_sqe(dirfd, "file", O_RDONLY, 0, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
}
END_TEST

/* --- paths --- */

START_TEST(paths_have_their_errnos)
{
	char longest[PATH_MAX + 1];
	int fd;

	openat_sqe(dirfd, "", 0, 0, 0)->addr = 8;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	memcpy(th.arena + RD_TH_ARENA - 4, "file", 4);			/* no end inside client memory */
	openat_sqe(dirfd, "", 0, 0, 0)->addr = (uintptr_t)th.arena + RD_TH_ARENA - 4;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	ck_assert_int_eq(do_openat(dirfd, "", 0, 0, 0), -ENOENT);
	memset(longest, '/', sizeof(longest));
	longest[PATH_MAX] = 0;
	ck_assert_int_eq(do_openat(dirfd, longest, 0, 0, 0), -ENAMETOOLONG);
	longest[PATH_MAX - 1] = 0;
	ck_assert_int_ge(fd = do_openat(dirfd, longest, 0, 0, 0), 0);	/* "/" */
	close(fd);
	memset(longest, 'n', 256);
	longest[256] = 0;
	ck_assert_int_eq(do_openat(dirfd, longest, 0, 0, 0), -ENAMETOOLONG);
	ck_assert_int_eq(do_openat(dirfd, "file/x", 0, 0, 0), -ENOTDIR);
	ck_assert_int_eq(do_openat(-1, "file", 0, 0, 0), -EBADF);
	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = 0;
	ck_assert_int_eq(do_openat(dirfd, "file", 0, 0, 0), -EDQUOT);
}
END_TEST

START_TEST(relative_and_absolute_paths)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", dir);
	ck_assert_int_ge(fd = do_openat(-1, path, 0, 0, 0), 0);		/* the directory does not matter */
	close(fd);
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_ge(fd = do_openat(AT_FDCWD, "file", 0, 0, 0), 0);
	close(fd);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(do_openat(AT_FDCWD, "file", 0, 0, 0), -ENOENT);
}
END_TEST

START_TEST(names_of_the_engine_are_refused)
{
	static const struct {
		const char *path;
		uint32_t flags;
		int32_t res;
	} t[] = {
		{ "/proc/self/mem", O_RDWR, -EACCES },
		{ "/proc/self/status", O_RDONLY, -EACCES },
		{ "/proc/self/maps", O_PATH, -EACCES },
		{ "/proc", O_DIRECTORY, -EACCES },
		{ "/proc/self/cwd/etc", O_RDONLY, -ELOOP },
		{ "/proc/self/root/etc", O_RDONLY, -ELOOP },
		{ "/proc/self/exe", O_RDONLY, -ELOOP },
		{ "/dev/fd/0", O_RDONLY, -ELOOP },
		{ "/dev/stdin", O_RDONLY, -ELOOP },
		{ "/dev/tty", O_RDWR, -ENXIO },
	};

	rd_tc_files(&c, 1);
	for (size_t i = 0; i < RD_ARRAY_SIZE(t); i++) {
		ck_assert_int_eq(do_openat(AT_FDCWD, t[i].path, t[i].flags, 0, 0), t[i].res);
		ck_assert_int_eq(do_openat(AT_FDCWD, t[i].path, t[i].flags, 0, 1), t[i].res);
		ck_assert_int_eq(slot_fd(0), -1);
	}
}
END_TEST

/* --- OPENAT2 --- */

START_TEST(openat2_is_strict)
{
	struct open_how how = { .flags = O_RDONLY };
	int fd;

	ck_assert_int_ge(fd = do_openat2(dirfd, "file", &how, sizeof(how), 0), 0);
	close(fd);
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, 23, 0), -EINVAL);
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, 0, 0), -EINVAL);
	ck_assert_int_ge(fd = do_openat2(dirfd, "file", &how, 4096, 0), 0);
	close(fd);
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, 4097, 0), -E2BIG);
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, UINT32_MAX, 0), -E2BIG);
	how.mode = 0600;
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, sizeof(how), 0), -EINVAL);
	how = (struct open_how){ .flags = 1ull << 40 };
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, sizeof(how), 0), -EINVAL);
	how = (struct open_how){ .resolve = 0x1000 };
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, sizeof(how), 0), -EINVAL);
	how = (struct open_how){ .flags = O_CREAT | O_WRONLY, .mode = 010000600 };
	ck_assert_int_eq(do_openat2(dirfd, "created", &how, sizeof(how), 0), -EINVAL);
	how.mode = 0604;
	ck_assert_int_ge(fd = do_openat2(dirfd, "created", &how, sizeof(how), 0), 0);
	close(fd);
	ck_assert_uint_eq(mode_of("created"), 0604);
	rd_tc_files(&c, 1);
	how = (struct open_how){ .flags = O_CLOEXEC };
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, sizeof(how), 1), -EINVAL);
	how.flags = 0;
	ck_assert_int_eq(do_openat2(dirfd, "file", &how, sizeof(how), 1), 0);
}
END_TEST

START_TEST(a_larger_how_must_end_in_zeros)
{
	struct ringd_sqe *sqe;
	char *how = rd_th_alloc(&th, 4096);

	for (int tail = 0; tail < 3; tail++) {
		memset(how, 0, 4096);
		how[24] = tail == 1;
		how[99] = tail == 2;
		sqe = rd_tc_sqe(&c, RINGD_OP_OPENAT2);
		sqe->fd = dirfd;
		sqe->addr = rd_th_str(&th, "file");
		sqe->addr2 = (uintptr_t)how;
		sqe->len = 100;
		if (tail) {
			ck_assert_int_eq(rd_tc_run(&c), -E2BIG);
		} else {
			int fd = rd_tc_run(&c);

			ck_assert_int_ge(fd, 0);
			close(fd);
		}
	}
	sqe = rd_tc_sqe(&c, RINGD_OP_OPENAT2);
	sqe->fd = dirfd;
	sqe->addr = rd_th_str(&th, "file");
	sqe->addr2 = 8;
	sqe->len = 24;
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
}
END_TEST

START_TEST(resolve_flags_are_honoured)
{
	struct open_how how = { .resolve = RESOLVE_BENEATH };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", dir);
	ck_assert_int_ge(fd = do_openat2(dirfd, "file", &how, sizeof(how), 0), 0);
	close(fd);
	ck_assert_int_eq(do_openat2(dirfd, "../x", &how, sizeof(how), 0), -EXDEV);
	ck_assert_int_eq(do_openat2(dirfd, path, &how, sizeof(how), 0), -EXDEV);
	ck_assert_int_eq(do_openat2(-1, path, &how, sizeof(how), 0), -EBADF);
	how.resolve = RESOLVE_IN_ROOT;
	ck_assert_int_ge(fd = do_openat2(dirfd, "/file", &how, sizeof(how), 0), 0);
	close(fd);
	ck_assert_int_eq(do_openat2(dirfd, path, &how, sizeof(how), 0), -ENOENT);
	how.resolve = RESOLVE_NO_SYMLINKS;
	ck_assert_int_eq(do_openat2(dirfd, "link", &how, sizeof(how), 0), -ELOOP);
	how = (struct open_how){ .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = RESOLVE_CACHED };
	ck_assert_int_eq(do_openat2(dirfd, "created", &how, sizeof(how), 0), -EAGAIN);
}
END_TEST

/* --- CLOSE --- */

START_TEST(close_has_its_errnos)
{
	struct ringd_sqe *sqe;

	ck_assert_int_eq(do_close(-1, 0), -EBADF);
	ck_assert_int_eq(do_close(1, 1), -EINVAL);
	ck_assert_int_eq(do_close(0, 1), -ENXIO);
	rd_tc_files(&c, 2);
	ck_assert_int_eq(do_close(0, 1), -EBADF);
	ck_assert_int_eq(do_close(0, 3), -EINVAL);
	ck_assert_int_eq(do_close(0, RINGD_FILE_INDEX_ALLOC), -EINVAL);
	rd_tc_file(&c, 0, dirfd, 0);
	close_sqe(0, 1)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	for (int i = 0; i < 5; i++) {
		sqe = close_sqe(0, 1);
		sqe->off = i == 0;
		sqe->addr = i == 1;
		sqe->len = i == 2;
		sqe->rw_flags = i == 3;
		sqe->buf_index = i == 4;
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	}
	ck_assert_int_eq(do_close(0, 1), 0);
	ck_assert_int_eq(do_close(0, 1), -EBADF);
}
END_TEST

START_TEST(closing_a_slot_waits_for_the_close_and_its_tag_comes_first)
{
	struct ringd_cqe cqe;
	int fd;

	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, dirfd, 99);
	fd = slot_fd(0);
	close_sqe(0, 1);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 99);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, c.user_data);
	ck_assert_int_eq(cqe.res, 0);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 0);
}
END_TEST

START_TEST(the_error_of_close_is_returned)
{
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, dirfd, 0);
	close(slot_fd(0));		/* behind its back */
	ck_assert_int_eq(do_close(0, 1), -EBADF);
	ck_assert_int_eq(slot_fd(0), -1);
}
END_TEST

START_TEST(a_slot_in_use_is_closed_by_its_last_user)
{
	char *buf = rd_th_alloc(&th, 8);
	struct ringd_sqe *sqe;
	struct ringd_cqe cqe;
	int p[2], fd;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, p[0], 42);
	fd = slot_fd(0);
	sqe = rd_tc_sqe(&c, RINGD_OP_READ);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = (uintptr_t)buf;
	sqe->len = 8;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	ck_assert_int_eq(do_close(0, 1), 0);
	ck_assert_int_eq(slot_fd(0), -1);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	cqe = rd_tc_wait(&c);
	ck_assert_int_eq(cqe.res, 1);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 42);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	close(p[0]);
	close(p[1]);
}
END_TEST

/* --- opens that wait --- */

START_TEST(a_fifo_is_opened_when_the_other_end_is)
{
	struct ringd_cqe cqe;
	int other;

	ck_assert_int_eq(mkfifoat(dirfd, "fifo", 0600), 0);
	rd_tc_files(&c, 2);
	openat_sqe(dirfd, "fifo", O_RDONLY, 0, 1);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	ck_assert(!rd_tc_peek(&c, &cqe));
	ck_assert_int_eq(do_openat(dirfd, "file", O_RDONLY, 0, 2), 0);	/* others go on */
	other = openat(dirfd, "fifo", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	cqe = rd_tc_wait(&c);
	ck_assert_int_eq(cqe.res, 0);
	ck_assert_int_eq(do_openat(dirfd, "fifo", O_RDONLY | O_NONBLOCK, 0, 1), 0);
	close(other);
}
END_TEST

START_TEST(a_ring_that_dies_during_an_open_leaks_nothing)
{
	int before, after, other;

	ck_assert_int_eq(mkfifoat(dirfd, "fifo", 0600), 0);
	rd_tc_files(&c, 1);
	before = dup(0);
	close(before);
	openat_sqe(dirfd, "fifo", O_RDONLY, 0, 1);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	while (!th.engine.stats.punted)
		rd_th_turn(&th);
	/* until the worker sleeps in open(): the other end opens without waiting only if it does */
	while ((other = openat(dirfd, "fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		rd_th_turn(&th);
	rd_ring_kill(c.ring, RINGD_REASON_FREED);
	while (c.ring)
		rd_th_turn(&th);
	rd_th_settle(&th);
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 0);
	close(other);
	after = dup(0);
	close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

START_TEST(many_opens_and_closes_at_once)
{
	rd_tc_files(&c, 64);
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 64; i++)
			openat_sqe(dirfd, "file", O_RDWR, 0, RINGD_FILE_INDEX_ALLOC)->addr = rd_th_str(&th, "file");
		th.used -= 128 * 4096;
		ck_assert_int_eq(rd_tc_submit(&c), 64);
		for (int i = 0; i < 64; i++)
			ck_assert_int_ge(rd_tc_wait(&c).res, 0);
		for (uint32_t i = 0; i < 64; i++)
			close_sqe(0, i + 1);
		ck_assert_int_eq(rd_tc_submit(&c), 64);
		for (int i = 0; i < 64; i++)
			ck_assert_int_eq(rd_tc_wait(&c).res, 0);
	}
}
END_TEST

/* --- calls that would sleep for ever --- */

START_TEST(a_fifo_without_a_writer_does_not_keep_a_dead_ring)
{
	struct rd_req *req;

	ck_assert_int_eq(mkfifoat(dirfd, "fifo", 0600), 0);
	openat_sqe(dirfd, "fifo", O_RDONLY, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	/* until a worker has it */
	req = rd_list_first(&c.ring->ctx.pending, struct rd_req, link);
	while (rd_workers_cancel(th.engine.workers, &req->work)) {
		rd_workers_queue(th.engine.workers, &req->work);
		rd_th_turn(&th);
	}
	rd_tc_close(&c);	/* returns when it has come back */
}
END_TEST

START_TEST(opens_that_wait_leave_threads_for_others)
{
	ck_assert_int_eq(mkfifoat(dirfd, "fifo", 0600), 0);
	for (int i = 0; i < 60; i++)
		openat_sqe(dirfd, "fifo", O_RDONLY, 0, 0);
	ck_assert_int_eq(rd_tc_submit(&c), 60);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, dirfd, 0);
	for (int i = 0; i < 3; i++) {
		struct ringd_sqe *sqe = rd_tc_sqe(&c, RINGD_OP_FSYNC);

		sqe->flags = RINGD_SQE_FIXED_FILE;
		ck_assert_int_eq(rd_tc_run(&c), 0);
	}
	rd_tc_close(&c);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_slot_is_filled_and_usable, alloc_tells_the_slot, slots_have_their_errnos, a_failed_open_leaves_the_slot_alone,
		the_files_budget_counts_opens, a_plain_open_gives_the_client_a_descriptor,
		a_host_that_cannot_give_descriptors_does_not_open, openat_takes_flags_like_open, reserved_fields_are_checked,
		paths_have_their_errnos, relative_and_absolute_paths, names_of_the_engine_are_refused, openat2_is_strict,
		a_larger_how_must_end_in_zeros, resolve_flags_are_honoured, close_has_its_errnos,
		closing_a_slot_waits_for_the_close_and_its_tag_comes_first, the_error_of_close_is_returned,
		a_slot_in_use_is_closed_by_its_last_user, a_fifo_is_opened_when_the_other_end_is,
		a_ring_that_dies_during_an_open_leaks_nothing, many_opens_and_closes_at_once,
		opens_that_wait_leave_threads_for_others,
		a_fifo_without_a_writer_does_not_keep_a_dead_ring,
	};
	Suite *s = suite_create("ops_open");
	TCase *tc = tcase_create("open and close");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
