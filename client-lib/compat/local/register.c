/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring_register for rings of this process. What is checked here, before the engine's handler has its say, is what
 * only shows in the call itself: pointers that are missing or lead nowhere, and numbers. The order is the kernel's.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "report.h"

/* --- to the handler --- */

static int call_find(struct rd_reg *reg, uint32_t number, bool registered, struct rd_ctx **ret)
{
	struct rd_local_ring *lr;
	int r = rd_local_find(number, registered, &lr);

	if (r < 0)
		return r;
	*ret = &lr->ring->ctx;
	/* its submitter is somebody else */
	return *ret != reg->ctx && lr->issuer && lr->issuer != (pid_t)syscall(SYS_gettid) ? -EEXIST : 0;
}

static int call_resize(struct rd_reg *reg, struct ringd_resized *ret, uint64_t scratch_base, int *fd)
{
	struct rd_local_call *c = RD_CONTAINER_OF(reg, struct rd_local_call, reg);

	(void)scratch_base;
	(void)fd;
	return rd_local_ring_resize(c->lr, &ret->params);
}

static int call_later(struct rd_reg *reg, struct rd_sync_cancel *sc, uint64_t pause_us)
{
	struct rd_local_call *c = RD_CONTAINER_OF(reg, struct rd_local_call, reg);

	c->cancel = sc;
	c->pause_us = pause_us;
	reg->later = true;
	return 0;
}

static const struct rd_reg_ops ops = {
	.find = call_find,
	.file = rd_local_call_file,
	.resize = call_resize,
	.later = call_later,
};

int rd_local_call_run(struct rd_local_call *c)
{
	int r = rd_reg_served(&c->reg);

	return r < 0 ? r : rd_reg_run(&c->reg);
}

int rd_local_call_in(struct rd_local_call *c, void *dst, size_t size)
{
	c->reg.data = dst;
	c->reg.len = size;
	c->reg.nr = c->nr;
	return rd_local_copy_in(dst, c->arg, size);
}

int rd_local_call_struct(struct rd_local_call *c, size_t size, bool back)
{
	_Alignas(8) uint8_t data[128];
	int r = rd_local_call_in(c, data, size);

	if (r == 0)
		r = rd_local_call_run(c);
	if (r >= 0 && back && rd_local_copy_out(c->arg, c->reg.out, c->reg.out_len) < 0)
		r = -EFAULT;
	return r;
}

/* --- calls that are one structure, or nothing --- */

static int call_plain(struct rd_local_call *c)
{
	return c->arg || c->nr ? -EINVAL : rd_local_call_run(c);
}

static int call_enable(struct rd_local_call *c)
{
	int r = call_plain(c);

	if (r >= 0 && (c->lr->params.flags & RINGD_SETUP_SINGLE_ISSUER))
		c->lr->issuer = (pid_t)syscall(SYS_gettid);
	return r;
}

static int call_range(struct rd_local_call *c)
{
	return !c->arg || c->nr ? -EINVAL : rd_local_call_struct(c, sizeof(struct ringd_file_index_range), false);
}

static int call_clock(struct rd_local_call *c)
{
	struct ringd_clock_register clock;
	int r = !c->arg || c->nr ? -EINVAL : rd_local_call_in(c, &clock, sizeof(clock));

	if (r == 0)
		r = rd_local_call_run(c);
	if (r >= 0)
		c->lr->clock = (clockid_t)clock.clockid;
	return r;
}

static int call_status(struct rd_local_call *c)
{
	return !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_struct(c, sizeof(struct ringd_buf_status), true);
}

static int call_napi(struct rd_local_call *c)
{
	return !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_struct(c, sizeof(struct ringd_napi), true);
}

static int call_unnapi(struct rd_local_call *c)
{
	int r;

	if (c->nr != 1)
		return -EINVAL;
	c->reg.nr = 1;
	r = rd_local_call_run(c);
	return r >= 0 && c->arg && rd_local_copy_out(c->arg, c->reg.out, c->reg.out_len) < 0 ? -EFAULT : r;
}

static int call_clone(struct rd_local_call *c)
{
	struct ringd_clone_buffers in;
	int r = !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_in(c, &in, sizeof(in));

	if (r < 0)
		return r;
	/* a table in the way is seen before a look at the other ring */
	if (!(in.flags & ~(RINGD_REGISTER_SRC_REGISTERED | RINGD_REGISTER_DST_REPLACE)) && c->reg.ctx->bufs.slots &&
	    !(in.flags & RINGD_REGISTER_DST_REPLACE))
		return -EBUSY;
	return rd_local_call_run(c);
}

static int call_workers(struct rd_local_call *c)
{
	return !c->arg || c->nr != 2 ? -EINVAL : rd_local_call_struct(c, 2 * sizeof(uint32_t), true);
}

/* As much of the mask as there can be CPUs. */
static int call_affinity(struct rd_local_call *c)
{
	_Alignas(8) uint8_t mask[1024];
	int r;

	if (!c->arg || !c->nr)
		return -EINVAL;
	c->nr = RD_MIN(c->nr, (unsigned int)sizeof(mask));
	r = rd_local_call_in(c, mask, c->nr);
	return r < 0 ? r : rd_local_call_run(c);
}

static int call_resize_rings(struct rd_local_call *c)
{
	struct ringd_resize in = { .scratch_base = 0 };
	struct ringd_resized answer;
	int r;

	if (!c->arg || c->nr != 1 || !(c->reg.ctx->setup_flags & RINGD_SETUP_DEFER_TASKRUN))
		return -EINVAL;
	if (rd_local_copy_in(&in.params, c->arg, sizeof(in.params)) < 0)
		return -EFAULT;
	c->reg.data = (const uint8_t *)&in;
	c->reg.len = sizeof(in);
	c->reg.nr = 1;
	/* once the ring has moved it is too late to find that nobody can be told where to */
	if (!(in.params.flags & ~(RINGD_SETUP_CQSIZE | RINGD_SETUP_CLAMP)) &&
	    rd_local_copy_out(c->arg, &in.params, sizeof(in.params)) < 0)
		return -EFAULT;
	r = rd_local_call_run(c);
	if (r < 0)
		return r;
	memcpy(&answer, c->reg.out, sizeof(answer));
	return rd_local_copy_out(c->arg, &answer.params, sizeof(answer.params)) < 0 ? -EFAULT : 0;
}

static int call_message(struct rd_local_call *c)
{
	return !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_struct(c, sizeof(struct ringd_sqe), false);
}

/* --- SYNC_CANCEL --- */

/* Others use the ring meanwhile; what ends it, ends the wait. */
static int cancel_wait(struct rd_local_call *c)
{
	struct timespec ts = { .tv_sec = (time_t)(c->pause_us / 1000000), .tv_nsec = (long)(c->pause_us % 1000000) * 1000 };
	long r;

	rd_local_leave();
	rd_local_unlock();
	/* the kernel's own: no place where a thread can be cancelled */
	r = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL) < 0 ? -errno : 0;
	rd_local_lock();
	rd_local_turn();
	return r == -EINTR ? -EINTR : 0;
}

static int call_cancel(struct rd_local_call *c)
{
	int r = !c->arg || c->nr != 1 ? -EINVAL : rd_local_call_struct(c, sizeof(struct ringd_sync_cancel_reg), false);

	if (!c->cancel)
		return r;
	do {
		r = cancel_wait(c);
		if (r == 0)
			r = c->reg.ctx->dying ? -ENXIO : rd_sync_cancel_look(c->cancel, &c->reg, &c->pause_us);
	} while (r == -EALREADY);
	rd_sync_cancel_free(c->cancel);
	return r;
}

/* --- one call --- */

static int (*const calls[RINGD_REGISTER_LAST])(struct rd_local_call *c) = {
	[RINGD_REGISTER_BUFFERS] = rd_local_call_bufs,
	[RINGD_UNREGISTER_BUFFERS] = call_plain,
	[RINGD_REGISTER_FILES] = rd_local_call_files,
	[RINGD_UNREGISTER_FILES] = call_plain,
	[RINGD_REGISTER_EVENTFD] = rd_local_call_eventfd,
	[RINGD_UNREGISTER_EVENTFD] = call_plain,
	[RINGD_REGISTER_FILES_UPDATE] = rd_local_call_files_update,
	[RINGD_REGISTER_EVENTFD_ASYNC] = rd_local_call_eventfd,
	[RINGD_REGISTER_PROBE] = rd_local_call_probe,
	[RINGD_REGISTER_PERSONALITY] = rd_local_call_personality,
	[RINGD_UNREGISTER_PERSONALITY] = rd_local_call_unpersonality,
	[RINGD_REGISTER_RESTRICTIONS] = rd_local_call_restrict,
	[RINGD_REGISTER_ENABLE_RINGS] = call_enable,
	[RINGD_REGISTER_FILES2] = rd_local_call_rsrc,
	[RINGD_REGISTER_FILES_UPDATE2] = rd_local_call_rsrc_update,
	[RINGD_REGISTER_BUFFERS2] = rd_local_call_rsrc,
	[RINGD_REGISTER_BUFFERS_UPDATE] = rd_local_call_rsrc_update,
	[RINGD_REGISTER_IOWQ_AFF] = call_affinity,
	[RINGD_UNREGISTER_IOWQ_AFF] = call_plain,
	[RINGD_REGISTER_IOWQ_MAX_WORKERS] = call_workers,
	[RINGD_REGISTER_RING_FDS] = rd_local_call_ring_fds,
	[RINGD_UNREGISTER_RING_FDS] = rd_local_call_unring_fds,
	[RINGD_REGISTER_PBUF_RING] = rd_local_call_pbuf,
	[RINGD_UNREGISTER_PBUF_RING] = rd_local_call_unpbuf,
	[RINGD_REGISTER_SYNC_CANCEL] = call_cancel,
	[RINGD_REGISTER_FILE_ALLOC_RANGE] = call_range,
	[RINGD_REGISTER_PBUF_STATUS] = call_status,
	[RINGD_REGISTER_NAPI] = call_napi,
	[RINGD_UNREGISTER_NAPI] = call_unnapi,
	[RINGD_REGISTER_CLOCK] = call_clock,
	[RINGD_REGISTER_CLONE_BUFFERS] = call_clone,
	[RINGD_REGISTER_ZCRX_IFQ] = rd_local_call_zcrx,
	[RINGD_REGISTER_RESIZE_RINGS] = call_resize_rings,
	[RINGD_REGISTER_MEM_REGION] = rd_local_call_region,
	[RINGD_REGISTER_QUERY] = rd_local_call_query,
	[RINGD_REGISTER_ZCRX_CTRL] = rd_local_call_zcrx_ctrl,
};

/* Without an engine there is no ring to be found. */
static int no_ring(struct rd_host *host, int fd, struct rd_ctx **ret)
{
	(void)host;
	(void)ret;
	return rd_local_no_ring(fd, -EBADFD);
}

static int call_blind(struct rd_local_call *c)
{
	static const struct rd_host_ops nobody = { .ring = no_ring };
	static struct rd_host none = { .ops = &nobody };

	if (!rd_local.running)
		c->reg.host = &none;
	switch (c->reg.opcode) {
	case RINGD_REGISTER_SEND_MSG_RING:
		return call_message(c);
	case RINGD_REGISTER_QUERY:
		return rd_local_call_query(c);
	case RINGD_REGISTER_RESTRICTIONS:
		return rd_local_call_restrict_task(c);
	default:
		return -EINVAL;	/* filters are not served, as by a kernel built without them */
	}
}

static int call_ring(struct rd_local_call *c)
{
	struct rd_local_ring *lr = c->lr;
	struct rd_local_regs *regs = lr->regs;
	int (*call)(struct rd_local_call *) = calls[c->reg.opcode];

	c->reg.ring = lr->ring;
	c->reg.ctx = &lr->ring->ctx;
	if (c->reg.ctx->dying)
		return -ENXIO;
	if (lr->issuer && lr->issuer != (pid_t)syscall(SYS_gettid))
		return -EEXIST;
	if (!rd_reg_disabled(&c->reg) && rd_restrict_register(c->reg.ctx, c->reg.opcode) < 0)
		return -EACCES;
	if (!call)
		return -EINVAL;
	if (!regs) {
		regs = calloc(1, sizeof(*regs));
		if (!regs)
			return -ENOMEM;
		lr->regs = regs;
	}
	c->reg.region = &regs->region;
	return call(c);
}

static int call_with_ring(struct rd_local_call *c, unsigned int fd, bool registered)
{
	int r = rd_local_find(fd, registered, &c->lr);

	if (r < 0)
		return r;
	rd_local_ring_get(c->lr);
	r = call_ring(c);
	rd_local_turn();
	if (RD_UNLIKELY(c->lr->unheard) && c->reg.ctx && c->lr->ring->ctx.files.slots)
		rd_local_background_watch();
	rd_local_ring_put(c->lr);
	return r;
}

int rd_local_register(unsigned int fd, unsigned int opcode, const void *arg, unsigned int nr)
{
	struct rd_local_call c = {
		.reg = { .ops = &ops, .opcode = opcode & ~RINGD_REGISTER_USE_REGISTERED_RING, .host = &rd_local.host.host,
			 .engine = &rd_local.engine, .out = c.out, .out_fd = -1, .flat = true },
		.arg = (uintptr_t)arg, .nr = nr,
	};
	int saved = errno, r;

	if (c.reg.opcode >= RINGD_REGISTER_LAST)
		return -EINVAL;
	if (RD_UNLIKELY(rd_local_inside()))
		return -EAGAIN;
	rd_local_lock();
	if (RD_UNLIKELY(rd_local_thread()->waiting))
		rd_local_thread_tidy();
	if ((int)fd == -1)
		r = call_blind(&c);
	else
		r = call_with_ring(&c, fd, opcode & RINGD_REGISTER_USE_REGISTERED_RING);
	rd_close(c.reg.out_fd);
	rd_local_leave();
	rd_local_report_call(false, c.reg.opcode, r);
	rd_local_unlock();
	rd_local_settle_down();
	errno = saved;
	return r;
}
