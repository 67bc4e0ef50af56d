/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entry points of the in-process host, served by the kernel's io_uring: what the liburing API is tested against when the
 * question is whether it is right, not whether the engine is.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client-lib/compat/local/local.h"
#include "kernel_local.h"

struct kernel_local_calls kernel_local_calls;
_Atomic bool rd_local_unseen;

static long result(long r, int saved)
{
	if (r < 0)
		r = -errno;
	errno = saved;
	return r;
}

int rd_local_setup(unsigned int entries, struct ringd_params *params)
{
	int saved = errno;

	kernel_local_calls.setup++;
	if (params && (params->flags & kernel_local_calls.unknown))
		return -EINVAL;
	return (int)result(syscall(SYS_io_uring_setup, entries, params), saved);
}

int rd_local_enter(unsigned int fd, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
		   size_t argsz)
{
	int saved = errno;

	kernel_local_calls.enter++;
	kernel_local_calls.fd = fd;
	kernel_local_calls.to_submit = to_submit;
	kernel_local_calls.min_complete = min_complete;
	kernel_local_calls.flags = flags;
	kernel_local_calls.argsz = argsz;
	return (int)result(syscall(SYS_io_uring_enter, fd, to_submit, min_complete, flags, arg, argsz), saved);
}

int rd_local_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr)
{
	int saved = errno;

	kernel_local_calls.reg++;
	kernel_local_calls.fd = fd;
	kernel_local_calls.opcode = opcode;
	kernel_local_calls.nr = nr;
	return (int)result(syscall(SYS_io_uring_register, fd, opcode, arg, nr), saved);
}

int rd_local_mmap(void **ret, void *addr, size_t len, int prot, int flags, int fd, uint64_t off)
{
	int saved = errno;
	void *p = mmap(addr, len, prot, flags, fd, (off_t)off);

	if (p == MAP_FAILED)
		return (int)result(-1, saved);
	*ret = p;
	return 0;
}

bool rd_local_close(int fd)
{
	kernel_local_calls.close++;
	kernel_local_calls.fd = (unsigned int)fd;
	return true;
}

void rd_local_poll_sync(int fd)
{
	(void)fd;
}

bool kernel_local_works(void)
{
	struct ringd_params p = { .flags = 0 };
	int fd = rd_local_setup(1, &p);

	if (fd < 0)
		return false;
	(void)syscall(SYS_close, fd);
	return true;
}
