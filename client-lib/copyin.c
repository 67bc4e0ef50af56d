/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading what a caller's pointer names as a system call would: a bad one is -EFAULT and no signal. The kernel is asked to
 * copy, from this process to this process.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "private.h"

/* Where process_vm_readv() is forbidden (an old container's filter): through a pipe. */
static int copy_by_pipe(void *dst, const void *src, size_t size)
{
	int pair[2], r = 0;

	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (write(pair[1], src, size) != (ssize_t)size || read(pair[0], dst, size) != (ssize_t)size)
		r = -EFAULT;
	rdl_close(pair[0]);
	rdl_close(pair[1]);
	return r;
}

int rdl_copy_in(void *dst, uint64_t src, size_t size)
{
	struct iovec to = { .iov_base = dst, .iov_len = size };
	struct iovec from = { .iov_base = (void *)(uintptr_t)src, .iov_len = size };
	ssize_t n;

	if (src != (uintptr_t)src)
		return -EFAULT;
	n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	if (n < 0 && (errno == ENOSYS || errno == EPERM))
		return copy_by_pipe(dst, from.iov_base, size);
	return n == (ssize_t)size ? 0 : -EFAULT;
}
