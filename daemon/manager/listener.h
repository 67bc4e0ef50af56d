/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket clients connect to. */
#ifndef RD_LISTENER_H
#define RD_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

struct rd_listener {
	int fd;		/* -1: closed */
	char *path;	/* heap; what we unlink in the end. NULL: the socket was given to us */
};

/*
 * Takes the socket that systemd passed, else makes dir/ringd.sock. 0, or -errno after the reason was logged
 * (-EADDRINUSE: somebody answers there). rd_listener_deinit() in both cases.
 */
int rd_listener_init(struct rd_listener *l, const char *dir, mode_t mode);
void rd_listener_deinit(struct rd_listener *l);

#endif
