/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control messages and ringd's own part of the shared ring memory.
 *
 * Control runs over one SOCK_SEQPACKET connection per client. A packet is a struct ringd_msg followed by the
 * payload of its type; msg.size counts all of it and must equal the packet's length. The client has at most one
 * request outstanding; the answer repeats its seq. Integers are in host order, nothing is aligned to more than 8.
 * Layout: ringd-protocol(7).
 */
#ifndef RINGD_WIRE_H
#define RINGD_WIRE_H

#include <stdint.h>

#include "abi.h"

#define RINGD_WIRE_MAGIC	0x44474e52u	/* "RNGD" read as little endian */
#define RINGD_WIRE_VERSION	1
#define RINGD_MSG_MAX		65536		/* bytes in one packet, header included */
#define RINGD_MSG_FDS		253		/* descriptors in one packet: the kernel's own limit */
#define RINGD_TEXT_MAX		128		/* bytes of a reason, terminating zero included */
#define RINGD_SYSTEM_SOCKET	"/run/ringd/ringd.sock"
#define RINGD_SOCKET_NAME	"ringd.sock"	/* in $XDG_RUNTIME_DIR/ringd/ or --runtime-dir */

/* ringd_msg.type. Client to manager: HELLO only. Everything after it goes to the engine. */
#define RINGD_MSG_HELLO		1	/* ringd_hello -> ringd_welcome */
#define RINGD_MSG_RING_CREATE	2	/* ringd_ring_create -> ringd_ring_created + fds {ring, doorbell, wake} */
#define RINGD_MSG_RING_FREE	3	/* ringd_ring_ref -> */
#define RINGD_MSG_ARENA_CREATE	4	/* ringd_arena_create -> ringd_arena_created + fd {arena} */
#define RINGD_MSG_ARENA_FREE	5	/* ringd_arena_ref -> */
#define RINGD_MSG_REGISTER	6	/* ringd_register + data (+ fds) -> ringd_registered + data */
#define RINGD_MSG_SET_CWD	7	/* + fd {O_PATH directory} -> : base of relative paths from now on */
#define RINGD_MSG_STATUS	8	/* only an answer: ringd_status, repeated, by the manager to a HELLO of kind STATUS */
#define RINGD_MSG_FD_LEND	9	/* ringd_fd_list + fds -> : these numbers mean these files from now on */
#define RINGD_MSG_FD_RETURN	10	/* ringd_fd_list -> : ... nothing again */
#define RINGD_MSG_CHANNEL	11	/* -> + fd {channel}: how new descriptors come to the client; see ringd_channel */
#define RINGD_MSG_RING_EXPORT	12	/* ringd_ring_ref -> ringd_ring_token: who knows it may name the ring */
#define RINGD_MSG_RING_IMPORT	13	/* ringd_ring_token -> ringd_ring_ref: a handle of another client's ring */
#define RINGD_MSG_RING_FORGET	14	/* ringd_ring_ref {handle} -> */

#define RINGD_MSG_RING_INFO	15	/* only an answer: ringd_ring_info, repeated, by the manager to a HELLO of kind RING */

/* ringd_msg.flags */
#define RINGD_MSG_F_MORE	0x1	/* the request goes on in the next packet; answered only at its end */

struct ringd_msg {
	uint32_t size;		/* bytes of the packet */
	uint16_t type;		/* RINGD_MSG_*; an answer has its request's */
	uint16_t flags;		/* RINGD_MSG_F_*; unknown bits end the connection */
	uint32_t seq;		/* chosen by the client, repeated in the answer */
	int32_t res;		/* answers: 0 or more, or a negative errno; requests: 0 */
};

/* What a failed request is answered with, whatever its type: msg.res < 0 and the reason in words. */
struct ringd_error {
	struct ringd_msg msg;
	char text[RINGD_TEXT_MAX];	/* names the limit or policy; ends with a zero */
};

#define RINGD_HELLO_CLIENT	1	/* wants an engine */
#define RINGD_HELLO_STATUS	2	/* wants RINGD_MSG_STATUS, stays with the manager */
#define RINGD_HELLO_RING	4	/* wants RINGD_MSG_RING_INFO, stays with the manager */

struct ringd_hello {
	struct ringd_msg msg;
	uint32_t magic;		/* RINGD_WIRE_MAGIC */
	uint16_t version_min;	/* lowest and highest RINGD_WIRE_VERSION the client speaks */
	uint16_t version_max;
	uint32_t kind;		/* RINGD_HELLO_* */
	uint32_t engine_pid;	/* RING: of this engine only; 0: of all that the asker may see. Else 0 */
	uint32_t ring;		/* RING: its number in the engine, as a list says; 0: lists. Else 0 */
	uint32_t resv[3];	/* 0 */
};

struct ringd_welcome {
	struct ringd_msg msg;
	uint16_t version;	/* the one that is spoken from here on */
	uint16_t resv;
	uint32_t features;	/* RINGD_FEAT_* every ring of this engine has */
	uint32_t engine_pid;	/* in the manager's pid namespace; for messages to humans */
	uint32_t spin_us;	/* how long the engine looks at a ring before it asks for the doorbell */
	uint64_t limits[16];	/* RINGD_LIMIT_*: the tenant's budget */
};

/* ringd_welcome.limits, ringd_status.used/limit. Budgets of the tenant, all its clients together. */
#define RINGD_LIMIT_RINGS	0
#define RINGD_LIMIT_ENTRIES	1	/* SQ + CQ entries of all rings */
#define RINGD_LIMIT_BYTES	2	/* arenas, ring and scratch memory, in bytes */
#define RINGD_LIMIT_FILES	3	/* open files held in slots and by requests */
#define RINGD_LIMIT_INFLIGHT	4	/* requests accepted and not completed, completions held back included */
#define RINGD_LIMIT_WORKERS	5	/* worker threads */
#define RINGD_LIMIT_CLIENTS	6	/* connections */
#define RINGD_LIMIT_OBJECTS	7	/* table slots, staged bytes / 64 and other small things */
#define RINGD_LIMIT_MAX		8

/*
 * Params are io_uring_setup's, with these meanings of their own:
 *   wq_fd (ATTACH_WQ)   a ring handle: the ring_id of a ring of this connection or of one imported
 *   sq_thread_cpu (SQ_AFF)  checked, and without effect: one thread serves all rings of a tenant
 *   NO_MMAP             sq_off.user_addr and cq_off.user_addr name client memory for sqes_size and rings_size bytes (the
 *                       same number of pages that io_uring needs; both can be computed beforehand), each wholly inside
 *                       one arena that has no huge pages. Its 64-byte header and its struct ringd_hot (the last 640
 *                       bytes that are used, at hot_off) are written at once, the rest is left as it is. The ring's own
 *                       descriptor then has nothing but the scratch area in it.
 *   REGISTERED_FD_ONLY  nothing to the engine, which knows no descriptor numbers
 *   SINGLE_ISSUER       likewise: threads of a client look all the same to it, the library tells them apart
 */
struct ringd_ring_create {
	struct ringd_msg msg;
	struct ringd_params params;
	uint64_t scratch_base;	/* client address at which it will map the scratch area; page aligned, not 0 */
};

struct ringd_ring_created {
	struct ringd_msg msg;
	struct ringd_params params;	/* as io_uring_setup writes it back; all offsets from the start of the rings region */
	uint32_t ring_id;
	uint32_t hot_off;		/* offset of struct ringd_hot in the rings region */
	uint64_t rings_size;		/* bytes to map at file offset RINGD_OFF_SQ_RING */
	uint64_t sqes_size;		/* bytes to map at file offset RINGD_OFF_SQES */
	uint64_t scratch_size;		/* bytes to map at file offset RINGD_OFF_SCRATCH, to scratch_base */
};

/* REGISTER_RESIZE_RINGS. The client has no enter outstanding, and touches neither the SQ nor the CQ until it has the answer. */
struct ringd_resize {
	struct ringd_params params;	/* sq_entries, cq_entries, flags (CQSIZE, CLAMP); user_addr of a NO_MMAP ring */
	uint64_t scratch_base;		/* where it will map the new scratch area; the old one means nothing any more */
};

/*
 * The ring goes on in the memory of the new descriptor: unread CQEs, SQEs not taken, and all words of struct ringd_hot
 * have been carried over. What unsubmitted SQEs have in the old scratch area the client must move itself.
 */
struct ringd_resized {
	struct ringd_params params;	/* as in ringd_ring_created, and so are the others */
	uint32_t hot_off;
	uint32_t resv;
	uint64_t rings_size;
	uint64_t sqes_size;
	uint64_t scratch_size;
};

#define RINGD_OFF_SCRATCH	0x200000000ull		/* above every offset io_uring knows */
#define RINGD_SCRATCH_PER_SQE	16384u			/* 1024 iovecs; the area has room for entries + 1 of them */

struct ringd_ring_ref {
	struct ringd_msg msg;
	uint32_t ring_id;
	uint32_t resv;		/* 0 */
};

/* 128 random bits: whoever of the tenant's clients has them may send messages to the ring. Dies with the ring. */
struct ringd_ring_token {
	struct ringd_msg msg;
	uint8_t token[16];
};

#define RINGD_FD_MAX		1048576u	/* numbers from here on cannot be lent */

/*
 * Descriptors that an SQE without FIXED_FILE may name by their numbers in the client. numbers follow the structure; those
 * of a FD_LEND travel in the same order by SCM_RIGHTS. A number that is lent already means the new file from then on.
 */
struct ringd_fd_list {
	struct ringd_msg msg;
	uint32_t nr;		/* 1 to RINGD_MSG_FDS */
	uint32_t resv;		/* 0 */
	/* int32_t numbers[nr] */
};

/*
 * The channel is a SOCK_SEQPACKET socket that the client only reads: one packet for each request that gave the client a
 * descriptor or closed one. It is sent before the CQE is posted; res of that CQE is the packet's cookie and its flags have
 * RINGD_CQE_F_CHANNEL. Who reads the CQE takes the packet whose ring_id, user_data and cookie are the CQE's, and finds the
 * real res. Of a request without a CQE (CQE_SKIP_SUCCESS) the packet has SILENT.
 *
 * A channel holds some 20 packets; requests that find it full wait. So the client empties it also when ringd_hot.channel
 * has moved, on whichever ring: it looks at it after arming a wait word (full barrier between) and when it was woken.
 */
struct ringd_channel {
	uint64_t user_data;
	uint64_t addr;		/* PIPE, PAIR: where the two numbers go, as in the SQE; RIGHTS: where they all go */
	uint64_t msg_flags;	/* RIGHTS: where the flags of the message are */
	uint32_t ring_id;
	uint32_t cookie;	/* 0 to INT32_MAX */
	uint16_t kind;		/* RINGD_CHANNEL_* */
	uint16_t flags;		/* RINGD_CHANNEL_F_* */
	int32_t number;		/* CLOSE: the client's number to be closed; PAIR: the first slot */
	int32_t number2;	/* PAIR: the second */
	int32_t res;		/* CLOSE: what the request has come to, 0 or a negative errno; RIGHTS: res of its CQE */
	uint32_t nr;		/* RIGHTS: descriptors */
	uint32_t resv;		/* 0 */
};

#define RINGD_CHANNEL_FD	1	/* + fd: its number is res */
#define RINGD_CHANNEL_PIPE	2	/* + 2 fds: their numbers go to addr as two 32-bit integers, res is 0 */
#define RINGD_CHANNEL_PAIR	3	/* number and number2 go to addr, res is 0 */
#define RINGD_CHANNEL_CLOSE	4	/* close number; res, or the errno of that close when res is 0 */

/*
 * + nr fds, of a message that was received: their numbers go to addr, the data of the last control message, as 32-bit integers.
 * When there is no room for all of them, cmsg_len in front of addr is made to fit those that came and MSG_CTRUNC is set in the
 * 32-bit word at msg_flags.
 */
#define RINGD_CHANNEL_RIGHTS	5

#define RINGD_CHANNEL_F_CLOEXEC	0x1	/* the new descriptors are close-on-exec */
#define RINGD_CHANNEL_F_SILENT	0x2	/* no CQE comes */

#define RINGD_CQE_F_CHANNEL	(1u << 14)	/* ringd_cqe.flags; no flag of io_uring. libringd takes it away */

#define RINGD_ARENA_HUGE	0x1	/* 2 MiB pages, populated at creation; -ENOMEM when there are none */

struct ringd_arena_create {
	struct ringd_msg msg;
	uint64_t size;		/* bytes; page multiple (2 MiB multiple with HUGE), > 0 */
	uint64_t base;		/* client address at which it will map the arena; page aligned, not 0 */
	uint32_t flags;		/* RINGD_ARENA_* */
	uint32_t resv;		/* 0 */
};

struct ringd_arena_created {
	struct ringd_msg msg;
	uint32_t arena_id;
	uint32_t resv;
	uint64_t size;
};

struct ringd_arena_ref {
	struct ringd_msg msg;
	uint32_t arena_id;
	uint32_t resv;		/* 0 */
};

/*
 * One io_uring_register call. data holds the structure of the opcode as abi.h defines it, its pointer members 0,
 * and behind it the arrays they would point to, in this order:
 *   REGISTER_FILES           s32[nr]
 *   REGISTER_FILES2          rsrc_register, s32[nr] unless SPARSE, u64 tags[nr] if has_tags
 *   REGISTER_FILES_UPDATE    files_update, s32[nr]
 *   REGISTER_FILES_UPDATE2   rsrc_update2, s32[nr], u64 tags[nr] if has_tags
 *   REGISTER_BUFFERS         iovec {u64 base, u64 len}[nr]
 *   REGISTER_BUFFERS2        rsrc_register, iovec[nr] unless SPARSE, tags as above
 *   REGISTER_BUFFERS_UPDATE  rsrc_update2, iovec[nr], tags as above
 *   REGISTER_FILE_ALLOC_RANGE  file_index_range
 *   REGISTER_SEND_MSG_RING   sqe; nr 1, ring_id 0
 *   REGISTER_EVENTFD, REGISTER_EVENTFD_ASYNC  s32[nr], nr 1: as a file array, so with one descriptor
 *   REGISTER_ENABLE_RINGS    nothing
 *   REGISTER_RESIZE_RINGS    ringd_resize, nr 1; the answer's data is ringd_resized, and it has the descriptor {ring}
 *   REGISTER_PERSONALITY     nothing; the result is the id. UNREGISTER_PERSONALITY: nothing, nr is the id
 *   REGISTER_RESTRICTIONS    restriction[nr]; without a ring task_restriction, restriction[nr_res], nr 1
 *   REGISTER_IOWQ_AFF        nr bytes of CPU mask
 *   REGISTER_IOWQ_MAX_WORKERS  u32[2], nr 2; the answer's data is u32[2], as it was
 *   REGISTER_PBUF_RING       buf_reg, nr 1; with MMAP the answer has a descriptor that holds the ring at the offset
 *                            RINGD_OFF_PBUF_RING + (bgid << RINGD_OFF_PBUF_SHIFT); else ring_addr is in an arena of small pages
 *   UNREGISTER_PBUF_RING     buf_reg, nr 1
 *   REGISTER_PBUF_STATUS     buf_status, nr 1; the answer's data is buf_status
 *   REGISTER_SYNC_CANCEL     sync_cancel_reg, nr 1; the answer may take as long as its timeout
 *   REGISTER_CLOCK           clock_register
 *   REGISTER_CLONE_BUFFERS   clone_buffers, nr 1; src_fd is a ring_id
 *   REGISTER_MEM_REGION      mem_region_reg, region_desc, nr 1; the answer's data is region_desc, without USER it has the
 *                            descriptor {region}, to be mapped at offset 0
 *   REGISTER_QUERY           query_hdr, next_entry and query_data 0; the answer's data is what is asked for
 *   REGISTER_NAPI            napi, nr 1; the answer's data is napi, what was before
 *   UNREGISTER_NAPI          nothing, nr 1; the answer's data is napi
 *   REGISTER_ZCRX_IFQ        zcrx_ifq_reg, zcrx_area_reg, region_desc, nr 1 (the first alone: -EFAULT); the answer's data is all
 *                            three; without USER it has the descriptor {refill ring}, which holds it at mmap_offset =
 *                            RINGD_OFF_ZCRX_REGION + (zcrx_id << RINGD_OFF_ZCRX_SHIFT). With IMPORT zcrx_ifq_reg and a descriptor
 *   REGISTER_ZCRX_CTRL       zcrx_ctrl; EXPORT is answered with a descriptor
 *   REGISTER_PROBE           nothing; the answer's data is probe_op[nr]-terminated struct probe
 *   UNREGISTER_*             nothing
 * In a file array -1 is a hole and -2 skips (update); any value >= 0 means "the next descriptor of this request",
 * which travel in order by SCM_RIGHTS. Data longer than one packet is sent in several with RINGD_MSG_F_MORE set on
 * all but the last; each repeats struct ringd_register and adds data and descriptors.
 */
struct ringd_register {
	struct ringd_msg msg;
	uint32_t ring_id;	/* 0: no ring, as io_uring's descriptor -1; for RESTRICTIONS, SEND_MSG_RING, QUERY, BPF_FILTER */
	uint32_t opcode;	/* RINGD_REGISTER_* */
	uint32_t nr;		/* nr_args of io_uring_register, or for *2/UPDATE the structure's nr */
	uint32_t has_tags;	/* 0 or 1 */
};

struct ringd_registered {
	struct ringd_msg msg;	/* res as io_uring_register returns it; opcode-specific data follows */
};

/*
 * The words of a ring that io_uring keeps in one 64-byte header, and those that it does not have, one writer per
 * pair of cache lines (adjacent-line prefetchers fetch pairs). Offsets of the io_uring ones are told by sq_off and
 * cq_off. "C": written by the client only; "E": by the engine only, which never reads them back.
 */
struct ringd_hot {
	/* C, read by the engine at every look at the ring */
	uint32_t sq_tail;		/* io_uring's; release after the SQEs below it. Not looked at on an SQ_REWIND ring */
	uint32_t enter_seq;		/* +1 per enter; release (a full barrier follows) after the three words around it */
	uint32_t enter_to_submit;	/* as io_uring_enter's; read when enter_seq has moved */
	uint32_t enter_flags;		/* RINGD_ENTER_GETEVENTS: run tasks, flush held-back CQEs. Other bits: ignored */
	uint32_t pad0[28];
	/* C, read by the engine only when its idea of the CQ is full */
	uint32_t cq_head;
	uint32_t cq_flags;		/* RINGD_CQ_* */
	uint32_t pad1[30];
	/* C, read by the engine after each publication (full barrier between) */
	uint64_t wait;			/* RINGD_WAIT_*; 0: nobody sleeps */
	uint32_t waiting;		/* lazy rings: not 0 inside an enter that waits; see below */
	uint32_t pad2[29];
	/* E, polled by the client */
	uint32_t cq_tail;		/* release after the CQEs below it */
	uint32_t sq_head;		/* release after the SQEs were copied; plain ring: after their CQEs are published too */
	uint32_t enter_done;		/* last enter_seq that was served; release after all effects of it */
	int32_t enter_res;		/* its result: SQEs consumed or a negative errno (-EAGAIN, -EBADFD, -EBADR) */
	uint32_t tasks;			/* lazy rings: RINGD_TASKS_*; see below */
	uint32_t pad3[27];
	/* E, rarely written */
	uint32_t sq_flags;		/* RINGD_SQ_*; NEED_WAKEUP also on plain rings: ring the doorbell */
	uint32_t sq_dropped;
	uint32_t cq_overflow;
	uint32_t state;			/* RINGD_STATE_* */
	uint32_t reason;		/* RINGD_REASON_* once state is DEAD */
	uint32_t channel;		/* +1: read the channel: it is full, or holds a packet that no CQE tells of */
	uint32_t pad4[26];
};

/*
 * The wait word: high 32 bits a sequence whose low 2 bits are the kind, low 32 bits the target index. The engine
 * sends one byte to the wake socket when the target is reached, once per sequence value.
 */
#define RINGD_WAIT_KIND_CQ	0u	/* until (int32_t)(cq_tail - target) >= 0, or CQEs are held back, or tasks are PENDING */
#define RINGD_WAIT_KIND_ENTER	1u	/* until enter_done == target */
#define RINGD_WAIT_KIND_SQ	2u	/* until (int32_t)(sq_head - target) >= 0 */
#define RINGD_WAIT_KIND_ANY	3u	/* until the next publication, whatever it is of */
#define RINGD_WAIT_KIND_MASK	3u
#define RINGD_WAIT_SEQ_STEP	4u	/* sequences: kind + multiples of this, never 0 in the high word while armed */
#define RINGD_WAIT(seq, target)	((uint64_t)(seq) << 32 | (uint32_t)(target))

/*
 * Lazy rings are those with DEFER_TASKRUN, and with IOPOLL but not SQPOLL. What completes on them later than its own
 * submission is a task, and its CQE is posted when the task runs: in an enter with GETEVENTS, or as it comes while the
 * client waits in one.
 *
 * To wait, the client stores waiting = 1, then makes an enter with GETEVENTS (the release of enter_seq puts waiting before
 * it): that runs the tasks there are, and the engine, having seen this enter, sees waiting for those that follow. Then
 * it sleeps by the wait word as on any ring. To end it, it stores waiting = 0, passes a full barrier and looks at
 * tasks: while RUNNING is set some CQEs of the wait may still come, and an enter of nothing (0, 0) sits that out. The
 * engine's side: tasks = RUNNING, full barrier, load of waiting; not 0: run, publish, tasks = 0; else
 * tasks = PENDING, and SQ flag TASKRUN when the ring has TASKRUN_FLAG.
 *
 * PENDING is what makes the descriptor of such a ring readable though there is no CQE: it is loaded after the wait word
 * was armed, as cq_tail is, and ends waits of kind CQ.
 */
#define RINGD_TASKS_PENDING	1u	/* an enter with GETEVENTS has something to run */
#define RINGD_TASKS_RUNNING	2u

#define RINGD_STATE_OPEN	0u
#define RINGD_STATE_DEAD	1u	/* nothing is served any more; the wake socket is closed too */

/* Why the engine ended a ring; the last one is not the client's fault. */
#define RINGD_REASON_NONE	0u
#define RINGD_REASON_SQ_TAIL	1u	/* sq_tail - sq_head > sq_entries */
#define RINGD_REASON_CQ_HEAD	2u	/* cq_head beyond cq_tail, or more than cq_entries behind it */
#define RINGD_REASON_FREED	3u	/* RING_FREE or the connection was closed */
#define RINGD_REASON_SHUTDOWN	4u	/* the engine ends */

/* Answer of the manager to STATUS: one packet per engine the asker may see, then one with engine_pid 0. */
#define RINGD_STATUS_OPS	65
#define RINGD_LATENCY_BUCKETS	40	/* bucket i counts durations in [2^i, 2^(i+1)) ns */
struct ringd_status {
	struct ringd_msg msg;
	uint32_t engine_pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t restarts;		/* times the manager had to start this tenant's engine again */
	uint64_t uptime_ms;
	uint64_t used[16];		/* RINGD_LIMIT_* */
	uint64_t limit[16];
	uint64_t submitted;		/* SQEs accepted since the engine started */
	uint64_t completed;		/* requests finished; submitted - completed are in flight */
	uint64_t punted;		/* went to a worker */
	uint64_t polled;		/* waited for readiness */
	uint64_t uring;			/* went through the kernel ring */
	uint64_t rings_killed;		/* rings ended for a protocol error */
	char backend[16];		/* "sync" or "uring" */
	uint64_t ops[RINGD_STATUS_OPS];	/* completed per opcode */
	/* sampled (one of 64 requests of a ring): from fetch to completion */
	uint32_t latency[RINGD_STATUS_OPS][RINGD_LATENCY_BUCKETS];
};

/*
 * Answer of the manager to RING: packets for each engine that the asker may see and that has the ring, then one with
 * engine_pid 0. The text of one engine goes on in its next packet while more is set; engines do not mix. It is for
 * people: lines as in /proc/PID/fdinfo of an io_uring, others may be added.
 */
#define RINGD_INFO_PIECE	4096
struct ringd_ring_info {
	struct ringd_msg msg;	/* res < 0: this engine did not answer */
	uint32_t engine_pid;
	uint32_t uid;
	uint32_t len;		/* of text */
	uint32_t more;		/* 0 or 1 */
	char text[RINGD_INFO_PIECE];
};

#endif
