/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of the three calls, in words. */
#ifndef RD_LOCAL_NAMES_H
#define RD_LOCAL_NAMES_H

#include <stdint.h>

#include "daemon/common/text.h"

const char *rd_local_op_name(unsigned int opcode);
const char *rd_local_register_name(unsigned int opcode);
/* RINGD_SETUP_*, with bars between */
void rd_local_add_flags(struct rd_text *t, uint32_t flags);

#endif
