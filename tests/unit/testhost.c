/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testhost.h"

#include <check.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/common/clock.h"
#include "daemon/common/util.h"
#include "daemon/engine/rsrc/fds.h"

static struct rd_testhost *from_host(struct rd_host *host)
{
	return RD_CONTAINER_OF(host, struct rd_testhost, host);
}

static bool inside(const struct rd_testhost *th, uint64_t addr, uint64_t len)
{
	return rd_range_inside(addr, len, (uintptr_t)th->arena, RD_TH_ARENA);
}

static void *th_map(struct rd_host *host, uint64_t addr, uint64_t len, struct rd_mem **owner)
{
	struct rd_testhost *th = from_host(host);

	ck_assert_msg(len, "map() of nothing");
	th->maps++;
	if (!inside(th, addr, len))
		return NULL;
	*owner = &th->mem;
	return (void *)(uintptr_t)addr;
}

static int th_copy_in(struct rd_host *host, void *dst, uint64_t addr, size_t len)
{
	if (!inside(from_host(host), addr, len))
		return -EFAULT;
	memcpy(dst, (void *)(uintptr_t)addr, len);
	return 0;
}

static int th_copy_out(struct rd_host *host, uint64_t addr, const void *src, size_t len)
{
	if (!len)
		return 0;
	if (!inside(from_host(host), addr, len))
		return -EFAULT;
	memcpy((void *)(uintptr_t)addr, src, len);
	return 0;
}

static ssize_t th_copy_str(struct rd_host *host, char *dst, uint64_t addr, size_t size)
{
	struct rd_testhost *th = from_host(host);

	for (size_t i = 0; i < size; i++) {
		if (!inside(th, addr + i, 1))
			return -EFAULT;
		dst[i] = *(char *)(uintptr_t)(addr + i);
		if (!dst[i])
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}

static int dup_file(struct rd_testhost *th, int fd, struct rd_file **ret)
{
	RD_CLOSE int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (own < 0)
		return -EBADF;
	r = rd_file_new(ret, &th->engine, own);
	if (r == 0)
		rd_steal_fd(&own);
	return r;
}

static int th_file(struct rd_host *host, int fd, struct rd_file **ret)
{
	struct rd_testhost *th = from_host(host);

	for (unsigned int i = 0; i < th->n_lent; i++) {
		if (th->lent[i].fd == fd) {
			*ret = rd_file_get(th->lent[i].file);
			return 0;
		}
	}
	return dup_file(th, fd, ret);
}

void rd_th_lend(struct rd_testhost *th, int fd)
{
	ck_assert_uint_lt(th->n_lent, RD_TH_LENT);
	th->lent[th->n_lent].fd = fd;
	ck_assert_int_eq(dup_file(th, fd, &th->lent[th->n_lent].file), 0);
	th->n_lent++;
}

static int th_dirfd(struct rd_host *host, int dirfd, struct rd_mem **owner)
{
	*owner = &from_host(host)->mem;
	if (dirfd == AT_FDCWD)
		return AT_FDCWD;
	return fcntl(dirfd, F_GETFD) < 0 ? -EBADF : dirfd;
}

static int th_can_install(struct rd_host *host)
{
	return from_host(host)->can_install ? 0 : -EOPNOTSUPP;
}

/* The client has its descriptors; the request is complete when the engine's are closed. */
struct letting_go {
	struct rd_req *req;
	unsigned int open;
};

static void rights_closed(void *arg)
{
	rd_req_task(arg, rd_req_installed);
}

/* Numbers of what a message brought; the client's process is this one. */
static int th_give_rights(struct rd_testhost *th, struct rd_req *req, const struct rd_newfds *new)
{
	int32_t numbers[RD_FDS_MAX];

	req->res = th->can_install && !th->rights_fail ? new->res : -EMFILE;
	for (uint32_t i = 0; i < new->rights->n && req->res >= 0; i++)
		numbers[i] = fcntl(new->rights->fds[i], new->cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	if (req->res >= 0)
		ck_assert_int_eq(th_copy_out(&th->host, new->addr, numbers, new->rights->n * sizeof(numbers[0])), 0);
	req->state = RD_REQ_IDLE;
	rd_fds_close(new->rights, rights_closed, req);
	return RD_PENDING;
}

static void closed_one(void *arg, int res)
{
	struct letting_go *l = arg;
	struct rd_req *req = l->req;

	(void)res;
	if (--l->open)
		return;
	free(l);
	rd_req_task(req, rd_req_installed);
}

static int let_go(struct rd_req *req, const struct rd_newfds *new)
{
	struct letting_go *l = malloc(sizeof(*l));

	*l = (struct letting_go){ .req = req, .open = 1 };
	for (uint32_t i = 0; i < new->n; i++)
		l->open += rd_file_put_notify(new->files[i], closed_one, l);
	if (--l->open) {
		req->state = RD_REQ_IDLE;
		return RD_PENDING;
	}
	free(l);
	return RD_DONE;
}

static int th_install_now(struct rd_testhost *th, const struct rd_newfds *new)
{
	int32_t numbers[2] = { new->numbers[0], new->numbers[1] };

	if (new->n && !th->can_install)
		return -EOPNOTSUPP;
	if (new->n != 1 && !inside(th, new->addr, sizeof(numbers)))
		return -EFAULT;
	for (uint32_t i = 0; i < new->n; i++) {
		numbers[i] = fcntl(new->files[i]->fd, new->cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
		if (numbers[i] < 0)
			return -errno;
	}
	if (new->n == 1)
		return numbers[0];
	memcpy((void *)(uintptr_t)new->addr, numbers, sizeof(numbers));
	return 0;
}

static int th_install(struct rd_host *host, struct rd_req *req, const struct rd_newfds *new)
{
	if (new->rights)
		return th_give_rights(from_host(host), req, new);
	if (!new->n && from_host(host)->install_waits)
		return rd_req_wait(req);
	req->res = th_install_now(from_host(host), new);
	return let_go(req, new);
}

static int32_t th_pid(struct rd_host *host)
{
	(void)host;
	return RD_TH_PID;
}

static int th_close(struct rd_host *host, struct rd_req *req, int fd)
{
	(void)host;
	req->res = close(fd) < 0 ? -errno : 0;
	return RD_DONE;
}

static int th_install_cancel(struct rd_host *host, struct rd_req *req)
{
	(void)req;
	ck_assert_msg(from_host(host)->install_waits, "nobody waits in install()");
	return 0;
}

static int th_ring(struct rd_host *host, int fd, struct rd_ctx **ret)
{
	struct rd_testhost *th = from_host(host);
	int i = fd - RD_TH_RING;

	if (i < 0 || i >= (int)RD_ARRAY_SIZE(th->rings))
		return fcntl(fd, F_GETFD) < 0 ? -EBADF : -EBADFD;
	if (!th->rings[i])
		return -EBADF;
	*ret = &th->rings[i]->ctx;
	return 0;
}

static int th_waitid(struct rd_host *host, int type, int32_t id, siginfo_t *info, int options)
{
	(void)host;
	return waitid((idtype_t)type, (id_t)id, info, options) < 0 ? -errno : 0;
}

static void th_wake(struct rd_host *host, struct rd_ring *ring)
{
	(void)ring;
	from_host(host)->wakes++;
}

static void th_ring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason)
{
	struct rd_testhost *th = from_host(host);

	for (size_t i = 0; i < RD_ARRAY_SIZE(th->rings); i++) {
		if (th->rings[i] == ring)
			th->rings[i] = NULL;
	}
	th->dead++;
	th->reason = reason;
}

static void th_ring_gone(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_testclient *c = ring->host_data;

	from_host(host)->gone++;
	munmap(c->mem.rings, c->layout.rings_size);
	munmap(c->mem.sqes, c->layout.sqes_size);
	c->ring = NULL;
}

static void th_mem_release(struct rd_mem *mem)
{
	(void)mem;
	ck_abort_msg("one reference to client memory too many was put");
}

static const struct rd_host_ops th_ops = {
	.map = th_map,
	.copy_in = th_copy_in,
	.copy_out = th_copy_out,
	.copy_str = th_copy_str,
	.file = th_file,
	.dirfd = th_dirfd,
	.can_install = th_can_install,
	.pid = th_pid,
	.install = th_install,
	.close = th_close,
	.install_cancel = th_install_cancel,
	.ring = th_ring,
	.waitid = th_waitid,
	.wake = th_wake,
	.ring_dead = th_ring_dead,
	.ring_gone = th_ring_gone,
};

bool rd_th_backend_works(unsigned int backend)
{
	struct rd_engine_config cfg;
	struct rd_engine engine;

	rd_engine_config_default(&cfg);
	cfg.backend = backend;
	if (rd_engine_init(&engine, &cfg) < 0)
		return false;
	rd_engine_deinit(&engine, 1000);
	return true;
}

static void *map_zero(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

void rd_th_init_config(struct rd_testhost *th, const struct rd_engine_config *cfg)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	memset(th, 0, sizeof(*th));
	th->host.ops = &th_ops;
	th->arena = map_zero(RD_TH_ARENA);
	th->mem = (struct rd_mem){ .refs = 1, .release = th_mem_release };
	th->can_install = true;
	ck_assert_int_eq(rd_engine_init(&th->engine, cfg), 0);
}

void rd_th_init(struct rd_testhost *th, unsigned int backend)
{
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = backend;
	rd_th_init_config(th, &cfg);
}

void rd_th_turn(struct rd_testhost *th)
{
	struct rd_reactor *r = th->engine.reactor;

	rd_reactor_events(r);
	if (!rd_reactor_turn(r))
		sched_yield();
}

void rd_th_turns(struct rd_testhost *th, unsigned int n)
{
	while (n--)
		rd_th_turn(th);
}

void rd_th_settle(struct rd_testhost *th)
{
	const struct rd_user *user = &th->engine.user;
	unsigned int busy;

	do {
		rd_th_turn(th);
		busy = 0;
		for (unsigned int i = 0; i < RINGD_LIMIT_MAX; i++)
			busy += i != RINGD_LIMIT_WORKERS && user->used[i];
	} while (busy);
}

void rd_th_deinit(struct rd_testhost *th)
{
	while (th->n_lent)
		rd_file_put(th->lent[--th->n_lent].file);
	rd_th_settle(th);
	ck_assert_uint_eq(th->engine.stats.submitted, th->engine.stats.completed);
	ck_assert_uint_eq(th->mem.refs, 1);
	rd_engine_deinit(&th->engine, 100000);
	ck_assert_msg(rd_user_idle(&th->engine.user), "something is still charged");
	munmap(th->arena, RD_TH_ARENA);
}

void *rd_th_alloc(struct rd_testhost *th, size_t size)
{
	void *p = th->arena + th->used;

	ck_assert_uint_le(size, RD_TH_ARENA - th->used);
	th->used += rd_align(size, 4096);
	return p;
}

uint64_t rd_th_str(struct rd_testhost *th, const char *s)
{
	char *copy = rd_th_alloc(th, strlen(s) + 1);

	strcpy(copy, s);
	return (uintptr_t)copy;
}

void rd_tc_open(struct rd_testclient *c, struct rd_testhost *th, uint32_t entries, uint32_t setup_flags)
{
	rd_tc_open_params(c, th, &(struct ringd_params){ .sq_entries = entries, .flags = setup_flags | RINGD_SETUP_NO_SQARRAY,
							 .sq_thread_idle = 1000 });
}

void rd_tc_open_params(struct rd_testclient *c, struct rd_testhost *th, const struct ringd_params *params)
{
	memset(c, 0, sizeof(*c));
	c->th = th;
	c->params = *params;
	ck_assert_int_eq(rd_layout_compute(&c->layout, &c->params, false), 0);
	c->mem.rings = map_zero(c->layout.rings_size);
	c->mem.sqes = map_zero(c->layout.sqes_size);
	ck_assert_int_eq(rd_ring_new(&c->ring, &th->engine, &th->host, &c->params, &c->layout, &c->mem), 0);
	c->ring->host_data = c;
	c->hot = (struct ringd_hot *)(void *)((char *)c->mem.rings + c->layout.hot_off);
	c->cqes = (struct ringd_cqe *)(void *)((char *)c->mem.rings + c->params.cq_off.cqes);
	c->sqes = c->mem.sqes;
}

void rd_tc_close(struct rd_testclient *c)
{
	rd_ring_kill(c->ring, RINGD_REASON_FREED);
	while (c->ring)
		rd_th_turn(c->th);
}

struct ringd_sqe *rd_tc_sqe(struct rd_testclient *c, uint8_t opcode)
{
	struct ringd_sqe *sqe = &c->sqes[(c->sq_tail + c->unsubmitted) & (c->layout.sq_entries - 1)];

	ck_assert_uint_lt(c->unsubmitted, c->layout.sq_entries);
	c->unsubmitted++;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->user_data = ++c->user_data;
	return sqe;
}

int32_t rd_tc_submit(struct rd_testclient *c)
{
	uint32_t n = c->unsubmitted;

	c->unsubmitted = 0;
	c->sq_tail += n;
	__atomic_store_n(&c->hot->sq_tail, c->sq_tail, __ATOMIC_RELEASE);
	if (c->params.flags & RINGD_SETUP_SQPOLL) {
		rd_ring_doorbell(c->ring);
		while (__atomic_load_n(&c->hot->sq_head, __ATOMIC_ACQUIRE) != c->sq_tail)
			rd_th_turn(c->th);
		return (int32_t)n;
	}
	c->hot->enter_to_submit = n;
	c->hot->enter_flags = RINGD_ENTER_GETEVENTS;
	__atomic_store_n(&c->hot->enter_seq, ++c->enter_seq, __ATOMIC_SEQ_CST);
	rd_ring_doorbell(c->ring);
	while (__atomic_load_n(&c->hot->enter_done, __ATOMIC_ACQUIRE) != c->enter_seq)
		rd_th_turn(c->th);
	/* what was not taken is taken back */
	c->sq_tail = c->hot->sq_head;
	__atomic_store_n(&c->hot->sq_tail, c->sq_tail, __ATOMIC_RELEASE);
	return c->hot->enter_res;
}

int32_t rd_tc_enter(struct rd_testclient *c, uint32_t to_submit, uint32_t flags)
{
	c->hot->enter_to_submit = to_submit;
	c->hot->enter_flags = flags;
	__atomic_store_n(&c->hot->enter_seq, ++c->enter_seq, __ATOMIC_SEQ_CST);
	rd_ring_doorbell(c->ring);
	while (__atomic_load_n(&c->hot->enter_done, __ATOMIC_ACQUIRE) != c->enter_seq)
		rd_th_turn(c->th);
	return c->hot->enter_res;
}

struct ringd_sqe *rd_tc_slot(struct rd_testclient *c, uint32_t slot)
{
	return (struct ringd_sqe *)(void *)((char *)c->sqes + ((size_t)slot << c->layout.sqe_shift));
}

struct ringd_cqe *rd_tc_cqe(struct rd_testclient *c, uint32_t index)
{
	return (struct ringd_cqe *)(void *)((char *)c->cqes +
					    ((size_t)(index & (c->layout.cq_entries - 1)) << c->layout.cqe_shift));
}

bool rd_tc_peek(struct rd_testclient *c, struct ringd_cqe *cqe)
{
	if (__atomic_load_n(&c->hot->cq_tail, __ATOMIC_ACQUIRE) == c->cq_head)
		return false;
	*cqe = c->cqes[c->cq_head & (c->layout.cq_entries - 1)];
	__atomic_store_n(&c->hot->cq_head, ++c->cq_head, __ATOMIC_RELEASE);
	return true;
}

struct ringd_cqe rd_tc_wait(struct rd_testclient *c)
{
	struct ringd_cqe cqe;

	while (!rd_tc_peek(c, &cqe))
		rd_th_turn(c->th);
	return cqe;
}

void rd_tc_expect(struct rd_testclient *c, uint64_t user_data, int32_t res, uint32_t flags)
{
	struct ringd_cqe cqe = rd_tc_wait(c);

	ck_assert_msg(cqe.user_data == user_data && cqe.res == res && cqe.flags == flags,
		      "CQE of %llu: %d, %#x, not of %llu: %d, %#x", (unsigned long long)cqe.user_data, cqe.res, cqe.flags,
		      (unsigned long long)user_data, res, flags);
}

void rd_tc_expect_none(struct rd_testclient *c)
{
	struct ringd_cqe cqe;

	rd_th_turns(c->th, 20);
	ck_assert(!rd_tc_peek(c, &cqe));
}

void rd_tc_submit_waiting(struct rd_testclient *c)
{
	uint32_t n = c->unsubmitted;

	ck_assert_int_eq(rd_tc_submit(c), (int32_t)n);
	rd_tc_expect_none(c);
}

void rd_th_sockets(int family, int type, int sv[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr *sa = (struct sockaddr *)&addr;
	socklen_t len = sizeof(addr);
	int l;

	if (family == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv), 0);
		return;
	}
	l = socket(family, type | SOCK_CLOEXEC, 0);
	sv[0] = socket(family, type | SOCK_CLOEXEC, 0);
	ck_assert(bind(l, sa, len) == 0 && getsockname(l, sa, &len) == 0);
	ck_assert(type != SOCK_STREAM || listen(l, 1) == 0);
	ck_assert_int_eq(connect(sv[0], sa, len), 0);
	sv[1] = type == SOCK_STREAM ? accept4(l, NULL, NULL, SOCK_CLOEXEC) : l;
	ck_assert_int_ge(sv[1], 0);
	if (type == SOCK_STREAM)
		close(l);
	else
		ck_assert(getsockname(sv[0], sa, &len) == 0 && connect(sv[1], sa, len) == 0);
}

void rd_th_small_buffers(const int sv[2])
{
	const int size = 262144;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(setsockopt(sv[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
		ck_assert_int_eq(setsockopt(sv[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	}
}

static size_t put(int fd)
{
	static char junk[65536];
	size_t sum = 0;
	ssize_t n;

	for (size_t len = sizeof(junk); len; len /= 2) {
		while ((n = send(fd, junk, len, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
			sum += (size_t)n;
	}
	return sum;
}

/*
 * What is on its way makes room again when it has arrived and the other side says so, which it puts off for 40 ms. What is
 * left of its window then is less than a packet, and is made use of when a timer of 200 ms or more has run down. Or the
 * other side has no memory for what it had promised to take: then it stays on its way, and is sent again and again.
 */
static void until_window_is_used(int fd)
{
	uint64_t quiet_since = rd_now_ns();
	int queued, unsent, before[2] = { 0 };
	struct tcp_info info;
	socklen_t len;

	for (;;) {
		ck_assert_int_eq(ioctl(fd, SIOCOUTQ, &queued), 0);
		ck_assert_int_eq(ioctl(fd, SIOCOUTQNSD, &unsent), 0);
		info = (struct tcp_info){ .tcpi_snd_wnd = 1 };	/* kernels that do not tell leave it */
		len = sizeof(info);
		ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
		if (queued != before[0] || unsent != before[1])
			quiet_since = rd_now_ns();
		before[0] = queued;
		before[1] = unsent;
		if (queued == unsent && (!unsent || !info.tcpi_snd_wnd))
			return;
		if (rd_now_ns() - quiet_since > 2000000000)
			return;
		poll(NULL, 0, 1);
	}
}

size_t rd_th_fill(int fd)
{
	size_t sum = 0, n;
	int domain = 0;
	socklen_t len = sizeof(domain);

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len), 0);
	do {
		n = put(fd);
		sum += n;
		if (domain == AF_INET)
			until_window_is_used(fd);
	} while (n && domain == AF_INET);
	return sum;
}

struct ringd_buf *rd_tc_group(struct rd_testclient *c, uint16_t bgid, uint16_t flags, char *mem, uint32_t nr, uint32_t len)
{
	struct ringd_buf_reg reg = { .ring_entries = 16, .bgid = bgid, .flags = flags };
	struct ringd_buf *ring = rd_th_alloc(c->th, 4096);

	(void)rd_bufgroups_remove_ring(c->ring->ctx.groups, bgid);
	for (uint32_t i = 0; i < nr; i++)
		ring[i] = (struct ringd_buf){ .addr = (uintptr_t)mem + i * RD_TC_STRIDE, .len = len, .bid = (uint16_t)(RD_TC_BID + i) };
	__atomic_store_n(&ring[0].resv, (uint16_t)nr, __ATOMIC_RELEASE);
	ck_assert_int_eq(rd_bufgroups_add_ring(&c->ring->ctx.groups, &c->th->engine.user, &reg, ring, &c->th->mem), 0);
	return ring;
}

int rd_tc_group_head(struct rd_testclient *c, uint16_t bgid)
{
	return rd_bufgroups_head(c->ring->ctx.groups, bgid);
}

int32_t rd_tc_run(struct rd_testclient *c)
{
	struct ringd_cqe cqe;

	ck_assert_uint_eq(c->unsubmitted, 1);
	ck_assert_int_eq(rd_tc_submit(c), 1);
	cqe = rd_tc_wait(c);
	ck_assert_uint_eq(cqe.user_data, c->user_data);
	ck_assert_uint_eq(cqe.flags, 0);
	return cqe.res;
}

int rd_tc_number(struct rd_testclient *c)
{
	struct rd_testhost *th = c->th;
	size_t i = 0;

	while (th->rings[i] && th->rings[i] != c->ring)
		ck_assert_uint_lt(++i, RD_ARRAY_SIZE(th->rings));
	th->rings[i] = c->ring;
	return RD_TH_RING + (int)i;
}

void rd_tc_files(struct rd_testclient *c, uint32_t nr)
{
	ck_assert_int_eq(rd_filetable_init(&c->ring->ctx.files, &c->th->engine.user, nr), 0);
}

void rd_tc_file(struct rd_testclient *c, uint32_t slot, int fd, uint64_t tag)
{
	struct rd_file *file;

	ck_assert_int_eq(rd_file_new(&file, &c->th->engine, fcntl(fd, F_DUPFD_CLOEXEC, 0)), 0);
	rd_node_set_tag(&file->node, &c->ring->ctx.tags, tag);
	ck_assert_int_eq(rd_filetable_install(&c->ring->ctx.files, slot + 1, file), 0);
}

void rd_tc_bufs(struct rd_testclient *c, uint32_t nr)
{
	ck_assert_int_eq(rd_buftable_init(&c->ring->ctx.bufs, &c->th->engine.user, nr), 0);
}

void rd_tc_buf(struct rd_testclient *c, uint32_t slot, void *addr, size_t len, uint64_t tag)
{
	struct rd_buf *buf, *old;

	ck_assert_int_eq(rd_buf_new(&buf, &c->th->host, (uintptr_t)addr, len), 0);
	rd_node_set_tag(&buf->node, &c->ring->ctx.tags, tag);
	old = rd_buftable_swap(&c->ring->ctx.bufs, slot, buf);
	if (old)
		rd_buf_put(old);
}
