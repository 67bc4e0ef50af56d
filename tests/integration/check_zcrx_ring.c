/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Areas for RECV_ZC and NAPI settings through a real engine: every errno of the specification, exports, memory of both kinds. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "tests/hostile/daemon.h"
#include "tests/hostile/raw.h"
#include "tests/hostile/raw_zcrx.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define A	RD_RAW_ARENA
#define PAGES	64
#define RQ	A			/* the refill ring: the first two pages */
#define AREA	(A + 2 * PAGE)
#define BUFS	8u

static struct rd_daemon d;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static struct raw_ifq ifq;

static void setup(void)
{
	rd_daemon_start(&d, NULL);
	raw_connect(&raw, d.socket);
	raw_ring(&ring, &raw, 16, RAW_ZCRX_RING);
	raw_arena(&arena, &raw, A, PAGES * PAGE);
	ifq = raw_ifq(AREA, BUFS * PAGE, RQ, 16);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	rd_daemon_expect_idle(&d, geteuid());
	rd_daemon_stop(&d);
}

static int try(struct raw_ifq call)
{
	return raw_try_ifq(&ring, &call, NULL);
}

/* --- what is refused --- */

START_TEST(rings_that_cannot_have_one)
{
	static const uint32_t bad[] = { 0, RINGD_SETUP_CQE32, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER,
					RINGD_SETUP_CQE_MIXED, RINGD_SETUP_SQPOLL | RINGD_SETUP_CQE32 };

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		struct raw_ring other;

		raw_ring(&other, &raw, 8, bad[i]);
		ck_assert_int_eq(raw_try_ifq(&other, &ifq, NULL), -EINVAL);
		raw_ring_drop(&other);
	}
}
END_TEST

START_TEST(devices_are_for_who_may_configure_them)
{
	struct raw_ring plain;

	ifq.reg.flags = 0;
	ifq.reg.if_idx = 1;
	ck_assert_int_eq(try(ifq), -EPERM);
	ck_assert_ptr_nonnull(strstr(raw.text, "CAP_NET_ADMIN"));
	ifq.reg.flags = 4;
	ck_assert_int_eq(try(ifq), -EPERM);
	/* which is said before anything else */
	raw_ring(&plain, &raw, 8, 0);
	ck_assert_int_eq(raw_try_ifq(&plain, &ifq, NULL), -EPERM);
	raw_ring_drop(&plain);
}
END_TEST

START_TEST(fields_of_the_call)
{
	struct raw_ifq c;

	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_REGISTER_ZCRX_IFQ, 0, &ifq, sizeof(ifq), NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_REGISTER_ZCRX_IFQ, 2, &ifq, sizeof(ifq), NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_REGISTER_ZCRX_IFQ, 1, &ifq, sizeof(ifq.reg), NULL, 0, NULL), -EFAULT);
#define BAD(err, field, value) do { c = ifq; c.field = (value); ck_assert_int_eq(try(c), err); } while (0)
	BAD(-EINVAL, reg.flags, RINGD_ZCRX_REG_NODEV | 4);
	BAD(-EINVAL, reg.__resv[2], 1);
	BAD(-EINVAL, reg.zcrx_id, 1);
	BAD(-EINVAL, reg.area_ptr, 1);
	BAD(-EINVAL, reg.if_idx, 1);
	BAD(-EINVAL, reg.if_rxq, 1);
	BAD(-EINVAL, reg.if_rxq, UINT32_MAX);
	BAD(-EINVAL, reg.rq_entries, 0);
	BAD(-EINVAL, reg.rq_entries, 32769);
	BAD(-EINVAL, reg.rq_entries, UINT32_MAX);
	BAD(-EINVAL, reg.rq_entries, 32768);		/* the region is too small for that */
	BAD(-EINVAL, reg.rq_entries, 253);		/* rounded up it is, too */
	BAD(-EINVAL, reg.rx_buf_len, 2048);
	BAD(-EINVAL, reg.rx_buf_len, 12288);
	BAD(-EINVAL, reg.rx_buf_len, 65536);
	BAD(-EINVAL, reg.rx_buf_len, 1u << 31);
	BAD(-EINVAL, area.flags, 2);
	BAD(-EOPNOTSUPP, area.flags, RINGD_ZCRX_AREA_DMABUF);
	BAD(-EINVAL, area.dmabuf_fd, 1);
	BAD(-EINVAL, area.rq_area_token, 1);
	BAD(-EINVAL, area.__resv2[1], 1);
	BAD(-EINVAL, area.addr, AREA + 8);
	BAD(-EINVAL, area.len, BUFS * PAGE + 1);
	BAD(-EINVAL, area.len, 0);
	BAD(-EINVAL, area.len, 1ull << 60);
	BAD(-EFAULT, area.addr, 0);
	BAD(-EFAULT, area.addr, A + (PAGES - BUFS + 1) * PAGE);
	BAD(-EFAULT, area.addr, UINT64_MAX - PAGE + 1);
	BAD(-EINVAL, desc.size, 0);
	BAD(-EINVAL, desc.size, PAGE + 8);
	BAD(-EINVAL, desc.id, 1);
	BAD(-EINVAL, desc.mmap_offset, PAGE);
	BAD(-EINVAL, desc.flags, RINGD_MEM_REGION_TYPE_USER | 2);
	BAD(-EFAULT, desc.flags, 0);
	BAD(-EFAULT, desc.user_addr, 0);
	BAD(-EFAULT, desc.user_addr, A + PAGES * PAGE);
	BAD(-EINVAL, desc.user_addr, RQ + 64);
	BAD(-EFAULT, desc.size, 1ull << 42);
	BAD(-E2BIG, desc.size, 1ull << 60);
	BAD(-EDQUOT, desc, ((struct ringd_region_desc){ .size = 1ull << 42 }));
#undef BAD
	ck_assert_int_eq(try(ifq), 0);
}
END_TEST

START_TEST(ids_count_from_0_and_there_are_64)
{
	for (uint32_t i = 0; i < 64; i++) {
		struct raw_ifq c = ifq;

		ck_assert_int_eq(raw_try_ifq(&ring, &c, NULL), 0);
		ck_assert_uint_eq(c.reg.zcrx_id, i);
		ck_assert_uint_eq(c.reg.rq_entries, 16);
		ck_assert_uint_eq(c.reg.offsets.head, 0);
		ck_assert_uint_eq(c.reg.offsets.tail, 4);
		ck_assert_uint_eq(c.reg.offsets.rqes, 64);
		ck_assert_uint_eq(c.area.rq_area_token, 0);
	}
	ck_assert_int_eq(try(ifq), -EBUSY);
}
END_TEST

START_TEST(clamped)
{
	struct raw_ring other;

	raw_ring(&other, &raw, 8, RAW_ZCRX_RING | RINGD_SETUP_CLAMP);
	ifq.reg.rq_entries = 1000000;
	ifq.desc = (struct ringd_region_desc){ .size = 200 * PAGE };
	for (int fd = -1, i = 0; i < 1; i++) {
		ck_assert_int_eq(raw_try_ifq(&other, &ifq, &fd), 0);
		close(fd);
	}
	ck_assert_uint_eq(ifq.reg.rq_entries, 32768);
	raw_ring_drop(&other);
}
END_TEST

START_TEST(control)
{
	struct ringd_zcrx_ctrl c = { .zcrx_id = 0, .op = RINGD_ZCRX_CTRL_FLUSH_RQ };

	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), -ENXIO);
	ck_assert_int_eq(try(ifq), 0);
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), 0);
	c.zcrx_id = 1;
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), -ENXIO);
	c.zcrx_id = UINT32_MAX;
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), -ENXIO);
	c.zcrx_id = 0;
	c.op = 2;
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), -EINVAL);
	c.op = 0;
	c.__resv[1] = 1;
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), -EINVAL);
	c.__resv[1] = 0;
	c.zc_flush.__resv[5] = 1;
	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, NULL), -EINVAL);
	c.zc_flush.__resv[5] = 0;
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_REGISTER_ZCRX_CTRL, 1, &c, sizeof(c), NULL, 0, NULL), -EINVAL);
}
END_TEST

/* --- data --- */

static void give_back(char *rq, uint32_t *tail, uint64_t off)
{
	struct ringd_zcrx_rqe *e = (void *)(rq + 64);

	e[(*tail)++ & 15] = (struct ringd_zcrx_rqe){ .off = off };
	__atomic_store_n((uint32_t *)(void *)(rq + 4), *tail, __ATOMIC_RELEASE);
}

/* More than the area holds goes through it. */
static void transfer(char *rq)
{
	struct raw_big_cqe b = { 0 };
	uint32_t tail = 0;
	uint8_t sent = 0, want = 0;
	char block[256];
	int fd[2];

	raw_tcp_pair(fd);
	ck_assert_int_eq(raw_register_files(&ring, fd, 1), 0);
	raw_recv_zc(&ring, 0, 0, 0);
	ck_assert_int_eq(raw_submit(&ring), 1);
	for (unsigned int round = 0; round < 4 * BUFS; round++) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (char)sent++;
		ck_assert_int_eq(send(fd[1], block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
		for (size_t got = 0; got < sizeof(block); got += (size_t)b.cqe.res) {
			ck_assert_int_eq(raw_big_cqe(&ring, &b), 0);
			ck_assert_int_gt(b.cqe.res, 0);
			ck_assert_uint_eq(b.cqe.flags, RINGD_CQE_F_MORE);
			for (int32_t i = 0; i < b.cqe.res; i++)
				ck_assert_uint_eq((uint8_t)arena.ptr[(AREA - A) + b.off + (uint64_t)i], want++);
			give_back(rq, &tail, b.off);
		}
	}
	close(fd[1]);
	ck_assert_int_eq(raw_big_cqe(&ring, &b), 0);
	ck_assert_int_eq(b.cqe.res, 0);
	ck_assert_uint_eq(b.cqe.flags, 0);
	close(fd[0]);
}

START_TEST(data_through_a_refill_ring_of_the_client)
{
	ck_assert_int_eq(try(ifq), 0);
	transfer(arena.ptr);
	ck_assert_uint_ne(*(uint32_t *)(void *)arena.ptr, 0);	/* the head */
}
END_TEST

START_TEST(data_through_a_refill_ring_of_the_engine)
{
	struct raw_ifq first = ifq;
	int fd;
	char *rq;

	ifq.desc = (struct ringd_region_desc){ .size = PAGE };
	ck_assert_int_eq(raw_try_ifq(&ring, &ifq, &fd), 0);
	ck_assert_uint_eq(ifq.desc.mmap_offset, RINGD_OFF_ZCRX_REGION);
	rq = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)ifq.desc.mmap_offset);
	ck_assert_ptr_ne(rq, MAP_FAILED);
	close(fd);
	transfer(rq);
	munmap(rq, PAGE);
	ck_assert_int_eq(try(first), 0);
	first.desc = (struct ringd_region_desc){ .size = PAGE };
	ck_assert_int_eq(raw_try_ifq(&ring, &first, &fd), 0);
	ck_assert_uint_eq(first.desc.mmap_offset, RINGD_OFF_ZCRX_REGION + (2u << RINGD_OFF_ZCRX_SHIFT));
	close(fd);
}
END_TEST

START_TEST(an_area_outlives_its_arena)
{
	struct raw_big_cqe b;
	int fd[2];

	ck_assert_int_eq(try(ifq), 0);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	ck_assert_int_eq(try(ifq), -EFAULT);
	raw_tcp_pair(fd);
	ck_assert_int_eq(raw_register_files(&ring, fd, 1), 0);
	raw_recv_zc(&ring, 0, 5, 0);
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_int_eq(send(fd[1], "hello", 5, MSG_NOSIGNAL), 5);
	ck_assert_int_eq(raw_big_cqe(&ring, &b), 0);
	ck_assert_int_eq(b.cqe.res, 5);
	ck_assert_mem_eq(arena.ptr + (AREA - A) + b.off, "hello", 5);
	ck_assert_int_eq(raw_big_cqe(&ring, &b), 0);
	ck_assert_int_eq(b.cqe.res, 0);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

/* --- exports --- */

static int import(struct raw_ring *to, int fd)
{
	const struct ringd_zcrx_ifq_reg reg = { .flags = RINGD_ZCRX_REG_IMPORT };

	return raw_register(to, RINGD_REGISTER_ZCRX_IFQ, 1, 0, &reg, sizeof(reg), &fd, fd >= 0);
}

static int export(void)
{
	const struct ringd_zcrx_ctrl c = { .zcrx_id = 0, .op = RINGD_ZCRX_CTRL_EXPORT };
	int fd;

	ck_assert_int_eq(raw_zcrx_ctrl(&ring, &c, &fd), 0);
	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(another_client_imports_an_area)
{
	struct raw other;
	struct raw_ring ring2;
	struct raw_big_cqe b;
	struct stat st[2];
	int fd[2], name, again;

	ck_assert_int_eq(try(ifq), 0);
	name = export();
	again = export();
	ck_assert_int_eq(fstat(name, &st[0]) | fstat(again, &st[1]), 0);
	ck_assert_uint_eq(st[0].st_ino, st[1].st_ino);
	ck_assert_int_lt(ftruncate(name, 1), 0);	/* nothing can be put into it */
	close(again);
	raw_connect(&other, d.socket);
	raw_ring(&ring2, &other, 16, RAW_ZCRX_RING);
	ck_assert_int_eq(import(&ring2, name), 0);
	/* the first one leaves: the area stays */
	raw_ring_drop(&ring);
	raw_close(&raw);
	raw_tcp_pair(fd);
	ck_assert_int_eq(raw_register_files(&ring2, fd, 1), 0);
	raw_recv_zc(&ring2, 0, 0, 0);
	ck_assert_int_eq(raw_submit(&ring2), 1);
	ck_assert_int_eq(send(fd[1], "hello", 5, MSG_NOSIGNAL), 5);
	ck_assert_int_eq(raw_big_cqe(&ring2, &b), 0);
	ck_assert_int_eq(b.cqe.res, 5);
	ck_assert_mem_eq(arena.ptr + (AREA - A) + b.off, "hello", 5);
	close(fd[0]);
	close(fd[1]);
	close(name);
	raw_ring_drop(&ring2);
	raw_close(&other);
	raw_connect(&raw, d.socket);
	raw_ring(&ring, &raw, 8, 0);
}
END_TEST

START_TEST(what_cannot_be_imported)
{
	struct ringd_zcrx_ifq_reg reg = { .flags = RINGD_ZCRX_REG_IMPORT | RINGD_ZCRX_REG_NODEV };
	struct raw_ring ring2, plain;
	int name, none = memfd_create("ringd-zcrx", MFD_CLOEXEC);

	ck_assert_int_eq(import(&ring, none), -EBADF);
	ck_assert_int_eq(import(&ring, -1), -EBADF);
	ck_assert_int_eq(try(ifq), 0);
	ck_assert_int_eq(import(&ring, none), -EBADF);
	name = export();
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ZCRX_IFQ, 1, 0, &reg, sizeof(reg), &name, 1), -EINVAL);
	reg = (struct ringd_zcrx_ifq_reg){ .flags = RINGD_ZCRX_REG_IMPORT, .rq_entries = 1 };
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ZCRX_IFQ, 1, 0, &reg, sizeof(reg), &name, 1), -EINVAL);
	reg = (struct ringd_zcrx_ifq_reg){ .flags = RINGD_ZCRX_REG_IMPORT, .rx_buf_len = 4096 };
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_ZCRX_IFQ, 1, 0, &reg, sizeof(reg), &name, 1), -EINVAL);
	raw_ring(&plain, &raw, 8, 0);
	ck_assert_int_eq(import(&plain, name), -EINVAL);
	raw_ring_drop(&plain);
	ck_assert_int_eq(import(&ring, name), 0);	/* twice on the same ring: two ids */
	ck_assert_int_eq(raw_ring_free(&ring), 0);
	raw_ring(&ring2, &raw, 8, RAW_ZCRX_RING);
	ck_assert_int_eq(import(&ring2, name), -EBADF);	/* it went with its ring */
	raw_ring_drop(&ring2);
	close(name);
	close(none);
}
END_TEST

/* --- query --- */

START_TEST(query_tells_what_is_served)
{
	const struct ringd_query_hdr hdr = { .query_op = RINGD_QUERY_ZCRX, .size = 64 };
	struct ringd_query_zcrx q;

	ck_assert_int_eq(raw_register_get(&raw, 0, RINGD_REGISTER_QUERY, 0, &hdr, sizeof(hdr), &q, sizeof(q), NULL), 0);
	ck_assert_uint_eq(q.register_flags, RINGD_ZCRX_REG_NODEV | RINGD_ZCRX_REG_IMPORT);
	ck_assert_uint_eq(q.area_flags, 0);
	ck_assert_uint_eq(q.nr_ctrl_opcodes, 2);
	ck_assert_uint_eq(q.features, RINGD_ZCRX_FEATURE_RX_PAGE_SIZE);
	ck_assert_uint_eq(q.rq_hdr_size, 64);
	ck_assert_uint_eq(q.rq_hdr_alignment, 64);
}
END_TEST

/* --- NAPI --- */

static int napi(struct raw_ring *of, struct ringd_napi in, struct ringd_napi *out)
{
	return raw_register_get(&raw, of->id, RINGD_REGISTER_NAPI, 1, &in, sizeof(in), out, sizeof(*out), NULL);
}

static bool shown(const char *line)
{
	const struct ringd_hello hello = {
		.msg = { .size = sizeof(hello), .type = RINGD_MSG_HELLO, .seq = 1 },
		.magic = RINGD_WIRE_MAGIC, .version_min = RINGD_WIRE_VERSION, .version_max = RINGD_WIRE_VERSION,
		.kind = RINGD_HELLO_RING, .engine_pid = raw.engine_pid, .ring = 1,
	};
	int sock = raw_socket(d.socket);
	struct ringd_ring_info info;
	bool found = false;

	ck_assert_int_eq(send(sock, &hello, sizeof(hello), MSG_NOSIGNAL), sizeof(hello));
	while (recv(sock, &info, sizeof(info), 0) == sizeof(info) && info.engine_pid) {
		info.text[RD_MIN(info.len, sizeof(info.text) - 1)] = 0;
		found |= strstr(info.text, line) != NULL;
	}
	close(sock);
	return found;
}

START_TEST(napi_settings)
{
	const struct ringd_napi set = { .busy_poll_to = 50, .prefer_busy_poll = 1 };
	struct ringd_napi out, in;

	ck_assert(shown("NAPI:\tdisabled\n"));
	ck_assert_int_eq(napi(&ring, set, &out), 0);
	ck_assert_uint_eq(out.busy_poll_to, 0);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_INACTIVE);
	ck_assert(shown("NAPI:\tenabled\n"));
	ck_assert(shown("napi tracking:\tdynamic\nnapi_busy_poll_dt:\t50000\nnapi_prefer_busy_poll:\ttrue\n"));
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .op_param = RINGD_NAPI_TRACKING_STATIC }, &out), 0);
	ck_assert_uint_eq(out.busy_poll_to, 50);
	ck_assert_uint_eq(out.prefer_busy_poll, 1);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_DYNAMIC);
	in = (struct ringd_napi){ .opcode = RINGD_NAPI_STATIC_ADD_ID, .op_param = 70000 };
	ck_assert_int_eq(napi(&ring, in, &out), 0);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_STATIC);
	ck_assert_int_eq(napi(&ring, in, &out), -EEXIST);
	for (uint32_t i = 1; i < 256; i++) {
		in.op_param = 70000 + i;
		ck_assert_int_eq(napi(&ring, in, &out), 0);
	}
	in.op_param = 80000;
	ck_assert_int_eq(napi(&ring, in, &out), -ENOSPC);
	in.opcode = RINGD_NAPI_STATIC_DEL_ID;
	ck_assert_int_eq(napi(&ring, in, &out), -ENOENT);
	in.op_param = 70000;
	ck_assert_int_eq(napi(&ring, in, &out), 0);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_UNREGISTER_NAPI, 1, NULL, 0, &out, sizeof(out), NULL), 0);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_STATIC);
	ck_assert(shown("NAPI:\tdisabled\n"));
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_UNREGISTER_NAPI, 1, NULL, 0, &out, sizeof(out), NULL), 0);
	ck_assert_uint_eq(out.op_param, RINGD_NAPI_TRACKING_INACTIVE);
}
END_TEST

START_TEST(napi_settings_that_cannot_be)
{
	struct ringd_napi out;
	struct raw_ring iopoll;

	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .pad = { 1 } }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .pad = { 0, 1 } }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .resv = 1 }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .opcode = 3 }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .op_param = 2 }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .op_param = RINGD_NAPI_TRACKING_INACTIVE }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .opcode = RINGD_NAPI_STATIC_ADD_ID, .op_param = 70000 }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ 0 }, &out), 0);	/* dynamic */
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .opcode = RINGD_NAPI_STATIC_ADD_ID, .op_param = 70000 }, &out), -EINVAL);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .op_param = RINGD_NAPI_TRACKING_STATIC }, &out), 0);
	ck_assert_int_eq(napi(&ring, (struct ringd_napi){ .opcode = RINGD_NAPI_STATIC_ADD_ID, .op_param = 0 }, &out), -EINVAL);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_REGISTER_NAPI, 0, &out, sizeof(out), NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(raw_register_get(&raw, ring.id, RINGD_UNREGISTER_NAPI, 0, NULL, 0, NULL, 0, NULL), -EINVAL);
	raw_ring(&iopoll, &raw, 8, RINGD_SETUP_IOPOLL);
	ck_assert_int_eq(napi(&iopoll, (struct ringd_napi){ 0 }, &out), -EINVAL);
	raw_ring_drop(&iopoll);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("zcrx of a ring");
	TCase *tc = tcase_create("zcrx");
	const char *missing = rd_daemon_missing();

	if (missing)
		return rd_suite_skip(missing);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rings_that_cannot_have_one);
	tcase_add_test(tc, devices_are_for_who_may_configure_them);
	tcase_add_test(tc, fields_of_the_call);
	tcase_add_test(tc, ids_count_from_0_and_there_are_64);
	tcase_add_test(tc, clamped);
	tcase_add_test(tc, control);
	tcase_add_test(tc, data_through_a_refill_ring_of_the_client);
	tcase_add_test(tc, data_through_a_refill_ring_of_the_engine);
	tcase_add_test(tc, an_area_outlives_its_arena);
	tcase_add_test(tc, another_client_imports_an_area);
	tcase_add_test(tc, what_cannot_be_imported);
	tcase_add_test(tc, query_tells_what_is_served);
	tcase_add_test(tc, napi_settings);
	tcase_add_test(tc, napi_settings_that_cannot_be);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
