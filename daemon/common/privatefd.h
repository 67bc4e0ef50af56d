/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors of ours in a process that is not ours: out of the way of a program that expects the lowest number, counts its
 * descriptors, or closes all up to some number.
 */
#ifndef RD_PRIVATEFD_H
#define RD_PRIVATEFD_H

#include <stdbool.h>

/* Descriptors get numbers from here on, as far as there are any; 0 (at start): they stay where they are. */
extern int rd_private_fd_min;

/* fd, which is open with close-on-exec, or its duplicate above the minimum; fd is closed then. < 0: fd, errno is kept. */
int rd_private_fd(int fd);
/* Another descriptor of what fd is, with close-on-exec, likewise; -1 and errno. */
int rd_private_dup(int fd);
/* Is it one of those? Any thread. */
bool rd_private_fd_is(int fd);
/* The first of them from fd on, or -1. */
int rd_private_fd_next(int fd);
/* It is going to be closed; any descriptor. */
void rd_private_fd_gone(int fd);

#endif
