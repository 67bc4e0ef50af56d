/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls that register one thing with a ring, or with the task. What is passed on unchanged is judged by who serves it. */
#include <stdlib.h>

#include "client-lib/compat/api/private.h"

/* Calls for the task, not for a ring, say so by this descriptor. */
#define NO_RING		((unsigned int)-1)

int io_uring_register_eventfd(struct rd_uring *ring, int fd)
{
	return rd_uring_call(ring, RINGD_REGISTER_EVENTFD, &fd, 1);
}

int io_uring_register_eventfd_async(struct rd_uring *ring, int fd)
{
	return rd_uring_call(ring, RINGD_REGISTER_EVENTFD_ASYNC, &fd, 1);
}

int io_uring_unregister_eventfd(struct rd_uring *ring)
{
	return rd_uring_call(ring, RINGD_UNREGISTER_EVENTFD, NULL, 0);
}

int io_uring_register_probe(struct rd_uring *ring, struct ringd_probe *p, unsigned int nr)
{
	return rd_uring_call(ring, RINGD_REGISTER_PROBE, p, nr);
}

struct ringd_probe *io_uring_get_probe_ring(struct rd_uring *ring)
{
	int saved = errno;
	struct ringd_probe *probe = calloc(1, sizeof(*probe) + RINGD_MAX_PROBE_OPS * sizeof(probe->ops[0]));

	if (probe && io_uring_register_probe(ring, probe, RINGD_MAX_PROBE_OPS) < 0) {
		free(probe);
		probe = NULL;
	}
	errno = saved;
	return probe;
}

struct ringd_probe *io_uring_get_probe(void)
{
	struct ringd_probe *probe;
	struct rd_uring ring;

	if (io_uring_queue_init(2, &ring, 0) < 0)
		return NULL;
	probe = io_uring_get_probe_ring(&ring);
	io_uring_queue_exit(&ring);
	return probe;
}

void io_uring_free_probe(struct ringd_probe *probe)
{
	free(probe);
}

int io_uring_register_personality(struct rd_uring *ring)
{
	return rd_uring_call(ring, RINGD_REGISTER_PERSONALITY, NULL, 0);
}

int io_uring_unregister_personality(struct rd_uring *ring, int id)
{
	return rd_uring_call(ring, RINGD_UNREGISTER_PERSONALITY, NULL, (unsigned int)id);
}

int io_uring_register_restrictions(struct rd_uring *ring, struct ringd_restriction *res, unsigned int nr_res)
{
	return rd_uring_call(ring, RINGD_REGISTER_RESTRICTIONS, res, nr_res);
}

int io_uring_enable_rings(struct rd_uring *ring)
{
	return rd_uring_call(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0);
}

int io_uring_register_iowq_aff(struct rd_uring *ring, size_t cpusz, const cpu_set_t *mask)
{
	if (cpusz > INT32_MAX)
		return -EINVAL;
	return rd_uring_call(ring, RINGD_REGISTER_IOWQ_AFF, mask, (unsigned int)cpusz);
}

int io_uring_unregister_iowq_aff(struct rd_uring *ring)
{
	return rd_uring_call(ring, RINGD_UNREGISTER_IOWQ_AFF, NULL, 0);
}

int io_uring_register_iowq_max_workers(struct rd_uring *ring, unsigned int *values)
{
	return rd_uring_call(ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, values, 2);
}

int io_uring_register_sync_cancel(struct rd_uring *ring, struct ringd_sync_cancel_reg *reg)
{
	return rd_uring_call(ring, RINGD_REGISTER_SYNC_CANCEL, reg, 1);
}

int io_uring_register_sync_msg(struct ringd_sqe *sqe)
{
	return rd_local_register(NO_RING, RINGD_REGISTER_SEND_MSG_RING, sqe, 1);
}

int io_uring_register_napi(struct rd_uring *ring, struct ringd_napi *napi)
{
	return rd_uring_call(ring, RINGD_REGISTER_NAPI, napi, 1);
}

int io_uring_unregister_napi(struct rd_uring *ring, struct ringd_napi *napi)
{
	return rd_uring_call(ring, RINGD_UNREGISTER_NAPI, napi, 1);
}

int io_uring_register_clock(struct rd_uring *ring, struct ringd_clock_register *arg)
{
	return rd_uring_call(ring, RINGD_REGISTER_CLOCK, arg, 0);
}

int io_uring_register_region(struct rd_uring *ring, struct ringd_mem_region_reg *reg)
{
	return rd_uring_call(ring, RINGD_REGISTER_MEM_REGION, reg, 1);
}

/* Withdrawn before any kernel had it; a region does that now. */
int io_uring_register_wait_reg(struct rd_uring *ring, struct ringd_reg_wait *reg, int nr)
{
	(void)ring;
	(void)reg;
	(void)nr;
	return -EINVAL;
}

int io_uring_register_ifq(struct rd_uring *ring, struct ringd_zcrx_ifq_reg *reg)
{
	return rd_uring_call(ring, RINGD_REGISTER_ZCRX_IFQ, reg, 1);
}

int io_uring_register_zcrx_ctrl(struct rd_uring *ring, struct ringd_zcrx_ctrl *ctrl)
{
	return rd_uring_call(ring, RINGD_REGISTER_ZCRX_CTRL, ctrl, 0);
}

int io_uring_register_bpf_filter(struct rd_uring *ring, struct ringd_bpf *bpf)
{
	return rd_uring_call(ring, RINGD_REGISTER_BPF_FILTER, bpf, 1);
}

int io_uring_register_bpf_filter_task(struct ringd_bpf *bpf)
{
	return rd_local_register(NO_RING, RINGD_REGISTER_BPF_FILTER, bpf, 1);
}

int io_uring_register_query(struct ringd_query_hdr *query)
{
	return rd_local_register(NO_RING, RINGD_REGISTER_QUERY, query, 0);
}
