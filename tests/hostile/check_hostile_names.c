/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names that change under the engine's feet, attributes and lists as large as they get, pipes that never move. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "daemon/common/util.h"
#include "neverfs.h"
#include "scene.h"
#include "tests/unit/suite.h"

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static char dir[] = "/tmp/ringd-hostile-names-XXXXXX";

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 64, RINGD_SETUP_SUBMIT_ALL);
	raw_arena(&arena, &raw, RD_RAW_ARENA, 4u << 20);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0777), 0);
}

static void leave(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
}

static void teardown(void)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "new" };
	char path[128];

	leave();
	scene_check(&s);
	for (size_t i = 0; i < RD_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		remove(path);
	}
	rmdir(dir);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static void expect_alive(void)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };
	struct raw_ring second;

	raw_ring(&second, &raw, 8, 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(raw_one(&second, &sqe), 0);
	ck_assert_int_eq(raw_ring_free(&second), 0);
	raw_ring_drop(&second);
}

/* The client's address of a path in our directory, at off in the arena. */
static uint64_t path_at(size_t off, const char *name)
{
	snprintf(arena.ptr + off, 256, "%s/%s", dir, name);
	return RD_RAW_ARENA + off;
}

static const char *local(const char *name)
{
	static char path[2][128];
	static int turn;
	char *p = path[turn++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int lend(int32_t number, int fd)
{
	struct {
		struct ringd_fd_list list;
		int32_t number;
	} m = { .list = { .nr = 1 }, .number = number };

	return raw_call(&raw, &m.list.msg, RINGD_MSG_FD_LEND, sizeof(m.list) + sizeof(number), &fd, 1, NULL, 0);
}

/* --- names that change --- */

struct swapper {
	pthread_t thread;
	atomic_bool stop;
	char a[128], b[128];
};

static void *swap(void *arg)
{
	struct swapper *w = arg;

	while (!w->stop)
		renameat2(AT_FDCWD, w->a, AT_FDCWD, w->b, RENAME_EXCHANGE);
	return NULL;
}

static void swap_start(struct swapper *w)
{
	w->stop = false;
	strcpy(w->a, local("a"));
	strcpy(w->b, local("b"));
	ck_assert_int_eq(pthread_create(&w->thread, NULL, swap, w), 0);
}

static void swap_end(struct swapper *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
}

START_TEST(a_link_is_never_to_what_the_engine_is)
{
	RD_CLOSE int fd = open(local("a"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	struct ringd_sqe link = { .opcode = RINGD_OP_LINKAT, .fd = AT_FDCWD, .len = (uint32_t)AT_FDCWD,
				  .hardlink_flags = AT_SYMLINK_FOLLOW };
	struct stat want, st;
	struct swapper w;
	int done = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0666), 0);
	ck_assert_int_eq(fstat(fd, &want), 0);
	ck_assert_int_eq(symlink("/proc/self/exe", local("b")), 0);
	link.addr = path_at(0, "a");
	link.addr2 = path_at(256, "new");
	swap_start(&w);
	for (int i = 0; i < 300; i++) {
		int r = raw_one(&ring, &link);

		ck_assert_msg(r == 0 || r == -ELOOP || r == -ENOENT, "%d", r);
		if (r)
			continue;
		done++;
		ck_assert_int_eq(lstat(local("new"), &st), 0);
		ck_assert_uint_eq(st.st_ino, want.st_ino);
		ck_assert_int_eq(unlink(local("new")), 0);
	}
	swap_end(&w);
	ck_assert_int_gt(done, 0);
}
END_TEST

START_TEST(a_directory_that_becomes_a_way_into_procfs)
{
	static const uint8_t ops[] = { RINGD_OP_MKDIRAT, RINGD_OP_UNLINKAT, RINGD_OP_SYMLINKAT, RINGD_OP_RENAMEAT };
	struct swapper w;

	ck_assert_int_eq(mkdir(local("a"), 0777), 0);
	ck_assert_int_eq(chmod(local("a"), 0777), 0);
	ck_assert_int_eq(symlink("/proc/self/fd", local("b")), 0);
	swap_start(&w);
	for (int i = 0; i < 400; i++) {
		struct ringd_sqe sqe = { .opcode = ops[i % 4], .fd = AT_FDCWD, .addr = path_at(0, "a/0"),
					 .addr2 = path_at(256, "a/0") };
		int r;

		if (sqe.opcode == RINGD_OP_MKDIRAT || sqe.opcode == RINGD_OP_UNLINKAT)
			sqe.addr2 = 0;
		if (sqe.opcode == RINGD_OP_UNLINKAT)
			sqe.unlink_flags = AT_REMOVEDIR;
		if (sqe.opcode == RINGD_OP_RENAMEAT)
			sqe.len = (uint32_t)AT_FDCWD;
		r = raw_one(&ring, &sqe);
		ck_assert_msg(r == 0 || r == -EACCES || r == -ENOENT || r == -EEXIST || r == -ENOTDIR || r == -EXDEV,
			      "opcode %u: %d", sqe.opcode, r);
	}
	swap_end(&w);
	for (int i = 0; i < 2; i++) {
		char path[160];

		snprintf(path, sizeof(path), "%s/%c/0", dir, 'a' + i);
		remove(path);
	}
}
END_TEST

/* --- who never answers --- */

START_TEST(a_file_system_that_never_answers_a_name)
{
	struct neverfs n;
	RD_CLOSE int at = -1;
	struct ringd_sqe *sqe;

	if (!neverfs_mount(&n, false))
		return;		/* not root, or no FUSE */
	at = open(n.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(at, 0);
	ck_assert_int_eq(lend(7, at), 1);
	strcpy(arena.ptr, "file");
	strcpy(arena.ptr + 256, "user.name");
	for (int i = 0; i < 20; i++) {
		sqe = raw_sqe(&ring);
		*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_UNLINKAT, .fd = 7, .addr = RD_RAW_ARENA };
		sqe = raw_sqe(&ring);
		/* of a directory, which is no file that would be known to be slow by its kind */
		*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_FGETXATTR, .fd = 7, .addr = RD_RAW_ARENA + 256,
					   .addr2 = RD_RAW_ARENA + 4096, .len = 100 };
	}
	ck_assert_int_eq(raw_submit(&ring), 40);
	neverfs_wait(&n, 2);
	expect_alive();
	leave();
	neverfs_abort(&n);
}
END_TEST

/* --- as much as possible --- */

START_TEST(values_as_large_as_they_get)
{
	RD_CLOSE int fd = open(local("a"), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	strcpy(arena.ptr, "user.big");
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 60; i++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			*sqe = (struct ringd_sqe){ .opcode = i % 2 ? RINGD_OP_FSETXATTR : RINGD_OP_FGETXATTR,
						   .flags = RINGD_SQE_FIXED_FILE, .addr = RD_RAW_ARENA,
						   .addr2 = RD_RAW_ARENA + 4096, .len = i % 3 ? 65536 : UINT32_MAX - 5 };
		}
		ck_assert_int_eq(raw_submit(&ring), 60);
		for (int i = 0; round < 3 && i < 60; i++)
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	}
	expect_alive();		/* the last round is left to itself */
}
END_TEST

START_TEST(lists_as_long_as_they_get)
{
	const struct ringd_rsrc_register rr = { .nr = 100000, .flags = RINGD_RSRC_REGISTER_SPARSE };

	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES2, rr.nr, 0, &rr, sizeof(rr), NULL, 0), 0);
	memset(arena.ptr, 0xff, 1u << 20);
	for (int i = 0; i < 60; i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);

		*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_FILES_UPDATE, .addr = RD_RAW_ARENA,
					   .len = i % 3 ? rr.nr : UINT32_MAX, .off = i % 2 ? 0 : RINGD_FILE_INDEX_ALLOC };
	}
	ck_assert_int_eq(raw_submit(&ring), 60);
	expect_alive();
	/* the table goes while they run */
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), 0);
	expect_alive();
}
END_TEST

START_TEST(pipes_that_never_move)
{
	int p[2], slots[2];
	struct ringd_sqe *sqe;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	slots[0] = p[0];
	slots[1] = p[1];
	ck_assert_int_eq(raw_register_files(&ring, slots, 2), 0);
	for (int round = 0; round < 8; round++) {
		for (int i = 0; i < 60; i++) {
			sqe = raw_sqe(&ring);
			*sqe = (struct ringd_sqe){ .opcode = i % 2 ? RINGD_OP_SPLICE : RINGD_OP_TEE,
						   .flags = RINGD_SQE_FIXED_FILE, .fd = 1, .len = 100, .user_data = 5,
						   .splice_flags = RINGD_SPLICE_F_FD_IN_FIXED };
			if (i % 2)
				sqe->off = sqe->splice_off_in = UINT64_MAX;
		}
		ck_assert_int_eq(raw_submit(&ring), 60);
	}
	expect_alive();
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_ASYNC_CANCEL, .cancel_flags = RINGD_ASYNC_CANCEL_ANY };
	ck_assert_int_eq(raw_submit(&ring), 1);
	expect_alive();
	close(p[0]);
	close(p[1]);
}
END_TEST

START_TEST(advice_about_memory_in_use)
{
	static const int advice[] = { MADV_REMOVE, MADV_DONTNEED, MADV_WILLNEED, 22, 23, 25, 21, 102, 100, 14, 8 };
	RD_CLOSE int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_register_files(&ring, &fd, 1), 0);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 32; i++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE,
						   .addr = RD_RAW_ARENA, .len = 2u << 20 };
			sqe = raw_sqe(&ring);
			*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_MADVISE, .addr = RD_RAW_ARENA + 4096 * (scene_random() % 64),
						   .len = scene_random() % (3u << 20), .user_data = 1,
						   .fadvise_advice = (uint32_t)advice[scene_random() % RD_ARRAY_SIZE(advice)] };
		}
		ck_assert_int_eq(raw_submit(&ring), 64);
		for (int i = 0; i < 64; i++) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert(cqe.user_data == 1 || cqe.res == 2 << 20);
		}
	}
	expect_alive();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_link_is_never_to_what_the_engine_is, a_directory_that_becomes_a_way_into_procfs,
		a_file_system_that_never_answers_a_name, values_as_large_as_they_get, lists_as_long_as_they_get,
		pipes_that_never_move, advice_about_memory_in_use,
	};
	const char *missing = rd_daemon_missing();
	TCase *tc, *last;
	Suite *suite;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile names");
	tc = tcase_create("a client with names, lists and pipes");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
