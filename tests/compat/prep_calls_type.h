/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_TEST_PREP_CALLS_TYPE_H
#define RD_TEST_PREP_CALLS_TYPE_H

#include <stddef.h>

struct prep_call {
	const char *name;
	void (*fill)(void *sqe);
};

extern const struct prep_call prep_theirs[], prep_ours[];	/* the same calls in the same order, then NULL */

void prep_rw_theirs(void *sqe);
void prep_rw_ours(void *sqe);

#endif
