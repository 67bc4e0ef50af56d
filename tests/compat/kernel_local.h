/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the test's host was called with last, and how often. */
#ifndef RD_TEST_KERNEL_LOCAL_H
#define RD_TEST_KERNEL_LOCAL_H

#include <stdbool.h>
#include <stddef.h>

extern struct kernel_local_calls {
	unsigned int setup, enter, reg, close;	/* counted */
	unsigned int fd, to_submit, min_complete, flags, opcode, nr;
	size_t argsz;
	unsigned int unknown;	/* setup flags that this kernel shall not know */
} kernel_local_calls;

/* Does the kernel here serve io_uring? */
bool kernel_local_works(void);

#endif
