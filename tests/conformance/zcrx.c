/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas for RECV_ZC, and polling of network devices */
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "cf.h"

#define PAGE	4096u
#define FLAGS	(RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_CQE32)

static struct __user_cap_header_struct cap_head = { .version = _LINUX_CAPABILITY_VERSION_3 };

static bool may_configure_devices(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return syscall(SYS_capget, &cap_head, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN));
}

static void give_up_devices(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	ck_assert_int_eq(syscall(SYS_capget, &cap_head, data), 0);
	data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective &= ~CAP_TO_MASK(CAP_NET_ADMIN);
	ck_assert_int_eq(syscall(SYS_capset, &cap_head, data), 0);
}

/* An area of four pages. */
static int register_area(struct cf_ring *ring, uint32_t flags, struct ringd_zcrx_ifq_reg *reg)
{
	struct ringd_zcrx_area_reg area = { .addr = cf_addr(cf_alloc(4 * PAGE, PAGE)), .len = 4 * PAGE };
	struct ringd_region_desc desc = { .user_addr = cf_addr(cf_alloc(PAGE, PAGE)), .size = PAGE,
					  .flags = RINGD_MEM_REGION_TYPE_USER };

	*reg = (struct ringd_zcrx_ifq_reg){ .rq_entries = 8, .flags = flags, .area_ptr = cf_addr(&area),
					    .region_ptr = cf_addr(&desc) };
	return cf_register(ring, RINGD_REGISTER_ZCRX_IFQ, reg, 1);
}

/* Skips where there are none without a device, or not for us. */
static struct cf_ring *ring_with_area(struct ringd_zcrx_ifq_reg *reg)
{
	struct cf_ring *ring = cf_ring_new(8, FLAGS);
	int r = register_area(ring, RINGD_ZCRX_REG_NODEV, reg);

	if (cf_on(CF_KERNEL) && (r == -EPERM || r == -EINVAL))
		cf_skip("no areas without a device here: %s", strerror(-r));
	ck_assert_int_eq(r, 0);
	return ring;
}

static struct ringd_sqe *recv_zc(struct cf_ring *ring, int fd, uint32_t id)
{
	struct ringd_sqe *sqe = cf_sqe(ring, RINGD_OP_RECV_ZC);

	cf_sqe_fd(ring, sqe, fd);
	sqe->ioprio = RINGD_RECV_MULTISHOT;
	sqe->zcrx_ifq_idx = id;
	return sqe;
}

CF_TEST(recv_zc_without_an_area, 367, "RECV_ZC with an unknown ifq -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, FLAGS);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	recv_zc(ring, fd, 0);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	recv_zc(ring, fd, 77);
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	close(fd);
}

CF_TEST(recv_zc_is_multishot, 367, "RECV_ZC without MULTISHOT -> -EINVAL")
{
	struct ringd_zcrx_ifq_reg reg;
	struct cf_ring *ring = ring_with_area(&reg);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	recv_zc(ring, fd, reg.zcrx_id)->ioprio = 0;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	recv_zc(ring, fd, reg.zcrx_id)->ioprio = RINGD_RECVSEND_POLL_FIRST;
	ck_assert_int_eq(cf_run(ring), -EINVAL);
	close(fd);
}

CF_TEST(recv_zc_is_for_tcp, 367, "RECV_ZC on UDP -> -EPROTONOSUPPORT")
{
	struct ringd_zcrx_ifq_reg reg;
	struct cf_ring *ring = ring_with_area(&reg);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), p[2];

	recv_zc(ring, fd, reg.zcrx_id);
	ck_assert_int_eq(cf_run(ring), -EPROTONOSUPPORT);
	cf_pipe(p);
	recv_zc(ring, p[0], reg.zcrx_id);
	ck_assert_int_eq(cf_run(ring), -ENOTSOCK);
	close(fd);
}

CF_TEST(zcrx_of_a_device_needs_a_capability, 368, "Zcrx registration without CAP_NET_ADMIN -> -EPERM")
{
	struct cf_ring *ring = cf_ring_new(8, FLAGS);
	struct ringd_zcrx_ifq_reg reg;

	cf_need_op(RINGD_OP_RECV_ZC);
	give_up_devices();
	ck_assert_int_eq(register_area(ring, 0, &reg), -EPERM);
}

CF_TEST(zcrx_without_a_device_and_capability, 368, "Zcrx registration without a device and without CAP_NET_ADMIN -> -EPERM")
{
	struct cf_ring *ring = cf_ring_new(8, FLAGS);
	struct ringd_zcrx_ifq_reg reg;

	cf_need_op(RINGD_OP_RECV_ZC);
	give_up_devices();
	ck_assert_int_eq(register_area(ring, RINGD_ZCRX_REG_NODEV, &reg), cf_on(CF_ENGINE) ? 0 : -EPERM);
}
CF_DIFFERS(zcrx_without_a_device_and_capability, CF_ENGINE, "nothing of a device is touched, so nobody needs a privilege")

CF_TEST(zcrx_needs_large_cqes, 368, "Zcrx registration on a 16-byte CQE ring -> -EINVAL")
{
	struct cf_ring *ring = cf_ring_new(8, FLAGS & ~RINGD_SETUP_CQE32);
	struct ringd_zcrx_ifq_reg reg;

	cf_need_op(RINGD_OP_RECV_ZC);
	if (cf_on(CF_KERNEL) && !may_configure_devices())
		cf_skip("needs CAP_NET_ADMIN");
	ck_assert_int_eq(register_area(ring, cf_on(CF_ENGINE) ? RINGD_ZCRX_REG_NODEV : 0, &reg), -EINVAL);
	ring = cf_ring_new(8, RINGD_SETUP_CQE32);
	ck_assert_int_eq(register_area(ring, cf_on(CF_ENGINE) ? RINGD_ZCRX_REG_NODEV : 0, &reg), -EINVAL);
}

/* --- NAPI --- */

static int napi(struct cf_ring *ring, struct ringd_napi in, struct ringd_napi *out)
{
	struct ringd_napi arg = in;
	int r = cf_register(ring, RINGD_REGISTER_NAPI, &arg, 1);

	if (out)
		*out = arg;
	return r;
}

static struct cf_ring *ring_with_napi(void)
{
	struct cf_ring *ring = cf_ring_new(8, 0);
	int r = napi(ring, (struct ringd_napi){ 0 }, NULL);

	if (cf_on(CF_KERNEL) && r < 0)
		cf_skip("this kernel polls no network devices: %s", strerror(-r));
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_NAPI, NULL, 1), 0);
	return ring;
}

CF_TEST(napi_is_not_for_iopoll, 372, "NAPI register on an IOPOLL ring -> -EINVAL")
{
	ring_with_napi();
	ck_assert_int_eq(napi(cf_ring_new(8, RINGD_SETUP_IOPOLL), (struct ringd_napi){ 0 }, NULL), -EINVAL);
}

CF_TEST(napi_fields, 372, "NAPI register with pad or resv non-zero, nr other than 1, NULL -> -EINVAL")
{
	struct cf_ring *ring = ring_with_napi();
	struct ringd_napi arg = { 0 };

	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .pad = { 1 } }, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .pad = { 0, 1 } }, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .resv = 1 }, NULL), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_NAPI, &arg, 0), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_REGISTER_NAPI, NULL, 1), -EINVAL);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_NAPI, &arg, 0), -EINVAL);
}

CF_TEST(napi_tells_what_was_before, 372, "NAPI register, unregister -> old values come back")
{
	struct cf_ring *ring = ring_with_napi();
	struct ringd_napi out;

	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .busy_poll_to = 50, .prefer_busy_poll = 1 }, &out), 0);
	ck_assert_uint_eq(out.busy_poll_to, 0);
	ck_assert_uint_eq(out.prefer_busy_poll, 0);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .busy_poll_to = 60 }, &out), 0);
	ck_assert_uint_eq(out.busy_poll_to, 50);
	ck_assert_uint_eq(out.prefer_busy_poll, 1);
	memset(&out, 0, sizeof(out));
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_NAPI, &out, 1), 0);
	ck_assert_uint_eq(out.busy_poll_to, 60);
	ck_assert_uint_eq(out.prefer_busy_poll, 0);
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_NAPI, &out, 1), 0);
	ck_assert_uint_eq(out.busy_poll_to, 0);
}

CF_TEST(napi_tracking, 372, "NAPI with unknown operation or tracking -> -EINVAL; ids only with static tracking, each once")
{
	struct cf_ring *ring = ring_with_napi();
	struct ringd_napi add = { .opcode = RINGD_NAPI_STATIC_ADD_ID, .op_param = 100000 }, del = add, out;

	if (cf_on(CF_KERNEL) && napi(ring, (struct ringd_napi){ .op_param = RINGD_NAPI_TRACKING_STATIC }, NULL) < 0)
		cf_skip("this kernel has no static tracking");
	ck_assert_int_eq(cf_register(ring, RINGD_UNREGISTER_NAPI, NULL, 1), 0);
	del.opcode = RINGD_NAPI_STATIC_DEL_ID;
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .opcode = 3 }, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .op_param = 2 }, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .op_param = RINGD_NAPI_TRACKING_INACTIVE }, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, add, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ .op_param = RINGD_NAPI_TRACKING_STATIC }, &out), 0);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_INACTIVE);
	ck_assert_int_eq(napi(ring, del, NULL), -ENOENT);
	ck_assert_int_eq(napi(ring, add, NULL), 0);
	ck_assert_int_eq(napi(ring, add, NULL), -EEXIST);
	ck_assert_int_eq(napi(ring, del, &out), 0);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_STATIC);
	add.op_param = 0;
	ck_assert_int_eq(napi(ring, add, NULL), -EINVAL);
	ck_assert_int_eq(napi(ring, (struct ringd_napi){ 0 }, NULL), 0);
	ck_assert_int_eq(napi(ring, del, NULL), -EINVAL);
}
