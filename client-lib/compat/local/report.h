/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rings of this process have done, told when it ends: RINGD_REPORT in the environment asks for it ("FD:DEV:INO" or the
 * path of a file). All but rd_local_exit() with the lock held; without RINGD_REPORT each costs a load.
 */
#ifndef RD_LOCAL_REPORT_H
#define RD_LOCAL_REPORT_H

#include "process.h"

extern bool rd_local_reporting;

void rd_local_report_setup_slow(const struct ringd_params *asked, const struct rd_local_ring *lr, int err);
void rd_local_report_ring_end_slow(const struct rd_local_ring *lr);
void rd_local_report_engine_slow(struct rd_engine *engine, bool begins);
void rd_local_report_call_slow(bool enter, unsigned int opcode, int err);

/* io_uring_setup() has made lr, or (NULL) has failed. asked: as the program had it. */
static inline void rd_local_report_setup(const struct ringd_params *asked, const struct rd_local_ring *lr, int err)
{
	if (RD_UNLIKELY(rd_local_reporting))
		rd_local_report_setup_slow(asked, lr, err);
}

/* A ring is about to end; all of it is still there. */
static inline void rd_local_report_ring_end(const struct rd_local_ring *lr)
{
	if (RD_UNLIKELY(rd_local_reporting))
		rd_local_report_ring_end_slow(lr);
}

/* The engine has been made, or is about to go. */
static inline void rd_local_report_engine(struct rd_engine *engine, bool begins)
{
	if (RD_UNLIKELY(rd_local_reporting))
		rd_local_report_engine_slow(engine, begins);
}

/* The result of io_uring_enter() or io_uring_register(). */
static inline void rd_local_report_call(bool enter, unsigned int opcode, int r)
{
	if (RD_UNLIKELY(r < 0) && rd_local_reporting)
		rd_local_report_call_slow(enter, opcode, r);
}

#endif
