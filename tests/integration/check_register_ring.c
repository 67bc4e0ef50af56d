/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register calls about a ring itself, its workers and its client through a real engine: every errno of the specification. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "tests/hostile/daemon.h"
#include "tests/hostile/raw.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define A	RD_RAW_ARENA

static struct rd_daemon d;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;

static void setup(void)
{
	rd_daemon_start(&d, NULL);
	raw_connect(&raw, d.socket);
	raw_ring(&ring, &raw, 8, 0);
	raw_arena(&arena, &raw, A, 16 * PAGE);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	rd_daemon_expect_idle(&d, geteuid());
	rd_daemon_stop(&d);
}

static int call(uint32_t opcode, uint32_t nr, const void *data, size_t len)
{
	return raw_register(&ring, opcode, nr, 0, data, len, NULL, 0);
}

static int blind(uint32_t opcode, uint32_t nr, const void *data, size_t len)
{
	return raw_register_get(&raw, 0, opcode, nr, data, len, NULL, 0, NULL);
}

/* --- restrictions --- */

START_TEST(only_four_calls_do_without_a_ring)
{
	const uint32_t limits[2] = { 0, 0 };

	for (uint32_t op = 0; op < RINGD_REGISTER_LAST + 2; op++) {
		bool may = op == RINGD_REGISTER_RESTRICTIONS || op == RINGD_REGISTER_SEND_MSG_RING ||
			   op == RINGD_REGISTER_QUERY || op == RINGD_REGISTER_BPF_FILTER;

		if (!may)
			ck_assert_int_eq(blind(op, 2, limits, sizeof(limits)), -EINVAL);
	}
	ck_assert_int_eq(blind(RINGD_REGISTER_BPF_FILTER, 1, NULL, 0), -EINVAL);
}
END_TEST

START_TEST(a_ring_that_was_started_cannot_be_restricted)
{
	const struct ringd_restriction nop = { .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP };

	ck_assert_int_eq(call(RINGD_REGISTER_RESTRICTIONS, 1, &nop, sizeof(nop)), -EBADFD);
	ck_assert_int_eq(call(RINGD_REGISTER_RESTRICTIONS, 0, NULL, 0), -EBADFD);
}
END_TEST

static int restrict_ring(struct raw_ring *of, const struct ringd_restriction *list, uint32_t nr)
{
	return raw_register(of, RINGD_REGISTER_RESTRICTIONS, nr, 0, list, nr * sizeof(*list), NULL, 0);
}

static int bare(struct raw_ring *of, uint32_t opcode)
{
	return raw_register(of, opcode, 0, 0, NULL, 0, NULL, 0);
}

START_TEST(a_disabled_ring_is_restricted_when_it_starts)
{
	struct ringd_restriction list[] = {
		{ .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP },
		{ .opcode = RINGD_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = RINGD_SQE_ASYNC },
		{ .opcode = RINGD_RESTRICTION_REGISTER_OP, .register_op = RINGD_UNREGISTER_FILES },
	};
	struct ringd_sqe nop = { .opcode = RINGD_OP_NOP, .flags = RINGD_SQE_ASYNC };
	struct raw_ring lazy;

	raw_ring(&lazy, &raw, 8, RINGD_SETUP_R_DISABLED);
	list[0].resv2[1] = 1;
	ck_assert_int_eq(restrict_ring(&lazy, list, 3), -EINVAL);	/* and nothing of it holds */
	list[0].resv2[1] = 0;
	ck_assert_int_eq(raw_register(&lazy, RINGD_REGISTER_RESTRICTIONS, 3, 0, list, sizeof(list) - 8, NULL, 0), -EPROTO);
	raw_close(&raw);
	raw_ring_drop(&lazy);
	raw_ring_drop(&ring);
	raw_connect(&raw, d.socket);
	raw_ring(&lazy, &raw, 8, RINGD_SETUP_R_DISABLED);
	ck_assert_int_eq(restrict_ring(&lazy, list, 3), 0);
	ck_assert_int_eq(restrict_ring(&lazy, list, 3), -EBUSY);
	ck_assert_int_eq(bare(&lazy, RINGD_REGISTER_PERSONALITY), 1);	/* it has not started */
	ck_assert_int_eq(bare(&lazy, RINGD_REGISTER_ENABLE_RINGS), 0);
	ck_assert_int_eq(restrict_ring(&lazy, list, 3), -EACCES);	/* not even to be told so */
	ck_assert_int_eq(bare(&lazy, RINGD_REGISTER_PERSONALITY), -EACCES);
	ck_assert_int_eq(bare(&lazy, RINGD_REGISTER_PROBE), -EACCES);
	ck_assert_int_eq(bare(&lazy, RINGD_UNREGISTER_FILES), -ENXIO);
	ck_assert_int_eq(raw_one(&lazy, &nop), 0);
	nop.flags = 0;
	ck_assert_int_eq(raw_one(&lazy, &nop), -EACCES);
	nop.opcode = RINGD_OP_READ;
	nop.flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(raw_one(&lazy, &nop), -EACCES);
	raw_ring_drop(&lazy);
}
END_TEST

START_TEST(wait_arguments_before_the_start)
{
	const struct {
		struct ringd_mem_region_reg mr;
		struct ringd_region_desc desc;
	} r = { .mr = { .flags = RINGD_MEM_REGION_REG_WAIT_ARG }, .desc = { .size = PAGE } };
	struct ringd_region_desc out;
	struct raw_ring lazy;
	int fd;

	raw_ring(&lazy, &raw, 8, RINGD_SETUP_R_DISABLED);
	ck_assert_int_eq(raw_register_get(&raw, lazy.id, RINGD_REGISTER_MEM_REGION, 1, &r, sizeof(r), &out, sizeof(out), &fd), 0);
	ck_assert_int_ge(fd, 0);
	close(fd);
	raw_ring_drop(&lazy);
}
END_TEST

struct task {
	struct ringd_task_restriction head;
	struct ringd_restriction list[4];
};

static int restrict_task(const struct task *t, uint32_t nr)
{
	return blind(RINGD_REGISTER_RESTRICTIONS, nr, t, sizeof(t->head) + t->head.nr_res * sizeof(t->list[0]));
}

START_TEST(a_restricted_client_makes_restricted_rings)
{
	struct task t = { .head = { .nr_res = 3 }, .list = {
		{ .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP },
		{ .opcode = RINGD_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = RINGD_SQE_ASYNC },
		{ .opcode = RINGD_RESTRICTION_REGISTER_OP, .register_op = RINGD_REGISTER_PERSONALITY },
	} };
	struct ringd_sqe nop = { .opcode = RINGD_OP_NOP }, read = { .opcode = RINGD_OP_READ };
	struct raw_ring later;

	ck_assert_int_eq(restrict_task(&t, 0), -EINVAL);
	t.head.flags = 1;
	ck_assert_int_eq(restrict_task(&t, 1), -EINVAL);
	t.head.flags = 0;
	t.list[2].opcode = RINGD_RESTRICTION_LAST;
	ck_assert_int_eq(restrict_task(&t, 1), -EINVAL);
	t.list[2].opcode = RINGD_RESTRICTION_REGISTER_OP;
	ck_assert_int_eq(restrict_task(&t, 1), 0);
	ck_assert_int_eq(restrict_task(&t, 1), -EPERM);
	raw_ring(&later, &raw, 8, 0);
	ck_assert_int_eq(raw_one(&later, &nop), 0);
	nop.flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(raw_one(&later, &nop), 0);
	nop.flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	ck_assert_int_eq(raw_one(&later, &nop), -EACCES);
	ck_assert_int_eq(raw_one(&later, &read), -EACCES);
	ck_assert_int_eq(raw_register(&later, RINGD_REGISTER_PERSONALITY, 0, 0, NULL, 0, NULL, 0), 1);
	ck_assert_int_eq(raw_register(&later, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), -EACCES);
	/* the ring that was there is as it was */
	ck_assert_int_eq(raw_one(&ring, &read), -EBADF);
	ck_assert_int_eq(call(RINGD_UNREGISTER_FILES, 0, NULL, 0), -ENXIO);
	raw_ring_drop(&later);
}
END_TEST

/* --- query, clock --- */

static int query(uint32_t op, void *out, size_t out_len)
{
	const struct ringd_query_hdr hdr = { .query_op = op, .size = 64 };

	return raw_register_get(&raw, 0, RINGD_REGISTER_QUERY, 0, &hdr, sizeof(hdr), out, out_len, NULL);
}

START_TEST(query_tells_what_is_served)
{
	struct ringd_query_hdr hdr = { .next_entry = 1 };
	struct ringd_query_opcode ops = { 0 };
	struct ringd_query_scq scq = { 0 };

	ck_assert_int_eq(query(RINGD_QUERY_OPCODES, &ops, sizeof(ops)), 0);
	ck_assert_uint_eq(ops.nr_request_opcodes, 65);
	ck_assert_uint_eq(ops.nr_register_opcodes, 38);
	ck_assert_uint_eq(ops.sqe_flags, 0x7f);
	ck_assert_uint_eq(ops.feature_flags, ring.params.features);
	ck_assert_uint_eq(ops.nr_query_opcodes, 3);
	ck_assert_int_eq(query(RINGD_QUERY_SCQ, &scq, sizeof(scq)), 0);
	ck_assert_uint_eq(scq.hdr_size, ring.params.cq_off.cqes);
	ck_assert_int_eq(query(99, NULL, 0), -EOPNOTSUPP);
	ck_assert_int_eq(blind(RINGD_REGISTER_QUERY, 0, &hdr, sizeof(hdr)), -EINVAL);
	hdr.next_entry = 0;
	ck_assert_int_eq(blind(RINGD_REGISTER_QUERY, 1, &hdr, sizeof(hdr)), -EINVAL);
	ck_assert_int_eq(call(RINGD_REGISTER_QUERY, 0, &hdr, sizeof(hdr)), 0);
}
END_TEST

START_TEST(clocks)
{
	struct ringd_clock_register clock = { .clockid = CLOCK_BOOTTIME };

	ck_assert_int_eq(call(RINGD_REGISTER_CLOCK, 0, &clock, sizeof(clock)), 0);
	ck_assert_int_eq(call(RINGD_REGISTER_CLOCK, 1, &clock, sizeof(clock)), -EINVAL);
	clock.resv[2] = 1;
	ck_assert_int_eq(call(RINGD_REGISTER_CLOCK, 0, &clock, sizeof(clock)), -EINVAL);
	clock = (struct ringd_clock_register){ .clockid = CLOCK_REALTIME };
	ck_assert_int_eq(call(RINGD_REGISTER_CLOCK, 0, &clock, sizeof(clock)), -EINVAL);
	clock.clockid = CLOCK_MONOTONIC;
	ck_assert_int_eq(call(RINGD_REGISTER_CLOCK, 0, &clock, sizeof(clock)), 0);
}
END_TEST

/* --- personalities --- */

START_TEST(personalities)
{
	struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP, .personality = 1 };

	ck_assert_int_eq(raw_one(&ring, &sqe), -EINVAL);
	ck_assert_int_eq(call(RINGD_REGISTER_PERSONALITY, 1, NULL, 0), -EINVAL);
	ck_assert_int_eq(call(RINGD_REGISTER_PERSONALITY, 0, NULL, 0), 1);
	ck_assert_int_eq(call(RINGD_REGISTER_PERSONALITY, 0, NULL, 0), 2);
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
	ck_assert_int_eq(call(RINGD_UNREGISTER_PERSONALITY, 1, NULL, 0), 0);
	ck_assert_int_eq(call(RINGD_UNREGISTER_PERSONALITY, 1, NULL, 0), -EINVAL);
	ck_assert_int_eq(call(RINGD_UNREGISTER_PERSONALITY, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(call(RINGD_UNREGISTER_PERSONALITY, 65536, NULL, 0), -EINVAL);
	ck_assert_int_eq(raw_one(&ring, &sqe), -EINVAL);
	sqe.personality = 2;
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
	/* the one that was given back comes last */
	ck_assert_int_eq(call(RINGD_REGISTER_PERSONALITY, 0, NULL, 0), 3);
}
END_TEST

/* --- workers --- */

START_TEST(worker_limits)
{
	const uint32_t none[2] = { 0, 0 }, less[2] = { 1, 2 }, much[2] = { INT32_MAX, INT32_MAX };
	const uint32_t too_much[2] = { (uint32_t)INT32_MAX + 1, 0 };
	uint32_t first[2] = { 9, 9 }, old[2] = { 9, 9 };
	const uint32_t op = RINGD_REGISTER_IOWQ_MAX_WORKERS;

	ck_assert_int_eq(call(op, 1, none, sizeof(none[0])), -EINVAL);
	ck_assert_int_eq(call(op, 3, none, sizeof(none)), -EINVAL);
	ck_assert_int_eq(call(op, 2, too_much, sizeof(too_much)), -EINVAL);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, op, 2, none, sizeof(none), first, sizeof(first), NULL), 0);
	ck_assert_uint_ge(first[0], 1);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, op, 2, less, sizeof(less), old, sizeof(old), NULL), 0);
	ck_assert_mem_eq(old, first, sizeof(old));
	ck_assert_int_eq(raw_register_get(&raw, ring.id, op, 2, much, sizeof(much), old, sizeof(old), NULL), 0);
	ck_assert_mem_eq(old, less, sizeof(old));
	/* more than the budget it never becomes */
	ck_assert_int_eq(raw_register_get(&raw, ring.id, op, 2, first, sizeof(first), old, sizeof(old), NULL), 0);
	ck_assert_uint_eq(old[0], old[1]);
	ck_assert_uint_eq(old[1], first[1]);
}
END_TEST

START_TEST(worker_cpus)
{
	cpu_set_t mask, all;
	uint8_t long_mask[1024] = { 0 };
	const uint32_t op = RINGD_REGISTER_IOWQ_AFF;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	ck_assert_int_eq(call(op, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(call(op, sizeof(all), &all, sizeof(all)), 0);
	CPU_ZERO(&mask);
	CPU_SET(CPU_SETSIZE - 1, &mask);	/* there is none of this number: the mask is empty */
	ck_assert_int_eq(call(op, sizeof(mask), &mask, sizeof(mask)), 0);
	memcpy(long_mask, &all, sizeof(all));
	memset(long_mask + sizeof(all), 0xff, sizeof(long_mask) - sizeof(all));
	ck_assert_int_eq(call(op, sizeof(long_mask), long_mask, sizeof(long_mask)), 0);	/* what is no CPU is cut off */
	ck_assert_int_eq(call(RINGD_UNREGISTER_IOWQ_AFF, 1, NULL, 0), -EINVAL);
	ck_assert_int_eq(call(RINGD_UNREGISTER_IOWQ_AFF, 0, NULL, 0), 0);
}
END_TEST

static cpu_set_t all_cpus, one_cpu;

/* A daemon that may use one CPU only */
static void setup_one_cpu(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(all_cpus), &all_cpus), 0);
	CPU_ZERO(&one_cpu);
	for (int cpu = 0; !CPU_COUNT(&one_cpu); cpu++)
		if (CPU_ISSET(cpu, &all_cpus))
			CPU_SET(cpu, &one_cpu);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one_cpu), &one_cpu), 0);
	setup();
}

START_TEST(workers_stay_where_the_engine_may_be)
{
	const int expected = CPU_EQUAL(&all_cpus, &one_cpu) ? 0 : -EINVAL;

	ck_assert_int_eq(call(RINGD_REGISTER_IOWQ_AFF, sizeof(all_cpus), &all_cpus, sizeof(all_cpus)), expected);
	ck_assert_int_eq(call(RINGD_REGISTER_IOWQ_AFF, sizeof(one_cpu), &one_cpu, sizeof(one_cpu)), 0);
}
END_TEST

/* --- memory region --- */

struct region {
	struct ringd_mem_region_reg mr;
	struct ringd_region_desc desc;
};

static int region(const struct region *reg, struct ringd_region_desc *out, int *fd)
{
	return raw_register_get(&raw, ring.id, RINGD_REGISTER_MEM_REGION, 1, reg, sizeof(*reg), out, sizeof(*out), fd);
}

START_TEST(region_errors)
{
	const struct region good = { .desc = { .size = PAGE } };
	struct ringd_region_desc out;
	struct region r = good;

	ck_assert_int_eq(call(RINGD_REGISTER_MEM_REGION, 2, &r, sizeof(r)), -EINVAL);
	r.mr.flags = RINGD_MEM_REGION_REG_WAIT_ARG;	/* the ring runs */
	ck_assert_int_eq(region(&r, &out, NULL), -EINVAL);
	r.mr.flags = 2;
	ck_assert_int_eq(region(&r, &out, NULL), -EINVAL);
	r = good;
	r.desc.flags = RINGD_MEM_REGION_TYPE_USER;
	ck_assert_int_eq(region(&r, &out, NULL), -EFAULT);
	r = good;
	r.desc.user_addr = A;
	ck_assert_int_eq(region(&r, &out, NULL), -EFAULT);
	r.desc.flags = RINGD_MEM_REGION_TYPE_USER;
	r.desc.user_addr = A - PAGE;			/* nobody's */
	ck_assert_int_eq(region(&r, &out, NULL), -EFAULT);
	r.desc.user_addr = A + 8;
	ck_assert_int_eq(region(&r, &out, NULL), -EINVAL);
	r = good;
	r.desc.size = 0;
	ck_assert_int_eq(region(&r, &out, NULL), -EINVAL);
	r.desc.size = PAGE + 1;
	ck_assert_int_eq(region(&r, &out, NULL), -EINVAL);
	r.desc.size = ~0ull << 12;
	ck_assert_int_eq(region(&r, &out, NULL), -E2BIG);
	r.desc.size = 1ull << 42;
	ck_assert_int_eq(region(&r, &out, NULL), -EDQUOT);
	r = good;
	r.desc.mmap_offset = 1;
	ck_assert_int_eq(region(&r, &out, NULL), -EINVAL);
}
END_TEST

START_TEST(region_of_the_engine)
{
	const struct region r = { .desc = { .size = 2 * PAGE } };
	struct ringd_region_desc out;
	char *p;
	int fd;

	ck_assert_int_eq(region(&r, &out, &fd), 0);
	ck_assert_uint_eq(out.mmap_offset, RINGD_OFF_PARAM_REGION);
	ck_assert_int_ge(fd, 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(p[0] | p[2 * PAGE - 1], 0);
	p[PAGE] = 1;
	munmap(p, 2 * PAGE);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	close(fd);
	ck_assert_int_eq(region(&r, &out, NULL), -EBUSY);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES,
			      16 * PAGE + 2 * PAGE + ring.rings_size + ring.sqes_size + ring.scratch_size);
}
END_TEST

START_TEST(region_of_the_client_outlives_its_arena)
{
	const struct region r = { .desc = { .size = PAGE, .user_addr = A, .flags = RINGD_MEM_REGION_TYPE_USER } };
	struct ringd_region_desc out;

	ck_assert_int_eq(region(&r, &out, NULL), 0);
	ck_assert_uint_eq(out.mmap_offset, 0);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES, 16 * PAGE + ring.rings_size + ring.sqes_size + ring.scratch_size);
	ck_assert_int_eq(raw_ring_free(&ring), 0);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES, 0);
}
END_TEST

/* --- clones of buffers --- */

static int bufs(struct raw_ring *of, const uint64_t (*iov)[2], uint32_t nr)
{
	return raw_register(of, RINGD_REGISTER_BUFFERS, nr, 0, iov, nr * sizeof(*iov), NULL, 0);
}

static int copy_bufs(struct raw_ring *dst, struct ringd_clone_buffers c)
{
	return raw_register(dst, RINGD_REGISTER_CLONE_BUFFERS, 1, 0, &c, sizeof(c), NULL, 0);
}

/* A NOP that must find a buffer */
static int has_buf(struct raw_ring *of, uint16_t index)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_NOP, .nop_flags = RINGD_NOP_FIXED_BUFFER, .buf_index = index };

	return raw_one(of, &sqe);
}

START_TEST(clone_errors)
{
	const uint64_t iov[3][2] = { { A, PAGE }, { 0, 0 }, { A + PAGE, PAGE } };
	const uint32_t src = ring.id;
	struct raw_ring dst;

	raw_ring(&dst, &raw, 8, 0);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src }), -ENXIO);
	ck_assert_int_eq(bufs(&ring, iov, 3), 0);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .flags = 4 }), -EINVAL);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .pad = { 0, 0, 1 } }), -EINVAL);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = 77 }), -EBADF);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .src_off = 1 }), -EINVAL);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .dst_off = 1 }), -EINVAL);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .nr = 4 }), -EINVAL);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .src_off = 2, .nr = 2 }), -EOVERFLOW);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .src_off = UINT32_MAX, .nr = 2 }), -EOVERFLOW);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .dst_off = 16383, .nr = 2 }), -EINVAL);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = src, .dst_off = UINT32_MAX, .nr = 2 }), -EOVERFLOW);
	ck_assert_int_eq(copy_bufs(&ring, (struct ringd_clone_buffers){ .src_fd = src }), -EBUSY);
	ck_assert_int_eq(copy_bufs(&ring, (struct ringd_clone_buffers){ .src_fd = src, .flags = RINGD_REGISTER_DST_REPLACE }), 0);
	ck_assert_int_eq(has_buf(&ring, 0), 0);
	ck_assert_int_eq(has_buf(&dst, 0), -EFAULT);
	raw_ring_drop(&dst);
}
END_TEST

START_TEST(clones_live_by_themselves)
{
	const uint64_t iov[3][2] = { { A, PAGE }, { 0, 0 }, { A + PAGE, PAGE } };
	struct raw_ring dst;

	raw_ring(&dst, &raw, 8, 0);
	ck_assert_int_eq(bufs(&ring, iov, 3), 0);
	ck_assert_int_eq(copy_bufs(&dst, (struct ringd_clone_buffers){ .src_fd = ring.id }), 0);
	ck_assert_int_eq(call(RINGD_UNREGISTER_BUFFERS, 0, NULL, 0), 0);
	ck_assert_int_eq(has_buf(&ring, 0), -EFAULT);
	ck_assert_int_eq(has_buf(&dst, 0), 0);
	ck_assert_int_eq(has_buf(&dst, 1), -EFAULT);
	ck_assert_int_eq(has_buf(&dst, 2), 0);
	/* part of it to where the table must grow */
	ck_assert_int_eq(copy_bufs(&ring, (struct ringd_clone_buffers){ .src_fd = dst.id, .src_off = 2, .dst_off = 9, .nr = 1 }), 0);
	ck_assert_int_eq(has_buf(&ring, 8), -EFAULT);
	ck_assert_int_eq(has_buf(&ring, 9), 0);
	raw_ring_drop(&dst);
}
END_TEST

START_TEST(replacing_by_a_clone_posts_the_tag)
{
	struct {
		struct ringd_rsrc_register rr;
		uint64_t iov[2][2], tags[2];
	} data = { .rr = { .nr = 2 }, .iov = { { A, PAGE }, { A, PAGE } }, .tags = { 70, 71 } };
	const uint64_t iov[1][2] = { { A, PAGE } };
	struct ringd_cqe cqe;
	struct raw_ring src;

	raw_ring(&src, &raw, 8, 0);
	ck_assert_int_eq(bufs(&src, iov, 1), 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_BUFFERS2, 2, 1, &data, sizeof(data), NULL, 0), 0);
	ck_assert_int_eq(copy_bufs(&ring, (struct ringd_clone_buffers){ .src_fd = src.id, .dst_off = 1, .nr = 1,
								    .flags = RINGD_REGISTER_DST_REPLACE }), 0);
	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe.user_data, 71);
	ck_assert_int_eq(call(RINGD_UNREGISTER_BUFFERS, 0, NULL, 0), 0);
	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe.user_data, 70);
	ck_assert(!raw_cqe_ready(&ring));	/* the clone had none */
	raw_ring_drop(&src);
}
END_TEST

/* --- cancelling --- */

static int sync_cancel(const struct ringd_sync_cancel_reg *sc)
{
	return call(RINGD_REGISTER_SYNC_CANCEL, 1, sc, sizeof(*sc));
}

/* A READ of an empty pipe in slot 0, user_data tells which. */
static void read_pipe(uint64_t user_data)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = A, .len = 8,
				   .user_data = user_data };
	ck_assert_int_eq(raw_submit(&ring), 1);
}

static void expect_cqe(uint64_t user_data, int32_t res)
{
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
}

START_TEST(sync_cancel_errors)
{
	const struct ringd_sync_cancel_reg good = { .addr = 5, .timeout = { -1, -1 } };
	struct ringd_sync_cancel_reg sc = good;

	ck_assert_int_eq(call(RINGD_REGISTER_SYNC_CANCEL, 0, &sc, sizeof(sc)), -EINVAL);
	ck_assert_int_eq(call(RINGD_REGISTER_SYNC_CANCEL, 2, &sc, sizeof(sc)), -EINVAL);
	ck_assert_int_eq(sync_cancel(&sc), -ENOENT);
	sc.flags = RINGD_ASYNC_CANCEL_ALL;
	ck_assert_int_eq(sync_cancel(&sc), 0);
	sc.flags = RINGD_ASYNC_CANCEL_ANY;
	ck_assert_int_eq(sync_cancel(&sc), 0);
	sc.flags = RINGD_ASYNC_CANCEL_ANY | RINGD_ASYNC_CANCEL_OP;	/* only the operation minds */
	ck_assert_int_eq(sync_cancel(&sc), 0);
	sc.flags = 0x40;
	ck_assert_int_eq(sync_cancel(&sc), -EINVAL);
	sc = good;
	sc.pad[6] = 1;
	ck_assert_int_eq(sync_cancel(&sc), -EINVAL);
	sc = good;
	sc.pad2[2] = 1;
	ck_assert_int_eq(sync_cancel(&sc), -EINVAL);
	sc = good;
	sc.flags = RINGD_ASYNC_CANCEL_FD;
	sc.fd = 12345;
	ck_assert_int_eq(sync_cancel(&sc), -EBADF);
	sc.flags |= RINGD_ASYNC_CANCEL_FD_FIXED;
	ck_assert_int_eq(sync_cancel(&sc), -EBADF);
	ck_assert(!raw_cqe_ready(&ring));
}
END_TEST

START_TEST(sync_cancel_of_what_waits)
{
	struct ringd_sync_cancel_reg sc = { .addr = 2, .timeout = { -1, -1 } };
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(raw_register_files(&ring, fd, 1), 0);
	for (uint64_t i = 1; i <= 6; i++)
		read_pipe(i);
	ck_assert_int_eq(sync_cancel(&sc), 0);
	expect_cqe(2, -ECANCELED);
	ck_assert_int_eq(sync_cancel(&sc), -ENOENT);
	sc = (struct ringd_sync_cancel_reg){ .opcode = RINGD_OP_READ, .flags = RINGD_ASYNC_CANCEL_OP, .timeout = { -1, -1 } };
	ck_assert_int_eq(sync_cancel(&sc), 0);
	expect_cqe(1, -ECANCELED);
	sc.opcode = RINGD_OP_WRITE;
	ck_assert_int_eq(sync_cancel(&sc), -ENOENT);
	sc.flags = RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_FD_FIXED | RINGD_ASYNC_CANCEL_ALL;
	ck_assert_int_eq(sync_cancel(&sc), 4);
	for (uint64_t i = 3; i <= 6; i++)
		expect_cqe(i, -ECANCELED);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* An open that waits for the other end, on a worker. */
static void open_fifo(const char *path, uint64_t user_data)
{
	struct ringd_sqe *sqe;

	ck_assert(mkfifo(path, 0600) == 0 || errno == EEXIST);
	strcpy(arena.ptr + 64, path);
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_OPENAT, .fd = -100, .addr = A + 64, .open_flags = O_RDONLY, .file_index = 1,
				   .user_data = user_data };
	ck_assert_int_eq(raw_submit(&ring), 1);
}

START_TEST(sync_cancel_waits_for_what_runs)
{
	struct ringd_sync_cancel_reg sc = { .addr = 9, .timeout = { 10, 0 } };
	const int hole = -1;
	struct ringd_cqe cqe;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/ringd-fifo-%d", getpid());
	ck_assert_int_eq(raw_register_files(&ring, &hole, 1), 0);
	for (int i = 0; i < 20; i++) {
		open_fifo(path, 9);
		ck_assert_int_eq(sync_cancel(&sc), 0);
		/* it is gone: the CQE is there, or on its way */
		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert_uint_eq(cqe.user_data, 9);
		ck_assert(cqe.res == -ECANCELED || cqe.res == -EINTR);
		ck_assert_int_eq(sync_cancel(&sc), -ENOENT);
	}
	unlink(path);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("register-ring");
	tc = tcase_create("calls");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, only_four_calls_do_without_a_ring);
	tcase_add_test(tc, a_ring_that_was_started_cannot_be_restricted);
	tcase_add_test(tc, a_disabled_ring_is_restricted_when_it_starts);
	tcase_add_test(tc, wait_arguments_before_the_start);
	tcase_add_test(tc, a_restricted_client_makes_restricted_rings);
	tcase_add_test(tc, query_tells_what_is_served);
	tcase_add_test(tc, clocks);
	tcase_add_test(tc, personalities);
	tcase_add_test(tc, worker_limits);
	tcase_add_test(tc, worker_cpus);
	tcase_add_test(tc, region_errors);
	tcase_add_test(tc, region_of_the_engine);
	tcase_add_test(tc, region_of_the_client_outlives_its_arena);
	tcase_add_test(tc, clone_errors);
	tcase_add_test(tc, clones_live_by_themselves);
	tcase_add_test(tc, replacing_by_a_clone_posts_the_tag);
	tcase_add_test(tc, sync_cancel_errors);
	tcase_add_test(tc, sync_cancel_of_what_waits);
	tcase_add_test(tc, sync_cancel_waits_for_what_runs);
	suite_add_tcase(suite, tc);
	tc = tcase_create("one cpu");
	tcase_add_checked_fixture(tc, setup_one_cpu, teardown);
	tcase_add_test(tc, workers_stay_where_the_engine_may_be);
	suite_add_tcase(suite, tc);
	return rd_suite_main(suite);
}
