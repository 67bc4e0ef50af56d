/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signalling eventfds that somebody else shares, without ever sleeping. Reactor thread only. */
#ifndef RD_AIO_H
#define RD_AIO_H

#include <stdbool.h>

struct rd_aio;

/* -EAGAIN, -ENOSYS, -EPERM, ...: this machine gives us none. */
int rd_aio_new(struct rd_aio **ret);
struct rd_aio *rd_aio_free(struct rd_aio *aio);		/* NULL is fine */
/* Is it an eventfd? Does not change it. 0, or -EINVAL. */
int rd_aio_check(struct rd_aio *aio, int fd);
/* Add 1 to an eventfd; a full counter stays full. 0 or -errno. */
int rd_aio_signal(struct rd_aio *aio, int fd);

#endif
