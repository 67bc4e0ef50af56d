/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stage.h"

#include <stdlib.h>

#include "daemon/common/util.h"

#define RD_STAGE_UNIT 64	/* bytes one OBJECT pays for */

struct rd_stage {
	struct rd_charge charge;
	_Alignas(max_align_t) char mem[];
};

int rd_stage_new(void **ret, struct rd_user *user, size_t size)
{
	struct rd_charge charge;
	struct rd_stage *stage;
	int r;

	r = rd_charge_take(&charge, user, RINGD_LIMIT_OBJECTS, size / RD_STAGE_UNIT + 1);
	if (r < 0)
		return r;
	stage = malloc(sizeof(*stage) + size);
	if (!stage) {
		rd_charge_give(&charge);
		return -ENOMEM;
	}
	stage->charge = charge;
	*ret = stage->mem;
	return 0;
}

void *rd_stage_free(void *mem)
{
	struct rd_stage *stage;

	if (!mem)
		return NULL;
	stage = RD_CONTAINER_OF(mem, struct rd_stage, mem);
	rd_charge_give(&stage->charge);
	free(stage);
	return NULL;
}
