/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make a ring, map it, and give it back. */
#include <string.h>
#include <sys/mman.h>

#include "private.h"

struct answer {
	union {
		struct ringd_msg msg;
		struct ringd_ring_created created;
		struct ringd_error error;
	};
	size_t size;
	union {
		struct {
			int ring, doorbell, wake;
		};
		int fds[3];
	};
};

static void answer_close(struct answer *a)
{
	rdl_close(a->ring);
	rdl_close(a->doorbell);
	rdl_close(a->wake);
}

static void tell_free(struct ringd *rd, uint32_t id)
{
	struct ringd_ring_ref ref = { .ring_id = id };
	struct ringd_error answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };

	rdl_request(rd, &ref.msg, RINGD_MSG_RING_FREE, sizeof(ref), -1, &in, sizeof(ref.msg), 0);
}

static int ring_create(struct ringd_ring *ring, const struct ringd_params *params, struct answer *a)
{
	struct ringd_ring_create create = {
		.params = *params,
		.scratch_base = (uintptr_t)ring->scratch,
	};
	struct rdl_packet in = { .data = &a->msg, .size = sizeof(a->created), .fds = a->fds, .n_fds = 3 };
	int r;

	_Static_assert(sizeof(a->created) >= sizeof(a->error), "either fits");
	a->msg.res = -1;
	r = rdl_request(ring->rd, &create.msg, RINGD_MSG_RING_CREATE, sizeof(create), -1, &in, sizeof(a->created), 3);
	a->size = in.size;
	if (r < 0)
		a->ring = a->doorbell = a->wake = -1;
	return r;
}

static bool inside(uint64_t off, uint64_t size, uint64_t total)
{
	return off <= total && size <= total - off;
}

static unsigned int sqe_shift(const struct ringd_params *p)
{
	return p->flags & RINGD_SETUP_SQE128 ? 1 : 0;
}

static unsigned int cqe_shift(const struct ringd_params *p)
{
	return p->flags & RINGD_SETUP_CQE32 ? 1 : 0;
}

/* The engine is trusted; this finds a library and an engine that do not belong together. */
static bool plausible(const struct ringd_ring *ring, const struct ringd_ring_created *c, const struct ringd_params *asked)
{
	const struct ringd_params *p = &c->params;

	/* where the ring is in our memory is not for the engine to say */
	if ((p->flags ^ asked->flags) & RINGD_SETUP_NO_MMAP ||
	    ((p->flags & RINGD_SETUP_NO_MMAP) && (p->cq_off.user_addr != asked->cq_off.user_addr ||
						  p->sq_off.user_addr != asked->sq_off.user_addr)))
		return false;
	return p->sq_entries && !(p->sq_entries & (p->sq_entries - 1)) &&
	       p->cq_entries && !(p->cq_entries & (p->cq_entries - 1)) &&
	       (p->flags & RINGD_SETUP_NO_SQARRAY) &&
	       c->hot_off % 128 == 0 && inside(c->hot_off, sizeof(struct ringd_hot), c->rings_size) &&
	       p->cq_off.cqes % 16 == 0 &&
	       inside(p->cq_off.cqes, (uint64_t)p->cq_entries * sizeof(struct ringd_cqe) << cqe_shift(p), c->rings_size) &&
	       inside(0, (uint64_t)p->sq_entries * sizeof(struct ringd_sqe) << sqe_shift(p), c->sqes_size) &&
	       c->rings_size < RINGD_OFF_SQES && c->sqes_size < RINGD_OFF_SQES &&
	       c->scratch_size <= ring->scratch_size &&
	       c->scratch_size >= ((uint64_t)p->sq_entries + 1) * RINGD_SCRATCH_PER_SQE;
}

/* NO_MMAP: the engine has found both inside arenas. */
static void borrow(struct ringd_ring *ring, const struct ringd_ring_created *c)
{
	const struct ringd_params *p = &c->params;

	ring->borrowed = true;
	ring->rings_size = c->rings_size;
	ring->sqes_size = c->sqes_size;
	ring->rings = (void *)(uintptr_t)p->cq_off.user_addr;
	ring->sqes = (struct ringd_sqe *)(uintptr_t)p->sq_off.user_addr;
}

static int map_regions(struct ringd_ring *ring, const struct ringd_ring_created *c, int fd)
{
	const int prot = PROT_READ | PROT_WRITE;

	ring->rings = mmap(NULL, c->rings_size, prot, MAP_SHARED, fd, RINGD_OFF_SQ_RING);
	if (ring->rings == MAP_FAILED) {
		ring->rings = NULL;
		return -errno;
	}
	ring->rings_size = c->rings_size;
	ring->sqes = mmap(NULL, c->sqes_size, prot, MAP_SHARED, fd, (off_t)RINGD_OFF_SQES);
	if (ring->sqes == MAP_FAILED) {
		ring->sqes = NULL;
		return -errno;
	}
	ring->sqes_size = c->sqes_size;
	return 0;
}

static int map(struct ringd_ring *ring, const struct ringd_ring_created *c, int fd)
{
	const int prot = PROT_READ | PROT_WRITE;
	int r = 0;

	if (c->params.flags & RINGD_SETUP_NO_MMAP)
		borrow(ring, c);
	else
		r = map_regions(ring, c, fd);
	if (r < 0)
		return r;
	if (mmap(ring->scratch, c->scratch_size, prot, MAP_SHARED | MAP_FIXED, fd, (off_t)RINGD_OFF_SCRATCH) == MAP_FAILED)
		return -errno;
	return 0;
}

/* From here on nothing is read from shared memory but the words that the engine writes. */
static void init_private(struct ringd_ring *ring, const struct ringd_ring_created *c)
{
	const struct ringd_params *p = &c->params;

	ring->hot = (struct ringd_hot *)((char *)ring->rings + c->hot_off);
	ring->cq_hot = ring->hot;
	ring->cqes = (struct ringd_cqe *)((char *)ring->rings + p->cq_off.cqes);
	ring->sq_entries = p->sq_entries;
	ring->sq_mask = p->sq_entries - 1;
	ring->cq_entries = p->cq_entries;
	ring->cq_mask = p->cq_entries - 1;
	ring->flags = p->flags;
	ring->features = p->features;
	ring->sqpoll = p->flags & RINGD_SETUP_SQPOLL;
	ring->sqe_shift = (uint8_t)sqe_shift(p);
	ring->sq_plain = ring->sqe_shift ? 0 : p->sq_entries;
	ring->cqe_shift = (uint8_t)cqe_shift(p);
	ring->mixed = p->flags & RINGD_SETUP_CQE_MIXED;
	ring->sq_head = rdl_load_acquire(&ring->hot->sq_head);
	ring->sq_tail = ring->sq_published = rdl_load(&ring->hot->sq_tail);
	ring->cq_head = rdl_load(&ring->hot->cq_head);
	ring->cq_tail = ring->cq_head;
	ring->enter_seq = rdl_load(&ring->hot->enter_seq);
	ring->dropped = rdl_load(&ring->hot->cq_overflow);
}

static uint32_t special(uint32_t flags)
{
	uint32_t s = 0;

	if (flags & RINGD_SETUP_R_DISABLED)
		s |= RDL_DISABLED;
	if (flags & RINGD_SETUP_SINGLE_ISSUER)
		s |= RDL_ISSUER;
	if (flags & RINGD_SETUP_DEFER_TASKRUN)
		s |= RDL_LAZY | RDL_DEFER;
	if ((flags & RINGD_SETUP_IOPOLL) && !(flags & RINGD_SETUP_SQPOLL))
		s |= RDL_LAZY | RDL_IOPOLL;
	if (flags & RINGD_SETUP_SQ_REWIND)
		s |= RDL_REWIND;
	return s;
}

static int ring_setup(struct ringd_ring *ring, struct ringd_params *params)
{
	struct answer a = { .fds = { -1, -1, -1 } };
	int r;

	r = rdl_task_restrict(ring->rd);
	if (r < 0)
		return r;
	r = ring_create(ring, params, &a);
	if (r == -EMFILE && a.msg.res >= 0 && a.size >= sizeof(a.created)) {
		tell_free(ring->rd, a.created.ring_id);
		return rdl_fail(ring->rd, -EMFILE, "no descriptor left for a ring");
	}
	if (r < 0)
		return r;
	r = plausible(ring, &a.created, params) ? map(ring, &a.created, a.ring) : -EPROTO;
	if (r == 0) {
		init_private(ring, &a.created);
		r = rdl_scratch_init(ring, ring->sq_entries + 1);
	}
	if (r < 0) {
		tell_free(ring->rd, a.created.ring_id);
		answer_close(&a);
		return rdl_fail(ring->rd, r, "cannot map the ring");
	}
	ring->id = a.created.ring_id;
	ring->special = special(ring->flags);
	/* R_DISABLED: whoever enables it will be the submitter */
	ring->issuer = ring->special & RDL_DISABLED ? 0 : rdl_thread_id();
	ring->doorbell = rdl_steal_fd(&a.doorbell);
	ring->wake = rdl_steal_fd(&a.wake);
	answer_close(&a);
	*params = a.created.params;
	return 0;
}

static void ring_release(struct ringd_ring *ring)
{
	rdl_scratch_deinit(ring);
	rdl_sleep_deinit(ring);
	if (ring->rings && !ring->borrowed)
		munmap(ring->rings, ring->rings_size);
	if (ring->sqes && !ring->borrowed)
		munmap(ring->sqes, ring->sqes_size);
	if (ring->scratch)
		munmap(ring->scratch, ring->scratch_size);
	if (ring->region_mapped)
		munmap(ring->region, ring->region_size);
	rdl_zcrx_deinit(ring);
	rdl_close(ring->doorbell);
	rdl_close(ring->wake);
}

static struct ringd_ring *ring_alloc(struct ringd *rd, uint32_t sq_entries)
{
	struct ringd_ring *ring = aligned_alloc(128, (sizeof(*ring) + 127) & ~(size_t)127);

	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->doorbell = ring->wake = ring->index = -1;
	ring->rd = rd;
	ring->clock = CLOCK_MONOTONIC;
	ring->refs = 2;		/* the connection's and the caller's */
	ring->scratch_size = ((size_t)sq_entries + 1) * RINGD_SCRATCH_PER_SQE;
	ring->scratch = rdl_reserve(ring->scratch_size, 1);
	return ring;
}

static int ring_new(struct ringd *rd, struct ringd_ring **ret, uint32_t sq_entries, struct ringd_params *params)
{
	struct ringd_ring *ring = ring_alloc(rd, sq_entries);
	int r;

	if (!ring)
		return rdl_fail(rd, -ENOMEM, "ring");
	r = ring->scratch ? ring_setup(ring, params) : rdl_fail(rd, -ENOMEM, "no address space for a ring");
	if (r < 0) {
		ring_release(ring);
		free(ring);
		return r;
	}
	ring->next = rd->rings;
	ring->prev = &rd->rings;
	if (ring->next)
		ring->next->prev = &ring->next;
	rd->rings = ring;
	*ret = ring;
	return 0;
}

/* As io_uring_setup(): what is wrong with the arguments, in its order. */
static int check_params(struct ringd *rd, uint32_t entries, const struct ringd_params *p, struct rdl_sizes *sizes)
{
	int r;

	if (p->resv[0] || p->resv[1] || p->resv[2])
		return rdl_fail(rd, -EINVAL, "reserved words of the parameters");
	if (p->flags & ~RINGD_SETUP_ALL)
		return rdl_fail(rd, -EINVAL, "setup flags %#x", p->flags & ~RINGD_SETUP_ALL);
	r = rdl_sizes(sizes, entries, p);
	if (r < 0)
		return rdl_fail(rd, r, "a ring of %u SQEs and %u CQEs", entries, p->cq_entries);
	if (p->flags & RINGD_SETUP_REGISTERED_FD_ONLY) {
		r = p->flags & RINGD_SETUP_NO_MMAP ? rdl_fds_room() : -EINVAL;
		if (r < 0)
			return rdl_fail(rd, r, "a ring that is only registered");
	}
	return 0;
}

int ringd_ring_new_params(struct ringd *rd, struct ringd_ring **ret, unsigned int entries, struct ringd_params *params)
{
	struct rdl_sizes sizes;
	struct ringd_params p;
	int r;

	*ret = NULL;
	if (!params)
		return rdl_fail(rd, -EFAULT, "no parameters");
	p = *params;
	r = check_params(rd, entries, &p, &sizes);
	if (r < 0)
		return r;
	rdl_rings_sweep(rd);
	p.sq_entries = entries;
	p.flags |= RINGD_SETUP_NO_SQARRAY;
	r = ring_new(rd, ret, sizes.sq_entries, &p);
	if (r == 0 && (p.flags & RINGD_SETUP_REGISTERED_FD_ONLY)) {
		r = rdl_fds_add(*ret);
		if (r >= 0) {
			(*ret)->index = r;
		} else {
			ringd_ring_free(*ret);
			*ret = NULL;
		}
	}
	if (r >= 0)
		*params = p;
	return r;
}

int ringd_ring_new(struct ringd *rd, struct ringd_ring **ret, unsigned int entries, unsigned int flags)
{
	struct ringd_params params = { .flags = flags };

	return ringd_ring_new_params(rd, ret, entries, &params);
}

/* Nothing is left but the structure, for those who still have its address. */
static void ring_end(struct ringd_ring *ring)
{
	*ring->prev = ring->next;
	if (ring->next)
		ring->next->prev = ring->prev;
	rdl_mark_dead(ring);
	ring_release(ring);
	ring->rd = NULL;
	rdl_ring_put(ring);
}

void rdl_ring_close(struct ringd_ring *ring)
{
	bool freed = ring->freed;

	ring_end(ring);
	if (!freed)
		rdl_ring_put(ring);
}

void rdl_rings_sweep(struct ringd *rd)
{
	for (struct ringd_ring *ring = rd->rings, *next; ring; ring = next) {
		next = ring->next;
		if (!ring->freed || __atomic_load_n(&ring->refs, __ATOMIC_ACQUIRE) > 1)
			continue;
		tell_free(rd, ring->id);
		rdl_channel_forget(ring);
		ring_end(ring);
	}
}

void ringd_ring_free(struct ringd_ring *ring)
{
	struct ringd *rd;

	if (!ring)
		return;
	rd = ring->rd;
	ring->freed = true;
	rdl_ring_put(ring);	/* the connection has one more */
	rdl_rings_sweep(rd);
}

unsigned int ringd_ring_features(const struct ringd_ring *ring)
{
	return ring->features;
}

unsigned int ringd_ring_flags(const struct ringd_ring *ring)
{
	return ring->flags;
}
