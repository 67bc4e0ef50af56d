/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why not let one epoll instance watch another: for every descriptor that is added to an instance which is itself being
 * watched, the kernel takes one lock of the whole system, and holds it while it asks a file whether it is ready. Whoever
 * adds a file of a FUSE server that does not answer to such an instance keeps the lock for as long as he likes, and with
 * it every other process that adds one. An asynchronous poll (IOCB_CMD_POLL) waits for an instance as poll(2) does, and
 * signals an eventfd (IOCB_FLAG_RESFD).
 */
#include "bell.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct rd_bell {
	aio_context_t ctx;
	int efd;
	unsigned int armed;	/* how many of the next */
	bool is_armed[RD_BELLS];
};

int rd_bell_new(struct rd_bell **ret, int efd)
{
	struct rd_bell *bell = calloc(1, sizeof(*bell));

	if (!bell)
		return -ENOMEM;
	bell->efd = efd;
	if (syscall(SYS_io_setup, RD_BELLS, &bell->ctx) < 0) {
		int r = -errno;

		free(bell);
		return r;
	}
	*ret = bell;
	return 0;
}

struct rd_bell *rd_bell_free(struct rd_bell *bell)
{
	if (!bell)
		return NULL;
	syscall(SYS_io_destroy, bell->ctx);	/* cancels what is armed */
	free(bell);
	return NULL;
}

int rd_bell_arm(struct rd_bell *bell, unsigned int number, int fd)
{
	struct iocb cb = {
		.aio_data = number,
		.aio_lio_opcode = IOCB_CMD_POLL,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = POLLIN,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)bell->efd,
	};
	struct iocb *list = &cb;

	if (bell->is_armed[number])
		return 0;
	if (syscall(SYS_io_submit, bell->ctx, 1, &list) < 0)
		return -errno;
	bell->is_armed[number] = true;
	bell->armed++;
	return 0;
}

void rd_bell_heard(struct rd_bell *bell)
{
	struct io_event events[RD_BELLS];
	struct timespec now = { 0 };
	long n;

	if (!bell->armed)
		return;
	n = syscall(SYS_io_getevents, bell->ctx, 0, RD_BELLS, events, &now);
	for (long i = 0; i < n; i++) {
		bell->is_armed[events[i].data] = false;
		bell->armed--;
	}
}
