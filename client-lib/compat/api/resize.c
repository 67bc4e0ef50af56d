/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New sizes for a ring that is in use. */
#include <string.h>

#include "client-lib/compat/api/private.h"

/*
 * What is in the rings has been carried over when the call returns, under the same indices; the old memory is nobody's
 * but ours then. It goes when the new one is mapped. If that fails, the ring is of no more use, and struct io_uring says
 * so by having no memory; it can still be given to io_uring_queue_exit().
 */
static int move(struct rd_uring *ring, const struct ringd_params *p)
{
	struct rd_uring_sq sq = { .sqe_head = ring->sq.sqe_head, .sqe_tail = ring->sq.sqe_tail };
	struct rd_uring_cq cq = { .khead = NULL };
	int r = rd_uring_map(&sq, &cq, ring->ring_fd, p);

	rd_uring_unmap_all(&ring->sq, &ring->cq);
	ring->sq = sq;
	ring->cq = cq;
	return r;
}

int io_uring_resize_rings(struct rd_uring *ring, struct ringd_params *p)
{
	int r;

	/* the memory is the program's, and there is no way to say where the new one would be */
	if (ring->flags & RINGD_SETUP_NO_MMAP)
		return -EINVAL;
	memset(&p->sq_off, 0, sizeof(p->sq_off));
	memset(&p->cq_off, 0, sizeof(p->cq_off));
	/* only entries before the tail are carried over: those handed out and not submitted must be */
	if (!(ring->flags & RINGD_SETUP_SQ_REWIND))
		(void)rd_uring_flush(ring);
	r = rd_uring_call(ring, RINGD_REGISTER_RESIZE_RINGS, p, 1);
	if (r >= 0) {
		/* how entries look does not change with their number */
		p->flags = ring->flags;
		r = move(ring, p);
		if (r == 0)
			rd_uring_identity(ring);
	}
	/* ready for the next call with the same structure */
	p->flags = 0;
	return r;
}
