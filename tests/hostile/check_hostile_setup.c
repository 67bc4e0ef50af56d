/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client whose rings lie in its own memory, change their size all the time, signal eventfds that are traps. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define S(x) RINGD_SETUP_##x
#define DEFER (S(DEFER_TASKRUN) | S(SINGLE_ISSUER) | S(NO_SQARRAY))
#define A RD_RAW_ARENA
#define PAGE 4096ull
#define SIZE (64 * PAGE)

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	raw_connect(&raw, s.d.socket);
}

static void teardown(void)
{
	raw_ring_drop(&ring);
	if (arena.ptr)
		raw_arena_drop(&arena);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static int nop(struct raw_ring *r)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP };

	return raw_one(r, &sqe);
}

/* --- rings in an arena --- */

/* Rings at A, SQEs at A + sqes. What the descriptor has at its places is something else. */
static int user_ring(struct raw_ring *r, uint64_t rings, uint64_t sqes, uint32_t flags)
{
	static unsigned int nr;
	struct ringd_params p = { .sq_entries = 8, .flags = flags | S(NO_MMAP) | S(NO_SQARRAY),
				  .cq_off.user_addr = A + rings, .sq_off.user_addr = A + sqes };
	int res = raw_try_ring(r, &raw, &p, 3 * RD_RAW_SCRATCH + ((uint64_t)nr++ << 32));
	char *at = arena.ptr + rings;

	if (res < 0)
		return res;
	r->hot = (struct ringd_hot *)(void *)(at + r->params.sq_off.tail);	/* its first word */
	r->cqes = (struct ringd_cqe *)(void *)(at + r->params.cq_off.cqes);
	r->sqes = (struct ringd_sqe *)(void *)(arena.ptr + sqes);
	return 0;
}

/* The mapping that raw_ring_drop() undoes is not where the ring is. */
static void user_drop(struct raw_ring *r)
{
	munmap(r->rings, r->rings_size);
	munmap(r->scratch, r->scratch_size);
	rd_close(r->fd);
	rd_close(r->doorbell);
	rd_close(r->wake);
	r->rings = NULL;
}

START_TEST(ring_in_an_arena)
{
	raw_arena(&arena, &raw, A, SIZE);
	memset(arena.ptr, 0xa5, SIZE);
	ck_assert_int_eq(user_ring(&ring, 0, PAGE, _i ? S(SQPOLL) : 0), 0);
	ck_assert_uint_eq(ring.params.sq_off.user_addr, A + PAGE);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(nop(&ring), 0);
	/* the arena is freed, the ring holds what it needs */
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(nop(&ring), 0);
	ck_assert_int_eq(raw_ring_free(&ring), 0);
	user_drop(&ring);
}
END_TEST

/* Everything in it turns to zero, again and again: the ring may end, nothing else. */
START_TEST(ring_in_holes)
{
	raw_arena(&arena, &raw, A, SIZE);
	for (int round = 0; round < 20; round++) {
		ck_assert_int_eq(user_ring(&ring, 0, PAGE, _i ? S(SQPOLL) : 0), 0);
		ck_assert_int_eq(nop(&ring), 0);
		for (uint32_t i = 0; i < 20; i++) {
			ring.hot->sq_tail = ++ring.sq_tail;
			ring.hot->enter_to_submit = 1;
			ring.hot->enter_seq = ++ring.enter_seq;
			raw_ring_doorbell(&ring);
			fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(i % 3 ? 0 : PAGE), PAGE);
		}
		raw_ring_free(&ring);
		user_drop(&ring);
	}
}
END_TEST

/* SQEs, CQEs and data at the same place, two rings in one memory: each finds what it finds. */
START_TEST(everything_in_one_place)
{
	struct raw_ring twin = { .rings = NULL };
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	raw_arena(&arena, &raw, A, SIZE);
	ck_assert_int_eq(user_ring(&ring, 0, 0, 0), 0);
	ck_assert_int_eq(user_ring(&twin, 0, PAGE, S(SQPOLL)), 0);
	ck_assert_int_eq(raw_register_files(&ring, &zero, 1), 0);
	for (int i = 0; i < 200; i++) {
		uint32_t n = scene_random();

		/* SQEs that read into themselves and over the words */
		ring.sqes[n & 7] = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .len = n & 4095,
						       .addr = A + (n >> 12 & 4095) };
		ring.hot->sq_tail = n >> 24;
		ring.hot->enter_to_submit = n & 7;
		ring.hot->enter_seq++;
		raw_ring_doorbell(&ring);
	}
	user_drop(&twin);
	user_drop(&ring);
	rd_close(zero);
}
END_TEST

START_TEST(no_ring_in_huge_pages)
{
	struct raw_arena huge;

	if (raw_try_arena(&huge, &raw, A, 2u << 20, RINGD_ARENA_HUGE) < 0)
		return;		/* this machine has none */
	arena = huge;
	ck_assert_int_eq(user_ring(&ring, 0, PAGE, 0), -EFAULT);
}
END_TEST

/* --- sizes --- */

static struct ringd_resized resized;

static int try_resize(struct raw_ring *r, const struct ringd_params *p, uint64_t scratch_base, int *fd)
{
	const struct ringd_resize in = { .params = *p, .scratch_base = scratch_base };

	return raw_register_get(&raw, r->id, RINGD_REGISTER_RESIZE_RINGS, 1, &in, sizeof(in), &resized, sizeof(resized), fd);
}

static void *map(int fd, uint64_t off, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

/* A client that behaves: into the new memory. */
static int resize(struct raw_ring *r, uint32_t sq, uint32_t cq)
{
	static unsigned int nr;
	const struct ringd_params p = { .sq_entries = sq, .cq_entries = cq, .flags = cq ? S(CQSIZE) : 0 };
	const uint64_t base = 5 * RD_RAW_SCRATCH + ((uint64_t)nr++ << 32);
	int fd = -1, res = try_resize(r, &p, base, &fd);

	if (res < 0)
		return res;
	munmap(r->rings, r->rings_size);
	munmap(r->sqes, r->sqes_size);
	munmap(r->scratch, r->scratch_size);
	rd_close(r->fd);
	r->fd = fd;
	r->params.sq_entries = resized.params.sq_entries;
	r->params.cq_entries = resized.params.cq_entries;
	r->rings_size = resized.rings_size;
	r->sqes_size = resized.sqes_size;
	r->scratch_size = resized.scratch_size;
	r->scratch_base = base;
	r->rings = map(fd, RINGD_OFF_SQ_RING, r->rings_size);
	r->sqes = map(fd, RINGD_OFF_SQES, r->sqes_size);
	r->scratch = map(fd, RINGD_OFF_SCRATCH, r->scratch_size);
	r->hot = (struct ringd_hot *)(void *)(r->rings + resized.hot_off);
	r->cqes = (struct ringd_cqe *)(void *)(r->rings + 64);
	return 0;
}

START_TEST(resizing_works_and_costs_what_it_is)
{
	raw_ring(&ring, &raw, 8, DEFER);
	for (int i = 0; i < 50; i++) {
		ck_assert_int_eq(resize(&ring, 1u << (i % 10), 0), 0);
		ck_assert_uint_eq(resized.params.sq_entries, 1u << (i % 10));
		ck_assert_uint_eq(resized.params.cq_entries, 2u << (i % 10));
		ck_assert_uint_ne(resized.params.flags & S(NO_SQARRAY), 0);
		ck_assert_int_eq(nop(&ring), 0);
	}
	ck_assert_int_eq(resize(&ring, 5, 100), 0);
	ck_assert_uint_eq(resized.params.sq_entries, 8);
	ck_assert_uint_eq(resized.params.cq_entries, 128);
	ck_assert_int_eq(nop(&ring), 0);
}
END_TEST

START_TEST(sizes_that_cannot_be)
{
	const struct {
		struct ringd_params params;
		uint64_t base;
		int res;
	} bad[] = {
		{ { .sq_entries = 0 }, A, -EINVAL },
		{ { .sq_entries = 32769 }, A, -EINVAL },
		{ { .sq_entries = 8, .cq_entries = 4, .flags = S(CQSIZE) }, A, -EINVAL },
		{ { .sq_entries = 8, .cq_entries = 65537, .flags = S(CQSIZE) }, A, -EINVAL },
		{ { .sq_entries = 8, .flags = S(NO_SQARRAY) }, A, -EINVAL },
		{ { .sq_entries = 8, .flags = S(SQPOLL) }, A, -EINVAL },
		{ { .sq_entries = 8, .flags = 1u << 31 }, A, -EINVAL },
		{ { .sq_entries = 8, .resv = { 1 } }, A, -EINVAL },
		{ { .sq_entries = 8 }, 0, -EINVAL },
		{ { .sq_entries = 8 }, A + 1, -EINVAL },
		{ { .sq_entries = 8 }, 0ull - PAGE, -EINVAL },
		{ { .sq_entries = 8 }, 0, -EINVAL },
	};
	const struct ringd_params good = { .sq_entries = 16 };
	struct ringd_resize two[2] = { 0 };
	struct raw_ring plain = { .rings = NULL };
	int fd = -1;

	raw_ring(&ring, &raw, 8, DEFER);
	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		int r = try_resize(&ring, &bad[i].params, bad[i].base, &fd);

		ck_assert_msg(r == bad[i].res, "size %zu: %d, %s", i, r, raw.text);
		ck_assert_int_eq(fd, -1);
	}
	ck_assert_int_eq(try_resize(&ring, &good, ring.scratch_base, &fd), -EEXIST);
	two[0].params = good;
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_RESIZE_RINGS, 2, 0, two, sizeof(two), NULL, 0), -EINVAL);
	ck_assert_int_eq(nop(&ring), 0);
	raw_ring(&plain, &raw, 8, 0);
	ck_assert_int_eq(try_resize(&plain, &good, A, &fd), -EINVAL);
	raw_ring_drop(&plain);
}
END_TEST

static atomic_bool stop;

/* Another thread of the client writes rubbish over the words and the entries, old and new. */
static void *scribble(void *arg)
{
	struct raw_ring *r = arg;
	uint32_t n = 1;

	while (!atomic_load(&stop)) {
		n = n * 1103515245 + 12345;
		((volatile uint32_t *)r->hot)[n >> 8 & 127] = n;
		((volatile uint32_t *)r->cqes)[n >> 16 & 15] = n;
	}
	return NULL;
}

START_TEST(resize_storm_under_a_liar)
{
	struct raw_ring shadow;
	pthread_t thread;
	int fd;

	atomic_store(&stop, false);
	raw_ring(&ring, &raw, 8, DEFER | (_i ? S(CQE_MIXED) | S(SQE_MIXED) : 0));
	shadow = ring;
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, &shadow), 0);
	for (int i = 0; i < 400; i++) {
		const struct ringd_params p = { .sq_entries = scene_random() & 1023, .cq_entries = scene_random() & 4095,
						.flags = scene_random() & (S(CQSIZE) | S(CLAMP)) };
		int r;

		fd = -1;
		r = try_resize(&ring, &p, A + ((uint64_t)i << 32), &fd);
		rd_close(fd);		/* it never maps what it gets */
		if (r == -ECONNRESET)
			break;		/* its lies have ended the ring */
		ck_assert_msg(r == 0 || r == -EINVAL || r == -EOVERFLOW || r == -EBUSY, "%d: %s", r, raw.text);
		if (i % 8 == 0)
			raw_ring_doorbell(&ring);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}
END_TEST

/* --- eventfds --- */

static int set_eventfd(struct raw_ring *r, uint32_t opcode, int fd)
{
	const int32_t entry = 0;

	return raw_register(r, opcode, 1, 0, &entry, sizeof(entry), &fd, 1);
}

START_TEST(eventfd_rules)
{
	const int32_t none = -1, two[2] = { 0, 0 };
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	uint32_t reg = _i ? RINGD_REGISTER_EVENTFD_ASYNC : RINGD_REGISTER_EVENTFD;
	int fds[2] = { efd, efd };
	uint64_t n = 0;

	raw_ring(&ring, &raw, 8, 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_EVENTFD, 0, 0, NULL, 0, NULL, 0), -ENXIO);
	ck_assert_int_eq(set_eventfd(&ring, reg, null), -EINVAL);
	ck_assert_int_eq(raw_register(&ring, reg, 1, 0, &none, sizeof(none), NULL, 0), -EBADF);
	ck_assert_int_eq(raw_register(&ring, reg, 2, 0, two, sizeof(two), fds, 2), -EINVAL);
	ck_assert_int_eq(set_eventfd(&ring, reg, efd), 0);
	ck_assert_int_eq(set_eventfd(&ring, reg, efd), -EBUSY);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_EVENTFD, 1, 0, NULL, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(nop(&ring), 0);
	if (!_i) {
		ck_assert_int_eq(read(efd, &n, sizeof(n)), sizeof(n));
		ck_assert_uint_eq(n, 1);
	}
	ck_assert_int_eq(read(efd, &n, sizeof(n)), -1);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_EVENTFD, 0, 0, NULL, 0, NULL, 0), 0);
	ck_assert_int_eq(nop(&ring), 0);
	ck_assert_int_eq(read(efd, &n, sizeof(n)), -1);
	close(efd);
	close(null);
}
END_TEST

/* THREATS T29: full, and O_NONBLOCK taken off. The neighbours of scene.c must not notice. */
START_TEST(full_and_blocking_eventfd)
{
	const uint64_t full = UINT64_MAX - 1;
	int efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	raw_ring(&ring, &raw, 8, _i ? S(SQPOLL) : 0);
	ck_assert_int_eq(set_eventfd(&ring, RINGD_REGISTER_EVENTFD, efd), 0);
	ck_assert_int_eq(write(efd, &full, sizeof(full)), sizeof(full));
	ck_assert_int_eq(fcntl(efd, F_SETFL, 0), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(nop(&ring), 0);
	close(efd);
}
END_TEST

START_TEST(eventfd_without_its_descriptor_ends_the_connection)
{
	const int32_t entry = 0;

	raw_ring(&ring, &raw, 8, 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_EVENTFD, 1, 0, &entry, sizeof(entry), NULL, 0), -EPROTO);
}
END_TEST

/* --- not started --- */

START_TEST(disabled_ring_is_started_once)
{
	raw_ring(&ring, &raw, 8, S(R_DISABLED) | (_i ? S(SQPOLL) : 0));
	ck_assert_int_eq(raw_enter(&ring, 0, RINGD_ENTER_GETEVENTS), -EBADFD);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ENABLE_RINGS, 1, 0, NULL, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ENABLE_RINGS, 0, 0, NULL, 0, NULL, 0), 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ENABLE_RINGS, 0, 0, NULL, 0, NULL, 0), -EBADFD);
	ck_assert_int_eq(nop(&ring), 0);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile setup");
	tc = tcase_create("odd rings");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, ring_in_an_arena, 0, 2);
	tcase_add_loop_test(tc, ring_in_holes, 0, 2);
	tcase_add_test(tc, everything_in_one_place);
	tcase_add_test(tc, no_ring_in_huge_pages);
	tcase_add_test(tc, resizing_works_and_costs_what_it_is);
	tcase_add_test(tc, sizes_that_cannot_be);
	tcase_add_loop_test(tc, resize_storm_under_a_liar, 0, 2);
	tcase_add_loop_test(tc, eventfd_rules, 0, 2);
	tcase_add_loop_test(tc, full_and_blocking_eventfd, 0, 2);
	tcase_add_test(tc, eventfd_without_its_descriptor_ends_the_connection);
	tcase_add_loop_test(tc, disabled_ring_is_started_once, 0, 2);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
