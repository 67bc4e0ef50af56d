/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory a ring takes, by the rules of setup, before there is one. */
#include <unistd.h>

#include "client-lib/compat/api/private.h"

#define HEADER	64u	/* before the first CQE */

static uint32_t power_of_two(uint32_t n)
{
	return n <= 1 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

static int entries_of(uint32_t *ret, uint32_t asked, uint32_t max, bool clamp)
{
	if (!asked || (asked > max && !clamp))
		return -EINVAL;
	*ret = power_of_two(asked > max ? max : asked);
	return 0;
}

int rd_uring_sizes(struct rd_uring_sizes *ret, unsigned int entries, const struct ringd_params *p)
{
	bool clamp = p->flags & RINGD_SETUP_CLAMP;
	size_t page = (size_t)getpagesize(), rings;
	struct rd_uring_sizes s;
	int r = entries_of(&s.sq_entries, entries, RINGD_MAX_ENTRIES, clamp);

	if (r < 0)
		return r;
	s.cq_entries = 2 * s.sq_entries;
	if (p->flags & RINGD_SETUP_CQSIZE)
		r = entries_of(&s.cq_entries, p->cq_entries, RINGD_MAX_CQ_ENTRIES, clamp);
	if (r < 0 || s.cq_entries < s.sq_entries)
		return -EINVAL;
	/* the header is counted once per half of a CQE, too: that is where the index array begins */
	rings = (HEADER + s.cq_entries * sizeof(struct ringd_cqe)) << rd_uring_cqe_shift(p->flags);
	if (!(p->flags & RINGD_SETUP_NO_SQARRAY))
		rings = round_up(rings, 64) + s.sq_entries * sizeof(uint32_t);
	s.rings = round_up(rings, page);
	s.sqes = round_up((s.sq_entries * sizeof(struct ringd_sqe)) << rd_uring_sqe_shift(p->flags), page);
	*ret = s;
	return 0;
}

ssize_t io_uring_memory_size_params(unsigned int entries, struct ringd_params *p)
{
	struct ringd_params as_made = *p;
	struct rd_uring_sizes sizes;
	int r;

	/* the same as io_uring_queue_init_mem() will take */
	as_made.flags |= RINGD_SETUP_NO_SQARRAY;
	r = rd_uring_sizes(&sizes, entries, &as_made);
	return r < 0 ? r : (ssize_t)(sizes.sqes + sizes.rings);
}

ssize_t io_uring_memory_size(unsigned int entries, unsigned int flags)
{
	struct ringd_params p = { .flags = flags };

	return io_uring_memory_size_params(entries, &p);
}

/* RLIMIT_MEMLOCK does not count ring memory, as on every kernel since 5.12. */
ssize_t io_uring_mlock_size_params(unsigned int entries, struct ringd_params *p)
{
	struct rd_uring_sizes sizes;

	return rd_uring_sizes(&sizes, entries, p);
}

ssize_t io_uring_mlock_size(unsigned int entries, unsigned int flags)
{
	struct ringd_params p = { .flags = flags };

	return io_uring_mlock_size_params(entries, &p);
}
