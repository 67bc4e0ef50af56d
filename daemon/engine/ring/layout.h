/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and offsets of a ring's shared memory, and the checks of io_uring_setup that decide them. */
#ifndef RD_LAYOUT_H
#define RD_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/wire.h"

/* Setup flags that are served: all there are. */
#define RD_SETUP_SERVED	RINGD_SETUP_ALL
/* Promises of spec'd feature bits that hold here. */
#define RD_FEATURES	RINGD_FEAT_ALL

struct rd_layout {
	uint32_t sq_entries, cq_entries;
	uint32_t hot_off;		/* struct ringd_hot, in the rings region */
	uint32_t array_off;		/* SQ array; 0 with NO_SQARRAY */
	uint8_t sqe_shift, cqe_shift;	/* log2 of an entry's size: 6 or 7, 4 or 5 */
	uint64_t rings_size, sqes_size, scratch_size;	/* page multiples */
};

/* Setup flags that decide the layout, apart from its sizes. */
#define RD_SETUP_LAYOUT	(RINGD_SETUP_SQE128 | RINGD_SETUP_CQE32 | RINGD_SETUP_NO_MMAP | RINGD_SETUP_NO_SQARRAY | \
			 RINGD_SETUP_CQE_MIXED | RINGD_SETUP_SQE_MIXED)

/*
 * entries is params->sq_entries as the client wrote it. Checks params in the order of the spec, fills layout and writes the
 * rounded sizes, features and offsets back into params. 0, -EINVAL, -EOVERFLOW; params is untouched on failure.
 * array_last: nothing that is told of lies behind the SQ array; else the array is where io_uring has it.
 */
int rd_layout_compute(struct rd_layout *layout, struct ringd_params *params, bool array_last);
/* Clear io_uring's header and struct ringd_hot, and write the constants (masks, sizes). */
void rd_layout_init(const struct rd_layout *layout, void *rings);

static inline struct ringd_hot *rd_layout_hot(const struct rd_layout *layout, void *rings)
{
	return (struct ringd_hot *)(void *)((char *)rings + layout->hot_off);
}

#endif
