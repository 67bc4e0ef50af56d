/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rings of provided buffers. See ringd_buffers(3). */
#include <string.h>
#include <sys/mman.h>

#include "private.h"

int ringd_register_buf_ring(struct ringd_ring *ring, struct ringd_buf_reg *reg, unsigned int flags)
{
	struct ringd_buf_reg copy;

	if (!reg)
		return rdl_fail(ring->rd, -EINVAL, "register buffer ring: no structure");
	copy = *reg;
	copy.flags = (uint16_t)(copy.flags | flags);
	/* its memory would come as a descriptor, which nobody could use */
	if (copy.flags & RINGD_PBUF_RING_MMAP)
		return rdl_fail(ring->rd, -EINVAL, "register buffer ring: RINGD_PBUF_RING_MMAP is ringd_setup_buf_ring()'s");
	return rdl_call_one(ring, RINGD_REGISTER_PBUF_RING, 1, &copy, sizeof(copy));
}

int ringd_unregister_buf_ring(struct ringd_ring *ring, int bgid)
{
	struct ringd_buf_reg reg = { .bgid = (uint16_t)bgid };

	return rdl_call_one(ring, RINGD_UNREGISTER_PBUF_RING, 1, &reg, sizeof(reg));
}

static size_t ring_size(unsigned int entries)
{
	size_t page = (size_t)getpagesize();

	return (entries * sizeof(struct ringd_buf) + page - 1) & ~(page - 1);
}

/* Of a ring that could not be made: the words stay those about that. */
static void unregister(struct ringd_ring *ring, uint16_t bgid)
{
	char text[sizeof(ring->rd->text)];

	memcpy(text, ring->rd->text, sizeof(text));
	(void)ringd_unregister_buf_ring(ring, bgid);
	memcpy(ring->rd->text, text, sizeof(text));
	ring->rd->failed = true;
}

struct ringd_buf_ring *ringd_setup_buf_ring(struct ringd_ring *ring, unsigned int entries, int bgid, unsigned int flags,
					    int *err)
{
	struct ringd_buf_reg reg = {
		.ring_entries = entries, .bgid = (uint16_t)bgid, .flags = (uint16_t)(flags | RINGD_PBUF_RING_MMAP),
	};
	RDL_CLOSE int fd = -1;
	void *p;

	*err = rdl_call_get(ring->rd, ring, RINGD_REGISTER_PBUF_RING, 1, &reg, sizeof(reg), NULL, 0, &fd);
	if (*err < 0) {
		if (ring->rd->lost)	/* RLIMIT_NOFILE: the engine has made it */
			unregister(ring, reg.bgid);
		return NULL;
	}
	p = mmap(NULL, ring_size(entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 (off_t)(RINGD_OFF_PBUF_RING + ((uint64_t)reg.bgid << RINGD_OFF_PBUF_SHIFT)));
	if (p != MAP_FAILED)
		return p;
	*err = rdl_fail(ring->rd, -errno, "buffer ring: no room to map it");
	unregister(ring, reg.bgid);
	return NULL;
}

int ringd_free_buf_ring(struct ringd_ring *ring, struct ringd_buf_ring *br, unsigned int entries, int bgid)
{
	int r = ringd_unregister_buf_ring(ring, bgid);

	/* whatever the engine says, or if it is gone: nobody else has this mapping */
	if (br)
		munmap(br, ring_size(entries));
	return r;
}

int ringd_buf_ring_head(struct ringd_ring *ring, int bgid, uint16_t *head)
{
	struct ringd_buf_status status = { .buf_group = (uint16_t)bgid };
	int r = rdl_call_get(ring->rd, ring, RINGD_REGISTER_PBUF_STATUS, 1, &status, sizeof(status), &status, sizeof(status), NULL);

	if (r < 0)
		return r;
	*head = (uint16_t)status.head;
	return 0;
}

int ringd_buf_ring_available(struct ringd_ring *ring, const struct ringd_buf_ring *br, int bgid)
{
	uint16_t head;
	int r = ringd_buf_ring_head(ring, bgid, &head);

	return r < 0 ? r : (uint16_t)(br->tail - head);
}
