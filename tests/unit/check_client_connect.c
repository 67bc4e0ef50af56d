/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd: finding the daemon, the handshake, words for failures, a connection that breaks. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "fake_engine.h"
#include "suite.h"

static struct fake *fake;

static void setup(void)
{
	fake = fake_new();
	unsetenv("RINGD_SOCKET");
	unsetenv("XDG_RUNTIME_DIR");
}

static void teardown(void)
{
	fake_free(fake);
}

static int refused(const char *path)
{
	struct ringd *rd = (void *)1;
	int r = ringd_connect(&rd, path);

	ck_assert_ptr_null(rd);
	return r;
}

START_TEST(welcome_tells_engine_and_limits)
{
	struct ringd *rd;

	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_engine_pid(rd), 4711);
	ck_assert_uint_eq(ringd_limit(rd, RINGD_LIMIT_RINGS), 9);
	ck_assert_uint_eq(ringd_limit(rd, 1000), 0);
	ck_assert_str_eq(ringd_strerror(rd), "no error");
	ringd_close(rd);
	ringd_close(NULL);
}
END_TEST

START_TEST(descriptor_is_close_on_exec)
{
	bool was_open[256];
	unsigned int new = 0;
	struct ringd *rd;

	for (int fd = 0; fd < 256; fd++)
		was_open[fd] = fcntl(fd, F_GETFD) >= 0;
	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	/* ours, and that of the fake engine's thread */
	for (int fd = 0; fd < 256; fd++) {
		int flags = was_open[fd] ? -1 : fcntl(fd, F_GETFD);

		ck_assert(flags < 0 || (flags & FD_CLOEXEC));
		new += flags >= 0;
	}
	ck_assert_uint_ge(new, 1);
	ringd_close(rd);
}
END_TEST

START_TEST(refusal_keeps_the_words)
{
	fake->hello = FAKE_REFUSE;
	fake->fail_text = "64 clients, the limit of this tenant";
	ck_assert_int_eq(refused(fake->path), -EDQUOT);
	ck_assert_str_eq(ringd_strerror(NULL), "64 clients, the limit of this tenant");
}
END_TEST

START_TEST(refusal_without_words_has_some)
{
	fake->hello = FAKE_REFUSE;
	ck_assert_int_eq(refused(fake->path), -EDQUOT);
	ck_assert_ptr_nonnull(strstr(ringd_strerror(NULL), strerror(EDQUOT)));
}
END_TEST

START_TEST(bad_answers)
{
	fake->hello = FAKE_GARBAGE;
	ck_assert_int_eq(refused(fake->path), -EPROTO);
	fake->hello = FAKE_HANGUP;
	ck_assert_int_eq(refused(fake->path), -ECONNRESET);
	fake->hello = FAKE_NEW_VERSION;
	ck_assert_int_eq(refused(fake->path), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(bad_sockets)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[200], longer[300];
	int s;

	snprintf(path, sizeof(path), "%s/none", fake->dir);
	ck_assert_int_eq(refused(path), -ENOENT);
	ck_assert_ptr_nonnull(strstr(ringd_strerror(NULL), path));
	snprintf(path, sizeof(path), "%s/below", fake->path);
	ck_assert_int_eq(refused(path), -ENOENT);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	ck_assert_int_eq(refused(longer), -ENAMETOOLONG);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/other", fake->dir);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	ck_assert_int_eq(refused(sa.sun_path), -EPROTO);
	close(s);
	unlink(sa.sun_path);
	s = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(s);
	ck_assert_int_eq(refused(sa.sun_path), -ECONNREFUSED);
	unlink(sa.sun_path);
}
END_TEST

START_TEST(environment_names_the_socket)
{
	struct ringd *rd;

	setenv("RINGD_SOCKET", fake->path, 1);
	ck_assert_int_eq(ringd_connect(&rd, NULL), 0);
	ringd_close(rd);
}
END_TEST

START_TEST(runtime_directory_is_searched_next)
{
	char dir[100], path[120], missing[120];
	struct ringd *rd;

	snprintf(dir, sizeof(dir), "%s/ringd", fake->dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/ringd.sock", dir);
	ck_assert_int_eq(link(fake->path, path), 0);
	snprintf(missing, sizeof(missing), "%s/missing", fake->dir);
	setenv("XDG_RUNTIME_DIR", fake->dir, 1);
	setenv("RINGD_SOCKET", missing, 1);
	ck_assert_int_eq(ringd_connect(&rd, NULL), 0);
	ringd_close(rd);
	setenv("RINGD_SOCKET", "", 1);
	ck_assert_int_eq(ringd_connect(&rd, NULL), 0);
	ringd_close(rd);
	unlink(path);
	rmdir(dir);
}
END_TEST

START_TEST(dead_engine_is_connreset_everywhere)
{
	struct ringd_arena *arena, *other;
	struct ringd_ring *ring, *more;
	struct ringd_probe probe = { 0 };
	struct ringd *rd;
	int fd = 0;

	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, 0), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, 4096, 0), 0);
	fake_kill(fake);
	ck_assert_int_eq(ringd_arena_new(rd, &other, 4096, 0), -ECONNRESET);
	ck_assert_int_eq(ringd_ring_new(rd, &more, 8, 0), -ECONNRESET);
	ck_assert_ptr_null(other);
	ck_assert_ptr_null(more);
	ck_assert_int_eq(ringd_register_files(ring, &fd, 1), -ECONNRESET);
	ck_assert_int_eq(ringd_register_probe(ring, &probe, 0), -ECONNRESET);
	ck_assert_int_eq(ringd_unregister_buffers(ring), -ECONNRESET);
	ck_assert_ptr_nonnull(strstr(ringd_strerror(rd), "gone"));
	/* before anything that this process could find wrong by itself */
	ck_assert_int_eq(ringd_register_files(ring, NULL, 0), -ECONNRESET);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 0), -ECONNRESET);
	ck_assert_int_eq(ringd_register_files_update(ring, 0, NULL, 0), -ECONNRESET);
	ck_assert_int_eq(ringd_register_buffers(ring, NULL, 0), -ECONNRESET);
	ck_assert_int_eq(ringd_register_buffers_update_tag(ring, 0, NULL, NULL, 0), -ECONNRESET);
	ck_assert_ptr_nonnull(strstr(ringd_strerror(rd), "gone"));
	memset(ringd_arena_base(arena), 1, 4096);	/* still memory */
	ringd_ring_free(ring);
	ringd_arena_free(arena);
	ringd_close(rd);
}
END_TEST

START_TEST(close_takes_rings_and_arenas_along)
{
	struct ringd_arena *arena[2];
	struct ringd_ring *ring[2];
	struct ringd *rd;

	ck_assert_int_eq(ringd_connect(&rd, fake->path), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ringd_ring_new(rd, &ring[i], 8, 0), 0);
		ck_assert_int_eq(ringd_arena_new(rd, &arena[i], 4096, 0), 0);
	}
	ringd_ring_free(ring[0]);
	ringd_arena_free(arena[1]);
	ck_assert_int_eq(fake->rings_freed, 1);
	ck_assert_int_eq(fake->arenas_freed, 1);
	ringd_ring_free(NULL);
	ringd_arena_free(NULL);
	ringd_close(rd);	/* LeakSanitizer looks after the rest */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client connect");
	TCase *t = tcase_create("connect");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, welcome_tells_engine_and_limits);
	tcase_add_test(t, descriptor_is_close_on_exec);
	tcase_add_test(t, refusal_keeps_the_words);
	tcase_add_test(t, refusal_without_words_has_some);
	tcase_add_test(t, bad_answers);
	tcase_add_test(t, bad_sockets);
	tcase_add_test(t, environment_names_the_socket);
	tcase_add_test(t, runtime_directory_is_searched_next);
	tcase_add_test(t, dead_engine_is_connreset_everywhere);
	tcase_add_test(t, close_takes_rings_and_arenas_along);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
