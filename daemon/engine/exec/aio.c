/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write() to an eventfd sleeps when the counter is full, unless O_NONBLOCK is set; and that flag belongs to the open
 * file description, which a client shares: it clears the flag, fills the counter, and a reactor that writes sleeps for
 * ever (THREATS T29). The kernel itself adds to eventfds without sleeping, and does it for us at the completion of an
 * asynchronous I/O (IOCB_FLAG_RESFD): here a read of no bytes from the eventfd itself, which wants eight, so that it is over,
 * in vain, before io_submit() returns. That takes some 0.6 us, about what the write() would.
 */
#include "aio.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/util.h"

#define RD_AIO_EVENTS	64	/* completions between two visits to the kernel's list of them, which has room for more */

struct rd_aio {
	aio_context_t ctx;
	unsigned int unreaped;
};

struct rd_aio *rd_aio_free(struct rd_aio *aio)
{
	if (!aio)
		return NULL;
	if (aio->ctx)
		syscall(SYS_io_destroy, aio->ctx);
	free(aio);
	return NULL;
}

static int submit(struct rd_aio *aio, int fd, uint64_t buf, uint64_t len)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = buf,
		.aio_nbytes = len,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *list = &cb;

	return syscall(SYS_io_submit, aio->ctx, 1, &list) < 0 ? -errno : 0;
}

int rd_aio_check(struct rd_aio *aio, int fd)
{
	/* refused in any case, but the eventfd is looked at before the address: EFAULT means that it is one */
	return submit(aio, fd, UINT64_MAX << 48, 1) == -EFAULT ? 0 : -EINVAL;
}

static void reap(struct rd_aio *aio)
{
	struct io_event events[RD_AIO_EVENTS];
	struct timespec now = { 0 };

	while (syscall(SYS_io_getevents, aio->ctx, 0, RD_AIO_EVENTS, events, &now) == RD_AIO_EVENTS)
		;
	aio->unreaped = 0;
}

int rd_aio_signal(struct rd_aio *aio, int fd)
{
	int r;

	if (++aio->unreaped >= RD_AIO_EVENTS)
		reap(aio);
	r = submit(aio, fd, 0, 0);
	if (r == -EAGAIN) {
		reap(aio);
		r = submit(aio, fd, 0, 0);
	}
	return r;
}

/* Kernels before 5.8 cannot do this with an eventfd. */
static int try_it(struct rd_aio *aio)
{
	RD_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	return rd_aio_check(aio, fd) < 0 ? -EOPNOTSUPP : rd_aio_signal(aio, fd);
}

int rd_aio_new(struct rd_aio **ret)
{
	struct rd_aio *aio = calloc(1, sizeof(*aio));
	int r;

	if (!aio)
		return -ENOMEM;
	r = syscall(SYS_io_setup, RD_AIO_EVENTS, &aio->ctx) < 0 ? -errno : try_it(aio);
	if (r < 0) {
		rd_aio_free(aio);
		return r;
	}
	*ret = aio;
	return 0;
}
