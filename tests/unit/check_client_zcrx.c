/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: areas to receive into, refill rings, and answers about them that cannot be. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

#define PAGE	4096u
#define OFFSET(id)	(RINGD_OFF_ZCRX_REGION + ((uint64_t)(id) << RINGD_OFF_ZCRX_SHIFT))

struct call {
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

static struct fake *fake;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_zcrx_ifq_reg reg;
static struct ringd_zcrx_area_reg area;
static struct ringd_region_desc desc;
static struct call answer;
static int file = -1;

static void setup(void)
{
	fake = fake_new();
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, RINGD_SETUP_CQE32), 0);
	area = (struct ringd_zcrx_area_reg){ .addr = 0x10000, .len = 8 * PAGE };
	desc = (struct ringd_region_desc){ .size = PAGE };
	reg = (struct ringd_zcrx_ifq_reg){ .rq_entries = 5, .flags = RINGD_ZCRX_REG_NODEV, .area_ptr = (uintptr_t)&area,
					   .region_ptr = (uintptr_t)&desc };
	answer = (struct call){ .reg = reg, .area = area, .desc = desc };
	answer.reg.rq_entries = 8;
	answer.reg.zcrx_id = 3;
	answer.reg.offsets = (struct ringd_zcrx_offsets){ .tail = 4, .rqes = 64 };
	answer.desc.mmap_offset = OFFSET(3);
	file = memfd_create("refill", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, (off_t)OFFSET(8)), 0);
	fake->register_data = &answer;
	fake->register_size = sizeof(answer);
	fake->register_fd = file;
}

static void teardown(void)
{
	ringd_close(rd);
	fake_free(fake);
	close(file);
}

START_TEST(memory_of_the_engine_is_mapped)
{
	const struct call *sent;
	uint32_t word = 77;
	size_t size;
	char *p;

	ck_assert_int_eq(pwrite(file, &word, sizeof(word), (off_t)OFFSET(3) + 4), sizeof(word));
	ck_assert_int_eq(ringd_register_ifq(ring, &reg), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_ZCRX_IFQ);
	ck_assert_uint_eq(fake->reg.nr, 1);
	ck_assert_uint_eq(fake->reg.size, sizeof(*sent));
	sent = (const void *)fake->reg.data;
	ck_assert_uint_eq(sent->reg.area_ptr | sent->reg.region_ptr, 0);
	ck_assert_uint_eq(sent->reg.rq_entries, 5);
	ck_assert_uint_eq(sent->area.addr, 0x10000);
	ck_assert_uint_eq(sent->desc.size, PAGE);
	ck_assert_uint_eq(reg.zcrx_id, 3);
	ck_assert_uint_eq(reg.rq_entries, 8);
	ck_assert_uint_eq(reg.offsets.rqes, 64);
	ck_assert_uint_eq(desc.mmap_offset, OFFSET(3));
	p = ringd_zcrx_region(ring, 3, &size);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(size, PAGE);
	ck_assert_uint_eq(*(uint32_t *)(void *)(p + 4), 77);
	ck_assert_ptr_null(ringd_zcrx_region(ring, 0, &size));
	ck_assert_uint_eq(size, 0);
}
END_TEST

START_TEST(memory_of_the_caller_is_known)
{
	static _Alignas(4096) char mine[PAGE];

	desc.user_addr = (uintptr_t)mine;
	desc.flags = RINGD_MEM_REGION_TYPE_USER;
	answer.desc.user_addr = 0x1234;		/* that it is elsewhere is not believed */
	fake->register_fd = -1;
	ck_assert_int_eq(ringd_register_ifq(ring, &reg), 0);
	ck_assert_ptr_eq(ringd_zcrx_region(ring, 3, NULL), mine);
	ck_assert_uint_eq(desc.user_addr, (uintptr_t)mine);
}
END_TEST

START_TEST(answers_that_cannot_be)
{
	static const struct {
		uint32_t entries, head, tail, rqes;
	} bad[] = {
		{ 0, 0, 4, 64 }, { 3, 0, 4, 64 }, { 512, 0, 4, 64 }, { 8, PAGE, 4, 64 }, { 8, 0, UINT32_MAX - 3, 64 },
		{ 8, 0, 4, PAGE - 64 }, { 8, 0, 4, UINT32_MAX - 3 }, { 8, 1, 4, 64 }, { 1u << 31, 0, 4, 64 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		answer.reg.rq_entries = bad[i].entries;
		answer.reg.offsets = (struct ringd_zcrx_offsets){ .head = bad[i].head, .tail = bad[i].tail, .rqes = bad[i].rqes };
		ck_assert_int_eq(ringd_register_ifq(ring, &reg), -EPROTO);
	}
	ck_assert_ptr_null(ringd_zcrx_region(ring, 3, NULL));
	ck_assert_uint_eq(reg.zcrx_id, 0);	/* and nothing was written */
	ck_assert_uint_eq(reg.rq_entries, 5);
	fake->register_size = sizeof(answer) - 8;
	ck_assert_int_eq(ringd_register_ifq(ring, &reg), -EPROTO);
}
END_TEST

START_TEST(without_structures_the_engine_is_asked_all_the_same)
{
	reg.area_ptr = 0;
	fake->fail = -EFAULT;
	ck_assert_int_eq(ringd_register_ifq(ring, &reg), -EFAULT);
	ck_assert_uint_eq(fake->reg.size, sizeof(reg));
	ck_assert_int_eq(ringd_register_ifq(ring, NULL), -EINVAL);
	fake->register_fd = -1;
	ck_assert_int_eq(ringd_register_ifq(ring, &reg), -EPROTO);	/* it cannot have */
}
END_TEST

START_TEST(an_import_sends_the_descriptor)
{
	struct ringd_zcrx_ifq_reg in = { .if_idx = (uint32_t)file, .flags = RINGD_ZCRX_REG_IMPORT };
	struct stat st;

	ck_assert_int_eq(fstat(file, &st), 0);
	fake->register_data = &answer.reg;
	fake->register_size = sizeof(answer.reg);
	fake->register_fd = -1;
	ck_assert_int_eq(ringd_register_ifq(ring, &in), 0);
	ck_assert_uint_eq(fake->reg.size, sizeof(in));
	ck_assert_uint_eq(fake->reg.n_fds, 1);
	ck_assert_uint_eq(fake->reg.inodes[0], st.st_ino);
	ck_assert_uint_eq(in.zcrx_id, 3);
	ck_assert_uint_eq(in.rq_entries, 8);
	ck_assert_ptr_null(ringd_zcrx_region(ring, 3, NULL));
	in.if_idx = 100000;
	ck_assert_int_eq(ringd_register_ifq(ring, &in), -EBADF);
	in.if_idx = (uint32_t)file;
	in.region_ptr = (uintptr_t)&desc;
	ck_assert_int_eq(ringd_register_ifq(ring, &in), -EINVAL);
}
END_TEST

START_TEST(an_export_is_a_descriptor)
{
	struct ringd_zcrx_ctrl ctrl = { .zcrx_id = 3, .op = RINGD_ZCRX_CTRL_EXPORT };
	struct stat a, b;

	fake->register_size = 0;
	ck_assert_int_eq(ringd_register_zcrx_ctrl(ring, &ctrl), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_ZCRX_CTRL);
	ck_assert_uint_eq(fake->reg.nr, 0);
	ck_assert_uint_eq(fake->reg.size, sizeof(ctrl));
	ck_assert_int_eq(fstat((int)ctrl.zc_export.zcrx_fd, &a) | fstat(file, &b), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	ck_assert_int_eq(fcntl((int)ctrl.zc_export.zcrx_fd, F_GETFD), FD_CLOEXEC);
	close((int)ctrl.zc_export.zcrx_fd);
	fake->register_fd = -1;
	ctrl = (struct ringd_zcrx_ctrl){ .op = RINGD_ZCRX_CTRL_FLUSH_RQ };
	ck_assert_int_eq(ringd_register_zcrx_ctrl(ring, &ctrl), 0);
	ck_assert_int_eq(ringd_register_zcrx_ctrl(ring, NULL), -EFAULT);
}
END_TEST

START_TEST(entries_are_seen_when_they_are_published)
{
	struct ringd_zcrx_rq rq;
	const struct ringd_zcrx_rqe *rqes;
	char *p;

	ck_assert_int_eq(ringd_register_ifq(ring, &reg), 0);
	p = ringd_zcrx_region(ring, 3, NULL);
	rqes = (const void *)(p + 64);
	ck_assert_int_eq(ringd_zcrx_rq_init(&rq, NULL, &reg), -EINVAL);
	ck_assert_int_eq(ringd_zcrx_rq_init(&rq, p, &reg), 0);
	ck_assert_uint_eq(ringd_zcrx_rq_space(&rq), 8);
	for (unsigned int i = 0; i < 8; i++)
		ringd_zcrx_rq_add(&rq, i * PAGE, 7);
	ck_assert_uint_eq(ringd_zcrx_rq_space(&rq), 0);
	ck_assert_uint_eq(*rq.ktail, 0);
	ringd_zcrx_rq_publish(&rq);
	ck_assert_uint_eq(*(uint32_t *)(void *)(p + 4), 8);
	ck_assert_uint_eq(rqes[7].off, 7 * PAGE);
	ck_assert_uint_eq(rqes[7].len, 7);
	*rq.khead = 5;
	ck_assert_uint_eq(ringd_zcrx_rq_space(&rq), 5);
	ringd_zcrx_rq_add(&rq, 99, 1);
	ck_assert_uint_eq(rqes[0].off, 99);
}
END_TEST

START_TEST(the_request)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring);
	_Alignas(8) char cqe[32] = { 0 };

	memset(sqe, 0xff, sizeof(*sqe));
	sqe->flags = 0;
	sqe->ioprio = sqe->personality = 0;
	ringd_prep_recv_zc(sqe, 9, 1000, 3);
	ck_assert_uint_eq(sqe->opcode, RINGD_OP_RECV_ZC);
	ck_assert_int_eq(sqe->fd, 9);
	ck_assert_uint_eq(sqe->len, 1000);
	ck_assert_uint_eq(sqe->ioprio, RINGD_RECV_MULTISHOT);
	ck_assert_uint_eq(sqe->zcrx_ifq_idx, 3);
	ck_assert_uint_eq(sqe->addr | sqe->addr2 | sqe->addr3 | sqe->msg_flags | sqe->buf_index, 0);
	memcpy(cqe + 16, &(uint64_t){ 5 * PAGE }, 8);
	ck_assert_uint_eq(ringd_zcrx_off((const struct ringd_cqe *)(const void *)cqe), 5 * PAGE);
}
END_TEST

START_TEST(napi_settings_come_back)
{
	struct ringd_napi before = { .busy_poll_to = 5, .op_param = RINGD_NAPI_TRACKING_INACTIVE };
	struct ringd_napi napi = { .busy_poll_to = 100, .prefer_busy_poll = 1 };
	const struct ringd_napi *sent;

	fake->register_data = &before;
	fake->register_size = sizeof(before);
	fake->register_fd = -1;
	ck_assert_int_eq(ringd_register_napi(ring, &napi), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_REGISTER_NAPI);
	ck_assert_uint_eq(fake->reg.nr, 1);
	sent = (const void *)fake->reg.data;
	ck_assert_uint_eq(sent->busy_poll_to, 100);
	ck_assert_uint_eq(napi.busy_poll_to, 5);
	ck_assert_uint_eq(napi.op_param, RINGD_NAPI_TRACKING_INACTIVE);
	ck_assert_int_eq(ringd_register_napi(ring, NULL), -EINVAL);
	memset(&napi, 0, sizeof(napi));
	fake->reg.size = 0;
	ck_assert_int_eq(ringd_unregister_napi(ring, &napi), 0);
	ck_assert_uint_eq(fake->reg.opcode, RINGD_UNREGISTER_NAPI);
	ck_assert_uint_eq(fake->reg.size, 0);
	ck_assert_uint_eq(napi.busy_poll_to, 5);
	ck_assert_int_eq(ringd_unregister_napi(ring, NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client zcrx");
	TCase *tc = tcase_create("zcrx");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, memory_of_the_engine_is_mapped);
	tcase_add_test(tc, memory_of_the_caller_is_known);
	tcase_add_test(tc, answers_that_cannot_be);
	tcase_add_test(tc, without_structures_the_engine_is_asked_all_the_same);
	tcase_add_test(tc, an_import_sends_the_descriptor);
	tcase_add_test(tc, an_export_is_a_descriptor);
	tcase_add_test(tc, entries_are_seen_when_they_are_published);
	tcase_add_test(tc, the_request);
	tcase_add_test(tc, napi_settings_come_back);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
