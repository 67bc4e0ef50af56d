/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of liburing that the distribution's header does not have yet. Over the kernel's io_uring what an older kernel
 * lacks is passed over; the in-process host has everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client-lib/compat/api/ffi.h"
#include "tests/unit/suite.h"

#define ENTRIES		8
#define DEFER		(RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN)
#define LAZY_RING	(DEFER | RINGD_SETUP_NO_SQARRAY)

#ifdef KERNEL_LOCAL
#include "kernel_local.h"
#define NEED(what)	do { if (!(what)) { errno = ERANGE; return; } } while (0)
#else
#define NEED(what)	ck_assert(what)
#endif

static struct rd_uring ring;

static void setup(void)
{
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &ring, 0), 0);
	errno = ERANGE;
}

static void teardown(void)
{
	ck_assert_int_eq(errno, ERANGE);
	io_uring_queue_exit(&ring);
	ck_assert_int_eq(errno, ERANGE);
}

static void nop(struct rd_uring *r, uint64_t data)
{
	struct ringd_sqe *sqe = io_uring_get_sqe(r);

	ck_assert_ptr_nonnull(sqe);
	io_uring_prep_nop(sqe);
	sqe->user_data = data;
}

static void expect(struct rd_uring *r, uint64_t data, int res)
{
	struct ringd_cqe *cqe;

	ck_assert_int_eq(io_uring_wait_cqe(r, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, data);
	ck_assert_int_eq(cqe->res, res);
	io_uring_cqe_seen(r, cqe);
}

static void round_trip(struct rd_uring *r, uint64_t data)
{
	nop(r, data);
	ck_assert_int_eq(io_uring_submit_and_wait(r, 1), 1);
	expect(r, data, 0);
}

START_TEST(the_version_is_2_15)
{
	ck_assert_int_eq(io_uring_major_version(), 2);
	ck_assert_int_eq(io_uring_minor_version(), 15);
	ck_assert(!io_uring_check_version(2, 15));
	ck_assert(!io_uring_check_version(1, 99));
	ck_assert(io_uring_check_version(2, 16));
	ck_assert(io_uring_check_version(3, 0));
}
END_TEST

START_TEST(memory_of_the_program_is_used_exactly)
{
	static const struct { unsigned int entries, cq, flags; } cases[] = {
		{ 1, 2, 0 }, { 8, 16, 0 }, { 64, 256, RINGD_SETUP_CQE32 }, { 128, 128, RINGD_SETUP_SQE128 }, { 1000, 4096, 0 },
	};
	struct ringd_params p = { .flags = cases[_i].flags | RINGD_SETUP_CQSIZE, .cq_entries = cases[_i].cq }, again = p;
	size_t size = 2 << 20;
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rd_uring r;
	ssize_t want;
	int used;

	ck_assert_ptr_ne(mem, MAP_FAILED);
	want = io_uring_memory_size_params(cases[_i].entries, &p);
	ck_assert_int_gt(want, 0);
	memset(mem, 0xa5, size);
	ck_assert_int_eq(io_uring_queue_init_mem(cases[_i].entries, &r, &p, mem, (size_t)want - 1), -ENOMEM);
	p = again;
	used = io_uring_queue_init_mem(cases[_i].entries, &r, &p, mem, size);
	NEED(used != -EINVAL);
	ck_assert_int_eq(used, want);
	ck_assert_ptr_eq(r.sq.sqes, mem);
	ck_assert(r.flags & RINGD_SETUP_NO_MMAP);
	for (uint64_t i = 0; i < 2 * r.sq.ring_entries; i++)
		round_trip(&r, i);
	for (size_t i = (size_t)used; i < size; i++)
		ck_assert_int_eq((unsigned char)mem[i], 0xa5);
	io_uring_queue_exit(&r);
	mem[0] = 1;	/* is still there */
	munmap(mem, size);
}
END_TEST

START_TEST(sizes_follow_the_rules_of_setup)
{
	struct ringd_params p = { .flags = RINGD_SETUP_CQSIZE, .cq_entries = 4 };

	ck_assert_int_eq(io_uring_memory_size(8, 0), 2 * getpagesize());
	ck_assert_int_eq(io_uring_memory_size(0, 0), -EINVAL);
	ck_assert_int_eq(io_uring_memory_size(32769, 0), -EINVAL);
	ck_assert_int_gt(io_uring_memory_size(32769, RINGD_SETUP_CLAMP), 32768 * (64 + 2 * 16));
	ck_assert_int_eq(io_uring_memory_size_params(8, &p), -EINVAL);
	p.cq_entries = 0;
	ck_assert_int_eq(io_uring_memory_size_params(8, &p), -EINVAL);
	ck_assert_int_eq(io_uring_mlock_size(32769, RINGD_SETUP_CLAMP), 0);
}
END_TEST

START_TEST(no_mmap_without_memory_gets_some)
{
	struct rd_uring r;
	int e = io_uring_queue_init(ENTRIES, &r, RINGD_SETUP_NO_MMAP);

	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	round_trip(&r, 1);
	ck_assert_int_eq(io_uring_ring_dontfork(&r), 0);
	io_uring_queue_exit(&r);
}
END_TEST

START_TEST(a_ring_may_be_nothing_but_a_registered_index)
{
	struct rd_uring r;
	int e;

	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, RINGD_SETUP_REGISTERED_FD_ONLY), -EINVAL);
	e = io_uring_queue_init(ENTRIES, &r, RINGD_SETUP_REGISTERED_FD_ONLY | RINGD_SETUP_NO_MMAP);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(r.ring_fd, -1);
	round_trip(&r, 1);
	ck_assert_int_eq(io_uring_register_files_sparse(&r, 2), 0);
	ck_assert_int_eq(io_uring_close_ring_fd(&r), -EBADF);
	io_uring_queue_exit(&r);
}
END_TEST

START_TEST(the_descriptor_can_be_given_up)
{
	int fd = ring.ring_fd;

	NEED(ring.features & RINGD_FEAT_REG_REG_RING);
	ck_assert_int_eq(io_uring_close_ring_fd(&ring), -EINVAL);
	ck_assert_int_eq(io_uring_register_ring_fd(&ring), 1);
	ck_assert_int_eq(io_uring_close_ring_fd(&ring), 1);
	ck_assert_int_eq(ring.ring_fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	errno = ERANGE;
	ck_assert_int_eq(io_uring_close_ring_fd(&ring), -EBADF);
	round_trip(&ring, 1);
	ck_assert_int_eq(io_uring_register_eventfd(&ring, 0), -EINVAL);
}
END_TEST

START_TEST(rings_are_resized_with_what_is_in_them)
{
	struct ringd_params p = { .flags = RINGD_SETUP_CQSIZE, .cq_entries = 64 };
	uint32_t flags = _i ? DEFER : LAZY_RING;
	struct rd_uring r;
	int e;

	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, flags), 0);
	for (uint64_t i = 0; i < 5; i++)
		nop(&r, i);
	ck_assert_int_eq(io_uring_submit(&r), 5);
	expect(&r, 0, 0);
	nop(&r, 5);
	p.sq_entries = 32;
	e = io_uring_resize_rings(&r, &p);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_uint_eq(p.flags, 0);
	ck_assert_uint_eq(r.sq.ring_entries, 32);
	ck_assert_uint_eq(r.sq.ring_mask, 31);
	ck_assert_uint_eq(r.cq.ring_entries, 64);
	ck_assert_uint_eq(*r.cq.kring_entries, 64);
	ck_assert_uint_eq(io_uring_sq_ready(&r), 1);
	for (uint64_t i = 1; i < 5; i++)
		expect(&r, i, 0);
	for (uint64_t i = 6; i < 6 + 31; i++)
		nop(&r, i);
	ck_assert_ptr_null(io_uring_get_sqe(&r));
	ck_assert_int_eq(io_uring_submit(&r), 32);
	for (uint64_t i = 5; i < 5 + 32; i++)
		expect(&r, i, 0);
	for (uint64_t i = 0; i < 5; i++)
		nop(&r, 100 + i);
	ck_assert_int_eq(io_uring_submit(&r), 5);
	p = (struct ringd_params){ .sq_entries = 2 };
	ck_assert_int_eq(io_uring_resize_rings(&r, &p), -EOVERFLOW);	/* five do not fit in four */
	for (uint64_t i = 0; i < 5; i++)
		expect(&r, 100 + i, 0);
	p = (struct ringd_params){ .sq_entries = 2 };
	ck_assert_int_eq(io_uring_resize_rings(&r, &p), 0);
	for (uint64_t i = 0; i < 10; i++)
		round_trip(&r, i);
	io_uring_queue_exit(&r);
	p = (struct ringd_params){ .sq_entries = 16 };
	ck_assert_int_eq(io_uring_resize_rings(&ring, &p), -EINVAL);
	ck_assert_uint_eq(ring.sq.ring_entries, ENTRIES);
}
END_TEST

START_TEST(a_minimum_wait_takes_what_is_there)
{
	struct ringd_timespec ts = { .tv_sec = 100 }, brief = { .tv_nsec = 1000000 };
	struct ringd_cqe *cqe;

	NEED(ring.features & RINGD_FEAT_MIN_TIMEOUT);
	nop(&ring, 1);
	/* two are wanted: after a millisecond one is enough */
	ck_assert_int_eq(io_uring_submit_and_wait_min_timeout(&ring, &cqe, 2, &ts, 1000, NULL), 1);
	ck_assert_uint_eq(cqe->user_data, 1);
	ck_assert_int_eq(io_uring_wait_cqes_min_timeout(&ring, &cqe, 2, &ts, 1000, NULL), 0);
	io_uring_cqe_seen(&ring, cqe);
	ck_assert_int_eq(io_uring_wait_cqes_min_timeout(&ring, &cqe, 2, &brief, 10, NULL), -ETIME);
	/* without a time beyond the minimum, that is the time */
	ck_assert_int_eq(io_uring_wait_cqes_min_timeout(&ring, &cqe, 2, NULL, 1000, NULL), -ETIME);
	nop(&ring, 2);
	ck_assert_int_eq(io_uring_submit_and_wait_min_timeout(&ring, &cqe, 1, NULL, 1000, NULL), 1);
}
END_TEST

START_TEST(a_registered_wait_is_named_by_its_index)
{
	struct ringd_reg_wait *waits = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct ringd_region_desc region = {
		.user_addr = (uintptr_t)waits, .size = (uint64_t)getpagesize(), .flags = RINGD_MEM_REGION_TYPE_USER,
	};
	struct ringd_mem_region_reg reg = { .region_uptr = (uintptr_t)&region, .flags = RINGD_MEM_REGION_REG_WAIT_ARG };
	struct ringd_cqe *cqe;
	struct rd_uring r;
	int e;

	ck_assert_ptr_ne(waits, MAP_FAILED);
	waits[3].flags = RINGD_REG_WAIT_TS;
	waits[3].ts.tv_nsec = 1000000;
	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, RINGD_SETUP_R_DISABLED), 0);
	e = io_uring_register_region(&r, &reg);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(io_uring_enable_rings(&r), 0);
	ck_assert_int_eq(io_uring_submit_and_wait_reg(&r, &cqe, 1, 3), -ETIME);
	ck_assert_ptr_null(cqe);
	nop(&r, 4);
	ck_assert_int_eq(io_uring_submit_and_wait_reg(&r, &cqe, 2, 3), 1);
	ck_assert_uint_eq(cqe->user_data, 4);
	io_uring_cqe_seen(&r, cqe);
	ck_assert_int_eq(io_uring_submit_and_wait_reg(&r, &cqe, 1, 1000), -EFAULT);
	ck_assert_int_eq(io_uring_submit_and_wait_reg(&r, &cqe, 1, -1), -EFAULT);
	ck_assert_int_eq(io_uring_register_wait_reg(&r, waits, 1), -EINVAL);
	io_uring_queue_exit(&r);
	munmap(waits, (size_t)getpagesize());
}
END_TEST

START_TEST(buffers_are_cloned)
{
	static char memory[4096];
	struct iovec iov = { memory, sizeof(memory) };
	struct rd_uring r;
	int e, zero = open("/dev/zero", O_RDWR);

	ck_assert_int_eq(io_uring_queue_init(ENTRIES, &r, 0), 0);
	ck_assert_int_eq(io_uring_register_buffers(&ring, &iov, 1), 0);
	e = io_uring_clone_buffers(&r, &ring);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(io_uring_clone_buffers(&r, &ring), -EBUSY);
	memset(memory, 1, sizeof(memory));
	io_uring_prep_read_fixed(io_uring_get_sqe(&r), zero, memory, 10, 0, 0);
	ck_assert_int_eq(io_uring_submit_and_wait(&r, 1), 1);
	ck_assert_int_eq(memory[9], 0);
	/* now by the index */
	ck_assert_int_eq(io_uring_unregister_buffers(&r), 0);
	ck_assert_int_eq(io_uring_register_ring_fd(&ring), 1);
	ck_assert_int_eq(io_uring_clone_buffers_offset(&r, &ring, 0, 0, 1, 0), 0);
	ck_assert_int_eq(io_uring_unregister_buffers(&r), 0);
	ck_assert_int_eq(__io_uring_clone_buffers(&r, &ring, 0), 0);
	ck_assert_int_eq(__io_uring_clone_buffers_offset(&r, &ring, 0, 0, 1, RINGD_REGISTER_DST_REPLACE), 0);
	io_uring_queue_exit(&r);
	close(zero);
}
END_TEST

START_TEST(buffer_rings_come_with_their_memory)
{
	static char memory[4][64];
	struct ringd_buf_ring *br;
	struct ringd_sqe *sqe;
	uint16_t head = 99;
	int e, zero = open("/dev/zero", O_RDWR);

	ck_assert_ptr_null(io_uring_setup_buf_ring(&ring, 3, 1, 0, &e));
	ck_assert_int_eq(e, -EINVAL);
	ck_assert_ptr_null(io_uring_setup_buf_ring(&ring, 0, 1, 0, &e));
	ck_assert_int_eq(e, -EINVAL);
	br = io_uring_setup_buf_ring(&ring, 4, 1, 0, &e);
	ck_assert_ptr_nonnull(br);
	ck_assert_int_eq(e, 0);
	for (int i = 0; i < 4; i++)
		io_uring_buf_ring_add(br, memory[i], 64, (unsigned short)i, 3, i);
	io_uring_buf_ring_advance(br, 4);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, zero, NULL, 64, 0);
	sqe->flags = RINGD_SQE_BUFFER_SELECT;
	io_uring_sqe_set_buf_group(sqe, 1);
	ck_assert_int_eq(io_uring_submit_and_wait(&ring, 1), 1);
	expect(&ring, sqe->user_data, 64);
	e = io_uring_buf_ring_head(&ring, 1, &head);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_uint_eq(head, 1);
	ck_assert_int_eq(io_uring_buf_ring_available(&ring, br, 1), 3);
	ck_assert_int_eq(io_uring_buf_ring_head(&ring, 77, &head), -ENOENT);
	ck_assert_uint_eq(head, 1);
	ck_assert_int_eq(io_uring_free_buf_ring(&ring, br, 4, 77), -ENOENT);	/* and is not unmapped */
	br->resv1 = 0;
	ck_assert_int_eq(io_uring_free_buf_ring(&ring, br, 4, 1), 0);
	close(zero);
}
END_TEST

START_TEST(waiting_need_not_count_as_io)
{
	NEED(ring.features & RINGD_FEAT_NO_IOWAIT);
	ck_assert_int_eq(io_uring_set_iowait(&ring, false), 0);
#ifdef KERNEL_LOCAL
	round_trip(&ring, 1);
	ck_assert_uint_eq(kernel_local_calls.flags, RINGD_ENTER_GETEVENTS | RINGD_ENTER_NO_IOWAIT);
	ck_assert_int_eq(io_uring_set_iowait(&ring, true), 0);
	round_trip(&ring, 2);
	ck_assert_uint_eq(kernel_local_calls.flags, RINGD_ENTER_GETEVENTS);
#endif
	ring.features &= ~RINGD_FEAT_NO_IOWAIT;
	ck_assert_int_eq(io_uring_set_iowait(&ring, true), -EOPNOTSUPP);
}
END_TEST

START_TEST(messages_are_sent_without_a_ring)
{
	struct ringd_sqe sqe = { .opcode = 0 };
	int e;

	io_uring_prep_msg_ring(&sqe, ring.ring_fd, 10, 0x1234, 0);
	e = io_uring_register_sync_msg(&sqe);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	expect(&ring, 0x1234, 10);
}
END_TEST

START_TEST(the_server_is_asked_what_it_knows)
{
	struct ringd_query_opcode ops = { .nr_request_opcodes = 0 };
	struct ringd_query_hdr query = {
		.query_data = (uintptr_t)&ops, .query_op = RINGD_QUERY_OPCODES, .size = sizeof(ops),
	};
	int e = io_uring_register_query(&query);

	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(query.result, 0);
	ck_assert_uint_ge(ops.nr_request_opcodes, 60);
}
END_TEST

START_TEST(clocks_and_busy_polling_are_registered)
{
	struct ringd_clock_register clock = { .clockid = 7 };	/* CLOCK_BOOTTIME */
	struct ringd_napi napi = { .busy_poll_to = 10 }, off = { .busy_poll_to = 0 };
	int e = io_uring_register_clock(&ring, &clock);

	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	clock.clockid = 3;
	ck_assert_int_eq(io_uring_register_clock(&ring, &clock), -EINVAL);
	e = io_uring_register_napi(&ring, &napi);
	NEED(e != -EINVAL);
	ck_assert_int_eq(e, 0);
	ck_assert_int_eq(io_uring_unregister_napi(&ring, &off), 0);
	ck_assert_uint_eq(off.busy_poll_to, 10);
}
END_TEST

/* That they reach the server is all there is to say of these; each knows that its argument is nonsense. */
START_TEST(the_rest_is_passed_on)
{
	struct ringd_zcrx_ifq_reg ifq = { .flags = 1u << 31 };
	struct ringd_zcrx_ctrl ctrl = { .op = 77 };
	struct ringd_bpf bpf = { .cmd_type = 99 };

	ck_assert_int_lt(io_uring_register_ifq(&ring, &ifq), 0);
	ck_assert_int_lt(io_uring_register_zcrx_ctrl(&ring, &ctrl), 0);
	ck_assert_int_lt(io_uring_register_bpf_filter(&ring, &bpf), 0);
	ck_assert_int_lt(io_uring_register_bpf_filter_task(&bpf), 0);
#ifdef KERNEL_LOCAL
	ck_assert_uint_eq(kernel_local_calls.fd, (unsigned int)-1);
	ck_assert_uint_eq(kernel_local_calls.opcode, RINGD_REGISTER_BPF_FILTER);
	ck_assert_uint_eq(kernel_local_calls.nr, 1);
#endif
}
END_TEST

int main(void)
{
	Suite *s = suite_create("compat-new");
	TCase *tc = tcase_create("new");

#ifdef KERNEL_LOCAL
	if (!kernel_local_works())
		return rd_suite_skip("no io_uring in the kernel here");
#endif
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_version_is_2_15);
	tcase_add_loop_test(tc, memory_of_the_program_is_used_exactly, 0, 5);
	tcase_add_test(tc, sizes_follow_the_rules_of_setup);
	tcase_add_test(tc, no_mmap_without_memory_gets_some);
	tcase_add_test(tc, a_ring_may_be_nothing_but_a_registered_index);
	tcase_add_test(tc, the_descriptor_can_be_given_up);
	tcase_add_loop_test(tc, rings_are_resized_with_what_is_in_them, 0, 2);
	tcase_add_test(tc, a_minimum_wait_takes_what_is_there);
	tcase_add_test(tc, a_registered_wait_is_named_by_its_index);
	tcase_add_test(tc, buffers_are_cloned);
	tcase_add_test(tc, buffer_rings_come_with_their_memory);
	tcase_add_test(tc, waiting_need_not_count_as_io);
	tcase_add_test(tc, messages_are_sent_without_a_ring);
	tcase_add_test(tc, the_server_is_asked_what_it_knows);
	tcase_add_test(tc, clocks_and_busy_polling_are_registered);
	tcase_add_test(tc, the_rest_is_passed_on);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
