/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client that lies in control messages, and one that floods: connections, descriptors, fragments, answers nobody reads. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/common/fdpass.h"
#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static int null_fd;

static void open_scene(void)
{
	scene_open(&s, NULL, 0);
}

static void setup(void)
{
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(null_fd, 0);
	raw_connect(&raw, s.d.socket);
}

static void teardown(void)
{
	raw_ring_drop(&ring);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

/* --- lies --- */

struct lie {
	struct ringd_msg msg;
	size_t len;		/* of the packet; msg.size if 0 */
	size_t n_fds;
	const char *text;
};

#define LEN(type) ((uint32_t)sizeof(struct type))

static const struct lie lies[] = {
	{ { 1 }, 1, 0, "shorter than a header" },
	{ { LEN(ringd_msg) }, 15, 0, "shorter than a header" },
	{ { LEN(ringd_msg), 0 }, 0, 0, "no message of type 0" },
	{ { LEN(ringd_hello), RINGD_MSG_HELLO }, 0, 0, "no message of type 1" },
	{ { LEN(ringd_msg), RINGD_MSG_STATUS }, 0, 0, "no message of type 8" },
	{ { LEN(ringd_msg), 15 }, 0, 0, "no message of type 15" },
	{ { LEN(ringd_msg), 0xffff }, 0, 0, "no message of type 65535" },
	{ { LEN(ringd_ring_create) - 8, RINGD_MSG_RING_CREATE }, 0, 0, "message 2 says" },
	{ { LEN(ringd_ring_create) + 8, RINGD_MSG_RING_CREATE }, 0, 0, "message 2 says" },
	{ { LEN(ringd_ring_create), RINGD_MSG_RING_CREATE }, LEN(ringd_ring_create) + 8, 0, "message 2 says" },
	{ { 0, RINGD_MSG_RING_CREATE }, LEN(ringd_ring_create), 0, "message 2 says" },
	{ { 0xffffffff, RINGD_MSG_RING_CREATE }, LEN(ringd_ring_create), 0, "message 2 says" },
	{ { LEN(ringd_ring_ref) - 4, RINGD_MSG_RING_FREE }, 0, 0, "message 3 says" },
	{ { LEN(ringd_arena_create) + 1, RINGD_MSG_ARENA_CREATE }, 0, 0, "message 4 says" },
	{ { LEN(ringd_arena_ref) - 1, RINGD_MSG_ARENA_FREE }, 0, 0, "message 5 says" },
	{ { LEN(ringd_register) - 1, RINGD_MSG_REGISTER }, 0, 0, "message 6 says" },
	{ { LEN(ringd_msg) + 4, RINGD_MSG_SET_CWD }, 0, 1, "message 7 says" },
	{ { LEN(ringd_fd_list) + 4, RINGD_MSG_FD_LEND }, 0, 1, "a list of 0 numbers" },
	{ { LEN(ringd_fd_list) + 4, RINGD_MSG_FD_LEND }, 0, 0, "came with 0 descriptors" },
	{ { LEN(ringd_fd_list) + 4, RINGD_MSG_FD_RETURN }, 0, 1, "came with 1 descriptors" },
	{ { LEN(ringd_fd_list), RINGD_MSG_FD_RETURN }, 0, 0, "a list of 0 numbers" },
	{ { LEN(ringd_msg) + 1, RINGD_MSG_CHANNEL }, 0, 0, "message 11 says" },
	{ { LEN(ringd_ring_ref) - 4, RINGD_MSG_RING_EXPORT }, 0, 0, "message 12 says" },
	{ { LEN(ringd_ring_token) - 1, RINGD_MSG_RING_IMPORT }, 0, 0, "message 13 says" },
	{ { LEN(ringd_ring_ref) + 4, RINGD_MSG_RING_FORGET }, 0, 0, "message 14 says" },
	{ { LEN(ringd_ring_ref), RINGD_MSG_RING_FREE, RINGD_MSG_F_MORE }, 0, 0, "unknown flags" },
	{ { LEN(ringd_register), RINGD_MSG_REGISTER, 2 }, 0, 0, "unknown flags" },
	{ { LEN(ringd_register), RINGD_MSG_REGISTER, 0x8000 }, 0, 0, "unknown flags" },
	{ { LEN(ringd_arena_ref), RINGD_MSG_ARENA_FREE, 0, 7, -1 }, 0, 0, "or a result" },
	{ { LEN(ringd_msg), RINGD_MSG_SET_CWD }, 0, 0, "came with 0 descriptors" },
	{ { LEN(ringd_msg), RINGD_MSG_SET_CWD }, 0, 2, "came with 2 descriptors" },
	{ { LEN(ringd_ring_create), RINGD_MSG_RING_CREATE }, 0, 253, "came with 253 descriptors" },
	{ { LEN(ringd_ring_ref), RINGD_MSG_RING_FREE }, 0, 253, "came with 253 descriptors" },
	{ { LEN(ringd_arena_create), RINGD_MSG_ARENA_CREATE }, 0, 253, "came with 253 descriptors" },
	{ { LEN(ringd_arena_ref), RINGD_MSG_ARENA_FREE }, 0, 1, "came with 1 descriptors" },
	{ { LEN(ringd_msg), RINGD_MSG_SET_CWD }, 0, 253, "came with 253 descriptors" },
	{ { LEN(ringd_msg), 77 }, 0, 253, "no message of type 77" },
	{ { RINGD_MSG_MAX, RINGD_MSG_REGISTER }, RINGD_MSG_MAX + 1, 253, "a packet was cut" },
};

START_TEST(a_lie_is_answered_with_its_name_and_ends_the_connection)
{
	static char buf[RINGD_MSG_MAX + 8];
	const struct lie *lie = &lies[_i];
	int fds[RINGD_MSG_FDS];

	for (size_t i = 0; i < lie->n_fds; i++)
		fds[i] = null_fd;
	memcpy(buf, &lie->msg, sizeof(lie->msg));
	raw_send(&raw, buf, lie->len ? lie->len : lie->msg.size, fds, lie->n_fds);
	raw_expect_end(&raw, lie->text);
}
END_TEST

START_TEST(a_register_call_that_does_not_agree_with_itself_ends_the_connection)
{
	const int32_t files[2] = { 0, 0 };
	const struct {
		uint32_t opcode, nr, tags;
		size_t len, n_fds;
		const char *text;
	} bad[] = {
		{ RINGD_REGISTER_FILES, 2, 0, 8, 1, "2 entries want a descriptor, 1 came" },
		{ RINGD_REGISTER_FILES, 2, 0, 8, 3, "2 entries want a descriptor, 3 came" },
		{ RINGD_REGISTER_FILES, 2, 0, 8, 253, "2 entries want a descriptor, 253 came" },
		{ RINGD_REGISTER_FILES, 3, 0, 8, 2, "of 3 entries with 8 bytes" },
		{ RINGD_REGISTER_FILES, 1, 0, 8, 1, "of 1 entries with 8 bytes" },
		{ RINGD_REGISTER_FILES, 2, 1, 8, 2, "of 2 entries with 8 bytes" },
		{ RINGD_REGISTER_FILES, 2, 2, 8, 2, "has_tags is 2" },
		{ RINGD_REGISTER_FILES2, 2, 0, 8, 2, "without its structure" },
		{ RINGD_REGISTER_FILES_UPDATE2, 1, 0, 31, 0, "without its structure" },
		{ RINGD_REGISTER_BUFFERS, 1, 0, 8, 0, "of 1 entries with 8 bytes" },
		{ RINGD_REGISTER_BUFFERS, 1, 0, 16, 2, "came with 2 descriptors" },
		{ RINGD_UNREGISTER_FILES, 0, 0, 0, 253, "came with 253 descriptors" },
		{ RINGD_REGISTER_PROBE, 1, 0, 0, 1, "came with 1 descriptors" },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(bad); i++) {
		char data[64] = { 0 };
		int fds[RINGD_MSG_FDS];

		memcpy(data, files, sizeof(files));
		for (size_t k = 0; k < RINGD_MSG_FDS; k++)
			fds[k] = null_fd;
		raw_ring(&ring, &raw, 8, 0);
		ck_assert_int_eq(raw_register(&ring, bad[i].opcode, bad[i].nr, bad[i].tags, data, bad[i].len, fds, bad[i].n_fds),
				 -EPROTO);
		ck_assert_msg(strstr(raw.text, bad[i].text), "%zu: %s", i, raw.text);
		ck_assert_uint_eq(raw_ring_reason(&ring), RINGD_REASON_FREED);
		raw_ring_drop(&ring);
		raw_close(&raw);
		raw_connect(&raw, s.d.socket);
	}
}
END_TEST

START_TEST(unknown_ids_and_reserved_fields_are_refused_and_no_more)
{
	struct ringd_ring_ref rr = { .ring_id = 5 };
	struct ringd_arena_ref ar = { .arena_id = 5 };

	ck_assert_int_eq(raw_call(&raw, &rr.msg, RINGD_MSG_RING_FREE, sizeof(rr), NULL, 0, NULL, 0), -ENOENT);
	ck_assert_int_eq(raw_call(&raw, &ar.msg, RINGD_MSG_ARENA_FREE, sizeof(ar), NULL, 0, NULL, 0), -ENOENT);
	raw_ring(&ring, &raw, 8, 0);
	rr = (struct ringd_ring_ref){ .ring_id = ring.id, .resv = 1 };
	ck_assert_int_eq(raw_call(&raw, &rr.msg, RINGD_MSG_RING_FREE, sizeof(rr), NULL, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(raw_ring_free(&ring), 0);
	ck_assert_int_eq(raw_ring_free(&ring), 0);	/* it was there */
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), -ECONNRESET);
	ring.id = 0;
	ck_assert_int_eq(raw_ring_free(&ring), -ENOENT);
	for (uint32_t op = 0; op < 64; op++) {
		ring.id = 99;
		ck_assert_int_lt(raw_register(&ring, op, 0, 0, NULL, 0, NULL, 0), 0);
	}
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_USE_REGISTERED_RING, 0, 0, NULL, 0, NULL, 0), -EINVAL);
	ck_assert_int_eq(raw_register(&ring, 0xffffffff, 0, 0, NULL, 0, NULL, 0), -EINVAL);
}
END_TEST

START_TEST(a_working_directory_must_be_an_o_path_directory)
{
	const struct {
		const char *path;
		int flags, res;
	} dirs[] = {
		{ "/usr", O_PATH | O_DIRECTORY, 0 },
		{ "/usr", O_RDONLY | O_DIRECTORY, -ENOTDIR },
		{ "/dev/null", O_PATH, -ENOTDIR },
		{ "/proc/self/exe", O_PATH, -ENOTDIR },
		{ "/", O_PATH, 0 },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(dirs); i++) {
		RD_CLOSE int fd = open(dirs[i].path, dirs[i].flags | O_CLOEXEC);
		struct ringd_msg msg = { 0 };

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(raw_call(&raw, &msg, RINGD_MSG_SET_CWD, sizeof(msg), &fd, 1, NULL, 0), dirs[i].res);
	}
}
END_TEST

/* --- fragments --- */

/* One fragment of a FILES call: n entries, all with a descriptor. */
static void fragment(uint32_t nr, size_t n, uint16_t flags, uint32_t seq)
{
	struct {
		struct ringd_register head;
		int32_t fds[RINGD_MSG_FDS];
	} p = { .head = { .ring_id = ring.id, .opcode = RINGD_REGISTER_FILES, .nr = nr } };
	int fds[RINGD_MSG_FDS];

	p.head.msg = (struct ringd_msg){ .size = (uint32_t)(sizeof(p.head) + n * sizeof(int32_t)), .type = RINGD_MSG_REGISTER,
					 .flags = flags, .seq = seq };
	for (size_t i = 0; i < n; i++)
		fds[i] = null_fd;
	raw_send(&raw, &p, p.head.msg.size, fds, n);
}

static int answer(uint32_t seq)
{
	struct ringd_error e = { .msg = { 0 } };

	ck_assert_int_ge(raw_recv(&raw, &e, sizeof(e), NULL, NULL), sizeof(e.msg));
	ck_assert_uint_eq(e.msg.seq, seq);
	memcpy(raw.text, e.text, sizeof(raw.text));
	return e.msg.res;
}

START_TEST(a_call_in_fragments_is_one_call)
{
	raw_ring(&ring, &raw, 8, 0);
	for (int i = 0; i < 4; i++)
		fragment(5 * 253, 253, RINGD_MSG_F_MORE, 10);
	fragment(5 * 253, 253, 0, 10);
	ck_assert_int_eq(answer(10), 0);
	ck_assert_int_eq(raw_update_file(&ring, 5 * 253 - 1, -1), 1);
	ck_assert_int_eq(raw_update_file(&ring, 5 * 253, -1), -EINVAL);
}
END_TEST

START_TEST(nothing_comes_between_fragments)
{
	struct ringd_ring_ref ref = { .msg = { .size = sizeof(ref), .type = RINGD_MSG_RING_FREE, .seq = 11 } };

	raw_ring(&ring, &raw, 8, 0);
	fragment(1000, 200, RINGD_MSG_F_MORE, 10);
	if (_i == 0)
		raw_send(&raw, &ref, sizeof(ref), NULL, 0);
	else
		fragment(_i == 1 ? 999 : 1000, 200, 0, _i == 2 ? 11 : 10);
	raw_expect_end(&raw, "fragments");
}
END_TEST

START_TEST(a_call_that_is_never_finished_is_given_back_with_its_client)
{
	raw_ring(&ring, &raw, 8, 0);
	for (int i = 0; i < 20; i++)
		fragment(100000, 253, RINGD_MSG_F_MORE, 10);
}
END_TEST

START_TEST(endless_fragments_are_refused_at_their_end)
{
	static struct {
		struct ringd_register head;
		char data[RINGD_MSG_MAX - sizeof(struct ringd_register)];
	} p;

	raw_ring(&ring, &raw, 8, 0);
	p.head = (struct ringd_register){ .ring_id = ring.id, .opcode = RINGD_REGISTER_BUFFERS, .nr = 16384 };
	p.head.msg = (struct ringd_msg){ .size = sizeof(p), .type = RINGD_MSG_REGISTER, .flags = RINGD_MSG_F_MORE, .seq = 3 };
	for (int i = 0; i < 200; i++)
		raw_send(&raw, &p, sizeof(p), NULL, 0);
	p.head.msg.flags = 0;
	raw_send(&raw, &p, sizeof(p), NULL, 0);
	ck_assert_int_eq(answer(3), -EMFILE);
	ck_assert_msg(strstr(raw.text, "524288 bytes"), "%s", raw.text);
	ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_BUFFERS, 0, 0, NULL, 0, NULL, 0), -ENXIO);
}
END_TEST

/* --- floods --- */

START_TEST(who_does_not_read_answers_is_dropped)
{
	struct ringd_ring_ref ref = { .msg = { .size = sizeof(ref), .type = RINGD_MSG_RING_FREE }, .ring_id = 1 };
	struct pollfd pfd = { .fd = raw.sock, .events = POLLOUT };
	int r = 0;

	for (int i = 0; i < 1000000 && r == 0; i++) {
		r = rd_send_fds(raw.sock, &ref, sizeof(ref), NULL, 0);
		if (r == -EAGAIN)
			r = poll(&pfd, 1, 100000) == 1 && !(pfd.revents & POLLHUP) ? 0 : -EPIPE;
	}
	ck_assert_msg(r == -EPIPE || r == -ECONNRESET, "%d", r);
}
END_TEST

START_TEST(a_storm_of_descriptors_leaves_none_behind)
{
	int fds[RINGD_MSG_FDS];

	for (size_t k = 0; k < RINGD_MSG_FDS; k++)
		fds[k] = null_fd;
	raw_ring(&ring, &raw, 8, 0);
	for (int i = 0; i < 50; i++) {
		int32_t want[RINGD_MSG_FDS] = { 0 };

		ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES, RINGD_MSG_FDS, 0, want, sizeof(want), fds, RINGD_MSG_FDS),
				 0);
		/* a second table is refused, with all its descriptors */
		ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES, RINGD_MSG_FDS, 0, want, sizeof(want), fds, RINGD_MSG_FDS),
				 -EBUSY);
		ck_assert_int_eq(raw_register(&ring, RINGD_UNREGISTER_FILES, 0, 0, NULL, 0, NULL, 0), 0);
	}
}
END_TEST

START_TEST(silent_connections_keep_nobody_out)
{
	int socks[200];
	struct raw good;
	char c = 0;

	for (size_t i = 0; i < RD_ARRAY_SIZE(socks); i++) {
		socks[i] = raw_socket(s.d.socket);
		/* some say nothing, some a part of a HELLO, some what is none */
		if (i % 3 && send(socks[i], &c, 1, MSG_NOSIGNAL) < 0)
			ck_assert(errno == EPIPE || errno == ECONNRESET);
	}
	if (geteuid() == 0) {
		struct neighbour n = { 0 };

		neighbour_start(&n, s.d.socket, RD_TEST_UID + 1);
		neighbour_stop(&n);
	}
	for (size_t i = 0; i < RD_ARRAY_SIZE(socks); i++)
		rd_close(socks[i]);
	raw_connect(&good, s.d.socket);
	raw_close(&good);
}
END_TEST

START_TEST(clients_that_come_and_go_leave_nothing)
{
	for (int i = 0; i < 200; i++) {
		struct raw quick;
		struct raw_ring r;
		struct raw_arena a;

		raw_connect(&quick, s.d.socket);
		raw_ring(&r, &quick, 8, i % 2 ? RINGD_SETUP_SQPOLL : 0);
		raw_arena(&a, &quick, RD_RAW_ARENA, i % 10 ? 65536 : 16u << 20);
		if (i % 3)
			ck_assert_int_eq(raw_register_files(&r, &null_fd, 1), 0);
		raw_sqe(&r)->opcode = RINGD_OP_NOP;
		if (i % 4)
			raw_submit(&r);
		raw_close(&quick);
		raw_ring_drop(&r);
		raw_arena_drop(&a);
	}
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc, *last;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile control");
	tc = tcase_create("a lying client");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_lie_is_answered_with_its_name_and_ends_the_connection, 0, (int)RD_ARRAY_SIZE(lies));
	tcase_add_test(tc, a_register_call_that_does_not_agree_with_itself_ends_the_connection);
	tcase_add_test(tc, unknown_ids_and_reserved_fields_are_refused_and_no_more);
	tcase_add_test(tc, a_working_directory_must_be_an_o_path_directory);
	tcase_add_test(tc, a_call_in_fragments_is_one_call);
	tcase_add_loop_test(tc, nothing_comes_between_fragments, 0, 3);
	tcase_add_test(tc, a_call_that_is_never_finished_is_given_back_with_its_client);
	tcase_add_test(tc, endless_fragments_are_refused_at_their_end);
	tcase_add_test(tc, who_does_not_read_answers_is_dropped);
	tcase_add_test(tc, a_storm_of_descriptors_leaves_none_behind);
	tcase_add_test(tc, silent_connections_keep_nobody_out);
	tcase_add_test(tc, clients_that_come_and_go_leave_nothing);
	suite_add_tcase(suite, tc);
	last = tcase_create("the others");
	tcase_add_test(last, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, last);
	return scene_close(&s, rd_suite_main(suite));
}
