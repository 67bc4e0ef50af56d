/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register calls about how a ring is entered and what it tells: start it, its clock, its eventfd. */
#include <fcntl.h>

#include "private.h"

int ringd_enable_rings(struct ringd_ring *ring)
{
	int r = rdl_call_one(ring, RINGD_REGISTER_ENABLE_RINGS, 0, NULL, 0);

	if (r < 0)
		return r;
	ring->issuer = rdl_thread_id();
	__atomic_and_fetch(&ring->special, ~RDL_DISABLED, __ATOMIC_RELEASE);
	return r;
}

int ringd_register_clock(struct ringd_ring *ring, const struct ringd_clock_register *clock)
{
	int r;

	if (!clock)
		return rdl_fail(ring->rd, -EINVAL, "no clock");
	r = rdl_call_one(ring, RINGD_REGISTER_CLOCK, 0, clock, sizeof(*clock));
	if (r >= 0)
		ring->clock = (clockid_t)clock->clockid;
	return r;
}

static int register_eventfd(struct ringd_ring *ring, uint32_t opcode, int fd)
{
	int r = rdl_check_alive(ring), flags = fcntl(fd, F_GETFL);
	struct rdl_call c;

	if (r < 0)
		return r;
	if (flags < 0 || (flags & O_PATH))
		return rdl_fail(ring->rd, -EBADF, "eventfd %d", fd);
	r = rdl_call_init(ring->rd, &c, opcode, 1, sizeof(int32_t), 1);
	if (r == 0) {
		rdl_call_add_fds(&c, &fd, 1);
		r = rdl_call_simple(ring, &c, NULL);
	}
	rdl_call_free(&c);
	return r;
}

int ringd_register_eventfd(struct ringd_ring *ring, int fd)
{
	return register_eventfd(ring, RINGD_REGISTER_EVENTFD, fd);
}

int ringd_register_eventfd_async(struct ringd_ring *ring, int fd)
{
	return register_eventfd(ring, RINGD_REGISTER_EVENTFD_ASYNC, fd);
}

int ringd_unregister_eventfd(struct ringd_ring *ring)
{
	return rdl_call_one(ring, RINGD_UNREGISTER_EVENTFD, 0, NULL, 0);
}
