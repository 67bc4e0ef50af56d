/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One SOCK_SEQPACKET packet with descriptors. */
#ifndef RD_FDPASS_H
#define RD_FDPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Never blocks, never raises SIGPIPE. 0 or -errno (-EAGAIN: the peer does not read). Descriptors stay the caller's. */
int rd_send_fds(int sock, const void *buf, size_t len, const int *fds, size_t n_fds);
/*
 * Length of the packet, 0 at end of file, or -errno (-EAGAIN: nothing there). *n_fds: in: room in fds, out: how many
 * came; they are close-on-exec and the caller's. A packet that was cut (data longer than len, more descriptors than
 * room, MSG_CTRUNC) or that carries other control messages is -EPROTO; every descriptor of it is closed again.
 */
ssize_t rd_recv_fds(int sock, void *buf, size_t len, int *fds, size_t *n_fds);
/*
 * As rd_recv_fds(), with two differences for one that serves clients and may not sleep in close(). The descriptors of a
 * packet that is -EPROTO are the caller's, too. *lost is set when descriptors did not come because this process has no
 * room for more of them: that is not the peer's fault, and the packet is whole otherwise.
 */
ssize_t rd_recv_fds_keep(int sock, void *buf, size_t len, int *fds, size_t *n_fds, bool *lost);

#endif
