// SPDX-License-Identifier: GPL-2.0-or-later
/* uringapp [--FLAG...] cp FROM TO | files | buffers | echo THREADS CONNECTIONS | poll | rings: see uringapp.h */
#include "uringapp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/util.h"

#define CP_DEPTH 16
#define CP_BLOCK 65536U

unsigned int app_flags;

void app_die(const char *what, int error)
{
	fflush(stdout);
	fprintf(stderr, "uringapp: %s: %s\n", what, strerror(error));
	exit(1);
}

void app_ring(struct io_uring *ring, unsigned int entries)
{
	struct io_uring_params p = { .flags = app_flags, .sq_thread_idle = 10 };
	int r = io_uring_queue_init_params(entries, ring, &p);

	if (r < 0)
		app_die("ring", -r);
}

struct io_uring_sqe *app_sqe(struct io_uring *ring, uint64_t user_data)
{
	struct io_uring_sqe *sqe;

	/* with a thread that polls, room comes when it comes */
	while ((sqe = io_uring_get_sqe(ring)) == NULL)
		if (app_flags & IORING_SETUP_SQPOLL)
			io_uring_sqring_wait(ring);
		else
			app_die("no room for a request", ENOSPC);
	/* before the preparation, which leaves it alone from 2.2 on */
	sqe->user_data = user_data;
	return sqe;
}

void app_results(struct io_uring *ring, const char *what, unsigned int n)
{
	int res[64] = { 0 }, r;
	struct io_uring_cqe *cqe;

	r = io_uring_submit_and_wait(ring, n);
	if (r < 0)
		app_die("submit", -r);
	for (unsigned int i = 0; i < n; i++) {
		r = io_uring_wait_cqe(ring, &cqe);
		if (r < 0)
			app_die("wait", -r);
		res[cqe->user_data % RD_ARRAY_SIZE(res)] = cqe->res;
		io_uring_cqe_seen(ring, cqe);
	}
	printf("%s:", what);
	for (unsigned int i = 0; i < n; i++)
		printf(" %d", res[i]);
	printf("\n");
}

struct cp {
	struct io_uring ring;
	int in, out;
	uint64_t size, next;
	unsigned int under_way;
	struct {
		char *data;
		uint32_t len;
	} slot[CP_DEPTH];
};

/* A read and the write of what it read, one after the other. Registered buffers; the files stand in a table. */
static void cp_start(struct cp *cp, unsigned int slot)
{
	uint32_t len = (uint32_t)(cp->size - cp->next < CP_BLOCK ? cp->size - cp->next : CP_BLOCK);
	struct io_uring_sqe *sqe = app_sqe(&cp->ring, slot);

	io_uring_prep_read_fixed(sqe, 0, cp->slot[slot].data, len, cp->next, (int)slot);
	sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_LINK;
	sqe = app_sqe(&cp->ring, CP_DEPTH + slot);
	io_uring_prep_write_fixed(sqe, 1, cp->slot[slot].data, len, cp->next, (int)slot);
	sqe->flags |= IOSQE_FIXED_FILE;
	cp->slot[slot].len = len;
	cp->next += len;
	cp->under_way += 2;
}

static void cp_register(struct cp *cp)
{
	struct iovec iov[CP_DEPTH];
	int files[2] = { cp->in, cp->out }, r;

	for (unsigned int i = 0; i < CP_DEPTH; i++) {
		cp->slot[i].data = malloc(CP_BLOCK);
		if (!cp->slot[i].data)
			app_die("memory", ENOMEM);
		iov[i] = (struct iovec){ cp->slot[i].data, CP_BLOCK };
	}
	r = io_uring_register_buffers(&cp->ring, iov, CP_DEPTH);
	if (r == 0)
		r = io_uring_register_files(&cp->ring, files, 2);
	if (r < 0)
		app_die("register", -r);
}

static void cp_reap(struct cp *cp)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	int r = io_uring_submit_and_wait(&cp->ring, 1);

	if (r < 0)
		app_die("submit", -r);
	io_uring_for_each_cqe(&cp->ring, head, cqe) {
		unsigned int slot = (unsigned int)cqe->user_data % CP_DEPTH;

		if (cqe->res < 0 || (uint32_t)cqe->res != cp->slot[slot].len)
			app_die("copy", cqe->res < 0 ? -cqe->res : EIO);
		cp->under_way--;
		n++;
		if (cqe->user_data >= CP_DEPTH && cp->next < cp->size)
			cp_start(cp, slot);
	}
	io_uring_cq_advance(&cp->ring, n);
}

int app_cp(const char *from, const char *to)
{
	struct cp cp = { .in = open(from, O_RDONLY | O_CLOEXEC), .out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) };
	struct stat st;

	if (cp.in < 0 || cp.out < 0 || fstat(cp.in, &st) < 0)
		app_die(cp.in < 0 ? from : to, errno);
	cp.size = (uint64_t)st.st_size;
	app_ring(&cp.ring, 2 * CP_DEPTH);
	cp_register(&cp);
	for (unsigned int i = 0; i < CP_DEPTH && cp.next < cp.size; i++)
		cp_start(&cp, i);
	while (cp.under_way)
		cp_reap(&cp);
	io_uring_prep_fsync(app_sqe(&cp.ring, 0), cp.out, 0);
	app_results(&cp.ring, "fsync", 1);
	io_uring_queue_exit(&cp.ring);
	for (unsigned int i = 0; i < CP_DEPTH; i++)
		free(cp.slot[i].data);
	printf("copied %llu\n", (unsigned long long)cp.size);
	return 0;
}

static bool setup_flag(const char *name)
{
	static const struct { const char *name; unsigned int flags; } table[] = {
		{ "--plain", 0 },
		{ "--sqpoll", IORING_SETUP_SQPOLL },
		{ "--coop", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG },
		{ "--defer", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG },
		{ "--big", IORING_SETUP_SQE128 | IORING_SETUP_CQE32 },
		{ "--clamp", IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL },
	};

	for (size_t i = 0; i < RD_ARRAY_SIZE(table); i++) {
		if (strcmp(name, table[i].name) == 0) {
			app_flags |= table[i].flags;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	int i = 1;

	while (i < argc && setup_flag(argv[i]))
		i++;
	if (i == argc)
		return 2;
	if (strcmp(argv[i], "cp") == 0 && argc == i + 3)
		return app_cp(argv[i + 1], argv[i + 2]);
	if (strcmp(argv[i], "echo") == 0 && argc == i + 3)
		return app_echo((unsigned int)atoi(argv[i + 1]), (unsigned int)atoi(argv[i + 2]));
	if (strcmp(argv[i], "files") == 0)
		app_files();
	else if (strcmp(argv[i], "buffers") == 0)
		app_buffers();
	else if (strcmp(argv[i], "poll") == 0)
		app_poll();
	else if (strcmp(argv[i], "rings") == 0)
		app_rings();
	else
		return 2;
	return 0;
}
