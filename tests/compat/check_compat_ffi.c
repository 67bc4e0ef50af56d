/* SPDX-License-Identifier: GPL-2.0-or-later */
/* liburing-ffi: the inline functions as symbols do what the distribution's do, and newer ones what the rules of SQEs say. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/socket.h>

#include "client-lib/compat/api/ffi.h"
#include "kernel_local.h"
#include "tests/unit/suite.h"

#define SQE	struct ringd_sqe
#define TABLE	prep_ours
#include "prep_calls.h"

#define NOT_FD	(-1)
#define AT(p)	((uint64_t)(uintptr_t)(p))

void prep_rw_ours(void *sqe)
{
	io_uring_prep_rw(33, sqe, FD, PTR, LEN, OFF);
}

START_TEST(old_functions_fill_sqes_as_the_distributions_do)
{
	struct ringd_sqe ours = { .user_data = 0x77 }, theirs = { .user_data = 0x77 };

	ck_assert_str_eq(prep_ours[_i].name, prep_theirs[_i].name);
	prep_ours[_i].fill(&ours);
	prep_theirs[_i].fill(&theirs);
	ck_assert_msg(memcmp(&ours, &theirs, sizeof(ours)) == 0, "%s", prep_ours[_i].name);
}
END_TEST

START_TEST(prep_rw_is_the_same)
{
	struct ringd_sqe ours = { .user_data = 0x77 }, theirs = { .user_data = 0x77 };

	prep_rw_ours(&ours);
	prep_rw_theirs(&theirs);
	ck_assert_mem_eq(&ours, &theirs, sizeof(ours));
}
END_TEST

/* FILLS(call of the function behind the SQE, the members of the SQE that are then not zero) */
#define FILLS(fn, args, ...) do { \
	struct ringd_sqe have = { .opcode = 0 }, want = { __VA_ARGS__ }; \
	io_uring_##fn(&have BEHIND args); \
	ck_assert_msg(memcmp(&have, &want, sizeof(have)) == 0, #fn); \
} while (0)
#define BEHIND(...)	, ##__VA_ARGS__

START_TEST(newer_functions_for_files)
{
	FILLS(prep_readv_fixed, (FD, PTR, 3, OFF, 5, 6), .opcode = RINGD_OP_READV_FIXED, .fd = FD, .addr = AT(PTR), .len = 3,
	      .off = OFF, .rw_flags = 5, .buf_index = 6);
	FILLS(prep_writev_fixed, (FD, PTR, 3, OFF, 5, 6), .opcode = RINGD_OP_WRITEV_FIXED, .fd = FD, .addr = AT(PTR), .len = 3,
	      .off = OFF, .rw_flags = 5, .buf_index = 6);
	FILLS(prep_read_multishot, (FD, 9, OFF, 7), .opcode = RINGD_OP_READ_MULTISHOT, .fd = FD, .len = 9, .off = OFF,
	      .buf_group = 7, .flags = RINGD_SQE_BUFFER_SELECT);
	FILLS(prep_ftruncate, (FD, 0x1122334455), .opcode = RINGD_OP_FTRUNCATE, .fd = FD, .off = 0x1122334455);
	FILLS(prep_fadvise64, (FD, OFF, 0x1122334455, 3), .opcode = RINGD_OP_FADVISE, .fd = FD, .off = OFF, .addr = 0x1122334455,
	      .fadvise_advice = 3);
	FILLS(prep_madvise64, (PTR, 0x1122334455, 4), .opcode = RINGD_OP_MADVISE, .fd = NOT_FD, .addr = AT(PTR),
	      .off = 0x1122334455, .fadvise_advice = 4);
	FILLS(prep_open, (PTR, 5, 0600), .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = AT(PTR), .len = 0600, .open_flags = 5);
	FILLS(prep_open_direct, (PTR, 5, 0600, 7), .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = AT(PTR), .len = 0600,
	      .open_flags = 5, .file_index = 8);
	FILLS(prep_fixed_fd_install, (7, 1), .opcode = RINGD_OP_FIXED_FD_INSTALL, .fd = 7, .flags = RINGD_SQE_FIXED_FILE,
	      .install_fd_flags = 1);
	FILLS(prep_pipe, (PTR, O_NONBLOCK), .opcode = RINGD_OP_PIPE, .addr = AT(PTR), .pipe_flags = O_NONBLOCK);
	FILLS(prep_pipe_direct, (PTR, O_NONBLOCK, 2), .opcode = RINGD_OP_PIPE, .addr = AT(PTR), .pipe_flags = O_NONBLOCK,
	      .file_index = 3);
	FILLS(prep_pipe_direct, (PTR, 0, ANY), .opcode = RINGD_OP_PIPE, .addr = AT(PTR), .file_index = ANY);
	FILLS(sqe_set_buf_group, (44), .buf_group = 44);
}
END_TEST

/* liburing 2.3 made slot 0 of "any" */
START_TEST(any_slot_stays_any_slot)
{
	FILLS(prep_accept_direct, (FD, PTR, PTR2, 3, ANY), .opcode = RINGD_OP_ACCEPT, .fd = FD, .addr = AT(PTR),
	      .addr2 = AT(PTR2), .accept_flags = 3, .file_index = ANY);
	FILLS(prep_openat_direct, (FD, PTR, 5, 0600, ANY), .opcode = RINGD_OP_OPENAT, .fd = FD, .addr = AT(PTR), .len = 0600,
	      .open_flags = 5, .file_index = ANY);
	FILLS(prep_openat2_direct, (FD, PTR, PTR2, ANY), .opcode = RINGD_OP_OPENAT2, .fd = FD, .addr = AT(PTR),
	      .len = sizeof(struct open_how), .off = AT(PTR2), .file_index = ANY);
	FILLS(prep_socket_direct, (2, 1, 6, ANY, 0), .opcode = RINGD_OP_SOCKET, .fd = 2, .off = 1, .len = 6, .file_index = ANY);
}
END_TEST

START_TEST(newer_functions_for_sockets)
{
	FILLS(prep_bind, (FD, PTR, 16), .opcode = RINGD_OP_BIND, .fd = FD, .addr = AT(PTR), .addr2 = 16);
	FILLS(prep_listen, (FD, 64), .opcode = RINGD_OP_LISTEN, .fd = FD, .len = 64);
	FILLS(prep_send_bundle, (FD, 64, 3), .opcode = RINGD_OP_SEND, .fd = FD, .len = 64, .msg_flags = 3,
	      .ioprio = RINGD_RECVSEND_BUNDLE);
	FILLS(prep_sendto, (FD, PTR, 64, 3, PTR2, 28), .opcode = RINGD_OP_SEND, .fd = FD, .addr = AT(PTR), .len = 64,
	      .msg_flags = 3, .addr2 = AT(PTR2), .addr_len = 28);
	FILLS(prep_sendmsg_zc_fixed, (FD, PTR, 3, 9), .opcode = RINGD_OP_SENDMSG_ZC, .fd = FD, .addr = AT(PTR), .len = 1,
	      .msg_flags = 3, .ioprio = RINGD_RECVSEND_FIXED_BUF, .buf_index = 9);
	FILLS(prep_cmd_sock, (RINGD_SOCKET_OP_SETSOCKOPT, FD, 1, 2, PTR, 4), .opcode = RINGD_OP_URING_CMD, .fd = FD,
	      .cmd_op = RINGD_SOCKET_OP_SETSOCKOPT, .level = 1, .optname = 2, .optval = AT(PTR), .optlen = 4);
	FILLS(prep_cmd_getsockname, (FD, PTR, PTR2, 1), .opcode = RINGD_OP_URING_CMD, .fd = FD,
	      .cmd_op = RINGD_SOCKET_OP_GETSOCKNAME, .addr = AT(PTR), .addr3 = AT(PTR2), .optlen = 1);
}
END_TEST

START_TEST(newer_functions_for_events)
{
	FILLS(prep_nop128, (), .opcode = RINGD_OP_NOP128, .fd = NOT_FD);
	FILLS(prep_epoll_wait, (FD, PTR, 5, 6), .opcode = RINGD_OP_EPOLL_WAIT, .fd = FD, .addr = AT(PTR), .len = 5, .rw_flags = 6);
	FILLS(prep_msg_ring_cqe_flags, (FD, 5, OFF, 0, 7), .opcode = RINGD_OP_MSG_RING, .fd = FD, .len = 5, .off = OFF,
	      .msg_ring_flags = RINGD_MSG_RING_FLAGS_PASS, .file_index = 7);
	FILLS(prep_msg_ring_fd, (FD, 3, 4, OFF, 1), .opcode = RINGD_OP_MSG_RING, .fd = FD, .addr = RINGD_MSG_SEND_FD, .off = OFF,
	      .addr3 = 3, .file_index = 5, .msg_ring_flags = 1);
	FILLS(prep_msg_ring_fd_alloc, (FD, 3, OFF, 1), .opcode = RINGD_OP_MSG_RING, .fd = FD, .addr = RINGD_MSG_SEND_FD,
	      .off = OFF, .addr3 = 3, .file_index = ANY, .msg_ring_flags = 1);
	FILLS(prep_waitid, (P_PID, 77, PTR, WEXITED, 0), .opcode = RINGD_OP_WAITID, .fd = 77, .len = P_PID, .addr2 = AT(PTR),
	      .file_index = WEXITED);
	FILLS(prep_futex_wake, (PTR, 1, OFF, 0x82, 0), .opcode = RINGD_OP_FUTEX_WAKE, .fd = 0x82, .addr = AT(PTR), .off = 1,
	      .addr3 = OFF);
	FILLS(prep_futex_wait, (PTR, 1, OFF, 0x82, 0), .opcode = RINGD_OP_FUTEX_WAIT, .fd = 0x82, .addr = AT(PTR), .off = 1,
	      .addr3 = OFF);
	FILLS(prep_futex_waitv, (PTR, 4, 0), .opcode = RINGD_OP_FUTEX_WAITV, .addr = AT(PTR), .len = 4);
	FILLS(prep_uring_cmd, (0x1234, FD), .opcode = RINGD_OP_URING_CMD, .fd = FD, .cmd_op = 0x1234);
	FILLS(prep_uring_cmd128, (0x1234, FD), .opcode = RINGD_OP_URING_CMD128, .fd = FD, .cmd_op = 0x1234);
	FILLS(prep_cmd_discard, (FD, OFF, 4096), .opcode = RINGD_OP_URING_CMD, .fd = FD, .cmd_op = RINGD_BLOCK_OP_DISCARD,
	      .addr = OFF, .addr3 = 4096);
}
END_TEST

/* A ring without anybody behind it. */
static struct {
	uint32_t sq_head, sq_tail, sq_flags, cq_head, cq_tail, cq_flags;
	struct ringd_sqe sqes[8];
	struct ringd_cqe cqes[8];
	struct rd_uring ring;
} fake;

static struct rd_uring *fake_ring(uint32_t flags)
{
	memset(&fake, 0, sizeof(fake));
	fake.ring = (struct rd_uring){
		.sq = { .khead = &fake.sq_head, .ktail = &fake.sq_tail, .kflags = &fake.sq_flags, .sqes = fake.sqes,
			.ring_mask = 7, .ring_entries = 8 },
		.cq = { .khead = &fake.cq_head, .ktail = &fake.cq_tail, .kflags = &fake.cq_flags, .cqes = fake.cqes,
			.ring_mask = 7, .ring_entries = 8 },
		.flags = flags, .ring_fd = -1, .enter_ring_fd = -1,
	};
	return &fake.ring;
}

START_TEST(the_sq_is_accounted)
{
	struct rd_uring *ring = fake_ring(0);

	for (int i = 0; i < 8; i++)
		ck_assert_ptr_eq(io_uring_get_sqe(ring), &fake.sqes[i]);
	ck_assert_ptr_null(io_uring_get_sqe(ring));
	ck_assert_uint_eq(io_uring_sq_ready(ring), 8);
	ck_assert_uint_eq(io_uring_sq_space_left(ring), 0);
	ck_assert_int_eq(io_uring_sqring_wait(ring), 0);	/* only waits on rings with a poll thread */
	fake.sq_head = 3;
	ck_assert_uint_eq(io_uring_sq_space_left(ring), 3);
	memset(&fake.sqes[0], 0xff, sizeof(fake.sqes[0]));
	ck_assert_ptr_eq(io_uring_get_sqe(ring), &fake.sqes[0]);
	ck_assert_uint_eq(fake.sqes[0].flags, 0);
	ck_assert_uint_eq(fake.sqes[0].rw_flags, 0);
	ck_assert_uint_eq(fake.sqes[0].addr3, 0);
	ck_assert_uint_eq(fake.sqes[0].user_data, UINT64_MAX);
	ck_assert_uint_eq(fake.sqes[0].opcode, 255);
}
END_TEST

START_TEST(big_sqes_do_not_wrap)
{
	struct rd_uring *ring = fake_ring(RINGD_SETUP_SQE_MIXED);

	ck_assert_ptr_null(io_uring_get_sqe128(fake_ring(0)));
	ring = fake_ring(RINGD_SETUP_SQE_MIXED);
	ck_assert_ptr_eq(io_uring_get_sqe128(ring), &fake.sqes[0]);
	ck_assert_uint_eq(io_uring_sq_ready(ring), 2);
	for (int i = 2; i < 7; i++)
		ck_assert_ptr_eq(io_uring_get_sqe(ring), &fake.sqes[i]);
	/* the last slot and two more are needed */
	fake.sq_head = 1;
	ck_assert_ptr_null(io_uring_get_sqe128(ring));
	fake.sq_head = 2;
	ck_assert_ptr_eq(io_uring_get_sqe128(ring), &fake.sqes[0]);
	ck_assert_uint_eq(fake.sqes[7].opcode, RINGD_OP_NOP);
	ck_assert_uint_eq(fake.sqes[7].flags, RINGD_SQE_CQE_SKIP_SUCCESS);
	ck_assert_uint_eq(io_uring_sq_ready(ring), 8);
	ck_assert_ptr_null(io_uring_get_sqe128(ring));
}
END_TEST

START_TEST(a_rewinding_ring_starts_at_slot_0)
{
	struct rd_uring *ring = fake_ring(RINGD_SETUP_SQ_REWIND | RINGD_SETUP_NO_SQARRAY);

	for (int n = 1; n <= 3; n++) {
		for (int i = 0; i < n; i++)
			ck_assert_ptr_eq(io_uring_get_sqe(ring), &fake.sqes[i]);
		ck_assert_int_eq(io_uring_submit(ring), -EBADF);	/* there is no ring behind it */
		ck_assert_uint_eq(kernel_local_calls.to_submit, (unsigned int)n);
		ck_assert_uint_eq(io_uring_sq_ready(ring), 0);
		ck_assert_uint_eq(fake.sq_tail, 0);
	}
}
END_TEST

START_TEST(the_cq_is_accounted)
{
	struct rd_uring *ring = fake_ring(0);
	struct ringd_cqe *cqe;

	ck_assert_int_eq(io_uring_peek_cqe(ring, &cqe), -EAGAIN);
	fake.cq_tail = 3;
	fake.cqes[0].user_data = 0x1122334455;
	ck_assert_uint_eq(io_uring_cq_ready(ring), 3);
	ck_assert_int_eq(io_uring_peek_cqe(ring, &cqe), 0);
	ck_assert_ptr_eq(cqe, &fake.cqes[0]);
	ck_assert_uint_eq(io_uring_cqe_get_data64(cqe), 0x1122334455);
	ck_assert_ptr_eq(io_uring_cqe_get_data(cqe), (void *)0x1122334455);
	io_uring_cqe_seen(ring, cqe);
	io_uring_cqe_seen(ring, NULL);
	ck_assert_uint_eq(fake.cq_head, 1);
	ck_assert_int_eq(io_uring_wait_cqe(ring, &cqe), 0);
	ck_assert_int_eq(io_uring_wait_cqe_nr(ring, &cqe, 2), 0);
	io_uring_cq_advance(ring, 2);
	ck_assert_int_eq(io_uring_wait_cqe(ring, &cqe), -EBADF);
	ck_assert(!io_uring_cq_has_overflow(ring));
	fake.sq_flags = RINGD_SQ_CQ_OVERFLOW;
	ck_assert(io_uring_cq_has_overflow(ring));
	ck_assert_int_eq(io_uring_peek_cqe(ring, &cqe), -EBADF);	/* tried to fetch them */
}
END_TEST

START_TEST(mixed_cqes_are_stepped_over_by_their_size)
{
	struct rd_uring *ring = fake_ring(RINGD_SETUP_CQE_MIXED);
	struct ringd_cqe *cqes[8], *cqe;

	fake.cqes[4].flags = RINGD_CQE_F_32;
	fake.cqes[7].flags = RINGD_CQE_F_SKIP;
	fake.cqes[0].flags = RINGD_CQE_F_32;
	fake.cq_head = 3;
	fake.cq_tail = 10;
	/* up to the filler: the slots of a batch add up to what is to be advanced */
	ck_assert_uint_eq(io_uring_peek_batch_cqe(ring, cqes, 8), 3);
	ck_assert_ptr_eq(cqes[0], &fake.cqes[3]);
	ck_assert_ptr_eq(cqes[1], &fake.cqes[4]);
	ck_assert_ptr_eq(cqes[2], &fake.cqes[6]);
	for (int i = 0; i < 3; i++)
		io_uring_cqe_seen(ring, cqes[i]);
	ck_assert_uint_eq(fake.cq_head, 7);
	ck_assert_int_eq(io_uring_peek_cqe(ring, &cqe), 0);
	ck_assert_ptr_eq(cqe, &fake.cqes[0]);
	ck_assert_uint_eq(io_uring_cqe_nr(cqe), 2);
	ck_assert_uint_eq(fake.cq_head, 8);
	io_uring_cqe_seen(ring, cqe);
	ck_assert_uint_eq(fake.cq_head, 10);
	ck_assert_uint_eq(io_uring_peek_batch_cqe(ring, cqes, 8), 0);
}
END_TEST

START_TEST(an_eventfd_is_switched)
{
	struct rd_uring *ring = fake_ring(0);

	ck_assert(io_uring_cq_eventfd_enabled(ring));
	ck_assert_int_eq(io_uring_cq_eventfd_toggle(ring, false), 0);
	ck_assert_uint_eq(fake.cq_flags, RINGD_CQ_EVENTFD_DISABLED);
	ck_assert(!io_uring_cq_eventfd_enabled(ring));
	ck_assert_int_eq(io_uring_cq_eventfd_toggle(ring, false), 0);
	ck_assert_int_eq(io_uring_cq_eventfd_toggle(ring, true), 0);
	ck_assert_uint_eq(fake.cq_flags, 0);
	ring->cq.kflags = NULL;
	ck_assert(io_uring_cq_eventfd_enabled(ring));
	ck_assert_int_eq(io_uring_cq_eventfd_toggle(ring, false), -EOPNOTSUPP);
}
END_TEST

START_TEST(buffer_rings_are_filled)
{
	struct rd_uring *ring = fake_ring(0);
	struct ringd_buf bufs[4];
	struct ringd_buf_ring *br = (struct ringd_buf_ring *)bufs;

	memset(bufs, 0xff, sizeof(bufs));
	io_uring_buf_ring_init(br);
	ck_assert_int_eq(io_uring_buf_ring_mask(4), 3);
	for (int i = 0; i < 4; i++)
		io_uring_buf_ring_add(br, PTR, 100, (unsigned short)i, 3, i);
	ck_assert_uint_eq(br->tail, 0);
	io_uring_buf_ring_advance(br, 3);
	ck_assert_uint_eq(br->tail, 3);
	ck_assert_uint_eq(bufs[0].addr, AT(PTR));
	ck_assert_uint_eq(bufs[3].len, 100);
	ck_assert_uint_eq(bufs[3].bid, 3);
	io_uring_buf_ring_add(br, PTR2, 7, 9, 3, 1);
	ck_assert_uint_eq(bufs[0].addr, AT(PTR2));
	ck_assert_uint_eq(br->tail, 3);
	io_uring_buf_ring_cq_advance(ring, br, 2);
	ck_assert_uint_eq(br->tail, 5);
	ck_assert_uint_eq(fake.cq_head, 2);
	__io_uring_buf_ring_cq_advance(ring, br, 1, 0xffff);
	ck_assert_uint_eq(br->tail, 4);
	ck_assert_uint_eq(fake.cq_head, 3);
	ck_assert_int_lt(io_uring_buf_ring_available(ring, br, 1), 0);
}
END_TEST

/* A buffer as RECVMSG leaves it: header, 16 bytes for a name, 64 for control data with two messages in them, payload. */
START_TEST(received_messages_are_taken_apart)
{
	_Alignas(struct cmsghdr) unsigned char buf[16 + 16 + 64 + 32] = { 0 };
	struct msghdr msg = { .msg_namelen = 16, .msg_controllen = 64 };
	struct ringd_recvmsg_out *out = io_uring_recvmsg_validate(buf, sizeof(buf), &msg);
	struct cmsghdr *first = (struct cmsghdr *)(buf + 32), *second = (struct cmsghdr *)(buf + 32 + CMSG_SPACE(4));

	ck_assert_ptr_eq(out, buf);
	ck_assert_ptr_null(io_uring_recvmsg_validate(buf, -1, &msg));
	ck_assert_ptr_null(io_uring_recvmsg_validate(buf, 15, &msg));
	ck_assert_ptr_null(io_uring_recvmsg_validate(buf, 95, &msg));
	ck_assert_ptr_nonnull(io_uring_recvmsg_validate(buf, 96, &msg));
	ck_assert_ptr_eq(io_uring_recvmsg_name(out), buf + 16);
	ck_assert_ptr_null(io_uring_recvmsg_cmsg_firsthdr(out, &msg));
	first->cmsg_len = CMSG_LEN(4);
	second->cmsg_len = CMSG_LEN(8);
	out->controllen = (uint32_t)(CMSG_SPACE(4) + CMSG_SPACE(8));
	ck_assert_ptr_eq(io_uring_recvmsg_cmsg_firsthdr(out, &msg), first);
	ck_assert_ptr_eq(io_uring_recvmsg_cmsg_nexthdr(out, &msg, first), second);
	ck_assert_ptr_null(io_uring_recvmsg_cmsg_nexthdr(out, &msg, second));
	second->cmsg_len = 1000;
	ck_assert_ptr_null(io_uring_recvmsg_cmsg_nexthdr(out, &msg, first));
	first->cmsg_len = SIZE_MAX;
	ck_assert_ptr_null(io_uring_recvmsg_cmsg_nexthdr(out, &msg, first));
	ck_assert_ptr_eq(io_uring_recvmsg_payload(out, &msg), buf + 96);
	ck_assert_uint_eq(io_uring_recvmsg_payload_length(out, 110, &msg), 14);
	ck_assert_uint_eq(io_uring_recvmsg_payload_length(out, 95, &msg), 0);
	ck_assert_uint_eq(io_uring_recvmsg_payload_length(out, -1, &msg), 0);
}
END_TEST

START_TEST(support_is_looked_up)
{
	struct { struct ringd_probe head; struct ringd_probe_op ops[3]; } p = { .head = { .last_op = 2, .ops_len = 3 } };

	p.ops[1].flags = RINGD_OP_SUPPORTED;
	ck_assert_int_eq(io_uring_opcode_supported(&p.head, 1), 1);
	ck_assert_int_eq(io_uring_opcode_supported(&p.head, 2), 0);
	ck_assert_int_eq(io_uring_opcode_supported(&p.head, 3), 0);
	ck_assert_int_eq(io_uring_opcode_supported(&p.head, -1), 0);
}
END_TEST

static TCase *prep(void)
{
	TCase *tc = tcase_create("prep");
	int n = 0;

	while (prep_ours[n].name)
		n++;
	tcase_add_loop_test(tc, old_functions_fill_sqes_as_the_distributions_do, 0, n);
	tcase_add_test(tc, prep_rw_is_the_same);
	tcase_add_test(tc, newer_functions_for_files);
	tcase_add_test(tc, any_slot_stays_any_slot);
	tcase_add_test(tc, newer_functions_for_sockets);
	tcase_add_test(tc, newer_functions_for_events);
	return tc;
}

static TCase *access_(void)
{
	TCase *tc = tcase_create("access");

	tcase_add_test(tc, the_sq_is_accounted);
	tcase_add_test(tc, big_sqes_do_not_wrap);
	tcase_add_test(tc, a_rewinding_ring_starts_at_slot_0);
	tcase_add_test(tc, the_cq_is_accounted);
	tcase_add_test(tc, mixed_cqes_are_stepped_over_by_their_size);
	tcase_add_test(tc, an_eventfd_is_switched);
	tcase_add_test(tc, buffer_rings_are_filled);
	tcase_add_test(tc, received_messages_are_taken_apart);
	tcase_add_test(tc, support_is_looked_up);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("compat-ffi");

	suite_add_tcase(s, prep());
	suite_add_tcase(s, access_());
	return rd_suite_main(s);
}
