/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered rings: a table of 16 per thread, as io_uring has one per task. There it saves the kernel looking for the
 * descriptor; here it gives a ring a small number that only this thread can use, and a life of its own: a ring that was
 * registered goes on after ringd_ring_free(), until it has been taken out of all tables or the connection is closed.
 *
 * The structure of a ring lives as long as a table names it, so a number that has outlived its connection is an error and
 * not a crash. A thread that ends leaves its rings behind; they go when a ring is made or freed next, or with the connection.
 */
#include <pthread.h>

#include "private.h"

#define SLOTS	RINGD_MAX_RING_FDS

struct table {
	struct ringd_ring *rings[SLOTS];
};

static _Thread_local struct table *mine __attribute__((__tls_model__("initial-exec")));
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool have_key;

static void table_free(void *arg)
{
	struct table *t = arg;

	for (unsigned int i = 0; i < SLOTS; i++) {
		if (t->rings[i])
			rdl_ring_put(t->rings[i]);
	}
	free(t);
	mine = NULL;
}

static void make_key(void)
{
	have_key = pthread_key_create(&at_exit, table_free) == 0;
}

static int table_get(void)
{
	if (mine)
		return 0;
	pthread_once(&once, make_key);
	mine = calloc(1, sizeof(*mine));
	if (!mine)
		return -ENOMEM;
	if (!have_key || pthread_setspecific(at_exit, mine) != 0) {
		free(mine);
		mine = NULL;
		return -ENOMEM;
	}
	return 0;
}

int rdl_fds_room(void)
{
	if (!mine)
		return 0;
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!mine->rings[i])
			return 0;
	}
	return -EBUSY;
}

/* Into slot *index, or the first free one for UINT32_MAX. */
static int add(struct ringd_ring *ring, uint32_t *index)
{
	uint32_t i = *index == UINT32_MAX ? 0 : *index, end = *index == UINT32_MAX ? SLOTS : *index + 1;
	int r = table_get();

	if (r < 0)
		return r;
	while (i < end && mine->rings[i])
		i++;
	if (i == end)
		return -EBUSY;
	mine->rings[i] = ring;
	rdl_ring_get(ring);
	*index = i;
	return 0;
}

static void remove_at(uint32_t index)
{
	struct ringd_ring *ring = mine ? mine->rings[index] : NULL;

	if (!ring)
		return;
	mine->rings[index] = NULL;
	rdl_ring_put(ring);
}

static struct ringd_ring *by_handle(struct ringd *rd, uint64_t handle)
{
	for (struct ringd_ring *ring = rd->rings; ring; ring = ring->next) {
		if (ring->id == handle && !ring->freed)
			return ring;
	}
	return NULL;
}

static int register_one(struct ringd *rd, struct ringd_rsrc_update *up)
{
	struct ringd_ring *ring;

	if (up->resv || (up->offset != UINT32_MAX && up->offset >= SLOTS))
		return -EINVAL;
	ring = by_handle(rd, up->data);
	return ring ? add(ring, &up->offset) : -EBADF;
}

int ringd_register_ring_fds(struct ringd *rd, struct ringd_rsrc_update *ups, unsigned int nr)
{
	unsigned int i;
	int r = 0;

	if (!nr || nr > SLOTS)
		return rdl_fail(rd, -EINVAL, "register %u rings", nr);
	for (i = 0; i < nr; i++) {
		r = register_one(rd, &ups[i]);
		if (r < 0)
			break;
	}
	return i ? (int)i : rdl_fail(rd, r, "register a ring");
}

int ringd_unregister_ring_fds(struct ringd *rd, const struct ringd_rsrc_update *ups, unsigned int nr)
{
	unsigned int i;

	if (!nr || nr > SLOTS)
		return rdl_fail(rd, -EINVAL, "unregister %u rings", nr);
	for (i = 0; i < nr; i++) {
		if (ups[i].resv || ups[i].data || ups[i].offset >= SLOTS)
			break;
		remove_at(ups[i].offset);
	}
	rdl_rings_sweep(rd);
	return i ? (int)i : rdl_fail(rd, -EINVAL, "unregister a ring");
}

int rdl_fds_add(struct ringd_ring *ring)
{
	uint32_t index = UINT32_MAX;
	int r = add(ring, &index);

	return r < 0 ? r : (int)index;
}

int ringd_register_ring_fd(struct ringd_ring *ring)
{
	int r;

	if (ring->index >= 0)
		return rdl_fail(ring->rd, -EEXIST, "the ring is registered");
	r = rdl_fds_add(ring);
	if (r < 0)
		return rdl_fail(ring->rd, r, "no room for another registered ring");
	ring->index = r;
	return 1;
}

int ringd_unregister_ring_fd(struct ringd_ring *ring)
{
	if (ring->index < 0 || !mine || mine->rings[ring->index] != ring)
		return rdl_fail(ring->rd, -EINVAL, "the ring is not registered by this thread");
	remove_at((uint32_t)ring->index);
	ring->index = -1;
	return 1;
}

int ringd_ring_index(const struct ringd_ring *ring)
{
	return ring->index;
}

int ringd_registered_ring(unsigned int index, struct ringd_ring **ret)
{
	*ret = NULL;
	if (index >= SLOTS || !mine)
		return -EINVAL;
	if (!mine->rings[index] || !mine->rings[index]->rd)
		return -EBADF;
	*ret = mine->rings[index];
	return 0;
}

int rdl_fds_check(const struct ringd_ring *ring)
{
	if (!mine)
		return -EINVAL;
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (mine->rings[i] == ring)
			return 0;
	}
	return -EBADF;
}

int ringd_enter_registered(unsigned int index, unsigned int to_submit, unsigned int min_complete, unsigned int flags,
			   const void *arg, size_t argsz)
{
	struct ringd_ring *ring;
	int r;

	if (flags & ~RINGD_ENTER_ALL)
		return -EINVAL;
	r = ringd_registered_ring(index, &ring);
	return r < 0 ? r : ringd_enter(ring, to_submit, min_complete, flags & ~RINGD_ENTER_REGISTERED_RING, arg, argsz);
}
