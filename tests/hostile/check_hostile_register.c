/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register calls that make no sense, of any length, by the hundred, with requests in flight. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define A	RD_RAW_ARENA

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int fifo[2];

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void arrive(void)
{
	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, 64, 0);
	raw_arena(&arena, &raw, A, 1u << 20);
}

static void leave(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
}

static void setup(void)
{
	ck_assert_int_eq(pipe(fifo), 0);
	arrive();
}

static void teardown(void)
{
	leave();
	close(fifo[0]);
	close(fifo[1]);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* What a call would be right with: an opcode, how many, its data. */
struct shape {
	uint32_t opcode, nr;
	size_t len;
};

static const struct shape shapes[] = {
	{ RINGD_REGISTER_BUFFERS, 2, 32 },
	{ RINGD_UNREGISTER_BUFFERS, 0, 0 },
	{ RINGD_REGISTER_FILES, 2, 8 },
	{ RINGD_UNREGISTER_FILES, 0, 0 },
	{ RINGD_REGISTER_FILES_UPDATE, 1, 16 + 4 },
	{ RINGD_REGISTER_PROBE, 256, 0 },
	{ RINGD_REGISTER_PERSONALITY, 0, 0 },
	{ RINGD_UNREGISTER_PERSONALITY, 1, 0 },
	{ RINGD_REGISTER_RESTRICTIONS, 2, 32 },
	{ RINGD_REGISTER_FILES2, 2, 32 + 8 },
	{ RINGD_REGISTER_FILES_UPDATE2, 2, 32 + 8 },
	{ RINGD_REGISTER_BUFFERS2, 2, 32 + 32 },
	{ RINGD_REGISTER_BUFFERS_UPDATE, 2, 32 + 32 },
	{ RINGD_REGISTER_IOWQ_AFF, 128, 128 },
	{ RINGD_UNREGISTER_IOWQ_AFF, 0, 0 },
	{ RINGD_REGISTER_IOWQ_MAX_WORKERS, 2, 8 },
	{ RINGD_REGISTER_PBUF_RING, 1, 40 },
	{ RINGD_UNREGISTER_PBUF_RING, 1, 40 },
	{ RINGD_REGISTER_SYNC_CANCEL, 1, 64 },
	{ RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 16 },
	{ RINGD_REGISTER_PBUF_STATUS, 1, 40 },
	{ RINGD_REGISTER_CLOCK, 0, 16 },
	{ RINGD_REGISTER_CLONE_BUFFERS, 1, 32 },
	{ RINGD_REGISTER_SEND_MSG_RING, 1, 64 },
	{ RINGD_REGISTER_RESIZE_RINGS, 1, sizeof(struct ringd_resize) },
	{ RINGD_REGISTER_MEM_REGION, 1, 96 },
	{ RINGD_REGISTER_QUERY, 0, 40 },
	{ RINGD_REGISTER_BPF_FILTER, 1, 72 },
};

/* The answer is a result or a refusal, or the end of the connection after one; nothing else. */
static bool call(uint32_t ring_id, uint32_t opcode, uint32_t nr, uint32_t has_tags, const void *data, size_t len)
{
	_Alignas(8) char buf[sizeof(struct ringd_register) + 4096], answer[RINGD_MSG_MAX];
	struct ringd_register *head = (void *)buf;
	const struct ringd_msg *msg = (const void *)answer;
	int fds[4], n;
	size_t n_fds = RD_ARRAY_SIZE(fds);

	*head = (struct ringd_register){
		.msg = { .size = (uint32_t)(sizeof(*head) + len), .type = RINGD_MSG_REGISTER, .seq = ++raw.seq },
		.ring_id = ring_id, .opcode = opcode, .nr = nr, .has_tags = has_tags,
	};
	if (len)
		memcpy(head + 1, data, len);
	raw_send(&raw, head, sizeof(*head) + len, NULL, 0);
	n = raw_recv(&raw, answer, sizeof(answer), fds, &n_fds);
	for (size_t i = 0; n >= 0 && i < n_fds; i++)
		close(fds[i]);
	ck_assert_int_ge(n, (int)sizeof(*msg));
	ck_assert_uint_eq(msg->size, n);
	ck_assert_uint_eq(msg->seq, raw.seq);
	return msg->res != -EPROTO;
}

static void again(void)
{
	leave();
	arrive();
}

START_TEST(every_length_of_every_call)
{
	static const char zero[256];

	for (size_t i = 0; i < RD_ARRAY_SIZE(shapes); i++) {
		const struct shape *sh = &shapes[i];
		const size_t lens[] = { 0, 1, sh->len / 2, sh->len - (sh->len > 0), sh->len, sh->len + 1, sh->len + 8, 200 };

		for (size_t k = 0; k < RD_ARRAY_SIZE(lens); k++) {
			for (uint32_t tags = 0; tags < 2; tags++)
				if (!call(ring.id, sh->opcode, sh->nr, tags, zero, lens[k]))
					again();
		}
	}
}
END_TEST

/* Fields that are nearly right: small numbers, the arena's address, all ones. */
static void fill(uint8_t *data, size_t len)
{
	static const uint64_t values[] = { 0, 0, 0, 0, 1, 2, 4096, A, A + 4096, UINT32_MAX, UINT64_MAX };

	for (size_t i = 0; i + 4 <= len; i += 4) {
		uint64_t v = values[scene_random() % RD_ARRAY_SIZE(values)];
		size_t n = i % 8 == 0 && i + 8 <= len && scene_random() % 2 ? 8 : 4;

		memcpy(data + i, &v, n);
		i += n - 4;
	}
}

/* A cancel that waits for what never ends is another test: this one always has an end. */
static void tame(const struct shape *sh, uint8_t *data)
{
	struct ringd_sync_cancel_reg sc;

	if (sh->opcode != RINGD_REGISTER_SYNC_CANCEL)
		return;
	memcpy(&sc, data, sizeof(sc));
	sc.timeout = (struct ringd_timespec){ 0, 1000000 };
	memcpy(data, &sc, sizeof(sc));
}

/* Requests that wait, run and complete, on files and buffers that come and go. */
static void keep_busy(void)
{
	static const uint8_t ops[] = { RINGD_OP_NOP, RINGD_OP_READ, RINGD_OP_READ_FIXED, RINGD_OP_WRITE, RINGD_OP_TIMEOUT };
	struct ringd_cqe cqe;

	while (raw_cqe_ready(&ring))
		raw_cqe(&ring, &cqe);
	for (int i = 0; i < 8; i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);

		sqe->opcode = ops[scene_random() % RD_ARRAY_SIZE(ops)];
		sqe->flags = sqe->opcode == RINGD_OP_TIMEOUT ? 0 : RINGD_SQE_FIXED_FILE;
		sqe->fd = (int)(scene_random() % 3);
		sqe->addr = A + scene_random() % 4096;
		sqe->len = sqe->opcode == RINGD_OP_TIMEOUT ? 1 : 64;
		sqe->user_data = scene_random() % 4;
		sqe->personality = (uint16_t)(scene_random() % 3);
		sqe->buf_index = (uint16_t)(scene_random() % 3);
	}
	raw_submit(&ring);
}

START_TEST(storms_of_calls_over_requests_in_flight)
{
	_Alignas(8) uint8_t data[256];

	for (int i = 0; i < 1500; i++) {
		const struct shape *sh = &shapes[scene_random() % RD_ARRAY_SIZE(shapes)];
		size_t len = scene_random() % 16 ? sh->len : scene_random() % sizeof(data);
		uint32_t id = scene_random() % 8 ? ring.id : scene_random() % 3;

		if (i % 8 == 0)
			keep_busy();
		if (i % 64 == 0)
			raw_register_files(&ring, fifo, 2);
		memset(data, 0, sizeof(data));
		fill(data, sizeof(data));
		tame(sh, data);
		if (!call(id, scene_random() % 32 ? sh->opcode : scene_random() % 64, scene_random() % 8 ? sh->nr : scene_random(),
			  scene_random() % 8 == 0, data, len))
			again();
		/* a ring that was resized has another memory: this client would not find it */
		if (sh->opcode == RINGD_REGISTER_RESIZE_RINGS)
			again();
	}
}
END_TEST

START_TEST(personalities_and_regions_are_paid_for)
{
	const struct {
		struct ringd_mem_region_reg mr;
		struct ringd_region_desc desc;
	} r = { .desc = { .size = 1u << 20 } };
	struct raw_ring rings[16];
	struct ringd_region_desc out;
	int fd;

	for (size_t i = 0; i < RD_ARRAY_SIZE(rings); i++) {
		raw_ring(&rings[i], &raw, 8, 0);
		for (int id = 1; id <= 100; id++)
			ck_assert_int_eq(raw_register(&rings[i], RINGD_REGISTER_PERSONALITY, 0, 0, NULL, 0, NULL, 0), id);
		ck_assert_int_eq(raw_register_get(&raw, rings[i].id, RINGD_REGISTER_MEM_REGION, 1, &r, sizeof(r), &out, sizeof(out),
						  &fd), 0);
		close(fd);
	}
	for (size_t i = 0; i < RD_ARRAY_SIZE(rings); i++)
		raw_ring_drop(&rings[i]);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile register");
	tc = tcase_create("calls");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_length_of_every_call);
	tcase_add_loop_test(tc, storms_of_calls_over_requests_in_flight, 0, 3);
	tcase_add_test(tc, personalities_and_regions_are_paid_for);
	suite_add_tcase(suite, tc);
	last = tcase_create("afterwards");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
