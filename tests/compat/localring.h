/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring of the in-process host for tests that call it directly, without liburing. */
#ifndef LOCALRING_H
#define LOCALRING_H

#include <stdint.h>

#include "client-lib/compat/local/local.h"

struct lr {
	int fd;
	struct ringd_params p;
	char *rings;
	struct ringd_sqe *sqes;
	uint32_t *sq_tail, *sq_array;
	uint32_t *cq_head, *cq_tail;
	struct ringd_cqe *cqes;
};

/* A ring of so many entries; the other params are in lr->p already. */
void lr_open(struct lr *lr, unsigned int entries, uint32_t flags);
/* Its memory, again after it has moved. */
void lr_map(struct lr *lr);
void lr_close(struct lr *lr);
/* The next SQE, zeroed but for this, published. */
struct ringd_sqe *lr_sqe(struct lr *lr, uint8_t opcode, int fd, uint64_t addr, uint32_t len, uint64_t user_data);
/* Submit n and wait for as many CQEs. */
void lr_submit(struct lr *lr, unsigned int n);
/* The next CQE, waited for and consumed. */
struct ringd_cqe lr_cqe(struct lr *lr);
unsigned int lr_ready(const struct lr *lr);
/* Submit what was made last, and its CQE's result. */
int lr_run(struct lr *lr);
int lr_register(const struct lr *lr, unsigned int opcode, const void *arg, unsigned int nr);
/* A page that is not there. */
void *lr_bad_page(void);
/* size bytes whose end is the end of what is there. */
void *lr_at_the_end(const void *data, size_t size);

#endif
