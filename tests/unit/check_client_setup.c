/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: kinds of rings, rings in the caller's memory, registered rings, and the register calls about a ring's use. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct fake_ring *peer;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
}

static void make_ring(unsigned int entries, unsigned int flags)
{
	ck_assert_int_eq(ringd_ring_new(rd, &ring, entries, flags), 0);
	peer = &fake->rings[0];
}

/* The only ring there is, registered; the fake engine's first id */
#define RING_ID	100

static int nop(void)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	ringd_prep_nop(sqe);
	return ringd_submit_and_wait(ring, 1);
}

/* --- entries of two sizes --- */

START_TEST(sqe128_ring_has_wide_slots)
{
	struct ringd_sqe *a, *b;

	make_ring(4, RINGD_SETUP_SQE128);
	a = ringd_get_sqe(ring);
	b = ringd_get_sqe128(ring);
	ck_assert_int_eq((char *)b - (char *)a, 128);
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_nonnull(ringd_get_sqe(ring));
	ck_assert_ptr_null(ringd_get_sqe(ring));
	ck_assert_ptr_null(ringd_get_sqe128(ring));
}
END_TEST

START_TEST(wide_sqe_takes_two_neighbours)
{
	struct ringd_sqe *first, *wide;
	static const struct ringd_sqe zero[2];

	make_ring(4, RINGD_SETUP_SQE_MIXED);
	fake_stop(fake);
	first = ringd_get_sqe(ring);
	wide = ringd_get_sqe128(ring);
	ck_assert_ptr_eq(wide, first + 1);
	ck_assert_mem_eq(wide, zero, sizeof(zero));
	ck_assert_uint_eq(ringd_sq_ready(ring), 3);
	/* the last slot alone does not do, and behind it there is no room */
	ck_assert_ptr_null(ringd_get_sqe128(ring));
	ck_assert_uint_eq(ringd_sq_ready(ring), 3);
	fake_go(fake);
	ck_assert_int_eq(ringd_submit(ring), 3);
	wide = ringd_get_sqe128(ring);
	ck_assert_ptr_eq(wide, first);
	ck_assert_uint_eq(ringd_sq_ready(ring), 3);
	ck_assert_uint_eq(first[3].opcode, RINGD_OP_NOP);
	ck_assert_uint_eq(first[3].flags, RINGD_SQE_CQE_SKIP_SUCCESS);
}
END_TEST

START_TEST(no_wide_sqe_elsewhere)
{
	make_ring(4, 0);
	ck_assert_ptr_null(ringd_get_sqe128(ring));
	ck_assert_uint_eq(ringd_sq_ready(ring), 0);
}
END_TEST

/* As the engine: write the CQEs of a mixed ring, then its tail */
static void post_mixed(const uint32_t *flags, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct ringd_cqe *cqe = &peer->cqes[peer->cq_tail & (peer->params.cq_entries - 1)];

		*cqe = (struct ringd_cqe){ .user_data = i, .flags = flags[i] };
		peer->cq_tail += flags[i] & RINGD_CQE_F_32 ? 2 : 1;
	}
	__atomic_store_n(&peer->hot->cq_tail, peer->cq_tail, __ATOMIC_RELEASE);
}

START_TEST(mixed_cqes_are_walked)
{
	static const uint32_t flags[] = { RINGD_CQE_F_SKIP, 0, RINGD_CQE_F_32, RINGD_CQE_F_SKIP, RINGD_CQE_F_32, 0 };
	static const uint64_t want[] = { 1, 2, 4, 5 };
	struct ringd_cqe *cqe, *batch[8];
	unsigned int i, n, k = 0;

	make_ring(8, RINGD_SETUP_CQE_MIXED);
	fake_stop(fake);
	post_mixed(flags, 6);
	ck_assert_uint_eq(ringd_cq_ready(ring), 8);
	ringd_for_each_cqe(ring, i, n, cqe)
		ck_assert_uint_eq(cqe->user_data, want[k++]);
	ck_assert_uint_eq(k, 4);
	ck_assert_uint_eq(i, 8);
	ck_assert_uint_eq(ringd_peek_batch_cqe(ring, batch, 3), 3);
	ck_assert_uint_eq(batch[2]->user_data, 4);
	for (k = 0; k < 4; k++) {
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, want[k]);
		ck_assert_uint_eq(ringd_cqe_slots(ring, cqe), cqe->flags & RINGD_CQE_F_32 ? 2 : 1);
		ringd_cqe_seen(ring, cqe);
	}
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	/* a filler alone is nothing to take */
	post_mixed(flags, 1);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	ck_assert_uint_eq(peer->hot->cq_head, peer->cq_tail);
}
END_TEST

/* On other rings these flags are the sender's own. */
START_TEST(flags_of_mixed_rings_mean_nothing_elsewhere)
{
	static const uint32_t flags[] = { RINGD_CQE_F_SKIP, RINGD_CQE_F_32 };
	struct ringd_cqe *cqe;

	make_ring(8, 0);
	fake_stop(fake);
	post_mixed(flags, 1);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), 0);
	ck_assert_uint_eq(cqe->flags, RINGD_CQE_F_SKIP);
	ringd_cqe_seen(ring, cqe);
	peer->cqes[peer->cq_tail & 15].flags = RINGD_CQE_F_32;
	ck_assert_uint_eq(ringd_cqe_slots(ring, &peer->cqes[peer->cq_tail & 15]), 1);
}
END_TEST

/* --- the caller's memory --- */

START_TEST(sizes_are_those_of_io_uring)
{
	struct ringd_params p = { 0 };

	ck_assert_int_eq(ringd_memory_size(8, &p), 2 * 4096);
	ck_assert_int_eq(ringd_memory_size(0, &p), -EINVAL);
	ck_assert_int_eq(ringd_memory_size(40000, &p), -EINVAL);
	p.flags = RINGD_SETUP_CLAMP;
	ck_assert_int_eq(ringd_memory_size(40000, &p), 32768 * 64 + 65536 * 16 + 4096);
	p = (struct ringd_params){ .flags = RINGD_SETUP_CQSIZE | RINGD_SETUP_SQE128 | RINGD_SETUP_CQE32, .cq_entries = 200 };
	ck_assert_int_eq(ringd_memory_size(33, &p), 64 * 128 + 256 * 32 + 4096);
}
END_TEST

START_TEST(ring_lives_in_an_arena)
{
	struct ringd_params p = { 0 };
	struct ringd_arena *arena;
	char *mem;

	ck_assert_int_eq(ringd_arena_new(rd, &arena, 4 * 4096, 0), 0);
	mem = ringd_arena_base(arena);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 8, &p, mem, 4096), -ENOMEM);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 8, &p, mem + 4096, 3 * 4096), 2 * 4096);
	ck_assert_uint_ne(p.flags & RINGD_SETUP_NO_MMAP, 0);
	ck_assert_ptr_eq(ringd_get_sqe(ring), (struct ringd_sqe *)(void *)(mem + 4096));
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
	ck_assert_ptr_eq(ringd_cqe_at(ring, 0), (struct ringd_cqe *)(void *)(mem + 2 * 4096 + p.cq_off.cqes));
	ringd_ring_free(ring);
	mem[0] = 1;	/* still the caller's */
	ringd_arena_free(arena);
}
END_TEST

/* --- registered rings --- */

static int register_at(uint32_t offset, uint64_t data, uint32_t *index)
{
	struct ringd_rsrc_update up = { .offset = offset, .data = data };
	int r = ringd_register_ring_fds(rd, &up, 1);

	if (index)
		*index = up.offset;
	return r;
}

START_TEST(slots_of_the_table)
{
	struct ringd_rsrc_update ups[17] = { { .offset = 3, .data = RING_ID }, { .offset = 3, .data = RING_ID } };
	struct ringd_ring *found;
	uint32_t index;

	make_ring(8, 0);
	ck_assert_int_eq(ringd_registered_ring(0, &found), -EINVAL);	/* none was registered yet */
	ck_assert_int_eq(ringd_register_ring_fds(rd, ups, 0), -EINVAL);
	ck_assert_int_eq(ringd_register_ring_fds(rd, ups, 17), -EINVAL);
	ck_assert_int_eq(register_at(16, RING_ID, NULL), -EINVAL);
	ck_assert_int_eq(register_at(UINT32_MAX, 999, NULL), -EBADF);
	ck_assert_int_eq(ringd_register_ring_fds(rd, ups, 2), 1);	/* up to the one that is taken */
	ck_assert_int_eq(register_at(3, RING_ID, NULL), -EBUSY);
	ups[0].resv = 1;
	ck_assert_int_eq(ringd_register_ring_fds(rd, ups, 1), -EINVAL);
	for (uint32_t i = 0; i < 16; i++) {
		if (i == 3)
			continue;
		ck_assert_int_eq(register_at(UINT32_MAX, RING_ID, &index), 1);
		ck_assert_uint_eq(index, i);
	}
	ck_assert_int_eq(register_at(UINT32_MAX, RING_ID, NULL), -EBUSY);
	ck_assert_int_eq(ringd_registered_ring(15, &found), 0);
	ck_assert_ptr_eq(found, ring);
	ck_assert_int_eq(ringd_registered_ring(16, &found), -EINVAL);
	ck_assert_int_eq(ringd_register_ring_fd(ring), -EBUSY);
	ups[0] = ups[1] = (struct ringd_rsrc_update){ .offset = 5 };
	ck_assert_int_eq(ringd_unregister_ring_fds(rd, ups, 2), 2);	/* empty counts as done */
	ck_assert_int_eq(ringd_registered_ring(5, &found), -EBADF);
	ups[0].data = 1;
	ck_assert_int_eq(ringd_unregister_ring_fds(rd, ups, 1), -EINVAL);
	ups[0] = (struct ringd_rsrc_update){ .offset = 16 };
	ck_assert_int_eq(ringd_unregister_ring_fds(rd, ups, 1), -EINVAL);
}
END_TEST

START_TEST(enter_by_number)
{
	const unsigned int by_number = RINGD_ENTER_GETEVENTS | RINGD_ENTER_REGISTERED_RING;
	int index;

	make_ring(8, 0);
	ck_assert_int_eq(ringd_enter_registered(16, 0, 0, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, by_number, NULL, 0), -EINVAL);
	ck_assert_int_eq(ringd_unregister_ring_fd(ring), -EINVAL);
	ck_assert_int_eq(ringd_register_ring_fd(ring), 1);
	ck_assert_int_eq(ringd_register_ring_fd(ring), -EEXIST);
	index = ringd_ring_index(ring);
	ck_assert_int_eq(index, 0);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, by_number, NULL, 0), 0);
	ck_assert_int_eq(ringd_enter_registered(1, 0, 0, 0, NULL, 0), -EBADF);
	ringd_prep_nop(ringd_get_sqe(ring));
	ck_assert_int_eq(ringd_enter_registered(0, 1, 1, by_number, NULL, 0), 1);
	ck_assert_int_eq(ringd_enter_registered(0, 0, 0, 0x100, NULL, 0), -EINVAL);
	ck_assert_int_eq(ringd_unregister_ring_fd(ring), 1);
	ck_assert_int_eq(ringd_enter_registered(0, 0, 0, 0, NULL, 0), -EBADF);
	ck_assert_int_eq(ringd_enter(ring, 0, 0, by_number, NULL, 0), -EBADF);
}
END_TEST

START_TEST(registered_ring_outlives_its_handle)
{
	struct ringd_rsrc_update up = { .offset = 2, .data = RING_ID };
	struct ringd_ring *found;

	make_ring(8, 0);
	ck_assert_int_eq(ringd_register_ring_fds(rd, &up, 1), 1);
	ringd_ring_free(ring);
	ck_assert_int_eq(fake->rings_freed, 0);
	ck_assert_int_eq(register_at(UINT32_MAX, RING_ID, NULL), -EBADF);	/* its handle is closed */
	ck_assert_int_eq(ringd_registered_ring(2, &found), 0);
	ck_assert_ptr_eq(found, ring);
	ck_assert_int_eq(nop(), 1);
	up.data = 0;
	ck_assert_int_eq(ringd_unregister_ring_fds(rd, &up, 1), 1);
	ck_assert_int_eq(fake->rings_freed, 1);
}
END_TEST

START_TEST(number_that_outlived_its_connection)
{
	struct ringd_rsrc_update up = { .offset = 2 };
	struct ringd_ring *found;

	make_ring(8, 0);
	ck_assert_int_eq(register_at(2, RING_ID, NULL), 1);
	if (_i)
		ringd_ring_free(ring);
	ringd_close(rd);
	rd = NULL;
	ck_assert_int_eq(ringd_registered_ring(2, &found), -EBADF);
	ck_assert_int_eq(ringd_enter_registered(2, 0, 0, 0, NULL, 0), -EBADF);
	fake_free(fake);
	setup();
	ck_assert_int_eq(ringd_unregister_ring_fds(rd, &up, 1), 1);
}
END_TEST

static void *other_table(void *arg)
{
	struct ringd_ring *found;

	ck_assert_int_eq(ringd_enter_registered(0, 0, 0, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(register_at(7, RING_ID, NULL), 1);
	ck_assert_int_eq(ringd_registered_ring(0, &found), -EBADF);
	ck_assert_int_eq(ringd_enter_registered(7, 0, 0, 0, NULL, 0), 0);
	return arg;
}

START_TEST(each_thread_has_its_own_table)
{
	struct ringd_ring *found;
	pthread_t th;

	make_ring(8, 0);
	ck_assert_int_eq(register_at(0, RING_ID, NULL), 1);
	pthread_create(&th, NULL, other_table, NULL);
	pthread_join(th, NULL);
	ck_assert_int_eq(ringd_registered_ring(7, &found), -EBADF);
	/* that thread has let go of it */
	ringd_ring_free(ring);
	ck_assert_int_eq(fake->rings_freed, 0);
	ck_assert_int_eq(ringd_unregister_ring_fds(rd, &(struct ringd_rsrc_update){ .offset = 0 }, 1), 1);
	ck_assert_int_eq(fake->rings_freed, 1);
}
END_TEST

START_TEST(ring_that_is_only_a_number)
{
	struct ringd_params p = { .flags = RINGD_SETUP_NO_MMAP | RINGD_SETUP_REGISTERED_FD_ONLY };
	struct ringd_arena *arena;

	ck_assert_int_eq(ringd_arena_new(rd, &arena, 4 * 4096, 0), 0);
	p.sq_off.user_addr = (uintptr_t)ringd_arena_base(arena);
	p.cq_off.user_addr = p.sq_off.user_addr + 4096;
	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 8, &p), 0);
	ck_assert_int_eq(ringd_ring_index(ring), 0);
	for (uint32_t i = 1; i < 16; i++)
		ck_assert_int_eq(register_at(UINT32_MAX, RING_ID, NULL), 1);
	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 8, &p), -EBUSY);
	p.flags = RINGD_SETUP_REGISTERED_FD_ONLY;
	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 8, &p), -EINVAL);
}
END_TEST

/* --- register calls --- */

static void *enable(void *arg)
{
	ck_assert_int_eq(ringd_enable_rings(ring), 0);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
	return arg;
}

START_TEST(who_enables_is_the_submitter)
{
	pthread_t th;

	make_ring(8, RINGD_SETUP_R_DISABLED | RINGD_SETUP_SINGLE_ISSUER);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 4), 0);
	ck_assert_int_eq(nop(), -EBADFD);
	pthread_create(&th, NULL, enable, NULL);
	pthread_join(th, NULL);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_ENABLE_RINGS);
	ck_assert_int_eq(ringd_submit(ring), 0);
	ck_assert_int_eq(nop(), -EEXIST);
	ck_assert_int_eq(ringd_unregister_files(ring), -EEXIST);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 4), -EEXIST);
}
END_TEST

START_TEST(refused_enable_changes_nothing)
{
	make_ring(8, RINGD_SETUP_R_DISABLED);
	fake->fail = -EPERM;
	ck_assert_int_eq(ringd_enable_rings(ring), -EPERM);
	ck_assert_int_eq(nop(), -EBADFD);
	ck_assert_int_eq(ringd_enable_rings(ring), 0);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
}
END_TEST

START_TEST(waits_are_on_the_registered_clock)
{
	struct ringd_clock_register clock = { .clockid = CLOCK_BOOTTIME };
	struct ringd_getevents_arg arg = { 0 };
	struct timespec ts, after;
	const unsigned int flags = RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG | RINGD_ENTER_ABS_TIMER;

	make_ring(8, 0);
	ck_assert_int_eq(ringd_register_clock(ring, NULL), -EINVAL);
	ck_assert_int_eq(ringd_register_clock(ring, &clock), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_CLOCK);
	clock_gettime(CLOCK_BOOTTIME, &ts);
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	_Static_assert(sizeof(ts) == sizeof(struct ringd_timespec), "the same");
	arg.ts = (uintptr_t)&ts;
	ck_assert_int_eq(ringd_enter(ring, 0, 1, flags, &arg, sizeof(arg)), -ETIME);
	clock_gettime(CLOCK_BOOTTIME, &after);
	ck_assert(after.tv_sec > ts.tv_sec || (after.tv_sec == ts.tv_sec && after.tv_nsec >= ts.tv_nsec));
}
END_TEST

START_TEST(eventfd_goes_along)
{
	int fd = eventfd(0, EFD_CLOEXEC), path = open("/", O_PATH | O_CLOEXEC);

	make_ring(8, 0);
	ck_assert_int_eq(ringd_register_eventfd(ring, fd), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_EVENTFD);
	ck_assert_uint_eq(fake->reg.nr, 1);
	ck_assert_uint_eq(fake->reg.size, 4);
	ck_assert_uint_eq(fake->reg.n_fds, 1);
	ck_assert_int_eq(ringd_register_eventfd_async(ring, fd), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_EVENTFD_ASYNC);
	ck_assert_int_eq(ringd_unregister_eventfd(ring), 0);
	ck_assert_int_eq(ringd_register_eventfd(ring, path), -EBADF);
	ck_assert_int_eq(ringd_register_eventfd(ring, -1), -EBADF);
	close(path);
	close(fd);
	ck_assert_int_eq(ringd_register_eventfd(ring, fd), -EBADF);
}
END_TEST

START_TEST(resize_is_refused_here)
{
	struct ringd_params p = { .sq_entries = 8 };

	make_ring(8, 0);
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EINVAL);
	ck_assert_int_eq(ringd_resize_rings(ring, NULL), -EFAULT);
	ringd_ring_free(ring);
	make_ring(8, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
	p.flags = RINGD_SETUP_SQE128;
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EINVAL);
	p = (struct ringd_params){ .sq_entries = 8, .flags = RINGD_SETUP_CQSIZE, .cq_entries = 4 };
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EINVAL);
	p = (struct ringd_params){ .sq_entries = 0 };
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EINVAL);
	p.sq_entries = 16;
	fake->fail = -EOVERFLOW;
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EOVERFLOW);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_RESIZE_RINGS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client setup");
	TCase *kinds = tcase_create("kinds"), *memory = tcase_create("memory"), *fds = tcase_create("fds"), *reg = tcase_create("register");

	tcase_add_checked_fixture(kinds, setup, teardown);
	tcase_add_test(kinds, sqe128_ring_has_wide_slots);
	tcase_add_test(kinds, wide_sqe_takes_two_neighbours);
	tcase_add_test(kinds, no_wide_sqe_elsewhere);
	tcase_add_test(kinds, mixed_cqes_are_walked);
	tcase_add_test(kinds, flags_of_mixed_rings_mean_nothing_elsewhere);
	suite_add_tcase(s, kinds);
	tcase_add_checked_fixture(memory, setup, teardown);
	tcase_add_test(memory, sizes_are_those_of_io_uring);
	tcase_add_test(memory, ring_lives_in_an_arena);
	suite_add_tcase(s, memory);
	tcase_add_checked_fixture(fds, setup, teardown);
	tcase_add_test(fds, slots_of_the_table);
	tcase_add_test(fds, enter_by_number);
	tcase_add_test(fds, registered_ring_outlives_its_handle);
	tcase_add_loop_test(fds, number_that_outlived_its_connection, 0, 2);
	tcase_add_test(fds, each_thread_has_its_own_table);
	tcase_add_test(fds, ring_that_is_only_a_number);
	suite_add_tcase(s, fds);
	tcase_add_checked_fixture(reg, setup, teardown);
	tcase_add_test(reg, who_enables_is_the_submitter);
	tcase_add_test(reg, refused_enable_changes_nothing);
	tcase_add_test(reg, waits_are_on_the_registered_clock);
	tcase_add_test(reg, eventfd_goes_along);
	tcase_add_test(reg, resize_is_refused_here);
	suite_add_tcase(s, reg);
	return rd_suite_main(s);
}
