/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The three calls as functions, and which liburing this stands in for. */
#include "client-lib/compat/api/private.h"

int io_uring_setup(unsigned int entries, struct ringd_params *p)
{
	return rd_local_setup(entries, p);
}

int io_uring_enter2(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, void *arg,
		    size_t sz)
{
	return rd_local_enter(fd, to_submit, min_complete, flags, arg, sz);
}

int io_uring_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, sigset_t *sig)
{
	return rd_local_enter(fd, to_submit, min_complete, flags, sig, RD_URING_SIGSET_SIZE);
}

int io_uring_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr_args)
{
	return rd_local_register(fd, opcode, arg, nr_args);
}

int rd_uring_call(const struct rd_uring *ring, unsigned int opcode, const void *arg, unsigned int nr)
{
	if (ring->int_flags & RD_URING_REG_REG)
		return rd_local_register((unsigned int)ring->enter_ring_fd, opcode | RINGD_REGISTER_USE_REGISTERED_RING, arg, nr);
	return rd_local_register((unsigned int)ring->ring_fd, opcode, arg, nr);
}

int io_uring_major_version(void)
{
	return RD_URING_MAJOR;
}

int io_uring_minor_version(void)
{
	return RD_URING_MINOR;
}

/* True if what is asked for is newer than this. */
bool io_uring_check_version(int major, int minor)
{
	return major > RD_URING_MAJOR || (major == RD_URING_MAJOR && minor > RD_URING_MINOR);
}
