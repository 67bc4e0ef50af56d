/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registered ring descriptors: 16 per thread, of whatever rings; they are references and go with their thread. */
#include <errno.h>
#include <stdlib.h>

#include "process.h"

struct slots {
	struct rd_local_ring *ring[RD_LOCAL_SLOTS];
	uint32_t generation;	/* a child of fork() starts without any */
};

static __thread struct slots slots;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void slots_drop(void *arg)
{
	struct slots *s = arg;

	if (s->generation != rd_local.generation)
		return;
	rd_local_lock();
	for (unsigned int i = 0; i < RD_LOCAL_SLOTS; i++) {
		if (s->ring[i])
			rd_local_ring_put(s->ring[i]);
		s->ring[i] = NULL;
	}
	rd_local_leave();
	rd_local_unlock();
	rd_local_settle_down();
}

static void key_make(void)
{
	(void)!pthread_key_create(&key, slots_drop);
}

static struct slots *mine(void)
{
	if (slots.generation != rd_local.generation)
		slots = (struct slots){ .generation = rd_local.generation };
	return &slots;
}

int rd_local_slot_set(int slot, struct rd_local_ring *lr)
{
	struct slots *s = mine();

	if (slot >= RD_LOCAL_SLOTS)
		return -EINVAL;
	if (slot < 0) {
		for (slot = 0; slot < RD_LOCAL_SLOTS && s->ring[slot]; slot++)
			;
	}
	if (slot == RD_LOCAL_SLOTS || s->ring[slot])
		return -EBUSY;
	pthread_once(&once, key_make);
	pthread_setspecific(key, s);
	s->ring[slot] = rd_local_ring_get(lr);
	return slot;
}

int rd_local_slot_clear(unsigned int slot)
{
	struct slots *s = mine();
	struct rd_local_ring *lr;

	if (slot >= RD_LOCAL_SLOTS)
		return -EINVAL;
	lr = s->ring[slot];
	s->ring[slot] = NULL;
	if (lr)
		rd_local_ring_put(lr);
	return 0;
}

struct rd_local_ring *rd_local_slot_get(unsigned int slot)
{
	return slot < RD_LOCAL_SLOTS ? mine()->ring[slot] : NULL;
}
