/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets, listeners and names of sockets, in the hands of somebody who means no good. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "scene.h"
#include "tests/unit/suite.h"

#define FILES	400	/* budget of the tenant */
#define TABLE	256
#define LISTENER 0	/* slot */

static struct scene s;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static struct sockaddr_in at;	/* of the listener */

static void open_scene(void)
{
	static const char *const extra[] = { "--max-files=400", NULL };

	_Static_assert(FILES == 400, "as told to the daemon");
	scene_open(&s, extra, SCENE_ALONE);
}

static void setup(void)
{
	int none[TABLE];

	raw_connect(&raw, s.d.socket);
	raw_ring(&ring, &raw, TABLE, 0);
	raw_arena(&arena, &raw, RD_RAW_ARENA, 1 << 20);
	memset(none, 0xff, sizeof(none));
	ck_assert_int_eq(raw_register_files(&ring, none, TABLE), 0);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	scene_check(&s);
}

START_TEST(in_the_end_nobody_saw_an_error)
{
	scene_finish(&s);
}
END_TEST

static struct ringd_sqe nop(void)
{
	return (struct ringd_sqe){ .opcode = RINGD_OP_NOP };
}

static void expect_alive(void)
{
	struct ringd_sqe sqe = nop();
	struct raw_ring second;

	raw_ring(&second, &raw, 8, 0);
	ck_assert_int_eq(raw_one(&second, &sqe), 0);
	ck_assert_int_eq(raw_ring_free(&second), 0);
	raw_ring_drop(&second);
}

/* --- requests --- */

static struct ringd_sqe socket_sqe(int domain, int type, uint32_t file_index)
{
	return (struct ringd_sqe){ .opcode = RINGD_OP_SOCKET, .fd = domain, .off = (uint32_t)type, .file_index = file_index };
}

static struct ringd_sqe on_slot(uint8_t opcode, int slot)
{
	return (struct ringd_sqe){ .opcode = opcode, .fd = slot, .flags = RINGD_SQE_FIXED_FILE };
}

/* The name as it is in the arena. */
static int32_t named(uint8_t opcode, int slot, const void *name, size_t len)
{
	struct ringd_sqe sqe = on_slot(opcode, slot);

	memcpy(arena.ptr, name, len);
	sqe.addr = arena.base;
	sqe.addr2 = len;
	return raw_one(&ring, &sqe);
}

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Whose listener it is. */
enum { OWN, BLOCKING, KINDS };
static int mine = -1;

static void listen_at(int kind)
{
	const struct sockaddr_in any = loopback();
	socklen_t len = sizeof(at);
	struct ringd_sqe sqe;

	/* the engine's own is one that is not known outside; its port is asked for by binding a name that was free */
	mine = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(mine, (const struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(getsockname(mine, (struct sockaddr *)&at, &len), 0);
	if (kind == BLOCKING) {
		ck_assert_int_eq(listen(mine, 1024), 0);
		ck_assert_int_eq(raw_update_file(&ring, LISTENER, mine), 1);
		return;
	}
	close(rd_steal_fd(&mine));
	sqe = socket_sqe(AF_INET, SOCK_STREAM, LISTENER + 1);
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
	ck_assert_int_eq(named(RINGD_OP_BIND, LISTENER, &at, sizeof(at)), 0);
	sqe = on_slot(RINGD_OP_LISTEN, LISTENER);
	sqe.len = 1024;
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
}

static int come(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void submit_accept(uint16_t ioprio, uint32_t file_index)
{
	struct ringd_sqe *sqe = raw_sqe(&ring);

	*sqe = on_slot(RINGD_OP_ACCEPT, LISTENER);
	sqe->ioprio = ioprio;
	sqe->file_index = file_index;
	ck_assert_int_eq(raw_submit(&ring), 1);
}

static struct ringd_cqe next(void)
{
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	return cqe;
}

static void close_mine(void)
{
	rd_close(rd_steal_fd(&mine));
}

/* --- floods --- */

/* More come than there is budget for: who has no place stays outside, nothing is lost, and the rest of the tenant lives. */
START_TEST(a_flood_of_connections_ends_at_the_budget)
{
	int client[TABLE + 20], n = 0;
	struct ringd_cqe cqe;
	struct ringd_sqe sqe;

	listen_at(_i);
	submit_accept(RINGD_ACCEPT_MULTISHOT, RINGD_FILE_INDEX_ALLOC);
	for (int i = 0; i < TABLE + 20; i++)
		client[i] = come();
	do {
		cqe = next();
		n += cqe.res >= 0;
	} while (cqe.flags & RINGD_CQE_F_MORE);
	ck_assert_int_eq(cqe.res, -ENFILE);
	ck_assert_int_eq(n, TABLE - 1);
	expect_alive();
	for (int i = 1; i < 20; i++) {
		sqe = (struct ringd_sqe){ .opcode = RINGD_OP_CLOSE, .file_index = (uint32_t)i + 1 };
		ck_assert_int_eq(raw_one(&ring, &sqe), 0);
		sqe = on_slot(RINGD_OP_ACCEPT, LISTENER);
		sqe.file_index = RINGD_FILE_INDEX_ALLOC;
		ck_assert_int_eq(raw_one(&ring, &sqe), i);
	}
	for (int i = 0; i < TABLE + 20; i++)
		close(client[i]);
	close_mine();
}
END_TEST

/* The same with the budget of files: others of the tenant have some of it. */
START_TEST(a_flood_of_sockets_ends_at_the_budget)
{
	struct ringd_sqe sqe;
	struct raw_ring second;
	int none[TABLE], r = 0, n = 0;

	memset(none, 0xff, sizeof(none));
	raw_ring(&second, &raw, 8, 0);
	ck_assert_int_eq(raw_register_files(&second, none, TABLE), 0);
	for (; r >= 0; n++) {
		sqe = socket_sqe(n & 1 ? AF_UNIX : AF_INET6, n & 2 ? SOCK_STREAM : SOCK_DGRAM, RINGD_FILE_INDEX_ALLOC);
		r = raw_one(n < TABLE ? &ring : &second, &sqe);
	}
	ck_assert_int_eq(r, -EDQUOT);
	ck_assert_int_gt(n, TABLE);
	ck_assert_int_le(n, FILES + 1);
	/* what fails gives back what it took */
	for (int i = 0; i < 100; i++) {
		sqe = socket_sqe(AF_INET, SOCK_STREAM, 1);
		ck_assert_int_eq(raw_one(&ring, &sqe), -EDQUOT);
	}
	raw_ring_drop(&second);
}
END_TEST

/* Connections come and go while nobody reads the CQ: its overflow is bounded by one request. */
START_TEST(who_never_reaps_accepts_no_more)
{
	int client[100];
	struct ringd_cqe cqe;
	int n = 0;

	ck_assert_int_eq(raw_ring_free(&ring), 0);
	raw_ring_drop(&ring);
	raw_ring(&ring, &raw, 4, 0);
	memset(client, 0xff, sizeof(client));
	ck_assert_int_eq(raw_register_files(&ring, client, 100), 0);
	listen_at(_i);
	submit_accept(RINGD_ACCEPT_MULTISHOT, RINGD_FILE_INDEX_ALLOC);
	for (int i = 0; i < 100; i++)
		client[i] = come();
	do {
		/* the one that did not fit waits for this */
		while (!raw_cqe_ready(&ring))
			raw_enter(&ring, 0, RINGD_ENTER_GETEVENTS);
		cqe = next();
		ck_assert_int_eq(cqe.res, ++n);
	} while (cqe.flags & RINGD_CQE_F_MORE);
	ck_assert_int_lt(n, 100);
	for (int i = 0; i < 100; i++)
		close(client[i]);
	close_mine();
}
END_TEST

/* --- listeners that end --- */

START_TEST(a_listener_that_goes_while_it_is_waited_at)
{
	for (int how = 0; how < 4; how++) {
		int client[10];
		struct ringd_cqe cqe;
		struct ringd_sqe sqe;
		int ends = 0;

		listen_at(_i);
		for (int i = 0; i < 8; i++)
			submit_accept(i & 1 ? RINGD_ACCEPT_MULTISHOT : 0, RINGD_FILE_INDEX_ALLOC);
		for (int i = 0; i < 10; i++)
			client[i] = come();
		if (how == 0 || how == 3)
			close_mine();
		if (how & 1)
			ck_assert_int_eq(raw_update_file(&ring, LISTENER, -1), 1);	/* they have their own */
		if (how == 2) {
			sqe = on_slot(RINGD_OP_SHUTDOWN, LISTENER);
			sqe.len = SHUT_RDWR;
			sqe.user_data = 1;
			*raw_sqe(&ring) = sqe;
			ck_assert_int_eq(raw_submit(&ring), 1);
		} else {
			*raw_sqe(&ring) = (struct ringd_sqe){ .opcode = RINGD_OP_ASYNC_CANCEL, .user_data = 1,
							      .cancel_flags = RINGD_ASYNC_CANCEL_ANY };
			ck_assert_int_eq(raw_submit(&ring), 1);
		}
		while (ends < 9) {
			cqe = next();
			ends += !(cqe.flags & RINGD_CQE_F_MORE);
			if (!cqe.user_data)
				ck_assert_msg(cqe.res >= 0 || cqe.res == -EINVAL || cqe.res == -ECANCELED, "%d", cqe.res);
		}
		for (int i = 0; i < 10; i++)
			close(client[i]);
		close_mine();
		for (int i = 0; i < TABLE; i++)
			raw_update_file(&ring, (unsigned int)i, -1);
	}
}
END_TEST

/* O_NONBLOCK is changed all the time, and somebody else accepts, too: accept() must not sleep where others wait for it. */
struct flipper {
	int fd;
	bool stop;
	unsigned int taken;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		int fd;

		fcntl(f->fd, F_SETFL, O_NONBLOCK);
		fd = accept(f->fd, NULL, NULL);
		f->taken += fd >= 0;
		rd_close(fd);
		fcntl(f->fd, F_SETFL, 0);
	}
	return NULL;
}

START_TEST(a_listener_that_blocks_and_does_not)
{
	struct flipper f = { 0 };
	struct ringd_cqe cqe;
	pthread_t thread;
	unsigned int n = 0;

	listen_at(BLOCKING);
	f.fd = dup(mine);
	ck_assert_int_eq(pthread_create(&thread, NULL, flip, &f), 0);
	for (int i = 0; i < 4; i++)
		submit_accept(i & 1 ? RINGD_ACCEPT_MULTISHOT : 0, RINGD_FILE_INDEX_ALLOC);
	for (int i = 0; i < 300; i++) {
		close(come());
		expect_alive();
		while (raw_cqe_ready(&ring)) {
			cqe = next();
			ck_assert_int_ge(cqe.res, 0);
			raw_update_file(&ring, (unsigned int)cqe.res, -1);
			if (!(cqe.flags & RINGD_CQE_F_MORE))
				submit_accept(0, RINGD_FILE_INDEX_ALLOC);
			n++;
		}
	}
	__atomic_store_n(&f.stop, true, __ATOMIC_RELAXED);
	/* it may be in a blocking one, if it was quick */
	while (pthread_tryjoin_np(thread, NULL))
		close(come());
	close(f.fd);
	close_mine();
}
END_TEST

/* A connection that lingers, with what nobody reads: closing takes for ever, of as many as one likes. */
START_TEST(connections_that_linger)
{
	struct { struct linger l; } *opt = (void *)arena.ptr;
	struct ringd_sqe sqe;
	int client[30];

	listen_at(_i);
	for (int i = 0; i < 30; i++) {
		client[i] = come();
		sqe = on_slot(RINGD_OP_ACCEPT, LISTENER);
		sqe.file_index = (uint32_t)i + 2;
		ck_assert_int_eq(raw_one(&ring, &sqe), 0);
		opt->l = (struct linger){ .l_onoff = 1, .l_linger = 1000 };
		sqe = on_slot(RINGD_OP_URING_CMD, i + 1);
		sqe.cmd_op = RINGD_SOCKET_OP_SETSOCKOPT;
		sqe.level = SOL_SOCKET;
		sqe.optname = SO_LINGER;
		sqe.optval = arena.base;
		sqe.optlen = sizeof(opt->l);
		ck_assert_int_eq(raw_one(&ring, &sqe), 0);
		/* what is sent fills the queues, and is never read */
		for (int r = 1; r > 0;) {
			sqe = on_slot(RINGD_OP_SEND, i + 1);
			sqe.addr = arena.base;
			sqe.len = 1 << 20;
			sqe.msg_flags = MSG_DONTWAIT;
			r = raw_one(&ring, &sqe);
		}
	}
	for (unsigned int i = 0; i < 30; i++) {
		ck_assert_int_eq(raw_update_file(&ring, i + 1, -1), 1);
		expect_alive();
	}
	/* each close is waited for by the one who holds the other end */
	for (int i = 0; i < 30; i++)
		close(client[i]);
	close_mine();
}
END_TEST

/* --- names --- */

START_TEST(names_of_any_size)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct ringd_sqe sqe;
	char junk[256], dots[200];

	for (size_t i = 0; i < sizeof(dots); i++)
		dots[i] = i & 1 ? '.' : '/';
	for (int i = 0; i < 600; i++) {
		int family = (const int[]){ AF_UNIX, AF_INET, AF_INET6 }[scene_random() % 3];
		uint32_t len = scene_random() % 140;

		sqe = socket_sqe(family, scene_random() & 1 ? SOCK_STREAM : SOCK_DGRAM, 1);
		ck_assert_int_eq(raw_one(&ring, &sqe), 0);
		for (size_t k = 0; k < sizeof(junk); k++)
			junk[k] = (char)scene_random();
		if (scene_random() % 4)
			memcpy(junk, &(sa_family_t){ (sa_family_t)family }, sizeof(sa_family_t));
		if (scene_random() % 2)
			junk[2] = 0;	/* not a path */
		else if (family == AF_UNIX)
			memcpy(junk + 2, dots, sizeof(dots));	/* none that leaves anything behind, wherever it is cut */
		memcpy(arena.ptr, junk, sizeof(junk));
		sqe = on_slot(scene_random() & 1 ? RINGD_OP_BIND : RINGD_OP_CONNECT, 0);
		/* at the end of the memory, too */
		sqe.addr = scene_random() % 8 ? arena.base : arena.base + arena.size - len / 2;
		sqe.addr2 = scene_random() % 16 ? len : scene_random();
		sqe.fd = 0;
		if (sqe.opcode == RINGD_OP_CONNECT && family != AF_UNIX)
			sqe.addr2 = RD_MIN(sqe.addr2, (uint64_t)7);	/* nobody is to be called */
		ck_assert_int_le(raw_one(&ring, &sqe), 0);
	}
	/* names that have no end */
	memset(un.sun_path, 'x', sizeof(un.sun_path));
	sqe = socket_sqe(AF_UNIX, SOCK_STREAM, 1);
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
	un.sun_path[0] = '/';
	ck_assert_int_eq(named(RINGD_OP_CONNECT, 0, &un, sizeof(un)), -ENOENT);
	un.sun_path[1] = '/';
	un.sun_path[50] = '/';
	ck_assert_int_eq(named(RINGD_OP_BIND, 0, &un, sizeof(un)), -ENOENT);
}
END_TEST

struct writer {
	volatile char *name;
	bool stop;
};

static void *scribble(void *arg)
{
	struct writer *w = arg;
	unsigned int n = 0;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		static const char *const paths[] = { "/proc/self/fd/0", "/tmp", "", "/proc/self/cwd/x" };
		const char *path = paths[n++ & 3];

		for (size_t i = 0; i <= strlen(path); i++)
			w->name[2 + i] = path[i];
	}
	return NULL;
}

/* A name that changes while it is used is one of those it has been. */
START_TEST(names_that_change_while_they_are_used)
{
	struct writer w = { .name = arena.ptr };
	struct ringd_sqe sqe;
	pthread_t thread;

	memset(arena.ptr, 0, 256);
	memcpy(arena.ptr, &(sa_family_t){ AF_UNIX }, sizeof(sa_family_t));
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, &w), 0);
	for (int i = 0; i < 2000; i++) {
		sqe = socket_sqe(AF_UNIX, SOCK_STREAM, 1);
		ck_assert_int_eq(raw_one(&ring, &sqe), 0);
		sqe = on_slot(RINGD_OP_CONNECT, 0);
		sqe.addr = arena.base;
		sqe.addr2 = 40;
		ck_assert_int_lt(raw_one(&ring, &sqe), 0);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(wild_accepts)
{
	int client[2];

	listen_at(_i);
	client[0] = come();
	client[1] = come();
	for (int i = 0; i < 300; i++) {
		struct ringd_sqe *sqe = raw_sqe(&ring);
		struct ringd_cqe cqe;

		*sqe = on_slot(RINGD_OP_ACCEPT, (int)(scene_random() % 3) - 1);
		sqe->ioprio = (uint16_t)(scene_random() % 16) | RINGD_ACCEPT_DONTWAIT;
		sqe->file_index = scene_random() % 4 ? 0 : scene_random();
		sqe->accept_flags = scene_random() & (SOCK_NONBLOCK | SOCK_CLOEXEC | 1);
		sqe->addr = scene_random() % 2 ? arena.base + arena.size - scene_random() % 32 : scene_random();
		sqe->addr2 = scene_random() % 2 ? arena.base + scene_random() % 64 : scene_random();
		ck_assert_int_eq(raw_submit(&ring), 1);
		do
			cqe = next();
		while (cqe.flags & RINGD_CQE_F_MORE);
	}
	expect_alive();
	close(client[0]);
	close(client[1]);
	close_mine();
}
END_TEST

/* --- connects --- */

/* Connections that are never made, by the hundred, and their owner dies. */
START_TEST(connects_that_are_never_answered)
{
	struct sockaddr_in full;
	socklen_t len = sizeof(full);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), queued, theirs = -1;
	struct ringd_sqe *sqe;

	full = loopback();
	ck_assert_int_eq(bind(l, (struct sockaddr *)&full, sizeof(full)), 0);
	ck_assert_int_eq(listen(l, 0), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&full, &len), 0);
	queued = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(queued, (struct sockaddr *)&full, sizeof(full)), 0);
	memcpy(arena.ptr, &full, sizeof(full));
	for (int i = 0; i < 100; i++) {
		if (_i == OWN) {
			struct ringd_sqe make = socket_sqe(AF_INET, SOCK_STREAM, (uint32_t)i + 1);

			ck_assert_int_eq(raw_one(&ring, &make), 0);
		} else {
			theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			ck_assert_int_eq(raw_update_file(&ring, (unsigned int)i, theirs), 1);
			close(theirs);
		}
		sqe = raw_sqe(&ring);
		*sqe = on_slot(RINGD_OP_CONNECT, i);
		sqe->addr = arena.base;
		sqe->addr2 = sizeof(full);
		ck_assert_int_eq(raw_submit(&ring), 1);
	}
	expect_alive();
	/* teardown: all of it is given back, though nobody ever answers */
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	rd_daemon_expect_used(&s.d, geteuid(), RINGD_LIMIT_INFLIGHT, s.before.used[RINGD_LIMIT_INFLIGHT]);
	close(queued);
	close(l);
	setup();
}
END_TEST

int main(void)
{
	const TTest *const once[] = {
		a_flood_of_sockets_ends_at_the_budget, a_listener_that_blocks_and_does_not, names_of_any_size,
		names_that_change_while_they_are_used,
	};
	const TTest *const each[] = {
		a_flood_of_connections_ends_at_the_budget, who_never_reaps_accepts_no_more,
		a_listener_that_goes_while_it_is_waited_at, connections_that_linger, wild_accepts,
		connects_that_are_never_answered,
	};
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("hostile: sockets");
	tc = tcase_create("a client with sockets");
	tcase_add_unchecked_fixture(tc, open_scene, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < RD_ARRAY_SIZE(once); i++)
		tcase_add_test(tc, once[i]);
	for (size_t i = 0; i < RD_ARRAY_SIZE(each); i++)
		tcase_add_loop_test(tc, each[i], 0, KINDS);
	suite_add_tcase(suite, tc);
	tc = tcase_create("the end");
	tcase_add_test(tc, in_the_end_nobody_saw_an_error);
	suite_add_tcase(suite, tc);
	return scene_close(&s, rd_suite_main(suite));
}
