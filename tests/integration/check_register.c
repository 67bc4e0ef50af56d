/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register calls through a real engine: every errno of the specification, what is done before an error, tags. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/common/util.h"
#include "tests/hostile/daemon.h"
#include "tests/hostile/raw.h"
#include "tests/unit/suite.h"

#define PAGE	4096ull
#define A	RD_RAW_ARENA

static struct rd_daemon d;
static struct raw raw;
static struct raw_ring ring;
static struct raw_arena arena;
static int fifo[2], null_fd, refused;

static void setup(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	refused = signalfd(-1, &set, SFD_CLOEXEC);	/* a kind that is -EBADF here */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pipe2(fifo, O_CLOEXEC), 0);
	rd_daemon_start(&d, NULL);
	raw_connect(&raw, d.socket);
	raw_ring(&ring, &raw, 8, 0);
	raw_arena(&arena, &raw, A, 16 * PAGE);
}

static void teardown(void)
{
	raw_arena_drop(&arena);
	raw_ring_drop(&ring);
	raw_close(&raw);
	rd_daemon_expect_idle(&d, geteuid());
	rd_daemon_stop(&d);
}

/* --- the calls, with their structures --- */

static int files2(uint32_t nr, uint32_t flags, uint64_t resv, const int32_t *fds, const uint64_t *tags)
{
	struct {
		struct ringd_rsrc_register rr;
		char arrays[16 * 12];
	} data = { .rr = { .nr = nr, .flags = flags, .resv2 = resv } };
	size_t len = 0;
	int send[16];
	size_t n = 0;

	if (fds) {
		memcpy(data.arrays, fds, nr * sizeof(*fds));
		len = nr * sizeof(*fds);
	}
	if (tags) {
		memcpy(data.arrays + len, tags, nr * sizeof(*tags));
		len += nr * sizeof(*tags);
	}
	for (uint32_t i = 0; fds && i < nr; i++) {
		if (fds[i] >= 0)
			send[n++] = fds[i];
	}
	return raw_register(&ring, RINGD_REGISTER_FILES2, nr, tags != NULL, &data, sizeof(data.rr) + len, send, n);
}

static int files_update2(uint32_t off, uint32_t nr, const int32_t *fds, const uint64_t *tags)
{
	struct {
		struct ringd_rsrc_update2 up;
		char arrays[16 * 12];
	} data = { .up = { .offset = off, .nr = nr } };
	size_t len = nr * sizeof(*fds), n = 0;
	int send[16];

	memcpy(data.arrays, fds, len);
	if (tags) {
		memcpy(data.arrays + len, tags, nr * sizeof(*tags));
		len += nr * sizeof(*tags);
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (fds[i] >= 0)
			send[n++] = fds[i];
	}
	return raw_register(&ring, RINGD_REGISTER_FILES_UPDATE2, nr, tags != NULL, &data, sizeof(data.up) + len, send, n);
}

static int bufs_update(uint32_t off, uint32_t nr, const uint64_t (*iov)[2], const uint64_t *tags)
{
	struct {
		struct ringd_rsrc_update2 up;
		char arrays[8 * 24];
	} data = { .up = { .offset = off, .nr = nr } };
	size_t len = nr * sizeof(*iov);

	memcpy(data.arrays, iov, len);
	if (tags) {
		memcpy(data.arrays + len, tags, nr * sizeof(*tags));
		len += nr * sizeof(*tags);
	}
	return raw_register(&ring, RINGD_REGISTER_BUFFERS_UPDATE, nr, tags != NULL, &data, sizeof(data.up) + len, NULL, 0);
}

static int bufs2(uint32_t nr, uint32_t flags, const uint64_t (*iov)[2], const uint64_t *tags)
{
	struct {
		struct ringd_rsrc_register rr;
		char arrays[8 * 24];
	} data = { .rr = { .nr = nr, .flags = flags } };
	size_t len = iov ? nr * sizeof(*iov) : 0;

	if (iov)
		memcpy(data.arrays, iov, len);
	if (tags) {
		memcpy(data.arrays + len, tags, nr * sizeof(*tags));
		len += nr * sizeof(*tags);
	}
	return raw_register(&ring, RINGD_REGISTER_BUFFERS2, nr, tags != NULL, &data, sizeof(data.rr) + len, NULL, 0);
}

static int bare(uint32_t opcode, uint32_t nr)
{
	return raw_register(&ring, opcode, nr, 0, NULL, 0, NULL, 0);
}

static void expect_cqe(uint64_t user_data, int32_t res)
{
	struct ringd_cqe cqe;

	ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
	ck_assert_uint_eq(cqe.user_data, user_data);
	ck_assert_int_eq(cqe.res, res);
	ck_assert_uint_eq(cqe.flags, 0);
}

/* Every file that was put before has been closed: a tag that was owed would have come. */
static void expect_no_cqe(uint64_t files)
{
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_FILES, files);
	ck_assert(!raw_cqe_ready(&ring));
}

/* What a request on this slot says: 0 for a file that is there. */
static int probe_slot(int slot)
{
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_WRITE, .flags = RINGD_SQE_FIXED_FILE, .fd = slot, .addr = A };

	return raw_one(&ring, &sqe);
}

/* --- files --- */

START_TEST(files_errors)
{
	const int two[2] = { null_fd, null_fd }, bad[2] = { null_fd, -2 }, odd[3] = { null_fd, refused, null_fd };

	ck_assert_int_eq(bare(RINGD_REGISTER_FILES, 0), -EINVAL);
	ck_assert_int_eq(bare(RINGD_REGISTER_FILES, RINGD_MAX_FIXED_FILES + 1), -EMFILE);
	ck_assert_int_eq(raw_register_files(&ring, bad, 2), -EBADF);
	ck_assert_int_eq(raw_register_files(&ring, odd, 3), -EBADF);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 0), -ENXIO);	/* nothing was installed */
	ck_assert_int_eq(raw_register_files(&ring, two, 2), 0);
	ck_assert_int_eq(raw_register_files(&ring, two, 2), -EBUSY);
	ck_assert_int_eq(bare(RINGD_REGISTER_FILES, 0), -EBUSY);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 1), -EINVAL);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 0), 0);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 0), -ENXIO);
}
END_TEST

START_TEST(files2_errors)
{
	const int32_t fds[2] = { null_fd, -1 };
	const uint64_t tags[2] = { 7, 8 }, good_tags[2] = { 7, 0 };

	ck_assert_int_eq(files2(0, 0, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(files2(2, 2, 0, fds, NULL), -EINVAL);
	ck_assert_int_eq(files2(2, 0, 1, fds, NULL), -EINVAL);
	ck_assert_int_eq(files2(2, RINGD_RSRC_REGISTER_SPARSE, 0, NULL, tags), -EINVAL);	/* tags of holes */
	ck_assert_int_eq(files2(2, 0, 0, fds, tags), -EINVAL);
	expect_no_cqe(0);
	ck_assert_int_eq(files2(2, 0, 0, fds, good_tags), 0);
	ck_assert_int_eq(files2(2, RINGD_RSRC_REGISTER_SPARSE, 0, NULL, NULL), -EBUSY);
	ck_assert_int_eq(files2(0, 0, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 0), 0);
	expect_cqe(7, 0);
	ck_assert_int_eq(files2(16, RINGD_RSRC_REGISTER_SPARSE, 0, NULL, NULL), 0);
	ck_assert_int_eq(probe_slot(15), -EBADF);
}
END_TEST

START_TEST(files_update_errors)
{
	const int32_t one[1] = { null_fd };
	const struct ringd_files_update resv = { .resv = 1 };

	ck_assert_int_eq(raw_update_file(&ring, 0, null_fd), -ENXIO);
	ck_assert_int_eq(files_update2(0, 1, one, NULL), -ENXIO);
	ck_assert_int_eq(files2(4, RINGD_RSRC_REGISTER_SPARSE, 0, NULL, NULL), 0);
	ck_assert_int_eq(files_update2(0, 0, one, NULL), -EINVAL);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILES_UPDATE, 0, 0, &resv, sizeof(resv), NULL, 0), -EINVAL);
	ck_assert_int_eq(files_update2(4, 1, one, NULL), -EINVAL);
	ck_assert_int_eq(files_update2(UINT32_MAX, 1, one, NULL), -EINVAL);
	ck_assert_int_eq(files_update2(3, 1, one, NULL), 1);
	ck_assert_int_eq(probe_slot(3), 0);
}
END_TEST

START_TEST(files_update_does_what_comes_before_the_bad_entry)
{
	const int32_t first_bad[3] = { -3, null_fd, null_fd }, second_bad[3] = { null_fd, refused, null_fd };
	const int32_t skip_remove[2] = { -2, -1 };
	const uint64_t tag_on_skip[2] = { 5, 0 }, tag_on_remove[2] = { 0, 5 };

	ck_assert_int_eq(files2(4, RINGD_RSRC_REGISTER_SPARSE, 0, NULL, NULL), 0);
	ck_assert_int_eq(files_update2(0, 3, first_bad, NULL), -EBADF);
	ck_assert_int_eq(files_update2(0, 3, second_bad, NULL), 1);
	ck_assert_int_eq(probe_slot(0), 0);
	ck_assert_int_eq(probe_slot(1), -EBADF);
	ck_assert_int_eq(probe_slot(2), -EBADF);
	ck_assert_int_eq(raw_update_file(&ring, 1, null_fd), 1);
	ck_assert_int_eq(files_update2(1, 3, first_bad, NULL), -EBADF);
	ck_assert_int_eq(probe_slot(1), -EBADF);	/* was emptied before the descriptor was looked at */
	ck_assert_int_eq(raw_update_file(&ring, 1, null_fd), 1);
	ck_assert_int_eq(files_update2(0, 2, skip_remove, tag_on_skip), -EINVAL);
	ck_assert_int_eq(files_update2(0, 2, skip_remove, tag_on_remove), 1);	/* the skipped one counts */
	ck_assert_int_eq(probe_slot(1), 0);
	ck_assert_int_eq(files_update2(0, 2, skip_remove, NULL), 2);
	ck_assert_int_eq(probe_slot(0), 0);
	ck_assert_int_eq(probe_slot(1), -EBADF);
}
END_TEST

START_TEST(alloc_range)
{
	struct ringd_file_index_range range = { .off = 2, .len = 1 };
	const struct ringd_sqe sqe = { .opcode = RINGD_OP_OPENAT, .fd = AT_FDCWD, .addr = ring.scratch_base,
				       .file_index = RINGD_FILE_INDEX_ALLOC };

	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 0, &range, sizeof(range), NULL, 0), -EINVAL);
	ck_assert_int_eq(files2(4, RINGD_RSRC_REGISTER_SPARSE, 0, NULL, NULL), 0);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 1, 0, &range, sizeof(range), NULL, 0), -EINVAL);
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 0, &range, sizeof(range), NULL, 0), 0);
	strcpy(ring.scratch, "/dev/null");
	ck_assert_int_eq(raw_one(&ring, &sqe), 2);
	ck_assert_int_eq(raw_one(&ring, &sqe), -ENFILE);
	range = (struct ringd_file_index_range){ .off = 4, .len = 1 };
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 0, &range, sizeof(range), NULL, 0), -EINVAL);
	range = (struct ringd_file_index_range){ .off = 2, .len = UINT32_MAX };
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 0, &range, sizeof(range), NULL, 0), -EOVERFLOW);
	range = (struct ringd_file_index_range){ .len = 4, .resv = 1 };
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 0, &range, sizeof(range), NULL, 0), -EINVAL);
	range = (struct ringd_file_index_range){ .len = 4 };
	ck_assert_int_eq(raw_register(&ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, 0, &range, sizeof(range), NULL, 0), 0);
	ck_assert_int_eq(raw_one(&ring, &sqe), 0);
}
END_TEST

/* --- tags --- */

START_TEST(a_replaced_slot_posts_its_tag)
{
	const int32_t fds[2] = { null_fd, fifo[0] };
	const uint64_t tags[2] = { 77, 78 }, next[1] = { 79 };

	ck_assert_int_eq(files2(2, 0, 0, fds, tags), 0);
	ck_assert_int_eq(files_update2(0, 1, fds, next), 1);
	expect_cqe(77, 0);
	ck_assert_int_eq(raw_update_file(&ring, 0, -1), 1);
	expect_cqe(79, 0);
	ck_assert_int_eq(raw_update_file(&ring, 0, null_fd), 1);
	ck_assert_int_eq(raw_update_file(&ring, 0, -1), 1);	/* no tag this time */
	expect_no_cqe(1);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 0), 0);
	expect_cqe(78, 0);
}
END_TEST

START_TEST(a_tag_waits_for_the_last_request_on_its_file)
{
	const uint64_t tag[1] = { 78 };
	struct ringd_sqe *sqe;

	ck_assert_int_eq(files2(1, 0, 0, fifo, tag), 0);
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE, .addr = A, .len = 1, .user_data = 5 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_int_eq(raw_update_file(&ring, 0, null_fd), 1);
	expect_no_cqe(2);	/* the old file is held by the read */
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	expect_cqe(5, 1);
	expect_cqe(78, 0);
}
END_TEST

START_TEST(tags_of_a_full_cq_are_not_lost)
{
	int32_t fds[16];
	uint64_t tags[16];

	for (unsigned int i = 0; i < 16; i++) {
		fds[i] = null_fd;
		tags[i] = 100 + i;
	}
	ck_assert_int_eq(files2(16, 0, 0, fds, tags), 0);
	for (int i = 0; i < 10; i++) {
		raw_sqe(&ring)->user_data = 1;
		ck_assert_int_eq(raw_enter(&ring, 1, 0), 1);
	}
	/* room for six of sixteen */
	ck_assert_int_eq(bare(RINGD_UNREGISTER_FILES, 0), 0);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_FILES, 0);
	for (int i = 0; i < 10; i++)
		expect_cqe(1, 0);
	ck_assert_int_eq(raw_enter(&ring, 0, RINGD_ENTER_GETEVENTS), 0);
	uint32_t seen = 0;

	for (int i = 0; i < 16; i++) {
		struct ringd_cqe cqe;

		ck_assert_int_eq(raw_cqe(&ring, &cqe), 0);
		ck_assert(cqe.user_data >= 100 && cqe.user_data < 116);
		seen |= 1u << (cqe.user_data - 100);
	}
	ck_assert_uint_eq(seen, 0xffff);
}
END_TEST

/* --- buffers --- */

START_TEST(buffers_errors)
{
	const uint64_t one[1][2] = { { A, PAGE } }, hole[2][2] = { { A, PAGE }, { 0, 0 } }, bad[2][2] = { { A, PAGE }, { A, 0 } };
	const uint64_t tags[2] = { 1, 2 };

	ck_assert_int_eq(bare(RINGD_REGISTER_BUFFERS, 0), -EINVAL);
	ck_assert_int_eq(bare(RINGD_REGISTER_BUFFERS, RINGD_MAX_BUFFERS + 1), -EINVAL);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_BUFFERS, 0), -ENXIO);
	ck_assert_int_eq(bufs_update(0, 1, one, NULL), -ENXIO);
	ck_assert_int_eq(bufs2(2, 0, hole, tags), -EINVAL);
	ck_assert_int_eq(bufs2(2, 0, bad, tags), -EFAULT);
	ck_assert_int_eq(bufs2(2, 4, hole, NULL), -EINVAL);
	ck_assert_int_eq(bufs2(2, RINGD_RSRC_REGISTER_SPARSE, NULL, NULL), 0);
	ck_assert_int_eq(bufs2(2, RINGD_RSRC_REGISTER_SPARSE, NULL, NULL), -EBUSY);
	ck_assert_int_eq(bufs_update(2, 1, one, NULL), -EINVAL);
	ck_assert_int_eq(bufs_update(UINT32_MAX, 1, one, NULL), -EINVAL);
	ck_assert_int_eq(bufs_update(0, 0, one, NULL), -EINVAL);
	ck_assert_int_eq(bufs_update(0, 2, bad, tags), 1);
	ck_assert_int_eq(bufs_update(0, 2, hole, tags), 1);
	expect_cqe(1, 0);		/* the one the update before had put there */
	ck_assert_int_eq(bare(RINGD_UNREGISTER_BUFFERS, 1), -EINVAL);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_BUFFERS, 0), 0);
	expect_cqe(1, 0);
}
END_TEST

START_TEST(a_buffer_outlives_its_slot_and_its_arena_while_it_is_used)
{
	const uint64_t iov[1][2] = { { A, PAGE } }, tag[1] = { 9 };
	struct ringd_sqe *sqe;

	ck_assert_int_eq(raw_register_files(&ring, fifo, 1), 0);
	ck_assert_int_eq(bufs2(1, 0, iov, tag), 0);
	sqe = raw_sqe(&ring);
	*sqe = (struct ringd_sqe){ .opcode = RINGD_OP_READ_FIXED, .flags = RINGD_SQE_FIXED_FILE, .addr = A + 5, .len = 1,
				   .user_data = 5 };
	ck_assert_int_eq(raw_submit(&ring), 1);
	ck_assert_int_eq(bare(RINGD_UNREGISTER_BUFFERS, 0), 0);
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	ck_assert(!raw_cqe_ready(&ring));
	ck_assert_int_eq(write(fifo[1], "x", 1), 1);
	expect_cqe(5, 1);
	expect_cqe(9, 0);
	ck_assert_int_eq(arena.ptr[5], 'x');
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES, ring.rings_size + ring.sqes_size + ring.scratch_size);
}
END_TEST

/* --- buffer rings --- */

static int pbuf(uint32_t opcode, uint32_t nr, const struct ringd_buf_reg *reg, int *fd)
{
	return raw_register_get(&raw, ring.id, opcode, nr, reg, sizeof(*reg), NULL, 0, fd);
}

static int pbuf_at(uint64_t addr, uint32_t entries, uint16_t bgid)
{
	const struct ringd_buf_reg reg = { .ring_addr = addr, .ring_entries = entries, .bgid = bgid };

	return pbuf(RINGD_REGISTER_PBUF_RING, 1, &reg, NULL);
}

static int pbuf_remove(uint16_t bgid)
{
	const struct ringd_buf_reg reg = { .bgid = bgid };

	return pbuf(RINGD_UNREGISTER_PBUF_RING, 1, &reg, NULL);
}

static int pbuf_status(struct ringd_buf_status *status, uint32_t nr)
{
	struct ringd_buf_status out;
	int r = raw_register_get(&raw, ring.id, RINGD_REGISTER_PBUF_STATUS, nr, status, sizeof(*status), &out, sizeof(out), NULL);

	if (r == 0)
		*status = out;
	return r;
}

static struct ringd_sqe read_selected(uint16_t bgid)
{
	return (struct ringd_sqe){
		.opcode = RINGD_OP_READ, .flags = RINGD_SQE_FIXED_FILE | RINGD_SQE_BUFFER_SELECT, .buf_group = bgid,
	};
}

START_TEST(buffer_rings_errors)
{
	struct ringd_buf_status status = { .buf_group = 3 };
	struct ringd_buf_reg reg = { .ring_addr = A, .ring_entries = 4, .bgid = 3 };

	ck_assert_int_eq(pbuf(RINGD_REGISTER_PBUF_RING, 0, &reg, NULL), -EINVAL);
	ck_assert_int_eq(pbuf(RINGD_REGISTER_PBUF_RING, 2, &reg, NULL), -EINVAL);
	reg.resv[4] = 1;
	ck_assert_int_eq(pbuf(RINGD_REGISTER_PBUF_RING, 1, &reg, NULL), -EINVAL);
	ck_assert_int_eq(pbuf(RINGD_UNREGISTER_PBUF_RING, 1, &reg, NULL), -EINVAL);
	ck_assert_int_eq(pbuf_at(A, 3, 3), -EINVAL);
	ck_assert_int_eq(pbuf_at(0, 4, 3), -EFAULT);
	ck_assert_int_eq(pbuf_at(A + 16, 4, 3), -EINVAL);
	ck_assert_int_eq(pbuf_at(A + 16 * PAGE, 4, 3), -EFAULT);
	ck_assert_int_eq(pbuf_at(A + 15 * PAGE, 512, 3), -EFAULT);
	ck_assert_int_eq(pbuf_remove(3), -ENOENT);
	ck_assert_int_eq(pbuf_status(&status, 1), -ENOENT);
	ck_assert_int_eq(pbuf_at(A, 4, 3), 0);
	ck_assert_int_eq(pbuf_at(A, 4, 3), -EEXIST);
	ck_assert_int_eq(pbuf_status(&status, 0), -EINVAL);
	ck_assert_int_eq(pbuf_status(&status, 1), 0);
	ck_assert_uint_eq(status.head, 0);
	status.resv[0] = 1;
	ck_assert_int_eq(pbuf_status(&status, 1), -EINVAL);
	status = (struct ringd_buf_status){ .buf_group = 65536 + 3 };
	ck_assert_int_eq(pbuf_status(&status, 1), -ENOENT);
	reg = (struct ringd_buf_reg){ .bgid = 3, .flags = 1 };
	ck_assert_int_eq(pbuf(RINGD_UNREGISTER_PBUF_RING, 1, &reg, NULL), -EINVAL);
	ck_assert_int_eq(pbuf_remove(3), 0);
	ck_assert_int_eq(pbuf_remove(3), -ENOENT);
}
END_TEST

START_TEST(a_buffer_ring_of_the_engine_is_mapped_where_io_uring_has_it)
{
	const uint64_t bytes = ring.rings_size + ring.sqes_size + ring.scratch_size + 16 * PAGE;
	const struct ringd_buf_reg reg = { .ring_entries = 512, .bgid = 65535, .flags = RINGD_PBUF_RING_MMAP };
	const off_t off = (off_t)(RINGD_OFF_PBUF_RING + (65535ull << RINGD_OFF_PBUF_SHIFT));
	struct ringd_buf_status status = { .buf_group = 65535 };
	struct ringd_sqe sqe = read_selected(65535);
	struct ringd_buf *buf;
	int fd = -1;

	ck_assert_int_eq(raw_register_files(&ring, fifo, 1), 0);
	ck_assert_int_eq(pbuf(RINGD_REGISTER_PBUF_RING, 1, &reg, &fd), 0);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES, bytes + 2 * PAGE);
	buf = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off);
	ck_assert_ptr_ne(buf, MAP_FAILED);
	ck_assert_int_lt(ftruncate(fd, 0), 0);
	close(fd);
	buf[0] = (struct ringd_buf){ .addr = A, .len = 4, .bid = 77, .resv = 1 };
	ck_assert_int_eq(write(fifo[1], "abcdef", 6), 6);
	ck_assert_int_eq(raw_one(&ring, &sqe), 4);
	ck_assert_mem_eq(arena.ptr, "abcd", 4);
	ck_assert_int_eq(pbuf_status(&status, 1), 0);
	ck_assert_uint_eq(status.head, 1);
	ck_assert_int_eq(pbuf_remove(65535), 0);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES, bytes);
	buf[0].resv = 2;	/* its memory is still there, and nobody looks at it */
	ck_assert_int_eq(raw_one(&ring, &sqe), -ENOBUFS);
	munmap(buf, 2 * PAGE);
}
END_TEST

START_TEST(a_buffer_ring_keeps_its_arena)
{
	struct ringd_sqe sqe = read_selected(1);
	struct ringd_buf *buf = (struct ringd_buf *)(void *)arena.ptr;

	ck_assert_int_eq(raw_register_files(&ring, fifo, 1), 0);
	ck_assert_int_eq(pbuf_at(A, 4, 1), 0);
	buf[0] = (struct ringd_buf){ .addr = A + PAGE, .len = 4, .bid = 1, .resv = 1 };
	ck_assert_int_eq(raw_arena_free(&raw, arena.id), 0);
	ck_assert_int_eq(write(fifo[1], "abcdef", 6), 6);
	ck_assert_int_eq(raw_one(&ring, &sqe), -EFAULT);	/* the entry is read, its address means nothing now */
	ck_assert_int_eq(fallocate(arena.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)PAGE), 0);
	ck_assert_int_eq(raw_one(&ring, &sqe), -ENOBUFS);
	ck_assert_int_eq(pbuf_remove(1), 0);
	rd_daemon_expect_used(&d, geteuid(), RINGD_LIMIT_BYTES, ring.rings_size + ring.sqes_size + ring.scratch_size);
}
END_TEST

START_TEST(probe_tells_what_is_served)
{
	struct ringd_register req = { .ring_id = ring.id, .opcode = RINGD_REGISTER_PROBE, .nr = 256 };
	struct {
		struct ringd_registered head;
		struct ringd_probe probe;
		struct ringd_probe_op ops[256];
	} answer;

	memset(&answer, 0xff, sizeof(answer));
	ck_assert_int_eq(raw_call(&raw, &req.msg, RINGD_MSG_REGISTER, sizeof(req), NULL, 0, &answer, sizeof(answer)), 0);
	ck_assert_uint_eq(answer.probe.last_op, RINGD_OP_LAST - 1);
	ck_assert_uint_eq(answer.probe.ops_len, RINGD_OP_LAST);
	ck_assert_uint_eq(answer.ops[RINGD_OP_NOP].flags, RINGD_OP_SUPPORTED);
	ck_assert_uint_eq(answer.ops[RINGD_OP_READ].flags, RINGD_OP_SUPPORTED);
	ck_assert_uint_eq(answer.ops[RINGD_OP_RECV_ZC].flags, RINGD_OP_SUPPORTED);
	for (uint8_t i = 0; i < RINGD_OP_LAST; i++)
		ck_assert_uint_eq(answer.ops[i].op, i);
	ck_assert_uint_eq(answer.ops[RINGD_OP_LAST].flags, 0);
	ck_assert_uint_eq(answer.ops[255].flags, 0);
	ck_assert_int_eq(bare(RINGD_REGISTER_PROBE, 257), -EINVAL);
	ck_assert_int_eq(bare(RINGD_REGISTER_LAST, 1), -EINVAL);
}
END_TEST

int main(void)
{
	const char *missing = rd_daemon_missing();
	Suite *suite;
	TCase *tc;

	if (missing)
		return rd_suite_skip(missing);
	suite = suite_create("register");
	tc = tcase_create("calls");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, files_errors);
	tcase_add_test(tc, files2_errors);
	tcase_add_test(tc, files_update_errors);
	tcase_add_test(tc, files_update_does_what_comes_before_the_bad_entry);
	tcase_add_test(tc, alloc_range);
	tcase_add_test(tc, a_replaced_slot_posts_its_tag);
	tcase_add_test(tc, a_tag_waits_for_the_last_request_on_its_file);
	tcase_add_test(tc, tags_of_a_full_cq_are_not_lost);
	tcase_add_test(tc, buffers_errors);
	tcase_add_test(tc, a_buffer_outlives_its_slot_and_its_arena_while_it_is_used);
	tcase_add_test(tc, buffer_rings_errors);
	tcase_add_test(tc, a_buffer_ring_of_the_engine_is_mapped_where_io_uring_has_it);
	tcase_add_test(tc, a_buffer_ring_keeps_its_arena);
	tcase_add_test(tc, probe_tells_what_is_served);
	suite_add_tcase(suite, tc);
	return rd_suite_main(suite);
}
