/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registered files and buffers. What only this process can know is checked here, in the order of io_uring's own checks:
 * whether a number is an open descriptor, and RLIMIT_NOFILE. To keep that order the sizes of the tables are remembered.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "private.h"

/* --- descriptors --- */

/* Would the kernel pass it on? Not a ring of its own io_uring. */
static bool passable(const int pair[2], int fd)
{
	char byte;
	int r = rdl_sock_send(pair[0], "", 1, &fd, 1, 0);

	if (r == 0)	/* received without room for a descriptor: it is dropped */
		(void)!recv(pair[1], &byte, sizeof(byte), MSG_DONTWAIT);
	return r != -EBADF && r != -EINVAL;
}

/* The descriptors by which rings are known here. */
static bool is_ring(const struct ringd *rd, int fd)
{
	for (const struct ringd_ring *ring = rd->rings; ring; ring = ring->next) {
		if (fd == ring->wake || fd == ring->doorbell)
			return true;
	}
	return false;
}

/* As io_uring: open, not by O_PATH, and no ring. */
static bool registrable(const struct ringd *rd, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH) && !is_ring(rd, fd);
}

/* Index of the first entry below lowest or not registrable, nr if there is none. deep: ... or not passable. */
static unsigned int first_bad(const struct ringd *rd, const int *fds, unsigned int nr, int lowest, bool deep)
{
	int pair[2] = { -1, -1 };
	unsigned int i;

	if (deep && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		deep = false;
	for (i = 0; i < nr; i++) {
		if (fds[i] < lowest || (fds[i] >= 0 && !registrable(rd, fds[i])))
			break;
		if (deep && fds[i] >= 0 && !passable(pair, fds[i]))
			break;
	}
	rdl_close(pair[0]);
	rdl_close(pair[1]);
	return i;
}

static bool beyond_rlimit(unsigned int nr)
{
	struct rlimit rl;

	return getrlimit(RLIMIT_NOFILE, &rl) == 0 && nr > rl.rlim_cur;
}

/* What first_bad() should do: a request of one packet may simply be tried. */
static bool many(unsigned int nr)
{
	return nr > RINGD_MSG_FDS;
}

/* --- files --- */

static int files_register(struct ringd_ring *ring, const int *fds, const uint64_t *tags, unsigned int nr, bool deep)
{
	struct ringd_rsrc_register head = { .nr = nr };
	struct ringd *rd = ring->rd;
	bool unsent = false;
	struct rdl_call c;
	int r;

	if (first_bad(rd, fds, nr, -1, deep) < nr)
		return rdl_fail(rd, -EBADF, "register files: entry %u", first_bad(rd, fds, nr, -1, deep));
	r = rdl_call_init(ring->rd, &c, tags ? RINGD_REGISTER_FILES2 : RINGD_REGISTER_FILES, nr,
		      sizeof(head) + nr * (sizeof(int32_t) + sizeof(*tags)), nr);
	if (r == 0) {
		if (tags)
			rdl_call_add(&c, &head, sizeof(head));
		rdl_call_add_fds(&c, fds, nr);
		rdl_call_add_tags(&c, tags, nr);
		r = rdl_call_simple(ring, &c, &unsent);
	}
	rdl_call_free(&c);
	if (unsent && !deep && first_bad(rd, fds, nr, -1, true) < nr)
		return files_register(ring, fds, tags, nr, true);
	return r;
}

/* The checks that come before a look at the descriptors. */
static int files_check(struct ringd_ring *ring, unsigned int nr)
{
	int r = rdl_check_alive(ring);

	if (r < 0)
		return r;
	if (!nr)
		return rdl_fail(ring->rd, -EINVAL, "register files: none");
	if (nr > RINGD_MAX_FIXED_FILES)
		return rdl_fail(ring->rd, -EMFILE, "register files: %u, at most %u", nr, RINGD_MAX_FIXED_FILES);
	if (beyond_rlimit(nr))
		return rdl_fail(ring->rd, -EMFILE, "register files: %u, more than RLIMIT_NOFILE", nr);
	return 0;
}

static int register_files(struct ringd_ring *ring, const int *fds, const uint64_t *tags, unsigned int nr)
{
	int r = files_check(ring, nr);

	if (r < 0)
		return r;
	if (!fds)
		return rdl_fail(ring->rd, -EFAULT, "register files: no list");
	if (ring->files_nr)
		return rdl_fail(ring->rd, -EBUSY, "register files: there is a table");
	r = files_register(ring, fds, tags, nr, many(nr));
	if (r >= 0)
		ring->files_nr = nr;
	return r;
}

int ringd_register_files(struct ringd_ring *ring, const int *fds, unsigned int nr)
{
	return register_files(ring, fds, NULL, nr);
}

int ringd_register_files_tags(struct ringd_ring *ring, const int *fds, const uint64_t *tags, unsigned int nr)
{
	return register_files(ring, fds, tags, nr);
}

int ringd_register_files_sparse(struct ringd_ring *ring, unsigned int nr)
{
	struct ringd_rsrc_register head = { .nr = nr, .flags = RINGD_RSRC_REGISTER_SPARSE };
	int r = files_check(ring, nr);

	if (r == 0)
		r = rdl_call_one(ring, RINGD_REGISTER_FILES2, nr, &head, sizeof(head));
	if (r >= 0)
		ring->files_nr = nr;
	return r;
}

/*
 * good entries without a bad descriptor among them, and with bad another one that has one: io_uring empties that slot before
 * it looks at the descriptor.
 */
static int files_update(struct ringd_ring *ring, unsigned int off, const int *fds, const uint64_t *tags, unsigned int good,
			bool bad, bool *unsent)
{
	const uint32_t nr = good + bad;
	struct ringd_rsrc_update2 head2 = { .offset = off, .nr = nr };
	struct ringd_files_update head = { .offset = off };
	const uint64_t no_tag = 0;
	const int remove = -1;
	struct rdl_call c;
	int r;

	r = rdl_call_init(ring->rd, &c, tags ? RINGD_REGISTER_FILES_UPDATE2 : RINGD_REGISTER_FILES_UPDATE, nr,
		      sizeof(head2) + nr * (sizeof(int32_t) + sizeof(*tags)), nr);
	if (r == 0) {
		if (tags)
			rdl_call_add(&c, &head2, sizeof(head2));
		else
			rdl_call_add(&c, &head, sizeof(head));
		rdl_call_add_fds(&c, fds, good);
		rdl_call_add_fds(&c, &remove, bad);
		rdl_call_add_tags(&c, tags, good);
		if (tags)
			rdl_call_add_tags(&c, &no_tag, bad);
		r = rdl_call_simple(ring, &c, unsent);
	}
	rdl_call_free(&c);
	return r > (int)good ? (int)good : r;
}

static bool update_inside(unsigned int off, unsigned int nr, uint32_t table)
{
	return nr && nr <= table && off <= table - nr;
}

static int register_files_update(struct ringd_ring *ring, unsigned int off, const int *fds, const uint64_t *tags,
				 unsigned int nr)
{
	struct ringd *rd = ring->rd;
	bool unsent = false;
	unsigned int good;
	int r = rdl_check_alive(ring);

	if (r < 0)
		return r;
	if (!nr)
		return rdl_fail(rd, -EINVAL, "update files: none");
	if (!ring->files_nr)
		return rdl_fail(rd, -ENXIO, "update files: no table");
	if (!update_inside(off, nr, ring->files_nr))
		return rdl_fail(rd, -EINVAL, "update files: %u at %u, the table has %u", nr, off, ring->files_nr);
	if (!fds)
		return rdl_fail(rd, -EFAULT, "update files: no list");
	good = first_bad(rd, fds, nr, RINGD_REGISTER_FILES_SKIP, many(nr));
	r = files_update(ring, off, fds, tags, good, good < nr, &unsent);
	if (unsent) {
		good = first_bad(rd, fds, good, RINGD_REGISTER_FILES_SKIP, true);
		r = files_update(ring, off, fds, tags, good, good < nr, &unsent);
	}
	return r ? r : rdl_fail(rd, -EBADF, "update files: first entry");
}

int ringd_register_files_update(struct ringd_ring *ring, unsigned int off, const int *fds, unsigned int nr)
{
	return register_files_update(ring, off, fds, NULL, nr);
}

int ringd_register_files_update_tag(struct ringd_ring *ring, unsigned int off, const int *fds, const uint64_t *tags,
				    unsigned int nr)
{
	return register_files_update(ring, off, fds, tags, nr);
}

int ringd_unregister_files(struct ringd_ring *ring)
{
	int r = rdl_call_one(ring, RINGD_UNREGISTER_FILES, 0, NULL, 0);

	if (r >= 0)
		ring->files_nr = 0;
	return r;
}

int ringd_register_file_alloc_range(struct ringd_ring *ring, unsigned int off, unsigned int len)
{
	struct ringd_file_index_range range = { .off = off, .len = len };

	return rdl_call_one(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, 0, &range, sizeof(range));
}

/* --- buffers --- */

static int buffers_call(struct ringd_ring *ring, uint32_t opcode, const void *head, size_t head_size,
			const struct iovec *iov, const uint64_t *tags, unsigned int nr)
{
	struct rdl_call c;
	int r;

	r = rdl_call_init(ring->rd, &c, opcode, nr, head_size + nr * (2 * sizeof(uint64_t) + sizeof(*tags)), 0);
	if (r == 0) {
		rdl_call_add(&c, head, head_size);
		rdl_call_add_iovecs(&c, iov, nr);
		rdl_call_add_tags(&c, tags, nr);
		r = rdl_call_simple(ring, &c, NULL);
	}
	rdl_call_free(&c);
	return r;
}

static int register_buffers(struct ringd_ring *ring, const struct iovec *iov, const uint64_t *tags, unsigned int nr)
{
	struct ringd_rsrc_register head = { .nr = nr };
	int r = rdl_check_alive(ring);

	if (r < 0)
		return r;
	if (!nr || nr > RINGD_MAX_BUFFERS)
		return rdl_fail(ring->rd, -EINVAL, "register buffers: %u, at most %u", nr, RINGD_MAX_BUFFERS);
	if (!iov)
		return rdl_fail(ring->rd, -EFAULT, "register buffers: no list");
	if (tags)
		r = buffers_call(ring, RINGD_REGISTER_BUFFERS2, &head, sizeof(head), iov, tags, nr);
	else
		r = buffers_call(ring, RINGD_REGISTER_BUFFERS, NULL, 0, iov, NULL, nr);
	if (r >= 0)
		ring->bufs_nr = nr;
	return r;
}

int ringd_register_buffers(struct ringd_ring *ring, const struct iovec *iov, unsigned int nr)
{
	return register_buffers(ring, iov, NULL, nr);
}

int ringd_register_buffers_tags(struct ringd_ring *ring, const struct iovec *iov, const uint64_t *tags, unsigned int nr)
{
	return register_buffers(ring, iov, tags, nr);
}

int ringd_register_buffers_sparse(struct ringd_ring *ring, unsigned int nr)
{
	struct ringd_rsrc_register head = { .nr = nr, .flags = RINGD_RSRC_REGISTER_SPARSE };
	int r = rdl_call_one(ring, RINGD_REGISTER_BUFFERS2, nr, &head, sizeof(head));

	if (r >= 0)
		ring->bufs_nr = nr;
	return r;
}

int ringd_register_buffers_update_tag(struct ringd_ring *ring, unsigned int off, const struct iovec *iov,
				      const uint64_t *tags, unsigned int nr)
{
	struct ringd_rsrc_update2 head = { .offset = off, .nr = nr };
	int r = rdl_check_alive(ring);

	if (r < 0)
		return r;
	if (!nr)
		return rdl_fail(ring->rd, -EINVAL, "update buffers: none");
	if (!ring->bufs_nr)
		return rdl_fail(ring->rd, -ENXIO, "update buffers: no table");
	if (!update_inside(off, nr, ring->bufs_nr))
		return rdl_fail(ring->rd, -EINVAL, "update buffers: %u at %u, the table has %u", nr, off, ring->bufs_nr);
	if (!iov)
		return rdl_fail(ring->rd, -EFAULT, "update buffers: no list");
	return buffers_call(ring, RINGD_REGISTER_BUFFERS_UPDATE, &head, sizeof(head), iov, tags, nr);
}

int ringd_unregister_buffers(struct ringd_ring *ring)
{
	int r = rdl_call_one(ring, RINGD_UNREGISTER_BUFFERS, 0, NULL, 0);

	if (r >= 0)
		ring->bufs_nr = 0;
	return r;
}

/* --- probe --- */

int ringd_register_probe(struct ringd_ring *ring, struct ringd_probe *probe, unsigned int nr)
{
	const size_t room = sizeof(*probe) + (size_t)nr * sizeof(probe->ops[0]);
	union {
		struct ringd_error error;
		struct ringd_msg msg;
		char bytes[sizeof(struct ringd_msg) + sizeof(struct ringd_probe) + 256 * sizeof(struct ringd_probe_op)];
	} answer;
	struct rdl_packet in = { .data = &answer, .size = sizeof(answer) };
	struct rdl_call c;
	int r;

	if (!probe || nr > RINGD_MAX_PROBE_OPS)
		return rdl_fail(ring->rd, -EINVAL, "probe of %u operations", nr);
	for (size_t i = 0; i < room; i++) {
		if (((const char *)probe)[i])
			return rdl_fail(ring->rd, -EINVAL, "probe: memory is not zero");
	}
	r = rdl_call_init(ring->rd, &c, RINGD_REGISTER_PROBE, nr, 0, 0);
	if (r == 0)
		r = rdl_call_do(ring->rd, ring, &c, &in, sizeof(answer.msg) + sizeof(*probe), 0, NULL);
	rdl_call_free(&c);
	if (r < 0)
		return r;
	memcpy(probe, answer.bytes + sizeof(answer.msg), RDL_MIN(in.size - sizeof(answer.msg), room));
	if (probe->ops_len > nr)
		probe->ops_len = (uint8_t)nr;
	return r;
}
