/* SPDX-License-Identifier: GPL-2.0-or-later */
/* READ, WRITE, READV, WRITEV, READ_FIXED, WRITE_FIXED on regular files, with every back end of this machine. */
#include <fcntl.h>
#include <linux/capability.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "daemon/common/util.h"
#include "suite.h"
#include "testhost.h"

static const unsigned int backends[] = { RD_BACKEND_SYNC, RD_BACKEND_URING };
static struct rd_testhost th;
static struct rd_testclient c;
static char dir[] = "/tmp/ringd-rw-XXXXXX";
static int disk = -1, shmem = -1;	/* "0123456789abcdef" each */
static char *buf;			/* 64 KiB of client memory */

#define TEXT "0123456789abcdef"
#define BUF_SIZE 65536

static void setup_backend(unsigned int backend)
{
	rd_th_init(&th, backend);
	rd_tc_open(&c, &th, 64, RINGD_SETUP_SUBMIT_ALL);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	disk = openat(AT_FDCWD, dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	shmem = memfd_create("t", MFD_CLOEXEC);
	ck_assert_int_ge(disk, 0);
	ck_assert_int_eq(pwrite(disk, TEXT, 16, 0), 16);
	ck_assert_int_eq(pwrite(shmem, TEXT, 16, 0), 16);
	buf = rd_th_alloc(&th, BUF_SIZE);
}

static void teardown(void)
{
	rd_tc_close(&c);
	rd_th_deinit(&th);
	close(disk);
	close(shmem);
	rmdir(dir);
}

static struct ringd_sqe *rw(uint8_t opcode, int fd, const void *addr, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&c, opcode);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)addr;
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

static int32_t do_read(int fd, uint32_t len, uint64_t off)
{
	memset(buf, '.', 64);
	rw(RINGD_OP_READ, fd, buf, len, off);
	return rd_tc_run(&c);
}

static int32_t do_write(int fd, const char *text, uint64_t off)
{
	memcpy(buf, text, strlen(text));
	rw(RINGD_OP_WRITE, fd, buf, (uint32_t)strlen(text), off);
	return rd_tc_run(&c);
}

static void assert_content(int fd, const char *expect)
{
	char got[256];
	ssize_t n = pread(fd, got, sizeof(got) - 1, 0);

	ck_assert_int_ge(n, 0);
	got[n] = 0;
	ck_assert_str_eq(got, expect);
}

/* --- position and length --- */

START_TEST(reads_are_positional)
{
	setup_backend(backends[_i]);
	for (int i = 0; i < 2; i++) {
		int fd = i ? shmem : disk;

		ck_assert_int_eq(lseek(fd, 3, SEEK_SET), 3);
		ck_assert_int_eq(do_read(fd, 4, 10), 4);
		ck_assert_mem_eq(buf, "abcd.", 5);
		ck_assert_int_eq(do_read(fd, 64, 10), 6);	/* to the end of the file */
		ck_assert_mem_eq(buf, "abcdef.", 7);
		ck_assert_int_eq(do_read(fd, 64, 16), 0);
		ck_assert_int_eq(do_read(fd, 64, 1 << 20), 0);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 3);
	}
	teardown();
}
END_TEST

START_TEST(minus_one_is_the_file_position)
{
	setup_backend(backends[_i]);
	for (int i = 0; i < 2; i++) {
		int fd = i ? shmem : disk;

		ck_assert_int_eq(lseek(fd, 2, SEEK_SET), 2);
		ck_assert_int_eq(do_read(fd, 3, UINT64_MAX), 3);
		ck_assert_mem_eq(buf, "234.", 4);
		ck_assert_int_eq(do_read(fd, 3, UINT64_MAX), 3);
		ck_assert_mem_eq(buf, "567.", 4);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 8);
		ck_assert_int_eq(do_write(fd, "XY", UINT64_MAX), 2);
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 10);
		ck_assert_int_eq(do_read(fd, 64, UINT64_MAX), 6);
		ck_assert_int_eq(do_read(fd, 64, UINT64_MAX), 0);
		assert_content(fd, "01234567XYabcdef");
	}
	teardown();
}
END_TEST

START_TEST(other_negative_offsets_are_einval)
{
	static const int64_t offs[] = { -2, INT64_MIN, -4096 };

	setup_backend(backends[_i]);
	for (size_t i = 0; i < RD_ARRAY_SIZE(offs); i++) {
		ck_assert_int_eq(do_read(disk, 4, (uint64_t)offs[i]), -EINVAL);
		ck_assert_int_eq(do_write(disk, "x", (uint64_t)offs[i]), -EINVAL);
	}
	ck_assert_int_lt(do_write(disk, "xx", INT64_MAX), 0);
	assert_content(disk, TEXT);
	teardown();
}
END_TEST

START_TEST(writes_land_where_they_should)
{
	setup_backend(backends[_i]);
	for (int i = 0; i < 2; i++) {
		int fd = i ? shmem : disk;

		ck_assert_int_eq(do_write(fd, "HELLO", 4), 5);
		assert_content(fd, "0123HELLO9abcdef");
		ck_assert_int_eq(do_write(fd, "ghi", 16), 3);
		assert_content(fd, "0123HELLO9abcdefghi");
	}
	teardown();
}
END_TEST

START_TEST(length_zero_touches_no_memory)
{
	int ro, wo;

	setup_backend(backends[_i]);
	ro = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	wo = open("/dev/null", O_WRONLY | O_CLOEXEC);
	rw(RINGD_OP_READ, disk, (void *)8, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	rw(RINGD_OP_WRITE, disk, (void *)8, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	rw(RINGD_OP_READV, disk, (void *)8, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	ck_assert_uint_eq(th.maps, 0);
	rw(RINGD_OP_READ, wo, (void *)8, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	rw(RINGD_OP_WRITE, ro, (void *)8, 0, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);
	close(ro);
	close(wo);
	teardown();
}
END_TEST

START_TEST(memory_of_nobody_is_efault)
{
	char *end;

	setup_backend(backends[_i]);
	end = th.arena + RD_TH_ARENA;
	rw(RINGD_OP_READ, disk, (void *)8, 4, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	rw(RINGD_OP_READ, disk, end - 3, 4, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	rw(RINGD_OP_READ, disk, th.arena - 1, 4, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	rw(RINGD_OP_WRITE, disk, (void *)UINTPTR_MAX, UINT32_MAX, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	rw(RINGD_OP_READ, disk, end - 4, 4, 0);
	ck_assert_int_eq(rd_tc_run(&c), 4);
	ck_assert_mem_eq(end - 4, "0123", 4);
	teardown();
}
END_TEST

START_TEST(the_file_is_checked_first)
{
	int wo, path, dirfd, ep, ro;

	setup_backend(backends[_i]);
	wo = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ro = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	path = open(dir, O_PATH | O_CLOEXEC);
	dirfd = open(dir, O_RDONLY | O_CLOEXEC);
	ep = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_eq(do_read(-1, 4, 0), -EBADF);
	ck_assert_int_eq(do_read(wo, 4, 0), -EBADF);
	ck_assert_int_eq(do_write(ro, "x", 0), -EBADF);
	ck_assert_int_eq(do_read(path, 4, 0), -EBADF);
	ck_assert_int_eq(do_read(dirfd, 4, 0), -EISDIR);
	ck_assert_int_eq(do_write(dirfd, "x", 0), -EBADF);
	ck_assert_int_eq(do_read(ep, 4, 0), -EINVAL);
	rw(RINGD_OP_READ, 0, buf, 4, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), -EBADF);		/* no table */
	rd_tc_files(&c, 4);
	rd_tc_file(&c, 2, disk, 0);
	for (int slot = -1; slot < 5; slot++) {
		rw(RINGD_OP_READ, slot, (void *)8, 4, 0)->flags = RINGD_SQE_FIXED_FILE;
		ck_assert_int_eq(rd_tc_run(&c), slot == 2 ? -EFAULT : -EBADF);
	}
	rw(RINGD_OP_READ, 2, buf, 4, 0)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_run(&c), 4);
	close(wo);
	close(ro);
	close(path);
	close(dirfd);
	close(ep);
	teardown();
}
END_TEST

/* --- vectors --- */

static struct iovec *vector(unsigned int n)
{
	return rd_th_alloc(&th, n * sizeof(struct iovec));
}

START_TEST(segments_are_filled_in_order)
{
	struct iovec *v;

	setup_backend(backends[_i]);
	v = vector(4);
	v[0] = (struct iovec){ buf, 3 };
	v[1] = (struct iovec){ (void *)8, 0 };	/* nobody looks at it */
	v[2] = (struct iovec){ buf + 100, 5 };
	v[3] = (struct iovec){ buf + 200, 100 };
	for (int i = 0; i < 2; i++) {
		int fd = i ? shmem : disk;

		memset(buf, '.', 400);
		rw(RINGD_OP_READV, fd, v, 4, 1);
		ck_assert_int_eq(rd_tc_run(&c), 15);
		ck_assert_mem_eq(buf, "123.", 4);
		ck_assert_mem_eq(buf + 100, "45678.", 6);
		ck_assert_mem_eq(buf + 200, "9abcdef.", 8);
		ck_assert_uint_eq(v[0].iov_len, 3);	/* the client's array is only read */
		rw(RINGD_OP_WRITEV, fd, v, 3, 4);
		ck_assert_int_eq(rd_tc_run(&c), 8);
		assert_content(fd, "012312345678cdef");
		rw(RINGD_OP_READV, fd, &v[2], 1, 12);
		ck_assert_int_eq(rd_tc_run(&c), 4);
		ck_assert_mem_eq(buf + 100, "cdef8.", 6);
	}
	teardown();
}
END_TEST

START_TEST(bad_vectors_have_their_errnos)
{
	struct iovec *v;

	setup_backend(backends[_i]);
	v = vector(1025);
	for (unsigned int i = 0; i < 1025; i++)
		v[i] = (struct iovec){ buf + i, 1 };
	rw(RINGD_OP_READV, disk, v, 1025, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	rw(RINGD_OP_WRITEV, disk, v, UINT32_MAX, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	rw(RINGD_OP_READV, disk, v, 1024, 0);
	ck_assert_int_eq(rd_tc_run(&c), 16);
	rw(RINGD_OP_READV, disk, (void *)8, 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	rw(RINGD_OP_READV, disk, th.arena + RD_TH_ARENA - 24, 2, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	for (unsigned int n = 1; n <= 2; n++) {
		v[n - 1].iov_len = (size_t)SSIZE_MAX + 1;
		rw(RINGD_OP_READV, disk, v, n, 0);
		ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
		v[n - 1].iov_len = SSIZE_MAX;		/* cut off at the largest transfer, which is no client memory */
		rw(RINGD_OP_READV, disk, v, n, 0);
		ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
		v[n - 1].iov_len = 1;
	}
	v[1].iov_base = (void *)8;
	rw(RINGD_OP_WRITEV, disk, v, 3, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EFAULT);
	assert_content(disk, TEXT);
	teardown();
}
END_TEST

START_TEST(what_is_beyond_the_largest_transfer_is_cut_off)
{
	struct iovec *v;

	setup_backend(backends[_i]);
	ck_assert_int_eq(ftruncate(shmem, (off_t)5 << 30), 0);	/* nearly all hole */
	/* 1024 segments of 4 MiB: together 4 GiB of the same memory */
	v = vector(1024);
	for (unsigned int i = 0; i < 1024; i++)
		v[i] = (struct iovec){ th.arena + (8u << 20), 4u << 20 };
	rw(RINGD_OP_READV, shmem, v, 1024, 0);
	ck_assert_int_eq(rd_tc_run(&c), 0x7ffff000);
	teardown();
}
END_TEST

START_TEST(staged_vectors_are_charged)
{
	struct iovec *v;

	setup_backend(backends[_i]);
	v = vector(8);
	for (unsigned int i = 0; i < 8; i++)
		v[i] = (struct iovec){ buf + i, 1 };
	th.engine.user.limit[RINGD_LIMIT_OBJECTS] = 1;
	rw(RINGD_OP_READV, disk, v, 8, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EDQUOT);
	rw(RINGD_OP_READV, disk, v, 1, 0);
	ck_assert_int_eq(rd_tc_run(&c), 1);
	teardown();
}
END_TEST

/* --- registered buffers --- */

static int32_t fixed(uint8_t opcode, uint16_t index, const char *addr, uint32_t len)
{
	rw(opcode, disk, addr, len, 0)->buf_index = index;
	return rd_tc_run(&c);
}

START_TEST(registered_buffers_are_used_by_address)
{
	setup_backend(backends[_i]);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 0, buf, 4), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 0, buf, 0), -EFAULT);
	rd_tc_bufs(&c, 3);
	rd_tc_buf(&c, 1, buf + 4096, 4096, 0);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 0, buf + 4096, 4), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 3, buf + 4096, 4), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, UINT16_MAX, buf + 4096, 4), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 1, buf + 4095, 4), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 1, buf + 8192 - 3, 4), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 1, buf + 4096, UINT32_MAX), -EFAULT);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 1, buf + 4096, 0), 0);
	ck_assert_int_eq(fixed(RINGD_OP_READ_FIXED, 1, buf + 8192 - 4, 4), 4);
	ck_assert_mem_eq(buf + 8192 - 4, "0123", 4);
	memcpy(buf + 5000, "ZZ", 2);
	ck_assert_int_eq(fixed(RINGD_OP_WRITE_FIXED, 1, buf + 5000, 2), 2);
	assert_content(disk, "ZZ23456789abcdef");
	teardown();
}
END_TEST

/* --- flags --- */

/* slot: disk or shmem */
static int32_t with_flags(uint8_t opcode, int slot, uint32_t rwf, uint64_t off)
{
	struct ringd_sqe *sqe = rw(opcode, slot, buf, 2, off);

	memcpy(buf, "++", 2);
	sqe->rw_flags = rwf;
	sqe->flags = RINGD_SQE_FIXED_FILE;
	return rd_tc_run(&c);
}

#define DISK 0
#define SHMEM 1

static void register_both(void)
{
	rd_tc_files(&c, 2);
	rd_tc_file(&c, DISK, disk, 0);
	rd_tc_file(&c, SHMEM, shmem, 0);
}

START_TEST(rwf_flags_do_what_they_say)
{
	uint64_t before;

	setup_backend(backends[_i]);
	register_both();
	ck_assert_int_eq(with_flags(RINGD_OP_READ, DISK, 0x1, 0), -EINVAL);
	ck_assert_int_eq(with_flags(RINGD_OP_READ, DISK, 0x200, 0), -EOPNOTSUPP);
	ck_assert_int_eq(with_flags(RINGD_OP_READ, DISK, 0x80000000, 0), -EOPNOTSUPP);
	ck_assert_int_eq(with_flags(RINGD_OP_WRITE, DISK, 0x30, 0), -EINVAL);
	ck_assert_int_eq(with_flags(RINGD_OP_READ, DISK, 0x40, 0), -EOPNOTSUPP);	/* ATOMIC is for writes */
	ck_assert_int_eq(with_flags(RINGD_OP_WRITE, DISK, 0x2, 0), 2);
	ck_assert_int_eq(with_flags(RINGD_OP_WRITE, DISK, 0x4, 0), 2);
	ck_assert_int_eq(with_flags(RINGD_OP_WRITE, DISK, 0x100, 0), 2);		/* NOSIGNAL */
	ck_assert_int_eq(with_flags(RINGD_OP_READ, DISK, 0x8, 4), 2);			/* NOWAIT, cached */
	ck_assert_mem_eq(buf, "45", 2);
	ck_assert_int_eq(with_flags(RINGD_OP_WRITE, DISK, 0x10, 0), 2);			/* APPEND */
	assert_content(disk, "++23456789abcdef++");
	/* the first refused flag must not have made the file one without NOWAIT */
	before = th.engine.stats.punted + th.engine.stats.uring;
	ck_assert_int_eq(with_flags(RINGD_OP_READ, DISK, 0, 0), 2);
	ck_assert_uint_eq(th.engine.stats.punted + th.engine.stats.uring, before);
	teardown();
}
END_TEST

START_TEST(nowait_is_never_carried_on_elsewhere)
{
	struct iovec v = { buf, 2 };
	ssize_t n;

	setup_backend(backends[_i]);
	register_both();
	v.iov_base = buf;
	for (int i = 0; i < 2; i++) {
		n = preadv2(shmem, &v, 1, 0, RWF_NOWAIT);
		ck_assert_int_eq(with_flags(RINGD_OP_READ, SHMEM, 0x8, 0), n < 0 ? -errno : n);
		n = pwritev2(disk, &v, 1, 0, RWF_NOWAIT);
		ck_assert_int_eq(with_flags(RINGD_OP_WRITE, DISK, 0x8, 0), n < 0 ? -errno : n);
	}
	ck_assert_uint_eq(th.engine.stats.punted + th.engine.stats.uring, 0);
	teardown();
}
END_TEST

START_TEST(o_append_goes_to_the_end)
{
	int fd;

	setup_backend(backends[_i]);
	ck_assert_int_eq(fcntl(disk, F_SETFL, O_APPEND), 0);
	fd = disk;
	ck_assert_int_eq(do_write(fd, "A", 3), 1);
	ck_assert_int_eq(lseek(fd, 5, SEEK_SET), 5);
	ck_assert_int_eq(do_write(fd, "B", UINT64_MAX), 1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 18);
	assert_content(fd, TEXT "AB");
	teardown();
}
END_TEST

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
}

START_TEST(io_priorities_are_checked)
{
	static const struct {
		uint16_t ioprio;
		int32_t res;
	} t[] = {
		{ 0, 2 }, { 1, -EINVAL }, { 1 << 13, -EPERM }, { 1 << 13 | 4, -EPERM }, { 2 << 13, 2 }, { 2 << 13 | 7, 2 },
		{ 3 << 13, 2 }, { 3 << 13 | 5, 2 }, { 4 << 13, -EINVAL }, { 7 << 13, -EINVAL },
	};

	setup_backend(backends[_i]);
	drop_capabilities();
	for (size_t i = 0; i < RD_ARRAY_SIZE(t); i++) {
		for (int async = 0; async < 2; async++) {
			struct ringd_sqe *sqe = rw(RINGD_OP_READ, disk, buf, 2, 0);

			sqe->ioprio = t[i].ioprio;
			sqe->flags = async ? RINGD_SQE_ASYNC : 0;
			ck_assert_int_eq(rd_tc_run(&c), t[i].res);
		}
	}
	teardown();
}
END_TEST

START_TEST(attributes_are_read_and_refused)
{
	struct ringd_attr_pi *pi;
	struct ringd_sqe *sqe;

	setup_backend(backends[_i]);
	pi = rd_th_alloc(&th, sizeof(*pi));
	rw(RINGD_OP_READ, disk, buf, 2, 0)->attr_ptr = 1;	/* no mask: not looked at */
	ck_assert_int_eq(rd_tc_run(&c), 2);
	for (int i = 0; i < 4; i++) {
		sqe = rw(RINGD_OP_READ, disk, buf, 2, 0);
		sqe->attr_type_mask = i == 0 ? 2 : RINGD_RW_ATTR_FLAG_PI;
		sqe->attr_ptr = i == 1 ? 8 : (uintptr_t)pi;
		pi->rsvd = i == 2;
		ck_assert_int_eq(rd_tc_run(&c), i == 1 ? -EFAULT : -EINVAL);
	}
	teardown();
}
END_TEST

START_TEST(no_buffer_group_is_enobufs)
{
	struct iovec *v;

	setup_backend(backends[_i]);
	v = vector(2);
	v[0] = v[1] = (struct iovec){ NULL, 8 };
	rw(RINGD_OP_READ, disk, NULL, 0, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -ENOBUFS);
	rw(RINGD_OP_READV, disk, v, 1, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -ENOBUFS);
	rw(RINGD_OP_READV, disk, v, 2, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	rw(RINGD_OP_WRITE, disk, buf, 1, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
	rw(RINGD_OP_READ_FIXED, disk, buf, 1, 0)->flags = RINGD_SQE_BUFFER_SELECT;
	ck_assert_int_eq(rd_tc_run(&c), -EOPNOTSUPP);
	teardown();
}
END_TEST

START_TEST(a_skipped_success_is_silent_and_a_failure_is_not)
{
	struct ringd_cqe cqe;

	setup_backend(backends[_i]);
	rw(RINGD_OP_WRITE, shmem, buf, 2, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	rw(RINGD_OP_WRITE, shmem, (void *)8, 2, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	ck_assert_int_eq(rd_tc_submit(&c), 2);
	cqe = rd_tc_wait(&c);
	ck_assert_uint_eq(cqe.user_data, 2);
	ck_assert_int_eq(cqe.res, -EFAULT);
	/* nor is less than was asked for a success, however it was done */
	rw(RINGD_OP_READ, shmem, buf, 17, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS;
	ck_assert_int_eq(rd_tc_run(&c), 16);
	rw(RINGD_OP_READ, disk, buf, 4, 16)->flags = RINGD_SQE_CQE_SKIP_SUCCESS | RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_run(&c), 0);
	rw(RINGD_OP_READ, disk, buf, 16, 0)->flags = RINGD_SQE_CQE_SKIP_SUCCESS | RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_submit(&c), 1);
	while (th.engine.stats.completed != 5)
		rd_th_turn(&th);
	ck_assert(!rd_tc_peek(&c, &cqe));
	teardown();
}
END_TEST

/* --- the ways a request can go --- */

START_TEST(one_visit_copies_only_so_much)
{
	enum { LEN = 1 << 20 };
	char *big;

	setup_backend(backends[_i]);
	big = rd_th_alloc(&th, LEN);
	ck_assert_int_eq(ftruncate(disk, LEN), 0);
	memset(big, 'x', LEN);
	ck_assert_int_eq(pwrite(disk, big, LEN, 0), LEN);
	for (int i = 0; i < 16; i++)
		rw(RINGD_OP_READ, disk, big, LEN, 0);
	c.hot->enter_to_submit = 16;
	__atomic_store_n(&c.hot->sq_tail, 16, __ATOMIC_RELEASE);
	__atomic_store_n(&c.hot->enter_seq, ++c.enter_seq, __ATOMIC_SEQ_CST);
	rd_ring_doorbell(c.ring);
	rd_reactor_turn(th.engine.reactor);
	/* others have their turn (where this file system has the reactor copy at all); but it goes on */
	if (!th.engine.stats.punted && !th.engine.stats.uring)
		ck_assert_uint_lt(th.engine.stats.submitted, 16);
	while (c.hot->enter_done != c.enter_seq)
		rd_th_turn(&th);
	ck_assert_int_eq(c.hot->enter_res, 16);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(rd_tc_wait(&c).res, LEN);
	c.sq_tail = 16;
	c.unsubmitted = 0;
	teardown();
}
END_TEST

/* The lock of the position is held by whoever reads into memory whose pages do not come. */
START_TEST(the_file_position_is_left_to_workers)
{
	setup_backend(backends[_i]);
	for (int i = 0; i < 2; i++) {
		int fd = i ? shmem : disk;
		uint64_t punted = th.engine.stats.punted;

		lseek(fd, 0, SEEK_SET);
		for (int k = 0; k < 16; k++)
			rw(RINGD_OP_READ, fd, buf + k, 1, UINT64_MAX);
		ck_assert_int_eq(rd_tc_submit(&c), 16);
		for (int k = 0; k < 16; k++)
			ck_assert_int_eq(rd_tc_wait(&c).res, 1);
		/* in the order they were submitted */
		ck_assert_mem_eq(buf, TEXT, 16);
		ck_assert_uint_eq(th.engine.stats.punted, punted + 16);
		/* for nothing it is not needed */
		ck_assert_int_eq(do_read(fd, 0, UINT64_MAX), 0);
		ck_assert_uint_eq(th.engine.stats.punted, punted + 16);
	}
	teardown();
}
END_TEST

START_TEST(async_goes_to_a_worker)
{
	setup_backend(backends[_i]);
	memset(buf, '.', 32);
	rw(RINGD_OP_READ, disk, buf, 16, 0)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_run(&c), 16);
	ck_assert_mem_eq(buf, TEXT ".", 17);
	ck_assert_uint_eq(th.engine.stats.punted, 1);
	rw(RINGD_OP_WRITE, disk, buf, 4, 12)->flags = RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_run(&c), 4);
	assert_content(disk, "0123456789ab0123");
	teardown();
}
END_TEST

START_TEST(large_transfers_are_whole)
{
	uint32_t len = 3u << 20;
	char *big;

	setup_backend(backends[_i]);
	big = rd_th_alloc(&th, len);
	for (uint32_t i = 0; i < len; i++)
		big[i] = (char)(i * 7 + i / 4096);
	for (int i = 0; i < 2; i++) {
		int fd = i ? shmem : disk;
		char *copy = rd_th_alloc(&th, len);

		rw(RINGD_OP_WRITE, fd, big, len, 100);
		ck_assert_int_eq(rd_tc_run(&c), (int32_t)len);
		rw(RINGD_OP_READ, fd, copy, len, 100);
		ck_assert_int_eq(rd_tc_run(&c), (int32_t)len);
		ck_assert_int_eq(memcmp(big, copy, len), 0);
	}
	teardown();
}
END_TEST

START_TEST(pages_that_are_not_cached_are_waited_for)
{
	uint32_t len = 512 << 10;
	struct iovec *v;
	char *data, *expect;

	setup_backend(backends[_i]);
	data = rd_th_alloc(&th, len);
	expect = rd_th_alloc(&th, len + 8192);	/* the file goes on behind what is read */
	for (uint32_t i = 0; i < len + 8192; i++)
		expect[i] = (char)(i * 7 + i / 4096);
	ck_assert_int_eq(pwrite(disk, expect, len + 8192, 0), len + 8192);
	ck_assert_int_eq(fsync(disk), 0);
	v = vector(2);
	v[0] = (struct iovec){ data, 300000 };
	v[1] = (struct iovec){ data + 300000, len - 300000 };
	for (int i = 0; i < 3; i++) {
		/* nothing cached; only the start cached; as a vector */
		ck_assert_int_eq(posix_fadvise(disk, 0, 0, POSIX_FADV_DONTNEED), 0);
		ck_assert_int_eq(posix_fadvise(disk, 0, 0, POSIX_FADV_RANDOM), 0);
		if (i)
			ck_assert_int_eq(pread(disk, data, 8192, 0), 8192);
		memset(data, 0, len);
		if (i < 2)
			rw(RINGD_OP_READ, disk, data, len, 0);
		else
			rw(RINGD_OP_READV, disk, v, 2, 0);
		ck_assert_int_eq(rd_tc_run(&c), (int32_t)len);
		ck_assert_int_eq(memcmp(data, expect, len), 0);
	}
	ck_assert_uint_gt(th.engine.stats.punted + th.engine.stats.uring, 0);
	teardown();
}
END_TEST

START_TEST(direct_io_works_and_wants_alignment)
{
	int fd;

	setup_backend(backends[_i]);
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_DIRECT, 0600);
	if (fd < 0) {		/* a file system without */
		ck_assert_int_eq(errno, EINVAL);
		teardown();
		return;
	}
	memset(buf, 'd', 8192);
	rw(RINGD_OP_WRITE, fd, buf, 8192, 0);
	ck_assert_int_eq(rd_tc_run(&c), 8192);
	memset(buf, 0, 16384);
	rw(RINGD_OP_READ, fd, buf, 16384, 4096);
	ck_assert_int_eq(rd_tc_run(&c), 4096);
	ck_assert_int_eq(buf[4095], 'd');
	ck_assert_int_eq(buf[4096], 0);
	rw(RINGD_OP_READ, fd, buf + 1, 4096, 0);
	ck_assert_int_eq(rd_tc_run(&c), -EINVAL);
	rw(RINGD_OP_READ, fd, buf, 4096, 8192);
	ck_assert_int_eq(rd_tc_run(&c), 0);
	rw(RINGD_OP_READ, fd, buf, 4096, 0)->rw_flags = 0x8;	/* sleeps in spite of NOWAIT: not on the reactor */
	ck_assert_int_ne(rd_tc_run(&c), -EINVAL);
	ck_assert_uint_eq(th.engine.stats.punted + th.engine.stats.uring, 5);
	if (backends[_i] == RD_BACKEND_URING)
		ck_assert_uint_eq(th.engine.stats.uring, 5);
	close(fd);
	teardown();
}
END_TEST

START_TEST(a_large_batch_is_read_right)
{
	unsigned int seen = 0;

	setup_backend(backends[_i]);
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, disk, 0);
	rd_tc_bufs(&c, 1);
	rd_tc_buf(&c, 0, buf, BUF_SIZE, 0);
	for (unsigned int i = 0; i < 64; i++)
		rw(i & 1 ? RINGD_OP_READ_FIXED : RINGD_OP_READ, 0, buf + i * 16, 16, i % 16)->flags = RINGD_SQE_FIXED_FILE;
	ck_assert_int_eq(rd_tc_submit(&c), 64);
	for (unsigned int i = 0; i < 64; i++) {
		struct ringd_cqe cqe = rd_tc_wait(&c);
		unsigned int off = (unsigned int)(cqe.user_data - 1) % 16;

		ck_assert_int_eq(cqe.res, 16 - (int)off);
		ck_assert_mem_eq(buf + (cqe.user_data - 1) * 16, &TEXT[off], 16 - off);
		seen++;
	}
	ck_assert_uint_eq(seen, 64);
	teardown();
}
END_TEST

START_TEST(the_file_size_limit_ends_a_write)
{
	struct rlimit rl = { .rlim_cur = 20, .rlim_max = RLIM_INFINITY };

	setup_backend(backends[_i]);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
	ck_assert_int_eq(do_write(disk, "0123456789", 14), 6);
	ck_assert_int_eq(do_write(disk, "0123456789", 20), -EFBIG);
	ck_assert_int_eq(do_write(shmem, "0123456789", 14), 6);
	ck_assert_int_eq(do_write(shmem, "0123456789", 20), -EFBIG);
	rl.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
	teardown();
}
END_TEST

START_TEST(a_dying_ring_leaves_nothing_behind)
{
	struct iovec *v;

	setup_backend(backends[_i]);
	v = vector(2);
	v[0] = (struct iovec){ buf, 8 };
	v[1] = (struct iovec){ buf + 8, 8 };
	rd_tc_files(&c, 1);
	rd_tc_file(&c, 0, disk, 7);
	for (int i = 0; i < 64; i++)
		rw(i & 1 ? RINGD_OP_READV : RINGD_OP_WRITEV, 0, v, 2, 0)->flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_ASYNC;
	ck_assert_int_eq(rd_tc_submit(&c), 64);
	teardown();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reads_are_positional, minus_one_is_the_file_position, other_negative_offsets_are_einval,
		writes_land_where_they_should, length_zero_touches_no_memory, memory_of_nobody_is_efault,
		the_file_is_checked_first, segments_are_filled_in_order, bad_vectors_have_their_errnos,
		what_is_beyond_the_largest_transfer_is_cut_off, staged_vectors_are_charged,
		registered_buffers_are_used_by_address, rwf_flags_do_what_they_say, nowait_is_never_carried_on_elsewhere,
		o_append_goes_to_the_end, io_priorities_are_checked, attributes_are_read_and_refused,
		no_buffer_group_is_enobufs, a_skipped_success_is_silent_and_a_failure_is_not, async_goes_to_a_worker,
		one_visit_copies_only_so_much, the_file_position_is_left_to_workers,
		large_transfers_are_whole, pages_that_are_not_cached_are_waited_for, direct_io_works_and_wants_alignment,
		a_large_batch_is_read_right, the_file_size_limit_ends_a_write, a_dying_ring_leaves_nothing_behind,
	};
	int n = rd_th_backend_works(RD_BACKEND_URING) ? 2 : 1;
	Suite *s = suite_create("ops_rw");
	TCase *tc = tcase_create("regular files");

	for (size_t i = 0; i < RD_ARRAY_SIZE(tests); i++)
		tcase_add_loop_test(tc, tests[i], 0, n);
	suite_add_tcase(s, tc);
	return rd_suite_main(s);
}
