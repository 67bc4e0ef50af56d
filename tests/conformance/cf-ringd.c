/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance tests on ringd: libringd with a real daemon, one for all tests of a back end. What io_uring_enter(2) and
 * io_uring_register(2) take as numbers and structures, and the words of the rings, are looked for behind the public calls
 * of the library, in its own structures.
 */
#include "cf.h"

#include <sys/syscall.h>

#include "client-lib/private.h"
#include "tests/hostile/daemon.h"

#define SLOTS 64	/* of the table made by the first cf_sqe_fd() */

struct cf_impl {
	struct ringd_ring *r;
	bool have_files;		/* the test made a table itself */
	unsigned int n_slots;		/* used of ours */
	int slot_of[SLOTS];
};

const struct cf_back_end cf_back_ends[] = { { "sync", CF_SYNC }, { "uring", CF_URING }, { NULL, 0 } };

static struct rd_daemon daemon_;
static struct ringd *rd;
static struct ringd_arena *arena;

const char *cf_missing(void)
{
	return rd_daemon_missing();
}

const char *cf_missing_back_end(const struct cf_back_end *b)
{
	struct ringd_params p = { 0 };
	long fd;

	if (b->target != CF_URING)
		return NULL;
	fd = syscall(__NR_io_uring_setup, 1, &p);
	if (fd < 0)
		return "the engine has no io_uring here";
	close((int)fd);
	return NULL;
}

void cf_start(const struct cf_back_end *b)
{
	const char *const args[] = { "--backend", b->name, NULL };

	rd_daemon_start(&daemon_, args);
}

void cf_stop(const struct cf_back_end *b)
{
	(void)b;
	rd_daemon_expect_idle(&daemon_, geteuid());
	rd_daemon_stop(&daemon_);
}

void cf_begin(const struct cf_back_end *b)
{
	(void)b;
	rd = NULL;
	arena = NULL;
}

static struct ringd *connection(void)
{
	if (!rd) {
		int r = ringd_connect(&rd, daemon_.socket);

		ck_assert_msg(r == 0, "cannot connect: %s", ringd_strerror(NULL));
	}
	return rd;
}

/* What the parent has made is the parent's. */
void cf_child_begin(void)
{
	rd = NULL;
	arena = NULL;
}

void cf_end(void)
{
	ringd_close(rd);
}

void cf_impl_forked(void)
{
	rd = NULL;
	arena = NULL;
}

void *cf_region(size_t size)
{
	ck_assert_int_eq(ringd_arena_new(connection(), &arena, size, 0), 0);
	return ringd_arena_base(arena);
}

/* --- rings --- */

int cf_impl_new(struct cf_ring *ring, unsigned int entries, struct ringd_params *p)
{
	struct cf_impl *i;
	struct ringd_ring *r;
	int err = ringd_ring_new_params(connection(), &r, entries, p);

	if (err < 0)
		return err;
	i = calloc(1, sizeof(*i));
	ck_assert_ptr_nonnull(i);
	i->r = r;
	/* the tests fill in SQEs themselves: this has the library ask for what new descriptors come through */
	ringd_prep_fixed_fd_install(r, &(struct ringd_sqe){ 0 }, 0, 0);
	ring->p = *p;
	ring->fd = (int)r->id;
	ring->impl = i;
	return 0;
}

void cf_impl_free(struct cf_ring *ring)
{
	ringd_ring_free(ring->impl->r);
	free(ring->impl);
}

struct ringd_sqe *cf_impl_sqe(struct cf_ring *ring, unsigned int op)
{
	struct ringd_sqe *sqe = ringd_get_sqe(ring->impl->r);

	ck_assert_msg(sqe != NULL, "the SQ is full");
	sqe->opcode = (uint8_t)op;
	sqe->fd = -1;
	return sqe;
}

struct ringd_sqe *cf_sqe128(struct cf_ring *ring, unsigned int op)
{
	struct ringd_sqe *sqe = ringd_get_sqe128(ring->impl->r);

	ck_assert_msg(sqe != NULL, "the SQ is full");
	sqe->opcode = (uint8_t)op;
	sqe->fd = -1;
	return sqe;
}

void cf_sqe_fd(struct cf_ring *ring, struct ringd_sqe *sqe, int fd)
{
	struct cf_impl *i = ring->impl;
	unsigned int slot;

	if (fcntl(fd, F_GETFD) < 0) {
		sqe->fd = fd;
		return;
	}
	ck_assert_msg(!i->have_files, "a descriptor and a file table in one test");
	if (!i->n_slots)
		ck_assert_int_eq(ringd_register_files_sparse(i->r, SLOTS), 0);
	for (slot = 0; slot < i->n_slots && i->slot_of[slot] != fd; slot++)
		;
	ck_assert_uint_lt(slot, SLOTS);
	if (slot == i->n_slots) {
		i->slot_of[i->n_slots++] = fd;
		ck_assert_int_eq(ringd_register_files_update(i->r, slot, &fd, 1), 1);
	}
	sqe->fd = (int)slot;
	sqe->flags |= RINGD_SQE_FIXED_FILE;
}

void cf_lend(struct cf_ring *ring, int fd)
{
	(void)ring;
	ck_assert_int_eq(ringd_fd_lend(rd, &fd, 1), 1);
}

void cf_prep_open(struct cf_ring *ring, struct ringd_sqe *sqe, const char *path, int flags, unsigned int mode)
{
	/* the slot is set afterwards: a plain one might need more than an SQE */
	ringd_prep_openat_direct(ring->impl->r, sqe, AT_FDCWD, path, flags, mode, 0);
}

unsigned int cf_sq_pending(struct cf_ring *ring)
{
	return ringd_sq_ready(ring->impl->r);
}

void cf_publish(struct cf_ring *ring)
{
	struct ringd_ring *r = ring->impl->r;

	rdl_store_release(&r->hot->sq_tail, r->sq_tail);
	r->sq_published = r->sq_tail;
}

int cf_enter(struct cf_ring *ring, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
	     size_t size)
{
	return ringd_enter(ring->impl->r, to_submit, min_complete, flags, arg, size);
}

int cf_enter_registered(unsigned int index, unsigned int to_submit, unsigned int min_complete, unsigned int flags, const void *arg,
			size_t size)
{
	return ringd_enter_registered(index, to_submit, min_complete, flags, arg, size);
}

/* --- register --- */

static const uint64_t *tags_of(uint64_t addr)
{
	return (const uint64_t *)(uintptr_t)addr;
}

/* What no call of the library can say */
static bool is_odd(const struct ringd_rsrc_register *a)
{
	return (a->flags & ~RINGD_RSRC_REGISTER_SPARSE) || a->resv2 || ((a->flags & RINGD_RSRC_REGISTER_SPARSE) && a->data);
}

static int reg_files2(struct ringd_ring *r, const struct ringd_rsrc_register *a)
{
	if (is_odd(a))
		return -EINVAL;
	if (a->flags & RINGD_RSRC_REGISTER_SPARSE)
		return ringd_register_files_sparse(r, a->nr);
	return ringd_register_files_tags(r, (const int *)(uintptr_t)a->data, tags_of(a->tags), a->nr);
}

static int reg_buffers2(struct ringd_ring *r, const struct ringd_rsrc_register *a)
{
	if (is_odd(a))
		return -EINVAL;
	if (a->flags & RINGD_RSRC_REGISTER_SPARSE)
		return ringd_register_buffers_sparse(r, a->nr);
	return ringd_register_buffers_tags(r, (const struct iovec *)(uintptr_t)a->data, tags_of(a->tags), a->nr);
}

/* The library builds the structures of the other two itself: what only they could get wrong is in check_register. */
static int reg_pbuf_ring(struct ringd_ring *r, const struct ringd_buf_reg *a, unsigned int nr)
{
	struct ringd_buf_reg copy;
	struct ringd_buf_ring *br;
	int res = 0;

	if (!a || nr != 1)
		return -EINVAL;
	copy = *a;
	if (!(a->flags & RINGD_PBUF_RING_MMAP))
		return ringd_register_buf_ring(r, &copy, 0);
	br = ringd_setup_buf_ring(r, a->ring_entries, a->bgid, a->flags, &res);
	if (br)
		munmap(br, a->ring_entries * sizeof(struct ringd_buf));
	return res;
}

static int pbuf_status(struct ringd_ring *r, struct ringd_buf_status *a)
{
	uint16_t head = 0;
	int res = ringd_buf_ring_head(r, (int)a->buf_group, &head);

	a->head = head;
	return res;
}

static int reg_clone(struct ringd_ring *dst, const struct ringd_clone_buffers *c)
{
	struct ringd_ring *src = rd->rings;

	while (src && src->id != c->src_fd)
		src = src->next;
	if (!src)
		return -EBADF;
	return ringd_clone_buffers_offset(dst, src, c->dst_off, c->src_off, c->nr, c->flags);
}

/* Descriptor -1 */
static int reg_blind(unsigned int opcode, const void *arg, unsigned int nr)
{
	switch (opcode) {
	case RINGD_REGISTER_RESTRICTIONS:
		return nr == 1 ? ringd_register_task_restrictions(connection(), arg) : -EINVAL;
	case RINGD_REGISTER_QUERY:
		return nr ? -EINVAL : ringd_query(connection(), (struct ringd_query_hdr *)(uintptr_t)arg);
	case RINGD_REGISTER_SEND_MSG_RING:
		return nr == 1 ? ringd_register_sync_msg(connection(), arg) : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int reg_eventfd(struct ringd_ring *r, unsigned int opcode, const int *fd, unsigned int nr)
{
	if (opcode == RINGD_UNREGISTER_EVENTFD)
		return fd || nr ? -EINVAL : ringd_unregister_eventfd(r);
	if (nr != 1)
		return -EINVAL;
	if (!fd)
		return -EFAULT;
	return opcode == RINGD_REGISTER_EVENTFD ? ringd_register_eventfd(r, *fd) : ringd_register_eventfd_async(r, *fd);
}

/* Calls about how the ring is used. */
static int reg_use(struct ringd_ring *r, unsigned int opcode, void *arg, unsigned int nr)
{
	switch (opcode) {
	case RINGD_REGISTER_EVENTFD:
	case RINGD_REGISTER_EVENTFD_ASYNC:
	case RINGD_UNREGISTER_EVENTFD:
		return reg_eventfd(r, opcode, arg, nr);
	case RINGD_REGISTER_ENABLE_RINGS:
		return nr || arg ? -EINVAL : ringd_enable_rings(r);
	case RINGD_REGISTER_CLOCK:
		return nr ? -EINVAL : ringd_register_clock(r, arg);
	case RINGD_REGISTER_RESIZE_RINGS:
		return nr != 1 ? -EINVAL : ringd_resize_rings(r, arg);
	case RINGD_REGISTER_RING_FDS:
		return ringd_register_ring_fds(rd, arg, nr);
	case RINGD_UNREGISTER_RING_FDS:
		return ringd_unregister_ring_fds(rd, arg, nr);
	default:
		return -EINVAL;
	}
}

/* Calls about the ring itself. Their numbers of arguments are the library's business: what is wrong with them ends here. */
static int reg_ring(struct ringd_ring *r, unsigned int opcode, const void *arg, unsigned int nr)
{
	switch (opcode) {
	case RINGD_REGISTER_PERSONALITY:
		return nr || arg ? -EINVAL : ringd_register_personality(r);
	case RINGD_UNREGISTER_PERSONALITY:
		return arg ? -EINVAL : ringd_unregister_personality(r, (int)nr);
	case RINGD_REGISTER_RESTRICTIONS:
		return ringd_register_restrictions(r, arg, nr);
	case RINGD_REGISTER_IOWQ_AFF:
		return ringd_register_iowq_aff(r, nr, arg);
	case RINGD_UNREGISTER_IOWQ_AFF:
		return nr || arg ? -EINVAL : ringd_unregister_iowq_aff(r);
	case RINGD_REGISTER_IOWQ_MAX_WORKERS:
		return nr != 2 ? -EINVAL : ringd_register_iowq_max_workers(r, (unsigned int *)(uintptr_t)arg);
	case RINGD_REGISTER_SYNC_CANCEL:
		return nr != 1 ? -EINVAL : ringd_register_sync_cancel(r, arg);
	case RINGD_REGISTER_CLONE_BUFFERS:
		return nr != 1 ? -EINVAL : reg_clone(r, arg);
	case RINGD_REGISTER_MEM_REGION:
		return nr != 1 ? -EINVAL : ringd_register_region(r, arg);
	case RINGD_REGISTER_QUERY:
		return reg_blind(opcode, arg, nr);
	case RINGD_REGISTER_NAPI:
		return nr != 1 ? -EINVAL : ringd_register_napi(r, (struct ringd_napi *)(uintptr_t)arg);
	case RINGD_UNREGISTER_NAPI:
		return nr != 1 ? -EINVAL : ringd_unregister_napi(r, (struct ringd_napi *)(uintptr_t)arg);
	case RINGD_REGISTER_ZCRX_IFQ:
		return nr != 1 ? -EINVAL : ringd_register_ifq(r, (struct ringd_zcrx_ifq_reg *)(uintptr_t)arg);
	case RINGD_REGISTER_ZCRX_CTRL:
		return nr ? -EINVAL : ringd_register_zcrx_ctrl(r, (struct ringd_zcrx_ctrl *)(uintptr_t)arg);
	case RINGD_REGISTER_BPF_FILTER:
		return nr != 1 ? -EINVAL : ringd_register_bpf_filter(r, arg);
	default:
		return reg_use(r, opcode, (void *)(uintptr_t)arg, nr);
	}
}

int cf_poll_fd(struct cf_ring *ring)
{
	return ringd_ring_fd(ring->impl->r);
}

void *cf_map_region(struct cf_ring *ring, size_t size)
{
	size_t is = 0;
	void *p = ringd_ring_region(ring->impl->r, &is);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(is, size);
	return p;
}

int cf_register(struct cf_ring *ring, unsigned int opcode, const void *arg, unsigned int nr)
{
	const struct ringd_rsrc_update2 *up2 = arg;
	const struct ringd_files_update *up = arg;
	struct cf_impl *i;

	if (!ring)
		return reg_blind(opcode, arg, nr);
	i = ring->impl;
	if (opcode == RINGD_REGISTER_FILES || opcode == RINGD_REGISTER_FILES2)
		i->have_files = true;
	/* with a structure of 32 bytes its size is told, where the library knows it */
	if ((opcode == RINGD_REGISTER_FILES2 || opcode == RINGD_REGISTER_FILES_UPDATE2 || opcode == RINGD_REGISTER_BUFFERS2 ||
	     opcode == RINGD_REGISTER_BUFFERS_UPDATE) && nr != sizeof(*up2))
		return -EINVAL;
	if ((opcode == RINGD_UNREGISTER_FILES || opcode == RINGD_UNREGISTER_BUFFERS) && (arg || nr))
		return -EINVAL;
	switch (opcode) {
	case RINGD_REGISTER_BUFFERS:
		return ringd_register_buffers(i->r, arg, nr);
	case RINGD_UNREGISTER_BUFFERS:
		return ringd_unregister_buffers(i->r);
	case RINGD_REGISTER_FILES:
		return ringd_register_files(i->r, arg, nr);
	case RINGD_UNREGISTER_FILES:
		return ringd_unregister_files(i->r);
	case RINGD_REGISTER_FILES_UPDATE:
		return ringd_register_files_update(i->r, up->offset, (const int *)(uintptr_t)up->fds, nr);
	case RINGD_REGISTER_PROBE:
		return ringd_register_probe(i->r, (void *)(uintptr_t)arg, nr);
	case RINGD_REGISTER_FILES2:
		return reg_files2(i->r, arg);
	case RINGD_REGISTER_FILES_UPDATE2:
		return ringd_register_files_update_tag(i->r, up2->offset, (const int *)(uintptr_t)up2->data, tags_of(up2->tags),
						       up2->nr);
	case RINGD_REGISTER_BUFFERS2:
		return reg_buffers2(i->r, arg);
	case RINGD_REGISTER_BUFFERS_UPDATE:
		return ringd_register_buffers_update_tag(i->r, up2->offset, (const struct iovec *)(uintptr_t)up2->data,
							 tags_of(up2->tags), up2->nr);
	case RINGD_REGISTER_PBUF_RING:
		return reg_pbuf_ring(i->r, arg, nr);
	case RINGD_UNREGISTER_PBUF_RING:
		return ringd_unregister_buf_ring(i->r, ((const struct ringd_buf_reg *)arg)->bgid);
	case RINGD_REGISTER_PBUF_STATUS:
		return pbuf_status(i->r, (void *)(uintptr_t)arg);
	case RINGD_REGISTER_FILE_ALLOC_RANGE:
		return ringd_register_file_alloc_range(i->r, ((const struct ringd_file_index_range *)arg)->off,
						       ((const struct ringd_file_index_range *)arg)->len);
	default:
		return reg_ring(i->r, opcode, arg, nr);
	}
}

int cf_resize(struct cf_ring *ring, struct ringd_params *p)
{
	int r = ringd_resize_rings(ring->impl->r, p);

	if (r == 0) {
		ring->p.sq_entries = p->sq_entries;
		ring->p.cq_entries = p->cq_entries;
	}
	return r;
}

/* --- completions --- */

unsigned int cf_cq_ready(struct cf_ring *ring)
{
	return ringd_cq_ready(ring->impl->r);
}

static void take(struct cf_ring *ring, struct cf_cqe *cqe, const struct ringd_cqe *c)
{
	struct ringd_ring *r = ring->impl->r;

	*cqe = (struct cf_cqe){ .user_data = c->user_data, .res = c->res, .flags = c->flags };
	if ((ring->p.flags & RINGD_SETUP_CQE32) || (c->flags & RINGD_CQE_F_32))
		memcpy(cqe->big, c + 1, sizeof(cqe->big));
	ringd_cq_advance(r, ringd_cqe_slots(r, c));
}

/* Fillers are CQEs here, which ringd_peek_cqe() would pass over. */
bool cf_peek(struct cf_ring *ring, struct cf_cqe *cqe)
{
	if (!cf_cq_ready(ring))
		return false;
	take(ring, cqe, ringd_cqe_at(ring->impl->r, 0));
	return true;
}

bool cf_wait_cqe_for(struct cf_ring *ring, struct cf_cqe *cqe, unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000l };
	struct ringd_cqe *c;
	int r;

	do {
		if (cf_peek(ring, cqe))
			return true;
		r = ringd_wait_cqe_timeout(ring->impl->r, &c, &ts);
	} while (r == -EINTR || r == 0);
	ck_assert_msg(r == -ETIME, "wait: %s: %s", strerror(-r), ringd_ring_strerror(ring->impl->r));
	return false;
}

/* --- words --- */

unsigned int cf_sq_flags(struct cf_ring *ring)
{
	return rdl_load_acquire(&ring->impl->r->hot->sq_flags);
}

unsigned int cf_sq_head(struct cf_ring *ring)
{
	return rdl_load_acquire(&ring->impl->r->hot->sq_head);
}

unsigned int cf_sq_tail(struct cf_ring *ring)
{
	return ring->impl->r->sq_tail;
}

unsigned int cf_sq_dropped(struct cf_ring *ring)
{
	return rdl_load_acquire(&ring->impl->r->hot->sq_dropped);
}

unsigned int cf_cq_overflow(struct cf_ring *ring)
{
	return rdl_load_acquire(&ring->impl->r->hot->cq_overflow);
}

unsigned int cf_cq_tail(struct cf_ring *ring)
{
	return rdl_load_acquire(&ring->impl->r->hot->cq_tail);
}

/* The library asks for rings without one. */
uint32_t *cf_sq_array(struct cf_ring *ring)
{
	(void)ring;
	return NULL;
}

void cf_set_cq_flags(struct cf_ring *ring, unsigned int flags)
{
	rdl_store_release(&ring->impl->r->hot->cq_flags, flags);
}
