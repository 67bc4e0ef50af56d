/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "localtest.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "daemon/common/privatefd.h"
#include "daemon/common/util.h"

struct rd_localtest lt = { .ring_number = -1, .dir = "/tmp/ringd-host-XXXXXX" };
static struct rd_local_ring as_ring;

/* --- what the rest of the library would be --- */

void rd_local_ringfd_watch(int fd)
{
	(void)fd;
}

struct rd_local_ring *rd_local_ring_of(int fd)
{
	as_ring.ring = lt.c.ring;
	return fd >= 0 && fd == lt.ring_number ? &as_ring : NULL;
}

uint32_t rd_local_ringfd_room(int fd)
{
	(void)fd;
	return 0;
}

struct rd_local_ring *rd_local_ring_sure(int fd)
{
	return rd_local_ring_of(fd);
}

int rd_local_no_ring(int fd, int err)
{
	return fcntl(fd, F_GETFD) < 0 ? -EBADF : err;
}

bool rd_local_hidden(int fd)
{
	return rd_private_fd_min && fd >= rd_private_fd_min;
}

void rd_local_ring_wake(struct rd_host *host, struct rd_ring *ring)
{
	(void)host;
	(void)ring;
}

void rd_local_ring_dead(struct rd_host *host, struct rd_ring *ring, uint32_t reason)
{
	(void)host;
	(void)ring;
	(void)reason;
}

void rd_local_ring_gone(struct rd_host *host, struct rd_ring *ring)
{
	struct rd_testclient *client = ring->host_data;

	(void)host;
	client->ring = NULL;
}

/* --- fixture --- */

void rd_lt_setup(void)
{
	struct rd_engine_config cfg;

	rd_engine_config_default(&cfg);
	cfg.backend = RD_BACKEND_SYNC;
	rd_th_init_config(&lt.th, &cfg);
	rd_local_host_init(&lt.host, &lt.th.engine);
	memset(&lt.c, 0, sizeof(lt.c));
	lt.c.th = &lt.th;
	lt.c.params = (struct ringd_params){ .sq_entries = 64, .flags = RINGD_SETUP_NO_SQARRAY };
	ck_assert_int_eq(rd_layout_compute(&lt.c.layout, &lt.c.params, false), 0);
	lt.c.mem.rings = mmap(NULL, lt.c.layout.rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	lt.c.mem.sqes = mmap(NULL, lt.c.layout.sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_int_eq(rd_ring_new(&lt.c.ring, &lt.th.engine, &lt.host.host, &lt.c.params, &lt.c.layout, &lt.c.mem), 0);
	lt.c.ring->host_data = &lt.c;
	lt.c.hot = (struct ringd_hot *)(void *)((char *)lt.c.mem.rings + lt.c.layout.hot_off);
	lt.c.cqes = (struct ringd_cqe *)(void *)((char *)lt.c.mem.rings + lt.c.params.cq_off.cqes);
	lt.c.sqes = lt.c.mem.sqes;
	ck_assert_ptr_nonnull(mkdtemp(lt.dir));
}

void rd_lt_teardown(void)
{
	char cmd[64];

	rd_tc_close(&lt.c);
	rd_th_deinit(&lt.th);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", lt.dir);
	ck_assert_int_eq(system(cmd), 0);
}

void rd_lt_submit(void)
{
	uint32_t n = lt.c.unsubmitted;

	rd_local_files_begin(&lt.host);
	ck_assert_int_eq(rd_tc_submit(&lt.c), (int32_t)n);
	rd_local_files_end(&lt.host);
}

int32_t rd_lt_run(void)
{
	struct ringd_cqe cqe;

	rd_lt_submit();
	cqe = rd_tc_wait(&lt.c);
	ck_assert_uint_eq(cqe.user_data, lt.c.user_data);
	return cqe.res;
}

struct ringd_sqe *rd_lt_prep(uint8_t op, int fd, const void *buf, uint32_t len, uint64_t off)
{
	struct ringd_sqe *sqe = rd_tc_sqe(&lt.c, op);

	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = len;
	sqe->off = off;
	return sqe;
}

int32_t rd_lt_rw(uint8_t op, int fd, const void *buf, uint32_t len, uint64_t off)
{
	rd_lt_prep(op, fd, buf, len, off);
	return rd_lt_run();
}

const char *rd_lt_path(const char *name)
{
	static char buf[2][128];
	static int which;

	which ^= 1;
	snprintf(buf[which], sizeof(buf[which]), "%s/%s", lt.dir, name);
	return buf[which];
}

int rd_lt_file(const char *name, const char *text)
{
	int fd = open(rd_lt_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

int rd_lt_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
