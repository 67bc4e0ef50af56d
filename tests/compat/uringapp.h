/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program as others write them: liburing's inline functions, compiled in, and the distribution's library. It knows nothing
 * of ringd, says what came of each thing it did, and says the same each time.
 */
#ifndef RD_URINGAPP_H
#define RD_URINGAPP_H

#include <liburing.h>
#include <stdbool.h>

extern unsigned int app_flags;	/* of setup, for each ring */

__attribute__((__noreturn__)) void app_die(const char *what, int error);
void app_ring(struct io_uring *ring, unsigned int entries);
struct io_uring_sqe *app_sqe(struct io_uring *ring, uint64_t user_data);

/* Submits what is there, waits for @n completions and says their results in the order of their user_data. */
void app_results(struct io_uring *ring, const char *what, unsigned int n);

int app_cp(const char *from, const char *to);
void app_files(void);
void app_buffers(void);
int app_echo(unsigned int threads, unsigned int connections);
void app_poll(void);
void app_rings(void);

#endif
