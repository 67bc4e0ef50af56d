/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* liburing-ffi: data of files and pipes. */
#include "client-lib/compat/api/ffi_private.h"

void io_uring_prep_rw(int op, struct ringd_sqe *sqe, int fd, const void *addr, unsigned int len, uint64_t offset)
{
	rd_prep(sqe, (uint8_t)op, fd, addr, len, offset);
}

void io_uring_prep_readv(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset)
{
	rd_prep(sqe, RINGD_OP_READV, fd, iovecs, nr_vecs, offset);
}

void io_uring_prep_readv2(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset,
			  int flags)
{
	rd_prep(sqe, RINGD_OP_READV, fd, iovecs, nr_vecs, offset);
	sqe->rw_flags = (uint32_t)flags;
}

void io_uring_prep_readv_fixed(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs,
			       uint64_t offset, int flags, int buf_index)
{
	rd_prep(sqe, RINGD_OP_READV_FIXED, fd, iovecs, nr_vecs, offset);
	sqe->rw_flags = (uint32_t)flags;
	sqe->buf_index = (uint16_t)buf_index;
}

void io_uring_prep_read(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset)
{
	rd_prep(sqe, RINGD_OP_READ, fd, buf, nbytes, offset);
}

void io_uring_prep_read_fixed(struct ringd_sqe *sqe, int fd, void *buf, unsigned int nbytes, uint64_t offset, int buf_index)
{
	rd_prep(sqe, RINGD_OP_READ_FIXED, fd, buf, nbytes, offset);
	sqe->buf_index = (uint16_t)buf_index;
}

void io_uring_prep_read_multishot(struct ringd_sqe *sqe, int fd, unsigned int nbytes, uint64_t offset, int buf_group)
{
	rd_prep(sqe, RINGD_OP_READ_MULTISHOT, fd, NULL, nbytes, offset);
	sqe->buf_group = (uint16_t)buf_group;
	sqe->flags = RINGD_SQE_BUFFER_SELECT;
}

void io_uring_prep_writev(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset)
{
	rd_prep(sqe, RINGD_OP_WRITEV, fd, iovecs, nr_vecs, offset);
}

void io_uring_prep_writev2(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs, uint64_t offset,
			   int flags)
{
	rd_prep(sqe, RINGD_OP_WRITEV, fd, iovecs, nr_vecs, offset);
	sqe->rw_flags = (uint32_t)flags;
}

void io_uring_prep_writev_fixed(struct ringd_sqe *sqe, int fd, const struct iovec *iovecs, unsigned int nr_vecs,
				uint64_t offset, int flags, int buf_index)
{
	rd_prep(sqe, RINGD_OP_WRITEV_FIXED, fd, iovecs, nr_vecs, offset);
	sqe->rw_flags = (uint32_t)flags;
	sqe->buf_index = (uint16_t)buf_index;
}

void io_uring_prep_write(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset)
{
	rd_prep(sqe, RINGD_OP_WRITE, fd, buf, nbytes, offset);
}

void io_uring_prep_write_fixed(struct ringd_sqe *sqe, int fd, const void *buf, unsigned int nbytes, uint64_t offset,
			       int buf_index)
{
	rd_prep(sqe, RINGD_OP_WRITE_FIXED, fd, buf, nbytes, offset);
	sqe->buf_index = (uint16_t)buf_index;
}

void io_uring_prep_splice(struct ringd_sqe *sqe, int fd_in, int64_t off_in, int fd_out, int64_t off_out, unsigned int nbytes,
			  unsigned int splice_flags)
{
	rd_prep(sqe, RINGD_OP_SPLICE, fd_out, NULL, nbytes, (uint64_t)off_out);
	sqe->splice_off_in = (uint64_t)off_in;
	sqe->splice_fd_in = fd_in;
	sqe->splice_flags = splice_flags;
}

void io_uring_prep_tee(struct ringd_sqe *sqe, int fd_in, int fd_out, unsigned int nbytes, unsigned int splice_flags)
{
	rd_prep(sqe, RINGD_OP_TEE, fd_out, NULL, nbytes, 0);
	sqe->splice_fd_in = fd_in;
	sqe->splice_flags = splice_flags;
}

void io_uring_prep_fsync(struct ringd_sqe *sqe, int fd, unsigned int fsync_flags)
{
	rd_prep(sqe, RINGD_OP_FSYNC, fd, NULL, 0, 0);
	sqe->fsync_flags = fsync_flags;
}

void io_uring_prep_sync_file_range(struct ringd_sqe *sqe, int fd, unsigned int len, uint64_t offset, int flags)
{
	rd_prep(sqe, RINGD_OP_SYNC_FILE_RANGE, fd, NULL, len, offset);
	sqe->sync_range_flags = (uint32_t)flags;
}

/* The length is where others have an address, the mode where others have a length. */
void io_uring_prep_fallocate(struct ringd_sqe *sqe, int fd, int mode, uint64_t offset, uint64_t len)
{
	rd_prep(sqe, RINGD_OP_FALLOCATE, fd, NULL, (uint32_t)mode, offset);
	sqe->addr = len;
}

void io_uring_prep_ftruncate(struct ringd_sqe *sqe, int fd, off64_t len)
{
	rd_prep(sqe, RINGD_OP_FTRUNCATE, fd, NULL, 0, (uint64_t)len);
}

void io_uring_prep_fadvise(struct ringd_sqe *sqe, int fd, uint64_t offset, uint32_t len, int advice)
{
	rd_prep(sqe, RINGD_OP_FADVISE, fd, NULL, len, offset);
	sqe->fadvise_advice = (uint32_t)advice;
}

/* A length of 64 bits does not fit in len; with that 0, the server looks at addr. */
void io_uring_prep_fadvise64(struct ringd_sqe *sqe, int fd, uint64_t offset, off_t len, int advice)
{
	io_uring_prep_fadvise(sqe, fd, offset, 0, advice);
	sqe->addr = (uint64_t)len;
}

void io_uring_prep_madvise(struct ringd_sqe *sqe, void *addr, uint32_t length, int advice)
{
	rd_prep(sqe, RINGD_OP_MADVISE, -1, addr, length, 0);
	sqe->fadvise_advice = (uint32_t)advice;
}

void io_uring_prep_madvise64(struct ringd_sqe *sqe, void *addr, off_t length, int advice)
{
	io_uring_prep_madvise(sqe, addr, 0, advice);
	sqe->off = (uint64_t)length;
}

/* The number of buffers is in fd, the first id in off. */
void io_uring_prep_provide_buffers(struct ringd_sqe *sqe, void *addr, int len, int nr, int bgid, int bid)
{
	rd_prep(sqe, RINGD_OP_PROVIDE_BUFFERS, nr, addr, (uint32_t)len, (uint64_t)bid);
	sqe->buf_group = (uint16_t)bgid;
}

void io_uring_prep_remove_buffers(struct ringd_sqe *sqe, int nr, int bgid)
{
	rd_prep(sqe, RINGD_OP_REMOVE_BUFFERS, nr, NULL, 0, 0);
	sqe->buf_group = (uint16_t)bgid;
}
