/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs: buffers that are provided, reads that choose one, vectors inside a registered buffer. */
#include "prep.h"

void ringd_prep_provide_buffers(struct ringd_sqe *sqe, void *addr, int len, int nr, int bgid, int bid)
{
	prep(sqe, RINGD_OP_PROVIDE_BUFFERS, nr, address(addr), (uint32_t)len, (uint64_t)bid);
	sqe->buf_group = (uint16_t)bgid;
}

void ringd_prep_remove_buffers(struct ringd_sqe *sqe, int nr, int bgid)
{
	prep(sqe, RINGD_OP_REMOVE_BUFFERS, nr, 0, 0, 0);
	sqe->buf_group = (uint16_t)bgid;
}

void ringd_prep_read_multishot(struct ringd_sqe *sqe, int fd, unsigned int nbytes, uint64_t offset, int buf_group)
{
	prep(sqe, RINGD_OP_READ_MULTISHOT, fd, 0, nbytes, offset);
	sqe->buf_group = (uint16_t)buf_group;
	sqe->flags |= RINGD_SQE_BUFFER_SELECT;
}

void ringd_prep_readv_fixed(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov,
			    unsigned int nr_vecs, uint64_t offset, int rwf, int buf_index)
{
	ringd_prep_readv(ring, sqe, fd, iov, nr_vecs, offset, rwf);
	sqe->opcode = RINGD_OP_READV_FIXED;
	sqe->buf_index = (uint16_t)buf_index;
}

void ringd_prep_writev_fixed(struct ringd_ring *ring, struct ringd_sqe *sqe, int fd, const struct iovec *iov,
			     unsigned int nr_vecs, uint64_t offset, int rwf, int buf_index)
{
	ringd_prep_writev(ring, sqe, fd, iov, nr_vecs, offset, rwf);
	sqe->opcode = RINGD_OP_WRITEV_FIXED;
	sqe->buf_index = (uint16_t)buf_index;
}
