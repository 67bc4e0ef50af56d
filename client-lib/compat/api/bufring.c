/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rings of provided buffers. */
#include "client-lib/compat/api/private.h"

int io_uring_register_buf_ring(struct rd_uring *ring, struct ringd_buf_reg *reg, unsigned int flags)
{
	if (flags)	/* written to the program's structure, as liburing does */
		reg->flags = (uint16_t)(reg->flags | flags);
	return rd_uring_call(ring, RINGD_REGISTER_PBUF_RING, reg, 1);
}

int io_uring_unregister_buf_ring(struct rd_uring *ring, int bgid)
{
	struct ringd_buf_reg reg = { .bgid = (uint16_t)bgid };

	return rd_uring_call(ring, RINGD_UNREGISTER_PBUF_RING, &reg, 1);
}

int io_uring_buf_ring_head(struct rd_uring *ring, int buf_group, uint16_t *head)
{
	struct ringd_buf_status status = { .buf_group = (uint32_t)buf_group };
	int r = rd_uring_call(ring, RINGD_REGISTER_PBUF_STATUS, &status, 1);

	if (r == 0)
		*head = (uint16_t)status.head;
	return r;
}

static size_t bytes(unsigned int nentries)
{
	return nentries * sizeof(struct ringd_buf);
}

struct ringd_buf_ring *io_uring_setup_buf_ring(struct rd_uring *ring, unsigned int nentries, int bgid, unsigned int flags,
					       int *err)
{
	struct ringd_buf_reg reg = { .ring_entries = nentries, .bgid = (uint16_t)bgid };
	void *br;

	*err = rd_uring_map_memory(&br, bytes(nentries), false);
	if (*err < 0)
		return NULL;
	reg.ring_addr = (uintptr_t)br;
	*err = io_uring_register_buf_ring(ring, &reg, flags);
	if (*err == 0)
		return br;
	rd_uring_unmap(br, bytes(nentries));
	return NULL;
}

int io_uring_free_buf_ring(struct rd_uring *ring, struct ringd_buf_ring *br, unsigned int nentries, int bgid)
{
	int r = io_uring_unregister_buf_ring(ring, bgid);

	/* still registered: requests may take buffers out of it */
	if (r == 0)
		rd_uring_unmap(br, bytes(nentries));
	return r;
}
