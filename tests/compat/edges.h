/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program may do to a ring besides using it. Built with the distribution's liburing, and run by edges.sh on the kernel's
 * io_uring, with our liburing.so.2 and behind the preload: it must not be able to tell.
 */
#ifndef RD_TEST_EDGES_H
#define RD_TEST_EDGES_H

#include <check.h>
#include <liburing.h>

extern struct io_uring edge;		/* of 8 entries, in each test */

/* Which of the three it is: where a difference is known and accepted. */
bool edge_on_kernel(void);
/* n NOPs, submitted. */
void edge_nops(unsigned int n);
/* All CQEs are taken. */
void edge_drain(void);
/* What was prepared last: its result. Waits. */
int edge_run(struct io_uring *ring);
/* The next CQE's result. Waits. */
int edge_result(struct io_uring *ring);

TCase *edges_fd(void);
TCase *edges_poll(void);
TCase *edges_who(void);
TCase *edges_life(void);

#endif
