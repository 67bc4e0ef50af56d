/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQEs that get further than random bytes do. */
#include <string.h>

#include "daemon/common/util.h"
#include "shapes.h"

/* What the general shape leaves out or puts elsewhere; takes nothing from the input. */
static void fit(struct ringd_sqe *sqe, bool index)
{
	switch (sqe->opcode) {
	case RINGD_OP_SETXATTR:
	case RINGD_OP_GETXATTR:
		sqe->addr3 = RD_FUZZ_ARENA;		/* the path */
		break;
	case RINGD_OP_SPLICE:
	case RINGD_OP_TEE:
		if (index)
			break;		/* has an input of its own */
		sqe->splice_fd_in = (int32_t)(sqe->len % RD_FUZZ_SLOTS);
		sqe->splice_flags |= RINGD_SPLICE_F_FD_IN_FIXED;
		sqe->splice_off_in = sqe->opcode == RINGD_OP_SPLICE ? UINT64_MAX : 0;
		sqe->off = sqe->splice_off_in;
		break;
	case RINGD_OP_MADVISE:
		sqe->addr &= ~(uint64_t)4095;
		sqe->off %= 65536;
		break;
	case RINGD_OP_FILES_UPDATE:
		sqe->off %= RD_FUZZ_SLOTS + 2;
		break;
	}
}

/* Any opcode, fields that are mostly sensible. */
void rd_fuzz_shape(struct rd_fuzz_input *in, struct ringd_sqe *sqe)
{
	uint8_t shape;

	sqe->opcode = rd_fuzz_u8(in) % RINGD_OP_LAST;
	shape = rd_fuzz_u8(in);
	sqe->flags = shape & 1 ? rd_fuzz_u8(in) : RINGD_SQE_FIXED_FILE;
	sqe->fd = shape & 2 ? (int32_t)rd_fuzz_u32(in) : rd_fuzz_u8(in) % (int32_t)RD_FUZZ_SLOTS;
	sqe->addr = RD_FUZZ_ARENA + rd_fuzz_u16(in);
	if (shape & 4)
		sqe->addr = RD_FUZZ_ARENA + (uint64_t)(int64_t)(int32_t)rd_fuzz_u32(in);
	sqe->len = shape & 8 ? rd_fuzz_u32(in) : rd_fuzz_u8(in);
	sqe->off = shape & 16 ? UINT64_MAX - rd_fuzz_u8(in) : rd_fuzz_u16(in);
	if (shape & 32)
		sqe->off = RD_FUZZ_ARENA + rd_fuzz_u16(in);		/* addr2 */
	sqe->rw_flags = shape & 64 ? rd_fuzz_u32(in) : 0;
	if (shape & 128) {
		sqe->buf_index = rd_fuzz_u8(in);
		sqe->file_index = rd_fuzz_u8(in) - 1u;
		sqe->ioprio = rd_fuzz_u16(in);
	}
	fit(sqe, shape & 128);
}

static void pipe_read(struct rd_fuzz_input *in, struct ringd_sqe *sqe, uint8_t how)
{
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	sqe->fd = how & 1 ? 1 : 3;	/* the ends that are read from */
	sqe->addr = RD_FUZZ_ARENA + 256;
	sqe->len = how >> 4;
	sqe->off = UINT64_MAX;
	sqe->buf_group = how >> 1 & 3;
	sqe->opcode = RINGD_OP_READ;
	if (!(how & 8))
		return;
	sqe->flags |= RINGD_SQE_BUFFER_SELECT;
	if (how & 16) {
		sqe->opcode = RINGD_OP_READ_MULTISHOT;
		sqe->addr = sqe->len = 0;
	}
	(void)in;
}

static void timer(struct ringd_sqe *sqe, uint8_t how)
{
	sqe->opcode = how & 1 ? RINGD_OP_LINK_TIMEOUT : RINGD_OP_TIMEOUT;
	sqe->addr = how & 2 ? (how >> 4) * 1000u : 3600ull * 1000000000u;
	sqe->len = 1;
	sqe->timeout_flags = RINGD_TIMEOUT_IMMEDIATE_ARG | (how & 4 ? RINGD_TIMEOUT_MULTISHOT : 0) |
			     (how & 8 ? RINGD_TIMEOUT_ETIME_SUCCESS : 0);
	sqe->off = sqe->opcode == RINGD_OP_TIMEOUT ? how >> 4 & 3 : 0;
}

static void stopper(struct ringd_sqe *sqe, uint8_t how)
{
	static const uint8_t ops[] = {
		RINGD_OP_ASYNC_CANCEL, RINGD_OP_TIMEOUT_REMOVE, RINGD_OP_POLL_REMOVE, RINGD_OP_ASYNC_CANCEL,
	};

	sqe->opcode = ops[how & 3];
	sqe->addr = how >> 2 & 7;
	switch (sqe->opcode) {
	case RINGD_OP_ASYNC_CANCEL:
		sqe->cancel_flags = how >> 5;
		break;
	case RINGD_OP_TIMEOUT_REMOVE:
		sqe->timeout_flags = how & 32 ? RINGD_TIMEOUT_UPDATE | RINGD_TIMEOUT_IMMEDIATE_ARG | (how >> 2 & 16) : 0;
		sqe->off = how;
		break;
	default:
		sqe->len = how >> 5;
		sqe->off = how & 128 ? how & 7 : 0;
		sqe->poll32_events = how & 64 ? 1 : 0;
	}
}

static void poll_of(struct ringd_sqe *sqe, uint8_t how)
{
	sqe->opcode = RINGD_OP_POLL_ADD;
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	sqe->fd = how % (int32_t)RD_FUZZ_SLOTS;
	sqe->len = how >> 3 & 1;
	sqe->poll32_events = how & 16 ? 1 : 4;
}

static void buffers(struct ringd_sqe *sqe, uint8_t how)
{
	sqe->opcode = how & 1 ? RINGD_OP_PROVIDE_BUFFERS : RINGD_OP_REMOVE_BUFFERS;
	sqe->fd = how >> 4;
	sqe->buf_group = how >> 1 & 3;
	if (sqe->opcode == RINGD_OP_REMOVE_BUFFERS)
		return;
	sqe->addr = RD_FUZZ_ARENA + 16384u;
	sqe->len = 8;
	sqe->off = how;
}

/* A few words, most of which are 0. */
static void futex(struct ringd_sqe *sqe, uint8_t how)
{
	sqe->opcode = how & 1 ? RINGD_OP_FUTEX_WAKE : RINGD_OP_FUTEX_WAIT;
	sqe->fd = 2;
	sqe->addr = RD_FUZZ_ARENA + 32768u + (how >> 1 & 3) * 4u;
	sqe->addr2 = sqe->opcode == RINGD_OP_FUTEX_WAKE ? how >> 3 & 3 : 0;
	sqe->addr3 = how & 32 ? how : 0xffffffffu;
}

/* What waits, what stops it, what must come after it. */
void rd_fuzz_shape_order(struct rd_fuzz_input *in, struct ringd_sqe *sqe)
{
	uint8_t what = rd_fuzz_u8(in), how = rd_fuzz_u8(in);

	sqe->flags = what & (RINGD_SQE_FLAGS_ALL & ~(uint32_t)(RINGD_SQE_BUFFER_SELECT | RINGD_SQE_FIXED_FILE));
	sqe->user_data = how >> 2 & 7;
	switch (rd_fuzz_u8(in) % 7) {
	case 0:
		sqe->opcode = RINGD_OP_NOP;
		sqe->nop_flags = how & 0x1f;
		sqe->len = how & 128 ? (uint32_t)-1 : 0;
		break;
	case 1:
		pipe_read(in, sqe, how);
		break;
	case 2:
		timer(sqe, how);
		break;
	case 3:
		stopper(sqe, how);
		break;
	case 4:
		poll_of(sqe, how);
		break;
	case 5:
		if ((how & 0xc0) == 0xc0)
			futex(sqe, how);
		else
			buffers(sqe, how);
		break;
	case 6:
		sqe->opcode = RINGD_OP_MSG_RING;
		sqe->fd = 1;
		sqe->off = how;
		break;
	}
}
