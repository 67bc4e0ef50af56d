/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prep functions as the distribution's header has them; and that its structures are those of ours. */
#include <liburing.h>

#include "client-lib/compat/api/uring.h"

#define SQE	struct io_uring_sqe
#define TABLE	prep_theirs
#include "prep_calls.h"

void prep_rw_theirs(void *sqe)
{
	io_uring_prep_rw(33, sqe, FD, PTR, LEN, OFF);
}

#define SAME_SIZE(theirs, ours)		_Static_assert(sizeof(struct theirs) == sizeof(struct ours), #theirs)
#define SAME_PLACE(theirs, ours, m)	_Static_assert(offsetof(struct theirs, m) == offsetof(struct ours, m) && \
						       sizeof(((struct theirs *)0)->m) == sizeof(((struct ours *)0)->m), #m)
#define RING(m)	SAME_PLACE(io_uring, rd_uring, m)
#define SQ(m)	SAME_PLACE(io_uring_sq, rd_uring_sq, m)
#define CQ(m)	SAME_PLACE(io_uring_cq, rd_uring_cq, m)

SAME_SIZE(io_uring, rd_uring);
RING(sq); RING(cq); RING(flags); RING(ring_fd); RING(features); RING(enter_ring_fd); RING(int_flags);
SAME_SIZE(io_uring_sq, rd_uring_sq);
SQ(khead); SQ(ktail); SQ(kring_mask); SQ(kring_entries); SQ(kflags); SQ(kdropped); SQ(array); SQ(sqes);
SQ(sqe_head); SQ(sqe_tail); SQ(ring_sz); SQ(ring_ptr); SQ(ring_mask); SQ(ring_entries);
SAME_SIZE(io_uring_cq, rd_uring_cq);
CQ(khead); CQ(ktail); CQ(kring_mask); CQ(kring_entries); CQ(kflags); CQ(koverflow); CQ(cqes);
CQ(ring_sz); CQ(ring_ptr); CQ(ring_mask); CQ(ring_entries);

/* What programs hand over; members that later kernels named were padding of the same place before. */
SAME_SIZE(io_uring_sqe, ringd_sqe);
SAME_SIZE(io_uring_cqe, ringd_cqe);
SAME_SIZE(io_uring_params, ringd_params);
SAME_SIZE(io_uring_getevents_arg, ringd_getevents_arg);
SAME_SIZE(__kernel_timespec, ringd_timespec);
SAME_SIZE(io_uring_files_update, ringd_files_update);
SAME_SIZE(io_uring_rsrc_register, ringd_rsrc_register);
SAME_SIZE(io_uring_rsrc_update, ringd_rsrc_update);
SAME_SIZE(io_uring_rsrc_update2, ringd_rsrc_update2);
SAME_SIZE(io_uring_probe, ringd_probe);
SAME_SIZE(io_uring_probe_op, ringd_probe_op);
SAME_SIZE(io_uring_restriction, ringd_restriction);
SAME_SIZE(io_uring_buf, ringd_buf);
SAME_SIZE(io_uring_buf_ring, ringd_buf_ring);
SAME_SIZE(io_uring_buf_reg, ringd_buf_reg);
SAME_SIZE(io_uring_sync_cancel_reg, ringd_sync_cancel_reg);
SAME_SIZE(io_uring_file_index_range, ringd_file_index_range);
SAME_SIZE(io_uring_recvmsg_out, ringd_recvmsg_out);
