/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas for RECV_ZC, by a client without a library. As in raw.h, what does not begin with try behaves or ends the test. */
#ifndef RD_TEST_RAW_ZCRX_H
#define RD_TEST_RAW_ZCRX_H

#include "raw.h"

struct raw_ifq {			/* a call, and its answer */
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

struct raw_big_cqe {
	struct ringd_cqe cqe;
	uint64_t off, pad;
};

#define RAW_ZCRX_RING	(RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_CQE32)

/* A good call: the area at addr, a refill ring of that many entries at rq. */
struct raw_ifq raw_ifq(uint64_t addr, uint64_t len, uint64_t rq, uint32_t entries);
/* The answer is in *ifq when it is 0. fd: of the refill ring's memory, NULL: there must be none. */
int raw_try_ifq(struct raw_ring *ring, struct raw_ifq *ifq, int *fd);
int raw_zcrx_ctrl(struct raw_ring *ring, const struct ringd_zcrx_ctrl *ctrl, int *fd);
/* The next CQE of a ring with CQE32; enters until there is one. 0, -ECONNRESET. */
int raw_big_cqe(struct raw_ring *ring, struct raw_big_cqe *cqe);
bool raw_big_cqe_ready(struct raw_ring *ring, struct raw_big_cqe *cqe);
/* The next SQE: RECV_ZC from a slot. */
struct ringd_sqe *raw_recv_zc(struct raw_ring *ring, int slot, uint32_t limit, uint32_t id);
/* Two ends of a TCP connection over loopback. */
void raw_tcp_pair(int fd[2]);

#endif
