/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that ask what there is: a probe, and chains of queries. */
#include <errno.h>
#include <string.h>

#include "call.h"

#define QUERIES_MAX	1000

int rd_local_call_probe(struct rd_local_call *c)
{
	uint32_t nr = RD_MIN(c->nr, (uint32_t)RINGD_OP_LAST);
	size_t size = sizeof(struct ringd_probe) + nr * sizeof(struct ringd_probe_op);
	int r;

	if (!c->arg || c->nr > RINGD_MAX_PROBE_OPS)
		return -EINVAL;
	if (rd_local_copy_in(c->out, c->arg, size) < 0)
		return -EFAULT;
	for (size_t i = 0; i < size; i++) {
		if (c->out[i])
			return -EINVAL;
	}
	c->reg.nr = nr;
	r = rd_local_call_run(c);
	return r >= 0 && rd_local_copy_out(c->arg, c->out, size) < 0 ? -EFAULT : r;
}

/* --- queries --- */

/* One item: its size, or what the program finds as its result. */
static int item(struct rd_local_call *c, uint32_t op)
{
	const struct ringd_query_hdr hdr = { .query_op = op };
	int r;

	c->reg.data = (const uint8_t *)&hdr;
	c->reg.len = sizeof(hdr);
	c->reg.nr = 0;
	c->reg.out_len = 0;
	r = rd_reg_query(&c->reg);
	return r < 0 ? r : (int)c->reg.out_len;
}

/* 0, or -EFAULT, which ends the call. */
static int query(struct rd_local_call *c, struct ringd_query_hdr *hdr)
{
	uint32_t room = hdr->size;
	int r = -EINVAL;

	hdr->size = 0;
	if (hdr->query_op >= RINGD_QUERY_MAX)
		r = -EOPNOTSUPP;
	else if (!hdr->__resv[0] && !hdr->__resv[1] && !hdr->__resv[2] && !hdr->result && room)
		r = item(c, hdr->query_op);
	hdr->result = RD_MIN(r, 0);
	if (r < 0)
		return 0;
	hdr->size = RD_MIN(room, (uint32_t)r);
	return rd_local_copy_out(hdr->query_data, c->out, hdr->size);
}

int rd_local_call_query(struct rd_local_call *c)
{
	struct ringd_query_hdr hdr;
	uint64_t next;
	unsigned int n = 0;

	if (c->nr)
		return -EINVAL;
	for (uint64_t at = c->arg; at; at = next) {
		if (n++ == QUERIES_MAX)
			return -ERANGE;
		if (rd_local_copy_in(&hdr, at, sizeof(hdr)) < 0)
			return -EFAULT;
		next = hdr.next_entry;
		if (query(c, &hdr) < 0 || rd_local_copy_out(at, &hdr, sizeof(hdr)) < 0)
			return -EFAULT;
	}
	return 0;
}
