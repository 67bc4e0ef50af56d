/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register calls about the ring itself: its eventfd, its start. */
#include <string.h>

#include "../ring/event.h"
#include "register.h"

/* --- eventfd --- */

static int event_refused(struct rd_reg *reg, int err)
{
	switch (err) {
	case -EBUSY:
		return rd_refuse(reg->session, err, "this ring has an eventfd");
	case -EINVAL:
		return rd_refuse(reg->session, err, "the descriptor is not an eventfd");
	case -EDQUOT:
		return rd_refuse_budget(reg->session, RINGD_LIMIT_FILES, 1);
	}
	return rd_refuse(reg->session, err, "the eventfd cannot be registered");
}

static int event_register(struct rd_reg *reg, bool async)
{
	int32_t fd;
	int r;

	if (reg->head->nr != 1 || reg->head->has_tags)
		return rd_refuse(reg->session, -EINVAL, "one eventfd is registered at a time");
	if (reg->ring->event)
		return event_refused(reg, -EBUSY);
	r = rd_reg_struct(reg, &fd, sizeof(fd));
	if (r < 0)
		return r;
	if (reg->len != sizeof(fd) || reg->n_fds != (fd >= 0))
		return rd_refuse(reg->session, -EPROTO, "an eventfd with %zu bytes and %zu descriptors", reg->len, reg->n_fds);
	if (fd < 0)
		return rd_refuse(reg->session, -EBADF, "%d is no descriptor", fd);
	r = rd_event_set(reg->ring, reg->fds[0], async);
	if (r < 0)
		return event_refused(reg, r);
	reg->fds[0] = -1;
	return 0;
}

int rd_reg_eventfd(struct rd_reg *reg)
{
	return event_register(reg, false);
}

int rd_reg_eventfd_async(struct rd_reg *reg)
{
	return event_register(reg, true);
}

int rd_reg_unregister_eventfd(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	if (rd_event_clear(reg->ring) < 0)
		return rd_refuse(reg->session, -ENXIO, "this ring has no eventfd");
	return 0;
}

/* --- start --- */

int rd_reg_enable_rings(struct rd_reg *reg)
{
	int r = rd_reg_no_args(reg);

	if (r < 0)
		return r;
	if (rd_ring_enable(reg->ring) < 0)
		return rd_refuse(reg->session, -EBADFD, "the ring is not disabled");
	return 0;
}
