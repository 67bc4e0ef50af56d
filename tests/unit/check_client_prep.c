/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: what the prep helpers put into SQEs and into the scratch area, seen from the engine's side. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

#define ENTRIES	8

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, ENTRIES, RINGD_SETUP_SQPOLL), 0);
	peer = &fake->rings[0];
	fake_stop(fake);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

/* Where the engine finds a client address of the scratch area. */
static const char *translate(uint64_t addr, size_t size)
{
	ck_assert_uint_ge(addr, peer->create.scratch_base);
	ck_assert_uint_le(addr + size, peer->create.scratch_base + peer->scratch_size);
	return peer->scratch + (addr - peer->create.scratch_base);
}

static struct ringd_sqe *get(void)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	return sqe;
}

/* Let the engine take all SQEs; drop the CQEs. */
static void consume(void)
{
	struct ringd_cqe *cqe;

	ck_assert_int_ge(ringd_submit(ring), 0);
	fake_visit(fake, peer);
	ck_assert_uint_eq(ringd_sq_ready(ring), 0);
	while (ringd_peek_cqe(ring, &cqe) == 0)
		ringd_cqe_seen(ring, cqe);
}

#define EXPECT(sqe, op, fd_, off_, addr_, len_, flags_) do { \
	ck_assert_uint_eq((sqe)->opcode, op); \
	ck_assert_int_eq((sqe)->fd, fd_); \
	ck_assert_uint_eq((sqe)->off, (uint64_t)(off_)); \
	ck_assert_uint_eq((sqe)->addr, (uint64_t)(addr_)); \
	ck_assert_uint_eq((sqe)->len, (uint32_t)(len_)); \
	ck_assert_uint_eq((sqe)->rw_flags, (uint32_t)(flags_)); \
} while (0)

START_TEST(members_of_simple_operations)
{
	char *buf = (char *)0x10000;
	struct ringd_sqe *sqe = get();

	memset(sqe, 0xff, sizeof(*sqe));
	sqe->user_data = 7;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ringd_prep_nop(sqe);
	EXPECT(sqe, RINGD_OP_NOP, -1, 0, 0, 0, 0);
	ck_assert_uint_eq(sqe->user_data, 7);
	ck_assert_uint_eq(sqe->flags, RINGD_SQE_FIXED_FILE);
	ringd_prep_read(sqe, 3, buf, 10, (uint64_t)-1);
	EXPECT(sqe, RINGD_OP_READ, 3, -1, 0x10000, 10, 0);
	ringd_prep_write(sqe, 3, buf, 10, 5);
	EXPECT(sqe, RINGD_OP_WRITE, 3, 5, 0x10000, 10, 0);
	ringd_prep_read_fixed(sqe, 3, buf, 10, 5, 2);
	EXPECT(sqe, RINGD_OP_READ_FIXED, 3, 5, 0x10000, 10, 0);
	ck_assert_uint_eq(sqe->buf_index, 2);
	ringd_prep_write_fixed(sqe, 3, buf, 10, 5, 1);
	EXPECT(sqe, RINGD_OP_WRITE_FIXED, 3, 5, 0x10000, 10, 0);
	ck_assert_uint_eq(sqe->buf_index, 1);
	ringd_prep_close(sqe, 9);
	EXPECT(sqe, RINGD_OP_CLOSE, 9, 0, 0, 0, 0);
	ck_assert_uint_eq(sqe->file_index, 0);
	ck_assert_uint_eq(sqe->buf_index, 0);
	ringd_prep_close_direct(sqe, 9);
	EXPECT(sqe, RINGD_OP_CLOSE, 0, 0, 0, 0, 0);
	ck_assert_uint_eq(sqe->file_index, 10);
	ringd_prep_fsync(sqe, 3, RINGD_FSYNC_DATASYNC);
	EXPECT(sqe, RINGD_OP_FSYNC, 3, 0, 0, 0, RINGD_FSYNC_DATASYNC);
	ringd_prep_sync_file_range(sqe, 3, 100, 4096, 7);
	EXPECT(sqe, RINGD_OP_SYNC_FILE_RANGE, 3, 4096, 0, 100, 7);
	ringd_prep_fallocate(sqe, 3, 1, 4096, 1ull << 40);
	EXPECT(sqe, RINGD_OP_FALLOCATE, 3, 4096, 1ull << 40, 1, 0);
	ringd_prep_ftruncate(sqe, 3, -5);
	EXPECT(sqe, RINGD_OP_FTRUNCATE, 3, -5, 0, 0, 0);
}
END_TEST

START_TEST(times_are_copied)
{
	struct timespec ts = { 3, 1500000000 };
	struct ringd_sqe *sqe = get();
	const int64_t *copy;

	memset(sqe, 0xff, sizeof(*sqe));
	ringd_prep_timeout(ring, sqe, &ts, 7, RINGD_TIMEOUT_ABS);
	EXPECT(sqe, RINGD_OP_TIMEOUT, -1, 7, sqe->addr, 1, RINGD_TIMEOUT_ABS);
	ck_assert_uint_eq(sqe->buf_index | sqe->file_index | sqe->addr3, 0);
	copy = (const void *)translate(sqe->addr, 16);
	ck_assert_int_eq(copy[0], 3);
	ck_assert_int_eq(copy[1], 1500000000);
	ringd_prep_link_timeout(ring, sqe, &ts, RINGD_TIMEOUT_REALTIME);
	EXPECT(sqe, RINGD_OP_LINK_TIMEOUT, -1, 0, sqe->addr, 1, RINGD_TIMEOUT_REALTIME);
	ck_assert_int_eq(*(const int64_t *)(const void *)translate(sqe->addr, 16), 3);
	ringd_prep_timeout_remove(sqe, 99, 0);
	EXPECT(sqe, RINGD_OP_TIMEOUT_REMOVE, -1, 0, 99, 0, 0);
	ringd_prep_timeout_update(ring, sqe, &ts, 99, RINGD_TIMEOUT_ABS);
	EXPECT(sqe, RINGD_OP_TIMEOUT_REMOVE, -1, sqe->off, 99, 0, RINGD_TIMEOUT_ABS | RINGD_TIMEOUT_UPDATE);
	ck_assert_int_eq(*(const int64_t *)(const void *)translate(sqe->off, 16), 3);
	ringd_prep_timeout(ring, sqe, NULL, 0, 0);
	EXPECT(sqe, RINGD_OP_TIMEOUT, -1, 0, 0, 1, 0);
}
END_TEST

START_TEST(immediate_times_are_numbers)
{
	static const struct {
		struct timespec ts;
		int64_t ns;
	} times[] = {
		{ { 0, 0 }, 0 }, { { 0, 5 }, 5 }, { { 2, 1500000000 }, 3500000000 }, { { -1, 0 }, -1 }, { { 0, -1 }, -1 },
		{ { INT64_MAX, 0 }, INT64_MAX }, { { INT64_MAX, INT64_MAX }, INT64_MAX },
		{ { INT64_MAX / 1000000000, 854775807 }, INT64_MAX }, { { 0, INT64_MAX }, INT64_MAX },
	};
	struct ringd_sqe *sqe = get();

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		ringd_prep_timeout(ring, sqe, &times[i].ts, 0, RINGD_TIMEOUT_IMMEDIATE_ARG);
		ck_assert_int_eq((int64_t)sqe->addr, times[i].ns);
	}
}
END_TEST

START_TEST(members_of_cancels)
{
	struct ringd_sqe *sqe = get();

	memset(sqe, 0xff, sizeof(*sqe));
	ringd_prep_cancel64(sqe, 1ull << 40, RINGD_ASYNC_CANCEL_ALL);
	EXPECT(sqe, RINGD_OP_ASYNC_CANCEL, -1, 0, 1ull << 40, 0, RINGD_ASYNC_CANCEL_ALL);
	ck_assert_uint_eq(sqe->buf_index | sqe->file_index | sqe->addr3, 0);
	ringd_prep_cancel(sqe, sqe, RINGD_ASYNC_CANCEL_ANY);
	EXPECT(sqe, RINGD_OP_ASYNC_CANCEL, -1, 0, (uint64_t)(uintptr_t)sqe, 0, RINGD_ASYNC_CANCEL_ANY);
	ringd_prep_cancel_fd(sqe, 7, RINGD_ASYNC_CANCEL_FD_FIXED);
	EXPECT(sqe, RINGD_OP_ASYNC_CANCEL, 7, 0, 0, 0, RINGD_ASYNC_CANCEL_FD_FIXED | RINGD_ASYNC_CANCEL_FD);
	memset(sqe, 0xff, sizeof(*sqe));
	ringd_prep_nop128(sqe);
	EXPECT(sqe, RINGD_OP_NOP128, -1, 0, 0, 0, 0);
}
END_TEST

START_TEST(members_of_polls)
{
	struct ringd_sqe *sqe = get();

	memset(sqe, 0xff, sizeof(*sqe));
	ringd_prep_poll_add(sqe, 4, 0x2041);
	EXPECT(sqe, RINGD_OP_POLL_ADD, 4, 0, 0, 0, 0x2041);
	ck_assert_uint_eq(sqe->buf_index | sqe->file_index | sqe->addr3, 0);
	ringd_prep_poll_multishot(sqe, 4, 1);
	EXPECT(sqe, RINGD_OP_POLL_ADD, 4, 0, 0, RINGD_POLL_ADD_MULTI, 1);
	ringd_prep_poll_remove(sqe, 77);
	EXPECT(sqe, RINGD_OP_POLL_REMOVE, -1, 0, 77, 0, 0);
	ringd_prep_poll_update(sqe, 77, 78, 4, RINGD_POLL_UPDATE_EVENTS | RINGD_POLL_UPDATE_USER_DATA);
	EXPECT(sqe, RINGD_OP_POLL_REMOVE, -1, 78, 77, RINGD_POLL_UPDATE_EVENTS | RINGD_POLL_UPDATE_USER_DATA, 4);
}
END_TEST

START_TEST(paths_are_copied)
{
	struct open_how how = { .flags = O_RDWR, .resolve = RESOLVE_BENEATH };
	char path[] = "/tmp/some/file";
	struct ringd_sqe *sqe = get();

	ringd_prep_openat(ring, sqe, AT_FDCWD, path, O_CREAT | O_RDWR, 0640);
	memset(path, 'z', 4);
	EXPECT(sqe, RINGD_OP_OPENAT, AT_FDCWD, 0, sqe->addr, 0640, O_CREAT | O_RDWR);
	ck_assert_str_eq(translate(sqe->addr, 15), "/tmp/some/file");
	ck_assert_uint_eq(sqe->file_index, 0);

	sqe = get();
	ringd_prep_openat_direct(ring, sqe, 77, "/a", O_RDONLY, 0, 5);
	ck_assert_uint_eq(sqe->file_index, 6);
	ck_assert_int_eq(sqe->fd, 77);
	ringd_prep_openat_direct(ring, sqe, 77, "/a", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC);
	ck_assert_uint_eq(sqe->file_index, RINGD_FILE_INDEX_ALLOC);

	sqe = get();
	ringd_prep_openat2_direct(ring, sqe, AT_FDCWD, "/b", &how, 0);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_OPENAT2);
	ck_assert_uint_eq(sqe->len, sizeof(how));
	ck_assert_uint_eq(sqe->file_index, 1);
	ck_assert_str_eq(translate(sqe->addr, 3), "/b");
	ck_assert_mem_eq(translate(sqe->addr2, sizeof(how)), &how, sizeof(how));

	sqe = get();
	ringd_prep_statx(ring, sqe, AT_FDCWD, "/c", AT_SYMLINK_NOFOLLOW, 0x7ff, (void *)0x1234);
	EXPECT(sqe, RINGD_OP_STATX, AT_FDCWD, 0x1234, sqe->addr, 0x7ff, AT_SYMLINK_NOFOLLOW);
	ck_assert_str_eq(translate(sqe->addr, 3), "/c");
	ck_assert_int_eq(fake->cwds, 0);
}
END_TEST

START_TEST(null_pointers_stay_null)
{
	struct ringd_sqe *sqe = get();

	ringd_prep_openat(ring, sqe, AT_FDCWD, NULL, 0, 0);
	ck_assert_uint_eq(sqe->addr, 0);
	ringd_prep_openat2(ring, sqe, AT_FDCWD, "/", NULL);
	ck_assert_uint_eq(sqe->addr2, 0);
	ringd_prep_readv(ring, sqe, 0, NULL, 3, 0, 0);
	EXPECT(sqe, RINGD_OP_READV, 0, 0, 0, 3, 0);
}
END_TEST

START_TEST(paths_at_the_limit)
{
	struct ringd_sqe *sqe = get();
	char path[PATH_MAX + 100];

	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[PATH_MAX - 1] = 0;
	ringd_prep_openat(ring, sqe, AT_FDCWD, path, 0, 0);
	ck_assert_str_eq(translate(sqe->addr, PATH_MAX), path);
	path[PATH_MAX - 1] = 'p';
	for (int more = 0; more < 2; more++) {
		path[PATH_MAX + more * 50] = 0;
		ringd_prep_openat(ring, sqe, AT_FDCWD, path, 0, 0);
		ck_assert_ptr_null(memchr(translate(sqe->addr, PATH_MAX + 1), 0, PATH_MAX + 1));
		path[PATH_MAX + more * 50] = 'p';
	}
}
END_TEST

START_TEST(members_of_buffers_and_waits)
{
	char *buf = (char *)0x10000;
	struct ringd_sqe *sqe = get();
	const struct futex_waitv v[2] = { { .val = 1, .uaddr = 4, .flags = 2 }, { .val = 2, .uaddr = 8, .flags = 2 } };

	memset(sqe, 0xff, sizeof(*sqe));
	ringd_prep_provide_buffers(sqe, buf, 100, 10, 3, 4);
	EXPECT(sqe, RINGD_OP_PROVIDE_BUFFERS, 10, 4, 0x10000, 100, 0);
	ck_assert_uint_eq(sqe->buf_group, 3);
	ringd_prep_remove_buffers(sqe, 10, 3);
	EXPECT(sqe, RINGD_OP_REMOVE_BUFFERS, 10, 0, 0, 0, 0);
	ck_assert_uint_eq(sqe->buf_group, 3);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ringd_prep_read_multishot(sqe, 5, 0, 9, 3);
	EXPECT(sqe, RINGD_OP_READ_MULTISHOT, 5, 9, 0, 0, 0);
	ck_assert_uint_eq(sqe->flags, RINGD_SQE_BUFFER_SELECT | RINGD_SQE_FIXED_FILE);
	ck_assert_uint_eq(sqe->buf_group, 3);
	ringd_prep_readv_fixed(ring, sqe, 5, &(struct iovec){ buf, 1 }, 1, 9, 8, 2);
	EXPECT(sqe, RINGD_OP_READV_FIXED, 5, 9, sqe->addr, 1, 8);
	ck_assert_uint_eq(sqe->buf_index, 2);
	ringd_prep_writev_fixed(ring, sqe, 5, &(struct iovec){ buf, 1 }, 1, 9, 8, 2);
	EXPECT(sqe, RINGD_OP_WRITEV_FIXED, 5, 9, sqe->addr, 1, 8);
	ringd_prep_futex_wait(sqe, (uint32_t *)(void *)buf, 5, 6, 2, 0);
	EXPECT(sqe, RINGD_OP_FUTEX_WAIT, 2, 5, 0x10000, 0, 0);
	ck_assert_uint_eq(sqe->addr3, 6);
	ringd_prep_futex_wake(sqe, (uint32_t *)(void *)buf, 5, 6, 2, 1);
	EXPECT(sqe, RINGD_OP_FUTEX_WAKE, 2, 5, 0x10000, 0, 1);
	ck_assert_uint_eq(sqe->addr3, 6);
	ringd_prep_futex_waitv(ring, sqe, v, 2, 0);
	EXPECT(sqe, RINGD_OP_FUTEX_WAITV, 0, 0, sqe->addr, 2, 0);
	ck_assert_uint_eq(sqe->addr3, 0);
	ck_assert_mem_eq(translate(sqe->addr, sizeof(v)), v, sizeof(v));
	ringd_prep_futex_waitv(ring, sqe, v, 129, 0);
	EXPECT(sqe, RINGD_OP_FUTEX_WAITV, 0, 0, 0, 129, 0);
	ringd_prep_waitid(sqe, 1, 77, buf, 4, 0);
	EXPECT(sqe, RINGD_OP_WAITID, 77, 0x10000, 0, 1, 0);
	ck_assert_uint_eq(sqe->file_index, 4);
	ringd_prep_epoll_wait(sqe, 6, (void *)buf, 12, 0);
	EXPECT(sqe, RINGD_OP_EPOLL_WAIT, 6, 0, 0x10000, 12, 0);
}
END_TEST

START_TEST(vectors_are_copied)
{
	static struct iovec iov[RINGD_MAX_IOVECS + 1];
	struct ringd_sqe *sqe = get();
	const uint64_t *copy;

	for (uintptr_t i = 0; i <= RINGD_MAX_IOVECS; i++)
		iov[i] = (struct iovec){ .iov_base = (void *)(i * 4096), .iov_len = i };
	ringd_prep_writev(ring, sqe, 4, iov, RINGD_MAX_IOVECS, 99, 8);
	EXPECT(sqe, RINGD_OP_WRITEV, 4, 99, sqe->addr, RINGD_MAX_IOVECS, 8);
	copy = (const void *)translate(sqe->addr, RINGD_MAX_IOVECS * 16);
	for (uint64_t i = 0; i < RINGD_MAX_IOVECS; i++) {
		ck_assert_uint_eq(copy[2 * i], i * 4096);
		ck_assert_uint_eq(copy[2 * i + 1], i);
	}
	ringd_prep_readv(ring, sqe, 4, iov, RINGD_MAX_IOVECS + 1, 0, 0);
	EXPECT(sqe, RINGD_OP_READV, 4, 0, 0, RINGD_MAX_IOVECS + 1, 0);
	ringd_prep_readv(ring, sqe, 4, iov, 0, 0, 0);
	EXPECT(sqe, RINGD_OP_READV, 4, 0, 0, 0, 0);
}
END_TEST

static void prep_numbered(struct ringd_sqe *sqe, unsigned int n)
{
	char path[32];

	snprintf(path, sizeof(path), "/%u", n);
	ringd_prep_openat(ring, sqe, AT_FDCWD, path, 0, 0);
}

static void expect_numbered(const struct ringd_sqe *sqe, unsigned int n)
{
	char path[32];

	snprintf(path, sizeof(path), "/%u", n);
	ck_assert_str_eq(translate(sqe->addr, 32), path);
}

/* All SQEs of a full SQ keep what they point to, in whatever order and however often they were prepared. */
START_TEST(scratch_of_unconsumed_sqes_is_theirs)
{
	static struct iovec iov[RINGD_MAX_IOVECS];
	struct ringd_sqe *sqe[ENTRIES];

	for (unsigned int lap = 0; lap < 10; lap++) {
		for (unsigned int i = 0; i < ENTRIES; i++)
			sqe[i] = get();
		for (unsigned int i = ENTRIES; i-- > 0;) {
			prep_numbered(sqe[i], 1000);
			ringd_prep_readv(ring, sqe[i], 0, iov, RINGD_MAX_IOVECS, 0, 0);
			prep_numbered(sqe[i], lap * 100 + i);
		}
		for (unsigned int i = 0; i < ENTRIES; i++)
			expect_numbered(sqe[i], lap * 100 + i);
		consume();
	}
}
END_TEST

START_TEST(scratch_of_sqes_left_in_the_sq_survives)
{
	struct ringd_sqe *left[4];

	for (unsigned int i = 0; i < 4; i++)
		prep_numbered(get(), i);
	for (unsigned int i = 0; i < 4; i++)
		prep_numbered(left[i] = get(), 100 + i);
	ck_assert_int_eq(ringd_submit(ring), 8);
	fake->take = 4;
	fake_visit(fake, peer);
	for (unsigned int i = 0; i < 4; i++)
		prep_numbered(get(), 200 + i);
	for (unsigned int i = 0; i < 4; i++)
		expect_numbered(left[i], 100 + i);
}
END_TEST

START_TEST(few_requests_in_flight_use_few_pages)
{
	struct ringd_sqe *sqe;
	uint64_t addr = 0;

	for (unsigned int i = 0; i < 100; i++) {
		prep_numbered(sqe = get(), i);
		if (addr)
			ck_assert_uint_eq(sqe->addr, addr);
		addr = sqe->addr;
		consume();
		ringd_prep_nop(get());	/* slots go on, blocks do not */
		consume();
	}
}
END_TEST

START_TEST(working_directory_is_told_when_it_moved)
{
	struct ringd_sqe *sqe = get();
	struct stat st;

	ck_assert_int_eq(chdir(fake->dir), 0);
	ck_assert_int_eq(stat(".", &st), 0);
	ringd_prep_openat(ring, sqe, AT_FDCWD, "file", 0, 0);
	ck_assert_int_eq(fake->cwds, 1);
	ck_assert_uint_eq(fake->cwd_ino, st.st_ino);
	ringd_prep_statx(ring, sqe, AT_FDCWD, "file", 0, 0, NULL);
	ringd_prep_openat(ring, sqe, 5, "file", 0, 0);
	ringd_prep_openat(ring, sqe, AT_FDCWD, "/file", 0, 0);
	ck_assert_int_eq(fake->cwds, 1);
	ck_assert_int_eq(chdir("/"), 0);
	ringd_prep_openat(ring, sqe, AT_FDCWD, "/file", 0, 0);
	ck_assert_int_eq(fake->cwds, 1);
	ringd_prep_openat(ring, sqe, AT_FDCWD, "file", 0, 0);
	ck_assert_int_eq(fake->cwds, 2);
	ck_assert_int_eq(stat("/", &st), 0);
	ck_assert_uint_eq(fake->cwd_ino, st.st_ino);
}
END_TEST

START_TEST(directory_that_cannot_be_told_fails_the_request)
{
	struct ringd_sqe *sqe = get();
	struct ringd_cqe *cqe;

	fake->fail = -EPERM;
	ringd_prep_openat_direct(ring, sqe, AT_FDCWD, "file", 0, 0, 3);
	sqe->user_data = 4;
	ck_assert_uint_eq(sqe->file_index, 0);
	ck_assert_int_eq(ringd_submit(ring), 1);
	fake_visit(fake, peer);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_int_eq(cqe->res, -EPERM);
	ck_assert_uint_eq(cqe->user_data, 4);
	/* and the next one tries again */
	ringd_prep_openat(ring, get(), AT_FDCWD, "file", 0, 0);
	ck_assert_int_eq(fake->cwds, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client prep");
	TCase *t = tcase_create("prep");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, members_of_simple_operations);
	tcase_add_test(t, times_are_copied);
	tcase_add_test(t, immediate_times_are_numbers);
	tcase_add_test(t, members_of_cancels);
	tcase_add_test(t, members_of_polls);
	tcase_add_test(t, paths_are_copied);
	tcase_add_test(t, null_pointers_stay_null);
	tcase_add_test(t, paths_at_the_limit);
	tcase_add_test(t, members_of_buffers_and_waits);
	tcase_add_test(t, vectors_are_copied);
	tcase_add_test(t, scratch_of_unconsumed_sqes_is_theirs);
	tcase_add_test(t, scratch_of_sqes_left_in_the_sq_survives);
	tcase_add_test(t, few_requests_in_flight_use_few_pages);
	tcase_add_test(t, working_directory_is_told_when_it_moved);
	tcase_add_test(t, directory_that_cannot_be_told_fails_the_request);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
