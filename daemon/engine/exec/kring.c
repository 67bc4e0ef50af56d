/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Setting up and entering a kernel io_uring. See kring.h. */
#include "kring.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "daemon/common/log.h"
#include "daemon/common/util.h"

/* newer than the header that we are built with, perhaps */
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY	(1U << 16)
#endif

#define RD_KRING_DEFER	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG | \
			 IORING_SETUP_SUBMIT_ALL)
/* NODROP: completions are never lost. RW_CUR_POS: offset -1. SINGLE_MMAP: spares older kernels' second mapping */
#define RD_KRING_NEEDS	(IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS | IORING_FEAT_SINGLE_MMAP)

/* Best first; what an older kernel does not know is -EINVAL. */
static const uint32_t setup_flags[] = {
	RD_KRING_DEFER | IORING_SETUP_NO_SQARRAY,						/* 6.6 */
	RD_KRING_DEFER,										/* 6.1 */
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,	/* 5.19 */
	IORING_SETUP_SUBMIT_ALL,								/* 5.18 */
	0,
};

static int kring_setup(struct rd_kring *k, uint32_t sq_entries, uint32_t cq_entries, struct io_uring_params *p)
{
	for (size_t i = 0; i < RD_ARRAY_SIZE(setup_flags); i++) {
		*p = (struct io_uring_params){
			.flags = setup_flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = cq_entries,
		};
		k->fd = (int)syscall(SYS_io_uring_setup, sq_entries, p);
		if (k->fd >= 0 || errno != EINVAL)
			break;
	}
	return k->fd < 0 ? -errno : 0;
}

static void *kring_mmap(struct rd_kring *k, size_t len, off_t off)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, k->fd, off);
}

static int kring_map(struct rd_kring *k, const struct io_uring_params *p)
{
	size_t sq_len = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq_len = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);

	k->map_len = RD_MAX(sq_len, cq_len);
	k->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
	k->map = kring_mmap(k, k->map_len, IORING_OFF_SQ_RING);
	if (k->map == MAP_FAILED)
		return -errno;
	k->sqes = kring_mmap(k, k->sqes_len, IORING_OFF_SQES);
	if (k->sqes == MAP_FAILED)
		return -errno;
	return 0;
}

static void kring_layout(struct rd_kring *k, const struct io_uring_params *p)
{
	char *base = k->map;
	uint32_t *array = (uint32_t *)(base + p->sq_off.array);

	k->sq_head = (_Atomic uint32_t *)(base + p->sq_off.head);
	k->sq_tail = (_Atomic uint32_t *)(base + p->sq_off.tail);
	k->sq_flags = (_Atomic uint32_t *)(base + p->sq_off.flags);
	k->sq_mask = p->sq_entries - 1;
	k->cq_head = (_Atomic uint32_t *)(base + p->cq_off.head);
	k->cq_tail = (_Atomic uint32_t *)(base + p->cq_off.tail);
	k->cq_flags = (_Atomic uint32_t *)(base + p->cq_off.flags);
	k->cqes = (struct io_uring_cqe *)(base + p->cq_off.cqes);
	k->cq_mask = p->cq_entries - 1;
	/* SQEs are used in ring order, so the indirection is set up once */
	if (!(p->flags & IORING_SETUP_NO_SQARRAY))
		for (uint32_t i = 0; i < p->sq_entries; i++)
			array[i] = i;
}

int rd_kring_init(struct rd_kring *k, uint32_t sq_entries, uint32_t cq_entries)
{
	struct io_uring_params p;
	int r;

	*k = (struct rd_kring){ .map = MAP_FAILED, .sqes = MAP_FAILED };
	r = kring_setup(k, sq_entries, cq_entries, &p);
	if (r < 0)
		return r;
	if ((p.features & RD_KRING_NEEDS) != RD_KRING_NEEDS || !p.cq_off.flags)
		r = -ENOSYS;
	else
		r = kring_map(k, &p);
	if (r < 0) {
		rd_kring_deinit(k);
		return r;
	}
	kring_layout(k, &p);
	k->features = p.features;
	k->setup_flags = p.flags;
	k->enter_fd = k->fd;
	k->enter_flags = IORING_ENTER_GETEVENTS;
	return 0;
}

void rd_kring_deinit(struct rd_kring *k)
{
	struct io_uring_rsrc_update up = { .offset = (uint32_t)k->enter_fd };

	if (k->fd < 0)
		return;
	/* a registered descriptor is a reference of the thread: without this the ring would live as long as it */
	if (k->enter_flags & IORING_ENTER_REGISTERED_RING)
		rd_kring_register(k, IORING_UNREGISTER_RING_FDS, &up, 1);
	if (k->map != MAP_FAILED)
		munmap(k->map, k->map_len);
	if (k->sqes != MAP_FAILED)
		munmap(k->sqes, k->sqes_len);
	rd_close(k->fd);
	k->fd = -1;
}

int rd_kring_register(struct rd_kring *k, unsigned int opcode, const void *arg, unsigned int nr)
{
	int r = (int)syscall(SYS_io_uring_register, k->fd, opcode, arg, nr);

	return r < 0 ? -errno : r;
}

int rd_kring_enable(struct rd_kring *k)
{
	struct io_uring_rsrc_update up = { .offset = UINT32_MAX, .data = (uint64_t)k->fd };

	/* saves looking the descriptor up in each call; older kernels, or a full table of this thread: without */
	if (rd_kring_register(k, IORING_REGISTER_RING_FDS, &up, 1) == 1) {
		k->enter_fd = (int)up.offset;
		k->enter_flags |= IORING_ENTER_REGISTERED_RING;
	}
	return rd_kring_register(k, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int rd_kring_enter(struct rd_kring *k, uint32_t max)
{
	uint32_t n = RD_MIN(rd_kring_unsubmitted(k), max);
	int r;

	/* release: the SQEs before it are complete; the system call would order them, too */
	atomic_store_explicit(k->sq_tail, k->sq_next, memory_order_release);
	r = (int)syscall(SYS_io_uring_enter, k->enter_fd, n, 0, k->enter_flags, NULL, 0);
	return r < 0 ? -errno : r;
}
