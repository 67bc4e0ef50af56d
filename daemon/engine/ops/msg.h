/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a message has besides its data: addresses and control messages. */
#ifndef RD_MSG_H
#define RD_MSG_H

#include <stdint.h>

struct rd_msg {			/* as struct msghdr, in our memory; the lengths and flags of what was received are put here */
	void *name;
	uint32_t namelen;
	void *control;
	uint32_t controllen;
	int flags;
};

#endif
