/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptor of a ring, under calls that are meant for others. */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edges.h"

#define fails_with(call, error)                                                                                                \
	do {                                                                                                                   \
		errno = 0;                                                                                                     \
		ck_assert_int_eq((call), -1);                                                                                  \
		ck_assert_int_eq(errno, error);                                                                                \
	} while (0)

START_TEST(flags_of_a_ring)
{
	int fd = edge.ring_fd;
	struct stat st;

	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND), O_RDWR);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	/* that is nothing to a ring */
	io_uring_prep_nop(io_uring_get_sqe(&edge));
	ck_assert_int_eq(io_uring_submit_and_wait(&edge, 1), 1);
	ck_assert_int_eq(edge_result(&edge), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & S_IFMT, 0);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

START_TEST(a_ring_is_no_file_to_read_or_write)
{
	int fd = edge.ring_fd, zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char byte = 0;

	fails_with(read(fd, &byte, 1), EINVAL);
	fails_with(write(fd, &byte, 1), EINVAL);
	fails_with(pread(fd, &byte, 1, 0), ESPIPE);
	fails_with(pwrite(fd, &byte, 1, 0), ESPIPE);
	fails_with(sendfile(fd, zero, NULL, 1), EINVAL);
	fails_with(ftruncate(fd, 0), EINVAL);
	fails_with(fsync(fd), EINVAL);
	fails_with(fchdir(fd), ENOTDIR);
	fails_with(listen(fd, 1), ENOTSOCK);
	ck_assert_int_eq(flock(fd, LOCK_SH | LOCK_NB), 0);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	/* ENOTTY and ESPIPE on the kernel */
	ck_assert_int_eq(isatty(fd), 0);
	fails_with(ioctl(fd, FIONREAD, &zero), edge_on_kernel() ? ENOTTY : EINVAL);
	ck_assert_int_eq((int)lseek(fd, 0, SEEK_SET), edge_on_kernel() ? -1 : 0);
	close(zero);
}
END_TEST

START_TEST(a_ring_is_no_file_for_a_ring)
{
	struct io_uring other;
	char byte;

	ck_assert_int_eq(io_uring_queue_init(4, &other, 0), 0);
	edge_nops(1);		/* the kernel would wait until it can be read, which never helps */
	io_uring_prep_read(io_uring_get_sqe(&other), edge.ring_fd, &byte, 1, 0);
	ck_assert_int_eq(edge_run(&other), -EINVAL);
	io_uring_prep_close(io_uring_get_sqe(&other), edge.ring_fd);
	ck_assert_int_eq(edge_run(&other), -EBADF);
	ck_assert_int_eq(io_uring_register_files(&other, &edge.ring_fd, 1), -EBADF);
	io_uring_queue_exit(&other);
	edge_nops(1);
}
END_TEST

static int map(size_t len, int prot, int flags, off_t off, uintptr_t at)
{
	void *p = mmap((void *)at, len, prot, flags, edge.ring_fd, off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

#define RW	(PROT_READ | PROT_WRITE)
#define AT	0x10000000u

START_TEST(maps_of_a_ring)
{
	const size_t len = edge.sq.ring_sz, sqes = 8 * sizeof(struct io_uring_sqe);

	ck_assert_int_eq(map(len, RW, MAP_SHARED, IORING_OFF_SQ_RING, 0), 0);
	ck_assert_int_eq(map(len, PROT_READ, MAP_SHARED | MAP_POPULATE, IORING_OFF_CQ_RING, 0), 0);
	ck_assert_int_eq(map(len, PROT_NONE, MAP_PRIVATE, IORING_OFF_SQ_RING, 0), 0);
	ck_assert_int_eq(map(sqes, RW, MAP_SHARED_VALIDATE, IORING_OFF_SQES, 0), 0);
	ck_assert_int_eq(map(1, RW, MAP_SHARED, 0, 0), 0);
	/* what is beyond is not there, but may be mapped; of the offset the upper bits say what is meant */
	ck_assert_int_eq(map(len + (1 << 20), RW, MAP_SHARED, 0, 0), 0);
	ck_assert_int_eq(map(sqes + (1 << 20), RW, MAP_SHARED, IORING_OFF_SQES, 0), 0);
	ck_assert_int_eq(map(len, RW, MAP_SHARED, getpagesize(), 0), 0);
}
END_TEST

START_TEST(maps_that_cannot_be)
{
	const size_t len = edge.sq.ring_sz;

	ck_assert_int_eq(map(len, PROT_READ | PROT_EXEC, MAP_SHARED, 0, 0), -EPERM);
	ck_assert_int_eq(map(0, RW, MAP_SHARED, 0, 0), -EINVAL);
	ck_assert_int_eq(map(len, RW, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(map(len, RW, MAP_SHARED | MAP_HUGETLB, 0, 0), -EINVAL);
	ck_assert_int_eq(map(len, RW, MAP_SHARED_VALIDATE | MAP_SYNC, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(map(len, RW, MAP_SHARED, 1, 0), -EINVAL);
	ck_assert_int_eq(map(len, RW, MAP_SHARED, 0x18000000, 0), -ENOMEM);
	ck_assert_int_eq(map(len, RW, MAP_SHARED, 0x80000000, 0), -ENOMEM);
	ck_assert_int_eq(map((size_t)1 << 62, RW, MAP_SHARED, 0, 0), -ENOMEM);
	ck_assert_int_eq(map(SIZE_MAX, RW, MAP_SHARED, 0, 0), -ENOMEM);
	/* where it goes the kernel says */
	ck_assert_int_eq(map(len, RW, MAP_SHARED, 0, AT), -EINVAL);
	ck_assert_int_eq(map(len, RW, MAP_SHARED | MAP_FIXED, 0, AT), -EINVAL);
	ck_assert_int_eq(map(len, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, 0, AT), -EINVAL);
}
END_TEST

TCase *edges_fd(void)
{
	TCase *tc = tcase_create("fd");

	tcase_add_test(tc, flags_of_a_ring);
	tcase_add_test(tc, a_ring_is_no_file_to_read_or_write);
	tcase_add_test(tc, a_ring_is_no_file_for_a_ring);
	tcase_add_test(tc, maps_of_a_ring);
	tcase_add_test(tc, maps_that_cannot_be);
	return tc;
}
