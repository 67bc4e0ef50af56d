/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client that lies about memory: ranges at the edges of arenas, wrap-arounds, iovecs, paths, tables that change in use. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define SIZE	(16 * PAGE)
#define A	RD_RAW_ARENA		/* three arenas: A, B right behind it, C at the very end */
#define B	(A + SIZE)
#define C	(0ull - 2 * SIZE)
#define END_C	(0ull - SIZE)

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena a, b, c;
static int file;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	char block[4 * PAGE];

	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 64, 0);
	raw_arena(&a, &raw, A, SIZE);
	raw_arena(&b, &raw, B, SIZE);
	raw_arena(&c, &raw, C, SIZE);
	file = memfd_create("data", MFD_CLOEXEC);
	ck_assert_int_ge(file, 0);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(write(file, block, sizeof(block)), sizeof(block));
	ck_assert_int_eq(raw_register_files(&ring, &file, 1), 0);
}

static void teardown(void)
{
	raw_arena_drop(&a);
	raw_arena_drop(&b);
	raw_arena_drop(&c);
	raw_ring_drop(&ring);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- data --- */

struct range {
	uint64_t addr;
	uint32_t len;
	int res;
};

static const struct range ranges[] = {
	{ A, PAGE, PAGE },
	{ A, SIZE, SIZE },
	{ A + SIZE - 1, 1, 1 },
	{ A + 1, SIZE - 1, SIZE - 1 },
	{ A + 1, SIZE, -EFAULT },		/* ends in B: one range, one arena */
	{ A + SIZE - 1, 2, -EFAULT },
	{ A, SIZE + 1, -EFAULT },
	{ A - 1, 1, -EFAULT },
	{ A - 1, 2, -EFAULT },
	{ A - PAGE, SIZE, -EFAULT },
	{ B, SIZE, SIZE },
	{ B + SIZE - 1, 1, 1 },
	{ B + SIZE, 1, -EFAULT },
	{ B + SIZE - 1, 2, -EFAULT },
	{ B, 0x7ffff000, -EFAULT },
	{ B, 0xffffffff, -EFAULT },
	{ C, SIZE, SIZE },
	{ END_C - 1, 1, 1 },
	{ END_C, 1, -EFAULT },
	{ END_C - 1, 2, -EFAULT },
	{ C, 0xffffffff, -EFAULT },		/* wraps round to 0 and beyond */
	{ UINT64_MAX, 1, -EFAULT },
	{ UINT64_MAX, 0xffffffff, -EFAULT },
	{ UINT64_MAX - PAGE + 1, PAGE, -EFAULT },
	{ 0, 1, -EFAULT },
	{ 1, 0xffffffff, -EFAULT },
	{ 1ull << 63, PAGE, -EFAULT },
	{ 0, 0, 0 },
	{ UINT64_MAX, 0, 0 },
};

START_TEST(data_lies_in_one_arena_or_is_efault)
{
	static const uint8_t ops[] = { RINGD_OP_READ, RINGD_OP_WRITE };
	const struct range *r = &ranges[_i];

	for (size_t i = 0; i < RD_ARRAY_SIZE(ops); i++) {
		const struct ringd_sqe sqe = { .opcode = ops[i], .flags = RINGD_SQE_FIXED_FILE, .addr = r->addr, .len = r->len };

		ck_assert_int_eq(raw_one(&ring, &sqe), r->res);
	}
}
END_TEST

START_TEST(iovecs_to_the_same_places_say_the_same)
{
	const struct range *r = &ranges[_i];
	struct ringd_sqe sqe = { .opcode = RINGD_OP_READV, .flags = RINGD_SQE_FIXED_FILE, .addr = ring.scratch_base, .len = 2 };
	uint64_t iov[4] = { A, 16, r->addr, r->len };

	memcpy(ring.scratch, iov, sizeof(iov));
	ck_assert_int_eq(raw_one(&ring, &sqe), r->res < 0 ? r->res : r->res + 16);
	/* the array may as well be in an arena, but it has to be there as a whole */
	memcpy(a.ptr, iov, sizeof(iov));
	sqe.addr = A;
	sqe.off = 1;
	ck_assert_int_eq(raw_one(&ring, &sqe), r->res < 0 ? r->res : r->res + 16);
}
END_TEST

START_TEST(scratch_is_for_inputs_and_rings_are_for_nothing)
{
	const uint64_t addrs[] = { ring.scratch_base, ring.scratch_base + ring.scratch_size - 1, (uintptr_t)ring.hot,
				   (uintptr_t)ring.sqes, (uintptr_t)ring.rings, (uintptr_t)&addrs };

	for (size_t i = 0; i < RD_ARRAY_SIZE(addrs); i++) {
		const struct ringd_sqe sqe = { .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = addrs[i], .len = 1 };

		ck_assert_int_eq(raw_one(&ring, &sqe), -EFAULT);
	}
}
END_TEST

START_TEST(iovec_arrays_that_lie)
{
	const uint64_t end = ring.scratch_base + ring.scratch_size;
	const struct {
		uint64_t addr;
		uint32_t nr;
		int res;
	} arrays[] = {
		{ ring.scratch_base, 0, 0 },
		{ 0, 0, 0 },
		{ ring.scratch_base, 1025, -EINVAL },
		{ ring.scratch_base, 0x7fffffff, -EINVAL },
		{ ring.scratch_base, 0xffffffff, -EINVAL },
		{ end, 1, -EFAULT },
		{ end - 8, 1, -EFAULT },
		{ end - 16 * 1023, 1024, -EFAULT },
		{ UINT64_MAX - 7, 1, -EFAULT },
		{ UINT64_MAX - 16 * 1024, 1024, -EFAULT },
		{ A + SIZE - 8, 1, -EFAULT },		/* half in A, half in B */
		{ 16, 1, -EFAULT },
	};

	memset(ring.scratch, 0, ring.scratch_size);
	for (size_t i = 0; i < RD_ARRAY_SIZE(arrays); i++) {
		const struct ringd_sqe sqe = { .opcode = i % 2 ? RINGD_OP_READV : RINGD_OP_WRITEV, .flags = RINGD_SQE_FIXED_FILE,
					       .addr = arrays[i].addr, .len = arrays[i].nr };
		int r = raw_one(&ring, &sqe);

		ck_assert_msg(r == arrays[i].res, "array %zu: %d", i, r);
	}
}
END_TEST

START_TEST(iovec_lengths_that_wrap)
{
	const uint64_t iovs[][4] = {
		{ A, 1ull << 63, A, 1 }, { A, UINT64_MAX, A, 2 }, { A, 1, A, UINT64_MAX }, { A, UINT64_MAX, A, UINT64_MAX },
	};
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_READV, .flags = RINGD_SQE_FIXED_FILE, .addr = ring.scratch_base, .len = 2 };

	for (size_t i = 0; i < RD_ARRAY_SIZE(iovs); i++) {
		memcpy(ring.scratch, iovs[i], sizeof(iovs[i]));
		ck_assert_int_eq(raw_one(&ring, &sqe), -EINVAL);
	}
}
END_TEST

/* --- paths --- */

START_TEST(paths_without_an_end)
{
	const uint64_t end = ring.scratch_base + ring.scratch_size;
	const struct {
		uint64_t addr;
		int res;
	} paths[] = {
		{ ring.scratch_base, -ENAMETOOLONG },
		{ end - PATH_MAX, -ENAMETOOLONG },
		{ end - PATH_MAX + 1, -EFAULT },	/* the end of the scratch comes before the end of patience */
		{ end - 1, -EFAULT },
		{ end, -EFAULT },
		{ 0, -EFAULT },
		{ UINT64_MAX, -EFAULT },
		{ C + SIZE - 1, -EFAULT },
		{ C, -ENAMETOOLONG },
	};

	memset(ring.scratch, 'p', ring.scratch_size);
	memset(c.ptr, 'p', SIZE);
	for (size_t i = 0; i < RD_ARRAY_SIZE(paths); i++) {
		const struct ringd_sqe sqe = { .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = paths[i].addr, .file_index = 1 };
		int r = raw_one(&ring, &sqe);

		ck_assert_msg(r == paths[i].res, "path %zu: %d", i, r);
	}
}
END_TEST

START_TEST(names_that_mean_the_engine_are_refused)
{
	const struct {
		const char *path;
		int res;
	} names[] = {
		{ "/proc/self/mem", -EACCES }, { "/proc/thread-self/maps", -EACCES }, { "/proc/self/fd/3", -ELOOP },
		{ "/proc/self/exe", -ELOOP }, { "/dev/fd/3", -ELOOP }, { "/dev/tty", -ENXIO }, { "", -ENOENT },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(names); i++) {
		const struct ringd_sqe sqe = { .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = ring.scratch_base,
					       .open_flags = O_RDONLY, .file_index = 1 };
		int r;

		strcpy(ring.scratch, names[i].path);
		r = raw_one(&ring, &sqe);
		ck_assert_msg(r == names[i].res, "%s: %d", names[i].path, r);
	}
}
END_TEST

/* --- arenas --- */

START_TEST(arenas_that_cannot_be)
{
	const struct {
		uint64_t base, size;
		uint32_t flags;
		int res;
	} bad[] = {
		{ A + 4 * SIZE, 0, 0, -EINVAL },
		{ A + 4 * SIZE, 1, 0, -EINVAL },
		{ A + 4 * SIZE, PAGE + 1, 0, -EINVAL },
		{ A + 4 * SIZE, PAGE, 2, -EINVAL },
		{ A + 4 * SIZE, PAGE, 0x80000000, -EINVAL },
		{ A + 4 * SIZE, PAGE, RINGD_ARENA_HUGE, -EINVAL },
		{ 0, PAGE, 0, -EINVAL },
		{ A + 4 * SIZE + 1, PAGE, 0, -EINVAL },
		{ 0ull - PAGE, 2 * PAGE, 0, -EINVAL },		/* wraps */
		{ 0ull - SIZE, SIZE + PAGE, 0, -EINVAL },
		{ A, PAGE, 0, -EEXIST },
		{ A + PAGE, PAGE, 0, -EEXIST },
		{ A - PAGE, 2 * PAGE, 0, -EEXIST },
		{ A - PAGE, 64 * SIZE, 0, -EEXIST },
		{ B + SIZE - PAGE, 2 * PAGE, 0, -EEXIST },
		{ ring.scratch_base + PAGE, PAGE, 0, -EEXIST },
		{ A + 4 * SIZE, 1ull << 62, 0, -EDQUOT },
		{ A + 4 * SIZE, 1ull << 63, 0, -EDQUOT },
		{ PAGE, 0ull - PAGE, 0, -EDQUOT },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		struct raw_arena x;
		int r = raw_try_arena(&x, &raw, bad[i].base, bad[i].size, bad[i].flags);

		ck_assert_msg(r == bad[i].res, "arena %zu: %d, %s", i, r, raw.text);
	}
}
END_TEST

START_TEST(rings_that_cannot_be)
{
	const struct {
		struct ringd_params params;
		uint64_t base;
		int res;
	} bad[] = {
		{ { .sq_entries = 0 }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 32769 }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = UINT32_MAX }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .resv = { 0, 0, 1 } }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .flags = 1u << 31 }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP }, B + 9 * SIZE, -EFAULT },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP, .cq_off.user_addr = A }, B + 9 * SIZE, -EFAULT },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP, .sq_off.user_addr = A }, B + 9 * SIZE, -EFAULT },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP, .sq_off.user_addr = A, .cq_off.user_addr = A + 64 },
		  B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP, .sq_off.user_addr = A, .cq_off.user_addr = A + SIZE - PAGE / 2 },
		  B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 128, .flags = RINGD_SETUP_NO_MMAP, .sq_off.user_addr = A + SIZE - PAGE, .cq_off.user_addr = A },
		  B + 9 * SIZE, -EFAULT },	/* its end is outside */
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP, .sq_off.user_addr = 0ull - PAGE, .cq_off.user_addr = A },
		  B + 9 * SIZE, -EFAULT },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_NO_MMAP, .sq_off.user_addr = ring.scratch_base, .cq_off.user_addr = A },
		  B + 9 * SIZE, -EFAULT },	/* scratch is no arena */
		{ { .sq_entries = 8, .flags = RINGD_SETUP_ATTACH_WQ, .wq_fd = 12345 }, B + 9 * SIZE, -ENXIO },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_ATTACH_WQ }, B + 9 * SIZE, -ENXIO },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_ATTACH_WQ | RINGD_SETUP_SQPOLL, .wq_fd = ring.id }, B + 9 * SIZE,
		  -EINVAL },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_SQPOLL | RINGD_SETUP_SQ_AFF, .sq_thread_cpu = 8191 }, B + 9 * SIZE,
		  -EINVAL },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_SQPOLL | RINGD_SETUP_SQ_AFF, .sq_thread_cpu = UINT32_MAX },
		  B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .flags = RINGD_SETUP_CQSIZE }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .cq_entries = 4, .flags = RINGD_SETUP_CQSIZE }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8, .cq_entries = 65537, .flags = RINGD_SETUP_CQSIZE }, B + 9 * SIZE, -EINVAL },
		{ { .sq_entries = 8 }, 0, -EINVAL },
		{ { .sq_entries = 8 }, B + 1, -EINVAL },
		{ { .sq_entries = 8 }, A, -EEXIST },
		{ { .sq_entries = 8 }, A - PAGE, -EEXIST },
		{ { .sq_entries = 8 }, 0ull - PAGE, -EINVAL },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		struct raw_ring x;
		int r = raw_try_ring(&x, &raw, &bad[i].params, bad[i].base);

		ck_assert_msg(r == bad[i].res, "ring %zu: %d, %s", i, r, raw.text);
	}
}
END_TEST

START_TEST(a_freed_arena_is_no_memory_but_what_runs_keeps_it)
{
	struct ringd_sqe sqe = { .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_ASYNC, .addr = B, .len = PAGE };
	struct ringd_cqe cqe;

	for (int i = 0; i < 100; i++) {
		struct raw_arena again;

		for (int k = 0; k < 32; k++)
			memcpy(raw_sqe(&ring), &sqe, sizeof(sqe));
		ck_assert_int_eq(raw_submit(&ring), 32);
		ck_assert_int_eq(raw_arena_free(&raw, b.id), 0);
		ck_assert_int_eq(raw_arena_free(&raw, b.id), -ENOENT);
		for (int k = 0; k < 32; k++) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_int_eq(cqe.res, PAGE);
		}
		ck_assert_int_eq(raw_one(&ring, &sqe), -EFAULT);
		raw_arena(&again, &raw, B, SIZE);	/* the place is free at once */
		raw_arena_drop(&b);
		b = again;
	}
}
END_TEST

/* --- tables that change while they are used --- */

START_TEST(a_slot_that_is_replaced_in_use_gives_one_file_or_the_other)
{
	RD_CLOSE int other = memfd_create("other", MFD_CLOEXEC);
	struct ringd_cqe cqe;
	char block[PAGE];

	memset(block, 'y', sizeof(block));
	ck_assert_int_eq(write(other, block, sizeof(block)), sizeof(block));
	for (int i = 0; i < 200; i++) {
		for (unsigned int k = 0; k < 15; k++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = RINGD_OP_READ;
			sqe->flags = RINGD_SQE_FIXED_FILE | (k % 2 ? RINGD_SQE_ASYNC : 0);
			sqe->addr = A + k * PAGE;
			sqe->len = PAGE;
			sqe->user_data = k;
		}
		ck_assert_int_eq(raw_submit(&ring), 15);
		ck_assert_int_eq(raw_update_file(&ring, 0, i % 3 == 0 ? other : i % 3 == 1 ? -1 : file), 1);
		for (int k = 0; k < 15; k++) {
			const char *data;

			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			data = a.ptr + cqe.user_data * PAGE;
			if (i % 3 == 2) {
				ck_assert_int_eq(cqe.res, -EBADF);	/* it was empty when they started */
				continue;
			}
			ck_assert_int_eq(cqe.res, PAGE);
			ck_assert_int_eq(data[0], i % 3 == 0 ? 'x' : 'y');
			ck_assert_int_eq(memcmp(data, data + 1, PAGE - 1), 0);
		}
	}
}
END_TEST

static void *punch(void *arg)
{
	atomic_bool *stop = arg;
	uint32_t x = 3;

	while (!*stop) {
		x = x * 1664525 + 1013904223;
		fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)((x >> 8) % 16 * PAGE), (off_t)PAGE);
	}
	return NULL;
}

START_TEST(holes_punched_into_an_arena_are_its_owners_problem)
{
	const uint64_t iov[2] = { A, SIZE };
	atomic_bool stop = false;
	struct ringd_cqe cqe;
	pthread_t thread;

	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS, 1, 0, iov, sizeof(iov), NULL, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, punch, &stop), 0);
	for (int i = 0; i < 200; i++) {
		for (unsigned int k = 0; k < 32; k++) {
			struct ringd_sqe *sqe = raw_sqe(&ring);

			sqe->opcode = k % 2 ? RINGD_OP_READ_FIXED : RINGD_OP_WRITE;
			sqe->flags = RINGD_SQE_FIXED_FILE | (k % 5 ? 0 : RINGD_SQE_ASYNC);
			sqe->addr = A + k % 16 * PAGE;
			sqe->len = PAGE;
			sqe->off = k % 8 * PAGE;
		}
		ck_assert_int_eq(raw_submit(&ring), 32);
		for (int k = 0; k < 32; k++) {
			ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
			ck_assert_int_eq(cqe.res, PAGE);
		}
	}
	stop = true;
	pthread_join(thread, NULL);
}
END_TEST

/* Where the system has no huge pages, which is usual, only that is to be seen. */
START_TEST(holes_in_huge_pages_kill_nobody)
{
	const uint64_t size = 2ull << 20, base = 1ull << 44, iov[2] = { A, 8 };
	struct ringd_sqe sqe = { .opcode = RINGD_OP_READV, .flags = RINGD_SQE_FIXED_FILE, .addr = base, .len = 1 };
	struct raw_arena huge;
	int r = raw_try_arena(&huge, &raw, base, size, RINGD_ARENA_HUGE);

	if (r < 0) {
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_ptr_nonnull(strstr(raw.text, "huge pages"));
		return;
	}
	memcpy(huge.ptr, iov, sizeof(iov));
	ck_assert_int_eq(raw_one(&ring, &sqe), 8);
	ck_assert_int_eq(fallocate(huge.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size), 0);
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);	/* the array reads as zeros */
	sqe = (struct ringd_sqe){ .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = base, .file_index = 1 };
	ck_assert_int_eq(raw_one(&ring, &sqe), -ENOENT);
	sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = base, .len = 8 };
	r = raw_one(&ring, &sqe);
	ck_assert(r == 8 || r == -EFAULT);		/* a new page, if there still is one */
	raw_arena_drop(&huge);
}
END_TEST

START_TEST(registered_buffers_that_cannot_be)
{
	const struct {
		uint64_t iov[2];
		int res;
	} bad[] = {
		{ { A, 0 }, -EFAULT }, { { 0, 1 }, -EFAULT }, { { A, SIZE + 1 }, -EFAULT }, { { A, (1ull << 30) + 1 }, -EFAULT },
		{ { A, UINT64_MAX }, -EFAULT }, { { A - 1, 2 }, -EFAULT }, { { C, 3 * SIZE }, -EFAULT },
		{ { ring.scratch_base, 16 }, -EFAULT }, { { UINT64_MAX, UINT64_MAX }, -EFAULT },
	};
	uint64_t many[3][2] = { { A, SIZE }, { B, SIZE }, { 0, 7 } };

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS, 1, 0, bad[i].iov, 16, NULL, 0), bad[i].res);
	/* one bad entry: nothing is installed */
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS, 3, 0, many, sizeof(many), NULL, 0), -EFAULT);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_BUFFERS, 0, 0, NULL, 0, NULL, 0), -ENXIO);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS, 2, 0, many, 32, NULL, 0), 0);
}
END_TEST

START_TEST(ranges_of_registered_buffers)
{
	const uint64_t iov[2] = { A + PAGE, PAGE };
	const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t index;
		int res;
	} use[] = {
		{ A + PAGE, PAGE, 0, PAGE }, { A + PAGE, PAGE + 1, 0, -EFAULT }, { A + PAGE - 1, 1, 0, -EFAULT },
		{ A + 2 * PAGE, 1, 0, -EFAULT }, { A + 2 * PAGE - 1, 1, 0, 1 }, { A + PAGE, 0xffffffff, 0, -EFAULT },
		{ UINT64_MAX, 2, 0, -EFAULT }, { 0, 1, 0, -EFAULT }, { A + PAGE, 1, 1, -EFAULT }, { A + PAGE, 1, 65535, -EFAULT },
	};

	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS, 1, 0, iov, sizeof(iov), NULL, 0), 0);
	for (size_t i = 0; i < RD_ARRAY_SIZE(use); i++) {
		const struct ringd_sqe sqe = { .opcode = RINGD_OP_READ_FIXED, .flags = RINGD_SQE_FIXED_FILE, .addr = use[i].addr,
					       .len = use[i].len, .buf_index = use[i].index };
		int r = raw_one(&ring, &sqe);

		ck_assert_msg(r == use[i].res, "use %zu: %d", i, r);
	}
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile memory");
	tc = tcase_create("a lying client");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, data_lies_in_one_arena_or_is_efault, 0, (int)RD_ARRAY_SIZE(ranges));
	tcase_add_loop_test(tc, iovecs_to_the_same_places_say_the_same, 0, (int)RD_ARRAY_SIZE(ranges));
	tcase_add_test(tc, scratch_is_for_inputs_and_rings_are_for_nothing);
	tcase_add_test(tc, iovec_arrays_that_lie);
	tcase_add_test(tc, iovec_lengths_that_wrap);
	tcase_add_test(tc, paths_without_an_end);
	tcase_add_test(tc, names_that_mean_the_engine_are_refused);
	tcase_add_test(tc, arenas_that_cannot_be);
	tcase_add_test(tc, rings_that_cannot_be);
	tcase_add_test(tc, a_freed_arena_is_no_memory_but_what_runs_keeps_it);
	tcase_add_test(tc, a_slot_that_is_replaced_in_use_gives_one_file_or_the_other);
	tcase_add_test(tc, holes_punched_into_an_arena_are_its_owners_problem);
	tcase_add_test(tc, holes_in_huge_pages_kill_nobody);
	tcase_add_test(tc, registered_buffers_that_cannot_be);
	tcase_add_test(tc, ranges_of_registered_buffers);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
