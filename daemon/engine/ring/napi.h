/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a ring was told about polling network devices. Who wants to poll a device's queue has to be the kernel, or allowed to
 * configure devices; the engine is neither, and it looks at its sockets while it spins anyway. So it is a hint: checked,
 * kept, told again and shown.
 */
#ifndef RD_NAPI_H
#define RD_NAPI_H

#include <stdbool.h>
#include <stdint.h>

#include "../rsrc/charge.h"
#include "daemon/common/text.h"
#include "proto/abi.h"

#define RD_NAPI_IDS	256	/* of one ring */

struct rd_napi {
	bool on;
	bool fixed;		/* static tracking: only the ids that were named */
	bool prefer;
	uint32_t busy_us;
	uint32_t nr;
	uint32_t *ids;		/* NULL: none was named yet */
};

/* REGISTER_NAPI; *arg becomes what was before. min_id: those below are none. -EINVAL, -EEXIST, -ENOENT, -ENOSPC, -EDQUOT, -ENOMEM. */
int rd_napi_register(struct rd_napi *napi, struct rd_user *user, struct ringd_napi *arg, uint32_t min_id);
/* What is in force. */
struct ringd_napi rd_napi_get(const struct rd_napi *napi);
/* Off, and nothing is held. Twice is fine. */
void rd_napi_clear(struct rd_napi *napi);
void rd_napi_show(const struct rd_napi *napi, struct rd_text *t);

#endif
