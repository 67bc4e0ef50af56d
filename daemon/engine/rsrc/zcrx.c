/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every buffer is on the free stack or has its bit in out, never both: what comes back is only believed when the bit is set,
 * so whatever the refill ring says the stack has room for it. What the client does with a buffer that it has given back, or
 * never got, is its own data.
 */
#include "zcrx.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "stage.h"

#define TABLE_OBJECTS	10	/* 64 pointers and what is around them */

struct rd_zcrxs {
	struct rd_charge charge;
	struct rd_zcrx *slots[RD_ZCRX_MAX];
};

/* --- one area --- */

/* Everything about it in one piece that is paid for: the area itself, then its stack, then its bits. */
int rd_zcrx_new(struct rd_zcrx **ret, struct rd_user *user, const struct rd_zcrx_config *cfg)
{
	const uint32_t nr = (uint32_t)(cfg->area_len >> cfg->shift);
	const size_t stack = (size_t)nr * sizeof(uint32_t), bits = ((size_t)nr + 7) / 8;
	struct rd_zcrx *z;
	void *mem;
	int r = rd_stage_new(&mem, user, sizeof(*z) + stack + bits);

	if (r < 0)
		return r;
	z = mem;
	*z = (struct rd_zcrx){
		.refs = 1, .rq = cfg->rq, .rq_entries = cfg->rq_entries, .rq_owner = rd_mem_get(cfg->rq_owner),
		.area = cfg->area, .area_owner = rd_mem_get(cfg->area_owner), .shift = cfg->shift, .nr = nr, .n_free = nr,
		.export = { .fd = -1 },
	};
	z->free = (uint32_t *)(void *)(z + 1);
	z->out = (uint8_t *)z->free + stack;
	for (uint32_t i = 0; i < nr; i++)
		z->free[i] = nr - 1 - i;
	for (size_t i = 0; i < bits; i++)
		z->out[i] = 0;
	rd_list_init(&z->waiters);
	rd_list_init(&z->export.link);
	*ret = z;
	return 0;
}

void rd_zcrx_put(struct rd_zcrx *z)
{
	if (--z->refs > 0)
		return;
	rd_list_remove(&z->export.link);
	rd_close(z->export.fd);		/* a memory file: does not sleep */
	rd_charge_give(&z->export.file);
	rd_mem_put(z->rq_owner);
	rd_mem_put(z->area_owner);
	rd_stage_free(z);
}

uint64_t rd_zcrx_hand_out(struct rd_zcrx *z)
{
	uint32_t i = z->free[--z->n_free];

	z->out[i / 8] |= (uint8_t)(1u << (i % 8));
	return (uint64_t)i << z->shift;
}

/* --- the refill ring --- */

static void take_back(struct rd_zcrx *z, const struct ringd_zcrx_rqe *entry)
{
	uint64_t off = __atomic_load_n(&entry->off, __ATOMIC_RELAXED);
	uint64_t i = off >> z->shift;
	uint8_t bit = (uint8_t)(1u << (i % 8));

	/* the area's id is in the high bits, and there is only 0: any other makes i too large */
	if (__atomic_load_n(&entry->__pad, __ATOMIC_RELAXED) || i >= z->nr || !(z->out[i / 8] & bit))
		return;
	z->out[i / 8] &= (uint8_t)~bit;
	z->free[z->n_free++] = (uint32_t)i;
}

void rd_zcrx_pass_on(struct rd_zcrx *z)
{
	while (z->n_free && !rd_list_empty(&z->waiters)) {
		struct rd_zcrx_waiter *w = rd_list_first(&z->waiters, struct rd_zcrx_waiter, link);

		rd_list_remove(&w->link);
		if (w->wake(w))
			return;
	}
}

static void wake_waiters(struct rd_zcrx *z)
{
	for (uint32_t n = z->n_free; n && !rd_list_empty(&z->waiters); n--)
		rd_zcrx_pass_on(z);
}

unsigned int rd_zcrx_refill(struct rd_zcrx *z)
{
	const struct ringd_zcrx_rqe *entries = (const void *)(z->rq + RD_ZCRX_RQ_ENTRIES);
	/* acquire: pairs with the client's release of the tail, the entries below it are complete */
	uint32_t tail = __atomic_load_n((uint32_t *)(void *)(z->rq + RD_ZCRX_RQ_TAIL), __ATOMIC_ACQUIRE);
	uint32_t n = tail - z->rq_head;

	if (!n)
		return 0;
	n = RD_MIN(n, z->rq_entries);	/* a tail that lies is a full ring */
	n = RD_MIN(n, (uint32_t)RD_ZCRX_LOOK);
	for (uint32_t i = 0; i < n; i++)
		take_back(z, &entries[z->rq_head++ & (z->rq_entries - 1)]);
	/* release: the client may use the slots again when it sees it */
	__atomic_store_n((uint32_t *)(void *)(z->rq + RD_ZCRX_RQ_HEAD), z->rq_head, __ATOMIC_RELEASE);
	wake_waiters(z);
	return n;
}

void rd_zcrx_flush(struct rd_zcrx *z)
{
	for (uint32_t done = 0, n = 1; n && done < z->rq_entries; done += n)
		n = rd_zcrx_refill(z);
}

/* --- those of one ring --- */

uint32_t rd_zcrxs_next_id(const struct rd_zcrxs *zs)
{
	uint32_t id = 0;

	while (zs && id < RD_ZCRX_MAX && zs->slots[id])
		id++;
	return id;
}

static int make_table(struct rd_zcrxs **zs, struct rd_user *user)
{
	struct rd_charge charge;
	int r = rd_charge_take(&charge, user, RINGD_LIMIT_OBJECTS, TABLE_OBJECTS);

	if (r < 0)
		return r;
	*zs = calloc(1, sizeof(**zs));
	if (!*zs) {
		rd_charge_give(&charge);
		return -ENOMEM;
	}
	(*zs)->charge = charge;
	return 0;
}

int rd_zcrxs_add(struct rd_zcrxs **zs, struct rd_user *user, struct rd_zcrx *z)
{
	uint32_t id = rd_zcrxs_next_id(*zs);
	int r = *zs ? 0 : make_table(zs, user);

	if (r < 0)
		return r;
	if (id == RD_ZCRX_MAX)
		return -EBUSY;
	(*zs)->slots[id] = rd_zcrx_get(z);
	return (int)id;
}

struct rd_zcrx *rd_zcrxs_find(const struct rd_zcrxs *zs, uint32_t id)
{
	return zs && id < RD_ZCRX_MAX ? zs->slots[id] : NULL;
}

void rd_zcrxs_remove(struct rd_zcrxs *zs, uint32_t id)
{
	struct rd_zcrx *z = rd_zcrxs_find(zs, id);

	if (!z)
		return;
	zs->slots[id] = NULL;
	rd_zcrx_put(z);
}

void rd_zcrxs_look(struct rd_zcrxs *zs)
{
	for (uint32_t id = 0; id < RD_ZCRX_MAX && zs->slots[id]; id++) {
		struct rd_zcrx *z = zs->slots[id];

		if (rd_list_empty(&z->waiters))
			continue;
		/* they may have been taken back on behalf of somebody else */
		if (z->n_free)
			wake_waiters(z);
		else
			rd_zcrx_refill(z);
	}
}

struct rd_zcrxs *rd_zcrxs_free(struct rd_zcrxs *zs)
{
	if (!zs)
		return NULL;
	for (uint32_t id = 0; id < RD_ZCRX_MAX; id++)
		rd_zcrxs_remove(zs, id);
	rd_charge_give(&zs->charge);
	free(zs);
	return NULL;
}
