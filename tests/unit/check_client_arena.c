/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: arenas and the allocator in them. */
#include <errno.h>
#include <string.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

static struct fake *fake;
static struct ringd *rd;
static struct ringd_arena *arena;

#define SIZE	(1u << 20)

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, SIZE, 0), 0);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

START_TEST(both_sides_see_the_same_memory)
{
	char *base = ringd_arena_base(arena);

	ck_assert_uint_eq(fake->arena.base, (uintptr_t)base);
	ck_assert_uint_eq(fake->arena.size, SIZE);
	ck_assert_uint_eq(ringd_arena_size(arena), SIZE);
	base[SIZE - 1] = 'x';
	ck_assert_int_eq(fake->arena_map[SIZE - 1], 'x');
	fake->arena_map[0] = 'y';
	ck_assert_int_eq(base[0], 'y');
}
END_TEST

START_TEST(size_is_rounded_to_pages)
{
	struct ringd_arena *a;

	ck_assert_int_eq(ringd_arena_new(rd, &a, 1, 0), 0);
	ck_assert_uint_eq(ringd_arena_size(a), 4096);
	ringd_arena_free(a);
	ck_assert_int_eq(ringd_arena_new(rd, &a, 1, RINGD_ARENA_F_HUGE), 0);
	ck_assert_uint_eq(ringd_arena_size(a), 2u << 20);
	ck_assert_uint_eq((uintptr_t)ringd_arena_base(a) % (2u << 20), 0);
	ck_assert_uint_eq(fake->arena.flags, RINGD_ARENA_HUGE);
}
END_TEST

START_TEST(refusals)
{
	struct ringd_arena *a = (void *)1;

	ck_assert_int_eq(ringd_arena_new(rd, &a, 0, 0), -EINVAL);
	ck_assert_ptr_null(a);
	ck_assert_int_eq(ringd_arena_new(rd, &a, 4096, 0x80), -EINVAL);
	ck_assert_int_eq(ringd_arena_new(rd, &a, SIZE_MAX, 0), -EINVAL);
	fake->fail = -EDQUOT;
	fake->fail_text = "arena bytes: 1 GiB, the limit of this tenant";
	ck_assert_int_eq(ringd_arena_new(rd, &a, 4096, 0), -EDQUOT);
	ck_assert_str_eq(ringd_strerror(rd), "arena bytes: 1 GiB, the limit of this tenant");
	ck_assert_int_eq(ringd_arena_new(rd, &a, 4096, 0), 0);
	ck_assert_str_eq(ringd_strerror(rd), "no error");
}
END_TEST

START_TEST(alignment_is_kept)
{
	static const size_t aligns[] = { 0, 1, 8, 64, 512, 4096, 65536, 1u << 19 };

	for (size_t i = 0; i < sizeof(aligns) / sizeof(aligns[0]); i++) {
		void *p = ringd_arena_alloc(arena, 100, aligns[i]);

		/* the last one fits only when the arena happens to lie well */
		if (p)
			ck_assert_uint_eq((uintptr_t)p % (aligns[i] < 64 ? 64 : aligns[i]), 0);
		else
			ck_assert_uint_gt(aligns[i], 65536);
	}
	ck_assert_ptr_null(ringd_arena_alloc(arena, 1, 3));
	ck_assert_ptr_null(ringd_arena_alloc(arena, 1, 4u << 20));
	ck_assert_ptr_null(ringd_arena_alloc(arena, SIZE + 1, 0));
	ck_assert_ptr_null(ringd_arena_alloc(arena, SIZE_MAX, 0));
}
END_TEST

START_TEST(all_of_it_can_be_used_and_comes_back)
{
	void *page[SIZE / 4096], *whole;

	for (int round = 0; round < 3; round++) {
		whole = ringd_arena_alloc(arena, SIZE, 0);
		ck_assert_ptr_eq(whole, ringd_arena_base(arena));
		ck_assert_ptr_null(ringd_arena_alloc(arena, 1, 0));
		ringd_arena_release(arena, whole);
		for (size_t i = 0; i < SIZE / 4096; i++)
			ck_assert_ptr_nonnull(page[i] = ringd_arena_alloc(arena, 4096, 4096));
		ck_assert_ptr_null(ringd_arena_alloc(arena, 0, 0));
		/* odd ones first: every release but the last has used neighbours */
		for (size_t i = 1; i < SIZE / 4096; i += 2)
			ringd_arena_release(arena, page[i]);
		ck_assert_ptr_null(ringd_arena_alloc(arena, 4097, 0));
		for (size_t i = 0; i < SIZE / 4096; i += 2)
			ringd_arena_release(arena, page[i]);
	}
}
END_TEST

START_TEST(wrong_releases_are_ignored)
{
	char *a = ringd_arena_alloc(arena, 128, 0), *b = ringd_arena_alloc(arena, 128, 0);

	ringd_arena_release(arena, NULL);
	ringd_arena_release(arena, &arena);
	ringd_arena_release(arena, a + 64);
	ringd_arena_release(arena, a);
	ringd_arena_release(arena, a);
	ck_assert_ptr_eq(ringd_arena_alloc(arena, 128, 0), a);
	ck_assert_ptr_ne(ringd_arena_alloc(arena, 128, 0), b);
}
END_TEST

/* Random sizes and alignments against a byte map; nothing ever overlaps and nothing is lost. */
START_TEST(random_use)
{
	enum { N = 300 };
	static unsigned char owner[SIZE / 64];
	static struct { char *p; size_t size; } live[N];
	unsigned int seed = (unsigned int)_i + 1;
	char *base = ringd_arena_base(arena);
	static const char zero[SIZE];

	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&seed) % N;
		size_t first, last;

		if (!live[i].p) {
			live[i].size = (size_t)rand_r(&seed) % (rand_r(&seed) % 8 ? 3000 : 60000) + 1;
			live[i].p = ringd_arena_alloc(arena, live[i].size, (size_t)64 << rand_r(&seed) % 8);
		}
		if (!live[i].p)
			continue;
		first = (size_t)(live[i].p - base) / 64;
		last = (size_t)(live[i].p - base + (ptrdiff_t)live[i].size - 1) / 64;
		ck_assert_uint_lt(last, SIZE / 64);
		if (owner[first] == 0) {
			for (size_t k = first; k <= last; k++) {
				ck_assert_int_eq(owner[k], 0);
				owner[k] = 1;
			}
		} else {
			memset(owner + first, 0, last - first + 1);
			ringd_arena_release(arena, live[i].p);
			live[i].p = NULL;
		}
	}
	for (int i = 0; i < N; i++)
		ringd_arena_release(arena, live[i].p);
	ck_assert_ptr_eq(ringd_arena_alloc(arena, SIZE, 0), base);
	ck_assert_mem_eq(base, zero, SIZE);	/* bookkeeping is elsewhere */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client arena");
	TCase *t = tcase_create("arena");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, both_sides_see_the_same_memory);
	tcase_add_test(t, size_is_rounded_to_pages);
	tcase_add_test(t, refusals);
	tcase_add_test(t, alignment_is_kept);
	tcase_add_test(t, all_of_it_can_be_used_and_comes_back);
	tcase_add_test(t, wrong_releases_are_ignored);
	tcase_add_loop_test(t, random_use, 0, 4);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
