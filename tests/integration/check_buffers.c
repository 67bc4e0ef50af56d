/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libringd with the real daemon: provided buffers, futexes shared with another process, epoll sets, children. */
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client-lib/ringd.h"
#include "tests/hostile/daemon.h"
#include "tests/unit/connect.h"
#include "tests/unit/suite.h"

#define ENTRIES	8u
#define BG	12
#define LEN	16u

static const char *const backends[] = { "sync", "uring" };
static struct rd_daemon ringd;
static struct ringd *rd;
static struct ringd_ring *ring;
static struct ringd_arena *arena;
static char *mem;
static int p[2];

static void start(int backend)
{
	const char *const args[] = { "--backend", backends[backend], NULL };

	rd_daemon_start(&ringd, args);
	ck_assert_int_eq(rd_connect_patiently(&rd, ringd.socket), 0);
	ck_assert_int_eq(ringd_arena_new(rd, &arena, 1u << 20, 0), 0);
	ck_assert_int_eq(ringd_ring_new(rd, &ring, 32, 0), 0);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(ringd_register_files(ring, p, 2), 0);
	mem = ringd_arena_base(arena);
}

static void end(void)
{
	ringd_close(rd);
	rd_daemon_expect_idle(&ringd, geteuid());
	rd_daemon_stop(&ringd);
	close(p[0]);
	close(p[1]);
}

static void expect(int32_t res, uint32_t flags)
{
	struct ringd_cqe *cqe;

	ck_assert_int_ge(ringd_submit_and_wait(ring, 1), 0);
	ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
	ck_assert_int_eq(cqe->res, res);
	ck_assert_uint_eq(cqe->flags, flags);
	ringd_cqe_seen(ring, cqe);
}

static uint32_t used(unsigned int bid)
{
	return RINGD_CQE_F_BUFFER | bid << RINGD_CQE_BUFFER_SHIFT;
}

static struct ringd_buf_ring *fill(unsigned int flags)
{
	struct ringd_buf_ring *br;
	int err = 1;

	br = ringd_setup_buf_ring(ring, ENTRIES, BG, flags, &err);
	ck_assert_msg(br, "%s", ringd_strerror(rd));
	ck_assert_int_eq(err, 0);
	ringd_buf_ring_init(br);
	for (unsigned int i = 0; i < ENTRIES; i++)
		ringd_buf_ring_add(br, mem + i * LEN, LEN, (unsigned short)(100 + i), ringd_buf_ring_mask(ENTRIES), (int)i);
	ck_assert_int_eq(ringd_buf_ring_available(ring, br, BG), 0);
	ringd_buf_ring_advance(br, ENTRIES);
	ck_assert_int_eq(ringd_buf_ring_available(ring, br, BG), ENTRIES);
	return br;
}

START_TEST(a_ring_of_the_service)
{
	struct ringd_buf_ring *br;
	struct ringd_sqe *sqe;
	uint16_t head = 0;
	int err;

	start(_i);
	br = fill(0);
	ck_assert_ptr_null(ringd_setup_buf_ring(ring, ENTRIES, BG, 0, &err));
	ck_assert_int_eq(err, -EEXIST);
	ck_assert_int_eq(write(p[1], "0123456789abcdefghij", 20), 20);
	sqe = ringd_get_sqe(ring);
	ringd_prep_read_multishot(sqe, 0, 0, 0, BG);
	sqe->flags |= RINGD_SQE_FIXED_FILE;
	expect(16, used(100) | RINGD_CQE_F_MORE);
	expect(4, used(101) | RINGD_CQE_F_MORE);
	ck_assert_mem_eq(mem, "0123456789abcdefghij", 20);
	ck_assert_int_eq(ringd_buf_ring_head(ring, BG, &head), 0);
	ck_assert_uint_eq(head, 2);
	ck_assert_int_eq(ringd_buf_ring_available(ring, br, BG), ENTRIES - 2);
	/* give one back, for as often as it takes to go round */
	for (unsigned int i = 0; i < 3 * ENTRIES; i++) {
		ringd_buf_ring_add(br, mem + i % ENTRIES * LEN, LEN, (unsigned short)(100 + i % ENTRIES), ringd_buf_ring_mask(ENTRIES), 0);
		ringd_buf_ring_advance(br, 1);
		ck_assert_int_eq(write(p[1], "x", 1), 1);
		expect(1, used(100 + (i + 2) % ENTRIES) | RINGD_CQE_F_MORE);
	}
	ck_assert_int_eq(ringd_free_buf_ring(ring, br, ENTRIES, BG), 0);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	expect(-ENOBUFS, 0);
	ck_assert_int_eq(ringd_unregister_buf_ring(ring, BG), -ENOENT);
	end();
}
END_TEST

START_TEST(a_ring_of_our_own_bytewise)
{
	struct ringd_buf_reg reg = { .ring_entries = ENTRIES, .bgid = BG, .min_left = 4 };
	struct ringd_buf_ring *br;
	struct ringd_sqe *sqe;

	start(_i);
	br = ringd_arena_alloc(arena, 4096, 4096);
	reg.ring_addr = (uintptr_t)br;
	ringd_buf_ring_init(br);
	ck_assert_int_eq(ringd_register_buf_ring(ring, &reg, RINGD_PBUF_RING_MMAP), -EINVAL);
	ck_assert_int_eq(ringd_register_buf_ring(ring, &reg, RINGD_PBUF_RING_INC), 0);
	ringd_buf_ring_add(br, mem + 65536, 10, 7, ringd_buf_ring_mask(ENTRIES), 0);
	ringd_buf_ring_advance(br, 1);
	ck_assert_int_eq(write(p[1], "abcdefghij", 10), 10);
	for (int i = 0; i < 2; i++) {
		sqe = ringd_get_sqe(ring);
		ringd_prep_read(sqe, 0, NULL, 4, 0);
		sqe->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_BUFFER_SELECT;
		sqe->buf_group = BG;
		expect(4, used(7) | (i ? 0 : RINGD_CQE_F_BUF_MORE));
	}
	ck_assert_mem_eq(mem + 65536, "abcdefgh", 8);
	ck_assert_int_eq(ringd_unregister_buf_ring(ring, BG), 0);
	end();
}
END_TEST

START_TEST(classic_buffers)
{
	start(_i);
	ringd_prep_provide_buffers(ringd_get_sqe(ring), mem, LEN, 4, BG, 1000);
	expect(0, 0);
	ringd_prep_remove_buffers(ringd_get_sqe(ring), 1, BG);
	expect(1, 0);
	ck_assert_int_eq(write(p[1], "abc", 3), 3);
	{
		struct ringd_sqe *sqe = ringd_get_sqe(ring);

		ringd_prep_read(sqe, 0, NULL, 0, 0);
		sqe->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_BUFFER_SELECT;
		sqe->buf_group = BG;
	}
	expect(3, used(1001));
	ck_assert_mem_eq(mem + LEN, "abc", 3);
	end();
}
END_TEST

START_TEST(a_child_and_the_service_share_a_word)
{
	uint32_t *word;
	pid_t pid;

	start(_i);
	word = ringd_arena_alloc(arena, 8, 8);
	word[0] = word[1] = 0;
	pid = fork();
	if (pid == 0) {
		/* waits for the service, then wakes it */
		while (!__atomic_load_n(&word[0], __ATOMIC_SEQ_CST))
			syscall(SYS_futex, &word[0], FUTEX_WAIT, 0, NULL, NULL, 0);
		__atomic_store_n(&word[1], 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &word[1], FUTEX_WAKE, 1, NULL, NULL, 0);
		_exit(0);
	}
	ringd_prep_futex_wait(ringd_get_sqe(ring), &word[1], 0, 0xffffffff, 2, 0);
	ck_assert_int_eq(ringd_submit(ring), 1);
	__atomic_store_n(&word[0], 1, __ATOMIC_SEQ_CST);
	ringd_prep_futex_wake(ringd_get_sqe(ring), &word[0], 10, 0xffffffff, 2, 0);
	ck_assert_int_eq(ringd_submit(ring), 1);
	for (int i = 0; i < 2; i++) {
		struct ringd_cqe *cqe;

		ck_assert_int_eq(ringd_wait_cqe(ring, &cqe), 0);
		ck_assert_int_ge(cqe->res, 0);
		ringd_cqe_seen(ring, cqe);
	}
	ck_assert_uint_eq(word[1], 1);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ringd_arena_release(arena, word);
	end();
}
END_TEST

START_TEST(one_of_many_words)
{
	struct futex_waitv v[3];
	uint32_t *word;

	start(_i);
	word = ringd_arena_alloc(arena, sizeof(v), 8);
	memset(word, 0, sizeof(v));
	for (int i = 0; i < 3; i++)
		v[i] = (struct futex_waitv){ .uaddr = (uintptr_t)&word[i], .flags = 2 };
	ringd_prep_futex_waitv(ring, ringd_get_sqe(ring), v, 3, 0);
	memset(v, 0xff, sizeof(v));	/* it was copied */
	ringd_prep_futex_wake(ringd_get_sqe(ring), &word[2], 1, 0xffffffff, 2, 0);
	expect(1, 0);
	expect(2, 0);
	end();
}
END_TEST

START_TEST(an_epoll_set_and_a_child)
{
	struct epoll_event *events, ev = { .events = EPOLLIN, .data.u32 = 9 };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct ringd_sqe *sqe;
	pid_t pid;

	start(_i);
	events = ringd_arena_alloc(arena, 4 * sizeof(*events), 0);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), 0);
	ck_assert_int_eq(ringd_register_files_update(ring, 1, &ep, 1), 1);
	sqe = ringd_get_sqe(ring);
	ringd_prep_epoll_wait(sqe, 1, events, 4, 0);
	sqe->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(ringd_submit(ring), 1);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	expect(1, 0);
	ck_assert_uint_eq(events[0].data.u32, 9);
	pid = fork();
	if (pid == 0)
		_exit(0);
	ringd_prep_waitid(ringd_get_sqe(ring), P_PID, (uint32_t)pid, NULL, WEXITED, 0);
	expect(-ECHILD, 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	close(ep);
	end();
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *s;
	TCase *t;

	if (missing)
		return rd_suite_skip(missing);
	s = suite_create("buffers and waits");
	t = tcase_create("service");
	tcase_add_loop_test(t, a_ring_of_the_service, 0, 2);
	tcase_add_loop_test(t, a_ring_of_our_own_bytewise, 0, 2);
	tcase_add_loop_test(t, classic_buffers, 0, 2);
	tcase_add_loop_test(t, a_child_and_the_service_share_a_word, 0, 2);
	tcase_add_loop_test(t, one_of_many_words, 0, 2);
	tcase_add_loop_test(t, an_epoll_set_and_a_child, 0, 2);
	suite_add_tcase(s, t);
	return rd_suite_main(s);
}
