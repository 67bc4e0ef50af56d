/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control packets, descriptors included, into the session code over a socket pair. The input is a list of packets: raw
 * bytes, or messages with a good header around a body of the input, so that the handlers are reached. Between them a ring
 * that was made is used for a NOP, and its memory scribbled over.
 *
 * Must hold: no sanitizer report; every request is answered once, with its type and seq, or the connection is closed; after
 * the connection everything is freed and all charges are back.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/fdpass.h"
#include "daemon/common/log.h"
#include "daemon/engine/session/session.h"
#include "fuzz.h"

#define PATIENCE_NS	10000000000ull
#define MAX_RINGS	4u

static struct rd_service service;
static int manager = -1;	/* the manager's end of the link */
static int client;
static uint32_t seq;

/* The last ring the client was given. */
static struct {
	void *rings, *sqes;
	struct ringd_ring_created info;
	int memfd, doorbell, wake;
} ring;

/* --- the service --- */

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void service_stop(void)
{
	event_free(service.link_room);
	event_free(service.tick);
	rd_engine_deinit(&service.engine, 1000);
}

static void service_start(void)
{
	struct rd_engine_config cfg;
	struct event_base *base;
	int pair[2];

	rd_log_set_level(LOG_EMERG);
	signal(SIGPIPE, SIG_IGN);
	rd_engine_config_default(&cfg);
	cfg.backend = RD_BACKEND_SYNC;
	cfg.limits[RINGD_LIMIT_RINGS] = MAX_RINGS;
	cfg.limits[RINGD_LIMIT_ENTRIES] = 4096;
	cfg.limits[RINGD_LIMIT_BYTES] = 64u << 20;
	cfg.limits[RINGD_LIMIT_FILES] = 64;
	cfg.limits[RINGD_LIMIT_OBJECTS] = 20000;
	cfg.limits[RINGD_LIMIT_WORKERS] = 4;
	rd_fuzz_check(rd_engine_init(&service.engine, &cfg) == 0);
	base = service.engine.reactor->base;
	rd_fuzz_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	service.link_fd = pair[0];
	manager = pair[1];
	service.link_room = event_new(base, pair[0], EV_WRITE, nothing, NULL);
	service.tick = evtimer_new(base, nothing, NULL);
	rd_fuzz_check(service.link_room && service.tick);
	rd_list_init(&service.sessions);
	rd_list_init(&service.infos);
	rd_list_init(&service.exports);
	atexit(service_stop);
	rd_fuzz_dir();
}

static void turn(void)
{
	char load[256];

	rd_reactor_events(service.engine.reactor);
	rd_reactor_turn(service.engine.reactor);
	while (recv(manager, load, sizeof(load), MSG_DONTWAIT) > 0)
		;
}

/* --- descriptors a client may send --- */

static int odd_fd(uint8_t kind)
{
	sigset_t mask;
	int pair[2];

	switch (kind % 10) {
	case 0:
		return memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	case 1:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 2:
		return eventfd(0, EFD_CLOEXEC);
	case 3:
		sigemptyset(&mask);
		sigaddset(&mask, SIGUSR1);
		return signalfd(-1, &mask, SFD_CLOEXEC);
	case 4:
		return fcntl(rd_fuzz_dir(), F_DUPFD_CLOEXEC, 0);
	case 5:
		return openat(rd_fuzz_dir(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 6:
		rd_fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
		close(pair[1]);
		return pair[0];
	case 7:
		return epoll_create1(EPOLL_CLOEXEC);
	case 8:
		/* who holds the connection itself would hold it open */
		return fcntl(ring.memfd >= 0 ? ring.memfd : client, F_DUPFD_CLOEXEC, 0);
	default:
		rd_fuzz_check(pipe2(pair, O_CLOEXEC) == 0);
		close(pair[1]);
		return pair[0];
	}
}

/* --- the ring that was made last --- */

static void drop_ring(void)
{
	if (ring.rings)
		munmap(ring.rings, ring.info.rings_size);
	if (ring.sqes)
		munmap(ring.sqes, ring.info.sqes_size);
	rd_close(ring.memfd);
	rd_close(ring.doorbell);
	rd_close(ring.wake);
	ring.rings = ring.sqes = NULL;
	ring.memfd = ring.doorbell = ring.wake = -1;
}

static void *map_shared(int fd, uint64_t off, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)off);

	rd_fuzz_check(p != MAP_FAILED);
	return p;
}

static void take_ring(const struct ringd_ring_created *info, int *fds)
{
	drop_ring();
	ring.info = *info;
	ring.memfd = rd_steal_fd(&fds[0]);
	ring.doorbell = rd_steal_fd(&fds[1]);
	ring.wake = rd_steal_fd(&fds[2]);
	rd_fuzz_check(info->hot_off + sizeof(struct ringd_hot) <= info->rings_size && info->hot_off % 128 == 0);
	ring.rings = map_shared(ring.memfd, RINGD_OFF_SQ_RING, info->rings_size);
	ring.sqes = map_shared(ring.memfd, RINGD_OFF_SQES, info->sqes_size);
}

static void ring_doorbell(void)
{
	uint64_t one = 1;

	rd_fuzz_check(write(ring.doorbell, &one, sizeof(one)) == sizeof(one));
}

static struct ringd_hot *ring_hot(void)
{
	return (struct ringd_hot *)(void *)((char *)ring.rings + ring.info.hot_off);
}

/* The first SQE of a fresh ring: a NOP that completes unless the ring has been ended. */
static void use_ring(void)
{
	struct ringd_hot *hot;

	if (!ring.rings)
		return;
	hot = ring_hot();
	((struct ringd_sqe *)ring.sqes)[0] = (struct ringd_sqe){ .opcode = RINGD_OP_NOP, .user_data = 7 };
	hot->sq_tail++;
	hot->enter_to_submit = 1;
	hot->enter_seq++;
	ring_doorbell();
	for (int i = 0; i < 4; i++)
		turn();
	rd_fuzz_check(hot->state == RINGD_STATE_DEAD || hot->enter_done == hot->enter_seq);
}

static void scribble(struct rd_fuzz_input *in)
{
	uint32_t at = rd_fuzz_u16(in), value = rd_fuzz_u32(in);

	if (!ring.rings)
		return;
	((uint32_t *)(void *)ring_hot())[at % (96u)] = value;	/* the client's own words */
	ring_doorbell();
	turn();
	/* what was done to the ring is done; a NOP on it proves nothing from here on */
	drop_ring();
}

/* --- packets --- */

static bool alive(void)
{
	return client >= 0;
}

/* The answer to type and seq, or the end of the connection. */
static void expect_answer(uint16_t type, uint32_t number)
{
	static _Alignas(8) uint8_t buf[RINGD_MSG_MAX];
	const struct ringd_msg *msg = (const void *)buf;
	uint64_t start = rd_now_ns();
	int fds[8] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	size_t n_fds;
	ssize_t n;

	for (;;) {
		n_fds = RD_ARRAY_SIZE(fds);
		n = rd_recv_fds(client, buf, sizeof(buf), fds, &n_fds);
		if (n != -EAGAIN)
			break;
		turn();
		sched_yield();
		rd_fuzz_check(rd_now_ns() - start < PATIENCE_NS);
	}
	if (n <= 0) {
		close(client);
		client = -1;
		return;
	}
	rd_fuzz_check((size_t)n >= sizeof(*msg) && msg->size == (size_t)n);
	if (msg->res == -EPROTO) {
		rd_fuzz_check((size_t)n == sizeof(struct ringd_error) && n_fds == 0);
		expect_answer(type, number);	/* nothing but the end follows */
		rd_fuzz_check(!alive());
		return;
	}
	rd_fuzz_check(msg->type == type && msg->seq == number && msg->flags == 0);
	rd_fuzz_check(msg->res >= 0 || ((size_t)n == sizeof(struct ringd_error) && n_fds == 0));
	if (msg->res >= 0 && type == RINGD_MSG_RING_CREATE) {
		rd_fuzz_check((size_t)n == sizeof(struct ringd_ring_created) && n_fds == 3);
		take_ring((const void *)buf, fds);
	}
	for (size_t i = 0; i < n_fds; i++)
		rd_close(fds[i]);
}

static void send_packet(struct rd_fuzz_input *in, const void *data, size_t len, uint8_t want_fds)
{
	const struct ringd_msg *msg = data;
	int fds[16] = { 0 };
	size_t n_fds = want_fds % 17;
	ssize_t r;

	for (size_t i = 0; i < n_fds; i++)
		fds[i] = odd_fd(rd_fuzz_u8(in));
	r = rd_send_fds(client, data, len, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		rd_close(fds[i]);
	rd_fuzz_check(r == 0 || r == -EPIPE || r == -ECONNRESET);
	turn();
	if (len >= sizeof(*msg) && msg->type == RINGD_MSG_REGISTER && msg->flags == RINGD_MSG_F_MORE && msg->size == len &&
	    msg->res == 0)
		return;		/* a fragment: answered with the last one, or by the end of the connection */
	expect_answer(len >= sizeof(*msg) ? msg->type : 0, len >= sizeof(*msg) ? msg->seq : 0);
}

static void raw_packet(struct rd_fuzz_input *in)
{
	uint8_t buf[256];
	size_t len = 1 + rd_fuzz_u8(in) % sizeof(buf);
	uint8_t n_fds = rd_fuzz_u8(in) % 3;

	rd_fuzz_bytes(in, buf, len);
	send_packet(in, buf, len, n_fds);
}

static void head(struct ringd_msg *msg, uint16_t type, size_t len)
{
	*msg = (struct ringd_msg){ .size = (uint32_t)len, .type = type, .seq = ++seq };
}

static void ring_create(struct rd_fuzz_input *in)
{
	struct ringd_ring_create req = { .scratch_base = 0x100000000ull + ((uint64_t)rd_fuzz_u16(in) << 12) };
	uint8_t odd = rd_fuzz_u8(in);

	req.params.sq_entries = odd & 1 ? rd_fuzz_u32(in) : 1u + rd_fuzz_u8(in) % 16;
	req.params.flags = odd & 2 ? rd_fuzz_u32(in) : odd & 4 ? RINGD_SETUP_NO_SQARRAY : 0;
	if (odd & 64)		/* one that may have areas for RECV_ZC */
		req.params.flags |= RINGD_SETUP_DEFER_TASKRUN | RINGD_SETUP_SINGLE_ISSUER | RINGD_SETUP_CQE32;
	req.params.cq_entries = odd & 8 ? rd_fuzz_u32(in) : 0;
	if (odd & 16)
		req.scratch_base = (uint64_t)rd_fuzz_u32(in) << 32 | rd_fuzz_u32(in);
	if (odd & 32)
		rd_fuzz_bytes(in, &req.params.resv, sizeof(req.params.resv));
	head(&req.msg, RINGD_MSG_RING_CREATE, sizeof(req));
	send_packet(in, &req, sizeof(req), 0);
}

static void arena_create(struct rd_fuzz_input *in)
{
	struct ringd_arena_create req = { .base = 0x200000000ull + ((uint64_t)rd_fuzz_u16(in) << 12) };
	uint8_t odd = rd_fuzz_u8(in);

	req.size = odd & 1 ? rd_fuzz_u32(in) : (1u + rd_fuzz_u8(in)) * 4096u;
	if (odd & 2)
		req.base = (uint64_t)rd_fuzz_u32(in) << 32 | rd_fuzz_u32(in);
	if (odd & 4)
		req.size |= (uint64_t)rd_fuzz_u32(in) << 32;
	if (odd & 8)
		req.flags = rd_fuzz_u8(in);
	head(&req.msg, RINGD_MSG_ARENA_CREATE, sizeof(req));
	send_packet(in, &req, sizeof(req), 0);
}

static void by_id(struct rd_fuzz_input *in, uint16_t type)
{
	struct ringd_ring_ref req = { .ring_id = rd_fuzz_u8(in) };
	uint8_t odd = rd_fuzz_u8(in);

	if (odd == 1)
		req.resv = 1;
	head(&req.msg, type, sizeof(req));
	if (type == RINGD_MSG_RING_FREE && ring.rings && req.ring_id == ring.info.ring_id && odd != 1)
		drop_ring();
	send_packet(in, &req, sizeof(req), 0);
}

static void set_cwd(struct rd_fuzz_input *in)
{
	struct ringd_msg msg;
	uint8_t n_fds = rd_fuzz_u8(in);

	head(&msg, RINGD_MSG_SET_CWD, sizeof(msg));
	send_packet(in, &msg, sizeof(msg), n_fds % 4 ? 1 : n_fds / 4 % 3);
}

/* Numbers with or without descriptors */
static void fd_list(struct rd_fuzz_input *in, uint16_t type)
{
	struct {
		struct ringd_fd_list list;
		int32_t numbers[16];
	} req = { .list = { .nr = 1 + rd_fuzz_u8(in) % 16 } };
	uint8_t odd = rd_fuzz_u8(in);
	size_t len = sizeof(req.list) + req.list.nr * sizeof(int32_t);

	for (uint32_t i = 0; i < req.list.nr; i++)
		req.numbers[i] = odd & 1 ? (int32_t)rd_fuzz_u32(in) : rd_fuzz_u8(in);
	if (odd & 2)
		req.list.nr = rd_fuzz_u32(in);
	if (odd & 4)
		req.list.resv = 1;
	head(&req.list.msg, type, len);
	send_packet(in, &req, len, odd & 8 ? rd_fuzz_u8(in) : type == RINGD_MSG_FD_LEND ? (uint8_t)req.list.nr : 0);
}

static void channel(struct rd_fuzz_input *in)
{
	struct ringd_msg msg;

	head(&msg, RINGD_MSG_CHANNEL, sizeof(msg));
	send_packet(in, &msg, sizeof(msg), 0);
}

static void ring_name(struct rd_fuzz_input *in)
{
	struct ringd_ring_token token = { .msg = { 0 } };
	uint8_t what = rd_fuzz_u8(in);

	if (what % 3 == 0)
		return by_id(in, RINGD_MSG_RING_EXPORT);
	if (what % 3 == 1)
		return by_id(in, RINGD_MSG_RING_FORGET);
	rd_fuzz_bytes(in, token.token, sizeof(token.token));
	head(&token.msg, RINGD_MSG_RING_IMPORT, sizeof(token));
	send_packet(in, &token, sizeof(token), 0);
}

struct zcrx_call {
	struct ringd_zcrx_ifq_reg reg;
	struct ringd_zcrx_area_reg area;
	struct ringd_region_desc desc;
};

/* The calls that have one structure and nothing else: its size, 0 for the others */
static size_t reg_plain(uint32_t opcode)
{
	switch (opcode) {
	case RINGD_REGISTER_IOWQ_MAX_WORKERS:
		return 2 * sizeof(uint32_t);
	case RINGD_REGISTER_PBUF_RING:
	case RINGD_UNREGISTER_PBUF_RING:
		return sizeof(struct ringd_buf_reg);
	case RINGD_REGISTER_SYNC_CANCEL:
		return sizeof(struct ringd_sync_cancel_reg);
	case RINGD_REGISTER_PBUF_STATUS:
		return sizeof(struct ringd_buf_status);
	case RINGD_REGISTER_CLOCK:
		return sizeof(struct ringd_clock_register);
	case RINGD_REGISTER_CLONE_BUFFERS:
		return sizeof(struct ringd_clone_buffers);
	case RINGD_REGISTER_SEND_MSG_RING:
		return sizeof(struct ringd_sqe);
	case RINGD_REGISTER_RESIZE_RINGS:
		return sizeof(struct ringd_resize);
	case RINGD_REGISTER_MEM_REGION:
		return sizeof(struct ringd_mem_region_reg) + sizeof(struct ringd_region_desc);
	case RINGD_REGISTER_QUERY:
		return sizeof(struct ringd_query_hdr);
	case RINGD_REGISTER_NAPI:
		return sizeof(struct ringd_napi);
	case RINGD_REGISTER_ZCRX_IFQ:
		return sizeof(struct zcrx_call);
	case RINGD_REGISTER_ZCRX_CTRL:
		return sizeof(struct ringd_zcrx_ctrl);
	}
	return 0;
}

/* A good call but for one word of it, sometimes: an area in a low arena, its refill ring there or of the engine. */
static void reg_fill_zcrx(struct rd_fuzz_input *in, uint8_t *dst)
{
	uint64_t base = 0x200000000ull + ((uint64_t)rd_fuzz_u16(in) << 12);
	uint8_t b = rd_fuzz_u8(in), at;
	struct zcrx_call c = {
		.reg = { .rq_entries = 1u + b % 64, .flags = RINGD_ZCRX_REG_NODEV, .rx_buf_len = b & 64 ? 4096u << (b & 3) : 0 },
		.area = { .addr = base, .len = (1u + b % 16) * 4096u },
		.desc = { .size = 4096 },
	};

	if (b & 128) {
		c.desc.user_addr = base;
		c.desc.flags = RINGD_MEM_REGION_TYPE_USER;
	}
	at = rd_fuzz_u8(in);
	if (at < sizeof(c))
		((uint8_t *)&c)[at] = rd_fuzz_u8(in);
	memcpy(dst, &c, sizeof(c));
}

/* Mostly zeros and small numbers */
static void reg_fill_plain(struct rd_fuzz_input *in, uint32_t opcode, uint8_t *dst)
{
	struct ringd_sync_cancel_reg sc;

	for (size_t i = 0; i + 4 <= reg_plain(opcode); i += 4) {
		uint8_t b = rd_fuzz_u8(in);
		uint32_t v = b & 3 ? 0 : b & 128 ? (uint32_t)b << 8 : b >> 2;

		memcpy(dst + i, &v, sizeof(v));
	}
	if (opcode != RINGD_REGISTER_SYNC_CANCEL)
		return;
	memcpy(&sc, dst, sizeof(sc));		/* an end to its wait */
	sc.timeout = (struct ringd_timespec){ 0, 1000 };
	memcpy(dst, &sc, sizeof(sc));
}

/* bytes of the opcode's structure */
static size_t reg_struct(uint32_t opcode)
{
	switch (opcode) {
	case RINGD_REGISTER_FILES_UPDATE:
		return sizeof(struct ringd_files_update);
	case RINGD_REGISTER_FILES2:
	case RINGD_REGISTER_BUFFERS2:
		return sizeof(struct ringd_rsrc_register);
	case RINGD_REGISTER_FILES_UPDATE2:
	case RINGD_REGISTER_BUFFERS_UPDATE:
		return sizeof(struct ringd_rsrc_update2);
	case RINGD_REGISTER_FILE_ALLOC_RANGE:
		return sizeof(struct ringd_file_index_range);
	default:
		return reg_plain(opcode);
	}
}

/* The number of entries also stands in the structure. */
static void reg_fill_struct(struct rd_fuzz_input *in, uint32_t opcode, uint32_t nr, uint8_t *dst)
{
	struct ringd_rsrc_register rr = { .nr = nr };
	struct ringd_rsrc_update2 up = { .nr = nr };
	struct ringd_file_index_range range;

	switch (opcode) {
	case RINGD_REGISTER_FILES2:
	case RINGD_REGISTER_BUFFERS2:
		rr.flags = rd_fuzz_u8(in) % 3;
		memcpy(dst, &rr, sizeof(rr));
		break;
	case RINGD_REGISTER_FILES_UPDATE:	/* a prefix of the other one */
	case RINGD_REGISTER_FILES_UPDATE2:
	case RINGD_REGISTER_BUFFERS_UPDATE:
		up.offset = rd_fuzz_u8(in) % 20;
		memcpy(dst, &up, reg_struct(opcode));
		break;
	case RINGD_REGISTER_FILE_ALLOC_RANGE:
		range = (struct ringd_file_index_range){ .off = rd_fuzz_u8(in), .len = rd_fuzz_u8(in) };
		memcpy(dst, &range, sizeof(range));
		break;
	case RINGD_REGISTER_ZCRX_IFQ:
		reg_fill_zcrx(in, dst);
		break;
	default:
		reg_fill_plain(in, opcode, dst);
	}
}

static size_t reg_elem(uint32_t opcode)
{
	switch (opcode) {
	case RINGD_REGISTER_FILES:
	case RINGD_REGISTER_FILES2:
	case RINGD_REGISTER_FILES_UPDATE:
	case RINGD_REGISTER_FILES_UPDATE2:
		return 4;
	case RINGD_REGISTER_BUFFERS:
	case RINGD_REGISTER_BUFFERS2:
	case RINGD_REGISTER_BUFFERS_UPDATE:
	case RINGD_REGISTER_RESTRICTIONS:
		return 16;
	case RINGD_REGISTER_IOWQ_AFF:
		return 1;
	default:
		return 0;
	}
}

/* Elements that often mean something: the next descriptor, a hole, skip; ranges of low arenas. Returns descriptors wanted. */
static uint8_t reg_fill_elems(struct rd_fuzz_input *in, size_t elem, uint32_t nr, uint8_t *dst)
{
	uint8_t want = 0;

	for (uint32_t i = 0; i < nr; i++) {
		uint8_t b = rd_fuzz_u8(in);

		if (elem == 4) {
			int32_t fd = (int32_t)(b % 5) - 3;	/* -3 is nothing */

			want += fd >= 0;
			memcpy(dst + i * elem, &fd, sizeof(fd));
		} else if (elem == 16) {
			uint64_t iov[2] = { b & 1 ? 0x200000000ull + ((uint64_t)rd_fuzz_u16(in) << 8) : 0, b >> 1 };

			memcpy(dst + i * elem, iov, sizeof(iov));
		}
	}
	return want;
}

static void register_call(struct rd_fuzz_input *in)
{
	_Alignas(8) uint8_t buf[1024] = { 0 };
	struct ringd_register *req = (void *)buf;
	uint8_t b = rd_fuzz_u8(in), want = 0;
	size_t len, elem;

	req->ring_id = ring.rings && !(b & 1) ? ring.info.ring_id : rd_fuzz_u8(in);
	req->opcode = rd_fuzz_u8(in) % (RINGD_REGISTER_LAST + 1);
	req->nr = rd_fuzz_u8(in) % 17;
	if (reg_plain(req->opcode))
		req->nr %= 3;
	req->has_tags = b >> 1 & 1;
	len = sizeof(*req) + reg_struct(req->opcode);
	reg_fill_struct(in, req->opcode, req->nr, buf + sizeof(*req));
	elem = reg_elem(req->opcode);
	want = reg_fill_elems(in, elem, req->nr, buf + len);
	len += elem * req->nr;
	if (req->has_tags) {
		rd_fuzz_bytes(in, buf + len, 8u * req->nr);
		len += 8u * req->nr;
	}
	if (b & 4)	/* lie about the length */
		len = sizeof(*req) + rd_fuzz_u8(in);
	if (b & 8)
		rd_fuzz_bytes(in, &req->nr, sizeof(req->nr));
	head(&req->msg, RINGD_MSG_REGISTER, len);
	if (b & 16)
		req->msg.flags = RINGD_MSG_F_MORE;
	if (b & 32)
		seq = --req->msg.seq;	/* goes on with what was begun */
	send_packet(in, buf, len, b & 64 ? rd_fuzz_u8(in) : want);
}

static void play(struct rd_fuzz_input *in)
{
	while (in->left && alive()) {
		switch (rd_fuzz_u8(in) % 16) {
		case 0:
			raw_packet(in);
			break;
		case 1:
		case 2:
			ring_create(in);
			break;
		case 3:
			arena_create(in);
			break;
		case 4:
			by_id(in, RINGD_MSG_RING_FREE);
			break;
		case 5:
			by_id(in, RINGD_MSG_ARENA_FREE);
			break;
		case 6:
			set_cwd(in);
			break;
		case 7:
			use_ring();
			break;
		case 8:
			scribble(in);
			break;
		case 12:
			fd_list(in, RINGD_MSG_FD_LEND);
			break;
		case 13:
			fd_list(in, RINGD_MSG_FD_RETURN);
			break;
		case 14:
			channel(in);
			break;
		case 15:
			ring_name(in);
			break;
		default:
			register_call(in);
			break;
		}
	}
}

/* --- a connection --- */

static void connect_client(void)
{
	const struct rd_link_client who = { .hello_seq = 1, .version = RINGD_WIRE_VERSION, .pid = 1 };
	int pair[2];

	rd_fuzz_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	client = pair[1];
	seq = 1;
	ring.memfd = ring.doorbell = ring.wake = -1;
	rd_session_start(&service, pair[0], -1, &who);
	expect_answer(RINGD_MSG_HELLO, 1);
	rd_fuzz_check(alive());
}

static bool service_idle(void)
{
	if (!rd_list_empty(&service.sessions) || service.jobs)
		return false;
	for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++)
		if (i != RINGD_LIMIT_WORKERS && service.engine.user.used[i])
			return false;
	return true;
}

static void disconnect_client(void)
{
	uint64_t start = rd_now_ns();

	drop_ring();
	rd_close(client);
	while (!service_idle()) {
		turn();
		sched_yield();
		rd_fuzz_check(rd_now_ns() - start < PATIENCE_NS);
	}
	rd_fuzz_check(service.engine.rings == 0);
	rd_fuzz_check(service.engine.stats.submitted == service.engine.stats.completed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd_fuzz_input in = { .data = data, .left = size };

	if (manager < 0)
		service_start();
	connect_client();
	play(&in);
	disconnect_client();
	return 0;
}
