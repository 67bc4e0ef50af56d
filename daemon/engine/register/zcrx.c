/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Areas for RECV_ZC. Queues of devices are for who may configure them, which no engine may: what is served is NODEV, where the
 * engine copies, and there nobody needs a privilege, because nothing of a device is touched.
 *
 * An exported area is named by a descriptor, as with io_uring: of an empty memory file that cannot grow. We keep it open as
 * long as the area lives, so its inode number is its own, and who sends a descriptor of it has got it from us.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../rsrc/memfd.h"
#include "../rsrc/zcrx.h"
#include "register.h"

struct ifq_call {
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

static bool zeroes(const void *p, size_t size)
{
	const char *bytes = p;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

static bool may_configure_devices(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN));
}

/* --- the checks, in io_uring's order --- */

/* What comes before anything of the call is looked at but its flags. */
static int check_ring(struct rd_reg *reg, const struct ringd_zcrx_ifq_reg *ifq)
{
	const uint32_t flags = reg->ctx->setup_flags;

	if (!(ifq->flags & (RINGD_ZCRX_REG_NODEV | RINGD_ZCRX_REG_IMPORT)) && !may_configure_devices())
		return rd_reg_refuse(reg, -EPERM, "queues of devices need CAP_NET_ADMIN, which no engine has");
	if (!(flags & RINGD_SETUP_DEFER_TASKRUN) || !(flags & (RINGD_SETUP_CQE32 | RINGD_SETUP_CQE_MIXED)))
		return rd_reg_refuse(reg, -EINVAL, "the ring has not DEFER_TASKRUN and CQE32 or CQE_MIXED");
	return 0;
}

static int check_ifq(struct rd_reg *reg, struct ringd_zcrx_ifq_reg *ifq)
{

	if (!zeroes(ifq->__resv, sizeof(ifq->__resv)) || ifq->zcrx_id || ifq->area_ptr || ifq->region_ptr)
		return rd_reg_refuse(reg, -EINVAL, "what the answer fills in, or a reserved field, is not zero");
	if (ifq->flags & ~(RINGD_ZCRX_REG_IMPORT | RINGD_ZCRX_REG_NODEV))
		return rd_reg_refuse(reg, -EINVAL, "unknown flags %#x", ifq->flags);
	if (ifq->flags & RINGD_ZCRX_REG_IMPORT)
		return 0;
	if (!ifq->rq_entries || ifq->if_rxq == UINT32_MAX)
		return rd_reg_refuse(reg, -EINVAL, "a refill ring without entries, or no queue");
	if ((ifq->flags & RINGD_ZCRX_REG_NODEV) && (ifq->if_idx || ifq->if_rxq))
		return rd_reg_refuse(reg, -EINVAL, "a device with RINGD_ZCRX_REG_NODEV");
	if (ifq->rq_entries > RD_ZCRX_RQ_MAX && !(reg->ctx->setup_flags & RINGD_SETUP_CLAMP))
		return rd_reg_refuse(reg, -EINVAL, "%u entries, at most %u", ifq->rq_entries, RD_ZCRX_RQ_MAX);
	ifq->rq_entries = RD_MIN(ifq->rq_entries, RD_ZCRX_RQ_MAX);
	if (ifq->rq_entries > 1)
		ifq->rq_entries = 1u << (32 - __builtin_clz(ifq->rq_entries - 1));
	return 0;
}

static int check_region(struct rd_reg *reg, const struct ifq_call *call)
{
	int r = 0;

	if (rd_zcrx_rq_size(call->reg.rq_entries) > call->desc.size)
		return rd_reg_refuse(reg, -EINVAL, "%llu bytes for a refill ring of %u entries",
				 (unsigned long long)call->desc.size, call->reg.rq_entries);
	r = rd_reg_region_desc(reg, &call->desc);
	if (r == 0 && !(call->reg.flags & RINGD_ZCRX_REG_NODEV))
		r = rd_reg_refuse(reg, -EOPNOTSUPP, "ringd receives without a device, with RINGD_ZCRX_REG_NODEV");
	return r;
}

static int check_area(struct rd_reg *reg, const struct ifq_call *call)
{
	const struct ringd_zcrx_area_reg *area = &call->area;
	const uint32_t page = (uint32_t)getpagesize(), len = call->reg.rx_buf_len;

	if (area->flags & ~RINGD_ZCRX_AREA_DMABUF || area->rq_area_token || area->__resv2[0] || area->__resv2[1])
		return rd_reg_refuse(reg, -EINVAL, "unknown flags, or a reserved field is not zero");
	if (area->flags & RINGD_ZCRX_AREA_DMABUF)
		return rd_reg_refuse(reg, -EOPNOTSUPP, "memory of devices is not served");
	if (area->dmabuf_fd || !area->len || (area->addr | area->len) & (page - 1))
		return rd_reg_refuse(reg, -EINVAL, "an area that is not whole pages");
	if (len && (len < page || len & (len - 1) || len > area->len))
		return rd_reg_refuse(reg, -EINVAL, "buffers of %u bytes in an area of %llu", len, (unsigned long long)area->len);
	if (area->len / page > INT32_MAX)
		return rd_reg_refuse(reg, -EINVAL, "an area of %llu bytes", (unsigned long long)area->len);
	return 0;
}

/* --- making one --- */

static int take_region(struct rd_reg *reg, struct ringd_region_desc *desc, void **ptr, struct rd_mem **owner)
{
	uint64_t off;

	if (!(desc->flags & RINGD_MEM_REGION_TYPE_USER)) {
		off = RINGD_OFF_ZCRX_REGION + ((uint64_t)rd_zcrxs_next_id(reg->ctx->zcrxs) << RINGD_OFF_ZCRX_SHIFT);
		desc->mmap_offset = off;
		return rd_reg_mem_new(reg, "ringd-zcrx", off, desc->size, ptr, owner);
	}
	*ptr = rd_reg_map(reg, desc->user_addr, desc->size, owner);
	/* a hole in huge pages may have none behind it when we look, and then a load is a SIGBUS */
	if (!*ptr || rd_reg_is_brittle(reg, *owner))
		return rd_reg_refuse(reg, -EFAULT, "%llu bytes at %#llx are not in one arena of small pages",
				 (unsigned long long)desc->size, (unsigned long long)desc->user_addr);
	rd_mem_get(*owner);
	return 0;
}

static int add(struct rd_reg *reg, struct rd_zcrx *z, struct ringd_zcrx_ifq_reg *ifq)
{
	int id = rd_zcrxs_add(&reg->ctx->zcrxs, &reg->engine->user, z);

	if (id == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, 1);
	if (id < 0)
		return rd_reg_refuse(reg, id, "the ring has %u areas, or there is no memory", RD_ZCRX_MAX);
	ifq->zcrx_id = (uint32_t)id;
	ifq->rq_entries = z->rq_entries;
	ifq->offsets = (struct ringd_zcrx_offsets){ .head = RD_ZCRX_RQ_HEAD, .tail = RD_ZCRX_RQ_TAIL, .rqes = RD_ZCRX_RQ_ENTRIES };
	return 0;
}

/* cfg has the refill ring. */
static int make_area(struct rd_reg *reg, struct ifq_call *call, struct rd_zcrx_config *cfg)
{
	const uint32_t len = call->reg.rx_buf_len ? call->reg.rx_buf_len : (uint32_t)getpagesize();
	struct rd_zcrx *z = NULL;
	int r;

	cfg->rq_entries = call->reg.rq_entries;
	cfg->shift = (uint32_t)__builtin_ctz(len);
	cfg->area_len = call->area.len;
	cfg->area = rd_reg_map(reg, call->area.addr, call->area.len, &cfg->area_owner);
	if (!cfg->area)
		return rd_reg_refuse(reg, -EFAULT, "%llu bytes at %#llx are not in one arena", (unsigned long long)call->area.len,
				 (unsigned long long)call->area.addr);
	r = rd_zcrx_new(&z, &reg->engine->user, cfg);
	if (r == -EDQUOT)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_OBJECTS, 1);
	if (r < 0)
		return rd_reg_refuse(reg, r, "the engine is out of memory");
	r = add(reg, z, &call->reg);
	rd_zcrx_put(z);
	return r;
}

/* The descriptor could not be sent: it was the last that was registered. */
static void undo(struct rd_reg *reg)
{
	rd_zcrxs_remove(reg->ctx->zcrxs, rd_zcrxs_next_id(reg->ctx->zcrxs) - 1);
}

static int register_ifq(struct rd_reg *reg, struct ifq_call *call)
{
	struct rd_zcrx_config cfg = { 0 };
	void *rq = NULL;
	int r = check_region(reg, call);

	if (r == 0)
		r = check_area(reg, call);
	if (r == 0)
		r = take_region(reg, &call->desc, &rq, &cfg.rq_owner);
	if (r < 0)
		return r;
	cfg.rq = rq;
	r = make_area(reg, call, &cfg);
	rd_mem_put(cfg.rq_owner);
	if (r < 0)
		return r;
	reg->undo = undo;
	memcpy(reg->out, call, sizeof(*call));
	reg->out_len = sizeof(*call);
	return 0;
}

/* --- by another ring --- */

/* Not every server of files may answer. */
static int which_file(int fd, struct statx *st)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, st) < 0 ? -EBADF : 0;
}

static struct rd_zcrx *find_exported(struct rd_engine *engine, int fd)
{
	struct statx st, own;
	struct rd_link *l, *tmp;

	if (which_file(fd, &st) < 0)
		return NULL;
	rd_list_foreach(l, tmp, &engine->zcrx_exports) {
		struct rd_zcrx *z = rd_list_entry(l, struct rd_zcrx, export.link);

		if (which_file(z->export.fd, &own) == 0 && own.stx_ino == st.stx_ino && own.stx_dev_major == st.stx_dev_major &&
		    own.stx_dev_minor == st.stx_dev_minor)
			return z;
	}
	return NULL;
}

static int import_ifq(struct rd_reg *reg, struct ringd_zcrx_ifq_reg *ifq)
{
	struct rd_zcrx *z;
	int r;

	if (ifq->if_rxq || ifq->rq_entries || ifq->rx_buf_len || ifq->flags != RINGD_ZCRX_REG_IMPORT)
		return rd_reg_refuse(reg, -EINVAL, "an import has nothing but a descriptor");
	z = reg->n_fds ? find_exported(reg->engine, reg->fds[0]) : NULL;
	if (!z)
		return rd_reg_refuse(reg, -EBADF, "no area was exported by this descriptor");
	r = add(reg, z, ifq);
	if (r < 0)
		return r;
	memcpy(reg->out, ifq, sizeof(*ifq));
	reg->out_len = sizeof(*ifq);
	return 0;
}

int rd_reg_zcrx_ifq(struct rd_reg *reg)
{
	struct ifq_call call = { 0 };
	int r;

	if (reg->nr != 1)
		return rd_reg_refuse(reg, -EINVAL, "register %u takes one structure", reg->opcode);
	r = rd_reg_struct(reg, &call.reg, sizeof(call.reg));
	if (r == 0)
		r = check_ring(reg, &call.reg);
	if (r < 0)
		return r;
	if (!(call.reg.flags & RINGD_ZCRX_REG_IMPORT)) {
		if (reg->len == sizeof(call.reg))
			return rd_reg_refuse(reg, -EFAULT, "no area and no region");
		r = rd_reg_exactly(reg, &call, sizeof(call));
	}
	if (r == 0)
		r = check_ifq(reg, &call.reg);
	if (r < 0)
		return r;
	return call.reg.flags & RINGD_ZCRX_REG_IMPORT ? import_ifq(reg, &call.reg) : register_ifq(reg, &call);
}

/* --- control --- */

/* Its name; made when it is asked for first. */
static int name_area(struct rd_reg *reg, struct rd_zcrx *z)
{
	struct rd_zcrx_export *export = &z->export;
	int fd;

	if (export->fd >= 0)
		return 0;
	if (rd_charge_take(&export->file, &reg->engine->user, RINGD_LIMIT_FILES, 1) < 0)
		return rd_reg_refuse_budget(reg, RINGD_LIMIT_FILES, 1);
	fd = rd_memfd_sealed("ringd-zcrx", 0, 0);
	if (fd < 0) {
		rd_charge_give(&export->file);
		return rd_reg_refuse(reg, fd, "no descriptor for an area");
	}
	export->fd = fd;
	rd_list_append(&reg->engine->zcrx_exports, &export->link);
	return 0;
}

static int export_area(struct rd_reg *reg, struct rd_zcrx *z)
{
	int r = name_area(reg, z);

	if (r < 0)
		return r;
	reg->out_fd = fcntl(z->export.fd, F_DUPFD_CLOEXEC, 0);
	return reg->out_fd < 0 ? rd_reg_refuse(reg, -errno, "no descriptor for an area") : 0;
}

int rd_reg_zcrx_ctrl(struct rd_reg *reg)
{
	struct ringd_zcrx_ctrl ctrl;
	struct rd_zcrx *z;
	int r = rd_reg_exactly(reg, &ctrl, sizeof(ctrl));

	if (r < 0)
		return r;
	if (reg->nr || !zeroes(ctrl.__resv, sizeof(ctrl.__resv)) || !zeroes(&ctrl.zc_flush, sizeof(ctrl.zc_flush)))
		return rd_reg_refuse(reg, -EINVAL, "a reserved field is not zero");
	z = rd_zcrxs_find(reg->ctx->zcrxs, ctrl.zcrx_id);
	if (!z)
		return rd_reg_refuse(reg, -ENXIO, "no area %u", ctrl.zcrx_id);
	switch (ctrl.op) {
	case RINGD_ZCRX_CTRL_FLUSH_RQ:
		rd_zcrx_flush(z);
		return 0;
	case RINGD_ZCRX_CTRL_EXPORT:
		return export_area(reg, z);
	default:
		return rd_reg_refuse(reg, -EINVAL, "no operation %u", ctrl.op);
	}
}
