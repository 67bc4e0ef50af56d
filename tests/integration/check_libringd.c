/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd with the real daemon: every prep helper once, and what only the two together can get wrong. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

#define ARENA	(1u << 20)

static const unsigned int kinds[] = { 0, RINGD_SETUP_SQPOLL };
static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_arena *arena;
static char *mem;
static char dir[64];

static void setup(void)
{
	rd_daemon_start(&ringd, NULL);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, ARENA, 0), 0);
	mem = ringd_arena_base(arena);
	strcpy(dir, "/tmp/ringd-files-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	char command[96];

	ringd_close(rd);
	rd_daemon_stop(&ringd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void make_ring(unsigned int entries, unsigned int flags)
{
	ck_assert_int_eq(ringd_ring_new(rd, &ring, entries, flags), 0);
	ck_assert_int_eq(ringd_register_files_sparse(ring, 64), 0);
}

static struct ringd_sqe *get(void)
{
	struct ringd_sqe *sqe;

	while (!(sqe = ringd_get_sqe(ring)))
		ck_assert_int_eq(ringd_sqring_wait(ring), 0);
	return sqe;
}

/* Submit what was got and take one CQE. */
static int32_t finish(void)
{
	struct ringd_cqe *cqe;
	int32_t res;

	ck_assert_int_ge(ringd_submit_and_wait(ring, 1), 0);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	res = cqe->res;
	ringd_cqe_seen(ring, cqe);
	return res;
}

static struct ringd_sqe *fixed(struct ringd_sqe *sqe)
{
	ringd_sqe_set_flags(sqe, RINGD_SQE_FIXED_FILE);
	return sqe;
}

static int32_t open_slot(const char *path, int flags, mode_t mode, unsigned int slot)
{
	ringd_prep_openat_direct(ring, get(), AT_FDCWD, path, flags, mode, slot);
	return finish();
}

START_TEST(every_operation)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS };
	struct statx *stx = (void *)(mem + 8192);
	struct iovec iov[2] = { { mem, 3 }, { mem + 100, 5 } };
	struct stat st;

	make_ring(8, kinds[_i]);
	ringd_prep_nop(get());
	ck_assert_int_eq(finish(), 0);
	umask(027);
	ck_assert_int_eq(open_slot("file", O_RDWR | O_CREAT | O_EXCL, 0666, 0), 0);
	ck_assert_int_eq(stat("file", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	memcpy(mem, "abcdefgh", 8);
	ringd_prep_write(fixed(get()), 0, mem, 8, 0);
	ck_assert_int_eq(finish(), 8);
	memcpy(mem, "XYZ", 3);
	memcpy(mem + 100, "12345", 5);
	ringd_prep_writev(ring, fixed(get()), 0, iov, 2, 4, 0);
	ck_assert_int_eq(finish(), 8);
	ringd_prep_fsync(fixed(get()), 0, RINGD_FSYNC_DATASYNC);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_sync_file_range(fixed(get()), 0, 0, 0, 4);
	ck_assert_int_eq(finish(), 0);
	memset(mem, 0, 200);
	ringd_prep_read(fixed(get()), 0, mem, 100, 0);
	ck_assert_int_eq(finish(), 12);
	ck_assert_mem_eq(mem, "abcdXYZ12345", 12);
	ringd_prep_readv(ring, fixed(get()), 0, iov, 2, 4, 0);
	ck_assert_int_eq(finish(), 8);
	ck_assert_mem_eq(mem + 100, "12345", 5);
	ringd_prep_ftruncate(fixed(get()), 0, 6);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_fallocate(fixed(get()), 0, 0, 0, 10000);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_statx(ring, get(), AT_FDCWD, "file", 0, STATX_SIZE, stx);
	ck_assert_int_eq(finish(), 0);
	ck_assert_uint_eq(stx->stx_size, 10000);
	ringd_prep_openat2_direct(ring, get(), AT_FDCWD, "file", &how, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(finish(), 1);
	ck_assert_int_eq(symlink("file", "link"), 0);
	ringd_prep_openat2_direct(ring, get(), AT_FDCWD, "link", &how, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(finish(), -ELOOP);
	ringd_prep_close_direct(get(), 1);
	ck_assert_int_eq(finish(), 0);
	ringd_prep_close_direct(get(), 1);
	ck_assert_int_eq(finish(), -EBADF);
}
END_TEST

START_TEST(what_the_service_does_not_know)
{
	char path[PATH_MAX + 10];
	struct iovec iov = { .iov_base = path, .iov_len = 4 };

	make_ring(8, kinds[_i]);
	ck_assert_int_eq(open_slot("file", O_RDWR | O_CREAT, 0600, 0), 0);
	ringd_prep_read(fixed(get()), 0, path, 4, 0);		/* in no arena */
	ck_assert_int_eq(finish(), -EFAULT);
	ringd_prep_read(fixed(get()), 0, mem + ARENA - 2, 4, 0);	/* over the end of one */
	ck_assert_int_eq(finish(), -EFAULT);
	ringd_prep_readv(ring, fixed(get()), 0, &iov, 1, 0, 0);
	ck_assert_int_eq(finish(), -EFAULT);
	ringd_prep_readv(ring, fixed(get()), 0, &iov, 1025, 0, 0);
	ck_assert_int_eq(finish(), -EINVAL);
	ringd_prep_read(get(), 0, mem, 4, 0);			/* a number, not a slot */
	ck_assert_int_eq(finish(), -EBADF);
	ringd_prep_close(get(), 0);
	ck_assert_int_eq(finish(), -EBADF);
	ringd_prep_openat_direct(ring, get(), 0, "file", O_RDONLY, 0, 1);
	ck_assert_int_eq(finish(), -EBADF);
	ck_assert_int_eq(open_slot("", O_RDONLY, 0, 1), -ENOENT);
	ck_assert_int_eq(open_slot(NULL, O_RDONLY, 0, 1), -EFAULT);
	memset(path, '/', sizeof(path));
	path[PATH_MAX] = 0;
	ck_assert_int_eq(open_slot(path, O_RDONLY, 0, 1), -ENAMETOOLONG);
	path[PATH_MAX - 1] = 0;
	ck_assert_int_eq(open_slot(path, O_RDONLY, 0, 1), 0);	/* the root, said at length */
}
END_TEST

START_TEST(relative_paths_follow_the_working_directory)
{
	make_ring(8, kinds[_i]);
	ck_assert_int_eq(mkdir("sub", 0700), 0);
	ck_assert_int_eq(open_slot("one", O_RDWR | O_CREAT, 0600, 0), 0);
	ck_assert_int_eq(chdir("sub"), 0);
	ck_assert_int_eq(open_slot("one", O_RDWR, 0, 1), -ENOENT);
	ck_assert_int_eq(open_slot("../one", O_RDWR, 0, 1), 0);
	ck_assert_int_eq(rename("../sub", "../bus"), 0);
	ck_assert_int_eq(open_slot("two", O_RDWR | O_CREAT, 0600, 2), 0);
	ck_assert_int_eq(access("../bus/two", F_OK), 0);
	ck_assert_int_eq(chdir(".."), 0);
	ck_assert_int_eq(open_slot("one", O_RDWR, 0, 3), 0);
}
END_TEST

/* The scratch area with a full SQ, again and again: each open must get its own path. File N contains N. */
START_TEST(paths_in_flight_do_not_mix)
{
	enum { FILES = 50, ROUNDS = 40, DEPTH = 16 };
	struct ringd_cqe *cqe;
	unsigned int seed = 7;

	for (int i = 0; i < FILES; i++) {
		char name[16];
		FILE *f;

		snprintf(name, sizeof(name), "n%d", i);
		ck_assert_ptr_nonnull(f = fopen(name, "w"));
		fprintf(f, "%04d", i);
		fclose(f);
	}
	make_ring(DEPTH, kinds[_i] | RINGD_SETUP_SUBMIT_ALL);
	for (int round = 0; round < ROUNDS; round++) {
		int want[DEPTH];

		for (unsigned int k = 0; k < DEPTH; k++) {
			char name[PATH_MAX];
			int pad = (int)((unsigned int)rand_r(&seed) % 2000);

			want[k] = rand_r(&seed) % FILES;
			/* ././././n7: lengths differ, so that old rests would show */
			for (int i = 0; i < pad; i++)
				memcpy(name + 2 * i, "./", 2);
			snprintf(name + 2 * pad, 16, "n%d", want[k]);
			ringd_prep_openat_direct(ring, get(), AT_FDCWD, name, O_RDONLY, 0, k);
		}
		for (unsigned int k = 0; k < DEPTH; k++)
			ck_assert_int_eq(finish(), 0);
		for (unsigned int k = 0; k < DEPTH; k++) {
			ringd_prep_read(fixed(get()), (int)k, mem + k * 64, 4, 0);
			ringd_submit(ring);
		}
		ck_assert_int_eq(ringd_wait_cqe_nr(ring, &cqe, DEPTH), 0);
		ringd_cq_advance(ring, DEPTH);
		for (unsigned int k = 0; k < DEPTH; k++)
			ck_assert_int_eq(atoi(mem + k * 64), want[k]);
	}
}
END_TEST

START_TEST(registered_files_and_tags)
{
	enum { N = 600 };
	static uint64_t tags[N];
	static int fds[N];
	struct rlimit rl;
	struct ringd_cqe *cqe;
	int file[2];

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max < 1024 ? rl.rlim_max : 1024;
	setrlimit(RLIMIT_NOFILE, &rl);
	for (int i = 0; i < 2; i++) {
		file[i] = open(i ? "b" : "a", O_RDWR | O_CREAT, 0600);
		ck_assert_int_eq((int)write(file[i], i ? "b" : "a", 1), 1);
	}
	for (int i = 0; i < N; i++) {
		fds[i] = i % 10 == 9 ? -1 : file[i % 2];
		tags[i] = i == 300 ? 0x1234567890 : 0;
	}
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 8, kinds[_i]), 0);
	ck_assert_int_eq(ringd_register_files_tags(ring, fds, tags, N), 0);
	close(file[0]);
	close(file[1]);
	for (int i = 0; i < N; i += 7) {
		ringd_prep_read(fixed(get()), i, mem, 1, 0);
		ck_assert_int_eq(finish(), i % 10 == 9 ? -EBADF : 1);
		if (i % 10 != 9)
			ck_assert_int_eq(mem[0], i % 2 ? 'b' : 'a');
	}
	fds[0] = -1;
	ck_assert_int_eq(ringd_register_files_update(ring, 300, fds, 1), 1);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_uint_eq(cqe->user_data, 0x1234567890);
	ringd_cqe_seen(ring, cqe);
	ck_assert_int_eq(ringd_register_file_alloc_range(ring, 300, 1), 0);
	ringd_prep_openat_direct(ring, get(), AT_FDCWD, "a", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(finish(), 300);
	ringd_prep_openat_direct(ring, get(), AT_FDCWD, "a", O_RDONLY, 0, RINGD_FILE_INDEX_ALLOC);
	ck_assert_int_eq(finish(), -ENFILE);
	ck_assert_int_eq(ringd_unregister_files(ring), 0);
	ck_assert_int_eq(ringd_unregister_files(ring), -ENXIO);
}
END_TEST

START_TEST(registered_buffers)
{
	struct iovec iov[2] = { { mem, 4096 }, { mem + 4096, 4096 } }, outside = { dir, 8 };

	make_ring(8, kinds[_i]);
	ck_assert_int_eq(ringd_register_buffers(ring, &outside, 1), -EFAULT);
	ck_assert_int_ne(strlen(ringd_strerror(rd)), 0);
	ck_assert_str_ne(ringd_strerror(rd), "no error");
	ck_assert_int_eq(ringd_register_buffers(ring, iov, 2), 0);
	ck_assert_int_eq(ringd_register_buffers(ring, iov, 2), -EBUSY);
	ck_assert_int_eq(open_slot("file", O_RDWR | O_CREAT, 0600, 3), 0);
	memset(mem, 'q', 4096);
	ringd_prep_write_fixed(fixed(get()), 3, mem, 4096, 0, 0);
	ck_assert_int_eq(finish(), 4096);
	ringd_prep_read_fixed(fixed(get()), 3, mem + 4096, 4096, 0, 1);
	ck_assert_int_eq(finish(), 4096);
	ck_assert_mem_eq(mem, mem + 4096, 4096);
	ringd_prep_read_fixed(fixed(get()), 3, mem + 4096, 4096, 0, 0);
	ck_assert_int_eq(finish(), -EFAULT);
	ck_assert_int_eq(ringd_register_buffers_update_tag(ring, 0, &iov[1], NULL, 1), 1);
	ringd_prep_read_fixed(fixed(get()), 3, mem + 4096, 4096, 0, 0);
	ck_assert_int_eq(finish(), 4096);
	ck_assert_int_eq(ringd_unregister_buffers(ring), 0);
}
END_TEST

START_TEST(more_completions_than_the_cq_holds)
{
	enum { N = 500 };
	struct ringd_cqe *cqe;

	make_ring(4, kinds[_i]);
	for (uint64_t i = 0; i < N; i++) {
		struct ringd_sqe *sqe = get();

		ringd_prep_nop(sqe);
		sqe->user_data = i;
		ck_assert_int_eq(ringd_submit(ring), 1);
	}
	while (ringd_sq_ready(ring))
		sched_yield();
	for (uint64_t i = 0; i < N; i++) {
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, i);
		ringd_cqe_seen(ring, cqe);
	}
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -EAGAIN);
}
END_TEST

/* An event loop: submit after the last look, sleep in poll() only. Pauses let the engine fall asleep in between. */
START_TEST(event_loop_is_always_woken)
{
	struct pollfd p = { .events = POLLIN };
	struct ringd_cqe *cqe;
	uint64_t sent = 0, seen = 0;
	unsigned int seed = 3;

	make_ring(8, kinds[_i]);
	p.fd = ringd_ring_fd(ring);
	while (seen < 2000) {
		while (ringd_peek_cqe(ring, &cqe) == 0) {
			seen++;
			ringd_cqe_seen(ring, cqe);
		}
		if (sent == seen) {
			if (rand_r(&seed) % 100 == 0)
				nanosleep(&(struct timespec){ .tv_nsec = rand_r(&seed) % 1000000 }, NULL);
			for (int n = 1 + rand_r(&seed) % 3; n > 0; n--, sent++)
				ringd_prep_nop(get());
			ck_assert_int_ge(ringd_submit(ring), 1);
		}
		ck_assert_msg(poll(&p, 1, 100000) == 1, "asleep at %u of %u", (unsigned int)seen, (unsigned int)sent);
	}
}
END_TEST

static void *reaper(void *arg)
{
	struct ringd_cqe *cqe;

	for (uint64_t i = 0; i < 20000; i++) {
		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_uint_eq(cqe->user_data, i);
		ringd_cqe_seen(ring, cqe);
	}
	return arg;
}

START_TEST(one_thread_submits_another_reaps)
{
	pthread_t th;

	make_ring(16, RINGD_SETUP_SQPOLL);
	pthread_create(&th, NULL, reaper, NULL);
	for (uint64_t i = 0; i < 20000; i++) {
		struct ringd_sqe *sqe;

		while (!(sqe = ringd_get_sqe(ring)))
			sched_yield();
		ringd_prep_nop(sqe);
		sqe->user_data = i;
		ck_assert_int_eq(ringd_submit(ring), 1);
	}
	pthread_join(th, NULL);
}
END_TEST

/* --- the end of the engine --- */

static void *kill_engine(void *arg)
{
	/* a moment later, so that some of the runs find the other side asleep and some not */
	nanosleep(&(struct timespec){ .tv_nsec = (long)(uintptr_t)arg }, NULL);
	ck_assert_int_eq(kill(ringd_engine_pid(rd), SIGKILL), 0);
	return NULL;
}

START_TEST(killed_engine_wakes_everybody)
{
	struct ringd_cqe *cqe;
	struct ringd *again;
	int fds[2], r;
	pthread_t th;

	make_ring(8, kinds[_i % 2]);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(ringd_register_files_update(ring, 0, fds, 2), 2);
	ringd_prep_read(fixed(get()), 0, mem, 1, (uint64_t)-1);
	ck_assert_int_eq(ringd_submit(ring), 1);
	pthread_create(&th, NULL, kill_engine, (void *)(uintptr_t)(_i / 2 * 5000000));
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), -ECONNRESET);
	pthread_join(th, NULL);
	ck_assert_int_eq(ringd_peek_cqe(ring, &cqe), -ECONNRESET);
	ringd_prep_nop(get());
	ck_assert_int_eq(ringd_submit(ring), -ECONNRESET);
	ck_assert_int_eq(ringd_submit_and_wait(ring, 1), -ECONNRESET);
	ck_assert_int_eq(ringd_unregister_files(ring), -ECONNRESET);
	ck_assert_ptr_nonnull(strstr(ringd_ring_strerror(ring), "gone"));
	/* the next engine is a moment away, since this one died young: the library waits for it */
	r = ringd_connect(&again, ringd.socket);
	ck_assert_int_eq(r, 0);
	ck_assert_int_ne(ringd_engine_pid(again), ringd_engine_pid(rd));
	ringd_close(again);
}
END_TEST

START_TEST(submitter_finds_the_engine_killed)
{
	pthread_t th;
	int r;

	make_ring(8, kinds[_i]);
	pthread_create(&th, NULL, kill_engine, (void *)(uintptr_t)5000000);
	do {
		struct ringd_cqe *cqe;
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		if (sqe)
			ringd_prep_nop(sqe);
		r = ringd_submit(ring);
		while (ringd_peek_cqe(ring, &cqe) == 0)
			ringd_cqe_seen(ring, cqe);
	} while (r >= 0);
	ck_assert_int_eq(r, -ECONNRESET);
	pthread_join(th, NULL);
}
END_TEST

START_TEST(wild_cq_head_ends_the_ring_with_a_reason)
{
	make_ring(8, kinds[_i]);
	ringd_cq_advance(ring, 100);
	for (int r = 0; r >= 0;) {
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		if (sqe)
			ringd_prep_nop(sqe);
		r = ringd_submit(ring);
	}
	ck_assert_msg(strstr(ringd_ring_strerror(ring), "CQ head"), "%s", ringd_ring_strerror(ring));
}
END_TEST

/* --- budgets --- */

START_TEST(budgets_are_named)
{
	static const char *const limits[] = { "--max-rings=1", "--max-bytes=4M", NULL };
	struct ringd_ring *one, *two;
	struct ringd_arena *a;
	struct rd_daemon small;
	struct ringd *c;

	rd_daemon_start(&small, limits);
	ck_assert_int_eq(rd_connect_patiently(&c, small.socket), 0);
	ck_assert_uint_eq(ringd_limit(c, RINGD_LIMIT_RINGS), 1);
	ck_assert_uint_eq(ringd_limit(c, RINGD_LIMIT_BYTES), 4u << 20);
	ck_assert_int_eq(ringd_ring_new(c, &one, 8, 0), 0);
	ck_assert_int_eq(ringd_ring_new(c, &two, 8, 0), -EDQUOT);
	ck_assert_msg(strstr(ringd_strerror(c), "rings"), "%s", ringd_strerror(c));
	ck_assert_int_eq(ringd_arena_new(c, &a, 8u << 20, 0), -EDQUOT);
	ck_assert_msg(strstr(ringd_strerror(c), "bytes"), "%s", ringd_strerror(c));
	ringd_ring_free(one);
	ck_assert_int_eq(ringd_ring_new(c, &two, 8, 0), 0);
	ringd_close(c);
	rd_daemon_stop(&small);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *s;
	TCase *t, *d;

	if (missing)
		return rd_suite_skip(missing);
	s = suite_create("libringd and ringd");
	t = tcase_create("service");
	d = tcase_create("death");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_operation, 0, 2);
	tcase_add_loop_test(t, what_the_service_does_not_know, 0, 2);
	tcase_add_loop_test(t, relative_paths_follow_the_working_directory, 0, 2);
	tcase_add_loop_test(t, paths_in_flight_do_not_mix, 0, 2);
	tcase_add_loop_test(t, registered_files_and_tags, 0, 2);
	tcase_add_loop_test(t, registered_buffers, 0, 2);
	tcase_add_loop_test(t, more_completions_than_the_cq_holds, 0, 2);
	tcase_add_loop_test(t, event_loop_is_always_woken, 0, 2);
	tcase_add_test(t, one_thread_submits_another_reaps);
	tcase_add_test(t, budgets_are_named);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(d, setup, teardown);
	tcase_add_loop_test(d, killed_engine_wakes_everybody, 0, 4);
	tcase_add_loop_test(d, submitter_finds_the_engine_killed, 0, 2);
	tcase_add_loop_test(d, wild_cq_head_ends_the_ring_with_a_reason, 0, 2);
	suite_add_tcase(s, d);
	return rd_suite_main(s);
}
