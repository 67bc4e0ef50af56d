/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "napi.h"

#include "../rsrc/stage.h"

struct ringd_napi rd_napi_get(const struct rd_napi *napi)
{
	struct ringd_napi now = { .busy_poll_to = napi->busy_us, .prefer_busy_poll = napi->prefer };

	if (!napi->on)
		now.op_param = RINGD_NAPI_TRACKING_INACTIVE;
	else
		now.op_param = napi->fixed ? RINGD_NAPI_TRACKING_STATIC : RINGD_NAPI_TRACKING_DYNAMIC;
	return now;
}

void rd_napi_clear(struct rd_napi *napi)
{
	rd_stage_free(napi->ids);
	*napi = (struct rd_napi){ 0 };
}

static int set(struct rd_napi *napi, const struct ringd_napi *arg)
{
	if (arg->op_param != RINGD_NAPI_TRACKING_DYNAMIC && arg->op_param != RINGD_NAPI_TRACKING_STATIC)
		return -EINVAL;
	rd_napi_clear(napi);
	napi->on = true;
	napi->fixed = arg->op_param == RINGD_NAPI_TRACKING_STATIC;
	napi->prefer = arg->prefer_busy_poll;
	napi->busy_us = arg->busy_poll_to;
	return 0;
}

/* Where the id is, or napi->nr. */
static uint32_t find(const struct rd_napi *napi, uint32_t id)
{
	uint32_t i = 0;

	while (i < napi->nr && napi->ids[i] != id)
		i++;
	return i;
}

static int add_id(struct rd_napi *napi, struct rd_user *user, uint32_t id)
{
	void *mem = napi->ids;
	int r = 0;

	if (find(napi, id) < napi->nr)
		return -EEXIST;
	if (napi->nr == RD_NAPI_IDS)
		return -ENOSPC;
	if (!mem)
		r = rd_stage_new(&mem, user, RD_NAPI_IDS * sizeof(*napi->ids));
	if (r < 0)
		return r;
	napi->ids = mem;
	napi->ids[napi->nr++] = id;
	return 0;
}

static int remove_id(struct rd_napi *napi, uint32_t id)
{
	uint32_t i = find(napi, id);

	if (i == napi->nr)
		return -ENOENT;
	napi->ids[i] = napi->ids[--napi->nr];
	return 0;
}

int rd_napi_register(struct rd_napi *napi, struct rd_user *user, struct ringd_napi *arg, uint32_t min_id)
{
	const struct ringd_napi in = *arg;

	if (in.pad[0] || in.pad[1] || in.resv)
		return -EINVAL;
	*arg = rd_napi_get(napi);
	if (in.opcode == RINGD_NAPI_REGISTER_OP)
		return set(napi, &in);
	if (in.opcode != RINGD_NAPI_STATIC_ADD_ID && in.opcode != RINGD_NAPI_STATIC_DEL_ID)
		return -EINVAL;
	if (!napi->on || !napi->fixed || in.op_param < min_id)
		return -EINVAL;
	return in.opcode == RINGD_NAPI_STATIC_ADD_ID ? add_id(napi, user, in.op_param) : remove_id(napi, in.op_param);
}

/* The keys of the kernel's fdinfo. */
void rd_napi_show(const struct rd_napi *napi, struct rd_text *t)
{
	if (!napi->on) {
		rd_text_add(t, "NAPI:\tdisabled\n");
		return;
	}
	rd_text_add(t, "NAPI:\tenabled\nnapi tracking:\t%s\nnapi_busy_poll_dt:\t%llu\nnapi_prefer_busy_poll:\t%s\n",
		    napi->fixed ? "static" : "dynamic", (unsigned long long)napi->busy_us * 1000, napi->prefer ? "true" : "false");
}
