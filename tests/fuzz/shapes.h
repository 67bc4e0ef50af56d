/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RD_FUZZ_SHAPES_H
#define RD_FUZZ_SHAPES_H

#include "fuzz.h"
#include "proto/abi.h"

#define RD_FUZZ_ARENA		0x7000000000ull		/* the client's address of it */
#define RD_FUZZ_SLOTS		8u

/* Fill a cleared SQE from the input. */
void rd_fuzz_shape(struct rd_fuzz_input *in, struct ringd_sqe *sqe);
void rd_fuzz_shape_order(struct rd_fuzz_input *in, struct ringd_sqe *sqe);

#endif
