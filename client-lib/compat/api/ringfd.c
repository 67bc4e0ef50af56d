/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ring's own descriptor as an index in the task's table, and life without the descriptor. */
#include "client-lib/compat/api/private.h"

#define ANY_SLOT	0xffffffffu

int io_uring_register_ring_fd(struct rd_uring *ring)
{
	struct ringd_rsrc_update update = { .offset = ANY_SLOT, .data = (uint64_t)(int64_t)ring->ring_fd };
	int r;

	if (ring->int_flags & RD_URING_REG_RING)
		return -EEXIST;
	r = rd_uring_call(ring, RINGD_REGISTER_RING_FDS, &update, 1);
	if (r != 1)
		return r;
	ring->enter_ring_fd = (int)update.offset;
	ring->int_flags |= RD_URING_REG_RING;
	if (ring->features & RINGD_FEAT_REG_REG_RING)
		ring->int_flags |= RD_URING_REG_REG;
	return r;
}

int io_uring_unregister_ring_fd(struct rd_uring *ring)
{
	struct ringd_rsrc_update update = { .offset = (uint32_t)ring->enter_ring_fd };
	int r;

	if (!(ring->int_flags & RD_URING_REG_RING))
		return -EINVAL;
	r = rd_uring_call(ring, RINGD_UNREGISTER_RING_FDS, &update, 1);
	if (r != 1)
		return r;
	ring->enter_ring_fd = ring->ring_fd;
	ring->int_flags &= (uint8_t)~(RD_URING_REG_RING | RD_URING_REG_REG);
	return r;
}

/* From here on the registered index is the only way to the ring. */
int io_uring_close_ring_fd(struct rd_uring *ring)
{
	if (!(ring->features & RINGD_FEAT_REG_REG_RING))
		return -EOPNOTSUPP;
	if (!(ring->int_flags & RD_URING_REG_RING))
		return -EINVAL;
	if (ring->ring_fd == -1)
		return -EBADF;
	rd_uring_close(ring->ring_fd);
	ring->ring_fd = -1;
	return 1;
}
