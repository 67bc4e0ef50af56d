/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of buffers and files. */
#include "client-lib/compat/api/private.h"

int io_uring_register_buffers(struct rd_uring *ring, const struct iovec *iovecs, unsigned int nr_iovecs)
{
	return rd_uring_call(ring, RINGD_REGISTER_BUFFERS, iovecs, nr_iovecs);
}

/* The second generation of calls names the size of its structure instead of a number of elements. */
static int make(struct rd_uring *ring, unsigned int opcode, const void *data, const uint64_t *tags, unsigned int nr,
		uint32_t flags)
{
	struct ringd_rsrc_register reg = {
		.nr = nr, .flags = flags, .data = (uintptr_t)data, .tags = (uintptr_t)tags,
	};

	return rd_uring_call(ring, opcode, &reg, sizeof(reg));
}

static int update(struct rd_uring *ring, unsigned int opcode, unsigned int off, const void *data, const uint64_t *tags,
		  unsigned int nr)
{
	struct ringd_rsrc_update2 up = {
		.offset = off, .data = (uintptr_t)data, .tags = (uintptr_t)tags, .nr = nr,
	};

	return rd_uring_call(ring, opcode, &up, sizeof(up));
}

int io_uring_register_buffers_tags(struct rd_uring *ring, const struct iovec *iovecs, const uint64_t *tags, unsigned int nr)
{
	return make(ring, RINGD_REGISTER_BUFFERS2, iovecs, tags, nr, 0);
}

int io_uring_register_buffers_sparse(struct rd_uring *ring, unsigned int nr)
{
	return make(ring, RINGD_REGISTER_BUFFERS2, NULL, NULL, nr, RINGD_RSRC_REGISTER_SPARSE);
}

int io_uring_register_buffers_update_tag(struct rd_uring *ring, unsigned int off, const struct iovec *iovecs,
					 const uint64_t *tags, unsigned int nr)
{
	return update(ring, RINGD_REGISTER_BUFFERS_UPDATE, off, iovecs, tags, nr);
}

int io_uring_unregister_buffers(struct rd_uring *ring)
{
	return rd_uring_call(ring, RINGD_UNREGISTER_BUFFERS, NULL, 0);
}

/* The source may be named by its registered index only if the caller allows that, and it has one. */
int __io_uring_clone_buffers_offset(struct rd_uring *dst, struct rd_uring *src, unsigned int dst_off, unsigned int src_off,
				    unsigned int nr, unsigned int flags)
{
	bool index = (flags & RINGD_REGISTER_SRC_REGISTERED) && (src->int_flags & RD_URING_REG_REG);
	struct ringd_clone_buffers clone = {
		.src_fd = (uint32_t)(index ? src->enter_ring_fd : src->ring_fd),
		.flags = index ? flags : flags & ~RINGD_REGISTER_SRC_REGISTERED,
		.src_off = src_off, .dst_off = dst_off, .nr = nr,
	};

	return rd_uring_call(dst, RINGD_REGISTER_CLONE_BUFFERS, &clone, 1);
}

int io_uring_clone_buffers_offset(struct rd_uring *dst, struct rd_uring *src, unsigned int dst_off, unsigned int src_off,
				  unsigned int nr, unsigned int flags)
{
	return __io_uring_clone_buffers_offset(dst, src, dst_off, src_off, nr, flags | RINGD_REGISTER_SRC_REGISTERED);
}

int __io_uring_clone_buffers(struct rd_uring *dst, struct rd_uring *src, unsigned int flags)
{
	return __io_uring_clone_buffers_offset(dst, src, 0, 0, 0, flags);
}

int io_uring_clone_buffers(struct rd_uring *dst, struct rd_uring *src)
{
	return __io_uring_clone_buffers_offset(dst, src, 0, 0, 0, RINGD_REGISTER_SRC_REGISTERED);
}

/* A table larger than RLIMIT_NOFILE is refused with EMFILE: once, the limit is raised. */
int io_uring_register_files(struct rd_uring *ring, const int *files, unsigned int nr_files)
{
	int r = rd_uring_call(ring, RINGD_REGISTER_FILES, files, nr_files);

	if (r != -EMFILE)
		return r;
	rd_uring_raise_nofile(nr_files);
	return rd_uring_call(ring, RINGD_REGISTER_FILES, files, nr_files);
}

static int make_files(struct rd_uring *ring, const int *files, const uint64_t *tags, unsigned int nr, uint32_t flags)
{
	int r = make(ring, RINGD_REGISTER_FILES2, files, tags, nr, flags);

	if (r != -EMFILE)
		return r;
	rd_uring_raise_nofile(nr);
	return make(ring, RINGD_REGISTER_FILES2, files, tags, nr, flags);
}

int io_uring_register_files_tags(struct rd_uring *ring, const int *files, const uint64_t *tags, unsigned int nr)
{
	return make_files(ring, files, tags, nr, 0);
}

int io_uring_register_files_sparse(struct rd_uring *ring, unsigned int nr)
{
	return make_files(ring, NULL, NULL, nr, RINGD_RSRC_REGISTER_SPARSE);
}

int io_uring_register_files_update(struct rd_uring *ring, unsigned int off, const int *files, unsigned int nr_files)
{
	struct ringd_files_update up = { .offset = off, .fds = (uintptr_t)files };

	return rd_uring_call(ring, RINGD_REGISTER_FILES_UPDATE, &up, nr_files);
}

int io_uring_register_files_update_tag(struct rd_uring *ring, unsigned int off, const int *files, const uint64_t *tags,
				       unsigned int nr_files)
{
	return update(ring, RINGD_REGISTER_FILES_UPDATE2, off, files, tags, nr_files);
}

int io_uring_unregister_files(struct rd_uring *ring)
{
	return rd_uring_call(ring, RINGD_UNREGISTER_FILES, NULL, 0);
}

int io_uring_register_file_alloc_range(struct rd_uring *ring, unsigned int off, unsigned int len)
{
	struct ringd_file_index_range range = { .off = off, .len = len };

	return rd_uring_call(ring, RINGD_REGISTER_FILE_ALLOC_RANGE, &range, 0);
}
