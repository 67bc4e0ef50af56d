/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel ring. Between two flushes SQEs are only written into the ring; a flush submits all of them, runs the
 * kernel's deferred completions and reaps in a single system call, and makes none when there is nothing to submit and
 * SQ_TASKRUN is clear. What is in flight is kept below the size of the CQ, so that the kernel never has to
 * allocate for an overflow; the rest waits in the backlog. A send without a copy has two CQEs, the second when
 * the network is done with its data; it cannot be cancelled, and so is the only thing that a closed ring leaves behind.
 *
 * The ring starts disabled, is restricted to the opcodes we use and to changes of its file table, and is enabled by the
 * thread that drives the reactor, which becomes its single issuer.
 */
#include "uring.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "daemon/common/log.h"
#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"
#include "kring.h"
#include "reactor.h"

#define RD_URING_SQ		256
#define RD_URING_CQ		2048
#define RD_URING_CHUNK		16		/* submitted at once: what is through is published before the next ones run */
#define RD_URING_CHUNK_DEVICE	4		/* the same for a device: it starts with the first while the others are prepared */
#define RD_URING_FILES		256
#define RD_URING_MAX_RW		0x7ffff000u	/* what the kernel transfers at most; keeps sqe->len from wrapping */
#define RD_ACCEPT_DONTWAIT	(1u << 1)	/* of newer headers */
#define RD_FEAT_RECVSEND_BUNDLE	(1u << 14)
#define RD_URING_IGNORE		1		/* user_data of a cancel; no io has this address */
#define RD_URING_ZC		(RD_URING_CQ / 4)	/* sends without a copy at a time */

/* newer than the header that we are built with, perhaps */
#define RD_OP_SENDMSG_ZC	48
#define RD_OP_READ_MULTISHOT	49
#define RD_SEND_ZC_REPORT_USAGE	(1u << 3)
#define RD_NOTIF_ZC_COPIED	(1u << 31)
#define RD_CQE_F_NOTIF		(1u << 3)

struct rd_uring {
	struct rd_kring ring;
	unsigned int inflight;		/* queued and not done, the backlog included */
	unsigned int given;		/* CQEs that the ring or the kernel may still bring */
	unsigned int zc;		/* sends without a copy that were given and are not released */
	bool has_zc;
	bool enabled;
	bool dozing;			/* completions signal the eventfd */
	bool device;			/* what was given last goes to a device, not to memory */
	struct rd_link backlog;
	struct rd_link cancels;		/* given to the kernel, to be cancelled */
	struct rd_link lent;		/* done, but the kernel keeps the data */
	uint16_t free_slot[RD_URING_FILES];	/* stack of unused slots */
	unsigned int free_slots;
	struct rd_reactor *reactor;
	int efd;
	struct rd_source event;
};

/* --- setting up --- */

/* An empty table. A kernel that has none (before 5.13): then descriptors are looked up for each I/O. */
static void uring_files(struct rd_uring *u)
{
	struct io_uring_rsrc_register table = { .nr = RD_URING_FILES, .flags = IORING_RSRC_REGISTER_SPARSE };

	if (rd_kring_register(&u->ring, IORING_REGISTER_FILES2, &table, sizeof(table)) < 0)
		return;
	while (u->free_slots < RD_URING_FILES) {
		u->free_slot[u->free_slots] = (uint16_t)(RD_URING_FILES - u->free_slots);
		u->free_slots++;
	}
}

/* Does the kernel tell, with the notification, whether it has copied? READ_MULTISHOT came later than that, the send itself before. */
static bool uring_knows_zc(struct rd_uring *u)
{
	_Alignas(struct io_uring_probe) char buf[sizeof(struct io_uring_probe) +
						 (RD_OP_READ_MULTISHOT + 1) * sizeof(struct io_uring_probe_op)] = { 0 };
	struct io_uring_probe *probe = (void *)buf;

	return rd_kring_register(&u->ring, IORING_REGISTER_PROBE, probe, RD_OP_READ_MULTISHOT + 1) >= 0 &&
	       probe->ops_len > RD_OP_READ_MULTISHOT && probe->ops[RD_OP_SENDMSG_ZC].flags & IO_URING_OP_SUPPORTED &&
	       probe->ops[RD_OP_READ_MULTISHOT].flags & IO_URING_OP_SUPPORTED;
}

static int uring_restrict(struct rd_uring *u)
{
	static const uint8_t ops[] = {
		IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_READ, IORING_OP_WRITE, IORING_OP_ASYNC_CANCEL, RD_OP_SENDMSG_ZC,
		IORING_OP_ACCEPT, IORING_OP_CONNECT,
	};
	struct io_uring_restriction res[RD_ARRAY_SIZE(ops) + 3] = { 0 };
	unsigned int n = 0;

	for (; n < RD_ARRAY_SIZE(ops) - !u->has_zc; n++) {
		res[n].opcode = IORING_RESTRICTION_SQE_OP;
		res[n].sqe_op = ops[n];
	}
	/* done just before the ring is enabled, and needed once more when it is freed */
	res[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	res[n++].register_op = IORING_UNREGISTER_RING_FDS;
	res[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	res[n++].register_op = IORING_REGISTER_FILES_UPDATE2;
	res[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	res[n++].sqe_flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_FIXED_FILE;
	return rd_kring_register(&u->ring, IORING_REGISTER_RESTRICTIONS, res, n);
}

static void on_event(void *arg)
{
	/* edge-triggered and never read: it only ends the reactor's sleep, rd_uring_flush() follows */
	(void)arg;
}

static int uring_event(struct rd_uring *u)
{
	int r;

	u->efd = rd_private_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (u->efd < 0)
		return -errno;
	r = rd_kring_register(&u->ring, IORING_REGISTER_EVENTFD, &u->efd, 1);
	if (r < 0)
		return r;
	rd_kring_signal(&u->ring, false);
	return rd_loop_add(u->reactor->loop, &u->event, u->efd, on_event, u);
}

int rd_uring_new(struct rd_uring **ret, struct rd_reactor *reactor)
{
	struct rd_uring *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	rd_list_init(&u->backlog);
	rd_list_init(&u->cancels);
	rd_list_init(&u->lent);
	u->reactor = reactor;
	u->efd = -1;
	r = rd_kring_init(&u->ring, RD_URING_SQ, RD_URING_CQ);
	if (r < 0) {
		free(u);
		return r;
	}
	uring_files(u);
	u->has_zc = uring_knows_zc(u);
	r = uring_restrict(u);
	if (r == 0)
		r = uring_event(u);
	if (r < 0) {
		rd_uring_free(u);
		return r;
	}
	*ret = u;
	return 0;
}

static void uring_released(struct rd_uring *u, struct rd_uring_io *io, bool copied)
{
	u->zc--;
	u->given--;
	rd_list_remove(&io->link);
	io->released(io, copied);
}

void rd_uring_free(struct rd_uring *u)
{
	if (!u)
		return;
	rd_loop_remove(u->reactor->loop, &u->event);
	rd_kring_deinit(&u->ring);
	/* the kernel waits for the network by itself, and the pages are its own until then */
	while (!rd_list_empty(&u->lent))
		uring_released(u, rd_list_first(&u->lent, struct rd_uring_io, link), true);
	rd_close(u->efd);
	free(u);
}

/* --- submitting --- */

static void sqe_fill(struct io_uring_sqe *sqe, struct rd_uring_io *io)
{
	*sqe = (struct io_uring_sqe){
		.fd = io->slot ? io->slot - 1 : io->fd,
		.flags = io->slot ? IOSQE_FIXED_FILE : 0,
		.ioprio = io->ioprio,
		.off = io->off,
		.rw_flags = (int)io->rwf,
		.user_data = (uintptr_t)io,
	};
	if (RD_UNLIKELY(io->msg)) {
		sqe->opcode = RD_OP_SENDMSG_ZC;
		sqe->ioprio = RD_SEND_ZC_REPORT_USAGE;
		sqe->off = 0;
		sqe->addr = (uintptr_t)io->msg;
		sqe->len = 1;
		sqe->msg_flags = io->rwf | MSG_DONTWAIT | MSG_NOSIGNAL;
	} else if (RD_UNLIKELY(io->opcode)) {
		sqe->opcode = io->opcode;
		sqe->addr = (uintptr_t)io->name;
	} else if (RD_LIKELY(io->nr == 1)) {
		sqe->opcode = io->write ? IORING_OP_WRITE : IORING_OP_READ;
		sqe->addr = (uintptr_t)io->iov->iov_base;
		sqe->len = (uint32_t)RD_MIN(io->iov->iov_len, RD_URING_MAX_RW);
	} else {
		sqe->opcode = io->write ? IORING_OP_WRITEV : IORING_OP_READV;
		sqe->addr = (uintptr_t)io->iov;
		sqe->len = io->nr;
	}
}

static inline unsigned int cqes_of(const struct rd_uring_io *io)
{
	return io->msg ? 2 : 1;
}

void rd_uring_prep_connect(struct rd_uring_io *io, int fd, struct sockaddr *addr, socklen_t len)
{
	io->opcode = IORING_OP_CONNECT;
	io->fd = fd;
	io->slot = 0;
	io->device = false;
	io->ioprio = 0;
	io->rwf = 0;
	io->msg = NULL;
	io->name = addr;
	io->off = len;
}

void rd_uring_prep_accept(struct rd_uring_io *io, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	io->opcode = IORING_OP_ACCEPT;
	io->fd = fd;
	io->slot = 0;
	io->device = false;
	io->ioprio = RD_ACCEPT_DONTWAIT;
	io->rwf = (uint32_t)flags;
	io->msg = NULL;
	io->name = addr;
	io->off = (uintptr_t)len;
}

bool rd_uring_accepts(const struct rd_uring *u)
{
	/* the flag not to wait came with these */
	return u->ring.features & RD_FEAT_RECVSEND_BUNDLE;
}

/* False: no room. */
static bool uring_give(struct rd_uring *u, struct rd_uring_io *io)
{
	struct io_uring_sqe *sqe;

	if (u->given + cqes_of(io) > RD_URING_CQ)
		return false;
	sqe = rd_kring_sqe(&u->ring);
	if (!sqe)
		return false;
	sqe_fill(sqe, io);
	u->device = io->device;
	u->given += cqes_of(io);
	return true;
}

void rd_uring_queue(struct rd_uring *u, struct rd_uring_io *io)
{
	u->inflight++;
	u->zc += io->msg != NULL;
	rd_list_init(&io->link);
	/* behind what waits already */
	io->held = !rd_list_empty(&u->backlog) || !uring_give(u, io);
	if (io->held)
		rd_list_append(&u->backlog, &io->link);
}

bool rd_uring_zc_room(const struct rd_uring *u)
{
	return u->has_zc && u->zc < RD_URING_ZC;
}

bool rd_uring_zc_held(const struct rd_uring *u)
{
	return u->zc;
}

void rd_uring_cancel(struct rd_uring *u, struct rd_uring_io *io)
{
	rd_list_remove(&io->link);
	rd_list_append(&u->cancels, &io->link);
}

/* flags: of the CQE, or 0. */
static void uring_done(struct rd_uring *u, struct rd_uring_io *io, int32_t res, uint32_t flags)
{
	u->inflight--;
	io->more = io->msg && (flags & IORING_CQE_F_MORE);
	if (!io->held)
		u->given -= cqes_of(io) - io->more;
	rd_list_remove(&io->link);
	if (io->more)
		rd_list_append(&u->lent, &io->link);
	else
		u->zc -= io->msg != NULL;
	io->done(io, res);
}

/* Those the kernel never saw end here, for the others it is asked. Returns how many ended. */
static unsigned int uring_cancel_all(struct rd_uring *u)
{
	struct rd_link *l, *tmp;
	unsigned int n = 0;

	rd_list_foreach(l, tmp, &u->cancels) {
		struct rd_uring_io *io = rd_list_entry(l, struct rd_uring_io, link);
		struct io_uring_sqe *sqe;

		if (io->held) {
			uring_done(u, io, -ECANCELED, 0);
			return n + 1;	/* done() may have changed the list */
		}
		sqe = rd_kring_sqe(&u->ring);
		if (!sqe)
			return n;
		/* of the two CQEs ours is silent, unless it was too late: then the other one came already */
		*sqe = (struct io_uring_sqe){
			.opcode = IORING_OP_ASYNC_CANCEL,
			.flags = u->ring.features & IORING_FEAT_CQE_SKIP ? IOSQE_CQE_SKIP_SUCCESS : 0,
			.addr = (uintptr_t)io,
			.user_data = RD_URING_IGNORE,
		};
		rd_list_remove(l);
	}
	return n;
}

static void uring_fill(struct rd_uring *u)
{
	while (!rd_list_empty(&u->backlog)) {
		struct rd_uring_io *io = rd_list_first(&u->backlog, struct rd_uring_io, link);

		if (!uring_give(u, io))
			return;
		io->held = false;
		rd_list_remove(&io->link);
	}
}

/* --- reaping --- */

static unsigned int uring_reap(struct rd_uring *u)
{
	struct rd_kring *k = &u->ring;
	/* relaxed: written by us only. acquire: pairs with the kernel's release, the CQEs before it are complete */
	uint32_t head = atomic_load_explicit(k->cq_head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(k->cq_tail, memory_order_acquire);
	unsigned int n = 0;

	if (head == tail)
		return 0;
	for (; head != tail; head++) {
		const struct io_uring_cqe *cqe = &k->cqes[head & k->cq_mask];
		struct rd_uring_io *io;

		if (cqe->user_data == RD_URING_IGNORE)
			continue;
		io = (struct rd_uring_io *)(uintptr_t)cqe->user_data;
		if (RD_UNLIKELY(cqe->flags & RD_CQE_F_NOTIF))
			uring_released(u, io, (uint32_t)cqe->res & RD_NOTIF_ZC_COPIED);
		else
			uring_done(u, io, cqe->res, cqe->flags);
		n++;
	}
	/* release: the slots may be written again */
	atomic_store_explicit(k->cq_head, head, memory_order_release);
	return n;
}

/* The kernel will not take what is in the SQ, now or later: give it back. Returns how many ended. */
static unsigned int uring_fail(struct rd_uring *u, int err)
{
	struct rd_link failed = RD_LIST_INIT(failed);
	struct rd_kring *k = &u->ring;
	uint32_t head = atomic_load_explicit(k->sq_head, memory_order_relaxed);
	unsigned int n = 0;

	rd_error("kernel ring: %s", strerror(-err));
	for (uint32_t i = head; i != k->sq_next; i++) {
		uint64_t user_data = k->sqes[i & k->sq_mask].user_data;
		struct rd_uring_io *io = (struct rd_uring_io *)(uintptr_t)user_data;

		if (user_data == RD_URING_IGNORE)
			continue;
		rd_list_remove(&io->link);
		rd_list_append(&failed, &io->link);
	}
	k->sq_next = head;
	for (; !rd_list_empty(&failed); n++)
		uring_done(u, rd_list_first(&failed, struct rd_uring_io, link), err, 0);
	return n;
}

/* Submit, run what the kernel deferred. Returns how many ended because the ring is of no use. */
static unsigned int uring_enter(struct rd_uring *u)
{
	int r = 0;

	if (RD_UNLIKELY(!u->enabled)) {
		r = rd_kring_enable(&u->ring);
		u->enabled = r == 0;
	}
	if (r == 0)
		r = rd_kring_enter(&u->ring, u->device ? RD_URING_CHUNK_DEVICE : RD_URING_CHUNK);
	/* these pass: no memory, CQEs to be reaped first, a signal. The SQEs go with the next call. */
	if (RD_LIKELY(r >= 0 || r == -EAGAIN || r == -EBUSY || r == -EINTR))
		return 0;
	return uring_fail(u, r);
}

unsigned int rd_uring_flush(struct rd_uring *u)
{
	unsigned int n = 0;

	if (!u->inflight && !u->zc)
		return 0;
	if (RD_UNLIKELY(u->dozing)) {
		u->dozing = false;
		rd_kring_signal(&u->ring, false);
	}
	if (RD_UNLIKELY(!rd_list_empty(&u->cancels)))
		n += uring_cancel_all(u);
	if (RD_UNLIKELY(!rd_list_empty(&u->backlog)))
		uring_fill(u);
	if (rd_kring_unsubmitted(&u->ring) || rd_kring_wants_entry(&u->ring))
		n += uring_enter(u);
	n += uring_reap(u);
	if (!n && (rd_kring_unsubmitted(&u->ring) || !rd_list_empty(&u->cancels)))
		return 1;
	return n;
}

bool rd_uring_doze(struct rd_uring *u)
{
	const struct rd_kring *k = &u->ring;

	if (!u->inflight && !u->zc)
		return false;
	u->dozing = true;
	rd_kring_signal(&u->ring, true);
	/* full barrier: pairs with the kernel's between its CQE (or SQ_TASKRUN) and its look at the eventfd flag */
	atomic_thread_fence(memory_order_seq_cst);
	return rd_kring_wants_entry(k) || rd_kring_unsubmitted(k) ||
	       atomic_load_explicit(k->cq_tail, memory_order_relaxed) != atomic_load_explicit(k->cq_head, memory_order_relaxed);
}

static int uring_file_update(struct rd_uring *u, int slot, int32_t fd)
{
	struct io_uring_rsrc_update2 up = { .offset = (uint32_t)slot - 1, .data = (uintptr_t)&fd, .nr = 1 };
	int r = rd_kring_register(&u->ring, IORING_REGISTER_FILES_UPDATE2, &up, sizeof(up));

	return r < 0 ? r : 0;
}

int rd_uring_file_add(struct rd_uring *u, int fd)
{
	int slot, r;

	if (!u->free_slots)
		return -ENFILE;
	if (fd < 0)
		return -EBADF;	/* would empty the slot */
	slot = u->free_slot[u->free_slots - 1];
	r = uring_file_update(u, slot, fd);
	if (r < 0)
		return r;
	u->free_slots--;
	return slot;
}

void rd_uring_file_remove(struct rd_uring *u, int slot)
{
	/* cannot fail for a slot that is in use; a slot that could not be emptied would keep the file open: not used again */
	if (uring_file_update(u, slot, -1) == 0)
		u->free_slot[u->free_slots++] = (uint16_t)slot;
}

unsigned int rd_uring_inflight(const struct rd_uring *u)
{
	return u->inflight;
}
