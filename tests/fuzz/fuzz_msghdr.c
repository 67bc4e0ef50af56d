/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages into SENDMSG and RECVMSG. The input fills client memory with one struct msghdr and what it points to (as it comes, or
 * shaped, so that lengths are near the truth), and says which operation is prepared with it. What was rebuilt is looked at; then it is
 * done, over a pair of UNIX sockets in which a message of the input's choice, with descriptors, may wait.
 *
 * Must hold: no sanitizer report; of the client's control data nothing gets through but what is on the list, in one piece; no
 * descriptor of the process stays open; all charges are back.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/exec/reactor.h"
#include "daemon/engine/ops/cmsg.h"
#include "daemon/engine/ops/msg.h"
#include "daemon/engine/ops/ops.h"
#include "daemon/engine/ring/ring.h"
#include "daemon/engine/rsrc/file.h"
#include "fuzz.h"

#define ARENA_BASE	0x7000000000ull
#define ARENA_SIZE	32768u
#define AT_IOV		1024u
#define AT_CONTROL	4096u
#define AT_NAME		16384u
#define AT_DATA		20480u
#define NUMBERS		4		/* lent descriptors: 0 to 3 */
#define PATIENCE_NS	10000000000ull

static struct rd_engine engine;
static struct rd_host host;
static struct rd_mem arena_mem;
static char *arena;
static struct rd_file *lent[NUMBERS];
static struct rd_ring *ring;
static struct rd_ring_memory memory;
static struct rd_layout layout;
static struct ringd_hot *hot;
static int pair[2], pipes[2];
static uint32_t entered;

/* --- host --- */

static void *host_map(struct rd_host *h, uint64_t addr, uint64_t len, struct rd_mem **owner)
{
	(void)h;
	rd_fuzz_check(len);
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

static int host_file(struct rd_host *h, int fd, struct rd_file **ret)
{
	(void)h;
	if (fd < 0 || fd >= NUMBERS)
		return -EBADF;
	*ret = rd_file_get(lent[fd]);
	return 0;
}

static int32_t host_pid(struct rd_host *h)
{
	(void)h;
	return 4711;
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

/* The numbers have a place: the engine has made it. */
static int host_install(struct rd_host *h, struct rd_req *req, const struct rd_newfds *new)
{
	const int32_t numbers[RD_FDS_MAX] = { 0 };

	rd_fuzz_check(!new->n && new->rights && new->rights->n && new->rights->n <= RD_FDS_MAX);
	rd_fuzz_check(host_copy_out(h, new->addr, numbers, new->rights->n * sizeof(numbers[0])) == 0);
	rd_fds_close(new->rights, NULL, NULL);
	req->res = arena[0] & 1 ? -EMFILE : new->res;
	return RD_DONE;
}

static int host_install_cancel(struct rd_host *h, struct rd_req *req)
{
	(void)h, (void)req;
	return -EALREADY;
}

static void host_wake(struct rd_host *h, struct rd_ring *r)
{
	(void)h, (void)r;
}

static void host_dead(struct rd_host *h, struct rd_ring *r, uint32_t reason)
{
	(void)h, (void)r, (void)reason;
}

static void host_gone(struct rd_host *h, struct rd_ring *r)
{
	(void)h, (void)r;
	ring = NULL;
}

static const struct rd_host_ops host_ops = {
	.map = host_map,
	.copy_in = host_copy_in,
	.copy_out = host_copy_out,
	.file = host_file,
	.pid = host_pid,
	.dirfd = host_dirfd,
	.can_install = host_can_install,
	.install = host_install,
	.install_cancel = host_install_cancel,
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
	free(arena);
}

static void *zeroed(size_t size)
{
	void *p = aligned_alloc(4096, size);

	rd_fuzz_check(p);
	memset(p, 0, size);
	return p;
}

static void engine_start(void)
{
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = RD_BACKEND_SYNC;
	cfg.limits[RINGD_LIMIT_FILES] = 300;
	cfg.limits[RINGD_LIMIT_OBJECTS] = 2048;
	cfg.limits[RINGD_LIMIT_WORKERS] = 2;
	rd_fuzz_check(rd_engine_init(&engine, &cfg) == 0);
	host.ops = &host_ops;
	arena_mem = (struct rd_mem){ .refs = 1, .release = arena_release };
	arena = zeroed(ARENA_SIZE);
	atexit(engine_stop);
	rd_fuzz_dir();
	signal(SIGPIPE, SIG_IGN);
}

static void open_ring(void)
{
	struct ringd_params p = { .sq_entries = 8, .flags = RINGD_SETUP_NO_SQARRAY };

	rd_fuzz_check(rd_layout_compute(&layout, &p, false) == 0);
	memory.rings = zeroed(rd_align(layout.rings_size, 4096));
	memory.sqes = zeroed(rd_align(layout.sqes_size, 4096));
	hot = rd_layout_hot(&layout, memory.rings);
	rd_fuzz_check(rd_ring_new(&ring, &engine, &host, &p, &layout, &memory) == 0);
	entered = 0;
}

static void lend(int number, int fd)
{
	rd_fuzz_check(fd >= 0 && rd_file_new(&lent[number], &engine, fd) == 0);
}

static void add_files(uint8_t kind)
{
	int fds[2];

	rd_fuzz_check(socketpair(AF_UNIX, (kind & 1 ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	rd_fuzz_check(pipe2(fds, O_CLOEXEC) == 0);
	pipes[0] = fds[0];
	lend(0, pair[0]);
	lend(1, fds[1]);
	lend(2, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	lend(3, socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* --- the message --- */

/* Something near to what it should be. */
static uint64_t near(struct rd_fuzz_input *in, uint64_t value)
{
	uint8_t how = rd_fuzz_u8(in);

	switch (how & 7) {
	case 0:
		return value + (uint64_t)(int64_t)(int8_t)rd_fuzz_u8(in);
	case 1:
		return rd_fuzz_u32(in);
	case 2:
		return UINT64_MAX - rd_fuzz_u8(in);
	default:
		return value;
	}
}

static const struct {
	int level, type, len;
} kinds[] = {
	{ SOL_SOCKET, SCM_RIGHTS, 8 }, { SOL_SOCKET, SCM_CREDENTIALS, 12 }, { IPPROTO_IP, 8, 12 }, { IPPROTO_IP, 2, 4 },
	{ IPPROTO_IPV6, 50, 20 }, { IPPROTO_UDP, 103, 2 }, { SOL_SOCKET, 37, 4 }, { SOL_SOCKET, 99, 4 },
};

/* Control messages one after the other; how many bytes. */
static uint32_t shape_control(struct rd_fuzz_input *in)
{
	uint32_t at = AT_CONTROL;

	for (uint8_t n = rd_fuzz_u8(in) % 6; n; n--) {
		uint8_t kind = rd_fuzz_u8(in) % RD_ARRAY_SIZE(kinds);
		uint32_t len = (uint32_t)kinds[kind].len;
		struct cmsghdr head = { .cmsg_level = kinds[kind].level, .cmsg_type = kinds[kind].type };

		if (!kind)
			len = 4u * rd_fuzz_u8(in);
		head.cmsg_len = near(in, CMSG_LEN(len));
		if (at + CMSG_SPACE(len) > AT_NAME)
			break;
		memcpy(arena + at, &head, sizeof(head));
		for (uint32_t i = 0; i < len; i++)
			arena[at + CMSG_LEN(i)] = kind ? (char)rd_fuzz_u8(in) : (char)(i % 4 ? 0 : rd_fuzz_u8(in) & 3);
		at += (uint32_t)CMSG_SPACE(len);
	}
	return at - AT_CONTROL;
}

static void shape_message(struct rd_fuzz_input *in)
{
	uint8_t what = rd_fuzz_u8(in);
	struct msghdr mh = { .msg_iov = (void *)(uintptr_t)(ARENA_BASE + AT_IOV), .msg_iovlen = near(in, what & 3) };

	for (uint32_t i = 0; i < 4; i++) {
		uint64_t vec[2] = { near(in, ARENA_BASE + AT_DATA + 64 * i), near(in, i * 5) };

		memcpy(arena + AT_IOV + i * sizeof(vec), vec, sizeof(vec));
	}
	if (what & 4) {
		mh.msg_name = (void *)(uintptr_t)near(in, ARENA_BASE + AT_NAME);
		mh.msg_namelen = (socklen_t)near(in, rd_fuzz_u8(in));
		rd_fuzz_bytes(in, arena + AT_NAME, what & 8 ? 28 : 110);
	}
	if (what & 16) {
		mh.msg_control = (void *)(uintptr_t)near(in, ARENA_BASE + AT_CONTROL);
		mh.msg_controllen = near(in, shape_control(in));
	}
	memcpy(arena, &mh, sizeof(mh));
}

static void raw_message(struct rd_fuzz_input *in)
{
	uint32_t at = rd_fuzz_u16(in) % ARENA_SIZE, n = rd_fuzz_u16(in) % 2048;

	rd_fuzz_bytes(in, arena, sizeof(struct msghdr));
	rd_fuzz_bytes(in, arena + at, RD_MIN(n, ARENA_SIZE - at));
}

/* --- what was made of it --- */

static bool is_ours(int fd)
{
	for (int i = 0; i < NUMBERS; i++) {
		if (lent[i]->fd == fd)
			return true;
	}
	return false;
}

static void check_rebuilt(const struct rd_msg_out *out)
{
	struct msghdr mh = { .msg_control = out->control, .msg_controllen = out->controllen };
	uint32_t nr = 0;

	rd_fuzz_check(out->err <= 0 && out->namelen <= sizeof(out->name) && out->controllen <= RD_CMSG_SEND_MAX + 8);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c && out->controllen; c = CMSG_NXTHDR(&mh, c)) {
		rd_fuzz_check(c->cmsg_len >= sizeof(*c) && c->cmsg_len <= out->controllen - (size_t)((char *)c - out->control));
		rd_fuzz_check(c->cmsg_level != SOL_SOCKET || c->cmsg_type != 99);
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++, nr++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			rd_fuzz_check(is_ours(fd));
		}
	}
	rd_fuzz_check(out->err || nr == out->nr);
}

/* Only import: nothing is done with it. */
static void import(bool send)
{
	struct rd_req req = { .ctx = &ring->ctx };

	req.net = (struct rd_net){ .vec = &req.net.one, .send = send };
	if (rd_msg_import(&req, ARENA_BASE) == 0 && req.net.msg && send)
		check_rebuilt(&req.net.msg->out);
	rd_net_cleanup(&req);
}

/* --- doing it --- */

static void turn(void)
{
	rd_reactor_events(engine.reactor);
	if (ring && !ring->dead)
		rd_ring_doorbell(ring);
	rd_reactor_turn(engine.reactor);
}

static void run(struct rd_fuzz_input *in, uint8_t opcode)
{
	struct ringd_sqe *sqe = &((struct ringd_sqe *)memory.sqes)[entered & 7];
	uint64_t start = rd_now_ns();

	*sqe = (struct ringd_sqe){ .opcode = opcode, .addr = ARENA_BASE, .msg_flags = MSG_DONTWAIT | (rd_fuzz_u8(in) << 8) };
	hot->enter_to_submit = 1;
	hot->sq_tail = ++entered;
	hot->enter_seq = entered;
	do {
		turn();
		rd_fuzz_check(rd_now_ns() - start < PATIENCE_NS);
	} while (engine.stats.completed != engine.stats.submitted || hot->enter_done != entered);
	hot->cq_head = hot->cq_tail;
}

/* A message with n descriptors for the engine's end. */
static void feed(uint32_t n)
{
	union {
		char bytes[CMSG_SPACE(RD_FDS_MAX * sizeof(int))];
		struct cmsghdr head;
	} cm = { .head = { .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	char bytes[] = "some data";
	struct iovec one = { bytes, sizeof(bytes) };
	struct msghdr mh = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &cm, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	for (uint32_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(&cm.head) + i * sizeof(int), &pipes[0], sizeof(int));
	(void)!sendmsg(pair[1], &mh, MSG_DONTWAIT);
}

static void play(struct rd_fuzz_input *in)
{
	for (int i = 0; i < 8 && in->left; i++) {
		uint8_t what = rd_fuzz_u8(in);

		if (what & 1)
			shape_message(in);
		else
			raw_message(in);
		import(what & 2);
		if (what & 4)
			feed(rd_fuzz_u8(in) % (RD_FDS_MAX + 1));
		run(in, what & 8 ? RINGD_OP_RECVMSG : RINGD_OP_SENDMSG);
	}
}

/* --- the end --- */

static bool engine_idle(void)
{
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++)
		if (i != RINGD_LIMIT_WORKERS && engine.user.used[i])	/* threads stay for a while */
			return false;
	return true;
}

static void close_all(void)
{
	uint64_t start = rd_now_ns();
	char byte;

	rd_ring_kill(ring, RINGD_REASON_FREED);
	for (int i = 0; i < NUMBERS; i++)
		rd_file_put(lent[i]);
	close(pair[1]);
	while (ring || !engine_idle()) {
		turn();
		sched_yield();
		rd_fuzz_check(rd_now_ns() - start < PATIENCE_NS);
	}
	/* all ends of the pipe that were lent, sent and received are closed: it has come to its end */
	rd_fuzz_check(read(pipes[0], &byte, 1) == 0);
	close(pipes[0]);
	rd_fuzz_check(arena_mem.refs == 1);
	free(memory.rings);
	free(memory.sqes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd_fuzz_input in = { .data = data, .left = size };

	if (!engine.reactor)
		engine_start();
	memset(arena, 0, ARENA_SIZE);
	open_ring();
	add_files(rd_fuzz_u8(&in));
	play(&in);
	close_all();
	return 0;
}
