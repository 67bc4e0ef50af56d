/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, tables, buffers, tags and charges, without requests. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "daemon/common/util.h"
#include "daemon/engine/rsrc/stage.h"
#include "suite.h"
#include "testhost.h"

static struct rd_testhost th;
static char dir[] = "/tmp/ringd-rsrc-XXXXXX";

/* What a sink was given; held is released at once or kept by the test. */
static struct {
	struct rd_tag_sink sink;
	struct rd_held *held[16];
	unsigned int n;
	bool keep;
} posted;

static void post(struct rd_tag_sink *sink, struct rd_held *held)
{
	ck_assert_ptr_eq(sink, &posted.sink);
	ck_assert_uint_lt(posted.n, RD_ARRAY_SIZE(posted.held));
	posted.held[posted.n++] = held;
	if (!posted.keep)
		held->release(held);
}

static void setup(void)
{
	rd_th_init(&th, RD_BACKEND_SYNC);
	posted.sink.post = post;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	rd_th_deinit(&th);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int scratch_file(int flags)
{
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);

	ck_assert_int_ge(fd, 0);
	unlink("f");
	return fd;
}

static struct rd_file *file_of(int fd)
{
	struct rd_file *file;

	ck_assert_int_eq(rd_file_new(&file, &th.engine, fd), 0);
	return file;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* --- charges --- */

START_TEST(a_budget_is_spent_to_its_last_unit_and_no_further)
{
	struct rd_user user = { .limit[RINGD_LIMIT_FILES] = 10 };
	struct rd_charge a, b, c;

	ck_assert_int_eq(rd_charge_take(&a, &user, RINGD_LIMIT_FILES, 7), 0);
	ck_assert_int_eq(rd_charge_take(&b, &user, RINGD_LIMIT_FILES, 4), -EDQUOT);
	ck_assert_int_eq(rd_charge_take(&b, &user, RINGD_LIMIT_FILES, UINT64_MAX), -EDQUOT);
	ck_assert_int_eq(rd_charge_take(&b, &user, RINGD_LIMIT_FILES, UINT64_MAX - 6), -EDQUOT);
	ck_assert_int_eq(rd_charge_take(&b, &user, RINGD_LIMIT_FILES, 3), 0);
	ck_assert_int_eq(rd_charge_take(&c, &user, RINGD_LIMIT_RINGS, 1), -EDQUOT);
	ck_assert(!rd_user_idle(&user));
	user.limit[RINGD_LIMIT_FILES] = 2;	/* lowered while in use */
	ck_assert_int_eq(rd_charge_take(&c, &user, RINGD_LIMIT_FILES, 0), -EDQUOT);
	rd_charge_give(&a);
	rd_charge_give(&a);
	ck_assert_uint_eq(user.used[RINGD_LIMIT_FILES], 3);
	rd_charge_give(&b);
	ck_assert(rd_user_idle(&user));
}
END_TEST

START_TEST(every_limit_has_a_name_of_its_own)
{
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++) {
		for (unsigned int k = 0; k < i; k++)
			ck_assert_str_ne(rd_limit_name(i), rd_limit_name(k));
	}
	ck_assert_str_eq(rd_limit_name(RINGD_LIMIT_FILES), "files");
	ck_assert_str_eq(rd_limit_name(RINGD_LIMIT_MAX), "unknown");
}
END_TEST

START_TEST(staged_copies_are_paid_for_by_size)
{
	struct rd_user *user = &th.engine.user;
	void *a, *b;

	ck_assert_int_eq(rd_stage_new(&a, user, 4096), 0);
	memset(a, 1, 4096);
	ck_assert_uint_eq(user->used[RINGD_LIMIT_OBJECTS], 65);
	user->limit[RINGD_LIMIT_OBJECTS] = 66;
	ck_assert_int_eq(rd_stage_new(&b, user, 64), -EDQUOT);
	ck_assert_int_eq(rd_stage_new(&b, user, 63), 0);
	ck_assert_ptr_null(rd_stage_free(a));
	ck_assert_ptr_null(rd_stage_free(b));
	ck_assert_ptr_null(rd_stage_free(NULL));
	ck_assert_uint_eq(user->used[RINGD_LIMIT_OBJECTS], 0);
}
END_TEST

/* --- what a file is --- */

START_TEST(regular_files_are_hashed_by_inode)
{
	int fd = scratch_file(0), other = scratch_file(0);
	struct rd_file *a = file_of(dup(fd)), *b = file_of(fd), *c = file_of(other);

	ck_assert_uint_eq(a->flags, RD_FILE_REG);
	ck_assert_uint_ne(a->hash, 0);
	ck_assert_uint_eq(a->hash, b->hash);
	ck_assert_uint_ne(a->hash, c->hash);
	rd_file_put(a);
	rd_file_put(b);
	rd_file_put(c);
}
END_TEST

START_TEST(kinds_are_told_apart)
{
	int p[2], s[2];
	struct {
		int fd;
		uint32_t flags;
	} t[] = {
		{ open("/", O_RDONLY | O_CLOEXEC), RD_FILE_DIR },
		{ open("/dev/null", O_RDWR | O_CLOEXEC), RD_FILE_NULL },
		{ open("/dev/null", O_PATH | O_CLOEXEC), RD_FILE_PATH },
		{ open("/dev/zero", O_RDWR | O_CLOEXEC), 0 },
		{ open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY), RD_FILE_STREAM },
		{ eventfd(0, EFD_CLOEXEC), RD_FILE_STREAM },
		{ memfd_create("mine", MFD_CLOEXEC), RD_FILE_REG },
		{ scratch_file(O_DIRECT), RD_FILE_REG | RD_FILE_DIRECT },
		{ open("/tmp", O_PATH | O_CLOEXEC), RD_FILE_DIR | RD_FILE_PATH },
		{ pipe2(p, O_CLOEXEC) ? -1 : p[0], RD_FILE_STREAM },
		{ socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) ? -1 : s[0],
		  RD_FILE_STREAM | RD_FILE_CARRIER | RD_FILE_SOCK | RD_FILE_BYTES },
		{ socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), RD_FILE_STREAM | RD_FILE_SOCK | RD_FILE_INET | RD_FILE_BYTES },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(t); i++) {
		struct rd_file *file = file_of(t[i].fd);

		ck_assert_msg(file->flags == t[i].flags, "file %zu: flags %#x, not %#x", i, file->flags, t[i].flags);
		ck_assert_msg(!file->hash == !(t[i].flags & RD_FILE_REG), "file %zu: hash %#lx", i, (long)file->hash);
		rd_file_put(file);
	}
	close(p[1]);
	close(s[1]);
}
END_TEST

static void assert_refused(int fd)
{
	struct rd_file *file;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(rd_file_new(&file, &th.engine, fd), -EBADF);
	ck_assert_msg(is_open(fd), "taken over although refused");
	ck_assert_uint_eq(th.engine.user.used[RINGD_LIMIT_FILES], 0);
	close(fd);
}

START_TEST(files_that_would_act_on_the_engine_are_refused)
{
	struct io_uring_params params = { 0 };
	struct rd_file *file;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_refused(signalfd(-1, &set, SFD_CLOEXEC));
	assert_refused(memfd_create("ringd-ring", MFD_CLOEXEC));
	fd = (int)syscall(SYS_io_uring_setup, 2, &params);
	if (fd >= 0)
		assert_refused(fd);
	ck_assert_int_eq(rd_file_new(&file, &th.engine, -1), -EBADF);
}
END_TEST

START_TEST(the_files_budget_is_enforced)
{
	int fd = scratch_file(0), fd2 = dup(fd);
	struct rd_file *a, *b;

	th.engine.user.limit[RINGD_LIMIT_FILES] = 1;
	a = file_of(fd);
	ck_assert_int_eq(rd_file_new(&b, &th.engine, fd2), -EDQUOT);
	ck_assert(is_open(fd2));
	rd_file_put(a);
	rd_th_settle(&th);
	ck_assert(!is_open(fd));
	rd_file_put(file_of(fd2));
}
END_TEST

static int closed_res;
static unsigned int closed_calls;

static void on_closed(void *arg, int res)
{
	ck_assert_ptr_eq(arg, &closed_res);
	closed_res = res;
	closed_calls++;
}

START_TEST(the_last_reference_closes_and_tells)
{
	int fd = scratch_file(0);
	struct rd_file *file = file_of(fd);

	rd_file_get(file);
	ck_assert(!rd_file_put_notify(file, on_closed, &closed_res));
	rd_th_turn(&th);
	ck_assert(is_open(fd));
	closed_res = 1;
	ck_assert(rd_file_put_notify(file, on_closed, &closed_res));
	rd_th_settle(&th);
	ck_assert_uint_eq(closed_calls, 1);
	ck_assert_int_eq(closed_res, 0);
	ck_assert(!is_open(fd));
}
END_TEST

START_TEST(the_error_of_close_is_told)
{
	int fd = scratch_file(0);
	struct rd_file *file = file_of(fd);

	close(fd);	/* behind its back: the worker's close() fails */
	ck_assert(rd_file_put_notify(file, on_closed, &closed_res));
	rd_th_settle(&th);
	ck_assert_int_eq(closed_res, -EBADF);
}
END_TEST

/* --- tags --- */

START_TEST(a_tag_is_posted_when_the_file_is_closed_and_kept_until_released)
{
	int fd = scratch_file(0);
	struct rd_file *file = file_of(fd);

	posted.keep = true;
	rd_node_set_tag(&file->node, &posted.sink, 77);
	ck_assert_uint_eq(posted.sink.nodes, 1);
	rd_file_put(file);
	ck_assert_uint_eq(posted.n, 0);
	while (!posted.n)
		rd_th_turn(&th);
	ck_assert(!is_open(fd));
	ck_assert_uint_eq(posted.sink.nodes, 0);
	ck_assert_uint_eq(posted.held[0]->user_data, 77);
	ck_assert_int_eq(posted.held[0]->res, 0);
	ck_assert_uint_eq(posted.held[0]->flags, 0);
	posted.held[0]->release(posted.held[0]);
}
END_TEST

START_TEST(tag_zero_and_a_forgotten_tag_post_nothing)
{
	struct rd_file *a = file_of(scratch_file(0)), *b = file_of(scratch_file(0));

	rd_node_set_tag(&a->node, &posted.sink, 0);
	rd_node_set_tag(&b->node, &posted.sink, 5);
	rd_node_clear_tag(&b->node);
	rd_file_put(a);
	rd_file_put(b);
	rd_th_settle(&th);
	ck_assert_uint_eq(posted.n, 0);
	ck_assert_uint_eq(posted.sink.nodes, 0);
}
END_TEST

/* --- file table --- */

static struct rd_filetable table;

static int install(uint32_t file_index)
{
	struct rd_file *file = file_of(scratch_file(0));
	int r = rd_filetable_install(&table, file_index, file);

	if (r < 0)
		rd_file_put(file);
	return r;
}

static void remove_slot(uint32_t slot)
{
	struct rd_file *old = rd_filetable_swap(&table, slot, NULL);

	ck_assert_ptr_nonnull(old);
	rd_file_put(old);
}

START_TEST(table_sizes_have_their_errnos)
{
	struct rd_user *user = &th.engine.user;

	ck_assert_int_eq(rd_filetable_init(&table, user, 0), -EINVAL);
	ck_assert_int_eq(rd_filetable_init(&table, user, 1048577), -EMFILE);
	user->limit[RINGD_LIMIT_OBJECTS] = 99;
	ck_assert_int_eq(rd_filetable_init(&table, user, 100), -EDQUOT);
	ck_assert_int_eq(rd_filetable_init(&table, user, 99), 0);
	ck_assert_int_eq(rd_filetable_init(&table, user, 1), -EBUSY);
	rd_filetable_deinit(&table);
	ck_assert(rd_user_idle(user));
	rd_filetable_deinit(&table);
}
END_TEST

START_TEST(installing_has_its_errnos)
{
	ck_assert_int_eq(install(1), -ENXIO);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), -ENFILE);
	ck_assert_int_eq(rd_filetable_init(&table, &th.engine.user, 2), 0);
	ck_assert_int_eq(install(3), -EINVAL);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC - 1), -EINVAL);
	ck_assert_int_eq(install(2), 0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), -ENFILE);
	ck_assert_int_eq(install(2), 0);	/* replaces */
	ck_assert_ptr_nonnull(rd_filetable_get(&table, 1));
	ck_assert_ptr_null(rd_filetable_get(&table, 2));
	ck_assert_ptr_null(rd_filetable_get(&table, UINT32_MAX));
	rd_filetable_deinit(&table);
	ck_assert_ptr_null(rd_filetable_get(&table, 0));
}
END_TEST

START_TEST(allocation_follows_the_hint)
{
	ck_assert_int_eq(rd_filetable_init(&table, &th.engine.user, 200), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), i);
	remove_slot(0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 3);
	ck_assert_int_eq(install(199 + 1), 0);			/* the last one: the hint is beyond the table */
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 4);
	ck_assert_int_eq(install(63 + 1), 0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 64);	/* over the edge of a word */
	remove_slot(1);
	remove_slot(2);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 2);	/* the one freed last */
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 5);
	rd_filetable_deinit(&table);
}
END_TEST

START_TEST(allocation_comes_round)
{
	ck_assert_int_eq(rd_filetable_init(&table, &th.engine.user, 4), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), i);
	remove_slot(0);
	remove_slot(1);
	ck_assert_int_eq(install(1 + 1), 0);		/* all that is behind the hint is in use */
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), -ENFILE);
	rd_filetable_deinit(&table);
}
END_TEST

START_TEST(allocation_stays_inside_its_range)
{
	ck_assert_int_eq(rd_filetable_set_range(&table, 0, 1), -EINVAL);	/* no table */
	ck_assert_int_eq(rd_filetable_set_range(&table, 0, 0), 0);
	ck_assert_int_eq(rd_filetable_init(&table, &th.engine.user, 130), 0);
	ck_assert_int_eq(rd_filetable_set_range(&table, 1, UINT32_MAX), -EOVERFLOW);
	ck_assert_int_eq(rd_filetable_set_range(&table, 1, 130), -EINVAL);
	ck_assert_int_eq(rd_filetable_set_range(&table, 62, 4), 0);
	ck_assert_int_eq(install(63 + 1), 0);			/* explicit slots do not care */
	ck_assert_int_eq(install(0 + 1), 0);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 62);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 64);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 65);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), -ENFILE);
	remove_slot(0);						/* outside: of no use */
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), -ENFILE);
	remove_slot(64);
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), 64);
	ck_assert_int_eq(rd_filetable_set_range(&table, 130, 0), 0);	/* nothing may be allocated */
	ck_assert_int_eq(install(RINGD_FILE_INDEX_ALLOC), -ENFILE);
	rd_filetable_deinit(&table);
}
END_TEST

START_TEST(a_table_can_be_filled_and_goes_as_a_whole)
{
	int fd = scratch_file(0);

	ck_assert_int_eq(rd_filetable_init(&table, &th.engine.user, 100), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(rd_filetable_install(&table, RINGD_FILE_INDEX_ALLOC, file_of(dup(fd))), i);
	ck_assert_int_eq(rd_filetable_find(&table), -ENFILE);
	rd_node_set_tag(&table.slots[50]->node, &posted.sink, 50);
	rd_filetable_deinit(&table);
	rd_th_settle(&th);
	ck_assert_uint_eq(posted.n, 1);
	close(fd);
}
END_TEST

START_TEST(a_removed_file_lives_until_its_last_user)
{
	int fd = scratch_file(0);
	struct rd_file *file = file_of(fd);

	rd_node_set_tag(&file->node, &posted.sink, 9);
	ck_assert_int_eq(rd_filetable_init(&table, &th.engine.user, 1), 0);
	ck_assert_int_eq(rd_filetable_install(&table, 1, file), 0);
	rd_file_get(file);
	rd_filetable_deinit(&table);
	rd_th_turn(&th);
	ck_assert(is_open(fd));
	ck_assert_uint_eq(posted.n, 0);
	rd_file_put(file);
	rd_th_settle(&th);
	ck_assert_uint_eq(posted.n, 1);
}
END_TEST

/* --- buffers --- */

START_TEST(buffers_must_be_client_memory)
{
	uint64_t base = (uintptr_t)th.arena;
	struct rd_buf *buf;
	struct {
		uint64_t addr, len;
	} bad[] = {
		{ 0, 4096 }, { base, 0 }, { base - 1, 2 }, { base, RD_TH_ARENA + 1 }, { base + RD_TH_ARENA, 1 },
		{ base, (1ull << 30) + 1 }, { UINT64_MAX, 2 }, { base, UINT64_MAX }, { base + 1, UINT64_MAX - base },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(rd_buf_new(&buf, &th.host, bad[i].addr, bad[i].len), -EFAULT);
	ck_assert_uint_eq(th.mem.refs, 1);
	ck_assert_int_eq(rd_buf_new(&buf, &th.host, base, RD_TH_ARENA), 0);
	ck_assert_uint_eq(th.mem.refs, 2);
	rd_buf_put(buf);
	ck_assert_uint_eq(th.mem.refs, 1);
}
END_TEST

START_TEST(ranges_lie_wholly_inside_a_buffer)
{
	uint64_t base = (uintptr_t)th.arena + 4096;
	struct rd_buf *buf;

	ck_assert_int_eq(rd_buf_new(&buf, &th.host, base, 4096), 0);
	ck_assert_ptr_eq(rd_buf_range(buf, base, 4096), th.arena + 4096);
	ck_assert_ptr_eq(rd_buf_range(buf, base + 4095, 1), th.arena + 8191);
	ck_assert_ptr_eq(rd_buf_range(buf, base + 4096, 0), th.arena + 8192);
	ck_assert_ptr_null(rd_buf_range(buf, base - 1, 1));
	ck_assert_ptr_null(rd_buf_range(buf, base, 4097));
	ck_assert_ptr_null(rd_buf_range(buf, base + 4096, 1));
	ck_assert_ptr_null(rd_buf_range(buf, base + 1, UINT64_MAX));
	ck_assert_ptr_null(rd_buf_range(buf, UINT64_MAX, 1));
	rd_buf_put(buf);
}
END_TEST

START_TEST(buffer_tables_have_their_errnos_and_tags)
{
	struct rd_user *user = &th.engine.user;
	struct rd_buftable bufs = { 0 };
	struct rd_buf *a, *b;

	ck_assert_int_eq(rd_buftable_init(&bufs, user, 0), -EINVAL);
	ck_assert_int_eq(rd_buftable_init(&bufs, user, 16385), -EINVAL);
	user->limit[RINGD_LIMIT_OBJECTS] = 1;
	ck_assert_int_eq(rd_buftable_init(&bufs, user, 2), -EDQUOT);
	user->limit[RINGD_LIMIT_OBJECTS] = 2;
	ck_assert_int_eq(rd_buftable_init(&bufs, user, 2), 0);
	ck_assert_int_eq(rd_buftable_init(&bufs, user, 1), -EBUSY);
	ck_assert_int_eq(rd_buf_new(&a, &th.host, (uintptr_t)th.arena, 1), 0);
	ck_assert_int_eq(rd_buf_new(&b, &th.host, (uintptr_t)th.arena, 2), 0);
	rd_node_set_tag(&a->node, &posted.sink, 1);
	rd_node_set_tag(&b->node, &posted.sink, 2);
	ck_assert_ptr_null(rd_buftable_swap(&bufs, 1, a));
	ck_assert_ptr_eq(rd_buftable_get(&bufs, 1), a);
	ck_assert_ptr_null(rd_buftable_get(&bufs, 0));
	ck_assert_ptr_null(rd_buftable_get(&bufs, 2));
	rd_buf_get(a);		/* a request */
	ck_assert_ptr_eq(rd_buftable_swap(&bufs, 1, b), a);
	rd_buf_put(a);
	ck_assert_uint_eq(posted.n, 0);
	rd_buf_put(a);
	ck_assert_uint_eq(posted.n, 1);
	rd_buftable_deinit(&bufs);
	ck_assert_uint_eq(posted.n, 2);
	ck_assert(rd_user_idle(user));
	rd_buftable_deinit(&bufs);
}
END_TEST

static void add(Suite *s, const char *name, const TTest *const *tests, size_t n)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
}

int main(void)
{
	Suite *s = suite_create("rsrc");
	const TTest *const charges[] = {
		a_budget_is_spent_to_its_last_unit_and_no_further, every_limit_has_a_name_of_its_own,
		staged_copies_are_paid_for_by_size,
	};
	const TTest *const files[] = {
		regular_files_are_hashed_by_inode, kinds_are_told_apart, files_that_would_act_on_the_engine_are_refused,
		the_files_budget_is_enforced, the_last_reference_closes_and_tells, the_error_of_close_is_told,
	};
	const TTest *const tags[] = {
		a_tag_is_posted_when_the_file_is_closed_and_kept_until_released, tag_zero_and_a_forgotten_tag_post_nothing,
	};
	const TTest *const tables[] = {
		table_sizes_have_their_errnos, installing_has_its_errnos, allocation_follows_the_hint, allocation_comes_round,
		allocation_stays_inside_its_range, a_table_can_be_filled_and_goes_as_a_whole,
		a_removed_file_lives_until_its_last_user,
	};
	const TTest *const buffers[] = {
		buffers_must_be_client_memory, ranges_lie_wholly_inside_a_buffer, buffer_tables_have_their_errnos_and_tags,
	};

	add(s, "charges", charges, RD_ARRAY_SIZE(charges));
	add(s, "files", files, RD_ARRAY_SIZE(files));
	add(s, "tags", tags, RD_ARRAY_SIZE(tags));
	add(s, "file tables", tables, RD_ARRAY_SIZE(tables));
	add(s, "buffers", buffers, RD_ARRAY_SIZE(buffers));
	return rd_suite_main(s);
}
