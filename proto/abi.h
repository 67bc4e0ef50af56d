/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shared-memory and register interface: every number and structure is io_uring's, under ringd's names, so that
 * the same bytes work on both. Structures carry addresses as 64-bit numbers; sizes and offsets are pinned below each
 * of them. Newest members are named by today's meaning; a pad that must be zero is called resv, pad or __pad.
 */
#ifndef RINGD_ABI_H
#define RINGD_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RINGD_ABI_ASSERT(expr)	static_assert(expr, #expr)
#else
#define RINGD_ABI_ASSERT(expr)	_Static_assert(expr, #expr)
#endif
#define RINGD_ABI_SIZE(type, size)	RINGD_ABI_ASSERT(sizeof(struct type) == (size))
#define RINGD_ABI_AT(type, member, off)	RINGD_ABI_ASSERT(offsetof(struct type, member) == (off))

/* --- limits --- */

#define RINGD_MAX_ENTRIES			32768u		/* SQ entries */
#define RINGD_MAX_CQ_ENTRIES			65536u
#define RINGD_MAX_FIXED_FILES			1048576u
#define RINGD_MAX_BUFFERS			16384u		/* registered buffers */
#define RINGD_MAX_BUFFER_SIZE			(1ull << 30)	/* one registered buffer */
#define RINGD_MAX_IOVECS			1024u		/* per request */
#define RINGD_MAX_RING_FDS			16u		/* registered ring descriptors per task */
#define RINGD_MAX_PBUF_ENTRIES			32768u		/* entries of a buffer ring */
#define RINGD_MAX_FUTEX_WAITV			128u
#define RINGD_MAX_PERSONALITY			65535u
#define RINGD_MAX_QUERY_CHAIN			1000u
#define RINGD_MAX_RESTRICTIONS			107u
#define RINGD_MAX_PROBE_OPS			256u

/* --- submission queue entry --- */

struct ringd_sqe {
	uint8_t opcode;			/* RINGD_OP_* */
	uint8_t flags;			/* RINGD_SQE_* */
	uint16_t ioprio;		/* I/O priority; flags of the operation for send, recv and accept */
	int32_t fd;
	union {
		uint64_t off;		/* -1: at the file position */
		uint64_t addr2;
		struct {
			uint32_t cmd_op;
			uint32_t __pad1;
		};
	};
	union {
		uint64_t addr;
		uint64_t splice_off_in;
		struct {
			uint32_t level;
			uint32_t optname;
		};
	};
	uint32_t len;
	union {
		uint32_t rw_flags;	/* RWF_* of <linux/fs.h> */
		uint32_t fsync_flags;
		uint16_t poll_events;
		uint32_t poll32_events;	/* halves swapped on big-endian hosts */
		uint32_t sync_range_flags;
		uint32_t msg_flags;
		uint32_t timeout_flags;
		uint32_t accept_flags;
		uint32_t cancel_flags;
		uint32_t open_flags;
		uint32_t statx_flags;
		uint32_t fadvise_advice;
		uint32_t splice_flags;
		uint32_t rename_flags;
		uint32_t unlink_flags;
		uint32_t hardlink_flags;
		uint32_t xattr_flags;
		uint32_t msg_ring_flags;
		uint32_t uring_cmd_flags;
		uint32_t waitid_flags;
		uint32_t futex_flags;
		uint32_t install_fd_flags;
		uint32_t nop_flags;
		uint32_t pipe_flags;
	};
	uint64_t user_data;		/* repeated in the CQE */
	union {
		uint16_t buf_index;
		uint16_t buf_group;
	};
	uint16_t personality;
	union {
		int32_t splice_fd_in;
		uint32_t file_index;	/* slot + 1, or RINGD_FILE_INDEX_ALLOC */
		uint32_t zcrx_ifq_idx;
		uint32_t optlen;
		struct {
			uint16_t addr_len;
			uint16_t __pad3[1];
		};
		struct {
			uint8_t write_stream;
			uint8_t __pad4[3];
		};
	};
	union {
		struct {
			uint64_t addr3;
			uint64_t __pad2[1];
		};
		struct {
			uint64_t attr_ptr;
			uint64_t attr_type_mask;
		};
		uint64_t optval;
		uint8_t cmd[16];	/* goes on for 64 bytes more in a 128-byte SQE */
	};
};

RINGD_ABI_SIZE(ringd_sqe, 64);
RINGD_ABI_AT(ringd_sqe, opcode, 0);
RINGD_ABI_AT(ringd_sqe, flags, 1);
RINGD_ABI_AT(ringd_sqe, ioprio, 2);
RINGD_ABI_AT(ringd_sqe, fd, 4);
RINGD_ABI_AT(ringd_sqe, off, 8);
RINGD_ABI_AT(ringd_sqe, addr2, 8);
RINGD_ABI_AT(ringd_sqe, cmd_op, 8);
RINGD_ABI_AT(ringd_sqe, __pad1, 12);
RINGD_ABI_AT(ringd_sqe, addr, 16);
RINGD_ABI_AT(ringd_sqe, splice_off_in, 16);
RINGD_ABI_AT(ringd_sqe, level, 16);
RINGD_ABI_AT(ringd_sqe, optname, 20);
RINGD_ABI_AT(ringd_sqe, len, 24);
RINGD_ABI_AT(ringd_sqe, rw_flags, 28);
RINGD_ABI_AT(ringd_sqe, poll_events, 28);
RINGD_ABI_AT(ringd_sqe, user_data, 32);
RINGD_ABI_AT(ringd_sqe, buf_index, 40);
RINGD_ABI_AT(ringd_sqe, buf_group, 40);
RINGD_ABI_AT(ringd_sqe, personality, 42);
RINGD_ABI_AT(ringd_sqe, splice_fd_in, 44);
RINGD_ABI_AT(ringd_sqe, file_index, 44);
RINGD_ABI_AT(ringd_sqe, optlen, 44);
RINGD_ABI_AT(ringd_sqe, addr_len, 44);
RINGD_ABI_AT(ringd_sqe, __pad3, 46);
RINGD_ABI_AT(ringd_sqe, write_stream, 44);
RINGD_ABI_AT(ringd_sqe, addr3, 48);
RINGD_ABI_AT(ringd_sqe, attr_ptr, 48);
RINGD_ABI_AT(ringd_sqe, optval, 48);
RINGD_ABI_AT(ringd_sqe, cmd, 48);
RINGD_ABI_AT(ringd_sqe, __pad2, 56);
RINGD_ABI_AT(ringd_sqe, attr_type_mask, 56);

/* --- ringd_sqe.flags --- */

#define RINGD_SQE_FIXED_FILE_BIT		0
#define RINGD_SQE_IO_DRAIN_BIT			1
#define RINGD_SQE_IO_LINK_BIT			2
#define RINGD_SQE_IO_HARDLINK_BIT		3
#define RINGD_SQE_ASYNC_BIT			4
#define RINGD_SQE_BUFFER_SELECT_BIT		5
#define RINGD_SQE_CQE_SKIP_SUCCESS_BIT		6

#define RINGD_SQE_FIXED_FILE			(1u << 0)	/* fd is a slot of the file table */
#define RINGD_SQE_IO_DRAIN			(1u << 1)	/* after all earlier requests */
#define RINGD_SQE_IO_LINK			(1u << 2)	/* the next one starts if this succeeds */
#define RINGD_SQE_IO_HARDLINK			(1u << 3)	/* the next one starts whatever happens */
#define RINGD_SQE_ASYNC				(1u << 4)	/* straight to a worker */
#define RINGD_SQE_BUFFER_SELECT			(1u << 5)	/* buffer from group buf_group */
#define RINGD_SQE_CQE_SKIP_SUCCESS		(1u << 6)	/* no CQE when it succeeds */
#define RINGD_SQE_FLAGS_ALL			0x7fu

/* --- opcodes --- */

#define RINGD_OP_NOP				0
#define RINGD_OP_READV				1
#define RINGD_OP_WRITEV				2
#define RINGD_OP_FSYNC				3
#define RINGD_OP_READ_FIXED			4
#define RINGD_OP_WRITE_FIXED			5
#define RINGD_OP_POLL_ADD			6
#define RINGD_OP_POLL_REMOVE			7
#define RINGD_OP_SYNC_FILE_RANGE		8
#define RINGD_OP_SENDMSG			9
#define RINGD_OP_RECVMSG			10
#define RINGD_OP_TIMEOUT			11
#define RINGD_OP_TIMEOUT_REMOVE			12
#define RINGD_OP_ACCEPT				13
#define RINGD_OP_ASYNC_CANCEL			14
#define RINGD_OP_LINK_TIMEOUT			15
#define RINGD_OP_CONNECT			16
#define RINGD_OP_FALLOCATE			17
#define RINGD_OP_OPENAT				18
#define RINGD_OP_CLOSE				19
#define RINGD_OP_FILES_UPDATE			20
#define RINGD_OP_STATX				21
#define RINGD_OP_READ				22
#define RINGD_OP_WRITE				23
#define RINGD_OP_FADVISE			24
#define RINGD_OP_MADVISE			25
#define RINGD_OP_SEND				26
#define RINGD_OP_RECV				27
#define RINGD_OP_OPENAT2			28
#define RINGD_OP_EPOLL_CTL			29
#define RINGD_OP_SPLICE				30
#define RINGD_OP_PROVIDE_BUFFERS		31
#define RINGD_OP_REMOVE_BUFFERS			32
#define RINGD_OP_TEE				33
#define RINGD_OP_SHUTDOWN			34
#define RINGD_OP_RENAMEAT			35
#define RINGD_OP_UNLINKAT			36
#define RINGD_OP_MKDIRAT			37
#define RINGD_OP_SYMLINKAT			38
#define RINGD_OP_LINKAT				39
#define RINGD_OP_MSG_RING			40
#define RINGD_OP_FSETXATTR			41
#define RINGD_OP_SETXATTR			42
#define RINGD_OP_FGETXATTR			43
#define RINGD_OP_GETXATTR			44
#define RINGD_OP_SOCKET				45
#define RINGD_OP_URING_CMD			46
#define RINGD_OP_SEND_ZC			47
#define RINGD_OP_SENDMSG_ZC			48
#define RINGD_OP_READ_MULTISHOT			49
#define RINGD_OP_WAITID				50
#define RINGD_OP_FUTEX_WAIT			51
#define RINGD_OP_FUTEX_WAKE			52
#define RINGD_OP_FUTEX_WAITV			53
#define RINGD_OP_FIXED_FD_INSTALL		54
#define RINGD_OP_FTRUNCATE			55
#define RINGD_OP_BIND				56
#define RINGD_OP_LISTEN				57
#define RINGD_OP_RECV_ZC			58
#define RINGD_OP_EPOLL_WAIT			59
#define RINGD_OP_READV_FIXED			60
#define RINGD_OP_WRITEV_FIXED			61
#define RINGD_OP_PIPE				62
#define RINGD_OP_NOP128				63
#define RINGD_OP_URING_CMD128			64
#define RINGD_OP_LAST				65		/* number of opcodes */
#define RINGD_OP_MAX				RINGD_OP_LAST

/* --- flags of single operations --- */

#define RINGD_FSYNC_DATASYNC			(1u << 0)

#define RINGD_TIMEOUT_ABS			(1u << 0)
#define RINGD_TIMEOUT_UPDATE			(1u << 1)
#define RINGD_TIMEOUT_BOOTTIME			(1u << 2)
#define RINGD_TIMEOUT_REALTIME			(1u << 3)
#define RINGD_LINK_TIMEOUT_UPDATE		(1u << 4)
#define RINGD_TIMEOUT_ETIME_SUCCESS		(1u << 5)
#define RINGD_TIMEOUT_MULTISHOT			(1u << 6)
#define RINGD_TIMEOUT_IMMEDIATE_ARG		(1u << 7)	/* addr is nanoseconds */
#define RINGD_TIMEOUT_CLOCK_MASK		(RINGD_TIMEOUT_BOOTTIME | RINGD_TIMEOUT_REALTIME)
#define RINGD_TIMEOUT_UPDATE_MASK		(RINGD_TIMEOUT_UPDATE | RINGD_LINK_TIMEOUT_UPDATE)

/* splice_flags, beside SPLICE_F_* of <fcntl.h> */
#define RINGD_SPLICE_F_FD_IN_FIXED		(1u << 31)

/* sqe->len of POLL_ADD and POLL_REMOVE */
#define RINGD_POLL_ADD_MULTI			(1u << 0)
#define RINGD_POLL_UPDATE_EVENTS		(1u << 1)
#define RINGD_POLL_UPDATE_USER_DATA		(1u << 2)
#define RINGD_POLL_ADD_LEVEL			(1u << 3)

#define RINGD_ASYNC_CANCEL_ALL			(1u << 0)
#define RINGD_ASYNC_CANCEL_FD			(1u << 1)
#define RINGD_ASYNC_CANCEL_ANY			(1u << 2)
#define RINGD_ASYNC_CANCEL_FD_FIXED		(1u << 3)
#define RINGD_ASYNC_CANCEL_USERDATA		(1u << 4)
#define RINGD_ASYNC_CANCEL_OP			(1u << 5)

/* sqe->ioprio of send and receive operations */
#define RINGD_RECVSEND_POLL_FIRST		(1u << 0)
#define RINGD_RECV_MULTISHOT			(1u << 1)
#define RINGD_RECVSEND_FIXED_BUF		(1u << 2)
#define RINGD_SEND_ZC_REPORT_USAGE		(1u << 3)
#define RINGD_RECVSEND_BUNDLE			(1u << 4)
#define RINGD_SEND_VECTORIZED			(1u << 5)
/* res of the notification, with REPORT_USAGE */
#define RINGD_NOTIF_USAGE_ZC_COPIED		(1u << 31)

/* sqe->addr3 of BIND: this and the client's umask, for a socket in the file system. Without it: 077. No io_uring has it. */
#define RINGD_BIND_UMASK			(1ull << 16)
/* sqe->ioprio of ACCEPT */
#define RINGD_ACCEPT_MULTISHOT			(1u << 0)
#define RINGD_ACCEPT_DONTWAIT			(1u << 1)
#define RINGD_ACCEPT_POLL_FIRST			(1u << 2)

/* sqe->addr and msg_ring_flags of MSG_RING */
#define RINGD_MSG_DATA				0u
#define RINGD_MSG_SEND_FD			1u
#define RINGD_MSG_RING_CQE_SKIP			(1u << 0)
#define RINGD_MSG_RING_FLAGS_PASS		(1u << 1)

#define RINGD_FIXED_FD_NO_CLOEXEC		(1u << 0)

#define RINGD_NOP_INJECT_RESULT			(1u << 0)
#define RINGD_NOP_FILE				(1u << 1)
#define RINGD_NOP_FIXED_FILE			(1u << 2)
#define RINGD_NOP_FIXED_BUFFER			(1u << 3)
#define RINGD_NOP_TW				(1u << 4)	/* complete from deferred work */
#define RINGD_NOP_CQE32				(1u << 5)

#define RINGD_URING_CMD_FIXED			(1u << 0)
#define RINGD_URING_CMD_MULTISHOT		(1u << 1)
#define RINGD_URING_CMD_MASK			(RINGD_URING_CMD_FIXED | RINGD_URING_CMD_MULTISHOT)

/* sqe->cmd_op of URING_CMD on sockets */
#define RINGD_SOCKET_OP_SIOCINQ			0u
#define RINGD_SOCKET_OP_SIOCOUTQ		1u
#define RINGD_SOCKET_OP_GETSOCKOPT		2u
#define RINGD_SOCKET_OP_SETSOCKOPT		3u
#define RINGD_SOCKET_OP_TX_TIMESTAMP		4u
#define RINGD_SOCKET_OP_GETSOCKNAME		5u
/* ... on block devices and NVMe character devices */
#define RINGD_BLOCK_OP_DISCARD			0x1200u
#define RINGD_BLOCK_OP_ZONE_RESET_ALL		0x1201u
#define RINGD_NVME_OP_IO			0xC0484E80u
#define RINGD_NVME_OP_IO_VEC			0xC0484E81u
#define RINGD_NVME_OP_ADMIN			0xC0484E82u
#define RINGD_NVME_OP_ADMIN_VEC			0xC0484E83u

#define RINGD_RW_ATTR_FLAG_PI			(1u << 0)	/* attr_type_mask: attr_ptr is ringd_attr_pi */
#define RINGD_FILE_INDEX_ALLOC			0xffffffffu	/* file_index, FILES_UPDATE off: any free slot */

/* --- completion queue entry --- */

struct ringd_cqe {
	uint64_t user_data;
	int32_t res;		/* result, or a negative errno */
	uint32_t flags;		/* RINGD_CQE_F_* */
	/* 16 bytes more in a ring with SETUP_CQE32, and behind an entry with CQE_F_32 */
};

RINGD_ABI_SIZE(ringd_cqe, 16);
RINGD_ABI_AT(ringd_cqe, user_data, 0);
RINGD_ABI_AT(ringd_cqe, res, 8);
RINGD_ABI_AT(ringd_cqe, flags, 12);

/* --- ringd_cqe.flags --- */

#define RINGD_CQE_F_BUFFER			(1u << 0)	/* a buffer id is in the high half */
#define RINGD_CQE_F_MORE			(1u << 1)	/* more CQEs of this request follow */
#define RINGD_CQE_F_SOCK_NONEMPTY		(1u << 2)
#define RINGD_CQE_F_NOTIF			(1u << 3)	/* zero-copy notification */
#define RINGD_CQE_F_BUF_MORE			(1u << 4)	/* the same buffer will come again */
#define RINGD_CQE_F_SKIP			(1u << 5)	/* filler, to be ignored */
#define RINGD_CQE_F_32				(1u << 15)	/* 32 bytes long, mixed rings */
#define RINGD_CQE_F_TSTAMP_HW			(1u << 16)
#define RINGD_CQE_BUFFER_SHIFT			16
#define RINGD_TIMESTAMP_HW_SHIFT		16
#define RINGD_TIMESTAMP_TYPE_SHIFT		17

/* --- setup --- */

struct ringd_sqring_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t flags;
	uint32_t dropped;
	uint32_t array;
	uint32_t resv1;
	uint64_t user_addr;
};

RINGD_ABI_SIZE(ringd_sqring_offsets, 40);
RINGD_ABI_AT(ringd_sqring_offsets, head, 0);
RINGD_ABI_AT(ringd_sqring_offsets, tail, 4);
RINGD_ABI_AT(ringd_sqring_offsets, ring_mask, 8);
RINGD_ABI_AT(ringd_sqring_offsets, ring_entries, 12);
RINGD_ABI_AT(ringd_sqring_offsets, flags, 16);
RINGD_ABI_AT(ringd_sqring_offsets, dropped, 20);
RINGD_ABI_AT(ringd_sqring_offsets, array, 24);
RINGD_ABI_AT(ringd_sqring_offsets, resv1, 28);
RINGD_ABI_AT(ringd_sqring_offsets, user_addr, 32);

struct ringd_cqring_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t overflow;
	uint32_t cqes;
	uint32_t flags;
	uint32_t resv1;
	uint64_t user_addr;
};

RINGD_ABI_SIZE(ringd_cqring_offsets, 40);
RINGD_ABI_AT(ringd_cqring_offsets, head, 0);
RINGD_ABI_AT(ringd_cqring_offsets, tail, 4);
RINGD_ABI_AT(ringd_cqring_offsets, ring_mask, 8);
RINGD_ABI_AT(ringd_cqring_offsets, ring_entries, 12);
RINGD_ABI_AT(ringd_cqring_offsets, overflow, 16);
RINGD_ABI_AT(ringd_cqring_offsets, cqes, 20);
RINGD_ABI_AT(ringd_cqring_offsets, flags, 24);
RINGD_ABI_AT(ringd_cqring_offsets, resv1, 28);
RINGD_ABI_AT(ringd_cqring_offsets, user_addr, 32);

struct ringd_params {
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t flags;			/* RINGD_SETUP_* */
	uint32_t sq_thread_cpu;
	uint32_t sq_thread_idle;	/* milliseconds */
	uint32_t features;		/* out: RINGD_FEAT_* */
	uint32_t wq_fd;
	uint32_t resv[3];
	struct ringd_sqring_offsets sq_off;
	struct ringd_cqring_offsets cq_off;
};

RINGD_ABI_SIZE(ringd_params, 120);
RINGD_ABI_AT(ringd_params, sq_entries, 0);
RINGD_ABI_AT(ringd_params, cq_entries, 4);
RINGD_ABI_AT(ringd_params, flags, 8);
RINGD_ABI_AT(ringd_params, sq_thread_cpu, 12);
RINGD_ABI_AT(ringd_params, sq_thread_idle, 16);
RINGD_ABI_AT(ringd_params, features, 20);
RINGD_ABI_AT(ringd_params, wq_fd, 24);
RINGD_ABI_AT(ringd_params, resv, 28);
RINGD_ABI_AT(ringd_params, sq_off, 40);
RINGD_ABI_AT(ringd_params, cq_off, 80);

/* --- ringd_params.flags --- */

#define RINGD_SETUP_IOPOLL			(1u << 0)
#define RINGD_SETUP_SQPOLL			(1u << 1)
#define RINGD_SETUP_SQ_AFF			(1u << 2)
#define RINGD_SETUP_CQSIZE			(1u << 3)
#define RINGD_SETUP_CLAMP			(1u << 4)
#define RINGD_SETUP_ATTACH_WQ			(1u << 5)
#define RINGD_SETUP_R_DISABLED			(1u << 6)
#define RINGD_SETUP_SUBMIT_ALL			(1u << 7)
#define RINGD_SETUP_COOP_TASKRUN		(1u << 8)
#define RINGD_SETUP_TASKRUN_FLAG		(1u << 9)
#define RINGD_SETUP_SQE128			(1u << 10)
#define RINGD_SETUP_CQE32			(1u << 11)
#define RINGD_SETUP_SINGLE_ISSUER		(1u << 12)
#define RINGD_SETUP_DEFER_TASKRUN		(1u << 13)
#define RINGD_SETUP_NO_MMAP			(1u << 14)
#define RINGD_SETUP_REGISTERED_FD_ONLY		(1u << 15)
#define RINGD_SETUP_NO_SQARRAY			(1u << 16)
#define RINGD_SETUP_HYBRID_IOPOLL		(1u << 17)
#define RINGD_SETUP_CQE_MIXED			(1u << 18)
#define RINGD_SETUP_SQE_MIXED			(1u << 19)
#define RINGD_SETUP_SQ_REWIND			(1u << 20)
#define RINGD_SETUP_ALL				0x1fffffu

/* --- ringd_params.features --- */

#define RINGD_FEAT_SINGLE_MMAP			(1u << 0)
#define RINGD_FEAT_NODROP			(1u << 1)
#define RINGD_FEAT_SUBMIT_STABLE		(1u << 2)
#define RINGD_FEAT_RW_CUR_POS			(1u << 3)
#define RINGD_FEAT_CUR_PERSONALITY		(1u << 4)
#define RINGD_FEAT_FAST_POLL			(1u << 5)
#define RINGD_FEAT_POLL_32BITS			(1u << 6)
#define RINGD_FEAT_SQPOLL_NONFIXED		(1u << 7)
#define RINGD_FEAT_EXT_ARG			(1u << 8)
#define RINGD_FEAT_NATIVE_WORKERS		(1u << 9)
#define RINGD_FEAT_RSRC_TAGS			(1u << 10)
#define RINGD_FEAT_CQE_SKIP			(1u << 11)
#define RINGD_FEAT_LINKED_FILE			(1u << 12)
#define RINGD_FEAT_REG_REG_RING			(1u << 13)
#define RINGD_FEAT_RECVSEND_BUNDLE		(1u << 14)
#define RINGD_FEAT_MIN_TIMEOUT			(1u << 15)
#define RINGD_FEAT_RW_ATTR			(1u << 16)
#define RINGD_FEAT_NO_IOWAIT			(1u << 17)
#define RINGD_FEAT_ALL				0x3ffffu

/* --- offsets for mmap(2) of a ring --- */

#define RINGD_OFF_SQ_RING			0ull
#define RINGD_OFF_CQ_RING			0x8000000ull
#define RINGD_OFF_SQES				0x10000000ull
#define RINGD_OFF_PARAM_REGION			0x20000000ull	/* memory region made by the service */
#define RINGD_OFF_ZCRX_REGION			0x30000000ull
#define RINGD_OFF_ZCRX_SHIFT			16
#define RINGD_OFF_PBUF_RING			0x80000000ull
#define RINGD_OFF_PBUF_SHIFT			16		/* group id in bits 16..31 */
#define RINGD_OFF_MMAP_MASK			0xf8000000ull	/* selects the kind of region */

/* --- words of the rings --- */

/* SQ ring flags, written by the service */
#define RINGD_SQ_NEED_WAKEUP			(1u << 0)
#define RINGD_SQ_CQ_OVERFLOW			(1u << 1)	/* completions are held back */
#define RINGD_SQ_TASKRUN			(1u << 2)
/* CQ ring flags, written by the client */
#define RINGD_CQ_EVENTFD_DISABLED		(1u << 0)

/* --- enter --- */

#define RINGD_ENTER_GETEVENTS			(1u << 0)
#define RINGD_ENTER_SQ_WAKEUP			(1u << 1)
#define RINGD_ENTER_SQ_WAIT			(1u << 2)
#define RINGD_ENTER_EXT_ARG			(1u << 3)
#define RINGD_ENTER_REGISTERED_RING		(1u << 4)
#define RINGD_ENTER_ABS_TIMER			(1u << 5)
#define RINGD_ENTER_EXT_ARG_REG			(1u << 6)
#define RINGD_ENTER_NO_IOWAIT			(1u << 7)
#define RINGD_ENTER_ALL				0xffu

struct ringd_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

RINGD_ABI_SIZE(ringd_timespec, 16);
RINGD_ABI_AT(ringd_timespec, tv_sec, 0);
RINGD_ABI_AT(ringd_timespec, tv_nsec, 8);

struct ringd_getevents_arg {
	uint64_t sigmask;
	uint32_t sigmask_sz;
	uint32_t min_wait_usec;
	uint64_t ts;		/* address of a ringd_timespec */
};

RINGD_ABI_SIZE(ringd_getevents_arg, 24);
RINGD_ABI_AT(ringd_getevents_arg, sigmask, 0);
RINGD_ABI_AT(ringd_getevents_arg, sigmask_sz, 8);
RINGD_ABI_AT(ringd_getevents_arg, min_wait_usec, 12);
RINGD_ABI_AT(ringd_getevents_arg, ts, 16);

#define RINGD_REG_WAIT_TS	(1u << 0)	/* ringd_reg_wait.flags: ts is valid */

struct ringd_reg_wait {
	struct ringd_timespec ts;
	uint32_t min_wait_usec;
	uint32_t flags;
	uint64_t sigmask;
	uint32_t sigmask_sz;
	uint32_t pad[3];
	uint64_t pad2[2];
};

RINGD_ABI_SIZE(ringd_reg_wait, 64);
RINGD_ABI_AT(ringd_reg_wait, ts, 0);
RINGD_ABI_AT(ringd_reg_wait, min_wait_usec, 16);
RINGD_ABI_AT(ringd_reg_wait, flags, 20);
RINGD_ABI_AT(ringd_reg_wait, sigmask, 24);
RINGD_ABI_AT(ringd_reg_wait, sigmask_sz, 32);
RINGD_ABI_AT(ringd_reg_wait, pad, 36);
RINGD_ABI_AT(ringd_reg_wait, pad2, 48);

/* --- register opcodes --- */

#define RINGD_REGISTER_BUFFERS			0
#define RINGD_UNREGISTER_BUFFERS		1
#define RINGD_REGISTER_FILES			2
#define RINGD_UNREGISTER_FILES			3
#define RINGD_REGISTER_EVENTFD			4
#define RINGD_UNREGISTER_EVENTFD		5
#define RINGD_REGISTER_FILES_UPDATE		6
#define RINGD_REGISTER_EVENTFD_ASYNC		7
#define RINGD_REGISTER_PROBE			8
#define RINGD_REGISTER_PERSONALITY		9
#define RINGD_UNREGISTER_PERSONALITY		10
#define RINGD_REGISTER_RESTRICTIONS		11
#define RINGD_REGISTER_ENABLE_RINGS		12
#define RINGD_REGISTER_FILES2			13
#define RINGD_REGISTER_FILES_UPDATE2		14
#define RINGD_REGISTER_BUFFERS2			15
#define RINGD_REGISTER_BUFFERS_UPDATE		16
#define RINGD_REGISTER_IOWQ_AFF			17
#define RINGD_UNREGISTER_IOWQ_AFF		18
#define RINGD_REGISTER_IOWQ_MAX_WORKERS		19
#define RINGD_REGISTER_RING_FDS			20
#define RINGD_UNREGISTER_RING_FDS		21
#define RINGD_REGISTER_PBUF_RING		22
#define RINGD_UNREGISTER_PBUF_RING		23
#define RINGD_REGISTER_SYNC_CANCEL		24
#define RINGD_REGISTER_FILE_ALLOC_RANGE		25
#define RINGD_REGISTER_PBUF_STATUS		26
#define RINGD_REGISTER_NAPI			27
#define RINGD_UNREGISTER_NAPI			28
#define RINGD_REGISTER_CLOCK			29
#define RINGD_REGISTER_CLONE_BUFFERS		30
#define RINGD_REGISTER_SEND_MSG_RING		31
#define RINGD_REGISTER_ZCRX_IFQ			32
#define RINGD_REGISTER_RESIZE_RINGS		33
#define RINGD_REGISTER_MEM_REGION		34
#define RINGD_REGISTER_QUERY			35
#define RINGD_REGISTER_ZCRX_CTRL		36
#define RINGD_REGISTER_BPF_FILTER		37
#define RINGD_REGISTER_LAST			38		/* number of register opcodes */
#define RINGD_REGISTER_USE_REGISTERED_RING	(1u << 31)	/* fd is a registered ring index */

/* --- registered files and buffers --- */

#define RINGD_REGISTER_FILES_SKIP	(-2)		/* in an update: leave this slot alone */
#define RINGD_RSRC_REGISTER_SPARSE	(1u << 0)	/* ringd_rsrc_register.flags */

struct ringd_files_update {
	uint32_t offset;
	uint32_t resv;
	uint64_t fds;		/* address of int32_t[] */
};

RINGD_ABI_SIZE(ringd_files_update, 16);
RINGD_ABI_AT(ringd_files_update, offset, 0);
RINGD_ABI_AT(ringd_files_update, resv, 4);
RINGD_ABI_AT(ringd_files_update, fds, 8);

struct ringd_rsrc_update {
	uint32_t offset;
	uint32_t resv;
	uint64_t data;
};

RINGD_ABI_SIZE(ringd_rsrc_update, 16);
RINGD_ABI_AT(ringd_rsrc_update, offset, 0);
RINGD_ABI_AT(ringd_rsrc_update, resv, 4);
RINGD_ABI_AT(ringd_rsrc_update, data, 8);

struct ringd_rsrc_update2 {
	uint32_t offset;
	uint32_t resv;
	uint64_t data;
	uint64_t tags;
	uint32_t nr;
	uint32_t resv2;
};

RINGD_ABI_SIZE(ringd_rsrc_update2, 32);
RINGD_ABI_AT(ringd_rsrc_update2, offset, 0);
RINGD_ABI_AT(ringd_rsrc_update2, resv, 4);
RINGD_ABI_AT(ringd_rsrc_update2, data, 8);
RINGD_ABI_AT(ringd_rsrc_update2, tags, 16);
RINGD_ABI_AT(ringd_rsrc_update2, nr, 24);
RINGD_ABI_AT(ringd_rsrc_update2, resv2, 28);

struct ringd_rsrc_register {
	uint32_t nr;
	uint32_t flags;
	uint64_t resv2;
	uint64_t data;
	uint64_t tags;
};

RINGD_ABI_SIZE(ringd_rsrc_register, 32);
RINGD_ABI_AT(ringd_rsrc_register, nr, 0);
RINGD_ABI_AT(ringd_rsrc_register, flags, 4);
RINGD_ABI_AT(ringd_rsrc_register, resv2, 8);
RINGD_ABI_AT(ringd_rsrc_register, data, 16);
RINGD_ABI_AT(ringd_rsrc_register, tags, 24);

struct ringd_file_index_range {
	uint32_t off;
	uint32_t len;
	uint64_t resv;
};

RINGD_ABI_SIZE(ringd_file_index_range, 16);
RINGD_ABI_AT(ringd_file_index_range, off, 0);
RINGD_ABI_AT(ringd_file_index_range, len, 4);
RINGD_ABI_AT(ringd_file_index_range, resv, 8);

#define RINGD_REGISTER_SRC_REGISTERED	(1u << 0)	/* ringd_clone_buffers.flags */
#define RINGD_REGISTER_DST_REPLACE	(1u << 1)

struct ringd_clone_buffers {
	uint32_t src_fd;
	uint32_t flags;
	uint32_t src_off;
	uint32_t dst_off;
	uint32_t nr;
	uint32_t pad[3];
};

RINGD_ABI_SIZE(ringd_clone_buffers, 32);
RINGD_ABI_AT(ringd_clone_buffers, src_fd, 0);
RINGD_ABI_AT(ringd_clone_buffers, flags, 4);
RINGD_ABI_AT(ringd_clone_buffers, src_off, 8);
RINGD_ABI_AT(ringd_clone_buffers, dst_off, 12);
RINGD_ABI_AT(ringd_clone_buffers, nr, 16);
RINGD_ABI_AT(ringd_clone_buffers, pad, 20);

/* --- provided buffers --- */

struct ringd_buf {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
	uint16_t resv;
};

RINGD_ABI_SIZE(ringd_buf, 16);
RINGD_ABI_AT(ringd_buf, addr, 0);
RINGD_ABI_AT(ringd_buf, len, 8);
RINGD_ABI_AT(ringd_buf, bid, 12);
RINGD_ABI_AT(ringd_buf, resv, 14);

/* A buffer ring is ringd_buf[entries]; the tail, written by the client, overlays resv of entry 0. */
struct ringd_buf_ring {
	uint64_t resv1;
	uint32_t resv2;
	uint16_t resv3;
	uint16_t tail;
};

RINGD_ABI_SIZE(ringd_buf_ring, 16);
RINGD_ABI_AT(ringd_buf_ring, resv1, 0);
RINGD_ABI_AT(ringd_buf_ring, resv2, 8);
RINGD_ABI_AT(ringd_buf_ring, resv3, 12);
RINGD_ABI_AT(ringd_buf_ring, tail, 14);

#define RINGD_PBUF_RING_MMAP	(1u << 0)	/* ringd_buf_reg.flags: memory comes from the service */
#define RINGD_PBUF_RING_INC	(1u << 1)	/* buffers are used up piece by piece */

struct ringd_buf_reg {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid;
	uint16_t flags;
	uint32_t min_left;
	uint32_t resv[5];
};

RINGD_ABI_SIZE(ringd_buf_reg, 40);
RINGD_ABI_AT(ringd_buf_reg, ring_addr, 0);
RINGD_ABI_AT(ringd_buf_reg, ring_entries, 8);
RINGD_ABI_AT(ringd_buf_reg, bgid, 12);
RINGD_ABI_AT(ringd_buf_reg, flags, 14);
RINGD_ABI_AT(ringd_buf_reg, min_left, 16);
RINGD_ABI_AT(ringd_buf_reg, resv, 20);

struct ringd_buf_status {
	uint32_t buf_group;
	uint32_t head;		/* out */
	uint32_t resv[8];
};

RINGD_ABI_SIZE(ringd_buf_status, 40);
RINGD_ABI_AT(ringd_buf_status, buf_group, 0);
RINGD_ABI_AT(ringd_buf_status, head, 4);
RINGD_ABI_AT(ringd_buf_status, resv, 8);

/* --- other register arguments --- */

#define RINGD_OP_SUPPORTED	(1u << 0)	/* ringd_probe_op.flags */

struct ringd_probe_op {
	uint8_t op;
	uint8_t resv;
	uint16_t flags;
	uint32_t resv2;
};

RINGD_ABI_SIZE(ringd_probe_op, 8);
RINGD_ABI_AT(ringd_probe_op, op, 0);
RINGD_ABI_AT(ringd_probe_op, resv, 1);
RINGD_ABI_AT(ringd_probe_op, flags, 2);
RINGD_ABI_AT(ringd_probe_op, resv2, 4);

struct ringd_probe {
	uint8_t last_op;
	uint8_t ops_len;
	uint16_t resv;
	uint32_t resv2[3];
	struct ringd_probe_op ops[];
};

RINGD_ABI_SIZE(ringd_probe, 16);
RINGD_ABI_AT(ringd_probe, last_op, 0);
RINGD_ABI_AT(ringd_probe, ops_len, 1);
RINGD_ABI_AT(ringd_probe, resv, 2);
RINGD_ABI_AT(ringd_probe, resv2, 4);
RINGD_ABI_AT(ringd_probe, ops, 16);

#define RINGD_RESTRICTION_REGISTER_OP		0	/* ringd_restriction.opcode */
#define RINGD_RESTRICTION_SQE_OP		1
#define RINGD_RESTRICTION_SQE_FLAGS_ALLOWED	2
#define RINGD_RESTRICTION_SQE_FLAGS_REQUIRED	3
#define RINGD_RESTRICTION_LAST			4

struct ringd_restriction {
	uint16_t opcode;
	union {
		uint8_t register_op;
		uint8_t sqe_op;
		uint8_t sqe_flags;
	};
	uint8_t resv;
	uint32_t resv2[3];
};

RINGD_ABI_SIZE(ringd_restriction, 16);
RINGD_ABI_AT(ringd_restriction, opcode, 0);
RINGD_ABI_AT(ringd_restriction, register_op, 2);
RINGD_ABI_AT(ringd_restriction, sqe_op, 2);
RINGD_ABI_AT(ringd_restriction, sqe_flags, 2);
RINGD_ABI_AT(ringd_restriction, resv, 3);
RINGD_ABI_AT(ringd_restriction, resv2, 4);

struct ringd_task_restriction {
	uint16_t flags;
	uint16_t nr_res;
	uint32_t resv[3];
	struct ringd_restriction restrictions[];
};

RINGD_ABI_SIZE(ringd_task_restriction, 16);
RINGD_ABI_AT(ringd_task_restriction, flags, 0);
RINGD_ABI_AT(ringd_task_restriction, nr_res, 2);
RINGD_ABI_AT(ringd_task_restriction, resv, 4);
RINGD_ABI_AT(ringd_task_restriction, restrictions, 16);

struct ringd_clock_register {
	uint32_t clockid;
	uint32_t resv[3];
};

RINGD_ABI_SIZE(ringd_clock_register, 16);
RINGD_ABI_AT(ringd_clock_register, clockid, 0);
RINGD_ABI_AT(ringd_clock_register, resv, 4);

#define RINGD_WQ_BOUND		0	/* index in the array of REGISTER_IOWQ_MAX_WORKERS */
#define RINGD_WQ_UNBOUND	1

struct ringd_sync_cancel_reg {
	uint64_t addr;
	int32_t fd;
	uint32_t flags;		/* RINGD_ASYNC_CANCEL_* */
	struct ringd_timespec timeout;
	uint8_t opcode;
	uint8_t pad[7];
	uint64_t pad2[3];
};

RINGD_ABI_SIZE(ringd_sync_cancel_reg, 64);
RINGD_ABI_AT(ringd_sync_cancel_reg, addr, 0);
RINGD_ABI_AT(ringd_sync_cancel_reg, fd, 8);
RINGD_ABI_AT(ringd_sync_cancel_reg, flags, 12);
RINGD_ABI_AT(ringd_sync_cancel_reg, timeout, 16);
RINGD_ABI_AT(ringd_sync_cancel_reg, opcode, 32);
RINGD_ABI_AT(ringd_sync_cancel_reg, pad, 33);
RINGD_ABI_AT(ringd_sync_cancel_reg, pad2, 40);

#define RINGD_NAPI_REGISTER_OP		0	/* ringd_napi.opcode */
#define RINGD_NAPI_STATIC_ADD_ID	1
#define RINGD_NAPI_STATIC_DEL_ID	2
#define RINGD_NAPI_TRACKING_DYNAMIC	0	/* ringd_napi.op_param of REGISTER_OP */
#define RINGD_NAPI_TRACKING_STATIC	1
#define RINGD_NAPI_TRACKING_INACTIVE	255

struct ringd_napi {
	uint32_t busy_poll_to;	/* microseconds */
	uint8_t prefer_busy_poll;
	uint8_t opcode;
	uint8_t pad[2];
	uint32_t op_param;
	uint32_t resv;
};

RINGD_ABI_SIZE(ringd_napi, 16);
RINGD_ABI_AT(ringd_napi, busy_poll_to, 0);
RINGD_ABI_AT(ringd_napi, prefer_busy_poll, 4);
RINGD_ABI_AT(ringd_napi, opcode, 5);
RINGD_ABI_AT(ringd_napi, pad, 6);
RINGD_ABI_AT(ringd_napi, op_param, 8);
RINGD_ABI_AT(ringd_napi, resv, 12);

#define RINGD_MEM_REGION_TYPE_USER	(1u << 0)	/* ringd_region_desc.flags: user_addr is used */
#define RINGD_MEM_REGION_REG_WAIT_ARG	(1u << 0)	/* ringd_mem_region_reg.flags: ringd_reg_wait[] */

struct ringd_region_desc {
	uint64_t user_addr;
	uint64_t size;
	uint32_t flags;
	uint32_t id;
	uint64_t mmap_offset;
	uint64_t __resv[4];
};

RINGD_ABI_SIZE(ringd_region_desc, 64);
RINGD_ABI_AT(ringd_region_desc, user_addr, 0);
RINGD_ABI_AT(ringd_region_desc, size, 8);
RINGD_ABI_AT(ringd_region_desc, flags, 16);
RINGD_ABI_AT(ringd_region_desc, id, 20);
RINGD_ABI_AT(ringd_region_desc, mmap_offset, 24);
RINGD_ABI_AT(ringd_region_desc, __resv, 32);

struct ringd_mem_region_reg {
	uint64_t region_uptr;	/* address of a ringd_region_desc */
	uint64_t flags;
	uint64_t __resv[2];
};

RINGD_ABI_SIZE(ringd_mem_region_reg, 32);
RINGD_ABI_AT(ringd_mem_region_reg, region_uptr, 0);
RINGD_ABI_AT(ringd_mem_region_reg, flags, 8);
RINGD_ABI_AT(ringd_mem_region_reg, __resv, 16);

/* --- network --- */

struct ringd_recvmsg_out {
	uint32_t namelen;
	uint32_t controllen;
	uint32_t payloadlen;
	uint32_t flags;
};

RINGD_ABI_SIZE(ringd_recvmsg_out, 16);
RINGD_ABI_AT(ringd_recvmsg_out, namelen, 0);
RINGD_ABI_AT(ringd_recvmsg_out, controllen, 4);
RINGD_ABI_AT(ringd_recvmsg_out, payloadlen, 8);
RINGD_ABI_AT(ringd_recvmsg_out, flags, 12);

/* In big_cqe of a transmit time stamp. */
struct ringd_io_timespec {
	uint64_t tv_sec;
	uint64_t tv_nsec;
};

RINGD_ABI_SIZE(ringd_io_timespec, 16);
RINGD_ABI_AT(ringd_io_timespec, tv_sec, 0);
RINGD_ABI_AT(ringd_io_timespec, tv_nsec, 8);

struct ringd_attr_pi {
	uint16_t flags;
	uint16_t app_tag;
	uint32_t len;
	uint64_t addr;
	uint64_t seed;
	uint64_t rsvd;
};

RINGD_ABI_SIZE(ringd_attr_pi, 32);
RINGD_ABI_AT(ringd_attr_pi, flags, 0);
RINGD_ABI_AT(ringd_attr_pi, app_tag, 2);
RINGD_ABI_AT(ringd_attr_pi, len, 4);
RINGD_ABI_AT(ringd_attr_pi, addr, 8);
RINGD_ABI_AT(ringd_attr_pi, seed, 16);
RINGD_ABI_AT(ringd_attr_pi, rsvd, 24);

#define RINGD_ZCRX_AREA_SHIFT		48	/* ringd_zcrx_cqe.off: area id above, offset below */
#define RINGD_ZCRX_AREA_MASK		(~((1ull << RINGD_ZCRX_AREA_SHIFT) - 1))
#define RINGD_ZCRX_AREA_DMABUF		(1u << 0)	/* ringd_zcrx_area_reg.flags */
#define RINGD_ZCRX_REG_IMPORT		(1u << 0)	/* ringd_zcrx_ifq_reg.flags */
#define RINGD_ZCRX_REG_NODEV		(1u << 1)
#define RINGD_ZCRX_FEATURE_RX_PAGE_SIZE	(1u << 0)	/* ringd_query_zcrx.features */
#define RINGD_ZCRX_CTRL_FLUSH_RQ	0	/* ringd_zcrx_ctrl.op */
#define RINGD_ZCRX_CTRL_EXPORT		1
#define RINGD_ZCRX_CTRL_LAST		2

struct ringd_zcrx_rqe {
	uint64_t off;
	uint32_t len;
	uint32_t __pad;
};

RINGD_ABI_SIZE(ringd_zcrx_rqe, 16);
RINGD_ABI_AT(ringd_zcrx_rqe, off, 0);
RINGD_ABI_AT(ringd_zcrx_rqe, len, 8);
RINGD_ABI_AT(ringd_zcrx_rqe, __pad, 12);

struct ringd_zcrx_cqe {
	uint64_t off;
	uint64_t __pad;
};

RINGD_ABI_SIZE(ringd_zcrx_cqe, 16);
RINGD_ABI_AT(ringd_zcrx_cqe, off, 0);
RINGD_ABI_AT(ringd_zcrx_cqe, __pad, 8);

struct ringd_zcrx_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t rqes;
	uint32_t __resv2;
	uint64_t __resv[2];
};

RINGD_ABI_SIZE(ringd_zcrx_offsets, 32);
RINGD_ABI_AT(ringd_zcrx_offsets, head, 0);
RINGD_ABI_AT(ringd_zcrx_offsets, tail, 4);
RINGD_ABI_AT(ringd_zcrx_offsets, rqes, 8);
RINGD_ABI_AT(ringd_zcrx_offsets, __resv2, 12);
RINGD_ABI_AT(ringd_zcrx_offsets, __resv, 16);

struct ringd_zcrx_area_reg {
	uint64_t addr;
	uint64_t len;
	uint64_t rq_area_token;
	uint32_t flags;
	uint32_t dmabuf_fd;
	uint64_t __resv2[2];
};

RINGD_ABI_SIZE(ringd_zcrx_area_reg, 48);
RINGD_ABI_AT(ringd_zcrx_area_reg, addr, 0);
RINGD_ABI_AT(ringd_zcrx_area_reg, len, 8);
RINGD_ABI_AT(ringd_zcrx_area_reg, rq_area_token, 16);
RINGD_ABI_AT(ringd_zcrx_area_reg, flags, 24);
RINGD_ABI_AT(ringd_zcrx_area_reg, dmabuf_fd, 28);
RINGD_ABI_AT(ringd_zcrx_area_reg, __resv2, 32);

struct ringd_zcrx_ifq_reg {
	uint32_t if_idx;
	uint32_t if_rxq;
	uint32_t rq_entries;
	uint32_t flags;
	uint64_t area_ptr;	/* address of a ringd_zcrx_area_reg */
	uint64_t region_ptr;	/* address of a ringd_region_desc */
	struct ringd_zcrx_offsets offsets;
	uint32_t zcrx_id;
	uint32_t rx_buf_len;
	uint64_t __resv[3];
};

RINGD_ABI_SIZE(ringd_zcrx_ifq_reg, 96);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, if_idx, 0);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, if_rxq, 4);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, rq_entries, 8);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, flags, 12);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, area_ptr, 16);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, region_ptr, 24);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, offsets, 32);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, zcrx_id, 64);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, rx_buf_len, 68);
RINGD_ABI_AT(ringd_zcrx_ifq_reg, __resv, 72);

struct ringd_zcrx_ctrl_flush_rq {
	uint64_t __resv[6];
};

RINGD_ABI_SIZE(ringd_zcrx_ctrl_flush_rq, 48);

struct ringd_zcrx_ctrl_export {
	uint32_t zcrx_fd;
	uint32_t __resv1[11];
};

RINGD_ABI_SIZE(ringd_zcrx_ctrl_export, 48);
RINGD_ABI_AT(ringd_zcrx_ctrl_export, zcrx_fd, 0);
RINGD_ABI_AT(ringd_zcrx_ctrl_export, __resv1, 4);

struct ringd_zcrx_ctrl {
	uint32_t zcrx_id;
	uint32_t op;
	uint64_t __resv[2];
	union {
		struct ringd_zcrx_ctrl_export zc_export;
		struct ringd_zcrx_ctrl_flush_rq zc_flush;
	};
};

RINGD_ABI_SIZE(ringd_zcrx_ctrl, 72);
RINGD_ABI_AT(ringd_zcrx_ctrl, zcrx_id, 0);
RINGD_ABI_AT(ringd_zcrx_ctrl, op, 4);
RINGD_ABI_AT(ringd_zcrx_ctrl, __resv, 8);
RINGD_ABI_AT(ringd_zcrx_ctrl, zc_export, 24);
RINGD_ABI_AT(ringd_zcrx_ctrl, zc_flush, 24);

/* --- query --- */

#define RINGD_QUERY_OPCODES	0	/* ringd_query_hdr.query_op */
#define RINGD_QUERY_ZCRX	1
#define RINGD_QUERY_SCQ		2
#define RINGD_QUERY_MAX		3

struct ringd_query_hdr {
	uint64_t next_entry;
	uint64_t query_data;
	uint32_t query_op;
	uint32_t size;
	int32_t result;
	uint32_t __resv[3];
};

RINGD_ABI_SIZE(ringd_query_hdr, 40);
RINGD_ABI_AT(ringd_query_hdr, next_entry, 0);
RINGD_ABI_AT(ringd_query_hdr, query_data, 8);
RINGD_ABI_AT(ringd_query_hdr, query_op, 16);
RINGD_ABI_AT(ringd_query_hdr, size, 20);
RINGD_ABI_AT(ringd_query_hdr, result, 24);
RINGD_ABI_AT(ringd_query_hdr, __resv, 28);

struct ringd_query_opcode {
	uint32_t nr_request_opcodes;
	uint32_t nr_register_opcodes;
	uint64_t feature_flags;
	uint64_t ring_setup_flags;
	uint64_t enter_flags;
	uint64_t sqe_flags;
	uint32_t nr_query_opcodes;
	uint32_t __pad;
};

RINGD_ABI_SIZE(ringd_query_opcode, 48);
RINGD_ABI_AT(ringd_query_opcode, nr_request_opcodes, 0);
RINGD_ABI_AT(ringd_query_opcode, nr_register_opcodes, 4);
RINGD_ABI_AT(ringd_query_opcode, feature_flags, 8);
RINGD_ABI_AT(ringd_query_opcode, ring_setup_flags, 16);
RINGD_ABI_AT(ringd_query_opcode, enter_flags, 24);
RINGD_ABI_AT(ringd_query_opcode, sqe_flags, 32);
RINGD_ABI_AT(ringd_query_opcode, nr_query_opcodes, 40);
RINGD_ABI_AT(ringd_query_opcode, __pad, 44);

struct ringd_query_zcrx {
	uint64_t register_flags;
	uint64_t area_flags;
	uint32_t nr_ctrl_opcodes;
	uint32_t features;
	uint32_t rq_hdr_size;
	uint32_t rq_hdr_alignment;
	uint64_t __resv2;
};

RINGD_ABI_SIZE(ringd_query_zcrx, 40);
RINGD_ABI_AT(ringd_query_zcrx, register_flags, 0);
RINGD_ABI_AT(ringd_query_zcrx, area_flags, 8);
RINGD_ABI_AT(ringd_query_zcrx, nr_ctrl_opcodes, 16);
RINGD_ABI_AT(ringd_query_zcrx, features, 20);
RINGD_ABI_AT(ringd_query_zcrx, rq_hdr_size, 24);
RINGD_ABI_AT(ringd_query_zcrx, rq_hdr_alignment, 28);
RINGD_ABI_AT(ringd_query_zcrx, __resv2, 32);

struct ringd_query_scq {
	uint64_t hdr_size;
	uint64_t hdr_alignment;
};

RINGD_ABI_SIZE(ringd_query_scq, 16);
RINGD_ABI_AT(ringd_query_scq, hdr_size, 0);
RINGD_ABI_AT(ringd_query_scq, hdr_alignment, 8);

/* --- request filters --- */

#define RINGD_BPF_CMD_FILTER		1	/* ringd_bpf.cmd_type */
#define RINGD_BPF_FILTER_DENY_REST	(1u << 0)	/* ringd_bpf_filter.flags */
#define RINGD_BPF_FILTER_SZ_STRICT	(1u << 1)

struct ringd_bpf_filter {
	uint32_t opcode;
	uint32_t flags;
	uint32_t filter_len;	/* instructions */
	uint8_t pdu_size;
	uint8_t resv[3];
	uint64_t filter_ptr;
	uint64_t resv2[5];
};

RINGD_ABI_SIZE(ringd_bpf_filter, 64);
RINGD_ABI_AT(ringd_bpf_filter, opcode, 0);
RINGD_ABI_AT(ringd_bpf_filter, flags, 4);
RINGD_ABI_AT(ringd_bpf_filter, filter_len, 8);
RINGD_ABI_AT(ringd_bpf_filter, pdu_size, 12);
RINGD_ABI_AT(ringd_bpf_filter, resv, 13);
RINGD_ABI_AT(ringd_bpf_filter, filter_ptr, 16);
RINGD_ABI_AT(ringd_bpf_filter, resv2, 24);

struct ringd_bpf {
	uint16_t cmd_type;
	uint16_t cmd_flags;
	uint32_t resv;
	union {
		struct ringd_bpf_filter filter;
	};
};

RINGD_ABI_SIZE(ringd_bpf, 72);
RINGD_ABI_AT(ringd_bpf, cmd_type, 0);
RINGD_ABI_AT(ringd_bpf, cmd_flags, 2);
RINGD_ABI_AT(ringd_bpf, resv, 4);
RINGD_ABI_AT(ringd_bpf, filter, 8);

struct ringd_bpf_ctx {
	uint64_t user_data;
	uint8_t opcode;
	uint8_t sqe_flags;
	uint8_t pdu_size;	/* bytes used of the union */
	uint8_t pad[5];
	union {
		struct {
			uint32_t family;
			uint32_t type;
			uint32_t protocol;
		} socket;
		struct {
			uint64_t flags;
			uint64_t mode;
			uint64_t resolve;
		} open;
	};
};

RINGD_ABI_SIZE(ringd_bpf_ctx, 40);
RINGD_ABI_AT(ringd_bpf_ctx, user_data, 0);
RINGD_ABI_AT(ringd_bpf_ctx, opcode, 8);
RINGD_ABI_AT(ringd_bpf_ctx, sqe_flags, 9);
RINGD_ABI_AT(ringd_bpf_ctx, pdu_size, 10);
RINGD_ABI_AT(ringd_bpf_ctx, pad, 11);
RINGD_ABI_AT(ringd_bpf_ctx, socket, 16);
RINGD_ABI_AT(ringd_bpf_ctx, open, 16);

#endif
