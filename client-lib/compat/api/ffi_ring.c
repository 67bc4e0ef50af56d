/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liburing-ffi: access to rings, entries and buffer rings. */
#include "client-lib/compat/api/ffi_private.h"

int io_uring_opcode_supported(const struct ringd_probe *p, int op)
{
	return op >= 0 && op <= p->last_op && (p->ops[op].flags & RINGD_OP_SUPPORTED);
}

void io_uring_cq_advance(struct rd_uring *ring, unsigned int nr)
{
	/* release: the CQEs have been read before their slots are given back */
	if (nr)
		rd_uring_store_release(ring->cq.khead, rd_uring_load(ring->cq.khead) + nr);
}

void io_uring_cqe_seen(struct rd_uring *ring, struct ringd_cqe *cqe)
{
	if (cqe)
		io_uring_cq_advance(ring, rd_uring_cqe_slots(cqe));
}

unsigned int io_uring_cqe_nr(const struct ringd_cqe *cqe)
{
	return rd_uring_cqe_slots(cqe);
}

void *io_uring_cqe_get_data(const struct ringd_cqe *cqe)
{
	return (void *)(uintptr_t)cqe->user_data;
}

uint64_t io_uring_cqe_get_data64(const struct ringd_cqe *cqe)
{
	return cqe->user_data;
}

void io_uring_sqe_set_data(struct ringd_sqe *sqe, void *data)
{
	sqe->user_data = rd_prep_ptr(data);
}

void io_uring_sqe_set_data64(struct ringd_sqe *sqe, uint64_t data)
{
	sqe->user_data = data;
}

void io_uring_sqe_set_flags(struct ringd_sqe *sqe, unsigned int flags)
{
	sqe->flags = (uint8_t)flags;
}

void io_uring_sqe_set_buf_group(struct ringd_sqe *sqe, int bgid)
{
	sqe->buf_group = (uint16_t)bgid;
}

unsigned int io_uring_sq_ready(const struct rd_uring *ring)
{
	return ring->sq.sqe_tail - rd_uring_sq_head(ring);
}

unsigned int io_uring_sq_space_left(const struct rd_uring *ring)
{
	return ring->sq.ring_entries - io_uring_sq_ready(ring);
}

int io_uring_sqring_wait(struct rd_uring *ring)
{
	if (!(ring->flags & RINGD_SETUP_SQPOLL) || io_uring_sq_space_left(ring))
		return 0;
	return __io_uring_sqring_wait(ring);
}

static void fill_slot(struct ringd_sqe *sqe)
{
	io_uring_prep_nop(sqe);
	sqe->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
}

/* An SQE of 128 bytes must not wrap: in a mixed ring, a no-op without a CQE goes into a last slot that is in the way. */
struct ringd_sqe *io_uring_get_sqe128(struct rd_uring *ring)
{
	struct rd_uring_sq *sq = &ring->sq;
	bool last = (sq->sqe_tail & sq->ring_mask) == sq->ring_mask;
	struct ringd_sqe *sqe;

	if (ring->flags & RINGD_SETUP_SQE128)
		return io_uring_get_sqe(ring);
	if (!(ring->flags & RINGD_SETUP_SQE_MIXED) || io_uring_sq_space_left(ring) < (last ? 3 : 2))
		return NULL;
	if (last)
		fill_slot(io_uring_get_sqe(ring));
	sqe = io_uring_get_sqe(ring);
	sq->sqe_tail++;
	return sqe;
}

unsigned int io_uring_cq_ready(const struct rd_uring *ring)
{
	return rd_uring_load_acquire(ring->cq.ktail) - rd_uring_load(ring->cq.khead);
}

bool io_uring_cq_has_overflow(const struct rd_uring *ring)
{
	return rd_uring_load(ring->sq.kflags) & RINGD_SQ_CQ_OVERFLOW;
}

bool io_uring_cq_eventfd_enabled(const struct rd_uring *ring)
{
	return !ring->cq.kflags || !(rd_uring_load(ring->cq.kflags) & RINGD_CQ_EVENTFD_DISABLED);
}

int io_uring_cq_eventfd_toggle(struct rd_uring *ring, bool enabled)
{
	uint32_t flags;

	if (enabled == io_uring_cq_eventfd_enabled(ring))
		return 0;
	if (!ring->cq.kflags)
		return -EOPNOTSUPP;
	flags = rd_uring_load(ring->cq.kflags);
	flags = enabled ? flags & ~RINGD_CQ_EVENTFD_DISABLED : flags | RINGD_CQ_EVENTFD_DISABLED;
	__atomic_store_n(ring->cq.kflags, flags, __ATOMIC_RELAXED);
	return 0;
}

int io_uring_wait_cqe_nr(struct rd_uring *ring, struct ringd_cqe **cqe_ptr, unsigned int wait_nr)
{
	return __io_uring_get_cqe(ring, cqe_ptr, 0, wait_nr, NULL);
}

int io_uring_peek_cqe(struct rd_uring *ring, struct ringd_cqe **cqe_ptr)
{
	return io_uring_wait_cqe_nr(ring, cqe_ptr, 0);
}

int io_uring_wait_cqe(struct rd_uring *ring, struct ringd_cqe **cqe_ptr)
{
	return io_uring_wait_cqe_nr(ring, cqe_ptr, 1);
}

int io_uring_buf_ring_mask(uint32_t ring_entries)
{
	return (int)(ring_entries - 1);
}

void io_uring_buf_ring_init(struct ringd_buf_ring *br)
{
	br->tail = 0;
}

void io_uring_buf_ring_add(struct ringd_buf_ring *br, void *addr, unsigned int len, unsigned short bid, int mask,
			   int buf_offset)
{
	struct ringd_buf *buf = (struct ringd_buf *)br + ((br->tail + buf_offset) & mask);

	/* not resv: that of the first buffer is the tail */
	buf->addr = rd_prep_ptr(addr);
	buf->len = len;
	buf->bid = bid;
}

void io_uring_buf_ring_advance(struct ringd_buf_ring *br, int count)
{
	/* release: the buffers are complete before they can be taken */
	__atomic_store_n(&br->tail, (uint16_t)(br->tail + count), __ATOMIC_RELEASE);
}

void __io_uring_buf_ring_cq_advance(struct rd_uring *ring, struct ringd_buf_ring *br, int cq_count, int buf_count)
{
	io_uring_buf_ring_advance(br, buf_count);
	io_uring_cq_advance(ring, (unsigned int)cq_count);
}

void io_uring_buf_ring_cq_advance(struct rd_uring *ring, struct ringd_buf_ring *br, int count)
{
	__io_uring_buf_ring_cq_advance(ring, br, count, count);
}

int io_uring_buf_ring_available(struct rd_uring *ring, struct ringd_buf_ring *br, unsigned short bgid)
{
	struct ringd_buf_status status = { .buf_group = bgid };
	int r = rd_uring_call(ring, RINGD_REGISTER_PBUF_STATUS, &status, 1);

	return r ? r : (uint16_t)(br->tail - status.head);
}
