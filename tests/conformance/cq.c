/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CQ, overflow, mixed CQEs */
#include "cf.h"

#define MS 1000000ull

/* n NOPs from user_data on, as many at once as the SQ takes. */
static void nops(struct cf_ring *ring, uint64_t user_data, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		cf_sqe(ring, RINGD_OP_NOP)->user_data = user_data + i;
		if (cf_sq_pending(ring) == ring->p.sq_entries || i + 1 == n)
			ck_assert_int_gt(cf_submit(ring), 0);
	}
}

static void expect_there(struct cf_ring *ring, uint64_t user_data)
{
	struct cf_cqe cqe;

	ck_assert(cf_peek(ring, &cqe));
	ck_assert_uint_eq(cqe.user_data, user_data);
}

static bool held(struct cf_ring *ring)
{
	return cf_sq_flags(ring) & RINGD_SQ_CQ_OVERFLOW;
}

static void flush(struct cf_ring *ring)
{
	ck_assert_int_eq(cf_enter(ring, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
}

CF_TEST(excess_is_kept, 86, "More completions than CQ entries -> the excess is kept, SQ flag 0x2 is set, the overflow counter stays 0")
{
	struct cf_ring *ring = cf_ring_new(4, 0);

	nops(ring, 0, 12);
	ck_assert_uint_eq(cf_cq_ready(ring), 8);
	ck_assert(held(ring));
	ck_assert_uint_eq(cf_cq_overflow(ring), 0);
}

CF_TEST(excess_comes_in_order, 87,
	"After the client frees CQ space and enters with GETEVENTS -> held CQEs appear in order and flag 0x2 is cleared once all moved")
{
	struct cf_ring *ring = cf_ring_new(4, 0);
	uint64_t next = 0;

	nops(ring, 0, 20);
	while (next < 3)
		expect_there(ring, next++);
	flush(ring);
	ck_assert_uint_eq(cf_cq_ready(ring), 8);
	ck_assert(held(ring));
	while (next < 11)
		expect_there(ring, next++);
	flush(ring);
	while (next < 19)
		expect_there(ring, next++);
	flush(ring);
	expect_there(ring, next);
	ck_assert(!held(ring));
}

CF_TEST(later_ones_queue_behind, 88, "A CQE produced while the held list is non-empty and the ring has space -> it queues behind the held ones")
{
	struct cf_ring *ring = cf_ring_new(4, 0);

	nops(ring, 0, 9);
	for (uint64_t i = 0; i < 4; i++)
		expect_there(ring, i);
	cf_sqe(ring, RINGD_OP_NOP)->user_data = 9;
	ck_assert_int_eq(cf_enter(ring, 1, 0, 0, NULL, 0), 1);
	ck_assert_uint_eq(cf_cq_ready(ring), cf_on(CF_RINGD) ? 6 : 4);
	flush(ring);
	for (uint64_t i = 4; i < 10; i++)
		expect_there(ring, i);
	ck_assert(!held(ring));
}
CF_DIFFERS(later_ones_queue_behind, CF_RINGD,
	   "every submission of libringd asks for what is held back, as liburing's do; the order is the same")

CF_TEST(multishot_poll_ends_at_a_full_cq, 89, "A multishot poll that fires with a full CQ -> its CQE has no F_MORE and the poll is gone")
{
	struct cf_ring *ring = cf_ring_new(4, 0);
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_POLL_ADD);
	int fd[2];

	cf_pipe(fd);
	cf_sqe_fd(ring, sqe, fd[0]);
	sqe->poll32_events = POLLIN;
	sqe->len = RINGD_POLL_ADD_MULTI;
	sqe->user_data = 77;
	ck_assert_int_eq(cf_submit(ring), 1);
	nops(ring, 0, 8);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	for (int i = 0; i < CF_PATIENCE_MS && !held(ring); i++) {
		usleep(1000);
		ck_assert_int_eq(cf_enter(ring, 0, 0, 0, NULL, 0), 0);	/* a kernel's task work runs in a call */
	}
	for (uint64_t i = 0; i < 8; i++)
		expect_there(ring, i);
	cf_expect(ring, 77, POLLIN, 0);
	sqe = cf_sqe(ring, RINGD_OP_POLL_REMOVE);
	sqe->addr = 77;
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 0, -ENOENT, 0);
}

CF_TEST(multishot_timeout_ends_at_a_full_cq, 90, "A multishot timeout that fires with a full CQ -> same")
{
	struct cf_ring *ring = cf_ring_new(4, 0);
	struct ringd_sqe *sqe;

	nops(ring, 0, 8);
	sqe = cf_sqe(ring, RINGD_OP_TIMEOUT);
	sqe->addr = cf_addr(cf_ts(20 * MS));
	sqe->len = 1;
	sqe->timeout_flags = RINGD_TIMEOUT_MULTISHOT;
	sqe->user_data = 77;
	ck_assert_int_eq(cf_submit(ring), 1);
	for (int i = 0; i < CF_PATIENCE_MS && !held(ring); i++) {
		usleep(1000);
		ck_assert_int_eq(cf_enter(ring, 0, 0, 0, NULL, 0), 0);
	}
	for (uint64_t i = 0; i < 8; i++)
		expect_there(ring, i);
	cf_expect(ring, 77, -ETIME, 0);
	cf_expect_none(ring);
}

CF_TEST(message_to_a_full_ring, 92, "MSG_RING to a ring with a full CQ -> the sender gets 0 and the message is held for the target")
{
	struct cf_ring *from = cf_ring_new(4, 0), *to = cf_ring_new(4, 0);
	struct ringd_sqe *sqe = cf_sqe(from, RINGD_OP_MSG_RING);

	nops(to, 0, 8);
	sqe->fd = to->fd;
	sqe->off = 77;
	sqe->len = 5;
	ck_assert_int_eq(cf_run(from), 0);
	ck_assert_uint_eq(cf_cq_ready(to), 8);
	for (uint64_t i = 0; i < 8; i++)
		expect_there(to, i);
	cf_expect(to, 77, 5, 0);
}

/* --- sizes --- */

static void nop32(struct cf_ring *ring, uint64_t user_data)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_NOP);

	sqe->user_data = user_data;
	sqe->nop_flags = RINGD_NOP_CQE32;
	sqe->off = user_data + 100;
	sqe->addr = user_data + 200;
	ck_assert_int_eq(cf_submit(ring), 1);
}

static void expect_big(struct cf_ring *ring, uint64_t user_data, uint32_t flags, uint64_t big0, uint64_t big1)
{
	struct cf_cqe cqe;

	cf_wait_cqe(ring, &cqe);
	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, 0);
	ck_assert_uint_eq(cqe.flags, flags);
	ck_assert_uint_eq(cqe.big[0], big0);
	ck_assert_uint_eq(cqe.big[1], big1);
}

CF_TEST(cqe32_ring, 94, "CQE32 ring: every CQE -> 32 bytes, big_cqe 0 unless the op defines it")
{
	struct cf_ring *ring = cf_ring_new(4, RINGD_SETUP_CQE32);

	for (uint64_t i = 0; i < 20; i++) {
		nops(ring, i, 1);
		expect_big(ring, i, 0, 0, 0);
	}
}

CF_TEST(mixed_ring_plain_nop, 95, "CQE_MIXED ring and a plain NOP -> 16 bytes, flag 0x8000 clear")
{
	struct cf_ring *ring;
	unsigned int tail;

	cf_need_setup(RINGD_SETUP_CQE_MIXED);
	ring = cf_ring_new(4, RINGD_SETUP_CQE_MIXED);
	tail = cf_cq_tail(ring);
	nops(ring, 1, 1);
	ck_assert_uint_eq(cf_cq_tail(ring), tail + 1);
	expect_big(ring, 1, 0, 0, 0);
}

CF_TEST(mixed_ring_large_nop, 96,
	"CQE_MIXED ring and a NOP with nop flag 0x20 -> flag 0x8000, big_cqe holds off and addr, tail advances by 2")
{
	struct cf_ring *ring;
	unsigned int tail;

	cf_need_setup(RINGD_SETUP_CQE_MIXED);
	ring = cf_ring_new(4, RINGD_SETUP_CQE_MIXED);
	tail = cf_cq_tail(ring);
	nop32(ring, 1);
	ck_assert_uint_eq(cf_cq_tail(ring), tail + 2);
	expect_big(ring, 1, RINGD_CQE_F_32, 101, 201);
}

CF_TEST(mixed_ring_filler, 97,
	"CQE_MIXED ring and a 32-byte CQE due in the last physical slot -> a filler comes first and the tail advances by 3")
{
	struct cf_ring *ring;

	cf_need_setup(RINGD_SETUP_CQE_MIXED);
	ring = cf_ring_new(4, RINGD_SETUP_CQE_MIXED);
	nops(ring, 0, 7);
	for (uint64_t i = 0; i < 7; i++)
		cf_expect(ring, i, 0, 0);
	ck_assert_uint_eq(cf_cq_tail(ring), 7);
	nop32(ring, 9);
	ck_assert_uint_eq(cf_cq_tail(ring), 10);
	cf_expect(ring, 0, 0, RINGD_CQE_F_SKIP);
	expect_big(ring, 9, RINGD_CQE_F_32, 109, 209);
}

CF_TEST(large_nop_on_a_small_ring, 98, "NOP with nop flag 0x20 on a 16-byte ring -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(4, 0);

	nop32(ring, 1);
	cf_expect(ring, 1, -EINVAL, 0);
}
