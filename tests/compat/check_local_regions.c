/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring_register of the in-process host: memory that rings are given or give, answers, and calls that take their time. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "localring.h"
#include "tests/unit/suite.h"

static uint64_t addr(const void *p)
{
	return (uintptr_t)p;
}

static int map_at(const struct lr *ring, uint64_t off, size_t size, void *ret)
{
	return rd_local_mmap(ret, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, off);
}

/* --- rings of provided buffers --- */

/* One buffer of the ring at br; the read takes it. */
static void read_into(struct lr *ring, struct ringd_buf *br, uint16_t bgid, uint16_t tail)
{
	static char mem[64];
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(p[1], "data", 4), 4);
	br[tail] = (struct ringd_buf){ .addr = addr(mem), .len = sizeof(mem), .bid = (uint16_t)(7 + tail), .resv = br[tail].resv };
	__atomic_store_n(&((struct ringd_buf_ring *)(void *)br)->tail, (uint16_t)(tail + 1), __ATOMIC_RELEASE);
	lr_sqe(ring, RINGD_OP_READ, p[0], 0, 0, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ring->sqes[(*ring->sq_tail - 1) & (ring->p.sq_entries - 1)].buf_group = bgid;
	lr_submit(ring, 1);
	ck_assert_uint_eq(lr_cqe(ring).flags, RINGD_CQE_F_BUFFER | (uint32_t)(7 + tail) << 16);
	ck_assert_mem_eq(mem, "data", 4);
	close(p[0]);
	close(p[1]);
}

START_TEST(a_buffer_ring_that_is_mapped)
{
	struct ringd_buf_reg reg = { .ring_entries = 8, .bgid = 3, .flags = RINGD_PBUF_RING_MMAP };
	const uint64_t off = RINGD_OFF_PBUF_RING + (3u << RINGD_OFF_PBUF_SHIFT);
	struct ringd_buf_status status = { .buf_group = 3 };
	struct lr ring = { 0 };
	struct ringd_buf *br = NULL;

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(map_at(&ring, off, 4096, &br), -ENOMEM);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 2), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 1), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 1), -EEXIST);
	ck_assert_int_eq(map_at(&ring, off, 8 * sizeof(*br), &br), 0);
	read_into(&ring, br, 3, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_STATUS, &status, 1), 0);
	ck_assert_uint_eq(status.head, 1);
	reg = (struct ringd_buf_reg){ .bgid = 3 };
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_PBUF_RING, &reg, 1), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_PBUF_RING, &reg, 1), -ENOENT);
	br[7].len = 1;	/* memory still */
	ck_assert_int_eq(map_at(&ring, off, 4096, &br), -ENOMEM);
	lr_close(&ring);
}
END_TEST

START_TEST(a_buffer_ring_of_the_program)
{
	struct ringd_buf *br = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ringd_buf_reg reg = { .ring_entries = 256, .bgid = 1 };
	struct lr ring = { 0 };
	void *p;

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 1), -EFAULT);
	reg.ring_addr = addr(br) + 8;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 1), -EINVAL);
	reg.ring_addr = addr(lr_bad_page());
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 1), -EFAULT);
	reg.ring_addr = addr(br);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PBUF_RING, &reg, 1), 0);
	ck_assert_int_eq(map_at(&ring, RINGD_OFF_PBUF_RING + (1u << RINGD_OFF_PBUF_SHIFT), 4096, &p), -ENOMEM);
	for (uint16_t i = 0; i < 4; i++)
		read_into(&ring, br, 1, i);
	lr_close(&ring);
}
END_TEST

/* --- regions --- */

static int region(struct lr *ring, struct ringd_region_desc *desc, uint64_t flags)
{
	struct ringd_mem_region_reg reg = { .region_uptr = addr(desc), .flags = flags };

	return lr_register(ring, RINGD_REGISTER_MEM_REGION, &reg, 1);
}

static int wait_by(struct lr *ring, uint64_t off)
{
	return rd_local_enter((unsigned int)ring->fd, 0, 1, RINGD_ENTER_GETEVENTS | RINGD_ENTER_EXT_ARG | RINGD_ENTER_EXT_ARG_REG,
			      (void *)(uintptr_t)off, sizeof(struct ringd_reg_wait));
}

static void use_waits(struct lr *ring, struct ringd_reg_wait *w)
{
	ck_assert_int_eq(lr_register(ring, RINGD_REGISTER_ENABLE_RINGS, NULL, 0), 0);
	w[63] = (struct ringd_reg_wait){ .flags = RINGD_REG_WAIT_TS, .ts.tv_nsec = 1000 };
	ck_assert_int_eq(wait_by(ring, 63 * sizeof(*w)), -ETIME);
	ck_assert_int_eq(wait_by(ring, 64 * sizeof(*w)), -EFAULT);
	ck_assert_int_eq(wait_by(ring, 63 * sizeof(*w) + 8), -EFAULT);
	ck_assert_int_eq(wait_by(ring, 4), -EFAULT);
	w[1] = (struct ringd_reg_wait){ .flags = 2 };
	ck_assert_int_eq(wait_by(ring, sizeof(*w)), -EINVAL);
}

START_TEST(wait_arguments_in_memory_of_the_program)
{
	struct ringd_reg_wait *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ringd_region_desc desc = { .size = 4096, .user_addr = addr(lr_bad_page()), .flags = RINGD_MEM_REGION_TYPE_USER };
	struct lr ring = { 0 };

	lr_open(&ring, 4, RINGD_SETUP_R_DISABLED);
	ck_assert_int_eq(region(&ring, &desc, RINGD_MEM_REGION_REG_WAIT_ARG), -EFAULT);
	ck_assert_int_eq(region(&ring, lr_bad_page(), RINGD_MEM_REGION_REG_WAIT_ARG), -EFAULT);
	desc.user_addr = addr(w);
	ck_assert_int_eq(region(&ring, &desc, RINGD_MEM_REGION_REG_WAIT_ARG), 0);
	ck_assert_int_eq(region(&ring, lr_bad_page(), 0), -EBUSY);
	use_waits(&ring, w);
	lr_close(&ring);
}
END_TEST

START_TEST(wait_arguments_in_memory_of_the_ring)
{
	struct ringd_region_desc desc = { .size = 4096 };
	struct ringd_reg_wait *w = NULL;
	struct lr ring = { 0 };

	lr_open(&ring, 4, RINGD_SETUP_R_DISABLED);
	ck_assert_int_eq(map_at(&ring, RINGD_OFF_PARAM_REGION, 4096, &w), -ENOMEM);
	ck_assert_int_eq(region(&ring, &desc, RINGD_MEM_REGION_REG_WAIT_ARG), 0);
	ck_assert_uint_eq(desc.mmap_offset, RINGD_OFF_PARAM_REGION);
	ck_assert_int_eq(map_at(&ring, desc.mmap_offset, 4096, &w), 0);
	use_waits(&ring, w);
	lr_close(&ring);
	w[0].flags = 1;		/* the program's mapping is its own */
}
END_TEST

START_TEST(a_region_for_something_else)
{
	struct ringd_region_desc desc = { .size = 4096 }, *ro;
	struct lr ring = { 0 };

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(region(&ring, &desc, RINGD_MEM_REGION_REG_WAIT_ARG), -EINVAL);
	/* an answer that cannot be given is as if nothing had been asked */
	ro = lr_at_the_end(&desc, sizeof(desc));
	ck_assert_int_eq(mprotect((void *)(addr(ro) & ~4095ull), 4096, PROT_READ), 0);
	ck_assert_int_eq(region(&ring, ro, 0), -EFAULT);
	ck_assert_int_eq(region(&ring, &desc, 0), 0);
	ck_assert_int_eq(wait_by(&ring, 0), -EFAULT);
	lr_close(&ring);
}
END_TEST

/* --- sizes --- */

START_TEST(a_ring_that_is_resized)
{
	struct ringd_params p = { .sq_entries = 32 };
	struct lr ring = { 0 };
	void *old;

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RESIZE_RINGS, &p, 1), -EINVAL);
	lr_close(&ring);
	ring = (struct lr){ 0 };
	lr_open(&ring, 4, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	p = (struct ringd_params){ .sq_entries = 1u << 20 };
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RESIZE_RINGS, &p, 1), -EINVAL);
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 1);
	ck_assert_int_eq(lr_run(&ring), 0);	/* that did it no harm */
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 2);
	lr_submit(&ring, 1);
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 3);
	p = (struct ringd_params){ .sq_entries = 30 };
	old = ring.rings;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RESIZE_RINGS, &p, 1), 0);
	ck_assert_uint_eq(p.sq_entries, 32);
	ck_assert_uint_eq(p.cq_entries, 64);
	ring.p = p;
	lr_map(&ring);
	ck_assert_ptr_ne(old, ring.rings);
	ck_assert_uint_eq(lr_cqe(&ring).user_data, 2);
	lr_submit(&ring, 1);
	ck_assert_uint_eq(lr_cqe(&ring).user_data, 3);
	lr_close(&ring);
}
END_TEST

/* --- answers --- */

START_TEST(questions)
{
	struct {
		struct ringd_probe probe;
		struct ringd_probe_op ops[256];
	} p = { .ops = { [70] = { .resv = 1 } } };
	struct ringd_query_opcode ops = { 0 };
	struct ringd_query_hdr hdr[2] = { { .query_data = addr(&ops), .size = sizeof(ops) }, { .query_op = 77, .size = 8 } };
	struct lr ring = { 0 };

	/* without a ring, and without anything there that serves one */
	hdr[0].next_entry = addr(&hdr[1]);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_QUERY, hdr, 1), -EINVAL);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_QUERY, hdr, 0), 0);
	ck_assert_uint_eq(ops.nr_register_opcodes, RINGD_REGISTER_LAST);
	ck_assert_int_eq(hdr[1].result, -EOPNOTSUPP);
	hdr[0].result = 0;
	hdr[0].next_entry = addr(hdr);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_QUERY, hdr, 0), -ERANGE);
	lr_open(&ring, 4, 0);
	/* what is behind the opcodes there are is not looked at */
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PROBE, &p, 256), 0);
	ck_assert_uint_eq(p.probe.ops_len, RINGD_OP_LAST);
	ck_assert_uint_eq(p.ops[RINGD_OP_READ].flags, RINGD_OP_SUPPORTED);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PROBE, &p, 256), -EINVAL);
	hdr[1] = (struct ringd_query_hdr){ .query_data = addr(&ops), .size = 4 };
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_QUERY, &hdr[1], 0), 0);
	ck_assert_uint_eq(hdr[1].size, 4);	/* as much as was written */
	lr_close(&ring);
}
END_TEST

START_TEST(settings)
{
	uint32_t limits[2] = { 3, 4 };
	struct ringd_clock_register clock = { .clockid = CLOCK_REALTIME };
	struct ringd_napi napi = { .busy_poll_to = 50 };
	struct lr ring = { 0 };

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, limits, 2), 0);
	limits[0] = limits[1] = 0;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_IOWQ_MAX_WORKERS, limits, 2), 0);
	ck_assert(limits[0] == 3 && limits[1] == 4);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_CLOCK, &clock, 0), -EINVAL);
	clock.clockid = CLOCK_BOOTTIME;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_CLOCK, &clock, 0), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 1);
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 1;
	ck_assert_int_eq(lr_run(&ring), 0);
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 2;
	ck_assert_int_eq(lr_run(&ring), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_PERSONALITY, NULL, 2), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_PERSONALITY, NULL, 1), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_NAPI, &napi, 1), 0);
	ck_assert_uint_eq(napi.busy_poll_to, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_NAPI, &napi, 1), 0);
	ck_assert_uint_eq(napi.busy_poll_to, 50);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_NAPI, NULL, 1), 0);
	lr_close(&ring);
}
END_TEST

START_TEST(a_message_from_nowhere)
{
	struct ringd_sqe sqe = { .opcode = RINGD_OP_MSG_RING, .fd = 12345, .off = 99, .len = 5 };
	struct ringd_cqe cqe;
	struct lr ring = { 0 };

	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_SEND_MSG_RING, &sqe, 1), -EBADF);
	sqe.fd = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_SEND_MSG_RING, &sqe, 1), -EBADFD);
	lr_open(&ring, 4, 0);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_SEND_MSG_RING, &sqe, 1), -EBADFD);
	sqe.fd = ring.fd;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_SEND_MSG_RING, &sqe, 1), -EINVAL);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_SEND_MSG_RING, &sqe, 0), -EINVAL);
	ck_assert_int_eq(rd_local_register((unsigned int)-1, RINGD_REGISTER_SEND_MSG_RING, &sqe, 1), 0);
	cqe = lr_cqe(&ring);
	ck_assert(cqe.user_data == 99 && cqe.res == 5);
	lr_close(&ring);
}
END_TEST

/* --- zero-copy receive --- */

struct zc {
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

static void zc_init(struct zc *zc)
{
	void *mem = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*zc = (struct zc){
		.reg = { .rq_entries = 4, .flags = RINGD_ZCRX_REG_NODEV, .area_ptr = addr(&zc->area), .region_ptr = addr(&zc->desc) },
		.area = { .addr = addr(mem), .len = 16384 }, .desc = { .size = 4096 },
	};
}

START_TEST(areas_and_their_refill_rings)
{
	const uint32_t flags = RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_CQE32;
	struct ringd_zcrx_ctrl ctrl = { .op = RINGD_ZCRX_CTRL_EXPORT };
	struct ringd_zcrx_ifq_reg import = { .flags = RINGD_ZCRX_REG_IMPORT };
	struct lr ring = { 0 }, other = { 0 };
	void *refill = NULL;
	struct zc zc;

	zc_init(&zc);
	lr_open(&ring, 4, flags);
	lr_open(&other, 4, flags);
	zc.reg.area_ptr = addr(lr_bad_page());
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_ZCRX_IFQ, &zc.reg, 1), -EFAULT);
	zc.reg.area_ptr = addr(&zc.area);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_ZCRX_IFQ, &zc.reg, 1), 0);
	ck_assert_uint_eq(zc.reg.area_ptr, addr(&zc.area));
	ck_assert_uint_ne(zc.reg.offsets.rqes, 0);
	ck_assert_uint_eq(zc.desc.mmap_offset, RINGD_OFF_ZCRX_REGION);
	ck_assert_int_eq(map_at(&ring, zc.desc.mmap_offset, 4096, &refill), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_ZCRX_CTRL, &ctrl, 0), 0);
	import.if_idx = (uint32_t)open("/dev/null", O_RDONLY);
	ck_assert_int_eq(lr_register(&other, RINGD_REGISTER_ZCRX_IFQ, &import, 1), -EBADF);
	import.if_idx = ctrl.zc_export.zcrx_fd;
	ck_assert_int_eq(lr_register(&other, RINGD_REGISTER_ZCRX_IFQ, &import, 1), 0);
	ck_assert_uint_eq(import.rq_entries, zc.reg.rq_entries);
	ck_assert_int_eq(close((int)ctrl.zc_export.zcrx_fd), 0);
	lr_close(&ring);
	lr_close(&other);
}
END_TEST

/* --- what takes its time --- */

START_TEST(a_cancel_of_what_can_be_stopped)
{
	struct ringd_sync_cancel_reg reg = { .addr = 5, .fd = -1, .timeout = { -1, -1 } };
	struct lr ring = { 0 };
	int p[2];
	char byte;

	ck_assert_int_eq(pipe(p), 0);
	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 0), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1), -ENOENT);
	lr_sqe(&ring, RINGD_OP_READ, p[0], addr(&byte), 1, 5);
	ck_assert_int_eq(rd_local_enter((unsigned int)ring.fd, 1, 0, 0, NULL, 0), 1);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1), 0);
	ck_assert_int_eq(lr_cqe(&ring).res, -ECANCELED);
	reg = (struct ringd_sync_cancel_reg){ .fd = p[0], .flags = RINGD_ASYNC_CANCEL_FD | RINGD_ASYNC_CANCEL_ALL,
					      .timeout = { -1, -1 } };
	for (uint64_t i = 0; i < 2; i++)
		lr_sqe(&ring, RINGD_OP_READ, p[0], addr(&byte), 1, 10 + i);
	ck_assert_int_eq(rd_local_enter((unsigned int)ring.fd, 2, 0, 0, NULL, 0), 2);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1), 2);
	reg.fd = 12345;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_SYNC_CANCEL, &reg, 1), -EBADF);
	lr_close(&ring);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("local regions");
	TCase *tc = tcase_create("regions");

	tcase_add_test(tc, a_buffer_ring_that_is_mapped);
	tcase_add_test(tc, a_buffer_ring_of_the_program);
	tcase_add_test(tc, wait_arguments_in_memory_of_the_program);
	tcase_add_test(tc, wait_arguments_in_memory_of_the_ring);
	tcase_add_test(tc, a_region_for_something_else);
	tcase_add_test(tc, a_ring_that_is_resized);
	tcase_add_test(tc, questions);
	tcase_add_test(tc, settings);
	tcase_add_test(tc, a_message_from_nowhere);
	tcase_add_test(tc, areas_and_their_refill_rings);
	tcase_add_test(tc, a_cancel_of_what_can_be_stopped);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
