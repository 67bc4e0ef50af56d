/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fill SQEs: pipes, descriptors out of slots, messages to rings. */
#include <errno.h>

#include "prep.h"

bool rdl_prep_channel(struct ringd_ring *ring, struct ringd_sqe *sqe)
{
	int r = rdl_channel_open(ring->rd);

	if (r < 0)
		prep_error(sqe, r);
	return r >= 0;
}

static void prep_pipe(struct ringd_ring *ring, struct ringd_sqe *sqe, int *fds, int flags)
{
	/* the engine cannot know, and what it has made by then would be lost */
	if (!rdl_pair_writable(fds)) {
		prep_error(sqe, -EFAULT);
		return;
	}
	if (!rdl_prep_channel(ring, sqe))
		return;
	prep(sqe, RINGD_OP_PIPE, 0, address(fds), 0, 0);
	sqe->pipe_flags = (uint32_t)flags;
}

void ringd_prep_pipe(struct ringd_ring *ring, struct ringd_sqe *sqe, int *fds, int flags)
{
	prep_pipe(ring, sqe, fds, flags);
}

void ringd_prep_pipe_direct(struct ringd_ring *ring, struct ringd_sqe *sqe, int *slots, int flags, unsigned int slot)
{
	prep_pipe(ring, sqe, slots, flags);
	if (sqe->opcode == RINGD_OP_PIPE)
		sqe->file_index = file_index(slot);
}

void ringd_prep_fixed_fd_install(struct ringd_ring *ring, struct ringd_sqe *sqe, int slot, unsigned int flags)
{
	if (!rdl_prep_channel(ring, sqe))
		return;
	prep(sqe, RINGD_OP_FIXED_FD_INSTALL, slot, 0, 0, 0);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	sqe->install_fd_flags = flags;
}

void ringd_prep_msg_ring_cqe_flags(struct ringd_sqe *sqe, int ring, unsigned int len, uint64_t data, unsigned int flags,
				   unsigned int cqe_flags)
{
	prep(sqe, RINGD_OP_MSG_RING, ring, RINGD_MSG_DATA, len, data);
	sqe->msg_ring_flags = RINGD_MSG_RING_FLAGS_PASS | flags;
	sqe->file_index = cqe_flags;
}

void ringd_prep_msg_ring(struct ringd_sqe *sqe, int ring, unsigned int len, uint64_t data, unsigned int flags)
{
	prep(sqe, RINGD_OP_MSG_RING, ring, RINGD_MSG_DATA, len, data);
	sqe->msg_ring_flags = flags;
}

void ringd_prep_msg_ring_fd(struct ringd_sqe *sqe, int ring, int source_slot, unsigned int target_slot, uint64_t data,
			    unsigned int flags)
{
	prep(sqe, RINGD_OP_MSG_RING, ring, RINGD_MSG_SEND_FD, 0, data);
	sqe->addr3 = (uint32_t)source_slot;
	sqe->file_index = file_index(target_slot);
	sqe->msg_ring_flags = flags;
}

int ringd_register_sync_msg(struct ringd *rd, const struct ringd_sqe *sqe)
{
	return rdl_call_get(rd, NULL, RINGD_REGISTER_SEND_MSG_RING, 1, sqe, sizeof(*sqe), NULL, 0, NULL);
}
