/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small allocator inside one arena: best bin, first fit, neighbours merged at release. All bookkeeping is in private
 * memory: the arena is shared with the engine, and its pages may turn to zero, so nothing in it decides anything.
 *
 * Every byte of the arena belongs to exactly one block; the blocks form a list in address order in which no two free
 * ones are neighbours. A free block hangs in the bin of its size, a used one in the hash by its offset.
 */
#include "private.h"

#define UNIT		64u		/* a cache line: two buffers never share one */
#define MAX_ALIGN	(2u << 20)
#define FIRST_CHAINS	64u

struct rdl_block {
	size_t off, size;		/* multiples of UNIT */
	struct rdl_block *prev, *next;	/* address order */
	struct rdl_block *link, **back;	/* of the bin or, link alone, of the hash chain */
	bool used;
};

static unsigned int bin_of(size_t size)
{
	return 63 - (unsigned int)__builtin_clzll((unsigned long long)size / UNIT);
}

static void bin_add(struct ringd_arena *a, struct rdl_block *b)
{
	unsigned int i = bin_of(b->size);

	b->used = false;
	b->link = a->free[i];
	b->back = &a->free[i];
	if (b->link)
		b->link->back = &b->link;
	a->free[i] = b;
	a->bins |= 1ull << i;
}

static void bin_remove(struct ringd_arena *a, struct rdl_block *b)
{
	unsigned int i = bin_of(b->size);

	*b->back = b->link;
	if (b->link)
		b->link->back = b->back;
	if (!a->free[i])
		a->bins &= ~(1ull << i);
}

static struct rdl_block **chain(struct ringd_arena *a, size_t off)
{
	return &a->used[(off / UNIT * 0x9e3779b97f4a7c15ull >> 20) & a->used_mask];
}

/* More chains when there are more blocks than chains. No memory: the old ones will do. */
static void hash_grow(struct ringd_arena *a)
{
	size_t n = a->used_mask + 1;
	struct rdl_block **old = a->used, **bigger;

	if (a->n_used < n)
		return;
	bigger = calloc(n * 2, sizeof(*bigger));
	if (!bigger)
		return;
	a->used = bigger;
	a->used_mask = n * 2 - 1;
	for (size_t i = 0; i < n; i++) {
		while (old[i]) {
			struct rdl_block *b = old[i], **c = chain(a, b->off);

			old[i] = b->link;
			b->link = *c;
			*c = b;
		}
	}
	free(old);
}

static void hash_add(struct ringd_arena *a, struct rdl_block *b)
{
	struct rdl_block **c;

	hash_grow(a);
	c = chain(a, b->off);
	b->used = true;
	b->link = *c;
	*c = b;
	a->n_used++;
}

static struct rdl_block *hash_take(struct ringd_arena *a, size_t off)
{
	for (struct rdl_block **c = chain(a, off), *b; (b = *c); c = &b->link) {
		if (b->off != off)
			continue;
		*c = b->link;
		a->n_used--;
		return b;
	}
	return NULL;
}

/* The whole arena as one free block. */
static bool prepare(struct ringd_arena *a)
{
	if (a->first)
		return true;
	if (!a->used) {
		a->used = calloc(FIRST_CHAINS, sizeof(*a->used));
		if (!a->used)
			return false;
		a->used_mask = FIRST_CHAINS - 1;
	}
	a->first = calloc(1, sizeof(*a->first));
	if (!a->first)
		return false;
	a->first->size = a->size;
	bin_add(a, a->first);
	return true;
}

/* Where size bytes fit into b with this alignment of the address; SIZE_MAX: nowhere. */
static size_t fit(const struct ringd_arena *a, const struct rdl_block *b, size_t size, size_t align)
{
	uintptr_t start = (uintptr_t)a->base + b->off;
	size_t gap = (size_t)(-start & (align - 1));

	return gap <= b->size && size <= b->size - gap ? b->off + gap : SIZE_MAX;
}

static struct rdl_block *find(struct ringd_arena *a, size_t size, size_t align, size_t *off)
{
	uint64_t bins = a->bins & (~0ull << bin_of(size));

	for (; bins; bins &= bins - 1) {
		for (struct rdl_block *b = a->free[__builtin_ctzll(bins)]; b; b = b->link) {
			*off = fit(a, b, size, align);
			if (*off != SIZE_MAX)
				return b;
		}
	}
	return NULL;
}

/* Cut b at off: what is behind becomes a block of its own, in no bin. NULL: no memory, nothing happened. */
static struct rdl_block *split(struct rdl_block *b, size_t off)
{
	struct rdl_block *rest = calloc(1, sizeof(*rest));

	if (!rest)
		return NULL;
	rest->off = off;
	rest->size = b->off + b->size - off;
	b->size = off - b->off;
	rest->prev = b;
	rest->next = b->next;
	if (rest->next)
		rest->next->prev = rest;
	b->next = rest;
	return rest;
}

/* b and its right neighbour, neither in a bin, become one. */
static void merge(struct rdl_block *b)
{
	struct rdl_block *gone = b->next;

	b->size += gone->size;
	b->next = gone->next;
	if (b->next)
		b->next->prev = b;
	free(gone);
}

void *ringd_arena_alloc(struct ringd_arena *a, size_t size, size_t align)
{
	struct rdl_block *b, *front, *rest;
	size_t off;

	if (!align)
		align = UNIT;
	if ((align & (align - 1)) || align > MAX_ALIGN || size > a->size || !prepare(a))
		return NULL;
	if (align < UNIT)
		align = UNIT;
	size = size ? (size + UNIT - 1) & ~(size_t)(UNIT - 1) : UNIT;
	front = find(a, size, align, &off);
	if (!front)
		return NULL;
	bin_remove(a, front);
	b = front;
	if (off != front->off) {
		b = split(front, off);
		if (!b) {
			bin_add(a, front);
			return NULL;
		}
		bin_add(a, front);
	}
	if (b->size != size) {
		rest = split(b, b->off + size);
		if (rest)
			bin_add(a, rest);
		/* no memory for the rest's bookkeeping: the caller gets it too, and gives it back with the block */
	}
	hash_add(a, b);
	return a->base + b->off;
}

void ringd_arena_release(struct ringd_arena *a, void *ptr)
{
	uintptr_t off = (uintptr_t)ptr - (uintptr_t)a->base;
	struct rdl_block *b;

	if (!ptr || !a->used || off >= a->size)
		return;
	b = hash_take(a, off);
	if (!b)
		return;
	if (b->next && !b->next->used) {
		bin_remove(a, b->next);
		merge(b);
	}
	if (b->prev && !b->prev->used) {
		b = b->prev;
		bin_remove(a, b);
		merge(b);
	}
	bin_add(a, b);
}

void rdl_arena_alloc_deinit(struct ringd_arena *a)
{
	while (a->first) {
		struct rdl_block *b = a->first;

		a->first = b->next;
		free(b);
	}
	free(a->used);
	a->used = NULL;
	a->bins = 0;
}
