/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Setup */
#include "cf.h"

#define S(x) RINGD_SETUP_##x
#define P(...) ((struct ringd_params){ __VA_ARGS__ })

/* --- sizes --- */

CF_TEST(no_entries, 1, "Setup with entries 0 -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(0, P()), -EINVAL);
	ck_assert_int_eq(cf_setup(0, P(.flags = S(CLAMP))), -EINVAL);
}

CF_TEST(too_many_entries, 2, "Setup with entries 32769 and no CLAMP -> -EINVAL; with CLAMP -> sq_entries 32768")
{
	struct cf_ring *ring;

	ck_assert_int_eq(cf_setup(32769, P()), -EINVAL);
	ring = cf_ring_new(32769, S(CLAMP));
	ck_assert_uint_eq(ring->p.sq_entries, 32768);
	ck_assert_uint_eq(ring->p.cq_entries, 65536);
}

CF_TEST(entries_are_rounded_up, 3, "Setup with entries 5 -> sq_entries 8 and cq_entries 16 reported")
{
	struct cf_ring *ring = cf_ring_new(5, 0);

	ck_assert_uint_eq(ring->p.sq_entries, 8);
	ck_assert_uint_eq(ring->p.cq_entries, 16);
}

CF_TEST(cqsize_of_nothing, 4, "Setup with CQSIZE and cq_entries 0 -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(CQSIZE))), -EINVAL);
}

CF_TEST(cq_smaller_than_sq, 5, "Setup with CQSIZE, entries 8, cq_entries 4 -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(CQSIZE), .cq_entries = 4)), -EINVAL);
}

CF_TEST(cq_is_rounded_up, 6, "Setup with CQSIZE, entries 8, cq_entries 9 -> cq_entries 16 reported")
{
	struct cf_ring *ring = cf_ring_new_params(8, P(.flags = S(CQSIZE), .cq_entries = 9));

	ck_assert_uint_eq(ring->p.cq_entries, 16);
}

CF_TEST(cq_too_large, 7, "Setup with CQSIZE and cq_entries 65537 without CLAMP -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(CQSIZE), .cq_entries = 65537)), -EINVAL);
}

/* --- flags and words --- */

CF_TEST(unknown_setup_flags, 8, "Setup with flag bit 21 or above -> -EINVAL")
{
	for (unsigned int bit = 21; bit < 32; bit++)
		ck_assert_int_eq(cf_setup(8, P(.flags = 1u << bit)), -EINVAL);
}

CF_TEST(reserved_setup_words, 9, "Setup with a non-zero resv word -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.resv = { 1 })), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.resv = { 0, 0, 1 })), -EINVAL);
}

CF_TEST(setup_without_params, 10, "Setup with params NULL -> -EFAULT")
{
	struct cf_ring *ring;

	ck_assert_int_eq(cf_ring_try(&ring, 8, NULL), -EFAULT);
}

CF_TEST(affinity_without_thread, 11, "Setup with SQ_AFF but no SQPOLL -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQ_AFF))), -EINVAL);
}

CF_TEST(affinity_to_no_cpu, 12, "Setup with SQPOLL|SQ_AFF and a CPU number that does not exist -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQPOLL) | S(SQ_AFF), .sq_thread_cpu = 100000)), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQPOLL) | S(SQ_AFF), .sq_thread_cpu = UINT32_MAX)), -EINVAL);
}

CF_TEST(sqpoll_has_no_task_run, 13, "Setup with SQPOLL and any of COOP_TASKRUN, TASKRUN_FLAG, DEFER_TASKRUN -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQPOLL) | S(COOP_TASKRUN))), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQPOLL) | S(TASKRUN_FLAG))), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQPOLL) | S(DEFER_TASKRUN) | S(SINGLE_ISSUER))), -EINVAL);
}

CF_TEST(taskrun_flag_alone, 14, "Setup with TASKRUN_FLAG alone -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(TASKRUN_FLAG))), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(TASKRUN_FLAG) | S(COOP_TASKRUN))), 0);
}

CF_TEST(defer_without_single_issuer, 15, "Setup with DEFER_TASKRUN without SINGLE_ISSUER -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(DEFER_TASKRUN))), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(DEFER_TASKRUN) | S(SINGLE_ISSUER))), 0);
}

CF_TEST(hybrid_without_iopoll, 16, "Setup with HYBRID_IOPOLL without IOPOLL -> -EINVAL")
{
	cf_need_setup(S(HYBRID_IOPOLL) | S(IOPOLL));
	ck_assert_int_eq(cf_setup(8, P(.flags = S(HYBRID_IOPOLL))), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(HYBRID_IOPOLL) | S(IOPOLL))), 0);
}

CF_TEST(large_and_mixed, 17, "Setup with CQE32|CQE_MIXED, or SQE128|SQE_MIXED -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(CQE32) | S(CQE_MIXED))), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQE128) | S(SQE_MIXED))), -EINVAL);
}

CF_TEST(mixed_sq_of_one, 18, "Setup with SQE_MIXED and entries 1 -> -EOVERFLOW")
{
	cf_need_setup(S(SQE_MIXED));
	ck_assert_int_eq(cf_setup(1, P(.flags = S(SQE_MIXED))), -EOVERFLOW);
	ck_assert_int_eq(cf_setup(2, P(.flags = S(SQE_MIXED))), 0);
}

CF_TEST(rewinding_with_an_array, 19, "Setup with SQ_REWIND without NO_SQARRAY, or with SQPOLL -> -EINVAL")
{
	cf_need_setup(S(SQ_REWIND) | S(NO_SQARRAY));
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQ_REWIND) | S(NO_SQARRAY) | S(SQPOLL))), -EINVAL);
	if (cf_on(CF_RINGD)) {
		ck_assert_int_eq(cf_setup(8, P(.flags = S(SQ_REWIND))), 0);
		return;
	}
	ck_assert_int_eq(cf_setup(8, P(.flags = S(SQ_REWIND))), -EINVAL);
}
CF_DIFFERS(rewinding_with_an_array, CF_RINGD, "libringd adds NO_SQARRAY to every ring; the engine refuses the combination")

CF_TEST(registered_only_in_own_memory, 20, "Setup with REGISTERED_FD_ONLY without NO_MMAP -> -EINVAL")
{
	ck_assert_int_eq(cf_setup(8, P(.flags = S(REGISTERED_FD_ONLY))), -EINVAL);
}

CF_TEST(own_memory_that_is_none, 21, "Setup with NO_MMAP and a zero ring or SQE address -> -EFAULT; one that is not page aligned -> -EINVAL")
{
	uint64_t a = cf_addr(cf_alloc(16384, 4096));

	ck_assert_int_eq(cf_setup(8, P(.flags = S(NO_MMAP), .cq_off.user_addr = a)), -EFAULT);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(NO_MMAP), .sq_off.user_addr = a)), -EFAULT);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(NO_MMAP), .cq_off.user_addr = a + 64, .sq_off.user_addr = a + 8192)), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(NO_MMAP), .cq_off.user_addr = a, .sq_off.user_addr = a + 64)), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(NO_MMAP), .cq_off.user_addr = a, .sq_off.user_addr = a + 8192)), 0);
}

CF_TEST(attach_to_no_ring, 22, "Setup with ATTACH_WQ and wq_fd not open -> -ENXIO; wq_fd an ordinary file -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_make_file("file", 1, O_RDONLY);

	cf_lend(ring, fd);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(ATTACH_WQ), .wq_fd = 12345)), -ENXIO);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(ATTACH_WQ), .wq_fd = (uint32_t)fd)), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = S(ATTACH_WQ), .wq_fd = (uint32_t)ring->fd)), 0);
}

CF_TEST(attach_a_thread_to_none, 23, "Setup with SQPOLL|ATTACH_WQ to a ring without SQPOLL -> -EINVAL")
{
	struct cf_ring *plain = cf_ring_new(8, 0), *polled = cf_ring_new(8, S(SQPOLL));
	const uint32_t flags = S(SQPOLL) | S(ATTACH_WQ);

	ck_assert_int_eq(cf_setup(8, P(.flags = flags, .wq_fd = (uint32_t)plain->fd)), -EINVAL);
	ck_assert_int_eq(cf_setup(8, P(.flags = flags, .wq_fd = (uint32_t)polled->fd)), 0);
}

/* --- what comes back --- */

CF_TEST(features_and_flags, 24, "Successful setup -> features contains exactly the supported bits and flags echoes the request")
{
	struct cf_ring *ring = cf_ring_new(8, S(CLAMP) | S(SUBMIT_ALL) | S(NO_SQARRAY));

	ck_assert_uint_eq(ring->p.flags, S(CLAMP) | S(SUBMIT_ALL) | S(NO_SQARRAY));
	if (cf_on(CF_RINGD))
		ck_assert_uint_eq(ring->p.features, RINGD_FEAT_ALL);
	else
		ck_assert_uint_eq(ring->p.features & 0xfff, 0xfff);
}

CF_TEST(places_of_cqes_and_array, 25,
	"Successful setup with 8 entries and an index array -> cq_off.cqes 64 and sq_off.array 320; with CQE32 -> 640")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *large = cf_ring_new(8, S(CQE32));

	ck_assert_uint_eq(ring->p.cq_off.cqes, 64);
	ck_assert_uint_eq(large->p.cq_off.cqes, 64);
	if (cf_on(CF_RINGD))
		return;
	if (cf_on(CF_LOCAL)) {
		/* the last, so that a program that maps as far as it goes has all */
		ck_assert_uint_gt(ring->p.sq_off.array, ring->p.sq_off.head);
		ck_assert_uint_gt(ring->p.sq_off.array, ring->p.cq_off.tail);
		return;
	}
	ck_assert_uint_eq(ring->p.sq_off.array, 320);
	ck_assert_uint_eq(large->p.sq_off.array, 640);
}
CF_DIFFERS(places_of_cqes_and_array, CF_RINGD | CF_LOCAL,
	   "libringd makes no index arrays, where the engine puts one for others is in tests/unit/check_layout.c; in-process heads and tails are before the array, which stays the last")

CF_TEST(the_descriptor_of_a_ring, 26, "The returned fd -> close-on-exec is set, read and write give -EINVAL, lseek gives ESPIPE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int fd = cf_poll_fd(ring);
	char byte = 0;

	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), cf_on(CF_LOCAL) ? 0 : -1);
	if (!cf_on(CF_LOCAL))
		ck_assert_int_eq(errno, ESPIPE);
	if (cf_on(CF_RINGD))
		return;
	ck_assert_int_eq(read(fd, &byte, 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(write(fd, &byte, 1), -1);
	ck_assert_int_eq(errno, EINVAL);
}
CF_DIFFERS(the_descriptor_of_a_ring, CF_ENGINE,
	   "the service's is a socket, which is to be polled and nothing else; in-process it is an epoll instance, where lseek() is 0")

CF_TEST(one_memory_at_two_offsets, 27, "Mapping offset 0 and offset 0x8000000 -> the same memory")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	uint32_t *a, *b;

	if (cf_on(CF_RINGD))
		return;
	a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, RINGD_OFF_SQ_RING);
	b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, RINGD_OFF_CQ_RING);
	ck_assert_ptr_ne(a, MAP_FAILED);
	ck_assert_ptr_ne(b, MAP_FAILED);
	a[1000] = 0x12345678;
	ck_assert_uint_eq(b[1000], 0x12345678);
	munmap(a, 4096);
	munmap(b, 4096);
}
CF_DIFFERS(one_memory_at_two_offsets, CF_RINGD, "libringd maps rings itself; the memory's own descriptor has them at offset 0 only")

CF_TEST(no_memory_elsewhere, 28, "Mapping an undefined offset of the ring fd -> the mmap call fails")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, cf_poll_fd(ring), 0x50000000), MAP_FAILED);
}

CF_TEST(mappings_outlive_the_descriptor, 29,
	"Closing the ring fd while mappings exist -> the mappings stay readable and nothing is posted any more")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	const uint32_t *words;
	uint32_t before, tail;
	int fd[2];

	if (cf_on(CF_RINGD))
		return;
	cf_pipe(fd);
	words = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ring->fd, RINGD_OFF_SQ_RING);
	ck_assert_ptr_ne(words, MAP_FAILED);
	cf_prep_rw(ring, RINGD_OP_READ, fd[0], cf_alloc(1, 0), 1, 0);
	ck_assert_int_eq(cf_submit(ring), 1);
	tail = ring->p.cq_off.tail / 4;
	before = words[tail];
	cf_ring_free(ring);
	ck_assert_int_eq(write(fd[1], "x", 1), 1);
	usleep(20000);
	ck_assert_uint_le(words[tail], before + 1);
	munmap((void *)(uintptr_t)words, 4096);
}
CF_DIFFERS(mappings_outlive_the_descriptor, CF_KERNEL | CF_RINGD,
	   "the kernel posts the -ECANCELED of what it cancels; libringd unmaps what it frees, and nothing is posted to a dead ring")
