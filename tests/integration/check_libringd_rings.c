/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd with the real daemon: every kind of ring, lazy ones, resizing, and threads that wait at once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/private.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

#define LAZY	(RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN)

static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_arena *arena;

static void setup(void)
{
	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, 1u << 20, 0), 0);
}

static void teardown(void)
{
	ringd_close(rd);
	rd_daemon_stop(&ringd);
}

static void make_ring(unsigned int entries, unsigned int flags)
{
	int r = ringd_ring_new(rd, &ring, entries, flags);

	ck_assert_msg(r == 0, "%d: %s", r, ringd_strerror(rd));
}

static void nop(uint64_t data)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	ringd_prep_nop(sqe);
	sqe->user_data = data;
}

/* A CQE -ETIME in so many milliseconds */
static void late(uint64_t data, unsigned int ms)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);
	struct ringd_timespec *ts = ringd_arena_alloc(arena, sizeof(*ts), 0);

	ck_assert_ptr_nonnull(sqe);
	*ts = (struct ringd_timespec){ .tv_nsec = ms * 1000000 };
	ringd_prep_nop(sqe);
	sqe->opcode = RINGD_OP_TIMEOUT;
	sqe->addr = (uintptr_t)ts;
	sqe->len = 1;
	sqe->user_data = data;
}

static void expect(uint64_t data, int32_t res)
{
	struct ringd_cqe *cqe;

	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, data);
	ck_assert_int_eq(cqe->res, res);
	ringd_cqe_seen(ring, cqe);
}

static const unsigned int kinds[] = {
	0, RINGD_SETUP_SQPOLL, RINGD_SETUP_SQE128, RINGD_SETUP_CQE32, RINGD_SETUP_SQE128 | RINGD_SETUP_CQE32 | RINGD_SETUP_SQPOLL,
	RINGD_SETUP_CQE_MIXED, RINGD_SETUP_SQE_MIXED, RINGD_SETUP_SQ_REWIND | RINGD_SETUP_NO_SQARRAY, RINGD_SETUP_IOPOLL,
	RINGD_SETUP_COOP_TASKRUN, RINGD_SETUP_COOP_TASKRUN | RINGD_SETUP_TASKRUN_FLAG, RINGD_SETUP_SINGLE_ISSUER, LAZY,
	LAZY | RINGD_SETUP_TASKRUN_FLAG, LAZY | RINGD_SETUP_SQE128 | RINGD_SETUP_CQE32,
};
#define N_KINDS	((int)(sizeof(kinds) / sizeof(kinds[0])))

START_TEST(nops_on_every_kind_of_ring)
{
	uint64_t next = 0;

	make_ring(8, kinds[_i]);
	for (uint64_t i = 0; i < 600; i += 6) {
		for (uint64_t k = i; k < i + 6; k++)
			nop(k);
		ck_assert_int_eq(ringd_submit_and_wait(ring, i % 7), 6);
		while (next < i + 6)
			expect(next++, 0);
		while (ringd_sq_space_left(ring) < 6)
			ck_assert_int_eq(ringd_sqring_wait(ring), 0);
	}
}
END_TEST

START_TEST(timeouts_on_every_kind_of_ring)
{
	/* only files can be polled for */
	int32_t want = kinds[_i] & RINGD_SETUP_IOPOLL ? -EINVAL : -ETIME;

	make_ring(8, kinds[_i]);
	late(1, 2);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
	expect(1, want);
	late(2, 2);
	ck_assert_int_eq(ringd_submit(ring), 1);
	expect(2, want);
}
END_TEST

/* --- wide entries --- */

START_TEST(wide_and_narrow_requests_in_turn)
{
	unsigned int wide = 0, narrow = 0;

	make_ring(8, RINGD_SETUP_SQE_MIXED | RINGD_SETUP_SUBMIT_ALL);
	for (uint64_t i = 0; i < 200; i++) {
		struct ringd_sqe *sqe = i % 3 ? ringd_get_sqe128(ring) : ringd_get_sqe(ring);
		struct ringd_cqe *cqe;

		ck_assert_ptr_nonnull(sqe);
		ringd_prep_nop(sqe);
		if (i % 3)
			sqe->opcode = RINGD_OP_NOP128;
		wide += i % 3 != 0;
		narrow += i % 3 == 0;
		sqe->user_data = i;
		ck_assert_int_ge(ringd_submit(ring), 1);
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, i);
		ck_assert_int_eq(cqe->res, 0);
		ringd_cqe_seen(ring, cqe);
	}
	ck_assert_uint_gt(wide, narrow);
}
END_TEST

START_TEST(wide_and_narrow_completions_in_turn)
{
	make_ring(8, RINGD_SETUP_CQE_MIXED);
	for (uint64_t i = 0; i < 300; i++) {
		struct ringd_cqe *cqe;
		const uint64_t *big;
		bool wide = i % 3 != 1;

		nop(i);
		if (wide) {
			struct ringd_sqe *sqe = ringd_get_sqe(ring);

			ringd_prep_nop(sqe);
			sqe->nop_flags = RINGD_NOP_CQE32;
			sqe->user_data = 1000 + i;
			sqe->off = i;
			sqe->addr = ~i;
		}
		ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1 + wide);
		expect(i, 0);
		if (!wide)
			continue;
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, 1000 + i);
		ck_assert_uint_eq(ringd_cqe_slots(ring, cqe), 2);
		big = (const uint64_t *)(const void *)(cqe + 1);
		ck_assert_uint_eq(big[0], i);
		ck_assert_uint_eq(big[1], ~i);
		ringd_cqe_seen(ring, cqe);
	}
}
END_TEST

/* --- lazy rings --- */

static void wait_pending(void)
{
	struct pollfd p = { .fd = ringd_ring_fd(ring), .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, 100000), 1);
}

START_TEST(late_completion_is_not_seen_by_itself)
{
	struct ringd_cqe *cqe;

	make_ring(8, LAZY);
	late(1, 1);
	nop(2);
	ck_assert_int_eq(ringd_submit(ring), 2);
	expect(2, 0);
	usleep(30000);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	/* mostly the first; the engine may be late */
	do
		ck_assert_int_eq(ringd_get_events(ring), 0);
	while (ringd_peek_cqe(ring, &cqe) < 0);
	ck_assert_uint_eq(cqe->user_data, 1);
}
END_TEST

START_TEST(flag_lets_peek_fetch_it)
{
	struct ringd_cqe *cqe;
	int r;

	make_ring(8, LAZY | RINGD_SETUP_TASKRUN_FLAG);
	late(1, 1);
	ck_assert_int_eq(ringd_submit(ring), 1);
	while ((r = ringd_peek_cqe(ring, &cqe)) == -EAGAIN)
		usleep(1000);
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(cqe->user_data, 1);
}
END_TEST

START_TEST(submit_and_get_events)
{
	struct ringd_cqe *cqe;

	make_ring(8, LAZY);
	for (int tries = 0;; tries++) {
		late(1, 1);
		ck_assert_int_eq(ringd_submit(ring), 1);
		usleep(30000);
		ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
		nop(2);
		ck_assert_int_eq(ringd_submit_and_get_events(ring), 1);
		if (ringd_cq_ready(ring) == 2)
			break;
		ck_assert_int_lt(tries, 100);	/* the engine may be late, but not always */
		while (ringd_cq_ready(ring) < 2)
			ck_assert_int_eq(ringd_get_events(ring), 0);
		ringd_cq_advance(ring, 2);
	}
}
END_TEST

START_TEST(descriptor_stays_readable_until_the_enter)
{
	struct pollfd p = { .events = POLLIN };
	struct ringd_cqe *cqe;

	make_ring(8, LAZY);
	p.fd = ringd_ring_fd(ring);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
	for (uint64_t i = 0; i < 20; i++) {
		late(i, 1);
		ck_assert_int_eq(ringd_submit(ring), 1);
		if (i % 2)
			ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
		wait_pending();
		for (int k = 0; k < 3; k++) {
			ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
			ck_assert_int_eq(poll(&p, 1, 100000), 1);
		}
		ck_assert_int_eq(ringd_get_events(ring), 0);
		expect(i, -ETIME);
		/* a byte for what was there may come late; then it is looked for again */
		for (int k = 0; k < 1000; k++) {
			ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
			if (poll(&p, 1, 0) == 0)
				break;
			usleep(1000);
		}
		ck_assert_int_eq(poll(&p, 1, 0), 0);
	}
}
END_TEST

START_TEST(waits_that_time_out_beside_late_completions)
{
	struct ringd_cqe *cqe;
	uint64_t next = 0;

	make_ring(32, LAZY);
	for (uint64_t i = 0; i < 200; i++) {
		const struct timespec ts = { .tv_nsec = 1000 * (long)(i * 17 % 3000) };
		int r;

		late(i, 1);
		r = ringd_submit_and_wait_timeout(ring, &cqe, 2, &ts);
		ck_assert_int_eq(r, 1);
		while (ringd_peek_cqe(ring, &cqe) == 0) {
			ck_assert_uint_eq(cqe->user_data, next++);
			ringd_cqe_seen(ring, cqe);
		}
	}
	while (next < 200)
		expect(next++, -ETIME);
}
END_TEST

/* --- resize --- */

static void open_later(uint64_t data, unsigned int slot)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);

	ck_assert_ptr_nonnull(sqe);
	ringd_prep_openat_direct(ring, sqe, AT_FDCWD, "/dev/null", O_RDWR, 0, slot);
	sqe->user_data = data;
}

/* n CQEs with res 0 whose user_data are first to first + n - 1, in any order */
static void expect_all(uint64_t first, unsigned int n)
{
	uint64_t seen = 0;

	while (seen != (1ull << n) - 1) {
		struct ringd_cqe *cqe;

		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_uint_lt(cqe->user_data - first, n);
		ck_assert_int_eq(cqe->res, 0);
		ck_assert_uint_eq(seen & 1ull << (cqe->user_data - first), 0);
		seen |= 1ull << (cqe->user_data - first);
		ringd_cqe_seen(ring, cqe);
	}
}

/* 5 CQEs unread, 5 SQEs unsubmitted, 3 of them with a path in the scratch area; another lap of the SQ after it */
START_TEST(resize_carries_everything_over)
{
	static const unsigned int sizes[] = { 32, 8, 64, 8, 16, 16 };

	make_ring(8, LAZY);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 16), 0);
	for (unsigned int k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct ringd_params p = { .sq_entries = sizes[k] };

		for (uint64_t i = 0; i < 5; i++)
			nop(i);
		ck_assert_int_eq(ringd_submit(ring), 5);
		for (unsigned int i = 0; i < 5; i++) {
			if (i % 2)
				nop(5 + i);
			else
				open_later(5 + i, i);
		}
		ck_assert_int_eq(ringd_resize_rings(ring, &p), 0);
		ck_assert_uint_eq(p.sq_entries, sizes[k]);
		ck_assert_uint_eq(p.cq_entries, 2 * sizes[k]);
		ck_assert_uint_eq(ringd_sq_ready(ring), 5);
		ck_assert_uint_eq(ringd_cq_ready(ring), 5);
		open_later(10, 15);
		ck_assert_int_eq(ringd_submit(ring), 6);
		expect_all(0, 11);
		for (uint64_t i = 0; i < sizes[k] && i < 60; i++)
			open_later(i, (unsigned int)i % 16);
		ck_assert_int_gt(ringd_submit(ring), 0);
		expect_all(0, sizes[k] < 60 ? sizes[k] : 60);
	}
}
END_TEST

START_TEST(resize_that_does_not_fit)
{
	struct ringd_params p = { .sq_entries = 2 };

	make_ring(8, LAZY);
	for (uint64_t i = 0; i < 5; i++)
		nop(i);
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EOVERFLOW);
	ck_assert_int_eq(ringd_submit(ring), 5);
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EOVERFLOW);
	for (uint64_t i = 0; i < 5; i++)
		expect(i, 0);
	ck_assert_int_eq(ringd_resize_rings(ring, &p), 0);
	nop(9);
	ck_assert_int_eq(ringd_submit(ring), 1);
	expect(9, 0);
}
END_TEST

/* Somebody has written to memory that only the engine writes. */
START_TEST(resize_with_a_forged_head)
{
	struct ringd_params p = { .sq_entries = 16 };

	make_ring(8, LAZY);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 16), 0);
	for (unsigned int i = 0; i < 8; i++)
		open_later(i, i);
	__atomic_store_n(&ring->hot->sq_head, _i ? 100000u : 0u - 100000u, __ATOMIC_RELAXED);
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -ENOMEM);
	ck_assert_int_eq(ringd_submit(ring), -ECONNRESET);
}
END_TEST

/* The engine goes on in memory whose descriptor this process could not take. */
START_TEST(resize_without_room_for_a_descriptor)
{
	struct ringd_params p = { .sq_entries = 16 };
	struct rlimit old, few;
	struct ringd_cqe *cqe;

	make_ring(8, LAZY);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(ringd_resize_rings(ring, &p), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(ringd_submit(ring), -ECONNRESET);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), -ECONNRESET);
	ringd_ring_free(ring);
	make_ring(8, LAZY);
	nop(1);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
	expect(1, 0);
}
END_TEST

START_TEST(buffer_ring_without_room_for_a_descriptor)
{
	struct ringd_buf_ring *br;
	struct rlimit old, few;
	int err;

	make_ring(8, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_ptr_null(ringd_setup_buf_ring(ring, 8, 1, 0, &err));
	ck_assert_int_eq(err, -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	br = ringd_setup_buf_ring(ring, 8, 1, 0, &err);		/* there is no group 1 */
	ck_assert_ptr_nonnull(br);
	ck_assert_int_eq(ringd_free_buf_ring(ring, br, 8, 1), 0);
}
END_TEST

START_TEST(resize_of_a_polled_ring)
{
	make_ring(8, LAZY);
	(void)ringd_ring_fd(ring);
	for (uint64_t i = 0; i < 10; i++) {
		struct ringd_params p = { .sq_entries = i % 2 ? 8 : 32 };
		struct ringd_cqe *cqe;

		late(i, 2);
		ck_assert_int_eq(ringd_submit(ring), 1);
		ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
		ck_assert_int_eq(ringd_resize_rings(ring, &p), 0);
		wait_pending();
		expect(i, -ETIME);
	}
}
END_TEST

/* --- memory, numbers, descriptors --- */

START_TEST(rings_in_an_arena)
{
	static const unsigned int flags[] = { 0, RINGD_SETUP_SQE128 | RINGD_SETUP_CQE32, RINGD_SETUP_SQPOLL };
	char *mem = ringd_arena_base(arena);
	struct ringd_params p = { .flags = flags[_i] };
	ssize_t need = ringd_memory_size(100, &p);

	ck_assert_int_gt(need, 0);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 100, &p, mem, (size_t)need - 4096), -ENOMEM);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 100, &p, mem + 64, 1u << 19), -EINVAL);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 100, &p, NULL, 1u << 19), -EFAULT);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 100, &p, mem - 4096, 1u << 19), -EFAULT);
	memset(mem, 0xff, (size_t)need);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 100, &p, mem, (size_t)need), need);
	for (uint64_t i = 0; i < 300; i++) {
		nop(i);
		ck_assert_int_eq(ringd_submit(ring), 1);
		expect(i, 0);
	}
	ringd_ring_free(ring);
	ck_assert_int_eq(ringd_ring_new_mem(rd, &ring, 8, &(struct ringd_params){ 0 }, mem, 8192), 8192);
	nop(1);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), 1);
}
END_TEST

START_TEST(ring_that_is_only_a_number)
{
	struct ringd_params p = { .flags = RINGD_SETUP_NO_MMAP | RINGD_SETUP_REGISTERED_FD_ONLY };
	struct ringd_ring *other;

	p.sq_off.user_addr = (uintptr_t)ringd_arena_base(arena);
	p.cq_off.user_addr = p.sq_off.user_addr + 8192;
	make_ring(8, 0);
	other = ring;
	ck_assert_int_eq(ringd_register_ring_fd(other), 1);
	ck_assert_int_eq(ringd_ring_new_params(rd, &ring, 100, &p), 1);
	nop(4);
	ck_assert_int_eq(ringd_enter_registered(1, 1, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 1);
	expect(4, 0);
	ck_assert_int_eq(ringd_unregister_ring_fd(other), 1);
}
END_TEST

START_TEST(eventfd_counts)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t n;

	make_ring(8, 0);
	ck_assert_int_eq(ringd_unregister_eventfd(ring), -ENXIO);
	ck_assert_int_eq(ringd_register_eventfd(ring, fd), 0);
	ck_assert_int_eq(ringd_register_eventfd_async(ring, fd), -EBUSY);
	nop(1);
	ck_assert_int_eq(ringd_submit(ring), 1);
	expect(1, 0);
	ck_assert_int_eq((int)read(fd, &n, sizeof(n)), (int)sizeof(n));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(ringd_unregister_eventfd(ring), 0);
	nop(1);
	ck_assert_int_eq(ringd_submit(ring), 1);
	expect(1, 0);
	ck_assert_int_lt((int)read(fd, &n, sizeof(n)), 0);
	close(fd);
}
END_TEST

START_TEST(wait_region_of_the_engine)
{
	struct ringd_region_desc desc = { .size = 4096 };
	struct ringd_mem_region_reg reg = { .region_uptr = (uintptr_t)&desc, .flags = RINGD_MEM_REGION_REG_WAIT_ARG };
	struct ringd_reg_wait *entries;
	struct ringd_cqe *cqe;

	make_ring(8, RINGD_SETUP_R_DISABLED | (_i ? LAZY : 0));
	ck_assert_int_eq(ringd_register_region(ring, &reg), 0);
	ck_assert_int_eq(ringd_enable_rings(ring), 0);
	ck_assert_int_eq(ringd_enable_rings(ring), -EBADFD);
	entries = ringd_ring_region(ring, NULL);
	entries[5] = (struct ringd_reg_wait){ .flags = RINGD_REG_WAIT_TS, .ts.tv_nsec = 3000000 };
	ck_assert_int_eq(ringd_submit_and_wait_reg(ring, &cqe, 1, 5), -ETIME);
	ck_assert_ptr_null(cqe);
	nop(7);
	ck_assert_int_eq(ringd_submit_and_wait_reg(ring, &cqe, 1, 5), 1);
	ck_assert_uint_eq(cqe->user_data, 7);
	ck_assert_int_eq(ringd_submit_and_wait_reg(ring, &cqe, 2, 64), -EFAULT);
}
END_TEST

/* --- threads --- */

#define ROUNDS	3000u

static atomic_bool over;

static void *only_wait(void *arg)
{
	const struct ringd_timespec ts = { .tv_nsec = 2000000 };
	struct ringd_getevents_arg ext = { .ts = (uintptr_t)&ts };
	unsigned int seed = (unsigned int)(uintptr_t)arg;

	while (!over) {
		unsigned int nr = 1 + (unsigned int)rand_r(&seed) % 3;
		int r = ringd_enter(ring, 0, nr, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG, &ext, sizeof(ext));

		if (r != 0 && r != -ETIME)
			return (void *)(intptr_t)r;
	}
	return NULL;
}

static void *reap(void *arg)
{
	for (uint64_t next = 0; next < ROUNDS; next++) {
		struct ringd_cqe *cqe;

		if (next % 64 == 0)
			usleep(300);	/* let the CQ overflow */
		if (ringd_wait_cqe(ring, &cqe) < 0 || cqe->user_data != next)
			return arg;
		ringd_cqe_seen(ring, cqe);
	}
	return NULL;
}

START_TEST(submitter_reaper_and_waiters)
{
	static const unsigned int flags[] = { 0, RINGD_SETUP_SQPOLL, RINGD_SETUP_SINGLE_ISSUER, RINGD_SETUP_CQE32 };
	pthread_t reaper, waiters[3];
	unsigned int seed = 1;
	void *ret;

	make_ring(8, flags[_i]);
	over = false;
	pthread_create(&reaper, NULL, reap, ring);
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&waiters[i], NULL, only_wait, (void *)i);
	for (uint64_t i = 0; i < ROUNDS;) {
		unsigned int burst = 1 + (unsigned int)rand_r(&seed) % 6;

		for (; burst && i < ROUNDS && ringd_sq_space_left(ring); burst--)
			nop(i++);
		ck_assert_int_ge(ringd_submit(ring), 0);
		ck_assert_int_eq(ringd_sqring_wait(ring), 0);
		if (i % 256 == 0)
			usleep(500);	/* let everybody fall asleep */
	}
	pthread_join(reaper, &ret);
	ck_assert_ptr_null(ret);
	over = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(waiters[i], &ret);
		ck_assert_int_eq((int)(intptr_t)ret, 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("libringd rings");
	TCase *t = tcase_create("kinds"), *lazy = tcase_create("lazy"), *rest = tcase_create("rest");
	const char *missing = rd_daemon_missing();

	if (missing)
		return rd_suite_skip(missing);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, nops_on_every_kind_of_ring, 0, N_KINDS);
	tcase_add_loop_test(t, timeouts_on_every_kind_of_ring, 0, N_KINDS);
	tcase_add_test(t, wide_and_narrow_requests_in_turn);
	tcase_add_test(t, wide_and_narrow_completions_in_turn);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(lazy, setup, teardown);
	tcase_add_test(lazy, late_completion_is_not_seen_by_itself);
	tcase_add_test(lazy, flag_lets_peek_fetch_it);
	tcase_add_test(lazy, submit_and_get_events);
	tcase_add_test(lazy, descriptor_stays_readable_until_the_enter);
	tcase_add_test(lazy, waits_that_time_out_beside_late_completions);
	tcase_add_test(lazy, resize_carries_everything_over);
	tcase_add_test(lazy, resize_that_does_not_fit);
	tcase_add_loop_test(lazy, resize_with_a_forged_head, 0, 2);
	tcase_add_test(lazy, resize_without_room_for_a_descriptor);
	tcase_add_test(lazy, buffer_ring_without_room_for_a_descriptor);
	tcase_add_test(lazy, resize_of_a_polled_ring);
	suite_add_tcase(s, lazy);
	tcase_add_checked_fixture(rest, setup, teardown);
	tcase_add_loop_test(rest, rings_in_an_arena, 0, 3);
	tcase_add_test(rest, ring_that_is_only_a_number);
	tcase_add_test(rest, eventfd_counts);
	tcase_add_loop_test(rest, wait_region_of_the_engine, 0, 2);
	tcase_add_loop_test(rest, submitter_reaper_and_waiters, 0, 4);
	suite_add_tcase(s, rest);
	return rd_suite_main(s);
}
