/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rings come and go: setup, the program's mapping of them, struct io_uring. */
#include <string.h>

#include "client-lib/compat/api/private.h"

static uint32_t *word(void *base, uint32_t off)
{
	return (uint32_t *)((char *)base + off);
}

/* The pointers into the rings, once ring_ptr and sqes are known. */
static void aim(struct rd_uring_sq *sq, struct rd_uring_cq *cq, const struct ringd_params *p)
{
	char *rings = sq->ring_ptr;

	sq->khead = word(rings, p->sq_off.head);
	sq->ktail = word(rings, p->sq_off.tail);
	sq->kring_mask = word(rings, p->sq_off.ring_mask);
	sq->kring_entries = word(rings, p->sq_off.ring_entries);
	sq->kflags = word(rings, p->sq_off.flags);
	sq->kdropped = word(rings, p->sq_off.dropped);
	sq->array = p->flags & RINGD_SETUP_NO_SQARRAY ? NULL : word(rings, p->sq_off.array);
	sq->ring_mask = p->sq_entries - 1;
	sq->ring_entries = p->sq_entries;
	cq->ring_ptr = rings;
	cq->khead = word(rings, p->cq_off.head);
	cq->ktail = word(rings, p->cq_off.tail);
	cq->kring_mask = word(rings, p->cq_off.ring_mask);
	cq->kring_entries = word(rings, p->cq_off.ring_entries);
	cq->kflags = p->cq_off.flags ? word(rings, p->cq_off.flags) : NULL;
	cq->koverflow = word(rings, p->cq_off.overflow);
	cq->cqes = (struct ringd_cqe *)(rings + p->cq_off.cqes);
	cq->ring_mask = p->cq_entries - 1;
	cq->ring_entries = p->cq_entries;
}

static size_t rings_bytes(const struct ringd_params *p)
{
	size_t cq = p->cq_off.cqes + ((p->cq_entries * sizeof(struct ringd_cqe)) << rd_uring_cqe_shift(p->flags));
	size_t sq = p->flags & RINGD_SETUP_NO_SQARRAY ? 0 : p->sq_off.array + p->sq_entries * sizeof(uint32_t);

	return cq > sq ? cq : sq;
}

/* Maps the two regions of the ring behind @fd. On failure nothing is mapped, and *sq and *cq are as they were. */
int rd_uring_map(struct rd_uring_sq *sq, struct rd_uring_cq *cq, int fd, const struct ringd_params *p)
{
	size_t rings_size = rings_bytes(p);
	size_t sqes_size = (p->sq_entries * sizeof(struct ringd_sqe)) << rd_uring_sqe_shift(p->flags);
	void *rings, *sqes;
	int r = rd_uring_map_ring(&rings, rings_size, fd, RINGD_OFF_SQ_RING);

	if (r < 0)
		return r;
	r = rd_uring_map_ring(&sqes, sqes_size, fd, RINGD_OFF_SQES);
	if (r < 0) {
		rd_uring_unmap(rings, rings_size);
		return r;
	}
	sq->ring_ptr = rings;
	sq->ring_sz = cq->ring_sz = rings_size;
	sq->sqes = sqes;
	sq->sqes_sz = (uint32_t)sqes_size;
	aim(sq, cq, p);
	return 0;
}

void rd_uring_unmap_all(struct rd_uring_sq *sq, struct rd_uring_cq *cq)
{
	rd_uring_unmap(sq->sqes, sq->sqes_sz);
	rd_uring_unmap(sq->ring_ptr, sq->ring_sz);
	/* ours is the same mapping; a program that made its own with two is served as well */
	if (cq->ring_ptr != sq->ring_ptr)
		rd_uring_unmap(cq->ring_ptr, cq->ring_sz);
}

/* No function of any liburing, inline or not, puts another index in a slot than the slot's own. */
void rd_uring_identity(struct rd_uring *ring)
{
	if (!ring->sq.array)
		return;
	for (uint32_t i = 0; i < ring->sq.ring_entries; i++)
		ring->sq.array[i] = i;
}

int io_uring_queue_mmap(int fd, struct ringd_params *p, struct rd_uring *ring)
{
	int r;

	memset(ring, 0, sizeof(*ring));
	r = rd_uring_map(&ring->sq, &ring->cq, fd, p);
	if (r < 0)
		return r;
	ring->flags = p->flags;
	ring->features = p->features;
	ring->ring_fd = ring->enter_ring_fd = fd;
	/* without SQPOLL, completions of an IOPOLL ring are found by whoever enters */
	if ((p->flags & (RINGD_SETUP_IOPOLL | RINGD_SETUP_SQPOLL)) == RINGD_SETUP_IOPOLL)
		ring->int_flags |= RD_URING_CQ_ENTER;
	rd_uring_identity(ring);
	return 0;
}

/* SQEs first, rings behind them; both are whole pages. Returns the bytes used. */
static int place(struct rd_uring *ring, unsigned int entries, struct ringd_params *p, void *buf, size_t buf_size)
{
	struct rd_uring_sizes sizes;
	size_t used;
	int r = rd_uring_sizes(&sizes, entries, p);

	if (r < 0)
		return r;
	used = sizes.sqes + sizes.rings;
	if (buf && used > buf_size)
		return -ENOMEM;
	if (buf)
		ring->int_flags |= RD_URING_APP_MEM;
	else
		r = rd_uring_map_memory(&buf, used, true);
	if (r < 0)
		return r;
	ring->sq.sqes = buf;
	/* our memory is one mapping, of which the rings are the end: ring_sz stays 0 */
	ring->sq.sqes_sz = (uint32_t)(ring->int_flags & RD_URING_APP_MEM ? sizes.sqes : used);
	ring->sq.ring_ptr = (char *)buf + sizes.sqes;
	p->sq_off.user_addr = (uintptr_t)buf;
	p->cq_off.user_addr = (uintptr_t)ring->sq.ring_ptr;
	return (int)used;
}

static int init_no_mmap(unsigned int entries, struct rd_uring *ring, struct ringd_params *p, void *buf, size_t buf_size)
{
	int used, fd;

	memset(ring, 0, sizeof(*ring));
	used = place(ring, entries, p, buf, buf_size);
	if (used < 0)
		return used;
	fd = rd_local_setup(entries, p);
	if (fd < 0) {
		if (!buf)
			rd_uring_unmap_all(&ring->sq, &ring->cq);
		return fd;
	}
	aim(&ring->sq, &ring->cq, p);
	ring->flags = p->flags;
	ring->features = p->features;
	ring->enter_ring_fd = ring->ring_fd = fd;
	if (p->flags & RINGD_SETUP_REGISTERED_FD_ONLY) {
		ring->ring_fd = -1;
		ring->int_flags |= RD_URING_REG_RING | RD_URING_REG_REG;
	}
	if ((p->flags & (RINGD_SETUP_IOPOLL | RINGD_SETUP_SQPOLL)) == RINGD_SETUP_IOPOLL)
		ring->int_flags |= RD_URING_CQ_ENTER;
	rd_uring_identity(ring);
	return used;
}

static int init_once(unsigned int entries, struct rd_uring *ring, struct ringd_params *p, void *buf, size_t buf_size)
{
	int fd, r;

	if (p->flags & RINGD_SETUP_NO_MMAP)
		return init_no_mmap(entries, ring, p, buf, buf_size);
	memset(ring, 0, sizeof(*ring));
	fd = rd_local_setup(entries, p);
	if (fd < 0)
		return fd;
	r = io_uring_queue_mmap(fd, p, ring);
	if (r < 0)
		rd_uring_close(fd);
	return r;
}

/* Nobody who goes through this interface needs the index array; a kernel before 6.6 does not know that it can be left out. */
static int init(unsigned int entries, struct rd_uring *ring, struct ringd_params *p, void *buf, size_t buf_size)
{
	uint32_t asked = p->flags;
	int r;

	p->flags |= RINGD_SETUP_NO_SQARRAY;
	r = init_once(entries, ring, p, buf, buf_size);
	if (r != -EINVAL || (asked & RINGD_SETUP_NO_SQARRAY))
		return r;
	p->flags = asked;
	return init_once(entries, ring, p, buf, buf_size);
}

int io_uring_queue_init_mem(unsigned int entries, struct rd_uring *ring, struct ringd_params *p, void *buf, size_t buf_size)
{
	p->flags |= RINGD_SETUP_NO_MMAP;
	return init(entries, ring, p, buf, buf_size);
}

int io_uring_queue_init_params(unsigned int entries, struct rd_uring *ring, struct ringd_params *p)
{
	int r = init(entries, ring, p, NULL, 0);

	return r < 0 ? r : 0;
}

int io_uring_queue_init(unsigned int entries, struct rd_uring *ring, unsigned int flags)
{
	struct ringd_params p = { .flags = flags };

	return io_uring_queue_init_params(entries, ring, &p);
}

/* After this a child of fork() does not have the rings. */
int io_uring_ring_dontfork(struct rd_uring *ring)
{
	int r;

	if (!ring->sq.ring_ptr || !ring->sq.sqes || !ring->cq.ring_ptr)
		return -EINVAL;
	r = rd_uring_dontfork(ring->sq.sqes, ring->sq.sqes_sz);
	if (r == 0)
		r = rd_uring_dontfork(ring->sq.ring_ptr, ring->sq.ring_sz);
	if (r == 0 && ring->cq.ring_ptr != ring->sq.ring_ptr)
		r = rd_uring_dontfork(ring->cq.ring_ptr, ring->cq.ring_sz);
	return r;
}

/* The memory goes last: until the ring is closed, completions may be written to it. */
void io_uring_queue_exit(struct rd_uring *ring)
{
	if (ring->int_flags & RD_URING_REG_RING)
		(void)io_uring_unregister_ring_fd(ring);
	if (ring->ring_fd != -1)
		rd_uring_close(ring->ring_fd);
	if (!(ring->int_flags & RD_URING_APP_MEM))
		rd_uring_unmap_all(&ring->sq, &ring->cq);
}
