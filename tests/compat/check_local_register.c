/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring_register of the in-process host: what the program's pointers and numbers mean. What the calls do is conformance's. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "localring.h"
#include "tests/unit/suite.h"

#define REGISTERED	RINGD_REGISTER_USE_REGISTERED_RING

struct iov {
	uint64_t base, len;
};

static uint64_t addr(const void *p)
{
	return (uintptr_t)p;
}

static int blind(unsigned int opcode, const void *arg, unsigned int nr)
{
	return rd_local_register((unsigned int)-1, opcode, arg, nr);
}

/* --- which ring --- */

START_TEST(numbers_that_are_no_ring)
{
	struct lr ring = { 0 };
	int null = open("/dev/null", O_RDONLY), place = open("/", O_PATH);

	ck_assert_int_eq(blind(RINGD_REGISTER_LAST, NULL, 0), -EINVAL);
	ck_assert_int_eq(blind(RINGD_UNREGISTER_FILES, NULL, 0), -EINVAL);
	ck_assert_int_eq(rd_local_register((unsigned int)null, RINGD_UNREGISTER_FILES, NULL, 0), -EOPNOTSUPP);
	lr_open(&ring, 4, 0);
	ck_assert_int_eq(rd_local_register((unsigned int)null, RINGD_UNREGISTER_FILES, NULL, 0), -EOPNOTSUPP);
	ck_assert_int_eq(rd_local_register(12345, RINGD_UNREGISTER_FILES, NULL, 0), -EBADF);
	ck_assert_int_eq(rd_local_register((unsigned int)place, RINGD_UNREGISTER_FILES, NULL, 0), -EBADF);
	ck_assert_int_eq(rd_local_enter((unsigned int)place, 0, 0, 0, NULL, 0), -EBADF);
	ck_assert_int_eq(rd_local_register(16, RINGD_UNREGISTER_FILES | REGISTERED, NULL, 0), -EINVAL);
	ck_assert_int_eq(rd_local_register(3, RINGD_UNREGISTER_FILES | REGISTERED, NULL, 0), -EBADF);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_FILES, NULL, 0), -ENXIO);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_FILES, NULL, 1), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BPF_FILTER, &ring, 1), -EINVAL);
	lr_close(&ring);
	ck_assert_int_eq(rd_local_register((unsigned int)null, RINGD_UNREGISTER_FILES, NULL, 0), -EOPNOTSUPP);
}
END_TEST

START_TEST(a_bad_address_is_an_error_and_no_signal)
{
	struct ringd_probe probe = { 0 };
	struct lr ring = { 0 };
	void *bad = lr_bad_page();
	static const struct {
		unsigned int opcode, nr;
	} calls[] = {
		{ RINGD_REGISTER_EVENTFD, 1 }, { RINGD_REGISTER_PROBE, 65 }, { RINGD_REGISTER_FILES, 3 },
		{ RINGD_REGISTER_FILES2, 32 }, { RINGD_REGISTER_BUFFERS, 2 }, { RINGD_REGISTER_BUFFERS2, 32 },
		{ RINGD_REGISTER_IOWQ_AFF, 8 }, { RINGD_REGISTER_IOWQ_MAX_WORKERS, 2 }, { RINGD_REGISTER_RING_FDS, 1 },
		{ RINGD_UNREGISTER_RING_FDS, 1 }, { RINGD_REGISTER_PBUF_RING, 1 }, { RINGD_UNREGISTER_PBUF_RING, 1 },
		{ RINGD_REGISTER_SYNC_CANCEL, 1 }, { RINGD_REGISTER_FILE_ALLOC_RANGE, 0 }, { RINGD_REGISTER_PBUF_STATUS, 1 },
		{ RINGD_REGISTER_NAPI, 1 }, { RINGD_REGISTER_CLOCK, 0 }, { RINGD_REGISTER_CLONE_BUFFERS, 1 },
		{ RINGD_REGISTER_ZCRX_IFQ, 1 }, { RINGD_REGISTER_RESIZE_RINGS, 1 }, { RINGD_REGISTER_MEM_REGION, 1 },
		{ RINGD_REGISTER_QUERY, 0 }, { RINGD_REGISTER_ZCRX_CTRL, 0 }, { RINGD_REGISTER_FILES_UPDATE, 1 },
		{ RINGD_REGISTER_FILES_UPDATE2, 32 }, { RINGD_REGISTER_BUFFERS_UPDATE, 32 },
	};

	lr_open(&ring, 4, RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		ck_assert_msg(lr_register(&ring, calls[i].opcode, bad, calls[i].nr) == -EFAULT, "opcode %u", calls[i].opcode);
	ck_assert_int_eq(blind(RINGD_REGISTER_SEND_MSG_RING, bad, 1), -EFAULT);
	/* what can be read and not be written */
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PROBE, &probe, 0), 0);
	lr_close(&ring);
}
END_TEST

START_TEST(errno_stays_as_it_is)
{
	struct lr ring = { 0 };

	lr_open(&ring, 4, 0);
	errno = 12345;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PROBE, lr_bad_page(), 4), -EFAULT);
	ck_assert_int_eq(rd_local_register(12345, RINGD_UNREGISTER_FILES, NULL, 0), -EBADF);
	ck_assert_int_eq(errno, 12345);
	lr_close(&ring);
}
END_TEST

/* --- files --- */

START_TEST(files_are_the_programs_numbers)
{
	struct lr ring = { 0 };
	int p[2], list[3] = { -1, 0, -1 };
	char byte = 0;

	ck_assert_int_eq(pipe(p), 0);
	lr_open(&ring, 4, 0);
	list[1] = p[0];
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, NULL, 3), -EFAULT);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 0), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 1u << 30), -EMFILE);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 3), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, NULL, 3), -EFAULT);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 3), -EBUSY);
	close(p[0]);
	ck_assert_int_eq(write(p[1], "x", 1), 1);
	lr_sqe(&ring, RINGD_OP_READ, 1, addr(&byte), 1, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(lr_run(&ring), 1);
	ck_assert_int_eq(byte, 'x');
	/* nobody reads the pipe any more as soon as the table is gone */
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_FILES, NULL, 0), 0);
	ck_assert_int_eq(write(p[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	lr_close(&ring);
}
END_TEST

START_TEST(files_that_cannot_be_had)
{
	struct lr ring = { 0 }, other = { 0 };
	int path = open("/", O_PATH), null = open("/dev/null", O_RDWR), list[3] = { null, 0, null };
	int *cut;

	lr_open(&ring, 4, 0);
	lr_open(&other, 4, 0);
	list[1] = path;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 3), -EBADF);
	list[1] = other.fd;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 3), -EBADF);
	list[1] = 54321;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, list, 3), -EBADF);
	list[1] = null;
	cut = lr_at_the_end(list, sizeof(list));
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, cut, 4), -EFAULT);
	cut[2] = -7;	/* comes before what cannot be read */
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, cut, 4), -EBADF);
	cut[2] = 54321;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, cut, 4), -EBADF);
	cut[2] = -1;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES, cut, 3), 0);
	lr_close(&ring);
	lr_close(&other);
}
END_TEST

START_TEST(an_update_goes_as_far_as_it_can)
{
	struct lr ring = { 0 };
	int null = open("/dev/null", O_RDWR), list[4] = { null, null, -2, null };
	struct ringd_files_update up = { .fds = addr(lr_at_the_end(list, sizeof(list))) };
	struct ringd_rsrc_update2 up2 = { .data = addr(list), .nr = 4 };
	struct ringd_rsrc_register rr = { .nr = 8, .flags = RINGD_RSRC_REGISTER_SPARSE };
	uint64_t tags[2] = { 7, 8 };

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE, &up, 1), -ENXIO);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES2, &rr, 31), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES2, &rr, sizeof(rr)), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE, &up, 0), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE, &up, 6), 4);
	up.offset = 5;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE, &up, 4), -EINVAL);
	up.offset = UINT32_MAX;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE, &up, 4), -EOVERFLOW);
	up2.tags = addr(lr_at_the_end(tags, sizeof(tags)));
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE2, &up2, sizeof(up2)), 2);
	up2.tags = addr(lr_bad_page());
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE2, &up2, sizeof(up2)), -EFAULT);
	list[0] = -1;
	up2.tags = 0;
	up2.nr = 1;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_FILES_UPDATE2, &up2, sizeof(up2)), 1);
	ck_assert_uint_eq(lr_cqe(&ring).user_data, 7);
	lr_close(&ring);
}
END_TEST

/* --- buffers --- */

START_TEST(buffers_are_the_programs_memory)
{
	struct lr ring = { 0 };
	char *mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iov list[2] = { { addr(mem), 8192 }, { 0, 0 } };
	int p[2];

	ck_assert_int_eq(pipe(p), 0);
	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, NULL, 2), -EFAULT);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, list, 0), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, list, 16385), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, lr_at_the_end(list, sizeof(list)), 3), -EFAULT);
	list[1] = (struct iov){ addr(lr_bad_page()), 4096 };
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, list, 2), -EFAULT);
	list[1] = (struct iov){ addr(ro), 4096 };
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, list, 2), -EFAULT);
	list[1] = (struct iov){ 0 };
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, list, 2), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS, list, 2), -EBUSY);
	ck_assert_int_eq(write(p[1], "hello", 5), 5);
	lr_sqe(&ring, RINGD_OP_READ_FIXED, p[0], addr(mem + 100), 5, 0);
	ck_assert_int_eq(lr_run(&ring), 5);
	ck_assert_mem_eq(mem + 100, "hello", 5);
	lr_sqe(&ring, RINGD_OP_READ_FIXED, p[0], addr(mem + 8190), 5, 0);
	ck_assert_int_eq(lr_run(&ring), -EFAULT);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_BUFFERS, NULL, 0), -ENXIO);
	lr_close(&ring);
}
END_TEST

START_TEST(buffers_with_tags)
{
	struct lr ring = { 0 };
	static char mem[2][64];
	struct iov list[2] = { { addr(mem[0]), 64 }, { addr(mem[1]), 64 } };
	uint64_t tags[2] = { 0, 42 };
	struct ringd_rsrc_register rr = { .nr = 2, .data = addr(list), .tags = addr(tags) };
	struct ringd_rsrc_update2 up = { .offset = 1, .data = addr(lr_at_the_end(list, sizeof(list[0]))), .nr = 1 };

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS2, &rr, sizeof(rr)), 0);
	up.nr = 2;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), -EINVAL);
	up.nr = 1;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), 1);
	ck_assert_uint_eq(lr_cqe(&ring).user_data, 42);
	up.offset = 0;
	up.nr = 2;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), 1);
	up.data = 0;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS_UPDATE, &up, sizeof(up)), -EFAULT);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	/* tags of holes; a list of nothing is one of holes, too */
	rr = (struct ringd_rsrc_register){ .nr = 2, .tags = addr(tags) };
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS2, &rr, sizeof(rr)), -EINVAL);
	tags[1] = 0;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_BUFFERS2, &rr, sizeof(rr)), 0);
	lr_close(&ring);
}
END_TEST

START_TEST(buffers_of_another_ring)
{
	struct lr a = { 0 }, b = { 0 };
	static char mem[64];
	struct iov list = { addr(mem), sizeof(mem) };
	struct ringd_clone_buffers c = { 0 };
	struct ringd_rsrc_update reg = { .offset = 4 };

	lr_open(&a, 4, 0);
	lr_open(&b, 4, 0);
	c.src_fd = (uint32_t)a.fd;
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_CLONE_BUFFERS, &c, 1), -ENXIO);
	ck_assert_int_eq(lr_register(&a, RINGD_REGISTER_BUFFERS, &list, 1), 0);
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_CLONE_BUFFERS, &c, 1), 0);
	c.src_fd = 12345;
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_CLONE_BUFFERS, &c, 1), -EBUSY);
	ck_assert_int_eq(lr_register(&b, RINGD_UNREGISTER_BUFFERS, NULL, 0), 0);
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_CLONE_BUFFERS, &c, 1), -EBADF);
	c.src_fd = (uint32_t)open("/dev/null", O_RDONLY);
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_CLONE_BUFFERS, &c, 1), -EOPNOTSUPP);
	reg.data = (uint64_t)a.fd;
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_RING_FDS, &reg, 1), 1);
	c = (struct ringd_clone_buffers){ .src_fd = 4, .flags = RINGD_REGISTER_SRC_REGISTERED };
	ck_assert_int_eq(lr_register(&b, RINGD_REGISTER_CLONE_BUFFERS, &c, 1), 0);
	lr_close(&a);
	lr_close(&b);
}
END_TEST

/* --- eventfd --- */

START_TEST(an_eventfd_of_the_program)
{
	struct lr ring = { 0 };
	int efd = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDONLY), gone = 12345;
	uint64_t n = 0;

	lr_open(&ring, 4, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_EVENTFD, &efd, 2), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_EVENTFD, &null, 1), -EINVAL);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_EVENTFD, &gone, 1), -EBADF);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_EVENTFD, &efd, 1), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_EVENTFD, lr_bad_page(), 1), -EBUSY);
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 1);
	ck_assert_int_eq(lr_run(&ring), 0);
	ck_assert_int_eq(read(efd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_EVENTFD, NULL, 0), 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_EVENTFD, NULL, 0), -ENXIO);
	lr_close(&ring);
}
END_TEST

/* --- threads --- */

static void *register_elsewhere(void *arg)
{
	return (void *)(intptr_t)lr_register(arg, RINGD_UNREGISTER_FILES, NULL, 0);
}

static int elsewhere(void *(*fn)(void *arg), struct lr *ring)
{
	pthread_t t;
	void *r;

	ck_assert_int_eq(pthread_create(&t, NULL, fn, ring), 0);
	ck_assert_int_eq(pthread_join(t, &r), 0);
	return (int)(intptr_t)r;
}

static void *enable_elsewhere(void *arg)
{
	return (void *)(intptr_t)lr_register(arg, RINGD_REGISTER_ENABLE_RINGS, NULL, 0);
}

START_TEST(a_ring_of_one_thread)
{
	struct lr ring = { 0 }, late = { 0 };

	lr_open(&ring, 4, RINGD_SETUP_SINGLE_ISSUER);
	ck_assert_int_eq(elsewhere(register_elsewhere, &ring), -EEXIST);
	ck_assert_int_eq(lr_register(&ring, RINGD_UNREGISTER_FILES, NULL, 0), -ENXIO);
	lr_open(&late, 4, RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_R_DISABLED);
	ck_assert_int_eq(elsewhere(register_elsewhere, &late), -ENXIO);
	ck_assert_int_eq(elsewhere(enable_elsewhere, &late), 0);
	ck_assert_int_eq(lr_register(&late, RINGD_UNREGISTER_FILES, NULL, 0), -EEXIST);
	lr_close(&ring);
	lr_close(&late);
}
END_TEST

static void *slot_elsewhere(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)rd_local_register(5, RINGD_UNREGISTER_FILES | REGISTERED, NULL, 0);
}

START_TEST(slots_are_a_threads_own)
{
	struct lr ring = { 0 };
	struct ringd_rsrc_update up[2] = { { .offset = 5 }, { .offset = UINT32_MAX } };
	int r;

	lr_open(&ring, 4, 0);
	up[0].data = (uint64_t)ring.fd;
	up[1].data = 12345;
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RING_FDS, up, 2), 1);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RING_FDS, &up[1], 1), -EBADF);
	up[1].data = (uint64_t)open("/dev/null", O_RDONLY);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RING_FDS, &up[1], 1), -EOPNOTSUPP);
	r = elsewhere(slot_elsewhere, &ring);
	ck_assert(r == -EBADF || r == -EINVAL);
	lr_close(&ring);
	/* the slot has the ring still */
	ck_assert_int_eq(rd_local_register(5, RINGD_UNREGISTER_FILES | REGISTERED, NULL, 0), -ENXIO);
	ck_assert_int_eq(rd_local_enter(5, 0, 0, RINGD_ENTER_REGISTERED_RING, NULL, 0), 0);
	up[0].data = 0;
	ck_assert_int_eq(rd_local_register(5, RINGD_UNREGISTER_RING_FDS | REGISTERED, up, 1), 1);
	ck_assert_int_eq(rd_local_register(5, RINGD_UNREGISTER_FILES | REGISTERED, NULL, 0), -EBADF);
}
END_TEST

START_TEST(what_is_reserved_in_a_restriction_is_not_looked_at)
{
	struct ringd_restriction list[] = {
		{ .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP, .resv = 1, .resv2 = { 2, 3, 4 } },
	};
	struct lr ring = { 0 };

	lr_open(&ring, 4, RINGD_SETUP_R_DISABLED);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_RESTRICTIONS, list, 1), 0);
	lr_close(&ring);
}
END_TEST

START_TEST(a_task_restricts_its_later_rings)
{
	struct {
		struct ringd_task_restriction head;
		struct ringd_restriction list[1];
	} set = { .head = { .nr_res = 1 }, .list = { { .opcode = RINGD_RESTRICTION_SQE_OP, .sqe_op = RINGD_OP_NOP } } };
	struct lr before = { 0 }, after = { 0 };

	lr_open(&before, 4, 0);
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(blind(RINGD_REGISTER_RESTRICTIONS, &set, 0), -EINVAL);
	ck_assert_int_eq(blind(RINGD_REGISTER_RESTRICTIONS, lr_at_the_end(&set, sizeof(set.head)), 1), -EFAULT);
	ck_assert_int_eq(blind(RINGD_REGISTER_RESTRICTIONS, &set, 1), 0);
	ck_assert_int_eq(blind(RINGD_REGISTER_RESTRICTIONS, &set, 1), -EPERM);
	lr_open(&after, 4, 0);
	lr_sqe(&after, RINGD_OP_SYNC_FILE_RANGE, -1, 0, 0, 0);
	ck_assert_int_eq(lr_run(&after), -EACCES);
	lr_sqe(&after, RINGD_OP_NOP, -1, 0, 0, 0);
	ck_assert_int_eq(lr_run(&after), 0);
	lr_sqe(&before, RINGD_OP_SYNC_FILE_RANGE, -1, 0, 0, 0);
	ck_assert_int_eq(lr_run(&before), -EBADF);
	lr_close(&before);
	lr_close(&after);
}
END_TEST

static void *become_somebody(void *arg)
{
	struct lr *ring = arg;

	/* of this thread only */
	ck_assert_int_eq(syscall(SYS_setresuid, 12001, 12001, 0), 0);
	lr_sqe(ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 1;
	ck_assert_int_eq(lr_run(ring), -EPERM);
	ck_assert_int_eq(lr_register(ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 2);
	lr_sqe(ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 2;
	ck_assert_int_eq(lr_run(ring), 0);
	return NULL;
}

START_TEST(nobody_is_who_he_was_before)
{
	struct lr ring = { 0 };

	lr_open(&ring, 8, 0);
	ck_assert_int_eq(lr_register(&ring, RINGD_REGISTER_PERSONALITY, NULL, 0), 1);
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 1;
	ck_assert_int_eq(lr_run(&ring), 0);
	if (geteuid() == 0) {
		elsewhere(become_somebody, &ring);
		lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 2;
		ck_assert_int_eq(lr_run(&ring), -EPERM);
	}
	lr_sqe(&ring, RINGD_OP_NOP, -1, 0, 0, 0)->personality = 1;
	ck_assert_int_eq(lr_run(&ring), 0);
	lr_close(&ring);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("local register");
	TCase *tc = tcase_create("calls");

	tcase_add_test(tc, numbers_that_are_no_ring);
	tcase_add_test(tc, a_bad_address_is_an_error_and_no_signal);
	tcase_add_test(tc, errno_stays_as_it_is);
	tcase_add_test(tc, files_are_the_programs_numbers);
	tcase_add_test(tc, files_that_cannot_be_had);
	tcase_add_test(tc, an_update_goes_as_far_as_it_can);
	tcase_add_test(tc, buffers_are_the_programs_memory);
	tcase_add_test(tc, buffers_with_tags);
	tcase_add_test(tc, buffers_of_another_ring);
	tcase_add_test(tc, an_eventfd_of_the_program);
	tcase_add_test(tc, a_ring_of_one_thread);
	tcase_add_test(tc, slots_are_a_threads_own);
	tcase_add_test(tc, what_is_reserved_in_a_restriction_is_not_looked_at);
	tcase_add_test(tc, a_task_restricts_its_later_rings);
	tcase_add_test(tc, nobody_is_who_he_was_before);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
