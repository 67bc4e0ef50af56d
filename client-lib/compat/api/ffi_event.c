/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liburing-ffi: waiting, cancelling, messages and commands. */
#include "client-lib/compat/api/ffi_private.h"

#define NO_FD	(-1)

void io_uring_prep_nop(struct ringd_sqe *sqe)
{
	rd_prep(sqe, RINGD_OP_NOP, NO_FD, NULL, 0, 0);
}

void io_uring_prep_nop128(struct ringd_sqe *sqe)
{
	rd_prep(sqe, RINGD_OP_NOP128, NO_FD, NULL, 0, 0);
}

/* The mask began as 16 bits at the start of the word: its halves are the other way round on big-endian hosts. */
static uint32_t poll_word(unsigned int mask)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return mask << 16 | mask >> 16;
#else
	return mask;
#endif
}

void io_uring_prep_poll_add(struct ringd_sqe *sqe, int fd, unsigned int poll_mask)
{
	rd_prep(sqe, RINGD_OP_POLL_ADD, fd, NULL, 0, 0);
	sqe->poll32_events = poll_word(poll_mask);
}

void io_uring_prep_poll_multishot(struct ringd_sqe *sqe, int fd, unsigned int poll_mask)
{
	io_uring_prep_poll_add(sqe, fd, poll_mask);
	sqe->len = RINGD_POLL_ADD_MULTI;
}

void io_uring_prep_poll_remove(struct ringd_sqe *sqe, uint64_t user_data)
{
	rd_prep(sqe, RINGD_OP_POLL_REMOVE, NO_FD, NULL, 0, 0);
	sqe->addr = user_data;
}

void io_uring_prep_poll_update(struct ringd_sqe *sqe, uint64_t old_user_data, uint64_t new_user_data, unsigned int poll_mask,
			       unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_POLL_REMOVE, NO_FD, NULL, flags, new_user_data);
	sqe->addr = old_user_data;
	sqe->poll32_events = poll_word(poll_mask);
}

/* The operation is in len, its descriptor in off. */
void io_uring_prep_epoll_ctl(struct ringd_sqe *sqe, int epfd, int fd, int op, const struct epoll_event *ev)
{
	rd_prep(sqe, RINGD_OP_EPOLL_CTL, epfd, ev, (uint32_t)op, (uint32_t)fd);
}

void io_uring_prep_epoll_wait(struct ringd_sqe *sqe, int fd, struct epoll_event *events, int maxevents, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_EPOLL_WAIT, fd, events, (uint32_t)maxevents, 0);
	sqe->rw_flags = flags;
}

void io_uring_prep_timeout(struct ringd_sqe *sqe, const struct ringd_timespec *ts, unsigned int count, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_TIMEOUT, NO_FD, ts, 1, count);
	sqe->timeout_flags = flags;
}

void io_uring_prep_timeout_remove(struct ringd_sqe *sqe, uint64_t user_data, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_TIMEOUT_REMOVE, NO_FD, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->timeout_flags = flags;
}

void io_uring_prep_timeout_update(struct ringd_sqe *sqe, const struct ringd_timespec *ts, uint64_t user_data,
				  unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_TIMEOUT_REMOVE, NO_FD, NULL, 0, rd_prep_ptr(ts));
	sqe->addr = user_data;
	sqe->timeout_flags = flags | RINGD_TIMEOUT_UPDATE;
}

void io_uring_prep_link_timeout(struct ringd_sqe *sqe, const struct ringd_timespec *ts, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_LINK_TIMEOUT, NO_FD, ts, 1, 0);
	sqe->timeout_flags = flags;
}

void io_uring_prep_cancel64(struct ringd_sqe *sqe, uint64_t user_data, int flags)
{
	rd_prep(sqe, RINGD_OP_ASYNC_CANCEL, NO_FD, NULL, 0, 0);
	sqe->addr = user_data;
	sqe->cancel_flags = (uint32_t)flags;
}

void io_uring_prep_cancel(struct ringd_sqe *sqe, const void *user_data, int flags)
{
	io_uring_prep_cancel64(sqe, rd_prep_ptr(user_data), flags);
}

void io_uring_prep_cancel_fd(struct ringd_sqe *sqe, int fd, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_ASYNC_CANCEL, fd, NULL, 0, 0);
	sqe->cancel_flags = flags | RINGD_ASYNC_CANCEL_FD;
}

void io_uring_prep_msg_ring(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t data, unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_MSG_RING, fd, NULL, len, data);
	sqe->msg_ring_flags = flags;
}

void io_uring_prep_msg_ring_cqe_flags(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t data, unsigned int flags,
				      unsigned int cqe_flags)
{
	io_uring_prep_msg_ring(sqe, fd, len, data, flags | RINGD_MSG_RING_FLAGS_PASS);
	sqe->file_index = cqe_flags;
}

/* The kind of message is where others have an address. */
void io_uring_prep_msg_ring_fd(struct ringd_sqe *sqe, int fd, int source_fd, int target_fd, uint64_t data,
			       unsigned int flags)
{
	io_uring_prep_msg_ring(sqe, fd, 0, data, flags);
	sqe->addr = RINGD_MSG_SEND_FD;
	sqe->addr3 = (uint64_t)source_fd;
	rd_prep_slot(sqe, (uint32_t)target_fd);
}

void io_uring_prep_msg_ring_fd_alloc(struct ringd_sqe *sqe, int fd, int source_fd, uint64_t data, unsigned int flags)
{
	io_uring_prep_msg_ring_fd(sqe, fd, source_fd, (int)RINGD_FILE_INDEX_ALLOC, data, flags);
}

/* The kind of id is in len, the id in fd. */
void io_uring_prep_waitid(struct ringd_sqe *sqe, idtype_t idtype, id_t id, siginfo_t *infop, int options,
			  unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_WAITID, (int)id, NULL, (uint32_t)idtype, rd_prep_ptr(infop));
	sqe->waitid_flags = flags;
	sqe->file_index = (uint32_t)options;
}

/* The futex's own flags are in fd. */
static void futex_op(struct ringd_sqe *sqe, uint8_t op, const uint32_t *futex, uint64_t val, uint64_t mask,
		     uint32_t futex_flags, unsigned int flags)
{
	rd_prep(sqe, op, (int)futex_flags, futex, 0, val);
	sqe->futex_flags = flags;
	sqe->addr3 = mask;
}

void io_uring_prep_futex_wake(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask,
			      uint32_t futex_flags, unsigned int flags)
{
	futex_op(sqe, RINGD_OP_FUTEX_WAKE, futex, val, mask, futex_flags, flags);
}

void io_uring_prep_futex_wait(struct ringd_sqe *sqe, const uint32_t *futex, uint64_t val, uint64_t mask,
			      uint32_t futex_flags, unsigned int flags)
{
	futex_op(sqe, RINGD_OP_FUTEX_WAIT, futex, val, mask, futex_flags, flags);
}

void io_uring_prep_futex_waitv(struct ringd_sqe *sqe, const struct futex_waitv *futex, uint32_t nr_futex,
			       unsigned int flags)
{
	rd_prep(sqe, RINGD_OP_FUTEX_WAITV, 0, futex, nr_futex, 0);
	sqe->futex_flags = flags;
}

static void command(struct ringd_sqe *sqe, uint8_t op, int cmd_op, int fd)
{
	rd_prep(sqe, op, fd, NULL, 0, 0);
	sqe->cmd_op = (uint32_t)cmd_op;
}

void io_uring_prep_uring_cmd(struct ringd_sqe *sqe, int cmd_op, int fd)
{
	command(sqe, RINGD_OP_URING_CMD, cmd_op, fd);
}

void io_uring_prep_uring_cmd128(struct ringd_sqe *sqe, int cmd_op, int fd)
{
	command(sqe, RINGD_OP_URING_CMD128, cmd_op, fd);
}

void io_uring_prep_cmd_discard(struct ringd_sqe *sqe, int fd, uint64_t offset, uint64_t nbytes)
{
	command(sqe, RINGD_OP_URING_CMD, (int)RINGD_BLOCK_OP_DISCARD, fd);
	sqe->addr = offset;
	sqe->addr3 = nbytes;
}
