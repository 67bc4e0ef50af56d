/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ring memory and SQEs into fetch, prep and issue. The input is a script for a hostile client: it fills SQEs (whole or
 * shaped, so that interesting ones are frequent), scribbles over the words of the ring, enters, lets the reactor turn and
 * reaps. Files are a memfd, pipes and what it opens; every path it names is made one component of a directory of ours.
 *
 * Must hold: no sanitizer report; sq_head and cq_tail never pass what they may; the ring is freed after it was killed;
 * every accepted request completed; all charges are back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/exec/workers.h"
#include "daemon/engine/ring/event.h"
#include "daemon/engine/ring/ring.h"
#include "daemon/engine/rsrc/bufgroup.h"
#include "daemon/engine/rsrc/fds.h"
#include "daemon/engine/rsrc/pbuf.h"
#include "shapes.h"

#define ARENA_BASE	RD_FUZZ_ARENA
#define ARENA_SIZE	65536u
#define SLOTS		RD_FUZZ_SLOTS
#define BUFS		4u
#define PATIENCE_NS	10000000000ull

static struct rd_engine engine;
static struct rd_host host;
static struct rd_mem arena_mem;
static char *arena;
static struct rd_ring *ring;
static struct rd_ring_memory memory;
static struct rd_layout layout;
static struct ringd_hot *hot;
static uint32_t tail, enters;
static int pipes[2][2];		/* our own ends: what is blocked on the other ones can be let go */

/* --- host --- */

static void *host_map(struct rd_host *h, uint64_t addr, uint64_t len, struct rd_mem **owner)
{
	(void)h;
	if (!rd_range_inside(addr, len, ARENA_BASE, ARENA_SIZE))
		return NULL;
	*owner = &arena_mem;
	return arena + (addr - ARENA_BASE);
}

static int host_copy_in(struct rd_host *h, void *dst, uint64_t addr, size_t len)
{
	(void)h;
	if (!rd_range_inside(addr, len, ARENA_BASE, ARENA_SIZE))
		return -EFAULT;
	memcpy(dst, arena + (addr - ARENA_BASE), len);
	return 0;
}

static int host_copy_out(struct rd_host *h, uint64_t addr, const void *src, size_t len)
{
	(void)h;
	if (!rd_range_inside(addr, len, ARENA_BASE, ARENA_SIZE))
		return -EFAULT;
	memcpy(arena + (addr - ARENA_BASE), src, len);
	return 0;
}

/* Any string becomes the name of something in our directory. */
static ssize_t host_copy_str(struct rd_host *h, char *dst, uint64_t addr, size_t size)
{
	size_t n, room;

	(void)h;
	if (!rd_range_inside(addr, 1, ARENA_BASE, ARENA_SIZE))
		return -EFAULT;
	room = (size_t)(ARENA_BASE + ARENA_SIZE - addr);
	n = strnlen(arena + (addr - ARENA_BASE), room < size ? room : size);
	if (n == size)
		return -ENAMETOOLONG;
	if (n == room)
		return -EFAULT;
	memcpy(dst, arena + (addr - ARENA_BASE), n);
	dst[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (dst[i] == '/' || (dst[i] == '.' && i < 2))
			dst[i] = '_';
	return (ssize_t)n;
}

/* A number means what is in the slot of this number. */
static int host_file(struct rd_host *h, int fd, struct rd_file **ret)
{
	struct rd_file *file = rd_filetable_get(&ring->ctx.files, (uint32_t)fd);

	(void)h;
	*ret = file ? rd_file_get(file) : NULL;
	return file ? 0 : -EBADF;
}

static int host_dirfd(struct rd_host *h, int dirfd, struct rd_mem **owner)
{
	(void)h, (void)dirfd, (void)owner;
	return rd_fuzz_dir();
}

static int host_can_install(struct rd_host *h)
{
	(void)h;
	return 0;
}

/* The client has no descriptors to look at: what it is given goes. Numbers that it has no place for wait to be told for ever. */
static int host_install(struct rd_host *h, struct rd_req *req, const struct rd_newfds *new)
{
	int32_t numbers[2] = { 3, 4 };

	for (uint32_t i = 0; i < new->n; i++)
		rd_file_put(new->files[i]);
	rd_fds_close(new->rights, NULL, NULL);
	if (new->rights)
		return req->res = new->res, RD_DONE;
	req->res = new->n == 1 ? numbers[0] : 0;
	if (new->n != 1)
		req->res = host_copy_out(h, new->addr, numbers, sizeof(numbers));
	return new->n || req->res == 0 ? RD_DONE : rd_req_wait(req);
}

static int host_close(struct rd_host *h, struct rd_req *req, int fd)
{
	(void)h, (void)fd;
	req->res = -EBADF;
	return RD_DONE;
}

static int host_install_cancel(struct rd_host *h, struct rd_req *req)
{
	(void)h;
	rd_fuzz_check(req->opcode == RINGD_OP_PIPE);
	return 0;
}

/* Number 1 is the ring itself, there is no other. */
static int host_ring(struct rd_host *h, int fd, struct rd_ctx **ret)
{
	(void)h;
	*ret = &ring->ctx;
	return fd == 1 && !ring->dead ? 0 : -EBADFD;
}

static void host_wake(struct rd_host *h, struct rd_ring *r)
{
	(void)h, (void)r;
}

static void host_dead(struct rd_host *h, struct rd_ring *r, uint32_t reason)
{
	(void)h;
	rd_fuzz_check(r == ring && hot->state == RINGD_STATE_DEAD && reason != RINGD_REASON_NONE);
}

static void host_gone(struct rd_host *h, struct rd_ring *r)
{
	(void)h;
	rd_fuzz_check(r == ring);
	ring = NULL;
}

static const struct rd_host_ops host_ops = {
	.map = host_map,
	.copy_in = host_copy_in,
	.copy_out = host_copy_out,
	.copy_str = host_copy_str,
	.file = host_file,
	.dirfd = host_dirfd,
	.can_install = host_can_install,
	.install = host_install,
	.close = host_close,
	.install_cancel = host_install_cancel,
	.ring = host_ring,
	.wake = host_wake,
	.ring_dead = host_dead,
	.ring_gone = host_gone,
};

/* --- engine and ring --- */

static void arena_release(struct rd_mem *mem)
{
	(void)mem;
	rd_fuzz_check(!"the arena was released, but its owner still has it");
}

static void engine_stop(void)
{
	rd_engine_deinit(&engine, 1000);
}

static void engine_start(void)
{
	const char *backend = getenv("RINGD_FUZZ_BACKEND");
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = backend && strcmp(backend, "uring") == 0 ? RD_BACKEND_URING : RD_BACKEND_SYNC;
	cfg.limits[RINGD_LIMIT_INFLIGHT] = 24;
	cfg.limits[RINGD_LIMIT_FILES] = 24;
	cfg.limits[RINGD_LIMIT_OBJECTS] = 2048;
	cfg.limits[RINGD_LIMIT_WORKERS] = 4;
	rd_fuzz_check(rd_engine_init(&engine, &cfg) == 0);
	host.ops = &host_ops;
	arena_mem = (struct rd_mem){ .refs = 1, .release = arena_release };
	atexit(engine_stop);
	rd_fuzz_dir();
	rd_fuzz_limit_files();
	signal(SIGPIPE, SIG_IGN);
}

static void turn(void)
{
	rd_reactor_events(engine.reactor);
	if (ring && !ring->dead)
		rd_ring_doorbell(ring);
	rd_reactor_turn(engine.reactor);
	if (!ring || ring->dead)
		return;
	/* the client may have scribbled over the shared words; ours are right */
	rd_fuzz_check(ring->cq_tail - ring->cq_head <= ring->cq_entries);
	rd_fuzz_check(engine.stats.submitted >= engine.stats.completed);
	rd_fuzz_check(ring->ctx.inflight <= engine.user.used[RINGD_LIMIT_INFLIGHT]);
}

static void add_file(uint32_t slot, int fd)
{
	struct rd_file *file;

	rd_fuzz_check(fd >= 0 && rd_file_new(&file, &engine, fd) == 0);
	rd_node_set_tag(&file->node, &ring->ctx.tags, slot & 1 ? 0x1000 + slot : 0);
	rd_fuzz_check(!rd_filetable_swap(&ring->ctx.files, slot, file));
}

static void add_resources(void)
{
	int dir = rd_fuzz_dir(), fds[2];
	struct rd_buf *buf;

	rd_fuzz_check(rd_filetable_init(&ring->ctx.files, &engine.user, SLOTS) == 0);
	add_file(0, memfd_create("fuzz", MFD_CLOEXEC));
	for (unsigned int i = 0; i < 2; i++) {
		rd_fuzz_check(pipe2(fds, O_CLOEXEC | (i ? O_NONBLOCK : 0)) == 0);
		pipes[i][0] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		pipes[i][1] = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
		add_file(1 + 2 * i, fds[0]);
		add_file(2 + 2 * i, fds[1]);
	}
	add_file(5, openat(dir, "data", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	add_file(6, openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	rd_fuzz_check(rd_buftable_init(&ring->ctx.bufs, &engine.user, BUFS) == 0);
	rd_fuzz_check(rd_buf_new(&buf, &host, ARENA_BASE + 4096, 8192) == 0);
	rd_node_set_tag(&buf->node, &ring->ctx.tags, 0x2000);
	rd_buftable_swap(&ring->ctx.bufs, 0, buf);
	rd_fuzz_check(rd_buf_new(&buf, &host, ARENA_BASE + ARENA_SIZE - 100, 100) == 0);
	rd_buftable_swap(&ring->ctx.bufs, 1, buf);
}

static void *zeroed(size_t align, size_t size)
{
	void *p = aligned_alloc(align, size);

	rd_fuzz_check(p);
	memset(p, 0, size);
	return p;
}

/* Kinds of rings that the usual code knows nothing of, and their mixtures */
static uint32_t odd_flags(uint8_t b)
{
	return (b & 1 ? RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER : 0) | (b & 2 ? RINGD_SETUP_CQE_MIXED : 0) |
	       (b & 4 ? RINGD_SETUP_SQE_MIXED : 0) | (b & 8 ? RINGD_SETUP_CQE32 : 0) | (b & 16 ? RINGD_SETUP_SQE128 : 0) |
	       (b & 32 ? RINGD_SETUP_SQ_REWIND | RINGD_SETUP_NO_SQARRAY : 0) | (b & 64 ? RINGD_SETUP_IOPOLL : 0) |
	       (b & 128 ? RINGD_SETUP_R_DISABLED : 0);
}

/* False: the parameters are refused. */
static bool open_ring(struct rd_fuzz_input *in)
{
	struct ringd_params p = { .sq_thread_idle = 1 };
	uint8_t b = rd_fuzz_u8(in);

	p.flags = (b & 1 ? RINGD_SETUP_SQPOLL : 0) | (b & 2 ? RINGD_SETUP_NO_SQARRAY : 0) |
		  (b & 4 ? RINGD_SETUP_SUBMIT_ALL : 0) | (b & 8 ? RINGD_SETUP_CQSIZE : 0);
	p.sq_entries = 1u << (b >> 4 & 3);
	p.cq_entries = p.sq_entries;
	if (b & 0x40)
		p.flags |= odd_flags(rd_fuzz_u8(in));
	if (b & 0x80) {		/* anything */
		p.flags = rd_fuzz_u32(in);
		p.sq_entries = rd_fuzz_u16(in);
		p.cq_entries = rd_fuzz_u16(in);
	}
	if (rd_layout_compute(&layout, &p, false) < 0)
		return false;
	memory.rings = zeroed(4096, layout.rings_size);
	memory.sqes = zeroed(4096, layout.sqes_size);
	hot = (struct ringd_hot *)(void *)((char *)memory.rings + layout.hot_off);
	rd_fuzz_check(rd_ring_new(&ring, &engine, &host, &p, &layout, &memory) == 0);
	tail = enters = 0;
	return true;
}

/* --- the script --- */

/* No limit of the process counts for what FALLOC_FL_KEEP_SIZE allocates: a fuzzer could fill disk and memory with it. */
static void tame(struct ringd_sqe *sqe)
{
	if (sqe->opcode == RINGD_OP_FALLOCATE && (int64_t)sqe->addr > 0)
		sqe->addr %= 1u << 20;
}

static void put_sqe(struct ringd_sqe *sqe)
{
	uint32_t slot = tail & (layout.sq_entries - 1);

	tame(sqe);
	if (layout.array_off)
		((uint32_t *)(void *)((char *)memory.rings + layout.array_off))[slot] = slot;
	((struct ringd_sqe *)memory.sqes)[slot] = *sqe;
	tail++;
}

static void put_shaped_sqe(struct rd_fuzz_input *in)
{
	struct ringd_sqe sqe = { .user_data = tail };

	rd_fuzz_shape(in, &sqe);
	put_sqe(&sqe);
}

static void put_order_sqes(struct rd_fuzz_input *in)
{
	for (uint8_t n = rd_fuzz_u8(in) % 8; n; n--) {
		struct ringd_sqe sqe = { 0 };

		rd_fuzz_shape_order(in, &sqe);
		put_sqe(&sqe);
	}
}

static void put_raw_sqe(struct rd_fuzz_input *in)
{
	struct ringd_sqe sqe;

	rd_fuzz_bytes(in, &sqe, sizeof(sqe));
	put_sqe(&sqe);
}

static void enter(struct rd_fuzz_input *in)
{
	hot->enter_to_submit = rd_fuzz_u8(in);
	hot->enter_flags = rd_fuzz_u8(in);
	hot->sq_tail = tail;
	hot->enter_seq = ++enters;
	for (int i = 0; i < 4; i++)
		turn();
}

static void scribble(struct rd_fuzz_input *in)
{
	uint32_t at = rd_fuzz_u16(in) % (uint32_t)(layout.rings_size / 4), value = rd_fuzz_u32(in);
	uint32_t where = rd_fuzz_u8(in);

	if (where & 1)
		((uint32_t *)(void *)hot)[at % (sizeof(*hot) / 4)] = value;
	else
		((uint32_t *)memory.rings)[at] = value;
}

static void arm_wait(struct rd_fuzz_input *in)
{
	hot->wait = RINGD_WAIT(rd_fuzz_u32(in), rd_fuzz_u8(in));
}

static void write_arena(struct rd_fuzz_input *in)
{
	uint32_t at = rd_fuzz_u16(in), n = rd_fuzz_u8(in);

	rd_fuzz_bytes(in, arena + at, n < ARENA_SIZE - at ? n : ARENA_SIZE - at);
}

/* iovecs that point into the arena */
static void write_iovecs(struct rd_fuzz_input *in)
{
	uint32_t at = rd_fuzz_u16(in) & 0xfff8, n = rd_fuzz_u8(in) % 16;

	for (uint32_t i = 0; i < n && at + 16 <= ARENA_SIZE; i++, at += 16) {
		uint64_t vec[2] = { ARENA_BASE + rd_fuzz_u16(in), rd_fuzz_u16(in) };

		memcpy(arena + at, vec, sizeof(vec));
	}
}

/* A byte for who reads from a pipe. */
static void feed_pipe(struct rd_fuzz_input *in)
{
	struct pollfd p = { .fd = pipes[rd_fuzz_u8(in) & 1][1], .events = POLLOUT };

	if (poll(&p, 1, 0) > 0 && (p.revents & POLLOUT) && write(p.fd, "x", 1) < 0)
		return;		/* nobody reads any more */
	turn();
}

/* A group whose entries the client may change at any time: write_arena() does. */
static void add_buffer_ring(struct rd_fuzz_input *in)
{
	struct ringd_buf_reg reg = {
		.ring_addr = ARENA_BASE + 32768, .ring_entries = 8, .bgid = rd_fuzz_u8(in) & 3, .flags = rd_fuzz_u8(in) & 2,
	};

	if (rd_pbuf_check(&reg) < 0)
		return;
	if (rd_fuzz_u8(in) & 1)
		(void)rd_bufgroups_remove_ring(ring->ctx.groups, reg.bgid);
	else
		(void)rd_bufgroups_add_ring(&ring->ctx.groups, &engine.user, &reg, arena + 32768, &arena_mem);
}

/* Into other memory, as far as what is in it fits. */
static void resize(struct rd_fuzz_input *in)
{
	struct ringd_params p = { .flags = (ring->ctx.setup_flags & RD_SETUP_LAYOUT) | RINGD_SETUP_CQSIZE };
	struct rd_ring_memory old = memory, new;
	struct rd_layout l;

	p.sq_entries = 1u << (rd_fuzz_u8(in) & 7);
	p.cq_entries = 1u << (rd_fuzz_u8(in) & 7);
	if (ring->sqpoll || rd_layout_compute(&l, &p, false) < 0)
		return;
	new.rings = zeroed(4096, l.rings_size);
	new.sqes = zeroed(4096, l.sqes_size);
	if (rd_ring_resize(ring, &l, &new) < 0) {
		old = new;
	} else {
		memory = new;
		layout = l;
		hot = rd_layout_hot(&l, new.rings);
	}
	free(old.rings);
	free(old.sqes);
}

/* Start it, or have it signal an eventfd. */
static void set_up(struct rd_fuzz_input *in)
{
	uint8_t b = rd_fuzz_u8(in);
	int fd = -1;

	if (b & 1)
		(void)rd_ring_enable(ring);
	if (b & 2)
		(void)rd_event_clear(ring);
	if (b & 4)
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd >= 0 && rd_event_set(ring, fd, b & 8) < 0)
		close(fd);
	hot->waiting = b & 16;
}

/* Let workers finish: what is cancelled when the ring ends never ran. */
static void settle(void)
{
	hot->sq_tail = tail;
	turn();
	for (int i = 0; i < 30 && ring && !ring->dead && ring->ctx.inflight; i++) {
		sched_yield();
		turn();
	}
}

static void play(struct rd_fuzz_input *in)
{
	/* rings may be killed at any step */
	while (in->left && ring && !ring->dead) {
		switch (rd_fuzz_u8(in) % 15) {
		case 0:
			put_raw_sqe(in);
			break;
		case 1:
		case 2:
			put_shaped_sqe(in);
			break;
		case 3:
			enter(in);
			break;
		case 4:
			hot->sq_tail = tail;
			turn();
			break;
		case 5:
			scribble(in);
			break;
		case 6:
			hot->cq_head = hot->cq_tail - rd_fuzz_u8(in) % 2;
			break;
		case 7:
			write_arena(in);
			break;
		case 8:
			arm_wait(in);
			write_iovecs(in);
			break;
		case 9:
			settle();
			break;
		case 10:
			put_order_sqes(in);
			break;
		case 11:
			feed_pipe(in);
			break;
		case 12:
			add_buffer_ring(in);
			break;
		case 13:
			resize(in);
			break;
		case 14:
			set_up(in);
			break;
		}
	}
}

/* --- the end --- */

/* Whatever sleeps on one of the pipes gets what it waits for. */
static void pump_pipes(void)
{
	char bytes[4096] = { 0 };

	for (unsigned int i = 0; i < 2; i++) {
		struct pollfd p[2] = { { .fd = pipes[i][0], .events = POLLIN }, { .fd = pipes[i][1], .events = POLLOUT } };

		if (poll(p, 2, 0) <= 0)
			continue;
		if ((p[0].revents & POLLIN) && read(pipes[i][0], bytes, sizeof(bytes)) < 0)
			continue;
		if ((p[1].revents & POLLOUT) && write(pipes[i][1], bytes, 1) < 0)
			continue;
	}
}

static bool engine_idle(void)
{
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++)
		if (i != RINGD_LIMIT_WORKERS && engine.user.used[i])	/* threads stay for a while */
			return false;
	return true;
}

static void close_ring(void)
{
	uint64_t start = rd_now_ns();

	if (ring)
		rd_ring_kill(ring, RINGD_REASON_FREED);
	while (ring || !engine_idle()) {
		turn();
		pump_pipes();
		sched_yield();
		rd_fuzz_check(rd_now_ns() - start < PATIENCE_NS);
	}
	rd_fuzz_check(engine.stats.submitted == engine.stats.completed);
	rd_fuzz_check(arena_mem.refs == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd_fuzz_input in = { .data = data, .left = size };

	if (!engine.reactor)
		engine_start();
	if (!open_ring(&in))
		return 0;
	arena = zeroed(4096, ARENA_SIZE);
	add_resources();
	play(&in);
	close_ring();
	for (unsigned int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	free(memory.rings);
	free(memory.sqes);
	free(arena);
	rd_fuzz_dir_clean();
	return 0;
}
