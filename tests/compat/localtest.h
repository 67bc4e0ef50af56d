/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The in-process host on a bare engine that the test itself drives; what the rest of the library would be is made up. */
#ifndef RD_TEST_LOCALTEST_H
#define RD_TEST_LOCALTEST_H

#include "client-lib/compat/local/process.h"
#include "tests/unit/testhost.h"

struct rd_localtest {
	struct rd_testhost th;		/* its engine only */
	struct rd_local_host host;
	struct rd_testclient c;
	int ring_number;		/* means the ring; -1: nothing does */
	char dir[32];			/* a directory of the test's own */
};
extern struct rd_localtest lt;

/* Fixtures. */
void rd_lt_setup(void);
void rd_lt_teardown(void);
/* All SQEs that were prepared. */
void rd_lt_submit(void);
/* The one that was prepared: its result. */
int32_t rd_lt_run(void);
struct ringd_sqe *rd_lt_prep(uint8_t op, int fd, const void *buf, uint32_t len, uint64_t off);
int32_t rd_lt_rw(uint8_t op, int fd, const void *buf, uint32_t len, uint64_t off);	/* both */
/* In the directory; valid until the next but one. */
const char *rd_lt_path(const char *name);
int rd_lt_file(const char *name, const char *text);
int rd_lt_fds(void);			/* descriptors that are open, and some more */

#endif
