/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_LOCAL_LOOP_H
#define RD_LOCAL_LOOP_H

struct rd_loop;

/* Readable when the reactor has something to do. */
int rd_local_loop_fd(const struct rd_loop *loop);

#endif
