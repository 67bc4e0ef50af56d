/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffer groups. A classic group is a list of ranges, one per PROVIDE_BUFFERS, so that providing 65536 buffers costs as much
 * memory and time as providing one. Selecting changes nothing in either kind: giving back is doing nothing.
 */
#include "bufgroup.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/common/list.h"
#include "daemon/common/util.h"
#include "pbuf.h"

#define PAGE_GROUPS	256u	/* two levels of this size are all ids there are */
#define PAGE_OBJECTS	32	/* 2 KiB of pointers */

/* What is left of one PROVIDE_BUFFERS: never 0 buffers. */
struct rd_range_of_bufs {
	struct rd_link link;
	uint64_t addr;
	uint32_t len;		/* of each */
	uint32_t nr;
	uint16_t bid;
	struct rd_charge charge;
};

struct rd_bufgroup {
	struct rd_link ranges;	/* classic: oldest first */
	struct rd_pbuf pbuf;	/* ring: pbuf.ring is not NULL */
	bool taken;		/* a selection is going on */
	struct rd_charge charge;
};

struct rd_group_page {
	struct rd_charge charge;
	struct rd_bufgroup *groups[PAGE_GROUPS];
};

struct rd_bufgroups {
	struct rd_charge charge;
	struct rd_group_page *pages[PAGE_GROUPS];
};

static struct rd_bufgroup *group_find(const struct rd_bufgroups *groups, uint16_t bgid)
{
	const struct rd_group_page *page = groups ? groups->pages[bgid / PAGE_GROUPS] : NULL;

	return page ? page->groups[bgid % PAGE_GROUPS] : NULL;
}

static bool is_ring(const struct rd_bufgroup *group)
{
	return group->pbuf.ring;
}

bool rd_bufgroups_have(const struct rd_bufgroups *groups, uint16_t bgid)
{
	return group_find(groups, bgid);
}

/* --- making and freeing --- */

/* Zero-filled memory that is paid for by the charge at its start or wherever the caller puts it. */
static int new_charged(void **ret, struct rd_charge *charge, struct rd_user *user, uint64_t objects, size_t size)
{
	int r = rd_charge_take(charge, user, RINGD_LIMIT_OBJECTS, objects);

	if (r < 0)
		return r;
	*ret = calloc(1, size);
	if (*ret)
		return 0;
	rd_charge_give(charge);
	return -ENOMEM;
}

/* Both levels above a group; what is made here stays, also when the group itself then fails. */
static int make_room(struct rd_bufgroups **groups, struct rd_user *user, uint16_t bgid)
{
	struct rd_group_page **page;
	struct rd_charge charge;
	void *p = NULL;
	int r;

	if (!*groups) {
		r = new_charged(&p, &charge, user, PAGE_OBJECTS, sizeof(**groups));
		if (r < 0)
			return r;
		*groups = p;
		(*groups)->charge = charge;
	}
	page = &(*groups)->pages[bgid / PAGE_GROUPS];
	if (*page)
		return 0;
	r = new_charged(&p, &charge, user, PAGE_OBJECTS, sizeof(**page));
	if (r < 0)
		return r;
	*page = p;
	(*page)->charge = charge;
	return 0;
}

/* An empty classic group. */
static int group_new(struct rd_bufgroup **ret, struct rd_bufgroups **groups, struct rd_user *user, uint16_t bgid)
{
	struct rd_charge charge;
	void *p = NULL;
	int r;

	r = make_room(groups, user, bgid);
	if (r == 0)
		r = new_charged(&p, &charge, user, 1, sizeof(struct rd_bufgroup));
	if (r < 0)
		return r;
	*ret = p;
	(*ret)->charge = charge;
	rd_list_init(&(*ret)->ranges);
	(*groups)->pages[bgid / PAGE_GROUPS]->groups[bgid % PAGE_GROUPS] = *ret;
	return 0;
}

static void range_free(struct rd_range_of_bufs *range)
{
	rd_list_remove(&range->link);
	rd_charge_give(&range->charge);
	free(range);
}

/* Take n buffers off the front of a range. */
static void range_consume(struct rd_range_of_bufs *range, uint32_t n)
{
	range->nr -= n;
	range->addr += (uint64_t)n * range->len;
	range->bid = (uint16_t)(range->bid + n);
	if (!range->nr)
		range_free(range);
}

static void group_free(struct rd_bufgroups *groups, uint16_t bgid)
{
	struct rd_group_page *page = groups->pages[bgid / PAGE_GROUPS];
	struct rd_bufgroup *group = page->groups[bgid % PAGE_GROUPS];

	assert(!group->taken);
	page->groups[bgid % PAGE_GROUPS] = NULL;
	while (!rd_list_empty(&group->ranges))
		range_free(rd_list_first(&group->ranges, struct rd_range_of_bufs, link));
	if (is_ring(group))
		rd_pbuf_deinit(&group->pbuf);
	rd_charge_give(&group->charge);
	free(group);
}

static void page_free(struct rd_bufgroups *groups, uint16_t first)
{
	struct rd_group_page *page = groups->pages[first / PAGE_GROUPS];

	for (unsigned int i = 0; i < PAGE_GROUPS; i++) {
		if (page->groups[i])
			group_free(groups, (uint16_t)(first + i));
	}
	rd_charge_give(&page->charge);
	free(page);
}

struct rd_bufgroups *rd_bufgroups_free(struct rd_bufgroups *groups)
{
	if (!groups)
		return NULL;
	for (unsigned int i = 0; i < PAGE_GROUPS; i++) {
		if (groups->pages[i])
			page_free(groups, (uint16_t)(i * PAGE_GROUPS));
	}
	rd_charge_give(&groups->charge);
	free(groups);
	return NULL;
}

/* --- classic --- */

int rd_bufgroups_provide(struct rd_bufgroups **groups, struct rd_user *user, uint16_t bgid, uint64_t addr, uint32_t len,
			 uint32_t nr, uint16_t bid)
{
	struct rd_bufgroup *group = group_find(*groups, bgid);
	struct rd_range_of_bufs *range;
	struct rd_charge charge;
	void *p = NULL;
	int r = 0;

	if (group && is_ring(group))
		return -EINVAL;
	if (!group)
		r = group_new(&group, groups, user, bgid);
	if (r == 0)
		r = new_charged(&p, &charge, user, 1, sizeof(*range));
	if (r < 0)
		return r;
	range = p;
	*range = (struct rd_range_of_bufs){ .addr = addr, .len = len, .nr = nr, .bid = bid, .charge = charge };
	rd_list_append(&group->ranges, &range->link);
	return 0;
}

int rd_bufgroups_remove(struct rd_bufgroups *groups, uint16_t bgid, uint32_t nr)
{
	struct rd_bufgroup *group = group_find(groups, bgid);
	uint32_t left = nr;

	if (!group)
		return -ENOENT;
	if (is_ring(group))
		return -EINVAL;
	while (left && !rd_list_empty(&group->ranges)) {
		struct rd_range_of_bufs *range = rd_list_first(&group->ranges, struct rd_range_of_bufs, link);
		uint32_t n = RD_MIN(left, range->nr);

		range_consume(range, n);
		left -= n;
	}
	return (int)(nr - left);
}

/* --- rings --- */

int rd_bufgroups_check_ring(const struct rd_bufgroups *groups, uint16_t bgid)
{
	const struct rd_bufgroup *group = group_find(groups, bgid);

	return group && (is_ring(group) || !rd_list_empty(&group->ranges)) ? -EEXIST : 0;
}

int rd_bufgroups_add_ring(struct rd_bufgroups **groups, struct rd_user *user, const struct ringd_buf_reg *reg, void *mem,
			  struct rd_mem *owner)
{
	struct rd_bufgroup *group = group_find(*groups, reg->bgid);
	int r = rd_bufgroups_check_ring(*groups, reg->bgid);

	if (r == 0 && !group)
		r = group_new(&group, groups, user, reg->bgid);
	if (r < 0)
		return r;
	rd_pbuf_init(&group->pbuf, reg, mem, owner);
	return 0;
}

int rd_bufgroups_remove_ring(struct rd_bufgroups *groups, uint16_t bgid)
{
	struct rd_bufgroup *group = group_find(groups, bgid);

	if (!group)
		return -ENOENT;
	if (!is_ring(group))
		return -EINVAL;
	group_free(groups, bgid);
	return 0;
}

int rd_bufgroups_head(const struct rd_bufgroups *groups, uint16_t bgid)
{
	const struct rd_bufgroup *group = group_find(groups, bgid);

	if (!group)
		return -ENOENT;
	return is_ring(group) ? group->pbuf.head : -EINVAL;
}

/* --- selecting --- */

/* What is next in a group, and how many there are, this one included; *more may be less than the truth, never 0 for it. */
static bool next_entry(const struct rd_bufgroup *group, struct rd_pbuf_entry *entry, unsigned int *available)
{
	const struct rd_range_of_bufs *range;

	if (is_ring(group)) {
		*available = rd_pbuf_available(&group->pbuf);
		if (*available)
			*entry = rd_pbuf_entry(&group->pbuf, 0);
		return *available;
	}
	if (rd_list_empty(&group->ranges))
		return false;
	range = rd_list_first(&group->ranges, const struct rd_range_of_bufs, link);
	*entry = (struct rd_pbuf_entry){ .addr = range->addr, .len = range->len, .bid = range->bid };
	*available = range->nr > 1 || group->ranges.next != group->ranges.prev ? 2 : 1;
	return true;
}

uint32_t rd_bufgroups_next_len(const struct rd_bufgroups *groups, uint16_t bgid)
{
	const struct rd_bufgroup *group = group_find(groups, bgid);
	struct rd_pbuf_entry entry;
	unsigned int available;

	return group && next_entry(group, &entry, &available) ? entry.len : 0;
}

static int map_entry(struct rd_host *host, const struct rd_pbuf_entry *entry, uint64_t len, struct iovec *iov,
		     struct rd_mem **owner)
{
	*iov = (struct iovec){ .iov_len = len };
	*owner = NULL;
	if (!len)
		return 0;
	iov->iov_base = host->ops->map(host, entry->addr, len, owner);
	return iov->iov_base ? 0 : -EFAULT;
}

static void selected(struct rd_bufsel *sel, struct rd_bufgroup *group, const struct rd_pbuf_entry *entry)
{
	assert(!group->taken && !sel->group);
	group->taken = true;
	*sel = (struct rd_bufsel){ .group = group, .addr = entry->addr, .bid = entry->bid, .last_len = entry->len, .nr = 1 };
}

int rd_bufsel_take(struct rd_bufsel *sel, struct rd_bufgroups *groups, struct rd_host *host, uint16_t bgid, uint64_t want,
		   struct iovec *iov, struct rd_mem **owner)
{
	struct rd_bufgroup *group = group_find(groups, bgid);
	struct rd_pbuf_entry entry;
	unsigned int available;

	if (!group || !next_entry(group, &entry, &available))
		return -ENOBUFS;
	selected(sel, group, &entry);
	sel->bytes = want ? RD_MIN(want, entry.len) : entry.len;
	sel->dry = available == 1;
	return map_entry(host, &entry, sel->bytes, iov, owner);
}

/* Is this one still good for the bundle? *len: what of it. */
static bool bundle_fits(const struct rd_bufsel *sel, const struct rd_pbuf_entry *entry, uint64_t room, uint32_t *len)
{
	*len = (uint32_t)RD_MIN(entry->len, room);
	return entry->len && (*len == entry->len || sel->group->pbuf.inc);
}

int rd_bufsel_peek(struct rd_bufsel *sel, struct rd_bufgroups *groups, struct rd_host *host, uint16_t bgid, uint64_t want,
		   struct iovec *iov, struct rd_mem **owners, unsigned int room)
{
	uint64_t limit = want ? want : UINT64_MAX;
	struct rd_bufgroup *group = group_find(groups, bgid);
	struct rd_pbuf_entry entry;
	unsigned int available;
	int r;

	if (!group || !next_entry(group, &entry, &available) || !entry.len)
		return -ENOBUFS;
	selected(sel, group, &entry);
	sel->iov = iov;
	sel->bytes = RD_MIN(limit, entry.len);
	sel->dry = available == 1;
	r = map_entry(host, &entry, sel->bytes, &iov[0], &owners[0]);
	if (r < 0 || !is_ring(group))
		return r;
	room = RD_MIN(room, RD_BUFSEL_MAX);
	while (sel->nr < RD_MIN(available, room) && sel->bytes < limit) {
		uint32_t len;

		entry = rd_pbuf_entry(&group->pbuf, sel->nr);
		if (!bundle_fits(sel, &entry, limit - sel->bytes, &len))
			break;
		/* a bad one is the first of the next selection, which reports it */
		if (map_entry(host, &entry, len, &iov[sel->nr], &owners[sel->nr]) < 0)
			break;
		sel->nr++;
		sel->bytes += len;
		sel->last_len = entry.len;
	}
	sel->dry = sel->nr == available;
	return 0;
}

/* The n-th buffer of the selection, as long as its entry said. */
static uint32_t entry_len(const struct rd_bufsel *sel, unsigned int n)
{
	return n + 1u == sel->nr ? sel->last_len : (uint32_t)sel->iov[n].iov_len;
}

static uint32_t commit_ring(const struct rd_bufsel *sel, struct rd_pbuf *pbuf, uint64_t bytes)
{
	bool used_up;
	unsigned int n = 0;

	do {
		uint32_t len = entry_len(sel, n);
		uint64_t part = RD_MIN(bytes, len);

		used_up = rd_pbuf_consume(pbuf, len, part);
		bytes -= part;
		n++;
	} while (used_up && bytes && n < sel->nr);
	return used_up ? 0 : RINGD_CQE_F_BUF_MORE;
}

uint32_t rd_bufsel_commit(struct rd_bufsel *sel, uint64_t bytes)
{
	struct rd_bufgroup *group = sel->group;
	uint32_t cflags = RINGD_CQE_F_BUFFER | (uint32_t)sel->bid << RINGD_CQE_BUFFER_SHIFT;

	assert(group && group->taken);
	if (is_ring(group))
		cflags |= commit_ring(sel, &group->pbuf, RD_MIN(bytes, sel->bytes));
	else
		range_consume(rd_list_first(&group->ranges, struct rd_range_of_bufs, link), 1);
	rd_bufsel_drop(sel);
	return cflags;
}

void rd_bufsel_drop(struct rd_bufsel *sel)
{
	if (sel->group)
		sel->group->taken = false;
	sel->group = NULL;
}
