/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * RESIZE_RINGS: the engine makes new memory, carries over what is in the old, and goes on there. Only a ring with
 * DEFER_TASKRUN can be resized, so nobody but the calling thread submits, reaps or waits.
 */
#include <string.h>
#include <sys/mman.h>

#include "private.h"

/* What takes the place of the old. */
struct fresh {
	struct ringd_resized r;
	char *scratch;
	size_t scratch_size;
	void *rings, *sqes;
	uint32_t *scratch_of, *scratch_free;
};

static void *map_fd(int fd, void *addr, size_t size, uint64_t off)
{
	void *p = mmap(addr, size, PROT_READ | PROT_WRITE, MAP_SHARED | (addr ? MAP_FIXED : 0), fd, (off_t)off);

	return p == MAP_FAILED ? NULL : p;
}

static void fresh_drop(struct fresh *f)
{
	if (f->scratch)
		munmap(f->scratch, f->scratch_size);
	if (f->rings)
		munmap(f->rings, f->r.rings_size);
	if (f->sqes)
		munmap(f->sqes, f->r.sqes_size);
	free(f->scratch_of);
	free(f->scratch_free);
}

static bool inside(uint64_t off, uint64_t size, uint64_t total)
{
	return off <= total && size <= total - off;
}

/* Neither what shared memory says of sq_head nor what the engine says of sizes may lead us out of what there is. */
static bool plausible(const struct ringd_ring *ring, const struct fresh *f, uint32_t sq_entries)
{
	const struct ringd_resized *r = &f->r;
	const struct ringd_params *p = &r->params;

	return p->sq_entries == sq_entries && p->cq_entries && !(p->cq_entries & (p->cq_entries - 1)) &&
	       ring->sq_tail - ring->sq_head <= RDL_MIN(sq_entries, ring->sq_entries) && r->scratch_size == f->scratch_size &&
	       inside(0, (uint64_t)sq_entries * sizeof(struct ringd_sqe) << ring->sqe_shift, r->sqes_size) &&
	       r->hot_off % 128 == 0 && inside(r->hot_off, sizeof(struct ringd_hot), r->rings_size) && p->cq_off.cqes % 16 == 0 &&
	       inside(p->cq_off.cqes, (uint64_t)p->cq_entries * sizeof(struct ringd_cqe) << ring->cqe_shift, r->rings_size);
}

static bool fresh_map(struct fresh *f, int fd)
{
	f->rings = map_fd(fd, NULL, f->r.rings_size, RINGD_OFF_SQ_RING);
	f->sqes = map_fd(fd, NULL, f->r.sqes_size, RINGD_OFF_SQES);
	return f->rings && f->sqes && map_fd(fd, f->scratch, f->r.scratch_size, RINGD_OFF_SCRATCH);
}

/* A member that points into the SQE's old block points into its new one. */
static void move_pointer(uint64_t *member, const char *from, const char *to)
{
	uint64_t off = *member - (uint64_t)(uintptr_t)from;

	if (off < RINGD_SCRATCH_PER_SQE)
		*member = (uint64_t)(uintptr_t)to + off;
}

/*
 * The SQEs that wait to be submitted may have blocks in the old scratch area. Each gets one in the new, from the start; there
 * are more blocks than SQEs.
 */
static uint32_t move_scratch(const struct ringd_ring *ring, struct fresh *f)
{
	uint32_t used = 0, new_mask = f->r.params.sq_entries - 1;

	for (uint32_t i = ring->sq_head; i != ring->sq_tail; i++) {
		uint32_t block = ring->scratch_of[i & ring->sq_mask];
		struct ringd_sqe *sqe = (struct ringd_sqe *)f->sqes + ((size_t)(i & new_mask) << ring->sqe_shift);
		const char *from = ring->scratch + (size_t)(block - 1) * RINGD_SCRATCH_PER_SQE;
		char *to = f->scratch + (size_t)used * RINGD_SCRATCH_PER_SQE;

		if (!block)
			continue;
		memcpy(to, from, RINGD_SCRATCH_PER_SQE);
		move_pointer(&sqe->addr, from, to);
		move_pointer(&sqe->off, from, to);
		move_pointer(&sqe->addr3, from, to);
		f->scratch_of[i & new_mask] = ++used;
	}
	return used;
}

static void take_over(struct ringd_ring *ring, struct fresh *f)
{
	const struct ringd_params *p = &f->r.params;
	uint32_t blocks = p->sq_entries + 1, used = move_scratch(ring, f);
	struct fresh old = {
		.r = { .rings_size = ring->rings_size, .sqes_size = ring->sqes_size },
		.scratch = ring->scratch, .scratch_size = ring->scratch_size, .rings = ring->rings, .sqes = ring->sqes,
		.scratch_of = ring->scratch_of, .scratch_free = ring->scratch_free,
	};

	ring->scratch_n_free = 0;
	for (uint32_t b = blocks; b > used; b--)
		f->scratch_free[ring->scratch_n_free++] = b - 1;
	ring->scratch_of = f->scratch_of;
	ring->scratch_free = f->scratch_free;
	ring->scratch_head = ring->sq_head;
	ring->scratch = f->scratch;
	ring->scratch_size = f->scratch_size;
	ring->rings = f->rings;
	ring->rings_size = f->r.rings_size;
	ring->sqes = f->sqes;
	ring->sqes_size = f->r.sqes_size;
	ring->hot = ring->cq_hot = (struct ringd_hot *)((char *)ring->rings + f->r.hot_off);
	ring->cqes = (struct ringd_cqe *)((char *)ring->rings + p->cq_off.cqes);
	ring->sq_entries = p->sq_entries;
	ring->sq_mask = p->sq_entries - 1;
	ring->sq_plain = ring->sq_plain ? p->sq_entries : 0;
	ring->cq_entries = p->cq_entries;
	ring->cq_mask = p->cq_entries - 1;
	fresh_drop(&old);
}

static int ask(struct ringd_ring *ring, struct fresh *f, const struct ringd_params *params, int *fd)
{
	struct ringd_resize call = { .params = *params, .scratch_base = (uintptr_t)f->scratch };

	/* what was got goes along, submitted or not */
	rdl_store_release(&ring->hot->sq_tail, ring->sq_tail);
	ring->sq_published = ring->sq_tail;
	ring->sq_head = rdl_special(ring) & RDL_REWIND ? 0 : rdl_load_acquire(&ring->hot->sq_head);
	return rdl_call_get(ring->rd, ring, RINGD_REGISTER_RESIZE_RINGS, 1, &call, sizeof(call), &f->r, sizeof(f->r), fd);
}

int ringd_resize_rings(struct ringd_ring *ring, struct ringd_params *params)
{
	struct ringd *rd = ring->rd;
	RDL_CLOSE int fd = -1;
	struct fresh f = { .scratch = NULL };
	struct rdl_sizes sizes;
	int r = rdl_check_alive(ring);

	if (r < 0)
		return r;
	if (!params)
		return rdl_fail(rd, -EFAULT, "no parameters");
	if (!(ring->flags & RINGD_SETUP_DEFER_TASKRUN) || (ring->flags & RINGD_SETUP_NO_MMAP) ||
	    (params->flags & ~(RINGD_SETUP_CQSIZE | RINGD_SETUP_CLAMP)) || rdl_sizes(&sizes, params->sq_entries, params) < 0)
		return rdl_fail(rd, -EINVAL, "resize: another ring's, unknown flags, or sizes that no ring has");
	f.scratch_size = ((size_t)sizes.sq_entries + 1) * RINGD_SCRATCH_PER_SQE;
	f.scratch = rdl_reserve(f.scratch_size, 1);
	f.scratch_of = calloc(sizes.sq_entries, sizeof(*f.scratch_of));
	f.scratch_free = calloc(sizes.sq_entries + 1, sizeof(*f.scratch_free));
	r = f.scratch && f.scratch_of && f.scratch_free ? ask(ring, &f, params, &fd) : rdl_fail(rd, -ENOMEM, "resize");
	if (r < 0) {
		if (rd->lost)	/* the engine is in memory that we shall never see */
			rdl_mark_dead(ring);
		fresh_drop(&f);
		return r;
	}
	if (!plausible(ring, &f, sizes.sq_entries) || !fresh_map(&f, fd)) {
		/* the engine is in the new memory already */
		rdl_mark_dead(ring);
		fresh_drop(&f);
		return rdl_fail(rd, -ENOMEM, "the ring is lost: its new memory cannot be mapped");
	}
	take_over(ring, &f);
	*params = f.r.params;
	return 0;
}
