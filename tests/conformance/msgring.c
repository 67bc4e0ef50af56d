/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Message ring */
#include "cf.h"

static struct ringd_sqe *message(struct cf_ring *from, struct cf_ring *to, uint32_t len, uint64_t data)
{
	struct ringd_sqe *sqe = cf_sqe(from, RINGD_OP_MSG_RING);

	sqe->fd = to->fd;
	sqe->len = len;
	sqe->off = data;
	sqe->user_data = 1;
	return sqe;
}

static struct ringd_sqe *send_fd(struct cf_ring *from, struct cf_ring *to, unsigned int slot, uint32_t file_index)
{
	struct ringd_sqe *sqe = message(from, to, 0, 77);

	sqe->addr = RINGD_MSG_SEND_FD;
	sqe->addr3 = slot;
	sqe->file_index = file_index;
	return sqe;
}

CF_TEST(a_message_needs_a_ring, 313, "MSG_RING to an fd that is not a ring -> -EBADFD")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe = message(ring, ring, 1, 2);
	int fds[2];

	cf_pipe(fds);
	cf_lend(ring, fds[0]);
	sqe->fd = fds[0];
	ck_assert_int_eq(cf_run(ring), -EBADFD);
	message(ring, ring, 1, 2)->fd = 900;
	ck_assert_int_eq(cf_run(ring), -EBADF);
}

CF_TEST(a_slot_is_no_ring, 313, "MSG_RING to an fd that is not a ring -> -EBADFD (a slot: never a ring)")
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	struct ringd_sqe *sqe;

	cf_files(ring, 2);
	cf_file(ring, 0, 0);
	for (int slot = 0; slot < 2; slot++) {
		sqe = message(ring, ring, 1, 2);
		sqe->flags = RINGD_SQE_FIXED_FILE;
		sqe->fd = slot;
		ck_assert_int_eq(cf_run(ring), slot ? -EBADF : -EBADFD);
	}
}

CF_TEST(a_message_is_a_cqe, 314, "MSG_RING data -> target CQE has user_data = off, res = len, flags 0")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);

	message(ring, target, 0x80000001, 0xabcdef0123456789);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 1, 0, 0);
	cf_expect(target, 0xabcdef0123456789, INT32_MIN + 1, 0);
	cf_expect_none(target);
}

CF_TEST(flags_of_a_message, 315, "MSG_RING data with FLAGS_PASS and file_index 0x10001 -> target CQE flags 0x10001")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);
	struct ringd_sqe *sqe = message(ring, target, 3, 4);

	sqe->msg_ring_flags = RINGD_MSG_RING_FLAGS_PASS;
	sqe->file_index = 0x10001;
	ck_assert_int_eq(cf_run(ring), 0);
	cf_expect(target, 4, 3, 0x10001);
}

CF_TEST(fields_of_a_message_are_checked, 316,
	"MSG_RING data with file_index but no FLAGS_PASS -> -EINVAL; with CQE_SKIP -> -EINVAL; with addr3 -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);

	message(ring, target, 3, 4)->file_index = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	message(ring, target, 3, 4)->msg_ring_flags = RINGD_MSG_RING_CQE_SKIP;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	message(ring, target, 3, 4)->addr3 = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	cf_expect_none(target);
}

CF_TEST(a_message_to_oneself_comes_first, 317, "MSG_RING to its own ring -> the message precedes the op's CQE")
{
	struct cf_ring *ring = cf_ring_new(8, 0);

	message(ring, ring, 3, 4);
	ck_assert_int_eq(cf_submit(ring), 1);
	cf_expect(ring, 4, 3, 0);
	cf_expect(ring, 1, 0, 0);
}

CF_TEST(a_disabled_ring_takes_no_message, 318, "MSG_RING to a disabled ring -> -EBADFD")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, RINGD_SETUP_R_DISABLED);

	message(ring, target, 3, 4);
	ck_assert_int_eq(cf_run(ring), -EBADFD);
	ck_assert_int_eq(cf_register(target, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	message(ring, target, 3, 4);
	ck_assert_int_eq(cf_run(ring), 0);
	cf_expect(target, 4, 3, 0);
}

CF_TEST(unknown_commands_are_einval, 319,
	"MSG_RING command 2 or unknown flags -> -EINVAL; with personality or buf_index -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);

	message(ring, target, 3, 4)->addr = 2;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	message(ring, target, 3, 4)->msg_ring_flags = 4;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	message(ring, target, 3, 4)->buf_index = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 1);
	message(ring, target, 3, 4)->personality = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	cf_expect_none(target);
}

CF_TEST(sending_a_file_is_checked, 320,
	"SEND_FD to the own ring -> -EINVAL; with len non-zero -> -EINVAL; empty source slot -> -EBADF")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);

	cf_files(ring, 2);
	cf_file(ring, 0, 0);
	cf_files(target, 2);
	send_fd(ring, ring, 0, 2);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	send_fd(ring, target, 0, 1)->len = 1;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	send_fd(ring, target, 1, 1);
	ck_assert_int_eq(cf_run(ring), -EBADF);
	send_fd(ring, target, 2, 1);
	ck_assert_int_eq(cf_run(ring), -EBADF);
	cf_expect_none(target);
}

CF_TEST(a_sent_file_needs_a_slot, 321, "SEND_FD to a ring without file table -> -ENXIO; to a full one with ALLOC -> -ENFILE")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);

	cf_files(ring, 1);
	cf_file(ring, 0, 0);
	send_fd(ring, target, 0, 1);
	ck_assert_int_eq(cf_run(ring), -ENXIO);
	cf_files(target, 1);
	cf_file(target, 0, 0);
	send_fd(ring, target, 0, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(cf_run(ring), -ENFILE);
	send_fd(ring, target, 0, 2);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	cf_expect_none(target);
	send_fd(ring, target, 0, 1);		/* an occupied one is replaced */
	ck_assert_int_eq(cf_run(ring), 0);
	cf_expect(target, 77, 0, 0);
}

CF_TEST(a_sent_file_is_in_its_slot, 322,
	"SEND_FD with ALLOC -> source res and target res are the slot; with CQE_SKIP the target gets no CQE")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);
	int file = cf_make_file("f", 10, O_RDONLY);
	struct ringd_sqe *sqe;
	char *buf = cf_alloc(8, 0);

	cf_files(ring, 1);
	cf_file(ring, 0, file);
	cf_files(target, 3);
	cf_file(target, 0, 0);
	send_fd(ring, target, 0, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(cf_run(ring), 1);
	cf_expect(target, 77, 1, 0);
	send_fd(ring, target, 0, RINGD_FILE_INDEX_ALLOC)->msg_ring_flags = RINGD_MSG_RING_CQE_SKIP;
	ck_assert_int_eq(cf_run(ring), 2);
	cf_expect_none(target);
	sqe = cf_sqe(target, RINGD_OP_READ);
	sqe->fd = 2;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	sqe->addr = cf_addr(buf);
	sqe->len = 8;
	sqe->off = 2;
	ck_assert_int_eq(cf_run(target), 8);
	ck_assert_int_eq(buf[0], 2);
	close(file);
}

static int wait_for_one(void *arg)
{
	return cf_enter(arg, 0, 1, RINGD_ENTER_GETEVENTS, NULL, 0);
}

CF_TEST(a_message_wakes_who_waits, 323, "A waiter in enter on the target ring -> woken by the message")
{
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, 0);
	struct cf_thread *t = cf_thread(wait_for_one, target);

	cf_thread_wait_asleep(t);
	message(ring, target, 3, 4);
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_int_eq(cf_thread_join(t), 0);
	cf_expect(target, 4, 3, 0);
}

/* The target's own thread runs it, when it asks for events. */
CF_TEST(a_lazy_ring_gets_a_message_when_it_asks, 323,
	"A waiter in enter on the target ring -> woken by the message (DEFER_TASKRUN: no CQE before)")
{
	const unsigned int flags = RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_TASKRUN_FLAG;
	struct cf_ring *ring = cf_ring_new(8, 0), *target = cf_ring_new(8, flags);

	message(ring, target, 3, 4);
	ck_assert_int_eq(cf_run(ring), 0);
	ck_assert_uint_eq(cf_cq_tail(target), 0);
	while (!(cf_sq_flags(target) & RINGD_SQ_TASKRUN))
		poll(NULL, 0, 1);
	ck_assert_int_eq(cf_enter(target, 0, 0, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	ck_assert_uint_eq(cf_cq_tail(target), 1);
	cf_expect(target, 4, 3, 0);
}

static int send_later(void *arg)
{
	struct cf_ring *target = arg, *ring = cf_ring_new(8, 0);

	poll(NULL, 0, 50);	/* whoever is not asleep by then finds it there */
	message(ring, target, 3, 4);
	return cf_run(ring);
}

CF_TEST(a_message_wakes_who_waits_on_a_lazy_ring, 323, "A waiter in enter on the target ring -> woken by the message (DEFER_TASKRUN)")
{
	struct cf_ring *target = cf_ring_new(8, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_DEFER_TASKRUN);
	struct cf_thread *t = cf_thread(send_later, target);

	ck_assert_int_eq(cf_enter(target, 0, 1, RINGD_ENTER_GETEVENTS, NULL, 0), 0);
	ck_assert_uint_eq(cf_cq_tail(target), 1);
	ck_assert_int_eq(cf_thread_join(t), 0);
	cf_expect(target, 4, 3, 0);
}

static int blind(struct cf_ring *ring, const struct ringd_sqe *sqe)
{
	return cf_register(ring, RINGD_REGISTER_SEND_MSG_RING, sqe, 1);
}

CF_TEST(a_message_from_no_ring, 324,
	"Blind send (register 31) with SQE flags, another opcode or SEND_FD -> -EINVAL; through a ring fd -> -EINVAL")
{
	struct cf_ring *target = cf_ring_new(8, 0);
	const struct ringd_sqe good = { .opcode = RINGD_OP_MSG_RING, .fd = target->fd, .len = 3, .off = 4 };
	struct ringd_sqe sqe = good;

	cf_need_register(NULL, RINGD_REGISTER_SEND_MSG_RING, &good, 1);
	cf_expect(target, 4, 3, 0);
	sqe.flags = RINGD_SQE_IO_LINK;
	ck_assert_int_eq(blind(NULL, &sqe), -EINVAL);
	sqe = good;
	sqe.opcode = RINGD_OP_NOP;
	ck_assert_int_eq(blind(NULL, &sqe), -EINVAL);
	sqe = good;
	sqe.addr = RINGD_MSG_SEND_FD;
	ck_assert_int_eq(blind(NULL, &sqe), -EINVAL);
	ck_assert_int_eq(blind(target, &good), -EINVAL);
	sqe = good;
	sqe.fd = 900;
	ck_assert_int_eq(blind(NULL, &sqe), -EBADF);
	ck_assert_int_eq(blind(NULL, &good), 0);
	cf_expect(target, 4, 3, 0);
	cf_expect_none(target);
}
